//! The words for what was judged and what was not; every place that says either takes them from here.

use super::open::CLIENTS_MAX;
use super::{Coverage, Judged, OpenItem, OpenKind, Service, Standing};
use crate::attempts::{self, Kind};
use crate::decode::Address;
use crate::findings::rules::counted;
use crate::findings::service_words;
use crate::text::thousands;
use crate::time;

/// Services named in one sentence.
const SERVICES_MAX: usize = 6;
/// So many of one kind are single ones.
const FEW_MAX: u64 = 3;
/// Open things told in one sentence.
const TOLD_MAX: usize = 3;
/// Characters of a title at most (services §7).
const TITLE_MAX: usize = 110;

impl Service {
    /// `DNS`, `TCP port 443`.
    pub fn name(self) -> String {
        match self {
            Self::Dns => "DNS".to_owned(),
            Self::Of(kind, transport, port) => {
                service_words::kind(attempts::Service { host: Address::None, transport, port }, kind)
            }
            Self::Neighbours => "link addresses (ARP, ND)".to_owned(),
        }
    }
}

/// Of this many pings one may stay without reply in health.
const PINGS_TO_ONE_LOST: u64 = 10;

impl Judged {
    /// Whether more pings stayed without reply than single ones.
    fn loses_pings(&self) -> bool {
        let lost = self.attempts.saturating_sub(self.served);
        matches!(self.service, Service::Of(Kind::Echo, ..))
            && lost > 1
            && lost * PINGS_TO_ONE_LOST > self.attempts
    }

    /// `DNS (9 of 10 questions answered)`.
    pub fn words(&self) -> String {
        let (served, attempts) = (thousands(self.served), thousands(self.attempts));
        let accepted = match self.accepted {
            0 => String::new(),
            some => format!(", {} accepted without data seen", thousands(some)),
        };
        let declined = match self.declined {
            0 => String::new(),
            some if self.service == Service::Dns => format!(", {} with an error code", thousands(some)),
            some => format!(", {} refused", thousands(some)),
        };
        let failed = match self.failed.saturating_sub(self.declined) {
            0 => String::new(),
            some => format!(", {} not served", thousands(some)),
        };
        let undecided = match self.undecided {
            // Of pings the numbers say it.
            _ if matches!(self.service, Service::Of(Kind::Echo, ..)) => String::new(),
            0 => String::new(),
            some => format!(", {} not seen to end", thousands(some)),
        };
        format!(
            "{} ({served} of {attempts} answered{accepted}{declined}{failed}{undecided})",
            self.service.name()
        )
    }
}

