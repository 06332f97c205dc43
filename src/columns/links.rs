//! The table `links`: what errors are about, and what copies are copies of. Answers and repeats stand with their lookup.

use std::fs::File;

use anyhow::Result;

use super::schema::LINKS;
use super::scribe::Scribe;
use super::table::Rows;
use crate::correlate::LinkKind;
use crate::index::PacketId;

/// Writes the links of a unit in packet order.
pub(super) fn write(scribe: &Scribe<'_>, file: File) -> Result<u64> {
    let errors = scribe.index.icmp_rows().map(|error| (error.packet, true));
    let copies = scribe.evidence.duplicates().map(|(copy, ..)| (copy, false));
    let mut packets: Vec<(PacketId, bool)> = errors.chain(copies).collect();
    // Of an error that is a copy the first entry is the error.
    packets.sort_by_key(|(packet, is_error)| (*packet, !is_error));
    packets.dedup_by_key(|(packet, _)| *packet);
    let mut rows = Rows::new(&LINKS, file)?;
    for (packet, is_error) in packets {
        row(scribe, &mut rows, (packet, is_error))?;
    }
    rows.finish()
}

fn row(scribe: &Scribe<'_>, rows: &mut Rows, (packet, is_error): (PacketId, bool)) -> Result<()> {
    let links = scribe.evidence.all_links_from(packet);
    let told = links.iter().filter(|link| is_error || link.kind == LinkKind::DuplicateOf);
    for (at, link) in told.enumerate() {
        let target = link.to.and_then(|to| scribe.cite(to));
        scribe.begin(rows, Some(packet));
        rows.small(Some(at as i32));
        rows.text(Some(link.kind.name()));
        rows.number(target.map(|target| target.frame()));
        rows.shown(target);
        rows.text(Some(link.level.name()));
        rows.number(link.to.map(|_| link.delta_ns));
        rows.end()?;
    }
    Ok(())
}
