//! `config.toml` in the configuration directory: theme, times and keys of the screen.

use serde::Deserialize;
use toml::Spanned;

use super::actions;
use super::keys::{self, Own};
use super::state::TimeFormat;
use super::theme::THEMES;

/// Names of the ways to show times, in the order of [`TimeFormat::ALL`].
const TIMES: [&str; 4] = ["time-of-day", "date-and-time", "relative", "delta"];

/// What the analyst set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The theme; `None` leaves it to the terminal.
    pub theme: Option<&'static str>,
    /// How times are shown at first.
    pub time: TimeFormat,
    /// Keys by action.
    pub keys: Own,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Text {
    theme: Option<Spanned<String>>,
    time: Option<Spanned<String>>,
    keys: std::collections::BTreeMap<String, Spanned<Vec<String>>>,
}

/// The name of a theme as the program keeps it.
pub fn theme(name: &str) -> Option<&'static str> {
    THEMES.iter().map(|(known, _)| *known).find(|known| *known == name)
}

/// The names of all themes: `dark, light, …`.
pub fn themes() -> String {
    THEMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl Config {
    /// Reads the file's text; the error says where what is wrong.
    pub fn read(text: &str) -> Result<Self, String> {
        let at = |byte: usize, message: &str| {
            let before = text.get(..byte).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("line {line}, column {column}: {}", crate::text::escape(message))
        };
        let read: Text = toml::from_str(text)
            .map_err(|error| at(error.span().map_or(0, |span| span.start), error.message()))?;
        let mut config = Self::default();
        if let Some(name) = &read.theme {
            let wrong =
                || at(name.span().start, &format!("there is no theme `{}`: {}", name.as_ref(), themes()));
            config.theme = Some(theme(name.as_ref()).ok_or_else(wrong)?);
        }
        if let Some(name) = &read.time {
            let place = TIMES.iter().position(|time| time == name.as_ref());
            let wrong =
                || at(name.span().start, &format!("times are {}, not `{}`", TIMES.join(", "), name.as_ref()));
            config.time = place.and_then(|place| TimeFormat::ALL.get(place)).copied().ok_or_else(wrong)?;
        }
        for (name, keys) in &read.keys {
            if actions::named(name).is_none() {
                let message = format!("there is no action `{name}`: portmortem keys lists them");
                return Err(at(keys.span().start, &message));
            }
            config.keys.insert(name.clone(), keys.as_ref().clone());
        }
        if let Some((action, message)) = keys::conflict(&keys::with(&config.keys)) {
            // The place of the analyst's own key, if it is one of two.
            let own = read.keys.get(action).or_else(|| {
                read.keys.iter().find(|(name, _)| message.contains(name.as_str())).map(|(_, keys)| keys)
            });
            return Err(at(own.map_or(0, |keys| keys.span().start), &message));
        }
        Ok(config)
    }
}

/// The file as it would be written: every setting with its default, commented out.
pub fn commented() -> String {
    use std::fmt::Write as _;
    let mut out = format!(
        "# portmortem's screen. Take the # away from what you set.\n\n# {}; unset, the terminal decides.\n# theme = \"dark\"\n\n\
         # {}\n# time = \"time-of-day\"\n\n# Keys by action; the strokes of one key stand one after the other: \"g g\", \"Ctrl-d\". [] takes a key away.\n[keys]\n",
        themes(),
        TIMES.join(", "),
    );
    for action in actions::all() {
        let keys: Vec<String> = action.keys.iter().map(|key| format!("{key:?}")).collect();
        let _ = writeln!(
            out,
            "# {} = [{}]  # {}: {}",
            action.name,
            keys.join(", "),
            action.context.title(),
            action.help
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_mistakes_are_placed() {
        let config = Config::read(
            "theme = \"light\"\ntime = \"delta\"\n[keys]\nnext-problem = [\"F1\"]\nhelp = [\"?\"]\n",
        )
        .unwrap();
        assert_eq!((config.theme, config.time), (Some("light"), TimeFormat::Delta));
        assert_eq!(config.keys["next-problem"], ["F1"]);
        let wrong = |text: &str| Config::read(text).unwrap_err();
        assert!(wrong("\ntheme = \"pink\"").starts_with("line 2, column 9: there is no theme `pink`: dark"));
        assert!(wrong("colour = 1").starts_with("line 1, column 1: unknown field `colour`"));
        assert!(
            wrong("[keys]\nno-such = [\"j\"]").contains("line 2, column 11: there is no action `no-such`")
        );
        assert!(wrong("[keys]\nnext-problem = [\"j\"]").contains("line 2, column 16: `j` means"));
        assert!(wrong("[keys]\nnext-problem = [\"g\"]").contains("hides `g g`"));
        assert!(wrong("[keys]\nnext-problem = [\"Hyper-x\"]").contains("`Hyper-x` is no key"));
    }

    #[test]
    fn the_file_that_is_written_sets_nothing_and_names_every_action() {
        let text = commented();
        assert_eq!(Config::read(&text).unwrap(), Config::default());
        let uncommented: String = text.replace("\n# ", "\n");
        let set: Vec<&str> = uncommented.lines().filter(|line| line.contains(" = [")).collect();
        assert_eq!(set.len(), actions::all().count());
        let keys = format!("[keys]\n{}", set.join("\n"));
        assert!(Config::read(&keys).is_ok(), "the keys of the table are no conflict");
    }
}
