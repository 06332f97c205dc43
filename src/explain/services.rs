//! Messages of services in words, and what became of the attempt a packet belongs to (services §1).

use super::Subject;
use crate::attempts::exchange::{self, Pdu};
use crate::attempts::{Attempts, Kind, Outcome, Places, printed};
use crate::findings::service_words;
use crate::protocols::{dhcp, http, tls};
use crate::text::escape_bytes;
use crate::time;

/// Bytes of a captured line that are shown.
const LINE_MAX: usize = 80;
/// What asks a server for something and gets an answer of its own.
const NO_ANSWER_YET: &str = "One request proves nothing; whether an answer came is told by what follows.";
const NO_ERROR: &str = "Nothing here is an error.";

/// What the packets of a protocol are, what one of them means, and the usual misreading.
struct Words {
    /// Its name in the PROTOCOLS table.
    protocol: &'static str,
    what: &'static str,
    so_what: &'static str,
    not_so: &'static str,
}

const fn words(
    protocol: &'static str,
    what: &'static str,
    so_what: &'static str,
    not_so: &'static str,
) -> Words {
    Words { protocol, what, so_what, not_so }
}

/// The table: every protocol that a packet can be shown as, but those with a file of their own here.
const TABLE: [Words; 39] = [
    words(
        "udp",
        "a UDP datagram",
        "Its ports name no service that is known here.",
        "UDP itself reports nothing: silence after it says little.",
    ),
    words("tls", "data of a TLS connection", "What it carries is encrypted.", NO_ERROR),
    words("http", "data of an HTTP connection", "Part of a request or of a response.", NO_ERROR),
    words("dhcp", "a DHCP message", "Option 6 of an acknowledgement names the DNS servers.", NO_ANSWER_YET),
    words(
        "dhcpv6",
        "a DHCPv6 message",
        "Clients of IPv6 get addresses and name servers by it.",
        NO_ANSWER_YET,
    ),
    words("ntp", "a message of the time service", "Clocks are set by it.", "One lost poll is ordinary."),
    words(
        "quic",
        "QUIC, encrypted web traffic",
        "Name resolution for it had worked before.",
        "Without an answer the site is not down: browsers go on over TCP.",
    ),
    words(
        "dot",
        "DNS over TLS, as its port tells",
        "It may carry name resolution, which cannot be seen: it is encrypted.",
        NO_ERROR,
    ),
    words(
        "doq",
        "DNS over QUIC, as its port tells",
        "It may carry name resolution, which cannot be seen: it is encrypted.",
        "UDP itself reports nothing: silence after it says little.",
    ),
    words(
        "mdns",
        "a multicast DNS message",
        "It asks or tells the neighbours; no server is involved.",
        "Nobody owes an answer: silence is no failure.",
    ),
    words(
        "llmnr",
        "a question to its neighbours",
        "Windows does so after DNS failed; anyone near can answer.",
        "Nobody owes an answer: silence is no failure.",
    ),
    words(
        "nbns",
        "a question to its neighbours",
        "Windows does so after DNS failed; anyone near can answer.",
        "Nobody owes an answer: silence is no failure.",
    ),
    words("netbios", "a message of Windows' old file sharing", "Local housekeeping.", NO_ERROR),
    words(
        "ssdp",
        "a search for devices, or a device's word that it is there",
        "Asked of all on the link.",
        "Nobody owes an answer: silence is no failure.",
    ),
    words(
        "snmp",
        "a message of network management",
        "A manager asks a device for its numbers, or is told them.",
        "Silence does not say that the device is down: who asks with a wrong community or user is not answered by design.",
    ),
    words("ssh", "data of an SSH session", "After the greetings it is encrypted.", NO_ERROR),
    words("smtp", "data of a mail transfer", "Commands, replies with codes, or the mail itself.", NO_ERROR),
    words("ftp", "a command or reply of FTP", "Files go over another connection.", NO_ERROR),
    words("telnet", "data of a Telnet session", "Everything is readable, passwords too.", NO_ERROR),
    words("pop", "data of a mailbox session (POP3)", "Commands, replies, or mail.", NO_ERROR),
    words("imap", "data of a mailbox session (IMAP)", "Commands, replies, or mail.", NO_ERROR),
    words(
        "ldap",
        "a question to a directory or its answer",
        "Sign-in and address books use it.",
        "“Invalid credentials” and “no such object” are answers, not failures of the server.",
    ),
    words(
        "kerberos",
        "a message of the sign-in service (Kerberos)",
        "Tickets for other services are given out by it.",
        NO_ERROR,
    ),
    words(
        "smb",
        "data of a file-sharing session (SMB)",
        "Requests and answers are told apart by numbers inside.",
        "“Access denied” and a wrong password are answers; change notices may stay open for hours.",
    ),
    words("sip", "a message of telephony (SIP)", "Calls and registrations are made by it.", NO_ANSWER_YET),
    words(
        "syslog",
        "a line for a log server",
        "It is sent one way.",
        "Nobody answers syslog over UDP: silence is the ordinary case.",
    ),
    words(
        "tftp",
        "a message of a simple file transfer (TFTP)",
        "Devices fetch their software by it.",
        NO_ANSWER_YET,
    ),
    words(
        "radius",
        "a question who may sign in, or its answer",
        "Wi-Fi, VPN and switches ask so.",
        "Silence does not say that the server is down: who asks with a wrong secret is not answered by design.",
    ),
    words("rdp", "data of a remote desktop", "After the first messages it is encrypted.", NO_ERROR),
    words("bgp", "a message between routers (BGP)", "Routers tell each other ways by it.", NO_ERROR),
    words(
        "igmp",
        "a message about multicast groups",
        "Hosts join and leave groups by it.",
        "Silence after it is no failure.",
    ),
    words("ospf", "a message between routers (OSPF)", "Routers tell each other ways by it.", NO_ERROR),
    words("esp", "encrypted IP (IPsec)", "What it carries cannot be seen.", NO_ERROR),
    words("sctp", "a message of SCTP", "Telephone networks use it.", NO_ERROR),
    words("gre", "a packet of a tunnel (GRE)", "It carries another packet.", NO_ERROR),
    words(
        "lldp",
        "a device's word who it is (LLDP)",
        "Switches tell their neighbours so.",
        "It asks nothing.",
    ),
    words("eapol", "a message of port-based sign-in", "The port opens after it succeeds.", NO_ERROR),
    words(
        "fragment",
        "a piece of a split packet",
        "What it carries stands in other fragments: whether it is part of name resolution cannot be told from this one.",
        NO_ERROR,
    ),
    words("data", "a packet that is not read further", "Not part of name resolution.", NO_ERROR),
];