impl OpenItem {
    /// What was seen, how often, and between whom: `4 TCP connections from 192.0.2.1 to 198.51.100.7 port 443 were refused by
    /// a reset`.
    pub fn what(&self) -> String {
        let count = |one: &str, many: &str| counted(self.count as usize, one, many);
        let (was, has) = if self.count == 1 { ("was", "has") } else { ("were", "have") };
        let between = self.between();
        match self.kind {
            OpenKind::Unread(reason) => {
                format!("{} could not be read ({reason})", count("packet", "packets"))
            }
            OpenKind::Dropped => format!("{} {was} dropped while capturing", count("packet", "packets")),
            OpenKind::Unparsed => format!("{} of the text {was} not read", count("packet", "packets")),
            OpenKind::NotFollowed => {
                let attempts = count("connection attempt or request", "connection attempts and requests");
                format!("{attempts} beyond a limit of the program {was} not followed")
            }
            OpenKind::Undetermined => {
                format!(
                    "of {}{between} it cannot be told how {} ended",
                    count("DNS question", "DNS questions"),
                    if self.count == 1 { "it" } else { "they" }
                )
            }
            OpenKind::Unserved => {
                format!("{}{between} got no usable answer", count("DNS question", "DNS questions"))
            }
            OpenKind::Error(meaning) => {
                format!("{} ({}){}", count("ICMP error", "ICMP errors"), meaning.words(), self.about())
            }
            OpenKind::Further => format!(
                "{}{}",
                count(
                    "late or second DNS answer was refused (port unreachable)",
                    "late or second DNS answers were refused (port unreachable)"
                ),
                self.about()
            ),
            OpenKind::Redirect => format!("{}{}", count("ICMP redirect", "ICMP redirects"), self.about()),
            OpenKind::PathSize => {
                format!("the size a path takes was told {}{}", count("time", "times"), self.about())
            }
            OpenKind::Traced => {
                format!("the goal of a traced path answered {}{}", count("time", "times"), self.about())
            }
            OpenKind::Leased => {
                format!(
                    "{}{}",
                    count("reply of DHCP was refused", "replies of DHCP were refused"),
                    self.about()
                )
            }
            OpenKind::Finished => {
                format!(
                    "{}{}",
                    count(
                        "datagram to the port of a finished transfer was refused",
                        "datagrams to ports of finished transfers were refused"
                    ),
                    self.about()
                )
            }
            OpenKind::Few(kind, outcome) | OpenKind::Single(kind, outcome) => {
                let (one, many) = service_words::unit_of(kind, outcome);
                format!("{}{between} {was} {}", count(one, many), service_words::how(outcome, kind))
            }
            OpenKind::Neighbour => {
                format!(
                    "{}{between} got no reply",
                    count("request for a link address", "requests for a link address")
                )
            }
            OpenKind::Unused => {
                let requests = count("request for a link address", "requests for link addresses");
                format!("{requests}{between} got no reply, and nothing else was heard of those asked for")
            }
            OpenKind::Moved => {
                format!(
                    "{} went from one device (link address) to another and stayed there",
                    self.ends.server
                )
            }
            OpenKind::Encrypted => format!("at least {} {has} encrypted content", count("packet", "packets")),
            OpenKind::Begun => {
                format!("{} {was} open when the capture began", count("TCP connection", "TCP connections"))
            }
            OpenKind::Unprinted => format!(
                "{} {was} printed without flags: how it began and ended cannot be told",
                count("TCP connection", "TCP connections")
            ),
            OpenKind::Unfinished => format!("the capture ends too soon for {}", self.connections()),
            OpenKind::Left => format!("{} {was} ended before an answer", self.connections()),
            OpenKind::Raced => {
                format!("{} {was} given up for one of the other family, which was served", self.connections())
            }
            OpenKind::OneDirection => {
                format!("of {} only one direction was captured", self.connections())
            }
            OpenKind::Notices => format!(
                "{} of protocols that nobody answers (syslog, traps, flow export): whether they arrived cannot be told",
                count("datagram is", "datagrams are")
            ),
            OpenKind::OneWay => format!(
                "{} of protocols that are not known here: whether they arrived cannot be told",
                count("datagram is", "datagrams are")
            ),
            OpenKind::Unshown => format!(
                "{}{between}, whose message is not shown, and no datagram came back",
                count("DNS datagram", "DNS datagrams")
            ),
            OpenKind::Cut => format!("{} {was} captured only in part", count("packet", "packets")),
        }
    }

