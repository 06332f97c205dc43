//! What the packets show: each problem with its numbers, then the findings of the rules.

use std::collections::BTreeSet;

use super::super::facts::Facts;
use super::super::words;
use super::super::{Block, Section, Shown, Voice};
use super::cause::{frames_of, quoted};
use super::problem::{self, sentence};
use super::{Builder, limited, section, table};
use crate::correlate::Signature;
use crate::findings::hypotheses::Assessment;
use crate::findings::{Finding, Severity};
use crate::index::PacketId;
use crate::protocols::dns::failure_name;
use crate::text::thousands;
use crate::time;

/// Links listed one by one.
const LINKS_MAX: usize = 12;
/// Of these the short form prints so many.
const LINKS_SHOWN: usize = 4;
/// Errors up to this number all stand in the timeline with what they are about.
const TIES_IN_TIMELINE: usize = 8;
/// Findings written out.
const FINDINGS_MAX: usize = 40;

pub fn findings(b: &Builder<'_>) -> Section {
    let mut blocks = Vec::new();
    if b.facts.len() > 1 {
        blocks.push(overview(b));
    }
    for (at, facts) in b.detailed().iter().enumerate() {
        if b.facts.len() > 1 {
            blocks.push(Block::Note(format!(
                "Failure {}: {} port {}, {}",
                at + 1,
                facts.server,
                facts.port,
                facts.fate()
            )));
        }
        blocks.extend(problem::claims(b, facts));
        blocks.extend(absent(b, facts));
        blocks.push(numbers(facts));
        // The timeline tells the ties of a few errors.
        if facts.ties.len() > TIES_IN_TIMELINE || facts.ties.iter().any(|tie| tie.link.to.is_none()) {
            blocks.push(links(b, facts));
        }
    }
    for (key, assessment, facts) in b.weighed_problems() {
        if let Some(trouble) = &assessment.trouble {
            blocks.extend(super::services::findings(b, &key, assessment, trouble));
        }
        if facts.is_none() {
            blocks.extend(errors_beside(b, &key, assessment));
        }
    }
    blocks.extend(ruled(b));
    blocks.extend(super::coverage::worked(b));
    blocks.extend(super::coverage::listed(b));
    blocks.extend(b.notes("findings"));
    if blocks.is_empty() {
        blocks.push(Block::Note("No rule found anything to report, and nothing was left open.".to_owned()));
    }
    section("findings", "Findings", blocks)
}

/// Senders of errors named one by one.
const SENDERS_MAX: usize = 4;

/// The ICMP errors an incident beside DNS failures is about.
fn errors_beside(b: &Builder<'_>, key: &str, assessment: &Assessment) -> Option<Block> {
    let frames = frames_of(assessment, None);
    let errors: Vec<_> =
        b.input.index.icmp_rows().filter(|row| frames.binary_search(&row.packet).is_ok()).collect();
    let first = errors.first()?;
    let packets: Vec<PacketId> = errors.iter().map(|row| row.packet).collect();
    let sender = |packet: &PacketId| b.input.index.packet(*packet).map(|packet| packet.source_address());
    let senders: BTreeSet<_> = packets.iter().filter_map(sender).collect();
    let senders: Vec<String> = senders.iter().map(ToString::to_string).collect();
    let same = errors.iter().all(|row| (row.v6, row.kind, row.code) == (first.v6, first.kind, first.code));
    let text = format!(
        "{}{} from {}: “{}”, an {}.",
        words::count(errors.len(), "ICMP error", "ICMP errors"),
        if same { "" } else { " of several kinds, the first" },
        words::list(&senders, SENDERS_MAX),
        words::icmp(first.v6, first.kind, first.code).0,
        words::icmp(first.v6, first.kind, first.code).1
    );
    Some(b.claim(&format!("{key}.errors"), Voice::Observed, text, &packets))
}

/// All failures, gravest first.
fn overview(b: &Builder<'_>) -> Block {
    let rows = b.facts.iter().enumerate().map(|(at, facts)| {
        let problem = facts.problem;
        let failed = facts.transactions.len() as u64;
        let asked = b.inventory.around.get(at).map_or(failed, |around| around.asked).max(failed);
        let cause = b.assessment(at).map(|assessment| {
            let leading: Vec<String> =
                assessment.leading().iter().map(|h| format!("{} {}", h.cause, h.title)).collect();
            if leading.is_empty() { "none supported".to_owned() } else { leading.join(" or ") }
        });
        let cells = vec![
            (at + 1).to_string(),
            format!("{} port {} over {}", facts.server, facts.port, words::transport(problem.transport)),
            words::signature(&problem.signature),
            format!("{} of {}", thousands(failed), thousands(asked)),
            thousands(problem.clients.len() as u64),
            match (problem.names.len() as u64, problem.has_cut_names) {
                (0, true) => "cut".to_owned(),
                (read, true) => format!("{}, others cut", thousands(read)),
                (read, false) => thousands(read),
            },
            format!(
                "{}, {}",
                b.clock.prose(problem.first_ns),
                facts.lasted_ns(b.input.evidence).map_or_else(|| "cannot be told".to_owned(), time::span)
            ),
            cause.unwrap_or_default(),
        ];
        (cells, facts.frames.clone())
    });
    let head =
        ["No", "Server", "Failure", "Questions", "Clients", "Names", "From, for", "Leading explanation"];
    let total = b.input.evidence.problems.len();
    let caption = if total > b.facts.len() {
        format!("Failures, gravest first (first {} of {})", b.facts.len(), thousands(total as u64))
    } else {
        "Failures, gravest first".to_owned()
    };
    table("findings.failures", &caption, &head, rows.collect())
}

