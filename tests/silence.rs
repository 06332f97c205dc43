//! When silence counts: at the client, elsewhere, with repeats and without.

mod scene;

use portmortem::findings::{Finding, Severity};
use portmortem::generate::{Packet, dns};
use scene::{MS, SECOND, SERVER, Scene};

const CLIENT: &str = "192.0.2.10";

/// Queries of one client at these times, all with this TTL; a time given twice in seconds is a repeat of the same datagram.
fn asked(times_ms: &[(i64, u16)], ttl: u8) -> Scene {
    let mut scene = Scene::default();
    for (at_ms, id) in times_ms {
        let name = format!("www{id}.example.org");
        let from = format!("{CLIENT}:{}", 40_000 + id);
        let to = format!("{SERVER}:53");
        let packet = Packet::udp(from.as_str(), to.as_str(), &dns::query(*id, &name, dns::A));
        scene.put(at_ms * MS, packet.ttl(ttl));
    }
    scene
}

/// Packets of others that show how long the capture went on; they go to nobody who asks.
fn go_on(scene: &mut Scene, until_ns: i64) {
    for at_ns in (0..=until_ns).step_by(SECOND as usize) {
        scene.put(at_ns, Packet::udp("192.0.2.77:4000", "192.0.2.255:4000", b"beacon"));
    }
}

fn unanswered(scene: Scene) -> Vec<Finding> {
    let (found, _) = scene.examine();
    found.into_iter().filter(|finding| finding.id == "unanswered-queries").collect()
}

#[test]
fn a_repeat_at_the_client_is_a_failure_though_nothing_ever_came_back() {
    let scene = asked(&[(0, 1), (5_000, 1), (10_000, 2), (15_000, 2)], 64);
    let found = unanswered(scene);
    assert!(found.iter().any(|finding| finding.severity > Severity::Info), "{found:?}");
}

#[test]
fn a_repeat_seen_elsewhere_is_told_milder_and_as_seen_here() {
    let times = [(0, 1), (5_000, 1), (10_000, 2), (15_000, 2), (20_000, 3), (25_000, 3)];
    let (near, far) = (unanswered(asked(&times, 64)), unanswered(asked(&times, 61)));
    let (near, far) = (near.first().expect("at the client"), far.first().expect("elsewhere"));
    assert!(far.severity < near.severity && far.severity > Severity::Info, "{far:?}");
    assert!(far.statement.ends_with("that was seen here"), "{}", far.statement);
    assert!(!near.statement.contains("seen here"), "{}", near.statement);
}

#[test]
fn queries_sent_once_count_at_the_client_from_two_on_and_never_elsewhere() {
    let several = |ttl| {
        let mut scene = asked(&[(0, 1), (7_000, 2), (14_000, 3)], ttl);
        go_on(&mut scene, 30 * SECOND);
        unanswered(scene)
    };
    assert!(!several(64).is_empty());
    assert!(several(61).is_empty());
    let mut one = asked(&[(0, 1)], 64);
    go_on(&mut one, 30 * SECOND);
    assert!(unanswered(one).is_empty());
}

#[test]
fn a_repeat_counts_though_the_capture_ends_right_after_it() {
    let mut scene = asked(&[(0, 1), (2_000, 1), (2_100, 2)], 64);
    // Something that was sent to the client shows that an answer would be in the capture.
    scene.put(50 * MS, Packet::udp("198.51.100.9:123", format!("{CLIENT}:123").as_str(), &[0x24; 48]));
    let (found, _) = scene.examine();
    let silent = found.iter().find(|finding| finding.id == "unanswered-queries").expect("the repeated query");
    assert!(silent.statement.starts_with("1 of 2 "), "{}", silent.statement);
}

#[test]
fn repeats_within_a_fifth_of_a_second_show_nothing() {
    let mut scene = asked(&[(0, 1), (100, 1)], 64);
    go_on(&mut scene, SECOND);
    assert!(unanswered(scene).is_empty());
}

#[test]
fn a_traceroute_of_the_client_does_not_move_the_capture_point() {
    let mut scene = asked(&[(0, 1), (5_000, 1), (10_000, 2), (15_000, 2)], 64);
    for hop in 1..=30u8 {
        let to = format!("203.0.113.9:{}", 33_434 + u16::from(hop));
        let probe = Packet::udp(format!("{CLIENT}:50000").as_str(), to.as_str(), &[0; 32]);
        scene.put(20 * SECOND + i64::from(hop) * MS, probe.ttl(hop));
    }
    let found = unanswered(scene);
    assert!(found.iter().all(|finding| !finding.statement.contains("seen here")), "{found:?}");
    assert!(!found.is_empty());
}
