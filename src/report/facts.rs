//! The numbers that sentences are made of, each counted from index and evidence.

use std::collections::BTreeSet;

use super::Input;
use crate::correlate::clients::Client;
use crate::correlate::impact::Impact;
use crate::correlate::{Evidence, LinkKind, Outcome, Problem, Signature, Transaction};
use crate::decode::Address;
use crate::findings::facts::blocks;
use crate::findings::rules;
use crate::index::segment::{DnsKind, flags};
use crate::index::{Index, PacketId};
use crate::protocols::ProtocolId;
use crate::time::Nanos;

/// Distinct addresses, ids and types kept for one sentence or table.
const DISTINCT_MAX: usize = 4096;
/// Problems written out in full; further ones are counted.
pub const PROBLEMS_MAX: usize = 12;
/// Questions closer together than this are one lookup's (A and AAAA), not repeats.
const SIBLING_NS: Nanos = 1_000_000_000;

/// What the captures hold.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    pub packets: u64,
    pub queries: Vec<PacketId>,
    pub responses: Vec<PacketId>,
    pub icmp_errors: Vec<PacketId>,
    pub tcp: u64,
    pub udp: u64,
    pub arp: u64,
    /// TCP or UDP packets from or to port 80 or 443.
    pub web: u64,
    /// Hosts a TCP segment was sent to on a port of DNS.
    pub tcp_dns_servers: BTreeSet<Address>,
    /// Hosts a DNS query was sent to.
    pub dns_servers: BTreeSet<Address>,
    /// DNS servers that sent any answer.
    pub answering: BTreeSet<Address>,
    /// Packets a protocol of the table claims, by its label.
    pub protocols: Vec<(&'static str, u64)>,
    pub cut: u64,
    pub stopped: u64,
    pub first_ns: Nanos,
    pub last_ns: Nanos,
    /// Transactions by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: Vec<(Outcome, u64)>,
    /// Transactions.
    pub questions: u64,
    /// What the failing clients asked, for each problem.
    pub around: Vec<Around>,
}

/// What the clients of a problem asked its service besides the failures.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Questions of the failing clients inside the windows, the failures included.
    pub asked: u64,
}

impl Inventory {
    pub fn count(input: &Input<'_>) -> Self {
        let mut found = Self { packets: u64::from(input.index.len()), ..Self::default() };
        found.scan(input.index);
        let own = |packet: PacketId| !input.evidence.is_duplicate(packet);
        for row in input.index.dns_rows().filter(|row| row.kind == DnsKind::Dns && own(row.packet)) {
            if row.is_response() {
                found.responses.push(row.packet);
            }
        }
        found.queries = input.evidence.queries().map(|(row, _)| row.packet).collect();
        found.icmp_errors =
            input.index.icmp_rows().map(|row| row.packet).filter(|packet| own(*packet)).collect();
        found.tally(input.index, input.evidence);
        found
    }

