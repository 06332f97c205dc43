//! Keeps the house in order: layers, printing, clocks, file heads and sizes, and the generated parts of documents.

#![expect(clippy::expect_used, reason = "a test that meets the unexpected should stop there")]

use std::fs;
use std::path::{Path, PathBuf};

/// The longest file, in lines before its tests.
const LINES_MAX: usize = 700;

/// Files allowed to be longer, with the reason.
const LONG_FILES: &[(&str, &str)] =
    &[("filter/fields.rs", "one table: a row for each field of the filter language")];

/// Files left of `tui` that may read a clock, with the reason.
const CLOCK_READERS: &[(&str, &str)] = &[(
    "capture/map/reserved.rs",
    "which kind of memory is quicker shows only by trying; what is read does not depend on it",
)];

/// Where the number 53 may stand, with the reason: everywhere else the settings say which ports carry DNS.
const DNS_PORT_FILES: &[(&str, &str)] = &[
    ("settings.rs", "says which ports carry DNS"),
    ("protocols.rs", "the table of ports"),
    ("protocols/", "the table of ports"),
    ("generate/", "makes packets"),
    ("decode/transcript/services.rs", "names of services as tcpdump prints them"),
    ("filter/fields/values.rs", "names of services as filters write them"),
    ("decode/dns/names.rs", "a record type"),
    ("attempts/lease.rs", "an option of DHCP"),
    ("findings/hypotheses/matrix/", "weights"),
];

/// One source file of the library or binary.
struct SourceFile {
    /// Path below `src`, with `/`.
    name: String,
    /// Everything before the unit tests.
    code: String,
}

impl SourceFile {
    /// The top module the file belongs to.
    fn module(&self) -> &str {
        self.name.split(['/', '.']).next().unwrap_or_default()
    }

    /// Lines that are not comments, with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.code.lines().enumerate().map(|(number, line)| (number + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
}

fn sources() -> Vec<SourceFile> {
    let folder = root().join("src");
    let mut paths = Vec::new();
    files_below(&folder, ".rs", &mut paths);
    assert!(paths.len() > 20, "the sources were found");
    let is_tests = |name: &str| name.ends_with("/tests.rs") || name.contains("/tests/");
    paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&folder).expect("below src").to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(path).expect("sources are UTF-8");
            let code = if is_tests(&name) { String::new() } else { before_tests(&text) };
            SourceFile { name, code }
        })
        .collect()
}

fn before_tests(text: &str) -> String {
    // `#[cfg(test)] mod tests;` in the middle of a file hides only that line.
    let cut = text.match_indices("#[cfg(test)]").find(|(at, _)| {
        let rest = text[at + "#[cfg(test)]".len()..].trim_start();
        rest.starts_with("mod ")
            && rest.find('{').is_some_and(|brace| brace < rest.find(';').unwrap_or(usize::MAX))
    });
    text[..cut.map_or(text.len(), |(at, _)| at)].to_owned()
}

/// The top modules in the order of `lib.rs`.
fn layers() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs is there");
    let layers: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    assert!(layers.len() > 10 && layers.last().is_some_and(|last| last == "cli"), "{layers:?}");
    layers
}

/// Names of top modules a line uses as `crate::x` or inside `crate::{x, y::z}`.
fn used_modules(line: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            let mut first = true;
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        used.push(std::mem::take(&mut word));
                        first = true;
                    }
                    ':' => first = false,
                    ' ' => {}
                    other if depth == 0 && first => word.push(other),
                    _ => {}
                }
            }
            used.push(word);
        } else {
            used.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    used
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn used_modules_are_read_from_paths_and_groups() {
    assert_eq!(used_modules("use crate::decode::{Address, dns};"), ["decode"]);
    assert_eq!(used_modules("use crate::{time, index::{Index, PacketId}};"), ["time", "index"]);
    assert!(used_modules("use std::fmt;").is_empty());
}

#[test]
fn a_module_uses_only_modules_to_its_left() {
    let layers = layers();
    let rank = |name: &str| layers.iter().position(|layer| layer == name);
    let mut problems = Vec::new();
    for file in sources() {
        let Some(own) = rank(file.module()) else { continue };
        for (number, line) in file.lines() {
            for used in used_modules(line) {
                if rank(&used).is_some_and(|other| other > own) {
                    problems.push(format!(
                        "src/{}:{number} uses crate::{used}, which is to its right",
                        file.name
                    ));
                }
            }
        }
    }
    report(&problems);
}

#[test]
fn only_the_layers_meant_for_it_draw_print_and_read_clocks() {
    let layers = layers();
    let rank = |name: &str| layers.iter().position(|layer| layer == name).unwrap_or(usize::MAX);
    let (tui, cli) = (rank("tui"), rank("cli"));
    let drawing = ["ratatui", "crossterm"];
    let printing = ["print!(", "println!(", "eprint!(", "eprintln!(", "io::stdout()", "io::stderr()"];
    let clocks = ["SystemTime", "Instant::", "time::Instant", "Utc::now", "Local::now"];
    let mut problems = Vec::new();
    for file in sources() {
        let own = rank(file.module());
        let clock_allowed = CLOCK_READERS.iter().any(|(name, _)| *name == file.name);
        for (number, line) in file.lines() {
            let mut forbid = |words: &[&str], what: &str| {
                if let Some(word) = words.iter().find(|word| line.contains(*word)) {
                    problems.push(format!("src/{}:{number} {what}: {word}", file.name));
                }
            };
            if own < tui {
                forbid(&drawing, "knows the terminal library");
                if !clock_allowed {
                    forbid(&clocks, "reads a clock");
                }
            }
            if own < cli && file.module() != "tui" {
                forbid(&printing, "prints");
            }
        }
    }
    report(&problems);
}

#[test]
fn every_file_says_what_it_is_for_and_stays_short() {
    let mut problems = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "fuzz"] {
        let mut paths = Vec::new();
        files_below(&root().join(folder), ".rs", &mut paths);
        for path in paths.iter().filter(|path| !path.to_string_lossy().contains("/target/")) {
            let text = fs::read_to_string(path).expect("sources are UTF-8");
            if !text.starts_with("//! ") {
                problems.push(format!("{} does not begin with `//!`", path.display()));
            }
        }
    }
    for file in sources() {
        let lines = file.code.lines().count();
        let allowed = LONG_FILES.iter().any(|(name, _)| *name == file.name);
        if lines > LINES_MAX && !allowed {
            problems.push(format!("src/{} has {lines} lines before its tests", file.name));
        }
    }
    for (name, reason) in LONG_FILES.iter().chain(CLOCK_READERS) {
        if !root().join("src").join(name).exists() || reason.is_empty() {
            problems.push(format!("{name} is allowed something but is not there, or for no reason"));
        }
    }
    report(&problems);
}

