//! Why two packets are tied, or why an error is tied to none: a fact, and its words for screens and files.

use super::duplicates::CopyKind;

/// Why a link has its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A response or a repeated query with the key of the first.
    SameKey,
    /// A response without a question, to the only open query with its id.
    NoQuestion,
    /// A response after the one that counts.
    FurtherResponse,
    /// The packet was captured again.
    Copy(CopyKind),
    /// A request or answer with the number of the request (transaction, message, identifier and sequence).
    SameNumber,
    /// A request with the bytes of the first.
    SameBytes,
    /// A segment with the sequence number of one before.
    SameSequence,
    /// A segment that accepts or refuses a SYN.
    Acknowledges,
    /// The response whose turn it is on a connection (RFC 9112 §9.3.2).
    InTurn,
    /// The server's first data after the request, in a protocol that answers each.
    NextAnswer,
    /// The same in a protocol that is not known.
    NextData,
    /// The first datagram back, in a protocol without numbers.
    SameFlow,
    /// The quote holds payload and IP id of the packet.
    PayloadAndIpId,
    /// The quote holds the payload of this packet alone.
    Payload,
    /// The quote holds what several packets carry.
    PayloadOfSeveral,
    /// The quote holds sequence number, DNS id or echo identifier, and the IP id.
    IdentifierAndIpId,
    /// The quote holds IP id and length of this packet alone.
    IpIdAndLength,
    /// The quote holds sequence number, DNS id or echo identifier of this packet alone.
    Identifier,
    /// The same of several packets.
    IdentifierOfSeveral,
    /// Payload or identifier agree, the IP id does not.
    BytesNotIpId,
    /// Addresses, ports and length fit one packet alone, the IP id does not.
    LengthNotIpId,
    /// All agrees, but more hops are left than the packet had here.
    MoreHops,
    /// Besides addresses and ports only the IP id agrees.
    IpId,
    /// The same with the bytes of the IP id swapped.
    IpIdSwapped,
    /// Addresses and ports fit one packet, and the quote holds nothing else.
    FlowAlone,
    /// Addresses and ports fit several packets.
    FlowOfSeveral,
    /// The bytes agree, the checksum of the ICMP message does not.
    ChecksumWrong,
    /// All packets of the flow were sent too long before the error.
    TooOld,
    /// The quote holds another packet of the flow than those in the capture.
    NotCaptured,
    /// All packets of the flow were captured, and none of them is the one quoted.
    Disagrees,
    /// Sender and receiver of the error are the quoted sender: the packet never left it.
    OwnHost,
    /// The capture began less than the time of such an error before it.
    BeforeCapture,
    /// Of the quoted sender no packet was captured.
    UnknownSender,
    /// Nothing of the quoted flow was captured.
    NotInCapture,
    /// The quote cannot be read.
    Unreadable,
    /// DNS bytes agree, the sender differs.
    NatSender,
    /// DNS bytes agree, the receiver differs.
    NatReceiver,
    /// What the quote holds agrees with a packet of the host behind a NAT that another quote showed.
    NatKnown,
    /// A printed quote with port, IP id and DNS id.
    PrintedQuote,
    /// What a printed or cut error names, and how many open queries fit.
    Open(Names, Crowd),
    /// The same of packets that carry no DNS.
    Sent(Names, Crowd),
}

/// What an error that was printed or cut off names of its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Names {
    /// Nothing: the client is who was told.
    Nothing,
    /// The server.
    Server,
    /// The server and its port.
    ServerAndPort,
}

/// How many open queries fit an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Crowd {
    /// No query of this client at all, or none that is open where nothing is named.
    Nobody,
    /// None that is still open.
    Settled,
    /// One.
    One,
    /// Several; the newest is named.
    Several,
}

