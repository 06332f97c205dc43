//! The observed sentences about one problem: who asked, what came back, when, and what the client did next.

use std::collections::{BTreeMap, BTreeSet};

use super::super::facts::Facts;
use super::super::words;
use super::super::{Block, Voice};
use super::{Builder, outage};
use crate::correlate::windows::Mark;
use crate::correlate::{Level, Signature};
use crate::findings::rules::CUT_NAMES;
use crate::index::PacketId;
use crate::protocols::dns::{extended_error_name, failure_name};
use crate::text::international;
use crate::text::thousands;
use crate::time;

/// Addresses or names spelled out in one sentence.
const NAMED_MAX: usize = 3;
/// Repeats told one by one.
const WAITS_MAX: usize = 4;
/// Wordings of one kind of consequence told one by one.
const TEXTS_MAX: usize = 3;

/// All observed claims about a problem, in order.
pub fn claims(b: &Builder<'_>, facts: &Facts<'_>) -> Vec<Block> {
    let mut blocks = vec![queries(b, facts)];
    blocks.extend(errors(b, facts));
    blocks.push(when(b, facts));
    blocks.extend(ties(b, facts));
    blocks.extend(delays(b, facts));
    blocks.extend(repeats(b, facts));
    blocks.extend(next_queries(b, facts));
    blocks.push(recovery(b, facts));
    blocks.extend(consequences(b, facts));
    blocks
}

pub fn clients(facts: &Facts<'_>) -> String {
    let clients: Vec<String> = facts.problem.clients.iter().map(ToString::to_string).collect();
    match clients.as_slice() {
        [one] => format!("a client at {one}"),
        many => {
            format!("{} ({})", words::count(many.len(), "client", "clients"), words::list(many, NAMED_MAX))
        }
    }
}

pub fn names(facts: &Facts<'_>) -> String {
    let named = facts.problem.names.iter().map(|name| international::beside(words::name(name), name));
    let names: Vec<String> = named.collect();
    let read = match names.as_slice() {
        [] => return CUT_NAMES.to_owned(),
        few if few.len() <= NAMED_MAX => words::list(few, NAMED_MAX),
        many => format!("{} names ({})", many.len(), words::list(many, NAMED_MAX)),
    };
    if facts.problem.has_cut_names { format!("{read} and {CUT_NAMES}") } else { read }
}

/// What became of the queries, to end the first sentence.
fn outcome(facts: &Facts<'_>) -> String {
    match &facts.problem.signature {
        Signature::Icmp { .. } if facts.transactions.iter().all(|t| t.answer.is_none()) => {
            "none was answered".to_owned()
        }
        Signature::Icmp { .. } if facts.refused() == facts.transactions.len() => {
            "each met an ICMP error".to_owned()
        }
        Signature::Icmp { .. } => format!("{} of them met an ICMP error", thousands(facts.refused() as u64)),
        Signature::NoAnswer if facts.blocked.is_some() => {
            format!("the log itself says that {} blocked them", facts.blocked.as_deref().unwrap_or(""))
        }
        Signature::NoAnswer if facts.elsewhere.2 > 0 => format!(
            "{} of them were answered from {}, which was not asked; from {} neither an answer nor an error was seen",
            thousands(facts.elsewhere.2 as u64),
            facts.answered_by(),
            facts.server
        ),
        Signature::NoAnswer => "neither an answer nor an error was seen".to_owned(),
        Signature::ResponseCode(code) => format!("each was answered with {}", failure_name(*code)),
        Signature::TcpReset => "the TCP connection was reset or not accepted".to_owned(),
        Signature::ResetMidway => {
            "the server reset the TCP connection after it had sent something".to_owned()
        }
        Signature::Closed => "the server closed the TCP connection (FIN) without an answer".to_owned(),
        Signature::Mute => "the server acknowledged the question over TCP and sent no answer".to_owned(),
        Signature::Truncated => "the answers were cut (TC set) and TCP brought no whole one".to_owned(),
        Signature::NotReceived => "answers were sent, but did not reach who asked".to_owned(),
        Signature::Late => "the answers came late".to_owned(),
    }
}

/// What became of the failed questions: `were answered late`, of a single one `was answered late`.
pub fn met(facts: &Facts<'_>, asked: u64) -> String {
    let all = met_by_all(facts);
    match all.strip_prefix("were ") {
        Some(rest) if asked == 1 => format!("was {rest}"),
        _ => all,
    }
}

