//! Filters used in earlier sessions, one a line in the user's data directory.

use std::io::Write as _;
use std::path::PathBuf;

use super::actions::filtering::PAST_MAX;

/// Longest file read, in bytes.
const BYTES_MAX: u64 = 1 << 20;

fn path() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.data_dir().join("portmortem").join("filters.txt"))
}

/// The filters, oldest first; none where there is no such file.
pub fn read() -> Vec<String> {
    let Some(path) = path() else { return Vec::new() };
    let small = std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= BYTES_MAX);
    let text = if small { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
    let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    lines.iter().skip(lines.len().saturating_sub(PAST_MAX)).cloned().collect()
}

/// Writes them, whole or not at all.
pub fn write(filters: &[String]) -> std::io::Result<()> {
    let Some(path) = path() else { return Ok(()) };
    let Some(directory) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    for filter in filters {
        writeln!(file, "{filter}")?;
    }
    file.persist(&path)?;
    Ok(())
}
