//! What a field's value is compared with: ranges, sets, texts and patterns, read once when the filter is parsed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::decode::{Address, host_name};
use crate::time::Nanos;

/// Nanoseconds of a day.
pub const DAY_NS: i64 = 86_400_000_000_000;

/// One value of a field in one packet.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// Number, port, duration or time.
    Number(i64),
    /// True or false.
    Bool(bool),
    /// Text as captured.
    Text(&'a str),
    /// A name in lower case without final dot.
    Name(&'a str),
    /// An address.
    Address(Address),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// The family of names: they are equal or not, and of no order.
const NAMES: u8 = 2;

/// An inclusive range of addresses of one family, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    family: u8,
    first: u128,
    last: u128,
}

impl AddressRange {
    /// All addresses from one to another of the same family; `None` when the families differ.
    pub fn between(first: Address, last: Address) -> Option<Self> {
        let ((family, first), (other, last)) = (number(first)?, number(last)?);
        (family == other).then_some(Self { family, first, last })
    }

    /// The addresses of a prefix.
    pub fn prefix(ip: IpAddr, length: u8) -> Option<Self> {
        let (bits, value, family) = match ip {
            IpAddr::V4(ip) => (32, u128::from(u32::from(ip)), 4),
            IpAddr::V6(ip) => (128, u128::from(ip), 6),
        };
        let free = bits - u32::from(length).min(bits);
        if u32::from(length) > bits {
            return None;
        }
        let mask = 1u128.checked_shl(free).map_or(u128::MAX, |bit| bit - 1);
        Some(Self { family, first: value & !mask, last: value | mask })
    }

    /// All addresses of the family before (`false`) or after (`true`) one, itself included or not.
    pub fn open(address: Address, after: bool, inclusive: bool) -> Option<Self> {
        let (family, at) = number(address)?;
        let step = u128::from(!inclusive);
        Some(if after {
            Self { family, first: at.checked_add(step)?, last: u128::MAX }
        } else {
            Self { family, first: 0, last: at.checked_sub(step)? }
        })
    }

    /// The host that is printed by a name.
    pub fn name(text: &str) -> Self {
        let key = u128::from(host_name::key_of(text));
        Self { family: NAMES, first: key, last: key }
    }

    /// Whether it is a host printed by name.
    pub fn is_name(self) -> bool {
        self.family == NAMES
    }

    /// Whether an address lies inside.
    pub fn contains(self, address: Address) -> bool {
        number(address)
            .is_some_and(|(family, value)| family == self.family && value >= self.first && value <= self.last)
    }

    /// Whether it is of IPv4, IPv6 or link addresses.
    pub fn is_v4(self) -> bool {
        self.family == 4
    }

    /// Whether it holds link addresses.
    pub fn is_ether(self) -> bool {
        self.family == 1
    }

    /// The only address in it, if there is just one.
    pub fn single(self) -> Option<Address> {
        if self.first != self.last {
            return None;
        }
        match self.family {
            4 => Some(Address::V4(Ipv4Addr::from(self.first as u32))),
            6 => Some(Address::V6(Ipv6Addr::from(self.first))),
            _ => None,
        }
    }
}

fn number(address: Address) -> Option<(u8, u128)> {
    match address {
        Address::None => None,
        Address::Ether(bytes) => Some((1, bytes.iter().fold(0, |sum, b| sum << 8 | u128::from(*b)))),
        Address::V4(ip) | Address::V4At(_, ip) => Some((4, u128::from(u32::from(ip)))),
        Address::V6(ip) | Address::V6At(_, ip) => Some((6, u128::from(ip))),
        Address::Name(name) => Some((NAMES, u128::from(name.key()))),
    }
}

/// What values are compared with.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// Inclusive ranges of numbers.
    Numbers(Vec<(i64, i64)>),
    /// Inclusive ranges of nanoseconds since midnight UTC.
    Clock(Vec<(i64, i64)>),
    /// Bits of a number: (value & mask) in one of the ranges.
    Bits(i64, Vec<(i64, i64)>),
    /// True or false.
    Bool(bool),
    /// Ranges of addresses.
    Addresses(Vec<AddressRange>),
    /// Texts equal to one of these; names are given in lower case without final dot.
    Texts(Vec<String>),
    /// Text or bytes that contain these bytes.
    Contains(Arc<memchr::memmem::Finder<'static>>),
    /// Text or bytes that match a pattern.
    Pattern(regex::bytes::Regex),
    /// Bytes equal to one of these.
    Bytes(Vec<Vec<u8>>),
    /// Bytes between two strings of bytes, inclusive, compared from the left.
    BytesBetween(Option<Vec<u8>>, Option<Vec<u8>>),
    /// Text between two texts, inclusive.
    TextBetween(Option<String>, Option<String>),
    /// Bytes read as a big-endian number.
    BytesAsNumber(Box<Matcher>),
}

fn within(ranges: &[(i64, i64)], value: i64) -> bool {
    ranges.iter().any(|(first, last)| value >= *first && value <= *last)
}

impl Matcher {
    /// Whether a value is one of those meant.
    pub fn accepts(&self, value: &Scalar<'_>) -> bool {
        match self {
            Self::Numbers(ranges) => as_number(value).is_some_and(|number| within(ranges, number)),
            Self::Clock(ranges) => as_number(value).is_some_and(|at| within(ranges, time_of_day(at))),
            Self::Bits(mask, ranges) => as_number(value).is_some_and(|number| within(ranges, number & mask)),
            Self::Bool(wanted) => match value {
                Scalar::Bool(found) => found == wanted,
                Scalar::Number(number) => (*number != 0) == *wanted,
                _ => false,
            },
            Self::Addresses(ranges) => match value {
                Scalar::Address(address) => ranges.iter().any(|range| range.contains(*address)),
                _ => false,
            },
            Self::Texts(texts) => {
                with_bytes(value, |bytes| texts.iter().any(|text| text.as_bytes() == bytes))
            }
            Self::Contains(finder) => with_bytes(value, |bytes| finder.find(bytes).is_some()),
            Self::Pattern(pattern) => with_bytes(value, |bytes| pattern.is_match(bytes)),
            Self::Bytes(set) => with_bytes(value, |bytes| set.iter().any(|wanted| wanted == bytes)),
            Self::BytesBetween(first, last) => with_bytes(value, |bytes| {
                first.as_ref().is_none_or(|first| bytes >= first.as_slice())
                    && last.as_ref().is_none_or(|last| bytes <= last.as_slice())
            }),
            Self::TextBetween(first, last) => with_bytes(value, |bytes| {
                first.as_ref().is_none_or(|first| bytes >= first.as_bytes())
                    && last.as_ref().is_none_or(|last| bytes <= last.as_bytes())
            }),
            Self::BytesAsNumber(numbers) => match value {
                Scalar::Bytes(bytes) if bytes.len() <= 7 => {
                    let number = bytes.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
                    numbers.accepts(&Scalar::Number(number))
                }
                _ => false,
            },
        }
    }

    /// Whether every number it accepts is outside `first..=last`.
    pub fn misses(&self, first: i64, last: i64) -> bool {
        match self {
            Self::Numbers(ranges) => ranges.iter().all(|(a, b)| *b < first || *a > last),
            _ => false,
        }
    }
}

fn as_number(value: &Scalar<'_>) -> Option<i64> {
    match value {
        Scalar::Number(number) => Some(*number),
        Scalar::Bool(flag) => Some(i64::from(*flag)),
        Scalar::Text(text) | Scalar::Name(text) => text.parse().ok(),
        Scalar::Address(_) | Scalar::Bytes(_) => None,
    }
}

fn with_bytes(value: &Scalar<'_>, test: impl Fn(&[u8]) -> bool) -> bool {
    match value {
        Scalar::Text(text) | Scalar::Name(text) => test(text.as_bytes()),
        Scalar::Bytes(bytes) => test(bytes),
        Scalar::Address(address) => test(address.bare().to_string().as_bytes()),
        Scalar::Number(number) => test(number.to_string().as_bytes()),
        Scalar::Bool(flag) => test(if *flag { b"true" } else { b"false" }),
    }
}

/// Nanoseconds since midnight UTC.
pub fn time_of_day(time_ns: Nanos) -> i64 {
    time_ns.rem_euclid(DAY_NS)
}

/// Reads an address of any family: dotted, colons, or six pairs of digits.
pub fn address(text: &str) -> Option<Address> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(Address::from(ip));
    }
    let mut bytes = [0u8; 6];
    let mut count = 0;
    let quads: Vec<&str> = text.splitn(4, '.').collect();
    if let [a, b, c] = quads.as_slice()
        && [a, b, c].iter().all(|part| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        let value = u64::from_str_radix(&[*a, *b, *c].concat(), 16).ok()?;
        return Some(Address::Ether(*value.to_be_bytes().last_chunk::<6>()?));
    }
    let separator = if text.contains('-') { '-' } else { ':' };
    for part in text.split(separator) {
        *bytes.get_mut(count)? = u8::from_str_radix(part, 16).ok().filter(|_| hexadecimal(part))?;
        count += 1;
    }
    (count == 6).then_some(Address::Ether(bytes))
}