    fn scan(&mut self, index: &Index) {
        let mut protocols = [0u64; 256];
        let dns_port = |port: u16| index.settings.is_dns_port(port);
        (self.first_ns, self.last_ns) = (Nanos::MAX, Nanos::MIN);
        for segment in index.segments() {
            for time_ns in &segment.time_ns {
                self.first_ns = self.first_ns.min(*time_ns);
                self.last_ns = self.last_ns.max(*time_ns);
            }
            for protocol in &segment.protocol {
                if let Some(slot) = protocols.get_mut(usize::from(*protocol)) {
                    *slot += 1;
                }
            }
            for bits in &segment.flags {
                self.cut += u64::from(bits & flags::CUT != 0);
                self.stopped += u64::from(bits & flags::STOPPED != 0);
            }
            let ports = segment.source_port.iter().zip(&segment.destination_port);
            let rows = segment.transport.iter().zip(ports).zip(&segment.destination_address);
            for ((transport, (source, destination)), address) in rows {
                self.tcp += u64::from(*transport == 6);
                self.udp += u64::from(*transport == 17);
                let web = |port: u16| port == 80 || port == 443;
                self.web += u64::from(matches!(transport, 6 | 17) && (web(*source) || web(*destination)));
                if *transport == 6 && dns_port(*destination) && self.tcp_dns_servers.len() < DISTINCT_MAX {
                    self.tcp_dns_servers.insert(segment.address(*address));
                }
            }
        }
        if self.first_ns > self.last_ns {
            (self.first_ns, self.last_ns) = (0, 0);
        }
        self.arp = protocols.get(usize::from(ProtocolId::ARP.0)).copied().unwrap_or(0);
        for (at, count) in protocols.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.protocols.push((ProtocolId(at as u8).protocol().label, *count));
        }
        self.protocols.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    }

    fn tally(&mut self, index: &Index, evidence: &Evidence) {
        let mut outcomes = std::collections::BTreeMap::<Outcome, u64>::new();
        self.questions = evidence.transactions.len() as u64;
        for transaction in &evidence.transactions {
            *outcomes.entry(transaction.outcome).or_default() += 1;
            let Some(packet) = index.packet(transaction.first) else { continue };
            if self.dns_servers.len() < DISTINCT_MAX && evidence.unserved(transaction.first).is_none() {
                self.dns_servers.insert(packet.destination_address());
            }
            if transaction.answer.is_some() && self.answering.len() < DISTINCT_MAX {
                self.answering.insert(packet.destination_address());
            }
        }
        let around = |impact: &Impact| Around { asked: impact.asked_and_failed().0 };
        self.around = evidence.impacts().iter().take(PROBLEMS_MAX).map(around).collect();
        self.outcomes = Outcome::ALL
            .iter()
            .filter_map(|outcome| outcomes.get(outcome).map(|count| (*outcome, *count)))
            .collect();
    }

    /// All packets of the capture for a statement about the whole: each when they are few, else first and last.
    pub fn whole(&self) -> Vec<PacketId> {
        match self.packets {
            0 => Vec::new(),
            1..=24 => (0..self.packets as u32).map(PacketId).collect(),
            many => vec![PacketId(0), PacketId(many as u32 - 1)],
        }
    }
}

/// Least, median and greatest of a set of times.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub min: Nanos,
    pub median: Nanos,
    pub max: Nanos,
    pub count: usize,
}

impl Spread {
    pub fn of(mut values: Vec<Nanos>) -> Option<Self> {
        values.sort_unstable();
        let (min, max) = (*values.first()?, *values.last()?);
        Some(Self { min, median: crate::time::median(&values)?, max, count: values.len() })
    }
}

/// An error and the query it is about.
#[derive(Clone, Debug)]
pub struct Tie {
    pub error: PacketId,
    pub link: crate::correlate::Link,
}

/// The numbers of one problem.
pub struct Facts<'i> {
    pub problem: &'i Problem,
    /// Id prefix of its claims.
    pub key: String,
    pub server: Address,
    pub port: u16,
    pub transactions: Vec<&'i Transaction>,
    /// The lookups they belong to: other record types, other servers and search suffixes are one.
    pub lookups: usize,
    /// Queries sent, retries included, in order.
    pub queries: Vec<PacketId>,
    pub errors: Vec<PacketId>,
    pub answers: Vec<PacketId>,
    /// Queries, errors and answers in order.
    pub frames: Vec<PacketId>,
    /// Query types asked for, sorted.
    pub types: Vec<u16>,
    pub all_recursive: bool,
    /// Any of it was asked as applications ask (RD); else a resolver asked a zone's own servers.
    pub any_recursive: bool,
    pub ids: BTreeSet<u16>,
    pub ports: BTreeSet<u16>,
    /// Who sent the errors.
    pub senders: BTreeSet<Address>,
    pub ties: Vec<Tie>,
    /// Time between the starts of successive transactions of one episode.
    pub spacing: Option<Spread>,
    /// Which rules of a packet filter blocked all queries, where the log says so.
    pub blocked: Option<String>,
    /// Answers from other addresses than were asked, whom they came from, and how many of the transactions got one.
    pub elsewhere: (Vec<PacketId>, BTreeSet<Address>, usize),
    /// What the messages are called that are no lookups: one, and many.
    pub called: Option<(&'static str, &'static str)>,
    /// Error to the next query of the same episode.
    pub waits: Vec<(PacketId, PacketId, Nanos)>,
    /// What it did to whom, and when.
    pub impact: Option<&'i Impact>,
    /// The first answer after the last failure.
    pub recovery: Option<PacketId>,
    /// The questions are a balancer's or monitor's checks.
    pub checks: bool,
    /// Clients that sent a flood and are no users of the service.
    pub flooders: &'i [Address],
}

