//! Makes deterministic packets and captures for tests, benchmarks and the embedded samples.
//!
//! Everything here is a function of its arguments and a seed: no clock, no environment, so a capture can
//! be made again byte for byte. Checksums are right unless a test breaks them on purpose.
//!
//! ```
//! use portmortem::generate::{PcapWriter, Packet, Variant, dns, link};
//!
//! let query = Packet::udp("192.0.2.10:52444", "203.0.113.2:53", &dns::query(35084, "example.com", dns::A));
//! let error = Packet::port_unreachable(&query);
//! let mut capture = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).unwrap();
//! capture.packet(1_000_000_000, &query.ethernet()).unwrap();
//! capture.packet(1_000_400_000, &error.ethernet()).unwrap();
//! assert!(capture.finish().unwrap().len() > 24);
//! ```

pub mod bulk;
pub mod dns;
pub mod encapsulate;
mod file;
pub mod link;
pub mod mixed;
pub mod office;
mod packet;
pub mod payload;
mod random;

pub use file::{ByteOrder, PcapWriter, PcapngWriter, Variant};
pub use packet::{Arp, Packet, Segment, arp, flags};
pub use random::Random;
