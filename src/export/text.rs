//! Plain text: the filled template without markup, wrapped for reading and mail.

use std::io;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use unicode_width::UnicodeWidthStr as _;

use super::cleared::Sink;
use super::{Export, Job};

/// Columns of running text.
const WIDTH: usize = 78;
/// Widest cell of a table before the table is written as lists.
const CELL_MAX: usize = 26;

/// Plain text.
pub static TEXT: Export =
    Export { name: "text", extension: "txt", about: "plain text, wrapped at 78 columns", write };

fn write(job: &Job<'_>, out: &mut Sink<'_>) -> io::Result<()> {
    out.text(&job.rendered.map(|rendered| plain(&super::markdown::without_figures(&rendered.markdown))))
}

/// Markdown as plain text.
pub fn plain(markdown: &str) -> String {
    let mut writer = Writer::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        writer.event(event);
    }
    writer.flush("");
    let end = writer.out.trim_end().len();
    writer.out.truncate(end);
    writer.out.push('\n');
    writer.out
}

#[derive(Default)]
struct Writer {
    out: String,
    line: String,
    depth: usize,
    marker: Option<String>,
    numbers: Vec<Option<u64>>,
    code: bool,
    rows: Vec<Vec<String>>,
    in_table: bool,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.code => {
                for line in text.lines() {
                    self.out.push_str("    ");
                    self.out.push_str(line);
                    self.out.push('\n');
                }
            }
            Event::Text(text) | Event::Code(text) => self.line.push_str(&text),
            Event::SoftBreak => self.line.push(' '),
            Event::HardBreak => self.line.push('\n'),
            Event::Rule => {
                self.flush("");
                self.out.push_str(&"-".repeat(WIDTH));
                self.out.push_str("\n\n");
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::List(first) => {
                self.flush("");
                self.depth += 1;
                self.numbers.push(*first);
            }
            Tag::Item => {
                self.flush("");
                self.marker = Some(match self.numbers.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_owned(),
                });
            }
            Tag::CodeBlock(_) => {
                self.flush("");
                self.code = true;
            }
            Tag::Table(_) => {
                self.flush("");
                self.in_table = true;
            }
            Tag::TableHead | Tag::TableRow => self.rows.push(Vec::new()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let text = self.line.trim().to_owned();
                self.flush("");
                let underline = if level as usize <= 1 { "=" } else { "-" };
                if level as usize <= 2 {
                    self.out.push_str(&underline.repeat(text.width().min(WIDTH)));
                    self.out.push('\n');
                }
                self.out.push('\n');
            }
            TagEnd::Paragraph => {
                self.flush("");
                if self.depth == 0 {
                    self.out.push('\n');
                }
            }
            TagEnd::List(_) => {
                self.flush("");
                self.depth = self.depth.saturating_sub(1);
                self.numbers.pop();
                self.out.push('\n');
            }
            TagEnd::Item => self.flush(""),
            TagEnd::CodeBlock => {
                self.code = false;
                self.out.push('\n');
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.line);
                if let Some(row) = self.rows.last_mut() {
                    row.push(cell.trim().to_owned());
                }
            }
            TagEnd::Table => {
                self.in_table = false;
                self.table();
            }
            _ => {}
        }
    }

    /// Writes the collected line, wrapped and indented.
    fn flush(&mut self, _: &str) {
        let line = std::mem::take(&mut self.line);
        if line.trim().is_empty() || self.in_table {
            return;
        }
        let indent = "  ".repeat(self.depth.saturating_sub(1));
        let marker = self
            .marker
            .take()
            .unwrap_or_else(|| if self.depth > 0 { "  ".to_owned() } else { String::new() });
        let hang = " ".repeat(marker.width());
        let mut first = true;
        for part in line.split('\n') {
            let space = WIDTH.saturating_sub(indent.len() + marker.width()).max(20);
            for wrapped in wrap(part, space) {
                self.out.push_str(&indent);
                self.out.push_str(if first { &marker } else { &hang });
                self.out.push_str(&wrapped);
                self.out.push('\n');
                first = false;
            }
        }
    }

    /// Narrow tables in columns, wide ones as a list of `head: cell`.
    fn table(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width()).max();
        let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
        let total: usize = widths.iter().map(|width| width + 2).sum();
        if total <= WIDTH + 24 && widths.iter().filter(|width| **width > CELL_MAX).count() <= 1 {
            for (number, row) in rows.iter().enumerate() {
                let mut line = String::new();
                for (cell, width) in row.iter().zip(&widths) {
                    line.push_str(cell);
                    line.push_str(&" ".repeat((width + 2).saturating_sub(cell.width())));
                }
                self.out.push_str(line.trim_end());
                self.out.push('\n');
                if number == 0 {
                    self.out.push_str(&"-".repeat(total.saturating_sub(2).min(WIDTH + 24)));
                    self.out.push('\n');
                }
            }
        } else if let Some((head, body)) = rows.split_first() {
            for row in body {
                let cells: Vec<String> = head
                    .iter()
                    .zip(row)
                    .filter(|(_, cell)| !cell.is_empty())
                    .map(|(name, cell)| format!("{name}: {cell}"))
                    .collect();
                for (at, wrapped) in wrap(&cells.join(" · "), WIDTH - 2).into_iter().enumerate() {
                    self.out.push_str(if at == 0 { "- " } else { "  " });
                    self.out.push_str(&wrapped);
                    self.out.push('\n');
                }
            }
        }
        self.out.push('\n');
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_text_stays() {
        let text = plain("# Title\n\nOne *two* \\*x\\*.\n\n- a\n- b\n\n| H | K |\n|---|---|\n| 1 | 2 |\n");
        assert_eq!(text, "Title\n=====\n\nOne two *x*.\n\n- a\n- b\n\nH  K\n----\n1  2\n");
    }
}
