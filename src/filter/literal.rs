//! Turns an operator and the values written after it into a matcher for the field's type, or says why they do not fit.

use std::ops::Range;
use std::sync::Arc;

use super::fields::{self, Family, FieldInfo, Source, Values};
use super::matcher::{self, AddressRange, DAY_NS, Matcher};
use crate::decode::Address;
use crate::protocols::Kind;

/// Patterns whose compiled form is larger are refused.
const PATTERN_MAX_BYTES: usize = 1 << 20;

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the operators' own")]
pub enum Operator {
    Equal,
    AllEqual,
    NotEqual,
    AnyNotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    Matches,
    In,
    NotIn,
}

/// A value as written: one, or a range.
#[derive(Clone, Debug)]
pub struct Item {
    /// The text, unescaped.
    pub text: String,
    /// The bytes, where it was quoted.
    pub bytes: Vec<u8>,
    /// Whether it was quoted.
    pub quoted: bool,
    /// The number a single character in single quotes stands for, as in C and Wireshark.
    pub character: Option<i64>,
    /// The end of a range.
    pub to: Option<String>,
    /// Where it stands.
    pub span: Range<usize>,
}

impl Item {
    /// A quoted string; `single`: in single quotes.
    pub fn quoted(bytes: Vec<u8>, single: bool, span: Range<usize>) -> Self {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let character = match bytes.as_slice() {
            [byte] if single => Some(i64::from(*byte)),
            _ => None,
        };
        Self { text, bytes, quoted: true, character, to: None, span }
    }

    /// A bare word.
    pub fn bare(word: &str, span: Range<usize>) -> Self {
        let bytes = word.as_bytes().to_vec();
        Self { text: word.to_owned(), bytes, quoted: false, character: None, to: None, span }
    }
}

/// What values are for.
#[derive(Clone, Copy)]
pub struct Target<'f> {
    /// The type compared.
    pub kind: Kind,
    /// The field, where its own values (and not a length or a part) are compared.
    pub info: Option<&'f FieldInfo>,
}

/// Why values do not fit.
#[derive(Debug, Default)]
pub struct Complaint {
    /// The value, or `None` for all of them.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub suggestion: Option<String>,
    /// May become right by typing on, when it stands at the end.
    pub unfinished: bool,
}

fn complain<T>(item: &Item, message: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint { span: Some(item.span.clone()), message: message.into(), ..Complaint::default() })
}

fn shown(text: &str) -> String {
    crate::text::escape(text)
}

/// The matcher, and whether it is to be turned round.
pub fn compile(target: Target<'_>, operator: Operator, items: &[Item]) -> Result<(Matcher, bool), Complaint> {
    // For text and bytes `<` is written as "not from here on" and `>` as "not up to here".
    let turned = matches!(target.kind, Kind::Name | Kind::Text | Kind::Bytes)
        && matches!(operator, Operator::Less | Operator::Greater)
        && !(target.kind == Kind::Bytes && items.iter().all(is_prefixed_number));
    let negate = turned || matches!(operator, Operator::NotEqual | Operator::AnyNotEqual);
    let matcher = match operator {
        Operator::Contains => contains(target, items)?,
        Operator::Matches => pattern(target, items)?,
        _ => ordered(target, operator, items)?,
    };
    Ok((matcher, negate))
}

/// The complaint about an operator that reads text.
const UNREADABLE: &str =
    "`{}` looks into text, names, addresses and bytes; this is a number: wrap it in `string(…)`";

fn contains(target: Target<'_>, items: &[Item]) -> Result<Matcher, Complaint> {
    let Some(item) = items.first() else { return Err(Complaint::default()) };
    let needle = match target.kind {
        Kind::Name => item.text.to_ascii_lowercase().into_bytes(),
        Kind::Text => item.bytes.clone(),
        Kind::Bytes if item.quoted => item.bytes.clone(),
        Kind::Bytes => matcher::bytes(&item.text).unwrap_or_else(|| item.bytes.clone()),
        // As it is written: `.113.`, `38:e6`.
        Kind::Address => item.text.to_ascii_lowercase().into_bytes(),
        _ => return complain(item, UNREADABLE.replace("{}", "contains")),
    };
    Ok(Matcher::Contains(Arc::new(memchr::memmem::Finder::new(&needle).into_owned())))
}

