//! Runs the real program as people and scripts do, and looks only at what comes out of it.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SEED: &str = "tests/captures/lab/00_seed_reenacted.pcap";
const TRANSCRIPT: &str = "tests/captures/lab/00_seed_canonical.txt";

/// A program run in a folder of its own, with no case or configuration of the person who tests.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portmortem"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("HOME", self.folder.path())
            .env("XDG_DATA_HOME", self.folder.path().join("data"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("the program starts")
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("a file in the temporary folder");
        path
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("the program was not killed")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

fn objects(output: &Output) -> Vec<Value> {
    stdout(output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is a JSON object"))
        .collect()
}

#[test]
fn packets_prints_a_line_for_each_packet() {
    let output = Place::new().run(&["packets", SEED]);
    let printed = stdout(&output);
    assert_eq!(code(&output), 0);
    assert_eq!(printed.lines().count(), 6);
    assert!(printed.lines().next().is_some_and(|line| {
        line.contains("13:24:32.192571")
            && line.contains("192.51.100.15")
            && line.contains("yummyrecipesforme.com")
    }));
}

#[test]
fn packets_as_json_states_what_stands_in_the_packet() {
    let output = Place::new().run(&["packets", "--format", "json", SEED]);
    let packets = objects(&output);
    assert_eq!(packets.len(), 6);
    let query = &packets[0];
    assert_eq!(query["frame"], 1);
    assert_eq!(query["time_ns"], 946_733_072_192_571_000_i64);
    assert_eq!(query["length"], 81);
    assert_eq!(query["source"], serde_json::json!({"ip": "192.51.100.15", "port": 52444}));
    assert_eq!(query["destination"], serde_json::json!({"ip": "203.0.113.2", "port": 53}));
    assert_eq!(query["dns"]["id"], 35084);
    assert_eq!(query["dns"]["recursion_desired"], true);
    assert_eq!(query["dns"]["question"]["name"], "yummyrecipesforme.com.");
    let error = &packets[1];
    assert_eq!(error["source"], serde_json::json!({"ip": "203.0.113.2", "port": null}));
    assert_eq!(error["icmp"]["type"], 3);
    assert_eq!(error["icmp"]["code"], 3);
    assert_eq!(error["icmp"]["quoted"]["source"]["port"], 52444);
    assert_eq!(error["icmp"]["quoted"]["dns"]["id"], 35084);
}

#[test]
fn every_message_of_a_segment_is_in_its_object() {
    let path = "tests/truth/captures/I07_tcp_two_queries_one_segment_second_servfail.pcap";
    let packets = objects(&Place::new().run(&["packets", "--format", "json", "--filter", "dns", path]));
    let name =
        |pointer: &str, packet: &Value| packet.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let both = packets.first().expect("a segment");
    assert_eq!(name("/dns/question/name", both).as_deref(), Some("good.example.com."));
    assert_eq!(name("/further_dns/0/question/name", both).as_deref(), Some("bad.example.com."));
    assert_eq!(both.pointer("/further_dns/0/id"), Some(&Value::from(2)));
    // Others have no such key.
    assert!(packets.iter().skip(1).all(|packet| packet.get("further_dns").is_none()));
}

#[test]
fn each_error_of_the_seed_is_tied_to_the_query_it_quotes() {
    let output = Place::new().run(&["packets", "--format", "json", SEED]);
    for (position, delta_ns) in [(1, 3_905_993_000_i64), (3, 43_741_555_000), (5, 17_830_396_000)] {
        let packet = &objects(&output)[position];
        assert_eq!(
            packet["links"],
            serde_json::json!([
                {"kind": "error_about", "file": "A", "frame": position, "level": "exact", "delta_ns": delta_ns}
            ])
        );
    }
}

#[test]
fn a_filter_chooses_packets_and_an_empty_result_is_exit_code_one() {
    let place = Place::new();
    let output = place.run(&["packets", "--filter", "icmp.error", SEED]);
    assert_eq!((code(&output), stdout(&output).lines().count()), (0, 3));
    let output = place.run(&["packets", "--filter", "tcp", SEED]);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""));
}

#[test]
fn a_wrong_filter_is_shown_where_it_is_wrong_and_is_exit_code_two() {
    let output = Place::new().run(&["packets", "--filter", "dns or prot 53", SEED]);
    assert_eq!(code(&output), 2);
    assert_eq!(stdout(&output), "");
    let message = stderr(&output);
    assert!(message.contains("dns or prot 53") && message.contains("port"), "{message}");
}

#[test]
fn transcripts_are_captures_and_prose_is_not() {
    let place = Place::new();
    let output = place.run(&["packets", TRANSCRIPT]);
    assert_eq!((code(&output), stdout(&output).lines().count()), (0, 6));
    let prose =
        place.file("prose.txt", b"At 13:24 the website was down.\nThe log shows udp port 53 unreachable.\n");
    let output = place.run(&["packets", text(&prose)]);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""));
    assert!(stderr(&output).contains("no packets in this text"), "{}", stderr(&output));
}

