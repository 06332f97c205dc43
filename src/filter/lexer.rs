//! Cuts a filter text into tokens with byte spans, in one pass.

use std::ops::Range;

use super::FilterError;

/// Texts longer than this are refused before they are read.
pub const TEXT_MAX_BYTES: usize = 1 << 16;

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A field, keyword or bare value.
    Word,
    /// A quoted string, unescaped.
    Text(Vec<u8>),
    /// What stands between `[` and `]`.
    Slice,
    /// An operator or bracket.
    Symbol(Symbol),
    /// The end of the text.
    End,
}

/// Operators and brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the signs' own")]
pub enum Symbol {
    OpenParenthesis,
    CloseParenthesis,
    OpenBrace,
    CloseBrace,
    Comma,
    Equal,
    AllEqual,
    NotEqual,
    AnyNotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Xor,
    Not,
    BitAnd,
    BitOr,
    Caret,
    ShiftLeft,
    ShiftRight,
    Matches,
    Range,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lexeme {
    /// What it is.
    pub token: Token,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// All tokens of a text; the last is [`Token::End`].
pub fn lex(text: &str) -> Result<Vec<Lexeme>, FilterError> {
    if text.len() > TEXT_MAX_BYTES {
        return Err(FilterError {
            span: 0..text.len(),
            message: format!("the filter is longer than {TEXT_MAX_BYTES} bytes"),
            suggestion: None,
            unfinished: false,
        });
    }
    let mut lexer = Lexer { text, at: 0, out: Vec::new() };
    while lexer.next()? {}
    let end = text.len();
    lexer.out.push(Lexeme { token: Token::End, span: end..end });
    Ok(lexer.out)
}

/// Whether a character can stand in a word.
pub fn is_word(character: char) -> bool {
    character.is_alphanumeric()
        || matches!(character, '_' | '.' | ':' | '/' | '-' | '\\' | '$' | '@' | '%' | '*' | '+' | '?')
        || (!character.is_ascii() && !character.is_whitespace())
}

/// Signs of two or three characters first: the first that fits is taken.
const SYMBOLS: &[(&str, Symbol)] = &[
    ("===", Symbol::AllEqual),
    ("!==", Symbol::AnyNotEqual),
    ("<<", Symbol::ShiftLeft),
    (">>", Symbol::ShiftRight),
    ("==", Symbol::Equal),
    ("!=", Symbol::NotEqual),
    ("~=", Symbol::AnyNotEqual),
    ("<=", Symbol::LessOrEqual),
    (">=", Symbol::GreaterOrEqual),
    ("&&", Symbol::And),
    ("||", Symbol::Or),
    ("^^", Symbol::Xor),
    ("..", Symbol::Range),
    ("=", Symbol::Equal),
    ("<", Symbol::Less),
    (">", Symbol::Greater),
    ("!", Symbol::Not),
    ("&", Symbol::BitAnd),
    ("|", Symbol::BitOr),
    ("^", Symbol::Caret),
    ("~", Symbol::Matches),
    ("(", Symbol::OpenParenthesis),
    (")", Symbol::CloseParenthesis),
    ("{", Symbol::OpenBrace),
    ("}", Symbol::CloseBrace),
    (",", Symbol::Comma),
];

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    out: Vec<Lexeme>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, token: Token, length: usize) {
        self.out.push(Lexeme { token, span: self.at..self.at + length });
        self.at += length;
    }

    fn error(&self, span: Range<usize>, message: impl Into<String>, unfinished: bool) -> FilterError {
        let end = span.end.min(self.text.len());
        FilterError { span: span.start.min(end)..end, message: message.into(), suggestion: None, unfinished }
    }

    /// Reads one token; false at the end of the text.
    fn next(&mut self) -> Result<bool, FilterError> {
        let rest = self.rest();
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        let Some(first) = trimmed.chars().next() else { return Ok(false) };
        if first == '"' || first == '\'' {
            self.quoted(first, 0)?;
        } else if (trimmed.starts_with("r\"") || trimmed.starts_with("R\"")) && trimmed.is_char_boundary(1) {
            self.raw()?;
        } else if first == '[' {
            let Some(length) = bracketed(trimmed) else {
                return Err(self.error(self.at..self.text.len(), "`[` without its `]`", true));
            };
            self.push(Token::Slice, length);
        } else if let Some((sign, symbol)) = SYMBOLS.iter().find(|(sign, _)| trimmed.starts_with(sign)) {
            self.push(Token::Symbol(*symbol), sign.len());
        } else if is_word(first) {
            let length = word_length(trimmed);
            self.push(Token::Word, length);
        } else {
            let shown = crate::text::escape(&first.to_string());
            return Err(self.error(
                self.at..self.at + first.len_utf8(),
                format!("`{shown}` means nothing here"),
                false,
            ));
        }
        Ok(true)
    }

