//! What lines say of places and packets is counted for the packets it is about: errors, interfaces, requests of time, addresses asked for.

#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::{Evidence, Parameters, correlate};
use portmortem::findings::facts::forwarded;
use portmortem::findings::{self, Finding};
use portmortem::index::{Index, Input, PacketId, Progress, build};

fn judge(text: &str) -> (Index, Evidence, Vec<Finding>, String) {
    let text: &'static [u8] = text.to_owned().into_bytes().leak();
    let (source, walk) = capture::open_bytes("text", text).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let (found, coverage) = findings::look(&findings::Input { index: &index, evidence: &evidence }, &[]);
    (index, evidence, found, coverage.sentences().join(" "))
}

fn statement<'f>(found: &'f [Finding], id: &str) -> &'f str {
    &found.iter().find(|own| own.id == id).unwrap().statement
}

const PINGS: &str =
    "06:30:01.993886 IP 198.51.100.20 > 192.0.2.88: ICMP echo request, id 311, seq 1, length 64
06:30:01.994821 ARP, Request who-has 192.0.2.88 tell 192.0.2.1, length 28
06:30:03.939318 IP 198.51.100.20 > 192.0.2.88: ICMP echo request, id 311, seq 2, length 64
06:30:04.877054 ARP, Request who-has 192.0.2.88 tell 192.0.2.1, length 28
06:30:07.085900 IP 198.51.100.20 > 192.0.2.88: ICMP echo request, id 311, seq 3, length 64
06:30:08.205500 IP 192.0.2.1 > 198.51.100.20: ICMP host 192.0.2.88 unreachable, length 92
06:30:08.423630 ARP, Request who-has 192.0.2.90 tell 192.0.2.1, length 28
06:30:08.424084 ARP, Reply 192.0.2.90 is-at 02:00:5e:d7:76:e9, length 28
";

#[test]
fn one_error_is_about_one_ping_and_who_has_without_reply_is_no_all_clear() {
    let (_, _, found, said) = judge(PINGS);
    let statement = statement(&found, "datagrams-refused");
    assert!(statement.contains("3 of 3 pings") && statement.contains("for 1 of them ICMP"), "{statement}");
    assert!(!said.contains("No failure among link addresses"), "{said}");
    // Where nobody misses the host it is an address that is not in use.
    let others: Vec<&str> = PINGS.lines().filter(|line| line.contains("ARP")).collect();
    let (_, _, found, _) = judge(&(others.join("\n") + "\n"));
    assert!(found.iter().all(|own| own.id != "datagrams-refused"));
}

#[test]
fn an_error_whose_request_was_cut_away_belongs_to_the_same_failure() {
    let error = |second: u32| {
        format!(
            "12:30:{second:02}.801424 IP (tos 0x0, ttl 62, id 9, offset 0, flags [none], proto ICMP (1), length 277)\n    203.0.113.60 > 192.0.2.40: ICMP 203.0.113.60 udp port 5060 unreachable, length 257\n\tIP (tos 0x0, ttl 61, id {}, offset 0, flags [DF], proto UDP (17), length 249)\n    192.0.2.40.5060 > 203.0.113.60.5060: SIP, length: 221\n",
            100 + second
        )
    };
    let request = |second: u32| {
        format!(
            "12:30:{second:02}.800424 IP (tos 0x0, ttl 64, id {}, offset 0, flags [DF], proto UDP (17), length 249)\n    192.0.2.40.5060 > 203.0.113.60.5060: SIP, length: 221\n\tOPTIONS sip:gw.example SIP/2.0\n",
            100 + second
        )
    };
    let text = error(2) + &request(5) + &error(5) + &request(8) + &error(8) + &request(11) + &error(11);
    let (_, _, found, said) = judge(&text);
    assert!(
        statement(&found, "datagrams-refused").contains("1 more error said the same before it"),
        "{found:?}"
    );
    assert!(found.iter().all(|own| own.id != "stray-icmp"), "{found:?}");
    assert!(!said.contains("they belong to no failure"), "{said}");
}

#[test]
fn datagrams_to_a_dns_server_without_their_message_are_named_by_their_port() {
    let asked = "10:00:05.460837 IP 192.0.2.23.41000 > 198.51.100.53.53: UDP, length 33\n\
                 10:00:10.063426 IP 192.0.2.23.41000 > 198.51.100.53.53: UDP, length 33\n";
    let (_, _, _, said) = judge(asked);
    assert!(said.contains("2 DNS datagrams from 192.0.2.23 to 198.51.100.53 port 53"), "{said}");
    let answer = "10:00:10.073426 IP 198.51.100.53.53 > 192.0.2.23.41000: UDP, length 49\n";
    let (_, _, _, said) = judge(&format!("{asked}{answer}"));
    assert!(!said.contains("no datagram came back"), "{said}");
    // Of a datagram that something came back to it is not unknown whether it arrived.
    let both = asked.lines().next().unwrap().to_owned() + "\n" + &answer.replace("10.073426", "05.473426");
    let (_, _, _, said) = judge(&both);
    assert!(said.contains("No failure among UDP port 53 (1 of 1 answered)"), "{said}");
    assert!(!said.contains("cannot be told"), "{said}");
}

