//! The closed set of changes to a case; applying one gives the event that takes it back.

use serde::{Deserialize, Serialize};

use super::{Annotation, CustodyEntry, Decision, EvidenceRecord, FrameRef, LedgerChange, ManualRow, State};

/// One change of a case. Each carries all it needs, so that a journal of events replays to the same state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Event {
    /// Adds an annotation, or replaces the one with the same id.
    Annotate {
        /// The annotation.
        annotation: Annotation,
    },
    /// Takes an annotation away.
    RemoveAnnotation {
        /// Its id.
        id: u64,
    },
    /// Records what the analyst decided about a claim; `None` resets it to the program's suggestion.
    Decide {
        /// The claim's id.
        claim: String,
        /// The decision.
        decision: Option<Decision>,
    },
    /// Fills an open field; `None` empties it.
    Fill {
        /// The field's id.
        field: String,
        /// The analyst's text.
        value: Option<String>,
    },
    /// Adds a timeline row by hand, or replaces the one with the same id.
    PutRow {
        /// The row.
        row: ManualRow,
    },
    /// Takes a manual timeline row away.
    RemoveRow {
        /// Its id.
        id: u64,
    },
    /// Adds a change of the ledger, or replaces the one with the same id.
    PutLedger {
        /// The change.
        change: LedgerChange,
    },
    /// Takes a change of the ledger away.
    RemoveLedger {
        /// Its id.
        id: u64,
    },
    /// Sets a mark; `None` clears it.
    Mark {
        /// The letter.
        letter: char,
        /// The frame.
        frame: Option<FrameRef>,
    },
    /// Names a filter; `None` forgets the name.
    NameFilter {
        /// The name.
        name: String,
        /// The filter text.
        filter: Option<String>,
    },
    /// Inserts a chain-of-custody entry at a position; `None` takes the entry there away.
    Custody {
        /// Position in the chain.
        position: usize,
        /// The entry.
        entry: Option<CustodyEntry>,
    },
    /// Records what the captures are.
    Evidence {
        /// One record a capture, in the order of their labels.
        records: Vec<EvidenceRecord>,
    },
    /// Keeps a text that is still being written; `None` when it is saved or given up.
    KeepDraft {
        /// What it is for.
        key: String,
        /// The text so far.
        text: Option<String>,
    },
    /// Several changes made, undone and redone as one.
    Batch {
        /// The changes in order.
        events: Vec<Event>,
    },
}

/// What has an identity of its own within the case.
trait Keyed {
    fn key(&self) -> u64;
}
impl Keyed for Annotation {
    fn key(&self) -> u64 {
        self.id
    }
}
impl Keyed for ManualRow {
    fn key(&self) -> u64 {
        self.id
    }
}
impl Keyed for LedgerChange {
    fn key(&self) -> u64 {
        self.id
    }
}

/// Inserts in order of id; gives what stood there before.
fn put<T: Keyed>(list: &mut Vec<T>, item: T) -> Option<T> {
    let at = list.partition_point(|other| other.key() < item.key());
    match list.get_mut(at) {
        Some(slot) if slot.key() == item.key() => Some(std::mem::replace(slot, item)),
        _ => {
            list.insert(at, item);
            None
        }
    }
}

fn take<T: Keyed>(list: &mut Vec<T>, id: u64) -> Option<T> {
    let at = list.iter().position(|item| item.key() == id)?;
    Some(list.remove(at))
}

impl Event {
    /// An event that changes nothing.
    pub fn nothing() -> Self {
        Self::Batch { events: Vec::new() }
    }

    /// Whether the analyst made it and may take it back; the program's own records stay.
    pub fn is_undoable(&self) -> bool {
        !matches!(self, Self::Custody { .. } | Self::Evidence { .. } | Self::KeepDraft { .. })
    }

