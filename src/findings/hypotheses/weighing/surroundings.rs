//! Rows from what else the capture shows: the server's other packets, other resolvers, TCP, fragments, neighbours.

use std::collections::BTreeMap;

use crate::correlate::Signature;
use crate::correlate::clients::Client;
use crate::correlate::duplicates::CopyKind;
use crate::correlate::impact::Impact;
use crate::decode::Address;
use crate::findings::facts::delegations::Delegation;
use crate::findings::facts::runs::{Run, Wanted};
use crate::findings::facts::servers::Answer;
use crate::findings::facts::{Connection, Ending, Meaning, Sort};
use crate::findings::hypotheses::catalogue::{Cause, Class};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::{Row, surroundings as row};
use crate::findings::hypotheses::scene::Scene;
use crate::findings::hypotheses::thresholds::{
    COPIES_MAX, HOST_AROUND_NS, INTERLEAVED_ONE_IN, LOOPED_MIN, NEIGHBOUR_AROUND_NS, TCP_AFTER_NS,
    UPSTREAM_CITED,
};
use crate::findings::rules::plain_name;
use crate::findings::zones;
use crate::index::PacketId;
use crate::time::Nanos;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    owners(scene, ledger);
    if scene.is_lookup() {
        failed_elsewhen(scene, ledger);
    }
    if matches!(scene.signature, Some(Signature::ResponseCode(_) | Signature::Late)) {
        failover(scene, ledger);
        return;
    }
    if !scene.is_lookup() {
        return;
    }
    travelled(scene, ledger);
    history(scene, ledger);
    life(scene, ledger);
    transports(scene, ledger);
    failover(scene, ledger);
    neighbours(scene, ledger);
}

/// The server left a name unanswered and answered it with SERVFAIL (RFC 1035 §4.1.1, code 2) at another time: it works on
/// it longer than the client waits.
fn failed_elsewhen(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let failed = scene.facts.problems().map(|(_, other)| other).find(|other| {
        other.server == (scene.server, scene.service.0)
            && other.signature == Signature::ResponseCode(2)
            && other.names.iter().any(|name| scene.names.contains(name))
    });
    let Some(failed) = failed.filter(|_| scene.signature == Some(&Signature::NoAnswer)) else { return };
    let cited = scene.facts.transactions(failed).take(UPSTREAM_CITED);
    ledger.see(
        &row::FAILED_ELSEWHEN,
        format!("{} answered SERVFAIL for the same name at another time.", scene.server),
        cited.flat_map(|t| [Some(t.first), t.answer]).flatten().collect(),
    );
}

/// What became of the query on the way, where it was captured more than once: sent on to another address, or
/// travelling in a loop.
fn travelled(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let index = scene.facts.index;
    let copies = |query: &PacketId| scene.facts.evidence.copies(*query).take(COPIES_MAX).collect::<Vec<_>>();
    let translated = scene.queries.iter().find_map(|query| {
        let nat = copies(query).into_iter().filter(|(_, kind)| *kind == CopyKind::Nat);
        let mut to = nat.filter_map(|(copy, _)| Some((copy, index.packet(copy)?.destination_address())));
        to.find(|(_, to)| *to != scene.server).map(|(copy, to)| (*query, copy, to))
    });
    if let Some((query, copy, to)) = translated {
        ledger.see(
            &row::TRANSLATED,
            format!("The query to {} was captured again on its way to {to}.", scene.server),
            vec![query, copy],
        );
    }
    let looped = scene.queries.iter().find_map(|query| {
        let mut all = copies(query);
        all.retain(|(_, kind)| *kind == CopyKind::Routed);
        (all.len() >= LOOPED_MIN).then_some((*query, all))
    });
    if let Some((query, again)) = looped {
        ledger.see(
            &row::LOOPED,
            format!("The query passed this point {} times with ever fewer hops left.", again.len() + 1),
            std::iter::once(query).chain(again.into_iter().map(|(copy, _)| copy)).collect(),
        );
    }
}

/// Whether nothing but errors about it was ever heard of the server's address.
pub(super) fn nobody_there(scene: &Scene<'_, '_>) -> bool {
    let heard = scene.host().is_some_and(|host| host.alive().next().is_some());
    let by_server = scene.errors.iter().any(|error| error.source == scene.server);
    let neighbour = scene.facts.neighbours.get(&scene.server) == Some(&true);
    scene.is_lookup() && !heard && !by_server && !neighbour
}

