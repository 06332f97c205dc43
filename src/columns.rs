//! Results as columns: one capture, or all of a sensor's day, as Parquet files that any engine reads.
//!
//! A lake is a folder: `gen=SCHEMA-VERSION-RULES/TABLE/site=S/day=D/SENSOR.parquet`. Nothing in it carries a clock, a host or the
//! name of a run, so that the same captures give the same bytes wherever and however often they are read.

mod attempts;
mod captures;
mod dns;
mod episodes;
mod findings;
mod icmp_errors;
pub mod lake;
mod links;
mod schema;
mod scribe;
mod table;
pub mod unit;

use anyhow::Result;

use crate::correlate::Evidence;
use crate::findings::{Input, look};
use crate::index::Index;
pub use lake::Lake;
pub use schema::{Column, Kind, TABLES, Table};
use scribe::Scribe;
pub use unit::{Member, Status, Unit};

/// The schema's name in every file.
pub const SCHEMA: &str = "portmortem-columns/1";
/// Its number in the name of a generation.
const SCHEMA_NUMBER: u32 = 1;

/// What a table's rows were made by: everything that may change a row without a change of the captures.
pub fn generation() -> String {
    format!("{SCHEMA_NUMBER}-{}-{}", env!("CARGO_PKG_VERSION"), rules_hash())
}

/// The digits of the rules version: which rules there are, and what they weigh.
fn rules_hash() -> String {
    let version = crate::report::rules_version();
    version.rsplit('-').next().unwrap_or_default().to_owned()
}

/// Rows of every table of a unit, by the name of the table.
pub struct Written {
    /// How many rows each table has, in the order of [`TABLES`].
    pub rows: Vec<(&'static str, u64)>,
}

/// Writes all tables of a unit that was read, and puts them in their places.
pub fn write(lake: &Lake, unit: &Unit, index: &Index, evidence: &Evidence) -> Result<Written> {
    let scribe = Scribe::new(unit, index, evidence);
    let stage = lake.stage()?;
    match fill(&scribe, unit, &stage) {
        Ok(rows) => {
            stage.publish(lake, unit, &rows)?;
            Ok(Written { rows })
        }
        Err(error) => {
            stage.discard();
            Err(error)
        }
    }
}

fn fill(scribe: &Scribe<'_>, unit: &Unit, stage: &lake::Stage) -> Result<Vec<(&'static str, u64)>> {
    // Made once before several threads ask.
    scribe.evidence.prepare(scribe.index);
    let input = Input { index: scribe.index, evidence: scribe.evidence };
    let mut files = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        files.push(stage.file(table)?);
    }
    let mut files = files.into_iter();
    let mut next = || files.next().ok_or_else(|| anyhow::anyhow!("fewer files than tables"));
    let (dns, icmp_errors, links, episodes) = (next()?, next()?, next()?, next()?);
    let (findings, attempts, captures) = (next()?, next()?, next()?);
    // Lookups are most of all rows, and judging does not need them.
    let (lookups, rest) = rayon::join(
        || dns::write(scribe, dns),
        || -> Result<[u64; 5]> {
            let (found, coverage) = look(&input, &[]);
            Ok([
                icmp_errors::write(scribe, icmp_errors)?,
                links::write(scribe, links)?,
                episodes::write(scribe, episodes)?,
                findings::write(scribe, findings, (&found, &coverage))?,
                attempts::write(scribe, attempts)?,
            ])
        },
    );
    let [icmp_errors, links, episodes, findings, attempts] = rest?;
    let lookups = lookups?;
    let captures = captures::write(scribe, unit, captures)?;
    let counts = [lookups, icmp_errors, links, episodes, findings, attempts, captures];
    Ok(TABLES.iter().map(|table| table.name).zip(counts).collect())
}
