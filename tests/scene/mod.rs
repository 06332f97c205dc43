//! Generated captures for the tests of findings and hypotheses: packets at chosen times, examined as a file.

#![allow(dead_code, reason = "each test uses its part of it")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::too_many_arguments,
    reason = "it serves tests only"
)]

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use portmortem::capture::open;
use portmortem::case::State;
use portmortem::correlate::{Evidence, Parameters, correlate};
use portmortem::filter::{Context, Filter};
use portmortem::findings::hypotheses::Assessment;
use portmortem::findings::{self, Finding};
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Packet, PcapWriter, Segment, Variant, flags, link};
use portmortem::index::{Index, Input, Progress, build};
use portmortem::report::{self, Report};

pub const START_NS: i64 = 1_700_000_000_000_000_000;
pub const MS: i64 = 1_000_000;
pub const SECOND: i64 = 1_000 * MS;
pub const SERVER: &str = "198.51.100.53";

/// Packets with their times, in any order.
#[derive(Default)]
pub struct Scene {
    pub packets: Vec<(i64, Vec<u8>)>,
    pub ip_id: u16,
    /// Bytes kept of each frame; 0 keeps all.
    pub snap: usize,
}

impl Scene {
    pub fn put(&mut self, at_ns: i64, packet: Packet) -> Packet {
        self.ip_id = self.ip_id.wrapping_add(1).max(1);
        let packet = packet.id(self.ip_id);
        self.packets.push((START_NS + at_ns, packet.ethernet()));
        packet
    }

    pub fn query(&mut self, at_ns: i64, from: &str, to: &str, id: u16, name: &str, qtype: u16) -> Packet {
        self.put(at_ns, Packet::udp(from, format!("{to}:53").as_str(), &dns::query(id, name, qtype)))
    }

    pub fn reply(&mut self, at_ns: i64, from: &str, to: &str, message: &[u8]) -> Packet {
        self.put(at_ns, Packet::udp(format!("{from}:53").as_str(), to, message).ttl(57))
    }

    /// A question and its answer `trip_ns` later.
    pub fn lookup(&mut self, at_ns: i64, trip_ns: i64, from: &str, to: &str, id: u16, name: &str) {
        self.query(at_ns, from, to, id, name, dns::A);
        let answer = dns::answer(id, name, Data::A([192, 0, 2, 80].into()));
        self.reply(at_ns + trip_ns, to, from, &answer);
    }

    pub fn tcp(&mut self, at_ns: i64, from: &str, to: &str, bits: u8, payload: &[u8]) {
        let segment = Segment { flags: bits, ..Segment::default() };
        self.put(at_ns, Packet::tcp(from, to, segment, payload));
    }

    pub fn examine(self) -> (Vec<Finding>, Vec<Assessment>) {
        let examined = self.review();
        (examined.findings, examined.assessments)
    }

    /// The packets read as a file, and what correlation finds in them.
    pub fn load(mut self) -> (Index, Evidence) {
        self.packets.sort_by_key(|(time_ns, _)| *time_ns);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("scene.pcap");
        let file = std::fs::File::create(&path).expect("a file");
        let mut writer = PcapWriter::new(file, Variant::default(), link::ETHERNET).expect("a header");
        for (time_ns, frame) in &self.packets {
            let kept = if self.snap == 0 { frame.len() } else { frame.len().min(self.snap) };
            writer.cut_packet(*time_ns, &frame[..kept], frame.len() as u32).expect("a packet");
        }
        writer.finish().expect("the end");
        let (source, walk) = open(&path).expect("a capture");
        let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
        let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
        (index, evidence)
    }

    /// The draft of a report.
    pub fn report(self) -> Report {
        let (index, evidence) = self.load();
        let input = findings::Input { index: &index, evidence: &evidence };
        let findings::Examined { findings, assessments, coverage, .. } = findings::review(&input, &[], &[]);
        let report = report::draft(&report::Input {
            index: &index,
            evidence: &evidence,
            findings: &findings,
            assessments: &assessments,
            coverage: &coverage,
            case: &State::default(),
        });
        // No report contradicts itself (truth T40).
        assert_eq!(report::lint::lint(&report).contradictions(), [""; 0], "{}", report.title);
        report
    }

