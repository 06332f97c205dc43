//! Rule `rival-routers`: routers on one link announce different DNS servers.

use super::facts::Facts;
use super::facts::advertisements::Router;
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "rival-routers",
    title: "Routers that announce different DNS servers",
    doc: "Router advertisements of two senders give DNS servers (RFC 8106) that have nothing in common: one of them is not meant to be \
          there, or is set up otherwise (RFC 6104 calls such routers rogue). High where lookups at one of these servers fail and none was \
          ever answered by it; else medium.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let rivals = rivals(facts);
    let (Some(first), true) = (rivals.first(), rivals.len() > 1) else { return Vec::new() };
    let failing = |server: &Address| {
        let fails = facts.problems().any(|(_, problem)| problem.server.0 == *server);
        fails && facts.servers.iter().all(|(key, known)| key.0 != *server || known.answers.is_empty())
    };
    let grave = rivals.iter().flat_map(|router| &router.servers).any(failing);
    let told: Vec<String> = rivals
        .iter()
        .take(rules::TOP_MAX)
        .map(|router| {
            let servers: Vec<String> = router.servers.iter().map(ToString::to_string).collect();
            format!("{} gives {}", router.address, servers.join(", "))
        })
        .collect();
    let frames: Vec<PacketId> = rivals.iter().flat_map(|router| router.packets.iter().copied()).collect();
    let counts = rivals.iter().map(|router| Count {
        label: format!("advertisements of {}", router.address),
        value: router.packets.len() as u64,
        filter: rules::frames_counted(facts, &router.packets),
    });
    vec![Finding {
        id: RULE.id,
        severity: if grave { Severity::High } else { Severity::Medium },
        statement: format!("{} routers announce different DNS servers: {}", rivals.len(), told.join("; ")),
        counts: counts.collect(),
        filter: format!("icmpv6.type == 134 && ipv6.src != {}", first.address),
        frames: rules::tidy(frames),
        code: None,
    }]
}

/// Routers whose servers have nothing in common with those of the router heard first, that one included.
pub fn rivals<'f>(facts: &'f Facts<'_>) -> Vec<&'f Router> {
    let mut all: Vec<&Router> = facts.routers.iter().collect();
    all.sort_by_key(|router| router.span_ns.0);
    let Some(first) = all.first().copied() else { return Vec::new() };
    let apart = |router: &&&Router| router.servers.iter().all(|server| !first.servers.contains(server));
    std::iter::once(first).chain(all.iter().skip(1).filter(apart).copied()).collect()
}
