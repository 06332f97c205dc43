//! Figures as PNG pictures, for formats that take neither SVG nor shapes: outlines filled by the area they cover.

use std::io::Write as _;

use skrifa::MetadataProvider as _;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};

use super::fonts::{Face, Fonts};
use crate::report::figure::{Anchor, Figure, Shape, arrow_head};

/// Pixels per point: 180 dots per inch at the figure's own size.
const SCALE: f32 = 2.5;
/// The longest side of a picture; larger figures are drawn smaller.
const SIDE_MAX: f32 = 8_000.0;
/// Straight pieces a curve of a letter is drawn with.
const CURVE_PIECES: u8 = 5;
/// Dash and gap of dashed lines, in points.
const DASH: (f32, f32) = (4.0, 3.0);

type Point = (f32, f32);

/// The figure as a PNG file; `None` where the embedded fonts cannot be read.
pub fn png(figure: &Figure) -> Option<Vec<u8>> {
    let fonts = Fonts::load()?;
    let scale = SCALE.min(SIDE_MAX / figure.width.max(figure.height).max(1.0));
    let pixels = |points: f32| (points * scale).ceil().max(1.0) as usize;
    let mut canvas = Canvas::new(pixels(figure.width), pixels(figure.height));
    for shape in &figure.shapes {
        draw(&mut canvas, &fonts, shape, scale);
    }
    canvas.encode().ok()
}

fn draw(canvas: &mut Canvas, fonts: &Fonts, shape: &Shape, scale: f32) {
    let scaled = |(x, y): Point| (x * scale, y * scale);
    match shape {
        Shape::Line { from, to, role, width, dashed, arrow } => {
            let pieces = if *dashed { dashes(*from, *to) } else { vec![(*from, *to)] };
            let outlines: Vec<Vec<Point>> =
                pieces.into_iter().map(|(from, to)| stroke(from, to, *width).map(scaled).to_vec()).collect();
            canvas.fill(&outlines, role.rgb());
            if *arrow {
                canvas.fill(&[arrow_head(*from, *to).map(scaled).to_vec()], role.rgb());
            }
        }
        Shape::Rect { area: (x, y, width, height), role } => {
            let corners = [(*x, *y), (x + width, *y), (x + width, y + height), (*x, y + height)];
            canvas.fill(&[corners.map(scaled).to_vec()], role.rgb());
        }
        Shape::Text { at, size, anchor, role, text } => {
            let (text, size) = (fonts.drawable(Face::Sans, text), size * scale);
            let width = fonts.width(Face::Sans, size, &text);
            let (x, y) = scaled(*at);
            let x = match anchor {
                Anchor::Start => x,
                Anchor::Middle => x - width / 2.0,
                Anchor::End => x - width,
            };
            canvas.fill(&outlines(fonts, &text, size, (x, y)), role.rgb());
        }
    }
}

/// The four corners of a line drawn with a width.
fn stroke(from: Point, to: Point, width: f32) -> [Point; 4] {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(0.001);
    let (nx, ny) = (-dy / length * width / 2.0, dx / length * width / 2.0);
    [(from.0 + nx, from.1 + ny), (to.0 + nx, to.1 + ny), (to.0 - nx, to.1 - ny), (from.0 - nx, from.1 - ny)]
}

/// The dashes of a line.
fn dashes(from: Point, to: Point) -> Vec<(Point, Point)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    let count = (length / (DASH.0 + DASH.1)).ceil().clamp(0.0, SIDE_MAX) as u16;
    let place = |along: f32| {
        let part = (along / length.max(0.001)).min(1.0);
        (from.0 + dx * part, from.1 + dy * part)
    };
    let begin = |at: u16| f32::from(at) * (DASH.0 + DASH.1);
    (0..count).map(|at| (place(begin(at)), place(begin(at) + DASH.0))).collect()
}

/// The outlines of a line of text whose base line begins at a point.
fn outlines(fonts: &Fonts, text: &str, size: f32, at: Point) -> Vec<Vec<Point>> {
    let font = fonts.font(Face::Sans);
    let (charmap, glyphs) = (font.charmap(), font.outline_glyphs());
    let mut pen = Pen { outlines: Vec::new(), at };
    for character in text.chars() {
        let glyph = charmap.map(character).and_then(|glyph| glyphs.get(glyph));
        if let Some(glyph) = glyph {
            // A letter that cannot be drawn leaves its gap.
            let _ = glyph.draw(DrawSettings::unhinted(Size::new(size), LocationRef::default()), &mut pen);
        }
        pen.at.0 += fonts.width(Face::Sans, size, character.encode_utf8(&mut [0; 4]));
    }
    pen.outlines
}

