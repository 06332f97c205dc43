//! Reads what stands beside packets and tells of their capture: the command at a prompt, `listening on eth0, …, snapshot length
//! 262144 bytes`, `0 packets dropped by kernel`.

use crate::capture::Interface;

/// The longest line that is looked at.
const LINE_MAX_BYTES: usize = 512;
/// Options of tcpdump that take a value (`tcpdump.1`).
const VALUED: &str = "BcCEFGijmMQrsTVwWyzZ";
/// The same in long form.
const VALUED_LONG: [&str; 8] = [
    "--interface",
    "--buffer-size",
    "--count",
    "--direction",
    "--linktype",
    "--snapshot-length",
    "--time-stamp-type",
    "--relinquish-privileges",
];
/// Words before a command that are none of it.
const LAUNCHERS: [&str; 4] = ["sudo", "doas", "time", "strace"];
/// What ends a prompt.
const PROMPT_MARKS: [char; 4] = ['$', '#', '%', '>'];
/// What ends a command for the shell.
const SHELL_ENDS: [&str; 9] = ["|", ">", ">>", "2>", "&", "&&", ";", "2>&1", "||"];

/// What was said so far. Of a text with several captures in it nothing is told of one alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::capture) struct Notes {
    interface: Option<String>,
    snap_length: Option<u32>,
    received: Option<u64>,
    dropped: Option<u64>,
    filter: Option<String>,
    /// Who was asked to capture: `root@gw`, `fw1`.
    place: Option<String>,
    /// What was shown: a file that was read, a capture by its name.
    shown: Option<String>,
    /// What somebody wrote above it.
    heading: Option<String>,
    /// Whether a capture began or ended.
    is_boundary: bool,
    is_several: bool,
}

impl Notes {
    /// Takes a line that is no packet's.
    pub fn take(&mut self, line: &[u8]) {
        let has = |words: &[u8]| memchr::memmem::find(line, words).is_some();
        let is_likely = line.len() <= LINE_MAX_BYTES
            && (has(b"istening on ")
                || has(b" packets ")
                || has(b"tcpdump ")
                || has(b"show capture ")
                || has(b"reading from file "));
        let Some(line) = is_likely.then(|| std::str::from_utf8(line).ok()).flatten() else { return };
        if let Some((before, told)) = line.split_once("istening on ") {
            self.listening(before, told);
            return;
        }
        if let Some((_, told)) = line.split_once("reading from file ") {
            self.shown = told.split(", ").next().map(|file| file.trim().to_owned());
            self.is_boundary = true;
            return;
        }
        self.command(line);
        let count = |words: &str| {
            let (number, _) = line.split_once(words)?;
            number.rsplit([' ', '\t']).next()?.parse::<u64>().ok()
        };
        // On one line they are told while it goes on.
        self.is_boundary |= count(" packets captured").is_some() && !line.contains(',');
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
        self.is_boundary = true;
        self.is_several |=
            self.interface.replace(interface.to_owned()).is_some_and(|known| known != interface);
        let bytes = parts.find_map(|part| {
            part.strip_prefix("capture size ").or_else(|| part.strip_prefix("snapshot length "))
        });
        self.snap_length = bytes.and_then(|bytes| bytes.split(' ').next()?.parse().ok()).or(self.snap_length);
    }

