//! Panels: which is shown, which has the focus, how wide; time formats; help, palette and quitting.

use super::{Action, Context};
use crate::case::Notice;
use crate::tui::dialogs::{Confirm, Dialog, Palette};
use crate::tui::layout::Panel;
use crate::tui::state::{PacketTab, State, Tone};
use crate::tui::update::{Effect, Job};

/// Narrowest and widest share of the left column in percent.
const LEFT_PERCENT: (u16, u16) = (25, 80);

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    row("timeline", "show the timeline", &["1"], |state| show(state, Panel::Timeline)),
    row("packet", "show the selected packet", &["2"], |state| show(state, Panel::Packet)),
    row("report", "show the report", &["3"], |state| show(state, Panel::Report)),
    row("findings", "show what the rules found", &["4"], |state| show(state, Panel::Findings)),
    row("causes", "show the causes weighed against each other, with their ledgers", &["c"], |state| {
        show(state, Panel::Causes)
    }),
    row("queries", "show DNS queries, one a row, with their outcome", &["d"], |state| {
        follow_selection(state);
        show(state, Panel::Queries)
    }),
    row("ladder", "show the selected packet's episode as a ladder", &["l"], ladder),
    row("in-words", "explain the selected packet in words", &["w"], |state| tab(state, PacketTab::Words)),
    row("words-level", "in words: plain, with bytes and definitions, quiz, answers", &["W"], |state| {
        if state.packet.tab == PacketTab::Words {
            state.packet.level = state.packet.level.next();
            state.packet.words_top = 0;
        } else {
            state.packet.tab = PacketTab::Words;
        }
        if state.layout().packet.is_empty() {
            state.focus(Panel::Packet);
        }
        Effect::None
    }),
    row("bytes", "show the selected packet's bytes", &["b"], |state| tab(state, PacketTab::Bytes)),
    row("next-panel", "next panel", &["Tab"], |state| around(state, 1)),
    row("previous-panel", "previous panel", &["Shift-Tab"], |state| around(state, -1)),
    row("zoom", "give the focused panel the whole screen, and back", &["z"], |state| {
        state.panels.zoomed = !state.panels.zoomed;
        Effect::None
    }),
    row("narrower", "left column narrower", &["<"], |state| widen(state, -3)),
    row("wider", "left column wider", &[">"], |state| widen(state, 3)),
    row("time-format", "times: of day, with date, relative, delta", &["t"], |state| {
        state.timeline.time = state.timeline.time.next();
        state.say(format!("times: {}", state.timeline.time.words()), Tone::Plain);
        Effect::None
    }),
    row("time-reference", "count relative times from this packet, and back", &["T"], |state| {
        let selected = state.timeline.selected;
        let reference = &mut state.timeline.reference;
        *reference = if *reference == selected { None } else { selected };
        state.timeline.time = crate::tui::state::TimeFormat::Relative;
        Effect::None
    }),
    row("commands", "find a command by name, or go to a frame by number", &[":"], |state| {
        state.dialog = Some(Dialog::Palette(Palette::new()));
        Effect::None
    }),
    row("help", "the keys of this panel", &["?", "F1"], |state| {
        state.dialog = Some(Dialog::Help { context: super::moving::context(state), top: 0 });
        Effect::None
    }),
    row("dismiss", "dismiss the warning line", &["D"], |state| {
        match crate::tui::update::loud_notice(state).cloned() {
            Some(notice) => state.work.dismissed.push(notice),
            None => state.damage_dismissed = true,
        }
        state.panels.damage = crate::tui::update::damage_line(state).is_some();
        Effect::None
    }),
    row("accept-capture", "go on with a capture that changed since the case was made", &["A"], accept),
    Action {
        name: "next-tab",
        help: "layers, bytes, in words",
        keys: &["Space"],
        context: Context::Packet,
        run: |state| {
            state.packet.tab = match state.packet.tab {
                PacketTab::Layers => PacketTab::Bytes,
                PacketTab::Bytes => PacketTab::Words,
                PacketTab::Words => PacketTab::Layers,
            };
            Effect::None
        },
    },
    Action {
        name: "fold",
        help: "fold this layer",
        keys: &["Left", "h"],
        context: Context::Packet,
        run: |state| crate::tui::views::packet::fold(state, true),
    },
    Action {
        name: "unfold",
        help: "unfold this layer",
        keys: &["Right"],
        context: Context::Packet,
        run: |state| crate::tui::views::packet::fold(state, false),
    },
    Action {
        name: "compare",
        help: "compare this message with the next one selected, and back",
        keys: &["="],
        context: Context::Ladder,
        run: |state| {
            let selected = crate::tui::views::ladder::frames(state).get(state.ladder.list.row).copied();
            state.ladder.compared = if state.ladder.compared.is_some() { None } else { selected };
            if state.ladder.compared.is_some() {
                state.say("now select the message to compare it with; = ends", Tone::Plain);
            }
            Effect::None
        },
    },
    Action {
        name: "previous-episode",
        help: "previous episode",
        keys: &["Left", "h"],
        context: Context::Ladder,
        run: |state| episode(state, false),
    },
    Action {
        name: "next-episode",
        help: "next episode",
        keys: &["Right"],
        context: Context::Ladder,
        run: |state| episode(state, true),
    },
];

