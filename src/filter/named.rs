//! Filters with names, written `$name` inside other filters: those shipped with the program, those of the user's
//! configuration, and those of a case.

use std::sync::{LazyLock, OnceLock};

use serde::Deserialize;

/// A filter with a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NamedFilter {
    /// The word after `$`.
    pub name: String,
    /// What it shows, in one line.
    #[serde(default)]
    pub title: String,
    /// Its text.
    pub filter: String,
}

#[derive(Deserialize)]
struct Shipped {
    filter: Vec<NamedFilter>,
}

static SHIPPED: LazyLock<Vec<NamedFilter>> = LazyLock::new(|| {
    toml::from_str::<Shipped>(include_str!("../../assets/filters.toml"))
        .map(|shipped| shipped.filter)
        .unwrap_or_default()
});

/// Finds the text of a filter by its name: those of a case, which only it knows.
pub type Own<'o> = &'o dyn Fn(&str) -> Option<String>;

static CONFIGURED: OnceLock<Vec<NamedFilter>> = OnceLock::new();

/// Reads a file of named filters as the shipped one is written: tables `[[filter]]` with `name`, `title`, `filter`.
pub fn read(text: &str) -> Result<Vec<NamedFilter>, String> {
    let read: Shipped = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    Ok(read.filter)
}

/// Makes the user's own filters known. Holds for the whole process; later calls change nothing.
pub fn configure(filters: Vec<NamedFilter>) {
    let _ = CONFIGURED.set(filters);
}

/// The filters the program brings along, in the order they are offered.
pub fn shipped() -> &'static [NamedFilter] {
    &SHIPPED
}

/// The user's own and the shipped filters.
pub fn all() -> impl Iterator<Item = &'static NamedFilter> + Clone {
    let own = CONFIGURED.get().map(Vec::as_slice).unwrap_or_default();
    own.iter().chain(SHIPPED.iter().filter(|shipped| own.iter().all(|filter| filter.name != shipped.name)))
}

/// Finds a filter by name, the user's own before a shipped one.
pub fn find(name: &str) -> Option<&'static NamedFilter> {
    all().find(|filter| filter.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_filter_parses() {
        assert!(shipped().len() >= 10);
        for filter in shipped() {
            crate::filter::Filter::parse(&filter.filter)
                .unwrap_or_else(|error| panic!("{}: {error:?}", filter.name));
        }
    }
}
