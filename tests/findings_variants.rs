//! Hypotheses on generated captures: one made for each kind of failure, from addresses and times of its own.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod scene;

use portmortem::findings::hypotheses::Verdict;
use portmortem::findings::{Finding, Severity};
use portmortem::generate::dns::{self, Data, Message};
use portmortem::generate::{Packet, flags, link};
use scene::{MS, SECOND, SERVER, START_NS, Scene, client, expect, leading, weight};

/// Random labels from many clients; `answer` makes the response, if any.
fn flood(answer: impl Fn(u16, &str) -> Option<Vec<u8>>) -> Scene {
    let mut scene = Scene::default();
    for second in 0..30 {
        scene.lookup(
            second * SECOND,
            8 * MS,
            &client(second as usize),
            SERVER,
            second as u16,
            "www.example.org",
        );
    }
    for number in 0..1_500_usize {
        let at = 30 * SECOND + number as i64 * 4 * MS;
        let name = format!("q{:x}.victim.example", number.wrapping_mul(2_654_435_761) & 0xff_ffff);
        let (from, id) = (client(number), number as u16);
        scene.query(at, &from, SERVER, id, &name, dns::A);
        if let Some(message) = answer(id, &name) {
            scene.reply(at + 9 * MS, SERVER, &from, &message);
        }
    }
    scene.lookup(60 * SECOND, 8 * MS, &client(7), SERVER, 9, "www.example.org");
    scene
}

#[test]
fn a_random_subdomain_flood_is_load_whatever_the_server_answers() {
    type Answer = fn(u16, &str) -> Option<Vec<u8>>;
    let answers: [Answer; 3] = [
        |id, name| Some(dns::failure(id, name, dns::A, dns::NAME_ERROR)),
        |id, name| Some(dns::failure(id, name, dns::A, dns::SERVER_FAILURE)),
        |_, _| None,
    ];
    for answer in answers {
        let (found, assessments) = expect(flood(answer), "H9");
        assert!(found.iter().any(|f| f.id == "random-subdomain-flood" && f.severity == Severity::High));
        assert!(assessments[0].attack.iter().any(|technique| technique.starts_with("T1499.002")));
    }
}

#[test]
fn a_host_flooded_with_answers_it_did_not_ask_for_is_a_victim_of_reflection() {
    let mut scene = Scene::default();
    let victim = "192.0.2.200";
    for second in 0..5 {
        scene.lookup(second * SECOND, 8 * MS, "192.0.2.200:40000", SERVER, second as u16, "www.example.org");
    }
    for number in 0..300_i64 {
        let resolver = format!("203.0.113.{}", 10 + number % 25);
        let message = Message::response(number as u16, "big.example", 255, dns::NO_ERROR)
            .answer(Data::Txt("x".repeat(240)))
            .bytes();
        let at = 6 * SECOND + number * 5 * MS;
        let response = scene.reply(at, &resolver, &format!("{victim}:4444"), &message);
        if number % 20 == 0 {
            scene.put(at + MS, Packet::port_unreachable(&response));
        }
    }
    let (found, assessments) = expect(scene, "H9");
    assert!(found.iter().any(|f| f.id == "reflection" && f.severity == Severity::High));
    assert!(assessments[0].attack.iter().any(|technique| technique.starts_with("T1498.002")));
}

/// 200 questions with large answers; what the source does of each fifth answer.
fn large_answers(after: impl Fn(&mut Scene, i64, &Packet)) -> Scene {
    let mut scene = Scene::default();
    for number in 0..200_i64 {
        let at = number * 20 * MS;
        scene.query(at, "203.0.113.99:53000", SERVER, number as u16, "big.example", 255);
        let mut message = Message::response(number as u16, "big.example", 255, dns::NO_ERROR);
        for _ in 0..5 {
            message = message.answer(Data::Txt("x".repeat(250)));
        }
        let answer = scene.reply(at + MS, SERVER, "203.0.113.99:53000", &message.bytes());
        if number % 5 == 0 {
            after(&mut scene, at + 2 * MS, &answer);
        }
    }
    scene
}

