//! Tests of the attempt a packet belongs to, answered for one stretch of packets at a time: what passes is worked out once for
//! each attempt, and the stretch looks up its packets' threads.

use std::sync::atomic::Ordering;

use super::Context;
use super::evaluate::{Mask, View, WORD, passes};
use super::evidence::transaction_id;
use super::expression::Test;
use super::fields::{AttemptField, Source};
use super::linked::{Marks, range};
use super::matcher::Scalar;
use super::values::Visit;
use crate::attempts::stream::Rough;
use crate::attempts::ties::{Thread, Ties};
use crate::attempts::{Attempt, Attempts, Ended, Places};
use crate::correlate::{Evidence, Transaction, TransactionId};
use crate::index::PacketId;
use crate::time::Nanos;

/// A test with what each attempt says to it.
pub struct Tried<'f> {
    test: &'f Test,
    field: AttemptField,
    /// For each attempt whether its packets pass.
    passing: Vec<bool>,
    /// For each kind of thread and each thread whether all its packets pass; threads of several attempts are asked one by one.
    threads: [Vec<Says>; Thread::KINDS],
}

/// What a thread says of its packets.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Says {
    #[default]
    None,
    All,
    Depends,
}

impl<'f> Tried<'f> {
    /// Makes a test ready; `None` for tests of any other kind. The attempts are followed here, before threads ask.
    pub fn new(test: &'f Test, context: &Context<'_>) -> Option<Self> {
        let Source::Attempt(field) = test.source else { return None };
        let mut tried = Self { test, field, passing: Vec::new(), threads: Default::default() };
        let Some(evidence) = context.evidence else { return Some(tried) };
        Attempts::prepare(evidence);
        let attempts = Attempts::of(evidence);
        if field == AttemptField::First {
            return Some(tried);
        }
        tried.passing = attempts.all.iter().map(|own| tried.accepts(evidence, own)).collect();
        let places = Places::of(evidence);
        for (at, own) in attempts.all.iter().enumerate() {
            let Some((kind, thread)) = own.thread.place() else { continue };
            let Some(threads) = tried.threads.get_mut(kind) else { continue };
            if threads.len() <= thread {
                threads.resize(thread + 1, Says::None);
            }
            let several = places.in_thread(own.thread).len() > 1;
            if let Some(slot) = threads.get_mut(thread) {
                *slot = match (several, tried.passing.get(at)) {
                    (true, _) => Says::Depends,
                    (false, Some(true)) => Says::All,
                    _ => Says::None,
                };
            }
        }
        Some(tried)
    }

    fn accepts(&self, evidence: &Evidence, own: &Attempt) -> bool {
        passes(self.test, &mut |visit| {
            if let Some(value) = of_attempt(self.field, evidence, own) {
                visit(value);
            }
        })
    }

    fn accepts_first(&self, is_first: bool) -> bool {
        passes(self.test, &mut |visit| {
            visit(Scalar::Bool(is_first));
        })
    }

    /// The packets of a view that pass.
    pub fn mask(&self, view: &View<'_>, context: &Context<'_>, candidates: &Mask) -> Mask {
        let Some(evidence) = context.evidence else { return vec![0; candidates.len()] };
        let mut marks = Marks::new(view, candidates);
        let threads = Ties::of(evidence).threads_from(PacketId(view.base()));
        let places = Places::of(evidence);
        let attempts = Attempts::of(evidence);
        for (packet, thread) in (view.base()..).map(PacketId).zip(threads.iter().take(view.len())) {
            if *thread == Thread::NONE {
                continue;
            }
            if packet.0.is_multiple_of((WORD * WORD) as u32) && context.cancel.load(Ordering::Relaxed) {
                return marks.mask();
            }
            if self.of_thread(*thread, packet, places, attempts) {
                marks.set(packet);
            }
        }
        self.errors(view, evidence, &mut marks);
        self.lookups(view, context, evidence, &mut marks);
        marks.mask()
    }

    fn of_thread(&self, thread: Thread, packet: PacketId, places: &Places, attempts: &Attempts) -> bool {
        if self.field == AttemptField::First {
            let own = places.at(thread, packet, attempts).and_then(|at| attempts.all.get(at as usize));
            return own.is_some_and(|own| self.accepts_first(own.first.packet == packet));
        }
        let says = thread.place().and_then(|(kind, at)| self.threads.get(kind)?.get(at).copied());
        match says.unwrap_or_default() {
            Says::None => false,
            Says::All => true,
            Says::Depends => {
                let at = places.at(thread, packet, attempts);
                at.and_then(|at| self.passing.get(at as usize).copied()).unwrap_or_default()
            }
        }
    }

    /// Errors belong to the attempt of what they are about.
    fn errors(&self, view: &View<'_>, evidence: &Evidence, marks: &mut Marks<'_>) {
        let mut before = None;
        for link in evidence.errors_in(&range(view)) {
            let Some(to) = link.to.filter(|_| before.replace(link.from) != Some(link.from)) else { continue };
            let at = Places::attempt(to, evidence).map(|at| at as usize);
            let passes = match (self.field, at) {
                (_, None) => false,
                (AttemptField::First, Some(_)) => self.accepts_first(false),
                (_, Some(at)) => self.passing.get(at).copied().unwrap_or_default(),
            };
            if passes {
                marks.set(link.from);
            }
        }
    }

