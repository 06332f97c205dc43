//! Functions over linked packets, answered for one stretch of packets at a time: what they are linked to is looked up
//! packet by packet, and what a filter says of those is worked out where they stand and kept.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Context;
use super::evaluate::{Mask, Plan, View, WORD, full};
use super::expression::{Expression, Function};
use super::linked::{Marks, range, tied};
use super::scan;
use crate::attempts::ties::{self, Ties};
use crate::correlate::evidence::Role;
use crate::correlate::lookups::{LookupId, Lookups};
use crate::correlate::{Evidence, TransactionId};
use crate::index::PacketId;

/// Packets of a lookup or transaction that are asked for one packet of it; what is known of larger ones is kept.
const ASKED_MAX: usize = 64;
/// Packets asked before cancellation is seen to.
const STRIDE: usize = 256;
/// Transactions of one lookup that are looked at for a single packet.
const LOOKUP_MAX: usize = 4096;

/// A function made ready for one context.
pub struct Related<'f> {
    function: Function,
    inner: Answers<'f>,
    /// For each segment the packets that errors are about.
    targets: Vec<OnceLock<Mask>>,
    /// What is known of large groups.
    large: Mutex<HashMap<Group, Known>>,
    /// It may lead to packets of other services than DNS.
    asks_ties: bool,
}

/// Transactions whose packets speak for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Group {
    Transaction(TransactionId),
    Lookup(LookupId),
    /// What is tied to the first packet of a request to another service than DNS.
    Tied(PacketId),
}

/// Which packets of a group match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    None,
    Only(PacketId),
    Several,
}

/// What a filter says of packets anywhere, worked out block by block when asked.
struct Answers<'f> {
    plan: Plan<'f>,
    asks_ties: bool,
    stretch: usize,
    /// The first block of each segment.
    firsts: Vec<usize>,
    blocks: Vec<OnceLock<Mask>>,
}

/// What a filter says of the packets of one block.
#[derive(Clone, Copy)]
struct Block<'b> {
    mask: &'b [u64],
    first: u32,
    length: u32,
}

impl Block<'_> {
    /// Whether a packet matches; `None` where it is in another block.
    fn has(&self, packet: PacketId) -> Option<bool> {
        let row = packet.0.checked_sub(self.first).filter(|row| *row < self.length)? as usize;
        Some(self.mask.get(row / WORD)? >> (row % WORD) & 1 == 1)
    }
}

impl<'f> Answers<'f> {
    fn new(plan: Plan<'f>, asks_ties: bool, context: &Context<'_>) -> Self {
        let stretch = plan.stretch();
        let mut firsts = Vec::new();
        let mut count = 0;
        for segment in context.index.segments() {
            firsts.push(count);
            count += segment.len().div_ceil(stretch);
        }
        Self { plan, asks_ties, stretch, firsts, blocks: (0..count).map(|_| OnceLock::new()).collect() }
    }

    fn has(&self, packet: PacketId, context: &Context<'_>) -> bool {
        self.block(packet, context).is_some_and(|block| block.has(packet) == Some(true))
    }

