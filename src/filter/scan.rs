//! Tests answered from columns, a whole stretch at a time and without branches; the rest goes row by row.

use super::Context;
use super::evaluate::{Mask, View, WORD};
use super::expression::{Check, Expression, Test, Transform};
use super::fields::{Column, Direction, DnsField, Family, HeaderField, Source, StreamField, Word};
use super::matcher::{Matcher, Scalar};
use super::values;
use crate::capture::Format;
use crate::decode::Address;
use crate::index::Packet;
use crate::index::segment::{DnsRow, flags};
use crate::protocols::ProtocolId;
use crate::settings::Settings;

/// Tests that cost this much or more decode packets again.
pub const DEAR: u32 = 100;

/// What a test of links costs.
pub const LINKED: u32 = 10;

/// Relative time one row takes.
pub fn cost(test: &Test) -> u32 {
    if test.quoted {
        return DEAR;
    }
    match test.source {
        Source::Flags(_) | Source::Column(_) | Source::TcpFlag(_) => 1,
        Source::Word(Word::Layer(_)) => DEAR,
        Source::Word(_) if test.check_is_existence() => 1,
        Source::Word(_) => DEAR * 2,
        Source::Address(..)
        | Source::Port(..)
        | Source::Ttl(_)
        | Source::IpProtocol(_)
        | Source::Icmp(..) => 2,
        Source::Dns(_) => 3,
        Source::Evidence(_)
        | Source::Attempt(_)
        | Source::Note(_)
        | Source::File
        | Source::Site
        | Source::Sensor
        | Source::Comment
        | Source::InterfaceName => LINKED,
        Source::Quote => DEAR,
        Source::Header(HeaderField::Payload(_)) => DEAR * 2,
        Source::Header(_) => DEAR,
        Source::Layers => DEAR * 2,
        Source::Stream(StreamField::Number(_)) => LINKED,
        Source::Stream(_) => DEAR * 2,
        Source::Tree(_) => DEAR * 10,
    }
}

/// Whether nothing but DNS and ICMP can match, told from the form alone.
pub fn is_about_evidence(expression: &Expression, settings: &Settings) -> bool {
    let about = |part: &Expression| is_about_evidence(part, settings);
    match expression {
        Expression::And(parts) => parts.iter().any(about),
        Expression::Or(parts) => parts.iter().all(about),
        Expression::Xor(parts) => parts.iter().all(about),
        Expression::Everything | Expression::Not(_) | Expression::Relation(_) | Expression::Function(..) => {
            false
        }
        Expression::Test(test) => match test.source {
            _ if test.quoted => true,
            Source::Word(Word::Protocol(protocol)) => protocol.is_evidence(),
            Source::Word(Word::Transport(number)) => matches!(number, 1 | 58),
            Source::Port(..) => match &test.check {
                Check::Compare { matcher: Matcher::Numbers(ranges), negate: false, .. } => {
                    let is_dns = |port: i64| u16::try_from(port).is_ok_and(|port| settings.is_dns_port(port));
                    ranges.iter().all(|(first, last)| first == last && is_dns(*first))
                }
                _ => false,
            },
            Source::Flags(bits) => bits & !ABOUT_EVIDENCE == 0,
            Source::Dns(_) | Source::Icmp(..) | Source::Quote => true,
            _ => false,
        },
    }
}

/// Whether nothing but DNS messages can match, told from the form alone.
pub fn is_about_dns(expression: &Expression) -> bool {
    match expression {
        Expression::And(parts) => parts.iter().any(is_about_dns),
        Expression::Or(parts) => parts.iter().all(is_about_dns),
        Expression::Xor(parts) => parts.iter().all(is_about_dns),
        Expression::Everything | Expression::Not(_) | Expression::Relation(_) | Expression::Function(..) => {
            false
        }
        Expression::Test(test) if test.quoted => false,
        Expression::Test(test) => match test.source {
            Source::Dns(_) => true,
            Source::Flags(bits) => bits & !(flags::DNS_QUERY | flags::DNS_RESPONSE) == 0,
            Source::Word(Word::Protocol(protocol)) => protocol == ProtocolId::DNS,
            Source::Evidence(field) => field.is_of_dns(),
            _ => false,
        },
    }
}

