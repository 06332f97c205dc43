//! The grammar: Wireshark's comparisons and tcpdump's primitives in one recursive descent over the tokens.
//!
//! `and` binds tighter than `or`, as in Wireshark; tcpdump reads them from left to right.

use std::ops::Range;

use super::FilterError;
use super::expression::{Expression, FUNCTIONS, NUMBER_FUNCTIONS, TRANSFORMS};
use super::fields::{self, FieldInfo};
use super::lexer::{Lexeme, Symbol, Token, lex};
use super::literal::{Item, Operator};
use super::matcher;
use super::named::{Named, Own};
use super::operand::is_comparison;
use super::primitive::Qualifiers;

/// Parentheses and functions deeper than this are refused.
pub const NEST_MAX: usize = 64;
/// Named filters are followed this deep.
pub const NAMES_MAX: usize = 8;

/// Words that are part of the grammar, offered as suggestions.
pub const KEYWORDS: &[&str] = &[
    "and",
    "or",
    "xor",
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
pub fn parse(text: &str, own: Own<'_>, named: &Named) -> Result<Expression, FilterError> {
    parse_at(text, 0, own, named)
}

fn parse_at(text: &str, names: usize, own: Own<'_>, named: &Named) -> Result<Expression, FilterError> {
    let tokens = lex(text)?;
    let mut parser = Parser {
        text,
        flat: is_tcpdumps(text, &tokens),
        closing: closing(&tokens),
        tokens,
        at: 0,
        skipped: 0,
        depth: 0,
        names,
        own,
        named,
        qualifiers: None,
    };
    if parser.peek() == &Token::End {
        return Ok(Expression::Everything);
    }
    let expression = parser.or()?;
    match parser.peek() {
        Token::End => Ok(expression),
        Token::Symbol(Symbol::CloseParenthesis) => Err(parser.wrong("`)` without its `(`")),
        _ => Err(parser.unjoined()),
    }
}

pub(super) struct Parser<'t> {
    pub text: &'t str,
    tokens: Vec<Lexeme>,
    at: usize,
    /// Bytes of the token here that are read already, where a sign or a number ends inside a word.
    skipped: usize,
    /// For each parenthesis or brace the token that closes it.
    closing: Vec<usize>,
    depth: usize,
    names: usize,
    /// Filters with names that only the caller knows.
    own: Own<'t>,
    /// The user's own and the shipped filters.
    named: &'t Named,
    /// `and` and `or` bind alike, from left to right.
    flat: bool,
    /// The qualifiers of the last tcpdump primitive, for `port 53 or 80`.
    pub qualifiers: Option<Qualifiers>,
}

static END: Lexeme = Lexeme { token: Token::End, span: 0..0 };

impl<'t> Parser<'t> {
    /// A parser of other tokens of the same text, as deep as this one.
    pub fn with(&self, tokens: Vec<Lexeme>) -> Self {
        Self {
            text: self.text,
            closing: closing(&tokens),
            tokens,
            at: 0,
            skipped: 0,
            depth: self.depth,
            names: self.names,
            own: self.own,
            named: self.named,
            flat: self.flat,
            qualifiers: None,
        }
    }

    pub fn lexeme(&self) -> &Lexeme {
        self.tokens.get(self.at).or(self.tokens.last()).unwrap_or(&END)
    }

    pub fn peek(&self) -> &Token {
        &self.lexeme().token
    }

    pub fn span(&self) -> Range<usize> {
        let span = &self.lexeme().span;
        span.start + self.skipped..span.end
    }

    pub fn span_ahead(&self, steps: usize) -> Range<usize> {
        self.tokens
            .get(self.at + steps)
            .map_or(self.text.len()..self.text.len(), |lexeme| lexeme.span.clone())
    }

