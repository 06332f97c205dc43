//! What tcpdump's lines alone show: errors that name no port, answers that repeat no question, copies, sums, sizes.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use portmortem::capture::open;
use portmortem::correlate::{Evidence, Level, Outcome, Parameters, correlate};
use portmortem::findings::hypotheses::{Assessment, assess_all};
use portmortem::findings::{self, Finding};
use portmortem::index::{Index, Input, PacketId, Progress, build};

fn read(text: &str) -> (Index, Evidence) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("log.txt");
    std::fs::write(&path, text).expect("a file");
    let (source, walk) = open(&path).expect("packets in the text");
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

fn judge(text: &str) -> (Vec<Finding>, Vec<Assessment>) {
    let (index, evidence) = read(text);
    let input = findings::Input { index: &index, evidence: &evidence };
    let found = findings::run(&input, &[]);
    let assessments = assess_all(&input, &found, &[]);
    (found, assessments)
}

fn leads(assessments: &[Assessment], id: &str) -> bool {
    let first = assessments.first().and_then(|assessment| assessment.hypotheses.first());
    first.is_some_and(|first| first.id() == id || first.tied_with.iter().any(|cause| cause.id() == id))
}

/// Lookups that fail with one printed error each: what stands between the two addresses and the length.
fn failing(network: &str, client: &str, server: &str, sender: &str, error: &str) -> String {
    let mut text = String::new();
    for number in 0..6 {
        let (minute, port) = (number * 2, 40_000 + number);
        let _ = write!(
            text,
            "13:{minute:02}:00.000000 {network} {client}.{port} > {server}.53: {}+ A? www.example.org. (33)\n\
             13:{minute:02}:00.004000 {network} {sender} > {client}: {error}, length 69\n",
            1000 + number
        );
    }
    text
}

#[test]
fn an_error_that_names_the_server_alone_is_tied_to_the_open_query_to_it() {
    for (error, cause) in [
        ("ICMP host 198.51.100.53 unreachable - admin prohibited filter", "H5"),
        ("ICMP host 198.51.100.53 unreachable - admin prohibited", "H5"),
        ("ICMP net 198.51.100.53 unreachable", "H7"),
        ("ICMP time exceeded in-transit", "H7"),
    ] {
        let text = failing("IP", "192.0.2.10", "198.51.100.53", "192.0.2.1", error);
        let (index, evidence) = read(&text);
        let named = index.packet(PacketId(0)).map(|packet| packet.protocol().protocol().name);
        assert_eq!(named, Some("dns"), "a printed query is DNS");
        assert!(evidence.transactions.iter().all(|t| t.outcome == Outcome::Refused), "{error}");
        for packet in [1, 3, 11] {
            let link = evidence.links_from(PacketId(packet)).into_iter().next().expect("a link");
            assert_eq!((link.to, link.level), (Some(PacketId(packet - 1)), Level::Probable), "{error}");
            assert!(
                link.reason.words().contains("no port") || link.reason.words().contains("no address, port"),
                "{}",
                link.reason.words()
            );
        }
        let (_, assessments) = judge(&text);
        assert!(leads(&assessments, cause), "{error}: {:?}", assessments.first());
    }
    let error = "ICMP6, destination unreachable,  unreachable prohibited 2001:db8:53::5";
    let text = failing("IP6", "2001:db8:1::21", "2001:db8:53::5", "2001:db8:ff::1", error);
    assert!(leads(&judge(&text).1, "H5"));
}

#[test]
fn an_error_of_the_client_about_an_answer_is_no_fault_of_the_server() {
    let mut text = String::new();
    for number in 0..4 {
        let (minute, port) = (number * 2, 40_000 + number);
        let _ = write!(
            text,
            "13:{minute:02}:00.000000 IP 192.0.2.10.{port} > 198.51.100.53.53: 7{number}+ A? www.example.org. (33)\n\
             13:{minute:02}:06.200000 IP 198.51.100.53.53 > 192.0.2.10.{port}: 7{number} 1/0/0 A 192.0.2.80 (49)\n\
             13:{minute:02}:06.200100 IP 192.0.2.10 > 198.51.100.53: ICMP 192.0.2.10 udp port {port} unreachable, length 85\n"
        );
    }
    let (_, assessments) = judge(&text);
    assert!(leads(&assessments, "H19"), "{:?}", assessments.first());
}

