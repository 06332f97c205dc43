//! What the reports on the seed incident must say and must not, in every template, and that captured text stays text.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use portmortem::case::{Annotation, Decision, FrameRef, ManualRow, State};
use portmortem::cli::load::Open;
use portmortem::cli::report::Made;
use portmortem::export::cleared::{self, Sink};
use portmortem::export::{self, Job};
use portmortem::findings::Severity;
use portmortem::generate::{Packet, PcapWriter, Variant, dns, link};
use portmortem::report::render::{self, Options, Rendered, TEMPLATES, render_named};
use portmortem::report::{ClaimState, Input, Report, lint::lint};
use regex::Regex;
use serde_json::Value;

const PCAP: &str = "tests/captures/lab/00_seed_reenacted.pcap";
const TRANSCRIPT: &str = "tests/captures/lab/00_seed_canonical.txt";

/// The draft, which contradicts itself nowhere (truth T40).
fn draft(input: &Input<'_>) -> Report {
    let report = portmortem::report::draft(input);
    assert_eq!(lint(&report).contradictions(), [""; 0], "{}", report.title);
    report
}

fn made(path: &str) -> Made {
    let open = Open { files: vec![path.into()], ..Open::default() };
    Made::from(&open, false).expect("a readable capture")
}

fn report(path: &str, template: &str) -> String {
    rendered(&made(path), template)
}

fn rendered(made: &Made, template: &str) -> String {
    let input = made.input();
    let report = draft(&input);
    render_named(&report, &input, template, &Options::default()).expect("a template that renders").markdown
}

fn golden() -> Value {
    serde_json::from_str(include_str!("cases/golden.json")).expect("golden.json is JSON")
}

fn patterns(key: &str) -> Vec<Regex> {
    let golden = golden();
    let list = golden.get(key).and_then(Value::as_array).expect("a list of patterns");
    list.iter()
        .map(|pattern| {
            let pattern = pattern.as_str().expect("a pattern");
            Regex::new(&format!("(?i){pattern}")).expect("a regular expression")
        })
        .collect()
}

#[test]
fn every_template_says_what_it_must_and_nothing_it_must_not() {
    for path in [PCAP, TRANSCRIPT] {
        for template in TEMPLATES {
            let text = report(path, template.name);
            for pattern in patterns("must_not") {
                let found = pattern.find(&text).map(|found| found.as_str());
                assert_eq!(found, None, "{} of {path} says {pattern}", template.name);
            }
            // A ticket has 900 characters and leaves most of it out.
            if template.name == "ticket" {
                continue;
            }
            for pattern in patterns("must") {
                assert!(
                    pattern.is_match(&text),
                    "{} of {path} does not say {pattern}:\n{text}",
                    template.name
                );
            }
        }
    }
}

/// Asserts that each text appears somewhere in the full report in its long form.
fn says(path: &str, texts: &[&str]) {
    let text = report(path, "long").replace('\\', "");
    for wanted in texts {
        assert!(text.contains(wanted), "{path} does not say {wanted:?}:\n{text}");
    }
}

fn both(letter: char, text: &str) -> String {
    let citation = Regex::new(r"\bN(\d)").expect("a regular expression");
    citation.replace_all(text, format!("{letter}$1")).into_owned()
}