/// One part of tcpdump's line, in words, with where it is defined.
pub(super) type Part = (String, String, &'static str);

/// A message in words.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What tcpdump prints of it behind the addresses, or behind the length of a segment.
    pub parts: Vec<Part>,
    /// What was sent, behind `A sent B`.
    pub what: String,
    pub so_what: String,
    pub not_so: String,
}

/// Reads a packet's message.
pub(super) fn read(subject: &Subject<'_>) -> Told {
    let packet = &subject.packet;
    let protocol = packet.protocol().protocol().name;
    let row = TABLE.iter().find(|row| row.protocol == protocol);
    let mut told = row.map_or_else(Told::default, |row| Told {
        parts: Vec::new(),
        what: row.what.to_owned(),
        so_what: row.so_what.to_owned(),
        not_so: row.not_so.to_owned(),
    });
    let payload = printed::payload(packet);
    match protocol {
        "ntp" => ntp(payload, &mut told),
        "snmp" => snmp(payload, &mut told),
        "sip" => sip(payload, &mut told),
        "radius" => radius(payload, &mut told),
        "tftp" => tftp(payload, &mut told),
        "dhcp" => lease(dhcp::message_type(payload).map(|(kind, _)| kind), payload, &mut told),
        "dhcpv6" => lease_v6(payload, &mut told),
        "tls" => records(payload, &mut told),
        _ if http::is_request(payload) || payload.starts_with(b"HTTP/1.") => web(payload, &mut told),
        _ if tls::is_client_hello(payload) => records(payload, &mut told),
        "ssh" | "smtp" | "ftp" | "pop" | "imap" => line_of(protocol, payload, &mut told),
        _ => {}
    }
    told
}

