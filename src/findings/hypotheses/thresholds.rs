//! The numbers that decide whether an observation counts and what a sum is called, each named once.

use crate::time::Nanos;

macro_rules! thresholds {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ty = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: $kind = $value;)+

        /// Every number with its name, its value and what it is for.
        pub const TABLE: &[(&str, i64, &str)] = &[$((stringify!($name), $value as i64, concat!($($doc),+))),+];
    };
}

thresholds! {
    /// A sum from which a class can be best supported.
    BEST_DB: i32 = 15;
    /// How far ahead of the next class the best supported one must be; within a class, how far a member must fall behind to leave the tie.
    LEAD_DB: i32 = 10;
    /// A sum from which a hypothesis is consistent with the evidence; below the negative it is unlikely.
    CONSISTENT_DB: i32 = 5;
    /// The sum of one evidence group counts no further than this.
    GROUP_CAP_DB: i32 = 20;
    /// With this many clients in view, a low rate says something even where the vantage is not known.
    CLIENTS_FOR_LOAD: usize = 5;
    /// Incidents assessed; more are listed as findings only.
    INCIDENTS_MAX: usize = 16;
    /// Refused questions like served ones from which the two are compared.
    AMID_MIN: usize = 4;
    /// Changes between refusing and serving the same from which it is no change of a rule.
    AMID_CHANGES_MIN: usize = 4;
    /// Questions of its own that a server waits for from which it may be full.
    AMID_OPEN_MIN: usize = 5;
    /// A question without an answer is given up this long after its last try.
    OPEN_NS: Nanos = 5_000_000_000;
    /// Questions of a server's own that are counted.
    OPEN_MAX: usize = 100_000;
    /// Large answers that fail before it is more than a link that told its size once.
    LARGE_MIN: usize = 2;
    /// Answers that refer back before a server counts as lame.
    LAME_MIN: usize = 2;
    /// TCP attempts at a DNS port that all failed before it is more than a probe.
    ATTEMPTS_MIN: usize = 2;
    /// A SYN unanswered for this long is silence.
    SYN_WATCH_NS: Nanos = 3_000_000_000;
    /// Address resolution gives up after three tries a second apart; errors about it come from here on …
    RESOLUTION_MIN_NS: Nanos = 2_500_000_000;
    /// … to here.
    RESOLUTION_MAX_NS: Nanos = 5_000_000_000;
    /// Errors this close together, about queries further apart, come from one queue being flushed.
    TOGETHER_NS: Nanos = 20_000_000;
    /// Queries whose errors came together were sent this many times further apart.
    TOGETHER_FACTOR: Nanos = 5;
    /// Errors whose maker is read for one problem.
    GENERATORS_MAX: usize = 32;
    /// Bytes of a quoted message that hold its header, with the DNS id.
    QUOTE_BYTES_MIN: usize = 12;
    /// Hops that may differ between two packets of one host.
    HOPS_SLACK: u8 = 1;
    /// A delay is another one when it differs by this factor.
    TRIP_FACTOR: Nanos = 2;
    /// Round trips closer together than this tell nothing about distance.
    NOISE_NS: Nanos = 1_000_000;
    /// Distinct clients from which random labels are a flood on the server rather than one client's habit.
    FLOOD_CLIENTS_MIN: usize = 5;
    /// Round trips this many times the earlier ones have risen.
    RISEN_FACTOR: Nanos = 5;
    /// Round trips below this are not slow.
    SLOW_NS: Nanos = 100_000_000;
    /// Answers needed on either side to compare round trips.
    TRIPS_MIN: usize = 10;
    /// Ports named from which errors are a burst.
    PORTS_MIN: usize = 20;
    /// Time for each port within which they are one.
    PORT_NS: Nanos = 100_000_000;
    /// Packets of the server this close to a failure say something about the path during it.
    PATH_AROUND_NS: Nanos = 10_000_000_000;
    /// A life sign this close to a failure says something about the host during it.
    HOST_AROUND_NS: Nanos = 60_000_000_000;
    /// Other destinations that must fail as well before new flows as such are thought to fail.
    OTHER_DESTINATIONS_MIN: usize = 2;
    /// New flows that succeed may outnumber those that fail by this factor.
    ACCEPTED_FACTOR: usize = 4;
    /// TCP tried this long after the last failure still belongs to it.
    TCP_AFTER_NS: Nanos = 30_000_000_000;
    /// Copies of one query looked at.
    COPIES_MAX: usize = 256;
    /// Copies further on that make a loop: a packet passes one router, seldom two or three, beside the capture point.
    LOOPED_MIN: usize = 4;
    /// Lookups and servers behind a server that are named.
    UPSTREAM_CITED: usize = 3;
    /// Link address requests this close to a failure say why it failed: what waits for them never left.
    NEIGHBOUR_AROUND_NS: Nanos = 15_000_000_000;
    /// One gap between failures in this many must hold an answer for the two to count as simultaneous.
    INTERLEAVED_ONE_IN: usize = 10;
    /// Tries on either side from which a property that parts them is no chance.
    SPLIT_SIDE_MIN: usize = 4;
    /// Pairs sent at once of which one was lost before it is more than loss.
    PAIRS_MIN: usize = 2;
    /// Questions of a server from which a share of repeats is one.
    LOSS_ASKED_MIN: u64 = 40;
    /// The share of questions answered only after a repeat that healthy paths stay below, in percent.
    LOSS_PERCENT: u64 = 5;
    /// Questions answered only after a repeat that are more than chance.
    REPEATED_MIN: u64 = 3;
    /// A repeat answered within this time is answered at once, on whatever path.
    AT_ONCE_NS: Nanos = 100_000_000;
    /// An answer is fast beside others that took this many times as long.
    FAST_FACTOR: Nanos = 10;
    /// Answers to one question, cut and whole alike, from which a limit is seen.
    LIMITED_MIN: usize = 3;
    /// Packets cited for a row about many.
    CITED_MAX: usize = 16;
    /// No system starts its packets with fewer hops to go.
    FEW_HOPS_MAX: u8 = 30;
    /// The busiest second this close to failures belongs to them.
    SURGE_AROUND_NS: Nanos = 5_000_000_000;
    /// Answers this close to failures are compared with them.
    AROUND_NS: Nanos = 30_000_000_000;
    /// Damaged answers from which it is no single slip.
    DAMAGED_MIN: usize = 3;
    /// One lost answer in so many at least must be seen damaged for all to be.
    DAMAGED_ONE_IN: usize = 3;
    /// Late answers, or silent questions of large types, that are no chance.
    LATE_MIN: usize = 2;
    /// Silent questions from ports of their own from which new flows as such may fail.
    NEW_PORTS_MIN: usize = 8;
    /// Ports answered before.
    NEW_PORTS_BEFORE_MIN: usize = 4;
    /// Bytes of one segment that is large.
    LARGE_BYTES: u32 = 500;
    /// Answers lost one after the other that are no chance.
    LOST_ALL_MIN: usize = 4;
    /// Questions sent again from the same port from which it is told whether repeats fare better.
    AGAIN_MIN: usize = 5;
    /// Repeats of one flow that got through, one in this many, are as many as loss lets through.
    AGAIN_SERVED_ONE_IN: usize = 3;
    /// No more than one in this many got through: the flow decides.
    AGAIN_STUCK_ONE_IN: usize = 10;
    /// Queries sent on to the hosts behind an address from which it is told which of them serve.
    MEMBER_MIN: usize = 3;
    /// Share of the queries, in percent, that must have been captured behind the device.
    BEHIND_PERCENT: usize = 80;
    /// Questions of one client from which their order may be regular.
    SEQUENCE_MIN: usize = 8;
    /// The longest period looked for: members behind one address.
    PERIOD_MAX: usize = 8;
    /// Times a period must be seen whole.
    PERIOD_REPEATS_MIN: usize = 3;
    /// One question in this many may be out of order.
    PERIOD_MISSES_ONE_IN: usize = 20;
    /// A refusal and an answer closer together than this alternate.
    ALTERNATION_NS: Nanos = 2_000_000_000;
    /// Changes between failure and answer that are cited.
    INTERLEAVED_CITED: usize = 4;
    /// Errors that keep coming over this long are no single burst.
    PERSISTENT_NS: Nanos = 60_000_000_000;
    /// Errors this many make a series.
    SERIES_MIN: usize = 3;
    /// A connection attempt is silent when nothing came for this long.
    SILENT_NS: Nanos = 3_000_000_000;
    /// Answers of a server compared with one question.
    ANSWERS_MAX: usize = 100_000;
}