#[test]
fn the_golden_answers_hold_for_capture_and_transcript() {
    for (path, letter) in [(PCAP, 'F'), (TRANSCRIPT, 'L')] {
        let wanted = [
            // G1 and G2
            "6 packets in 257.830396 s (4 min 18 s): 3 DNS queries, 0 DNS responses, 3 ICMP errors, 0 TCP and 0 ARP",
            "[N1–N6]",
            "A client at 192.51.100.15 sent 3 DNS queries over UDP to 203.0.113.2, port 53, asking it to find (recursion desired) the IPv4 address of yummyrecipesforme.com; none was answered [N1, N3, N5].",
            // G3
            "an ICMP Destination Unreachable / Port Unreachable message (type 3, code 3) [N2, N4, N6].",
            // G4
            "3.905993 s, 43.741555 s and 17.830396 s",
            "[N1→N2, N3→N4, N5→N6]",
            // G5
            "3 attempts in 1 episode: the queries were sent exactly 120.000000 s apart, all with query number 35084 and source port 52444",
            "onset before and end after these times cannot be excluded",
            "No recovery within the",
            // G6 and G7
            "no TCP attempt to port 53 of 203.0.113.2",
            "no query to another DNS server",
            "no connection to a web server",
            "116.094007 s and 76.258445 s later [N2→N3, N4→N5]",
            "What the client did after the last failure is undetermined",
            // G8
            "either no DNS service is listening there or a packet filter (firewall) refuses the port",
            "does not separate the two",
            "cannot be told apart without evidence from outside it",
            // G9
            "It neither supports nor excludes an attack on 203.0.113.2",
            "None: no adversary behaviour shown.",
            // G10
            "Since when and until when the fault lasted is not known",
            "Whether other clients or customers use 203.0.113.2 is not known",
            "Whether TCP port 53 of 203.0.113.2 works is not known",
            "Whether the web server works is not known",
            "The role of 203.0.113.2 is not known",
            "Whether the client has a second resolver is not known",
            // G12
            "dig @203.0.113.2 yummyrecipesforme.com A",
            "dig +tcp @203.0.113.2",
            "nstat -az UdpNoPorts IcmpOutDestUnreachs",
            "ss -ulpn 'sport = :53'",
            "nft -a list ruleset",
            "host 203.0.113.2 and (port 53 or icmp",
        ];
        let wanted: Vec<String> = wanted.iter().map(|text| both(letter, text)).collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        says(path, &wanted);
    }
    says(PCAP, &["links by level: 3 exact", "2000-01-01 13:24:32 to 13:28:50 UTC"]);
    says(
        TRANSCRIPT,
        &["links by level: 3 probable", "The date with its year and the time zone are not recorded"],
    );
}

#[test]
fn record_quality_is_told_for_the_transcript_and_lengths_only_there() {
    says(
        TRANSCRIPT,
        &[
            "length (24) is impossible for this name: 39 bytes",
            "254, 320, 150",
            "RFC 5452",
            "No comma before",
            "documentation address",
            "rest on addresses, message types and order only",
        ],
    );
    let text = report(PCAP, "full");
    assert!(!text.contains("(24)") && !text.contains("254"), "{text}");
}

#[test]
fn delays_are_never_called_the_servers_speed() {
    for path in [PCAP, TRANSCRIPT] {
        let text = report(path, "full");
        for sentence in text.split(['.', '\n']).filter(|sentence| sentence.contains("43.741")) {
            assert!(!sentence.contains("latency") && !sentence.contains("response time"), "{sentence}");
        }
    }
}

#[test]
fn every_claim_of_a_fresh_draft_is_cited_and_well_worded() {
    for path in captures() {
        let made = made(&path);
        let report = draft(&made.input());
        let found = lint(&report);
        assert!(found.claims > 0);
        assert_eq!(found.claims, found.cited, "{path}");
        let other: Vec<_> = found.issues.iter().filter(|issue| issue.check != "open").collect();
        assert!(other.is_empty(), "{path}: {other:?}");
        let mut ids: Vec<&str> = report.claims().map(|claim| claim.id.as_str()).collect();
        ids.sort_unstable();
        let before = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), before, "{path}: two claims share an id");
    }
}

#[test]
fn captures_without_incident_are_said_to_have_none() {
    let none = Regex::new(r"No failure among DNS \(\d+ of \d+ answered\)").expect("a pattern");
    for name in ["13_portscan", "17_healthy"] {
        let text = report(&format!("tests/captures/incidents/{name}.pcap"), "full");
        assert!(none.is_match(&text), "{text}");
    }
}

