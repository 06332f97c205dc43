//! From ledgers to verdict words: classes, ties, lead over the next class, and what would change the ranking.

use std::collections::BTreeMap;

use super::catalogue::{CATALOGUE, Cause, Class, Entry};
use super::ledger::{Ledger, sum};
use super::matrix::{CONTRASTS, Row, answers, mechanism, surroundings};
use super::thresholds::{BEST_DB, CONSISTENT_DB, LEAD_DB};
use super::{Author, Change, Hypothesis, LedgerRow, Verdict};

/// What the scene says about classes beyond the catalogue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Classing {
    /// What the address looks like where nothing was ever heard from it: dead, without a route, or silent.
    pub absent: Option<Class>,
    /// The class H4 joins where something speaks for a wrong address: it looks like a dead one.
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
        .filter_map(|entry| {
            let mut rows = ledger.take(entry.cause, changes);
            if !is_founded(entry.cause, &rows) {
                rows.retain(|row| row.weight_db.is_none_or(|db| db < 0));
            }
            if rows.is_empty() && entry.cause > Cause::Interception {
                return None;
            }
            // In another class than its own it leaves something else open.
            let cannot_tell = if class_of(entry, classing) == entry.class {
                left_open(entry, &rows)
            } else {
                "Whether anyone ever used the address: a wrong address sends the same packets as an absent host."
            };
            Some(Hypothesis {
                cause: entry.cause,
                title: entry.title,
                class: class_of(entry, classing),
                score_db: sum(&rows),
                verdict: Verdict::Neither,
                ledger: rows,
                tied_with: Vec::new(),
                cannot_tell: cannot_tell.to_owned(),
            })
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
    let silence_first =
        |hypothesis: &Hypothesis| classing.silence_unseen && hypothesis.cause == Cause::SilentDrop;
    let place = |hypothesis: &Hypothesis| {
        let class = ranked.iter().position(|(class, _)| *class == hypothesis.class).unwrap_or(ranked.len());
        let outside = in_tie(hypothesis, &classes);
        (!silence_first(hypothesis), hypothesis.verdict, !outside, class)
    };
    // Sorting is stable: inside a tie the catalogue's order stands, which ranks nothing.
    all.sort_by_key(place);
    companions_last(all)
}

/// From this weight on who else was served is what a cause itself makes: failures and successes by turns.
const OWN_DB: i32 = 20;

/// Whether something shows a cause's own mechanism, where it needs that; an analyst's word stands for it.
fn is_founded(cause: Cause, rows: &[LedgerRow]) -> bool {
    let needed = mechanism(cause);
    let shows = |row: &&LedgerRow| {
        row.author == Author::Analyst
            || needed.iter().any(|own| own.id() == row.id && row.weight_db > Some(0))
    };
    let own = || rows.iter().filter(|row| !row.off);
    // That others were served speaks for a cause only beside something of its own.
    let mut fits = own().filter(|row| row.weight_db > Some(0)).peekable();
    let contrasts_only = fits.peek().is_some()
        && fits.all(|row| {
            row.author != Author::Analyst
                && row.weight_db < Some(OWN_DB)
                && CONTRASTS.iter().any(|contrast| contrast.id() == row.id)
        });
    !contrasts_only && (needed.is_empty() || own().any(|row| shows(&row)))
}

/// What a cause leaves open, beyond what its own rows show.
fn left_open(entry: &Entry, rows: &[LedgerRow]) -> &'static str {
    let has = |kind: &Row| rows.iter().any(|row| row.id == kind.id() && row.weight_db > Some(0));
    match entry.cause {
        Cause::Upstream if has(&surroundings::UPSTREAM_FAILS) || has(&answers::UPSTREAM_SLOW) => {
            "Why what lies behind the resolver fails; what it asked there is in this capture."
        }
        Cause::Upstream if has(&surroundings::TRANSFER_FAILED) => {
            "Why the primary hands the zone on no longer: who may copy it is set there, and a filter may stand between."
        }
        Cause::Upstream if has(&surroundings::SIGNATURES_EARLY) => {
            "Whose clock is wrong: that of who signed, of the resolver or of the capture."
        }
        Cause::Upstream if has(&surroundings::SIGNATURES_EXPIRED) => {
            "Why the zone was not signed again in time; its servers' answers are in this capture."
        }
        Cause::Upstream if has(&surroundings::UPSTREAM_ANSWERS) => {
            "What the resolver made of the answers it got; they are in this capture."
        }
        Cause::NameMissing if has(&answers::EXISTED_BEFORE) => {
            "Whether the zone lost the names, or the server shows this client other data than before (views, an old copy, a stale cache)."
        }
        Cause::DeadMember if has(&surroundings::MEMBER_FAILS) => {
            "Why that host behind the address does not serve."
        }
        Cause::LateAnswer if has(&answers::ANSWER_IGNORED) => {
            "What on the asking host keeps the answers away."
        }
        _ => entry.cannot_tell,
    }
}

/// In a doubtful record no cause is more than consistent with the evidence.
fn lower(all: &mut [Hypothesis]) {
    for hypothesis in all.iter_mut().filter(|h| h.cause.competes() && h.verdict == Verdict::BestSupported) {
        hypothesis.verdict = Verdict::Consistent;
    }
}

fn class_of(entry: &Entry, classing: Classing) -> Class {
    match entry.cause {
        Cause::WrongAddress => classing.wrong_address.unwrap_or(entry.class),
        // A host that is gone behind a router that says nothing is as silent as a filter.
        Cause::HostDown if classing.absent == Some(Class::Of(Cause::SilentDrop)) => {
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

/// Fills `tied_with`: members of a class stand together, and so do classes with the same sum at the top.
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
    for hypothesis in all {
        if !hypothesis.cause.competes() {
            if hypothesis.verdict == Verdict::BestSupported {
                hypothesis.cannot_tell = format!(
                    "It holds together with the cause, not instead of it. {}",
                    hypothesis.cannot_tell
                );
            }
            continue;
        }
        if !members.iter().any(|(cause, _)| *cause == hypothesis.cause) {
            continue;
        }
        let at_top = tops.contains(&hypothesis.class);
        hypothesis.tied_with = members
            .iter()
            .filter(|(cause, of)| {
                *cause != hypothesis.cause && (*of == hypothesis.class || at_top && tops.contains(of))
            })
            .map(|(cause, _)| *cause)
            .collect();
    }
}

/// Companions come after the causes, those that hold before the others: they apply or do not, and lead nothing.
fn companions_last(all: Vec<Hypothesis>) -> Vec<Hypothesis> {
    let (mut causes, mut companions): (Vec<_>, Vec<_>) = all.into_iter().partition(|h| h.cause.competes());
    companions.sort_by_key(|companion| companion.verdict);
    causes.append(&mut companions);
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
