//! What a resolver and the servers behind it do to lookups: servers of one zone that disagree, answers cut where TCP is
//! silent, queries whose form is not understood, and who waited for whom.

#![expect(clippy::unwrap_used, reason = "a test fails where it finds less than it needs")]

mod scene;

use portmortem::attempts::{Attempts, Outcome};
use portmortem::findings::Severity;
use portmortem::findings::hypotheses::Assessment;
use portmortem::generate::Packet;
use portmortem::generate::dns::{self, Data, Message};
use scene::{MS, SECOND, Scene, leading};

const RESOLVER: &str = "192.0.2.53";
const ONE: &str = "198.51.100.53";
const OTHER: &str = "198.51.100.153";
const SYN: u8 = 2;
const TXT: u16 = 16;

/// A client's question to the resolver, and its answer.
fn asked(scene: &mut Scene, at: i64, wait: i64, number: usize, name: &str, message: &Message) {
    let from = format!("192.0.2.{}:{}", 10 + number % 4, 40_000 + number);
    scene.query(at, &from, RESOLVER, number as u16, name, dns::A);
    scene.reply(at + wait, RESOLVER, &from, &message.bytes());
}

/// A resolver's own question to a zone's server, asked as resolvers ask.
fn behind(scene: &mut Scene, at: i64, server: &str, id: u16, (name, qtype): (&str, u16)) -> String {
    let from = format!("{RESOLVER}:{}", 20_000 + id);
    let query = Message::query(id, name, qtype).flags(0).edns(1232).bytes();
    scene.put(at, Packet::udp(from.as_str(), format!("{server}:53").as_str(), &query));
    from
}

fn data(id: u16, name: &str, address: [u8; 4]) -> Message {
    Message::response(id, name, dns::A, 0).answer(Data::A(address.into()))
}

fn denial(id: u16, name: &str) -> Message {
    Message::response(id, name, dns::A, 3).authority("example.org")
}

/// A resolver that asks two servers by turns, of which one denies the name; `turns` tells at each round whom it asks, and whether that denies.
fn two_servers(turns: &[(&str, bool)]) -> Scene {
    let mut scene = Scene::default();
    for (round, (server, denies)) in turns.iter().enumerate() {
        let (at, id) = (round as i64 * 3 * SECOND, round as u16);
        let name = "app.example.org";
        let from = behind(&mut scene, at + MS, server, id, (name, dns::A));
        let (own, flags) =
            if *denies { (denial(id, name), 0x8403) } else { (data(id, name, [203, 0, 113, 20]), 0x8400) };
        scene.reply(at + 10 * MS, server, &from, &own.flags(flags).bytes());
        let told = if *denies { denial(id, name) } else { data(id, name, [203, 0, 113, 20]) };
        asked(&mut scene, at, 11 * MS, round, name, &told);
        asked(
            &mut scene,
            at + SECOND,
            MS,
            100 + round,
            "www.example.net",
            &data(100 + id, "www.example.net", [203, 0, 113, 9]),
        );
    }
    scene
}

#[test]
fn servers_that_disagree_by_turns_are_the_cause_of_what_the_resolver_denies() {
    let turns: Vec<(&str, bool)> =
        (0..12).map(|round| if round % 3 == 1 { (OTHER, true) } else { (ONE, false) }).collect();
    let (found, assessments) = two_servers(&turns).examine();
    let own = found.iter().find(|own| own.id == "servers-disagree").unwrap();
    assert_eq!(own.severity, Severity::Medium);
    assert!(own.statement.contains("198.51.100.153 denies what the other one gives"), "{}", own.statement);
    assert!(leading(&assessments).contains("H16"), "{:?}", leading(&assessments));
    let check = &assessments[0].checks[0];
    assert!(
        check.action.contains("@198.51.100.153 example.org SOA; dig")
            && check.action.contains("@198.51.100.53 example.org SOA")
    );
    assert!(check.expected.iter().any(|(cause, _)| cause.id() == "H16"));
}

#[test]
fn a_name_that_is_removed_is_a_change_in_time_not_a_disagreement() {
    let turns: Vec<(&str, bool)> =
        (0..12).map(|round| (if round % 2 == 0 { ONE } else { OTHER }, round >= 6)).collect();
    let (found, assessments) = two_servers(&turns).examine();
    assert!(found.iter().all(|own| own.id != "servers-disagree"));
    assert!(!leading(&assessments).contains("H16"));
}

