//! The same four packets in what people put around them, and texts that hold none.

use super::*;

const PACKETS: [&str; 8] = [
    "14:00:01.000001 IP (tos 0x0, ttl 64, id 501, offset 0, flags [DF], proto UDP (17), length 61)",
    "    192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? www.example.com. (33)",
    "14:00:01.000901 IP (tos 0x0, ttl 64, id 0, offset 0, flags [DF], proto ICMP (1), length 89)",
    "    198.51.100.53 > 192.0.2.10: ICMP 198.51.100.53 udp port 53 unreachable, length 69",
    "14:00:02.000001 IP (tos 0x0, ttl 64, id 502, offset 0, flags [DF], proto UDP (17), length 61)",
    "    192.0.2.10.40002 > 198.51.100.53.53: 4102+ A? www.example.com. (33)",
    "14:00:02.007001 IP (tos 0x0, ttl 60, id 9, offset 0, flags [none], proto UDP (17), length 61)",
    "    198.51.100.53.53 > 192.0.2.10.40002: 4102 ServFail 0/0/0 (33)",
];

/// The packets of a text: link type, time of day and text, blanks as one.
fn packets(text: &[u8]) -> Vec<(LinkType, i64, String)> {
    let mut prepared = prepare(text);
    let made = std::mem::take(&mut prepared.made);
    let all = Bytes::new(0, text).with(&made);
    let (mut walk, _) = prepared.walks(false).remove(0);
    let mut records = Vec::new();
    while walk.fill(all, true, 100, &mut records) == Fill::More {}
    let shown = |record: &Record| {
        let start = record.offset as usize;
        let bytes = all.get(start..start + record.captured as usize).unwrap();
        let words: Vec<&str> =
            std::str::from_utf8(bytes).map_or(vec![], |text| text.split_whitespace().collect());
        // The date is that of what stands before a line, where it has one.
        let of_day_ns = record.time_ns % 86_400_000_000_000;
        (walk.metadata.interfaces[record.interface as usize].link_type, of_day_ns, words.join(" "))
    };
    records.iter().map(shown).collect()
}

fn lines(wrap: impl Fn(usize, &str) -> String) -> String {
    let wrapped: Vec<String> = PACKETS.iter().enumerate().map(|(at, line)| wrap(at, line)).collect();
    wrapped.join("\n") + "\n"
}

fn plain() -> Vec<(LinkType, i64, String)> {
    packets(lines(|_, line| line.to_owned()).as_bytes())
}

#[test]
fn whatever_stands_before_both_lines_of_a_packet_is_taken_off() {
    let expected = plain();
    assert_eq!(expected.len(), 4);
    let prefixes: &[fn(usize) -> String] = &[
        |_| "tcpdump_1  | ".to_owned(),
        |_| "\u{1b}[36mtcpdump-1 |\u{1b}[0m ".to_owned(),
        |_| "[pod/netshoot-7f9c6d-x2k9p/tcpdump] ".to_owned(),
        |_| "netshoot-7f9c6d-x2k9p tcpdump ".to_owned(),
        |at| format!("Nov 29 10:00:{at:02} host1 tcpdump[99]: "),
        |at| format!("2024-03-05T14:00:0{at}.{at}23456789Z "),
        |at| format!("<14>1 2024-03-05T14:00:0{at}.003Z gw01 tcpdump 2217 - - "),
        |at| format!("{:3} ", at + 8),
        |at| format!("dumps/gw01.log:{}:", at + 98),
        |at| format!("gw01.log{c}{}{c}", at + 98, c = if at % 2 == 0 { ':' } else { '-' }),
        |_| "> >> ".to_owned(),
        |_| "# ".to_owned(),
        |_| "// ".to_owned(),
        |_| " * ".to_owned(),
        |_| ";; ".to_owned(),
        |_| "+".to_owned(),
    ];
    for prefix in prefixes {
        assert_eq!(packets(lines(|at, line| prefix(at) + line).as_bytes()), expected, "{:?}", prefix(1));
    }
}

