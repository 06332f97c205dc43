//! The DNS messages of an index by ordinal, with the time and bytes of the packets that carry them.

use crate::index::{DnsRow, Index, PacketId};
use crate::time::Nanos;

/// Position of a DNS message among all of the index, in packet order.
pub(super) type Ordinal = u32;

/// All DNS messages of an index.
pub(super) struct Messages<'i> {
    pub index: &'i Index,
    /// Ordinal of the first message of each segment that has any, and the segment's position.
    starts: Vec<(Ordinal, u32)>,
    len: Ordinal,
    /// Queries among them.
    pub queries: usize,
    /// The messages in the order of time, where that is not the packet order.
    ordered: Option<Vec<Ordinal>>,
    /// Time of the latest and the earliest packet of the capture.
    pub last_ns: Nanos,
    pub first_ns: Nanos,
}

impl<'i> Messages<'i> {
    pub fn new(index: &'i Index) -> Self {
        let mut starts = Vec::new();
        let (mut len, mut queries) = (0, 0);
        let (mut first_ns, mut last_ns) = (Nanos::MAX, Nanos::MIN);
        for (at, segment) in index.segments().iter().enumerate() {
            for time_ns in &segment.time_ns {
                first_ns = first_ns.min(*time_ns);
                last_ns = last_ns.max(*time_ns);
            }
            if !segment.dns.is_empty() {
                starts.push((len, at as u32));
                len += segment.dns.len() as Ordinal;
                queries += segment.dns.iter().filter(|row| !row.is_response()).count();
            }
        }
        let mut messages = Self { index, starts, len, queries, ordered: None, last_ns, first_ns };
        if index.order.is_some() {
            let mut ordinals: Vec<Ordinal> = (0..len).collect();
            ordinals.sort_by_key(|at| messages.row(*at).map(|row| messages.time_ns(row.packet)));
            messages.ordered = Some(ordinals);
        }
        messages
    }

    /// Number of messages.
    pub fn len(&self) -> Ordinal {
        self.len
    }

    /// One message.
    pub fn row(&self, ordinal: Ordinal) -> Option<&'i DnsRow> {
        let at = self.starts.partition_point(|(start, _)| *start <= ordinal).checked_sub(1)?;
        let (start, segment) = self.starts.get(at)?;
        self.index.segments().get(*segment as usize)?.dns.get((ordinal - start) as usize)
    }

    /// Every message with its time of capture: in packet order, or in the order of time where the index has one.
    pub fn iter(&self) -> impl Iterator<Item = (&'i DnsRow, Nanos)> + use<'i, '_> {
        let ordered = self.ordered.as_deref().map(|ordinals| {
            ordinals.iter().filter_map(|ordinal| {
                let row = self.row(*ordinal)?;
                Some((row, self.time_ns(row.packet)))
            })
        });
        let index = self.index;
        let plain = ordered.is_none().then(|| {
            index.segments().iter().flat_map(|segment| {
                segment.dns.iter().map(move |row| {
                    let at = (row.packet.0 - segment.base.0) as usize;
                    (row, segment.time_ns.get(at).copied().unwrap_or_default())
                })
            })
        });
        ordered.into_iter().flatten().chain(plain.into_iter().flatten())
    }

    /// Time of capture of a packet; 0 for one that is not there.
    pub fn time_ns(&self, packet: PacketId) -> Nanos {
        self.index.locate(packet).map_or(0, |(segment, row)| segment.time_ns.get(row).copied().unwrap_or(0))
    }

    /// The message's bytes as far as they were captured.
    pub fn bytes(&self, row: &DnsRow) -> &'i [u8] {
        self.index.packet(row.packet).map_or(&[], |packet| packet.message(row))
    }
}
