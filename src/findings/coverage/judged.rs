//! The services that were judged: how many attempts each had, and how many were served.

use std::collections::{BTreeMap, BTreeSet};

use super::explained::is_served;
use super::{OpenItem, OpenKind, Standing};
use crate::attempts::{Attempt, Kind, Outcome};
use crate::correlate::Outcome as Answer;
use crate::correlate::episodes::is_error_code;
use crate::decode::Address;
use crate::findings::facts::{ErrorFact, Facts, Meaning};
use crate::findings::{Finding, Severity};
use crate::index::PacketId;
use crate::index::segment::flags;
use crate::protocols::ProtocolId;

/// A service that was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Lookups.
    Dns,
    /// Another service: what it is, its IP protocol and port.
    Of(Kind, u8, u16),
    /// Requests for link addresses.
    Neighbours,
}

/// What was judged of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The service.
    pub service: Service,
    /// How often it was asked for.
    pub attempts: u64,
    /// How often it was given.
    pub served: u64,
    /// How often it accepted a connection on which nothing was asked: nobody was answered.
    pub accepted: u64,
    /// How often it answered with a refusal that is ordinary: a password or name not taken once, an error code of DNS.
    pub declined: u64,
    /// How often it failed, such refusals among these.
    pub failed: u64,
    /// How often the capture does not show what became of it.
    pub undecided: u64,
    /// Something about it is open, or a finding that is more than a note is about it.
    pub is_open: bool,
}

/// Whether an attempt is a datagram that a line prints without its contents, and something came back.
pub(super) fn is_printed_exchange(facts: &Facts<'_>, own: &Attempt) -> bool {
    let is_text = || facts.index.packet(own.first.packet).is_some_and(|packet| packet.is_text());
    own.kind == Kind::Udp && own.outcome == Outcome::Answered && is_text()
}

/// Everything that asks and is answered, most attempts first.
pub(super) fn services(facts: &Facts<'_>, open: &[OpenItem], found: &[Finding]) -> Vec<Judged> {
    let mut tally: BTreeMap<Service, (u64, u64)> = BTreeMap::new();
    let mut undecided: BTreeMap<Service, u64> = BTreeMap::new();
    let mut accepted: BTreeMap<Service, u64> = BTreeMap::new();
    let mut failed: BTreeMap<Service, u64> = BTreeMap::new();
    let note = |tally: &mut BTreeMap<Service, (u64, u64)>, service: Service, served: bool| {
        let (attempts, given) = tally.entry(service).or_default();
        *attempts += 1;
        *given += u64::from(served);
    };
    for transaction in &facts.evidence.transactions {
        note(&mut tally, Service::Dns, is_served(transaction));
        let left = match transaction.outcome {
            _ if is_served(transaction) => continue,
            crate::correlate::Outcome::Undetermined => &mut undecided,
            _ => &mut failed,
        };
        *left.entry(Service::Dns).or_default() += 1;
    }
    let is_tried = |at: usize| facts.troubles.tried.binary_search(&(at as u32)).is_ok();
    for (_, own) in facts.attempts.all.iter().enumerate().filter(|(at, _)| !is_tried(*at)) {
        // Of printed datagrams whose contents are not printed it counts that something came back.
        let is_exchange = own.kind.answers() || own.kind == Kind::Tcp || is_printed_exchange(facts, own);
        if own.outcome == Outcome::OneDirection || !is_exchange {
            continue;
        }
        let service = Service::Of(own.kind, own.service.transport, own.service.port);
        let (asked, answered) = if own.kind == Kind::Echo {
            own.counts
        } else {
            (1, u32::from(own.outcome == Outcome::Answered))
        };
        *accepted.entry(service).or_default() += u64::from(own.outcome == Outcome::Accepted);
        // Single pings without reply among others tell of no failure.
        let is_open = match own.outcome {
            Outcome::Undetermined => true,
            outcome => own.kind == Kind::Echo && outcome.is_served(),
        };
        if own.outcome.face().is_some() {
            *failed.entry(service).or_default() += u64::from(asked.saturating_sub(answered));
        }
        if is_open {
            *undecided.entry(service).or_default() += u64::from(asked.saturating_sub(answered));
        }
        let (attempts, given) = tally.entry(service).or_default();
        *attempts += u64::from(asked);
        *given += u64::from(answered);
    }
    tally.retain(|service, (attempts, _)| undecided.get(service).is_none_or(|open| *open < *attempts));
    let mut is_missed = false;
    for (target, heard) in &facts.neighbours {
        // Who spoke once and then no more did not answer.
        let gone = facts.runs.iter().any(|run| run.target == *target);
        // Addresses that nobody has are asked for in health, unless what was sent to them failed.
        let missed = !*heard && is_wanted(facts, *target);
        is_missed |= missed;
        if !*heard && !gone && !missed {
            continue;
        }
        note(&mut tally, Service::Neighbours, *heard && !gone);
        *failed.entry(Service::Neighbours).or_default() += u64::from(!*heard || gone);
    }
    let mut concerned: BTreeSet<Service> =
        open.iter().filter(|item| item.kind.standing() == Standing::Open).filter_map(service_of).collect();
    if is_missed {
        concerned.insert(Service::Neighbours);
    }
    let grave = found
        .iter()
        .filter(|finding| {
            finding.severity > Severity::Info
                && !finding.id.ends_with("-quality")
                && !OF_SERVICES.contains(&finding.id)
        })
        .flat_map(|finding| finding.frames.iter().take(FRAMES_LOOKED_AT));
    for packet in grave {
        concerned.extend(services_of(facts, *packet));
    }
    let told = facts.troubles.all.iter().filter(|trouble| trouble.severity > Severity::Info);
    for (service, kind) in told.flat_map(|trouble| &trouble.services) {
        concerned.insert(Service::Of(*kind, service.transport, service.port));
    }
    let mut declined: BTreeMap<Service, u64> = BTreeMap::new();
    let erring = facts.evidence.transactions.iter().filter(|own| {
        own.outcome == Answer::Answered && own.declined.is_none() && is_error_code(own.response_code)
    });
    declined.insert(Service::Dns, erring.count() as u64);
    let slips = open.iter().filter(|item| matches!(item.kind, OpenKind::Single(_, Outcome::Denied(_))));
    for (item, service) in slips.filter_map(|item| Some((item, single(item)?))) {
        *declined.entry(service).or_default() += item.count;
    }
    let judged = tally.into_iter().map(|(service, (attempts, served))| Judged {
        service,
        attempts,
        served,
        accepted: accepted.get(&service).copied().unwrap_or(0),
        declined: declined.get(&service).copied().unwrap_or(0),
        failed: failed.get(&service).copied().unwrap_or(0),
        undecided: undecided.get(&service).copied().unwrap_or(0),
        is_open: concerned.contains(&service),
    });
    let mut judged: Vec<Judged> = judged.collect();
    judged.sort_by_key(|judged| {
        (judged.service != Service::Dns, std::cmp::Reverse(judged.attempts), judged.service)
    });
    judged
}

