//! Plants one incident after the other in a generated office and checks that the rules name it, and nothing when it is healthy.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::sync::atomic::AtomicBool;

use portmortem::capture::open;
use portmortem::correlate::{Evidence, Parameters, correlate};
use portmortem::findings::{self, Finding, Severity};
use portmortem::generate::office::{Fault, Incident, Office, PRIMARY};
use portmortem::index::{Index, Input, Progress, build};

struct Examined {
    index: Index,
    evidence: Evidence,
    findings: Vec<Finding>,
}

fn examine(office: &Office) -> Examined {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("office.pcap");
    let file = std::fs::File::create(&path).expect("a file in the temporary folder");
    office.write_pcap(std::io::BufWriter::new(file)).expect("the capture is written");
    let (source, walk) = open(&path).expect("a generated capture opens");
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let findings = findings::run(&findings::Input { index: &index, evidence: &evidence }, &[]);
    Examined { index, evidence, findings }
}

fn office_with(fault: Fault) -> Office {
    let incident = Incident { server: PRIMARY, fault, from_s: 60, until_s: 200 };
    Office { incidents: vec![incident], ..Office::default() }
}

/// The ids of findings graver than "info", each once.
fn grave(examined: &Examined) -> Vec<&'static str> {
    let mut ids: Vec<&'static str> =
        examined.findings.iter().filter(|finding| finding.severity > Severity::Info).map(|f| f.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[test]
fn a_healthy_office_gives_no_finding_above_info() {
    for seed in 1..=5 {
        let examined = examine(&Office { seed, ..Office::default() });
        let found: Vec<&str> = examined.findings.iter().map(|finding| finding.statement.as_str()).collect();
        assert!(grave(&examined).is_empty(), "seed {seed}: {found:#?}");
    }
}

#[test]
fn every_planted_fault_is_found_under_its_own_name() {
    for (fault, id) in [
        (Fault::ServiceStopped, "refused-by-icmp"),
        (Fault::Prohibited, "admin-prohibited"),
        (Fault::SilentDrop, "unanswered-queries"),
        (Fault::HostUnreachable, "unreachable"),
        (Fault::ServerFailure, "rcode-outage"),
    ] {
        let examined = examine(&office_with(fault));
        assert!(grave(&examined).contains(&id), "{fault:?} gave {:?}", grave(&examined));
    }
}

#[test]
fn outcomes_add_up_to_the_queries_whatever_is_wrong() {
    for fault in [
        Fault::ServiceStopped,
        Fault::Prohibited,
        Fault::SilentDrop,
        Fault::HostUnreachable,
        Fault::ServerFailure,
        Fault::Late(7_000),
    ] {
        let examined = examine(&office_with(fault));
        let tries: usize =
            examined.evidence.transactions.iter().map(|transaction| transaction.tries as usize).sum();
        let queries = examined.index.dns_rows().filter(|row| !row.is_response()).count();
        assert_eq!(tries, queries, "{fault:?}");
    }
}
