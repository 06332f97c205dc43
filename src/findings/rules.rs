//! What several rules share: statements and filters about one problem.

use std::collections::BTreeSet;

use super::facts::{ErrorFact, Facts, Meaning};
use super::{Count, FRAMES_MAX, Finding, gravity, zones};
use crate::correlate::attempts::Service;
use crate::correlate::clients::Client;
use crate::correlate::impact::Impact;
use crate::correlate::{Outcome, Problem, Transaction};
use crate::decode::Address;
use crate::index::{Index, PacketId};
use crate::text::escape;

/// Answers whose signature is looked at.
const SIGNED_MAX: usize = 64;

/// What the signatures of answers say is wrong with those of the questions (TSIG): ` (TSIG error …)`.
pub fn signature_error(facts: &Facts<'_>, failed: &[&Transaction]) -> String {
    let error = |own: &&Transaction| {
        let packet = facts.index.packet(own.answer?)?;
        let decoded = packet.decode();
        // Over TCP the length stands before the message.
        let from = if packet.transport() == 6 { 2 } else { 0 };
        crate::decode::signature::error(decoded.payload().get(from..)?)
    };
    let error = failed.iter().take(SIGNED_MAX).find_map(error);
    error
        .map_or_else(String::new, |error| format!(" (TSIG error {})", crate::decode::signature::words(error)))
}

/// A filter for packets to an address.
pub fn to(address: Address) -> String {
    format!("{}.dst == {}{}", family(address), address.literal(), address.site_term())
}

/// A filter for packets from an address.
pub fn from(address: Address) -> String {
    format!("{}.src == {}{}", family(address), address.literal(), address.site_term())
}

fn family(address: Address) -> &'static str {
    match address {
        Address::Ether(_) => "eth",
        _ if address.is_v6() => "ipv6",
        _ => "ip",
    }
}

/// Frames and runs of frames that one filter lists.
const LISTED_MAX: usize = 64;
/// A run of at least this many frames is written as a range.
const RUN_MIN: u64 = 3;

/// Frame numbers as a filter's set lists them: `1..3`, `9`.
pub fn runs(index: &Index, frames: &[PacketId]) -> Vec<String> {
    let mut numbers: Vec<u64> =
        frames.iter().filter_map(|id| index.packet(*id)).map(|packet| packet.frame().0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut listed = Vec::new();
    let mut rest = numbers.as_slice();
    while let Some(first) = rest.first() {
        let length = rest.iter().zip(*first..).take_while(|(number, expected)| *number == expected).count();
        let (run, after) = rest.split_at(length);
        match run.last() {
            Some(last) if length as u64 >= RUN_MIN => listed.push(format!("{first}..{last}")),
            _ => listed.extend(run.iter().map(ToString::to_string)),
        }
        rest = after;
    }
    listed
}

/// A filter that counts exactly these frames; empty where one line cannot hold them.
pub fn frames_counted(facts: &Facts<'_>, frames: &[PacketId]) -> String {
    let listed = runs(facts.index, frames);
    let several = facts.index.sources.len() > 1;
    if several || listed.len() > LISTED_MAX { String::new() } else { in_set(&listed) }
}

/// A filter that shows these frames, as far as one line can hold them.
pub fn frames_filter(facts: &Facts<'_>, frames: &[PacketId]) -> String {
    let mut listed = runs(facts.index, frames);
    listed.truncate(LISTED_MAX);
    in_set(&listed)
}

fn in_set(listed: &[String]) -> String {
    format!("frame.number in {{{}}}", listed.join(", "))
}

/// A filter for an ICMP error's type and code.
pub fn icmp_filter(icmp: (u8, u8, bool)) -> String {
    let (kind, code, v6) = icmp;
    let protocol = if v6 { "icmpv6" } else { "icmp" };
    format!("{protocol}.type == {kind} && {protocol}.code == {code}")
}

/// The most frequent members a finding about many names one by one.
pub const TOP_MAX: usize = 8;
/// Members one filter lists; longer ones nobody reads.
const MEMBERS_MAX: usize = 64;

/// A filter for any of these, each as `one` says it; empty where one line cannot hold them.
pub fn any_of<T: Copy>(members: &[T], one: impl Fn(T) -> String) -> String {
    if members.len() > MEMBERS_MAX {
        return String::new();
    }
    match members {
        [only] => one(*only),
        several => {
            several.iter().map(|member| format!("({})", one(*member))).collect::<Vec<_>>().join(" || ")
        }
    }
}

/// The frames, sorted, each once, no more than a finding holds.
pub fn tidy(mut frames: Vec<PacketId>) -> Vec<PacketId> {
    frames.sort_unstable();
    frames.dedup();
    frames.truncate(FRAMES_MAX);
    frames
}

/// `1 answer`, `3 answers`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", crate::text::thousands(number as u64), if number == 1 { one } else { many })
}

