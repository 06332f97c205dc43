//! What tshark prints field by field is read as the packets it was printed from, and two captures in one text stay two.

#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::{Evidence, Outcome, Parameters, correlate};
use portmortem::decode::Transport;
use portmortem::findings::{self, Finding};
use portmortem::index::{Index, Input, Packet, PacketId, Progress, build};

fn index(text: &str) -> Index {
    let found = capture::open_text("text", text.to_owned().into_bytes()).unwrap();
    let inputs = found.into_iter().map(|(source, walk)| Input { source, walk, offset_ns: 0 });
    build(inputs.collect(), 1, &Progress::default(), |_| {})
}

fn judge(text: &str) -> (Index, Evidence, Vec<Finding>) {
    let index = index(text);
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let found = findings::run(&findings::Input { index: &index, evidence: &evidence }, &[]);
    (index, evidence, found)
}

fn packet(index: &Index, at: u32) -> Packet<'_> {
    index.packet(PacketId(at)).unwrap()
}

fn ends(packet: &Packet<'_>) -> (String, u16, String, u16) {
    let (source, destination) = (packet.source_address(), packet.destination_address());
    (source.to_string(), packet.source_port(), destination.to_string(), packet.destination_port())
}

fn damage(index: &Index) -> Vec<String> {
    let damage = index.sources.iter().flat_map(|source| &source.metadata.damage);
    damage.map(ToString::to_string).collect()
}

/// A question for a.example and an ICMP error about it, as fields; `udp.payload` is the question.
const QUESTION: &str = "10:05:01:00:00:01:00:00:00:00:00:00:01:61:07:65:78:61:6d:70:6c:65:00:00:01:00:01";

fn object(with_payload: bool) -> String {
    let payload = if with_payload { format!(r#", "udp.payload": "{QUESTION}""#) } else { String::new() };
    let ip = |from: &str, to: &str, proto: u8, length: u8| {
        format!(
            r#""ip.version": "4", "ip.hdr_len": "20", "ip.dsfield": "0x00", "ip.len": "{length}", "ip.id": "0x1e37",
               "ip.flags": "0x02", "ip.flags_tree": {{"ip.flags.df": "1", "ip.flags.mf": "0"}}, "ip.frag_offset": "0",
               "ip.ttl": "64", "ip.proto": "{proto}", "ip.checksum": "0x1234", "ip.src": "{from}", "ip.addr": "{from}", "ip.dst": "{to}""#
        )
    };
    let udp = format!(
        r#""udp.srcport": "40001", "udp.dstport": "53", "udp.length": "35", "udp.checksum": "0x0000"{payload}"#
    );
    let dns = r#""dns.id": "0x1005", "dns.flags": "0x0100", "dns.count.queries": "1", "dns.count.answers": "0",
                 "Queries": {"a.example: type A, class IN": {"dns.qry.name": "a.example", "dns.qry.type": "1"}}"#;
    let own = ip("192.0.2.10", "198.51.100.53", 17, 55);
    let error = ip("198.51.100.53", "192.0.2.10", 1, 83);
    format!(
        r#"[ {{"_source": {{"layers": {{"frame": {{"frame.number": "1", "frame.time_epoch": "1700000000.000001000", "frame.len": "55"}},
             "ip": {{{own}}}, "udp": {{{udp}}}, "dns": {{{dns}}} }}}}}},
           {{"_source": {{"layers": {{"frame": {{"frame.number": "2", "frame.time_epoch": "1700000000.000901000", "frame.len": "83"}},
             "ip": {{{error}}}, "icmp": {{"icmp.type": "3", "icmp.code": "3", "icmp.checksum": "0x0000", "ip": {{{own}}},
             "udp": {{{udp}}}}}, "dns": {{{dns}}} }}}}}} ]"#
    )
}

/// The question and the error about it, whatever they were printed as.
fn is_the_refused_question(text: &str) -> Index {
    let (index, evidence, _) = judge(text);
    assert_eq!(index.len(), 2, "{text}");
    let expected = ("192.0.2.10".to_owned(), 40001, "198.51.100.53".to_owned(), 53);
    assert_eq!(ends(&packet(&index, 0)), expected, "{text}");
    let question = packet(&index, 0);
    assert_eq!(question.dns().unwrap().header.id, 0x1005);
    assert_eq!(question.time_ns(), 1_700_000_000_000_001_000);
    assert!(matches!(packet(&index, 1).decode().transport, Transport::Icmp { kind: 3, code: 3 }), "{text}");
    let outcomes: Vec<_> = evidence.transactions.iter().map(|own| own.outcome).collect();
    assert_eq!(outcomes, [Outcome::Refused], "{text}");
    index
}

