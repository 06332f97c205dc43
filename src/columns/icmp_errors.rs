//! The table `icmp_errors`: one row an ICMP error that quotes a packet.

use std::fs::File;

use anyhow::Result;

use super::schema::ICMP_ERRORS;
use super::scribe::{Scribe, transport_name};
use super::table::Rows;
use crate::correlate::LinkKind;
use crate::decode::{Address, Quote, dns, transcript};
use crate::index::{IcmpRow, Packet};
use crate::protocols::dns as names;

/// Writes all errors of a unit in packet order.
pub(super) fn write(scribe: &Scribe<'_>, file: File) -> Result<u64> {
    let mut rows = Rows::new(&ICMP_ERRORS, file)?;
    for error in scribe.index.icmp_rows() {
        row(scribe, &mut rows, error)?;
    }
    rows.finish()
}

/// What an error shows of the packet it is about.
#[derive(Default)]
struct Quoted {
    source: (Address, Option<u16>),
    destination: (Address, Option<u16>),
    transport: Option<u8>,
    dns_id: Option<u16>,
    name: Option<String>,
    kind: Option<u16>,
}

impl Quoted {
    fn of(packet: &Packet<'_>) -> Self {
        if let Some(line) = packet.printed() {
            return line.icmp.map(|icmp| Self::printed(&icmp)).unwrap_or_default();
        }
        let decoded = packet.datagram().unwrap_or_else(|| packet.decode());
        let Some(quote) = Quote::read(&decoded) else { return Self::default() };
        let (inner, ports) = (&quote.inner, quote.inner.ports());
        let message = quote.message(&packet.source.settings);
        let has_name = |message: &&dns::Message<'_>| !message.name.wire().is_empty();
        let asked = message.as_ref().filter(has_name);
        Self {
            source: (inner.source, ports.map(|ports| ports.0)),
            destination: (inner.destination, ports.map(|ports| ports.1)),
            transport: Some(inner.ip_protocol),
            dns_id: message.as_ref().map(|message| message.header.id),
            name: asked.map(|message| dns::presentation(message.name.wire())),
            // A question cut after its name still says which name.
            kind: asked
                .filter(|message| message.question_end > dns::HEADER_BYTES)
                .map(|message| message.qtype),
        }
    }

    fn printed(icmp: &transcript::Icmp<'_>) -> Self {
        if let Some(quote) = icmp.quote.filter(|quote| quote.source.address.is_host()) {
            let name = quote.dns.and_then(|message| message.name).map(transcript::wire_name);
            return Self {
                source: (quote.source.address, quote.source.port),
                destination: (quote.destination.address, quote.destination.port),
                transport: icmp.quoted_protocol.or(quote.ip.protocol),
                dns_id: quote.dns.map(|message| message.header.id),
                name: name.map(|name| dns::presentation(name.wire())),
                kind: quote.dns.and_then(|message| message.qtype),
            };
        }
        // The line names the receiver of the refused packet, not its sender.
        let receiver = icmp.quoted.map(|host| host.address).unwrap_or_default();
        Self { destination: (receiver, icmp.quoted_port), transport: icmp.quoted_protocol, ..Self::default() }
    }
}

fn row(scribe: &Scribe<'_>, rows: &mut Rows, error: &IcmpRow) -> Result<()> {
    let Some(packet) = scribe.index.packet(error.packet) else { return Ok(()) };
    let quoted = Quoted::of(&packet);
    let links = scribe.evidence.links_from(error.packet);
    let about = links.iter().find(|link| link.kind == LinkKind::ErrorAbout);
    let target = about.and_then(|link| scribe.cite(link.to?));
    let port = |port: Option<u16>| port.map(i32::from);
    scribe.begin(rows, Some(error.packet));
    rows.host_and_bytes(packet.source_address());
    rows.host(packet.destination_address());
    rows.small(Some(if error.v6 { 6 } else { 4 }));
    rows.small(Some(i32::from(error.kind)));
    rows.small(
        (!packet.is_text() || error.code != transcript::CODE_NOT_PRINTED).then(|| i32::from(error.code)),
    );
    rows.small(Some(i32::from(packet.ttl())).filter(|ttl| *ttl > 0));
    rows.truth(Some(scribe.evidence.is_duplicate(error.packet)));
    rows.host(quoted.source.0);
    rows.small(port(quoted.source.1));
    rows.host(quoted.destination.0);
    rows.small(port(quoted.destination.1));
    rows.text(quoted.transport.and_then(transport_name));
    rows.small(quoted.dns_id.map(i32::from));
    rows.text(quoted.name.as_deref());
    rows.shown(quoted.kind.map(names::type_name));
    rows.number(target.map(|target| target.frame()));
    rows.shown(target);
    rows.text(about.map(|link| link.level.name()));
    rows.number(about.filter(|link| link.to.is_some()).map(|link| link.delta_ns));
    rows.end()
}
