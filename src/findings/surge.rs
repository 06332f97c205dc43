//! Rule `query-surge`: far more queries a second than the same server usually gets.

use super::facts::{Facts, load::Surge};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::findings::facts::asked;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "query-surge",
    title: "Far more DNS queries than usual",
    doc: "A second with at least 200 queries to one server, 20 times what is usual in the quieter quarter of a capture of 20 s \
          or more. A crowd, a program that runs wild and an attack look alike; source addresses may be forged. Medium.",
    run,
};

/// Fewer queries in a second are no surge, however quiet the server was.
const PEAK_MIN: u64 = 200;
/// The busiest second against the usual ones.
const TIMES_MIN: u64 = 20;
/// Queries of the busiest second that are shown.
const SHOWN_MAX: usize = 64;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut servers: Vec<Address> = facts.servers.keys().map(|key| key.0).collect();
    servers.dedup();
    servers.into_iter().filter_map(|server| Some(surge(facts, server, of(facts, server)?))).collect()
}

/// The surge of a server that is worth a finding.
pub fn of(facts: &Facts<'_>, server: Address) -> Option<Surge> {
    facts.load.surge(server).filter(|surge| surge.peak >= PEAK_MIN && surge.peak >= surge.usual * TIMES_MIN)
}

/// Queries of the busiest second, as far as they are shown.
pub fn sample(facts: &Facts<'_>, server: Address, surge: Surge) -> Vec<PacketId> {
    let second = surge.at_ns..surge.at_ns + 1_000_000_000;
    asked::all(&facts.input())
        .filter(|asked| asked.server.0 == server && second.contains(&asked.time_ns))
        .map(|asked| asked.transaction.first)
        .take(SHOWN_MAX)
        .collect()
}

fn surge(facts: &Facts<'_>, server: Address, surge: Surge) -> Finding {
    let second = surge.at_ns / 1_000_000_000;
    let filter = format!(
        "dns.flags.response == 0 && {} && frame.time_epoch >= {second} && frame.time_epoch < {}",
        rules::to(server),
        second + 1
    );
    let asked: Vec<_> = facts.servers.iter().filter(|(key, _)| key.0 == server).map(|(_, s)| s).collect();
    let clients = asked.iter().map(|server| server.clients.len()).max().unwrap_or(0);
    Finding {
        id: RULE.id,
        severity: Severity::Medium,
        statement: format!(
            "{server} got up to {} queries a second where {} {} usual; {} asked it in all",
            crate::text::thousands(surge.peak),
            surge.usual,
            if surge.usual == 1 { "is" } else { "are" },
            rules::counted(clients, "client", "clients")
        ),
        frames: rules::tidy(sample(facts, server, surge)),
        counts: vec![Count {
            label: "queries in the busiest second".into(),
            value: surge.peak,
            filter: filter.clone(),
        }],
        filter,
        code: None,
    }
}