impl<'i> Facts<'i> {
    pub fn of(input: &Input<'i>, problem: &'i Problem, impact: Option<&'i Impact>) -> Self {
        let (index, evidence) = (input.index, input.evidence);
        let episodes: Vec<_> =
            problem.episodes.iter().filter_map(|id| evidence.episodes.get(id.0 as usize)).collect();
        let mut facts = Self {
            problem,
            key: String::new(),
            server: problem.server.0,
            port: problem.server.1,
            transactions: Vec::new(),
            lookups: 0,
            queries: Vec::new(),
            errors: Vec::new(),
            answers: Vec::new(),
            frames: Vec::new(),
            types: Vec::new(),
            all_recursive: true,
            any_recursive: false,
            ids: BTreeSet::new(),
            ports: BTreeSet::new(),
            senders: BTreeSet::new(),
            ties: Vec::new(),
            spacing: None,
            called: None,
            blocked: None,
            elsewhere: (Vec::new(), BTreeSet::new(), 0),
            waits: Vec::new(),
            impact,
            recovery: impact.and_then(|i| i.windows.last()?.first_good).map(|mark| mark.packet),
            checks: false,
            flooders: &[],
        };
        let mut spacing = Vec::new();
        for episode in &episodes {
            let own: Vec<&Transaction> =
                episode.transactions.iter().filter_map(|id| evidence.transaction(*id)).collect();
            facts.answers.extend(own.iter().filter_map(|transaction| transaction.answer));
            spacing.extend(own.windows(2).filter_map(|pair| match pair {
                [before, after] => evidence.between_ns(before.first, after.first),
                _ => None,
            }));
            facts.errors.extend(&episode.errors);
            let queries: Vec<PacketId> = episode
                .frames
                .iter()
                .copied()
                .filter(|id| index.packet(*id).is_some_and(|packet| packet.flags() & flags::DNS_QUERY != 0))
                .collect();
            for error in &episode.errors {
                let at = queries.partition_point(|query| query < error);
                if let Some(next) = queries.get(at)
                    && let Some(wait_ns) = evidence.between_ns(*error, *next)
                {
                    facts.waits.push((*error, *next, wait_ns));
                }
            }
            facts.queries.extend(queries);
            facts.transactions.extend(own);
            facts.frames.extend(&episode.frames);
        }
        let lookups = evidence.lookups(index);
        let of = |id: &crate::correlate::TransactionId| lookups.of(*id);
        let of: BTreeSet<_> = episodes.iter().flat_map(|e| &e.transactions).filter_map(of).collect();
        facts.lookups = of.len();
        spacing.retain(|gap| *gap >= SIBLING_NS);
        facts.spacing = Spread::of(spacing);
        facts.complete(input);
        facts
    }

    /// From the first frame to the last; `None` where it cannot be told.
    pub fn lasted_ns(&self, evidence: &Evidence) -> Option<Nanos> {
        let timed = evidence.between_ns(*self.frames.first()?, *self.frames.last()?).is_some();
        timed.then(|| self.problem.last_ns - self.problem.first_ns).filter(|span_ns| *span_ns >= 0)
    }

