//! Completion: what can stand at the cursor, with help and with counts from the capture.

use std::ops::Range;

use super::build;
use super::expression::FUNCTIONS;
use super::fields::{self, FieldInfo, Source, Values};
use super::lexer::{Lexeme, Symbol, Token, is_word, lex};
use super::named::Named;
use super::vocabulary::Vocabulary;
use crate::decode::Address;
use crate::protocols::Kind;

/// Completions offered at once.
pub const COMPLETIONS_MAX: usize = 64;

/// One thing that can stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The bytes it replaces.
    pub range: Range<usize>,
    /// What is written there.
    pub text: String,
    /// What it is, in one line.
    pub help: String,
    /// How many packets of this capture have it, where counted.
    pub count: Option<u64>,
}

/// What is expected at the cursor.
enum Place {
    /// A field, protocol, primitive, function or named filter.
    Term,
    /// An operator, or what joins terms.
    Operator(&'static FieldInfo),
    /// A value of a field.
    Value(&'static FieldInfo),
    /// A value of a tcpdump primitive.
    Primitive(&'static str),
    /// What follows a whole term.
    Joint,
}

/// What can stand at `cursor` (a byte offset), best first.
pub fn complete(
    text: &str,
    cursor: usize,
    vocabulary: Option<&Vocabulary>,
    named: &Named,
) -> Vec<Completion> {
    let before = text.get(..cursor).unwrap_or(text);
    let (start, typed) = word_before(before);
    let place = place(before.get(..start).unwrap_or_default());
    let end = before.len() + if start < before.len() { rest_of_word(text, before.len()) } else { 0 };
    let mut found = Candidates { typed: typed.trim_start_matches(['"', '\'']), all: Vec::new() };
    match place {
        Place::Term => terms(&mut found, vocabulary, named),
        Place::Operator(info) => operators(&mut found, info),
        Place::Value(info) => values(&mut found, info, vocabulary),
        Place::Primitive(word) => primitive_values(&mut found, word, vocabulary),
        Place::Joint => joints(&mut found),
    }
    found.finish(start..end)
}

struct Candidates<'t> {
    typed: &'t str,
    all: Vec<(u8, String, String, Option<u64>)>,
}

impl Candidates<'_> {
    /// Keeps a candidate that begins with what was typed, or has it inside.
    fn add(&mut self, text: impl Into<String>, help: impl Into<String>, count: Option<u64>) {
        let text = text.into();
        let (low, typed) = (text.to_ascii_lowercase(), self.typed.to_ascii_lowercase());
        let bare = low.trim_start_matches('"');
        let rank = match () {
            () if bare == typed && !typed.is_empty() => 0,
            () if bare.starts_with(&typed) => 1,
            () if bare.split(['.', '-', '_', ':']).any(|part| part.starts_with(&typed)) => 2,
            () if bare.contains(&typed) => 3,
            () => return,
        };
        self.all.push((rank, text, help.into(), count));
    }

    fn finish(mut self, range: Range<usize>) -> Vec<Completion> {
        // A stable sort: within a rank the order of adding stays, except that what occurs comes first.
        self.all.sort_by_key(|(rank, _, _, count)| {
            (*rank, *count == Some(0), std::cmp::Reverse(count.unwrap_or(0)))
        });
        self.all.dedup_by(|a, b| a.1 == b.1);
        self.all
            .into_iter()
            .take(COMPLETIONS_MAX)
            .map(|(_, text, help, count)| Completion { range: range.clone(), text, help, count })
            .collect()
    }
}

/// Where the word or open string before the cursor begins, and its text.
fn word_before(before: &str) -> (usize, &str) {
    if let Err(error) = lex(before)
        && error.unfinished
        && before.get(error.span.start..).is_some_and(|rest| rest.starts_with(['"', '\'']))
    {
        return (error.span.start, before.get(error.span.start..).unwrap_or_default());
    }
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| is_word(*c))
        .last()
        .map_or(before.len(), |(at, _)| at);
    let word = before.get(start..).unwrap_or_default();
    // After `a..` a new value begins.
    let offset = word.rfind("..").map_or(0, |at| at + 2);
    (start + offset, word.get(offset..).unwrap_or_default())
}

fn rest_of_word(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.char_indices().find(|(_, c)| !is_word(*c)).map_or(rest.len(), |(at, _)| at)
}

