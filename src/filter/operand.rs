//! Operands: what can stand beside a comparison sign, be it a field, bytes of a header, a number, or calculated from them.

use std::ops::Range;

use super::FilterError;
use super::expression::{
    Arithmetic, Check, Comparison, Expression, NUMBER_FUNCTIONS, Operand, Relation, SlicePart, TRANSFORMS,
    Test, Transform,
};
use super::fields::{self, Family, FieldInfo, Source, Word};
use super::grammar::Parser;
use super::lexer::{Lexeme, Symbol, Token, lex};
use super::literal::{self, Operator};
use super::matcher::{self, Matcher};
use super::numbers::{join, last_colon, number_before_sign, written};
use crate::decode::LayerKind;
use crate::protocols::Kind;

/// Arithmetic signs from the loosest to the tightest, as in C and in both peers.
const LEVELS: &[&[(char, Arithmetic)]] = &[
    &[('|', Arithmetic::BitOr)],
    &[('^', Arithmetic::BitXor)],
    &[('&', Arithmetic::BitAnd)],
    &[('l', Arithmetic::ShiftLeft), ('r', Arithmetic::ShiftRight)],
    &[('+', Arithmetic::Add), ('-', Arithmetic::Subtract)],
    &[('*', Arithmetic::Multiply), ('/', Arithmetic::Divide), ('%', Arithmetic::Remainder)],
];

/// The headers tcpdump reads bytes of, by its words.
const HEADERS: &[(&str, Word)] = &[
    ("ether", Word::Layer(&[LayerKind::Ethernet])),
    ("ip", Word::Ip(Family::V4)),
    ("ip6", Word::Ip(Family::V6)),
    ("arp", Word::Layer(&[LayerKind::Arp])),
    ("tcp", Word::Transport(6)),
    ("udp", Word::Transport(17)),
    ("icmp", Word::Transport(1)),
    ("icmp6", Word::Transport(58)),
    ("igmp", Word::Transport(2)),
    ("sctp", Word::Transport(132)),
];

/// Offsets of header fields that tcpdump has names for.
const OFFSETS: &[(&str, i64)] =
    &[("tcpflags", 13), ("icmptype", 0), ("icmpcode", 1), ("icmp6type", 0), ("icmp6code", 1)];

fn header(word: &str) -> Option<Word> {
    HEADERS.iter().find(|(name, _)| *name == word).map(|(_, word)| *word)
}

/// What kind of value an operand has, as far as comparing goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Number,
    Address,
    Bytes,
    Text,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Address => "an address",
            Self::Bytes => "bytes",
            Self::Text => "text",
        }
    }
}

fn class(operand: &Operand) -> Class {
    match operand {
        Operand::Values(test) => match value_kind(test) {
            Kind::Address => Class::Address,
            Kind::Bytes => Class::Bytes,
            Kind::Name | Kind::Text => Class::Text,
            Kind::Number | Kind::Bool | Kind::Duration | Kind::Time => Class::Number,
        },
        _ => Class::Number,
    }
}

/// The type of a test's values, its slice and transform applied.
fn value_kind(test: &Test) -> Kind {
    match test.transform {
        Transform::Length | Transform::Count => Kind::Number,
        Transform::Text | Transform::Lower | Transform::Upper => Kind::Text,
        Transform::None if test.slice.is_some() => Kind::Bytes,
        Transform::None => fields::find(test.field).map_or(Kind::Number, |info| info.kind),
    }
}

