//! `portmortem report`: writes the report of a capture, with the case beside it where there is one.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};

use anyhow::{Context as _, Result, bail};

use super::load::{Loaded, Open};
use super::{Outcome, complain_line};
use crate::capture;
use crate::case::store::{self, Paths};
use crate::case::{Case, EvidenceRecord, Notice, Place, State, hash_source};
use crate::export::{self, Job};
use crate::findings::hypotheses::{self, Assessment, Change};
use crate::findings::{self, Finding};
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

/// Arguments of `report`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Template: full, google, seed-log, walkthrough, ticket, json, one of your own by name, or a file.
    #[arg(long, default_value = "full", value_name = "NAME|FILE")]
    pub template: String,
    /// Format: markdown, text, html, docx, pdf, json, ecs, pcapng [default: by the name of the output, else markdown].
    #[arg(long)]
    pub format: Option<String>,
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over an existing output file.
    #[arg(long)]
    pub force: bool,
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
    /// Use no case, even where there is one.
    #[arg(long)]
    pub no_case: bool,
    #[command(flatten)]
    open: Open,
}

/// Everything a draft is made from, owned.
pub struct Made {
    loaded: Loaded,
    findings: Vec<Finding>,
    assessments: Vec<Assessment>,
    state: State,
}

impl Made {
    /// Loads captures and case and runs rules and assessment.
    pub fn from(open: &Open, with_case: bool) -> Result<Self> {
        let loaded = open.load()?;
        let records = records(&loaded.index)?;
        let state = if with_case { case_of(&loaded.index, &records)? } else { State::default() };
        Ok(Self::of(loaded, State { evidence: records, ..state }))
    }

    /// Runs rules and assessment over loaded captures.
    pub fn of(loaded: Loaded, state: State) -> Self {
        let input = findings::Input { index: &loaded.index, evidence: &loaded.evidence };
        let findings = findings::run(&input, &[]);
        let assessments = hypotheses::assess_all(&input, &findings, &changes(&state));
        Self { loaded, findings, assessments, state }
    }

    /// What the draft takes.
    pub fn input(&self) -> Input<'_> {
        Input {
            index: &self.loaded.index,
            evidence: &self.loaded.evidence,
            findings: &self.findings,
            assessments: &self.assessments,
            case: &self.state,
        }
    }
}

/// The analyst's changes of the ledger in the form the assessment takes.
fn changes(state: &State) -> Vec<Change> {
    state
        .ledger
        .iter()
        .map(|change| Change {
            hypothesis: change.hypothesis.clone(),
            row: change.row.clone(),
            weight_db: change.weight_db,
            off: change.off,
            note: change.note.clone(),
        })
        .collect()
}

/// Hashes every capture.
fn records(index: &Index) -> Result<Vec<EvidenceRecord>> {
    let mut records = Vec::new();
    for source in &index.sources {
        let (never, progress) = (AtomicBool::new(false), AtomicU64::new(0));
        let sha256 = hash_source(source.path.as_deref(), source.bytes.bytes(), &never, &progress)
            .with_context(|| format!("cannot hash {}", crate::text::escape(&source.name)))?
            .unwrap_or_default();
        records.push(EvidenceRecord { name: source.name.clone(), size: source.size, sha256 });
    }
    Ok(records)
}

