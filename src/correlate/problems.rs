//! Groups episodes into problems: what a report is about.

use std::collections::HashMap;

use rayon::prelude::*;

use super::messages::Messages;
use super::numbers::Numbers;
use super::{Episode, EpisodeId, Evidence, Parameters, Problem, Signature, losses};
use crate::decode::{Address, dns};
use crate::index::PacketId;
use crate::settings::Settings;
use crate::time::Nanos;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Episodes that share server and signature and overlap or follow closely, without isolated losses; gravest first. `asking`
/// tells of each episode by a hash who asked whom for which name, whatever the signature.
pub(super) fn find(
    messages: &Messages<'_>,
    evidence: &Evidence,
    (episodes, asking): (&[Episode], &[u64]),
    hosts: &Numbers<'_>,
) -> Vec<Problem> {
    let parameters = &evidence.parameters;
    let of = |id: &EpisodeId| episodes.get(id.0 as usize);
    let group = || {
        let mut problems = grouped(episodes, parameters.episode_gap_ns);
        problems.par_iter_mut().for_each(|problem| describe(problem, of));
        problems
    };
    // How often each who, whom and what failed in all.
    let count = || {
        let mut failing: Map<u64, usize> = Map::default();
        for (asks, episode) in asking.iter().zip(episodes) {
            *failing.entry(*asks).or_default() += episode.transactions.len();
        }
        failing
    };
    let (mut problems, failing) = rayon::join(group, count);
    let attempts = |problem: &Problem| -> usize {
        problem.episodes.iter().filter_map(of).map(|episode| episode.transactions.len()).sum()
    };
    let recovered = |problem: &Problem| {
        problem.episodes.iter().filter_map(|id| Some((id, of(id)?))).all(|(id, episode)| {
            let failed = asking.get(id.0 as usize).and_then(|asks| failing.get(asks)).copied().unwrap_or(0);
            let again = failed > parameters.background_attempts as usize;
            episode.recovery.is_some_and(|answer| !again || asks(messages, answer, &episode.name))
        })
    };
    let told = |problem: &Problem| {
        let all = problem.episodes.iter().filter_map(of).flat_map(|episode| &episode.transactions);
        let mut all = all.filter_map(|id| evidence.transaction(*id));
        all.any(|transaction| transaction.extended_error.is_some_and(names_a_reason))
            || problem.signature == Signature::Truncated && never_over_tcp(evidence, problem)
    };
    // Only of recovered problems it matters how rare they are, and whom they left without an answer.
    let decides = |problem: &Problem| {
        matches!(
            problem.signature,
            Signature::NoAnswer | Signature::Late | Signature::Truncated | Signature::ResponseCode(_)
        ) && recovered(problem)
    };
    let candidates: Vec<usize> =
        problems.iter().enumerate().filter(|(_, problem)| decides(problem)).map(|(at, _)| at).collect();
    let lost = losses::of(messages, evidence, (&problems, &candidates, episodes), hosts);
    // A few lost lookups beside refusals of the same server are the same outage (truth T19).
    let mut grave: Map<(Address, u16), Vec<(Nanos, Nanos)>> = Map::default();
    for problem in problems.iter().filter(|problem| !decides(problem)) {
        grave.entry(problem.server).or_default().push((problem.first_ns, problem.last_ns));
    }
    let beside = |problem: &Problem| {
        let spans = grave.get(&problem.server).map(Vec::as_slice).unwrap_or_default();
        problem.signature == Signature::NoAnswer
            && spans
                .iter()
                .any(|(from, to)| from - BESIDE_NS <= problem.last_ns && problem.first_ns <= to + BESIDE_NS)
    };
    let keeps = problems.par_iter().zip(&lost.problems).map(|(problem, around)| {
        let background = is_background(problem, attempts(problem), around.asked, parameters);
        !background || around.lets_down || !recovered(problem) || told(problem) || beside(problem)
    });
    let mut keeps = keeps.collect::<Vec<_>>().into_iter();
    problems.retain(|_| keeps.next().unwrap_or(true));
    let servers = by_server(&problems);
    let after = problems.iter().map(|problem| {
        (is_behind(problem, &problems, &servers, &of), is_symptom(problem, &problems, &attempts))
    });
    let mut after = after.collect::<Vec<_>>().into_iter();
    let mut keyed: Vec<((bool, bool), Problem)> =
        problems.into_iter().map(|problem| (after.next().unwrap_or_default(), problem)).collect();
    keyed.sort_by_cached_key(|((behind, symptom), problem)| {
        let attempts = attempts(problem);
        let isolated = attempts <= ISOLATED_MAX && problem.clients.len() == 1;
        let gravity = attempts * weight(&problem.signature);
        (
            is_aside(problem, &messages.index.settings),
            *behind,
            *symptom,
            isolated,
            std::cmp::Reverse(gravity),
            problem.first_ns,
        )
    });
    keyed.into_iter().map(|(_, problem)| problem).collect()
}

