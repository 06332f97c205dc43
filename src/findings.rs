//! The FINDINGS table (one rule a file), and the competing hypotheses with their ledger.

pub mod address_sweep;
pub mod answers_lost;
pub mod arp;
pub mod astray;
pub mod blocked;
pub mod capture_quality;
pub mod contested;
pub mod coverage;
pub mod datagrams;
pub mod declined;
pub mod disagreement;
pub mod duplicate_address;
pub mod facts;
pub mod failover;
pub mod flood;
pub mod forged_answers;
pub mod gravity;
pub mod hypotheses;
pub mod late;
pub mod lost_fragments;
pub mod made_up_names;
pub mod misaddressed;
pub mod no_lease;
pub mod not_sent_on;
pub mod one_address;
pub mod parameters;
pub mod path_size;
pub mod port_scan;
pub mod prohibited;
pub mod rcode;
pub mod record_quality;
pub mod reflection;
pub mod refused;
pub mod responses_limited;
pub mod retransmissions;
pub mod rival_routers;
pub mod router_failover;
pub mod rules;
pub mod search_domain;
pub mod second_dhcp;
pub mod service_words;
pub mod services;
pub mod site_down;
pub mod slow;
pub mod stray_icmp;
pub mod surge;
pub mod tcp_failures;
pub mod tcp_unanswered;
pub mod time_exceeded;
pub mod truncated;
pub mod tunnel;
pub mod unanswered;
pub mod uncaptured;
pub mod unreachable;
pub mod zone_unknown;
pub use crate::correlate::zones;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::attempts::Attempts;
use crate::correlate::Evidence;
use crate::filter::{Context, Filter};
use crate::index::{Index, PacketId};
pub use coverage::Coverage;
use facts::Facts;

/// Frames a finding or a ledger row cites at most; counts stay exact, and the filter shows the rest.
pub const FRAMES_MAX: usize = 4_096;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; a healthy network shows it too.
    Info,
    /// A small fault.
    Low,
    /// A fault users notice.
    Medium,
    /// An outage.
    High,
}

impl Severity {
    /// `info`, `low`, `medium`, `high`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A number in a finding and the filter that counts it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// What is counted.
    pub label: String,
    /// How many.
    pub value: u64,
    /// A filter whose matches are these packets; empty where no filter can express it.
    pub filter: String,
}

/// One thing a rule found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule's id.
    pub id: &'static str,
    /// How grave it is here.
    pub severity: Severity,
    /// One line in plain words; captured text is escaped.
    pub statement: String,
    /// The frames that show it, in order.
    pub frames: Vec<PacketId>,
    /// Numbers with their filters.
    pub counts: Vec<Count>,
    /// A filter that shows the packets in the timeline.
    pub filter: String,
    /// The code of a record-quality point (`D1` … `D9`).
    pub code: Option<&'static str>,
}

/// What rules look at.
#[derive(Clone, Copy)]
pub struct Input<'i> {
    /// The packets.
    pub index: &'i Index,
    /// What correlation found.
    pub evidence: &'i Evidence,
}

