//! Results as Parquet: what is written is read back and compared with what the other subcommands print, row for row.

#![cfg(feature = "columns")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use portmortem::columns::{TABLES, Table, generation};
use serde_json::{Value, json};

const REFUSED: &str = "tests/captures/lab/00_seed_reenacted.pcap";
const TWO_IN_ONE: &str = "tests/captures/incidents/07_udp_rejected_tcp_ok.pcap";

/// A lake in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portmortem"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("HOME", self.folder.path())
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .stdin(Stdio::null());
        command
    }

    /// Writes captures into the lake `lake`.
    fn columns(&self, files: &[&Path], more: &[&str]) -> Output {
        let mut command = self.command();
        command.args(["columns", "--site", "oslo", "--sensor", "tap0", "--format", "json", "-q", "-o"]);
        command.arg(self.path("lake")).args(more).args(files);
        command.output().unwrap()
    }

    /// The same, where nothing may go wrong.
    fn write(&self, files: &[&Path], more: &[&str]) -> Vec<Value> {
        let output = self.columns(files, more);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        lines(&output)
    }

    /// Every row of a table, in the order of the files' names.
    fn rows(&self, table: &str) -> Vec<Value> {
        let folder = self.path("lake").join(format!("gen={}", generation())).join(table);
        let files = tree(&folder).into_keys().map(|name| folder.join(name));
        files.flat_map(|file| read(&file)).collect()
    }

    /// What a subcommand prints as JSON lines, or as one JSON document.
    fn printed(&self, words: &[&str], files: &[&Path]) -> Vec<Value> {
        let output = self.command().args(words).args(["--format", "json"]).args(files).output().unwrap();
        assert_ne!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        match serde_json::from_slice(&output.stdout) {
            Ok(Value::Array(all)) => all,
            _ => lines(&output),
        }
    }
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut below = vec![folder.to_owned()];
    while let Some(at) = below.pop() {
        let Ok(entries) = fs::read_dir(&at) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                below.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => json!(truth),
        Field::Int(number) => json!(number),
        Field::Long(number) | Field::TimestampMicros(number) => json!(number),
        Field::Str(text) => json!(text),
        Field::Bytes(bytes) => json!(bytes.data()),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        other => panic!("no column holds {other:?}"),
    }
}

fn read(file: &Path) -> Vec<Value> {
    let reader = SerializedFileReader::new(fs::File::open(file).unwrap()).unwrap();
    let keys = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
    assert!(keys.iter().any(|key| key.key == "portmortem.schema"), "{keys:?}");
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        let object: serde_json::Map<String, Value> =
            row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect();
        Value::Object(object)
    });
    rows.collect()
}

/// Captures of many kinds: refused, silent, over TCP, other services, errors of two versions, text.
fn captures() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in
        ["tests/captures/lab", "tests/captures/incidents", "tests/captures/outages", "tests/captures/kinds"]
    {
        // Larger ones show nothing more, and take long.
        let is_small = |path: &PathBuf| fs::metadata(path).unwrap().len() < 30_000;
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let is_capture = |path: &PathBuf| {
            path.extension()
                .is_some_and(|ending| ["pcap", "pcapng", "txt"].iter().any(|known| ending == *known))
        };
        found.extend(files.map(|entry| entry.unwrap().path()).filter(is_capture).filter(is_small));
    }
    found.sort();
    found
}

