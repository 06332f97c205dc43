//! Sentences about the failure of a service beside DNS: what failed and for whom, what else was seen, what it means.

use std::collections::{BTreeMap, BTreeSet};

use super::Said;
use super::certificates::{certificates, is_out_of_time};
use crate::attempts::{Denial, Kind, Outcome, Why, reply, takeovers};
use crate::decode::Address;
use crate::findings::facts::troubles::{Property, Sort, Trouble, is_greylisted, is_held};
use crate::findings::facts::{astray, forwarded};
use crate::findings::hypotheses::scene::Scene;
use crate::findings::hypotheses::{Assessment, Cause, Topic};
use crate::findings::{rules, service_words as words};
use crate::index::PacketId;
use crate::text::{escape, thousands};
use crate::time::span;

pub(super) fn parts(
    scene: &Scene<'_, '_>,
    trouble: &Trouble,
    assessment: &Assessment,
) -> Vec<(Topic, Vec<Said>)> {
    let frames = trouble.frames(scene.facts.attempts);
    let mut seen: Vec<Said> = vec![(format!("{}.", words::statement(scene.facts, trouble)), frames.clone())];
    seen.extend(details(scene, trouble));
    let effect = words::effect(trouble).map(|text| (text, frames.clone())).into_iter().collect();
    vec![
        (Topic::Failure, seen),
        (Topic::Effect, effect),
        (Topic::Cause, shows(scene, trouble, assessment, &frames)),
    ]
}

