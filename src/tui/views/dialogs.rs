//! What lies over the panels.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::widgets::Widget as _;
use ratatui_textarea::TextArea;

use super::boxed;
use crate::report::render::TEMPLATES;
use crate::text::{escape, thousands};
use crate::tui::dialogs::{
    Annotate, Confirm, Dialog, Edit, Form, Menu, Palette, Pasting, Prompt, SEVERITIES, TAGS,
};
use crate::tui::export_form::ExportForm;
use crate::tui::fit::{clip, pad, put, width, wrap};
use crate::tui::line::Line;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

/// Draws the open dialog, if any.
pub fn render(state: &State, theme: &Theme, screen: Rect, buffer: &mut Buffer) {
    match &state.dialog {
        None => {}
        Some(Dialog::Annotate(dialog)) => annotate(state, theme, screen, dialog, buffer),
        Some(Dialog::Edit(dialog)) => edit(state, theme, screen, dialog, buffer),
        Some(Dialog::Form(dialog)) => form(state, theme, screen, dialog, buffer),
        Some(Dialog::Export(dialog)) => export(state, theme, screen, dialog, buffer),
        Some(Dialog::Prompt(dialog)) => prompt(state, theme, screen, dialog, buffer),
        Some(Dialog::Menu(dialog)) => menu(state, theme, screen, dialog, buffer),
        Some(Dialog::Palette(dialog)) => palette(state, theme, screen, dialog, buffer),
        Some(Dialog::Confirm(dialog)) => confirm(state, theme, screen, dialog, buffer),
        Some(Dialog::Paste(dialog)) => pasting(state, theme, screen, dialog, buffer),
        Some(Dialog::Help(dialog)) => super::help::render(state, theme, screen, dialog, buffer),
    }
}

/// Clears a place, draws a box with a title, and gives what is inside.
pub fn popup(state: &State, theme: &Theme, area: Rect, title: &str, buffer: &mut Buffer) -> Rect {
    let area = area.intersection(*buffer.area());
    clear(area, theme.style(Role::Popup), buffer);
    boxed(buffer, area, theme.style(Role::Popup).patch(theme.style(Role::Focus)), state.unicode);
    let style = theme.style(Role::Popup).patch(theme.style(Role::Title));
    put(buffer, (area.x + 2, area.y), area.width.saturating_sub(4), &format!(" {title} "), style);
    inside(area)
}

/// What is inside a dialog's box.
fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(2),
        y: area.y.saturating_add(1),
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(2),
    }
}

/// Empties a place.
pub fn clear(area: Rect, style: ratatui::style::Style, buffer: &mut Buffer) {
    let area = area.intersection(*buffer.area());
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
                cell.set_style(style);
            }
        }
    }
}

/// A place in the middle of the screen.
fn centred(screen: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(screen.width), height.min(screen.height));
    Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 3,
        width,
        height,
    }
}

fn footer(theme: &Theme, inner: Rect, text: &str, buffer: &mut Buffer) {
    let y = inner.bottom().saturating_sub(1);
    if inner.height > 0 {
        let style = theme.style(Role::Popup).patch(theme.style(Role::Muted));
        put(buffer, (inner.x, y), inner.width, text, style);
    }
}

fn textarea(area: &TextArea<'_>, theme: &Theme, place: Rect, active: bool, buffer: &mut Buffer) {
    let place = place.intersection(*buffer.area());
    if place.width < 2 || place.height == 0 {
        return;
    }
    let mut shown = area.clone();
    shown.set_style(theme.style(Role::Popup).patch(theme.style(Role::Text)));
    if !active {
        shown.set_cursor_style(theme.style(Role::Popup));
    }
    (&shown).render(place, buffer);
}

/// Draws a line of text with its cursor.
pub fn line(line: &Line, theme: &Theme, place: Rect, active: bool, buffer: &mut Buffer) {
    let style = theme.style(Role::Popup).patch(theme.style(Role::Text));
    let before = width(line.before());
    let skip = (before + 2).saturating_sub(usize::from(place.width));
    let shown: String = line.text().chars().skip(skip).collect();
    put(buffer, (place.x, place.y), place.width, &pad(&shown, usize::from(place.width)), style);
    let x = place.x + (before - skip.min(before)) as u16;
    if let Some(cell) = buffer.cell_mut((x, place.y)).filter(|_| active && x < place.right()) {
        cell.set_style(cell.style().add_modifier(Modifier::REVERSED));
    }
}