#[test]
fn json_gives_the_bytes_where_all_are_told_and_else_the_line() {
    let whole = is_the_refused_question(&object(true));
    assert_eq!(packet(&whole, 0).decode().ip_id, Some(0x1e37));
    let line = is_the_refused_question(&object(false));
    let printed = packet(&line, 0);
    assert!(printed.printed().unwrap().text.contains("4101+ A? a.example."), "{:?}", printed.printed());
    // Quoted in a mail, behind prose.
    let quoted: Vec<String> = object(true).lines().map(|line| format!("> > {line}")).collect();
    is_the_refused_question(&format!("> > I ran it:\n{}\n", quoted.join("\n")));
}

#[test]
fn a_cut_end_of_json_is_counted() {
    let text = object(true);
    let cut = text.get(..text.len() - 200).unwrap();
    let index = index(cut);
    assert_eq!(index.len(), 1);
    assert!(damage(&index).iter().any(|said| said.contains("the text was cut")), "{:?}", damage(&index));
}

#[test]
fn the_form_for_elasticsearch_is_read() {
    let (own, error) = (
        r#""ip_ip_proto":"17","ip_ip_src":"192.0.2.10","ip_ip_addr":["192.0.2.10","198.51.100.53"],"ip_ip_dst":"198.51.100.53""#,
        r#""ip_ip_proto":"1","ip_ip_src":"198.51.100.53","ip_ip_dst":"192.0.2.10""#,
    );
    let udp = r#""udp_udp_srcport":"40001","udp_udp_dstport":"53","udp_udp_length":"35""#;
    let dns = r#""dns_dns_id":"0x1005","dns_dns_flags":"0x0100","dns_dns_flags_response":false,"dns_dns_qry_name":"a.example","dns_dns_qry_type":"1""#;
    let text = format!(
        "{{\"index\":{{\"_index\":\"packets\"}}}}\n\
         {{\"timestamp\":\"1700000000000\",\"layers\":{{\"frame\":{{\"frame_frame_number\":\"1\",\"frame_frame_time\":\"2023-11-14T22:13:20.000001000Z\"}},\
         \"ip\":{{{own}}},\"udp\":{{{udp}}},\"dns\":{{{dns}}}}}}}\n\
         {{\"index\":{{\"_index\":\"packets\"}}}}\n\
         {{\"timestamp\":\"1700000000001\",\"layers\":{{\"frame\":{{\"frame_frame_number\":\"2\"}},\"ip\":{{{error}}},\
         \"icmp\":{{\"icmp_icmp_type\":\"3\",\"icmp_icmp_code\":\"3\",\"ip\":{{{own}}},\"udp\":{{{udp}}}}},\"dns\":{{{dns}}}}}}}\n"
    );
    is_the_refused_question(&text);
}

#[test]
fn pdml_is_read() {
    let field = |name: &str, show: &str| {
        format!("<field name=\"{name}\" showname=\"x &gt; y\" size=\"1\" show=\"{show}\"/>\n")
    };
    let ip = |from: &str, to: &str, proto: &str| {
        [field("ip.proto", proto), field("ip.src", from), field("ip.addr", from), field("ip.dst", to)]
            .concat()
    };
    let udp = [field("udp.srcport", "40001"), field("udp.dstport", "53"), field("udp.length", "35")].concat();
    let dns = [
        field("dns.id", "0x1005"),
        field("dns.flags", "0x0100"),
        field("dns.qry.name", "a.example"),
        field("dns.qry.type", "1"),
    ];
    let own = ip("192.0.2.10", "198.51.100.53", "17");
    let text = format!(
        "<pdml>\n<packet>\n<proto name=\"ip\">{}{own}{udp}{}</proto>\n</packet>\n<packet>\n{}{}{}{own}{udp}</packet>\n</pdml>\n",
        field("frame.time_epoch", "1700000000.000001000"),
        dns.concat(),
        field("frame.time_epoch", "1700000000.000901000"),
        ip("198.51.100.53", "192.0.2.10", "1"),
        [field("icmp.type", "3"), field("icmp.code", "3")].concat(),
    );
    is_the_refused_question(&text);
}