    /// The token before this one, and its word.
    pub fn behind(&self) -> (&Token, &'t str) {
        let Some(lexeme) = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)) else {
            return (&Token::End, "");
        };
        let word = self.text.get(lexeme.span.clone()).filter(|_| lexeme.token == Token::Word);
        (&lexeme.token, word.unwrap_or_default())
    }

    /// Takes a part of the word here.
    pub fn skip(&mut self, bytes: usize) {
        self.skipped += bytes;
    }

    /// Counts a level that must be left again.
    pub fn deeper(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth <= NEST_MAX {
            return Ok(());
        }
        Err(FilterError {
            span: self.span(),
            message: format!("nested deeper than {NEST_MAX} levels"),
            suggestion: None,
            unfinished: false,
        })
    }

    pub fn shallower(&mut self) {
        self.depth -= 1;
    }

    pub fn ahead(&self, steps: usize) -> &Token {
        self.tokens.get(self.at + steps).map_or(&Token::End, |lexeme| &lexeme.token)
    }

    pub fn word_ahead(&self, steps: usize) -> &'t str {
        match self.tokens.get(self.at + steps) {
            Some(Lexeme { token: Token::Word, span }) => {
                let start = if steps == 0 { span.start + self.skipped } else { span.start };
                self.text.get(start..span.end).unwrap_or_default()
            }
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
        self.skipped = 0;
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
        self.deeper()?;
        let mut left = self.xor()?;
        loop {
            if self.is_joined_by("or", Symbol::Or) {
                self.advance();
                left = left.or(self.xor()?);
            } else if self.flat && self.is_joined_by("and", Symbol::And) {
                self.advance();
                left = left.and(self.and()?);
            } else {
                break;
            }
        }
        self.shallower();
        Ok(left)
    }

    /// The error about something that neither goes on nor ends a filter.
    fn unjoined(&self) -> FilterError {
        let (word, (_, before)) = (self.word(), self.behind());
        let mut error = self.wrong("expected `and` or `or` here");
        if word == "protochain" {
            "`protochain` is not known; `proto` asks for what follows the last extension header"
                .clone_into(&mut error.message);
            error.suggestion = Some("proto".to_owned());
        } else if matches!(before, "tcp" | "udp" | "sctp") && matcher::whole(word).is_some() {
            error.suggestion = Some(format!("port {word}"));
        } else if before == "mpls" && matcher::whole(word).is_some() {
            "the labels of MPLS are not read; `mpls` alone finds packets that have one"
                .clone_into(&mut error.message);
        } else if word == "like" {
            error.suggestion = Some("contains".to_owned());
        } else if matches!(word, "is" | "equals") {
            error.suggestion = Some("==".to_owned());
        }
        error
    }

    fn is_joined_by(&self, word: &str, sign: Symbol) -> bool {
        self.is_word(&[word]) || self.peek() == &Token::Symbol(sign)
    }

    fn xor(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.and()?;
        let mut count = 0;
        while self.is_joined_by("xor", Symbol::Xor) {
            // Each one nests what stands before it.
            self.deeper()?;
            count += 1;
            self.advance();
            left = Expression::Xor(Box::new([left, self.and()?]));
        }
        (0..count).for_each(|_| self.shallower());
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.not()?;
        while !self.flat && self.is_joined_by("and", Symbol::And) {
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
        if self.is_word(&["and", "or", "xor"]) {
            let message = format!("expected a field, a protocol or `(` before `{}`", self.word());
            return Err(self.wrong(message));
        }
        let inner = self.primary()?;
        Ok(if negations % 2 == 1 { Expression::Not(Box::new(inner)) } else { inner })
    }

    fn primary(&mut self) -> Result<Expression, FilterError> {
        if self.is_calculated() {
            return self.relation();
        }
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

    /// Whether the parenthesis here holds something calculated: a sign follows its end.
    fn is_calculated(&self) -> bool {
        let brace = self.peek() == &Token::Symbol(Symbol::OpenBrace);
        if !brace && self.peek() != &Token::Symbol(Symbol::OpenParenthesis) {
            return false;
        }
        let Some(steps) = self.closing.get(self.at).and_then(|end| end.checked_sub(self.at)) else {
            return false;
        };
        let (next, word) = (self.ahead(steps + 1), self.word_ahead(steps + 1));
        let signs = matches!(
            next,
            Token::Symbol(
                Symbol::BitAnd | Symbol::BitOr | Symbol::Caret | Symbol::ShiftLeft | Symbol::ShiftRight
            )
        );
        steps > 0
            && (brace || signs || is_comparison(next, word) || word.starts_with(['+', '-', '*', '/', '%']))
    }

    pub fn close(&mut self) -> Result<(), FilterError> {
        if self.accept(Symbol::CloseParenthesis) { Ok(()) } else { Err(self.wrong("expected `)`")) }
    }

    fn named(&mut self, name: &str) -> Result<Expression, FilterError> {
        let shipped = || self.named.find(name).map(|found| found.filter.clone());
        let Some(found) = (self.own)(name).or_else(shipped) else {
            let names = self.named.all().map(|filter| filter.name.as_str());
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
        let expression =
            parse_at(&found, self.names + 1, self.own, self.named).map_err(|error| FilterError {
                message: format!("in `${name}`: {}", error.message),
                span: span.clone(),
                suggestion: None,
                unfinished: false,
            })?;
        self.advance();
        Ok(relocate(expression, &span))
    }

    /// The field named here; `quoted.` asks for the datagram inside an ICMP error.
    pub fn field(&mut self) -> Result<(&'static FieldInfo, bool), FilterError> {
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
        let keywords = keywords
            .chain(TRANSFORMS.iter().map(|(name, _)| *name))
            .chain(NUMBER_FUNCTIONS.iter().map(|(name, _)| *name));
        if let Some((why, instead)) = fields::absent(word) {
            let mut error = self.unknown(why.to_owned(), names.chain(keywords));
            error.suggestion = instead.map(str::to_owned);
            return Err(error);
        }
        let shown = crate::text::escape(word);
        let message = if matcher::whole(word).is_some() {
            format!("expected a field before `{shown}`, such as `port {shown}` or `frame.number == {shown}`")
        } else if self.at == 0 || !matches!(self.peek(), Token::Word) {
            match shown.split_once('.').filter(|(family, _)| fields::find(family).is_some()) {
                Some((family, _)) => {
                    format!("no field is named `{shown}`; `portmortem fields {family}` lists those there are")
                }
                None => format!("no field, protocol or keyword is named `{shown}`"),
            }
        } else {
            format!("expected a field or protocol; none is named `{shown}`")
        };
        Err(self.unknown(message, names.chain(keywords).chain(["quoted."])))
    }

    pub fn operator(&mut self) -> Option<Operator> {
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
                    _ => return None,
                }
            }
            _ => return None,
        };
        self.advance();
        Some(operator)
    }

    /// The values after an operator: one, or a set.
    pub fn items(&mut self, operator: Operator) -> Result<Vec<Item>, FilterError> {
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
            _ => Ok(vec![self.single()?]),
        }
    }

    fn single(&mut self) -> Result<Item, FilterError> {
        let item = match self.peek() {
            Token::Text(bytes) => {
                let single = self.text.get(self.span().start..).is_some_and(|rest| rest.starts_with('\''));
                Item::quoted(bytes.clone(), single, self.span())
            }
            Token::Word => Item::bare(self.word(), self.span()),
            // `=>` and `=<` are signs turned round.
            Token::Symbol(sign @ (Symbol::Greater | Symbol::Less))
                if self.behind().0 == &Token::Symbol(Symbol::Equal) =>
            {
                let mut error = self.wrong("expected a value");
                error.suggestion = Some(if *sign == Symbol::Less { "<=" } else { ">=" }.to_owned());
                return Err(error);
            }
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

fn relocate(expression: Expression, span: &Range<usize>) -> Expression {
    match expression {
        Expression::Everything => Expression::Everything,
        Expression::And(parts) => Expression::And(parts.into_iter().map(|p| relocate(p, span)).collect()),
        Expression::Or(parts) => Expression::Or(parts.into_iter().map(|p| relocate(p, span)).collect()),
        Expression::Xor(parts) => Expression::Xor(Box::new(parts.map(|part| relocate(part, span)))),
        Expression::Not(inner) => Expression::Not(Box::new(relocate(*inner, span))),
        Expression::Function(function, inner) => {
            Expression::Function(function, Box::new(relocate(*inner, span)))
        }
        Expression::Test(mut test) => {
            test.span = span.clone();
            Expression::Test(test)
        }
        Expression::Relation(mut relation) => {
            relation.span = span.clone();
            Expression::Relation(relation)
        }
    }
}

/// For each opening parenthesis or brace the token that closes it; for all others themselves.
fn closing(tokens: &[Lexeme]) -> Vec<usize> {
    let mut ends: Vec<usize> = (0..tokens.len()).collect();
    let mut open = Vec::new();
    for (at, lexeme) in tokens.iter().enumerate() {
        match lexeme.token {
            Token::Symbol(Symbol::OpenParenthesis | Symbol::OpenBrace) => open.push(at),
            Token::Symbol(Symbol::CloseParenthesis | Symbol::CloseBrace) => {
                if let Some(end) = open.pop().and_then(|start| ends.get_mut(start)) {
                    *end = at;
                }
            }
            _ => {}
        }
    }
    ends
}

/// Words only tcpdump's language has.
const TCPDUMP_WORDS: &[&str] = &["host", "net", "port", "portrange", "src", "dst", "proto"];

/// Whether a text is written in tcpdump's words alone, and so means what it means there.
pub(super) fn is_tcpdumps(text: &str, tokens: &[Lexeme]) -> bool {
    let mut habit = false;
    for (at, lexeme) in tokens.iter().enumerate() {
        match lexeme.token {
            Token::Text(_) | Token::Symbol(Symbol::OpenBrace | Symbol::Matches | Symbol::Range) => {
                return false;
            }
            Token::Word => {
                let word = text.get(lexeme.span.clone()).unwrap_or_default();
                let called = tokens.get(at + 1).map(|next| &next.token)
                    == Some(&Token::Symbol(Symbol::OpenParenthesis));
                let ours = word.starts_with('$')
                    || called
                        && (FUNCTIONS.iter().any(|(name, _, _)| *name == word)
                            || TRANSFORMS.iter().any(|(name, _)| *name == word))
                    || matches!(word, "contains" | "matches" | "in" | "any" | "all")
                    || fields::find(word).is_some_and(|info| info.name.contains('.') && word != "len")
                    || word.starts_with("quoted.");
                if ours {
                    return false;
                }
                habit |= TCPDUMP_WORDS.contains(&word);
            }
            _ => {}
        }
    }
    habit
}
