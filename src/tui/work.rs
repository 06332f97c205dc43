//! The analyst's work as the screen holds it: the case as it is, and whether it is saved.

use std::sync::Arc;

use crate::case::{Annotation, EvidenceRecord, FrameRef, Notice, Saving, State as Case};
use crate::index::{FrameNumber, Index, PacketId, SourceId};

/// The case and where it stands with the disk.
#[derive(Clone, Debug)]
pub struct Work {
    /// The case as it is now.
    pub case: Arc<Case>,
    /// Whether it is safe.
    pub saving: Saving,
    /// What the analyst has to be told about it.
    pub notices: Vec<Notice>,
    /// Notices already dismissed.
    pub dismissed: Vec<Notice>,
}

impl Default for Work {
    fn default() -> Self {
        Self { case: Arc::default(), saving: Saving::Nothing, notices: Vec::new(), dismissed: Vec::new() }
    }
}

impl Work {
    /// The annotations of a packet with their position.
    pub fn annotations<'w>(
        &'w self,
        index: &Index,
        packet: PacketId,
    ) -> impl Iterator<Item = (usize, &'w Annotation)> + use<'w> {
        let frame = frame_of(index, packet);
        self.case
            .annotations
            .iter()
            .enumerate()
            .filter(move |(_, annotation)| frame.is_some_and(|frame| annotation.frames.contains(&frame)))
    }

    /// The letter under which a packet is marked.
    pub fn mark(&self, index: &Index, packet: PacketId) -> Option<char> {
        let frame = frame_of(index, packet)?;
        self.case.marks.iter().find(|(_, at)| **at == frame).map(|(letter, _)| *letter)
    }

    /// The number the next annotation gets.
    pub fn next_annotation(&self) -> u64 {
        self.case.annotations.iter().map(|annotation| annotation.id).max().unwrap_or(0).saturating_add(1)
    }
}

/// A packet as the case names it.
pub fn frame_of(index: &Index, packet: PacketId) -> Option<FrameRef> {
    let packet = index.packet(packet)?;
    Some(FrameRef { source: packet.segment.source.0, frame: packet.frame().0 })
}

/// What the captures are, for the case: names, sizes and hashes in the order of the sources.
pub fn records(index: &Index, hashes: &[String]) -> Vec<EvidenceRecord> {
    let record = |(source, sha256): (&crate::index::IndexedSource, &String)| EvidenceRecord {
        name: crate::case::file_name(&source.name),
        // A pipe has no size of its own: what came out of it counts.
        size: if source.path.is_none() { source.bytes.bytes().len() as u64 } else { source.size },
        sha256: sha256.clone(),
    };
    index.sources.iter().zip(hashes).map(record).collect()
}

/// The packet a case names.
pub fn packet_of(index: &Index, frame: FrameRef) -> Option<PacketId> {
    index.by_frame(SourceId(frame.source), FrameNumber(frame.frame))
}

/// The letter of an annotation by its position: A…Z, then `*`.
pub fn letter(position: usize) -> char {
    u8::try_from(position).ok().filter(|at| *at < 26).map_or('*', |at| char::from(b'A' + at))
}

/// What filters ask about annotations, frozen for one evaluation.
#[derive(Clone)]
pub struct Notes {
    /// The case.
    pub case: Arc<Case>,
    /// The packets it speaks of.
    pub index: Index,
}

impl crate::filter::Notes for Notes {
    fn notes(&self, packet: PacketId) -> Vec<String> {
        self.of(packet).map(|annotation| annotation.note.clone()).collect()
    }

    fn tags(&self, packet: PacketId) -> Vec<String> {
        self.of(packet).map(|annotation| annotation.tag.clone()).collect()
    }

    fn is_marked(&self, packet: PacketId) -> bool {
        frame_of(&self.index, packet).is_some_and(|frame| self.case.marks.values().any(|at| *at == frame))
    }
}

impl Notes {
    fn of(&self, packet: PacketId) -> impl Iterator<Item = &Annotation> {
        let frame = frame_of(&self.index, packet);
        self.case
            .annotations
            .iter()
            .filter(move |annotation| frame.is_some_and(|at| annotation.frames.contains(&at)))
    }
}
