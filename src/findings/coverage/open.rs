//! Finds what is seen and not assessed: each source of evidence in turn, joined by kind and ends.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::explained::{Explained, is_served};
use super::judged::is_printed_exchange;
use super::{Ends, OpenItem, OpenKind};
use crate::attempts::datagrams::TRACE_TTL_MAX;
use crate::attempts::{self, Face};
use crate::correlate::lookups::LookupId;
use crate::correlate::{Outcome, TransactionId};
use crate::decode::Address;
use crate::findings::facts::runs::Wanted;
use crate::findings::facts::{ErrorFact, Facts, Meaning};
use crate::findings::{path_size, rules};
use crate::index::PacketId;
use crate::index::segment::flags;
use crate::time::Nanos;

/// Things kept apart by their ends; further ones of a kind are joined.
const GROUPS_MAX: usize = 4_096;
/// Things of one kind that are told apart in the list.
const LISTED_MAX: usize = 12;
/// Frames named of one thing.
const FRAMES_MAX: usize = 256;
/// Clients counted of one thing; there may be more.
pub(super) const CLIENTS_MAX: usize = 1_024;
/// A served attempt of the same client at the same service this soon makes a failed one ordinary (services §1.1).
const GROUP_NS: Nanos = 3_000_000_000;
/// The things found so far.
pub(super) struct Items<'f, 'i> {
    facts: &'f Facts<'i>,
    groups: BTreeMap<(OpenKind, Ends), Group>,
}

#[derive(Default)]
struct Group {
    count: u64,
    clients: HashSet<Address>,
    frames: Vec<PacketId>,
    unnamed: u64,
    span_ns: Option<(Nanos, Nanos)>,
}

impl<'f, 'i> Items<'f, 'i> {
    pub(super) fn new(facts: &'f Facts<'i>) -> Self {
        Self { facts, groups: BTreeMap::new() }
    }

    /// Notes one thing and the frames that show it.
    fn add(&mut self, kind: OpenKind, ends: Ends, frames: &[PacketId]) {
        self.count(kind, ends, frames, 1);
    }

    fn count(&mut self, kind: OpenKind, ends: Ends, frames: &[PacketId], number: u64) {
        let client = ends.client;
        let mut key = (kind, Ends { client: Address::None, ..ends });
        if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&key) {
            key.1 = Ends::default();
        }
        let group = self.groups.entry(key).or_default();
        group.count += number;
        if client != Address::None && group.clients.len() < CLIENTS_MAX {
            group.clients.insert(client);
        }
        for frame in frames {
            let at_ns = self.facts.time(*frame);
            let (first_ns, last_ns) = group.span_ns.unwrap_or((at_ns, at_ns));
            group.span_ns = Some((first_ns.min(at_ns), last_ns.max(at_ns)));
            if group.frames.len() < FRAMES_MAX {
                group.frames.push(*frame);
            } else {
                group.unnamed += 1;
            }
        }
    }

    /// The list: the open first, each kind by how often it was seen, rare ones of many joined.
    pub(super) fn finish(self) -> Vec<OpenItem> {
        let facts = self.facts;
        let mut by_kind: BTreeMap<OpenKind, Vec<(Ends, Group)>> = BTreeMap::new();
        for ((kind, ends), group) in self.groups {
            by_kind.entry(kind).or_default().push((ends, group));
        }
        let mut items = Vec::new();
        for (kind, mut groups) in by_kind {
            groups.sort_by_key(|(ends, group)| (std::cmp::Reverse(group.count), *ends));
            let mut rest = Group::default();
            for (at, (ends, group)) in groups.into_iter().enumerate() {
                if at < LISTED_MAX {
                    items.push(item(facts, kind, ends, group));
                } else {
                    rest.join(group);
                }
            }
            if rest.count > 0 {
                items.push(item(facts, kind, Ends::default(), rest));
            }
        }
        items.sort_by_key(|item| item.kind.standing());
        items
    }
}

