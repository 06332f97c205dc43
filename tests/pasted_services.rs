//! What clients wanted of services is judged from printed packets as far as their text tells it.

#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::fmt::Write as _;

use std::sync::atomic::AtomicBool;

use portmortem::attempts::{Attempt, Attempts, Kind, Outcome, subject};
use portmortem::capture;
use portmortem::correlate::{Parameters, correlate};
use portmortem::index::{Index, Input, Progress, build};

fn index(text: &str) -> Index {
    let text: &'static [u8] = text.to_owned().into_bytes().leak();
    let (source, walk) = capture::open_bytes("text", text).unwrap();
    build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {})
}

fn attempts(text: &str) -> (Index, Vec<Attempt>) {
    let index = index(text);
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let all = Attempts::of(&evidence).all.clone();
    (index, all)
}

fn outcomes(text: &str) -> Vec<(Kind, Outcome)> {
    attempts(text).1.iter().map(|own| (own.kind, own.outcome)).collect()
}

/// Rows of a list: a connection to a port that is opened, carries the rows given, and is closed.
fn list(port: u16, carried: &str) -> String {
    let end = |number: u8, seconds: &str, told: &str| format!("{number} {seconds} {told}\n");
    let opens = [
        (
            1,
            "0.000000",
            format!("192.0.2.10 → 198.51.100.80 TCP 74 40302 → {port} [SYN] Seq=0 Win=64240 Len=0"),
        ),
        (
            2,
            "0.000100",
            format!(
                "198.51.100.80 → 192.0.2.10 TCP 74 {port} → 40302 [SYN, ACK] Seq=0 Ack=1 Win=65160 Len=0"
            ),
        ),
        (
            3,
            "0.000200",
            format!("192.0.2.10 → 198.51.100.80 TCP 66 40302 → {port} [ACK] Seq=1 Ack=1 Win=65536 Len=0"),
        ),
    ];
    let closes = [
        (
            8,
            "4.000000",
            format!(
                "192.0.2.10 → 198.51.100.80 TCP 66 40302 → {port} [FIN, ACK] Seq=228 Ack=901 Win=65536 Len=0"
            ),
        ),
        (
            9,
            "4.000100",
            format!(
                "198.51.100.80 → 192.0.2.10 TCP 66 {port} → 40302 [FIN, ACK] Seq=901 Ack=229 Win=65536 Len=0"
            ),
        ),
    ];
    let rows =
        |rows: &[(u8, &str, String)]| rows.iter().map(|(n, at, told)| end(*n, at, told)).collect::<String>();
    rows(&opens) + carried + &rows(&closes)
}

#[test]
fn a_fatal_alert_in_a_row_of_a_list_fails_its_connection() {
    let rows = list(
        4443,
        "4 0.010000 192.0.2.10 → 198.51.100.80 TLSv1 293 Client Hello (SNI=portal.example.com)\n\
         5 0.010100 198.51.100.80 → 192.0.2.10 TLSv1.2 73 Alert (Level: Fatal, Description: Protocol Version)\n",
    );
    let (index, all) = attempts(&rows);
    let told: Vec<_> = all.iter().map(|own| (own.kind, own.outcome)).collect();
    assert_eq!(told, [(Kind::Tls, Outcome::Alert { number: 70, by_client: false })]);
    let decided = all.first().unwrap();
    assert_eq!(decided.decided.map(|seen| seen.packet.0), Some(4));
    assert_eq!(subject::of(&index, decided).name.as_deref(), Some("portal.example.com"));
}

#[test]
fn a_handshake_whose_rows_go_on_is_answered() {
    let rows = list(
        443,
        "4 0.010000 192.0.2.10 → 198.51.100.80 TLSv1 293 Client Hello\n\
         5 0.010100 198.51.100.80 → 192.0.2.10 TLSv1.3 1417 Server Hello, Change Cipher Spec, Application Data\n\
         6 0.010200 192.0.2.10 → 198.51.100.80 TLSv1.3 146 Change Cipher Spec, Application Data\n\
         7 0.010300 192.0.2.10 → 198.51.100.80 TLSv1.3 165 Application Data\n",
    );
    assert_eq!(outcomes(&rows), [(Kind::Tls, Outcome::Answered)]);
}

