//! What ties an error to its packet: the fields that agree, and the other packets that would fit as well.

use crate::correlate::compare::compare;
use crate::correlate::{Evidence, Level, Link};
use crate::decode::Quote;
use crate::index::segment::flags;
use crate::index::{Index, Packet, PacketId};

/// Packets before an error that are looked at for others that fit.
const LOOK_BACK_MAX: u32 = 4_096;
/// Others that fit, named at most.
const ALTERNATIVES_MAX: usize = 16;

/// The fields in which an error and the packet it is about agree: `server`, `port`, `client`, `client_port`, `ip_id`,
/// `dns_id`, `bytes`; `order` where only what came before decides. Empty without a packet.
pub fn fields(index: &Index, link: &Link) -> Vec<&'static str> {
    let (Some(error), Some(about)) = (index.packet(link.from), link.to.and_then(|id| index.packet(id)))
    else {
        return Vec::new();
    };
    let mut agreeing = Vec::new();
    let mut note = |agrees: bool, name: &'static str| {
        if agrees {
            agreeing.push(name);
        }
    };
    if let Some(line) = error.printed() {
        // A printed line names server and port; a quote printed below it names more.
        let quote = line.icmp.as_ref().and_then(|icmp| icmp.quoted_port);
        note(line.icmp.is_some_and(|icmp| icmp.quoted.is_some()), "server");
        note(quote == Some(about.destination_port()), "port");
        note(error.destination_address() == about.source_address(), "client");
        note(link.level == Level::Exact, "client_port");
        note(link.level == Level::Exact, "dns_id");
        note(link.level != Level::Exact, "order");
        return agreeing;
    }
    let (decoded, sent) = (error.decode(), about.decode());
    let Some(quote) = Quote::read(&decoded) else { return agreeing };
    let (inner, payload) = (&quote.inner, quote.payload());
    let ports = inner.ports();
    note(inner.destination == about.destination_address(), "server");
    note(ports.is_some_and(|ports| ports.1 == about.destination_port()), "port");
    note(inner.source == about.source_address(), "client");
    note(ports.is_some_and(|ports| ports.0 == about.source_port()), "client_port");
    note(inner.ip_id.is_some_and(|id| id != 0 && sent.ip_id == Some(id)), "ip_id");
    note(payload.len() >= 2 && sent.payload().starts_with(payload.get(..2).unwrap_or_default()), "dns_id");
    note(payload.len() > 12 && sent.payload().starts_with(payload), "bytes");
    note(link.level == Level::Probable, "order");
    agreeing
}

/// Other packets before the error that its addresses and ports would fit, newest first; only where the tie is no proof.
pub fn alternatives(index: &Index, evidence: &Evidence, link: &Link) -> Vec<PacketId> {
    let mut found = Vec::new();
    let (Some(error), Some(about)) = (index.packet(link.from), link.to.and_then(|id| index.packet(id)))
    else {
        return found;
    };
    if link.level != Level::Probable {
        return found;
    }
    let printed = error.printed();
    let icmp = printed.and_then(|line| line.icmp);
    let port_known = printed.is_none();
    // A line may name the receiver without its port, or nothing at all.
    let names_receiver = port_known || icmp.is_some_and(|icmp| icmp.quoted.is_some());
    let names_port = port_known || icmp.is_some_and(|icmp| icmp.quoted_port.is_some());
    let same = |packet: &Packet<'_>| {
        packet.source_address() == about.source_address()
            && packet.flags() & flags::ICMP_ERROR == 0
            && (!names_receiver || packet.destination_address() == about.destination_address())
            && (!names_port || packet.destination_port() == about.destination_port())
            && (!port_known || packet.source_port() == about.source_port())
    };
    let limit_ns = evidence.parameters.error_limit_ns;
    let decoded = error.decode();
    let quote = if port_known { Quote::read(&decoded) } else { None };
    for id in (link.from.0.saturating_sub(LOOK_BACK_MAX)..link.from.0).rev().map(PacketId) {
        let Some(packet) = index.packet(id) else { break };
        if found.len() >= ALTERNATIVES_MAX || error.time_ns() - packet.time_ns() > limit_ns {
            break;
        }
        let fits = || quote.as_ref().is_none_or(|quote| !compare(quote, &packet.decode()).is_other());
        if id != about.id
            && same(&packet)
            && !evidence.is_duplicate(id)
            && !has_own_error(evidence, id, link.from)
            && fits()
        {
            found.push(id);
        }
    }
    found
}

/// Whether an error before this one was about the query.
fn has_own_error(evidence: &Evidence, query: PacketId, error: PacketId) -> bool {
    let of = evidence.transaction_of(query).and_then(|id| evidence.transaction(id));
    of.and_then(|of| of.error).is_some_and(|own| own < error)
}
