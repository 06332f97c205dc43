//! Bundles hold what they say, are checked against their captures, and redacted ones give nothing away.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use portmortem::cli::load::Open;
use portmortem::cli::report::{Form, Made};
use portmortem::decode::{Address, dns};
use portmortem::export::cleared::Sink;
use portmortem::export::{self, bundle};
use portmortem::index::Index;
use portmortem::report::render::TEMPLATES;

const SEED: &str = "tests/captures/lab/00_seed_reenacted.pcap";
const TRANSCRIPT: &str = "tests/captures/lab/00_seed_canonical.txt";

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portmortem"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("the program was not killed")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A folder with a copy of a capture in it.
fn with_copy(of: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join(Path::new(of).file_name().expect("a file name"));
    fs::copy(of, &copy).expect("a copy");
    (folder, copy)
}

#[test]
fn a_bundle_is_verified_with_and_without_its_capture() {
    for (capture, cited) in [(SEED, bundle::PACKETS), (TRANSCRIPT, bundle::LINES)] {
        for name in ["bundle", "bundle.zip"] {
            let (folder, copy) = with_copy(capture);
            let place = folder.path().join(name);
            let made = run(folder.path(), &["export", "--bundle", text(&place), text(&copy)]);
            assert_eq!(code(&made), 0, "{made:?}");
            let contents = bundle::files::read(&place).expect("a bundle");
            let wanted = [
                "report.md",
                "report.html",
                "report.json",
                cited,
                "frames.csv",
                "case.json",
                "manifest.json",
            ];
            for wanted in wanted {
                assert!(contents.contains_key(wanted), "{wanted} of {capture}");
            }
            let checked = run(folder.path(), &["verify", text(&place)]);
            let said = String::from_utf8_lossy(&checked.stdout);
            assert!(code(&checked) == 0 && said.contains("claims made again"), "{said}");
            fs::remove_file(&copy).expect("removed");
            let alone = run(folder.path(), &["verify", text(&place)]);
            let said = String::from_utf8_lossy(&alone.stdout);
            assert!(code(&alone) == 0 && said.contains("nothing is made again"), "{said}");
        }
    }
}