#[test]
fn a_printed_answer_without_its_question_tells_that_a_name_vanished() {
    let mut text = String::new();
    for number in 0..12 {
        let port = 40_000 + number;
        let answer = if number < 6 { "1/0/0 A 192.0.2.80 (49)" } else { "NXDomain 0/1/0 (89)" };
        let _ = write!(
            text,
            "13:{number:02}:00.000000 IP 192.0.2.10.{port} > 198.51.100.53.53: 7{number}+ A? www.example.org. (33)\n\
             13:{number:02}:00.012000 IP 198.51.100.53.53 > 192.0.2.10.{port}: 7{number} {answer}\n"
        );
    }
    let (found, assessments) = judge(&text);
    assert!(leads(&assessments, "H15"), "{:?}", assessments.first());
    assert!(found.iter().any(|finding| finding.id == "rcode-outage"), "{found:?}");
}

#[test]
fn a_site_that_refuses_after_a_printed_answer_is_no_fault_of_dns() {
    let mut text = String::new();
    for number in 0..4 {
        let (port, sequence) = (40_000 + number, 1000 + number);
        let _ = write!(
            text,
            "13:{number:02}:00.000000 IP 192.0.2.10.{port} > 198.51.100.53.53: 7{number}+ A? www.example.org. (33)\n\
             13:{number:02}:00.012000 IP 198.51.100.53.53 > 192.0.2.10.{port}: 7{number} 1/0/0 A 192.0.2.80 (49)\n\
             13:{number:02}:00.020000 IP 192.0.2.10.{port} > 192.0.2.80.443: Flags [S], seq {sequence}, win 64240, length 0\n\
             13:{number:02}:00.031000 IP 192.0.2.80.443 > 192.0.2.10.{port}: Flags [R.], seq 0, ack 1, win 0, length 0\n"
        );
    }
    let (found, assessments) = judge(&text);
    assert!(leads(&assessments, "H1") && assessments[0].hypothesis("H20").is_some(), "{found:?}");
    let down = found.iter().find(|finding| finding.id == "site-down").expect("a finding");
    assert!(down.statement.contains("www.example.org"), "{}", down.statement);
}

#[test]
fn a_printed_answer_from_another_address_is_told_by_id_and_client() {
    let mut text = String::new();
    for number in 0..4 {
        let port = 40_000 + number;
        for second in [0, 5] {
            let _ = write!(
                text,
                "13:{number:02}:0{second}.000000 IP 192.0.2.10.{port} > 198.51.100.53.53: 7{number}+ A? www.example.org. (33)\n\
                 13:{number:02}:0{second}.012000 IP 198.51.100.54.53 > 192.0.2.10.{port}: 7{number} 1/0/0 A 192.0.2.80 (49)\n"
            );
        }
    }
    text += "13:09:00.000000 IP 192.0.2.11.5000 > 192.0.2.12.6000: UDP, length 4\n";
    let (_, assessments) = judge(&text);
    assert!(leads(&assessments, "H16"), "{:?}", assessments.first());
}

