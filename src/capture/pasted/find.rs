//! Finds where a packet begins within a line: by its time stamp and what follows it, or by its hosts where no line has a time.

use crate::capture::transcript::{Head, Stamp, Words, head, is_arrow, stamped_head};

/// Time stamps of one line that are tried.
const STAMPS_MAX: usize = 4_096;
/// Bytes behind a time stamp in which its word must end.
const STAMP_WORD_MAX: usize = 32;
/// Interface and direction before the protocol.
const LEADING_MAX_WORDS: usize = 3;

/// Where the next time stamp stands from `from` on, and whether it is one beyond doubt.
fn next_stamp(line: &[u8], from: usize) -> Option<usize> {
    let digit = |at: usize| line.get(at).is_some_and(u8::is_ascii_digit);
    let is = |at: usize, byte: u8| line.get(at) == Some(&byte);
    let mut at = from;
    while at + 8 <= line.len() {
        let ahead = line.get(at..)?.iter().position(u8::is_ascii_digit)?;
        at += ahead;
        let before = at.checked_sub(1).and_then(|at| line.get(at)).copied().unwrap_or(b' ');
        let begins_word = !(before.is_ascii_alphanumeric() || b".:-/_".contains(&before));
        let is_clock = digit(at + 1)
            && is(at + 2, b':')
            && digit(at + 3)
            && digit(at + 4)
            && is(at + 5, b':')
            && digit(at + 6)
            && digit(at + 7);
        let decimals = (at + 9..).take_while(|at| digit(*at)).take(10).count();
        let ends =
            |end: usize| line.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b':');
        if is_clock
            && (is(at + 8, b'.') || is(at + 8, b','))
            && (6..=9).contains(&decimals)
            && ends(at + 9 + decimals)
        {
            return Some(with_date(line, at, from));
        }
        if before == b':' && is_epoch(line, at) && line.get(at + 10) == Some(&b'.') {
            return Some(at);
        }
        if begins_word {
            let whole_clock = is_clock
                && (is(at + 8, b'.') && (1..=9).contains(&decimals) && ends(at + 9 + decimals)
                    || ends(at + 8));
            let separator = line.get(at + 4).copied().filter(|byte| matches!(byte, b'-' | b'/'));
            let is_date = separator.is_some_and(|separator| is(at + 7, separator))
                && (0..4).all(|ahead| digit(at + ahead));
            if whole_clock || is_date || is_epoch(line, at) {
                return Some(at);
            }
        }
        at += 1;
    }
    None
}

/// The place of a clock with the date right before it.
fn with_date(line: &[u8], at: usize, from: usize) -> usize {
    let Some(start) = at.checked_sub(11).filter(|start| *start >= from) else { return at };
    let date = line.get(start..at).unwrap_or_default();
    let is_date = date.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => matches!(byte, b'-' | b'/'),
        10 => matches!(byte, b' ' | b'T' | b't' | b'_'),
        _ => byte.is_ascii_digit(),
    });
    if is_date { start } else { at }
}

/// Seconds with six decimals or more.
fn is_epoch(line: &[u8], at: usize) -> bool {
    let rest = line.get(at..).unwrap_or_default();
    let seconds = rest.iter().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    let decimals = rest.iter().skip(seconds + 1).take(10).take_while(|byte| byte.is_ascii_digit()).count();
    rest.get(seconds) == Some(&b'.') && (1..=10).contains(&seconds) && (6..=9).contains(&decimals)
}

/// The first time stamp from `from` on behind which `begins` finds a packet.
fn first_with(
    line: &str,
    from: usize,
    mut begins: impl FnMut(usize, &str) -> Option<Head>,
) -> Option<(usize, Head)> {
    let bytes = line.as_bytes();
    let mut at = from;
    for _ in 0..STAMPS_MAX {
        let start = next_stamp(bytes, at)?;
        let is_negative = start == 1 && bytes.first() == Some(&b'-');
        let start = if is_negative { 0 } else { start };
        // Where no blank follows soon it is a part of something longer.
        let word = bytes.get(start..).unwrap_or_default();
        let is_short = word.len() <= STAMP_WORD_MAX
            || word.iter().take(STAMP_WORD_MAX).any(|byte| matches!(byte, b' ' | b'\t'));
        if is_short && let Some(head) = line.get(start..).and_then(|text| begins(start, text)) {
            return Some((start, head));
        }
        at = start.max(at) + 1;
    }
    None
}