fn base(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Frames as JSON prints them, as they are cited in one capture.
fn cited(capture: &str, frames: &Value) -> Value {
    match frames {
        Value::Array(all) if all.is_empty() => Value::Null,
        Value::Array(all) => all.iter().map(|frame| json!(format!("{capture}#{frame}"))).collect(),
        Value::Null => Value::Null,
        frame => json!(format!("{capture}#{frame}")),
    }
}

fn text_or_null(value: &Value) -> Value {
    if value == "" { Value::Null } else { value.clone() }
}

fn port_or_null(value: &Value) -> Value {
    if value == 0 { Value::Null } else { value.clone() }
}

/// A host, where there is one.
fn host(value: &Value) -> Value {
    if value == "–" { Value::Null } else { value.clone() }
}

/// What a row says under some of its columns.
fn pick(row: &Value, columns: &[&str]) -> Value {
    columns.iter().map(|column| row[*column].clone()).collect()
}

#[test]
fn every_table_says_what_the_subcommands_print() {
    let (mut lookups, mut errors, mut services) = (0, 0, 0);
    for path in captures() {
        let place = Place::new();
        let (capture, files) = (base(&path), [path.as_path()]);
        place.write(&files, &["--unit", "capture"]);
        // Of several captures in one text, frames are counted in each.
        if place.rows("captures").len() != 1 {
            continue;
        }
        lookups += compare_dns(&place, &files, &capture);
        errors += compare_packets(&place, &files, &capture);
        services += compare_attempts(&place, &files, &capture);
        compare_episodes(&place, &files, &capture);
        compare_findings(&place, &files, &capture);
    }
    assert!(lookups > 1_000 && errors > 100 && services > 100, "{lookups} {errors} {services}");
}

fn compare_dns(place: &Place, files: &[&Path], capture: &str) -> usize {
    let printed = place.printed(&["dns"], files);
    let wanted: Vec<Value> = printed
        .iter()
        .map(|row| {
            let tries: Vec<Value> =
                [row["query"].clone()].into_iter().chain([row["retries"].clone()]).flat_map(all).collect();
            json!([
                row["query"][0],
                row["time_ns"],
                row["client"],
                row["client_port"],
                row["server"],
                row["server_port"],
                row["transport"],
                row["id"],
                row["type"],
                row["name"],
                row["tries"],
                row["outcome"],
                text_or_null(&row["detail"]),
                row["rtt_ns"],
                row["waited_ns"],
                row["episode"],
                row["extended_error"],
                row["error_from"],
                row["lookup"],
                cited(capture, &json!(tries)),
            ])
        })
        .collect();
    let rows = place.rows("dns");
    let columns = [
        "frame",
        "ts_ns",
        "client_ip",
        "client_port",
        "server_ip",
        "server_port",
        "transport",
        "dns_id",
        "qtype",
        "qname",
        "tries",
        "outcome",
        "detail",
        "rtt_ns",
        "waited_ns",
        "episode",
        "extended_error",
        "error_from",
        "lookup",
        "query_frames",
    ];
    let mut found: Vec<Value> = rows.iter().map(|row| pick(row, &columns)).collect();
    if rows.iter().any(|row| row["ts_ns"].is_null()) {
        // Times of a day nobody knows are printed, and are no moments.
        let mut wanted = wanted;
        for row in wanted.iter_mut().chain(&mut found) {
            row[1] = Value::Null;
        }
        assert_eq!(found, wanted, "{capture}");
    } else {
        assert_eq!(found, wanted, "{capture}");
    }
    for (row, own) in rows.iter().zip(&printed) {
        let firsts = [("answer", "answer_frames"), ("error", "error_frames")];
        for (key, column) in firsts {
            let first = own[key].get(0).map_or(Value::Null, |frame| json!(format!("{capture}#{frame}")));
            let listed = row[column].as_array().is_some_and(|all| all.contains(&first));
            assert!(listed || first.is_null() && row[column].is_null(), "{capture}: {row} {own}");
        }
    }
    let key = |row: &Value| pick(row, &["capture_sha256", "frame", "message"]).to_string();
    assert_eq!(
        rows.iter().map(key).collect::<BTreeSet<_>>().len(),
        rows.len(),
        "{capture}: a key comes twice"
    );
    rows.len()
}

fn all(value: Value) -> Vec<Value> {
    match value {
        Value::Array(all) => all,
        one => vec![one],
    }
}

fn compare_packets(place: &Place, files: &[&Path], capture: &str) -> usize {
    let printed = place.printed(&["packets"], files);
    let errors = place.rows("icmp_errors");
    let links = place.rows("links");
    let by_frame: BTreeMap<u64, &Value> =
        printed.iter().map(|packet| (packet["frame"].as_u64().unwrap(), packet)).collect();
    let mut told = 0;
    for row in &errors {
        let packet = by_frame[&row["frame"].as_u64().unwrap()];
        let quoted = &packet["icmp"]["quoted"];
        let wanted = json!([
            packet["source"]["ip"],
            packet["destination"]["ip"],
            packet["icmp"]["type"],
            packet["icmp"]["code"],
            quoted["source"]["ip"],
            quoted["source"]["port"],
            quoted["destination"]["ip"],
            quoted["destination"]["port"],
            quoted["dns"]["id"],
            quoted["dns"]["question"]["name"],
            quoted["dns"]["question"]["type"],
        ]);
        let columns = [
            "from_ip",
            "to_ip",
            "icmp_type",
            "icmp_code",
            "quoted_src_ip",
            "quoted_src_port",
            "quoted_dst_ip",
            "quoted_dst_port",
            "quoted_dns_id",
            "quoted_qname",
            "quoted_qtype",
        ];
        let found = pick(row, &columns);
        let names =
            |value: &Value| value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_err());
        for (at, (found, wanted)) in all(found).iter().zip(all(wanted)).enumerate() {
            // A host a text names is a name in the table, and no number in JSON.
            let is_name = wanted.is_null() && at < 7 && names(found);
            assert!(is_name || *found == wanted, "{capture}: {row} {packet}");
        }
        let about =
            packet["links"].as_array().into_iter().flatten().find(|link| link["kind"] == "error_about");
        let wanted =
            about.map_or(json!([null, null, null]), |link| pick(link, &["frame", "level", "delta_ns"]));
        assert_eq!(pick(row, &["about_frame", "level", "delta_ns"]), wanted, "{capture}: {row} {packet}");
        told += 1;
    }
    let is_error: BTreeSet<u64> = errors.iter().map(|row| row["frame"].as_u64().unwrap()).collect();
    let mut wanted = Vec::new();
    for packet in &printed {
        let frame = &packet["frame"];
        let links = packet["links"].as_array().into_iter().flatten();
        let told = links
            .filter(|link| is_error.contains(&frame.as_u64().unwrap()) || link["kind"] == "duplicate_of")
            .map(|link| json!([frame, link["kind"], link["frame"], link["level"], link["delta_ns"]]));
        wanted.extend(told);
    }
    let found: Vec<Value> =
        links.iter().map(|row| pick(row, &["frame", "kind", "to_frame", "level", "delta_ns"])).collect();
    assert_eq!(found, wanted, "{capture}");
    told
}

