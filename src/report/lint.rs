//! Checks a draft as a supervisor would: citations, wording, counts, and what is still open.

mod contradictions;

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Block, Claim, ClaimState, Report, Voice};

/// What a check found in one claim or field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// The claim or field.
    pub id: String,
    /// The check: `uncited`, `ledger`, `frames`, `wording`, `echo-reply`, `host-or-port`, `count`, `contradiction`, `stale`, `open`,
    /// `unaccepted`.
    pub check: &'static str,
    /// What is wrong and what to do, in one sentence.
    pub message: String,
}

/// The result. `Display` gives `14 claims, 14 cited, 2 open`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lint {
    /// Printed claims.
    pub claims: usize,
    /// Those that cite frames.
    pub cited: usize,
    /// Required fields still empty.
    pub open: usize,
    /// Assessed claims nobody has accepted or edited yet.
    pub unaccepted: usize,
    /// What was found, in the order of the report.
    pub issues: Vec<Issue>,
}

impl std::fmt::Display for Lint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} claims, {} cited, {} open", self.claims, self.cited, self.open)
    }
}

impl Lint {
    /// What contradicts itself or another sentence of the same report (truth T40): nothing in a report of the program's.
    pub fn contradictions(&self) -> Vec<&str> {
        let found = self.issues.iter().filter(|issue| issue.check == contradictions::CHECK);
        found.map(|issue| issue.message.as_str()).collect()
    }

    /// Whether a final report may be made.
    pub fn is_final(&self) -> bool {
        self.open == 0 && self.unaccepted == 0
    }
}

/// Words a report must not use unless they are the analyst's quotation, with what to say instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("proves", "say “is consistent with” or “shows”"),
    ("confirms the attack", "say what was observed"),
    ("hacker", "name the address or say “sender”"),
    ("obviously", "leave it out"),
    ("was caused by", "say “is consistent with”"),
    ("the server is down", "say which service did not answer at which address"),
    ("server is down", "say which service did not answer at which address"),
    ("customers were affected", "say “reported by …”, with the source"),
    ("something unusual", "say what was observed"),
    ("icmp packet was undeliverable", "the UDP datagram was undeliverable; the ICMP message reports it"),
    ("udp flag", "the flags belong to DNS; UDP has none"),
];

/// Sentences that mix up a host and one of its ports.
const HOST_OR_PORT: &[(&str, &str)] = &[
    ("port is down", "a port is refused or does not answer; a host is down"),
    ("port 53 is down", "port 53 is refused or does not answer; a host is down"),
    ("host refused", "the port was refused; the host answered"),
    ("icmp port number", "ICMP has no ports; the port is that of the quoted packet"),
    ("icmp port 53", "ICMP has no ports; the port is that of the quoted packet"),
    ("icmp request", "no ICMP request was sent; the query was a UDP datagram"),
    ("server is unreachable", "the port was unreachable; the address answered"),
    ("server was unreachable", "the port was unreachable; the address answered"),
];

/// Checks the draft. Fast enough to run at every key press.
pub fn lint(report: &Report) -> Lint {
    let mut found = Lint::default();
    let known = Known::of(report);
    for block in report.blocks() {
        match block {
            Block::Claim(claim) if claim.is_printed() => check_claim(claim, &known, &mut found),
            Block::Field(field) if field.value.is_none() && field.required => {
                found.open += 1;
                found.issue(&field.id, "open", format!("to be completed: {}", field.prompt));
            }
            Block::Field(field) => {
                let text = field.value.clone().unwrap_or_default();
                check_words(&field.id, &text, &mut found);
            }
            _ => {}
        }
    }
    contradictions::check(report, &mut found);
    found
}

impl Lint {
    fn issue(&mut self, id: &str, check: &'static str, message: String) {
        self.issues.push(Issue { id: id.to_owned(), check, message });
    }
}

/// What the report itself says elsewhere, to compare sentences with.
struct Known {
    /// Ids of all ledger rows.
    rows: BTreeSet<String>,
    /// The failures are refusals of a port by the server's own address.
    refused: bool,
}