impl Group {
    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.clients.extend(other.clients);
        self.frames.extend(other.frames);
        self.unnamed += other.unnamed + self.frames.len().saturating_sub(FRAMES_MAX) as u64;
        self.frames.truncate(FRAMES_MAX);
        self.span_ns = match (self.span_ns, other.span_ns) {
            (Some(own), Some(also)) => Some((own.0.min(also.0), own.1.max(also.1))),
            (own, also) => own.or(also),
        };
    }
}

fn item(facts: &Facts<'_>, kind: OpenKind, ends: Ends, mut group: Group) -> OpenItem {
    group.frames.sort_unstable();
    group.frames.dedup();
    let (first_ns, last_ns) = group.span_ns.unwrap_or_default();
    let client = match group.clients.len() {
        1 => group.clients.iter().next().copied().unwrap_or_default(),
        _ => Address::None,
    };
    OpenItem {
        kind,
        ends: Ends { client, ..ends },
        clients: group.clients.len() as u64,
        count: group.count,
        filter: if group.frames.is_empty() {
            String::new()
        } else {
            rules::frames_filter(facts, &group.frames)
        },
        frames: group.frames,
        unnamed: group.unnamed,
        first_ns,
        last_ns,
    }
}

/// Looks at each source of evidence.
pub(super) fn collect(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    record(facts, items);
    lookups(facts, explained, items);
    errors(facts, explained, items);
    attempts(facts, explained, items);
    neighbours(facts, explained, items);
    let followed = facts.attempts;
    let unseen = [
        (OpenKind::Encrypted, &followed.encrypted),
        (OpenKind::Begun, &followed.strangers),
        (OpenKind::Unprinted, &followed.unprinted),
        (OpenKind::Notices, &followed.notices),
        (OpenKind::OneWay, &followed.one_way),
    ];
    // What an ICMP error is about did arrive where that came from.
    let mut about: HashSet<PacketId> = facts.errors.iter().filter_map(|error| error.about).collect();
    // So did what something came back to.
    let answered = facts.attempts.all.iter().filter(|own| is_printed_exchange(facts, own));
    about.extend(answered.flat_map(|own| [own.first.packet, own.last.packet]));
    for (kind, unseen) in unseen {
        let left: Vec<PacketId> = match kind {
            OpenKind::Notices | OpenKind::OneWay => {
                unseen.packets.iter().filter(|packet| !about.contains(packet)).copied().collect()
            }
            _ => unseen.packets.clone(),
        };
        let left = if kind == OpenKind::OneWay { unshown(facts, left, items) } else { left };
        let count = unseen.count - (unseen.packets.len() - left.len()) as u64;
        if count > 0 {
            items.count(kind, Ends::default(), &left, count);
        }
    }
}

/// Packets among which what came back is looked for.
const UNSHOWN_LOOKED_AT_MAX: u32 = 1 << 20;

/// Tells of datagrams to DNS servers whose message is not shown and for which nothing came back; gives the others.
fn unshown(facts: &Facts<'_>, packets: Vec<PacketId>, items: &mut Items<'_, '_>) -> Vec<PacketId> {
    let ends = |id: PacketId| {
        let packet = facts.index.packet(id)?;
        let from = (packet.source_address(), packet.source_port());
        Some((from, (packet.destination_address(), packet.destination_port())))
    };
    let is_asked = |id: &PacketId| ends(*id).filter(|(_, to)| facts.is_dns_port(to.1));
    if !packets.iter().any(|id| is_asked(id).is_some()) {
        return packets;
    }
    let all = (0..facts.index.len().min(UNSHOWN_LOOKED_AT_MAX)).map(PacketId);
    let heard: HashSet<_> = all.filter_map(ends).filter(|(from, _)| facts.is_dns_port(from.1)).collect();
    let is_unheard = |id: &PacketId| is_asked(id).filter(|(from, to)| !heard.contains(&(*to, *from)));
    let mut left = Vec::new();
    for id in packets {
        match is_unheard(&id) {
            Some((from, (server, port))) => {
                let ends = Ends { client: from.0, server, port, transport: UDP, sender: Address::None };
                items.add(OpenKind::Unshown, ends, &[id]);
            }
            None => left.push(id),
        }
    }
    left
}

