//! The real binary in a real pseudo-terminal: the main job from end to end, and what it leaves behind.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use std::path::Path;
use std::time::Duration;

use termlens::{Key, Screen, Terminal};

/// Long enough for a debug build on a busy machine; every wait ends as soon as the text is there.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(arguments: &[&Path], home: &Path, columns: u16, rows: u16, extra: &[(&str, &str)]) -> Terminal {
    let mut builder = Terminal::builder()
        .size(columns, rows)
        .env_clear()
        .env("TERM", "xterm-256color")
        .env("LANG", "C.UTF-8")
        .env("HOME", home)
        .timeout(PATIENCE);
    for (name, value) in extra {
        builder = builder.env(name, value);
    }
    for argument in arguments {
        builder = builder.arg(argument);
    }
    builder.spawn(env!("CARGO_BIN_EXE_portmortem")).unwrap()
}

fn type_text(terminal: &mut Terminal, text: &str) {
    terminal.send_str(text).unwrap();
}

fn wait(terminal: &mut Terminal, text: &str) {
    if let Err(error) = terminal.wait_until(|screen: &Screen| screen.contains(text)) {
        panic!("`{text}` never came: {error}");
    }
}

fn clear_line(terminal: &mut Terminal) {
    terminal.send(Key::Ctrl('u')).unwrap();
}

#[test]
fn the_main_job_from_opening_to_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let capture = directory.path().join("incident.pcap");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/lab/00_seed_reenacted.pcap");
    std::fs::copy(source, &capture).unwrap();
    let before = std::fs::read(&capture).unwrap();
    let report = directory.path().join("out.md");

    let mut terminal = open(&[&capture], directory.path(), 150, 45, &[]);
    wait(&mut terminal, "6 packets");
    wait(&mut terminal, "claims");
    // From the first error to its query.
    type_text(&mut terminal, "]");
    wait(&mut terminal, "#2 of 6");
    terminal.send(Key::Enter).unwrap();
    wait(&mut terminal, "#1 of 6");
    // Filter.
    type_text(&mut terminal, "/icmp.error");
    wait(&mut terminal, "3 of 6");
    terminal.send(Key::Enter).unwrap();
    terminal.send(Key::Esc).unwrap();
    terminal.wait_until(|screen: &Screen| !screen.contains("3 of 6")).unwrap();
    // Annotate.
    type_text(&mut terminal, "a");
    wait(&mut terminal, "Ctrl-s save");
    type_text(&mut terminal, "Seen on the desk of the help line");
    terminal.send(Key::Ctrl('s')).unwrap();
    wait(&mut terminal, "your note");
    wait(&mut terminal, "case saved");
    // Edit the first claim.
    type_text(&mut terminal, "3gge");
    wait(&mut terminal, "Edit this claim");
    type_text(&mut terminal, " (verified)");
    terminal.send(Key::Ctrl('s')).unwrap();
    wait(&mut terminal, "(verified)");
    // Export.
    type_text(&mut terminal, "xf");
    wait(&mut terminal, "Write the report");
    clear_line(&mut terminal);
    type_text(&mut terminal, report.to_str().unwrap());
    terminal.send(Key::Enter).unwrap();
    wait(&mut terminal, "report written to");
    type_text(&mut terminal, "q");
    assert!(terminal.wait_exit().unwrap().success());
    assert!(!terminal.screen().alternate_screen());
    assert!(!terminal.screen().bracketed_paste());

    let text = std::fs::read_to_string(&report).unwrap();
    assert!(text.contains("Seen on the desk of the help line"), "{text}");
    assert!(text.contains("(verified)"), "{text}");
    assert_eq!(std::fs::read(&capture).unwrap(), before, "the capture was changed");

    let mut terminal = open(&[&capture], directory.path(), 150, 45, &[]);
    wait(&mut terminal, "(verified)");
    // What was filtered by in the session before is offered again.
    type_text(&mut terminal, "/");
    wait(&mut terminal, "used before");
    terminal.send(Key::Esc).unwrap();
    type_text(&mut terminal, "/note");
    wait(&mut terminal, "1 of 6");
    terminal.send(Key::Enter).unwrap();
    wait(&mut terminal, "Esc clear");
    type_text(&mut terminal, "q");
    assert!(terminal.wait_exit().unwrap().success());
}

#[test]
fn no_argument_opens_the_sample_and_a_resize_survives() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = open(&[], home.path(), 80, 24, &[("NO_COLOR", "1")]);
    wait(&mut terminal, "sample:seed");
    wait(&mut terminal, "1 Timeline");
    terminal.resize(160, 45).unwrap();
    wait(&mut terminal, "claims");
    terminal.resize(20, 5).unwrap();
    terminal.resize(80, 24).unwrap();
    wait(&mut terminal, "1 Timeline");
    type_text(&mut terminal, "?");
    wait(&mut terminal, "Keys");
    type_text(&mut terminal, "qq");
    assert!(terminal.wait_exit().unwrap().success());
}

#[test]
fn a_file_that_is_no_capture_is_refused_before_the_screen_is_taken() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("notes.bin");
    std::fs::write(&file, [0u8; 64]).unwrap();
    let mut terminal = open(&[&file], home.path(), 80, 24, &[]);
    let status = terminal.wait_exit().unwrap();
    assert_eq!(status.code(), Some(2));
    assert!(!terminal.screen().alternate_screen());
}
