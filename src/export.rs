//! The EXPORTS table: one file a format, all written from the rendered report.

pub mod json;
pub mod markdown;
pub mod text;

use std::io::{self, Write};

use crate::report::Input;
use crate::report::render::Rendered;

/// What an export is written from.
#[derive(Clone, Copy)]
pub struct Document<'d> {
    /// The report with its template filled in.
    pub rendered: &'d Rendered,
    /// What the report was made from, for formats that carry packets or numbers.
    pub input: Input<'d>,
}

/// One format.
pub struct Export {
    /// The word after `--format`.
    pub name: &'static str,
    /// File name ending, without the dot.
    pub extension: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Writes it.
    pub write: fn(&Document<'_>, &mut dyn Write) -> io::Result<()>,
}

/// All formats, the default first. A new one is one file and one line.
pub static EXPORTS: &[&Export] = &[&markdown::MARKDOWN, &text::TEXT, &json::JSON];

/// A format by its name or file name ending.
pub fn find(name: &str) -> Option<&'static Export> {
    EXPORTS.iter().copied().find(|export| export.name == name || export.extension == name)
}
