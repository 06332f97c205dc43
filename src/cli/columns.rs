//! `portmortem columns`: writes what was found in captures as Parquet files into a lake.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};

use anyhow::{Context as _, Result, bail};
use rayon::prelude::*;
use serde_json::json;

use super::load::{self, Loaded, Open};
use super::printing::Format;
use super::{Outcome, complain_line};
use crate::capture::Options;
use crate::case::hash::hash_source;
use crate::columns::lake::{Verdict, check_names};
use crate::columns::unit::{self, By, Look};
use crate::columns::{self, Lake, Member, Status, Unit};
use crate::correlate::{Parameters, correlate};
use crate::index::Index;
use crate::text::{escape, thousands};

/// Arguments of `columns`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Captures of one sensor, and directories of them; - for standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The site they were captured at: equal private addresses of two sites are two hosts.
    #[arg(long, value_name = "NAME")]
    site: String,
    /// The sensor that captured them.
    #[arg(long, value_name = "NAME")]
    sensor: String,
    /// The lake: a folder that is made where there is none.
    #[arg(short, long, value_name = "LAKE")]
    output: PathBuf,
    /// What is read as one story: all captures that begin on one UTC day, or each capture by itself.
    #[arg(long, value_enum, default_value_t)]
    unit: UnitKind,
    /// Write nothing and end with exit code 2 where a file is no capture that is read.
    #[arg(long)]
    strict: bool,
    /// Try captures again that could not be read before.
    #[arg(long)]
    retry_quarantined: bool,
    /// Say what would be done, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Make this program's generation the one that questions read; the first one of a lake becomes it unasked.
    #[arg(long)]
    current: bool,
    /// Do not say on standard error which unit is read.
    #[arg(short, long)]
    quiet: bool,
    /// How to print what was done.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Read this UDP and TCP port as DNS too; may be given several times. To be the same for all captures of a sensor.
    #[arg(long, value_name = "PORT")]
    dns_port: Vec<u16>,
    /// Take this address or name for a resolver that speaks DNS over HTTPS; may be given several times.
    #[arg(long, value_name = "ADDRESS|NAME")]
    encrypted_dns: Vec<String>,
    /// Unpack compressed captures up to this size, whatever their ratio (default 16G, and at most 400 times their size).
    #[arg(long, value_name = "BYTES", value_parser = load::size)]
    max_unpacked: Option<u64>,
}

/// What is read as one story.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum UnitKind {
    /// All captures of the sensor that begin on one UTC day.
    #[default]
    SensorDay,
    /// Each capture by itself.
    Capture,
}

impl Arguments {
    /// The lake.
    pub(super) fn lake(&self) -> &Path {
        &self.output
    }

    /// The captures.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    fn open(&self, files: Vec<PathBuf>) -> Open {
        Open {
            files,
            dns_port: self.dns_port.clone(),
            encrypted_dns: self.encrypted_dns.clone(),
            max_unpacked: self.max_unpacked,
            one_clock: true,
            ..Open::default()
        }
    }
}

/// What became of a unit.
struct Told {
    done: &'static str,
    why: Option<String>,
    rows: Vec<(&'static str, u64)>,
}

impl Told {
    fn of(done: &'static str) -> Self {
        Self { done, why: None, rows: Vec::new() }
    }

    fn because(done: &'static str, why: String) -> Self {
        Self { why: Some(why), ..Self::of(done) }
    }

    /// Whether somebody has to look at it.
    fn is_failure(&self) -> bool {
        matches!(self.done, REFUSED | FAILED)
    }
}

const WRITTEN: &str = "written";
const REPLACED: &str = "replaced";
const THERE: &str = "there";
const REFUSED: &str = "refused";
const FAILED: &str = "failed";

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    check_names(&arguments.site, &arguments.sensor)?;
    let spool = tempfile::tempdir().context("there is no room for what comes from a pipe")?;
    let (found, missing) = look(arguments, spool.path())?;
    for error in &missing {
        complain_line(error);
    }
    let unreadable: Vec<String> = found
        .iter()
        .filter_map(|(member, look)| match look {
            Look::Unreadable(why) => Some((member, why)),
            _ => None,
        })
        .map(|(_, why)| why.clone())
        .collect();
    if arguments.strict && (!missing.is_empty() || !unreadable.is_empty()) {
        for why in &unreadable {
            complain_line(why);
        }
        bail!(
            "nothing was written (--strict): {} of the files cannot be read",
            missing.len() + unreadable.len()
        );
    }
    let all_unreadable = found.len() == unreadable.len();
    let by = if arguments.unit == UnitKind::Capture { By::Capture } else { By::SensorDay };
    let mut units = unit::units((&arguments.site, &arguments.sensor), by, found);
    let lake =
        if arguments.dry_run { Lake::open(arguments.lake())? } else { Some(Lake::made(arguments.lake())?) };
    if let Some(lake) = lake.as_ref().filter(|_| !arguments.dry_run) {
        lake.clear_stages(chrono::Utc::now().timestamp())?;
    }
    let mut failed = !missing.is_empty();
    let count = units.len();
    for (at, unit) in units.iter_mut().enumerate() {
        if !arguments.quiet {
            progress((at + 1, count), unit);
        }
        // A lake that cannot be written is no matter of one unit.
        let told = one(arguments, lake.as_ref(), unit)?;
        for member in unit.members.iter().filter(|member| member.status == Status::Quarantined) {
            complain_line(&format!("quarantined: {}", member.why.as_deref().unwrap_or(&member.capture)));
        }
        // What is known to be unreadable is no news.
        failed |= told.is_failure() || (all_unreadable && told.done != THERE);
        print(arguments.format, unit, &told)?;
    }
    if let Some(lake) = lake.as_ref().filter(|_| !arguments.dry_run) {
        settle_current(arguments, lake)?;
    }
    Ok(if failed { Outcome::Asked(2) } else { Outcome::Done })
}

