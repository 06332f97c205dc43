//! Breaks a document into pages of positioned text, rules and shapes.

use std::collections::HashMap;

use super::structure::{Kind, Parts};
use crate::export::document::{Block, Document, Inline, Link, Span, is_marked, plain};
use crate::export::fonts::{Face, Fonts};
use crate::report::figure::{Anchor, Figure, Shape, arrow_head};

/// A4 width in points.
pub const PAGE_WIDTH: f32 = 595.0;
/// A4 height in points.
pub const PAGE_HEIGHT: f32 = 842.0;
const MARGIN: f32 = 42.0;
const BOTTOM: f32 = PAGE_HEIGHT - 42.0;
const BODY_SIZE: f32 = 8.5;
/// From one line to the next, in sizes of the letters, and what a line needs at the foot of a page.
const LEADING: f32 = 1.26;
const LEADING_MAX: f32 = 1.4;
const INK: [u8; 3] = [0x1f, 0x23, 0x28];
const MUTED: [u8; 3] = [0x5d, 0x66, 0x73];
const RULE: [u8; 3] = [0xd5, 0xda, 0xe1];
const WASH: [u8; 3] = [0xf3, 0xf5, 0xf7];
const OPEN: [u8; 3] = [0xff, 0xf3, 0xc4];
/// Text that leads somewhere.
const LINK: [u8; 3] = [0x1d, 0x63, 0xb8];
/// Pages after this are not laid out; a note on the last page says so.
const PAGES_MAX: usize = 2_000;

/// Something to draw, in page coordinates, y downwards.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are positions, sizes and colours")]
pub enum Draw {
    Text { x: f32, y: f32, size: f32, face: Face, rgb: [u8; 3], text: String },
    Rect { area: (f32, f32, f32, f32), rgb: [u8; 3] },
    Line { from: (f32, f32), to: (f32, f32), width: f32, dashed: bool, rgb: [u8; 3] },
    Polygon { corners: Vec<(f32, f32)>, rgb: [u8; 3] },
}

/// Where something stands: page and height on it.
pub type Place = (usize, f32);

/// Something drawn, and the part of the document's structure it belongs to.
pub type Drawn = (usize, Draw);

/// A piece of text on a page that leads to a place.
pub struct Reference {
    /// Left, top, width, height.
    pub area: (f32, f32, f32, f32),
    /// The name of the place.
    pub to: String,
    /// The part of the structure it is.
    pub part: usize,
}

/// The pages, where headings and places stand, and what the document is made of.
#[derive(Default)]
pub struct LaidOut {
    /// What each page draws.
    pub pages: Vec<Vec<Drawn>>,
    /// Heading text, level and where it stands.
    pub headings: Vec<(String, u8, Place)>,
    /// Places that are referred to.
    pub places: HashMap<String, Place>,
    /// References, with their page.
    pub references: Vec<(usize, Reference)>,
    /// The structure in the order of reading.
    pub parts: Parts,
}

/// Lays a document out on A4 pages.
pub fn lay_out(document: &Document, fonts: &Fonts) -> LaidOut {
    let out = LaidOut { pages: vec![Vec::new()], ..LaidOut::default() };
    let mut layout = Layout { fonts, out, y: MARGIN, part: Parts::ROOT };
    for (at, block) in document.blocks.iter().enumerate() {
        let following = document.blocks.get(at..).unwrap_or_default();
        layout.need(layout.together(document, following).min(BOTTOM - MARGIN));
        layout.block(document, block, MARGIN);
        if layout.out.pages.len() >= PAGES_MAX {
            break;
        }
    }
    layout.footers(&document.footer);
    layout.out
}

/// A word in one style, measured.
#[derive(Clone)]
struct Word {
    text: String,
    face: Face,
    width: f32,
    highlight: bool,
    strike: bool,
    link: Option<Link>,
    /// A line break follows.
    breaks: bool,
}

struct Style {
    size: f32,
    rgb: [u8; 3],
    bold: bool,
    mono: bool,
}

const BODY: Style = Style { size: BODY_SIZE, rgb: INK, bold: false, mono: false };

/// Room above and below a row of a table.
const ROW_PAD: f32 = 1.3;

/// Cells of tables.
const CELL: Style = Style { size: 7.2, ..BODY };

