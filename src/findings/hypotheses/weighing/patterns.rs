//! Rows from the pattern of failures among answers: what failing queries have that answered ones have not, and in which
//! order the two follow each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::correlate::duplicates::CopyKind;
use crate::correlate::hosts::initial;
use crate::correlate::impact::Impact;
use crate::correlate::splits::Split;
use crate::correlate::windows::Window;
use crate::correlate::{Signature, Transaction};
use crate::decode::Address;
use crate::findings::facts::Meaning;
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::{answers, surroundings as row};
use crate::findings::hypotheses::scene::Scene;
use crate::findings::hypotheses::thresholds::{
    AGAIN_MIN, AGAIN_SERVED_ONE_IN, AGAIN_STUCK_ONE_IN, ALTERNATION_NS, ANSWERS_MAX, BEHIND_PERCENT,
    INTERLEAVED_CITED, MEMBER_MIN, PERIOD_MAX, PERIOD_MISSES_ONE_IN, PERIOD_REPEATS_MIN, SEQUENCE_MIN,
};
use crate::findings::rules::{counted, plain_name};
use crate::findings::zones;
use crate::index::PacketId;
use crate::protocols::dns::type_name;
use crate::time::Nanos;

/// One question of a failing client, in order of time.
#[derive(Clone, Copy)]
struct Step {
    at_ns: Nanos,
    packet: PacketId,
    failed: bool,
}

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let fits = matches!(
        scene.signature,
        Some(Signature::NoAnswer | Signature::Icmp { .. } | Signature::TcpReset | Signature::Late)
    );
    behind(scene, ledger);
    again(scene, ledger);
    let Some(impact) = scene.impact().filter(|_| fits) else { return };
    let by_client = sequences(scene);
    let period = by_client.values().find_map(|steps| period(steps).map(|period| (period, steps)));
    property(scene, impact, period.is_some(), ledger);
    if impact.split == Split::Nothing
        && impact.windows.iter().any(crate::correlate::windows::Window::is_intermittent)
    {
        interleaved(scene, &by_client, ledger);
        several(scene, ledger);
    }
    // Under load, turns are those of the queue.
    let loaded = scene.facts.load.surge(scene.server).is_some();
    if let Some((period, steps)) = period.filter(|_| !loaded) {
        let silent = matches!(scene.signature, Some(Signature::NoAnswer | Signature::Late));
        let failed = steps.iter().filter(|step| step.failed).count();
        ledger.see(
            if silent { &row::REGULAR_SILENCE } else { &row::REGULAR_ORDER },
            format!(
                "Failures and answers of {} follow each other in a regular order of {period}: {failed} of {} questions of \
                 one client failed.",
                scene.server,
                steps.len()
            ),
            cited(steps),
        );
    }
}

