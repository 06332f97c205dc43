//! Sentences that cannot be true, or not beside another sentence of the same report (truth T40).

use std::collections::{BTreeMap, HashSet};

use super::{Block, Claim, Lint, Report, unquoted};
use crate::findings::Severity;
use crate::index::PacketId;

/// The check's name.
pub(super) const CHECK: &str = "contradiction";
/// Words by which a report says that nothing failed at all.
const ALL_CLEAR: &[&str] = &["no incident", "nothing was found among", "nothing failed"];
/// By which it says so of the services named behind.
const NO_FAILURE: &str = "no failure among ";
/// By which it says so of the clients named behind.
const UNAFFECTED: &str = "not affected: ";
/// By which it says that nothing told holds what it lists as open.
const NOT_HELD: &str = "no failure that is told holds them";
/// Words that end who asked whom, in sentences that count.
const VERBS: &[&str] = &["was", "were", "got", "met", "failed", "failed;", "did", "had"];
/// Units behind a number that is a time.
const UNITS: &[&str] = &["ns", "µs", "ms", "s", "min", "h", "d"];

/// Checks the title and each printed sentence against themselves and against each other.
pub(super) fn check(report: &Report, found: &mut Lint) {
    let open = open_questions(report);
    check_text("title", &report.title, report, found);
    if report.gravest > Some(Severity::Info) && report.title.to_lowercase().starts_with(NO_FAILURE) {
        found.issue(
            "title",
            CHECK,
            "the title says that nothing failed, a finding says otherwise".to_owned(),
        );
    }
    for claim in report.claims().filter(|claim| claim.is_printed()) {
        check_text(&claim.id, &claim.text, report, found);
        check_unaffected(claim, &open, found);
        check_spared(claim, report, found);
        check_turns(claim, found);
    }
    check_failures(report, found);
    check_held(report, found);
    check_totals(report, found);
}

/// Questions listed as held by no failure, although a failure cites the very same frames.
fn check_held(report: &Report, found: &mut Lint) {
    let failures = report.claims().filter(|claim| {
        claim.is_printed() && claim.id.starts_with("problem.") && claim.id.ends_with(".queries")
    });
    let held: HashSet<PacketId> = failures.flat_map(|claim| claim.frames.iter().copied()).collect();
    let tables = report.blocks().filter_map(|block| match block {
        Block::Table(table) if table.id == "findings.not_assessed" => Some(table),
        _ => None,
    });
    for (cells, frames) in tables.flat_map(|table| &table.rows) {
        let denied = cells.iter().any(|cell| cell.contains(NOT_HELD));
        if denied && frames.iter().any(|frame| held.contains(frame)) {
            let message = "it lists questions as held by no failure, and a failure holds them".to_owned();
            found.issue("findings.not_assessed", CHECK, message);
        }
    }
}

/// Two numbers that each are said to be all of the same: `3 of 3 pings from A to B`, and `1 of 1` of them elsewhere.
fn check_totals(report: &Report, found: &mut Lint) {
    let mut known: BTreeMap<String, u64> = BTreeMap::new();
    for claim in report.claims().filter(|claim| claim.is_printed()) {
        let plain = unquoted(&claim.text);
        let words: Vec<&str> = plain.split_whitespace().collect();
        for (at, four) in words.windows(4).enumerate() {
            let [part, "of", whole, noun] = four else { continue };
            // What is asked of a server fails in several ways, each with all of its own.
            let counted = whole_number(part).filter(|part| Some(*part) == whole_number(whole));
            let Some(number) = counted.filter(|_| !noun.starts_with("quer") && !noun.starts_with("question"))
            else {
                continue;
            };
            let rest = words.get(at + 4..).unwrap_or_default();
            let Some(end) = rest.iter().position(|word| VERBS.contains(word)) else { continue };
            let ends = rest.get(..end).unwrap_or_default();
            if ends.first() != Some(&"from") || !ends.contains(&"to") {
                continue;
            }
            let key = format!("{} {}", noun.trim_end_matches('s'), ends.join(" "));
            let before = *known.entry(key).or_insert(number);
            if before != number {
                let message = format!("all {noun} of the same are {before} here and {number} there");
                found.issue(&claim.id, CHECK, message);
            }
        }
    }
}

