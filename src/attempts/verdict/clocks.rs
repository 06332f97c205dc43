//! Whether the times that servers of NTP give can be right: compared with each other and with the clock of the capture.
//!
//! One clock against another shows that one of them is wrong, not which: a server is wrong where more clocks agree with the
//! capture's than with it (RFC 5905 §11.2.1 chooses so).

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};

use crate::attempts::datagrams::Exchange;
use crate::attempts::{Attempt, Kind, Outcome};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;

/// Clocks this far from each other differ; no way delays a datagram so long without being seen in its round trip.
const APART_NS: Nanos = 1_000_000_000;

/// How far a stated time lies outside a span of the capture's clock; 0 within [`APART_NS`] of it.
fn apart_ns(stated_ns: Nanos, from_ns: Nanos, to_ns: Nanos) -> Nanos {
    let apart_ns = if stated_ns > to_ns { stated_ns - to_ns } else { (stated_ns - from_ns).min(0) };
    if apart_ns.abs() < APART_NS { 0 } else { apart_ns }
}

/// Marks the served requests whose answer states a time that cannot be right. `here` is the capturing host: its clock is that of
/// the capture, and bears no witness of its own.
pub(super) fn judge(exchanges: &[Exchange], here: &HashSet<Address>, all: &mut [Attempt]) {
    let mut given: BTreeMap<Address, Vec<(PacketId, Nanos)>> = BTreeMap::new();
    let mut witnesses: BTreeSet<Address> = BTreeSet::new();
    for own in exchanges.iter().filter(|own| own.kind == Kind::Ntp) {
        let asked =
            own.stated_ns.0.map(|stated_ns| apart_ns(stated_ns, own.first.time_ns, own.first.time_ns));
        if asked == Some(0) && !here.contains(&own.client.0) {
            witnesses.insert(own.client.0);
        }
        if let (Some(stated_ns), Some(answer)) = (own.stated_ns.1, own.answer) {
            let apart_ns = apart_ns(stated_ns, own.last.time_ns.min(answer.time_ns), answer.time_ns);
            given.entry(own.server.0).or_default().push((own.first.packet, apart_ns));
        }
    }
    let middle = |times: &[(PacketId, Nanos)]| {
        let mut times: Vec<Nanos> = times.iter().map(|(_, apart_ns)| *apart_ns).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    let servers: BTreeMap<Address, Nanos> =
        given.iter().map(|(server, times)| (*server, middle(times))).collect();
    witnesses.extend(servers.iter().filter(|(_, apart_ns)| **apart_ns == 0).map(|(server, _)| *server));
    let mut wrong: HashMap<PacketId, Nanos> = HashMap::new();
    for (packet, apart_ns) in given.values().flatten().filter(|(_, apart_ns)| *apart_ns != 0) {
        let alike = servers.values().filter(|other| (**other - *apart_ns).abs() < APART_NS).count();
        // The capture's own clock counts as one.
        if witnesses.len() + 1 > alike.max(1) {
            wrong.insert(*packet, *apart_ns);
        }
    }
    if wrong.is_empty() {
        return;
    }
    for own in all.iter_mut().filter(|own| own.kind == Kind::Ntp && own.outcome == Outcome::Answered) {
        if let Some(ahead_ns) = wrong.get(&own.first.packet) {
            own.outcome = Outcome::WrongTime { ahead_ns: *ahead_ns };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_apart_by_what_lies_outside_the_round_trip() {
        const SECOND: Nanos = 1_000_000_000;
        assert_eq!(apart_ns(10 * SECOND, 9 * SECOND, 12 * SECOND), 0);
        assert_eq!(apart_ns(10 * SECOND, 8 * SECOND, 19 * SECOND / 2), 0, "half a second is none");
        assert_eq!(apart_ns(3_610 * SECOND, 9 * SECOND, 10 * SECOND), 3_600 * SECOND);
        assert_eq!(apart_ns(4 * SECOND, 9 * SECOND, 10 * SECOND), -5 * SECOND);
    }
}
