//! Zones guessed from names: how failing names group, without knowledge of the real delegation points.

use std::collections::BTreeMap;

/// Labels that make a zone when names share no longer ending.
const LABELS: usize = 2;
/// Second-level labels under a country code that registries sell below.
const REGISTRY_LABELS: [&str; 9] = ["co", "com", "net", "org", "ac", "gov", "edu", "or", "ne"];

/// The zone a name probably belongs to: its last two labels, three below registries like `co.uk`. Presentation form.
pub fn of(name: &str) -> String {
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    let last = labels.last().map_or(0, |label| label.len());
    let registry = labels.len() >= 3
        && last == 2
        && labels
            .get(labels.len() - 2)
            .is_some_and(|label| REGISTRY_LABELS.contains(&label.to_lowercase().as_str()));
    let keep = LABELS + usize::from(registry);
    let from = labels.len().saturating_sub(keep);
    let mut zone = labels.get(from..).unwrap_or_default().join(".").to_lowercase();
    zone.push('.');
    zone
}

/// The zones of several names, most frequent first.
pub fn common(names: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(of(name)).or_default() += 1;
    }
    let mut zones: Vec<(String, usize)> = counts.into_iter().collect();
    zones.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    zones.into_iter().map(|(zone, _)| zone).collect()
}

/// Whether a name is a zone or below it; both with a final dot, compared without case.
pub fn is_below(name: &str, zone: &str) -> bool {
    let (name, zone) = (name.to_lowercase(), zone.to_lowercase());
    name == zone || name.strip_suffix(zone.as_str()).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_group_by_their_registered_ending() {
        assert_eq!(of("www.shop.example."), "shop.example.");
        assert_eq!(of("a.b.shop.co.uk."), "shop.co.uk.");
        assert_eq!(of("."), ".");
        assert!(is_below("Www.Shop.Example.", "shop.example."));
        assert!(!is_below("workshop.example.", "shop.example."));
    }
}