    /// Lookups are attempts at DNS.
    fn lookups(&self, view: &View<'_>, context: &Context<'_>, evidence: &Evidence, marks: &mut Marks<'_>) {
        let mut of = |packet: PacketId, id: TransactionId| {
            if !marks.is_open(packet) {
                return;
            }
            let own = evidence.transaction(id);
            let passes = passes(self.test, &mut |visit| {
                if let Some(value) = own.and_then(|own| of_lookup(self.field, packet, (evidence, own))) {
                    visit(value);
                }
            });
            if passes {
                marks.set(packet);
            }
        };
        let mut before = None;
        for (packet, id, _) in evidence.members_in(range(view)) {
            if context.cancel.load(Ordering::Relaxed) {
                return;
            }
            // Of several messages in one packet the first speaks for it.
            if before.replace(packet) != Some(packet) {
                of(packet, id);
            }
        }
        for link in evidence.errors_in(&range(view)) {
            if let Some(id) = link.to.and_then(|to| evidence.transaction_of(to)) {
                of(link.from, id);
            }
        }
    }
}

/// Calls `visit` with the value of a field for one packet.
pub fn each(field: AttemptField, packet: PacketId, evidence: &Evidence, visit: Visit<'_>) {
    let lookup = transaction_id(packet, evidence).and_then(|id| evidence.transaction(id));
    if let Some(own) = lookup {
        if let Some(value) = of_lookup(field, packet, (evidence, own)) {
            visit(value);
        }
        return;
    }
    let attempts = Attempts::of(evidence);
    let own = Places::attempt(packet, evidence).and_then(|at| attempts.all.get(at as usize));
    let value = own.and_then(|own| match field {
        AttemptField::First => Some(Scalar::Bool(own.first.packet == packet)),
        field => of_attempt(field, evidence, own),
    });
    if let Some(value) = value {
        visit(value);
    }
}

fn span(span_ns: Nanos) -> Option<Scalar<'static>> {
    (span_ns > 0).then_some(Scalar::Number(span_ns))
}

fn of_attempt(field: AttemptField, evidence: &Evidence, own: &Attempt) -> Option<Scalar<'static>> {
    let attempts = Attempts::of(evidence);
    let rough = || Some(attempts.carried(own)?.rough.as_deref().copied().unwrap_or_default());
    let number = |each: fn(&Rough) -> u32| Some(Scalar::Number(i64::from(each(&rough()?))));
    match field {
        AttemptField::Outcome => Some(Scalar::Text(own.outcome.name())),
        AttemptField::Failed => Some(Scalar::Bool(own.outcome.face().is_some())),
        AttemptField::First => None,
        AttemptField::Service => Some(Scalar::Text(own.kind.id())),
        AttemptField::Server => Some(Scalar::Address(own.service.host)),
        AttemptField::Port => Some(Scalar::Number(i64::from(own.service.port))),
        AttemptField::Client => Some(Scalar::Address(own.client.0)),
        AttemptField::Tries => Some(Scalar::Number(i64::from(own.tries))),
        AttemptField::Waited => Some(Scalar::Number(own.waited_ns().max(0))),
        AttemptField::Answered => span(own.answered_ns),
        AttemptField::Watched => Some(Scalar::Number(evidence.watched_after(own.last.time_ns))),
        AttemptField::EndedBy => Some(Scalar::Text(Attempts::ended(evidence.index(), own).name())),
        AttemptField::Handshake => span(own.handshake_ns),
        AttemptField::Repeats => number(|rough| rough.repeats),
        AttemptField::Filled => number(|rough| rough.filled),
        AttemptField::Missing => number(|rough| rough.missing),
        AttemptField::Unread => span(rough()?.unread_ns),
        AttemptField::Unacknowledged => {
            let stalls = rough()?.stalls.into_iter().flatten();
            span(stalls.map(|stall| stall.lasted_ns()).max()?)
        }
    }
}

fn of_lookup(
    field: AttemptField,
    packet: PacketId,
    (evidence, own): (&Evidence, &Transaction),
) -> Option<Scalar<'static>> {
    let index = evidence.index();
    let query = || index.packet(own.first);
    Some(match field {
        AttemptField::Outcome => Scalar::Text(own.outcome.name()),
        AttemptField::Failed => Scalar::Bool(own.outcome.is_failure()),
        AttemptField::First => Scalar::Bool(own.first == packet),
        AttemptField::Service => Scalar::Text("dns"),
        AttemptField::Server => Scalar::Address(query()?.destination_address()),
        AttemptField::Port => Scalar::Number(i64::from(query()?.destination_port())),
        AttemptField::Client => Scalar::Address(query()?.source_address()),
        AttemptField::Tries => Scalar::Number(i64::from(own.tries)),
        AttemptField::Waited => Scalar::Number(evidence.waited_ns(own)?),
        AttemptField::Answered => Scalar::Number(evidence.round_trip_ns(own)?),
        AttemptField::Watched => {
            Scalar::Number(evidence.watched_after(index.packet(own.last).map_or(0, |last| last.time_ns())))
        }
        AttemptField::EndedBy => {
            let by = own.answer.or(own.error).and_then(|by| index.packet(by));
            let ended = match by {
                None => Ended::CaptureEnd,
                Some(by) if by.source_address() == query()?.destination_address() => Ended::Server,
                Some(_) => Ended::Device,
            };
            Scalar::Text(ended.name())
        }
        AttemptField::Handshake
        | AttemptField::Repeats
        | AttemptField::Filled
        | AttemptField::Missing
        | AttemptField::Unread
        | AttemptField::Unacknowledged => return None,
    })
}
