//! The filter language: text to rows. Wireshark's and tcpdump's habits in one grammar.

pub mod build;
mod calculate;
mod complete;
mod evaluate;
mod evidence;
pub mod expression;
pub mod fields;
mod grammar;
mod lexer;
mod linked;
mod literal;
mod matcher;
pub mod named;
mod numbers;
mod operand;
mod primitive;
pub mod reference;
mod related;
mod scan;
mod streams;
mod tree;
mod tried;
mod values;
mod vocabulary;
mod warnings;

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use crate::capture::Format;
use crate::correlate::Evidence;
use crate::index::{Index, PacketId};
use crate::settings::Settings;
pub use complete::{COMPLETIONS_MAX, Completion, complete};
pub use evaluate::Step;
use expression::{Expression, Function};
pub use vocabulary::Vocabulary;

/// Why a text is no filter: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Byte range in the text; may be empty at its end.
    pub span: Range<usize>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to write instead, if anything is near.
    pub suggestion: Option<String>,
    /// The text may become right by typing on.
    pub unfinished: bool,
}

/// What annotations know of packets, for the fields `note`, `tag` and `marked`; the case provides it.
pub trait Notes: Sync {
    /// Note texts of a packet.
    fn notes(&self, packet: PacketId) -> Vec<String>;
    /// Tags of a packet.
    fn tags(&self, packet: PacketId) -> Vec<String>;
    /// Whether the packet is marked.
    fn is_marked(&self, packet: PacketId) -> bool;
}

/// What a filter is evaluated on.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// The packets.
    pub index: &'c Index,
    /// What correlation found; `None` while it is not ready.
    pub evidence: Option<&'c Evidence>,
    /// Annotations, where there is a case.
    pub notes: Option<&'c dyn Notes>,
    /// Set to stop soon; the result is then incomplete and must be dropped.
    pub cancel: &'c AtomicBool,
}

/// A parsed filter.
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    expression: Expression,
}

impl Filter {
    /// Parses a text. The empty text matches every packet.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        Self::parse_with(text, &|_| None, &named::ONLY_SHIPPED)
    }

    /// The same, with the filters that `$name` can mean; those that only the caller knows go before the others.
    pub fn parse_with(text: &str, own: named::Own<'_>, named: &named::Named) -> Result<Self, FilterError> {
        Ok(Self { text: text.to_owned(), expression: grammar::parse(text, own, named)? })
    }

    /// Whether one packet can be tested without looking at all the others.
    pub fn is_local(&self) -> bool {
        let mut local = true;
        self.expression.fields(&mut |test| local &= !matches!(test.source, fields::Source::Stream(_)));
        local
    }

    /// Whether it can only match DNS messages, ICMP messages and pieces of them, so that no other packets are read again.
    pub fn is_about_evidence(&self, settings: &Settings) -> bool {
        scan::is_about_evidence(&self.expression, settings)
    }

    /// The same filter with the packets linked to a match besides.
    #[must_use]
    pub fn with_partners(&self) -> Self {
        let partners = Expression::Function(Function::Partner, Box::new(self.expression.clone()));
        Self { text: self.text.clone(), expression: self.expression.clone().or(partners) }
    }

    /// The text as it was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The matching packets in the order of the index ([`Index::order`] where there is one).
    pub fn rows(&self, context: &Context<'_>) -> Vec<u32> {
        let mut rows = Vec::new();
        self.rows_with(context, &mut |step| rows.extend_from_slice(step.rows));
        rows
    }

    /// Hands on matching packets, in the order of the index, as they are found; false when cancelled.
    pub fn rows_with(&self, context: &Context<'_>, step: &mut dyn FnMut(Step<'_>)) -> bool {
        evaluate::run(&self.expression, context, step)
    }

    /// The same from a packet on; what comes before it counts as looked at.
    pub fn rows_from(&self, first: u32, context: &Context<'_>, step: &mut dyn FnMut(Step<'_>)) -> bool {
        evaluate::run_from(&self.expression, first, context, &mut |found| {
            step(found);
            true
        })
    }

    /// Whether what a packet matches stays the same however many packets follow it.
    pub fn is_stepwise(&self) -> bool {
        let mut functions = false;
        self.expression.functions(&mut |_| functions = true);
        self.is_local() && !functions
    }

    /// Whether one packet matches.
    pub fn matches(&self, context: &Context<'_>, packet: PacketId) -> bool {
        let found = context.index.packet(packet);
        found.is_some_and(|packet| evaluate::matches(&self.expression, &packet, context))
    }

    /// The mistake of asking for a host by a name where no capture prints hosts by name.
    pub fn host_without_number(&self, index: &Index) -> Option<FilterError> {
        let prints = |source: &crate::index::IndexedSource| source.metadata.format == Format::Transcript;
        if index.sources.is_empty() || index.sources.iter().any(prints) {
            return None;
        }
        let mut found = None;
        self.expression.tests(&mut |test| {
            if let expression::Check::Compare { matcher: matcher::Matcher::Addresses(ranges), .. } =
                &test.check
                && ranges.iter().any(|range| range.is_name())
            {
                found.get_or_insert_with(|| test.span.clone());
            }
        });
        let span = found?;
        let inside = lexer::lex(&self.text).ok()?.into_iter();
        let inside = inside.filter(|lexeme| span.start <= lexeme.span.start && lexeme.span.end <= span.end);
        let items = inside.filter_map(|lexeme| match lexeme.token {
            lexer::Token::Word => Some(literal::Item::bare(self.text.get(lexeme.span.clone())?, lexeme.span)),
            lexer::Token::Text(bytes) => Some(literal::Item::quoted(bytes, false, lexeme.span)),
            _ => None,
        });
        let mut named = items.filter(|item| {
            matcher::host(&item.text, item.quoted).is_some_and(matcher::AddressRange::is_name)
        });
        let item = named.next_back()?;
        let complaint = literal::no_address(&item, &item.text);
        let unfinished = complaint.unfinished && item.span.end == self.text.len();
        Some(FilterError {
            span: item.span,
            message: complaint.message,
            suggestion: complaint.suggestion,
            unfinished,
        })
    }

    /// Things that are legal but can match nothing, with their span.
    pub fn warnings(&self, context: &Context<'_>) -> Vec<(Range<usize>, String)> {
        warnings::warnings(&self.text, &self.expression, context)
    }
}
