//! Rule `datagrams-refused`: requests over UDP beside DNS that ICMP errors refuse.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::traffic::{self, Kind};
use super::facts::{Ending, ErrorFact, Facts, Meaning};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "datagrams-refused",
    title: "UDP services refused",
    doc: "Two or more ICMP errors (port, host or network unreachable, prohibited) about datagrams to one address and UDP port \
          other than DNS that is known or below 1024, while nothing came back from it. Medium for services that answer each request (QUIC, DNS over QUIC, \
          NTP, SNMP, SIP, RADIUS, LDAP), otherwise low; a note where the host serves TCP at the same port, as browsers \
          then go on over TCP. A traceroute ends with such errors, and many ports of one host are a scan: neither counts.",
    run,
};

/// Errors about one service from which it is told.
const ERRORS_MIN: usize = 2;
/// Ports that traceroute counts up from (33434 and the 255 after it).
const TRACED: std::ops::RangeInclusive<u16> = 33434..=33689;
/// Ports of one host from which on somebody tries them out.
const PORTS_MAX: usize = 9;
const UDP: u8 = 17;
/// Ports up to this one are those of services (RFC 6335 §6).
const SYSTEM_PORT_MAX: u16 = 1023;

/// Errors about one service.
struct Refusals<'f> {
    errors: Vec<&'f ErrorFact>,
    clients: BTreeSet<Address>,
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut services: BTreeMap<(Address, u16), Refusals<'_>> = BTreeMap::new();
    for error in &facts.errors {
        let Some(quoted) = error.quoted.filter(|quoted| quoted.transport == UDP) else { continue };
        let (from, to) = (quoted.source, quoted.destination);
        let counts = matches!(
            error.meaning,
            Meaning::PortUnreachable
                | Meaning::HostUnreachable
                | Meaning::NetUnreachable
                | Meaning::Prohibited
        );
        let answers = Kind::of_port(from.1).is_some() && Kind::of_port(to.1).is_none();
        // Of a high port of which nothing is known it cannot be told who asked; a cut quote has none.
        let unknown = Kind::of_port(to.1).is_none() && (to.1 == 0 || to.1 > SYSTEM_PORT_MAX);
        if !counts
            || answers
            || unknown
            || facts.is_dns_port(from.1)
            || facts.is_dns_port(to.1)
            || TRACED.contains(&to.1)
        {
            continue;
        }
        let found =
            services.entry(to).or_insert_with(|| Refusals { errors: Vec::new(), clients: BTreeSet::new() });
        found.errors.push(error);
        found.clients.insert(from.0);
    }
    let mut ports: BTreeMap<Address, usize> = BTreeMap::new();
    for (address, _) in services.keys() {
        *ports.entry(*address).or_default() += 1;
    }
    services.retain(|(address, port), found| {
        found.errors.len() >= ERRORS_MIN
            && traffic::is_host(*address)
            && ports.get(address).is_some_and(|ports| *ports <= PORTS_MAX)
            && !is_answered(facts, (*address, *port))
    });
    services.into_iter().map(|(service, found)| finding(facts, service, &found)).collect()
}

fn is_answered(facts: &Facts<'_>, service: (Address, u16)) -> bool {
    facts.traffic.exchanges.iter().any(|exchange| exchange.server == service && exchange.answered > 0)
}

fn finding(facts: &Facts<'_>, (address, port): (Address, u16), found: &Refusals<'_>) -> Finding {
    let serves = facts
        .connections
        .iter()
        .any(|connection| connection.server == (address, port) && connection.ending == Ending::Accepted);
    let kind = Kind::of_port(port);
    let severity = match kind {
        _ if serves => Severity::Info,
        Some(_) => Severity::Medium,
        None => Severity::Low,
    };
    let mut meanings: Vec<&str> = found.errors.iter().map(|error| error.words()).collect();
    meanings.sort_unstable();
    meanings.dedup();
    let senders: BTreeSet<Address> = found.errors.iter().map(|error| error.source).collect();
    let by = match senders.first() {
        Some(only) if senders.len() == 1 && *only == address => "the host itself".to_owned(),
        Some(only) if senders.len() == 1 => only.to_string(),
        _ => rules::counted(senders.len(), "device", "devices"),
    };
    let clients: Vec<Address> = found.clients.iter().copied().collect();
    let service = kind.map_or_else(String::new, |kind| format!(" ({})", kind.name()));
    let count = found.errors.len();
    let mut frames: Vec<PacketId> = found.errors.iter().map(|error| error.packet).collect();
    let errors = frames.clone();
    frames.extend(found.errors.iter().filter_map(|error| error.about));
    frames.extend(asked(facts, (address, port)));
    let frames = rules::tidy(frames);
    Finding {
        id: RULE.id,
        severity,
        statement: format!(
            "UDP port {port}{service} of {address} was refused to {}: {} from {by} ({}) over {}{}",
            rules::clients(&clients),
            rules::counted(count, "ICMP error", "ICMP errors"),
            meanings.join(", "),
            lasting(facts, found),
            if serves {
                "; TCP at the same port was accepted"
            } else {
                ", and nothing came back from that port"
            }
        ),
        counts: vec![Count {
            label: "errors".into(),
            value: count as u64,
            filter: rules::frames_counted(facts, &errors),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}

/// The requests to the service, as far as they are followed.
fn asked<'f>(facts: &'f Facts<'_>, service: (Address, u16)) -> impl Iterator<Item = PacketId> + 'f {
    let own = facts.traffic.exchanges.iter().filter(move |exchange| exchange.server == service);
    own.flat_map(|exchange| exchange.open_packets().iter().copied())
}

fn lasting(facts: &Facts<'_>, found: &Refusals<'_>) -> String {
    let packets = || found.errors.iter().map(|error| error.packet);
    let ends = packets().min().zip(packets().max());
    let lasted_ns = ends.and_then(|(first, last)| facts.evidence.between_ns(first, last));
    lasted_ns.map_or_else(|| "a time that cannot be told".to_owned(), crate::time::span)
}
