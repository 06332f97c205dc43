//! The table `attempts`: one row a thing a client wanted of a service beside DNS.

use std::fs::File;

use anyhow::Result;

use super::schema::ATTEMPTS;
use super::scribe::{Scribe, transport_name};
use super::table::Rows;
use crate::attempts::{Attempt, Attempts, subject};
use crate::text::escape;

/// Writes all attempts of a unit in the order of their first packets.
pub(super) fn write(scribe: &Scribe<'_>, file: File) -> Result<u64> {
    let attempts = Attempts::of(scribe.evidence);
    let mut all: Vec<&Attempt> = attempts.all.iter().chain(&attempts.unasked).collect();
    all.sort_by_key(|own| own.first.packet);
    let mut rows = Rows::new(&ATTEMPTS, file)?;
    let (mut before, mut message) = (None, 0);
    for own in all {
        // Of several that begin with one packet each has its number.
        message = if before == Some(own.first.packet) { message + 1 } else { 0 };
        before = Some(own.first.packet);
        row(scribe, &mut rows, (own, message))?;
    }
    rows.finish()
}

fn row(scribe: &Scribe<'_>, rows: &mut Rows, (own, message): (&Attempt, i32)) -> Result<()> {
    let span = |span_ns: i64| (span_ns > 0).then_some(span_ns);
    let detail = own.outcome.detail();
    let decided = own.decided.and_then(|seen| scribe.cite(seen.packet));
    let is_failure = own.outcome.face().is_some();
    let name = subject::wanted(scribe.evidence, own);
    scribe.begin(rows, Some(own.first.packet));
    rows.small(Some(message));
    rows.host_and_bytes(own.client.0);
    rows.small(Some(i32::from(own.client.1)).filter(|port| *port > 0));
    rows.host_and_bytes(own.service.host);
    rows.small(Some(i32::from(own.service.port)).filter(|port| *port > 0));
    rows.text(transport_name(own.service.transport));
    rows.text(Some(own.service_name(scribe.index)));
    rows.shown(name.map(|name| escape(&name)));
    rows.text(Some(own.outcome.name()));
    rows.text((!detail.is_empty()).then_some(&detail));
    rows.truth((is_failure || own.outcome.is_served()).then_some(is_failure));
    rows.number(Some(i64::from(own.tries)));
    rows.number(span(own.answered_ns));
    rows.number(span(own.waited_ns()));
    rows.number(span(own.handshake_ns));
    rows.number(decided.map(|decided| decided.frame()));
    rows.shown(decided);
    rows.end()
}
