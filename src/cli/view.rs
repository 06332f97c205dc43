//! `portmortem FILE…`: the full screen; without a file the embedded sample, with `-` on a terminal a log that is pasted.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};

use anyhow::Result;

use super::Outcome;
use super::load::Open;
use crate::index::FrameNumber;
use crate::tui::own_editor::Helper;
use crate::tui::spool::{self, Left};
use crate::tui::{self, Ended, Wishes, config};

/// Reads the name of a theme.
pub fn theme(name: &str) -> Result<&'static str, String> {
    config::theme(name).ok_or_else(|| format!("themes are {}", config::themes()))
}

/// Opens the captures on the full screen.
pub fn run(
    open: &Open,
    theme: Option<&'static str>,
    frame: Option<u64>,
    editor: Option<Helper>,
) -> Result<Outcome> {
    let mut open = open.clone();
    if let Some(left) = offer() {
        open = Open { files: vec![left.path], ..Open::default() };
    }
    let open = open.or_sample();
    let frame = frame.map(FrameNumber).or_else(|| open.wanted());
    // On a terminal nothing comes through standard input by itself: the log is asked for.
    let is_asked = open.files.iter().any(|file| file.as_os_str() == "-") && std::io::stdin().is_terminal();
    if is_asked && open.files.len() > 1 {
        anyhow::bail!("a log is pasted by itself: give - alone, or the other files from a pipe");
    }
    let inputs = if is_asked { Vec::new() } else { open.inputs()? };
    Ok(match tui::run(inputs, &open.settings(), Wishes { theme, frame, editor })? {
        Ended::Quit => Outcome::Done,
        Ended::Asked(code) => Outcome::Asked(code),
    })
}

/// Offers captures that sessions before were killed over; gives the one to be opened instead.
fn offer() -> Option<Left> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    for left in spool::left() {
        let bytes = crate::text::thousands(left.bytes);
        let notes = if left.notes == 1 { "1 note".to_owned() } else { format!("{} notes", left.notes) };
        let path = crate::text::escape(&left.path.display().to_string());
        let question = format!(
            "portmortem: a capture that came through a pipe was left when the program was ended ({bytes} bytes, {notes}):\n  \
             {path}\nopen it now [o], delete it with its notes [d], or decide later [Enter]? "
        );
        match ask(&question)?.trim() {
            "o" => return Some(left),
            "d" => {
                if let Err(error) = spool::forget(&left) {
                    super::complain_line(&format!("{path} was not deleted: {error}"));
                }
            }
            _ => {}
        }
    }
    None
}

/// Asks on the terminal, since a capture may come through standard input; `None` without one.
fn ask(question: &str) -> Option<String> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
    terminal.write_all(question.as_bytes()).ok()?;
    let mut answer = String::new();
    BufReader::new(terminal).read_line(&mut answer).ok()?;
    Some(answer)
}