#[test]
fn whatever_a_program_made_of_the_lines_is_undone() {
    let expected = plain();
    let quoted = |line: &str| line.replace('>', "\\u003e");
    let texts = [
        lines(|_, line| format!("| {line} |")),
        lines(|_, line| format!("- `{line}`")),
        lines(|_, line| line.replace('>', "&gt;")),
        lines(|_, line| line.replace('>', "&amp;#62;").replace(' ', "&nbsp;")),
        lines(|_, line| line.replace('>', "→").replace(' ', "\u{a0}")),
        lines(|_, line| format!("{line}\r")),
        lines(|_, line| format!("{line}\n")),
        lines(|_, line| format!("<p>{line}</p>")),
        lines(|_, line| format!("{{\"log\":\"{}\\n\",\"stream\":\"stdout\"}}", quoted(line))),
        format!("{{\"stdout\": \"{}\", \"rc\": 0}}", quoted(&PACKETS.join("\\n"))),
        lines(|at, line| if at == 0 { line.replace("61)", "6") } else { line.to_owned() }),
    ];
    for (at, text) in texts.iter().enumerate() {
        let found: Vec<_> = packets(text.as_bytes())
            .into_iter()
            .map(|packet| packet.2.replace("length 6 ", "length 61) "))
            .collect();
        assert_eq!(found, expected.iter().map(|packet| packet.2.clone()).collect::<Vec<_>>(), "text {at}");
    }
    let wide: Vec<u8> = lines(|_, line| line.to_owned()).encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(packets(&wide), expected);
}

#[test]
fn lines_cut_by_a_terminal_within_words_are_whole_again() {
    let line = "14:00:01.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? www.example.com. (33)";
    for width in [60, 66, 73, 80] {
        let cut: Vec<String> = (1..4)
            .map(|second| line.replace("01.000001", &format!("0{second}.000001")))
            .flat_map(|line| [line[..width].to_owned(), line[width..].to_owned()])
            .collect();
        let found = packets(cut.join("\n").as_bytes());
        assert_eq!(found.len(), 3, "{width}");
        assert_eq!(found[0].2, line, "{width}");
    }
}

#[test]
fn lines_wrapped_at_blanks_are_whole_again() {
    let line = "09:15:22.104512 IP 10.8.0.14.51000 > 10.8.0.1.53: 60001+ [1au] AAAA? api.example.org. (44)";
    let other = line.replace(".104512", ".204512").replace("AAAA? api", "A? www.api");
    for width in 30..90 {
        let mut wrapped = String::new();
        for line in [line, &other] {
            let mut length = 0;
            wrapped.push_str("> ");
            for word in line.split(' ') {
                if length > 0 && length + 1 + word.len() > width {
                    wrapped.push_str("\n> ");
                    length = 0;
                } else if length > 0 {
                    wrapped.push(' ');
                    length += 1;
                }
                wrapped.push_str(word);
                length += word.len();
            }
            wrapped.push('\n');
        }
        let found: Vec<_> = packets(wrapped.as_bytes()).into_iter().map(|packet| packet.2).collect();
        assert_eq!(found, [line, &other], "{width}");
    }
}

#[test]
fn a_packet_quoted_again_is_one_packet_and_a_burst_is_not() {
    let query = "10:00:00.000001 IP 192.0.2.10.40001 > 198.51.100.53.domain: 4101+ A? www.example.com. (33)";
    let quoted =
        format!("{query}\n\nOn Tuesday Bob wrote:\n> {query}\nIn the line {query} means that it asks.\n");
    assert_eq!(packets(quoted.as_bytes()).len(), 1);
    assert_eq!(packets(format!("x\n{query}\n{query}\n").as_bytes()).len(), 2);
}

