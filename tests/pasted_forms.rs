//! Forms that people paste from tcpdump's relatives and from other programs: each is read, or said not to be.

#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::{Evidence, Outcome, Parameters, correlate};
use portmortem::decode::Transport;
use portmortem::findings::{self, Finding, Severity};
use portmortem::index::{Index, Input, Packet, PacketId, Progress, build};
use portmortem::time::Basis;

fn index(text: &str) -> Index {
    let text: &'static [u8] = text.to_owned().into_bytes().leak();
    let (source, walk) = capture::open_bytes("text", text).unwrap();
    build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {})
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

fn outcomes(evidence: &Evidence) -> Vec<Outcome> {
    evidence.transactions.iter().map(|transaction| transaction.outcome).collect()
}

const QUERY: &str = "10:00:01.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 7+ A? www.example.org. (33)";
const ANSWER: &str = "10:00:01.004001 IP 198.51.100.53.53 > 192.0.2.10.40001: 7 1/0/0 A 203.0.113.80 (49)";

#[test]
fn a_long_log_behind_a_prefix_is_read_to_its_end() {
    let lines = (0..3_000u32).map(|at| {
        let time = format!("10:{:02}:{:02}.{:06}", at / 60, at % 60, at);
        // Of every tenth packet the text is put together, and stands behind the others.
        let cut = if at % 10 == 0 { "\napp-1  |     " } else { " " };
        format!(
            "app-1  | {time} IP 192.0.2.10.40001 > 198.51.100.53.53:{cut}{at}+ A? www.example.org. (33)\n"
        )
    });
    let index = index(&lines.collect::<String>());
    assert_eq!(index.len(), 3_000);
    for at in [0, 1, 1_025, 1_030, 2_990, 2_999] {
        assert_eq!(packet(&index, at).dns().map(|row| u32::from(row.header.id)), Some(at), "{at}");
    }
    assert!(damage(&index).is_empty());
}

#[test]
fn an_id_glued_to_the_length_of_its_segment_is_told_by_the_sequence_numbers() {
    let text = "10:00:01.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: Flags [P.], seq 1:46, ack 1, win 229, length 4531547+ [1au] SOA? example.org. (43)\n\
                10:00:01.100001 IP 198.51.100.53.53 > 192.0.2.10.40001: Flags [P.], seq 1:120, ack 46, win 229, length 11931547 q: SOA? example.org. 1/0/1 (117)\n";
    let (index, evidence, _) = judge(text);
    let row = packet(&index, 0).dns().copied().unwrap();
    assert_eq!((row.header.id, row.qtype), (31547, 6));
    assert_eq!(outcomes(&evidence), [Outcome::Answered]);
}

#[test]
fn a_question_that_was_cut_is_a_question() {
    for text in [
        "10:00:01.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 37247+[|domain]\n\
         10:00:01.004001 IP 198.51.100.53.53 > 192.0.2.10.40001: 37247 1/0/0 (67)\n",
        "IP 192.0.2.10.40001 > 198.51.100.53.53: 37247+[|domain]\n\
         IP 198.51.100.53.53 > 192.0.2.10.40001: 37247 1/0/0 (67)\n",
    ] {
        let (index, evidence, _) = judge(text);
        assert_eq!(index.len(), 2, "{text}");
        assert_eq!(outcomes(&evidence), [Outcome::Answered], "{text}");
    }
}

#[test]
fn pieces_have_ports_and_an_answer_is_there_with_the_last_of_them() {
    let query = |second: u8| {
        format!(
            "10:00:0{second}.000001 IP6 (hlim 64, next-header UDP (17) payload length: 52) 2001:db8::10.40001 > 2001:db8::53.53: [udp sum ok] 777+ [1au] TXT? big.example.net. (44)\n"
        )
    };
    let first = |second: u8| {
        format!(
            "10:00:0{second}.020001 IP6 (hlim 64, next-header Fragment (44) payload length: 1240) 2001:db8::53 > 2001:db8::10: frag (0x0000000{second}:0|1232) 53 > 40001: 777 8/0/1 big.example.net. TXT \"v\" (1400)\n"
        )
    };
    let rest = "10:00:01.030001 IP6 (hlim 64, next-header Fragment (44) payload length: 184) 2001:db8::53 > 2001:db8::10: frag (0x00000001:1232|176)\n";
    let (_, evidence, _) = judge(&(query(1) + &first(1) + rest));
    assert_eq!(outcomes(&evidence), [Outcome::Answered]);
    let expired = "10:00:59.000001 IP6 (hlim 64, next-header ICMPv6 (58) payload length: 1192) 2001:db8::10 > 2001:db8::53: [icmp6 sum ok] ICMP6, time exceeded in-transit (reassembly)\n";
    let (index, evidence, found) = judge(&(query(1) + &first(1) + &query(6) + &first(6) + expired));
    assert_eq!(ends(&packet(&index, 1)).1, 53);
    assert_eq!(packet(&index, 4).decode().icmp(), Some((3, 1)));
    assert!(outcomes(&evidence).iter().all(|outcome| *outcome != Outcome::Answered));
    assert!(found.iter().any(|finding| finding.id == "lost-fragments"), "{found:?}");
    let four = "10:00:01.000001 IP (tos 0x0, ttl 64, id 9, offset 0, flags [+], proto UDP (17), length 1500)\n    192.0.2.1.5000 > 192.0.2.2.6000: UDP, length 1600\n\
                10:00:01.000002 IP (tos 0x0, ttl 64, id 9, offset 1480, flags [none], proto UDP (17), length 148)\n    192.0.2.1 > 192.0.2.2: ip-proto-17\n";
    let (_, _, found) = judge(four);
    assert!(found.iter().all(|finding| finding.id != "lost-fragments"), "nothing is missing: {found:?}");
}

