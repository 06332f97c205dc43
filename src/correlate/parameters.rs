//! The numbers of every correlation rule, printed by `--help-parameters` and in the report's method section.

use crate::time::{self, Nanos};

/// One row of the table of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Stable name.
    pub name: &'static str,
    /// The value used, with its unit.
    pub value: String,
    /// What it decides.
    pub meaning: &'static str,
    /// Where the value comes from.
    pub source: &'static str,
}

/// A value a person can read.
trait Shown {
    fn shown(&self) -> String;
}

impl Shown for Nanos {
    fn shown(&self) -> String {
        let text = time::span(*self);
        text.replace(".000 s", " s").replace(".0 ms", " ms")
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

macro_rules! parameters {
    ($($name:ident: $kind:ty = $value:expr, $meaning:literal, $source:literal;)*) => {
        /// All rule parameters; [`Default`] gives the documented values.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Parameters {
            $(#[doc = $meaning] pub $name: $kind,)*
        }

        impl Default for Parameters {
            fn default() -> Self {
                Self { $($name: $value,)* }
            }
        }

        impl Parameters {
            /// Every parameter with its value, meaning and source.
            pub fn rows(&self) -> Vec<Row> {
                vec![$(Row {
                    name: stringify!($name),
                    value: self.$name.shown(),
                    meaning: $meaning,
                    source: $source,
                },)*]
            }
        }
    };
}

const MILLISECOND: Nanos = 1_000_000;
const SECOND: Nanos = 1_000_000_000;

parameters! {
    retry_window_ns: Nanos = 30 * SECOND,
        "A repeat of a query within this time of its last try is a retransmission; later it is a new transaction.",
        "glibc repeats after 5 s, Windows within 10 s; Wireshark's limit of 5 s misses glibc's 5.0036 s";
    retry_first_ns: Nanos = 15 * SECOND,
        "A repeat later than this after its last try, and later than four times the longest wait before, is a new lookup with the same id and port.",
        "no stub begins with a longer timer, and none stretches it more than threefold";
    late_after_ns: Nanos = 5 * SECOND,
        "An answer later than this after the last try is late: usual clients have stopped waiting.",
        "resolv.conf(5) timeout";
    implausible_after_ns: Nanos = 120 * SECOND,
        "An answer later than this after the last try is linked but marked implausible.",
        "no client waits longer";
    watch_ns: Nanos = 5 * SECOND,
        "Silence counts as no answer only when the capture goes on this long after the last try.",
        "equal to the late limit";
    repeat_min_ns: Nanos = 200 * MILLISECOND,
        "A query sent again at least this long after its first try shows by itself that its client had received nothing.",
        "no resolver library repeats sooner; sooner repeats go to several servers at once or are copies";
    mute_after_ns: Nanos = 3 * SECOND,
        "A question acknowledged over TCP is mute when the client gave up after this time without a byte of the server.",
        "mute_s of services.md 1.4";
    mute_watch_ns: Nanos = 10 * SECOND,
        "The same when the client has not given up and the capture goes on this long.",
        "mute_watch_s of services.md 1.4";
    tcp_retry_window_ns: Nanos = 5 * SECOND,
        "After a truncated answer the client must open TCP to the server within this time.",
        "RFC 7766 section 5";
    clock_tolerance_ns: Nanos = MILLISECOND,
        "An effect may be stamped this long before its cause (clocks of several interfaces).",
        "several interfaces in one capture";
    error_limit_ns: Nanos = 60 * SECOND,
        "An ICMP error later than this after every packet of its flow is linked only when the quoted bytes prove it.",
        "no standard sets a deadline; reassembly errors have their own window of 125 s";
    rate_limit_gap_ns: Nanos = 1_200 * MILLISECOND,
        "Silence this soon after an error of the same server to the same client is explained by rate limiting, as long as no more than 6 errors and one a second came.",
        "Linux icmp_ratelimit 1000 ms, burst 6; RFC 4443 section 2.4f";
    episode_gap_ns: Nanos = 300 * SECOND,
        "Failures of one client, server, name and signature further apart than this are different episodes.",
        "people and programs retry every minute or two";
    background_attempts: u32 = 2,
        "This many failures without an error message, all followed by an answer of the server, make no problem.",
        "every network loses packets";
    background_percent: u32 = 2,
        "Losses below this percentage of what the server was asked meanwhile, all followed by an answer, make no problem.",
        "every network loses packets";
    consequence_window_ns: Nanos = 30 * SECOND,
        "What the client does within this time after a failure counts as its consequence.",
        "a person's patience";
    duplicate_window_ns: Nanos = 5 * MILLISECOND,
        "A packet equal to an earlier one within this time is a copy, when both carry the same non-zero IP id or are printed for two interfaces.",
        "mirror ports and routers add microseconds to milliseconds";
    duplicate_window_without_id_ns: Nanos = MILLISECOND,
        "The same for IPv6 and for IPv4 without an id.",
        "RFC 6864 section 4.1: the id of atomic datagrams means nothing";
}

/// The time within which an ICMP error of this version, type and code is expected after its packet; a later one is
/// linked, marked delayed and kept out of latency figures.
pub fn error_window_ns(v6: bool, kind: u8, code: u8) -> Nanos {
    match (v6, kind, code) {
        // Neighbour resolution gives up after three requests a second apart.
        (false, 3, 1) | (true, 1, 3) => 5 * SECOND,
        // Reassembly timers: Linux 30 s, RFC 8200 60 s, RFC 1122 60–120 s.
        (false, 11, 1) | (true, 3, 1) => 125 * SECOND,
        _ => 2 * SECOND,
    }
}

/// The windows of [`error_window_ns`] as rows of the table.
pub fn error_windows() -> [Row; 3] {
    let row = |name, (v6, kind, code), meaning, source| Row {
        name,
        value: error_window_ns(v6, kind, code).shown(),
        meaning,
        source,
    };
    [
        row(
            "error_window_ns (3/1, v6 1/3)",
            (false, 3, 1),
            "Host or address unreachable later than this is delayed.",
            "three neighbour requests 1 s apart",
        ),
        row(
            "error_window_ns (11/1, v6 3/1)",
            (false, 11, 1),
            "Reassembly time exceeded later than this is delayed.",
            "RFC 1122 section 3.3.2, RFC 8200 section 4.5, Linux 30 s",
        ),
        row(
            "error_window_ns (all others)",
            (false, 3, 3),
            "Any other ICMP error later than this is delayed.",
            "errors are made while the packet is handled: milliseconds and a round trip",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_shows_a_value_people_can_read() {
        let rows = Parameters::default().rows();
        let value = |name: &str| rows.iter().find(|row| row.name == name).map(|row| row.value.clone());
        assert_eq!(value("retry_window_ns").as_deref(), Some("30 s"));
        assert_eq!(value("duplicate_window_ns").as_deref(), Some("5 ms"));
        assert_eq!(value("rate_limit_gap_ns").as_deref(), Some("1.200 s"));
        assert_eq!(value("episode_gap_ns").as_deref(), Some("5 min 0 s"));
        assert!(rows.iter().all(|row| row.meaning.ends_with('.') && !row.source.is_empty()));
    }
}
