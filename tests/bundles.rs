//! Bundles hold what they say, are checked against their captures, and redacted ones give nothing away.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use portmortem::cli::load::Open;
use portmortem::cli::report::{Form, Made};
use portmortem::decode::{Address, dns};
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
    // One claim changed, with the hash in the manifest made to fit: only making it again shows that.
    let report = place.join("report.json");
    let before = fs::read_to_string(&report).expect("a report");
    let after = before.replace("port unreachable", "port reachable");
    fs::write(&report, &after).expect("written");
    let manifest = place.join("manifest.json");
    let listed = fs::read_to_string(&manifest).expect("a manifest");
    let hash = |text: &str| portmortem::case::hash::hash_bytes(text.as_bytes());
    let sizes = |text: &str| format!("\"size\": {}", text.len());
    let forged = listed.replace(&hash(&before), &hash(&after)).replace(&sizes(&before), &sizes(&after));
    fs::write(&manifest, forged).expect("written");
    let said = verify();
    let lines = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(code(&said), 1, "{lines}");
    assert!(
        lines.contains("ok       report.json: hash") && lines.contains("differs") && lines.contains(": text")
    );
    // And a packet changed in place.
    fs::write(&report, &before).expect("written");
    fs::write(&manifest, &listed).expect("written");
    assert_eq!(code(&verify()), 0);
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
        archive.by_index(at).expect("a part").read_to_string(&mut text).expect("XML");
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
        };
        let mut form = Form::of(&own, false);
        form.redact = true;
        let formed = form.fill(&made, None).expect("a report");
        let job = formed.job();
        check(template.name, &job.rendered.markdown.replace('\\', ""));
        assert!(job.rendered.markdown.contains("consistent pseudonyms"), "{}", template.name);
        assert!(template.name != "ticket" || job.rendered.markdown.chars().count() <= 900);
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
            (export.write)(&job, &mut out).expect("an export");
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
                check(file, &String::from_utf8_lossy(content));
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
