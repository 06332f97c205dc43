//! PDF: A4 pages with embedded fonts, an outline and the figures; layout first, then drawing.

pub mod layout;

use std::io;

use krilla::Document as Pdf;
use krilla::color::rgb;
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::text::{Font, TextDirection};

use super::document::Document;
use super::fonts::{Face, Fonts};
use layout::{Draw, PAGE_HEIGHT, PAGE_WIDTH};

/// The document as a PDF file.
pub fn bytes(document: &Document) -> io::Result<Vec<u8>> {
    let fonts = Fonts::load().ok_or_else(|| io::Error::other("the embedded fonts cannot be read"))?;
    let laid_out = layout::lay_out(document, &fonts);
    let faces = [Face::Sans, Face::Bold, Face::Mono].map(|face| Font::new(face.bytes().into(), 0));
    let [Some(sans), Some(bold), Some(mono)] = faces else {
        return Err(io::Error::other("the embedded fonts cannot be read"));
    };
    let mut pdf = Pdf::new();
    let metadata = Metadata::new().title(document.title.clone()).creator("portmortem".to_owned());
    pdf.set_metadata(metadata.language("en".to_owned()));
    for page in &laid_out.pages {
        let settings = PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT)
            .ok_or_else(|| io::Error::other("the page size is not valid"))?;
        let mut sheet = pdf.start_page_with(settings);
        let mut surface = sheet.surface();
        for draw in page {
            let font = |face: &Face| match face {
                Face::Sans => sans.clone(),
                Face::Bold => bold.clone(),
                Face::Mono => mono.clone(),
            };
            paint(&mut surface, draw, &font);
        }
        surface.finish();
        sheet.finish();
    }
    let mut outline = Outline::new();
    for (title, page, y) in &laid_out.headings {
        let place = XyzDestination::new(*page, Point::from_xy(0.0, *y));
        outline.push_child(OutlineNode::new(title.clone(), place));
    }
    pdf.set_outline(outline);
    pdf.finish().map_err(|error| io::Error::other(format!("PDF: {error:?}")))
}

fn paint(surface: &mut Surface<'_>, draw: &Draw, font: &dyn Fn(&Face) -> Font) {
    let colour = |[red, green, blue]: [u8; 3]| rgb::Color::new(red, green, blue);
    let fill =
        |rgb| Fill { paint: colour(rgb).into(), opacity: NormalizedF32::ONE, rule: FillRule::default() };
    match draw {
        Draw::Text { x, y, size, face, rgb, text } => {
            surface.set_stroke(None);
            surface.set_fill(Some(fill(*rgb)));
            let at = Point::from_xy(*x, *y);
            surface.draw_text(at, font(face), *size, text, false, TextDirection::LeftToRight);
        }
        Draw::Rect { area: (x, y, width, height), rgb } => {
            let Some(rect) = Rect::from_xywh(*x, *y, width.max(0.1), height.max(0.1)) else { return };
            let mut path = PathBuilder::new();
            path.push_rect(rect);
            surface.set_stroke(None);
            surface.set_fill(Some(fill(*rgb)));
            path.finish().iter().for_each(|path| surface.draw_path(path));
        }
        Draw::Line { from, to, width, dashed, rgb } => {
            let mut path = PathBuilder::new();
            path.move_to(from.0, from.1);
            path.line_to(to.0, to.1);
            let dash = dashed.then(|| StrokeDash { array: vec![4.0, 3.0], offset: 0.0 });
            surface.set_fill(None);
            surface.set_stroke(Some(Stroke {
                paint: colour(*rgb).into(),
                width: *width,
                dash,
                ..Stroke::default()
            }));
            path.finish().iter().for_each(|path| surface.draw_path(path));
        }
        Draw::Polygon { corners, rgb } => {
            let mut path = PathBuilder::new();
            for (at, (x, y)) in corners.iter().enumerate() {
                if at == 0 {
                    path.move_to(*x, *y);
                } else {
                    path.line_to(*x, *y);
                }
            }
            path.close();
            surface.set_stroke(None);
            surface.set_fill(Some(fill(*rgb)));
            path.finish().iter().for_each(|path| surface.draw_path(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_with_every_block_becomes_a_pdf() {
        let markdown = format!(
            "# Title\n\n{}\n\n## Two\n\n- a\n- b\n\n| x | y |\n|---|---|\n| {} | 2 |\n\n```\nline\n```\n",
            "word ".repeat(2_000),
            "long".repeat(200)
        );
        let out = bytes(&Document::read("t", "foot", &markdown, Vec::new())).unwrap();
        assert!(out.starts_with(b"%PDF-"));
        assert!(out.len() > 4_000);
    }
}
