//! A rendered report as blocks and spans, read from its Markdown; the other formats are written from it.

use std::collections::HashSet;

use pulldown_cmark::{
    BrokenLink, CodeBlockKind, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd,
};

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
    /// What it refers to, or what refers to it.
    pub link: Option<Link>,
}

/// One end of a reference inside the document, by the name of the place (`list-3`, `F17`, `B-F2`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Leads to the place.
    To(String),
    /// Is the place.
    Here(String),
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
    /// Reads rendered Markdown, and what is folded away beside it. Raw HTML is kept as text, never as markup; links
    /// keep their text only, and citations lead to what tells of their frames.
    pub fn read(title: &str, footer: &str, (markdown, folded): (&str, &str), figures: Vec<Figure>) -> Self {
        let (mut blocks, mut folded) = (blocks_of(markdown), blocks_of(folded));
        let mut known = HashSet::new();
        for blocks in [&mut blocks, &mut folded] {
            mark_places(blocks, &mut known);
        }
        for blocks in [&mut blocks, &mut folded] {
            keep_links(blocks, &known);
        }
        Self { title: title.to_owned(), footer: footer.to_owned(), blocks, figures, folded }
    }

    /// The figure with an id.
    pub fn figure(&self, id: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.id == id)
    }
}

fn blocks_of(markdown: &str) -> Vec<Block> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut reader = Reader::default();
    // Brackets of captured text are escaped: those that are not are citations, in the form of references.
    let mut cited = |broken: BrokenLink<'_>| {
        let is_citation = broken.link_type == LinkType::Shortcut;
        is_citation.then(|| (CowStr::from(""), CowStr::from("")))
    };
    for event in Parser::new_with_broken_link_callback(markdown, options, Some(&mut cited)) {
        reader.event(event);
    }
    reader.finish()
}

/// The name of the place a label of a frame or of a list of frames stands for: `F17`, `B:F2`, `list 3`.
fn place_of(label: &str) -> Option<String> {
    let (file, frame) = label.split_once(':').unwrap_or(("A", label));
    let is_file = !file.is_empty() && file.bytes().all(|byte| byte.is_ascii_uppercase());
    let number =
        label.strip_prefix("list ").or_else(|| frame.strip_prefix(['F', 'L']).filter(|_| is_file))?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| label.replace([' ', ':'], "-"))
}

/// Makes the rows that tell of a frame or a list the places citations lead to, the first of each.
fn mark_places(blocks: &mut [Block], known: &mut HashSet<String>) {
    for block in blocks {
        let Block::Table(head, rows) = block else { continue };
        let kind = head.first().map(|cell| plain(cell)).unwrap_or_default();
        for row in rows {
            let cell = match kind.as_str() {
                "List" | "Frame" => row.first_mut(),
                "Time" => row.last_mut(),
                _ => None,
            };
            let Some(cell) = cell else { continue };
            let text = plain(cell);
            let Some(place) = place_of(text.trim_matches(['[', ']'])) else { continue };
            let inside = cell.iter_mut().find(|span| !span.text.starts_with('['));
            if let Some(span) = inside.filter(|_| known.insert(place.clone())) {
                span.link = Some(Link::Here(place));
            }
        }
    }
}

/// Takes away the links that lead nowhere in this document.
fn keep_links(blocks: &mut [Block], known: &HashSet<String>) {
    let keep = |inline: &mut Inline| {
        for span in inline {
            span.link = span.link.take().filter(|link| match link {
                Link::To(place) => known.contains(place),
                Link::Here(_) => true,
            });
        }
    };
    for block in blocks {
        match block {
            Block::Heading(_, inline) | Block::Paragraph(inline) => keep(inline),
            Block::List(_, items) => items.iter_mut().for_each(|item| keep_links(item, known)),
            Block::Quote(blocks) => keep_links(blocks, known),
            Block::Table(head, rows) => {
                head.iter_mut().chain(rows.iter_mut().flatten()).for_each(keep);
            }
            Block::Code(_) | Block::Figure(_) | Block::Rule => {}
        }
    }
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
    /// The links being read, and whether they are citations.
    links: Vec<bool>,
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
        } else if self.links.last() == Some(&true) && !code {
            self.citation(text);
        } else {
            self.span(text, code, None);
        }
    }

    fn span(&mut self, text: &str, code: bool, link: Option<Link>) {
        if text.is_empty() {
            return;
        }
        self.inline.push(Span {
            text: text.to_owned(),
            bold: self.bold > 0,
            italic: self.italic > 0,
            code,
            strike: self.strike > 0,
            link,
        });
    }

    /// The text of a citation: each label in it a span that leads to its place.
    fn citation(&mut self, text: &str) {
        for part in text.split_inclusive([',', '→', '–', '…']) {
            let body = part.trim_end_matches([',', '→', '–', '…']);
            let label = body.trim();
            let start = body.find(label).unwrap_or_default();
            let (before, rest) = body.split_at(start);
            let (named, after) = rest.split_at(label.len());
            let link = place_of(label).map(Link::To);
            self.span(before, false, None);
            self.span(named, false, link);
            self.span(after, false, None);
            self.span(part.get(body.len()..).unwrap_or_default(), false, None);
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
            Tag::Link { link_type, .. } => {
                let is_citation = link_type == LinkType::ShortcutUnknown;
                if is_citation {
                    self.text("[", false);
                }
                self.links.push(is_citation);
            }
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
            TagEnd::Link if self.links.pop() == Some(true) => self.text("]", false),
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
    fn citations_lead_to_the_rows_that_tell_of_their_frames() {
        let markdown = "It failed [F2, F9, list 1]; \\[F2\\] was captured, [B:F7…B:F8, 2 frames] is told nowhere.\n\n\
            | Frame | Reading |\n|---|---|\n| F2 | a |\n| F2 | again |\n\n\
            | Time | Event | Frames |\n|---|---|---|\n| 1 | b | [F9] |\n\n\
            | List | Frames |\n|---|---|\n| list 1 | 3 |\n";
        let document = Document::read("t", "f", (markdown, ""), Vec::new());
        let Block::Paragraph(inline) = &document.blocks[0] else { panic!("no paragraph") };
        let whole = "It failed [F2, F9, list 1]; [F2] was captured, [B:F7…B:F8, 2 frames] is told nowhere.";
        assert_eq!(plain(inline), whole);
        let links = |inline: &Inline| -> Vec<(String, Link)> {
            inline.iter().filter_map(|span| Some((span.text.clone(), span.link.clone()?))).collect()
        };
        let to = |text: &str, place: &str| (text.to_owned(), Link::To(place.to_owned()));
        assert_eq!(links(inline), [to("F2", "F2"), to("F9", "F9"), to("list 1", "list-1")]);
        let places: Vec<Vec<(String, Link)>> = document
            .blocks
            .iter()
            .filter_map(|block| if let Block::Table(_, rows) = block { Some(rows) } else { None })
            .flat_map(|rows| rows.iter().flatten().map(links))
            .filter(|found| !found.is_empty())
            .collect();
        let here = |text: &str, place: &str| vec![(text.to_owned(), Link::Here(place.to_owned()))];
        assert_eq!(places, [here("F2", "F2"), here("F9", "F9"), here("list 1", "list-1")]);
    }

    #[test]
    fn structure_survives_and_html_stays_text() {
        let markdown = "# Title\n\nOne **two** `three`  \nfour <script>\n\n- a\n- b\n  1. c\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n![cap](figure:timeline)\n\n```\ncode\n```\n\n> quoted\n";
        let document = Document::read("t", "f", (markdown, ""), Vec::new());
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