impl Parser<'_> {
    /// `FIELD`, `FIELD OPERATOR VALUE`, `any FIELD …`, `len(FIELD) …`, `ip[8] < 64`, `udp.length == ip.len - 20`.
    pub(super) fn relation(&mut self) -> Result<Expression, FilterError> {
        let start = self.span().start;
        let quantifier = self.quantifier();
        if self.number_stands_alone() {
            // Says what is missing before the number.
            self.subject()?;
        }
        let left = self.operand()?;
        let sign_at = self.span();
        let Some(operator) = self.operator() else {
            return self.without_sign(left, start);
        };
        if let Operand::Values(test) = &left
            && !self.operand_follows(test, operator)
        {
            return self.compared_with_literal(test, operator, quantifier, start);
        }
        let Some(comparison) = comparison(operator) else {
            return Err(FilterError {
                span: sign_at,
                message: "what is calculated is compared with `==`, `!=`, `<`, `>`".to_owned(),
                suggestion: None,
                unfinished: false,
            });
        };
        let right = self.operand()?;
        let all = quantifier.unwrap_or(matches!(operator, Operator::NotEqual | Operator::AllEqual));
        self.related(left, comparison, right, all, start)
    }

    fn quantifier(&mut self) -> Option<bool> {
        let all = match self.word() {
            "all" => true,
            "any" => false,
            _ => return None,
        };
        self.advance();
        Some(all)
    }

    /// A number with no sign after it: most likely something is missing before it.
    fn number_stands_alone(&self) -> bool {
        let next = self.ahead(1);
        let signed = is_comparison(next, self.word_ahead(1)) || self.sign_ahead(1).is_some();
        self.peek() == &Token::Word && literal::constant(self.word()).is_some() && !signed
    }

    /// What has no comparison: a field is there, bits are set.
    fn without_sign(&mut self, left: Operand, start: usize) -> Result<Expression, FilterError> {
        match left {
            Operand::Values(mut test) if test.transform == Transform::None => {
                if let Some(info) = fields::find(test.field) {
                    test.check = existence(info);
                }
                test.span = start..self.end_before();
                Ok(Expression::Test(test))
            }
            bits @ Operand::Binary(Arithmetic::BitAnd, ..) => {
                self.related(bits, Comparison::NotEqual, Operand::number(0), false, start)
            }
            Operand::Values(_) => Err(self.wrong("expected a comparison after the function")),
            _ => Err(self.wrong("expected `==`, `!=`, `<` or `>` and a value")),
        }
    }

    fn compared_with_literal(
        &mut self,
        test: &Test,
        operator: Operator,
        quantifier: Option<bool>,
        start: usize,
    ) -> Result<Expression, FilterError> {
        let items = self.items(operator)?;
        let value_span = items.first().map_or(self.span(), |item| item.span.clone());
        let plain = test.transform == Transform::None && test.slice.is_none();
        let info = fields::find(test.field).filter(|_| plain);
        let target = literal::Target { kind: value_kind(test), info };
        let (matcher, negate) = literal::compile(target, operator, &items).map_err(|complaint| {
            let span = complaint.span.unwrap_or(value_span);
            let unfinished = complaint.unfinished && span.end == self.text.len();
            FilterError { span, message: complaint.message, suggestion: complaint.suggestion, unfinished }
        })?;
        let mut test = test.clone();
        let all = quantifier.unwrap_or(matches!(operator, Operator::NotEqual | Operator::AllEqual));
        test.check = Check::Compare { matcher, negate, all };
        test.span = start..self.end_before();
        let expression = Expression::Test(Box::new(test));
        let negated_set = operator == Operator::NotIn;
        Ok(if negated_set { Expression::Not(Box::new(expression)) } else { expression })
    }

    /// Whether what follows an operator is calculated or another field, and no plain value.
    fn operand_follows(&self, left: &Test, operator: Operator) -> bool {
        if comparison(operator).is_none() {
            return false;
        }
        let word = self.word();
        match self.peek() {
            Token::Symbol(Symbol::OpenParenthesis | Symbol::OpenBrace) => true,
            Token::Word if self.ahead(1) == &Token::Slice => fields::find(word).is_some(),
            Token::Word if self.ahead(1) == &Token::Symbol(Symbol::OpenParenthesis) => {
                TRANSFORMS.iter().any(|(name, _)| *name == word)
                    || NUMBER_FUNCTIONS.iter().any(|(name, _)| *name == word)
            }
            Token::Word if word.contains('.') && Self::field_named(word).is_some() => true,
            Token::Word => {
                let number = class(&Operand::Values(Box::new(left.clone()))) == Class::Number
                    || matches!(value_kind(left), Kind::Bytes);
                number && literal::constant(word).is_some() && self.sign_ahead(1).is_some()
            }
            _ => false,
        }
    }

    fn related(
        &self,
        mut left: Operand,
        comparison: Comparison,
        mut right: Operand,
        all: bool,
        start: usize,
    ) -> Result<Expression, FilterError> {
        let span = start..self.end_before();
        let (a, b) = (class(&left), class(&right));
        let mixed = matches!((a, b), (Class::Bytes, Class::Number) | (Class::Number, Class::Bytes));
        if a != b && !mixed {
            let message = format!("{} cannot be compared with {}", a.name(), b.name());
            return Err(FilterError { span, message, suggestion: None, unfinished: false });
        }
        let (mut duration, mut bytes) = (false, false);
        for operand in [&left, &right] {
            operand.fields(&mut |test| {
                duration |= value_kind(test) == Kind::Duration;
                bytes |= test.slice.is_some() && test.transform == Transform::None;
            });
        }
        for operand in [&mut left, &mut right] {
            operand.read_numbers(duration, bytes);
        }
        if let Some(test) = masked(&left, comparison, &right, &span) {
            return Ok(Expression::Test(Box::new(test)));
        }
        Ok(Expression::Relation(Box::new(Relation { span, left, comparison, right, all })))
    }

    /// Reads an operand with everything calculated.
    pub(super) fn operand(&mut self) -> Result<Operand, FilterError> {
        self.binary(0)
    }

    fn binary(&mut self, level: usize) -> Result<Operand, FilterError> {
        let Some(signs) = LEVELS.get(level) else { return self.single_operand() };
        let mut left = self.binary(level + 1)?;
        let mut count = 0usize;
        while let Some((_, sign)) = signs.iter().find(|(sign, _)| self.sign_ahead(0) == Some(*sign)) {
            count += 1;
            if count > super::grammar::NEST_MAX {
                return Err(self.wrong(format!("more than {} signs in a row", super::grammar::NEST_MAX)));
            }
            self.skip_sign();
            let right = self.binary(level + 1)?;
            left = join(*sign, left, right);
        }
        Ok(left)
    }

    /// The arithmetic sign at a token. Signs that are also part of words begin one.
    fn sign_ahead(&self, steps: usize) -> Option<char> {
        match self.ahead(steps) {
            Token::Symbol(Symbol::BitOr) => Some('|'),
            Token::Symbol(Symbol::Caret) => Some('^'),
            Token::Symbol(Symbol::BitAnd) => Some('&'),
            Token::Symbol(Symbol::ShiftLeft) => Some('l'),
            Token::Symbol(Symbol::ShiftRight) => Some('r'),
            Token::Word => {
                let word = self.word_ahead(steps);
                if word.eq_ignore_ascii_case("bitand") || word.eq_ignore_ascii_case("bitwise_and") {
                    return Some('&');
                }
                word.chars().next().filter(|first| matches!(first, '+' | '-' | '*' | '/' | '%'))
            }
            _ => None,
        }
    }

    /// Whether a comparison or arithmetic sign stands before this token.
    fn follows_sign(&self) -> bool {
        let (token, word) = self.behind();
        is_comparison(token, word)
            || matches!(
                token,
                Token::Symbol(
                    Symbol::BitAnd | Symbol::BitOr | Symbol::Caret | Symbol::ShiftLeft | Symbol::ShiftRight
                )
            )
            || matches!(word, "+" | "-" | "*" | "/" | "%")
    }

    fn skip_sign(&mut self) {
        let first = self.word().chars().next();
        if self.word().len() > 1 && first.is_some_and(|first| !first.is_alphabetic()) {
            self.skip(1);
        } else {
            self.advance();
        }
    }

    fn single_operand(&mut self) -> Result<Operand, FilterError> {
        let closing = match self.peek() {
            Token::Symbol(Symbol::OpenParenthesis) => Symbol::CloseParenthesis,
            Token::Symbol(Symbol::OpenBrace) => Symbol::CloseBrace,
            Token::Word => return self.word_operand(),
            _ => return Err(self.wrong("expected a field, bytes of a header, or a number")),
        };
        self.advance();
        self.deeper()?;
        let inner = self.operand()?;
        self.shallower();
        if !self.accept(closing) {
            let sign = if closing == Symbol::CloseBrace { '}' } else { ')' };
            return Err(self.wrong(format!("expected `{sign}`")));
        }
        Ok(inner)
    }

    fn word_operand(&mut self) -> Result<Operand, FilterError> {
        let word = self.word();
        let called = self.ahead(1) == &Token::Symbol(Symbol::OpenParenthesis);
        if let Some((_, function)) = NUMBER_FUNCTIONS.iter().find(|(name, _)| called && *name == word) {
            self.advance();
            self.advance();
            self.deeper()?;
            let mut all = vec![self.operand()?];
            while self.accept(Symbol::Comma) {
                all.push(self.operand()?);
            }
            self.shallower();
            self.close()?;
            return Ok(Operand::Function(*function, all));
        }
        if let Some(written) = written(word) {
            self.advance();
            return Ok(Operand::Number(written));
        }
        if let Some(length) = number_before_sign(word)
            && let Some(written) = word.get(..length).and_then(written)
        {
            self.skip(length);
            return Ok(Operand::Number(written));
        }
        if let Some(rest) = word.strip_prefix('-') {
            if rest.is_empty() {
                self.advance();
            } else {
                self.skip(1);
            }
            self.deeper()?;
            let inner = self.single_operand()?;
            self.shallower();
            return Ok(Operand::Negative(Box::new(inner)));
        }
        if let Some(access) = self.access()? {
            return Ok(access);
        }
        Ok(Operand::Values(Box::new(self.subject()?)))
    }

    /// tcpdump's `proto[offset:size]`; `None` where the bytes are meant as Wireshark means them.
    fn access(&mut self) -> Result<Option<Operand>, FilterError> {
        let Some(word) = header(self.word()).filter(|_| self.ahead(1) == &Token::Slice) else {
            return Ok(None);
        };
        let span = self.span_ahead(1);
        let body = self.text.get(span.start + 1..span.end.saturating_sub(1)).unwrap_or_default();
        let parts = body.split(',').map(slice_part).collect::<Option<Vec<_>>>();
        let plain = match parts.as_deref() {
            Some([SlicePart { start: 0.., length: Some(1 | 2 | 4), last: None }]) => true,
            Some(_) => false,
            None => return self.calculated_access(word, span).map(Some),
        };
        if !plain || !self.number_is_wanted() {
            return Ok(None);
        }
        let Some([SlicePart { start, length: Some(length), .. }]) = parts.as_deref() else { return Ok(None) };
        let access = Operand::Access {
            word,
            offset: Box::new(Operand::number(i64::from(*start))),
            size: *length as u8,
        };
        self.advance();
        self.advance();
        Ok(Some(access))
    }

    /// Whether the bytes named here are compared with a number, as tcpdump does.
    fn number_is_wanted(&self) -> bool {
        if self.sign_ahead(2).is_some() {
            return true;
        }
        if !is_comparison(self.ahead(2), self.word_ahead(2)) {
            // The right side of a comparison, or part of something calculated.
            return self.follows_sign();
        }
        match self.ahead(3) {
            Token::Symbol(Symbol::OpenParenthesis) => true,
            Token::Word => {
                let value = self.word_ahead(3);
                literal::constant(value).is_some()
                    || number_before_sign(value).is_some()
                    || header(value).is_some()
                    || fields::find(value).is_some()
            }
            _ => false,
        }
    }

    /// An offset that is calculated: `tcp[((tcp[12:1] & 0xf0) >> 2):4]`.
    fn calculated_access(&mut self, word: Word, span: Range<usize>) -> Result<Operand, FilterError> {
        let wrong = || FilterError {
            span: span.clone(),
            message: "expected an offset and, after `:`, 1, 2 or 4 bytes".to_owned(),
            suggestion: None,
            unfinished: false,
        };
        let mut inside = span.start + 1..span.end.saturating_sub(1);
        let mut size = 1;
        if let Some(colon) = last_colon(self.text.get(inside.clone()).unwrap_or_default()) {
            let digits = self.text.get(inside.start + colon + 1..inside.end).unwrap_or_default();
            size = digits.trim().parse().ok().filter(|size| matches!(size, 1 | 2 | 4)).ok_or_else(wrong)?;
            inside.end = inside.start + colon;
        }
        self.deeper()?;
        let mut inner = self.inside(&inside)?;
        let offset = inner.operand().map_err(|error| {
            let near = fields::nearest(inner.word(), OFFSETS.iter().map(|(name, _)| *name));
            let suggestion = near.map(str::to_owned).or(error.suggestion);
            FilterError { unfinished: false, suggestion, ..error }
        })?;
        if inner.peek() != &Token::End {
            return Err(wrong());
        }
        self.shallower();
        self.advance();
        self.advance();
        Ok(Operand::Access { word, offset: Box::new(offset), size })
    }

    /// A parser of a part of the text, as deep as this one.
    fn inside(&self, range: &Range<usize>) -> Result<Parser<'_>, FilterError> {
        let body = self.text.get(range.clone()).unwrap_or_default();
        let shift = |span: Range<usize>| span.start + range.start..span.end + range.start;
        let tokens = lex(body).map_err(|error| FilterError { span: shift(error.span.clone()), ..error })?;
        let tokens =
            tokens.into_iter().map(|lexeme| Lexeme { span: shift(lexeme.span.clone()), ..lexeme }).collect();
        Ok(self.with(tokens))
    }

    /// A field, with what is done to its value.
    fn subject(&mut self) -> Result<Test, FilterError> {
        let start = self.span().start;
        let called = self.ahead(1) == &Token::Symbol(Symbol::OpenParenthesis);
        let transform = TRANSFORMS.iter().find(|(name, _)| called && *name == self.word());
        let transform = transform.map_or(Transform::None, |(_, transform)| *transform);
        if transform != Transform::None {
            self.advance();
            self.advance();
        }
        let (info, quoted) = self.field()?;
        self.advance();
        let slice = self.slice(info)?;
        if transform != Transform::None {
            self.close()?;
        }
        let span = start..self.end_before();
        let test = Test {
            span,
            field: info.name,
            source: info.source,
            quoted,
            own: false,
            slice,
            transform,
            check: Check::Exists,
            streams: super::streams::Cache::default(),
        };
        Ok(test)
    }

    /// A field by name; `quoted.` asks for the datagram inside an ICMP error.
    fn field_named(word: &str) -> Option<&'static FieldInfo> {
        fields::find(word).or_else(|| fields::find(word.strip_prefix("quoted.")?))
    }

    fn slice(&mut self, info: &FieldInfo) -> Result<Option<Vec<SlicePart>>, FilterError> {
        if self.peek() != &Token::Slice {
            return Ok(None);
        }
        let span = self.span();
        let body = self.text.get(span.start + 1..span.end - 1).unwrap_or_default();
        if !matches!(info.kind, Kind::Bytes | Kind::Text | Kind::Name | Kind::Address) {
            return Err(self.wrong(format!("`{}` has no bytes to take a part of", info.name)));
        }
        let parts = body.split(',').map(slice_part).collect::<Option<Vec<_>>>();
        let Some(parts) = parts else {
            return Err(self.wrong(
                "expected a part of bytes: `[4]`, `[0:2]` (offset and length), `[2-5]`, `[:4]`, `[4:]`, `[-2:]`",
            ));
        };
        self.advance();
        Ok(Some(parts))
    }
}