#[test]
fn requests_and_statuses_in_rows_of_a_list_are_those_of_http() {
    let rows = |status: &str| {
        list(
            80,
            &format!(
                "4 0.010000 192.0.2.10 → 198.51.100.80 HTTP 143 GET /orders HTTP/1.1 \n\
                 5 0.010100 198.51.100.80 → 192.0.2.10 HTTP 251 HTTP/1.1 {status}  (text/html)\n"
            ),
        )
    };
    let (index, all) = attempts(&rows("503 Service Unavailable"));
    let own = all.first().unwrap();
    assert_eq!((all.len(), own.kind, own.outcome), (1, Kind::Http, Outcome::Fails(503)));
    assert_eq!(subject::of(&index, own).path.as_deref(), Some("/orders"));
    assert_eq!(outcomes(&rows("200 OK")), [(Kind::Http, Outcome::Answered)]);
    let silent = list(80, "4 0.010000 192.0.2.10 → 198.51.100.80 HTTP 143 GET /orders HTTP/1.1 \n");
    assert!(matches!(outcomes(&silent).as_slice(), [(Kind::Http, Outcome::Mute | Outcome::Closed)]));
}

#[test]
fn rows_that_may_belong_to_several_connections_fail_none() {
    let one = list(80, "4 0.010000 192.0.2.10 → 198.51.100.80 HTTP 143 GET /orders HTTP/1.1 \n");
    let other = one.replace("40302", "40303");
    let mut rows: Vec<&str> = one.lines().chain(other.lines()).collect();
    rows.sort_by_key(|row| row.split_whitespace().nth(1).unwrap());
    let told = outcomes(&(rows.join("\n") + "\n"));
    assert!(told.iter().all(|(_, outcome)| outcome.face().is_none()), "{told:?}");
}

/// A connection as tcpdump prints it: numbers count from its beginning, and only opening segments tell TCP's own.
fn segments(from: u32, carried: &str) -> String {
    let (client, server) =
        ("IP 192.0.2.10.40001 > 198.51.100.80.80:", "IP 198.51.100.80.80 > 192.0.2.10.40001:");
    format!(
        "10:00:01.000001 {client} Flags [S], seq {from}, win 64240, length 0\n\
         10:00:01.010001 {server} Flags [S.], seq 3000000000, ack {}, win 64240, length 0\n\
         10:00:01.010101 {client} Flags [.], ack 1, win 502, length 0\n{carried}\
         10:00:01.030301 {client} Flags [.], ack 901, win 502, length 0\n\
         10:00:01.030401 {client} Flags [F.], seq 78, ack 901, win 502, length 0\n\
         10:00:01.040401 {server} Flags [F.], seq 901, ack 79, win 502, length 0\n",
        from + 1
    )
}

#[test]
fn what_tcpdump_prints_of_http_is_read_with_and_without_lines() {
    let (client, server) =
        ("IP 192.0.2.10.40001 > 198.51.100.80.80:", "IP 198.51.100.80.80 > 192.0.2.10.40001:");
    for from in [1_000_000_000, 4_000_000_000] {
        let short = segments(
            from,
            &format!(
                "10:00:01.010201 {client} Flags [P.], seq 1:78, ack 1, win 502, length 77: HTTP: GET /a HTTP/1.1\n\
                 10:00:01.020201 {server} Flags [P.], seq 1:901, ack 78, win 502, length 900: HTTP: HTTP/1.1 503 Service Unavailable\n"
            ),
        );
        assert_eq!(outcomes(&short), [(Kind::Http, Outcome::Fails(503))]);
        let plain = segments(
            from,
            &format!(
                "10:00:01.010201 {client} Flags [P.], seq 1:78, ack 1, win 502, length 77\n\
                 10:00:01.020201 {server} Flags [P.], seq 1:901, ack 78, win 502, length 900\n"
            ),
        );
        assert_eq!(outcomes(&plain), [(Kind::Http, Outcome::Answered)]);
    }
    let long = segments(
        7,
        &format!(
            "10:00:01.010201 {client} Flags [P.], seq 1:78, ack 1, win 502, length 77: HTTP, length: 77\n\tGET /a HTTP/1.1\n\tHost: www.example.com\n\t\n\
             10:00:01.020201 {server} Flags [P.], seq 1:901, ack 78, win 502, length 900: HTTP, length: 900\n\tHTTP/1.1 200 OK\n\t\n"
        ),
    );
    let (index, all) = attempts(&long);
    assert_eq!(all.iter().map(|own| own.outcome).collect::<Vec<_>>(), [Outcome::Answered]);
    assert_eq!(subject::of(&index, all.first().unwrap()).name.as_deref(), Some("www.example.com"));
}

