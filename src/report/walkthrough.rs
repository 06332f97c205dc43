//! The first failed exchange in plain words, seven items: for a reader who sees such a log for the first time.

use super::facts::Facts;
use super::{Input, Report, words};
use crate::index::Packet;
use crate::time;

/// The seven items; empty when there is no problem with an ICMP error tied to its query.
pub fn items(report: &Report, input: &Input<'_>) -> Vec<String> {
    let Some(problem) = input.evidence.problems.first() else { return Vec::new() };
    let facts = Facts::of(input, problem, None);
    let pair = facts.ties.iter().find_map(|tie| Some((tie.link.to?, tie)));
    let Some((query_id, tie)) = pair else { return Vec::new() };
    let (Some(query), Some(error)) = (input.index.packet(query_id), input.index.packet(tie.error)) else {
        return Vec::new();
    };
    let Some(row) = query.dns() else { return Vec::new() };
    let (q, e) = (input.index.label(query_id), input.index.label(tie.error));
    let clock = words::Clock::of(input.index);
    let transport = words::transport(query.transport());
    let kind = row.asked_type().map_or_else(String::new, crate::protocols::dns::type_name);
    let wire = query.segment.names.get(row.name);
    let name = words::name(&wire.map(crate::decode::dns::presentation).unwrap_or_default());
    let plus = if row.header.recursion_desired() {
        "the plus sign after it means “recursion desired”: please do the whole search; it is usual and no warning"
    } else {
        "there is no plus sign after it, so the client did not ask for recursion"
    };
    vec![
        format!(
            "The client {} sent a DNS query over {transport} to {}, port {}: it asks for {} {name} [{q}].",
            query.source_address(),
            query.destination_address(),
            query.destination_port(),
            words::asked(row.asked_type().as_slice()),
        ),
        answer(&facts, &error, &q, &e),
        format!(
            "The query is from {}, the error from {}; {} s lie between them{} [{q}→{e}].",
            clock.exact(query.time_ns()),
            clock.exact(error.time_ns()),
            time::seconds(tie.link.delta_ns),
            if tie.link.delayed { ", which is longer than such an error takes" } else { "" },
        ),
        format!(
            "Left of the arrow stands the sender, right of it the receiver: {} port {} > {} port {} for the query [{q}], {} > {} for the error [{e}]; ICMP has no ports.",
            query.source_address(),
            query.source_port(),
            query.destination_address(),
            query.destination_port(),
            error.source_address(),
            error.destination_address(),
        ),
        format!(
            "The query carries the number {}, which an answer must repeat; {plus}. “{kind}?” says which record is asked for; it is neither a mark of an error nor a mark of UDP [{q}].",
            row.header.id
        ),
        meaning(&facts, &e),
        repetition(report, &facts, input),
    ]
}

fn answer(facts: &Facts<'_>, error: &Packet<'_>, q: &str, e: &str) -> String {
    let sender = error.source_address();
    let who = if sender == facts.server {
        "a device answering for the address that was asked".to_owned()
    } else {
        format!("not the address that was asked, {}", facts.server)
    };
    let message = error
        .decode()
        .icmp()
        .map_or_else(String::new, |(kind, code)| words::icmp(error.transport() == 58, kind, code).1);
    format!(
        "What came back is an {message} from {sender} ({who}); it returns the query to its sender and is about {q} [{e}]."
    )
}

fn meaning(facts: &Facts<'_>, e: &str) -> String {
    if facts.is_port_unreachable() {
        format!(
            "“{} port {} unreachable” says that the datagram reached a device answering for this address and that the port was refused. Two causes look the same: no DNS service listening there, or a packet filter (firewall) that refuses the port [{e}].",
            words::transport(facts.problem.transport).to_lowercase(),
            facts.port
        )
    } else {
        format!(
            "The message says “{}”: the query did not get an answer, and the sender of the message gives this as the reason [{e}].",
            facts.fate().trim_start_matches("refused by ")
        )
    }
}

fn repetition(report: &Report, facts: &Facts<'_>, input: &Input<'_>) -> String {
    let text = |slot: &str| {
        let id = format!("{}.{slot}", facts.key);
        report.claim(&id).map(|claim| format!(" {}", claim.text)).unwrap_or_default()
    };
    format!(
        "In all {} and {} were recorded [{}].{}",
        words::count(facts.queries.len(), "such query", "such queries"),
        words::count(facts.errors.len(), "error", "errors"),
        super::cite::frames(input.index, &facts.frames),
        text("absent")
    )
}