fn hexadecimal(text: &str) -> bool {
    (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads an address or a prefix (`10.0.0.0/8`).
pub fn address_range(text: &str) -> Option<AddressRange> {
    if let Some((ip, length)) = text.split_once('/') {
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        return AddressRange::prefix(ip.parse().ok()?, length.parse().ok().filter(|_| digits)?);
    }
    let address = address(text)?;
    AddressRange::between(address, address)
}

/// Reads an address or a prefix, or the name by which a host may be printed: what is no beginning of a number.
pub fn host(text: &str, quoted: bool) -> Option<AddressRange> {
    let number = || text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'/'));
    let known = || host_name::HostName::find(text).is_some();
    address_range(text).or_else(|| {
        let is_name = !text.is_empty() && text.len() <= host_name::HOST_NAME_MAX_BYTES;
        (is_name && (quoted || !number() || known())).then(|| AddressRange::name(text))
    })
}

/// Reads a network as tcpdump does: `10`, `10.1`, `192.168.1` stand for /8, /16, /24.
pub fn network(text: &str) -> Option<AddressRange> {
    if let Some(range) = address_range(text) {
        return Some(range);
    }
    let (parts, length) = text.split_once('/').map_or((text, None), |(parts, length)| (parts, Some(length)));
    let mut octets = [0u8; 4];
    let mut count = 0u8;
    for part in parts.split('.') {
        *octets.get_mut(usize::from(count))? = part.parse().ok()?;
        count += 1;
    }
    let length = length.map_or(Some(count * 8), |length| length.parse().ok())?;
    AddressRange::prefix(IpAddr::from(octets), length).filter(|_| length <= 32)
}

