//! A rendered report as blocks and spans, read from its Markdown; the other formats are written from it.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::report::figure::Figure;

/// Nested lists and quotes deeper than this are flattened.
const DEPTH_MAX: usize = 16;

/// A run of text in one style.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The text.
    pub text: String,
    /// Strong emphasis.
    pub bold: bool,
    /// Emphasis.
    pub italic: bool,
    /// Monospace.
    pub code: bool,
    /// Struck out.
    pub strike: bool,
}

/// A paragraph's worth of spans; `\n` in a span is a hard line break.
pub type Inline = Vec<Span>;

/// A part of the document.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading of level 1 to 6.
    Heading(u8, Inline),
    /// A paragraph.
    Paragraph(Inline),
    /// A list; numbered from the given number, or bullets.
    List(Option<u64>, Vec<Vec<Block>>),
    /// A table: head cells, rows of cells.
    Table(Vec<Inline>, Vec<Vec<Inline>>),
    /// Preformatted lines.
    Code(String),
    /// A quoted part.
    Quote(Vec<Block>),
    /// A figure by its id.
    Figure(String),
    /// A horizontal rule.
    Rule,
}

/// A report ready to be written in any format.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Title for metadata and window title.
    pub title: String,
    /// One line at the foot of pages: tool, version, evidence hash.
    pub footer: String,
    /// The parts in order.
    pub blocks: Vec<Block>,
    /// The figures blocks refer to.
    pub figures: Vec<Figure>,
    /// What formats that can fold a part away hold beside.
    pub folded: Vec<Block>,
}

impl Document {
    /// Reads rendered Markdown. Raw HTML is kept as text, never as markup; links keep their text only.
    pub fn read(title: &str, footer: &str, markdown: &str, figures: Vec<Figure>) -> Self {
        let (title, footer) = (title.to_owned(), footer.to_owned());
        Self { title, footer, blocks: blocks_of(markdown), figures, folded: Vec::new() }
    }

    /// The same document with a part to fold away, in Markdown; nothing where there is none.
    #[must_use]
    pub fn folding(self, markdown: &str) -> Self {
        Self { folded: blocks_of(markdown), ..self }
    }

    /// The figure with an id.
    pub fn figure(&self, id: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.id == id)
    }
}

fn blocks_of(markdown: &str) -> Vec<Block> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut reader = Reader::default();
    for event in Parser::new_ext(markdown, options) {
        reader.event(event);
    }
    reader.finish()
}

/// An open container while reading.
enum Open {
    List(Option<u64>, Vec<Vec<Block>>),
    Blocks(Vec<Block>),
    Quote(Vec<Block>),
    Table { head: Vec<Inline>, rows: Vec<Vec<Inline>>, in_head: bool },
}

