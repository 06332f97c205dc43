//! What answers say: addresses that change or differ between servers, zones that are not handed on, search domains without names,
//! signatures that do not hold.

#![expect(clippy::too_many_arguments, reason = "a visit is told by all of it")]

mod scene;

use portmortem::findings::hypotheses::Assessment;
use portmortem::findings::{Finding, Severity};
use portmortem::generate::dns::{self, Data, Message};
use portmortem::generate::{Packet, Segment, flags};
use scene::{MS, SECOND, SERVER, START_NS, Scene, leading};

const CLIENT: &str = "192.0.2.11";
const PRIMARY: &str = "198.51.100.53";
const SECONDARY: &str = "198.51.100.54";
/// Flag words: an authoritative answer, a notice of a changed zone.
const AUTHORITATIVE: u16 = 0x8580;
const NOTIFY: u16 = 4 << 11;
const TRANSFER: u16 = 252;
const RRSIG: u16 = 46;

fn told<'f>(found: &'f [Finding], id: &str) -> Option<&'f Finding> {
    found.iter().find(|finding| finding.id == id)
}

/// A lookup with the address given, and a connection to it that is accepted and closed, or repeats its SYN in vain.
fn visit(scene: &mut Scene, at: i64, number: u16, server: &str, name: &str, last: u8, served: bool) {
    let from = format!("{CLIENT}:{}", 30_000 + number);
    scene.query(at, &from, server, number, name, dns::A);
    let answer = Message::response(number, name, dns::A, 0).answer(Data::A([198, 51, 100, last].into()));
    scene.reply(at + MS, server, &from, &answer.flags(AUTHORITATIVE).bytes());
    let (from, to) = (format!("{CLIENT}:{}", 40_000 + number), format!("198.51.100.{last}:443"));
    let mut put = |at: i64, out: bool, bits: u8, sequence: u32, acknowledgment: u32| {
        let (one, two) = if out { (from.as_str(), to.as_str()) } else { (to.as_str(), from.as_str()) };
        scene.put(at, Packet::tcp(one, two, Segment { flags: bits, sequence, acknowledgment }, b""));
    };
    put(at + 2 * MS, true, flags::SYN, 100, 0);
    if served {
        put(at + 3 * MS, false, flags::SYN | flags::ACK, 900, 101);
        put(at + 4 * MS, true, flags::ACK, 101, 901);
        put(at + 5 * MS, true, flags::ACK | flags::FIN, 101, 901);
        put(at + 6 * MS, false, flags::ACK | flags::FIN, 901, 102);
    } else {
        put(at + SECOND, true, flags::SYN, 100, 0);
        put(at + 3 * SECOND, true, flags::SYN, 100, 0);
    }
}

/// Visits every five seconds: to which address, by which server, and whether it serves.
fn visits(all: &[(u8, &str, bool)]) -> (Vec<Finding>, Vec<Assessment>) {
    let mut scene = Scene::default();
    for (number, (last, server, served)) in all.iter().enumerate() {
        let at = number as i64 * 5 * SECOND;
        visit(&mut scene, at, number as u16, server, "app.example", *last, *served);
    }
    scene.lookup(90 * SECOND, MS, "192.0.2.99:30003", PRIMARY, 3, "late.example");
    scene.examine()
}

fn says(assessments: &[Assessment], row: &str) -> Option<String> {
    let all = assessments.iter().flat_map(|own| &own.hypotheses).flat_map(|own| &own.ledger);
    all.filter(|own| own.id == row).map(|own| own.observation.clone()).next()
}

#[test]
fn an_answer_that_changes_to_an_address_that_fails_is_a_wrong_record() {
    let (good, bad) = ((80, PRIMARY, true), (180, PRIMARY, false));
    let (found, assessments) = visits(&[good, good, bad, bad, bad, good, good]);
    let own = told(&found, "led-astray").unwrap();
    assert_eq!(own.severity, Severity::Medium);
    let text = "the answers for app.example gave 198.51.100.80 until 22:13:25, 198.51.100.180 from 22:13:30 to 22:13:40, \
                and 198.51.100.80 again from 22:13:45 on; 4 attempts at 198.51.100.80 were served";
    assert!(own.statement.starts_with(text), "{}", own.statement);
    assert!(leading(&assessments).contains("H4"), "{:?}", leading(&assessments));
    let wording: Vec<&str> = assessments[0].wording.iter().map(|own| own.text.as_str()).collect();
    assert!(!wording.iter().any(|text| text.contains("DNS worked")), "{wording:?}");
}

#[test]
fn a_server_that_goes_on_giving_the_old_address_is_told_beside_the_other() {
    let (new, old) = ((81, PRIMARY, true), (80, SECONDARY, false));
    let (found, _) = visits(&[(80, SECONDARY, false), new, old, new, old, new, old]);
    let text = "gave 198.51.100.80 at 198.51.100.54, the last time at";
    // Both answer with authority: the rule for servers that disagree may tell it as well, once.
    let all: Vec<&str> = found.iter().map(|own| own.statement.as_str()).collect();
    let own = told(&found, "led-astray").map(|own| own.statement.as_str());
    assert!(
        own.is_some_and(|own| own.contains(text)) || told(&found, "servers-disagree").is_some(),
        "{all:#?}"
    );
}