#[test]
fn segments_of_a_firewalls_sniffer_are_segments() {
    let text = "interfaces=[any]\n55.310007 port2 in 192.0.2.10.50112 -> 203.0.113.10.8443: syn 3145839112 \n\
                55.310551 port1 in 203.0.113.10.8443 -> 192.0.2.10.50112: rst 0 ack 3145839113 \n\
                57.110229 port2 in 192.0.2.10.41822 -> 198.51.100.53.53: udp 33\n";
    let index = index(text);
    assert_eq!(index.len(), 3);
    let flags = |at| match packet(&index, at).decode().transport {
        Transport::Tcp { flags, window, .. } => (flags, window > 0),
        _ => (0, false),
    };
    assert_eq!((flags(0), flags(1)), ((2, true), (20, true)));
    assert_eq!(packet(&index, 2).protocol().protocol().name, "udp");
    assert_eq!(index.basis(), Basis::Start);
    assert_eq!(index.basis().clock(packet(&index, 0).time_ns()), "55.310 s");
}

#[test]
fn lines_of_snoop_are_read_with_ports_flags_and_codes() {
    let text = " 10:41:05.33711      ws7 -> ns1.example.net DNS C files.example.net. Internet Addr ?\n \
                 10:41:05.34902 ns1.example.net -> ws7      DNS R  Error: 3(Name Error)\n \
                 10:41:06.01220      ws7 -> 192.0.2.10   UDP D=7204 S=32823 LEN=252\n \
                 10:41:06.10004      ws7 -> store        NFS C GETATTR3 FH=0CAE\n \
                 10:41:06.14001      ws7 -> store        TCP D=2049 S=1023 Ack=341433529 Seq=2752257980 Len=0 Win=24820\n \
                 10:41:07.50003      ws7 -> 198.51.100.80 TCP D=8080 S=40122 Syn Seq=1774 Len=0 Win=24820\n \
                 10:41:07.50101 198.51.100.80 -> ws7      TCP D=40122 S=8080 Rst Ack=1775 Win=0\n";
    let index = index(text);
    assert_eq!(index.len(), 7);
    assert_eq!(packet(&index, 1).dns().unwrap().header.response_code(), 3);
    assert_eq!((ends(&packet(&index, 2)).1, ends(&packet(&index, 2)).3), (32823, 7204));
    let flags = |at| match packet(&index, at).decode().transport {
        Transport::Tcp { flags, .. } => flags,
        _ => 0,
    };
    assert_eq!((flags(4), flags(5), flags(6)), (16, 2, 20));
}

#[test]
fn lists_are_read_as_tables_of_any_kind() {
    let rows = [
        (
            "1",
            "0.000000",
            "192.0.2.10",
            "203.0.113.80",
            "TCP",
            "74",
            "40100 → 443 [SYN] Seq=0 Win=64240 Len=0, MSS=1460",
        ),
        (
            "2",
            "0.010000",
            "203.0.113.80",
            "192.0.2.10",
            "TCP",
            "74",
            "443 → 40100 [SYN, ACK] Seq=0 Ack=1 Win=65160 Len=0",
        ),
    ];
    let table = |write: fn(&[&str; 7]) -> String| {
        let rows = rows.map(|(a, b, c, d, e, f, g)| write(&[a, b, c, d, e, f, g]));
        rows.join("\n") + "\n"
    };
    for text in [
        table(|row| format!("\"{}\"", row.join("\",\""))),
        table(|row| row.join(",")),
        table(|row| format!("| {} |", row.join(" | "))),
        table(|row| row.join("\t")),
    ] {
        let index = index(&text);
        assert_eq!(index.len(), 2, "{text}");
        let first = packet(&index, 0);
        assert_eq!(ends(&first), ("192.0.2.10".into(), 40100, "203.0.113.80".into(), 443), "{text}");
    }
    let sniffed = "INTERFACE   TIME  NUM  DIR  SRC-MAC            DST-MAC            SRC-ADDRESS          DST-ADDRESS          PROTOCOL  SIZE  CPU\n\
                   ether2     1.203    1  <-   02:00:5E:10:00:15  02:00:5E:00:10:02  192.0.2.10:50112     198.51.100.53:53 (dns)  ip:udp      75    0\n\
                   ether2     1.219    4  ->   02:00:5E:00:10:02  02:00:5E:10:00:15  198.51.100.53:53 (dns)  192.0.2.10:50112     ip:udp     106    0\n";
    let index = index(sniffed);
    assert_eq!(index.len(), 2);
    assert_eq!(ends(&packet(&index, 1)), ("198.51.100.53".into(), 53, "192.0.2.10".into(), 50112));
}

