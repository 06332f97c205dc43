//! One query and its error in every form tcpdump prints them, and in what people do to them when they paste.
#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use portmortem::capture;
use portmortem::decode::Address;
use portmortem::index::{Index, Input, PacketId, Progress, build};

/// The time of day of the query.
const QUERY_NS: i64 = 48_272_192_571_000;
const GAP_NS: i64 = 3_905_993_000;

fn index(text: &str) -> Index {
    let text: &'static [u8] = text.to_owned().into_bytes().leak();
    let (source, walk) = capture::open_bytes("text", text).unwrap();
    build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {})
}

/// Checks a query and the error about it; gives the index for what else the form says.
fn check(text: &str) -> Index {
    let index = index(text);
    assert_eq!(index.len(), 2, "{text}");
    let (query, error) = (index.packet(PacketId(0)).unwrap(), index.packet(PacketId(1)).unwrap());
    let [client, server] = ["192.51.100.15", "203.0.113.2"].map(|text| Address::V4(text.parse().unwrap()));
    assert_eq!((query.source_address(), query.source_port()), (client, 52444), "{text}");
    assert_eq!((query.destination_address(), query.destination_port()), (server, 53), "{text}");
    assert_eq!((error.source_address(), error.destination_address()), (server, client), "{text}");
    assert_eq!((error.source_port(), error.destination_port()), (3, 3), "type and code of {text}");
    assert_eq!((query.transport(), error.transport()), (17, 1), "{text}");
    index
}

fn check_dns(index: &Index) {
    let row = index.packet(PacketId(0)).unwrap().dns().copied().unwrap();
    assert_eq!((row.header.id, row.qtype, row.header.recursion_desired()), (35084, 1, true));
}

fn times(index: &Index) -> (i64, i64) {
    let time = |id| index.packet(PacketId(id)).unwrap().time_ns();
    (time(0), time(1))
}

const QUERY: &str = "192.51.100.15.52444 > 203.0.113.2.53: 35084+ A? yummyrecipesforme.com. (39)";
const ERROR: &str = "203.0.113.2 > 192.51.100.15: ICMP 203.0.113.2 udp port 53 unreachable, length 75";

#[test]
fn every_kind_of_time_stamp_is_read() {
    let day = 946_684_800_000_000_000;
    let forms = [
        ("13:24:32.192571", "13:24:36.098564", QUERY_NS, QUERY_NS + GAP_NS),
        ("13:24:32.192571000", "13:24:36.098564000", QUERY_NS, QUERY_NS + GAP_NS),
        ("946733072.192571", "946733076.098564", day + QUERY_NS, day + QUERY_NS + GAP_NS),
        ("2000-01-01 13:24:32.192571", "2000-01-01 13:24:36.098564", day + QUERY_NS, day + QUERY_NS + GAP_NS),
        // -ttt and -ttttt say how much later, not when.
        (" 00:00:00.000000", " 00:00:03.905993", 0, GAP_NS),
        (" 00:00:00.000000", "-00:00:03.905993", 0, -GAP_NS),
        ("    1  13:24:32.192571", "    2  13:24:36.098564", QUERY_NS, QUERY_NS + GAP_NS),
    ];
    for (first, second, first_ns, second_ns) in forms {
        let index = check(&format!("{first} IP {QUERY}\n{second} IP {ERROR}\n"));
        check_dns(&index);
        assert_eq!(times(&index), (first_ns, second_ns), "{first}");
    }
}

#[test]
fn a_time_that_does_not_fit_is_no_time() {
    let text = format!("9999999999.000000 IP {QUERY}\n1715693072.192571 IP {QUERY}\n");
    assert_eq!(index(&text).len(), 1);
}

#[test]
fn differences_to_the_line_before_are_added_up() {
    let stamps = ["00:00:00.000000", "00:00:05.000000", "00:00:01.000000", "00:00:02.000000"];
    let lines: Vec<String> = stamps.iter().map(|stamp| format!(" {stamp} IP {QUERY}\n")).collect();
    let text = lines.concat();
    let index = index(&text);
    let times: Vec<i64> =
        (0..4).map(|id| index.packet(PacketId(id)).unwrap().time_ns() / 1_000_000_000).collect();
    assert_eq!(times, [0, 5, 6, 8]);
}

#[test]
fn lines_without_any_time_are_packets_without_a_time() {
    let texts = [
        format!("IP {QUERY}\nIP {ERROR}\n"),
        format!("It failed like this:\n\n    IP {QUERY}\n    IP {ERROR}\n\nIP traffic was seen > later\n"),
        format!("- IP {QUERY}\n- IP {ERROR}\n"),
        format!(
            "IP (tos 0x0, ttl 64, id 4096, offset 0, flags [none], proto UDP (17), length 67)\n    {QUERY}\nIP (tos 0xc0, ttl 57, id 4103, offset 0, flags [none], proto ICMP (1), length 95)\n    {ERROR}\n\tIP (tos 0x0, ttl 57, id 4096, offset 0, flags [none], proto UDP (17), length 67)\n    {QUERY}\n"
        ),
        format!(
            "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 (0x0800), length 81: {QUERY}\n02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv4 (0x0800), length 109: {ERROR}\n"
        ),
    ];
    for text in texts {
        let index = check(&text);
        check_dns(&index);
        let flags = index.packet(PacketId(0)).unwrap().flags();
        assert_ne!(flags & portmortem::index::segment::flags::NO_TIME, 0, "{text}");
    }
}