#[test]
fn segments_that_a_firewall_passed_on_and_nobody_answered_are_one_connection_without_a_reply() {
    let mut text = String::from("interfaces=[any]\nfilters=[host 203.0.113.80]\n");
    for (second, way) in [1, 2, 4, 8]
        .iter()
        .flat_map(|second| [(second, "internal in 192.0.2.10"), (second, "wan1 out 198.51.100.2")])
    {
        let late = if way.contains("out") { 517 } else { 456 };
        let _ = writeln!(
            text,
            "2024-05-14 08:12:0{second}.123{late} {way}.51514 -> 203.0.113.80.443: syn 3514782021 "
        );
    }
    let (_, all) = attempts(&text);
    let told: Vec<_> = all.iter().map(|own| (own.client.0.to_string(), own.tries, own.outcome)).collect();
    assert_eq!(told, [("192.0.2.10".to_owned(), 4, Outcome::NoReply)]);
    let once: Vec<&str> = text.lines().take(3).collect();
    let once = once.join("\n") + "\n";
    assert_eq!(outcomes(&once), [(Kind::Tls, Outcome::OneDirection)]);
}

/// Messages of DHCP as `-v` prints them: who sends, at which second, and which type.
fn dhcp(messages: &[(bool, u8, &str)]) -> String {
    let one = |(asks, second, kind): &(bool, u8, &str)| {
        let head = format!(
            "10:00:{second:02}.000001 IP (tos 0x0, ttl 64, id 0, offset 0, flags [none], proto UDP (17), length 328)"
        );
        let ends = if *asks {
            "0.0.0.0.68 > 255.255.255.255.67: [udp sum ok] BOOTP/DHCP, Request from 02:00:5e:00:53:21"
        } else {
            "192.0.2.1.67 > 192.0.2.139.68: [udp sum ok] BOOTP/DHCP, Reply"
        };
        let server = if *asks { "" } else { "\t    Server-ID (54), length 4: 192.0.2.1\n" };
        format!(
            "{head}\n    {ends}, length 300, xid 0xf5ffe412, Flags [none] (0x0000)\n\t  Client-Ethernet-Address 02:00:5e:00:53:21\n\t  Vendor-rfc1048 Extensions\n\t    DHCP-Message (53), length 1: {kind}\n{server}"
        )
    };
    messages.iter().map(one).collect()
}

#[test]
fn a_lease_is_followed_in_printed_messages() {
    let asked = dhcp(&[(true, 1, "Discover"), (true, 3, "Discover"), (true, 5, "Discover")]);
    let (_, all) = attempts(&asked);
    let told: Vec<_> = all.iter().map(|own| (own.client.0.to_string(), own.tries, own.outcome)).collect();
    assert_eq!(told, [("02:00:5e:00:53:21".to_owned(), 3, Outcome::NoOffer)]);
    let given = [(true, 1, "Discover"), (false, 1, "Offer"), (true, 2, "Request"), (false, 2, "ACK")];
    assert_eq!(outcomes(&dhcp(&given)), [(Kind::Dhcp, Outcome::Answered)]);
    let refused = [(true, 2, "Request"), (false, 2, "NACK")];
    assert_eq!(outcomes(&dhcp(&refused)), [(Kind::Dhcp, Outcome::Nak)]);
}

