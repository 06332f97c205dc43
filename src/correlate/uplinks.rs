//! Addresses by which a server asks others: of what its clients ask it, they ask the same at once, under an id of their own.
//!
//! A resolver with a link to its clients and one to the world has an address on each, and captures of both links share no packet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Evidence;
use crate::decode::Address;
use crate::index::Index;
use crate::time::Nanos;

/// A server asks this soon after it was asked.
const SOON_NS: Nanos = 100_000_000;
/// Different questions passed on from which a pair is no chance.
const PASSED_MIN: usize = 3;
/// Of the questions that both sides ask, at most one in this many may be asked by the second at another time first.
const STRAY_ONE_IN: usize = 5;
/// Transactions looked through; a capture with more tells of one server, mostly.
const LOOKED_AT_MAX: usize = 500_000;
/// Pairs followed.
const PAIRS_MAX: usize = 4_096;

/// Questions that the second address asked first soon after the server was asked, and those it asked first at another time.
#[derive(Default)]
struct Pair {
    passed: BTreeSet<u64>,
    astray: usize,
}

/// Servers, each with an address by which it asks others; sorted.
pub(super) fn find(index: &Index, evidence: &Evidence) -> Vec<(Address, Address)> {
    let mut asked: HashMap<u64, Vec<(Address, u16, Nanos)>, foldhash::fast::FixedState> = HashMap::default();
    let mut first: BTreeSet<(Address, u64)> = BTreeSet::new();
    let mut served: BTreeSet<(Address, Address)> = BTreeSet::new();
    let mut pairs: BTreeMap<(Address, Address), Pair> = BTreeMap::new();
    for own in evidence.transactions.iter().take(LOOKED_AT_MAX) {
        let (Some(packet), Some(row)) = (index.packet(own.first), own.question(index)) else { continue };
        let (asker, server, at_ns) =
            (packet.source_address(), packet.destination_address(), packet.time_ns());
        served.insert((server, asker));
        if row.question == 0 {
            continue;
        }
        let known = asked.entry(row.question).or_default();
        if first.insert((asker, row.question)) {
            let mut seen: BTreeSet<Address> = BTreeSet::new();
            for (front, id, before_ns) in known.iter().rev() {
                // The same id is the same message, passed through a translator or asked again by a host with two addresses.
                let other = *front != asker && *front != server && *id != row.header.id;
                if !other || !seen.insert(*front) || pairs.len() >= PAIRS_MAX {
                    continue;
                }
                let pair = pairs.entry((*front, asker)).or_default();
                if (0..=SOON_NS).contains(&(at_ns - before_ns)) {
                    pair.passed.insert(row.question);
                } else {
                    pair.astray += 1;
                }
            }
        }
        if row.header.recursion_desired() {
            known.push((server, row.header.id, at_ns));
        }
    }
    let is_uplink = |own: &(&(Address, Address), &Pair)| {
        let (&(front, asker), pair) = *own;
        pair.passed.len() >= PASSED_MIN
            && pair.astray * STRAY_ONE_IN <= pair.passed.len()
            // Who asks the server is its client, and who is asked by it another server.
            && !served.contains(&(front, asker))
            && !served.contains(&(asker, front))
    };
    let mut found: Vec<(Address, Address)> = pairs.iter().filter(is_uplink).map(|(pair, _)| *pair).collect();
    // What a forwarder passes to a second one comes out of that as well: it is the second one's.
    let all = found.clone();
    let passes_to = |front: Address, next: Address| {
        all.iter().any(|(own, uplink)| *own == front && served.contains(&(next, *uplink)))
    };
    found.retain(|(front, uplink)| {
        !all.iter().any(|(other, own)| own == uplink && other != front && passes_to(*front, *other))
    });
    // Where clients ask two servers at once, both seem to pass it on by either way: nothing tells whose it is.
    let left = found.clone();
    found.retain(|(_, uplink)| left.iter().filter(|(_, own)| own == uplink).count() == 1);
    found
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use crate::correlate::{Parameters, correlate};
    use crate::generate::{Packet, PcapWriter, Variant, dns};
    use crate::index::{Input, Progress, build};

    const MS: i64 = 1_000_000;

    /// Who is known to ask by which address: each row is when, from whom, to whom, which id, and for which name; a query is answered
    /// a millisecond later.
    fn uplinks(rows: &[(i64, &str, &str, u16, u16)]) -> Vec<(String, String)> {
        let mut packets: Vec<(i64, Vec<u8>)> = Vec::new();
        for (at_ms, from, to, id, name) in rows {
            let question = dns::query(*id, &format!("h{name}.example.net"), dns::A);
            let from = format!("{from}:{}", 20_000 + id);
            let query = Packet::udp(from.as_str(), format!("{to}:53").as_str(), &question);
            packets.push((at_ms * MS, query.ethernet()));
        }
        packets.sort_by_key(|(at_ns, _)| *at_ns);
        let mut writer = PcapWriter::new(Vec::new(), Variant::default(), 1).unwrap();
        for (at_ns, packet) in &packets {
            writer.packet(1_700_000_000_000_000_000 + at_ns, packet).unwrap();
        }
        let file: &'static [u8] = writer.finish().unwrap().leak();
        let (source, walk) = crate::capture::open_bytes("test", file).unwrap();
        let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
        let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
        let found = super::find(&index, &evidence);
        found.iter().map(|(server, uplink)| (server.to_string(), uplink.to_string())).collect()
    }

    const CLIENT: &str = "192.0.2.7";
    const FRONT: &str = "192.0.2.53";
    const UPLINK: &str = "203.0.113.2";
    const ROOT: &str = "203.0.113.9";

    fn pair(server: &str, uplink: &str) -> (String, String) {
        (server.to_owned(), uplink.to_owned())
    }

    #[test]
    fn an_address_that_asks_what_a_server_was_just_asked_is_the_servers() {
        let passed = |ids: u16| {
            let rows = (0..4).flat_map(|n| {
                let at = i64::from(n) * 1_000;
                [(at, CLIENT, FRONT, n, n), (at + 2, UPLINK, ROOT, n + ids, n)]
            });
            uplinks(&rows.collect::<Vec<_>>())
        };
        assert_eq!(passed(700), [pair(FRONT, UPLINK)]);
        assert!(passed(0).is_empty(), "the same id is the same message behind a translator");
    }

    #[test]
    fn who_asks_the_same_at_other_times_is_somebody_else() {
        let rows = (0..4).flat_map(|n| {
            let at = i64::from(n) * 1_000;
            [(at, CLIENT, FRONT, n, n), (at + 500, UPLINK, ROOT, n + 700, n)]
        });
        assert!(uplinks(&rows.collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn what_comes_out_of_a_second_forwarder_is_not_the_first_ones() {
        let (second, far) = ("198.51.100.53", "198.51.100.99");
        let rows = (0..4).flat_map(|n| {
            let at = i64::from(n) * 1_000;
            [(at, CLIENT, FRONT, n, n), (at + 2, UPLINK, second, n + 700, n), (at + 4, far, ROOT, n + 900, n)]
        });
        let found = uplinks(&rows.collect::<Vec<_>>());
        assert_eq!(found, [pair(FRONT, UPLINK), pair(second, far)]);
    }
}
