//! `portmortem help [TOPIC]`: how filters are written, or the help of a subcommand.

use anyhow::{Result, anyhow};

use super::{Outcome, print};
use crate::filter::reference;

/// Arguments of `help`.
#[derive(clap::Args)]
pub struct Arguments {
    /// `filters`, or a subcommand; without one the program's own help.
    pub topic: Option<String>,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut command = super::command();
    let Some(topic) = &arguments.topic else {
        let text = command.render_long_help().to_string();
        return print(format!("{text}\nHow filters are written: portmortem help filters\n").as_bytes());
    };
    if matches!(topic.as_str(), "filters" | "filter") {
        return print(reference::text().as_bytes());
    }
    // Built, so that usage lines name the program.
    command.build();
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    match command.find_subcommand_mut(topic) {
        Some(found) => print(found.render_long_help().to_string().as_bytes()),
        None => Err(anyhow!(
            "no help on `{}`: there is `filters`, and {}",
            crate::text::escape(topic),
            names.join(", ")
        )),
    }
}
