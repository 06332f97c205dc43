//! How filters run: order and progress, stopping, going on from where they were, names, warnings, completion, questions.

#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use portmortem::capture::open_bytes;
use portmortem::correlate::{Evidence, Parameters, correlate};
use portmortem::filter::named::ONLY_SHIPPED;
use portmortem::filter::{Context, Filter, Vocabulary, complete};
use portmortem::generate::bulk::{self, Mix};
use portmortem::generate::{Packet, PcapWriter, Variant, dns, link};
use portmortem::index::{Index, Input, PacketId, Progress, build};

static NEVER: AtomicBool = AtomicBool::new(false);

fn open(captures: Vec<Vec<u8>>) -> (Index, Evidence) {
    let inputs = captures.into_iter().map(|bytes| {
        let (source, walk) = open_bytes("generated.pcap", bytes.leak()).unwrap();
        Input { source, walk, offset_ns: 0 }
    });
    let index = build(inputs.collect(), 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &NEVER);
    (index, evidence)
}

fn context<'c>(index: &'c Index, evidence: &'c Evidence, cancel: &'c AtomicBool) -> Context<'c> {
    Context { index, evidence: Some(evidence), notes: None, cancel }
}

fn bulk_capture(mix: Mix, mebibytes: u64, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    bulk::write(&mut bytes, mix, mebibytes << 20, seed).unwrap();
    bytes
}

fn capture_of(packets: &[(i64, Packet)]) -> Vec<u8> {
    let mut capture = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).unwrap();
    for (at_ns, packet) in packets {
        capture.packet(*at_ns, &packet.ethernet()).unwrap();
    }
    capture.finish().unwrap()
}

#[test]
fn rows_come_in_the_order_of_time_with_progress_to_the_end() {
    // Two files whose packets interleave.
    let captures = vec![bulk_capture(Mix::Small, 1, 1), bulk_capture(Mix::Small, 1, 2)];
    let (index, evidence) = open(captures);
    assert!(index.order.is_some());
    let context = context(&index, &evidence, &NEVER);
    for text in [
        "udp.port == 53",
        "dns.qry.name contains \"a\"",
        "frame contains 01:00",
        "dns.outcome == answered",
        "dns.attempt > 1",
        "sibling(dns.attempt > 1)",
        "partner(icmp.error)",
        "udp.stream == 7",
    ] {
        let filter = Filter::parse(text).unwrap();
        let (mut rows, mut done) = (Vec::new(), 0);
        let mut total = 0;
        let finished = filter.rows_with(&context, &mut |step| {
            assert!(step.done >= done, "{text}: progress went back");
            (done, total) = (step.done, step.total);
            rows.extend_from_slice(step.rows);
        });
        assert!(finished && done == total && total == index.len(), "{text}: {done} of {total}");
        let matching: Vec<u32> =
            (0..index.len()).filter(|id| filter.matches(&context, PacketId(*id))).collect();
        assert_eq!(rows, index.in_order(matching), "{text}");
    }
}

/// Filters of every kind, each with matches in the first segments of a generated capture.
const KINDS: &[&str] = &[
    "udp.port == 53",
    "dns.qry.name contains \"a\"",
    "frame contains 01:00",
    "ip.ttl + 1 > 2",
    "udp.stream < 70000",
    "dns.outcome == answered",
    "dns.waited < 10s",
    "dns.attempt == 1",
    "dns.response_in",
    "dns.time < 10s",
    "link.level == exact",
    "link.frame > 0",
    "not link.level == exact",
    "link.level == exact and udp.srcport == 53",
    "not duplicate",
    "link.delayed == false",
    "all link.level == exact",
    "count(link.frame) == 1",
    "partner(udp.srcport == 53)",
    "not partner(udp.srcport == 53)",
    "transaction(dns.flags.response)",
    "first(dns.flags.response)",
    "sibling(dns)",
    "not sibling(dns.flags.rcode == 3)",
    "partner(transaction(dns.flags.response == 1))",
    "partner(frame contains 01:00)",
    "icmp.error or partner(icmp.error)",
    "episode or dns",
];

/// Runs something on one thread, so that a batch is one stretch of packets on every machine.
fn on_one_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(body)
}

