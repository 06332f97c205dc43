//! Tests of what correlation found, answered for one stretch of packets at a time from the links that touch it.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::Context;
use super::evaluate::{Mask, View, WORD, matches_test, passes};
use super::evidence;
use super::expression::{Check, Expression, Test, Transform};
use super::fields::{EvidenceField, Source};
use super::matcher::Scalar;
use super::scan;
use crate::attempts::Attempts;
use crate::attempts::ties::Ties;
use crate::correlate::evidence::Role;
use crate::correlate::{Evidence, Level, Link, LinkKind, Outcome, TransactionId, lookups};
use crate::index::PacketId;

/// A test of one of our own fields, with what is the same for every packet worked out beforehand.
pub struct Linked<'f> {
    test: &'f Test,
    field: EvidenceField,
    /// For each word of the field, by its place in the enumeration, whether it passes.
    words: [bool; WORDS_MAX],
    /// Whether a packet that is tied to nothing passes: it is no duplicate, and its link is not delayed.
    untied: bool,
    /// For each episode whether it passes, or its problem.
    episodes: Vec<bool>,
    /// The ties of other services than DNS, where they can pass.
    asks_ties: bool,
}

/// Works out what a filter will ask for, before threads ask: attempts, and ties of other services than DNS.
pub fn prepare(expression: &Expression, context: &Context<'_>) {
    let Some(evidence) = context.evidence else { return };
    let (mut attempts, mut links) = (false, false);
    expression.fields(&mut |test| {
        attempts |= matches!(test.source, Source::Attempt(_));
        links |= matches!(test.source, Source::Evidence(field) if field.is_of_links() && may_ask_ties(test, evidence));
    });
    if attempts {
        Attempts::prepare(evidence);
    } else if links || joins_any(expression) {
        Ties::of(evidence);
    }
}

/// Whether a function over linked packets in a filter may lead to others than those of DNS.
fn joins_any(expression: &Expression) -> bool {
    match expression {
        Expression::Everything | Expression::Test(_) | Expression::Relation(_) => false,
        Expression::And(parts) | Expression::Or(parts) => parts.iter().any(joins_any),
        Expression::Xor(parts) => parts.iter().any(joins_any),
        Expression::Not(inner) => joins_any(inner),
        Expression::Function(_, inner) => !scan::is_about_dns(inner) || joins_any(inner),
    }
}

/// Whether ties of other services than DNS can pass a test of links; for copies packets are asked one by one.
fn may_ask_ties(test: &Test, evidence: &Evidence) -> bool {
    let passes = |word: &str| {
        passes(test, &mut |visit| {
            visit(Scalar::Text(word));
        })
    };
    let words = match test.source {
        Source::Evidence(EvidenceField::LinkLevel) => [Level::Exact.name(), Level::Probable.name()],
        Source::Evidence(EvidenceField::LinkKind) => [LinkKind::AnswerTo.name(), LinkKind::RetryOf.name()],
        _ => return true,
    };
    words.into_iter().any(passes) || needs_all_values(test) || evidence.duplicates().len() > 0
}

/// Whether one value that passes does not decide.
fn needs_all_values(test: &Test) -> bool {
    test.transform == Transform::Count || matches!(test.check, Check::Compare { all: true, .. })
}

/// Words a field of our own can have.
const WORDS_MAX: usize = Outcome::ALL.len();
const LEVELS: [Level; 5] = [Level::Exact, Level::Probable, Level::Nat, Level::Orphan, Level::Contradicted];
const KINDS: [LinkKind; 4] =
    [LinkKind::AnswerTo, LinkKind::RetryOf, LinkKind::ErrorAbout, LinkKind::DuplicateOf];

/// The packets of a view.
pub fn range(view: &View<'_>) -> Range<PacketId> {
    PacketId(view.base())..PacketId(view.base() + view.len() as u32)
}

/// Bits of a view to be set one by one, among those asked for.
pub struct Marks<'m> {
    mask: Mask,
    candidates: &'m Mask,
    base: u32,
}

impl<'m> Marks<'m> {
    /// None set yet.
    pub fn new(view: &View<'_>, candidates: &'m Mask) -> Self {
        Self { mask: vec![0; candidates.len()], candidates, base: view.base() }
    }

    /// Whether a packet is asked for and not marked yet.
    pub fn is_open(&self, packet: PacketId) -> bool {
        let Some(at) = packet.0.checked_sub(self.base).map(|at| at as usize) else { return false };
        let word = |mask: &Mask| mask.get(at / WORD).copied().unwrap_or_default() >> (at % WORD) & 1 == 1;
        word(self.candidates) && !word(&self.mask)
    }

