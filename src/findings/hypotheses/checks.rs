//! Next checks in order (cheapest and most telling first) with the result each explanation predicts.

mod incidents;
mod services;

use super::catalogue::Cause;
use super::scene::{Incident, Scene};
use super::{Assessment, Check, Verdict};
use crate::correlate::Signature;
use crate::correlate::splits::Split;
use crate::decode::Address;
use crate::findings::facts::Meaning;
use crate::protocols::dns::type_name;
use crate::text::escape;
use crate::time::{Nanos, date_and_time};

/// The name to ask with: the first that failed.
fn name(scene: &Scene<'_, '_>) -> String {
    scene.names.first().map_or_else(|| "example.com".to_owned(), |name| shell_word(name))
}

/// The type to ask for: that of the first question that failed.
fn kind(scene: &Scene<'_, '_>) -> String {
    let first =
        scene.transactions.first().and_then(|transaction| scene.facts.index.packet(transaction.first));
    let qtype = first.and_then(|packet| packet.dns().map(|row| row.qtype)).filter(|qtype| *qtype > 0);
    qtype.map_or_else(|| "A".to_owned(), type_name)
}

/// A captured name in a command line: only letters that mean nothing to a shell. One that begins like an option is
/// named to `dig` as what it is.
fn shell_word(name: &str) -> String {
    let plain = name.trim_end_matches('.');
    let option = if plain.starts_with('-') { "-q " } else { "" };
    if !plain.is_empty() && plain.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return format!("{option}{plain}");
    }
    // Names are written with their backslashes already.
    format!("{option}'{}'", escape(name).replace("\\\\", "\\").replace('\'', ""))
}

/// A host in a command line: its number, or the name it was printed by.
fn host(address: Address) -> String {
    match address.name() {
        // What begins like an option, or is longer than a name, is left for the reader to fill in.
        Some(name) if name.label().starts_with('-') => "HOST".to_owned(),
        Some(name) => shell_word(&name.label()),
        None => address.bare().to_string(),
    }
}

/// A host in a capture filter that stands in quotation marks, where a masked name means nothing.
fn filtered_host(address: Address) -> String {
    let word = host(address);
    if word.starts_with('\'') { "HOST".to_owned() } else { word }
}

/// How to look for a host among the neighbours; `ip` resolves no names.
fn neighbour(address: Address) -> String {
    match address.name() {
        Some(_) => format!("getent ahosts {}; ip neigh show", host(address)),
        None => format!("ip neigh show {}", address.bare()),
    }
}

/// How to see the way to a host.
fn route(address: Address) -> String {
    match address.name() {
        Some(_) => format!("getent ahosts {}; ip route show", host(address)),
        None => format!("ip route get {}", address.bare()),
    }
}

fn check(action: String, place: &'static str, expected: &[(Cause, &str)]) -> Check {
    Check { action, place, expected: expected.iter().map(|(id, text)| (*id, (*text).to_owned())).collect() }
}

const CLIENT: &str = "client";
const SERVER: &str = "server";
const PATH: &str = "path";
const PEOPLE: &str = "people";

/// The other resolver in the capture that served one of the clients.
fn second_resolver(scene: &Scene<'_, '_>) -> Option<Address> {
    let served = scene.clients.iter().filter_map(|client| scene.facts.served.get(client));
    served.flat_map(|servers| servers.keys().copied()).filter(|server| *server != scene.server).min()
}

/// Bytes of the largest echo that fits an Ethernet frame of 1,500 bytes: without the headers of IP and ICMP.
fn largest_echo(server: Address) -> u16 {
    if server.is_v6() { 1_452 } else { 1_472 }
}

/// How long before the first failure a log is read from.
const HOUR_NS: Nanos = 3_600_000_000_000;