impl Known {
    fn of(report: &Report) -> Self {
        let ledger = report.section("ledger").into_iter().flat_map(|section| &section.blocks);
        let rows = ledger
            .filter_map(|block| if let Block::Table(table) = block { Some(table) } else { None })
            .flat_map(|table| table.rows.iter())
            .filter_map(|(cells, _)| cells.first().cloned())
            .collect();
        let refused =
            report.subject.as_ref().is_some_and(|subject| subject.what.ends_with("port unreachable"));
        Self { rows, refused }
    }
}

/// Whether a claim weighs causes: it has to name the ledger rows it rests on.
fn weighs(claim: &Claim) -> bool {
    let (id, own) = (claim.id.as_str(), claim.annotation.is_some());
    claim.voice == Voice::Assessed && !own && (id == "summary.cause" || id.contains(".cause."))
}

fn check_ledger(claim: &Claim, known: &Known, found: &mut Lint) {
    if weighs(claim) && claim.rows.is_empty() {
        found.issue(&claim.id, "ledger", "a sentence about a cause names no row of the ledger".to_owned());
    }
    let strange: Vec<&str> =
        claim.rows.iter().filter(|row| !known.rows.contains(*row)).map(String::as_str).collect();
    if !strange.is_empty() {
        let message = format!("the ledger has no row {}", strange.join(", "));
        found.issue(&claim.id, "ledger", message);
    }
}

fn check_claim(claim: &Claim, known: &Known, found: &mut Lint) {
    found.claims += 1;
    check_ledger(claim, known, found);
    if !claim.frames.is_empty() {
        found.cited += 1;
    } else if claim.annotation.is_some() {
        let message = "the note cites frames that this capture does not have".to_owned();
        found.issue(&claim.id, "frames", message);
    } else if claim.voice != Voice::Reported {
        found.issue(&claim.id, "uncited", "no frame is cited".to_owned());
    }
    match claim.state {
        ClaimState::Stale => {
            let message = "the evidence under this text has changed since it was decided on".to_owned();
            found.issue(&claim.id, "stale", message);
        }
        ClaimState::Suggested if claim.voice == Voice::Assessed => found.unaccepted += 1,
        _ => {}
    }
    check_words(&claim.id, &claim.text, found);
    check_host(claim, known, found);
    check_frame_count(claim, found);
    if matches!(claim.state, ClaimState::Edited | ClaimState::Stale) {
        check_numbers(claim, found);
    }
}

fn check_words(id: &str, text: &str, found: &mut Lint) {
    let plain = unquoted(&text.to_lowercase());
    let mut said = None;
    for (words, instead) in FORBIDDEN {
        // Of two entries that overlap only the longer is told.
        if contains(&plain, words) && said.is_none_or(|other: &str| !other.contains(words)) {
            found.issue(id, "wording", format!("“{words}” claims too much: {instead}"));
            said = Some(words);
        }
    }
    for (words, instead) in HOST_OR_PORT {
        if contains(&plain, words) {
            found.issue(id, "host-or-port", format!("“{words}”: {instead}"));
        }
    }
    if contains(&plain, "echo reply") && !plain.contains("not an echo reply") {
        let message = "an ICMP error is no echo reply (that is the answer to a ping)".to_owned();
        found.issue(id, "echo-reply", message);
    }
}

/// Sentences that call the host down although its address refused a port: it answered.
fn check_host(claim: &Claim, known: &Known, found: &mut Lint) {
    if !known.refused {
        return;
    }
    let plain = unquoted(&claim.text.to_lowercase());
    for subject in ["server", "resolver", "host"] {
        for verb in ["is", "was"] {
            for state in ["offline", "unreachable", "not responding", "unresponsive", "dead", "inactive"] {
                let words = format!("{subject} {verb} {state}");
                // Two of these are told by the general list.
                let told = HOST_OR_PORT.iter().any(|(other, _)| words.contains(other));
                if !told && contains(&plain, &words) {
                    let message = format!("“{words}”: its address answered and refused the port");
                    found.issue(&claim.id, "host-or-port", message);
                }
            }
        }
    }
}

