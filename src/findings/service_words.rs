//! Words about failures of services: which service, what was attempted, how it failed. Facts come from `facts::troubles`.

mod surroundings;

use super::facts::Facts;
use super::facts::troubles::{Property, Sort, Trouble, slow_median_ns};
use super::rules::{clients, counted, plain_name};
use crate::attempts::{Denial, Face, Kind, Outcome, Service, Told, reply, subject};
use crate::decode::Address;
use crate::protocols::tls;
use crate::text::international;
use crate::text::{escape, escape_bytes, thousands};
use crate::time::{Nanos, span};

pub use surroundings::{behind, crossed, held, looped, queue};

/// Things listed one by one.
const LISTED_MAX: usize = 3;

/// `web (TCP port 80)`, `TCP port 2222`.
pub fn kind(service: Service, kind: Kind) -> String {
    let port = service.port;
    match (kind, service.transport) {
        (Kind::Tcp, _) => format!("TCP port {port}"),
        (Kind::Udp, _) => format!("UDP port {port}"),
        (Kind::Echo, _) => "ping".to_owned(),
        (Kind::Dhcp, _) => kind.name(port).to_owned(),
        (kind, 6) => format!("{} (TCP port {port})", kind.name(port)),
        (kind, _) => format!("{} (UDP port {port})", kind.name(port)),
    }
}

/// The services of a trouble, without their host.
pub fn services(trouble: &Trouble) -> String {
    let mut all: Vec<String> = Vec::new();
    for (service, own) in &trouble.services {
        let name = kind(*service, *own);
        if !all.contains(&name) {
            all.push(name);
        }
    }
    list(&all)
}

/// The hosts of a trouble: its address, or a few of them.
pub fn hosts(trouble: &Trouble) -> String {
    let all: Vec<String> = trouble.hosts().iter().map(ToString::to_string).collect();
    list(&all)
}

/// The services and their host: `web (TCP port 80) of 203.0.113.80`.
pub fn place(trouble: &Trouble) -> String {
    match trouble.kind() {
        Kind::Dhcp => services(trouble),
        Kind::Echo => hosts(trouble),
        _ => format!("{} of {}", services(trouble), hosts(trouble)),
    }
}

/// `web at 203.0.113.80:80`, for titles.
pub fn short(trouble: &Trouble) -> String {
    let service = trouble.service();
    let at = service.host.with_port(service.port);
    let hosts = trouble.hosts();
    if hosts.len() > 1 {
        return format!("{} at {}", services(trouble), counted(hosts.len(), "host", "hosts"));
    }
    match (trouble.kind(), trouble.services.len()) {
        (Kind::Dhcp, _) => services(trouble),
        (Kind::Echo, _) => format!("ping to {}", service.host),
        (Kind::Tcp, 1) => format!("TCP {} at {}", service.port, service.host),
        (Kind::Udp, 1) => format!("UDP {} at {}", service.port, service.host),
        (own, 1) => format!("{} at {at}", own.name(service.port)),
        _ => {
            let names: Vec<String> =
                trouble.services.iter().map(|(service, own)| bare(*service, *own)).collect();
            format!("{} at {}", list(&names), service.host)
        }
    }
}

fn bare(service: Service, own: Kind) -> String {
    match own {
        Kind::Tcp => format!("TCP {}", service.port),
        Kind::Udp => format!("UDP {}", service.port),
        own => own.name(service.port).to_owned(),
    }
}

/// `a, b and c`, `a, b, c and 5 more`.
pub fn list(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] if all.len() <= LISTED_MAX => format!("{} and {last}", rest.join(", ")),
        _ => {
            let (shown, rest) = all.split_at(LISTED_MAX);
            format!("{} and {} more", shown.join(", "), rest.len())
        }
    }
}

