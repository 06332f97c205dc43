//! The grammar: Wireshark's comparisons and tcpdump's primitives in one recursive descent over the tokens.
//!
//! `and` binds tighter than `or`, as in Wireshark; tcpdump reads them from left to right.

use std::ops::Range;

use super::FilterError;
use super::expression::{Check, Expression, FUNCTIONS, SlicePart, Test, Transform};
use super::fields::{self, FieldInfo, Source};
use super::lexer::{Lexeme, Symbol, Token, lex};
use super::literal::{self, Item, Operator};
use super::matcher;
use super::primitive::Qualifiers;
use crate::protocols::Kind;

/// Parentheses and functions deeper than this are refused.
pub const NEST_MAX: usize = 64;
/// Named filters are followed this deep.
pub const NAMES_MAX: usize = 8;

/// Words that are part of the grammar, offered as suggestions.
pub const KEYWORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "in",
    "contains",
    "matches",
    "host",
    "net",
    "port",
    "portrange",
    "src",
    "dst",
    "proto",
    "less",
    "greater",
    "broadcast",
    "multicast",
];

/// Parses a text.
pub fn parse(text: &str) -> Result<Expression, FilterError> {
    parse_at(text, 0)
}

fn parse_at(text: &str, names: usize) -> Result<Expression, FilterError> {
    let tokens = lex(text)?;
    let mut parser = Parser { text, tokens, at: 0, depth: 0, names, qualifiers: None };
    if parser.peek() == &Token::End {
        return Ok(Expression::Everything);
    }
    let expression = parser.or()?;
    match parser.peek() {
        Token::End => Ok(expression),
        Token::Symbol(Symbol::CloseParenthesis) => Err(parser.wrong("`)` without its `(`")),
        _ => Err(parser.wrong("expected `and` or `or` here")),
    }
}

pub(super) struct Parser<'t> {
    pub text: &'t str,
    tokens: Vec<Lexeme>,
    at: usize,
    depth: usize,
    names: usize,
    /// The qualifiers of the last tcpdump primitive, for `port 53 or 80`.
    pub qualifiers: Option<Qualifiers>,
}

static END: Lexeme = Lexeme { token: Token::End, span: 0..0 };

impl<'t> Parser<'t> {
    pub fn lexeme(&self) -> &Lexeme {
        self.tokens.get(self.at).or(self.tokens.last()).unwrap_or(&END)
    }

    pub fn peek(&self) -> &Token {
        &self.lexeme().token
    }

    pub fn span(&self) -> Range<usize> {
        self.lexeme().span.clone()
    }

    fn ahead(&self, steps: usize) -> &Token {
        self.tokens.get(self.at + steps).map_or(&Token::End, |lexeme| &lexeme.token)
    }

