//! What an attempt asks for, in clear: the name of a TLS hello, host and path of a request, the method of SIP.

use super::reply::account;
use super::{Attempt, Kind, printed};
use crate::correlate::Evidence;
use crate::decode::dns;
use crate::index::Index;
use crate::protocols::tls;

/// What is asked for, as captured; not escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The name of the site or server.
    pub name: Option<String>,
    /// The path of a request, without its query.
    pub path: Option<String>,
    /// The highest version of TLS offered.
    pub version: Option<u16>,
}

/// What names an attempt for people: what is asked for, else in whose name.
pub fn label(index: &Index, attempt: &Attempt) -> Option<String> {
    of(index, attempt).text().or_else(|| account(index, attempt))
}

/// What an attempt was for, as tables name it; of a connection that no DNS question could be asked over, the question that failed
/// over UDP before.
pub fn wanted(evidence: &Evidence, attempt: &Attempt) -> Option<String> {
    let index = evidence.index();
    if !attempt.is_dns(index) {
        return label(index, attempt);
    }
    let id = evidence.failed_before(attempt.last.packet)?;
    let query = index.packet(evidence.transaction(id)?.first)?;
    query.segment.names.get(query.dns()?.name).map(dns::presentation)
}

/// The account in whose name an attempt was made, where its protocol sends it in clear; not escaped.
pub fn account(index: &Index, attempt: &Attempt) -> Option<String> {
    let packet = index.packet(attempt.asks).filter(|packet| !packet.is_text())?;
    let payload = packet.decode().payload();
    // A line that holds nothing else answers a prompt.
    account::named(attempt.kind, payload, false).or_else(|| account::named(attempt.kind, payload, true))
}

/// Reads what an attempt asks for.
pub fn of(index: &Index, attempt: &Attempt) -> Subject {
    let Some(packet) = index.packet(attempt.asks) else { return Subject::default() };
    let payload = printed::payload(&packet);
    match attempt.kind {
        Kind::Tls if packet.is_text() => {
            Subject { name: printed::server_name(&packet), ..Subject::default() }
        }
        Kind::Tls => tls::client_hello(payload).map_or_else(Subject::default, |hello| Subject {
            name: hello.server_name(payload),
            path: None,
            version: Some(hello.version),
        }),
        Kind::Http => printed::request(&packet).map_or_else(Subject::default, |asked| Subject {
            name: asked.host,
            path: Some(asked.path),
            version: None,
        }),
        _ => Subject::default(),
    }
}

impl Subject {
    /// Name and path as one text.
    pub fn text(&self) -> Option<String> {
        match (&self.name, &self.path) {
            (None, None) => None,
            (name, path) => {
                Some(format!("{}{}", name.as_deref().unwrap_or(""), path.as_deref().unwrap_or("")))
            }
        }
    }
}
