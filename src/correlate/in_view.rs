//! Whether a capture shows every packet a client sent to a server before an ICMP error, so that a quote of none of them is
//! a quote of nothing that was sent.
//!
//! That takes the client's own vantage, a record without losses and IP ids that follow one another. Where any of it is
//! missing the quoted packet may just not have been captured.

use super::hosts::{self, Sum};
use super::messages::Messages;
use super::weigh::Error;
use crate::index::{Index, Packet, PacketId};

/// Packets looked at on either side of an error.
const LOOK_MAX: u32 = 4_096;
/// Packets of the client to the server whose ids are compared.
const IDS_MAX: usize = 256;

/// Whether no packet the client sent can be the one the error quotes.
pub(super) fn shows_all_sent(messages: &Messages<'_>, error: &Error<'_>) -> bool {
    let index = messages.index;
    let Some(quoted) = error.quote.inner.ip_id.filter(|id| *id != 0) else { return false };
    let begin_ns = error.head.time_ns - error.head.window_ns();
    if messages.order.is_some()
        || messages.file_fall_ns > 0
        || begin_ns < messages.first_ns
        || has_losses(index)
    {
        return false;
    }
    let at = error.head.packet.0;
    let mut before = Vec::new();
    let mut reaches_begin = false;
    for packet in (at.saturating_sub(LOOK_MAX)..at).rev().filter_map(|id| index.packet(PacketId(id))) {
        if packet.time_ns() < begin_ns || before.len() >= IDS_MAX {
            reaches_begin = packet.time_ns() < begin_ns;
            break;
        }
        if is_sent(&packet, error) {
            let Some(id) = own_id(&packet) else { return false };
            before.push(id);
        }
    }
    // The window may begin with the capture itself.
    if !reaches_begin && at > LOOK_MAX || before.len() >= IDS_MAX {
        return false;
    }
    before.reverse();
    let mut after = (at + 1..at.saturating_add(LOOK_MAX)).map_while(|id| index.packet(PacketId(id)));
    let next = after.find(|packet| is_sent(packet, error)).and_then(|packet| own_id(&packet));
    let follow = |pair: &[u16]| matches!(pair, [one, other] if one.wrapping_add(1) == *other);
    let known = before.contains(&quoted);
    let closed = next.is_some_and(|next| before.last().is_some_and(|last| last.wrapping_add(1) == next));
    before.len() >= 2 && before.windows(2).all(follow) && (known || closed)
}

fn has_losses(index: &Index) -> bool {
    index.sources.iter().any(|source| source.metadata.lost() > 0)
}

fn is_sent(packet: &Packet<'_>, error: &Error<'_>) -> bool {
    let inner = &error.quote.inner;
    packet.source_address() == inner.source && packet.destination_address() == inner.destination
}

/// The IP id of a packet that was captured on its sender; `None` for others.
fn own_id(packet: &Packet<'_>) -> Option<u16> {
    let decoded = packet.decode();
    let here = hosts::cooked_kind(packet.link_type(), decoded.bytes) == Some(hosts::OUTGOING)
        || hosts::checksum(&decoded) == Some(Sum::Unfinished);
    decoded.ip_id.filter(|id| here && *id != 0)
}