/// Counts of packets in the program's sentences that exceed what they cite: "3 ICMP errors" needs three frames.
fn check_frame_count(claim: &Claim, found: &mut Lint) {
    let counted = [".errors", ".queries"].iter().any(|end| claim.id.ends_with(end));
    if !counted || claim.frames.is_empty() || claim.frames.len() >= crate::findings::FRAMES_MAX {
        return;
    }
    let mut words = claim.text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let Ok(number) = word.replace(',', "").parse::<usize>() else { continue };
        let unit = words.peek().copied().unwrap_or_default();
        let next: String = words.clone().take(2).collect::<Vec<_>>().join(" ");
        let packets =
            next.starts_with("ICMP error") || next.starts_with("DNS quer") || unit.starts_with("quer");
        if packets && number != claim.frames.len() {
            let message = format!("“{number} {next}” but {} frames are cited", claim.frames.len());
            found.issue(&claim.id, "count", message);
        }
    }
}

/// The text without what stands in quotation marks: that is somebody's wording.
fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for character in text.chars() {
        match character {
            '“' | '„' | '«' => inside = true,
            '”' | '»' => inside = false,
            '"' => inside = !inside,
            other if !inside => out.push(other),
            _ => {}
        }
    }
    out
}

/// Whether `words` stand in the text at the beginning of a word.
fn contains(text: &str, words: &str) -> bool {
    text.match_indices(words)
        .any(|(at, _)| !text.get(..at).is_some_and(|before| before.ends_with(char::is_alphanumeric)))
}

/// Numbers in the analyst's text that the evidence does not have.
fn check_numbers(claim: &Claim, found: &mut Lint) {
    if claim.suggestion.is_empty() {
        return;
    }
    let known: BTreeSet<String> = numbers(&claim.suggestion).collect();
    let strange: Vec<String> = numbers(&claim.text)
        .filter(|number| !known.contains(number))
        .filter(|number| number.parse::<usize>().ok() != Some(claim.frames.len()))
        .collect();
    if !strange.is_empty() {
        let message = format!("{} is not among the numbers of the evidence; check it", strange.join(", "));
        found.issue(&claim.id, "count", message);
    }
}

