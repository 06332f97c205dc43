//! What is read and written together: a sensor's day, or one capture.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capture::{self, Fill, Format, OpenError, Options, Walk};
use crate::text::escape;
use crate::time::{EARLIEST_NS, LATEST_NS, Nanos};

/// The day of captures whose times are no moments.
pub const NO_DAY: &str = "0000-00-00";
/// The longest name of a site or sensor.
const NAME_MAX_BYTES: usize = 64;
/// Packets looked at for the first that has a time.
const LOOKED_MAX: usize = 1_024;
/// How long more of a packed capture is waited for at a time.
const WAIT: Duration = Duration::from_millis(20);

/// What makes a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// All captures of a sensor that begin on one day are one story: what rotation cut stays whole.
    SensorDay,
    /// Each capture by itself.
    Capture,
}

/// How the reading of a capture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Read to its end.
    Done,
    /// Read, and there are no packets in it.
    Empty,
    /// Read as far as its damage let it be.
    Damaged,
    /// No capture that is read.
    Quarantined,
}

impl Status {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Empty => "empty",
            Self::Damaged => "damaged",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A capture of a unit.
#[derive(Clone, Debug)]
pub struct Member {
    /// The file.
    pub path: PathBuf,
    /// Its name without folders, safe to show.
    pub capture: String,
    /// SHA-256 of the file as it is stored; empty until it was read.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// [`Status::Done`] for what is to be read.
    pub status: Status,
    /// Why it is not read.
    pub why: Option<String>,
    /// The first packet's time.
    pub first_ns: Nanos,
}

/// What is written as one file a table.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The site.
    pub site: String,
    /// The sensor.
    pub sensor: String,
    /// The UTC day of its first packet.
    pub day: String,
    /// What people call it.
    pub name: String,
    /// What makes it.
    pub by: By,
    /// Its captures in the order of their first packets.
    pub members: Vec<Member>,
    /// The id of the unit that stood in its place.
    pub replaces: Option<String>,
}

impl Unit {
    /// Its id: that of the captures in it, in whatever order they came.
    pub fn id(&self) -> String {
        let mut hashes: Vec<&str> = self.members.iter().map(|member| member.sha256.as_str()).collect();
        hashes.sort_unstable();
        crate::case::hash::hash_text(&hashes.join("\n"))
    }

    /// The name of its file in every table.
    pub fn file(&self) -> String {
        match (self.by, self.members.first()) {
            (By::Capture, Some(member)) => format!("{}.{}.parquet", self.sensor, member.sha256),
            _ => format!("{}.parquet", self.sensor),
        }
    }

    /// The captures that are read.
    pub fn read(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.status == Status::Done)
    }
}

/// Whether a site or sensor may have this name: it becomes one of a folder or file, and nothing is escaped there. Engines leave
/// out files that begin with a dot or an underscore.
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=NAME_MAX_BYTES).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with(['.', '_'])
}

/// A file's name without folders, safe to show.
pub fn base_name(path: &Path) -> String {
    escape(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
}

/// What is seen of a capture before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Packets, the first at this time.
    From(Nanos),
    /// Packets without a time that is a moment.
    Undated,
    /// A text without packets.
    Empty,
    /// No capture that is read, and why.
    Unreadable(String),
}

/// Looks at the first packets of a capture.
pub fn look(path: &Path, options: Options) -> Result<Look, OpenError> {
    let opened = match capture::open_apart(path, options) {
        Ok(opened) => opened,
        Err(OpenError::NoPackets { .. }) => return Ok(Look::Empty),
        Err(error @ OpenError::Io { .. }) => return Err(error),
        Err(error) => return Ok(Look::Unreadable(error.to_string())),
    };
    // Of several captures in one text the first stands for all.
    let Some((source, mut walk)) = opened.into_iter().next() else { return Ok(Look::Empty) };
    let first = first(&source.bytes, walk.as_mut());
    source.bytes.cancel();
    Ok(first)
}

fn first(bytes: &std::sync::Arc<capture::Map>, walk: &mut dyn Walk) -> Look {
    let mut records = Vec::new();
    let look = bytes.look(0);
    loop {
        let complete = bytes.is_complete();
        let there = capture::Look::all(look.as_ref());
        let filled = walk.fill(there, complete, LOOKED_MAX - records.len(), &mut records);
        if filled == Fill::Starved && records.is_empty() {
            bytes.wait(there.len(), WAIT);
            continue;
        }
        break;
    }
    let metadata = walk.metadata();
    if records.is_empty() && metadata.format == Format::Transcript {
        return Look::Empty;
    }
    let has_date = metadata.has_times && metadata.has_date;
    let timed = records.iter().find(|record| record.has_time).filter(|_| has_date);
    timed.map_or(Look::Undated, |record| Look::From(record.time_ns.clamp(EARLIEST_NS, LATEST_NS)))
}

