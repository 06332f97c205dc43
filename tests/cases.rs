//! Correlation on real captures: the links, transactions and outcomes the files' own truth names.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::{AnomalyKind, Evidence, Level, LinkKind, Outcome, Parameters, correlate, tally};
use portmortem::index::{FrameNumber, Index, Input, PacketId, Progress, SourceId, build};
use serde_json::Value;

fn load(path: &Path) -> (Index, Evidence) {
    let (source, walk) = capture::open(path).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

fn captures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(folder)
}

fn id(index: &Index, frame: &Value) -> PacketId {
    index.by_frame(SourceId(0), FrameNumber(frame.as_u64().unwrap())).unwrap()
}

/// Every difference between the incident's truth and the links found, in words.
fn differences(name: &str, index: &Index, evidence: &Evidence, truth: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for error in truth["icmp"].as_array().unwrap() {
        let links = evidence.links_from(id(index, &error["frame"]));
        let found = links.iter().find(|link| link.kind == LinkKind::ErrorAbout).and_then(|link| link.to);
        let mut right: Vec<Option<PacketId>> = Vec::new();
        right.push(error["about_frame"].as_u64().map(|_| id(index, &error["about_frame"])));
        for also in error["also_ok"].as_array().into_iter().flatten() {
            right.push(Some(id(index, also)));
        }
        if !right.contains(&found) {
            wrong.push(format!("{name}: error {} is linked to {found:?}, not {right:?}", error["frame"]));
        }
    }
    let mut answers = BTreeMap::new();
    for pair in truth["query_response"].as_array().unwrap() {
        if pair[1].is_u64() {
            answers.insert(id(index, &pair[1]), id(index, &pair[0]));
        }
    }
    for (answer, query) in answers {
        let links = evidence.links_from(answer);
        let found = links.iter().find(|link| link.kind == LinkKind::AnswerTo).and_then(|link| link.to);
        if found != Some(query) {
            let (answer, query) = (index.label(answer), index.label(query));
            wrong.push(format!("{name}: {answer} answers {:?}, not {query}", found.map(|f| index.label(f))));
        }
    }
    wrong
}

#[test]
fn every_incident_has_the_links_its_truth_names() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for entry in std::fs::read_dir(captures("incidents")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension == "json") {
            continue;
        }
        let truth = std::fs::read_to_string(path.with_extension("json")).unwrap();
        let truth: Value = serde_json::from_str(&truth).unwrap();
        let (index, evidence) = load(&path);
        wrong.extend(differences(&name, &index, &evidence, &truth));
        let counts = tally::dns_errors(&index, &evidence);
        let expected = [&truth["counts"]["icmp_dns_errors"], &truth["counts"]["icmp_linked"]];
        if expected.map(Value::as_u64) != [Some(counts.all), Some(counts.linked)] {
            wrong.push(format!("{name}: {counts:?}, not {expected:?}"));
        }
        checked += 1;
    }
    assert!(checked > 10, "only {checked} incidents were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_seed_incident_is_one_episode_of_three_delayed_refusals() {
    let (index, evidence) = load(&captures("lab").join("00_seed_reenacted.pcap"));
    let errors: Vec<_> = evidence.error_links().to_vec();
    let deltas: Vec<i64> = errors.iter().map(|link| link.delta_ns).collect();
    assert_eq!(deltas, [3_905_993_000, 43_741_555_000, 17_830_396_000]);
    assert!(errors.iter().all(|link| link.delayed && link.level == Level::Exact));
    assert_eq!(evidence.transactions.len(), 3, "a query 120 s later is no retransmission");
    assert_eq!(
        evidence.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::IdPortReuse).count(),
        2
    );
    assert_eq!(evidence.episodes.len(), 1);
    assert_eq!(evidence.episodes[0].transactions.len(), 3);
    assert_eq!(evidence.episodes[0].frames.len() as u32, index.len());
    assert_eq!(evidence.problems.len(), 1);
}

#[test]
fn a_mirror_port_counts_each_query_once() {
    let (_, evidence) = load(&captures("incidents").join("15_span_duplicates.pcap"));
    assert_eq!(evidence.transactions.len(), 20);
    assert!(evidence.transactions.iter().all(|transaction| transaction.tries == 1));
    assert_eq!(evidence.error_links().len(), 12);
    assert_eq!(evidence.duplicates().len(), 40);
}