#[test]
fn ports_of_columns_belong_to_what_a_datagram_carries() {
    let text = "409\t2017.995182582\t192.0.2.2\t57398\t192.0.2.1\t38756\tTFTP\t558\tData Packet, Block: 1\n\
                410\t2017.995219934\t192.0.2.1\t57398\t192.0.2.2\t38756\tICMP\t586\tDestination unreachable (Port unreachable)\n";
    let (index, evidence, _) = judge(text);
    assert_eq!(ends(&packet(&index, 0)), ("192.0.2.2".into(), 57398, "192.0.2.1".into(), 38756));
    let about = evidence.links_from(PacketId(1)).iter().find_map(|link| link.to);
    assert_eq!(about, Some(PacketId(0)));
}

#[test]
fn each_error_of_a_list_is_about_the_try_before_it() {
    let text = "1   0.000000 192.0.2.10 -> 198.51.100.53 DNS 75 Standard query 0x2704 A www.example.com\n\
                2   0.000300 198.51.100.53 -> 192.0.2.10 ICMP 103 Destination unreachable (Port unreachable)\n\
                3   1.000000 192.0.2.10 -> 198.51.100.53 DNS 75 Standard query 0x2704 A www.example.com\n\
                4   1.000300 198.51.100.53 -> 192.0.2.10 ICMP 103 Destination unreachable (Port unreachable)\n";
    let (_, evidence, _) = judge(text);
    let about = |error| evidence.links_from(PacketId(error)).iter().find_map(|link| link.to);
    assert_eq!((about(1), about(3)), (Some(PacketId(0)), Some(PacketId(2))));
}

#[test]
fn a_time_on_the_line_above_is_the_packets() {
    let text = "[05]0AE4.1A2C::2026-03-11 09:41:12.334512100 [Microsoft-Windows-PktMon] PktGroupId 1407374883553381, PktNumber 1, Appearance 1, Direction Tx , Type Ethernet , Component 12, Edge 1, Filter 1, OriginalSize 75, LoggedSize 75 \n\
                \t02-15-5D-01-02-03 > 02-15-5D-04-05-06, ethertype IPv4 (0x0800), length 75: 192.0.2.10.50123 > 198.51.100.53.53: 4660+ A? api.example.org. (33)\n\
                [05]0AE4.1A2C::2026-03-11 09:41:12.335904700 [Microsoft-Windows-PktMon] PktGroupId 1407374883553382, PktNumber 1, Appearance 1, Direction Rx , Type Ethernet , Component 12, Edge 1, Filter 1, OriginalSize 91, LoggedSize 91 \n\
                \t02-15-5D-04-05-06 > 02-15-5D-01-02-03, ethertype IPv4 (0x0800), length 91: 198.51.100.53.53 > 192.0.2.10.50123: 4660 1/0/0 A 203.0.113.44 (49)\n";
    let index = index(text);
    assert_eq!(index.len(), 2);
    assert_eq!(packet(&index, 1).time_ns() - packet(&index, 0).time_ns(), 1_392_600);
    assert_eq!(index.basis(), Basis::Local);
}

#[test]
fn what_times_count_from_is_what_the_text_tells() {
    let lines = |first: &str, second: &str| {
        format!(
            "{first} IP 192.0.2.10.40001 > 198.51.100.53.53: 7+ A? a.example. (27)\n{second} IP 198.51.100.53.53 > 192.0.2.10.40001: 7 0/0/0 (27)\n"
        )
    };
    for (first, second, basis) in [
        ("10:00:01.000001", "10:00:01.004001", Basis::Midnight),
        ("2026-03-11 10:00:01.000001", "2026-03-11 10:00:01.004001", Basis::Local),
        ("2026-03-11T10:00:01.000001Z", "2026-03-11T10:00:01.004001Z", Basis::Utc),
        ("1773223201.000001", "1773223201.004001", Basis::Utc),
        ("9.460021", "9.464021", Basis::Start),
        ("00:00:00.000000", "00:00:00.004000", Basis::Start),
        (
            "2026-03-11T10:00:01.000044Z 10:00:01.000001",
            "2026-03-11T10:00:01.004044Z 10:00:01.004001",
            Basis::Utc,
        ),
    ] {
        assert_eq!(index(&lines(first, second)).basis(), basis, "{first}");
    }
    let json = |line: &str| {
        format!("{{\"log\": \"{line}\\n\", \"stream\": \"stdout\", \"time\": \"2026-02-27T10:00:01.1Z\"}}\n")
    };
    let index = index(&(json(QUERY) + &json(ANSWER)));
    assert_eq!((index.len(), index.basis()), (2, Basis::Utc));
}

