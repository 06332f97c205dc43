//! Puts a packet's bytes together from its fields, where all that its headers hold is told and what they carry is printed as bytes.

use super::{Fields, Header, address, bytes, number};
use crate::capture::LinkType;

const ICMP: u32 = 1;
const TCP: u32 = 6;
const UDP: u32 = 17;
const ICMPV6: u32 = 58;
const ICMP_BYTES: usize = 8;
const UDP_BYTES: usize = 8;
/// A TCP header without options, and the least that an ICMP error quotes of one (RFC 792).
const TCP_BYTES: usize = 20;
const QUOTED_BYTES: usize = 8;
/// Bytes put together for one packet.
const FRAME_MAX_BYTES: usize = 70 << 10;

/// The frame, from its link header on where that is told.
pub(super) fn frame(fields: &Fields) -> Option<(LinkType, Vec<u8>)> {
    let headers = fields.headers();
    // What is inside a tunnel is told by more than is looked at here.
    let (header, quoted) = match headers.as_slice() {
        [header] => (*header, None),
        [header, quoted] if fields.is_error() => (*header, Some(*quoted)),
        _ => return None,
    };
    let packet = packet(fields, header, quoted)?;
    let link = || {
        let ether = [fields.get("eth.dst")?, fields.get("eth.src")?].map(bytes);
        let kind = fields.number("eth.type").filter(|_| fields.get("vlan.id").is_none())? as u16;
        let [Some(destination), Some(source)] = ether else { return None };
        let is_whole = destination.len() == 6 && source.len() == 6;
        is_whole.then(|| [destination, source, kind.to_be_bytes().to_vec()].concat())
    };
    let (kind, link) = link().map_or((LinkType::RAW, Vec::new()), |link| (LinkType::ETHERNET, link));
    let frame = [link, packet].concat();
    (frame.len() <= FRAME_MAX_BYTES).then_some((kind, frame))
}

fn packet(fields: &Fields, header: Header, quoted: Option<Header>) -> Option<Vec<u8>> {
    let carried = match protocol(fields, header)? {
        TCP => segment(fields, false)?,
        UDP => datagram(fields, false)?,
        kind @ (ICMP | ICMPV6) => message(fields, kind == ICMPV6, quoted)?,
        _ => return None,
    };
    Some([internet(fields, header)?, carried].concat())
}

fn protocol(fields: &Fields, header: Header) -> Option<u32> {
    fields.nth_number(if header.six { "ipv6.nxt" } else { "ip.proto" }, header.at)
}

fn half(number: u32) -> Option<[u8; 2]> {
    Some(u16::try_from(number).ok()?.to_be_bytes())
}

/// An IP header; none where options, extensions or fragments would make more of it.
fn internet(fields: &Fields, header: Header) -> Option<Vec<u8>> {
    let at = |name: &'static str| fields.nth_number(name, header.at);
    let (source, destination) = fields.ends(header)?;
    let (source, destination) = (address(source)?, address(destination)?);
    let ends = match (source, destination) {
        (std::net::IpAddr::V4(source), std::net::IpAddr::V4(destination)) if !header.six => {
            [source.octets(), destination.octets()].concat()
        }
        (std::net::IpAddr::V6(source), std::net::IpAddr::V6(destination)) if header.six => {
            [source.octets(), destination.octets()].concat()
        }
        _ => return None,
    };
    if header.six {
        let first = 6 << 28 | (at("ipv6.tclass")? & 0xff) << 20 | (at("ipv6.flow")? & 0xf_ffff);
        let hops = [at("ipv6.nxt")? as u8, at("ipv6.hlim")? as u8];
        return Some([&first.to_be_bytes()[..], &half(at("ipv6.plen")?)?, &hops, &ends].concat());
    }
    if at("ip.hdr_len")? != 20 || at("ip.frag_offset")? != 0 || at("ip.flags.mf")? != 0 {
        return None;
    }
    let flags = if at("ip.flags.df")? == 1 { 0x40 } else { 0 };
    Some(
        [
            &[0x45, at("ip.dsfield")? as u8][..],
            &half(at("ip.len")?)?,
            &half(at("ip.id")?)?,
            &[flags, 0, at("ip.ttl")? as u8, at("ip.proto")? as u8],
            &half(at("ip.checksum")?)?,
            &ends,
        ]
        .concat(),
    )
}

