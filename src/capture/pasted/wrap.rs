//! Tells how a text was wrapped: by a terminal at one width, within words, or by a mail program at blanks.

use std::borrow::Cow;
use std::sync::LazyLock;

/// Lines that are measured.
const MEASURED_MAX: usize = 10_000;
/// Widths of terminals.
const TERMINALS: &[usize] = &[80, 100, 120, 132, 160];

/// How long the lines of packets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Widths {
    /// The longest line on which a packet begins.
    most: usize,
    /// The width at which every line that goes on below ends, where it is one.
    hard: Option<usize>,
}

impl Widths {
    /// Measures the lines; `begins` says whether a packet begins on one.
    pub fn of(lines: &[Cow<'_, str>], begins: impl Fn(usize) -> bool) -> Self {
        let mut most = 0;
        let (mut wrapped, mut other) = (0, 0);
        let mut width = 0;
        let mut is_packet = false;
        for (at, line) in lines.iter().enumerate().take(MEASURED_MAX) {
            let is_start = begins(at);
            is_packet = is_start || is_packet && !line.trim().is_empty();
            if !is_packet {
                continue;
            }
            let length = line.chars().count();
            most = most.max(length);
            let goes_on = lines
                .get(at + 1)
                .is_some_and(|next| !next.trim().is_empty() && indentation(next) == 0 && !begins(at + 1));
            if !goes_on || is_complete(line, "") {
                is_packet &= !is_complete(line, "");
                continue;
            }
            if wrapped == 0 || length > width {
                (other, width) = (other + wrapped, length);
                wrapped = 1;
            } else if length == width {
                wrapped += 1;
            } else {
                other += 1;
            }
        }
        let is_hard =
            width == most && other == 0 && (wrapped > 1 || TERMINALS.contains(&width) && wrapped > 0);
        Self { most, hard: is_hard.then_some(width) }
    }

    /// Whether a line was cut at its width, within a word perhaps.
    pub fn is_hard(self, line: &str) -> bool {
        self.hard.is_some_and(|width| width == line.chars().count())
    }

    /// Whether a line was too long for what stands first on the next.
    pub fn is_wrapped(self, line: &str, next: &str) -> bool {
        let word = next.split_whitespace().next().unwrap_or("");
        line.chars().count() + 1 + word.chars().count() > self.most
    }
}

/// Words behind which a line breaks at a blank only.
const WHOLE_WORDS: &[&str] = &[
    "IP",
    "IP6",
    ">",
    "ICMP",
    "ICMP6",
    "udp",
    "tcp",
    "port",
    "unreachable",
    "length",
    "Flags",
    "seq",
    "ack",
    "win",
    "options",
    "host",
    "net",
    "domain",
    "admin",
    "prohibited",
    "proto",
    "flags",
    "ttl",
    "id",
    "offset",
    "tos",
    "A",
    "AAAA",
    "CNAME",
    "NS",
    "SOA",
    "MX",
    "PTR",
    "TXT",
    "UDP",
    "TCP",
    "-",
    "time",
    "exceeded",
    "echo",
    "request",
    "reply",
    "Request",
    "Reply",
    "who-has",
    "tell",
    "is-at",
    "In",
    "Out",
    "filter",
    "need",
    "to",
    "frag",
    "val",
    "ecr",
];

/// Whether the last word of `text` goes on in `line`, which follows it without a blank.
pub(super) fn glue(text: &str, line: &str) -> bool {
    if text.ends_with([' ', '\t', '\n']) || line.starts_with([' ', '\t']) {
        return false;
    }
    let last = text.rsplit([' ', '\n', '\t']).next().unwrap_or("");
    let first = line.split([' ', '\t']).next().unwrap_or("");
    let is_whole = WHOLE_WORDS.contains(&last) || last.ends_with([':', ',', ')', ']', '?', '+']);
    let begins = WHOLE_WORDS.contains(&first.trim_end_matches([',', ':']))
        || first.starts_with(['>', '(', '[', '<'])
        || first.ends_with('?');
    !is_whole && !begins
}

/// Whether a packet's text is whole: it nearly always ends with `(24)` or `length 254`, in old versions with `(DF)`, `[tos 0xc0]`
/// or what stands at the end of its header. `next` is what would follow.
pub(super) fn is_complete(text: &str, next: &str) -> bool {
    let text = text.trim_end_matches(|c: char| c.is_whitespace() || "*`_|\\<\"'.,;".contains(c));
    if text.ends_with(')') {
        return true;
    }
    let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
    let before = text.get(..text.len() - digits).unwrap_or("").trim_end();
    if digits > 0 && ["length", "udp", "instance", "vni"].iter().any(|word| before.ends_with(word)) {
        return true;
    }
    let goes_on =
        next.trim_start().trim_start_matches([',', '-', ' ']).starts_with(['l', 'a', 'n', '(', '[', '<']);
    let is_old = (digits > 0 && before.ends_with("win"))
        || is_old_end(text)
        || text.ends_with("unreachable")
        || (text.ends_with('>') && text.contains('<'));
    is_old && !goes_on
}

/// Whether a packet cannot end with the last word of `text`, and `next` begins with what tcpdump prints behind it: mail programs
/// break lines of any length.
pub(super) fn is_awaited(text: &str, next: &str) -> bool {
    let text = text.trim_end();
    let last = text.rsplit([' ', '\t', '\n']).next().unwrap_or("");
    let mut words = next.split_whitespace();
    let first = words.next().unwrap_or("");
    let is_number = first.starts_with(|c: char| c.is_ascii_digit());
    match last {
        "length" | "seq" | "ack" | "win" => is_number,
        "udp" | "tcp" => first == "port",
        "port" => words.next().is_some_and(|word| word.starts_with("unreachable")),
        "Flags" => first.starts_with('['),
        "unreachable," => first == "length",
        // Hosts end with a colon, and a question's type with its mark; its name ends with the root.
        _ if last.ends_with(':') => {
            is_number || first.starts_with('[') || matches!(first, "Flags" | "ICMP" | "ICMP6," | "UDP,")
        }
        _ => last.ends_with('?') && first.ends_with('.'),
    }
}

/// `[tos 0xc0]`, `[|domain]`.
fn is_old_end(text: &str) -> bool {
    let group = text.strip_suffix(']').and_then(|text| text.rsplit_once('['));
    group.is_some_and(|(_, group)| group.starts_with("tos ") || group.starts_with('|'))
}

/// Whether a text can be the end of a packet.
pub(super) fn completes(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && is_complete(text, "")
}

/// The width of the blanks before a line.
pub(super) fn indentation(line: &str) -> usize {
    line.bytes()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .map(|byte| if byte == b'\t' { 8 } else { 1 })
        .sum()
}

/// The text without what somebody wrote behind a packet on its line.
pub(super) fn without_remark(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        out.push_str(line.get(..remark_start(line)).unwrap_or(line));
    }
    out
}

