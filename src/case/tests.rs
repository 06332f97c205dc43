//! What a case promises: undo is exact, a journal replays to the same state, files are never silently wrong.

use proptest::prelude::*;

use std::path::{Path, PathBuf};

use super::store::Paths;
use super::*;

fn note(id: u64, text: &str) -> Event {
    Event::Annotate {
        annotation: Annotation {
            id,
            frames: vec![FrameRef { source: 0, frame: id }],
            note: text.to_owned(),
            tag: "finding".to_owned(),
            severity: None,
        },
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let leaf = prop_oneof![
        (1u64..6, "[a-z]{0,4}").prop_map(|(id, text)| note(id, &text)),
        (1u64..6).prop_map(|id| Event::RemoveAnnotation { id }),
        ("[ab]", proptest::option::of("[a-z]{0,3}")).prop_map(|(field, value)| Event::Fill { field, value }),
        ("[ab]", proptest::option::of(any::<bool>())).prop_map(|(claim, accepted)| Event::Decide {
            claim,
            decision: accepted.map(|yes| Decision { accepted: Some(yes), ..Decision::default() }),
        }),
        (1u64..4, "[a-z]{0,3}").prop_map(|(id, text)| Event::PutRow {
            row: ManualRow { id, when: text.clone(), by: "desk".to_owned(), text },
        }),
        (1u64..4).prop_map(|id| Event::RemoveRow { id }),
        (1u64..4, any::<bool>()).prop_map(|(id, off)| Event::PutLedger {
            change: LedgerChange {
                id,
                hypothesis: "H1".to_owned(),
                row: "L1".to_owned(),
                weight_db: Some(5),
                off,
                note: String::new(),
            },
        }),
        (1u64..4).prop_map(|id| Event::RemoveLedger { id }),
        (prop_oneof![Just('a'), Just('b')], proptest::option::of(1u64..9)).prop_map(|(letter, frame)| {
            Event::Mark { letter, frame: frame.map(|frame| FrameRef { source: 0, frame }) }
        }),
        (0usize..4, any::<bool>()).prop_map(|(position, some)| Event::Custody {
            position,
            entry: some.then(|| CustodyEntry {
                at: "2024-01-01T00:00:00Z".to_owned(),
                who: "tool".to_owned(),
                action: "opened".to_owned(),
                detail: String::new(),
                hash_ok: Some(true),
            }),
        }),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        proptest::collection::vec(inner, 0..3).prop_map(|events| Event::Batch { events })
    })
}

proptest! {
    #[test]
    fn undo_after_do_is_before(events in proptest::collection::vec(any_event(), 0..24)) {
        let mut state = State::default();
        for event in events {
            let before = state.clone();
            let inverse = state.apply(event);
            let mut back = state.clone();
            back.apply(inverse);
            prop_assert_eq!(back, before);
        }
    }

    #[test]
    fn the_files_give_back_the_state(events in proptest::collection::vec(any_event(), 1..12), undos in 0usize..6) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let capture = folder.path().join("c.pcap");
        let mut case = Case::open(Place { capture: Some(capture.clone()), directory: None, live: None });
        for event in events {
            case.apply(event, 0);
        }
        for _ in 0..undos {
            case.undo(0);
        }
        case.redo(0);
        let expected = case.state().clone();
        let (replayed, notices) = Case::read_state(&Paths::beside(&capture)).expect("readable files");
        prop_assert_eq!(&replayed, &expected);
        prop_assert!(notices.is_empty());
        drop(case);
        let again = Case::open(Place { capture: Some(capture), directory: None, live: None });
        prop_assert_eq!(again.state(), &expected);
    }
}

fn place(folder: &Path) -> Place {
    Place { capture: Some(folder.join("c.pcap")), directory: Some(folder.join("cases")), live: None }
}

fn record(sha256: &str) -> Vec<EvidenceRecord> {
    vec![EvidenceRecord { name: "c.pcap".to_owned(), size: 1, sha256: sha256.to_owned() }]
}

