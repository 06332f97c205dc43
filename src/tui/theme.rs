//! Roles and their styles: views name what a cell means, themes say how that looks.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Role {
    Text,
    Muted,
    Border,
    Focus,
    Title,
    Key,
    Query,
    Answer,
    Error,
    Retry,
    Tie,
    Selected,
    Partner,
    Warning,
    Accepted,
    Observed,
    Reported,
    Assessed,
    Note,
    Bytes,
    Popup,
    Tab,
    Match,
}

impl Role {
    /// All roles with their names in theme files.
    pub const ALL: [(Self, &'static str); 23] = [
        (Self::Text, "text"),
        (Self::Muted, "muted"),
        (Self::Border, "border"),
        (Self::Focus, "focus"),
        (Self::Title, "title"),
        (Self::Key, "key"),
        (Self::Query, "query"),
        (Self::Answer, "answer"),
        (Self::Error, "error"),
        (Self::Retry, "retry"),
        (Self::Tie, "tie"),
        (Self::Selected, "selected"),
        (Self::Partner, "partner"),
        (Self::Warning, "warning"),
        (Self::Accepted, "accepted"),
        (Self::Observed, "observed"),
        (Self::Reported, "reported"),
        (Self::Assessed, "assessed"),
        (Self::Note, "note"),
        (Self::Bytes, "bytes"),
        (Self::Popup, "popup"),
        (Self::Tab, "tab"),
        (Self::Match, "match"),
    ];
}

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// None (`NO_COLOR`, `TERM=dumb` and the like): weight, underline and reverse only.
    Monochrome,
    /// The 16 named colours.
    Sixteen,
    /// The 256 colours of xterm.
    Indexed,
    /// Any colour.
    True,
}

/// Styles by role.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    styles: BTreeMap<Role, Style>,
}

/// The themes that come with the program.
pub static THEMES: &[(&str, &str)] = &[
    ("dark", include_str!("../../assets/themes/dark.toml")),
    ("light", include_str!("../../assets/themes/light.toml")),
    ("sixteen", include_str!("../../assets/themes/sixteen.toml")),
    ("monochrome", include_str!("../../assets/themes/monochrome.toml")),
];

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    fg: Option<String>,
    #[serde(default)]
    bg: Option<String>,
    #[serde(default)]
    style: Vec<String>,
}

impl Theme {
    /// Reads a theme file: one table a role with `fg`, `bg` (`#rrggbb` or a colour name) and `style` words.
    pub fn parse(text: &str, depth: Depth) -> anyhow::Result<Self> {
        let rows: BTreeMap<String, Row> = toml::from_str(text)?;
        let mut styles = BTreeMap::new();
        for (name, row) in rows {
            let Some((role, _)) = Role::ALL.iter().find(|(_, known)| *known == name) else {
                anyhow::bail!("there is no role `{name}`");
            };
            styles.insert(*role, row.style(depth)?);
        }
        Ok(Self { styles })
    }

    /// A theme of the program by name; the monochrome one where there is none of that name.
    pub fn named(name: &str, depth: Depth) -> Self {
        let found = THEMES.iter().find(|(known, _)| *known == name).or(THEMES.last());
        found.and_then(|(_, text)| Self::parse(text, depth).ok()).unwrap_or(Self { styles: BTreeMap::new() })
    }

    /// The theme that suits a terminal.
    pub fn suited(depth: Depth, light_background: bool) -> Self {
        match depth {
            Depth::Monochrome => Self::named("monochrome", depth),
            Depth::Sixteen => Self::named("sixteen", depth),
            _ if light_background => Self::named("light", depth),
            _ => Self::named("dark", depth),
        }
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(&role).copied().unwrap_or_default()
    }
}

impl Row {
    fn style(&self, depth: Depth) -> anyhow::Result<Style> {
        let mut style = Style::new();
        if let Some(fg) = &self.fg {
            style.fg = Some(colour(fg, depth)?);
        }
        if let Some(bg) = &self.bg {
            style.bg = Some(colour(bg, depth)?);
        }
        for word in &self.style {
            style = style.add_modifier(match word.as_str() {
                "bold" => Modifier::BOLD,
                "dim" => Modifier::DIM,
                "italic" => Modifier::ITALIC,
                "underline" => Modifier::UNDERLINED,
                "reverse" => Modifier::REVERSED,
                other => anyhow::bail!("there is no style `{other}`"),
            });
        }
        Ok(style)
    }
}

fn colour(text: &str, depth: Depth) -> anyhow::Result<Color> {
    let colour: Color = text.parse().map_err(|_| anyhow::anyhow!("`{text}` is no colour"))?;
    Ok(match (colour, depth) {
        (_, Depth::Monochrome) => Color::Reset,
        (Color::Rgb(r, g, b), Depth::Indexed | Depth::Sixteen) => Color::Indexed(nearest(r, g, b)),
        (colour, _) => colour,
    })
}

/// The nearest of xterm's 6×6×6 cube and its 24 greys.
fn nearest(r: u8, g: u8, b: u8) -> u8 {
    const STEPS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let closest = |value: u8| {
        let mut best = (0, i32::MAX);
        for (at, step) in STEPS.iter().enumerate() {
            let distance = (i32::from(value) - step).abs();
            if distance < best.1 {
                best = (at, distance);
            }
        }
        best
    };
    let distance = |a: (i32, i32, i32)| {
        (a.0 - i32::from(r)).pow(2) + (a.1 - i32::from(g)).pow(2) + (a.2 - i32::from(b)).pow(2)
    };
    let (cr, cg, cb) = (closest(r), closest(g), closest(b));
    let cube = (cr.1 * cr.1) + (cg.1 * cg.1) + (cb.1 * cb.1);
    let mean = (i32::from(r) + i32::from(g) + i32::from(b)) / 3;
    let grey = ((mean - 8).max(0) / 10).min(23);
    let level = 8 + grey * 10;
    if distance((level, level, level)) < cube {
        232 + grey as u8
    } else {
        (16 + 36 * cr.0 + 6 * cg.0 + cb.0) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_defines_every_role() {
        for (name, text) in THEMES {
            let theme = Theme::parse(text, Depth::True).unwrap();
            for (role, word) in Role::ALL {
                assert!(theme.styles.contains_key(&role), "{name} lacks {word}");
            }
        }
    }

    #[test]
    fn monochrome_has_no_colour() {
        let theme = Theme::suited(Depth::Monochrome, false);
        for (role, _) in Role::ALL {
            let style = theme.style(role);
            assert!(!matches!(style.fg, Some(colour) if colour != Color::Reset));
            assert!(!matches!(style.bg, Some(colour) if colour != Color::Reset));
        }
    }

    #[test]
    fn colours_fall_back_to_the_nearest_index() {
        assert_eq!(nearest(255, 0, 0), 196);
        assert_eq!(nearest(8, 8, 8), 232);
    }
}