/// What the address looks like when nobody was ever heard there.
pub(super) fn absent_class(scene: &Scene<'_, '_>) -> Option<Class> {
    if !nobody_there(scene) {
        return None;
    }
    let given = |run: &Run| run.target == scene.server && run.given.is_some();
    if !scene.errors_of(Meaning::HostUnreachable).is_empty() || scene.facts.runs.iter().any(given) {
        Some(Class::Of(Cause::HostDown))
    } else if !scene.errors_of(Meaning::NetUnreachable).is_empty() {
        Some(Class::Of(Cause::NoRoute))
    } else if scene.errors.is_empty() && !scene.silent().is_empty() {
        Some(Class::Of(Cause::SilentDrop))
    } else {
        None
    }
}

/// The class a wrong address belongs to: that of the dead, where something speaks for a wrong address. A router without
/// a route never looked for the host, and silence alone says nothing about who was meant.
pub(super) fn wrong_address_class(scene: &Scene<'_, '_>) -> Option<Class> {
    let dead = absent_class(scene)?;
    match dead {
        Class::Of(Cause::HostDown) => Some(dead),
        Class::Of(Cause::SilentDrop) => other_server(scene).map(|_| dead),
        _ => None,
    }
}

/// Another server that answered one of the clients, with an answer. Who asks each zone's own servers has no other one to ask.
fn other_server(scene: &Scene<'_, '_>) -> Option<(Address, PacketId)> {
    if !scene.wants_recursion() {
        return None;
    }
    let found = scene.clients.iter().filter_map(|client| {
        let servers = scene.facts.served.get(client)?;
        servers.iter().find(|(server, _)| **server != scene.server).map(|(server, packet)| (*server, *packet))
    });
    found.min()
}

/// Whether the server answered before, meanwhile, after, or never.
fn history(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (from, to) = scene.period_ns;
    let Some(asked) = scene.asked() else { return };
    let refused = !scene.errors_of(Meaning::PortUnreachable).is_empty();
    if let Some(answer) = served_meanwhile(scene) {
        meanwhile(scene, answer.packet, ledger);
        other_client(scene, answer, ledger);
    }
    let (before, again) = if refused {
        (&row::ANSWERED_BEFORE_REFUSING, &row::RECOVERED_FROM_REFUSING)
    } else {
        (&row::ANSWERED_BEFORE, &row::RECOVERED)
    };
    let rows = [
        (before, asked.answers.iter().find(|answer| answer.time_ns < from), "before the first failure"),
        (again, asked.answers.iter().find(|answer| answer.time_ns > to), "again after the last failure"),
    ];
    for (seen, answer, when) in rows {
        let Some(answer) = answer else { continue };
        ledger.see(seen, format!("{} answered DNS {when}.", scene.server), vec![answer.packet]);
    }
    // Without any answer in the capture, the failure itself is all this would repeat.
    let answers_seen = scene.facts.servers.values().any(|server| !server.answers.is_empty());
    if asked.answers.is_empty() && answers_seen {
        ledger.see(
            &row::NEVER_ANSWERED,
            format!("No DNS answer from {} to any client was seen.", scene.server),
            scene.queries.iter().copied().take(1).collect(),
        );
    }
    other_resolver(scene, ledger);
    referred(scene, ledger);
}

/// A referral in view that names the server, for the zone of a name it was asked for.
fn referred(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let known = scene.facts.delegated.get(&scene.server).map(Vec::as_slice).unwrap_or_default();
    let fits = |own: &&Delegation| scene.names.iter().any(|name| zones::is_below(name, &own.zone));
    if let Some(own) = known.iter().find(fits) {
        ledger.see(
            &row::REFERRED,
            format!("A referral names {} for {}.", scene.server, plain_name(&own.zone)),
            vec![own.referral],
        );
    }
}

/// An answer to another client inside a window in which the failing ones got none: between two failures of one client,
/// or among failures of clients that asked once. A service that stops, works and stops again answers between failures
/// too, but never while it fails.
fn served_meanwhile<'f>(scene: &Scene<'f, '_>) -> Option<&'f Answer> {
    let impact = scene.impact().filter(|impact| !impact.unaffected.is_empty())?;
    let asked_ns = |answer: &Answer| answer.time_ns.saturating_sub(answer.trip_ns);
    let other = |answer: &&Answer| impact.unaffected.binary_search(&answer.client).is_ok();
    let failing = failing_spans(scene, impact);
    let among = is_interleaved(scene);
    let inside = |answer: &&Answer| {
        let next = failing.partition_point(|(from, _)| *from <= asked_ns(answer));
        let own = next.checked_sub(1).and_then(|at| failing.get(at));
        let (from, to) = scene.period_ns;
        own.is_some_and(|(_, to)| answer.time_ns <= *to)
            || among && from <= asked_ns(answer) && answer.time_ns <= to
    };
    scene.asked()?.answers.iter().filter(other).find(inside)
}

