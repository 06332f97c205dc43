//! How grave a trouble is, and whether it is told as one (services §4.6, §5.4).

use super::clients::Served;
use super::{Sort, Trouble, beside, is_left_for_plain, parties, slow, trials};
use crate::attempts::{Attempts, Denial, Face, Kind, Outcome, Why, reply};
use crate::connections::Connection as Tracked;
use crate::correlate::Vantage;
use crate::decode::Address;
use crate::findings::Severity;
use crate::findings::facts::Facts;
use crate::time::Nanos;

/// A second.
const SECOND: Nanos = 1_000_000_000;

/// Attempts that fail from which on they are no chance.
const SERIES_MIN: usize = 2;
/// Share of failures from which on it is high (services §4.6).
const SHARE_HIGH: f64 = 0.9;
/// Share of failures from which on it is medium (services §4.6).
const SHARE_MEDIUM: f64 = 0.2;
/// A rescue that costs no more than this is by design (services §4.6).
const RESCUE_QUICK_NS: Nanos = SECOND / 2;
/// One that costs this much is noticed.
const RESCUE_SLOW_NS: Nanos = 2 * SECOND;

/// How grave a trouble is (services §4.6). Where nothing that was sent to the clients could be captured, silence is less sure.
pub(super) fn severity(facts: &Facts<'_>, served: &Served<'_>, trouble: &Trouble) -> Severity {
    let receivers = &facts.attempts.receivers;
    let is_silence = trouble.attempts(facts.attempts).all(|own| own.outcome == Outcome::NoReply);
    let at_client = facts.evidence.surroundings().vantage == Vantage::Client;
    let is_unseen = || !at_client && trouble.hit().all(|client| !receivers.contains(&client.address));
    let most = if is_silence && is_unseen() { Severity::Medium } else { Severity::High };
    seen_severity(facts, served, trouble).min(most)
}