    /// `root@gw:~# tcpdump -ni eth0 udp port 53`, `fw1# show capture INSIDE`.
    fn command(&mut self, line: &str) {
        let found = |name: &str| line.find(name).map(|at| (at, line.get(at + name.len()..).unwrap_or("")));
        let (at, rest, is_tcpdump) = match (found("tcpdump "), found("show capture ")) {
            (Some((at, rest)), _) => (at, rest, true),
            (None, Some((at, rest))) => (at, rest, false),
            (None, None) => return,
        };
        let before = line.get(..at).unwrap_or("");
        // The path of the program is part of its name.
        let path = before.rsplit([' ', '\t']).next().unwrap_or("");
        let before = if path.starts_with('/') { before.strip_suffix(path).unwrap_or(before) } else { before };
        let mut before = before.trim();
        while let Some(rest) = LAUNCHERS.iter().find_map(|word| before.strip_suffix(word)) {
            before = rest.trim_end();
        }
        // Without a prompt only options tell a command from prose.
        let is_prompt = before.ends_with(PROMPT_MARKS);
        let is_command = is_prompt || before.is_empty() && is_tcpdump && rest.starts_with('-');
        if !is_command {
            return;
        }
        self.is_boundary = true;
        self.place = place(before).or(self.place.take());
        if !is_tcpdump {
            self.shown = rest.split_whitespace().next().map(str::to_owned);
            return;
        }
        let told = arguments(rest);
        self.interface = told.interface.or(self.interface.take());
        self.shown = told.file.or(self.shown.take());
        self.filter = told.filter;
    }

    /// Takes the words above it.
    pub fn head(&mut self, heading: Option<String>) {
        self.heading = heading;
    }

    /// Whether a capture began or ended there.
    pub fn is_boundary(&self) -> bool {
        self.is_boundary
    }

    /// Whether what comes is of another capture than what was before, by its interface, its host or what was shown.
    pub fn differs(&self, before: &Self) -> bool {
        let is_other = |own: &Option<String>, before: &Option<String>| {
            own.is_some() && before.is_some() && own != before
        };
        is_other(&self.interface, &before.interface)
            || is_other(&self.place, &before.place)
            || is_other(&self.shown, &before.shown)
    }

    /// Takes what was said behind the last packet to what was said before.
    pub fn add(&mut self, later: Self) {
        self.is_several |=
            later.is_several || later.differs(self) || self.received.and(later.received).is_some();
        self.interface = self.interface.take().or(later.interface);
        self.snap_length = self.snap_length.or(later.snap_length);
        self.received = self.received.or(later.received);
        self.dropped = self.dropped.or(later.dropped);
        self.filter = self.filter.take().or(later.filter);
        self.place = self.place.take().or(later.place);
        self.shown = self.shown.take().or(later.shown);
    }

    /// What is said behind packets of how their capture ended.
    pub fn take_end(&mut self) -> Self {
        Self { received: self.received.take(), dropped: self.dropped.take(), ..Self::default() }
    }

    /// Where it was, in the words of the text: `root@gw, eth0`.
    pub fn label(&self) -> Option<String> {
        let words: Vec<&str> =
            [&self.place, &self.interface, &self.shown].into_iter().flatten().map(String::as_str).collect();
        let told = (!words.is_empty()).then(|| words.join(", "));
        told.or_else(|| self.heading.clone())
    }

    /// Writes what was said to the interface of the text.
    pub fn tell(&self, interface: &mut Interface) {
        if self.is_several {
            return;
        }
        interface.name = self.interface.clone().or_else(|| interface.name.take());
        interface.filter = self.filter.clone().or_else(|| interface.filter.take());
        interface.snap_length = self.snap_length.unwrap_or(interface.snap_length);
        interface.received = self.received.or(interface.received);
        interface.dropped = self.dropped.or(interface.dropped);
    }
}