fn first_line(payload: &[u8]) -> String {
    let line = payload.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    escape_bytes(line.get(..LINE_MAX.min(line.len())).unwrap_or_default())
}

fn ntp(payload: &[u8], told: &mut Told) {
    let Some([first, stratum]) = payload.first_chunk::<2>() else { return };
    let (version, mode) = (first >> 3 & 7, first & 7);
    let code = payload.get(12..16).unwrap_or_default();
    let role = match mode {
        3 => "Client",
        4 => "Server",
        5 => "Broadcast",
        _ => "Other mode",
    };
    told.parts.push((
        format!("NTPv{version},"),
        format!("the time protocol, version {version}"),
        "RFC 5905 §7.3",
    ));
    told.parts.push((format!("{role},"), format!("mode {mode}: who speaks"), "RFC 5905 §7.3"));
    (told.what, told.so_what) = match (mode, *stratum, first >> 6) {
        (3, ..) => (
            "a question for the time".to_owned(),
            "The answer must repeat the time at which this was sent.".to_owned(),
        ),
        (4, 0, _) if code.iter().all(u8::is_ascii_uppercase) => (
            format!("an answer without time: go away ({})", escape_bytes(code)),
            "The server works and refuses this client, or wants it to ask less often.".to_owned(),
        ),
        (4, 16.., _) | (4, _, 3) => (
            "an answer without time: it has none itself".to_owned(),
            "The server is reached, but its own clock is not set.".to_owned(),
        ),
        (4, stratum, _) => (
            format!("the time (stratum {stratum}: steps from a reference clock)"),
            "The time service works for this client.".to_owned(),
        ),
        _ => (
            format!("a message of the time service (mode {mode})"),
            "No request: nobody owes an answer.".to_owned(),
        ),
    };
    told.not_so = String::from(
        "A clock that is not set fails nothing at once: TLS and sign-in fail after minutes to days.",
    );
}

fn snmp(payload: &[u8], told: &mut Told) {
    let Some(Pdu { tag, id, .. }) = exchange::pdu(payload) else { return };
    let (name, what) = match tag {
        Some(0xa0) => ("GetRequest", "asks for values"),
        Some(0xa1) => ("GetNextRequest", "asks for the next values"),
        Some(0xa2) => ("GetResponse", "answers"),
        Some(0xa3) => ("SetRequest", "sets values"),
        Some(0xa4 | 0xa7) => ("Trap", "tells of an event; nobody answers it"),
        Some(0xa5) => ("GetBulk", "asks for many values"),
        Some(0xa6) => ("InformRequest", "tells of an event and wants it confirmed"),
        Some(0xa8) => ("Report", "tells what is wrong with the request; it is an answer"),
        _ => ("SNMPv3", "a message of version 3, what it says may be encrypted"),
    };
    told.parts.push((name.to_owned(), what.to_owned(), "RFC 3416 §3"));
    told.parts.push((
        format!("R={id}"),
        "the request's number; the answer must repeat it".to_owned(),
        "RFC 3416 §4.1",
    ));
    told.what = format!("an SNMP {name} with request number {id}");
}

fn sip(payload: &[u8], told: &mut Told) {
    let line = first_line(payload);
    let status = payload.strip_prefix(b"SIP/2.0 ").and_then(crate::attempts::http::code);
    told.parts.push((format!("SIP: {line}"), "the first line of the message".to_owned(), "RFC 3261 §7"));
    (told.what, told.not_so) = match status {
        Some(status @ 100..200) => (
            format!("word that it is alive and works on the request ({status})"),
            "This is not the answer yet.".to_owned(),
        ),
        Some(status @ (401 | 407)) => (
            format!("a challenge ({status}): who are you?"),
            "A challenge is the ordinary first answer, not a refusal.".to_owned(),
        ),
        Some(status @ (486 | 487 | 603)) => (
            format!("the answer of a person ({status})"),
            "Busy and declined are people's words: the service works.".to_owned(),
        ),
        Some(status @ (408 | 500..600)) => {
            (format!("an answer that it failed ({status})"), "The network did its part.".to_owned())
        }
        Some(status) => (format!("an answer ({status})"), NO_ERROR.to_owned()),
        None => (format!("a request of telephony ({line})"), NO_ANSWER_YET.to_owned()),
    };
}