#[test]
fn the_google_form_has_the_official_headings_and_one_note() {
    let text = report(PCAP, "google");
    for heading in [
        "# Cybersecurity incident report: Network traffic analysis",
        "## Part 1: Provide a summary of the problem found in the DNS and ICMP traffic log.",
        "The UDP protocol reveals that:",
        "This is based on the results of the network analysis, which show that the ICMP echo reply returned the error message:",
        "The port noted in the error message is used for:",
        "The most likely issue is:",
        "## Part 2: Explain your analysis of the data and provide at least one cause of the incident.",
        "Time incident occurred:",
        "Explain how the IT team became aware of the incident:",
        "Explain the actions taken by the IT department to investigate the incident:",
        "Note key findings of the IT department's investigation (i.e., details related to the port affected, DNS server, etc.):",
        "Note a likely cause of the incident:",
    ] {
        assert!(text.contains(heading), "{heading}");
    }
    assert_eq!(text.matches("echo reply").count(), 2, "the heading and one note");
    let made = made(PCAP);
    let input = made.input();
    let mut options = Options::default();
    options.form.corrected_headings = true;
    let corrected =
        render_named(&draft(&input), &input, "google", &options).expect("a template that renders").markdown;
    assert!(!corrected.contains("echo reply") && corrected.contains("ICMP error message returned"));
}

#[test]
fn every_template_fits_every_kind_of_incident() {
    let mut paths: Vec<std::path::PathBuf> = ["tests/captures/incidents", "tests/captures/lab"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder of captures"))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "pcap" || ending == "pcapng"))
        .collect();
    paths.sort();
    for path in paths.iter().step_by(3) {
        let made = made(path.to_str().expect("a path in UTF-8"));
        for template in TEMPLATES {
            assert!(rendered(&made, template.name).len() > 100, "{} of {}", template.name, path.display());
        }
    }
}

#[test]
fn a_report_called_final_all_the_same_says_what_is_open() {
    let made = made(PCAP);
    let input = made.input();
    let report = draft(&input);
    let options = Options { is_final: true, ..Options::default() };
    let text = render_named(&report, &input, "full", &options).expect("a template that renders").markdown;
    let (_, end) = text.split_once("## Open in this report").expect("the box");
    assert!(end.contains("who noticed the fault first") && end.contains("nobody has accepted"), "{end}");
    let ticket = render_named(&report, &input, "ticket", &options).expect("a template that renders");
    assert!(!ticket.markdown.contains("Open in this report"));
}

#[test]
fn a_final_report_is_refused_while_something_required_is_open() {
    let run = |extra: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_portmortem"));
        command.args(["report", "--final"]).args(extra).arg(PCAP).output().expect("the program runs")
    };
    let refused = run(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("not final") && said.contains("required fields are open"), "{said}");
    let allowed = run(&["--allow-open"]);
    assert!(allowed.status.success());
    assert!(String::from_utf8_lossy(&allowed.stdout).contains("Open in this report"));
}

/// Every capture of the incidents and of the lab.
fn captures() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["tests/captures/incidents", "tests/captures/lab"] {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path().to_string_lossy().into_owned();
            if !path.contains(".json") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() >= 29);
    found
}

#[test]
fn every_template_renders_for_every_capture_and_stays_within_its_length() {
    for path in captures() {
        let made = made(&path);
        let input = made.input();
        let report = draft(&input);
        for template in TEMPLATES {
            let text = render_named(&report, &input, template.name, &Options::default())
                .unwrap_or_else(|error| panic!("{} of {path}: {error}", template.name))
                .markdown;
            let prose =
                text.lines().filter(|line| !line.starts_with(['|', '`', ' ']) && !line.contains(" A? "));
            for line in prose {
                let dotted = [". with ", ". and ", ". were ", ". could ", ". got "];
                let stray = dotted.iter().find(|end| line.contains(**end));
                assert_eq!(stray, None, "a name's final dot in {} of {path}: {line}", template.name);
            }
            match template.name {
                "ticket" => {
                    assert!(text.chars().count() <= 900, "{path}: {} characters", text.chars().count());
                    assert!(text.contains("sha256") && !text.contains(['|', '`', '*']), "{path}: {text}");
                }
                // The reference draft has 330 words besides the headings; tables of others would hide what matters.
                "google" => {
                    let words = text.split_whitespace().count();
                    assert!(words <= 800, "{path}: {words} words");
                }
                _ => {}
            }
        }
        let summary = report.section("summary").expect("a summary");
        assert!((1..=8).contains(&summary.blocks.len()), "{path}: {}", summary.blocks.len());
    }
}

