//! Rule `rcode-outage`: a server answers a group of names with an error code.

use std::collections::BTreeMap;

use super::facts::{Denial, Facts};
use super::{Count, Finding, Rule, Severity, gravity, rules};
use crate::correlate::{Problem, Signature, Transaction};
use crate::decode::Address;
use crate::index::PacketId;
use crate::protocols::dns::{extended_error_name, failure_name};

/// The rule.
pub static RULE: Rule = Rule {
    id: "rcode-outage",
    title: "DNS answers with an error code",
    doc: "One server answers names of a zone with SERVFAIL, REFUSED or another error code: server and path work, \
          the failure lies behind the server, in its policy or in the zone. NXDOMAIN counts only where the same \
          server answered the name before, says that its policy hides it, or denies nearly every name \
          asked of it (low). Severity by the share of failed questions inside the windows, by clients without an \
          alternative, and by how long rescued ones waited.",
    run,
};

/// More problems than this with one code are told in one finding.
const SINGLE_MAX: usize = 4;

/// One problem that is an error code.
struct Outage<'i> {
    problem: &'i Problem,
    code: u16,
    severity: Severity,
    asked: u64,
    failed: Vec<&'i Transaction>,
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_kind: BTreeMap<(u16, Severity), Vec<Outage<'_>>> = BTreeMap::new();
    for (at, problem) in facts.problems() {
        let Signature::ResponseCode(code) = problem.signature else { continue };
        let failed: Vec<&Transaction> = facts.transactions(problem).collect();
        let asked = rules::asked(facts, at).max(failed.len() as u64);
        let severity = gravity::of(facts, at);
        let outage = Outage { problem, code, severity, asked, failed };
        by_kind.entry((code, severity)).or_default().push(outage);
    }
    let mut found = Vec::new();
    for outages in by_kind.into_values() {
        if outages.len() > SINGLE_MAX {
            found.extend(together(&outages));
        } else {
            found.extend(outages.iter().map(|own| single(facts, own)));
        }
    }
    found.extend(facts.denials.iter().map(|denial| denied(denial)));
    found
}

fn frames(failed: &[&Transaction]) -> Vec<PacketId> {
    rules::tidy(failed.iter().flat_map(|t| [Some(t.first), t.answer]).flatten().collect())
}

/// The filter that counts the answers of one server with this code.
fn answers(outage: &Outage<'_>) -> String {
    let without = if outage.code == 0 { " && dns.count.answers == 0" } else { "" };
    format!("dns.flags.rcode == {}{without} && {}", outage.code & 0xf, rules::from(outage.problem.server.0))
}

fn extended(failed: &[&Transaction]) -> String {
    let Some(number) = failed.iter().find_map(|transaction| transaction.extended_error) else {
        return String::new();
    };
    let with = failed.iter().filter(|transaction| transaction.extended_error == Some(number)).count();
    let some = if with == failed.len() { String::new() } else { format!(", {with} of them") };
    format!(" and extended error {number} ({}{some})", extended_error_name(number))
}

fn single(facts: &Facts<'_>, outage: &Outage<'_>) -> Finding {
    let Outage { problem, code, severity, asked, failed } = outage;
    let filter = answers(outage);
    Finding {
        id: RULE.id,
        severity: *severity,
        statement: format!(
            "{} answered {} of {asked} questions of {} with {}{}{}, all for names in {}",
            problem.server.0,
            failed.len(),
            rules::clients(&problem.clients),
            failure_name(*code),
            extended(failed),
            rules::signature_error(facts, failed),
            rules::zone_words(&problem.names)
        ),
        frames: frames(failed),
        counts: vec![Count {
            label: format!("{} answers", failure_name(*code)),
            value: failed.len() as u64,
            filter: filter.clone(),
        }],
        filter,
        code: None,
    }
}

/// Many servers with the same code, the most frequent first.
fn together(outages: &[Outage<'_>]) -> Option<Finding> {
    let mut sorted: Vec<&Outage<'_>> = outages.iter().collect();
    sorted.sort_by_key(|outage| (std::cmp::Reverse(outage.failed.len()), outage.problem.server));
    let first = sorted.first()?;
    let failed: Vec<&Transaction> = sorted.iter().flat_map(|outage| outage.failed.iter().copied()).collect();
    let mut servers: Vec<Address> = sorted.iter().map(|outage| outage.problem.server.0).collect();
    servers.sort_unstable();
    servers.dedup();
    let names: Vec<String> = sorted.iter().flat_map(|outage| outage.problem.names.iter().cloned()).collect();
    let code = failure_name(first.code);
    let from = rules::any_of(&servers, rules::from);
    let every = format!("dns.flags.rcode == {}", first.code & 0xf);
    let filter = if from.is_empty() { every.clone() } else { format!("{every} && ({from})") };
    let mut counts =
        vec![Count { label: format!("{code} answers"), value: failed.len() as u64, filter: filter.clone() }];
    counts.extend(sorted.iter().take(rules::TOP_MAX).map(|outage| Count {
        label: format!("{code} answers of {}", outage.problem.server.0),
        value: outage.failed.len() as u64,
        filter: answers(outage),
    }));
    let second = sorted.get(1).map_or(0, |outage| outage.failed.len());
    let most = match first.failed.len() {
        most if most > second => format!(", most of them {}", first.problem.server.0),
        _ => String::new(),
    };
    Some(Finding {
        id: RULE.id,
        severity: first.severity,
        statement: format!(
            "{} answered {} questions with {code}{most}, for names in {}",
            rules::counted(servers.len(), "server", "servers"),
            crate::text::thousands(failed.len() as u64),
            rules::zone_words(&names)
        ),
        frames: frames(&failed),
        counts,
        filter,
        code: None,
    })
}

/// A server that denies nearly every name.
fn denied(denial: &Denial<'_>) -> Finding {
    let answers = denial.transactions.iter().filter_map(|transaction| transaction.answer);
    let mut frames: Vec<PacketId> = denial.transactions.iter().map(|transaction| transaction.first).collect();
    frames.extend(answers);
    let filter = format!("dns.flags.rcode == 3 && {}", rules::from(denial.server.0));
    Finding {
        id: RULE.id,
        severity: Severity::Low,
        statement: format!(
            "{} denied {} (NXDOMAIN) and hardly any other question was asked of it",
            denial.server.0,
            rules::counted(denial.transactions.len(), "question", "questions")
        ),
        frames: rules::tidy(frames),
        counts: vec![Count {
            label: "denied questions".into(),
            value: denial.transactions.len() as u64,
            filter: filter.clone(),
        }],
        filter,
        code: None,
    }
}
