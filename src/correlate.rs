//! Joins packets into transactions, links, episodes and consequences, and freezes them as [`Evidence`].
//!
//! A batch over a finished (or frozen) index; live captures run it again. Every rule's number is in [`Parameters`].

mod absent;
pub mod apart;
mod arrival;
pub mod attempts;
mod briefs;
pub mod clients;
pub mod clock;
pub(crate) mod compare;
mod consequences;
mod declined;
mod dictionary;
pub mod duplicates;
pub mod encrypted;
pub mod episodes;
pub mod evidence;
mod fallback;
pub mod generator;
pub mod hosts;
pub mod impact;
mod in_view;
pub mod lookups;
mod losses;
mod matching;
mod messages;
mod nameless;
mod nat;
mod numbers;
mod outcomes;
pub mod parameters;
mod printed;
mod prints;
mod problems;
mod quoted;
mod quotes;
pub mod reasons;
mod silence;
pub mod splits;
mod steady;
mod strays;
pub mod tally;
mod transactions;
mod translated;
mod twins;
mod unreadable;
pub mod unserved;
mod uplinks;
pub mod vantage;
mod weigh;
pub mod windows;
mod words;
pub mod zones;

use std::sync::atomic::AtomicBool;

use crate::connections::{Connections, Scope};
use crate::decode::Address;
use crate::index::{DnsRow, Index, PacketId};
use crate::time::Nanos;
pub use arrival::Lost;
pub use declined::Declined;
pub use evidence::Evidence;
pub use parameters::Parameters;
pub use reasons::Reason;

/// Position of a transaction in [`Evidence::transactions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub u32);

/// What joins two packets. The link runs from the later statement to what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LinkKind {
    /// A DNS response to the query it answers.
    AnswerTo,
    /// A repeated query to the transaction's first try.
    RetryOf,
    /// An ICMP error to the packet it quotes.
    ErrorAbout,
    /// A copy seen a second time to the packet it copies.
    DuplicateOf,
}

impl LinkKind {
    /// The word in JSON and filters: `answer_to`, `retry_of`, `error_about`, `duplicate_of`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnswerTo => "answer_to",
            Self::RetryOf => "retry_of",
            Self::ErrorAbout => "error_about",
            Self::DuplicateOf => "duplicate_of",
        }
    }
}

/// How sure a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The packet itself proves it (quoted bytes, id and question).
    Exact,
    /// Addresses, ports and time agree, nothing more can be compared, or several packets fit.
    Probable,
    /// Agrees except for addresses or ports changed consistently by a NAT.
    Nat,
    /// What it refers to is not in the capture (no target).
    Orphan,
    /// It fits a flow but disagrees with every packet sent (no target).
    Contradicted,
}

impl Level {
    /// The word in JSON, filters and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Probable => "probable",
            Self::Nat => "nat",
            Self::Orphan => "orphan",
            Self::Contradicted => "contradicted",
        }
    }
}

/// A tie between two packets.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The packet that refers.
    pub from: PacketId,
    /// The packet referred to; `None` for orphans and contradicted errors.
    pub to: Option<PacketId>,
    /// What joins them.
    pub kind: LinkKind,
    /// How sure it is.
    pub level: Level,
    /// Time of `from` minus time of `to`; 0 without a target.
    pub delta_ns: Nanos,
    /// Why this level.
    pub reason: Reason,
    /// An error outside the time window of its type: not a latency.
    pub delayed: bool,
}

/// How a DNS query ended. Every query that is not a duplicate has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// A response in time; the transaction's `response_code` says which.
    Answered,
    /// A response, but later than the late limit after the last try.
    Late,
    /// An ICMP error about it (`icmp` says which).
    Refused,
    /// Nothing came although the capture would have shown it.
    NoAnswer,
    /// Nothing was seen, and this capture cannot tell (ends too soon, one-sided, cut).
    Undetermined,
    /// Over TCP: the connection was reset before the server sent anything.
    TcpReset,
    /// Over TCP: the connection that carried it was refused with a reset.
    RefusedByReset,
    /// Over TCP: the server reset the connection after it had sent something.
    ResetMidway,
    /// Over TCP: the server closed the connection and sent no answer.
    Closed,
    /// Over TCP: the server acknowledged it and sent nothing, for as long as the client waited.
    Mute,
    /// A response is there, but cut or in part, so that it cannot be read further.
    Unreadable,
    /// Answered with TC set and no TCP retry was seen.
    Truncated,
    /// An error in silence: rate limiting of ICMP errors explains it.
    CoveredByRateLimit,
    /// An answer passed here, but did not reach who asked.
    NotReceived,
}

impl Outcome {
    /// All outcomes, in the order ledgers print them.
    pub const ALL: [Self; 14] = [
        Self::Answered,
        Self::Unreadable,
        Self::Late,
        Self::Refused,
        Self::CoveredByRateLimit,
        Self::NoAnswer,
        Self::NotReceived,
        Self::TcpReset,
        Self::RefusedByReset,
        Self::ResetMidway,
        Self::Closed,
        Self::Mute,
        Self::Truncated,
        Self::Undetermined,
    ];