/// The ordered checks.
pub fn list(scene: &Scene<'_, '_>, assessment: &Assessment) -> Vec<Check> {
    let leading: Vec<Cause> = assessment.leading().iter().map(|h| h.cause).collect();
    let mut checks = Vec::new();
    if !scene.is_lookup() {
        match scene.incident {
            Some(Incident::Slow) => waiting(scene, &leading, &mut checks),
            Some(Incident::Portal(led)) => checks.extend(incidents::portal(scene, led.address)),
            Some(Incident::NoNextHop) => checks.extend(incidents::next_hop(scene.server)),
            Some(Incident::TwoOwners(conflict)) => checks.extend(incidents::owners(conflict)),
            Some(Incident::SecondDhcp(_)) => services::rivals(&mut checks),
            Some(Incident::Service(trouble)) => services::list(scene, trouble, &leading, &mut checks),
            _ => incidents::beside_dns(scene, &mut checks),
        }
        return checks;
    }
    let answered = matches!(scene.signature, Some(Signature::ResponseCode(_)))
        || matches!(scene.incident, Some(Incident::Lame));
    let conflict = scene
        .facts
        .conflicts
        .iter()
        .find(|conflict| conflict.address == scene.server || scene.clients.contains(&conflict.address));
    if let Some(conflict) = conflict.filter(|_| leading.contains(&Cause::DuplicateAddress)) {
        checks.extend(incidents::owners(conflict));
    }
    if scene.signature == Some(&Signature::Late) {
        waiting(scene, &leading, &mut checks);
        return checks;
    }
    if let Some(Incident::UnknownZone(own)) = scene.incident {
        checks.extend(incidents::split(scene, own));
    }
    if leading.contains(&Cause::LameAnswer) && scene.misaddressed().2 {
        let (server, name, kind) = (host(scene.server), name(scene), kind(scene));
        checks.push(check(
            format!("dig @{server} {name} {kind} +tries=1 +time=2"),
            CLIENT,
            &[
                (Cause::LameAnswer, "`;; reply from unexpected source`"),
                (Cause::SilentDrop, "`;; communications error … timed out` alone"),
            ],
        ));
        checks.push(check(
            "ip -br address; ss -ulpn 'sport = :53'".to_owned(),
            SERVER,
            &[
                (Cause::LameAnswer, "both addresses on one host, and a service bound to the wildcard address: bind it to each"),
                (Cause::Interception, "the address that answers is not on this host"),
            ],
        ));
    }
    if let Some(own) = scene.disagreement().filter(|_| leading.contains(&Cause::LameAnswer)) {
        checks.extend(incidents::serials(own));
    }
    if matches!(scene.signature, Some(Signature::ResponseCode(1 | 4 | 16))) {
        let (server, name, kind) = (host(scene.server), name(scene), kind(scene));
        checks.push(check(
            format!("dig +noedns @{server} {name} {kind}; dig +edns=0 @{server} {name} {kind}"),
            CLIENT,
            &[
                (
                    Cause::PropertyFilter,
                    "status: NOERROR from the first, FORMERR (or NOTIMP, BADVERS) from the second",
                ),
                (Cause::Policy, "the same code from both"),
            ],
        ));
    }
    from_client(scene, answered, &mut checks);
    if answered {
        behind(scene, &mut checks);
    } else {
        on_server(scene, &mut checks);
        on_path(scene, &leading, &mut checks);
    }
    capture_again(scene, &mut checks);
    let not_seen = assessment.of(Cause::Overload).is_some_and(|h| h.verdict == Verdict::NotAssessable);
    if not_seen {
        checks.push(check(
            "query log or dnstap, `rndc stats`, interface counters and upstream flow records for the time in question"
                .to_owned(),
            SERVER,
            &[(Cause::Overload, "query rate far above its usual level; otherwise load is no explanation")],
        ));
    }
    checks.push(check(
        "ask the people who reported it: which resolver do their devices use, and what is the exact error message?"
            .to_owned(),
        PEOPLE,
        &[(Cause::WrongAddress, "they use another resolver"), (Cause::SiteDown, "name lookups work and the page still fails")],
    ));
    checks
}