fn check_text(id: &str, text: &str, report: &Report, found: &mut Lint) {
    let plain = unquoted(text);
    for (part, whole) in shares(&plain) {
        let message = match whole {
            0 => format!("“{part} of 0” says nothing"),
            _ if part > whole => format!("“{part} of {whole}”: a part is larger than the whole"),
            _ => continue,
        };
        found.issue(id, CHECK, message);
    }
    if let Some(time) = negative_time(&plain) {
        found.issue(id, CHECK, format!("“{time}” is no time: nothing lasts less than nothing"));
    }
    let lower = plain.to_lowercase();
    if report.gravest > Some(Severity::Info) && ALL_CLEAR.iter().any(|words| lower.contains(words)) {
        found.issue(id, CHECK, "it says that nothing failed, a finding says otherwise".to_owned());
    }
    let cleared = lower.split(NO_FAILURE).nth(1).and_then(|rest| rest.split(['.', ';']).next());
    let dns = cleared.is_some_and(|services| services.starts_with("dns") || services.contains(", dns"));
    if dns && report.subject.is_some() {
        found.issue(id, CHECK, "it says that no lookup failed beside lookups that did".to_owned());
    }
}

/// What could not be told of the DNS questions of whom.
fn open_questions(report: &Report) -> Vec<String> {
    let tables = report.blocks().filter_map(|block| match block {
        Block::Table(table) if table.id == "findings.not_assessed" => Some(table),
        _ => None,
    });
    let what = tables.flat_map(|table| table.rows.iter()).filter_map(|(cells, _)| cells.get(1));
    what.filter(|what| what.contains("DNS question")).cloned().collect()
}

/// Clients called unaffected whose own questions are listed as open elsewhere.
fn check_unaffected(claim: &Claim, open: &[String], found: &mut Lint) {
    let lower = claim.text.to_lowercase();
    let Some(rest) = lower.split(UNAFFECTED).nth(1) else { return };
    let named = rest.split(", which ").next().unwrap_or_default();
    let named = named.split([',', ' ']).map(|word| word.trim_matches(',')).filter(|word| is_address(word));
    for client in named {
        let from = format!(" from {client} ");
        if open.iter().any(|what| format!("{what} ").contains(&from)) {
            let message = format!("{client} is called not affected, and questions of its own are left open");
            found.issue(&claim.id, CHECK, message);
        }
    }
}

/// Clients called unaffected of whom a finding that is more than a note, or a failure, says that they were hit.
fn check_spared(claim: &Claim, report: &Report, found: &mut Lint) {
    let lower = claim.text.to_lowercase();
    for rest in lower.split(UNAFFECTED).skip(1) {
        let named = rest.split([';', '.']).next().filter(|named| is_address(named.trim()));
        let named = named.unwrap_or_else(|| rest.split(", wh").next().unwrap_or_default());
        for client in named.split([',', ' ']).filter(|word| is_address(word)) {
            let hit =
                report.claims().filter(|other| other.is_printed() && other.id != claim.id).any(|other| {
                    let failing = other.text.contains("Severity: ")
                        || other.id.starts_with("problem.") && other.id.ends_with(".queries");
                    failing && names_client(&other.text.to_lowercase(), client)
                });
            if hit {
                let message = format!("{client} is called not affected, and said to be hit elsewhere");
                found.issue(&claim.id, CHECK, message);
            }
        }
    }
}

/// Whether a sentence says that something of a client failed: `from 192.0.2.7`, `lookups of 192.0.2.7`.
fn names_client(text: &str, client: &str) -> bool {
    ["from ", "lookups of ", "questions of ", "connections of "].iter().any(|before| {
        text.match_indices(&format!("{before}{client}")).any(|(at, whole)| {
            let next = text.get(at + whole.len()..).and_then(|rest| rest.chars().next());
            next.is_none_or(|next| matches!(next, ' ' | ',' | ';' | ')'))
        })
    })
}

