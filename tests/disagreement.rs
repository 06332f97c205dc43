//! Servers of one zone that answer from different data.

mod scene;

use portmortem::findings::Severity;
use portmortem::generate::dns::{self, Data, Message};
use scene::{MS, SECOND, Scene, leading};

const CURRENT: &str = "198.51.100.53";
const OUTDATED: &str = "198.51.100.153";
const RESOLVER: &str = "192.0.2.53";

/// An iterative question and its authoritative answer.
fn ask(scene: &mut Scene, at: i64, (server, id): (&str, u16), name: &str, data: Data) {
    let from = format!("{RESOLVER}:{}", 20_000 + id);
    let qtype = match &data {
        Data::Other(kind, _) => *kind,
        _ => dns::A,
    };
    let question = Message::query(id, name, qtype).flags(0).bytes();
    scene.put(
        at,
        portmortem::generate::Packet::udp(from.as_str(), format!("{server}:53").as_str(), &question),
    );
    scene.reply(
        at + 9 * MS,
        server,
        &from,
        &Message::response(id, name, qtype, 0).answer(data).flags(0x8400).bytes(),
    );
}

fn start(serial: u32) -> Data {
    let mut bytes = dns::name("ns1.example.org");
    bytes.extend(dns::name("hostmaster.example.org"));
    for number in [serial, 7200, 900, 1_209_600, 300] {
        bytes.extend(number.to_be_bytes());
    }
    Data::Other(6, bytes)
}

fn scene(outdated_serial: u32, outdated_address: [u8; 4]) -> Scene {
    let mut scene = Scene::default();
    for round in 0..4i64 {
        let (at, id) = (round * 10 * SECOND, round as u16 * 10);
        ask(&mut scene, at, (CURRENT, id), "example.org", start(2026));
        ask(&mut scene, at + SECOND, (OUTDATED, id + 1), "example.org", start(outdated_serial));
        ask(
            &mut scene,
            at + 2 * SECOND,
            (CURRENT, id + 2),
            "www.example.org",
            Data::A([198, 51, 100, 80].into()),
        );
        ask(
            &mut scene,
            at + 3 * SECOND,
            (OUTDATED, id + 3),
            "www.example.org",
            Data::A(outdated_address.into()),
        );
        let from = format!("192.0.2.10:{}", 40_000 + round);
        let to = "198.51.100.81:443";
        scene.lookup(at + 4 * SECOND, MS, "192.0.2.10:5353", RESOLVER, id + 5, "www.example.org");
        scene.tcp(at + 5 * SECOND, &from, to, 2, b"");
        scene.tcp(at + 5 * SECOND + MS, to, &from, 0x14, b"");
    }
    scene
}

#[test]
fn the_server_with_the_lower_serial_number_is_named_before_dns_is_cleared() {
    let (found, assessments) = scene(2021, [198, 51, 100, 81]).examine();
    let own = found.iter().find(|own| own.id == "servers-disagree").expect("a finding");
    assert_eq!(own.severity, Severity::High);
    assert!(
        own.statement.starts_with("198.51.100.153 answers for example.org from serial number 2021"),
        "{}",
        own.statement
    );
    assert!(
        own.statement.contains("www.example.org (198.51.100.81 instead of 198.51.100.80)"),
        "{}",
        own.statement
    );
    assert!(own.statement.contains("4 of 4 connections of 192.0.2.10"), "{}", own.statement);
    assert!(leading(&assessments).contains("H16"));
    assert_eq!(
        assessments[0].title.as_deref(),
        Some("DNS server 198.51.100.153 answers for example.org from outdated data")
    );
    let told = assessments.iter().flat_map(|own| &own.wording);
    assert!(told.clone().all(|sentence| !sentence.text.contains("DNS is not the cause")));
}

#[test]
fn equal_data_are_no_finding_and_an_old_number_alone_is_ordinary() {
    let (found, _) = scene(2026, [198, 51, 100, 80]).examine();
    assert!(found.iter().all(|own| own.id != "servers-disagree"));
    let (found, _) = scene(2021, [198, 51, 100, 80]).examine();
    let own = found.iter().find(|own| own.id == "servers-disagree").expect("a finding");
    assert_eq!(own.severity, Severity::Info);
}

#[test]
fn a_name_that_only_the_outdated_server_denies_is_told_from_the_start_of_the_zone_beside_the_denial() {
    // Asked as applications ask, of servers that serve their zone alone.
    let mut scene = Scene::default();
    for round in 0..4i64 {
        for (place, server) in [CURRENT, OUTDATED].into_iter().enumerate() {
            let (at, id) = ((round * 10 + place as i64) * SECOND, (round * 10) as u16 + place as u16);
            let from = format!("192.0.2.10:{}", 20_000 + id);
            for (step, qtype) in [dns::A, dns::AAAA].into_iter().enumerate() {
                let (at, id) = (at + step as i64 * 100 * MS, id + 1000 * step as u16);
                scene.query(at, &from, server, id, "app.example.org", qtype);
                let (rcode, serial) = if server == CURRENT { (0, 2026) } else { (3, 2021) };
                let message =
                    Message::response(id, "app.example.org", qtype, rcode).flags(0x8500 | u16::from(rcode));
                let mut bytes = match (server, qtype) {
                    (CURRENT, dns::A) => message.answer(Data::A([198, 51, 100, 80].into())),
                    _ => message.authority("example.org"),
                }
                .bytes();
                let made = 2_024_051_401_u32.to_be_bytes();
                if let Some(at) = bytes.windows(4).position(|four| four == made) {
                    bytes.splice(at..at + 4, u32::to_be_bytes(serial));
                }
                scene.reply(at + 9 * MS, server, &from, &bytes);
            }
        }
    }
    let (found, _) = scene.examine();
    let own = found.iter().find(|own| own.id == "servers-disagree").expect("a finding");
    assert_eq!(own.severity, Severity::Medium);
    assert!(own.statement.contains("app.example.org (none instead of 198.51.100.80)"), "{}", own.statement);
}