fn from_client(scene: &Scene<'_, '_>, answered: bool, checks: &mut Vec<Check>) {
    let (server, name, kind) = (host(scene.server), name(scene), kind(scene));
    // As resolvers ask a zone's own servers, and over what failed.
    let over_tcp = scene.service.1 == 6;
    let dig = match (scene.wants_recursion(), over_tcp) {
        (true, false) => "dig",
        (true, true) => "dig +tcp",
        (false, false) => "dig +norecurse",
        (false, true) => "dig +norecurse +tcp",
    };
    if scene.signature == Some(&Signature::Truncated) {
        checks.push(check(
            format!("{dig} +tcp @{server} {name} {kind}"),
            CLIENT,
            &[
                (Cause::OneTransport, "no connection, or no answer over it"),
                (Cause::SilentDrop, "`;; Connection to … failed: timed out.`"),
                (Cause::ServerFilter, "refused at once"),
            ],
        ));
    }
    checks.push(check(
        format!("date -u; {dig} @{server} {name} {kind} +tries=1 +time=2"),
        CLIENT,
        if answered {
            &[(Cause::Upstream, "the same code again"), (Cause::Policy, "the same code again")]
        } else {
            &[
                (Cause::NotRunning, "`;; communications error … connection refused` at once"),
                (
                    Cause::ServerFilter,
                    "`;; communications error … connection refused` or `host unreachable` at once",
                ),
                (Cause::PathFilter, "`;; communications error … connection refused` or `host unreachable`"),
                (
                    Cause::HostDown,
                    "`;; communications error … host unreachable` after about 3 s, or `timed out`",
                ),
                (
                    Cause::SilentDrop,
                    "`;; communications error … timed out`, then `no servers could be reached`",
                ),
                (Cause::LargePacketsLost, "times out, while `SOA` and other small answers come at once"),
            ]
        },
    ));
    if scene.signature != Some(&Signature::Truncated) && !over_tcp {
        checks.push(check(
            format!("{dig} +tcp @{server} {name} {kind}"),
            CLIENT,
            &[
                (Cause::NotRunning, "connection refused as well, unless the service listens on TCP only"),
                (Cause::ServerFilter, "may answer, when the rule names UDP only"),
                (Cause::SilentDrop, "answers when only UDP is dropped"),
                (Cause::OneTransport, "answers"),
            ],
        ));
    }
    if let Some(other) = second_resolver(scene).map(host) {
        checks.push(check(
            format!("dig @{other} {name} {kind}"),
            CLIENT,
            &[
                (Cause::NotRunning, "answers"),
                (Cause::ServerFilter, "answers"),
                (Cause::WrongAddress, "answers"),
                (Cause::Upstream, "the same failure, when the zone is at fault"),
            ],
        ));
    }
    checks.push(check(
        "`resolvectl status; cat /etc/resolv.conf`, on Windows `Get-DnsClientServerAddress`".to_owned(),
        CLIENT,
        &[
            (Cause::WrongAddress, "lists an address nobody intended"),
            (Cause::NotRunning, "lists the intended resolver"),
        ],
    ));
}

fn on_server(scene: &Scene<'_, '_>, checks: &mut Vec<Check>) {
    let port = scene.service.0;
    let since = date_and_time(scene.period_ns.0 - HOUR_NS);
    let since = since.split('.').next().unwrap_or_default();
    checks.push(check(
        "`nstat -az UdpNoPorts IcmpOutDestUnreachs` before and after one query from a client".to_owned(),
        SERVER,
        &[
            (Cause::NotRunning, "UdpNoPorts and IcmpOutDestUnreachs both rise by 1"),
            (
                Cause::ServerFilter,
                "only IcmpOutDestUnreachs rises; UdpNoPorts stays constant; the rule's counter rises",
            ),
            (Cause::DeviceInFront, "neither rises: the query does not arrive here"),
            (Cause::SilentDrop, "neither rises, or UdpInErrors / UdpRcvbufErrors rise"),
        ],
    ));
    checks.push(check(
        format!("ss -ulpn 'sport = :{port}'; systemctl status named unbound dnsmasq systemd-resolved; journalctl -u named --utc --since '{since}'"),
        SERVER,
        &[
            (Cause::NotRunning, "no socket on the asked address (`ss` is empty), or the service stopped"),
            (Cause::ServerFilter, "a socket is bound and the service runs"),
            (Cause::WrongAddress, "no DNS service is installed"),
        ],
    ));
    checks.push(check(
        "nft -a list ruleset; iptables-save -c; change log of server and path".to_owned(),
        SERVER,
        &[
            (Cause::ServerFilter, "a reject rule whose counter rises with each query"),
            (Cause::NotRunning, "no rule matches"),
        ],
    ));
}

