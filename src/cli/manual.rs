//! `portmortem man` and the generated parts of README and docs, both made from the tables the program runs on.

use std::fmt::Write as _;

use anyhow::Result;
use clap::Command;

use super::{EXIT_CODES, Outcome};

/// A generated part of a document: where it stands, what its markers are called, and its Markdown.
pub struct Section {
    /// The document, from the top folder.
    pub file: &'static str,
    /// The word in `<!-- generated: NAME -->`.
    pub name: &'static str,
    /// The text between the markers.
    pub markdown: String,
}

/// Prints the manual page in roff.
pub fn run() -> Result<Outcome> {
    super::print(page(&super::command()).as_bytes())
}

/// The generated parts of the documents.
pub fn sections() -> Vec<Section> {
    vec![
        Section { file: "README.md", name: "subcommands", markdown: subcommands(&super::command()) },
        Section { file: "README.md", name: "samples", markdown: samples() },
        Section { file: "docs/keys.md", name: "keys", markdown: crate::tui::actions::key_list() },
    ]
}

fn subcommands(command: &Command) -> String {
    let mut out = "| command | what it does |\n|---|---|\n".to_owned();
    let _ = writeln!(
        out,
        "| `portmortem [FILE…]` | Opens the full-screen program; without FILE on the sample. |"
    );
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(out, "| `portmortem {}` | {} |", usage_of(sub), with_stop(&about));
    }
    out
}

fn samples() -> String {
    let mut out = String::new();
    for sample in crate::samples::SAMPLES {
        let _ = writeln!(out, "- `--sample {}`: {}", sample.name, with_stop(sample.about));
    }
    out
}

fn usage_of(command: &Command) -> String {
    let mut out = command.get_name().to_owned();
    for argument in command.get_positionals() {
        let name = argument.get_value_names().and_then(<[_]>::first).map_or("ARG", |name| name.as_str());
        let more =
            if argument.get_num_args().is_some_and(|range| range.max_values() > 1) { "…" } else { "" };
        let _ = write!(out, " {name}{more}");
    }
    out
}

fn with_stop(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

fn page(command: &Command) -> String {
    let mut out = String::new();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, ".TH PORTMORTEM 1 \"\" \"portmortem {}\"", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(out, ".SH NAME\nportmortem \\- {}", roff(&about));
    let _ = writeln!(
        out,
        ".SH SYNOPSIS\n.B portmortem\n[\\fIFILE\\fR...]\n.br\n.B portmortem\n\\fICOMMAND\\fR ..."
    );
    if let Some(long) = command.get_long_about() {
        let _ = writeln!(out, ".SH DESCRIPTION\n{}", roff(&long.to_string()));
    }
    let _ = writeln!(out, ".SH OPTIONS");
    options(&mut out, command);
    let _ = writeln!(out, ".SH COMMANDS");
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(out, ".SS portmortem {}\n{}", roff(&usage_of(sub)), roff(&with_stop(&about)));
        options(&mut out, sub);
    }
    let _ = writeln!(out, ".SH EXIT STATUS\n{}", roff(EXIT_CODES));
    out
}

fn options(out: &mut String, command: &Command) {
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let mut name = String::new();
        if let Some(short) = argument.get_short() {
            let _ = write!(name, "-{short}, ");
        }
        if let Some(long) = argument.get_long() {
            let _ = write!(name, "--{long} ");
        }
        if argument.get_action().takes_values() {
            for value in argument.get_value_names().unwrap_or_default() {
                let _ = write!(name, "{value} ");
            }
        }
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(out, ".TP\n.B {}\n{}", roff(name.trim()), roff(&with_stop(&help)));
    }
}

/// Text as roff takes it: backslashes and hyphens escaped, no line that begins with a control character.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let lines: Vec<String> = escaped
        .lines()
        .map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_page_names_every_subcommand() {
        let page = page(&super::super::command());
        for sub in super::super::command().get_subcommands() {
            assert!(page.contains(&format!(".SS portmortem {}", roff(sub.get_name()))), "{}", sub.get_name());
        }
    }

    #[test]
    fn roff_control_characters_are_escaped() {
        assert_eq!(roff(".x \\ -y"), "\\&.x \\e \\-y");
    }
}
