//! Services beside DNS: what is told of them agrees with what was served before, between, beside and after.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod scene;

use portmortem::findings::{Finding, Severity};
use portmortem::generate::{Packet, Segment, flags};
use scene::{MS, SECOND, START_NS, Scene, leading};

const SYN: u8 = flags::SYN;
const ACK: u8 = flags::ACK;
const PUSH: u8 = flags::ACK | flags::PSH;
const FIN: u8 = flags::FIN | flags::ACK;
const RST: u8 = flags::RST;
const CLIENT: &str = "192.0.2.10";
const HOST: &str = "198.51.100.80";

/// One TCP connection with the numbers each side has reached, written into a scene.
struct Talk<'s> {
    scene: &'s mut Scene,
    ends: (String, String),
    sent: (u32, u32),
}

impl<'s> Talk<'s> {
    fn open(scene: &'s mut Scene, at_ns: i64, port: u16, service: u16) -> Self {
        let ends = (format!("{CLIENT}:{port}"), format!("{HOST}:{service}"));
        let sent = (u32::from(port) * 1_000, u32::from(port) * 2_000);
        let talk = Self { scene, ends, sent };
        talk.out(at_ns, SYN, b"").back(at_ns + MS, SYN | ACK, b"").out(at_ns + 2 * MS, ACK, b"")
    }

    fn out(mut self, at_ns: i64, bits: u8, payload: &[u8]) -> Self {
        let acknowledgment = if bits & ACK == 0 { 0 } else { self.sent.1 };
        let segment = Segment { sequence: self.sent.0, acknowledgment, flags: bits };
        let packet = Packet::tcp(self.ends.0.as_str(), self.ends.1.as_str(), segment, payload);
        self.scene.put(at_ns, packet);
        self.sent.0 += payload.len() as u32 + u32::from(bits & (SYN | flags::FIN) != 0);
        self
    }

    fn back(mut self, at_ns: i64, bits: u8, payload: &[u8]) -> Self {
        let segment = Segment { sequence: self.sent.1, acknowledgment: self.sent.0, flags: bits };
        let packet = Packet::tcp(self.ends.1.as_str(), self.ends.0.as_str(), segment, payload).ttl(57);
        self.scene.put(at_ns, packet);
        self.sent.1 += payload.len() as u32 + u32::from(bits & (SYN | flags::FIN) != 0);
        self
    }

    /// The client's last data once more.
    fn again(self, at_ns: i64, payload: &[u8]) -> Self {
        let (sequence, acknowledgment) = (self.sent.0 - payload.len() as u32, self.sent.1);
        let segment = Segment { sequence, acknowledgment, flags: PUSH };
        self.scene.put(at_ns, Packet::tcp(self.ends.0.as_str(), self.ends.1.as_str(), segment, payload));
        self
    }

    /// A segment of the client that takes `window` bytes more.
    fn window(self, at_ns: i64, window: u16) -> Self {
        let mut bytes = Vec::new();
        for end in [&self.ends.0, &self.ends.1] {
            let port: u16 = end.rsplit(':').next().unwrap().parse().unwrap();
            bytes.extend_from_slice(&port.to_be_bytes());
        }
        bytes.extend_from_slice(&self.sent.0.to_be_bytes());
        bytes.extend_from_slice(&self.sent.1.to_be_bytes());
        bytes.extend_from_slice(&[0x50, ACK]);
        bytes.extend_from_slice(&window.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        self.scene.put(at_ns, Packet::raw(CLIENT.parse().unwrap(), HOST.parse().unwrap(), 6, bytes));
        self
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: www.example.com\r\n\r\n").into_bytes()
}

/// A request that is answered after `took_ns` on a connection of its own.
fn served(scene: &mut Scene, at_ns: i64, port: u16, path: &str, took_ns: i64) {
    let talk = Talk::open(scene, at_ns, port, 80).out(at_ns + 3 * MS, PUSH, &get(path));
    let end_ns = at_ns + 3 * MS + took_ns;
    talk.back(at_ns + 4 * MS, ACK, b"")
        .back(end_ns, PUSH, OK)
        .out(end_ns + MS, FIN, b"")
        .back(end_ns + 2 * MS, FIN, b"")
        .out(end_ns + 3 * MS, ACK, b"");
}

/// A request that is acknowledged and not answered before the client gives up after `patience_ns`.
fn given_up(scene: &mut Scene, at_ns: i64, port: u16, patience_ns: i64) {
    let end_ns = at_ns + 3 * MS + patience_ns;
    Talk::open(scene, at_ns, port, 80)
        .out(at_ns + 3 * MS, PUSH, &get("/"))
        .back(at_ns + 4 * MS, ACK, b"")
        .out(end_ns, FIN, b"")
        .back(end_ns + MS, ACK, b"");
}

/// Pings that keep the capture going until then.
fn until(scene: &mut Scene, at_ns: i64) {
    let (from, to) = ("192.0.2.77".parse().unwrap(), "198.51.100.99".parse().unwrap());
    scene.put(at_ns, Packet::echo(from, to, false, 1, 1));
    scene.put(at_ns + MS, Packet::echo(to, from, true, 1, 1));
}

#[track_caller]
fn one<'f>(found: &'f [Finding], id: &str) -> &'f Finding {
    let own: Vec<&Finding> = found.iter().filter(|finding| finding.id == id).collect();
    let all: Vec<&str> = found.iter().map(|finding| finding.statement.as_str()).collect();
    assert_eq!(own.len(), 1, "{all:?}");
    own[0]
}

