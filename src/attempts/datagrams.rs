//! Requests over UDP and ICMP echo, each with its repeats and its answer.

use std::hash::BuildHasher as _;

use hashbrown::{HashMap, HashSet};

use super::Unseen;
use super::exchange::{self, Role, Says};
use super::kind::Kind;
use super::lease::Leases;
use super::reply::{datagrams as reply, printed};
use super::ties::{Recorder, Thread};
use crate::connections::{End, Seen};
use crate::correlate::Reason;
use crate::decode::{Address, Decoded};
use crate::index::{Packet, PacketId};
use crate::protocols::ProtocolId;
use crate::time::Nanos;

/// Requests followed; a scan can hold millions.
const EXCHANGES_MAX: usize = 262_144;
/// Answers of hosts that were not asked that are kept, to look for who was.
const STRAYS_MAX: usize = 16_384;
/// Ports up to this one are those of services (RFC 6335 §6).
const SYSTEM_PORT_MAX: u16 = 1_023;
/// Requests that leave with no more hops than this are traces.
pub const TRACE_TTL_MAX: u8 = 30;
/// What comes back later than this answers no request without a number (services §1.2 `udp_answer_s`).
const ANSWER_NS: Nanos = 5_000_000_000;
/// Requests of one port that are looked at for one such answer, the newest first.
const ASKED_MAX: usize = 64;
/// Bytes of a block of TFTP that is not the last one, header and all, where no other size was agreed on.
const BLOCK_BYTES: usize = 516;
/// Fragmented pings remembered at a time.
const FRAGMENTED_MAX: usize = 4_096;
/// A translator sends on within this time.
const TRANSLATED_NS: Nanos = 5_000_000;
/// Pings lost in a row from which on they are a failure of their own (services §1.9).
pub const PINGS_MIN: u32 = 3;

/// One request with its repeats.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// What for.
    pub kind: Kind,
    /// What its packets belong to: parts of a run of pings are of one thread.
    pub thread: Thread,
    /// Who asks.
    pub client: End,
    /// Whom.
    pub server: End,
    /// The first try.
    pub first: Seen,
    /// The last try.
    pub last: Seen,
    /// Requests sent; of echo those since the last answer.
    pub tries: u32,
    /// Requests sent in all.
    pub asked: u32,
    /// Datagrams that came back.
    pub answered: u32,
    /// The first answer that is final.
    pub answer: Option<Seen>,
    /// The last answer.
    pub last_answer: Option<Seen>,
    /// What it says.
    pub says: Says,
    /// An answer that came to the asking port from another address than was asked; clients that look at it discard it.
    pub elsewhere: Option<Seen>,
    /// What tells it from others of its flow.
    id: u64,
    /// Something came back that is no final answer.
    pub waits: bool,
    /// All tries carry the same bytes.
    pub is_same: bool,
    /// It carries credentials.
    is_signed: bool,
    /// NTP: the times that the last query and its answer state.
    pub stated_ns: (Option<Nanos>, Option<Nanos>),
    content: u64,
    /// Echo requests of one run that left with several small numbers of hops: they trace the path.
    pub is_trace: bool,
    /// Hops of its first request.
    hops: u8,
    /// Sequence number of the last request, and of the last reply.
    asked_sequence: u16,
    sequence: Option<u16>,
    /// The first request; `first` is the first since the last answer.
    began: Seen,
    /// The request before the last one.
    previous: Seen,
    /// The last try that an answer is tied to.
    tied: Option<PacketId>,
}

impl Exchange {
    /// A run of pings that ended without answers is two: the answered part and the rest.
    pub fn parts(&self) -> [Option<Self>; 2] {
        if self.kind != Kind::Echo || self.answer.is_none() {
            return [Some(*self), None];
        }
        if self.tries < PINGS_MIN {
            return [Some(Self { first: self.began, ..*self }), None];
        }
        let rest = Self { answer: None, last_answer: None, asked: self.tries, answered: 0, ..*self };
        [Some(self.answered_part(self.answered, self.last_answer)), Some(rest)]
    }

    /// Notes a ping by its number. Each asks anew, also those of devices that do not count.
    fn ping(&self, packet: &Packet<'_>, sequence: u16, recorder: &mut Option<Recorder>) {
        if let Some(recorder) = recorder {
            recorder.place(packet.id, self.thread);
            if !packet.is_text() {
                recorder.remember((self.thread, true, u32::from(sequence)), packet.id);
            }
        }
    }

