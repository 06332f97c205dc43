//! Prose, source code, settings and the logs of other programs hold no packets: none is found in thousands of unlike lines, and
//! what is known by its look is refused by name, with what to give instead.

#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::fmt::Write as _;

use portmortem::capture::{self, Fill, OpenError};
use portmortem::generate::Random;

/// Lines of text by what it is, with marks for numbers and names in them.
const OTHER_LOGS: &str = include_str!("prose/other_logs.txt");
const PLAIN: &str = include_str!("prose/plain.txt");
/// Lines made of each kind of text.
const LINES: usize = 200;

/// A line with its marks replaced.
fn filled(line: &str, random: &mut Random) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, mark, after)) = next_mark(rest) {
        out.push_str(before);
        let number = |random: &mut Random, low, high| random.between(low, high);
        let clock = |random: &mut Random| {
            format!("{:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60))
        };
        let written = match mark {
            "ip" => write!(
                out,
                "{}.{}",
                random.pick(&["192.0.2", "198.51.100", "203.0.113"]).unwrap(),
                number(random, 1, 254)
            ),
            "port" => write!(out, "{}", number(random, 1_024, 65_535)),
            "n" => write!(out, "{}", number(random, 1, 9_999)),
            "time" => write!(out, "{}", clock(random)),
            "us" => write!(out, "{}.{:06}", clock(random), random.below(1_000_000)),
            "epoch" => write!(out, "17096{:05}.{:06}", random.below(100_000), random.below(1_000_000)),
            _ => write!(
                out,
                "{}.example.{}",
                random.pick(&["www", "mail", "a1", "ns2"]).unwrap(),
                random.pick(&["com", "net", "org"]).unwrap()
            ),
        };
        written.unwrap();
        rest = after;
    }
    out + rest
}

const MARKS: [&str; 7] = ["ip", "port", "n", "time", "us", "epoch", "name"];

fn next_mark(text: &str) -> Option<(&str, &str, &str)> {
    let found = MARKS.iter().filter_map(|mark| {
        let at = text.find(&format!("{{{mark}}}"))?;
        Some((&text[..at], *mark, &text[at + mark.len() + 2..]))
    });
    found.min_by_key(|(before, ..)| before.len())
}

/// Kinds of text with their lines.
fn kinds() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut kinds: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in OTHER_LOGS.lines() {
        match line.strip_prefix("## ") {
            Some(what) => kinds.push((what, Vec::new())),
            None => kinds.last_mut().unwrap().1.push(line),
        }
    }
    kinds
}

/// So many lines of a kind, in its order and then in any.
fn text(lines: &[&str], random: &mut Random) -> String {
    let mut out = String::new();
    for at in 0..LINES {
        let line = lines.get(at).unwrap_or_else(|| random.pick(lines).unwrap());
        out += &filled(line, random);
        out.push('\n');
    }
    out
}

fn opened(text: &str) -> Result<u64, OpenError> {
    let bytes: &'static [u8] = text.to_owned().into_bytes().leak();
    let (source, mut walk) = capture::open_bytes("text", bytes)?;
    let mut records = Vec::new();
    while walk.fill(source.bytes.bytes().into(), true, 10_000, &mut records) == Fill::More {}
    Ok(records.len() as u64)
}

#[test]
fn logs_of_other_programs_are_named_with_what_to_give_instead() {
    let mut random = Random::new(14);
    let mut lines = 0;
    for (what, kind) in kinds() {
        let text = text(&kind, &mut random);
        lines += text.lines().count();
        match opened(&text) {
            Err(OpenError::OtherText { what: told, instead, .. }) => {
                assert!(told.contains(what), "{what} is called {told}");
                assert!(instead.contains("tcpdump -") || instead.contains("capture"), "{instead}");
            }
            other => panic!("{what}: {other:?}"),
        }
        // Each line alone holds no packet either.
        for line in kind {
            assert!(opened(&filled(line, &mut random)).is_err(), "{what}: {line}");
        }
    }
    assert!(lines > 4_000, "{lines}");
}

#[test]
fn prose_source_code_and_settings_hold_no_packets() {
    let mut random = Random::new(41);
    let lines: Vec<&str> = PLAIN.lines().collect();
    for line in &lines {
        let text = format!("{}\n", filled(line, &mut random));
        assert!(opened(&text).is_err(), "{line}");
    }
    let book: String = (0..40).map(|_| text(&lines, &mut random)).collect();
    assert!(opened(&book).is_err());
    let files = [
        include_str!("../LICENSE-APACHE"),
        include_str!("../Cargo.lock"),
        include_str!("../CHANGELOG.md"),
        include_str!("../ARCHITECTURE.md"),
        include_str!("../src/cli/load.rs"),
        include_str!("../src/capture/pasted/wrap.rs"),
        include_str!("truth/cases.py"),
        include_str!("../assets/services.txt"),
    ];
    for file in files {
        let first = file.lines().next().unwrap();
        assert!(opened(file).is_err(), "the file that begins with {first}");
    }
}

#[test]
fn of_a_log_among_other_texts_its_packets_are_found_and_nothing_else() {
    let mut random = Random::new(7);
    let mut all: Vec<&str> = PLAIN.lines().collect();
    all.extend(kinds().into_iter().flat_map(|(_, lines)| lines));
    let packet = |at: u32| {
        format!(
            "14:00:{:02}.{at:06} IP 192.0.2.10.40001 > 198.51.100.53.53: {at}+ A? www.example.com. (33)\n",
            at % 60
        )
    };
    let mut book = String::new();
    for at in 0..50 {
        for _ in 0..random.between(1, 120) {
            book += &filled(random.pick(&all).unwrap(), &mut random);
            book.push('\n');
        }
        book += &packet(at);
    }
    assert_eq!(opened(&book).unwrap(), 50);
}