/// Failures and answers said to alternate where a single question failed.
fn check_turns(claim: &Claim, found: &mut Lint) {
    let text = unquoted(&claim.text);
    let Some(rest) = text.split("alternated").nth(1) else { return };
    if shares(rest).next().is_some_and(|(part, _)| part < 2) {
        found.issue(&claim.id, CHECK, "one failure does not alternate with anything".to_owned());
    }
}

/// The number of failed questions in the table of failures, and in the sentence about the same failure.
fn check_failures(report: &Report, found: &mut Lint) {
    let table = report.blocks().find_map(|block| match block {
        Block::Table(table) if table.id == "findings.failures" => Some(table),
        _ => None,
    });
    let told = report.claims().filter(|claim| {
        claim.is_printed()
            && claim.id.starts_with("problem.")
            && claim.id.ends_with(".queries")
            && claim.text == claim.suggestion
    });
    for (claim, (cells, _)) in told.zip(table.into_iter().flat_map(|table| &table.rows)) {
        let listed = cells.get(3).and_then(|cell| whole_number(cell.split(' ').next()?));
        let plain = unquoted(&claim.text);
        let said =
            plain.split_whitespace().find_map(|word| whole_number(word).filter(|_| !word.contains('.')));
        // “Two clients sent 4 queries”: the number of clients comes first where nothing else was asked.
        let counts = plain.split(" failed").next().filter(|before| before.len() < plain.len());
        if let (Some(listed), Some(said), Some(_)) = (listed, said, counts)
            && listed != said
        {
            let message = format!("{said} questions failed here, {listed} in the table of failures");
            found.issue(&claim.id, CHECK, message);
        }
    }
}

fn is_address(word: &str) -> bool {
    word.parse::<std::net::IpAddr>().is_ok()
}

/// Each `k of n` in a text.
fn shares(text: &str) -> impl Iterator<Item = (u64, u64)> + '_ {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs: Vec<(u64, u64)> = words
        .windows(4)
        .chain(std::iter::once(words.get(words.len().saturating_sub(3)..).unwrap_or_default()))
        .filter_map(|window| match window {
            [part, "of", "the", whole] => Some((whole_number(part)?, whole_number(whole)?)),
            [part, "of", whole, ..] => Some((whole_number(part)?, whole_number(whole)?)),
            _ => None,
        })
        .collect();
    pairs.into_iter()
}

