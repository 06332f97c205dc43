//! What was judged and what was only seen: the summary of a capture without a failure, and the list under the findings.

use std::collections::{BTreeMap, BTreeSet};

use super::super::words;
use super::super::{Block, Voice};
use super::cause::quoted;
use super::problem::sentence;
use super::{Builder, table};
use crate::correlate::Outcome;
use crate::correlate::episodes::is_error_code;
use crate::decode::Address;
use crate::findings::coverage::{OpenItem, Standing};
use crate::findings::{Finding, Severity};
use crate::index::PacketId;
use crate::index::segment::{DnsKind, flags};
use crate::protocols::dns::response_code_name;
use crate::text::thousands;

/// Findings told in the summary.
const TOLD_MAX: usize = 3;
/// Characters of a title at most.
const TITLE_MAX: usize = 110;

/// The title of a capture in which no lookup failed: the gravest finding, else what was judged and what is open.
pub fn title(b: &Builder<'_>) -> String {
    let gravest = b.input.findings.iter().find(|finding| is_grave(finding));
    match gravest {
        _ if b.inventory.packets == 0 => format!("The {} holds no packet", b.record),
        Some(finding) => {
            let statement = sentence(&quoted(finding.statement.trim_end_matches('.')));
            shortened(statement.trim_end_matches('.'))
        }
        None => b.input.coverage.title(),
    }
}

fn is_grave(finding: &Finding) -> bool {
    finding.severity > Severity::Info
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= TITLE_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(TITLE_MAX - 1).collect();
    format!("{}…", kept.rsplit_once(' ').map_or(kept.as_str(), |(whole, _)| whole))
}

/// The summary of a capture in which no lookup failed.
pub fn summary(b: &Builder<'_>) -> Vec<Block> {
    let i = &b.inventory;
    if i.packets == 0 {
        let text = format!("The {} holds no packet: nothing can be said from it.", b.record);
        return vec![Block::Note(text)];
    }
    let mut blocks = Vec::new();
    let coverage = b.input.coverage;
    if let Some(unread) = coverage.unread_words() {
        let frames = frames_of(coverage.open());
        blocks.push(b.claim(
            "summary.unread",
            Voice::Observed,
            format!("{}.", sentence(&unread).trim_end_matches('.')),
            &frames,
        ));
    }
    let whole = i.whole();
    if i.queries.is_empty() && coverage.unread == 0 {
        let seen: Vec<String> =
            i.protocols.iter().map(|(label, n)| format!("{} {label}", thousands(*n))).collect();
        let said =
            answers(b).unwrap_or_else(|| "so nothing can be said about name resolution from it".to_owned());
        let silent = without_content(b);
        let what = match silent {
            0 => format!("holds no DNS query, {said}"),
            _ => format!(
                "shows of {} to or from port 53 not what was asked, so nothing can be said about name resolution from it",
                words::count(silent, "packet", "packets")
            ),
        };
        let text = format!(
            "The {} {what}. It holds {}: {}.",
            b.record,
            words::count(i.packets as usize, "packet", "packets"),
            words::list(&seen, 8)
        );
        blocks.push(b.claim("summary.nodns", Voice::Observed, text, &whole));
    } else if !i.queries.is_empty() {
        blocks.push(b.claim("summary.checked", Voice::Observed, questions(b), &whole));
    }
    blocks.extend(grave(b));
    blocks.extend(remarks(b));
    let judged = coverage.judgement();
    if !judged.is_empty() {
        let mut frames = frames_of(coverage.open());
        if frames.is_empty() {
            frames = whole;
        }
        blocks.push(b.claim("summary.clear", Voice::Assessed, judged.join(" "), &frames));
    }
    blocks
}

/// Printed packets of a port of DNS without the message they carried: some sniffers print its size alone.
fn without_content(b: &Builder<'_>) -> usize {
    let index = b.input.index;
    if b.record != "log" {
        return 0;
    }
    let is_dns =
        |ports: &[u16], row: usize| ports.get(row).is_some_and(|port| index.settings.is_dns_port(*port));
    let silent = index.segments().iter().map(|segment| {
        let rows = segment.transport.iter().zip(&segment.flags).enumerate();
        rows.filter(|(row, (transport, bits))| {
            let has_message = **bits & (flags::DNS_QUERY | flags::DNS_RESPONSE) != 0;
            **transport == 17
                && !has_message
                && (is_dns(&segment.source_port, *row) || is_dns(&segment.destination_port, *row))
        })
        .count()
    });
    silent.sum()
}

