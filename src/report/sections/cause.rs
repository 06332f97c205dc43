//! Analysis of cause, impact, and response: what is assessed, with its alternatives and checks.

use super::super::words;
use super::super::{Block, Section, Voice};
use super::opening::{explanation, scale};
use super::problem::sentence;
use super::{Builder, Need, section, table};
use crate::findings::hypotheses::{Assessment, Author, Hypothesis, LedgerRow, Verdict};
use crate::index::PacketId;

pub fn cause(b: &Builder<'_>) -> Section {
    let mut blocks = Vec::new();
    for at in 0..b.facts.len() {
        blocks.extend(problem(b, at));
    }
    if b.facts.is_empty() {
        blocks.push(Block::Note("No failure was found, so no cause is weighed.".to_owned()));
    } else {
        blocks.push(Block::Note(SCALE.to_owned()));
    }
    blocks.extend(analyst_rows(b));
    blocks.extend(b.notes("cause"));
    section("cause", "Analysis of cause", blocks)
}

/// The scale of confidence words, printed once.
const SCALE: &str = "Words used for explanations: best supported / consistent with the evidence / neither supported nor excluded / unlikely on this evidence / excluded within this capture / not assessable from this vantage. Weights are expert judgement, see the ledger; no percentages are given.";

fn problem(b: &Builder<'_>, at: usize) -> Vec<Block> {
    let (Some(facts), Some(assessment)) = (b.facts.get(at), b.assessment(at)) else { return Vec::new() };
    let id = |what: &str| format!("{}.cause.{what}", facts.key);
    let mut blocks = Vec::new();
    if let Some((text, frames)) = explanation(b, at) {
        blocks.push(b.claim(&id("explanation"), Voice::Assessed, text, &frames));
    }
    for (number, (text, frames)) in assessment.wording.iter().enumerate() {
        let frames = if frames.is_empty() { &facts.frames } else { frames };
        blocks.push(b.claim(&id(&(number + 1).to_string()), Voice::Assessed, sentence(text), frames));
    }
    let leading = assessment.leading();
    if leading.len() > 1 {
        let names: Vec<String> = leading.iter().map(|h| format!("{} ({})", h.title, h.id)).collect();
        let text = format!(
            "Tie: {} fit the same packets; the {} does not rank them, and they cannot be told apart without evidence from outside it.",
            words::list(&names, 6),
            b.record
        );
        blocks.push(b.claim(&id("tie"), Voice::Assessed, text, &facts.frames));
    }
    blocks.push(alternatives(facts.key.as_str(), assessment));
    blocks.extend(silent(assessment));
    blocks.extend(attack_sentence(b, at));
    if !assessment.would_change.is_empty() {
        let rows = assessment.would_change.iter().map(|text| (vec![quoted(&sentence(text))], Vec::new()));
        let head = ["What would change the ranking"];
        blocks.push(table(&id("change"), "What would change the ranking", &head, rows.collect()));
    }
    blocks
}

fn alternatives(key: &str, assessment: &Assessment) -> Block {
    let rows = assessment.hypotheses.iter().filter(|h| is_weighed(h)).map(|h| {
        let cells = vec![
            format!("{} {}", h.id, h.title),
            scale(h.verdict),
            side(h, |row| row.weight_db.is_some_and(|weight| weight > 0)),
            side(h, |row| row.weight_db.is_none_or(|weight| weight < 0)),
            h.cannot_tell.clone(),
        ];
        let frames: Vec<PacketId> = h.ledger.iter().flat_map(|row| row.frames.iter().copied()).collect();
        (cells, frames)
    });
    let head = ["Explanation", "Verdict", "For", "Against", "Cannot tell"];
    table(&format!("{key}.hypotheses"), "Explanations weighed", &head, rows.collect())
}

/// Commands between backticks stand between quotation marks: the text enters formats without code.
pub fn quoted(text: &str) -> String {
    let mut open = false;
    text.chars()
        .map(|character| match character {
            '`' => {
                open = !open;
                if open { '“' } else { '”' }
            }
            other => other,
        })
        .collect()
}

/// Whether any observation speaks for or against it.
fn is_weighed(hypothesis: &Hypothesis) -> bool {
    hypothesis.verdict != Verdict::Neither
        || hypothesis.ledger.iter().any(|row| !row.off && row.weight_db != Some(0))
}

/// The explanations nothing in this capture speaks for or against, in one line.
fn silent(assessment: &Assessment) -> Option<Block> {
    let names: Vec<String> = assessment
        .hypotheses
        .iter()
        .filter(|h| !is_weighed(h))
        .map(|h| format!("{} {}", h.id, h.title))
        .collect();
    let text = format!(
        "Neither supported nor excluded, as nothing here speaks for or against them: {}.",
        names.join("; ")
    );
    (!names.is_empty()).then_some(Block::Note(text))
}

