//! PDF: A4 pages with embedded fonts, an outline and the figures; layout first, then drawing.

pub mod layout;
pub mod structure;

use std::io;

use krilla::Document as Pdf;
use krilla::SerializeSettings;
use krilla::annotation::{Annotation, LinkAnnotation, Target};
use krilla::color::rgb;
use krilla::configure::{Accessibility, Configuration, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag};
use krilla::text::{Font, TextDirection};

use super::document::Document;
use super::fonts::{Face, Fonts};
use layout::{Draw, LaidOut, PAGE_HEIGHT, PAGE_WIDTH, Reference};
use structure::Parts;

/// The document as a PDF file: PDF/UA-1, so that it can be read aloud, unless a text in it does not allow that.
pub fn bytes(document: &Document) -> io::Result<Vec<u8>> {
    let fonts = Fonts::load().ok_or_else(|| io::Error::other("the embedded fonts cannot be read"))?;
    let laid_out = layout::lay_out(document, &fonts);
    let accessible =
        ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1).finish().ok();
    let accessible = accessible.and_then(|configuration| drawn(document, &laid_out, configuration).ok());
    match accessible {
        Some(bytes) => Ok(bytes),
        None => drawn(document, &laid_out, Configuration::default()),
    }
}

fn drawn(document: &Document, laid_out: &LaidOut, configuration: Configuration) -> io::Result<Vec<u8>> {
    let faces = [Face::Sans, Face::Bold, Face::Mono].map(|face| Font::new(face.bytes().into(), 0));
    let [Some(sans), Some(bold), Some(mono)] = faces else {
        return Err(io::Error::other("the embedded fonts cannot be read"));
    };
    let font = |face: &Face| match face {
        Face::Sans => sans.clone(),
        Face::Bold => bold.clone(),
        Face::Mono => mono.clone(),
    };
    let mut pdf = Pdf::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    let title = if document.title.is_empty() { "Report" } else { &document.title };
    let metadata = Metadata::new().title(title.to_owned()).creator("portmortem".to_owned());
    pdf.set_metadata(metadata.language("en".to_owned()));
    let mut parts = laid_out.parts.to_fill();
    let mut references = laid_out.references.iter().peekable();
    for (number, page) in laid_out.pages.iter().enumerate() {
        let settings = PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT)
            .ok_or_else(|| io::Error::other("the page size is not valid"))?;
        let mut sheet = pdf.start_page_with(settings);
        let mut surface = sheet.surface();
        for run in page.chunk_by(|(one, _), (two, _)| one == two) {
            let part = run.first().map_or(Parts::NONE, |(part, _)| *part);
            let tag = match part {
                Parts::NONE => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Other)),
                _ => ContentTag::Other,
            };
            let piece = surface.start_tagged(tag);
            for (_, draw) in run {
                paint(&mut surface, draw, &font);
            }
            surface.end_tagged();
            if part != Parts::NONE {
                parts.put(part, piece);
            }
        }
        surface.finish();
        while let Some((_, reference)) = references.next_if(|(page, _)| *page == number) {
            if let Some(link) = link(laid_out, reference) {
                parts.put(reference.part, sheet.add_tagged_annotation(link));
            }
        }
        sheet.finish();
    }
    pdf.set_outline(outline(laid_out, title));
    pdf.set_tag_tree(parts.tree());
    pdf.finish().map_err(|error| io::Error::other(format!("PDF: {error:?}")))
}

/// The area of a reference, leading to its place; `None` where that was not laid out.
fn link(laid_out: &LaidOut, reference: &Reference) -> Option<Annotation> {
    let (page, y) = laid_out.places.get(&reference.to)?;
    let (x, top, width, height) = reference.area;
    let place = XyzDestination::new(*page, Point::from_xy(0.0, *y));
    let area = Rect::from_xywh(x, top, width, height)?;
    let words = format!("to {}", reference.to.replace('-', " "));
    Some(Annotation::new_link(LinkAnnotation::new(area, Target::Destination(place.into())), Some(words)))
}

/// Bookmarks: the headings, the small ones below the large one before them.
fn outline(laid_out: &LaidOut, title: &str) -> Outline {
    let node = |text: &str, (page, y): (usize, f32)| {
        OutlineNode::new(text.to_owned(), XyzDestination::new(page, Point::from_xy(0.0, y)))
    };
    let mut outline = Outline::new();
    let mut open: Option<OutlineNode> = None;
    for (text, level, place) in &laid_out.headings {
        match &mut open {
            Some(above) if *level > 2 => above.push_child(node(text, *place)),
            _ => {
                open.replace(node(text, *place)).into_iter().for_each(|before| outline.push_child(before));
            }
        }
    }
    outline.push_child(open.unwrap_or_else(|| node(title, (0, 0.0))));
    outline
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
    use crate::report::figure::{Anchor, Figure, Role, Shape};

    #[test]
    fn a_report_with_every_block_becomes_a_pdf_that_can_be_read_aloud() {
        let markdown = format!(
            "# Title\n\n{} [F1, list 1]\n\n## Two\n\n### Three\n\n- ● a\n- ◇ b\n\n1. c\n\n> d\n\n![x](figure:timeline)\n\n\
             | x | y |\n|---|---|\n| {} | 2 |\n\n| List | Frames |\n|---|---|\n| list 1 | 9 |\n\n```\nline\n```\n\n漢字 ☃ \u{202e}\u{e000}\n",
            "word ".repeat(2_000),
            "long".repeat(200)
        );
        let text = Shape::Text {
            at: (10.0, 10.0),
            size: 9.0,
            anchor: Anchor::Start,
            role: Role::Ink,
            text: "漢".to_owned(),
        };
        let (id, caption) = ("timeline".to_owned(), "Queries.".to_owned());
        let figure = Figure { id, caption, width: 200.0, height: 100.0, shapes: vec![text] };
        let document = Document::read("t", "foot", (&markdown, ""), vec![figure]);
        let laid_out = layout::lay_out(&document, &Fonts::load().unwrap());
        assert_eq!(laid_out.references.len(), 1);
        assert!(laid_out.places.contains_key("list-1"));
        let accessible =
            ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1).finish().unwrap();
        let out = drawn(&document, &laid_out, accessible).unwrap();
        assert!(out.starts_with(b"%PDF-"));
        assert!(out.len() > 4_000);
        let text = String::from_utf8_lossy(&out);
        for needed in [
            "pdfuaid:part",
            "/StructTreeRoot",
            "/Lang",
            "/Outlines",
            "/Subtype/Link",
            "/DisplayDocTitle true",
        ] {
            assert!(text.contains(needed), "{needed}");
        }
    }

    #[test]
    fn a_short_text_without_headings_can_be_read_aloud_too() {
        let document = Document::read("", "foot", ("Only this.\n", ""), Vec::new());
        let laid_out = layout::lay_out(&document, &Fonts::load().unwrap());
        let accessible =
            ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1).finish().unwrap();
        assert!(drawn(&document, &laid_out, accessible).is_ok());
    }
}
