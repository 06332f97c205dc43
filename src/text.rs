//! Makes captured text safe to show: the only way from packet bytes to a screen or a file.

pub mod international;

use std::fmt::Write as _;

/// Escapes text from a packet: control characters, bidirectional overrides and other invisible
/// characters become `\xNN` (below U+0100) or `\u{…}`; a backslash becomes `\\`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        push_escaped(&mut out, character);
    }
    out
}

/// Escapes bytes from a packet: printable UTF-8 stays, everything else becomes `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_escaped(&mut out, character);
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn push_escaped(out: &mut String, character: char) {
    if character == '\\' {
        out.push_str("\\\\");
    } else if is_unsafe(character) {
        if (character as u32) < 0x100 {
            let _ = write!(out, "\\x{:02x}", character as u32);
        } else {
            let _ = write!(out, "\\u{{{:x}}}", character as u32);
        }
    } else {
        out.push(character);
    }
}

/// Escapes what [`escape`] does, but leaves line breaks and backslashes alone: for messages that are put together of text of
/// the program's own and parts that may be escaped already.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\\' => out.push(character),
            _ => push_escaped(&mut out, character),
        }
    }
    out
}

/// A value as JSON on one line. Characters that are not seen as what they are stand as `\uNNNN`: JSON itself asks that only of
/// some, and a terminal shows the rest as they come.
pub fn json(value: &impl serde::Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|text| visible(&text))
}

/// The same over several lines.
pub fn json_pretty(value: &impl serde::Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| visible(&text))
}

/// A writer that does to JSON what [`json`] does, as it is written. It takes whole characters at a time, as `serde_json` gives them.
pub struct Visible<W>(pub W);

impl<W: std::io::Write> std::io::Write for Visible<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
        if text.contains(|character| character != '\n' && is_unsafe(character)) {
            self.0.write_all(visible(text).as_bytes())?;
        } else {
            self.0.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// In JSON everything outside of strings is ASCII, so whatever is escaped stands in a string.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0; 2];
    for character in text.chars() {
        if character != '\n' && is_unsafe(character) {
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out
}

/// Whether a character can change how the text around it is shown, or cannot be seen itself.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' | '\u{e000}'..='\u{f8ff}')
}

/// A text between quotation marks, as strings are written in filters: what could end or deceive it is escaped.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if character.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", character as u32);
            }
            _ if is_unsafe(character) => {
                let _ = write!(out, "\\U{:08x}", character as u32);
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// A file name as a word of a command line that no shell and no option parser takes for anything else.
pub fn shell(path: &str) -> String {
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/-+:@%,".contains(c);
    if !path.is_empty() && path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", escape(&path).replace("\\\\", "\\").replace('\'', "'\\''"))
}

/// Writes a count with thousands separators: `1524475` becomes `1,524,475`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_characters_are_made_visible() {
        assert_eq!(escape("a\u{1b}[31mb"), "a\\x1b[31mb");
        assert_eq!(escape("x\u{202e}y\\"), "x\\u{202e}y\\\\");
        assert_eq!(escape_bytes(b"ok\xff\n"), "ok\\xff\\x0a");
        assert_eq!(escape("grüße"), "grüße");
    }

    #[test]
    fn file_names_are_one_word_of_a_command_line() {
        assert_eq!(shell("a/b-1.pcap"), "a/b-1.pcap");
        assert_eq!(shell("-r.pcap"), "./-r.pcap");
        assert_eq!(shell("it's $HOME.pcap"), "'it'\\''s $HOME.pcap'");
        assert_eq!(shell("a\\b c"), "'a\\b c'");
        assert_eq!(shell(""), "''");
    }

    #[test]
    fn messages_keep_their_lines_and_are_escaped_once() {
        assert_eq!(shown("a\u{1b}b\nc\\x1b"), "a\\x1bb\nc\\x1b");
        assert_eq!(shown(&escape("\u{202e}")), escape("\u{202e}"));
    }

    #[test]
    fn json_shows_every_character_and_says_the_same() {
        let text = "\u{7f}\u{9b}\u{202e}\u{e0041}\u{1b}\n\"ü";
        let line = json(&text).expect("a string");
        assert_eq!(line, r#""\u007f\u009b\u202e\udb40\udc41\u001b\n\"ü""#);
        assert_eq!(serde_json::from_str::<String>(&line).expect("a string"), text);
        assert_eq!(json_pretty(&[1]).expect("a list"), "[\n  1\n]");
        let mut written = Vec::new();
        serde_json::to_writer(Visible(&mut written), &text).expect("written");
        assert_eq!(written, line.as_bytes());
    }

    #[test]
    fn counts_get_separators() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_524_475), "1,524,475");
    }
}