fn annotate(state: &State, theme: &Theme, screen: Rect, dialog: &Annotate, buffer: &mut Buffer) {
    let frames = super::report::citation(state, &dialog.packets);
    let verb = if dialog.id.is_some() { "Change the note on" } else { "Note on" };
    let area = centred(screen, 76, 15);
    let inner = popup(state, theme, area, &format!("{verb} {frames}"), buffer);
    if inner.height < 5 {
        textarea(&dialog.note, theme, inner, true, buffer);
        return;
    }
    let label = |active: bool| {
        let style = theme.style(Role::Popup);
        style.patch(theme.style(if active { Role::Focus } else { Role::Muted }))
    };
    let about = dialog.packets.first().and_then(|id| state.index.packet(*id)).map(|packet| packet.summary());
    put(buffer, (inner.x, inner.y), inner.width, &about.unwrap_or_default(), label(false));
    let note = Rect { y: inner.y + 1, height: inner.height - 5, ..inner };
    textarea(&dialog.note, theme, note, dialog.field == 0, buffer);
    let y = note.bottom();
    let x = put(buffer, (inner.x, y), inner.width, "Tag       ", label(dialog.field == 1));
    let place = Rect { x, y, width: 14.min(inner.right().saturating_sub(x)), height: 1 };
    line(&dialog.tag, theme, place, dialog.field == 1, buffer);
    let x = place.right() + 1;
    let known = TAGS.join(" ");
    put(buffer, (x, y), inner.right().saturating_sub(x), &format!("↓ {known}"), label(false));
    let mut x = put(buffer, (inner.x, y + 1), inner.width, "Severity  ", label(dialog.field == 2));
    for (at, word) in SEVERITIES.iter().enumerate() {
        let chosen = at == dialog.severity;
        let text = if chosen { format!("[{word}] ") } else { format!(" {word}  ") };
        let style =
            if chosen { label(dialog.field == 2).patch(theme.style(Role::Title)) } else { label(false) };
        x = put(buffer, (x, y + 1), inner.right().saturating_sub(x), &text, style);
    }
    footer(theme, inner, "Ctrl-s save · Tab next field · Ctrl-e $EDITOR · Esc leave", buffer);
}

fn edit(state: &State, theme: &Theme, screen: Rect, dialog: &Edit, buffer: &mut Buffer) {
    let area = centred(screen, 84, 14);
    let inner = popup(state, theme, area, &dialog.title, buffer);
    let text = Rect { height: inner.height.saturating_sub(2), ..inner };
    textarea(&dialog.area, theme, text, true, buffer);
    footer(
        theme,
        inner,
        "Ctrl-s save (empty: the program's wording again) · Ctrl-e $EDITOR · Esc leave",
        buffer,
    );
}

fn prompt(state: &State, theme: &Theme, screen: Rect, dialog: &Prompt, buffer: &mut Buffer) {
    let area = centred(screen, 76, 5);
    let inner = popup(state, theme, area, &dialog.title, buffer);
    if inner.height == 0 {
        return;
    }
    line(&dialog.line, theme, Rect { height: 1, ..inner }, true, buffer);
    footer(theme, inner, "Enter take · Esc leave", buffer);
}

fn form(state: &State, theme: &Theme, screen: Rect, dialog: &Form, buffer: &mut Buffer) {
    let area = centred(screen, 84, dialog.fields.len() as u16 + 5);
    let inner = popup(state, theme, area, &dialog.title, buffer);
    for (at, (name, text)) in dialog.fields.iter().enumerate() {
        let y = inner.y + at as u16;
        if y >= inner.bottom() {
            return;
        }
        let active = at == dialog.field;
        let style =
            theme.style(Role::Popup).patch(theme.style(if active { Role::Focus } else { Role::Muted }));
        let x = put(buffer, (inner.x, y), inner.width, &pad(name, 15), style);
        let place = Rect { x, y, width: inner.right().saturating_sub(x), height: 1 };
        line(text, theme, place, active, buffer);
    }
    let hint = Rect { height: inner.height.saturating_sub(1), ..inner };
    if usize::from(hint.height) > dialog.fields.len() {
        footer(theme, hint, dialog.hint, buffer);
    }
    footer(theme, inner, "Ctrl-s save · Tab or Enter next line · Esc leave", buffer);
}