/// What was attempted: one and several.
fn unit(trouble: &Trouble) -> (&'static str, &'static str) {
    match (trouble.sort, trouble.kind(), trouble.service().transport) {
        (_, Kind::Dhcp, _) => ("request for an address", "requests for an address"),
        (_, Kind::Echo, _) => ("ping", "pings"),
        (_, Kind::Syslog | Kind::Trap | Kind::Export | Kind::Udp, _) => ("flow", "flows"),
        (Sort::Failed(Face::Displaced, _), ..) => ("session", "sessions"),
        (Sort::Failed(Face::Unreached, _), _, 6) => ("connection", "connections"),
        (Sort::Failed(Face::Tls, _), ..) => ("TLS handshake", "TLS handshakes"),
        (_, Kind::Http, _) => ("request", "requests"),
        (_, _, 6) => ("connection", "connections"),
        _ => ("request", "requests"),
    }
}

/// What a single attempt of a kind is called: one and several.
pub fn unit_of(own: Kind, outcome: Outcome) -> (&'static str, &'static str) {
    match (own, own.row().transport) {
        (Kind::Dhcp, _) => ("request for an address", "requests for an address"),
        (Kind::Echo, _) => ("run of pings", "runs of pings"),
        (Kind::Http, _) if outcome.face() != Some(Face::Unreached) => ("HTTP request", "HTTP requests"),
        (Kind::Tls, _) if outcome.face() == Some(Face::Tls) => ("TLS handshake", "TLS handshakes"),
        (_, 6) => ("TCP connection", "TCP connections"),
        (Kind::Ntp, _) => ("NTP request", "NTP requests"),
        (Kind::Snmp, _) => ("SNMP request", "SNMP requests"),
        (Kind::Sip, _) => ("SIP request", "SIP requests"),
        (Kind::Radius, _) => ("RADIUS request", "RADIUS requests"),
        (Kind::Quic | Kind::Doq, _) => ("QUIC connection", "QUIC connections"),
        _ => ("UDP request", "UDP requests"),
    }
}

/// How an attempt failed, after its number.
pub fn how(outcome: Outcome, own: Kind) -> String {
    let side = |by_client: bool| if by_client { "the client" } else { "the server" };
    match outcome {
        Outcome::RefusedByReset => "refused with a reset (RST)".to_owned(),
        Outcome::RefusedByIcmp(false, 11, 1) | Outcome::RefusedByIcmp(true, 3, 1) => {
            "never put together by the receiver, which missed fragments of them and says so by ICMP (reassembly time exceeded)".to_owned()
        }
        Outcome::RefusedByIcmp(v6, kind, code) => {
            let meaning = super::facts::Meaning::of(v6, kind, code).words();
            format!("refused by {} “{meaning}” ({kind}/{code})", if v6 { "ICMPv6" } else { "ICMP" })
        }
        Outcome::Undelivered(None) => {
            "accepted by the server, which sent its acceptance (SYN-ACK) again and never saw it acknowledged".to_owned()
        }
        Outcome::Undelivered(Some((v6, kind, code))) => {
            let meaning = super::facts::Meaning::of(v6, kind, code).words();
            let icmp = if v6 { "ICMPv6" } else { "ICMP" };
            format!("accepted by the server, and {icmp} “{meaning}” ({kind}/{code}) came back for the acceptance (SYN-ACK)")
        }
        Outcome::NoReply => "without any reply".to_owned(),
        Outcome::Misaddressed => "answered from another address than was asked".to_owned(),
        Outcome::Mute if own.greets() => "accepted, and never greeted by the server".to_owned(),
        Outcome::Mute => "accepted and acknowledged, but never answered".to_owned(),
        Outcome::Closed => "closed by the server without an answer".to_owned(),
        Outcome::Reset => "accepted, then reset before any answer".to_owned(),
        Outcome::ResetByDevice => {
            "reset from another distance than the packets of the side in whose name that was done".to_owned()
        }
        Outcome::ResetMidway => "broken off by a reset of the server".to_owned(),
        Outcome::Alert { number, by_client } => {
            format!(
                "ended by {} with the fatal TLS alert {} ({number})",
                side(by_client),
                tls::alert_name(number)
            )
        }
        Outcome::Left { by_client } => {
            format!(
                "ended by {} right after the other side's messages, without a readable alert",
                side(by_client)
            )
        }
        Outcome::Fails(code) => format!("answered with {code}"),
        Outcome::Denied(denial) if denial == reply::no_keys() => {
            "ended by the server before keys were agreed".to_owned()
        }
        Outcome::Denied(denial) => format!("answered with {}", denied(denial, own)),
        Outcome::Kiss(code) => format!("answered with the kiss-o'-death code {}", escape_bytes(&code)),
        Outcome::NoTime => "answered by a server that has no time itself (not synchronised)".to_owned(),
        Outcome::WrongTime { ahead_ns } => format!("answered with a time {}", ahead(ahead_ns)),
        Outcome::Stalled { by_client, .. } => {
            format!("halted because {} took no more data (window 0)", side(by_client))
        }
        Outcome::Silenced { of_client, .. } => {
            format!("silent: data of {} were sent again and again and never acknowledged", side(of_client))
        }
        Outcome::Displaced => "ended by the server as it took on a session of another client".to_owned(),
        Outcome::LargeLost { of_client, .. } => {
            format!("halted because large packets of {} did not arrive", side(of_client))
        }
        Outcome::NoOffer => "without any offer".to_owned(),
        Outcome::Nak => "refused by a DHCPNAK".to_owned(),
        Outcome::Unconfirmed => "left without confirmation after an offer".to_owned(),
        Outcome::Declined => "declined by the client: the address given is in use".to_owned(),
        Outcome::NoAddress => "answered: no addresses available".to_owned(),
        other => other.name().replace('_', " "),
    }
}

