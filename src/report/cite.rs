//! Citations: how frames are named in the text, and which frames a label names.

use crate::index::{FrameNumber, Index, PacketId, SourceId};

/// Runs and single frames listed before a citation is shortened to first, last and count.
const PARTS_MAX: usize = 6;
/// A run of at least this many consecutive frames is written as a range.
const RUN_MIN: u32 = 4;

/// A list of fewer frames is not named as a part of another.
const PART_MIN: usize = 12;

/// The lists of frames too long to be written where they are cited, numbered from 1 in the order of the report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lists {
    sets: Vec<Vec<PacketId>>,
    numbers: std::collections::HashMap<Vec<PacketId>, usize>,
}

impl Lists {
    /// The number of the list of these frames (sorted, each once), which is made where there is none.
    pub fn enter(&mut self, frames: &[PacketId]) -> usize {
        if let Some(number) = self.numbers.get(frames) {
            return *number;
        }
        self.sets.push(frames.to_vec());
        self.numbers.insert(frames.to_vec(), self.sets.len());
        self.sets.len()
    }

    /// The number of the list of these frames, if there is one.
    pub fn number(&self, frames: &[PacketId]) -> Option<usize> {
        self.numbers.get(frames).copied()
    }

    /// The lists in order.
    pub fn sets(&self) -> &[Vec<PacketId>] {
        &self.sets
    }
}

/// Whether a citation names its first and last frame only.
pub fn is_shortened(citation: &str) -> bool {
    citation.contains('…')
}

/// Names frames: `F2` · `F1, F3, F5` · `F1–F6` · `F101…F140, 23 frames` · `A:F2` · `L2`. Empty without frames.
pub fn frames(index: &Index, frames: &[PacketId]) -> String {
    let mut sorted = frames.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    match parts(index, &sorted, PARTS_MAX) {
        (parts, 0) => parts.join(", "),
        _ => shortened(index, &sorted),
    }
}

/// Names every frame, up to a number of frames and runs; what is left out is counted.
pub fn written_out(index: &Index, sorted: &[PacketId], most: usize) -> String {
    let (parts, left_out) = parts(index, sorted, most);
    let rest = match left_out {
        0 => String::new(),
        rest => format!(" and {} more frames", crate::text::thousands(rest as u64)),
    };
    format!("{}{rest}", parts.join(", "))
}

/// The frames and runs of frames of a sorted list, at most so many, and how many frames are left out.
fn parts(index: &Index, sorted: &[PacketId], most: usize) -> (Vec<String>, usize) {
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(&first) = sorted.get(at) {
        let mut end = at + 1;
        while sorted.get(end).is_some_and(|next| next.0 == first.0 + (end - at) as u32)
            && same_source(index, first, sorted.get(end).copied())
        {
            end += 1;
        }
        let last = sorted.get(end - 1).copied().unwrap_or(first);
        if (end - at) as u32 >= RUN_MIN {
            parts.push(format!("{}–{}", index.label(first), index.label(last)));
        } else {
            parts.extend(sorted.get(at..end).unwrap_or_default().iter().map(|id| index.label(*id)));
        }
        if parts.len() > most {
            parts.truncate(most);
            return (parts, sorted.len() - at);
        }
        at = end;
    }
    (parts, 0)
}

fn same_source(index: &Index, first: PacketId, next: Option<PacketId>) -> bool {
    let source = |id: PacketId| index.packet(id).map(|packet| packet.segment.source);
    next.is_some_and(|next| source(first) == source(next))
}

fn shortened(index: &Index, sorted: &[PacketId]) -> String {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return String::new() };
    let count = crate::text::thousands(sorted.len() as u64);
    format!("{}…{}, {count} frames", index.label(*first), index.label(*last))
}

/// Names a pair: `F1→F2`.
pub fn pair(index: &Index, from: PacketId, to: PacketId) -> String {
    format!("{}→{}", index.label(from), index.label(to))
}

/// Which other lists a list is made of, by their numbers, and what it has beside them: the largest first, none twice.
pub fn made_of(sets: &[Vec<PacketId>], whole: &[PacketId]) -> (Vec<usize>, Vec<PacketId>) {
    let mut rest: Vec<PacketId> = whole.to_vec();
    let mut others: Vec<(usize, &Vec<PacketId>)> = (1..).zip(sets).collect();
    // A part of a few frames is written as soon as named.
    others.retain(|(_, part)| part.len() >= PART_MIN && part.len() < whole.len());
    others.sort_by_key(|(number, part)| (std::cmp::Reverse(part.len()), *number));
    let mut parts = Vec::new();
    for (number, part) in others {
        let is_in = part.len() <= rest.len() && part.iter().all(|id| rest.binary_search(id).is_ok());
        if is_in {
            rest.retain(|id| part.binary_search(id).is_err());
            parts.push(number);
        }
    }
    parts.sort_unstable();
    (parts, rest)
}

/// The frames a citation names; ranges are filled, parts that name no frame are skipped.
/// A range that names more frames than the index has is cut there.
pub fn resolve(index: &Index, citation: &str) -> Vec<PacketId> {
    let inner = citation.trim().trim_start_matches('[').trim_end_matches(']');
    let mut found = Vec::new();
    for part in inner.split([',', '→']) {
        let mut ends = part.split(['–', '…']).map(|label| label_packet(index, label.trim()));
        match (ends.next().flatten(), ends.next().flatten()) {
            (Some(first), Some(last)) if first <= last => found.extend((first.0..=last.0).map(PacketId)),
            (Some(first), _) => found.push(first),
            _ => {}
        }
    }
    found
}

/// The packet of a label (`F17`, `B:F2`, `L2`); `None` where there is no such packet.
pub fn label_packet(index: &Index, label: &str) -> Option<PacketId> {
    let (source, frame) = match label.split_once(':') {
        Some((letter, frame)) => {
            let position = (0..index.sources.len())
                .find(|at| crate::index::source_label(SourceId::at(*at)) == letter)?;
            (SourceId::at(position), frame)
        }
        None => (SourceId(0), label),
    };
    let number = frame.strip_prefix(['F', 'L'])?.parse().ok()?;
    index.by_frame(source, FrameNumber(number))
}
