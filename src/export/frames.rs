//! Frames in JSON: always numbers, with the label of their file in a key beside, however many files there are.
//!
//! Beside `KEY` stands `KEY_file` (beside `frame` plainly `file`), or, where frames of several files are listed,
//! `KEY_files` with a label for each.

use serde_json::{Map, Value, json};

use crate::index::{Index, PacketId, source_label};

/// A frame, to be settled.
pub fn one(index: &Index, id: PacketId) -> Value {
    index.packet(id).map_or(
        Value::Null,
        |packet| json!({ "file": source_label(packet.segment.source), "frame": packet.frame().0 }),
    )
}

/// Frames, to be settled: numbers, and the label of their file or one for each.
pub fn all(index: &Index, ids: &[PacketId]) -> Value {
    let packets = || ids.iter().filter_map(|id| index.packet(*id));
    let numbers: Vec<Value> = packets().map(|packet| packet.frame().0.into()).collect();
    let mut sources = packets().map(|packet| packet.segment.source);
    let Some(first) = sources.next() else { return Value::Array(numbers) };
    let files = if sources.all(|source| source == first) {
        json!(source_label(first))
    } else {
        packets().map(|packet| Value::from(source_label(packet.segment.source))).collect()
    };
    json!({ "file": files, "frame": numbers })
}

/// Puts the label of each frame's file into a key beside it.
pub fn settle(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(settle),
        Value::Object(map) => {
            let old = std::mem::take(map);
            for (key, mut value) in old {
                if let Some((file, number)) = split(&mut value) {
                    beside(map, &key, if file.is_array() { "files" } else { "file" }, file);
                    map.insert(key, number);
                } else {
                    settle(&mut value);
                    map.insert(key, value);
                }
            }
        }
        _ => {}
    }
}

fn beside(map: &mut Map<String, Value>, key: &str, ending: &str, label: Value) {
    let name = if key == "frame" { ending.to_owned() } else { format!("{key}_{ending}") };
    map.insert(name, label);
}

/// Labels and numbers, where the value is frames to be settled.
fn split(value: &mut Value) -> Option<(Value, Value)> {
    let map = value.as_object_mut().filter(|map| map.len() == 2)?;
    let is_frame = matches!(
        (map.get("file")?, map.get("frame")?),
        (Value::String(_), Value::Number(_)) | (Value::String(_) | Value::Array(_), Value::Array(_))
    );
    if !is_frame {
        return None;
    }
    Some((map.remove("file")?, map.remove("frame")?))
}

/// The frames under a key with their labels, as they were settled.
pub fn labelled(object: &Value, key: &str) -> Vec<(String, u64)> {
    let label = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let numbers = object.get(key).and_then(Value::as_array).into_iter().flatten();
    let (one, each) = (object.get(format!("{key}_file")), object.get(format!("{key}_files")));
    let file = |at: usize| label(each.and_then(|files| files.get(at)).or(one));
    numbers.enumerate().map(|(at, number)| (file(at), number.as_u64().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_numbers_and_their_files_stand_beside() {
        let frame = |file: &str, number: u64| json!({ "file": file, "frame": number });
        let mut value = json!({
            "frame": frame("A", 1),
            "answer": frame("B", 2),
            "frames": { "file": "A", "frame": [3, 4] },
            "deep": [{ "tries": { "file": ["A", "B"], "frame": [5, 6] }, "none": [] }],
        });
        settle(&mut value);
        let expected = json!({
            "frame": 1, "file": "A", "answer": 2, "answer_file": "B", "frames": [3, 4], "frames_file": "A",
            "deep": [{ "tries": [5, 6], "tries_files": ["A", "B"], "none": [] }],
        });
        assert_eq!(value, expected);
        assert_eq!(labelled(&value, "frames"), [("A".to_owned(), 3), ("A".to_owned(), 4)]);
        let deep = value.pointer("/deep/0").cloned().unwrap_or_default();
        assert_eq!(labelled(&deep, "tries"), [("A".to_owned(), 5), ("B".to_owned(), 6)]);
    }
}
