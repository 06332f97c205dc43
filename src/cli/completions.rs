//! `portmortem completions`: a completion script for the shell.

use anyhow::Result;
use clap_complete::Shell;

use super::Outcome;

/// Arguments of `completions`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The shell to write the script for.
    shell: Shell,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "portmortem", &mut script);
    super::print(&script)
}
