//! Servers that cut answers which would have fitted: a limit on the rate of responses (RRL), which lets TCP through.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Facts, ServerKey, asked};
use crate::correlate::Outcome;
use crate::decode::dns;
use crate::findings::hypotheses::thresholds::LIMITED_MIN;
use crate::index::PacketId;
use crate::index::segment::DnsKind;

/// Cut answers, and whole ones to the same questions, that are read.
const READ_MAX: usize = 100_000;
/// Bytes a query without EDNS takes over UDP (RFC 1035 §4.2.1).
const PLAIN_BYTES: u16 = 512;
/// The IP protocol number of UDP.
const UDP: u8 = 17;

/// What a server did that limits how often it answers.
#[derive(Clone, Debug)]
pub struct Limited {
    /// Who.
    pub server: ServerKey,
    /// Cut answers to questions whose answer fits what the query offered.
    pub cut: Vec<PacketId>,
    /// Answers to such questions that came whole over UDP.
    pub whole: usize,
    /// Bytes of the largest that came over TCP; `None` where none did.
    pub over_tcp: Option<u16>,
    /// Cut answers after which TCP brought the whole one.
    pub rescued: usize,
    /// Questions over UDP that got no answer at all.
    pub silent: u64,
}

impl Limited {
    /// `198.51.100.53 cut 12 answers (TC) over UDP that fit (whole 20 times over UDP, 90 bytes at most over TCP) and left 9 questions
    /// unanswered: response rate limiting (RRL) does so`.
    pub fn statement(&self) -> String {
        let mut fits = Vec::new();
        if self.whole > 0 {
            fits.push(format!(
                "whole {} over UDP",
                crate::findings::rules::counted(self.whole, "time", "times")
            ));
        }
        if let Some(bytes) = self.over_tcp {
            fits.push(format!("{bytes} bytes at most over TCP"));
        }
        let silent = match self.silent {
            0 => String::new(),
            some => format!(
                " and left {} unanswered",
                crate::findings::rules::counted(some as usize, "question", "questions")
            ),
        };
        let rescued = match self.rescued {
            0 => String::new(),
            some => format!(
                "; TCP brought the whole answer {}",
                crate::findings::rules::counted(some, "time", "times")
            ),
        };
        format!(
            "{} cut {} (TC) over UDP that fit ({}){silent}: response rate limiting (RRL) does so{rescued}",
            self.server.0,
            crate::findings::rules::counted(self.cut.len(), "answer", "answers"),
            fits.join(", ")
        )
    }
}

/// A cut answer: its question, and the size its query offered (RFC 6891 §6.2.3).
struct Cut {
    question: u64,
    offered: Option<u16>,
    packet: PacketId,
    rescued: bool,
}

/// The size of UDP payload that a query offers.
fn offered(facts: &Facts<'_>, query: PacketId) -> Option<u16> {
    let query = facts.index.packet(query)?;
    let message = dns::read(query.message(query.dns()?))?;
    message.extension().map(|extension| extension.udp_size)
}

/// The servers that limit their responses.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Limited> {
    let mut cut = cut(facts);
    cut.retain(|_, all| all.len() >= LIMITED_MIN);
    if cut.is_empty() {
        return Vec::new();
    }
    let mut whole: HashMap<(ServerKey, u64, Option<u16>), usize> = HashMap::new();
    let mut over_tcp: HashMap<(ServerKey, u64), u16> = HashMap::new();
    let wanted: hashbrown::HashSet<(ServerKey, u64)> =
        cut.iter().flat_map(|(server, all)| all.iter().map(|own| (*server, own.question))).collect();
    let input = facts.input();
    let asked = asked::all(&input).filter(|own| {
        let (address, port, _) = own.server;
        wanted.contains(&((address, port, UDP), own.row.question))
    });
    for own in asked.take(READ_MAX) {
        let Some(row) = own.transaction.answer.and_then(|answer| facts.index.packet(answer)?.dns()) else {
            continue;
        };
        let (address, port, transport) = own.server;
        let server = (address, port, UDP);
        if row.header.is_truncated() || row.header.response_code() != 0 {
            continue;
        }
        if transport == UDP {
            let key = (server, own.row.question, offered(facts, own.transaction.last));
            *whole.entry(key).or_default() += 1;
        } else if row.length > 0 {
            let least = over_tcp.entry((server, own.row.question)).or_insert(row.length);
            *least = (*least).max(row.length);
        }
    }
    let limited = |(server, all): (ServerKey, Vec<Cut>)| {
        let whole_of = |own: &Cut| whole.get(&(server, own.question, own.offered)).copied();
        let tcp_of = |own: &Cut| {
            let bytes = *over_tcp.get(&(server, own.question))?;
            (bytes <= own.offered.unwrap_or(PLAIN_BYTES).max(PLAIN_BYTES)).then_some(bytes)
        };
        let fitting: Vec<&Cut> =
            all.iter().filter(|own| whole_of(own).is_some() || tcp_of(own).is_some()).collect();
        let mut kinds: Vec<(u64, Option<u16>)> =
            fitting.iter().map(|own| (own.question, own.offered)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let outcomes = facts.servers.get(&server).map(|own| &own.outcomes);
        let told = Limited {
            server,
            cut: fitting.iter().map(|own| own.packet).collect(),
            whole: kinds.iter().filter_map(|(question, size)| whole.get(&(server, *question, *size))).sum(),
            over_tcp: fitting.iter().filter_map(|own| tcp_of(own)).max(),
            rescued: fitting.iter().filter(|own| own.rescued).count(),
            silent: outcomes.and_then(|all| all.get(&Outcome::NoAnswer)).copied().unwrap_or(0),
        };
        // One whole answer may be the one that a smaller zone gave before.
        let is_seen = told.cut.len() >= LIMITED_MIN && (told.whole >= LIMITED_MIN || told.over_tcp.is_some());
        is_seen.then_some(told)
    };
    cut.into_iter().filter_map(limited).collect()
}

/// The cut answers over UDP by server.
fn cut(facts: &Facts<'_>) -> BTreeMap<ServerKey, Vec<Cut>> {
    let mut found: BTreeMap<ServerKey, Vec<Cut>> = BTreeMap::new();
    let rows = facts.index.segments().iter().flat_map(|segment| &segment.dns);
    let rows = rows.filter(|row| row.is_response() && row.header.is_truncated() && row.kind == DnsKind::Dns);
    for row in rows.take(READ_MAX) {
        let Some(answer) = facts.index.packet(row.packet).filter(|packet| packet.transport() == UDP) else {
            continue;
        };
        let own = facts.evidence.transaction_of(row.packet).and_then(|id| facts.evidence.transaction(id));
        let Some(own) = own.filter(|own| own.answer == Some(row.packet)) else { continue };
        let Some(question) = own.question(facts.index).map(|row| row.question).filter(|hash| *hash != 0)
        else {
            continue;
        };
        found.entry((answer.source_address(), answer.source_port(), UDP)).or_default().push(Cut {
            question,
            offered: offered(facts, own.last),
            packet: row.packet,
            rescued: own.outcome == Outcome::Answered,
        });
    }
    found
}