#[test]
fn lines_that_are_not_read_are_counted_by_kind() {
    let spanning = "10:00:02.104169 STP 802.1w, Rapid STP, Flags [Learn, Forward], bridge-id 18b6.00:de:fb:bb:23:41.8089, length 36\n\tmessage-age 0.00s, max-age 20.00s\n";
    let snap = "10:00:03.803983 02:03:43:00:c3:2d > 01:14:c2:44:1e:cc SNAP, oui Unknown (0x0014c2), pid Unknown (0x0001), length 50: \n";
    let unfinished =
        "10:00:01.900001 IP 192.0.2.9.1985 > 224.0.0.102.1985: HSRPv0-hello 52: state=initial auth=\"\"\n";
    let (first, second) = (format!("{QUERY}\n"), format!("{ANSWER}\n"));
    // As tcpdump wrote it, and behind a mark.
    for text in [
        format!("{first}{unfinished}{spanning}{second}"),
        format!("```\n{first}{unfinished}{spanning}{second}```\n"),
    ] {
        let index = index(&text);
        assert_eq!(index.len(), 3, "{text}");
        let said = damage(&index);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("1 line has the time of a packet, no hosts of IP or ARP"), "{said:?}");
    }
    let said = damage(&index(&format!("```\n{first}{snap}{spanning}{second}```\n")));
    assert!(said.len() == 2 && said[0].starts_with("1 line looks like a packet"), "{said:?}");
}

#[test]
fn what_describes_a_packet_is_none() {
    let text = "    <time> IP <src>.<port> > <dst>.<port>: Flags [<flags>], seq <n>, length <n>\n    <time> IP <src> > <dst>: ICMP <what>, length <n>\n";
    assert!(capture::open_bytes("text", text.as_bytes()).is_err());
}

#[test]
fn what_tcpdump_says_of_its_capture_is_kept() {
    let text = format!(
        "listening on eth0, link-type EN10MB (Ethernet), capture size 262144 bytes\n{QUERY}\n{ANSWER}\n^C\n2 packets captured\n3 packets received by filter\n0 packets dropped by kernel\n"
    );
    for text in [text.clone(), format!("$ tcpdump -n\n{text}")] {
        let index = index(&text);
        let interface = index.sources[0].metadata.interfaces[0].clone();
        assert_eq!((interface.name.as_deref(), interface.snap_length), (Some("eth0"), 262_144), "{text}");
        assert_eq!((interface.received, interface.dropped), (Some(3), Some(0)), "{text}");
    }
}

#[test]
fn tunnels_keep_their_outer_ends_and_what_they_ask_for() {
    let text = "10:00:01.000001 IP 192.0.2.42.39295 > 192.0.2.43.8472: OTV, flags [I] (0x08), overlay 0, instance 2841\n\
                ARP, Ethernet (len 6), IPv4 (len 4), Request who-has 10.28.22.254 tell 10.28.22.112, length 28\n\
                10:00:01.100001 IP 192.0.2.42 > 192.0.2.43: IP 10.0.0.1.5000 > 10.0.0.2.6000: UDP, length 4 (ipip-proto-4)\n";
    let index = index(text);
    assert_eq!(index.len(), 2);
    for at in 0..2 {
        let outer = packet(&index, at).decode().outer.map(|(from, to)| (from.to_string(), to.to_string()));
        assert_eq!(outer, Some(("192.0.2.42".into(), "192.0.2.43".into())));
    }
    assert_eq!(packet(&index, 0).source_address().to_string(), "10.28.22.112");
}

#[test]
fn two_questions_with_one_id_are_answered_by_type_and_else_in_order() {
    let pair = "10:00:01.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 256+ A? example.net. (29)\n\
                10:00:01.000002 IP 192.0.2.10.40001 > 198.51.100.53.53: 256+ AAAA? example.net. (29)\n";
    let typed = "10:00:01.001001 IP 198.51.100.53.53 > 192.0.2.10.40001: 256 1/0/0 AAAA 2001:db8::e (57)\n\
                 10:00:01.002001 IP 198.51.100.53.53 > 192.0.2.10.40001: 256 2/0/0 CNAME e.example., A 203.0.113.4 (65)\n";
    let untyped = "10:00:01.001001 IP 198.51.100.53.53 > 192.0.2.10.40001: 256 NXDomain 0/1/0 (57)\n\
                   10:00:01.002001 IP 198.51.100.53.53 > 192.0.2.10.40001: 256 NXDomain 0/1/0 (57)\n";
    for (answers, first, second) in [(typed, 3, 2), (untyped, 2, 3)] {
        let (_, evidence, found) = judge(&(pair.to_owned() + answers));
        let answers: Vec<_> = evidence.transactions.iter().filter_map(|own| own.answer).collect();
        assert_eq!(answers, [PacketId(first), PacketId(second)]);
        assert!(found.iter().all(|finding| finding.id != "misaddressed-answer"), "{found:?}");
    }
}

#[test]
fn answers_that_the_client_refuses_at_once_did_not_arrive() {
    let refusal = "10:00:01.004051 IP 192.0.2.10 > 198.51.100.53: ICMP 192.0.2.10 udp port 40001 unreachable, length 85\n";
    let (_, evidence, found) = judge(&format!("{QUERY}\n{ANSWER}\n{refusal}"));
    assert_eq!(outcomes(&evidence), [Outcome::NotReceived]);
    assert!(found.iter().any(|finding| finding.id == "answers-not-received"), "{found:?}");
    // Another answer about the name reached it.
    let other = "10:00:01.000002 IP 192.0.2.10.40002 > 198.51.100.54.53: 8+ A? www.example.org. (33)\n\
                 10:00:01.003001 IP 198.51.100.54.53 > 192.0.2.10.40002: 8 1/0/0 A 203.0.113.80 (49)\n";
    let (_, evidence, _) = judge(&format!("{QUERY}\n{other}{ANSWER}\n{refusal}"));
    assert_eq!(outcomes(&evidence), [Outcome::Answered; 2]);
}

