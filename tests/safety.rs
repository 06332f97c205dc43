//! What happens to the program from outside: captures cut under it, signals, kills, devices in the places of files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use termlens::{Key, Screen, Terminal, TerminalBuilder};

/// Long enough for a debug build on a busy machine; every wait ends as soon as what is waited for is there.
const PATIENCE: Duration = Duration::from_secs(90);
const SEED: &[u8] = include_bytes!("captures/lab/00_seed_reenacted.pcap");
const BINARY: &str = env!("CARGO_BIN_EXE_portmortem");

fn spawn(program: &str, arguments: &[&Path], home: &Path) -> Terminal {
    let builder = Terminal::builder()
        .size(150, 45)
        .env_clear()
        .env("TERM", "xterm-256color")
        .env("LANG", "C.UTF-8")
        .env("PATH", std::env::var("PATH").unwrap())
        .env("HOME", home)
        .current_dir(home)
        .timeout(PATIENCE);
    arguments.iter().fold(builder, TerminalBuilder::arg).spawn(program).unwrap()
}

fn open(arguments: &[&Path], home: &Path) -> Terminal {
    spawn(BINARY, arguments, home)
}

fn wait(terminal: &mut Terminal, text: &str) {
    if let Err(error) = terminal.wait_until(|screen: &Screen| screen.contains(text)) {
        panic!("`{text}` never came: {error}");
    }
}

/// Esc and a letter that come together would be Alt and the letter.
fn leave_text(terminal: &mut Terminal) {
    terminal.send(Key::Esc).unwrap();
    terminal.wait_until(|screen: &Screen| !screen.contains("Ctrl-s save")).unwrap();
}

fn run(arguments: &[&str], home: &Path) -> Output {
    let temporary = home.join("temporary");
    std::fs::create_dir_all(&temporary).unwrap();
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(home).env("HOME", home).env("TMPDIR", temporary);
    command.output().unwrap()
}

fn kill(process: u32, signal: rustix::process::Signal) {
    let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(process, signal).unwrap();
}

fn texts_below(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            all.push_str(&texts_below(&entry.path()));
        } else {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()));
        }
    }
    all
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A capture of many packets, larger than what is read instead of mapped.
fn large(folder: &Path, copies: usize) -> PathBuf {
    let path = folder.join("large.pcap");
    let (header, records) = SEED.split_at(24);
    std::fs::write(&path, [header, &records.repeat(copies)].concat()).unwrap();
    path
}

#[test]
fn a_capture_cut_while_it_is_printed_gives_the_rows_read_so_far() {
    let home = tempfile::tempdir().unwrap();
    let capture = large(home.path(), 20_000);
    let mut child = Command::new(BINARY)
        .args(["packets", "--filter", "frame contains \"yummy\" or icmp"])
        .arg(&capture)
        .env("HOME", home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    std::io::BufRead::read_line(&mut out, &mut first).unwrap();
    // The pipe is full long before all rows are printed.
    std::fs::OpenOptions::new().write(true).open(&capture).unwrap().set_len(100_000).unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut out, &mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!first.is_empty() && !rest.is_empty());
    assert!(said.contains("cut while"), "{said}");
}

#[test]
fn a_capture_cut_on_the_screen_is_told_and_the_program_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let capture = large(home.path(), 4_000);
    let mut terminal = open(&[&capture], home.path());
    wait(&mut terminal, "24,000 packets");
    wait(&mut terminal, "sha256");
    std::fs::OpenOptions::new().write(true).open(&capture).unwrap().set_len(50_000).unwrap();
    wait(&mut terminal, "cut while open at byte 50,000");
    wait(&mut terminal, "sha256 no longer holds");
    terminal.send_str("G").unwrap();
    wait(&mut terminal, "#24000 of 24,000");
    terminal.send_str("gg").unwrap();
    wait(&mut terminal, "#1 of 24,000");
    terminal.send_str("q").unwrap();
    assert!(terminal.wait_exit().unwrap().success());
}