#[test]
fn bytes_below_a_packet_become_the_packet() {
    let text = "10:00:00.000001 IP pc7.40001 > dns7.domain: 4101+ A? www.example.com. (33)\n\
                \t0x0000:  4500 003d 2aa6 4000 4011 0000 c000 020a  E..=*.@.@.......\n\
                \t0x0010:  c633 6435 9c41 0035 0029 0000 1005 0100  .3d5.A.5.)......\n\
                \t0x0020:  0001 0000 0000 0000 0377 7777 0765 7861  .........www.exa\n\
                \t0x0030:  6d70 6c65 0363 6f6d 0000 0100 01         mple.com.....\n";
    let (cut, _) = text.split_once("\t0x0020").unwrap();
    let (without_type, _) = text.split_once("0100 01  ").unwrap();
    for (text, link) in [
        (text.to_owned(), LinkType::RAW),
        (text.replace('\t', "> \t"), LinkType::RAW),
        (text.replace("\n\t", "\n\n\t"), LinkType::RAW),
        // Bytes that end before what the line shows.
        (cut.to_owned(), LinkType::TRANSCRIPT),
        (format!("{without_type}\n"), LinkType::TRANSCRIPT),
        (cut.replace(": 4101+", ": [udp sum ok] 4101+"), LinkType::TRANSCRIPT),
        (cut.replace("4101+ A? www.example.com. (33)", "[|domain]"), LinkType::RAW),
        (cut.replace("4101+ A? www.example.com. (33)", "UDP, length 33"), LinkType::RAW),
    ] {
        let found = packets(text.as_bytes());
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].0, link, "{text}");
    }
}

#[test]
fn prose_and_reports_have_no_packets() {
    for text in [
        "IPv6: `IP6 2001:db8:2::2 > 2001:db8:1::15: ICMP6, destination unreachable, unreachable port` means the same.\n",
        "a\nb\nc\nd\ne\nf\n`192.0.2.1.1000 > 192.0.2.53.53: 1+ A? a. (19)`\ng\nh\ni\n",
        "At 13:24:32.192571 the IP 192.0.2.1 > others, he said: 4 of 5.\n",
        "F1 13:24:32.192571 IP 192.0.2.1.52444 > 203.0.113.2.53: 1+ A? a. (19)\n",
        "192.51.100.15.52444 > 203.0.113.2.domain shows the source and the destination.\n",
        "10:00 a > b: Flags are raised\n",
    ] {
        assert!(prepare(text.as_bytes()).is_empty(), "{text}");
    }
}

#[test]
fn what_looks_like_a_packet_and_is_not_read_is_counted_with_the_first() {
    let prepared = prepare(b"10:00:00.000001 IP a, b > c\n10:00:00.000002 IP a, b > c\n");
    assert!(prepared.is_empty());
    assert!(
        prepared.unread.first().is_some_and(
            |unread| unread.starts_with("2 lines look like packets") && unread.contains("000001")
        )
    );
}

#[test]
fn long_lines_and_many_prefixes_take_no_longer_than_their_length() {
    for part in [
        "10:00:00.000001 ",
        "10:00:00.000001",
        "> ",
        "IP ",
        "| ",
        "&gt;",
        "[b]",
        "<b>",
        "{\"a\":\"",
        "a > b: ",
        "=\n",
        "\u{8}x",
    ] {
        let _ = prepare(part.repeat(200_000 / part.len()).as_bytes());
        let _ = prepare(format!("{part}\n").repeat(100_000 / part.len()).as_bytes());
    }
}

