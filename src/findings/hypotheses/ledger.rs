//! The ledger: one observation weighed for each hypothesis, in the decibans allowed, each observation once.

use std::collections::BTreeMap;

use super::{Author, Change, Group, LedgerRow};
use crate::findings::FRAMES_MAX;
use crate::index::PacketId;

/// The sum of one evidence group counts no further than this.
pub const GROUP_CAP_DB: i32 = 20;
/// The only weights there are: a student can check them.
pub const WEIGHTS_DB: [i32; 9] = [20, 10, 5, 2, 0, -2, -5, -10, -20];

/// A weight in decibans; `None` is logical incompatibility.
pub type Weight = Option<i32>;
/// Logical incompatibility with what this capture shows.
pub const EXCLUDED: Weight = None;

/// Every kind of observation; its number is the row's id and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// Attacks and forgeries are rarer than faults.
    RarePrior = 1,
    /// Port unreachable from the server's address.
    PortUnreachable = 2,
    /// Port unreachable from another address.
    PortUnreachableElsewhere = 3,
    /// Administratively prohibited, from the server's address.
    ProhibitedByServer = 4,
    /// Administratively prohibited, from another address.
    ProhibitedElsewhere = 5,
    /// Host unreachable after the time address resolution takes.
    HostUnreachableSlow = 6,
    /// Host unreachable at once.
    HostUnreachableFast = 7,
    /// Network unreachable.
    NetUnreachable = 8,
    /// Time exceeded in transit.
    TimeExceeded = 9,
    /// Silence that would have been seen.
    Silence = 10,
    /// The server answered DNS during the failure.
    AnsweredMeanwhile = 11,
    /// TCP to port 53 answered.
    TcpWorks = 12,
    /// TCP to port 53 was reset.
    TcpReset = 13,
    /// The error came from as far away as other packets of the server.
    HopsAgree = 14,
    /// The error came from another distance than other packets of the server.
    HopsDiffer = 15,
    /// An error code in the DNS answers.
    ResponseCode = 16,
    /// A name was resolved and the connection failed.
    ConnectionFailed = 17,
    /// The error came later than its type explains.
    Delayed = 18,
    /// The error came about one round trip after the query.
    DelayFits = 19,
    /// The error came sooner than the server's round trip.
    DelayShort = 20,
    /// Other services of the server respond.
    OtherServices = 21,
    /// The server answered before.
    AnsweredBefore = 22,
    /// The server answered again later.
    Recovered = 23,
    /// The server never sent a DNS answer.
    NeverAnswered = 24,
    /// Another resolver answered the same client.
    OtherResolver = 25,
    /// The source of the error is not the server.
    SourceDiffers = 26,
    /// The quoted TTL tells how far the query got.
    QuotedTtl = 27,
    /// Errors for queries sent at different times came together.
    ErrorsTogether = 28,
    /// ARP or neighbour requests for the server unanswered.
    ArpUnanswered = 29,
    /// The unreachable message came from the client itself.
    LocalError = 30,
    /// The server sent packets during the failure.
    ServerAlive = 31,
    /// Other traffic between client and server flows.
    OtherTraffic = 32,
    /// All names failed alike.
    AllNamesFail = 33,
    /// The server answers echo requests.
    EchoWorks = 34,
    /// Load cannot be judged from here.
    LoadUnknown = 35,
    /// The query rate rose far above its own baseline.
    RateHigh = 36,
    /// The query rate is low although all of it would be seen.
    RateLow = 37,
    /// Random labels under one zone.
    RandomLabels = 38,
    /// A flood of queries whose answers are much larger.
    Amplification = 39,
    /// A host refuses unsolicited answers from many resolvers.
    ReflectionVictim = 40,
    /// Round trips grew before answers were lost.
    RisingDelay = 41,
    /// Silent queries between rate-limited errors.
    RateLimited = 42,
    /// Small answers arrive, large ones do not.
    LargeFail = 43,
    /// First fragments without the rest.
    FragmentMissing = 44,
    /// The client reported reassembly time exceeded.
    ReassemblyExpired = 45,
    /// Packet too big, quoting the server's answers.
    TooBig = 46,
    /// A smaller size or TCP succeeded.
    SmallerWorks = 47,
    /// UDP fails while TCP works, or the reverse.
    TransportSplit = 48,
    /// Extended DNS error in the answers.
    ExtendedError = 49,
    /// Only this zone fails.
    OneZone = 50,
    /// Several resolvers fail alike.
    SeveralResolvers = 51,
    /// The answer came from another address.
    OtherAddress = 52,
    /// An answer that refers back or is not authoritative.
    LameAnswer = 53,
    /// Both an error and a genuine answer.
    ErrorAndAnswer = 54,
    /// The quote disagrees with every packet sent.
    Contradicted = 55,
    /// The quote is complete and agrees byte for byte.
    FullQuote = 56,
    /// The quote is short although the same source quotes more elsewhere.
    ShortQuote = 57,
    /// The same name was answered by another resolver soon after.
    Failover = 58,
    /// The answer was late.
    LateAnswer = 59,
    /// The client refused the response.
    ClientRefused = 60,
    /// The record is no faithful capture.
    Unfaithful = 61,
    /// The capture shows one direction only, or is damaged.
    OneSided = 62,
    /// Only new flows fail, in bursts.
    NewFlowsFail = 63,
    /// Other hosts behind the same translator fail as well.
    NeighboursFail = 64,
    /// Answers sooner or from another distance than the server.
    Intercepted = 65,
    /// Errors of this kind came for several servers from one distance.
    SeveralServers = 66,
    /// Another client was served while this one was refused.
    OtherClientServed = 67,
    /// Errors kept coming with fitting delay.
    Persistent = 68,
    /// Error header pattern of a transparent filter.
    BridgePattern = 69,
    /// An error that is no port refusal was linked to the query.
    OtherError = 70,
    /// Silence over TCP.
    TcpSilent = 71,
    /// Some new flows succeed in between.
    IntermittentFlows = 72,
    /// DHCP gave the address, or others, as name servers.
    HandedOut = 73,
    /// A name that is denied was answered at another time.
    ExistedBefore = 74,
    /// TCP to the same port was refused by an ICMP error from the server's address.
    TcpRejected = 75,
    /// Host or network unreachable, told by the server's own address.
    UnreachableByServer = 76,
    /// The server asked others for the same names in vain.
    UpstreamFails = 77,
    /// The query was captured again on its way to another address.
    Translated = 78,
    /// The same datagram passed again and again with ever fewer hops left.
    Looped = 79,
    /// The server answered the same name with SERVFAIL at another time.
    FailedElsewhen = 80,
    /// Responses to the asking ports that fit no query: another id or question.
    OtherAnswer = 81,
    /// No packet has another port than DNS's: errors may have been left out.
    PortOnly = 82,
    /// Errors about queries their receiver did not send.
    Unsent = 83,
    /// Errors that name many ports in a burst.
    ManyPorts = 84,
}