#[test]
fn everything_is_undone_and_redone() {
    let mut case = Case::in_memory();
    case.apply(note(1, "a"), 0);
    case.apply(Event::Fill { field: "x".to_owned(), value: Some("y".to_owned()) }, 0);
    let after = case.state().clone();
    assert!(case.undo(0) && case.undo(0) && !case.undo(0));
    assert_eq!(case.state(), &State::default());
    assert!(case.redo(0) && case.redo(0) && !case.redo(0));
    assert_eq!(case.state(), &after);
}

#[test]
fn looking_at_a_capture_leaves_no_file_behind() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut case = Case::open(place(folder.path()));
    case.identify(record("aa"), 0);
    assert_eq!(case.saving(), Saving::Nothing);
    drop(case);
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
}

#[test]
fn a_changed_capture_is_said_loudly_and_the_record_stays() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut case = Case::open(place(folder.path()));
    case.identify(record("aaaa"), 0);
    case.apply(note(1, "n"), 0);
    drop(case);
    for _ in 0..2 {
        let mut case = Case::open(place(folder.path()));
        assert_eq!(case.state().annotations.len(), 1);
        case.identify(record("bbbb"), 0);
        assert!(case.notices().iter().any(|n| matches!(n, Notice::CaptureChanged { .. }) && n.is_loud()));
    }
    let mut case = Case::open(place(folder.path()));
    case.identify(record("bbbb"), 0);
    case.accept_changed_capture(record("bbbb"), 0);
    drop(case);
    let mut case = Case::open(place(folder.path()));
    case.identify(record("bbbb"), 0);
    assert!(case.notices().is_empty());
}

#[test]
fn a_second_process_reads_but_does_not_write() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut first = Case::open(place(folder.path()));
    first.apply(note(1, "first"), 0);
    let mut second = Case::open(place(folder.path()));
    assert!(second.notices().contains(&Notice::Locked));
    assert_eq!(second.state().annotations.len(), 1);
    second.apply(note(2, "second"), 0);
    assert_eq!(second.saving(), Saving::NotSaved);
    drop(second);
    drop(first);
    assert_eq!(Case::open(place(folder.path())).state().annotations.len(), 1);
}

#[test]
fn a_torn_journal_keeps_what_can_be_read() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut case = Case::open(place(folder.path()));
    case.apply(note(1, "a"), 0);
    case.apply(note(2, "b"), 0);
    case.apply(note(3, "c"), 0);
    let journal = folder.path().join("c.pcap.portmortem.journal");
    let text = std::fs::read_to_string(&journal).expect("a journal");
    std::mem::forget(case);
    let torn = folder.path().join("torn.pcap");
    std::fs::copy(
        folder.path().join("c.pcap.portmortem.json"),
        folder.path().join("torn.pcap.portmortem.json"),
    )
    .expect("copied");
    std::fs::write(folder.path().join("torn.pcap.portmortem.journal"), &text[..text.len() - 20])
        .expect("written");
    let case = Case::open(Place { capture: Some(torn.clone()), directory: None, live: None });
    assert_eq!(case.state().annotations.len(), 2);
    assert_eq!(case.notices(), [Notice::DamagedJournal { lines: 1 }]);
    drop(case);
    assert!(folder.path().join("torn.pcap.portmortem.journal.damaged").exists());
    assert!(Case::open(Place { capture: Some(torn), directory: None, live: None }).notices().is_empty());
}

#[test]
fn a_case_without_a_file_is_kept_by_hash_and_found_again() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let place = || Place { capture: None, directory: Some(folder.path().join("cases")), live: None };
    let mut case = Case::open(place());
    case.apply(note(1, "before the hash is known"), 0);
    assert_eq!(case.saving(), Saving::Waiting);
    case.identify(record("cafe"), 5);
    assert_eq!(case.saving(), Saving::Saved(5));
    drop(case);
    let mut case = Case::open(place());
    case.apply(note(1, "made while hashing"), 0);
    case.identify(record("cafe"), 6);
    let ids: Vec<u64> = case.state().annotations.iter().map(|a| a.id).collect();
    assert_eq!(ids, [1, 2]);
    assert!(case.undo(0));
    assert_eq!(case.state().annotations.len(), 1);
}

