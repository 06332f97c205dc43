//! Competing explanations of one problem, each with a ledger of weighted evidence (decibans), verdict and checks.

pub mod catalogue;
pub mod checks;
pub mod ledger;
pub mod matrix;
pub mod scene;
pub mod thresholds;
pub mod verdicts;
pub mod weighing;
pub mod wording;

use super::facts::Facts;
use super::facts::troubles::Trouble;
use super::{Finding, Input};
use crate::decode::Address;
use crate::index::PacketId;
pub use catalogue::{CATALOGUE, Cause, Class, Entry, Role};
use scene::{Incident, Scene};

/// A change of a ledger by the analyst: a row switched off or weighed otherwise, or a row of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which explanation.
    pub cause: Cause,
    /// Row id of the program's row; empty for a row of the analyst's own.
    pub row: String,
    /// New weight in decibans; the nearest allowed weight is taken.
    pub weight_db: Option<i32>,
    /// Switched off.
    pub off: bool,
    /// The analyst's words.
    pub note: String,
}

/// Groups of evidence; the sum of one group is capped at ±20 dB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// What the error says.
    ErrorSemantics,
    /// Who sent it.
    Generator,
    /// When it came.
    Timing,
    /// How much traffic there was.
    Load,
    /// What else the capture shows.
    OtherTraffic,
    /// Whether the record can be trusted.
    Integrity,
    /// What the analyst knows from elsewhere.
    Analyst,
}

/// Who put a row into the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The program.
    Program,
    /// The analyst (added, or changed from the program's row).
    Analyst,
}

/// One row of a ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerRow {
    /// Stable id within a problem (`L1`).
    pub id: String,
    /// What was observed.
    pub observation: String,
    /// Where.
    pub frames: Vec<PacketId>,
    /// Weight in decibans; `None` = logically incompatible.
    pub weight_db: Option<i32>,
    /// Its group.
    pub group: Group,
    /// Why this weight, in one sentence.
    pub reason: String,
    /// Who says so.
    pub author: Author,
    /// Switched off by the analyst: shown, not counted.
    pub off: bool,
}

/// The verdict words; no percentages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Sum ≥ 15 and 10 ahead of the next class.
    BestSupported,
    /// Sum ≥ 5.
    Consistent,
    /// −5 … 5.
    Neither,
    /// Below −5.
    Unlikely,
    /// A row excludes it within this capture.
    Excluded,
    /// This vantage could not have seen it.
    NotAssessable,
}

impl Verdict {
    /// The words of the report's scale.
    pub fn words(self) -> &'static str {
        match self {
            Self::BestSupported => "best supported",
            Self::Consistent => "consistent with the evidence",
            Self::Neither => "neither supported nor excluded",
            Self::Unlikely => "unlikely on this evidence",
            Self::Excluded => "excluded within this capture",
            Self::NotAssessable => "not assessable from this vantage",
        }
    }
}

/// One explanation and what speaks for and against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Which explanation.
    pub cause: Cause,
    /// Short name (`DNS service not running`).
    pub title: &'static str,
    /// Equivalence class: hypotheses of one class send the same packets.
    pub class: Class,
    /// Capped sum in decibans; `None` when excluded.
    pub score_db: Option<i32>,
    /// Verdict.
    pub verdict: Verdict,
    /// The rows.
    pub ledger: Vec<LedgerRow>,
    /// What it cannot be told apart from here.
    pub tied_with: Vec<Cause>,
    /// What cannot be told from this capture.
    pub cannot_tell: String,
}

impl Hypothesis {
    /// Its printed id.
    pub fn id(&self) -> &'static str {
        self.cause.id()
    }
}

/// A next step: what to run, and what each explanation predicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The command or action, addresses filled in.
    pub action: String,
    /// Where to run it.
    pub place: &'static str,
    /// What each explanation predicts.
    pub expected: Vec<(Cause, String)>,
}

/// What a sentence is about; a report leaves out topics that another of its parts tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// What failed, how often, for whom: as packets show it.
    Failure,
    /// What it means for people.
    Effect,
    /// The cause: what was seen and what it shows.
    Cause,
    /// Explanations that send the same packets.
    Tie,
    /// Delays that are no response times.
    Delays,
    /// What holds beside the cause.
    Companion,
    /// A transport that was not tried.
    Transport,
    /// Load and attack.
    Load,
    /// Whether the record can be trusted.
    Quality,
}

/// A sentence for the report, with its frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// What it is about.
    pub topic: Topic,
    /// The text; captured text is escaped, names stand without their final dot.
    pub text: String,
    /// The frames that show it.
    pub frames: Vec<PacketId>,
}

/// The whole assessment of one problem.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assessment {
    /// Position in `Evidence::problems`; `None` when there is no DNS problem.
    pub problem: Option<usize>,
    /// What failed, in a few words for a title; `None` where the failed lookups say it.
    pub title: Option<String>,
    /// The questions are a balancer's or monitor's checks; no user's lookup is among them.
    pub is_probing: bool,
    /// Clients that sent a flood and are no users of the service.
    pub flooders: Vec<Address>,
    /// All hypotheses, best first.
    pub hypotheses: Vec<Hypothesis>,
    /// The report's sentences for the top class (hypotheses §5), each with its frames.
    pub wording: Vec<Sentence>,
    /// Ordered next checks.
    pub checks: Vec<Check>,
    /// What would change the ranking, in sentences.
    pub would_change: Vec<String>,
    /// ATT&CK techniques, only where the rule allows.
    pub attack: Vec<String>,
    /// The failure of a service beside DNS it is about.
    pub trouble: Option<Box<Trouble>>,
    /// The first queries of the questions it is about.
    pub queries: Vec<PacketId>,
    /// How grave it is, where it is known; `None` for incidents that their finding rates.
    pub severity: Option<super::Severity>,
}

