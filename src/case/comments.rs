//! Comments found in opened captures become annotations of the case.

use super::{Annotation, Event, FrameRef, State};
use crate::index::Index;

/// The tag of annotations that come from a file and not from the analyst.
pub const TAG: &str = "comment";
/// What the chain of custody says when comments were taken up; it happens once, so that removed ones stay away.
pub const TAKEN_UP: &str = "took up comments";
/// How the section comment of a file exported by this program begins; it is no annotation.
pub const EXPORTED: &str = "cited packets of: ";
/// Comments taken from one file at most.
const COMMENTS_MAX: usize = 10_000;
/// The longest comment taken, in characters.
const COMMENT_MAX: usize = 4_000;

/// The changes that add the captures' comments, those on sections at the first frame. A comment that an
/// annotation of the same frame says already is left out.
pub fn events(state: &State, index: &Index) -> Vec<Event> {
    let mut next = state.annotations.iter().map(|note| note.id).max().unwrap_or(0).saturating_add(1);
    let mut known: std::collections::HashSet<(FrameRef, String)> = state
        .annotations
        .iter()
        .flat_map(|note| note.frames.iter().map(|frame| (*frame, note.note.trim().to_owned())))
        .collect();
    let mut events = Vec::new();
    for (at, source) in index.sources.iter().enumerate() {
        let sections = source.metadata.section_comments.iter().map(|comment| (1, comment));
        let packets = source.metadata.comments.iter().map(|(frame, comment)| (*frame, comment));
        for (number, comment) in sections.chain(packets).take(COMMENTS_MAX) {
            let frame = FrameRef { source: at as u32, frame: number };
            let note = shown(comment);
            let exported = note.starts_with(EXPORTED) || number > u64::from(source.packets);
            if note.is_empty() || exported || !known.insert((frame, note.clone())) {
                continue;
            }
            let annotation =
                Annotation { id: next, frames: vec![frame], note, tag: TAG.to_owned(), severity: None };
            events.push(Event::Annotate { annotation });
            next = next.saturating_add(1);
        }
    }
    events
}

/// Adds the captures' comments to a state that is not saved.
pub fn take_up(state: &mut State, index: &Index) {
    if state.custody.iter().any(|entry| entry.action == TAKEN_UP) {
        return;
    }
    for event in events(state, index) {
        state.apply(event);
    }
}

/// The comment line by line, with control characters escaped.
fn shown(comment: &str) -> String {
    let lines = comment.lines().map(|line| crate::text::escape(line.trim_end()));
    let text = lines.collect::<Vec<_>>().join("\n");
    text.trim().chars().take(COMMENT_MAX).collect()
}
