//! The choices of form that `report` and `export` share, and the report they make.

use std::cell::RefCell;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::Made;
use crate::case::State;
use crate::cli::complain_line;
use crate::export::cleared::{self, Cleared};
use crate::export::redact::Pseudonyms;
use crate::export::{Job, bundle, leaving};
use crate::index::Index;
use crate::report::render::{self, Options, Rendered, TEMPLATES};
use crate::report::view::OptionsView;
use crate::report::{Input, Report, draft};

/// The largest template file read, in bytes.
const TEMPLATE_MAX_BYTES: u64 = 1 << 20;

/// How the google template is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Style {
    /// One heading for each question.
    #[default]
    Form,
    /// The two part headings and running text.
    Prose,
}

/// How the report is made.
#[derive(clap::Args, Clone, Debug)]
pub struct Form {
    /// Template: full, long, google, seed-log, walkthrough, ticket, json, one of your own by name, or a file.
    #[arg(long, default_value = "full", value_name = "NAME|FILE")]
    pub template: String,
    /// Call the report final; refused while something required is open or a suggestion is unaccepted.
    #[arg(long = "final")]
    pub is_final: bool,
    /// With --final: list what is open in the report instead of refusing.
    #[arg(long, requires = "is_final")]
    pub allow_open: bool,
    /// google template: correct the official wording "ICMP echo reply".
    #[arg(long)]
    pub corrected_headings: bool,
    /// google template: headings a question, or running text.
    #[arg(long, value_enum, default_value_t)]
    pub style: Style,
    /// full template: the ledger, the glossary and every row of its tables as well.
    #[arg(long)]
    pub long: bool,
    /// Replace addresses, names and captured words by consistent pseudonyms, in the report and in packets; leave out what was typed.
    #[arg(long)]
    pub redact: bool,
    /// Keep the folders that captures lie in; without this reports name files alone.
    #[arg(long, conflicts_with = "redact")]
    pub paths: bool,
    /// Use no case, even where there is one.
    #[arg(long)]
    pub no_case: bool,
    /// Look for no template of this name in the user's configuration directory.
    #[arg(skip)]
    own_only: bool,
}

/// What a report is made from instead of the originals, which know the folders of captures and all that was typed.
struct Shown {
    index: Index,
    state: State,
    pseudonyms: Option<RefCell<Pseudonyms>>,
}

/// A report with its template filled in, ready to be exported.
pub struct Formed<'m> {
    made: &'m Made,
    shown: Option<Shown>,
    report: Report,
    rendered: Cleared<Rendered>,
}

impl Form {
    /// The form a bundle was made in, with the program's own template.
    pub fn of(template: &bundle::Template, is_final: bool) -> Self {
        Self {
            template: render::find(&template.name).map_or("full", |own| own.name).to_owned(),
            is_final,
            allow_open: is_final,
            corrected_headings: template.corrected_headings,
            style: if template.prose { Style::Prose } else { Style::Form },
            long: template.long,
            redact: false,
            paths: template.paths,
            no_case: true,
            own_only: true,
        }
    }

    /// Drafts and renders the report of what was made.
    pub fn fill<'m>(&self, made: &'m Made, generated: Option<String>) -> Result<Formed<'m>> {
        let template = self.template()?;
        let shown = (!self.paths).then(|| {
            let Input { index, case, .. } = made.input();
            let (index, state) = leaving(index, case, self.redact);
            let pseudonyms = self.redact.then(|| RefCell::new(Pseudonyms::of(&index).knowing(&state)));
            Shown { index, state, pseudonyms }
        });
        let input = input_of(made, shown.as_ref());
        let report = draft(&input);
        self.check_final(&report)?;
        let form = OptionsView {
            corrected_headings: self.corrected_headings,
            prose: self.style == Style::Prose,
            long: self.long,
            paths: self.paths,
        };
        let options = Options { form, generated, is_final: self.is_final, spare: 0 };
        let name_and_source = (template.0.as_str(), template.1.as_str());
        let redaction = shown.as_ref().and_then(|shown| shown.pseudonyms.as_ref());
        let rendered = cleared::render(redaction, &report, &input, name_and_source, &options)
            .with_context(|| format!("template {}", template.0))?;
        Ok(Formed { made, shown, report, rendered })
    }

    fn check_final(&self, report: &Report) -> Result<()> {
        let lint = crate::report::lint::lint(report);
        if !self.is_final || lint.is_final() || self.allow_open {
            return Ok(());
        }
        for issue in lint.issues.iter().filter(|issue| issue.check == "open") {
            complain_line(&format!("{}: {}", issue.id, issue.message));
        }
        bail!(
            "not final: {} required fields are open and {} suggestions are unaccepted (--allow-open writes it all the same)",
            lint.open,
            lint.unaccepted
        );
    }

    /// Name and text of the template: the user's own, the program's, or a file.
    pub fn template(&self) -> Result<(String, String)> {
        let name = self.template.as_str();
        if name == render::JSON {
            return template_named("full");
        }
        if let Some(path) = own_template(name).filter(|_| !self.own_only) {
            return read_template(&path);
        }
        if render::find(name).is_some() {
            return template_named(name);
        }
        let path = PathBuf::from(name);
        if path.is_file() {
            return read_template(&path);
        }
        let known: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
        bail!("no template named {name:?} and no such file; there are {} and json", known.join(", "))
    }
}

impl Formed<'_> {
    /// What exports are written from.
    pub fn job(&self) -> Job<'_> {
        Job {
            report: &self.report,
            rendered: &self.rendered,
            input: input_of(self.made, self.shown.as_ref()),
            redaction: self.shown.as_ref().and_then(|shown| shown.pseudonyms.as_ref()),
        }
    }
}

fn input_of<'i>(made: &'i Made, shown: Option<&'i Shown>) -> Input<'i> {
    let input = made.input();
    match shown {
        Some(shown) => Input { index: &shown.index, case: &shown.state, ..input },
        None => input,
    }
}

fn template_named(name: &str) -> Result<(String, String)> {
    let found = render::find(name).with_context(|| format!("no template named {name:?}"))?;
    Ok((found.name.to_owned(), found.source.to_owned()))
}

/// A template of this name in the user's configuration directory.
fn own_template(name: &str) -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    if name.contains(['/', '\\']) {
        return None;
    }
    let directory = etcetera::choose_base_strategy().ok()?.config_dir().join("portmortem").join("templates");
    [".md.j2", ".txt.j2", ".j2"]
        .iter()
        .map(|ending| directory.join(format!("{name}{ending}")))
        .find(|path| path.is_file())
}

fn read_template(path: &std::path::Path) -> Result<(String, String)> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if size > TEMPLATE_MAX_BYTES {
        bail!("{} is too large for a template", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_name().map_or_else(|| "template".into(), |name| name.to_string_lossy().into_owned());
    Ok((name, text))
}
