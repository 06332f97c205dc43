//! Evaluates a filter: stretches of segments in parallel, cheap tests before dear ones, dense masks of one bit a packet.

use std::sync::atomic::Ordering;

use rayon::prelude::*;

use super::Context;
use super::expression::{Check, Expression, Function, Relation, Test};
use super::linked::Linked;
use super::related::{self, Related};
use super::tried::Tried;
use super::{calculate, linked, scan, values};
use crate::index::segment::SEGMENT_MAX;
use crate::index::{Index, IndexedSource, Packet, PacketId, Segment};

/// Rows a dear test looks at before results are handed on and cancellation is seen to.
const STRETCH_DEAR: usize = 2048;
/// Rows of one mask word.
pub const WORD: usize = 64;

/// A stretch of one segment's rows.
#[derive(Clone, Copy)]
pub struct View<'i> {
    /// The segment.
    pub segment: &'i Segment,
    /// Its capture.
    pub source: &'i IndexedSource,
    /// First row.
    pub start: usize,
    /// One past the last row.
    pub end: usize,
}

impl<'i> View<'i> {
    /// Rows in it.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// The packet of its first row.
    pub fn base(&self) -> u32 {
        self.segment.base.0 + self.start as u32
    }

    /// One of its packets, by position in the view.
    pub fn packet(&self, at: usize) -> Packet<'i> {
        let row = self.start + at;
        let id = PacketId(self.segment.base.0 + row as u32);
        Packet { id, segment: self.segment, row, source: self.source }
    }
}

/// One bit a packet of a view.
pub type Mask = Vec<u64>;