fn on_path(scene: &Scene<'_, '_>, leading: &[Cause], checks: &mut Vec<Check>) {
    let server = host(scene.server);
    let port = scene.service.0;
    let rejects = scene.errors_of(Meaning::Prohibited);
    let rejects = rejects.first().copied().or(scene.errors_of(Meaning::PortUnreachable).first().copied());
    let itself =
        rejects.is_some_and(|error| error.source == error.destination && error.source != scene.server);
    if leading.contains(&Cause::PathFilter) && itself {
        checks.insert(
            0,
            check(
                "nft list ruleset; iptables -S OUTPUT; ip6tables -S OUTPUT".to_owned(),
                CLIENT,
                &[(Cause::PathFilter, "a rule of the output chain rejects port 53, with packets counted")],
            ),
        );
    } else if leading.contains(&Cause::PathFilter) {
        let device = rejects.map(|error| error.source);
        let device =
            device.map_or_else(|| "the device on the path".to_owned(), |address| address.to_string());
        checks.insert(
            0,
            check(
                format!("ask the owner of {device} for its rules and change log; `nft list ruleset` or the cloud's access lists"),
                PATH,
                &[(Cause::PathFilter, "a rule rejects this traffic"), (Cause::ForgedError, "no such rule: the message is not theirs")],
            ),
        );
    }
    if leading.contains(&Cause::PropertyFilter) || leading.contains(&Cause::DeadMember) {
        checks.insert(0, apart(scene));
    }
    if let Some((other, _)) = scene.other_address().filter(|_| leading.contains(&Cause::HostDown)) {
        checks.insert(
            0,
            check(
                format!("ssh {other} 'ip addr; journalctl -b'"),
                SERVER,
                &[(Cause::HostDown, "the address is missing, tentative or marked as duplicate")],
            ),
        );
    }
    if leading.contains(&Cause::HostDown) || leading.contains(&Cause::WrongAddress) {
        checks.push(check(
            format!(
                "on its network: {}; arping -c 3 {server}; switch port and hypervisor state",
                neighbour(scene.server)
            ),
            PATH,
            &[
                (Cause::HostDown, "no reply; the switch port shows no link"),
                (Cause::WrongAddress, "nobody has ever used the address"),
            ],
        ));
    }
    if leading.contains(&Cause::NoRoute) {
        checks.push(check(
            format!("{}; mtr -n {server}; routing events of the time", route(scene.server)),
            PATH,
            &[(Cause::NoRoute, "no route, or a loop")],
        ));
    }
    if leading.contains(&Cause::LargePacketsLost) {
        checks.push(check(
            format!("dig +bufsize=512 @{server}; dig +bufsize=1232 @{server}; dig +bufsize=4096 @{server}; ping -M do -s {} {server}", largest_echo(scene.server)),
            CLIENT,
            &[(Cause::LargePacketsLost, "small sizes answer, large ones time out"), (Cause::SilentDrop, "all sizes time out")],
        ));
    }
    checks.push(check(
        format!("ping -c3 {server}; traceroute -n -U -p {port} {server}; tcptraceroute -n {server} {port}"),
        CLIENT,
        &[
            (Cause::NotRunning, "the host answers"),
            (Cause::PathFilter, "the trace ends at the device"),
            (Cause::HostDown, "no reply from the host"),
            (Cause::SilentDrop, "the trace ends where packets are dropped"),
        ],
    ));
}