fn ntp(mode: u8, origin: u64, transmit: u64) -> Vec<u8> {
    let mut message = vec![0u8; 48];
    (message[0], message[1]) = (0x20 | mode, 2);
    message[24..32].copy_from_slice(&origin.to_be_bytes());
    message[40..48].copy_from_slice(&transmit.to_be_bytes());
    message
}

fn snmp(tag: u8, id: u8) -> Vec<u8> {
    vec![0x30, 12, 2, 1, 1, 4, 1, b'c', tag, 4, 2, 2, 1, id]
}

/// Requests every five seconds whose answers come from another address of the host, or from none with `from`.
fn misaddressed(port: u16, ask: &dyn Fn(u8) -> Vec<u8>, answer: &dyn Fn(u8) -> Vec<u8>, from: &str) -> Scene {
    let mut scene = Scene::default();
    for number in 0..4u8 {
        let at_ns = i64::from(number) * 5 * SECOND;
        let client = format!("{CLIENT}:{}", 40_000 + u16::from(number));
        scene.put(at_ns, Packet::udp(client.as_str(), format!("{HOST}:{port}").as_str(), &ask(number)));
        let from = format!("{from}:{port}");
        scene.put(at_ns + MS, Packet::udp(from.as_str(), client.as_str(), &answer(number)).ttl(57));
    }
    until(&mut scene, 40 * SECOND);
    scene
}

#[test]
fn an_answer_from_another_address_of_the_host_is_no_silence() {
    let time = || {
        misaddressed(123, &|n| ntp(3, 0, 7 + u64::from(n)), &|n| ntp(4, 7 + u64::from(n), 9), "198.51.100.81")
    };
    let agent = || misaddressed(161, &|n| snmp(0xa0, n), &|n| snmp(0xa2, n), "198.51.100.81");
    let radius = || misaddressed(1812, &|n| vec![1, n, 0, 20], &|n| vec![2, n, 0, 20], "198.51.100.81");
    for scene in [time(), agent(), radius()] {
        let (found, assessments) = scene.examine();
        let own = one(&found, "service-failures");
        assert_eq!(own.severity, Severity::Low, "nothing shows that the client did not take them");
        assert!(own.statement.contains("4 of 4"), "{}", own.statement);
        assert!(own.statement.contains("another address than was asked: 198.51.100.81"), "{}", own.statement);
        assert!(found.iter().all(|own| own.id != "datagrams-refused"));
        assert!(leading(&assessments).contains("H16"), "{:?}", leading(&assessments));
    }
}

#[test]
fn an_answer_from_elsewhere_that_the_client_refuses_is_grave() {
    let mut scene = misaddressed(161, &|n| snmp(0xa0, n), &|n| snmp(0xa2, n), "198.51.100.81");
    // The same request again after its answer.
    for number in 0..4u16 {
        let client = format!("{CLIENT}:{}", 40_000 + number);
        let again = Packet::udp(client.as_str(), format!("{HOST}:161").as_str(), &snmp(0xa0, number as u8));
        scene.put(i64::from(number) * 5 * SECOND + SECOND, again);
    }
    let (found, _) = scene.examine();
    assert_eq!(one(&found, "service-failures").severity, Severity::High);
}

#[test]
fn an_answer_to_something_else_leaves_the_request_in_silence() {
    // The origin timestamp is that of no request.
    let other = misaddressed(123, &|n| ntp(3, 0, 7 + u64::from(n)), &|_| ntp(4, 77_777, 9), "198.51.100.81");
    let (found, _) = other.examine();
    assert!(one(&found, "datagrams-refused").statement.contains("without any reply"));
}