#[test]
fn a_renamed_capture_finds_its_case() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut case = Case::open(place(folder.path()));
    case.identify(record("feed"), 0);
    case.apply(note(1, "n"), 0);
    drop(case);
    let mut case =
        Case::open(Place { capture: Some(folder.path().join("renamed.pcap")), directory: None, live: None });
    case.identify(record("feed"), 0);
    assert_eq!(case.state().annotations.len(), 1);
    assert!(matches!(case.notices(), [Notice::FoundElsewhere { .. }]));
}

#[test]
fn a_case_of_another_version_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let snapshot = folder.path().join("c.pcap.portmortem.json");
    let text = r#"{"schema":"portmortem-case/99","sequence":1,"state":{}}"#;
    std::fs::write(&snapshot, text).expect("written");
    let mut case = Case::open(place(folder.path()));
    case.apply(note(1, "n"), 0);
    assert!(matches!(case.notices(), [Notice::ReadOnly { .. }]));
    drop(case);
    assert_eq!(std::fs::read_to_string(&snapshot).expect("still there"), text);
}

#[test]
fn a_hash_is_that_of_the_stored_file() {
    let none = std::sync::atomic::AtomicBool::new(false);
    let progress = std::sync::atomic::AtomicU64::new(0);
    let hash = hash_source(None, b"abc", &none, &progress).expect("no file is read");
    assert_eq!(hash.as_deref(), Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert_eq!(progress.into_inner(), 3);
}

#[test]
fn comments_of_a_capture_become_annotations_once() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("c.pcapng");
    let seed = std::path::Path::new("tests/captures/lab/00_seed_reenacted.pcap");
    let build = |path: &std::path::Path| {
        let (source, walk) = crate::capture::open(path).expect("a capture");
        let input = crate::index::Input { source, walk, offset_ns: 0 };
        crate::index::build(vec![input], 1, &crate::index::Progress::default(), |_| {})
    };
    let comment = |packet, text: &str| crate::export::pcapng::Commented {
        packet: crate::index::PacketId(packet),
        comments: vec![text.to_owned()],
    };
    let mut out = Vec::new();
    let packets = [comment(0, "first try\u{1b}[31m"), comment(1, "refused")];
    let index = build(seed);
    let written =
        crate::export::pcapng::capture(&index, &packets, "from the lab".to_owned()).expect("packets");
    crate::export::pcapng::encode(&written, &mut out).expect("written");
    std::fs::write(&path, out).expect("written");
    let index = build(&path);
    let mut case = Case::open(place(folder.path()));
    case.identify(record("aa"), 0);
    case.opened(&index, &record("aa"), 0);
    let notes: Vec<(u64, &str, &str)> = case
        .state()
        .annotations
        .iter()
        .map(|note| (note.frames.first().map_or(0, |at| at.frame), note.note.as_str(), note.tag.as_str()))
        .collect();
    let tag = comments::TAG;
    assert_eq!(notes, [(1, "from the lab", tag), (1, "first try\\x1b[31m", tag), (2, "refused", tag)]);
    assert!(
        case.state()
            .custody
            .iter()
            .any(|entry| entry.action == "opened and hashed" && entry.hash_ok == Some(true))
    );
    // What the analyst removed stays away when the capture is opened again.
    case.apply(Event::RemoveAnnotation { id: 2 }, 0);
    case.opened(&index, &record("aa"), 0);
    assert_eq!(case.state().annotations.len(), 2);
}

#[test]
fn a_note_made_before_the_hash_is_known_joins_the_case_found_by_it() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut case = Case::open(place(folder.path()));
    case.identify(record("feed"), 0);
    case.apply(note(1, "yesterday"), 0);
    drop(case);
    let renamed = || Place { capture: Some(folder.path().join("renamed.pcap")), directory: None, live: None };
    let mut case = Case::open(renamed());
    case.apply(note(1, "made while hashing"), 0);
    case.apply(note(2, "and another"), 0);
    // A crash before the hash is known would lose nothing.
    assert!(folder.path().join("renamed.pcap.portmortem.journal").exists());
    case.identify(record("feed"), 0);
    let notes: Vec<&str> = case.state().annotations.iter().map(|note| note.note.as_str()).collect();
    assert_eq!(notes, ["yesterday", "made while hashing", "and another"]);
    assert!(case.undo(0) && case.undo(0) && !case.undo(0));
    assert!(case.redo(0));
    drop(case);
    let mut files: Vec<String> = std::fs::read_dir(folder.path())
        .expect("readable")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["c.pcap.portmortem.journal", "c.pcap.portmortem.json"], "one case, not two");
    let mut case = Case::open(renamed());
    case.identify(record("feed"), 0);
    assert_eq!(case.state().annotations.len(), 2);
}

