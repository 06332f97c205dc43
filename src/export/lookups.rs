//! Every DNS transaction as the exports for other programs see it, and the moments they need.

use serde_json::{Map, Value, json};

use super::Job;
use super::json::stable;
use crate::correlate::{Outcome, TransactionId};
use crate::decode::{Address, dns};
use crate::index::{DnsRow, Packet, PacketId};
use crate::protocols::dns as names;
use crate::time::{self, Nanos};

/// One query with what became of it.
pub struct Lookup<'i> {
    /// Its first packet.
    pub query: Packet<'i>,
    /// The message that asks.
    pub row: &'i DnsRow,
    /// The packet that answers, and its message.
    pub answer: Option<(Packet<'i>, Option<&'i DnsRow>)>,
    /// How it ended.
    pub outcome: Outcome,
    /// The response code, where it was answered.
    pub response_code: Option<u16>,
    /// From the last try to the answer.
    pub round_trip_ns: Option<Nanos>,
    /// Queries sent.
    pub tries: u32,
    /// Part of every id made of it: no other lookup of any capture has it.
    key: String,
}

impl Lookup<'_> {
    /// An id of this lookup that no other has.
    pub fn id(&self, kind: &str) -> String {
        stable(kind, &self.key)
    }

    /// The name asked for, without the final dot.
    pub fn name(&self) -> Option<String> {
        self.query.segment.names.get(self.row.name).map(without_dot)
    }

    /// Whether the client got what it could use; `None` where that cannot be told.
    pub fn succeeded(&self) -> Option<bool> {
        match (self.outcome.failed(), self.response_code) {
            // A name that does not exist is an answer.
            (Some(false), Some(code)) => Some(matches!(code, 0 | 3)),
            (failed, _) => failed.map(|failed| !failed),
        }
    }

    /// `A example.com: answered, NOERROR`.
    pub fn sentence(&self) -> String {
        let name = self.name().unwrap_or_else(|| "a name that cannot be read".to_owned());
        let kind =
            self.row.asked_type().map_or_else(String::new, |kind| format!("{} ", names::type_name(kind)));
        let code = self.response_code.map(|code| format!(", {}", names::response_code_name(code)));
        format!("DNS lookup {kind}{name}: {}{}", self.outcome.name(), code.unwrap_or_default())
    }

    /// The frames of question and answer, by their labels.
    pub fn frames(&self, job: &Job<'_>) -> Vec<String> {
        let answer = self.answer.as_ref().map(|(packet, _)| packet.id);
        [Some(self.query.id), answer].into_iter().flatten().map(|id| job.input.index.label(id)).collect()
    }
}

/// A name as other programs write it: without the final dot; the root is a dot.
pub fn without_dot(wire: &[u8]) -> String {
    let name = dns::presentation(wire);
    match name.strip_suffix('.') {
        Some(short) if !short.is_empty() => short.to_owned(),
        _ => name,
    }
}

/// Every transaction, in the order of the capture.
pub fn all<'j>(job: &'j Job<'_>) -> impl Iterator<Item = Lookup<'j>> {
    let evidence = job.input.evidence;
    let index = job.input.index;
    let transactions = evidence.transactions.iter().enumerate();
    transactions.filter_map(move |(at, transaction)| {
        let query = index.packet(transaction.first)?;
        let row = transaction.question(index)?;
        let answer = transaction.answer.and_then(|id| index.packet(id));
        let id = row.header.id;
        Some(Lookup {
            row,
            outcome: transaction.outcome,
            response_code: transaction.answer.map(|_| transaction.response_code),
            round_trip_ns: evidence.round_trip_ns(transaction),
            tries: transaction.tries,
            key: format!("{} {} {}", key(job, &query), transaction.message, TransactionId(at as u32).0),
            answer: answer.map(|packet| {
                let message = packet.dns_rows().iter().find(|row| row.header.id == id);
                (packet, message)
            }),
            query,
        })
    })
}

/// What names a packet among those of all captures: the hash of its capture and its number.
pub fn key(job: &Job<'_>, packet: &Packet<'_>) -> String {
    let source = packet.segment.source.place();
    let sha256 = job.input.case.evidence.get(source).map_or("", |record| record.sha256.as_str());
    format!("{sha256} {source} {}", packet.frame().0)
}

/// When something was, for programs that need a date: where the capture has none, the time the report was made.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Nanoseconds since 1970.
    pub at_ns: Nanos,
    /// What the capture says, where that is no date.
    pub stated: Option<String>,
}

impl Moment {
    /// Of a packet.
    pub fn of(job: &Job<'_>, packet: &Packet<'_>) -> Self {
        let metadata = &packet.source.metadata;
        if metadata.has_date && !metadata.is_local {
            return Self { at_ns: packet.time_ns(), stated: None };
        }
        Self { at_ns: made(job), stated: Some(job.input.index.basis().moment(packet.time_ns())) }
    }

    /// Of a packet, where there is one; else when the report was made.
    pub fn of_first(job: &Job<'_>, frames: &[PacketId]) -> Self {
        let packet = frames.first().and_then(|id| job.input.index.packet(*id));
        packet.map_or(Self { at_ns: made(job), stated: None }, |packet| Self::of(job, &packet))
    }

    /// `2024-05-14T13:24:32.192571Z`.
    pub fn rfc3339(&self) -> String {
        time::rfc3339(self.at_ns)
    }
}

/// When the report was made; 1970 where no clock was given.
fn made(job: &Job<'_>) -> Nanos {
    let generated = job.rendered.get().view.generated.as_deref();
    generated.and_then(time::parse_rfc3339).unwrap_or(0)
}

/// One end of a conversation: `ip`, or `host` under the given key where it was printed by name, and `port`.
pub fn end(address: Address, port: Option<u16>, host: &str) -> Map<String, Value> {
    let mut end = Map::new();
    match address.bare().name() {
        Some(name) => drop(end.insert(host.to_owned(), json!(name.to_string()))),
        None => end.extend(address.ip().map(|ip| ("ip".to_owned(), json!(ip.to_string())))),
    }
    end.extend(port.map(|port| ("port".to_owned(), json!(port))));
    end
}

/// The ports of a packet, where its transport has any.
pub fn ports(packet: &Packet<'_>) -> (Option<u16>, Option<u16>) {
    let has_ports = matches!(packet.transport(), 6 | 17);
    let port = |port: u16| Some(port).filter(|_| has_ports);
    (port(packet.source_port()), port(packet.destination_port()))
}
