//! Correlation on captures made for one question each: vantage, who sent an error, consequences, lookups.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that meets the unexpected should stop there")]
#![expect(clippy::too_many_arguments, reason = "a packet is told by its parts")]

use std::path::Path;
use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::generator::{self, Make};
use portmortem::correlate::hosts::Place;
use portmortem::correlate::lookups::{self, LookupId};
use portmortem::correlate::{Evidence, Outcome, Parameters, Vantage, correlate};
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Arp, Packet, PcapWriter, Segment, Variant, arp, flags, link};
use portmortem::index::{Index, Input, PacketId, Progress, build};

const START_NS: i64 = 1_700_000_000_000_000_000;
const MS: i64 = 1_000_000;
const CLIENT: &str = "192.0.2.10";
const SERVER: &str = "198.51.100.53";

fn load(path: &Path) -> (Index, Evidence) {
    let (source, walk) = capture::open(path).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

fn capture_of(name: &str) -> (Index, Evidence) {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(name))
}

/// Frames with the time since the start, written to a capture and read back.
#[derive(Default)]
struct Scene {
    frames: Vec<(i64, Vec<u8>)>,
    ip_id: u16,
    cooked: bool,
}

impl Scene {
    fn put(&mut self, at_ns: i64, packet: Packet) -> Packet {
        self.ip_id += 1;
        let packet = packet.id(self.ip_id);
        self.frames.push((at_ns, packet.ethernet()));
        packet
    }

    fn query(&mut self, at_ns: i64, from: &str, to: &str, id: u16, name: &str, hops: u8) -> Packet {
        let query = dns::query(id, name, dns::A);
        self.put(at_ns, Packet::udp(from, format!("{to}:53").as_str(), &query).after_hops(hops))
    }

    fn answer(&mut self, at_ns: i64, from: &str, to: &str, id: u16, name: &str, hops: u8) {
        let answer = dns::answer(id, name, Data::A([203, 0, 113, 80].into()));
        self.put(at_ns, Packet::udp(format!("{from}:53").as_str(), to, &answer).after_hops(hops));
    }

    fn examine(mut self) -> (Index, Evidence) {
        self.frames.sort_by_key(|(at_ns, _)| *at_ns);
        let file = tempfile::NamedTempFile::new().unwrap();
        let kind = if self.cooked { link::LINUX_SLL } else { link::ETHERNET };
        let mut writer = PcapWriter::new(file.as_file(), Variant::default(), kind).unwrap();
        for (at_ns, bytes) in &self.frames {
            writer.packet(START_NS + at_ns, bytes).unwrap();
        }
        writer.finish().unwrap();
        load(file.path())
    }
}

/// Ten lookups of a client that many hops before the capture point, of a server that many hops behind it.
fn lookups(client_hops: u8, server_hops: u8) -> Scene {
    let mut scene = Scene::default();
    for number in 0..10 {
        let (at_ns, id) = (i64::from(number) * 900 * MS, 700 + number);
        let client = format!("{CLIENT}:{}", 40_000 + number);
        scene.query(at_ns, &client, SERVER, id, "www.shop.example", client_hops);
        scene.answer(at_ns + 20 * MS, SERVER, &client, id, "www.shop.example", server_hops);
    }
    scene
}

#[test]
fn initial_ttls_tell_on_which_side_the_capture_was_taken() {
    for (client_hops, server_hops, vantage) in
        [(0, 7, Vantage::Client), (7, 0, Vantage::Server), (3, 4, Vantage::Middle), (0, 0, Vantage::Unknown)]
    {
        let (_, evidence) = lookups(client_hops, server_hops).examine();
        assert_eq!(
            evidence.surroundings().vantage,
            vantage,
            "{client_hops} {server_hops}: {:?}",
            evidence.surroundings().reasons
        );
    }
    let (_, nothing) = Scene::default().examine();
    assert_eq!(nothing.surroundings().reasons, ["no DNS question is in it"]);
    let (_, evidence) = lookups(0, 7).examine();
    let reasons = evidence.surroundings().reasons.join("; ");
    assert!(reasons.contains("all 10 packets of 198.51.100.53 carry TTL 57: 7 hops away"), "{reasons}");
    assert_eq!(evidence.place(CLIENT.parse::<std::net::IpAddr>().unwrap().into()), Place::Link);
}