#[test]
fn columns_of_chosen_fields_are_read_by_the_names_above_them() {
    let names = [
        "frame.time_epoch",
        "ip.src",
        "ip.dst",
        "udp.srcport",
        "udp.dstport",
        "icmp.type",
        "icmp.code",
        "dns.id",
        "dns.flags.recdesired",
        "dns.flags.response",
        "dns.qry.name",
        "dns.qry.type",
    ];
    let rows = [
        [
            "1700000000.000001000",
            "192.0.2.10",
            "198.51.100.53",
            "40001",
            "53",
            "",
            "",
            "0x1005",
            "1",
            "0",
            "a.example",
            "1",
        ],
        [
            "1700000000.000901000",
            "198.51.100.53,192.0.2.10",
            "192.0.2.10,198.51.100.53",
            "40001",
            "53",
            "3",
            "3",
            "0x1005",
            "1",
            "0",
            "a.example",
            "1",
        ],
    ];
    for (divider, quote) in [("\t", ""), (";", "\""), (",", "\""), ("|", ""), (";", "'")] {
        let row = |words: &[&str]| {
            let quoted: Vec<String> = words.iter().map(|word| format!("{quote}{word}{quote}")).collect();
            quoted.join(divider)
        };
        let text =
            format!("see below\n{}\n{}\n{}\n\nthanks\n", names.join(divider), row(&rows[0]), row(&rows[1]));
        is_the_refused_question(&text);
    }
    // What is asked of recursion is not said.
    let text = "ip.src\tip.dst\tdns.id\tdns.qry.name\tframe.time_epoch\n\
                192.0.2.10\t198.51.100.53\t0x1005\ta.example\t1700000000.000001000\n";
    let index = index(text);
    assert_eq!(packet(&index, 0).printed().unwrap().dns.map(|dns| dns.tells_recursion), Some(false));
}

const DETAILS: &str = "Frame 1: 55 bytes on wire (440 bits), 55 bytes captured (440 bits)
    Epoch Time: 1700000000.000001000 seconds
    Frame Number: 1
Internet Protocol Version 4, Src: 192.0.2.10, Dst: 198.51.100.53
    Total Length: 55
    Identification: 0x1e37 (7735)
    Time to Live: 64
    Protocol: UDP (17)
User Datagram Protocol, Src Port: 40001, Dst Port: 53
    Length: 35
Domain Name System (query)
    Transaction ID: 0x1005
    Flags: 0x0100 Standard query
        .... ...1 .... .... = Recursion desired: Do query recursively
    Questions: 1
    Queries
        a.example: type A, class IN
            Name: a.example

Frame 2: 83 bytes on wire (664 bits), 83 bytes captured (664 bits)
    Epoch Time: 1700000000.000901000 seconds
    Frame Number: 2
Internet Protocol Version 4, Src: 198.51.100.53, Dst: 192.0.2.10
    Total Length: 83
    Identification: 0x0000 (0)
    Time to Live: 64
    Protocol: ICMP (1)
Internet Control Message Protocol
    Type: 3 (Destination unreachable)
    Code: 3 (Port unreachable)
    Internet Protocol Version 4, Src: 192.0.2.10, Dst: 198.51.100.53
        Total Length: 55
        Identification: 0x1e37 (7735)
        Time to Live: 64
        Protocol: UDP (17)
    User Datagram Protocol, Src Port: 40001, Dst Port: 53
        Length: 35
Domain Name System (query)
    Transaction ID: 0x1005
    Flags: 0x0100 Standard query
";

#[test]
fn details_are_read() {
    let index = is_the_refused_question(DETAILS);
    assert_eq!(packet(&index, 0).decode().ip_id, Some(0x1e37));
    // `-O udp,icmp,dns` tells of the quoted header alone more than its ends.
    let own = DETAILS.replace(
        "    Total Length: 83\n    Identification: 0x0000 (0)\n    Time to Live: 64\n    Protocol: ICMP (1)\n",
        "",
    );
    is_the_refused_question(&own);
    let ticket: Vec<String> = DETAILS.lines().map(|line| format!("  {line}")).collect();
    is_the_refused_question(&format!("{{noformat}}\n{}\n{{noformat}}\n", ticket.join("\n")));
}