/// What the packets show beside the number.
fn details(scene: &Scene<'_, '_>, trouble: &Trouble) -> Vec<Said> {
    let attempts = scene.facts.attempts;
    let mut out: Vec<Said> = Vec::new();
    out.extend(
        astray::of(scene.facts, trouble)
            .map(|own| (format!("{}.", own.statement(scene.facts)), own.frames())),
    );
    let failed = || trouble.attempts(attempts).map(|own| own.first.packet);
    let passed: Vec<_> = failed()
        .filter_map(|packet| forwarded::of(scene.facts.index, scene.facts.evidence, packet))
        .collect();
    if let Some(first) = passed.first()
        && passed.len() == failed().count()
        && passed.iter().all(|own| (&own.from, &own.to) == (&first.from, &first.to))
    {
        out.push((
            format!(
                "What was sent came in on {} and went out on {} of the device that logged it, which passed it on: what was lost is lost \
                 behind {}.",
                first.from, first.to, first.to
            ),
            passed.iter().flat_map(|own| own.frames).collect(),
        ));
    }
    if let Some((name, packet)) = &trouble.resolved
        && !astray::of(scene.facts, trouble).any(|own| own.name == *name)
    {
        out.push((
            format!("DNS worked: {} had been resolved to {}.", rules::plain_name(name), scene.server),
            vec![*packet],
        ));
    }
    let of =
        |wanted: fn(&Outcome) -> bool| trouble.attempts(attempts).filter(move |own| wanted(&own.outcome));
    let missing: Vec<_> = of(|outcome| matches!(outcome, Outcome::LargeLost { bytes: 1.., .. })).collect();
    if let Some(own) = missing.first()
        && let Outcome::LargeLost { bytes, of_client } = own.outcome
    {
        let side = if of_client { own.client.0 } else { own.service.host };
        out.push((
            format!("{} bytes that {side} sent are missing here, as its own sequence numbers show; small packets passed.", thousands(u64::from(bytes))),
            own.frames(),
        ));
    }
    let stalls = of(|outcome| matches!(outcome, Outcome::Stalled { .. }));
    for own in stalls.take(1) {
        if let Outcome::Stalled { by_client, lasted_ns } = own.outcome {
            let side = if by_client { own.client.0 } else { own.service.host };
            let rough = attempts.carried(own).and_then(|carried| carried.rough.as_deref());
            let how = if rough.is_some_and(|rough| rough.is_closed(by_client)) {
                format!("and was not seen to take any within the {} after that", span(lasted_ns))
            } else {
                format!("for {}", span(lasted_ns))
            };
            let (pauses, all_ns) = rough.map_or((0, 0), |rough| rough.pauses(by_client));
            let text = if pauses > 1 && all_ns > lasted_ns {
                format!(
                    "{side} announced {pauses} times that it takes no more data (window 0), for {} in all; the longest time was {}.",
                    span(all_ns),
                    span(lasted_ns)
                )
            } else {
                format!("{side} announced that it takes no more data (window 0) {how}.")
            };
            out.push((text, own.frames()));
        }
    }
    let silenced = of(|outcome| matches!(outcome, Outcome::Silenced { .. }));
    for own in silenced.take(1) {
        if let Some(rough) = attempts.carried(own).and_then(|carried| carried.rough.as_deref())
            && let Some(stall) = rough.stalls.into_iter().flatten().next()
        {
            out.push((
                format!(
                    "Data were repeated {} times over {} without an acknowledgement.",
                    stall.repeats,
                    span(stall.lasted_ns())
                ),
                vec![stall.since.packet, stall.last.packet],
            ));
        }
    }
    let resets: Vec<_> = of(|outcome| *outcome == Outcome::ResetByDevice).collect();
    if let Some(own) = resets.first()
        && let Some(carried) = attempts.carried(own)
    {
        let by_server = own.decided.and_then(|seen| scene.facts.index.packet(seen.packet));
        let by_server = by_server.is_none_or(|packet| packet.source_address() == own.service.host);
        let (side, reset, usual) = if by_server {
            ("server", carried.reset_ttl, carried.answer_ttl)
        } else {
            ("client", carried.client_reset_ttl, carried.request_ttl)
        };
        out.push((
            format!(
                "The resets in the {side}'s name arrived with TTL {reset}, its own packets with TTL {usual}."
            ),
            own.frames(),
        ));
    }
    let mute: Vec<_> = of(|outcome| *outcome == Outcome::Mute).collect();
    if let Some(longest) = mute.iter().max_by_key(|own| own.waited_ns()) {
        out.push((
            format!(
                "The longest of these waited {} and had got nothing of the service by then.",
                span(longest.waited_ns())
            ),
            longest.frames(),
        ));
    }
    out.extend(displaced(scene, trouble));
    let late = trouble.late(attempts);
    let times = || late.clone().map(|own| own.answered_ns);
    if let (Some(least), Some(most)) = (times().min(), times().max()) {
        let clients: BTreeSet<Address> = late.clone().map(|own| own.client.0).collect();
        let clients: Vec<String> = clients.iter().map(ToString::to_string).collect();
        let (number, was) = (late.clone().count(), if late.clone().count() == 1 { "was" } else { "were" });
        let after = if least == most { span(least) } else { format!("{} to {}", span(least), span(most)) };
        out.push((
            format!(
                "{} of {} in the same time {was} answered only after {after}.",
                rules::counted(number, "further attempt", "further attempts"),
                words::list(&clients)
            ),
            late.clone().flat_map(crate::attempts::Attempt::frames).collect(),
        ));
    }
    if let Some(idle) = &trouble.idle {
        let by: Vec<String> = idle
            .clients
            .iter()
            .map(|(client, number)| {
                format!("{} of {client}", rules::counted(*number as usize, "connection", "connections"))
            })
            .collect();
        let basis = scene.facts.index.basis();
        out.push((
            format!(
                "{}, accepted before it, carried nothing after {} and stayed open until {}, within a second of the \
                 stall's end.",
                words::list(&by),
                basis.clock(idle.since_ns),
                basis.clock(idle.ended_ns)
            ),
            idle.frames.clone(),
        ));
    }
    if let Some(behind) = &trouble.behind {
        out.push((words::behind(behind), behind.frames.clone()));
    }
    let crossed = trouble.crossed.as_ref().or(trouble.behind.as_ref().and_then(|own| own.crossed.as_ref()));
    if let Some(crossed) = crossed {
        out.push((words::crossed(crossed), crossed.frames.clone()));
    }
    if let Some(queue) = &trouble.queue {
        out.push((words::queue(queue), queue.waiting.iter().chain(&queue.silent).copied().collect()));
    }
    if let Some(text) = words::looped(trouble) {
        out.push((text, trouble.frames(attempts)));
    }
    if trouble.sort == Sort::Slow {
        out.extend(compared(scene, trouble));
        if is_held(scene.facts, trouble) {
            out.push((
                "All of them took the same time: a server that holds its answer on purpose (long poll), or a time-out of its own, looks \
                 like this."
                    .to_owned(),
                trouble.frames(attempts),
            ));
        }
    }
    if let Some(held) = &trouble.held {
        let frames = if held.frames.is_empty() { trouble.frames(attempts) } else { held.frames.clone() };
        out.push((words::held(scene.facts, held), frames));
    }
    out.extend(certificates(scene, trouble));
    out.extend(reply(scene, trouble));
    let refused = of(|outcome| *outcome == Outcome::Unconfirmed).find(|own| own.decided.is_some());
    if let Some(own) = refused
        && let Some(error) = own.decided.and_then(|seen| scene.facts.error(seen.packet))
    {
        out.push((
            format!("{} itself refused a renewal: {} ({}).", error.source, error.words(), error.code_words()),
            own.frames(),
        ));
    }
    if let Some(version) = words::offered(scene.facts, trouble).filter(|_| {
        trouble
            .outcomes(attempts)
            .iter()
            .any(|(outcome, _)| matches!(outcome, Outcome::Alert { number: 70 | 40 | 71, .. }))
    }) {
        out.push((
            format!("The failing clients offered {version} at most."),
            trouble.attempts(attempts).map(|own| own.asks).take(8).collect(),
        ));
    }
    out
}