    /// The word in JSON, filters and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unreadable => "answered_unreadable",
            Self::Late => "late",
            Self::Refused => "refused_by_icmp",
            Self::NoAnswer => "no_answer",
            Self::Undetermined => "undetermined",
            Self::TcpReset => "tcp_reset",
            Self::RefusedByReset => "refused_by_reset",
            Self::ResetMidway => "reset_midway",
            Self::Closed => "closed",
            Self::Mute => "mute",
            Self::Truncated => "truncated",
            Self::CoveredByRateLimit => "covered_by_rate_limit",
            Self::NotReceived => "not_received",
        }
    }

    /// Whether the client was left without an answer it could use in time; `None` where that cannot be told.
    pub fn failed(self) -> Option<bool> {
        match self {
            Self::Undetermined => None,
            Self::Answered | Self::Unreadable => Some(false),
            _ => Some(true),
        }
    }

    /// Whether it certainly was.
    pub fn is_failure(self) -> bool {
        self.failed() == Some(true)
    }
}

/// One query with its retries, its answer and the errors about it.
#[derive(Clone, Copy, Debug)]
pub struct Transaction {
    /// The first try.
    pub first: PacketId,
    /// The last try; equal to `first` without retries.
    pub last: PacketId,
    /// The response that counts.
    pub answer: Option<PacketId>,
    /// The first ICMP error about any try.
    pub error: Option<PacketId>,
    /// How it ended.
    pub outcome: Outcome,
    /// RCODE with its extended bits, when answered.
    pub response_code: u16,
    /// ICMP type and code of `error`.
    pub icmp: (u8, u8),
    /// Queries sent, retries included, duplicates not.
    pub tries: u32,
    /// Extended DNS error (RFC 8914), when the answer carried one.
    pub extended_error: Option<u16>,
    /// Its name, or the address asked for, denied (NXDOMAIN, NODATA) although the same server gives it at another time, or says that
    /// its policy hides the name: a failure, where most names that do not exist are none.
    pub name_lost: bool,
    /// Answered with an error because of its EDNS, and answered when asked again without: no failure.
    pub fell_back: bool,
    /// Answered with an error code that declines no lookup.
    pub declined: Option<Declined>,
    /// Which of the messages of its first packet it is: over TCP one packet may carry several.
    pub message: u8,
    /// Response or error minus the first try: what the user felt; 0 when neither came. From the last try on it is
    /// [`Evidence::rtt_ns`].
    pub waited_ns: Nanos,
}

impl Transaction {
    /// The message of its first try.
    pub fn question<'i>(&self, index: &'i Index) -> Option<&'i DnsRow> {
        let packet = index.packet(self.first)?;
        let first = packet.segment.first_dns(self.first);
        packet.segment.dns.get(first + usize::from(self.message)).filter(|row| row.packet == self.first)
    }
}

/// Position of an episode in [`Evidence::episodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EpisodeId(pub u32);

/// What an episode's or a problem's failures have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signature {
    /// ICMP error of this version, type and code.
    Icmp {
        /// ICMPv6.
        v6: bool,
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// Silence.
    NoAnswer,
    /// Answered with this error code.
    ResponseCode(u16),
    /// TCP reset or refused.
    TcpReset,
    /// TCP reset after the server had sent something.
    ResetMidway,
    /// TCP closed by the server without an answer.
    Closed,
    /// Acknowledged over TCP and never answered.
    Mute,
    /// Truncated and no TCP.
    Truncated,
    /// Answers that passed the capture point and did not arrive.
    NotReceived,
    /// Answers later than the limit.
    Late,
}

/// Failures of one client, server and name with the same signature, close in time.
#[derive(Clone, Debug)]
pub struct Episode {
    /// Who asked.
    pub client: Address,
    /// Who was asked.
    pub server: (Address, u16),
    /// IP protocol number.
    pub transport: u8,
    /// The name, presentation form with final dot, not escaped for any screen.
    pub name: String,
    /// What the failures have in common.
    pub signature: Signature,
    /// The transactions, in order.
    pub transactions: Vec<TransactionId>,
    /// Every frame: tries and errors, in order.
    pub frames: Vec<PacketId>,
    /// The ICMP errors among them.
    pub errors: Vec<PacketId>,
    /// First query.
    pub first_ns: Nanos,
    /// Last query or error.
    pub last_ns: Nanos,
    /// The first answered query of the same client and server after the last failure.
    pub recovery: Option<PacketId>,
}

/// What the client did after a failure (correlation §4).
#[derive(Clone, Debug, PartialEq)]
pub struct Consequence {
    /// C1 … C10.
    pub code: &'static str,
    /// In words, without frames.
    pub text: String,
    /// The frames that show it.
    pub frames: Vec<PacketId>,
    /// Whether it helped the client (an answer, an accepted connection); `None` where that cannot be told.
    pub success: Option<bool>,
}

