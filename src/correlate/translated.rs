//! Serves all errors of a NAT with what one translated quote taught: which inside address its outside address stands for
//! (RFC 5508 §4.2). Eight quoted bytes behind it are probable then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

use super::compare::compare;
use super::dictionary::Dictionary;
use super::messages::Messages;
use super::quoted::Quoted;
use super::weigh::{Error, Weighed};
use super::{Evidence, Level, Reason};
use crate::decode::Address;
use crate::index::PacketId;

/// Inside addresses followed for one outside address.
const INSIDE_MAX: usize = 64;

/// Outside addresses with the inside addresses they were seen to stand for.
#[derive(Default)]
pub(super) struct Mappings(BTreeMap<Address, BTreeSet<Address>>);

impl Mappings {
    /// Learns from an error whose quote was found translated at its sender.
    pub fn learn(&mut self, messages: &Messages<'_>, error: PacketId, weighed: &Weighed) {
        let target = weighed.target.and_then(|target| messages.index.packet(target));
        let (Some(target), Some(error)) = (target, Error::read(messages.index, error)) else { return };
        if weighed.reason == Reason::NatSender && target.source_address() != error.quote.inner.source {
            let inside = self.0.entry(error.quote.inner.source).or_default();
            if inside.len() < INSIDE_MAX {
                inside.insert(target.source_address());
            }
        }
    }

    /// For each error that fits nothing: the packet of an inside address it fits once its sender is translated back.
    pub fn find(
        &self,
        (messages, dictionary): (&Messages<'_>, &Dictionary),
        evidence: &Evidence,
        lost: &[PacketId],
    ) -> Vec<Option<Weighed>> {
        let none = || lost.iter().map(|_| None).collect();
        if self.0.is_empty() || lost.is_empty() {
            return none();
        }
        let inside = |error: &Error<'_>| self.0.get(&error.quote.inner.source).cloned().unwrap_or_default();
        let read = |packet: &PacketId| {
            Error::read(messages.index, *packet).filter(|error| !inside(error).is_empty())
        };
        let errors: Vec<Option<Error<'_>>> = lost.iter().map(read).collect();
        let wanted = errors.iter().flatten().flat_map(|error| {
            inside(error).into_iter().map(move |address| (address, error.quote.inner.destination, error))
        });
        let wanted: Vec<_> = wanted
            .map(|(from, to, error)| (error.quote.inner.ip_protocol, from, (to, port(error))))
            .collect();
        if wanted.is_empty() {
            return none();
        }
        let quoted = Quoted::between(messages, (dictionary, evidence), &wanted, &AtomicBool::new(false));
        let find = |error: &Option<Error<'_>>| {
            let error = error.as_ref()?;
            let inner = &error.quote.inner;
            let mut best: Option<(i64, PacketId)> = None;
            for address in inside(error) {
                let flow = (inner.ip_protocol, address, (inner.destination, port(error)));
                for id in quoted.sent(flow, error) {
                    let Some(packet) = messages.index.packet(id) else { continue };
                    let delta_ns = error.head.time_ns - packet.time_ns();
                    let found = compare(&error.quote, &packet.decode());
                    let fits = !found.is_other() && (found.ip_id.is_equal() || found.is_proved());
                    if fits && (0..=error.head.window_ns()).contains(&delta_ns) {
                        best = best.max(Some((packet.time_ns(), id)));
                        break;
                    }
                }
            }
            let (_, target) = best?;
            Some(Weighed { target: Some(target), level: Level::Probable, reason: Reason::NatKnown })
        };
        errors.iter().map(find).collect()
    }
}

/// Where the quoted packet was going; 0 without ports.
fn port(error: &Error<'_>) -> u16 {
    error.quote.inner.ports().map_or(0, |ports| ports.1)
}