    /// Marks a packet if it is asked for.
    pub fn set(&mut self, packet: PacketId) {
        if !self.is_open(packet) {
            return;
        }
        let at = (packet.0 - self.base) as usize;
        if let Some(word) = self.mask.get_mut(at / WORD) {
            *word |= 1 << (at % WORD);
        }
    }

    /// The marked packets.
    pub fn mask(self) -> Mask {
        self.mask
    }
}

/// The packets of a view that are tied to others, or are members of a transaction; `ties`: those of other services too.
pub fn tied(view: &View<'_>, evidence: &Evidence, ties: Option<&Ties>, candidates: &Mask) -> Mask {
    let mut marks = Marks::new(view, candidates);
    let range = range(view);
    evidence.members_in(range.clone()).for_each(|(packet, ..)| marks.set(packet));
    evidence.errors_in(&range).iter().for_each(|link| marks.set(link.from));
    evidence.targets(range.clone()).filter_map(|link| link.to).for_each(|target| marks.set(target));
    evidence.copies_in(&range).chain(evidence.originals_in(range.clone())).for_each(|copy| marks.set(copy));
    if let Some(ties) = ties {
        ties.links_in(range.clone(), evidence).for_each(|link| marks.set(link.from));
        ties.targets(range, evidence).filter_map(|link| link.to).for_each(|target| marks.set(target));
    }
    marks.mask()
}