/// Episodes that share server and signature: what a report is about.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Who was asked.
    pub server: (Address, u16),
    /// IP protocol number.
    pub transport: u8,
    /// What the failures have in common.
    pub signature: Signature,
    /// Its episodes.
    pub episodes: Vec<EpisodeId>,
    /// Distinct clients.
    pub clients: Vec<Address>,
    /// Distinct names that could be read.
    pub names: Vec<String>,
    /// Some questions were cut before their names ended.
    pub has_cut_names: bool,
    /// First query.
    pub first_ns: Nanos,
    /// Last query or error.
    pub last_ns: Nanos,
}

/// What correlation may notice about a packet; in the order of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnomalyKind {
    /// A response with the right id from another address than was asked.
    AnswerFromOtherAddress,
    /// A response with the right id to another question.
    AnswerToOtherQuestion,
    /// A response unlike one before to the same query.
    ConflictingAnswer,
    /// A response like one before.
    DuplicateAnswer,
    /// An ICMP error about a response.
    ErrorAboutResponse,
    /// An error about a query that was answered all the same.
    IcmpAndAnswer,
    /// An ICMP error whose receiver drops it.
    IcmpBadChecksum,
    /// Id and port are used again for the same question, too late to be a repeat.
    IdPortReuse,
    /// A response later than any client waits.
    ImplausiblyLateAnswer,
    /// A response to nothing that was asked.
    Unsolicited,
}

impl AnomalyKind {
    /// The word in JSON and filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnswerFromOtherAddress => "answer_from_other_address",
            Self::AnswerToOtherQuestion => "answer_to_other_question",
            Self::ConflictingAnswer => "conflicting_answer",
            Self::DuplicateAnswer => "duplicate_answer",
            Self::ErrorAboutResponse => "error_about_response",
            Self::IcmpAndAnswer => "icmp_and_answer",
            Self::IcmpBadChecksum => "icmp_bad_checksum",
            Self::IdPortReuse => "id_port_reuse",
            Self::ImplausiblyLateAnswer => "implausibly_late_answer",
            Self::Unsolicited => "unsolicited",
        }
    }
}

/// Something correlation noticed about one packet that is no link.
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    /// What.
    pub kind: AnomalyKind,
    /// The packet.
    pub packet: PacketId,
    /// The packet it is seen against, if any.
    pub against: Option<PacketId>,
}

/// Where the capture was taken, as far as packets tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vantage {
    /// On the asking host.
    Client,
    /// On the answering host.
    Server,
    /// Between the two.
    Middle,
    /// Cannot be told.
    #[default]
    Unknown,
}

impl Vantage {
    /// The word in JSON and reports: `client`, `server`, `middle`, `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Middle => "middle",
            Self::Unknown => "unknown",
        }
    }
}

/// Joins the packets of an index. Stops early, with what it has, when `cancel` is set.
pub fn correlate(index: &Index, parameters: &Parameters, cancel: &AtomicBool) -> Evidence {
    correlate_noting(index, parameters, cancel, &mut |_| {})
}

/// The same; `passed` hears the name of each stage when it is done.
pub fn correlate_noting(
    index: &Index,
    parameters: &Parameters,
    cancel: &AtomicBool,
    passed: &mut dyn FnMut(&'static str),
) -> Evidence {
    let mut evidence = Evidence::with(parameters.clone());
    let clock = clock::check(index, &mut evidence);
    let messages = messages::Messages::new(index, &clock);
    evidence.set_back.extend_from_slice(messages.steps());
    passed("clock");
    let join = || {
        duplicates::find(&messages, &mut evidence, cancel);
        let denials = transactions::join(&messages, &mut evidence, cancel);
        evidence.seal();
        denials
    };
    let (denials, dictionary) = rayon::join(join, || dictionary::Dictionary::new(index));
    passed("duplicates, transactions, addresses numbered");
    let shared = &evidence;
    let (judged, connections) = rayon::join(
        || quotes::weigh(&messages, &dictionary, shared, cancel),
        || Connections::follow(index, Scope::Dns, &|packet| shared.is_duplicate(packet)),
    );
    passed("errors weighed, connections");
    let conclude = || {
        quotes::attach_all((&messages, &dictionary), &mut evidence, judged);
        evidence.limits.extend(connections.note());
        evidence.connections = connections;
        nameless::join(&messages, &mut evidence);
        unserved::find_traces(&messages, &mut evidence);
        evidence.seal();
        outcomes::conclude(&messages, &mut evidence);
        arrival::mark(&messages, &mut evidence);
        fallback::mark(&messages, &mut evidence);
        declined::mark(&messages, &mut evidence);
    };
    let ((), denied) = rayon::join(conclude, || absent::Denied::read(&messages, &dictionary, &denials));
    passed("errors attached, outcomes, denied names");
    denied.mark(&messages, &dictionary, &mut evidence);
    passed("names that vanished");
    episodes::group(&messages, &dictionary, &mut evidence);
    evidence.seal();
    passed("episodes, problems");
    evidence
}