/// What answers say whose queries are not in the capture: `but 2 answers to 192.0.2.10: 1 NXDOMAIN and 1 SERVFAIL`.
fn answers(b: &Builder<'_>) -> Option<String> {
    let mut codes: BTreeMap<u16, usize> = BTreeMap::new();
    let mut clients: BTreeSet<Address> = BTreeSet::new();
    for row in b.input.index.dns_rows().filter(|row| row.kind == DnsKind::Dns && row.is_response()) {
        let Some(packet) = b.input.index.packet(row.packet) else { continue };
        if b.input.evidence.is_duplicate(row.packet) {
            continue;
        }
        *codes.entry(row.response_code()).or_default() += 1;
        if clients.len() <= CLIENTS_MAX {
            clients.insert(packet.destination_address());
        }
    }
    let number: usize = codes.values().sum();
    let said: Vec<String> = codes
        .iter()
        .map(|(code, n)| format!("{} {}", thousands(*n as u64), response_code_name(*code)))
        .collect();
    let to = match clients.len() {
        0 => return None,
        1..=CLIENTS_MAX => clients.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        _ => "several clients".to_owned(),
    };
    Some(format!(
        "but {} to {to} that {}: {}",
        words::count(number, "answer", "answers"),
        if number == 1 { "says how the question ended" } else { "say how the questions ended" },
        words::list(&said, 8)
    ))
}

/// Clients named beside the answers they got.
const CLIENTS_MAX: usize = 3;

/// What became of the DNS questions, in numbers.
pub fn questions(b: &Builder<'_>) -> String {
    let i = &b.inventory;
    let outcomes: Vec<String> = i
        .outcomes
        .iter()
        .map(|(outcome, n)| format!("{} {}", thousands(*n), outcome.name().replace('_', " ")))
        .collect();
    let sent = match i.queries.len() as u64 {
        same if same == i.questions => String::new(),
        more => format!(" (sent as {})", words::count(more as usize, "query", "queries")),
    };
    if outcomes.is_empty() {
        return format!(
            "{} could be matched with nothing.",
            words::count(i.queries.len(), "DNS query", "DNS queries")
        );
    }
    let mut failing: BTreeMap<u16, usize> = BTreeMap::new();
    let answered = b
        .input
        .evidence
        .transactions
        .iter()
        .filter(|own| own.outcome == Outcome::Answered && own.declined.is_none());
    for own in answered.filter(|own| is_error_code(own.response_code)) {
        *failing.entry(own.response_code).or_default() += 1;
    }
    let failing: Vec<String> = failing
        .into_iter()
        .map(|(code, number)| format!("{} with {}", thousands(number as u64), response_code_name(code)))
        .collect();
    let failing = match failing.len() {
        0 => String::new(),
        some => format!(", among them {}", words::list(&failing, some)),
    };
    let denied = b.input.evidence.transactions.iter();
    let denied =
        denied.filter(|own| own.outcome == Outcome::Answered && own.response_code == NAME_ERROR).count();
    let denied = match denied {
        0 => String::new(),
        some => format!(
            " {} that the name does not exist (NXDOMAIN), which is an answer.",
            words::count(some, "answer says", "answers say")
        ),
    };
    format!(
        "{}{sent} {} checked: {}{failing}.{denied}",
        words::count(i.questions as usize, "DNS question", "DNS questions"),
        if i.questions == 1 { "was" } else { "were" },
        words::list(&outcomes, 8)
    )
}

/// NXDOMAIN (RFC 1035 §4.1.1).
const NAME_ERROR: u16 = 3;

