//! What may leave the program: the only thing a sink takes, made of captured and typed text by redaction alone.
//!
//! An export reads what it likes, but can hand on nothing that did not pass here: leaving it out does not compile.
//!
//! ```compile_fail
//! use portmortem::export::cleared::Sink;
//! let captured = String::from("host.example");
//! let mut out = Vec::new();
//! Sink::new(&mut out).text(&captured); // not a `Cleared<String>`
//! ```
//!
//! ```compile_fail
//! use portmortem::export::cleared::Cleared;
//! let smuggled = Cleared(String::from("host.example")); // made by `Job::clear` only
//! ```

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, Write};

use serde_json::Value;

use super::redact::{self, Redaction};
use super::{Job, document, pcapng};
use crate::capture::LinkType;
use crate::report::render::{Options, Rendered, render_changed};
use crate::report::{Input, Report, UNMASKED};

/// A value whose captured and typed text went through the job's redaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleared<T>(T);

impl<T> Cleared<T> {
    /// The value, to read.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Another form of the same: a function without surroundings has nothing else to put in.
    pub fn map<U>(&self, form: fn(&T) -> U) -> Cleared<U> {
        Cleared(form(&self.0))
    }

    /// The same for a form that can fail.
    pub fn try_map<U>(&self, form: fn(&T) -> io::Result<U>) -> io::Result<Cleared<U>> {
        form(&self.0).map(Cleared)
    }
}

impl Cleared<String> {
    /// A text of the program's own.
    pub fn own(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

/// What carries captured or typed text, and can say where.
pub trait Carries {
    /// Shows every text and packet in it to redaction.
    fn each(&mut self, sieve: &mut Sieve<'_>);
}

/// Redaction at work, or nothing at all where a job does not redact.
pub struct Sieve<'p>(Redaction<'p>);

impl Sieve<'_> {
    /// A text that may quote the capture or a person.
    pub fn text(&mut self, text: &mut String) {
        if let Some(pseudonyms) = self.0 {
            *text = pseudonyms.borrow_mut().text(text);
        }
    }

    /// The bytes of a packet.
    pub fn packet(&mut self, link_type: LinkType, bytes: &mut Cow<'_, [u8]>) {
        if let Some(pseudonyms) = self.0 {
            *bytes = redact::packet::redact(&mut pseudonyms.borrow_mut(), link_type, bytes).into();
        }
    }
}

impl Carries for String {
    fn each(&mut self, sieve: &mut Sieve<'_>) {
        sieve.text(self);
    }
}

impl Carries for Value {
    fn each(&mut self, sieve: &mut Sieve<'_>) {
        if let Some(pseudonyms) = sieve.0 {
            pseudonyms.borrow_mut().value(self);
        }
    }
}

impl<T: Carries> Carries for Vec<T> {
    fn each(&mut self, sieve: &mut Sieve<'_>) {
        for one in self.iter_mut() {
            one.each(sieve);
        }
    }
}

impl<T: Carries> Carries for Option<T> {
    fn each(&mut self, sieve: &mut Sieve<'_>) {
        for one in self.iter_mut() {
            one.each(sieve);
        }
    }
}

impl Job<'_> {
    /// A value as it may leave: with pseudonyms where the job redacts.
    pub fn clear<T: Carries>(&self, mut value: T) -> Cleared<T> {
        value.each(&mut Sieve(self.redaction));
        Cleared(value)
    }

    /// The rendered Markdown as blocks with the figures it names, for formats with a layout.
    pub fn document(&self) -> Cleared<document::Document> {
        let mut sieve = Sieve(self.redaction);
        let figures =
            crate::report::figure::figures_saying(self.input.index, self.input.evidence, &mut |mut text| {
                sieve.text(&mut text);
                text
            });
        let Rendered { view, markdown, folded } = self.rendered.get();
        let hash = view.captures.first().map(|capture| capture.sha256.get(..12).unwrap_or("").to_owned());
        let footer = match hash.filter(|hash| !hash.is_empty()) {
            Some(hash) => format!("{} · evidence SHA-256 {hash}…", view.tool),
            None => view.tool.clone(),
        };
        Cleared(document::Document::read(&view.title, &footer, (markdown, folded), figures))
    }
}

/// Fills a template; where there are pseudonyms, with everything replaced that redaction replaces, and the report says so.
pub fn render(
    redaction: Redaction<'_>,
    report: &Report,
    input: &Input<'_>,
    template: (&str, &str),
    options: &Options,
) -> Result<Cleared<Rendered>, minijinja::Error> {
    let Some(pseudonyms) = redaction else {
        return render_changed(report, input, template, options, &mut |_| {}).map(Cleared);
    };
    let is_ticket = template.0 == "ticket";
    // A ticket has no room for the whole statement.
    let spare = redact::SHORT_STATEMENT.chars().count() + 2;
    let options = Options { spare, ..options.clone() };
    let mut rendered = render_changed(report, input, template, &options, &mut |view| {
        view.each_text(&mut |text| {
            *text = if text == UNMASKED { redact::statement() } else { pseudonyms.borrow_mut().text(text) };
        });
    })?;
    if is_ticket {
        rendered.markdown = format!("{}\n{}\n", rendered.markdown.trim_end(), redact::SHORT_STATEMENT);
    } else if !rendered.markdown.contains("redacted with consistent pseudonyms") {
        // Short forms, and templates of the user's own, may leave it out.
        rendered.markdown = format!("{}\n\n---\n\n{}\n", rendered.markdown.trim_end(), redact::statement());
    }
    Ok(Cleared(rendered))
}

