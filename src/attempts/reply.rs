//! What answers say in the protocol of a service: that it serves, or why not, with the code as that protocol writes it.
//!
//! An attempt is decided by the message that says so, not by the first byte that comes back: an offer of TLS that is declined, a
//! challenge and a step of a sign-in decide nothing. Codes, their meaning and who can mend them are rows of tables.

pub mod account;
mod binary;
mod codes;
pub mod datagrams;
mod limits;
pub mod printed;
mod text;

use super::Kind;
use crate::connections::Seen;

pub use codes::words;
pub use limits::{Limit, limit};

/// Letters of a code that are kept.
const CODE_BYTES: usize = 20;

/// A code as its protocol writes it: `53300`, `49`, `READONLY`, `C000006D`, `2/2`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code([u8; CODE_BYTES]);

impl Code {
    /// Takes letters, digits and strokes; whatever else a server sends is left out.
    pub fn new(text: &[u8]) -> Self {
        let mut own = Self::default();
        let letters = text.iter().filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-'));
        own.0.iter_mut().zip(letters).for_each(|(place, letter)| *place = *letter);
        own
    }

    /// A code and the further one that says why (RFC 3463): `454 4.7.1`.
    pub fn with(code: u16, further: &[u8]) -> Self {
        let mut own = Self::default();
        let text = format!("{code} {}", String::from_utf8_lossy(further));
        own.0.iter_mut().zip(text.bytes()).for_each(|(place, letter)| *place = letter);
        own
    }

    /// The three digits it begins with.
    pub fn basic(&self) -> Option<u16> {
        super::http::code(self.as_str().as_bytes())
    }

    /// A number.
    pub fn number(number: u32) -> Self {
        Self::new(number.to_string().as_bytes())
    }

    /// As it is shown.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default().trim_end_matches('\0')
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Who can mend what a server refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The service cannot: it lacks something, starts, stops, or something behind it fails.
    Fails,
    /// Its settings do not allow it: who asks, from where, by which way.
    Forbids,
    /// It does not take what the client gave: a password, a recipient, a name; people mistype them now and then.
    Rejects,
}

/// An answer that gives nothing of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Denial {
    /// Its code.
    pub code: Code,
    /// Who can mend it.
    pub why: Why,
}

/// What one message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// Nothing that decides.
    Nothing,
    /// The session or the request is granted.
    Serves,
    /// It is denied, unless a later message grants it.
    Denies(Denial),
    /// It is denied, whatever else is granted on the same connection.
    Breaks(Denial),
    /// To go on encrypted is declined; it counts where the client leaves then.
    Declines(Denial),
}

/// What a client asked last, where the meaning of an answer depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    /// Nothing yet.
    #[default]
    Nothing,
    /// To be let in.
    Entry,
    /// To take what was given (mail).
    Delivery,
    /// To go on encrypted.
    Cipher,
    /// Something else.
    Other,
}

/// How far the two sides of a connection have come in the protocol of its port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dialog {
    /// What is spoken; `None` before the first data, and where no answers are read.
    kind: Option<Kind>,
    is_looked_up: bool,
    asked: Asked,
    /// The client asked and nothing came back since.
    is_open: bool,
    /// The client was let in.
    is_in: bool,
    /// What follows is encrypted.
    is_sealed: bool,
    granted: Option<Seen>,
    denied: Option<(Denial, Seen)>,
    /// What was denied counts whatever else is granted.
    is_broken: bool,
    /// To go on encrypted was declined, and nothing was asked since.
    declined: Option<(Denial, Seen)>,
    /// The segment that names who signs in.
    account: Option<Seen>,
    /// The server asked for the name.
    is_prompted: bool,
}

impl Dialog {
    /// Takes the data of a segment to or from a server's port.
    pub fn take(&mut self, port: u16, payload: &[u8], by_client: bool, seen: Seen) {
        self.look_up(port);
        let Some(kind) = self.kind.filter(|_| !self.is_sealed) else { return };
        if matches!(payload, [20..=23, 3, 0..=4, ..]) {
            // Whoever goes on encrypted was not sent away.
            self.is_sealed = true;
            self.forget();
            return;
        }
        if by_client {
            let prompted = std::mem::replace(&mut self.is_prompted, account::is_asked_for(kind, payload));
            // Whoever is in may sign in as somebody else with these alone.
            let may_sign = !self.is_in || matches!(kind, Kind::Ldap | Kind::Redis | Kind::Mysql);
            if may_sign && account::named(kind, payload, prompted).is_some() {
                self.account = Some(seen);
            }
            if !text::leaves(kind, payload) {
                self.declined = None;
            }
            let asked = match kind {
                Kind::Postgres if payload == binary::POSTGRES_ASKS_TLS => Asked::Cipher,
                _ => text::asked(kind, payload, self.asked),
            };
            (self.asked, self.is_open) = (asked, true);
            if kind == Kind::Bgp {
                self.note(binary::bgp(payload), seen);
            }
            return;
        }
        // What is sent without being asked closes something idle, or goes on with an answer.
        if !self.is_open && self.asked != Asked::Nothing && kind != Kind::Bgp {
            return;
        }
        self.is_open = false;
        let said = match kind {
            Kind::Postgres if self.asked == Asked::Cipher && payload == b"N" => no_tls(),
            Kind::Postgres => binary::postgres(payload, self.is_in),
            Kind::KerberosTcp => binary::kerberos_tcp(payload),
            Kind::Rdp => binary::rdp(payload),
            Kind::Mysql => binary::mysql(payload, self.is_in),
            Kind::Mongo => binary::mongo(payload),
            Kind::Ldap => binary::ldap(payload),
            Kind::Smb => binary::smb(payload),
            Kind::Bgp => binary::bgp(payload),
            Kind::Mqtt => binary::mqtt(payload),
            Kind::Amqp => binary::amqp(payload),
            kind => text::answer(kind, payload, self.asked),
        };
        if kind == Kind::Smtp {
            self.asked = text::after(payload, self.asked);
        }
        self.note(said, seen);
    }