#[test]
fn what_is_no_capture_is_named_in_one_line() {
    let place = Place::new();
    let picture = place.file("picture.pcap", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    let folder = place.folder.path().join("absent.pcap");
    for path in [&picture, &folder] {
        let output = place.run(&["packets", text(path)]);
        assert_eq!(code(&output), 2);
        let message = stderr(&output);
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.starts_with("portmortem: ") && message.contains(text(path)), "{message}");
    }
}

#[test]
fn a_cut_file_keeps_every_packet_before_the_cut_and_says_what_was_lost() {
    let place = Place::new();
    let whole = fs::read(SEED).expect("the seed is there");
    let cut = place.file("cut.pcap", &whole[..whole.len() - 20]);
    let output = place.run(&["packets", text(&cut)]);
    assert_eq!((code(&output), stdout(&output).lines().count()), (0, 5));
    let message = stderr(&output);
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains("after frame 5"), "{message}");
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_error() {
    let mut child = Place::new()
        .command()
        .args(["packets", "--format", "json", "--sample", "office"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdout.take().expect("a pipe");
    let mut first = [0; 64];
    pipe.read_exact(&mut first).expect("some output");
    drop(pipe);
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn samples_are_listed_and_open_everywhere() {
    let place = Place::new();
    let parameters = stdout(&place.run(&["--help-parameters"]));
    assert!(parameters.contains("retry_window_ns = 30 s") && parameters.contains("Source: "), "{parameters}");
    assert_eq!(parameters, stdout(&place.run(&["dns", "--help-parameters"])));
    let listing = stdout(&place.run(&["--list-samples"]));
    let names: Vec<&str> = listing.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["seed", "transcript", "office"]);
    for (name, packets) in [("seed", 6), ("transcript", 6), ("office", 3_627)] {
        let output = place.run(&["packets", "--sample", name]);
        assert_eq!((code(&output), stdout(&output).lines().count()), (0, packets), "{name}");
    }
    let output = place.run(&["packets", "--sample", "atlantis"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("seed, transcript, office"));
}

#[test]
fn a_command_without_a_capture_says_what_to_give() {
    let output = Place::new().run(&["packets"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("--sample"));
}

#[test]
fn opening_never_changes_the_capture() {
    let place = Place::new();
    let whole = fs::read(SEED).expect("the seed is there");
    let path = place.file("seed.pcap", &whole);
    let before = fs::metadata(&path).and_then(|data| data.modified()).expect("a time");
    assert_eq!(code(&place.run(&["packets", text(&path)])), 0);
    assert_eq!(fs::read(&path).expect("still there"), whole);
    assert_eq!(fs::metadata(&path).and_then(|data| data.modified()).expect("a time"), before);
}

#[test]
fn help_manual_and_completions_are_complete_enough_to_work_without_readme() {
    let place = Place::new();
    let help = stdout(&place.run(&["--help"]));
    for word in ["packets", "Examples:", "Exit codes:", "--sample"] {
        assert!(help.contains(word), "{word} is not in the help");
    }
    assert!(stdout(&place.run(&["man"])).starts_with(".TH PORTMORTEM 1"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&place.run(&["completions", shell])).contains("list-samples"), "{shell}");
    }
}
