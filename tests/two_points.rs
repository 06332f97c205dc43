//! One exchange captured at two places whose clocks differ: behind a translator, cut short, without DNS, or with nothing in common.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

use std::net::IpAddr;
use std::path::Path;

use portmortem::attempts::{Attempts, Kind, Outcome};
use portmortem::case::State;
use portmortem::cli::load::{Loaded, Open};
use portmortem::findings;
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Packet, PcapWriter, Segment, Variant, flags, link};
use portmortem::report::{self, Block};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
const START_NS: i64 = 1_700_000_000 * SECOND;
const INSIDE: &str = "10.0.0.5";
const OUTSIDE: &str = "203.0.113.9";
const SERVER: &str = "198.51.100.53";
/// From one place to the other.
const WAY: i64 = 2 * MS;
/// How far the second clock is ahead.
const AHEAD: i64 = -7_314 * MS;

/// What two places saw, with the time of each by one clock.
#[derive(Default)]
struct Places {
    near: Vec<(i64, Packet)>,
    far: Vec<(i64, Packet)>,
    /// Bytes that the second capture keeps of a frame; 0 keeps all.
    snap: usize,
}

impl Places {
    /// Something that the client sends, as it is inside and outside.
    fn sent(&mut self, at: i64, inside: &Packet, outside: &Packet) {
        self.near.push((at, inside.clone().ttl(64)));
        self.far.push((at + WAY, outside.clone().ttl(63)));
    }

    /// Something that comes back.
    fn returned(&mut self, at: i64, inside: &Packet, outside: &Packet) {
        self.far.push((at + WAY, outside.clone().ttl(60)));
        self.near.push((at + 2 * WAY, inside.clone().ttl(59)));
    }

    fn lookups(&mut self, number: u16, answered: bool) {
        for id in 0..number {
            let at = i64::from(id) * SECOND;
            let (name, to) = (format!("h{id}.example"), format!("{SERVER}:53"));
            let (inside, outside) =
                (format!("{INSIDE}:{}", 40_000 + id), format!("{OUTSIDE}:{}", 61_000 + id));
            let question = dns::query(id, &name, dns::A);
            let ask = |from: &str| Packet::udp(from, to.as_str(), &question).id(id + 1);
            self.sent(at, &ask(&inside), &ask(&outside));
            if answered {
                let message = dns::answer(id, &name, Data::A([192, 0, 2, 80].into()));
                let reply = |client: &str| Packet::udp(to.as_str(), client, &message).id(id + 500);
                self.returned(at + 5 * MS, &reply(&inside), &reply(&outside));
            }
        }
    }

    fn connections(&mut self, numbers: std::ops::Range<u16>) {
        for own in numbers {
            let at = i64::from(own) * SECOND + 300 * MS;
            let to = "198.51.100.80:80";
            let (inside, outside) =
                (format!("{INSIDE}:{}", 45_000 + own), format!("{OUTSIDE}:{}", 62_000 + own));
            let (one, two) = (1_000 * (u32::from(own) + 1), 700_000 + 1_000 * u32::from(own));
            let segment = |bits: u8, sequence: u32, acknowledgment: u32| Segment {
                flags: bits,
                sequence,
                acknowledgment,
            };
            let ask = b"GET / HTTP/1.1\r\nHost: www.example\r\nUser-Agent: a client with a long name\r\n\r\n";
            let answer = b"HTTP/1.1 200 OK\r\nServer: a server with a long name\r\nContent-Length: 0\r\n\r\n";
            let data = flags::ACK | flags::PSH;
            let after = one + 1 + ask.len() as u32;
            let id = 20 * own;
            let from = |bits, sequence, acknowledgment, payload: &[u8], id: u16| {
                let make = |client: &str| {
                    Packet::tcp(client, to, segment(bits, sequence, acknowledgment), payload).id(id)
                };
                (make(&inside), make(&outside))
            };
            let back = |bits, sequence, acknowledgment, payload: &[u8], id: u16| {
                let make = |client: &str| {
                    Packet::tcp(to, client, segment(bits, sequence, acknowledgment), payload).id(id)
                };
                (make(&inside), make(&outside))
            };
            let (near, far) = from(flags::SYN, one, 0, b"", id + 1);
            self.sent(at, &near, &far);
            let (near, far) = back(flags::SYN | flags::ACK, two, one + 1, b"", id + 2);
            self.returned(at + 10 * MS, &near, &far);
            let (near, far) = from(data, one + 1, two + 1, ask, id + 3);
            self.sent(at + 20 * MS, &near, &far);
            let (near, far) = back(data, two + 1, after, answer, id + 4);
            self.returned(at + 30 * MS, &near, &far);
        }
    }