#[test]
fn a_known_case_that_is_in_use_leaves_early_notes_where_they_are_saved() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut first = Case::open(place(folder.path()));
    first.identify(record("feed"), 0);
    first.apply(note(1, "mine"), 0);
    first.fold();
    let renamed = || Place { capture: Some(folder.path().join("renamed.pcap")), directory: None, live: None };
    let mut second = Case::open(renamed());
    second.apply(note(1, "theirs"), 0);
    second.identify(record("feed"), 7);
    assert!(second.notices().contains(&Notice::Locked));
    assert_eq!(second.saving(), Saving::Saved(7));
    drop((first, second));
    assert_eq!(
        Case::open(renamed()).state().annotations.first().map(|note| note.note.as_str()),
        Some("theirs")
    );
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_a_case() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a temporary directory");
    let names = ["c.pcap.portmortem.json", "c.pcap.portmortem.journal"].map(|name| folder.path().join(name));
    let mode = |path: &PathBuf| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    for _ in 0..2 {
        let mut case = Case::open(place(folder.path()));
        case.apply(note(1, "a"), 0);
        case.fold();
        assert_eq!(names.each_ref().map(mode), [0o600, 0o600]);
        drop(case);
        // One that was readable before becomes private again.
        std::fs::set_permissions(&names[1], std::fs::Permissions::from_mode(0o644)).expect("set");
    }
}

/// A folder as somebody else made it, with the user's own file beside it; and whether that file is as it was.
fn trap(put: impl Fn(&Path, &Path)) -> (tempfile::TempDir, Place, impl Fn() -> bool) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let (theirs, victim) = (home.path().join("theirs"), home.path().join("victim"));
    std::fs::create_dir(&theirs).expect("a folder");
    std::fs::write(&victim, "mine").expect("written");
    put(&theirs, &victim);
    let place = Place { capture: Some(theirs.join("c.pcap")), directory: None, live: None };
    let is_kept = move || std::fs::read_to_string(&victim).is_ok_and(|text| text == "mine");
    (home, place, is_kept)
}

