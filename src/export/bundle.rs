//! A bundle: the report in its formats, the cited packets, the frame map, the case, and a manifest that hashes them all.

#[cfg(feature = "docx")]
mod archive;
pub mod check;
pub mod files;

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cleared::{Carries, Cleared, Sieve, held, written};
use super::{Job, notes_on, pcapng};
use crate::capture::LinkType;
use crate::case::hash::hash_bytes;
use crate::index::{Packet, SourceId, source_label};
use crate::text::escape;
use crate::time;

/// The version written into manifests.
pub const SCHEMA: &str = "portmortem-bundle/1";
/// The manifest's name in the bundle; it is the one file it does not list.
pub const MANIFEST: &str = "manifest.json";
/// The cited packets.
pub const PACKETS: &str = "cited.pcapng";
/// The cited lines of transcripts, which have no packets.
pub const LINES: &str = "cited.txt";
/// Which cited frame is where.
pub const FRAMES: &str = "frames.csv";
/// The analyst's work.
pub const CASE: &str = "case.json";
/// The report for machines.
pub const REPORT: &str = "report.json";
/// The report as its template gives it.
pub const MARKDOWN: &str = "report.md";

/// Formats of the report in a bundle, by their names in the EXPORTS table.
const FORMATS: [&str; 5] = ["markdown", "html", "pdf", "docx", "json"];

/// The name of the report in a format, by its file name ending.
fn report_name(extension: &str) -> &'static str {
    match extension {
        "md" => MARKDOWN,
        "html" => "report.html",
        "pdf" => "report.pdf",
        "docx" => "report.docx",
        _ => REPORT,
    }
}

/// What made a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `portmortem`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The mark of its rules ([`crate::report::rules_version`]).
    pub rules: String,
}

impl Tool {
    /// This program.
    pub fn this() -> Self {
        Self {
            name: "portmortem".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rules: crate::report::rules_version(),
        }
    }
}

/// The template of a report and the choices of form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Name or file name.
    pub name: String,
    /// SHA-256 of its text.
    pub sha256: String,
    /// Whether the official wording "ICMP echo reply" was corrected.
    pub corrected_headings: bool,
    /// Whether the google template was filled as running text.
    pub prose: bool,
    /// Whether every row and appendix was asked for.
    #[serde(default)]
    pub long: bool,
    /// Whether the folders of captures were kept.
    #[serde(default)]
    pub paths: bool,
}

impl Template {
    /// Whether it is one of the program's own, of this version.
    pub fn is_own(&self) -> bool {
        let own = crate::report::render::find(&self.name);
        own.is_some_and(|own| hash_bytes(own.source.as_bytes()) == self.sha256)
    }
}

/// A capture the report was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Label (`A`).
    pub label: String,
    /// File name; the label's when redacted.
    pub name: String,
    /// Size in bytes as stored.
    pub size: u64,
    /// SHA-256 before the analysis.
    pub sha256: String,
    /// SHA-256 after it.
    pub sha256_after: String,
    /// Clock offset applied, in nanoseconds.
    pub offset_ns: time::Nanos,
    /// The site it was captured at, where the user names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// What the user calls the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// Packets in it.
    pub frames: u32,
}

/// A file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Name; bundles have no folders.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: String,
}

/// What a bundle says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `portmortem-bundle/1`.
    pub schema: String,
    /// What made it.
    pub tool: Tool,
    /// When (RFC 3339).
    pub generated: Option<String>,
    /// The report's title.
    pub title: String,
    /// `draft` or `final`.
    pub status: String,
    /// The template of the report.
    pub template: Template,
    /// Whether addresses and names are pseudonyms.
    pub redacted: bool,
    /// The parameters of correlation by name.
    pub parameters: Value,
    /// The captures.
    pub sources: Vec<SourceRecord>,
    /// The files beside the manifest.
    pub files: Vec<FileRecord>,
    /// SHA-256 of the manifest's own text with zeros in this place, so that no byte of it changes unnoticed.
    #[serde(default)]
    pub digest: String,
}