/// Where queries went behind the address: to one host of several those that failed, or nowhere.
fn behind(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let evidence = scene.facts.evidence;
    let copies = |query: PacketId| evidence.copies(query).filter(|(_, kind)| *kind != CopyKind::Mirror);
    // A query may be sent on only when it is repeated.
    let onward = |transaction: &Transaction| {
        let tries =
            evidence.transaction_of(transaction.first).map(|id| evidence.tries(id)).unwrap_or_default();
        let copy = tries.into_iter().rev().find_map(|query| copies(query).next());
        let to =
            copy.and_then(|(copy, _)| scene.facts.index.packet(copy)).map(|copy| copy.destination_address());
        to.map(|to| (transaction.first, to))
    };
    let served: Vec<&Transaction> = scene
        .asked()
        .into_iter()
        .flat_map(|asked| asked.answers.iter().take(ANSWERS_MAX))
        .filter_map(|answer| evidence.transaction(evidence.transaction_of(answer.packet)?))
        .filter(|own| own.response_code == 0)
        .collect();
    let served_to: Vec<(PacketId, Address)> = served.iter().filter_map(|own| onward(own)).collect();
    if served_to.len() < MEMBER_MIN || served_to.len() * 100 < served.len() * BEHIND_PERCENT {
        return;
    }
    let failed_to: Vec<(PacketId, Address)> =
        scene.transactions.iter().filter_map(|own| onward(own)).collect();
    let all = scene.transactions.len();
    if failed_to.len() >= MEMBER_MIN && failed_to.len() * 100 >= all * BEHIND_PERCENT {
        let (from, to) = scene.period_ns;
        let meanwhile = |query: PacketId| (from..=to).contains(&scene.facts.time(query));
        let served_to: Vec<(PacketId, Address)> =
            served_to.into_iter().filter(|(query, _)| meanwhile(*query)).collect();
        members(scene, &failed_to, &served_to, ledger);
    } else if matches!(scene.signature, Some(Signature::ResponseCode(_)))
        && scene.facts.index.sources.len() > 1
    {
        let short = scene.transactions.iter().filter(|own| onward(own).is_none());
        let short: Vec<PacketId> = short.flat_map(|own| [Some(own.first), own.answer]).flatten().collect();
        if short.len() >= MEMBER_MIN && short.len() * 50 >= all * BEHIND_PERCENT {
            ledger.see(
                &row::ANSWERED_SHORT,
                format!(
                    "{} of {} of these queries were answered without being captured at the other place, as {} of {} usefully \
                     answered ones were.",
                    short.len() / 2,
                    all,
                    served_to.len(),
                    served.len()
                ),
                short,
            );
        }
    } else if scene.signature == Some(&Signature::NoAnswer) {
        let stopped = scene.transactions.iter().filter(|own| onward(own).is_none());
        let stopped: Vec<PacketId> = stopped.map(|own| own.first).collect();
        if stopped.len() < MEMBER_MIN || stopped.len() * 100 < all * BEHIND_PERCENT {
            return;
        }
        let nat = served.iter().flat_map(|own| copies(own.first)).any(|(_, kind)| kind == CopyKind::Nat);
        ledger.see(
            match scene.impact().map(|impact| &impact.split) {
                _ if nat => &answers::NOT_SENT_ON,
                None | Some(Split::Nothing) => &answers::NOT_FORWARDED,
                Some(_) => &answers::NOT_FORWARDED_BY_RULE,
            },
            format!(
                "{} of {} failing questions were not captured again behind the device between, {} of {} answered ones were.",
                stopped.len(),
                all,
                served_to.len(),
                served.len()
            ),
            stopped,
        );
    }
}