/// The clients that were hit, a few of them by their addresses.
fn listed(trouble: &Trouble) -> String {
    let hosts: Vec<String> = trouble.hosts_hit().iter().map(ToString::to_string).collect();
    words::list(&hosts)
}

/// Whose sessions were ended for another's, how often each, and by which name.
fn displaced(scene: &Scene<'_, '_>, trouble: &Trouble) -> Option<Said> {
    let own = || trouble.attempts(scene.facts.attempts).filter(|own| own.outcome == Outcome::Displaced);
    let mut clients: BTreeMap<Address, usize> = BTreeMap::new();
    own().for_each(|own| *clients.entry(own.client.0).or_default() += 1);
    let each: Vec<String> = clients
        .iter()
        .map(|(client, number)| format!("{client} {}", rules::counted(*number, "time", "times")))
        .collect();
    let names: BTreeSet<Option<String>> =
        own().map(|own| takeovers::session_name(scene.facts.index, own.kind, own.asks)).collect();
    let name = match names.iter().next() {
        Some(Some(name)) if names.len() == 1 => {
            format!(", and all of them carry the same client identifier “{}”", escape(name))
        }
        _ => String::new(),
    };
    let text = format!(
        "The sessions ended are those of {}, each within 0.2 s after the first data of the other's next session{name}.",
        words::list(&each)
    );
    (!clients.is_empty()).then(|| (text, own().map(|own| own.asks).take(8).collect()))
}

/// Characters of a server's own words that are quoted.
const QUOTED_MAX: usize = 120;

/// What the server said in its own words: the first line of its refusal.
fn reply(scene: &Scene<'_, '_>, trouble: &Trouble) -> Option<Said> {
    let says = |outcome: Outcome| matches!(outcome, Outcome::Fails(_) | Outcome::Denied(_));
    let own = trouble.attempts(scene.facts.attempts).find(|own| says(own.outcome))?;
    let packet = scene.facts.index.packet(own.decided?.packet).filter(|packet| !packet.is_text())?;
    let decoded = packet.decode();
    let line = reply::own_words(own.kind, decoded.payload())?;
    let line = line.get(..QUOTED_MAX.min(line.len()))?;
    let text = format!("Its own words: “{}”.", crate::text::escape_bytes(line));
    (!line.is_empty()).then(|| (text, vec![packet.id]))
}