/// Silence this close to refusals of the same server is part of the same outage.
const BESIDE_NS: Nanos = 5_000_000_000;
/// Failures of a resolver this long before or after those of its clients belong to them (RFC 9520 §3.2 lets it remember them).
const BEHIND_NS: Nanos = 5_000_000_000;
/// Clients of a problem that are looked up among the failing servers.
const BEHIND_CLIENTS_MAX: usize = 16;

/// The positions of problems by the address asked.
fn by_server(problems: &[Problem]) -> Map<Address, Vec<usize>> {
    let mut servers: Map<Address, Vec<usize>> = Map::default();
    for (at, problem) in problems.iter().enumerate() {
        servers.entry(problem.server.0).or_default().push(at);
    }
    servers
}

/// Whether the clients of a problem are servers that failed their own clients for the same names meanwhile: what people report is
/// the failure in front, and this one explains it.
fn is_behind<'e>(
    problem: &Problem,
    problems: &[Problem],
    servers: &Map<Address, Vec<usize>>,
    of: &impl Fn(&EpisodeId) -> Option<&'e Episode>,
) -> bool {
    let in_front = |client: &Address| {
        let asked = servers.get(client).into_iter().flatten().filter_map(|at| problems.get(*at));
        asked.filter(|front| !front.clients.contains(&problem.server.0)).any(|front| {
            let meanwhile = front.first_ns <= problem.last_ns + BEHIND_NS
                && problem.first_ns <= front.last_ns + BEHIND_NS;
            meanwhile && problem.names.iter().any(|name| front.names.binary_search(name).is_ok())
        })
    };
    !problem.clients.is_empty()
        && problem.clients.len() <= BEHIND_CLIENTS_MAX
        && (problem.clients.iter().all(in_front) || asks_on(problem, problems, of))
}

/// Whether one client alone meets a failure while it and others fail at a server they share: what all meet is told before it.
fn is_symptom(problem: &Problem, problems: &[Problem], attempts: &impl Fn(&Problem) -> usize) -> bool {
    let [only] = problem.clients.as_slice() else { return false };
    problems.iter().take(FRONTS_MAX).any(|shared| {
        let meanwhile = shared.first_ns <= problem.last_ns && problem.first_ns <= shared.last_ns;
        meanwhile
            && shared.server.0 != problem.server.0
            && shared.clients.len() >= SHARING_MIN
            && shared.clients.contains(only)
            && !shared.clients.contains(&problem.server.0)
            && attempts(shared) * 2 >= attempts(problem)
    })
}

/// Whether one host asks what several others fail to get from another server meanwhile: that server's own address towards the
/// others' zones, most likely. Where one host alone fails in front, each question behind follows at once on the same one in front.
fn asks_on<'e>(
    problem: &Problem,
    problems: &[Problem],
    of: &impl Fn(&EpisodeId) -> Option<&'e Episode>,
) -> bool {
    let [only] = problem.clients.as_slice() else { return false };
    problems.iter().take(FRONTS_MAX).any(|front| {
        let meanwhile =
            front.first_ns <= problem.last_ns + BEHIND_NS && problem.first_ns <= front.last_ns + BEHIND_NS;
        let names = problem.names.iter().take(SHARED_MAX);
        let (all, shared) = names.fold((0usize, 0usize), |(all, shared), name| {
            (all + 1, shared + usize::from(front.names.binary_search(name).is_ok()))
        });
        meanwhile
            && front.server.0 != problem.server.0
            && !front.clients.contains(only)
            && all >= SHARED_MIN
            && shared * 2 > all
            && (front.clients.len() >= 2 || follows(front, problem, of))
    })
}

/// Whether the failures of one problem begin right after those of the other for the same name.
fn follows<'e>(front: &Problem, problem: &Problem, of: &impl Fn(&EpisodeId) -> Option<&'e Episode>) -> bool {
    let episodes = |problem: &Problem| -> Vec<&'e Episode> {
        problem.episodes.iter().take(FRONTS_MAX).filter_map(of).collect()
    };
    let (ahead, after) = (episodes(front), episodes(problem));
    let mut shared = after.iter().filter(|own| front.names.binary_search(&own.name).is_ok()).peekable();
    shared.peek().is_some()
        && shared.all(|own| {
            ahead.iter().any(|other| {
                other.name == own.name && (0..=FOLLOWS_NS).contains(&(own.first_ns - other.first_ns))
            })
        })
}

/// A forwarder asks on within this time.
const FOLLOWS_NS: Nanos = 500_000_000;
/// Clients of one failing server from which it is what they share that fails.
const SHARING_MIN: usize = 3;

/// Problems that are looked at as the front of another.
const FRONTS_MAX: usize = 256;
/// Names compared.
const SHARED_MAX: usize = 64;
/// Names from which sharing most is no chance.
const SHARED_MIN: usize = 4;

