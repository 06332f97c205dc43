//! The command line: arguments, one file per subcommand, exit codes.

pub mod load;
pub mod packets;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How a subcommand ended when nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; exit code 0.
    Done,
    /// Nothing matched, or no packets; exit code 1.
    NothingMatched,
}

#[derive(Parser)]
#[command(name = "portmortem", version, about, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// List the embedded samples and stop.
    #[arg(long)]
    list_samples: bool,
    #[command(flatten)]
    open: load::Open,
}

#[derive(Subcommand)]
enum Command {
    /// Print packets, one a line.
    Packets(packets::Arguments),
}

/// Runs the program with the process arguments; errors go to standard error, exit code 2.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        None if arguments.list_samples => print(&crate::samples::listing()),
        Some(Command::Packets(arguments)) => packets::run(arguments),
        None => Ok(Outcome::Done),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NothingMatched) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(if has_no_packets(&error) { 1 } else { 2 })
        }
    }
}

/// Writes text to standard output; a closed pipe comes back as an error that [`run`] takes as success.
fn print(text: &str) -> anyhow::Result<Outcome> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
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

#[expect(clippy::print_stderr, reason = "the command line reports its errors here")]
fn complain(error: &anyhow::Error) {
    eprintln!("portmortem: {error:#}");
}
