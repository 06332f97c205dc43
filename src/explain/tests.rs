//! Explanations of real packets.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::correlate::correlate;
use crate::index::{Input, Progress, build};

fn explained(file: &str, frame: u32) -> Explanation {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(file);
    let (source, walk) = crate::capture::open(&path).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let evidence = correlate(&index, &crate::correlate::Parameters::default(), &AtomicBool::new(false));
    explain(&index, &evidence, PacketId(frame - 1)).unwrap()
}

#[test]
fn a_query_is_printed_as_tcpdump_prints_it() {
    let query = explained("lab/01_no_listener.pcap", 3);
    assert_eq!(
        query.line(),
        "19:49:37.809242 IP 198.51.100.15.55774 > 203.0.113.2.53: 42445+ A? yummyrecipesforme.com. (39)"
    );
    assert!(query.tokens.iter().any(|token| token.words.contains("12 header + 23 name + 4 type and class")));
    assert!(query.so_what.contains("It was refused: see F4"), "{}", query.so_what);
    assert!(query.not_so.contains("not a warning"));
}

#[test]
fn a_port_unreachable_names_the_query_it_returns_and_is_no_echo_reply() {
    let error = explained("lab/01_no_listener.pcap", 4);
    assert!(
        error.line().ends_with("ICMP 203.0.113.2 udp port 53 unreachable, length 75"),
        "{}",
        error.line()
    );
    assert!(error.ties.iter().any(|tie| tie.contains("F3") && tie.contains("exact")), "{:?}", error.ties);
    assert!(error.not_so.contains("Not an echo reply") && error.not_so.contains("host is down"));
    let v6 = explained("lab/12_ipv6_no_listener.pcap", 2);
    assert!(
        v6.line().ends_with(
            "ICMP6, destination unreachable, unreachable port, 2001:db8:2::2 udp port 53, length 95"
        ),
        "{}",
        v6.line()
    );
}

#[test]
fn a_transcript_is_explained_with_its_impossible_length_and_a_probable_tie() {
    let query = explained("lab/00_seed_canonical.txt", 1);
    assert!(
        query.tokens.iter().any(|token| token.text == "(24)" && token.words.contains("not a faithful print"))
    );
    let error = explained("lab/00_seed_canonical.txt", 2);
    assert!(error.ties.iter().any(|tie| tie.contains("probable") && tie.contains("L1")), "{:?}", error.ties);
}

#[test]
fn encrypted_dns_is_called_so_and_what_was_not_read_is_not_judged() {
    let refused = "../truth/captures/R03_doq853_refused.pcap";
    let quic = explained(refused, 1);
    assert!(quic.sentence.contains("DNS over QUIC"), "{}", quic.sentence);
    assert!(!quic.so_what.contains("Not part of name resolution"), "{}", quic.so_what);
    let protected = explained("../truth/captures/M09_80211_protected.pcap", 1);
    assert!(protected.so_what.contains("cannot be told"), "{}", protected.so_what);
}

#[test]
fn each_message_of_a_segment_is_told() {
    let file = "../truth/captures/I07_tcp_two_queries_one_segment_second_servfail.pcap";
    let both = explained(file, 4);
    assert!(both.sentence.contains("good.example.com"), "{}", both.sentence);
    assert!(
        both.sentence.contains("It carries 2 DNS messages, also 2 A? bad.example.com"),
        "{}",
        both.sentence
    );
    assert!(both.line().contains("A? bad.example.com"), "{}", both.line());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(file);
    let (source, walk) = crate::capture::open(&path).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let packet = index.packet(PacketId(3)).unwrap();
    let tree = packet.dissect();
    let names: Vec<&str> = tree
        .values("dns.qry.name")
        .map(|node| {
            // The row's bytes are those of its own message.
            let bytes = if node.assembled { &tree.assembled } else { packet.bytes() };
            assert!(bytes[node.start as usize..node.end as usize].ends_with(b"\x07example\x03com\x00"));
            node.text.as_str()
        })
        .collect();
    assert_eq!(names, ["Name: good.example.com.", "Name: bad.example.com."]);
}

#[test]
fn a_copy_before_its_original_is_told_so() {
    let told = |frame| explained("../truth/incidents/a43_anydup.pcap", frame).ties;
    let all: Vec<String> = (1..160).flat_map(told).collect();
    assert!(all.iter().any(|tie| tie.contains("captured elsewhere 4 µs before")), "{all:?}");
    assert!(all.iter().all(|tie| !tie.contains("unknown time")), "{all:?}");
}

/// The explanations of all packets of an incident.
fn incident(file: &str) -> Vec<Explanation> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/truth/incidents").join(file);
    let (source, walk) = crate::capture::open(&path).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let evidence = correlate(&index, &crate::correlate::Parameters::default(), &AtomicBool::new(false));
    (0..index.len()).map(|at| explain(&index, &evidence, PacketId(at)).unwrap()).collect()
}

#[test]
fn messages_of_services_are_told_in_their_own_words() {
    let web = incident("b12_http5.pcap");
    let refused = web.iter().find(|told| told.sentence.contains("status 503")).unwrap();
    assert!(refused.line().contains(": HTTP: HTTP/1"), "{}", refused.line());
    assert!(refused.not_so.contains("The network did its part"), "{}", refused.not_so);
    let tls = incident("b06_tlsexp.pcap");
    assert!(tls.iter().any(|told| told.sentence.contains("ClientHello for the site")));
    assert!(tls.iter().any(|told| told.sentence.contains("the TLS alert")));
    let udp = incident("b16_udpsvc.pcap");
    assert!(udp.iter().any(|told| told.sentence.contains("an SNMP GetRequest with request number")));
    assert!(udp.iter().any(|told| told.line().contains("SIP: ")));
    assert!(udp.iter().any(|told| told.so_what.contains("one way")));
    let quotes = |told: &&Explanation| told.ties.iter().any(|tie| tie.starts_with("It returns"));
    for error in udp.iter().filter(quotes) {
        assert!(error.ties.iter().all(|tie| !tie.contains("DNS number")), "{:?}", error.ties);
        assert!(!error.not_so.contains("DNS program"), "{}", error.not_so);
    }
}

#[test]
fn what_became_of_an_attempt_is_told_with_what_must_not_be_concluded() {
    let mute = incident("b03_mute.pcap");
    let first = mute.iter().find(|told| told.sentence.contains("may I open a connection")).unwrap();
    assert!(
        first.ties.iter().any(|tie| tie.contains("acknowledged, but never answered")),
        "{:?}",
        first.ties
    );
    assert!(first.not_so.contains("is not in the capture"), "{}", first.not_so);
    let accepted = mute.iter().find(|told| told.sentence.contains("yes, and I you")).unwrap();
    assert!(accepted.sentence.contains("the server ("), "{}", accepted.sentence);
    assert!(accepted.ties.iter().any(|tie| tie.starts_with("It answers")), "{:?}", accepted.ties);
}
