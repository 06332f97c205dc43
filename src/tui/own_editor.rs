//! The analyst's own editor, started by a helper: the program itself may start no others once it is shut in.
//!
//! The helper is this program again, begun before anything is read. It takes the names of temporary files this program
//! makes and nothing else, one a line, and answers when the editor has ended.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGINT, SIGQUIT};

/// The argument that makes this program the helper.
pub const HELPER: &str = "--edit-for-portmortem";
/// What the names of files begin with that are edited.
pub const PREFIX: &str = "portmortem-";
/// What the helper answers when all went well.
const DONE: &str = "done";

/// The helper.
pub struct Helper {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts it.
    pub fn start() -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut child =
            Command::new(program).arg(HELPER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (to, from) = child.stdin.take().zip(child.stdout.take()).context("no pipes to the helper")?;
        Ok(Self { child, to: Some(to), from: BufReader::new(from) })
    }

    /// Has a file edited.
    pub fn edit(&mut self, path: &Path) -> Result<()> {
        let to = self.to.as_mut().context("the helper is gone")?;
        writeln!(to, "{}", path.display())?;
        to.flush()?;
        let mut answer = String::new();
        self.from.read_line(&mut answer)?;
        match answer.trim_end() {
            DONE => Ok(()),
            "" => bail!("the helper is gone"),
            problem => bail!("{}", crate::text::shown(problem)),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Without its input it ends.
        self.to = None;
        let _ = self.child.wait();
    }
}

/// Starts the analyst's editor on a file and waits until it has ended.
pub fn edit(path: &Path) -> Result<()> {
    // An empty variable names no editor.
    let named = |variable| std::env::var(variable).ok().filter(|name| !name.trim().is_empty());
    let program = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    let mut words = program.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("vi"));
    // The program's own input and output may be a pipe.
    let terminal = || File::options().read(true).write(true).open("/dev/tty");
    if let (Ok(input), Ok(output)) = (terminal(), terminal()) {
        command.stdin(input).stdout(output);
    }
    let status = command.args(words).arg(path).status().with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    Ok(())
}

/// Runs the helper until nobody asks any more.
pub fn help() -> io::Result<()> {
    // Ctrl-C is the editor's while it runs.
    for signal in [SIGINT, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let mut out = io::stdout();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = match edit_own(Path::new(&line)) {
            Ok(()) => DONE.to_owned(),
            Err(error) => format!("{error:#}").replace('\n', " "),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// Edits a temporary file of this program, and no other.
fn edit_own(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_own = path.parent() == Some(&std::env::temp_dir()) && name.starts_with(PREFIX);
    if !is_own || crate::files::there(path) != crate::files::There::File {
        bail!("only texts of this program are edited");
    }
    edit(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_programs_own_texts_is_edited() {
        for path in ["/etc/passwd", "/tmp/../etc/portmortem-x", "-c!sh", ""] {
            assert!(edit_own(Path::new(path)).is_err(), "{path}");
        }
    }
}
