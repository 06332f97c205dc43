//! Moving: rows, pages, partners, problems, conversations, marks and the selection history.

use super::{Action, Context, Context::Panels};
use crate::index::PacketId;
use crate::time::Nanos;
use crate::tui::dialogs::Target;
use crate::tui::layout::Panel;
use crate::tui::state::{Awaiting, Sought, State, Tone};
use crate::tui::update::{Effect, Job};
use crate::tui::views;
use crate::tui::work::{frame_of, packet_of};

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    row("down", "next row", &["j", "Down"], |state| step(state, 1)),
    row("up", "previous row", &["k", "Up"], |state| step(state, -1)),
    row("page-down", "one page down", &["PgDn", "Ctrl-f"], |state| pages(state, 2)),
    row("page-up", "one page up", &["PgUp", "Ctrl-b"], |state| pages(state, -2)),
    row("half-page-down", "half a page down", &["Ctrl-d"], |state| pages(state, 1)),
    row("half-page-up", "half a page up", &["Ctrl-u"], |state| pages(state, -1)),
    row("top", "first row, or a frame by number (5gg, g1234Enter)", &["g g", "Home"], top),
    row("bottom", "last row; of a live capture's timeline: follow it", &["G", "End"], |state| {
        let effect = step(state, isize::MAX);
        let receiving = state.live.input == crate::tui::live::Input::Receiving;
        state.live.following |= receiving && state.panels.focus == Panel::Timeline;
        effect
    }),
    row(
        "activate",
        "the linked packet; in the report the cited packet; of an attempt its packets alone",
        &["Enter"],
        activate,
    ),
    row("next-problem", "next problem: an error or a failed attempt", &["]"], |state| problem(state, true)),
    row("previous-problem", "previous problem", &["["], |state| problem(state, false)),
    row("next-in-conversation", "next packet of this conversation", &["}"], |state| {
        conversation(state, false)
    }),
    row("previous-in-conversation", "previous packet of this conversation", &["{"], |state| {
        conversation(state, true)
    }),
    row("back", "back in the selection history", &["Ctrl-o", "Alt-Left"], back),
    row("forward", "forward in the selection history", &["Ctrl-i", "Alt-Right"], forward),
    row("mark", "mark this packet with the next letter", &["m"], |state| {
        state.awaiting = Some(Awaiting::Mark);
        state.say("mark with which letter?", Tone::Plain);
        Effect::None
    }),
    row("go-to-mark", "go to the packet marked with the next letter", &["'"], |state| {
        state.awaiting = Some(Awaiting::GoToMark);
        state.say(format!("go to which mark? {}", marks(state)), Tone::Plain);
        Effect::None
    }),
];

const fn row(
    name: &'static str,
    help: &'static str,
    keys: &'static [&'static str],
    run: fn(&mut State) -> Effect,
) -> Action {
    Action { name, help, keys, context: Panels, run }
}

/// Moves the focused panel's selection.
pub fn step(state: &mut State, by: isize) -> Effect {
    let times = isize::try_from(state.count.unwrap_or(1)).unwrap_or(1);
    let by = by.saturating_mul(times);
    state.panels.focus.view().step(state, by);
    Effect::None
}

fn pages(state: &mut State, halves: isize) -> Effect {
    let height = usize::from(state.layout().inner(state.panels.focus).height);
    let rows = state.panels.focus.view().half_page(height);
    step(state, halves.saturating_mul(rows as isize))
}

fn top(state: &mut State) -> Effect {
    if state.count.is_some() {
        return go_to_count(state);
    }
    step(state, isize::MIN)
}

/// Goes to the frame whose number was typed.
pub fn go_to_count(state: &mut State) -> Effect {
    let Some(frame) = state.count.take() else { return Effect::None };
    go_to_frame(state, u64::from(frame))
}

/// Goes to a frame of the selected packet's file.
pub fn go_to_frame(state: &mut State, frame: u64) -> Effect {
    go_to_target(state, &Target::Frame(None, frame))
}

/// Goes to what was typed after `:`: a frame, also of another file, or a time.
pub fn go_to_target(state: &mut State, target: &Target) -> Effect {
    let (label, frame) = match target {
        Target::Time(of_day_ns) => return go_to_time(state, *of_day_ns),
        Target::Frame(label, frame) => (label.as_deref(), *frame),
    };
    let source = match label {
        Some(label) => (0..state.index.sources.len())
            .map(|at| crate::index::SourceId(at as _))
            .find(|source| crate::index::source_label(*source) == label),
        None => Some(state.packet().map_or(crate::index::SourceId(0), |packet| packet.segment.source)),
    };
    let Some(source) = source else {
        state.say(format!("there is no file {}", label.unwrap_or_default()), Tone::Warning);
        return Effect::None;
    };
    if let Some(id) = state.index.by_frame(source, crate::index::FrameNumber(frame)) {
        state.focus(Panel::Timeline);
        go(state, id)
    } else {
        state.say(format!("there is no frame {frame}"), Tone::Warning);
        Effect::None
    }
}

