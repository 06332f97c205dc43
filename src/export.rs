//! The EXPORTS table: one file a format, all written from the rendered report.

pub mod bundle;
pub mod document;
#[cfg(feature = "docx")]
pub mod docx;
pub mod ecs;
#[cfg(any(feature = "docx", feature = "pdf"))]
pub mod fonts;
pub mod html;
pub mod iris;
pub mod json;
pub mod markdown;
pub mod pcapng;
#[cfg(feature = "pdf")]
pub mod pdf;
#[cfg(feature = "docx")]
pub mod picture;
pub mod redact;
pub mod text;

use std::io::{self, Write};

use crate::case::FrameRef;
use crate::report::render::Rendered;
use crate::report::{Input, Report};

/// What an export is written from.
#[derive(Clone, Copy)]
pub struct Job<'d> {
    /// The draft.
    pub report: &'d Report,
    /// The draft with its template filled in.
    pub rendered: &'d Rendered,
    /// What the draft was made from, for formats that carry packets or numbers.
    pub input: Input<'d>,
    /// Set when addresses and names are to be replaced. `rendered` is redacted already, the rest is not.
    pub redaction: redact::Redaction<'d>,
}

impl Job<'_> {
    /// A text as it may leave: with pseudonyms where the job redacts.
    pub fn say(&self, text: String) -> String {
        redact::say(self.redaction, text)
    }

    /// A JSON value as it may leave.
    pub fn say_value(&self, mut value: serde_json::Value) -> serde_json::Value {
        if let Some(pseudonyms) = self.redaction {
            pseudonyms.borrow_mut().value(&mut value);
        }
        value
    }

    /// The rendered Markdown as blocks with the figures it names, for formats with a layout.
    fn document(&self) -> document::Document {
        let figures =
            crate::report::figure::figures_saying(self.input.index, self.input.evidence, &mut |text| {
                self.say(text)
            });
        let view = &self.rendered.view;
        let hash = view.captures.first().map(|capture| capture.sha256.get(..12).unwrap_or("").to_owned());
        let footer = match hash.filter(|hash| !hash.is_empty()) {
            Some(hash) => format!("{} · evidence SHA-256 {hash}…", view.tool),
            None => view.tool.clone(),
        };
        document::Document::read(&view.title, &footer, &self.rendered.markdown, figures)
            .folding(&self.rendered.folded)
    }
}

/// One format.
pub struct Export {
    /// The word after `--format`.
    pub name: &'static str,
    /// File name ending, without the dot.
    pub extension: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Writes it.
    pub write: fn(&Job<'_>, &mut dyn Write) -> io::Result<()>,
}

static HTML: Export = Export {
    name: "html",
    extension: "html",
    about: "one HTML file with figures, light and dark, fit to print",
    write: |job, out| html::write(&job.document(), out),
};

#[cfg(feature = "docx")]
static DOCX: Export = Export {
    name: "docx",
    extension: "docx",
    about: "Word document",
    write: |job, out| docx::write(&job.document(), out),
};

#[cfg(feature = "pdf")]
static PDF: Export = Export {
    name: "pdf",
    extension: "pdf",
    about: "PDF with embedded fonts",
    write: |job, out| pdf::write(&job.document(), out),
};

static ECS: Export = Export {
    name: "ecs",
    extension: "ndjson",
    about: "cited packets and findings as Elastic Common Schema, one object a line",
    write: |job, out| {
        let packets = job.report.cited();
        let sha256: Vec<String> =
            job.input.case.evidence.iter().map(|record| record.sha256.clone()).collect();
        let input = ecs::Input {
            index: job.input.index,
            packets: &packets,
            findings: job.input.findings,
            sha256: &sha256,
            case: &job.report.title,
        };
        for document in ecs::documents(&input) {
            writeln!(out, "{}", crate::text::json(&job.say_value(document))?)?;
        }
        Ok(())
    },
};

static PCAPNG: Export = Export {
    name: "pcapng",
    extension: "pcapng",
    about: "the cited packets with the annotations as packet comments",
    write: |job, out| {
        let packets: Vec<pcapng::Commented> = job
            .report
            .cited()
            .into_iter()
            .map(|packet| pcapng::Commented { packet, comments: notes_on(job, packet) })
            .collect();
        pcapng::write((job.input.index, job.redaction), &packets, &pcapng::section_comment(job), out)
    },
};

/// The analyst's notes on a frame, as written.
fn notes_on(job: &Job<'_>, packet: crate::index::PacketId) -> Vec<String> {
    let Some(packet) = job.input.index.packet(packet) else { return Vec::new() };
    let frame = FrameRef { source: packet.segment.source.0, frame: packet.frame().0 };
    let notes = job.input.case.annotations.iter().filter(|note| note.frames.contains(&frame));
    notes.map(|note| note.note.trim().to_owned()).collect()
}

/// All formats, the default first. A new one is one file and one line.
pub static EXPORTS: &[&Export] = &[
    &markdown::MARKDOWN,
    &text::TEXT,
    &HTML,
    #[cfg(feature = "docx")]
    &DOCX,
    #[cfg(feature = "pdf")]
    &PDF,
    &json::JSON,
    &ECS,
    &iris::IRIS,
    &PCAPNG,
];

/// A format by its name or file name ending.
pub fn find(name: &str) -> Option<&'static Export> {
    EXPORTS.iter().copied().find(|export| export.name == name || export.extension == name)
}