/// Whether something failed for want of the host: a service of it, or a router says so.
fn is_wanted(facts: &Facts<'_>, target: Address) -> bool {
    let unreachable = |error: &&ErrorFact| error.meaning == Meaning::HostUnreachable;
    facts.troubles.all.iter().any(|trouble| trouble.hosts().contains(&target))
        || facts.errors.iter().filter(unreachable).any(|error| error.refused_destination() == Some(target))
}

/// Rules whose troubles name their services themselves: their frames hold what DNS said before, and what served instead. What a scan
/// tried is no service.
const OF_SERVICES: [&str; 5] =
    ["site-down", "service-failures", "datagrams-refused", "no-lease", "port-scan"];

/// The IP protocol number under which pings of both families are counted.
const PING: u8 = 1;

/// Frames of a finding that are asked which service they belong to.
const FRAMES_LOOKED_AT: usize = 64;

/// The services a packet may belong to: both ends of a connection may be its server.
fn services_of(facts: &Facts<'_>, packet: PacketId) -> Vec<Service> {
    let Some(packet) = facts.index.packet(packet) else { return Vec::new() };
    if packet.protocol() == ProtocolId::ARP {
        return vec![Service::Neighbours];
    }
    let quoted = facts.error(packet.id).and_then(|error| error.quoted);
    let (transport, ports) = match quoted {
        Some(quoted) => (quoted.transport, [quoted.source.1, quoted.destination.1]),
        None => (packet.transport(), [packet.source_port(), packet.destination_port()]),
    };
    let is_dns = packet.flags() & (flags::DNS_QUERY | flags::DNS_RESPONSE) != 0;
    if is_dns || ports.into_iter().any(|port| facts.is_dns_port(port)) {
        return vec![Service::Dns];
    }
    match transport {
        6 | 17 => {
            ports.into_iter().map(|port| Service::Of(Kind::at(transport, port), transport, port)).collect()
        }
        // An error about a ping; a ping by itself is nobody's failure.
        1 | 58 if quoted.is_some() => vec![Service::Of(Kind::Echo, PING, 0)],
        _ => Vec::new(),
    }
}

/// The service that a single failure was at.
fn single(item: &OpenItem) -> Option<Service> {
    match item.kind {
        OpenKind::Single(kind, _) => Some(Service::Of(kind, item.ends.transport, item.ends.port)),
        _ => None,
    }
}

/// The service an open thing is about.
fn service_of(item: &OpenItem) -> Option<Service> {
    match item.kind {
        OpenKind::Undetermined | OpenKind::Unserved | OpenKind::Unshown => Some(Service::Dns),
        OpenKind::Neighbour => Some(Service::Neighbours),
        OpenKind::Few(kind, _) => Some(Service::Of(kind, item.ends.transport, item.ends.port)),
        OpenKind::Error(_) if matches!(item.ends.transport, 6 | 17) => {
            let (transport, port) = (item.ends.transport, item.ends.port);
            Some(Service::Of(Kind::at(transport, port), transport, port))
        }
        _ => None,
    }
}