/// Goes to the first packet at or after a time of day, on the day of the selected packet.
fn go_to_time(state: &mut State, of_day_ns: Nanos) -> Effect {
    let Some(here_ns) = state.packet().map(|packet| packet.time_ns()) else { return Effect::None };
    let wanted_ns = crate::time::midnight(here_ns) + of_day_ns;
    let count = state.timeline.rows.len(&state.index);
    let row = first_row(state, |time_ns| time_ns >= wanted_ns);
    state.focus(Panel::Timeline);
    if row == count {
        state.say("the capture ends before this time", Tone::Warning);
    }
    if let Some(id) = state.timeline.rows.get(&state.index, row.min(count.saturating_sub(1))) {
        state.jump(id);
    }
    Effect::None
}

/// The first row from which on times are as wanted. Times rise with rows, apart from small steps back.
fn first_row(state: &State, is_wanted: impl Fn(Nanos) -> bool) -> usize {
    let (mut low, mut high) = (0, state.timeline.rows.len(&state.index));
    while low < high {
        let middle = low.midpoint(high);
        let id = state.timeline.rows.get(&state.index, middle);
        let at = id.and_then(|id| state.index.packet(id)).map_or(0, |packet| packet.time_ns());
        if is_wanted(at) { high = middle } else { low = middle + 1 }
    }
    low
}

/// Goes to a packet, also one the filter hides: then the partners or the whole capture are shown, and said so.
pub fn go(state: &mut State, id: PacketId) -> Effect {
    if state.jump(id) {
        return Effect::None;
    }
    let number = state.number(id);
    state.say(
        format!("{number} is hidden by the filter: p shows partners, Esc clears the filter"),
        Tone::Warning,
    );
    Effect::None
}

/// Enter.
pub fn activate(state: &mut State) -> Effect {
    state.panels.focus.view().activate(state)
}

/// Goes to the packet at the other end of the selected one's link.
pub fn to_partner(state: &mut State) -> Effect {
    if let Some(partner) = state.partner() {
        return go(state, partner);
    }
    let text = match state.evidence {
        None if state.index.complete => "links are not known yet: packets are being tied",
        None => "links are not known yet: the capture is still being read",
        Some(_) => "this packet is linked to no other",
    };
    state.say(text, Tone::Plain);
    Effect::None
}

/// Goes to a packet from another panel; where only one panel is shown, to the timeline.
pub fn shown(state: &mut State, id: PacketId) -> Effect {
    let effect = go(state, id);
    if state.layout().timeline.is_empty() {
        state.focus(Panel::Timeline);
    }
    effect
}

fn problem(state: &mut State, forward: bool) -> Effect {
    let here = state.timeline.selected.unwrap_or(PacketId(0));
    let failures = std::sync::Arc::clone(&state.listed.table.failures);
    let marks = &failures.marks;
    let visible = |id: &PacketId| state.timeline.rows.find(&state.index, *id).is_some();
    let packet = |mark: &crate::tui::failures::Mark| mark.packet;
    let found = if forward {
        let at = marks.partition_point(|mark| mark.packet <= here);
        marks.iter().skip(at).map(packet).find(visible)
    } else {
        let at = marks.partition_point(|mark| mark.packet < here);
        marks.iter().take(at).rev().map(packet).find(visible)
    };
    if let Some(id) = found {
        shown(state, id)
    } else {
        let text = match (&state.evidence, marks.is_empty(), forward) {
            (None, _, _) if state.index.complete => "problems are not known yet: packets are being tied",
            (None, _, _) => "problems are not known yet: the capture is still being read",
            // What is still read, or followed, has not been looked at to its end.
            (_, true, _) if !state.index.complete => "no problem so far: the capture is still being read",
            (_, true, _) => "no problem among what is judged; the verdict line names what is not",
            (_, _, true) => "no further problem below",
            (_, _, false) => "no further problem above",
        };
        state.say(text, Tone::Plain);
        Effect::None
    }
}

/// Rows shown before the failure that a capture opens at.
const BEFORE: usize = 3;

/// A capture that is read whole opens at its gravest failure, until the analyst takes over.
pub fn open_at_gravest(state: &mut State) {
    let growing = state.live.input == crate::tui::live::Input::Receiving;
    if state.touched || growing || !state.index.complete {
        return;
    }
    let gravest = state.draft.made_with.as_ref().and_then(|made| made.gravest());
    let Some(row) = gravest.and_then(|id| state.timeline.rows.find(&state.index, id)) else { return };
    state.select_row(row);
    state.timeline.top = row.saturating_sub(BEFORE);
}