/// Fills in whose lookups of which names failed.
fn describe<'e>(problem: &mut Problem, of: impl Fn(&EpisodeId) -> Option<&'e Episode>) {
    problem.clients = problem.episodes.iter().filter_map(&of).map(|episode| episode.client).collect();
    problem.clients.sort_unstable();
    problem.clients.dedup();
    let names = problem.episodes.iter().filter_map(&of).map(|episode| episode.name.as_str());
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    problem.has_cut_names = names.iter().any(|name| name.is_empty());
    names.retain(|name| !name.is_empty());
    problem.names = names.into_iter().map(str::to_owned).collect();
}

/// Whether an answer is about a name.
fn asks(messages: &Messages<'_>, answer: PacketId, name: &str) -> bool {
    let Some(packet) = messages.index.packet(answer) else { return false };
    let wire = packet.dns().and_then(|row| packet.segment.names.get(row.name));
    wire.is_some_and(|wire| dns::presentation(wire) == name)
}

/// Extended DNS errors by which a server says that it filters, or that zone or upstream fails (RFC 8914 §4): no chance loss.
fn names_a_reason(extended_error: u16) -> bool {
    matches!(extended_error, 1 | 2 | 5..=12 | 15..=18 | 22..=25 | 27)
}

/// Whether the clients of a problem tried TCP after the truncated answers and never got through.
fn never_over_tcp(evidence: &Evidence, problem: &Problem) -> bool {
    let mut tried = evidence.connections.iter().filter(|connection| {
        connection.server.0 == problem.server.0 && problem.clients.binary_search(&connection.client.0).is_ok()
    });
    let mut any = false;
    let got_through = tried.any(|connection| {
        any = true;
        connection.is_accepted()
    });
    any && !got_through
}

fn grouped(episodes: &[Episode], gap_ns: Nanos) -> Vec<Problem> {
    let mut open: Map<(Address, u16, u8, Signature), usize> = Map::default();
    let mut problems: Vec<Problem> = Vec::new();
    for (at, episode) in episodes.iter().enumerate() {
        let key = (episode.server.0, episode.server.1, episode.transport, episode.signature.clone());
        let known = open.get(&key).copied();
        let known =
            known.filter(|at| problems.get(*at).is_some_and(|p| episode.first_ns - p.last_ns <= gap_ns));
        let position = known.unwrap_or_else(|| {
            problems.push(Problem {
                server: episode.server,
                transport: episode.transport,
                signature: episode.signature.clone(),
                episodes: Vec::new(),
                clients: Vec::new(),
                names: Vec::new(),
                has_cut_names: false,
                first_ns: episode.first_ns,
                last_ns: episode.last_ns,
            });
            open.insert(key, problems.len() - 1);
            problems.len() - 1
        });
        let Some(problem) = problems.get_mut(position) else { continue };
        problem.episodes.push(EpisodeId(at as u32));
        problem.last_ns = problem.last_ns.max(episode.last_ns);
    }
    problems
}

/// Failures of this many attempts of one client come after those that repeat.
const ISOLATED_MAX: usize = 2;
/// DNS over TLS (RFC 7858 §3.1).
const DNS_OVER_TLS: u16 = 853;

/// Failures that rarely are what somebody reports: of another port than DNS's, or of no name.
fn is_aside(problem: &Problem, settings: &Settings) -> bool {
    let nameless = problem.names.iter().all(|name| name == ".");
    nameless || !settings.is_dns_port(problem.server.1) && problem.server.1 != DNS_OVER_TLS
}

/// How much a failed attempt counts: without any answer most, an answer that cannot be used least.
fn weight(signature: &Signature) -> usize {
    match signature {
        Signature::Icmp { .. }
        | Signature::NoAnswer
        | Signature::NotReceived
        | Signature::TcpReset
        | Signature::ResetMidway
        | Signature::Closed
        | Signature::Mute => 8,
        Signature::ResponseCode(0 | 3) => 1,
        Signature::ResponseCode(_) => 4,
        Signature::Truncated | Signature::Late => 1,
    }
}

/// Whether recovered failures are what a healthy network shows too: a few, or a small share while they lasted.
/// Refusals never are.
fn is_background(problem: &Problem, attempts: usize, asked: usize, parameters: &Parameters) -> bool {
    let few = attempts <= parameters.background_attempts as usize;
    let rare = attempts * 100 < asked * parameters.background_percent as usize;
    match problem.signature {
        Signature::Icmp { .. }
        | Signature::TcpReset
        | Signature::ResetMidway
        | Signature::Closed
        | Signature::Mute => false,
        Signature::ResponseCode(_) => few,
        Signature::NoAnswer | Signature::NotReceived | Signature::Late | Signature::Truncated => few || rare,
    }
}
