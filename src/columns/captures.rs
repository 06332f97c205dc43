//! The table `captures`: one row a capture of the unit. It is put in place last: what stands in it stands in all tables.

use std::fs::File;

use anyhow::Result;

use super::SCHEMA;
use super::schema::CAPTURES;
use super::scribe::{Scribe, basis_name};
use super::table::Rows;
use super::unit::{Member, Status, Unit};
use crate::capture::Metadata;
use crate::index::{IndexedSource, SourceId};
use crate::time::{Basis, Nanos};

/// Damaged places told one by one.
const DAMAGE_MAX: usize = 5;

/// What was counted of one source.
#[derive(Default)]
struct Counted {
    lookups: i64,
    errors: i64,
    span_ns: Option<(Nanos, Nanos)>,
}

/// Writes a row for each capture of a unit, in the order they were read; those that were not read follow.
pub(super) fn write(scribe: &Scribe<'_>, unit: &Unit, file: File) -> Result<u64> {
    let counted = count(scribe);
    let mut rows = Rows::new(&CAPTURES, file)?;
    for ((at, source), counted) in scribe.index.sources.iter().enumerate().zip(&counted) {
        scribe.begin_capture(&mut rows, scribe.capture(at));
        common(&mut rows, unit, source.size);
        rows.number(Some(i64::from(source.packets)));
        rows.number(Some(counted.lookups));
        rows.number(Some(counted.errors));
        let damage = damage(&source.metadata);
        rows.text(Some(status(source, damage.as_deref()).name()));
        rows.text(damage.as_deref());
        rows.text(Some(source.metadata.format.name()));
        rows.text(Some(basis_name(basis(&source.metadata))));
        let has_date = source.metadata.has_times && source.metadata.has_date;
        let span_ns = counted.span_ns.filter(|_| has_date);
        rows.moment(span_ns.map(|span| span.0));
        rows.moment(span_ns.map(|span| span.1));
        rows.texts(scribe.evidence.notes());
        rows.end()?;
    }
    for member in unit.members.iter().filter(|member| member.status != Status::Done) {
        unread(scribe, &mut rows, (unit, member))?;
    }
    rows.finish()
}

/// What the columns of every capture say of the unit and the program.
fn common(rows: &mut Rows, unit: &Unit, bytes: u64) {
    rows.text(Some(&unit.name));
    rows.text(Some(&unit.id()));
    rows.text(unit.replaces.as_deref());
    rows.text(Some(env!("CARGO_PKG_VERSION")));
    rows.shown(Some(crate::report::rules_version()));
    rows.text(Some(SCHEMA));
    rows.number(Some(bytes as i64));
}

fn unread(scribe: &Scribe<'_>, rows: &mut Rows, (unit, member): (&Unit, &Member)) -> Result<()> {
    scribe.begin_capture(rows, (&member.capture, &member.sha256));
    common(rows, unit, member.bytes);
    let nothing = (member.status == Status::Empty).then_some(0);
    rows.number(nothing);
    rows.number(nothing);
    rows.number(nothing);
    rows.text(Some(member.status.name()));
    rows.text(member.why.as_deref());
    rows.text(None);
    rows.text(None);
    rows.moment(None);
    rows.moment(None);
    rows.texts(None::<&str>);
    rows.end()
}

fn count(scribe: &Scribe<'_>) -> Vec<Counted> {
    let mut counted: Vec<Counted> = scribe.index.sources.iter().map(|_| Counted::default()).collect();
    let mut of = |source: SourceId, count: &mut dyn FnMut(&mut Counted)| {
        if let Some(own) = counted.get_mut(source.place()) {
            count(own);
        }
    };
    for segment in scribe.index.segments().iter().filter(|segment| !segment.is_empty()) {
        of(segment.source, &mut |own| {
            own.errors += segment.icmp.len() as i64;
            let span_ns = own.span_ns.unwrap_or(segment.span_ns);
            own.span_ns = Some((span_ns.0.min(segment.span_ns.0), span_ns.1.max(segment.span_ns.1)));
        });
    }
    for transaction in &scribe.evidence.transactions {
        if let Some((segment, _)) = scribe.index.locate(transaction.first) {
            of(segment.source, &mut |own| own.lookups += 1);
        }
    }
    counted
}

fn damage(metadata: &Metadata) -> Option<String> {
    let mut told: Vec<String> = metadata.damage.iter().take(DAMAGE_MAX).map(ToString::to_string).collect();
    if metadata.damage.len() > DAMAGE_MAX {
        told.push(format!("and {} more damaged places", metadata.damage.len() - DAMAGE_MAX));
    }
    // The file writes this sentence.
    (!told.is_empty()).then(|| crate::text::escape(&told.join("; ")))
}

fn status(source: &IndexedSource, damage: Option<&str>) -> Status {
    match damage {
        Some(_) => Status::Damaged,
        None if source.packets == 0 => Status::Empty,
        None => Status::Done,
    }
}

fn basis(metadata: &Metadata) -> Basis {
    match () {
        () if !metadata.has_times => Basis::Nothing,
        () if metadata.counts_from_start => Basis::Start,
        () if !metadata.has_date => Basis::Midnight,
        () if metadata.is_local => Basis::Local,
        () => Basis::Utc,
    }
}
