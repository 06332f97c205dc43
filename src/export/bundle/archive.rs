//! Reads the layout of a ZIP archive byte by byte: every byte belongs to one file, and every file has one name.
//!
//! Programs that unpack archives read them differently: from the end, from the front, by name or by place. What one of
//! them would show and another would not is a place to hide something, so an archive with such a place is no sound bundle.

use std::collections::BTreeMap;

use crate::text::thousands;

/// Size of the record an archive ends with (PKWARE APPNOTE 4.3.16), without a comment.
const END_BYTES: usize = 22;
/// Size of a row of the directory without its texts (4.3.12).
const ROW_BYTES: usize = 46;
/// Size of what stands before a file without its texts (4.3.7).
const LOCAL_BYTES: usize = 30;
/// Rows looked at.
const ROWS_MAX: usize = 65_535;
/// Bytes a packed file is unpacked at a time.
const PIECE_BYTES: usize = 64 << 10;
/// Bytes all files together may unpack to.
const UNPACKED_MAX_BYTES: u64 = 1 << 30;

/// What the findings about no file in particular are listed under.
const WHOLE: &str = "the archive";

/// A row of the directory.
struct Row {
    name: String,
    raw: Vec<u8>,
    flags: u16,
    method: u16,
    /// CRC, packed and unpacked size, as they stand in the row.
    sizes: [u32; 3],
    /// Where the file's own header stands.
    at: usize,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn size_at(bytes: &[u8], at: usize) -> Option<usize> {
    u32_at(bytes, at).map(|value| value as usize)
}

/// What is wrong with the layout: a name, and what.
pub fn problems(bytes: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    match directory(bytes, &mut found) {
        Some((rows, begin)) => {
            names(&rows, &mut found);
            places(bytes, rows, begin, &mut found);
        }
        None => found.push((WHOLE.to_owned(), "its directory cannot be read to its end".to_owned())),
    }
    found
}

/// The rows of the directory, and where it begins.
fn directory(bytes: &[u8], found: &mut Vec<(String, String)>) -> Option<(Vec<Row>, usize)> {
    let mut say = |what: &str| found.push((WHOLE.to_owned(), what.to_owned()));
    let end = bytes.len().checked_sub(END_BYTES)?;
    if !bytes.get(end..)?.starts_with(b"PK\x05\x06") {
        say("something stands behind its end, or in its comment");
        return None;
    }
    let (count, size, begin) =
        (u16_at(bytes, end + 10)?, size_at(bytes, end + 12)?, size_at(bytes, end + 16)?);
    if u16_at(bytes, end + 20)? != 0 || u16_at(bytes, end + 8)? != count {
        say("its last record is not as bundles have it");
    }
    if begin.checked_add(size)? != end {
        say("something stands between its directory and its end");
    }
    let mut rows = Vec::new();
    let mut at = begin;
    while at < end && rows.len() < ROWS_MAX && bytes.get(at..)?.starts_with(b"PK\x01\x02") {
        let lengths = [u16_at(bytes, at + 28)?, u16_at(bytes, at + 30)?, u16_at(bytes, at + 32)?];
        let [name, extra, comment] = lengths.map(usize::from);
        let raw = bytes.get(at + ROW_BYTES..at + ROW_BYTES + name)?.to_vec();
        let row = Row {
            name: String::from_utf8_lossy(&raw).into_owned(),
            raw,
            flags: u16_at(bytes, at + 8)?,
            method: u16_at(bytes, at + 10)?,
            sizes: [u32_at(bytes, at + 16)?, u32_at(bytes, at + 20)?, u32_at(bytes, at + 24)?],
            at: size_at(bytes, at + 42)?,
        };
        if extra + comment > 0 {
            found.push((row.name.clone(), "its row of the directory says more than a name".to_owned()));
        }
        rows.push(row);
        at += ROW_BYTES + name + extra + comment;
    }
    if at != end || rows.len() != usize::from(count) {
        found.push((WHOLE.to_owned(), "its directory has other rows than it counts".to_owned()));
    }
    Some((rows, begin))
}

/// A name as the most forgiving file system would take it.
fn folded(name: &str) -> String {
    let name = name.replace('\\', "/").to_lowercase();
    let parts = name.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.map(|part| part.trim_end_matches(['.', ' '])).collect::<Vec<_>>().join("/")
}

/// Names that are there twice, or would be on another system.
fn names(rows: &[Row], found: &mut Vec<(String, String)>) {
    let mut seen = BTreeMap::<String, &str>::new();
    for row in rows {
        if row.name.contains(['/', '\\', '\0', ':']) || folded(&row.name) == ".." {
            found.push((row.name.clone(), "its name has separators: bundles have no folders".to_owned()));
        }
        match seen.insert(folded(&row.name), &row.name) {
            Some(other) if other == row.name => {
                found.push((row.name.clone(), "it is there twice".to_owned()));
            }
            Some(other) => {
                let other = crate::text::escape(other);
                found.push((
                    row.name.clone(),
                    format!("its name is that of {other} but for case or separators"),
                ));
            }
            None => {}
        }
    }
}

/// That the files stand one behind the other from the first byte to the directory, and nothing else does.
fn places(bytes: &[u8], mut rows: Vec<Row>, begin: usize, found: &mut Vec<(String, String)>) {
    rows.sort_by_key(|row| row.at);
    let (mut expected, mut unpacked) = (0, UNPACKED_MAX_BYTES);
    for row in &rows {
        if row.at != expected {
            found.push((row.name.clone(), between(expected, row.at)));
        }
        match local(bytes, row, &mut unpacked) {
            Ok(end) => expected = end,
            Err(problem) => {
                found.push((row.name.clone(), problem));
                return;
            }
        }
    }
    if expected != begin {
        found.push((WHOLE.to_owned(), between(expected, begin)));
    }
}

fn between(expected: usize, at: usize) -> String {
    let (expected, at) = (thousands(expected as u64), thousands(at as u64));
    format!("the bytes from {expected} to {at} belong to no file, or to two")
}

/// Where a file ends, header and all.
fn local(bytes: &[u8], row: &Row, left: &mut u64) -> Result<usize, String> {
    let cut = || "it is cut".to_owned();
    let header = bytes.get(row.at..).filter(|rest| rest.starts_with(b"PK\x03\x04"));
    let header = header.ok_or_else(|| "its header is not where the directory says".to_owned())?;
    let field = |at: usize| u16_at(header, at).ok_or_else(cut);
    let (name, extra) = (usize::from(field(26)?), usize::from(field(28)?));
    if header.get(LOCAL_BYTES..LOCAL_BYTES + name) != Some(row.raw.as_slice()) {
        return Err("its header has another name than the directory".to_owned());
    }
    if extra > 0 || field(6)? != row.flags || field(8)? != row.method {
        return Err("its header says something else than the directory".to_owned());
    }
    let has_descriptor = row.flags & 8 != 0;
    let own = [14, 18, 22].map(|at| u32_at(header, at));
    if !has_descriptor && own != row.sizes.map(Some) {
        return Err("its header has other sizes than the directory".to_owned());
    }
    let begin = row.at + LOCAL_BYTES + name;
    let [_, packed, plain] = row.sizes;
    let end = begin.checked_add(packed as usize).ok_or_else(cut)?;
    let data = bytes.get(begin..end).ok_or_else(cut)?;
    match row.method {
        0 if packed == plain => {}
        8 => inflate(data, left)?,
        _ => return Err("it is packed in a way bundles are not".to_owned()),
    }
    match (has_descriptor, bytes.get(end..).is_some_and(|rest| rest.starts_with(b"PK\x07\x08"))) {
        (false, _) => Ok(end),
        (true, true) => Ok(end + 16),
        (true, false) => Ok(end + 12),
    }
}

/// That packed data are used to their last byte.
fn inflate(data: &[u8], left: &mut u64) -> Result<(), String> {
    let mut inflater = flate2::Decompress::new(false);
    let mut room = vec![0; PIECE_BYTES];
    loop {
        let (used, made) = (inflater.total_in(), inflater.total_out());
        let rest = data.get(used as usize..).unwrap_or_default();
        let status = inflater.decompress(rest, &mut room, flate2::FlushDecompress::None);
        let status = status.map_err(|error| format!("it cannot be unpacked: {error}"))?;
        let more = inflater.total_out() - made;
        *left = left.checked_sub(more).ok_or_else(|| "it unpacks to more than a bundle holds".to_owned())?;
        if status == flate2::Status::StreamEnd {
            break;
        }
        if more == 0 && inflater.total_in() == used {
            return Err("it is cut".to_owned());
        }
    }
    match data.len() as u64 - inflater.total_in() {
        0 => Ok(()),
        rest => Err(format!("{} bytes of it are data no program unpacks", thousands(rest))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
        for (name, content) in files {
            archive.start_file(*name, options).expect("a name");
            archive.write_all(content.as_bytes()).expect("written");
        }
        archive.finish().expect("finished").into_inner()
    }

    fn said(bytes: &[u8]) -> String {
        let lines: Vec<String> =
            problems(bytes).into_iter().map(|(name, what)| format!("{name}: {what}\n")).collect();
        lines.concat()
    }

    /// The same bytes with one name written over another of the same length, in header and directory.
    fn renamed(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
        let places: Vec<usize> = memchr::memmem::find_iter(&bytes, from.as_bytes()).collect();
        for at in places {
            bytes.splice(at..at + from.len(), to.bytes());
        }
        bytes
    }

    #[test]
    fn an_archive_of_the_program_has_no_byte_to_hide_in() {
        let sound = archive(&[("a.txt", "one"), ("b.txt", &"two".repeat(500))]);
        assert_eq!(said(&sound), "");
        // Whatever is put in anywhere is noticed.
        let gap = "XX".as_bytes();
        for at in 0..=sound.len() {
            let mut bytes = sound.clone();
            bytes.splice(at..at, gap.iter().copied());
            assert_ne!(said(&bytes), "", "at {at}");
        }
    }

    #[test]
    fn names_that_meet_on_another_system_are_told() {
        let two = || archive(&[("a.txt", "one"), ("b.txt", "two")]);
        assert!(said(&renamed(two(), "b.txt", "a.txt")).contains("a.txt: it is there twice"));
        assert!(said(&renamed(two(), "b.txt", "A.txt")).contains("but for case"));
        assert!(said(&renamed(two(), "b.txt", "a/txt")).contains("separators"));
        assert!(said(&renamed(two(), "b.txt", "a\\txt")).contains("separators"));
        assert!(said(&archive(&[("a.txt.", "x"), ("a.txt", "y")])).contains("but for case"));
    }

    #[test]
    fn data_behind_packed_data_and_a_comment_are_told() {
        let mut bytes = archive(&[("a.txt", "one")]);
        let end = bytes.len();
        bytes[end - 2] = 4;
        bytes.extend(b"note");
        assert_ne!(said(&bytes), "");
        assert_ne!(said(b""), "");
    }
}
