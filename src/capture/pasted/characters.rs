//! Turns the bytes of a text into UTF-8, whatever saved or mailed them: UTF-16, Windows-1252, quoted-printable.

use std::borrow::Cow;

/// Bytes looked at to tell UTF-16 without a mark.
const LOOK_BYTES: usize = 1 << 10;
/// Lines of quoted-printable text are never longer (RFC 2045 §6.7).
const QUOTED_LINE_MAX: usize = 78;

/// The order of the bytes of UTF-16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wide {
    Little,
    Big,
}

impl Wide {
    /// By the mark at the beginning, or because nearly every other byte is zero, as of text in Latin letters.
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xfe, third, fourth, ..] if (*third, *fourth) != (0, 0) => return Some(Self::Little),
            [0xfe, 0xff, ..] => return Some(Self::Big),
            _ => {}
        }
        let look = bytes.get(..LOOK_BYTES.min(bytes.len() & !1)).unwrap_or_default();
        let zeros = |odd: usize| look.chunks_exact(2).filter(|pair| pair.get(odd) == Some(&0)).count();
        let printable = |odd: usize| {
            let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e);
            look.chunks_exact(2).filter(|pair| pair.get(odd).is_some_and(is_text)).count()
        };
        let pairs = look.len() / 2;
        let mostly = |count: usize| pairs >= 8 && count * 10 >= pairs * 9;
        if mostly(zeros(1)) && mostly(printable(0)) {
            Some(Self::Little)
        } else if mostly(zeros(0)) && mostly(printable(1)) {
            Some(Self::Big)
        } else {
            None
        }
    }
}

/// Whether the bytes are text in UTF-16.
pub(in crate::capture) fn is_wide(bytes: &[u8]) -> bool {
    Wide::of(bytes).is_some()
}

/// The text of a whole file as UTF-8.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let text = match Wide::of(bytes) {
        Some(wide) => Cow::Owned(from_wide(bytes, wide)),
        None => from_bytes(bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes)),
    };
    if is_quoted_printable(&text) { Cow::Owned(from_quoted(&text)) } else { text }
}

fn from_wide(bytes: &[u8], wide: Wide) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| match wide {
        Wide::Little => u16::from_le_bytes(*pair),
        Wide::Big => u16::from_be_bytes(*pair),
    });
    let text = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.filter(|c| *c != '\u{feff}').collect()
}

/// What is not UTF-8 is Windows-1252, which is Latin-1 with more quotation marks.
fn from_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| windows_1252(*byte)));
    }
    Cow::Owned(text)
}

/// The character of a byte from 0x80 on.
fn windows_1252(byte: u8) -> char {
    match byte {
        0x85 => '…',
        0x8b => '‹',
        0x91 | 0x92 => '\'',
        0x93 | 0x94 => '"',
        0x95 => '•',
        0x96 | 0x97 => '–',
        0x9b => '›',
        _ => char::from(byte),
    }
}

/// Whether lines end in the mark that joins them to the next, or a header says that they do.
fn is_quoted_printable(text: &str) -> bool {
    let escaped =
        |text: &str| ["=20", "=3D", "=3E", "=C2=A0", "=09", "=E2=80"].iter().any(|code| text.contains(code));
    let head: String = text.chars().take(16 << 10).collect::<String>().to_ascii_lowercase();
    if head.contains("quoted-printable") {
        return escaped(text) || text.contains("=\n") || text.contains("=\r\n");
    }
    let mut joined = text.lines().filter(|line| line.ends_with('=')).take(64).peekable();
    joined.peek().is_some() && joined.all(|line| line.len() <= QUOTED_LINE_MAX) && escaped(text)
}

fn from_quoted(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'=' {
            bytes.push(byte);
            continue;
        }
        if let Some(next) = after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\n")) {
            rest = next;
        } else if let Some(value) = after.get(..2).and_then(hexadecimal) {
            bytes.push(value);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(byte);
        }
    }
    from_bytes(&bytes).into_owned()
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u8::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "14:00:01.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 4101+ A? www.example.com. (33)\r\n";

    fn wide(text: &str, mark: &[u8], order: Wide) -> Vec<u8> {
        let units = text.encode_utf16().flat_map(|unit| match order {
            Wide::Little => unit.to_le_bytes(),
            Wide::Big => unit.to_be_bytes(),
        });
        mark.iter().copied().chain(units).collect()
    }

    #[test]
    fn utf_16_is_read_with_and_without_its_mark() {
        for (mark, order) in [
            (&[0xff, 0xfe][..], Wide::Little),
            (&[0xfe, 0xff], Wide::Big),
            (&[], Wide::Little),
            (&[], Wide::Big),
        ] {
            assert_eq!(decode(&wide(LINE, mark, order)), LINE);
        }
        assert!(!is_wide(LINE.as_bytes()) && !is_wide(&[0; 64]));
    }

    #[test]
    fn bytes_of_old_code_pages_become_their_characters() {
        assert_eq!(decode(b"a \x9b b \xab\xa0c\x92"), "a › b «\u{a0}c'");
    }

    #[test]
    fn quoted_printable_needs_its_marks() {
        assert_eq!(decode(b"a =3E b: 1+=\r\n A? x=20\r\n"), "a > b: 1+ A? x \r\n");
        let text = "see x=3E and y=20 there";
        assert_eq!(decode(text.as_bytes()), text);
    }
}