    /// Ties something that came back to the last try. Where no number tells requests apart, only what comes back first and
    /// soon is taken for its answer (services §1.2).
    fn tie(&mut self, packet: &Packet<'_>, is_numbered: bool, recorder: &mut Recorder) {
        recorder.place(packet.id, self.thread);
        let is_first = self.tied != Some(self.last.packet);
        let reason = match (is_numbered, is_first) {
            (true, true) => Reason::SameNumber,
            (true, false) => Reason::FurtherResponse,
            (false, true) if packet.time_ns() - self.last.time_ns <= ANSWER_NS => Reason::SameFlow,
            (false, _) => return,
        };
        self.tied = Some(self.last.packet);
        recorder.answer(packet.id, self.last.packet, reason);
    }

    /// What came before the open requests.
    fn answered_part(&self, answered: u32, last_answer: Option<Seen>) -> Self {
        let asked = self.asked.saturating_sub(self.tries).max(answered);
        let last = last_answer.unwrap_or(self.began);
        Self { first: self.began, last, tries: 0, asked, answered, last_answer, ..*self }
    }
}

type Key = (Kind, End, End, u64);

/// The requests while packets are read.
#[derive(Default)]
pub struct Datagrams {
    table: HashMap<Key, u32>,
    /// All, in order of their first try.
    pub all: Vec<Exchange>,
    /// DHCP.
    pub leases: Leases,
    /// Datagrams of protocols that are not known.
    pub one_way: Unseen,
    /// The same of protocols that nobody answers (syslog, traps, flow export).
    pub notices: Unseen,
    /// Requests beyond the limit.
    pub left_out: u64,
    /// Flows that errors came back for.
    pub refused: HashSet<(End, End)>,
    /// Answers to ports that did not ask their sender.
    strays: Vec<Stray>,
    /// Transfers of TFTP by their own two ports.
    transfers: HashMap<(End, End), Transfer>,
    /// The newest fragmented pings: to whom, identifier, sequence number and id of IP; from whom and when.
    fragmented: HashMap<(Address, u16, u16, u16), (Address, Nanos)>,
}

/// A transfer of TFTP, which goes on between the port that asked and one that the server chose for it (RFC 1350 §4).
struct Transfer {
    thread: Thread,
    /// Bytes of its largest block.
    largest: usize,
    /// Its last block, or an error, was sent.
    is_over: bool,
}

/// An answer to a port that did not ask its sender.
struct Stray {
    kind: Kind,
    client: End,
    from: End,
    id: u64,
    seen: Seen,
}

impl Datagrams {
    /// Takes a UDP datagram or an ICMP message that is no error.
    pub(super) fn note(&mut self, packet: &Packet<'_>, recorder: &mut Option<Recorder>) {
        let from = (packet.source_address(), packet.source_port());
        let to = (packet.destination_address(), packet.destination_port());
        if packet.transport() != 17 {
            self.echo(packet, from.0, to.0, recorder);
            return;
        }
        let decoded = packet.decode();
        let payload = decoded.payload();
        if self.transfers.contains_key(&(from, to)) && matches!(payload, [0, 3..=6, ..]) {
            self.transfer((from, to), packet, payload, recorder);
            return;
        }
        match (from.1, to.1) {
            (68, 67) | (67, 68 | 67) => self.leases.note(packet, payload, recorder),
            (546, 547) | (547, 546) => self.leases.note_v6(packet, payload, recorder),
            _ => self.datagram(packet, payload, (from, to), recorder),
        }
    }

