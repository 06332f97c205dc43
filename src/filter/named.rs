//! Filters with names: those shipped with the program, written `$name` inside other filters.

use std::sync::LazyLock;

use serde::Deserialize;

/// A filter with a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NamedFilter {
    /// The word after `$`.
    pub name: String,
    /// What it shows, in one line.
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

/// The filters the program brings along, in the order they are offered.
pub fn shipped() -> &'static [NamedFilter] {
    &SHIPPED
}

/// Finds a shipped filter by name.
pub fn find(name: &str) -> Option<&'static NamedFilter> {
    SHIPPED.iter().find(|filter| filter.name == name)
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