#[test]
fn a_host_that_answers_something_else_is_not_down() {
    let silent = |asked: &str| {
        let mut scene = Scene::default();
        for number in 0..6u16 {
            let at_ns = i64::from(number) * 3 * SECOND;
            scene.put(
                at_ns,
                Packet::udp(
                    format!("{CLIENT}:{}", 40_000 + number).as_str(),
                    format!("{HOST}:123").as_str(),
                    &ntp(3, 0, 7 + u64::from(number)),
                ),
            );
            let name = format!("n{number}.example.org");
            scene.lookup(
                at_ns + SECOND,
                2 * MS,
                &format!("{CLIENT}:{}", 50_000 + number),
                asked,
                number + 1,
                &name,
            );
        }
        until(&mut scene, 40 * SECOND);
        let (found, assessments) = scene.examine();
        assert!(one(&found, "datagrams-refused").statement.contains("6 of 6"));
        leading(&assessments)
    };
    assert!(silent(HOST).contains("H8") && !silent(HOST).contains("H6"), "it answers DNS");
    assert!(silent("198.51.100.53").contains("H6"), "nothing else of it is seen");
}

#[test]
fn what_was_served_between_failures_counts_among_what_was_asked() {
    let mut scene = Scene::default();
    served(&mut scene, 0, 40_000, "/", 20 * MS);
    for number in 0..5u16 {
        let at_ns = i64::from(number) * 10 * SECOND + 5 * SECOND;
        given_up(&mut scene, at_ns, 41_000 + number, 4 * SECOND);
        served(&mut scene, at_ns + 5 * SECOND, 42_000 + number, "/", 20 * MS);
    }
    until(&mut scene, 80 * SECOND);
    let (found, assessments) = scene.examine();
    let own = one(&found, "service-failures");
    assert!(own.statement.starts_with("5 of 9 requests"), "{}", own.statement);
    let trouble = assessments[0].trouble.as_ref().expect("a failure");
    assert_eq!((trouble.asked, trouble.around), (9, (1, 1)), "one before and one after");
}

#[test]
fn an_answer_after_the_client_gave_up_is_late_and_not_missing() {
    let mut scene = Scene::default();
    for number in 0..3u16 {
        let at_ns = i64::from(number) * 10 * SECOND;
        let port = 40_000 + number;
        Talk::open(&mut scene, at_ns, port, 80)
            .out(at_ns + 3 * MS, PUSH, &get("/"))
            .back(at_ns + 4 * MS, ACK, b"")
            .out(at_ns + 5 * SECOND, FIN, b"")
            .back(at_ns + 5 * SECOND + MS, ACK, b"")
            .back(at_ns + 7 * SECOND, PUSH, OK);
    }
    until(&mut scene, 60 * SECOND);
    let (found, _) = scene.examine();
    let own = one(&found, "service-failures");
    assert!(own.statement.contains("not answered before the clients gave up"), "{}", own.statement);
    assert!(!own.statement.contains("never"), "{}", own.statement);
}

/// A session that carries data each two seconds until then.
fn session(scene: &mut Scene, port: u16, until_s: i64) -> Talk<'_> {
    let mut talk = Talk::open(scene, 0, port, 22).back(10 * MS, PUSH, b"SSH-2.0-a\r\n").out(
        11 * MS,
        PUSH,
        b"SSH-2.0-b\r\n",
    );
    for at in (2..until_s).step_by(2) {
        talk = talk.out(at * SECOND, PUSH, b"0123456789").back(at * SECOND + MS, PUSH, b"0123456789").out(
            at * SECOND + 2 * MS,
            ACK,
            b"",
        );
    }
    talk
}

/// A session that goes silent at 20 s.
fn lost(scene: &mut Scene) {
    let mut talk = session(scene, 40_000, 10).out(20 * SECOND, PUSH, b"0123456789");
    for at in [21, 23, 27, 35] {
        talk = talk.again(at * SECOND, b"0123456789");
    }
}

#[test]
fn one_session_lost_while_another_goes_on_is_not_the_service() {
    let mut alone = Scene::default();
    lost(&mut alone);
    until(&mut alone, 60 * SECOND);
    let (found, _) = alone.examine();
    assert_eq!(one(&found, "service-failures").severity, Severity::High);

    let mut beside = Scene::default();
    lost(&mut beside);
    session(&mut beside, 41_000, 50);
    until(&mut beside, 60 * SECOND);
    let (found, assessments) = beside.examine();
    assert_eq!(one(&found, "service-failures").severity, Severity::Medium);
    let told: Vec<&str> = assessments[0].wording.iter().map(|sentence| sentence.text.as_str()).collect();
    assert!(told.iter().any(|text| text.contains("others of the same clients to it go on")), "{told:?}");
}