/// Reads a whole number: decimal, hexadecimal (`0x…`), binary (`0b…`), octal (`017`), with sign.
pub fn whole(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    let plain = |text: &str, radix| {
        text.starts_with(|c: char| c.is_digit(radix)).then(|| i64::from_str_radix(text, radix).ok())?
    };
    let value = if let Some(hex) = lower.strip_prefix("0x") {
        plain(hex, 16)?
    } else if let Some(bits) = lower.strip_prefix("0b") {
        plain(bits, 2)?
    } else if lower.len() > 1
        && lower.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
        && lower.starts_with('0')
    {
        // Both peers read a leading zero as C does.
        plain(&lower, 8)?
    } else {
        plain(&lower, 10)?
    };
    Some(if negative { -value } else { value })
}

/// Units of time with their length in nanoseconds; longer names first where one begins another.
pub const UNITS: &[(&str, i64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", DAY_NS),
];

/// Reads a span of time: `2s`, `300ms`, `1.5`, seconds where no unit is given.
pub fn duration(text: &str) -> Option<i64> {
    let (digits, unit_ns) = UNITS
        .iter()
        .find_map(|(unit, ns)| Some((text.strip_suffix(unit)?, *ns)))
        .filter(|(digits, _)| digits.ends_with(|c: char| c.is_ascii_digit()))
        .unwrap_or((text, 1_000_000_000));
    let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !(whole.bytes().chain(fraction.bytes())).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut value = i128::from(whole.parse::<i64>().ok()?) * i128::from(unit_ns);
    let mut scale = i128::from(unit_ns);
    for digit in fraction.bytes().take(18) {
        value += scale * i128::from(digit - b'0') / 10;
        scale /= 10;
    }
    let value = i64::try_from(value).ok()?;
    Some(if negative { -value } else { value })
}

/// A written moment: the instant and how long the smallest unit written is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds since 1970, or since midnight when no date was given.
    pub at_ns: i64,
    /// The length of the unit written last, less one nanosecond.
    pub precision_ns: i64,
    /// Whether a date was given.
    pub has_date: bool,
}