#[test]
fn a_packet_that_comes_in_and_goes_out_was_passed_on() {
    let line = |at: u32, place: &str| {
        format!(
            "2025-11-11 11:11:{at:02}.340207 {place} 192.0.2.70.50100 -> 203.0.113.15.443: syn 1248794763\n"
        )
    };
    let later = |at: u32, place: &str| line(at, place).replace(".340207", ".340292");
    let text: String = [11, 12, 14, 18].map(|at| line(at, "port3 in") + &later(at, "wan1 out")).concat();
    let (index, evidence, ..) = judge(&text);
    let passed = forwarded::of(&index, &evidence, PacketId(0)).unwrap();
    assert_eq!((passed.from.as_str(), passed.to.as_str()), ("port3", "wan1"));
    assert_eq!(forwarded::all(&index, &evidence).len(), 4);
    // What goes out alone was not seen coming in.
    let (index, evidence, ..) = judge(&[11, 12, 14, 18].map(|at| later(at, "wan1 out")).concat());
    assert_eq!(forwarded::of(&index, &evidence, PacketId(0)), None);
}

#[test]
fn each_request_of_time_is_one_of_its_own() {
    let text: Vec<String> = (0..4)
        .map(|at| {
            format!(
                "05:06:{:02}.610328 IP 192.0.2.5.123 > 203.0.113.123.123: NTPv4, Client, length 48\n\
                 05:06:{:02}.610623 IP 192.0.2.5.123 > 203.0.113.124.123: NTPv4, Client, length 48\n\
                 05:06:{:02}.629747 IP 203.0.113.124.123 > 192.0.2.5.123: NTPv4, Server, length 48\n",
                at * 14,
                at * 14,
                at * 14
            )
        })
        .collect();
    let (_, _, found, _) = judge(&text.concat());
    assert!(
        statement(&found, "datagrams-refused").starts_with("3 of 3 requests from 192.0.2.5"),
        "{found:?}"
    );
}

#[test]
fn every_router_of_a_loop_is_named() {
    let text: Vec<String> = (1..=6)
        .map(|at| {
            let router = if at % 2 == 0 { "198.51.100.1" } else { "198.51.100.2" };
            format!(
                "23:03:{at:02}.100000 IP (tos 0x0, ttl 64, id {at}, offset 0, flags [DF], proto ICMP (1), length 84)\n    192.0.2.61 > 203.0.113.200: ICMP echo request, id 7, seq {at}, length 64\n\
                 23:03:{at:02}.190000 IP (tos 0x0, ttl 60, id 9, offset 0, flags [none], proto ICMP (1), length 112)\n    {router} > 192.0.2.61: ICMP time exceeded in-transit, length 92\n\tIP (tos 0x0, ttl 1, id {at}, offset 0, flags [DF], proto ICMP (1), length 84)\n    192.0.2.61 > 203.0.113.200: ICMP echo request, id 7, seq {at}, length 64\n"
            )
        })
        .collect();
    let (index, evidence, found, _) = judge(&text.concat());
    assert!(!statement(&found, "time-exceeded").contains("few hops"), "{found:?}");
    let input = findings::Input { index: &index, evidence: &evidence };
    let (_, assessments) = findings::examine(&input, &[], &[]);
    let said: Vec<&str> =
        assessments.iter().flat_map(|own| &own.wording).map(|own| own.text.as_str()).collect();
    let said = said.join(" ");
    assert!(
        said.contains("198.51.100.1 and 198.51.100.2") || said.contains("198.51.100.2 and 198.51.100.1"),
        "{said}"
    );
}

#[test]
fn a_filter_that_hides_errors_matters_where_something_failed_and_its_better_shows_the_same_packets() {
    let prompt = "user@host:~$ tcpdump -nn -i eth0 tcp port 80\n";
    let line = |at: u32, told: &str| {
        let (client, server) = ("192.0.2.10.40001", "198.51.100.80.80");
        let ends = if told.starts_with('<') { (server, client) } else { (client, server) };
        format!("10:00:0{at}.000001 IP {} > {}: Flags {}\n", ends.0, ends.1, told.trim_start_matches('<'))
    };
    let opened = [
        line(1, "[S], seq 7, win 64240, length 0"),
        line(1, "<[S.], seq 9, ack 8, win 65160, length 0"),
        line(1, "[P.], seq 1:20, ack 1, win 502, length 19: HTTP: GET / HTTP/1.1"),
        line(1, "<[P.], seq 1:20, ack 20, win 502, length 19: HTTP: HTTP/1.1 200 OK"),
    ]
    .concat();
    let (_, _, found, _) = judge(&format!("{prompt}{opened}"));
    let told = statement(&found, "capture-quality");
    assert!(told.contains("`(tcp port 80) or icmp or icmp6` shows them"), "{told}");
    assert!(found.iter().all(|own| own.severity == findings::Severity::Info), "{found:?}");
    let silent: String = [1, 2, 4, 8].map(|at| line(at, "[S], seq 7, win 64240, length 0")).concat();
    let (_, _, found, _) = judge(&format!("{prompt}{silent}"));
    let own = found.iter().find(|own| own.id == "capture-quality").unwrap();
    assert_eq!(own.severity, findings::Severity::Low, "{found:?}");
}