#[test]
fn link_layers_are_passed_and_what_they_say_is_kept() {
    let prefixes = [
        "IP ",
        "eth0  Out IP ",
        "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 (0x0800), length 81: ",
        "02:00:00:00:00:01 (oui Unknown) > 02:00:00:00:00:02 (oui Unknown), ethertype IPv4 (0x0800), length 81: ",
        "02:00:00:00:00:01 > 02:00:00:00:00:02, IPv4, length 81: ",
        "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype 802.1Q (0x8100), length 81: vlan 100, p 0, ethertype IPv4 (0x0800), ",
        "02:00:00:00:00:01 (oui Unknown) > Broadcast, 802.1Q, length 81: vlan 100, p 0, IPv4, ",
        " In 02:00:00:00:00:01 ethertype IPv4 (0x0800), length 81: ",
        " In 02:00:00:00:00:01 (oui Unknown) ",
        "eth0  Out ifindex 2 52:54:00:00:00:01 ethertype IPv4 (0x0800), length 81: ",
        "?     In  ifindex 2 52:54:00:00:00:01 (oui Unknown) ethertype IPv4 (0x0800), length 81: ",
        "AF IPv4 (2), length 81: ",
        "ip: ",
        "IPv4, length 81: ",
        "IP (0x0021), length 81: ",
        "PPPoE  [ses 0x11] IP ",
        "MPLS (label 16, tc 0, [S], ttl 64) IP ",
        "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype MPLS unicast (0x8847), length 81: MPLS (label 16, tc 0, [S], ttl 64) ",
    ];
    for prefix in prefixes {
        let index = check(&format!("13:24:32.192571 {prefix}{QUERY}\n13:24:36.098564 {prefix}{ERROR}\n"));
        check_dns(&index);
        let packet = index.packet(PacketId(0)).unwrap();
        let decoded = packet.decode();
        let vlans: &[u16] = if prefix.contains("vlan 100") { &[100] } else { &[] };
        assert_eq!(decoded.vlans(), vlans, "{prefix}");
        let length = packet.printed().unwrap().head.link.length;
        assert_eq!(length.is_some(), prefix.contains("length 81") && prefix.contains("00:01"), "{prefix}");
    }
}

#[test]
fn a_verbose_line_says_more_and_is_read_all_the_same() {
    let index = check(&format!(
        "13:24:32.192571 IP (tos 0x0, ttl 64, id 4096, offset 0, flags [DF], proto UDP (17), length 67)\n    {}\n\
         13:24:36.098564 IP (tos 0xc0, ttl 57, id 4103, offset 0, flags [none], proto ICMP (1), length 95)\n    {ERROR}\n\
         \tIP (tos 0x0, ttl 57, id 4096, offset 0, flags [DF], proto UDP (17), length 67)\n    {QUERY}\n",
        QUERY.replace("35084+", "[bad udp cksum 0x6686 -> 0x18c5!] 35084+ [1au]"),
    ));
    check_dns(&index);
    let packet = index.packet(PacketId(0)).unwrap();
    assert_eq!((packet.ttl(), packet.decode().ip_id), (64, Some(4096)));
    let quote = index.packet(PacketId(1)).unwrap().printed().unwrap().icmp.unwrap().quote.unwrap();
    assert_eq!((quote.ip.id, quote.source.port), (Some(4096), Some(52444)));
}

#[test]
fn dumps_of_bytes_below_a_line_are_not_packets() {
    let dump =
        "\t0x0000:  4500 0043 1000 0000 4011 0a65 c033 640f  E..C....@..e.3d.\n\t0x0010:  cb00 7102  ..q.\n";
    let ascii = "E..C....@.\ne.3d...q....5./H..............yummyrecipesforme.com.....\n";
    for below in [dump, ascii] {
        let text = format!("13:24:32.192571 IP {QUERY}\n{below}13:24:36.098564 IP {ERROR}\n{below}");
        check_dns(&check(&text));
    }
}

#[test]
fn icmp_for_ipv6_is_read_with_and_without_its_checksum() {
    for sum in ["", "[icmp6 sum ok] "] {
        let index = index(&format!(
            "13:00:20.018000 IP6 (hlim 57, next-header ICMPv6 (58) payload length: 89) 2001:db8:53::2 > 2001:db8:a::15: \
             {sum}ICMP6, destination unreachable, unreachable port, 2001:db8:53::2 udp port 53\n"
        ));
        let packet = index.packet(PacketId(0)).unwrap();
        assert_eq!((packet.transport(), packet.source_port(), packet.destination_port()), (58, 1, 4));
        assert_eq!(packet.ttl(), 57);
    }
}

