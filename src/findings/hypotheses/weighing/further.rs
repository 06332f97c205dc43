//! Rows that compare the scene with what else was captured: other servers, other quotes, other transports, DHCP.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::errors::frames;
use crate::correlate::Signature;
use crate::correlate::hosts::hops;
use crate::decode::Address;
use crate::findings::FRAMES_MAX;
use crate::findings::facts::delegations::How;
use crate::findings::facts::hosts::Sign;
use crate::findings::facts::{Ending, ErrorFact, Host, Lame, Meaning, Server, Sort};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::surroundings as row;
use crate::findings::hypotheses::scene::{Incident, Scene};
use crate::findings::hypotheses::thresholds::{
    HOPS_SLACK, NOISE_NS, PERSISTENT_NS, QUOTE_BYTES_MIN, SERIES_MIN, SILENT_NS, TCP_AFTER_NS, TRIP_FACTOR,
};
use crate::findings::rival_routers::rivals;
use crate::findings::rules::counted;
use crate::index::PacketId;
use crate::protocols::dhcp;
use crate::time::span;

pub(super) fn weigh(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    several_servers(scene, ledger);
    short_quote(scene, ledger);
    persistent(scene, ledger);
    if scene.is_lookup() || matches!(scene.incident, Some(Incident::Fragments)) {
        tcp_silent(scene, ledger);
    }
    if scene.is_lookup() {
        intercepted(scene, ledger);
        lame(scene, ledger);
        handed_out(scene, ledger);
    }
}

/// Port refusals in the names of several servers that come from the same distance: one device may answer for all.
fn several_servers(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let own = scene.errors_of(Meaning::PortUnreachable);
    let Some(first) = own.iter().find(|error| error.source == scene.server) else { return };
    let Some(distance) = hops(first.ttl).filter(|hops| *hops > 0) else { return };
    let others: Vec<&ErrorFact> = scene
        .facts
        .errors
        .iter()
        .filter(|error| error.meaning == Meaning::PortUnreachable && error.source != scene.server)
        .filter(|error| hops(error.ttl) == Some(distance))
        .filter(|error| {
            error.quoted.is_some_and(|quoted| {
                quoted.destination == (error.source, scene.service.0) && !error.is_about_response()
            })
        })
        .collect();
    let servers: BTreeSet<Address> = others.iter().map(|error| error.source).collect();
    // Servers of one network stand at one distance anyway; it takes servers that should not.
    let apart = servers.iter().any(|other| network(*other) != network(scene.server));
    let elsewhere = servers.iter().chain([&scene.server]).any(|server| {
        let signs = scene.facts.hosts.get(server).into_iter().flat_map(Host::alive);
        signs.filter_map(|sign| hops(sign.ttl)).any(|hops| hops.abs_diff(distance) > HOPS_SLACK)
    });
    if servers.is_empty() || !(apart || elsewhere) {
        return;
    }
    let mut cited = frames(&others);
    cited.truncate(SERIES_MIN);
    cited.push(first.packet);
    ledger.see(
        &row::SEVERAL_SERVERS,
        format!(
            "{} servers refuse port {} from the same distance ({distance} hops).",
            servers.len() + 1,
            scene.service.0
        ),
        cited,
    );
}

/// The first half of an address's network part: what one site's servers share (IPv4 /16, IPv6 /32).
fn network(address: Address) -> Option<u32> {
    Some(match address.ip()? {
        IpAddr::V4(ip) => u32::from(ip) >> 16,
        IpAddr::V6(ip) => (u128::from(ip) >> 96) as u32,
    })
}

