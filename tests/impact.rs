//! What a problem did to whom: what splits failure from success, windows between successes, and the table of clients.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::net::SocketAddr;
use std::path::PathBuf;

use portmortem::cli::load::{Loaded, Open};
use portmortem::correlate::impact::Impact;
use portmortem::correlate::splits::Split;
use portmortem::decode::Address;
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Packet, PcapWriter, Segment, Variant, flags, link};

const SECOND: i64 = 1_000_000_000;

fn of_file(path: PathBuf) -> Loaded {
    Open { files: vec![path], ..Open::default() }.load().expect("a readable capture")
}

fn fixture(name: &str) -> Loaded {
    of_file(format!("tests/captures/outages/{name}.pcap").into())
}

fn first(loaded: &Loaded) -> &Impact {
    loaded.evidence.impact(0).expect("a problem")
}

/// What `client` met when it asked `server` in a second.
enum Met {
    Answer,
    Refusal,
}

/// A capture of queries to 198.51.100.53 for www.example.com.
fn asked(all: &[(i64, u8, Met)]) -> Loaded {
    let server = SocketAddr::from(([198, 51, 100, 53], 53));
    let mut frames: Vec<(i64, Packet)> = Vec::new();
    for (at, (second, client, met)) in all.iter().enumerate() {
        let (id, client) = (at as u16 + 7, SocketAddr::from(([192, 0, 2, *client], 40_000 + at as u16)));
        let query = Packet::udp(client, server, &dns::query(id, "www.example.com", dns::A));
        let answer = dns::answer(id, "www.example.com", Data::A([203, 0, 113, 7].into()));
        let back = match met {
            Met::Answer => Packet::udp(server, client, &answer),
            Met::Refusal => Packet::port_unreachable(&query),
        };
        frames.push((second * SECOND, query));
        frames.push((second * SECOND + SECOND / 100, back));
    }
    let mut file = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).expect("a header");
    for (time_ns, packet) in frames {
        file.packet(time_ns, &packet.ethernet()).expect("a packet");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("asked.pcap");
    std::fs::write(&path, file.finish().expect("a file")).expect("a place to write");
    of_file(path)
}

use Met::{Answer, Refusal};

#[test]
fn two_restarts_are_two_windows_of_one_problem() {
    let mut all = vec![(0, 9, Answer)];
    all.extend((10..15).map(|second| (second, 9, Refusal)));
    all.extend((20..25).map(|second| (second, 9, Answer)));
    all.extend((40..45).map(|second| (second, 9, Refusal)));
    all.push((50, 9, Answer));
    let loaded = asked(&all);
    assert_eq!(loaded.evidence.problems.len(), 1);
    let impact = first(&loaded);
    let told = |window: &portmortem::correlate::windows::Window| {
        (
            window.last_good.map(|mark| mark.at_ns / SECOND),
            window.first_bad.at_ns / SECOND,
            window.last_bad.at_ns / SECOND,
            window.first_good.map(|mark| mark.at_ns / SECOND),
            (window.failed, window.asked),
        )
    };
    let windows: Vec<_> = impact.windows.iter().map(told).collect();
    assert_eq!(windows, [(Some(0), 10, 14, Some(20), (5, 5)), (Some(24), 40, 44, Some(50), (5, 5))]);
    assert_eq!(impact.asked_and_failed(), (10, 10));
}

#[test]
fn a_client_that_is_served_all_the_time_is_not_among_those_that_fail() {
    let all = (0..6).map(|second| {
        (second, if second % 2 == 0 { 9 } else { 10 }, if second % 2 == 0 { Refusal } else { Answer })
    });
    let loaded = asked(&all.collect::<Vec<_>>());
    let impact = first(&loaded);
    assert_eq!(impact.windows.len(), 1);
    assert_eq!(impact.asked_and_failed(), (3, 3));
    assert_eq!(impact.unaffected, [Address::V4([192, 0, 2, 10].into())]);
    assert_eq!(impact.stranded().count(), 1);
}

#[test]
fn only_the_client_that_turned_to_another_server_is_rescued() {
    let loaded = fixture("failover_of_one_client");
    let impact = first(&loaded);
    let rows: Vec<_> = impact
        .clients
        .iter()
        .map(|client| {
            (client.asked, client.failed, client.rescued_by().map(|by| by.to_string()), client.never_served)
        })
        .collect();
    assert_eq!(rows, [(5, 5, Some("10.0.0.54".to_owned()), false), (5, 5, None, true)]);
    assert!(!impact.is_covered());
}

