//! Finds the DNS message an ICMP error quotes when a NAT changed an address or port on the way (RFC 5508 §4.2).

use std::collections::HashMap;

use rayon::prelude::*;

use super::messages::Messages;
use super::weigh::{Error, Weighed};
use super::{Evidence, Level, Reason};
use crate::decode::dns;
use crate::index::names::name_hash;
use crate::index::segment::{DnsKind, question_hash};
use crate::index::{DnsRow, PacketId};

/// Messages with one id and question an error is compared with, newest first.
const CANDIDATES_MAX: usize = 8;
/// Messages looked through by one thread at a time.
const BLOCK: u32 = 1 << 16;

/// Id and question of a quoted message, which no NAT changes.
pub(super) type Key = (u16, u64);

/// What an error quotes of a DNS message, where it quotes a question.
pub(super) fn key(error: &Error<'_>) -> Option<Key> {
    let message = dns::read(error.quote.payload())?;
    let mut name = message.name;
    name.make_lowercase();
    (!name.wire().is_empty()).then(|| {
        let opcode = message.header.opcode();
        (message.header.id, question_hash(name_hash(name.wire()), message.qtype, message.qclass, opcode))
    })
}

/// For each error whose flow is not in the capture: the message it quotes as translated by a NAT, if there is one.
pub(super) fn find(
    messages: &Messages<'_>,
    evidence: &Evidence,
    errors: &[(PacketId, Option<Key>)],
) -> Vec<Option<Weighed>> {
    let mut ids = vec![false; 1 << 16];
    let mut wanted: HashMap<Key, Vec<PacketId>, foldhash::fast::FixedState> = HashMap::default();
    for key in errors.iter().filter_map(|(_, key)| *key) {
        wanted.entry(key).or_default();
        if let Some(id) = ids.get_mut(usize::from(key.0)) {
            *id = true;
        }
    }
    if !wanted.is_empty() {
        let is_wanted = |row: &DnsRow| {
            row.kind == DnsKind::Dns && ids.get(usize::from(row.header.id)).copied().unwrap_or(false)
        };
        let blocks: Vec<Vec<&DnsRow>> = (0..messages.len().div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                let range = block * BLOCK..(block + 1).saturating_mul(BLOCK).min(messages.len());
                let rows = messages.rows(range);
                rows.filter(|row| is_wanted(row) && wanted.contains_key(&(row.header.id, row.question)))
                    .collect()
            })
            .collect();
        for row in blocks.into_iter().flatten().filter(|row| !evidence.is_duplicate(row.packet)) {
            if let Some(seen) = wanted.get_mut(&(row.header.id, row.question)) {
                if seen.len() == CANDIDATES_MAX {
                    seen.remove(0);
                }
                seen.push(row.packet);
            }
        }
    }
    let find = |(packet, key): &(PacketId, Option<Key>)| {
        let seen = wanted.get(key.as_ref()?).filter(|seen| !seen.is_empty())?;
        let error = Error::read(messages.index, *packet)?;
        seen.iter().rev().find_map(|candidate| same(messages, &error, *candidate))
    };
    errors.par_iter().map(find).collect()
}

/// Whether the candidate is what the error quotes, but for the sender's address or port.
fn same(messages: &Messages<'_>, error: &Error<'_>, candidate: PacketId) -> Option<Weighed> {
    let packet = messages.index.packet(candidate)?;
    let delta_ns = error.head.time_ns - packet.time_ns();
    let decoded = packet.decode();
    let inner = &error.quote.inner;
    let (sent_from, sent_to) = decoded.ports()?;
    let (quoted_from, quoted_to) = inner.ports()?;
    let same_server = (decoded.destination, sent_to) == (inner.destination, quoted_to);
    let same_client = (decoded.source, sent_from) == (inner.source, quoted_from);
    let (quoted, sent) = (error.quote.payload(), decoded.payload());
    let both = quoted.len().min(sent.len());
    let equal = quoted.get(..both) == sent.get(..both);
    let in_time = (0..=error.head.window_ns()).contains(&delta_ns);
    ((same_server || same_client) && equal && in_time).then_some(Weighed {
        target: Some(candidate),
        level: if error.head.checksum_wrong { Level::Probable } else { Level::Nat },
        reason: if same_server { Reason::NatSender } else { Reason::NatReceiver },
    })
}