/// Whether the hosts to which failing queries were sent on are others than those that served.
fn members(
    scene: &Scene<'_, '_>,
    failed: &[(PacketId, Address)],
    served: &[(PacketId, Address)],
    ledger: &mut Ledger,
) {
    let hosts = |side: &[(PacketId, Address)]| side.iter().map(|(_, to)| *to).collect::<BTreeSet<_>>();
    let (dead, alive) = (hosts(failed), hosts(served));
    if served.is_empty() || !dead.is_disjoint(&alive) {
        return;
    }
    let list = |hosts: &BTreeSet<Address>| {
        hosts.iter().take(INTERLEAVED_CITED).map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    ledger.see(
        &row::MEMBER_FAILS,
        format!(
            "Queries to {} are sent on to several hosts: all {} that failed went to {}, all {} that were answered to {}.",
            scene.server,
            failed.len(),
            list(&dead),
            served.len(),
            list(&alive)
        ),
        failed.iter().take(INTERLEAVED_CITED).chain(served.iter().take(INTERLEAVED_CITED)).map(|q| q.0).collect(),
    );
}

/// How queries fared that were sent again from the same port: a member that is dead for a flow stays so, chance does not.
fn again(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let amid = scene.impact().is_some_and(|impact| impact.windows.iter().any(Window::is_intermittent));
    if scene.service.1 != 17 || scene.signature != Some(&Signature::NoAnswer) || !amid {
        return;
    }
    let failed: Vec<PacketId> =
        scene.transactions.iter().filter(|t| t.tries > 1).map(|transaction| transaction.first).collect();
    let served = scene.asked().map_or(0, |asked| asked.repeated) as usize;
    let all = failed.len() + served;
    let seen = match () {
        () if all < AGAIN_MIN => return,
        () if served * AGAIN_SERVED_ONE_IN >= all => &answers::FLOWS_RECOVER,
        () if served * AGAIN_STUCK_ONE_IN <= all => &answers::FLOWS_STICK,
        () => return,
    };
    ledger.see(
        seen,
        format!(
            "Of {} to {} that were sent again from the same port {served} were answered.",
            counted(all, "question", "questions"),
            scene.server
        ),
        failed.into_iter().take(INTERLEAVED_CITED).collect(),
    );
}

/// What the failing clients asked while they failed, by client.
fn sequences(scene: &Scene<'_, '_>) -> BTreeMap<Address, Vec<Step>> {
    let mut by_client: BTreeMap<Address, Vec<Step>> = BTreeMap::new();
    for transaction in &scene.transactions {
        let Some((client, _)) = scene.ends(transaction) else { continue };
        let at_ns = scene.facts.time(transaction.first);
        by_client.entry(client).or_default().push(Step { at_ns, packet: transaction.first, failed: true });
    }
    let (from, to) = scene.period_ns;
    for answer in scene.asked().into_iter().flat_map(|asked| &asked.answers) {
        let at_ns = answer.time_ns.saturating_sub(answer.trip_ns);
        if let Some(steps) = by_client.get_mut(&answer.client).filter(|_| (from..=to).contains(&at_ns)) {
            steps.push(Step { at_ns, packet: answer.packet, failed: false });
        }
    }
    for steps in by_client.values_mut() {
        steps.sort_by_key(|step| (step.at_ns, step.packet));
    }
    by_client
}

/// The shortest period by which failures and answers repeat.
fn period(steps: &[Step]) -> Option<usize> {
    let mixed = steps.iter().any(|step| step.failed) && steps.iter().any(|step| !step.failed);
    if steps.len() < SEQUENCE_MIN || !mixed {
        return None;
    }
    (2..=PERIOD_MAX).filter(|period| steps.len() >= period * PERIOD_REPEATS_MIN).find(|period| {
        let places: Vec<(usize, usize)> = (0..*period)
            .map(|place| {
                let of = || steps.iter().skip(place).step_by(*period);
                (of().filter(|step| step.failed).count(), of().count())
            })
            .collect();
        let misses: usize = places.iter().map(|(failed, all)| (*failed).min(all - failed)).sum();
        let both = places.iter().any(|(failed, all)| failed * 2 > *all)
            && places.iter().any(|(failed, all)| failed * 2 < *all);
        both && misses * PERIOD_MISSES_ONE_IN <= steps.len()
    })
}

/// The first changes between failure and answer.
fn cited(steps: &[Step]) -> Vec<PacketId> {
    let changes = steps.windows(2).filter(|pair| matches!(pair, [a, b] if a.failed != b.failed));
    let mut frames: Vec<PacketId> =
        changes.take(INTERLEAVED_CITED).flatten().map(|step| step.packet).collect();
    frames.sort_unstable();
    frames.dedup();
    frames
}

/// The server answered the failing clients themselves between their failures, and nothing tells the two apart.
fn interleaved(scene: &Scene<'_, '_>, by_client: &BTreeMap<Address, Vec<Step>>, ledger: &mut Ledger) {
    let Some(steps) = by_client.values().max_by_key(|steps| cited(steps).len()) else { return };
    let close = by_client.values().any(|steps| {
        steps
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.failed != b.failed && b.at_ns - a.at_ns <= ALTERNATION_NS))
    });
    let refused = scene.errors_of(Meaning::PortUnreachable).iter().any(|error| error.source == scene.server)
        || scene.signature == Some(&Signature::TcpReset);
    let seen = if refused && close { &row::INTERLEAVED_REFUSALS } else { &row::INTERLEAVED_SILENCE };
    let answered = steps.iter().filter(|step| !step.failed).count();
    ledger.see(
        seen,
        format!(
            "{} answered {} of a client between the failures of the same client.",
            scene.server,
            counted(answered, "question", "questions")
        ),
        cited(steps),
    );
}

