//! The command line: arguments, one file per subcommand, exit codes.

pub mod findings;
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
    #[command(flatten)]
    open: load::Open,
}

#[derive(Subcommand)]
enum Command {
    /// Print packets, one a line.
    Packets(packets::Arguments),
    /// Print what the rules found, gravest first.
    Findings(findings::Arguments),
}

/// Runs the program with the process arguments; errors go to standard error, exit code 2.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Some(Command::Packets(arguments)) => packets::run(arguments),
        Some(Command::Findings(arguments)) => findings::run(arguments),
        None => Ok(Outcome::Done),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NothingMatched) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

#[expect(clippy::print_stderr, reason = "the command line reports its errors here")]
fn complain(error: &anyhow::Error) {
    eprintln!("portmortem: {error:#}");
}