#[test]
fn servers_that_give_each_its_own_addresses_are_no_incident_unless_those_fail() {
    let scene = |fails: bool| {
        let mut scene = Scene::default();
        for round in 0..8u16 {
            let at = i64::from(round) * 3 * SECOND;
            let (server, last) = if round % 2 == 0 { (ONE, 20) } else { (OTHER, 200) };
            let name = "shop.example.org";
            let from = behind(&mut scene, at + MS, server, round, (name, dns::A));
            let own = data(round, name, [203, 0, 113, last]).flags(0x8400).bytes();
            scene.reply(at + 10 * MS, server, &from, &own);
            asked(&mut scene, at, 11 * MS, usize::from(round), name, &data(round, name, [203, 0, 113, last]));
            let (from, to) = (format!("192.0.2.10:{}", 50_000 + round), format!("203.0.113.{last}:443"));
            scene.tcp(at + 20 * MS, &from, &to, SYN, b"");
            let bits = if fails && last == 200 { 0x14 } else { 0x12 };
            scene.tcp(at + 22 * MS, &to, &from, bits, b"");
        }
        scene.examine()
    };
    let (found, assessments) = scene(false);
    assert_eq!(found.iter().find(|own| own.id == "servers-disagree").unwrap().severity, Severity::Info);
    assert!(assessments.is_empty());
    let (found, assessments) = scene(true);
    let own = found.iter().find(|own| own.id == "servers-disagree").unwrap();
    assert_eq!(own.severity, Severity::High);
    assert!(own.statement.contains("addresses that only 198.51.100.153 gives failed"), "{}", own.statement);
    assert!(leading(&assessments).contains("H16"));
}

#[test]
fn a_resolver_that_knows_the_zone_and_not_the_name_is_not_called_the_wrong_one() {
    let mut scene = Scene::default();
    for round in 0..12u16 {
        let (at, from) = (i64::from(round) * 2 * SECOND, format!("192.0.2.10:{}", 41_000 + round));
        let server = if round % 2 == 0 { "192.0.2.1" } else { "192.0.2.2" };
        let name = if round % 4 < 2 { "new.example.org" } else { "www.example.org" };
        scene.query(at, &from, server, round, name, dns::A);
        let lacks = server == "192.0.2.2" && name.starts_with("new");
        let own = if lacks { denial(round, name) } else { data(round, name, [203, 0, 113, 9]) };
        scene.reply(at + 20 * MS, server, &from, &own.bytes());
    }
    let (found, assessments) = scene.examine();
    assert!(
        found
            .iter()
            .any(|own| own.id == "zone-unknown"
                && own.statement.contains("it gave data for other names there"))
    );
    assert_eq!(leading(&assessments), ["H16", "H37"].into_iter().collect());
    assert!(assessments[0].checks[0].action.contains("SOA"));
}

/// A resolver whose server cuts large answers and leaves TCP without a reply.
fn cut_and_silent() -> Scene {
    let mut scene = Scene::default();
    for round in 0..6usize {
        let (at, id) = (round as i64 * 6 * SECOND, round as u16);
        let name = "big.example.org";
        let from = behind(&mut scene, at + MS, ONE, id, (name, TXT));
        let cut = Message::response(id, name, TXT, 0).flags(0x8400).truncated().bytes();
        scene.reply(at + 10 * MS, ONE, &from, &cut);
        for second in [0, 1, 3] {
            scene.tcp(
                at + 12 * MS + second * SECOND,
                &format!("{RESOLVER}:{}", 33_000 + round),
                &format!("{ONE}:53"),
                SYN,
                b"",
            );
        }
        asked(&mut scene, at, 5 * SECOND + 100 * MS, round, name, &Message::response(id, name, dns::A, 2));
        let from = behind(&mut scene, at + SECOND, OTHER, 100 + id, ("www.example.net", dns::A));
        scene.reply(
            at + SECOND + 9 * MS,
            OTHER,
            &from,
            &data(100 + id, "www.example.net", [203, 0, 113, 9]).flags(0x8400).bytes(),
        );
    }
    scene
}

