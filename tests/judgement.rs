//! Judgements that must not go beyond what the packets show of DNS.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod scene;

use portmortem::findings::Severity;
use portmortem::findings::hypotheses::Assessment;
use portmortem::generate::dns::{self, Data, Message};
use portmortem::generate::{Packet, Segment, flags};
use scene::{MS, SECOND, SERVER, Scene, expect, weight};

#[test]
fn bare_names_refused_at_the_end_of_a_search_list_are_no_outage() {
    let mut scene = Scene::default();
    for number in 0..6_i64 {
        let (at, from) = (number * 4 * SECOND, format!("192.0.2.10:{}", 40_000 + number));
        scene.lookup(at, 5 * MS, &from, SERVER, number as u16, "git.corp.example");
        scene.query(at + SECOND, &from, SERVER, 100 + number as u16, "git", dns::A);
        let refused = dns::failure(100 + number as u16, "git", dns::A, dns::REFUSED);
        scene.reply(at + SECOND + MS, SERVER, &from, &refused);
    }
    let (found, _) = scene.examine();
    let own = found.iter().find(|own| own.id == "rcode-outage").map(|own| own.severity);
    assert!(own.is_none_or(|severity| severity <= Severity::Low), "{found:?}");
}

/// One question again and again, cut or whole and at times without answer; `size` is what each query offers.
fn limited(size: impl Fn(i64) -> u16) -> Scene {
    let mut scene = Scene::default();
    for number in 0..40_i64 {
        let (at, id) = (number * 3 * SECOND, number as u16);
        let from = format!("192.0.2.10:{}", 40_000 + number);
        let query = Message::query(id, "key.example", dns::TXT).edns(size(number)).bytes();
        scene.put(at, Packet::udp(from.as_str(), format!("{SERVER}:53").as_str(), &query));
        let mut message = Message::response(id, "key.example", dns::TXT, dns::NO_ERROR);
        message = match number % 4 {
            0 | 1 => message.answer(Data::Txt("k".repeat(200))),
            2 => message.truncated(),
            _ => continue,
        };
        scene.reply(at + 5 * MS, SERVER, &from, &message.bytes());
    }
    scene
}

#[test]
fn answers_cut_as_the_size_of_their_query_demands_show_no_limit_on_the_rate() {
    let limit = |scene: Scene| weight(&scene.examine().1, "H14", "L95");
    assert!(limit(limited(|_| 1232)).is_some());
    assert_eq!(limit(limited(|number| if number % 4 == 2 { 1232 } else { 4096 })), None);
}

/// A server that falls silent for a client that uses a port for each question; connections to others go on.
fn silent(connections: bool) -> Scene {
    let mut scene = Scene::default();
    for number in 0..30_i64 {
        let (at, id) = (number * 2 * SECOND, number as u16);
        let from = format!("192.0.2.10:{}", 40_000 + number);
        let name = format!("h{number}.example");
        if number < 15 {
            scene.lookup(at, 9 * MS, &from, SERVER, id, &name);
        } else {
            scene.query(at, &from, SERVER, id, &name, dns::A);
        }
        if connections {
            let (from, to) = (format!("192.0.2.10:{}", 50_000 + number), "198.51.100.80:80");
            scene.tcp(at + SECOND, &from, to, flags::SYN, b"");
            scene.tcp(at + SECOND + 9 * MS, to, &from, flags::SYN | flags::ACK, b"");
        }
    }
    // All that is not of the client's network comes from one router.
    for (_, frame) in &mut scene.packets {
        if frame.get(26) == Some(&198)
            && let Some(link) = frame.get_mut(6..12)
        {
            link.copy_from_slice(&[2, 0, 0, 0, 0, 1]);
        }
    }
    scene
}

#[test]
fn new_flows_through_the_same_router_speak_against_a_full_table() {
    let (_, assessments) = silent(false).examine();
    assert_eq!(weight(&assessments, "H22", "L128"), Some(5));
    assert_eq!(weight(&assessments, "H22", "L210"), None);
    let (_, assessments) = silent(true).examine();
    assert_eq!(weight(&assessments, "H22", "L210"), Some(-20));
}