fn conversation(state: &mut State, backward: bool) -> Effect {
    state.generations.search += 1;
    state.search.running = true;
    state.search.sought = if backward { Sought::ConversationAbove } else { Sought::ConversationBelow };
    Effect::Start(Job::Conversation {
        generation: state.generations.search,
        index: state.index.clone(),
        rows: state.timeline.rows.clone(),
        from: state.timeline.row,
        backward,
    })
}

fn back(state: &mut State) -> Effect {
    let Some(at) = state.history.at.checked_sub(1) else {
        state.say("the selection history begins here", Tone::Plain);
        return Effect::None;
    };
    if state.history.at == state.history.entries.len()
        && let Some(here) = state.timeline.selected
    {
        state.history.entries.push(here);
    }
    to_history(state, at)
}

fn forward(state: &mut State) -> Effect {
    if state.history.at + 1 >= state.history.entries.len() {
        state.say("the selection history ends here", Tone::Plain);
        return Effect::None;
    }
    to_history(state, state.history.at + 1)
}

fn to_history(state: &mut State, at: usize) -> Effect {
    let Some(id) = state.history.entries.get(at).copied() else { return Effect::None };
    state.history.at = at;
    let row = state.timeline.rows.nearest(&state.index, id);
    state.select_row(row);
    Effect::None
}

/// Marks the selected packet with a letter.
pub fn set_mark(state: &mut State, letter: char) -> Effect {
    let frame = state.timeline.selected.and_then(|id| frame_of(&state.index, id));
    let (Some(frame), true) = (frame, letter.is_ascii_alphanumeric()) else {
        state.say("a mark is a letter or a digit", Tone::Warning);
        return Effect::None;
    };
    state.say(format!("marked as '{letter}"), Tone::Good);
    Effect::Start(Job::Change(crate::case::Event::Mark { letter, frame: Some(frame) }))
}

/// The marks with their packets: `a #17 · b #1400`.
fn marks(state: &State) -> String {
    let marks = state.work.case.marks.iter();
    let shown = marks.filter_map(|(letter, frame)| {
        Some(format!("{letter} {}", state.number(packet_of(&state.index, *frame)?)))
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "none is set: m sets one".to_owned() } else { shown.join(" · ") }
}

/// Goes to the packet of a mark.
pub fn go_to_mark(state: &mut State, letter: char) -> Effect {
    let frame = state.work.case.marks.get(&letter).copied();
    if let Some(id) = frame.and_then(|frame| packet_of(&state.index, frame)) {
        shown(state, id)
    } else {
        state.say(format!("there is no mark '{}", crate::text::escape(&letter.to_string())), Tone::Warning);
        Effect::None
    }
}

/// Scrolls a panel by lines.
pub fn scroll(state: &mut State, panel: Panel, lines: isize) {
    let before = std::mem::replace(&mut state.panels.focus, panel);
    let count = state.count.take();
    let by = panel.view().scrolled(lines);
    step(state, by);
    state.count = count;
    state.panels.focus = before;
}

/// Goes to the packet nearest to a column of the overview.
pub fn to_overview(state: &mut State, x: u16) -> Effect {
    let layout = state.layout();
    let Some((start, columns)) = views::overview::bars(state, layout.overview) else { return Effect::None };
    let Some(column) = x.checked_sub(start).filter(|column| *column < columns) else { return Effect::None };
    let overview = std::sync::Arc::clone(&state.overview);
    let wanted = usize::from(column);
    let count = state.timeline.rows.len(&state.index);
    let row = first_row(state, |time_ns| overview.column(time_ns, usize::from(columns)) >= wanted);
    if let Some(id) = state.timeline.rows.get(&state.index, row.min(count.saturating_sub(1))) {
        state.jump(id);
    }
    Effect::None
}

/// Shows only the time between two columns of the overview.
pub fn between_columns(state: &mut State, from: u16, to: u16) -> Effect {
    let bars = views::overview::bars(state, state.layout().overview);
    let Some(((start, columns), span)) = bars.zip(state.overview.span()) else { return Effect::None };
    let column = |x: u16| usize::from(x.saturating_sub(start).min(columns.saturating_sub(1)));
    let (from, to) = (column(from.min(to)), column(from.max(to)));
    let first_ns = span.begin_ns(from, usize::from(columns));
    let last_ns = span.begin_ns(to + 1, usize::from(columns)) - 1;
    let filter = crate::filter::build::for_times(first_ns, last_ns);
    super::filtering::join(state, &filter, crate::tui::dialogs::Join::Replace)
}

/// The context of the focused panel, for help.
pub fn context(state: &State) -> Context {
    Context::of(state.panels.focus)
}
