//! Live input from outside: pipes that end, that are interrupted, that outgrow their spool, files that grow, and
//! several of them side by side.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test that cannot run has failed"
)]

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use portmortem::capture::{self, AtStart, Options};
use portmortem::index::{FrameNumber, Index, Input, PacketId, Progress, SourceId, build};

const CAPTURE: &[u8] = include_bytes!("captures/lab/01_no_listener.pcap");
const PATIENCE: Duration = Duration::from_secs(20);

fn packets(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portmortem"));
    command
        .arg("packets")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits for the child to end, with patience, and gives its exit code and output.
fn finish(mut child: Child) -> (Option<i32>, String, String) {
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "the program did not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (status.code(), out, err)
}

/// Interrupts again and again until the handler is in place and the program ends by itself.
fn interrupt_once_reading(child: &Child) {
    // The handler is set before the first byte is read; a pause covers a slow start of the program.
    std::thread::sleep(Duration::from_millis(1_500));
    interrupt(child);
}

#[test]
fn an_interrupt_ends_the_input_and_loses_nothing() {
    let mut child = packets(&["-"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(CAPTURE).unwrap();
    input.flush().unwrap();
    interrupt_once_reading(&child);
    let (code, out, err) = finish(child);
    drop(input);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.lines().count(), 8);
}

#[test]
fn a_growing_file_is_followed_until_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing.pcap");
    let (first, rest) = CAPTURE.split_at(300);
    std::fs::write(&path, first).unwrap();
    let child = packets(&["--follow", path.to_str().unwrap()]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(800));
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(rest).unwrap();
    file.sync_all().unwrap();
    interrupt_once_reading(&child);
    let (code, out, err) = finish(child);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.lines().count(), 8, "{err}");
}

#[test]
fn a_pipe_over_its_spool_limit_keeps_what_fits_and_says_so() {
    let mut child = packets(&["--spool-limit", "400", "-"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // The reader may close the pipe at its limit.
    let _ = input.write_all(CAPTURE);
    drop(input);
    let (code, out, err) = finish(child);
    assert_eq!(code, Some(0), "{err}");
    let kept = out.lines().count();
    assert!((1..8).contains(&kept), "{out}");
    assert!(err.contains("400") || err.contains("limit"), "{err}");
}

/// A pipe that the test writes to; it ends when the sender is dropped.
struct Fed(mpsc::Receiver<Vec<u8>>, Vec<u8>);

impl std::io::Read for Fed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.recv().unwrap_or_default();
        }
        let count = self.1.len().min(buffer.len());
        let (now, later) = self.1.split_at(count);
        buffer.get_mut(..count).unwrap().copy_from_slice(now);
        self.1 = later.to_vec();
        Ok(count)
    }
}

/// Pipes that are read into an index, and its snapshots as they are published.
struct Followed {
    pipes: Vec<Option<mpsc::Sender<Vec<u8>>>>,
    snapshots: mpsc::Receiver<Index>,
    building: std::thread::JoinHandle<Index>,
}

impl Followed {
    fn new(count: usize) -> Self {
        let (pipes, readers): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel()).unzip();
        let (publish, snapshots) = mpsc::channel();
        let building = std::thread::spawn(move || {
            let options = Options { start: AtStart::GoOn, ..Options::default() };
            let open = |reader| {
                let (source, walk) = capture::open_reader("pipe", Fed(reader, Vec::new()), options).unwrap();
                Input { source, walk, offset_ns: 0 }
            };
            let inputs = readers.into_iter().map(open).collect();
            build(inputs, 2, &Progress::default(), |index| drop(publish.send(index.clone())))
        });
        Self { pipes: pipes.into_iter().map(Some).collect(), snapshots, building }
    }

    fn write(&self, pipe: usize, bytes: &[u8]) {
        self.pipes[pipe].as_ref().unwrap().send(bytes.to_vec()).unwrap();
    }

    fn close(&mut self, pipe: usize) {
        self.pipes[pipe] = None;
    }

    /// Waits for a snapshot that fits.
    fn until(&self, fits: impl Fn(&Index) -> bool) -> Index {
        let begun = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let index = self.snapshots.recv_timeout(left).expect("the packets appear");
            if fits(&index) {
                return index;
            }
        }
    }

    fn end(mut self) -> Index {
        self.pipes.clear();
        self.building.join().unwrap()
    }
}