    fn complete(&mut self, input: &Input<'i>) {
        self.frames.extend(&self.answers);
        for list in [&mut self.queries, &mut self.errors, &mut self.answers, &mut self.frames] {
            list.sort_unstable();
            list.dedup();
        }
        self.key = format!(
            "problem.{}",
            self.frames.first().map_or_else(|| "none".to_owned(), |first| input.index.label(*first))
        );
        self.blocked = blocks::by(input.index, &self.queries);
        let mut types = BTreeSet::new();
        for query in &self.queries {
            let Some(packet) = input.index.packet(*query) else { continue };
            let Some(row) = packet.dns() else { continue };
            types.extend(row.asked_type());
            // Where a line does not print it, it is not said.
            let is_told = packet.printed().and_then(|line| line.dns).is_none_or(|own| own.tells_recursion);
            self.all_recursive &= row.header.recursion_desired() && is_told;
            self.any_recursive |= row.header.recursion_desired();
            if self.ids.len() < DISTINCT_MAX {
                self.ids.insert(row.header.id);
                self.ports.insert(packet.source_port());
            }
        }
        let pairs: Vec<(PacketId, PacketId)> = input.evidence.misaddressed(&self.queries).collect();
        let from = pairs.iter().filter_map(|(answer, _)| Some(input.index.packet(*answer)?.source_address()));
        let asked: BTreeSet<_> =
            pairs.iter().filter_map(|(_, query)| input.evidence.transaction_of(*query)).collect();
        self.elsewhere = (pairs.iter().map(|(answer, _)| *answer).collect(), from.collect(), asked.len());
        self.called = rules::called(input.index, self.transactions.iter().copied());
        self.types = types.into_iter().take(DISTINCT_MAX).collect();
        for error in &self.errors {
            if let Some(packet) = input.index.packet(*error) {
                self.senders.insert(packet.source_address());
            }
            for link in input.evidence.links_from(*error) {
                if link.kind == LinkKind::ErrorAbout {
                    self.ties.push(Tie { error: *error, link });
                }
            }
        }
    }

    /// The failure in a few words, as titles and tables have it.
    pub fn fate(&self) -> String {
        if self.is_answered_elsewhere() {
            return "answered from another address than was asked".to_owned();
        }
        super::words::signature(&self.problem.signature)
    }

    /// Whether each question that is called unanswered was answered from another address than was asked.
    pub fn is_answered_elsewhere(&self) -> bool {
        self.problem.signature == Signature::NoAnswer
            && self.elsewhere.2 > 0
            && self.elsewhere.2 >= self.transactions.len()
    }

    /// The addresses that answered instead.
    pub fn answered_by(&self) -> String {
        let all: Vec<String> = self.elsewhere.1.iter().map(ToString::to_string).collect();
        super::words::list(&all, 3)
    }

    /// The clients that failed, without those that sent a flood.
    pub fn users(&self) -> Vec<&'i Client> {
        let all = self.impact.map(|impact| impact.clients.as_slice()).unwrap_or_default();
        all.iter().filter(|client| !self.flooders.contains(&client.address)).collect()
    }

    /// Transactions that met an ICMP error.
    pub fn refused(&self) -> usize {
        self.transactions.iter().filter(|transaction| transaction.error.is_some()).count()
    }

    /// Whether the failures are ICMP errors sent from the server's own address.
    pub fn is_from_server_itself(&self) -> bool {
        self.is_icmp() && self.senders.len() == 1 && self.senders.contains(&self.server)
    }

    /// Whether the failures are ICMP errors.
    pub fn is_icmp(&self) -> bool {
        matches!(self.problem.signature, Signature::Icmp { .. })
    }

    /// Whether the failures are port-unreachable errors (ICMP 3/3, ICMPv6 1/4).
    pub fn is_port_unreachable(&self) -> bool {
        matches!(
            self.problem.signature,
            Signature::Icmp { v6: false, kind: 3, code: 3 } | Signature::Icmp { v6: true, kind: 1, code: 4 }
        )
    }

    /// The last frame of the problem.
    pub fn last(&self) -> Option<PacketId> {
        self.frames.last().copied()
    }
}
