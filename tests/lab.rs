//! Captures of a real kernel's routers, translators, filters and resolvers: what is counted, found and judged.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

mod scene;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::{Evidence, LinkKind, Outcome, Parameters, Vantage, correlate};
use portmortem::findings::hypotheses::{Assessment, Verdict, assess_all};
use portmortem::findings::{self, Finding, Severity};
use portmortem::index::{FrameNumber, Index, Input, Progress, SourceId, build};
use scene::leading;

struct Examined {
    index: Index,
    evidence: Evidence,
    findings: Vec<Finding>,
    assessments: Vec<Assessment>,
}

fn examine(name: &str) -> Examined {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/lab").join(name);
    let (source, walk) = capture::open(&path).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let input = findings::Input { index: &index, evidence: &evidence };
    let findings = findings::run(&input, &[]);
    let assessments = assess_all(&input, &findings, &[]);
    Examined { index, evidence, findings, assessments }
}

impl Examined {
    fn count(&self, outcome: Outcome) -> usize {
        self.evidence.transactions.iter().filter(|transaction| transaction.outcome == outcome).count()
    }

    /// The frames a frame links to with one kind of link, the first one first.
    fn linked(&self, frame: u64, kind: LinkKind) -> Vec<u64> {
        let packet = self.index.by_frame(SourceId(0), FrameNumber(frame)).unwrap();
        let links = self.evidence.all_links_from(packet);
        let to = links.iter().filter(|link| link.kind == kind).filter_map(|link| link.to);
        to.map(|to| self.index.packet(to).unwrap().frame().0).collect()
    }

    fn severity(&self, id: &str) -> Option<Severity> {
        self.findings.iter().find(|finding| finding.id == id).map(|finding| finding.severity)
    }

    fn leading_at(&self, server: &str) -> BTreeSet<&'static str> {
        let problems = self.evidence.problems.iter();
        let at = problems.enumerate().find(|(_, problem)| problem.server.0.to_string() == server).unwrap().0;
        let assessment = self.assessments.iter().find(|a| a.problem == Some(at)).unwrap();
        leading(std::slice::from_ref(assessment))
    }
}

#[test]
fn answers_that_a_nat_changes_back_are_the_answers_of_the_queries() {
    let seen = examine("30_masquerade_both_sides.pcap");
    assert_eq!((seen.evidence.transactions.len(), seen.count(Outcome::Answered)), (4, 4));
    assert!(seen.evidence.problems.is_empty());
    assert_eq!(
        seen.evidence.surroundings().vantage,
        Vantage::Middle,
        "{:?}",
        seen.evidence.surroundings().reasons
    );
    let answers: Vec<u64> = seen
        .evidence
        .transactions
        .iter()
        .map(|transaction| seen.index.packet(transaction.answer.unwrap()).unwrap().frame().0)
        .collect();
    for (transaction, answer) in seen.evidence.transactions.iter().zip(answers) {
        let query = seen.index.packet(transaction.first).unwrap();
        let packet = seen.index.packet(transaction.answer.unwrap()).unwrap();
        assert_eq!(query.source_address(), packet.destination_address(), "frame {answer}");
        // The copy behind the translator answers the copy of the query there.
        let behind = seen.linked(answer - 1, LinkKind::AnswerTo);
        assert_eq!(behind, [query.frame().0, query.frame().0 + 1]);
    }
}

#[test]
fn errors_that_a_nat_changes_back_count_once() {
    let seen = examine("31_masquerade_refused_both_sides.pcap");
    assert_eq!(seen.count(Outcome::Refused), 3);
    let own = seen.index.icmp_rows().filter(|row| !seen.evidence.is_duplicate(row.packet)).count();
    assert_eq!((seen.index.icmp_rows().count(), own), (6, 3));
    // Each error is tied to the query as it looked on its side, the client's query among them.
    assert_eq!(seen.linked(5, LinkKind::ErrorAbout), [3, 4]);
    assert_eq!(seen.linked(6, LinkKind::ErrorAbout), [3]);
    assert_eq!(leading(&seen.assessments), BTreeSet::from(["H1", "H2", "H3", "H4"]));
}