#[test]
fn a_client_with_two_families_is_one_and_going_to_the_other_server_is_failover() {
    let loaded = fixture("v6only");
    let impact = first(&loaded);
    assert!(impact.is_covered());
    let [client] = impact.clients.as_slice() else { panic!("{:?}", impact.clients) };
    assert_eq!(client.rescued_by().map(|by| by.to_string()), Some("198.51.100.53".to_owned()));
    assert_eq!(client.longest_wait_ns.map(|wait_ns| wait_ns / SECOND), Some(2));
}

#[test]
fn a_zone_that_fails_stays_one_window_while_other_zones_are_answered() {
    let loaded = fixture("expired");
    let impact = first(&loaded);
    assert_eq!(impact.split, Split::Zone);
    assert_eq!(impact.windows.len(), 1);
    assert_eq!(impact.asked_and_failed(), (7, 7));
    assert!(impact.answered_beside > 0);
    let window = impact.windows.first().expect("a window");
    assert!(window.last_good.is_some() && window.first_good.is_none());
}

#[test]
fn numbers_are_those_of_the_failing_client() {
    let loaded = fixture("totals_of_other_clients");
    let impact = first(&loaded);
    let [client] = impact.clients.as_slice() else { panic!("{:?}", impact.clients) };
    assert_eq!((client.failed, client.total), (3, 7));
    assert!(impact.windows.iter().all(portmortem::correlate::windows::Window::is_intermittent));
}

#[test]
fn silence_then_late_answers_of_one_server_are_one_incident() {
    let loaded = fixture("sockq");
    let impact = first(&loaded);
    assert_eq!(impact.phases.len(), 1);
    let phase = loaded.evidence.impact(1).expect("the other face");
    assert_eq!(phase.phase_of, Some(0));
    assert_eq!(impact.windows.len(), 1);
    let (asked, failed) = impact.asked_and_failed();
    assert!(failed >= 17 && failed <= asked, "{failed} of {asked}");
}

#[test]
fn a_failure_lasts_until_its_client_has_failed_over_tcp_as_well() {
    let build = |tcp: bool, refused: bool| {
        let (server, client) =
            (SocketAddr::from(([198, 51, 100, 53], 53)), SocketAddr::from(([192, 0, 2, 10], 40_000)));
        let mut frames: Vec<(i64, Packet)> = Vec::new();
        for number in 0..4_i64 {
            let at = number * 20 * SECOND;
            let query = dns::query(number as u16, "key.example", dns::TXT);
            let cut =
                dns::Message::response(number as u16, "key.example", dns::TXT, dns::NO_ERROR).truncated();
            frames.push((at, Packet::udp(client, server, &query)));
            frames.push((at + SECOND / 100, Packet::udp(server, client, &cut.bytes())));
            for again in [0, 1, 3].into_iter().filter(|_| tcp) {
                let from = SocketAddr::from(([192, 0, 2, 10], 50_000 + number as u16));
                let open = Segment { flags: flags::SYN, sequence: 5, acknowledgment: 0 };
                frames.push((at + again * SECOND + SECOND / 50, Packet::tcp(from, server, open, b"")));
                if refused {
                    let reset = Segment { flags: flags::RST | flags::ACK, sequence: 0, acknowledgment: 6 };
                    frames.push((at + again * SECOND + SECOND / 40, Packet::tcp(server, from, reset, b"")));
                    break;
                }
            }
        }
        frames.push((90 * SECOND, Packet::udp("192.0.2.7:123", "192.0.2.9:123", &[0; 48])));
        frames.sort_by_key(|(at, _)| *at);
        let mut file = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).expect("a header");
        for (number, (time_ns, packet)) in frames.into_iter().enumerate() {
            file.packet(time_ns, &packet.id(number as u16 + 1).ethernet()).expect("a packet");
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tcp.pcap");
        std::fs::write(&path, file.finish().expect("a file")).expect("a place to write");
        of_file(path)
    };
    let end = |loaded: &Loaded| {
        let window = first(loaded).windows.last().copied().expect("a window");
        (window.last_bad.at_ns, loaded.evidence.problems.first().map(|own| own.last_ns))
    };
    let answer = 60 * SECOND + SECOND / 100;
    assert_eq!(end(&build(false, false)), (answer, Some(answer)));
    let silent = 63 * SECOND + SECOND / 50;
    assert_eq!(end(&build(true, false)), (silent, Some(silent)), "the last SYN");
    let reset = 60 * SECOND + SECOND / 40;
    assert_eq!(end(&build(true, true)), (reset, Some(reset)), "the reset");
}