    /// Moves the ids from `first` on up, so that two journals can be joined.
    pub(super) fn shift_ids(&mut self, first: u64, by: u64) {
        let shift = |id: &mut u64| *id = if *id >= first { id.saturating_add(by) } else { *id };
        match self {
            Self::Annotate { annotation } => shift(&mut annotation.id),
            Self::RemoveAnnotation { id } | Self::RemoveRow { id } | Self::RemoveLedger { id } => shift(id),
            Self::PutRow { row } => shift(&mut row.id),
            Self::PutLedger { change } => shift(&mut change.id),
            Self::Batch { events } => events.iter_mut().for_each(|event| event.shift_ids(first, by)),
            _ => {}
        }
    }
}

impl State {
    /// Applies an event and gives the event that takes it back.
    pub fn apply(&mut self, event: Event) -> Event {
        match event {
            Event::Annotate { annotation } => {
                let id = annotation.id;
                match put(&mut self.annotations, annotation) {
                    Some(before) => Event::Annotate { annotation: before },
                    None => Event::RemoveAnnotation { id },
                }
            }
            Event::RemoveAnnotation { id } => take(&mut self.annotations, id)
                .map_or_else(Event::nothing, |annotation| Event::Annotate { annotation }),
            Event::Decide { claim, decision } => {
                let before = set(&mut self.decisions, claim.clone(), decision);
                Event::Decide { claim, decision: before }
            }
            Event::Fill { field, value } => {
                let before = set(&mut self.fields, field.clone(), value);
                Event::Fill { field, value: before }
            }
            Event::PutRow { row } => {
                let id = row.id;
                match put(&mut self.manual_rows, row) {
                    Some(before) => Event::PutRow { row: before },
                    None => Event::RemoveRow { id },
                }
            }
            Event::RemoveRow { id } => {
                take(&mut self.manual_rows, id).map_or_else(Event::nothing, |row| Event::PutRow { row })
            }
            Event::PutLedger { change } => {
                let id = change.id;
                match put(&mut self.ledger, change) {
                    Some(before) => Event::PutLedger { change: before },
                    None => Event::RemoveLedger { id },
                }
            }
            Event::RemoveLedger { id } => {
                take(&mut self.ledger, id).map_or_else(Event::nothing, |change| Event::PutLedger { change })
            }
            Event::Mark { letter, frame } => {
                let before = set(&mut self.marks, letter, frame);
                Event::Mark { letter, frame: before }
            }
            Event::NameFilter { name, filter } => {
                let before = set(&mut self.filters, name.clone(), filter);
                Event::NameFilter { name, filter: before }
            }
            Event::Custody { position, entry } => self.apply_custody(position, entry),
            Event::KeepDraft { key, text } => {
                let before = set(&mut self.drafts, key.clone(), text);
                Event::KeepDraft { key, text: before }
            }
            Event::Evidence { records } => {
                Event::Evidence { records: std::mem::replace(&mut self.evidence, records) }
            }
            Event::Batch { events } => {
                let mut inverse: Vec<Event> = events.into_iter().map(|event| self.apply(event)).collect();
                inverse.reverse();
                Event::Batch { events: inverse }
            }
        }
    }

    fn apply_custody(&mut self, position: usize, entry: Option<CustodyEntry>) -> Event {
        match entry {
            Some(entry) => {
                let position = position.min(self.custody.len());
                self.custody.insert(position, entry);
                Event::Custody { position, entry: None }
            }
            None if position < self.custody.len() => {
                Event::Custody { position, entry: Some(self.custody.remove(position)) }
            }
            None => Event::nothing(),
        }
    }

    /// The id for the next annotation, manual row or ledger change.
    pub fn next_id(&self) -> u64 {
        let annotations = self.annotations.iter().map(|annotation| annotation.id);
        let rows = self.manual_rows.iter().map(|row| row.id);
        let ledger = self.ledger.iter().map(|change| change.id);
        annotations.chain(rows).chain(ledger).max().unwrap_or(0).saturating_add(1)
    }
}

fn set<K: Ord, V>(map: &mut std::collections::BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}