    /// The block a packet is in.
    fn block(&self, packet: PacketId, context: &Context<'_>) -> Option<Block<'_>> {
        let at = context.index.segment_of(packet)?;
        let segment = context.index.segments().get(at)?;
        let row = (packet.0 - segment.base.0) as usize;
        let block = row / self.stretch;
        let mask = self.blocks.get(self.firsts.get(at)? + block)?.get_or_init(|| {
            let source = context.index.sources.get(segment.source.place());
            let start = block * self.stretch;
            let end = segment.len().min(start.saturating_add(self.stretch));
            let view = source.map(|source| View { segment, source, start, end });
            view.map_or_else(Vec::new, |view| self.work_out(&view, context))
        });
        let start = block * self.stretch;
        let length = segment.len().saturating_sub(start).min(self.stretch) as u32;
        Some(Block { mask, first: segment.base.0 + start as u32, length })
    }

    fn work_out(&self, view: &View<'_>, context: &Context<'_>) -> Mask {
        let all = full(view.len());
        match context.evidence {
            // Nobody asks about packets that are tied to nothing.
            Some(evidence) if self.plan.is_dear() => {
                let ties = self.asks_ties.then(|| Ties::of(evidence));
                self.plan.mask(view, context, &tied(view, evidence, ties, &all))
            }
            _ => self.plan.mask(view, context, &all),
        }
    }
}

impl<'f> Related<'f> {
    /// Makes a function ready; nothing is evaluated yet.
    pub fn new(function: Function, inner: &'f Expression, context: &Context<'_>) -> Self {
        let targets = context.index.segments().iter().map(|_| OnceLock::new()).collect();
        let asks_ties = !scan::is_about_dns(inner);
        let inner = Answers::new(Plan::new(inner, context), asks_ties, context);
        Self { function, inner, targets, large: Mutex::default(), asks_ties }
    }

    /// Relative time a row takes.
    pub fn cost(&self) -> u32 {
        self.inner.plan.cost().saturating_add(20)
    }

    /// Whether any part decodes packets again.
    pub fn is_dear(&self) -> bool {
        self.inner.plan.is_dear()
    }

    /// The packets of a view that stand in the relation to one that matches.
    pub fn mask(&self, view: &View<'_>, context: &Context<'_>, candidates: &Mask) -> Mask {
        let Some(evidence) = context.evidence else { return vec![0; candidates.len()] };
        let here = self.inner.block(PacketId(view.base()), context);
        let asked = Asked { context, evidence, related: self, here };
        let mut marks = Marks::new(view, candidates);
        match self.function {
            Function::Partner => asked.partners(view, &mut marks),
            Function::Transaction | Function::Sibling | Function::First => asked.members(view, &mut marks),
        }
        marks.mask()
    }
}

/// A function with what it is asked about.
struct Asked<'a, 'f> {
    context: &'a Context<'a>,
    evidence: &'a Evidence,
    related: &'a Related<'f>,
    /// The block the view begins in, which most of what is asked about is in.
    here: Option<Block<'a>>,
}

impl<'a> Asked<'a, '_> {
    fn has(&self, packet: PacketId) -> bool {
        let here = self.here.and_then(|block| block.has(packet));
        here.unwrap_or_else(|| self.related.inner.has(packet, self.context))
    }

    fn is_stopped(&self) -> bool {
        self.context.cancel.load(Ordering::Relaxed)
    }

    /// Each link is asked for both its ends.
    fn partners(&self, view: &View<'_>, marks: &mut Marks<'_>) {
        let range = range(view);
        for link in self.evidence.errors_in(&range) {
            if self.is_stopped() {
                return;
            }
            if marks.is_open(link.from) && link.to.is_some_and(|to| self.has(to)) {
                marks.set(link.from);
            }
        }
        for link in self.evidence.targets(range.clone()) {
            if self.is_stopped() {
                return;
            }
            if let Some(target) = link.to.filter(|target| marks.is_open(*target) && self.has(link.from)) {
                marks.set(target);
            }
        }
        for (packet, id, role) in self.evidence.members_in(range.clone()) {
            if self.is_stopped() {
                return;
            }
            if marks.is_open(packet) && self.has_partner(packet, id, role) {
                marks.set(packet);
            }
        }
        if let Some(ties) = self.ties() {
            for link in ties.links_in(range.clone(), self.evidence) {
                if self.is_stopped() {
                    return;
                }
                if marks.is_open(link.from) && link.to.is_some_and(|to| self.has(to)) {
                    marks.set(link.from);
                }
            }
            for link in ties.targets(range, self.evidence) {
                if let Some(target) = link.to.filter(|target| marks.is_open(*target) && self.has(link.from)) {
                    marks.set(target);
                }
            }
        }
        if self.evidence.duplicates().len() > 0 {
            let tied = tied(view, self.evidence, self.ties(), &full(view.len()));
            self.partners_of_copies(view, &tied, marks);
        }
    }