/// How far a clock is from the others: `3,600 s ahead of other clocks`.
pub fn ahead(ahead_ns: Nanos) -> String {
    let way = if ahead_ns < 0 { "behind" } else { "ahead of" };
    format!("{} {way} other clocks", span(ahead_ns.abs()))
}

/// A denial with its code and what that means: `error 53300 (too many connections)`.
pub fn denied(denial: Denial, own: Kind) -> String {
    let noun = match own {
        Kind::Ldap => "result code",
        Kind::Bgp | Kind::Ike => "notification",
        Kind::Smb => "status",
        Kind::Mqtt => "return code",
        Kind::Amqp => "reply",
        Kind::Radius => "Access-",
        Kind::Ftp | Kind::Smtp | Kind::Sip | Kind::Rtsp | Kind::Imap | Kind::Pop3 => "",
        _ => "error",
    };
    let space = if noun.is_empty() || noun.ends_with('-') { "" } else { " " };
    let code = denial.code.as_str();
    match reply::words(own, denial.code) {
        Some(words) => format!("{noun}{space}{code} ({words})"),
        None => format!("{noun}{space}{code}"),
    }
}

/// How attempts failed, each way with its number where there are several.
pub fn ways(facts: &Facts<'_>, trouble: &Trouble) -> String {
    if trouble.sort == Sort::Slow {
        let times: Vec<Nanos> = trouble.attempts(facts.attempts).map(|own| own.answered_ns).collect();
        let (least, most) = (times.iter().min().copied(), times.iter().max().copied());
        return match (least, most) {
            (Some(least), Some(most)) if times.len() > 1 => {
                format!("answered only after {} to {}", span(least), span(most))
            }
            (Some(least), _) => format!("answered only after {}", span(least)),
            _ => "answered late".to_owned(),
        };
    }
    let own = trouble.kind();
    let outcomes = trouble.outcomes(facts.attempts);
    let how = |outcome: Outcome, number: u64| fate(facts, trouble, outcome, number);
    match outcomes.as_slice() {
        [(Outcome::RefusedByIcmp(v6, kind, code), _)]
            if own == Kind::Echo
                && errors_about(facts, trouble, (*v6, *kind, *code)) < lost(facts, trouble) =>
        {
            let told = errors_about(facts, trouble, (*v6, *kind, *code)) as usize;
            format!(
                "without a reply: for {told} of them ICMP “{}” ({kind}/{code}) came back, for the others nothing",
                super::facts::Meaning::of(*v6, *kind, *code).words()
            )
        }
        [(only, number)] => match blocked(facts, trouble).filter(|_| *only == Outcome::NoReply) {
            Some(by) => format!("blocked by {by}, as the log itself says"),
            None => how(*only, *number),
        },
        several => {
            let told: Vec<String> = several
                .iter()
                .map(|(outcome, number)| format!("{} {}", thousands(*number), how(*outcome, *number)))
                .collect();
            list(&told)
        }
    }
}

