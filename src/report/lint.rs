//! Checks a draft as a supervisor would: citations, wording, counts, and what is still open.

use serde::Serialize;

use super::{Block, Claim, ClaimState, Report, Voice};

/// What a check found in one claim or field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// The claim or field.
    pub id: String,
    /// The check: `uncited`, `frames`, `wording`, `echo-reply`, `host-or-port`, `count`, `stale`, `open`, `unaccepted`.
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
    for block in report.blocks() {
        match block {
            Block::Claim(claim) if claim.is_printed() => check_claim(claim, &mut found),
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
    found
}

impl Lint {
    fn issue(&mut self, id: &str, check: &'static str, message: String) {
        self.issues.push(Issue { id: id.to_owned(), check, message });
    }
}

fn check_claim(claim: &Claim, found: &mut Lint) {
    found.claims += 1;
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
    let known: std::collections::BTreeSet<String> = numbers(&claim.suggestion).collect();
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
    use crate::report::{OpenField, Section};

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
            sections: vec![Section { id: "summary", title: String::new(), blocks: vec![block] }],
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
    }

    #[test]
    fn uncited_claims_and_open_fields_are_counted() {
        assert_eq!(checks(Block::Claim(claim("Refused.", &[]))), ["uncited"]);
        let field = |value: Option<&str>| {
            Block::Field(OpenField {
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
