//! The EXPORTS table: one file a format, all written from the rendered report.

pub mod bundle;
pub mod cleared;
pub mod document;
#[cfg(feature = "docx")]
pub mod docx;
pub mod ecs;
#[cfg(any(feature = "docx", feature = "pdf"))]
pub mod fonts;
pub mod frames;
pub mod html;
pub mod iris;
pub mod json;
pub mod lookups;
pub mod markdown;
pub mod ocsf;
pub mod pcapng;
#[cfg(feature = "pdf")]
pub mod pdf;
#[cfg(feature = "docx")]
pub mod picture;
pub mod redact;
pub mod text;
pub mod timesketch;

use std::io;

use cleared::{Cleared, Sink};

use crate::case::{FrameRef, State, file_name};
use crate::index::Index;
use crate::report::render::Rendered;
use crate::report::{Input, Report};

/// What an export is written from.
#[derive(Clone, Copy)]
pub struct Job<'d> {
    /// The draft, as it was made.
    pub report: &'d Report,
    /// The draft with its template filled in, redacted where the job redacts.
    pub rendered: &'d Cleared<Rendered>,
    /// What the draft was made from, for formats that carry packets or numbers.
    pub input: Input<'d>,
    /// Set when addresses and names are to be replaced.
    pub redaction: redact::Redaction<'d>,
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
    pub write: fn(&Job<'_>, &mut Sink<'_>) -> io::Result<()>,
}

static HTML: Export = Export {
    name: "html",
    extension: "html",
    about: "one HTML file with figures, light and dark, fit to print",
    write: |job, out| out.text(&job.document().map(html::text)),
};

#[cfg(feature = "docx")]
static DOCX: Export = Export {
    name: "docx",
    extension: "docx",
    about: "Word document",
    write: |job, out| out.bytes(&job.document().try_map(docx::bytes)?),
};

#[cfg(feature = "pdf")]
static PDF: Export = Export {
    name: "pdf",
    extension: "pdf",
    about: "PDF with embedded fonts",
    write: |job, out| out.bytes(&job.document().try_map(pdf::bytes)?),
};

static ECS: Export = Export {
    name: "ecs",
    extension: "ndjson",
    about: "Elastic Common Schema: lookups, cited packets and findings, one object a line",
    write: |job, out| ecs::documents(job).try_for_each(|document| out.json_line(&job.clear(document))),
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
        out.capture(&job.clear(pcapng::capture(job.input.index, &packets, pcapng::section_comment(job))?))
    },
};

/// Index and case as reports are made from them: files without their folders; where they are redacted, without what was typed.
pub fn leaving(index: &Index, case: &State, redacted: bool) -> (Index, State) {
    if redacted {
        return redact::without_typed(index, case);
    }
    let (mut index, mut case) = (index.clone(), case.clone());
    index.sources.iter_mut().for_each(|source| source.name = file_name(&source.name));
    case.evidence.iter_mut().for_each(|record| record.name = file_name(&record.name));
    // Cases of earlier versions name folders.
    for entry in case.custody.iter_mut().filter(|entry| entry.who == "portmortem") {
        entry.detail = file_name(&entry.detail);
    }
    (index, case)
}

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
    &ocsf::OCSF,
    &iris::IRIS,
    &iris::IRIS_EVENTS,
    &timesketch::TIMESKETCH,
    &timesketch::TIMESKETCH_CSV,
    &PCAPNG,
];

/// A format by its name or file name ending.
pub fn find(name: &str) -> Option<&'static Export> {
    EXPORTS.iter().copied().find(|export| export.name == name || export.extension == name)
}