#[test]
fn what_the_analyst_adds_lands_in_its_section_and_stays() {
    let open = Open { files: vec![PCAP.into()], ..Open::default() };
    let first = Made::from(&open, false).expect("a readable capture");
    let report = draft(&first.input());
    let claim = report.claim("summary.cause").expect("a cause");
    let mut state = State::default();
    state.apply(claim.edit("The port is refused.".to_owned()));
    let errors = report.claims().find(|claim| claim.id.ends_with(".errors")).expect("errors");
    state.apply(errors.reject());
    let stale = Decision { accepted: Some(true), text: None, basis: "another".to_owned() };
    state.decisions.insert("summary.seen".to_owned(), stale);
    state.annotations.push(Annotation {
        id: 1,
        frames: vec![FrameRef { source: 0, frame: 2 }],
        note: "*first* refusal".to_owned(),
        tag: "impact".to_owned(),
        severity: None,
    });
    state.manual_rows.push(ManualRow {
        id: 2,
        when: "13:20".to_owned(),
        by: "service desk".to_owned(),
        text: "first call".to_owned(),
    });
    let made = Made::of(open.load().expect("a readable capture"), state);
    let report = draft(&made.input());
    let cause = report.claim("summary.cause").expect("a cause");
    assert_eq!((cause.state, cause.text.as_str()), (ClaimState::Edited, "The port is refused."));
    assert_eq!(report.claim("summary.seen").map(|claim| claim.state), Some(ClaimState::Stale));
    let impact = report.section("case").expect("a section");
    let note = report.claim("note.1").expect("the note");
    assert!(format!("{impact:?}").contains("first* refusal") && note.citation == "F2");
    let text = rendered(&made, "full");
    assert!(text.contains(r"\*first\* refusal [F2]"), "{text}");
    assert!(text.contains("The port is refused [F1–F6]. (analyst's wording)"), "{text}");
    let long = rendered(&made, "long");
    assert!(
        long.contains("The port is refused [F1–F6] (ledger L"),
        "the long form names the rows behind it: {long}"
    );
    assert!(!text.contains("After each query"), "a rejected claim is printed");
    let call = text.find("first call").expect("the manual row");
    let query = text.find("| 2000-01-01T13:24:32.192571Z | packet").expect("the first packet");
    assert!(call < query, "the row stands where its time is");
}

/// The seed with a name that tries to be Markdown, HTML and a terminal command.
fn hostile_capture() -> Vec<u8> {
    let labels: [&[u8]; 3] = [b"*x*|[a](b)<script>", b"\x1b[31m`!`", b"# _h_ \xe2\x80\xae"];
    let mut name = Vec::new();
    for label in labels {
        name.push(u8::try_from(label.len()).expect("a short label"));
        name.extend(label);
    }
    name.push(0);
    let mut dns = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    dns.extend(&name);
    dns.extend([0, 1, 0, 1]);
    let (client, server) = ([192, 0, 2, 1], [198, 51, 100, 53]);
    let ip = |protocol: u8, from: [u8; 4], to: [u8; 4], payload: &[u8]| {
        let total = u16::try_from(20 + payload.len()).expect("a short packet").to_be_bytes();
        let mut packet = vec![0x45, 0, total[0], total[1], 0, 7, 0, 0, 64, protocol, 0, 0];
        packet.extend(from);
        packet.extend(to);
        packet.extend(payload);
        packet
    };
    let length = u16::try_from(8 + dns.len()).expect("a short datagram").to_be_bytes();
    let mut udp = vec![0xc0, 0x01, 0, 53, length[0], length[1], 0, 0];
    udp.extend(&dns);
    let query = ip(17, client, server, &udp);
    let mut icmp = vec![3, 3, 0, 0, 0, 0, 0, 0];
    icmp.extend(&query);
    let error = ip(1, server, client, &icmp);
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
    for (second, packet) in [(1u32, &query), (2, &error), (20, &query), (21, &error)] {
        file.extend(second.to_le_bytes());
        file.extend(0u32.to_le_bytes());
        let length = u32::try_from(packet.len()).expect("a short packet").to_le_bytes();
        file.extend(length);
        file.extend(length);
        file.extend(packet.as_slice());
    }
    file
}

