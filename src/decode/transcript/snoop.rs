//! Reads the last column of a line of Solaris' snoop: `D=53 S=40001 LEN=33`, `C www.example.com. Internet Addr ?`.

use super::dns::Dns;
use crate::capture::transcript::Word;
use crate::decode::{Transport, dns};

/// Flags by the words that stand for them.
const FLAGS: &[(&str, u8)] = &[("Fin", 1), ("Syn", 2), ("Rst", 4), ("Push", 8), ("Urg", 32)];

/// The ports of a datagram or segment, the sender's first.
pub(super) fn ports(info: &str) -> Option<(u16, u16)> {
    let mut words = info.split_ascii_whitespace();
    let to = words.next()?.strip_prefix("D=")?.parse().ok()?;
    Some((words.next()?.strip_prefix("S=")?.parse().ok()?, to))
}

/// The header of a datagram or segment.
pub(super) fn transport(
    protocol: &str,
    info: &str,
    (source_port, destination_port): (u16, u16),
) -> Transport {
    if protocol == "UDP" {
        return Transport::Udp { source_port, destination_port, length: 0 };
    }
    let number = |name: &str| -> Option<u32> {
        info.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.parse().ok())
    };
    let named = FLAGS.iter().filter(|(name, _)| info.split_ascii_whitespace().any(|word| word == *name));
    let acknowledgment = number("Ack=");
    let flags = named.fold(0, |flags, (_, bit)| flags | bit) | if acknowledgment.is_some() { 16 } else { 0 };
    Transport::Tcp {
        source_port,
        destination_port,
        sequence: number("Seq=").unwrap_or(0),
        acknowledgment: acknowledgment.unwrap_or(0),
        flags,
        window: number("Win=").map_or(u16::MAX, |window| window.min(u32::from(u16::MAX)) as u16),
    }
}

/// Whether a column tells a call or a reply.
pub(super) fn is_message(info: &str) -> bool {
    info.starts_with("C ") || info.starts_with("R ")
}

/// `C www.example.com. Internet Addr ?`, `R www.example.com. Internet Addr 192.0.2.80`, `R  Error: 3(Name Error)`. Ids are not
/// printed.
pub(super) fn message(info: Word<'_>) -> Option<Dns<'_>> {
    let response = info.text.starts_with("R ");
    let text = info.text.get(2..)?;
    let code = text.split_once("Error: ").and_then(|(_, error)| error.split('(').next()?.parse().ok());
    let code: u16 = code.unwrap_or(0);
    let mut words = text.split_ascii_whitespace();
    let name = words.next().filter(|word| word.ends_with('.'));
    let kind = words.find(|word| *word != "Internet").filter(|_| name.is_some());
    let qtype = kind.and_then(|kind| if kind == "Addr" { Some(1) } else { dns::names::type_number(kind) });
    let range = name.map_or((0, 0), |name| {
        let at = info.start + (name.as_ptr() as usize).saturating_sub(info.text.as_ptr() as usize);
        (at as u32, (at + name.len()) as u32)
    });
    let answers = u16::from(response && code == 0 && name.is_some());
    // Neither RD nor RA is printed; clients and resolvers set both.
    let flags = 0x0100 | if response { 0x8080 | code & 15 } else { 0 };
    Some(Dns {
        header: dns::Header { id: 0, flags, counts: [1, answers, 0, 0] },
        name,
        qtype: qtype.filter(|_| name.is_some()),
        qclass: name.map(|_| 1),
        tells_recursion: false,
        tells_id: false,
        answer_type: None,
        length_bytes: None,
        start: info.start as u32,
        end: info.end as u32,
        name_range: range,
        length_range: (0, 0),
    })
}