/// A datagram; of one that is quoted the payload may be cut.
fn datagram(fields: &Fields, is_quoted: bool) -> Option<Vec<u8>> {
    let [source, destination, length, checksum] =
        ["udp.srcport", "udp.dstport", "udp.length", "udp.checksum"]
            .map(|name| fields.number(name).and_then(half));
    let header = [source?, destination?, length?, checksum?].concat();
    let length = fields.number("udp.length")? as usize;
    let payload = fields.get("udp.payload").and_then(bytes);
    let payload = if length <= UDP_BYTES || is_quoted { payload.unwrap_or_default() } else { payload? };
    Some([header, payload].concat())
}

fn segment(fields: &Fields, is_quoted: bool) -> Option<Vec<u8>> {
    let raw =
        |raw: &'static str, counted: &'static str| fields.number(raw).or_else(|| fields.number(counted));
    let [source, destination] = ["tcp.srcport", "tcp.dstport"].map(|name| fields.number(name).and_then(half));
    let first = [&source?[..], &destination?, &raw("tcp.seq_raw", "tcp.seq")?.to_be_bytes()].concat();
    if is_quoted && fields.get("tcp.hdr_len").is_none() {
        return (first.len() == QUOTED_BYTES).then_some(first);
    }
    let size = fields.number("tcp.hdr_len")? as usize;
    let options = if size > TCP_BYTES { bytes(fields.get("tcp.options")?)? } else { Vec::new() };
    let flags = fields.tcp_flags()? & 0x0fff;
    if size != TCP_BYTES + options.len() || !size.is_multiple_of(4) {
        return None;
    }
    let urgent = fields.number("tcp.urgent_pointer").unwrap_or(0);
    let payload = match fields.number("tcp.len") {
        Some(0) => Vec::new(),
        _ => fields.get("tcp.payload").and_then(bytes)?,
    };
    let header = [
        &first[..],
        &raw("tcp.ack_raw", "tcp.ack")?.to_be_bytes(),
        &half((size as u32 / 4) << 12 | flags)?,
        &half(fields.number("tcp.window_size_value")?)?,
        &half(fields.number("tcp.checksum")?)?,
        &half(urgent)?,
    ];
    Some([&header.concat()[..], &options, &payload].concat())
}

/// An ICMP message with the packet it quotes.
fn message(fields: &Fields, six: bool, quoted: Option<Header>) -> Option<Vec<u8>> {
    let names = if six {
        ["icmpv6.type", "icmpv6.code", "icmpv6.checksum"]
    } else {
        ["icmp.type", "icmp.code", "icmp.checksum"]
    };
    let [kind, code, checksum] = names.map(|name| fields.number(name));
    let (kind, code) = (kind? as u8, code? as u8);
    let own = |name: &'static str| fields.get(name).and_then(number);
    let rest: Vec<u8> = match (six, kind) {
        (false, 0 | 8) => [half(own("icmp.ident")?)?, half(own("icmp.seq")?)?].concat(),
        (true, 128 | 129) => {
            [half(own("icmpv6.echo.identifier")?)?, half(own("icmpv6.echo.sequence_number")?)?].concat()
        }
        (false, 3) if code == 4 => [[0, 0], half(own("icmp.mtu")?)?].concat(),
        (true, 2) => own("icmpv6.mtu")?.to_be_bytes().to_vec(),
        (false, 3 | 11) | (true, 1 | 3) => vec![0; 4],
        _ => return None,
    };
    let head = [&[kind, code][..], &half(checksum?)?, &rest].concat();
    let Some(quoted) = quoted else {
        return (!fields.is_error() && head.len() == ICMP_BYTES).then_some(head);
    };
    let carried = match protocol(fields, quoted)? {
        TCP => segment(fields, true)?,
        UDP => datagram(fields, true)?,
        _ => return None,
    };
    Some([head, internet(fields, quoted)?, carried].concat())
}
