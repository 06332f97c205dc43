//! From ledgers to verdict words: classes, ties, lead over the next class, and what would change the ranking.

use std::collections::BTreeMap;

use super::catalogue::{CATALOGUE, Cause, Class, Entry};
use super::ledger::{Ledger, sum};
use super::matrix::{Row, answers};
use super::thresholds::{BEST_DB, CONSISTENT_DB, LEAD_DB};
use super::{Change, Hypothesis, Verdict};

/// What the scene says about classes beyond the catalogue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Classing {
    /// The class H4 joins when nothing was ever heard from the address: a wrong address looks like a dead one.
    pub wrong_address: Option<Class>,
    /// Load could not have been seen from here.
    pub load_unseen: bool,
    /// The silence it is all about could not have been seen from here.
    pub silence_unseen: bool,
}

/// Sums, ranks and words all hypotheses; best class first, companions that hold beside the class they hold with.
pub fn judge(mut ledger: Ledger, classing: Classing, changes: &[Change]) -> Vec<Hypothesis> {
    let mut all: Vec<Hypothesis> = CATALOGUE
        .iter()
        .map(|entry| {
            let rows = ledger.take(entry.cause, changes);
            Hypothesis {
                cause: entry.cause,
                title: entry.title,
                class: class_of(entry, classing),
                score_db: sum(&rows),
                verdict: Verdict::Neither,
                ledger: rows,
                tied_with: Vec::new(),
                // In another class than its own it leaves something else open.
                cannot_tell: if class_of(entry, classing) == entry.class {
                    entry.cannot_tell.to_owned()
                } else {
                    "Whether anyone ever used the address: a wrong address sends the same packets as an absent host."
                        .to_owned()
                },
            }
        })
        .collect();
    let classes = class_scores(&all);
    let mut ranked: Vec<(Class, i32)> = classes.iter().map(|(class, score)| (*class, *score)).collect();
    ranked.sort_by_key(|(_, score)| -score);
    for hypothesis in &mut all {
        hypothesis.verdict = verdict(hypothesis, &ranked, classing);
    }
    tie(&mut all, &ranked);
    let doubtful = all.iter().any(|h| h.cause == Cause::Record && h.verdict == Verdict::BestSupported);
    if doubtful {
        lower(&mut all);
    }
    if classing.silence_unseen {
        tie_silence(&mut all);
    }
    let silence_first =
        |hypothesis: &Hypothesis| classing.silence_unseen && hypothesis.cause == Cause::SilentDrop;
    let place = |hypothesis: &Hypothesis| {
        let class = ranked.iter().position(|(class, _)| *class == hypothesis.class).unwrap_or(ranked.len());
        let outside = in_tie(hypothesis, &classes);
        (!silence_first(hypothesis), hypothesis.verdict, !outside, class)
    };
    // Sorting is stable: inside a tie the catalogue's order stands, which ranks nothing.
    all.sort_by_key(place);
    bring_companions_up(all)
}

/// In a doubtful record no cause is more than consistent with the evidence.
fn lower(all: &mut [Hypothesis]) {
    for hypothesis in all.iter_mut().filter(|h| h.cause.competes() && h.verdict == Verdict::BestSupported) {
        hypothesis.verdict = Verdict::Consistent;
    }
}

/// Silence and a capture that would not show an answer cannot be told apart.
fn tie_silence(all: &mut [Hypothesis]) {
    for (id, other) in [(Cause::SilentDrop, Cause::Record), (Cause::Record, Cause::SilentDrop)] {
        for hypothesis in all.iter_mut().filter(|hypothesis| hypothesis.cause == id) {
            hypothesis.tied_with = vec![other];
        }
    }
}

fn class_of(entry: &Entry, classing: Classing) -> Class {
    match entry.cause {
        Cause::WrongAddress => classing.wrong_address.unwrap_or(entry.class),
        // A host that is gone behind a router that says nothing is as silent as a filter.
        Cause::HostDown if classing.wrong_address == Some(Class::Of(Cause::SilentDrop)) => {
            Class::Of(Cause::SilentDrop)
        }
        _ => entry.class,
    }
}

fn class_scores(all: &[Hypothesis]) -> BTreeMap<Class, i32> {
    let mut classes: BTreeMap<Class, i32> = BTreeMap::new();
    for hypothesis in all.iter().filter(|hypothesis| hypothesis.cause.competes()) {
        if let Some(score) = hypothesis.score_db {
            let best = classes.entry(hypothesis.class).or_insert(score);
            *best = (*best).max(score);
        }
    }
    classes
}

/// Whether a hypothesis shares the standing of its class: not excluded and not left behind by evidence inside it.
fn in_tie(hypothesis: &Hypothesis, classes: &BTreeMap<Class, i32>) -> bool {
    match (hypothesis.score_db, classes.get(&hypothesis.class)) {
        (Some(score), Some(best)) => best - score < LEAD_DB,
        _ => false,
    }
}

