//! How an attempt may end (services §1.3–§1.9).

use super::reply::Denial;
use crate::protocols::tls;
use crate::time::Nanos;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was answered, or the connection carried what it was for.
    Answered,
    /// The connection was accepted and nothing was asked on it.
    Accepted,
    /// A reset refused the connection.
    RefusedByReset,
    /// An ICMP error refused it: whether ICMPv6, type, code.
    RefusedByIcmp(bool, u8, u8),
    /// The server accepted, and its acceptance did not get to the client: it was sent again and never acknowledged, or an ICMP
    /// error is about it: whether ICMPv6, type, code.
    Undelivered(Option<(bool, u8, u8)>),
    /// Nothing came back.
    NoReply,
    /// An answer came from another address than was asked: whoever looks at it discards it.
    Misaddressed,
    /// Accepted and acknowledged, but never answered.
    Mute,
    /// The server closed it before it sent anything.
    Closed,
    /// It was reset in the server's name before any answer.
    Reset,
    /// The same, from another distance than the server's other packets.
    ResetByDevice,
    /// It was reset after some of the answer.
    ResetMidway,
    /// A fatal TLS alert; by the client or by the server.
    Alert {
        /// Its number (RFC 8446 §6).
        number: u8,
        /// The client sent it.
        by_client: bool,
    },
    /// The TLS handshake was left without a readable alert, right after the other side's flight.
    Left {
        /// The client left.
        by_client: bool,
    },
    /// The service answered that it cannot serve: a status of HTTP or SIP, a reply code of SMTP, an error of TFTP.
    Fails(u16),
    /// The service denied what was asked for, with a code of its protocol.
    Denied(Denial),
    /// NTP: the server told the client to go away (RFC 5905 §7.4), by its code.
    Kiss([u8; 4]),
    /// NTP: the server has no time itself.
    NoTime,
    /// NTP: the time given differs from that of other clocks.
    WrongTime {
        /// How far it is ahead; negative where it is behind.
        ahead_ns: Nanos,
    },
    /// The receiver of data took nothing for a time.
    Stalled {
        /// The client is the receiver.
        by_client: bool,
        /// How long.
        lasted_ns: Nanos,
    },
    /// Data were sent again and again without acknowledgement after the connection had worked.
    Silenced {
        /// The client's data.
        of_client: bool,
        /// The connection had been quiet for this long before them.
        quiet_ns: Nanos,
    },
    /// The server ended the session as it took on that of another client, again and again.
    Displaced,
    /// Large segments did not arrive while small ones did.
    LargeLost {
        /// Bytes known to be missing; 0 where only repeats show it.
        bytes: u32,
        /// The client's data.
        of_client: bool,
    },
    /// DHCP: nobody offered an address.
    NoOffer,
    /// DHCP: a server refused the address asked for.
    Nak,
    /// DHCP: the request for an offered address was not answered.
    Unconfirmed,
    /// DHCP: the client found the address in use.
    Declined,
    /// DHCP: the servers have no address to give.
    NoAddress,
    /// Only one direction is in the capture.
    OneDirection,
    /// The capture does not show how it ended.
    Undetermined,
}

/// Who ended an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client gave up, closed or refused.
    Client,
    /// The server answered, refused or closed.
    Server,
    /// A device in between did.
    Device,
    /// Nobody as far as the capture goes.
    CaptureEnd,
}

impl Ended {
    /// Its name in filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Device => "device",
            Self::CaptureEnd => "capture_end",
        }
    }
}

/// What failures have in common: a run of one face is one failure, whatever code each attempt met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Face {
    /// The service was not reached: refused or silent.
    Unreached,
    /// Answered by another address than was asked.
    Misaddressed,
    /// Accepted and then nothing.
    Mute,
    /// Accepted and then closed or reset.
    Cut,
    /// Reset from nearer by.
    CutByDevice,
    /// The TLS handshake failed.
    Tls,
    /// The service itself said that it cannot serve.
    Fails,
    /// Large packets lost.
    Large,
    /// A receiver took nothing.
    Stalled,
    /// A connection went silent.
    Silenced,
    /// A session was ended for another client's.
    Displaced,
    /// No lease.
    Lease,
}

