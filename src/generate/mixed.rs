//! Small captures with everything the engine has to put together: fragments and DNS over TCP in any order, tunnelled errors,
//! several interfaces, sections of both byte orders, cut records, backward clocks.

use std::io;

use super::dns::{self, Data, Message};
use super::{ByteOrder, Packet, PcapWriter, PcapngWriter, Random, Segment, Variant, flags, link};

/// The file around the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Classic pcap, Ethernet.
    Pcap(Variant),
    /// pcapng with three interfaces of different links and clocks, and now and then a new section in the other byte order.
    Pcapng(ByteOrder),
}

/// The shapes there are, to choose from.
pub const SHAPES: [Shape; 6] = [
    Shape::Pcap(Variant { order: ByteOrder::Little, nanoseconds: false }),
    Shape::Pcap(Variant { order: ByteOrder::Big, nanoseconds: false }),
    Shape::Pcap(Variant { order: ByteOrder::Little, nanoseconds: true }),
    Shape::Pcap(Variant { order: ByteOrder::Big, nanoseconds: true }),
    Shape::Pcapng(ByteOrder::Little),
    Shape::Pcapng(ByteOrder::Big),
];

const CLIENTS: u64 = 5;
/// Bytes of a stream in one segment, at most: few, so that messages lie across many.
const CUT_MAX_BYTES: u64 = 90;
/// Packets after which a new section may begin.
const SECTION_PACKETS: u64 = 40;

/// A capture of at least `packets` packets; the same arguments give the same bytes.
pub fn write(shape: Shape, packets: usize, seed: u64) -> io::Result<Vec<u8>> {
    let mut random = Random::new(seed);
    let mut traffic = Vec::new();
    while traffic.len() < packets {
        exchange(&mut random, &mut traffic);
        shuffle_tail(&mut random, &mut traffic);
    }
    let mut time_ns = 1_700_000_000_123_456_789i64;
    let mut times = Vec::with_capacity(traffic.len());
    for _ in &traffic {
        // Clocks are set back now and then.
        let step = random.below(3_000_000).cast_signed();
        time_ns += if random.chance(3) { -step } else { step };
        times.push(time_ns);
    }
    match shape {
        Shape::Pcap(variant) => pcap(variant, &traffic, &times, &mut random),
        Shape::Pcapng(order) => pcapng(order, &traffic, &times, &mut random),
    }
}

fn pcap(variant: Variant, traffic: &[Vec<u8>], times: &[i64], random: &mut Random) -> io::Result<Vec<u8>> {
    let mut writer = PcapWriter::new(Vec::new(), variant, link::ETHERNET)?;
    for (packet, time_ns) in traffic.iter().zip(times) {
        let frame = ethernet(packet);
        let kept = if random.chance(5) { random.below(frame.len() as u64) as usize } else { frame.len() };
        writer.cut_packet(*time_ns, frame.get(..kept).unwrap_or(&frame), frame.len() as u32)?;
    }
    writer.finish()
}

fn pcapng(order: ByteOrder, traffic: &[Vec<u8>], times: &[i64], random: &mut Random) -> io::Result<Vec<u8>> {
    let other = if order == ByteOrder::Little { ByteOrder::Big } else { ByteOrder::Little };
    let interfaces = |writer: &mut PcapngWriter<Vec<u8>>| -> io::Result<()> {
        writer.interface(link::ETHERNET, 6, "eth0")?;
        writer.interface(link::RAW, 9, "tun0")?;
        writer.interface(link::LINUX_SLL, 3, "any")
    };
    let mut writer = PcapngWriter::new(Vec::new(), order, &["mixed"])?;
    interfaces(&mut writer)?;
    let mut turned = false;
    for (packet, time_ns) in traffic.iter().zip(times) {
        if random.below(SECTION_PACKETS) == 0 {
            turned = !turned;
            writer.section(if turned { other } else { order }, &[])?;
            interfaces(&mut writer)?;
        }
        let interface = random.below(3) as u32;
        let frame = match interface {
            0 => ethernet(packet),
            1 => packet.clone(),
            _ => link::sll([2, 0, 0, 0, 0, 1], random.chance(50), packet),
        };
        let comments: &[&str] = if random.chance(4) { &["looked at"] } else { &[] };
        writer.packet(interface, *time_ns, &frame, comments)?;
        if random.chance(2) {
            writer.statistics(interface, 100, 1)?;
        }
    }
    writer.finish()
}

