//! Clients that were not affected by a failure: those that no failure and no finding is about, and that got what they asked of others.

use std::collections::{BTreeMap, BTreeSet};

use super::super::facts::Facts;
use super::super::words;
use super::Builder;
use crate::correlate::Outcome;
use crate::correlate::episodes::is_error_code;
use crate::correlate::impact::Hosts;
use crate::decode::Address;
use crate::findings::Severity;
use crate::findings::facts::slow::SLOW_NS;

/// IP protocol number of TCP.
const TCP: u8 = 6;
/// Addresses listed in one sentence.
const LISTED: usize = 3;

/// Clients that another failure or finding is about: of them it cannot be said that they were not affected (truth T40).
pub fn hit(b: &Builder<'_>, facts: &Facts<'_>) -> BTreeSet<Address> {
    let index = b.input.index;
    let hosts = Hosts::of(b.input.evidence.surroundings());
    let mut found: BTreeSet<Address> = BTreeSet::new();
    let others = b.input.evidence.problems.iter().filter(|problem| !std::ptr::eq(*problem, facts.problem));
    found.extend(others.flat_map(|problem| problem.clients.iter().copied()));
    let told = b.input.findings.iter().filter(|own| own.severity > Severity::Info && own.code.is_none());
    for frame in told.flat_map(|own| &own.frames) {
        let Some(packet) = index.packet(*frame) else { continue };
        let (from, to) = (packet.source_address(), packet.destination_address());
        let syn = packet.segment.tcp_flags.get(packet.row).copied().unwrap_or(0);
        found.extend(match packet.dns() {
            Some(row) if row.is_response() => Some(to),
            Some(_) => Some(from),
            None if packet.transport() == TCP && syn & (SYN | ACK) == SYN => Some(from),
            None if packet.transport() == TCP && syn & (SYN | ACK) == SYN | ACK => Some(to),
            None => None,
        });
    }
    let all: Vec<Address> = found.iter().flat_map(|address| hosts.others(*address)).collect();
    found.extend(all);
    found
}

/// Flags of segments that open a connection and acknowledge (RFC 9293 §3.1).
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Lookups looked through for those at other servers; a capture with more tells of one server, mostly.
pub const LOOKED_AT_MAX: usize = 500_000;

/// Clients that asked another server meanwhile, and got an answer to all they asked before anyone notices: `not affected: 10.0.0.26 and 10.0.0.27, whose
/// 25 questions 10.0.9.54 answered meanwhile`.
pub fn elsewhere(b: &Builder<'_>, facts: &Facts<'_>, hit: &BTreeSet<Address>) -> Option<String> {
    let impact = facts.impact?;
    let (first, last) = (impact.windows.first()?, impact.windows.last()?);
    let inside = first.first_bad.at_ns..=last.last_bad.at_ns;
    let hosts = Hosts::of(b.input.evidence.surroundings());
    let known: BTreeSet<Address> = impact
        .clients
        .iter()
        .flat_map(|client| std::iter::once(&client.address).chain(&client.others))
        .chain(&impact.unaffected)
        .chain(&b.inventory.dns_servers)
        .map(|address| hosts.host(*address))
        .collect();
    let concerned = |client: Address| known.contains(&hosts.host(client)) || hit.contains(&client);
    let index = b.input.index;
    let mut by_server: BTreeMap<Address, (BTreeMap<Address, u32>, BTreeSet<Address>)> = BTreeMap::new();
    for own in b.input.evidence.transactions.iter().take(LOOKED_AT_MAX) {
        let Some(query) = index.packet(own.first).filter(|query| inside.contains(&query.time_ns())) else {
            continue;
        };
        let (client, server) = (query.source_address(), query.destination_address());
        if server == facts.server || concerned(client) {
            continue;
        }
        let (served, failed) = by_server.entry(server).or_default();
        let in_time = own.waited_ns <= SLOW_NS;
        if own.outcome == Outcome::Answered && !is_error_code(own.response_code) && in_time {
            *served.entry(client).or_default() += 1;
        } else {
            failed.insert(client);
        }
    }
    let mut told = Vec::new();
    for (server, (served, failed)) in by_server {
        let fine: Vec<(&Address, &u32)> =
            served.iter().filter(|(client, _)| !failed.contains(client)).collect();
        let questions: u32 = fine.iter().map(|(_, questions)| **questions).sum();
        if questions > 0 {
            let clients: Vec<String> = fine.iter().map(|(client, _)| client.to_string()).collect();
            told.push(format!(
                "{}, whose {} {server} answered meanwhile",
                words::list(&clients, LISTED),
                words::count(questions as usize, "question", "questions")
            ));
        }
    }
    let listed = told.join("; ");
    (!told.is_empty() && told.len() <= LISTED).then(|| format!("not affected: {listed}"))
}