#[test]
fn a_source_that_asks_only_what_amplifies_points_at_reflection_through_the_server() {
    let reflection =
        |found: &[Finding]| found.iter().find(|own| own.id == "reflection").map(|own| own.severity);
    let (found, _) = expect(large_answers(|_, _, _| ()), "H9");
    assert_eq!(reflection(&found), Some(Severity::Low));
    let refuses = |scene: &mut Scene, at, answer: &Packet| {
        scene.put(at, Packet::port_unreachable(answer));
    };
    let (found, _) = expect(large_answers(refuses), "H9");
    assert_eq!(reflection(&found), Some(Severity::High));
}

#[test]
fn a_source_that_asks_for_other_things_or_goes_on_over_tcp_is_no_victim_of_reflection() {
    let asks = |scene: &mut Scene, at, _: &Packet| {
        scene.lookup(at, MS, "203.0.113.99:40000", SERVER, (at / MS) as u16, "www.example");
    };
    let goes_on = |scene: &mut Scene, at: i64, _: &Packet| {
        let (from, to) = (format!("203.0.113.99:{}", 40_000 + at / MS), format!("{SERVER}:53"));
        scene.tcp(at, &from, &to, flags::SYN, b"");
        scene.tcp(at + MS, &to, &from, flags::SYN | flags::ACK, b"");
    };
    for (found, _) in [large_answers(asks).examine(), large_answers(goes_on).examine()] {
        assert!(found.iter().all(|own| own.id != "reflection"));
    }
}

#[test]
fn a_site_that_refuses_is_no_fault_of_dns() {
    for silent in [false, true] {
        let mut scene = Scene::default();
        for round in 0..3_i64 {
            let at = round * 5 * SECOND;
            scene.lookup(
                at,
                8 * MS,
                &format!("192.0.2.10:{}", 40_000 + round),
                SERVER,
                round as u16,
                "shop.example",
            );
            let from = format!("192.0.2.10:{}", 50_000 + round);
            for again in 0..3 {
                scene.tcp(at + (20 + again * 1000) * MS, &from, "192.0.2.80:443", flags::SYN, b"");
                if !silent {
                    scene.tcp(
                        at + (30 + again * 1000) * MS,
                        "192.0.2.80:443",
                        &from,
                        flags::RST | flags::ACK,
                        b"",
                    );
                    break;
                }
            }
        }
        scene.lookup(30 * SECOND, 8 * MS, "192.0.2.10:41000", SERVER, 77, "other.example");
        let (found, assessments) = scene.examine();
        let dns = assessments[0].hypothesis("H20").expect("a companion");
        assert_eq!(dns.verdict, Verdict::BestSupported);
        assert!(found.iter().any(|finding| finding.id == "site-down"));
        let said: String = assessments[0].wording.iter().map(|sentence| sentence.text.as_str()).collect();
        assert!(said.contains("DNS worked: shop.example had been resolved"), "{said}");
    }
}

#[test]
fn answers_after_the_time_limit_are_late_not_missing() {
    let mut scene = Scene::default();
    for number in 0..12_i64 {
        let at = number * 10 * SECOND;
        let from = format!("192.0.2.10:{}", 40_000 + number);
        let name = format!("host{number}.example");
        scene.query(at, &from, SERVER, number as u16, &name, dns::A);
        let answer = dns::answer(number as u16, &name, Data::A([192, 0, 2, 80].into()));
        let late = scene.reply(at + 7 * SECOND, SERVER, &from, &answer);
        scene.put(at + 7 * SECOND + MS, Packet::port_unreachable(&late));
    }
    let (found, _) = expect(scene, "H19");
    assert!(found.iter().any(|finding| finding.id == "late-answers"));
}