#[test]
fn an_overwritten_capture_loses_its_tick_at_once() {
    let home = tempfile::tempdir().unwrap();
    let capture = home.path().join("c.pcap");
    std::fs::write(&capture, SEED).unwrap();
    let mut terminal = open(&[&capture], home.path());
    wait(&mut terminal, "✓");
    std::fs::write(&capture, &SEED[..SEED.len() - 1]).unwrap();
    wait(&mut terminal, "sha256 no longer holds");
    terminal.send_str("q").unwrap();
    assert!(terminal.wait_exit().unwrap().success());
}

#[test]
fn a_followed_file_that_is_cut_or_begun_anew_ends_the_input_and_not_the_program() {
    for other in [&SEED[..200], &[SEED, SEED].concat()[24..]] {
        let home = tempfile::tempdir().unwrap();
        let capture = home.path().join("c.pcap");
        std::fs::write(&capture, SEED).unwrap();
        let mut terminal = open(&[Path::new("--follow"), &capture], home.path());
        wait(&mut terminal, "6 packets");
        std::fs::write(&capture, other).unwrap();
        wait(&mut terminal, "while it was followed");
        terminal.send_str("q").unwrap();
        assert!(terminal.wait_exit().unwrap().success());
    }
}

#[test]
fn signals_give_the_terminal_back_and_save_what_is_being_written() {
    use rustix::process::Signal;
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)] {
        let home = tempfile::tempdir().unwrap();
        let capture = home.path().join("c.pcap");
        std::fs::write(&capture, SEED).unwrap();
        let mut terminal = open(&[&capture], home.path());
        wait(&mut terminal, "claims");
        terminal.send_str("a").unwrap();
        wait(&mut terminal, "Ctrl-s save");
        terminal.send_str("half a sentence").unwrap();
        wait(&mut terminal, "half a sentence");
        kill(terminal.pid().unwrap(), signal);
        assert_eq!(terminal.wait_exit().unwrap().code(), Some(code));
        assert!(!terminal.screen().alternate_screen() && !terminal.screen().bracketed_paste());
        // What was typed is there the next time.
        let mut terminal = open(&[&capture], home.path());
        wait(&mut terminal, "claims");
        terminal.send_str("a").unwrap();
        wait(&mut terminal, "half a sentence");
        terminal.send_str(", finished").unwrap();
        terminal.send(Key::Ctrl('s')).unwrap();
        wait(&mut terminal, "case saved");
        terminal.send_str("q").unwrap();
        assert!(terminal.wait_exit().unwrap().success());
        let case = texts_below(home.path());
        assert!(case.contains("half a sentence, finished") && !case.contains("drafts"), "{case}");
    }
}

#[test]
fn a_draft_is_on_disk_within_a_second_of_typing() {
    let home = tempfile::tempdir().unwrap();
    let capture = home.path().join("c.pcap");
    std::fs::write(&capture, SEED).unwrap();
    let mut terminal = open(&[&capture], home.path());
    wait(&mut terminal, "claims");
    terminal.send_str("a").unwrap();
    wait(&mut terminal, "Ctrl-s save");
    terminal.send_str("never saved by hand").unwrap();
    eventually("the draft is kept", || texts_below(home.path()).contains("never saved by hand"));
    kill(terminal.pid().unwrap(), rustix::process::Signal::KILL);
    terminal.wait_exit().unwrap();
    // Leaving the text keeps it too; emptying it gives it up.
    let mut terminal = open(&[&capture], home.path());
    wait(&mut terminal, "claims");
    terminal.send_str("a").unwrap();
    wait(&mut terminal, "never saved by hand");
    wait(&mut terminal, "taken up where it was left");
    leave_text(&mut terminal);
    terminal.send_str("q").unwrap();
    assert!(terminal.wait_exit().unwrap().success());
    assert!(texts_below(home.path()).contains("never saved by hand"));
}