fn compare_attempts(place: &Place, files: &[&Path], capture: &str) -> usize {
    let rows = place.rows("attempts");
    let columns = [
        "frame",
        "client_ip",
        "client_port",
        "server_ip",
        "server_port",
        "transport",
        "service",
        "name",
        "tries",
        "outcome",
        "detail",
        "waited_ns",
        "answered_ns",
        "decided_frame",
        "handshake_ns",
    ];
    let mut found: Vec<String> = rows.iter().map(|row| pick(row, &columns).to_string()).collect();
    let lookups: BTreeSet<String> = place.rows("dns").iter().map(|row| row["frame"].to_string()).collect();
    let printed = place.printed(&["attempts"], files);
    let mut wanted: Vec<String> = printed
        .iter()
        .filter(|row| row["service"] != "dns" || !lookups.contains(&row["first"][0].to_string()))
        .map(|row| {
            json!([
                row["first"][0],
                host(&row["client"]),
                port_or_null(&row["client_port"]),
                host(&row["server"]),
                port_or_null(&row["server_port"]),
                row["transport"],
                row["service"],
                row["name"],
                row["tries"],
                row["outcome"],
                text_or_null(&row["detail"]),
                row["waited_ns"],
                row["answered"],
                row["decided"][0],
                row["handshake"],
            ])
            .to_string()
        })
        .collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "{capture}");
    let key = |row: &Value| pick(row, &["capture_sha256", "frame", "message"]).to_string();
    assert_eq!(
        rows.iter().map(key).collect::<BTreeSet<_>>().len(),
        rows.len(),
        "{capture}: a key comes twice"
    );
    rows.len()
}

fn compare_episodes(place: &Place, files: &[&Path], capture: &str) {
    let printed = place.printed(&["episodes"], files);
    let wanted: Vec<Value> = printed
        .iter()
        .map(|row| {
            json!([
                row["episode"],
                row["problem"],
                row["duration_ns"],
                row["client"],
                row["server"],
                row["server_port"],
                row["transport"],
                row["name"],
                row["signature"],
                row["attempts"],
                row["errors"],
                row["delayed_errors"],
                row["verdict"],
                cited(capture, &row["frames"]),
                cited(capture, &row["recovery"]),
                row["error_sender"],
            ])
        })
        .collect();
    let columns = [
        "episode",
        "problem",
        "duration_ns",
        "client_ip",
        "server_ip",
        "server_port",
        "transport",
        "qname",
        "signature",
        "attempts",
        "errors",
        "delayed_errors",
        "verdict",
        "frames",
        "recovery_frames",
        "error_sender",
    ];
    let found: Vec<Value> = place.rows("episodes").iter().map(|row| pick(row, &columns)).collect();
    assert_eq!(found, wanted, "{capture}");
}

