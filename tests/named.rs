//! Hosts that are printed by name are told apart, joined, found by filters and redacted like those printed by number.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::sync::atomic::AtomicBool;

use portmortem::capture::open_bytes;
use portmortem::correlate::{Evidence, Level, Outcome, Parameters, correlate};
use portmortem::decode::Address;
use portmortem::export::redact::Pseudonyms;
use portmortem::filter::{Context, Filter};
use portmortem::findings;
use portmortem::index::{Index, Input, PacketId, Progress, build};

fn read(text: &str) -> (Index, Evidence) {
    let text: &'static [u8] = text.to_owned().into_bytes().leak();
    let (source, walk) = open_bytes("text", text).expect("packets in the text");
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

fn rows(read: &(Index, Evidence), filter: &str) -> Vec<u32> {
    let cancel = AtomicBool::new(false);
    let context = Context { index: &read.0, evidence: Some(&read.1), notes: None, cancel: &cancel };
    Filter::parse(filter).expect(filter).rows(&context)
}

fn outcomes(read: &(Index, Evidence)) -> Vec<Outcome> {
    read.1.transactions.iter().map(|transaction| transaction.outcome).collect()
}

/// A query with its answer, a query with an error about it, between two hosts.
fn exchange(client: &str, server: &str) -> String {
    format!(
        "10:00:00.000001 IP {client}.40001 > {server}.53: 4101+ A? www.example.com. (33)\n\
         10:00:00.000901 IP {server}.domain > {client}.40001: 4101 ServFail 0/0/0 (33)\n\
         10:00:05.000001 IP {client}.40002 > {server}.domain: 4102+ A? www.example.org. (33)\n\
         10:00:05.000901 IP {server} > {client}: ICMP {server} udp port domain unreachable, length 69\n"
    )
}

const HOSTS: [&str; 16] = [
    "resolver1",
    "localhost",
    "_gateway",
    "34352cbd3350",
    "10.dab-sti-c",
    "web-1",
    "my_host.example.net",
    "kube-dns.kube-system.svc.cluster.local",
    "192.0.2.###",
    "192.0.X.Y",
    "x.x.x.x",
    "<client>",
    "[redacted]",
    "$client",
    "192.0.2.***",
    "fe80::1%eth0",
];

#[test]
fn any_printed_word_is_a_host_with_its_port() {
    for (at, server) in HOSTS.iter().enumerate() {
        let client = HOSTS[(at + 1) % HOSTS.len()];
        let read = read(&exchange(client, server));
        assert_eq!(read.0.len(), 4, "{client} and {server}");
        for (id, from, to) in
            [(0, client, *server), (1, *server, client), (2, client, *server), (3, *server, client)]
        {
            let packet = read.0.packet(PacketId(id)).expect("a packet");
            let ends = [packet.source_address(), packet.destination_address()].map(|end| end.to_string());
            assert_eq!(ends, [from, to]);
        }
        let query = read.0.packet(PacketId(2)).expect("a packet");
        assert_eq!((query.source_port(), query.destination_port()), (40002, 53));
        assert_eq!(outcomes(&read), [Outcome::Answered, Outcome::Refused], "{client} and {server}");
        let link = read.1.links_from(PacketId(3)).into_iter().next().expect("the error is linked");
        assert_eq!((link.to, link.level), (Some(PacketId(2)), Level::Probable));
    }
}

#[test]
fn different_names_are_different_hosts_and_a_name_is_no_number() {
    for other in ["ns2.example.net", "192.0.2.53", "NS1", "ns1.example.net"] {
        let read = read(&format!(
            "10:00:00.000001 IP web.40001 > ns1.domain: 4101+ A? www.example.com. (33)\n\
             10:00:00.200001 IP {other}.domain > web.40001: 4101 ServFail 0/0/0 (33)\n\
             10:00:09.000001 IP web.40009 > {other}.domain: 4109+ A? www.example.com. (33)\n"
        ));
        assert_ne!(outcomes(&read).first(), Some(&Outcome::Answered), "{other}");
    }
}

#[test]
fn errors_between_names_say_whom_they_are_about() {
    let sayings = [
        "IP gw > web: ICMP host ns1 unreachable, length 69",
        "IP gw > web: ICMP host ns1 unreachable - admin prohibited filter, length 69",
        "IP gw > web: ICMP net ns1 unreachable, length 69",
        "IP gw > web: ICMP ns1 unreachable - need to frag (mtu 56), length 69",
        "IP gw > web: ICMP ns1 protocol 17 port 53 unreachable, length 69",
        "IP ns1 > web: ICMP ns1 udp port domain unreachable, length 69",
    ];
    let sayings6 = [
        "IP6 gw > web: ICMP6, destination unreachable, unreachable route ns1, length 89",
        "IP6 gw > web: ICMP6, destination unreachable, unreachable prohibited ns1, length 89",
        "IP6 gw > web: ICMP6, destination unreachable, unreachable address ns1, length 89",
        "IP6 ns1 > web: ICMP6, destination unreachable, unreachable port, ns1 udp port domain, length 89",
        "IP6 gw > web: ICMP6, time exceeded in-transit for ns1, length 89",
        "IP6 gw > web: ICMP6, destination unreachable[|icmp6]",
    ];
    for (network, sayings) in [("IP", sayings), ("IP6", sayings6)] {
        for error in sayings {
            let read = read(&format!(
                "10:00:00.000001 {network} web.40001 > ns1.domain: 4101+ A? www.example.com. (33)\n\
                 10:00:00.000901 {error}\n"
            ));
            let line = read.0.packet(PacketId(1)).and_then(|packet| packet.printed()).expect("a packet");
            let about = line.icmp.and_then(|icmp| icmp.quoted).map(|host| host.text);
            assert_eq!(about.unwrap_or("ns1"), "ns1", "{error}");
            assert_eq!(about.is_none(), error.contains("[|icmp6]"));
            let link = read.1.links_from(PacketId(1)).into_iter().next().and_then(|link| link.to);
            assert_eq!(link, Some(PacketId(0)), "{error}");
        }
    }
}

#[test]
fn filters_know_hosts_by_name() {
    let read = read(&exchange("web", "resolver1"));
    for (filter, expected) in [
        ("ip.src == resolver1", &[1, 3][..]),
        ("ip.dst == \"resolver1\" and udp.port == 53", &[0, 2]),
        ("host resolver1 and icmp", &[3]),
        ("src host web", &[0, 2]),
        ("ip.addr in {resolver1, nobody}", &[0, 1, 2, 3]),
        ("ip.dst != resolver1", &[1, 3]),
        ("ipv6.src == resolver1", &[]),
        ("ip.src contains \"solver\"", &[1, 3]),
        ("ip.src == resolver", &[]),
    ] {
        assert_eq!(rows(&read, filter), expected, "{filter}");
    }
    assert!(Filter::parse("ip.src < resolver1").is_err() && Filter::parse("ip.src == 192.0.2").is_err());
    assert!(Filter::parse("eth.src == resolver1").is_err());
}

#[test]
fn every_filter_of_a_finding_counts_again_whatever_the_host_is_called() {
    for server in HOSTS.iter().chain(&["b(c)", "dns", "tcp.port", "and", "é.example"]) {
        let lines: Vec<String> = (10..16)
            .map(|second| {
                format!(
                    "10:00:{second}.000001 IP web.400{second} > {server}.domain: 41{second}+ A? www.example.org. (33)\n\
                     10:00:{second}.000901 IP {server} > web: ICMP {server} udp port domain unreachable, length 69\n"
                )
            })
            .collect();
        let read = read(&lines.concat());
        let input = findings::Input { index: &read.0, evidence: &read.1 };
        let found = findings::run(&input, &[]);
        let counts: Vec<_> = found.iter().flat_map(|finding| &finding.counts).collect();
        assert!(counts.iter().any(|count| count.filter.contains(" == \"")), "{server}: {counts:?}");
        for count in counts.iter().filter(|count| !count.filter.is_empty()) {
            assert_eq!(rows(&read, &count.filter).len() as u64, count.value, "{}", count.filter);
        }
    }
}

#[test]
fn a_capture_without_printed_names_has_no_host_by_name() {
    let (source, walk) = portmortem::capture::open_bytes(
        "sample",
        portmortem::samples::find("office").expect("a sample").bytes,
    )
    .expect("a capture");
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
    let filter = Filter::parse("dns and ip.src == www.example.com").expect("a filter");
    let error = filter.host_without_number(&index).expect("a mistake");
    assert_eq!(
        (error.span, error.suggestion.as_deref()),
        (18..33, Some("dns.qry.name == \"www.example.com\""))
    );
    assert!(Filter::parse("host 192.0.2.1").expect("a filter").host_without_number(&index).is_none());
    let printed = read(&exchange("web", "resolver1"));
    assert!(filter.host_without_number(&printed.0).is_none());
}

#[test]
fn names_of_hosts_are_redacted_with_their_ports_beside_them() {
    for host in ["laptop-of-kim", "ns7.corp.example.net", "192.0.2.###", "10.dab-sti-c", "<kim>"] {
        let read = read(&exchange(host, "192.0.2.53"));
        let mut pseudonyms = Pseudonyms::of(&read.0);
        for text in [
            format!("10:00:00 IP {host}.40001 > 192.0.2.53.domain: 4101+ A?"),
            format!("IP 192.0.2.53.53 > {host}.domain: 4101"),
            format!("the client {host} asked"),
            format!("asked by {host}, at once"),
            format!("ip.src == \"{host}\" && dns"),
            host.to_owned(),
        ] {
            let said = pseudonyms.text(&text);
            assert!(!said.contains(host), "{host}: {said}");
            assert_eq!(said.contains(".40001"), text.contains(".40001"), "{said}");
        }
        let address = pseudonyms.address(Address::printed(host, false));
        assert_eq!(address.to_string(), pseudonyms.text(host));
    }
    let mut pseudonyms = Pseudonyms::of(&read(&exchange("localhost", "localhost")).0);
    assert_eq!(pseudonyms.text("at localhost"), "at localhost");
}

#[test]
fn prose_about_hosts_is_no_packet() {
    for prose in [
        "10:00:00.000001 IP settings > DNS: choose another\n",
        "At 10:00:00.000001 IP traffic > nowhere: it says\n",
        "IP settings > DNS: choose another\n",
        "13:24:32.192571 IP a > b, ICMP c\n",
    ] {
        assert!(open_bytes("text", prose.to_owned().into_bytes().leak()).is_err(), "{prose}");
    }
}
