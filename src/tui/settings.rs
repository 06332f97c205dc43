//! The user's own settings: theme, times, keys, named filters and colour rules in the configuration directory.

use std::path::PathBuf;

use super::colours::Colours;
use super::config::Config;
use crate::filter::Filter;
use crate::filter::named::{self, Named};

/// Longest file read, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// Where a settings file is, whether it exists or not.
pub fn path(name: &str) -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.config_dir().join("portmortem").join(name))
}

/// The text of a settings file; `None` where there is none.
fn text(name: &str) -> Option<String> {
    let path = path(name)?;
    let small = std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= BYTES_MAX);
    small.then(|| std::fs::read_to_string(&path).ok())?
}

/// The settings of `config.toml`; what is wrong with the file, if anything.
pub fn config() -> (Config, Option<String>) {
    match text("config.toml").map(|text| Config::read(&text)) {
        Some(Ok(config)) => (config, None),
        Some(Err(message)) => (Config::default(), Some(format!("config.toml: {message}"))),
        None => (Config::default(), None),
    }
}

/// The named filters of `filters.toml` beside the shipped ones; what is wrong with the file, if anything.
pub fn filters() -> (Named, Option<String>) {
    let Some(text) = text("filters.toml") else { return (Named::default(), None) };
    let filters = match named::read(&text) {
        Ok(filters) => filters,
        Err(message) => return (Named::default(), Some(format!("filters.toml: {message}"))),
    };
    let known = Named::new(filters);
    let wrong = known.all().find_map(|filter| {
        let error = Filter::parse_with(&filter.filter, &|_| None, &known).err()?;
        Some(format!("filters.toml: `${}`: {}", crate::text::escape(&filter.name), error.message))
    });
    (known, wrong)
}

/// The colour rules of `colours.toml` before the shipped ones; what is wrong with the file, if anything.
pub fn colours(named: &Named) -> (Colours, Option<String>) {
    match text("colours.toml").map(|text| Colours::with(&text, named)) {
        Some(Ok(colours)) => (colours, None),
        Some(Err(message)) => (Colours::default(), Some(format!("colours.toml: {message}"))),
        None => (Colours::default(), None),
    }
}