fn export(state: &State, theme: &Theme, screen: Rect, dialog: &ExportForm, buffer: &mut Buffer) {
    let area = centred(screen, 84, 12);
    let inner = popup(state, theme, area, "Export the report", buffer);
    let (name, about, _) = dialog.format();
    let template = TEMPLATES.get(dialog.choices.template);
    let form = match template {
        Some(template) if dialog.has_form() => (template.name, template.about),
        _ => ("-", "this format has one form only"),
    };
    let redact = if dialog.choices.redact {
        ("yes", "addresses and names become consistent pseudonyms, in packets too")
    } else {
        ("no", "addresses and names stay as they are")
    };
    let popup = theme.style(Role::Popup);
    let (left, right) = if state.unicode { ("‹", "›") } else { ("<", ">") };
    for (at, (label, (word, about))) in
        [("Format", (name, about)), ("Form", form), ("Redact", redact)].into_iter().enumerate()
    {
        let y = inner.y + at as u16;
        if y >= inner.bottom() {
            return;
        }
        let active = at == dialog.field;
        let style = popup.patch(theme.style(if active { Role::Focus } else { Role::Muted }));
        let x = put(buffer, (inner.x, y), inner.width, &pad(label, 8), style);
        let chosen = pad(&format!("{left} {word} {right}"), 16);
        let role = if active { Role::Selected } else { Role::Title };
        let x = put(buffer, (x, y), inner.right().saturating_sub(x), &chosen, popup.patch(theme.style(role)));
        put(
            buffer,
            (x + 1, y),
            inner.right().saturating_sub(x + 1),
            about,
            popup.patch(theme.style(Role::Text)),
        );
    }
    let y = inner.y + 3;
    if y >= inner.bottom() {
        return;
    }
    let active = dialog.field == crate::tui::export_form::FILE;
    let style = popup.patch(theme.style(if active { Role::Focus } else { Role::Muted }));
    let x = put(buffer, (inner.x, y), inner.width, &pad("File", 8), style);
    let place = Rect { x, y, width: inner.right().saturating_sub(x), height: 1 };
    line(&dialog.path, theme, place, active, buffer);
    let words: Vec<&str> = crate::tui::export_form::formats().iter().map(|format| format.0).collect();
    let notes = [format!("Formats: {}", words.join(" ")), draft_word(state)];
    for (at, text) in notes.iter().enumerate() {
        let y = inner.y + 5 + at as u16;
        if y + 1 < inner.bottom() {
            put(buffer, (inner.x, y), inner.width, text, popup.patch(theme.style(Role::Muted)));
        }
    }
    let arrows =
        if state.unicode { "↑ ↓ line · ← → change" } else { "Up Down line, Left Right change" };
    footer(theme, inner, &format!("Enter write · {arrows} · Esc leave"), buffer);
}

/// What is still to be done before the report could be signed.
fn draft_word(state: &State) -> String {
    let lint = &state.lint;
    let growing = if state.index.complete {
        String::new()
    } else {
        format!("The capture still grows: this is the report of its {}. ", super::report::spoken_of(state))
    };
    let fields = if lint.open == 1 { "field" } else { "fields" };
    let claims = if lint.unaccepted == 1 { "claim" } else { "claims" };
    format!("{growing}Draft: {} required {fields} open, {} {claims} to accept", lint.open, lint.unaccepted)
}

fn menu_area(screen: Rect, dialog: &Menu) -> Rect {
    let widest = dialog.items.iter().map(|item| width(&item.label)).max().unwrap_or(0);
    let columns = (widest as u16 + 12).max(width(&dialog.title) as u16 + 8).clamp(44, 100);
    centred(screen, columns, dialog.items.len() as u16 + 4)
}

/// How many choices of a menu are shown inside its border, and the first of them.
fn menu_rows(inner: Rect, dialog: &Menu) -> (usize, usize) {
    let rows = usize::from(inner.height.saturating_sub(2));
    (rows, crate::tui::fit::scroll_to(0, dialog.row, dialog.items.len(), rows))
}

/// The choice of a menu that stands at a place of the screen.
pub fn menu_at(screen: Rect, dialog: &Menu, (x, y): (u16, u16)) -> Option<usize> {
    let inner = inside(menu_area(screen, dialog).intersection(screen));
    let (rows, top) = menu_rows(inner, dialog);
    let row = usize::from(y.checked_sub(inner.y)?);
    let is_there = (inner.left()..inner.right()).contains(&x) && row < rows && top + row < dialog.items.len();
    is_there.then_some(top + row)
}

