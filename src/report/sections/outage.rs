//! The sentences about windows and clients: what failed for whom, from when to when, who was not affected, and what that meant.

use std::collections::BTreeSet;

use super::super::facts::Facts;
use super::super::words;
use super::problem::sentence;
use super::{Builder, spared};
use crate::correlate::clients::Client;
use crate::correlate::episodes::is_error_code;
use crate::correlate::impact::Impact;
use crate::correlate::splits::Split;
use crate::correlate::windows::{Mark, Window};
use crate::correlate::{Outcome, Transaction};
use crate::decode::Address;
use crate::findings::gravity::UNNOTICED_NS;
use crate::findings::rules::{rescuer, zone_words};
use crate::index::PacketId;
use crate::protocols::dns::type_name;
use crate::text::thousands;
use crate::time::{self, Nanos};

/// TYPE of an IPv4 address.
const ADDRESS_V4: u16 = 1;
/// TYPE of an IPv6 address.
const ADDRESS_V6: u16 = 28;
/// IP protocol number of TCP.
const TCP: u8 = 6;
/// Windows told one by one.
const WINDOWS_TOLD: usize = 4;
/// Clients told one by one.
const CLIENTS_TOLD: usize = 3;
/// Addresses listed in one sentence.
const LISTED: usize = 3;

/// For a title, who answered instead where every failed question was answered elsewhere; else empty.
pub fn rescued(facts: &Facts<'_>) -> String {
    let Some(impact) = facts.impact.filter(|impact| impact.is_covered() && impact.phases.is_empty()) else {
        return String::new();
    };
    let by: std::collections::BTreeSet<_> =
        impact.clients.iter().filter_map(|client| client.rescuer).collect();
    match by.first() {
        None => "; the search list went on".to_owned(),
        Some(only) if by.len() == 1 => format!("; {} answered instead", rescuer(facts.problem, *only)),
        _ => "; others answered instead".to_owned(),
    }
}

/// The questions that fail, where others are answered: ` for names in example.org`.
pub fn class(facts: &Facts<'_>) -> String {
    let Some(impact) = facts.impact else { return String::new() };
    match &impact.split {
        Split::Zone if impact.answered_beside > 0 && !facts.problem.names.is_empty() => {
            format!(" in {}", zone_words(&facts.problem.names))
        }
        Split::Nothing | Split::Zone | Split::Name => String::new(),
        Split::Type(types) => format!(" of type {}", types_of(types)),
        Split::TypeInZone(types) => {
            format!(" of type {} in {}", types_of(types), zone_words(&facts.problem.names))
        }
        Split::Edns(true) => " with EDNS".to_owned(),
        Split::Edns(false) => " without EDNS".to_owned(),
        Split::PortsFrom(port) => format!(" from client ports {port} and above"),
        Split::PortsTo(port) => format!(" from client ports {port} and below"),
    }
}

/// Record types by name.
fn types_of(types: &[u16]) -> String {
    let types: Vec<String> = types.iter().map(|kind| type_name(*kind)).collect();
    words::list(&types, LISTED)
}

/// Attempts of the failing clients inside the windows, and those that failed, phases included.
pub fn asked_and_failed(facts: &Facts<'_>) -> (u64, u64) {
    let own = facts.transactions.len() as u64;
    let (asked, failed) = facts.impact.map_or((own, own), Impact::asked_and_failed);
    if failed == 0 { (own, own) } else { (asked, failed) }
}

/// What the failing clients asked this server in the whole capture.
pub fn total(facts: &Facts<'_>) -> u64 {
    let own = facts.transactions.len() as u64;
    let all = facts.impact.map_or(0, |impact| impact.clients.iter().map(|c| u64::from(c.total)).sum());
    own.max(all)
}

