//! What a document is made of, for those who do not see its pages (PDF/UA-1): the parts in the order of reading, and
//! what of the pages belongs to each.

use std::num::NonZeroU16;

use krilla::tagging::{Identifier, ListNumbering, Node, TableHeaderScope, Tag, TagGroup, TagKind, TagTree};

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A heading: its level and its text.
    Heading(u8, String),
    /// A paragraph, or preformatted lines.
    Paragraph,
    /// A quoted part.
    Quote,
    /// A list.
    List {
        /// With numbers instead of marks.
        numbered: bool,
    },
    /// An item of a list.
    Item,
    /// Its number or mark.
    Label,
    /// Its text.
    Body,
    /// A table.
    Table,
    /// Its head.
    Head,
    /// Its rows.
    Rows,
    /// One row.
    Row,
    /// A cell of the head.
    HeadCell,
    /// Any other cell.
    Cell,
    /// A figure: what it shows, in words.
    Figure(String),
    /// Its caption.
    Caption,
    /// Text that leads to another place.
    Reference,
}

impl Kind {
    fn tag(&self) -> TagKind {
        match self {
            Self::Heading(level, text) => {
                let level = NonZeroU16::new(u16::from(*level)).unwrap_or(NonZeroU16::MIN);
                Tag::Hn(level, Some(text.clone())).into()
            }
            Self::Paragraph => Tag::P.into(),
            Self::Quote => Tag::BlockQuote.into(),
            Self::List { numbered: true } => Tag::L(ListNumbering::Decimal).into(),
            Self::List { numbered: false } => Tag::L(ListNumbering::Disc).into(),
            Self::Item => Tag::LI.into(),
            Self::Label => Tag::Lbl.into(),
            Self::Body => Tag::LBody.into(),
            Self::Table => Tag::Table.into(),
            Self::Head => Tag::THead.into(),
            Self::Rows => Tag::TBody.into(),
            Self::Row => Tag::TR.into(),
            Self::HeadCell => Tag::TH(TableHeaderScope::Column).into(),
            Self::Cell => Tag::TD.into(),
            Self::Figure(words) => Tag::Figure(Some(words.clone())).into(),
            Self::Caption => Tag::Caption.into(),
            Self::Reference => Tag::Link.into(),
        }
    }
}

/// The parts of a document: each knows what it is a part of.
#[derive(Debug, Default)]
pub struct Parts {
    /// The part each is in and what it is; the first stands at place 2.
    parts: Vec<(usize, Kind)>,
}

/// What is in a part: other parts, and pieces of pages.
#[derive(Clone, Copy)]
enum Content {
    Part(usize),
    Piece(Identifier),
}

/// What belongs to each part, while pages are drawn.
pub struct Filled<'p> {
    parts: &'p Parts,
    content: Vec<Vec<Content>>,
    placed: Vec<bool>,
}

impl Parts {
    /// No part: what pleases the eye, and what stands on every page.
    pub const NONE: usize = 0;
    /// The document itself.
    pub const ROOT: usize = 1;

    /// A new part of another.
    pub fn add(&mut self, of: usize, kind: Kind) -> usize {
        self.parts.push((of, kind));
        self.parts.len() + 1
    }

    fn get(&self, part: usize) -> Option<&(usize, Kind)> {
        self.parts.get(part.checked_sub(2)?)
    }

    /// The parts, to be filled with what is drawn.
    pub fn to_fill(&self) -> Filled<'_> {
        let count = self.parts.len() + 2;
        Filled { parts: self, content: (0..count).map(|_| Vec::new()).collect(), placed: vec![false; count] }
    }
}

impl Filled<'_> {
    /// Puts a piece of a page into a part, after what is there.
    pub fn put(&mut self, part: usize, piece: Identifier) {
        self.place(part);
        if let Some(content) = self.content.get_mut(part) {
            content.push(Content::Piece(piece));
        }
    }

    /// Puts a part into the one it is of, when it gets its first piece.
    fn place(&mut self, part: usize) {
        let Some(&(of, _)) = self.parts.get(part) else { return };
        match self.placed.get_mut(part) {
            Some(placed) if !*placed => *placed = true,
            _ => return,
        }
        self.place(of);
        if let Some(content) = self.content.get_mut(of) {
            content.push(Content::Part(part));
        }
    }

    /// The tree of tags.
    pub fn tree(mut self) -> TagTree {
        let mut tree = TagTree::new().with_lang(Some("en".to_owned()));
        for content in std::mem::take(self.content.get_mut(Parts::ROOT).unwrap_or(&mut Vec::new())) {
            tree.push(self.node(content));
        }
        tree
    }

    fn node(&mut self, content: Content) -> Node {
        let part = match content {
            Content::Piece(piece) => return piece.into(),
            Content::Part(part) => part,
        };
        let kind = self.parts.get(part).map_or_else(|| Tag::NonStruct.into(), |(_, kind)| kind.tag());
        let content = self.content.get_mut(part).map(std::mem::take).unwrap_or_default();
        let children = content.into_iter().map(|content| self.node(content)).collect();
        TagGroup::with_children(kind, children).into()
    }
}
