//! Captures of several sites in one run: equal private addresses are different hosts, sensors of one site are joined.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use portmortem::capture::open;
use portmortem::correlate::{Evidence, Outcome, Parameters, correlate};
use portmortem::decode::Site;
use portmortem::filter::{Context, Filter};
use portmortem::findings;
use portmortem::generate::dns::{self, Data};
use portmortem::generate::{Packet, PcapWriter, Variant, link};
use portmortem::index::{Index, Input, Progress, build};

const START_NS: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;
const CLIENT: &str = "10.0.0.5";
const PRIVATE: &str = "10.0.0.53";
const PUBLIC: &str = "198.51.100.53";

/// What becomes of the lookups of a site.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// The same in two fragments.
    Fragmented,
    Refused,
}

/// Six lookups of one client, with the same ports, ids, names and times wherever they are captured.
fn write(path: &Path, server: &str, fate: Fate) {
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = PcapWriter::new(file, Variant::default(), link::ETHERNET).expect("a header");
    let mut put = |at_ns: i64, frame: &[u8]| {
        writer.cut_packet(START_NS + at_ns, frame, frame.len() as u32).expect("a packet");
    };
    for number in 0..6u16 {
        let (at_ns, name) = (i64::from(number) * 10 * SECOND, format!("www{number}.example.org"));
        let (from, to) = (format!("{CLIENT}:{}", 40_000 + number), format!("{server}:53"));
        let query =
            Packet::udp(from.as_str(), to.as_str(), &dns::query(number + 1, &name, dns::A)).id(number + 1);
        put(at_ns, &query.ethernet());
        let answer = dns::answer(number + 1, &name, Data::A([192, 0, 2, 80].into()));
        let answer = Packet::udp(to.as_str(), from.as_str(), &answer).id(number + 100);
        match fate {
            Fate::Answered => put(at_ns + SECOND / 50, &answer.ethernet()),
            Fate::Fragmented => {
                for fragment in answer.fragments(24) {
                    put(
                        at_ns + SECOND / 50,
                        &link::ethernet([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2], &[], 0x0800, &fragment),
                    );
                }
            }
            Fate::Refused => {
                put(at_ns + SECOND / 1_000, &Packet::port_unreachable(&query).id(number + 200).ethernet());
            }
        }
    }
    writer.finish().expect("the end");
}