/// The numbers in a text; frame labels such as F2 are none.
fn numbers(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | ',' | ':'))
        .map(|word| word.trim_matches(['.', ',', ':']).replace(',', ""))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::PacketId;
    use crate::report::{OpenField, Place, Section};

    fn claim(text: &str, frames: &[u32]) -> Claim {
        Claim {
            id: "c".to_owned(),
            voice: Voice::Observed,
            text: text.to_owned(),
            suggestion: "3 of 3 queries to port 53 were refused.".to_owned(),
            frames: frames.iter().map(|id| PacketId(*id)).collect(),
            citation: "F2, F4, F6".to_owned(),
            rows: Vec::new(),
            state: ClaimState::Edited,
            annotation: None,
            basis: String::new(),
        }
    }

    fn checks(block: Block) -> Vec<&'static str> {
        let report = Report {
            sections: vec![Section {
                id: "summary",
                title: String::new(),
                place: Place::Body,
                blocks: vec![block],
            }],
            ..Report::default()
        };
        lint(&report).issues.iter().map(|issue| issue.check).collect()
    }

    #[test]
    fn each_check_finds_its_fault_and_nothing_else() {
        let of = |text: &str| checks(Block::Claim(claim(text, &[1, 3, 5])));
        assert!(of("3 of 3 queries were refused.").is_empty());
        assert_eq!(of("The outage was caused by a filter."), ["wording"]);
        assert_eq!(of("The server is down."), ["wording"]);
        assert_eq!(of("ICMP echo reply came back."), ["echo-reply"]);
        assert!(of("It is not an echo reply.").is_empty());
        assert_eq!(of("Port 53 is down."), ["host-or-port"]);
        assert_eq!(of("4 of 4 queries were refused."), ["count"]);
        assert!(of("The caller said “the server is down”.").is_empty());
        assert!(of("It improves with time.").is_empty());
        let mut counted = claim("A client sent 4 DNS queries.", &[1, 3, 5]);
        counted.id = "problem.F1.queries".to_owned();
        counted.state = ClaimState::Suggested;
        assert_eq!(checks(Block::Claim(counted)), ["count"]);
    }

    #[test]
    fn a_sentence_about_a_cause_names_rows_that_the_ledger_has() {
        let mut cause = claim("A filter refuses the port.", &[1]);
        (cause.id, cause.voice) = ("problem.F1.cause.1".to_owned(), Voice::Assessed);
        assert_eq!(checks(Block::Claim(cause.clone())), ["ledger"]);
        cause.rows = vec!["L2".to_owned()];
        assert_eq!(checks(Block::Claim(cause.clone())), ["ledger"], "no such row");
        let ledger = Block::Table(crate::report::Table {
            id: "problem.F1.ledger".to_owned(),
            caption: String::new(),
            head: Vec::new(),
            rows: vec![(vec!["L2".to_owned()], Vec::new())],
            shown: crate::report::Shown::All,
        });
        let section =
            |id, block| Section { id, title: String::new(), place: Place::Body, blocks: vec![block] };
        let report = Report {
            sections: vec![section("cause", Block::Claim(cause)), section("ledger", ledger)],
            ..Report::default()
        };
        assert!(lint(&report).issues.is_empty());
    }

    #[test]
    fn a_host_that_refused_a_port_is_not_called_down() {
        let report = |what: &str| Report {
            subject: Some(crate::report::Subject { what: what.to_owned(), ..Default::default() }),
            sections: vec![Section {
                id: "summary",
                title: String::new(),
                place: Place::Body,
                blocks: vec![Block::Claim(claim("The server is offline.", &[1]))],
            }],
            ..Report::default()
        };
        assert_eq!(lint(&report("refused by ICMP port unreachable")).issues[0].check, "host-or-port");
        assert!(lint(&report("unanswered")).issues.is_empty());
    }

    #[test]
    fn a_decision_on_evidence_that_changed_is_stale_and_a_note_needs_its_frames() {
        let mut decided = claim("3 of 3 queries were refused.", &[1, 3, 5]);
        decided.state = ClaimState::Stale;
        assert_eq!(checks(Block::Claim(decided.clone())), ["stale"]);
        decided.state = ClaimState::Accepted;
        assert!(checks(Block::Claim(decided.clone())).is_empty());
        // What is struck out is not checked.
        (decided.state, decided.text) = (ClaimState::Rejected, "The server is down.".to_owned());
        assert!(checks(Block::Claim(decided)).is_empty());
        let mut note = claim("First refusal.", &[]);
        (note.annotation, note.voice) = (Some(1), Voice::Reported);
        assert_eq!(checks(Block::Claim(note.clone())), ["frames"]);
        note.frames = vec![PacketId(2)];
        assert!(checks(Block::Claim(note)).is_empty());
    }

    #[test]
    fn a_report_is_final_when_nothing_is_open_and_each_judgement_is_accepted() {
        let found = |state| {
            let mut judgement = claim("A filter may refuse the port.", &[1]);
            (judgement.voice, judgement.state) = (Voice::Assessed, state);
            let blocks = vec![Block::Claim(judgement)];
            lint(&Report {
                sections: vec![Section {
                    id: "limitations",
                    title: String::new(),
                    place: Place::Body,
                    blocks,
                }],
                ..Report::default()
            })
        };
        assert!(!found(ClaimState::Suggested).is_final() && found(ClaimState::Suggested).unaccepted == 1);
        assert!(found(ClaimState::Accepted).is_final());
    }

    #[test]
    fn uncited_claims_and_open_fields_are_counted() {
        assert_eq!(checks(Block::Claim(claim("Refused.", &[]))), ["uncited"]);
        let field = |value: Option<&str>| {
            Block::Field(OpenField {
                label: "Status",
                id: "f".to_owned(),
                prompt: "who".to_owned(),
                value: value.map(str::to_owned),
                required: true,
            })
        };
        assert_eq!(checks(field(None)), ["open"]);
        assert!(checks(field(Some("the desk"))).is_empty());
    }
}