#[test]
fn a_translated_address_points_at_the_device_in_front() {
    let refused = examine("33_dnat_refused_both_sides.pcap");
    assert_eq!(refused.count(Outcome::Refused), 3);
    assert!(leading(&refused.assessments).contains("H3"));
    // Host unreachable in the very name of the host asked, after the time address resolution takes.
    let absent = examine("32_dnat_backend_absent.pcap");
    assert!(leading(&absent.assessments).contains("H3"));
    let host = absent.assessments[0].hypothesis("H6").unwrap();
    assert!(host.verdict <= Verdict::Consistent, "the real server behind it is gone: {:?}", host.verdict);
}

#[test]
fn a_host_that_calls_itself_unreachable_has_a_rule() {
    let seen = examine("38_input_host_unreachable.pcap");
    assert!(leading(&seen.assessments).contains("H2"));
    let host = seen.assessments[0].hypothesis("H6").unwrap();
    assert_eq!(host.verdict, Verdict::Unlikely, "it answered");
    let said: Vec<&str> = seen.assessments[0].wording.iter().map(|sentence| sentence.text.as_str()).collect();
    assert!(said.iter().any(|text| text.contains("No host reports itself unreachable")), "{said:?}");
    assert!(said.iter().all(|text| !text.contains("not present on its network")), "{said:?}");
}

#[test]
fn tcp_refused_by_an_icmp_error_tells_a_filter_from_a_missing_listener() {
    let seen = examine("34_input_reject_udp_and_tcp.pcap");
    let led = leading(&seen.assessments);
    assert!(led.contains("H2") && !led.contains("H1"), "{led:?}");
    let failed = seen.findings.iter().find(|finding| finding.id == "tcp-failures").unwrap();
    assert!(failed.statement.contains("2 refused by an ICMP error"), "{}", failed.statement);
}

#[test]
fn a_truncated_answer_with_a_reset_retry_is_no_open_question() {
    let seen = examine("35_truncated_tcp_reset.pcap");
    assert_eq!((seen.count(Outcome::Truncated), seen.count(Outcome::Undetermined)), (3, 0));
    assert_eq!(seen.severity("truncated-without-tcp"), Some(Severity::Medium));
    assert!(leading(&seen.assessments).contains("H12"));
}

#[test]
fn answers_their_client_refuses_came_too_late_for_it() {
    let seen = examine("36_client_gave_up.pcap");
    assert_eq!((seen.count(Outcome::Answered), seen.count(Outcome::Late)), (0, 3));
    assert_eq!(seen.severity("late-answers"), Some(Severity::Medium));
    assert!(leading(&seen.assessments).contains("H19"));
}

#[test]
fn a_resolver_whose_upstream_fails_is_no_silent_drop() {
    let seen = examine("37_upstream_refused_at_resolver.pcap");
    assert_eq!(seen.leading_at("203.0.113.2"), BTreeSet::from(["H13"]));
    assert!(seen.leading_at("192.0.2.53").contains("H1"));
}

#[test]
fn the_sender_of_large_answers_learns_of_lost_fragments_from_the_receiver() {
    let seen = examine("39_fragments_lost_server_side.pcap");
    assert_eq!(seen.severity("lost-fragments"), Some(Severity::Medium));
    assert!(leading(&seen.assessments).contains("H11"));
}

#[test]
fn responses_with_another_id_are_neither_answers_nor_silence() {
    let seen = examine("40_other_id.pcap");
    assert_eq!(seen.count(Outcome::NoAnswer), 3);
    assert!(leading(&seen.assessments).contains("H16"));
    let silent = seen.assessments[0].hypothesis("H8").unwrap();
    assert!(silent.verdict > Verdict::Consistent, "{:?}", silent.verdict);
}