    /// Whether one of the packets of its transaction that a packet is linked to matches.
    fn has_partner(&self, packet: PacketId, id: TransactionId, role: Role) -> bool {
        let Some(transaction) = self.evidence.transaction(id) else { return false };
        if !matches!(role, Role::First | Role::Retry) {
            return self.has(transaction.last);
        }
        let (first, last) = (packet == transaction.first, packet == transaction.last);
        role == Role::Retry && self.has(transaction.first)
            || last && transaction.answer.is_some_and(|answer| self.has(answer))
            || (first || last)
                && self.evidence.further(id).any(|(other, role)| {
                    other != packet && (if role == Role::Retry { first } else { last }) && self.has(other)
                })
    }

    /// A copy has the links of its original, in both directions.
    fn partners_of_copies(&self, view: &View<'_>, tied: &Mask, marks: &mut Marks<'_>) {
        for at in 0..view.len() {
            let packet = PacketId(view.base() + at as u32);
            let is_tied = tied.get(at / WORD).is_some_and(|word| word >> (at % WORD) & 1 == 1);
            if is_tied
                && marks.is_open(packet)
                && linked(packet, self.evidence, self.related.asks_ties).into_iter().any(|id| self.has(id))
            {
                marks.set(packet);
            }
            if self.is_stopped() {
                return;
            }
        }
    }

    /// Members of transactions and the errors about them.
    fn members(&self, view: &View<'_>, marks: &mut Marks<'_>) {
        let range = range(view);
        for (packet, id, role) in self.evidence.members_in(range.clone()) {
            if self.is_stopped() {
                return;
            }
            let asked = self.related.function != Function::First || role == Role::First;
            if asked && marks.is_open(packet) && self.is_wanted(packet, id) {
                marks.set(packet);
            }
        }
        if let Some(ties) = self.ties().filter(|_| self.related.function != Function::Sibling) {
            self.requests(view, ties, marks);
        }
        if self.related.function == Function::First {
            return;
        }
        for link in self.evidence.errors_in(&range) {
            if self.is_stopped() {
                return;
            }
            let Some(to) = link.to.filter(|_| marks.is_open(link.from)) else { continue };
            if self.evidence.roles_of(to).any(|(id, _)| self.is_wanted(link.from, id)) {
                marks.set(link.from);
            }
        }
    }