#[test]
fn captures_with_words_between_them_are_two_and_neither_clears_the_other() {
    let client = "10:00:00.773601 IP 192.0.2.130.44100 > 203.0.113.140.443: Flags [S], seq 185773679, win 64240, options [mss 1460,TS val 51 ecr 0], length 0
10:00:00.787206 IP 203.0.113.140.443 > 192.0.2.130.44100: Flags [S.], seq 3371168583, ack 185773680, win 65160, options [mss 1460,TS val 85 ecr 51], length 0
10:00:00.787322 IP 192.0.2.130.44100 > 203.0.113.140.443: Flags [.], ack 3371168584, win 502, options [TS val 52 ecr 85], length 0
10:00:00.788288 IP 192.0.2.130.44100 > 203.0.113.140.443: Flags [P.], seq 185773680:185775023, ack 3371168584, win 502, options [TS val 53 ecr 85], length 1343
10:00:01.046198 IP 192.0.2.130.44100 > 203.0.113.140.443: Flags [P.], seq 185773680:185775023, ack 3371168584, win 502, options [TS val 54 ecr 85], length 1343
10:00:01.597330 IP 192.0.2.130.44100 > 203.0.113.140.443: Flags [P.], seq 185773680:185775023, ack 3371168584, win 502, options [TS val 55 ecr 85], length 1343
10:00:02.573451 IP 192.0.2.130.44100 > 203.0.113.140.443: Flags [P.], seq 185773680:185775023, ack 3371168584, win 502, options [TS val 56 ecr 85], length 1343
10:00:04.630040 IP 192.0.2.130.44100 > 203.0.113.140.443: Flags [P.], seq 185773680:185775023, ack 3371168584, win 502, options [TS val 57 ecr 85], length 1343
";
    let server = "10:00:00.800101 IP 192.0.2.130.44100 > 203.0.113.140.443: Flags [S], seq 185773679, win 64240, options [mss 1460,TS val 51 ecr 0], length 0
10:00:00.800906 IP 203.0.113.140.443 > 192.0.2.130.44100: Flags [S.], seq 3371168583, ack 185773680, win 65160, options [mss 1460,TS val 85 ecr 51], length 0
10:00:00.813822 IP 192.0.2.130.44100 > 203.0.113.140.443: Flags [.], ack 3371168584, win 502, options [TS val 52 ecr 85], length 0
10:00:12.631176 IP 203.0.113.140.443 > 192.0.2.130.44100: Flags [F.], seq 3371168584, ack 185773680, win 509, options [TS val 86 ecr 52], length 0
";
    for between in ["\nServer side (vault):\n\n", "\n```\nand this is the other box\n```\n", "\n"] {
        let (index, _, found) = judge(&format!("Client:\n\n{client}{between}{server}"));
        assert_eq!(index.sources.len(), 2, "{between}");
        assert!(found.iter().any(|own| own.id == "service-failures"), "{between} {found:?}");
    }
    // A capture of one place that was commented on stays one.
    let (first, rest) = client.split_once('\n').unwrap();
    let commented = index(&format!("{first}\nHere it waits:\n{rest}"));
    assert_eq!(commented.sources.len(), 1);
}

#[test]
fn a_second_capture_by_another_clock_begins_with_the_packet_that_began_the_first() {
    let one = |clock: &str| {
        format!(
            "{clock}:00.773601 IP 192.0.2.130.44100 > 203.0.113.140.443: Flags [S], seq 185773679, win 64240, options [mss 1460,TS val 51 ecr 0], length 0\n\
             {clock}:00.787206 IP 203.0.113.140.443 > 192.0.2.130.44100: Flags [R.], seq 0, ack 185773680, win 0, length 0\n\
             {clock}:01.787206 IP 192.0.2.130.44101 > 203.0.113.140.443: Flags [S], seq 285773679, win 64240, options [mss 1460,TS val 51 ecr 0], length 0\n"
        )
    };
    assert_eq!(index(&format!("{}\non the server:\n{}", one("10:00"), one("10:07"))).sources.len(), 2);
}