#[test]
fn healthy_networks_and_port_scans_have_no_dns_problem() {
    for name in ["17_healthy.pcap", "13_portscan.pcap"] {
        let (_, evidence) = load(&captures("incidents").join(name));
        assert!(evidence.problems.is_empty(), "{name}: {:?}", evidence.problems);
    }
}

#[test]
fn silence_between_rate_limited_errors_is_one_continuous_refusal() {
    let (_, evidence) = load(&captures("lab").join("09_ratelimit_20_burst.pcap"));
    let count = |outcome| evidence.transactions.iter().filter(|t| t.outcome == outcome).count();
    assert_eq!((count(Outcome::Refused), count(Outcome::CoveredByRateLimit)), (9, 31));
    assert_eq!(evidence.problems.len(), 1);
}

#[test]
fn a_transcript_without_quotes_gives_probable_links_in_order() {
    let (index, evidence) = load(&captures("lab").join("00_seed_canonical.txt"));
    let pairs: Vec<_> = evidence
        .error_links()
        .iter()
        .map(|link| {
            (index.label(link.from), link.to.map(|to| index.label(to)).unwrap(), link.level, link.delayed)
        })
        .collect();
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned(), Level::Probable, true);
    assert_eq!(pairs, [pair("L2", "L1"), pair("L4", "L3"), pair("L6", "L5")]);
    assert_eq!(evidence.episodes[0].transactions.len(), 3);
}

/// What a case file may say; names as in `portmortem dns` and `packets --format json`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Path below tests/captures.
    capture: String,
    /// Queries, retries included, copies not.
    queries: u64,
    transactions: usize,
    episodes: usize,
    problems: usize,
    /// Pairs of an error's frame and the frame it is about, 0 for none.
    #[serde(default)]
    errors: Vec<[u64; 2]>,
    /// The ledger.
    outcomes: BTreeMap<String, u64>,
    /// Errors by level.
    #[serde(default)]
    levels: BTreeMap<String, u64>,
}

#[test]
fn every_case_file_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let case: Case = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        check(&case);
        checked += 1;
    }
    assert!(checked >= 25, "only {checked} cases were found");
}

fn check(case: &Case) {
    let name = &case.capture;
    let (index, evidence) = load(&captures(name));
    let mut outcomes = BTreeMap::new();
    for transaction in &evidence.transactions {
        *outcomes.entry(transaction.outcome.name().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(outcomes, case.outcomes, "{name}");
    assert_eq!(evidence.transactions.len(), case.transactions, "{name}");
    let ledger: u64 = outcomes.values().sum();
    assert_eq!(ledger, case.transactions as u64, "{name}: the ledger adds up");
    let queries: u64 = evidence.transactions.iter().map(|transaction| u64::from(transaction.tries)).sum();
    assert_eq!(queries, case.queries, "{name}");
    assert_eq!((evidence.episodes.len(), evidence.problems.len()), (case.episodes, case.problems), "{name}");
    let mut levels = BTreeMap::new();
    let mut errors = BTreeMap::new();
    for packet in 0..index.len() {
        // A second link of an error leads to a copy of the query that stood nearer.
        let links = evidence.links_from(PacketId(packet));
        if let Some(link) = links.iter().find(|link| link.kind == LinkKind::ErrorAbout) {
            *levels.entry(link.level.name().to_owned()).or_insert(0) += 1;
            errors.insert(u64::from(packet) + 1, link.to.map_or(0, |to| u64::from(to.0) + 1));
        }
    }
    assert_eq!(levels, case.levels, "{name}");
    for [error, about] in &case.errors {
        assert_eq!(errors.get(error), Some(about), "{name}: error in frame {error}");
    }
}

#[test]
fn a_retry_after_five_seconds_is_one_retransmission() {
    let (index, evidence) = load(&captures("lab").join("19_glibc_single_ns_dropped.pcap"));
    let links = evidence.links_from(PacketId(2));
    assert_eq!(
        (links[0].kind, links[0].to.map(|to| index.label(to))),
        (LinkKind::RetryOf, Some("F1".to_owned()))
    );
    assert_eq!(links[0].delta_ns / 100_000, 50_036);
}