/// Six clients get truncated answers and nothing over TCP; the answers to `refusing` are refused by it.
fn truncated_beside(refusing: &str) -> Scene {
    let mut scene = Scene::default();
    for number in 0..6_i64 {
        let at = number * SECOND;
        let (from, name) = (format!("192.0.2.{}:40000", 10 + number), format!("host{number}.example"));
        scene.query(at, &from, SERVER, number as u16, &name, dns::A);
        let cut = Message::response(number as u16, &name, dns::A, dns::NO_ERROR).truncated().bytes();
        let answer = scene.reply(at + MS, SERVER, &from, &cut);
        if from.starts_with(refusing) {
            scene.put(at + 50 * MS, Packet::port_unreachable(&answer));
        }
        let other = format!("192.0.2.77:{}", 50_000 + number);
        scene.query(at + 300 * MS, &other, SERVER, 100 + number as u16, "www.example", dns::A);
        let given = dns::answer(100 + number as u16, "www.example", Data::A([192, 0, 2, 80].into()));
        let answer = scene.reply(at + 301 * MS, SERVER, &other, &given);
        if other.starts_with(refusing) {
            scene.put(at + 350 * MS, Packet::port_unreachable(&answer));
        }
    }
    scene
}

#[test]
fn errors_about_the_answers_of_others_explain_nothing() {
    let (_, own) = truncated_beside("192.0.2.10:").examine();
    assert_eq!(weight(&own, "H19", "L60"), Some(10));
    let (_, others) = truncated_beside("192.0.2.77:").examine();
    assert_eq!(weight(&others, "H19", "L60"), None);
    assert!(!leading(&others).contains("H19"));
}

/// Lookups of which those below one zone are answered by `failure`.
fn failing_zone(failure: impl Fn(u16, &str) -> Vec<u8>) -> Scene {
    let mut scene = Scene::default();
    for number in 0..40_i64 {
        let at = number * SECOND;
        let from = format!("192.0.2.10:{}", 40_000 + number);
        if number % 2 == 0 {
            scene.lookup(at, 8 * MS, &from, SERVER, number as u16, &format!("www{number}.example.org"));
        } else {
            let name = format!("a{number}.broken.example");
            scene.query(at, &from, SERVER, number as u16, &name, dns::A);
            scene.reply(at + 30 * MS, SERVER, &from, &failure(number as u16, &name));
        }
    }
    scene
}

#[test]
fn codes_and_extended_errors_name_zone_policy_or_validation() {
    let with = |code: u8, extended: Option<u16>| {
        move |id: u16, name: &str| {
            let message = Message::response(id, name, dns::A, code);
            match extended {
                Some(number) => message.edns(1232).extended_error(number, "").bytes(),
                None => message.bytes(),
            }
        }
    };
    expect(failing_zone(with(dns::SERVER_FAILURE, None)), "H13");
    expect(failing_zone(with(dns::SERVER_FAILURE, Some(22))), "H13");
    expect(failing_zone(with(dns::SERVER_FAILURE, Some(6))), "H13");
    expect(failing_zone(with(dns::REFUSED, None)), "H14");
    expect(failing_zone(with(dns::REFUSED, Some(18))), "H14");
}

#[test]
fn an_answer_from_another_address_is_mis_addressed() {
    let mut scene = Scene::default();
    for number in 0..6_i64 {
        let at = number * 10 * SECOND;
        let from = format!("192.0.2.10:{}", 40_000 + number);
        let name = format!("host{number}.example");
        for again in [0, 5] {
            scene.query(at + again * SECOND, &from, SERVER, number as u16, &name, dns::A);
            let answer = dns::answer(number as u16, &name, Data::A([192, 0, 2, 80].into()));
            scene.reply(at + again * SECOND + 9 * MS, "198.51.100.54", &from, &answer);
        }
    }
    scene.lookup(80 * SECOND, 9 * MS, "192.0.2.11:40100", "198.51.100.99", 5, "fine.example");
    let (found, _) = expect(scene, "H16");
    assert!(found.iter().any(|finding| finding.id == "misaddressed-answer"));
}