/// Packets that were not read, not captured whole, or lost while capturing.
fn record(facts: &Facts<'_>, items: &mut Items<'_, '_>) {
    for segment in facts.index.segments() {
        for (row, bits) in segment.flags.iter().enumerate() {
            if bits & (flags::STOPPED | flags::CUT) == 0 {
                continue;
            }
            let id = PacketId(segment.base.0 + row as u32);
            if bits & flags::STOPPED != 0 {
                items.add(OpenKind::Unread(unread_because(facts, id)), Ends::default(), &[id]);
            } else {
                items.add(OpenKind::Cut, Ends::default(), &[id]);
            }
        }
    }
    let left_out = facts.attempts.left_out;
    if left_out > 0 {
        items.count(OpenKind::NotFollowed, Ends::default(), &[], left_out);
    }
    for source in &facts.index.sources {
        let metadata = &source.metadata;
        for (kind, lost) in [(OpenKind::Dropped, metadata.dropped()), (OpenKind::Unparsed, metadata.unread)] {
            if lost > 0 {
                items.count(kind, Ends::default(), &[], lost);
            }
        }
    }
}

fn unread_because(facts: &Facts<'_>, id: PacketId) -> &'static str {
    let stopped = facts.index.packet(id).and_then(|packet| packet.decode().stopped);
    stopped.map_or("the message is malformed or cut", |stop| stop.reason)
}

/// Lookups without a usable answer that nobody was served for and no failure holds.
fn lookups(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    let all = &facts.evidence.transactions;
    let left: Vec<TransactionId> = (0..all.len() as u32)
        .map(TransactionId)
        .zip(all)
        .filter(|(id, transaction)| !is_served(transaction) && !explained.has_failure(*id))
        .map(|(id, _)| id)
        .collect();
    if left.is_empty() {
        return;
    }
    let lookups = facts.evidence.lookups(facts.index);
    let concerned: HashSet<LookupId> = left.iter().filter_map(|id| lookups.of(*id)).collect();
    let served = (0..all.len() as u32).map(TransactionId).zip(all).filter(|(_, t)| is_served(t));
    let served: HashSet<LookupId> =
        served.filter_map(|(id, _)| lookups.of(id)).filter(|lookup| concerned.contains(lookup)).collect();
    for id in left {
        let Some(transaction) = facts.evidence.transaction(id) else { continue };
        if lookups.of(id).is_some_and(|lookup| served.contains(&lookup))
            || explained.has(transaction.first)
            || facts.evidence.unserved(transaction.last).is_some()
            || transaction.answer.is_some_and(|answer| explained.has(answer))
        {
            continue;
        }
        let Some(first) = facts.index.packet(transaction.first) else { continue };
        let ends = Ends {
            client: first.source_address(),
            server: first.destination_address(),
            port: first.destination_port(),
            transport: first.transport(),
            sender: Address::None,
        };
        let kind = match transaction.outcome {
            Outcome::Undetermined => OpenKind::Undetermined,
            _ => OpenKind::Unserved,
        };
        items.add(kind, ends, &[transaction.first]);
    }
}

/// ICMP errors that no failure and no finding holds.
fn errors(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    let ignored = path_size::ignored(facts);
    let traced = Traced::of(facts);
    let is_told = |error: &ErrorFact| {
        error.quoted.is_some_and(|quoted| {
            let (host, port) = quoted.destination;
            let service = attempts::Service { host, transport: quoted.transport, port };
            let (from, source_port) = quoted.source;
            // Answers refused by a client that had given up belong to what it asked for.
            let back = attempts::Service { host: from, transport: quoted.transport, port: source_port };
            facts.sweeps.iter().any(|sweep| sweep.client == from && sweep.targets.contains(&host))
                || facts.troubles.cover(service, from, error.time_ns)
                || facts.troubles.cover(back, host, error.time_ns)
        })
    };
    for error in facts.errors.iter().filter(|error| !explained.has_error(error) && !is_told(error)) {
        if let Some(ends) = traced.ended_by(facts, error) {
            items.add(OpenKind::Traced, ends, &[error.packet]);
            continue;
        }
        if is_leased(facts, error) {
            let ends = Ends { client: error.destination, sender: error.source, ..Ends::default() };
            items.add(OpenKind::Leased, ends, &[error.packet]);
            continue;
        }
        let is_finished = error.quoted.is_some_and(|quoted| {
            facts.attempts.finished.contains(&(quoted.source, quoted.destination))
                || facts.attempts.finished.contains(&(quoted.destination, quoted.source))
        });
        let kind = match error.icmp {
            _ if is_finished && error.meaning == Meaning::PortUnreachable => OpenKind::Finished,
            (5, _, false) | (137, _, true) => OpenKind::Redirect,
            _ if error.meaning == Meaning::TooBig && !ignored.iter().any(|told| told.shows(error.packet)) => {
                OpenKind::PathSize
            }
            _ => OpenKind::Error(error.meaning),
        };
        let ends = Ends {
            client: error.quoted.map_or(error.destination, |quoted| quoted.source.0),
            server: error.refused_destination().unwrap_or_default(),
            port: error.quoted.map_or(0, |quoted| quoted.destination.1),
            transport: error.quoted.map_or(0, |quoted| quoted.transport),
            sender: error.source,
        };
        items.add(kind, ends, &[error.packet]);
    }
    for error in facts.errors.iter().filter(|error| explained.is_further(error)) {
        let ends = Ends {
            client: error.quoted.map_or(error.destination, |quoted| quoted.source.0),
            server: error.refused_destination().unwrap_or_default(),
            transport: error.quoted.map_or(0, |quoted| quoted.transport),
            sender: error.source,
            port: 0,
        };
        items.add(OpenKind::Further, ends, &[error.packet]);
    }
    let copies = facts.evidence.duplicates().len();
    let rows = facts.index.icmp_rows().count();
    let beyond = rows.saturating_sub(facts.errors.len() + copies);
    if facts.errors.len() >= crate::findings::facts::errors::ERRORS_MAX && beyond > 0 && !explained.is_capped
    {
        items.count(OpenKind::Error(Meaning::Other), Ends::default(), &[], beyond as u64);
    }
}

/// Ports that traceroute counts up from (33434 and the 255 after it).
const TRACED_PORTS: std::ops::RangeInclusive<u16> = 33434..=33689;
/// Ports up to this one are those of services (RFC 6335 §6): a trace goes to others.
const SYSTEM_PORT_MAX: u16 = 1023;

/// Paths that were traced: hosts to which datagrams were sent that ran out of hops on the way, with who sent them.
struct Traced(HashSet<(Address, Address)>);

impl Traced {
    fn of(facts: &Facts<'_>) -> Self {
        let on_the_way = facts.errors.iter().filter(|error| error.meaning == Meaning::HopsExceeded);
        let quoted = on_the_way.filter_map(|error| error.quoted).filter(|quoted| quoted.transport == UDP);
        Self(quoted.map(|quoted| (quoted.source.0, quoted.destination.0)).collect())
    }

    /// Who is concerned where an error is the goal's own answer to a probe.
    fn ended_by(&self, facts: &Facts<'_>, error: &ErrorFact) -> Option<Ends> {
        let quoted = error.quoted.filter(|quoted| quoted.transport == UDP)?;
        let (from, (to, port)) = (quoted.source.0, quoted.destination);
        // Probes of a trace go to ports of no service, or leave with few hops.
        let hops = error.about.and_then(|about| facts.index.packet(about)).map_or(0, |about| about.ttl());
        let is_probe = port > SYSTEM_PORT_MAX || (1..=TRACE_TTL_MAX).contains(&hops);
        let to_no_service = is_probe && !facts.is_dns_port(port);
        let ends = error.meaning == Meaning::PortUnreachable
            && error.source == to
            && (TRACED_PORTS.contains(&port) || to_no_service && self.0.contains(&(from, to)));
        ends.then_some(Ends { client: from, server: to, port: 0, transport: UDP, sender: error.source })
    }
}

/// Whether an error is about a reply of DHCP to a client that was given an address (RFC 2131 §4.1).
fn is_leased(facts: &Facts<'_>, error: &ErrorFact) -> bool {
    let Some(quoted) = error.quoted.filter(|quoted| quoted.transport == UDP) else { return false };
    (quoted.source.1, quoted.destination.1) == (67, 68) && facts.given.has(quoted.destination.0)
}

/// The IP protocol number of UDP.
const UDP: u8 = 17;

/// Attempts at services beside DNS that failed and that no trouble tells of, and those whose end cannot be told.
fn attempts(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    let all = &facts.attempts.all;
    let told: HashSet<u32> =
        facts.troubles.all.iter().flat_map(|trouble| trouble.failed.iter().copied()).collect();
    let swept = facts.sweeps.iter().flat_map(|sweep| sweep.failed.iter().copied());
    let told: HashSet<u32> = told.into_iter().chain(swept).collect();
    let mut served: BTreeMap<(Address, attempts::Service), Vec<Nanos>> = BTreeMap::new();
    let mut serving: HashSet<attempts::Service> = HashSet::new();
    for own in all.iter().filter(|own| own.outcome == attempts::Outcome::Answered) {
        served.entry((own.client.0, own.service)).or_default().push(own.first.time_ns);
        serving.insert(own.service);
    }
    // Single ones are ordinary, not what befalls a tenth of all.
    let mut asked: HashMap<attempts::Service, usize> = HashMap::new();
    let mut alike: HashMap<(attempts::Service, attempts::Outcome), usize> = HashMap::new();
    for own in all {
        *asked.entry(own.service).or_default() += 1;
        *alike.entry((own.service, own.outcome.plain())).or_default() += 1;
    }
    let is_single = |own: &attempts::Attempt| {
        let number = alike.get(&(own.service, own.outcome.plain())).copied().unwrap_or(0);
        let all = asked.get(&own.service).copied().unwrap_or(0);
        number <= SINGLE_MAX || number * SINGLE_ONE_IN <= all
    };
    let races = Races::of(all);
    let unheard = unheard(facts);
    for (at, own) in all.iter().enumerate() {
        let frames = own.frames();
        if told.contains(&(at as u32)) || frames.iter().any(|packet| explained.has(*packet)) {
            continue;
        }
        let rescued = served.get(&(own.client.0, own.service)).is_some_and(|times| {
            let next = times.partition_point(|time_ns| *time_ns < own.first.time_ns);
            times.get(next).is_some_and(|time_ns| time_ns - own.first.time_ns <= GROUP_NS)
        });
        let ends = Ends {
            client: own.client.0,
            server: own.service.host,
            port: own.service.port,
            transport: own.service.transport,
            sender: Address::None,
        };
        let outcome = own.outcome.plain();
        let kind = match outcome {
            attempts::Outcome::OneDirection
            | attempts::Outcome::Undetermined
            | attempts::Outcome::NoReply
                if own.tries == 1 && races.lost(own) =>
            {
                OpenKind::Raced
            }
            attempts::Outcome::OneDirection => OpenKind::OneDirection,
            attempts::Outcome::Undetermined if own.service.transport == 6 => {
                let is_over =
                    facts.attempts.connection(own).is_some_and(crate::connections::Connection::is_over);
                if is_over { OpenKind::Left } else { OpenKind::Unfinished }
            }
            attempts::Outcome::Undetermined if unheard.contains(&(own.client.0, own.service)) => {
                OpenKind::Few(own.kind, attempts::Outcome::NoReply)
            }
            _ if outcome.face().is_none() || rescued && outcome.face() == Some(Face::Unreached) => continue,
            // So are slips of people, and mail that is to come again.
            _ if serving.contains(&own.service)
                && (matches!(outcome.face(), Some(Face::Cut | Face::Tls)) && is_single(own)
                    || matches!(outcome, attempts::Outcome::Denied(_))
                    || matches!(outcome, attempts::Outcome::Fails(_))
                        && own.kind == attempts::Kind::Smtp) =>
            {
                OpenKind::Single(own.kind, outcome)
            }
            _ => OpenKind::Few(own.kind, outcome),
        };
        items.add(kind, ends, &frames);
    }
}

/// Requests over UDP that a server left without answer, none of them answered, from which on nothing tells that it serves.
const UNHEARD_MIN: u32 = 2;

/// The capture must outlast each of them by this.
const UNHEARD_NS: Nanos = 1_000_000_000;

/// Servers from which nothing came back for several requests over UDP, by who asked, where the capture ends, or stops between files,
/// too soon to call each of them silent: that another server of the service answers says nothing of this one.
fn unheard(facts: &Facts<'_>) -> HashSet<(Address, attempts::Service)> {
    let (_, end_ns) = facts.span();
    let mut asked: HashMap<(Address, attempts::Service), (u32, bool)> = HashMap::new();
    for own in facts.attempts.all.iter().filter(|own| own.service.transport == UDP && own.kind.answers()) {
        let (left, is_heard) = asked.entry((own.client.0, own.service)).or_default();
        *is_heard |= own.outcome != attempts::Outcome::Undetermined || own.counts.1 > 0;
        *left += u32::from(end_ns - own.last.time_ns >= UNHEARD_NS);
    }
    asked.retain(|_, (left, is_heard)| !*is_heard && *left >= UNHEARD_MIN);
    asked.into_keys().collect()
}

/// So many of one kind are single ones.
const SINGLE_MAX: usize = 3;
/// Or one in so many.
const SINGLE_ONE_IN: usize = 10;

/// A client tries the other family this soon before or after the first (RFC 8305 §5: 250 ms).
const RACE_NS: Nanos = 600_000_000;

/// Connections that were served, by port and in order: with them others of the other family may have raced.
struct Races<'a>(BTreeMap<u16, Vec<&'a attempts::Attempt>>);

