//! The real binary in a real pseudo-terminal: the main job from end to end, and what it leaves behind.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends"
)]

use std::path::Path;
use std::time::Duration;

use termlens::{Key, Screen, Terminal};

/// Long enough for a debug build on a busy machine; every wait ends as soon as the text is there.
const PATIENCE: Duration = Duration::from_secs(90);

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
    // It opens at the first error; from there to its query.
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
    type_text(&mut terminal, "x");
    wait(&mut terminal, "Export the report");
    type_text(&mut terminal, "\t\t\t");
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
    type_text(&mut terminal, "tc");
    wait(&mut terminal, "Causes problem");
    type_text(&mut terminal, "q");
    assert!(terminal.wait_exit().unwrap().success());
    // The next start goes back to filter, times and panel.
    let mut terminal = open(&[&capture], directory.path(), 150, 45, &[]);
    wait(&mut terminal, "Causes problem");
    wait(&mut terminal, "1 of 6");
    wait(&mut terminal, "2000-01-01 13:24:3");
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
    terminal.send(Key::Esc).unwrap();
    terminal.wait_until(|screen: &Screen| !screen.contains("Esc closes")).unwrap();
    type_text(&mut terminal, "q");
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

/// The bytes of a pcap file up to and with its first `count` packets, and the rest.
fn split_after(capture: &[u8], count: usize) -> (&[u8], &[u8]) {
    let mut at = 24;
    for _ in 0..count {
        let length = u32::from_le_bytes(capture[at + 8..at + 12].try_into().unwrap());
        at += 16 + length as usize;
    }
    capture.split_at(at)
}

fn append(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
}

const SEED: &[u8] = include_bytes!("captures/lab/00_seed_reenacted.pcap");

#[test]
fn a_growing_file_is_tied_and_drafted_while_it_grows() {
    let home = tempfile::tempdir().unwrap();
    let capture = home.path().join("growing.pcap");
    let (first, rest) = split_after(SEED, 2);
    std::fs::write(&capture, first).unwrap();
    let mut terminal = open(&[Path::new("--follow"), &capture], home.path(), 150, 45, &[]);
    // The view follows, the tie and a draft of what there is are shown, and the keyboard works.
    wait(&mut terminal, "live · following");
    wait(&mut terminal, "about #1");
    wait(&mut terminal, "first 2 packets");
    type_text(&mut terminal, "a");
    wait(&mut terminal, "Ctrl-s save");
    type_text(&mut terminal, "seen live");
    terminal.send(Key::Ctrl('s')).unwrap();
    wait(&mut terminal, "your note");
    wait(&mut terminal, "G follows");
    // More packets do not move the selection; the draft grows and keeps the note.
    append(&capture, rest);
    wait(&mut terminal, "first 6 packets");
    wait(&mut terminal, "3 exact");
    wait(&mut terminal, "#2 of 6");
    wait(&mut terminal, "your note");
    type_text(&mut terminal, "1G");
    wait(&mut terminal, "#6 of 6");
    wait(&mut terminal, "live · following");
    type_text(&mut terminal, "k");
    wait(&mut terminal, "#5 of 6");
    wait(&mut terminal, "auto-scroll stopped");
    type_text(&mut terminal, "q");
    assert!(terminal.wait_exit().unwrap().success());
    assert!(home.path().join("growing.pcap.portmortem.json").exists(), "the note was lost");
}

#[test]
fn two_growing_files_are_shown_side_by_side_as_soon_as_each_grows() {
    let home = tempfile::tempdir().unwrap();
    let (first, rest) = split_after(SEED, 1);
    let (header, _) = split_after(SEED, 0);
    let (queries, errors) = (home.path().join("queries.pcap"), home.path().join("errors.pcap"));
    let record = &split_after(SEED, 2).0[first.len()..];
    std::fs::write(&queries, first).unwrap();
    std::fs::write(&errors, [header, record].concat()).unwrap();
    let mut terminal = open(&[Path::new("--follow"), &queries, &errors], home.path(), 150, 45, &[]);
    // What came last is shown without waiting for more.
    wait(&mut terminal, "2 packets");
    wait(&mut terminal, "about A#1");
    append(&queries, &rest[record.len()..]);
    wait(&mut terminal, "6 packets");
    type_text(&mut terminal, "q");
    assert!(terminal.wait_exit().unwrap().success());
}

