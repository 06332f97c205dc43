//! Correlation of captures that are hard to read: reused ids, moved clocks, copies, short quotes, answers that do not fit.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets the unexpected should stop there"
)]

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::{
    AnomalyKind, Evidence, Level, LinkKind, Outcome, Parameters, Reason, Transaction, correlate, encrypted,
    lookups,
};
use portmortem::filter::{Context, Filter};
use portmortem::generate::dns::{self, Data, Message};
use portmortem::generate::{ByteOrder, Packet, PcapWriter, PcapngWriter, Variant, link};
use portmortem::index::{Index, Input, PacketId, Progress, build};

const START_NS: i64 = 1_700_000_000_000_000_000;
const MS: i64 = 1_000_000;
const CLIENT: &str = "192.0.2.10:40000";
const SERVER: &str = "198.51.100.53:53";
const NAME: &str = "www.shop.example";

fn evidence_of(index: Index) -> (Index, Evidence) {
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

fn load(paths: &[&Path]) -> (Index, Evidence) {
    let input = |path: &&Path| {
        let (source, walk) = capture::open(path).unwrap();
        Input { source, walk, offset_ns: 0 }
    };
    evidence_of(build(paths.iter().map(input).collect(), 2, &Progress::default(), |_| {}))
}

fn file(frames: &[(i64, Vec<u8>)]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = PcapWriter::new(file.as_file(), Variant::default(), link::ETHERNET).unwrap();
    for (at_ns, bytes) in frames {
        writer.packet(START_NS + at_ns, bytes).unwrap();
    }
    writer.finish().unwrap();
    file
}

/// Reads frames in the order given, whatever their times; a silent end lets queries be unanswered.
fn examine(frames: &[(i64, Packet)]) -> (Index, Evidence) {
    let mut all: Vec<(i64, Vec<u8>)> = frames.iter().map(|(at, packet)| (*at, packet.ethernet())).collect();
    all.push((60_000 * MS, Packet::udp("192.0.2.99:123", "192.0.2.98:123", &[0; 48]).ethernet()));
    load(&[file(&all).path()])
}

fn query(id: u16, name: &str) -> Packet {
    Packet::udp(CLIENT, SERVER, &dns::query(id, name, dns::A))
}

fn reply(id: u16, name: &str) -> Packet {
    Packet::udp(SERVER, CLIENT, &dns::answer(id, name, Data::A([203, 0, 113, 80].into())))
}

fn outcomes(evidence: &Evidence) -> Vec<Outcome> {
    evidence.transactions.iter().map(|transaction| transaction.outcome).collect()
}

fn kinds(evidence: &Evidence) -> Vec<(AnomalyKind, u32)> {
    evidence.anomalies.iter().map(|anomaly| (anomaly.kind, anomaly.packet.0)).collect()
}

/// Frame positions of the answer, if any.
fn answers(evidence: &Evidence) -> Vec<Option<u32>> {
    evidence.transactions.iter().map(|t: &Transaction| t.answer.map(|answer| answer.0)).collect()
}

/// What an error is about, and how sure that is.
fn about(evidence: &Evidence, error: u32) -> (Option<u32>, Level) {
    let links = evidence.links_from(PacketId(error));
    let link = links.iter().find(|link| link.kind == LinkKind::ErrorAbout).expect("an error has a link");
    (link.to.map(|to| to.0), link.level)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn one_id_for_other_names_within_a_second_keeps_the_answers_apart() {
    let frames = [
        (0, query(7, "a.example")),
        (100 * MS, query(7, "b.example")),
        (200 * MS, query(7, "c.example")),
        (300 * MS, reply(7, "c.example")),
        (310 * MS, reply(7, "a.example")),
        (320 * MS, reply(7, "d.example")),
    ];
    let (_, evidence) = examine(&frames);
    assert_eq!(answers(&evidence), [Some(4), None, Some(3)]);
    assert_eq!(outcomes(&evidence), [Outcome::Answered, Outcome::NoAnswer, Outcome::Answered]);
    assert_eq!(kinds(&evidence), [(AnomalyKind::AnswerToOtherQuestion, 5)]);
}

#[test]
fn a_stub_that_goes_from_resolver_to_resolver_asks_once() {
    let to = |at, server: &str| (at, Packet::udp(CLIENT, server, &dns::query(9, NAME, dns::A)));
    let answer = dns::answer(9, NAME, Data::A([203, 0, 113, 80].into()));
    let frames = [
        to(0, SERVER),
        to(5_000 * MS, "198.51.100.54:53"),
        to(8_000 * MS, "198.51.100.55:53"),
        (8_020 * MS, Packet::udp("198.51.100.55:53", CLIENT, &answer)),
    ];
    let (index, evidence) = examine(&frames);
    assert_eq!(outcomes(&evidence), [Outcome::NoAnswer, Outcome::NoAnswer, Outcome::Answered]);
    assert_eq!(evidence.lookups(&index).len(), 1);
    assert_eq!(lookups::place(&index, &evidence, PacketId(2)), Some((3, 3)));
    let cancel = AtomicBool::new(false);
    let context = Context { index: &index, evidence: Some(&evidence), notes: None, cancel: &cancel };
    let rows = |text: &str| Filter::parse(text).unwrap().rows(&context);
    assert_eq!(rows("dns.attempt == 2"), [1]);
    assert_eq!(rows("sibling(frame.number == 4)"), [0, 1, 2]);
}

#[test]
fn flows_that_may_carry_encrypted_dns_are_labelled() {
    let to = |server: &str| (0, Packet::udp(CLIENT, server, &[0x40; 32]));
    let frames = [to("198.51.100.9:8853"), to("198.51.100.9:784"), to("9.9.9.9:443"), to("198.51.100.9:443")];
    let (index, evidence) = examine(&frames);
    let labels = (0..4).map(|at| encrypted::label(&index.packet(PacketId(at)).unwrap()));
    let labels: Vec<Option<&str>> = labels.collect();
    assert_eq!(labels, [Some("DNS over QUIC"), Some("DNS over QUIC"), Some("DNS over HTTPS"), None]);
    assert!(evidence.transactions.is_empty(), "a label is no query");
}

#[test]
fn an_answer_from_another_address_answers_nothing() {
    let answer = dns::answer(5, NAME, Data::A([203, 0, 113, 80].into()));
    let frames = [
        (0, query(5, NAME)),
        (10 * MS, Packet::udp("198.51.100.54:53", CLIENT, &answer)),
        (20 * MS, Packet::udp(SERVER, "192.0.2.10:40001", &answer)),
    ];
    let (_, evidence) = examine(&frames);
    assert_eq!(outcomes(&evidence), [Outcome::NoAnswer]);
    assert_eq!(kinds(&evidence), [(AnomalyKind::AnswerFromOtherAddress, 1), (AnomalyKind::Unsolicited, 2)]);
    assert_eq!(evidence.anomalies[0].against, Some(PacketId(0)));
}

#[test]
fn a_capture_that_begins_with_answers_calls_them_unsolicited_and_nothing_else() {
    let frames = [(0, reply(1, "a.example")), (MS, reply(2, "b.example")), (9 * MS, query(3, NAME))];
    let (_, evidence) = examine(&frames);
    assert_eq!(kinds(&evidence), [(AnomalyKind::Unsolicited, 0), (AnomalyKind::Unsolicited, 1)]);
    assert_eq!(evidence.transactions.len(), 1);
}

#[test]
fn the_ip_id_tells_which_of_two_equal_queries_an_error_is_about() {
    for (ids, expected) in [([11, 12], (Some(0), Level::Exact)), ([0, 0], (Some(1), Level::Probable))] {
        let tries = ids.map(|id| query(8, NAME).id(id));
        let frames = [
            (0, tries[0].clone()),
            (1_000 * MS, tries[1].clone()),
            (1_500 * MS, Packet::port_unreachable(&tries[0]).id(900)),
        ];
        let (_, evidence) = examine(&frames);
        assert_eq!(about(&evidence, 2), expected, "{ids:?}");
        assert_eq!((evidence.transactions.len(), outcomes(&evidence)[0]), (1, Outcome::Refused));
    }
}

#[test]
fn an_error_about_an_answer_is_not_held_against_the_server() {
    let answer = reply(8, NAME).id(77);
    let frames =
        [(0, query(8, NAME)), (9 * MS, answer.clone()), (10 * MS, Packet::port_unreachable(&answer))];
    let (_, evidence) = examine(&frames);
    assert_eq!(about(&evidence, 2), (Some(1), Level::Exact));
    assert_eq!(outcomes(&evidence), [Outcome::Answered]);
    assert_eq!(kinds(&evidence), [(AnomalyKind::ErrorAboutResponse, 2)]);
}

#[test]
fn eight_quoted_bytes_prove_no_more_than_they_hold() {
    let sent = query(8, NAME).id(44);
    let quote = &sent.bytes()[..28];
    let short = Packet::error_quoting(ip("198.51.100.53"), ip("192.0.2.10"), 3, 3, quote);
    let (_, evidence) = examine(&[(0, sent.clone()), (MS, short.clone())]);
    assert_eq!(about(&evidence, 1), (Some(0), Level::Exact), "IP id and length, one candidate");
    let unnumbered = query(8, NAME);
    let quote = &unnumbered.bytes()[..28];
    let short = Packet::error_quoting(ip("198.51.100.53"), ip("192.0.2.10"), 3, 3, quote);
    let (_, evidence) = examine(&[(0, unnumbered.clone()), (MS, short)]);
    assert_eq!(about(&evidence, 1), (Some(0), Level::Probable));
}

#[test]
fn a_quote_with_more_bytes_than_were_sent_agrees_with_nothing() {
    let (sent, other) = (query(8, NAME).id(44), query(8, "much-longer.www.shop.example").id(45));
    let forged = Packet::error_about(ip("198.51.100.53"), 3, 3, &other);
    let (_, evidence) = examine(&[(0, sent), (MS, forged)]);
    assert_eq!(about(&evidence, 1), (None, Level::Orphan), "the other query may not have been captured");
    assert_eq!(evidence.error_links()[0].reason, Reason::NotCaptured);
    assert_eq!(outcomes(&evidence), [Outcome::NoAnswer]);
}

#[test]
fn only_where_all_that_was_sent_is_in_view_a_quote_of_nothing_sent_is_contradicted() {
    let sent = |id: u16| query(id, NAME).id(100 + id).unfinished();
    let reported = |id: u16| {
        let other = query(7_777, NAME).id(id);
        Packet::error_about(ip("198.51.100.53"), 3, 3, &other)
    };
    let far = Packet::udp("192.0.2.99:123", "192.0.2.98:123", &[0; 48]);
    let level = |frames: &[(i64, Packet)]| {
        let (_, evidence) = examine(frames);
        let link = &evidence.error_links()[0];
        (link.level, link.reason)
    };
    let begin = 5_000 * MS;
    let seen = vec![
        (0, far),
        (begin, sent(1)),
        (begin + 10 * MS, sent(2)),
        (begin + 20 * MS, sent(3)),
        (begin + 21 * MS, reported(500)),
        (begin + 30 * MS, sent(4)),
    ];
    let contradicted = (Level::Contradicted, Reason::Disagrees);
    assert_eq!(level(&seen), contradicted, "ids 101 to 104, and 500 is quoted");
    let mut known = seen.clone();
    (known[4].1, known[5].1) = (reported(102), sent(9));
    assert_eq!(level(&known), contradicted, "102 was sent with other bytes");
    let not_captured = (Level::Orphan, Reason::NotCaptured);
    let mut gap = seen.clone();
    gap[2].1 = sent(20);
    assert_eq!(level(&gap), not_captured, "the ids have gaps");
    assert_eq!(level(&seen[..5]), not_captured, "what was sent last may be missing");
    assert_eq!(level(&seen[1..]), not_captured, "the capture begins too late");
    let mut finished = seen.clone();
    for (at, id) in [(1, 1), (2, 2), (3, 3), (5, 4)] {
        finished[at].1 = query(id, NAME).id(100 + id);
    }
    assert_eq!(level(&finished), not_captured, "not captured on the client");
}

#[test]
fn the_quote_of_a_translated_query_is_found_by_its_bytes() {
    let sent = query(8, NAME).id(44);
    let outside = Packet::udp("203.0.113.1:61000", SERVER, &dns::query(8, NAME, dns::A)).id(44);
    let error = Packet::error_quoting(ip("198.51.100.53"), ip("192.0.2.10"), 3, 3, &outside.bytes());
    let (_, evidence) = examine(&[(0, sent), (20 * MS, error)]);
    assert_eq!(about(&evidence, 1), (Some(0), Level::Nat));
    assert_eq!(outcomes(&evidence), [Outcome::Refused]);
}

#[test]
fn an_ipv6_quote_behind_extension_headers_is_read() {
    let (client, server) = (ip("2001:db8::10"), ip("2001:db8:53::1"));
    let plain = Packet::udp("[2001:db8::10]:40000", "[2001:db8:53::1]:53", &dns::query(8, NAME, dns::A));
    let mut payload = vec![17, 0, 1, 4, 0, 0, 0, 0];
    payload.extend_from_slice(&plain.bytes()[40..]);
    let sent = Packet::raw(client, server, 60, payload);
    let (_, evidence) = examine(&[(0, sent.clone()), (MS, Packet::port_unreachable(&sent))]);
    assert_eq!(about(&evidence, 1), (Some(0), Level::Exact));
    assert_eq!(outcomes(&evidence), [Outcome::Refused]);
}

#[test]
fn mirrored_and_routed_copies_never_count() {
    let sent = query(8, NAME).id(44);
    let answer = reply(8, NAME).id(45).after_hops(3);
    let (one, two) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let frames = [
        (0, sent.ethernet()),
        (20_000, sent.tagged(one, two, &[30])),
        (90_000, sent.clone().after_hops(1).ethernet_between(two, one)),
        (9 * MS, answer.ethernet()),
        (9 * MS + 30_000, answer.tagged(two, one, &[30])),
        (60_000 * MS, reply(1, NAME).ethernet()),
    ];
    let (_, evidence) = load(&[file(&frames).path()]);
    assert_eq!(evidence.transactions.len(), 1);
    let first = evidence.transactions[0];
    assert_eq!((first.tries, evidence.rtt_ns(&first), first.outcome), (1, 9 * MS, Outcome::Answered));
    let copies: Vec<(u32, u32)> = evidence.duplicates().map(|(copy, of, _)| (copy.0, of.0)).collect();
    assert_eq!(copies, [(1, 0), (2, 0), (4, 3)]);
}

#[test]
fn a_clock_set_back_does_not_part_a_query_from_its_answer_and_error() {
    let refused = Packet::udp("192.0.2.10:40002", SERVER, &dns::query(9, "b.example", dns::A)).id(3);
    let frames = [
        (100_000 * MS, query(8, NAME).id(2)),
        (100_001 * MS, refused.clone()),
        (90_010 * MS, reply(8, NAME)),
        (90_011 * MS, Packet::port_unreachable(&refused)),
    ];
    let (_, evidence) = examine(&frames);
    assert_eq!(outcomes(&evidence), [Outcome::Answered, Outcome::Refused]);
    assert_eq!(about(&evidence, 3), (Some(1), Level::Exact));
    assert_eq!(evidence.backward[0].steps, 2, "the step, and the end that the scene puts at 60 s");
}

#[test]
fn interfaces_written_out_of_order_are_put_in_order() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = PcapngWriter::new(file.as_file(), ByteOrder::Little, &[]).unwrap();
    for name in ["eth0", "eth1"] {
        writer.interface(link::ETHERNET, 9, name).unwrap();
    }
    let scene = [
        (0, 40 * MS, reply(8, NAME)),
        (1, 20 * MS, query(8, NAME)),
        (0, 100 * MS, query(9, "b.example")),
        // Its clock is a little ahead: the answer is stamped before the query.
        (1, 100 * MS - 300_000, reply(9, "b.example")),
    ];
    for (interface, at_ns, packet) in &scene {
        writer.packet(*interface, START_NS + at_ns, &packet.ethernet(), &[]).unwrap();
    }
    writer.finish().unwrap();
    let (_, evidence) = load(&[file.path()]);
    assert_eq!(answers(&evidence), [Some(0), Some(3)]);
    assert_eq!(kinds(&evidence), []);
    assert_eq!(evidence.rtt_ns(&evidence.transactions[0]), 20 * MS);
}

#[test]
fn a_code_that_stands_in_opt_is_no_success() {
    let mut bytes = Message::response(8, NAME, dns::A, 0).edns(1232).bytes();
    let opt = bytes.windows(3).rposition(|window| window == [0, 0, 41]).unwrap();
    // The upper bits of the code are the first byte of what is the TTL of other records.
    bytes[opt + 5] = 1;
    let (index, evidence) = examine(&[(0, query(8, NAME)), (MS, Packet::udp(SERVER, CLIENT, &bytes))]);
    assert_eq!(evidence.transactions[0].response_code, 16);
    assert_eq!(evidence.episodes.len(), 1, "BADVERS is a failure");
    let row = *index.packet(PacketId(1)).unwrap().dns().unwrap();
    assert_eq!(row.response_code(), 16);
    let cancel = AtomicBool::new(false);
    let context = Context { index: &index, evidence: Some(&evidence), notes: None, cancel: &cancel };
    let rows = |text: &str| Filter::parse(text).unwrap().rows(&context);
    assert_eq!(rows("dns.flags.rcode == BADVERS"), [1]);
    assert_eq!(rows("dns.flags.rcode == 0"), [] as [u32; 0]);
}

/// Answered, refused, repeated and silent lookups by three clients.
fn mixture() -> Vec<(i64, Vec<u8>)> {
    let mut frames = Vec::new();
    for number in 0..400u16 {
        let at_ns = i64::from(number) * 37 * MS;
        let client = format!("192.0.2.{}:{}", 10 + number % 3, 40_000 + number % 50);
        let name = format!("host{}.example", number % 23);
        let sent =
            Packet::udp(client.as_str(), SERVER, &dns::query(number % 64, &name, dns::A)).id(1 + number);
        frames.push((at_ns, sent.ethernet()));
        let answer = dns::answer(number % 64, &name, Data::A([203, 0, 113, 80].into()));
        match number % 7 {
            0 => {}
            1 => frames.push((at_ns + 3 * MS, Packet::port_unreachable(&sent).ethernet())),
            2 => frames.push((at_ns + 1_010 * MS, sent.id(2_000 + number).ethernet())),
            _ => frames.push((at_ns + 20 * MS, Packet::udp(SERVER, client.as_str(), &answer).ethernet())),
        }
    }
    frames.sort_by_key(|(at_ns, _)| *at_ns);
    frames
}

/// Outcome, first try and answer of every transaction, and every error's target, all by time.
fn told(index: &Index, evidence: &Evidence) -> Vec<String> {
    let time = |packet: PacketId| index.packet(packet).unwrap().time_ns();
    let transactions = evidence.transactions.iter().map(|t| {
        format!(
            "{} {:?} {:?} {} {:?}",
            time(t.first),
            t.answer.map(time),
            t.error.map(time),
            t.tries,
            t.outcome
        )
    });
    let errors = evidence.error_links().iter();
    let errors = errors.map(|link| format!("{} {:?} {:?}", time(link.from), link.to.map(time), link.level));
    let episodes = evidence.episodes.iter();
    let episodes =
        episodes.map(|e| format!("{} {} {} {:?}", e.client, e.name, e.frames.len(), e.recovery.map(time)));
    let mut told: Vec<String> = transactions.chain(errors).chain(episodes).collect();
    told.sort();
    told
}

#[test]
fn a_capture_cut_in_two_files_tells_the_same_as_the_whole() {
    let frames = mixture();
    let whole = file(&frames);
    let (index, evidence) = load(&[whole.path()]);
    let expected = told(&index, &evidence);
    assert!(evidence.transactions.len() > 300 && evidence.episodes.len() > 20);
    for cut in [1, 17, frames.len() / 2, frames.len() - 3] {
        let (first, second) = (file(&frames[..cut]), file(&frames[cut..]));
        let (index, evidence) = load(&[first.path(), second.path()]);
        assert_eq!(told(&index, &evidence), expected, "cut after {cut}");
        let (index, evidence) = load(&[second.path(), first.path()]);
        assert_eq!(told(&index, &evidence), expected, "cut after {cut}, the later file first");
    }
    // Every other frame in the other file: as two interfaces would have seen it.
    let part = |odd: usize| -> Vec<(i64, Vec<u8>)> { frames.iter().skip(odd).step_by(2).cloned().collect() };
    let (even, odd) = (file(&part(0)), file(&part(1)));
    let (index, evidence) = load(&[even.path(), odd.path()]);
    assert_eq!(told(&index, &evidence), expected, "interleaved");
}

#[test]
fn a_capture_cut_at_any_record_adds_up() {
    let frames = mixture();
    for cut in (0..frames.len()).step_by(13) {
        for part in [&frames[..cut], &frames[cut..]] {
            let (index, evidence) = load(&[file(part).path()]);
            let queries = index.dns_rows().filter(|row| !row.is_response()).count();
            let tries: u32 = evidence.transactions.iter().map(|transaction| transaction.tries).sum();
            assert_eq!(tries as usize + evidence.duplicates().len(), queries, "cut at {cut}");
        }
    }
}

#[test]
fn queries_and_answers_without_end_on_one_flow_and_id_take_linear_time() {
    const ROUNDS: u32 = 60_000;
    let (sent, answer) = (query(8, NAME), reply(8, NAME));
    let (sent, answer) = (sent.id(5).ethernet(), answer.id(6).ethernet());
    let mut frames = Vec::new();
    for round in 0..ROUNDS {
        let at_ns = i64::from(round) * 20 * MS;
        frames.push((at_ns, sent.clone()));
        frames.push((at_ns + 7 * MS, answer.clone()));
        if round % 2 == 0 {
            frames.push((at_ns + 14 * MS, answer.clone()));
        }
    }
    let (_, evidence) = load(&[file(&frames).path()]);
    assert_eq!(evidence.transactions.len(), ROUNDS as usize);
    let further =
        evidence.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::DuplicateAnswer).count();
    assert_eq!(further, ROUNDS as usize / 2);
}