#[test]
fn a_question_translated_on_the_way_is_one_and_its_refused_answer_is_the_clients() {
    let text = "10:00:01.000276 wt0   In  IP (tos 0x0, ttl 64, id 45159, offset 0, flags [none], proto UDP (17), length 61)\n    10.9.0.7.52211 > 198.51.100.53.53: [udp sum ok] 30370+ A? www.example.org. (33)\n\
                10:00:01.000294 eth0  Out IP (tos 0x0, ttl 63, id 45159, offset 0, flags [none], proto UDP (17), length 61)\n    192.0.2.2.52211 > 198.51.100.53.53: [udp sum ok] 30370+ A? www.example.org. (33)\n\
                10:00:01.001486 eth0  In  IP (tos 0x0, ttl 62, id 0, offset 0, flags [none], proto UDP (17), length 77)\n    198.51.100.53.53 > 192.0.2.2.52211: [udp sum ok] 30370 q: A? www.example.org. 1/0/0 www.example.org. A 203.0.113.80 (49)\n\
                10:00:01.001518 eth0  Out IP (tos 0xc0, ttl 64, id 900, offset 0, flags [none], proto ICMP (1), length 105)\n    192.0.2.2 > 198.51.100.53: ICMP 192.0.2.2 udp port 52211 unreachable, length 85\n";
    let (index, evidence, _) = judge(text);
    assert_eq!(evidence.transactions.len(), 1);
    let own = evidence.transactions.first().unwrap();
    assert_eq!(index.packet(own.first).unwrap().source_address().to_string(), "10.9.0.7");
    assert_eq!((own.answer, own.outcome), (Some(PacketId(2)), Outcome::NotReceived));
}

#[test]
fn late_answers_say_what_they_said() {
    let text = "10:00:01.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 7+ A? www.example.org. (33)\n\
                10:00:03.004001 IP 198.51.100.53.53 > 192.0.2.10.40001: 7 ServFail 0/0/0 (33)\n\
                10:00:03.004051 IP 192.0.2.10 > 198.51.100.53: ICMP 192.0.2.10 udp port 40001 unreachable, length 69\n";
    let (_, _, found) = judge(text);
    let late = found.iter().find(|finding| finding.id == "late-answers").unwrap();
    assert!(late.statement.contains("was answered with SERVFAIL 2.004 s after it was asked"), "{late:?}");
    assert!(late.severity > Severity::Info);
}

#[test]
fn a_printed_decision_to_block_is_reported() {
    let text = " 00:00:00.000000 rule 80/0(match): block in on vtnet0: 192.0.2.53.51022 > 198.51.100.191.22: Flags [S], seq 1804289383, win 64240, length 0\n \
                 00:00:01.014220 rule 80/0(match): block in on vtnet0: 192.0.2.53.51022 > 198.51.100.191.22: Flags [S], seq 1804289383, win 64240, length 0\n \
                 00:00:00.000185 rule 0/0(match): pass in on vtnet1: 192.0.2.50.52341 > 198.51.100.53.53: 12345+ A? a.example.org. (31)\n";
    let (_, _, found) = judge(text);
    let blocked: Vec<_> = found.iter().filter(|finding| finding.id == "blocked-by-filter").collect();
    assert_eq!(blocked.len(), 1);
    assert!(blocked[0].statement.contains("rule 80 of a packet filter blocked 2 packets"), "{blocked:?}");
    assert_eq!(blocked[0].severity, Severity::Medium);
    let old = "Nov 12 14:02:11.553021 rule 12/(match) block in on em0: 192.0.2.15.50122 > 198.51.100.25.25: S 3021477110:3021477110(0) win 16384 <mss 1460> (DF)\n";
    let (_, _, found) = judge(old);
    assert!(
        found.iter().any(|finding| finding.statement.contains("rule 12 of a packet filter blocked 1 packet")),
        "{found:?}"
    );
}

#[test]
fn an_error_about_a_protocol_is_about_packets_of_it() {
    let text = "10:00:01.000012 IP 192.0.2.10 > 198.51.100.20: ESP(spi=0xc48993b8,seq=0x41), length 100\n\
                10:00:01.030100 IP 198.51.100.20 > 192.0.2.10: ICMP 198.51.100.20 protocol 50 unreachable, length 36\n";
    let (index, evidence, _) = judge(text);
    assert_eq!(packet(&index, 0).transport(), 50);
    let about = evidence.links_from(PacketId(1)).iter().find_map(|link| link.to);
    assert_eq!(about, Some(PacketId(0)));
    let (_, coverage) = findings::look(&findings::Input { index: &index, evidence: &evidence }, &[]);
    let said = coverage.sentences().join(" ");
    assert!(said.contains("protocol unreachable") && said.contains("about ESP packets"), "{said}");
}

