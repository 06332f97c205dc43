//! What was judged, and what was seen but not assessed: an all-clear may be given only where nothing is left open (truth T1).

mod explained;
mod judged;
mod open;
mod words;

use super::facts::{Facts, Meaning};
use super::{Finding, Severity};
use crate::attempts::{Kind, Outcome};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::Nanos;
pub use explained::is_served;
pub use judged::{Judged, Service};

/// Kinds of things that are seen without being assessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpenKind {
    /// Packets whose reading stopped, and why.
    Unread(&'static str),
    /// Packets that were dropped while capturing.
    Dropped,
    /// Packets that a text shows and of which nothing was read.
    Unparsed,
    /// Attempts beyond a limit of the program.
    NotFollowed,
    /// DNS questions of which it cannot be told how they ended.
    Undetermined,
    /// DNS questions without a usable answer that no finding names.
    Unserved,
    /// ICMP errors that explain nothing else.
    Error(Meaning),
    /// Attempts at a service that failed, too few to be a failure of their own.
    Few(Kind, Outcome),
    /// The same of a service that was served otherwise: single ones are ordinary.
    Single(Kind, Outcome),
    /// Requests for a link address without reply.
    Neighbour,
    /// Link addresses asked for of which nothing was ever heard, and nothing else needs them.
    Unused,
    /// An address that went to another device and stayed there.
    Moved,
    /// Redirects: a router names a better way.
    Redirect,
    /// A path's size was told, and the sender adapted to it.
    PathSize,
    /// Errors that end a traced path: they say that the goal was reached.
    Traced,
    /// Errors about replies of DHCP, whose client got what it asked for all the same.
    Leased,
    /// Errors about a port of TFTP that was closed when its transfer was over.
    Finished,
    /// Errors about late or second answers to lookups that were served.
    Further,
    /// What is encrypted.
    Encrypted,
    /// TCP connections whose beginning is not in the capture.
    Begun,
    /// TCP connections of which lines print no flags.
    Unprinted,
    /// TCP connections that the capture ends too soon for.
    Unfinished,
    /// TCP connections of which one direction was captured.
    OneDirection,
    /// TCP connections that were ended before an answer.
    Left,
    /// TCP connections of one family that were given up for the other, which served.
    Raced,
    /// Datagrams of protocols that nobody answers.
    Notices,
    /// Datagrams of protocols that are not known.
    OneWay,
    /// Datagrams to a DNS server whose message is not shown, and nothing that came back.
    Unshown,
    /// Packets captured only in part.
    Cut,
}

/// What a thing seen means for an all-clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It may be a failure: no all-clear beside it.
    Open,
    /// Worth a remark; it is ordinary.
    Ordinary,
    /// It cannot be seen in a capture like this.
    NotVisible,
}

impl OpenKind {
    /// What it means for an all-clear.
    pub fn standing(self) -> Standing {
        match self {
            Self::Unused
            | Self::Moved
            | Self::Redirect
            | Self::PathSize
            | Self::Single(..)
            | Self::Traced
            | Self::Leased
            | Self::Finished
            | Self::Further
            | Self::Left
            | Self::Raced => Standing::Ordinary,
            Self::Encrypted
            | Self::Begun
            | Self::Unprinted
            | Self::Unfinished
            | Self::OneDirection
            | Self::Notices
            | Self::OneWay
            | Self::Cut => Standing::NotVisible,
            _ => Standing::Open,
        }
    }
}

/// The word that stands for a rule's id where something was seen and not assessed.
pub const NOT_ASSESSED: &str = "not-assessed";

/// Who is concerned; [`Address::None`] and 0 where several are or it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ends {
    /// Who asked, or whose packets they are.
    pub client: Address,
    /// Who was asked.
    pub server: Address,
    /// At which port; 0 for none.
    pub port: u16,
    /// Over which IP protocol; 0 for none.
    pub transport: u8,
    /// Who told it, where it is neither of them.
    pub sender: Address,
}

/// One thing seen that no rule assessed.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenItem {
    /// What kind of thing.
    pub kind: OpenKind,
    /// Who is concerned.
    pub ends: Ends,
    /// Distinct clients; 1 where `ends` names it.
    pub clients: u64,
    /// How often it was seen.
    pub count: u64,
    /// The first of its frames, in order.
    pub frames: Vec<PacketId>,
    /// How many of its frames are not among them.
    pub unnamed: u64,
    /// When it was seen first.
    pub first_ns: Nanos,
    /// And last.
    pub last_ns: Nanos,
    /// A filter that shows its frames.
    pub filter: String,
}

/// What was judged, and what was not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// Packets of the capture.
    pub packets: u64,
    /// Packets whose reading stopped before what they carry.
    pub unread: u64,
    /// Services whose attempts were judged, most attempts first.
    pub judged: Vec<Judged>,
    /// What was seen and not assessed: the open first, each kind by how often it was seen.
    pub not_assessed: Vec<OpenItem>,
    /// Some finding is more than a note.
    pub has_finding: bool,
}

impl Coverage {
    /// What may be a failure that no rule assessed.
    pub fn open(&self) -> impl Iterator<Item = &OpenItem> {
        self.of(Standing::Open)
    }

    /// What has this standing.
    pub fn of(&self, standing: Standing) -> impl Iterator<Item = &OpenItem> {
        self.not_assessed.iter().filter(move |item| item.kind.standing() == standing)
    }

    /// Whether it may be said that nothing failed: everything was read, something was judged, and nothing is open.
    pub fn is_clear(&self) -> bool {
        !self.has_finding && self.unread == 0 && !self.judged.is_empty() && self.open().next().is_none()
    }
}

/// Works out what the rules had to judge and what they left.
pub fn measure(facts: &Facts<'_>, found: &[Finding]) -> Coverage {
    let explained = explained::Explained::by(facts, found);
    let mut items = open::Items::new(facts);
    open::collect(facts, &explained, &mut items);
    let not_assessed = items.finish();
    Coverage {
        packets: u64::from(facts.index.len()),
        unread: not_assessed
            .iter()
            .filter(|item| matches!(item.kind, OpenKind::Unread(_)))
            .map(|item| item.count)
            .sum(),
        judged: judged::services(facts, &not_assessed, found),
        not_assessed,
        has_finding: found.iter().any(|finding| finding.severity > Severity::Info),
    }
}