/// What parts a filter by property, a dead member and loss: the same question many times, each way.
fn apart(scene: &Scene<'_, '_>) -> Check {
    let (server, name, kind) = (host(scene.server), name(scene), kind(scene));
    let edns = scene.impact().is_some_and(|impact| matches!(impact.split, Split::Edns(_)))
        || matches!(scene.incident, Some(Incident::Slow));
    let action = if edns {
        format!(
            "for i in 1 2 3 4; do dig +noedns +tries=1 +time=2 @{server} {name} {kind}; dig +edns=0 +tries=1 +time=2 @{server} {name} {kind}; done"
        )
    } else {
        format!(
            "for p in 20000 20001 20002 50000 50001 50002; do dig -b 0.0.0.0#$p +tries=1 +time=2 @{server} {name} {kind}; done"
        )
    };
    let action = if scene.server.is_v6() { action.replace("0.0.0.0#", "::#") } else { action };
    check(
        action,
        CLIENT,
        &[
            (Cause::PropertyFilter, "always the same ones time out"),
            (Cause::DeadMember, "time-outs or refusals in turn, whatever the query has"),
            (Cause::LossyPath, "time-outs in no order"),
        ],
    )
}

/// Checks where everything was answered, but late.
fn waiting(scene: &Scene<'_, '_>, leading: &[Cause], checks: &mut Vec<Check>) {
    let (server, name, kind) = (host(scene.server), name(scene), kind(scene));
    if leading.contains(&Cause::PropertyFilter) {
        checks.push(apart(scene));
    }
    checks.push(check(
        format!("ping -c 5 {server}; dig @{server} {name} {kind}; dig @{server} {name} {kind}"),
        CLIENT,
        &[
            (Cause::SlowPath, "echoes and answers all take as long as seen here"),
            (
                Cause::SlowService,
                "echoes are fast; the first answer is slow, the second may be fast from the cache",
            ),
            (Cause::LossyPath, "fast, or missing: echoes are lost as well"),
            (Cause::SecondPacketLost, "fast, every time: a single query is not lost"),
            (Cause::PropertyFilter, "echoes are fast; the first try of `dig` times out"),
        ],
    ));
    if leading.contains(&Cause::Upstream) {
        checks.push(check(
            "query log or dnstap with response times; the server's own upstream queries".to_owned(),
            SERVER,
            &[
                (Cause::Upstream, "the time is spent upstream"),
                (Cause::SlowService, "the time is spent in the server"),
            ],
        ));
    }
    if leading.contains(&Cause::SecondPacketLost) || leading.contains(&Cause::LossyPath) {
        checks.push(check(
            "conntrack -S".to_owned(),
            PATH,
            &[
                (Cause::SecondPacketLost, "on the translator, insert_failed rises by 1 with each wait"),
                (Cause::LossyPath, "insert_failed stays; `ip -s link` or `mtr -rwn` shows losses"),
            ],
        ));
        checks.push(check(
            format!("mtr -rwn -c 100 {server}"),
            CLIENT,
            &[(Cause::LossyPath, "loss from one hop on to the end"), (Cause::SecondPacketLost, "no loss")],
        ));
    }
}

