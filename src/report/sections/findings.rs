//! What the packets show: each problem with its numbers, then the findings of the rules.

use super::super::facts::Facts;
use super::super::words;
use super::super::{Block, Section, Voice};
use super::cause::quoted;
use super::problem::{self, sentence};
use super::{Builder, section, table};
use crate::findings::{Finding, Severity};
use crate::index::PacketId;
use crate::text::thousands;
use crate::time;

/// Links listed one by one.
const LINKS_MAX: usize = 24;
/// Findings written out.
const FINDINGS_MAX: usize = 40;

pub fn findings(b: &Builder<'_>) -> Section {
    let mut blocks = Vec::new();
    for (at, facts) in b.facts.iter().enumerate() {
        if b.facts.len() > 1 {
            blocks.push(Block::Note(format!(
                "Problem {} of {}: {} port {}, {}",
                at + 1,
                thousands(b.input.evidence.problems.len() as u64),
                facts.server,
                facts.port,
                words::signature(&facts.problem.signature)
            )));
        }
        blocks.extend(problem::claims(b, facts));
        blocks.extend(absent(b, facts));
        blocks.push(numbers(facts));
        if !facts.ties.is_empty() {
            blocks.push(links(b, facts));
        }
    }
    blocks.extend(ruled(b));
    blocks.extend(b.notes("findings"));
    section("findings", "Findings", blocks)
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
    let text = format!("Not in this {}: {}.", b.record, words::list(&missing, 8));
    Some(b.claim(&format!("{}.absent", facts.key), Voice::Observed, text, &i.whole()))
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
        rows.push(row(&format!("Transactions {}", outcome.replace('_', " ")), &frames));
    }
    table(&format!("{}.numbers", facts.key), "Numbers", &["Counted", "Number"], rows)
}

fn links(b: &Builder<'_>, facts: &Facts<'_>) -> Block {
    let mut rows = Vec::new();
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
        rows.push((
            vec![
                b.input.index.label(tie.error),
                about,
                delta,
                tie.link.level.name().to_owned(),
                tie.link.reason.to_owned(),
            ],
            frames,
        ));
    }
    let rest = facts.ties.len().saturating_sub(LINKS_MAX);
    let caption = if rest > 0 {
        format!(
            "Errors and the queries they refer to (first {LINKS_MAX} of {})",
            thousands(facts.ties.len() as u64)
        )
    } else {
        "Errors and the queries they refer to".to_owned()
    };
    let head = ["Error", "About", "After", "Level", "Reason"];
    table(&format!("{}.links.table", facts.key), &caption, &head, rows)
}

fn ruled(b: &Builder<'_>) -> Vec<Block> {
    let shown: Vec<&Finding> = b.input.findings.iter().filter(|f| !is_quality(f)).collect();
    let mut blocks: Vec<Block> = shown.iter().take(FINDINGS_MAX).map(|finding| claim(b, finding)).collect();
    let counted: Vec<(Vec<String>, Vec<PacketId>)> = shown
        .iter()
        .take(FINDINGS_MAX)
        .flat_map(|finding| {
            finding.counts.iter().map(|count| {
                let cells = vec![
                    finding.id.to_owned(),
                    count.label.clone(),
                    thousands(count.value),
                    count.filter.clone(),
                ];
                (cells, Vec::new())
            })
        })
        .collect();
    if !counted.is_empty() {
        let head = ["Finding", "Counted", "Number", "Filter that counts it again"];
        blocks.push(table("findings.counts", "Numbers of the findings", &head, counted));
    }
    let rest = shown.len().saturating_sub(FINDINGS_MAX);
    if rest > 0 {
        blocks.push(Block::Note(format!("{} further findings are not listed.", thousands(rest as u64))));
    }
    blocks
}

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
