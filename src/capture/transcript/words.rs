//! Splits printed text into words, whatever a mail program, a wiki or a terminal did to its blanks.

use super::PREFIX_MAX_WORDS;

/// Marks and blanks in front of a quoted line are never more.
const QUOTATION_MAX_BYTES: usize = 128;

/// Words of a remark before an IP header.
const REMARK_MAX_WORDS: usize = 12;

/// One word of the text and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The word, without the blanks around it; empty where it is not UTF-8.
    pub text: &'a str,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
}

/// Splits text at blanks of every width, line ends, and quotation marks that wrap around a pasted line.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// The words of `text` from byte `at` on.
    pub fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// Where the next word will be looked for.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The text up to a place.
    pub(super) fn text_before(&self, end: usize) -> &'a [u8] {
        self.text.get(..end).unwrap_or_default()
    }

    /// Whether a line ends between two places.
    pub(super) fn has_line_end(&self, from: usize, to: usize) -> bool {
        self.text.get(from..to).is_some_and(|between| between.contains(&b'\n'))
    }

    /// The text that is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next word without consuming it.
    pub fn peek(&self) -> Option<Word<'a>> {
        self.clone_next().0
    }

    /// The next word, where a `>` at the start of a line may be the arrow between two hosts. Elsewhere one there is the
    /// mark of a quoted mail, and no word.
    pub fn arrow(&mut self) -> Option<Word<'a>> {
        let (word, at) = self.raw_next();
        self.at = at;
        let again = self.raw_next();
        if let (Some(first), Some(second)) = (word, again.0)
            && is_quotation(self.text, first)
            && is_arrow(second.text)
        {
            self.at = again.1;
            return again.0;
        }
        word
    }

    fn clone_next(&self) -> (Option<Word<'a>>, usize) {
        let mut ahead = *self;
        loop {
            let (word, at) = ahead.raw_next();
            match word {
                Some(word) if is_quotation(self.text, word) => ahead.at = at,
                _ => return (word, at),
            }
        }
    }

    fn raw_next(&self) -> (Option<Word<'a>>, usize) {
        let mut at = self.at;
        while let Some(length) = blank(self.text, at) {
            at += length;
        }
        let start = at;
        while let Some(byte) = self.text.get(at) {
            // Whatever is no blank in ASCII is none, but for what begins one of those of other alphabets.
            let is_plain = (0x21..0xc2).contains(byte);
            if !is_plain && blank(self.text, at).is_some() {
                break;
            }
            at += 1;
        }
        if at == start {
            return (None, at);
        }
        let text = self.text.get(start..at).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or("");
        (Some(Word { text, start, end: at }), at)
    }
}

#[expect(clippy::copy_iterator, reason = "a copy looks ahead without moving the original")]
impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let (word, at) = self.clone_next();
        self.at = at;
        word
    }
}

/// How many bytes a blank at `at` has: ASCII blanks, no-break and other wide or narrow spaces, zero-width marks, typographic
/// quotation marks. None of them occurs in what tcpdump prints of a packet but as what it replaces.
fn blank(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at)? {
        b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => Some(1),
        0xc2 => (text.get(at + 1) == Some(&0xa0)).then_some(2),
        0xe2 => match text.get(at + 1..at + 3)? {
            // U+2000 to U+200F: spaces of all widths, zero-width space and joiners, direction marks.
            [0x80, 0x80..=0x8f] => Some(3),
            // U+2018 to U+201F: typographic quotation marks; U+2028, U+2029, U+202F: line, paragraph, narrow space.
            [0x80, 0x98..=0x9f | 0xa8 | 0xa9 | 0xaf] => Some(3),
            // U+205F, U+2060: mathematical space, word joiner.
            [0x81, 0x9f | 0xa0] => Some(3),
            _ => None,
        },
        // U+FEFF: byte-order mark.
        0xef => (text.get(at + 1..at + 3) == Some(&[0xbb, 0xbf])).then_some(3),
        // U+3000: ideographic space.
        0xe3 => (text.get(at + 1..at + 3) == Some(&[0x80, 0x80])).then_some(3),
        _ => None,
    }
}