#[test]
fn a_hostile_name_stays_text_in_every_template_and_format() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("hostile.pcap");
    std::fs::write(&path, hostile_capture()).expect("written");
    let made = made(path.to_str().expect("a path in UTF-8"));
    let input = made.input();
    let report = draft(&input);
    assert!(report.lead.is_some(), "the failure is found");
    for template in TEMPLATES {
        let named = (template.name, template.source);
        let rendered = cleared::render(None, &report, &input, named, &Options::default())
            .expect("a template that renders");
        let text = &rendered.get().markdown;
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{}", template.name);
        if template.name != "ticket" {
            let markdown = pulldown_cmark::Options::ENABLE_TABLES;
            for event in pulldown_cmark::Parser::new_ext(text, markdown) {
                use pulldown_cmark::{Event, Tag};
                let markup = match &event {
                    Event::Html(_) | Event::InlineHtml(_) => true,
                    Event::Start(Tag::Link { .. }) => true,
                    Event::Start(Tag::Image { dest_url, .. }) => !dest_url.starts_with("figure:"),
                    _ => false,
                };
                assert!(!markup, "{} became markup in {}:\n{text}", format_args!("{event:?}"), template.name);
            }
        }
        let job = Job { report: &report, rendered: &rendered, input, redaction: None };
        for export in export::EXPORTS.iter().filter(|_| template.name == "full") {
            let mut out = Vec::new();
            (export.write)(&job, &mut Sink::new(&mut out)).expect("an export");
            let text = String::from_utf8_lossy(&out);
            if ["html", "markdown", "text", "json", "ecs"].contains(&export.name) {
                assert!(!text.contains("<script>alert") && !text.contains('\u{1b}'), "{}", export.name);
                assert!(export.name != "html" || !text.contains("<script"), "script in HTML");
            }
        }
    }
}

#[test]
fn iris_gets_an_event_a_finding_and_every_host_of_the_problem() {
    let made = made(PCAP);
    let input = made.input();
    let report = draft(&input);
    let rendered = full(&report, &input);
    let document =
        export::iris::document(&Job { report: &report, rendered: &rendered, input, redaction: None });
    let list = |key: &str| document.get(key).and_then(Value::as_array).cloned().expect("a list");
    assert_eq!(list("timeline").len(), input.findings.len());
    let texts = |key: &str, field: &str| -> Vec<String> {
        list(key).iter().filter_map(|item| Some(item.get(field)?.as_str()?.to_owned())).collect()
    };
    assert_eq!(texts("assets", "asset_name"), ["192.51.100.15", "203.0.113.2"]);
    assert!(texts("iocs", "ioc_value").contains(&"yummyrecipesforme.com".to_owned()));
    assert_eq!(texts("evidences", "file_hash").first().map(String::len), Some(64));
    assert!(document["case_description"].as_str().expect("Markdown").contains("●"));
}

#[test]
fn the_same_input_gives_the_same_draft() {
    let (one, two) = (made(PCAP), made(PCAP));
    assert_eq!(draft(&one.input()), draft(&two.input()));
}

/// The full report, ready to be exported.
fn full(report: &Report, input: &Input<'_>) -> cleared::Cleared<Rendered> {
    let template = render::find("full").expect("the template");
    cleared::render(None, report, input, (template.name, template.source), &Options::default())
        .expect("a template that renders")
}

/// Checks `required`, `type`, `enum`, `const`, `items`, `properties` and `$ref`: what the schema uses.
fn validate(root: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(name.trim_start_matches('#')).expect("a definition");
        return validate(root, target, value, at);
    }
    if let Some(types) = schema.get("type") {
        let types: Vec<&str> = match types {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().into_iter().collect(),
        };
        let own = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        assert!(types.contains(&own), "{at}: {own} is none of {types:?}");
    }
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        assert!(list.contains(value), "{at}: {value} is none of {list:?}");
    }
    if let Some(only) = schema.get("const") {
        assert_eq!(only, value, "{at}");
    }
    for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let key = key.as_str().expect("a key");
        assert!(value.get(key).is_some(), "{at}: {key} is missing");
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (number, item) in list.iter().enumerate() {
            validate(root, items, item, &format!("{at}[{number}]"));
        }
    }
    if let (Some(Value::Object(properties)), Some(map)) = (schema.get("properties"), value.as_object()) {
        for (key, schema) in properties {
            if let Some(value) = map.get(key) {
                validate(root, schema, value, &format!("{at}.{key}"));
            }
        }
    }
}

