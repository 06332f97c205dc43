//! An ordinary office network, seen from the inside of its gateway, in which incidents can be planted.
//!
//! Clients look names up and open connections; they retry and fail over as real stub resolvers do.
//! Addresses are documentation addresses (RFC 5737, RFC 3849), names are under reserved domains (RFC 2606).

mod hosts;
mod traffic;

use std::io;
use std::net::IpAddr;

use super::{PcapWriter, Random, Variant, link};
pub use hosts::{GATEWAY, PRIMARY, SECONDARY};

/// What goes wrong with a resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The DNS service stops, the host stays up: UDP/53 port unreachable, TCP/53 reset.
    ServiceStopped,
    /// A router on the way refuses: administratively prohibited (3/13) from the gateway.
    Prohibited,
    /// Queries vanish.
    SilentDrop,
    /// The host is gone: the gateway asks for it by ARP three times and reports host unreachable (3/1).
    HostUnreachable,
    /// Every answer is SERVFAIL with extended error 22, no reachable authority.
    ServerFailure,
    /// Answers come after this many milliseconds.
    Late(u32),
}

/// A fault of one resolver over a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The resolver, [`PRIMARY`] or [`SECONDARY`].
    pub server: IpAddr,
    /// What is wrong with it.
    pub fault: Fault,
    /// Seconds from the start of the capture.
    pub from_s: u32,
    /// Seconds from the start of the capture; recovery.
    pub until_s: u32,
}

/// What to generate.
#[derive(Clone, Debug)]
pub struct Office {
    /// Same seed, same capture.
    pub seed: u64,
    /// Time of the first second, nanoseconds since 1970.
    pub start_ns: i64,
    /// How long the capture runs, seconds.
    pub seconds: u32,
    /// Clients, at most 100.
    pub clients: u8,
    /// Pages opened a minute by all clients together.
    pub visits_per_minute: u32,
    /// What goes wrong.
    pub incidents: Vec<Incident>,
}

impl Default for Office {
    /// Five healthy minutes.
    fn default() -> Self {
        Self {
            seed: 1,
            start_ns: 1_715_692_800_000_000_000,
            seconds: 300,
            clients: 18,
            visits_per_minute: 20,
            incidents: Vec::new(),
        }
    }
}

/// A frame and the time it was captured.
pub type TimedFrame = (i64, Vec<u8>);

impl Office {
    /// The embedded sample `office`: eight minutes, in which the first resolver's DNS service is stopped for
    /// not quite three.
    pub fn sample() -> Self {
        Self {
            seed: 20_240_514,
            seconds: 480,
            incidents: vec![Incident {
                server: PRIMARY,
                fault: Fault::ServiceStopped,
                from_s: 170,
                until_s: 338,
            }],
            ..Self::default()
        }
    }

    /// The Ethernet frames in order of time.
    pub fn frames(&self) -> Vec<TimedFrame> {
        let mut frames = traffic::Traffic::new(self, Random::new(self.seed)).run();
        frames.sort_by_key(|(time_ns, _)| *time_ns);
        frames
    }

    /// The frames as a pcap file with microseconds.
    pub fn write_pcap<W: io::Write>(&self, out: W) -> io::Result<W> {
        let mut writer = PcapWriter::new(out, Variant::default(), link::ETHERNET)?;
        for (time_ns, frame) in self.frames() {
            writer.packet(time_ns, &frame)?;
        }
        writer.finish()
    }

    fn fault_at(&self, server: IpAddr, time_ns: i64) -> Option<Fault> {
        let second = (time_ns - self.start_ns).div_euclid(1_000_000_000);
        self.incidents
            .iter()
            .find(|incident| {
                incident.server == server
                    && second >= i64::from(incident.from_s)
                    && second < i64::from(incident.until_s)
            })
            .map(|incident| incident.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(office: &Office, test: impl Fn(&[u8]) -> bool) -> usize {
        office.frames().iter().filter(|(_, frame)| test(frame)).count()
    }

    fn is_icmp_error(frame: &[u8]) -> bool {
        frame.get(12..14) == Some(&[8, 0]) && frame.get(23) == Some(&1) && frame.get(34) == Some(&3)
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let office = Office::sample();
        assert_eq!(office.frames(), office.frames());
        assert_ne!(office.frames(), Office { seed: 2, ..Office::sample() }.frames());
    }

    #[test]
    fn a_healthy_office_has_no_error_about_a_query() {
        assert_eq!(
            count(&Office::default(), |frame| is_icmp_error(frame) && frame.get(64..66) == Some(&[0, 53])),
            0
        );
    }

    #[test]
    fn each_refusing_fault_shows_in_the_code_of_its_errors() {
        for (fault, code) in
            [(Fault::ServiceStopped, 3), (Fault::Prohibited, 13), (Fault::HostUnreachable, 1)]
        {
            let incident = Incident { server: PRIMARY, fault, from_s: 30, until_s: 200 };
            let office = Office { incidents: vec![incident], ..Office::default() };
            let errors = count(&office, |frame| is_icmp_error(frame) && frame.get(35) == Some(&code));
            assert!(errors > 10, "{fault:?} gave {errors} errors");
        }
    }
}