fn quoted(text: &str) -> String {
    let lines = text.lines().map(|line| format!("> {}\n", line.replace(" A? ", " A?\n> ")));
    lines.collect::<Vec<_>>().concat()
}

fn numbered(text: &str) -> String {
    let lines = text.lines().map(|line| format!("1. \u{201c}{line}\u{201d}\n"));
    lines.collect::<Vec<_>>().concat()
}

#[test]
fn what_mail_programs_and_word_processors_do_to_a_paste_is_undone() {
    let changes: [fn(&str) -> String; 8] = [
        |text| text.replace('\n', "\r\n"),
        |text| text.replace("IP ", "IP\u{a0}").replace(" A? ", "\u{202f}A?\u{2009}"),
        |text| text.replace(" > ", " \u{203a} "),
        |text| text.replace(" > ", " &gt; "),
        |text| text.replace(" A? ", " A?\n   ").replace("udp port", "\n   udp port"),
        |text| quoted(text),
        |text| numbered(text),
        |text| format!("\u{feff}# Log\n\n```text\n{text}```\n\nAt 13:30:00 we gave up > in the end.\n"),
    ];
    for change in changes {
        let text = change(&format!("13:24:32.192571 IP {QUERY}\n13:24:36.098564 IP {ERROR}\n"));
        let index = check(&text);
        check_dns(&index);
        assert_eq!(times(&index), (QUERY_NS, QUERY_NS + GAP_NS), "{text}");
    }
}

#[test]
fn packet_lists_of_other_programs_are_read() {
    let texts = [
        "    1 0.000000000 192.51.100.15 \u{2192} 203.0.113.2  DNS 81 Standard query 0x890c A example.com\n\
         \x20   2 3.905993000 203.0.113.2 \u{2192} 192.51.100.15 ICMP 109 Destination unreachable (Port unreachable)\n",
        "No.     Time           Source                Destination           Protocol Length Info\n\
         \x20     1 0.000000       192.51.100.15         203.0.113.2           DNS      81     Standard query 0x890c A example.com\n\
         \x20     2 3.905993       203.0.113.2           192.51.100.15         ICMP     109    Destination unreachable (Port unreachable)\n",
        "\"No.\",\"Time\",\"Source\",\"Destination\",\"Protocol\",\"Length\",\"Info\"\n\
         \"1\",\"0.000000\",\"192.51.100.15\",\"203.0.113.2\",\"DNS\",\"81\",\"Standard query 0x890c A example.com\"\n\
         \"2\",\"3.905993\",\"203.0.113.2\",\"192.51.100.15\",\"ICMP\",\"109\",\"Destination unreachable (Port unreachable)\"\n",
    ];
    for text in texts {
        let index = index(text);
        assert_eq!(index.len(), 2, "{text}");
        let (query, error) = (index.packet(PacketId(0)).unwrap(), index.packet(PacketId(1)).unwrap());
        let [client, server] =
            ["192.51.100.15", "203.0.113.2"].map(|text| Address::V4(text.parse().unwrap()));
        assert_eq!((query.source_address(), query.destination_address()), (client, server), "{text}");
        assert_eq!((error.source_address(), error.destination_address()), (server, client), "{text}");
        let dns = query.dns().copied().unwrap();
        assert_eq!((dns.header.id, dns.qtype), (0x890c, 1), "{text}");
        assert_eq!((error.transport(), error.source_port(), error.destination_port()), (1, 3, 3), "{text}");
        assert_eq!(times(&index), (0, GAP_NS), "{text}");
    }
}

#[test]
fn text_without_packets_is_named_with_what_to_give_instead() {
    let texts = [
        (
            "; <<>> DiG 9.18.24 <<>> www.example.com\n;; communications error to 203.0.113.2#53: timed out\n",
            "dig",
            "capture while it runs",
        ),
        (
            "#separator \\x09\n#path\tdns\n#fields\tts\tuid\tid.orig_h\tid.orig_p\n",
            "Zeek",
            "the capture it was made from",
        ),
        (
            "05-Mar-2024 14:00:01.123 queries: info: client @0x7f 192.51.100.15#52444 (www.example.com): query: www.example.com IN A +E(0)K (203.0.113.2)\n",
            "BIND",
            "capture on its host",
        ),
        (
            "Frame 1: 81 bytes on wire (648 bits), 81 bytes captured (648 bits)\nEthernet II, Src: 02:00:00:00:00:01\n",
            "Wireshark",
            "tshark -n -r FILE",
        ),
    ];
    for (text, what, instead) in texts {
        let error = capture::open_bytes("text", text.as_bytes()).err().unwrap().to_string();
        assert!(error.contains(what) && error.contains(instead), "{error}");
    }
}