/// Captures with the sites they are of.
fn read(captures: &[(&str, Fate, Option<&str>)]) -> (Index, Evidence) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inputs = captures.iter().enumerate().map(|(at, (server, fate, site))| {
        let path = folder.path().join(format!("{at}.pcap"));
        write(&path, server, *fate);
        let (mut source, walk) = open(&path).expect("a capture");
        source.place.site = site.map(str::to_owned);
        Input { source, walk, offset_ns: 0 }
    });
    let index = build(inputs.collect(), 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

fn count(evidence: &Evidence, outcome: Outcome) -> usize {
    evidence.transactions.iter().filter(|transaction| transaction.outcome == outcome).count()
}

fn rows(read: &(Index, Evidence), filter: &str) -> Vec<u32> {
    let cancel = AtomicBool::new(false);
    let context = Context { index: &read.0, evidence: Some(&read.1), notes: None, cancel: &cancel };
    Filter::parse(filter).expect(filter).rows(&context)
}

#[test]
fn equal_private_addresses_of_two_sites_are_two_hosts() {
    for working in [Fate::Answered, Fate::Fragmented] {
        let apart = read(&[(PRIVATE, working, Some("berlin")), (PRIVATE, Fate::Refused, Some("oslo"))]);
        assert_eq!(apart.1.transactions.len(), 12);
        assert_eq!((count(&apart.1, Outcome::Answered), count(&apart.1, Outcome::Refused)), (6, 6));
        let problem = apart.1.problems.first().expect("a problem");
        assert_eq!(problem.server.0.site(), Site::named("oslo").expect("a site"));
        assert_eq!(problem.server.0.to_string(), "10.0.0.53@oslo");
        // With nobody saying that they are two, six queries were sent and each was seen twice.
        let joined = read(&[(PRIVATE, working, None), (PRIVATE, Fate::Refused, None)]);
        assert_eq!(joined.1.transactions.len(), 6);
    }
}

#[test]
fn sensors_of_one_site_and_a_single_site_are_joined() {
    for sites in [[None, None], [Some("berlin"), None], [Some("berlin"), Some("berlin")]] {
        let read = read(&[(PRIVATE, Fate::Answered, sites[0]), (PRIVATE, Fate::Answered, sites[1])]);
        assert_eq!((read.1.transactions.len(), count(&read.1, Outcome::Answered)), (6, 6), "{sites:?}");
        assert!(read.0.sources.iter().all(|source| source.site == Site::NONE));
    }
}

#[test]
fn a_public_server_is_the_same_at_every_site() {
    let read = read(&[(PUBLIC, Fate::Refused, Some("berlin")), (PUBLIC, Fate::Answered, Some("oslo"))]);
    let servers: Vec<_> = read
        .1
        .transactions
        .iter()
        .map(|t| read.0.packet(t.first).expect("a query").destination_address())
        .collect();
    assert!(servers.iter().all(|server| server.to_string() == PUBLIC));
    assert_eq!((count(&read.1, Outcome::Refused), count(&read.1, Outcome::Answered)), (6, 6));
    let clients: std::collections::BTreeSet<_> = read
        .1
        .transactions
        .iter()
        .map(|t| read.0.packet(t.first).expect("a query").source_address().to_string())
        .collect();
    assert_eq!(clients.into_iter().collect::<Vec<_>>(), ["10.0.0.5@berlin", "10.0.0.5@oslo"]);
}

#[test]
fn filters_of_findings_name_the_site_and_count_again() {
    let read = read(&[(PRIVATE, Fate::Refused, Some("berlin")), (PRIVATE, Fate::Refused, Some("oslo"))]);
    assert_eq!(rows(&read, "ip.src == 10.0.0.5").len(), 12);
    assert_eq!(rows(&read, "ip.src == 10.0.0.5 and site == \"oslo\"").len(), 6);
    assert_eq!(rows(&read, "site == berlin and icmp.error").len(), 6);
    let found = findings::run(&findings::Input { index: &read.0, evidence: &read.1 }, &[]);
    let counts: Vec<_> =
        found.iter().flat_map(|finding| &finding.counts).filter(|count| !count.filter.is_empty()).collect();
    for site in ["berlin", "oslo"] {
        assert!(
            counts.iter().any(|count| count.filter.contains(&format!("10.0.0.53 && site == \"{site}\""))),
            "{counts:?}"
        );
    }
    for count in counts {
        assert_eq!(rows(&read, &count.filter).len() as u64, count.value, "{}", count.filter);
    }
}

#[test]
fn the_command_line_names_sites_and_sensors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, fate) in [("a.pcap", Fate::Answered), ("b.pcap", Fate::Refused)] {
        write(&folder.path().join(name), PRIVATE, fate);
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portmortem"));
        let done = command.current_dir(folder.path()).args(arguments).output().expect("the program runs");
        (
            String::from_utf8_lossy(&done.stdout).into_owned(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        )
    };
    let named =
        ["--site", "a.pcap=berlin", "--site", "B=oslo", "--sensor", "a.pcap=desk 4", "a.pcap", "b.pcap"];
    let with = |command: &[&str]| run(&[command, &named].concat());
    let (dns, _) = with(&["dns", "--format", "json"]);
    let lines: Vec<serde_json::Value> =
        dns.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 12);
    for line in &lines {
        let site = if line["outcome"] == "answered" { "berlin" } else { "oslo" };
        assert_eq!(
            (&line["client"], &line["client_site"], &line["server_site"]),
            (&"10.0.0.5".into(), &site.into(), &site.into())
        );
    }
    let (packets, _) = with(&["packets", "--format", "json", "--filter", "sensor == \"desk 4\""]);
    let first: serde_json::Value =
        serde_json::from_str(packets.lines().next().expect("a packet")).expect("JSON");
    assert_eq!(
        (packets.lines().count(), &first["sensor"], &first["source"]["ip"], &first["source"]["site"]),
        (12, &"desk 4".into(), &"10.0.0.5".into(), &"berlin".into())
    );
    let (table, _) = with(&["dns"]);
    assert!(table.contains("10.0.0.5@berlin") && table.contains("10.0.0.53@oslo"), "{table}");
    let (report, _) = with(&["report", "--template", "full"]);
    assert!(
        report.contains("10.0.0.53\\@oslo")
            && report.contains("dig @10.0.0.53 ")
            && !report.contains("dig @10.0.0.53@"),
        "{report}"
    );
    for format in ["markdown", "json"] {
        let (redacted, _) =
            with(&["report", "--redact", "--template", if format == "json" { "json" } else { "full" }]);
        assert!(
            redacted.contains("site-B") && !redacted.contains("berlin") && !redacted.contains("oslo"),
            "{redacted}"
        );
        assert!(!redacted.contains("desk 4"), "{redacted}");
    }
    let (_, error) = run(&["dns", "--site", "c.pcap=berlin", "a.pcap"]);
    assert!(error.contains("--site names file \"c.pcap\""), "{error}");
    let (_, error) = run(&["dns", "--site", "berlin", "a.pcap"]);
    assert!(error.contains("expected FILE=NAME"), "{error}");
}