impl Assessment {
    /// What holds beside whatever the cause is (rate limit, one transport, failover, record): it applies or does not.
    pub fn beside(&self) -> impl Iterator<Item = &Hypothesis> {
        let holds = |h: &&Hypothesis| !h.cause.competes() && h.verdict == Verdict::BestSupported;
        self.hypotheses.iter().filter(holds)
    }

    /// How grave it is in a headline, where that is known.
    pub fn headline(&self) -> Option<super::Severity> {
        self.trouble.as_ref().map(|trouble| trouble.headline()).or(self.severity)
    }

    /// The hypotheses of the class that leads; empty when nothing is supported.
    pub fn leading(&self) -> Vec<&Hypothesis> {
        verdicts::leaders(&self.hypotheses)
    }

    /// What is thought of one cause.
    pub fn of(&self, cause: Cause) -> Option<&Hypothesis> {
        self.hypotheses.iter().find(|hypothesis| hypothesis.cause == cause)
    }

    /// The same by its printed id.
    pub fn hypothesis(&self, id: &str) -> Option<&Hypothesis> {
        self.of(Cause::parse(id)?)
    }
}

/// Assesses one problem (`None`: the incident outside DNS failures, if there is one) with the analyst's changes.
pub fn assess(
    input: &Input<'_>,
    problem: Option<usize>,
    findings: &[Finding],
    changes: &[Change],
) -> Assessment {
    let facts = Facts::gather(input);
    let scene = match problem {
        Some(at) => Scene::of_problem(&facts, at, findings),
        None => Scene::of_incidents(&facts, findings).into_iter().next(),
    };
    scene.map_or_else(Assessment::default, |scene| assess_scene(&scene, changes))
}

/// Assesses every problem, gravest first, and the incident outside DNS failures where there is one.
pub fn assess_all(input: &Input<'_>, findings: &[Finding], changes: &[Change]) -> Vec<Assessment> {
    assess_facts(&Facts::gather(input), findings, changes)
}

/// The same from what is gathered already.
pub(super) fn assess_facts(facts: &Facts<'_>, findings: &[Finding], changes: &[Change]) -> Vec<Assessment> {
    let problems = facts.problems().filter_map(|(at, _)| Scene::of_problem(facts, at, findings));
    let incidents = Scene::of_incidents(facts, findings);
    problems.chain(incidents).map(|scene| assess_scene(&scene, changes)).collect()
}

/// What stays open where the host itself is there.
const NO_LONGER_HELD: &str =
    "Why the host no longer holds the address: it was removed, changed, or is blocked on the host.";

fn assess_scene(scene: &Scene<'_, '_>, changes: &[Change]) -> Assessment {
    let (ledger, classing) = weighing::weigh(scene);
    let mut hypotheses = verdicts::judge(ledger, classing, changes);
    let trouble = match scene.incident {
        Some(Incident::Service(trouble)) => Some(trouble),
        _ => None,
    };
    if trouble.is_some() {
        // The catalogue names causes as they are for DNS.
        for own in &mut hypotheses {
            own.title = match own.cause {
                Cause::NoRoute if trouble.is_some_and(|trouble| trouble.looped.is_some()) => {
                    "packets go round between routers (a routing loop)"
                }
                Cause::Policy
                    if trouble.is_some_and(|own| super::facts::troubles::is_greylisted(scene.facts, own)) =>
                {
                    "the server puts off mail of unknown senders (greylisting)"
                }
                cause => catalogue::service_title(cause),
            };
        }
    }
    for own in hypotheses.iter_mut().filter(|own| own.cause == Cause::HostDown) {
        if own.ledger.iter().any(|row| row.id == matrix::surroundings::HOST_HOLDS_ANOTHER.id()) {
            NO_LONGER_HELD.clone_into(&mut own.cannot_tell);
        }
    }
    let mut assessment = Assessment { problem: scene.problem, hypotheses, ..Assessment::default() };
    assessment.severity = match (trouble, scene.problem) {
        (Some(trouble), _) => Some(trouble.severity),
        (None, Some(problem)) => Some(super::gravity::of(scene.facts, problem)),
        (None, None) => match scene.incident {
            Some(Incident::SecondDhcp(rivals)) => Some(super::second_dhcp::severity(rivals)),
            _ => None,
        },
    };
    assessment.trouble = trouble.map(|trouble| Box::new(trouble.clone()));
    assessment.queries.clone_from(&scene.queries);
    assessment.attack = verdicts::attack(&assessment.hypotheses);
    assessment.title = wording::title::of(scene, &assessment);
    let problem = scene.problem.and_then(|at| scene.facts.evidence.problems.get(at));
    assessment.is_probing = problem.is_some_and(|problem| super::gravity::are_checks(scene.facts, problem));
    assessment.flooders = scene.facts.load.flooders(scene.server).to_vec();
    assessment.wording = wording::sentences(scene, &assessment);
    assessment.checks = checks::list(scene, &assessment);
    assessment.would_change = checks::would_change(scene, &assessment);
    assessment
}
