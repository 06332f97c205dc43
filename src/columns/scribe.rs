//! What every row begins with: its capture, its packet and its time.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use super::table::Rows;
use super::unit::{Member, Unit};
use crate::correlate::Evidence;
use crate::index::segment::flags;
use crate::index::{Index, IndexedSource, Packet, PacketId};
use crate::text::escape;
use crate::time::{Basis, Nanos};

/// One capture of a unit, as rows name it.
struct Label {
    capture: String,
    sha256: String,
    /// Whether its times are moments, and not times of a day nobody knows.
    has_date: bool,
}

/// Writes what rows have in common.
pub struct Scribe<'u> {
    /// The site.
    pub site: &'u str,
    /// The sensor.
    pub sensor: &'u str,
    /// The packets.
    pub index: &'u Index,
    /// What correlation found.
    pub evidence: &'u Evidence,
    labels: Vec<Label>,
}

/// A packet as it is cited: `capture#frame`.
#[derive(Clone, Copy)]
pub struct Cite<'u> {
    capture: &'u str,
    frame: u64,
}

impl Cite<'_> {
    /// The number of its frame.
    pub fn frame(&self) -> i64 {
        self.frame as i64
    }
}

impl fmt::Display for Cite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.capture, self.frame)
    }
}

impl<'u> Scribe<'u> {
    /// Of a unit and what was read of it.
    pub fn new(unit: &'u Unit, index: &'u Index, evidence: &'u Evidence) -> Self {
        let members: HashMap<&Path, &Member> = unit.read().map(|own| (own.path.as_path(), own)).collect();
        let label = |source: &IndexedSource| {
            let member = source.path.as_deref().and_then(|path| members.get(path));
            // Of several captures in one text each has its part's name.
            let capture = source.path.as_deref().zip(member).map_or_else(
                || escape(&source.name),
                |(path, member)| {
                    let part = source.name.strip_prefix(&*path.display().to_string()).unwrap_or_default();
                    format!("{}{}", member.capture, escape(part))
                },
            );
            Label {
                capture,
                sha256: member.map(|member| member.sha256.clone()).unwrap_or_default(),
                has_date: source.metadata.has_times && source.metadata.has_date,
            }
        };
        let labels = index.sources.iter().map(label).collect();
        Self { site: &unit.site, sensor: &unit.sensor, index, evidence, labels }
    }

    fn label(&self, packet: &Packet<'_>) -> Option<&Label> {
        self.labels.get(packet.segment.source.place())
    }

    /// A packet as it is cited.
    pub fn cite(&self, packet: PacketId) -> Option<Cite<'_>> {
        let packet = self.index.packet(packet)?;
        Some(Cite { capture: &self.label(&packet)?.capture, frame: packet.frame().0 })
    }

    /// Packets as they are cited.
    pub fn cites<'s>(
        &'s self,
        packets: impl IntoIterator<Item = PacketId> + 's,
    ) -> impl Iterator<Item = Cite<'s>> {
        packets.into_iter().filter_map(|packet| self.cite(packet))
    }

    /// When a packet was captured; `None` where that is no moment.
    pub fn moment_ns(&self, packet: &Packet<'_>) -> Option<Nanos> {
        let known = packet.flags() & flags::NO_TIME == 0 && self.label(packet)?.has_date;
        known.then(|| packet.time_ns())
    }

    /// Begins a row about a packet; about none of a unit, the first capture stands for it.
    pub fn begin(&self, rows: &mut Rows, packet: Option<PacketId>) {
        let packet = packet.and_then(|packet| self.index.packet(packet));
        let label = packet.as_ref().map_or_else(|| self.labels.first(), |packet| self.label(packet));
        rows.text(Some(self.site));
        rows.text(Some(self.sensor));
        rows.text(Some(label.map_or("", |label| &label.capture)));
        rows.text(Some(label.map_or("", |label| &label.sha256)));
        let frame = packet.as_ref().map(|packet| packet.frame().0);
        rows.number(frame.map(|frame| frame as i64));
        rows.shown(label.zip(frame).map(|(label, frame)| Cite { capture: &label.capture, frame }));
        let time_ns = packet.as_ref().and_then(|packet| self.moment_ns(packet));
        rows.moment(time_ns);
        rows.number(time_ns);
    }

    /// Begins a row about a capture that was or was not read.
    pub fn begin_capture(&self, rows: &mut Rows, (capture, sha256): (&str, &str)) {
        rows.text(Some(self.site));
        rows.text(Some(self.sensor));
        rows.text(Some(capture));
        rows.text(Some(sha256));
    }

    /// The name of a source's capture, and its SHA-256.
    pub fn capture(&self, source: usize) -> (&str, &str) {
        self.labels.get(source).map_or(("", ""), |label| (&label.capture, &label.sha256))
    }
}

/// What the times of a capture count from, in a word.
pub(super) fn basis_name(basis: Basis) -> &'static str {
    match basis {
        Basis::Nothing => "none",
        Basis::Start => "start",
        Basis::Midnight => "midnight",
        Basis::Local => "local",
        Basis::Utc => "utc",
    }
}

/// The IP protocol over which something was asked, in a word.
pub(super) fn transport_name(number: u8) -> Option<&'static str> {
    Some(match number {
        0 => return None,
        6 => "tcp",
        17 => "udp",
        1 => "icmp",
        58 => "icmpv6",
        132 => "sctp",
        _ => "other",
    })
}