#[test]
fn every_kind_of_filter_shows_its_first_rows_before_it_has_looked_at_the_rest() {
    let (index, evidence) = open(vec![bulk_capture(Mix::Small, 20, 1)]);
    // The first step is about one segment, the second about two.
    let early: u32 = index.segments().iter().take(3).map(|segment| segment.len() as u32).sum();
    assert!(early < index.len());
    on_one_thread(|| {
        for text in KINDS {
            let filter = Filter::parse(text).unwrap();
            let cancel = AtomicBool::new(false);
            let (mut steps, mut first) = (0, None);
            let finished = filter.rows_with(&context(&index, &evidence, &cancel), &mut |step| {
                steps += 1;
                if first.is_none() && !step.rows.is_empty() {
                    first = Some((steps, step.done));
                    cancel.store(true, Ordering::Relaxed);
                }
            });
            let (at, done) = first.unwrap();
            assert!(done <= early, "{text}: the first rows came after {done} packets");
            assert!(!finished && steps == at, "{text}: {steps} steps, stopped after {at}");
        }
    });
}

/// Notes that count how often they are asked for, and stop the search at one of the times.
struct Counted<'c> {
    asked: AtomicUsize,
    stop_at: usize,
    cancel: &'c AtomicBool,
}

impl portmortem::filter::Notes for Counted<'_> {
    fn notes(&self, _: PacketId) -> Vec<String> {
        Vec::new()
    }
    fn tags(&self, _: PacketId) -> Vec<String> {
        Vec::new()
    }
    fn is_marked(&self, packet: PacketId) -> bool {
        if self.asked.fetch_add(1, Ordering::Relaxed) + 1 == self.stop_at {
            self.cancel.store(true, Ordering::Relaxed);
        }
        packet.0.is_multiple_of(3)
    }
}

const ABOUT_MARKS: &[&str] = &[
    "marked",
    "not marked",
    "partner(marked)",
    "not partner(marked)",
    "transaction(marked)",
    "first(not marked)",
    "sibling(marked)",
    "partner(transaction(marked))",
    "link.level == exact and sibling(marked)",
];

#[test]
fn a_function_asks_only_where_the_packets_of_a_stretch_have_their_links() {
    let (index, evidence) = open(vec![bulk_capture(Mix::Small, 20, 1)]);
    on_one_thread(|| {
        for text in ABOUT_MARKS {
            let filter = Filter::parse(text).unwrap();
            let cancel = AtomicBool::new(false);
            let notes = Counted { asked: AtomicUsize::new(0), stop_at: 0, cancel: &cancel };
            let context = Context { notes: Some(&notes), ..context(&index, &evidence, &cancel) };
            let mut asked = Vec::new();
            filter.rows_with(&context, &mut |_| asked.push(notes.asked.load(Ordering::Relaxed)));
            let all = index.len() as usize;
            assert!(asked[0] > 0 && asked[0] < all, "{text}: {asked:?} of {all}");
            assert!(asked.last().is_some_and(|asked| *asked <= all), "{text}: {asked:?} of {all}");
        }
    });
}

#[test]
fn cancelling_is_seen_to_within_a_stretch() {
    let (index, evidence) = open(vec![bulk_capture(Mix::Small, 20, 1)]);
    on_one_thread(|| {
        for text in ABOUT_MARKS {
            let filter = Filter::parse(text).unwrap();
            for stop_at in [1, 1000, 3000] {
                let cancel = AtomicBool::new(false);
                let notes = Counted { asked: AtomicUsize::new(0), stop_at, cancel: &cancel };
                let context = Context { notes: Some(&notes), ..context(&index, &evidence, &cancel) };
                assert!(!filter.rows_with(&context, &mut |_| {}), "{text}");
                let after = notes.asked.load(Ordering::Relaxed) - stop_at;
                assert!(after < 64, "{text}: {after} more packets were asked about");
            }
        }
    });
}

/// Tests and functions over what correlation found.
const LINKED: &[&str] = &[
    "link.level == exact",
    "link.level != exact",
    "link.level == orphan",
    "link.level in {nat, orphan, contradicted}",
    "all link.level == exact",
    "any link.level != exact",
    "not link.level",
    "link.kind == retry_of",
    "link.kind == duplicate_of or link.kind == error_about",
    "link.frame == 1",
    "count(link.frame) > 1",
    "link.delta > 10ms",
    "link.delayed",
    "not link.delayed",
    "link.delayed == false",
    "dns.outcome",
    "dns.outcome != answered",
    "upper(dns.outcome) == \"ANSWERED\"",
    "dns.waited > 100ms",
    "dns.tries > 1",
    "dns.ede",
    "dns.attempt > 1",
    "not dns.attempt == 1",
    "dns.response_in",
    "dns.response_to < 20",
    "dns.time > 10ms",
    "duplicate",
    "not duplicate",
    "duplicate == false",
    "episode",
    "episode == 1",
    "not problem == 1",
    "count(episode) == 1",
    "anomaly",
    "anomaly != unsolicited",
    "partner(duplicate)",
    "partner(icmp.error)",
    "partner(not dns)",
    "partner(dns.flags.response == 1)",
    "transaction(icmp.error)",
    "transaction(dns.flags.rcode == 3)",
    "transaction(frame.number < 30)",
    "first(icmp.error)",
    "first(dns.attempt > 1)",
    "sibling(icmp.error)",
    "sibling(dns.flags.rcode != 0)",
    "not sibling(dns.qry.type == 28)",
    "sibling(frame contains \"www\")",
    "partner(partner(icmp.error))",
    "sibling(not transaction(icmp.error)) and not duplicate",
];