impl<'a> Races<'a> {
    fn of(all: &'a [attempts::Attempt]) -> Self {
        let mut by_port: BTreeMap<u16, Vec<&attempts::Attempt>> = BTreeMap::new();
        for own in all.iter().filter(|own| own.service.transport == 6 && own.outcome.is_served()) {
            by_port.entry(own.service.port).or_default().push(own);
        }
        for own in by_port.values_mut() {
            own.sort_by_key(|own| own.first.time_ns);
        }
        Self(by_port)
    }

    /// Whether a connection of the other family to the same port began close to this one and was served, of one client alone.
    fn lost(&self, own: &attempts::Attempt) -> bool {
        let all = self.0.get(&own.service.port).map(Vec::as_slice).unwrap_or_default();
        let from = all.partition_point(|other| other.first.time_ns < own.first.time_ns - RACE_NS);
        let near =
            all.iter().skip(from).take_while(|other| other.first.time_ns <= own.first.time_ns + RACE_NS);
        let others: HashSet<Address> = near
            .filter(|other| {
                own.service.transport == 6
                    && other.client.0.is_v6() != own.client.0.is_v6()
                    && other.service.host.is_v6() != own.service.host.is_v6()
            })
            .map(|other| other.client.0)
            .collect();
        others.len() == 1
    }
}