/// From when to when, with the packets that bound it.
pub fn when(b: &Builder<'_>, facts: &Facts<'_>) -> (String, Vec<PacketId>) {
    if !b.clock.has_times {
        let text = "When it failed, and for how long, cannot be told: the log states no times.".to_owned();
        return (text, super::problem::ends(facts));
    }
    let windows = facts.impact.map(|impact| impact.windows.as_slice()).unwrap_or_default();
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
        let (from, to) = (facts.problem.first_ns, facts.problem.last_ns);
        return (format!("Observed failing {}.", b.clock.during(from, to)), super::problem::ends(facts));
    };
    let mut text = match windows {
        [only] if only.is_intermittent() => format!(
            "Failures and answers alternated {} ({}): {} of {} questions failed.",
            b.clock.during(only.first_bad.at_ns, only.last_bad.at_ns),
            span(b, only),
            thousands(u64::from(only.failed)),
            thousands(u64::from(only.asked))
        ),
        [only] => format!(
            "Observed failing {} ({}){}.",
            b.clock.during(only.first_bad.at_ns, only.last_bad.at_ns),
            span(b, only),
            if only.answered == 0 {
                String::new()
            } else {
                format!(
                    ": {} of {} questions failed",
                    thousands(u64::from(only.failed)),
                    thousands(u64::from(only.asked))
                )
            }
        ),
        several => outages(b, several),
    };
    if first.last_good.is_none() && last.first_good.is_none() {
        text.push_str(&unbounded(b, facts, last));
    } else {
        text.push_str(&began(b, facts, first));
        text.push_str(&ended(b, facts, last));
    }
    let mut frames: Vec<PacketId> = Vec::new();
    for window in windows {
        let marks = [window.last_good, Some(window.first_bad), Some(window.last_bad), window.first_good];
        frames.extend(marks.into_iter().flatten().map(|mark| mark.packet));
    }
    (text, frames)
}

fn span(b: &Builder<'_>, window: &Window) -> String {
    let (first, last) = (window.first_bad, window.last_bad);
    let timed = b.input.evidence.between_ns(first.packet, last.packet).is_some();
    super::problem::lasting(timed.then(|| last.at_ns - first.at_ns).filter(|lasted_ns| *lasted_ns >= 0))
}

/// How long the capture goes on after a packet; `None` where it cannot be told.
pub fn watched_ns(b: &Builder<'_>, last: Mark) -> Option<Nanos> {
    let (index, evidence) = (b.input.index, b.input.evidence);
    if !index.has_times() {
        return None;
    }
    if evidence.was_set_back() {
        return evidence.between_ns(last.packet, PacketId(index.len().checked_sub(1)?));
    }
    Some(b.inventory.last_ns - last.at_ns)
}

fn outages(b: &Builder<'_>, windows: &[Window]) -> String {
    let told: Vec<String> = windows
        .iter()
        .take(WINDOWS_TOLD)
        .map(|window| {
            format!(
                "{} ({}, {} of {} failed)",
                b.clock.during(window.first_bad.at_ns, window.last_bad.at_ns),
                span(b, window),
                thousands(u64::from(window.failed)),
                thousands(u64::from(window.asked))
            )
        })
        .collect();
    let served = windows.iter().skip(1).all(|window| window.last_good.is_some())
        && windows.windows(2).all(|pair| match pair {
            [one, two] => two.last_good.is_some_and(|good| good.at_ns >= one.last_bad.at_ns),
            _ => true,
        });
    format!(
        "{} times it failed: {}{}.",
        thousands(windows.len() as u64),
        words::list_of(&told, WINDOWS_TOLD, windows.len()),
        if served { "; between them it answered" } else { "" }
    )
}

/// The questions of the class, denied: `No question in example.org to 198.51.100.53`.
fn question(facts: &Facts<'_>) -> String {
    let by_name = facts.impact.is_some_and(|impact| matches!(impact.split, Split::Name | Split::Zone));
    let class = match class(facts) {
        none if none.is_empty() && by_name => " for these names".to_owned(),
        class => class,
    };
    // What the same server gave over the other transport is told apart.
    let both = facts.impact.is_some_and(|impact| impact.clients.iter().any(|own| own.otherwise > 0));
    let over = match (facts.problem.transport, both) {
        (TCP, _) => " over TCP",
        (_, true) => " over UDP",
        _ => "",
    };
    format!("No question{class} of {} to {}{over}", these(facts), facts.server)
}