/// A name for running text: escaped, without the final dot. The empty text stands for a name that was cut.
pub fn plain_name(name: &str) -> String {
    match name.strip_suffix('.') {
        None if name.is_empty() => "a name that is cut".to_owned(),
        Some("") => "the root".to_owned(),
        Some(plain) => escape(plain),
        None => escape(name),
    }
}

/// What stands for names of questions that were not captured to their end.
pub const CUT_NAMES: &str = "names that are cut";

/// The names of a problem's questions; those that were cut are told beside the others.
pub fn names_of(problem: &Problem) -> String {
    let read = names(&problem.names);
    if problem.has_cut_names && !problem.names.is_empty() { format!("{read} and {CUT_NAMES}") } else { read }
}

/// `a.example`, `a.example and b.example`, `a.example and 5 other names`; escaped.
pub fn names(names: &[String]) -> String {
    match names {
        [] => CUT_NAMES.to_owned(),
        [one] => plain_name(one),
        [one, two] => format!("{} and {}", plain_name(one), plain_name(two)),
        [one, rest @ ..] => format!("{} and {} other names", plain_name(one), rest.len()),
    }
}

/// `192.0.2.1`, or `3 clients`.
pub fn clients(clients: &[Address]) -> String {
    match clients {
        [one] => one.to_string(),
        many => counted(many.len(), "client", "clients"),
    }
}

/// Clients named one by one.
const NAMED_MAX: usize = 4;

/// `192.0.2.1`, `192.0.2.1 and 192.0.2.2`, or `7 clients`.
pub fn named(clients: &[Address]) -> String {
    let mut distinct = clients.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let shown: Vec<String> = distinct.iter().map(ToString::to_string).collect();
    match shown.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) if shown.len() <= NAMED_MAX => format!("{} and {last}", before.join(", ")),
        _ => counted(shown.len(), "client", "clients"),
    }
}

/// What messages that are no lookups are called: all of them NOTIFY, UPDATE, or questions for a zone's transfer; `None` for others.
pub fn called<'i>(
    index: &Index,
    transactions: impl Iterator<Item = &'i Transaction>,
) -> Option<(&'static str, &'static str)> {
    let kind = |transaction: &Transaction| {
        let row = transaction.question(index)?;
        match (row.header.opcode(), row.qtype) {
            (NOTIFY, _) => Some(("NOTIFY message", "NOTIFY messages")),
            (UPDATE, _) => Some(("UPDATE message", "UPDATE messages")),
            (0, IXFR | AXFR) => Some(("request for a zone transfer", "requests for a zone transfer")),
            _ => None,
        }
    };
    let mut kinds = transactions.map(kind);
    let first = kinds.next()??;
    kinds.all(|kind| kind == Some(first)).then_some(first)
}

/// OPCODE of NOTIFY (RFC 1996).
const NOTIFY: u8 = 4;
/// OPCODE of UPDATE (RFC 2136).
const UPDATE: u8 = 5;
/// TYPE of an incremental zone transfer (RFC 1995).
const IXFR: u16 = 251;
/// TYPE of a whole one (RFC 5936).
const AXFR: u16 = 252;

/// What the failing clients of a problem asked of its service in the whole capture: what their failures are counted against.
pub fn asked(facts: &Facts<'_>, at: usize) -> u64 {
    facts.evidence.impact(at).map_or(0, gravity::totals)
}

/// Who was rescued, to end a statement; empty where nobody was.
pub fn rescue(problem: &Problem, impact: Option<&Impact>) -> String {
    let Some(impact) = impact else { return String::new() };
    let rescued: Vec<&Client> = impact.clients.iter().filter(|client| client.rescued > 0).collect();
    let number: u32 = rescued.iter().map(|client| client.rescued).sum();
    if impact.is_searched() {
        return "; these are tries of a search list, and each lookup was then answered for another name of it"
            .to_owned();
    }
    if number == 0 {
        return String::new();
    }
    let by: BTreeSet<_> = rescued.iter().filter_map(|client| client.rescuer).collect();
    let by = match by.first() {
        Some(only) if by.len() == 1 => rescuer(problem, *only),
        _ => "other resolvers".to_owned(),
    };
    let all: u32 = impact.clients.iter().map(|client| client.failed).sum();
    if impact.is_covered() && impact.phases.is_empty() && number >= all {
        let each = if number == 1 { "it" } else { "each" };
        return format!("; {each} was then answered by {by}");
    }
    let of = match impact.clients.as_slice() {
        [_] => String::new(),
        all => format!(" ({} of {} clients)", rescued.len(), all.len()),
    };
    format!("; {} then answered by {by}{of}", counted(number as usize, "of them was", "of them were"))
}

