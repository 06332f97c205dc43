//! Encrypted DNS that is tried first and left for plain DNS: what the same host then looked up, and was answered.

use hashbrown::HashMap;

use super::{Names, Trouble};
use crate::attempts::{Attempt, Service};
use crate::connections::Seen;
use crate::correlate::encrypted;
use crate::decode::Address;
use crate::findings::coverage::is_served;
use crate::findings::facts::{Facts, asked};
use crate::time::Nanos;

/// Lookups kept.
const LOOKUPS_MAX: usize = 200_000;

/// One answered lookup.
struct Lookup {
    seen: Seen,
    server: Service,
    name: String,
}

/// The answered lookups in plain DNS of those whose encrypted DNS failed, by who asked, in order.
#[derive(Default)]
pub(super) struct Plain(HashMap<Address, Vec<Lookup>>);

impl Plain {
    /// Collects them, where any encrypted DNS failed.
    pub fn of(facts: &Facts<'_>) -> Self {
        let mut plain = Self::default();
        let failed = |own: &Attempt| own.outcome.face().is_some() && is_encrypted(own.service);
        if !facts.attempts.all.iter().any(failed) {
            return plain;
        }
        let answered = asked::all(&facts.input()).filter(|own| is_served(own.transaction));
        for own in answered.take(LOOKUPS_MAX) {
            let (host, port, transport) = own.server;
            plain.0.entry(own.client).or_default().push(Lookup {
                seen: Seen { packet: own.transaction.first, time_ns: own.time_ns },
                server: Service { host, transport, port },
                name: facts.name_of(own.transaction.first).unwrap_or_default(),
            });
        }
        plain
    }

    /// The first lookup that an address began after an attempt at encrypted DNS failed, that of the encrypted server's own name aside:
    /// who wants nothing else looks it up as well.
    pub fn after(
        &self,
        names: &Names,
        own: &Attempt,
        client: Address,
        within_ns: Nanos,
    ) -> Option<(Service, Seen)> {
        let all = self.0.get(&client).filter(|_| is_encrypted(own.service))?;
        let from = all.partition_point(|lookup| lookup.seen.time_ns < own.first.time_ns);
        let near = all.iter().skip(from);
        let mut near = near.take_while(|lookup| lookup.seen.time_ns <= own.ended_ns() + within_ns);
        let other = near.find(|lookup| !names.has_led(&lookup.name, own.service.host))?;
        Some((other.server, other.seen))
    }
}

fn is_encrypted(service: Service) -> bool {
    encrypted::by_port(service.transport, service.port).is_some()
}

/// Whether a trouble is encrypted DNS that its clients left for plain DNS each time.
pub fn is_left_for_plain(facts: &Facts<'_>, trouble: &Trouble) -> bool {
    is_encrypted(trouble.service())
        && trouble.hit().all(|client| {
            client.rescued >= client.failed
                && client.rescuer.is_some_and(|other| facts.is_dns_port(other.port))
        })
}