#[test]
fn rows_without_ports_belong_to_no_connection() {
    let text = "\"1\",\"0.000000\",\"192.0.2.10\",\"203.0.113.80\",\"HTTP\",\"140\",\"GET / HTTP/1.1\"\n\
                \"2\",\"0.003\",\"203.0.113.80\",\"192.0.2.10\",\"TCP\",\"251\",\"HTTP/1.0 200 OK  [TCP segment of a reassembled PDU]\"\n";
    let (index, evidence, _) = judge(text);
    assert_eq!((index.len(), packet(&index, 1).transport()), (2, 6));
    let coverage = findings::look(&findings::Input { index: &index, evidence: &evidence }, &[]).1;
    assert!(!coverage.sentences().join(" ").contains("connection"), "{:?}", coverage.sentences());
}

#[test]
fn names_that_fail_beside_others_of_their_zone_are_failures_of_their_own() {
    let asked = |second: u8, id: u16, name: &str, code: &str| {
        format!(
            "10:00:0{second}.000001 IP 192.0.2.10.4{id} > 198.51.100.53.53: {id}+ A? {name}.example.com. (35)\n\
             10:00:0{second}.000301 IP 198.51.100.53.53 > 192.0.2.10.4{id}: {id} {code} (35)\n"
        )
    };
    let good = "1/0/0 A 203.0.113.80";
    let one = asked(1, 1001, "ok", good)
        + &asked(2, 1002, "api", "ServFail 0/0/0")
        + &asked(3, 1003, "api", "ServFail 0/0/0");
    let (_, evidence, _) = judge(&one);
    let impact = evidence.impact(0).unwrap();
    assert_eq!(impact.split, portmortem::correlate::splits::Split::Name);
    assert!(impact.windows.iter().all(|window| window.last_good.is_none() && window.first_good.is_none()));
    let codes = asked(1, 1001, "a", "Refused 0/0/0")
        + &asked(2, 1002, "b", "NotImp 0/0/0")
        + &asked(3, 1003, "c", "FormErr 0/0/0");
    let (_, evidence, _) = judge(&codes);
    let counts: Vec<_> = (0..3).map(|at| evidence.impact(at).unwrap().asked_and_failed()).collect();
    assert_eq!(counts, [(1, 1), (1, 1), (1, 1)]);
}

fn transports(index: &Index) -> Vec<u8> {
    (0..index.len()).map(|at| packet(index, at).transport()).collect()
}

#[test]
fn numbered_lines_alike_at_one_time_are_packets_each() {
    let line = |number: u8| {
        format!("{number:5}  10:00:01.000000 IP 192.0.2.10.4500 > 198.51.100.1.4500: isakmp-nat-keep-alive\n")
    };
    let text: String = (8..13).map(line).collect();
    assert_eq!(index(&text).len(), 5);
}

#[test]
fn without_times_any_protocol_between_two_addresses_is_a_packet() {
    let text = "IP 192.0.2.10.4784 > 198.51.100.1.4784: BFDv1, length: 24\n\
                IP6 2001:db8::1.6696 > ff02::1:6.6696: babel 2 (12) hello\n\
                IP 192.0.2.10.88 > 198.51.100.1.1200: v5\n";
    assert_eq!(index(text).len(), 3);
}

#[test]
fn without_times_a_tunnel_takes_only_the_packet_inside() {
    let inside = "IP (tos 0x0, ttl 64, id 2, offset 0, flags [DF], proto ICMP (1), length 84)\n    10.0.0.1 > 10.0.0.2: ICMP echo request, id 9, seq 1, length 64\n";
    let header = |protocol: &str| {
        format!("IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto {protocol}, length 142)\n")
    };
    let geneve = header("UDP (17)")
        + "    192.0.2.1.12618 > 192.0.2.2.6081: [no cksum] Geneve, Flags [none], vni 0xa\n\t"
        + inside;
    let vxlan = header("UDP (17)")
        + "    192.0.2.1.12618 > 192.0.2.2.4789: VXLAN, flags [I] (0x08), vni 100\n"
        + inside;
    let gre =
        header("GRE (47)") + "    192.0.2.1 > 192.0.2.2: GREv0, Flags [none], length 122\n\tunknown (0x1)\n";
    let plain = header("UDP (17)")
        + "    192.0.2.1.123 > 192.0.2.2.123: NTPv4, Client, length 48\n\tTransmit Timestamp:   3706870329.516074047\n";
    let update = header("TCP (6)")
        + "    192.0.2.1.179 > 192.0.2.2.42741: Flags [P.], length 19: BGP\n\tKeepalive Message (4), length: 19\n";
    for (text, count) in [(&geneve, 6), (&vxlan, 6), (&gre, 6), (&plain, 6), (&update, 6)] {
        assert_eq!(index(&text.repeat(count)).len() as usize, count, "{text}");
    }
    let outer = |text: &str| packet(&index(text), 0).decode().outer.is_some();
    assert!(outer(&geneve.repeat(3)) && outer(&vxlan.repeat(3)) && !outer(&update.repeat(3)));
}

#[test]
fn without_times_bytes_below_each_packet_do_not_make_it_prose() {
    let one = "IP 192.0.2.10.55920 > 198.51.100.80.80: Flags [S], seq 928549246, win 32767, length 0\n\
               E..<.h@.@.!R.........p.P7X.~.........!....@....\nM...........\n.8.h\n\n..\n";
    assert_eq!(index(&one.repeat(5)).len(), 5);
}

