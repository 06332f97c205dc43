//! DNS queries that are not in the capture and failed: errors quote them.

use std::collections::BTreeMap;

use super::Facts;
use super::errors::{ErrorFact, Meaning};
use crate::correlate::Level;
use crate::decode::{Address, Quote, dns};
use crate::index::PacketId;
use crate::time::Nanos;

/// Clients and names kept of one server.
const KEPT_MAX: usize = 256;

/// Errors of one kind about queries to one server that the capture does not hold.
#[derive(Clone, Debug)]
pub struct Uncaptured {
    /// Who was asked, and at which port.
    pub server: (Address, u16),
    /// What the errors say.
    pub meaning: Meaning,
    /// The errors, in order.
    pub errors: Vec<PacketId>,
    /// Who sent them; the first.
    pub sender: Address,
    /// Who asked.
    pub clients: Vec<Address>,
    /// The names they quote, not escaped.
    pub names: Vec<String>,
    /// The first and the last error.
    pub span_ns: (Nanos, Nanos),
}

/// Groups the errors about queries that were not captured, at servers without a failure of their own in the capture.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Uncaptured> {
    let mut groups: BTreeMap<((Address, u16), Meaning), Vec<&ErrorFact>> = BTreeMap::new();
    for error in &facts.errors {
        let Some(quoted) = error.quoted else { continue };
        let unreachable =
            !matches!(error.meaning, Meaning::TooBig | Meaning::Other | Meaning::ReassemblyExpired);
        let told = || facts.problems().any(|(_, problem)| problem.server.0 == quoted.destination.0);
        if error.level == Some(Level::Orphan)
            && unreachable
            && facts.is_dns_port(quoted.destination.1)
            && !error.is_about_response()
            && facts.unsent.binary_search(&error.packet).is_err()
            && !told()
        {
            groups.entry((quoted.destination, error.meaning)).or_default().push(error);
        }
    }
    let group = |((server, meaning), errors): (((Address, u16), Meaning), Vec<&ErrorFact>)| {
        let (mut clients, mut names) = (Vec::new(), Vec::new());
        for error in &errors {
            keep(&mut clients, error.quoted.map(|quoted| quoted.source.0));
            keep(&mut names, quoted_name(facts, error.packet));
        }
        let (first, last) = errors.first().zip(errors.last())?;
        Some(Uncaptured {
            server,
            meaning,
            sender: first.source,
            span_ns: (first.time_ns, last.time_ns),
            errors: errors.iter().map(|error| error.packet).collect(),
            clients,
            names,
        })
    };
    groups.into_iter().filter_map(group).collect()
}

fn keep<T: PartialEq>(kept: &mut Vec<T>, found: Option<T>) {
    if let Some(found) = found.filter(|found| kept.len() < KEPT_MAX && !kept.contains(found)) {
        kept.push(found);
    }
}

/// The name in the DNS query an error quotes, presentation form, lower case.
fn quoted_name(facts: &Facts<'_>, error: PacketId) -> Option<String> {
    let packet = facts.index.packet(error)?;
    let decoded = packet.decode();
    let quote = Quote::read(&decoded)?;
    let mut message = dns::read(quote.payload())?;
    message.name.make_lowercase();
    (!message.name.wire().is_empty()).then(|| dns::presentation(message.name.wire()))
}