#[test]
fn a_pipe_is_shown_until_it_ends_and_quitting_keeps_what_it_brought() {
    let home = tempfile::tempdir().unwrap();
    let fifo = home.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let command = format!("cat {} | {} -", fifo.display(), env!("CARGO_BIN_EXE_portmortem"));
    let mut terminal = Terminal::builder()
        .size(100, 30)
        .env_clear()
        .env("TERM", "xterm-256color")
        .env("LANG", "C.UTF-8")
        .env("PATH", std::env::var("PATH").unwrap())
        .env("HOME", home.path())
        .current_dir(home.path())
        .timeout(PATIENCE)
        .arg("-c")
        .arg(command)
        .spawn("/bin/sh")
        .unwrap();
    let mut input = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    let write = |input: &mut std::fs::File, bytes: &[u8]| std::io::Write::write_all(input, bytes).unwrap();
    let (first, rest) = split_after(SEED, 4);
    write(&mut input, first);
    wait(&mut terminal, "about #3");
    type_text(&mut terminal, "k");
    wait(&mut terminal, "#3 of 4");
    type_text(&mut terminal, "a");
    wait(&mut terminal, "Ctrl-s save");
    type_text(&mut terminal, "from the pipe");
    terminal.send(Key::Ctrl('s')).unwrap();
    // Both have something to say in the status line, and the later word stands: the note's must have been said before.
    wait(&mut terminal, "note saved");
    write(&mut input, rest);
    drop(input);
    wait(&mut terminal, "end of input: 6 packets");
    wait(&mut terminal, "input ended");
    // A capture that is nowhere else is offered to be kept; the note stays with it.
    type_text(&mut terminal, "q");
    wait(&mut terminal, "in no file");
    type_text(&mut terminal, "s");
    wait(&mut terminal, "Keep the capture as");
    clear_line(&mut terminal);
    type_text(&mut terminal, "kept.pcap\r");
    assert!(terminal.wait_exit().unwrap().success());
    assert_eq!(std::fs::read(home.path().join("kept.pcap")).unwrap(), SEED);
    let mut terminal = open(&[&home.path().join("kept.pcap")], home.path(), 150, 45, &[]);
    wait(&mut terminal, "case found by the capture's hash");
    type_text(&mut terminal, "q");
    assert!(terminal.wait_exit().unwrap().success());
}

#[test]
fn a_log_is_pasted_at_the_start_and_in_place_of_another() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = open(&[Path::new("-")], home.path(), 120, 30, &[]);
    wait(&mut terminal, "Paste a log");
    // The terminal marks what is pasted, and sends line ends as Enter does.
    let log = "app-1  | 10:00:01.000001 IP 192.0.2.10.40001 > 198.51.100.53.53: 7+ A? www.example.org. (33)\r\
               app-1  | 10:00:01.000901 IP 198.51.100.53 > 192.0.2.10: ICMP 198.51.100.53 udp port 53 unreachable, length 69\r";
    type_text(&mut terminal, "\x1b[200~nothing of a log\x1b[201~\r");
    wait(&mut terminal, "no packets in this text");
    type_text(&mut terminal, &format!("\x1b[200~\r{log}\x1b[201~"));
    wait(&mut terminal, "3 lines");
    type_text(&mut terminal, "\r");
    wait(&mut terminal, "2 packets");
    // Another in its place, without a key before it.
    type_text(&mut terminal, &format!("\x1b[200~{log}{}\x1b[201~", log.replace(":01.", ":02.")));
    wait(&mut terminal, "4 lines");
    terminal.send(Key::Ctrl('d')).unwrap();
    wait(&mut terminal, "4 packets");
    // It is in no file, and is kept only where that is asked for.
    type_text(&mut terminal, "q");
    wait(&mut terminal, "in no file");
    type_text(&mut terminal, "q");
    assert!(terminal.wait_exit().unwrap().success());
    let left: Vec<_> =
        std::fs::read_dir(home.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with('.')), "{left:?}");
}
