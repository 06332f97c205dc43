//! The numbers of every correlation rule, printed by `--help-parameters` and in the report's method section.

use crate::time::Nanos;

/// All rule parameters; [`Default`] gives the documented values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// A repeat within this time of the last try is a retransmission; later it is a new transaction.
    pub retry_window_ns: Nanos,
    /// An answer later than this after the last try is late.
    pub late_after_ns: Nanos,
    /// An answer later than this after the last try is linked but marked implausible.
    pub implausible_after_ns: Nanos,
    /// Silence counts as no answer only when the capture goes on this long after the last try.
    pub watch_ns: Nanos,
    /// Failures of one key further apart than this belong to different episodes.
    pub episode_gap_ns: Nanos,
    /// Clocks of several interfaces may disagree by this much: an effect may be stamped this long before its cause.
    pub clock_tolerance_ns: Nanos,
    /// A packet equal to an earlier one within this time is a copy, when both carry the same non-zero IP id.
    pub duplicate_window_ns: Nanos,
    /// The same for IPv6 and for IPv4 without an id.
    pub duplicate_window_without_id_ns: Nanos,
    /// After a truncated answer the same client must open TCP to the server within this time.
    pub tcp_retry_window_ns: Nanos,
    /// Silence this soon after an error of the same server to the same client is explained by rate limiting.
    pub rate_limit_gap_ns: Nanos,
    /// This many failures without an error message, all followed by an answer, make no problem.
    pub background_attempts: u32,
    /// Losses below this share of what the server was asked meanwhile, all followed by an answer, make no problem.
    pub background_percent: u32,
    /// What the client does within this time of a failure counts as its consequence.
    pub consequence_window_ns: Nanos,
    /// An ICMP error later than its window but within this time is linked and marked delayed; later ones only
    /// when the quoted bytes prove the link.
    pub error_limit_ns: Nanos,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            retry_window_ns: 30_000_000_000,
            late_after_ns: 5_000_000_000,
            implausible_after_ns: 120_000_000_000,
            watch_ns: 5_000_000_000,
            episode_gap_ns: 300_000_000_000,
            clock_tolerance_ns: 1_000_000,
            duplicate_window_ns: 5_000_000,
            duplicate_window_without_id_ns: 1_000_000,
            tcp_retry_window_ns: 5_000_000_000,
            rate_limit_gap_ns: 1_200_000_000,
            background_attempts: 2,
            background_percent: 2,
            consequence_window_ns: 30_000_000_000,
            error_limit_ns: 60_000_000_000,
        }
    }
}