/// The first packet from `from` on that begins with a time stamp and has its hosts on the same line.
pub(super) fn stamped(line: &str, from: usize) -> Option<(usize, Head)> {
    first_with(line, from, |_, text| stamped_head(text.as_bytes()))
}

/// The same for a packet whose hosts stand on the lines below, which `below` gives for the place where it begins.
pub(super) fn stamped_above(
    line: &str,
    from: usize,
    below: impl Fn(&str) -> String,
) -> Option<(usize, Head)> {
    first_with(line, from, |start, text| {
        let prefix = line.get(..start)?;
        // A number at the end of a line of words is none of the next line's.
        let is_last = !text.contains([' ', '\t']) && !is_marks(prefix);
        stamped_head(below(prefix).as_bytes()).filter(|head| head.body > 0 && !text.is_empty() && !is_last)
    })
}

/// Whether a time stamp stands behind a prefix of this shape: a packet of another protocol.
pub(super) fn is_stamped_like(line: &str, shape: &str) -> bool {
    let stamp = next_stamp(line.as_bytes(), 0).and_then(|at| line.get(..at));
    stamp.is_some_and(|prefix| super::prefix::shape(prefix) == shape)
}

/// Whether a line has a time stamp to the microsecond and an arrow between words: it looks like a packet.
pub(super) fn looks_like_one(line: &str) -> bool {
    (line.contains(" > ") || line.contains(" -> ")) && fine_stamp(line).is_some()
}

