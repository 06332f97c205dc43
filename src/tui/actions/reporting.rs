//! The report: annotating, accepting, rejecting, editing, following citations, copying, exporting, undo.

use super::{Action, Context};
use crate::case::Event;
use crate::index::PacketId;
use crate::report::{Block, Claim};
use crate::tui::dialogs::{Annotate, Choice, Dialog, Edit, EditTarget, Menu, MenuItem, SEVERITIES, editor};
use crate::tui::state::{State, Tone};
use crate::tui::update::{Effect, Job};
use crate::tui::views;
use crate::tui::work::packet_of;

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    row("undo", "undo", &["u"], Context::Panels, |_| Effect::Start(Job::Undo)),
    row("redo", "redo", &["Ctrl-r"], Context::Panels, |_| Effect::Start(Job::Redo)),
    row("export", "export the report or a bundle, redacted or not", &["x"], Context::Panels, export),
    row("copy", "copy something of the selected packet or the report", &["y"], Context::Panels, copy),
    row("pick", "begin a range of packets; again: pick it", &["v"], Context::Timeline, pick),
    row("annotate", "write a note on this packet, or on those picked", &["a"], Context::Timeline, annotate),
    row("annotate-packet", "write a note on this packet", &["a"], Context::Packet, annotate),
    row(
        "annotate-attempt",
        "write a note on this attempt's packets",
        &["a"],
        Context::Attempts,
        annotate_attempt,
    ),
    row("annotate-message", "write a note on this message", &["a"], Context::Ladder, annotate),
    row("edit-note", "change the note on this packet", &["e"], Context::Timeline, edit_note),
    row("remove-note", "remove the note on this packet", &["Ctrl-x"], Context::Timeline, remove_note),
    row("accept", "accept this claim", &["a"], Context::Report, |state| decide(state, Some(true))),
    row("reject", "reject this claim: it is not exported", &["r"], Context::Report, |state| {
        decide(state, Some(false))
    }),
    row("reset", "back to the program's wording, undecided", &["R"], Context::Report, |state| {
        decide(state, None)
    }),
    row("edit", "edit this claim, note or open field", &["e"], Context::Report, edit),
    row(
        "unfold-part",
        "fold or unfold this table or list",
        &["Space", "Right", "Left"],
        Context::Report,
        unfold,
    ),
    row("next-open", "next open field or undecided claim", &["o"], Context::Report, next_open),
    row(
        "finding-to-report",
        "put this finding into the report as a note",
        &["a"],
        Context::Findings,
        |state| {
            let Some(finding) = state.findings.get(state.finding_list.row).cloned() else {
                return Effect::None;
            };
            let severity = SEVERITIES.iter().position(|word| *word == finding.severity.name()).unwrap_or(0);
            let frames: Vec<PacketId> = finding.frames.iter().copied().take(FRAMES_MAX).collect();
            let annotate = Annotate::new(frames, None, &finding.statement, "finding", severity);
            state.dialog = Some(Dialog::Annotate(Box::new(annotate)));
            Effect::None
        },
    ),
    row("filter-finding", "show only this finding's packets", &["Space"], Context::Findings, |state| {
        let filter = state.findings.get(state.finding_list.row).map(|finding| finding.filter.clone());
        match filter.filter(|text| !text.is_empty()) {
            Some(text) => super::filtering::join(state, &text, crate::tui::dialogs::Join::Replace),
            None => Effect::None,
        }
    }),
];

/// Frames one note cites.
const FRAMES_MAX: usize = 200;

const fn row(
    name: &'static str,
    help: &'static str,
    keys: &'static [&'static str],
    context: Context,
    run: fn(&mut State) -> Effect,
) -> Action {
    Action { name, help, keys, context, run }
}

/// Begins a range, or ends it: its packets are picked, or let go where all of them were.
fn pick(state: &mut State) -> Effect {
    if state.timeline.range_from.is_none() {
        state.timeline.range_from = state.timeline.selected;
        state.say(
            "range begun: move to its other end; v picks it, a notes it at once, Esc leaves",
            Tone::Plain,
        );
        return Effect::None;
    }
    let range = in_range(state);
    state.timeline.range_from = None;
    if range.iter().all(|id| state.timeline.picked.contains(id)) {
        for id in &range {
            state.timeline.picked.remove(id);
        }
    } else {
        state.timeline.picked.extend(range);
    }
    let count = state.timeline.picked.len();
    let packets = if count == 1 { "packet" } else { "packets" };
    state.say(format!("{count} {packets} picked: a notes them together, Esc lets go"), Tone::Good);
    Effect::None
}

