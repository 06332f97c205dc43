//! Rows from what else the capture shows: the server's other packets, other resolvers, TCP, fragments, neighbours.

use super::errors::put;
use super::silence::answered_in_period;
use crate::correlate::duplicates::CopyKind;
use crate::correlate::hosts::{Place, is_loopback};
use crate::correlate::{Problem, Signature};
use crate::decode::Address;
use crate::findings::facts::{Connection, Ending, Meaning, Sort};
use crate::findings::hypotheses::Group;
use crate::findings::hypotheses::ledger::{EXCLUDED, Ledger, Observation, Row, Weight};
use crate::findings::hypotheses::scene::{Incident, Scene};
use crate::index::PacketId;
use crate::time::Nanos;

/// TCP tried this long after the last failure still belongs to it.
const TCP_AFTER_NS: Nanos = 30_000_000_000;
/// A life sign this close to a failure says something about the host during it.
const AROUND_NS: Nanos = 60_000_000_000;
/// Copies of one query looked at.
const COPIES_MAX: usize = 256;
/// Copies further on that make a loop: a packet passes one router, seldom two or three, beside the capture point.
const LOOPED_MIN: usize = 4;
/// Lookups and servers behind a server that are named.
const UPSTREAM_CITED: usize = 3;
/// ARP requests for one address before it counts as unanswered.
const REQUESTS_MIN: usize = 3;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if scene.is_lookup() {
        upstream(scene, ledger);
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

/// The server asked others for the same names, and that failed too.
fn upstream(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (from, to) = scene.period_ns;
    let behind: Vec<&Problem> = scene
        .facts
        .problems()
        .map(|(_, other)| other)
        .filter(|other| {
            other.clients.iter().any(|client| is_same_host(scene, *client))
                && other.server.0 != scene.server
                && other.first_ns <= to + AROUND_NS
                // A resolver remembers a failure for a while (RFC 9520 §3.2).
                && other.last_ns >= from - AROUND_NS
                && other.names.iter().any(|name| scene.names.contains(name))
        })
        .collect();
    let mut servers: Vec<_> = behind.iter().map(|other| other.server.0).collect();
    servers.sort_unstable();
    servers.dedup();
    if servers.is_empty() {
        return;
    }
    let frames = behind
        .into_iter()
        .flat_map(|other| scene.facts.transactions(other).take(UPSTREAM_CITED))
        .flat_map(|t| [Some(t.first), t.error, t.answer])
        .flatten()
        .collect();
    let shown: Vec<String> = servers.iter().take(UPSTREAM_CITED).map(ToString::to_string).collect();
    let observation = Observation::new(
        Row::UpstreamFails,
        Group::OtherTraffic,
        format!(
            "{} itself asked {} for the same {}, without success.",
            scene.server,
            shown.join(", "),
            if scene.names.len() == 1 { "name" } else { "names" }
        ),
        frames,
    )
    .fits("the server received the query and could not find an answer behind it")
    .against("the server received the query and worked on it");
    put(
        ledger,
        &observation,
        &[
            ("H13", 20),
            ("H8", -10),
            ("H1", -20),
            ("H2", -10),
            ("H4", -20),
            ("H6", -20),
            ("H7", -20),
            ("H22", -5),
        ],
    );
}

/// Whether an address is the server's: its own, or any of the capturing host where the server is asked over loopback, as
/// stub resolvers are.
fn is_same_host(scene: &Scene<'_, '_>, address: Address) -> bool {
    let here = |address| scene.facts.evidence.place(address) == Place::Here;
    address == scene.server || is_loopback(scene.server) && !is_loopback(address) && here(address)
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
    let observation = Observation::new(
        Row::FailedElsewhen,
        Group::OtherTraffic,
        format!("{} answered SERVFAIL for the same name at another time.", scene.server),
        cited.flat_map(|t| [Some(t.first), t.answer]).flatten().collect(),
    )
    .fits("it receives the queries and works on them longer than the client waits")
    .against("the server received a query for this name and worked on it");
    put(
        ledger,
        &observation,
        &[("H13", 10), ("H8", -10), ("H1", -20), ("H2", -5), ("H4", -20), ("H6", -20), ("H7", -20)],
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
        let observation = Observation::new(
            Row::Translated,
            Group::OtherTraffic,
            format!("The query to {} was captured again on its way to {to}.", scene.server),
            vec![query, copy],
        )
        .fits("a device translates the address asked to that of another host, whose refusal returns in the asked name");
        put(ledger, &observation, &[("H3", 10)]);
    }
    let looped = scene.queries.iter().find_map(|query| {
        let mut all = copies(query);
        all.retain(|(_, kind)| *kind == CopyKind::Routed);
        (all.len() >= LOOPED_MIN).then_some((*query, all))
    });
    if let Some((query, again)) = looped {
        let observation = Observation::new(
            Row::Looped,
            Group::OtherTraffic,
            format!("The query passed this point {} times with ever fewer hops left.", again.len() + 1),
            std::iter::once(query).chain(again.into_iter().map(|(copy, _)| copy)).collect(),
        )
        .fits("routers send the packet to each other until its hops are used up");
        put(ledger, &observation, &[("H7", 20), ("H5", -10), ("H6", -10), ("H8", -10)]);
    }
}

/// Whether nothing but errors about it was ever heard of the server's address.
pub(super) fn nobody_there(scene: &Scene<'_, '_>) -> bool {
    let heard = scene.host().is_some_and(|host| host.alive().next().is_some());
    let by_server = scene.errors.iter().any(|error| error.source == scene.server);
    let neighbour = scene.facts.neighbours.get(&scene.server).is_some_and(|n| !n.replies.is_empty());
    scene.is_lookup() && !heard && !by_server && !neighbour
}

/// The class a wrong address belongs to when nobody was ever heard there: it looks like whatever dead addresses look like.
pub(super) fn absent_class(scene: &Scene<'_, '_>) -> Option<&'static str> {
    if !nobody_there(scene) {
        return None;
    }
    if !scene.errors_of(Meaning::HostUnreachable).is_empty() {
        Some("H6")
    } else if !scene.errors_of(Meaning::NetUnreachable).is_empty() {
        Some("H7")
    } else if scene.errors.is_empty() && !scene.silent().is_empty() {
        Some("H8")
    } else {
        None
    }
}