#[test]
fn bytes_below_an_error_tie_it_to_the_printed_query_beyond_doubt() {
    let text = "10:00:00.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? www.example.com. (33)\n\
         10:00:00.000901 IP 192.0.2.1 > 192.0.2.10: ICMP time exceeded in-transit, length 69\n\
         \t0x0000:  45c0 0059 0011 0000 4001 f5c7 c000 0201\n\
         \t0x0010:  c000 020a 0b00 77b3 0000 0000 4500 003d\n\
         \t0x0020:  1389 4000 0111 0000 c000 020a c633 6435\n\
         \t0x0030:  9c41 0035 0029 0000 1005 0100 0001 0000\n\
         \t0x0040:  0000 0000 0377 7777 0765 7861 6d70 6c65\n\
         \t0x0050:  0363 6f6d 0000 0100 01\n\
         ";
    let level_of = |text: &str| {
        let (_, evidence) = read(text);
        evidence.links_from(PacketId(1)).into_iter().next().map(|link| (link.to, link.level))
    };
    assert_eq!(level_of(text), Some((Some(PacketId(0)), Level::Exact)));
    let wrong = text.replace("77b3", "77b4");
    assert_eq!(level_of(&wrong), Some((Some(PacketId(0)), Level::Probable)), "its receiver drops it");
    let blank = text.replace("f5c7", "0000").replace("77b3", "0000");
    assert_eq!(level_of(&blank), Some((Some(PacketId(0)), Level::Exact)), "no sum was filled in");
    // Of a query with another id the same bytes say that they are not about it.
    let other = level_of(&text.replace("4101+", "4102+"));
    assert!(other.is_none_or(|(target, _)| target.is_none()), "{other:?}");
}

/// What the error in a packet is about, by packet, and how sure that is.
fn about(evidence: &Evidence, error: u32) -> Option<(u32, Level)> {
    let link = evidence.links_from(PacketId(error)).into_iter().next()?;
    link.to.map(|to| (to.0, link.level))
}

#[test]
fn an_error_that_names_a_host_is_about_the_newest_packet_to_it_whatever_its_protocol() {
    let (_, evidence) = read(
        "10:00:00.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? www.example.com. (33)\n\
         10:00:00.000301 IP 192.0.2.10.40002 > 203.0.113.80.443: Flags [S], seq 100, win 64240, length 0\n\
         10:00:00.000501 IP 192.0.2.10 > 203.0.113.81: ICMP echo request, id 7, seq 1, length 64\n\
         10:00:00.000601 IP 192.0.2.10.40003 > 203.0.113.80.123: NTPv4, Client, length 48\n\
         10:00:00.000701 IP 192.0.2.1 > 192.0.2.10: ICMP host 203.0.113.81 unreachable, length 92\n\
         10:00:00.000801 IP 192.0.2.1 > 192.0.2.10: ICMP host 203.0.113.80 unreachable, length 48\n\
         10:00:00.000901 IP 192.0.2.1 > 192.0.2.10: ICMP host 203.0.113.80 unreachable, length 84\n\
         10:00:00.001001 IP 192.0.2.1 > 192.0.2.10: ICMP host 203.0.113.82 unreachable, length 84\n",
    );
    assert_eq!(about(&evidence, 4), Some((2, Level::Probable)));
    assert_eq!(about(&evidence, 5), Some((1, Level::Probable)), "40 bytes are a segment, not NTP");
    assert_eq!(about(&evidence, 6), Some((3, Level::Probable)));
    assert_eq!(about(&evidence, 7), None);
}

#[test]
fn a_packet_that_fits_the_next_link_is_not_the_one_too_big_for_it() {
    let (_, evidence) = read(
        "10:00:00.000001 IP 192.0.2.10.40003 > 203.0.113.80.443: Flags [.], seq 1:1449, ack 1, win 502, length 1448\n\
         10:00:00.000002 IP 192.0.2.10.40003 > 203.0.113.80.443: Flags [P.], seq 1449:1500, ack 1, win 502, length 51\n\
         10:00:00.000301 IP 192.0.2.1 > 192.0.2.10: ICMP 203.0.113.80 unreachable - need to frag (mtu 1400), length 556\n",
    );
    assert_eq!(about(&evidence, 2), Some((0, Level::Probable)));
}

