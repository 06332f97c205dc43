//! HTML: one file, no script, nothing fetched from outside, light and dark, fit to print.

use std::io::{self, Write};

use super::document::{Block, Document, Link, Span, is_marked, plain};
use crate::report::figure::xml;

/// A word of more characters is broken in a table.
const LONG_WORD: usize = 32;
/// A cell of no more characters stays on one line: `list 3`, `2 h 5 min`.
const SHORT: usize = 10;
/// How a page begins.
const BEGIN: &str = "<!DOCTYPE html>";
/// What the program's name and version stand in, at its end.
const FOOTER: &str = "<footer>";
const STYLE: &str = include_str!("../../assets/report.css");

/// Whether the first and the last bytes of a file are those of a page that this program wrote.
pub fn is_own(head: &[u8], tail: &[u8]) -> bool {
    let signed = format!("{FOOTER}portmortem ");
    head.starts_with(BEGIN.as_bytes()) && memchr::memmem::find(tail, signed.as_bytes()).is_some()
}

/// The document as one HTML file.
pub fn text(document: &Document) -> String {
    let mut out = Vec::new();
    // Writing into memory does not fail.
    let _ = write(document, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    writeln!(out, "{BEGIN}\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(
        out,
        "<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>",
        xml(&document.title)
    )?;
    for block in &document.blocks {
        write_block(document, block, out)?;
    }
    if !document.folded.is_empty() {
        writeln!(out, "<details>\n<summary>Ledger, method, observables, glossary</summary>")?;
        document.folded.iter().try_for_each(|block| write_block(document, block, out))?;
        writeln!(out, "</details>")?;
    }
    writeln!(out, "</main>\n{FOOTER}{}</footer>\n</body>\n</html>", xml(&document.footer))
}

fn write_block(document: &Document, block: &Block, out: &mut dyn Write) -> io::Result<()> {
    match block {
        Block::Heading(level, inline) => writeln!(out, "<h{level}>{}</h{level}>", spans(inline)),
        Block::Paragraph(inline) if inline.iter().all(|span| span.bold) => {
            writeln!(out, "<p class=\"caption\">{}</p>", spans(inline))
        }
        Block::Paragraph(inline) => writeln!(out, "<p>{}</p>", spans(inline)),
        Block::Rule => writeln!(out, "<hr>"),
        Block::Code(lines) => writeln!(out, "<pre><code>{}</code></pre>", xml(lines)),
        Block::Quote(blocks) => {
            writeln!(out, "<blockquote>")?;
            blocks.iter().try_for_each(|block| write_block(document, block, out))?;
            writeln!(out, "</blockquote>")
        }
        Block::List(first, items) => write_list(document, *first, items, out),
        Block::Table(head, rows) => {
            write!(out, "<div class=\"table\"><table>\n<thead><tr>")?;
            head.iter().try_for_each(|cell| write!(out, "<th scope=\"col\">{}</th>", spans(cell)))?;
            writeln!(out, "</tr></thead>\n<tbody>")?;
            // On small screens each cell names its column, unless several columns have the same name.
            let names: Vec<String> = head.iter().map(|cell| plain(cell)).collect();
            let is_own = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
            for row in rows {
                write!(out, "<tr>")?;
                for (cell, name) in row.iter().zip(&names) {
                    let (class, head) =
                        (class_of(cell), if is_own(name) { xml(name) } else { String::new() });
                    write!(out, "<td{class} data-head=\"{head}\">{}</td>", spans(cell))?;
                }
                writeln!(out, "</tr>")?;
            }
            writeln!(out, "</tbody></table></div>")
        }
        Block::Figure(id) => match document.figure(id) {
            Some(figure) => writeln!(
                out,
                "<figure>{}<figcaption>{}</figcaption></figure>",
                figure.svg(),
                xml(&figure.caption)
            ),
            None => Ok(()),
        },
    }
}

/// Only cells with very long words may break them anywhere: otherwise columns collapse. Times and short words stay whole.
fn class_of(cell: &[Span]) -> &'static str {
    let text = plain(cell);
    let longest = text.split([' ', '\n']).map(|word| word.chars().count()).max().unwrap_or(0);
    match longest {
        _ if longest > LONG_WORD => " class=\"long\"",
        _ if !text.contains([' ', '\n']) || text.chars().count() <= SHORT => " class=\"word\"",
        _ => "",
    }
}

fn write_list(
    document: &Document,
    first: Option<u64>,
    items: &[Vec<Block>],
    out: &mut dyn Write,
) -> io::Result<()> {
    match first {
        Some(first) => writeln!(out, "<ol start=\"{first}\">")?,
        None => writeln!(out, "<ul>")?,
    }
    for item in items {
        let marked = first.is_none() && is_marked(item);
        write!(out, "{}", if marked { "<li class=\"marked\">" } else { "<li>" })?;
        if let [Block::Paragraph(inline)] = item.as_slice() {
            write!(out, "{}", spans(inline))?;
        } else {
            item.iter().try_for_each(|block| write_block(document, block, out))?;
        }
        writeln!(out, "</li>")?;
    }
    writeln!(out, "{}", if first.is_some() { "</ol>" } else { "</ul>" })
}

fn spans(inline: &[Span]) -> String {
    let mut out = String::new();
    for span in inline {
        let mut text = xml(&span.text).replace('\n', "<br>");
        for (on, tag) in [(span.code, "code"), (span.strike, "s"), (span.italic, "em"), (span.bold, "strong")]
        {
            if on {
                text = format!("<{tag}>{text}</{tag}>");
            }
        }
        // A field that only a person can fill is made to stand out.
        let text = text.replace('«', "<mark>«").replace('»', "»</mark>");
        let linked = match &span.link {
            Some(Link::To(place)) => format!("<a href=\"#{}\">{text}</a>", xml(place)),
            Some(Link::Here(place)) => format!("<span id=\"{}\">{text}</span>", xml(place)),
            None => text,
        };
        out += &linked;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_markup_never_becomes_markup() {
        let document =
            Document::read("<t>", "f", ("name `<script>alert(1)</script>` <img src=x>", ""), Vec::new());
        let html = text(&document);
        assert!(html.contains("&lt;script&gt;"));
        assert!(!html.contains("<script") && !html.contains("<img"));
        assert!(!html.contains("http://") && !html.contains("https://"));
    }
}