#[test]
fn a_bundle_of_several_captures_keeps_packets_and_lines_apart() {
    let (folder, copy) = with_copy(SEED);
    let other = folder.path().join("pasted.txt");
    fs::copy(TRANSCRIPT, &other).expect("a copy");
    let place = folder.path().join("both");
    let made = run(
        folder.path(),
        &["export", "--bundle", text(&place), "--offset", "A=+1.5s", text(&copy), text(&other)],
    );
    assert_eq!(code(&made), 0, "{made:?}");
    let map = fs::read_to_string(place.join("frames.csv")).expect("a frame map");
    assert!(map.contains("A:F1,A,") && map.contains("B:L1,B,"), "{map}");
    let checked = run(folder.path(), &["verify", text(&place), text(&other), text(&copy)]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(code(&checked) == 0 && said.contains("claims made again"), "{said}");
}

#[test]
fn what_was_changed_in_a_bundle_is_found() {
    let (folder, copy) = with_copy(SEED);
    let place = folder.path().join("bundle");
    let verify = || run(folder.path(), &["verify", text(&place)]);
    assert_eq!(code(&run(folder.path(), &["export", "--bundle", text(&place), text(&copy)])), 0);
    // What was changed with all hashes made to fit shows only when it is made again from the capture.
    let manifest = place.join("manifest.json");
    let listed = fs::read_to_string(&manifest).expect("a manifest");
    let forgeries = [
        ("report.json", "port unreachable", "port reachable", "claims made again"),
        ("report.json", "\"severity\": \"high\"", "\"severity\": \"low\"", "findings made again"),
        ("report.md", "refuses", "serves", "report.md written again"),
        ("report.html", "refuses", "serves", "report.html written again"),
        ("frames.csv", "F1,A,", "F9,A,", "frames.csv written again"),
    ];
    for (name, said, forged, differs) in forgeries {
        let file = place.join(name);
        let before = fs::read_to_string(&file).expect("a text");
        assert!(before.contains(said), "{said} in {name}");
        fs::write(&file, before.replace(said, forged)).expect("written");
        seal(&place);
        let output = verify();
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(code(&output), 1, "{lines}");
        let differing = |line: &str| line.starts_with("differs") && line.contains(differs);
        assert!(lines.contains(&format!("ok       {name}: hash")), "{lines}");
        assert!(lines.lines().any(differing), "{differs}: {lines}");
        fs::write(&file, &before).expect("written");
        fs::write(&manifest, &listed).expect("written");
    }
    assert_eq!(code(&verify()), 0);
    // And a packet changed in place.
    let packets = place.join("cited.pcapng");
    let mut bytes = fs::read(&packets).expect("packets");
    let at = bytes.windows(4).rposition(|window| window == [203, 0, 113, 2]).expect("an address");
    *bytes.get_mut(at).expect("a byte") ^= 1;
    fs::write(&packets, bytes).expect("written");
    let lines = String::from_utf8_lossy(&verify().stdout).into_owned();
    assert!(
        lines.contains("differs  cited.pcapng: hash") && lines.contains("other bytes than frames.csv"),
        "{lines}"
    );
}

/// Makes the manifest of a bundle fit its files again, as a forger would.
fn seal(place: &Path) {
    let contents = bundle::files::read(place).expect("a bundle");
    let mut manifest = bundle::files::manifest(&contents).expect("a manifest");
    for record in &mut manifest.files {
        let content = contents.get(&record.name).expect("a file");
        record.size = content.len() as u64;
        record.sha256 = portmortem::case::hash::hash_bytes(content);
    }
    let (_, text) = bundle::sealed(manifest).expect("a manifest");
    fs::write(place.join(bundle::MANIFEST), text).expect("written");
}

#[test]
fn a_changed_byte_in_any_file_of_a_bundle_is_named() {
    let (folder, copy) = with_copy(SEED);
    let place = folder.path().join("bundle");
    assert_eq!(code(&run(folder.path(), &["export", "--bundle", text(&place), text(&copy)])), 0);
    fs::remove_file(&copy).expect("removed");
    let contents = bundle::files::read(&place).expect("a bundle");
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let names_it = |output: &Output, name: &str| {
        assert_eq!(code(output), 1, "{name}: {output:?}");
        let lines = said(output);
        let named = lines.lines().any(|line| line.starts_with("differs") && line.contains(name));
        assert!(named, "{name}: {lines}");
    };
    let verify = || run(folder.path(), &["verify", text(&place)]);
    assert_eq!(code(&verify()), 0);
    for (name, content) in &contents {
        let file = place.join(name);
        // Every bit of every byte would take long: some from everywhere.
        for at in [0, content.len() / 3, content.len() / 2, content.len() - 1] {
            let mut changed = content.clone();
            *changed.get_mut(at).expect("a byte") ^= 1;
            fs::write(&file, changed).expect("written");
            names_it(&verify(), name);
        }
        fs::remove_file(&file).expect("removed");
        names_it(&verify(), name);
        fs::write(&file, content).expect("written");
    }
    assert_eq!(code(&verify()), 0);
    for extra in ["note.txt", "folder"] {
        let file = place.join(extra);
        if extra == "folder" { fs::create_dir(&file) } else { fs::write(&file, "hello") }.expect("made");
        names_it(&verify(), extra);
        if extra == "folder" { fs::remove_dir(&file) } else { fs::remove_file(&file) }.expect("removed");
    }
    // What never was a bundle is an error and no difference.
    let other = folder.path().join("other");
    fs::create_dir(&other).expect("a folder");
    fs::write(other.join("hello.txt"), "hello").expect("a file");
    assert_eq!(code(&run(folder.path(), &["verify", text(&other)])), 2);
}

#[test]
fn a_spoilt_case_beside_its_capture_differs() {
    let (folder, copy) = with_copy(TRANSCRIPT);
    let place = folder.path().join("bundle");
    assert_eq!(code(&run(folder.path(), &["export", "--bundle", text(&place), text(&copy)])), 0);
    fs::write(place.join(bundle::CASE), "{ no case").expect("written");
    let output = run(folder.path(), &["verify", text(&place), text(&copy)]);
    assert_eq!(code(&output), 1, "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("case.json: cannot be read"), "{said}");
}

#[test]
fn no_byte_of_a_manifest_changes_unnoticed() {
    let (folder, copy) = with_copy(TRANSCRIPT);
    let place = folder.path().join("bundle");
    assert_eq!(code(&run(folder.path(), &["export", "--bundle", text(&place), text(&copy)])), 0);
    let mut contents = bundle::files::read(&place).expect("a bundle");
    assert_eq!(bundle::check::own_hash(&contents).differs, None);
    let manifest = contents.get(bundle::MANIFEST).expect("a manifest").clone();
    for at in 0..manifest.len() {
        for bit in [0, 5] {
            let mut changed = manifest.clone();
            *changed.get_mut(at).expect("a byte") ^= 1 << bit;
            contents.insert(bundle::MANIFEST.to_owned(), changed);
            assert!(bundle::check::own_hash(&contents).differs.is_some(), "byte {at}, bit {bit}");
        }
    }
}

#[cfg(feature = "docx")]
#[test]
fn a_damaged_or_doubled_entry_of_an_archive_is_named() {
    use std::io::Write as _;
    let (folder, copy) = with_copy(SEED);
    let place = folder.path().join("bundle.zip");
    assert_eq!(code(&run(folder.path(), &["export", "--bundle", text(&place), text(&copy)])), 0);
    fs::remove_file(&copy).expect("removed");
    let whole = fs::read(&place).expect("an archive");
    let check = |named: &str| {
        let output = run(folder.path(), &["verify", text(&place)]);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(code(&output), 1, "{output:?}");
        assert!(lines.lines().any(|line| line.starts_with("differs") && line.contains(named)), "{lines}");
    };
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&whole)).expect("an archive");
    let places: Vec<(String, u64, u64)> = (0..archive.len())
        .map(|at| {
            let file = archive.by_index(at).expect("an entry");
            (
                file.name().expect("a name").into_owned(),
                file.data_start().expect("a place"),
                file.compressed_size(),
            )
        })
        .collect();
    for (name, start, size) in &places {
        let mut changed = whole.clone();
        *changed.get_mut((start + size / 2) as usize).expect("a byte") ^= 4;
        fs::write(&place, changed).expect("written");
        check(name);
    }
    // A second entry of the same name would be what another program unpacks.
    let mut writer = zip::ZipWriter::new_append(std::io::Cursor::new(whole.clone())).expect("an archive");
    let options = zip::write::SimpleFileOptions::default();
    writer.start_file("folder/report.md", options).expect("an entry");
    writer.write_all(b"other").expect("written");
    let changed = writer.finish().expect("an archive").into_inner();
    fs::write(&place, changed).expect("written");
    check("folder/report.md");
}