/// Whether a word is the `>`, `>>` or `|` in front of a quoted or boxed line.
fn is_quotation(text: &[u8], word: Word<'_>) -> bool {
    let marks = word.text.bytes().all(|byte| matches!(byte, b'>' | b'|')) && !word.text.is_empty();
    if !marks || word.start == 0 {
        return false;
    }
    let before = text.get(..word.start).unwrap_or_default();
    let line = memchr::memrchr(b'\n', before).map(|at| at + 1);
    line.filter(|line| before.len() - line <= QUOTATION_MAX_BYTES).is_some_and(|line| {
        before.get(line..).unwrap_or_default().iter().all(|byte| matches!(byte, b' ' | b'\t' | b'>' | b'|'))
    })
}

/// Whether a word stands for the `>` between source and destination, as tcpdump, word processors and web pages write it.
pub fn is_arrow(word: &str) -> bool {
    matches!(
        word,
        ">" | "=>" | "›" | "»" | "→" | "⇒" | "⟶" | "➜" | "➔" | "&gt;" | "\\>" | "->" | "â€º" | "‚Ä∫"
    )
}

/// Passes what `-v` prints of an IP header between brackets. Where the closing one is lost (a forum makes a picture of `8)`),
/// the line's end is that of the group.
pub fn header_group<'a>(words: &mut Words<'a>) -> Option<Word<'a>> {
    // `[total length 5373 > length 3058] (invalid)` stands before it from version 5 on.
    if words.peek().is_some_and(|word| word.text.starts_with('[') && !word.text.contains(']')) {
        let mut ahead = *words;
        if ahead.by_ref().take(REMARK_MAX_WORDS).any(|word| word.text.ends_with(']')) {
            *words = ahead;
        }
    }
    if words.peek().is_some_and(|word| word.text == "(invalid)") {
        words.next();
    }
    let first = words.peek().filter(|word| word.text.starts_with('('))?;
    let line = words.text.get(first.start..)?;
    let line = line.get(..memchr::memchr(b'\n', line).unwrap_or(line.len()));
    let mut ahead = *words;
    let closed = group(&mut ahead);
    // The next line begins with the hosts, which stand in no group.
    let own_end = first.start + line.map_or(0, <[u8]>::len);
    if closed.is_none_or(|word| word.end > own_end) && first.text.starts_with("(tos") {
        let mut below = Words::new(words.text, own_end);
        let (source, arrow) = (below.next(), below.arrow());
        if source.is_some() && arrow.is_some_and(|arrow| is_arrow(arrow.text)) {
            words.at = own_end;
            let inner = words.text.get(first.start + 1..own_end)?;
            let text = std::str::from_utf8(inner).unwrap_or("");
            return Some(Word { text, start: first.start + 1, end: own_end });
        }
    }
    let word = closed?;
    *words = ahead;
    Some(word)
}

/// Passes a `(…)` group, brackets counted; gives its text without the outer brackets.
pub fn group<'a>(words: &mut Words<'a>) -> Option<Word<'a>> {
    let start = words.peek().filter(|word| word.text.starts_with('('))?.start;
    let mut depth = 0i32;
    for _ in 0..PREFIX_MAX_WORDS {
        let word = words.next()?;
        depth += word.text.matches('(').count() as i32 - word.text.matches(')').count() as i32;
        if depth <= 0 {
            let inner = words.text.get(start + 1..word.end)?;
            let inner = inner.strip_suffix(b",").unwrap_or(inner);
            let inner = inner.strip_suffix(b")").unwrap_or(inner);
            return Some(Word {
                text: std::str::from_utf8(inner).unwrap_or(""),
                start: start + 1,
                end: start + 1 + inner.len(),
            });
        }
    }
    None
}
