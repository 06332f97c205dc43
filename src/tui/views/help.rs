//! The help screen: marks first, then keys from the ACTIONS table, the panel's own before the others; typing finds among them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::actions::{self, Action, Context};
use crate::tui::dialogs::Help;
use crate::tui::fit::{pad, put, scroll_to, width};
use crate::tui::keys;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

const KEY_CELLS: usize = 18;

/// The marks with their meanings.
const MARKS: [(&str, &str); 10] = [
    ("╭ ╰✗", "a query and the ICMP error about it"),
    ("╭ ╰✓", "a query and its answer"),
    ("↑#n ↓#n", "the other end is out of sight"),
    ("↻", "a repeated query"),
    ("…", "a query nothing came back for"),
    ("?", "orphan: what it is about is not in this capture"),
    ("!", "contradicted: it fits no packet that was sent"),
    ("A B C", "your notes"),
    ("■", "picked, to be noted together"),
    ("● ◆ ◇", "observed in packets, reported by a person, assessed"),
];

/// A line of the help.
pub struct HelpLine {
    /// The keys or the mark; empty for a heading and for a gap.
    pub keys: String,
    /// What they mean, or the heading.
    pub text: String,
    /// What Enter does.
    pub action: Option<&'static Action>,
}

impl HelpLine {
    fn heading(text: &str) -> Self {
        Self { keys: String::new(), text: text.to_owned(), action: None }
    }
}

/// Whether every word typed stands in one of the texts.
fn fits(typed: &str, texts: &[&str]) -> bool {
    let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    typed.to_lowercase().split_whitespace().all(|word| texts.iter().any(|text| text.contains(word)))
}

/// The lines that fit what is typed, under their headings.
pub fn lines(help: &Help) -> Vec<HelpLine> {
    let typed = help.line.text();
    let mut groups: Vec<(&str, Vec<HelpLine>)> = Vec::new();
    let marks = MARKS.iter().filter(|(mark, what)| fits(typed, &[mark, what]));
    let mark = |(mark, what): &(&str, &str)| HelpLine {
        keys: (*mark).to_owned(),
        text: (*what).to_owned(),
        action: None,
    };
    groups.push(("Marks in the timeline", marks.map(mark).collect()));
    let mut contexts = vec![help.context, Context::Panels];
    // Whoever looks for something finds it in whatever panel it is.
    let others = Context::ALL.iter().map(|(context, _)| *context);
    let all = others.filter(|context| if typed.trim().is_empty() { !context.is_panel() } else { true });
    contexts.extend(all.filter(|context| ![help.context, Context::Panels].contains(context)));
    for context in contexts {
        let own = actions::all().filter(|action| action.context == context);
        let found = own.filter(|action| {
            let exact = keys::of(action).contains(&typed.trim());
            exact || fits(typed, &[action.name, action.help])
        });
        let line = |action: &'static Action| HelpLine {
            keys: keys::of(action).join("  "),
            text: action.help.to_owned(),
            action: context.is_panel().then_some(action),
        };
        groups.push((context.title(), found.map(line).collect()));
    }
    let mut out = Vec::new();
    for (title, group) in groups.into_iter().filter(|(_, group)| !group.is_empty()) {
        if !out.is_empty() {
            out.push(HelpLine::heading(""));
        }
        out.push(HelpLine::heading(title));
        out.extend(group);
    }
    out
}

/// The action of the selected key.
pub fn selected(help: &Help) -> Option<&'static Action> {
    lines(help).into_iter().filter_map(|line| line.action).nth(help.row)
}

fn place(screen: Rect) -> Rect {
    let width = screen.width.min(92);
    let height = screen.height.saturating_sub(2).min(46);
    Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + screen.height.saturating_sub(height) / 2,
        width,
        height,
    }
}

/// Draws it.
pub fn render(state: &State, theme: &Theme, screen: Rect, help: &Help, buffer: &mut Buffer) {
    let title = "Keys · type to find · Enter does it · Esc closes";
    let title = if state.unicode { title.to_owned() } else { title.replace('·', "-") };
    let inner = super::dialogs::popup(state, theme, place(screen), &title, buffer);
    if inner.height < 2 {
        return;
    }
    super::dialogs::line(&help.line, theme, Rect { height: 1, ..inner }, true, buffer);
    let list = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    let all = lines(help);
    if all.is_empty() {
        put(
            buffer,
            (list.x, list.y),
            list.width,
            "no key and no mark has these words",
            theme.style(Role::Muted),
        );
        return;
    }
    let keys = all.iter().enumerate().filter(|(_, line)| line.action.is_some());
    let selected = keys.map(|(at, _)| at).nth(help.row).unwrap_or(0);
    // The marks above the first key are worth seeing.
    let wanted = if help.row == 0 { 0 } else { selected };
    let height = usize::from(list.height);
    let top = scroll_to(0, wanted, all.len(), height);
    for (at, line) in all.iter().enumerate().skip(top).take(height) {
        let y = list.y + (at - top) as u16;
        if line.keys.is_empty() {
            put(buffer, (list.x, y), list.width, &line.text, theme.style(Role::Title));
            continue;
        }
        let cells = width(&line.keys).max(KEY_CELLS);
        let x = put(buffer, (list.x, y), list.width, &pad(&line.keys, cells), theme.style(Role::Key));
        put(buffer, (x + 1, y), list.right().saturating_sub(x + 1), &line.text, theme.style(Role::Text));
        if at == selected && line.action.is_some() {
            buffer.set_style(Rect { y, height: 1, ..list }, theme.style(Role::Selected));
        }
    }
}