#[test]
fn a_bundle_is_never_written_over_anything_else() {
    let (folder, copy) = with_copy(SEED);
    let before = fs::read(&copy).expect("a capture");
    let other = folder.path().join("notes");
    fs::create_dir(&other).expect("a folder");
    fs::write(other.join("important.txt"), "keep").expect("a file");
    for target in [copy.as_path(), other.as_path()] {
        let refused = run(folder.path(), &["export", "--force", "--bundle", text(target), text(&copy)]);
        assert_eq!(code(&refused), 2, "{}", target.display());
    }
    assert_eq!(fs::read(&copy).expect("a capture"), before);
    assert_eq!(fs::read_to_string(other.join("important.txt")).expect("the file"), "keep");
    let place = folder.path().join("b.zip");
    let arguments = ["export", "--bundle", text(&place), text(&copy)];
    assert_eq!(code(&run(folder.path(), &arguments)), 0);
    assert_eq!(code(&run(folder.path(), &arguments)), 2, "not without --force");
    assert_eq!(code(&run(folder.path(), &[&arguments[..], &["--force"]].concat())), 0);
}

/// Every address and name of an index as people write them, and as packets carry them.
struct Secrets {
    text: BTreeSet<String>,
    bytes: BTreeSet<Vec<u8>>,
}

/// Labels that name a role or a public zone, of which names may consist entirely.
const PUBLIC: [&str; 12] =
    ["www", "mail", "com", "net", "org", "arpa", "in-addr", "ip6", "local", "_tcp", "_udp", "_dns"];

fn secrets(index: &Index) -> Secrets {
    let mut found = Secrets { text: BTreeSet::new(), bytes: BTreeSet::new() };
    for segment in index.segments() {
        for address in &segment.addresses {
            let bytes = match address {
                Address::V4(ip) if !(ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified()) => {
                    ip.octets().to_vec()
                }
                Address::V6(ip) if !(ip.is_multicast() || ip.is_unspecified()) => ip.octets().to_vec(),
                Address::Ether(ether)
                    if ether.iter().any(|byte| *byte != 0) && ether.first().is_some_and(|b| b & 1 == 0) =>
                {
                    ether.to_vec()
                }
                _ => continue,
            };
            found.text.insert(address.to_string());
            found.bytes.insert(bytes);
        }
        for name in (0..segment.names.len() as u32).filter_map(|at| segment.names.get(at)) {
            let text = dns::presentation(name).trim_end_matches('.').to_ascii_lowercase();
            if text.split('.').all(|label| label.len() < 2 || PUBLIC.contains(&label)) {
                continue;
            }
            found.text.insert(text);
            found.bytes.insert(name.to_vec());
        }
    }
    found
}