/// How slow answers compare with others of the same service.
fn compared(scene: &Scene<'_, '_>, trouble: &Trouble) -> Option<Said> {
    let attempts = scene.facts.attempts;
    let mut quick: Vec<_> = trouble.good(attempts).filter(|own| own.answered_ns > 0).collect();
    quick.sort_by_key(|own| own.answered_ns);
    let middle = quick.get(quick.len() / 2)?;
    Some((
        format!(
            "{} of the same service came after {} in the middle.",
            rules::counted(quick.len(), "other answer", "other answers"),
            span(middle.answered_ns)
        ),
        quick.iter().take(8).map(|own| own.asks).collect::<Vec<PacketId>>(),
    ))
}

/// What the failures show, and what they leave open.
fn shows(
    scene: &Scene<'_, '_>,
    trouble: &Trouble,
    assessment: &Assessment,
    frames: &[PacketId],
) -> Vec<Said> {
    let leading: Vec<Cause> = assessment.leading().iter().map(|own| own.cause).collect();
    let server = match trouble.hosts().len() {
        0 | 1 => scene.server.to_string(),
        _ => words::hosts(trouble),
    };
    let client = match scene.clients.as_slice() {
        [one] => one.to_string(),
        _ => "the clients".to_owned(),
    };
    let port = words::services(trouble);
    let mut out = Vec::new();
    let mut say = |text: String| out.push((text, frames.to_vec()));
    if [Cause::NotRunning, Cause::ServerFilter].iter().all(|cause| leading.contains(cause)) {
        say(format!(
            "Either nothing listens for {port} on {server}, or a packet filter or a device in front refuses it: the packets are the \
             same, so they cannot be separated here."
        ));
    }
    for cause in &leading {
        let text = match cause {
            Cause::SizeBlackHole => format!(
                "The connection opens, but large packets of one side do not arrive; small ones do. A link with a smaller size whose \
                 ICMP message is lost, and a filter on large packets, look the same to {client}."
            ),
            Cause::LargePacketsLost => format!(
                "What is sent to {server} in fragments does not arrive whole: something on the way drops them, often a filter that lets only \
                 first fragments pass, since the others carry no ports.{}",
                if trouble.part.as_ref().is_some_and(|part| part.property == Property::Size) {
                    " What fits into one packet is served."
                } else {
                    ""
                }
            ),
            Cause::TlsRefused => tls(trouble, scene, scene.server),
            Cause::ApplicationError if trouble.is_whole => format!(
                "{server} refused everybody for a time, also those whom it lets in before or after: what it asks behind it (a directory, a \
                 database) failed, or its settings were changed for that time; passwords that are typed wrongly do not look like this."
            ),
            Cause::Policy if trouble.is_whole => continue,
            Cause::ApplicationError if trouble.behind.is_some() => {
                let behind = trouble.behind.as_ref().map(|behind| {
                    format!("{} of {}", words::kind(behind.service, behind.kind), behind.service.host)
                });
                format!(
                    "{server} passes on what failed behind it, at {}: that is where to look first; the network to {server} did its part.",
                    behind.unwrap_or_default()
                )
            }
            Cause::ApplicationError if gateway(trouble, scene) => format!(
                "{server} is a gateway and says that what stands behind it failed or was too slow; the network to it did its part."
            ),
            Cause::ApplicationError if says(trouble, scene) => {
                let limit =
                    if leading.contains(&Cause::LimitReached) { ", a limit that is reached" } else { "" };
                format!("{server} answered, and says itself that it cannot serve; the network did its part. Overload, maintenance{limit} and a \
                         dead part behind it look alike.")
            }
            Cause::ApplicationError => format!(
                "{server} accepts and ends connections itself without an answer: overload, a limit, a missing right and a crash look alike."
            ),
            Cause::LimitReached if leading.len() == 1 => format!(
                "{server} answered, and says itself that a limit of its own is reached; the network did its part. Whether the limit is too small or \
                 somebody holds more than it needs, its own list of sessions tells."
            ),
            Cause::Policy => match denied(trouble, scene, &server) {
                Some(text) => text,
                None => continue,
            },
            Cause::LameAnswer => format!(
                "The requests reached {server} and were answered, from another address ({}): a host with several addresses whose service \
                 does not answer from the one that was asked, or a translation that is missing on the way back, looks like this.",
                words::list(&words::elsewhere(scene.facts, trouble))
            ),
            Cause::Mute => format!(
                "{server} accepts connections and acknowledges what is sent, but its application does not answer these requests: it hangs, or it waits \
                 for something behind it. The network carried both directions."
            ),
            Cause::IdleClosed => {
                let behind = trouble.behind.as_ref().map(|behind| behind.service.host.to_string());
                format!(
                    "{0} closes connections that are idle for a time, and a request that is sent at that moment is lost: it is neither \
                     refused nor served. Whoever keeps connections open to {0} longer than it does meets this now and then; requests that \
                     may not be repeated (POST) fail visibly.",
                    behind.as_deref().unwrap_or(&server)
                )
            }
            Cause::SharedIdentity => format!(
                "A server that keeps one session for each name ends the older one when the name signs in again: that {} use one name at {server}, \
                 by mistake or because one is a copy of the other, looks like this.",
                listed(trouble)
            ),
            Cause::QueueFull => format!(
                "The system of {server} accepted connections, and its application does not take them: when the queue is full, further ones \
                 get no answer. The network carried both directions."
            ),
            Cause::NoRoute if trouble.looped.is_some() => "Two or more routers send these packets to each other; which of them has the wrong \
                route the packets do not show."
                .to_owned(),
            Cause::ReceiverStalled => "The side that announced window 0 is the one that did not read; network and sender waited for it.".to_owned(),
            Cause::StateLost => format!(
                "The connection had worked; a firewall or translator that forgot it while it was quiet looks like this; new connections \
                 to {server} work then."
            ),
            Cause::ContentReset => format!(
                "A device between {client} and {server} ends these connections because of what they ask for; {server} itself, by its \
                 packets, did not."
            ),
            Cause::SlowService if leading.contains(&Cause::SlowPath) => {
                "Whether the way or the service took the time cannot be told: nothing else was there to compare.".to_owned()
            }
            Cause::SlowPath if leading.contains(&Cause::SlowService) => continue,
            Cause::SlowService => format!("The time passed inside {server} or behind it, not on the way."),
            Cause::SlowPath => "Packets of every kind took that long: the way is slow, not the service.".to_owned(),
            Cause::TimeService if wrong_time(trouble) => format!(
                "{server} says that it is synchronised, and other clocks here do not have its time: its own clock was set wrongly, by hand or \
                 from a wrong source. That the clock of the capture is right is taken from the others that agree with it."
            ),
            Cause::TimeService => format!("{server} answers and offers no time."),
            Cause::NoLease => "A server that is down, an empty pool, a missing relay and a client in the wrong VLAN look alike from here.".to_owned(),
            Cause::DeadMember if trouble.is_intermittent => format!(
                "Between failures the same clients were served: one of several members behind {server} without the service, or a service \
                 that comes and goes, looks like this."
            ),
            Cause::DeadMember => format!(
                "One of several members behind {server} without the service, or a service that comes and goes, looks like this."
            ),
            Cause::DuplicateAddress => {
                let parted = scene.facts.conflicts.iter().find(|own| own.address == scene.server);
                let unanswered = parted.and_then(|own| own.parting.as_ref()).map_or(0, |own| own.failed.1);
                format!(
                    "What is sent to {server} reaches whichever of the two devices a client heard last, and one of them does not serve it. Which of the \
                     two is meant to have the address, its owner knows.{}",
                    if unanswered > 0 {
                        " Where that device falls silent, clients that still keep its link address meet silence until they ask anew."
                    } else {
                        ""
                    }
                )
            }
            Cause::HostDown if leading.len() == 1 => {
                format!("{server} was probably not present on its network at that time.")
            }
            Cause::PathFilter if scene.blocked().is_some() => continue,
            Cause::PathFilter if leading.len() == 1 => "A device on the way refused on purpose; whose rule it is, and whether it is wanted, the packets do not show.".to_owned(),
            _ => continue,
        };
        say(text);
    }
    if trouble.stopped.is_some() {
        say(format!(
            "What was sent to {port} of {server} was stopped between the two places of capture: it is in one file and not in the other."
        ));
    }
    if leading.contains(&Cause::HostDown) && leading.contains(&Cause::SilentDrop) {
        say(format!(
            "Either {server} is gone, or something on the way, or on it, drops what is sent there: both are silence."
        ));
    } else if leading.contains(&Cause::SilentDrop) && leading.len() == 1 {
        let (from, to) = trouble.span_ns();
        let is_there = scene.facts.attempts.all.iter().any(|own| {
            trouble.hosts().contains(&own.service.host)
                && own.outcome.is_served()
                && own.ended_ns() >= from
                && own.first.time_ns <= to
        });
        say(if is_there {
            format!(
                "{server} is there, but what is sent to {port} meets silence: a filter that drops, on the way or on the host, looks like this."
            )
        } else {
            format!(
                "What is sent to {port} of {server} meets silence: a filter that drops, on the way or on the host, looks like this."
            )
        });
    }
    if let Some((holder, _)) = trouble.idle.as_ref().and_then(|idle| idle.clients.first()) {
        say(format!(
            "The connections that {holder} held all that time may be what others waited for: a service with few workers serves nobody while \
             all of them are held."
        ));
    }
    if trouble.kind() == Kind::Dhcp && leading.contains(&Cause::Policy) {
        say("The server serves others: an empty pool, a limit, and a rule about these clients look like this.".to_owned());
    }
    if trouble.kind() == Kind::Snmp && leading.contains(&Cause::Policy) {
        say("An agent that does not know the community or user is silent by design.".to_owned());
    }
    if trouble.kind() == Kind::Radius && leading.contains(&Cause::Policy) {
        say("A server that does not know the client, or shares another secret with it, is silent by design (RFC 2865 §3).".to_owned());
    }
    out
}