#[test]
fn the_json_report_keeps_to_its_schema_and_carries_the_tie() {
    let schema: Value = serde_json::from_str(export::json::SCHEMA_TEXT).expect("the schema is JSON");
    for path in captures() {
        let path = path.as_str();
        let made = made(path);
        let input = made.input();
        let report = draft(&input);
        let rendered = full(&report, &input);
        let document =
            export::json::document(&Job { report: &report, rendered: &rendered, input, redaction: None });
        validate(&schema, &schema, &document, path);
        if path == PCAP {
            let tied =
                document.pointer("/hypotheses/0/tied_with").map(ToString::to_string).unwrap_or_default();
            let first = document.pointer("/hypotheses/0/id").map(ToString::to_string).unwrap_or_default();
            assert!(format!("{first}{tied}").contains("H1") && format!("{first}{tied}").contains("H2"));
            assert_eq!(document.pointer("/problems/0/hypotheses"), document.pointer("/hypotheses"));
            let quoted = document.pointer("/packets/1/icmp/quoted/destination/port");
            assert_eq!(quoted, Some(&Value::from(53)));
            assert_eq!(document.pointer("/links/0/delta_ns"), Some(&Value::from(3_905_993_000_i64)));
            let fields = document.pointer("/links/0/fields").map(ToString::to_string).unwrap_or_default();
            assert!(fields.contains("ip_id") && fields.contains("bytes"), "{fields}");
            assert_eq!(document.pointer("/links/0/alternatives"), Some(&Value::Array(Vec::new())));
            assert_eq!(document.pointer("/case/times/recovery"), Some(&Value::Null));
        }
    }
}

/// A capture of raw IP packets, a second apart unless told otherwise.
fn raw_capture(folder: &std::path::Path, name: &str, packets: &[(u32, Vec<u8>)]) -> String {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
    for (second, packet) in packets {
        file.extend((1_700_000_000 + second).to_le_bytes());
        file.extend(0u32.to_le_bytes());
        let length = u32::try_from(packet.len()).expect("a short packet").to_le_bytes();
        file.extend(length);
        file.extend(length);
        file.extend(packet);
    }
    let path = folder.join(name);
    std::fs::write(&path, file).expect("written");
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn lookup(from: &str, to: &str, id: u16) -> Vec<u8> {
    use portmortem::generate::{Packet, dns};
    Packet::udp(from, to, &dns::query(id, "www.example", dns::A)).bytes()
}

#[test]
fn captures_with_little_or_nothing_in_them_get_sensible_reports() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let multicast = |second| (second, lookup("192.0.2.1:5353", "224.0.0.251:5353", 0));
    let syn = || {
        use portmortem::generate::{Packet, Segment, flags};
        let segment = Segment { flags: flags::SYN, ..Segment::default() };
        Packet::tcp("192.0.2.1:40000", "198.51.100.7:443", segment, b"").bytes()
    };
    let cases = [
        ("empty.pcap", Vec::new(), "holds no packet"),
        ("mdns.pcap", (0..4).map(multicast).collect(), "holds no DNS query"),
        ("tcp.pcap", vec![(0, syn()), (9, syn())], "holds no DNS query"),
    ];
    for (name, packets, wanted) in cases {
        let path = raw_capture(folder.path(), name, &packets);
        for template in TEMPLATES {
            let text = report(&path, template.name);
            assert!(template.name != "full" || text.contains(wanted), "{name}: {text}");
            assert!(!text.contains("No incident was found"), "{name} could not have shown one: {text}");
        }
        let made = made(&path);
        let found = lint(&draft(&made.input()));
        assert!(found.issues.iter().all(|issue| issue.check == "open"), "{name}: {:?}", found.issues);
    }
}

#[test]
fn one_unanswered_question_is_no_outage() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let query = lookup("192.0.2.1:40000", "198.51.100.53:53", 7);
    let other = {
        use portmortem::generate::Packet;
        Packet::udp("198.51.100.53:123", "192.0.2.1:123", &[0x24; 48]).bytes()
    };
    let path = raw_capture(folder.path(), "one.pcap", &[(0, query), (20, other)]);
    let made = made(&path);
    let input = made.input();
    assert!(input.findings.iter().all(|finding| finding.severity <= Severity::Low), "{:?}", input.findings);
    let report = draft(&input);
    let cause = report.claim("summary.cause").expect("a cause");
    assert!(
        !cause.text.starts_with("Best supported") && !cause.text.contains("not present"),
        "{}",
        cause.text
    );
}

