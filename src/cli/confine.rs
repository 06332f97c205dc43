//! Which files a command line asks for, and the sandbox around everything else.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Command;
use crate::case::data_directory;
use crate::files::{There, there};
use crate::sandbox::{self, Wanted};

/// Options whose value names a file that may not be there yet.
const OUTPUTS: [&str; 5] = ["-o", "--output", "--bundle", "-w", "--write"];

/// Shuts the program in as far as the command allows.
pub(super) fn enter(command: Option<&Command>, arguments: &[OsString]) {
    let wanted = match command {
        // Nothing is read that others wrote.
        Some(Command::Fields(_) | Command::Help(_) | Command::Completions(_) | Command::Man) => return,
        // The captures may be anywhere: beside the bundle, or where it says they were.
        Some(Command::Verify(_)) => {
            Wanted { reads: vec![PathBuf::from("/")], writes: vec![std::env::temp_dir()] }
        }
        None => {
            // Captures that a pipe brings, cases and filters are kept there.
            if let Some(directory) = data_directory() {
                crate::case::store::make_directory(&directory);
            }
            let mut wanted = asked(arguments, Cases::Written);
            wanted.writes.extend(std::env::current_dir());
            wanted
        }
        #[cfg(feature = "columns")]
        Some(Command::Columns(arguments)) => {
            let lake = arguments.lake();
            let lake = if lake.is_dir() { lake.to_owned() } else { above(lake) };
            let reads = arguments.files().iter().cloned().filter_map(existing).collect();
            Wanted { reads, writes: vec![std::env::temp_dir(), lake] }
        }
        Some(Command::Report(_) | Command::Export(_)) => asked(arguments, Cases::Written),
        Some(_) => asked(arguments, Cases::Read),
    };
    sandbox::enter(&wanted);
}

/// Whether cases beside captures are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cases {
    Read,
    Written,
}

/// The files a command line names, by what is there. A name that is a word of a filter as well does no harm.
fn asked(arguments: &[OsString], cases: Cases) -> Wanted {
    use etcetera::BaseStrategy as _;
    let mut wanted = Wanted { writes: vec![std::env::temp_dir()], ..Wanted::default() };
    wanted.writes.extend(data_directory());
    wanted.reads.extend(etcetera::choose_base_strategy().map(|base| base.config_dir().join("portmortem")));
    let mut is_output = false;
    for argument in arguments {
        let text = argument.to_string_lossy();
        let is_value = std::mem::replace(&mut is_output, OUTPUTS.contains(&&*text));
        let (name, value) = match text.split_once('=') {
            Some((name, value)) if name.starts_with('-') => (name, PathBuf::from(value)),
            _ => ("", PathBuf::from(argument)),
        };
        if is_value || OUTPUTS.contains(&name) {
            if there(&value) == There::Stream {
                wanted.writes.push(value.clone());
            }
            wanted.writes.push(above(&value));
        } else if let Some(path) = existing(value) {
            let folder = if path.is_dir() { path.clone() } else { above(&path) };
            let cases = if cases == Cases::Written { &mut wanted.writes } else { &mut wanted.reads };
            cases.push(folder);
            wanted.reads.push(path);
        }
    }
    wanted
}

/// The file an argument names, with or without a frame behind it.
fn existing(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    let text = path.to_string_lossy();
    let file = PathBuf::from(text.rsplit_once('#')?.0);
    file.exists().then_some(file)
}

fn above(path: &Path) -> PathBuf {
    let above = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    above.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_on_the_command_line_are_asked_for_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let capture = folder.path().join("c.pcap");
        std::fs::write(&capture, "").expect("written");
        let out = folder.path().join("new/out.md");
        let arguments =
            |list: &[&Path]| list.iter().map(|path| path.as_os_str().to_owned()).collect::<Vec<_>>();
        let framed = PathBuf::from(format!("{}#12", capture.display()));
        for named in [&capture, &framed] {
            let line = arguments(&[Path::new("report"), named, Path::new("-o"), &out]);
            let wanted = asked(&line, Cases::Written);
            assert!(wanted.reads.contains(&capture));
            assert!(wanted.writes.contains(&folder.path().to_owned()));
            assert!(wanted.writes.contains(&folder.path().join("new")));
            let wanted = asked(&line, Cases::Read);
            assert!(!wanted.writes.contains(&folder.path().to_owned()));
        }
        let line = vec![OsString::from(format!("--output={}", out.display()))];
        assert!(asked(&line, Cases::Read).writes.contains(&folder.path().join("new")));
    }
}