#[test]
fn two_ways_to_fail_between_the_same_successes_are_one_outage() {
    let mut scene = Scene::default();
    served(&mut scene, 0, 40_000, "/", 20 * MS);
    for number in 0..3u16 {
        given_up(&mut scene, i64::from(number) * SECOND + 5 * SECOND, 41_000 + number, 4 * SECOND);
    }
    for number in 0..4u16 {
        for again in 0..3 {
            let at_ns = (i64::from(number) * 5 + 14 + again) * SECOND;
            let ends = (format!("{CLIENT}:{}", 42_000 + number), format!("{HOST}:80"));
            scene.tcp(at_ns, &ends.0, &ends.1, SYN, b"");
        }
    }
    served(&mut scene, 50 * SECOND, 43_000, "/", 20 * MS);
    until(&mut scene, 80 * SECOND);
    let (_, assessments) = scene.examine();
    let own: Vec<_> = assessments.iter().filter_map(|own| own.trouble.as_ref()).collect();
    assert_eq!(own.len(), 2);
    for trouble in &own {
        let (from, to) = trouble.outage_ns();
        assert_eq!(((from - START_NS) / SECOND, (to - START_NS) / SECOND), (5, 31));
    }
    assert!(own[0].span_ns() < own[1].span_ns(), "what it began with leads");
    assert!(own[1].kind() == portmortem::attempts::Kind::Http, "what others speak there");
}

#[test]
fn a_long_poll_and_a_lone_slow_report_are_no_failure() {
    let quiet = |scene: Scene, severity: Severity| {
        let (found, assessments) = scene.examine();
        assert_eq!(one(&found, "service-failures").severity, severity);
        assert_eq!(assessments.is_empty(), severity == Severity::Info);
    };
    let mut poll = Scene::default();
    served(&mut poll, 0, 40_000, "/api/longpoll", 18 * SECOND);
    served(&mut poll, 19 * SECOND, 40_001, "/api/longpoll", 7 * SECOND);
    quiet(poll, Severity::Info);

    let mut report = Scene::default();
    served(&mut report, 0, 40_000, "/report", 8 * SECOND);
    served(&mut report, SECOND, 40_001, "/", 10 * MS);
    quiet(report, Severity::Info);

    let mut slow = Scene::default();
    served(&mut slow, 0, 40_000, "/report", 8 * SECOND);
    quiet(slow, Severity::Low);
}

#[test]
fn a_client_that_reads_slowly_and_gets_all_is_no_failure() {
    let download = |resumes: bool, pause_s: i64| {
        let mut scene = Scene::default();
        let mut talk = Talk::open(&mut scene, 0, 40_000, 80).out(3 * MS, PUSH, &get("/file"));
        talk = talk.back(4 * MS, PUSH, OK).back(5 * MS, PUSH, &[b'x'; 1_000]).window(6 * MS, 0);
        for at in 1..pause_s {
            talk = talk.window(at * SECOND, 0);
        }
        if resumes {
            let end = pause_s * SECOND;
            talk = talk.window(end, 64_000).back(end + MS, PUSH, &[b'x'; 1_000]);
            talk = talk.window(end + 2 * MS, 64_000).back(end + 3 * MS, FIN, b"");
            talk.out(end + 4 * MS, FIN, b"");
        }
        until(&mut scene, 30 * SECOND);
        scene
    };
    let severity = |scene: Scene| one(&scene.examine().0, "service-failures").severity;
    assert_eq!(severity(download(true, 4)), Severity::Info);
    assert_eq!(severity(download(true, 8)), Severity::Low, "a long pause is worth a word");
    assert!(severity(download(false, 8)) > Severity::Low, "the rest was never taken");
    let (found, _) = download(true, 8).examine();
    assert!(one(&found, "service-failures").statement.contains("it took the rest later"), "{found:?}");
    let report = download(true, 8).report();
    let said: String = report.claims().map(|claim| claim.text.as_str()).collect();
    assert!(said.contains("each of these transfers went on after it"), "{said}");
    assert!(!said.contains("none was seen after it"), "{said}");
}

