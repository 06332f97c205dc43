//! The export dialog: format, form, redaction and file on one page; the file's ending follows the format and the other way round.

use crossterm::event::{KeyCode, KeyEvent};

use super::line::Line;
use crate::export::EXPORTS;
use crate::report::render::TEMPLATES;

/// The word for a bundle among the formats.
pub const BUNDLE: &str = "bundle";
/// Lines of the dialog: format, form, redaction, file.
pub const FIELDS: usize = 4;
const FORMAT: usize = 0;
const FORM: usize = 1;
const REDACT: usize = 2;
/// The line with the file.
pub const FILE: usize = 3;

/// What the analyst chose; kept for the next export of the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Position among [`formats`].
    pub format: usize,
    /// Position among the templates.
    pub template: usize,
    /// Whether addresses and names are replaced.
    pub redact: bool,
}

/// The open dialog.
#[derive(Clone, Debug)]
pub struct ExportForm {
    /// What is chosen.
    pub choices: Choices,
    /// Where to.
    pub path: Line,
    /// The line keys go to.
    pub field: usize,
    /// The path up to what the format adds to it.
    base: String,
    /// Whether the analyst wrote the path.
    written: bool,
}

/// A format of the dialog: its word, what it is, and its file name ending.
pub type Format = (&'static str, &'static str, &'static str);

/// All formats, a bundle last.
pub fn formats() -> Vec<Format> {
    let one = EXPORTS.iter().map(|export| (export.name, export.about, export.extension));
    one.chain([(BUNDLE, "report, cited packets, frame map, case and hashes", "zip")]).collect()
}

impl ExportForm {
    /// The dialog with the choices made last; `base` is the path without what the format adds.
    pub fn new(base: &str, choices: Choices) -> Self {
        let mut form =
            Self { choices, path: Line::default(), field: FORMAT, base: base.to_owned(), written: false };
        form.name_file();
        form
    }

    /// The format chosen.
    pub fn format(&self) -> Format {
        formats().get(self.choices.format).copied().unwrap_or(("markdown", "", "md"))
    }

    /// Whether the form (template) makes a difference in this format.
    pub fn has_form(&self) -> bool {
        !matches!(self.format().0, "json" | "ecs" | "iris" | "pcapng")
    }

    /// Handles a key that is no action.
    pub fn key(&mut self, key: KeyEvent) {
        if self.field == FILE {
            if self.path.key(key) {
                self.written = true;
                self.follow_ending();
            }
            return;
        }
        match key.code {
            KeyCode::Left => self.change(usize::MAX),
            KeyCode::Right | KeyCode::Char(' ') => self.change(1),
            KeyCode::Char(letter) => self.jump(letter),
            _ => {}
        }
    }

    /// Inserts pasted text into the path.
    pub fn paste(&mut self, text: &str) {
        if self.field == FILE {
            self.path.insert(text);
            self.written = true;
            self.follow_ending();
        }
    }

    /// The next choice of the line, or the one before (`usize::MAX`).
    fn change(&mut self, by: usize) {
        let step = |at: usize, count: usize| (at + if by == 1 { 1 } else { count - 1 }) % count.max(1);
        match self.field {
            FORMAT => self.choices.format = step(self.choices.format, formats().len()),
            FORM => self.choices.template = step(self.choices.template, TEMPLATES.len()),
            REDACT => self.choices.redact = !self.choices.redact,
            _ => {}
        }
        self.name_file();
    }

    /// The next choice that begins with a letter.
    fn jump(&mut self, letter: char) {
        let next = |at: usize, names: Vec<&str>| {
            let count = names.len();
            let order = (1..=count).map(|step| (at + step) % count.max(1));
            order
                .into_iter()
                .find(|at| names.get(*at).is_some_and(|name| name.starts_with(letter)))
                .unwrap_or(at)
        };
        match self.field {
            FORMAT => {
                self.choices.format =
                    next(self.choices.format, formats().iter().map(|format| format.0).collect());
            }
            FORM => {
                let names = TEMPLATES.iter().map(|template| template.name).collect();
                self.choices.template = next(self.choices.template, names);
            }
            REDACT => match letter {
                'y' => self.choices.redact = true,
                'n' => self.choices.redact = false,
                _ => {}
            },
            _ => {}
        }
        self.name_file();
    }

    /// Gives the file the ending of the format; a path the analyst wrote keeps everything else.
    fn name_file(&mut self) {
        let (name, _, ending) = self.format();
        if self.written {
            let path = std::path::Path::new(self.path.text());
            let known = path.extension().is_some_and(|ending| by_ending(&ending.to_string_lossy()).is_some());
            if known {
                let changed = path.with_extension(ending).display().to_string();
                self.path.set(&changed);
            }
            return;
        }
        let kind = match name {
            BUNDLE => "bundle",
            "pcapng" => "cited",
            _ => "report",
        };
        let redacted = if self.choices.redact { ".redacted" } else { "" };
        self.path.set(&format!("{}.{kind}{redacted}.{ending}", self.base));
    }

    /// A known ending chooses the format.
    fn follow_ending(&mut self) {
        let path = std::path::Path::new(self.path.text());
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if let Some(at) = ending.and_then(|ending| by_ending(&ending)) {
            self.choices.format = at;
        }
    }
}

fn by_ending(ending: &str) -> Option<usize> {
    let ending = ending.to_lowercase();
    formats().iter().position(|format| format.2 == ending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    fn press(form: &mut ExportForm, code: KeyCode) {
        form.key(KeyEvent::new(code, KeyModifiers::NONE));
    }

    #[test]
    fn the_file_follows_the_format_and_the_format_a_written_ending() {
        let mut form = ExportForm::new("/tmp/outage", Choices::default());
        assert_eq!(form.path.text(), "/tmp/outage.report.md");
        press(&mut form, KeyCode::Char('p'));
        assert_eq!(form.path.text(), "/tmp/outage.report.pdf");
        press(&mut form, KeyCode::Char('p'));
        assert_eq!(form.path.text(), "/tmp/outage.cited.pcapng");
        press(&mut form, KeyCode::Char('b'));
        form.field = REDACT;
        press(&mut form, KeyCode::Char(' '));
        assert_eq!(form.path.text(), "/tmp/outage.bundle.redacted.zip");
        form.field = FILE;
        form.path.set("");
        for letter in "mine.docx".chars() {
            press(&mut form, KeyCode::Char(letter));
        }
        assert_eq!(form.format().0, "docx");
        // From now on only the ending changes.
        form.field = FORMAT;
        press(&mut form, KeyCode::Char('h'));
        assert_eq!(form.path.text(), "mine.html");
    }
}