fn pattern(target: Target<'_>, items: &[Item]) -> Result<Matcher, Complaint> {
    let Some(item) = items.first() else { return Err(Complaint::default()) };
    if !matches!(target.kind, Kind::Name | Kind::Text | Kind::Bytes | Kind::Address) {
        return complain(item, UNREADABLE.replace("{}", "matches"));
    }
    let built = regex::bytes::RegexBuilder::new(&item.text)
        .case_insensitive(true)
        .unicode(target.kind != Kind::Bytes)
        .size_limit(PATTERN_MAX_BYTES)
        .dfa_size_limit(PATTERN_MAX_BYTES)
        .build();
    match built {
        Ok(pattern) => Ok(Matcher::Pattern(pattern)),
        Err(regex::Error::CompiledTooBig(_)) => complain(item, "the pattern is too large"),
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            complain(item, format!("not a regular expression: {reason}"))
        }
    }
}

/// tcpdump's names for TCP flag bits and ICMP types.
const CONSTANTS: &[(&str, i64)] = &[
    ("tcp-fin", 1),
    ("tcp-syn", 2),
    ("tcp-rst", 4),
    ("tcp-push", 8),
    ("tcp-ack", 16),
    ("tcp-urg", 32),
    ("tcp-ece", 64),
    ("tcp-cwr", 128),
    ("icmp-echoreply", 0),
    ("icmp-unreach", 3),
    ("icmp-sourcequench", 4),
    ("icmp-redirect", 5),
    ("icmp-echo", 8),
    ("icmp-routeradvert", 9),
    ("icmp-routersolicit", 10),
    ("icmp-timxceed", 11),
    ("icmp-paramprob", 12),
    ("icmp-tstamp", 13),
    ("icmp-tstampreply", 14),
    ("icmp-ireq", 15),
    ("icmp-ireqreply", 16),
    ("icmp-maskreq", 17),
    ("icmp-maskreply", 18),
    ("icmp6-destinationunreach", 1),
    ("icmp6-packettoobig", 2),
    ("icmp6-timeexceeded", 3),
    ("icmp6-parameterproblem", 4),
    ("icmp6-echo", 128),
    ("icmp6-echoreply", 129),
    ("icmp6-multicastlistenerquery", 130),
    ("icmp6-multicastlistenerreportv1", 131),
    ("icmp6-multicastlistenerdone", 132),
    ("icmp6-routersolicit", 133),
    ("icmp6-routeradvert", 134),
    ("icmp6-neighborsolicit", 135),
    ("icmp6-neighboradvert", 136),
    ("icmp6-redirect", 137),
    ("icmp6-routerrenum", 138),
    ("icmp6-nodeinformationquery", 139),
    ("icmp6-nodeinformationresponse", 140),
    ("icmp6-ineighbordiscoverysolicit", 141),
    ("icmp6-ineighbordiscoveryadvert", 142),
    ("icmp6-multicastlistenerreportv2", 143),
];

/// A number, or one of the names tcpdump has for numbers.
pub fn constant(text: &str) -> Option<i64> {
    matcher::whole(text).or_else(|| CONSTANTS.iter().find(|(name, _)| *name == text).map(|(_, value)| *value))
}

/// The numbers meant by an operator and a value that stands for `first..=last`.
fn compare(operator: Operator, first: i64, last: i64) -> Option<(i64, i64)> {
    // An empty range is written backwards.
    let below = |end: i64| end.checked_sub(1).map_or((1, 0), |end| (i64::MIN, end));
    let above = |end: i64| end.checked_add(1).map_or((1, 0), |end| (end, i64::MAX));
    Some(match operator {
        Operator::Less => below(first),
        Operator::LessOrEqual => (i64::MIN, last),
        Operator::Greater => above(last),
        Operator::GreaterOrEqual => (first, i64::MAX),
        Operator::Contains | Operator::Matches => return None,
        _ => (first, last),
    })
}

fn ordered(target: Target<'_>, operator: Operator, items: &[Item]) -> Result<Matcher, Complaint> {
    match target.kind {
        Kind::Number | Kind::Duration => numbers(target, operator, items),
        Kind::Time => times(operator, items),
        Kind::Bool => truth(operator, items),
        Kind::Address => addresses(target, operator, items),
        Kind::Name | Kind::Text => texts(target, operator, items),
        Kind::Bytes => byte_strings(target, operator, items),
    }
}