/// Flags only such packets have.
const ABOUT_EVIDENCE: u16 = flags::ICMP_ERROR | flags::DNS_QUERY | flags::DNS_RESPONSE;

impl Test {
    fn check_is_existence(&self) -> bool {
        matches!(self.check, Check::Exists)
    }
}

/// Whether a packet has the field at all.
pub fn exists(test: &Test, packet: &Packet<'_>, context: &Context<'_>) -> bool {
    match test.source {
        Source::Word(word) if !test.quoted && test.slice.is_none() => values::has_word(word, packet),
        _ => {
            let mut found = false;
            values::each(test, packet, context, &mut |_| {
                found = true;
                true
            });
            found
        }
    }
}

/// Rows of these columns cannot be answered from columns alone.
const UNSURE: u16 = flags::FRAGMENT | flags::STOPPED | flags::TUNNEL;

/// A mask of a stretch, where columns or side tables alone can tell.
pub fn dense(test: &Test, view: &View<'_>, context: &Context<'_>) -> Option<Mask> {
    if test.quoted || test.slice.is_some() || test.transform != Transform::None {
        return None;
    }
    let columns = Columns::new(view)?;
    match (test.source, &test.check) {
        (Source::Word(word), Check::Exists) => columns.word(word, view),
        (Source::Flags(bits), Check::Compare { matcher, negate, .. }) => {
            let yes = matcher.accepts(&Scalar::Bool(true)) != *negate;
            let no = matcher.accepts(&Scalar::Bool(false)) != *negate;
            Some(words(columns.flags, |found| if found & bits != 0 { yes } else { no }))
        }
        (Source::Dns(field), check) => Some(dns(field, check, view)),
        (Source::Stream(field @ StreamField::Number(_)), check) => {
            let streams = test.streams.get(field, context);
            Some(streams.mask(view, context, &|number| match check {
                Check::Exists => true,
                Check::Compare { matcher, negate, .. } => matcher.accepts(&Scalar::Number(number)) != *negate,
            }))
        }
        (Source::Address(family, direction), Check::Compare { matcher, negate, all }) => {
            let accepted = Accepted::new(view, family, matcher, *negate);
            columns.addresses(family, direction, &accepted, *all, view)
        }
        (
            Source::Port(transport, direction),
            Check::Compare { matcher: Matcher::Numbers(ranges), negate, all },
        ) => columns.ports(transport, direction, (ranges, *negate, *all), test, view),
        (Source::Column(column), Check::Compare { matcher: Matcher::Numbers(ranges), negate, .. })
            if column != Column::TcpFlags =>
        {
            columns.numbers(column, ranges, *negate, view)
        }
        (
            Source::TcpFlag(_)
            | Source::Column(Column::TcpFlags)
            | Source::Icmp(..)
            | Source::Ttl(_)
            | Source::IpProtocol(_),
            Check::Compare { matcher, negate, .. },
        ) => columns.single(test, &|value| matcher.accepts(&value) != *negate, context, view),
        _ => None,
    }
}

struct Columns<'c> {
    flags: &'c [u16],
    protocol: &'c [u8],
    transport: &'c [u8],
    source_port: &'c [u16],
    destination_port: &'c [u16],
    source_address: &'c [u32],
    destination_address: &'c [u32],
    time_ns: &'c [i64],
    original: &'c [u32],
    captured: &'c [u32],
}

/// Packs one truth value a row into a mask.
fn words<T: Copy>(column: &[T], test: impl Fn(T) -> bool) -> Mask {
    let pack = |chunk: &[T]| {
        chunk.iter().enumerate().fold(0u64, |word, (at, value)| word | u64::from(test(*value)) << at)
    };
    column.chunks(WORD).map(pack).collect()
}

