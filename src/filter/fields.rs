//! Every field a filter can name: those answered from columns, those of our own, and those of the PROTOCOLS table.

mod absent;
mod attempts;
mod dns;
mod evidence;
mod frame;
mod nearest;
mod network;
mod transport;
pub mod values;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::decode::LayerKind;
use crate::protocols::{Field, Kind, PROTOCOLS, ProtocolId};
pub use absent::absent;
pub use nearest::nearest;
pub use values::*;

/// Which end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Sender or receiver.
    Either,
    /// Sender.
    Source,
    /// Receiver.
    Destination,
}

/// IP version asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 or IPv6, ARP included.
    Any,
    /// IPv4 headers.
    V4,
    /// IPv6 headers.
    V6,
    /// ARP.
    Arp,
}

/// What is known of each packet without decoding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum Column {
    FrameNumber,
    Original,
    Captured,
    Time,
    TimeRelative,
    TimeDelta,
    Interface,
    TcpFlags,
}

/// What the DNS side table knows of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum DnsField {
    Name,
    Type,
    Class,
    Id,
    Flags,
    Response,
    Opcode,
    ResponseCode,
    /// A bit of the flag word; `true`: only responses have it.
    Bit(u16, bool),
    /// One of the four counts.
    Count(usize),
}

/// What correlation knows of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum EvidenceField {
    LinkLevel,
    LinkKind,
    LinkFrame,
    LinkDelta,
    LinkDelayed,
    ResponseIn,
    ResponseTo,
    Duplicate,
    Outcome,
    Waited,
    Rtt,
    ResponseTime,
    Attempt,
    Tries,
    ExtendedError,
    Episode,
    Problem,
    Anomaly,
}

impl EvidenceField {
    /// Whether only DNS messages and the errors about them have it.
    pub fn is_of_dns(self) -> bool {
        match self {
            Self::ResponseIn
            | Self::ResponseTo
            | Self::ResponseTime
            | Self::Outcome
            | Self::Waited
            | Self::Rtt
            | Self::Attempt
            | Self::Tries
            | Self::ExtendedError
            | Self::Episode
            | Self::Problem => true,
            Self::LinkLevel
            | Self::LinkKind
            | Self::LinkFrame
            | Self::LinkDelta
            | Self::LinkDelayed
            | Self::Duplicate
            | Self::Anomaly => false,
        }
    }

    /// Whether it tells of ties between packets of whatever service.
    pub fn is_of_links(self) -> bool {
        matches!(self, Self::LinkLevel | Self::LinkKind | Self::LinkFrame | Self::LinkDelta)
    }
}

/// What is known of the attempt a packet belongs to, and of the connection that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum AttemptField {
    Outcome,
    Failed,
    First,
    Service,
    Server,
    Port,
    Client,
    Tries,
    Waited,
    Answered,
    Watched,
    EndedBy,
    Handshake,
    Repeats,
    Filled,
    Missing,
    Unread,
    Unacknowledged,
}

/// What the case knows of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum NoteField {
    Marked,
    Note,
    Tag,
}

/// What is read from the headers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields' own")]
pub enum HeaderField {
    EtherSource,
    EtherDestination,
    EtherEither,
    /// The type in the Ethernet header itself; of tagged frames that of the tag.
    EtherType,
    /// The type of the link layer, whichever carries one: what `ether proto` asks for.
    LinkProtocol,
    Vlan,
    IpId,
    /// What the IPv6 header itself announces, be it an extension header.
    Ipv6Next,
    Payload(u8),
    PayloadLength(u8),
}

/// What a packet is to its TCP connection or UDP conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamField {
    /// The number of the conversation of this IP protocol (6, 17), from 0 in order of first packets.
    Number(u8),
    /// TCP sequence number, counted from the first of its direction.
    Sequence,
    /// TCP acknowledgment number, counted likewise.
    Acknowledgment,
    /// TCP window in bytes, scaled as agreed when the connection was opened.
    Window,
}

/// A protocol as a word in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Every packet.
    Frame,
    /// An IP version.
    Ip(Family),
    /// The protocol number above IP.
    Transport(u8),
    /// The protocol the packet is shown as.
    Protocol(ProtocolId),
    /// A header passed on the way.
    Layer(&'static [LayerKind]),
}

/// Where a field's values come from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "each names the kind of place")]
pub enum Source {
    Word(Word),
    Column(Column),
    Address(Family, Direction),
    /// Time to live or hop limit.
    Ttl(Family),
    /// IP protocol number.
    IpProtocol(Family),
    /// Port of a transport; 0 = UDP or TCP.
    Port(u8, Direction),
    TcpFlag(u8),
    /// Type (`false`) or code (`true`) of this IP protocol number.
    Icmp(u8, bool),
    Flags(u16),
    Dns(DnsField),
    Evidence(EvidenceField),
    Attempt(AttemptField),
    Note(NoteField),
    Header(HeaderField),
    File,
    /// The site its file was captured at.
    Site,
    /// What the place of its capture is called.
    Sensor,
    Comment,
    /// A field of the PROTOCOLS table.
    Tree(&'static str),
    /// What takes the packets before into account.
    Stream(StreamField),
    /// The names of the layers.
    Layers,
    /// A datagram quoted by an ICMP error.
    Quote,
    /// The name of the interface that captured it.
    InterfaceName,
}

/// Names that stand for values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values {
    /// No names.
    None,
    /// Numbers with names; names are compared without case.
    Numbers(&'static [(&'static str, i64)]),
    /// Texts; nothing else can occur.
    Words(&'static [&'static str]),
    /// Numbers from the first to the last; nothing else can occur.
    Range(i64, i64),
}

