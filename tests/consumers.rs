//! What other programs are given keeps to the rules that they publish, and machine formats keep their types.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output};

use regex::Regex;
use serde_json::Value;

const SEED: &str = "tests/captures/lab/00_seed_reenacted.pcap";
const TRANSCRIPT: &str = "tests/captures/lab/00_seed_canonical.txt";

fn run(arguments: &[&str]) -> Output {
    let home = std::env::temp_dir();
    Command::new(env!("CARGO_BIN_EXE_portmortem"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("XDG_DATA_HOME", &home)
        .env("XDG_CONFIG_HOME", &home)
        .args(arguments)
        .output()
        .unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn report(format: &str, what: &[&str]) -> String {
    printed(&[&["report", "--no-case", "--format", format], what].concat())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A capture with dates, a log without, an incident with many lookups, and two files together.
const INPUTS: [&[&str]; 4] = [&[SEED], &[TRANSCRIPT], &["--sample", "office"], &[SEED, TRANSCRIPT]];

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| format!("{pointer} of {value}")).unwrap()
}

fn is_one_of(value: &Value, pointer: &str, allowed: &[&str]) {
    let found = text(value, pointer);
    assert!(allowed.contains(&found), "{pointer}: {found}");
}

#[test]
fn events_keep_to_the_elastic_common_schema() {
    let date = Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6,9}Z$").unwrap();
    for what in INPUTS {
        let events = lines(&report("ecs", what));
        let mut ids = HashSet::new();
        for event in &events {
            // ECS 8.11, base and event field sets: required, allowed values, keyword or date.
            assert!(date.is_match(text(event, "/@timestamp")), "{event}");
            assert_eq!(text(event, "/ecs/version"), "8.11.0");
            is_one_of(
                event,
                "/event/kind",
                &["alert", "asset", "enrichment", "event", "metric", "state", "signal"],
            );
            assert_eq!(event.pointer("/event/category/0"), Some(&"network".into()));
            // The types that the category expects.
            is_one_of(
                event,
                "/event/type/0",
                &["access", "allowed", "connection", "denied", "end", "info", "protocol", "start"],
            );
            assert!(ids.insert(text(event, "/event/id").to_owned()), "an id is there twice: {event}");
            if let Some(outcome) = event.pointer("/event/outcome") {
                assert!(["failure", "success", "unknown"].contains(&outcome.as_str().unwrap()), "{outcome}");
            }
            let Some(dns) = event.get("dns") else { continue };
            is_one_of(dns, "/type", &["query", "answer"]);
            assert_eq!(text(dns, "/op_code"), "QUERY");
            assert!(dns.get("id").is_some_and(Value::is_string), "{dns}");
            let flags = dns.get("header_flags").and_then(Value::as_array).unwrap();
            for flag in flags {
                assert!(
                    ["AA", "TC", "RD", "RA", "AD", "CD", "DO"].contains(&flag.as_str().unwrap()),
                    "{flag}"
                );
            }
            let name = text(dns, "/question/name");
            assert!(name == "." || !name.ends_with('.'), "{name}");
            assert_eq!(text(dns, "/question/class"), "IN");
            assert_eq!(dns.get("response_code").is_some(), text(dns, "/type") == "answer");
            assert!(event.pointer("/source/ip").is_some() && event.pointer("/destination/port").is_some());
            is_one_of(event, "/network/transport", &["udp", "tcp"]);
        }
        let queries = events.iter().filter(|event| event.pointer("/dns/type") == Some(&"query".into()));
        let transactions = lines(&printed(&[&["dns", "--format", "json"], what].concat()));
        assert_eq!(queries.count(), transactions.len(), "an event for every transaction of {what:?}");
    }
}

#[test]
fn events_keep_to_class_4003_of_ocsf() {
    for what in INPUTS {
        let mut ids = HashSet::new();
        for event in lines(&report("ocsf", what)) {
            let number = |pointer: &str| event.pointer(pointer).and_then(Value::as_i64);
            // Base event and DNS Activity 1.3: required attributes and their enumerations.
            assert_eq!(number("/class_uid"), Some(4003));
            assert_eq!(number("/category_uid"), Some(4));
            let activity = number("/activity_id").unwrap();
            assert!([1, 2, 6].contains(&activity), "{activity}");
            assert_eq!(number("/type_uid"), Some(400_300 + activity));
            assert!((0..=6).contains(&number("/severity_id").unwrap()));
            assert!([0, 1, 2, 99].contains(&number("/status_id").unwrap()));
            assert!(number("/time").unwrap() > 900_000_000_000, "milliseconds: {event}");
            assert!(!text(&event, "/metadata/version").is_empty());
            assert!(!text(&event, "/metadata/product/vendor_name").is_empty());
            assert!(ids.insert(text(&event, "/metadata/uid").to_owned()));
            assert!((0..=4).contains(&number("/connection_info/direction_id").unwrap()));
            for end in ["src_endpoint", "dst_endpoint"] {
                let end = event.get(end).unwrap();
                assert!(end.get("ip").or(end.get("hostname")).is_some(), "{end}");
            }
            assert!(
                !text(&event, "/query/hostname").ends_with('.') || text(&event, "/query/hostname") == "."
            );
            assert!((0..=6).contains(&number("/query/opcode_id").unwrap()));
            assert!((0..65_536).contains(&number("/query/packet_uid").unwrap()));
            if let Some(code) = number("/rcode_id") {
                assert!((0..=11).contains(&code) || (16..=23).contains(&code) || code == 99, "{code}");
                assert!(activity == 6 && event.get("rcode").is_some());
            }
        }
        assert!(!ids.is_empty());
    }
}

#[test]
fn timelines_keep_to_what_timesketch_asks_for() {
    let date = Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$").unwrap();
    for what in INPUTS {
        let events = lines(&report("timesketch", what));
        for event in &events {
            assert!(date.is_match(text(event, "/datetime")), "{event}");
            assert!(!text(event, "/message").is_empty() && !text(event, "/timestamp_desc").is_empty());
            assert!(event.get("timestamp").is_some_and(Value::is_i64), "{event}");
        }
        let table = report("timesketch-csv", what);
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        for mandatory in ["message", "datetime", "timestamp_desc"] {
            assert!(head.iter().any(|name| name == mandatory), "{head:?}");
        }
        assert_eq!(reader.records().map(Result::unwrap).count(), events.len());
    }
}

#[test]
fn cases_and_events_keep_to_what_iris_asks_for() {
    // "%Y-%m-%dT%H:%M:%S.%f", and the zone beside it.
    let date = Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}$").unwrap();
    for what in INPUTS {
        let case: Value = serde_json::from_str(&report("iris", what)).unwrap();
        assert!(text(&case, "/case_name").len() >= 2 && text(&case, "/case_description").len() >= 2);
        let list = |key: &str| case.get(key).and_then(Value::as_array).unwrap();
        for event in list("timeline") {
            assert!(date.is_match(text(event, "/event_date")), "{event}");
            assert_eq!(text(event, "/event_tz"), "+00:00");
            assert!(text(event, "/event_title").len() >= 2);
            assert!(event.get("event_category_id").is_some_and(Value::is_u64));
            for key in ["event_assets", "event_iocs"] {
                assert!(event.get(key).is_some_and(Value::is_array), "{event}");
            }
        }
        assert!(list("assets").iter().all(|asset| !text(asset, "/asset_name").is_empty()));
        assert!(list("iocs").iter().all(|ioc| !text(ioc, "/ioc_value").is_empty()));
        assert!(list("evidences").iter().all(|file| text(file, "/filename").len() >= 2));
        let table = report("iris-csv", what);
        // It reads the file line by line: a row is a line.
        assert_eq!(table.lines().count(), list("timeline").len() + 1);
        let head = "event_date,event_tz,event_title,event_category,event_content,event_raw,event_source,event_assets,event_iocs,event_tags";
        assert_eq!(table.lines().next(), Some(head));
    }
}