#[test]
fn addresses_given_by_turns_or_failing_alike_are_no_wrong_record() {
    let (good, bad) = ((80, PRIMARY, true), (180, PRIMARY, false));
    // A load that is shared.
    let (found, _) = visits(&[good, bad, good, bad, good, bad, good]);
    assert!(told(&found, "led-astray").is_none(), "{found:?}");
    // Nobody is served at the other address either.
    let fails = (80, PRIMARY, false);
    let (found, _) = visits(&[fails, fails, bad, bad, bad, fails]);
    assert!(told(&found, "led-astray").is_none(), "{found:?}");
    assert!(told(&found, "site-down").is_some());
}

/// What a secondary gets when it asks for a zone.
#[derive(Clone, Copy, PartialEq)]
enum Transfer {
    Refused,
    Silent,
    Given,
}

/// A secondary that asks for a zone, answers from its copy and then no longer.
fn expired(transfer: Transfer) -> Scene {
    let refused = transfer == Transfer::Refused;
    let mut scene = Scene::default();
    let (zone, name) = ("corp.example", "intra.corp.example");
    let notice = Message::query(1, zone, 6).flags(NOTIFY).bytes();
    scene
        .put(0, Packet::udp(format!("{PRIMARY}:5300").as_str(), format!("{SECONDARY}:53").as_str(), &notice));
    let accepted = Message::response(1, zone, 6, 0).flags(NOTIFY | 0x8000).bytes();
    scene.reply(MS, SECONDARY, &format!("{PRIMARY}:5300"), &accepted);
    for number in 0..4_u16 {
        let at = (2 + i64::from(number)) * SECOND;
        let from = format!("{SECONDARY}:{}", 50_000 + number);
        if transfer == Transfer::Silent {
            let asks = Message::query(number, zone, 6).flags(0).bytes();
            scene.put(at, Packet::udp(from.as_str(), format!("{PRIMARY}:53").as_str(), &asks));
            let says = Message::response(number, zone, 6, 0).authority(zone).flags(0x8400).bytes();
            scene.reply(at + MS, PRIMARY, &from, &says);
            for wait in [2 * MS, 300 * MS] {
                scene.tcp(at + wait, &from, &format!("{PRIMARY}:53"), flags::SYN, b"");
            }
            continue;
        }
        let asks = Message::query(number, zone, TRANSFER).flags(0).bytes();
        scene.put(at, Packet::udp(from.as_str(), format!("{PRIMARY}:53").as_str(), &asks));
        let says = Message::response(number, zone, TRANSFER, if refused { 5 } else { 0 }).flags(if refused {
            0x8005
        } else {
            0x8400
        });
        scene.reply(at + MS, PRIMARY, &from, &says.bytes());
    }
    for number in 0..12_u16 {
        let at = (3 + i64::from(number)) * SECOND;
        let from = format!("{CLIENT}:{}", 30_000 + number);
        scene.query(at, &from, SECONDARY, number, name, dns::A);
        let answer = if number < 4 {
            let answer =
                Message::response(number, name, dns::A, 0).answer(Data::A([198, 51, 100, 80].into()));
            answer.flags(AUTHORITATIVE).bytes()
        } else {
            dns::failure(number, name, dns::A, 2)
        };
        scene.reply(at + MS, SECONDARY, &from, &answer);
        scene.lookup(
            at + 10 * MS,
            MS,
            &format!("{CLIENT}:{}", 31_000 + number),
            SECONDARY,
            100 + number,
            "lab.example",
        );
    }
    scene.lookup(90 * SECOND, MS, "192.0.2.99:30003", PRIMARY, 3, "late.example");
    scene
}

#[test]
fn a_secondary_that_is_refused_its_zone_and_fails_it_is_told_as_one_matter() {
    let (found, assessments) = expired(Transfer::Refused).examine();
    let own = told(&found, "declined").unwrap();
    assert_eq!(own.severity, Severity::Medium, "{}", own.statement);
    assert!(
        own.statement.ends_with(
            "198.51.100.54 gave 4 answers with authority from the copy it had, the last one at 22:13:26, and answered names in it \
             with SERVFAIL, the first time at 22:13:27"
        ),
        "{}",
        own.statement
    );
    let row = says(&assessments, "L232").unwrap();
    assert!(
        row.contains("told at 22:13:20 that it had changed (NOTIFY), asked 198.51.100.53 4 times"),
        "{row}"
    );
    assert_eq!(leading(&assessments).into_iter().collect::<Vec<_>>(), ["H13"]);
    // Who is given the zone fails for another reason.
    assert!(says(&expired(Transfer::Given).examine().1, "L232").is_none());
    // No connection to the primary comes about.
    let row = says(&expired(Transfer::Silent).examine().1, "L232").unwrap();
    assert!(
        row.contains(
            "tried 4 connections to 198.51.100.53 for the zone corp.example (transfer) and none came about"
        ),
        "{row}"
    );
}