impl Outcome {
    /// Its name in tables and filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Accepted => "accepted",
            Self::RefusedByReset => "refused_by_reset",
            Self::RefusedByIcmp(..) => "refused_by_icmp",
            Self::Undelivered(_) => "undelivered",
            Self::NoReply => "no_reply",
            Self::Misaddressed => "misaddressed",
            Self::Mute => "mute",
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::ResetByDevice => "reset_by_device",
            Self::ResetMidway => "reset_midway",
            Self::Alert { .. } => "alert",
            Self::Left { .. } => "left_handshake",
            Self::Fails(_) => "failed",
            Self::Denied(_) => "denied",
            Self::Kiss(_) => "kiss",
            Self::NoTime => "no_time",
            Self::WrongTime { .. } => "wrong_time",
            Self::Stalled { .. } => "stalled",
            Self::Silenced { .. } => "silenced",
            Self::Displaced => "displaced",
            Self::LargeLost { .. } => "large_lost",
            Self::NoOffer => "no_offer",
            Self::Nak => "nak",
            Self::Unconfirmed => "unconfirmed",
            Self::Declined => "declined",
            Self::NoAddress => "no_address",
            Self::OneDirection => "one_direction",
            Self::Undetermined => "undetermined",
        }
    }

    /// What it says beyond its name.
    pub fn detail(self) -> String {
        let side = |by_client: bool| if by_client { "client" } else { "server" };
        match self {
            Self::RefusedByIcmp(v6, kind, code) | Self::Undelivered(Some((v6, kind, code))) => {
                format!("{} {kind}/{code}", if v6 { "icmpv6" } else { "icmp" })
            }
            Self::Alert { number, by_client } => {
                format!("{number} {} by the {}", tls::alert_name(number), side(by_client))
            }
            Self::Left { by_client } => format!("by the {}", side(by_client)),
            Self::Fails(code) => code.to_string(),
            Self::Kiss(code) => crate::text::escape_bytes(&code),
            Self::Stalled { by_client, lasted_ns } => {
                format!("{} took nothing for {}", side(by_client), crate::time::span(lasted_ns))
            }
            Self::Silenced { of_client, .. } => format!("data of the {}", side(of_client)),
            Self::LargeLost { bytes: 0, of_client } => format!("data of the {}", side(of_client)),
            Self::LargeLost { bytes, of_client } => format!("{bytes} bytes of the {}", side(of_client)),
            _ => String::new(),
        }
    }

    /// The same without how long and how much.
    #[must_use]
    pub fn plain(self) -> Self {
        match self {
            Self::Stalled { by_client, .. } => Self::Stalled { by_client, lasted_ns: 0 },
            Self::Silenced { of_client, .. } => Self::Silenced { of_client, quiet_ns: 0 },
            Self::LargeLost { of_client, .. } => Self::LargeLost { of_client, bytes: 0 },
            Self::WrongTime { .. } => Self::WrongTime { ahead_ns: 0 },
            other => other,
        }
    }

    /// Whether the client got what it wanted.
    pub fn is_served(self) -> bool {
        matches!(self, Self::Answered | Self::Accepted)
    }

    /// What it has in common with other failures; `None` where nothing failed, or it cannot be told.
    pub fn face(self) -> Option<Face> {
        Some(match self {
            Self::Answered | Self::Accepted | Self::OneDirection | Self::Undetermined => return None,
            Self::RefusedByReset | Self::RefusedByIcmp(..) | Self::Undelivered(_) | Self::NoReply => {
                Face::Unreached
            }
            Self::Misaddressed => Face::Misaddressed,
            Self::Mute => Face::Mute,
            Self::Closed | Self::Reset | Self::ResetMidway => Face::Cut,
            Self::ResetByDevice => Face::CutByDevice,
            Self::Alert { .. } | Self::Left { .. } => Face::Tls,
            Self::Fails(_) | Self::Denied(_) | Self::Kiss(_) | Self::NoTime | Self::WrongTime { .. } => {
                Face::Fails
            }
            Self::LargeLost { .. } => Face::Large,
            Self::Stalled { .. } => Face::Stalled,
            Self::Silenced { .. } => Face::Silenced,
            Self::Displaced => Face::Displaced,
            Self::NoOffer | Self::Nak | Self::Unconfirmed | Self::Declined | Self::NoAddress => Face::Lease,
        })
    }
}

/// One of each, for tests of tables.
#[cfg(test)]
pub(crate) fn each() -> [Outcome; 30] {
    use super::reply::{Code, Why};
    [
        Outcome::Answered,
        Outcome::Accepted,
        Outcome::RefusedByReset,
        Outcome::RefusedByIcmp(false, 3, 1),
        Outcome::Undelivered(None),
        Outcome::NoReply,
        Outcome::Misaddressed,
        Outcome::Mute,
        Outcome::Closed,
        Outcome::Reset,
        Outcome::ResetByDevice,
        Outcome::ResetMidway,
        Outcome::Alert { number: 40, by_client: false },
        Outcome::Left { by_client: true },
        Outcome::Fails(503),
        Outcome::Denied(Denial { code: Code::default(), why: Why::Rejects }),
        Outcome::Kiss(*b"RATE"),
        Outcome::NoTime,
        Outcome::WrongTime { ahead_ns: 1 },
        Outcome::Stalled { by_client: true, lasted_ns: 0 },
        Outcome::Silenced { of_client: true, quiet_ns: 0 },
        Outcome::Displaced,
        Outcome::LargeLost { bytes: 0, of_client: true },
        Outcome::NoOffer,
        Outcome::Nak,
        Outcome::Unconfirmed,
        Outcome::Declined,
        Outcome::NoAddress,
        Outcome::OneDirection,
        Outcome::Undetermined,
    ]
}
