//! Messages in, changed state and effects out: no reading, no writing, no clock.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::actions;
use super::dialogs::{Dialog, Prompt, PromptKind};
use super::keys::{Meaning, Stroke, meaning};
use super::layout::Panel;
use super::live;
pub use super::message::*;
use super::mouse::moused;
use super::places::Places;
use super::settle::settle;
use super::state::{Awaiting, FilterStatus, State, Tone};
use super::views;
use crate::capture::watch::Change;
use crate::case::Notice;
use crate::index::PacketId;
use crate::report::Block;

/// Applies a message.
pub fn update(state: &mut State, message: Message) -> Effect {
    let before = live::Before { following: state.live.following, selected: state.timeline.selected };
    let hand = matches!(message, Message::Act(_) | Message::Text(_) | Message::Mouse(_));
    let pointed = hand.then(|| (state.panels.focus, state.panels.focus.view().selected(state)));
    let selected_before = state.timeline.selected;
    let effect = match message {
        Message::Act(action) => {
            state.pending.clear();
            state.notice = None;
            let effect = (action.run)(state);
            state.count = None;
            effect
        }
        Message::Text(Typed::Key(key)) => key_typed(state, key),
        Message::Text(Typed::Paste(text)) => pasted(state, &text),
        Message::Mouse(mouse) => moused(state, mouse),
        Message::Resize(width, height) => {
            state.size = Rect::new(0, 0, width, height);
            Effect::None
        }
        Message::Progress(progress) => progressed(state, progress),
        Message::Done(reply) => done(state, reply),
        Message::Tick(now_ms) => {
            state.now_ms = now_ms;
            live::tick(state)
        }
    };
    if let Some((panel, before)) = pointed {
        one_selection(state, panel, before, selected_before);
    }
    state.touched |= hand;
    let failures = &state.listed.table.failures;
    state.panels.bands = failures.bands.iter().filter(|bins| !bins.is_empty()).count() as u16;
    live::keep_up(state, before, hand);
    settle(state);
    match super::drafts::keep_up(state) {
        Effect::None => effect,
        kept => Effect::Many(vec![effect, kept]),
    }
}

/// There is one selection: moving in a panel moves the timeline with it, and what is selected elsewhere the panel's row.
fn one_selection(
    state: &mut State,
    panel: Panel,
    pointed_before: Option<PacketId>,
    selected_before: Option<PacketId>,
) {
    if panel != state.panels.focus || panel == Panel::Timeline {
        return;
    }
    let pointed = panel.view().selected(state);
    match (pointed, state.timeline.selected) {
        (Some(id), here) if Some(id) != pointed_before && here == selected_before => state.follow(id),
        (pointed, Some(here)) if pointed == pointed_before && Some(here) != selected_before => {
            panel.view().point(state, here);
        }
        _ => {}
    }
}

fn key_typed(state: &mut State, key: KeyEvent) -> Effect {
    if let Some(awaiting) = state.awaiting.take() {
        let KeyCode::Char(letter) = key.code else { return Effect::None };
        return match awaiting {
            Awaiting::Mark => actions::moving::set_mark(state, letter),
            Awaiting::GoToMark => actions::moving::go_to_mark(state, letter),
        };
    }
    if let Some(dialog) = &mut state.dialog {
        let choice = dialog.key(key);
        if let Dialog::Prompt(Prompt { kind: PromptKind::Search, line, .. }) = dialog {
            let text = line.text().to_owned();
            return actions::searching::typed(state, &text);
        }
        return choice.map_or(Effect::None, |choice| actions::choosing::choose(state, choice));
    }
    if state.filter.editing {
        if state.filter.line.key(key) {
            return actions::filtering::typed(state);
        }
        return Effect::None;
    }
    state.notice = None;
    // Digits count: from the start for 5…9, after `g` or other digits always.
    if let (KeyCode::Char(digit @ '0'..='9'), true) =
        (key.code, state.count.is_some() || !state.pending.is_empty() || key.code >= KeyCode::Char('5'))
    {
        let value = u32::from(digit) - u32::from('0');
        state.count = Some(state.count.unwrap_or(0).saturating_mul(10).saturating_add(value));
        return Effect::None;
    }
    if key.code == KeyCode::Enter && !state.pending.is_empty() {
        state.pending.clear();
        return actions::moving::go_to_count(state);
    }
    state.pending.push(Stroke::of(key));
    if !matches!(meaning(&state.contexts(), &state.pending), Meaning::Prefix) {
        state.pending.clear();
        state.count = None;
    }
    Effect::None
}