/// The type of every value by where it stands; numbers of places in lists do not count.
fn types(value: &Value, at: &str, found: &mut std::collections::BTreeMap<String, HashSet<&'static str>>) {
    let kind = match value {
        Value::Null => return,
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(items) => {
            for item in items {
                types(item, &format!("{at}[]"), found);
            }
            "array"
        }
        Value::Object(map) => {
            map.iter().for_each(|(key, item)| types(item, &format!("{at}.{key}"), found));
            "object"
        }
    };
    found.entry(at.to_owned()).or_default().insert(kind);
}

#[test]
fn types_do_not_change_with_the_number_of_files() {
    let office = "assets/samples/office.pcap";
    let commands: [&[&str]; 5] = [
        &["packets", "--format", "json", "--filter", "dns or icmp"],
        &["dns", "--format", "json"],
        &["episodes", "--format", "json"],
        &["findings", "--format", "json"],
        &["report", "--template", "json", "--no-case"],
    ];
    for command in commands {
        let mut found = std::collections::BTreeMap::new();
        for files in [&[office][..], &[office, SEED]] {
            let text = printed(&[command, files].concat());
            let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>().map(Result::unwrap);
            values.for_each(|value| types(&value, "", &mut found));
        }
        let torn: Vec<_> = found.iter().filter(|(_, kinds)| kinds.len() > 1).collect();
        assert!(torn.is_empty(), "{command:?}: {torn:?}");
        let frames =
            found.iter().filter(|(at, _)| at.ends_with("frames[]") || at.rsplit('.').next() == Some("frame"));
        for (at, kinds) in frames {
            assert_eq!(kinds, &HashSet::from(["number"]), "{command:?}: {at}");
        }
    }
    // With one file as with two, the label of the file stands beside.
    for line in lines(&printed(&["packets", "--format", "json", SEED])) {
        assert_eq!(text(&line, "/file"), "A");
    }
    let both = lines(&printed(&["dns", "--format", "json", office, SEED]));
    let labels: HashSet<&str> = both.iter().map(|row| text(row, "/query_file")).collect();
    assert_eq!(labels, HashSet::from(["A", "B"]));
}

