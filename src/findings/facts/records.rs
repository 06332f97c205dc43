//! The resource records of a DNS message, read as far as its bytes go.

use crate::capture::LinkType;
use crate::decode::answers::Resource;
use crate::decode::{Address, dns};
use crate::index::segment::DnsRow;
use crate::index::{Index, Packet, PacketId};

/// Records read per message.
const RECORDS_MAX: usize = 256;

/// Where a record stands in its message (RFC 1035 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Answer section.
    Answer,
    /// Authority section.
    Authority,
    /// Additional section.
    Additional,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its section.
    pub place: Place,
    /// Owner, presentation form, lower case, with final dot.
    pub owner: String,
    /// TYPE.
    pub rtype: u16,
    /// What it says, where that is an address or a name server.
    pub data: Data,
}

/// RDATA of the types that rules look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A or AAAA.
    Address(Address),
    /// NS: the server's name, presentation form, lower case.
    Server(String),
    /// SOA: the serial number of the zone that is its owner.
    Serial(u32),
    /// RRSIG.
    Signature(Signature),
    /// Any other type.
    Other,
}

/// What a signature says of itself (RFC 4034 §3.1). Times are seconds since 1970, as serial arithmetic has it (§3.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The type it covers.
    pub covers: u16,
    /// From when on it holds.
    pub inception: u32,
    /// Until when it holds.
    pub expiration: u32,
    /// The zone that signed, presentation form, lower case.
    pub signer: String,
}

/// Whether one time of a signature lies before another (RFC 1982 §3.2).
pub fn is_before(one: u32, other: u32) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 31
}

/// TYPE of a name server (RFC 1035 §3.2.2).
const NS: u16 = 2;
/// TYPE of a zone's start of authority.
const SOA: u16 = 6;
/// TYPE of a signature (RFC 4034 §3).
const RRSIG: u16 = 46;
/// Bytes of a signature's data before the name of who signed (RFC 4034 §3.1).
const SIGNER_AT: usize = 18;

/// The records of a packet's DNS message; none where it is printed text.
pub fn of(packet: &Packet<'_>, row: &DnsRow) -> Vec<Record> {
    if packet.link_type() == LinkType::TRANSCRIPT {
        return Vec::new();
    }
    let mut records = read(packet.message(row));
    for record in &mut records {
        if let Data::Address(address) = &mut record.data {
            *address = address.at(packet.source.site);
        }
    }
    records
}

/// What a negative answer says of its zone (RFC 2308 §2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The zone, presentation form, not escaped.
    pub zone: String,
    /// Its serial number.
    pub serial: u32,
}

/// The start of authority in the authority section of an answer.
pub fn start_of(index: &Index, answer: PacketId) -> Option<Start> {
    let packet = index.packet(answer)?;
    of(&packet, packet.dns()?).into_iter().find_map(|record| match record.data {
        Data::Serial(serial) if record.place == Place::Authority => {
            Some(Start { zone: record.owner, serial })
        }
        _ => None,
    })
}

/// The records behind the question, in order; a message that is cut ends the list.
fn read(message: &[u8]) -> Vec<Record> {
    let mut found = Vec::new();
    let Some(head) = dns::read(message) else { return found };
    let count = |at: usize| usize::from(head.header.counts.get(at).copied().unwrap_or(0));
    let places = [(Place::Answer, count(1)), (Place::Authority, count(2)), (Place::Additional, count(3))];
    let mut at = head.question_end;
    let all = places.into_iter().flat_map(|(place, count)| std::iter::repeat_n(place, count));
    for place in all.take(RECORDS_MAX) {
        let Some((record, after)) = one(message, at, place) else { break };
        found.push(record);
        at = after;
    }
    found
}

/// One record and where the next begins.
fn one(message: &[u8], at: usize, place: Place) -> Option<(Record, usize)> {
    let resource = Resource::read(message, at)?;
    let server = || dns::read_name(message, resource.start).ok().map(|(name, _)| Data::Server(lower(name)));
    let data = match resource.rtype {
        NS => server(),
        RRSIG => signature(message, &resource).map(Data::Signature),
        SOA => serial(message, resource.start),
        _ => resource.address().map(|address| Data::Address(address.into())),
    };
    let owner = lower(resource.owner);
    let record = Record { place, owner, rtype: resource.rtype, data: data.unwrap_or(Data::Other) };
    Some((record, resource.end()))
}

/// The fixed part of a signature and the name behind it.
fn signature(message: &[u8], resource: &Resource<'_>) -> Option<Signature> {
    let [t, u, _, _, _, _, _, _, a, b, c, d, e, f, g, h] = *resource.data.first_chunk::<16>()?;
    let (signer, _) = dns::read_name(message, resource.start + SIGNER_AT).ok()?;
    Some(Signature {
        covers: u16::from_be_bytes([t, u]),
        expiration: u32::from_be_bytes([a, b, c, d]),
        inception: u32::from_be_bytes([e, f, g, h]),
        signer: lower(signer),
    })
}

/// The serial number behind the two names of a SOA record (RFC 1035 §3.3.13).
fn serial(message: &[u8], start: usize) -> Option<Data> {
    let (_, mail) = dns::read_name(message, start).ok()?;
    let (_, at) = dns::read_name(message, mail).ok()?;
    message.get(at..)?.first_chunk::<4>().map(|bytes| Data::Serial(u32::from_be_bytes(*bytes)))
}

fn lower(mut name: dns::Name) -> String {
    name.make_lowercase();
    dns::presentation(name.wire())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u16 = 1;

    #[test]
    fn records_are_read_until_the_message_is_cut() {
        let mut message = vec![0, 7, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, 1, b'A', 0, 0, 1, 0, 1];
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 7]);
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0xff, 0xff, 1]);
        let records = read(&message);
        let address = Data::Address(Address::V4([198, 51, 100, 7].into()));
        assert_eq!(records, [Record { place: Place::Answer, owner: "a.".into(), rtype: A, data: address }]);
    }

    #[test]
    fn a_referral_gives_zone_and_server() {
        let mut message = vec![0, 7, 0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
        message.extend([0xc0, 12, 0, 2, 0, 1, 0, 0, 0, 60, 0, 5, 2, b'n', b's', 0xc0, 12]);
        let records = read(&message);
        let server = Data::Server("ns.a.".into());
        assert_eq!(
            records,
            [Record { place: Place::Authority, owner: "a.".into(), rtype: NS, data: server }]
        );
    }
}