#[test]
fn what_stands_in_the_places_of_a_case_is_never_followed() {
    use std::os::unix::fs::symlink;
    type Put<'p> = &'p dyn Fn(&Path, &Path);
    let line = r#"{"n":1,"at":"x","event":{"do":"fill","field":"f","value":"theirs"}}"#;
    let places: [(&str, Put<'_>); 8] = [
        ("a linked journal", &|theirs, victim| {
            symlink(victim, theirs.join("c.pcap.portmortem.journal")).expect("a link");
        }),
        ("a linked snapshot", &|theirs, victim| {
            symlink(victim, theirs.join("c.pcap.portmortem.json")).expect("a link");
        }),
        ("a journal that leads nowhere", &|theirs, victim| {
            let nowhere = victim.with_file_name("nowhere");
            symlink(nowhere, theirs.join("c.pcap.portmortem.journal")).expect("a link");
        }),
        ("a second name", &|theirs, victim| {
            std::fs::hard_link(victim, theirs.join("c.pcap.portmortem.journal")).expect("a name");
        }),
        ("a pipe", &|theirs, _| {
            let path = theirs.join("c.pcap.portmortem.journal");
            rustix::fs::mkfifoat(rustix::fs::CWD, path, 0o600.into()).expect("a pipe");
        }),
        ("a device", &|theirs, _| {
            symlink("/dev/full", theirs.join("c.pcap.portmortem.journal")).expect("a link");
        }),
        ("a folder", &|theirs, _| {
            std::fs::create_dir(theirs.join("c.pcap.portmortem.json")).expect("a folder");
        }),
        ("a linked copy", &|theirs, victim| {
            let journal = theirs.join("c.pcap.portmortem.journal");
            std::fs::write(&journal, format!("{line}\nnot a line\n")).expect("written");
            for number in ["", ".2"] {
                let aside = format!("c.pcap.portmortem.journal.damaged{number}");
                symlink(victim, theirs.join(aside)).expect("a link");
            }
        }),
    ];
    for (what, put) in places {
        let (home, place, is_kept) = trap(put);
        let mut case = Case::open(place);
        case.apply(note(1, "mine"), 0);
        case.fold();
        let saved = matches!(case.saving(), Saving::Saved(_));
        assert!(saved || (case.saving() == Saving::NotSaved && !case.notices().is_empty()), "{what}");
        drop(case);
        assert!(is_kept(), "{what}");
        let names: Vec<_> = std::fs::read_dir(home.path()).expect("readable").flatten().collect();
        assert_eq!(names.len(), 2, "{what}");
        assert_eq!(saved, what == "a linked copy", "{what}");
        let third = home.path().join("theirs/c.pcap.portmortem.journal.damaged.3");
        assert_eq!(third.exists(), saved, "the damaged journal is kept under a free name");
    }
}

#[test]
fn a_torn_line_is_closed_before_the_next() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut case = Case::open(place(folder.path()));
    case.apply(note(1, "a"), 0);
    std::mem::forget(case);
    let journal = folder.path().join("c.pcap.portmortem.journal");
    std::fs::write(&journal, r#"{"n":2,"at":"x","ev"#).expect("written");
    let again = folder.path().join("again");
    std::fs::create_dir(&again).expect("a folder");
    for name in ["c.pcap.portmortem.json", "c.pcap.portmortem.journal"] {
        std::fs::copy(folder.path().join(name), again.join(name)).expect("copied");
    }
    let mut case = Case::open(place(&again));
    case.apply(note(2, "b"), 0);
    std::mem::forget(case);
    let (state, _) = Case::read_state(&Paths::beside(&again.join("c.pcap"))).expect("readable");
    let notes: Vec<&str> = state.annotations.iter().map(|note| note.note.as_str()).collect();
    assert_eq!(notes, ["a", "b"]);
}

#[test]
fn numbers_that_leave_none_for_what_comes_later_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let max = u64::MAX;
    let line = format!(r#"{{"n":{max},"at":"x","event":{{"do":"fill","field":"f","value":"theirs"}}}}"#);
    std::fs::write(folder.path().join("c.pcap.portmortem.journal"), line).expect("written");
    let mut case = Case::open(place(folder.path()));
    case.apply(note(max, "mine"), 0);
    std::mem::forget(case);
    let (state, _) = Case::read_state(&Paths::beside(&folder.path().join("c.pcap"))).expect("readable");
    assert_eq!(state.annotations.len(), 1);
    assert_eq!(state.next_id(), max);
}

#[test]
fn what_a_newer_version_wrote_survives() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut case = Case::open(place(folder.path()));
    case.apply(note(1, "a"), 0);
    case.apply(note(2, "b"), 0);
    drop(case);
    let path = folder.path().join("c.pcap.portmortem.json");
    let text = std::fs::read_to_string(&path).expect("readable");
    let mut whole: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    whole["schema"] = "portmortem-case/1.4".into();
    whole["later"] = 1.into();
    whole["state"]["board"] = serde_json::json!({ "columns": [1, 2] });
    whole["state"]["annotations"][1]["colour"] = "red".into();
    std::fs::write(&path, whole.to_string()).expect("written");
    let line = r#"{"n":3,"at":"x","event":{"do":"annotate","annotation":{"id":3,"frames":[],"note":"c","tag":"t","severity":null,"colour":"blue"}}}"#;
    std::fs::write(folder.path().join("c.pcap.portmortem.journal"), format!("{line}\n")).expect("written");
    let mut case = Case::open(place(folder.path()));
    assert!(case.notices().is_empty());
    case.apply(Event::RemoveAnnotation { id: 1 }, 0);
    case.apply(note(2, "changed"), 0);
    drop(case);
    let text = std::fs::read_to_string(&path).expect("readable");
    let after: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&after["schema"], &after["later"]), (&whole["schema"], &whole["later"]));
    assert_eq!(after["state"]["board"], whole["state"]["board"]);
    let colours: Vec<_> = (0..2).map(|at| after["state"]["annotations"][at]["colour"].as_str()).collect();
    assert_eq!(colours, [Some("red"), Some("blue")]);
}