fn met_by_all(facts: &Facts<'_>) -> String {
    match &facts.problem.signature {
        Signature::Icmp { v6, kind, code } => {
            let from: Vec<String> = facts.senders.iter().map(ToString::to_string).collect();
            let family = if *v6 { "ICMPv6" } else { "ICMP" };
            let error =
                format!("{family} {} from {}", words::icmp(*v6, *kind, *code).0, words::list(&from, 3));
            match facts.transactions.len() - facts.refused() {
                0 => format!("met {error}"),
                silent => format!(
                    "met {error} or, {} of them, nothing at all between such errors, as their rate limit explains",
                    thousands(silent as u64)
                ),
            }
        }
        Signature::ResponseCode(code) => {
            format!("were answered with {}{}", failure_name(*code), reasons(facts))
        }
        Signature::NoAnswer if facts.blocked.is_some() => {
            format!("were blocked by {}, as the log itself says", facts.blocked.as_deref().unwrap_or(""))
        }
        Signature::NoAnswer if facts.is_answered_elsewhere() => {
            format!("were answered from {}, not from the address they asked", facts.answered_by())
        }
        Signature::NoAnswer if facts.elsewhere.2 > 0 => format!(
            "got neither an answer nor an error from it ({} of them an answer from {})",
            facts.elsewhere.2,
            facts.answered_by()
        ),
        Signature::NoAnswer => "got neither an answer nor an error".to_owned(),
        Signature::TcpReset => "met a TCP reset".to_owned(),
        Signature::ResetMidway => "were cut off by a TCP reset".to_owned(),
        Signature::Closed => "got no answer before the server closed the TCP connection".to_owned(),
        Signature::Mute => "were acknowledged over TCP and never answered".to_owned(),
        Signature::Truncated => "were answered with a cut message and got no whole one over TCP".to_owned(),
        Signature::NotReceived => "were answered, but the answers did not reach who asked".to_owned(),
        Signature::Late => "were answered late".to_owned(),
    }
}

/// Reasons named of one failure.
const REASONS_MAX: usize = 2;