/// Errors that quote eight bytes only although the same sender quotes more elsewhere.
fn short_quote(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let quotes = |error: &ErrorFact, wanted: fn(usize) -> bool| {
        error.quoted.is_some_and(|quoted| quoted.transport == 17 && wanted(quoted.payload_bytes))
    };
    let short: Vec<&ErrorFact> =
        scene.errors.iter().filter(|error| quotes(error, |bytes| bytes == 0)).copied().collect();
    let mut full: BTreeMap<Address, &ErrorFact> = BTreeMap::new();
    for error in scene.facts.errors.iter().filter(|error| quotes(error, |bytes| bytes >= QUOTE_BYTES_MIN)) {
        full.entry(error.source).or_insert(error);
    }
    let fuller = short.iter().find_map(|short| full.get(&short.source).copied());
    let Some(fuller) = fuller else { return };
    let mut cited = frames(&short);
    cited.push(fuller.packet);
    ledger.see(
        &row::SHORT_QUOTE,
        format!(
            "{} 8 bytes of the query only; {} quotes more elsewhere.",
            counted(short.len(), "error quotes", "errors quote"),
            fuller.source
        ),
        cited,
    );
}

/// Errors that kept coming at once after each query, for minutes.
fn persistent(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let prompt: Vec<&ErrorFact> =
        scene.errors.iter().filter(|error| error.about.is_some() && !error.delayed).copied().collect();
    let (Some(first), Some(last)) = (prompt.first(), prompt.last()) else { return };
    let lasted = scene.facts.evidence.between_ns(first.packet, last.packet).unwrap_or(0);
    if prompt.len() < SERIES_MIN || lasted < PERSISTENT_NS {
        return;
    }
    ledger.see(
        &row::PERSISTENT,
        format!("{} errors followed their queries without delay over {}.", prompt.len(), span(lasted)),
        frames(&prompt),
    );
}

/// TCP to the same port got no answer at all.
fn tcp_silent(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if scene.facts.evidence.one_sided {
        return;
    }
    let (from, to) = scene.period_ns;
    let (_, end_ns) = scene.facts.span();
    let silent: Vec<PacketId> = scene
        .facts
        .connections
        .iter()
        .filter(|connection| connection.server == (scene.server, scene.service.0))
        .filter(|connection| (from..=to + TCP_AFTER_NS).contains(&connection.time_ns))
        .filter(|connection| connection.is_unanswered(end_ns, SILENT_NS))
        .map(|connection| connection.syn)
        .collect();
    if silent.is_empty() {
        return;
    }
    let beside_refusal = !scene.errors_of(Meaning::PortUnreachable).is_empty();
    let beside_answers =
        scene.signature == Some(&Signature::Truncated) || matches!(scene.incident, Some(Incident::Fragments));
    ledger.see(
        match () {
            () if beside_refusal => &row::TCP_SILENT_BESIDE_REFUSAL,
            () if beside_answers => &row::TCP_SILENT_BESIDE_ANSWERS,
            () => &row::TCP_SILENT,
        },
        format!(
            "TCP port {} of {} gave no answer to {}.",
            scene.service.0,
            scene.server,
            counted(silent.len(), "attempt", "attempts")
        ),
        silent.clone(),
    );
    if matches!(scene.incident, Some(Incident::Fragments)) {
        let text = format!("UDP answers while TCP to the same port fails ({}).", scene.server);
        ledger.see(&row::TRANSPORT_SPLIT, text, silent);
    }
}

/// DNS answers in the server's name from another distance, or sooner, than its other packets.
fn intercepted(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let Some(host) = scene.host() else { return };
    let index = scene.facts.index;
    let source = |packet: PacketId| index.packet(packet).map(|packet| packet.segment.source);
    let known = |sign: &&Sign| hops(sign.ttl).is_some();
    let answer = host.of(Sort::Dns).iter().find(known);
    let sorts = [Sort::Echo, Sort::Tcp, Sort::Reset];
    // Another place of capture is another distance.
    let here = |sign: &&Sign| answer.is_some_and(|answer| source(answer.packet) == source(sign.packet));
    let other = sorts.iter().find_map(|sort| {
        host.of(*sort).iter().find(|s| known(s) && here(s) && !scene.facts.is_dns_port(s.port))
    });
    let distance = answer.zip(other).and_then(|(answer, other)| {
        let (near, far) = (hops(answer.ttl)?, hops(other.ttl)?);
        (near.abs_diff(far) > HOPS_SLACK).then(|| {
            let text = format!(
                "DNS answers of {} come from {near} hops away, its other packets from {far}.",
                scene.server
            );
            (text, vec![answer.packet, other.packet])
        })
    });
    let sooner = || {
        let trip = scene.asked().and_then(Server::median_trip_ns)?;
        let mine = |c: &&crate::findings::facts::Connection| {
            c.server.0 == scene.server
                && c.tries == 1
                && c.ending != Ending::Silent
                && !scene.facts.is_dns_port(c.server.1)
        };
        let connection = scene.facts.connections.iter().find(mine)?;
        let handshake = scene.facts.time(connection.decided?) - connection.time_ns;
        (trip.saturating_mul(TRIP_FACTOR) < handshake && handshake - trip > NOISE_NS).then(|| {
            let text = format!(
                "DNS answers of {} take {}, its TCP handshake {}.",
                scene.server,
                span(trip),
                span(handshake)
            );
            (text, vec![connection.syn])
        })
    };
    let Some((text, frames)) = distance.or_else(sooner) else { return };
    ledger.see(&row::INTERCEPTED, text, frames);
}