/// How much a figure is enlarged to fill the width, and no more than a page.
fn figure_scale(figure: &Figure, width: f32) -> f32 {
    (width / figure.width).min((BOTTOM - MARGIN - 40.0) / figure.height)
}

/// Widths that fit: narrow columns keep what they need, wide ones get alike what is left.
fn narrowed(least: &[f32], width: f32) -> Vec<f32> {
    let mut order: Vec<f32> = least.to_vec();
    order.sort_by(f32::total_cmp);
    let (mut left, mut columns) = (width, order.len());
    let mut most = width;
    for need in order {
        most = left / columns.max(1) as f32;
        if need > most {
            break;
        }
        left -= need;
        columns -= 1;
    }
    least.iter().map(|need| need.min(most)).collect()
}

struct Layout<'f> {
    fonts: &'f Fonts,
    out: LaidOut,
    y: f32,
    /// The part of the structure that is being laid out.
    part: usize,
}

impl Layout<'_> {
    /// Draws what belongs to the part being laid out.
    fn draw(&mut self, draw: Draw) {
        let part = self.part;
        if let Some(page) = self.out.pages.last_mut() {
            page.push((part, draw));
        }
    }

    /// Draws what only pleases the eye.
    fn adorn(&mut self, draw: Draw) {
        self.inside_of(Parts::NONE, |layout| layout.draw(draw));
    }

    /// Lays out a part of the part that is being laid out.
    fn inside(&mut self, kind: Kind, lay: impl FnOnce(&mut Self)) {
        let part = self.out.parts.add(self.part, kind);
        self.inside_of(part, lay);
    }

    fn inside_of(&mut self, part: usize, lay: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.part, part);
        lay(self);
        self.part = outer;
    }

    /// Begins a new page when less than `height` is left.
    fn need(&mut self, height: f32) {
        if self.y + height > BOTTOM && self.y > MARGIN {
            self.out.pages.push(Vec::new());
            self.y = MARGIN;
        }
    }

    fn block(&mut self, document: &Document, block: &Block, left: f32) {
        match block {
            Block::Heading(level, inline) => {
                let kind = Kind::Heading(*level, plain(inline));
                self.inside(kind, |layout| layout.heading(*level, inline, left));
            }
            Block::Paragraph(inline) => {
                self.inside(Kind::Paragraph, |layout| layout.paragraph(inline, left, &BODY));
                self.y += 4.0;
            }
            Block::Rule => {
                self.need(14.0);
                self.y += 6.0;
                self.rule(left);
                self.y += 8.0;
            }
            Block::Code(lines) => self.inside(Kind::Paragraph, |layout| layout.code(lines, left)),
            Block::Quote(blocks) => self.inside(Kind::Quote, |layout| {
                for block in blocks {
                    match block {
                        Block::Paragraph(inline) => {
                            let style = Style { rgb: MUTED, ..BODY };
                            layout.inside(Kind::Paragraph, |layout| {
                                layout.paragraph(inline, left + 14.0, &style);
                            });
                            layout.y += 5.0;
                        }
                        other => layout.block(document, other, left + 14.0),
                    }
                }
            }),
            Block::List(first, items) => {
                let kind = Kind::List { numbered: first.is_some() };
                self.inside(kind, |layout| layout.list(document, *first, items, left));
            }
            Block::Table(head, rows) => self.inside(Kind::Table, |layout| layout.table(head, rows, left)),
            Block::Figure(id) => {
                if let Some(figure) = document.figure(id) {
                    self.figure(figure, left);
                }
            }
        }
    }

    /// The height a block needs to begin: headings and captions stay with what they are about.
    fn together(&self, document: &Document, blocks: &[Block]) -> f32 {
        let Some((block, rest)) = blocks.split_first() else { return 0.0 };
        match block {
            Block::Heading(..) => 32.0 + self.together(document, rest),
            Block::Paragraph(inline) if inline.iter().all(|span| span.bold) => {
                20.0 + self.together(document, rest)
            }
            Block::Table(head, rows) => {
                let width = PAGE_WIDTH - 2.0 * MARGIN;
                let widths = self.column_widths(head, rows, width, &CELL);
                let first = rows.first().map_or(0.0, |row| self.row_height(row, &widths, &CELL));
                // A first row of half a page may be split from its head.
                12.0 + self.row_height(head, &widths, &CELL) + first.min((BOTTOM - MARGIN) / 2.0)
            }
            Block::Figure(id) => document
                .figure(id)
                .map_or(0.0, |figure| figure.height * figure_scale(figure, PAGE_WIDTH - 2.0 * MARGIN) + 30.0),
            _ => BODY_SIZE * 3.0,
        }
    }

    fn rule(&mut self, left: f32) {
        let y = self.y;
        self.adorn(Draw::Line {
            from: (left, y),
            to: (PAGE_WIDTH - MARGIN, y),
            width: 0.7,
            dashed: false,
            rgb: RULE,
        });
    }

    fn heading(&mut self, level: u8, inline: &Inline, left: f32) {
        let (size, before) = match level {
            1 => (16.0, 0.0),
            2 => (12.0, 6.0),
            3 => (11.0, 7.0),
            _ => (10.0, 7.0),
        };
        // A heading never stands alone at the foot of a page.
        self.need(before + size * 1.5 + 40.0);
        if self.y > MARGIN {
            self.y += before;
        }
        let place = (self.out.pages.len() - 1, self.y);
        if level <= 3 {
            self.out.headings.push((plain(inline), level, place));
        }
        self.paragraph(inline, left, &Style { size, rgb: INK, bold: true, mono: false });
        if level == 2 {
            self.y += 1.0;
            self.rule(left);
        }
        self.y += 4.0;
    }

    fn paragraph(&mut self, inline: &[Span], left: f32, style: &Style) {
        let lines = self.wrap(inline, PAGE_WIDTH - MARGIN - left, style);
        for line in lines {
            self.need(style.size * LEADING_MAX);
            self.line(&line, left, style);
        }
    }

    /// A paragraph whose first word, a mark, stands out to the left; the rest is of the part given.
    fn hanging(&mut self, inline: &[Span], left: f32, body: usize) {
        let indent = 14.0;
        let lines = self.wrap(inline, PAGE_WIDTH - MARGIN - left - indent, &BODY);
        for (at, line) in lines.iter().enumerate() {
            self.need(BODY_SIZE * LEADING_MAX);
            match line.split_first() {
                Some((mark, rest)) if at == 0 => {
                    let y = self.y;
                    self.inside(Kind::Label, |layout| layout.line(std::slice::from_ref(mark), left, &BODY));
                    self.y = y;
                    self.inside_of(body, |layout| layout.line(rest, left + indent, &BODY));
                }
                _ => self.inside_of(body, |layout| layout.line(line, left + indent, &BODY)),
            }
        }
    }

    /// Draws one line and moves down.
    fn line(&mut self, words: &[Word], left: f32, style: &Style) {
        let height = style.size * LEADING;
        let mut x = left;
        for run in words.chunk_by(|one, two| one.link == two.link) {
            let width: f32 = run.iter().map(|word| word.width).sum();
            match run.first().and_then(|word| word.link.clone()) {
                Some(Link::To(to)) => {
                    let part = self.out.parts.add(self.part, Kind::Reference);
                    let (page, area) = (self.out.pages.len() - 1, (x, self.y, width, height));
                    self.out.references.push((page, Reference { area, to, part }));
                    self.inside_of(part, |layout| layout.run(run, x, style));
                }
                Some(Link::Here(place)) => {
                    let here = (self.out.pages.len() - 1, self.y);
                    self.out.places.entry(place).or_insert(here);
                    self.run(run, x, style);
                }
                None => self.run(run, x, style),
            }
            x += width;
        }
        self.y += height;
    }

    /// Draws words of one line that refer to the same place, or to none.
    fn run(&mut self, words: &[Word], left: f32, style: &Style) {
        let height = style.size * LEADING;
        let baseline = self.y + style.size * 1.05;
        let mut x = left;
        for word in words {
            if word.highlight {
                let area = (x - 0.5, self.y + 0.5, word.width + 1.0, height - 1.0);
                self.adorn(Draw::Rect { area, rgb: OPEN });
            }
            let size = if word.face == Face::Mono { style.size * 0.93 } else { style.size };
            let rgb = if matches!(word.link, Some(Link::To(_))) { LINK } else { style.rgb };
            let (face, text) = (word.face, word.text.clone());
            self.draw(Draw::Text { x, y: baseline, size, face, rgb, text });
            if word.strike {
                let y = baseline - style.size * 0.3;
                let (from, to) = ((x, y), (x + word.width, y));
                self.adorn(Draw::Line { from, to, width: 0.6, dashed: false, rgb: style.rgb });
            }
            x += word.width;
        }
    }

    fn words(&self, inline: &[Span], width: f32, style: &Style) -> Vec<Word> {
        let mut words = Vec::new();
        let mut open_field = false;
        for span in inline {
            let face = match (span.code || style.mono, span.bold || style.bold) {
                (true, _) => Face::Mono,
                (false, true) => Face::Bold,
                (false, false) => Face::Sans,
            };
            let size = if face == Face::Mono { style.size * 0.93 } else { style.size };
            let text = self.fonts.drawable(face, &span.text.replace('\n', "\u{1}")).replace("U+0001", "\n");
            for piece in text.split_inclusive([' ', '\n']) {
                open_field |= piece.contains('«');
                let breaks = piece.ends_with('\n');
                let piece = piece.trim_end_matches('\n');
                for part in self.split_long(piece, width, face, size) {
                    let part_width = self.fonts.width(face, size, &part);
                    words.push(Word {
                        text: part,
                        face,
                        width: part_width,
                        highlight: open_field,
                        strike: span.strike,
                        link: span.link.clone(),
                        breaks: false,
                    });
                }
                if let Some(last) = words.last_mut().filter(|_| breaks) {
                    last.breaks = true;
                }
                open_field &= !piece.contains('»');
            }
        }
        words
    }

    /// Cuts a word that is wider than the line.
    fn split_long(&self, word: &str, width: f32, face: Face, size: f32) -> Vec<String> {
        if self.fonts.width(face, size, word) <= width {
            return vec![word.to_owned()];
        }
        let mut parts = vec![String::new()];
        let mut used = 0.0;
        for character in word.chars() {
            let advance = self.fonts.width(face, size, character.encode_utf8(&mut [0; 4]));
            if used + advance > width && used > 0.0 {
                parts.push(String::new());
                used = 0.0;
            }
            used += advance;
            if let Some(part) = parts.last_mut() {
                part.push(character);
            }
        }
        parts
    }

    fn wrap(&self, inline: &[Span], width: f32, style: &Style) -> Vec<Vec<Word>> {
        let mut lines = vec![Vec::new()];
        let mut used = 0.0;
        let words = self.words(inline, width, style);
        for (at, word) in words.iter().enumerate() {
            // Pieces of one word in different styles stay together: lines break only after a space.
            let inside = at
                .checked_sub(1)
                .and_then(|at| words.get(at))
                .is_some_and(|before| !before.breaks && !before.text.ends_with(' '));
            let visible = self.fonts.width(word.face, style.size, word.text.trim_end());
            let whole = if inside { visible } else { self.glued(words.get(at..).unwrap_or_default(), style) };
            let fits = used + whole <= width || (whole > width && used + visible <= width);
            if used > 0.0 && if inside { used + visible > width } else { !fits } {
                lines.push(Vec::new());
                used = 0.0;
            }
            used += word.width;
            let breaks = word.breaks;
            if let Some(line) = lines.last_mut() {
                line.push(word.clone());
            }
            if breaks {
                lines.push(Vec::new());
                used = 0.0;
            }
        }
        lines
    }

    /// Width of the first word with the pieces that follow it without a space.
    fn glued(&self, words: &[Word], style: &Style) -> f32 {
        let mut width = 0.0;
        for word in words {
            if word.breaks || word.text.ends_with(' ') {
                return width + self.fonts.width(word.face, style.size, word.text.trim_end());
            }
            width += word.width;
        }
        width
    }

    fn code(&mut self, lines: &str, left: f32) {
        let style = Style { size: 8.4, rgb: INK, bold: false, mono: true };
        self.y += 2.0;
        for line in lines.lines() {
            let span = Span { text: line.to_owned(), ..Span::default() };
            for words in self.wrap(&[span], PAGE_WIDTH - MARGIN - left - 12.0, &style) {
                self.need(style.size * LEADING_MAX);
                let area = (left, self.y, PAGE_WIDTH - MARGIN - left, style.size * LEADING);
                self.adorn(Draw::Rect { area, rgb: WASH });
                self.line(&words, left + 6.0, &style);
            }
        }
        self.y += 7.0;
    }

    fn list(&mut self, document: &Document, first: Option<u64>, items: &[Vec<Block>], left: f32) {
        for (at, item) in items.iter().enumerate() {
            self.need(BODY_SIZE * LEADING_MAX);
            let number = first.map(|first| first + at as u64);
            self.inside(Kind::Item, |layout| layout.item(document, number, item, left));
        }
        self.y += 4.0;
    }

    fn item(&mut self, document: &Document, number: Option<u64>, item: &[Block], left: f32) {
        // The mark of a voice stands in the place of the bullet.
        let marked = number.is_none() && is_marked(item);
        let indent = if marked { 6.0 } else { 22.0 };
        if !marked {
            let text = number.map_or_else(|| "•".to_owned(), |number| format!("{number}."));
            let y = self.y + BODY_SIZE * 1.05;
            let (x, size) = (left + 4.0, BODY_SIZE);
            let bullet = Draw::Text { x, y, size, face: Face::Sans, rgb: MUTED, text };
            self.inside(Kind::Label, |layout| layout.draw(bullet));
        }
        let body = self.out.parts.add(self.part, Kind::Body);
        for block in item {
            match block {
                Block::Paragraph(inline) if marked => {
                    self.hanging(inline, left + indent, body);
                    self.y += 1.4;
                }
                Block::Paragraph(inline) => {
                    self.inside_of(body, |layout| layout.paragraph(inline, left + indent, &BODY));
                    self.y += 2.0;
                }
                other => self.inside_of(body, |layout| layout.block(document, other, left + indent)),
            }
        }
    }

    fn table(&mut self, head: &[Inline], rows: &[Vec<Inline>], left: f32) {
        let bold = Style { rgb: MUTED, bold: true, ..CELL };
        let widths = self.column_widths(head, rows, PAGE_WIDTH - MARGIN - left, &CELL);
        self.y += 2.0;
        self.inside(Kind::Head, |layout| {
            layout.inside(Kind::Row, |layout| layout.row(head, &widths, left, &bold));
        });
        self.inside(Kind::Rows, |layout| {
            for row in rows {
                let height = layout.row_height(row, &widths, &CELL);
                if layout.y + height > BOTTOM && height < BOTTOM - MARGIN - 40.0 {
                    layout.out.pages.push(Vec::new());
                    layout.y = MARGIN;
                    // The head is read once.
                    layout.inside_of(Parts::NONE, |layout| layout.row(head, &widths, left, &bold));
                }
                layout.inside(Kind::Row, |layout| layout.row(row, &widths, left, &CELL));
            }
        });
        self.y += 6.0;
    }

    /// Shares the width: each column gets its longest word, what is left goes where there is more text.
    fn column_widths(&self, head: &[Inline], rows: &[Vec<Inline>], width: f32, style: &Style) -> Vec<f32> {
        let columns = head.len().max(1);
        let (mut least, mut natural) = (vec![24.0_f32; columns], vec![24.0_f32; columns]);
        // A word longer than this is broken rather than given the page.
        let word_max = width
            * match columns {
                0..=3 => 0.75,
                4 => 0.33,
                _ => 0.26,
            };
        let faces = std::iter::once((Face::Bold, head));
        for (face, row) in faces.chain(rows.iter().map(|row| (Face::Sans, row.as_slice()))) {
            for (cell, (least, natural)) in row.iter().zip(least.iter_mut().zip(&mut natural)) {
                let text = plain(cell);
                let face = if cell.iter().any(|span| span.code) { Face::Mono } else { face };
                let wide = |text: &str| self.fonts.width(face, style.size, text) + 10.0;
                let word = text.split([' ', '\n']).map(wide).fold(0.0, f32::max);
                *least = least.max(word.min(word_max));
                *natural = natural.max(wide(&text).min(width * 0.75));
            }
        }
        let total: f32 = natural.iter().sum();
        if total <= width {
            let spare = width - total;
            return natural.iter().map(|n| n + spare * n / total).collect();
        }
        let needed: f32 = least.iter().sum();
        if needed >= width {
            return narrowed(&least, width);
        }
        let more: f32 = natural.iter().zip(&least).map(|(natural, least)| (natural - least).max(0.0)).sum();
        let share = |(natural, least): (&f32, &f32)| {
            least + (width - needed) * (natural - least).max(0.0) / more.max(1.0)
        };
        natural.iter().zip(&least).map(share).collect()
    }

    fn row_height(&self, cells: &[Inline], widths: &[f32], style: &Style) -> f32 {
        let lines = cells.iter().zip(widths).map(|(cell, width)| self.wrap(cell, width - 8.0, style).len());
        lines.max().unwrap_or(0) as f32 * style.size * LEADING + 2.0 * ROW_PAD + 0.9
    }

    /// Draws a row, split over pages where it must be.
    fn row(&mut self, cells: &[Inline], widths: &[f32], left: f32, style: &Style) {
        let wrapped: Vec<Vec<Vec<Word>>> =
            cells.iter().zip(widths).map(|(cell, width)| self.wrap(cell, width - 8.0, style)).collect();
        let lines = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        let height = style.size * LEADING;
        if lines as f32 * height < BOTTOM - MARGIN {
            self.need(lines as f32 * height + 2.0 * ROW_PAD + 0.9);
        }
        self.y += ROW_PAD;
        let kind = if style.bold { Kind::HeadCell } else { Kind::Cell };
        let (row, is_read) = (self.part, self.part != Parts::NONE);
        let mut cell_part =
            |_: usize| if is_read { self.out.parts.add(row, kind.clone()) } else { Parts::NONE };
        let parts: Vec<usize> = (0..wrapped.len()).map(&mut cell_part).collect();
        for line in 0..lines {
            self.need(height);
            let (y, mut x) = (self.y, left);
            for ((cell, width), part) in wrapped.iter().zip(widths).zip(&parts) {
                if let Some(words) = cell.get(line) {
                    self.y = y;
                    self.inside_of(*part, |layout| layout.line(words, x + 3.0, style));
                }
                x += width;
            }
            self.y = y + height;
        }
        self.y += ROW_PAD;
        self.rule(left);
    }

    fn figure(&mut self, figure: &Figure, left: f32) {
        let width = PAGE_WIDTH - MARGIN - left;
        let scale = figure_scale(figure, width);
        self.need(figure.height * scale + 30.0);
        let (x0, y0) = (left, self.y + 4.0);
        let place = |(x, y): (f32, f32)| (x0 + x * scale, y0 + y * scale);
        self.inside(Kind::Figure(figure.caption.clone()), |layout| {
            figure.shapes.iter().for_each(|shape| layout.shape(shape, &place, scale));
        });
        self.y = y0 + figure.height * scale + 4.0;
        let caption = Span { text: figure.caption.clone(), ..Span::default() };
        let style = Style { size: 8.4, rgb: MUTED, bold: false, mono: false };
        self.inside(Kind::Caption, |layout| layout.paragraph(&[caption], left, &style));
        self.y += 8.0;
    }

    fn shape(&mut self, shape: &Shape, place: &dyn Fn((f32, f32)) -> (f32, f32), scale: f32) {
        match shape {
            Shape::Line { from, to, role, width, dashed, arrow } => {
                let rgb = role.rgb();
                let (width, dashed) = (width * scale, *dashed);
                self.draw(Draw::Line { from: place(*from), to: place(*to), width, dashed, rgb });
                if *arrow {
                    let corners = arrow_head(*from, *to).map(place).to_vec();
                    self.draw(Draw::Polygon { corners, rgb });
                }
            }
            Shape::Rect { area: (x, y, width, height), role } => {
                let (x, y) = place((*x, *y));
                self.draw(Draw::Rect { area: (x, y, width * scale, height * scale), rgb: role.rgb() });
            }
            Shape::Text { at, size, anchor, role, text } => {
                let size = size * scale;
                let text = self.fonts.drawable(Face::Sans, text);
                let width = self.fonts.width(Face::Sans, size, &text);
                let (x, y) = place(*at);
                let x = match anchor {
                    Anchor::Start => x,
                    Anchor::Middle => x - width / 2.0,
                    Anchor::End => x - width,
                };
                self.draw(Draw::Text { x, y, size, face: Face::Sans, rgb: role.rgb(), text });
            }
        }
    }

    fn footers(&mut self, footer: &str) {
        let pages = self.out.pages.len();
        let fonts = self.fonts;
        for (at, page) in self.out.pages.iter_mut().enumerate() {
            let text = fonts.drawable(Face::Sans, &format!("{footer}   ·   page {} of {pages}", at + 1));
            let x = (PAGE_WIDTH - fonts.width(Face::Sans, 7.5, &text)).max(MARGIN) / 2.0;
            let (y, size) = (PAGE_HEIGHT - 24.0, 7.5);
            page.push((Parts::NONE, Draw::Text { x, y, size, face: Face::Sans, rgb: MUTED, text }));
        }
    }
}