/// The reasons the server gave with its answers (RFC 8914): ` and extended DNS error 7 (Signature Expired)`; empty without any.
fn reasons(facts: &Facts<'_>) -> String {
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for code in facts.transactions.iter().filter_map(|transaction| transaction.extended_error) {
        *counts.entry(code).or_default() += 1;
    }
    let mut counts: Vec<(u16, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
    let all = facts.transactions.len();
    let told: Vec<String> = counts
        .iter()
        .take(REASONS_MAX)
        .map(|(code, count)| {
            let some =
                if *count == all { String::new() } else { format!(", {} of them", thousands(*count as u64)) };
            format!("{code} ({}{some})", extended_error_name(*code))
        })
        .collect();
    if told.is_empty() {
        String::new()
    } else {
        format!(" and extended DNS error {}", words::list(&told, REASONS_MAX))
    }
}

fn queries(b: &Builder<'_>, facts: &Facts<'_>) -> Block {
    let who = clients(facts);
    let mut who = who.chars();
    let who: String = who.next().into_iter().flat_map(char::to_uppercase).chain(who).collect();
    let asked = if facts.called.is_some() {
        format!("about {}", names(facts))
    } else if facts.all_recursive {
        format!("asking it to find (recursion desired) {} {}", words::asked(&facts.types), names(facts))
    } else {
        format!("asking for {} {}", words::asked(&facts.types), names(facts))
    };
    let (failed, all) = (facts.transactions.len() as u64, outage::total(facts));
    let repeated = facts.queries.len() as u64 != failed;
    let (one, many) = match facts.called {
        Some(called) => called,
        None if repeated => ("DNS question", "DNS questions"),
        None => ("DNS query", "DNS queries"),
    };
    let tries = if repeated {
        format!(" (sent as {})", words::count(facts.queries.len(), "query", "queries"))
    } else {
        String::new()
    };
    let to = format!(
        "over {} to {}, port {}",
        words::transport(facts.problem.transport),
        facts.server,
        facts.port
    );
    // Where more was asked than what failed, the number says that it counts the failures.
    let text = if failed < all {
        format!(
            "{} failed{tries}, of {} that {} sent {to}, {asked}; {}.",
            words::count(failed as usize, one, many),
            thousands(all),
            clients(facts),
            outcome(facts)
        )
    } else {
        format!(
            "{who} sent {} {to}{tries}, {asked}; {}.",
            words::count(failed as usize, one, many),
            outcome(facts)
        )
    };
    b.claim(&format!("{}.queries", facts.key), Voice::Observed, text, &facts.queries)
}

fn errors(b: &Builder<'_>, facts: &Facts<'_>) -> Option<Block> {
    let Signature::Icmp { v6, kind, code } = facts.problem.signature else { return None };
    let (short, long) = words::icmp(v6, kind, code);
    let senders: Vec<String> = facts.senders.iter().map(ToString::to_string).collect();
    let who = if facts.is_from_server_itself() {
        facts.server.to_string()
    } else {
        format!("{} (not the server {} itself)", words::list(&senders, NAMED_MAX), facts.server)
    };
    let said = if facts.is_port_unreachable() {
        format!(
            "“{} port {} unreachable”",
            words::transport(facts.problem.transport).to_lowercase(),
            facts.port
        )
    } else {
        format!("“{short}”")
    };
    let covered = facts.refused();
    let about: BTreeSet<PacketId> = facts.ties.iter().filter_map(|tie| tie.link.to).collect();
    let each = facts.errors.len() == facts.queries.len() && about.len() == facts.queries.len();
    let text = if covered == facts.transactions.len() && each {
        let after = if covered == 1 { "After the query" } else { "After each query" };
        format!("{after} {who} returned the error message {said}: an {long}.")
    } else {
        format!(
            "{} about these queries came from {who}; the message is {said}: an {long}.",
            words::count(facts.errors.len(), "ICMP error", "ICMP errors")
        )
    };
    Some(b.claim(&format!("{}.errors", facts.key), Voice::Observed, text, &facts.errors))
}

fn when(b: &Builder<'_>, facts: &Facts<'_>) -> Block {
    let basis = if !b.clock.has_times {
        "Packets stand in the order in which they were printed."
    } else if b.clock.counted == time::Basis::Start {
        "Seconds as printed, counted from a moment that is not recorded."
    } else if b.clock.counted == time::Basis::Local {
        "Date and time as printed, time zone not recorded."
    } else if b.clock.has_date {
        "Clock of the capturing host, its local time zone not recorded."
    } else {
        "Time of day as logged; date with its year and time zone not recorded."
    };
    let (text, frames) = outage::when(b, facts);
    b.claim(&format!("{}.when", facts.key), Voice::Observed, format!("{text} {basis}"), &frames)
}

/// How long something was observed; `None` where it cannot be told.
pub fn lasting(lasted_ns: Option<time::Nanos>) -> String {
    match lasted_ns {
        Some(0) => "a single moment".to_owned(),
        Some(lasted_ns) => time::span(lasted_ns),
        None => "for how long cannot be told".to_owned(),
    }
}

/// First and last frame of a problem.
pub fn ends(facts: &Facts<'_>) -> Vec<PacketId> {
    facts.frames.first().copied().into_iter().chain(facts.last()).collect()
}

fn ties(b: &Builder<'_>, facts: &Facts<'_>) -> Option<Block> {
    if facts.ties.is_empty() {
        return None;
    }
    let levels = [Level::Exact, Level::Probable, Level::Nat, Level::Orphan, Level::Contradicted];
    let counted: Vec<String> = levels
        .iter()
        .filter_map(|level| {
            let count = facts.ties.iter().filter(|tie| tie.link.level == *level).count();
            (count > 0).then(|| format!("{} {}", crate::text::thousands(count as u64), level.name()))
        })
        .collect();
    let reason = facts.ties.first().map_or("", |tie| tie.link.reason.words());
    let text = format!(
        "Each error was compared with the queries before it; links by level: {} (first link: {reason}).",
        words::list(&counted, levels.len())
    );
    let pairs: Vec<(PacketId, PacketId)> =
        facts.ties.iter().filter_map(|tie| Some((tie.link.to?, tie.error))).collect();
    Some(b.paired(&format!("{}.links", facts.key), Voice::Observed, text, &pairs))
}

fn delays(b: &Builder<'_>, facts: &Facts<'_>) -> Option<Block> {
    let linked: Vec<_> = facts.ties.iter().filter_map(|tie| Some((tie.link.to?, tie))).collect();
    let (late, prompt): (Vec<_>, Vec<_>) = linked.into_iter().partition(|(_, tie)| tie.link.delayed);
    let mut text = String::new();
    let mut pairs = Vec::new();
    if !prompt.is_empty() {
        let values = prompt.iter().map(|(_, tie)| tie.link.delta_ns).collect();
        let spread = super::super::facts::Spread::of(values)?;
        text = if time::span(spread.min) == time::span(spread.max) && prompt.len() > 1 {
            format!(
                "Errors followed their queries after {} each (n = {}).",
                time::span(spread.min),
                spread.count
            )
        } else if prompt.len() == 1 {
            format!("The error followed its query after {}.", time::span(spread.min))
        } else {
            format!(
                "Errors followed their queries after {} to {} (median {}, n = {}).",
                time::span(spread.min),
                time::span(spread.max),
                time::span(spread.median),
                spread.count
            )
        };
        pairs.extend(prompt.iter().map(|(query, tie)| (*query, tie.error)));
    }
    if !late.is_empty() {
        let values: Vec<String> =
            late.iter().map(|(_, tie)| format!("{} s", time::seconds(tie.link.delta_ns))).collect();
        let subject = if late.len() == 1 { "error came" } else { "errors came" };
        text = format!(
            "{text}{}{} {subject} {} after {}, longer than such an error takes; {} not used as a measure of speed.",
            if text.is_empty() { "" } else { " " },
            late.len(),
            words::list(&values, 4),
            if late.len() == 1 { "its query" } else { "their queries" },
            if late.len() == 1 { "this delay is" } else { "these delays are" },
        );
        pairs.extend(late.iter().map(|(query, tie)| (*query, tie.error)));
    }
    (!text.is_empty()).then(|| b.paired(&format!("{}.delays", facts.key), Voice::Observed, text, &pairs))
}

fn repeats(b: &Builder<'_>, facts: &Facts<'_>) -> Option<Block> {
    let attempts = facts.transactions.len();
    if attempts < 2 {
        return None;
    }
    let apart = match facts.spacing {
        None => String::new(),
        // The gaps are those between neighbours; of several episodes some are not among them.
        Some(spacing) if spacing.min == spacing.max && spacing.count + 1 == attempts => {
            format!(": the queries were sent exactly {} s apart", time::seconds(spacing.min))
        }
        Some(spacing) if spacing.min == spacing.max => {
            format!(": the same name was asked for again after {}", time::span(spacing.min))
        }
        Some(spacing) => format!(
            ": the same name was asked for again after {} to {} (median {})",
            time::span(spacing.min),
            time::span(spacing.max),
            time::span(spacing.median)
        ),
    };
    let same = if facts.ids.len() == 1 && facts.ports.len() == 1 {
        let id = facts.ids.first().copied().unwrap_or(0);
        let port = facts.ports.first().copied().unwrap_or(0);
        format!(", all with query number {id} and source port {port}")
    } else {
        String::new()
    };
    let lookups = facts.lookups;
    let of_lookups = if lookups < attempts {
        format!(" of {}", words::count(lookups, "lookup", "lookups"))
    } else {
        String::new()
    };
    let text = format!(
        "These are {}{of_lookups} in {}{apart}{same}.",
        words::count(attempts, "attempt", "attempts"),
        words::count(facts.problem.episodes.len(), "episode", "episodes"),
    );
    Some(b.claim(&format!("{}.attempts", facts.key), Voice::Observed, text, &facts.queries))
}

fn next_queries(b: &Builder<'_>, facts: &Facts<'_>) -> Option<Block> {
    let few = !facts.waits.is_empty() && facts.waits.len() <= WAITS_MAX;
    if !few {
        return None;
    }
    let waits: Vec<String> =
        facts.waits.iter().map(|(_, _, wait)| format!("{} s", time::seconds(*wait))).collect();
    let errors: Vec<String> = facts.waits.iter().map(|(error, ..)| b.input.index.label(*error)).collect();
    let text = format!(
        "After {} the same server was asked for the same name again, {} later.",
        words::list(&errors, 4),
        words::list(&waits, 4)
    );
    let pairs: Vec<(PacketId, PacketId)> =
        facts.waits.iter().map(|(error, query, _)| (*error, *query)).collect();
    Some(b.paired(&format!("{}.again", facts.key), Voice::Observed, text, &pairs))
}

fn recovery(b: &Builder<'_>, facts: &Facts<'_>) -> Block {
    let id = format!("{}.recovery", facts.key);
    if let Some(answer) = facts.recovery {
        let good = Mark { at_ns: b.time(answer), packet: answer };
        let at = b.clock.prose(good.at_ns);
        let text = if let Some(name) = outage::other_name(b, facts, good) {
            format!(
                "The next answer of {} to who asked came at {at}, for another name ({name}); no answer for what failed follows in this {}.",
                facts.server, b.record
            )
        } else {
            let class = outage::class(facts);
            let to = if class.is_empty() { String::new() } else { format!(" to a question{class}") };
            format!("The first answer of {}{to} after the failure came at {at}.", facts.server)
        };
        return b.claim(&id, Voice::Observed, text, &[answer]);
    }
    let frames: Vec<PacketId> = facts.last().into_iter().collect();
    let last = frames.first().map(|packet| Mark { at_ns: facts.problem.last_ns, packet: *packet });
    let ends = match last.and_then(|last| outage::watched_ns(b, last)) {
        None => format!("how long the {} goes on after it cannot be told", b.record),
        Some(..=0) => format!("the {} ends with the last frame of this failure", b.record),
        Some(watched) => {
            format!("the {} ends {} after the last frame of this failure", b.record, time::span(watched))
        }
    };
    b.claim(&id, Voice::Observed, format!("No recovery within the {}: {ends}.", b.record), &frames)
}

/// What the clients did after the failures, one sentence a kind.
fn consequences(b: &Builder<'_>, facts: &Facts<'_>) -> Vec<Block> {
    let mut kinds: Vec<Kind> = Vec::new();
    let episodes = facts.problem.episodes.iter().map(|id| id.0 as usize);
    for (at, episode) in episodes.filter_map(|at| Some((at, b.input.evidence.episodes.get(at)?))) {
        let number = at;
        for next in b.input.evidence.consequences(at) {
            let frames = if next.frames.is_empty() { &episode.frames } else { &next.frames };
            let at = kinds.iter().position(|kind| kind.code == next.code).unwrap_or_else(|| {
                kinds.push(Kind {
                    code: next.code,
                    texts: Vec::new(),
                    frames: Vec::new(),
                    episodes: BTreeSet::new(),
                });
                kinds.len() - 1
            });
            let Some(kind) = kinds.get_mut(at) else { continue };
            kind.episodes.insert(number);
            kind.frames.extend(frames);
            if !kind.texts.contains(&next.text) && kind.texts.len() <= TEXTS_MAX {
                kind.texts.push(next.text.clone());
            }
        }
    }
    // A repeat at the same server is told with its exact times already.
    let told = !facts.waits.is_empty() && facts.waits.len() <= WAITS_MAX;
    kinds
        .into_iter()
        .filter(|kind| !(told && kind.code == "C1"))
        .map(|kind| {
            let id = format!("{}.then.{}", facts.key, kind.code);
            b.claim(
                &id,
                Voice::Observed,
                then(kind.code, &kind.text(), facts.problem.clients.len(), b.record),
                &kind.frames,
            )
        })
        .collect()
}

/// One kind of consequence over all episodes.
struct Kind {
    code: &'static str,
    texts: Vec<String>,
    frames: Vec<PacketId>,
    episodes: BTreeSet<usize>,
}

impl Kind {
    fn text(&self) -> String {
        if let [only] = self.texts.as_slice() {
            return only.clone();
        }
        let times = words::count(self.episodes.len(), "episode", "episodes");
        match self.code {
            "C1" => format!("asked the same server again for the same name, in {times}"),
            _ if self.texts.len() <= TEXTS_MAX => {
                let texts: Vec<&str> = self.texts.iter().map(|text| text.trim_end_matches('.')).collect();
                texts.join("; ")
            }
            "C5" => format!("asked for related names, in {times}"),
            _ => {
                let first = self.texts.first().cloned().unwrap_or_default();
                format!("{first}; similar in {times} in all")
            }
        }
    }
}

/// What the client did next, as a sentence.
pub fn then(code: &str, text: &str, clients: usize, record: &str) -> String {
    let who = if clients == 1 { "the client" } else { "the clients" };
    if code == "C10" {
        return format!(
            "What {who} did after the last failure is undetermined: the {record} ends too soon to show it."
        );
    }
    let mut characters = text.trim().chars();
    let lower: String =
        characters.next().into_iter().flat_map(char::to_lowercase).chain(characters).collect();
    // Where the text tells the outcome after a colon, there is one colon enough.
    let lower = match lower.rsplit_once(": ") {
        Some((did, outcome)) if !outcome.contains(' ') => format!("{did} ({outcome})"),
        _ => lower,
    };
    sentence(&format!("What {who} did next: {lower}"))
}

/// Begins with a capital letter and ends with a full stop.
pub fn sentence(text: &str) -> String {
    let mut characters = text.trim().chars();
    let mut out: String =
        characters.next().into_iter().flat_map(char::to_uppercase).chain(characters).collect();
    if !out.ends_with(['.', '!', '?']) {
        out.push('.');
    }
    out
}