/// What did not appear although it would have shown.
fn absent(b: &Builder<'_>, facts: &Facts<'_>) -> Option<Block> {
    let i = &b.inventory;
    let mut missing = Vec::new();
    if facts.answers.is_empty() && i.responses.is_empty() {
        missing.push("no DNS answer".to_owned());
    }
    if facts.problem.transport == 17 && !i.tcp_dns_servers.contains(&facts.server) {
        missing.push(format!("no TCP attempt to port {} of {}", facts.port, facts.server));
    }
    if i.dns_servers.len() == 1 {
        missing.push("no query to another DNS server".to_owned());
    }
    if i.web == 0 {
        missing.push("no connection to a web server".to_owned());
    }
    if missing.is_empty() {
        return None;
    }
    let failed = facts.transactions.len() as u64;
    let limited = super::outage::without_message(facts).min(failed);
    let around = b.facts.iter().position(|other| other.key == facts.key).and_then(|at| i.around.get(at));
    let asked = around.map_or(failed, |around| around.asked).max(failed);
    let all = i.questions <= asked;
    let text = format!(
        "{} of {}{}{}{}; in this {} there is {}.",
        thousands(failed - limited),
        words::count(asked as usize, "question", "questions"),
        if all {
            " ".to_owned()
        } else {
            format!("{} of these clients to {} in that time ", super::outage::class(facts), facts.server)
        },
        in_a_word(facts),
        super::outage::silent_beside(limited),
        b.record,
        words::list(&missing, 8)
    );
    Some(b.claim(&format!("{}.absent", facts.key), Voice::Observed, text, &i.whole()))
}

/// What became of the questions, in a word or two.
fn in_a_word(facts: &Facts<'_>) -> String {
    let refusal = facts.is_port_unreachable()
        || matches!(facts.problem.signature, Signature::Icmp { v6: false, kind: 3, code: 9 | 10 | 13 });
    match facts.problem.signature {
        _ if refusal => "refused".to_owned(),
        Signature::Icmp { v6, kind, code } => format!("met {}", words::icmp(v6, kind, code).0),
        Signature::NoAnswer if facts.blocked.is_some() => "blocked".to_owned(),
        Signature::NoAnswer => "unanswered".to_owned(),
        Signature::ResponseCode(code) => format!("answered with {}", failure_name(code)),
        Signature::TcpReset | Signature::ResetMidway => "reset".to_owned(),
        Signature::Closed => "closed without an answer".to_owned(),
        Signature::Mute => "acknowledged and never answered".to_owned(),
        Signature::Truncated => "answered with a cut message".to_owned(),
        Signature::NotReceived => "answered in vain".to_owned(),
        Signature::Late => "answered late".to_owned(),
    }
}

fn numbers(facts: &Facts<'_>) -> Block {
    let row = |label: &str, frames: &[PacketId]| {
        (vec![label.to_owned(), thousands(frames.len() as u64)], frames.to_vec())
    };
    let mut rows = vec![row("Queries sent", &facts.queries)];
    let mut outcomes = std::collections::BTreeMap::<&'static str, Vec<PacketId>>::new();
    for transaction in &facts.transactions {
        outcomes.entry(transaction.outcome.name()).or_default().push(transaction.first);
    }
    rows.push(row("DNS answers", &facts.answers));
    rows.push(row("ICMP errors", &facts.errors));
    for (outcome, frames) in outcomes {
        let outcome = outcome.replace('_', " ").replace("icmp", "ICMP").replace("tcp", "TCP");
        rows.push(row(&format!("Transactions {outcome}"), &frames));
    }
    let numbers = table(&format!("{}.numbers", facts.key), "Numbers", &["Counted", "Number"], rows);
    limited(numbers, Shown::Nothing)
}