    fn pings(&mut self, number: u16) {
        let to: IpAddr = "198.51.100.80".parse().expect("an address");
        let (inside, outside): (IpAddr, IpAddr) =
            (INSIDE.parse().expect("an address"), OUTSIDE.parse().expect("an address"));
        for own in 0..number {
            let at = i64::from(own) * SECOND + 600 * MS;
            let ask = |from: IpAddr, id: u16| Packet::echo(from, to, false, id, own).id(own + 900);
            self.sent(at, &ask(inside, 7), &ask(outside, 61_777));
            let reply = |client: IpAddr, id: u16| Packet::echo(to, client, true, id, own).id(own + 1_900);
            self.returned(at + 4 * MS, &reply(inside, 7), &reply(outside, 61_777));
        }
    }

    /// Requests over UDP that no translator changes; those of which nothing comes back reach the server as well.
    fn requests(&mut self, number: u16, lost: u16) {
        for own in 0..number {
            let at = i64::from(own) * SECOND + 450 * MS;
            let (from, to) = (format!("{INSIDE}:5060"), "198.51.100.60:5060");
            let head = format!(
                "Via: SIP/2.0/UDP {INSIDE};branch=z9hG4bK{own}\r\nCSeq: {own} OPTIONS\r\nCall-ID: {own}@example\r\n\r\n"
            );
            let ask = Packet::udp(from.as_str(), to, format!("OPTIONS sip:a SIP/2.0\r\n{head}").as_bytes());
            let ask = ask.id(own + 2_900);
            self.sent(at, &ask, &ask);
            let reply = Packet::udp(to, from.as_str(), format!("SIP/2.0 200 OK\r\n{head}").as_bytes());
            let reply = reply.id(own + 3_900);
            if own < lost {
                self.far.push((at + WAY + 5 * MS, reply.ttl(60)));
            } else {
                self.returned(at + 5 * MS, &reply, &reply);
            }
        }
    }

    /// The same with the server's file first.
    fn load_far_first(self) -> Loaded {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = vec![folder.path().join("far.pcap"), folder.path().join("near.pcap")];
        write(&files[0], self.far, (AHEAD, self.snap));
        write(&files[1], self.near, (0, 0));
        Open { files, ..Open::default() }.load().expect("two captures")
    }

    fn load(self) -> Loaded {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = vec![folder.path().join("near.pcap"), folder.path().join("far.pcap")];
        write(&files[0], self.near, (0, 0));
        write(&files[1], self.far, (AHEAD, self.snap));
        Open { files, ..Open::default() }.load().expect("two captures")
    }
}

fn write(path: &Path, mut packets: Vec<(i64, Packet)>, (ahead, snap): (i64, usize)) {
    packets.sort_by_key(|(at, _)| *at);
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = PcapWriter::new(file, Variant::default(), link::ETHERNET).expect("a header");
    for (at, packet) in packets {
        let frame = packet.ethernet();
        let kept = if snap == 0 { frame.len() } else { frame.len().min(snap) };
        writer.cut_packet(START_NS + at + ahead, &frame[..kept], frame.len() as u32).expect("a packet");
    }
    writer.finish().expect("the end");
}

fn added(loaded: &Loaded) -> i64 {
    loaded.index.sources[1].offset_ns
}

#[test]
fn the_offset_is_measured_behind_a_translator() {
    for snap in [0, 76] {
        let mut places = Places { snap, ..Places::default() };
        places.lookups(8, true);
        let loaded = places.load();
        assert!((added(&loaded) + AHEAD).abs() < MS, "{snap}: {}", added(&loaded));
    }
}

#[test]
fn what_goes_one_way_alone_tells_an_offset_that_no_way_explains() {
    let mut places = Places::default();
    places.lookups(8, false);
    let loaded = places.load();
    assert!((added(&loaded) + AHEAD).abs() < 2 * WAY, "{}", added(&loaded));
}

#[test]
fn handshakes_or_pings_tell_the_offset_where_no_lookup_is_shared() {
    let (mut handshakes, mut pings) = (Places::default(), Places::default());
    handshakes.connections(0..5);
    pings.pings(5);
    for places in [handshakes, pings] {
        let loaded = places.load();
        assert!((added(&loaded) + AHEAD).abs() < MS, "{}", added(&loaded));
    }
}

#[test]
fn other_datagrams_tell_the_offset_and_their_replies_are_no_mere_copies() {
    for far_first in [false, true] {
        let mut places = Places::default();
        places.requests(8, 0);
        let loaded = if far_first { places.load_far_first() } else { places.load() };
        let ahead = if far_first { -AHEAD } else { AHEAD };
        assert!((added(&loaded) + ahead).abs() < MS, "{}", added(&loaded));
        let outcomes: Vec<Outcome> =
            Attempts::of(&loaded.evidence).all.iter().map(|own| own.outcome).collect();
        assert_eq!(outcomes, [Outcome::Answered; 8], "{far_first}");
    }
}

#[test]
fn a_reply_that_one_place_alone_saw_did_not_reach_who_asked() {
    for far_first in [false, true] {
        let mut places = Places::default();
        places.requests(8, 3);
        let loaded = if far_first { places.load_far_first() } else { places.load() };
        let all = &Attempts::of(&loaded.evidence).all;
        let answered = all.iter().filter(|own| own.outcome == Outcome::Answered).count();
        assert_eq!((all.len(), answered), (8, 5), "{far_first}: {all:?}");
    }
}

