//! The selected packet in words: what it says, what it is tied to, what follows and what does not, and its line part by part.
//!
//! Three levels: plain; with the bytes and the definition of each part; a quiz that hides the words, and then shows the answers.

use crate::explain::{Explanation, Token};
use crate::tui::fit::{pad, width, wrap};
use crate::tui::state::{State, WordsLevel};
use crate::tui::theme::Role;

/// Bytes of a part that are written out.
const BYTES_SHOWN: usize = 16;
/// Cells of the column with the parts of the line.
const TOKEN_CELLS: usize = 22;

/// A line of the panel and how it is drawn.
pub type WordsLine = (String, Role);

/// Everything, wrapped to the panel's width.
pub fn lines(state: &State, columns: u16) -> Vec<WordsLine> {
    let Some(explained) = explained(state) else {
        let waits = state.timeline.selected.is_some() && state.evidence.is_none();
        let text = "Words need the links, which are made when the capture has been read.";
        return if waits { vec![(text.to_owned(), Role::Muted)] } else { Vec::new() };
    };
    let mut out = Lines { room: usize::from(columns.saturating_sub(2)), lines: Vec::new() };
    match state.packet.level {
        WordsLevel::Plain => plain(&explained, &mut out),
        WordsLevel::Fields => {
            let bytes = state.packet().map(|packet| packet.bytes()).unwrap_or_default();
            fields(&explained, bytes, &mut out);
        }
        WordsLevel::Quiz => quiz(&explained, &mut out, "W shows the answers."),
        WordsLevel::Answers => answers(&explained, &mut out),
    }
    out.lines
}

/// The beginning, for the room a short list leaves: the sentence, what follows and what does not, the ties.
pub fn preview(state: &State, columns: u16) -> Vec<WordsLine> {
    let Some(explained) = explained(state) else { return Vec::new() };
    let mut out = Lines { room: usize::from(columns.saturating_sub(2)), lines: Vec::new() };
    out.push("", &explained.sentence, Role::Title);
    out.push("So what:  ", &explained.so_what, Role::Observed);
    out.push("Not so:   ", &explained.not_so, Role::Warning);
    for tie in &explained.ties {
        out.push("", tie, Role::Text);
    }
    out.lines
}

fn explained(state: &State) -> Option<Explanation> {
    crate::explain::explain(&state.index, state.evidence.as_ref()?, state.timeline.selected?)
}

struct Lines {
    room: usize,
    lines: Vec<WordsLine>,
}

impl Lines {
    /// Adds a text with a lead that later lines are indented by.
    fn push(&mut self, lead: &str, text: &str, role: Role) {
        if text.is_empty() {
            return;
        }
        let cells = width(lead);
        for (at, line) in wrap(text, self.room.saturating_sub(cells).max(10)).into_iter().enumerate() {
            let lead = if at == 0 { lead.to_owned() } else { " ".repeat(cells) };
            self.lines.push((format!("{lead}{line}"), role));
        }
    }
}

fn meaning(explained: &Explanation, out: &mut Lines) {
    out.push("", &explained.sentence, Role::Title);
    for tie in &explained.ties {
        out.push("", tie, Role::Text);
    }
    out.push("So what:  ", &explained.so_what, Role::Observed);
    out.push("Not so:   ", &explained.not_so, Role::Warning);
}

fn plain(explained: &Explanation, out: &mut Lines) {
    meaning(explained, out);
    out.push("", " ", Role::Text);
    out.push("", &explained.line(), Role::Muted);
    for token in worded(explained) {
        out.push(&format!("{} ", pad(&token.text, TOKEN_CELLS)), &token.words, Role::Text);
    }
}

fn fields(explained: &Explanation, bytes: &[u8], out: &mut Lines) {
    out.push("", &explained.line(), Role::Muted);
    for token in worded(explained) {
        out.push(&format!("{} ", pad(&token.text, TOKEN_CELLS)), &token.words, Role::Text);
        out.push(&format!("{} ", pad("", TOKEN_CELLS)), &place(token, bytes), Role::Key);
    }
    out.push("", " ", Role::Text);
    meaning(explained, out);
}

/// `offset 26, 4 bytes: c0 33 64 0f; RFC 791 §3.1`
fn place(token: &Token, bytes: &[u8]) -> String {
    let mut parts = Vec::new();
    if let Some((start, end)) = token.bytes
        && let Some(field) = bytes.get(start as usize..(end as usize).min(bytes.len()))
    {
        let hex: Vec<String> = field.iter().take(BYTES_SHOWN).map(|byte| format!("{byte:02x}")).collect();
        let more = if field.len() > BYTES_SHOWN { " …" } else { "" };
        let unit = if field.len() == 1 { "byte" } else { "bytes" };
        parts.push(format!("offset {start}, {} {unit}: {}{more}", field.len(), hex.join(" ")));
    }
    if !token.reference.is_empty() {
        parts.push(token.reference.to_owned());
    }
    parts.join("; ")
}

fn quiz(explained: &Explanation, out: &mut Lines, hint: &str) {
    out.push("", &explained.line(), Role::Title);
    out.push("", " ", Role::Text);
    for (question, _) in &explained.quiz {
        out.push("? ", question, Role::Text);
    }
    out.push("? ", "What does each part of the line say?", Role::Text);
    out.push("", " ", Role::Text);
    out.push("", hint, Role::Muted);
}

fn answers(explained: &Explanation, out: &mut Lines) {
    out.push("", &explained.line(), Role::Title);
    out.push("", " ", Role::Text);
    for (question, answer) in &explained.quiz {
        out.push("? ", question, Role::Muted);
        out.push("  ", answer, Role::Text);
    }
    for token in worded(explained) {
        out.push(&format!("{} ", pad(&token.text, TOKEN_CELLS)), &token.words, Role::Text);
    }
}

fn worded(explained: &Explanation) -> impl Iterator<Item = &Token> {
    explained.tokens.iter().filter(|token| !token.words.is_empty())
}