/// The first generation of a lake is the one that questions read, and so is the one that was asked for.
fn settle_current(arguments: &Arguments, lake: &Lake) -> Result<()> {
    let own = format!("gen={}", columns::generation());
    match lake.current()? {
        Some(current) if current == own => {}
        Some(current) if !arguments.current => {
            complain_line(&format!("questions still read {}: --current makes it {own}", escape(&current)));
        }
        _ => lake.set_current()?,
    }
    Ok(())
}

fn progress((at, count): (usize, usize), unit: &Unit) {
    let bytes: u64 = unit.members.iter().map(|member| member.bytes).sum();
    let captures = unit.members.len();
    let word = if captures == 1 { "capture" } else { "captures" };
    complain_line(&format!("{at} of {count}: {}, {captures} {word}, {} bytes", unit.name, thousands(bytes)));
}

/// The captures found, and what the system does not let be read.
type Looked = (Vec<(Member, Look)>, Vec<String>);

/// Finds the captures and looks at the first packets of each; what the system does not let be read is told apart.
fn look(arguments: &Arguments, spool: &Path) -> Result<Looked> {
    let mut notes = Vec::new();
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    for file in &arguments.files {
        if file.is_dir() {
            let below = load::files_below(file, &mut notes)?;
            files.extend(below.into_iter().map(|path| (path.clone(), unit::base_name(&path))));
        } else {
            files.push((kept(file, spool, files.len())?, unit::base_name(file)));
        }
    }
    load::warn_of_files(&notes);
    let options: Options = arguments.open(Vec::new()).options();
    let one = |(path, capture): &(PathBuf, String)| -> Result<(Member, Look), String> {
        let look = unit::look(path, options).map_err(|error| error.to_string())?;
        let bytes = std::fs::metadata(path).map_or(0, |own| own.len());
        let sha256 = String::new();
        let (path, capture) = (path.clone(), capture.clone());
        Ok((Member { path, capture, sha256, bytes, status: Status::Done, why: None, first_ns: 0 }, look))
    };
    let looked: Vec<Result<(Member, Look), String>> = files.par_iter().map(one).collect();
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for one in looked {
        match one {
            Ok(own) => found.push(own),
            Err(error) => missing.push(error),
        }
    }
    Ok((found, missing))
}

/// The file itself, or what a pipe gives, kept as a file: it is read more than once.
fn kept(file: &Path, spool: &Path, at: usize) -> Result<PathBuf> {
    let is_standard_input = file.as_os_str() == "-";
    let is_stream = crate::files::there(file) == crate::files::There::Stream;
    if !is_standard_input && !is_stream {
        return Ok(file.to_owned());
    }
    let path = spool.join(at.to_string());
    let mut kept = std::fs::File::create_new(&path)?;
    let copied = if is_standard_input {
        std::io::copy(&mut std::io::stdin().lock(), &mut kept)
    } else {
        std::fs::File::open(file).and_then(|mut pipe| std::io::copy(&mut pipe, &mut kept))
    };
    copied.with_context(|| format!("cannot read {}", escape(&file.display().to_string())))?;
    Ok(path)
}

/// Hashes the captures of a unit that are not hashed yet.
fn hash(unit: &[Member]) -> Result<Vec<String>> {
    let one = |member: &Member| -> Result<String> {
        if !member.sha256.is_empty() {
            return Ok(member.sha256.clone());
        }
        let hash = hash_source(Some(&member.path), &[], &AtomicBool::new(false), &AtomicU64::new(0));
        let hash = hash.with_context(|| format!("cannot read {}", member.capture))?;
        hash.context("hashing was stopped")
    };
    unit.par_iter().map(one).collect()
}

fn take(unit: &mut Unit, hashes: Vec<String>) {
    for (member, hash) in unit.members.iter_mut().zip(hashes) {
        member.sha256 = hash;
    }
}

