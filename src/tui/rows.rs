//! Which packets the timeline shows, and how their times are written.

use std::sync::Arc;

use crate::index::{Index, PacketId};

/// The rows the timeline shows.
#[derive(Clone, Debug, Default)]
pub enum Rows {
    /// Every packet.
    #[default]
    All,
    /// These packets, in the order of the index.
    Some(Arc<[u32]>),
}

impl Rows {
    /// How many.
    pub fn len(&self, index: &Index) -> usize {
        match self {
            Self::All => index.len() as usize,
            Self::Some(rows) => rows.len(),
        }
    }

    /// The packet of a row.
    pub fn get(&self, index: &Index, row: usize) -> Option<PacketId> {
        match self {
            Self::All => match &index.order {
                Some(order) => order.get(row).map(|id| PacketId(*id)),
                None => (row < index.len() as usize).then_some(PacketId(row as u32)),
            },
            Self::Some(rows) => rows.get(row).map(|id| PacketId(*id)),
        }
    }

    /// The row of a packet.
    pub fn find(&self, index: &Index, id: PacketId) -> Option<usize> {
        let row = self.place(index, id);
        (self.get(index, row) == Some(id)).then_some(row)
    }

    /// Where a packet stands, or would stand: rows go by id, where there is an order by time and then id.
    fn place(&self, index: &Index, id: PacketId) -> usize {
        let rows: &[u32] = match (self, &index.order) {
            (Self::All, None) => return id.0.min(index.len()) as usize,
            (Self::All, Some(order)) => order,
            (Self::Some(rows), _) => rows,
        };
        if index.order.is_none() {
            return rows.partition_point(|at| *at < id.0);
        }
        let key = |id: PacketId| (index.packet(id).map(|packet| packet.time_ns()), id.0);
        let wanted = key(id);
        rows.partition_point(|at| key(PacketId(*at)) < wanted)
    }

    /// The row of a packet, or of the nearest one after it.
    pub fn nearest(&self, index: &Index, id: PacketId) -> usize {
        self.place(index, id).min(self.len(index).saturating_sub(1))
    }
}

/// How times are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// `13:24:32.192571`
    #[default]
    TimeOfDay,
    /// `2024-05-14 13:24:32.192571`
    DateAndTime,
    /// Seconds since the first packet or the reference.
    Relative,
    /// Seconds since the row above.
    Delta,
}

impl TimeFormat {
    /// All of them, in the order they come round.
    pub const ALL: [Self; 4] = [Self::TimeOfDay, Self::DateAndTime, Self::Relative, Self::Delta];

    /// The next one round.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|format| *format == self).unwrap_or(0);
        Self::ALL.get(at + 1).copied().unwrap_or_default()
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::TimeOfDay => "time of day (UTC)",
            Self::DateAndTime => "date and time (UTC)",
            Self::Relative => "seconds since the first packet or the reference (T)",
            Self::Delta => "seconds since the row above",
        }
    }
}
