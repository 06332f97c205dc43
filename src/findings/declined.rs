//! Rule `declined`: error codes by which servers decline what is no lookup, or what they do not offer.

use std::collections::BTreeMap;

use super::facts::starved::Starved;
use super::facts::{Facts, asked};
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::{Declined, Transaction};
use crate::decode::Address;
use crate::protocols::dns::{opcode_name, response_code_name};

/// The rule.
pub static RULE: Rule = Rule {
    id: "declined",
    title: "A DNS server declines what it does not offer",
    doc: "Error codes that no lookup failed with: to NOTIFY and UPDATE messages, to questions about the server itself (class CH), to \
          zone transfers, BADVERS to a version of EDNS above 0, and REFUSED by an authoritative server that recurses for nobody, for zones it does not serve. \
          The server does its job (info); an UPDATE that is never accepted of a client, and a transfer that a secondary is denied \
          every time, are low; such a transfer is medium where the secondary then answers SERVFAIL for names in that zone.",
    run,
};

/// Findings of this rule; a scanner may ask many servers.
const TOLD_MAX: usize = 32;
/// Denied attempts of one client from which it is no probe.
const AGAIN_MIN: usize = 2;
/// Opcode UPDATE (RFC 2136 §1.3).
const UPDATE: u8 = 5;
/// Opcode NOTIFY (RFC 1996 §3.1).
const NOTIFY: u8 = 4;
/// SOA: what a secondary asks before a transfer (RFC 1034 §4.3.5).
const SOA: u16 = 6;
/// IXFR and AXFR (RFC 1995, RFC 5936).
const TRANSFERS: [u16; 2] = [251, 252];

/// What was declined: by whom, why, with which opcode.
type Key = (Address, Declined, u8);

/// Who asked a server for what besides, for judging how grave it is.
#[derive(Default)]
struct Beside {
    /// By client, server and opcode: messages of another opcode than QUERY that were accepted.
    accepted: BTreeMap<(Address, Address, u8), usize>,
    /// By client and server: questions for SOA records, transfers that began.
    refreshes: BTreeMap<(Address, Address), (usize, usize)>,
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_kind: BTreeMap<Key, Vec<asked::Asked<'_>>> = BTreeMap::new();
    if facts.evidence.transactions.iter().all(|own| own.declined.is_none()) {
        return Vec::new();
    }
    let mut beside = Beside::default();
    for asked in asked::all(&facts.input()) {
        let opcode = asked.row.header.opcode();
        if let Some(why) = asked.transaction.declined {
            by_kind.entry((asked.server.0, why, opcode)).or_default().push(asked);
            continue;
        }
        let done = asked.transaction.answer.is_some();
        let pair = (asked.client, asked.server.0);
        if opcode != 0 && done {
            *beside.accepted.entry((pair.0, pair.1, opcode)).or_default() += 1;
        } else if done && (asked.row.qtype == SOA || TRANSFERS.contains(&asked.row.qtype)) {
            let (asks, transfers) = beside.refreshes.entry(pair).or_default();
            *(if asked.row.qtype == SOA { asks } else { transfers }) += 1;
        }
    }
    let told = by_kind.iter().take(TOLD_MAX);
    told.map(|(key, list)| {
        let starved = starved(facts, *key, list);
        let grave = if starved.is_some() { Severity::Medium } else { severity(*key, list, &beside) };
        finding(facts, *key, list, grave, starved)
    })
    .collect()
}