    fn ties(&self) -> Option<&'a Ties> {
        self.related.asks_ties.then(|| Ties::of(self.evidence))
    }

    /// Requests to other services than DNS, what is tied to them, and the errors about either.
    fn requests(&self, view: &View<'_>, ties: &Ties, marks: &mut Marks<'_>) {
        let range = range(view);
        let tied = ties.links_in(range.clone(), self.evidence).map(|link| (link.from, link.from));
        let asked = ties.targets(range.clone(), self.evidence).filter_map(|link| Some((link.to?, link.to?)));
        let errors = self.evidence.errors_in(&range).iter().filter_map(|link| Some((link.from, link.to?)));
        let about = self.evidence.targets(range).filter_map(|link| Some((link.to?, link.to?)));
        for (packet, of) in tied.chain(asked).chain(errors).chain(about) {
            if self.is_stopped() {
                return;
            }
            if !marks.is_open(packet) || self.evidence.transaction_of(of).is_some() {
                continue;
            }
            let root = root(of, ties, self.evidence);
            let asked = self.related.function != Function::First || packet == root;
            if asked && self.is_group_wanted(packet, Group::Tied(root), &[]) {
                marks.set(packet);
            }
        }
    }

    /// Whether a packet of the group of a transaction matches; for siblings another one than the packet itself.
    fn is_wanted(&self, packet: PacketId, id: TransactionId) -> bool {
        let siblings = self.related.function == Function::Sibling;
        if self.evidence.is_plain(id) && (!siblings || self.lookups().is_some_and(|all| all.is_alone(id))) {
            let Some(transaction) = self.evidence.transaction(id) else { return false };
            let both = [Some(transaction.first), transaction.answer];
            return both.into_iter().flatten().any(|other| (!siblings || other != packet) && self.has(other));
        }
        let lookups = self.lookups();
        let lookup = lookups.and_then(|lookups| lookups.of(id));
        let group = lookup.map_or(Group::Transaction(id), Group::Lookup);
        let own = [id];
        let members = lookups.zip(lookup).map_or(own.as_slice(), |(lookups, lookup)| lookups.members(lookup));
        self.is_group_wanted(packet, group, members)
    }

    fn is_group_wanted(&self, packet: PacketId, group: Group, members: &[TransactionId]) -> bool {
        let siblings = self.related.function == Function::Sibling;
        let decides = |other: PacketId| (!siblings || other != packet) && self.has(other);
        let (mut left, mut found) = (ASKED_MAX, false);
        let decided = self.each(group, members, &mut |other| {
            found = decides(other);
            left -= 1;
            found || left == 0
        });
        if found || !decided {
            return found;
        }
        match self.known(group, members) {
            Known::None => false,
            Known::Only(only) => !siblings || only != packet,
            Known::Several => true,
        }
    }

    fn lookups(&self) -> Option<&Lookups> {
        let siblings = self.related.function == Function::Sibling;
        siblings.then(|| self.evidence.lookups(self.context.index))
    }

    /// What is known of a large group, worked out the first time it is asked for.
    fn known(&self, group: Group, members: &[TransactionId]) -> Known {
        let kept = || self.related.large.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept().get(&group) {
            return *known;
        }
        let (mut known, mut asked) = (Known::None, 0);
        self.each(group, members, &mut |other| {
            asked += 1;
            if asked % STRIDE == 0 && self.is_stopped() {
                return true;
            }
            known = match known {
                Known::Only(only) if only != other && self.has(other) => Known::Several,
                Known::None if self.has(other) => Known::Only(other),
                known => known,
            };
            known == Known::Several
        });
        kept().insert(group, known);
        known
    }

    /// Calls `visit` with every packet of some transactions and the errors about them until it says true; whether
    /// it did.
    fn each(&self, group: Group, members: &[TransactionId], visit: &mut dyn FnMut(PacketId) -> bool) -> bool {
        if let (Group::Tied(root), Some(ties)) = (group, self.ties()) {
            return each_tied(root, ties, self.evidence, visit);
        }
        members.iter().any(|id| {
            self.evidence.packets_of(*id).any(|packet| {
                visit(packet)
                    || self.is_target(packet) && self.evidence.errors_to(packet).any(|link| visit(link.from))
            })
        })
    }

    /// Whether any error is about a packet, without searching.
    fn is_target(&self, packet: PacketId) -> bool {
        let index = self.context.index;
        let find = || {
            let at = index.segment_of(packet)?;
            let segment = index.segments().get(at)?;
            let mask = self.related.targets.get(at)?.get_or_init(|| {
                let mut mask = vec![0u64; segment.len().div_ceil(WORD)];
                let end = PacketId(segment.base.0 + segment.len() as u32);
                for target in self.evidence.targets(segment.base..end).filter_map(|link| link.to) {
                    let row = (target.0 - segment.base.0) as usize;
                    if let Some(word) = mask.get_mut(row / WORD) {
                        *word |= 1 << (row % WORD);
                    }
                }
                mask
            });
            let row = (packet.0 - segment.base.0) as usize;
            Some(mask.get(row / WORD)? >> (row % WORD) & 1 == 1)
        };
        find().unwrap_or_default()
    }
}

/// The first packet of the request that a packet belongs to by its ties.
fn root(packet: PacketId, ties: &Ties, evidence: &Evidence) -> PacketId {
    let mut root = packet;
    // An answer again, its answer, the request again, the request.
    for _ in 0..4 {
        let range = root..PacketId(root.0.saturating_add(1));
        let Some(to) = ties.links_in(range, evidence).next().and_then(|link| link.to) else { break };
        root = to;
    }
    root
}