#[test]
fn an_error_that_names_nothing_is_about_the_newest_packet_without_an_answer() {
    let text = "10:00:00.000001 IP 192.0.2.10 > 203.0.113.81: ICMP echo request, id 7, seq 1, length 64\n\
         10:00:00.000002 IP 192.0.2.10.40002 > 203.0.113.80.443: Flags [S], seq 100, win 64240, length 0\n\
         10:00:00.000200 IP 203.0.113.80.443 > 192.0.2.10.40002: Flags [S.], seq 5, ack 101, win 64240, length 0\n\
         10:00:00.000301 IP 192.0.2.1 > 192.0.2.10: ICMP time exceeded in-transit, length 36\n\
         10:00:00.000401 IP 192.0.2.1 > 192.0.2.10: ICMP time exceeded in-transit, length 36\n";
    let (_, evidence) = read(text);
    assert_eq!(about(&evidence, 3), Some((0, Level::Probable)));
    assert_eq!(about(&evidence, 4), None, "another error is about it, and the other packet was answered");
    let query = "10:00:00.000250 IP 192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? www.example.com. (33)\n";
    let (before, after) = text.split_at(text.find("10:00:00.000301").expect("the error"));
    let (_, evidence) = read(&format!("{before}{query}{after}"));
    assert_eq!(about(&evidence, 4), Some((3, Level::Probable)), "the newer one");
    let whole = after.replace("length 36", "length 92");
    let (_, evidence) = read(&format!("{before}{query}{whole}"));
    assert_eq!(about(&evidence, 4), Some((0, Level::Probable)), "84 bytes are the ping, not the query");
}

#[test]
fn a_connection_rejected_by_a_line_without_ports_is_a_site_that_is_down() {
    let mut text = "10:00:00.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? www.example.com. (33)\n\
         10:00:00.010001 IP 198.51.100.53.53 > 192.0.2.10.40001: 4101 1/0/0 A 203.0.113.80 (49)\n"
        .to_owned();
    for try_ in 0..2 {
        let _ = write!(
            text,
            "10:00:0{try_}.020001 IP 192.0.2.10.4000{} > 203.0.113.80.443: Flags [S], seq 1, win 64240, length 0\n\
             10:00:0{try_}.020301 IP 192.0.2.1 > 192.0.2.10: ICMP host 203.0.113.80 unreachable - admin prohibited, length 68\n",
            try_ + 3
        );
    }
    let (findings, _) = judge(&text);
    let site = findings.iter().find(|finding| finding.id == "site-down").expect("the site is down");
    assert!(site.statement.contains("203.0.113.80"), "{}", site.statement);
}

#[test]
fn lengths_of_errors_about_other_protocols_are_no_fault_of_the_record() {
    let log = |to: &str| {
        format!(
            "10:00:00.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? www.example.com. (33)\n\
             10:00:00.000901 IP 192.0.2.1 > 192.0.2.10: ICMP host 198.51.100.53 unreachable, length 69\n\
             10:00:08.000001 IP 192.0.2.10 > 203.0.113.81: ICMP echo request, id 7, seq 1, length 164\n\
             10:00:08.000301 IP 192.0.2.1 > 192.0.2.10: ICMP host {to} unreachable, length 192\n"
        )
    };
    let told = |text: &str| judge(text).0.iter().any(|finding| finding.id == "record-quality");
    assert!(!told(&log("203.0.113.81")));
    let query = "10:00:07.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? www.example.com. (33)\n";
    assert!(told(&log("198.51.100.53").replacen("10:00:08.000001", &format!("{query}10:00:08.000001"), 1)));
}

#[test]
fn a_line_seen_on_two_interfaces_is_one_packet_and_a_repeat_after_an_error_is_none() {
    let query = |time: &str, place: &str| {
        format!(
            "10:00:00.{time} {place} IP 192.0.2.10.40001 > 192.0.2.1.53: 4101+ A? www.example.com. (33)\n"
        )
    };
    let tries = |text: &str| {
        let (_, evidence) = read(text);
        evidence.transactions.iter().map(|transaction| transaction.tries).sum::<u32>()
    };
    assert_eq!(tries(&(query("000016", "veth4 P  ") + &query("000018", "br0   In "))), 1);
    assert_eq!(
        tries(&(query("000016", "br0   In ") + &query("000018", "br0   Out"))),
        1,
        "routed on one interface"
    );
    assert_eq!(tries(&(query("000016", "br0   In ") + &query("000018", "br0   In "))), 2, "asked twice");
    assert_eq!(
        tries(&(query("000016", "veth4 P  ") + &query("009018", "br0   In "))),
        2,
        "too late for a copy"
    );
    let refused = "10:00:00.000017 br0   Out IP 192.0.2.1 > 192.0.2.10: ICMP 192.0.2.1 udp port 53 unreachable, length 69\n";
    assert_eq!(tries(&(query("000016", "veth4 P  ") + refused + &query("000018", "br0   In "))), 2);
    let untimed =
        (query("000016", "veth4 P  ") + &query("000018", "br0   In ")).replace("10:00:00.000016 ", "");
    assert_eq!(tries(&untimed.replace("10:00:00.000018 ", "")), 2, "without times nothing is near");
}

