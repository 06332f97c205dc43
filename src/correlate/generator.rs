//! Names what tells who generated an ICMP error: address, distance, quoted TTL, the marks of the stack that made it.
//!
//! All of it is supporting evidence: a device between client and server can answer in the server's name.

use super::hosts::{Place, hops};
use super::{Evidence, LinkKind};
use crate::decode::{Address, Quote};
use crate::index::{Index, PacketId};

/// Traffic class of errors that the Linux kernel makes (`icmp_send`: internetwork control).
const INTERNETWORK_CONTROL: u8 = 0xc0;

/// Which maker an error's IP header fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// TOS 0xc0, may be fragmented, IP id not zero: Linux itself or its REJECT rule.
    LinuxKernel,
    /// TOS 0, don't fragment, IP id 0: the reject rule of a Linux bridge, which has no address of its own.
    LinuxBridge,
    /// Neither, or not IPv4.
    Other,
}

impl Make {
    /// The word in JSON: `linux_kernel`, `linux_bridge`, `other`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LinuxKernel => "linux_kernel",
            Self::LinuxBridge => "linux_bridge",
            Self::Other => "other",
        }
    }
}

/// What is known of an error's maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generator {
    /// The error's source address.
    pub claimed: Address,
    /// It is the address the quoted packet was going to.
    pub same_as_destination: bool,
    /// It is the address that is told: the host reports to itself.
    pub same_as_told: bool,
    /// Routers the error passed, from its TTL.
    pub hops: Option<u8>,
    /// Routers another packet of the same address passed, and that packet.
    pub other_hops: Option<(u8, PacketId)>,
    /// Routers the quoted packet passed before it was refused: its TTL as sent minus as quoted.
    pub quoted_hops: Option<u8>,
    /// Which maker the IP header fits.
    pub make: Make,
    /// What follows, in one or two sentences.
    pub note: String,
}

impl Generator {
    /// Whether the distances support one place (differences up to one hop say nothing); `None` without two of them.
    pub fn distances_agree(&self) -> Option<bool> {
        Some(self.hops?.abs_diff(self.other_hops?.0) <= 1)
    }
}

/// Reads who made an error; `None` for packets that quote none.
pub fn of(index: &Index, evidence: &Evidence, error: PacketId) -> Option<Generator> {
    let packet = index.packet(error)?;
    let decoded = packet.decode();
    let quote = Quote::read(&decoded)?;
    let links = evidence.links_from(error);
    let about = links.iter().find(|link| link.kind == LinkKind::ErrorAbout).and_then(|link| link.to);
    let sent_ttl =
        about.and_then(|about| index.packet(about)).map(|about| about.ttl()).filter(|ttl| *ttl > 0);
    let quoted = Some(quote.inner.ttl).filter(|ttl| *ttl > 0);
    // Another place of capture is another distance.
    let here = |sample: PacketId| {
        index.packet(sample).is_some_and(|sample| sample.segment.source == packet.segment.source)
    };
    let sample =
        evidence.sight(decoded.source).and_then(|sight| sight.sample).filter(|sample| here(sample.0));
    let mut generator = Generator {
        claimed: decoded.source,
        same_as_destination: decoded.source == quote.inner.destination,
        same_as_told: decoded.source == decoded.destination,
        hops: hops(decoded.ttl),
        other_hops: sample.and_then(|(packet, ttl)| Some((hops(ttl)?, packet))),
        quoted_hops: sent_ttl.zip(quoted).and_then(|(sent, quoted)| sent.checked_sub(quoted)),
        make: make(decoded.bytes, decoded.network_start as usize),
        note: String::new(),
    };
    generator.note = note(evidence, &generator);
    Some(generator)
}

/// Reads the marks of the maker from the IPv4 header (RFC 791 §3.1).
fn make(bytes: &[u8], start: usize) -> Make {
    let header = bytes.get(start..).and_then(|bytes| bytes.first_chunk::<8>());
    let Some([version, traffic_class, _, _, id_high, id_low, fragment, _]) = header else {
        return Make::Other;
    };
    if version >> 4 != 4 {
        return Make::Other;
    }
    let (id, dont_fragment) = (u16::from_be_bytes([*id_high, *id_low]), fragment & 0x40 != 0);
    match (*traffic_class, dont_fragment, id) {
        (INTERNETWORK_CONTROL, false, 1..) => Make::LinuxKernel,
        (0, true, 0) => Make::LinuxBridge,
        _ => Make::Other,
    }
}

fn counted(hops: u8) -> String {
    format!("{hops} {}", if hops == 1 { "hop" } else { "hops" })
}

fn note(evidence: &Evidence, generator: &Generator) -> String {
    let claimed = generator.claimed;
    if generator.same_as_told {
        return format!(
            "{claimed} told itself: its own kernel made the error, and the packet never left it."
        );
    }
    let mut parts = vec![if generator.same_as_destination {
        format!(
            "It carries the address of the destination: {claimed} itself sent it, or a device answering in its name."
        )
    } else {
        format!("{claimed} is not the destination: a device on the way sent it.")
    }];
    if let Some(hops) = generator.hops {
        let away = format!("Its TTL says {} away", counted(hops));
        let other = generator.other_hops.map_or(0, |(other, _)| other);
        parts.push(match generator.distances_agree() {
            Some(true) => {
                format!("{away}, other packets of {claimed} {}: one place is supported.", counted(other))
            }
            Some(false) => format!(
                "{away}, other packets of {claimed} {}: another device or another way back.",
                counted(other)
            ),
            None => format!("{away}."),
        });
    }
    let near = evidence.place(claimed) == Place::Link;
    if let Some(gone) = generator.quoted_hops.filter(|gone| *gone > 0 || !near) {
        parts.push(format!("The returned packet had passed {} when it was refused.", counted(gone)));
    }
    if generator.make == Make::LinuxBridge {
        let marks =
            "TOS 0, don't fragment and IP id 0 are the marks of a reject rule on a transparent Linux bridge.";
        parts.push(marks.to_owned());
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(traffic_class: u8, id: u16, fragment: u8) -> Vec<u8> {
        let [high, low] = id.to_be_bytes();
        vec![0x45, traffic_class, 0, 56, high, low, fragment, 0]
    }

    #[test]
    fn a_transparent_bridge_gives_itself_away() {
        assert_eq!(make(&header(0xc0, 77, 0), 0), Make::LinuxKernel);
        assert_eq!(make(&header(0, 0, 0x40), 0), Make::LinuxBridge);
        assert_eq!(make(&header(0, 77, 0), 0), Make::Other);
        assert_eq!(make(&header(0, 0, 0x40)[..7], 0), Make::Other);
    }
}
