//! Two messages side by side: the fields in which they differ, and how many are equal.

use std::collections::HashMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::index::PacketId;
use crate::tui::fit::{clip, pad, put};
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

/// A field under its headings, and its value.
type Field = (String, String);

/// A field in which two messages differ; `None` where one has no such field.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field's name.
    pub name: String,
    /// Its value in the first message.
    pub first: Option<String>,
    /// Its value in the second one.
    pub second: Option<String>,
}

/// The differing fields in the order of the messages, and how many fields are equal.
pub fn differences(state: &State, first: PacketId, second: PacketId) -> (Vec<Difference>, usize) {
    let (left, right) = (fields(state, first), fields(state, second));
    let of_right: HashMap<&str, &str> =
        right.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let of_left: HashMap<&str, &str> =
        left.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut out = Vec::new();
    let mut equal = 0;
    for (key, value) in &left {
        let other = of_right.get(key.as_str()).map(|other| (*other).to_owned());
        if other.as_ref() == Some(value) {
            equal += 1;
        } else {
            out.push(Difference { name: key.clone(), first: Some(value.clone()), second: other });
        }
    }
    for (key, value) in right.iter().filter(|(key, _)| !of_left.contains_key(key.as_str())) {
        out.push(Difference { name: key.clone(), first: None, second: Some(value.clone()) });
    }
    (out, equal)
}

/// The fields of a message, each under the name of its layer; repeated ones are numbered.
fn fields(state: &State, id: PacketId) -> Vec<Field> {
    let Some(packet) = state.index.packet(id) else { return Vec::new() };
    let mut out = vec![("Time".to_owned(), state.index.basis().moment(packet.time_ns()))];
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut layer = String::new();
    for node in packet.dissect().nodes {
        let (name, value) = if let Some((name, value)) = node.text.split_once(": ") {
            (format!("{layer} {name}"), value.to_owned())
        } else {
            let (word, rest) = node.text.split_once(' ').unwrap_or((node.text.as_str(), ""));
            let quoted = if node.quoted { "quoted " } else { "" };
            layer = format!("{quoted}{word}");
            (layer.clone(), rest.trim().to_owned())
        };
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        out.push((if *count > 1 { format!("{name} {count}") } else { name }, value));
    }
    out
}

/// Draws it.
pub fn render(
    state: &State,
    theme: &Theme,
    (first, second): (PacketId, PacketId),
    area: Rect,
    buffer: &mut Buffer,
) {
    if area.height < 2 {
        return;
    }
    let muted = theme.style(Role::Muted);
    let line = if state.unicode { "─" } else { "-" };
    put(
        buffer,
        (area.x, area.y),
        area.width,
        &line.repeat(usize::from(area.width)),
        theme.style(Role::Border),
    );
    if first == second {
        let text = format!(
            "{} is compared with the message selected above: j and k select one",
            state.number(first)
        );
        put(buffer, (area.x + 1, area.y + 1), area.width.saturating_sub(1), &text, muted);
        return;
    }
    let (found, equal) = differences(state, first, second);
    let name = usize::from(area.width / 3);
    let value = (usize::from(area.width).saturating_sub(name + 4)) / 2;
    let row = |name_text: &str, a: &str, b: &str| {
        format!("{}  {}  {}", pad(&clip(name_text, name), name), pad(&clip(a, value), value), clip(b, value))
    };
    let equal = format!("{equal} equal");
    let head = row(&equal, &state.number(first), &state.number(second));
    put(buffer, (area.x + 1, area.y + 1), area.width.saturating_sub(1), &head, theme.style(Role::Title));
    let rows = usize::from(area.height.saturating_sub(2));
    for (at, difference) in found.iter().take(rows).enumerate() {
        let y = area.y + 2 + at as u16;
        let more = found.len() - at;
        if at + 1 == rows && more > 1 {
            put(buffer, (area.x + 1, y), area.width, &format!("… and {more} more differ"), muted);
            return;
        }
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
        let text = row(&difference.name, &value(&difference.first), &value(&difference.second));
        put(buffer, (area.x + 1, y), area.width.saturating_sub(1), &text, theme.style(Role::Text));
    }
}
