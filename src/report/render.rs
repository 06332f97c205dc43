//! Fills templates with the report. What enters a Markdown template is escaped unless the template says otherwise.

use std::fmt::Write as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};
use serde::Deserialize;

use super::markdown;
use super::view::{OptionsView, View};
use super::{Input, Report};

/// Steps a template may take; a template that loops ends with an error.
const FUEL: u64 = 20_000_000;
/// The longest ticket, in characters.
pub const TICKET_MAX: usize = 900;

/// A template that comes with the program.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// The word after `--template`.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Its text.
    pub source: &'static str,
}

/// All templates, the default first. A new one is one file and one line.
pub static TEMPLATES: &[Template] = &[
    Template {
        name: "full",
        about: "incident report after NIST SP 800-61, what matters first",
        source: include_str!("../../assets/templates/full.md.j2"),
    },
    Template {
        name: LONG,
        about: "the same with ledger, glossary and every row of its tables",
        source: include_str!("../../assets/templates/full.md.j2"),
    },
    Template {
        name: "google",
        about: "two-part form of the Google Cybersecurity Certificate",
        source: include_str!("../../assets/templates/google.md.j2"),
    },
    Template {
        name: "seed-log",
        about: "background, log, problem summary, solution summary",
        source: include_str!("../../assets/templates/seed-log.md.j2"),
    },
    Template {
        name: "walkthrough",
        about: "overview and four steps, the first exchange explained",
        source: include_str!("../../assets/templates/walkthrough.md.j2"),
    },
    Template {
        name: "ticket",
        about: "at most 900 characters for a ticket or chat",
        source: include_str!("../../assets/templates/ticket.txt.j2"),
    },
];

/// The appendices that the short form leaves out.
const FOLDED: &str = "{% from \"macros\" import blocks %}{% for s in further %}\n## {{ s.title }}\n\n{{ blocks(s) }}\n{% endfor %}";

/// The full report in its long form.
pub const LONG: &str = "long";

/// The template for machines, written by [`crate::export`] and not by minijinja.
pub const JSON: &str = "json";

/// A template of this name.
pub fn find(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.name == name)
}

/// How to render.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Choices of form.
    pub form: OptionsView,
    /// When (RFC 3339), from whoever may read a clock.
    pub generated: Option<String>,
    /// Calls the report final instead of a draft.
    pub is_final: bool,
    /// Characters that a ticket leaves free for what is put under it.
    pub spare: usize,
}

/// A report with its template filled in: what exports are written from.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The report in plain form.
    pub view: View,
    /// The filled template, Markdown (tickets: plain text).
    pub markdown: String,
    /// What the short form leaves out and a form that can fold it may hold; empty where there is nothing.
    pub folded: String,
}

/// Fills a template. `source` is the template's text, `name` decides how it is escaped (`.txt` is not Markdown).
pub fn render(
    report: &Report,
    input: &Input<'_>,
    (name, source): (&str, &str),
    options: &Options,
) -> Result<Rendered, Error> {
    render_changed(report, input, (name, source), options, &mut |_| {})
}

/// Fills a template after a last change of what it is filled from.
pub fn render_changed(
    report: &Report,
    input: &Input<'_>,
    (name, source): (&str, &str),
    options: &Options,
    change: &mut dyn FnMut(&mut View),
) -> Result<Rendered, Error> {
    let form = OptionsView { long: options.form.long || name == LONG, ..options.form };
    let mut view = View::of(report, input, form, options.generated.clone());
    view.status = if options.is_final { "final" } else { "draft" };
    if options.is_final && !view.lint.is_final() {
        view.still_open = still_open(&view);
    }
    change(&mut view);
    let mut markdown = fill(name, source, &view)?;
    if name == "ticket" {
        markdown = fitted(&markdown, TICKET_MAX.saturating_sub(options.spare));
    }
    let folded = if name == "full" && !view.further.is_empty() {
        fill("folded.md.j2", FOLDED, &view)?
    } else {
        String::new()
    };
    if options.is_final && !view.lint.is_final() && !is_plain(name) {
        markdown.push_str(&open_points(&view));
    } else if !view.still_open.is_empty() && !markdown.contains(&view.still_open) {
        let _ = writeln!(markdown, "Called final{}.", view.still_open);
    }
    Ok(Rendered { view, markdown, folded })
}