/// Takes outlines of letters as straight pieces, with y downwards.
struct Pen {
    outlines: Vec<Vec<Point>>,
    at: Point,
}

impl Pen {
    fn place(&self, x: f32, y: f32) -> Point {
        (self.at.0 + x, self.at.1 - y)
    }

    fn last(&self) -> Point {
        self.outlines.last().and_then(|outline| outline.last()).copied().unwrap_or(self.at)
    }

    fn push(&mut self, point: Point) {
        if let Some(outline) = self.outlines.last_mut() {
            outline.push(point);
        }
    }

    fn curve(&mut self, point_at: impl Fn(f32) -> Point) {
        for piece in 1..=CURVE_PIECES {
            self.push(point_at(f32::from(piece) / f32::from(CURVE_PIECES)));
        }
    }
}

fn between(a: Point, b: Point, part: f32) -> Point {
    (a.0 + (b.0 - a.0) * part, a.1 + (b.1 - a.1) * part)
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let point = self.place(x, y);
        self.outlines.push(vec![point]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let point = self.place(x, y);
        self.push(point);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        let (from, control, to) = (self.last(), self.place(cx, cy), self.place(x, y));
        self.curve(|part| between(between(from, control, part), between(control, to, part), part));
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        let (from, a, b, to) = (self.last(), self.place(ax, ay), self.place(bx, by), self.place(x, y));
        self.curve(|part| {
            let (first, middle, last) = (between(from, a, part), between(a, b, part), between(b, to, part));
            between(between(first, middle, part), between(middle, last, part), part)
        });
    }

    fn close(&mut self) {}
}

/// A white picture, three bytes a pixel.
struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, rgb: vec![0xff; width * height * 3] }
    }

    /// Fills closed outlines; those that run the other way round are holes. What lies outside is cut off.
    fn fill(&mut self, outlines: &[Vec<Point>], rgb: [u8; 3]) {
        let ys = outlines.iter().flatten().map(|point| point.1);
        let (low, high) = ys.fold((f32::MAX, f32::MIN), |(low, high), y| (low.min(y), high.max(y)));
        let rows = (low.max(0.0) as usize)..(high.ceil().clamp(0.0, self.height as f32) as usize);
        if rows.is_empty() {
            return;
        }
        let mut area =
            Area { first: rows.start, width: self.width, cells: vec![0.0; rows.len() * self.width] };
        for outline in outlines {
            let next = outline.iter().cycle().skip(1);
            for (from, to) in outline.iter().zip(next) {
                area.edge(*from, *to);
            }
        }
        let pixels = self.rgb.chunks_exact_mut(self.width * 3).skip(rows.start);
        for (row, cells) in pixels.zip(area.cells.chunks_exact(self.width)) {
            let mut covered = 0.0_f32;
            for (pixel, cell) in row.chunks_exact_mut(3).zip(cells) {
                covered += cell;
                let part = covered.abs().min(1.0);
                if part > 0.004 {
                    for (byte, ink) in pixel.iter_mut().zip(rgb) {
                        *byte = (f32::from(*byte) + (f32::from(ink) - f32::from(*byte)) * part).round() as u8;
                    }
                }
            }
        }
    }

    /// PNG (RFC 2083): a header, the pixels in one piece, an end.
    fn encode(&self) -> std::io::Result<Vec<u8>> {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
        for row in self.rgb.chunks_exact(self.width * 3) {
            packed.write_all(&[0])?;
            packed.write_all(row)?;
        }
        let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut header = Vec::new();
        header.extend((self.width as u32).to_be_bytes());
        header.extend((self.height as u32).to_be_bytes());
        // Eight bits a sample, red green blue, the one compression and filter there is, not interlaced.
        header.extend([8, 2, 0, 0, 0]);
        chunk(&mut out, *b"IHDR", &header);
        chunk(&mut out, *b"IDAT", &packed.finish()?);
        chunk(&mut out, *b"IEND", &[]);
        Ok(out)
    }
}

