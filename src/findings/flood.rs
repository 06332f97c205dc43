//! Rule `random-subdomain-flood`: very many made-up names under one zone.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::text::escape;

/// The rule.
pub static RULE: Rule = Rule {
    id: "random-subdomain-flood",
    title: "Random names under one zone",
    doc: "At least 200 queries to one server for names of one zone, at least 90 % of them different and at least half \
          without a useful answer. From five clients on this is a flood that no cache helps against (high); from fewer it may \
          be one host's habit (medium).",
    run,
};

/// Clients from which a flood comes from many.
const MANY_CLIENTS: usize = 5;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for ((server, zone), load) in facts.load.zones.iter().filter(|(_, load)| load.is_random_flood()) {
        let suffix = zone.trim_end_matches('.');
        let filter = format!(
            "dns.qry.name contains \"{}\" && dns.flags.response == 0 && {}",
            escape(suffix).replace('"', ""),
            rules::to(*server)
        );
        found.push(Finding {
            id: RULE.id,
            severity: if load.clients.len() >= MANY_CLIENTS { Severity::High } else { Severity::Medium },
            statement: format!(
                "{} queries for {} different names under {} reached {server} from {}; {} got no useful answer",
                load.queries,
                load.names,
                rules::plain_name(zone),
                rules::counted(load.clients.len(), "client", "clients"),
                load.failed
            ),
            frames: rules::tidy(load.samples.clone()),
            counts: vec![Count { label: "queries".into(), value: load.queries, filter: filter.clone() }],
            filter,
            code: None,
        });
    }
    found
}