fn radius(payload: &[u8], told: &mut Told) {
    let Some([code, id]) = payload.first_chunk::<2>() else { return };
    let (name, what) = match code {
        1 => ("Access-Request", "a question whether somebody may sign in"),
        2 => ("Access-Accept", "yes: may sign in"),
        3 => ("Access-Reject", "no: may not sign in"),
        4 => ("Accounting-Request", "a record of use"),
        5 => ("Accounting-Response", "word that the record of use was taken"),
        11 => ("Access-Challenge", "a question back: prove it further"),
        12 => ("Status-Server", "a question whether it is alive"),
        _ => ("RADIUS", "a message of RADIUS"),
    };
    told.parts.push((format!("RADIUS, {name} ({code}),"), what.to_owned(), "RFC 2865 §3"));
    told.parts.push((
        format!("id: {id:#04x}"),
        "the request's number; the answer must repeat it".to_owned(),
        "RFC 2865 §3",
    ));
    told.what = format!("{what} ({name})");
    if *code == 3 {
        told.not_so = String::from("A rejection is an answer: the server works and decided so.");
    }
}

fn tftp(payload: &[u8], told: &mut Told) {
    let Some([0, operation]) = payload.first_chunk::<2>() else { return };
    let number =
        payload.get(2..4).map_or(0, |two| two.iter().fold(0u16, |all, byte| all << 8 | u16::from(*byte)));
    let name = payload.get(2..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
    let name = escape_bytes(name.get(..LINE_MAX.min(name.len())).unwrap_or_default());
    let (word, what) = match operation {
        1 => (format!("RRQ \"{name}\""), format!("a request to read the file {name}")),
        2 => (format!("WRQ \"{name}\""), format!("a request to write the file {name}")),
        3 => (format!("DATA block {number}"), format!("block {number} of a file")),
        4 => (format!("ACK block {number}"), format!("word that block {number} came")),
        5 => (format!("ERROR {number}"), format!("an error ({number})")),
        6 => ("OACK".to_owned(), "word which options it accepts".to_owned()),
        _ => return,
    };
    told.parts.push((format!("TFTP, {word}"), what.clone(), "RFC 1350 §5"));
    told.what = what;
    if *operation == 5 {
        told.not_so = String::from(
            "An error is an answer: the server is reached. 1 says only that there is no such file.",
        );
    } else if matches!(operation, 1 | 2) {
        told.so_what = String::from("The answer comes from another port of the server.");
    }
}

fn lease(kind: Option<u8>, payload: &[u8], told: &mut Told) {
    let (from, yours) = (payload.get(28..34), dhcp::four(payload, 16).unwrap_or_default());
    let hardware = from.and_then(|six| six.first_chunk::<6>()).map(|six| crate::decode::Address::Ether(*six));
    let direction = if payload.first() == Some(&1) { "Request" } else { "Reply" };
    let from =
        hardware.filter(|_| direction == "Request").map_or_else(String::new, |from| format!(" from {from}"));
    let part = format!("BOOTP/DHCP, {direction}{from}");
    told.parts.push((
        part,
        "the client's hardware address names it, it may have no other yet".to_owned(),
        "RFC 2131 §2",
    ));
    let (what, so_what, not_so) = match kind {
        Some(1) => {
            ("the question: who gives me an address? (DISCOVER)", "Asked of all on the link.", NO_ANSWER_YET)
        }
        Some(2) => (
            "the offer of an address (OFFER)",
            "A DHCP server is reached and has addresses.",
            "The address is not given yet.",
        ),
        Some(3) => (
            "the request for an address (REQUEST)",
            "It takes one offer, or asks to keep what it has.",
            NO_ANSWER_YET,
        ),
        Some(4) => (
            "word that the address is in use (DECLINE)",
            "Two hosts have the same address.",
            "The server did not refuse anything.",
        ),
        Some(5) => ("an address (ACK)", "The client may use it; option 6 names its DNS servers.", NO_ERROR),
        Some(6) => (
            "a refusal of the address asked for (NAK)",
            "The address fits another network, or the lease is gone; the client asks anew.",
            "Once after moving to another network it is ordinary.",
        ),
        Some(7) => ("an address back (RELEASE)", "Nobody answers it.", NO_ERROR),
        Some(8) => {
            ("the question for settings without an address (INFORM)", "It has an address.", NO_ANSWER_YET)
        }
        _ => return,
    };
    let given = if matches!(kind, Some(2 | 5)) { format!(": {yours}") } else { String::new() };
    (told.what, told.so_what, told.not_so) =
        (format!("{what}{given}"), so_what.to_owned(), not_so.to_owned());
}

fn lease_v6(payload: &[u8], told: &mut Told) {
    let (name, what) = match payload.first() {
        Some(1) => ("solicit", "the question: who gives me an address?"),
        Some(2) => ("advertise", "the offer of an address"),
        Some(3) => ("request", "the request for an address"),
        Some(5) => ("renew", "the wish to keep an address"),
        Some(6) => ("rebind", "the wish to keep an address, asked of all"),
        Some(7) => ("reply", "the answer"),
        Some(9) => ("decline", "word that the address is in use"),
        Some(11) => ("inf-req", "the question for settings without an address"),
        _ => return,
    };
    told.parts.push((format!("dhcp6 {name}"), what.to_owned(), "RFC 8415 §7.3"));
    told.what = format!("{what} (DHCPv6 {name})");
}

fn web(payload: &[u8], told: &mut Told) {
    let line = first_line(payload);
    told.parts.push((format!("HTTP: {line}"), "the first line of the message".to_owned(), "RFC 9112 §2.1"));
    let host = http::header(payload, b"host:")
        .map(|(_, host)| escape_bytes(host.get(..LINE_MAX.min(host.len())).unwrap_or_default()));
    let Some(status) = crate::attempts::http::status(payload) else {
        let host = host.map_or_else(String::new, |host| format!(" of the site {host}"));
        told.what = format!("a request{host} ({line})");
        told.so_what = String::from("DNS and the connection had worked before it.");
        told.not_so = String::from(NO_ANSWER_YET);
        return;
    };
    told.what = format!("an answer with status {status}");
    (told.so_what, told.not_so) = match status {
        100..200 => ("Not the answer yet.".to_owned(), NO_ERROR.to_owned()),
        300..400 => (
            "The client is sent elsewhere.".to_owned(),
            "A redirection is an answer, not a failure.".to_owned(),
        ),
        401 | 404 | 405 => (
            "The server answered about this request alone.".to_owned(),
            "It is an answer: the service works.".to_owned(),
        ),
        407 | 511 => (
            "A proxy or a portal wants to be asked first.".to_owned(),
            "It is not the site's own word.".to_owned(),
        ),
        400..500 => {
            ("The server would not do what was asked.".to_owned(), "The network did its part.".to_owned())
        }
        502 | 504 => (
            "A proxy answered; the server behind it did not, or not in time.".to_owned(),
            "The network to this server did its part.".to_owned(),
        ),
        500.. => (
            "The server could not do what was asked.".to_owned(),
            "The network did its part; why the server fails stands in its own log.".to_owned(),
        ),
        _ => ("The service works.".to_owned(), NO_ERROR.to_owned()),
    };
}

fn records(payload: &[u8], told: &mut Told) {
    if let Some(hello) = tls::client_hello(payload) {
        let name = hello.server_name(payload).map(|name| crate::text::escape(&name));
        let name = name.map_or_else(String::new, |name| format!(" for the site {name}"));
        let version = tls::version_name(hello.version).unwrap_or("an unknown version");
        told.what = format!("a TLS ClientHello{name}, offering at most {version}");
        told.so_what =
            String::from("It tells the server which site it wants: DNS and the connection had worked.");
        told.not_so = String::from(NO_ANSWER_YET);
        return;
    }
    match payload {
        [21, 3, _, _, 2, level, number, ..] => {
            let words = tls::alert_name(*number).replace('_', " ");
            told.what = format!("the TLS alert {words} ({number})");
            (told.so_what, told.not_so) = match (number, level) {
                (0, _) => ("One side closes in the usual way.".to_owned(), "A close is not an error.".to_owned()),
                (42..=46 | 48, _) => (
                    "Its sender did not accept the other side's certificate.".to_owned(),
                    "It does not say who is wrong: an incomplete chain, a missing authority and somebody in between look alike.".to_owned(),
                ),
                (70, _) => (
                    "The versions of TLS do not meet.".to_owned(),
                    "Which versions its sender would take is not in the capture.".to_owned(),
                ),
                (112, 1) => ("The server does not know the name, and goes on.".to_owned(), "As a warning it is harmless.".to_owned()),
                _ => (
                    "Its sender ends the handshake or the connection.".to_owned(),
                    "TCP and DNS work: this is about TLS alone.".to_owned(),
                ),
            };
        }
        [22, 3, _, _, _, 2, ..] => {
            told.what = String::from("a TLS ServerHello");
            told.so_what =
                String::from("The server answers this hello; what follows in TLS 1.3 is encrypted.");
            told.not_so = String::from("It does not say that the certificate was accepted.");
        }
        [22, ..] => told.what = String::from("a message of a TLS handshake"),
        [21, ..] => told.what = String::from("an encrypted TLS alert"),
        [20, ..] => told.what = String::from("the TLS mark that encryption begins (ChangeCipherSpec)"),
        _ => {}
    }
}

fn line_of(protocol: &str, payload: &[u8], told: &mut Told) {
    let line = first_line(payload);
    let is_text =
        payload.iter().take(LINE_MAX).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    if line.is_empty() || !is_text {
        return;
    }
    let label = protocol.to_ascii_uppercase();
    told.parts.push((format!("{label}: {line}"), "the first line that is sent".to_owned(), ""));
    told.what = format!("{} ({line})", told.what);
    match crate::attempts::http::code(payload) {
        Some(220) => told.so_what = String::from("The server greets: it is there and works."),
        Some(400..500) => {
            told.so_what = String::from("The server cannot do it now; who sends mail tries again later.");
        }
        Some(500..600) => told.so_what = String::from("The server will not do it."),
        _ => {}
    }
}

/// How the attempt of a packet ended, in a sentence, and what must not be concluded from it; `None` for packets of none.
pub(super) fn outcome(subject: &Subject<'_>) -> Option<(String, &'static str)> {
    let attempts = Attempts::of(subject.evidence);
    let at = Places::attempt(subject.packet.id, subject.evidence)?;
    let own = attempts.all.get(at as usize)?;
    let what = service_words::kind(own.service, own.kind);
    let host = own.service.host;
    let tries = match own.tries {
        0 | 1 => String::new(),
        tries => format!(", {tries} tries"),
    };
    let waited =
        if own.waited_ns() > 0 { format!(" after {}", time::span(own.waited_ns())) } else { String::new() };
    let how = match own.outcome {
        Outcome::Answered => "answered".to_owned(),
        Outcome::Accepted => "accepted, and nothing was asked".to_owned(),
        Outcome::OneDirection => "not told: only one direction is in the capture".to_owned(),
        Outcome::Undetermined => "not told: the capture does not show the end".to_owned(),
        outcome => service_words::how(outcome, own.kind),
    };
    let sentence = format!("Its attempt at {what} of {host}{tries}: {how}{waited}.");
    Some((sentence, not_so(own.outcome, own.kind)))
}

/// What must not be concluded from how an attempt ended (services §1.3 to §1.9).
fn not_so(outcome: Outcome, kind: Kind) -> &'static str {
    match (outcome, kind) {
        (Outcome::Answered, _) => "",
        (Outcome::Accepted, _) => {
            "That a connection is accepted does not say that the application works: systems accept for a hung program, and devices in front for a dead server."
        }
        (Outcome::RefusedByReset, _) => {
            "A reset does not say that nothing listens: a filter sends the same reset."
        }
        (Outcome::RefusedByIcmp(..), _) => {
            "An ICMP error is the word of whoever sent it; whether a program or a filter refuses, it does not say."
        }
        (Outcome::Undelivered(_), _) => {
            "The server is there and accepted; what it sends does not get to the client, or the client did not ask."
        }
        (Outcome::NoReply, Kind::Snmp) => {
            "Silence does not say that the device is down: agent off, wrong community and a filter look alike."
        }
        (Outcome::NoReply, Kind::Radius) => {
            "Silence does not say that the server is down: a wrong secret or an unknown client is not answered by design."
        }
        (Outcome::NoReply, Kind::Quic | Kind::Doq) => {
            "Silence over QUIC does not say that the site is down: look for TCP."
        }
        (Outcome::NoReply, Kind::Echo) => {
            "Unanswered pings do not say that the host is down: many hosts and filters ignore them."
        }
        (Outcome::NoReply, _) => {
            "Silence does not say that a firewall dropped it: a dead server, a broken path and a lost answer look alike."
        }
        (Outcome::Misaddressed, _) => {
            "The server is not silent: who asks discards what comes from an address it did not ask."
        }
        (Outcome::Mute, _) => {
            "The network carried and acknowledged it; whether the program hangs, waits for another, or its answer was lost, is not in the capture."
        }
        (Outcome::Closed | Outcome::Reset, _) => {
            "Why it was ended is not in the capture; the way there works."
        }
        (Outcome::ResetByDevice, _) => "It does not say that the server reset it, nor which device did.",
        (Outcome::ResetMidway, _) => {
            "A reset behind a complete answer would be ordinary; this one came before."
        }
        (Outcome::Alert { number: 70, .. }, _) => {
            "Which versions the other side would take is not in the capture."
        }
        (Outcome::Alert { .. }, _) => "TCP and DNS work: the failure is about TLS alone.",
        (Outcome::Left { .. }, _) => {
            "Why it left is not readable: a certificate not accepted, a person who cancelled and a check of the port look alike."
        }
        (Outcome::Denied(_), _) => {
            "The network did its part: the service answered and refused; whose mistake it is, the capture does not tell."
        }
        (Outcome::WrongTime { .. }, _) => {
            "One clock against another shows that one is wrong; which, only more clocks tell."
        }
        (Outcome::Fails(_), _) => "The network did its part: the service itself said that it cannot.",
        (Outcome::Kiss(_) | Outcome::NoTime, _) => {
            "The server is reached; clocks go wrong only after minutes to days."
        }
        (Outcome::Stalled { .. }, _) => {
            "Nothing was lost on the way: the receiver itself took nothing, and what is sent to probe it is no repeat."
        }
        (Outcome::Silenced { .. }, _) => {
            "It does not say where: the other host, the path and a firewall that forgot the connection look alike."
        }
        (Outcome::Displaced, _) => {
            "The server did its part: whether both clients have one name by mistake, or one was moved or copied, the capture does not tell."
        }
        (Outcome::LargeLost { .. }, _) => "The server is not down: small packets pass.",
        (Outcome::NoOffer, _) => {
            "It does not say that the server is down: a wrong VLAN, a missing relay, a filter of the switch and a full pool look alike."
        }
        (Outcome::Nak, _) => "Once after moving to another network it is ordinary.",
        (Outcome::Unconfirmed, _) => {
            "That a server offered does not say that it confirms: the request may have been lost."
        }
        (Outcome::Declined, _) => "The server did not refuse anything: another host has the address.",
        (Outcome::NoAddress, _) => "The server works; it has no address to give.",
        (Outcome::OneDirection, _) => "Neither answered nor unanswered may be concluded.",
        (Outcome::Undetermined, _) => "What is not seen to end may have gone well.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempts::outcome::each;
    use crate::protocols::PROTOCOLS;

    #[test]
    fn every_protocol_of_a_packet_has_words() {
        let elsewhere = ["dns", "icmp", "icmpv6", "arp", "tcp", "frame", "eth", "ip", "ipv6", "sll"];
        for protocol in PROTOCOLS {
            let rows = TABLE.iter().filter(|row| row.protocol == protocol.name).count();
            let expected = usize::from(!elsewhere.contains(&protocol.name));
            assert_eq!(rows, expected, "{}", protocol.name);
        }
    }

    #[test]
    fn every_outcome_but_an_answer_says_what_must_not_be_concluded() {
        for outcome in each() {
            assert_eq!(not_so(outcome, Kind::Http).is_empty(), outcome == Outcome::Answered, "{outcome:?}");
        }
    }
}