fn compare_findings(place: &Place, files: &[&Path], capture: &str) {
    let wanted: Vec<Value> = place
        .printed(&["findings"], files)
        .iter()
        .map(|row| {
            json!([
                row["id"],
                row["severity"],
                row["statement"],
                row["code"],
                row["reason"],
                text_or_null(&row["filter"]),
                cited(capture, &row["frames"]),
            ])
        })
        .collect();
    let columns = ["rule", "severity", "statement", "code", "reason", "filter", "frames"];
    let found: Vec<Value> = place.rows("findings").iter().map(|row| pick(row, &columns)).collect();
    assert_eq!(found, wanted, "{capture}");
}

#[test]
fn the_description_names_every_column_in_order() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/columns.md")).unwrap();
    for table in TABLES {
        let columns: Vec<&str> = table.own.iter().map(|column| column.name).collect();
        let wanted = format!(" | {} |", columns.join(", "));
        let row = text.lines().find(|line| line.starts_with(&format!("| `{}` |", table.name))).unwrap();
        assert!(row.ends_with(&wanted), "{row}\n{wanted}");
    }
    let common: Vec<&str> = Table::columns(TABLES[0]).map(|column| column.name).take(8).collect();
    assert!(common.iter().all(|name| text.contains(&format!("`{name}`"))), "{common:?}");
}

#[test]
fn two_messages_in_one_segment_are_two_rows_with_their_own_ids() {
    let place = Place::new();
    place.write(&[Path::new(TWO_IN_ONE)], &[]);
    let rows: Vec<Value> = place.rows("dns").into_iter().filter(|row| row["frame"] == 61).collect();
    let told: Vec<Value> = rows.iter().map(|row| pick(row, &["message", "dns_id", "qtype"])).collect();
    assert_eq!(told, [json!([0, 11647, "A"]), json!([1, 11646, "AAAA"])]);
}

#[test]
fn the_same_captures_give_the_same_bytes_in_whatever_order_they_are_named() {
    let captures = captures();
    let files: Vec<&Path> = captures.iter().map(PathBuf::as_path).collect();
    let backward: Vec<&Path> = files.iter().rev().copied().collect();
    for unit in ["sensor-day", "capture"] {
        let (one, two) = (Place::new(), Place::new());
        one.write(&files, &["--unit", unit]);
        two.write(&backward, &["--unit", unit]);
        let (first, second) = (tree(&one.path("lake")), tree(&two.path("lake")));
        assert!(first.len() > 10, "{:?}", first.keys());
        assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
        for (name, bytes) in &first {
            assert!(second.get(name) == Some(bytes), "{unit}: {name} differs");
        }
        assert!(!first.keys().any(|name| name.starts_with("_tmp")), "{:?}", first.keys());
    }
}

#[test]
fn what_is_there_is_not_done_again() {
    let place = Place::new();
    let told = place.write(&[Path::new(REFUSED)], &["--dry-run"]);
    assert_eq!(told[0]["done"], "written");
    assert!(!place.path("lake").exists(), "a dry run writes nothing");
    place.write(&[Path::new(REFUSED)], &[]);
    let before = tree(&place.path("lake"));
    assert_eq!(fs::read_to_string(place.path("lake/CURRENT")).unwrap(), format!("gen={}\n", generation()));
    let told = place.write(&[Path::new(REFUSED)], &[]);
    assert_eq!(told[0]["done"], "there");
    assert_eq!(tree(&place.path("lake")), before);
}

/// A capture of one sensor cut into pieces as rotation does.
fn rotated(place: &Place, path: &Path, pieces: usize) -> Vec<PathBuf> {
    let bytes = fs::read(path).unwrap();
    let (head, mut at) = (&bytes[..24], 24);
    let mut records = Vec::new();
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        records.push(&bytes[at..at + 16 + length]);
        at += 16 + length;
    }
    let of = records.len().div_ceil(pieces);
    let all = records.chunks(of).enumerate();
    all.map(|(number, part)| place.file(&format!("cut{number}.pcap"), &[head, &part.concat()].concat()))
        .collect()
}