/// A frame from a device with this last octet of its link address.
fn from_device(scene: &mut Scene, at: i64, device: u8, packet: Packet) {
    let packet = packet.id(scene.packets.len() as u16 + 1);
    let mut frame = packet.ethernet();
    if let Some(octet) = frame.get_mut(11) {
        *octet = device;
    }
    scene.packets.push((scene::START_NS + at, frame));
}

#[test]
fn a_host_of_which_only_flooded_queries_are_seen_is_not_judged() {
    let mut scene = Scene::default();
    for number in 0..12_i64 {
        let (at, id, name) = (number * 6 * SECOND, number as u16, format!("h{number}.example"));
        for (device, host) in [(0x10, "192.0.2.10"), (0x11, "192.0.2.11")] {
            let from = format!("{host}:{}", 40_000 + number);
            let query = |to: &str| {
                Packet::udp(from.as_str(), format!("{to}:53").as_str(), &dns::query(id, &name, dns::A))
            };
            from_device(&mut scene, at, device, query("192.0.2.2"));
            // The capture is taken at one of them, which goes on to the next resolver.
            if device == 0x10 {
                from_device(&mut scene, at + 2 * SECOND, device, query("192.0.2.3"));
                let answer = dns::answer(id, &name, Data::A([192, 0, 2, 80].into()));
                let answer = Packet::udp("192.0.2.3:53", from.as_str(), &answer);
                from_device(&mut scene, at + 2 * SECOND + MS, 0x03, answer);
            }
        }
    }
    let (found, _) = scene.examine();
    let own = found.iter().find(|own| own.id == "unanswered-queries").expect("a finding");
    assert!(own.statement.contains("questions from 192.0.2.10 to 192.0.2.2"), "{}", own.statement);
}

/// A denial that names its zone, with the serial number of the start of authority.
fn denial(id: u16, name: &str, code: u8, serial: u32) -> Vec<u8> {
    let mut message = Message::response(id, name, dns::A, code).authority("bakery.example").bytes();
    let known = 2_024_051_401_u32.to_be_bytes();
    let at = message.windows(4).position(|bytes| bytes == known).expect("a serial number");
    message[at..at + 4].copy_from_slice(&serial.to_be_bytes());
    message
}

/// A name that is given until 30 s and denied from then on, as `denied` says; another one of the zone never was there.
fn removed(denied: impl Fn(u16, i64) -> Vec<u8>) -> Scene {
    let mut scene = Scene::default();
    for number in 0..20_i64 {
        let (at, id, from) = (number * 3 * SECOND, number as u16, format!("192.0.2.10:{}", 40_000 + number));
        scene.lookup(at, 9 * MS, &from, SERVER, 500 + id, "www.other.example");
        let never = denial(300 + id, "wpad.bakery.example", dns::NAME_ERROR, if number < 10 { 7 } else { 8 });
        scene.query(at + SECOND, &from, SERVER, 300 + id, "wpad.bakery.example", dns::A);
        scene.reply(at + SECOND + 9 * MS, SERVER, &from, &never);
        if number < 10 {
            scene.lookup(at + 2 * SECOND, 9 * MS, &from, SERVER, id, "www.shop.bakery.example");
        } else {
            scene.query(at + 2 * SECOND, &from, SERVER, id, "www.shop.bakery.example", dns::A);
            scene.reply(at + 2 * SECOND + 9 * MS, SERVER, &from, &denied(id, number));
        }
    }
    scene
}

/// What the ledger says for a cause by a row.
fn says(assessments: &[Assessment], cause: &str, row: &str) -> String {
    let ledger = assessments.first().and_then(|own| own.hypothesis(cause)).map(|own| own.ledger.as_slice());
    let found = ledger.unwrap_or_default().iter().find(|own| own.id == row);
    found.map(|own| own.observation.clone()).unwrap_or_default()
}

