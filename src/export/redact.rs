//! Consistent pseudonyms for addresses and names, in text and in packets; frame numbers and times stay.

pub mod packet;

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

use crate::decode::{Address, dns};
use crate::index::Index;

/// Labels kept as they are: they name a role or a public zone, not a person or a company.
const KEPT_LABELS: [&str; 36] = [
    "www",
    "mail",
    "ns",
    "ns1",
    "ns2",
    "dns",
    "mx",
    "smtp",
    "imap",
    "api",
    "cdn",
    "_tcp",
    "_udp",
    "_dns",
    "_ldap",
    "_kerberos",
    "in-addr",
    "ip6",
    "arpa",
    "local",
    "lan",
    "home",
    "internal",
    "localdomain",
    "wpad",
    "com",
    "net",
    "org",
    "edu",
    "gov",
    "int",
    "mil",
    "info",
    "example",
    "test",
    "invalid",
];

/// What the report says about redaction.
pub const STATEMENT: &str = "Addresses and names are replaced by consistent pseudonyms (IPv4 in 198.18.0.0/15, \
IPv6 in 2001:db8::/32, link addresses beginning with 02, labels of names by labels of the same length); top-level \
zones and common role labels are kept. Times, sizes, ports, identifiers and frame numbers are unchanged. In exported \
packets, contents other than DNS over UDP are cut off, and TCP checksums no longer fit.";

static ADDRESSES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // Link addresses first, then IPv6 candidates (checked by parsing), then IPv4.
    Regex::new(
        r"(?i)\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\d{1,3}(?:\.\d{1,3}){3})?|\b\d{1,3}(?:\.\d{1,3}){3}\b",
    )
    .ok()
});
static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)+").ok()
});

/// The mapping from what was captured to what is shown. The same capture gives the same mapping.
#[derive(Default)]
pub struct Pseudonyms {
    v4: HashMap<Ipv4Addr, Ipv4Addr>,
    v6: HashMap<Ipv6Addr, Ipv6Addr>,
    ether: HashMap<[u8; 6], [u8; 6]>,
    labels: HashMap<Vec<u8>, Vec<u8>>,
    taken: HashSet<Vec<u8>>,
    /// Suffixes of at least two labels of every captured name, lower case, without final dot.
    known: HashSet<String>,
}

impl Pseudonyms {
    /// Collects the addresses and names of an index, in packet order.
    pub fn of(index: &Index) -> Self {
        let mut pseudonyms = Self::default();
        for segment in index.segments() {
            for address in &segment.addresses {
                pseudonyms.address(*address);
            }
            for name in (0..segment.names.len() as u32).filter_map(|at| segment.names.get(at)) {
                pseudonyms.learn(name);
            }
        }
        pseudonyms
    }

    fn learn(&mut self, wire: &[u8]) {
        let text = dns::presentation(wire).trim_end_matches('.').to_ascii_lowercase();
        let mut rest = text.as_str();
        while rest.contains('.') {
            if !self.known.insert(rest.to_owned()) {
                break;
            }
            rest = rest.split_once('.').map_or("", |(_, tail)| tail);
        }
    }

    /// The pseudonym of an address. Unspecified, loopback, broadcast and multicast addresses are kept.
    pub fn address(&mut self, address: Address) -> Address {
        match address {
            Address::None => Address::None,
            Address::V4(ip) => Address::V4(self.v4(ip)),
            Address::V6(ip) => Address::V6(self.v6(ip)),
            Address::Ether(ether) => Address::Ether(self.ether(ether)),
        }
    }

    fn v4(&mut self, ip: Ipv4Addr) -> Ipv4Addr {
        if ip.is_unspecified() || ip.is_loopback() || ip.is_broadcast() || ip.is_multicast() {
            return ip;
        }
        // 198.18.0.0/15 holds 131,072 addresses; a capture with more goes on into the next ones.
        let next = 0xc612_0001_u32.wrapping_add(self.v4.len() as u32);
        *self.v4.entry(ip).or_insert_with(|| Ipv4Addr::from(next))
    }

    fn v6(&mut self, ip: Ipv6Addr) -> Ipv6Addr {
        if ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() {
            return ip;
        }
        if let Some(v4) = ip.to_ipv4_mapped() {
            return self.v4(v4).to_ipv6_mapped();
        }
        let next = 0x2001_0db8_u128 << 96 | (self.v6.len() as u128 + 1);
        *self.v6.entry(ip).or_insert_with(|| Ipv6Addr::from(next))
    }

    fn ether(&mut self, ether: [u8; 6]) -> [u8; 6] {
        let [first, ..] = ether;
        if first & 1 != 0 || ether == [0; 6] {
            return ether;
        }
        let [_, _, a, b, c, d] =
            (self.ether.len() as u64 + 1).to_be_bytes().last_chunk::<6>().copied().unwrap_or([0; 6]);
        *self.ether.entry(ether).or_insert([0x02, 0, a, b, c, d])
    }

