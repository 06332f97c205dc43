//! Measures how far the clocks of several files are apart, by DNS messages, handshakes, pings and other datagrams that two of them hold.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::decode::{Decoded, Transport};
use crate::index::segment::flags;
use crate::index::{Index, Input, Packet, PacketId, Plan, Progress, Segment, SourceId};
use crate::settings::Settings;
use crate::time::Nanos;

/// Of up to this many files each is compared with all before it.
const ALL_COMPARED_MAX: usize = 64;
/// Of more, files remembered that hold a message: those after them are found by other messages.
const HOLDERS_MAX: usize = 8;
/// Messages of one file that are compared.
const MESSAGES_MAX: usize = 100_000;
/// Messages of each direction that two files must share.
const SHARED_MIN: usize = 3;
/// Clocks nearer than this are taken for one: nothing is read out of less.
const APART_NS: Nanos = 20_000_000;
/// No way between two places takes a packet this long: clocks are apart even where only one direction is shared.
const ONE_WAY_NS: Nanos = 1_000_000_000;
/// Packets of one file that are looked at for handshakes, pings and datagrams.
const LOOKED_MAX: usize = 500_000;
/// Flag bits of TCP (RFC 9293 §3.1).
const SYN: u8 = 2;
const ACK: u8 = 16;
/// Datagrams shorter than this may be alike by chance.
const DATAGRAM_MIN_BYTES: usize = 12;
/// IP protocol number of UDP.
const UDP: u8 = 17;
/// Bytes of an echo message that are compared, from its sequence number on; short captures hold no more.
const ECHO_BYTES: usize = 24;
/// The middle half of the differences of one direction spreads no more than this, or a tenth of the middle one.
const SPREAD_NS: Nanos = 5_000_000;

/// Corrections are made of whole ones: more digits in every time would say nothing.
const MICROSECOND_NS: Nanos = 1_000;

/// How the clock of one file stands to that of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// The file whose clock is measured.
    pub source: SourceId,
    /// The file it is compared with.
    pub reference: SourceId,
    /// How far its clock is ahead.
    pub ahead_ns: Nanos,
    /// The messages both hold.
    pub messages: usize,
}

impl Apart {
    /// Whether the two are so far apart that it would be taken for a wait or change the order of events.
    pub fn matters(&self) -> bool {
        self.ahead_ns.abs() >= APART_NS
    }
}

/// What a message keeps on its way, whatever a translator makes of addresses and ports: for DNS id, question and direction; for a TCP
/// handshake its first numbers; for an echo message its sequence number and content; for other datagrams what they carry.
type Key = (u64, bool);

/// The messages of one file, with the time of those that were seen once.
type Seen = HashMap<Key, Option<Nanos>, foldhash::fast::FixedState>;

/// Compares each file with the first one before it that shares messages with it.
pub fn measure(index: &Index) -> Vec<Apart> {
    let mut sources: Vec<Seen> = vec![Seen::default(); index.sources.len()];
    if sources.len() < 2 {
        return Vec::new();
    }
    for segment in index.segments() {
        let Some(own) = sources.get_mut(segment.source.place()) else { continue };
        for row in &segment.dns {
            let at = segment.time_ns.get((row.packet.0 - segment.base.0) as usize);
            if row.question != 0 {
                let hash = foldhash::fast::FixedState::default().hash_one((row.header.id, row.question));
                note(own, (hash, row.is_response()), at.copied());
            }
        }
    }
    let (mut found, alone): (Vec<_>, Vec<_>) =
        compare_all(&sources, |_| true).into_iter().partition(|(_, apart)| apart.is_some());
    // Where DNS tells nothing, the first packets of connections and pings may.
    if alone.len() > 1 {
        let mut others: Vec<Seen> = vec![Seen::default(); sources.len()];
        for segments in index.segments().chunk_by(|one, next| one.source == next.source) {
            if let Some(own) = segments.first().and_then(|first| others.get_mut(first.source.place())) {
                beside_dns(index, segments, own);
            }
        }
        let is_alone = |at: usize| alone.binary_search_by_key(&at, |(at, _)| *at).is_ok();
        found.extend(compare_all(&others, is_alone));
    }
    found.sort_unstable_by_key(|(at, _)| *at);
    found.into_iter().filter_map(|(_, apart)| apart).collect()
}