/// The UTC day of a time.
fn day_of(time_ns: Nanos) -> String {
    crate::time::date_and_time(time_ns).split(' ').next().unwrap_or(NO_DAY).to_owned()
}

/// Shares captures out among units: each with what was seen of it.
pub fn units((site, sensor): (&str, &str), by: By, captures: Vec<(Member, Look)>) -> Vec<Unit> {
    let mut days: BTreeMap<String, Vec<Member>> = BTreeMap::new();
    let mut alone: Vec<(String, Member)> = Vec::new();
    for (mut member, look) in captures {
        let day = match look {
            Look::From(time_ns) => {
                member.first_ns = time_ns;
                day_of(time_ns)
            }
            Look::Undated => NO_DAY.to_owned(),
            Look::Empty => {
                member.status = Status::Empty;
                NO_DAY.to_owned()
            }
            Look::Unreadable(why) => {
                (member.status, member.why) = (Status::Quarantined, Some(why));
                NO_DAY.to_owned()
            }
        };
        // What has no day tells nothing of what it belongs together with.
        if by == By::Capture || day == NO_DAY {
            alone.push((day, member));
        } else {
            days.entry(day).or_default().push(member);
        }
    }
    let unit = |day: String, name: String, by: By, members: Vec<Member>| Unit {
        site: site.to_owned(),
        sensor: sensor.to_owned(),
        day,
        name,
        by,
        members,
        replaces: None,
    };
    let mut all = Vec::new();
    for (day, mut members) in days {
        members.sort_by(|a, b| (a.first_ns, &a.capture, &a.path).cmp(&(b.first_ns, &b.capture, &b.path)));
        let name = format!("{site}/{sensor}/{day}");
        all.push(unit(day, name, By::SensorDay, members));
    }
    alone.sort_by(|a, b| (&a.0, &a.1.capture, &a.1.path).cmp(&(&b.0, &b.1.capture, &b.1.path)));
    for (day, member) in alone {
        let name = member.capture.clone();
        all.push(unit(day, name, By::Capture, vec![member]));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(path: &str) -> Member {
        Member {
            path: PathBuf::from(path),
            capture: base_name(Path::new(path)),
            sha256: path.to_owned(),
            bytes: 1,
            status: Status::Done,
            why: None,
            first_ns: 0,
        }
    }

    #[test]
    fn names_that_need_no_escaping_are_the_only_ones() {
        for good in ["ams1", "A.b_c-9", "007", "1e3", "-x"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", ".hidden", "_tmp", "a/b", "a b", "a=b", "ä", "a\n", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_day_holds_its_captures_in_the_order_of_their_packets_and_what_has_none_stands_alone() {
        const HOUR: Nanos = 3_600_000_000_000;
        let captures = vec![
            (member("x/b.pcap"), Look::From(25 * HOUR)),
            (member("x/c.pcap"), Look::From(2 * HOUR)),
            (member("x/a.pcap"), Look::From(3 * HOUR)),
            (member("x/u.txt"), Look::Undated),
            (member("x/q"), Look::Unreadable("no".to_owned())),
        ];
        let told = |by| -> Vec<String> {
            let units = units(("s", "n"), by, captures.clone());
            let names =
                |unit: &Unit| unit.members.iter().map(|m| m.capture.clone()).collect::<Vec<_>>().join("+");
            units.iter().map(|unit| format!("{} {}", unit.day, names(unit))).collect()
        };
        let alone = ["0000-00-00 q", "0000-00-00 u.txt"].map(str::to_owned);
        let mut expected = vec!["1970-01-01 c.pcap+a.pcap".to_owned(), "1970-01-02 b.pcap".to_owned()];
        expected.extend(alone.clone());
        assert_eq!(told(By::SensorDay), expected);
        let mut expected = alone.to_vec();
        expected.extend(["1970-01-01 a.pcap", "1970-01-01 c.pcap", "1970-01-02 b.pcap"].map(str::to_owned));
        assert_eq!(told(By::Capture), expected);
    }

    #[test]
    fn an_id_is_that_of_the_captures_whatever_their_order() {
        let unit = |paths: &[&str]| {
            let captures = paths.iter().map(|path| (member(path), Look::From(0))).collect();
            units(("s", "n"), By::SensorDay, captures).remove(0).id()
        };
        assert_eq!(unit(&["a", "b"]), unit(&["b", "a"]));
        assert_ne!(unit(&["a", "b"]), unit(&["a"]));
    }
}