/// `this client`, `these clients`.
fn these(facts: &Facts<'_>) -> &'static str {
    if addresses(facts).len() == 1 { "this client" } else { "these clients" }
}

/// Where no success stands on either side.
fn unbounded(b: &Builder<'_>, facts: &Facts<'_>, last: &Window) -> String {
    let after = match watched_ns(b, last.last_bad) {
        None | Some(..=0) => String::new(),
        Some(watched) => format!(", which goes on for {}", time::span(watched)),
    };
    format!(
        " {} was answered before or after in this {}{after}; onset before and end after these times cannot be excluded.",
        question(facts),
        b.record
    )
}

fn began(b: &Builder<'_>, facts: &Facts<'_>, window: &Window) -> String {
    if let Some((good, name)) =
        window.last_good.and_then(|good| Some((good, other_name_before(b, facts, good)?)))
    {
        return format!(
            " The last answer to {} before it came at {}, for another name ({name}); no answer for what failed is in this {} before.",
            these(facts),
            b.clock.fine(good.at_ns),
            b.record
        );
    }
    match window.last_good {
        Some(good) => format!(
            " It began between {} (last answer) and {}.",
            b.clock.fine(good.at_ns),
            b.clock.fine(window.first_bad.at_ns)
        ),
        None => format!(
            " {} was answered earlier in this {}; onset before this cannot be excluded.",
            question(facts),
            b.record
        ),
    }
}

/// Names whose failures an answer to another name says nothing about: few, and each of them may fail by itself.
const FEW_NAMES: usize = 3;

/// The name of the first answer after a failure of few names, where it is none of them and none of them was answered to these clients
/// later: it says that the server answers, and not that what failed works again.
pub fn other_name(b: &Builder<'_>, facts: &Facts<'_>, good: Mark) -> Option<String> {
    another(b, facts, good, |at_ns| at_ns >= good.at_ns)
}

/// The same of the last answer before a failure, where none of the names that failed was answered until then.
fn other_name_before(b: &Builder<'_>, facts: &Facts<'_>, good: Mark) -> Option<String> {
    another(b, facts, good, |at_ns| at_ns <= good.at_ns)
}

/// The name of an answer that is none of the few that failed, where those were not answered to these clients in a part of the time.
fn another(
    b: &Builder<'_>,
    facts: &Facts<'_>,
    good: Mark,
    is_there: impl Fn(Nanos) -> bool,
) -> Option<String> {
    let (index, evidence) = (b.input.index, b.input.evidence);
    let problem = facts.problem;
    if problem.has_cut_names || problem.names.is_empty() || problem.names.len() > FEW_NAMES {
        return None;
    }
    let own_name = |own: &Transaction| {
        let row = own.question(index)?;
        let packet = index.packet(own.first)?;
        Some(crate::decode::dns::presentation(packet.segment.names.get(row.name)?))
    };
    let first = evidence.transaction(evidence.transaction_of(good.packet)?)?;
    let name = own_name(first).filter(|name| !problem.names.contains(name))?;
    let answered = |own: &&Transaction| {
        let Some(query) = index.packet(own.first) else { return false };
        is_there(query.time_ns())
            && query.destination_address() == facts.server
            && problem.clients.contains(&query.source_address())
            && own.outcome == Outcome::Answered
            && !is_error_code(own.response_code)
            && own_name(own).is_some_and(|name| problem.names.contains(&name))
    };
    let served = evidence.transactions.iter().take(spared::LOOKED_AT_MAX).any(|own| answered(&own));
    (!served).then(|| crate::findings::rules::plain_name(&name))
}

/// Whether any of the names that failed was asked for at the same server after a window.
fn is_asked_later(b: &Builder<'_>, facts: &Facts<'_>, window: &Window) -> bool {
    let (index, problem) = (b.input.index, facts.problem);
    if problem.has_cut_names || problem.names.len() > NAMES_MAX {
        return true;
    }
    let names: BTreeSet<&String> = problem.names.iter().collect();
    b.input.evidence.transactions.iter().rev().take(spared::LOOKED_AT_MAX).any(|own| {
        let Some((row, query)) = own.question(index).zip(index.packet(own.first)) else { return false };
        query.time_ns() > window.last_bad.at_ns
            && query.destination_address() == facts.server
            && problem.clients.contains(&query.source_address())
            && query
                .segment
                .names
                .get(row.name)
                .is_some_and(|wire| names.contains(&crate::decode::dns::presentation(wire)))
    })
}

/// Failed names that are looked for in what follows.
const NAMES_MAX: usize = 64;

fn ended(b: &Builder<'_>, facts: &Facts<'_>, window: &Window) -> String {
    if let Some((good, name)) = window.first_good.and_then(|good| Some((good, other_name(b, facts, good)?))) {
        return format!(
            " The next answer to {} came at {}, for another name ({name}).",
            these(facts),
            b.clock.fine(good.at_ns)
        );
    }
    let again = if is_asked_later(b, facts, window) { "" } else { "; nothing of it was asked again" };
    match window.first_good {
        Some(good) => format!(
            " It ended between {} and {} (first answer).",
            b.clock.fine(window.last_bad.at_ns),
            b.clock.fine(good.at_ns)
        ),
        None => match watched_ns(b, window.last_bad) {
            None => format!(" No recovery within the {}.", b.record),
            Some(..=0) => format!(" No recovery within the {}, which ends with it.", b.record),
            Some(watched) => {
                format!(
                    " No recovery within the {}, which goes on for {}{again}.",
                    b.record,
                    time::span(watched)
                )
            }
        },
    }
}

/// Who was rescued, who never served, and who was not affected; `None` where nothing is to be said beyond who failed.
pub fn who(b: &Builder<'_>, facts: &Facts<'_>) -> Option<(String, Vec<PacketId>)> {
    let impact = facts.impact?;
    let mut parts = Vec::new();
    let mut rows = facts.users();
    let flood = impact.clients.len() - rows.len();
    if flood > 0 {
        let sent: Vec<String> = facts.flooders.iter().map(ToString::to_string).collect();
        parts.push(format!(
            "{} of the {} clients sent the flood ({})",
            thousands(flood as u64),
            thousands(impact.clients.len() as u64),
            words::list(&sent, LISTED)
        ));
    }
    if rows.is_empty() {
        parts.push("no other client failed".to_owned());
    } else if rows.len() <= CLIENTS_TOLD {
        rows.sort_by_key(|client| !client.is_without_service());
        parts.extend(rows.into_iter().map(|client| one(facts, client)));
    } else {
        parts.push(many(facts, &rows));
    }
    let floods = |address: &&Address| facts.flooders.binary_search(address).is_ok();
    let beside = impact.unaffected.iter().filter(floods).count();
    if beside > 0 && flood == 0 {
        parts.push(format!(
            "{} addresses that asked three questions at most sent the surge; such sources may be forged",
            thousands(facts.flooders.len() as u64)
        ));
    }
    let ordinary = |address: &&Address| !floods(address);
    let slow = |address: &Address| impact.slow.iter().any(|(own, _)| own == address);
    let sure = |address: &&Address| impact.mixed.binary_search(address).is_err() && !slow(address);
    let hit = spared::hit(b, facts);
    let spared = |address: &Address| !hit.contains(address);
    let others = impact.unaffected.iter().filter(ordinary).filter(sure).filter(|own| spared(own));
    let others: Vec<String> = others.map(ToString::to_string).collect();
    if !others.is_empty() {
        let verb = if others.len() == 1 { "was" } else { "were" };
        parts.push(format!(
            "not affected: {}, which asked the same server meanwhile and {verb} answered",
            words::list(&others, LISTED)
        ));
    }
    parts.extend(waited(impact, &ordinary));
    parts.extend(spared::elsewhere(b, facts, &hit));
    let mixed: Vec<String> = impact.mixed.iter().filter(ordinary).map(ToString::to_string).collect();
    if !mixed.is_empty() {
        parts.push(format!(
            "some questions of {} were answered by the same server meanwhile, others were not or their end cannot be told",
            words::list(&mixed, LISTED)
        ));
    }
    if impact.answered_beside > 0 {
        let other = words::count(impact.answered_beside as usize, "other question", "other questions");
        let same = these(facts);
        parts.push(format!("{other} of {same} to this server got an answer meanwhile"));
    }
    let mut frames: Vec<PacketId> = impact.clients.iter().filter_map(|client| client.slowest).collect();
    frames.extend(super::problem::ends(facts));
    let parts: Vec<String> = parts.iter().map(|part| sentence(part)).collect();
    (!parts.is_empty()).then(|| (parts.join(" "), frames))
}

/// Clients that were answered by the same server, but not before they asked again or people noticed.
fn waited(impact: &Impact, ordinary: &impl Fn(&&Address) -> bool) -> Option<String> {
    let slow = impact.slow.iter().filter(|(address, _)| ordinary(&address));
    let longest_ns = slow.clone().map(|(_, longest_ns)| *longest_ns).max()?;
    let named: Vec<String> = slow.map(|(address, _)| address.to_string()).collect();
    Some(format!(
        "answered in the end, but after up to {}: {}",
        time::span(longest_ns),
        words::list(&named, LISTED)
    ))
}

fn one(facts: &Facts<'_>, client: &Client) -> String {
    let name = name(client);
    let failed = thousands(u64::from(client.failed));
    let wait = client.longest_wait_ns.map(time::span).unwrap_or_default();
    let by = client.rescuer.map(|by| rescuer(facts.problem, by)).unwrap_or_default();
    let number = u64::from(client.failed);
    let of = format!("{failed} of {}", words::count(client.asked as usize, "question", "questions"));
    if client.is_searched() {
        let all = if number == 1 { "as a try" } else { "all of them tries" };
        return format!(
            "{of} of {name} failed, {all} of a search list: each lookup was answered for another name of it, after {wait} at most"
        );
    }
    if client.is_rescued() && client.repeated == 0 {
        let all = if number == 1 { "it" } else { "each of them" };
        return format!("{of} of {name} failed here, and {by} answered {all}, after {wait} at most");
    }
    if client.rescued > 0 {
        return format!(
            "{of} of {name} failed here; {by} answered {} of them, after {wait} at most, and {} stayed without answer",
            thousands(u64::from(client.rescued)),
            thousands(u64::from(client.lost()))
        );
    }
    if client.never_served && client.otherwise > 0 {
        let over = if facts.problem.transport == TCP { "UDP" } else { "TCP" };
        let others = words::count(client.otherwise as usize, "other question", "other questions");
        return format!(
            "{of} of {name} failed{}; the same server answered {others} of it over {over} meanwhile",
            late(client)
        );
    }
    if client.never_served {
        let otherwise = client.otherwise_failed;
        let open = client.asked - client.failed - otherwise;
        let mut rest = match otherwise {
            0 => String::new(),
            some => format!(", {} failed in another way", thousands(u64::from(some))),
        };
        let further = match open {
            open if open > 0 && open == client.unchecked => format!(
                ", {} without checking (CD) {} answered",
                words::count(open as usize, "question", "questions"),
                if open == 1 { "was" } else { "were" }
            ),
            0 => String::new(),
            1 => ", how the other one ended cannot be told".to_owned(),
            open => format!(", how the other {open} ended cannot be told"),
        };
        rest += &further;
        let in_time = format!("no other {} answered any of them in time", server_word(facts));
        // Where others of its questions were answered, only these were not.
        let class = class(facts);
        let beside = facts.impact.is_some_and(|impact| impact.answered_beside > 0);
        if !class.is_empty() || beside || client.late > 0 {
            let of = format!(
                "{failed} of {}{class}",
                words::count(client.asked as usize, "question", "questions")
            );
            return format!("{of} of {name} failed{}{rest}; {in_time}", late(client));
        }
        return format!(
            "{name} was never served meanwhile: {of} failed{}{rest}, and {in_time}",
            late(client)
        );
    }
    let again = match client.repeated {
        0 => String::new(),
        again if client.searched > 0 => format!(
            "; {} answered when asked again or for another name of a search list, after {wait} at most",
            was(again)
        ),
        again => format!("; {} answered when asked again, after {wait} at most", was(again)),
    };
    format!("{of} of {name} failed{}{again}", late(client))
}

/// Failed questions that got no message of their own and are put to the errors before and after them.
pub fn without_message(facts: &Facts<'_>) -> u64 {
    let limited = |own: &&&Transaction| own.outcome == Outcome::CoveredByRateLimit;
    facts.transactions.iter().filter(limited).count() as u64
}

/// `, 5 more got neither an answer nor a message`; empty for none.
pub fn silent_beside(limited: u64) -> String {
    match limited {
        0 => String::new(),
        more => format!(
            ", {} more got neither an answer nor a message, as where a host limits its errors",
            thousands(more)
        ),
    }
}

/// ` (2 of them answered, too late)`; what came late is not lost.
fn late(client: &Client) -> String {
    match client.late {
        0 => String::new(),
        all if all == client.failed => " (answered, but too late)".to_owned(),
        some => format!(" ({} of them answered, but too late)", thousands(u64::from(some))),
    }
}

/// What else could have answered: a resolver, or where a resolver asks, a server of the zone.
fn server_word(facts: &Facts<'_>) -> &'static str {
    if facts.any_recursive { "resolver" } else { "server" }
}

fn was(number: u32) -> String {
    if number == 1 { "1 was".to_owned() } else { format!("{} were", thousands(u64::from(number))) }
}

/// An address, and the others of the same host.
fn name(client: &Client) -> String {
    match client.others.as_slice() {
        [] => client.address.to_string(),
        others => {
            let others: Vec<String> = others.iter().map(ToString::to_string).collect();
            format!("{} (also {})", client.address, words::list(&others, LISTED))
        }
    }
}

fn many(facts: &Facts<'_>, clients: &[&Client]) -> String {
    let all = clients.len();
    let stranded = clients.iter().filter(|client| client.is_without_service());
    let stranded: Vec<String> = stranded.map(|client| client.address.to_string()).collect();
    let rescued: Vec<&&Client> = clients.iter().filter(|client| client.is_rescued()).collect();
    let mut parts = Vec::new();
    if !stranded.is_empty() {
        let (n, verb) = (stranded.len(), if stranded.len() == 1 { "was" } else { "were" });
        let which = if n == all { String::new() } else { format!(" ({})", words::list(&stranded, LISTED)) };
        parts.push(format!(
            "{}{which} {verb} never served meanwhile: no other {} answered what failed",
            of_all(n, all),
            server_word(facts)
        ));
    }
    if !rescued.is_empty() {
        let wait_ns: Nanos =
            rescued.iter().filter_map(|client| client.longest_wait_ns).max().unwrap_or_default();
        let by: std::collections::BTreeSet<_> = rescued.iter().filter_map(|client| client.rescuer).collect();
        let by: Vec<String> = by.into_iter().map(|by| rescuer(facts.problem, by)).collect();
        let by = match by.as_slice() {
            [] => "the same server, asked again or for another name of a search list".to_owned(),
            by => words::list(by, LISTED),
        };
        parts.push(format!(
            "{} got every failed question answered by {by}, after {} at most",
            of_all(rescued.len(), all),
            time::span(wait_ns)
        ));
    }
    let rest = all - stranded.len() - rescued.len();
    if rest > 0 {
        parts.push(format!(
            "{} {} served in part",
            of_all(rest, all),
            if rest == 1 { "was" } else { "were" }
        ));
    }
    parts.join("; ")
}

fn of_all(number: usize, all: usize) -> String {
    if number == all {
        format!("all {all} clients")
    } else {
        format!("{number} of the {all} clients that failed")
    }
}

/// What it meant for users, in plain words.
pub fn effect(facts: &Facts<'_>) -> Option<String> {
    let impact = facts.impact?;
    if facts.checks {
        let text = "for users: the questions are the same one again and again, as the checks of a balancer; no user's lookup is among \
                    them";
        return Some(sentence(text));
    }
    let users = Some(facts.users()).filter(|users| !users.is_empty())?;
    if let Some((_, many)) = facts.called {
        let text = format!(
            "for users: no lookup is among these {many}; copies of the zone at other servers, or its records, may stay out of date"
        );
        return Some(sentence(&text));
    }
    if !facts.any_recursive {
        let text = "for users: these questions are a resolver's own (asked without recursion desired); what the people behind it saw depends on \
                    its cache and on the other servers it can ask";
        return Some(sentence(text));
    }
    let all = users.len();
    let stranded = users.iter().filter(|client| client.is_without_service()).count();
    let wait_ns = users.iter().filter_map(|client| client.longest_wait_ns).max();
    let what = match impact.split {
        Split::Zone if impact.answered_beside > 0 => format!("names{}", class(facts)),
        _ if impact.answered_beside > 0 => "what failed".to_owned(),
        _ if facts.problem.names.len() == 1 && !facts.problem.has_cut_names => {
            "the name it asked for".to_owned()
        }
        _ => "the names it asked for".to_owned(),
    };
    let what = if all == 1 { what } else { what.replace(" it ", " they ") };
    let who = |number: usize| match (number, all) {
        (1, 1) => "this client".to_owned(),
        (2, 2) => "both clients".to_owned(),
        (number, all) if number == all => format!("all {all} clients"),
        (number, all) => format!("{number} of {all} clients"),
    };
    let addressed = |types: &[u16]| types.contains(&ADDRESS_V4) || types.contains(&ADDRESS_V6);
    let types = impact.split.types().filter(|_| impact.answered_beside > 0);
    let text = if let Some(types) = types.filter(|types| !addressed(types)) {
        format!(
            "what {} asked for of type {} was missing; other types, addresses among them where those were asked for, were answered",
            who(all),
            types_of(types)
        )
    } else if let Some(types) = types.filter(|types| **types == [ADDRESS_V6]) {
        format!(
            "what {} asked for{} was missing, and programs that ask for addresses of both families wait for it; other questions were \
             answered",
            who(all),
            if matches!(impact.split, Split::TypeInZone(_)) {
                class(facts)
            } else {
                format!(" of type {}", types_of(types))
            }
        )
    } else if impact.is_covered() && wait_ns.unwrap_or_default() < UNNOTICED_NS {
        format!("nothing to be noticed: each lookup was answered within {}", time::span(UNNOTICED_NS))
    } else if impact.is_searched() {
        format!(
            "lookups were delayed by up to {}, not interrupted, for {}: what failed are tries of the search list (search and ndots \
             in resolv.conf) for names in {}, and each lookup was then answered for another name of it",
            time::span(wait_ns.unwrap_or_default()),
            who(all),
            zone_words(&facts.problem.names)
        )
    } else if impact.is_covered() || users.iter().all(|client| client.lost() == 0) {
        format!(
            "lookups were delayed by up to {}, not interrupted, for {}",
            time::span(wait_ns.unwrap_or_default()),
            who(all)
        )
    } else if stranded == all {
        format!("while it lasted, {} could not look up {what}", who(all))
    } else if stranded > 0 {
        format!(
            "while it lasted, {} could not look up {what}; the others were delayed or served in part",
            who(stranded)
        )
    } else {
        format!("lookups of {} failed or were delayed in part", who(all))
    };
    Some(sentence(&format!("for users: {text}")))
}

/// Whether a client that asked the same server without failing is in the capture.
pub fn has_unaffected(facts: &Facts<'_>) -> bool {
    facts.impact.is_some_and(|impact| !impact.unaffected.is_empty())
}

/// The successes around all windows, where there are any: last before, first after.
pub fn bounds(b: &Builder<'_>, facts: &Facts<'_>) -> (Option<Mark>, Option<Mark>) {
    let windows = facts.impact.map(|impact| impact.windows.as_slice()).unwrap_or_default();
    let before = windows.first().and_then(|window| window.last_good);
    let after = windows.last().and_then(|window| window.first_good);
    (
        before.filter(|good| other_name_before(b, facts, *good).is_none()),
        after.filter(|good| other_name(b, facts, *good).is_none()),
    )
}

/// The addresses of the clients that failed, one each.
pub fn addresses(facts: &Facts<'_>) -> Vec<Address> {
    facts.impact.map_or_else(
        || facts.problem.clients.clone(),
        |impact| impact.clients.iter().map(|client| client.address).collect(),
    )
}
