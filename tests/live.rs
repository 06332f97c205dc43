//! Live input from outside: pipes that end, that are interrupted, that outgrow their spool, and files that grow.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CAPTURE: &[u8] = include_bytes!("captures/lab/01_no_listener.pcap");
const PATIENCE: Duration = Duration::from_secs(20);

fn packets(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portmortem"));
    command
        .arg("packets")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits for the child to end, with patience, and gives its exit code and output.
fn finish(mut child: Child) -> (Option<i32>, String, String) {
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "the program did not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (status.code(), out, err)
}

/// Interrupts again and again until the handler is in place and the program ends by itself.
fn interrupt_once_reading(child: &Child) {
    // The handler is set before the first byte is read; a pause covers a slow start of the program.
    std::thread::sleep(Duration::from_millis(1_500));
    interrupt(child);
}

#[test]
fn an_interrupt_ends_the_input_and_loses_nothing() {
    let mut child = packets(&["-"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(CAPTURE).unwrap();
    input.flush().unwrap();
    interrupt_once_reading(&child);
    let (code, out, err) = finish(child);
    drop(input);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.lines().count(), 8);
}

#[test]
fn a_growing_file_is_followed_until_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing.pcap");
    let (first, rest) = CAPTURE.split_at(300);
    std::fs::write(&path, first).unwrap();
    let child = packets(&["--follow", path.to_str().unwrap()]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(800));
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(rest).unwrap();
    file.sync_all().unwrap();
    interrupt_once_reading(&child);
    let (code, out, err) = finish(child);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.lines().count(), 8, "{err}");
}

#[test]
fn a_pipe_over_its_spool_limit_keeps_what_fits_and_says_so() {
    let mut child = packets(&["--spool-limit", "400", "-"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // The reader may close the pipe at its limit.
    let _ = input.write_all(CAPTURE);
    drop(input);
    let (code, out, err) = finish(child);
    assert_eq!(code, Some(0), "{err}");
    let kept = out.lines().count();
    assert!((1..8).contains(&kept), "{out}");
    assert!(err.contains("400") || err.contains("limit"), "{err}");
}