/// The packets of the range being picked, at most as many as one note cites.
fn in_range(state: &State) -> Vec<PacketId> {
    let rows = state.range().into_iter().flatten().take(FRAMES_MAX);
    rows.filter_map(|row| state.timeline.rows.get(&state.index, row)).collect()
}

fn annotate(state: &mut State) -> Effect {
    let Some(id) = state.timeline.selected else { return Effect::None };
    let range = in_range(state);
    state.timeline.picked.extend(range);
    let picked: Vec<PacketId> = state.timeline.picked.iter().copied().take(FRAMES_MAX).collect();
    state.timeline.range_from = None;
    if !picked.is_empty() {
        let grave = picked.iter().any(|id| state.listed.table.failures.contains(*id));
        let severity = if grave { 3 } else { 1 };
        let annotate = Annotate::new(picked, None, "", "finding", severity);
        state.dialog = Some(Dialog::Annotate(Box::new(annotate)));
        return Effect::None;
    }
    let severity = if state.listed.table.failures.contains(id) { 3 } else { 1 };
    state.dialog = Some(Dialog::Annotate(Box::new(Annotate::new(vec![id], None, "", "finding", severity))));
    Effect::None
}

/// A note cites the packets that show an attempt.
fn annotate_attempt(state: &mut State) -> Effect {
    let Some(entry) = state.listed.entry(state.attempts.list.row) else { return Effect::None };
    let table = std::sync::Arc::clone(&state.listed.table);
    let frames: Vec<PacketId> = table.frames(entry).into_iter().take(FRAMES_MAX).collect();
    let severity = if table.kind(entry).is_some() { 3 } else { 1 };
    state.dialog = Some(Dialog::Annotate(Box::new(Annotate::new(frames, None, "", "finding", severity))));
    Effect::None
}

fn edit_note(state: &mut State) -> Effect {
    let Some(id) = state.timeline.selected else { return Effect::None };
    let found = state.work.annotations(&state.index, id).last().map(|(_, annotation)| annotation.id);
    if let Some(note) = found {
        open_note(state, note)
    } else {
        state.say("there is no note on this packet: a writes one", Tone::Plain);
        Effect::None
    }
}

/// Opens a note for changing.
fn open_note(state: &mut State, id: u64) -> Effect {
    let Some(note) = state.work.case.annotations.iter().find(|annotation| annotation.id == id) else {
        return Effect::None;
    };
    let packets = note.frames.iter().filter_map(|frame| packet_of(&state.index, *frame)).collect();
    let severity = SEVERITIES.iter().position(|word| Some(*word) == note.severity.as_deref()).unwrap_or(0);
    let annotate = Annotate::new(packets, Some(id), &note.note, &note.tag, severity);
    state.dialog = Some(Dialog::Annotate(Box::new(annotate)));
    Effect::None
}

fn remove_note(state: &mut State) -> Effect {
    let selected = state.timeline.selected;
    let found =
        selected.and_then(|id| state.work.annotations(&state.index, id).last().map(|(_, note)| note.id));
    match found {
        Some(id) => {
            state.say("note removed; u brings it back", Tone::Plain);
            Effect::Start(Job::Change(Event::RemoveAnnotation { id }))
        }
        None => Effect::None,
    }
}

fn selected_claim(state: &State) -> Option<&Claim> {
    match views::report::block(state, state.reading.item)? {
        Block::Claim(claim) => Some(claim),
        _ => None,
    }
}

fn decide(state: &mut State, accepted: Option<bool>) -> Effect {
    let Some(claim) = selected_claim(state) else {
        state.say("this is no claim: only claims are accepted or rejected", Tone::Plain);
        return Effect::None;
    };
    if claim.annotation.is_some() {
        state.say("this is your own note: e changes it, u takes it back", Tone::Plain);
        return Effect::None;
    }
    let event = match accepted {
        Some(true) => claim.accept(),
        Some(false) => claim.reject(),
        None => claim.reset(),
    };
    state.reading.item = state.reading.item.saturating_add(1);
    Effect::Start(Job::Change(event))
}