/// Where a time stamp to the microsecond stands: of day, or since 1970 or something else.
fn fine_stamp(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let at = next_stamp(bytes, 0)?;
    let clock = if is_date(bytes, at) { at + 11 } else { at };
    let point = clock + bytes.get(clock..)?.iter().position(|byte| matches!(byte, b'.' | b','))?;
    let decimals = bytes.get(point + 1..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_near = point - clock <= 10;
    (is_near && decimals >= 5).then_some(at)
}

/// Whether a time to the microsecond stands behind the prefix of a packet: the next one begins, of whatever protocol.
pub(super) fn is_stamped_line(line: &str, prefix: &str) -> bool {
    fine_stamp(line)
        .and_then(|at| line.get(..at))
        .is_some_and(|own| super::prefix::shape(own) == super::prefix::shape(prefix))
}

fn is_date(bytes: &[u8], at: usize) -> bool {
    let is = |ahead: usize| matches!(bytes.get(at + ahead), Some(b'-' | b'/'));
    is(4) && is(7)
}

/// Whether a line between packets stands where one could: its time has the same digits, and no hosts follow. tcpdump prints
/// what is neither IP nor ARP so.
pub(super) fn is_of_other_protocol(line: &str, shape: &str) -> bool {
    // What tcpdump says of its capture is no packet, also behind a log shipper's time.
    let is_note = ["listening on ", " packets captured", " packets received by ", " packets dropped by "];
    !is_note.iter().any(|note| line.contains(note))
        && !line.contains(" > ")
        && fine_stamp(line).is_some()
        && is_stamped_like(line, shape)
}

/// Whether a line without a time begins like a packet: `IP 192.0.2.10.40001 > 198.51.100.53.53: …`.
pub(super) fn begins_like_one(line: &str) -> bool {
    let own = line.trim_start_matches(|c: char| " \t>*-|.)#+/;:•".contains(c));
    let rest = ["IP ", "IP6 "].iter().find_map(|word| own.strip_prefix(word)).unwrap_or("");
    let mut words = rest.split_whitespace();
    let source = words.next().unwrap_or("");
    let is_arrow = words.next() == Some(">");
    is_arrow
        && source.contains(['.', ':'])
        && source.bytes().any(|byte| byte.is_ascii_digit())
        && words.next().is_some_and(|word| word.ends_with(':'))
}

/// The packet that begins at a line without a time stamp, behind bullets, marks of quotation and numbers.
pub(super) fn unstamped(line: &str) -> Option<(usize, Head)> {
    let after = |is_mark: fn(char) -> bool| line.len() - line.trim_start_matches(is_mark).len();
    let is_mark = |c: char| " \t>*-|.)#+/;:•".contains(c);
    let plain = after(is_mark);
    // A number before a packet is its own or the line's, or begins a link address.
    let numbered = after(|c| c.is_ascii_digit() || " \t>*-|.)#+/;:•".contains(c));
    [plain, numbered].into_iter().find_map(|start| bare(line.get(start..)?).map(|head| (start, head)))
}

/// Where a packet begins of which a line shows the header alone: `IP (tos 0x0, …`.
pub(super) fn header(line: &str) -> Option<usize> {
    let starts = ["IP (tos ", "IP6 (", "IP (", "ethertype IPv"].iter().filter_map(|words| line.find(words));
    starts.min().filter(|_| !line.contains(" > ") || line.contains("] (invalid)"))
}

/// Whether a prefix is made of marks and numbers.
pub(super) fn is_marks(prefix: &str) -> bool {
    prefix.chars().all(|c| c.is_ascii_digit() || " \t>*-|.)#+/;:•".contains(c))
}

/// The same behind a prefix of any kind, which must be found above other packets too.
pub(super) fn prefixed(line: &str) -> Option<(usize, Head)> {
    for word in Words::new(line.as_bytes(), 0).take(PREFIX_MAX_WORDS) {
        // grep leaves no blank behind file and line.
        let (glued, own) =
            word.text.rsplit_once([':', ']']).map_or(("", word.text), |(prefix, own)| (prefix, own));
        let start = word.end - own.len();
        let is_protocol = PROTOCOLS.contains(&own) && (glued.is_empty() || start > word.start);
        if is_protocol && let Some(head) = bare(line.get(start..)?) {
            return Some((start, head));
        }
    }
    None
}

/// Words of a prefix.
const PREFIX_MAX_WORDS: usize = 12;
/// Words that begin a packet without a time.
const PROTOCOLS: &[&str] = &["IP", "IP6", "ARP,", "ARP", "arp"];

fn bare(text: &str) -> Option<Head> {
    let found = head(text.as_bytes()).filter(|head| head.stamp == Stamp::None)?;
    // Only an interface and a direction may stand before the protocol, or link addresses.
    let mut words = Words::new(text.as_bytes(), 0);
    let is_link = words.clone().nth(1).is_some_and(|word| is_arrow(word.text));
    let is_leading =
        |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.@-".contains(&byte));
    let before = words.by_ref().take_while(|word| {
        word.end < found.body && !matches!(word.text, "IP" | "IP6" | "ARP," | "arp" | "ARP")
    });
    let mut count = 0;
    let plain = before.take(LEADING_MAX_WORDS + 1).all(|word| {
        count += 1;
        is_leading(word.text)
    });
    (is_link || (plain && count < LEADING_MAX_WORDS)).then_some(found)
}

/// Whether a line begins with a shell's prompt, which ends whatever was printed before it: `root@jump:~#`, `$ tcpdump`.
pub(super) fn is_prompt(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let first = words.next().unwrap_or("");
    let mark = first.trim_start_matches('[');
    let is_named = mark.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
            && !host.is_empty()
    });
    let ends = |word: &str| word.ends_with(['#', '$', '%', '>']);
    is_named && (ends(first) || words.next().is_some_and(ends)) || matches!(first, "$" | "#" | "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_found_whatever_it_is_glued_to() {
        for (line, at) in [
            ("//10:00:00.000001 IP", 2),
            ("log.txt:17:10:00:00.000001 IP", 11),
            ("^C10:00:00.000001 IP", 2),
            ("x2024-01-01 10:00:00.000001 IP", 1),
            ("a 2024-01-01T10:00:00 IP", 2),
            ("x 10:00:00 IP", 2),
            ("(2.429703 port1", 1),
        ] {
            assert_eq!(next_stamp(line.as_bytes(), 0), Some(at), "{line}");
        }
        for line in ["version 4.99.1", "17:10:00:00", "192.0.2.10.40001", "at 10:00 and", "1.5 s"] {
            assert_eq!(next_stamp(line.as_bytes(), 0), None, "{line}");
        }
    }
}