#[test]
fn answers_cut_to_their_first_fragment_show_a_path_that_loses_fragments() {
    let mut scene = Scene::default();
    for number in 0..8_i64 {
        let at = number * 12 * SECOND;
        let from = format!("192.0.2.10:{}", 40_000 + number);
        scene.lookup(
            at,
            9 * MS,
            &format!("192.0.2.10:{}", 45_000 + number),
            SERVER,
            500 + number as u16,
            "small.example",
        );
        let name = format!("signed{number}.example");
        for again in [0, 5] {
            let sent = at + SECOND + again * SECOND;
            scene.query(sent, &from, SERVER, number as u16, &name, 48);
            let mut message = Message::response(number as u16, &name, 48, dns::NO_ERROR);
            for _ in 0..8 {
                message = message.answer(Data::Txt("k".repeat(250)));
            }
            scene.ip_id += 1;
            let whole =
                Packet::udp(format!("{SERVER}:53").as_str(), from.as_str(), &message.bytes()).id(scene.ip_id);
            let first = whole.fragments(1_480).swap_remove(0);
            let frame = link::ethernet([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2], &[], 0x0800, &first);
            scene.packets.push((START_NS + sent + 20 * MS, frame));
        }
    }
    scene.lookup(120 * SECOND, 9 * MS, "192.0.2.10:47000", SERVER, 900, "small.example");
    let (found, _) = expect(scene, "H11");
    assert!(found.iter().any(|finding| finding.id == "lost-fragments"));
}

#[test]
fn a_wrong_resolver_address_stays_in_the_tie_however_its_absence_shows() {
    for (kind, code, delay_ns) in [(3, 1, 3_050 * MS), (3, 1, 2 * MS), (3, 0, 2 * MS)] {
        let mut scene = Scene::default();
        for number in 0..10_i64 {
            let at = number * 8 * SECOND;
            let from = format!("192.0.2.10:{}", 40_000 + number);
            let name = format!("host{number}.example");
            let query = scene.query(at, &from, "198.51.100.35", number as u16, &name, dns::A);
            let gateway = "192.0.2.1".parse().expect("an address");
            scene.put(at + delay_ns, Packet::error_about(gateway, kind, code, &query.after_hops(1)));
            scene.lookup(at + delay_ns + 5 * MS, 9 * MS, &from, SERVER, number as u16, &name);
        }
        // A router without a route never looked for the host: that says nothing about who was meant.
        let (_, assessments) = expect(scene, if code == 0 { "H7" } else { "H4" });
        assert_eq!(leading(&assessments).contains("H4"), code != 0);
        assert!(leading(&assessments).contains("H18"));
        let causes = assessments[0].hypotheses.iter().filter(|h| !h.tied_with.is_empty());
        assert!(
            causes.flat_map(|h| &h.tied_with).all(|cause| cause.competes()),
            "H18 stands beside, in no tie"
        );
    }
}

#[test]
fn a_prohibition_from_the_server_itself_is_its_own_filter() {
    let mut scene = Scene::default();
    for number in 0..10_i64 {
        let at = number * 2 * SECOND;
        let from = format!("[2001:db8:1::10]:{}", 40_000 + number);
        let query = Packet::udp(
            from.as_str(),
            "[2001:db8:2::53]:53",
            &dns::query(number as u16, "www.example", dns::A),
        );
        let query = scene.put(at, query);
        let server = "2001:db8:2::53".parse().expect("an address");
        scene.put(at + 9 * MS, Packet::error_about(server, 1, 1, &query).ttl(57));
    }
    expect(scene, "H2");
}

#[test]
fn queries_that_use_up_their_hops_travel_in_a_loop() {
    let mut scene = Scene::default();
    for number in 0..10_i64 {
        let at = number * 5 * SECOND;
        let from = format!("192.0.2.10:{}", 40_000 + number);
        let query = scene.query(at, &from, SERVER, number as u16, "www.example", dns::A);
        let router = "203.0.113.9".parse().expect("an address");
        scene.put(at + 40 * MS, Packet::error_about(router, 11, 0, &query));
    }
    let (found, _) = expect(scene, "H7");
    assert!(
        found.iter().any(|finding| finding.id == "time-exceeded" && finding.severity == Severity::Medium)
    );
}

