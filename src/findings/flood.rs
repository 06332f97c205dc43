//! Rule `random-subdomain-flood`: very many made-up names under one zone.

use super::facts::Facts;
use super::facts::load::ZoneLoad;
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::Problem;
use crate::decode::Address;
use crate::text::escape;
use crate::time::{Nanos, span};

/// The rule.
pub static RULE: Rule = Rule {
    id: "random-subdomain-flood",
    title: "Random names under one zone",
    doc: "At least 200 queries to one server for names of one zone, at least 90 % of them different and at least half \
          without a useful answer. From five sources on, or where lookups of others fail at that server, this is a flood that no cache \
          helps against (high); else it may be one host's habit (medium). Sources are clients of which at least half the names are \
          nobody else's.",
    run,
};

/// Clients from which a flood comes from many.
const MANY_CLIENTS: usize = 5;

/// How long it lasted, and how fast it was.
fn rate(load: &ZoneLoad) -> String {
    let Some((from, to)) = load.span_ns.filter(|(from, to)| to - from >= SECOND_NS) else {
        return String::new();
    };
    let seconds = (to - from) / SECOND_NS;
    format!(
        " within {} ({} a second)",
        span(to - from),
        load.names / u64::try_from(seconds).unwrap_or(1).max(1)
    )
}

/// Who else asks for names there.
fn others(load: &ZoneLoad, sources: &[Address]) -> String {
    match load.clients.len() - sources.len().min(load.clients.len()) {
        0 => String::new(),
        some => format!(
            "; {} asked for ordinary names there",
            rules::counted(some, "other client", "other clients")
        ),
    }
}

/// Whether lookups of others failed at that server.
fn suffers(facts: &Facts<'_>, server: Address, sources: &[Address]) -> bool {
    let others = |problem: &Problem| problem.clients.iter().any(|client| !sources.contains(client));
    facts.problems().any(|(_, problem)| problem.server.0 == server && others(problem))
}

/// One second.
const SECOND_NS: Nanos = 1_000_000_000;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for ((server, zone), load) in facts.load.zones.iter().filter(|(_, load)| load.is_random_flood()) {
        let sources = load.flooders();
        let (queries, failed) = load.of(&sources);
        let suffix = zone.trim_end_matches('.');
        let filter = format!(
            "dns.qry.name contains \"{}\" && dns.flags.response == 0 && {}",
            escape(suffix).replace('"', ""),
            rules::to(*server)
        );
        found.push(Finding {
            id: RULE.id,
            severity: if sources.len() >= MANY_CLIENTS || suffers(facts, *server, &sources) {
                Severity::High
            } else {
                Severity::Medium
            },
            statement: format!(
                "{} queries for {} different names under {} reached {server} from {}{}; {} got no useful answer{}",
                queries,
                load.names.min(queries),
                rules::plain_name(zone),
                rules::clients(&sources),
                rate(load),
                failed,
                others(load, &sources)
            ),
            frames: rules::tidy(load.samples.clone()),
            counts: vec![Count { label: "queries".into(), value: load.queries, filter: filter.clone() }],
            filter,
            code: None,
        });
    }
    found
}