    pub fn review(self) -> findings::Examined {
        let (index, evidence) = self.load();
        let input = findings::Input { index: &index, evidence: &evidence };
        let examined = findings::review(&input, &[], &[]);
        // Every printed filter counts again what its finding says.
        let cancel = AtomicBool::new(false);
        let context = Context { index: &index, evidence: Some(&evidence), notes: None, cancel: &cancel };
        let counts = examined.findings.iter().flat_map(|finding| &finding.counts);
        for count in counts.filter(|count| !count.filter.is_empty()) {
            let filter = Filter::parse(&count.filter).expect("a filter that parses");
            assert_eq!(filter.rows(&context).len() as u64, count.value, "{}", count.filter);
        }
        // And of what was not assessed each filter shows the frames it names.
        for item in examined.coverage.not_assessed.iter().filter(|item| !item.frames.is_empty()) {
            let filter = Filter::parse(&item.filter).expect("a filter that parses");
            assert_eq!(filter.rows(&context).len(), item.frames.len(), "{}", item.filter);
        }
        examined
    }
}

/// The causes that lead and what holds beside them.
pub fn leading(assessments: &[Assessment]) -> BTreeSet<&'static str> {
    let first = assessments.first().expect("an assessment");
    first
        .leading()
        .into_iter()
        .chain(first.beside())
        .map(portmortem::findings::hypotheses::Hypothesis::id)
        .collect()
}

pub fn client(number: usize) -> String {
    format!("192.0.2.{}:{}", 10 + number % 40, 30_000 + number)
}

#[track_caller]
pub fn expect(scene: Scene, id: &str) -> (Vec<Finding>, Vec<Assessment>) {
    let (found, assessments) = scene.examine();
    let top = leading(&assessments);
    let ledger: Vec<String> = assessments[0]
        .hypotheses
        .iter()
        .take(4)
        .flat_map(|h| {
            let head = format!("{} {:?} {:?}", h.cause, h.score_db, h.verdict);
            std::iter::once(head)
                .chain(h.ledger.iter().map(|r| format!("   {:?} {}", r.weight_db, r.observation)))
        })
        .collect();
    assert!(top.contains(id), "{id} expected, {top:?} lead:\n{}", ledger.join("\n"));
    (found, assessments)
}

/// The weight of one row for one hypothesis in the first assessment.
pub fn weight(assessments: &[Assessment], hypothesis: &str, row: &str) -> Option<i32> {
    let ledger = &assessments.first()?.hypothesis(hypothesis)?.ledger;
    ledger.iter().find(|own| own.id == row)?.weight_db
}

/// One TCP connection whose two sides keep count of what they sent.
pub struct Session<'s> {
    pub scene: &'s mut Scene,
    pub ends: [String; 2],
    pub next: [u32; 2],
    pub at_ns: i64,
}

impl<'s> Session<'s> {
    pub fn open(scene: &'s mut Scene, at_ns: i64, from: &str, to: &str) -> Self {
        let mut own = Self { scene, ends: [from.to_owned(), to.to_owned()], next: [1_000, 5_000], at_ns };
        own.segment(0, flags::SYN, b"");
        own.segment(1, flags::SYN | flags::ACK, b"");
        own.segment(0, flags::ACK, b"");
        own
    }

    /// Sends a segment of one side a millisecond after the one before.
    pub fn segment(&mut self, side: usize, bits: u8, payload: &[u8]) -> Packet {
        self.at_ns += MS;
        let acknowledgment = if bits & flags::ACK == 0 { 0 } else { self.next[1 - side] };
        let segment = Segment { sequence: self.next[side], acknowledgment, flags: bits };
        let length = payload.len() as u32 + u32::from(bits & (flags::SYN | flags::FIN) != 0);
        self.next[side] = self.next[side].wrapping_add(length);
        let packet = Packet::tcp(self.ends[side].as_str(), self.ends[1 - side].as_str(), segment, payload);
        self.scene.put(self.at_ns, packet)
    }

    pub fn says(&mut self, side: usize, payload: &[u8]) {
        self.segment(side, flags::ACK | flags::PSH, payload);
        self.segment(1 - side, flags::ACK, b"");
    }

    pub fn close(&mut self) {
        self.segment(0, flags::FIN | flags::ACK, b"");
        self.segment(1, flags::FIN | flags::ACK, b"");
        self.segment(0, flags::ACK, b"");
    }
}

/// A whole connection: what is said by turns, the client first where `first` is 0.
pub fn talk(scene: &mut Scene, at_ns: i64, from: &str, to: &str, first: usize, said: &[&[u8]]) {
    let mut session = Session::open(scene, at_ns, from, to);
    for (turn, bytes) in said.iter().enumerate() {
        session.says((first + turn) % 2, bytes);
    }
    session.close();
}