fn menu(state: &State, theme: &Theme, screen: Rect, dialog: &Menu, buffer: &mut Buffer) {
    let inner = popup(state, theme, menu_area(screen, dialog), &dialog.title, buffer);
    let (rows, top) = menu_rows(inner, dialog);
    for (at, item) in dialog.items.iter().enumerate().skip(top).take(rows) {
        let y = inner.y + (at - top) as u16;
        let style = theme.style(Role::Popup);
        let key = style.patch(theme.style(Role::Key));
        put(buffer, (inner.x, y), 3, &item.key.to_string(), key);
        let room = inner.width.saturating_sub(3);
        put(buffer, (inner.x + 3, y), room, &item.label, style.patch(theme.style(Role::Text)));
        if at == dialog.row {
            buffer.set_style(Rect { y, height: 1, ..inner }, theme.style(Role::Selected));
        }
    }
    match dialog.join {
        Some(join) => footer(theme, inner, &format!("Tab: {} · Enter or its letter", join.words()), buffer),
        None => footer(theme, inner, "Enter or its letter takes it · Esc leave", buffer),
    }
}

fn palette(state: &State, theme: &Theme, screen: Rect, dialog: &Palette, buffer: &mut Buffer) {
    let area = centred(screen, 84, 20);
    let inner = popup(state, theme, area, "Command by name, frame (17, B:17) or time (13:26)", buffer);
    if inner.height < 2 {
        return;
    }
    line(&dialog.line, theme, Rect { height: 1, ..inner }, true, buffer);
    if let Some(target) = dialog.target() {
        put(
            buffer,
            (inner.x, inner.y + 2),
            inner.width,
            &format!("Enter: go to {target}"),
            theme.style(Role::Key),
        );
        return;
    }
    let rows = usize::from(inner.height.saturating_sub(2));
    let top = crate::tui::fit::scroll_to(0, dialog.row, dialog.found.len(), rows);
    for (at, action) in dialog.found.iter().enumerate().skip(top).take(rows) {
        let y = inner.y + 2 + (at - top) as u16;
        let style = theme.style(Role::Popup);
        let keys = crate::tui::keys::of(action).first().copied().unwrap_or_default();
        let x = put(
            buffer,
            (inner.x, y),
            inner.width,
            &pad(action.name, 24),
            style.patch(theme.style(Role::Title)),
        );
        let room = inner.right().saturating_sub(x + 9);
        put(buffer, (x, y), room, action.help, style.patch(theme.style(Role::Text)));
        let key_x = inner.right().saturating_sub(8);
        put(buffer, (key_x, y), 8, &crate::tui::fit::pad_left(keys, 8), style.patch(theme.style(Role::Key)));
        if at == dialog.row {
            buffer.set_style(Rect { y, height: 1, ..inner }, theme.style(Role::Selected));
        }
    }
}

fn pasting(state: &State, theme: &Theme, screen: Rect, dialog: &Pasting, buffer: &mut Buffer) {
    let area = centred(screen, 100, 14);
    let inner = popup(state, theme, area, "Paste a log", buffer);
    let lines = dialog.text.lines().count();
    let said = match lines {
        0 => "Paste the lines tcpdump, tshark or a device printed, with whatever stands around them."
            .to_owned(),
        1 => "1 line".to_owned(),
        lines => format!("{} lines", thousands(lines as u64)),
    };
    let style = theme.style(Role::Popup);
    put(buffer, (inner.x, inner.y), inner.width, &said, style);
    let room = usize::from(inner.height.saturating_sub(4));
    let last: Vec<&str> = dialog.text.lines().skip(lines.saturating_sub(room)).collect();
    for (at, line) in last.iter().enumerate() {
        let line = clip(&escape(line), usize::from(inner.width));
        put(
            buffer,
            (inner.x, inner.y + 2 + at as u16),
            inner.width,
            &line,
            style.patch(theme.style(Role::Muted)),
        );
    }
    footer(theme, inner, "Ctrl-d or, behind a paste, Enter: open it · Esc leave", buffer);
}

fn confirm(state: &State, theme: &Theme, screen: Rect, dialog: &Confirm, buffer: &mut Buffer) {
    let lines = wrap(&dialog.question, 66);
    let area = centred(screen, 72, lines.len() as u16 + 4);
    let inner = popup(state, theme, area, "Question", buffer);
    let style = theme.style(Role::Popup).patch(theme.style(Role::Warning));
    for (at, line) in lines.iter().enumerate().take(usize::from(inner.height)) {
        put(buffer, (inner.x, inner.y + at as u16), inner.width, line, style);
    }
    footer(theme, inner, "y yes · n no", buffer);
}