/// Runs of requests for link addresses. Where the asker does other things and nobody ever answered for the address, it is
/// one that is not in use: ordinary (services §1.8).
fn neighbours(facts: &Facts<'_>, explained: &Explained<'_, '_>, items: &mut Items<'_, '_>) {
    for run in &facts.runs {
        let is_swept = facts.sweeps.iter().any(|sweep| sweep.targets.contains(&run.target));
        let matters =
            !is_swept && (run.asks_only || run.last_sign.is_some() || run.wanted != Wanted::Unknown);
        if matters && !run.requests.iter().any(|packet| explained.has(*packet)) {
            let ends = Ends { client: run.asker, server: run.target, ..Ends::default() };
            items.count(OpenKind::Neighbour, ends, &run.requests, run.requests.len() as u64);
        }
    }
    let matters = |target: &Address| {
        facts.sweeps.iter().any(|sweep| sweep.targets.contains(target))
            || facts.runs.iter().any(|run| {
                run.target == *target
                    && (run.asks_only || run.last_sign.is_some() || run.wanted != Wanted::Unknown)
            })
    };
    for (target, requests) in &facts.unheard {
        if !matters(target) && !requests.iter().any(|packet| explained.has(*packet)) {
            items.count(OpenKind::Unused, Ends::default(), requests, requests.len() as u64);
        }
    }
    for (address, claims) in &facts.moved {
        if !claims.iter().any(|packet| explained.has(*packet)) {
            items.count(OpenKind::Moved, Ends { server: *address, ..Ends::default() }, claims, 1);
        }
    }
}
