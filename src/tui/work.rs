//! The analyst's work as the screen holds it: the case, what can be undone, and whether it is saved.

use crate::case::{Annotation, FrameRef, State as Case};
use crate::index::{Index, PacketId};

/// Steps that can be undone.
const UNDO_MAX: usize = 1000;

/// Whether the case is safe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Saved {
    /// Nothing to save yet.
    #[default]
    Nothing,
    /// Changes are being written.
    Saving,
    /// Written at this time of day.
    At(String),
    /// Could not be written; why.
    Failed(String),
}

/// The case and what can be undone.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// The case as it is now.
    pub case: Case,
    /// Whether it is safe.
    pub saved: Saved,
    undo: Vec<(String, Case)>,
    redo: Vec<(String, Case)>,
}

impl Work {
    /// Work that begins with a case read from a file.
    pub fn with(case: Case) -> Self {
        Self { case, ..Self::default() }
    }

    /// Changes the case so that it can be undone; `what` names the change.
    pub fn change(&mut self, what: &str, change: impl FnOnce(&mut Case)) {
        let before = self.case.clone();
        change(&mut self.case);
        if before == self.case {
            return;
        }
        self.undo.push((what.to_owned(), before));
        if self.undo.len() > UNDO_MAX {
            self.undo.remove(0);
        }
        self.redo.clear();
        self.saved = Saved::Saving;
    }

    /// Takes the last change back; its name.
    pub fn undo(&mut self) -> Option<String> {
        let (what, before) = self.undo.pop()?;
        self.redo.push((what.clone(), std::mem::replace(&mut self.case, before)));
        self.saved = Saved::Saving;
        Some(what)
    }

    /// Makes a change again that was taken back; its name.
    pub fn redo(&mut self) -> Option<String> {
        let (what, after) = self.redo.pop()?;
        self.undo.push((what.clone(), std::mem::replace(&mut self.case, after)));
        self.saved = Saved::Saving;
        Some(what)
    }

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

    /// The number the next annotation gets.
    pub fn next_annotation(&self) -> u64 {
        self.case.annotations.iter().map(|annotation| annotation.id).max().unwrap_or(0) + 1
    }
}

/// A packet as the case names it.
pub fn frame_of(index: &Index, packet: PacketId) -> Option<FrameRef> {
    let packet = index.packet(packet)?;
    Some(FrameRef { source: packet.segment.source.0, frame: packet.frame().0 })
}

/// The packet a case names.
pub fn packet_of(index: &Index, frame: FrameRef) -> Option<PacketId> {
    index.by_frame(crate::index::SourceId(frame.source), crate::index::FrameNumber(frame.frame))
}

/// The letter of an annotation by its position: A…Z, then `*`.
pub fn letter(position: usize) -> char {
    u8::try_from(position).ok().filter(|at| *at < 26).map_or('*', |at| char::from(b'A' + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undo_after_do_is_as_before() {
        let mut work = Work::default();
        let before = work.case.clone();
        work.change("mark", |case| {
            case.marks.insert('a', FrameRef { source: 0, frame: 2 });
        });
        let after = work.case.clone();
        assert_eq!(work.undo().as_deref(), Some("mark"));
        assert_eq!(work.case, before);
        assert_eq!(work.redo().as_deref(), Some("mark"));
        assert_eq!(work.case, after);
        assert_eq!(work.redo(), None);
    }
}