#[test]
fn filtered_packets_are_written_as_captured() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.pcapng");
    let place = out.to_str().unwrap();
    assert!(run(&["packets", "-w", place, "--filter", "icmp", SEED]).status.success());
    let (before, after) = (
        printed(&["packets", "--format", "json", "--filter", "icmp", SEED]),
        printed(&["packets", "--format", "json", place]),
    );
    let (before, after) = (lines(&before), lines(&after));
    assert_eq!((before.len(), after.len()), (3, 3));
    for (one, other) in before.iter().zip(&after) {
        assert_eq!((one.get("time_ns"), one.get("icmp")), (other.get("time_ns"), other.get("icmp")));
    }
    assert_eq!(
        run(&["packets", "-w", place, "--filter", "icmp", SEED]).status.code(),
        Some(2),
        "it is there already"
    );
    assert_eq!(run(&["packets", "-w", "x.pcapng", "--filter", "tcp", SEED]).status.code(), Some(1));
    assert!(!Path::new(env!("CARGO_MANIFEST_DIR")).join("x.pcapng").exists());
}

#[test]
fn a_frame_is_named_behind_its_file() {
    let named = format!("{SEED}#4");
    assert_eq!(printed(&["explain", &named]), printed(&["explain", SEED, "4"]));
    let shown = lines(&printed(&["packets", "--format", "json", &named]));
    assert_eq!(
        shown.iter().map(|packet| packet.get("frame").unwrap().as_u64().unwrap()).collect::<Vec<_>>(),
        [4]
    );
    assert_eq!(run(&["packets", &format!("{SEED}#99")]).status.code(), Some(2));
    assert_eq!(run(&["explain", SEED]).status.code(), Some(2), "no frame is named");
    // A file that has such a name is itself.
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a#2");
    std::fs::copy(SEED, &odd).unwrap();
    assert_eq!(lines(&printed(&["packets", "--format", "json", odd.to_str().unwrap()])).len(), 6);
}