/// The times between two failures of one client within a window, put together over all clients, in order.
fn failing_spans(scene: &Scene<'_, '_>, impact: &Impact) -> Vec<(Nanos, Nanos)> {
    let mut spans: BTreeMap<(Address, usize), (Nanos, Nanos)> = BTreeMap::new();
    for transaction in &scene.transactions {
        let Some((client, _)) = scene.ends(transaction) else { continue };
        let at_ns = scene.facts.time(transaction.first);
        let window = impact.windows.partition_point(|window| window.first_bad.at_ns <= at_ns);
        let span = spans.entry((client, window)).or_insert((at_ns, at_ns));
        *span = (span.0.min(at_ns), span.1.max(at_ns));
    }
    let mut all: Vec<(Nanos, Nanos)> = spans.into_values().collect();
    all.sort_unstable();
    let mut joined: Vec<(Nanos, Nanos)> = Vec::new();
    for (from, to) in all {
        match joined.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(to),
            None => joined.push((from, to)),
        }
    }
    joined
}

/// Whether answers stand among the failures and not only between long runs of them.
fn is_interleaved(scene: &Scene<'_, '_>) -> bool {
    let (from, to) = scene.period_ns;
    let Some(asked) = scene.asked() else { return false };
    let mut failed: Vec<_> = scene.transactions.iter().map(|t| scene.facts.time(t.first)).collect();
    failed.sort_unstable();
    let mut answered: Vec<_> =
        asked.answers_in(from, to).map(|answer| answer.time_ns.saturating_sub(answer.trip_ns)).collect();
    answered.sort_unstable();
    let between = failed.windows(2).filter(|pair| match pair {
        [before, after] => {
            let next = answered.partition_point(|asked_ns| asked_ns <= before);
            answered.get(next).is_some_and(|asked_ns| asked_ns < after)
        }
        _ => false,
    });
    between.count() * INTERLEAVED_ONE_IN >= failed.len().saturating_sub(1)
}

/// The server answered while queries to it failed.
pub(super) fn meanwhile(scene: &Scene<'_, '_>, packet: PacketId, ledger: &mut Ledger) {
    let seen = match () {
        () if scene.errors.is_empty() => &row::ANSWERED_MEANWHILE,
        () if on_their_way(scene) => &row::ANSWERED_OTHERS,
        () => &row::ANSWERED_AMID_ERRORS,
    };
    ledger.see(seen, format!("{} answered DNS while these queries failed.", scene.server), vec![packet]);
}

/// Whether routers say that they could not deliver the queries of clients that got nothing meanwhile: others may go another way.
fn on_their_way(scene: &Scene<'_, '_>) -> bool {
    let lost = |meaning: Meaning| scene.errors_of(meaning).iter().any(|error| error.source != scene.server);
    let stranded = scene.impact().is_some_and(|impact| {
        let (asked, failed) = impact.asked_and_failed();
        failed * 20 >= asked * 19
    });
    stranded
        && (lost(Meaning::NetUnreachable) || lost(Meaning::HopsExceeded) || lost(Meaning::HostUnreachable))
}

fn other_client(scene: &Scene<'_, '_>, answer: &Answer, ledger: &mut Ledger) {
    if scene.errors.is_empty() {
        return;
    }
    ledger.see(
        &row::OTHER_CLIENT_SERVED,
        format!("{} was answered by {} while others were refused.", answer.client, scene.server),
        vec![answer.packet],
    );
}

fn other_resolver(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if let Some((other, packet)) = other_server(scene) {
        ledger.see(
            &row::OTHER_RESOLVER,
            format!("Another resolver, {other}, answered the same client."),
            vec![packet],
        );
    }
}

