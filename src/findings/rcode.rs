//! Rule `rcode-outage`: a server answers a group of names with an error code.

use super::facts::Facts;
use super::hypotheses::weighing::{code_name, extended_name};
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Signature, Transaction};
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "rcode-outage",
    title: "DNS answers with an error code",
    doc: "One server answers names of a zone with SERVFAIL, REFUSED or another error code: server and path work, the \
          failure lies behind the server, in its policy or in the zone. NXDOMAIN counts only where \
          the same server answers the name at another time or says that its policy hides it. High when all the server's answers fail, low for a single question, otherwise medium.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (_, problem) in facts.problems() {
        let Signature::ResponseCode(code) = problem.signature else { continue };
        let failed: Vec<&Transaction> = facts.transactions(problem).collect();
        let asked = rules::asked(facts, problem);
        let severity = match code {
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
    found
}