/// The same over two columns.
fn words2<A: Copy, B: Copy>(a: &[A], b: &[B], test: impl Fn(A, B) -> bool) -> Mask {
    let pack = |(a, b): (&[A], &[B])| {
        a.iter().zip(b).enumerate().fold(0u64, |word, (at, (a, b))| word | u64::from(test(*a, *b)) << at)
    };
    a.chunks(WORD).zip(b.chunks(WORD)).map(pack).collect()
}

impl<'c> Columns<'c> {
    fn new(view: &View<'c>) -> Option<Self> {
        let (segment, rows) = (view.segment, view.start..view.end);
        Some(Self {
            flags: segment.flags.get(rows.clone())?,
            protocol: segment.protocol.get(rows.clone())?,
            transport: segment.transport.get(rows.clone())?,
            source_port: segment.source_port.get(rows.clone())?,
            destination_port: segment.destination_port.get(rows.clone())?,
            source_address: segment.source_address.get(rows.clone())?,
            destination_address: segment.destination_address.get(rows.clone())?,
            time_ns: segment.time_ns.get(rows.clone())?,
            original: segment.originals().get(rows.clone())?,
            captured: segment.captured.get(rows)?,
        })
    }

    /// Asks the packet itself in the rows where `unsure` flags are set.
    fn settle(&self, mask: &mut Mask, unsure: u16, view: &View<'_>, test: impl Fn(&Packet<'_>) -> bool) {
        let doubtful = words(self.flags, |bits| bits & unsure != 0);
        for (at, (word, doubtful)) in mask.iter_mut().zip(doubtful).enumerate() {
            let mut left = doubtful;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                let found = test(&view.packet(at * WORD + bit));
                *word = *word & !(1 << bit) | u64::from(found) << bit;
            }
        }
    }

    fn word(&self, word: Word, view: &View<'_>) -> Option<Mask> {
        let mut mask = match word {
            Word::Frame => words(self.flags, |_| true),
            Word::Protocol(id) => return Some(words(self.protocol, |found| found == id.0)),
            Word::Transport(number) => words(self.transport, |found| found == number),
            Word::Ip(family) => {
                let of = family_table(view, family);
                let has = |at: u32| of.get(at as usize).copied().unwrap_or_default();
                let either = words2(self.source_address, self.destination_address, |a, b| has(a) | has(b));
                self.without_arp(either, family)
            }
            Word::Layer(_) => return None,
        };
        self.settle(&mut mask, flags::TUNNEL, view, |packet| values::has_word(word, packet));
        Some(mask)
    }

    /// ARP packets have addresses, but no IP header.
    fn without_arp(&self, mut mask: Mask, family: Family) -> Mask {
        let arp = ProtocolId::ARP.0;
        let keep = match family {
            Family::V4 => words(self.protocol, |found| found != arp),
            Family::Arp => words(self.protocol, |found| found == arp),
            Family::Any | Family::V6 => return mask,
        };
        for (word, keep) in mask.iter_mut().zip(keep) {
            *word &= keep;
        }
        mask
    }

    fn addresses(
        &self,
        family: Family,
        direction: Direction,
        accepted: &Accepted,
        all: bool,
        view: &View<'_>,
    ) -> Option<Mask> {
        let mask = match direction {
            _ if accepted.none && !all => vec![0; view.len().div_ceil(WORD)],
            Direction::Source => words(self.source_address, |at| accepted.has(at)),
            Direction::Destination => words(self.destination_address, |at| accepted.has(at)),
            Direction::Either if all => {
                // Each end passes when it is accepted or is of another family, and one end must be accepted.
                words2(self.source_address, self.destination_address, |a, b| {
                    let (a, b) = (accepted.class(a), accepted.class(b));
                    a != Accepted::NO && b != Accepted::NO && (a == Accepted::YES || b == Accepted::YES)
                })
            }
            Direction::Either => match accepted.only {
                Some(only) => {
                    words2(self.source_address, self.destination_address, |a, b| [a, b].contains(&only))
                }
                None => words2(self.source_address, self.destination_address, |a, b| {
                    accepted.has(a) | accepted.has(b)
                }),
            },
        };
        let tunnels = self.flags.iter().any(|bits| bits & flags::TUNNEL != 0);
        (!tunnels).then(|| self.without_arp(mask, family))
    }

    fn ports(
        &self,
        transport: u8,
        direction: Direction,
        (ranges, negate, all): (&[(i64, i64)], bool, bool),
        test: &Test,
        view: &View<'_>,
    ) -> Option<Mask> {
        let has = |port: u16| ranges.iter().any(|(a, b)| (*a..=*b).contains(&i64::from(port))) != negate;
        let mut mask = match (direction, ranges) {
            (Direction::Either, [(a, b)]) if a == b && !negate && !all => {
                let Ok(port) = u16::try_from(*a) else { return Some(vec![0; view.len().div_ceil(WORD)]) };
                words2(self.source_port, self.destination_port, |a, b| [a, b].contains(&port))
            }
            (Direction::Source, _) => words(self.source_port, has),
            (Direction::Destination, _) => words(self.destination_port, has),
            (Direction::Either, _) if all => {
                words2(self.source_port, self.destination_port, |a, b| has(a) & has(b))
            }
            (Direction::Either, _) => words2(self.source_port, self.destination_port, |a, b| has(a) | has(b)),
        };
        let kind = words(self.transport, |number| values::has_ports(transport, number));
        for (word, kind) in mask.iter_mut().zip(kind) {
            *word &= kind;
        }
        let Check::Compare { matcher, .. } = &test.check else { return None };
        self.settle(&mut mask, UNSURE, view, |packet| {
            let (mut any, mut every, mut some) = (false, true, false);
            values::transport(test.source, test.own, packet, &mut |value| {
                let accepted = matcher.accepts(&value) != negate;
                (any, every, some) = (any | accepted, every & accepted, true);
                false
            });
            if all { some && every } else { any }
        });
        Some(mask)
    }

    /// Fields with one value of a byte in packets of one transport or family; each byte is asked about once.
    fn single(
        &self,
        test: &Test,
        accepts: &dyn Fn(Scalar<'_>) -> bool,
        context: &Context<'_>,
        view: &View<'_>,
    ) -> Option<Mask> {
        let table: Vec<bool> = (0..=255u8)
            .map(|byte| match test.source {
                Source::TcpFlag(bit) => accepts(Scalar::Bool(byte & bit != 0)),
                _ => accepts(Scalar::Number(i64::from(byte))),
            })
            .collect();
        let table: &[bool; 256] = table.first_chunk()?;
        let has = |byte: u8| table.get(usize::from(byte)).copied().unwrap_or_default();
        let rows = view.start..view.end;
        let mut mask = match test.source {
            Source::TcpFlag(_) | Source::Column(_) => {
                let bits = view.segment.tcp_flags.get(rows)?;
                words2(self.transport, bits, |number, bits| (number == 6) & has(bits))
            }
            Source::Icmp(wanted, code) => {
                let column = if code { self.destination_port } else { self.source_port };
                words2(self.transport, column, |number, value| (number == wanted) & has(value as u8))
            }
            Source::Ttl(family) => {
                let ttl = view.segment.ttl.get(rows)?;
                let of = family_table(view, family);
                let is_of = |at: u32| of.get(at as usize).copied().unwrap_or_default();
                let mask = words2(self.source_address, ttl, |at, ttl| is_of(at) & has(ttl));
                self.without_arp(mask, family)
            }
            Source::IpProtocol(family) => {
                let of = family_table(view, family);
                let is_of = |at: u32| of.get(at as usize).copied().unwrap_or_default();
                let mask = words2(self.source_address, self.transport, |at, number| is_of(at) & has(number));
                let arp = ProtocolId::ARP.0;
                let keep = words(self.protocol, |found| found != arp);
                let mask = self.without_arp(mask, family);
                mask.iter().zip(keep).map(|(word, keep)| word & keep).collect()
            }
            _ => return None,
        };
        self.settle(&mut mask, UNSURE, view, |packet| super::evaluate::matches_test(test, packet, context));
        Some(mask)
    }

    fn numbers(&self, column: Column, ranges: &[(i64, i64)], negate: bool, view: &View<'_>) -> Option<Mask> {
        let has = |value: i64| ranges.iter().any(|(a, b)| (*a..=*b).contains(&value)) != negate;
        match column {
            // Printed packets have the length that is printed, if one is.
            Column::Original | Column::Captured if view.source.metadata.format == Format::Transcript => None,
            Column::Original => Some(words(self.original, |value| has(i64::from(value)))),
            Column::Captured => Some(words(self.captured, |value| has(i64::from(value)))),
            Column::Time => Some(words(self.time_ns, has)),
            Column::FrameNumber => {
                let first = i64::from(view.segment.first_row) + view.start as i64 + 1;
                let numbers: Vec<i64> = (first..first + view.len() as i64).collect();
                Some(words(&numbers, has))
            }
            _ => None,
        }
    }
}

