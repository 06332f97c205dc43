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
    let below = |rest: &str| zone == "." || rest.ends_with('.');
    name == zone || name.strip_suffix(zone.as_str()).is_some_and(below)
}

/// Whether a name is looked up as in a table rather than visited: a reverse name (RFC 1035 §3.5, RFC 3596 §2.5), or an
/// address written in front of a block list's zone (RFC 5782 §2.1). Presentation form.
pub fn is_table(name: &str) -> bool {
    let lower = name.trim_end_matches('.').to_lowercase();
    let labels: Vec<&str> = lower.split('.').collect();
    let octets = labels.iter().take(4).filter(|label| label.parse::<u8>().is_ok()).count();
    let nibbles = labels
        .iter()
        .take(32)
        .filter(|label| matches!(label.as_bytes(), [b] if b.is_ascii_hexdigit()))
        .count();
    labels.last() == Some(&"arpa") || octets == 4 || nibbles == 32
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
        assert!(is_below("a.example.", "."));
    }

    #[test]
    fn reverse_names_and_block_lists_are_tables() {
        assert!(is_table("7.113.0.203.in-addr.arpa."));
        assert!(is_table("7.113.0.203.list.example."));
        assert!(!is_table("7.www.shop.example."));
    }
}