fn wrong_time(trouble: &Trouble) -> bool {
    trouble.endings.iter().any(|(outcome, _)| matches!(outcome, Outcome::WrongTime { .. }))
}

fn gateway(trouble: &Trouble, scene: &Scene<'_, '_>) -> bool {
    trouble
        .outcomes(scene.facts.attempts)
        .iter()
        .any(|(outcome, _)| matches!(outcome, Outcome::Fails(502 | 504)))
}

fn says(trouble: &Trouble, scene: &Scene<'_, '_>) -> bool {
    let says = |outcome: &Outcome| matches!(outcome, Outcome::Fails(_) | Outcome::Denied(_));
    trouble.outcomes(scene.facts.attempts).iter().any(|(outcome, _)| says(outcome))
}

/// What a denial leaves open, by who can mend it.
fn denied(trouble: &Trouble, scene: &Scene<'_, '_>, server: &str) -> Option<String> {
    if is_greylisted(scene.facts, trouble) {
        return Some(format!(
            "{server} asks unknown senders to come again later (greylisting): mail is delayed, not lost, and nothing is broken."
        ));
    }
    match trouble.endings.first()?.0 {
        Outcome::Denied(denial) if denial == reply::no_keys() => Some(format!(
            "{server} ends these sessions as soon as it has seen which ciphers and keys the clients take: programs of different age that have \
             none in common, and a limit or a rule of its own, look alike. The network did its part."
        )),
        Outcome::Denied(Denial { why: Why::Forbids, .. }) => Some(format!(
            "{server} answered and does not allow it: its settings, or what the clients send, were changed or never fitted. The network \
             did its part."
        )),
        Outcome::Denied(_) | Outcome::Fails(401 | 403)
            if trouble.is_lasting && trouble.last_good.is_some() =>
        {
            Some(format!(
                "{server} took the same before and refuses it since: a password that was changed on one side only, and an account that has \
             expired, is locked or may no longer do this, look alike. The network did its part."
            ))
        }
        Outcome::Denied(_) | Outcome::Fails(401 | 403) if trouble.is_lasting && trouble.part.is_some() => {
            Some(format!(
                "{server} serves others meanwhile and refuses these each time: a wrong password or name, and an account that is locked or may \
             not do this, look alike. The network did its part."
            ))
        }
        Outcome::Denied(_) if trouble.kind() == Kind::Smtp => Some(format!(
            "{server} answered, and its rules or its mailboxes do not take this mail or its sender: a setting that was changed on either \
             side, and somebody who only tries, look alike. The network did its part."
        )),
        Outcome::Denied(_) if trouble.kind() == Kind::Tftp => Some(format!(
            "{server} answered and does not have, or does not give, what the clients ask for: a missing file or right, and clients that try \
             several names by design, look alike. The network did its part."
        )),
        Outcome::Denied(_) => Some(format!(
            "{server} answered and does not take what the clients gave: a changed or wrong password or name, and somebody who guesses, \
             look alike. The network did its part."
        )),
        Outcome::Fails(_) if trouble.last_good.is_none() => Some(format!(
            "{server} refuses it itself: a right, a setting or a password; the network did its part."
        )),
        Outcome::Fails(_) => Some(format!(
            "{server} had served the same before and now refuses it itself: a right, a setting or the content was changed. The network \
             did its part."
        )),
        _ => None,
    }
}

