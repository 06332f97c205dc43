//! The embedded fonts: measured for the layout of pages, drawn into PDF files and pictures.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;

use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider as _};

/// One of the embedded fonts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Face {
    /// Body text.
    Sans,
    /// Headings and emphasis.
    Bold,
    /// Code and captured text.
    Mono,
}

impl Face {
    /// The font file.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::Sans => include_bytes!("../../assets/fonts/DejaVuSans.ttf"),
            Self::Bold => include_bytes!("../../assets/fonts/DejaVuSans-Bold.ttf"),
            Self::Mono => include_bytes!("../../assets/fonts/DejaVuSansMono.ttf"),
        }
    }
}

/// The fonts, opened to measure text.
pub struct Fonts {
    sans: FontRef<'static>,
    bold: FontRef<'static>,
    mono: FontRef<'static>,
    /// Advance widths of characters seen so far, at size 1; asking the font for each is slow.
    advances: RefCell<HashMap<(Face, char), f32>>,
}

impl Fonts {
    /// Opens the embedded fonts.
    pub fn load() -> Option<Self> {
        let open = |face: Face| FontRef::new(face.bytes()).ok();
        Some(Self {
            sans: open(Face::Sans)?,
            bold: open(Face::Bold)?,
            mono: open(Face::Mono)?,
            advances: RefCell::default(),
        })
    }

    /// The font of a face.
    pub fn font(&self, face: Face) -> &FontRef<'static> {
        match face {
            Face::Sans => &self.sans,
            Face::Bold => &self.bold,
            Face::Mono => &self.mono,
        }
    }

    /// Width of a text in points; characters without a glyph count as they are drawn (see [`Fonts::drawable`]).
    pub fn width(&self, face: Face, size: f32, text: &str) -> f32 {
        let mut known = self.advances.borrow_mut();
        let mut advance = |character: char| {
            *known.entry((face, character)).or_insert_with(|| {
                let font = self.font(face);
                let metrics = font.glyph_metrics(Size::new(1.0), LocationRef::default());
                let glyph = font.charmap().map(character);
                glyph.and_then(|glyph| metrics.advance_width(glyph)).unwrap_or(0.0)
            })
        };
        text.chars().map(&mut advance).sum::<f32>() * size
    }

    /// The text with characters the font cannot draw written as `U+XXXX`.
    pub fn drawable(&self, face: Face, text: &str) -> String {
        let charmap = self.font(face).charmap();
        let mut out = String::with_capacity(text.len());
        for character in text.chars() {
            if charmap.map(character).is_some() {
                out.push(character);
            } else {
                let _ = write!(out, "U+{:04X}", character as u32);
            }
        }
        out
    }
}