/// The lines of a file without comments and without what stands between quotation marks.
fn unquoted(file: &SourceFile) -> Vec<(usize, String)> {
    let mut quoted = false;
    let mut bare = |line: &str| {
        let line = line.replace("'\"'", "").replace("\\\\", "").replace("\\\"", "");
        let mut code = String::new();
        for (at, part) in line.split('"').enumerate() {
            quoted ^= at > 0;
            if !quoted {
                code.push_str(part);
                code.push(' ');
            }
        }
        code
    };
    file.lines().map(|(number, line)| (number, bare(line))).collect()
}

#[test]
fn only_the_settings_say_which_ports_carry_dns() {
    let mut problems = Vec::new();
    for file in sources() {
        if DNS_PORT_FILES.iter().any(|(name, _)| file.name.starts_with(name))
            || file.name.ends_with("tests.rs")
        {
            continue;
        }
        for (number, code) in unquoted(&file) {
            let mut words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            if words.any(|word| word == "53") {
                problems.push(format!("src/{}:{number} takes port 53 for DNS", file.name));
            }
        }
    }
    report(&problems);
}

#[test]
fn nothing_unfinished_and_no_place_on_one_computer_is_left_in() {
    // Put together here so that this file does not find itself.
    let unfinished = [concat!("to", "do!("), concat!("unim", "plemented!("), concat!("#[ig", "nore")];
    let places =
        [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];
    let mut paths = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "scripts", "assets", ".ci", "fuzz"] {
        for ending in [".rs", ".sh", ".toml", ".j2", "run"] {
            files_below(&root().join(folder), ending, &mut paths);
        }
    }
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "Cargo.toml"] {
        paths.push(root().join(name));
    }
    let mut problems = Vec::new();
    for path in paths.iter().filter(|path| !path.to_string_lossy().contains("/fuzz/target/")) {
        let Ok(text) = fs::read_to_string(path) else { continue };
        for (number, line) in text.lines().enumerate() {
            for word in unfinished.iter().chain(&places) {
                if line.contains(word) {
                    problems.push(format!("{}:{} contains {word}", path.display(), number + 1));
                }
            }
        }
    }
    report(&problems);
}

/// Constants of the rules that are no thresholds: they name something, in a protocol or in a table.
const NO_THRESHOLDS: &[(&str, &[&str])] = &[
    ("connections/row.rs", &["TCP", "FIN", "SYN", "RST", "ACK"]),
    ("attempts/kind.rs", &["TCP", "UDP"]),
    ("attempts/stream.rs", &["FIN", "SYN", "RST", "ACK"]),
    (
        "attempts/tls.rs",
        &[
            "CHANGE_CIPHER_SPEC",
            "ALERT",
            "HANDSHAKE",
            "APPLICATION_DATA",
            "FATAL",
            "CLIENT_HELLO",
            "SERVER_HELLO",
            "TLS13",
        ],
    ),
    ("findings/datagrams.rs", &["TCP"]),
    ("findings/facts/troubles/gravity.rs", &["DHCP_V6_PORT"]),
    ("findings/tcp_failures.rs", &["TCP"]),
    ("findings/declined.rs", &["UPDATE", "NOTIFY", "SOA"]),
    ("findings/facts/denials.rs", &["NAME_ERROR"]),
    ("findings/facts/hidden.rs", &["UDP"]),
    ("findings/facts/limits.rs", &["UDP"]),
    ("findings/facts/load.rs", &["TABLE", "UNSEEN"]),
    ("findings/coverage/open.rs", &["UDP"]),
    ("findings/facts/records.rs", &["NS", "SOA", "RRSIG"]),
    ("findings/facts/runs.rs", &["ASKER", "TARGET", "GROUP"]),
    ("findings/rules.rs", &["TCP"]),
];