#[test]
fn checksums_left_to_the_network_card_tell_the_capturing_host() {
    let mut scene = lookups(0, 0);
    for (_, frame) in scene.frames.iter_mut().skip(1).step_by(2) {
        // What the kernel leaves of an answer: addresses, protocol and length, summed but not inverted.
        let sum = frame[26..34].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
        let sum = sum.sum::<u32>() + 17 + u32::from(u16::from_be_bytes([frame[38], frame[39]]));
        let sum = ((sum & 0xffff) + (sum >> 16)) as u16;
        frame[40..42].copy_from_slice(&sum.to_be_bytes());
    }
    let (_, evidence) = scene.examine();
    assert_eq!(evidence.surroundings().vantage, Vantage::Server, "{:?}", evidence.surroundings().reasons);
    assert!(evidence.surroundings().reasons.iter().any(|reason| reason.starts_with("10 of 10 checksums")));
}

#[test]
fn a_cooked_header_tells_which_host_sends() {
    let mut scene = lookups(0, 0);
    scene.cooked = true;
    for (at, (_, frame)) in scene.frames.iter_mut().enumerate() {
        *frame = link::sll([2, 0, 0, 0, 0, 1], at % 2 == 0, &frame[14..]);
    }
    let (_, evidence) = scene.examine();
    assert_eq!(evidence.surroundings().vantage, Vantage::Client, "{:?}", evidence.surroundings().reasons);
}

#[test]
fn every_capture_at_hand_was_taken_on_the_client_side() {
    for name in ["lab/01_no_listener.pcap", "lab/21_onlink_arp_unanswered.pcap", "incidents/11f_sll.pcap"] {
        let (_, evidence) = capture_of(name);
        assert_eq!(
            evidence.surroundings().vantage,
            Vantage::Client,
            "{name}: {:?}",
            evidence.surroundings().reasons
        );
    }
    let (_, evidence) = capture_of("lab/00_seed_canonical.txt");
    assert_eq!(evidence.surroundings().vantage, Vantage::Unknown, "a printed line states no TTL");
}

#[test]
fn the_distance_of_an_error_is_compared_with_that_of_its_sender() {
    let mut scene = lookups(0, 7);
    let query = scene.query(30_000 * MS, "192.0.2.10:41000", SERVER, 9, "www.shop.example", 0);
    scene.put(30_005 * MS, Packet::port_unreachable(&query.after_hops(2)).after_hops(2).dont_fragment());
    let (index, evidence) = scene.examine();
    let error = PacketId(index.len() - 1);
    let found = generator::of(&index, &evidence, error).unwrap();
    assert!(found.same_as_destination);
    assert_eq!(
        (found.hops, found.other_hops.map(|other| other.0), found.quoted_hops),
        (Some(2), Some(7), Some(2))
    );
    assert_eq!(found.distances_agree(), Some(false));
    assert!(found.note.contains("another device or another way back"), "{}", found.note);

    let (index, evidence) = capture_of("incidents/02a_fw_admin_prohibited.pcap");
    let error = evidence.error_links().first().unwrap().from;
    let found = generator::of(&index, &evidence, error).unwrap();
    assert!(!found.same_as_destination);
    assert_eq!((found.hops, found.quoted_hops), (Some(2), Some(2)), "TTL 253 of 255, and 62 of 64 quoted");

    let (index, evidence) = capture_of("lab/01_no_listener.pcap");
    let error = evidence.error_links().first().unwrap().from;
    assert_eq!(generator::of(&index, &evidence, error).unwrap().make, Make::LinuxKernel);
}