/// One filter field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldInfo {
    /// The name, Wireshark's where it has one.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// The type of its values.
    pub kind: Kind,
    /// What it is, in one line.
    pub help: &'static str,
    /// A filter that uses it.
    pub example: &'static str,
    /// Where its values come from.
    pub source: Source,
    /// Named or limited values.
    pub values: Values,
}

const fn field(
    name: &'static str,
    kind: Kind,
    source: Source,
    example: &'static str,
    help: &'static str,
) -> FieldInfo {
    FieldInfo { name, aliases: &[], kind, help, example, source, values: Values::None }
}

impl FieldInfo {
    const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
    const fn named(mut self, values: &'static [(&'static str, i64)]) -> Self {
        self.values = Values::Numbers(values);
        self
    }
    const fn words(mut self, words: &'static [&'static str]) -> Self {
        self.values = Values::Words(words);
        self
    }
    const fn limited(mut self, first: i64, last: i64) -> Self {
        self.values = Values::Range(first, last);
        self
    }
    /// Whether a datagram inside an ICMP error can have it.
    pub fn can_be_quoted(&self) -> bool {
        match self.source {
            Source::Word(Word::Frame)
            | Source::Flags(_)
            | Source::Evidence(_)
            | Source::Attempt(_)
            | Source::Note(_)
            | Source::File
            | Source::Site
            | Source::Sensor
            | Source::Comment
            | Source::Stream(_)
            | Source::Layers
            | Source::InterfaceName
            | Source::Quote => false,
            Source::Column(column) => column == Column::TcpFlags,
            _ => true,
        }
    }
    /// Whether it is a protocol word, whose value is the protocol's bytes.
    pub fn is_word(&self) -> bool {
        matches!(self.source, Source::Word(_))
    }
}

/// All fields with their index by name.
pub struct Fields {
    all: Vec<FieldInfo>,
    by_name: HashMap<&'static str, usize>,
}

/// Fields answered from columns, side tables, evidence and annotations, in the order they are listed.
static OWN: &[&[FieldInfo]] =
    &[frame::FIELDS, network::FIELDS, transport::FIELDS, dns::FIELDS, evidence::FIELDS, attempts::FIELDS];

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let mut fields = Fields { all: Vec::new(), by_name: HashMap::new() };
    for info in OWN.iter().copied().flatten() {
        fields.add(*info);
    }
    for (at, protocol) in PROTOCOLS.iter().enumerate() {
        let source = Source::Word(Word::Protocol(ProtocolId(at as u8)));
        let mut word = field(protocol.name, Kind::Bytes, source, protocol.name, protocol.title);
        if let Some((_, aliases)) = PROTOCOL_ALIASES.iter().find(|(name, _)| *name == protocol.name) {
            word.aliases = aliases;
        }
        fields.add(word);
        for entry in protocol.fields {
            fields.add(from_table(entry));
        }
    }
    fields
});

fn from_table(entry: &'static Field) -> FieldInfo {
    let mut info = field(entry.name, entry.kind, Source::Tree(entry.name), entry.name, entry.help);
    if let Some((_, values)) = TREE_VALUES.iter().find(|(name, _)| *name == entry.name) {
        info.values = Values::Numbers(values);
    }
    if let Some((_, aliases)) = TREE_ALIASES.iter().find(|(name, _)| *name == entry.name) {
        info.aliases = aliases;
    }
    info
}

impl Fields {
    fn add(&mut self, info: FieldInfo) {
        if self.by_name.contains_key(info.name) {
            return;
        }
        for name in info.aliases.iter().chain([&info.name]) {
            self.by_name.entry(name).or_insert(self.all.len());
        }
        self.all.push(info);
    }
}

/// Every field: those of our own first, then those only the detail tree has.
pub fn all() -> &'static [FieldInfo] {
    &FIELDS.all
}

/// Finds a field by name or alias, without case.
pub fn find(name: &str) -> Option<&'static FieldInfo> {
    let fields = &*FIELDS;
    let found = fields.by_name.get(name).or_else(|| fields.by_name.get(name.to_ascii_lowercase().as_str()));
    fields.all.get(*found?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_field_is_suggested() {
        let names = || all().iter().map(|info| info.name);
        assert_eq!(nearest("dns.qry.nam", names()), Some("dns.qry.name"));
        assert_eq!(nearest("ip.adr", names()), Some("ip.addr"));
        assert_eq!(nearest("tpc", names()), Some("tcp"));
        assert_eq!(nearest("zzzzzzz", names()), None);
    }

    #[test]
    fn no_name_means_two_fields() {
        let mut names: Vec<&str> =
            all().iter().flat_map(|info| info.aliases.iter().chain([&info.name])).copied().collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
