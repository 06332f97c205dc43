//! Panels: which is shown, which has the focus, how wide; time formats; help, palette and quitting.

use super::{Action, Context};
use crate::case::Notice;
use crate::tui::dialogs::{Choice, Confirm, Dialog, Help, Menu, MenuItem, Palette};
use crate::tui::layout::Panel;
use crate::tui::line::Line;
use crate::tui::state::{PacketTab, State, Tone};
use crate::tui::update::{Effect, Job};

/// Narrowest and widest share of the left column in percent.
pub const LEFT_PERCENT: (u16, u16) = (25, 80);

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    row("timeline", "show the timeline", &["1"], |state| show(state, Panel::Timeline)),
    row("packet", "show the selected packet", &["2"], |state| show(state, Panel::Packet)),
    row("report", "show the report", &["3"], |state| show(state, Panel::Report)),
    row("findings", "show what the rules found", &["4"], |state| show(state, Panel::Findings)),
    row("causes", "show the causes weighed against each other, with their ledgers", &["c"], |state| {
        show(state, Panel::Causes)
    }),
    row(
        "attempts",
        "show what clients wanted of DNS and every other service, one a row, with its outcome",
        &["d"],
        |state| {
            show(state, Panel::Attempts);
            let view = Panel::Attempts.view();
            let Some(packet) = state.timeline.selected else { return Effect::None };
            view.point(state, packet);
            // What belongs to no attempt gives way to the one before it.
            let row = state.listed.entry(state.attempts.list.row);
            let holds = row.is_some_and(|entry| state.listed.table.frames(entry).contains(&packet));
            if let (false, Some(first)) = (holds, view.selected(state)) {
                state.follow(first);
            }
            Effect::None
        },
    ),
    row("ladder", "show what the selected packet or attempt belongs to as a ladder", &["L"], |state| {
        crate::tui::views::ladder::open(state)
    }),
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
    row("redraw", "draw the screen anew", &["Ctrl-l"], |_| Effect::Redraw),
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
    row(
        "commands",
        "find a command by name, or go to a frame (17, B:17) or a time (13:26)",
        &[":"],
        |state| {
            state.dialog = Some(Dialog::Palette(Palette::new()));
            Effect::None
        },
    ),
    row("help", "marks and keys; type to find one, Enter does it", &["?", "F1"], |state| {
        let context = super::moving::context(state);
        state.dialog = Some(Dialog::Help(Help { context, line: Line::default(), row: 0 }));
        Effect::None
    }),
    row("theme", "choose the colours", &["Ctrl-t"], |state| {
        let item = |(at, (name, _)): (usize, &(&'static str, &str))| MenuItem {
            key: char::from(b'1' + at as u8),
            label: (*name).to_owned(),
            choice: Choice::Theme(name),
        };
        let items = crate::tui::theme::THEMES.iter().enumerate().map(item).collect();
        state.dialog = Some(Dialog::Menu(Menu { title: "Theme".to_owned(), items, row: 0, join: None }));
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
        keys: &["Right", "l"],
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
        help: "previous episode, or previous attempt",
        keys: &["Left", "h"],
        context: Context::Ladder,
        run: |state| crate::tui::views::ladder::neighbour(state, false),
    },
    Action {
        name: "next-episode",
        help: "next episode, or next attempt",
        keys: &["Right", "l"],
        context: Context::Ladder,
        run: |state| crate::tui::views::ladder::neighbour(state, true),
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

/// Makes the left column wider by so many percent of the screen, within limits.
pub fn widen(state: &mut State, by: i16) -> Effect {
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