/// Where the capture's `count`th packet ends.
fn after(count: usize) -> usize {
    (0..count)
        .fold(24, |at, _| at + 16 + u32::from_le_bytes(CAPTURE[at + 8..at + 12].try_into().unwrap()) as usize)
}

fn labels(index: &Index) -> Vec<String> {
    let order = index.in_order((0..index.len()).collect());
    order.into_iter().map(|id| index.label(PacketId(id))).collect()
}

#[test]
fn pipes_are_followed_side_by_side_and_merged_by_time() {
    let mut followed = Followed::new(3);
    followed.write(0, &CAPTURE[..after(2)]);
    assert_eq!(labels(&followed.until(|index| index.len() == 2)), ["A:F1", "A:F2"]);
    // The second begins late, the third never does; neither waits for the other.
    followed.write(1, &CAPTURE[..after(1)]);
    assert_eq!(labels(&followed.until(|index| index.len() == 3)), ["A:F1", "B:F1", "A:F2"]);
    followed.write(0, &CAPTURE[after(2)..after(3)]);
    followed.until(|index| index.len() == 4);
    followed.write(1, &CAPTURE[after(1)..]);
    followed.close(1);
    let index = followed.until(|index| index.len() == 11);
    assert_eq!(index.sources[1].packets, 8);
    // What one source said stays in place when another goes on.
    followed.write(0, &CAPTURE[after(3)..]);
    followed.close(0);
    let index = followed.end();
    let expected: Vec<String> = (1..=8).flat_map(|n| [format!("A:F{n}"), format!("B:F{n}")]).collect();
    let mut both = labels(&index);
    assert_eq!(both.len(), 16);
    both.sort();
    let mut sorted = expected;
    sorted.sort();
    assert_eq!(both, sorted);
    let times: Vec<_> = index
        .in_order((0..16).collect())
        .iter()
        .map(|id| index.packet(PacketId(*id)).unwrap().time_ns())
        .collect();
    assert!(times.is_sorted());
    for source in [0, 1] {
        for frame in 1..=8 {
            let id = index.by_frame(SourceId(source), FrameNumber(frame)).unwrap();
            let packet = index.packet(id).unwrap();
            assert_eq!((packet.segment.source, packet.frame()), (SourceId(source), FrameNumber(frame)));
            assert_eq!(packet.bytes(), &CAPTURE[after(frame as usize - 1) + 16..after(frame as usize)]);
        }
        assert_eq!(index.by_frame(SourceId(source), FrameNumber(9)), None);
    }
    let damage = &index.sources[2].metadata.damage;
    assert!(damage[0].reason.contains("it is empty"), "{damage:?}");
}

#[test]
fn a_late_stream_that_is_no_capture_is_named_and_stops_nobody() {
    let mut followed = Followed::new(2);
    followed.write(0, &CAPTURE[..after(1)]);
    followed.until(|index| index.len() == 1);
    followed.write(1, &[0xee; 200]);
    followed.write(0, &CAPTURE[after(1)..]);
    followed.close(1);
    followed.until(|index| index.len() == 8);
    let index = followed.end();
    assert!(index.sources[1].metadata.damage[0].reason.contains("is not a capture"));
}

#[test]
fn the_last_printed_line_appears_before_the_next_one_and_grows_when_it_is_continued() {
    let printed = |index: &Index, id: u32| {
        String::from_utf8_lossy(index.packet(PacketId(id)).unwrap().bytes()).into_owned()
    };
    let mut followed = Followed::new(1);
    let line = "13:24:32.192571 IP 192.0.2.15.52444 > 203.0.113.2.53: 35084+ A? example.com. (39)";
    followed.write(0, format!("{line}\n").as_bytes());
    let index = followed.until(|index| index.len() == 1);
    assert_eq!(printed(&index, 0), line);
    // What `-x` prints below it comes late.
    let rest = "\t0x0000:  4500 0043 0001 0000 4011 0000 c000 020f cb00 7102";
    followed.write(0, format!("{rest}\n").as_bytes());
    followed.until(|index| index.len() == 1 && printed(index, 0) == format!("{line}\n{rest}"));
    // A line that is not whole yet is not a packet.
    followed.write(0, b"13:24:33.192571 IP 192.0.2.15.52444 > 203.0.113.2.53: 3508");
    followed.write(0, b"5+ A? example.com. (39)\n");
    let index = followed.until(|index| index.len() == 2);
    assert!(printed(&index, 1).ends_with("35085+ A? example.com. (39)"));
    followed.close(0);
    let index = followed.end();
    assert_eq!(index.len(), 2);
    assert_eq!(printed(&index, 0), format!("{line}\n{rest}"));
}