#[test]
fn an_address_keeps_the_colons_it_ends_with() {
    let index =
        index("10:00:01.000000 IP6 2001:db8::1 > 2001:db8:5::: ICMP6, echo request, id 1, seq 1, length 8\n");
    assert_eq!(ends(&packet(&index, 0)).2, "2001:db8:5::");
}

#[test]
fn a_protocol_that_is_told_is_not_another_because_it_has_ports() {
    let text = "10:00:01.000000 IP 192.0.2.10.5001 > 198.51.100.1.5001: sctp (1) [INIT] [init tag: 1]\n\
                10:00:02.000000 IP 192.0.2.10.5001 > 198.51.100.1.5001: DCCP (CCVal 0, CsCov 0) DCCP-Request (service=0) seq 1\n\
                10:00:03.000000 IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto unknown (136), length 52)\n    192.0.2.10.5001 > 198.51.100.1.53: 7+ A? a. (19)\n\
                10:00:04.000000 IP6 (hlim 64, next-header Options (0), payload length: 52) 2001:db8::1.5001 > 2001:db8::2.5001: UDP, length 4\n";
    assert_eq!(transports(&index(text)), [132, 33, 136, 17]);
}

#[test]
fn what_is_cut_before_its_hosts_is_arp_or_counted_and_other_networks_are_none() {
    let text = "10:00:01.000000 00:00:5e:00:53:01 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 60:  [|arp]\n\
                10:00:02.000000 ARP, [|arp]\n\
                10:00:03.000000 IP  [|ip]\n\
                10:00:04.000000 IPX 0a000001.00:00:5e:00:53:01.0451 > 0a000002.00:00:5e:00:53:02.402b: [length 29 < 30] (invalid)\n";
    let index = index(text);
    assert_eq!(index.len(), 2);
    let said = damage(&index);
    assert!(
        said.iter().any(|told| told.starts_with("1 line has the time of a packet, no hosts")),
        "{said:?}"
    );
}

/// The captures of a text, each by itself.
fn apart(text: &str) -> Index {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("post.txt");
    std::fs::write(&path, text).unwrap();
    let opened = capture::open_apart(&path, capture::Options::default()).unwrap();
    let inputs = opened.into_iter().map(|(source, walk)| Input { source, walk, offset_ns: 0 });
    build(inputs.collect(), 1, &Progress::default(), |_| {})
}

#[test]
fn captures_of_two_prompts_in_one_post_are_two() {
    let inside = "10:00:01.002001 IP 192.0.2.10.40001 > 198.51.100.53.53: 7+ A? www.example.org. (33)";
    let text = format!(
        "On the laptop:\nnora@lap:~$ sudo tcpdump -ni wg0 port 53\nlistening on wg0, link-type RAW (Raw IP), snapshot length 262144 bytes\n\
         {QUERY}\n{ANSWER}\n^C\n2 packets captured\n3 packets received by filter\n0 packets dropped by kernel\n\n\
         And on the gateway:\ngw1# tcpdump -ni ens18 host 192.0.2.10\nlistening on ens18, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n\
         {inside}\n^C\n1 packet captured\n1 packet received by filter\n0 packets dropped by kernel\n"
    );
    let index = apart(&text);
    let told: Vec<_> = index
        .sources
        .iter()
        .map(|source| {
            let interface = source.metadata.interfaces.first().unwrap();
            (source.packets, interface.name.clone(), interface.filter.clone(), interface.received)
        })
        .collect();
    let own = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [(2, own("wg0"), own("port 53"), Some(3)), (1, own("ens18"), own("host 192.0.2.10"), None)]
    );
    assert_eq!(index.sources[1].place.sensor.as_deref(), Some("gw1, ens18"));
    // The same place again, later, is the same capture; so is a text in which nothing begins again.
    let again = format!("$ tcpdump -ni wg0\n{QUERY}\n^C\n1 packets captured\n$ tcpdump -ni wg0\n{ANSWER}\n");
    assert_eq!(apart(&again).sources.len(), 1);
    let status = format!(
        "{QUERY}\ntcpdump: 1 packets captured, 1 packets received by filter, 0 packets dropped by kernel\n{ANSWER}\n"
    );
    assert_eq!(apart(&status).sources.len(), 1);
    // Where one time begins again it is another.
    let back = format!("1 packets captured\n{ANSWER}\n1 packets shown\n2 packets captured\n{QUERY}\n");
    assert_eq!(apart(&back).sources.len(), 2);
}

#[test]
fn lines_of_another_container_stand_between_those_of_a_packet() {
    let text = "sniff-1  | 10:00:01.000001 IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 61)\n\
                app-1    | level=warn msg=\"no answer yet\"\n\
                sniff-1  |     192.0.2.10.40001 > 198.51.100.53.53: 7+ A? www.example.org. (33)\n";
    let index = index(text);
    assert_eq!((index.len(), damage(&index).len()), (1, 0));
}

