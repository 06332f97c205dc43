//! The addresses a DNS answer gives, from its bytes or from the line tcpdump printed of it.

use crate::settings::Settings;
use std::net::IpAddr;

use super::{dns, transcript};

/// Records read of one answer section.
const RECORDS_MAX: usize = 256;

/// One resource record as it stands in a message (RFC 1035 §4.1.3).
pub struct Resource<'m> {
    /// Owner.
    pub owner: dns::Name,
    /// TYPE.
    pub rtype: u16,
    /// Where RDATA begins.
    pub start: usize,
    /// RDATA.
    pub data: &'m [u8],
}

impl<'m> Resource<'m> {
    /// Reads the record at `at`; `None` where it is cut or malformed.
    pub fn read(message: &'m [u8], at: usize) -> Option<Self> {
        let (owner, after) = dns::read_name(message, at).ok()?;
        let fixed = message.get(after..)?.first_chunk::<10>()?;
        let [type_high, type_low, _, _, _, _, _, _, length_high, length_low] = *fixed;
        let start = after + fixed.len();
        let data = message.get(start..start + usize::from(u16::from_be_bytes([length_high, length_low])))?;
        Some(Self { owner, rtype: u16::from_be_bytes([type_high, type_low]), start, data })
    }

    /// Where the next record begins.
    pub fn end(&self) -> usize {
        self.start + self.data.len()
    }

    /// The address of an A or AAAA record (RFC 1035 §3.4.1, RFC 3596 §2.2).
    pub fn address(&self) -> Option<IpAddr> {
        match self.rtype {
            1 => self.data.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
            28 => self.data.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
            _ => None,
        }
    }
}

/// The addresses a message gives to the name asked for: A and AAAA records of that name, and of those a chain of aliases
/// leads to (RFC 1034 §3.6.2); records of other names are not its. Reading ends where the message is cut. Without a question
/// all count.
pub fn addresses(message: &[u8]) -> Vec<IpAddr> {
    let Some(head) = dns::read(message) else { return Vec::new() };
    let [questions, answers, ..] = head.header.counts;
    let mut at = head.question_end;
    let mut records = Vec::new();
    for _ in 0..usize::from(answers).min(RECORDS_MAX) {
        let Some(record) = Resource::read(message, at) else { break };
        at = record.end();
        records.push(record);
    }
    let mut names = vec![head.name];
    // Aliases mostly stand in order; each round takes one that does not.
    for _ in 0..ALIASES_MAX {
        let known = names.len();
        for record in records.iter().filter(|record| record.rtype == CNAME) {
            if names.len() <= ALIASES_MAX
                && is_among(&names, &record.owner)
                && let Ok((to, _)) = dns::read_name(message, record.start)
                && !is_among(&names, &to)
            {
                names.push(to);
            }
        }
        if names.len() == known {
            break;
        }
    }
    let own = |record: &&Resource<'_>| questions == 0 || is_among(&names, &record.owner);
    records.iter().filter(own).filter_map(Resource::address).collect()
}

/// Aliases followed in one answer.
const ALIASES_MAX: usize = 16;
const CNAME: u16 = 5;

fn is_among(names: &[dns::Name], name: &dns::Name) -> bool {
    names.iter().any(|known| known.equals(name))
}

/// The addresses in a printed answer: `2/0/1 CNAME a.example., A 192.0.2.1 (60)`. Only the answer section's are taken, by its
/// count; with `-v` the records carry classes and lifetimes (`A [5m] 192.0.2.1`).
pub fn printed_addresses(line: &str, settings: &Settings) -> Vec<IpAddr> {
    let dns = transcript::read(line.as_bytes(), settings).and_then(|line| line.dns);
    let Some(dns) = dns.filter(|dns| dns.header.is_response()) else { return Vec::new() };
    let [_, answers, ..] = dns.header.counts;
    let text = line.get(dns.start as usize..dns.end as usize).unwrap_or_default();
    let mut found = Vec::new();
    // Records are separated by commas; the first stands behind the counts.
    for record in text.split(',').take(usize::from(answers).min(RECORDS_MAX)) {
        let mut words = record.split_whitespace().skip_while(|word| !matches!(*word, "A" | "AAAA")).skip(1);
        let data = words.find(|word| !word.starts_with('['));
        found.extend(data.and_then(|word| word.parse::<IpAddr>().ok()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A response about `www.example.org` with these records: owner, type, data.
    fn message(records: &[(&str, u16, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = crate::generate::dns::query(1, "www.example.org", 1);
        bytes[2] |= 0x80;
        bytes[7] = records.len() as u8;
        for (owner, rtype, data) in records {
            bytes.extend(crate::generate::dns::name(owner));
            bytes.extend(rtype.to_be_bytes());
            bytes.extend([0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
            bytes.extend(data);
        }
        bytes
    }

    #[test]
    fn an_address_belongs_to_the_name_asked_for_through_aliases_only() {
        let alias = |to: &str| crate::generate::dns::name(to);
        let (own, other) = (vec![192, 0, 2, 1], vec![192, 0, 2, 2]);
        let records = message(&[("WWW.example.org", 1, own.clone()), ("ads.example.net", 1, other.clone())]);
        assert_eq!(addresses(&records), [IpAddr::from([192, 0, 2, 1])]);
        let chained = message(&[
            ("b.example", 1, own),
            ("a.example", 5, alias("b.example")),
            ("www.example.org", 5, alias("a.example")),
            ("c.example", 1, other),
        ]);
        assert_eq!(addresses(&chained), [IpAddr::from([192, 0, 2, 1])]);
        let circle = message(&[
            ("www.example.org", 5, alias("a.example")),
            ("a.example", 5, alias("www.example.org")),
        ]);
        assert!(addresses(&circle).is_empty());
    }

    #[test]
    fn addresses_come_from_answers_only_and_a_cut_message_ends_reading() {
        let mut message = vec![0, 7, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 7]);
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0xff, 0xff, 1]);
        assert_eq!(addresses(&message), [IpAddr::from([198, 51, 100, 7])]);
    }

    #[test]
    fn a_printed_answer_gives_the_addresses_of_its_answer_section() {
        let head = "13:00:00.012000 IP 198.51.100.53.53 > 192.0.2.10.40000: 7";
        let read = |rest: &str| -> Vec<String> {
            printed_addresses(&format!("{head} {rest}"), &Settings::default())
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(read("1/0/0 A 192.0.2.80 (49)"), ["192.0.2.80"]);
        assert_eq!(read("2/0/0 CNAME a.example., A 192.0.2.80 (70)"), ["192.0.2.80"]);
        assert_eq!(read("2/0/0 AAAA 2001:db8::1, AAAA 2001:db8::2 (90)"), ["2001:db8::1", "2001:db8::2"]);
        assert_eq!(read("1/1/1 A 192.0.2.80, ns: ns.example., ar: A 192.0.2.99 (90)"), ["192.0.2.80"]);
        assert_eq!(read("NXDomain 0/1/0 (89)"), [""; 0]);
    }
}