#[test]
fn what_a_packet_carries_is_no_packet() {
    let text = "10:00:00.442088 IP 192.0.2.26.34680 > 203.0.113.90.8080: Flags [.], ack 1, win 502, length 0
E..4Tk@.@.........qZ.x.....P.Ve............
10:00:00.473245 IP 203.0.113.90.8080 > 192.0.2.26.34680: Flags [P.], seq 1:159, ack 51, win 509, length 158: HTTP: HTTP/1.1 200 OK
E...T.@.:.....qZ.......x.Ve.........3......
....H...HTTP/1.1 200 OK
Content-Type: text/plain
Content-Length: 93

10:00:00.000001 IP 192.0.2.99.4444 > 198.51.100.99.80: Flags [S], seq 1, win 1024, length 0

10:00:00.473345 IP 192.0.2.26.34680 > 203.0.113.90.8080: Flags [.], ack 159, win 502, length 0
E..4T.@.@..w......qZ.x.......Vf............
";
    let index = index(text);
    assert_eq!((index.len(), index.sources.len()), (3, 1));
}

#[test]
fn a_rule_that_blocked_packets_is_told_in_place_of_silence() {
    let silence = |found: &[Finding]| {
        found.iter().any(|own| own.id == "unanswered-queries" || own.id == "tcp-failures")
    };
    let row = |second: u32, port: u32, prefix: &str| {
        format!(
            " mar/20/2025 07:07:{second:02} firewall,info {prefix}forward: in:bridge-lan out:ether1-wan, connection-state:new src-mac \
             02:00:5e:10:20:30, proto TCP (SYN), 192.0.2.200:{port}->203.0.113.5:587, len 60\n"
        )
    };
    let log = |prefix: &str| {
        [(7, 49801), (8, 49801), (10, 49801), (20, 49802), (21, 49802), (23, 49802)]
            .map(|(second, port)| row(second, port, prefix))
            .concat()
    };
    let (index, _, found) = judge(&log("drop-smtp "));
    assert_eq!(packet(&index, 0).time_ns(), 1_742_454_427_000_000_000);
    let blocked: Vec<_> = found.iter().filter(|own| own.id == "blocked-by-filter").collect();
    assert_eq!(blocked.len(), 1);
    assert!(
        blocked[0].statement.contains("the rule of a packet filter that logs “drop-smtp” blocked 6 packets")
    );
    assert!(!silence(&found));
    // What a rule logs and does not name so may have passed.
    for prefix in ["mail ", ""] {
        let (_, _, found) = judge(&log(prefix));
        assert!(silence(&found) && found.iter().all(|own| own.id != "blocked-by-filter"));
    }
}

#[test]
fn an_assessment_of_blocked_questions_names_the_rule() {
    let text: String = [13, 18, 23]
        .map(|second| {
            format!(
                "Oct 05 19:22:{second}.578939 rule 12/(match) block in on em0: 192.0.2.33.40011 > 198.51.100.53.53: 4711+ A? imap.example. (30) (DF)\n"
            )
        })
        .concat();
    let (index, evidence, found) = judge(&text);
    assert!(found.iter().all(|own| own.id != "unanswered-queries"));
    let input = findings::Input { index: &index, evidence: &evidence };
    let (_, assessments) = findings::examine(&input, &[], &[]);
    let leading = assessments.first().unwrap().leading();
    let causes: Vec<_> = leading.iter().map(|own| own.cause.id()).collect();
    assert_eq!(causes, ["H5"]);
}

#[test]
fn bytes_whose_packet_was_cut_away_are_told() {
    let text = "5349 502f 322e 302f  0..Via:.SIP/2.0/
\t0x0050:  5544 5020 3139 322e 302e 322e 3430 3a35  UDP.192.0.2.40:5
\t0x0060:  3036 303b 6272 616e 6368 3d7a 3968 4734  060;branch=z9hG4
10:00:00.442088 IP 192.0.2.26.34680 > 203.0.113.90.8080: Flags [.], ack 1, win 502, length 0
";
    let index = index(text);
    assert_eq!(index.len(), 1);
    assert!(
        damage(&index).iter().any(|said| said.contains("begins within a packet: 2 rows")),
        "{:?}",
        damage(&index)
    );
}

/// How the question for a.example is exported as an array of C: RFC 894 frame, IPv4, UDP.
const FRAME: &str = "0x02, 0x00, 0x00, 0x00, 0x00, 0x53, 0x02, 0x00, /* .......S */\n0x00, 0x00, 0x00, 0x0a, 0x08, 0x00, 0x45, 0x00, /* ......E. */\n\
    0x00, 0x37, 0x1e, 0x37, 0x40, 0x00, 0x40, 0x11,\n0x00, 0x00, 0xc0, 0x00, 0x02, 0x0a, 0xc6, 0x33,\n0x64, 0x35, 0x9c, 0x41, 0x00, 0x35, 0x00, 0x23,\n\
    0x00, 0x00, 0x10, 0x05, 0x01, 0x00, 0x00, 0x01,\n0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x61,\n0x07, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65,\n\
    0x00, 0x00, 0x01, 0x00, 0x01                    /* ..... */\n";