fn seen_severity(facts: &Facts<'_>, served: &Served<'_>, trouble: &Trouble) -> Severity {
    let attempts = &facts.attempts;
    let number = trouble.failed.len();
    let share = number as f64 / trouble.asked_inside.max(1) as f64;
    let tries = trouble.attempts(attempts).map(|own| own.tries).max().unwrap_or(0);
    let stranded = trouble.hit().any(|client| client.rescued < client.failed && client.served == 0);
    let rescued = trouble.hit().all(|client| client.rescued >= client.failed);
    let slowest = trouble.hit().filter_map(|client| client.rescue_ns).max().unwrap_or(0);
    let longest = trouble.attempts(attempts).map(|own| match own.outcome {
        Outcome::Stalled { lasted_ns, .. } => lasted_ns,
        _ => 0,
    });
    match trouble.sort {
        Sort::Slow => slow::severity(facts, trouble),
        Sort::Failed(Face::Misaddressed, _) if !beside::is_ignored(facts, trouble) => Severity::Low,
        // A client that reads slowly on purpose (a viewer, a tape) pauses what it gets in the end.
        Sort::Failed(Face::Stalled, _) if trouble.is_resumed => {
            if longest.max().unwrap_or(0) < beside::STALL_NS { Severity::Info } else { Severity::Low }
        }
        Sort::Failed(Face::Stalled, _) if longest.max().unwrap_or(0) >= beside::STALL_NS => Severity::Medium,
        Sort::Failed(Face::Stalled, _) => Severity::Low,
        _ if trouble.kind() == Kind::Echo => echo(facts, served, trouble),
        _ if trials::are_probes(facts, trouble) => Severity::Info,
        // A connection of the same client that carries data both ways meanwhile shows that the service works.
        _ if trouble.in_use => Severity::Low,
        Sort::Failed(Face::Lease, _) if rescued || !is_meant(facts, trouble) => Severity::Info,
        // What was to be kept private no longer is, where the server had offered it.
        _ if !trouble.served.is_empty() && is_left_for_plain(facts, trouble) => Severity::Low,
        // A program that takes another way at once is not hit; a router that says it has no way back is broken all the same.
        _ if rescued && slowest < RESCUE_QUICK_NS && !is_reported_back(trouble) => Severity::Info,
        _ if rescued && slowest < RESCUE_SLOW_NS => Severity::Low,
        _ if rescued => Severity::Medium,
        Sort::Failed(Face::Silenced, _) => {
            // One session is lost; others of the same client go on.
            if stranded && trouble.alongside.is_empty() { Severity::High } else { Severity::Medium }
        }
        // Sessions come about, and do not last.
        Sort::Failed(Face::Displaced, _) => Severity::Medium,
        Sort::Failed(Face::Large, _) if number < SERIES_MIN => Severity::Medium,
        // One that cannot be had from a service that has no time, or was told to ask less often.
        Sort::Failed(Face::Fails, _) if trouble.kind() == Kind::Ntp => {
            match trouble.outcomes(attempts).first() {
                Some((Outcome::Kiss([b'R', b'A', b'T', b'E']), _)) => Severity::Info,
                _ => Severity::Medium,
            }
        }
        _ if number < SERIES_MIN && tries < 3 => Severity::Low,
        // A limit on how often one may ask, met by one client while it or others are served, does what it is for.
        Sort::Failed(Face::Fails, _)
            if trouble.hosts_hit().len() == 1
                && (trouble.last_good.or(trouble.first_good).is_some()
                    || trouble.spared().next().is_some())
                && trouble
                    .attempts(attempts)
                    .all(|own| reply::limit(own.kind, own.outcome) == Some(reply::Limit::Rate)) =>
        {
            Severity::Low
        }
        // Mail is delayed, as its receiver wants it.
        Sort::Failed(Face::Fails, _) if is_greylisted(facts, trouble) => Severity::Low,
        Sort::Failed(Face::Fails, _) if parties::is_guessed_mail(facts, trouble) => Severity::Low,
        // Others may have mistyped a password as well.
        Sort::Failed(Face::Fails, _) if trouble.is_lasting && !trouble.is_whole => match number {
            REJECTED_MIN.. => Severity::Medium,
            TURNED_MIN.. if trouble.last_good.is_some() => Severity::Medium,
            _ => Severity::Low,
        },
        Sort::Failed(Face::Fails, _) if !trouble.is_whole && rejects(trouble, attempts).is_some() => {
            Severity::Medium
        }
        // One that is denied what others are given has wrong settings of its own.
        Sort::Failed(Face::Fails, _)
            if trouble.hosts_hit().len() == 1
                && trouble.spared().next().is_some()
                && trouble.attempts(attempts).all(
                    |own| matches!(own.outcome, Outcome::Denied(denial) if denial.why != Why::Fails),
                ) =>
        {
            Severity::Medium
        }
        // Who leaves a handshake may only have looked whether somebody is there.
        Sort::Failed(Face::Tls, 0) => Severity::Medium,
        _ if share >= SHARE_HIGH && stranded => Severity::High,
        _ if share >= SHARE_MEDIUM => Severity::Medium,
        Sort::Failed(..) => Severity::Low,
    }
}

/// Whether routers report that what the server sends back does not arrive.
fn is_reported_back(trouble: &Trouble) -> bool {
    trouble.endings.iter().any(|(outcome, _)| matches!(outcome, Outcome::Undelivered(Some(_))))
}

/// A server that is heard this close to a short failure is there.
const HEARD_NS: Nanos = 2 * SECOND;

/// Whether clients that were hit used the service on a connection opened before, all the time.
pub(super) fn is_in_use(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    let (from, to) = trouble.span_ns();
    let spans = |own: &Tracked| {
        own.is_in_use_during(from, to) && own.from_server.last.is_some_and(|last| last.time_ns >= to)
    };
    let used = |client: Address| {
        let all = trouble.services.iter().flat_map(|(service, _)| facts.used((service.host, service.port)));
        all.filter(move |own| own.client.0 == client && spans(own))
    };
    if !trouble.hit().all(|client| used(client.address).next().is_some()) {
        return false;
    }
    // Between one failure and the next the server must be heard; around a single one, close to it.
    let margin = if to - from < HEARD_NS { HEARD_NS } else { 0 };
    let heard = beside::heard(facts, trouble, (from - margin, to + margin));
    trouble.hit().all(|client| used(client.address).any(|own| heard.contains(&(own.client, own.server))))
}

