//! The command line: arguments, one file per subcommand, exit codes.

#[cfg(feature = "columns")]
pub mod ask;
pub mod attempts;
#[cfg(feature = "columns")]
pub mod columns;
pub mod completions;
pub mod config;
mod confine;
pub mod dns;
pub mod episodes;
mod evidence;
pub mod explain;
pub mod export;
pub mod fields;
pub mod findings;
pub mod help;
pub mod lint;
pub mod load;
mod located;
pub mod manual;
pub mod mistake;
pub mod packets;
pub mod printing;
pub mod records;
pub mod report;
pub mod verify;
pub mod view;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::tui::own_editor;

/// How a subcommand ended when nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; exit code 0.
    Done,
    /// Nothing matched, or no packets; exit code 1.
    NothingMatched,
    /// Something from outside ended it; the code for that.
    Asked(u8),
}

const LONG_ABOUT: &str = "\
Opens packet captures, ties every ICMP error to the packet that provoked it and every DNS answer to its query, \
and drafts an incident report in which every sentence cites frames. Without a command it opens the full-screen \
program on FILE, or on a sample incident when no FILE is given. Captures are opened read-only and never changed.";

/// Exit codes, as help and manual page state them.
const EXIT_CODES: &str = "0 done (also when the reader of the output closed it), 1 nothing matched, no packets, or verify found a difference, 2 error";

const EXAMPLES: &str = "\
Examples:
  portmortem                                        look around in the sample incident
  portmortem outage.pcapng                          investigate a capture
  portmortem packets --filter 'dns or icmp.error' outage.pcapng
  portmortem report -o report.md outage.pcapng";

#[derive(Parser)]
#[command(
    name = "portmortem",
    version,
    about = "Investigates network incidents in packet captures",
    long_about = LONG_ABOUT,
    after_help = format!("{EXAMPLES}\n\nExit codes: {EXIT_CODES}"),
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// List the embedded samples and stop.
    #[arg(long)]
    list_samples: bool,
    /// Print every number correlation uses, with its meaning and source, and stop.
    #[arg(long)]
    help_parameters: bool,
    /// Colours of the screen: dark, light, contrast, colourblind, sixteen, monochrome (default: what suits the terminal).
    #[arg(long, value_name = "NAME", value_parser = view::theme)]
    theme: Option<&'static str>,
    /// Go to this frame (of the first file) when the captures are open; FILE#17 does the same.
    #[arg(long, value_name = "NUMBER")]
    frame: Option<u64>,
    /// Do not shut the program in (Linux: Landlock, seccomp, capabilities).
    #[arg(long, global = true)]
    no_sandbox: bool,
    /// Find captures that rows of a lake cite (SITE/SENSOR/CAPTURE#17, CAPTURE#17) below this folder.
    #[arg(long, global = true, value_name = "FOLDER")]
    lake_root: Option<std::path::PathBuf>,
    /// With --version: say what is built in, and what the sandbox can do on this system.
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    open: load::Open,
}

#[derive(Subcommand)]
enum Command {
    /// Print packets, one a line.
    Packets(packets::Arguments),
    /// Print what clients wanted of services and what became of it, one a row: connections, requests, lookups.
    Attempts(attempts::Arguments),
    /// Print DNS transactions, one a row.
    Dns(dns::Arguments),
    /// Print episodes of failed lookups, one a row.
    Episodes(episodes::Arguments),
    /// Explain one packet in plain words.
    Explain(explain::Arguments),
    /// Print what the rules found, gravest first.
    Findings(findings::Arguments),
    /// List every field a filter can name, with its type and an example.
    Fields(fields::Arguments),
    /// Explain how filters are written (`help filters`), or a subcommand.
    Help(help::Arguments),
    /// Write the report.
    Report(report::Arguments),
    /// Write a bundle: report, cited packets, frame map, case, hashes.
    Export(export::Arguments),
    /// Write what is found as Parquet files into a lake, for questions over many captures.
    #[cfg(feature = "columns")]
    Columns(columns::Arguments),
    /// Print a question to a lake as SQL, with the line that runs it.
    #[cfg(feature = "columns")]
    Ask(ask::Arguments),
    /// Check a bundle: its hashes, and that the captures still give its report.
    Verify(verify::Arguments),
    /// Check the report: citations, wording, counts, open fields.
    Lint(lint::Arguments),
    /// Print the settings of the screen, or write them for editing.
    Config(config::Arguments),
    /// Print every key of the screen.
    Keys,
    /// Print a completion script for a shell.
    Completions(completions::Arguments),
    /// Print the manual page (pipe it into `man -l -`).
    Man,
}