/// Packets as they were captured, for a command that asks for just these.
pub fn as_captured(capture: pcapng::Capture<'_>) -> Cleared<pcapng::Capture<'_>> {
    Cleared(capture)
}

/// Where an export goes. It takes nothing but what was cleared.
pub struct Sink<'w>(&'w mut dyn Write);

impl<'w> Sink<'w> {
    /// A sink that writes here.
    pub fn new(out: &'w mut dyn Write) -> Self {
        Self(out)
    }

    /// Writes a text.
    pub fn text(&mut self, text: &Cleared<String>) -> io::Result<()> {
        self.0.write_all(text.0.as_bytes())
    }

    /// Writes bytes.
    pub fn bytes(&mut self, bytes: &Cleared<Vec<u8>>) -> io::Result<()> {
        self.0.write_all(&bytes.0)
    }

    /// Writes a JSON value over several lines.
    pub fn json(&mut self, value: &Cleared<Value>) -> io::Result<()> {
        writeln!(self.0, "{}", crate::text::json_pretty(&value.0)?)
    }

    /// Writes a JSON object over several lines, its values one after the other.
    pub fn json_object<'j>(
        &mut self,
        job: &Job<'_>,
        parts: impl Iterator<Item = (&'static str, Part<'j>)>,
    ) -> io::Result<()> {
        let out = crate::text::Visible(&mut *self.0);
        serde_json::to_writer_pretty(out, &Streamed(job, RefCell::new(Some(parts))))?;
        self.0.write_all(b"\n")
    }

    /// Writes a JSON value on a line of its own.
    pub fn json_line(&mut self, value: &Cleared<Value>) -> io::Result<()> {
        writeln!(self.0, "{}", crate::text::json(&value.0)?)
    }

    /// Writes rows as CSV.
    pub fn csv(&mut self, head: &[&'static str], rows: &[Cleared<Vec<String>>]) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(&mut *self.0);
        writer.write_record(head).map_err(io::Error::other)?;
        rows.iter().try_for_each(|row| writer.write_record(&row.0)).map_err(io::Error::other)?;
        writer.flush()
    }

    /// Writes packets as pcapng.
    pub fn capture(&mut self, capture: &Cleared<pcapng::Capture<'_>>) -> io::Result<()> {
        pcapng::encode(&capture.0, &mut *self.0)
    }
}

/// A value of a JSON object: whole, or a list that is made one by one.
pub enum Part<'j> {
    /// The value.
    Whole(Value),
    /// The items of a list.
    Each(Box<dyn Iterator<Item = Value> + 'j>),
}

impl<'j> Part<'j> {
    /// A list that is made one by one.
    pub fn each(items: impl Iterator<Item = Value> + 'j) -> Self {
        Self::Each(Box::new(items))
    }

    /// With the frames in it settled.
    #[must_use]
    pub fn settled(self) -> Self {
        let settle = |mut value: Value| {
            super::frames::settle(&mut value);
            value
        };
        match self {
            // A frame or a list of frames stands beside its label, so it is settled in an object.
            Self::Whole(value) => Self::Whole(settle(value)),
            Self::Each(items) => Self::each(items.map(settle)),
        }
    }
}

/// An object whose values are made, redacted and written one after the other.
struct Streamed<'s, I>(&'s Job<'s>, RefCell<Option<I>>);

impl<'j, I: Iterator<Item = (&'static str, Part<'j>)>> serde::Serialize for Streamed<'_, I> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.1.borrow_mut().take().into_iter().flatten();
        serializer.collect_map(parts.map(|(key, part)| (key, StreamedPart(self.0, RefCell::new(Some(part))))))
    }
}

struct StreamedPart<'s, 'j>(&'s Job<'s>, RefCell<Option<Part<'j>>>);

impl serde::Serialize for StreamedPart<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1.borrow_mut().take() {
            None => serializer.serialize_none(),
            Some(Part::Whole(value)) => self.0.clear(value).0.serialize(serializer),
            Some(Part::Each(items)) => serializer.collect_seq(items.map(|item| self.0.clear(item).0)),
        }
    }
}

/// What an export writes, in memory.
pub fn written(export: &super::Export, job: &Job<'_>) -> io::Result<Cleared<Vec<u8>>> {
    held(|sink| (export.write)(job, sink))
}

/// What is written into a sink, in memory.
pub fn held(write: impl FnOnce(&mut Sink<'_>) -> io::Result<()>) -> io::Result<Cleared<Vec<u8>>> {
    let mut out = Vec::new();
    write(&mut Sink::new(&mut out))?;
    Ok(Cleared(out))
}