#[test]
fn frames_of_several_files_carry_the_label_of_their_file() {
    let files = ["01_server_down", "08_failover"]
        .map(|name| format!("tests/captures/incidents/{name}.pcap").into())
        .to_vec();
    let made = Made::from(&Open { files, ..Open::default() }, false).expect("readable captures");
    let text = rendered(&made, "full");
    assert!(text.contains("[A:F1") && text.contains("B:F"), "{text}");
    let bare = Regex::new(r"\[F\d").expect("a pattern");
    assert_eq!(bare.find(&text).map(|found| found.as_str()), None);
    assert!(lint(&draft(&made.input())).issues.iter().all(|issue| issue.check == "open"));
}

/// The full report on text as tcpdump prints it.
fn of_text(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("log.txt");
    std::fs::write(&path, text).expect("a file");
    report(&path.display().to_string(), "full")
}

#[test]
fn answers_without_their_questions_are_told_by_what_they_say() {
    let text = of_text(
        "10:00:00.000001 IP 198.51.100.53.53 > 192.0.2.10.40001: 4101 NXDomain 0/0/0 (33)\n\
         10:00:01.000001 IP 198.51.100.53.53 > 192.0.2.10.40002: 4102 ServFail 0/0/0 (33)\n",
    );
    assert!(text.contains("1 SERVFAIL and 1 NXDOMAIN") && text.contains("2 answers to 192.0.2.10"), "{text}");
    assert!(!text.contains("nothing can be said about name resolution"));
}

#[test]
fn a_log_without_times_has_no_duration_and_no_clock() {
    let lines = (4101..4104).map(|id| {
        format!(
            "IP 192.0.2.10.4{id} > 198.51.100.53.53: {id}+ A? www.example.com. (33)\n\
             IP 198.51.100.53.53 > 192.0.2.10.4{id}: {id} ServFail 0/0/0 (33)\n"
        )
    });
    let text = of_text(&lines.collect::<String>());
    assert!(text.contains("the log states no times"), "{text}");
    assert!(!text.contains("00:00:00") && !text.contains("single moment"), "{text}");
}

/// The summary of the full report.
fn summary_of(path: &str) -> String {
    let text = report(path, "long").replace('\\', "");
    let (_, rest) = text.split_once("Summary\n").expect("a summary");
    rest.split_once("\n## ").map_or(rest, |(summary, _)| summary).to_owned()
}

#[test]
fn what_fails_on_the_way_back_is_explained_by_the_way_back_alone() {
    let text = summary_of("tests/captures/kinds/answers_dropped_at_server.pcap");
    assert!(text.contains("on the way back"), "{text}");
    for way_there in ["rejects the traffic to", "queries to 198.51.100.53 are dropped"] {
        assert!(!text.contains(way_there), "{way_there}: {text}");
    }
}

#[test]
fn the_bounds_of_a_failure_without_an_answer_on_either_side_are_said_once() {
    let text = summary_of("tests/captures/lab/19_glibc_single_ns_dropped.pcap");
    let times = |what: &str| text.matches(what).count();
    assert_eq!(times("was answered before or after in this"), 1, "{text}");
    assert_eq!(
        (times("cannot be excluded"), times("No recovery"), times("was answered earlier")),
        (1, 0, 0),
        "{text}"
    );
}