/// For each address of a segment whether it is of a family.
fn family_table(view: &View<'_>, family: Family) -> Vec<bool> {
    let of = |address: &Address| match family {
        Family::V4 => address.is_v4(),
        Family::V6 => address.is_v6(),
        Family::Any | Family::Arp => address.is_host(),
    };
    view.segment.addresses.iter().map(of).collect()
}

/// For each address of a segment whether a matcher accepts it.
struct Accepted {
    classes: Vec<u8>,
    none: bool,
    /// The position, when exactly one is accepted.
    only: Option<u32>,
}

impl Accepted {
    /// Not of the family asked for.
    const OTHER: u8 = 0;
    const NO: u8 = 1;
    const YES: u8 = 2;

    fn new(view: &View<'_>, family: Family, matcher: &Matcher, negate: bool) -> Self {
        let class = |(address, of): (&Address, bool)| match of {
            false => Self::OTHER,
            true if matcher.accepts(&Scalar::Address(*address)) != negate => Self::YES,
            true => Self::NO,
        };
        let classes: Vec<u8> =
            view.segment.addresses.iter().zip(family_table(view, family)).map(class).collect();
        let mut yes =
            classes.iter().enumerate().filter(|(_, class)| **class == Self::YES).map(|(at, _)| at as u32);
        let (first, second) = (yes.next(), yes.next());
        Self { none: first.is_none(), only: first.filter(|_| second.is_none()), classes }
    }

