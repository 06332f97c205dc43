//! Finds captures that rows of a lake cite: `--lake-root FOLDER SITE/SENSOR/CAPTURE#17`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::load::{files_below, numbered};
use crate::text::escape;

/// The option that names the folder captures stand below.
const OPTION: &str = "--lake-root";

/// The words of a command line, with cited captures replaced by where they are.
pub(super) fn located(words: Vec<OsString>) -> Result<Vec<OsString>> {
    let Some(root) = root(&words) else { return Ok(words) };
    let mut files = None;
    let mut found = Vec::with_capacity(words.len());
    for word in words {
        let cited = numbered(Path::new(&word)).filter(|(file, _)| !file.exists());
        let Some((file, frame)) = cited else {
            found.push(word);
            continue;
        };
        if files.is_none() {
            files = Some(files_below(&root, &mut Vec::new())?);
        }
        let place = find(files.as_deref().unwrap_or_default(), &root, &file)?;
        found.push(OsString::from(format!("{}#{}", place.display(), frame.0)));
    }
    Ok(found)
}

fn root(words: &[OsString]) -> Option<PathBuf> {
    let after = words.iter().zip(words.iter().skip(1)).find(|(word, _)| *word == OPTION);
    let joined = || words.iter().find_map(|word| word.to_str()?.strip_prefix(OPTION)?.strip_prefix('='));
    after.map(|(_, next)| PathBuf::from(next)).or_else(|| joined().map(PathBuf::from))
}

/// The one capture of that name below the root; site and sensor before the name say in which folders it stands.
fn find(files: &[PathBuf], root: &Path, cited: &Path) -> Result<PathBuf> {
    let parts: Vec<String> = cited.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let (name, folders) = parts.split_last().context("no capture is named")?;
    let fits = |file: &&PathBuf| {
        let below = file.strip_prefix(root).unwrap_or(file);
        let above = || below.parent().into_iter().flat_map(Path::iter).map(|part| part.to_string_lossy());
        let is_in = |folder: &String| {
            above().any(|part| part == *folder || part.split_once('=').is_some_and(|(_, own)| own == folder))
        };
        file.file_name().is_some_and(|own| own.to_string_lossy() == *name) && folders.iter().all(is_in)
    };
    let mut all = files.iter().filter(fits);
    let shown = |path: &Path| escape(&path.display().to_string());
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one.clone()),
        (None, _) => bail!("there is no capture {} below {}", shown(cited), shown(root)),
        (Some(one), Some(other)) => bail!(
            "several captures are called {}: {} and {}; name it with its site and sensor, as SITE/SENSOR/{}",
            shown(cited),
            shown(one),
            shown(other),
            escape(name)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citation_leads_to_the_one_capture_it_can_mean() {
        let folder = tempfile::tempdir().expect("a folder");
        for site in ["a", "b"] {
            let place = folder.path().join(format!("site={site}/sensor=tap0/2024"));
            std::fs::create_dir_all(&place).expect("made");
            std::fs::write(place.join("c.pcap"), "").expect("written");
        }
        std::fs::write(folder.path().join("only.pcap"), "").expect("written");
        let root = folder.path().display().to_string();
        let words = |cited: &str| ["packets", OPTION, &root, cited].map(OsString::from).to_vec();
        let last = |cited: &str| -> Result<String> {
            let all = located(words(cited))?;
            Ok(all.last().map(|word| word.to_string_lossy().replace(&root, "")).unwrap_or_default())
        };
        assert_eq!(last("b/tap0/c.pcap#7").expect("found"), "/site=b/sensor=tap0/2024/c.pcap#7");
        assert_eq!(last("only.pcap#1").expect("found"), "/only.pcap#1");
        assert!(last("c.pcap#7").is_err() && last("b/tap1/c.pcap#7").is_err() && last("no.pcap#7").is_err());
        assert_eq!(last("dns or icmp").expect("a filter stays"), "dns or icmp");
    }
}
