//! One line of text being edited: filter, search, path, tag.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation as _;

/// Longest text a line takes, in bytes.
const TEXT_MAX: usize = 4096;

/// A text and where the cursor stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// Byte position, always between two characters.
    cursor: usize,
}

impl Line {
    /// A line with the cursor at its end.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The cursor as a byte position.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// The text before the cursor.
    pub fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// Replaces everything.
    pub fn set(&mut self, text: &str) {
        *self = Self::new(text);
    }

    /// Replaces everything and places the cursor.
    pub fn set_with_cursor(&mut self, text: &str, cursor: usize) {
        text.clone_into(&mut self.text);
        self.cursor = if text.is_char_boundary(cursor) { cursor.min(text.len()) } else { text.len() };
    }

    /// Inserts text at the cursor; line breaks and control characters become spaces.
    pub fn insert(&mut self, text: &str) {
        for character in text.chars() {
            let character = if character.is_control() { ' ' } else { character };
            if self.text.len() + character.len_utf8() > TEXT_MAX {
                return;
            }
            self.text.insert(self.cursor, character);
            self.cursor += character.len_utf8();
        }
    }

    /// Handles an editing key; false where the key is none.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('a') if control => self.cursor = 0,
            KeyCode::Char('e') if control => self.cursor = self.text.len(),
            KeyCode::Char('u') if control => self.delete(0, self.cursor),
            KeyCode::Char('k') if control => self.delete(self.cursor, self.text.len()),
            KeyCode::Char('w') if control => self.delete(self.word_before(), self.cursor),
            KeyCode::Backspace if control || alt => self.delete(self.word_before(), self.cursor),
            KeyCode::Char(character) if !control && !alt => {
                self.insert(character.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Backspace => self.delete(self.previous(), self.cursor),
            KeyCode::Delete => self.delete(self.cursor, self.next()),
            KeyCode::Left if control => self.cursor = self.word_before(),
            KeyCode::Left => self.cursor = self.previous(),
            KeyCode::Right => self.cursor = self.next(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => return false,
        }
        true
    }

    fn delete(&mut self, from: usize, to: usize) {
        if from < to {
            self.text.replace_range(from..to, "");
            self.cursor = from;
        }
    }

    fn previous(&self) -> usize {
        self.before().grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn next(&self) -> usize {
        let after = self.text.get(self.cursor..).unwrap_or_default();
        self.cursor + after.graphemes(true).next().map_or(0, str::len)
    }

    fn word_before(&self) -> usize {
        let trimmed = self.before().trim_end();
        trimmed.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| {
            let width = trimmed.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            if at + width == trimmed.len() { at } else { at + width }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(line: &mut Line, code: KeyCode) {
        assert!(line.key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    #[test]
    fn editing_respects_whole_characters() {
        let mut line = Line::new("e\u{301}x");
        press(&mut line, KeyCode::Backspace);
        press(&mut line, KeyCode::Backspace);
        assert_eq!(line.text(), "");
    }

    #[test]
    fn words_are_deleted_backwards() {
        let mut line = Line::new("dns and port ");
        line.key(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(line.text(), "dns and ");
        line.key(KeyEvent::new(KeyCode::Home, KeyModifiers::NONE));
        press(&mut line, KeyCode::Char('('));
        assert_eq!(line.text(), "(dns and ");
    }

    #[test]
    fn pasted_line_breaks_become_spaces() {
        let mut line = Line::default();
        line.insert("a\nb\u{1b}");
        assert_eq!(line.text(), "a b ");
    }
}