    /// Takes what is printed of a segment whose bytes are not.
    pub fn print(&mut self, port: u16, told: &str, by_client: bool, seen: Seen) {
        self.look_up(port);
        let Some(kind) = self.kind else { return };
        if !by_client || kind == Kind::Bgp {
            self.note(printed::segment(kind, told), seen);
        }
    }

    /// Takes what a greeting names, whatever is usual at the port.
    pub fn name(&mut self, kind: Kind) {
        (self.is_looked_up, self.kind) = (true, Some(kind).filter(|kind| is_read(*kind)));
    }

    fn look_up(&mut self, port: u16) {
        if !self.is_looked_up {
            self.is_looked_up = true;
            self.kind = Some(Kind::at(6, port)).filter(|kind| is_read(*kind));
        }
    }

    fn note(&mut self, said: Said, seen: Seen) {
        match said {
            Said::Nothing => {}
            Said::Serves => {
                self.is_in = true;
                self.forget();
                self.granted = self.granted.or(Some(seen));
            }
            Said::Declines(denial) => self.declined = Some((denial, seen)),
            Said::Denies(denial) => self.denied = self.denied.or(Some((denial, seen))),
            Said::Breaks(_) if self.is_broken => {}
            Said::Breaks(denial) => (self.denied, self.is_broken) = (Some((denial, seen)), true),
        }
    }

    /// Forgets a denial that something later makes good.
    fn forget(&mut self) {
        self.denied = self.denied.filter(|_| self.is_broken);
    }

    /// The answer that denied what the client came for. Where the beginning of the connection was not captured, only what
    /// counts anywhere does.
    pub fn denial(&self, kind: Kind, is_whole: bool) -> Option<(Denial, Seen)> {
        let declined = self.declined.filter(|_| self.granted.is_none());
        self.denied.or(declined).filter(|_| (is_whole || self.is_broken) && self.kind == Some(kind))
    }

    /// The segment in which the client named its account.
    pub fn account(&self) -> Option<Seen> {
        self.account
    }

    /// The answer that granted it.
    pub fn granted(&self, kind: Kind) -> Option<Seen> {
        self.granted.filter(|_| self.kind == Some(kind))
    }

    /// Whether the client still waits for the answer that decides, after others that do not.
    pub fn is_undecided(&self) -> bool {
        let known = matches!(self.kind, Some(Kind::Postgres | Kind::Mysql | Kind::Ldap | Kind::Smb));
        known && self.is_open && !self.is_sealed && self.granted.is_none() && self.denied.is_none()
    }
}

/// An SSH server that ended a session before keys were agreed.
pub fn no_keys() -> Denial {
    Denial { code: Code::new(codes::NO_KEYS.as_bytes()), why: Why::Rejects }
}

/// A server that has no encryption to offer.
fn no_tls() -> Said {
    Said::Declines(Denial { code: Code::new(codes::NO_TLS.as_bytes()), why: Why::Forbids })
}

/// Whether answers of a protocol are read.
fn is_read(kind: Kind) -> bool {
    codes::table(kind).is_some()
}

/// What a server says in words in an answer that denies; as captured, not escaped.
pub fn own_words(kind: Kind, payload: &[u8]) -> Option<&[u8]> {
    let line = payload.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    match kind {
        Kind::Postgres => binary::postgres_words(payload),
        Kind::Mysql => binary::mysql_words(payload),
        Kind::Ldap => binary::ldap_words(payload),
        Kind::Amqp => binary::amqp_words(payload),
        Kind::Http
        | Kind::Smtp
        | Kind::Sip
        | Kind::SipTcp
        | Kind::Ftp
        | Kind::Ssh
        | Kind::Redis
        | Kind::Pop3
        | Kind::Rtsp => line,
        Kind::Tftp => payload.get(4..).and_then(|told| told.split(|byte| *byte == 0).next()),
        Kind::Imap => payload.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| text::is_tagged(line)),
        _ => None,
    }
    .filter(|words| !words.is_empty())
}

#[cfg(test)]
mod tests;
