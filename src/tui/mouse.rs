//! The mouse: it selects, scrolls and focuses; a double click is Enter.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::actions;
use super::dialogs::Dialog;
use super::layout::Panel;
use super::state::State;
use super::update::Effect;

/// Clicks nearer together than this are a double click.
const DOUBLE_CLICK_MS: u64 = 400;

/// Applies a movement or a click of the mouse.
pub fn moused(state: &mut State, mouse: MouseEvent) -> Effect {
    let (x, y) = (mouse.column, mouse.row);
    let lines = match mouse.kind {
        MouseEventKind::ScrollDown => 3,
        MouseEventKind::ScrollUp => -3,
        MouseEventKind::Down(MouseButton::Left) => return pressed(state, x, y),
        MouseEventKind::Up(MouseButton::Left) => {
            let from = state.dragged_from.take().filter(|from| *from != x);
            return from.map_or(Effect::None, |from| actions::moving::between_columns(state, from, x));
        }
        _ => return Effect::None,
    };
    if let Some(dialog) = &mut state.dialog {
        if let Dialog::Help(help) = dialog {
            help.row = help.row.saturating_add_signed(lines);
        }
        return Effect::None;
    }
    let layout = state.layout();
    let panel = [Panel::Timeline, Panel::Packet, state.panels.side]
        .into_iter()
        .find(|panel| layout.panel(*panel).contains((x, y).into()));
    if let Some(panel) = panel {
        actions::moving::scroll(state, panel, lines);
    }
    Effect::None
}

fn pressed(state: &mut State, x: u16, y: u16) -> Effect {
    if state.dialog.is_some() {
        return Effect::None;
    }
    let double = state.clicked.is_some_and(|(column, row, at)| {
        (column, row) == (x, y) && state.now_ms.saturating_sub(at) < DOUBLE_CLICK_MS
    });
    state.clicked = (!double).then_some((x, y, state.now_ms));
    let layout = state.layout();
    if layout.filter.contains((x, y).into()) {
        return actions::filtering::open(state);
    }
    if layout.tabs.contains((x, y).into()) {
        if let Some(panel) = super::views::tabs::at(state, layout.tabs, x) {
            state.focus(panel);
        }
        return Effect::None;
    }
    if layout.overview.contains((x, y).into()) {
        state.dragged_from = Some(x);
        return actions::moving::to_overview(state, x);
    }
    for panel in [Panel::Timeline, Panel::Packet, state.panels.side] {
        if !layout.panel(panel).contains((x, y).into()) {
            continue;
        }
        state.focus(panel);
        let inner = layout.inner(panel);
        if inner.contains((x, y).into()) {
            panel.view().press(state, usize::from(y - inner.y), x - inner.x);
            if double {
                return actions::moving::activate(state);
            }
        }
        return Effect::None;
    }
    Effect::None
}