#[test]
fn when_every_new_flow_fails_and_old_ones_go_on_a_table_may_be_full() {
    let mut scene = Scene::default();
    for number in 0..20_i64 {
        scene.lookup(
            number * SECOND,
            9 * MS,
            &client(number as usize % 3),
            SERVER,
            number as u16,
            "www.example.org",
        );
    }
    scene.tcp(SECOND, "192.0.2.10:50000", "203.0.113.80:443", flags::SYN, b"");
    scene.tcp(SECOND + 10 * MS, "203.0.113.80:443", "192.0.2.10:50000", flags::SYN | flags::ACK, b"");
    for number in 0..30_i64 {
        let at = 25 * SECOND + number * SECOND;
        // The flow that was open goes on.
        scene.tcp(at, "203.0.113.80:443", "192.0.2.10:50000", flags::PSH | flags::ACK, b"data");
        let from = format!("192.0.2.{}:{}", 10 + number % 3, 51_000 + number);
        let site = format!("203.0.113.{}:443", 100 + number);
        let name = format!("host{number}.example");
        if [3, 4, 13, 20, 29].contains(&number) {
            scene.lookup(at, 9 * MS, &from, SERVER, number as u16, &name);
        } else {
            let other = if number % 2 == 0 { SERVER } else { "198.51.100.99" };
            scene.query(at, &from, other, 100 + number as u16, &name, dns::A);
            scene.query(at + 5 * SECOND, &from, other, 100 + number as u16, &name, dns::A);
            scene.tcp(at + 100 * MS, &from, &site, flags::SYN, b"");
            scene.tcp(at + 1_100 * MS, &from, &site, flags::SYN, b"");
        }
    }
    scene.lookup(90 * SECOND, 9 * MS, &client(1), SERVER, 999, "www.example.org");
    expect(scene, "H22");
}

#[test]
fn a_surge_with_rising_delay_and_loss_is_load_where_the_server_is_seen() {
    let mut scene = Scene::default();
    for number in 0..120_i64 {
        let at = number * 500 * MS;
        scene.lookup(at, 5 * MS, &client(number as usize), SERVER, number as u16, "www.example.org");
    }
    for number in 0..3_000_i64 {
        let at = 60 * SECOND + number * 5 * MS;
        let from = client(number as usize);
        let name = format!("www{}.example.org", number % 5);
        // In no order that repeats.
        if (number * number * 31 + number * 7) % 101 < 34 {
            scene.lookup(at, (200 + number / 5) * MS, &from, SERVER, number as u16, &name);
        } else {
            scene.query(at, &from, SERVER, number as u16, &name, dns::A);
        }
    }
    scene.lookup(90 * SECOND, 5 * MS, &client(3), SERVER, 7, "www.example.org");
    expect(scene, "H9");
}

/// Truncated answers, and what the server does with the connection that follows; `None`: nothing.
fn truncated(reset: Option<u8>) -> Scene {
    let mut scene = Scene::default();
    for number in 0..6_i64 {
        let at_ns = number * 8 * SECOND;
        let from = client(number as usize);
        scene.lookup(at_ns + SECOND, 8 * MS, &from, SERVER, 900 + number as u16, "www.example.org");
        scene.query(at_ns, &from, SERVER, number as u16, "big.example.net", 16);
        let mut cut = Message::response(number as u16, "big.example.net", 16, 0).bytes();
        cut[2] |= 2;
        scene.reply(at_ns + 8 * MS, SERVER, &from, &cut);
        for wait_ns in [0, SECOND, 3 * SECOND] {
            scene.tcp(at_ns + 9 * MS + wait_ns, &from, &format!("{SERVER}:53"), flags::SYN, b"");
            if let Some(bits) = reset {
                scene.tcp(at_ns + 17 * MS, &format!("{SERVER}:53"), &from, bits, b"");
                break;
            }
        }
    }
    scene.lookup(60 * SECOND, 8 * MS, &client(1), SERVER, 999, "www.example.org");
    scene
}

