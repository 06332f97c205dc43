//! Rule `rcode-outage`: a server answers a group of names with an error code.

use super::facts::denials::Why;
use super::facts::{Denial, Facts};
use super::hypotheses::weighing::{code_name, extended_name};
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Signature, Transaction};
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "rcode-outage",
    title: "DNS answers with an error code",
    doc: "One server answers names of a zone with SERVFAIL, REFUSED or another error code: server and path work, the \
          failure lies behind the server, in its policy or in the zone. Name errors (NXDOMAIN) are ordinary and stay at \
          info unless the names existed before (medium) or hardly any name asked of the server exists (low). High when all the \
          server's answers fail, low for a single question, otherwise medium.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (_, problem) in facts.problems() {
        let Signature::ResponseCode(code) = problem.signature else { continue };
        let failed: Vec<&Transaction> = facts.transactions(problem).collect();
        let asked = rules::asked(facts, problem);
        let severity = match code {
            3 => Severity::Info,
            _ if failed.len() as u64 == asked && asked > 2 => Severity::High,
            // One question that fails is no outage, however often it is repeated.
            _ if failed.len() == 1 => Severity::Low,
            _ => Severity::Medium,
        };
        let extended = failed
            .iter()
            .find_map(|transaction| transaction.extended_error)
            .map_or_else(String::new, |number| {
                format!(" and extended error {number} ({})", extended_name(number))
            });
        let frames: Vec<PacketId> = failed.iter().flat_map(|t| [Some(t.first), t.answer]).flatten().collect();
        let filter = format!("dns.flags.rcode == {} && {}", code & 0xf, rules::from(problem.server.0));
        found.push(Finding {
            id: RULE.id,
            severity,
            statement: format!(
                "{} answered {} of {asked} questions with {}{extended}, all for names in {}",
                problem.server.0,
                failed.len(),
                code_name(code),
                rules::zone_words(&problem.names)
            ),
            frames: rules::tidy(frames),
            counts: vec![Count {
                label: format!("{} answers", code_name(code)),
                value: failed.len() as u64,
                filter: filter.clone(),
            }],
            filter,
            code: None,
        });
    }
    found.extend(facts.denials.iter().map(|denial| denied(denial)));
    found
}

/// Names that are denied beyond the ordinary, or filtered.
fn denied(denial: &Denial<'_>) -> Finding {
    let (severity, words) = match denial.why {
        // Whoever runs a filter knows of it.
        Why::Filtered => (Severity::Info, "because of a filter, as the answers say"),
        Why::Changed => (Severity::Medium, "although it had answered the same questions before"),
        Why::NearlyAll => (Severity::Low, "and hardly any other question was asked of it"),
    };
    let answers = denial.transactions.iter().filter_map(|transaction| transaction.answer);
    let mut frames: Vec<PacketId> = denial.transactions.iter().map(|transaction| transaction.first).collect();
    frames.extend(answers);
    let filter = format!("dns.flags.rcode == 3 && {}", rules::from(denial.server.0));
    Finding {
        id: RULE.id,
        severity,
        statement: format!(
            "{} denied {} {words}",
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
