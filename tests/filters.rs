//! A table of filters with the frames they must find in real captures.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::{Evidence, Parameters, correlate};
use portmortem::filter::{Context, Filter};
use portmortem::index::{Index, Input, PacketId, Progress, build};
use serde::Deserialize;

#[derive(Deserialize)]
struct Table {
    capture: String,
    #[serde(default)]
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    filter: String,
    frames: Vec<u64>,
}

fn load(path: &Path) -> (Index, Evidence) {
    let (source, walk) = capture::open(path).unwrap();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

#[test]
fn every_filter_of_the_table_finds_its_frames() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(root.join("filters")).unwrap() {
        let path = entry.unwrap().path();
        let table: Table = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (index, evidence) = load(&root.join("captures").join(&table.capture));
        let cancel = AtomicBool::new(false);
        let context = Context { index: &index, evidence: Some(&evidence), notes: None, cancel: &cancel };
        for case in &table.case {
            let filter = match Filter::parse(&case.filter) {
                Ok(filter) => filter,
                Err(error) => {
                    wrong.push(format!("{}: {}: {error:?}", table.capture, case.filter));
                    continue;
                }
            };
            let rows = filter.rows(&context);
            let frames: Vec<u64> = rows.iter().map(|row| u64::from(*row) + 1).collect();
            if frames != case.frames {
                wrong.push(format!(
                    "{}: {}\n  expected {:?}\n  found    {frames:?}",
                    table.capture, case.filter, case.frames
                ));
            }
            // Packet by packet the answer is the same as over columns.
            let single: Vec<u32> =
                (0..index.len()).filter(|row| filter.matches(&context, PacketId(*row))).collect();
            if single != rows {
                wrong.push(format!(
                    "{}: {}\n  columns {rows:?}\n  packets {single:?}",
                    table.capture, case.filter
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