#[test]
fn the_last_printed_line_beside_other_sources_appears_at_once_and_stays() {
    let line = |second: u32| {
        format!(
            "13:24:3{second}.192571 IP 192.0.2.15.52444 > 203.0.113.2.53: 3508{second}+ A? example.com. (39)"
        )
    };
    let rest = "\t0x0000:  4500 0043 0001 0000 4011 0000 c000 020f cb00 7102";
    let of_text = |index: &Index| -> Vec<String> {
        let frames = 1..=u64::from(index.sources[0].packets);
        let ids = frames.filter_map(|frame| index.by_frame(SourceId(0), FrameNumber(frame)));
        ids.map(|id| String::from_utf8_lossy(index.packet(id).unwrap().bytes()).into_owned()).collect()
    };
    // The third source says nothing; the second comes between.
    let mut followed = Followed::new(3);
    followed.write(0, format!("{}\n", line(1)).as_bytes());
    followed.until(|index| of_text(index) == [line(1)]);
    // Until another source comes, the packet grows.
    followed.write(0, format!("{rest}\n").as_bytes());
    let longer = format!("{}\n{rest}", line(1));
    followed.until(|index| of_text(index) == std::slice::from_ref(&longer));
    followed.write(1, &CAPTURE[..after(1)]);
    let index = followed.until(|index| index.len() == 2);
    assert_eq!(of_text(&index), std::slice::from_ref(&longer));
    followed.write(0, format!("{}\n", line(2)).as_bytes());
    let index = followed.until(|index| index.len() == 3);
    assert_eq!(of_text(&index), [longer.clone(), line(2)]);
    // From then on it stays as it is, and what comes too late is counted.
    followed.write(1, &CAPTURE[after(1)..after(2)]);
    followed.until(|index| index.len() == 4);
    followed.write(0, format!("{rest}\n{}\n", line(3)).as_bytes());
    let index = followed.until(|index| index.len() == 5);
    assert_eq!(of_text(&index), [longer.clone(), line(2), line(3)]);
    followed.close(0);
    followed.write(1, &CAPTURE[after(2)..]);
    let index = followed.end();
    assert_eq!((of_text(&index).len(), index.sources[1].packets, index.len()), (3, 8, 11));
    let damage = &index.sources[0].metadata.damage;
    assert_eq!(
        (damage.len(), damage[0].skipped, damage[0].after_frame),
        (1, rest.len() as u64 + 1, 2),
        "{damage:?}"
    );
}

#[test]
fn an_interrupt_keeps_the_last_printed_line() {
    let mut child = packets(&["-"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for second in 0..3 {
        writeln!(
            input,
            "13:24:3{second}.1 IP 192.0.2.15.52444 > 203.0.113.2.53: 3508{second}+ A? example.com. (29)"
        )
        .unwrap();
    }
    input.flush().unwrap();
    interrupt_once_reading(&child);
    let (code, out, err) = finish(child);
    drop(input);
    assert_eq!((code, out.lines().count()), (Some(0), 3), "{err}");
}

#[test]
fn growing_files_and_a_silent_pipe_are_followed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (first, second, pipe) = (path("a.pcap"), path("b.pcap"), path("pipe"));
    std::fs::write(&first, &CAPTURE[..after(2)]).unwrap();
    std::fs::write(&second, &CAPTURE[..30]).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = packets(&["--follow", &first, &pipe, &second]).spawn().unwrap();
    for (name, from) in [(&second, 30), (&first, after(2))] {
        let mut file = std::fs::OpenOptions::new().append(true).open(name).unwrap();
        file.write_all(&CAPTURE[from..]).unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    interrupt_once_reading(&child);
    let (code, out, err) = finish(child);
    assert_eq!((code, out.lines().count()), (Some(0), 16), "{err}");
    assert_eq!(out.lines().filter(|line| line.trim_start().starts_with("C:F")).count(), 8, "{out}");
}