    fn datagram(
        &mut self,
        packet: &Packet<'_>,
        payload: &[u8],
        (from, to): (End, End),
        recorder: &mut Option<Recorder>,
    ) {
        let at = |port: u16| match Kind::at(17, port) {
            // Leases are told by both ports.
            Kind::Dhcp => Kind::Udp,
            kind => kind,
        };
        let (asked, answers) = (at(to.1), at(from.1));
        // Whoever was asked before answers, whatever the ports.
        for kind in [answers, Kind::Tftp, Kind::Udp] {
            let server = if kind == Kind::Tftp { (from.0, 69) } else { from };
            let line = if packet.is_text() { packet.printed() } else { None };
            let role = match line {
                Some(line) => self.resolved(printed::role(kind, line.told(), false), kind, to, server),
                None if packet.is_text() => Role::Answers(0, Says::Served),
                None => exchange::role(kind, payload, false),
            };
            if let Role::Answers(id, says) = role {
                let key = (kind, to, server, id);
                if self.answer(&key, packet, says, recorder) {
                    let asked = self.table.get(&key).and_then(|at| self.all.get(*at as usize));
                    if let Some(own) = asked.filter(|_| kind == Kind::Tftp && !packet.is_text()) {
                        let begun = Transfer { thread: own.thread, largest: 0, is_over: false };
                        self.transfers.entry((to, from)).or_insert(begun);
                        self.transfer((to, from), packet, payload, &mut None);
                    }
                    return;
                }
                if kind.answers() && self.strays.len() < STRAYS_MAX {
                    let seen = Seen { packet: packet.id, time_ns: packet.time_ns() };
                    self.strays.push(Stray { kind, client: to, from: server, id, seen });
                }
            }
        }
        if !super::is_host(to.0) {
            return;
        }
        let (kind, role) = match (asked, answers) {
            // The answer to something that was not captured.
            (Kind::Udp, known) if known != Kind::Udp && to.1 > SYSTEM_PORT_MAX => return,
            (Kind::Udp, _) if packet.protocol() != ProtocolId::UDP => return,
            (kind, _) => {
                let line = if packet.is_text() { packet.printed() } else { None };
                let role = line.map_or_else(
                    || exchange::role(kind, payload, true),
                    |line| printed::role(kind, line.told(), true),
                );
                (kind, role)
            }
        };
        match role {
            Role::Asks(id) => self.ask((kind, from, to, id), packet, payload, recorder),
            Role::Neither if !kind.answers() => self.ask((kind, from, to, 0), packet, payload, recorder),
            _ => {}
        }
        // Of what an error came back for it is known whether it arrived.
        if !kind.answers() && !self.refused.contains(&(from, to)) {
            let all = if kind == Kind::Udp { &mut self.one_way } else { &mut self.notices };
            all.note(packet.id);
        }
    }

    /// A printed answer that does not say what it answers is one to the newest request of its flow, an open one first.
    fn resolved(&self, role: Role, kind: Kind, client: End, server: End) -> Role {
        let (Role::Answers(0, says), Kind::Sip) = (role, kind) else { return role };
        let asked = printed::SIP_IDS.filter_map(|id| {
            let own = self.all.get(*self.table.get(&(kind, client, server, id))? as usize)?;
            Some((own.answer.is_none(), own.last.packet, id))
        });
        Role::Answers(asked.max().map_or(0, |(.., id)| id), says)
    }

    /// Takes a datagram of a transfer: blocks are of one size but for the last one.
    fn transfer(
        &mut self,
        ends: (End, End),
        packet: &Packet<'_>,
        payload: &[u8],
        recorder: &mut Option<Recorder>,
    ) {
        let Some(own) = self.transfers.get_mut(&ends) else { return };
        match payload.get(1) {
            Some(3) => {
                own.is_over |= payload.len() < own.largest.max(BLOCK_BYTES);
                own.largest = own.largest.max(payload.len());
            }
            Some(5) => own.is_over = true,
            _ => {}
        }
        if let Some(recorder) = recorder {
            recorder.place(packet.id, own.thread);
        }
    }

    /// The ends of transfers that came to their end.
    pub fn finished(&self) -> HashSet<(End, End)> {
        self.transfers.iter().filter(|(_, own)| own.is_over).map(|(ends, _)| *ends).collect()
    }

    /// Finds who was asked instead of those that answered a port unasked: an open request of that port at the same service with the
    /// same number. Where no number tells requests apart, the port must have asked one host only.
    pub fn match_strays(&mut self) {
        let mut by_port: HashMap<(Kind, End, u16), Vec<u32>> =
            self.strays.iter().map(|stray| ((stray.kind, stray.client, stray.from.1), Vec::new())).collect();
        if by_port.is_empty() {
            return;
        }
        for (at, own) in self.all.iter().enumerate() {
            if let Some(asked) = by_port.get_mut(&(own.kind, own.client, own.server.1)) {
                asked.push(at as u32);
            }
        }
        for stray in &self.strays {
            let Some(asked) = by_port.get(&(stray.kind, stray.client, stray.from.1)) else { continue };
            let get = |at: &u32| self.all.get(*at as usize);
            let servers = asked.iter().filter_map(get).map(|own| own.server.0);
            let several =
                stray.id == 0 && servers.clone().any(|server| Some(server) != servers.clone().next());
            let fits = |own: &Exchange| {
                own.id == stray.id
                    && own.answer.is_none()
                    && own.server.0 != stray.from.0
                    && own.first.time_ns <= stray.seen.time_ns
                    && stray.seen.time_ns - own.last.time_ns <= own.kind.row().watch_ns
            };
            let open = asked.iter().rev().take(ASKED_MAX).find(|at| get(at).is_some_and(fits)).copied();
            if let Some(own) = open.filter(|_| !several).and_then(|at| self.all.get_mut(at as usize)) {
                own.elsewhere = own.elsewhere.or(Some(stray.seen));
            }
        }
    }