/// Answers of a server that does not serve the zone it was asked for, as resolvers ask a zone's own servers.
fn lame(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    let mine =
        |lame: &&Lame<'_>| lame.server == scene.server && scene.queries.contains(&lame.transaction.first);
    let lame: Vec<&Lame<'_>> = scene.facts.lame.iter().filter(mine).take(FRAMES_MAX).collect();
    let Some(first) = lame.first() else { return };
    let referral = lame.iter().find_map(|lame| lame.referral);
    let named = if referral.is_some() { ", which a referral names for the zone," } else { "" };
    let delegated = referral.is_some() || first.how == How::Upward;
    let seen = match (matches!(first.how, How::Code(_)), delegated) {
        (false, true) => &row::LAME_DELEGATED,
        (false, false) => &row::LAME,
        (true, true) => &row::LAME_CODE_DELEGATED,
        (true, false) => &row::LAME_CODE,
    };
    ledger.see(
        seen,
        format!(
            "{}{named} {} when asked without recursion desired, as resolvers ask a zone's own servers.",
            scene.server,
            first.how.words()
        ),
        referral.into_iter().chain(lame.iter().map(|lame| lame.answer)).collect(),
    );
}

/// Whether DHCP handed out the address as a name server, where it never answered.
fn handed_out(scene: &Scene<'_, '_>, ledger: &mut Ledger) {
    if scene.asked().is_some_and(|asked| !asked.answers.is_empty()) {
        return;
    }
    let rivals = rivals(scene.facts);
    if let Some(router) =
        rivals.iter().find(|router| rivals.len() > 1 && router.servers.contains(&scene.server))
    {
        ledger.see(
            &row::ANNOUNCED_BY_RIVAL,
            format!(
                "{} announced {} as DNS server, which never answered here; {} announces others.",
                router.address,
                scene.server,
                crate::findings::rules::counted(rivals.len() - 1, "router", "routers")
            ),
            router.packets.clone(),
        );
        return;
    }
    let index = scene.facts.index;
    let mut given: BTreeSet<Address> = BTreeSet::new();
    let mut offers = Vec::new();
    for id in &scene.facts.leases {
        let Some(packet) = index.packet(*id) else { continue };
        let servers = dhcp::name_servers(packet.decode().payload());
        if !servers.is_empty() && offers.len() < SERIES_MIN {
            offers.push(*id);
        }
        given.extend(servers.into_iter().take(64));
    }
    // Where nobody answers for the address, that it was given out tells nothing unless others were given another.
    let absent = matches!(scene.incident, Some(Incident::Vanished));
    if given.is_empty() || absent && scene.facts.given.instead_of(scene.server).is_empty() {
        return;
    }
    let (seen, text) = if given.contains(&scene.server) {
        let text = format!("DHCP gave {} as a name server; it never answered in this record.", scene.server);
        (&row::HANDED_OUT, text)
    } else {
        (&row::OTHERS_HANDED_OUT, format!("DHCP gave other name servers than {}.", scene.server))
    };
    ledger.see(seen, text, offers);
}