/// The whole command line as clap knows it, for manual page and completions.
fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs the program with the process arguments; errors go to standard error, exit code 2.
pub fn run() -> ExitCode {
    let words: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    if let [word] = words.as_slice()
        && word == own_editor::HELPER
    {
        return if own_editor::help().is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    let has = |names: &[&str]| words.iter().any(|word| names.iter().any(|name| word == name));
    if has(&["--version", "-V"]) && has(&["--verbose"]) {
        return match print(version().as_bytes()) {
            Ok(_) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2),
        };
    }
    let words = match located::located(words) {
        Ok(words) => words,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let own_name = std::env::args_os().next().unwrap_or_default();
    let arguments = match Arguments::try_parse_from(std::iter::once(&own_name).chain(&words)) {
        Ok(arguments) => arguments,
        Err(error) => return mistaken(&error),
    };
    let is_screen = arguments.command.is_none() && !arguments.list_samples && !arguments.help_parameters;
    // It has to be there before the program may start no others.
    let editor = (is_screen && !arguments.no_sandbox).then(own_editor::Helper::start).and_then(Result::ok);
    if !arguments.no_sandbox && (is_screen || arguments.command.is_some()) {
        confine::enter(arguments.command.as_ref(), &words);
    }
    let result = match &arguments.command {
        None if arguments.list_samples => print(crate::samples::listing().as_bytes()),
        None if arguments.help_parameters => {
            let mut text = Vec::new();
            records::parameters(&mut text).and_then(|()| print(&text))
        }
        Some(Command::Packets(arguments)) => packets::run(arguments),
        Some(Command::Attempts(arguments)) => attempts::run(arguments),
        Some(Command::Dns(arguments)) => dns::run(arguments),
        Some(Command::Episodes(arguments)) => episodes::run(arguments),
        Some(Command::Explain(arguments)) => explain::run(arguments),
        Some(Command::Findings(arguments)) => findings::run(arguments),
        Some(Command::Fields(arguments)) => fields::run(arguments),
        Some(Command::Help(arguments)) => help::run(arguments),
        Some(Command::Report(arguments)) => report::run(arguments),
        Some(Command::Export(arguments)) => export::run(arguments),
        #[cfg(feature = "columns")]
        Some(Command::Columns(arguments)) => columns::run(arguments),
        #[cfg(feature = "columns")]
        Some(Command::Ask(arguments)) => ask::run(arguments),
        Some(Command::Verify(arguments)) => verify::run(arguments),
        Some(Command::Lint(arguments)) => lint::run(arguments),
        Some(Command::Config(arguments)) => config::run(arguments),
        Some(Command::Keys) => config::keys(),
        Some(Command::Completions(arguments)) => completions::run(arguments),
        Some(Command::Man) => manual::run(),
        None => view::run(&arguments.open, arguments.theme, arguments.frame, editor),
    };
    if crate::capture::faults() > 0 && arguments.command.is_some() {
        complain_line("a capture was cut while it was read; what stood behind the cut is missing");
    }
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NothingMatched) => ExitCode::from(1),
        Ok(Outcome::Asked(code)) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(if has_no_packets(&error) { 1 } else { 2 })
        }
    }
}

/// What `--version --verbose` says: the build, its limits, and what the sandbox can do here.
fn version() -> String {
    let features = [
        ("columns", cfg!(feature = "columns")),
        ("docx", cfg!(feature = "docx")),
        ("pdf", cfg!(feature = "pdf")),
    ];
    let features: Vec<&str> = features.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    // Nothing is read any more after this, so the program may shut itself in for good.
    let sandbox = crate::sandbox::enter(&crate::sandbox::Wanted::default()).lines();
    let own = [
        format!("portmortem {}", env!("CARGO_PKG_VERSION")),
        format!("rules: {}", crate::report::rules_version()),
        format!("features: {}", features.join(", ")),
        format!("system: {} {}", std::env::consts::OS, std::env::consts::ARCH),
    ];
    own.into_iter().chain(sandbox).map(|line| line + "\n").collect()
}

/// Says what is wrong with the arguments, or what was asked of them (help, version). An argument may carry control
/// characters, which must not reach a terminal.
fn mistaken(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let safe = crate::text::shown(&text);
    if !error.use_stderr() || safe == text {
        error.exit();
    }
    let _ = write!(std::io::stderr(), "{safe}");
    ExitCode::from(2)
}

/// Writes text to standard output; a closed pipe comes back as an error that [`run`] takes as success.
fn print(text: &[u8]) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    out.write_all(text)?;
    out.flush()?;
    Ok(Outcome::Done)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// A readable text without packets is "nothing matched" (1), not an error of use or format (2).
fn has_no_packets(error: &anyhow::Error) -> bool {
    use crate::capture::OpenError;
    error.chain().any(|cause| matches!(cause.downcast_ref(), Some(OpenError::NoPackets { .. })))
}

/// Says one line on standard error, which may be gone: that is no reason to fail.
fn complain_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "portmortem: {}", crate::text::shown(line));
}

fn complain(error: &anyhow::Error) {
    // Some errors say their cause themselves; it is not said twice.
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string).collect::<Vec<_>>() {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    complain_line(&text);
}
