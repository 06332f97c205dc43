//! The checks of a bundle: hashes, cited packets, and the report made again from the captures.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::files::{Contents, Found};
use super::{Bundle, FRAMES, FrameRow, LINES, MANIFEST, Manifest, PACKETS, REPORT, Tool};
use crate::capture;
use crate::case::hash::hash_bytes;
use crate::export::frames;
use crate::index::{Index, Input, PacketId, Progress, build};
use crate::text::escape;

/// Differences of one kind that are named one by one.
const NAMED_MAX: usize = 5;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// What differs; `None` when it holds.
    pub differs: Option<String>,
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.differs {
            None => write!(f, "ok       {}", self.what),
            Some(how) => write!(f, "differs  {}: {how}", self.what),
        }
    }
}

/// A check from what differs; nothing is good.
pub fn check(what: impl Into<String>, differs: Vec<String>) -> Check {
    let more = differs.len().saturating_sub(NAMED_MAX);
    let mut named: Vec<String> = differs.into_iter().take(NAMED_MAX).collect();
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    Check { what: what.into(), differs: (!named.is_empty()).then(|| named.join("; ")) }
}

/// What cannot be read or does not belong into a bundle.
pub fn damaged(found: &Found) -> Vec<Check> {
    let problems = found.problems.iter();
    problems.map(|(name, problem)| check(escape(name), vec![problem.clone()])).collect()
}

/// Whether the manifest is as it was written.
pub fn own_hash(contents: &Contents) -> Check {
    let text = contents.get(MANIFEST).and_then(|text| std::str::from_utf8(text).ok());
    let differs = match text.and_then(super::undigested) {
        Some((text, digest)) if hash_bytes(text.as_bytes()) == digest => vec![],
        Some(_) => vec!["its text is not the one its digest was made of".to_owned()],
        None => vec!["it has no digest".to_owned()],
    };
    check(format!("{MANIFEST}: its own hash"), differs)
}

/// Sizes and hashes of all files, and that there are no others.
pub fn hashes(manifest: &Manifest, contents: &Contents) -> Vec<Check> {
    let mut checks = Vec::new();
    for record in &manifest.files {
        let mut differs = Vec::new();
        match contents.get(&record.name) {
            None => differs.push("it is missing".to_owned()),
            Some(content) => {
                let sha256 = hash_bytes(content);
                if sha256 != record.sha256 || content.len() as u64 != record.size {
                    differs
                        .push(format!("SHA-256 is {sha256}, the manifest says {}", escape(&record.sha256)));
                }
            }
        }
        checks.push(check(format!("{}: hash", escape(&record.name)), differs));
    }
    let listed: BTreeSet<&str> = manifest.files.iter().map(|record| record.name.as_str()).collect();
    let others = contents.keys().filter(|name| *name != MANIFEST && !listed.contains(name.as_str()));
    checks.push(check("no file that the manifest does not list", others.map(|name| escape(name)).collect()));
    let changed = manifest.sources.iter().filter(|source| source.sha256 != source.sha256_after);
    checks.push(check(
        "captures unchanged by the analysis",
        changed.map(|source| format!("capture {}", escape(&source.label))).collect(),
    ));
    checks
}

/// The frame map of a bundle.
pub fn frame_map(contents: &Contents) -> Result<Vec<FrameRow>, String> {
    let text = contents.get(FRAMES).ok_or_else(|| format!("{FRAMES} is missing"))?;
    let rows: Result<Vec<FrameRow>, csv::Error> =
        csv::Reader::from_reader(text.as_slice()).deserialize().collect();
    rows.map_err(|error| format!("{FRAMES} cannot be read: {error}"))
}

/// That every frame a claim cites is in the bundle, and that the bytes there are those of the frame map.
pub fn cited(contents: &Contents, rows: &[FrameRow]) -> Vec<Check> {
    let mut checks = Vec::new();
    let count = |file: &str| rows.iter().filter(|row| row.file == file).count();
    if count(PACKETS) > 0 {
        let differs = packets(contents, rows).unwrap_or_else(|problem| vec![problem]);
        checks.push(check(format!("{PACKETS}: {} cited packets", count(PACKETS)), differs));
    }
    if count(LINES) > 0 {
        checks.push(check(format!("{LINES}: {} cited lines", count(LINES)), lines(contents, rows)));
    }
    let known: BTreeSet<(String, u64)> = rows.iter().map(|row| (row.source.clone(), row.frame)).collect();
    let report: Value =
        contents.get(REPORT).and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
    let claims = list(&report, "claims");
    let printed =
        claims.iter().filter(|claim| claim.get("state").and_then(Value::as_str) != Some("rejected"));
    let missing = printed.clone().flat_map(|claim| {
        let id = text_of(claim, "id");
        let absent = frames::labelled(claim, "frames").into_iter().filter(|frame| !known.contains(frame));
        let absent: Vec<(String, u64)> = absent.collect();
        absent.into_iter().map(move |(file, frame)| {
            format!("{id} cites frame {frame} of {}, which is not there", escape(&file))
        })
    });
    let differs = if claims.is_empty() { vec![format!("{REPORT} has no claims")] } else { missing.collect() };
    checks.push(check(
        format!("{REPORT}: the frames of {} claims are in the bundle", printed.count()),
        differs,
    ));
    checks
}