/// What else the server's address sent during the failure.
fn life(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(host) = scene.host() else { return };
    let (from, to) = scene.period_ns;
    if let Some(sign) = host.alive().find(|sign| (from..=to).contains(&sign.time_ns)) {
        ledger.see(
            if on_their_way(scene) { &row::SERVER_ALIVE_ELSEWHERE } else { &row::SERVER_ALIVE },
            format!("{} sent other packets during the failure.", scene.server),
            vec![sign.packet],
        );
    } else if let Some(sign) =
        host.alive().find(|sign| (from - HOST_AROUND_NS..=to + HOST_AROUND_NS).contains(&sign.time_ns))
    {
        ledger.see(
            &row::SERVER_ALIVE_NEARBY,
            format!("{} sent other packets within a minute of the failure.", scene.server),
            vec![sign.packet],
        );
    }
    let service = [Sort::Tcp, Sort::Echo]
        .iter()
        .flat_map(|sort| host.of(*sort).iter().map(move |sign| (*sort, sign)))
        .find(|(sort, sign)| *sort == Sort::Echo || sign.port != scene.service.0);
    if let Some((sort, sign)) = service {
        let words = if sort == Sort::Echo {
            "answers echo requests".to_owned()
        } else {
            format!("serves TCP port {}", sign.port)
        };
        let other_role = sort == Sort::Tcp && scene.asked().is_none_or(|asked| asked.answers.is_empty());
        let seen = match (scene.errors.is_empty(), other_role) {
            (true, true) => &row::OTHER_SERVICE_BESIDE_SILENCE,
            (true, false) => &row::ALIVE_BESIDE_SILENCE,
            (false, true) => &row::OTHER_SERVICE_BESIDE_REFUSAL,
            (false, false) => &row::ALIVE_BESIDE_REFUSAL,
        };
        ledger.see(seen, format!("{} {words}.", scene.server), vec![sign.packet]);
    }
}

/// How the same server's port over TCP fared around the failure.
fn transports(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (from, to) = scene.period_ns;
    let tried: Vec<&Connection> = scene
        .facts
        .connections
        .iter()
        .filter(|connection| connection.server == (scene.server, scene.service.0))
        .filter(|connection| connection.time_ns >= from && connection.time_ns <= to + TCP_AFTER_NS)
        .collect();
    let over_udp = scene.service.1 == 17;
    // The service answers over UDP: it runs, and only TCP is refused.
    let truncated = scene.signature == Some(&Signature::Truncated);
    let clients = &scene.clients;
    let over_udp_too = over_udp
        && scene
            .asked()
            .is_some_and(|asked| asked.answers_in(from, to).any(|answer| clients.contains(&answer.client)));
    let meanwhile = |connection: &&&Connection| connection.served && connection.time_ns <= to;
    if let Some(works) = tried.iter().find(meanwhile) {
        // Where UDP answers as well, only too little, no rule parts the two.
        ledger.see(
            if truncated || over_udp_too { &row::TCP_WORKS_TOO } else { &row::TCP_WORKS },
            format!("TCP port {} of {} answers.", scene.service.0, scene.server),
            vec![works.syn],
        );
        if over_udp && !truncated && !over_udp_too {
            split(scene, works, "UDP fails while TCP to the same port answers", ledger);
        }
    }
    if let Some(reset) = tried.iter().find(|connection| connection.ending == Ending::Refused) {
        ledger.see(
            if truncated { &row::TCP_RESET_BESIDE_UDP } else { &row::TCP_RESET },
            format!("TCP port {} of {} was reset.", scene.service.0, scene.server),
            [Some(reset.syn), reset.decided].into_iter().flatten().collect(),
        );
    }
    rejected(scene, &tried, ledger);
    let failed =
        tried.iter().find(|c| matches!(c.ending, Ending::Refused | Ending::Rejected | Ending::Silent));
    let udp_works = scene
        .facts
        .servers
        .get(&(scene.server, scene.service.0, 17))
        .is_some_and(|udp| !udp.answers.is_empty());
    if let Some(failed) = failed
        && udp_works
        && (!over_udp || truncated)
    {
        split(
            scene,
            failed,
            "UDP answers while TCP to the same port fails (RFC 7766 §5 requires both)",
            ledger,
        );
    }
}