#[test]
fn without_types_requests_repeated_without_any_reply_are_asked_again() {
    let request = |second: u8| {
        format!(
            "10:00:0{second}.000001 IP 0.0.0.0.68 > 255.255.255.255.67: BOOTP/DHCP, Request from 02:00:5e:00:53:21, length 300\n"
        )
    };
    let reply = "10:00:01.100001 IP 192.0.2.1.67 > 192.0.2.139.68: BOOTP/DHCP, Reply, length 300\n";
    assert_eq!(outcomes(&(request(1) + &request(3))), [(Kind::Dhcp, Outcome::NoOffer)]);
    let served = request(1) + reply + &request(2) + &reply.replace(":01.", ":02.");
    assert_eq!(outcomes(&served), [(Kind::Dhcp, Outcome::Undetermined)]);
}

#[test]
fn a_lease_is_followed_in_rows_of_a_list() {
    let row = |number: u8, ends: &str, kind: &str| {
        format!("{number} {number}.000000 {ends} DHCP 342 DHCP {kind} - Transaction ID 0xf5ffe412\n")
    };
    let (asks, gives) = ("0.0.0.0 → 255.255.255.255", "192.0.2.1 → 192.0.2.139");
    let silent = row(1, asks, "Discover") + &row(3, asks, "Discover");
    assert_eq!(outcomes(&silent), [(Kind::Dhcp, Outcome::NoOffer)]);
    let given = row(1, asks, "Discover")
        + &row(2, gives, "Offer   ")
        + &row(3, asks, "Request ")
        + &row(4, gives, "ACK     ");
    assert_eq!(outcomes(&given), [(Kind::Dhcp, Outcome::Answered)]);
}

#[test]
fn packets_that_a_routers_firewall_logged_have_hosts_ports_and_flags() {
    let log = "Nov 30 10:01:12 192.0.2.1 firewall,info new-out forward: in:bridge out:ether1, connection-state:new src-mac 02:00:5e:00:53:21, proto TCP (SYN), 192.0.2.10:51514->203.0.113.80:443, len 60\n\
               Nov 30 10:01:13 192.0.2.1 dhcp,info dhcp1 assigned 192.0.2.12 to 02:00:5E:00:53:44\n\
               Nov 30 10:01:19 192.0.2.1 firewall,info new-out forward: in:bridge out:ether1, proto ICMP (type 8, code 0), 192.0.2.10->203.0.113.5, len 84\n\
               Nov 30 10:01:20 192.0.2.1 firewall,info new-out forward: in:bridge out:ether1, proto TCP (SYN,ACK), 203.0.113.80:443->192.0.2.10:51514, len 60\n";
    let index = index(log);
    assert_eq!(index.len(), 3);
    let packet = |at| index.packet(portmortem::index::PacketId(at)).unwrap();
    let flags = |at| match packet(at).decode().transport {
        portmortem::decode::Transport::Tcp { flags, source_port, .. } => (flags, source_port),
        _ => (0, 0),
    };
    assert_eq!((flags(0), flags(2)), ((2, 51514), (18, 443)));
    assert_eq!(packet(1).decode().icmp(), Some((8, 0)));
    assert_eq!(packet(2).time_ns() - packet(0).time_ns(), 8_000_000_000);
}

#[test]
fn whatever_follows_two_addresses_with_ports_is_a_packet() {
    let line = "00:00:02.600019 rule 4/0(match): block in on em1: 203.0.113.200.53211 > 198.51.100.2.161:  GetNextRequest(28)  .1.3.6.1.2.1\n";
    let index = index(line);
    let packet = index.packet(portmortem::index::PacketId(0)).unwrap();
    assert_eq!((packet.source_port(), packet.destination_port(), packet.transport()), (53211, 161, 17));
}