fn packets(contents: &Contents, rows: &[FrameRow]) -> Result<Vec<String>, String> {
    let content = contents.get(PACKETS).ok_or("it is missing")?.clone();
    let index = read_packets(content)?;
    let mut differs = Vec::new();
    let listed = rows.iter().filter(|row| row.file == PACKETS);
    if listed.clone().count() != index.len() as usize {
        differs.push(format!("it has {} packets, {FRAMES} lists {}", index.len(), listed.clone().count()));
    }
    for row in listed {
        let at = u32::try_from(row.position).ok().and_then(|at| at.checked_sub(1));
        match at.and_then(|at| index.packet(PacketId(at))) {
            Some(packet) if hash_bytes(packet.bytes()) == row.sha256 => {}
            Some(_) => differs.push(format!("{} has other bytes than {FRAMES} says", escape(&row.label))),
            None => differs.push(format!("{} is missing", escape(&row.label))),
        }
    }
    Ok(differs)
}

fn read_packets(content: Vec<u8>) -> Result<Index, String> {
    let (source, walk) =
        capture::open_reader(PACKETS, std::io::Cursor::new(content), capture::Options::default())
            .map_err(|error| error.to_string())?;
    Ok(build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {}))
}

fn lines(contents: &Contents, rows: &[FrameRow]) -> Vec<String> {
    let mut rest = contents.get(LINES).map_or(&[][..], Vec::as_slice);
    let mut differs = Vec::new();
    for row in rows.iter().filter(|row| row.file == LINES) {
        let Some((line, tail)) = rest.split_at_checked(row.bytes) else {
            differs.push(format!("{} is missing", escape(&row.label)));
            continue;
        };
        if hash_bytes(line) != row.sha256 {
            differs.push(format!("{} is another line than {FRAMES} says", escape(&row.label)));
        }
        rest = tail.strip_prefix(b"\n").unwrap_or(tail);
    }
    if !rest.is_empty() {
        differs.push("there are more lines than cited ones".to_owned());
    }
    differs
}

fn list<'v>(report: &'v Value, key: &str) -> &'v [Value] {
    report.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text_of(value: &Value, key: &str) -> String {
    escape(value.get(key).and_then(Value::as_str).unwrap_or("?"))
}

/// Compares the report in the bundle with one made again from the captures.
///
/// `made` is the bundle made again; `again` its report.
pub fn recomputed(contents: &Contents, again: &Value, made: &Bundle) -> Vec<Check> {
    let said: Value =
        contents.get(REPORT).and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
    let (old, new) = (list(&said, "claims"), list(again, "claims"));
    let mut checks = vec![
        check(
            format!("{} claims made again", old.len()),
            compare(old, new, &["text", "frames", "voice", "state"]),
        ),
        check(
            format!("{} findings made again", list(&said, "findings").len()),
            compare(
                list(&said, "findings"),
                list(again, "findings"),
                &["severity", "statement", "frames", "filter", "counts"],
            ),
        ),
        check(
            format!("{} problems and their explanations made again", list(&said, "problems").len()),
            compare(
                list(&said, "problems"),
                list(again, "problems"),
                &["server", "signature", "clients", "episodes", "hypotheses"],
            ),
        ),
    ];
    let packets = |report: &Value| list(report, "packets").to_vec();
    let differs = if packets(&said) == packets(again) { vec![] } else { vec!["they differ".to_owned()] };
    checks.push(check(format!("{} cited packets read again", packets(&said).len()), differs));
    // A template of the user's own is not in the bundle: nothing written in its form can be made again.
    let is_own = made.manifest.template.is_own();
    let formed = |name: &str| name.starts_with("report.") && name != REPORT;
    for (name, content) in made.files.iter().filter(|(name, _)| is_own || !formed(name)) {
        let said = contents.get(*name).map_or(&[][..], Vec::as_slice);
        let again = content.get().as_slice();
        let differs = if said == again { vec![] } else { vec![first_difference(said, again)] };
        checks.push(check(format!("{name} written again"), differs));
    }
    checks
}

fn first_difference(said: &[u8], again: &[u8]) -> String {
    let (Ok(said), Ok(again)) = (std::str::from_utf8(said), std::str::from_utf8(again)) else {
        let at = said.iter().zip(again).position(|(said, again)| said != again);
        return format!("from byte {} on", at.unwrap_or(said.len().min(again.len())));
    };
    let at = said.lines().zip(again.lines()).position(|(said, again)| said != again);
    let at = at.unwrap_or_else(|| said.lines().count().min(again.lines().count()));
    format!("from line {} on", at + 1)
}

/// What differs between two lists of things with ids, field by field.
fn compare(old: &[Value], new: &[Value], fields: &[&str]) -> Vec<String> {
    let by_id = |list: &'_ [Value]| -> BTreeMap<String, Vec<Value>> {
        let mut found = BTreeMap::<String, Vec<Value>>::new();
        for value in list {
            found.entry(text_of(value, "id")).or_default().push(value.clone());
        }
        found
    };
    let (old, new) = (by_id(old), by_id(new));
    let mut differs = Vec::new();
    for (id, values) in &old {
        let Some(others) = new.get(id) else {
            differs.push(format!("{id} is not found again"));
            continue;
        };
        if values.len() != others.len() {
            differs.push(format!("{id} is there {} times, made again {} times", values.len(), others.len()));
        }
        for (value, other) in values.iter().zip(others) {
            let wrong = fields.iter().filter(|field| value.get(**field) != other.get(**field));
            differs.extend(wrong.map(|field| format!("{id}: {field}")));
        }
    }
    differs.extend(
        new.keys().filter(|id| !old.contains_key(*id)).map(|id| format!("{id} is not in the report")),
    );
    differs
}

/// What to say when the bundle was made by another version.
pub fn other_tool(manifest: &Manifest) -> Option<String> {
    let this = Tool::this();
    (manifest.tool != this).then(|| {
        format!(
            "made by {} {} with rules {}; this is {} with rules {}: differences may come from that",
            escape(&manifest.tool.name),
            escape(&manifest.tool.version),
            escape(&manifest.tool.rules),
            this.version,
            this.rules
        )
    })
}
