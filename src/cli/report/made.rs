//! Loads captures and case and makes everything a draft needs; knows whether the captures changed meanwhile.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};

use anyhow::{Context as _, Result, bail};

use crate::case::store::{self, Paths};
use crate::case::{Case, CustodyEntry, EvidenceRecord, Notice, Place, Saving, State, hash_source};
use crate::cli::complain_line;
use crate::cli::load::{Loaded, Open};
use crate::findings::hypotheses::{Assessment, Cause, Change};
use crate::findings::{self, Coverage, Finding};
use crate::index::Index;
use crate::report::Input;
use crate::time::{Nanos, rfc3339};

/// Everything a draft is made from, owned.
pub struct Made {
    loaded: Loaded,
    findings: Vec<Finding>,
    assessments: Vec<Assessment>,
    coverage: Coverage,
    state: State,
}

impl Made {
    /// Loads captures and case and runs rules and assessment.
    pub fn from(open: &Open, with_case: bool) -> Result<Self> {
        let mut before = Vec::new();
        let loaded = open.load_noting(&mut |inputs| {
            for input in inputs {
                before.push(hash_file(input.source.path.as_deref(), &input.source.name)?);
            }
            Ok(())
        })?;
        let records = records(&loaded.index, &before);
        let mut state = if with_case { case_of(&loaded.index, &records)? } else { State::default() };
        crate::case::comments::take_up(&mut state, &loaded.index);
        Ok(Self::of(loaded, State { evidence: records, ..state.for_others() }))
    }

    /// Runs rules and assessment over loaded captures.
    pub fn of(loaded: Loaded, state: State) -> Self {
        let input = findings::Input { index: &loaded.index, evidence: &loaded.evidence };
        let findings::Examined { findings, assessments, coverage, .. } =
            findings::review(&input, &[], &changes(&state));
        Self { loaded, findings, assessments, coverage, state }
    }

    /// Adds what the program did to the chain of custody of this report: opened and hashed.
    pub fn record_opening(&mut self, now_ns: Nanos) {
        for record in self.state.evidence.clone() {
            let detail =
                format!("{} (SHA-256 {}…)", record.name, record.sha256.get(..12).unwrap_or_default());
            self.record(now_ns, "opened and hashed", detail, None);
        }
    }

    /// Adds one step of the program to the chain of custody of this report.
    pub fn record(&mut self, now_ns: Nanos, action: &str, detail: String, hash_ok: Option<bool>) {
        self.state.custody.push(entry(now_ns, action, detail, hash_ok));
    }

    /// Hashes the captures again; an error when one is not what it was when it was opened. Gives the hashes.
    pub fn check_unchanged(&self) -> Result<Vec<String>> {
        let mut hashes = Vec::new();
        for (source, record) in self.loaded.index.sources.iter().zip(&self.state.evidence) {
            let now =
                hash_file(source.path.as_deref(), &source.name)?.unwrap_or_else(|| record.sha256.clone());
            if now != record.sha256 {
                bail!(
                    "{} changed while it was analysed (SHA-256 was {}, is {now}): nothing was written",
                    crate::text::escape(&source.name),
                    record.sha256
                );
            }
            hashes.push(now);
        }
        Ok(hashes)
    }

    /// Writes down in the analyst's case, where there is one, that something was exported.
    pub fn note_export(&self, now_ns: Nanos, detail: String) {
        let Some(first) = self.loaded.index.sources.first() else { return };
        let mut case = Case::open(Place::new(first.path.as_deref()));
        case.identify(self.state.evidence.clone(), now_ns);
        if matches!(case.saving(), Saving::Nothing | Saving::Waiting) && case.path().is_none() {
            return;
        }
        case.record(entry(now_ns, "exported", detail, Some(true)), now_ns);
        if case.saving() == Saving::NotSaved {
            let notices: Vec<String> = case.notices().iter().map(ToString::to_string).collect();
            complain_line(&format!(
                "the export is not in the case's chain of custody: {}",
                notices.join("; ")
            ));
        }
    }

    /// The captures and what was found in them.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// What the draft takes.
    pub fn input(&self) -> Input<'_> {
        Input {
            index: &self.loaded.index,
            evidence: &self.loaded.evidence,
            findings: &self.findings,
            assessments: &self.assessments,
            coverage: &self.coverage,
            case: &self.state,
        }
    }
}

fn entry(now_ns: Nanos, action: &str, detail: String, hash_ok: Option<bool>) -> CustodyEntry {
    CustodyEntry {
        at: rfc3339(now_ns),
        who: "portmortem".to_owned(),
        action: action.to_owned(),
        detail,
        hash_ok,
    }
}

/// The analyst's changes of the ledger in the form the assessment takes.
fn changes(state: &State) -> Vec<Change> {
    state
        .ledger
        .iter()
        .filter_map(|change| {
            Some(Change {
                cause: Cause::parse(&change.hypothesis)?,
                row: change.row.clone(),
                weight_db: change.weight_db,
                off: change.off,
                note: change.note.clone(),
            })
        })
        .collect()
}

/// SHA-256 of a file; `None` for what is no file and can be read only once.
fn hash_file(path: Option<&Path>, name: &str) -> Result<Option<String>> {
    let (never, progress) = (AtomicBool::new(false), AtomicU64::new(0));
    let Some(path) = path else { return Ok(None) };
    hash_source(Some(path), &[], &never, &progress)
        .with_context(|| format!("cannot hash {}", crate::text::escape(name)))
}

/// What the captures are, with the hashes taken before they were read.
fn records(index: &Index, before: &[Option<String>]) -> Vec<EvidenceRecord> {
    let (never, progress) = (AtomicBool::new(false), AtomicU64::new(0));
    let record = |(at, source): (usize, &crate::index::IndexedSource)| {
        let known = before.get(at).cloned().flatten();
        let from_memory = || hash_source(None, source.bytes.bytes(), &never, &progress).ok().flatten();
        let sha256 = known.or_else(from_memory).unwrap_or_default();
        EvidenceRecord { name: crate::case::file_name(&source.name), size: source.size, sha256 }
    };
    index.sources.iter().enumerate().map(record).collect()
}

/// The state of the case beside the first capture or under its hash; empty where there is none.
fn case_of(index: &Index, records: &[EvidenceRecord]) -> Result<State> {
    let Some(first) = index.sources.first() else { return Ok(State::default()) };
    let place = Place::new(first.path.as_deref());
    let beside = first.path.as_deref().map(Paths::beside).filter(Paths::exist);
    let by_hash = || {
        let record = records.first()?;
        store::find_by_hash(first.path.as_deref(), place.directory.as_deref(), &record.sha256)
    };
    let Some(paths) = beside.or_else(by_hash) else { return Ok(State::default()) };
    let (state, notices) = Case::read_state(&paths)
        .with_context(|| format!("cannot read the case {}", paths.snapshot.display()))?;
    for notice in notices {
        complain_line(&notice.to_string());
    }
    for (recorded, found) in state.evidence.iter().zip(records) {
        if recorded.sha256 != found.sha256 {
            let notice = Notice::CaptureChanged {
                name: found.name.clone(),
                recorded: recorded.sha256.clone(),
                found: found.sha256.clone(),
            };
            complain_line(&notice.to_string());
        }
    }
    Ok(state)
}