    fn ask(&mut self, key: Key, packet: &Packet<'_>, payload: &[u8], recorder: &mut Option<Recorder>) {
        let seen = Seen { packet: packet.id, time_ns: packet.time_ns() };
        let mut content = foldhash::fast::FixedState::default().hash_one(payload);
        // A client of time never repeats a request: each carries its own time, which a line need not print (RFC 5905 §8).
        if key.0 == Kind::Ntp && packet.is_text() {
            content = u64::from(packet.id.0) + 1;
        }
        let known = self.table.get(&key).and_then(|at| self.all.get_mut(*at as usize));
        // What is asked after an answer is asked anew, and so is something else where no number tells requests apart.
        let anew = key.0.answers() && !matches!(key.0, Kind::Quic | Kind::Doq);
        if let Some(own) =
            known.filter(|own| !anew || own.answer.is_none() && (key.3 != 0 || own.content == content))
        {
            own.last = seen;
            own.tries += 1;
            own.asked += 1;
            own.is_same &= own.content == content;
            if let Some(recorder) = recorder {
                recorder.place(packet.id, own.thread);
                match (key.3, own.content == content) {
                    (_, true) => recorder.retry(packet.id, own.first.packet, Reason::SameBytes),
                    (1.., false) => recorder.retry(packet.id, own.first.packet, Reason::SameNumber),
                    (0, false) => {}
                }
            }
            return;
        }
        self.begin(key, seen, content, recorder);
        if let Some(own) = self.all.last_mut() {
            own.is_signed = exchange::is_signed(key.0, payload);
            if key.0 == Kind::Ntp && !packet.is_text() {
                own.stated_ns.0 = exchange::ntp_sent(payload);
            }
        }
    }

    fn begin(&mut self, key: Key, seen: Seen, content: u64, recorder: &mut Option<Recorder>) {
        if self.all.len() >= EXCHANGES_MAX {
            self.left_out += 1;
            return;
        }
        let thread = Thread::exchange(self.all.len() as u32);
        if let Some(recorder) = recorder {
            recorder.place(seen.packet, thread);
        }
        self.table.insert(key, self.all.len() as u32);
        self.all.push(Exchange {
            kind: key.0,
            thread,
            client: key.1,
            server: key.2,
            first: seen,
            last: seen,
            tries: 1,
            asked: 1,
            answered: 0,
            answer: None,
            last_answer: None,
            says: Says::Served,
            elsewhere: None,
            id: key.3,
            waits: false,
            is_same: true,
            is_signed: false,
            stated_ns: (None, None),
            content,
            is_trace: false,
            hops: 0,
            asked_sequence: 0,
            sequence: None,
            began: seen,
            previous: seen,
            tied: None,
        });
    }

    fn answer(
        &mut self,
        key: &Key,
        packet: &Packet<'_>,
        says: Says,
        recorder: &mut Option<Recorder>,
    ) -> bool {
        let Some(own) = self.table.get(key).and_then(|at| self.all.get_mut(*at as usize)) else {
            return false;
        };
        if let Some(recorder) = recorder {
            own.tie(packet, key.3 != 0, recorder);
        }
        own.answered += 1;
        if says == Says::Waits {
            own.waits = true;
        } else if own.answer.is_none() {
            own.answer = Some(Seen { packet: packet.id, time_ns: packet.time_ns() });
            if key.0 == Kind::Ntp && !packet.is_text() {
                own.stated_ns.1 = exchange::ntp_sent(packet.decode().payload());
            }
            own.says = match says {
                Says::Denies(denial) if reply::is_challenge(denial) && !own.is_signed => Says::Served,
                says => says,
            };
        }
        true
    }