#[test]
fn what_could_not_be_saved_is_saved_when_it_can() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    // A file stands where the directory of cases belongs.
    let cases = folder.path().join("cases");
    std::fs::write(&cases, "in the way").expect("written");
    let mut case = Case::open(Place { capture: None, directory: Some(cases.clone()), live: None });
    case.identify(record("cafe"), 0);
    case.apply(note(1, "a"), 0);
    assert_eq!(case.saving(), Saving::NotSaved);
    assert!(matches!(case.notices(), [Notice::ReadOnly { .. }]));
    let elsewhere = folder.path().join("elsewhere.portmortem.json");
    case.save_as(&elsewhere).expect("written");
    assert!(case.save_as(&elsewhere).is_err(), "nothing is written over");
    let (state, _) = Case::read_state(&Paths::of_case(&elsewhere)).expect("readable");
    assert_eq!(state.annotations.len(), 1);
    assert!(!case.retry(1));
    case.apply(note(2, "b"), 0);
    std::fs::remove_file(&cases).expect("removed");
    assert!(case.retry(7));
    assert_eq!((case.saving(), case.notices()), (Saving::Saved(7), &[Notice::Saved][..]));
    std::mem::forget(case);
    let (state, _) = Case::read_state(&Paths::by_hash(&cases, "cafe")).expect("readable");
    assert_eq!(state.annotations.len(), 2);
}

#[test]
fn a_case_another_process_had_is_joined_when_it_is_free() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut first = Case::open(place(folder.path()));
    first.apply(note(1, "old"), 0);
    let mut second = Case::open(place(folder.path()));
    first.apply(note(2, "first's"), 0);
    second.apply(note(1, "old, changed"), 0);
    second.apply(note(2, "second's"), 0);
    assert!(!second.retry(1));
    drop(first);
    assert!(second.retry(2));
    assert_eq!(second.saving(), Saving::Saved(2));
    let notes: Vec<&str> = second.state().annotations.iter().map(|note| note.note.as_str()).collect();
    assert_eq!(notes, ["old, changed", "first's", "second's"]);
}

#[test]
fn notes_on_a_live_capture_are_on_disk_at_once_and_found_by_its_hash_later() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let live = folder.path().join("live/live-1.capture");
    let place =
        || Place { capture: None, directory: Some(folder.path().join("cases")), live: Some(live.clone()) };
    let mut case = Case::open(place());
    case.apply(note(1, "while it comes"), 3);
    assert_eq!(case.saving(), Saving::Saved(3));
    let (state, _) = Case::read_state(&Paths::beside(&live)).expect("readable");
    assert_eq!(state.annotations.len(), 1);
    assert!(case.wants_hash());
    case.identify(record("cafe"), 5);
    assert!(!case.wants_hash() && !Paths::beside(&live).exist());
    drop(case);
    let (state, _) =
        Case::read_state(&Paths::by_hash(&folder.path().join("cases"), "cafe")).expect("readable");
    assert_eq!(state.annotations.len(), 1);
}

#[test]
fn drafts_are_kept_and_are_not_for_others() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut case = Case::open(place(folder.path()));
    let draft = |text: Option<&str>| Event::KeepDraft { key: "k".to_owned(), text: text.map(str::to_owned) };
    case.apply(draft(Some("half a sen")), 0);
    std::mem::forget(case);
    let (state, _) = Case::read_state(&Paths::beside(&folder.path().join("c.pcap"))).expect("readable");
    assert_eq!(state.drafts.get("k").map(String::as_str), Some("half a sen"));
    assert!(state.is_made() && state.for_others() == State::default());
    let mut case = Case::in_memory();
    case.apply(draft(Some("x")), 0);
    case.apply(draft(None), 0);
    assert!(!case.undo(0) && case.state() == &State::default());
}