#[test]
fn a_stretch_of_packets_and_each_packet_alone_are_answered_alike() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/incidents");
    let file = |name: &str| std::fs::read(folder.join(name)).unwrap();
    for captures in [
        vec![file("02a_fw_admin_prohibited.pcap")],
        vec![file("15_span_duplicates.pcap")],
        vec![file("08_failover.pcap"), file("07_udp_rejected_tcp_ok.pcap")],
        vec![bulk_capture(Mix::Ordinary, 1, 5)],
    ] {
        let (index, evidence) = open(captures);
        let context = context(&index, &evidence, &NEVER);
        for text in LINKED {
            let filter = Filter::parse(text).unwrap();
            let alone = (0..index.len()).filter(|id| filter.matches(&context, PacketId(*id))).collect();
            assert_eq!(filter.rows(&context), index.in_order(alone), "{text}");
        }
    }
}

#[test]
fn what_was_found_before_and_what_follows_make_the_whole() {
    let (index, evidence) = open(vec![bulk_capture(Mix::Small, 12, 3)]);
    let context = context(&index, &evidence, &NEVER);
    let start = index.segment_start(index.len() - 1);
    assert!(start > 0, "the capture has more than one segment");
    for text in ["udp port 53", "dns.qry.name contains \"e\"", "frame.len > 200 and not tcp"] {
        let filter = Filter::parse(text).unwrap();
        assert!(filter.is_stepwise());
        let whole = filter.rows(&context);
        let mut rows: Vec<u32> = whole.iter().copied().filter(|row| *row < start).collect();
        let mut first_done = None;
        filter.rows_from(start, &context, &mut |step| {
            first_done.get_or_insert(step.done);
            rows.extend_from_slice(step.rows);
        });
        assert!(first_done.is_some_and(|done| done >= start), "{text}: progress begins where it left off");
        assert_eq!(rows, whole, "{text}");
    }
    for text in ["tcp.stream == 1", "partner(icmp)"] {
        assert!(!Filter::parse(text).unwrap().is_stepwise(), "{text}");
    }
}

#[test]
fn every_question_of_a_message_is_seen() {
    let mut message = dns::query(7, "first.example", dns::A);
    // QDCOUNT 2, and a second question with another type.
    message[5] = 2;
    message.extend(dns::name("second.example"));
    message.extend([0, 28, 0, 1]);
    let two = Packet::udp("192.0.2.1:5000", "192.0.2.53:53", &message);
    let one = Packet::udp("192.0.2.1:5001", "192.0.2.53:53", &dns::query(8, "first.example", dns::A));
    let (index, evidence) = open(vec![capture_of(&[(1, two), (2, one)])]);
    let context = context(&index, &evidence, &NEVER);
    for (text, expected) in [
        ("dns.qry.name == \"second.example\"", vec![0]),
        ("dns.qry.name == \"first.example\"", vec![0, 1]),
        ("dns.qry.name != \"first.example\"", vec![]),
        ("any dns.qry.name != \"first.example\"", vec![0]),
        ("all dns.qry.name == \"first.example\"", vec![1]),
        ("dns.qry.type == AAAA", vec![0]),
        ("count(dns.qry.name) == 2", vec![0]),
        ("dns.qry.class == IN", vec![0, 1]),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.rows(&context), expected, "{text}");
        let single: Vec<u32> = (0..2).filter(|id| filter.matches(&context, PacketId(*id))).collect();
        assert_eq!(single, expected, "{text}, packet by packet");
    }
}