fn numbers(target: Target<'_>, operator: Operator, items: &[Item]) -> Result<Matcher, Complaint> {
    let mut ranges = Vec::with_capacity(items.len());
    for item in items {
        let first = number(target, item, &item.text)?;
        let last = item.to.as_ref().map_or(Ok(first), |to| number(target, item, to))?;
        if last < first {
            return complain(item, "the range ends before it begins");
        }
        ranges.extend(compare(operator, first, last));
    }
    Ok(Matcher::Numbers(ranges))
}

fn number(target: Target<'_>, item: &Item, text: &str) -> Result<i64, Complaint> {
    if target.kind == Kind::Duration {
        let Some(value) = matcher::duration(text) else {
            let unit = text.starts_with(|c: char| c.is_ascii_digit());
            return Err(Complaint {
                span: Some(item.span.clone()),
                message: format!("expected a span of time such as `2s` or `300ms`, not `{}`", shown(text)),
                suggestion: None,
                unfinished: unit || text == "-",
            });
        };
        return Ok(value);
    }
    if let Some(value) = item.character.or_else(|| matcher::whole(text)) {
        return Ok(value);
    }
    let names: &[(&str, i64)] = match target.info.map(|info| info.values) {
        Some(Values::Numbers(names)) => names,
        _ => &[],
    };
    let name = text.strip_prefix('\\').unwrap_or(text);
    if let Some((_, value)) = names.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Ok(*value);
    }
    let words =
        target.info.filter(|info| info.name == "dns.flags.rcode").map(|_| fields::RESPONSE_CODE_WORDS);
    let worded = words.into_iter().flatten().find(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((_, value)) = worded {
        return Ok(*value);
    }
    let is_port = target.info.is_some_and(|info| matches!(info.source, Source::Port(..)));
    if let Some(port) = is_port.then(|| service(name)).flatten() {
        return Ok(port);
    }
    let typed_on = |known: &str| {
        known.len() > name.len()
            && known.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    let digits = matches!(text, "0x" | "0b" | "-" | "0X" | "0B");
    let near = fields::nearest(name, names.iter().map(|(known, _)| *known));
    let near = near.or_else(|| names.iter().map(|(known, _)| *known).find(|known| typed_on(known)));
    Err(Complaint {
        span: Some(item.span.clone()),
        message: match names {
            [] => format!("expected a number, not `{}`", shown(text)),
            _ => format!("`{}` is no number and no known value of this field", shown(text)),
        },
        suggestion: near.map(str::to_owned),
        unfinished: digits || names.iter().any(|(known, _)| typed_on(known)),
    })
}

/// A port by service name.
pub fn service(name: &str) -> Option<i64> {
    use crate::protocols::{Claim, PROTOCOLS};
    let listed =
        fields::SERVICES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, port)| *port);
    let known = listed.or_else(|| {
        let protocol = PROTOCOLS.iter().find(|protocol| protocol.name.eq_ignore_ascii_case(name))?;
        protocol.claims.iter().find_map(|claim| match claim {
            Claim::UdpPort(port) | Claim::TcpPort(port) => Some(i64::from(*port)),
            _ => None,
        })
    });
    known.or_else(|| crate::decode::transcript::services::port(name).map(i64::from))
}

fn times(operator: Operator, items: &[Item]) -> Result<Matcher, Complaint> {
    let (mut dated, mut clocks) = (Vec::new(), Vec::new());
    for item in items {
        let read = |text: &str| {
            matcher::moment(text).ok_or_else(|| Complaint {
                span: Some(item.span.clone()),
                message: format!(
                    "expected a time such as `13:26` or `2024-05-14T13:26:05`, not `{}`",
                    shown(text)
                ),
                suggestion: None,
                unfinished: text.starts_with(|c: char| c.is_ascii_digit()),
            })
        };
        let from = read(&item.text)?;
        let equal = compare(operator, 0, 0) == Some((0, 0));
        let Some(to) = item.to.as_ref() else {
            // A time is a moment, except that `==` means the whole minute or second written.
            let last = if equal { from.at_ns.saturating_add(from.precision_ns) } else { from.at_ns };
            let range = compare(operator, from.at_ns, last);
            if from.has_date {
                dated.extend(range);
            } else {
                clocks.extend(range);
            }
            continue;
        };
        let mut to = read(to)?;
        if from.has_date && !to.has_date {
            to.at_ns = to.at_ns.saturating_add(from.at_ns - from.at_ns.rem_euclid(DAY_NS));
        } else if to.has_date && !from.has_date {
            return complain(item, "a range with a date at its end needs one at its start");
        }
        if from.has_date {
            dated.push((from.at_ns, to.at_ns));
        } else if to.at_ns < from.at_ns {
            clocks.extend([(from.at_ns, DAY_NS), (0, to.at_ns)]);
        } else {
            clocks.push((from.at_ns, to.at_ns));
        }
    }
    match (dated.is_empty(), clocks.is_empty()) {
        (_, true) => Ok(Matcher::Numbers(dated)),
        (true, false) => Ok(Matcher::Clock(clocks)),
        _ => Err(Complaint { message: "give all times a date, or none".to_owned(), ..Complaint::default() }),
    }
}