/// The state of the case beside the first capture or under its hash; empty where there is none.
fn case_of(index: &Index, records: &[EvidenceRecord]) -> Result<State> {
    let Some(first) = index.sources.first() else { return Ok(State::default()) };
    let place = Place::new(first.path.as_deref());
    let beside = first.path.as_deref().map(Paths::beside).filter(Paths::exist);
    let by_hash = || {
        let record = records.first()?;
        store::find_by_hash(first.path.as_deref(), place.directory.as_deref(), &record.sha256)
    };
    let Some(paths) = beside.or_else(by_hash) else { return Ok(State::default()) };
    let (state, notices) = Case::read_state(&paths)
        .with_context(|| format!("cannot read the case {}", paths.snapshot.display()))?;
    for notice in notices {
        complain_line(&notice.to_string());
    }
    for (recorded, found) in state.evidence.iter().zip(records) {
        if recorded.sha256 != found.sha256 {
            let notice = Notice::CaptureChanged {
                name: found.name.clone(),
                recorded: recorded.sha256.clone(),
                found: found.sha256.clone(),
            };
            complain_line(&notice.to_string());
        }
    }
    Ok(state)
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let format = format(arguments)?;
    if let Some(path) = &arguments.output {
        check_output(path, arguments)?;
    }
    let template = template(arguments)?;
    let made = Made::from(&arguments.open, !arguments.no_case)?;
    let input = made.input();
    let report = draft(&input);
    let lint = crate::report::lint::lint(&report);
    if arguments.is_final && !lint.is_final() && !arguments.allow_open {
        for issue in lint.issues.iter().filter(|issue| issue.check == "open") {
            complain_line(&format!("{}: {}", issue.id, issue.message));
        }
        bail!(
            "not final: {} required fields are open and {} suggestions are unaccepted (--allow-open writes it all the same)",
            lint.open,
            lint.unaccepted
        );
    }
    let form = OptionsView {
        corrected_headings: arguments.corrected_headings,
        prose: arguments.style == Style::Prose,
    };
    let generated = Some(chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let options = Options { form, generated, is_final: arguments.is_final };
    let name_and_source = (template.0.as_str(), template.1.as_str());
    let rendered = render::render(&report, &input, name_and_source, &options)
        .with_context(|| format!("template {}", template.0))?;
    write(arguments, format, &Parts { report: &report, rendered: &rendered, input })?;
    let empty = input.index.is_empty();
    Ok(if empty { Outcome::NothingMatched } else { Outcome::Done })
}

struct Parts<'p> {
    report: &'p Report,
    rendered: &'p Rendered,
    input: Input<'p>,
}

fn write(arguments: &Arguments, format: &export::Export, parts: &Parts<'_>) -> Result<()> {
    let job = Job { report: parts.report, rendered: parts.rendered, input: parts.input };
    let Some(path) = &arguments.output else {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        (format.write)(&job, &mut out)?;
        out.flush()?;
        return Ok(());
    };
    // A file that is written in full or not at all.
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    let context = || format!("cannot write {}", path.display());
    let mut file =
        tempfile::Builder::new().prefix(".portmortem-").tempfile_in(directory).with_context(context)?;
    let mut out = std::io::BufWriter::new(&mut file);
    (format.write)(&job, &mut out)?;
    out.flush()?;
    drop(out);
    make_readable(file.as_file()).with_context(context)?;
    if arguments.force {
        file.persist(path).with_context(context)?;
    } else {
        file.persist_noclobber(path).with_context(context)?;
    }
    Ok(())
}

/// Temporary files are private; a report is as readable as other new files.
#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

/// The output may be new, or replaced with --force; never a capture.
fn check_output(path: &std::path::Path, arguments: &Arguments) -> Result<()> {
    let same = |capture: &PathBuf| match (capture.canonicalize(), path.canonicalize()) {
        (Ok(capture), Ok(path)) => capture == path,
        _ => false,
    };
    if arguments.open.files.iter().any(same) || (path.exists() && capture::open(path).is_ok()) {
        bail!("{} is a capture: it is never written over", path.display());
    }
    if path.exists() && !arguments.force {
        bail!("{} exists already: give --force to write over it", path.display());
    }
    Ok(())
}

fn format(arguments: &Arguments) -> Result<&'static export::Export> {
    let by_ending = || {
        let path = arguments.output.as_ref()?;
        Some(path.extension()?.to_string_lossy().to_lowercase())
    };
    let json = (arguments.template == render::JSON).then(|| "json".to_owned());
    let name = arguments.format.clone().or(json).or_else(by_ending);
    let Some(name) = name else { return Ok(&export::markdown::MARKDOWN) };
    match export::find(&name) {
        Some(found) => Ok(found),
        None if arguments.format.is_none() => Ok(&export::markdown::MARKDOWN),
        None => {
            let known: Vec<&str> = export::EXPORTS.iter().map(|export| export.name).collect();
            bail!("no format named {name:?}; there are {}", known.join(", "))
        }
    }
}

/// Name and text of the template: the user's own, the program's, or a file.
fn template(arguments: &Arguments) -> Result<(String, String)> {
    let name = arguments.template.as_str();
    if name == render::JSON {
        return template_named("full");
    }
    if let Some(path) = own_template(name) {
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