    /// Why it was not assessed.
    pub fn reason(&self) -> &'static str {
        match self.kind {
            OpenKind::Unread(_) | OpenKind::Unparsed => "what they hold cannot be told",
            OpenKind::Dropped => "what was lost cannot be told",
            OpenKind::NotFollowed => "what became of them was not looked at",
            OpenKind::Undetermined => "the capture does not show how they ended",
            OpenKind::Error(_) => "they belong to no failure that a rule judges",
            OpenKind::Further => "who asked had its answer, or no longer waited",
            OpenKind::Unused => "addresses that nobody uses are asked for in health",
            OpenKind::Moved => "a device that was replaced, or another one that took over, looks like this",
            OpenKind::Redirect => "a router names a better way; traffic goes on",
            OpenKind::PathSize => "routers tell senders so what size passes",
            OpenKind::Traced => "a traceroute ends so",
            OpenKind::Leased => "the client has the address it was given, and listens otherwise",
            OpenKind::Finished => "the transfer was over, and its port closed",
            OpenKind::Single(..) if self.count <= FEW_MAX => {
                "single ones happen in health; the service served others"
            }
            OpenKind::Single(..) => {
                "slips of people, mail that is to come again, and few of many; the service served others"
            }
            OpenKind::Few(..) => "too few to be told as a failure, or of a protocol that is not known",
            OpenKind::Neighbour => "nothing else shows whether the address is in use",
            OpenKind::Encrypted => "encrypted content is not visible",
            OpenKind::Unprinted => "the lines do not say it",
            OpenKind::Begun | OpenKind::Unfinished => "only a part of them is in the capture",
            OpenKind::OneDirection => "the other direction is not in the capture",
            OpenKind::Left => "a client may leave at any time",
            OpenKind::Raced => "clients try both families and keep the first that answers (RFC 8305)",
            OpenKind::Notices => "they need no answer",
            OpenKind::OneWay => "it is not known whether they need an answer",
            OpenKind::Unshown => "without the message it cannot be told what became of each",
            OpenKind::Cut => "the rest of them is not in the capture",
            OpenKind::Unserved => "no failure that is told holds them",
        }
    }

    /// ` from 192.0.2.1 to 198.51.100.7 port 443`
    fn between(&self) -> String {
        let from = match (self.ends.client, self.clients) {
            (Address::None, 0 | 1) => String::new(),
            (Address::None, many) if many >= CLIENTS_MAX as u64 => {
                format!(" from {} or more clients", thousands(many))
            }
            (Address::None, many) => format!(" from {} clients", thousands(many)),
            (client, _) => format!(" from {client}"),
        };
        let to = match self.kind {
            _ if self.ends.server == Address::None => String::new(),
            OpenKind::Neighbour => format!(" for {}", self.ends.server),
            _ if self.ends.port == 0 => format!(" to {}", self.ends.server),
            _ => format!(" to {} port {}", self.ends.server, self.ends.port),
        };
        if self.kind == OpenKind::Neighbour { format!("{to}{from}") } else { format!("{from}{to}") }
    }

    fn connections(&self) -> String {
        format!("{}{}", counted(self.count as usize, "TCP connection", "TCP connections"), self.between())
    }

    /// ` from 192.0.2.254 about packets from 192.0.2.1 to 198.51.100.7 UDP port 443`
    fn about(&self) -> String {
        let transport = match self.ends.transport {
            6 => " TCP",
            17 => " UDP",
            47 => " GRE",
            50 => " ESP",
            51 => " AH",
            89 => " OSPF",
            132 => " SCTP",
            _ => "",
        };
        let sender = match self.ends.sender {
            Address::None => String::new(),
            sender => format!(" from {sender}"),
        };
        let between = self.between();
        // Protocols without ports are named with the packets.
        let between = match self.ends.port {
            0 if !between.is_empty() => return format!("{sender} about{transport} packets{between}"),
            _ => between.replace(" port ", &format!("{transport} port ")),
        };
        if between.is_empty() { sender } else { format!("{sender} about packets{between}") }
    }

    /// When: `13:24:32 – 13:28:50`, or one time.
    pub fn when(&self, basis: time::Basis) -> String {
        let (first, last) = (basis.clock(self.first_ns), basis.clock(self.last_ns));
        match self.frames.is_empty() {
            true => String::new(),
            false if first == last => first,
            false => format!("{first} – {last}"),
        }
    }
}

/// What is said where there is nothing to judge.
const NOTHING_JUDGED: &str = "No exchange in it is of a kind that is followed, so nothing was judged";

impl Coverage {
    /// Services without anything open.
    fn unfailing(&self) -> impl Iterator<Item = &Judged> {
        self.judged.iter().filter(move |judged| {
            !judged.is_open
                && !judged.loses_pings()
                && judged.served + judged.accepted > 0
                && (judged.served + judged.accepted + judged.declined + judged.undecided == judged.attempts
                    || judged.service == Service::Dns)
        })
    }

