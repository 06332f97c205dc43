//! tcpdump's primitives: `host`, `net`, `port`, `portrange`, `proto`, `less`, `greater`, with their directions.

use super::FilterError;
use super::expression::{Check, Expression, Test, Transform};
use super::fields::{self, Column, Direction, Family, HeaderField, Source};
use super::grammar::Parser;
use super::lexer::{Symbol, Token};
use super::literal::{Item, no_address, service};
use super::matcher::{self, AddressRange, Matcher};

/// What a primitive's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

/// Which ends are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    One(Direction),
    Both,
}

/// The words before a primitive's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Qualifiers {
    subject: Subject,
    ends: Ends,
    protocol: Scope,
}

/// The protocol a primitive is limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Any,
    Ether,
    Ip(Family),
    Transport(u8),
}

const SCOPES: &[(&str, Scope)] = &[
    ("ether", Scope::Ether),
    ("ip", Scope::Ip(Family::V4)),
    ("ip6", Scope::Ip(Family::V6)),
    ("arp", Scope::Ip(Family::Arp)),
    ("tcp", Scope::Transport(6)),
    ("udp", Scope::Transport(17)),
    ("sctp", Scope::Transport(132)),
];

const SUBJECTS: &[(&str, Subject)] = &[
    ("host", Subject::Host),
    ("net", Subject::Net),
    ("port", Subject::Port),
    ("portrange", Subject::PortRange),
    ("proto", Subject::Proto),
];

fn subject(word: &str) -> Option<Subject> {
    SUBJECTS.iter().find(|(name, _)| *name == word).map(|(_, subject)| *subject)
}