impl Reason {
    /// The reason in words, for people: `quotes its payload bytes and IP id`.
    pub fn words(self) -> &'static str {
        match self {
            Self::SameKey => "same addresses, ports, id and question",
            Self::NoQuestion => "same addresses, ports and id; no question to compare",
            Self::FurtherResponse => "a further response to the same query",
            Self::Copy(kind) => kind.reason(),
            Self::SameNumber => "same ends and number of the request",
            Self::SameBytes => "same ends and bytes",
            Self::SameSequence => "same connection and sequence number",
            Self::Acknowledges => "the reply to the opening of this connection",
            Self::InTurn => "responses come in the order of their requests",
            Self::NextAnswer => "the server's first data after the request on this connection",
            Self::NextData => {
                "the other side's first data after it on this connection; the protocol is not known"
            }
            Self::SameFlow => "same addresses and ports; no number to compare",
            Self::PayloadAndIpId => "quotes its payload bytes and IP id",
            Self::Payload => "quotes its payload bytes",
            Self::PayloadOfSeveral => {
                "quotes its payload bytes; several packets carry the same, the newest is named"
            }
            Self::IdentifierAndIpId => "quotes its transport identifier and IP id",
            Self::IpIdAndLength => "quotes its IP id and length, and no other packet fits",
            Self::Identifier => "quotes its transport identifier, and no other packet fits",
            Self::IdentifierOfSeveral => {
                "quotes its transport identifier; several packets carry the same, the newest is named"
            }
            Self::BytesNotIpId => "quotes its bytes with another IP id, as some NATs and filters rewrite it",
            Self::LengthNotIpId => {
                "addresses, ports and length fit this packet alone; the IP id differs, as some NATs and filters rewrite it"
            }
            Self::MoreHops => {
                "quotes its bytes with more hops left than it had here: it was captured farther on"
            }
            Self::IpId => "addresses, ports and IP id agree",
            Self::IpIdSwapped => "addresses and ports agree, the IP id with its bytes swapped",
            Self::FlowAlone => "addresses and ports agree; the quote holds nothing more to compare",
            Self::FlowOfSeveral => {
                "addresses and ports agree; several packets fit, the newest unanswered is named"
            }
            Self::ChecksumWrong => {
                "quotes its bytes, but the ICMP checksum is wrong: the receiver would have dropped it"
            }
            Self::TooOld => "packets of the quoted flow are too old and none is proved by the quote",
            Self::NotCaptured => {
                "it quotes another packet of that flow, which was not captured: identifying fields differ from those that were"
            }
            Self::Disagrees => {
                "it fits a flow but quotes bytes no packet of it sent: possible forgery or corruption"
            }
            Self::OwnHost => "the host told itself: the packet never left it",
            Self::BeforeCapture => "the packet was sent before the capture began, or was not captured",
            Self::UnknownSender => "no packet of the quoted sender is in this capture",
            Self::NotInCapture => "the quoted packet is not in this capture",
            Self::Unreadable => "it quotes no packet that can be read",
            Self::NatSender => "quotes its DNS bytes with the sender's address or port as a NAT changed them",
            Self::NatReceiver => {
                "quotes its DNS bytes with the receiver's address or port as a NAT changed them"
            }
            Self::NatKnown => {
                "what it quotes fits once the sender's address is translated back as another quote shows it for this NAT"
            }
            Self::PrintedQuote => "the printed quote shows its port, IP id and DNS id",
            Self::Open(names, crowd) => open(names, crowd),
            Self::Sent(names, crowd) => sent(names, crowd),
        }
    }
}

/// The words where an error shows less than a quote.
fn open(names: Names, crowd: Crowd) -> &'static str {
    match (names, crowd) {
        (Names::Nothing, Crowd::Nobody | Crowd::Settled) => {
            "the error as recorded names no packet, and this client has no open query"
        }
        (Names::Nothing, Crowd::One) => {
            "the only open query of this client; the error as recorded shows no address, port or id"
        }
        (Names::Nothing, Crowd::Several) => {
            "the newest open query of this client; the error as recorded shows no address, port or id"
        }
        (_, Crowd::Nobody) => "no query of this client to that server and port is in the text before it",
        (Names::Server, Crowd::Settled) => {
            "server and client agree, the line shows no port; all such queries were answered or refused before"
        }
        (Names::Server, Crowd::One) => {
            "the only open query of this client to that server; the line shows no port or id"
        }
        (Names::Server, Crowd::Several) => {
            "the newest query of this client to that server; the line shows no port or id"
        }
        (Names::ServerAndPort, Crowd::Settled) => {
            "server, port and client agree; all such queries were answered or refused before"
        }
        (Names::ServerAndPort, Crowd::One) => {
            "the only open query of this client to that server and port; the line shows no port or id"
        }
        (Names::ServerAndPort, Crowd::Several) => {
            "the newest query of this client to that server and port; the line shows no port or id"
        }
    }
}

/// The same about packets that carry no DNS.
fn sent(names: Names, crowd: Crowd) -> &'static str {
    match (names, crowd) {
        (Names::Nothing, Crowd::One) => {
            "the only packet of this sender shortly before it without an answer; the error as recorded shows no address, port or id"
        }
        (Names::Nothing, _) => {
            "the newest packet of this sender without an answer, and others fit; the error as recorded shows no address, port or id"
        }
        (Names::Server, Crowd::One) => {
            "the only packet of this sender to that host before it without an error; the line shows no port or id"
        }
        (Names::Server, Crowd::Several) => {
            "the newest packet of this sender to that host, and others fit; the line shows no port or id"
        }
        (Names::Server, _) => {
            "sender and host agree, the line shows no port or id; other errors are about all such packets"
        }
        (Names::ServerAndPort, Crowd::One) => {
            "the only packet of this sender to that host and port before it without an error; the line shows no port or id"
        }
        (Names::ServerAndPort, Crowd::Several) => {
            "the newest packet of this sender to that host and port, and others fit; the line shows no port or id of the sender"
        }
        (Names::ServerAndPort, _) => "sender, host and port agree; other errors are about all such packets",
    }
}
