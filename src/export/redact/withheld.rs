//! What people typed does not leave a redacted report: notes, fields, comments and names of files are withheld.

use crate::case::State;
use crate::index::{Index, SourceId, source_label};

/// Stands for a note of the analyst's.
const NOTE: &str = "[note withheld]";
/// Stands for a comment that a capture carried.
const COMMENT: &str = "[comment withheld]";
/// Stands for other things that were typed.
const WITHHELD: &str = "[withheld]";

/// Fields whose values are chosen from a closed list, with the list.
const CHOSEN: [(&str, &[&str]); 2] = [
    ("case.tlp", &["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]),
    ("case.severity", &["info", "low", "medium", "high", "critical"]),
];

/// Index and case with nothing in them that was typed: captures go by their labels, words are withheld.
pub fn without_typed(index: &Index, case: &State) -> (Index, State) {
    let (mut index, mut case) = (index.clone(), case.clone());
    let mut names = Vec::new();
    for (at, source) in index.sources.iter_mut().enumerate() {
        let label = format!("capture-{}", source_label(SourceId::at(at)));
        let file = std::path::Path::new(&source.name).file_name();
        names.extend(file.map(|file| (file.to_string_lossy().into_owned(), label.clone())));
        names.push((std::mem::replace(&mut source.name, label.clone()), label.clone()));
        source.path = None;
        if let Some(record) = case.evidence.get_mut(at) {
            record.name = label;
        }
    }
    // The longest first: a path before the file name in it.
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    withhold(&mut case, &names);
    (index, case)
}

fn withhold(case: &mut State, names: &[(String, String)]) {
    for note in &mut case.annotations {
        let is_comment = note.tag == crate::case::comments::TAG;
        if is_comment { COMMENT } else { NOTE }.clone_into(&mut note.note);
    }
    for (id, value) in &mut case.fields {
        let chosen = CHOSEN.iter().find(|(known, _)| known == id).map_or(&[][..], |(_, values)| values);
        let value_of = |text: &str| chosen.iter().find(|known| known.eq_ignore_ascii_case(text.trim()));
        *value = value_of(value.trim_start_matches("TLP:")).map_or(WITHHELD, |known| *known).to_owned();
    }
    for decision in case.decisions.values_mut() {
        decision.text = decision.text.take().map(|_| "[the analyst's wording is withheld]".to_owned());
    }
    for row in &mut case.manual_rows {
        if !row.when.chars().all(|c| c.is_ascii_digit() || "-:.+TZ ".contains(c)) {
            WITHHELD.clone_into(&mut row.when);
        }
        WITHHELD.clone_into(&mut row.by);
        WITHHELD.clone_into(&mut row.text);
    }
    case.ledger.iter_mut().for_each(|change| WITHHELD.clone_into(&mut change.note));
    case.filters.clear();
    for entry in &mut case.custody {
        if entry.who != "portmortem" {
            WITHHELD.clone_into(&mut entry.who);
            WITHHELD.clone_into(&mut entry.action);
            WITHHELD.clone_into(&mut entry.detail);
        }
        for (name, label) in names.iter().filter(|(name, _)| name.len() > 2) {
            entry.detail = entry.detail.replace(name.as_str(), label);
        }
        // A file that was written keeps neither its name nor the folders above it.
        if matches!(entry.action.as_str(), "exported" | "kept") {
            WITHHELD.clone_into(&mut entry.detail);
        }
    }
}
