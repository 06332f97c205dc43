//! Walks a stream that had not begun when it was opened: its format is found when its first bytes come.

use super::{Bytes, Damage, Fill, Format, Metadata, Place, Record, Walk, detect, is_enough};

/// A walk that becomes that of the format found.
pub(super) struct Undecided {
    name: String,
    walk: Option<Box<dyn Walk>>,
    /// What is known before the format is, and all that is if it is none.
    metadata: Metadata,
}

impl Undecided {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), walk: None, metadata: Metadata::new(Format::Pcap) }
    }
}

impl Walk for Undecided {
    fn fill(&mut self, bytes: Bytes<'_>, complete: bool, limit: usize, records: &mut Vec<Record>) -> Fill {
        let first = bytes.get(..).unwrap_or_default();
        if self.walk.is_none() && is_enough(first, complete) {
            match detect(&self.name, first, complete) {
                Ok(walk) => self.walk = Some(walk),
                Err(error) => {
                    let (skipped, reason) = (bytes.len() as u64, error.to_string());
                    self.metadata.push_damage(Damage {
                        offset: 0,
                        skipped,
                        after_frame: 0,
                        reason,
                        place: Place::Capture,
                    });
                    return Fill::End;
                }
            }
        }
        match &mut self.walk {
            Some(walk) => walk.fill(bytes, complete, limit, records),
            None => Fill::Starved,
        }
    }

    fn metadata(&self) -> &Metadata {
        self.walk.as_ref().map_or(&self.metadata, |walk| walk.metadata())
    }

    fn position(&self) -> u64 {
        self.walk.as_ref().map_or(0, |walk| walk.position())
    }

    fn wanted(&self) -> u64 {
        self.walk.as_ref().map_or(0, |walk| walk.wanted())
    }

    fn unproven(&mut self, bytes: Bytes<'_>) -> Option<Record> {
        self.walk.as_mut()?.unproven(bytes)
    }

    fn settle(&mut self, bytes: Bytes<'_>) -> Option<Record> {
        self.walk.as_mut()?.settle(bytes)
    }
}
