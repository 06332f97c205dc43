//! The mouse: it selects, scrolls and focuses; a double click is Enter. A hint of the last line is pressed like its key, the line
//! between two columns is drawn to where it is wanted.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::actions;
use super::dialogs::Dialog;
use super::keys::{Meaning, Stroke, meaning};
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
        MouseEventKind::Drag(MouseButton::Left) if state.divides => return divided(state, x),
        MouseEventKind::Up(MouseButton::Left) => {
            state.divides = false;
            let from = state.dragged_from.take().filter(|from| *from != x);
            return from.map_or(Effect::None, |from| actions::moving::between_columns(state, from, x));
        }
        _ => return Effect::None,
    };
    if let Some(dialog) = &mut state.dialog {
        match dialog {
            Dialog::Help(help) => help.row = help.row.saturating_add_signed(lines),
            Dialog::Menu(menu) => {
                let last = menu.items.len().saturating_sub(1);
                menu.row = menu.row.saturating_add_signed(lines.signum()).min(last);
            }
            _ => {}
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

/// Puts the line between the columns where the mouse is.
fn divided(state: &mut State, x: u16) -> Effect {
    let layout = state.layout();
    let (left, columns) = (layout.timeline.x, layout.timeline.width + layout.side.width);
    let shown = u32::from(layout.timeline.width) * 100 / u32::from(columns.max(1));
    let wanted = u32::from(x.saturating_sub(left)) * 100 / u32::from(columns.max(1));
    actions::panels::widen(state, wanted as i16 - shown as i16)
}

/// Does what the key of the hint at a column does.
fn hinted(state: &mut State, x: u16) -> Effect {
    let key = super::views::status::at(state, state.layout().status, x);
    let stroke = key.and_then(|key| Stroke::parse(if key == "⏎" { "Enter" } else { key }));
    match stroke.map(|stroke| meaning(&state.contexts(), &[stroke])) {
        Some(Meaning::Action(action)) => (action.run)(state),
        _ => Effect::None,
    }
}

fn pressed(state: &mut State, x: u16, y: u16) -> Effect {
    if let Some(dialog) = &state.dialog {
        let Dialog::Menu(menu) = dialog else { return Effect::None };
        let at = super::views::dialogs::menu_at(state.size, menu, (x, y));
        let choice = at.and_then(|at| menu.items.get(at)).map(|item| item.choice.clone());
        return choice.map_or(Effect::None, |choice| actions::choosing::choose(state, choice));
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
    if layout.status.contains((x, y).into()) {
        return hinted(state, x);
    }
    // Between the columns two borders meet.
    if layout.bordered
        && layout.side.contains((layout.side.x, y).into())
        && (x == layout.side.x || x + 1 == layout.side.x)
    {
        state.divides = true;
        return Effect::None;
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