/// `FIELD & NUMBER == NUMBER` as a test of the field, which columns can answer.
fn masked(left: &Operand, comparison: Comparison, right: &Operand, span: &Range<usize>) -> Option<Test> {
    let Operand::Binary(Arithmetic::BitAnd, field, mask) = left else { return None };
    let (Operand::Values(test), Operand::Number(mask), Operand::Number(value)) =
        (field.as_ref(), mask.as_ref(), right)
    else {
        return None;
    };
    let value = value.value;
    let ranges = match comparison {
        Comparison::Equal => vec![(value, value)],
        Comparison::NotEqual => vec![(i64::MIN, value.checked_sub(1)?), (value.checked_add(1)?, i64::MAX)],
        Comparison::Less => vec![(i64::MIN, value.checked_sub(1)?)],
        Comparison::LessOrEqual => vec![(i64::MIN, value)],
        Comparison::Greater => vec![(value.checked_add(1)?, i64::MAX)],
        Comparison::GreaterOrEqual => vec![(value, i64::MAX)],
    };
    let matcher = Matcher::Bits(mask.value, ranges);
    let bytes = value_kind(test) == Kind::Bytes;
    let matcher = if bytes { Matcher::BytesAsNumber(Box::new(matcher)) } else { matcher };
    let mut test = test.as_ref().clone();
    test.check = Check::Compare { matcher, negate: false, all: false };
    test.span = span.clone();
    Some(test)
}