/// Every word of a text, and every run of neighbouring parts of words joined by dots or colons.
fn words(text: &str) -> HashSet<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '\\');
    let mut found = HashSet::new();
    for word in text.split(|c| !part(c)).map(|word| word.trim_matches(['.', ':'])) {
        if word.is_empty() || !found.insert(word.to_owned()) {
            continue;
        }
        for joint in ['.', ':'] {
            let parts: Vec<&str> = word.split(joint).collect();
            for from in 0..parts.len() {
                for run in parts
                    .get(from..)
                    .into_iter()
                    .flat_map(|rest| (1..=rest.len()).filter_map(|to| rest.get(..to)))
                {
                    found.insert(run.join(&joint.to_string()));
                }
            }
        }
    }
    found
}

#[cfg(feature = "docx")]
fn unpacked(bytes: &[u8]) -> String {
    use std::io::Read as _;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("a DOCX");
    let mut text = String::new();
    for at in 0..archive.len() {
        let mut part = Vec::new();
        archive.by_index(at).expect("a part").read_to_end(&mut part).expect("readable");
        text.push_str(&String::from_utf8_lossy(&part));
    }
    text
}

fn redacted_gives_nothing_away(open: &Open) {
    let made = Made::from(open, false).expect("a readable capture");
    let secrets = secrets(made.input().index);
    assert!(!secrets.text.is_empty());
    let name = made.input().index.sources.first().expect("a source").name.clone();
    let check = |what: &str, text: &str| {
        let text = text.to_lowercase();
        let words = words(&text);
        let held = secrets.text.iter().find(|secret| words.contains(secret.as_str()));
        assert_eq!(held, None, "{what} of {name}");
        assert!(!text.contains(&name), "{what} holds the file name {name}");
    };
    for template in TEMPLATES {
        let own = bundle::Template {
            name: template.name.to_owned(),
            sha256: String::new(),
            corrected_headings: false,
            prose: false,
            long: false,
            paths: false,
        };
        let mut form = Form::of(&own, false);
        form.redact = true;
        let formed = form.fill(&made, None).expect("a report");
        let job = formed.job();
        check(template.name, &job.rendered.get().markdown.replace('\\', ""));
        assert!(job.rendered.get().markdown.contains("consistent pseudonyms"), "{}", template.name);
        assert!(template.name != "ticket" || job.rendered.get().markdown.chars().count() <= 900);
        if template.name != "full" {
            continue;
        }
        let transcript = made.input().index.sources.iter().any(|source| {
            source
                .metadata
                .interfaces
                .iter()
                .any(|i| i.link_type == portmortem::capture::LinkType::TRANSCRIPT)
        });
        // The PDF is drawn from the same blocks as the HTML.
        let left_out = |name: &str| name == "pdf" || (transcript && name == "pcapng");
        for export in export::EXPORTS.iter().filter(|export| !left_out(export.name)) {
            let mut out = Vec::new();
            (export.write)(&job, &mut Sink::new(&mut out)).expect("an export");
            match export.name {
                #[cfg(feature = "docx")]
                "docx" => check("docx", &unpacked(&out)),
                "pcapng" => {
                    for secret in secrets.bytes.iter().filter(|secret| secret.len() > 4) {
                        assert!(memchr::memmem::find(&out, secret).is_none(), "{secret:?} in packets");
                    }
                }
                other => check(other, &String::from_utf8_lossy(&out)),
            }
        }
        let made = bundle::make(&job, ("full", ""), &[]).expect("a bundle");
        for (file, content) in &made.files {
            if [".md", ".json", ".csv", ".txt"].iter().any(|ending| file.ends_with(ending)) {
                check(file, &String::from_utf8_lossy(content.get()));
            }
        }
    }
}

#[test]
fn redacted_reports_give_away_no_address_and_no_name() {
    let mut paths: Vec<PathBuf> = vec![SEED.into(), TRANSCRIPT.into()];
    let mut incidents: Vec<PathBuf> = fs::read_dir("tests/captures/incidents")
        .expect("captures")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "pcap" || ending == "pcapng"))
        .collect();
    incidents.sort();
    paths.extend(incidents.into_iter().step_by(5));
    for path in paths {
        redacted_gives_nothing_away(&Open { files: vec![path], ..Open::default() });
    }
}

#[test]
fn a_redacted_office_gives_nothing_away() {
    redacted_gives_nothing_away(&Open { sample: Some("office".to_owned()), ..Open::default() });
}

#[test]
fn a_redacted_bundle_is_checked_in_itself() {
    let (folder, copy) = with_copy(SEED);
    let place = folder.path().join("bundle.zip");
    let made = run(folder.path(), &["export", "--redact", "--bundle", text(&place), text(&copy)]);
    assert_eq!(code(&made), 0, "{made:?}");
    let checked = run(folder.path(), &["verify", text(&place)]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(code(&checked) == 0 && said.contains("redacted: nothing is made again"), "{said}");
}
