//! Reads the form nearly all lines of a log have without splitting them into words: a time, `IP` or `IP6`, and two hosts with dots or
//! colons in them. What it reads it reads as [`super::head`] does; whatever else stands there is left to that.

use std::sync::LazyLock;

use super::{DAY_NS, Head, Link, Nanos, Network, SECOND_NS, Stamp};

/// `HH:MM:SS.`
const CLOCK_BYTES: usize = 9;
/// `YYYY-MM-DD `
const DATE_BYTES: usize = 11;
/// The longest host that is looked at.
const HOST_MAX_BYTES: usize = 512;

/// The start of a packet in the usual form.
pub(in crate::capture) fn head(text: &[u8]) -> Option<Head> {
    let (stamp, at) = stamp(text)?;
    let rest = text.get(at..)?;
    let (network, length) = if rest.starts_with(b"IP ") {
        (Network::Ip, 2)
    } else if rest.starts_with(b"IP6 ") {
        (Network::Ip6, 3)
    } else {
        return None;
    };
    let body = at + length;
    let source = host(text, body + 1)?;
    let destination = text.get(source..)?.strip_prefix(b" > ").and_then(|_| host(text, source + 3))?;
    let is_told = text.get(destination - 1) == Some(&b':') && text.get(destination) == Some(&b' ');
    let has_host = destination - source > 5;
    (is_told && has_host).then_some(Head {
        stamp,
        link: Link::default(),
        network,
        body,
        least_end: destination,
    })
}

/// Where a host ends that begins at `from`.
fn host(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let rest = rest.get(..HOST_MAX_BYTES).unwrap_or(rest);
    let host_bytes: &[bool; 256] = &HOST_BYTES;
    let is_host = |byte: u8| host_bytes.get(usize::from(byte)).is_some_and(|is_host| *is_host);
    let length = rest.iter().position(|byte| !is_host(*byte))?;
    let host = rest.get(..length)?;
    // The colon behind the second host is none of its own.
    let own = host.strip_suffix(b":").unwrap_or(host);
    own.iter().any(|byte| matches!(byte, b'.' | b':')).then_some(from + length)
}

/// Which bytes stand in hosts: letters, digits and `.:-_%/*`.
static HOST_BYTES: LazyLock<[bool; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| (byte as u8).is_ascii_alphanumeric() || b".:-_%/*".contains(&(byte as u8)))
});

/// A time of day to the microsecond or nanosecond with or without a date, and where the word behind it begins.
fn stamp(text: &[u8]) -> Option<(Stamp, usize)> {
    if text.get(2) == Some(&b':') {
        let (clock_ns, end) = clock(text)?;
        return Some((Stamp::Clock(clock_ns), end));
    }
    if text.get(4) != Some(&b'-') || text.get(DATE_BYTES - 1) != Some(&b' ') {
        return None;
    }
    let date = std::str::from_utf8(text.get(..DATE_BYTES - 1)?).ok()?;
    let (day, _) = super::head::date(date)?;
    let (clock_ns, end) = clock(text.get(DATE_BYTES..)?)?;
    let at_ns = day.checked_mul(DAY_NS)?.checked_add(clock_ns)?;
    Some((Stamp::Local(at_ns), DATE_BYTES + end))
}

/// `HH:MM:SS.ffffff ` or with nine decimals: what it counts, and where the next word begins.
fn clock(text: &[u8]) -> Option<(Nanos, usize)> {
    let two = |at: usize| match text.get(at..at + 2) {
        Some([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => {
            Some(Nanos::from(tens - b'0') * 10 + Nanos::from(ones - b'0'))
        }
        _ => None,
    };
    let is = |at: usize, byte: u8| text.get(at) == Some(&byte);
    if !(is(2, b':') && is(5, b':') && is(8, b'.')) {
        return None;
    }
    let (hour, minute, second) = (two(0)?, two(3)?, two(6)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let fraction = text.get(CLOCK_BYTES..)?;
    let digits = fraction.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let unit = match digits {
        6 => 1_000,
        9 => 1,
        _ => return None,
    };
    if fraction.get(digits) != Some(&b' ') {
        return None;
    }
    let digits_of = fraction.get(..digits)?;
    let number = digits_of.iter().fold(0, |number, byte| number * 10 + Nanos::from(byte - b'0'));
    let clock_ns = (hour * 3_600 + minute * 60 + second) * SECOND_NS + number * unit;
    Some((clock_ns, CLOCK_BYTES + digits + 1))
}

/// Whether no packet can begin in what a line prints behind its hosts: no second arrow, no protocol without one, and nothing that
/// stands for either.
pub(in crate::capture) fn is_single(rest: &[u8]) -> bool {
    let is_plain = |byte: u8| matches!(byte, b'\t' | b'\r' | 0x20..=0x7e) && !matches!(byte, b'>' | b'&');
    // To the end, which takes less time than looking after each byte whether to go on.
    let are_plain = rest.iter().fold(true, |plain, byte| plain & is_plain(*byte));
    let is_arp = |at: usize| {
        at.checked_sub(2)
            .and_then(|from| rest.get(from..=at))
            .is_some_and(|word| word.eq_ignore_ascii_case(b"ARP"))
    };
    are_plain && !memchr::memchr2_iter(b'P', b'p', rest).any(is_arp)
}

#[cfg(test)]
mod tests {
    use super::super::head::slow_head;

    #[test]
    fn the_usual_form_is_read_as_word_by_word() {
        for (text, is_usual) in [
            ("14:00:01.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 1+ A? a.example. (33)", true),
            ("14:00:01.000000001 IP6 2001:db8::1.40001 > 2001:db8::53.53: 1+ A? a.example. (33)", true),
            ("2024-05-14 14:00:01.000001 IP a.example.40001 > b.example.domain: UDP, length 3", true),
            ("14:00:01.000001 IP6 :: > ff02::16: HBH ICMP6, multicast listener report v2, length 28", true),
            ("14:00:01.000001 IP gateway > 192.0.2.10: ICMP time exceeded in-transit, length 36", false),
            ("24:00:01.000001 IP 192.0.2.10.1 > 192.0.2.11.2: UDP, length 3", false),
            ("14:00:01.000001 IP 192.0.2.10.1 > 192.0.2.11.2 : UDP, length 3", false),
            ("14:00:01.000001 IP (tos 0x0) 192.0.2.10.1 > 192.0.2.11.2: UDP, length 3", false),
            ("2024-13-14 14:00:01.000001 IP 192.0.2.10.1 > 192.0.2.11.2: UDP, length 3", false),
        ] {
            let quick = super::head(text.as_bytes());
            assert_eq!(quick.is_some(), is_usual, "{text}");
            assert!(quick.is_none() || quick == slow_head(text.as_bytes()), "{text}");
        }
    }
}