/// Who answered instead: another server, or the same one over another transport.
pub fn rescuer(problem: &Problem, (server, port, transport): Service) -> String {
    match transport {
        _ if server != problem.server.0 => server.to_string(),
        TCP if problem.transport != TCP => format!("{server} over TCP"),
        _ if transport != problem.transport => format!("{server} over UDP"),
        _ => format!("{server} at port {port}"),
    }
}

/// The IP protocol number of TCP.
const TCP: u8 = 6;

/// A finding about a problem whose errors have one of the meanings.
pub fn about_errors(
    facts: &Facts<'_>,
    id: &'static str,
    meanings: &[Meaning],
    says: &dyn Fn(&Refusal<'_>) -> String,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, problem) in facts.problems() {
        let transactions: Vec<&Transaction> = facts.transactions(problem).collect();
        let errors: Vec<&ErrorFact> = transactions
            .iter()
            .filter_map(|transaction| facts.error(transaction.error?))
            .filter(|error| meanings.contains(&error.meaning) && !error.is_about_response())
            .collect();
        let Some(first) = errors.first() else { continue };
        let failed =
            transactions.iter().filter(|transaction| transaction.outcome == Outcome::Refused).count();
        let refusal = Refusal { facts, problem, errors: &errors, failed, asked: asked(facts, at) };
        let severity = gravity::of(facts, at);
        let mut statement = says(&refusal);
        statement.push_str(&rescue(problem, facts.evidence.impact(at)));
        let sender = first.source;
        let kind = icmp_filter(first.icmp);
        let queries =
            format!("dns.outcome == refused_by_icmp && {} && partner({kind})", to(problem.server.0));
        let mut about: Vec<PacketId> = errors.iter().filter_map(|error| error.about).collect();
        about.sort_unstable();
        about.dedup();
        let messages = format!("{kind} && {}", from(sender));
        let frames =
            tidy(errors.iter().flat_map(|error| [error.about, Some(error.packet)]).flatten().collect());
        found.push(Finding {
            id,
            severity,
            statement,
            frames,
            counts: vec![
                Count { label: "queries refused".into(), value: about.len() as u64, filter: queries.clone() },
                Count { label: "errors".into(), value: errors.len() as u64, filter: messages.clone() },
            ],
            filter: format!("({queries}) || ({messages})"),
            code: None,
        });
    }
    found
}

/// What a statement about refused queries is made from.
pub struct Refusal<'r> {
    /// Everything gathered.
    pub facts: &'r Facts<'r>,
    /// The problem.
    pub problem: &'r Problem,
    /// Its errors, at least one.
    pub errors: &'r [&'r ErrorFact],
    /// Transactions refused.
    pub failed: usize,
    /// What the failing clients asked this server in the whole capture.
    pub asked: u64,
}

impl Refusal<'_> {
    /// Who sent the errors, each once.
    pub fn senders(&self) -> String {
        let mut seen: Vec<Address> = Vec::new();
        for error in self.errors {
            if !seen.contains(&error.source) {
                seen.push(error.source);
            }
        }
        let shown: Vec<String> = seen.iter().take(3).map(ToString::to_string).collect();
        match seen.len() {
            0..=3 => shown.join(", "),
            many => format!("{} and {} more", shown.join(", "), many - 3),
        }
    }

    /// `3 of 3 queries from 192.0.2.1 to 203.0.113.2 for www.example.`
    pub fn queries(&self) -> String {
        format!(
            "{} of {} queries from {} to {} for {}",
            self.failed,
            self.asked.max(self.failed as u64),
            clients(&self.problem.clients),
            self.problem.server.0,
            names_of(self.problem)
        )
    }
}

/// The zones of a problem's names, escaped, at most three.
pub fn zone_words(names: &[String]) -> String {
    let zones = zones::common(names);
    let shown: Vec<String> = zones.iter().take(3).map(|zone| plain_name(zone)).collect();
    match zones.len() {
        0 => "zones that are cut off".to_owned(),
        1..=3 => shown.join(", "),
        many => format!("{} and {} more zones", shown.join(", "), many - 3),
    }
}