#[test]
fn a_truncated_answer_without_tcp_is_a_failure_of_one_transport() {
    for reset in [None, Some(flags::RST | flags::ACK)] {
        let (found, _) = expect(truncated(reset), "H12");
        let finding = found.iter().find(|finding| finding.id == "truncated-without-tcp").expect("a finding");
        assert_eq!(finding.counts[0].value, 6, "{}", finding.statement);
    }
}

#[test]
fn a_question_asked_again_on_a_connection_that_stood_open_was_followed() {
    let mut scene = Scene::default();
    let (from, to) = ("192.0.2.10:40000", format!("{SERVER}:53"));
    let segment =
        |flags, sequence, acknowledgment| portmortem::generate::Segment { flags, sequence, acknowledgment };
    let (mut asked, mut told) = (101, 501);
    scene.put(0, Packet::tcp(from, to.as_str(), segment(flags::SYN, 100, 0), b""));
    scene.put(MS, Packet::tcp(to.as_str(), from, segment(flags::SYN | flags::ACK, 500, 101), b""));
    for number in 0..6_i64 {
        let (at_ns, id) = (SECOND + number * 8 * SECOND, number as u16);
        scene.query(at_ns, "192.0.2.10:41000", SERVER, id, "big.example.net", 16);
        let mut cut = Message::response(id, "big.example.net", 16, 0).bytes();
        cut[2] |= 2;
        scene.reply(at_ns + 8 * MS, SERVER, "192.0.2.10:41000", &cut);
        // Asked again under another id.
        let again = dns::over_tcp(&dns::query(700 + id, "big.example.net", 16));
        let whole = dns::over_tcp(&dns::answer(700 + id, "big.example.net", Data::Txt("whole".into())));
        let data = flags::PSH | flags::ACK;
        scene.put(at_ns + 9 * MS, Packet::tcp(from, to.as_str(), segment(data, asked, told), &again));
        asked += again.len() as u32;
        scene.put(at_ns + 17 * MS, Packet::tcp(to.as_str(), from, segment(data, told, asked), &whole));
        told += whole.len() as u32;
        scene.put(at_ns + 18 * MS, Packet::tcp(from, to.as_str(), segment(flags::ACK, asked, told), b""));
    }
    scene.lookup(60 * SECOND, 8 * MS, &client(1), SERVER, 999, "www.example.org");
    let (found, assessments) = scene.examine();
    assert!(assessments.is_empty(), "{:?} {found:?}", assessments.first().map(|own| &own.title));
    assert!(found.iter().all(|finding| finding.id != "truncated-without-tcp"), "{found:?}");
}

#[test]
fn a_name_that_vanishes_for_a_while_is_a_name_error_and_one_that_never_was_is_none() {
    let mut scene = Scene::default();
    for number in 0..40_i64 {
        let (at_ns, from) = (number * SECOND, client(number as usize));
        scene.lookup(at_ns, 8 * MS, &from, SERVER, number as u16, "www.example.org");
        let never = Message::response(500 + number as u16, "wpad.example.org", dns::A, 3).bytes();
        scene.query(at_ns + 100 * MS, &from, SERVER, 500 + number as u16, "wpad.example.org", dns::A);
        scene.reply(at_ns + 108 * MS, SERVER, &from, &never);
        if (10..30).contains(&number) {
            let gone = Message::response(100 + number as u16, "mail.example.net", dns::A, 3).bytes();
            scene.query(at_ns + 200 * MS, &from, SERVER, 100 + number as u16, "mail.example.net", dns::A);
            scene.reply(at_ns + 208 * MS, SERVER, &from, &gone);
        } else {
            scene.lookup(at_ns + 200 * MS, 8 * MS, &from, SERVER, 100 + number as u16, "mail.example.net");
        }
    }
    let (found, _) = expect(scene, "H15");
    let outage = found.iter().find(|finding| finding.id == "rcode-outage").expect("a finding");
    assert_eq!(outage.counts[0].value, 20, "{}", outage.statement);
    assert!(outage.statement.contains("example.net"), "{}", outage.statement);
}