/// What stands between the hosts of an ICMP message and its text.
static ICMP: LazyLock<memchr::memmem::Finder<'static>> =
    LazyLock::new(|| memchr::memmem::Finder::new(": ICMP"));

/// Where a line's packet ends: behind `(33)` or the length of an ICMP message, if what follows is nothing tcpdump prints there.
pub(super) fn remark_start(line: &str) -> usize {
    let mut from = 0;
    let next = |from: usize| memchr::memchr(b'(', line.as_bytes().get(from..)?).map(|at| from + at + 1);
    while let Some(open) = next(from) {
        from = open;
        if !line.get(..open - 1).is_some_and(|before| before.ends_with(' ')) {
            continue;
        }
        let digits = line.get(open..).map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
        let close = open + digits;
        let rest = line.get(close + 1..).unwrap_or("").trim_start();
        let is_length = (1..=5).contains(&digits) && line.get(close..=close) == Some(")");
        // Numbers in brackets before the hosts are those of protocols.
        let is_protocol = !line.get(..open).is_some_and(|before| before.contains(" > "));
        let is_own = rest.is_empty() || rest.starts_with(['(', '[', '<', ',', ')']);
        if is_length && !is_protocol && !is_own {
            return close + 1;
        }
    }
    if let Some(length) = ICMP
        .find(line.as_bytes())
        .and_then(|at| line.get(at..)?.find(", length ").map(|length| at + length + 9))
    {
        let digits = line.get(length..).map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
        return if digits > 0 { length + digits } else { line.len() };
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_behind_a_packet_go_and_its_own_words_stay() {
        for (text, rest) in [
            ("a > b: 1+ A? c. (33)  <-- asks", "a > b: 1+ A? c. (33)  <-- asks"),
            ("a > b: 1+ A? c. (33) means that", "a > b: 1+ A? c. (33)"),
            ("a > b: 1+ A? c. (33) (DF)", "a > b: 1+ A? c. (33) (DF)"),
            (
                "a > b: ICMP c udp port 53 unreachable, length 69 # no",
                "a > b: ICMP c udp port 53 unreachable, length 69",
            ),
            (
                "IP (tos 0x0, ttl 64, proto UDP (17), length 61)",
                "IP (tos 0x0, ttl 64, proto UDP (17), length 61)",
            ),
        ] {
            assert_eq!(without_remark(text), rest);
        }
    }

    #[test]
    fn a_line_that_breaks_where_no_packet_ends_goes_on() {
        for (text, next) in [
            ("a > b: 1+ A?", "www.example.com. (33)"),
            ("a > b:", "1+ A? www.example.com. (33)"),
            ("a > b:", "Flags [S], seq 1, win 2, length 0"),
            ("a > b: ICMP c udp", "port 53 unreachable, length 69"),
            ("a > b: ICMP c udp port", "domain unreachable, length 69"),
            ("a > b: ICMP c udp port 53 unreachable,", "length 69"),
            ("a > b: UDP, length", "33"),
        ] {
            assert!(is_awaited(text, next), "{text} {next}");
        }
        for (text, next) in [
            ("a > b: 1+ A?", "That is what we saw."),
            ("a > b:", "we gave up"),
            ("a > b: ICMP c udp port", "scans are common"),
            ("a > b: 1+ A? www.example.com.", "It failed."),
        ] {
            assert!(!is_awaited(text, next), "{text} {next}");
        }
    }

    #[test]
    fn words_are_glued_where_the_terminal_cut_them() {
        assert!(
            glue("IP 192.0.2.10.40001 > 198.51.10", "0.53.53: 1+") && glue("1 A? www.exam", "ple.com. (33)")
        );
        assert!(
            !glue("a > b:", "1+ A?")
                && !glue("A? www.example.com.", "(33)")
                && !glue("port 53", "unreachable")
        );
    }
}