fn place(before: &str) -> Place {
    let Ok(tokens) = lex(before) else { return Place::Term };
    let tokens = tokens.split_last().map(|(_, rest)| rest).unwrap_or_default();
    let word = |lexeme: &Lexeme| match lexeme.token {
        Token::Word => before.get(lexeme.span.clone()).unwrap_or_default(),
        _ => "",
    };
    let field = |lexeme: &Lexeme| {
        let name = word(lexeme);
        fields::find(name).or_else(|| fields::find(name.strip_prefix("quoted.")?))
    };
    let Some((last, rest)) = tokens.split_last() else { return Place::Term };
    let before_last = rest.iter().rev().find(|lexeme| lexeme.token != Token::Slice);
    if let Some(found) = PRIMITIVES.iter().find(|(name, _)| *name == word(last)) {
        return Place::Primitive(found.0);
    }
    if is_comparison(last, word(last)) {
        return before_last.and_then(field).map_or(Place::Joint, Place::Value);
    }
    match &last.token {
        Token::Symbol(Symbol::OpenBrace | Symbol::Comma | Symbol::Range) => {
            // The field of the set this stands in.
            let open = rest.iter().rposition(|lexeme| is_comparison(lexeme, word(lexeme)));
            let owner = open.and_then(|at| at.checked_sub(1)).and_then(|at| rest.get(at));
            owner.and_then(field).map_or(Place::Term, Place::Value)
        }
        Token::Symbol(Symbol::CloseParenthesis | Symbol::CloseBrace) | Token::Text(_) => Place::Joint,
        Token::Symbol(_) => Place::Term,
        Token::Slice => before_last.and_then(field).map_or(Place::Joint, Place::Operator),
        Token::Word
            if matches!(word(last).to_ascii_lowercase().as_str(), "and" | "or" | "not" | "any" | "all") =>
        {
            Place::Term
        }
        Token::Word if before_last.is_some_and(|lexeme| is_comparison(lexeme, word(lexeme))) => Place::Joint,
        Token::Word
            if before_last.is_some_and(|lexeme| PRIMITIVES.iter().any(|(name, _)| *name == word(lexeme))) =>
        {
            Place::Joint
        }
        Token::Word => field(last).map_or(Place::Joint, Place::Operator),
        Token::End => Place::Term,
    }
}

/// Whether a value follows: a comparison, or one of the operators that take a text, a pattern, a set or bits.
fn is_comparison(lexeme: &Lexeme, word: &str) -> bool {
    super::operand::is_comparison(&lexeme.token, word)
        || matches!(lexeme.token, Token::Symbol(Symbol::Matches | Symbol::BitAnd))
        || (lexeme.token == Token::Word && matches!(word, "contains" | "matches" | "in"))
}

const PRIMITIVES: &[(&str, &str)] = &[
    ("host", "address of sender or receiver"),
    ("net", "network of sender or receiver"),
    ("port", "port of sender or receiver"),
    ("portrange", "ports from one to another"),
    ("src", "the sender: address, or `src port`"),
    ("dst", "the receiver: address, or `dst port`"),
    ("less", "at most this many bytes"),
    ("greater", "at least this many bytes"),
];

fn terms(found: &mut Candidates<'_>, vocabulary: Option<&Vocabulary>, named: &Named) {
    for info in fields::all() {
        let count = vocabulary.and_then(|v| word_count(info, v));
        found.add(info.name, info.help, count);
    }
    for (word, help) in PRIMITIVES {
        found.add(*word, *help, None);
    }
    for (word, _, help) in FUNCTIONS {
        found.add(format!("{word}("), *help, None);
    }
    for filter in named.all() {
        found.add(format!("${}", filter.name), filter.title.as_str(), None);
    }
    found.add("not", "packets that do not match", None);
    if found.typed.starts_with("quoted.") {
        let datagram = fields::all().iter().filter(|info| info.can_be_quoted());
        for info in datagram {
            found.add(
                format!("quoted.{}", info.name),
                format!("{}, in the quoted datagram", info.help),
                None,
            );
        }
    }
}

fn word_count(info: &FieldInfo, vocabulary: &Vocabulary) -> Option<u64> {
    use super::fields::Word;
    match info.source {
        Source::Word(Word::Protocol(id)) => {
            Some(vocabulary.protocols.iter().find(|(found, _)| *found == id).map_or(0, |(_, count)| *count))
        }
        Source::Word(Word::Transport(number)) => Some(
            vocabulary.transports.iter().find(|(found, _)| *found == number).map_or(0, |(_, count)| *count),
        ),
        _ => None,
    }
}

fn operators(found: &mut Candidates<'_>, info: &FieldInfo) {
    let all: &[(&str, &str)] = match info.kind {
        Kind::Name | Kind::Text => &[
            ("==", "equal"),
            ("contains", "has this inside"),
            ("matches", "matches a regular expression, without case"),
            ("!=", "every value is another"),
            ("in", "one of a set {…}"),
        ],
        Kind::Bytes => &[
            ("contains", "has these bytes inside"),
            ("matches", "matches a regular expression"),
            ("==", "equal"),
        ],
        Kind::Bool => &[("==", "equal"), ("!=", "not equal")],
        Kind::Address => &[
            ("==", "equal, or inside a prefix"),
            ("!=", "every value is another"),
            ("in", "one of a set {…}"),
        ],
        _ => &[
            ("==", "equal"),
            (">", "greater"),
            (">=", "at least"),
            ("<", "less"),
            ("<=", "at most"),
            ("!=", "every value is another"),
            ("in", "one of a set {…} or a range a..b"),
        ],
    };
    for (sign, help) in all {
        found.add(*sign, *help, None);
    }
    joints(found);
}

fn joints(found: &mut Candidates<'_>) {
    found.add("and", "both match", None);
    found.add("or", "either matches", None);
}