const FRAGMENTS: &[&str] = &[
    "14:00:01.000001 ",
    "2024-01-01 ",
    "1709647201.000001 ",
    "IP ",
    "IP6 ",
    "ARP, ",
    "(tos 0x0, ",
    "length 61)",
    "192.0.2.10.40001",
    " > ",
    ">",
    ": ",
    "4101+ A? a. (19)",
    "ICMP ",
    "unreachable",
    ", length 69",
    "\n",
    "\n\n",
    "\t",
    "    ",
    "| ",
    " |",
    "> ",
    "# ",
    "&gt;",
    "&amp;",
    "\\u003e",
    "\\n",
    "{\"log\":\"",
    "\"}",
    "\u{1b}[31m",
    "\u{8}",
    "→",
    "\u{a0}",
    "\u{200b}",
    "é",
    "0x0000:  4500 003d ",
    "0x0010:  ",
    "[b]",
    "[/b]",
    "<br>",
    "<http://x>",
    "](http",
    "`",
    "=\n",
    "=3E",
    "x",
    "Flags [S], seq 1",
    "VXLAN, flags [I] (0x08), vni 1\n",
    "1 0.5 192.0.2.1 > 192.0.2.2 DNS 70 Standard query 0x1 A a",
    "02:00:5e:10:00:01 > 02:00:5e:10:00:02, ",
    "rule 5/0(match): block in on em0: ",
    "[total length 5 > length 3] (invalid) ",
    "Src Port: 1, Dst Port: 53",
    "\"1\",\"0.5\",\"192.0.2.1\",\"192.0.2.2\",\"DNS\",\"1\",\"x\"",
];

#[test]
fn lines_judged_at_once_are_read_as_those_that_are_not() {
    let kinds = [
        "IP 192.0.2.10.40001 > 198.51.100.53.53: 4101+ [1au] A? www.example.com. (33)",
        "IP6 2001:db8::1.40001 > 2001:db8::53.53: 4101+ A? www.example.com. (33)  <-- why?",
        "IP 192.0.2.10.40001 > 198.51.100.80.443: Flags [S], seq 1, win 64240, options [mss 1460], length 0",
        "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto UDP (17), length 61)\n    a.example.1 > b.example.2: UDP, length 3",
        "ARP, Request who-has 192.0.2.1 tell 192.0.2.10, length 28",
        "IP 192.0.2.1 > 192.0.2.10: ICMP 198.51.100.53 udp port 53 unreachable, length 69;",
        "[remark] &amp; no packet",
        "IP 192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? carp.example. (33) 10:00:00.000001 IP a.b > c.d: UDP",
    ];
    let prefixes: [fn(usize) -> String; 4] = [
        |_| String::new(),
        |_| "x | ".to_owned(),
        |at| format!("log:{at}:"),
        |at| format!("[{}] > ", at % 3),
    ];
    for prefix in prefixes {
        let log = |end: &str| {
            let lines = (0..400usize).flat_map(|at| {
                let kind = kinds[at * at % 7 * at % kinds.len()];
                let text = format!("10:00:{:02}.{:06} {kind}", at / 10, at / 2 * 7);
                let lines: Vec<String> =
                    text.split('\n').map(|line| format!("{}{line}{end}\n", prefix(at))).collect();
                lines
            });
            lines.collect::<String>()
        };
        // What moves a terminal's colours takes a line out of the way of those judged at once, and is no part of it.
        let (plain, coloured) = (log(""), log("\u{1b}[0m"));
        let cleaned: Vec<_> = coloured.lines().map(|line| format!("{line} \n")).collect();
        assert!(packets(plain.as_bytes()).len() > 250);
        assert_eq!(packets(plain.as_bytes()), packets(cleaned.concat().as_bytes()), "{}", prefix(7));
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(picks in proptest::collection::vec(0usize..FRAGMENTS.len(), 0..60), cut in 0usize..400) {
        let text: String = picks.iter().filter_map(|at| FRAGMENTS.get(*at).copied()).collect();
        let bytes = text.as_bytes();
        for bytes in [bytes, &bytes[..cut.min(bytes.len())], &bytes[(cut / 2).min(bytes.len())..]] {
            let _ = is_plain(bytes);
            let prepared = prepare(bytes);
            let (count, all) = (prepared.parts.iter().map(List::len).sum::<usize>(), bytes.len() + prepared.made.len());
            let (mut walk, _) = prepared.walks(false).remove(0);
            let mut records = Vec::new();
            while walk.fill(bytes.into(), true, 7, &mut records) == Fill::More {}
            proptest::prop_assert_eq!(records.len(), count);
            proptest::prop_assert!(records.iter().all(|record| record.offset as usize + record.captured as usize <= all));
        }
    }
}