#[test]
fn rotated_files_of_a_day_are_one_story() {
    let whole = Place::new();
    whole.write(&[Path::new(TWO_IN_ONE)], &[]);
    let cut = Place::new();
    let pieces = rotated(&cut, Path::new(TWO_IN_ONE), 4);
    let files: Vec<&Path> = pieces.iter().map(PathBuf::as_path).collect();
    cut.write(&files, &[]);
    let columns =
        ["ts_ns", "message", "client_ip", "client_port", "dns_id", "qname", "outcome", "rtt_ns", "episode"];
    for (table, columns) in [
        ("dns", &columns[..]),
        ("icmp_errors", &["ts_ns", "from_ip", "level", "delta_ns"]),
        ("episodes", &["ts_ns", "client_ip", "signature", "attempts", "errors", "verdict"]),
    ] {
        let told = |place: &Place| place.rows(table).iter().map(|row| pick(row, columns)).collect::<Vec<_>>();
        assert!(!told(&whole).is_empty());
        assert_eq!(told(&cut), told(&whole), "{table}");
    }
    let captures = cut.rows("captures");
    assert_eq!(captures.len(), pieces.len());
    let units: BTreeSet<String> = captures.iter().map(|row| row["unit_id"].to_string()).collect();
    assert_eq!(units.len(), 1, "one unit");
}

#[test]
fn a_day_that_grew_replaces_itself_and_one_that_shrank_does_not() {
    let place = Place::new();
    let pieces = rotated(&place, Path::new(TWO_IN_ONE), 3);
    let files: Vec<&Path> = pieces.iter().map(PathBuf::as_path).collect();
    place.write(&files[..2], &[]);
    let early = place.rows("captures");
    // A piece alone would take the rows of the others away.
    let alone = place.columns(&files[2..], &[]);
    assert_eq!((alone.status.code(), lines(&alone)[0]["done"].as_str()), (Some(2), Some("refused")));
    assert_eq!(place.rows("captures"), early);
    assert_eq!(place.write(&files[..1], &[])[0]["done"], "there");
    assert_eq!(place.write(&files, &[])[0]["done"], "replaced");
    let captures = place.rows("captures");
    assert!(captures.iter().all(|row| row["replaces"] == early[0]["unit_id"]), "{captures:?}");
    let at_once = Place::new();
    at_once.write(&files, &[]);
    assert_eq!(place.rows("dns"), at_once.rows("dns"));
    // The other kind of unit would bring every row a second time.
    let mixed = place.columns(&files, &["--unit", "capture"]);
    assert_eq!(mixed.status.code(), Some(2));
    assert!(lines(&mixed).iter().all(|line| line["done"] == "refused"), "{:?}", lines(&mixed));
}