    /// The pseudonym of one label: of the same length, lower case.
    pub fn label(&mut self, label: &[u8]) -> Vec<u8> {
        let lower = label.to_ascii_lowercase();
        if KEPT_LABELS.iter().any(|kept| kept.as_bytes() == lower) {
            return lower;
        }
        if let Some(known) = self.labels.get(&lower) {
            return known.clone();
        }
        let mut number = self.labels.len();
        let mut made = numbered(number, lower.len());
        // Short labels run out of distinct pseudonyms; then the last one tried is shared.
        for _ in 0..2_000 {
            if !self.taken.contains(&made) && !KEPT_LABELS.iter().any(|kept| kept.as_bytes() == made) {
                break;
            }
            number += 1;
            made = numbered(number, lower.len());
        }
        self.taken.insert(made.clone());
        self.labels.insert(lower, made.clone());
        made
    }

    fn name(&mut self, name: &str) -> String {
        let count = name.split('.').count();
        let labels = name.split('.').enumerate().map(|(at, label)| {
            // The last label is a top-level zone: public.
            if at + 1 == count {
                label.to_owned()
            } else {
                String::from_utf8_lossy(&self.label(label.as_bytes())).into_owned()
            }
        });
        labels.collect::<Vec<_>>().join(".")
    }

    /// Replaces every address, and every name that ends in a captured one, in a text.
    pub fn text(&mut self, text: &str) -> String {
        let replaced = replace(ADDRESSES.as_ref(), text, |found| {
            if let Ok(ip) = found.parse::<Ipv4Addr>() {
                return Some(self.v4(ip).to_string());
            }
            if let Ok(ip) = found.parse::<Ipv6Addr>() {
                return Some(self.v6(ip).to_string());
            }
            let ether = parse_ether(found)?;
            Some(Address::Ether(self.ether(ether)).to_string())
        });
        replace(NAMES.as_ref(), &replaced, |found| {
            let lower = found.to_ascii_lowercase();
            if found.parse::<Ipv4Addr>().is_ok() {
                return None;
            }
            let mut rest = lower.as_str();
            while rest.contains('.') {
                if self.known.contains(rest) {
                    return Some(self.name(&lower));
                }
                rest = rest.split_once('.').map_or("", |(_, tail)| tail);
            }
            None
        })
    }

    /// Replaces in every string of a JSON value, keys excepted.
    pub fn value(&mut self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.text(text),
            serde_json::Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|value| self.value(value)),
            _ => {}
        }
    }
}

/// A label of a given length that counts in base 36: `n…`, padded with `x`.
fn numbered(number: usize, length: usize) -> Vec<u8> {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut label = Vec::with_capacity(length);
    let mut rest = number;
    while label.len() < length {
        label.push(DIGITS.get(rest % 36).copied().unwrap_or(b'x'));
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    label.resize(length, b'x');
    label
}

fn parse_ether(text: &str) -> Option<[u8; 6]> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(bytes)
}

fn replace(pattern: Option<&Regex>, text: &str, mut with: impl FnMut(&str) -> Option<String>) -> String {
    let Some(pattern) = pattern else { return text.to_owned() };
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for found in pattern.find_iter(text) {
        out.push_str(text.get(at..found.start()).unwrap_or_default());
        out.push_str(&with(found.as_str()).unwrap_or_else(|| found.as_str().to_owned()));
        at = found.end();
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_masked_consistently_and_times_are_left() {
        let mut pseudonyms = Pseudonyms::default();
        pseudonyms.learn(b"\x0eyummyrecipesme\x03com\x00");
        let first = pseudonyms
            .text("At 13:24:32.192571 192.51.100.15:52444 asked 203.0.113.2.53 for www.yummyrecipesme.com.");
        assert!(first.contains("13:24:32.192571"), "{first}");
        assert!(
            !first.contains("192.51.100.15") && !first.contains("203.0.113.2") && !first.contains("yummy"),
            "{first}"
        );
        assert!(
            first.contains("198.18.0.1:52444") && first.contains("198.18.0.2.53") && first.ends_with(".com."),
            "{first}"
        );
        let again = pseudonyms.text("203.0.113.2 YummyRecipesMe.com 2001:db8:1::15 fe80::1 report.pdf");
        assert!(again.starts_with("198.18.0.2 ") && again.contains("2001:db8::1"), "{again}");
        assert!(again.contains("report.pdf"), "{again}");
    }

    #[test]
    fn labels_keep_their_length_and_differ() {
        let mut pseudonyms = Pseudonyms::default();
        let labels: HashSet<Vec<u8>> =
            (0..5_000).map(|n| pseudonyms.label(format!("host{n:05}").as_bytes())).collect();
        assert_eq!(labels.len(), 5_000);
        assert!(labels.iter().all(|label| label.len() == 9));
    }
}