/// Pings without a reply.
fn lost(facts: &Facts<'_>, trouble: &Trouble) -> u64 {
    let counts = trouble.attempts(facts.attempts).map(|own| own.counts);
    counts.map(|(asked, answered)| u64::from(asked.saturating_sub(answered))).sum()
}

/// Errors of one kind about what its clients sent to its host from the first failure to the last.
fn errors_about(facts: &Facts<'_>, trouble: &Trouble, icmp: (bool, u8, u8)) -> u64 {
    facts.attempts.told.iter().filter(|told| told.icmp == icmp && is_about(facts, trouble, told)).count()
        as u64
}

/// Whether an error is about what a trouble's attempts sent.
pub(super) fn is_about(facts: &Facts<'_>, trouble: &Trouble, told: &Told) -> bool {
    trouble.attempts(facts.attempts).any(|own| {
        (told.flow.0.0, told.flow.1.0) == (own.client.0, own.service.host)
            && told.seen.time_ns >= own.first.time_ns
    })
}

/// The rules that blocked what was sent, where the log says so.
fn blocked(facts: &Facts<'_>, trouble: &Trouble) -> Option<String> {
    super::facts::blocks::by(facts.index, &trouble.frames(facts.attempts))
}

/// How some of its attempts failed, which may have been answered when the client had given up.
pub fn fate(facts: &Facts<'_>, trouble: &Trouble, outcome: Outcome, number: u64) -> String {
    match answered_in_vain(facts, trouble, outcome) {
        0 => how(outcome, trouble.kind()),
        late if late == number => {
            let (who, what) = if number == 1 { ("client", "its answer") } else { ("clients", "the answers") };
            format!("{} before the {who} gave up: {what} came later", in_vain(outcome, trouble.kind()))
        }
        late => format!(
            "{} before the clients gave up: {} answered later",
            in_vain(outcome, trouble.kind()),
            counted(late as usize, "was", "were")
        ),
    }
}

/// How attempts failed that were answered too late.
fn in_vain(outcome: Outcome, own: Kind) -> &'static str {
    match outcome {
        Outcome::NoReply => "not answered",
        _ if own.greets() => "accepted, but not greeted",
        _ => "accepted and acknowledged, but not answered",
    }
}

/// Attempts with one outcome whose answer came when the client had given up.
fn answered_in_vain(facts: &Facts<'_>, trouble: &Trouble, outcome: Outcome) -> u64 {
    let own =
        trouble.attempts(facts.attempts).filter(|own| own.outcome == outcome && own.is_answered_in_vain());
    own.count() as u64
}

/// The addresses that answered instead of the one that was asked.
pub fn elsewhere(facts: &Facts<'_>, trouble: &Trouble) -> Vec<String> {
    let own = trouble.attempts(facts.attempts).filter(|own| own.outcome == Outcome::Misaddressed);
    let mut from: Vec<Address> = own
        .filter_map(|own| facts.index.packet(own.decided?.packet))
        .map(|packet| packet.source_address())
        .collect();
    from.sort_unstable();
    from.dedup();
    from.iter().map(ToString::to_string).collect()
}

/// What parts the failures from what was served: ` for /mid`.
pub fn part(trouble: &Trouble) -> String {
    let Some(part) = &trouble.part else { return String::new() };
    let values: Vec<String> = part.failing.iter().map(|value| escape(value)).collect();
    match part.property {
        Property::Client => String::new(),
        Property::Name | Property::Path => format!(" for {}", list(&values)),
        Property::Account => format!(" for {}", accounts(&part.failing)),
        Property::Size => format!(" sent {}", list(&values)),
    }
}