/// Compares the files wanted with those before them: each by position with what was measured.
fn compare_all(sources: &[Seen], is_wanted: impl Fn(usize) -> bool) -> Vec<(usize, Option<Apart>)> {
    let mut holders: HashMap<Key, Vec<u32>, foldhash::fast::FixedState> = HashMap::default();
    let mut compared = Vec::new();
    for (at, own) in sources.iter().enumerate() {
        let known = || own.iter().filter(|(_, time_ns)| time_ns.is_some()).map(|(key, _)| *key);
        if is_wanted(at) {
            // Of few files all are compared; of many those that hold some of the same.
            let candidates: Vec<u32> = if sources.len() <= ALL_COMPARED_MAX {
                (0..at as u32).collect()
            } else {
                let mut shared: Vec<u32> =
                    known().filter_map(|key| holders.get(&key)).flatten().copied().collect();
                shared.sort_unstable();
                let runs = shared.chunk_by(|one, next| one == next);
                runs.filter(|run| run.len() >= SHARED_MIN).filter_map(|run| run.first().copied()).collect()
            };
            let mut before = candidates.into_iter().map(|other| other as usize);
            let compare = |other| compare((at, own), (other, sources.get(other)?));
            compared.push((at, before.find_map(compare)));
        }
        if sources.len() > ALL_COMPARED_MAX {
            for key in known() {
                let held = holders.entry(key).or_default();
                if held.len() < HOLDERS_MAX {
                    held.push(at as u32);
                }
            }
        }
    }
    compared
}

/// What was sent twice is no measure.
fn note(own: &mut Seen, key: Key, time_ns: Option<Nanos>) {
    if own.len() < MESSAGES_MAX {
        own.entry(key).and_modify(|known| *known = None).or_insert(time_ns);
    }
}

/// TCP handshakes, echo messages and datagrams of a file.
fn beside_dns(index: &Index, segments: &[Arc<Segment>], own: &mut Seen) {
    let ids = segments.iter().flat_map(|segment| {
        // The columns tell what is worth reading again: the first packets of connections, and ICMP.
        let opens = |row: &usize| match segment.transport.get(*row) {
            Some(6) => segment.tcp_flags.get(*row).is_some_and(|bits| bits & SYN != 0),
            Some(1 | 58) => true,
            Some(&UDP) => {
                let bits = segment.flags.get(*row).copied().unwrap_or_default();
                bits & (flags::DNS_QUERY | flags::DNS_RESPONSE) == 0
            }
            _ => false,
        };
        (0..segment.len()).filter(opens).map(|row| PacketId(segment.base.0 + row as u32))
    });
    let packets = ids.take(LOOKED_MAX).filter_map(|id| index.packet(id));
    for packet in packets.filter(|packet| !packet.is_text()) {
        let key = match packet.transport() {
            UDP => datagram(&packet),
            _ => key_of(&packet.decode()),
        };
        if let Some(key) = key {
            note(own, key, Some(packet.time_ns()));
        }
    }
}

fn key_of(decoded: &Decoded<'_>) -> Option<Key> {
    let hash = |told: (u32, u32, &[u8])| foldhash::fast::FixedState::default().hash_one(told);
    match (&decoded.transport, decoded.icmp()) {
        (Transport::Tcp { sequence, acknowledgment, flags, .. }, _) if flags & SYN != 0 => {
            let accepts = flags & ACK != 0;
            Some((hash((*sequence, if accepts { *acknowledgment } else { 0 }, &[])), accepts))
        }
        (_, Some((kind @ (0 | 8 | 128 | 129), 0))) => {
            // A translator changes the checksum and the identifier.
            let message = decoded.bytes.get(decoded.transport_start as usize + 6..)?;
            let content = message.get(..message.len().min(ECHO_BYTES))?;
            Some((hash((1, 0, content)), matches!(kind, 0 | 129)))
        }
        _ => None,
    }
}