    /// Echo requests and replies, by identifier and sequence number (RFC 792; RFC 4443 §4). Those with few hops are another run: some
    /// systems give all that they send one identifier.
    fn echo(&mut self, packet: &Packet<'_>, from: Address, to: Address, recorder: &mut Option<Recorder>) {
        let decoded = packet.decode();
        let (id, sequence) =
            if packet.is_text() { (0, 0) } else { (identifier(&decoded), two_bytes(&decoded, 6)) };
        let seen = Seen { packet: packet.id, time_ns: packet.time_ns() };
        match (packet.transport(), decoded.icmp()) {
            // A translator that puts fragments together cuts them anew: its copy has other lengths.
            (1, Some((8, _))) if self.is_translated(&decoded, (from, to, id, sequence), seen) => {}
            (1, Some((8, _))) | (58, Some((128, _))) if super::is_host(to) => {
                let few = (1..=TRACE_TTL_MAX).contains(&packet.ttl());
                let key = (Kind::Echo, (from, id), (to, 0), u64::from(few));
                let known = self.table.get(&key).copied();
                if let Some(own) = known.and_then(|at| self.all.get_mut(at as usize)) {
                    if own.tries == 0 {
                        own.first = seen;
                    }
                    (own.previous, own.last) = (own.last, seen);
                    own.tries += 1;
                    own.asked += 1;
                    own.is_trace |= few && own.hops != packet.ttl();
                    own.asked_sequence = sequence;
                    own.ping(packet, sequence, recorder);
                    return;
                }
                let before = self.all.len();
                self.begin(key, seen, 0, recorder);
                if let Some(own) = self.all.get_mut(before) {
                    (own.hops, own.asked_sequence) = (packet.ttl(), sequence);
                    own.ping(packet, sequence, recorder);
                }
            }
            (1, Some((0, _))) | (58, Some((129, _))) => {
                let run = self.run((to, id), from, sequence);
                if let Some((recorder, own)) = recorder.as_mut().zip(run.and_then(|at| self.all.get_mut(at)))
                {
                    if packet.is_text() {
                        own.tie(packet, false, recorder);
                    } else if let Some(asked) = recorder.recall((own.thread, true, u32::from(sequence))) {
                        recorder.place(packet.id, own.thread);
                        recorder.answer(packet.id, asked, Reason::SameNumber);
                    }
                }
                if let Some(at) = run {
                    self.echoed(at, sequence, seen);
                }
            }
            _ => {}
        }
    }

    /// Whether a fragmented ping was just sent by another address with the same numbers and the same id of IP.
    fn is_translated(
        &mut self,
        decoded: &Decoded<'_>,
        (from, to, id, sequence): (Address, Address, u16, u16),
        seen: Seen,
    ) -> bool {
        let Some(ip_id) = decoded.ip_id.filter(|id| *id != 0 && decoded.fragment.is_some()) else {
            return false;
        };
        if self.fragmented.len() >= FRAGMENTED_MAX {
            self.fragmented.clear();
        }
        let before = self.fragmented.insert((to, id, sequence, ip_id), (from, seen.time_ns));
        before.is_some_and(|(other, at_ns)| {
            other != from && (0..=TRANSLATED_NS).contains(&(seen.time_ns - at_ns))
        })
    }

    /// The run that a reply belongs to, by position.
    fn run(&self, client: End, server: Address, sequence: u16) -> Option<usize> {
        let run = |few: u64| self.table.get(&(Kind::Echo, client, (server, 0), few)).map(|at| *at as usize);
        let asked = |at: &usize| self.all.get(*at).is_some_and(|own| own.asked_sequence == sequence);
        match (run(0), run(1)) {
            (Some(_), Some(few)) if asked(&few) => Some(few),
            (usual, few) => usual.or(few),
        }
    }

    fn echoed(&mut self, at: usize, sequence: u16, seen: Seen) {
        let Some(own) = self.all.get_mut(at) else { return };
        let skipped = own.sequence.map_or(0, |last| u32::from(sequence.wrapping_sub(last).wrapping_sub(1)));
        own.sequence = Some(sequence);
        // A row of lost ones is a failure of its own; what comes after it is another run.
        if own.answer.is_some() && own.tries > PINGS_MIN && (PINGS_MIN..1 << 15).contains(&skipped) {
            let before = own.answered_part(own.answered, own.last_answer);
            let open = own.tries - 1;
            let lost = Exchange {
                answer: None,
                last_answer: None,
                asked: open,
                answered: 0,
                tries: open,
                last: own.previous,
                ..*own
            };
            (own.first, own.began, own.tries) = (own.last, own.last, 0);
            (own.asked, own.answered) = (1, 1);
            (own.answer, own.last_answer) = (Some(seen), Some(seen));
            self.all.extend([before, lost]);
            return;
        }
        own.answered += 1;
        own.last_answer = Some(seen);
        own.answer = own.answer.or(Some(seen));
        own.tries = 0;
    }
}

/// The identifier of an echo message (RFC 792; RFC 4443 §4.1).
pub(super) fn identifier(decoded: &Decoded<'_>) -> u16 {
    two_bytes(decoded, 4)
}

/// Two bytes of a message of ICMP; 0 where it ends before.
fn two_bytes(decoded: &Decoded<'_>, at: usize) -> u16 {
    let at = decoded.transport_start as usize + at;
    let two = decoded.bytes.get(at..at + 2).and_then(|two| two.first_chunk::<2>());
    two.map_or(0, |two| u16::from_be_bytes(*two))
}
