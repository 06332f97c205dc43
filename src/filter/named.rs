//! Filters with names, written `$name` inside other filters: those shipped with the program, those of the user's
//! configuration, and those of a case.

use std::sync::LazyLock;

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

/// Reads a file of named filters as the shipped one is written: tables `[[filter]]` with `name`, `title`, `filter`.
pub fn read(text: &str) -> Result<Vec<NamedFilter>, String> {
    let read: Shipped = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    Ok(read.filter)
}

/// The filters the program brings along, in the order they are offered.
pub fn shipped() -> &'static [NamedFilter] {
    &SHIPPED
}

/// The user's own filters and the shipped ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    own: Vec<NamedFilter>,
}

/// The shipped filters alone.
pub static ONLY_SHIPPED: Named = Named { own: Vec::new() };

impl Named {
    /// With filters of the user's own.
    pub fn new(own: Vec<NamedFilter>) -> Self {
        Self { own }
    }

    /// The user's own and the shipped filters.
    pub fn all(&self) -> impl Iterator<Item = &NamedFilter> + Clone {
        let is_own = |shipped: &&NamedFilter| self.own.iter().any(|filter| filter.name == shipped.name);
        self.own.iter().chain(SHIPPED.iter().filter(move |shipped| !is_own(shipped)))
    }

    /// Finds a filter by name, the user's own before a shipped one.
    pub fn find(&self, name: &str) -> Option<&NamedFilter> {
        self.all().find(|filter| filter.name == name)
    }
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