/// How much of each pixel lies right of the edges so far, as differences along a row.
struct Area {
    first: usize,
    width: usize,
    cells: Vec<f32>,
}

impl Area {
    /// Adds an edge: in each row it crosses, what lies right of it counts by the height crossed and its direction.
    fn edge(&mut self, from: Point, to: Point) {
        let (down, top, bottom) = if from.1 < to.1 { (1.0, from, to) } else { (-1.0, to, from) };
        let slope = (bottom.0 - top.0) / (bottom.1 - top.1);
        if !slope.is_finite() {
            return;
        }
        let rows = self.cells.len() / self.width.max(1);
        let last = (bottom.1.ceil().max(0.0) as usize).min(self.first + rows);
        for row in (top.1.max(0.0) as usize).max(self.first)..last {
            let (begin, end) = (top.1.max(row as f32), bottom.1.min(row as f32 + 1.0));
            let x = |y: f32| (top.0 + (y - top.1) * slope).clamp(0.0, self.width as f32);
            self.cross(row - self.first, x(begin), x(end), (end - begin) * down);
        }
    }

    /// An edge crosses a row between two places, with a signed height.
    fn cross(&mut self, row: usize, a: f32, b: f32, height: f32) {
        let (left, right) = if a < b { (a, b) } else { (b, a) };
        let (first, last) = (left as usize, right as usize);
        let start = row * self.width;
        let width = self.width;
        let mut add = |column: usize, amount: f32| {
            if let Some(cell) = self.cells.get_mut(start + column).filter(|_| column < width) {
                *cell += amount;
            }
        };
        // The share of the row's height that lies left of each pixel border, as a running sum.
        let mut before = 0.0;
        for column in first..=last {
            let (from, to) = (left.max(column as f32), right.min(column as f32 + 1.0));
            let share = if right > left { ((to - from) / (right - left)).max(0.0) } else { 1.0 };
            // Of the height crossed in this pixel, what lies right of the crossing's middle belongs to it.
            let inside = share * height * (column as f32 + 1.0 - f32::midpoint(from, to));
            add(column, before + inside);
            before = share * height - inside;
        }
        add(last + 1, before);
    }
}

fn chunk(out: &mut Vec<u8>, name: [u8; 4], content: &[u8]) {
    out.extend((content.len() as u32).to_be_bytes());
    let start = out.len();
    out.extend(name);
    out.extend(content);
    let sum = crc32(out.get(start..).unwrap_or_default());
    out.extend(sum.to_be_bytes());
}

/// CRC-32 as PNG uses it (RFC 2083 §15).
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::Role;

    #[test]
    fn a_rectangle_covers_what_it_covers() {
        let mut canvas = Canvas::new(8, 4);
        let corners = |x0: f32, x1: f32| vec![(x0, 1.0), (x1, 1.0), (x1, 3.0), (x0, 3.0)];
        canvas.fill(&[corners(2.0, 4.5)], [0, 0, 0]);
        let row: Vec<u8> = canvas.rgb[8 * 3..].iter().step_by(3).take(8).copied().collect();
        assert_eq!(row, [255, 255, 0, 0, 128, 255, 255, 255]);
        assert!(canvas.rgb[..8 * 3].iter().all(|byte| *byte == 255));
        // Outside is cut off, and nothing is drawn twice.
        canvas.fill(&[corners(-5.0, 20.0)], [255, 0, 0]);
        assert_eq!(&canvas.rgb[8 * 3..8 * 3 + 3], &[255, 0, 0]);
    }

    #[test]
    fn a_figure_with_every_shape_becomes_a_png() {
        let role = Role::Error;
        let figure = Figure {
            id: "x".to_owned(),
            caption: String::new(),
            width: 100.0,
            height: 40.0,
            shapes: vec![
                Shape::Line {
                    from: (5.0, 5.0),
                    to: (90.0, 30.0),
                    role,
                    width: 1.0,
                    dashed: true,
                    arrow: true,
                },
                Shape::Rect { area: (10.0, 10.0, 5.0, f32::NAN), role },
                Shape::Text {
                    at: (50.0, 20.0),
                    size: 9.0,
                    anchor: Anchor::Middle,
                    role,
                    text: "ag字\u{7}".to_owned(),
                },
            ],
        };
        let png = png(&figure).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
        let width = u32::from_be_bytes(png[16..20].try_into().unwrap());
        assert_eq!(width, 250);
    }
}