fn ethernet(packet: &[u8]) -> Vec<u8> {
    let (from, to) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let vlans: &[u16] = if packet.len().is_multiple_of(7) { &[100] } else { &[] };
    link::ethernet(from, to, vlans, link::ether_type(packet), packet)
}

/// One thing that happens on the network.
fn exchange(random: &mut Random, traffic: &mut Vec<Vec<u8>>) {
    let client = random.below(CLIENTS);
    let six = random.chance(25);
    let (host, server) = if six {
        (format!("[2001:db8::{}]", client + 1), "[2001:db8::53]:53".to_owned())
    } else {
        (format!("192.0.2.{}", client + 1), "203.0.113.2:53".to_owned())
    };
    let local = format!("{host}:{}", random.between(1_024, 65_000));
    let (id, name) = (random.word(), format!("host{}.example", random.below(30)));
    let query =
        Packet::udp(local.as_str(), server.as_str(), &dns::query(id, &name, dns::A)).id(random.word());
    let address = Data::A([198, 51, 100, client as u8].into());
    match random.below(8) {
        0..=2 => {
            let answer = Packet::udp(server.as_str(), local.as_str(), &dns::answer(id, &name, address));
            traffic.extend([query.bytes(), answer.bytes()]);
        }
        3 => traffic.extend([query.bytes(), Packet::port_unreachable(&query).bytes()]),
        4 => {
            let mut message = Message::response(id, &name, dns::A, 0).bytes();
            message.resize(random.between(1_500, 4_000) as usize, 7);
            let answer = Packet::udp(server.as_str(), local.as_str(), &message).id(random.word());
            traffic.push(query.bytes());
            traffic.extend(answer.fragments(random.between(100, 1_400) as usize));
        }
        5 | 6 => stream(random, &local, &server, traffic),
        _ => {
            let length = random.below(120);
            let noise: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
            traffic.push(noise);
        }
    }
}

/// A TCP connection of a few queries, cut anywhere, with a repetition now and then.
fn stream(random: &mut Random, local: &str, server: &str, traffic: &mut Vec<Vec<u8>>) {
    let begin = random.bits() as u32;
    let messages: Vec<u8> = (0..random.between(1, 6))
        .flat_map(|number| dns::over_tcp(&dns::query(number as u16, "stream.example", dns::A)))
        .collect();
    let segment = |sequence: u32, flags: u8, data: &[u8]| {
        Packet::tcp(local, server, Segment { sequence, acknowledgment: 1, flags }, data).bytes()
    };
    traffic.push(segment(begin, flags::SYN, &[]));
    let mut rest = &messages[..];
    let mut sequence = begin.wrapping_add(1);
    while !rest.is_empty() {
        let cut = (random.between(1, CUT_MAX_BYTES) as usize).min(rest.len());
        let (data, after) = rest.split_at(cut);
        traffic.push(segment(sequence, flags::ACK, data));
        if random.chance(10) {
            traffic.push(segment(sequence, flags::ACK, data));
        }
        sequence = sequence.wrapping_add(cut as u32);
        rest = after;
    }
    traffic.push(segment(sequence, flags::FIN | flags::ACK, &[]));
}

/// Lets some of the last packets overtake each other.
fn shuffle_tail(random: &mut Random, traffic: &mut [Vec<u8>]) {
    let from = traffic.len().saturating_sub(12);
    for _ in 0..random.below(4) {
        let a = random.between(from as u64, traffic.len() as u64) as usize;
        let b = random.between(from as u64, traffic.len() as u64) as usize;
        traffic.swap(a, b);
    }
}