/// A transfer that the client leaves: each segment that still comes is answered with the same reset.
fn left(v6: bool) -> Vec<(i64, Packet)> {
    let ends = if v6 {
        ("[2001:db8::10]:40000", "[2001:db8::80]:80")
    } else {
        ("192.0.2.10:40000", "198.51.100.80:80")
    };
    let mut packets = Vec::new();
    let mut put =
        |at_ns: i64, from_client: bool, sequence: u32, acknowledgment: u32, bits: u8, payload: &[u8]| {
            let (from, to) = if from_client { ends } else { (ends.1, ends.0) };
            let segment = Segment { sequence, acknowledgment, flags: bits };
            packets.push((at_ns, Packet::tcp(from, to, segment, payload)));
        };
    put(0, true, 100, 0, SYN, b"");
    put(MS, false, 900, 101, SYN | ACK, b"");
    put(2 * MS, true, 101, 901, ACK, b"");
    put(3 * MS, true, 101, 901, PUSH, &get("/"));
    for number in 0..20u32 {
        put(10 * MS + i64::from(number) * MS / 20, false, 901 + number * 1_000, 140, PUSH, &[b'x'; 1_000]);
        put(10 * MS + i64::from(number) * MS / 20 + 1_000, true, 140, 0, RST, b"");
    }
    packets
}

fn copies(scene: Scene) -> u64 {
    let (found, _) = scene.examine();
    let own = found.iter().find(|own| own.id == "capture-quality" && own.statement.contains("cop"));
    own.map_or(0, |own| own.counts.iter().map(|count| count.value).sum())
}

#[test]
fn equal_resets_to_different_segments_are_no_copies() {
    for v6 in [false, true] {
        let mut scene = Scene::default();
        for (at_ns, packet) in left(v6) {
            scene.packets.push((START_NS + at_ns, packet.ethernet()));
        }
        assert_eq!(copies(scene), 0, "IPv6: {v6}");
        // A port that mirrors doubles all.
        let mut mirrored = Scene::default();
        for (at_ns, packet) in left(v6) {
            for again in [0, 10_000] {
                mirrored.packets.push((START_NS + at_ns + again, packet.ethernet()));
            }
        }
        assert!(copies(mirrored) >= 40, "IPv6: {v6}");
    }
}

/// A message of DHCP (RFC 2131 §2) with its options.
fn dhcp(reply: bool, yours: [u8; 4], options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut message = vec![if reply { 2 } else { 1 }, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(&yours);
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&[2, 0, 0, 0, 0, 7]);
    message.resize(236, 0);
    message.extend_from_slice(&[99, 130, 83, 99]);
    for (code, value) in options {
        message.extend_from_slice(&[*code, value.len() as u8]);
        message.extend_from_slice(value);
    }
    message.push(255);
    message
}

#[test]
fn a_second_dhcp_server_whose_client_fails_leads_what_fails() {
    let (stray, real) = ([192, 168, 1, 1], [10, 13, 0, 1]);
    let mut scene = Scene::default();
    let all = ("0.0.0.0:68", "255.255.255.255:67");
    scene.put(0, Packet::udp(all.0, all.1, &dhcp(false, [0; 4], &[(53, &[1])])));
    let give = |server: [u8; 4], yours: [u8; 4], kind: u8| {
        let options: [(u8, &[u8]); 4] = [(53, &[kind]), (54, &server), (3, &server), (6, &server)];
        let from = format!("{}.{}.{}.{}:67", server[0], server[1], server[2], server[3]);
        Packet::udp(from.as_str(), "255.255.255.255:68", &dhcp(true, yours, &options))
    };
    let mine = [192, 168, 1, 116];
    scene.put(MS, give(stray, mine, 2));
    let ask: [(u8, &[u8]); 3] = [(53, &[3]), (54, &stray), (50, &mine)];
    scene.put(2 * MS, Packet::udp(all.0, all.1, &dhcp(false, [0; 4], &ask)));
    scene.put(3 * MS, give(stray, mine, 5));
    scene.put(3 * SECOND, give(real, [10, 13, 0, 119], 2));
    for id in 1..8u16 {
        let at_ns = SECOND + i64::from(id) * SECOND;
        let from = format!("192.168.1.116:{}", 40_000 + id);
        scene.query(at_ns, &from, "192.168.1.1", id, "www.example.com", 1);
        let mut refused = portmortem::generate::dns::query(id, "www.example.com", 1);
        (refused[2], refused[3]) = (0x81, 0x85);
        scene.reply(at_ns + MS, "192.168.1.1", &from, &refused);
    }
    let (found, assessments) = scene.examine();
    let own = one(&found, "second-dhcp");
    assert_eq!(own.severity, Severity::High);
    assert!(
        own.statement.contains("took an address of 192.168.1.1, and what they asked for then failed"),
        "{}",
        own.statement
    );
    let beside = assessments.iter().find(|own| own.problem.is_none()).expect("it is weighed");
    assert!(beside.title.as_ref().is_some_and(|title| title.starts_with("Two DHCP servers")));
}