/// `the account “app”`, `the accounts “app” and “web”`.
pub fn accounts(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("“{}”", escape(name))).collect();
    format!("the {} {}", if names.len() == 1 { "account" } else { "accounts" }, list(&quoted))
}

/// The accounts a trouble is about, where nothing else names them: ` for the account “app”`.
fn named(trouble: &Trouble) -> String {
    let is_told = matches!(&trouble.part, Some(part) if part.property == Property::Account);
    if is_told || trouble.accounts.is_empty() {
        String::new()
    } else {
        format!(" for {}", accounts(&trouble.accounts))
    }
}

/// The names a trouble is about, in brackets; empty where none is known.
pub fn names(trouble: &Trouble) -> String {
    let named = trouble.names.iter().map(|name| international::beside(plain_name(name), name));
    let names: Vec<String> = named.collect();
    if names.is_empty() || matches!(&trouble.part, Some(part) if part.property == Property::Name) {
        String::new()
    } else {
        format!(" ({})", list(&names))
    }
}

/// The clients that were hit.
pub fn hit(trouble: &Trouble) -> String {
    let hosts = trouble.hosts_hit();
    let own: Vec<String> = trouble.hit().map(|client| client.address.to_string()).collect();
    match (hosts.as_slice(), own.as_slice()) {
        // One host with an address of each family.
        ([_], [only]) => only.clone(),
        ([_], [first, others @ ..]) => format!("{first} (also {})", list(others)),
        _ => clients(&hosts),
    }
}

/// `4 of 4 connections from 10.0.0.1 to web (TCP port 80) of 203.0.113.80 were refused with a reset (RST)`.
pub fn statement(facts: &Facts<'_>, trouble: &Trouble) -> String {
    let (one, many) = unit(trouble);
    let (all, number, _) = trouble.told(facts.attempts);
    let of = if all == 1 {
        format!("1 {one}")
    } else {
        format!("{} of {}", thousands(number), counted(all as usize, one, many))
    };
    let verb = if number == 1 { "was" } else { "were" };
    let to = match trouble.kind() {
        Kind::Dhcp => String::new(),
        _ => format!(" to {}{}", place(trouble), names(trouble)),
    };
    let sent = repeats(facts, trouble);
    let whom = format!("{}{}", part(trouble), named(trouble));
    format!("{of} from {}{to}{whom} {verb} {}{sent}", hit(trouble), ways(facts, trouble))
}

/// How often the failed requests were sent, where they were repeated.
fn repeats(facts: &Facts<'_>, trouble: &Trouble) -> String {
    let sent: u64 = trouble.attempts(facts.attempts).map(|own| u64::from(own.tries)).sum();
    let asks = trouble.kind() != Kind::Echo && (trouble.kind().answers() || trouble.service().transport == 6);
    let unreached = matches!(trouble.sort, Sort::Failed(Face::Unreached | Face::Lease, _));
    if !asks || !unreached || sent <= trouble.failed.len() as u64 {
        return String::new();
    }
    let what = if trouble.service().transport == 6 { "SYNs" } else { "requests" };
    format!(" ({} {what} with their repeats)", thousands(sent))
}