/// Lookups of three short names in two domains by two clients; the second one's domain holds none of them.
fn domains(shown: &str, next_ns: Option<i64>) -> Vec<Finding> {
    let mut scene = Scene::default();
    for (number, short) in ["files", "intra", "wiki", "files", "intra", "wiki"].iter().enumerate() {
        let (at, id) = (number as i64 * 5 * SECOND, number as u16);
        let known = format!("{short}.corp.example");
        scene.lookup(at, MS, &format!("{CLIENT}:{}", 30_000 + number), SERVER, id, &known);
        let (from, name) = (format!("192.0.2.13:{}", 31_000 + number), format!("{short}.{shown}"));
        scene.query(at + SECOND, &from, SERVER, 100 + id, &name, dns::A);
        scene.reply(at + SECOND + MS, SERVER, &from, &dns::failure(100 + id, &name, dns::A, 3));
        if let Some(next_ns) = next_ns {
            let from = format!("192.0.2.13:{}", 32_000 + number);
            scene.lookup(at + SECOND + next_ns, MS, &from, SERVER, 200 + id, &known);
        }
        scene.lookup(
            at + 2 * SECOND,
            MS,
            &format!("192.0.2.13:{}", 33_000 + number),
            SERVER,
            300 + id,
            "www.example",
        );
    }
    scene.examine().0
}

#[test]
fn names_completed_with_a_domain_that_holds_none_tell_a_wrong_search_domain() {
    let found = domains("crop.example", None);
    let own = told(&found, "search-domain").unwrap();
    assert_eq!(own.severity, Severity::Medium);
    assert!(
        own.statement.starts_with("6 questions of 192.0.2.13 for names in crop.example"),
        "{}",
        own.statement
    );
    assert!(own.statement.contains("exist in corp.example"), "{}", own.statement);
    // It finds them later, under their whole names.
    assert_eq!(
        told(&domains("crop.example", Some(3 * SECOND)), "search-domain").unwrap().severity,
        Severity::Low
    );
    // A search list goes on to the next domain at once.
    assert!(told(&domains("crop.example", Some(20 * MS)), "search-domain").is_none());
}

/// A signature of `pay.example` over A that holds from then until then, in seconds from the start of the capture.
fn signature(from_s: i64, until_s: i64) -> Data {
    let at = |seconds: i64| ((START_NS / SECOND + seconds) as u32).to_be_bytes();
    let mut data = vec![0, 1, 13, 2, 0, 0, 0, 14];
    data.extend(at(until_s));
    data.extend(at(from_s));
    data.extend([0, 1]);
    data.extend(dns::name("pay.example"));
    data.extend([7; 64]);
    Data::Other(RRSIG, data)
}

/// A resolver that asks a zone's server, is answered with these signatures, and fails its client from the third question on.
fn signed(signatures: &dyn Fn(i64) -> Vec<Data>) -> Vec<Assessment> {
    let mut scene = Scene::default();
    for number in 0..8_u16 {
        let (at, name) = (i64::from(number) * 5 * SECOND, "www.pay.example");
        let (from, up) = (format!("{CLIENT}:{}", 30_000 + number), format!("{SERVER}:{}", 50_000 + number));
        scene.query(at, &from, SERVER, number, name, dns::A);
        scene.query(at + MS, &up, "203.0.113.10", 900 + number, name, dns::A);
        let mut answer =
            Message::response(900 + number, name, dns::A, 0).answer(Data::A([203, 0, 113, 61].into()));
        for own in signatures(at / SECOND) {
            answer = answer.answer(own);
        }
        scene.reply(at + 2 * MS, "203.0.113.10", &up, &answer.flags(0x8400).bytes());
        let says = if number < 2 {
            dns::answer(number, name, Data::A([203, 0, 113, 61].into()))
        } else {
            dns::failure(number, name, dns::A, 2)
        };
        scene.reply(at + 3 * MS, SERVER, &from, &says);
        scene.lookup(
            at + SECOND,
            MS,
            &format!("{CLIENT}:{}", 31_000 + number),
            SERVER,
            100 + number,
            "shop.example",
        );
    }
    scene.lookup(90 * SECOND, MS, "192.0.2.99:30003", SERVER, 3, "late.example");
    scene.examine().1
}

#[test]
fn signatures_are_held_against_the_time_of_their_packets() {
    let day = 86_400;
    let over = signed(&|at| vec![if at < 25 { signature(-day, 8) } else { signature(-60, 10 * day) }]);
    let row = says(&over, "L203").unwrap();
    assert_eq!(
        row,
        "3 answers of 203.0.113.10 hold signatures (RRSIG) of pay.example that had expired at 22:13:28, by the clock of the capture; \
         the first of these failures came at 22:13:30; answers from 22:13:45 on hold new ones, good until 2023-11-24 22:13:20."
    );
    let early = says(&signed(&|_| vec![signature(3_600, day)]), "L231").unwrap();
    assert!(early.contains("that begin to hold only at 23:13:20"), "{early}");
    // What has one signature that holds is signed.
    let both = signed(&|_| vec![signature(-day, 8), signature(-60, 10 * day)]);
    assert!(says(&both, "L203").is_none() && says(&both, "L231").is_none());
}