#[test]
fn a_killed_session_on_a_pipe_is_offered_again_with_its_notes() {
    let home = tempfile::tempdir().unwrap();
    let fifo = home.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut terminal = open(&[&fifo], home.path());
    let mut input = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    std::io::Write::write_all(&mut input, SEED).unwrap();
    wait(&mut terminal, "first 6 packets");
    terminal.send_str("a").unwrap();
    wait(&mut terminal, "Ctrl-s save");
    terminal.send_str("seen while it came").unwrap();
    terminal.send(Key::Ctrl('s')).unwrap();
    wait(&mut terminal, "case saved");
    let live = home.path().join(".local/share/portmortem/live");
    let kept = || {
        std::fs::read_dir(&live).unwrap().flatten().find(|e| e.path().extension() == Some("capture".as_ref()))
    };
    eventually("the capture is kept", || {
        kept().is_some_and(|kept| kept.metadata().unwrap().len() == SEED.len() as u64)
    });
    kill(terminal.pid().unwrap(), rustix::process::Signal::KILL);
    terminal.wait_exit().unwrap();
    drop(input);
    let mut terminal = open(&[], home.path());
    wait(&mut terminal, "open it now [o]");
    terminal.send_str("o\r").unwrap();
    wait(&mut terminal, "claims");
    terminal.send_str("/note").unwrap();
    wait(&mut terminal, "1 of 6");
    terminal.send(Key::Enter).unwrap();
    wait(&mut terminal, "Esc clear");
    terminal.send_str("q").unwrap();
    assert!(terminal.wait_exit().unwrap().success());
    let mut terminal = open(&[], home.path());
    wait(&mut terminal, "delete it with its notes [d]");
    terminal.send_str("d\r").unwrap();
    wait(&mut terminal, "sample:seed");
    terminal.send_str("q").unwrap();
    assert!(terminal.wait_exit().unwrap().success());
    assert_eq!(std::fs::read_dir(&live).unwrap().count(), 0);
}

#[test]
fn ctrl_z_stops_and_fg_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let capture = home.path().join("c.pcap");
    std::fs::write(&capture, SEED).unwrap();
    let mut terminal = spawn("bash", &["--norc", "--noprofile", "-i"].map(Path::new), home.path());
    terminal.send_str(&format!("{BINARY} c.pcap\r")).unwrap();
    wait(&mut terminal, "claims");
    terminal.send(Key::Ctrl('z')).unwrap();
    wait(&mut terminal, "Stopped");
    assert!(!terminal.screen().alternate_screen());
    terminal.send_str("fg\r").unwrap();
    wait(&mut terminal, "claims");
    assert!(terminal.screen().alternate_screen());
    terminal.send_str("q").unwrap();
    terminal.wait_until(|screen: &Screen| !screen.alternate_screen()).unwrap();
    terminal.send_str("exit\r").unwrap();
    terminal.wait_exit().unwrap();
}