#[test]
fn names_that_are_denied_until_they_are_made_were_not_lost() {
    let mut scene = Scene::default();
    for number in 0..40_i64 {
        let (at_ns, from) = (number * SECOND, client(number as usize));
        scene.lookup(at_ns, 8 * MS, &from, SERVER, number as u16, "www.example.org");
        let (id, name) = (100 + number as u16, format!("pc{}.example.net", number % 4));
        // Each name is made later than the one before it.
        if number < 8 + 4 * (number % 4) {
            let not_yet = Message::response(id, &name, dns::A, 3).bytes();
            scene.query(at_ns + 200 * MS, &from, SERVER, id, &name, dns::A);
            scene.reply(at_ns + 208 * MS, SERVER, &from, &not_yet);
        } else {
            scene.lookup(at_ns + 200 * MS, 8 * MS, &from, SERVER, id, &name);
        }
    }
    let (found, assessments) = scene.examine();
    assert!(assessments.is_empty(), "{:?}", assessments.first().map(|own| &own.title));
    assert!(found.iter().all(|finding| finding.id != "rcode-outage"), "{found:?}");
}

#[test]
fn a_name_the_server_says_it_blocks_is_an_answer_by_policy() {
    let mut scene = Scene::default();
    for number in 0..10_i64 {
        let (at_ns, from) = (number * SECOND, client(number as usize));
        scene.lookup(at_ns, 8 * MS, &from, SERVER, number as u16, "www.example.org");
        let blocked =
            Message::response(100 + number as u16, "ads.example.net", dns::A, 3).extended_error(15, "");
        scene.query(at_ns + 200 * MS, &from, SERVER, 100 + number as u16, "ads.example.net", dns::A);
        scene.reply(at_ns + 208 * MS, SERVER, &from, &blocked.bytes());
    }
    expect(scene, "H14");
}

#[test]
fn answers_to_a_client_port_of_a_tunnel_are_answers() {
    let mut scene = Scene::default();
    for (number, port) in [4789, 8472, 6081, 2152, 3544, 1701, 4341].into_iter().enumerate() {
        let from = format!("192.0.2.10:{port}");
        scene.lookup(
            number as i64 * SECOND,
            8 * MS,
            &from,
            SERVER,
            0x0800 + number as u16,
            "www.example.org",
        );
    }
    let (found, assessments) = scene.examine();
    assert!(assessments.is_empty(), "{assessments:?}");
    assert!(found.iter().all(|finding| finding.severity == Severity::Info), "{found:?}");
}

#[test]
fn an_error_whose_quote_was_cut_off_still_counts_as_one() {
    let server = "2001:db8:53::5";
    let mut scene = Scene { snap: 96, ..Scene::default() };
    for number in 0..8_i64 {
        let from = format!("[2001:db8:1::21]:{}", 40_000 + number);
        let message = dns::query(number as u16, "www.example.org", dns::A);
        let query =
            scene.put(number * 10 * SECOND, Packet::udp(from.as_str(), "[2001:db8:53::5]:53", &message));
        let error = Packet::error_about(server.parse().expect("an address"), 1, 4, &query);
        scene.put(number * 10 * SECOND + 9 * MS, error);
    }
    let (found, _) = expect(scene, "H1");
    assert!(found.iter().all(|finding| finding.id != "unanswered-queries"), "{found:?}");
}

#[test]
fn one_lost_query_is_no_incident() {
    let mut scene = Scene::default();
    for number in 0..60_i64 {
        let from = format!("192.0.2.10:{}", 40_000 + number);
        scene.lookup(number * SECOND, 9 * MS, &from, SERVER, number as u16, &format!("host{number}.example"));
    }
    scene.query(30 * SECOND + 500 * MS, "192.0.2.10:49000", SERVER, 777, "lost.example", dns::A);
    let (found, assessments) = scene.examine();
    assert!(assessments.is_empty(), "{:?} {found:?}", assessments.first().map(|own| &own.title));
    assert!(found.iter().all(|finding| finding.severity == Severity::Info));
}