/// Leaves out captures that are the same bytes as one before.
fn leave_out_copies(unit: &mut Unit) {
    let mut seen = std::collections::BTreeSet::new();
    unit.members.retain(|member| {
        let is_new = seen.insert(member.sha256.clone());
        if !is_new {
            complain_line(&format!("{}: left out, the same bytes were given before", member.capture));
        }
        is_new
    });
}

fn have_equal_sizes(unit: &Unit) -> bool {
    let mut sizes: Vec<u64> = unit.members.iter().map(|member| member.bytes).collect();
    sizes.sort_unstable();
    sizes.windows(2).any(|pair| pair.first() == pair.last())
}

/// Does what is to be done about one unit.
fn one(arguments: &Arguments, lake: Option<&Lake>, unit: &mut Unit) -> Result<Told> {
    let has_any = lake.map_or(Ok(false), |lake| lake.has_any(unit))?;
    let is_hashed = has_any || (!arguments.dry_run && have_equal_sizes(unit));
    if is_hashed {
        let hashes = match hash(&unit.members) {
            Ok(hashes) => hashes,
            Err(error) => return Ok(Told::because(FAILED, format!("{error:#}"))),
        };
        take(unit, hashes);
        leave_out_copies(unit);
    }
    let verdict = match lake {
        Some(lake) if has_any => lake.judge(unit, arguments.retry_quarantined)?,
        _ => Verdict::New,
    };
    let mut told = Told::of(WRITTEN);
    match verdict {
        Verdict::New => {}
        Verdict::There => return Ok(Told::of(THERE)),
        Verdict::Grew(before) => {
            told.done = REPLACED;
            unit.replaces = Some(before);
        }
        Verdict::Missing(count) => {
            let why = format!(
                "the lake holds {count} of its captures that were not given, and their rows would be lost: give all of the day"
            );
            return Ok(Told::because(REFUSED, why));
        }
        Verdict::Mixed => {
            let why =
                "the lake holds this day of the sensor by the other --unit: its rows would be there twice";
            return Ok(Told::because(REFUSED, why.to_owned()));
        }
    }
    let Some(lake) = lake.filter(|_| !arguments.dry_run) else { return Ok(told) };
    let members = unit.members.clone();
    let (loaded, hashes) = std::thread::scope(|scope| {
        let hashes = scope.spawn(|| hash(&members));
        let loaded = read(arguments, unit);
        (loaded, hashes.join().unwrap_or_else(|_| Err(anyhow::anyhow!("hashing failed"))))
    });
    let (loaded, hashes) = match loaded.and_then(|loaded| Ok((loaded, hashes?))) {
        Ok(both) => both,
        Err(error) => return Ok(Told::because(FAILED, format!("{error:#}"))),
    };
    take(unit, hashes);
    told.rows = columns::write(lake, unit, &loaded.index, &loaded.evidence)?.rows;
    Ok(told)
}

/// Reads the captures of a unit as one.
fn read(arguments: &Arguments, unit: &Unit) -> Result<Loaded> {
    let files: Vec<PathBuf> = unit.read().map(|member| member.path.clone()).collect();
    if files.is_empty() {
        let index = Index::default();
        let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
        return Ok(Loaded { index, evidence });
    }
    let loaded = arguments.open(files).load()?;
    for source in &loaded.index.sources {
        if source.bytes.change().is_some() {
            bail!("{} changed while it was read", escape(&source.name));
        }
    }
    Ok(loaded)
}

fn print(format: Format, unit: &Unit, told: &Told) -> Result<()> {
    let quarantined = unit.members.iter().filter(|member| member.status == Status::Quarantined).count();
    let bytes: u64 = unit.members.iter().map(|member| member.bytes).sum();
    let mut out = std::io::stdout().lock();
    if format == Format::Json {
        let rows: serde_json::Map<String, serde_json::Value> =
            told.rows.iter().map(|(table, count)| ((*table).to_owned(), json!(count))).collect();
        let files: Vec<String> =
            unit.members.iter().map(|member| member.path.to_string_lossy().into_owned()).collect();
        let line = json!({
            "unit": unit.name,
            "files": files,
            "site": unit.site,
            "sensor": unit.sensor,
            "day": unit.day,
            "done": told.done,
            "why": told.why,
            "captures": unit.members.len(),
            "quarantined": quarantined,
            "bytes": bytes,
            "rows": rows,
        });
        writeln!(out, "{}", crate::text::json(&line)?)?;
        return Ok(());
    }
    let mut line = format!("{}: {}", unit.name, told.done);
    if let Some(why) = &told.why {
        line.push_str(": ");
        line.push_str(why);
    }
    for (table, count) in told.rows.iter().filter(|(_, count)| *count > 0) {
        let _ = write!(line, ", {table} {count}");
    }
    writeln!(out, "{}", crate::text::shown(&line))?;
    Ok(())
}