/// A TLS hello that names a host.
fn hello(name: &str) -> Vec<u8> {
    let length = name.len() as u8;
    let mut bytes = vec![22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
    bytes.extend([7; 32]);
    bytes.extend([0, 0, 2, 0x13, 1, 1, 0, 0, length + 9, 0, 0, 0, length + 5, 0, length + 3, 0, 0, length]);
    bytes.extend(name.as_bytes());
    bytes
}

impl Scene {
    fn tcp(&mut self, at_ns: i64, from: &str, to: &str, bits: u8, payload: &[u8]) -> Packet {
        let segment = Segment { flags: bits, ..Segment::default() };
        self.put(at_ns, Packet::tcp(from, to, segment, payload))
    }

    /// A connection accepted, and the hello sent over it.
    fn connect(&mut self, at_ns: i64, from: &str, to: &str, name: &str) {
        self.tcp(at_ns, from, to, flags::SYN, &[]);
        self.tcp(at_ns + 10 * MS, to, from, flags::SYN | flags::ACK, &[]);
        self.tcp(at_ns + 11 * MS, from, to, flags::ACK | flags::PSH, &hello(name));
    }

    /// A query for shop.example at second 100 that the server refuses.
    fn refused(&mut self) {
        let query = self.query(100_000 * MS, "192.0.2.10:52000", SERVER, 77, "shop.example", 0);
        self.put(100_020 * MS, Packet::port_unreachable(&query));
    }

    /// Traffic long enough after the failure for it to be judged.
    fn go_on(&mut self) {
        self.tcp(190_000 * MS, "192.0.2.10:43999", "203.0.113.99:22", flags::ACK, &[]);
        self.tcp(190_010 * MS, "203.0.113.99:22", "192.0.2.10:43999", flags::ACK, &[]);
    }
}

/// The verdict of the only episode, and its consequences as `C8 text`.
fn aftermath(scene: Scene) -> (&'static str, Vec<String>) {
    let (_, evidence) = scene.examine();
    let [episode] = evidence.episodes.as_slice() else { panic!("{} episodes", evidence.episodes.len()) };
    let told = evidence.consequences(0).iter().map(|next| format!("{} {}", next.code, next.text)).collect();
    (episode.verdict(evidence.consequences(0)), told)
}

#[test]
fn a_client_with_a_cached_address_reaches_the_site_without_dns() {
    let mut scene = Scene::default();
    scene.query(0, "192.0.2.10:51000", "198.51.100.54", 5, "shop.example", 0);
    scene.answer(20 * MS, "198.51.100.54", "192.0.2.10:51000", 5, "shop.example", 7);
    scene.refused();
    scene.tcp(101_000 * MS, "192.0.2.10:43000", "203.0.113.80:443", flags::SYN, &[]);
    let accepted = flags::SYN | flags::ACK;
    scene.tcp(101_010 * MS, "203.0.113.80:443", "192.0.2.10:43000", accepted, &[]);
    scene.go_on();
    let (verdict, told) = aftermath(scene);
    assert_eq!(verdict, "reached the site without visible DNS");
    assert_eq!(
        told,
        ["C8 connected to 203.0.113.80 port 443, an address of an earlier answer (cache): accepted"]
    );
}

#[test]
fn the_name_in_a_tls_hello_shows_where_a_client_went() {
    let mut scene = Scene::default();
    scene.refused();
    scene.connect(101_000 * MS, "192.0.2.10:43000", "203.0.113.81:443", "shop.example");
    scene.connect(102_000 * MS, "192.0.2.10:43001", "203.0.113.82:443", "other.example");
    scene.connect(103_000 * MS, "192.0.2.10:43002", "203.0.113.83:443", "cloudflare-dns.com");
    scene.go_on();
    let (verdict, told) = aftermath(scene);
    assert_eq!(verdict, "reached the site without visible DNS");
    let seen = "C8 named the host to 203.0.113.81 port 443 in its TLS hello: accepted";
    let resolver = "C7 named a public resolver to 203.0.113.83 port 443 (possibly DNS over HTTPS or TLS)";
    assert_eq!(told, [resolver, seen]);
}

#[test]
fn a_name_resolved_elsewhere_is_no_success_when_the_connection_fails() {
    for (ending, words) in [
        (Some(flags::RST | flags::ACK), "refused by reset"),
        (None, "no reply"),
        (Some(0), "refused by ICMP 3/13"),
        (Some(flags::SYN | flags::ACK), "accepted"),
    ] {
        let mut scene = Scene::default();
        scene.refused();
        scene.query(100_100 * MS, "192.0.2.10:51000", "198.51.100.54", 5, "shop.example", 0);
        scene.answer(100_120 * MS, "198.51.100.54", "192.0.2.10:51000", 5, "shop.example", 7);
        let syn = scene.tcp(101_000 * MS, "192.0.2.10:43000", "203.0.113.80:443", flags::SYN, &[]);
        match ending {
            Some(0) => {
                let router = "203.0.113.1".parse().unwrap();
                scene.put(101_010 * MS, Packet::error_about(router, 3, 13, &syn));
            }
            Some(bits) => {
                scene.tcp(101_010 * MS, "203.0.113.80:443", "192.0.2.10:43000", bits, &[]);
            }
            None => {}
        }
        scene.go_on();
        let (verdict, told) = aftermath(scene);
        let expected =
            if words == "accepted" { "resolved elsewhere" } else { "DNS worked, but the connection failed" };
        assert_eq!(verdict, expected, "{told:?}");
        let connected =
            format!("C8 connected to 203.0.113.80 port 443, an address of a later answer: {words}");
        assert!(told.contains(&connected), "{told:?}");
    }
}

#[test]
fn encrypted_dns_is_told_as_possible_and_answers_nothing() {
    let mut scene = Scene::default();
    scene.refused();
    scene.tcp(101_000 * MS, "192.0.2.10:43000", "203.0.113.5:853", flags::SYN, &[]);
    scene.put(101_100 * MS, Packet::udp("192.0.2.10:43001", "203.0.113.6:853", b"opaque"));
    scene.tcp(101_200 * MS, "192.0.2.10:43002", "198.51.100.53:443", flags::SYN, &[]);
    scene.go_on();
    let (verdict, told) = aftermath(scene);
    assert_eq!(verdict, "gave up as far as this capture shows");
    let (encrypted, rest): (Vec<&String>, Vec<&String>) =
        told.iter().partition(|next| next.starts_with("C7 "));
    assert_eq!((encrypted.len(), rest.len()), (3, 1), "{told:?}");
    assert!(encrypted.iter().all(|next| next.contains("possibly DNS over")), "{told:?}");
}

#[test]
fn nothing_after_a_failure_is_giving_up_only_while_the_capture_watches() {
    let mut scene = Scene::default();
    scene.refused();
    scene.go_on();
    let (verdict, told) = aftermath(scene);
    assert_eq!((verdict, told.len()), ("gave up as far as this capture shows", 1));

    // The server answers again, but nobody asks it for the name.
    let mut scene = Scene::default();
    scene.refused();
    scene.query(110_000 * MS, "192.0.2.10:51000", SERVER, 5, "bank.example", 0);
    scene.answer(110_020 * MS, SERVER, "192.0.2.10:51000", 5, "bank.example", 7);
    scene.go_on();
    assert_eq!(aftermath(scene).0, "gave up as far as this capture shows");

    let mut scene = Scene::default();
    scene.refused();
    let (verdict, told) = aftermath(scene);
    assert_eq!(verdict, "undetermined");
    assert!(told.first().is_some_and(|next| next.starts_with("C10 ")), "{told:?}");
}

#[test]
fn a_dead_server_is_silent_at_the_client_and_where_the_other_direction_is_captured() {
    let ask = |scene: &mut Scene| {
        for (number, at_s) in [(1, 0), (2, 5), (3, 20)] {
            scene.query(at_s * 1_000 * MS, "192.0.2.10:52000", SERVER, number, "shop.example", 0);
        }
    };
    let end = |scene: &mut Scene| {
        scene.query(40_000 * MS, "192.0.2.10:52009", SERVER, 9, "bank.example", 0);
    };
    let outcomes = |scene: Scene| {
        let (index, evidence) = scene.examine();
        let first = evidence.transactions.first().unwrap();
        (first.outcome, evidence.one_sided, evidence.undetermined_because(&index, first))
    };
    let mut nothing_else = Scene::default();
    ask(&mut nothing_else);
    end(&mut nothing_else);
    // Fresh from their sender: the capture was taken at the client.
    assert_eq!(outcomes(nothing_else), (Outcome::NoAnswer, false, None));

    let mut with_web = Scene::default();
    ask(&mut with_web);
    with_web.connect(1_000 * MS, "192.0.2.10:43000", "203.0.113.81:443", "news.example");
    end(&mut with_web);
    assert_eq!(outcomes(with_web), (Outcome::NoAnswer, false, None));

    let mut with_arp = Scene::default();
    ask(&mut with_arp);
    let router = "192.0.2.1".parse().unwrap();
    let reply = Arp {
        operation: 2,
        sender_mac: [2, 0, 0, 0, 0, 1],
        sender: router,
        target_mac: [2, 0, 0, 0, 0, 10],
        target: CLIENT.parse().unwrap(),
    };
    with_arp.frames.push((2_000 * MS, arp(&reply)));
    end(&mut with_arp);
    assert_eq!(outcomes(with_arp), (Outcome::NoAnswer, false, None));

    // A resolver captured with `dst port 53`: what it is asked shows nothing of what it is answered.
    let mut questions_only = Scene::default();
    ask(&mut questions_only);
    questions_only.query(3_000 * MS, "192.0.2.99:40000", CLIENT, 4, "shop.example", 0);
    end(&mut questions_only);
    assert_eq!(outcomes(questions_only).0, Outcome::Undetermined);
}

#[test]
fn the_silent_incident_is_silence_and_its_end_is_undetermined() {
    let (index, evidence) = capture_of("incidents/03_silent_drop.pcap");
    assert!(!evidence.one_sided);
    assert!(evidence.transactions.iter().any(|t| t.outcome == Outcome::NoAnswer));
    let last = evidence.transactions.iter().rfind(|t| t.outcome == Outcome::Undetermined);
    if let Some(last) = last {
        assert!(evidence.undetermined_because(&index, last).unwrap().starts_with("the capture ends"));
    }
}

#[test]
fn types_servers_and_search_suffixes_are_one_lookup() {
    let mut scene = Scene::default();
    let ask = |scene: &mut Scene, at_ms: i64, server: &str, id: u16, name: &str, qtype: u16| {
        let to = format!("{server}:53");
        scene.put(at_ms * MS, Packet::udp("192.0.2.10:52000", to.as_str(), &dns::query(id, name, qtype)));
    };
    let deny = |scene: &mut Scene, at_ms: i64, id: u16, name: &str, qtype: u16| {
        let failure = dns::failure(id, name, qtype, 3);
        scene.put(at_ms * MS, Packet::udp("198.51.100.54:53", "192.0.2.10:52000", &failure));
    };
    ask(&mut scene, 0, SERVER, 1, "wiki.corp.example", dns::A);
    ask(&mut scene, 1, SERVER, 2, "wiki.corp.example", dns::AAAA);
    // The same id at another server after five seconds.
    ask(&mut scene, 5_001, "198.51.100.54", 1, "wiki.corp.example", dns::A);
    deny(&mut scene, 5_020, 1, "wiki.corp.example", dns::A);
    ask(&mut scene, 5_030, "198.51.100.54", 3, "wiki.example", dns::A);
    deny(&mut scene, 5_050, 3, "wiki.example", dns::A);
    // Another name, another client, and the name again a minute later.
    ask(&mut scene, 5_060, "198.51.100.54", 4, "mail.example", dns::A);
    scene.query(5_070 * MS, "192.0.2.11:52000", SERVER, 5, "wiki.example", 0);
    ask(&mut scene, 65_000, "198.51.100.54", 6, "wiki.example", dns::A);
    let (index, evidence) = scene.examine();
    let lookups = evidence.lookups(&index);
    let members = |at| lookups.members(LookupId(at)).iter().map(|id| id.0).collect::<Vec<_>>();
    assert_eq!(lookups.len(), 4);
    assert_eq!(
        [members(0), members(1), members(2), members(3)],
        [vec![0, 1, 2, 3], vec![4], vec![5], vec![6]]
    );
    let second = lookups::attempt(&index, &evidence, PacketId(2)).unwrap();
    assert_eq!((second.number, second.all, second.siblings.len()), (2, vec![PacketId(0), PacketId(2)], 2));
}

#[test]
fn backward_steps_are_counted_with_the_largest() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = PcapWriter::new(file.as_file(), Variant::default(), link::ETHERNET).unwrap();
    let packet = Packet::udp("192.0.2.10:40000", "203.0.113.9:9000", b"data").ethernet();
    for at_ms in [0, 100, 60, 200, 150, 150, 300] {
        writer.packet(START_NS + at_ms * MS, &packet).unwrap();
    }
    writer.finish().unwrap();
    let (_, evidence) = load(file.path());
    let [clock] = evidence.backward.as_slice() else { panic!("{:?}", evidence.backward) };
    assert_eq!((clock.steps, clock.largest_ns, clock.packet), (2, 50 * MS, PacketId(4)));
}

