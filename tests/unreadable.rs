//! Answers that are there but cannot be read are answers.

mod scene;

use portmortem::findings::{Finding, Severity};
use portmortem::generate::dns::{self, Data, Message};
use portmortem::generate::{Packet, link};
use scene::{MS, SECOND, SERVER, Scene};

fn weighty(scene: Scene) -> Vec<Finding> {
    let told = |finding: &Finding| finding.severity > Severity::Info && finding.code.is_none();
    let quality = |finding: &Finding| matches!(finding.id, "capture-quality" | "record-quality");
    scene.examine().0.into_iter().filter(|finding| told(finding) && !quality(finding)).collect()
}

fn fragments(packet: &Packet) -> Vec<Vec<u8>> {
    let framed = |piece: &Vec<u8>| link::ethernet([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2], &[], 0x0800, piece);
    packet.fragments(1_480).iter().map(framed).collect()
}

/// Five questions, each answered by one message that `answer` gives.
fn asked(answer: impl Fn(u16, &str) -> Vec<u8>, pieces: usize) -> Scene {
    let mut scene = Scene::default();
    for number in 0..5u16 {
        let at = i64::from(number) * 10 * SECOND;
        let (from, name) = (format!("192.0.2.10:{}", 30_000 + number), format!("host{number}.example.com"));
        scene.query(at, &from, SERVER, number, &name, dns::A);
        let reply = Packet::udp(format!("{SERVER}:53").as_str(), from.as_str(), &answer(number, &name))
            .id(900 + number);
        let frames = if pieces == 0 { vec![reply.ethernet()] } else { fragments(&reply) };
        for frame in frames.into_iter().take(pieces.max(1)) {
            scene.packets.push((scene::START_NS + at + 20 * MS, frame));
        }
    }
    scene
}

#[test]
fn answers_cut_before_their_header_ends_are_no_silence() {
    let mut scene = asked(|id, name| dns::answer(id, name, Data::A([192, 0, 2, 80].into())), 0);
    for (_, frame) in scene.packets.iter_mut().filter(|(_, frame)| frame.get(34..36) == Some(&[0, 53])) {
        // Ethernet, IPv4 and UDP headers, and eight bytes of the message.
        frame.truncate(14 + 20 + 8 + 8);
    }
    assert!(weighty(scene).is_empty());
}

fn large(id: u16, name: &str) -> Vec<u8> {
    let message = Message::response(id, name, 16, dns::NO_ERROR);
    (0..10).fold(message, |message, _| message.answer(Data::Txt("k".repeat(250)))).bytes()
}

#[test]
fn first_fragments_answer_where_no_later_one_could_be_captured() {
    let found = weighty(asked(large, 1));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn first_fragments_are_lost_answers_where_later_ones_were_captured() {
    let mut scene = asked(large, 1);
    let other = Packet::udp("203.0.113.9:5000", "192.0.2.10:5000", &[0; 2_000]).id(77);
    for frame in fragments(&other) {
        scene.packets.push((scene::START_NS + SECOND, frame));
    }
    let found = weighty(scene);
    assert!(found.iter().any(|finding| finding.id == "lost-fragments"), "{found:?}");
}

/// Six questions that were refused, in frames cut to `snap` bytes.
fn refused(snap: usize) -> Scene {
    let mut scene = Scene { snap, ..Scene::default() };
    for number in 0..6u16 {
        let (at, from) = (i64::from(number) * SECOND, format!("192.0.2.10:{}", 30_000 + number));
        let query = scene.query(at, &from, SERVER, number, "www.example.com", dns::A);
        scene.put(at + MS, Packet::port_unreachable(&query));
    }
    scene
}

#[test]
fn a_name_that_is_cut_is_never_the_root() {
    // Ethernet, IPv4 and UDP headers, the header of the message and four bytes of its name.
    let examined = refused(14 + 20 + 8 + 12 + 4).review();
    let found = examined.findings.iter().map(|finding| finding.statement.clone());
    let said = examined.assessments.iter().flat_map(|assessment| &assessment.wording);
    let checks = examined.assessments.iter().flat_map(|assessment| &assessment.checks);
    let all: Vec<String> = found
        .chain(said.map(|sentence| sentence.text.clone()))
        .chain(checks.map(|check| check.action.clone()))
        .collect();
    let all = all.join("\n");
    assert!(all.contains("names that are cut"), "{all}");
    for wrong in ["the root", "TYPE0", "'.'", "www.example.com"] {
        assert!(!all.contains(wrong), "{wrong}: {all}");
    }
    let whole = refused(0).review();
    assert!(whole.findings.iter().any(|finding| finding.statement.contains("www.example.com")));
}
