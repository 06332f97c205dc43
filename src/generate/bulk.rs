//! Captures of any size for benchmarks: many clients, resolvers and flows, written as fast as the disk takes them.
//!
//! Frames come from a fixed set of templates whose addresses, ports, ids and times are patched, so the cost
//! of a packet is little more than copying it. Transport checksums are those of the template, not of the
//! patched packet; programs that verify them will complain, which no benchmark here does.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Packet, PcapWriter, Random, Segment, Variant, dns, flags, link, payload};

/// Which traffic to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Mostly TCP bulk, a tenth DNS: what a span port sees.
    Ordinary,
    /// Small packets, half of them DNS.
    Small,
}

/// Names in use.
const NAMES: u64 = 20_000;
/// Clients in use.
const CLIENTS: u64 = 4_096;
/// Resolvers in use.
const SERVERS: u64 = 16;
/// One query in this many provokes an error instead of an answer.
const QUERIES_PER_ERROR: u64 = 40;
/// One query in this many is lost.
const QUERIES_PER_LOSS: u64 = 80;

struct Pending {
    due_ns: i64,
    frame: Vec<u8>,
}

struct Bulk {
    random: Random,
    /// Frames that answer earlier ones, in order of time because the delay is constant by kind.
    answers: VecDeque<Pending>,
    errors: VecDeque<Pending>,
    data: Vec<Vec<u8>>,
}

/// Writes a pcap of at least `size_bytes`; gives the number of packets.
pub fn write<W: Write>(out: W, mix: Mix, size_bytes: u64, seed: u64) -> io::Result<u64> {
    let mut writer = PcapWriter::new(out, Variant::default(), link::ETHERNET)?;
    let mut bulk = Bulk::new(seed);
    let (dns_percent, step_ns) = match mix {
        Mix::Ordinary => (4, 60_000),
        Mix::Small => (32, 20_000),
    };
    let mut time_ns = 1_715_691_600_000_000_000i64;
    let (mut written, mut packets) = (24u64, 0u64);
    while written < size_bytes {
        time_ns += bulk.random.between(1_000, step_ns).cast_signed();
        let frame = if let Some(due) = bulk.due(time_ns) {
            due
        } else if bulk.random.chance(dns_percent) {
            bulk.query(time_ns)
        } else {
            bulk.filler(mix)
        };
        writer.packet(time_ns, &frame)?;
        written += 16 + frame.len() as u64;
        packets += 1;
    }
    writer.finish()?;
    Ok(packets)
}

impl Bulk {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let data = (0..64)
            .map(|number| {
                let size = if number % 3 == 0 { 0 } else { 1_395 };
                let body = payload::tls_record(23, size, &mut random);
                let body = if size == 0 { &[][..] } else { body.as_slice() };
                let segment = Segment { sequence: 1, acknowledgment: 1, flags: flags::ACK };
                Packet::tcp("10.0.0.1:40000", "198.18.0.1:443", segment, body).ethernet()
            })
            .collect();
        Self { random, answers: VecDeque::new(), errors: VecDeque::new(), data }
    }

    fn due(&mut self, time_ns: i64) -> Option<Vec<u8>> {
        for queue in [&mut self.answers, &mut self.errors] {
            if queue.front().is_some_and(|pending| pending.due_ns <= time_ns) {
                return queue.pop_front().map(|pending| pending.frame);
            }
        }
        None
    }

    fn query(&mut self, time_ns: i64) -> Vec<u8> {
        let client = self.random.below(CLIENTS) as u32;
        let server = self.random.below(SERVERS) as u8;
        let local = SocketAddr::new(
            IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + client)),
            self.random.between(1_024, 65_000) as u16,
        );
        let remote = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 2 + server)), 53);
        let number = self.random.popular(NAMES);
        let name = format!("host{number}.zone{}.example", number % 97);
        let id = self.random.word();
        let query = Packet::udp(local, remote, &dns::query(id, &name, dns::A)).id(self.random.word());
        if self.random.below(QUERIES_PER_ERROR) == 0 {
            let frame = Packet::port_unreachable(&query).ethernet();
            self.errors.push_back(Pending { due_ns: time_ns + 3_000_000, frame });
        } else if self.random.below(QUERIES_PER_LOSS) != 0 {
            let address = dns::Data::A(Ipv4Addr::from(0xc612_0000 + number as u32));
            let frame = Packet::udp(remote, local, &dns::answer(id, &name, address)).ttl(57).ethernet();
            self.answers.push_back(Pending { due_ns: time_ns + 14_000_000, frame });
        }
        query.ethernet()
    }

    /// A TCP packet of some flow, patched into a template.
    fn filler(&mut self, mix: Mix) -> Vec<u8> {
        let number = self.random.below(64) as usize;
        let number = if mix == Mix::Small { number / 3 * 3 } else { number };
        let mut frame = self.data.get(number).cloned().unwrap_or_default();
        let flow = self.random.below(3_000) as u32;
        let client = (0x0a00_0000 + flow % 4_096).to_be_bytes();
        let server = (0xc612_0000 + flow / 3).to_be_bytes();
        let port = (32_768 + flow as u16).to_be_bytes();
        let outgoing = number.is_multiple_of(2);
        let (from, to) = if outgoing { (client, server) } else { (server, client) };
        patch(&mut frame, 26, &from);
        patch(&mut frame, 30, &to);
        let (from_port, to_port) = if outgoing { (port, [0x01, 0xbb]) } else { ([0x01, 0xbb], port) };
        patch(&mut frame, 34, &from_port);
        patch(&mut frame, 36, &to_port);
        frame
    }
}

fn patch(frame: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(slot) = frame.get_mut(at..at + bytes.len()) {
        slot.copy_from_slice(bytes);
    }
}