/// The findings that are more than notes.
fn grave(b: &Builder<'_>) -> Option<Block> {
    let grave: Vec<&Finding> = b.input.findings.iter().filter(|finding| is_grave(finding)).collect();
    if grave.is_empty() {
        return None;
    }
    let shown: Vec<String> = grave
        .iter()
        .take(TOLD_MAX)
        .map(|finding| sentence(&quoted(finding.statement.trim_end_matches('.'))))
        .collect();
    let more = if grave.len() > TOLD_MAX { " More stands under Findings." } else { "" };
    let all = &b.input.evidence.transactions;
    let untold = b.input.evidence.one_sided
        || !all.is_empty() && all.iter().all(|transaction| transaction.outcome == Outcome::Undetermined);
    let verdict = if untold {
        let which = if all.is_empty() && answers(b).is_some() { "other lookups" } else { "lookups" };
        format!(" Whether {which} failed cannot be told from this {}.", b.record)
    } else {
        String::new()
    };
    let text = format!("{}{more}{verdict}", shown.join(" "));
    let frames: Vec<PacketId> = grave.iter().filter_map(|finding| finding.frames.first().copied()).collect();
    Some(b.claim("summary.found", Voice::Assessed, text, &frames))
}

/// Rules whose notes are worth a word in the summary: what failed and did not matter, and what moved.
const REMARKED: [&str; 5] =
    ["site-down", "tcp-failures", "datagrams-refused", "service-failures", "router-failover"];

/// What failed without harm: a ping ignored, QUIC refused where TCP served.
fn remarks(b: &Builder<'_>) -> Option<Block> {
    let own = |finding: &&Finding| finding.severity == Severity::Info && REMARKED.contains(&finding.id);
    let all: Vec<&Finding> = b.input.findings.iter().filter(own).take(TOLD_MAX).collect();
    let said: Vec<String> =
        all.iter().map(|finding| sentence(&quoted(finding.statement.trim_end_matches('.')))).collect();
    let frames: Vec<PacketId> = all.iter().flat_map(|finding| finding.frames.iter().copied()).collect();
    (!said.is_empty()).then(|| b.claim("summary.remarks", Voice::Observed, said.join(" "), &frames))
}

/// What stands beside a failure without being assessed; nothing where nothing is.
pub fn beside_failures(b: &Builder<'_>) -> Vec<Block> {
    let coverage = b.input.coverage;
    let told = [coverage.unread_words(), coverage.seen_words()];
    let told: Vec<String> = told
        .into_iter()
        .flatten()
        .map(|text| format!("{}.", sentence(&text).trim_end_matches('.')))
        .collect();
    let frames = frames_of(coverage.open());
    let mut blocks = Vec::new();
    if !told.is_empty() && !frames.is_empty() {
        blocks.push(b.claim("summary.open", Voice::Observed, told.join(" "), &frames));
    }
    // What worked meanwhile is part of what failed.
    if let Some(worked) = coverage.verdict() {
        blocks.push(b.claim("summary.worked", Voice::Assessed, format!("{worked}."), &b.inventory.whole()));
    }
    blocks
}

fn frames_of<'i>(items: impl Iterator<Item = &'i OpenItem>) -> Vec<PacketId> {
    items.flat_map(|item| item.frames.iter().copied()).collect()
}

/// What worked while something else failed, under Findings.
pub fn worked(b: &Builder<'_>) -> Option<Block> {
    let worked = b.input.coverage.verdict().filter(|_| b.input.coverage.has_finding)?;
    Some(b.claim("findings.worked", Voice::Assessed, format!("{worked}."), &b.inventory.whole()))
}

/// The longest filter in a cell, in bytes.
const FILTER_MAX: usize = 120;

/// The list of what was seen and not assessed.
pub fn listed(b: &Builder<'_>) -> Option<Block> {
    let row = |item: &OpenItem| {
        let standing = match item.kind.standing() {
            Standing::Open => "open",
            Standing::Ordinary => "ordinary",
            Standing::NotVisible => "not visible",
        };
        let cells = vec![
            standing.to_owned(),
            item.what(),
            match item.unnamed {
                0 => thousands(item.count),
                _ => format!("{} ({} frames named)", thousands(item.count), item.frames.len()),
            },
            item.when(b.input.index.basis()),
            item.reason().to_owned(),
            // Of many frames the list that is cited has them all.
            if item.filter.len() > FILTER_MAX { "that of the list".to_owned() } else { item.filter.clone() },
        ];
        (cells, item.frames.clone())
    };
    let rows: Vec<_> = b.input.coverage.not_assessed.iter().map(row).collect();
    let head = ["Standing", "What", "Number", "When", "Why not", "Filter"];
    (!rows.is_empty()).then(|| table("findings.not_assessed", "Seen, not assessed", &head, rows))
}
