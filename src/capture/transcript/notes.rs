//! Reads what tcpdump says of a capture beside its packets: `listening on eth0, …, snapshot length 262144 bytes`,
//! `0 packets dropped by kernel`.

use crate::capture::Interface;

/// The longest line that is looked at.
const LINE_MAX_BYTES: usize = 256;

/// What was said so far. Of a text with several captures in it nothing is told of one alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::capture) struct Notes {
    interface: Option<String>,
    snap_length: Option<u32>,
    received: Option<u64>,
    dropped: Option<u64>,
    is_several: bool,
}

impl Notes {
    /// Takes a line that is no packet's.
    pub fn take(&mut self, line: &[u8]) {
        let is_likely = line.len() <= LINE_MAX_BYTES
            && (memchr::memmem::find(line, b"istening on ").is_some()
                || memchr::memmem::find(line, b" packets ").is_some());
        let Some(line) = is_likely.then(|| std::str::from_utf8(line).ok()).flatten() else { return };
        if let Some((before, told)) = line.split_once("istening on ") {
            self.listening(before, told);
            return;
        }
        let count = |words: &str| {
            let (number, _) = line.split_once(words)?;
            number.rsplit([' ', '\t']).next()?.parse::<u64>().ok()
        };
        if let Some(received) = count(" packets received by filter") {
            self.is_several |= self.received.replace(received).is_some();
        }
        if let Some(dropped) = count(" packets dropped by kernel") {
            self.is_several |= self.dropped.replace(dropped).is_some();
        }
    }

    fn listening(&mut self, before: &str, told: &str) {
        // `tcpdump: listening on`, `listening on`; prose says more before it.
        if !before.ends_with(['l', 'L']) || before.split_whitespace().count() > 3 {
            return;
        }
        let mut parts = told.trim_end().split(", ");
        let Some(interface) = parts.next().filter(|name| !name.is_empty() && !name.contains(' ')) else {
            return;
        };
        self.is_several |=
            self.interface.replace(interface.to_owned()).is_some_and(|known| known != interface);
        let bytes = parts.find_map(|part| {
            part.strip_prefix("capture size ").or_else(|| part.strip_prefix("snapshot length "))
        });
        self.snap_length = bytes.and_then(|bytes| bytes.split(' ').next()?.parse().ok()).or(self.snap_length);
    }

    /// Writes what was said to the interface of the text.
    pub fn tell(&self, interface: &mut Interface) {
        if self.is_several {
            return;
        }
        interface.name = self.interface.clone().or_else(|| interface.name.take());
        interface.snap_length = self.snap_length.unwrap_or(interface.snap_length);
        interface.received = self.received.or(interface.received);
        interface.dropped = self.dropped.or(interface.dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;

    fn told(lines: &[&str]) -> Interface {
        let (mut notes, mut interface) = (Notes::default(), Interface::new(LinkType::TRANSCRIPT, 0, ""));
        for line in lines {
            notes.take(line.as_bytes());
        }
        notes.tell(&mut interface);
        interface
    }

    #[test]
    fn what_tcpdump_says_of_its_capture_is_taken() {
        let old = told(&[
            "listening on eth0, link-type EN10MB (Ethernet), capture size 262144 bytes",
            "11 packets captured",
            "12 packets received by filter",
            "0 packets dropped by kernel",
        ]);
        assert_eq!((old.name.as_deref(), old.snap_length), (Some("eth0"), 262_144));
        assert_eq!((old.received, old.dropped), (Some(12), Some(0)));
        let new = told(&[
            "tcpdump: listening on any, link-type LINUX_SLL2 (Linux cooked v2), snapshot length 96 bytes",
        ]);
        assert_eq!((new.name.as_deref(), new.snap_length), (Some("any"), 96));
    }

    #[test]
    fn prose_and_several_captures_say_nothing_of_one() {
        let prose = told(&[
            "Nothing is there listening on 53, says netstat, so packets received by filter rules are lost",
        ]);
        assert_eq!((prose.name, prose.received), (None, None));
        let two = told(&["listening on eth0, link-type EN10MB", "listening on wan0, link-type EN10MB"]);
        assert_eq!(two.name, None);
    }
}