#[test]
fn a_name_removed_from_its_zone_is_told_with_zone_and_times() {
    for code in [dns::NAME_ERROR, dns::NO_ERROR] {
        let gone = |id: u16, _: i64| denial(id, "www.shop.bakery.example", code, 8);
        let (found, assessments) = expect(removed(gone), "H15");
        let text = says(&assessments, "H15", "L74");
        assert_eq!(weight(&assessments, "H15", "L74"), Some(20), "{text}");
        for part in [
            "www.shop.bakery.example",
            " until 22:13:49",
            "22:13:52",
            "is bakery.example, changed",
            "8 after 7",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let own = found.iter().find(|own| own.id == "rcode-outage").expect("a finding");
        assert!(
            own.statement.contains(if code == 0 {
                "10 of 60 questions of 192.0.2.10 with NODATA"
            } else {
                "NXDOMAIN"
            }),
            "{}",
            own.statement
        );
        assert_eq!(own.severity, Severity::Medium);
    }
}

#[test]
fn a_name_removed_from_a_zone_whose_number_stands_may_be_another_view() {
    let gone = |id: u16, _: i64| denial(id, "www.shop.bakery.example", dns::NAME_ERROR, 7);
    let mut scene = removed(gone);
    scene.packets.retain(|(_, frame)| !frame.windows(4).any(|bytes| bytes == b"wpad"));
    let (_, assessments) = expect(scene, "H15");
    assert_eq!(weight(&assessments, "H15", "L74"), Some(10));
    assert!(assessments[0].hypothesis("H15").expect("it leads").cannot_tell.contains("views"));
}

#[test]
fn addresses_that_come_and_go_are_no_failure() {
    let by_turns = |id: u16, number: i64| {
        if number % 2 == 0 {
            return denial(id, "www.shop.bakery.example", dns::NO_ERROR, 7);
        }
        dns::answer(id, "www.shop.bakery.example", Data::A([192, 0, 2, 80].into()))
    };
    let (found, assessments) = removed(by_turns).examine();
    assert!(assessments.is_empty(), "{found:?}");
}

#[test]
fn that_a_name_has_no_address_of_the_other_family_says_not_that_it_is_back() {
    let gone = |id: u16, _: i64| denial(id, "www.shop.bakery.example", dns::NAME_ERROR, 8);
    let mut scene = removed(gone);
    for number in 0..20_i64 {
        let (at, id, from) = (number * 3 * SECOND, number as u16, format!("192.0.2.10:{}", 50_000 + number));
        scene.query(at + 2100 * MS, &from, SERVER, id, "www.shop.bakery.example", dns::AAAA);
        let code = if number < 10 { dns::NO_ERROR } else { dns::NAME_ERROR };
        let none =
            Message::response(id, "www.shop.bakery.example", dns::AAAA, code).authority("bakery.example");
        scene.reply(at + 2109 * MS, SERVER, &from, &none.bytes());
    }
    let (_, assessments) = expect(scene, "H15");
    let text = says(&assessments, "H15", "L74");
    assert!(text.contains(" until 22:13:49") && !text.contains("again"), "{text}");
}

/// Lookups of a client that moves from one resolver to another, which denies the zone `lacks`; `both` asks both each time.
fn moved(zones: &[&str], same_client: bool, both: bool) -> Scene {
    const OTHER: &str = "203.0.113.53";
    let mut scene = Scene::default();
    for number in 0..24_i64 {
        let (at, id) = (number * 2 * SECOND, number as u16);
        let (late, zone) = (number >= 12, zones[number as usize % zones.len()]);
        let client = if late && !same_client { "192.0.2.11" } else { "192.0.2.10" };
        let from = format!("{client}:{}", 40_000 + number);
        let name = format!("h{}.{zone}", number % 3);
        if late {
            scene.query(at, &from, OTHER, id, &name, dns::A);
            let none = Message::response(id, &name, dns::A, dns::NAME_ERROR).authority("example");
            scene.reply(at + 8 * MS, OTHER, &from, &none.bytes());
            scene.lookup(at + SECOND, 8 * MS, &from, OTHER, 700 + id, &format!("www{number}.site.test"));
        }
        if !late || both {
            scene.lookup(at + 20 * MS, 8 * MS, &from, SERVER, id, &name);
        }
    }
    scene
}

#[test]
fn a_zone_that_only_the_resolver_before_knows_is_split_dns() {
    for same_client in [true, false] {
        let (found, assessments) = expect(moved(&["corp.example"], same_client, false), "H37");
        let own = found.iter().find(|own| own.id == "zone-unknown").expect("a finding");
        assert_eq!(own.severity, Severity::Medium);
        for part in [
            "203.0.113.53 denied (NXDOMAIN) 12 questions",
            "names in corp.example",
            SERVER,
            "come from example (SOA)",
        ] {
            assert!(own.statement.contains(part), "{part}: {}", own.statement);
        }
        assert_eq!(own.statement.contains("gave data before"), same_client, "{}", own.statement);
        assert_eq!(weight(&assessments, "H37", "L132"), Some(if same_client { 20 } else { 10 }));
        assert_eq!(weight(&assessments, "H37", "L133"), Some(10));
        let title = assessments[0].title.clone().unwrap_or_default();
        assert!(
            title.contains("203.0.113.53 does not know names in corp.example") && title.contains(SERVER),
            "{title}"
        );
    }
}

#[test]
fn a_client_that_asks_two_resolvers_each_time_lacks_nothing() {
    let (found, assessments) = moved(&["corp.example"], true, true).examine();
    assert!(assessments.is_empty(), "{found:?}");
    let own = found.iter().find(|own| own.id == "zone-unknown").map(|own| own.severity);
    assert_eq!(own, Some(Severity::Info));
}

#[test]
fn a_resolver_that_hides_names_of_many_zones_blocks_them() {
    let many = ["ads1.example", "ads2.example", "ads3.example", "ads4.example"];
    let (found, _) = moved(&many, true, false).examine();
    assert!(found.iter().all(|own| own.id != "zone-unknown"), "{found:?}");
}

/// Forty questions, each of its own name: a third is answered, a third cut, and the rest is dropped. Over TCP comes an answer of
/// `bytes`, or nothing.
fn rationed(bytes: Option<usize>, drops: bool) -> Scene {
    let mut scene = Scene::default();
    for number in 0..40_i64 {
        let (at, id, name) = (number * 100 * MS, number as u16, format!("h{number}.example"));
        let from = format!("192.0.2.10:{}", 40_000 + number);
        if number % 3 == 0 {
            scene.lookup(at, 4 * MS, &from, SERVER, id, &name);
            continue;
        }
        scene.query(at, &from, SERVER, id, &name, dns::A);
        if number % 3 == 1 {
            let cut = Message::response(id, &name, dns::A, dns::NO_ERROR).truncated();
            scene.reply(at + 4 * MS, SERVER, &from, &cut.bytes());
            let Some(bytes) = bytes else { continue };
            let (tcp, to) = (format!("192.0.2.10:{}", 50_000 + number), format!("{SERVER}:53"));
            let whole = Message::response(id, &name, dns::A, dns::NO_ERROR)
                .answer(Data::A([192, 0, 2, 80].into()))
                .answer(Data::Other(99, vec![0; bytes]));
            let asks = dns::over_tcp(&dns::query(id, &name, dns::A));
            let answer = dns::over_tcp(&whole.bytes());
            let mut segment = |at: i64, out: bool, bits: u8, seq: u32, ack: u32, payload: &[u8]| {
                let (one, two) = if out { (tcp.as_str(), to.as_str()) } else { (to.as_str(), tcp.as_str()) };
                let segment = Segment { flags: bits, sequence: seq, acknowledgment: ack };
                scene.put(at, Packet::tcp(one, two, segment, payload));
            };
            let (asked, answered) = (asks.len() as u32, answer.len() as u32);
            segment(at + 5 * MS, true, flags::SYN, 100, 0, b"");
            segment(at + 6 * MS, false, flags::SYN | flags::ACK, 900, 101, b"");
            segment(at + 7 * MS, true, flags::ACK | flags::PSH, 101, 901, &asks);
            segment(at + 8 * MS, false, flags::ACK | flags::PSH, 901, 101 + asked, &answer);
            segment(at + 9 * MS, true, flags::ACK | flags::FIN, 101 + asked, 901 + answered, b"");
        } else if !drops {
            scene.reply(at + 4 * MS, SERVER, &from, &dns::answer(id, &name, Data::A([192, 0, 2, 80].into())));
        }
    }
    scene.lookup(30 * SECOND, 4 * MS, "192.0.2.10:39999", SERVER, 99, "late.example");
    scene
}

#[test]
fn answers_cut_although_they_fit_tell_a_limit_on_the_rate() {
    // Dropped beside cut: the limit explains both.
    let (found, assessments) = expect(rationed(Some(20), true), "H14");
    assert!(says(&assessments, "H14", "L95").contains("left 13 questions unanswered"), "{assessments:?}");
    let own = found.iter().find(|own| own.id == "responses-limited").expect("a finding");
    assert!(
        own.statement.contains("cut 13 answers (TC)") && own.severity == Severity::Info,
        "{}",
        own.statement
    );
    // All rescued over TCP: told, and no failure.
    let (found, assessments) = rationed(Some(20), false).examine();
    assert!(assessments.is_empty(), "{:?}", assessments.first().map(|own| &own.title));
    let own = found.iter().find(|own| own.id == "responses-limited").expect("a finding");
    assert!(own.statement.contains("TCP brought the whole answer 13 times"), "{}", own.statement);
    assert_eq!(own.severity, Severity::Low);
}

#[test]
fn answers_cut_because_they_are_large_tell_no_limit() {
    for scene in [rationed(Some(600), false), rationed(None, false)] {
        let (found, _) = scene.examine();
        assert!(found.iter().all(|own| own.id != "responses-limited"), "{found:?}");
    }
}

/// Whether any finding calls a zone unknown to a resolver, after `more` was added to a client that moved to another one.
fn lacks_a_zone(more: impl Fn(&mut Scene)) -> bool {
    let mut scene = moved(&["corp.example"], true, false);
    more(&mut scene);
    scene.examine().0.iter().any(|own| own.id == "zone-unknown")
}

#[test]
fn a_resolver_that_asks_the_other_one_or_is_denied_by_it_lacks_no_zone_of_its_own() {
    assert!(lacks_a_zone(|_| {}));
    let asks = |scene: &mut Scene| scene.lookup(SECOND, MS, "203.0.113.53:5353", SERVER, 1, "www.test");
    assert!(!lacks_a_zone(asks), "what it hands on is another's");
    let denied = |scene: &mut Scene| {
        for number in 0..3_u16 {
            let (at, name) = (i64::from(number) * SECOND + 60 * SECOND, format!("h{number}.corp.example"));
            scene.query(at, "192.0.2.12:40000", SERVER, number, &name, dns::A);
            let none = dns::failure(number, &name, dns::A, dns::NAME_ERROR);
            scene.reply(at + MS, SERVER, "192.0.2.12:40000", &none);
        }
    };
    assert!(!lacks_a_zone(denied), "the names are gone everywhere");
    let known = |scene: &mut Scene| {
        for number in 0..3_u16 {
            let name = format!("h{number}.corp.example");
            scene.lookup(
                i64::from(number) * SECOND + 60 * SECOND,
                MS,
                "192.0.2.12:40000",
                "203.0.113.53",
                number,
                &name,
            );
        }
    };
    assert!(!lacks_a_zone(known), "it gives them at another time");
}

#[test]
fn a_referral_denies_nothing() {
    // Without AA and RA it is no answer of the zone (RFC 2308 §2.2).
    let refers = |id: u16, _: i64| {
        Message::response(id, "www.shop.bakery.example", dns::A, dns::NO_ERROR).flags(0x8000).bytes()
    };
    let (found, _) = removed(refers).examine();
    assert!(found.iter().all(|own| own.id != "rcode-outage"), "{found:?}");
}