/// Requests for a link address, a second apart, of a host that pings a neighbour meanwhile.
fn asked_for(target: [u8; 4], ping: &str) -> Scene {
    use portmortem::generate::{Arp, arp};
    let me = [192, 0, 2, 17];
    let mut scene = Scene::default();
    for number in 0..7 {
        let request = Arp {
            operation: 1,
            sender_mac: [2, 0, 0, 0, 0, 17],
            sender: me.into(),
            target_mac: [0; 6],
            target: target.into(),
        };
        scene.packets.push((START_NS + number * SECOND, arp(&request)));
    }
    let (from, to) = (std::net::IpAddr::from(me), ping.parse().unwrap());
    for sequence in 1..5u16 {
        let at_ns = i64::from(sequence) * SECOND + 300 * MS;
        scene.put(at_ns, Packet::echo(from, to, false, 1, sequence));
        scene.put(at_ns + MS, Packet::echo(to, from, true, 1, sequence));
    }
    scene
}

#[test]
fn nobody_who_answers_for_the_number_of_a_router_is_no_way_out() {
    let (found, assessments) = asked_for([192, 0, 2, 1], "192.0.2.30").examine();
    assert_eq!(one(&found, "arp-unanswered").severity, Severity::Medium);
    assert!(assessments[0].title.as_ref().is_some_and(|title| title.contains("by its number the gateway")));
    assert!(leading(&assessments).contains("H33"));
    for (target, ping) in [([192, 0, 2, 71], "192.0.2.30"), ([192, 0, 2, 1], "198.51.100.30")] {
        let (found, assessments) = asked_for(target, ping).examine();
        assert_eq!(
            one(&found, "arp-unanswered").severity,
            Severity::Info,
            "another number, or another way out"
        );
        assert!(assessments.is_empty());
    }
}

#[test]
fn two_lookups_of_two_that_took_seconds_are_slow() {
    let asked = |trips: &[i64]| {
        let mut scene = Scene::default();
        for (number, trip_ns) in trips.iter().enumerate() {
            let id = number as u16 + 1;
            let at_ns = number as i64 * 10 * SECOND;
            scene.lookup(
                at_ns,
                *trip_ns,
                &format!("{CLIENT}:{}", 40_000 + id),
                HOST,
                id,
                &format!("n{id}.example.org"),
            );
        }
        until(&mut scene, 40 * SECOND);
        scene.examine().0.iter().any(|own| own.id == "slow-dns")
    };
    assert!(asked(&[3_100 * MS, 2_600 * MS]));
    assert!(!asked(&[3_100 * MS, 2_600 * MS, 20 * MS]), "one came at once");
    assert!(!asked(&[3_100 * MS, 1_200 * MS]));
}

#[test]
fn a_try_given_up_at_once_met_the_silence_that_another_proves() {
    let (v6, v4) = ("2001:db8::10", "2001:db8::80");
    let mut scene = Scene::default();
    // One SYN, given up for the other family; another that is repeated.
    scene.tcp(0, &format!("[{v6}]:40000"), &format!("[{v4}]:80"), SYN, b"");
    for at in [1, 2, 4, 8] {
        scene.tcp(at * SECOND, &format!("[{v6}]:40001"), &format!("[{v4}]:80"), SYN, b"");
    }
    served(&mut scene, 200 * MS, 41_000, "/", 20 * MS);
    until(&mut scene, 30 * SECOND);
    let (found, _) = scene.examine();
    assert!(one(&found, "tcp-failures").statement.starts_with("2 of 2 connections"));
}

/// Segments of a connection on both sides of a translator, which also takes a hop.
fn translated(scene: &mut Scene, at_ns: i64, (segment, payload, out): (Segment, &[u8], bool)) {
    let id = scene.ip_id + 1;
    for (number, inside) in [out, !out].into_iter().enumerate() {
        let client = if inside { "192.0.2.10:40000" } else { "203.0.113.2:40000" };
        let (from, to) = if out { (client, "198.51.100.80:80") } else { ("198.51.100.80:80", client) };
        let packet = Packet::tcp(from, to, segment, payload).ttl(64 - number as u8).id(id);
        scene.packets.push((scene::START_NS + at_ns + number as i64 * MS / 50, packet.ethernet()));
    }
    scene.ip_id = id;
}