/// The text of the section about the vantage.
fn scope(loaded: &Loaded) -> String {
    let input = findings::Input { index: &loaded.index, evidence: &loaded.evidence };
    let examined = findings::review(&input, &[], &[]);
    let draft = report::draft(&report::Input {
        index: &loaded.index,
        evidence: &loaded.evidence,
        findings: &examined.findings,
        assessments: &examined.assessments,
        coverage: &examined.coverage,
        case: &State::default(),
    });
    assert_eq!(report::lint::lint(&draft).contradictions(), [""; 0], "{}", draft.title);
    let section = draft.sections.iter().find(|section| section.id == "scope").expect("a section");
    let texts = section.blocks.iter().filter_map(|block| match block {
        Block::Claim(claim) => Some(claim.text.clone()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn clocks_that_nothing_compares_are_said_to_be_unknown() {
    let mut places = Places::default();
    places.lookups(2, true);
    // Long enough for the times to overlap.
    let filler = |host: &str| Packet::udp(format!("{host}:9999").as_str(), "198.51.100.7:9999", b"filler");
    places.near.push((60 * SECOND, filler(INSIDE)));
    places.far.push((70 * SECOND, filler(OUTSIDE)));
    let loaded = places.load();
    assert_eq!(added(&loaded), 0);
    let text = scope(&loaded);
    assert!(text.contains("How the clock of capture B stands to those before it cannot be told"), "{text}");
    let mut places = Places::default();
    places.lookups(8, true);
    let text = scope(&places.load());
    assert!(
        text.contains("The clock of capture B was 7.314 s behind") && !text.contains("cannot be told:"),
        "{text}"
    );
}

#[test]
fn what_both_places_saw_counts_once_however_short_one_of_them_kept_it() {
    for snap in [0, 96, 68] {
        let mut places = Places { snap, ..Places::default() };
        places.lookups(8, true);
        places.connections(0..8);
        places.pings(8);
        let loaded = places.load();
        assert_eq!(loaded.evidence.transactions.len(), 8, "{snap}");
        let attempts = Attempts::of(&loaded.evidence);
        assert!(
            attempts.all.iter().all(|own| own.client.0.to_string() == INSIDE),
            "{snap}: {:?}",
            attempts.all
        );
        let pings: Vec<_> = attempts.all.iter().filter(|own| own.kind == Kind::Echo).collect();
        assert_eq!(
            (pings.len(), pings[0].outcome, pings[0].counts),
            (1, Outcome::Answered, (8, 8)),
            "{snap}"
        );
        assert_eq!(attempts.all.len(), 9, "{snap}: eight connections and a run of pings");
        let input = findings::Input { index: &loaded.index, evidence: &loaded.evidence };
        let found = findings::run(&input, &[]);
        assert!(found.iter().all(|own| own.severity == findings::Severity::Info), "{snap}: {found:?}");
    }
}

#[test]
fn connections_that_begin_at_either_place_are_all_followed() {
    let mut places = Places::default();
    for own in 0..8 {
        // Every second one is opened by a host behind the other place.
        if own % 2 == 1 {
            std::mem::swap(&mut places.near, &mut places.far);
        }
        places.connections(own..own + 1);
        if own % 2 == 1 {
            std::mem::swap(&mut places.near, &mut places.far);
        }
    }
    for (at, packet) in places.near.clone() {
        places.far.push((at + WAY, packet));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = vec![folder.path().join("one.pcap"), folder.path().join("two.pcap")];
    write(&files[0], places.near, (0, 0));
    write(&files[1], places.far, (0, 0));
    let loaded = Open { files, ..Open::default() }.load().expect("two captures");
    let attempts = Attempts::of(&loaded.evidence);
    assert_eq!(attempts.all.len(), 8, "{:?}", attempts.all);
    assert!(attempts.all.iter().all(|own| own.outcome == Outcome::Answered), "{:?}", attempts.all);
}

#[test]
fn pings_that_both_places_saw_unchanged_are_answered() {
    let mut places = Places::default();
    places.lookups(4, true);
    let (from, to): (IpAddr, IpAddr) =
        ("192.0.2.5".parse().expect("one"), "198.51.100.80".parse().expect("one"));
    for own in 0..8 {
        let at = i64::from(own) * SECOND + 600 * MS;
        let ask = Packet::echo(from, to, false, 7, own).id(own + 900);
        let reply = Packet::echo(to, from, true, 7, own).id(own + 1_900);
        places.sent(at, &ask, &ask);
        places.returned(at + 4 * MS, &reply, &reply);
    }
    let attempts_of = |loaded: Loaded| {
        let attempts = Attempts::of(&loaded.evidence);
        attempts.all.iter().map(|own| (own.outcome, own.counts)).collect::<Vec<_>>()
    };
    assert_eq!(attempts_of(places.load_far_first()), [(Outcome::Answered, (8, 8))]);
}