/// What the digest is made over in its own place.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The manifest's text with zeros in the place of its digest, and the digest; `None` where it has none.
pub fn undigested(text: &str) -> Option<(String, String)> {
    let key = "\"digest\": \"";
    let at = text.rfind(key)? + key.len();
    let digest = text.get(at..at + NO_DIGEST.len())?.to_owned();
    Some((format!("{}{NO_DIGEST}{}", text.get(..at)?, text.get(at + NO_DIGEST.len()..)?), digest))
}

/// A frame of the frame map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameRow {
    /// Citation label (`F17`, `B:F3`).
    pub label: String,
    /// Label of its capture.
    pub source: String,
    /// Name of its capture.
    pub capture: String,
    /// Number in its capture, from 1.
    pub frame: u64,
    /// When, RFC 3339 or the time of day.
    pub time: String,
    /// Where its bytes are in the bundle.
    pub file: String,
    /// Position there, from 1.
    pub position: usize,
    /// Bytes there.
    pub bytes: usize,
    /// Their SHA-256.
    pub sha256: String,
}

/// The files of a bundle, the manifest first.
pub struct Bundle {
    /// The manifest.
    pub manifest: Manifest,
    /// Names and contents, manifest included.
    pub files: Vec<(&'static str, Cleared<Vec<u8>>)>,
}

/// Makes all files. `template` is name and text of the report's template, `after` the captures' hashes after the analysis.
pub fn make(job: &Job<'_>, template: (&str, &str), after: &[String]) -> io::Result<Bundle> {
    let mut files = Vec::new();
    for export in FORMATS.iter().filter_map(|name| super::find(name)) {
        files.push((report_name(export.extension), written(export, job)?));
    }
    cited(job, &mut files)?;
    let case = json!({ "schema": crate::case::store::SCHEMA, "state": job.input.case });
    files.push((CASE, held(|sink| sink.json(&job.clear(case)))?));
    let manifest = Manifest {
        schema: SCHEMA.to_owned(),
        tool: Tool::this(),
        generated: job.rendered.get().view.generated.clone(),
        title: job.report.title.clone(),
        status: job.rendered.get().view.status.to_owned(),
        template: Template {
            name: template.0.to_owned(),
            sha256: hash_bytes(template.1.as_bytes()),
            corrected_headings: job.rendered.get().view.options.corrected_headings,
            prose: job.rendered.get().view.options.prose,
            long: job.rendered.get().view.options.long,
            paths: job.rendered.get().view.options.paths,
        },
        redacted: job.redaction.is_some(),
        parameters: parameters(job),
        sources: sources(job, after),
        files: files
            .iter()
            .map(|(name, content)| FileRecord {
                name: (*name).to_owned(),
                size: content.get().len() as u64,
                sha256: hash_bytes(content.get()),
            })
            .collect(),
        digest: NO_DIGEST.to_owned(),
    };
    let sealed = job.clear(manifest).try_map(|manifest| sealed(manifest.clone()))?;
    let manifest = sealed.get().0.clone();
    files.insert(0, (MANIFEST, sealed.map(|(_, text)| text.clone().into_bytes())));
    Ok(Bundle { manifest, files })
}

impl Carries for Manifest {
    fn each(&mut self, sieve: &mut Sieve<'_>) {
        let Self {
            schema: _,
            tool: _,
            generated: _,
            title,
            status: _,
            template,
            redacted: _,
            parameters,
            sources,
            files: _,
            digest: _,
        } = self;
        sieve.text(title);
        let Template { name, sha256: _, corrected_headings: _, prose: _, long: _, paths: _ } = template;
        sieve.text(name);
        parameters.each(sieve);
        for source in sources {
            let SourceRecord {
                label: _,
                name,
                size: _,
                sha256: _,
                sha256_after: _,
                offset_ns: _,
                site,
                sensor,
                frames: _,
            } = source;
            sieve.text(name);
            site.each(sieve);
            sensor.each(sieve);
        }
    }
}

/// The manifest with its digest, and its text.
pub fn sealed(mut manifest: Manifest) -> io::Result<(Manifest, String)> {
    let text = |manifest: &Manifest| crate::text::json_pretty(manifest).map(|text| text + "\n");
    NO_DIGEST.clone_into(&mut manifest.digest);
    manifest.digest = hash_bytes(text(&manifest)?.as_bytes());
    let text = text(&manifest)?;
    Ok((manifest, text))
}

fn parameters(job: &Job<'_>) -> Value {
    let rows = job.input.evidence.parameters.rows();
    rows.into_iter().map(|row| (row.name.to_owned(), Value::String(row.value))).collect()
}

fn sources(job: &Job<'_>, after: &[String]) -> Vec<SourceRecord> {
    let sources = job.input.index.sources.iter().enumerate();
    sources
        .map(|(at, source)| {
            let sha256 = job.input.case.evidence.get(at).map_or_else(String::new, |r| r.sha256.clone());
            SourceRecord {
                label: source_label(SourceId::at(at)),
                name: source.name.clone(),
                size: source.size,
                sha256_after: after.get(at).cloned().unwrap_or_default(),
                sha256,
                offset_ns: source.offset_ns,
                site: source.place.site.clone(),
                sensor: source.place.sensor.clone(),
                frames: source.packets,
            }
        })
        .collect()
}

/// The cited packets, the cited lines of transcripts, and the map of both.
fn cited(job: &Job<'_>, files: &mut Vec<(&'static str, Cleared<Vec<u8>>)>) -> io::Result<()> {
    let index = job.input.index;
    let found: Vec<Packet<'_>> = job.report.cited().into_iter().filter_map(|id| index.packet(id)).collect();
    let (lines, packets): (Vec<&Packet<'_>>, Vec<&Packet<'_>>) =
        found.iter().partition(|packet| packet.link_type() == LinkType::TRANSCRIPT);
    let mut rows = Vec::new();
    if !packets.is_empty() {
        let commented: Vec<pcapng::Commented> = packets
            .iter()
            .map(|packet| pcapng::Commented { packet: packet.id, comments: notes_on(job, packet.id) })
            .collect();
        let capture = job.clear(pcapng::capture(index, &commented, pcapng::section_comment(job))?);
        for ((at, packet), bytes) in packets.iter().enumerate().zip(capture.get().packets()) {
            rows.push(row(job, packet, (PACKETS, at), bytes));
        }
        files.push((PACKETS, held(|sink| sink.capture(&capture))?));
    }
    if !lines.is_empty() {
        let texts = lines.iter().map(|packet| printed(packet.bytes()));
        let texts: Vec<Cleared<String>> = texts.map(|text| job.clear(text)).collect();
        for ((at, packet), text) in lines.iter().enumerate().zip(&texts) {
            rows.push(row(job, packet, (LINES, at), text.get().as_bytes()));
        }
        let end = Cleared::own("\n");
        let out =
            held(|sink| texts.iter().try_for_each(|text| sink.text(text).and_then(|()| sink.text(&end))))?;
        files.push((LINES, out));
    }
    files.push((FRAMES, job.clear(rows).try_map(|rows| table(rows))?));
    Ok(())
}

fn table(rows: &[FrameRow]) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        csv.serialize(row).map_err(io::Error::other)?;
    }
    csv.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

impl Carries for FrameRow {
    fn each(&mut self, sieve: &mut Sieve<'_>) {
        let Self {
            label: _,
            source: _,
            capture,
            frame: _,
            time: _,
            file: _,
            position: _,
            bytes: _,
            sha256: _,
        } = self;
        sieve.text(capture);
    }
}

fn row(job: &Job<'_>, packet: &Packet<'_>, (file, at): (&str, usize), bytes: &[u8]) -> FrameRow {
    let time_ns = packet.time_ns();
    FrameRow {
        label: job.input.index.label(packet.id),
        source: source_label(packet.segment.source),
        capture: escape(&packet.source.name),
        frame: packet.frame().0,
        time: crate::report::words::Clock::of(job.input.index).exact(time_ns),
        file: file.to_owned(),
        position: at + 1,
        bytes: bytes.len(),
        sha256: hash_bytes(bytes),
    }
}

/// The text of a transcript's packet with its line breaks and tabs, everything else escaped.
fn printed(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = |line: &str| line.split('\t').map(escape).collect::<Vec<_>>().join("\t");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