/// Reads `13:26`, `13:26:05.25`, `2024-05-14`, `2024-05-14 13:26`, `2024-05-14T13:26:05Z`, all in UTC.
pub fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    let text = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix(" UTC")).unwrap_or(text);
    // Wireshark writes `May 14, 2024 13:26:05`.
    let written = text.find(", ").and_then(|comma| Some(comma + 2 + text.get(comma + 2..)?.find(' ')?));
    let parts = match written {
        Some(at) => Some((text.get(..at)?, text.get(at + 1..)?)),
        None if text.contains(", ") => None,
        None => text.split_once(['T', ' ', 't']),
    };
    if let Some((date, clock)) = parts {
        let day_ns = day(date)?;
        let (at_ns, precision_ns) = clock_time(clock.trim())?;
        return Some(Moment { at_ns: day_ns.checked_add(at_ns)?, precision_ns, has_date: true });
    }
    if let Some(at_ns) = day(text) {
        return Some(Moment { at_ns, precision_ns: DAY_NS - 1, has_date: true });
    }
    let (at_ns, precision_ns) = clock_time(text)?;
    Some(Moment { at_ns, precision_ns, has_date: false })
}

fn day(text: &str) -> Option<i64> {
    let forms = ["%Y-%m-%d", "%b %d, %Y"];
    let date = forms.iter().find_map(|form| chrono::NaiveDate::parse_from_str(text, form).ok())?;
    date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_nanos_opt()
}

fn clock_time(text: &str) -> Option<(i64, i64)> {
    let mut parts = text.split(':');
    let two = |part: &str, limit: i64| {
        let plain = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i64>().ok().filter(|value| plain && *value < limit)
    };
    let hours = two(parts.next()?, 24)?;
    let minutes = two(parts.next()?, 60)?;
    let mut at_ns = (hours * 60 + minutes) * 60_000_000_000;
    let mut precision_ns = 60_000_000_000;
    if let Some(seconds) = parts.next() {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
        at_ns += two(whole, 61)? * 1_000_000_000;
        precision_ns = 1_000_000_000;
        if fraction.len() > 9 {
            return None;
        }
        for digit in fraction.bytes() {
            if !digit.is_ascii_digit() {
                return None;
            }
            precision_ns /= 10;
            at_ns += i64::from(digit - b'0') * precision_ns;
        }
    }
    parts.next().is_none().then_some((at_ns, precision_ns - 1))
}

/// Reads bytes: `01:00`, `01.00`, `01-00`, `0x0100`; `None` for anything else.
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = |text: &str| -> Option<Vec<u8>> {
        let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (hex && !text.is_empty() && text.len().is_multiple_of(2))
            .then(|| (0..text.len()).step_by(2).map(pair).collect::<Option<Vec<u8>>>())?
    };
    if let Some(hex) = text.strip_prefix("0x") {
        return pairs(hex);
    }
    let separator = text.chars().find(|c| matches!(c, ':' | '.' | '-'));
    let Some(separator) = separator else {
        // A single digit is a byte; otherwise two digits make one.
        let single = text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        return if single { u8::from_str_radix(text, 16).ok().map(|byte| vec![byte]) } else { pairs(text) };
    };
    let text = text.strip_suffix(separator).unwrap_or(text);
    text.split(separator)
        .map(|part| pairs(part).filter(|bytes| bytes.len() <= 2))
        .collect::<Option<Vec<_>>>()
        .map(|parts| parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_in_the_forms_people_write() {
        assert_eq!(duration("300ms"), Some(300_000_000));
        assert_eq!(duration("1.5"), Some(1_500_000_000));
        assert_eq!(duration("2min"), Some(120_000_000_000));
        assert_eq!(duration("s"), None);
        assert_eq!(whole("0x10"), Some(16));
        assert_eq!(whole("0x+1"), None);
        assert_eq!((whole("0120"), whole("089"), whole("0")), (Some(80), Some(89), Some(0)));
        assert_eq!(bytes("01:00"), Some(vec![1, 0]));
        assert_eq!(bytes("0x0a0b"), Some(vec![10, 11]));
        assert_eq!(address("00:11:22:33:44:5f"), Some(Address::Ether([0, 0x11, 0x22, 0x33, 0x44, 0x5f])));
        assert!(network("10").unwrap().contains(address("10.9.8.7").unwrap()));
        assert!(!network("192.168.1").unwrap().contains(address("192.168.2.1").unwrap()));
    }

    #[test]
    fn a_moment_knows_its_precision() {
        let minute = moment("13:26").unwrap();
        assert_eq!(
            (minute.at_ns, minute.precision_ns, minute.has_date),
            (48_360_000_000_000, 59_999_999_999, false)
        );
        assert!(moment("2024-05-14T13:26:05.5Z").unwrap().has_date);
        assert_eq!(moment("25:00"), None);
    }
}