    pub fn word_ahead(&self, steps: usize) -> &'t str {
        match self.tokens.get(self.at + steps) {
            Some(Lexeme { token: Token::Word, span }) => self.text.get(span.clone()).unwrap_or_default(),
            _ => "",
        }
    }

    /// The word here, or nothing.
    pub fn word(&self) -> &'t str {
        self.word_ahead(0)
    }

    pub fn is_word(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.word().eq_ignore_ascii_case(word))
    }

    pub fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    /// The end of the token before this one.
    pub fn end_before(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |lexeme| lexeme.span.end)
    }

    pub fn accept(&mut self, symbol: Symbol) -> bool {
        let found = self.peek() == &Token::Symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    /// An error at the token here; unfinished when the text ends here.
    pub fn wrong(&self, message: impl Into<String>) -> FilterError {
        FilterError {
            span: self.span(),
            message: message.into(),
            suggestion: None,
            unfinished: self.peek() == &Token::End,
        }
    }

    /// An error about a word that is none of `names`: suggests the nearest, and is unfinished where one begins with it.
    pub fn unknown<'n>(&self, message: String, names: impl Iterator<Item = &'n str> + Clone) -> FilterError {
        let mut error = self.wrong(message);
        let word = self.word();
        let begins = |name: &str| {
            name.len() > word.len()
                && name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        error.unfinished |=
            self.span().end == self.text.len() && !word.is_empty() && names.clone().any(begins);
        error.suggestion = fields::nearest(word, names).map(str::to_owned);
        error
    }

    fn or(&mut self) -> Result<Expression, FilterError> {
        self.depth += 1;
        if self.depth > NEST_MAX {
            return Err(FilterError {
                span: self.span(),
                message: format!("nested deeper than {NEST_MAX} levels"),
                suggestion: None,
                unfinished: false,
            });
        }
        let mut left = self.and()?;
        while self.is_word(&["or"]) || self.peek() == &Token::Symbol(Symbol::Or) {
            self.advance();
            left = left.or(self.and()?);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.not()?;
        while self.is_word(&["and"]) || self.peek() == &Token::Symbol(Symbol::And) {
            self.advance();
            left = left.and(self.not()?);
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression, FilterError> {
        let mut negations = 0usize;
        while self.is_word(&["not"]) || self.peek() == &Token::Symbol(Symbol::Not) {
            self.advance();
            negations += 1;
        }
        let inner = self.primary()?;
        Ok(if negations % 2 == 1 { Expression::Not(Box::new(inner)) } else { inner })
    }

    fn primary(&mut self) -> Result<Expression, FilterError> {
        if self.accept(Symbol::OpenParenthesis) {
            let inner = self.or()?;
            self.close()?;
            return Ok(inner);
        }
        if self.peek() != &Token::Word {
            return Err(self.wrong("expected a field, a protocol or `(`"));
        }
        let word = self.word();
        if let Some((_, function, _)) = FUNCTIONS.iter().find(|(name, _, _)| *name == word)
            && self.ahead(1) == &Token::Symbol(Symbol::OpenParenthesis)
        {
            self.advance();
            self.advance();
            let inner = self.or()?;
            self.close()?;
            return Ok(Expression::Function(*function, Box::new(inner)));
        }
        if let Some(name) = word.strip_prefix('$') {
            return self.named(name);
        }
        if let Some(expression) = self.primitive()? {
            return Ok(expression);
        }
        self.qualifiers = None;
        self.relation()
    }

    fn close(&mut self) -> Result<(), FilterError> {
        if self.accept(Symbol::CloseParenthesis) { Ok(()) } else { Err(self.wrong("expected `)`")) }
    }

    fn named(&mut self, name: &str) -> Result<Expression, FilterError> {
        let Some(found) = super::named::find(name) else {
            let names = super::named::shipped().iter().map(|filter| filter.name.as_str());
            let mut error = self.wrong(format!("no filter is named `{name}`"));
            error.suggestion = fields::nearest(name, names.clone()).map(|near| format!("${near}"));
            error.unfinished = self.span().end == self.text.len()
                && names.clone().any(|full| full.len() > name.len() && full.starts_with(name));
            return Err(error);
        };
        if self.names >= NAMES_MAX {
            return Err(self.wrong("named filters refer to each other too deeply"));
        }
        let span = self.span();
        let expression = parse_at(&found.filter, self.names + 1).map_err(|error| FilterError {
            message: format!("in `${name}`: {}", error.message),
            span: span.clone(),
            suggestion: None,
            unfinished: false,
        })?;
        self.advance();
        Ok(relocate(expression, &span))
    }

    /// `FIELD`, `FIELD OPERATOR VALUE`, `any FIELD …`, `all FIELD …`, `len(FIELD) …`.
    fn relation(&mut self) -> Result<Expression, FilterError> {
        let start = self.span().start;
        let quantifier = self.quantifier();
        let transform = self.transform();
        let (info, quoted) = self.field()?;
        self.advance();
        let slice = self.slice(info)?;
        if transform != Transform::None {
            self.close()?;
        }
        let mut test = Test {
            span: start..start,
            field: info.name,
            source: info.source,
            quoted,
            slice,
            transform,
            check: Check::Exists,
        };
        let kind = match transform {
            Transform::Length | Transform::Count => Kind::Number,
            _ if test.slice.is_some() => Kind::Bytes,
            _ => info.kind,
        };
        let Some(operator) = self.operator() else {
            if transform != Transform::None {
                return Err(self.wrong("expected a comparison after the function"));
            }
            test.check = existence(info);
            test.span.end = self.end_before();
            return Ok(Expression::Test(Box::new(test)));
        };
        let negated_set = operator == Operator::NotIn;
        let items = self.items(operator)?;
        let value_span = items.first().map_or(self.span(), |item| item.span.start..item.span.end);
        let plain = transform == Transform::None && test.slice.is_none();
        let target =
            literal::Target { kind, info: plain.then_some(info), numeric_bytes: test.slice.is_some() };
        let (matcher, negate) = literal::compile(target, operator, &items).map_err(|complaint| {
            let span = complaint.span.unwrap_or(value_span);
            let unfinished = complaint.unfinished && span.end == self.text.len();
            FilterError { span, message: complaint.message, suggestion: complaint.suggestion, unfinished }
        })?;
        let all = quantifier.unwrap_or(matches!(operator, Operator::NotEqual | Operator::AllEqual));
        test.check = Check::Compare { matcher, negate, all };
        test.span.end = self.end_before();
        let expression = Expression::Test(Box::new(test));
        Ok(if negated_set { Expression::Not(Box::new(expression)) } else { expression })
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

    fn transform(&mut self) -> Transform {
        let transform = match self.word() {
            "len" => Transform::Length,
            "count" => Transform::Count,
            "lower" => Transform::Lower,
            "upper" => Transform::Upper,
            _ => return Transform::None,
        };
        if self.ahead(1) != &Token::Symbol(Symbol::OpenParenthesis) {
            return Transform::None;
        }
        self.advance();
        self.advance();
        transform
    }

    /// The field named here; `quoted.` asks for the datagram inside an ICMP error.
    fn field(&mut self) -> Result<(&'static FieldInfo, bool), FilterError> {
        let word = self.word();
        if let Some(info) = fields::find(word) {
            return Ok((info, false));
        }
        if let Some(info) = word.strip_prefix("quoted.").and_then(fields::find) {
            if !info.can_be_quoted() {
                return Err(self.wrong(format!("a quoted datagram has no `{}`", info.name)));
            }
            return Ok((info, true));
        }
        let names = fields::all().iter().flat_map(|info| info.aliases.iter().chain([&info.name])).copied();
        if let Some(rest) = word.strip_prefix("quoted.") {
            let mut error = self.wrong(format!("no field is named `{}`", crate::text::escape(rest)));
            error.unfinished |=
                self.span().end == self.text.len() && names.clone().any(|name| name.starts_with(rest));
            error.suggestion = fields::nearest(rest, names).map(|near| format!("quoted.{near}"));
            return Err(error);
        }
        let keywords = KEYWORDS.iter().copied().chain(FUNCTIONS.iter().map(|(name, _, _)| *name));
        let shown = crate::text::escape(word);
        let message = if matcher::whole(word).is_some() {
            format!("expected a field before `{shown}`, such as `port {shown}` or `frame.number == {shown}`")
        } else if self.at == 0 || !matches!(self.peek(), Token::Word) {
            format!("no field, protocol or keyword is named `{shown}`")
        } else {
            format!("expected a field or protocol; none is named `{shown}`")
        };
        Err(self.unknown(message, names.chain(keywords).chain(["quoted."])))
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

    fn operator(&mut self) -> Option<Operator> {
        let operator = match self.peek() {
            Token::Symbol(symbol) => match symbol {
                Symbol::Equal => Operator::Equal,
                Symbol::AllEqual => Operator::AllEqual,
                Symbol::NotEqual => Operator::NotEqual,
                Symbol::AnyNotEqual => Operator::AnyNotEqual,
                Symbol::Less => Operator::Less,
                Symbol::LessOrEqual => Operator::LessOrEqual,
                Symbol::Greater => Operator::Greater,
                Symbol::GreaterOrEqual => Operator::GreaterOrEqual,
                Symbol::Matches => Operator::Matches,
                Symbol::BitAnd => Operator::Bits,
                _ => return None,
            },
            Token::Word => {
                let word = self.word().to_ascii_lowercase();
                if word == "not" && self.word_ahead(1).eq_ignore_ascii_case("in") {
                    self.advance();
                    self.advance();
                    return Some(Operator::NotIn);
                }
                match word.as_str() {
                    "eq" | "any_eq" => Operator::Equal,
                    "all_eq" => Operator::AllEqual,
                    "ne" | "all_ne" => Operator::NotEqual,
                    "any_ne" => Operator::AnyNotEqual,
                    "lt" => Operator::Less,
                    "le" => Operator::LessOrEqual,
                    "gt" => Operator::Greater,
                    "ge" => Operator::GreaterOrEqual,
                    "contains" => Operator::Contains,
                    "matches" => Operator::Matches,
                    "in" => Operator::In,
                    "bitand" | "bitwise_and" => Operator::Bits,
                    _ => return None,
                }
            }
            _ => return None,
        };
        self.advance();
        Some(operator)
    }

    /// The values after an operator: one, a set, or a mask with what it is compared with.
    fn items(&mut self, operator: Operator) -> Result<Vec<Item>, FilterError> {
        match operator {
            Operator::In | Operator::NotIn if self.accept(Symbol::OpenBrace) => {
                let mut items = vec![self.item()?];
                loop {
                    if self.accept(Symbol::CloseBrace) {
                        return Ok(items);
                    }
                    // Wireshark takes a space between the values of a set as well as a comma.
                    if !self.accept(Symbol::Comma) && !matches!(self.peek(), Token::Word | Token::Text(_)) {
                        return Err(self.wrong("expected `,` or `}`"));
                    }
                    if self.accept(Symbol::CloseBrace) {
                        return Ok(items);
                    }
                    items.push(self.item()?);
                }
            }
            Operator::In | Operator::NotIn => {
                let item = self.item()?;
                if item.to.is_none() && matcher::address_range(&item.text).is_none() {
                    return Err(FilterError {
                        span: item.span,
                        message: "expected a set `{a, b..c}`, a range `a..b` or a prefix after `in`"
                            .to_owned(),
                        suggestion: None,
                        unfinished: self.peek() == &Token::End,
                    });
                }
                Ok(vec![item])
            }
            Operator::Bits => self.mask(),
            _ => Ok(vec![self.single()?]),
        }
    }

    /// `& MASK`, `& (a|b) != 0`.
    fn mask(&mut self) -> Result<Vec<Item>, FilterError> {
        let mut items = Vec::new();
        if self.accept(Symbol::OpenParenthesis) {
            items.push(self.single()?);
            while self.accept(Symbol::BitOr) {
                items.push(self.single()?);
            }
            self.close()?;
        } else {
            items.push(self.single()?);
        }
        if let Some(operator) = self.operator() {
            let mut item = self.single()?;
            item.operator = Some(operator);
            items.push(item);
        }
        Ok(items)
    }

    fn single(&mut self) -> Result<Item, FilterError> {
        let item = match self.peek() {
            Token::Text(bytes) => Item::quoted(bytes.clone(), self.span()),
            Token::Word => Item::bare(self.word(), self.span()),
            _ => return Err(self.wrong("expected a value")),
        };
        self.advance();
        Ok(item)
    }

    fn item(&mut self) -> Result<Item, FilterError> {
        let mut item = self.single()?;
        // A date and a time of day are two words.
        if matcher::moment(&item.text).is_some_and(|m| m.has_date)
            && self.word().contains(':')
            && !item.quoted
        {
            let clock = self.word();
            item.text = format!("{} {clock}", item.text);
            item.span.end = self.span().end;
            self.advance();
        }
        if self.accept(Symbol::Range) {
            let to = self.single()?;
            item.span.end = to.span.end;
            item.to = Some(to.text);
        }
        Ok(item)
    }
}

fn existence(info: &FieldInfo) -> Check {
    // Our own yes-or-no fields mean "yes" when they stand alone; Wireshark's mean "has the field".
    let own = matches!(info.source, Source::Flags(_) | Source::Note(_) | Source::Evidence(_) | Source::Quote);
    if own && info.kind == Kind::Bool {
        Check::Compare { matcher: matcher::Matcher::Bool(true), negate: false, all: false }
    } else {
        Check::Exists
    }
}

fn relocate(expression: Expression, span: &Range<usize>) -> Expression {
    match expression {
        Expression::Everything => Expression::Everything,
        Expression::And(parts) => Expression::And(parts.into_iter().map(|p| relocate(p, span)).collect()),
        Expression::Or(parts) => Expression::Or(parts.into_iter().map(|p| relocate(p, span)).collect()),
        Expression::Not(inner) => Expression::Not(Box::new(relocate(*inner, span))),
        Expression::Function(function, inner) => {
            Expression::Function(function, Box::new(relocate(*inner, span)))
        }
        Expression::Test(mut test) => {
            test.span = span.clone();
            Expression::Test(test)
        }
    }
}

/// Offsets of header fields that tcpdump has names for.
const OFFSETS: &[(&str, i32)] =
    &[("tcpflags", 13), ("icmptype", 0), ("icmpcode", 1), ("icmp6type", 0), ("icmp6code", 1)];

fn slice_part(text: &str) -> Option<SlicePart> {
    let text = text.trim();
    if let Some((_, offset)) = OFFSETS.iter().find(|(name, _)| *name == text) {
        return Some(SlicePart { start: *offset, length: Some(1), last: None });
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