fn truth(operator: Operator, items: &[Item]) -> Result<Matcher, Complaint> {
    let Some(item) = items.first() else { return Err(Complaint::default()) };
    if !matches!(operator, Operator::Equal | Operator::NotEqual | Operator::AllEqual | Operator::AnyNotEqual)
    {
        return complain(item, "a yes-or-no field is compared with `==` or `!=`");
    }
    match item.text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "set" => Ok(Matcher::Bool(true)),
        "0" | "false" | "no" | "not set" => Ok(Matcher::Bool(false)),
        other => Err(Complaint {
            span: Some(item.span.clone()),
            message: format!("expected true or false (1 or 0), not `{}`", shown(&item.text)),
            suggestion: None,
            unfinished: ["true", "false", "yes", "no"].iter().any(|word| word.starts_with(other)),
        }),
    }
}

fn addresses(target: Target<'_>, operator: Operator, items: &[Item]) -> Result<Matcher, Complaint> {
    let mut ranges = Vec::with_capacity(items.len());
    for item in items {
        let Some(from) = matcher::host(&item.text, item.quoted) else {
            return Err(no_address(item, &item.text));
        };
        fits_family(target, item, from)?;
        let between = item.to.is_some() || bounded(operator, from, &item.text).is_none();
        if from.is_name() && between {
            return complain(item, "names have no order: compare them with `==`, `!=` or `in`");
        }
        let Some(to) = &item.to else {
            ranges.extend(bounded(operator, from, &item.text));
            continue;
        };
        let ends = matcher::address(&item.text).zip(matcher::address(to));
        let Some(range) = ends.and_then(|(first, last)| AddressRange::between(first, last)) else {
            return complain(item, "a range needs two addresses of one kind");
        };
        ranges.push(range);
    }
    Ok(Matcher::Addresses(ranges))
}

fn bounded(operator: Operator, from: AddressRange, text: &str) -> Option<AddressRange> {
    let plain = !matches!(
        operator,
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual
    );
    if plain {
        return Some(from);
    }
    let address: Address = matcher::address(text)?;
    match operator {
        Operator::Less => AddressRange::open(address, false, false),
        Operator::LessOrEqual => AddressRange::open(address, false, true),
        Operator::Greater => AddressRange::open(address, true, false),
        Operator::GreaterOrEqual => AddressRange::open(address, true, true),
        _ => Some(from),
    }
}

fn fits_family(target: Target<'_>, item: &Item, range: AddressRange) -> Result<(), Complaint> {
    let Some(info) = target.info else { return Ok(()) };
    let ether = matches!(info.source, Source::Header(_));
    let other = match info.source {
        _ if range.is_name() && !ether => return Ok(()),
        Source::Address(Family::V4, _) if !range.is_v4() => "ipv6",
        Source::Address(Family::V6, _) if range.is_v4() => "ip",
        _ if ether && !range.is_ether() => {
            return complain(item, "expected a link address such as 02:00:00:00:00:01");
        }
        _ => return Ok(()),
    };
    let suffix = info.name.split_once('.').map_or("addr", |(_, rest)| rest);
    Err(Complaint {
        span: Some(item.span.clone()),
        message: format!("`{}` is of another address family than `{}`", shown(&item.text), info.name),
        suggestion: Some(if range.is_ether() { "eth.addr".to_owned() } else { format!("{other}.{suffix}") }),
        unfinished: false,
    })
}