/// What any other datagram keeps on its way: what it carries. Its direction is told by its ports, of equal ones by its addresses.
fn datagram(packet: &Packet<'_>) -> Option<Key> {
    let decoded = packet.decode();
    let payload = decoded.payload();
    let from = (packet.source_port(), packet.source_address());
    let to = (packet.destination_port(), packet.destination_address());
    let hash = foldhash::fast::FixedState::default().hash_one((UDP, payload));
    (payload.len() >= DATAGRAM_MIN_BYTES).then_some((hash, from < to))
}

fn compare((source, own): (usize, &Seen), (other, reference): (usize, &Seen)) -> Option<Apart> {
    let mut differences: [Vec<Nanos>; 2] = [Vec::new(), Vec::new()];
    for (key, time_ns) in own {
        let Some((own_ns, other_ns)) = time_ns.zip(reference.get(key).copied().flatten()) else { continue };
        if let Some(side) = differences.get_mut(usize::from(key.1)) {
            side.push(own_ns - other_ns);
        }
    }
    let messages = differences.iter().map(Vec::len).sum();
    let (source, reference) = (SourceId::at(source), SourceId::at(other));
    let apart = |ahead_ns: Nanos| Apart { source, reference, ahead_ns, messages };
    match differences.map(middle) {
        // One way the time between the places is added, the other way it is taken off.
        [Some((queries, spread_one)), Some((responses, spread_two))] => {
            let ahead_ns = i64::midpoint(queries, responses);
            let sure = ahead_ns.abs() < APART_NS || ahead_ns.abs() > (queries - responses).abs();
            (is_steady(ahead_ns, spread_one.max(spread_two)) && sure).then(|| apart(ahead_ns))
        }
        // What goes one way alone tells the clocks where no way takes that long.
        [Some((ahead_ns, spread)), None] | [None, Some((ahead_ns, spread))] => {
            (is_steady(ahead_ns, spread) && ahead_ns.abs() >= ONE_WAY_NS).then(|| apart(ahead_ns))
        }
        [None, None] => None,
    }
}

/// Whether differences spread no more than the ways of packets and the drift of clocks make them.
fn is_steady(ahead_ns: Nanos, spread_ns: Nanos) -> bool {
    spread_ns <= SPREAD_NS.max(ahead_ns.abs() / 10)
}

/// The middle of some differences, and how far their middle half spreads.
fn middle(mut differences: Vec<Nanos>) -> Option<(Nanos, Nanos)> {
    if differences.len() < SHARED_MIN {
        return None;
    }
    differences.sort_unstable();
    let at = |part: usize| differences.get(differences.len() * part / 4).copied();
    Some((at(2)?, at(3)? - at(1)?))
}

/// Builds the index of captures and then sets the clocks of their files to that of the first, where messages that two of them hold show
/// that they are apart and nobody has said by how much; [`corrected`] says so.
pub fn build_with(
    captures: (Vec<Input>, Arc<Settings>),
    plan: Plan,
    progress: &Progress,
    publish: impl FnMut(&Index),
) -> Index {
    let mut index = crate::index::build_with(captures, plan, progress, publish);
    if !index.settings.clocks_are_stated {
        let added = corrections(&index);
        if added.iter().any(|added_ns| *added_ns != 0) {
            index.set_clocks(&added);
        }
    }
    index
}

/// The files whose clocks were set by what they share with another, and what was added to their times.
pub fn corrected(index: &Index) -> impl Iterator<Item = (SourceId, Nanos)> + '_ {
    let sources = index.sources.iter().enumerate().filter(|_| !index.settings.clocks_are_stated);
    sources.map(|(at, source)| (SourceId::at(at), source.offset_ns)).filter(|(_, added_ns)| *added_ns != 0)
}

/// What to add to the times of each file so that all agree with the first of those that share messages; 0 where nothing must be.
fn corrections(index: &Index) -> Vec<Nanos> {
    let mut added: Vec<Nanos> = vec![0; index.sources.len()];
    for apart in measure(index).into_iter().filter(Apart::matters) {
        let reference = added.get(apart.reference.place()).copied().unwrap_or(0);
        if let Some(slot) = added.get_mut(apart.source.place()) {
            *slot = (reference - apart.ahead_ns) / MICROSECOND_NS * MICROSECOND_NS;
        }
    }
    added
}