#[test]
fn a_name_means_the_cases_own_filter_before_a_shipped_one() {
    let own = |name: &str| match name {
        "resets" => Some("udp.port == 53".to_owned()),
        "mine" => Some("$resets and dns".to_owned()),
        "circle" => Some("$circle".to_owned()),
        _ => None,
    };
    let packet = Packet::udp("192.0.2.1:5000", "192.0.2.53:53", &dns::query(7, "a.example", dns::A));
    let (index, evidence) = open(vec![capture_of(&[(1, packet)])]);
    let context = context(&index, &evidence, &NEVER);
    let rows = |text: &str| Filter::parse_with(text, &own, &ONLY_SHIPPED).map(|filter| filter.rows(&context));
    assert_eq!(rows("$resets").unwrap(), [0]);
    assert_eq!(rows("not $mine").unwrap(), [0u32; 0]);
    assert_eq!(rows("$unanswered").unwrap(), [0u32; 0]);
    assert!(rows("$circle").unwrap_err().message.contains("refer to each other"));
    let error = rows("$problem").unwrap_err();
    assert!(error.unfinished && error.suggestion.as_deref() == Some("$problems"), "{error:?}");
}

#[test]
fn warnings_name_what_can_match_nothing_and_what_a_peer_reads_differently() {
    let packet = Packet::udp("192.0.2.1:5000", "192.0.2.53:53", &dns::query(7, "a.example", dns::A));
    let (index, evidence) = open(vec![capture_of(&[(1, packet)])]);
    let context = context(&index, &evidence, &NEVER);
    for (text, expected) in [
        ("dns.flags.rcode == 99", "dns.flags.rcode has no value 99: it goes from 0 to 15"),
        ("tcp", "no packet has protocol tcp"),
        ("ip.ttl == 300", "ip.ttl has no value 300: it goes from 0 to 255"),
        ("dns and tcp.flags.reset", "no packet has tcp.flags.reset"),
        ("udp.srcport == udp.dstport", "no packet of this capture matches this part"),
        ("udp port 53 or icmp and host 192.0.2.1", "read from left to right, as tcpdump does"),
        ("udp port 53 or icmp and dns.id == 7", "`and` binds tighter than `or` here"),
        ("ip[9] == 11", "read as 11 in decimal"),
    ] {
        let filter = Filter::parse(text).unwrap();
        let warnings = filter.warnings(&context);
        assert!(
            warnings.iter().any(|(span, message)| message.starts_with(expected) && span.end <= text.len()),
            "{text}: {warnings:?}"
        );
    }
    assert_eq!(Filter::parse("udp port 53 and ip[9] == 0x11").unwrap().warnings(&context), []);
}

#[test]
fn completion_offers_what_fits_the_place_and_occurs() {
    let query =
        |at: u16, name: &str| Packet::udp("192.0.2.1:5000", "192.0.2.53:53", &dns::query(at, name, dns::A));
    let packets =
        [(1, query(1, "rare.example")), (2, query(2, "often.example")), (3, query(3, "often.example"))];
    let (index, evidence) = open(vec![capture_of(&packets)]);
    let vocabulary = Vocabulary::new(&context(&index, &evidence, &NEVER));
    let offered = |text: &str| {
        let found = complete(text, text.len(), Some(&vocabulary), &ONLY_SHIPPED);
        found.into_iter().map(|c| (c.text, c.count)).collect::<Vec<_>>()
    };
    assert_eq!(offered("dns.qry.na")[0].0, "dns.qry.name");
    assert_eq!(offered("dns.qry.name ")[0].0, "==");
    let names = offered("dns.qry.name == ");
    assert_eq!(names[0], ("\"often.example\"".to_owned(), Some(2)));
    assert_eq!(names[1], ("\"rare.example\"".to_owned(), Some(1)));
    assert_eq!(offered("dns and udp.port == 5")[0], ("53".to_owned(), Some(3)));
    assert!(offered("host 192.0.2.5").iter().any(|(text, _)| text == "192.0.2.53"));
    assert!(offered("$prob").iter().any(|(text, _)| text == "$problems"));
    assert_eq!(offered("dns.flags.response == 0 ")[0].0, "and");
    assert!(offered("tcp.port in {44").iter().all(|(text, _)| text != "dns"));
    // What is put in replaces the word the cursor stands in.
    let found = complete("dns.qr == 1", 6, Some(&vocabulary), &ONLY_SHIPPED);
    assert_eq!(found[0].range, 0..6);
}

#[test]
fn deep_nesting_and_long_sums_are_refused_and_not_followed() {
    for text in [
        format!("{}udp.length{} == 1", "(".repeat(100), ")".repeat(100)),
        format!("ip[{}0{}] == 1", "ip[".repeat(100), "]".repeat(100)),
        format!("udp.length {} == 1", "+ 1 ".repeat(100) + "+ udp.length"),
        format!("udp.length {}- 1 == 1", "- ".repeat(200)),
    ] {
        let result = Filter::parse(&text);
        if let Err(error) = result {
            assert!(error.span.end <= text.len(), "{error:?}");
        }
    }
    assert!(Filter::parse(&format!("{}dns{}", "(".repeat(100), ")".repeat(100))).is_err());
}
