//! Sessions that a server ends because it takes on another of the same identity: two clients with one name end each other's sessions
//! again and again (MQTT 3.1.1 §3.1.4; protocols with one session for each account do the same).

use std::collections::BTreeMap;

use super::reply::account;
use super::{Attempt, Kind, Outcome, Service, printed};
use crate::connections::{Connection, Seen};
use crate::decode::Address;
use crate::index::{Index, PacketId};
use crate::time::Nanos;

/// A server that ends the session of the one this soon after the other's first data ends it for that.
const LOGIN_NS: Nanos = 200_000_000;
/// Ends with the same name that are no mere move of one client to another address.
const NAMED_MIN: usize = 2;
/// Ends where no name can be read; each client must be met by turns.
const UNNAMED_MIN: usize = 4;
/// The share of the sessions of both that a server ends, in percent, that must end so where no name can be read.
const UNNAMED_PERCENT: usize = 80;
/// Sessions of one service that are compared.
const SESSIONS_MAX: usize = 65_536;
/// Sessions begun within that time that are looked at for one end, the newest first.
const NEAR_MAX: usize = 64;

/// A session of one client at a service.
struct Session {
    /// Position of its attempt.
    at: usize,
    client: Address,
    begun: Seen,
    asked_ns: Nanos,
    asks: PacketId,
    /// Where the server ended it first.
    ended: Option<Seen>,
}

/// One end, and who came.
struct Taken {
    at: usize,
    by: usize,
    ended: Seen,
    name: Option<String>,
}

/// The name that a client's first message gives its session, not escaped.
pub fn session_name(index: &Index, kind: Kind, asks: PacketId) -> Option<String> {
    let packet = index.packet(asks).filter(|_| kind == Kind::Mqtt)?;
    account::session(printed::payload(&packet))
}

/// Judges the sessions that were served and then ended so.
pub(super) fn judge(index: &Index, connections: &[Connection], all: &mut [Attempt]) {
    let mut by_service: BTreeMap<(Service, Kind), Vec<Session>> = BTreeMap::new();
    for (at, own) in all.iter().enumerate() {
        let is_session = own.service.transport == 6 && own.kind != Kind::Http && own.outcome.is_served();
        let Some(place) = own.thread.as_connection().filter(|_| is_session) else { continue };
        let Some(connection) = connections.get(place as usize) else { continue };
        let asked_ns = index.packet(own.asks).map_or(own.first.time_ns, |packet| packet.time_ns());
        let sessions = by_service.entry((own.service, own.kind)).or_default();
        if sessions.len() < SESSIONS_MAX {
            sessions.push(Session {
                at,
                client: own.client.0,
                begun: connection.first,
                asked_ns,
                asks: own.asks,
                ended: ended(connection),
            });
        }
    }
    let mut taken: Vec<(usize, Seen)> = Vec::new();
    for ((_, kind), mut sessions) in by_service {
        sessions.sort_by_key(|own| own.asked_ns);
        of_service(index, kind, &sessions, &mut taken);
    }
    for (at, seen) in taken {
        if let Some(own) = all.get_mut(at) {
            (own.outcome, own.decided, own.failing) = (Outcome::Displaced, Some(seen), seen);
        }
    }
}

/// When a server ended a connection before its client did.
fn ended(own: &Connection) -> Option<Seen> {
    let of = |finished: Option<Seen>, reset: Option<Seen>| {
        [finished, reset].into_iter().flatten().min_by_key(|seen| seen.time_ns)
    };
    let server = of(own.from_server.finished, own.from_server.reset)?;
    let client = of(own.from_client.finished, own.from_client.reset);
    client
        .is_none_or(|client| (client.time_ns, client.packet) > (server.time_ns, server.packet))
        .then_some(server)
}

fn of_service(index: &Index, kind: Kind, sessions: &[Session], out: &mut Vec<(usize, Seen)>) {
    if !sessions.windows(2).any(|pair| matches!(pair, [one, two] if one.client != two.client)) {
        return;
    }
    let name = |own: &Session| session_name(index, kind, own.asks);
    let mut pairs: BTreeMap<(Address, Address), Vec<Taken>> = BTreeMap::new();
    for own in sessions {
        let Some(seen) = own.ended else { continue };
        let end = sessions.partition_point(|other| other.asked_ns <= seen.time_ns);
        let near = sessions.get(..end).unwrap_or_default().iter().rev().take(NEAR_MAX);
        let mut near = near
            .take_while(|other| other.asked_ns >= seen.time_ns - LOGIN_NS)
            .filter(|other| other.client != own.client && other.begun.time_ns > own.asked_ns);
        let named = name(own);
        let found = near.find_map(|other| match (&named, name(other)) {
            (Some(one), Some(two)) => (*one == two).then_some((other.client, other.at)),
            (None, None) => Some((other.client, other.at)),
            _ => None,
        });
        if let Some((other, by)) = found {
            let key = if own.client < other { (own.client, other) } else { (other, own.client) };
            pairs.entry(key).or_default().push(Taken { at: own.at, by, ended: seen, name: named });
        }
    }
    for ((one, two), mut all) in pairs {
        all.sort_by_key(|taken| (taken.ended.time_ns, taken.at));
        let is_named = all.iter().all(|taken| taken.name.is_some());
        let is_told = if is_named { all.len() >= NAMED_MIN } else { is_by_turns(sessions, (one, two), &all) };
        if is_told {
            out.extend(all.iter().map(|taken| (taken.at, taken.ended)));
        }
    }
}

/// Whether two clients end each other's sessions by turns, and hardly any session of theirs is ended otherwise: each is ended by the
/// next one of the other.
fn is_by_turns(sessions: &[Session], (one, two): (Address, Address), all: &[Taken]) -> bool {
    let (Some(first), Some(last)) = (all.first(), all.last()) else { return false };
    let inside = first.ended.time_ns..=last.ended.time_ns;
    let ended = sessions.iter().filter(|own| {
        (own.client == one || own.client == two)
            && own.ended.is_some_and(|seen| inside.contains(&{ seen.time_ns }))
    });
    let chained = all.windows(2).filter(|pair| matches!(pair, [one, two] if one.by == two.at)).count();
    all.len() >= UNNAMED_MIN
        && all.len() * 100 >= ended.count() * UNNAMED_PERCENT
        && chained * 100 >= (all.len() - 1) * UNNAMED_PERCENT
}