/// How grave it is: a client that is denied what it needs, each time.
fn severity((server, why, opcode): Key, list: &[asked::Asked<'_>], beside: &Beside) -> Severity {
    let mut by_client: BTreeMap<Address, usize> = BTreeMap::new();
    for own in list {
        *by_client.entry(own.client).or_default() += 1;
    }
    let is_let_down = |(client, times): (&Address, &usize)| match why {
        Declined::Message if opcode == UPDATE => {
            *times >= AGAIN_MIN && !beside.accepted.contains_key(&(*client, server, opcode))
        }
        Declined::Transfer => {
            let (asks, transfers) = beside.refreshes.get(&(*client, server)).copied().unwrap_or_default();
            *times >= AGAIN_MIN && asks > 0 && transfers == 0
        }
        _ => false,
    };
    if by_client.iter().any(is_let_down) { Severity::Low } else { Severity::Info }
}

/// The secondary that fails for want of what was declined.
fn starved<'f>(
    facts: &'f Facts<'_>,
    (server, why, _): Key,
    list: &[asked::Asked<'_>],
) -> Option<&'f Starved> {
    let own = |starved: &&Starved| {
        starved.primaries.contains(&server) && list.iter().any(|own| own.client == starved.server)
    };
    facts.starved.iter().find(own).filter(|_| why == Declined::Transfer)
}

fn finding(
    facts: &Facts<'_>,
    (server, why, opcode): Key,
    list: &[asked::Asked<'_>],
    severity: Severity,
    starved: Option<&Starved>,
) -> Finding {
    let all: Vec<&Transaction> = list.iter().map(|own| own.transaction).collect();
    let mut clients: Vec<Address> = list.iter().map(|own| own.client).collect();
    clients.sort_unstable();
    clients.dedup();
    let mut codes: BTreeMap<u16, usize> = BTreeMap::new();
    for own in &all {
        *codes.entry(own.response_code).or_default() += 1;
    }
    let with = match codes.len() {
        1 => codes.keys().map(|code| response_code_name(*code)).collect(),
        _ => codes
            .iter()
            .map(|(code, number)| format!("{} ({number})", response_code_name(*code)))
            .collect::<Vec<_>>()
            .join(" and "),
    };
    let mut names: Vec<String> = all.iter().filter_map(|own| facts.name_of(own.first)).collect();
    names.sort_unstable();
    names.dedup();
    let asked = |one: &str, many: &str| rules::counted(all.len(), one, many);
    let who = rules::clients(&clients);
    let what = match why {
        Declined::Message if opcode == NOTIFY => format!(
            "{} (NOTIFY) of {who} for {} with {with}, as one does that takes none from this sender",
            asked("notice of a changed zone", "notices of changed zones"),
            rules::names(&names)
        ),
        Declined::Message => format!(
            "{} of {who} for {} with {with}",
            asked(&format!("{} message", opcode_name(opcode)), &format!("{} messages", opcode_name(opcode))),
            rules::names(&names)
        ),
        Declined::Identity => {
            format!("{} of {who} about itself (class CH) with {with}", asked("question", "questions"))
        }
        Declined::Version => format!(
            "{} of {who} for {} with {with}: they name a version of EDNS above 0, and that is the answer to it",
            asked("question", "questions"),
            rules::names(&names)
        ),
        Declined::Transfer => format!(
            "{} of {who} to transfer {} with {with}",
            asked("request", "requests"),
            rules::names(&names)
        ),
        Declined::Recursion => format!(
            "{} of {who} for names in {} with {with}, as one does that serves other zones and recurses for nobody",
            asked("question", "questions"),
            rules::zone_words(&names)
        ),
    };
    let follows = starved.map_or_else(String::new, |own| format!("; {}", own.consequence(facts)));
    let frames = rules::tidy(all.iter().flat_map(|own| [Some(own.first), own.answer]).flatten().collect());
    let filter = rules::frames_filter(facts, &frames);
    Finding {
        id: RULE.id,
        severity,
        statement: format!("{server} answered {what}{}{follows}", rules::signature_error(facts, &all)),
        counts: vec![Count {
            label: "declined requests".into(),
            value: all.len() as u64,
            filter: rules::frames_counted(facts, &rules::tidy(all.iter().map(|own| own.first).collect())),
        }],
        frames,
        filter,
        code: None,
    }
}