/// A count as the program writes it: digits, commas between thousands, marks of the sentence around it.
fn whole_number(word: &str) -> Option<u64> {
    let bare = word.trim_start_matches(['(', '[']).trim_end_matches([')', ']', ',', '.', ';', ':']);
    let digits: String = bare.chars().filter(|c| *c != ',').collect();
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// A number below zero that is followed by a unit of time, at once or behind further numbers.
fn negative_time(text: &str) -> Option<String> {
    // What stands in code marks is a command, and commands have options.
    let plain: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    let is_number = |word: &str| word.trim_matches(['-', '−', '+', ',']).parse::<f64>().is_ok();
    for (at, word) in words.iter().enumerate() {
        let bare = word.trim_start_matches(['(', '[']).trim_end_matches([')', ']', ',', '.', ';']);
        let Some(size) = bare.strip_prefix(['-', '−']).filter(|size| size.starts_with(digit)) else {
            continue;
        };
        let unit = size.trim_start_matches(|c: char| digit(c) || c == '.');
        let next = words.iter().skip(at + 1).find(|word| !is_number(word) && !matches!(**word, "and" | "to"));
        let next = next.map_or("", |word| word.trim_end_matches([')', ']', ',', '.', ';', ':']));
        if UNITS.contains(&unit) || unit.is_empty() && UNITS.contains(&next) {
            return Some(format!("{bare} {}", if unit.is_empty() { next } else { "" }).trim_end().to_owned());
        }
    }
    None
}

fn digit(character: char) -> bool {
    character.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::super::{ClaimState, Voice, lint};
    use super::*;
    use crate::index::PacketId;
    use crate::report::{Place, Section, Shown, Table};

    fn claim(text: &str) -> Block {
        Block::Claim(Claim {
            id: "summary.seen".to_owned(),
            voice: Voice::Observed,
            text: text.to_owned(),
            suggestion: text.to_owned(),
            frames: vec![PacketId(1)],
            citation: "F2".to_owned(),
            rows: Vec::new(),
            state: ClaimState::Suggested,
            annotation: None,
            basis: String::new(),
        })
    }

    fn report(blocks: Vec<Block>) -> Report {
        Report {
            sections: vec![Section { id: "summary", title: String::new(), place: Place::Body, blocks }],
            ..Report::default()
        }
    }

    /// The contradictions of a report, by id.
    fn in_report(report: &Report) -> Vec<String> {
        lint(report).issues.into_iter().filter(|issue| issue.check == CHECK).map(|issue| issue.id).collect()
    }

    fn contradicts(text: &str) -> bool {
        !in_report(&report(vec![claim(text)])).is_empty()
    }

    #[test]
    fn a_share_of_nothing_and_a_part_above_the_whole_are_refused() {
        assert!(contradicts("0 of 0 queries were answered."));
        assert!(contradicts("DNS was healthy: it answered 0 of 0."));
        assert!(contradicts("7 of 3 queries were refused."));
        assert!(contradicts("1,000 of the 999 clients failed."));
        assert!(contradicts("It failed (5 of 4)."));
        assert!(!contradicts("3 of 3 queries to 192.0.2.1 were refused, 1 of 192.0.2.7 was not."));
        assert!(!contradicts("999 of 1,000 clients failed, 2 of them for good."));
        assert!(!contradicts("The caller said “7 of 3 failed”."));
    }

    #[test]
    fn times_below_zero_are_refused() {
        assert!(contradicts("It was asked again -9.071810 s after the failure."));
        assert!(contradicts("It was asked again 3.9, -86374.004504 and 2.5 s after the failure."));
        assert!(contradicts("It lasted −1 d 1 h."));
        assert!(contradicts("The offset was (-3ms)."));
        assert!(!contradicts("It was asked again 9.1 s after the failure, from 10:00:00-10:00:09."));
        assert!(!contradicts("Run `ping -4 s` on 2024-05-14; score -20."));
    }

    #[test]
    fn an_all_clear_beside_a_finding_is_refused() {
        let mut clear = report(vec![claim("No incident was found.")]);
        assert!(in_report(&clear).is_empty());
        clear.gravest = Some(Severity::Info);
        clear.title = "No failure among DNS".to_owned();
        assert!(in_report(&clear).is_empty(), "a note is no failure");
        clear.gravest = Some(Severity::Low);
        assert_eq!(in_report(&clear), ["title", "summary.seen"]);
        let mut failing =
            report(vec![claim("Seen, not assessed: a reset; no failure among TCP port 80, DNS.")]);
        assert!(in_report(&failing).is_empty());
        failing.subject = Some(crate::report::Subject::default());
        assert_eq!(in_report(&failing), ["summary.seen"]);
    }

    #[test]
    fn what_a_failure_holds_is_not_listed_as_held_by_none() {
        let listed = |frame: u32| {
            Block::Table(Table {
                id: "findings.not_assessed".to_owned(),
                caption: String::new(),
                head: Vec::new(),
                shown: Shown::All,
                rows: vec![(vec!["open".to_owned(), NOT_HELD.to_owned()], vec![PacketId(frame)])],
            })
        };
        let failure = || match claim("1 DNS query failed.") {
            Block::Claim(own) => Block::Claim(Claim { id: "problem.F2.queries".to_owned(), ..own }),
            other => other,
        };
        assert_eq!(in_report(&report(vec![failure(), listed(1)])), ["findings.not_assessed"]);
        assert!(in_report(&report(vec![failure(), listed(7)])).is_empty());
    }

    #[test]
    fn a_client_that_a_finding_is_about_is_not_called_unaffected() {
        let said = |other: &str| {
            let spared = claim(
                "Not affected: 192.0.2.7 and 192.0.2.8, whose 24 questions 198.51.100.53 answered meanwhile.",
            );
            let other = match claim(other) {
                Block::Claim(own) => Block::Claim(Claim { id: "findings.F9".to_owned(), ..own }),
                other => other,
            };
            in_report(&report(vec![spared, other]))
        };
        let hit = "4 of 4 connections from 192.0.2.8 to web of 203.0.113.20 were refused. Severity: high";
        assert_eq!(said(hit), ["summary.seen"]);
        assert!(said("4 of 4 connections from 192.0.2.80 to web were refused. Severity: high").is_empty());
        assert!(said("4 of 4 connections from 192.0.2.8 to web were refused.").is_empty(), "a note");
    }

    #[test]
    fn one_failure_alternates_with_nothing() {
        assert!(contradicts("Failures and answers alternated from 10:00 to 10:01: 1 of 5 questions failed."));
        assert!(!contradicts(
            "Failures and answers alternated from 10:00 to 10:01: 2 of 5 questions failed."
        ));
    }

    #[test]
    fn the_table_of_failures_counts_as_the_sentence_does() {
        let listed = |number: &str| {
            let cells = ["1", "192.0.2.53", "unanswered", number].map(str::to_owned);
            Block::Table(Table {
                id: "findings.failures".to_owned(),
                caption: String::new(),
                head: Vec::new(),
                shown: Shown::All,
                rows: vec![(cells.to_vec(), Vec::new())],
            })
        };
        let failure = || match claim("22 DNS queries failed, of 81 that 2 clients sent.") {
            Block::Claim(own) => Block::Claim(Claim { id: "problem.F2.queries".to_owned(), ..own }),
            other => other,
        };
        assert_eq!(in_report(&report(vec![failure(), listed("17 of 22")])), ["problem.F2.queries"]);
        assert!(in_report(&report(vec![failure(), listed("22 of 22")])).is_empty());
    }

    #[test]
    fn two_numbers_are_not_both_all_of_the_same() {
        let said = |texts: [&str; 2]| in_report(&report(texts.map(claim).to_vec()));
        let all = "3 of 3 pings from 192.0.2.1 to 198.51.100.1 were unanswered.";
        assert_eq!(said([all, "1 of 1 ping from 192.0.2.1 to 198.51.100.1 was refused."]), ["summary.seen"]);
        assert!(said([all, "3 of 3 pings from 192.0.2.1 to 198.51.100.1 got no reply."]).is_empty());
        assert!(said([all, "1 of 1 ping from 192.0.2.2 to 198.51.100.1 was refused."]).is_empty());
        assert!(said([all, "1 of 4 pings from 192.0.2.1 to 198.51.100.1 was refused."]).is_empty());
    }

    #[test]
    fn a_client_with_open_questions_is_not_called_unaffected() {
        let open = |client: &str| {
            let what = format!("of 2 DNS questions from {client} to 198.51.100.53 port 53 it cannot be told");
            Block::Table(Table {
                id: "findings.not_assessed".to_owned(),
                caption: String::new(),
                head: Vec::new(),
                shown: Shown::All,
                rows: vec![(vec!["open".to_owned(), what], Vec::new())],
            })
        };
        let said =
            || claim("Not affected: 192.0.2.7 and 192.0.2.8, which asked meanwhile and were answered.");
        assert_eq!(in_report(&report(vec![said(), open("192.0.2.8")])), ["summary.seen"]);
        assert!(in_report(&report(vec![said(), open("192.0.2.80")])).is_empty());
    }
}