    fn class(&self, at: u32) -> u8 {
        self.classes.get(at as usize).copied().unwrap_or(Self::OTHER)
    }

    fn has(&self, at: u32) -> bool {
        self.class(at) == Self::YES
    }
}

/// Looks through the DNS side table; each distinct name is compared once.
fn dns(field: DnsField, check: &Check, view: &View<'_>) -> Mask {
    let mut mask = vec![0u64; view.len().div_ceil(WORD)];
    let rows = &view.segment.dns;
    let (first, end) = (view.base(), view.base() + view.len() as u32);
    let start = rows.partition_point(|row| row.packet.0 < first);
    let stop = rows.partition_point(|row| row.packet.0 < end);
    let rows = rows.get(start..stop).unwrap_or_default();
    let mut names = NameMemo::new(view, check);
    let all = matches!(check, Check::Compare { all: true, .. });
    let mut pass = |row: &DnsRow| match check {
        _ if values::has_questions(field, row) => several(field, check, row, all, view),
        _ if field == DnsField::Name => names.pass(row, view),
        Check::Exists => {
            let has = value_of(field, row, &mut |_| true);
            (has, has)
        }
        Check::Compare { matcher, negate, .. } => {
            let mut accepted = false;
            let has = value_of(field, row, &mut |value| {
                accepted = matcher.accepts(&value) != *negate;
                accepted
            });
            (accepted, has)
        }
    };
    let mut at = 0;
    while let Some(row) = rows.get(at) {
        // Several messages can end in one packet.
        let (mut any, mut every) = (false, true);
        let mut some = false;
        while let Some(same) = rows.get(at).filter(|same| same.packet == row.packet) {
            let (accepted, has) = pass(same);
            if has {
                some = true;
                any |= accepted;
                every &= accepted;
            }
            at += 1;
        }
        let position = (row.packet.0 - first) as usize;
        if (if all { some && every } else { any })
            && let Some(word) = mask.get_mut(position / WORD)
        {
            *word |= 1 << (position % WORD);
        }
    }
    mask
}