fn edit(state: &mut State) -> Effect {
    let edit = match views::report::block(state, state.reading.item) {
        Some(Block::Claim(claim)) => {
            if let Some(note) = claim.annotation {
                return open_note(state, note);
            }
            Edit {
                target: EditTarget::Claim(Box::new(claim.clone())),
                title: "Edit this claim; its citations stay".to_owned(),
                area: editor(&claim.text),
            }
        }
        Some(Block::Field(field)) => Edit {
            target: EditTarget::Field(field.id.clone()),
            title: field.prompt.clone(),
            area: editor(field.value.as_deref().unwrap_or_default()),
        },
        _ => {
            state.say("only claims, notes and open fields are edited", Tone::Plain);
            return Effect::None;
        }
    };
    state.dialog = Some(Dialog::Edit(Box::new(edit)));
    Effect::None
}

fn unfold(state: &mut State) -> Effect {
    if let Some(id) = views::report::fold_id(state, state.reading.item)
        && !state.reading.open.remove(&id)
    {
        state.reading.open.insert(id);
    }
    Effect::None
}

fn next_open(state: &mut State) -> Effect {
    let count = views::report::items(state).len();
    let open = |item: &usize| match views::report::block(state, *item) {
        Some(Block::Field(field)) => field.value.is_none(),
        Some(Block::Claim(claim)) => {
            matches!(claim.state, crate::report::ClaimState::Suggested | crate::report::ClaimState::Stale)
                && claim.annotation.is_none()
        }
        _ => false,
    };
    let here = state.reading.item;
    let found = (here + 1..count).chain(0..=here).find(open);
    match found {
        Some(item) => state.reading.item = item,
        None => state.say("nothing is open", Tone::Good),
    }
    Effect::None
}

/// Goes to the packet the selected part of the report cites; Enter again goes to its next one.
pub fn follow_citation(state: &mut State) -> Effect {
    let frames = views::report::cited(state, state.reading.item);
    if frames.is_empty() {
        if views::report::fold_id(state, state.reading.item).is_some() {
            return unfold(state);
        }
        state.say("this part cites no packet", Tone::Plain);
        return Effect::None;
    }
    let at = state.reading.citation % frames.len();
    state.reading.citation = at + 1;
    let Some(id) = frames.get(at).copied() else { return Effect::None };
    let number = state.number(id);
    state.say(format!("citation {} of {}: {number}", at + 1, frames.len()), Tone::Plain);
    super::moving::shown(state, id)
}

/// Goes to the frames of the selected finding, one after the other.
pub fn follow_finding(state: &mut State) -> Effect {
    let Some(finding) = state.findings.get(state.finding_list.row) else { return Effect::None };
    let here = state.timeline.selected;
    let next = finding.frames.iter().position(|id| Some(*id) == here).map_or(0, |at| at + 1);
    let found = finding.frames.get(next).or(finding.frames.first()).copied();
    found.map_or(Effect::None, |id| super::moving::shown(state, id))
}

fn copy(state: &mut State) -> Effect {
    let mut items = Vec::new();
    let mut add = |key: char, label: &str, text: String| {
        if !text.is_empty() {
            items.push(MenuItem { key, label: label.to_owned(), choice: Choice::Copy(text) });
        }
    };
    if let Some(packet) = state.packet() {
        let row = views::timeline::cells(state, packet.id);
        add('r', "this row", row.join("  "));
        add('c', "its citation", format!("[{}]", state.index.label(packet.id)));
        if let Some(path) = packet.source.path.as_deref().filter(|_| !packet.is_text()) {
            let file = crate::text::shell(&path.display().to_string());
            add('w', "open in Wireshark", format!("wireshark -r {file} -g {}", packet.frame().0));
        }
        add('n', "its frame filter", format!("frame.number == {}", packet.frame().0));
        add('s', "source address", packet.source_address().to_string());
        add('d', "destination address", packet.destination_address().to_string());
        let hex: Vec<String> = packet.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        add('h', "its bytes as hexadecimal", hex.join(" "));
    }
    if let Some(claim) = selected_claim(state) {
        add('t', "the selected claim's text", claim.text.clone());
    }
    if state.panels.side == crate::tui::layout::Panel::Ladder {
        add('l', "the ladder as text", views::ladder::text(state));
    }
    add('f', "the filter", state.filter.line.text().to_owned());
    if state.evidence.is_some() {
        let label = "the report as a ticket (at most 900 characters)".to_owned();
        items.push(MenuItem { key: 'k', label, choice: Choice::Ticket });
    }
    state.dialog = Some(Dialog::Menu(Menu { title: "Copy".to_owned(), items, row: 0, join: None }));
    Effect::None
}

fn export(state: &mut State) -> Effect {
    if state.evidence.is_none() {
        state.say("the capture is still being read: export when it is done", Tone::Warning);
        return Effect::None;
    }
    super::choosing::open_export(state);
    Effect::None
}