/// The numbers of the rules as `assets/thresholds.txt` has them; those without a meaning are reported.
fn thresholds(problems: &mut Vec<String>) -> String {
    let mut table = String::new();
    let of_rules = |file: &SourceFile| {
        // The thresholds of the judgement are a table of their own.
        let own_table = file.name == "findings/hypotheses/thresholds.rs";
        matches!(file.module(), "attempts" | "findings" | "connections")
            && !own_table
            && !file.name.ends_with("tests.rs")
    };
    for file in sources().iter().filter(|file| of_rules(file)) {
        let mut meaning: Vec<&str> = Vec::new();
        for line in file.code.lines() {
            if let Some(doc) = line.strip_prefix("///") {
                meaning.push(doc.trim());
                continue;
            }
            let doc = std::mem::take(&mut meaning).join(" ").replace("[`", "").replace("`]", "");
            let Some((before, after)) = line.split_once("const ") else { continue };
            let Some((name, rest)) = after.split_once(": ") else { continue };
            let Some((kind, value)) = rest.split_once(" = ") else { continue };
            let number = !kind.starts_with(['&', '[']) && !name.contains("fn ");
            let named =
                NO_THRESHOLDS.iter().any(|(known, names)| *known == file.name && names.contains(&name));
            if !(before.is_empty() || before.starts_with("pub")) || !number || named {
                continue;
            }
            if doc.is_empty() {
                problems.push(format!("src/{} does not say what {name} is for", file.name));
            }
            let value = value.trim_end_matches(';');
            for part in [file.name.as_str(), "\t", name, "\t", kind, "\t", value, "\t", doc.as_str(), "\n"] {
                table.push_str(part);
            }
        }
    }
    table
}

#[test]
fn every_number_of_a_rule_is_in_the_table_of_parameters() {
    let mut problems = Vec::new();
    let wanted = thresholds(&mut problems);
    let path = root().join("assets/thresholds.txt");
    if std::env::var_os("PORTMORTEM_UPDATE").is_some() {
        fs::write(&path, &wanted).expect("the table can be written");
    } else if fs::read_to_string(&path).is_ok_and(|text| text != wanted) {
        problems.push(
            "assets/thresholds.txt is stale: run PORTMORTEM_UPDATE=1 cargo test --test tidy".to_owned(),
        );
    }
    report(&problems);
}

/// With `PORTMORTEM_UPDATE=1` in the environment the parts are written instead of compared.
#[test]
fn the_generated_parts_of_documents_are_current() {
    let update = std::env::var_os("PORTMORTEM_UPDATE").is_some();
    let mut stale = Vec::new();
    for section in portmortem::cli::manual::sections() {
        let (name, file) = (section.name, section.file);
        let path = root().join(file);
        let mut text = fs::read_to_string(&path).expect("the document is there");
        let begin = format!("<!-- generated: {name} -->\n");
        let end = format!("<!-- end: {name} -->");
        let from = text.find(&begin).unwrap_or_else(|| panic!("{file} has no {begin}")) + begin.len();
        let to = from + text[from..].find(&end).unwrap_or_else(|| panic!("{file} has no {end}"));
        let wanted = format!("\n{}\n", section.markdown);
        if text[from..to] == wanted {
            continue;
        }
        if update {
            text.replace_range(from..to, &wanted);
            fs::write(&path, text).expect("the document can be written");
        } else {
            stale.push(format!(
                "the part {name} of {file} is stale: run PORTMORTEM_UPDATE=1 cargo test --test tidy"
            ));
        }
    }
    report(&stale);
}

/// A reader finds the way in one sitting; what is longer stands below `docs`.
#[test]
fn readme_and_architecture_stay_short_and_their_links_lead_somewhere() {
    let mut problems = Vec::new();
    for name in ["README.md", "ARCHITECTURE.md"] {
        let lines = fs::read_to_string(root().join(name)).expect("the document is there").lines().count();
        if lines > 150 {
            problems.push(format!("{name} has {lines} lines, at most 150 are meant"));
        }
    }
    let mut paths = Vec::new();
    files_below(&root().join("docs"), ".md", &mut paths);
    for name in
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "fuzz/README.md"]
    {
        paths.push(root().join(name));
    }
    for path in &paths {
        let text = fs::read_to_string(path).expect("the document is there");
        let folder = path.parent().expect("a file stands in a folder");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let elsewhere = file.is_empty() || file.contains("://") || file.contains(char::is_whitespace);
            if !elsewhere && !folder.join(file).exists() {
                problems.push(format!("{} links to {target}, which is not there", path.display()));
            }
        }
    }
    report(&problems);
}
