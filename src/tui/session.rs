//! Where the analyst was in a capture: filter, packet, panels and times, kept in the user's data directory for the next start.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::layout::Panel;
use super::state::{State, TimeFormat};
use super::update::Effect;
use super::work::{frame_of, packet_of};
use crate::case::FrameRef;

/// Longest file read, in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// Captures remembered.
const SESSIONS_MAX: usize = 100;

/// Where the analyst was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// SHA-256 of the captures' paths: the file tells nobody what was looked at.
    captures: String,
    /// The filter line.
    filter: String,
    /// Whether partners of matching packets are shown.
    partners: bool,
    /// The selected packet.
    selected: Option<FrameRef>,
    /// The panel that had the keys.
    focus: String,
    /// What the right column showed.
    side: String,
    /// Whether one panel had the screen to itself.
    zoomed: bool,
    /// Share of the left column in percent.
    left_percent: Option<u16>,
    /// Position in [`TimeFormat::ALL`].
    time: usize,
}

/// Under what a session of these captures is kept; `None` where they are no files.
pub fn key(paths: &[PathBuf]) -> Option<String> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(path.canonicalize().ok()?.as_os_str().as_encoded_bytes());
        all.push(0);
    }
    (!paths.is_empty()).then(|| crate::case::hash::hash_bytes(&all))
}

impl Session {
    /// Where the analyst is now.
    pub fn of(state: &State, key: &str) -> Self {
        Self {
            captures: key.to_owned(),
            filter: if state.filter.applied.is_some() { state.filter.shown.clone() } else { String::new() },
            partners: state.filter.partners,
            selected: state.timeline.selected.and_then(|id| frame_of(&state.index, id)),
            focus: state.panels.focus.title().to_owned(),
            side: state.panels.side.title().to_owned(),
            zoomed: state.panels.zoomed,
            left_percent: Some(state.panels.left_percent),
            time: TimeFormat::ALL.iter().position(|format| *format == state.timeline.time).unwrap_or(0),
        }
    }

    /// Goes back there, once the capture is read and unless the analyst went somewhere else meanwhile.
    pub fn restore(self, state: &mut State) -> Effect {
        let panel =
            |title: &str| Panel::ALL.iter().map(|(panel, ..)| *panel).find(|panel| panel.title() == title);
        state.panels.side = panel(&self.side).filter(|panel| panel.is_side()).unwrap_or(state.panels.side);
        state.panels.focus = panel(&self.focus).unwrap_or(state.panels.focus);
        state.panels.zoomed = self.zoomed;
        let (narrowest, widest) = super::actions::panels::LEFT_PERCENT;
        let share = self.left_percent.unwrap_or(state.panels.left_percent);
        state.panels.left_percent = share.clamp(narrowest, widest);
        state.timeline.time = TimeFormat::ALL.get(self.time).copied().unwrap_or_default();
        if let Some(id) = self.selected.and_then(|frame| packet_of(&state.index, frame)) {
            state.jump(id);
            state.touched = true;
        }
        if self.filter.is_empty() {
            return Effect::None;
        }
        state.touched = true;
        state.filter.partners = self.partners;
        state.filter.line.set(&self.filter);
        super::actions::filtering::typed(state)
    }
}

fn path() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.data_dir().join("portmortem").join("sessions.json"))
}

/// The sessions, the last left one first; none where the file cannot be read.
fn sessions(path: &Path) -> Vec<Session> {
    let small =
        std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= BYTES_MAX);
    let text = small.then(|| std::fs::read_to_string(path).ok()).flatten();
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// The session of these captures.
pub fn read(key: &str) -> Option<Session> {
    sessions(&path()?).into_iter().find(|session| session.captures == key)
}

/// Keeps a session, whole or not at all.
pub fn write(session: Session) -> std::io::Result<()> {
    let Some(path) = path() else { return Ok(()) };
    let Some(directory) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(directory)?;
    let mut all = sessions(&path);
    all.retain(|other| other.captures != session.captures);
    all.insert(0, session);
    all.truncate(SESSIONS_MAX);
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&serde_json::to_vec(&all)?)?;
    file.persist(&path)?;
    Ok(())
}