#[test]
fn a_line_with_the_ip_id_of_another_is_the_same_packet_behind_a_router() {
    let query = |time: &str, ttl: u8, id: u16| {
        format!(
            "10:00:00.{time} IP (tos 0x0, ttl {ttl}, id {id}, offset 0, flags [DF], proto UDP (17), length 61)\n    \
             192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? www.example.com. (33)\n"
        )
    };
    let tries = |second: &str| {
        let (_, evidence) = read(&(query("000016", 64, 52_465) + second));
        evidence.transactions.iter().map(|transaction| transaction.tries).sum::<u32>()
    };
    assert_eq!(tries(&query("000018", 63, 52_465)), 1);
    assert_eq!(tries(&query("000018", 63, 52_466)), 2, "another id is another packet");
    assert_eq!(tries(&query("000018", 64, 52_465).replace("www", "ftp")), 2, "and so is another question");
}

#[test]
fn printed_answers_with_a_wrong_sum_were_thrown_away_if_the_client_asks_again() {
    let log = |sum: &str| {
        let mut text = String::new();
        for try_ in 0..2 {
            let _ = write!(
                text,
                "10:00:0{0}.000001 IP (tos 0x0, ttl 64, id {1}, offset 0, flags [none], proto UDP (17), length 61)\n    \
                 192.0.2.10.40001 > 198.51.100.53.53: [udp sum ok] 4101+ A? www.example.com. (33)\n\
                 10:00:0{0}.007001 IP (tos 0x0, ttl 60, id {2}, offset 0, flags [none], proto UDP (17), length 77)\n    \
                 198.51.100.53.53 > 192.0.2.10.40001: {sum} 4101 q: A? www.example.com. 1/0/0 www.example.com. A 203.0.113.80 (49)\n",
                try_ * 5,
                34_767 + try_,
                30_262 + try_
            );
        }
        text
    };
    let outcomes = |sum: &str| {
        let (_, evidence) = read(&log(sum));
        evidence.transactions.iter().map(|transaction| transaction.outcome).collect::<Vec<_>>()
    };
    assert_eq!(outcomes("[bad udp cksum 0x8274 -> 0x871c!]"), [Outcome::NotReceived; 2]);
    assert_eq!(outcomes("[bad udp cksum 8274!]"), [Outcome::NotReceived; 2], "up to version 4.0");
    assert_eq!(outcomes("[udp sum ok]"), [Outcome::Answered; 2]);
    assert_eq!(outcomes("[bad udp cksum 0xecbd -> 0x871c!]"), [Outcome::Answered; 2], "left to the card");
    let (findings, _) = judge(&log("[bad udp cksum 0x8274 -> 0x871c!]"));
    assert!(findings.iter().any(|finding| finding.statement.contains("wrong UDP checksum")), "{findings:?}");
}

#[test]
fn errors_without_ports_show_that_a_sender_keeps_its_size() {
    let line = |time: &str| {
        format!(
            "10:00:{time} IP 192.0.2.53 > 192.0.2.51: ICMP 192.0.2.53 unreachable - need to frag (mtu 1450), length 556\n"
        )
    };
    let found = |text: &str| {
        let (findings, _) = judge(text);
        findings
            .into_iter()
            .find(|finding| finding.id == "path-size-ignored")
            .map(|finding| finding.statement)
    };
    let lasting = line("00.489550") + &line("01.289779") + &line("01.689642");
    assert!(found(&lasting).expect("told three times").contains("MTU 1450"));
    assert_eq!(found(&(line("00.489550") + &line("00.489779") + &line("00.489842"))), None, "at once");
}