#[test]
fn a_cut_error_has_no_code_and_a_prompt_goes_on_with_no_packet() {
    let text = "03:25:34.712898 IP 192.0.2.10.43000 > 198.51.100.80.9200: Flags [S], seq 7303320\n\
                03:25:34.712933 IP 192.0.2.1 > 192.0.2.10: ICMP host 198.51.100.80 unreachable -\n\
                root@jump:~# \n";
    let index = index(text);
    let packet = index.packet(portmortem::index::PacketId(1)).unwrap();
    assert_eq!(packet.decode().icmp(), Some((3, portmortem::decode::transcript::CODE_NOT_PRINTED)));
    assert!(!String::from_utf8_lossy(packet.bytes()).contains("jump"));
}

#[test]
fn syns_alike_are_tries_of_one_connection_also_behind_a_refusal() {
    let one = |second: u8| {
        format!(
            "10:23:4{second}.100000 192.0.2.10.51514 > 198.51.100.80.1433: S 1234567:1234567(0) win 64240\n\
             10:23:4{second}.100500 198.51.100.80.1433 > 192.0.2.10.51514: R 0:0(0) ack 1234568 win 0\n"
        )
    };
    let (_, all) = attempts(&(one(1) + &one(2) + &one(3)));
    let told: Vec<_> = all.iter().map(|own| (own.tries, own.outcome)).collect();
    assert_eq!(told, [(3, Outcome::RefusedByReset)]);
}

#[test]
fn what_tcpdump_says_of_its_capture_behind_a_shippers_time_is_no_packet() {
    let text = "{\"log\":\"tcpdump: listening on eth0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\\n\",\"stream\":\"stderr\",\"time\":\"2024-11-30T03:25:44.561000000Z\"}\n\
                {\"log\":\"03:25:44.561320 IP 192.0.2.10.32960 > 198.51.100.123.123: NTPv4, Client, length 48\\n\",\"stream\":\"stdout\",\"time\":\"2024-11-30T03:25:44.561001000Z\"}\n\
                {\"log\":\"03:25:44.561583 IP 198.51.100.123.123 > 192.0.2.10.32960: NTPv4, Server, length 48\\n\",\"stream\":\"stdout\",\"time\":\"2024-11-30T03:25:44.561011000Z\"}\n";
    let index = index(text);
    assert_eq!(index.len(), 2);
    assert!(index.sources.iter().all(|source| source.metadata.damage.is_empty()));
}

#[test]
fn lines_without_flags_say_nothing_of_how_a_connection_began() {
    let text = "12:12:12.714473 IP 192.0.2.10.43436 > 198.51.100.29.80: tcp 0\n\
                12:12:12.714511 IP 198.51.100.29.80 > 192.0.2.10.43436: tcp 0\n\
                12:12:12.714847 IP 192.0.2.10.43436 > 198.51.100.29.80: tcp 82\n\
                12:12:12.735198 IP 198.51.100.29.80 > 192.0.2.10.43436: tcp 219\n";
    let index = index(text);
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let followed = Attempts::of(&evidence);
    assert_eq!((followed.strangers.count, followed.unprinted.count), (0, 1));
    assert_eq!(followed.unprinted.packets.len(), 1);
}

#[test]
fn a_printed_error_about_a_ping_refuses_it() {
    let text = "15:22:42.705781 IP 192.0.2.40 > 198.51.100.110: ICMP echo request, id 7, seq 1, length 64\n\
                15:22:42.705815 IP 192.0.2.1 > 192.0.2.40: ICMP host 198.51.100.110 unreachable - admin prohibited, length 92\n";
    assert_eq!(outcomes(text), [(Kind::Echo, Outcome::RefusedByIcmp(false, 3, 10))]);
}

/// How a row is written: its number, time, ends, and what is told.
type RowOf<'r> = &'r dyn Fn(usize, &str, (&str, &str), &str) -> String;