    fn raw(&mut self) -> Result<(), FilterError> {
        let body = self.rest().get(2..).unwrap_or_default();
        let Some(length) = body.find('"') else {
            return Err(self.error(self.at..self.text.len(), "the string has no closing quote", true));
        };
        let bytes = body.get(..length).unwrap_or_default().as_bytes().to_vec();
        self.push(Token::Text(bytes), length + 3);
        Ok(())
    }

    fn quoted(&mut self, quote: char, skip: usize) -> Result<(), FilterError> {
        let start = self.at + skip;
        let body = self.text.get(start + 1..).unwrap_or_default();
        let mut bytes = Vec::new();
        let mut characters = body.char_indices();
        while let Some((offset, character)) = characters.next() {
            if character == quote {
                self.push(Token::Text(bytes), skip + offset + 2);
                return Ok(());
            }
            if character != '\\' {
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            let escape = body.get(offset + 1..).unwrap_or_default();
            let Some(length) = unescape(escape, &mut bytes) else {
                let from = start + 1 + offset;
                let width = escape.chars().next().map_or(0, char::len_utf8);
                let mut error = self.error(
                    from..from + 1 + width,
                    "not an escape: write `\\\\` for a backslash, or a raw string r\"…\"",
                    width == 0,
                );
                error.suggestion = Some("r\"…\"".to_owned());
                return Err(error);
            };
            // The escape is ASCII except where `unescape` refused it.
            for _ in 0..length {
                characters.next();
            }
        }
        Err(self.error(self.at..self.text.len(), "the string has no closing quote", true))
    }
}

/// Bytes from a `[` to its `]`, both included; brackets inside are passed.
fn bracketed(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

fn word_length(text: &str) -> usize {
    let mut before = None;
    for (offset, character) in text.char_indices() {
        if !is_word(character) {
            return offset;
        }
        // `a..b` is a range, never part of a name.
        if character == '.' && before == Some('.') {
            return offset - 1;
        }
        before = Some(character);
    }
    text.len()
}

/// Decodes what follows a backslash as Wireshark does; the number of characters used, or `None`.
fn unescape(text: &str, out: &mut Vec<u8>) -> Option<usize> {
    let digits = |from: usize, length: usize, radix: u32| {
        u32::from_str_radix(text.get(from..from + length)?, radix).ok()
    };
    let simple = |byte: u8| Some(byte);
    let first = *text.as_bytes().first()?;
    let byte = match first {
        b'"' | b'\'' | b'\\' => simple(first),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'a' => simple(7),
        b'b' => simple(8),
        b'f' => simple(12),
        b'v' => simple(11),
        b'x' => {
            out.push(digits(1, 2, 16)? as u8);
            return Some(3);
        }
        b'u' | b'U' => {
            let length = if first == b'u' { 4 } else { 8 };
            let character = char::from_u32(digits(1, length, 16)?)?;
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(length + 1);
        }
        b'0'..=b'7' => {
            let length = text.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            out.push(digits(0, length, 8).filter(|value| *value < 256)? as u8);
            return Some(length);
        }
        _ => None,
    }?;
    out.push(byte);
    Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        lex(text).unwrap().iter().map(|l| text[l.span.clone()].to_owned()).collect()
    }

    #[test]
    fn ranges_split_words_and_addresses_do_not() {
        assert_eq!(words("13:24..13:27"), ["13:24", "..", "13:27", ""]);
        assert_eq!(words("ip.addr==2001:db8::/32"), ["ip.addr", "==", "2001:db8::/32", ""]);
        assert_eq!(words("udp[0:2]!=a"), ["udp", "[0:2]", "!=", "a", ""]);
    }

    #[test]
    fn strings_are_unescaped_as_wireshark_does() {
        let text = r#""a\"\x41\102\u00e9" r"\d""#;
        let tokens = lex(text).unwrap();
        assert_eq!(tokens[0].token, Token::Text("a\"AB\u{e9}".as_bytes().to_vec()));
        assert_eq!(tokens[1].token, Token::Text(b"\\d".to_vec()));
    }

    #[test]
    fn an_open_string_is_unfinished_and_a_wrong_escape_is_wrong() {
        assert!(lex("\"abc").unwrap_err().unfinished);
        let error = lex(r#"x matches "a\.b""#).unwrap_err();
        assert!(!error.unfinished);
        assert_eq!(error.span, 12..14);
    }
}