#[test]
fn the_analysts_editor_works_inside_the_sandbox() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let capture = home.path().join("c.pcap");
    std::fs::write(&capture, SEED).unwrap();
    let editor = home.path().join("editor.sh");
    std::fs::write(&editor, "#!/bin/sh\necho written elsewhere > \"$1\"\n").unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    for extra in [&["c.pcap"][..], &["--no-sandbox", "c.pcap"]] {
        let builder = Terminal::builder()
            .size(150, 45)
            .env_clear()
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", home.path())
            .env("EDITOR", &editor)
            .current_dir(home.path())
            .timeout(PATIENCE);
        let mut terminal = extra.iter().fold(builder, TerminalBuilder::arg).spawn(BINARY).unwrap();
        wait(&mut terminal, "claims");
        terminal.send_str("a").unwrap();
        wait(&mut terminal, "Ctrl-s save");
        terminal.send(Key::Ctrl('e')).unwrap();
        wait(&mut terminal, "written elsewhere");
        leave_text(&mut terminal);
        terminal.send_str("q").unwrap();
        assert!(terminal.wait_exit().unwrap().success());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn files_that_were_not_asked_for_are_out_of_reach() {
    let home = tempfile::tempdir().unwrap();
    let (theirs, other) = (home.path().join("theirs"), home.path().join("other"));
    std::fs::create_dir(&theirs).unwrap();
    std::fs::create_dir(&other).unwrap();
    std::fs::write(theirs.join("c.pcap"), SEED).unwrap();
    std::fs::write(other.join("secret.pcap"), SEED).unwrap();
    std::os::unix::fs::symlink(other.join("secret.pcap"), theirs.join("linked.pcap")).unwrap();
    let version = run(&["--version", "--verbose"], home.path());
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    assert!(version.contains("sandbox: calls: seccomp"), "{version}");
    if version.contains("sandbox: files: NOT in force") {
        return;
    }
    let shut = run(&["packets", theirs.to_str().unwrap()], home.path());
    assert!(String::from_utf8_lossy(&shut.stderr).contains("Permission denied"), "{shut:?}");
    assert_eq!(shut.stdout.split(|byte| *byte == b'\n').count() - 1, 6);
    let free = run(&["packets", "--no-sandbox", theirs.to_str().unwrap()], home.path());
    assert_eq!(free.stdout.split(|byte| *byte == b'\n').count() - 1, 12, "{free:?}");
}

#[test]
fn a_forced_output_goes_into_pipes_and_devices_and_replaces_only_reports() {
    let home = tempfile::tempdir().unwrap();
    let capture = home.path().join("c.pcap");
    std::fs::write(&capture, SEED).unwrap();
    for force in [&["--force"][..], &[]] {
        let arguments = [&["report", "c.pcap", "-o", "/dev/stdout"], force].concat();
        let output = run(&arguments, home.path());
        assert!(String::from_utf8_lossy(&output.stdout).contains("yummyrecipesforme"), "{output:?}");
    }
    let fifo = home.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let reader = std::thread::spawn({
        let fifo = fifo.clone();
        move || std::fs::read_to_string(fifo).unwrap()
    });
    let output = run(&["report", "c.pcap", "-o", "fifo", "--force"], home.path());
    assert!(output.status.success(), "{output:?}");
    assert!(reader.join().unwrap().contains("yummyrecipesforme"));
    assert!(!std::fs::metadata(&fifo).unwrap().is_file(), "the pipe is still one");
    // Each format is written over its own earlier version, and no other capture is.
    for name in ["r.md", "r.txt", "r.html", "r.json", "r.pcapng"] {
        for (force, code) in [("--no-case", 0), ("--no-case", 2), ("--force", 0), ("--force", 0)] {
            let output = run(&["report", "c.pcap", "-o", name, force], home.path());
            assert_eq!(output.status.code(), Some(code), "{name}: {output:?}");
        }
    }
    // Lines of a log that a page quotes are no capture.
    for force in ["--no-case", "--force"] {
        let output = run(
            &["report", "--sample", "office", "--template", "walkthrough", "-o", "w.html", force],
            home.path(),
        );
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let second = home.path().join("d.pcap");
    std::fs::write(&second, SEED).unwrap();
    let output = run(&["report", "c.pcap", "-o", "d.pcap", "--force"], home.path());
    assert_eq!((output.status.code(), std::fs::read(&second).unwrap().as_slice()), (Some(2), SEED));
}

#[test]
fn a_folder_is_searched_to_its_depth_and_links_in_it_lead_nowhere() {
    let home = tempfile::tempdir().unwrap();
    let deep = home.path().join("a/b/c");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("c.pcap"), SEED).unwrap();
    std::os::unix::fs::symlink(home.path().join("a"), deep.join("round")).unwrap();
    let output = run(&["packets", "a"], home.path());
    assert_eq!(output.stdout.split(|byte| *byte == b'\n').count() - 1, 6, "{output:?}");
}

#[test]
fn a_limit_on_addresses_is_no_hindrance() {
    let home = tempfile::tempdir().unwrap();
    let script = format!("ulimit -v 4194304; cat {} | {BINARY} packets -", seed().display());
    let output = Command::new("sh").args(["-c", &script]).env("HOME", home.path()).output().unwrap();
    assert_eq!(output.stdout.split(|byte| *byte == b'\n').count() - 1, 6, "{output:?}");
}

fn seed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/lab/00_seed_reenacted.pcap")
}
