//! The ACTIONS table: everything a key can do, with its name, help and default keys. Help, palette and docs/keys.md are made from it.

pub mod attempts;
pub mod causes;
pub mod choosing;
pub mod filtering;
pub mod leaving;
pub mod manual;
pub mod moving;
pub mod panels;
pub mod reporting;
pub mod searching;

use super::layout::Panel;
use super::state::State;
use super::update::Effect;

/// Where a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// Any panel.
    Panels,
    /// The timeline only.
    Timeline,
    /// The packet only.
    Packet,
    /// The report only.
    Report,
    /// The findings only.
    Findings,
    /// The causes only.
    Causes,
    /// The attempts only.
    Attempts,
    /// The ladder only.
    Ladder,
    /// The filter line, before `Line`.
    FilterLine,
    /// Any line of text.
    Line,
    /// Text of several lines.
    Editor,
    /// The export dialog.
    Export,
    /// A menu.
    Choices,
    /// The command palette.
    Palette,
    /// A yes-or-no question.
    Question,
    /// A log being pasted.
    Paste,
    /// The help screen.
    Help,
}

impl Context {
    /// All contexts with their headings.
    pub const ALL: [(Self, &'static str); 17] = [
        (Self::Panels, "Everywhere"),
        (Self::Timeline, "Timeline"),
        (Self::Packet, "Packet"),
        (Self::Report, "Report"),
        (Self::Findings, "Findings"),
        (Self::Causes, "Causes"),
        (Self::Attempts, "Attempts"),
        (Self::Ladder, "Ladder"),
        (Self::FilterLine, "Filter line"),
        (Self::Line, "Lines of text"),
        (Self::Editor, "Notes and edits"),
        (Self::Export, "Export"),
        (Self::Choices, "Menus"),
        (Self::Palette, "Commands by name"),
        (Self::Question, "Questions"),
        (Self::Paste, "Pasting a log"),
        (Self::Help, "Help"),
    ];

    /// The context of a panel.
    pub fn of(panel: Panel) -> Self {
        match panel {
            Panel::Timeline => Self::Timeline,
            Panel::Packet => Self::Packet,
            Panel::Report => Self::Report,
            Panel::Findings => Self::Findings,
            Panel::Causes => Self::Causes,
            Panel::Attempts => Self::Attempts,
            Panel::Ladder => Self::Ladder,
        }
    }

    /// The heading.
    pub fn title(self) -> &'static str {
        Self::ALL.iter().find(|(context, _)| *context == self).map_or("", |(_, title)| title)
    }

    /// Whether it is a panel's or every panel's: its actions make sense from the palette.
    pub fn is_panel(self) -> bool {
        matches!(
            self,
            Self::Panels
                | Self::Timeline
                | Self::Packet
                | Self::Report
                | Self::Findings
                | Self::Causes
                | Self::Attempts
                | Self::Ladder
        )
    }
}

/// Something the analyst can do.
#[derive(Debug)]
pub struct Action {
    /// Name in the palette.
    pub name: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Default keys; strokes of one key are separated by spaces.
    pub keys: &'static [&'static str],
    /// Where the keys count.
    pub context: Context,
    /// Does it.
    pub run: fn(&mut State) -> Effect,
}

/// All actions in groups. A new action is one row in its group's file.
pub static ACTIONS: &[&[Action]] = &[
    moving::ACTIONS,
    panels::ACTIONS,
    filtering::ACTIONS,
    searching::ACTIONS,
    reporting::ACTIONS,
    manual::ACTIONS,
    attempts::ACTIONS,
    causes::ACTIONS,
    leaving::ACTIONS,
    choosing::ACTIONS,
];

/// All actions one after the other.
pub fn all() -> impl Iterator<Item = &'static Action> {
    ACTIONS.iter().flat_map(|group| group.iter())
}

/// An action by name.
pub fn named(name: &str) -> Option<&'static Action> {
    all().find(|action| action.name == name)
}

/// The key list of docs/keys.md, made from the table.
pub fn key_list() -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for (context, title) in Context::ALL {
        let _ = write!(out, "**{title}**\n\n| keys | action |\n|---|---|\n");
        for action in all().filter(|action| action.context == context) {
            let keys: Vec<String> =
                action.keys.iter().map(|key| format!("`{}`", key.replace('|', "\\|"))).collect();
            let _ = writeln!(out, "| {} | {} |", keys.join(" "), action.help);
        }
        out.push('\n');
    }
    out
}