/// The same in a clause, to stand behind the word "final".
fn still_open(view: &View) -> String {
    let fields = super::words::count(view.lint.open, "required field", "required fields");
    let suggestions = super::words::count(view.lint.unaccepted, "suggestion", "suggestions");
    format!(" with {fields} open and {suggestions} not accepted")
}

/// What a report that is called final leaves open, in a box at its end.
fn open_points(view: &View) -> String {
    let open = view.lint.issues.iter().filter(|issue| issue.check == "open");
    let mut rows: Vec<String> = open.map(|issue| markdown::escape_cell(&issue.message)).collect();
    if view.lint.unaccepted > 0 {
        rows.push(format!("{} suggestions of the program that nobody has accepted", view.lint.unaccepted));
    }
    let mut out = "\n## Open in this report\n\n| Called final all the same |\n| --- |".to_owned();
    for row in rows {
        let _ = write!(out, "\n| {row} |");
    }
    out.push('\n');
    out
}

/// Whether a template's name says that it is plain text.
fn is_plain(name: &str) -> bool {
    let kind = std::path::Path::new(name.trim_end_matches(".j2")).extension();
    name == "ticket" || kind.is_some_and(|kind| kind.eq_ignore_ascii_case("txt"))
}

/// Fills one of the program's templates by its name.
pub fn render_named(
    report: &Report,
    input: &Input<'_>,
    name: &str,
    options: &Options,
) -> Result<Rendered, Error> {
    let template = find(name).ok_or_else(|| {
        let known: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
        let text = format!("no template named {name:?}; there are {} and {JSON}", known.join(", "));
        Error::new(ErrorKind::TemplateNotFound, text)
    })?;
    render(report, input, (template.name, template.source), options)
}

fn fill(name: &str, source: &str, view: &View) -> Result<String, Error> {
    let ticket = is_plain(name);
    let is_printed = view.sections.iter().any(|section| section.id == "ledger");
    let ledger = if is_printed { Ledger::Printed } else { Ledger::LeftOut };
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax?);
    environment.set_auto_escape_callback(move |_| {
        if ticket { AutoEscape::None } else { AutoEscape::Custom("markdown".into()) }
    });
    environment.set_formatter(|out, state, value| {
        if value.is_undefined() || value.is_none() {
            return Ok(());
        }
        let text = value.to_string();
        let plain = value.is_safe() || matches!(state.auto_escape(), AutoEscape::None);
        out.write_str(&if plain { text } else { markdown::escape(&text) }).map_err(Error::from)
    });
    environment.add_filter("say", move |claim: Serde<Said>| say(&claim, ticket, None));
    environment.add_filter("weighed", move |claim: Serde<Said>| say(&claim, ticket, Some(ledger)));
    environment.add_filter("entry", |field: Serde<Filled>| {
        let value =
            field.value.as_deref().map_or_else(|| "«to be completed»".to_owned(), markdown::escape_cell);
        Value::from_safe_string(value)
    });
    environment.add_filter("fill", move |field: Serde<Filled>| filled(&field, ticket));
    environment
        .add_filter("fence", |lines: Serde<Vec<String>>| Value::from_safe_string(markdown::fence(&lines)));
    let lines = |table: &Tabled, cites: Cites| Value::from_safe_string(table.markdown(cites));
    environment.add_filter("table", move |table: Serde<Tabled>| lines(&table, Cites::Frames));
    environment.add_filter("appended", move |table: Serde<Tabled>| lines(&table, Cites::FramesAndLists));
    environment.add_filter("cited", move |text: String| cited(&text, ticket));
    environment.add_filter("short", |text: String, most: usize| shorten(&text, most));
    environment.add_filter(
        "whole",
        |text: String, most: usize, instead: String| {
            if text.chars().count() <= most { text } else { instead }
        },
    );
    environment.add_template("macros", include_str!("../../assets/templates/macros.md.j2"))?;
    environment.add_template(name, source)?;
    let filled = environment.get_template(name)?.render(Value::from(Serde(view)))?;
    Ok(tidy(&filled))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    text: String,
    citation: String,
    list: Option<usize>,
    brief: bool,
    rows: Vec<String>,
    state: String,
}