impl<'f> Linked<'f> {
    /// Makes a test ready; `None` for tests of any other kind.
    pub fn new(test: &'f Test, context: &Context<'_>) -> Option<Self> {
        let Source::Evidence(field) = test.source else { return None };
        let accepts = |value: Scalar<'_>| {
            passes(test, &mut |visit| {
                visit(value.clone());
            })
        };
        let mut words = [false; WORDS_MAX];
        let mut word = |at: usize, name: &str| {
            if let Some(slot) = words.get_mut(at) {
                *slot = accepts(Scalar::Text(name));
            }
        };
        match field {
            EvidenceField::Outcome => Outcome::ALL.iter().for_each(|it| word(*it as usize, it.name())),
            EvidenceField::LinkLevel => LEVELS.iter().for_each(|it| word(*it as usize, it.name())),
            EvidenceField::LinkKind => KINDS.iter().for_each(|it| word(*it as usize, it.name())),
            _ => {}
        }
        let untied = matches!(field, EvidenceField::Duplicate | EvidenceField::LinkDelayed)
            && accepts(Scalar::Bool(false));
        let number = |at: usize| accepts(Scalar::Number(at as i64 + 1));
        let episodes = match (field, context.evidence) {
            (EvidenceField::Episode, Some(evidence)) => (0..evidence.episodes.len()).map(number).collect(),
            (EvidenceField::Problem, Some(evidence)) => {
                let mut accepted = vec![false; evidence.episodes.len()];
                for (_, problem) in evidence.problems.iter().enumerate().filter(|(at, _)| number(*at)) {
                    for id in &problem.episodes {
                        if let Some(slot) = accepted.get_mut(id.0 as usize) {
                            *slot = true;
                        }
                    }
                }
                accepted
            }
            _ => Vec::new(),
        };
        let asks_ties =
            field.is_of_links() && context.evidence.is_some_and(|evidence| may_ask_ties(test, evidence));
        Some(Self { test, field, words, untied, episodes, asks_ties })
    }

    /// The packets of a view that pass.
    pub fn mask(&self, view: &View<'_>, context: &Context<'_>, candidates: &Mask) -> Mask {
        let Some(evidence) = context.evidence else { return vec![0; candidates.len()] };
        let mut marks = Marks::new(view, candidates);
        match self.field {
            EvidenceField::Outcome
            | EvidenceField::Waited
            | EvidenceField::Rtt
            | EvidenceField::Tries
            | EvidenceField::ExtendedError => self.transactions(view, (context, evidence), &mut marks),
            EvidenceField::Attempt => {
                lookups::number(context.index, evidence, range(view), &mut |packet, number| {
                    if marks.is_open(packet) && self.accepts(number as i64) {
                        marks.set(packet);
                    }
                    !context.cancel.load(Ordering::Relaxed)
                });
            }
            EvidenceField::Duplicate => {
                let copies = evidence.copies_in(&range(view));
                if self.untied != self.accepts_bool(true) {
                    copies.for_each(|copy| marks.set(copy));
                }
                return self.unless_untied(marks, candidates);
            }
            EvidenceField::LinkDelayed => {
                if self.untied != self.accepts_bool(true) {
                    self.links(view, (context, evidence), &mut marks);
                }
                return self.unless_untied(marks, candidates);
            }
            _ if needs_all_values(self.test) => {
                return self.one_by_one(view, (context, evidence), candidates);
            }
            EvidenceField::Episode | EvidenceField::Problem => {
                let placed = evidence.placed_in(&range(view)).iter();
                let passes = |at: &u32| self.episodes.get(*at as usize).copied().unwrap_or_default();
                placed.filter(|(_, at)| passes(at)).for_each(|(packet, _)| marks.set(*packet));
            }
            EvidenceField::Anomaly => {
                let found = evidence.anomalies_in(&range(view)).iter();
                let passing = found.filter(|anomaly| self.accepts_value(&Scalar::Text(anomaly.kind.name())));
                passing.for_each(|anomaly| marks.set(anomaly.packet));
            }
            _ => self.links(view, (context, evidence), &mut marks),
        }
        marks.mask()
    }

    fn accepts(&self, number: i64) -> bool {
        self.accepts_value(&Scalar::Number(number))
    }

    fn accepts_bool(&self, flag: bool) -> bool {
        self.accepts_value(&Scalar::Bool(flag))
    }

    fn accepts_value(&self, value: &Scalar<'_>) -> bool {
        match &self.test.check {
            Check::Compare { matcher, negate, .. }
                if self.test.transform == Transform::None && self.test.slice.is_none() =>
            {
                matcher.accepts(value) != *negate
            }
            _ => passes(self.test, &mut |visit| {
                visit(value.clone());
            }),
        }
    }

    /// What is marked is turned round where packets that are tied to nothing pass.
    fn unless_untied(&self, marks: Marks<'_>, candidates: &Mask) -> Mask {
        let mut mask = marks.mask();
        if self.untied {
            mask.iter_mut().zip(candidates).for_each(|(word, candidate)| *word = candidate & !*word);
        }
        mask
    }

    /// Asks every packet that is tied to anything.
    fn one_by_one(
        &self,
        view: &View<'_>,
        (context, evidence): (&Context<'_>, &Evidence),
        candidates: &Mask,
    ) -> Mask {
        let open = match self.field {
            EvidenceField::Episode | EvidenceField::Problem | EvidenceField::Anomaly => {
                let mut marks = Marks::new(view, candidates);
                evidence.placed_in(&range(view)).iter().for_each(|(packet, _)| marks.set(*packet));
                evidence.anomalies_in(&range(view)).iter().for_each(|anomaly| marks.set(anomaly.packet));
                marks.mask()
            }
            _ => tied(view, evidence, self.ties(evidence), candidates),
        };
        super::evaluate::row_by_row(view, context, &open, &|packet| matches_test(self.test, packet, context))
    }

    /// Tests of what is known of a transaction as a whole: its members, and the errors about it.
    fn transactions(
        &self,
        view: &View<'_>,
        (context, evidence): (&Context<'_>, &Evidence),
        marks: &mut Marks<'_>,
    ) {
        let passes = |id: TransactionId| {
            evidence.transaction(id).is_some_and(|transaction| match self.field {
                EvidenceField::Outcome => self.has_word(transaction.outcome as usize),
                field => evidence::number_of(field, evidence, transaction)
                    .is_some_and(|number| self.accepts(number)),
            })
        };
        let range = range(view);
        let mut before = None;
        for (packet, id, _) in evidence.members_in(range.clone()) {
            if context.cancel.load(Ordering::Relaxed) {
                return;
            }
            // Of several messages in one packet the first speaks for it.
            if before.replace(packet) != Some(packet) && marks.is_open(packet) && passes(id) {
                marks.set(packet);
            }
        }
        let mut before = None;
        for link in evidence.errors_in(&range) {
            let again = before.replace(link.from) == Some(link.from);
            if again || !marks.is_open(link.from) || evidence.transaction_of(link.from).is_some() {
                continue;
            }
            if link.to.and_then(|to| evidence.transaction_of(to)).is_some_and(&passes) {
                marks.set(link.from);
            }
        }
    }

    /// Tests of links, from whichever end: each link is asked once for both.
    fn links(&self, view: &View<'_>, (context, evidence): (&Context<'_>, &Evidence), marks: &mut Marks<'_>) {
        let range = range(view);
        let copies = evidence.copies_in(&range).chain(evidence.originals_in(range.clone()));
        for packet in copies.collect::<Vec<_>>() {
            let Some(packet) = context.index.packet(packet).filter(|packet| marks.is_open(packet.id)) else {
                continue;
            };
            if self.is_delayed_or_passes(&packet, (context, evidence)) {
                marks.set(packet.id);
            }
        }
        if !self.is_of_answers() {
            for link in evidence.errors_in(&range) {
                if marks.is_open(link.from) && self.passes_from(link, link.to, context) {
                    marks.set(link.from);
                }
            }
            for link in evidence.targets(range.clone()) {
                let Some(target) = link.to.filter(|target| marks.is_open(*target)) else { continue };
                if self.passes_to(link, context) {
                    marks.set(target);
                }
            }
        }
        if let Some(ties) = self.ties(evidence) {
            for link in ties.links_in(range.clone(), evidence) {
                if marks.is_open(link.from) && self.passes_from(&link, link.to, context) {
                    marks.set(link.from);
                }
            }
            for link in ties.targets(range.clone(), evidence) {
                if let Some(target) =
                    link.to.filter(|target| marks.is_open(*target) && self.passes_to(&link, context))
                {
                    marks.set(target);
                }
            }
        }
        if !self.asks_members() {
            return;
        }
        for member in evidence.members_in(range) {
            if context.cancel.load(Ordering::Relaxed) {
                return;
            }
            let (packet, _, role) = member;
            if !marks.is_open(packet) || !self.can_have(role) || evidence.is_duplicate(packet) {
                continue;
            }
            let mut found = false;
            evidence.each_member_link(member, &mut |link| {
                found = if link.from == packet {
                    self.passes_from(&link, link.to, context)
                } else {
                    self.passes_to(&link, context)
                };
                found
            });
            if found {
                marks.set(packet);
            }
        }
    }

    /// A copy has the links of its original, and its original those of its copies: they are asked for one by one.
    fn is_delayed_or_passes(
        &self,
        packet: &crate::index::Packet<'_>,
        (context, evidence): (&Context<'_>, &Evidence),
    ) -> bool {
        match self.field {
            EvidenceField::LinkDelayed => evidence.links_from(packet.id).iter().any(|link| link.delayed),
            _ => matches_test(self.test, packet, context),
        }
    }

    fn ties<'e>(&self, evidence: &'e Evidence) -> Option<&'e Ties> {
        self.asks_ties.then(|| Ties::of(evidence))
    }

    /// Fields that tell of answers alone.
    fn is_of_answers(&self) -> bool {
        matches!(
            self.field,
            EvidenceField::ResponseIn | EvidenceField::ResponseTo | EvidenceField::ResponseTime
        )
    }

    /// Queries and answers are tied exactly or probably, and never as errors or copies.
    fn asks_members(&self) -> bool {
        let exists = matches!(self.test.check, Check::Exists);
        match self.field {
            EvidenceField::LinkLevel => {
                let own = [Level::Exact, Level::Probable];
                exists || own.iter().any(|level| self.has_word(*level as usize))
            }
            EvidenceField::LinkKind => {
                let own = [LinkKind::AnswerTo, LinkKind::RetryOf];
                exists || own.iter().any(|kind| self.has_word(*kind as usize))
            }
            _ => true,
        }
    }

    fn has_word(&self, at: usize) -> bool {
        self.words.get(at).copied().unwrap_or_default()
    }

    fn can_have(&self, role: Role) -> bool {
        let asks = matches!(role, Role::First | Role::Retry);
        match self.field {
            EvidenceField::ResponseIn => asks,
            EvidenceField::ResponseTo | EvidenceField::ResponseTime | EvidenceField::LinkDelayed => !asks,
            _ => true,
        }
    }

    fn passes_from(&self, link: &Link, to: Option<PacketId>, context: &Context<'_>) -> bool {
        let answers = link.kind == LinkKind::AnswerTo;
        match self.field {
            EvidenceField::LinkDelayed => link.delayed,
            EvidenceField::ResponseTo => answers && to.is_some_and(|to| self.passes_frame(to, context)),
            EvidenceField::ResponseTime => answers && to.is_some() && self.accepts(link.delta_ns),
            EvidenceField::ResponseIn => false,
            _ => self.passes_link(link, to, context),
        }
    }

    fn passes_to(&self, link: &Link, context: &Context<'_>) -> bool {
        match self.field {
            EvidenceField::ResponseIn => {
                link.kind == LinkKind::AnswerTo && self.passes_frame(link.from, context)
            }
            EvidenceField::ResponseTo | EvidenceField::ResponseTime | EvidenceField::LinkDelayed => false,
            _ => self.passes_link(link, Some(link.from), context),
        }
    }

    fn passes_link(&self, link: &Link, other: Option<PacketId>, context: &Context<'_>) -> bool {
        match self.field {
            EvidenceField::LinkLevel => self.has_word(link.level as usize),
            EvidenceField::LinkKind => self.has_word(link.kind as usize),
            EvidenceField::LinkDelta => link.to.is_some() && self.accepts(link.delta_ns),
            EvidenceField::LinkFrame => other.is_some_and(|other| self.passes_frame(other, context)),
            _ => false,
        }
    }

    fn passes_frame(&self, packet: PacketId, context: &Context<'_>) -> bool {
        self.accepts(context.index.packet(packet).map_or(0, |packet| packet.frame().0 as i64))
    }
}
