//! The user's own settings: named filters and colour rules in the configuration directory.

use std::path::PathBuf;

use super::colours::Colours;
use crate::filter::named;

/// Longest file read, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// Where a settings file is, whether it exists or not.
fn path(name: &str) -> Option<PathBuf> {
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

/// Makes the named filters of `filters.toml` known to the whole process; what is wrong with the file, if anything.
pub fn read_filters() -> Option<String> {
    let read = named::read(&text("filters.toml")?).and_then(|filters| {
        named::configure(filters.clone());
        let wrong = |filter: &named::NamedFilter| {
            let error = crate::filter::Filter::parse(&filter.filter).err()?;
            Some(format!("`${}`: {}", crate::text::escape(&filter.name), error.message))
        };
        filters.iter().find_map(wrong).map_or(Ok(()), Err)
    });
    read.err().map(|message| format!("filters.toml: {message}"))
}

/// The colour rules of `colours.toml` before the shipped ones; what is wrong with the file, if anything.
pub fn colours() -> (Colours, Option<String>) {
    match text("colours.toml").map(|text| Colours::with(&text)) {
        Some(Ok(colours)) => (colours, None),
        Some(Err(message)) => (Colours::default(), Some(format!("colours.toml: {message}"))),
        None => (Colours::default(), None),
    }
}
