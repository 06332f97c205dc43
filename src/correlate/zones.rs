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

/// The same for a name in wire form, lower case: the part of it that is the zone, as a key; `None` for names that are looked
/// up as in a table.
pub fn of_wire(wire: &[u8]) -> Option<&[u8]> {
    let mut starts = [0usize; LABELS_MAX];
    let mut count = 0;
    let mut at = 0;
    while let Some(length) = wire.get(at).copied().filter(|length| *length > 0) {
        *starts.get_mut(count)? = at;
        count += 1;
        at += 1 + usize::from(length);
    }
    let label = |number: usize| -> &[u8] {
        let Some(start) = starts.get(number).copied().filter(|_| number < count) else { return &[] };
        let length = wire.get(start).copied().map_or(0, usize::from);
        wire.get(start + 1..start + 1 + length).unwrap_or_default()
    };
    let octet = |number: &usize| {
        let digits = label(*number);
        (1..=3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
    };
    let nibble = |number: &usize| matches!(label(*number), [byte] if byte.is_ascii_hexdigit());
    let last = count.checked_sub(1).map(label).unwrap_or_default();
    if last == b"arpa" || (0..4).all(|at| octet(&at)) || (0..32).all(|at| nibble(&at)) {
        return None;
    }
    let registry = count >= 3
        && last.len() == 2
        && std::str::from_utf8(label(count - 2)).is_ok_and(|label| REGISTRY_LABELS.contains(&label));
    let keep = LABELS + usize::from(registry);
    wire.get(starts.get(count.saturating_sub(keep)).copied().unwrap_or(0)..)
}

/// A name has at most this many labels: 255 bytes, two for each (RFC 1035 §2.3.4).
const LABELS_MAX: usize = 128;

/// The zones of several names, most frequent first.
pub fn common(names: &[String]) -> Vec<String> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        groups.entry(of(name)).or_default().push(name);
    }
    let mut zones: Vec<(String, usize)> =
        groups.into_iter().map(|(zone, names)| (shared(&zone, &names), names.len())).collect();
    zones.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    zones.into_iter().map(|(zone, _)| zone).collect()
}

/// The longest ending that several names of a zone share: `shop.example.com.` where all fail below it. A name that is that ending
/// itself counts as its zone.
fn shared(zone: &str, names: &[&str]) -> String {
    let labels = |name: &str| -> Vec<String> {
        name.trim_end_matches('.').to_lowercase().rsplit('.').map(str::to_owned).collect()
    };
    let Some((first, rest)) = names.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return zone.to_owned();
    };
    let mut ending = labels(first);
    for name in rest {
        let other = labels(name);
        let same = ending.iter().zip(&other).take_while(|(own, also)| own == also).count();
        ending.truncate(same);
    }
    // All are one name: its zone is above it.
    if names.iter().all(|name| labels(name).len() == ending.len()) || ending.len() < labels(zone).len() {
        return zone.to_owned();
    }
    ending.reverse();
    ending.join(".") + "."
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
        let names = ["www.shop.example.com.", "a.shop.example.com."].map(str::to_owned);
        assert_eq!(common(&names), ["shop.example.com."]);
        let names = ["www.shop.example.com.", "blog.example.com.", "www.example.org."].map(str::to_owned);
        assert_eq!(common(&names), ["example.com.", "example.org."]);
        assert!(is_below("Www.Shop.Example.", "shop.example."));
        assert!(!is_below("workshop.example.", "shop.example."));
        assert!(is_below("a.example.", "."));
    }

    #[test]
    fn wire_names_have_the_zones_of_printed_ones() {
        for name in [
            "www.shop.example.",
            "a.b.shop.co.uk.",
            ".",
            "example.",
            "7.113.0.203.in-addr.arpa.",
            "1.2.3.4.list.example.",
        ] {
            let mut wire = Vec::new();
            for label in name.split('.').filter(|label| !label.is_empty()) {
                wire.push(label.len() as u8);
                wire.extend(label.as_bytes());
            }
            wire.push(0);
            let zone = of_wire(&wire).map(crate::decode::dns::presentation);
            assert_eq!(zone, (!is_table(name)).then(|| of(name)), "{name}");
        }
    }

    #[test]
    fn reverse_names_and_block_lists_are_tables() {
        assert!(is_table("7.113.0.203.in-addr.arpa."));
        assert!(is_table("7.113.0.203.list.example."));
        assert!(!is_table("7.www.shop.example."));
    }
}