fn links(b: &Builder<'_>, facts: &Facts<'_>) -> Block {
    let mut rows = Vec::new();
    // One reason for all links is said once.
    let reason = facts
        .ties
        .first()
        .map(|first| first.link.reason)
        .filter(|reason| facts.ties.iter().all(|tie| tie.link.reason == *reason));
    for tie in facts.ties.iter().take(LINKS_MAX) {
        let about =
            tie.link.to.map_or_else(|| "not in this capture".to_owned(), |to| b.input.index.label(to));
        let delta = if tie.link.to.is_some() {
            let mark = if tie.link.delayed { " (delayed)" } else { "" };
            format!("{} s{mark}", time::seconds(tie.link.delta_ns))
        } else {
            "–".to_owned()
        };
        let mut frames: Vec<PacketId> = tie.link.to.into_iter().collect();
        frames.push(tie.error);
        let mut cells = vec![b.input.index.label(tie.error), about, delta, tie.link.level.name().to_owned()];
        if reason.is_none() {
            cells.push(tie.link.reason.words().to_owned());
        }
        rows.push((cells, frames));
    }
    let rest = facts.ties.len().saturating_sub(LINKS_MAX);
    let mut caption = "Errors and the queries they refer to".to_owned();
    if rest > 0 {
        caption = format!("{caption} (first {LINKS_MAX} of {})", thousands(facts.ties.len() as u64));
    }
    if let Some(reason) = reason {
        caption = format!("{caption}: {}", reason.words());
    }
    let head = ["Error", "About", "After", "Level", "Reason"];
    let head = head.get(..head.len() - usize::from(reason.is_some())).unwrap_or(&head);
    let links = table(&format!("{}.links.table", facts.key), &caption, head, rows);
    // Errors about what the capture does not hold are told one by one; of the others the sentence gives the numbers.
    let whole = facts.ties.iter().any(|tie| tie.link.to.is_none());
    limited(links, if whole { Shown::First(LINKS_SHOWN) } else { Shown::Nothing })
}

/// The findings of the rules: a claim for each that no failure's sentences tell, and the numbers of all.
fn ruled(b: &Builder<'_>) -> Vec<Block> {
    let shown: Vec<&Finding> = b.input.findings.iter().filter(|f| !is_quality(f)).collect();
    let mut told: std::collections::BTreeSet<PacketId> =
        b.facts.iter().flat_map(|facts| facts.frames.iter().copied()).collect();
    for assessment in b.incidents() {
        told.extend(assessment.trouble.iter().flat_map(|_| frames_of(assessment, None)));
    }
    let is_told = |finding: &&&Finding| {
        OF_FAILURES.contains(&finding.id) && finding.frames.iter().all(|id| told.contains(id))
    };
    let mut blocks: Vec<Block> = shown
        .iter()
        .take(FINDINGS_MAX)
        .filter(|finding| !is_told(finding))
        .map(|finding| claim(b, finding))
        .collect();
    let counted: Vec<(Vec<String>, Vec<PacketId>)> = shown
        .iter()
        .take(FINDINGS_MAX)
        .flat_map(|finding| {
            finding.counts.iter().map(|count| {
                let cells = vec![
                    finding.id.to_owned(),
                    finding.severity.name().to_owned(),
                    count.label.clone(),
                    thousands(count.value),
                    count.filter.clone(),
                ];
                (cells, Vec::new())
            })
        })
        .collect();
    if !counted.is_empty() {
        let head = ["Finding", "Severity", "Counted", "Number", "Filter that counts it again"];
        let counts = table("findings.counts", "Numbers of the findings", &head, counted);
        blocks.push(limited(counts, Shown::Nothing));
    }
    let rest = shown.len().saturating_sub(FINDINGS_MAX);
    if rest > 0 {
        blocks.push(Block::Note(format!("{} further findings are not listed.", thousands(rest as u64))));
    }
    blocks
}

/// Rules that find what the sentences about a failure tell already.
const OF_FAILURES: [&str; 12] = [
    "site-down",
    "tcp-failures",
    "datagrams-refused",
    "service-failures",
    "no-lease",
    "refused-by-icmp",
    "admin-prohibited",
    "unreachable",
    "unanswered-queries",
    "rcode-outage",
    "late-answers",
    "truncated-without-tcp",
];

/// The claim of a rule's finding; also used for record quality.
pub fn claim(b: &Builder<'_>, finding: &Finding) -> Block {
    let first = finding.frames.first().map_or_else(|| "capture".to_owned(), |id| b.input.index.label(*id));
    let alike = |other: &&Finding| {
        other.id == finding.id && other.code == finding.code && other.frames.first() == finding.frames.first()
    };
    let before = b.input.findings.iter().take_while(|other| !std::ptr::eq(*other, finding));
    let mut id = format!("finding.{}.{first}", finding.code.unwrap_or(finding.id));
    match before.filter(alike).count() {
        0 => {}
        more => id = format!("{id}.{}", more + 1),
    }
    let statement = sentence(&quoted(&finding.statement));
    let text = match finding.severity {
        Severity::Info => statement,
        grave => format!("{statement} Severity: {}.", grave.name()),
    };
    b.claim(&id, Voice::Observed, text, &finding.frames)
}

/// Findings about the record itself; they belong under Limitations.
pub fn is_quality(finding: &Finding) -> bool {
    ["record", "quality", "artefact", "capture-"].iter().any(|word| finding.id.contains(word))
}