#[derive(Default)]
struct Reader {
    done: Vec<Block>,
    open: Vec<Open>,
    inline: Inline,
    heading: Option<u8>,
    code: Option<String>,
    image: Option<(String, String)>,
    bold: usize,
    italic: usize,
    strike: usize,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text, false),
            Event::Code(text) => self.text(&text, true),
            Event::SoftBreak => self.text(" ", false),
            Event::HardBreak => self.text("\n", false),
            Event::Rule => self.block(Block::Rule),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, code: bool) {
        if let Some((_, caption)) = &mut self.image {
            caption.push_str(text);
        } else if let Some(lines) = &mut self.code {
            lines.push_str(text);
        } else {
            self.inline.push(Span {
                text: text.to_owned(),
                bold: self.bold > 0,
                italic: self.italic > 0,
                code,
                strike: self.strike > 0,
            });
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.flush();
                self.heading = Some(match level {
                    HeadingLevel::H1 => 1,
                    HeadingLevel::H2 => 2,
                    HeadingLevel::H3 => 3,
                    HeadingLevel::H4 => 4,
                    HeadingLevel::H5 => 5,
                    HeadingLevel::H6 => 6,
                });
            }
            Tag::Strong => self.bold += 1,
            Tag::Emphasis => self.italic += 1,
            Tag::Strikethrough => self.strike += 1,
            Tag::Image { dest_url, .. } => self.image = Some((dest_url.to_string(), String::new())),
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.flush();
                self.code = Some(String::new());
            }
            Tag::List(first) => self.push(Open::List(first, Vec::new())),
            Tag::Item => self.push(Open::Blocks(Vec::new())),
            Tag::BlockQuote(_) => self.push(Open::Quote(Vec::new())),
            Tag::Table(_) => self.push(Open::Table { head: Vec::new(), rows: Vec::new(), in_head: false }),
            Tag::TableHead => {
                if let Some(Open::Table { in_head, .. }) = self.open.last_mut() {
                    *in_head = true;
                }
            }
            Tag::TableRow => {
                if let Some(Open::Table { rows, .. }) = self.open.last_mut() {
                    rows.push(Vec::new());
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::HtmlBlock => self.flush(),
            TagEnd::Strong => self.bold = self.bold.saturating_sub(1),
            TagEnd::Emphasis => self.italic = self.italic.saturating_sub(1),
            TagEnd::Strikethrough => self.strike = self.strike.saturating_sub(1),
            TagEnd::Image => {
                if let Some((target, caption)) = self.image.take() {
                    if let Some(id) = target.strip_prefix("figure:") {
                        self.flush();
                        self.block(Block::Figure(id.to_owned()));
                    } else {
                        self.text(&caption, false);
                    }
                }
            }
            TagEnd::CodeBlock => {
                if let Some(lines) = self.code.take() {
                    self.block(Block::Code(lines.trim_end_matches('\n').to_owned()));
                }
            }
            TagEnd::TableCell => self.cell(),
            TagEnd::TableHead => {
                if let Some(Open::Table { in_head, .. }) = self.open.last_mut() {
                    *in_head = false;
                }
            }
            TagEnd::List(_) | TagEnd::Item | TagEnd::BlockQuote(_) | TagEnd::Table => {
                self.flush();
                self.close();
            }
            _ => {}
        }
    }

    fn push(&mut self, open: Open) {
        self.flush();
        if self.open.len() >= DEPTH_MAX {
            self.close();
        }
        self.open.push(open);
    }

    fn cell(&mut self) {
        let inline = std::mem::take(&mut self.inline);
        if let Some(Open::Table { head, rows, in_head }) = self.open.last_mut() {
            if *in_head {
                head.push(inline);
            } else if let Some(row) = rows.last_mut() {
                row.push(inline);
            }
        }
    }

    /// Ends the paragraph or heading being read.
    fn flush(&mut self) {
        let inline = std::mem::take(&mut self.inline);
        let heading = self.heading.take();
        if inline.iter().all(|span| span.text.trim().is_empty()) {
            return;
        }
        self.block(match heading {
            Some(level) => Block::Heading(level, inline),
            None => Block::Paragraph(inline),
        });
    }

    fn close(&mut self) {
        match self.open.pop() {
            Some(Open::List(first, items)) => self.block(Block::List(first, items)),
            Some(Open::Quote(blocks)) => self.block(Block::Quote(blocks)),
            Some(Open::Table { head, rows, .. }) => self.block(Block::Table(head, rows)),
            Some(Open::Blocks(blocks)) => match self.open.last_mut() {
                Some(Open::List(_, items)) => items.push(blocks),
                _ => blocks.into_iter().for_each(|block| self.block(block)),
            },
            None => {}
        }
    }

    fn block(&mut self, block: Block) {
        match self.open.last_mut() {
            Some(Open::Blocks(blocks) | Open::Quote(blocks)) => blocks.push(block),
            Some(Open::List(_, items)) => items.push(vec![block]),
            Some(Open::Table { .. }) | None => self.done.push(block),
        }
    }

    fn finish(mut self) -> Vec<Block> {
        self.flush();
        while !self.open.is_empty() {
            self.close();
        }
        self.done
    }
}

/// The text of an inline without styles.
pub fn plain(inline: &[Span]) -> String {
    inline.iter().map(|span| span.text.as_str()).collect()
}

/// Whether a list item begins with the mark of a voice, which then stands in the place of a bullet.
pub fn is_marked(item: &[Block]) -> bool {
    let Some(Block::Paragraph(inline)) = item.first() else { return false };
    inline.first().is_some_and(|span| span.text.starts_with(['●', '◆', '◇']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_survives_and_html_stays_text() {
        let markdown = "# Title\n\nOne **two** `three`  \nfour <script>\n\n- a\n- b\n  1. c\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n![cap](figure:timeline)\n\n```\ncode\n```\n\n> quoted\n";
        let document = Document::read("t", "f", markdown, Vec::new());
        assert!(matches!(&document.blocks[0], Block::Heading(1, inline) if plain(inline) == "Title"));
        let Block::Paragraph(inline) = &document.blocks[1] else { panic!("no paragraph") };
        assert_eq!(plain(inline), "One two three\nfour <script>");
        assert!(inline.iter().any(|span| span.bold && span.text == "two"));
        let Block::List(None, items) = &document.blocks[2] else { panic!("no list") };
        assert_eq!(items.len(), 2);
        assert!(matches!(items[1].last(), Some(Block::List(Some(1), _))));
        assert!(
            matches!(&document.blocks[3], Block::Table(head, rows) if head.len() == 2 && rows.len() == 1)
        );
        assert_eq!(document.blocks[4], Block::Figure("timeline".to_owned()));
        assert_eq!(document.blocks[5], Block::Code("code".to_owned()));
        assert!(matches!(&document.blocks[6], Block::Quote(_)));
    }
}
