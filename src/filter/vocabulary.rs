//! The values that occur in a capture, with how often, for completion.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::Ordering;

use super::Context;
use crate::attempts::Attempts;
use crate::decode::{Address, dns};
use crate::index::{IndexedSource, Segment};
use crate::protocols::ProtocolId;

/// Distinct values of one kind kept; the rarest are dropped.
const VALUES_MAX: usize = 4096;

/// Values with their packet counts, most frequent first.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// Names asked for, without final dot.
    pub names: Vec<(String, u64)>,
    /// Addresses of packets.
    pub hosts: Vec<(Address, u64)>,
    /// Ports by transport (6, 17).
    pub ports: Vec<((u8, u16), u64)>,
    /// Protocols.
    pub protocols: Vec<(ProtocolId, u64)>,
    /// IP protocol numbers.
    pub transports: Vec<(u8, u64)>,
    /// Response codes.
    pub response_codes: Vec<(u16, u64)>,
    /// Record types asked for.
    pub record_types: Vec<(u16, u64)>,
    /// ICMP type and code by IP protocol number.
    pub icmp: Vec<((u8, u8, u8), u64)>,
    /// Outcomes of transactions.
    pub outcomes: Vec<(&'static str, u64)>,
    /// Outcomes of attempts, those at DNS among them.
    pub attempt_outcomes: Vec<(&'static str, u64)>,
    /// What attempts are for.
    pub services: Vec<(&'static str, u64)>,
    /// Names of capture files.
    pub files: Vec<(String, u64)>,
    /// Sites they were captured at.
    pub sites: Vec<(String, u64)>,
    /// What the places are called.
    pub sensors: Vec<(String, u64)>,
}

#[derive(Default)]
struct Counts {
    names: HashMap<Vec<u8>, u64>,
    hosts: HashMap<Address, u64>,
    ports: HashMap<(u8, u16), u64>,
    protocols: HashMap<ProtocolId, u64>,
    transports: HashMap<u8, u64>,
    response_codes: HashMap<u16, u64>,
    record_types: HashMap<u16, u64>,
    icmp: HashMap<(u8, u8, u8), u64>,
}

impl Vocabulary {
    /// Counts what occurs; what was counted so far when cancelled.
    pub fn new(context: &Context<'_>) -> Self {
        let mut counts = Counts::default();
        for segment in context.index.segments() {
            if context.cancel.load(Ordering::Relaxed) {
                break;
            }
            counts.add(segment);
        }
        let mut outcomes: HashMap<&'static str, u64> = HashMap::new();
        for transaction in
            context.evidence.map(|evidence| evidence.transactions.as_slice()).unwrap_or_default()
        {
            *outcomes.entry(transaction.outcome.name()).or_default() += 1;
        }
        let (mut attempt_outcomes, mut services) = (outcomes.clone(), HashMap::new());
        if let Some(evidence) = context.evidence {
            if !evidence.transactions.is_empty() {
                services.insert("dns", evidence.transactions.len() as u64);
            }
            for own in &Attempts::of(evidence).all {
                *attempt_outcomes.entry(own.outcome.name()).or_default() += 1;
                *services.entry(own.kind.id()).or_default() += 1;
            }
        }
        let name =
            |(wire, count): (Vec<u8>, u64)| (super::literal::normal_name(&dns::presentation(&wire)), count);
        Self {
            names: sorted(counts.names).into_iter().map(name).collect(),
            hosts: sorted(counts.hosts),
            ports: sorted(counts.ports),
            protocols: sorted(counts.protocols),
            transports: sorted(counts.transports),
            response_codes: sorted(counts.response_codes),
            record_types: sorted(counts.record_types),
            icmp: sorted(counts.icmp),
            outcomes: sorted(outcomes),
            attempt_outcomes: sorted(attempt_outcomes),
            services: sorted(services),
            sites: places(context, |source| source.place.site.as_ref()),
            sensors: places(context, |source| source.place.sensor.as_ref()),
            files: context
                .index
                .sources
                .iter()
                .map(|source| (source.name.clone(), u64::from(source.packets)))
                .collect(),
        }
    }
}

/// Names of places with their packets.
fn places(context: &Context<'_>, of: fn(&IndexedSource) -> Option<&String>) -> Vec<(String, u64)> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for source in &context.index.sources {
        if let Some(name) = of(source) {
            *counts.entry(name.clone()).or_default() += u64::from(source.packets);
        }
    }
    sorted(counts)
}

fn sorted<K: Ord + Eq + Hash>(counts: HashMap<K, u64>) -> Vec<(K, u64)> {
    let mut all: Vec<(K, u64)> = counts.into_iter().collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(VALUES_MAX);
    all
}

impl Counts {
    fn add(&mut self, segment: &Segment) {
        let mut hosts = vec![0u64; segment.addresses.len()];
        for (a, b) in segment.source_address.iter().zip(&segment.destination_address) {
            for at in [a, b] {
                if let Some(count) = hosts.get_mut(*at as usize) {
                    *count += 1;
                }
            }
        }
        for (address, count) in segment.addresses.iter().zip(hosts).filter(|(_, count)| *count > 0) {
            if *address != Address::None {
                *self.hosts.entry(*address).or_default() += count;
            }
        }
        let mut protocols = [0u64; 256];
        let mut transports = [0u64; 256];
        for (protocol, transport) in segment.protocol.iter().zip(&segment.transport) {
            for (counts, at) in [(&mut protocols, protocol), (&mut transports, transport)] {
                if let Some(count) = counts.get_mut(usize::from(*at)) {
                    *count += 1;
                }
            }
        }
        for (at, count) in protocols.iter().enumerate().filter(|(_, count)| **count > 0) {
            *self.protocols.entry(ProtocolId(at as u8)).or_default() += count;
        }
        for (at, count) in transports.iter().enumerate().filter(|(at, count)| *at > 0 && **count > 0) {
            *self.transports.entry(at as u8).or_default() += count;
        }
        self.add_ports(segment);
        self.add_messages(segment);
    }

    fn add_ports(&mut self, segment: &Segment) {
        let mut ports = [vec![0u32; 1 << 16], vec![0u32; 1 << 16]];
        let rows = segment.transport.iter().zip(segment.source_port.iter().zip(&segment.destination_port));
        for (transport, (from, to)) in rows {
            let [tcp, udp] = &mut ports;
            let counts = match transport {
                6 => tcp,
                17 => udp,
                1 | 58 => {
                    *self.icmp.entry((*transport, *from as u8, *to as u8)).or_default() += 1;
                    continue;
                }
                _ => continue,
            };
            for port in [from, to] {
                if let Some(count) = counts.get_mut(usize::from(*port)) {
                    *count += 1;
                }
            }
        }
        for (transport, counts) in [6u8, 17].into_iter().zip(&ports) {
            for (port, count) in counts.iter().enumerate().filter(|(port, count)| *port > 0 && **count > 0) {
                *self.ports.entry((transport, port as u16)).or_default() += u64::from(*count);
            }
        }
    }

    fn add_messages(&mut self, segment: &Segment) {
        let mut names = vec![0u64; segment.names.len()];
        for row in &segment.dns {
            if let Some(count) = names.get_mut(row.name as usize) {
                *count += 1;
            }
            if row.is_response() {
                *self.response_codes.entry(row.response_code()).or_default() += 1;
            }
            if row.name != u32::MAX {
                *self.record_types.entry(row.qtype).or_default() += 1;
            }
        }
        for (at, count) in names.iter().enumerate().filter(|(_, count)| **count > 0) {
            let Some(name) = segment.names.get(at as u32) else { continue };
            if let Some(known) = self.names.get_mut(name) {
                *known += count;
            } else if self.names.len() < VALUES_MAX * 64 {
                self.names.insert(name.to_vec(), *count);
            }
        }
    }
}