/// Whether a message with several questions passes, and whether it has the field.
fn several(field: DnsField, check: &Check, row: &DnsRow, all: bool, view: &View<'_>) -> (bool, bool) {
    let packet = view.packet((row.packet.0 - view.base()) as usize);
    let (mut any, mut every, mut some) = (false, true, false);
    values::dns_row(field, row, &packet, &mut |value| {
        let accepted = match check {
            Check::Exists => true,
            Check::Compare { matcher, negate, .. } => matcher.accepts(&value) != *negate,
        };
        (any, every, some) = (any | accepted, every & accepted, true);
        false
    });
    (if all { every } else { any }, some)
}

/// Hands one row's value of a header field to `test`; whether there was one.
fn value_of(field: DnsField, row: &DnsRow, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
    if field == DnsField::ResponseCode {
        return row.is_response() && {
            test(Scalar::Number(i64::from(row.response_code())));
            true
        };
    }
    let mut some = false;
    values::dns_value(field, row.header, None, (row.qtype, values::class_of(row)), &mut |value| {
        some = true;
        test(value)
    });
    some
}

/// Compares each distinct name of a segment at most once.
struct NameMemo<'c> {
    check: &'c Check,
    /// For each name: not asked yet, refused, accepted.
    known: Vec<u8>,
    text: String,
}

impl<'c> NameMemo<'c> {
    const OPEN: u8 = 0;
    const REFUSED: u8 = 1;
    const ACCEPTED: u8 = 2;

    fn new(view: &View<'_>, check: &'c Check) -> Self {
        let known = match check {
            Check::Exists => vec![Self::ACCEPTED; view.segment.names.len()],
            Check::Compare { .. } => vec![Self::OPEN; view.segment.names.len()],
        };
        Self { check, known, text: String::new() }
    }

    /// Whether the name of a row is accepted, and whether it has one.
    fn pass(&mut self, row: &DnsRow, view: &View<'_>) -> (bool, bool) {
        let Some(known) = self.known.get_mut(row.name as usize) else { return (false, false) };
        if *known == Self::OPEN {
            let accepted = view
                .segment
                .names
                .get(row.name)
                .is_some_and(|wire| accepts(self.check, wire, &mut self.text));
            *known = if accepted { Self::ACCEPTED } else { Self::REFUSED };
        }
        (*known == Self::ACCEPTED, true)
    }
}

fn accepts(check: &Check, wire: &[u8], text: &mut String) -> bool {
    let Check::Compare { matcher, negate, .. } = check else { return true };
    plain_name(wire, text);
    matcher.accepts(&Scalar::Name(text)) != *negate
}

/// Writes a name in lower case without final dot; the usual letters, digits and hyphens without detour.
fn plain_name(wire: &[u8], out: &mut String) {
    out.clear();
    let mut rest = wire;
    while let Some((length, labels)) = rest.split_first() {
        let Some((label, after)) = labels.split_at_checked(usize::from(*length)) else { break };
        if label.is_empty() {
            break;
        }
        let usual =
            |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        let Some(label) = label.iter().all(usual).then(|| std::str::from_utf8(label).ok()).flatten() else {
            *out = super::literal::normal_name(&crate::decode::dns::presentation(wire));
            return;
        };
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(label);
        rest = after;
    }
    if out.is_empty() {
        out.push('.');
    }
}