fn pasted(state: &mut State, text: &str) -> Effect {
    if let Some(dialog) = &mut state.dialog {
        dialog.paste(text);
        if let Dialog::Prompt(Prompt { kind: PromptKind::Search, line, .. }) = dialog {
            let text = line.text().to_owned();
            return actions::searching::typed(state, &text);
        }
    } else if state.filter.editing {
        state.filter.line.insert(text);
        return actions::filtering::typed(state);
    } else if text.contains(['\n', '\r']) {
        // Lines mean nothing to panels: it is a log.
        return actions::leaving::paste(state, text);
    }
    Effect::None
}

fn progressed(state: &mut State, progress: Progress) -> Effect {
    let complete = progress.index.complete;
    let more = progress.index.len().saturating_sub(state.index.len());
    let receiving = progress.loading.receiving && !complete;
    state.index = progress.index;
    state.overview = progress.overview;
    state.loading = (!complete).then_some(progress.loading);
    state.panels.damage = damage_line(state).is_some();
    if state.timeline.selected.is_none() && !state.index.is_empty() {
        state.select_row(0);
    }
    let mut effects = Vec::new();
    if let Some(frame) = state.wanted
        && (complete || state.index.by_frame(crate::index::SourceId(0), frame).is_some())
    {
        state.wanted = None;
        state.touched = true;
        effects.push(actions::moving::go_to_frame(state, frame.0));
    }
    if complete {
        effects.push(live::correlate(state));
        effects.push(Effect::Start(Job::Hash { index: state.index.clone() }));
        if let Some(id) = state.timeline.selected {
            state.timeline.row = state.timeline.rows.nearest(&state.index, id);
        }
    }
    live::grew(state, more, receiving);
    if let Some(left) = state.left.take_if(|_| complete)
        && !state.touched
    {
        effects.push(left.restore(state));
    }
    if complete {
        say_what_was_set(state);
    }
    if state.filter.applied.is_some() && state.filter.status != FilterStatus::Running {
        effects.push(actions::filtering::go_on(state));
    }
    Effect::Many(effects)
}

/// Says which clocks were set by what their files share with another.
fn say_what_was_set(state: &mut State) {
    let set: Vec<String> = crate::correlate::apart::corrected(&state.index)
        .map(|(source, added_ns)| {
            let sign = if added_ns > 0 { "+" } else { "" };
            let label = crate::index::source_label(source);
            format!("{sign}{} s in file {label}", crate::time::seconds(added_ns))
        })
        .collect();
    if !set.is_empty() {
        state.say(format!("clocks set by shared messages: {}", set.join(", ")), Tone::Plain);
    }
}

/// A word about the case that needs attention and was not dismissed.
pub fn loud_notice(state: &State) -> Option<&Notice> {
    let work = &state.work;
    work.notices.iter().find(|notice| notice.is_loud() && !work.dismissed.contains(notice))
}