#[test]
fn both_sides_of_a_translator_in_one_capture_are_one_client() {
    let mut scene = Scene::default();
    let mut at = 0;
    let mut put = |sequence, acknowledgment, flags, payload: &[u8], out| {
        at += MS;
        translated(&mut scene, at, (Segment { sequence, acknowledgment, flags }, payload, out));
    };
    put(100, 0, SYN, b"", true);
    put(900, 101, SYN | ACK, b"", false);
    put(101, 901, ACK, b"", true);
    put(101, 901, PUSH, &get("/"), true);
    put(901, 101 + get("/").len() as u32, PUSH, OK, false);
    put(101 + get("/").len() as u32, 901 + OK.len() as u32, FIN | ACK, b"", true);
    let (_, evidence) = scene.load();
    let all = &portmortem::attempts::Attempts::of(&evidence).all;
    let clients: Vec<String> = all.iter().map(|own| own.client.0.to_string()).collect();
    assert_eq!(clients, ["192.0.2.10"], "{all:?}");
}

/// Closed ports of a host tried by `clients`, each `times`; one of them is open where `serves`.
fn tried(ports: &[u16], clients: &[&str], times: u32) -> Scene {
    let mut scene = Scene::default();
    for (number, client) in clients.iter().enumerate() {
        for (at, port) in ports.iter().enumerate() {
            for time in 0..times {
                let at_ns = (at as i64 * 20 + number as i64) * MS + i64::from(time) * SECOND;
                let from = format!("{client}:{}", 40_000 + at as u32 * 10 + time);
                let to = format!("{HOST}:{port}");
                let syn = Segment { sequence: 100, acknowledgment: 0, flags: SYN };
                scene.put(at_ns, Packet::tcp(from.as_str(), to.as_str(), syn, b""));
                let reset = Segment { sequence: 0, acknowledgment: 101, flags: RST | ACK };
                scene.put(at_ns + MS, Packet::tcp(to.as_str(), from.as_str(), reset, b""));
            }
        }
    }
    scene
}

#[test]
fn closed_ports_tried_once_by_one_host_are_probed_and_nobody_s_outage() {
    const PORTS: [u16; 5] = [22, 80, 110, 3306, 8080];
    let told = |scene: Scene| -> Vec<(&'static str, Severity)> {
        scene.examine().0.iter().map(|own| (own.id, own.severity)).collect()
    };
    assert_eq!(told(tried(&PORTS, &[CLIENT], 1)), [("port-scan", Severity::Low)]);
    // Whoever needs a service tries it again, and is not alone.
    assert_eq!(told(tried(&PORTS, &[CLIENT], 2)), [("tcp-failures", Severity::High)]);
    assert_eq!(told(tried(&PORTS, &[CLIENT, "192.0.2.11"], 1)), [("tcp-failures", Severity::High)]);
    // Few ports are few services.
    assert_eq!(told(tried(&PORTS[..3], &[CLIENT], 1)), [("tcp-failures", Severity::High)]);
    // A name that had led there tells that they were wanted.
    let mut named = tried(&PORTS, &[CLIENT], 1);
    for (time_ns, _) in &mut named.packets {
        *time_ns += SECOND;
    }
    let name = "files.example.com";
    named.query(0, &format!("{CLIENT}:5353"), scene::SERVER, 7, name, portmortem::generate::dns::A);
    let address = portmortem::generate::dns::Data::A(HOST.parse().unwrap());
    let answer = portmortem::generate::dns::answer(7, name, address);
    named.reply(MS, scene::SERVER, &format!("{CLIENT}:5353"), &answer);
    assert!(told(named).iter().all(|(id, _)| *id != "port-scan"));
}

#[test]
fn a_ping_without_reply_among_others_is_counted() {
    let mut scene = Scene::default();
    let (client, host) = (CLIENT.parse().unwrap(), HOST.parse().unwrap());
    for number in 0..16_u16 {
        let at = i64::from(number) * SECOND;
        scene.put(at, Packet::echo(client, host, false, 7 + number, 1));
        if number != 9 {
            scene.put(at + MS, Packet::echo(host, client, true, 7 + number, 1));
        }
    }
    let said = scene.review().coverage.sentences().join(" ");
    assert!(said.contains("ping (15 of 16 answered)"), "{said}");
}

