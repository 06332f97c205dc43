//! Any bytes are a case, a journal, a bundle, settings or a template, or are refused; none of them panics or runs without end.

#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portmortem::case::store::{self, Paths};
use portmortem::cli::load::Open;
use portmortem::cli::report::Made;
use portmortem::export::bundle::{check, files};
use portmortem::report::{draft, render};
use portmortem::tui::config::Config;

/// The smallest sample, judged once.
static SCENE: LazyLock<Made> = LazyLock::new(|| {
    let open = Open { sample: Some("seed".to_owned()), ..Open::default() };
    Made::from(&open, false).expect("the sample opens")
});

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("case.portmortem.json");
    match kind % 4 {
        0 => {
            let middle = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
            let paths = Paths::of_case(&path);
            fs::write(&path, &bytes[..middle]).expect("a file can be written");
            let mut journal = path.into_os_string();
            journal.push(".journal");
            fs::write(journal, &bytes[(middle + 1).min(bytes.len())..]).expect("a file can be written");
            let _ = store::read(&paths);
        }
        1 => {
            fs::write(&path, bytes).expect("a file can be written");
            if let Ok(found) = files::inspect(&path) {
                let _ = check::damaged(&found);
                let _ = check::frame_map(&found.contents);
            }
        }
        2 => {
            if let Ok(text) = str::from_utf8(bytes) {
                let _ = Config::read(text);
            }
        }
        _ => {
            if let Ok(text) = str::from_utf8(bytes) {
                let input = SCENE.input();
                let _ = render::render(&draft(&input), &input, ("own", text), &render::Options::default());
            }
        }
    }
});
