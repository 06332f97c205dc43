//! A number is written once: ticket, summary, long report and JSON say the same of the same failure, and in JSON a name
//! has one type wherever it stands.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::collections::{BTreeMap, BTreeSet};

use portmortem::cli::load::Open;
use portmortem::cli::report::Made;
use portmortem::export::{self, Job, cleared};
use portmortem::report::lint::lint;
use portmortem::report::render::{self, Options};
use portmortem::report::{Input, Report, draft};
use regex::Regex;
use serde_json::Value;

fn captures() -> Vec<String> {
    let mut found = Vec::new();
    for folder in
        ["captures/incidents", "captures/lab", "captures/kinds", "captures/outages", "../assets/samples"]
    {
        for entry in std::fs::read_dir(format!("tests/{folder}")).expect("a folder") {
            let path = entry.expect("an entry").path().to_string_lossy().into_owned();
            if std::path::Path::new(&path).extension().is_none_or(|ending| ending != "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() >= 120, "{}", found.len());
    found
}

/// Calls a check for every capture with its name, input, draft and JSON report.
fn each(check: &mut dyn FnMut(&str, &Input<'_>, &Report, &Value)) {
    for path in captures() {
        let open = Open { files: vec![path.clone().into()], ..Open::default() };
        let made = Made::from(&open, false).expect("a readable capture");
        let input = made.input();
        let report = draft(&input);
        assert_eq!(lint(&report).contradictions(), [""; 0], "{path}: {}", report.title);
        let template = render::find("full").expect("the template");
        let rendered =
            cleared::render(None, &report, &input, (template.name, template.source), &Options::default())
                .expect("a template that renders");
        let document =
            export::json::document(&Job { report: &report, rendered: &rendered, input, redaction: None });
        check(&path, &input, &report, &document);
    }
}

/// `7 of 38` in a text, as numbers.
fn shares(text: &str) -> Vec<(u64, u64)> {
    let share = Regex::new(r"([0-9][0-9,]*) of (?:the )?([0-9][0-9,]*)").expect("a pattern");
    let number = |text: &str| text.replace(',', "").parse().expect("a number");
    share.captures_iter(text).map(|found| (number(&found[1]), number(&found[2]))).collect()
}

#[test]
fn ticket_summary_report_and_json_say_the_same_numbers() {
    let mut compared = 0;
    let mut wrong: Vec<String> = Vec::new();
    each(&mut |path, input, report, document| {
        let text = |template: &str| {
            render::render_named(report, input, template, &Options::default())
                .expect("a template that renders")
                .markdown
        };
        let (ticket, long) = (text("ticket"), text("long"));
        let known: BTreeSet<(u64, u64)> = shares(&long).into_iter().collect();
        for share in shares(&ticket) {
            assert!(
                known.contains(&share),
                "{path}: the ticket says {share:?}, the report nowhere:\n{ticket}"
            );
        }
        // What JSON counts of the failure the summary begins with.
        let summary = report.section("summary").expect("a summary");
        let first = summary.blocks.iter().find_map(|block| match block {
            portmortem::report::Block::Claim(claim) => Some(claim),
            _ => None,
        });
        let first = first.expect("a claim");
        let problem = document
            .pointer("/problems/0")
            .filter(|_| report.lead.as_deref().is_some_and(|lead| lead.starts_with("problem")));
        let service = document.pointer("/services/0").filter(|_| problem.is_none());
        let sum = |list: &Value, key: &str| -> u64 {
            list.as_array().into_iter().flatten().filter_map(|row| row.get(key)?.as_u64()).sum()
        };
        let told = match (problem, service) {
            (Some(problem), _) => {
                let clients = problem.get("clients").expect("clients");
                (sum(clients, "failed"), sum(clients, "asked"))
            }
            (None, Some(service)) => {
                let number = |key: &str| service.get(key).and_then(Value::as_u64).expect("a number");
                (number("failed"), number("asked"))
            }
            (None, None) => return,
        };
        let said = shares(&first.text);
        if said.is_empty() || told.0 == 0 {
            return;
        }
        compared += 1;
        if !said.contains(&told) {
            wrong.push(format!("{path}: the summary says {said:?}, JSON {told:?}: {}", first.text));
        }
        if !known.contains(&told) || !shares(&ticket).contains(&told) {
            wrong.push(format!("{path}: {told:?} is not in the report or the ticket:\n{ticket}"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(compared >= 60, "{compared}");
}

/// Names that the formats they are taken from use for two things: ECS and ICMP (`type`, `code`, `id`), and the parts of
/// the domain's own schema (docs/domain/report.md §6).
const SHARED: [&str; 9] = ["type", "code", "id", "file", "frames", "first", "last", "recovery", "claims"];

#[test]
fn a_name_in_json_has_one_type_wherever_it_stands() {
    let mut known: BTreeMap<String, (&'static str, String)> = BTreeMap::new();
    each(&mut |path, _, _, document| {
        let all = types_of(document, "", true);
        let failures = ["problems", "services"].map(|key| types_of(&document[key], key, false)).concat();
        for (key, kind, place) in all.into_iter().chain(failures) {
            let (before, there) = known.entry(key.clone()).or_insert_with(|| (kind, place.clone()));
            assert_eq!(*before, kind, "{path}: {key} at {place} and at {there}");
        }
    });
    assert!(known.len() > 100, "{}", known.len());
}

/// Each name below a value with the type of what stands under it, those of several formats left out or told apart.
fn types_of(value: &Value, at: &str, sparing: bool) -> Vec<(String, &'static str, String)> {
    let mut found = Vec::new();
    match value {
        Value::Array(list) => list.iter().for_each(|item| found.extend(types_of(item, at, sparing))),
        Value::Object(map) => {
            for (key, value) in map {
                let place = format!("{at}/{key}");
                let kind = match value {
                    Value::Null => None,
                    Value::Bool(_) => Some("boolean"),
                    Value::Number(_) => Some("number"),
                    Value::String(_) => Some("string"),
                    Value::Array(_) => Some("list"),
                    Value::Object(_) => Some("object"),
                };
                let name = if sparing { key.clone() } else { format!("failures/{key}") };
                if let Some(kind) = kind.filter(|_| !sparing || !SHARED.contains(&key.as_str())) {
                    found.push((name, kind, place.clone()));
                }
                found.extend(types_of(value, &place, sparing));
            }
        }
        _ => {}
    }
    found
}
