//! The report's words: lists, times, ICMP types and DNS codes as people say them.

use crate::correlate::Signature;
use crate::index::Index;
use crate::protocols::dns::failure_name;
use crate::time::{self, Nanos};

/// `1 query`, `3 queries`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    let digits = crate::text::thousands(number as u64);
    format!("{digits} {}", if number == 1 { one } else { many })
}

/// `a`, `a and b`, `a, b and c`; after `most` items `a, b and 7 more`.
pub fn list(items: &[String], most: usize) -> String {
    list_of(items, most, items.len())
}

/// The same where `items` are only the first of `all`.
pub fn list_of(items: &[String], most: usize, all: usize) -> String {
    let shown = items.get(..items.len().min(most)).unwrap_or_default();
    let rest = all.saturating_sub(shown.len());
    if rest > 0 {
        return format!("{} and {} more", shown.join(", "), crate::text::thousands(rest as u64));
    }
    match shown.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

pub use crate::findings::rules::plain_name as name;

/// The transport's name.
pub fn transport(number: u8) -> String {
    match number {
        6 => "TCP".to_owned(),
        17 => "UDP".to_owned(),
        other => format!("IP protocol {other}"),
    }
}

/// What a query of these types asks for, to be followed by the name: `the IPv4 address of`.
pub fn asked(types: &[u16]) -> String {
    match types {
        [1] => "the IPv4 address of".to_owned(),
        [28] => "the IPv6 address of".to_owned(),
        [1, 28] => "the IPv4 and IPv6 addresses of".to_owned(),
        [] => "records of".to_owned(),
        several => {
            let names: Vec<String> =
                several.iter().map(|kind| crate::protocols::dns::type_name(*kind)).collect();
            format!("the {} records of", list(&names, 4))
        }
    }
}

/// An ICMP error: the line tcpdump prints for it in a few words, and its full name with numbers.
pub fn icmp(v6: bool, kind: u8, code: u8) -> (&'static str, String) {
    let (short, long) = match (v6, kind, code) {
        (false, 3, 0) => ("net unreachable", "Destination Unreachable / Network Unreachable"),
        (false, 3, 1) => ("host unreachable", "Destination Unreachable / Host Unreachable"),
        (false, 3, 2) => ("protocol unreachable", "Destination Unreachable / Protocol Unreachable"),
        (false, 3, 3) => ("port unreachable", "Destination Unreachable / Port Unreachable"),
        (false, 3, 4) => {
            ("need to fragment", "Destination Unreachable / Fragmentation Needed and Don't Fragment was Set")
        }
        (false, 3, 9) => (
            "net administratively prohibited",
            "Destination Unreachable / Network Administratively Prohibited",
        ),
        (false, 3, 10) => {
            ("host administratively prohibited", "Destination Unreachable / Host Administratively Prohibited")
        }
        (false, 3, 13) => (
            "communication administratively prohibited",
            "Destination Unreachable / Communication Administratively Prohibited",
        ),
        (false, 3, _) => ("destination unreachable", "Destination Unreachable"),
        (false, 4, _) => ("source quench", "Source Quench"),
        (false, 5, _) => ("redirect", "Redirect"),
        (false, 11, 1) => ("reassembly time exceeded", "Time Exceeded / Fragment Reassembly"),
        (false, 11, _) => ("time exceeded", "Time Exceeded / Time to Live exceeded in Transit"),
        (false, 12, _) => ("parameter problem", "Parameter Problem"),
        (true, 1, 0) => ("no route to destination", "Destination Unreachable / No Route to Destination"),
        (true, 1, 1) => {
            ("administratively prohibited", "Destination Unreachable / Administratively Prohibited")
        }
        (true, 1, 3) => ("address unreachable", "Destination Unreachable / Address Unreachable"),
        (true, 1, 4) => ("port unreachable", "Destination Unreachable / Port Unreachable"),
        (true, 1, 5) => {
            ("source address failed policy", "Destination Unreachable / Source Address Failed Policy")
        }
        (true, 1, 6) => ("reject route", "Destination Unreachable / Reject Route to Destination"),
        (true, 1, _) => ("destination unreachable", "Destination Unreachable"),
        (true, 2, _) => ("packet too big", "Packet Too Big"),
        (true, 3, 1) => ("reassembly time exceeded", "Time Exceeded / Fragment Reassembly"),
        (true, 3, _) => ("time exceeded", "Time Exceeded / Hop Limit Exceeded in Transit"),
        (true, 4, _) => ("parameter problem", "Parameter Problem"),
        _ => ("error", "error message"),
    };
    let family = if v6 { "ICMPv6" } else { "ICMP" };
    (short, format!("{family} {long} message (type {kind}, code {code})"))
}

/// A failure in a few words, for titles and tables: `refused by ICMP port unreachable`.
pub fn signature(signature: &Signature) -> String {
    match signature {
        Signature::Icmp { v6, kind, code } => {
            let family = if *v6 { "ICMPv6" } else { "ICMP" };
            // A port is refused by a host or a rule; what did not arrive was refused by nobody.
            let refused =
                matches!((*v6, *kind, *code), (false, 3, 2 | 3 | 9 | 10 | 13..=15) | (true, 1, 1 | 4..=6));
            let verb = if refused { "refused" } else { "returned" };
            format!("{verb} by {family} {}", icmp(*v6, *kind, *code).0)
        }
        Signature::NoAnswer => "unanswered".to_owned(),
        Signature::ResponseCode(code) => format!("answered with {}", failure_name(*code)),
        Signature::TcpReset => "ended by a TCP reset".to_owned(),
        Signature::ResetMidway => "cut off by TCP reset".to_owned(),
        Signature::Closed => "left without an answer by a server that closed the TCP connection".to_owned(),
        Signature::Mute => "acknowledged over TCP but not answered".to_owned(),
        Signature::Truncated => "answered with a cut message, without a whole one over TCP".to_owned(),
        Signature::NotReceived => "answered, but the answers did not arrive".to_owned(),
        Signature::Late => "answered late".to_owned(),
    }
}

/// In place of a time that was not recorded.
pub const NO_TIME: &str = "–";

/// How times of this capture are written and what they mean.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Whether times carry a date.
    pub has_date: bool,
    /// Whether packets have times at all.
    pub has_times: bool,
    /// What they count from.
    pub counted: time::Basis,
}