/// Answers of one address that come with different TTLs by turns: several hosts answer in its name, or over several paths.
fn several(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (from, to) = scene.period_ns;
    let answers = scene.asked().into_iter().flat_map(|asked| asked.answers_in(from, to));
    let own = answers.filter(|answer| scene.clients.contains(&answer.client)).map(|answer| answer.packet);
    let read = |packet: PacketId| {
        let read = scene.facts.index.packet(packet)?;
        Some((packet, read.ttl(), read.segment.source)).filter(|own| own.1 > 0)
    };
    let mut told = own.filter_map(read).peekable();
    // Another place of capture is another distance.
    let Some((_, _, first)) = told.peek().copied() else { return };
    let told: Vec<(PacketId, u8)> =
        told.filter(|own| own.2 == first).map(|(packet, ttl, _)| (packet, ttl)).collect();
    let mut frames: BTreeMap<u8, Vec<PacketId>> = BTreeMap::new();
    for (packet, ttl) in &told {
        frames.entry(*ttl).or_default().push(*packet);
    }
    frames.retain(|_, frames| frames.len() >= MEMBER_MIN);
    let Some(starts) =
        (frames.len() > 1).then(|| frames.keys().map(|ttl| initial(*ttl)).collect::<BTreeSet<_>>())
    else {
        return;
    };
    // A path that changed once is one path at a time.
    let turns = told.windows(2).filter(|pair| matches!(pair, [a, b] if a.1 != b.1)).count();
    if turns < MEMBER_MIN {
        return;
    }
    let ttls: Vec<String> =
        frames.iter().rev().map(|(ttl, frames)| format!("{ttl} ({})", frames.len())).collect();
    ledger.see(
        if starts.len() > 1 { &row::SEVERAL_SYSTEMS } else { &row::SEVERAL_DISTANCES },
        format!(
            "Answers of {} to the failing clients come by turns with the TTLs {}.",
            scene.server,
            ttls.join(", ")
        ),
        frames.into_values().flat_map(|frames| frames.into_iter().take(INTERLEAVED_CITED)).collect(),
    );
}

/// What parts the failing queries from those answered completely.
fn property(scene: &Scene<'_, '_>, impact: &Impact, regular: bool, ledger: &mut Ledger) {
    let Some((failing, fine)) = words(scene, &impact.split) else { return };
    // Names that fail on, of which the clients asked nothing else meanwhile, say nothing by themselves.
    if impact.answered_beside == 0 && scene.signature == Some(&crate::correlate::Signature::NoAnswer) {
        return;
    }
    let seen = match &impact.split {
        Split::Zone | Split::Name => &row::NAMES_SPLIT,
        Split::Type(_) | Split::TypeInZone(_) => &row::TYPES_SPLIT,
        _ if regular => &row::PROPERTY_OR_ORDER_SPLITS,
        _ => &row::PROPERTY_SPLITS,
    };
    let (_, failed) = impact.asked_and_failed();
    let (from, to) = scene.period_ns;
    let served = scene.asked().into_iter().flat_map(|asked| asked.answers_in(from, to));
    let served = served.filter(|answer| scene.clients.contains(&answer.client)).map(|answer| answer.packet);
    let frames = scene.queries.iter().copied().take(INTERLEAVED_CITED).chain(served.take(INTERLEAVED_CITED));
    ledger.see(
        seen,
        format!(
            "Only queries {failing} fail at {} ({failed} of them); those {fine} were answered at the same time ({}){}.",
            scene.server,
            impact.answered_beside,
            if impact.split.types().is_some() { edns_too(scene, &served_queries(scene)) } else { "" }
        ),
        frames.collect(),
    );
}

