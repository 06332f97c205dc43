//! Where everything is: a pure function of the screen's size and the panels' state, used by update and render.

use ratatui::layout::Rect;

/// From this width on panels stand side by side; below it one fills the screen under a tab strip.
pub const WIDE_COLUMNS: u16 = 110;
/// What the right column gets from the left one while it shows attempts or a ladder.
const TABLE_MORE_PERCENT: u16 = 18;
/// From this height on the overview has a band for each of so many kinds of failure; below it all share one.
const BANDS_FROM: [(u16, u16); 2] = [(44, 5), (34, 2)];
/// From this height on the overview is shown.
const OVERVIEW_ROWS_FROM: u16 = 24;

/// A panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Panel {
    /// The packets.
    #[default]
    Timeline,
    /// The selected packet.
    Packet,
    /// The draft.
    Report,
    /// What the rules found.
    Findings,
    /// The competing explanations and their ledgers.
    Causes,
    /// One row an attempt: DNS lookups and what was wanted of other services.
    Attempts,
    /// The messages of an episode, an attempt or a connection as a ladder.
    Ladder,
}

impl Panel {
    /// All panels in the order of the tab strip, with the key that shows each.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Timeline, "1", "Timeline"),
        (Self::Packet, "2", "Packet"),
        (Self::Report, "3", "Report"),
        (Self::Findings, "4", "Findings"),
        (Self::Causes, "c", "Causes"),
        (Self::Attempts, "d", "Attempts"),
        (Self::Ladder, "L", "Ladder"),
    ];

    /// Whether it takes the right column of a wide screen.
    pub fn is_side(self) -> bool {
        !matches!(self, Self::Timeline | Self::Packet)
    }

    /// The panel's title.
    pub fn title(self) -> &'static str {
        Self::ALL.iter().find(|(panel, _, _)| *panel == self).map_or("", |(_, _, title)| title)
    }
}

/// What the analyst did to the panels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panels {
    /// Where keys go.
    pub focus: Panel,
    /// What the right column shows.
    pub side: Panel,
    /// Whether the focused panel has the screen to itself.
    pub zoomed: bool,
    /// Share of the left column in percent.
    pub left_percent: u16,
    /// Whether the damage line is shown.
    pub damage: bool,
    /// Kinds of failure the overview has bands for.
    pub bands: u16,
}

impl Default for Panels {
    fn default() -> Self {
        Self {
            focus: Panel::Timeline,
            side: Panel::Report,
            zoomed: false,
            left_percent: 66,
            damage: false,
            bands: 1,
        }
    }
}

/// The places; a part that is not shown has an empty place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Program, file, times, state.
    pub title: Rect,
    /// The gravest failure in one line.
    pub verdict: Rect,
    /// Sparkline and bands.
    pub overview: Rect,
    /// The filter line.
    pub filter: Rect,
    /// What was lost from a damaged file.
    pub damage: Rect,
    /// Tabs, where one panel is shown at a time.
    pub tabs: Rect,
    /// The timeline with its border.
    pub timeline: Rect,
    /// The packet with its border.
    pub packet: Rect,
    /// Report, findings, attempts or ladder with its border.
    pub side: Rect,
    /// Keys and link of the selected packet.
    pub status: Rect,
    /// Whether panels have borders.
    pub bordered: bool,
}

impl Layout {
    /// The place of a panel; empty where it is not shown.
    pub fn panel(&self, panel: Panel) -> Rect {
        match panel {
            Panel::Timeline => self.timeline,
            Panel::Packet => self.packet,
            _ => self.side,
        }
    }

    /// What a border leaves of a panel's place.
    pub fn inner(&self, panel: Panel) -> Rect {
        let area = self.panel(panel);
        if !self.bordered {
            return area;
        }
        Rect {
            x: area.x.saturating_add(1),
            y: area.y.saturating_add(1),
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(2),
        }
    }
}

/// Divides the screen.
pub fn layout(area: Rect, panels: &Panels) -> Layout {
    let mut rest = area;
    let mut out = Layout { title: take(&mut rest, 1), ..Layout::default() };
    out.status = take_last(&mut rest, 1);
    out.verdict = take(&mut rest, 1);
    if area.height >= OVERVIEW_ROWS_FROM {
        let most = BANDS_FROM.iter().find(|(from, _)| area.height >= *from).map_or(1, |(_, bands)| *bands);
        out.overview = take(&mut rest, 1 + panels.bands.clamp(1, most));
    }
    out.filter = take(&mut rest, 1);
    if panels.damage {
        out.damage = take(&mut rest, 1);
    }
    let wide = area.width >= WIDE_COLUMNS;
    if !wide || panels.zoomed {
        out.tabs = take(&mut rest, 1);
        match panels.focus {
            Panel::Timeline => out.timeline = rest,
            Panel::Packet => out.packet = rest,
            _ => out.side = rest,
        }
        return out;
    }
    out.bordered = true;
    // Wide tables and ladders need room; the timeline beside them does with less.
    let is_table = matches!(panels.side, Panel::Ladder | Panel::Attempts);
    let percent = panels.left_percent.saturating_sub(if is_table { TABLE_MORE_PERCENT } else { 0 }).max(20);
    let left = (u32::from(rest.width) * u32::from(percent) / 100) as u16;
    let packet_rows = (rest.height * 2 / 5).clamp(6, 24).min(rest.height);
    out.timeline = Rect { width: left, height: rest.height - packet_rows, ..rest };
    out.packet = Rect { y: rest.y + out.timeline.height, width: left, height: packet_rows, ..rest };
    out.side = Rect { x: rest.x + left, width: rest.width - left, ..rest };
    out
}

fn take(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    let taken = Rect { height: rows, ..*rest };
    rest.y += rows;
    rest.height -= rows;
    taken
}

fn take_last(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    rest.height -= rows;
    Rect { y: rest.y + rest.height, height: rows, ..*rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_divided_without_overlap() {
        for width in [0, 1, 12, 80, 109, 110, 200] {
            for height in [0, 1, 5, 24, 60] {
                let area = Rect::new(0, 0, width, height);
                let out = layout(area, &Panels { damage: true, ..Panels::default() });
                let parts = [
                    out.title,
                    out.verdict,
                    out.overview,
                    out.filter,
                    out.damage,
                    out.tabs,
                    out.timeline,
                    out.packet,
                    out.side,
                    out.status,
                ];
                let sum: u32 = parts.iter().map(|part| part.area()).sum();
                assert_eq!(sum, area.area(), "{width}×{height}");
            }
        }
    }

    #[test]
    fn a_narrow_screen_shows_the_focused_panel_alone() {
        let panels = Panels { focus: Panel::Report, ..Panels::default() };
        let out = layout(Rect::new(0, 0, 80, 24), &panels);
        assert!(out.timeline.is_empty() && out.packet.is_empty());
        assert_eq!(out.side, Rect::new(0, 6, 80, 17));
    }
}
