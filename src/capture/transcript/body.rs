//! Tells whether words are what tcpdump prints behind the colon of `host > host:`, so that prose with an arrow in it is no packet.

use super::Words;

/// Bracketed remarks before the message, such as `[bad udp cksum 0x8274 -> 0x871c!]`.
const REMARKS_MAX: usize = 4;
/// Words of one remark.
const REMARK_MAX_WORDS: usize = 8;

/// First words of the texts of protocols, without what follows a `:`, `,`, `(` or `/`.
const FIRST_WORDS: &[&str] = &[
    "ICMP",
    "ICMP6",
    "icmp",
    "icmp6",
    "UDP",
    "HBH",
    "DSTOPT",
    "RT6",
    "srcrt",
    "udp",
    "TCP",
    "tcp",
    "Flags",
    "igmp",
    "IGMP",
    "IP",
    "IP6",
    "GREv0",
    "GREv1",
    "gre",
    "GRE",
    "ESP",
    "esp",
    "AH",
    "OTV",
    "VXLAN",
    "VXLAN-GPE",
    "Geneve",
    "GENEVE",
    "MPLS",
    "NTPv1",
    "NTPv2",
    "NTPv3",
    "NTPv4",
    "BOOTP",
    "bootp",
    "dhcp6",
    "NBT",
    "HSRPv0-hello",
    "HSRPv0",
    "HSRPv1",
    "VRRPv2",
    "VRRPv3",
    "VRRP",
    "CARPv2-advertise",
    "CARP",
    "SIP",
    "RADIUS",
    "OSPFv2",
    "OSPFv3",
    "PIMv2",
    "pim",
    "isakmp",
    "sctp",
    "SCTP",
    "ip-proto",
    "HTTP",
    "DNS",
    "mDNS",
    "dns",
    "ether-ip",
    "truncated-ip",
    "frag",
    "RIPv1",
    "RIPv2",
    "ntp",
];

/// Whether the text of a protocol begins here.
pub(super) fn begins(mut words: Words<'_>) -> bool {
    for _ in 0..REMARKS_MAX {
        let Some(word) = words.peek() else { return false };
        if word.text.starts_with("[|") || word.text.starts_with("(invalid") {
            return true;
        }
        if !word.text.starts_with('[') {
            break;
        }
        let closed = words.by_ref().take(REMARK_MAX_WORDS).any(|word| word.text.ends_with(']'));
        if !closed {
            return false;
        }
    }
    let Some(word) = words.next() else { return false };
    let following = words.peek();
    let next = following.map_or("", |word| word.text);
    let is_same_line = following.is_some_and(|next| !words.has_line_end(word.end, next.start));
    let first = word.text.split([':', ',', '(', '/']).next().unwrap_or("");
    // Behind a colon and a name stands a value in source code.
    (FIRST_WORDS.contains(&first) && !next.starts_with('=') && (first != "Flags" || next.starts_with('[')))
        || first.starts_with("ip-proto-")
        || is_message(word.text, next, is_same_line)
        || is_old_segment(word.text, next)
        || is_plain_segment(word.text, next)
}

/// `4101+ A? …`, `4101 ServFail 0/0/0`, `4101*- q: …`, `4101% [1au] …`. A word like any other is a response code on the same line.
fn is_message(word: &str, next: &str, is_same_line: bool) -> bool {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let marks = word.get(digits..).unwrap_or("x");
    // `37247+[|domain]`: the question was not captured.
    if (1..=5).contains(&digits) && marks.ends_with("[|domain]") {
        return true;
    }
    if !(1..=5).contains(&digits) {
        return false;
    }
    // Opcodes stand glued to the id.
    let has_marks = marks.bytes().all(|byte| b"+%*$|-".contains(&byte));
    let has_opcode = ["update", "notify", "inv_q", "stat", "op"]
        .iter()
        .any(|name| marks.trim_start_matches(['+', '-']).starts_with(name));
    let is_kind = |text: &str| text.len() > 1 && text.ends_with('?');
    let is_plain = next.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        || (next.starts_with(|c: char| c.is_ascii_uppercase()) && !next.ends_with(['.', ',', ';']));
    // A number alone is one of anything.
    let known = (next.is_empty() && !marks.is_empty())
        || is_kind(next)
        || is_count(next)
        || next == "q:"
        || (is_same_line && (is_plain || next.starts_with(['[', '(']) || next.split('/').count() == 3));
    has_opcode || (has_marks && known)
}

/// `[1au]`, `[2q]`, `1/0/2`, `(33)`: counts of records and the length, whatever line they stand on.
fn is_count(word: &str) -> bool {
    let inside = |open: char, close: char| word.strip_prefix(open)?.strip_suffix(close);
    let is_number =
        |text: &str| (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let bracketed = |text: &str| {
        ["q", "au", "a", "n"].iter().find_map(|what| text.strip_suffix(what)).is_some_and(is_number)
    };
    let counts = word.trim_end_matches(',');
    // A date has zeros in front.
    let is_number = |text: &str| is_number(text) && (text == "0" || !text.starts_with('0'));
    inside('(', ')').is_some_and(is_number)
        || inside('[', ']').is_some_and(bracketed)
        || (counts.split('/').count() == 3 && counts.split('/').all(is_number))
}

/// `S 100:100(0) win 16384`, `. ack 1 win 17520`, `P 1:29(28) ack 1`: how tcpdump printed TCP up to 3.9.
fn is_old_segment(word: &str, next: &str) -> bool {
    let is_flags =
        !word.is_empty() && word.len() <= 8 && word.bytes().all(|byte| b"SFPRUEW.".contains(&byte));
    let is_range = next.contains(':') && next.starts_with(|c: char| c.is_ascii_digit());
    is_flags && (is_range || matches!(next, "ack" | "win" | "[tcp"))
}

/// `syn 3145839112`, `rst 0 ack 5`, `ack 9`: how a firewall's sniffer prints TCP.
fn is_plain_segment(word: &str, next: &str) -> bool {
    matches!(word, "syn" | "fin" | "rst" | "psh" | "ack" | "urg")
        && !next.is_empty()
        && next.bytes().all(|byte| byte.is_ascii_digit())
}
