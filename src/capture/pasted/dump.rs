//! Reads the bytes that `tcpdump -x`, `-xx`, `-X`, Wireshark and packet filters print under a packet.

use crate::capture::LinkType;

/// Bytes of one packet that are read.
const DUMP_MAX_BYTES: usize = 64 << 10;
/// Bytes printed in a row.
const ROW_MAX_BYTES: usize = 32;
/// The least that shows addresses.
const LEAST_BYTES: usize = 20;
const ETHER_BYTES: usize = 14;

/// The bytes printed under one packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dump {
    bytes: Vec<u8>,
    is_broken: bool,
}

impl Dump {
    /// Takes a line; false where it is no row of bytes.
    pub fn take(&mut self, line: &str) -> bool {
        let Some((offset, bytes)) = row(line) else { return false };
        // A row that is missing or stands twice leaves nothing to rely on behind it.
        self.is_broken |= offset != self.bytes.len() || self.bytes.len() + bytes.len() > DUMP_MAX_BYTES;
        if !self.is_broken {
            self.bytes.extend(bytes);
        }
        true
    }

    /// The packet's bytes and what they begin with, where that can be told: `-x` prints from the network header on, `-xx` from the
    /// link header on. `ends` are source and destination as printed, which must be those of the bytes where they are addresses.
    pub fn frame(&self, ends: [Option<std::net::IpAddr>; 2]) -> Option<(LinkType, &[u8])> {
        let at_network = |at: usize| {
            let packet = self.bytes.get(at..).filter(|packet| packet.len() >= LEAST_BYTES)?;
            let found = addresses(packet)?;
            let agree =
                ends.iter().zip(found).all(|(printed, found)| printed.is_none_or(|printed| printed == found));
            agree.then_some(())
        };
        let header_bytes = match self.bytes.get(ETHER_BYTES - 2..ETHER_BYTES) {
            Some([0x08, 0x00] | [0x86, 0xdd]) => ETHER_BYTES,
            // A VLAN tag (IEEE 802.1Q).
            Some([0x81, 0x00]) => ETHER_BYTES + 4,
            _ => 0,
        };
        if at_network(0).is_some() {
            Some((LinkType::RAW, &self.bytes))
        } else {
            at_network(header_bytes).map(|()| (LinkType::ETHERNET, self.bytes.as_slice()))
        }
    }
}

/// Source and destination of an IP header.
fn addresses(packet: &[u8]) -> Option<[std::net::IpAddr; 2]> {
    match packet.first()? >> 4 {
        4 if packet.first()? & 15 >= 5 => {
            let at =
                |at: usize| packet.get(at..)?.first_chunk::<4>().map(|bytes| std::net::IpAddr::from(*bytes));
            Some([at(12)?, at(16)?])
        }
        6 => {
            let at =
                |at: usize| packet.get(at..)?.first_chunk::<16>().map(|bytes| std::net::IpAddr::from(*bytes));
            Some([at(8)?, at(24)?])
        }
        _ => None,
    }
}

/// How long the packet was, by its IP header; 0 where it does not say.
pub(super) fn stated_length(link: LinkType, bytes: &[u8]) -> usize {
    let header = match (link, bytes.get(ETHER_BYTES - 2..ETHER_BYTES)) {
        (LinkType::RAW, _) => 0,
        (_, Some([0x81, 0x00])) => ETHER_BYTES + 4,
        _ => ETHER_BYTES,
    };
    let word = |at: usize| {
        bytes.get(header + at..)?.first_chunk::<2>().map(|pair| usize::from(u16::from_be_bytes(*pair)))
    };
    match bytes.get(header).map(|first| first >> 4) {
        Some(4) => word(2).map_or(0, |length| header + length),
        Some(6) => word(4).map_or(0, |length| header + 40 + length),
        _ => 0,
    }
}

/// `0x0010:  4500 003d …  E..=`, `0x0010   4500 …`, `0010  45 00 …`: the offset and its bytes. Marks may stand before it.
fn row(line: &str) -> Option<(usize, Vec<u8>)> {
    let start = line.find("0x").filter(|at| line.bytes().take(*at).all(|byte| !byte.is_ascii_alphanumeric()));
    let text = match start {
        Some(at) => line.get(at + 2..)?,
        None => line.trim_start_matches([' ', '\t', '>', '|', '#', '*']),
    };
    let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
    let offset = usize::from_str_radix(text.get(..digits).filter(|_| (4..=8).contains(&digits))?, 16).ok()?;
    let rest = text.get(digits..)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    if start.is_none() && !rest.starts_with("  ") {
        return None;
    }
    let mut bytes = Vec::with_capacity(ROW_MAX_BYTES);
    let mut blanks = 0;
    let mut words = rest.split([' ', '\t']);
    let mut width = 0;
    for word in words.by_ref() {
        if word.is_empty() {
            blanks += 1;
            continue;
        }
        // Two blanks part the bytes from their characters, after the first group.
        let is_group = matches!(word.len(), 2 | 4) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_text = !bytes.is_empty() && blanks > 0 && (width == 4 || blanks > 1);
        if !is_group || is_text || bytes.len() >= ROW_MAX_BYTES || (width != 0 && word.len() > width) {
            break;
        }
        width = width.max(word.len());
        blanks = 0;
        for pair in word.as_bytes().chunks(2) {
            bytes.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
        }
    }
    (!bytes.is_empty()).then_some((offset, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_all_programs_give_their_bytes() {
        let expected = (16, vec![0xc6, 0x33, 0x64, 0x35, 0x9c]);
        for line in [
            "\t0x0010:  c633 6435 9c                             .3d5.",
            "> 0x0010:  c633 6435 9c",
            "0x0010\t c633 6435 9c \t.3d5.",
            "0010  c6 33 64 35 9c                                    .3d5.",
        ] {
            assert_eq!(row(line), Some(expected.clone()), "{line}");
        }
        for line in ["cksum 0x8274 -> 0x871c", "0010 is no row", "2024-01-01  10:00", "0x0010:  Hello"] {
            assert_eq!(row(line), None, "{line}");
        }
    }

    #[test]
    fn bytes_that_belong_to_other_addresses_are_not_the_packet() {
        let mut dump = Dump::default();
        assert!(
            dump.take("0x0000:  4500 0014 2aa6 4000 4011 0000 c000 020a") && dump.take("0x0010:  c633 6435")
        );
        let address = |text: &str| Some(text.parse().unwrap());
        assert_eq!(
            dump.frame([None, address("198.51.100.53")]).map(|(link, bytes)| (link, bytes.len())),
            Some((LinkType::RAW, 20))
        );
        assert_eq!(dump.frame([address("192.0.2.11"), None]), None);
        assert_eq!(stated_length(LinkType::RAW, &dump.bytes), 20);
        assert!(dump.take("0x0030:  0000") && dump.frame([None, None]).is_some());
    }
}