impl Row {
    /// The row's id in ledgers: `L2`.
    pub fn id(self) -> String {
        format!("L{}", self as u8)
    }
}

/// One observed fact, to be weighed.
pub struct Observation {
    /// Which kind; counted once however often it is seen.
    row: Row,
    /// What was seen, in words.
    text: String,
    /// Where.
    frames: Vec<PacketId>,
    /// Its evidence group.
    group: Group,
    /// Why it speaks for a hypothesis.
    fits: &'static str,
    /// Why it speaks against one.
    against: &'static str,
}

impl Observation {
    /// An observation that gives no reason yet.
    pub fn new(row: Row, group: Group, text: String, frames: Vec<PacketId>) -> Self {
        Self { row, text, frames, group, fits: "", against: "" }
    }

    /// Why it speaks for a hypothesis.
    #[must_use]
    pub fn fits(mut self, why: &'static str) -> Self {
        self.fits = why;
        self
    }

    /// Why it speaks against one.
    #[must_use]
    pub fn against(mut self, why: &'static str) -> Self {
        self.against = why;
        self
    }
}

/// Rows by hypothesis id.
#[derive(Default)]
pub struct Ledger {
    rows: BTreeMap<&'static str, Vec<LedgerRow>>,
}

impl Ledger {
    /// Weighs one observation for each hypothesis named; a second observation of the same kind is not counted again.
    pub fn weigh(&mut self, observation: &Observation, weights: &[(&'static str, Weight)]) {
        let id = observation.row.id();
        for (hypothesis, weight) in weights {
            let rows = self.rows.entry(hypothesis).or_default();
            if rows.iter().any(|row| row.id == id) {
                continue;
            }
            let reason = match weight {
                None => format!("cannot hold together with this: {}", observation.against),
                Some(0) => "says nothing about this explanation".to_owned(),
                Some(1..) => observation.fits.to_owned(),
                Some(_) => observation.against.to_owned(),
            };
            rows.push(LedgerRow {
                id: id.clone(),
                observation: observation.text.clone(),
                frames: observation.frames.iter().copied().take(FRAMES_MAX).collect(),
                weight_db: *weight,
                group: observation.group,
                reason,
                author: Author::Program,
                off: false,
            });
        }
    }

    /// Takes one hypothesis's rows with the analyst's changes applied.
    pub fn take(&mut self, hypothesis: &str, changes: &[Change]) -> Vec<LedgerRow> {
        let mut rows = self.rows.remove(hypothesis).unwrap_or_default();
        let mut own = 0;
        for change in changes.iter().filter(|change| change.hypothesis == hypothesis) {
            if change.row.is_empty() {
                own += 1;
                rows.push(own_row(own, change));
                continue;
            }
            for row in rows.iter_mut().filter(|row| row.id == change.row) {
                apply(row, change);
            }
        }
        rows
    }
}

fn own_row(number: usize, change: &Change) -> LedgerRow {
    LedgerRow {
        id: format!("A{number}"),
        observation: change.note.clone(),
        frames: Vec::new(),
        weight_db: Some(nearest(change.weight_db.unwrap_or(0))),
        group: Group::Analyst,
        reason: "analyst input".to_owned(),
        author: Author::Analyst,
        off: change.off,
    }
}

fn apply(row: &mut LedgerRow, change: &Change) {
    row.author = Author::Analyst;
    row.off = change.off;
    if let Some(weight) = change.weight_db {
        let before = row.weight_db.map_or_else(|| "✗".to_owned(), |db| format!("{db:+}"));
        let weight = nearest(weight);
        row.reason = format!("{}; analyst changed {before} to {weight:+}", row.reason);
        row.weight_db = Some(weight);
    }
    if !change.note.is_empty() {
        row.reason = format!("{}; analyst: {}", row.reason, change.note);
    }
}

/// The allowed weight nearest to a number.
fn nearest(weight_db: i32) -> i32 {
    WEIGHTS_DB
        .into_iter()
        .min_by_key(|allowed| (i64::from(*allowed) - i64::from(weight_db)).abs())
        .unwrap_or(0)
}

/// The sum of the rows that count, each group capped; `None` when a row excludes the hypothesis.
pub fn sum(rows: &[LedgerRow]) -> Option<i32> {
    let mut groups: BTreeMap<Group, i32> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.off) {
        *groups.entry(row.group).or_default() += row.weight_db?;
    }
    Some(groups.values().map(|sum| (*sum).clamp(-GROUP_CAP_DB, GROUP_CAP_DB)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observation(row: Row, group: Group) -> Observation {
        Observation { row, text: "seen".into(), frames: vec![], group, fits: "fits", against: "does not fit" }
    }

    #[test]
    fn a_repeated_observation_counts_once_and_a_group_is_capped() {
        let mut ledger = Ledger::default();
        for _ in 0..3 {
            ledger.weigh(&observation(Row::Silence, Group::ErrorSemantics), &[("H8", Some(5))]);
        }
        for row in [Row::OtherTraffic, Row::EchoWorks, Row::AllNamesFail] {
            ledger.weigh(&observation(row, Group::OtherTraffic), &[("H8", Some(10))]);
        }
        let rows = ledger.take("H8", &[]);
        assert_eq!(rows.len(), 4);
        assert_eq!(sum(&rows), Some(25));
    }

    #[test]
    fn an_analyst_can_switch_off_an_exclusion_and_add_a_row() {
        let mut ledger = Ledger::default();
        ledger.weigh(&observation(Row::AnsweredMeanwhile, Group::OtherTraffic), &[("H4", EXCLUDED)]);
        let changes = [
            Change {
                hypothesis: "H4".into(),
                row: Row::AnsweredMeanwhile.id(),
                weight_db: None,
                off: true,
                note: "spoofed".into(),
            },
            Change {
                hypothesis: "H4".into(),
                row: String::new(),
                weight_db: Some(9),
                off: false,
                note: "admin says so".into(),
            },
        ];
        let rows = ledger.take("H4", &changes);
        assert_eq!(sum(&rows), Some(10));
        assert!(rows.iter().all(|row| row.author == Author::Analyst));
    }
}