#[test]
fn arrays_of_frames_are_read_and_those_of_streams_are_not() {
    for name in ["static const unsigned char pkt1[69]", "unsigned char packet_bytes[]"] {
        let index = index(&format!("8 frames:\n\n/* Frame (69 bytes) */\n{name} = {{\n{FRAME}}};\n"));
        assert_eq!(index.len(), 1, "{name}");
        let expected = ("192.0.2.10".to_owned(), 40_001, "198.51.100.53".to_owned(), 53);
        assert_eq!(ends(&packet(&index, 0)), expected);
        assert_eq!(packet(&index, 0).dns().map(|row| row.header.id), Some(0x1005));
    }
    for name in ["char peer0_0[]", "static const unsigned char pkt1_1[69]"] {
        let text = format!("/* Packet 3 */\n{name} = {{\n{FRAME}}};\n");
        assert!(capture::open_text("text", text.into_bytes()).is_err(), "{name}");
    }
}

#[test]
fn a_buffer_shown_in_brief_gives_its_packets() {
    let text = "edge#show monitor capture CAP buffer brief\n #   size   timestamp     source             destination      dscp    protocol\n\
        \x20  0   98     0.000000   192.0.2.10       ->  198.51.100.80    0  BE   ICMP\n\
        \x20  1   75     0.000027   192.0.2.10       ->  198.51.100.53    46 EF   UDP\n";
    let index = index(text);
    assert_eq!(index.len(), 2);
    assert_eq!(packet(&index, 0).destination_address().to_string(), "198.51.100.80");
    assert!(damage(&index).is_empty());
}

#[test]
fn what_columns_do_not_hold_is_not_said() {
    let text = "frame.number\tframe.time_relative\tip.src\tudp.srcport\tip.dst\tudp.dstport\tdns.id\tdns.flags.response\tdns.flags.rcode\tdns.qry.name\tdns.a\n\
        1\t0.000000000\t192.0.2.10\t40001\t198.51.100.53\t53\t0x5b27\t0\t\twww.example.org\t\n\
        2\t0.003000000\t198.51.100.53\t53\t192.0.2.10\t40001\t0x5b27\t1\t0\twww.example.org\t203.0.113.80\n";
    let (index, evidence, _) = judge(text);
    let row = packet(&index, 0).dns().copied().unwrap();
    assert_eq!((row.asked_type(), row.header.id), (None, 0x5b27));
    assert!(packet(&index, 1).summary().contains("203.0.113.80"), "{}", packet(&index, 1).summary());
    assert_eq!(packet(&index, 0).told_length(), None);
    assert!(!packet(&index, 1).summary().contains("(0)"), "{}", packet(&index, 1).summary());
    let outcomes: Vec<_> = evidence.transactions.iter().map(|own| own.outcome).collect();
    assert_eq!(outcomes, [Outcome::Answered]);
}

/// Solaris' snoop prints names, times since the packet before, and messages of ICMP in words.
#[test]
fn every_row_of_a_numbered_list_is_read_or_named() {
    let text = "  1   0.00000    app1 -> db1       TCP D=22 S=45570 Syn Seq=27541 Len=0 Win=64240 Options=<mss 1460>\n\
        \x20 2   1.01706    app1 -> db1       TCP D=22 S=45570 Syn Seq=27541 Len=0 Win=64240 Options=<mss 1460>\n\
        \x20 3   0.00006      gw -> app1      ICMP Destination unreachable (Host unreachable)\n\
        \x20 4   0.00374    app1 -> web1      ICMP Echo request (ID: 29051 Sequence number: 1)\n\
        \x20 5   0.00003    web1 -> app1      ICMP Echo reply (ID: 29051 Sequence number: 1)\n";
    let (all, _, found) = judge(text);
    assert_eq!((all.sources.len(), all.len()), (1, 5));
    let times: Vec<i64> = (0..5).map(|at| packet(&all, at).time_ns() / 10_000).collect();
    assert_eq!(times, [0, 101_706, 101_712, 102_086, 102_089]);
    assert!(found.iter().any(|own| own.statement.contains("host unreachable")));
    let strange = text.replace("ICMP Echo request (ID", "frobnicates (ID");
    let all = index(&strange);
    assert_eq!(all.len(), 4);
    let told = damage(&all).join(" ");
    assert!(told.contains("1 line looks like a packet") && told.contains("frobnicates"), "{told}");
}