#[test]
fn a_log_driver_writes_each_line_with_its_own_time() {
    let lines = [
        "10:00:01.000001 IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 61)",
        "    192.0.2.10.40001 > 198.51.100.53.53: 7+ A? www.example.org. (33)",
        "10:00:01.000901 IP (tos 0x0, ttl 64, id 0, offset 0, flags [DF], proto ICMP (1), length 89)",
        "    198.51.100.53 > 192.0.2.10: ICMP 198.51.100.53 udp port 53 unreachable, length 69",
        "\\tIP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 61)",
        "    192.0.2.10.40001 > 198.51.100.53.53: 7+ A? www.example.org. (33)",
    ];
    let log = lines.iter().enumerate().map(|(at, line)| {
        format!("{{\"log\":\"{line}\\n\",\"stream\":\"stdout\",\"time\":\"2024-03-05T12:30:0{at}.5Z\"}}\n")
    });
    let (index, evidence, _) = judge(&log.collect::<String>());
    assert_eq!((index.len(), packet(&index, 1).time_ns()), (2, 36_001_000_901_000));
    assert_eq!(outcomes(&evidence), [Outcome::Refused]);
}

#[test]
fn what_is_asked_again_after_an_answer_without_ids_is_another_question() {
    let round = |at: u32, second: u32| {
        format!(
            "  {} 10:00:{second}.10000   192.0.2.10 -> 198.51.100.18 DNS C db.example.org. Internet Addr ?\n  {} 10:00:{second}.10070 198.51.100.18 -> 192.0.2.10 ICMP Destination unreachable (UDP port 53 unreachable)\n  {} 10:00:{second}.10200   192.0.2.10 -> 198.51.100.19 DNS C db.example.org. Internet Addr ?\n  {} 10:00:{second}.10900 198.51.100.19 -> 192.0.2.10   DNS R db.example.org. Internet Addr 203.0.113.18\n",
            at,
            at + 1,
            at + 2,
            at + 3
        )
    };
    let (_, evidence, found) = judge(&(round(1, 40) + &round(5, 44) + &round(9, 48)));
    let refused = outcomes(&evidence).iter().filter(|outcome| **outcome == Outcome::Refused).count();
    let answered = outcomes(&evidence).iter().filter(|outcome| **outcome == Outcome::Answered).count();
    assert_eq!((refused, answered), (3, 3));
    assert!(found.iter().all(|finding| finding.severity != Severity::High), "each was answered by another");
}

#[test]
fn rows_of_flows_are_no_packets() {
    let text: &'static [u8] =
        b"2026-03-03 10:11:12.345 192.0.2.10:40112 -> 203.0.113.9:443 TCP ...S. 1 60 1\n";
    assert!(capture::open_bytes("text", text).is_err());
}

#[test]
fn without_flags_a_service_that_sends_nothing_back_is_not_cleared() {
    let flow = |at: u32, from: &str, to: &str, length: u32| {
        format!("10:00:{at:02}.200000 IP {from} > {to}: tcp {length}\n")
    };
    let (client, silent, other) = ("192.0.2.50.45110", "203.0.113.80.443", "198.51.100.90.443");
    let asks: String = [0, 1, 3, 7, 15, 31].iter().map(|at| flow(*at, client, silent, 0)).collect();
    let talk: String = [(32, 0), (33, 517), (34, 80)]
        .iter()
        .map(|(at, length)| {
            flow(*at, "192.0.2.50.45222", other, *length) + &flow(*at, other, "192.0.2.50.45222", *length)
        })
        .collect();
    let (_, _, found) = judge(&(asks.clone() + &talk));
    let cleared = |found: &[Finding]| found.iter().any(|finding| finding.statement.contains("No failure"));
    assert!(!cleared(&found));
    let index = index(&(asks + &talk));
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let attempts = portmortem::attempts::Attempts::of(&evidence);
    let silent = attempts.all.iter().filter(|own| own.outcome == portmortem::attempts::Outcome::NoReply);
    assert_eq!(silent.map(|own| own.service.host.to_string()).collect::<Vec<_>>(), ["203.0.113.80"]);
}

#[test]
fn data_in_the_words_of_old_versions_are_an_answer() {
    let (client, server) = ("192.0.2.30.1032", "198.51.100.30.25");
    let rows = [
        (client, server, "S 809934413:809934413(0) win 5840 <mss 1460> (DF)"),
        (server, client, "S 1690637621:1690637621(0) ack 809934414 win 5840 <mss 1460> (DF)"),
        (client, server, ". ack 1 win 5792 (DF)"),
        (server, client, "P 1:15(14) ack 1 win 5792 (DF)"),
        (client, server, "P 1:9(8) ack 15 win 5792 (DF)"),
        (server, client, "P 15:23(8) ack 9 win 5792 (DF)"),
        (client, server, "P 9:15(6) ack 23 win 5792 (DF)"),
        (server, client, "P 23:40(17) ack 15 win 5792 (DF)"),
        (server, client, "F 40:40(0) ack 15 win 5792 (DF)"),
        (client, server, "F 15:15(0) ack 41 win 5792 (DF)"),
    ];
    let lines = rows
        .iter()
        .enumerate()
        .map(|(at, (from, to, text))| format!("10:00:01.{at}00000 {from} > {to}: {text}\n"));
    let index = index(&lines.collect::<String>());
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let attempts = portmortem::attempts::Attempts::of(&evidence);
    let outcomes: Vec<_> = attempts.all.iter().map(|own| own.outcome).collect();
    assert_eq!(outcomes, [portmortem::attempts::Outcome::Answered]);
}