/// The one line about a case that needs attention, or about damage, if there is any.
pub fn damage_line(state: &State) -> Option<String> {
    if let Some(notice) = loud_notice(state) {
        return Some(notice.to_string());
    }
    if let Some(reason) = &state.unkept {
        let reason = crate::text::escape(reason);
        return Some(format!(
            "the capture is NOT kept on the disk ({reason}): it is lost if the program is killed"
        ));
    }
    if state.damage_dismissed {
        return None;
    }
    let several = state.index.sources.len() > 1;
    let changed = state.changed.iter().filter(|(_, change)| **change != Change::Grown);
    let changed = changed.filter_map(|(at, change)| {
        let name = crate::text::escape(&state.index.sources.get(*at)?.name);
        Some(format!("{name}: {change}"))
    });
    let changed: Vec<String> = changed.collect();
    if !changed.is_empty() {
        return Some(changed.join(" · "));
    }
    let lines: Vec<String> = state
        .index
        .sources
        .iter()
        .filter_map(|source| {
            let first = source.metadata.damage.first()?;
            let more = match source.metadata.damage.len() {
                1 => String::new(),
                count => format!(" · and {} more places", count - 1),
            };
            let name =
                if several { format!("{}: ", crate::text::escape(&source.name)) } else { String::new() };
            Some(format!("{name}{first}{more}"))
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join(" · "))
}

fn done(state: &mut State, reply: Reply) -> Effect {
    match reply {
        Reply::Evidence { generation, index, evidence, table } => {
            if generation != state.generations.correlate {
                return Effect::None;
            }
            state.evidence = Some(evidence);
            state.correlated = index;
            state.lookups = Arc::clone(&table);
            let mut effects = Vec::new();
            // While a capture grows, the list with all services stays until the next draft knows more.
            if state.listed.table.attempts.all.is_empty() {
                effects.push(actions::attempts::arrange(state, table));
            }
            effects.push(views::ladder::again(state));
            effects.push(draft(state));
            // Counting all values takes long: while packets come, once is enough.
            if state.index.complete || state.filter.vocabulary.is_none() {
                effects.push(vocabulary(state));
            }
            let draft = Effect::Many(effects);
            if state.filter.applied.is_some() {
                return Effect::Many(vec![draft, actions::filtering::again(state)]);
            }
            draft
        }
        Reply::Listed { generation, listed } => {
            if generation == state.generations.list {
                actions::attempts::show(state, listed);
            }
            Effect::None
        }
        Reply::Ladder { generation, ladder } => {
            if generation == state.generations.ladder {
                views::ladder::show(state, ladder.unwrap_or_default());
            }
            Effect::None
        }
        Reply::Vocabulary(vocabulary) => {
            state.filter.vocabulary = Some(vocabulary);
            Effect::None
        }
        Reply::Hashed(hashes) => {
            state.hashes = hashes;
            Effect::None
        }
        Reply::Matching { generation, filter, rows, done } => {
            if generation == state.generations.filter {
                actions::filtering::show_first(state, &filter, rows, done);
            }
            Effect::None
        }
        Reply::Filtered { generation, filter, rows, matching, seen, warnings } => {
            if generation == state.generations.filter {
                let fresh = state.index.len() > seen;
                actions::filtering::show(state, filter, rows, matching, seen, warnings);
                if fresh {
                    return actions::filtering::go_on(state);
                }
            }
            Effect::None
        }
        Reply::Drafted { generation, report, lint, made_with } => {
            state.draft.since_ms = None;
            state.live.rest(state.now_ms);
            let mut effects = Vec::new();
            if generation == state.generations.draft {
                let places = Places::of(state);
                state.findings = Arc::clone(&made_with.findings);
                state.assessments = Arc::clone(&made_with.assessments);
                state.coverage = Arc::clone(&made_with.coverage);
                if !Arc::ptr_eq(&state.listed.table, &made_with.table) {
                    state.lookups = Arc::clone(&made_with.table);
                    effects.push(actions::attempts::arrange(state, Arc::clone(&made_with.table)));
                }
                state.draft.made_with = Some(made_with);
                state.report = report;
                state.lint = lint;
                places.restore_draft(state);
                reveal_note(state);
                actions::moving::open_at_gravest(state);
                actions::causes::say_what_changed(state);
            }
            if std::mem::take(&mut state.draft.again) {
                effects.push(draft(state));
            }
            Effect::Many(effects)
        }
        Reply::Found { generation, row } => {
            if generation == state.generations.search {
                return actions::searching::found(state, row);
            }
            Effect::None
        }
        Reply::Counted { generation, rows } => {
            if generation == state.generations.search {
                return actions::searching::counted(state, rows);
            }
            Effect::None
        }
        Reply::Exported(Ok((text, _))) => {
            state.say(text, Tone::Good);
            Effect::None
        }
        Reply::CaseSaved(Ok(())) => Effect::Quit,
        Reply::CaseSaved(Err(text)) => {
            state.say(text, Tone::Warning);
            Effect::None
        }
        Reply::Changed { source, change } => {
            match change {
                Some(change) => state.changed.insert(source, change),
                None => state.changed.remove(&source),
            };
            state.damage_dismissed = false;
            state.panels.damage = damage_line(state).is_some();
            Effect::None
        }
        Reply::Unkept(reason) => {
            state.unkept = reason;
            state.panels.damage = damage_line(state).is_some();
            Effect::None
        }
        Reply::Ticket(Ok(text)) => {
            state.say("the ticket text is on the clipboard", Tone::Good);
            Effect::Copy(text)
        }
        Reply::Exported(Err(text)) | Reply::Ticket(Err(text)) => {
            state.say(text, Tone::Warning);
            Effect::None
        }
        // The case thread has the hash by now and writes before the program ends.
        Reply::Kept(Ok(_)) => Effect::Quit,
        Reply::Kept(Err(text)) => {
            state.say(text, Tone::Warning);
            Effect::None
        }
        Reply::Exists(export) => {
            actions::choosing::ask_overwrite(state, export);
            Effect::None
        }
        Reply::Case { case, saving, notices } => {
            let changed = !case.is_same_work(&state.work.case);
            state.work.case = case;
            state.work.saving = saving;
            let quiet =
                notices.iter().find(|notice| !notice.is_loud() && !state.work.notices.contains(notice));
            if let Some(notice) = quiet {
                state.say(notice.to_string(), Tone::Plain);
            }
            state.work.notices = notices;
            state.panels.damage = damage_line(state).is_some();
            if changed { draft(state) } else { Effect::None }
        }
        Reply::Edited(Ok(text)) => {
            actions::choosing::take_edited(state, &text);
            Effect::None
        }
        Reply::Edited(Err(text)) => {
            state.say(text, Tone::Warning);
            Effect::None
        }
    }
}

/// Asks for the values that occur, for completion.
fn vocabulary(state: &State) -> Effect {
    let Some(evidence) = state.evidence.clone() else { return Effect::None };
    Effect::Start(Job::Vocabulary { index: state.correlated.clone(), evidence })
}

/// Asks for a new draft. One is written at a time: what changes meanwhile is in the next one.
pub fn draft(state: &mut State) -> Effect {
    let Some(evidence) = state.evidence.clone() else { return Effect::None };
    if state.draft.since_ms.is_some() {
        state.draft.again = true;
        return Effect::None;
    }
    state.draft.since_ms = Some(state.now_ms);
    state.generations.draft += 1;
    Effect::Start(Job::Draft {
        generation: state.generations.draft,
        index: state.correlated.clone(),
        evidence,
        case: Arc::clone(&state.work.case),
        before: state.draft.made_with.clone(),
        table: Arc::clone(&state.lookups),
    })
}

/// Brings the note just written into sight in the report, without taking the focus there.
fn reveal_note(state: &mut State) {
    let Some(id) = state.reading.reveal.take() else { return };
    let is_note = |block: &Block| matches!(block, Block::Claim(claim) if claim.annotation == Some(id));
    match state.report.blocks().position(is_note) {
        Some(item) => state.reading.item = item,
        None => state.reading.reveal = Some(id),
    }
}