#[derive(Debug, Deserialize)]
struct Tabled {
    caption: String,
    head: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    cells: Vec<String>,
    code: Vec<usize>,
    citation: Option<String>,
    list: Option<usize>,
}

/// A cell of commands: all of it as code, or what stands between backticks, with words around it.
fn commands(cell: &str) -> String {
    let parts: Vec<&str> = cell.split('`').collect();
    if parts.len() < 3 || parts.len().is_multiple_of(2) {
        return markdown::code(cell);
    }
    let part = |(at, part): (usize, &&str)| {
        if at % 2 == 1 {
            return markdown::code(part);
        }
        let space = |is_there: bool| if is_there { " " } else { "" };
        let (before, after) = (space(part.starts_with(' ')), space(part.ends_with(' ')));
        format!("{before}{}{after}", markdown::escape_cell(part))
    };
    parts.iter().enumerate().filter(|(_, part)| !part.is_empty()).map(part).collect()
}

/// Where a report ends in lists of frames, citations name theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cites {
    Frames,
    FramesAndLists,
}

impl Tabled {
    /// Caption and table, without a line break at the end.
    fn markdown(&self, cites: Cites) -> String {
        let head: Vec<String> = self.head.iter().map(|cell| markdown::escape_cell(cell)).collect();
        let mut out = String::new();
        if !self.caption.is_empty() {
            let _ = write!(out, "**{}**\n\n", markdown::escape(&self.caption));
        }
        let _ = write!(out, "| {} |\n|", head.join(" | "));
        out.push_str(&" --- |".repeat(head.len()));
        for row in &self.rows {
            let cells = row.cells.iter().enumerate().map(|(at, cell)| {
                if row.code.contains(&at) { commands(cell) } else { markdown::escape_cell(cell) }
            });
            let citation = row.citation.as_ref().map(|citation| {
                bracketed(citation, row.list.filter(|_| cites == Cites::FramesAndLists), false)
            });
            let cells: Vec<String> = cells.chain(citation).collect();
            let _ = write!(out, "\n| {} |", cells.join(" | "));
        }
        out
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filled {
    prompt: String,
    value: Option<String>,
}

/// Whether a report holds its ledger, so that rows can be named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ledger {
    Printed,
    LeftOut,
}

/// A citation in brackets with the number of its list; the list alone where that is shorter and asked for.
fn bracketed(citation: &str, list: Option<usize>, brief: bool) -> String {
    match list {
        _ if citation.is_empty() => String::new(),
        Some(list) if brief => format!("[list {list}]"),
        Some(list) => format!("[{citation}, list {list}]"),
        None => format!("[{citation}]"),
    }
}

/// A claim with its citation before the final full stop; in a report with appendices the list of its frames, and the
/// ledger rows behind it where the ledger is printed.
fn say(claim: &Said, plain: bool, whole: Option<Ledger>) -> Value {
    let (body, stop) = match claim.text.trim_end().strip_suffix('.') {
        Some(body) if !claim.citation.is_empty() => (body, "."),
        _ => (claim.text.trim_end(), ""),
    };
    let body = if plain { body.replace('\n', " ") } else { markdown::escape_lines(body) };
    let list = claim.list.filter(|_| whole.is_some());
    let mut citation = match bracketed(&claim.citation, list, claim.brief) {
        none if none.is_empty() => none,
        cited => format!(" {cited}"),
    };
    if whole == Some(Ledger::Printed) && !claim.rows.is_empty() {
        citation = format!("{citation} (ledger {})", claim.rows.join(", "));
    }
    let mark = match claim.state.as_str() {
        "stale" => " (the evidence has changed since this text was decided on)",
        "edited" => " (analyst's wording)",
        _ => "",
    };
    let text = format!("{body}{citation}{stop}{mark}");
    if plain { Value::from(text) } else { Value::from_safe_string(text) }
}

/// A sentence of the program's that ends with its citation in brackets, which stay as they are.
fn cited(text: &str, plain: bool) -> Value {
    let (body, citation) = match text.rfind(" [") {
        Some(at) if !plain => text.split_at(at),
        _ => (text, ""),
    };
    if plain { Value::from(text) } else { Value::from_safe_string(markdown::escape(body) + citation) }
}

fn filled(field: &Filled, plain: bool) -> Value {
    match &field.value {
        Some(value) if plain => Value::from(value.replace('\n', " ")),
        Some(value) => Value::from_safe_string(markdown::escape_lines(value)),
        None => Value::from_safe_string(format!("«to be completed: {}»", field.prompt)),
    }
}

/// Lines that begin with `~N~` stand where there is room, the lowest number first, so that there are at most so many
/// characters. What must stand and is longer still loses whole sentences and, at last, whole words.
fn fitted(text: &str, most: usize) -> String {
    let ranked = |line: &str| -> Option<(u32, String)> {
        let (rank, rest) = line.strip_prefix('~')?.split_once('~')?;
        Some((rank.parse().ok()?, rest.to_owned()))
    };
    let lines: Vec<(u32, String)> =
        text.lines().map(|line| ranked(line).unwrap_or_else(|| (0, line.to_owned()))).collect();
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|at| lines.get(*at).map(|(rank, _)| *rank));
    let (mut used, mut kept) = (0, std::collections::BTreeSet::new());
    for at in order {
        let Some((rank, line)) = lines.get(at) else { continue };
        let length = line.chars().count() + 1;
        if *rank == 0 || used + length <= most {
            used += length;
            kept.insert(at);
        }
    }
    let mut whole = String::new();
    for (_, line) in kept.into_iter().filter_map(|at| lines.get(at)) {
        let _ = writeln!(whole, "{line}");
    }
    if whole.chars().count() <= most {
        return whole;
    }
    let room = most.saturating_sub(2);
    let cut: String = whole.chars().take(room).collect();
    let end = cut.rfind(". ").map(|at| at + 1).or_else(|| cut.rfind(char::is_whitespace)).unwrap_or(0);
    format!("{} …", cut.get(..end).unwrap_or_default().trim_end())
}

/// At most this many characters, cut with `…`.
fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// No more than one empty line in a row, none at the beginning, one line break at the end.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 1;
    for line in text.lines() {
        empty = if line.trim().is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_around_a_command_are_no_code() {
        assert_eq!(commands("dig example.com"), "`dig example.com`");
        assert_eq!(commands("`nstat` before and *after*"), "`nstat` before and \\*after\\*");
    }

    #[test]
    fn a_ticket_leaves_out_whole_lines_in_the_order_it_states() {
        let text = "kept\n~2~second to go\n~9~first to go\n~1~last to go\n";
        assert_eq!(fitted(text, 900), "kept\nsecond to go\nfirst to go\nlast to go\n");
        assert_eq!(fitted(text, 40), "kept\nsecond to go\nlast to go\n");
        assert_eq!(fitted(text, 20), "kept\nlast to go\n");
        assert_eq!(fitted("One sentence. Another sentence.\n", 20), "One sentence. …");
        assert_eq!(fitted("words without an end\n", 12), "words …");
    }
}