/// One rule.
pub struct Rule {
    /// Stable id, used to suppress it (`refused-by-icmp`).
    pub id: &'static str,
    /// Title in a few words.
    pub title: &'static str,
    /// What it detects, with its parameters and source, in a paragraph.
    pub doc: &'static str,
    /// Runs it.
    pub run: fn(&Facts<'_>) -> Vec<Finding>,
}

/// All rules. A new finding is one file and one line.
pub static FINDINGS: &[&Rule] = &[
    &refused::RULE,
    &prohibited::RULE,
    &unreachable::RULE,
    &unanswered::RULE,
    &uncaptured::RULE,
    &answers_lost::RULE,
    &blocked::RULE,
    &not_sent_on::RULE,
    &rcode::RULE,
    &declined::RULE,
    &misaddressed::RULE,
    &contested::RULE,
    &disagreement::RULE,
    &astray::RULE,
    &search_domain::RULE,
    &zone_unknown::RULE,
    &duplicate_address::RULE,
    &rival_routers::RULE,
    &router_failover::RULE,
    &one_address::RULE,
    &late::RULE,
    &slow::RULE,
    &truncated::RULE,
    &responses_limited::RULE,
    &tcp_unanswered::RULE,
    &lost_fragments::RULE,
    &flood::RULE,
    &made_up_names::RULE,
    &forged_answers::RULE,
    &tunnel::RULE,
    &surge::RULE,
    &reflection::RULE,
    &port_scan::RULE,
    &address_sweep::RULE,
    &retransmissions::RULE,
    &tcp_failures::RULE,
    &arp::RULE,
    &time_exceeded::RULE,
    &stray_icmp::RULE,
    &path_size::RULE,
    &datagrams::RULE,
    &failover::RULE,
    &site_down::RULE,
    &services::RULE,
    &no_lease::RULE,
    &second_dhcp::RULE,
    &record_quality::RULE,
    &capture_quality::RULE,
];

/// Runs every rule that is not suppressed; gravest first.
pub fn run(input: &Input<'_>, suppressed: &[String]) -> Vec<Finding> {
    find(&Facts::gather(input), suppressed)
}

/// Findings, and what was seen without being assessed.
pub fn look(input: &Input<'_>, suppressed: &[String]) -> (Vec<Finding>, Coverage) {
    let facts = Facts::gather(input);
    let found = find(&facts, suppressed);
    let coverage = coverage::measure(&facts, &found);
    (found, coverage)
}

/// Everything that is judged of a capture.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// What the rules found, gravest first.
    pub findings: Vec<Finding>,
    /// The causes of each problem.
    pub assessments: Vec<hypotheses::Assessment>,
    /// What was judged, and what was seen without being assessed.
    pub coverage: Coverage,
    /// What clients wanted of services beside DNS.
    pub attempts: Arc<Attempts>,
}

/// All of it, gathered for once: what [`run`] and [`hypotheses::assess_all`] give, and the coverage.
pub fn review(input: &Input<'_>, suppressed: &[String], changes: &[hypotheses::Change]) -> Examined {
    let facts = Facts::gather(input);
    let findings = find(&facts, suppressed);
    let assessments = hypotheses::assess_facts(&facts, &findings, changes);
    let coverage = coverage::measure(&facts, &findings);
    Examined { findings, assessments, coverage, attempts: Attempts::shared(input.evidence) }
}

/// Findings and assessments alone.
pub fn examine(
    input: &Input<'_>,
    suppressed: &[String],
    changes: &[hypotheses::Change],
) -> (Vec<Finding>, Vec<hypotheses::Assessment>) {
    let examined = review(input, suppressed, changes);
    (examined.findings, examined.assessments)
}

fn find(facts: &Facts<'_>, suppressed: &[String]) -> Vec<Finding> {
    let mut found: Vec<Finding> = FINDINGS
        .iter()
        .filter(|rule| !suppressed.iter().any(|id| id == rule.id))
        .flat_map(|rule| (rule.run)(facts))
        .collect();
    blocked::replace(facts, &mut found);
    found.sort_by(|a, b| {
        let place = |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.code);
        place(a).cmp(&place(b)).then_with(|| a.frames.cmp(&b.frames))
    });
    settle(facts, &mut found);
    found
}

/// Packets that printed filters look at together while they are checked: a small part of a second. The gravest findings
/// come first; of a capture of ten million packets only theirs are checked, of one of a hundred thousand all.
const CHECKED_ROWS_MAX: u64 = 20_000_000;

/// Counts each printed filter again; one that gives another number is left out: the frames stand in the finding.
fn settle(facts: &Facts<'_>, found: &mut [Finding]) {
    let mut rows_left = CHECKED_ROWS_MAX;
    let cancel = AtomicBool::new(false);
    let context =
        Context { index: facts.index, evidence: Some(facts.evidence), notes: None, cancel: &cancel };
    for count in found.iter_mut().flat_map(|finding| &mut finding.counts) {
        if count.filter.is_empty() {
            continue;
        }
        match rows_left.checked_sub(u64::from(facts.index.len())) {
            Some(left) => rows_left = left,
            None => break,
        }
        let rows = Filter::parse(&count.filter).map(|filter| filter.rows(&context).len() as u64);
        if rows != Ok(count.value) {
            count.filter.clear();
        }
    }
}