fn behind(scene: &Scene<'_, '_>, checks: &mut Vec<Check>) {
    let name = name(scene);
    for starved in scene.facts.starved.iter().filter(|own| own.server == scene.server).take(1) {
        if let Some(primary) = starved.primaries.first() {
            let zone = shell_word(&crate::findings::rules::plain_name(&starved.zone));
            checks.push(check(
                format!("dig @{} {zone} AXFR", host(*primary)),
                SERVER,
                &[(
                    Cause::Upstream,
                    "“Transfer failed.” while the primary refuses this server, a time-out while TCP is filtered; else the zone",
                )],
            ));
        }
    }
    checks.push(check(
        format!("dig +trace {name}; dig +cd @{} {name}; delv {name}", host(scene.server)),
        CLIENT,
        &[
            (Cause::Upstream, "the trace stops at the zone's servers, or +cd answers (validation fails)"),
            (Cause::Policy, "the trace answers: the refusal is this server's policy"),
            (Cause::NameMissing, "the zone's own servers deny the name"),
        ],
    ));
    checks.push(check(
        format!(
            "dig NS {}",
            crate::findings::zones::common(&scene.names)
                .first()
                .map_or_else(|| "example.com".to_owned(), |zone| shell_word(zone))
        ),
        CLIENT,
        &[
            (Cause::Upstream, "servers that do not answer"),
            (Cause::LameAnswer, "servers that do not know the zone"),
        ],
    ));
}

fn capture_again(scene: &Scene<'_, '_>, checks: &mut Vec<Check>) {
    let server = filtered_host(scene.server);
    let port = scene.service.0;
    checks.push(check(
        format!("tcpdump -ni any -s0 -w again.pcapng 'host {server} and (port {port} or icmp or icmp6 or arp or (ip[6:2] & 0x1fff != 0) or ip6[6] = 44) or icmp or icmp6', at client and server at once"),
        "client and server",
        &[
            (Cause::NotRunning, "query and error appear at the server"),
            (Cause::DeviceInFront, "the query does not appear at the server"),
            (Cause::PathFilter, "the query does not appear at the server"),
            (Cause::SilentDrop, "shows on which side the query is lost"),
        ],
    ));
}

/// The position of the check that parts two explanations, with what each expects: what the server counts separates more
/// than what a client sees.
pub fn parting(checks: &[Check], one: Cause, other: Cause) -> Option<(usize, String, String)> {
    let numbered = || checks.iter().enumerate();
    let on_server = numbered().filter(|(_, check)| check.place == SERVER);
    let elsewhere = numbered().filter(|(_, check)| check.place != SERVER);
    on_server.chain(elsewhere).find_map(|(at, check)| {
        let find = |id: Cause| check.expected.iter().find(|(of, _)| *of == id).map(|(_, text)| text);
        let (a, b) = (find(one)?, find(other)?);
        (a != b).then(|| (at, a.clone(), b.clone()))
    })
}

/// What would change the ranking, in sentences: for the members of the leading tie, the check that parts them.
pub fn would_change(scene: &Scene<'_, '_>, assessment: &Assessment) -> Vec<String> {
    let leading = assessment.leading();
    let mut out = Vec::new();
    for (position, one) in leading.iter().enumerate() {
        for other in leading.iter().skip(position + 1) {
            let parting = parting(&assessment.checks, one.cause, other.cause).and_then(|(at, a, b)| {
                let action = &assessment.checks.get(at)?.action;
                Some(format!(
                    "{} or {}: `{action}` – {}: {a}; {}: {b}.",
                    one.cause, other.cause, one.cause, other.cause
                ))
            });
            out.extend(parting);
        }
    }
    if let [only] = leading.as_slice()
        && let Some(check) = assessment.checks.first()
        && let Some((_, text)) = check.expected.iter().find(|(id, _)| *id == only.cause)
    {
        out.push(format!(
            "{} loses its lead when `{}` gives anything but: {text}.",
            only.cause, check.action
        ));
    }
    if scene.problem.is_some()
        && assessment.of(Cause::Overload).is_some_and(|h| h.verdict == Verdict::NotAssessable)
    {
        out.push("H9 becomes assessable with the server's own query statistics.".to_owned());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_names_are_words_of_a_command_line() {
        assert_eq!(shell_word("www.example.com."), "www.example.com");
        assert_eq!(shell_word("-f.example."), "-q -f.example");
        assert_eq!(shell_word("a\\208b;rm.example"), "'a\\208b;rm.example'");
        assert_eq!(shell_word("it's.example"), "'its.example'");
    }
}