/// One gap between failures in this many must hold an answer for the two to count as simultaneous.
const INTERLEAVED_ONE_IN: usize = 10;

/// Whether the server answered before, meanwhile, after, or never.
fn history(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (from, to) = scene.period_ns;
    let Some(asked) = scene.asked() else { return };
    let refused = !scene.errors_of(Meaning::PortUnreachable).is_empty();
    if let Some(packet) = answered_in_period(scene).filter(|_| is_interleaved(scene)) {
        meanwhile(scene, packet, ledger);
        other_client(scene, ledger);
    }
    let rows = [
        (
            Row::AnsweredBefore,
            asked.answers.iter().find(|answer| answer.time_ns < from),
            "before the first failure",
            10,
        ),
        (
            Row::Recovered,
            asked.answers.iter().find(|answer| answer.time_ns > to),
            "again after the last failure",
            2,
        ),
    ];
    for (row, answer, when, weight) in rows {
        let Some(answer) = answer else { continue };
        let observation = Observation::new(
            row,
            Group::OtherTraffic,
            format!("{} answered DNS {when}.", scene.server),
            vec![answer.packet],
        )
        .fits("something on or in front of the server changed: a service or a rule was stopped or started")
        .against("the address is that of a working DNS server");
        let weight = if refused { weight } else { 0 };
        let mut weights: Vec<(&'static str, Weight)> =
            ["H1", "H2", "H3"].iter().map(|id| (*id, Some(weight))).collect();
        weights.push(("H4", EXCLUDED));
        ledger.weigh(&observation, &weights);
    }
    // Without any answer in the capture, the failure itself is all this would repeat.
    let answers_seen = scene.facts.servers.values().any(|server| !server.answers.is_empty());
    if asked.answers.is_empty() && answers_seen {
        let observation = Observation::new(
            Row::NeverAnswered,
            Group::OtherTraffic,
            format!("No DNS answer from {} to any client was seen.", scene.server),
            scene.queries.iter().copied().take(1).collect(),
        )
        .fits("nothing shows that the address is meant to be a resolver");
        put(ledger, &observation, &[("H4", 2)]);
    }
    other_resolver(scene, ledger);
}

/// Whether answers stand among the failures and not only between long runs of them. A service that stops,
/// works and stops again answers between failures too, but never while it fails.
fn is_interleaved(scene: &Scene<'_, '_>) -> bool {
    let (from, to) = scene.period_ns;
    let Some(asked) = scene.asked() else { return false };
    let time = |packet| scene.facts.index.packet(packet).map_or(0, |packet| packet.time_ns());
    let mut failed: Vec<_> = scene.transactions.iter().map(|transaction| time(transaction.first)).collect();
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
    let observation = Observation::new(
        Row::AnsweredMeanwhile,
        Group::OtherTraffic,
        format!("{} answered DNS while these queries failed.", scene.server),
        vec![packet],
    )
    .fits("the service works for some queries and not for others")
    .against("the service answered during the failure");
    let forged = if scene.errors.is_empty() { 0 } else { 10 };
    let mut weights: Vec<(&'static str, Weight)> = [
        ("H1", -20),
        ("H2", 5),
        ("H3", 0),
        ("H5", 0),
        ("H6", -20),
        ("H7", -20),
        ("H8", 0),
        ("H9", 2),
        ("H13", 2),
        ("H17", forged),
        ("H20", 0),
    ]
    .iter()
    .map(|(id, db)| (*id, Some(*db)))
    .collect();
    weights.push(("H4", EXCLUDED));
    ledger.weigh(&observation, &weights);
}

fn other_client(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let (from, to) = scene.period_ns;
    let served = scene
        .asked()
        .and_then(|asked| asked.answers_in(from, to).find(|answer| !scene.clients.contains(&answer.client)));
    let Some(answer) = served.filter(|_| !scene.errors.is_empty()) else { return };
    let observation = Observation::new(
        Row::OtherClientServed,
        Group::OtherTraffic,
        format!("{} was answered by {} while others were refused.", answer.client, scene.server),
        vec![answer.packet],
    )
    .fits("a rule by source address refuses some clients and serves others");
    put(ledger, &observation, &[("H2", 10)]);
}

fn other_resolver(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let found = scene.clients.iter().filter_map(|client| {
        let servers = scene.facts.served.get(client)?;
        servers.iter().find(|(server, _)| **server != scene.server).map(|(server, packet)| (*server, *packet))
    });
    let found = found.min();
    if let Some((other, packet)) = found {
        let observation = Observation::new(
            Row::OtherResolver,
            Group::OtherTraffic,
            format!("Another resolver, {other}, answered the same client."),
            vec![packet],
        )
        .fits("the client's path to resolvers works; this address is the odd one");
        put(ledger, &observation, &[("H4", 5)]);
    }
}

/// What else the server's address sent during the failure.
fn life(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(host) = scene.host() else { return };
    let (from, to) = scene.period_ns;
    if let Some(sign) = host.alive().find(|sign| (from..=to).contains(&sign.time_ns)) {
        let observation = Observation::new(
            Row::ServerAlive,
            Group::OtherTraffic,
            format!("{} sent other packets during the failure.", scene.server),
            vec![sign.packet],
        )
        .against("the host was present and reachable at the time");
        put(ledger, &observation, &[("H6", -20), ("H7", -20)]);
    } else if let Some(sign) =
        host.alive().find(|sign| (from - AROUND_NS..=to + AROUND_NS).contains(&sign.time_ns))
    {
        let observation = Observation::new(
            Row::ServerAlive,
            Group::OtherTraffic,
            format!("{} sent other packets within a minute of the failure.", scene.server),
            vec![sign.packet],
        )
        .against("the host was present and reachable shortly before or after");
        put(ledger, &observation, &[("H6", -5), ("H7", -5)]);
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
        let observation = Observation::new(
            Row::OtherServices,
            Group::OtherTraffic,
            format!("{} {words}.", scene.server),
            vec![sign.packet],
        )
        .fits(if scene.errors.is_empty() {
            "the host lives while its DNS port is silent"
        } else {
            "the host lives while its DNS port refuses"
        });
        let other_role = if sort == Sort::Tcp && scene.asked().is_none_or(|asked| asked.answers.is_empty()) {
            5
        } else {
            0
        };
        put(ledger, &observation, &[("H1", 2), ("H2", 2), ("H4", other_role)]);
    }
}

/// How TCP port 53 of the same server fared around the failure.
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
    if let Some(works) = tried.iter().find(|connection| connection.served) {
        let observation = Observation::new(
            Row::TcpWorks,
            Group::OtherTraffic,
            format!("TCP port {} of {} answers.", scene.service.0, scene.server),
            vec![works.syn],
        )
        .fits("a rule treats UDP otherwise than TCP")
        .against("the service runs and the host is reachable over TCP");
        // Where UDP answers as well, only too little, no rule parts the two.
        let apart = |db| Some(if truncated { 0 } else { db });
        let weights: Vec<(&'static str, Weight)> = vec![
            ("H1", Some(-5)),
            ("H2", apart(10)),
            ("H3", Some(0)),
            ("H4", EXCLUDED),
            ("H5", apart(5)),
            ("H6", Some(-20)),
            ("H7", Some(-20)),
            ("H8", apart(5)),
            ("H9", Some(-5)),
            ("H13", Some(0)),
            ("H17", Some(0)),
            ("H20", Some(0)),
        ];
        ledger.weigh(&observation, &weights);
        if over_udp && !truncated {
            split(scene, works, "UDP fails while TCP to the same port answers", ledger);
        }
    }
    if let Some(reset) = tried.iter().find(|connection| connection.ending == Ending::Refused) {
        let observation = Observation::new(
            Row::TcpReset,
            Group::OtherTraffic,
            format!("TCP port {} of {} was reset.", scene.service.0, scene.server),
            [Some(reset.syn), reset.decided].into_iter().flatten().collect(),
        )
        .fits("a host without a listener resets TCP as well")
        .against("the host answered, only the port is closed");
        put(
            ledger,
            &observation,
            &[
                ("H1", if truncated { 0 } else { 5 }),
                ("H2", 2),
                ("H3", 0),
                ("H4", if truncated { -20 } else { 5 }),
                ("H5", 0),
                ("H6", -20),
                ("H7", -20),
                ("H8", -5),
                ("H9", 0),
                ("H13", -10),
                ("H17", 0),
                ("H20", 0),
            ],
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
    let observation = Observation::new(
        Row::TcpRejected,
        Group::OtherTraffic,
        format!(
            "{} to TCP port {} of {} met an ICMP error from its address instead of a reset.",
            crate::findings::rules::counted(rejected.len(), "connection attempt", "connection attempts"),
            scene.service.0,
            scene.server
        ),
        rejected.iter().flat_map(|c| [Some(c.syn), c.decided]).flatten().collect(),
    )
    .fits("a reject rule answers TCP with an ICMP error as well")
    .against("a host without a listener answers TCP with a reset (RFC 9293 §3.10.7.1)");
    put(ledger, &observation, &[("H2", 10), ("H3", 5), ("H1", -10), ("H4", -5), ("H8", -5)]);
}

fn split(scene: &Scene<'_, '_>, connection: &Connection, words: &str, ledger: &mut Ledger) {
    let observation = Observation::new(
        Row::TransportSplit,
        Group::OtherTraffic,
        format!("{words} ({}).", scene.server),
        vec![connection.syn],
    )
    .fits("the two transports were both tried and fared differently");
    put(ledger, &observation, &[("H12", 20)]);
}

/// The same name answered by another resolver soon after.
fn failover(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let answers: Vec<PacketId> =
        scene.transactions.iter().filter_map(|transaction| scene.failed_over(transaction)).collect();
    // A name that happens to be asked elsewhere once is no failover of the resolver.
    if answers.is_empty() || answers.len() * 2 < scene.transactions.len() {
        return;
    }
    let observation = Observation::new(
        Row::Failover,
        Group::OtherTraffic,
        format!(
            "{} of {} failed questions were answered by another resolver within 10 s.",
            answers.len(),
            scene.transactions.len()
        ),
        answers,
    )
    .fits("the client switched and got its answer: redundancy is lost, service is not");
    put(ledger, &observation, &[("H18", 20)]);
}

/// ARP or neighbour requests for the server that nobody answered.
fn neighbours(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(neighbour) = scene.facts.neighbours.get(&scene.server) else { return };
    let vanished = matches!(scene.incident, Some(Incident::Vanished));
    if !vanished && (neighbour.requests.len() < REQUESTS_MIN || !neighbour.replies.is_empty()) {
        return;
    }
    let requests: Vec<PacketId> =
        if vanished { scene.queries.clone() } else { neighbour.requests.iter().map(|r| r.1).collect() };
    let observation = Observation::new(
        Row::ArpUnanswered,
        Group::Generator,
        format!("{} requests for the link address of {} were not answered.", requests.len(), scene.server),
        requests,
    )
    .fits("nobody on that network holds the address")
    .against("the host did not answer for its address");
    let wrong_address = if absent_class(scene) == Some("H6") { 20 } else { 0 };
    put(ledger, &observation, &[("H6", 20), ("H4", wrong_address), ("H8", -10), ("H1", -20), ("H2", -20)]);
}
