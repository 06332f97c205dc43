//! Questions answered twice by two devices, and doubled answers of one.

mod scene;

use portmortem::findings::{Finding, Severity};
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Packet, flags};
use scene::{MS, SECOND, SERVER, START_NS, Scene};

const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 66];
const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 10];

/// Three questions, each answered first by one device and 25 ms later by another, and three that one device answers.
fn answered_twice(first: ([u8; 6], u8), later: ([u8; 6], u8)) -> Scene {
    let mut scene = Scene::default();
    let answer = |scene: &mut Scene, at: i64, id: u16, (link, ttl): ([u8; 6], u8), to: [u8; 4]| {
        let (from, name) = (format!("192.0.2.10:{}", 20_000 + id), "login.example.com");
        let message = dns::answer(id, name, Data::A(to.into()));
        let packet =
            Packet::udp(format!("{SERVER}:53").as_str(), from.as_str(), &message).ttl(ttl).id(700 + id);
        scene.packets.push((START_NS + at, packet.ethernet_between(link, CLIENT)));
    };
    for number in 0..6u16 {
        let at = i64::from(number) * 4 * SECOND;
        scene.query(
            at,
            &format!("192.0.2.10:{}", 20_000 + number),
            SERVER,
            number,
            "login.example.com",
            dns::A,
        );
        if number < 3 {
            answer(&mut scene, at + 5 * MS, number, first, [203, 0, 113, 66]);
        }
        answer(&mut scene, at + 30 * MS, number, later, [198, 51, 100, 80]);
    }
    scene.tcp(SECOND, "192.0.2.10:50000", "203.0.113.66:443", flags::SYN, b"");
    scene.tcp(2 * SECOND, "192.0.2.10:50000", "203.0.113.66:443", flags::SYN, b"");
    scene
}

fn found(scene: Scene) -> Vec<Finding> {
    scene.examine().0.into_iter().filter(|finding| finding.id == "contested-answers").collect()
}

#[test]
fn two_senders_in_one_servers_name_are_told_with_what_tells_them_apart() {
    let (all, assessments) = answered_twice((OTHER, 64), (ROUTER, 63)).examine();
    let found: Vec<&Finding> = all.iter().filter(|finding| finding.id == "contested-answers").collect();
    assert_eq!((found.len(), found[0].severity), (1, Severity::High));
    assert!(
        found[0].statement.contains("203.0.113.66 (TTL 64 from link address 02:00:00:00:00:42)"),
        "{}",
        found[0].statement
    );
    assert!(found[0].statement.contains("the other answers of 198.51.100.53 look like the later one"));
    assert_eq!(assessments[0].hypotheses[0].id(), "H23");
    assert!(all.iter().all(|finding| finding.id != "misaddressed-answer"));
}

#[test]
fn different_answers_of_one_device_are_no_contest() {
    assert!(found(answered_twice((ROUTER, 63), (ROUTER, 63))).is_empty());
}