/// The host a prompt names: `nora@lap:~$`, `[root@gw ~]#`, `fw1#`.
fn place(prompt: &str) -> Option<String> {
    let prompt = prompt.trim_end_matches(PROMPT_MARKS).trim_end_matches([']', ' ']);
    let word = prompt.split_whitespace().rev().find(|word| word.contains('@')).or_else(|| {
        // Without a user the host is what stands before the mark, with nothing between them.
        prompt
            .split_whitespace()
            .next_back()
            .filter(|word| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
    })?;
    let word = word.trim_start_matches(['[', '(']).split([':', '~']).next()?;
    (!word.is_empty()).then(|| word.to_owned())
}

/// What the arguments of tcpdump say.
#[derive(Default)]
struct Arguments {
    interface: Option<String>,
    file: Option<String>,
    filter: Option<String>,
}

fn arguments(text: &str) -> Arguments {
    let mut told = Arguments::default();
    let bare = |word: &str| word.trim_matches(['\'', '"', '`']).to_owned();
    let mut filter: Vec<String> = Vec::new();
    let mut words = text.split_whitespace().take_while(|word| !SHELL_ENDS.contains(word));
    while let Some(word) = words.next() {
        let long = word.split_once('=').unwrap_or((word, ""));
        if word.starts_with("--") {
            let is_valued = VALUED_LONG.contains(&long.0);
            let value =
                if is_valued && long.1.is_empty() { words.next().map(bare) } else { Some(bare(long.1)) };
            if long.0 == "--interface" {
                told.interface = value;
            }
            continue;
        }
        let Some(letters) = word.strip_prefix('-').filter(|_| filter.is_empty()) else {
            filter.push(bare(word));
            continue;
        };
        // Behind the first letter that takes a value stands that value, glued or not.
        if let Some(at) = letters.find(|letter: char| VALUED.contains(letter)) {
            let glued = letters.get(at + 1..).filter(|value| !value.is_empty()).map(bare);
            let value = glued.or_else(|| words.next().map(bare));
            match letters.get(at..=at) {
                Some("i") => told.interface = value,
                Some("r") => told.file = value,
                _ => {}
            }
        }
    }
    told.filter = (!filter.is_empty()).then(|| filter.join(" "));
    told
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
    fn a_command_at_a_prompt_tells_interface_and_filter() {
        for (line, interface, filter) in [
            ("$ tcpdump -ni eth0 udp port 53", Some("eth0"), Some("udp port 53")),
            (
                "root@gw:~# tcpdump -n -i any -c 100 -s0 'port 53 or icmp' | tee log.txt",
                Some("any"),
                Some("port 53 or icmp"),
            ),
            (
                "[root@gw ~]# sudo /usr/sbin/tcpdump -nn -ieth1 -w x.pcap host 192.0.2.1 and not port 22",
                Some("eth1"),
                Some("host 192.0.2.1 and not port 22"),
            ),
            ("tcpdump -nvvi wg0", Some("wg0"), None),
            ("nora@lap:~$ sudo tcpdump --interface=wg0 -l port 53 2>&1", Some("wg0"), Some("port 53")),
        ] {
            let told = told(&[line]);
            assert_eq!((told.name.as_deref(), told.filter.as_deref()), (interface, filter), "{line}");
        }
    }

    #[test]
    fn prose_and_several_captures_say_nothing_of_one() {
        for line in [
            "Nothing is there listening on 53, says netstat, so packets received by filter rules are lost",
            "I ran tcpdump -ni eth0 port 53 and saw this:",
            "tcpdump shows nothing on port 53",
        ] {
            let prose = told(&[line]);
            assert_eq!((prose.name, prose.received, prose.filter), (None, None, None), "{line}");
        }
        let two = told(&["listening on eth0, link-type EN10MB", "listening on wan0, link-type EN10MB"]);
        assert_eq!(two.name, None);
    }

    #[test]
    fn captures_are_told_apart_by_interface_host_and_what_was_shown() {
        let notes = |line: &str| {
            let mut notes = Notes::default();
            notes.take(line.as_bytes());
            notes
        };
        let laptop = notes("nora@lap:~$ sudo tcpdump -ni wg0 port 53");
        assert_eq!(laptop.label().as_deref(), Some("nora@lap, wg0"));
        assert!(notes("vpn2# tcpdump -ni ens18 port 53").differs(&laptop));
        assert!(notes("nora@lap:~$ tcpdump -ni eth0 icmp").differs(&laptop));
        assert!(!notes("nora@lap:~$ tcpdump -ni wg0 icmp").differs(&laptop));
        assert!(notes("fw1# show capture OUT").differs(&notes("fw1# show capture IN")));
        assert!(!notes("12 packets captured").differs(&laptop) && notes("12 packets captured").is_boundary());
        assert!(
            !notes(
                "tcpdump: 12 packets captured, 12 packets received by filter, 0 packets dropped by kernel"
            )
            .is_boundary()
        );
    }
}