/// What a refused handshake may mean, by who refused and why (services §5.2 H25).
fn tls(trouble: &Trouble, scene: &Scene<'_, '_>, server: Address) -> String {
    let outcome = trouble.outcomes(scene.facts.attempts).first().map(|(outcome, _)| *outcome);
    match outcome {
        Some(Outcome::Alert { number: 112, .. }) => format!(
            "Either {server} has no entry for this name, or the name leads to the wrong server: the packets are the same. TCP worked."
        ),
        Some(Outcome::Alert { number: 70, by_client: false }) => {
            format!(
                "{server} refuses the versions of TLS that were offered; its own minimum is not in the packets."
            )
        }
        Some(Outcome::Alert { number: 40 | 71, by_client: false }) => format!(
            "{server} found nothing in the offer that it takes: ciphers, groups, version, or a client certificate it wants."
        ),
        Some(Outcome::Alert { number: 116, by_client: false }) => {
            format!("{server} wants a certificate of the client and got none.")
        }
        Some(Outcome::Alert { number: 40..=49, by_client: false })
            if is_out_of_time(scene, trouble, true) =>
        {
            format!(
                "{server} does not accept the certificate of the client, and its time is over (or not yet come) by the clock of the capture: it \
             is to be renewed, unless that clock is wrong."
            )
        }
        Some(Outcome::Alert { number: 45, by_client: false }) => {
            format!(
                "{server} says that the client's certificate has expired, or is not valid yet; its own clock may be wrong as well."
            )
        }
        Some(Outcome::Alert { number: 42..=46, by_client: true })
            if is_out_of_time(scene, trouble, false) =>
        {
            format!(
                "The clients do not accept the certificate that {server} presents, and its time is over (or not yet come) by the clock of the \
             capture: it is to be renewed, unless that clock is wrong."
            )
        }
        Some(Outcome::Alert { number: 45, by_client: true }) => {
            format!(
                "The clients say that the certificate which {server} presents has expired, or is not valid yet; their clocks may be wrong as well."
            )
        }
        Some(Outcome::Alert { number: 44, by_client: true }) => {
            format!("The clients say that the certificate which {server} presents was revoked.")
        }
        Some(Outcome::Alert { number: 42..=46 | 48, by_client: true }) => format!(
            "The clients do not accept the certificate that {server} presents: an incomplete chain, an issuer they do not know, an expired \
             or wrong certificate, and interception look alike."
        ),
        Some(Outcome::Alert { number: 42..=46 | 48 | 49, by_client: false }) => {
            format!("{server} does not accept the certificate of the client.")
        }
        Some(Outcome::Left { by_client: true }) => {
            "The clients ended the handshake themselves: a certificate they do not accept, a program that \
             was cancelled, and a mere look whether somebody is there send the same."
                .to_owned()
        }
        Some(Outcome::Left { by_client: false }) => format!(
            "{server} ended the handshake right after the client's part, with an encrypted message of an alert's size or none: a client \
             certificate that is missing or not accepted looks like this."
        ),
        _ => format!("{server} or its client refuses the handshake; TCP worked."),
    }
}
