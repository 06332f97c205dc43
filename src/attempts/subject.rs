//! What an attempt asks for, in clear: the name of a TLS hello, host and path of a request, the method of SIP.

use super::{Attempt, Kind, printed};
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