/// Each client with what it asked a RADIUS server, second by second: an answer, or three tries without.
fn sign_ins(rows: &[(&str, i64, bool)]) -> Scene {
    let mut scene = Scene::default();
    let server = format!("{HOST}:1812");
    for (number, (client, at_s, good)) in rows.iter().enumerate() {
        let id = number as u8;
        let from = format!("{client}:{}", 40_000 + number);
        let mut ask = vec![1, id, 0, 26];
        ask.extend([7 + id; 16]);
        ask.extend(*b"\x01\x06anna");
        let tries = if *good { 1 } else { 3 };
        for again in 0..tries {
            let at_ns = at_s * SECOND + again * 2 * SECOND;
            scene.put(at_ns, Packet::udp(from.as_str(), server.as_str(), &ask));
        }
        if *good {
            let mut answer = vec![2, id, 0, 20];
            answer.extend([9; 16]);
            scene.put(at_s * SECOND + MS, Packet::udp(server.as_str(), from.as_str(), &answer));
        }
    }
    until(&mut scene, 60 * SECOND);
    scene
}

#[test]
fn clients_that_lose_a_service_each_for_itself_do_not_make_it_come_and_go() {
    let (first, second, fine) = ("192.0.2.12", "192.0.2.13", "192.0.2.11");
    let mut rows = vec![(first, 0, true), (second, 1, true), (first, 5, false), (second, 6, true)];
    rows.extend([(second, 12, false), (first, 14, false), (second, 20, false)]);
    rows.extend((0..30).map(|at_s| (fine, at_s, true)));
    let (_, assessments) = sign_ins(&rows).examine();
    let own = assessments[0].trouble.as_ref().unwrap();
    assert!(!own.is_intermittent);
    let spared: Vec<String> = own.spared().map(|client| client.address.to_string()).collect();
    assert_eq!((own.asked, spared), (4, vec![fine.to_owned()]));
    let leading = leading(&assessments);
    assert!(leading.contains("H14") && !leading.contains("H39"), "{leading:?}");
}

#[test]
fn one_client_served_between_its_own_failures_shows_a_service_that_comes_and_goes() {
    let rows: Vec<_> = (0..8).map(|number| ("192.0.2.12", number * 6, number % 2 == 1)).collect();
    let (_, assessments) = sign_ins(&rows).examine();
    assert!(leading(&assessments).contains("H39"), "{:?}", leading(&assessments));
    let told: Vec<&str> = assessments[0].wording.iter().map(|sentence| sentence.text.as_str()).collect();
    assert!(!told.iter().any(|text| text.contains("People cannot sign in")), "{told:#?}");
}

#[test]
fn what_hung_itself_is_no_contrast_to_what_hung() {
    for (took_ns, is_parted) in [(3_800 * MS, false), (50 * MS, true)] {
        let mut scene = Scene::default();
        for number in 0..6 {
            served(&mut scene, i64::from(number) * SECOND, 40_000 + number, "/favicon.ico", 20 * MS);
        }
        for number in 0..3 {
            given_up(&mut scene, (10 + 5 * i64::from(number)) * SECOND, 41_000 + number, 4 * SECOND);
        }
        served(&mut scene, 15 * SECOND + 500 * MS, 42_000, "/favicon.ico", took_ns);
        until(&mut scene, 60 * SECOND);
        let (_, assessments) = scene.examine();
        let mut troubles = assessments.iter().filter_map(|own| own.trouble.as_ref());
        let hung = troubles.find(|own| own.failed.len() == 3).unwrap();
        assert_eq!(hung.part.is_some(), is_parted, "{:?}", hung.part);
    }
}

#[test]
fn one_client_that_is_denied_what_others_are_given_is_not_grave() {
    let mut scene = Scene::default();
    for number in 0..8_u16 {
        let host = if number % 2 == 0 { 105 } else { 101 };
        let code = if number % 2 == 0 { 5 } else { 0 };
        let ends = (format!("192.0.2.{host}:{}", 40_000 + number), format!("{HOST}:1883"));
        let at_ns = i64::from(number) * 6 * SECOND;
        let talk = Talk { scene: &mut scene, ends, sent: (1_000, 2_000) };
        let talk = talk.out(at_ns, SYN, b"").back(at_ns + MS, SYN | ACK, b"").out(at_ns + 2 * MS, ACK, b"");
        let connect = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04gw-1";
        talk.out(at_ns + 3 * MS, PUSH, connect)
            .back(at_ns + 4 * MS, PUSH, &[0x20, 2, 0, code])
            .back(at_ns + 5 * MS, FIN, b"")
            .out(at_ns + 6 * MS, FIN, b"")
            .back(at_ns + 7 * MS, ACK, b"");
    }
    let (found, _) = scene.examine();
    assert!(found.iter().all(|own| own.severity <= Severity::Medium), "{found:#?}");
    assert!(found.iter().any(|own| own.severity == Severity::Medium), "{found:#?}");
}