/// Whether addresses are handed out here at all: clients ask for DHCPv6 in networks without it.
fn is_meant(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    let v6 = trouble.service().port == DHCP_V6_PORT;
    !v6 || facts
        .attempts
        .all
        .iter()
        .any(|own| own.service.port == DHCP_V6_PORT && own.outcome == Outcome::Answered)
}

/// Where servers of DHCPv6 listen (RFC 8415 §7.2).
const DHCP_V6_PORT: u16 = 547;

/// Pings are a test, no service: of a host that serves otherwise they tell nothing, nor of one of which nothing was ever heard, which
/// may ignore them; but where the client is served nothing else, its way may be broken.
fn echo(facts: &Facts<'_>, served: &Served<'_>, trouble: &Trouble) -> Severity {
    let host = trouble.service().host;
    let (from, to) = ping_span(facts, trouble);
    let alive = served.of_host(host).iter().any(|own| {
        own.kind != Kind::Echo && own.decided.is_some_and(|seen| (from..=to).contains(&{ seen.time_ns }))
    });
    let mut asked = facts.servers.iter().filter(|(key, _)| key.0 == host);
    let answers = asked.any(|(_, server)| server.answers_in(from, to).next().is_some());
    let (from, to) = trouble.span_ns();
    let is_unheard = trouble.last_good.is_none()
        && trouble.first_good.is_none()
        && facts
            .attempts
            .all
            .iter()
            .filter(|own| own.service.host == host)
            .all(|own| own.outcome == Outcome::NoReply)
        && facts.errors.iter().all(|error| error.source != host);
    let answered = |client: Address| {
        let mut answers = facts.servers.values().flat_map(|server| server.answers_in(from, to));
        answers.any(|answer| answer.client == client)
    };
    let are_served = trouble
        .hit()
        .all(|client| served.serves_meanwhile(client.address, (from, to)) || answered(client.address));
    if alive || answers || is_unheard && are_served { Severity::Info } else { Severity::Low }
}

/// Whatever a host serves this close to pings shows that it was there.
const NEAR_NS: Nanos = 30 * SECOND;

/// The time in which a host that serves ignores pings: of one that never answers any, also close to them.
pub fn ping_span(facts: &Facts<'_>, trouble: &Trouble) -> (Nanos, Nanos) {
    let (from, to) = trouble.span_ns();
    let host = trouble.service().host;
    let pings = facts.attempts.all.iter().filter(|own| own.kind == Kind::Echo && own.service.host == host);
    let margin = if pings.into_iter().any(|own| own.outcome.is_served()) { 0 } else { NEAR_NS };
    (from - margin, to + margin)
}

/// A success this soon after a failure makes it ordinary (services §1.1 `group_s`).
const GROUP_NS: Nanos = 3 * SECOND;

fn is_quickly_over(trouble: &Trouble) -> bool {
    trouble.first_good.is_some_and(|good| good.at_ns - trouble.span_ns().1 <= GROUP_NS)
}