/// Queries from one port with one id, every 0.1 ms, the name chosen by number.
fn repeats(name: impl Fn(u32) -> String) -> Scene {
    let mut scene = Scene::default();
    for number in 0..REPEATS {
        let query = dns::query(7, &name(number), dns::A);
        let packet = Packet::udp("192.0.2.10:52000", "198.51.100.53:53", &query).id(number as u16);
        scene.frames.push((i64::from(number) * MS / 10, packet.ethernet()));
    }
    scene
}

const REPEATS: u32 = 100_000;

#[test]
fn one_query_repeated_without_end_is_one_transaction() {
    let mut scene = repeats(|_| "shop.example".to_owned());
    let last = Packet::udp("192.0.2.10:52000", "198.51.100.53:53", &dns::query(7, "shop.example", dns::A));
    scene.put(10_001 * MS, Packet::port_unreachable(&last));
    let (_, evidence) = scene.examine();
    let [transaction] = evidence.transactions.as_slice() else { panic!("{}", evidence.transactions.len()) };
    assert_eq!((transaction.tries, transaction.outcome), (REPEATS, Outcome::Refused));
    let target = evidence.error_links().first().and_then(|link| link.to);
    assert!(target.is_some_and(|target| target.0 >= REPEATS - 64), "only the newest are weighed: {target:?}");
}