/// Two refusals, and a genuine answer to each of the same queries.
fn forged(scene: &mut Scene, from: &str, number: i64, quote: usize) -> Packet {
    let at = number * 10 * SECOND;
    let name = format!("host{number}.example");
    let query = scene.query(at, from, SERVER, number as u16, &name, dns::A);
    let bytes = query.bytes();
    let shown = bytes.get(..quote.min(bytes.len())).expect("a part of the query");
    let to = query.source();
    let error = Packet::error_quoting(SERVER.parse().expect("an address"), to, 3, 3, shown);
    scene.put(at + 3 * MS, error.ttl(200));
    query
}

#[test]
fn an_error_beside_a_genuine_answer_should_not_be_relied_upon() {
    let mut scene = Scene::default();
    scene.lookup(0, 9 * MS, "192.0.2.10:39000", SERVER, 900, "before.example");
    for number in 1..7_i64 {
        let from = format!("192.0.2.10:{}", 40_000 + number);
        forged(&mut scene, &from, number, 28);
        let name = format!("host{number}.example");
        let answer = dns::answer(number as u16, &name, Data::A([192, 0, 2, 80].into()));
        scene.reply(number * 10 * SECOND + 9 * MS, SERVER, &from, &answer);
    }
    let (found, assessments) = scene.examine();
    assert!(found.iter().any(|finding| finding.id == "stray-icmp"), "{found:?}");
    assert!(leading(&assessments).contains("H17"), "{:?}", assessments[0].hypotheses[0]);
    let forgery = assessments.iter().filter_map(|a| a.hypothesis("H17"));
    assert!(forgery.clone().any(|h| h.ledger.iter().any(|row| row.id == "L54" && row.weight_db == Some(10))));
    for assessment in &assessments {
        let gone = assessment.hypothesis("H1").expect("a hypothesis");
        assert!(gone.score_db.is_none_or(|db| db < 0), "{:?}", gone.ledger);
    }
}

#[test]
fn a_short_quote_counts_only_where_the_sender_quotes_more_elsewhere() {
    for (elsewhere, expected) in [(28, None), (1000, Some(5))] {
        let mut scene = Scene::default();
        for number in 0..5_i64 {
            forged(&mut scene, &format!("192.0.2.10:{}", 40_000 + number), number, 28);
        }
        forged(&mut scene, "192.0.2.11:41000", 6, elsewhere);
        let (_, assessments) = scene.examine();
        assert_eq!(weight(&assessments, "H17", "L57"), expected);
    }
}

#[test]
fn silence_over_tcp_speaks_against_a_missing_listener() {
    let mut scene = Scene::default();
    for number in 0..4_i64 {
        let at = number * 8 * SECOND;
        let from = format!("192.0.2.10:{}", 40_000 + number);
        scene.query(at, &from, SERVER, number as u16, "www.example", dns::A);
        scene.tcp(at + 5 * SECOND, &from, &format!("{SERVER}:53"), flags::SYN, b"");
    }
    scene.lookup(60 * SECOND, 9 * MS, "192.0.2.11:40100", "198.51.100.99", 5, "fine.example");
    let (_, assessments) = expect(scene, "H8");
    assert_eq!(weight(&assessments, "H8", "L71"), Some(2));
    assert_eq!(weight(&assessments, "H1", "L71"), Some(-2));
}

#[test]
fn answers_from_another_distance_than_the_server_are_told() {
    let mut scene = Scene::default();
    for number in 0..6_i64 {
        let at = number * 10 * SECOND;
        let from = format!("192.0.2.10:{}", 40_000 + number);
        scene.query(at, &from, SERVER, number as u16, "www.example", dns::A);
        scene.reply(
            at + MS,
            SERVER,
            &from,
            &dns::failure(number as u16, "www.example", dns::A, dns::REFUSED),
        );
    }
    let (server, client) = (SERVER.parse().expect("an address"), "192.0.2.10".parse().expect("an address"));
    scene.put(SECOND, Packet::echo(client, server, false, 7, 1));
    scene.put(SECOND + 20 * MS, Packet::echo(server, client, true, 7, 1).ttl(48));
    let (_, assessments) = scene.examine();
    assert_eq!(weight(&assessments, "H23", "L65"), Some(10));
}