/// The complaint about something that is no address; unfinished where it may become one.
pub fn no_address(item: &Item, text: &str) -> Complaint {
    let part = text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'/'));
    let name = text.contains('.') && text.bytes().any(|byte| byte.is_ascii_alphabetic()) && !part;
    Complaint {
        span: Some(item.span.clone()),
        message: format!("expected an address or prefix such as 203.0.113.0/24, not `{}`", shown(text)),
        suggestion: name.then(|| format!("dns.qry.name == \"{}\"", shown(text))),
        unfinished: part,
    }
}

/// A name as names are compared: lower case, no final dot.
pub fn normal_name(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if lower == "<root>" {
        // Wireshark's word for it.
        return ".".to_owned();
    }
    match lower.strip_suffix('.') {
        Some("") | None => lower,
        Some(rest) => rest.to_owned(),
    }
}

fn texts(target: Target<'_>, operator: Operator, items: &[Item]) -> Result<Matcher, Complaint> {
    let normal = |text: &str| match target.kind {
        Kind::Name => normal_name(text),
        _ => text.to_owned(),
    };
    if let Some(Values::Words(words)) = target.info.map(|info| info.values) {
        for item in items {
            check_word(item, words)?;
        }
    }
    let Some(item) = items.first() else { return Err(Complaint::default()) };
    let text = normal(&item.text);
    Ok(match operator {
        Operator::LessOrEqual | Operator::Greater => Matcher::TextBetween(None, Some(text)),
        Operator::GreaterOrEqual | Operator::Less => Matcher::TextBetween(Some(text), None),
        _ => Matcher::Texts(items.iter().map(|item| normal(&item.text)).collect()),
    })
}

fn check_word(item: &Item, words: &'static [&'static str]) -> Result<(), Complaint> {
    if words.contains(&item.text.as_str()) {
        return Ok(());
    }
    Err(Complaint {
        span: Some(item.span.clone()),
        message: format!("`{}` is none of {}", shown(&item.text), words.join(", ")),
        suggestion: fields::nearest(&item.text, words.iter().copied()).map(str::to_owned),
        unfinished: !item.quoted && words.iter().any(|word| word.starts_with(&item.text)),
    })
}

/// `0x…`: a number, whatever the width of the bytes it is compared with.
fn is_prefixed_number(item: &Item) -> bool {
    !item.quoted && item.text.starts_with("0x") && matcher::whole(&item.text).is_some()
}

fn byte_strings(_target: Target<'_>, operator: Operator, items: &[Item]) -> Result<Matcher, Complaint> {
    if items.iter().all(is_prefixed_number) {
        let numeric = Target { kind: Kind::Number, info: None };
        return Ok(Matcher::BytesAsNumber(Box::new(numbers(numeric, operator, items)?)));
    }
    let read = |item: &Item, text: &str| {
        let bytes = if item.quoted { Some(text.as_bytes().to_vec()) } else { matcher::bytes(text) };
        // A quoted string may hold bytes that are no text.
        let bytes = if item.quoted && text == item.text { Some(item.bytes.clone()) } else { bytes };
        bytes.ok_or_else(|| {
            let names = CONSTANTS.iter().map(|(name, _)| *name);
            let begun = names.clone().any(|name| name.len() > text.len() && name.starts_with(text));
            let near = fields::nearest(text, names).map(str::to_owned);
            Complaint {
                span: Some(item.span.clone()),
                message: format!("expected bytes such as `01:00`, or text in quotes, not `{}`", shown(text)),
                suggestion: near.or_else(|| Some(format!("\"{}\"", shown(text)))),
                unfinished: begun || text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
            }
        })
    };
    let Some(item) = items.first() else { return Err(Complaint::default()) };
    let first = read(item, &item.text)?;
    if let Some(to) = &item.to {
        return Ok(Matcher::BytesBetween(Some(first), Some(read(item, to)?)));
    }
    Ok(match operator {
        Operator::LessOrEqual | Operator::Greater => Matcher::BytesBetween(None, Some(first)),
        Operator::GreaterOrEqual | Operator::Less => Matcher::BytesBetween(Some(first), None),
        _ => Matcher::Bytes(items.iter().map(|item| read(item, &item.text)).collect::<Result<_, _>>()?),
    })
}
