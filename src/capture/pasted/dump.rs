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
    /// Bytes that were cut before what the line shows say less than the line and do not stand for it.
    pub fn frame(&self, ends: [Option<std::net::IpAddr>; 2], shows_dns: bool) -> Option<(LinkType, &[u8])> {
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
        let (link, at) = if at_network(0).is_some() {
            (LinkType::RAW, 0)
        } else {
            at_network(header_bytes).map(|()| (LinkType::ETHERNET, header_bytes))?
        };
        let packet = self.bytes.get(at..)?;
        let stated = stated_length(LinkType::RAW, packet);
        let is_whole = stated > 0 && packet.len() >= stated;
        (is_whole || covers(packet, shows_dns)).then_some((link, self.bytes.as_slice()))
    }
}

/// Whether the beginning of a packet holds what a line shows of it: the transport header, of an ICMP error the quoted ports, and of
/// DNS the header and the first question.
fn covers(packet: &[u8], shows_dns: bool) -> bool {
    let Some((protocol, header)) = transport(packet) else { return false };
    // Behind the first fragment stands no header, and the line shows none.
    let Some(protocol) = protocol else { return true };
    let rest = packet.get(header..).unwrap_or_default();
    let message = match protocol {
        TCP if rest.len() >= TCP_BYTES => {
            let words = rest.get(12).map_or(0, |byte| usize::from(byte >> 4));
            rest.get(words * 4 + LENGTH_BYTES..)
        }
        UDP if rest.len() >= UDP_BYTES => rest.get(UDP_BYTES..),
        ICMP | ICMPV6 if rest.len() >= ICMP_BYTES => {
            let kind = rest.first().copied().unwrap_or(0);
            let is_error = if protocol == ICMP { matches!(kind, 3 | 4 | 5 | 11 | 12) } else { kind < 128 };
            let quoted = rest.get(ICMP_BYTES..).unwrap_or_default();
            let ports = |(protocol, at): (Option<u8>, usize)| {
                quoted.len() >= at + if protocol.is_some() { QUOTED_BYTES } else { 0 }
            };
            return !is_error || transport(quoted).is_some_and(ports);
        }
        TCP | UDP | ICMP | ICMPV6 => return false,
        _ => return true,
    };
    !shows_dns || message.is_some_and(has_question)
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const TCP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const ICMP_BYTES: usize = 8;
/// What an ICMP error quotes of a transport header at least (RFC 792).
const QUOTED_BYTES: usize = 8;
/// Before a DNS message over TCP (RFC 1035 §4.2.2).
const LENGTH_BYTES: usize = 2;
const DNS_BYTES: usize = 12;
/// IPv6 extension headers that are passed.
const EXTENSIONS_MAX: usize = 8;

/// Which transport header follows the IP header and where it begins; no protocol in a fragment behind the first.
fn transport(packet: &[u8]) -> Option<(Option<u8>, usize)> {
    let byte = |at: usize| packet.get(at).copied();
    let offset = |at: usize, mask: u16| {
        packet.get(at..)?.first_chunk::<2>().map(|pair| u16::from_be_bytes(*pair) & mask)
    };
    match byte(0)? >> 4 {
        4 => {
            let protocol = byte(9).filter(|_| offset(6, 0x1fff) == Some(0));
            Some((protocol, usize::from(byte(0)? & 15) * 4)).filter(|(_, at)| packet.len() >= *at)
        }
        6 => {
            let (mut next, mut at) = (byte(6)?, 40);
            for _ in 0..EXTENSIONS_MAX {
                let length = match next {
                    // Hop-by-hop options, routing, destination options (RFC 8200 §4).
                    0 | 43 | 60 => (usize::from(byte(at + 1)?) + 1) * 8,
                    44 if offset(at + 2, 0xfff8)? != 0 => return Some((None, at)),
                    44 => 8,
                    _ => break,
                };
                (next, at) = (byte(at)?, at + length);
            }
            Some((Some(next), at))
        }
        _ => None,
    }
}

/// Whether a DNS message goes as far as the end of its first question.
fn has_question(message: &[u8]) -> bool {
    let Some(header) = message.get(..DNS_BYTES) else { return false };
    if header.get(4..6) == Some(&[0, 0]) {
        return true;
    }
    let mut at = DNS_BYTES;
    while let Some(&length) = message.get(at) {
        match length {
            // Type and class follow the root, or a pointer to the rest of the name.
            0 => return message.len() >= at + 5,
            1..=63 => at += 1 + usize::from(length),
            _ => return message.len() >= at + 6,
        }
    }
    false
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
            dump.frame([None, address("198.51.100.53")], false).map(|(link, bytes)| (link, bytes.len())),
            Some((LinkType::RAW, 20))
        );
        assert_eq!(dump.frame([address("192.0.2.11"), None], false), None);
        assert_eq!(stated_length(LinkType::RAW, &dump.bytes), 20);
        assert!(dump.take("0x0030:  0000") && dump.frame([None, None], false).is_some());
    }

    #[test]
    fn bytes_cut_before_what_the_line_shows_do_not_stand_for_it() {
        // IPv4, 61 bytes; UDP; a question for a.example.
        let udp = "4500 0037 2aa6 4000 4011 0000 c000 020a c633 6435 9c41 0035 0023 0000 \
                   1005 0100 0001 0000 0000 0000 0161 0765 7861 6d70 6c65 0000 0100 01";
        // IPv4; an ICMP error that quotes the beginning of the same.
        let error = "4500 0053 0000 4000 4001 0000 c633 6435 c000 020a 0303 0000 0000 0000 \
                     4500 0037 2aa6 4000 4011 0000 c000 020a c633 6435 9c41 0035 0023 0000";
        let later = "4500 0037 2aa6 0001 4011 0000 c000 020a c633 6435";
        // IPv6 with a fragment header of the first fragment; UDP.
        let six = "6000 0000 0033 2c40 2001 0db8 0000 0000 0000 0000 0000 000a 2001 0db8 0000 0000 0000 0000 0000 0053 \
                   1100 0001 0000 0001 9c41 0035 0023 0000";
        // IPv4; TCP with a DNS message.
        let tcp = "4500 0055 2aa6 4000 4006 0000 c000 020a c633 6435 9c41 0035 0000 0001 0000 0001 5018 2000 0000 0000 \
                   001b 1005 0100 0001 0000 0000 0000 0161 0765 7861 6d70 6c65 0000 0100 01";
        let bytes = |text: &str| -> Vec<u8> {
            let digits: Vec<char> = text.chars().filter(char::is_ascii_hexdigit).collect();
            digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap()).collect()
        };
        // How many bytes must be there for a line that shows ports, or a question.
        for (text, ports, question) in
            [(udp, 28, 55), (error, 56, 56), (later, 20, 20), (six, 56, usize::MAX), (tcp, 40, 69)]
        {
            let packet = bytes(text);
            for length in 20..=packet.len() {
                let dump = Dump { bytes: packet[..length].to_vec(), is_broken: false };
                assert_eq!(dump.frame([None, None], false).is_some(), length >= ports, "{text} {length}");
                assert_eq!(dump.frame([None, None], true).is_some(), length >= question, "{text} {length}");
            }
        }
    }
}