    /// What narrows a "none" where packets of the text were not read.
    fn of_what_was_read(&self) -> &'static str {
        let is_unparsed = self.not_assessed.iter().any(|item| item.kind == OpenKind::Unparsed);
        if is_unparsed { "in what was read " } else { "" }
    }

    /// `No failure among DNS (2 of 2 answered), web (TCP port 80) (4 of 4 answered)`; `None` where nothing was served.
    pub fn verdict(&self) -> Option<String> {
        let named: Vec<String> = self.unfailing().map(Judged::words).collect();
        let read = self.of_what_was_read();
        (!named.is_empty()).then(|| format!("No failure {read}among {}", listed(&named, SERVICES_MAX)))
    }

    /// `Served, but not each time: web (TCP port 80) (23 of 24 answered, 1 not served)`: what was tried again at once and then served, or
    /// is ordinary; `None` where nothing is.
    pub fn partly_words(&self) -> Option<String> {
        let partly = self.judged.iter().filter(|judged| {
            let counts = matches!(judged.service, Service::Of(kind, ..) if kind != Kind::Echo);
            !judged.is_open
                && judged.served > 0
                && (counts && judged.failed > judged.declined || judged.loses_pings())
        });
        let named: Vec<String> = partly.map(Judged::words).collect();
        (!named.is_empty()).then(|| format!("Served, but not each time: {}", listed(&named, SERVICES_MAX)))
    }

    /// Packets that could not be read, first of all: `0 of 3 packets could be read (…): whether it holds DNS cannot be told`.
    pub fn unread_words(&self) -> Option<String> {
        let mut reasons: Vec<&str> = Vec::new();
        for item in &self.not_assessed {
            if let OpenKind::Unread(reason) = item.kind
                && reasons.len() < TOLD_MAX
            {
                reasons.push(reason);
            }
        }
        let read = self.packets.saturating_sub(self.unread);
        let dns =
            if self.judged.iter().any(|judged| judged.service == Service::Dns) { "more DNS" } else { "DNS" };
        (self.unread > 0).then(|| {
            format!(
                "{} of {} could be read ({}): whether the rest holds {dns} cannot be told",
                thousands(read),
                counted(self.packets as usize, "packet", "packets"),
                reasons.join("; ")
            )
        })
    }

    /// `Seen, not assessed: …`, what may be a failure; `None` where nothing is.
    pub fn seen_words(&self) -> Option<String> {
        let open: Vec<String> = self
            .open()
            .filter(|item| !matches!(item.kind, OpenKind::Unread(_)))
            .map(OpenItem::what)
            .collect();
        (!open.is_empty()).then(|| format!("Seen, not assessed: {}", listed_apart(&open)))
    }

    /// `Not visible: …`; `None` where everything was.
    pub fn unseen_words(&self) -> Option<String> {
        let unseen: Vec<String> = self.of(Standing::NotVisible).map(OpenItem::what).collect();
        (!unseen.is_empty()).then(|| format!("Not visible: {}", listed_apart(&unseen)))
    }

    /// What is ordinary and worth a remark.
    pub fn ordinary_words(&self) -> Option<String> {
        let ordinary: Vec<String> = self.of(Standing::Ordinary).map(OpenItem::what).collect();
        (!ordinary.is_empty()).then(|| format!("Ordinary: {}", listed_apart(&ordinary)))
    }

    /// All of it in order: what could not be read, what is open, what did not fail.
    pub fn sentences(&self) -> Vec<String> {
        let unread = self.unread_words().map(|unread| format!("{}.", upper(&unread)));
        unread.into_iter().chain(self.judgement()).collect()
    }

    /// What is open, what did not fail, and what is not visible.
    pub fn judgement(&self) -> Vec<String> {
        let verdict = self.verdict().or_else(|| {
            let nothing = self.judged.is_empty() && self.packets > 0;
            nothing.then(|| NOTHING_JUDGED.to_owned())
        });
        let all =
            [self.seen_words(), verdict, self.partly_words(), self.ordinary_words(), self.unseen_words()];
        all.into_iter().flatten().map(|sentence| format!("{}.", upper(&sentence))).collect()
    }

    /// The same in the few words of a title: what is open comes before what did not fail.
    pub fn title(&self) -> String {
        let names: Vec<String> = self.unfailing().map(|judged| judged.service.name()).collect();
        let read = self.of_what_was_read();
        let no_failure = format!("No failure {read}among {}", listed(&names, SERVICES_MAX));
        if self.is_clear() && !names.is_empty() {
            return clipped(&no_failure);
        }
        let mut open = self.open();
        let first = open.next().map(OpenItem::what);
        let more = open.count();
        let told = match (self.unread_words(), first) {
            (Some(unread), _) => unread,
            (None, Some(first)) if more > 0 => format!("Seen, not assessed: {first}, and {more} more"),
            (None, Some(first)) => format!("Seen, not assessed: {first}"),
            (None, None) => self.partly_words().unwrap_or_else(|| NOTHING_JUDGED.to_owned()),
        };
        let both = format!("{told}; no failure {read}among {}", listed(&names, SERVICES_MAX));
        if names.is_empty() || both.chars().count() > TITLE_MAX { clipped(&told) } else { both }
    }

    /// What the rules had to look at, for the list of checks.
    pub fn checked(&self) -> Vec<String> {
        self.judged.iter().take(SERVICES_MAX).map(Judged::words).collect()
    }
}

fn upper(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn clipped(text: &str) -> String {
    if text.chars().count() <= TITLE_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(TITLE_MAX - 1).collect();
    let whole = kept.rsplit_once(' ').map_or(kept.as_str(), |(whole, _)| whole);
    format!("{}…", whole.trim_end_matches([',', ';', ':', '(']))
}

fn listed(items: &[String], most: usize) -> String {
    let shown = items.get(..items.len().min(most)).unwrap_or_default();
    match items.len() - shown.len() {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}

fn listed_apart(items: &[String]) -> String {
    let shown = items.get(..items.len().min(TOLD_MAX)).unwrap_or_default();
    match items.len() - shown.len() {
        0 => shown.join("; "),
        1 => format!("{}; and one more listed below", shown.join("; ")),
        rest => format!("{}; and {rest} more listed below", shown.join("; ")),
    }
}