/// A capture of questions: when, who, whom, which name, and the code of the answer, or silence.
fn answered(all: &[(i64, &str, &str, String, Option<u8>)]) -> Loaded {
    let mut frames: Vec<(i64, Packet)> = Vec::new();
    for (number, (at, client, server, name, code)) in all.iter().enumerate() {
        let (from, to) = (format!("{client}:{}", 40_000 + number), format!("{server}:53"));
        let id = number as u16 + 7;
        frames.push((*at, Packet::udp(from.as_str(), to.as_str(), &dns::query(id, name, dns::A))));
        if let Some(code) = code {
            let answer = dns::failure(id, name, dns::A, *code);
            frames.push((at + SECOND / 10, Packet::udp(to.as_str(), from.as_str(), &answer)));
        }
    }
    let end = all.iter().map(|own| own.0).max().unwrap_or(0) + 20 * SECOND;
    frames.push((end, Packet::udp("192.0.2.7:123", "192.0.2.9:123", &[0; 48])));
    frames.push((end, Packet::udp("198.51.100.9:123", "192.0.2.10:123", &[0; 48])));
    frames.sort_by_key(|(at, _)| *at);
    let mut file = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).expect("a header");
    for (number, (time_ns, packet)) in frames.into_iter().enumerate() {
        file.packet(time_ns, &packet.id(number as u16 + 1).ethernet()).expect("a packet");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("answered.pcap");
    std::fs::write(&path, file.finish().expect("a file")).expect("a place to write");
    of_file(path)
}

fn servers(loaded: &Loaded) -> Vec<String> {
    loaded.evidence.problems.iter().map(|problem| problem.server.0.to_string()).collect()
}

#[test]
fn what_several_clients_meet_at_a_shared_server_comes_before_what_one_of_them_meets_elsewhere() {
    let order = |clients: u8| {
        let mut all = Vec::new();
        for second in 0..12_i64 {
            let client = ["192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13"]
                [second as usize % usize::from(clients)];
            all.push((
                second * SECOND,
                client,
                "198.51.100.53",
                format!("a{second}.example"),
                Some(dns::SERVER_FAILURE),
            ));
            if second < 11 {
                all.push((
                    second * SECOND + 5,
                    "192.0.2.10",
                    "198.51.100.54",
                    format!("b{second}.example"),
                    None,
                ));
            }
        }
        servers(&answered(&all))
    };
    assert_eq!(order(4), ["198.51.100.53", "198.51.100.54"]);
    assert_eq!(order(2), ["198.51.100.54", "198.51.100.53"], "two share nothing that is to be told first");
}

#[test]
fn the_forwarder_of_one_client_comes_before_what_it_asks_with_another_address() {
    let order = |after: i64| {
        let mut all = Vec::new();
        for second in 0..6_i64 {
            let name = format!("a{second}.example");
            all.push((second * SECOND, "192.0.2.10", "192.0.2.1", name.clone(), Some(dns::SERVER_FAILURE)));
            all.push((second * SECOND + after, "203.0.113.1", "198.51.100.53", name, None));
        }
        servers(&answered(&all))
    };
    assert_eq!(order(SECOND / 50), ["192.0.2.1", "198.51.100.53"]);
    assert_eq!(order(SECOND * 7 / 10), ["198.51.100.53", "192.0.2.1"], "two hosts that ask for the same");
    assert_eq!(order(-SECOND / 50), ["198.51.100.53", "192.0.2.1"], "what comes before follows on nothing");
}