/// The queries of the failing clients that were answered meanwhile.
fn served_queries(scene: &Scene<'_, '_>) -> Vec<PacketId> {
    let evidence = scene.facts.evidence;
    let (from, to) = scene.period_ns;
    let answers = scene.asked().into_iter().flat_map(|asked| asked.answers_in(from, to));
    let own = answers.filter(|answer| scene.clients.contains(&answer.client)).take(ANSWERS_MAX);
    own.filter_map(|answer| Some(evidence.transaction(evidence.transaction_of(answer.packet)?)?.first))
        .collect()
}

/// Whether EDNS parts failing and served queries as well, so that it cannot be told which of the two decides.
fn edns_too(scene: &Scene<'_, '_>, served: &[PacketId]) -> &'static str {
    let has = |query: PacketId| {
        let packet = scene.facts.index.packet(query)?;
        Some(packet.dns()?.header.counts.last().is_some_and(|additional| *additional > 0))
    };
    let all = |queries: &[PacketId], wanted: bool| queries.iter().all(|query| has(*query) == Some(wanted));
    match () {
        () if served.is_empty() => "",
        () if all(&scene.queries, true) && all(served, false) => "; only the failing ones carry EDNS as well",
        () if all(&scene.queries, false) && all(served, true) => {
            "; only the failing ones carry no EDNS as well"
        }
        () => "",
    }
}

/// Record types by name.
fn types_of(types: &[u16]) -> String {
    types.iter().take(3).map(|qtype| type_name(*qtype)).collect::<Vec<_>>().join(", ")
}

/// The failing queries and the others, as told apart.
fn words(scene: &Scene<'_, '_>, split: &Split) -> Option<(String, String)> {
    Some(match split {
        Split::Nothing => return None,
        Split::Zone => {
            let zones: Vec<String> =
                zones::common(&scene.names).iter().take(3).map(|z| plain_name(z)).collect();
            (format!("for names in {}", zones.join(", ")), "for other names".to_owned())
        }
        Split::Name => {
            (format!("for {}", counted(scene.names.len(), "name", "names")), "for other names".to_owned())
        }
        Split::Type(types) => (format!("of type {}", types_of(types)), "of other types".to_owned()),
        Split::TypeInZone(types) => {
            let zones: Vec<String> =
                zones::common(&scene.names).iter().take(3).map(|z| plain_name(z)).collect();
            (
                format!("of type {} for names in {}", types_of(types), zones.join(", ")),
                "of other types, and for other names,".to_owned(),
            )
        }
        Split::Edns(true) => ("with EDNS (an OPT record)".to_owned(), "without EDNS".to_owned()),
        Split::Edns(false) => ("without EDNS".to_owned(), "with EDNS (an OPT record)".to_owned()),
        Split::PortsFrom(port) => {
            (format!("from source ports of {port} and above"), "from lower source ports".to_owned())
        }
        Split::PortsTo(port) => {
            (format!("from source ports up to {port}"), "from higher source ports".to_owned())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(pattern: &str) -> Vec<Step> {
        let step = |(at, letter): (usize, char)| Step {
            at_ns: at as Nanos,
            packet: PacketId(at as u32),
            failed: letter == 'x',
        };
        pattern.chars().enumerate().map(step).collect()
    }

    #[test]
    fn a_period_is_found_where_the_order_is_regular_and_nowhere_else() {
        assert_eq!(period(&steps("x.x.x.x.")), Some(2));
        assert_eq!(period(&steps("x..x..x..x..")), Some(3));
        assert_eq!(period(&steps("xx.xx.xx.xx.")), Some(3));
        // Blocks are restarts, a few are no pattern, and chance is none.
        assert_eq!(period(&steps("xxxxxxxx........")), None);
        assert_eq!(period(&steps("x.x.x.")), None);
        assert_eq!(period(&steps("x...x.xx..x.x...xx..x")), None);
    }
}