impl Parser<'_> {
    /// Reads a primitive; `None` when the words here are something else.
    pub(super) fn primitive(&mut self) -> Result<Option<Expression>, FilterError> {
        let word = self.word();
        let next = self.word_ahead(1);
        match word {
            "less" | "greater" => return self.length().map(Some),
            "broadcast" | "multicast" => return Ok(Some(self.many(Scope::Ether))),
            "vlan" if matcher::whole(next).is_some() => return Ok(Some(self.vlan())),
            _ => {}
        }
        let scope = SCOPES.iter().find(|(name, _)| *name == word).map(|(_, scope)| *scope);
        let starts = |word: &str| matches!(word, "src" | "dst") || subject(word).is_some();
        if let Some(scope) = scope {
            if matches!(next, "broadcast" | "multicast") {
                self.advance();
                return Ok(Some(self.many(scope)));
            }
            if !starts(next) {
                return Ok(None);
            }
            self.advance();
        } else if !starts(word) {
            return self.continued(word);
        }
        let qualifiers = self.qualifiers(scope.unwrap_or(Scope::Any))?;
        self.qualifiers = Some(qualifiers);
        self.value(qualifiers).map(Some)
    }

    /// A value alone: the qualifiers before it hold on (`port 53 or 80`); an address alone is a host.
    fn continued(&mut self, word: &str) -> Result<Option<Expression>, FilterError> {
        let address = matcher::address_range(word).is_some();
        let number = matcher::whole(word).is_some();
        match self.qualifiers {
            _ if fields::find(word).is_some() => Ok(None),
            Some(q) if address && matches!(q.subject, Subject::Host | Subject::Net) => {
                self.value(q).map(Some)
            }
            Some(q) if number && matches!(q.subject, Subject::Port) => self.value(q).map(Some),
            _ if address => {
                let subject = if word.contains('/') { Subject::Net } else { Subject::Host };
                let ends = Ends::One(Direction::Either);
                let qualifiers = Qualifiers { subject, ends, protocol: Scope::Any };
                self.qualifiers = Some(qualifiers);
                self.value(qualifiers).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn qualifiers(&mut self, protocol: Scope) -> Result<Qualifiers, FilterError> {
        let mut ends = Ends::One(Direction::Either);
        let direction = |word: &str| match word {
            "src" => Some(Direction::Source),
            "dst" => Some(Direction::Destination),
            _ => None,
        };
        let mut directed = false;
        if let Some(first) = direction(self.word()) {
            directed = true;
            self.advance();
            ends = Ends::One(first);
            let joined = self.word();
            if let Some(second) = direction(self.word_ahead(1))
                && matches!(joined, "or" | "and")
                && second != first
            {
                self.advance();
                self.advance();
                ends = if joined == "or" { Ends::One(Direction::Either) } else { Ends::Both };
            }
        }
        let subject = match subject(self.word()) {
            Some(subject) => {
                self.advance();
                subject
            }
            None if directed => Subject::Host,
            None => return Err(self.wrong("expected `host`, `net`, `port`, `portrange` or `proto`")),
        };
        Ok(Qualifiers { subject, ends, protocol })
    }

    fn here(&self) -> Result<Item, FilterError> {
        match self.peek() {
            Token::Word => Ok(Item::bare(self.word(), self.span())),
            Token::Text(bytes) => Ok(Item::quoted(bytes.clone(), false, self.span())),
            _ => Err(self.wrong("expected a value")),
        }
    }

    fn value(&mut self, qualifiers: Qualifiers) -> Result<Expression, FilterError> {
        // `port == 53` is a habit from Wireshark that can only mean one thing.
        self.accept(Symbol::Equal);
        let start = self.span().start;
        let item = self.here().map_err(|mut error| {
            let expected = match qualifiers.subject {
                Subject::Host => "expected an address",
                Subject::Net => "expected a network such as 203.0.113.0/24",
                Subject::Port => "expected a port number",
                Subject::PortRange => "expected a range of ports such as 1024-2047",
                Subject::Proto => "expected a protocol name or number",
            };
            expected.clone_into(&mut error.message);
            error
        })?;
        let ranges = match qualifiers.subject {
            Subject::Host | Subject::Net => {
                let matcher = Matcher::Addresses(vec![self.network(&item, qualifiers)?]);
                return Ok(self.ends(qualifiers, start, host_source, &matcher));
            }
            Subject::Port => self.port(&item)?,
            Subject::PortRange => self.port_range(&item)?,
            Subject::Proto => return self.proto(&item, qualifiers),
        };
        self.advance();
        let transport = match qualifiers.protocol {
            Scope::Transport(number) => number,
            _ => 0,
        };
        let source = |_: Scope, direction| ("port", Source::Port(transport, direction));
        Ok(self.ends(qualifiers, start, source, &Matcher::Numbers(vec![ranges])))
    }

    fn ends(
        &self,
        qualifiers: Qualifiers,
        start: usize,
        source: impl Fn(Scope, Direction) -> (&'static str, Source),
        matcher: &Matcher,
    ) -> Expression {
        let span = start..self.end_before();
        let one = |direction| {
            let (field, source) = source(qualifiers.protocol, direction);
            test(field, source, matcher.clone(), span.clone())
        };
        match qualifiers.ends {
            Ends::One(direction) => one(direction),
            Ends::Both => one(Direction::Source).and(one(Direction::Destination)),
        }
    }

    fn network(&mut self, item: &Item, qualifiers: Qualifiers) -> Result<AddressRange, FilterError> {
        let read = match qualifiers.subject {
            Subject::Net => matcher::network(&item.text),
            _ => matcher::host(&item.text, item.quoted),
        };
        let wrong = |complaint: super::literal::Complaint| FilterError {
            unfinished: complaint.unfinished && item.span.end == self.text.len(),
            span: item.span.clone(),
            message: complaint.message,
            suggestion: complaint.suggestion,
        };
        let Some(mut range) = read else { return Err(wrong(no_address(item, &item.text))) };
        if (qualifiers.protocol == Scope::Ether) != range.is_ether() {
            let mut complaint = no_address(item, &item.text);
            complaint.message = if range.is_ether() {
                "a link address is asked for with `ether host`".to_owned()
            } else {
                "`ether` takes a link address such as 02:00:00:00:00:01".to_owned()
            };
            return Err(wrong(complaint));
        }
        self.advance();
        if self.word() == "mask" {
            self.advance();
            let mask = self.word().parse::<std::net::Ipv4Addr>().ok().map(u32::from);
            let whole = mask.filter(|mask| mask.leading_ones() + mask.trailing_zeros() >= 32);
            let masked = whole
                .and_then(|mask| AddressRange::prefix(item.text.parse().ok()?, mask.leading_ones() as u8));
            let Some(masked) = masked else {
                return Err(self.wrong("expected a mask such as 255.255.255.0"));
            };
            self.advance();
            range = masked;
        }
        Ok(range)
    }

    fn port(&self, item: &Item) -> Result<(i64, i64), FilterError> {
        let number = matcher::whole(&item.text).or_else(|| service(&item.text));
        match number {
            Some(port @ 0..=65535) => Ok((port, port)),
            Some(_) => Err(self.wrong("ports go up to 65535")),
            None => {
                let mut error = self.unknown(
                    format!(
                        "expected a port number or service name, not `{}`",
                        crate::text::escape(&item.text)
                    ),
                    fields::SERVICES.iter().map(|(name, _)| *name),
                );
                if item.text.split('-').all(|end| matcher::whole(end).is_some()) {
                    error.suggestion = Some(format!("portrange {}", item.text));
                }
                Err(error)
            }
        }
    }

    fn port_range(&self, item: &Item) -> Result<(i64, i64), FilterError> {
        let ends = item.text.split_once('-').unwrap_or((&item.text, &item.text));
        let port =
            |text| matcher::whole(text).or_else(|| service(text)).filter(|port| (0..=65535).contains(port));
        if let (Some(first), Some(last)) = (port(ends.0), port(ends.1)) {
            return Ok((first.min(last), first.max(last)));
        }
        let mut error = self.wrong("expected a range of ports such as 1024-2047");
        error.unfinished = item.text.ends_with('-') && item.span.end == self.text.len();
        Err(error)
    }

    fn proto(&mut self, item: &Item, qualifiers: Qualifiers) -> Result<Expression, FilterError> {
        let ether = qualifiers.protocol == Scope::Ether;
        let names = if ether { fields::ETHER_TYPES } else { fields::IP_PROTOCOLS };
        let name = item.text.strip_prefix('\\').unwrap_or(&item.text);
        let named =
            names.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number);
        let Some(number) = matcher::whole(name).or(named) else {
            return Err(self.unknown(
                format!("expected a protocol name or number, not `{}`", crate::text::escape(name)),
                names.iter().map(|(known, _)| *known),
            ));
        };
        self.advance();
        let span = item.span.start..self.end_before();
        let matcher = Matcher::Numbers(vec![(number, number)]);
        Ok(match qualifiers.protocol {
            Scope::Ether => test("eth.type", Source::Header(HeaderField::LinkProtocol), matcher, span),
            Scope::Ip(family) => test("ip.proto", Source::IpProtocol(family), matcher, span),
            _ => test("ip.proto", Source::IpProtocol(Family::Any), matcher, span),
        })
    }

    /// `less N` means at most, `greater N` at least, as in tcpdump.
    fn length(&mut self) -> Result<Expression, FilterError> {
        let start = self.span().start;
        let less = self.word() == "less";
        self.advance();
        let Some(number) = matcher::whole(self.word()) else {
            return Err(self.wrong("expected a number of bytes"));
        };
        self.advance();
        let range = if less { (i64::MIN, number) } else { (number, i64::MAX) };
        let matcher = Matcher::Numbers(vec![range]);
        Ok(test("frame.len", Source::Column(Column::Original), matcher, start..self.end_before()))
    }

    fn vlan(&mut self) -> Expression {
        let start = self.span().start;
        let number = matcher::whole(self.word_ahead(1)).unwrap_or_default();
        self.advance();
        self.advance();
        let matcher = Matcher::Numbers(vec![(number, number)]);
        test("vlan.id", Source::Header(HeaderField::Vlan), matcher, start..self.end_before())
    }

    /// `broadcast`, `ether multicast`, `ip multicast`, `ip6 multicast`.
    fn many(&mut self, scope: Scope) -> Expression {
        use crate::decode::Address;
        let start = self.span().start;
        let broadcast = self.word() == "broadcast";
        self.advance();
        let prefix = |text: &str| matcher::address_range(text).into_iter().collect::<Vec<_>>();
        let ether = |first: u8| {
            AddressRange::between(
                Address::Ether([first, 0, 0, 0, 0, 0]),
                Address::Ether([first, 255, 255, 255, 255, 255]),
            )
        };
        let ranges = match (scope, broadcast) {
            (Scope::Ip(Family::V6), _) => prefix("ff00::/8"),
            (Scope::Ip(_), true) => prefix("255.255.255.255"),
            // Everything from 224.0.0.0 on, as tcpdump has it: the limited broadcast too.
            (Scope::Ip(_), false) => prefix("224.0.0.0/3"),
            (_, true) => prefix("ff:ff:ff:ff:ff:ff"),
            // The group bit is the lowest bit of the first octet.
            (_, false) => (0..=255u8).filter(|first| first & 1 == 1).filter_map(ether).collect(),
        };
        let (field, source) = host_source(scope, Direction::Destination);
        test(field, source, Matcher::Addresses(ranges), start..self.end_before())
    }
}

fn host_source(scope: Scope, direction: Direction) -> (&'static str, Source) {
    match (scope, direction) {
        (Scope::Ether, Direction::Either) => ("eth.addr", Source::Header(HeaderField::EtherEither)),
        (Scope::Ether, Direction::Source) => ("eth.src", Source::Header(HeaderField::EtherSource)),
        (Scope::Ether, Direction::Destination) => ("eth.dst", Source::Header(HeaderField::EtherDestination)),
        (Scope::Ip(family), direction) => ("host", Source::Address(family, direction)),
        (_, direction) => ("host", Source::Address(Family::Any, direction)),
    }
}

fn test(field: &'static str, source: Source, matcher: Matcher, span: std::ops::Range<usize>) -> Expression {
    Expression::Test(Box::new(Test {
        span,
        field,
        source,
        quoted: false,
        own: true,
        slice: None,
        transform: Transform::None,
        check: Check::Compare { matcher, negate: false, all: false },
        streams: super::streams::Cache::default(),
    }))
}
