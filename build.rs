//! Collects the words of the program's own sentences, so that redaction can tell them from captured and typed ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Rooms whose text never stands in a report: generated traffic, samples, the screen.
const LEFT_OUT: [&str; 4] = ["columns", "generate", "samples", "tui"];

fn main() -> io::Result<()> {
    let mut words = BTreeSet::new();
    for file in files_under(Path::new("src"))? {
        let text = fs::read_to_string(&file)?;
        // Tests stand at the end of a file and speak of made-up hosts.
        let own = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        literals(own, &mut words);
    }
    for file in files_under(Path::new("assets/templates"))? {
        collect(&fs::read_to_string(file)?, &mut words);
    }
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=assets/templates");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo names no OUT_DIR"))?;
    let words: Vec<String> = words.into_iter().collect();
    fs::write(Path::new(&out).join("vocabulary.txt"), words.join("\n"))
}

fn files_under(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if LEFT_OUT.contains(&stem.as_str()) || stem == "tests" {
            continue;
        }
        if path.is_dir() {
            found.extend(files_under(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Adds the words of every string literal; comments are skipped.
fn literals(source: &str, words: &mut BTreeSet<String>) {
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let from = &rest[at..];
        if from.starts_with("//") {
            rest = from.find('\n').map_or("", |end| &from[end..]);
        } else if let Some(body) = from.strip_prefix('"') {
            let hashes = rest[..at].bytes().rev().take_while(|byte| *byte == b'#').count();
            let is_raw = rest[..at - hashes].ends_with('r');
            let end = if is_raw {
                body.find(&format!("\"{}", "#".repeat(hashes))).map(|end| end + 1)
            } else {
                end_of(from)
            };
            let end = end.unwrap_or(from.len() - 1);
            collect(&from[1..end.max(1)], words);
            rest = &from[end + 1..];
        } else if let Some(quoted) =
            ["'\"'", "'\\\"'", "'/'", "'\\''"].into_iter().find(|q| from.starts_with(q))
        {
            rest = &from[quoted.len()..];
        } else {
            rest = &from[1..];
        }
    }
}

/// Where a string literal that begins here ends.
fn end_of(literal: &str) -> Option<usize> {
    let mut escaped = false;
    literal.bytes().enumerate().skip(1).find_map(|(at, byte)| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends.then_some(at)
    })
}

fn collect(text: &str, words: &mut BTreeSet<String>) {
    // An escape and the letter behind it begin no word: `\nNext`, `\u{a0}`.
    let text = text.replace("\\n", " ").replace("\\t", " ").replace("\\r", " ");
    let found = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let is_word = |word: &&str| word.len() > 1 && word.chars().any(char::is_alphabetic);
    words.extend(found.filter(is_word).map(str::to_lowercase));
}