/// Whether a trouble is told as one; of the others the list of what is not assessed speaks.
pub(super) fn is_told(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    let attempts = &facts.attempts;
    let several = trouble.failed.len() >= SERIES_MIN;
    let again = trouble.attempts(attempts).any(|own| own.tries >= 3);
    let outcome = trouble.outcomes(attempts).first().map(|(outcome, _)| *outcome);
    match outcome {
        None => false,
        // One that was tried again at once and served.
        Some(_)
            if !several
                && matches!(trouble.sort, Sort::Failed(Face::Unreached, _))
                && is_quickly_over(trouble) =>
        {
            false
        }
        // Of a protocol that is not known only a client that gave up twice tells that something is missing.
        Some(Outcome::Mute | Outcome::Closed | Outcome::Reset | Outcome::ResetMidway)
            if trouble.kind() == Kind::Tcp =>
        {
            several && trouble.served.is_empty()
        }
        Some(Outcome::Left { .. }) => several && trouble.served.is_empty(),
        Some(Outcome::ResetByDevice) => several,
        Some(Outcome::ResetMidway | Outcome::Reset | Outcome::Closed) => several,
        Some(Outcome::Alert { .. }) => several || trouble.served.is_empty(),
        // Who asks once and never comes back may have looked around, or not have asked at all.
        Some(Outcome::Undelivered(None)) => trouble.hit().any(|client| client.failed > 1),
        Some(Outcome::NoReply) => several || again || trouble.sort == Sort::Slow,
        Some(_) if trouble.is_lasting => true,
        Some(Outcome::Denied(denial))
            if trouble.kind() == Kind::Smtp
                && matches!(denial.code.basic(), Some(LISTED..=LISTED_TOO))
                && is_deferred(facts, trouble) =>
        {
            false
        }
        // Whoever tries many servers meets some that share no cipher with it: only clients that come again tell something.
        Some(Outcome::Denied(denial)) if denial == crate::attempts::reply::no_keys() => false,
        Some(Outcome::Denied(Denial { why: Why::Rejects, .. })) => is_row(trouble, attempts),
        Some(Outcome::Denied(Denial { why: Why::Forbids, .. })) => several,
        Some(Outcome::Fails(LISTED..=LISTED_TOO)) if trouble.kind() == Kind::Smtp => {
            !is_deferred(facts, trouble)
        }
        _ => true,
    }
}

/// Refusals of what clients gave from which on they are a row, as those of HTTP (services §5.4).
const REJECTED_MIN: usize = 5;
/// Refusals of whoever was served before.
const TURNED_MIN: usize = 3;
/// Their share of the attempts of the same clients between first and last (services §5.4).
const REJECTED_SHARE: f64 = 0.8;
/// Replies of mail servers that want a sender to come again: greylisting uses them (RFC 6647 §2.1).
const LISTED: u16 = 450;
/// The other of them.
const LISTED_TOO: u16 = 451;

/// The denial that is about what clients gave, where the failures are that.
fn rejects(trouble: &Trouble, attempts: &Attempts) -> Option<Denial> {
    trouble.outcomes(attempts).first().and_then(|(outcome, _)| match outcome {
        Outcome::Denied(denial) if denial.why == Why::Rejects => Some(*denial),
        _ => None,
    })
}

/// Whether refusals of passwords, names and recipients are more than people's slips: a row of them and hardly a success between.
fn is_row(trouble: &Trouble, attempts: &Attempts) -> bool {
    let (from, to) = trouble.span_ns();
    let hit: Vec<Address> = trouble.attempts(attempts).map(|own| own.client.0).collect();
    let served = trouble
        .good(attempts)
        .filter(|own| hit.contains(&own.client.0) && (from..=to).contains(&{ own.first.time_ns }));
    let failed = trouble.failed.len();
    failed >= REJECTED_MIN && failed as f64 >= REJECTED_SHARE * (failed + served.count()) as f64
}

/// Whether mail was told to come again, as greylisting does, and was taken when it came: each once, or in words that say so.
fn is_deferred(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    let attempts = &facts.attempts;
    let mut all = trouble.attempts(attempts);
    let taken = all.all(|own| {
        let mut good = trouble.good(attempts);
        good.any(|other| other.client.0 == own.client.0 && other.first.time_ns > own.ended_ns())
    });
    let once = trouble.hit().all(|client| client.failed == 1);
    taken && (once || is_greylisted(facts, trouble))
}

/// Whether a mail server's own words name greylisting.
pub fn is_greylisted(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    const WORDS: [&[u8]; 4] = [b"reylist", b"raylist", b"grey-list", b"gray-list"];
    trouble.kind() == Kind::Smtp
        && trouble.attempts(facts.attempts).all(|own| {
            let packet = own.decided.and_then(|seen| facts.index.packet(seen.packet));
            packet.is_some_and(|packet| {
                let said = crate::attempts::printed::payload(&packet);
                WORDS.iter().any(|word| said.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
            })
        })
}