/// What Wireshark prints of a message of DHCP with its details: whose it is stands in them, not in the row above.
#[test]
fn details_of_a_lease_tell_whose_it_is() {
    let message = |number: u8, seconds: &str, ends: [&str; 2], ports: [u16; 2], id: u8, told: &str| {
        format!(
            "No.     Time           Source                Destination           Protocol Length Info\n      {number} {seconds}       {}  {}  DHCP     323    DHCP x - Transaction ID 0x51c3aa0{id}\n\n\
             Frame {number}: 323 bytes on wire (2584 bits), 323 bytes captured (2584 bits)\n    Epoch Time: 177253292{seconds}000 seconds\n    Frame Number: {number}\n\
             Internet Protocol Version 4, Src: {}, Dst: {}\n    Total Length: 309\n    Identification: 0x9f76 (40822)\n    Time to Live: 64\n    Protocol: UDP (17)\n\
             User Datagram Protocol, Src Port: {}, Dst Port: {}\n    Source Port: {}\n    Destination Port: {}\n    Length: 289\n\
             Dynamic Host Configuration Protocol\n    Transaction ID: 0x51c3aa0{id}\n    Client MAC address: Made_00:00:0a (02:00:00:00:00:0a)\n{told}\n\n",
            ends[0], ends[1], ends[0], ends[1], ports[0], ports[1], ports[0], ports[1],
        )
    };
    let (asks, answers) = (["0.0.0.0", "255.255.255.255"], ["192.0.2.1", "255.255.255.255"]);
    let server =
        "    Option: (54) DHCP Server Identifier (192.0.2.1)\n        DHCP Server Identifier: 192.0.2.1";
    let text = [
        message(1, "2.000000", asks, [68, 67], 1, "        DHCP: Request (3)"),
        message(2, "2.001100", answers, [67, 68], 1, &format!("        DHCP: NAK (6)\n{server}")),
        message(3, "2.910000", asks, [68, 67], 2, "        DHCP: Discover (1)"),
        message(
            4,
            "2.913400",
            answers,
            [67, 68],
            2,
            &format!("    Your (client) IP address: 192.0.2.131\n        DHCP: Offer (2)\n{server}"),
        ),
        message(5, "2.915000", asks, [68, 67], 2, &format!("        DHCP: Request (3)\n{server}")),
        message(
            6,
            "2.917100",
            answers,
            [67, 68],
            2,
            &format!("    Your (client) IP address: 192.0.2.131\n        DHCP: ACK (5)\n{server}"),
        ),
    ];
    let (index, evidence, _) = judge(&text.concat());
    assert_eq!(index.len(), 6);
    let all = &portmortem::attempts::Attempts::of(&evidence).all;
    let told: Vec<_> = all.iter().map(|own| (own.client.0.to_string(), own.outcome.is_served())).collect();
    let client = || "02:00:00:00:00:0a".to_owned();
    assert_eq!(told, [(client(), false), (client(), true)]);
}

