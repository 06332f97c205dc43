//! `portmortem config` and `portmortem keys`: what the screen is set to, and the file that sets it.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context as _, Result, bail};

use super::{Outcome, print};
use crate::tui::{actions, config, keys, settings};

/// Arguments of `config`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write the file with every setting commented out, where there is none yet.
    #[arg(long)]
    pub write: bool,
}

/// Runs `config`: says where the file is and what is wrong with it, or writes it.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let path = settings::path("config.toml").context("there is no home directory to keep settings in")?;
    let shown = crate::text::escape(&path.display().to_string());
    if arguments.write {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder of {shown}"))?;
        }
        let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
        let mut file = made.with_context(|| format!("cannot write {shown}"))?;
        file.write_all(config::commented().as_bytes())?;
        return print(format!("written: {shown}\n").as_bytes());
    }
    let (_, wrong) = settings::config();
    if let Some(message) = wrong {
        bail!("{shown}: {message}");
    }
    let state = if path.exists() { "is read" } else { "is not there (--write makes it)" };
    print(format!("# {shown} {state}\n{}", config::commented()).as_bytes())
}

/// Runs `keys`: every key of the screen, with those of `config.toml` in place.
pub fn keys() -> Result<Outcome> {
    let (config, wrong) = settings::config();
    if let Some(message) = wrong {
        bail!("{message}");
    }
    keys::own(config.keys);
    let mut out = String::new();
    for (context, title) in actions::Context::ALL {
        let _ = writeln!(out, "{title}");
        for action in actions::all().filter(|action| action.context == context) {
            let _ =
                writeln!(out, "  {:<22} {:<26} {}", keys::of(action).join("  "), action.name, action.help);
        }
    }
    print(out.as_bytes())
}