const fn row(
    name: &'static str,
    help: &'static str,
    keys: &'static [&'static str],
    run: fn(&mut State) -> Effect,
) -> Action {
    Action { name, help, keys, context: Context::Panels, run }
}

fn show(state: &mut State, panel: Panel) -> Effect {
    state.focus(panel);
    Effect::None
}

fn tab(state: &mut State, tab: PacketTab) -> Effect {
    let again = state.packet.tab == tab && state.panels.focus == Panel::Packet;
    state.packet.tab = if again { PacketTab::Layers } else { tab };
    if state.layout().packet.is_empty() {
        state.focus(Panel::Packet);
    }
    Effect::None
}

fn around(state: &mut State, by: isize) -> Effect {
    let narrow = !state.layout().bordered;
    let order: Vec<Panel> = if narrow {
        Panel::ALL.iter().map(|(panel, _, _)| *panel).collect()
    } else {
        vec![Panel::Timeline, Panel::Packet, state.panels.side]
    };
    let at = order.iter().position(|panel| *panel == state.panels.focus).unwrap_or(0) as isize;
    let next = (at + by).rem_euclid(order.len() as isize) as usize;
    show(state, order.get(next).copied().unwrap_or_default())
}

fn widen(state: &mut State, by: i16) -> Effect {
    let percent = state.panels.left_percent.saturating_add_signed(by);
    state.panels.left_percent = percent.clamp(LEFT_PERCENT.0, LEFT_PERCENT.1);
    Effect::None
}

/// Only after the warning, and once the new hashes are known.
fn accept(state: &mut State) -> Effect {
    let changed = |notice: &Notice| matches!(notice, Notice::CaptureChanged { .. });
    if !state.work.notices.iter().any(changed) {
        state.say("the capture is the one this case was made for", Tone::Plain);
        return Effect::None;
    }
    let records = crate::tui::work::records(&state.index, &state.hashes);
    state.dialog = Some(Dialog::Confirm(Confirm {
        question:
            "The capture differs from the one this case was made for. Notes and citations may point at \
                   other packets. Record the new hash and go on with it?"
                .to_owned(),
        job: Job::AcceptCapture { records },
    }));
    Effect::None
}

fn follow_selection(state: &mut State) {
    let Some(evidence) = &state.evidence else { return };
    let Some(id) = state.timeline.selected else { return };
    let own = evidence.transaction_of(id).or_else(|| evidence.transaction_of(evidence.partner(id)?));
    if let Some(own) = own {
        state.query_list.row = own.0 as usize;
    }
}

fn ladder(state: &mut State) -> Effect {
    let selected = state.timeline.selected;
    if let (Some(evidence), Some(id)) = (state.evidence.clone(), selected) {
        let near = |episode: &crate::correlate::Episode| episode.frames.binary_search(&id).is_ok();
        if let Some(at) = evidence.episodes.iter().position(near) {
            state.ladder.episode = Some(crate::correlate::EpisodeId(at as u32));
            let frames = crate::tui::views::ladder::frames(state);
            state.ladder.list.row = frames.iter().position(|frame| *frame == id).unwrap_or(0);
        }
    }
    show(state, Panel::Ladder)
}

fn episode(state: &mut State, forward: bool) -> Effect {
    let count = state.evidence.as_ref().map_or(0, |evidence| evidence.episodes.len()) as u32;
    if let Some(episode) = &mut state.ladder.episode {
        let at = if forward { episode.0.saturating_add(1) } else { episode.0.saturating_sub(1) };
        episode.0 = at.min(count.saturating_sub(1));
        state.ladder.list = crate::tui::state::List::default();
    }
    Effect::None
}