/// Flags as letters alone, and an alert as numbers alone.
#[test]
fn an_alert_is_read_from_its_fields_and_flags_from_their_letters() {
    let level = r#""tls.alert_message.level":["2"],"#;
    let alert = format!(r#"{level}"tls.alert_message.desc":["70"],"#);
    let hello = r#""tls.handshake.type":["1"],"#.to_owned();
    let none = String::new();
    let rows = [
        (false, "··········S·", 0, &none),
        (true, "·······A··S·", 0, &none),
        (false, "·······A····", 0, &none),
        (false, "·······AP···", 517, &hello),
        (true, "·······AP···", 7, &alert),
        (true, "·······A···F", 0, &none),
    ];
    let ends = |is_answer: bool| {
        let ends = ["192.0.2.10", "198.51.100.44", "40512", "443"];
        let [client, server, port, own] = ends;
        if is_answer { [server, client, own, port] } else { ends }
    };
    let json = |has_level: bool, dot: &str| {
        let packets = rows.iter().zip(10..).map(|((is_answer, flags, length, more), at)| {
            let [source, destination, from, to] = ends(*is_answer);
            let more = if has_level { (*more).clone() } else { more.replace(level, "") };
            let flags = flags.replace('·', dot);
            format!(
                r#"{{"_source":{{"layers":{{"frame.time_epoch":["1772532920.{at}"],"ip.src":["{source}"],"ip.dst":["{destination}"],
                 "tcp.srcport":["{from}"],"tcp.dstport":["{to}"],{more}"tcp.flags.str":["{flags}"],"tcp.len":["{length}"]}}}}}}"#
            )
        });
        format!("[{}]", packets.collect::<Vec<_>>().join(",\n"))
    };
    let mut table = "frame.time_epoch\tip.src\tip.dst\ttcp.srcport\ttcp.dstport\ttls.record.content_type\ttls.alert_message.desc\ttcp.len\ttcp.flags.str\n".to_owned();
    for ((is_answer, flags, length, more), at) in rows.iter().zip(10..) {
        let record = if more.contains("alert") { "21\t70" } else { "\t" };
        let ends = ends(*is_answer).join("\t");
        writeln!(table, "1772532920.{at}\t{ends}\t{record}\t{length}\t{flags}").unwrap();
    }
    for text in [json(true, "·"), json(false, "·"), json(true, "*"), json(true, "\u{c2}·"), table] {
        let (index, _, found) = judge(&text);
        assert_eq!(index.len(), 6, "{text}");
        let segment = &packet(&index, 0).segment;
        assert_eq!(segment.tcp_flags.get(..3), Some(&[2, 0x12, 0x10][..]), "{text}");
        assert!(found.iter().any(|own| own.statement.contains("protocol_version")), "{text}: {found:?}");
    }
}

/// Where packets of a text were not read, nothing is said to be absent from it without that being told.
#[test]
fn lines_that_were_not_read_narrow_what_is_said_not_to_be_there() {
    let good = "10:15:22.000100 IP 192.0.2.10.40512 > 198.51.100.53.53: 4101+ A? www.example.com. (33)\n\
                10:15:22.010100 IP 198.51.100.53.53 > 192.0.2.10.40512: 4101 1/0/0 A 203.0.113.80 (49)\n";
    let bad = "10:15:23.000100 frob gw.example > app1: frobnicates\n";
    for (text, unread) in [(good.to_owned(), 0), (format!("{good}{bad}"), 1)] {
        let (index, evidence, found) = judge(&text);
        assert_eq!(index.sources.first().map(|source| source.metadata.unread), Some(unread));
        let input = findings::Input { index: &index, evidence: &evidence };
        let coverage = findings::look(&input, &[]).1;
        assert_eq!(coverage.is_clear(), unread == 0);
        assert_eq!(coverage.title().contains("No failure among"), unread == 0, "{}", coverage.title());
        let told = found.iter().any(|own| own.statement.contains("1 packet is in the text and not read"));
        assert_eq!(told, unread == 1, "{found:?}");
    }
}

#[test]
fn rows_of_a_routers_sniffer_that_are_not_read_are_named() {
    let text = "INTERFACE  TIME   NUM  DIR  SRC-MAC            DST-MAC            SRC-ADDRESS          DST-ADDRESS         PROTOCOL  SIZE  CPU\n\
        ether2     0.000    1  <-   02:00:5E:10:00:15  02:00:5E:10:00:02  192.0.2.10:50112     198.51.100.53:53 (dns)  ip:udp  75  0\n\
        ether2     1.028    2  ->   02:00:5E:10:00:02  FF:FF:FF:FF:FF:FF  203.0.113.1          203.0.113.99        arp       42    2\n";
    let all = index(text);
    assert_eq!(all.len(), 1);
    let told = damage(&all).join(" ");
    assert!(told.contains("1 line looks like a packet") && told.contains("203.0.113.99"), "{told}");
}

#[test]
fn a_frame_in_another_form_does_not_take_the_place_of_a_log() {
    let lines = "10:00:01.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 7+ A? www.example.org. (33)\n\
                 10:00:01.004001 IP 198.51.100.53.53 > 192.0.2.10.40001: 7 1/0/0 A 203.0.113.80 (49)\n";
    let all = index(&format!("{lines}\nstatic const unsigned char pkt1[69] = {{\n{FRAME}}};\n"));
    assert_eq!(all.len(), 2);
    assert!(damage(&all).join(" ").contains("1 packet stands in another form"), "{:?}", damage(&all));
    assert!(all.has_unread());
}