/// A filter made ready for one context.
pub enum Plan<'f> {
    /// Every packet.
    Everything,
    /// All of them, cheapest first.
    And(Vec<Plan<'f>>),
    /// Any of them, cheapest first.
    Or(Vec<Plan<'f>>),
    /// One of two, but not both.
    Xor(Box<[Plan<'f>; 2]>),
    /// The packets that do not match.
    Not(Box<Plan<'f>>),
    /// One test.
    Test(&'f Test),
    /// A comparison of two operands.
    Relation(&'f Relation),
    /// A test of what correlation found.
    Linked(Linked<'f>),
    /// A test of the attempt a packet belongs to.
    Tried(Box<Tried<'f>>),
    /// A function over linked packets.
    Related(Box<Related<'f>>),
}

impl<'f> Plan<'f> {
    /// Sorts by cost; nothing is evaluated yet.
    pub fn new(expression: &'f Expression, context: &Context<'_>) -> Self {
        let many = |parts: &'f [Expression]| {
            let mut plans: Vec<_> = parts.iter().map(|part| Self::new(part, context)).collect();
            plans.sort_by_key(Self::cost);
            plans
        };
        match expression {
            Expression::Everything => Self::Everything,
            Expression::And(parts) => Self::And(many(parts)),
            Expression::Or(parts) => Self::Or(many(parts)),
            Expression::Xor(parts) => {
                Self::Xor(Box::new(parts.each_ref().map(|part| Self::new(part, context))))
            }
            Expression::Not(inner) => Self::Not(Box::new(Self::new(inner, context))),
            Expression::Test(test) => Linked::new(test, context)
                .map(Self::Linked)
                .or_else(|| Some(Self::Tried(Box::new(Tried::new(test, context)?))))
                .unwrap_or(Self::Test(test)),
            Expression::Relation(relation) => Self::Relation(relation),
            Expression::Function(function, inner) => {
                Self::Related(Box::new(Related::new(*function, inner, context)))
            }
        }
    }

    /// Relative time a row takes.
    pub fn cost(&self) -> u32 {
        match self {
            Self::Everything => 0,
            Self::Linked(_) | Self::Tried(_) => scan::LINKED,
            Self::Related(related) => related.cost(),
            Self::Test(test) => scan::cost(test),
            Self::Relation(_) => scan::DEAR * 3,
            Self::Not(inner) => inner.cost(),
            Self::Xor(parts) => parts.iter().map(Self::cost).sum(),
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::cost).sum(),
        }
    }

    /// Whether any part decodes packets again.
    pub fn is_dear(&self) -> bool {
        match self {
            Self::Everything | Self::Linked(_) | Self::Tried(_) => false,
            Self::Related(related) => related.is_dear(),
            Self::Test(test) => scan::cost(test) >= scan::DEAR,
            Self::Relation(_) => true,
            Self::Not(inner) => inner.is_dear(),
            Self::Xor(parts) => parts.iter().any(Self::is_dear),
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::is_dear),
        }
    }

    /// Rows to look at before results are handed on.
    pub fn stretch(&self) -> usize {
        if self.is_dear() { STRETCH_DEAR } else { SEGMENT_MAX }
    }

    /// The matching packets among `candidates`.
    pub fn mask(&self, view: &View<'_>, context: &Context<'_>, candidates: &Mask) -> Mask {
        match self {
            Self::Everything => candidates.clone(),
            Self::And(parts) => {
                let mut left = candidates.clone();
                for part in parts {
                    if left.iter().all(|word| *word == 0) {
                        break;
                    }
                    left = part.mask(view, context, &left);
                }
                left
            }
            Self::Or(parts) => {
                let mut found = vec![0; candidates.len()];
                let mut open = candidates.clone();
                for part in parts {
                    if open.iter().all(|word| *word == 0) {
                        break;
                    }
                    let more = part.mask(view, context, &open);
                    for ((found, open), more) in found.iter_mut().zip(&mut open).zip(&more) {
                        *found |= more;
                        *open &= !more;
                    }
                }
                found
            }
            Self::Xor(parts) => {
                let [mut mask, other] = parts.each_ref().map(|part| part.mask(view, context, candidates));
                mask.iter_mut().zip(other).for_each(|(word, other)| *word ^= other);
                mask
            }
            Self::Not(inner) => {
                let mut mask = inner.mask(view, context, candidates);
                for (word, candidate) in mask.iter_mut().zip(candidates) {
                    *word = candidate & !*word;
                }
                mask
            }
            Self::Linked(linked) => linked.mask(view, context, candidates),
            Self::Tried(tried) => tried.mask(view, context, candidates),
            Self::Related(related) => related.mask(view, context, candidates),
            Self::Relation(relation) => {
                row_by_row(view, context, candidates, &|packet| calculate::passes(relation, packet, context))
            }
            Self::Test(test) => match scan::dense(test, view, context) {
                Some(mut mask) => {
                    for (word, candidate) in mask.iter_mut().zip(candidates) {
                        *word &= candidate;
                    }
                    mask
                }
                None => row_by_row(view, context, candidates, &|packet| matches_test(test, packet, context)),
            },
        }
    }
}

/// The rows among `candidates` that pass.
pub fn row_by_row(
    view: &View<'_>,
    context: &Context<'_>,
    candidates: &Mask,
    passes: &dyn Fn(&Packet<'_>) -> bool,
) -> Mask {
    let mut mask = vec![0u64; candidates.len()];
    for (at, (out, candidate)) in mask.iter_mut().zip(candidates).enumerate() {
        if context.cancel.load(Ordering::Relaxed) {
            break;
        }
        let mut left = *candidate;
        while left != 0 {
            let bit = left.trailing_zeros() as usize;
            left &= left - 1;
            if passes(&view.packet(at * WORD + bit)) {
                *out |= 1 << bit;
            }
        }
    }
    mask
}

/// Whether one packet passes one test.
pub fn matches_test(test: &Test, packet: &Packet<'_>, context: &Context<'_>) -> bool {
    match &test.check {
        Check::Exists => scan::exists(test, packet, context),
        Check::Compare { .. } => compares(test, &mut |visit| values::each(test, packet, context, visit)),
    }
}

/// Whether the values that `raw` hands out pass a test.
pub fn passes(test: &Test, raw: &mut dyn FnMut(values::Visit<'_>)) -> bool {
    compares(test, &mut |visit| values::shape(test, raw, visit))
}

/// Whether values, once they have the shape that is compared, pass a test.
fn compares(test: &Test, each: &mut dyn FnMut(values::Visit<'_>)) -> bool {
    let Check::Compare { matcher, negate, all } = &test.check else {
        let mut found = false;
        each(&mut |_| {
            found = true;
            true
        });
        return found;
    };
    let (mut any, mut every, mut some) = (false, true, false);
    each(&mut |value| {
        let accepted = matcher.accepts(&value) != *negate;
        some = true;
        any |= accepted;
        every &= accepted;
        // The answer cannot change once one value decides it.
        if *all { !every } else { any }
    });
    if *all { some && every } else { any }
}

/// Whether one packet matches.
pub fn matches(expression: &Expression, packet: &Packet<'_>, context: &Context<'_>) -> bool {
    match expression {
        Expression::Everything => true,
        Expression::And(parts) => parts.iter().all(|part| matches(part, packet, context)),
        Expression::Or(parts) => parts.iter().any(|part| matches(part, packet, context)),
        Expression::Xor(parts) => {
            let [a, b] = parts.each_ref().map(|part| matches(part, packet, context));
            a != b
        }
        Expression::Not(inner) => !matches(inner, packet, context),
        Expression::Test(test) => matches_test(test, packet, context),
        Expression::Relation(relation) => calculate::passes(relation, packet, context),
        Expression::Function(function, inner) => is_related(*function, inner, packet, context),
    }
}

fn is_related(function: Function, inner: &Expression, packet: &Packet<'_>, context: &Context<'_>) -> bool {
    related::neighbours(function, packet.id, context)
        .into_iter()
        .filter_map(|id| context.index.packet(id))
        .any(|other| matches(inner, &other, context))
}

/// What a step of an evaluation found.
#[derive(Clone, Copy, Debug)]
pub struct Step<'s> {
    /// Rows found since the step before, in the order of the index.
    pub rows: &'s [u32],
    /// Packets looked at so far.
    pub done: u32,
    /// Packets to look at.
    pub total: u32,
}

/// Evaluates over the whole index and hands on matching rows as they are found; false when cancelled.
pub fn run(expression: &Expression, context: &Context<'_>, step: &mut dyn FnMut(Step<'_>)) -> bool {
    run_while(expression, context, &mut |found| {
        step(found);
        true
    })
}

/// The same until `step` says no; false when cancelled.
pub fn run_while(
    expression: &Expression,
    context: &Context<'_>,
    step: &mut dyn FnMut(Step<'_>) -> bool,
) -> bool {
    run_from(expression, 0, context, step)
}

/// The same over the segments from packet `first` on.
pub fn run_from(
    expression: &Expression,
    first: u32,
    context: &Context<'_>,
    step: &mut dyn FnMut(Step<'_>) -> bool,
) -> bool {
    linked::prepare(expression, context);
    let plan = Plan::new(expression, context);
    let stretch = plan.stretch();
    let mut views = views(context.index, stretch);
    if context.index.order.is_none() {
        views.retain(|view| view.base() >= first);
    }
    let threads = rayon::current_num_threads().max(1);
    let total = context.index.len();
    let mut order = context.index.order.as_deref().map(|order| Ordered::new(order, total));
    let (mut done, mut at, mut batch) = (if context.index.order.is_none() { first } else { 0 }, 0, threads);
    let batch_max = if plan.is_dear() { threads * 16 } else { threads * 8 };
    let mut rows = Vec::new();
    while at < views.len() {
        let end = (at + batch).min(views.len());
        let chunk = views.get(at..end).unwrap_or_default();
        let masks: Vec<Mask> =
            chunk.par_iter().map(|view| plan.mask(view, context, &full(view.len()))).collect();
        if context.cancel.load(Ordering::Relaxed) {
            return false;
        }
        rows.clear();
        for (view, mask) in chunk.iter().zip(&masks) {
            done += view.len() as u32;
            match &mut order {
                Some(order) => order.mark(view, mask),
                None => push_rows(mask, view.base(), &mut rows),
            }
        }
        if let Some(order) = &mut order {
            order.drain(&mut rows);
        }
        if !step(Step { rows: &rows, done, total }) {
            return true;
        }
        at = end;
        // The first results come soon, later ones in larger steps.
        batch = (batch * 2).min(batch_max);
    }
    true
}

/// A mask with a bit for each of `length` rows.
pub fn full(length: usize) -> Mask {
    let mut mask = vec![u64::MAX; length.div_ceil(WORD)];
    if let (Some(last), rest @ 1..) = (mask.last_mut(), length % WORD) {
        *last = (1 << rest) - 1;
    }
    mask
}

fn push_rows(mask: &Mask, base: u32, rows: &mut Vec<u32>) {
    for (at, word) in mask.iter().enumerate() {
        let mut left = *word;
        while left != 0 {
            rows.push(base + (at * WORD) as u32 + left.trailing_zeros());
            left &= left - 1;
        }
    }
}

/// The stretches to look at, in the order their results are wanted.
fn views(index: &Index, stretch: usize) -> Vec<View<'_>> {
    let mut views = Vec::new();
    for segment in index.segments() {
        let Some(source) = index.sources.get(segment.source.place()) else { continue };
        let mut start = 0;
        while start < segment.len() {
            let end = segment.len().min(start.saturating_add(stretch));
            views.push(View { segment, source, start, end });
            start = end;
        }
    }
    if index.order.is_some() {
        views.sort_by_key(|view| view.segment.time_ns.get(view.start).copied().unwrap_or_default());
    }
    views
}

/// Hands out matches in an order that is not that of ids, as soon as everything before them is known.
struct Ordered<'o> {
    order: &'o [u32],
    known: Vec<u64>,
    found: Vec<u64>,
    at: usize,
}

impl<'o> Ordered<'o> {
    fn new(order: &'o [u32], total: u32) -> Self {
        let words = (total as usize).div_ceil(WORD);
        Self { order, known: vec![0; words], found: vec![0; words], at: 0 }
    }

    fn mark(&mut self, view: &View<'_>, mask: &Mask) {
        let set = |words: &mut Vec<u64>, id: u32| {
            if let Some(word) = words.get_mut(id as usize / WORD) {
                *word |= 1 << (id as usize % WORD);
            }
        };
        for at in 0..view.len() as u32 {
            set(&mut self.known, view.base() + at);
        }
        let mut rows = Vec::new();
        push_rows(mask, view.base(), &mut rows);
        for id in rows {
            set(&mut self.found, id);
        }
    }

    fn drain(&mut self, rows: &mut Vec<u32>) {
        let has = |words: &[u64], id: u32| {
            words.get(id as usize / WORD).is_some_and(|word| word >> (id as usize % WORD) & 1 == 1)
        };
        while let Some(id) = self.order.get(self.at) {
            if !has(&self.known, *id) {
                break;
            }
            if has(&self.found, *id) {
                rows.push(*id);
            }
            self.at += 1;
        }
    }
}