/// Calls `visit` with a request, all that is tied to it, and the errors about either, until it says true; whether it did.
fn each_tied(
    root: PacketId,
    ties: &Ties,
    evidence: &Evidence,
    visit: &mut dyn FnMut(PacketId) -> bool,
) -> bool {
    let (mut open, mut left) = (vec![root], LOOKUP_MAX);
    while let Some(packet) = open.pop() {
        if visit(packet) || evidence.errors_to(packet).any(|link| visit(link.from)) {
            return true;
        }
        let range = packet..PacketId(packet.0.saturating_add(1));
        let tied = ties.targets(range, evidence).take(left).map(|link| link.from);
        let before = open.len();
        open.extend(tied);
        left = left.saturating_sub(open.len() - before);
    }
    false
}

/// The packets at the other ends of a packet's links; a copy has those of its original. `ties`: of whatever service.
fn linked(packet: PacketId, evidence: &Evidence, ties: bool) -> Vec<PacketId> {
    let (from, to) = if ties {
        (ties::links_from(evidence, packet), ties::links_to(evidence, packet))
    } else {
        (evidence.links_from(packet), evidence.links_to(packet))
    };
    let mut ends: Vec<PacketId> = from.iter().filter_map(|link| link.to).collect();
    for link in to {
        ends.push(link.from);
        ends.extend(evidence.copies_of(link.from).filter(|copy| *copy != packet));
    }
    ends
}

/// The packets of the request to another service than DNS that a packet belongs to.
fn request(function: Function, packet: PacketId, evidence: &Evidence) -> Vec<PacketId> {
    let range = packet..PacketId(packet.0.saturating_add(1));
    let about = evidence.errors_in(&range).iter().find_map(|link| link.to);
    let ties = Ties::of(evidence);
    let root = root(about.unwrap_or(packet), ties, evidence);
    let mut all = Vec::new();
    if function != Function::First || packet == root {
        each_tied(root, ties, evidence, &mut |packet| {
            all.push(packet);
            false
        });
    }
    // What is tied to nothing is no request.
    if all.len() > 1 { all } else { Vec::new() }
}

/// The packets one of which must match for `packet` to stand in a relation to it.
pub fn neighbours(function: Function, packet: PacketId, context: &Context<'_>) -> Vec<PacketId> {
    let Some(evidence) = context.evidence else { return Vec::new() };
    if function == Function::Partner {
        return linked(packet, evidence, true);
    }
    let first = |id: &TransactionId| evidence.transaction(*id).map(|transaction| transaction.first);
    let mut ids: Vec<TransactionId> = evidence.roles_of(packet).map(|(id, _)| id).collect();
    if function == Function::First {
        ids.retain(|id| first(id) == Some(packet));
    } else {
        let range = packet..PacketId(packet.0.saturating_add(1));
        let about = evidence.errors_in(&range).iter().filter_map(|link| link.to);
        ids.extend(about.flat_map(|to| evidence.roles_of(to)).map(|(id, _)| id));
    }
    if ids.is_empty() && function != Function::Sibling && evidence.transaction_of(packet).is_none() {
        return request(function, packet, evidence);
    }
    if function == Function::Sibling {
        let lookups = evidence.lookups(context.index);
        let members = |id: &TransactionId| lookups.of(*id).map(|lookup| lookups.members(lookup));
        ids = ids.iter().filter_map(members).flatten().copied().take(LOOKUP_MAX).collect();
    }
    ids.sort_unstable();
    ids.dedup();
    let mut all: Vec<PacketId> = ids.iter().flat_map(|id| evidence.packets_of(*id)).collect();
    let errors: Vec<PacketId> = all.iter().flat_map(|id| evidence.errors_about(*id)).collect();
    all.extend(errors);
    if function == Function::Sibling {
        all.retain(|id| *id != packet);
    }
    all
}
