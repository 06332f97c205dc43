//! The table `dns`: one row a lookup.

use std::collections::BTreeMap;
use std::fs::File;

use anyhow::Result;

use super::schema::DNS;
use super::scribe::{Scribe, transport_name};
use super::table::Rows;
use crate::correlate::evidence::Role;
use crate::correlate::{Transaction, TransactionId};
use crate::decode::dns;
use crate::index::{DnsRow, PacketId};
use crate::protocols::dns as names;

/// Writes all lookups of a unit in the order of their first queries.
pub(super) fn write(scribe: &Scribe<'_>, file: File) -> Result<u64> {
    let mut episodes = BTreeMap::new();
    for (at, episode) in scribe.evidence.episodes.iter().enumerate() {
        episodes.extend(episode.transactions.iter().map(|id| (*id, at as i64 + 1)));
    }
    let mut rows = Rows::new(&DNS, file)?;
    for (at, transaction) in scribe.evidence.transactions.iter().enumerate() {
        let id = TransactionId(at as u32);
        row(scribe, &mut rows, (id, transaction), episodes.get(&id).copied())?;
    }
    rows.finish()
}

fn row(
    scribe: &Scribe<'_>,
    rows: &mut Rows,
    (id, own): (TransactionId, &Transaction),
    episode: Option<i64>,
) -> Result<()> {
    let (index, evidence) = (scribe.index, scribe.evidence);
    let Some(query) = index.packet(own.first) else { return Ok(()) };
    let question = own.question(index);
    scribe.begin(rows, Some(own.first));
    rows.small(Some(i32::from(own.message)));
    rows.host_and_bytes(query.source_address());
    rows.small(Some(i32::from(query.source_port())));
    rows.host_and_bytes(query.destination_address());
    rows.small(Some(i32::from(query.destination_port())));
    rows.text(transport_name(query.transport()));
    rows.small(question.map(|row| i32::from(row.header.id)));
    // The form of RFC 1035 §5.1 is escaped already, and plain ASCII.
    rows.shown(question.and_then(|row| query.segment.names.get(row.name)).map(dns::presentation));
    rows.shown(question.and_then(DnsRow::asked_type).map(names::type_name));
    rows.text(Some(own.outcome.name()));
    let detail = evidence.detail(own);
    rows.text((!detail.is_empty()).then_some(&detail));
    rows.shown(own.extended_error.map(|code| format!("{code} {}", names::extended_error_name(code))));
    rows.truth(own.failed());
    rows.number(Some(i64::from(own.tries)));
    rows.number(evidence.round_trip_ns(own));
    rows.number(evidence.waited_ns(own));
    rows.number(episode);
    rows.number(evidence.lookups(index).of(id).map(|lookup| i64::from(lookup.0) + 1));
    rows.host(
        own.error
            .and_then(|error| index.packet(error))
            .map(|error| error.source_address())
            .unwrap_or_default(),
    );
    if evidence.is_plain(id) {
        rows.texts(scribe.cite(own.first));
        rows.texts(scribe.cites(own.answer));
        rows.texts(scribe.cites(None));
    } else {
        let tries = evidence.tries(id);
        let further = evidence.further(id).filter(|(_, role)| *role == Role::FurtherAnswer);
        let errors: Vec<PacketId> = tries.iter().flat_map(|asked| evidence.errors_about(*asked)).collect();
        rows.texts(scribe.cites(tries));
        rows.texts(scribe.cites(own.answer.into_iter().chain(further.map(|(packet, _)| packet))));
        rows.texts(scribe.cites(errors));
    }
    rows.end()
}