/// A capture of these frames.
fn of_frames(mut frames: Vec<(i64, Packet)>) -> Loaded {
    frames.sort_by_key(|(at, _)| *at);
    let mut file = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).expect("a header");
    for (number, (time_ns, packet)) in frames.into_iter().enumerate() {
        file.packet(time_ns, &packet.id(number as u16 + 1).ethernet()).expect("a packet");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("frames.pcap");
    std::fs::write(&path, file.finish().expect("a file")).expect("a place to write");
    of_file(path)
}

#[test]
fn the_same_id_and_question_from_the_other_family_at_once_is_one_host() {
    let build = |same: bool, hosts: u16| {
        let mut frames = Vec::new();
        for number in 0..6_u16 {
            let at = i64::from(number) * 2 * SECOND;
            let host = 0x23 + number % hosts;
            let new = SocketAddr::from(([0x2001, 0xdb8, 0x10, 0, 0, 0, 0, host], 40_000 + number));
            let old = SocketAddr::from(([198, 51, 100, 23], 50_000 + number));
            let (server, other) = (
                SocketAddr::from(([0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x53], 53)),
                SocketAddr::from(([192, 0, 2, 53], 53)),
            );
            let id = 700 + 11 * number;
            let second = if same { id } else { id + 1 };
            let query = Packet::udp(new, server, &dns::query(id, "hmi.plant.example", dns::A));
            frames.push((at + 1_000, Packet::port_unreachable(&query)));
            frames.push((at, query));
            let query = dns::query(second, "hmi.plant.example", dns::A);
            let answer = dns::answer(second, "hmi.plant.example", Data::A([203, 0, 113, 7].into()));
            frames.push((at + 50_000, Packet::udp(old, other, &query)));
            frames.push((at + 90_000, Packet::udp(other, old, &answer)));
        }
        let loaded = of_frames(frames);
        let impact = first(&loaded);
        (impact.is_covered(), impact.stranded().count())
    };
    assert_eq!(build(true, 1), (true, 0));
    assert_eq!(build(false, 1), (false, 1), "other ids are other hosts, as far as can be told");
    assert_eq!(build(true, 2), (false, 2), "one address asks for two others as a translator does");
}

#[test]
fn a_server_that_answers_over_tcp_serves_its_client_meanwhile() {
    let build = |tcp: bool| {
        let server = SocketAddr::from(([198, 51, 100, 53], 53));
        let client = |port: u16| SocketAddr::from(([192, 0, 2, 22], port));
        let mut frames = Vec::new();
        for number in 0..5_u16 {
            let name = format!("p{number}.shop.example");
            let query = Packet::udp(client(40_000 + number), server, &dns::query(7 + number, &name, dns::A));
            frames.push((i64::from(number) * 2 * SECOND + 1_000, Packet::port_unreachable(&query)));
            frames.push((i64::from(number) * 2 * SECOND, query));
        }
        if tcp {
            let framed = |message: Vec<u8>| [&(message.len() as u16).to_be_bytes()[..], &message].concat();
            let query = framed(dns::query(99, "www.news.example", dns::A));
            let answer = framed(dns::answer(99, "www.news.example", Data::A([203, 0, 113, 7].into())));
            let (asked, told) = (query.len() as u32, answer.len() as u32);
            let at = 3 * SECOND;
            let own = client(50_000);
            let segment = |flags, sequence, acknowledgment| Segment { flags, sequence, acknowledgment };
            let both = flags::SYN | flags::ACK;
            frames.push((at, Packet::tcp(own, server, segment(flags::SYN, 5, 0), b"")));
            frames.push((at + 1_000, Packet::tcp(server, own, segment(both, 9, 6), b"")));
            frames.push((at + 2_000, Packet::tcp(own, server, segment(flags::ACK, 6, 10), b"")));
            frames.push((at + 3_000, Packet::tcp(own, server, segment(flags::ACK, 6, 10), &query)));
            frames.push((at + 4_000, Packet::tcp(server, own, segment(flags::ACK, 10, 6 + asked), &answer)));
            frames
                .push((at + 5_000, Packet::tcp(own, server, segment(flags::ACK, 6 + asked, 10 + told), b"")));
        }
        let loaded = of_frames(frames);
        let [client] = first(&loaded).clients.as_slice() else { panic!("one client") };
        (client.failed, client.otherwise, client.is_without_service())
    };
    assert_eq!(build(false), (5, 0, true));
    assert_eq!(build(true), (5, 1, false));
}