fn values(found: &mut Candidates<'_>, info: &FieldInfo, vocabulary: Option<&Vocabulary>) {
    let empty = Vocabulary::default();
    let known = vocabulary.unwrap_or(&empty);
    match info.source {
        Source::Address(..) => hosts(found, known, |address| match info.name.split('.').next() {
            Some("ip") => address.is_v4(),
            Some("ipv6") => address.is_v6(),
            _ => true,
        }),
        Source::Port(transport, _) => ports(found, known, transport),
        Source::Dns(fields::DnsField::Name) => {
            for (name, count) in &known.names {
                found.add(build::quote(name), "name asked for", Some(*count));
            }
        }
        Source::Dns(fields::DnsField::ResponseCode) => {
            coded(found, known.response_codes.iter().map(|(code, count)| (i64::from(*code), *count)), info);
        }
        Source::Dns(fields::DnsField::Type) => {
            coded(found, known.record_types.iter().map(|(kind, count)| (i64::from(*kind), *count)), info);
        }
        Source::Icmp(protocol, code) => {
            let of = known.icmp.iter().filter(|((found, _, _), _)| *found == protocol);
            let mut counts = std::collections::BTreeMap::new();
            for ((_, kind, sub), count) in of {
                *counts.entry(i64::from(if code { *sub } else { *kind })).or_insert(0) += count;
            }
            coded(found, counts.into_iter(), info);
        }
        Source::Evidence(fields::EvidenceField::Outcome) => {
            for (word, count) in &known.outcomes {
                found.add(*word, "transactions that ended so", Some(*count));
            }
        }
        Source::Attempt(fields::AttemptField::Outcome) => {
            for (word, count) in &known.attempt_outcomes {
                found.add(*word, "attempts that ended so", Some(*count));
            }
        }
        Source::Attempt(fields::AttemptField::Service) => {
            for (word, count) in &known.services {
                found.add(*word, "attempts for it", Some(*count));
            }
        }
        Source::Attempt(fields::AttemptField::Server | fields::AttemptField::Client) => {
            hosts(found, known, |address| address.is_host());
        }
        Source::Site | Source::Sensor => {
            let named = if matches!(info.source, Source::Site) { &known.sites } else { &known.sensors };
            for (name, count) in named {
                found.add(build::quote(name), "place of capture", Some(*count));
            }
        }
        Source::File => {
            for (at, (name, count)) in known.files.iter().enumerate() {
                found.add(
                    crate::index::source_label(crate::index::SourceId::at(at)),
                    name.as_str(),
                    Some(*count),
                );
                found.add(build::quote(name), "capture file", Some(*count));
            }
        }
        _ => {}
    }
    match info.values {
        Values::Numbers(names) => {
            for (name, number) in names {
                if !found.all.iter().any(|(_, text, _, _)| text == name) {
                    found.add(*name, number.to_string(), None);
                }
            }
        }
        Values::Words(words) => {
            for word in words {
                if !found.all.iter().any(|(_, text, _, _)| text == word) {
                    found.add(*word, "", None);
                }
            }
        }
        _ => {}
    }
    if info.kind == Kind::Bool {
        found.add("true", "1", None);
        found.add("false", "0", None);
    }
}

fn coded(found: &mut Candidates<'_>, counts: impl Iterator<Item = (i64, u64)>, info: &FieldInfo) {
    for (number, count) in counts {
        let name = match info.values {
            Values::Numbers(names) => names.iter().find(|(_, value)| *value == number).map(|(name, _)| *name),
            _ => None,
        };
        match name {
            Some(name) => found.add(name, number.to_string(), Some(count)),
            None => found.add(number.to_string(), "", Some(count)),
        }
    }
}

fn hosts(found: &mut Candidates<'_>, known: &Vocabulary, fits: impl Fn(&Address) -> bool) {
    for (address, count) in known.hosts.iter().filter(|(address, _)| fits(address)) {
        found.add(address.literal().to_string(), "", Some(*count));
    }
}

fn ports(found: &mut Candidates<'_>, known: &Vocabulary, transport: u8) {
    let of = known.ports.iter().filter(|((number, _), _)| transport == 0 || *number == transport);
    for ((number, port), count) in of {
        let service = fields::SERVICES
            .iter()
            .find(|(_, known)| *known == i64::from(*port))
            .map_or("", |(name, _)| *name);
        let transport = if *number == 6 { "tcp" } else { "udp" };
        found.add(port.to_string(), format!("{transport} {service}").trim_end(), Some(*count));
    }
}

fn primitive_values(found: &mut Candidates<'_>, word: &str, vocabulary: Option<&Vocabulary>) {
    let empty = Vocabulary::default();
    let known = vocabulary.unwrap_or(&empty);
    match word {
        "port" | "portrange" => ports(found, known, 0),
        "host" | "net" => hosts(found, known, |address| address.is_host()),
        "src" | "dst" => {
            for subject in ["host", "net", "port", "portrange"] {
                found.add(subject, "", None);
            }
            hosts(found, known, |address| address.is_host());
        }
        _ => {}
    }
}