/// What the failures mean for whoever asked, as far as the packets bear it: of what else a client has, they say nothing.
pub fn effect(trouble: &Trouble) -> Option<String> {
    if trouble.hit().all(|client| client.rescued >= client.failed) {
        return Some("Each was then served in another way, so people noticed a delay at most.".to_owned());
    }
    let any_rescued = trouble.hit().any(|client| client.rescued > 0);
    let text = match (trouble.sort, trouble.kind()) {
        (Sort::Slow, _) => "Whoever asked had to wait that long for an answer.",
        (Sort::Failed(Face::Misaddressed, _), _) => {
            "Programs that look at who answers discard these answers and wait in vain; others take them and notice nothing."
        }
        (Sort::Failed(Face::Stalled, _), _) => "The transfer stood still for that time.",
        (Sort::Failed(Face::Displaced, _), _) => {
            "Each session lasts only until the other client comes back; what was subscribed or begun on it ends with it."
        }
        (_, Kind::Http | Kind::Tls | Kind::Quic) => match trouble.sort {
            Sort::Failed(Face::Unreached, _) if any_rescued => return None,
            Sort::Failed(Face::Unreached, _) => {
                "No connection came about, so over these nothing could be asked."
            }
            Sort::Failed(Face::Mute, _) => "Whoever asked waited in vain, although connecting worked.",
            Sort::Failed(Face::Large, _) => {
                "Pages hang while connecting works: what is large does not arrive."
            }
            Sort::Failed(Face::Tls, _) => "No secure connection came about by these handshakes.",
            Sort::Failed(Face::Fails, _) => {
                "Whoever asked got an error of the server in place of what was asked for; the network carried it."
            }
            _ => "What was asked for did not come, or not whole.",
        },
        (_, Kind::Dhcp) => {
            "A client that gets no address and has none from before cannot use the network by this protocol."
        }
        (_, Kind::Ntp)
            if trouble.endings.iter().any(|(outcome, _)| matches!(outcome, Outcome::WrongTime { .. })) =>
        {
            "Clocks that are set from there alone are wrong by as much: times in logs, and what depends on time (TLS, Kerberos), fail."
        }
        (_, Kind::Ntp) => {
            "Clocks that are set from there alone drift, and what depends on time (TLS, Kerberos) fails after a while."
        }
        (_, Kind::Smtp)
            if trouble.endings.iter().any(|(outcome, _)| matches!(outcome, Outcome::Fails(500..))) =>
        {
            "This mail is refused for good: it goes back to who sent it."
        }
        (_, Kind::Smtp)
            if trouble.endings.iter().any(|(outcome, _)| matches!(outcome, Outcome::Denied(_))) =>
        {
            "This mail is refused: it goes back to who sent it, or is not taken from these clients."
        }
        (_, Kind::Smtp) => {
            "A mail server keeps such mail and tries again later; a mail program shows an error."
        }
        (_, Kind::Syslog | Kind::Trap | Kind::Export) => "What was sent there was not taken.",
        (_, Kind::Radius) => {
            "Sign-ins that only this server decides fail when it does not answer or refuses."
        }
        _ if !trouble.alongside.is_empty() => {
            "What these connections carried ended there; others of the same clients to it go on."
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// How late the slow answers of a trouble came, in the middle.
pub fn late(facts: &Facts<'_>, trouble: &Trouble) -> String {
    span(slow_median_ns(trouble, facts.attempts))
}

/// The title of a trouble without its time: service, what failed, for whom, who was spared.
pub fn title(facts: &Facts<'_>, trouble: &Trouble) -> String {
    let outcome = trouble.outcomes(facts.attempts).first().map(|(outcome, _)| *outcome);
    let what = match (trouble.sort, outcome) {
        (Sort::Slow, _) => format!("answers only after {}", late(facts, trouble)),
        (_, Some(Outcome::RefusedByReset)) => "refused by reset".to_owned(),
        (_, Some(Outcome::RefusedByIcmp(false, 11, 1) | Outcome::RefusedByIcmp(true, 3, 1))) => {
            "does not get what is sent in fragments".to_owned()
        }
        (_, Some(Outcome::RefusedByIcmp(v6, kind, code))) => {
            format!("refused: {}", super::facts::Meaning::of(v6, kind, code).words())
        }
        (_, Some(outcome)) if answered_in_vain(facts, trouble, outcome) == trouble.failed.len() as u64 => {
            "does not answer in time".to_owned()
        }
        (_, Some(Outcome::Undelivered(None))) => "accepts, but its SYN-ACK is not acknowledged".to_owned(),
        (_, Some(Outcome::Undelivered(Some((v6, kind, code))))) => {
            let meaning = super::facts::Meaning::of(v6, kind, code).words();
            format!("accepts, but its SYN-ACK does not arrive ({meaning})")
        }
        (_, Some(Outcome::NoReply)) => blocked(facts, trouble)
            .map_or_else(|| "does not reply".to_owned(), |by| format!("is blocked by {by}")),
        (_, Some(Outcome::Misaddressed)) => {
            format!("answers from {} instead", list(&elsewhere(facts, trouble)))
        }
        (_, Some(Outcome::Mute)) => "accepts and does not answer".to_owned(),
        (_, Some(Outcome::Closed | Outcome::Reset)) => "ends connections without an answer".to_owned(),
        (_, Some(Outcome::ResetMidway)) => "breaks connections off".to_owned(),
        (_, Some(Outcome::ResetByDevice)) => "reset by a device on the way".to_owned(),
        (_, Some(Outcome::Alert { number, by_client: true })) => {
            format!("TLS refused by the client (alert {number} {})", tls::alert_name(number))
        }
        (_, Some(Outcome::Alert { number, .. })) => {
            format!("refuses TLS (alert {number} {})", tls::alert_name(number))
        }
        (_, Some(Outcome::Left { by_client: true })) => "TLS handshake left by the client".to_owned(),
        (_, Some(Outcome::Left { .. })) => "TLS handshake ended by the server".to_owned(),
        (_, Some(Outcome::Fails(code))) => format!("answers {code}"),
        (_, Some(Outcome::Denied(denial))) if denial == reply::no_keys() => {
            "ends sessions before keys are agreed".to_owned()
        }
        (_, Some(Outcome::Denied(denial))) => format!("answers {}", denied(denial, trouble.kind())),
        (_, Some(Outcome::WrongTime { ahead_ns })) => format!("gives a time {}", ahead(ahead_ns)),
        (_, Some(Outcome::Kiss(_) | Outcome::NoTime)) => "gives no time".to_owned(),
        (_, Some(Outcome::Stalled { by_client: true, .. })) => {
            "waits for a client that stopped reading".to_owned()
        }
        (_, Some(Outcome::Stalled { .. })) => "stopped reading".to_owned(),
        (_, Some(Outcome::Silenced { .. })) => "went silent after it had worked".to_owned(),
        (_, Some(Outcome::Displaced)) => "ends the sessions of two clients by turns".to_owned(),
        (_, Some(Outcome::LargeLost { .. })) => "opens, but large packets do not arrive".to_owned(),
        (_, Some(Outcome::NoOffer)) => "no server offers an address".to_owned(),
        (_, Some(Outcome::Nak)) => "address refused (DHCPNAK)".to_owned(),
        (_, Some(Outcome::Unconfirmed)) => "offered address not confirmed".to_owned(),
        (_, Some(Outcome::Declined)) => "address given is in use".to_owned(),
        (_, Some(Outcome::NoAddress)) => "no addresses available".to_owned(),
        _ => "fails".to_owned(),
    };
    let only = if trouble.is_intermittent {
        format!(" ({} of {})", thousands(trouble.failed.len() as u64), thousands(trouble.asked))
    } else {
        String::new()
    };
    let colon = if trouble.kind() == Kind::Dhcp { ":" } else { "" };
    let whom = format!("{}{}", part(trouble), named(trouble));
    format!("{}{colon} {what}{whom}{only} for {}", capital(&short(trouble)), hit(trouble))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The version of TLS the failing clients offered at most, where that may be why.
pub fn offered(facts: &Facts<'_>, trouble: &Trouble) -> Option<&'static str> {
    let versions = trouble.attempts(facts.attempts).filter_map(|own| subject::of(facts.index, own).version);
    tls::version_name(versions.max()?)
}

/// Whether an attempt asks for what fails.
pub fn is_same_part(
    facts: &Facts<'_>,
    part: &super::facts::troubles::Part,
    own: &crate::attempts::Attempt,
) -> bool {
    let subject = subject::of(facts.index, own);
    let value = match part.property {
        Property::Name => subject.name,
        Property::Path => subject.path,
        Property::Client => Some(own.client.0.to_string()),
        Property::Account => subject::account(facts.index, own),
        Property::Size => Some(super::facts::troubles::pieces(facts, own)),
    };
    value.is_none_or(|value| part.failing.contains(&value))
}