/// A call by SIP that fails and a question behind it: for a spreadsheet, as tags, and as ngrep prints them.
#[test]
fn one_exchange_is_read_alike_in_every_form() {
    const SAID: [(&str, bool, &str); 4] = [
        ("0,000000", true, "Request: INVITE sip:100@example.org"),
        ("2,011000", false, "Status: 503 Service Unavailable"),
        ("2,013000", true, "Request: ACK sip:100@example.org"),
        ("6,500000", true, "Request: OPTIONS sip:example.org"),
    ];
    let ends_of =
        |to: bool| if to { ("192.0.2.44", "198.51.100.60") } else { ("198.51.100.60", "192.0.2.44") };
    let rows = |row: RowOf<'_>| -> String {
        SAID.iter().enumerate().map(|(at, (time, to, told))| row(at + 1, time, ends_of(*to), told)).collect()
    };
    let spreadsheet = "\u{feff}Nr.;Zeit;Quelle;Ziel;Protokoll;Länge;Info\n".to_owned()
        + &rows(&|at, time, (from, to), told| format!("{at};{time};{from};{to};SIP;288;\"{told} |\"\n"));
    let titles = ["No.", "Time", "Source", "Destination", "Protocol", "Length", "Info"]
        .map(|title| format!("<section>{title}</section>\n"));
    let tags = format!("<psml version=\"0\">\n<structure>\n{}</structure>\n", titles.concat())
        + &rows(&|at, time, (from, to), told| {
            let cells = [at.to_string().as_str(), &time.replace(',', "."), from, to, "SIP", "288", told]
                .map(|cell| format!("<section>{cell}</section>\n"));
            format!("<packet>\n{}</packet>\n", cells.concat())
        });
    let spoken = |told: &str| match (told.strip_prefix("Request: "), told.strip_prefix("Status: ")) {
        (Some(line), _) => format!("{line} SIP/2.0"),
        (_, Some(status)) => format!("SIP/2.0 {status}"),
        _ => told.to_owned(),
    };
    let heard = "interface: any\nfilter: ( udp port 5060 )\n####\n".to_owned()
        + &rows(&|at, time, (from, to), told| {
            let time = format!("2026/03/03 10:15:2{}", time.replace(',', "."));
            format!(
                "U {time} {from}:5060 -> {to}:5060 #{at}\n{}.\nVia: SIP/2.0/UDP 192.0.2.44:5060.\n.\n\n",
                spoken(told)
            )
        });
    for text in [spreadsheet, tags, heard] {
        let (index, all) = attempts(&text);
        assert_eq!(index.len(), 4, "{text}");
        let ends: Vec<_> = all.iter().map(|own| (own.client.0.to_string(), own.outcome)).collect();
        let client = || "192.0.2.44".to_owned();
        // The ACK asks for nothing, and nothing answers OPTIONS but its own answer.
        let [(failed, Outcome::Fails(503)), (open, Outcome::Undetermined)] = ends.as_slice() else {
            panic!("{ends:?} of {text}")
        };
        assert_eq!((failed, open), (&client(), &client()));
    }
}

#[test]
fn what_is_pushed_is_data_though_its_length_is_cut_off() {
    let carried = "10:00:00.010000 IP 192.0.2.10.40001 > 198.51.100.80.80: Flags [P.], seq 1:78, ack 1, win 502\n\
                   10:00:00.020000 IP 198.51.100.80.80 > 192.0.2.10.40001: Flags [P.], ack 78, win 502\n";
    let opens = "10:00:00.000001 IP 192.0.2.10.40001 > 198.51.100.80.80: Flags [S], seq 7, win 64240, length 0\n\
                 10:00:00.001001 IP 198.51.100.80.80 > 192.0.2.10.40001: Flags [S.], seq 9, ack 8, win 65160, length 0\n\
                 10:00:00.001101 IP 192.0.2.10.40001 > 198.51.100.80.80: Flags [.], ack 1, win 502, length 0\n";
    assert_eq!(outcomes(&format!("{opens}{carried}")), [(Kind::Http, Outcome::Answered)]);
    let empty = carried.replace("[P.]", "[.]").replace("seq 1:78, ", "");
    assert_eq!(outcomes(&format!("{opens}{empty}")), [(Kind::Http, Outcome::Accepted)]);
}