/// TCP refused by an ICMP error in the server's name: a host without a listener resets instead (RFC 9293 §3.10.7.1).
fn rejected(scene: &Scene<'_, '_>, tried: &[&Connection], ledger: &mut Ledger) {
    let by_server = |connection: &&&Connection| {
        let error = connection.decided.and_then(|error| scene.facts.error(error));
        connection.ending == Ending::Rejected
            && error.is_some_and(|error| {
                error.source == scene.server
                    && matches!(error.meaning, Meaning::PortUnreachable | Meaning::Prohibited)
            })
    };
    let rejected: Vec<&&Connection> = tried.iter().filter(by_server).collect();
    if rejected.is_empty() {
        return;
    }
    ledger.see(
        &row::TCP_REJECTED,
        format!(
            "{} to TCP port {} of {} met an ICMP error from its address instead of a reset.",
            crate::findings::rules::counted(rejected.len(), "connection attempt", "connection attempts"),
            scene.service.0,
            scene.server
        ),
        rejected.iter().flat_map(|c| [Some(c.syn), c.decided]).flatten().collect(),
    );
}

fn split(scene: &Scene<'_, '_>, connection: &Connection, words: &str, ledger: &mut Ledger) {
    ledger.see(&row::TRANSPORT_SPLIT, format!("{words} ({}).", scene.server), vec![connection.syn]);
}

/// Every client was rescued, some of them by another resolver; a name that happens to be asked elsewhere is no failover.
fn failover(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(impact) = scene.impact().filter(|impact| impact.is_covered()) else { return };
    let elsewhere = |client: &&Client| client.rescued_by().is_some_and(|by| by != scene.server);
    let moved: Vec<&Client> = impact.clients.iter().filter(elsewhere).collect();
    if moved.is_empty() {
        return;
    }
    let mut answers: Vec<PacketId> =
        scene.transactions.iter().filter_map(|transaction| scene.failed_over(transaction)).collect();
    answers.extend(moved.iter().filter_map(|client| client.slowest));
    let rescued: u32 = moved.iter().map(|client| client.rescued).sum();
    ledger.see(
        &row::FAILOVER,
        format!(
            "{rescued} of {} failed questions were answered by another resolver within 10 s, and no client was left without.",
            impact.asked_and_failed().1
        ),
        answers,
    );
}

/// Requests for a link address that nobody answered: the server's, or that of the clients' way to it.
fn neighbours(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (from, to) = scene.period_ns;
    let around =
        |run: &&Run| run.span_ns.0 <= to + NEIGHBOUR_AROUND_NS && from - NEIGHBOUR_AROUND_NS <= run.span_ns.1;
    let runs = || scene.facts.runs.iter().filter(around);
    let own: Vec<&Run> = runs().filter(|run| run.target == scene.server).collect();
    let unheard = wrong_address_class(scene) == Some(Class::Of(Cause::HostDown));
    unanswered(if unheard { &row::ARP_UNANSWERED_UNHEARD } else { &row::ARP_UNANSWERED }, &own, ledger);
    if let Some((other, answer)) = scene.other_address().filter(|_| !own.is_empty()) {
        ledger.see(
            &row::HOST_HOLDS_ANOTHER,
            format!(
                "{other} answered meanwhile with the link address that {} had: the host is there, and does not hold {} any more.",
                scene.server, scene.server
            ),
            vec![answer],
        );
    }
    let hops: Vec<&Run> = runs()
        .filter(|run| run.wanted == Wanted::NextHop && run.target != scene.server)
        .filter(|run| scene.clients.contains(&run.asker))
        .collect();
    unanswered(&row::NEXT_HOP_UNANSWERED, &hops, ledger);
}

/// Two devices speak for an address of the failing exchange.
fn owners(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (_, to) = scene.period_ns;
    let ours = |address: Address| address == scene.server || scene.clients.contains(&address);
    for conflict in &scene.facts.conflicts {
        if conflict.since_ns <= to + NEIGHBOUR_AROUND_NS && ours(conflict.address) {
            ledger.see(
                if conflict.parting.is_some() { &row::OWNERS_PARTED } else { &row::TWO_OWNERS },
                format!("{}.", crate::findings::duplicate_address::words(conflict)),
                conflict.frames(),
            );
            return;
        }
    }
}

/// One row about runs of requests; nothing where there are none.
pub(super) fn unanswered(seen: &'static Row, runs: &[&Run], ledger: &mut Ledger) {
    let Some(first) = runs.first() else { return };
    let requests: Vec<PacketId> = runs.iter().flat_map(|run| run.requests.iter().copied()).collect();
    let since = if runs.iter().any(|run| run.last_sign.is_some()) { " any more" } else { "" };
    let role = first.wanted.role();
    ledger.see(
        seen,
        format!(
            "{} for the link address of {}{role} got no reply{since}.",
            crate::findings::rules::counted(requests.len(), "request", "requests"),
            first.target
        ),
        requests,
    );
}