fn observations(assessment: &Assessment, cause: &str) -> String {
    let ledger = &assessment.hypothesis(cause).unwrap().ledger;
    ledger.iter().map(|row| row.observation.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn silence_over_tcp_behind_cut_answers_is_part_of_the_cause() {
    let (found, assessments) = cut_and_silent().examine();
    // It failed by what it said, however long that took.
    assert!(
        found.iter().any(|own| own.id == "rcode-outage") && found.iter().all(|own| own.id != "late-answers")
    );
    let front = assessments.iter().find(|own| own.leading().iter().any(|cause| cause.id() == "H13")).unwrap();
    let told = observations(front, "H13");
    assert!(told.contains("6 connections to TCP port 53 there (18 SYNs) got no answer"), "{told}");
    // A resolver's other servers are no alternative to the one of a zone: nothing says that its address is wrong.
    let back = assessments.iter().find(|own| own.leading().iter().any(|cause| cause.id() == "H8")).unwrap();
    assert!(back.leading().iter().all(|cause| cause.id() != "H4"));
    assert!(back.beside().any(|own| own.id() == "H12"));
    assert!(found.iter().any(|own| {
        own.statement.starts_with("6 connections to 198.51.100.53 port 53 failed (6 unanswered)")
    }));
}

#[test]
fn connections_to_a_dns_port_that_nobody_answers_are_attempts() {
    let (_, evidence) = cut_and_silent().load();
    let attempts = Attempts::of(&evidence);
    assert_eq!(attempts.unasked.len(), 6);
    assert!(attempts.unasked.iter().all(|own| own.outcome == Outcome::NoReply && own.tries == 3));
    assert!(attempts.all.is_empty(), "they are no service beside DNS");
    let name = |own: &portmortem::attempts::Attempt| evidence.failed_before(own.last.packet);
    assert!(attempts.unasked.iter().all(|own| name(own).is_some()));
}

#[test]
fn a_server_that_a_referral_names_is_no_wrong_address() {
    let mut scene = Scene::default();
    let root = "198.51.100.1";
    for round in 0..8u16 {
        let at = i64::from(round) * 4 * SECOND;
        let name = format!("host{round}.example.org");
        let from = behind(&mut scene, at, root, 200 + round, (&name, dns::A));
        let mut referral = Message::response(200 + round, &name, dns::A, 0).flags(0x8000).bytes();
        referral[9] = 1;
        referral[11] = 1;
        let (zone, server) = (dns::name("example.org"), dns::name("ns.example.org"));
        referral.extend(&zone);
        referral.extend([0, 2, 0, 1, 0, 0, 1, 0, 0, server.len() as u8]);
        referral.extend(&server);
        referral.extend(&server);
        referral.extend([0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 198, 51, 100, 53]);
        scene.reply(at + 9 * MS, root, &from, &referral);
        behind(&mut scene, at + 10 * MS, ONE, 300 + round, (&name, dns::A));
        let from = behind(&mut scene, at + 2 * SECOND, OTHER, 400 + round, ("www.example.net", dns::A));
        scene.reply(
            at + 2 * SECOND + 9 * MS,
            OTHER,
            &from,
            &data(400 + round, "www.example.net", [203, 0, 113, 9]).flags(0x8400).bytes(),
        );
    }
    let (_, assessments) = scene.examine();
    let led = leading(&assessments);
    assert!(led.contains("H8") && !led.contains("H4"), "{led:?}");
    assert!(observations(&assessments[0], "H4").contains("A referral names 198.51.100.53 for example.org."));
    assert!(!observations(&assessments[0], "H4").contains("Another resolver"));
    assert!(assessments[0].checks.iter().any(|check| check.action.contains("dig +norecurse @198.51.100.53")));
}

#[test]
fn a_query_that_is_not_understood_for_its_edns_is_no_failure_upstream() {
    let mut scene = Scene::default();
    for round in 0..12u16 {
        let (at, from) =
            (i64::from(round) * 2 * SECOND, format!("192.0.2.{}:{}", 10 + round % 3, 41_000 + round));
        let name = format!("host{}.example.org", round % 2);
        let query = Message::query(round, &name, dns::A);
        let (query, answer) = match round % 3 {
            2 => (query, data(round, &name, [203, 0, 113, 8])),
            _ => (query.edns(1232), Message::response(round, &name, dns::A, 1)),
        };
        scene.put(at, Packet::udp(from.as_str(), format!("{RESOLVER}:53").as_str(), &query.bytes()));
        scene.reply(at + 4 * MS, RESOLVER, &from, &answer.bytes());
    }
    let (_, assessments) = scene.examine();
    assert_eq!(leading(&assessments), ["H40"].into_iter().collect());
    assert!(
        observations(&assessments[0], "H40")
            .contains("All 8 queries that 192.0.2.53 answered so carry EDNS (an OPT record); 4 without one")
    );
    assert!(assessments[0].checks[0].action.starts_with("dig +noedns @192.0.2.53"));
}

#[test]
fn who_waited_over_its_own_retry_is_not_called_unaffected_and_late_is_not_lost() {
    let mut scene = Scene::default();
    for round in 0..24usize {
        let (at, id) = (round as i64 * 2 * SECOND, round as u16);
        let name = format!("host{round}.example.org");
        let from = format!("192.0.2.{}:{}", 10 + round % 4, 40_000 + round);
        scene.query(at, &from, RESOLVER, id, &name, dns::A);
        let wait = match round % 4 {
            0 => 3 * MS,
            1 => 2_300 * MS,
            2 => 9_000 * MS,
            _ => 0,
        };
        if round % 4 > 0 {
            scene.query(at + SECOND, &from, RESOLVER, id, &name, dns::A);
        }
        if wait > 0 {
            scene.reply(at + wait, RESOLVER, &from, &data(id, &name, [203, 0, 113, 9]).bytes());
        }
    }
    // The capture goes on, so that the last silence is one.
    asked(
        &mut scene,
        70 * SECOND,
        MS,
        400,
        "www.example.net",
        &data(400, "www.example.net", [203, 0, 113, 9]),
    );
    let (_, evidence) = scene.load();
    let problem = |late: bool| {
        let is = |own: &&portmortem::correlate::Problem| {
            (own.signature == portmortem::correlate::Signature::Late) == late
        };
        evidence.problems.iter().position(|own| is(&own)).unwrap()
    };
    let silent = evidence.impact(problem(false)).unwrap();
    let slow: Vec<String> = silent.slow.iter().map(|(address, _)| address.to_string()).collect();
    assert_eq!(slow, ["192.0.2.11"]);
    assert!(silent.unaffected.iter().any(|address| address.to_string() == "192.0.2.10"));
    let late = evidence.impact(problem(true)).unwrap();
    assert!(late.clients.iter().all(|client| client.late == client.failed && client.failed > 0));
    assert!(silent.clients.iter().all(|client| client.late == 0));
    // What was asked last failed last; its answer came eight seconds after that.
    let last = late.windows.last().unwrap().last_bad.at_ns;
    assert_eq!(last, scene::START_NS + (22 * 2 + 1) * SECOND);
}

#[test]
fn what_is_answered_from_another_address_is_not_called_unanswered() {
    let mut scene = Scene::default();
    let shared = "198.51.100.60";
    for round in 0..16u16 {
        let (at, from) =
            (i64::from(round) * 2 * SECOND, format!("192.0.2.{}:{}", 10 + round % 2, 41_000 + round));
        let name = format!("host{round}.example.org");
        scene.query(at, &from, shared, round, &name, dns::A);
        let answer = data(round, &name, [203, 0, 113, 8]).bytes();
        if round < 8 {
            scene.reply(at + 4 * MS, shared, &from, &answer);
            continue;
        }
        let reply = scene.reply(at + 4 * MS, ONE, &from, &answer);
        scene.put(at + 5 * MS, Packet::port_unreachable(&reply));
    }
    asked(
        &mut scene,
        70 * SECOND,
        MS,
        400,
        "www.example.net",
        &data(400, "www.example.net", [203, 0, 113, 9]),
    );
    let again = Scene { packets: scene.packets.clone(), ip_id: 0, snap: 0 };
    let (found, assessments) = scene.examine();
    let own = found.iter().find(|own| own.id == "unanswered-queries").unwrap();
    assert!(
        own.statement.contains("from it; 8 of them were answered from 198.51.100.53 instead"),
        "{}",
        own.statement
    );
    assert_eq!(leading(&assessments), ["H16"].into_iter().collect());
    assert_eq!(
        assessments[0].title.as_deref(),
        Some("Queries to DNS server 198.51.100.60 are answered from 198.51.100.53")
    );
    assert!(observations(&assessments[0], "H16").contains("8 of them met a port unreachable message"));
    assert!(assessments[0].wording.iter().all(|told| !told.text.contains("look alike")));
    let report = again.report();
    let told = report.claims().any(|claim| {
        claim.text.contains("were answered from 198.51.100.53, not from the address they asked")
    });
    assert!(told);
}