#[test]
fn a_capture_that_leaves_out_icmp_says_so_beside_the_causes_it_cannot_part() {
    let summary = |other: bool| {
        let mut frames: Vec<(i64, Packet)> = Vec::new();
        for number in 0..8_i64 {
            let (at, id) = (number * 6_000_000_000, number as u16);
            let from = format!("192.0.2.10:{}", 40_000 + number);
            let query = dns::query(id, "www.example.com", dns::A);
            frames.push((at, Packet::udp(from.as_str(), "198.51.100.53:53", &query)));
            let fine = dns::answer(id, "www.example.com", dns::Data::A([192, 0, 2, 80].into()));
            frames.push((at + 1_000_000, Packet::udp(from.as_str(), "198.51.100.54:53", &query)));
            frames.push((at + 2_000_000, Packet::udp("198.51.100.54:53", from.as_str(), &fine)));
        }
        if other {
            frames.push((
                49_000_000_000,
                Packet::echo([192, 0, 2, 10].into(), [192, 0, 2, 1].into(), false, 1, 1),
            ));
        }
        let mut file = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).expect("a header");
        for (time_ns, packet) in frames {
            file.packet(time_ns, &packet.ethernet()).expect("a packet");
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("port.pcap");
        std::fs::write(&path, file.finish().expect("a file")).expect("a place to write");
        summary_of(path.to_str().expect("a path"))
    };
    let (without, with) = (summary(false), summary(true));
    assert!(without.contains("a capture filter by port leaves out ICMP errors"), "{without}");
    assert!(!with.contains("leaves out ICMP errors"), "{with}");
}

#[test]
fn the_short_form_leaves_out_what_the_long_form_has_and_its_lists_resolve() {
    let made =
        Made::from(&Open { files: vec!["assets/samples/office.pcap".into()], ..Open::default() }, false)
            .expect("a readable capture");
    let (short, long) = (rendered(&made, "full"), rendered(&made, "long"));
    assert!(short.len() * 3 < long.len() * 2, "{} of {} bytes", short.len(), long.len());
    for heading in ["Ledger", "Glossary", "Observables", "Method"] {
        let titled = |text: &str| text.lines().any(|line| line.starts_with("## ") && line.ends_with(heading));
        assert!(!titled(&short) && titled(&long), "{heading}");
    }
    assert!(short.contains("(12 of 40 shown)"), "a table that leaves rows out says so");
    let summary = short.split("\n## ").find(|part| part.starts_with("1 Summary")).expect("a summary");
    assert!(!summary.contains('…'), "the summary cites frames or one list: {summary}");
    let cited = regex::Regex::new(r"list (\d+)\]").expect("a pattern");
    for text in [&short, &long] {
        let mut numbers: Vec<&str> =
            cited.captures_iter(text).map(|found| found.get(1).unwrap().as_str()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert!(numbers.len() > 5, "{numbers:?}");
        for number in numbers {
            assert!(text.contains(&format!("| list {number} | ")), "list {number} is cited and not printed");
        }
    }
    // Forms without appendices name no list.
    let listed = regex::Regex::new(r"list \d").expect("a pattern");
    for name in ["google", "seed-log", "walkthrough", "ticket"] {
        assert!(!listed.is_match(&rendered(&made, name)), "{name}");
    }
}

#[test]
fn what_a_resolver_is_refused_behind_it_is_told_with_its_clients_failure() {
    let mut frames: Vec<(i64, Packet)> = Vec::new();
    for number in 0..8_i64 {
        let (at, id, name) = (number * 2_000_000_000, number as u16, format!("h{number}.example.com"));
        let (client, server) =
            (format!("192.0.2.{}:{}", 10 + number % 3, 40_000 + number), "198.51.100.53:53");
        let query = dns::query(id, &name, dns::A);
        frames.push((at, Packet::udp(client.as_str(), server, &query)));
        let asked =
            Packet::udp(format!("198.51.100.53:{}", 50_000 + number).as_str(), "203.0.113.1:53", &query);
        frames.push((at + 1_000_000, asked.clone()));
        frames.push((at + 3_000_000, Packet::port_unreachable(&asked)));
        let failed = dns::failure(id, &name, dns::A, dns::SERVER_FAILURE);
        frames.push((at + 5_000_000, Packet::udp(server, client.as_str(), &failed)));
    }
    let mut file = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).expect("a header");
    for (time_ns, packet) in frames {
        file.packet(time_ns, &packet.ethernet()).expect("a packet");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("behind.pcap");
    std::fs::write(&path, file.finish().expect("a file")).expect("a place to write");
    let text = summary_of(path.to_str().expect("a path"));
    let behind = "Behind it: 8 of 8 questions that 198.51.100.53 itself asked of 203.0.113.1 were refused by ICMP port unreachable";
    assert!(text.contains(behind), "{text}");
    let whole = report(path.to_str().expect("a path"), "full");
    assert!(whole.contains("203.0.113.1, which it asks, fails it"), "{whole}");
}
