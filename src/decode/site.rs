//! Sites: networks of their own, in which equal private addresses are different hosts.

use std::sync::{PoisonError, RwLock};

/// A site the user named; the default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site(u8);

/// Names of sites by number, the first that of number 1. What is read never depends on the order they came in.
static NAMES: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());

impl Site {
    /// No site: all captures are of one network, or nobody said.
    pub const NONE: Self = Self(0);

    /// The site of a name; `None` where more were named than are told apart.
    pub fn named(name: &str) -> Option<Self> {
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = names.iter().position(|known| *known == name) {
            return u8::try_from(at + 1).ok().map(Self);
        }
        let site = u8::try_from(names.len() + 1).ok().map(Self)?;
        names.push(Box::leak(name.into()));
        Some(site)
    }

    /// Its number among those named in this process; 0 for none.
    pub(super) fn number(self) -> u8 {
        self.0
    }

    /// Its name.
    pub fn name(self) -> Option<&'static str> {
        let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
        names.get(usize::from(self.0).checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_found_again_by_its_name() {
        let (berlin, oslo) = (Site::named("berlin"), Site::named("oslo"));
        assert_ne!(berlin, oslo);
        assert_eq!((Site::named("berlin"), berlin.and_then(Site::name)), (berlin, Some("berlin")));
        assert_eq!(Site::NONE.name(), None);
    }
}
