//! All lookups in order, each with its ends, time and DNS row, found without searching.

use crate::correlate::Transaction;
use crate::decode::Address;
use crate::findings::Input;
use crate::findings::facts::ServerKey;
use crate::index::segment::DnsRow;
use crate::index::{Index, PacketId, Segment};
use crate::time::Nanos;

/// One lookup: its transaction and what its first query's columns say.
#[derive(Clone, Copy)]
pub struct Asked<'i> {
    /// The transaction.
    pub transaction: &'i Transaction,
    /// Who asked.
    pub client: Address,
    /// Who was asked: address, port, IP protocol.
    pub server: ServerKey,
    /// When.
    pub time_ns: Nanos,
    /// Bytes of the first query as sent.
    pub original: u32,
    /// Its segment.
    pub segment: &'i Segment,
    /// Its DNS row.
    pub row: &'i DnsRow,
}

impl Asked<'_> {
    /// When its answer or error came; the time of the query where neither did.
    pub fn ended_ns(&self) -> Nanos {
        self.time_ns.saturating_add(self.transaction.waited_ns)
    }
}

/// A walk over all transactions. They stand in the order of their first queries, so that segment and DNS row of the next
/// one are a few steps further on.
pub struct Walk<'i> {
    index: &'i Index,
    transactions: std::slice::Iter<'i, Transaction>,
    segment: Option<&'i Segment>,
    /// Position in the segment's DNS rows.
    at: usize,
}

/// Walks over all lookups.
pub fn all<'i>(input: &Input<'i>) -> Walk<'i> {
    Walk { index: input.index, transactions: input.evidence.transactions.iter(), segment: None, at: 0 }
}

impl<'i> Iterator for Walk<'i> {
    type Item = Asked<'i>;

    fn next(&mut self) -> Option<Asked<'i>> {
        loop {
            let transaction = self.transactions.next()?;
            if let Some(asked) = self.look(transaction) {
                return Some(asked);
            }
        }
    }
}

impl<'i> Walk<'i> {
    fn look(&mut self, transaction: &'i Transaction) -> Option<Asked<'i>> {
        let id = transaction.first;
        let inside = |segment: &&Segment| {
            id.0.checked_sub(segment.base.0).is_some_and(|row| (row as usize) < segment.len())
        };
        let segment = if let Some(segment) = self.segment.filter(inside) {
            segment
        } else {
            let segment = self.index.locate(id)?.0;
            self.at = segment.dns.partition_point(|row| row.packet < id);
            self.segment = Some(segment);
            segment
        };
        let row = self.row(segment, id, usize::from(transaction.message))?;
        let at = (id.0 - segment.base.0) as usize;
        let address = |column: &[u32]| column.get(at).map(|position| segment.address(*position));
        Some(Asked {
            transaction,
            client: address(&segment.source_address)?,
            server: (
                address(&segment.destination_address)?,
                segment.destination_port.get(at).copied()?,
                segment.transport.get(at).copied()?,
            ),
            time_ns: segment.time_ns.get(at).copied()?,
            original: segment.originals().get(at).copied()?,
            segment,
            row,
        })
    }

    /// The DNS row of a packet's first, second, … message: a few steps on, or searched for where the order is broken.
    fn row(&mut self, segment: &'i Segment, id: PacketId, message: usize) -> Option<&'i DnsRow> {
        let is_before = |at: usize| {
            at.checked_sub(1).and_then(|at| segment.dns.get(at)).is_none_or(|row| row.packet < id)
        };
        if !is_before(self.at) {
            self.at = segment.dns.partition_point(|row| row.packet < id);
        }
        while segment.dns.get(self.at).is_some_and(|row| row.packet < id) {
            self.at += 1;
        }
        segment.dns.get(self.at + message).filter(|row| row.packet == id)
    }
}