impl Clock {
    /// The clock of a capture.
    pub fn of(index: &Index) -> Self {
        Self { has_date: index.has_date(), has_times: index.has_times(), counted: index.basis() }
    }

    /// Seconds, for prose: `2024-05-14 13:24:32 UTC`, or `13:24:32`.
    pub fn prose(self, at: Nanos) -> String {
        if !self.has_times {
            NO_TIME.to_owned()
        } else if self.has_date {
            let day = time::date_and_time(at);
            let (date, _) = day.split_once(' ').unwrap_or((&day, ""));
            let zone = if self.counted == time::Basis::Utc { " UTC" } else { "" };
            format!("{date} {}{zone}", time::clock(at))
        } else {
            self.counted.clock(at)
        }
    }

    /// Milliseconds, without the date, for bounds: `13:24:32.192`.
    pub fn fine(self, at: Nanos) -> String {
        self.counted.fine(at)
    }

    /// `2024-05-14 13:24:32 to 13:28:50 UTC`; both dates where they differ.
    pub fn range(self, first: Nanos, last: Nanos) -> String {
        let (from, to) = (self.prose(first), self.prose(last));
        if from == to {
            return from;
        }
        if !self.has_date || from.get(..10) != to.get(..10) {
            return format!("{from} to {to}");
        }
        let from = from.strip_suffix(" UTC").unwrap_or(&from);
        format!("{from} to {}", to.get(11..).unwrap_or(&to))
    }

    /// `from 13:24:32 to 13:28:50`, or `at 13:24:32` where both are the same second.
    pub fn during(self, first: Nanos, last: Nanos) -> String {
        if self.prose(first) == self.prose(last) {
            return format!("at {}", self.prose(first));
        }
        format!("from {}", self.range(first, last))
    }

    /// All digits, for tables.
    pub fn exact(self, at: Nanos) -> String {
        match (self.has_times, self.has_date) {
            (false, _) => NO_TIME.to_owned(),
            (_, true) if self.counted == time::Basis::Local => time::date_and_time(at),
            (_, true) => time::rfc3339(at),
            (_, false) => self.counted.moment(at),
        }
    }

    /// What has to be said once about the times.
    pub fn basis(self) -> &'static str {
        if !self.has_times {
            "the capture records no times"
        } else if self.has_date {
            if self.counted == time::Basis::Local {
                return "date and time as printed; their time zone is not recorded";
            }
            "times as recorded by the capturing host, in UTC; its clock error and local time zone are not recorded"
        } else if self.counted == time::Basis::Start {
            "seconds as printed, counted from a moment that is not recorded"
        } else {
            "time of day as logged; date with its year and time zone are not recorded"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_leaves_out_is_counted_against_all_there_are() {
        let items: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        assert_eq!(list(&items, 2), "a, b and 2 more");
        assert_eq!(list(&items, 4), "a, b, c and d");
        assert_eq!(list_of(&items, 3, 106), "a, b, c and 103 more");
    }
}