#[test]
fn damaged_and_unreadable_files_are_rows_and_no_reason_to_stop() {
    let place = Place::new();
    let bytes = fs::read(TWO_IN_ONE).unwrap();
    let damaged = place.file("damaged.pcap", &bytes[..bytes.len() - 7]);
    let noise: Vec<u8> =
        (0..4_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8 | 0x80).collect();
    let poisoned = place.file("poison.pcap", &noise);
    let header = place.file("header.pcap", &bytes[..24]);
    let prose = place.file("prose.txt", b"nothing was captured that day\n");
    let files = [damaged.as_path(), &poisoned, &header, &prose, Path::new(REFUSED)];
    let strict = place.columns(&files, &["--strict"]);
    assert_eq!(strict.status.code(), Some(2));
    assert!(tree(&place.path("lake")).is_empty(), "nothing is written");
    place.write(&files, &[]);
    let told: BTreeMap<String, Value> = place
        .rows("captures")
        .iter()
        .map(|row| (row["capture"].as_str().unwrap().to_owned(), row.clone()))
        .collect();
    let status = |name: &str| told[name]["status"].as_str().unwrap().to_owned();
    assert_eq!(status("damaged.pcap"), "damaged");
    assert!(told["damaged.pcap"]["damage"].as_str().unwrap().contains("after frame"));
    assert!(told["damaged.pcap"]["dns_rows"].as_i64().unwrap() > 0);
    assert_eq!(status("poison.pcap"), "quarantined");
    assert!(told["poison.pcap"]["damage"].as_str().unwrap().contains("is not a capture"));
    assert_eq!((status("header.pcap"), status("prose.txt")), ("empty".to_owned(), "empty".to_owned()));
    assert_eq!(status("00_seed_reenacted.pcap"), "done");
    // What could not be read is not tried again unasked, and asked for it is no loss.
    let again = place.write(&files, &[]);
    assert!(again.iter().all(|line| line["done"] == "there"), "{again:?}");
    let retried = place.write(&files, &["--retry-quarantined"]);
    let redone: Vec<&Value> = retried.iter().filter(|line| line["done"] != "there").collect();
    assert_eq!(redone.len(), 1, "{retried:?}");
    // Alone it is what the run was about, and so is a file that is not there.
    let fresh = Place::new();
    let alone = fresh.columns(&[&poisoned], &[]);
    assert_eq!(alone.status.code(), Some(2));
    let absent = fresh.columns(&[Path::new("no/such.pcap"), Path::new(REFUSED)], &[]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(!fresh.rows("dns").is_empty(), "the others are written");
}

#[test]
fn the_same_bytes_given_twice_are_one_capture_and_from_two_sensors_two() {
    let place = Place::new();
    let copy = place.file("copy.pcap", &fs::read(REFUSED).unwrap());
    place.write(&[Path::new(REFUSED), &copy], &[]);
    assert_eq!(place.rows("captures").len(), 1);
    let other = ["columns", "-q", "--site", "oslo", "--sensor", "tap1", "-o"];
    let output = place.command().args(other).arg(place.path("lake")).arg(&copy).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let captures = place.rows("captures");
    assert_eq!(captures.len(), 2);
    assert_eq!(captures[0]["capture_sha256"], captures[1]["capture_sha256"]);
}

#[test]
fn hostile_names_and_links_lead_nowhere() {
    let place = Place::new();
    for name in ["../x", "a/b", "", ".", "..", "a=b", "a b", "\u{202e}x", "_tmp"] {
        for option in ["--site", "--sensor"] {
            let other = if option == "--site" { "--sensor" } else { "--site" };
            let mut command = place.command();
            command.args(["columns", option, name, other, "x", "-o"]).arg(place.path("lake")).arg(REFUSED);
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{option} {name:?}");
            assert!(!output.stderr.contains(&0xe2), "nothing hidden reaches the terminal");
        }
    }
    assert!(!place.path("lake").exists());
    // A capture's own name is shown escaped, and cited so.
    let hostile = place.file("a\u{202e}\n#7.pcap", &fs::read(REFUSED).unwrap());
    place.write(&[&hostile], &[]);
    let rows = place.rows("dns");
    let evidence = rows[0]["evidence"].as_str().unwrap();
    assert!(evidence.ends_with(&format!("#{}", rows[0]["frame"])));
    assert!(!evidence.contains(['\n', '\u{202e}']), "{evidence:?}");
    // A link where a folder of the lake belongs is not followed.
    let trap = Place::new();
    let outside = trap.path("outside");
    fs::create_dir_all(trap.path("lake")).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(&outside, trap.path("lake").join(format!("gen={}", generation()))).unwrap();
    let output = trap.columns(&[Path::new(REFUSED)], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(tree(&outside).is_empty());
}

#[test]
fn a_killed_run_leaves_what_was_there() {
    let place = Place::new();
    let pieces = rotated(&place, Path::new(TWO_IN_ONE), 3);
    let files: Vec<&Path> = pieces.iter().map(PathBuf::as_path).collect();
    place.write(&files[..1], &[]);
    let lake = place.path("lake");
    let tables = |lake: &Path| -> BTreeMap<String, Vec<u8>> {
        tree(lake).into_iter().filter(|(name, _)| !name.starts_with("_tmp")).collect()
    };
    let before = tables(&lake);
    let mut killed = 0;
    for wait_ms in 0..40 {
        let mut command = place.command();
        command.args(["columns", "--site", "oslo", "--sensor", "tap0", "-q", "-o"]).arg(&lake).args(&files);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(wait_ms) && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        if child.wait().unwrap().success() || tables(&lake) != before {
            break;
        }
        killed += 1;
    }
    assert!(killed > 3, "some runs were ended before they put anything in place");
    place.write(&files, &[]);
    let at_once = Place::new();
    at_once.write(&files, &[]);
    for table in TABLES.iter().filter(|table| table.name != "captures") {
        assert_eq!(place.rows(table.name), at_once.rows(table.name), "{}", table.name);
    }
}

#[test]
fn what_a_pipe_brings_is_written_too() {
    let place = Place::new();
    let lake = place.path("lake");
    let mut command = place.command();
    command.args(["columns", "--site", "oslo", "--sensor", "tap0", "-q", "-o"]).arg(&lake).arg("-");
    command.stdin(fs::File::open(REFUSED).unwrap());
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    let rows = place.rows("dns");
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| row["capture"] == "-"), "{rows:?}");
}