fn comparison(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Equal | Operator::AllEqual => Comparison::Equal,
        Operator::NotEqual | Operator::AnyNotEqual => Comparison::NotEqual,
        Operator::Less => Comparison::Less,
        Operator::LessOrEqual => Comparison::LessOrEqual,
        Operator::Greater => Comparison::Greater,
        Operator::GreaterOrEqual => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// Whether a token is a comparison sign, or one of the words for it.
pub(super) fn is_comparison(token: &Token, word: &str) -> bool {
    match token {
        Token::Symbol(symbol) => matches!(
            symbol,
            Symbol::Equal
                | Symbol::AllEqual
                | Symbol::NotEqual
                | Symbol::AnyNotEqual
                | Symbol::Less
                | Symbol::LessOrEqual
                | Symbol::Greater
                | Symbol::GreaterOrEqual
        ),
        Token::Word => matches!(
            word.to_ascii_lowercase().as_str(),
            "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "any_eq" | "all_eq" | "any_ne" | "all_ne"
        ),
        _ => false,
    }
}

fn existence(info: &FieldInfo) -> Check {
    // Our own yes-or-no fields mean "yes" when they stand alone; Wireshark's mean "has the field".
    let own = matches!(
        info.source,
        Source::Flags(_) | Source::Note(_) | Source::Evidence(_) | Source::Attempt(_) | Source::Quote
    );
    if own && info.kind == Kind::Bool {
        Check::Compare { matcher: Matcher::Bool(true), negate: false, all: false }
    } else {
        Check::Exists
    }
}

fn slice_part(text: &str) -> Option<SlicePart> {
    let text = text.trim();
    if let Some((_, offset)) = OFFSETS.iter().find(|(name, _)| *name == text) {
        return Some(SlicePart { start: *offset as i32, length: Some(1), last: None });
    }
    let number = |text: &str| i32::try_from(matcher::whole(text.trim())?).ok();
    if let Some((start, length)) = text.split_once(':') {
        let start = if start.trim().is_empty() { 0 } else { number(start)? };
        let length = if length.trim().is_empty() { None } else { Some(u32::try_from(number(length)?).ok()?) };
        return Some(SlicePart { start, length, last: None });
    }
    if let Some(start) = number(text) {
        return Some(SlicePart { start, length: Some(1), last: None });
    }
    let dash = text.get(1..)?.find('-')? + 1;
    let (start, last) = (number(text.get(..dash)?)?, number(text.get(dash + 1..)?)?);
    Some(SlicePart { start, length: None, last: Some(last) })
}
