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
    ("contrast", include_str!("../../assets/themes/contrast.toml")),
    ("colourblind", include_str!("../../assets/themes/colourblind.toml")),
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

    /// The theme an analyst chose, as far as the terminal has its colours: with sixteen or none there is one each.
    pub fn chosen(name: &str, depth: Depth) -> Self {
        match depth {
            Depth::Sixteen if name != "monochrome" => Self::named("sixteen", depth),
            Depth::Monochrome => Self::named("monochrome", depth),
            _ => Self::named(name, depth),
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

/// The steps of xterm's 6×6×6 cube.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The nearest of xterm's 6×6×6 cube and its 24 greys, as the eye sees it.
fn nearest(r: u8, g: u8, b: u8) -> u8 {
    let wanted = lab([r, g, b]);
    let distance = |index: &u8| {
        let [l, a, b] = lab(indexed(*index));
        (l - wanted[0]).powi(2) + (a - wanted[1]).powi(2) + (b - wanted[2]).powi(2)
    };
    (16..=255).min_by(|one, other| distance(one).total_cmp(&distance(other))).unwrap_or(16)
}

/// What xterm shows for an index of the cube or a grey.
fn indexed(index: u8) -> [u8; 3] {
    let Some(at) = index.checked_sub(16).filter(|at| *at < 216) else {
        return [8 + 10 * index.saturating_sub(232); 3];
    };
    [at / 36, at / 6 % 6, at % 6].map(|step| STEPS.get(usize::from(step)).copied().unwrap_or(255))
}

/// Linear light of a channel of sRGB (IEC 61966-2-1).
fn linear(channel: u8) -> f64 {
    let value = f64::from(channel) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// A colour in CIE L*a*b* (D65), in which distances are what the eye makes of them.
fn lab(rgb: [u8; 3]) -> [f64; 3] {
    lab_of(rgb.map(linear))
}

fn lab_of([r, g, b]: [f64; 3]) -> [f64; 3] {
    let part = |value: f64| {
        if value > 0.008_856 { value.cbrt() } else { 7.787 * value + 16.0 / 116.0 }
    };
    let x = part((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
    let y = part(0.2126 * r + 0.7152 * g + 0.0722 * b);
    let z = part((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
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
        assert_eq!(indexed(196), [255, 0, 0]);
    }

    /// Backgrounds a theme is made for.
    const BACKGROUNDS: [(&str, &[[u8; 3]]); 4] = [
        ("dark", &[[0, 0, 0], [0x1e, 0x1e, 0x2e]]),
        ("light", &[[255, 255, 255], [0xf5, 0xf5, 0xf0]]),
        ("contrast", &[[0, 0, 0]]),
        ("colourblind", &[[0, 0, 0], [0x1e, 0x1e, 0x2e]]),
    ];

    fn rgb(colour: Option<Color>) -> Option<[u8; 3]> {
        match colour {
            Some(Color::Rgb(r, g, b)) => Some([r, g, b]),
            _ => None,
        }
    }

    /// Contrast of two colours (WCAG 2.2, 1.4.3).
    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let light = |rgb: [u8; 3]| {
            let [r, g, b] = rgb.map(linear);
            0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05
        };
        let (one, other) = (light(one), light(other));
        one.max(other) / one.min(other)
    }

    #[test]
    fn text_stands_out_from_the_backgrounds_a_theme_is_made_for() {
        for (name, backgrounds) in BACKGROUNDS {
            let theme = Theme::named(name, Depth::True);
            for (role, word) in Role::ALL.into_iter().filter(|(role, _)| *role != Role::Border) {
                let style = theme.style(role);
                let Some(text) = rgb(style.fg) else { continue };
                let own = rgb(style.bg).map(|own| vec![own]);
                let least = if name == "contrast" { 7.0 } else { 4.5 };
                for background in own.unwrap_or_else(|| backgrounds.to_vec()) {
                    // Ties are lines, not text.
                    let least = if role == Role::Tie { 3.0 } else { least };
                    let found = contrast(text, background);
                    assert!(found >= least, "{name}: {word} has {found:.1} on {background:?}");
                }
            }
        }
    }

    /// What people without red or green receptors see (Machado, Oliveira and Fernandes 2009, severity 1).
    const SEEN: [(&str, [[f64; 3]; 3]); 3] = [
        ("all receptors", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        (
            "deuteranopia",
            [
                [0.367_322, 0.860_646, -0.227_968],
                [0.280_085, 0.672_501, 0.047_413],
                [-0.011_82, 0.042_94, 0.968_881],
            ],
        ),
        (
            "protanopia",
            [
                [0.152_286, 1.052_583, -0.204_868],
                [0.114_503, 0.786_281, 0.099_216],
                [-0.003_882, -0.048_116, 1.051_998],
            ],
        ),
    ];

    #[test]
    fn queries_answers_errors_and_retries_stay_apart_in_every_eye() {
        let pairs = [
            (Role::Answer, Role::Retry),
            (Role::Error, Role::Answer),
            (Role::Error, Role::Retry),
            (Role::Query, Role::Answer),
            (Role::Query, Role::Retry),
        ];
        for (name, _) in BACKGROUNDS {
            let theme = Theme::named(name, Depth::True);
            for (eye, seen) in SEEN {
                let point =
                    |role: Role| {
                        let light = rgb(theme.style(role).fg).unwrap().map(linear);
                        lab_of(seen.map(|row| {
                            row.iter().zip(light).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0)
                        }))
                    };
                for (one, other) in pairs {
                    let (a, b) = (point(one), point(other));
                    let apart = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                    assert!(apart >= 20.0, "{name}, {eye}: {one:?} and {other:?} are {apart:.0} apart");
                }
            }
        }
    }
}