#[test]
fn an_answer_to_one_of_ever_new_questions_with_one_id_finds_the_newest_of_them() {
    let mut scene = repeats(|number| format!("n{number}.shop.example"));
    let newest = format!("n{}.shop.example", REPEATS - 1);
    scene.answer(10_001 * MS, SERVER, "192.0.2.10:52000", 7, &newest, 7);
    let (_, evidence) = scene.examine();
    assert_eq!(evidence.transactions.len(), REPEATS as usize);
    assert_eq!(evidence.transactions.iter().filter(|transaction| transaction.answer.is_some()).count(), 1);
    let last = evidence.transactions.last().unwrap();
    assert_eq!((last.answer, last.outcome), (Some(PacketId(REPEATS)), Outcome::Answered));
    assert!(
        evidence.notes().any(|note| note.contains("older ones were not compared")),
        "{:?}",
        evidence.notes().collect::<Vec<_>>()
    );
}

#[test]
fn the_same_id_and_port_after_the_client_gave_up_are_a_new_lookup() {
    let lookups = |seconds: &[i64]| {
        let mut scene = Scene::default();
        for second in seconds {
            scene.query(second * 1000 * MS, "192.0.2.10:40000", SERVER, 7, "www.example.com", 0);
        }
        scene.query(90_000 * MS, "192.0.2.10:40001", SERVER, 8, "end.example.com", 0);
        scene.examine().1.transactions.len() - 1
    };
    assert_eq!(lookups(&[0, 5, 10]), 1, "glibc");
    assert_eq!(lookups(&[0, 1, 2, 4, 8]), 1, "Windows");
    assert_eq!(lookups(&[0, 1, 4, 13, 40]), 1, "a timer that trebles");
    assert_eq!(lookups(&[0, 16]), 2, "no timer begins with that");
    assert_eq!(lookups(&[0, 5, 26]), 2, "it waited 5 s before");
    assert_eq!(lookups(&[0, 5, 25]), 1);
    assert_eq!(lookups(&[0, 1, 2, 20, 21, 22]), 2, "a program that always uses one id");
}

#[test]
fn a_host_whose_packets_the_header_calls_received_is_not_the_capturing_one() {
    let mut scene = lookups(0, 0);
    for (at, (_, frame)) in scene.frames.iter_mut().enumerate() {
        if at % 2 == 1 {
            // As a kernel leaves it to a card; over a virtual link it travels like that.
            let sum = frame[26..34].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
            let sum = sum.sum::<u32>() + 17 + u32::from(u16::from_be_bytes([frame[38], frame[39]]));
            let sum = ((sum & 0xffff) + (sum >> 16)) as u16;
            frame[40..42].copy_from_slice(&sum.to_be_bytes());
        }
        *frame = link::sll([2, 0, 0, 0, 0, 1], false, &frame[14..]);
    }
    scene.cooked = true;
    let (_, evidence) = scene.examine();
    let server = SERVER.parse::<std::net::IpAddr>().unwrap().into();
    assert_ne!(evidence.place(server), Place::Here, "{:?}", evidence.surroundings().reasons);
    assert_ne!(evidence.surroundings().vantage, Vantage::Server);
}