fn side(hypothesis: &Hypothesis, wanted: impl Fn(&LedgerRow) -> bool) -> String {
    let rows: Vec<String> = hypothesis
        .ledger
        .iter()
        .filter(|row| !row.off && wanted(row))
        .map(|row| match row.weight_db {
            Some(weight) => format!("{} ({weight:+} dB, {})", row.observation.trim_end_matches('.'), row.id),
            None => format!("{} (excludes it, {})", row.observation.trim_end_matches('.'), row.id),
        })
        .collect();
    if rows.is_empty() { "–".to_owned() } else { rows.join("; ") }
}

/// What is said about an attack when nothing else in the draft does.
fn attack_sentence(b: &Builder<'_>, at: usize) -> Option<Block> {
    let (facts, assessment) = (b.facts.get(at)?, b.assessment(at)?);
    let overload = assessment.hypotheses.iter().find(|h| h.id == "H9")?;
    let said = assessment.wording.iter().any(|(text, _)| text.contains("attack"));
    if overload.verdict != Verdict::NotAssessable || said {
        return None;
    }
    let text = format!(
        "The {} contains {} from {}. It neither supports nor excludes an attack on {}; the server's own query statistics are needed.",
        b.record,
        words::count(facts.queries.len(), "such query", "such queries"),
        words::count(facts.problem.clients.len(), "client", "clients"),
        facts.server
    );
    Some(b.claim(&format!("{}.cause.attack", facts.key), Voice::Assessed, text, &facts.queries))
}

/// Changes of the ledger, printed as the analyst's.
fn analyst_rows(b: &Builder<'_>) -> Vec<Block> {
    if b.input.case.ledger.is_empty() {
        return Vec::new();
    }
    let rows = b.input.case.ledger.iter().map(|change| {
        let what = match (change.row.is_empty(), change.off, change.weight_db) {
            (true, _, Some(weight)) => format!("row added, {weight:+} dB"),
            (true, ..) => "row added".to_owned(),
            (false, true, _) => format!("row {} switched off", change.row),
            (false, false, Some(weight)) => format!("row {} set to {weight:+} dB", change.row),
            (false, false, None) => format!("row {} noted", change.row),
        };
        (vec![change.hypothesis.clone(), what, change.note.clone()], Vec::new())
    });
    let head = ["Explanation", "Change by the analyst", "Reason given"];
    vec![table("cause.analyst", "Analyst input to the ledger", &head, rows.collect())]
}

pub fn impact(b: &Builder<'_>) -> Section {
    let mut blocks = Vec::new();
    for (facts, at) in b.facts.iter().zip(1..) {
        let clients = words::count(facts.problem.clients.len(), "client", "clients");
        let names = words::count(facts.problem.names.len(), "name", "names");
        let text = format!(
            "As far as this {} shows, {clients} could not resolve {names} at {}.",
            b.record, facts.server
        );
        blocks.push(b.claim(&format!("impact.{at}.{}", facts.key), Voice::Observed, text, &facts.frames));
    }
    if !b.facts.is_empty() {
        blocks.push(Block::Note(format!(
            "Other users are affected by the same fault only if they use, or their resolvers depend on, the same server; this {} does not show whether they do.",
            b.record
        )));
    }
    let prompt = "effect on users and business, as reported by whom";
    blocks.push(b.field("impact.business", prompt, Need::Required));
    blocks.extend(b.notes("impact"));
    section("impact", "Impact", blocks)
}

pub fn response(b: &Builder<'_>) -> Section {
    let mut blocks = vec![
        b.field("response.taken", "actions taken so far, by whom, with what result", Need::Required),
        b.field("response.containment", "containment or mitigation decided, if any", Need::Optional),
    ];
    for (at, facts) in b.facts.iter().enumerate() {
        let Some(assessment) = b.assessment(at) else { continue };
        if assessment.checks.is_empty() {
            continue;
        }
        let rows = assessment.checks.iter().enumerate().map(|(number, check)| {
            let expected: Vec<String> =
                check.expected.iter().map(|(id, result)| format!("{id}: {}", quoted(result))).collect();
            let cells = vec![
                (number + 1).to_string(),
                check.place.to_owned(),
                check.action.clone(),
                expected.join("; "),
                "–".to_owned(),
            ];
            (cells, Vec::new())
        });
        let head = ["No", "Where", "Check", "Expected result for each explanation", "Owner, due"];
        let caption = "Next checks, cheapest and most telling first";
        blocks.push(table(&format!("{}.checks", facts.key), caption, &head, rows.collect()));
    }
    if !b.facts.is_empty() {
        let advice = "Longer term: a second resolver on another path; monitoring of port 53 over UDP and TCP; ICMP errors not filtered; captures with the filter “port 53 or icmp or icmp6”.";
        blocks.push(Block::Note(advice.to_owned()));
    }
    blocks.extend(b.notes("response"));
    section("response", "Response and recommendations", blocks)
}

/// Who put a ledger row in.
pub fn author(author: Author) -> &'static str {
    match author {
        Author::Program => "program",
        Author::Analyst => "analyst",
    }
}