fn verdict(hypothesis: &Hypothesis, ranked: &[(Class, i32)], classing: Classing) -> Verdict {
    let Some(own) = hypothesis.score_db else { return Verdict::Excluded };
    let class = ranked.iter().find(|(class, _)| *class == hypothesis.class).map_or(own, |(_, score)| *score);
    let companion = !hypothesis.cause.competes();
    let score = if companion || class - own >= LEAD_DB { own } else { class };
    if hypothesis.cause == Cause::SilentDrop && classing.silence_unseen {
        return Verdict::NotAssessable;
    }
    if hypothesis.cause == Cause::Overload && classing.load_unseen && score < CONSISTENT_DB {
        return Verdict::NotAssessable;
    }
    let next = ranked.iter().filter(|(class, _)| *class != hypothesis.class).map(|(_, score)| *score).max();
    let leads = companion || (score == class && next.is_none_or(|next| score - next >= LEAD_DB));
    match score {
        BEST_DB.. if leads => Verdict::BestSupported,
        CONSISTENT_DB.. => Verdict::Consistent,
        -5..CONSISTENT_DB => Verdict::Neither,
        _ => Verdict::Unlikely,
    }
}

/// Fills `tied_with`: members of a class stand together, and companions that are well supported join the top class.
fn tie(all: &mut [Hypothesis], ranked: &[(Class, i32)]) {
    let classes: BTreeMap<Class, i32> = ranked.iter().copied().collect();
    let members: Vec<(Cause, Class)> = all
        .iter()
        .filter(|hypothesis| hypothesis.cause.competes() && in_tie(hypothesis, &classes))
        .map(|hypothesis| (hypothesis.cause, hypothesis.class))
        .collect();
    // Classes with the same sum at the top are not ranked against each other either.
    let highest = ranked.first().map(|(_, score)| *score).filter(|score| *score >= CONSISTENT_DB);
    let tops: Vec<Class> =
        ranked.iter().filter(|(_, score)| Some(*score) == highest).map(|(class, _)| *class).collect();
    let held: Vec<Cause> = all
        .iter()
        .filter(|h| {
            matches!(h.cause, Cause::OneTransport | Cause::Failover) && h.verdict == Verdict::BestSupported
        })
        .map(|h| h.cause)
        .collect();
    for hypothesis in all {
        let inside = members.iter().any(|(id, _)| *id == hypothesis.cause);
        let held_here = held.contains(&hypothesis.cause);
        let class =
            if held_here { tops.first().copied().unwrap_or(hypothesis.class) } else { hypothesis.class };
        if !inside && !held_here {
            continue;
        }
        let at_top = tops.contains(&class);
        let mut tied: Vec<Cause> = members
            .iter()
            .filter(|(id, of)| *id != hypothesis.cause && (*of == class || at_top && tops.contains(of)))
            .map(|(id, _)| *id)
            .collect();
        if at_top {
            tied.extend(held.iter().filter(|id| **id != hypothesis.cause));
        }
        hypothesis.tied_with = tied;
        if held_here {
            hypothesis.cannot_tell =
                format!("It holds together with the cause, not instead of it. {}", hypothesis.cannot_tell);
        }
    }
}

/// Companions that hold come right after the class they hold with; the others go to the end.
fn bring_companions_up(all: Vec<Hypothesis>) -> Vec<Hypothesis> {
    let (mut causes, companions): (Vec<_>, Vec<_>) = all.into_iter().partition(|h| h.cause.competes());
    let first_class = causes.first().map(|first| first.class);
    let leading = causes.first().map_or(Verdict::Neither, |first| first.verdict);
    let mut at = causes.iter().take_while(|h| Some(h.class) == first_class && h.verdict == leading).count();
    if leading > Verdict::Consistent {
        at = 0;
    }
    for companion in companions {
        if companion.verdict == Verdict::BestSupported {
            causes.insert(at, companion);
            at += 1;
        } else {
            causes.push(companion);
        }
    }
    causes
}

/// ATT&CK techniques (v17 names), only from evidence of load that reaches this sum.
pub fn attack(all: &[Hypothesis]) -> Vec<String> {
    let load = all.iter().find(|hypothesis| hypothesis.cause == Cause::Overload);
    let supported =
        load.is_some_and(|h| h.score_db.is_some_and(|db| db >= BEST_DB) && h.verdict <= Verdict::Consistent);
    if !supported {
        return Vec::new();
    }
    let has = |row: &Row| {
        load.is_some_and(|h| h.ledger.iter().any(|r| r.id == row.id() && !r.off && r.weight_db > Some(0)))
    };
    let mut techniques = Vec::new();
    if has(&answers::REFLECTION_VICTIM) || has(&answers::AMPLIFICATION) {
        techniques
            .push("T1498.002 Network Denial of Service: Reflection Amplification (ATT&CK v17)".to_owned());
    }
    if has(&answers::RANDOM_LABELS) {
        techniques
            .push("T1499.002 Endpoint Denial of Service: Service Exhaustion Flood (ATT&CK v17)".to_owned());
    } else if techniques.is_empty() && has(&answers::RATE_HIGH) {
        techniques.push("T1498.001 Network Denial of Service: Direct Network Flood (ATT&CK v17)".to_owned());
    }
    techniques
}

/// The members of the class that leads, companions left out; empty when nothing reaches "consistent".
pub fn leaders(all: &[Hypothesis]) -> Vec<&Hypothesis> {
    let Some(first) = all.iter().find(|h| h.cause.competes()) else { return Vec::new() };
    if first.verdict > Verdict::Consistent {
        return Vec::new();
    }
    let scores = class_scores(all);
    let top = scores.get(&first.class);
    // Another class with the same sum is not behind: none of the two is named alone.
    let level =
        |h: &Hypothesis| h.verdict == first.verdict && scores.get(&h.class) == top && in_tie(h, &scores);
    let leads = |h: &Hypothesis| h.cause == first.cause || first.tied_with.contains(&h.cause) || level(h);
    all.iter().filter(|h| h.cause.competes() && leads(h)).collect()
}
