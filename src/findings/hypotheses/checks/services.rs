//! Next checks where a service beside DNS failed: a person first, then commands with the result each explanation predicts.

use super::{CLIENT, PATH, PEOPLE, SERVER, check, host, neighbour, shell_word};
use crate::attempts::{Face, Kind, Outcome, subject};
use crate::findings::facts::troubles::{Sort, Trouble};
use crate::findings::hypotheses::scene::Scene;
use crate::findings::hypotheses::wording::certificates::is_out_of_time;
use crate::findings::hypotheses::{Cause, Check};
use crate::findings::service_words as words;
use crate::time::{Basis, date_and_time, span};

/// The checks of one trouble.
pub fn list(scene: &Scene<'_, '_>, trouble: &Trouble, leading: &[Cause], out: &mut Vec<Check>) {
    let server = host(scene.server);
    let port = trouble.service().port;
    let when = if scene.facts.index.has_date() {
        let zone = if scene.facts.index.basis() == Basis::Utc { " UTC" } else { "" };
        format!(" at {}{zone}", date_and_time(trouble.span_ns().0))
    } else {
        " at that time".to_owned()
    };
    out.push(person(scene, trouble, leading, &when));
    of_causes(trouble, leading, &server, out);
    match (trouble.sort, trouble.kind()) {
        (Sort::Failed(Face::Lease, _), _) => lease(out),
        (Sort::Failed(Face::Tls, _), _) => tls(scene, trouble, &server, port, out),
        (Sort::Failed(Face::Large, _), _) => large(scene, trouble, &server, out),
        (Sort::Failed(Face::Stalled, _), _) => out.push(check(
            format!("ss -tmn '( sport = :{port} or dport = :{port} )'; ps -o pid,stat,wchan:20,cmd -p PID"),
            "the side that announced window 0",
            &[(
                Cause::ReceiverStalled,
                "Recv-Q near its limit: the program does not read; state T stopped, D waits for a disk",
            )],
        )),
        (Sort::Failed(Face::Misaddressed, _), _) => out.push(check(
            format!("ss -lunp 'sport = :{port}'; ip -br address; nft -a list ruleset"),
            SERVER,
            &[(
                Cause::LameAnswer,
                "the service listens on any address (*) and answers by the route back: bind it to the address that is asked",
            )],
        )),
        (Sort::Failed(Face::Silenced, _), _) => {
            out.push(check(
                probe(scene, trouble, &server, port),
                CLIENT,
                &[
                    (Cause::StateLost, "a new connection works at once"),
                    (Cause::HostDown, "it fails as well"),
                    (Cause::SilentDrop, "it fails as well"),
                ],
            ));
            out.push(check(
                format!("conntrack -L -d {server}"),
                PATH,
                &[(Cause::StateLost, "no entry for the old connection")],
            ));
        }
        (Sort::Slow | Sort::Failed(Face::Fails | Face::Mute | Face::Cut | Face::CutByDevice | Face::Displaced, _), _) => {
            application(scene, trouble, &server, port, out);
        }
        (Sort::Failed(Face::Unreached, _), _) => unreached(scene, trouble, leading, &server, port, out),
    }
}

/// Whether what the server sends back is what fails.
fn is_undelivered(trouble: &Trouble) -> bool {
    matches!(trouble.endings.first(), Some((Outcome::Undelivered(_), _)))
}

/// Who is asked first, and what: whoever can tell of the cause that leads.
fn person(scene: &Scene<'_, '_>, trouble: &Trouble, leading: &[Cause], when: &str) -> Check {
    let what = words::place(trouble);
    let client = match scene.clients.as_slice() {
        [one] => one.to_string(),
        _ => "the clients".to_owned(),
    };
    let server = words::hosts(trouble);
    let service = |question: &str| format!("ask who runs {what} {question}{when}");
    let way = format!("the network between {client} and {server}");
    let lead = leading.first().copied().unwrap_or(Cause::ApplicationError);
    let action = match lead {
        Cause::PathFilter | Cause::SilentDrop | Cause::PropertyFilter => {
            format!(
                "ask who runs the firewalls on the way from {client} to {server}, and on it, which rule was changed or meets {}{when}",
                words::services(trouble)
            )
        }
        Cause::HostDown => format!("ask who runs {server} whether it was off, unplugged or moved{when}"),
        Cause::NoRoute => match &trouble.looped {
            Some((_, routers)) if !routers.is_empty() => {
                let routers: Vec<String> = routers.iter().map(ToString::to_string).collect();
                format!(
                    "ask who runs the routers {} which way to {server} each of them had{when}",
                    words::list(&routers)
                )
            }
            _ if is_undelivered(trouble) => format!(
                "ask who runs the routers between {server} and {client} what changed in their routes back to {client}{when}"
            ),
            _ => {
                format!("ask who runs the routers on the way to {server} what changed in their routes{when}")
            }
        },
        Cause::LargePacketsLost => format!(
            "ask who runs the firewalls and routers between {client} and {server} whether one of them drops fragments (they carry no ports){when}"
        ),
        Cause::SizeBlackHole => format!(
            "ask who runs {way} whether a tunnel or link with a smaller MTU is on it, and whether ICMP “too big” is filtered{when}"
        ),
        Cause::StateLost | Cause::TableFull | Cause::SecondPacketLost => format!(
            "ask who runs the firewalls and translators between {client} and {server} after how long they forget a quiet connection{}",
            quiet(trouble)
        ),
        Cause::ContentReset | Cause::Interception | Cause::Portal => format!(
            "ask who runs the filters and proxies on the way from {client} to {server} which rule ends {}{when}",
            words::part(trouble)
                .trim_start()
                .strip_prefix("for ")
                .map_or_else(|| "these connections".to_owned(), |name| format!("connections for {name}"))
        ),
        Cause::LossyPath | Cause::SlowPath | Cause::FewHops => {
            format!("ask who runs {way} about loss and load on its links{when}")
        }
        Cause::NextHopGone | Cause::DuplicateAddress | Cause::NoLease | Cause::SecondDhcp => {
            format!("ask who runs the network of {client} what was changed or plugged in{when}")
        }
        Cause::ReceiverStalled
            if matches!(trouble.endings.first(), Some((Outcome::Stalled { by_client: true, .. }, _))) =>
        {
            format!("ask who uses {client} what its program did{when}: it stopped reading, the server waited")
        }
        Cause::TimeService => service("where it takes its time from, and whether its clock was set by hand"),
        Cause::IdleClosed => {
            let (own, other) = trouble.behind.as_ref().map_or((what.clone(), client.clone()), |behind| {
                let own = words::kind(behind.service, behind.kind);
                (format!("{own} of {}", behind.service.host), behind.client.to_string())
            });
            format!(
                "ask who runs {own} for its keep-alive time-out, and who runs {other} for its own: the one that opens must be the shorter"
            )
        }
        Cause::SharedIdentity => format!(
            "ask who runs {} which of them is to use this name (client identifier, account), and give the other one its own",
            words::list(&trouble.hosts_hit().iter().map(ToString::to_string).collect::<Vec<_>>())
        ),
        Cause::QueueFull => service("what the application waited for, and whether it was under load,"),
        Cause::LimitReached => service(&held_by(trouble)),
        Cause::Policy if !trouble.accounts.is_empty() => service(&format!(
            "whether {} was changed, has expired or is locked, and whether {client} has its password",
            words::accounts(&trouble.accounts)
        )),
        Cause::Policy => service("which of its settings, rights or passwords were changed"),
        Cause::TlsRefused
            if matches!(
                trouble.endings.first(),
                Some((Outcome::Alert { number: 42..=46 | 48 | 49 | 116, by_client: false }, _))
            ) =>
        {
            format!(
                "ask who runs {client} which certificate it presents and until when that is valid, and who runs {what} whose it accepts"
            )
        }
        Cause::TlsRefused if is_out_of_time(scene, trouble, false) => {
            service("what was to renew the certificate that it presented")
        }
        Cause::TlsRefused => service("which certificate, names or versions of TLS were changed"),
        Cause::DeadMember => service("which of its members were out of order"),
        Cause::ApplicationError if trouble.behind.is_some() => {
            let behind = trouble.behind.as_ref().map(|behind| {
                format!("{} of {}", words::kind(behind.service, behind.kind), behind.service.host)
            });
            format!(
                "ask who runs {}, which stands behind {server}, whether it was changed, restarted or under load{when}",
                behind.unwrap_or_default()
            )
        }
        _ => format!(
            "{}, and who else reported it",
            service("whether it was changed, restarted or under load")
        ),
    };
    let expected = [
        (Cause::NotRunning, "it was stopped or moved"),
        (Cause::ApplicationError, "errors in its log at that time"),
        (Cause::Mute, "it hung, or what it waits for did"),
        (Cause::ServerFilter, "a rule was changed"),
        (Cause::Policy, "a setting, right or password was changed, or never fitted"),
        (Cause::LimitReached, "more sessions or requests than before, or sessions that are never ended"),
        (Cause::QueueFull, "it hung, or had more to do than it can"),
        (Cause::IdleClosed, "the server's time is the shorter one"),
        (Cause::SharedIdentity, "both are set up with the same name"),
        (Cause::SilentDrop, "a rule drops this traffic"),
        (Cause::HostDown, "it was off or moved"),
        (Cause::NoRoute, "two of them sent it to each other, or had no route"),
        (Cause::StateLost, "less than the connection was quiet for"),
        (Cause::ContentReset, "a rule for such names, paths or contents"),
        (Cause::TimeService, "its source is wrong, missing, or it was set by hand"),
        (Cause::SizeBlackHole, "such a link, and no message about it passes"),
    ];
    let expected: Vec<(Cause, &str)> =
        expected.into_iter().filter(|(cause, _)| leading.contains(cause)).collect();
    check(action, PEOPLE, &expected)
}

/// What to ask of who runs a service whose limit is reached.
fn held_by(trouble: &Trouble) -> String {
    let most = trouble.held.as_ref().and_then(|held| held.clients.first());
    match most {
        Some((client, number, _)) if *number > 1 => {
            format!("how many connections or requests it allows, and why {client} had {number} of them,")
        }
        _ => "how many connections or requests it allows, and who has them,".to_owned(),
    }
}

/// How the server itself lists who holds its connections.
fn sessions(trouble: &Trouble, server: &str) -> String {
    let port = trouble.service().port;
    match trouble.kind() {
        Kind::Postgres => format!(
            "psql -h {server} -p {port} -c 'SELECT client_addr, usename, state, count(*), min(backend_start) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC' -c 'SHOW max_connections'"
        ),
        Kind::Mysql => format!(
            "mysql -h {server} -P {port} -e \"SHOW PROCESSLIST; SHOW VARIABLES LIKE 'max%connections'\""
        ),
        Kind::Redis => format!(
            "redis-cli -h {server} -p {port} CLIENT LIST; redis-cli -h {server} -p {port} CONFIG GET maxclients"
        ),
        Kind::Amqp => {
            "rabbitmqctl list_connections user peer_host state; rabbitmqctl list_vhost_limits".to_owned()
        }
        _ => format!("ss -tn state established '( sport = :{port} )'; the limits in the service's settings"),
    }
}

/// How long connections had been quiet that were forgotten.
fn quiet(trouble: &Trouble) -> String {
    let quiet = trouble.endings.iter().filter_map(|(outcome, _)| match outcome {
        Outcome::Silenced { quiet_ns, .. } if *quiet_ns > 0 => Some(*quiet_ns),
        _ => None,
    });
    quiet.max().map_or_else(String::new, |quiet_ns| format!("; this one was quiet for {}", span(quiet_ns)))
}

/// Commands that belong to one cause and not to how the failure showed.
fn of_causes(trouble: &Trouble, leading: &[Cause], server: &str, out: &mut Vec<Check>) {
    let port = trouble.service().port;
    for cause in leading {
        match cause {
            Cause::NoRoute => out.push(check(
                format!("mtr -rwn -c 10 {server}; on each of these routers: ip route get {server}"),
                PATH,
                &[(Cause::NoRoute, "the same routers in turn, each with the other as its next hop; or no route")],
            )),
            Cause::StateLost => out.push(check(
                "ssh -o ServerAliveInterval=15, or a TCP keep-alive (net.ipv4.tcp_keepalive_time) shorter than that time".to_owned(),
                CLIENT,
                &[(Cause::StateLost, "connections survive their pauses")],
            )),
            Cause::IdleClosed => out.push(check(
                "the keep-alive time of both sides (nginx: keepalive_timeout of the server, keepalive_timeout in upstream of the proxy)".to_owned(),
                SERVER,
                &[(Cause::IdleClosed, "the server's is the shorter one; made the longer one, the failures end")],
            )),
            Cause::QueueFull => out.push(check(
                format!("ss -ltn 'sport = :{port}'; nstat -az TcpExtListenOverflows TcpExtListenDrops"),
                SERVER,
                &[(Cause::QueueFull, "Recv-Q above Send-Q at the listening socket, and both counters rise")],
            )),
            Cause::LargePacketsLost => out.push(check(
                format!("ping -c 3 -s 56 {server}; ping -c 3 -s 3000 {server}"),
                CLIENT,
                &[(Cause::LargePacketsLost, "only the small ones are answered")],
            )),
            Cause::WrongAddress => out.push(check(
                "resolvectl domain; grep -E '^(search|domain)' /etc/resolv.conf, on Windows Get-DnsClientGlobalSetting".to_owned(),
                CLIENT,
                &[(Cause::WrongAddress, "a search domain nobody intended, or none where the short name needs one")],
            )),
            Cause::SharedIdentity => out.push(check(
                format!("the log of {} for {}", words::services(trouble), words::hit(trouble)),
                SERVER,
                &[(Cause::SharedIdentity, "sessions taken over (session taken over, already connected)")],
            )),
            Cause::LimitReached => out.push(check(
                sessions(trouble, server),
                SERVER,
                &[(Cause::LimitReached, "as many as the limit; whoever has most of them, and for how long")],
            )),
            Cause::TimeService => out.push(check(
                format!("chronyd -Q 'server {server} iburst'; on it: chronyc -n sources, chronyc tracking"),
                CLIENT,
                &[(Cause::TimeService, "an offset far from that of other servers, or no source it trusts")],
            )),
            Cause::Policy if trouble.service().transport == 6 => out.push(check(
                format!("the log of {} for {}", words::services(trouble), words::hit(trouble)),
                SERVER,
                &[(Cause::Policy, "the same refusal with its reason"), (Cause::ApplicationError, "an error in its place")],
            )),
            _ => {}
        }
    }
}

/// How to try the service again.
fn probe(scene: &Scene<'_, '_>, trouble: &Trouble, server: &str, port: u16) -> String {
    let bracketed = if scene.server.is_v6() { format!("[{server}]") } else { server.to_owned() };
    let name = trouble.names.first().map(|name| shell_word(name)).filter(|name| !name.starts_with("-q "));
    let path = trouble
        .attempts(scene.facts.attempts)
        .find_map(|own| subject::of(scene.facts.index, own).path)
        .filter(|path| path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-~".contains(c)))
        .unwrap_or_else(|| "/".to_owned());
    let times = "'%{http_code} %{time_connect} %{time_starttransfer}\\n'";
    match (trouble.kind(), name) {
        (Kind::Http, Some(name)) => format!(
            "curl -sS -o /dev/null -w {times} --connect-timeout 5 --resolve {name}:{port}:{bracketed} http://{name}:{port}{path}"
        ),
        (Kind::Http, None) => {
            format!("curl -sS -o /dev/null -w {times} --connect-timeout 5 http://{bracketed}:{port}{path}")
        }
        (Kind::Tls, Some(name)) => {
            format!("openssl s_client -connect {bracketed}:{port} -servername {name} </dev/null")
        }
        (Kind::Tls, None) => format!("openssl s_client -connect {bracketed}:{port} </dev/null"),
        (Kind::Ntp, _) => format!("chronyd -Q 'server {server} iburst'"),
        (Kind::Snmp, _) => format!("snmpget -v2c -c COMMUNITY -t 2 -r 1 {server} 1.3.6.1.2.1.1.3.0"),
        (Kind::Radius, _) => format!("radtest USER PASSWORD {server} 0 SECRET"),
        (Kind::Sip, _) => format!("sipsak -vv -s sip:{server}:{port}"),
        (Kind::Tftp, _) => format!("tftp {server} -c get FILE"),
        (Kind::Echo, _) => format!("ping -c 3 {server}"),
        (_, _) if trouble.service().transport == 17 => format!("nc -u -w 3 -v {server} {port} </dev/null"),
        (_, _) => format!("nc -w 5 -v {server} {port} </dev/null"),
    }
}

fn unreached(
    scene: &Scene<'_, '_>,
    trouble: &Trouble,
    leading: &[Cause],
    server: &str,
    port: u16,
    out: &mut Vec<Check>,
) {
    let transport = if trouble.service().transport == 6 { 't' } else { 'u' };
    if trouble.kind() != Kind::Echo {
        out.push(check(
            format!("ss -l{transport}np 'sport = :{port}'; nft -a list ruleset"),
            SERVER,
            &[
                (Cause::NotRunning, "no socket at that port, or only on another address"),
                (Cause::ServerFilter, "a socket is there, and a rule that rejects"),
                (
                    Cause::DeviceInFront,
                    "a socket, no such rule, and no counter moves: the packets do not arrive",
                ),
                (
                    Cause::WrongAddress,
                    "this host was never meant to offer it, or another name or search domain was meant",
                ),
                (Cause::SilentDrop, "a socket is there, and a rule that drops, or the packets do not arrive"),
            ],
        ));
    }
    out.push(check(
        probe(scene, trouble, server, port),
        CLIENT,
        &[
            (Cause::NotRunning, "refused at once"),
            (Cause::ServerFilter, "refused at once"),
            (Cause::HostDown, "no route to host after about 3 s, or it times out"),
            (Cause::SilentDrop, "it times out"),
            (Cause::PathFilter, "refused, or no route to host, at once"),
        ],
    ));
    if leading.contains(&Cause::HostDown)
        || leading.contains(&Cause::NextHopGone)
        || leading.contains(&Cause::SilentDrop)
    {
        out.push(check(
            format!("ping -c 3 {server}; {}", neighbour(scene.server)),
            CLIENT,
            &[
                (Cause::HostDown, "no reply; FAILED where it is on the same network"),
                (Cause::SilentDrop, "replies: the host is there"),
                (Cause::NextHopGone, "FAILED for the gateway"),
            ],
        ));
        if trouble.service().transport == 6 {
            out.push(check(
                format!("tcptraceroute -n {server} {port}"),
                CLIENT,
                &[
                    (Cause::SilentDrop, "ends where the filter stands, at the server or before it"),
                    (Cause::HostDown, "ends at the last router before the server"),
                ],
            ));
        }
    }
    if matches!(trouble.kind(), Kind::Snmp | Kind::Radius) {
        out.push(check(
            "compare community or secret, and the list of clients that may ask".to_owned(),
            SERVER,
            &[(Cause::Policy, "they differ, or the client is not listed; the server's log says so")],
        ));
    }
}

fn application(scene: &Scene<'_, '_>, trouble: &Trouble, server: &str, port: u16, out: &mut Vec<Check>) {
    if trouble.kind() == Kind::Ntp {
        return;
    }
    out.push(check(
        probe(scene, trouble, server, port),
        CLIENT,
        &[
            (Cause::ApplicationError, "connects at once, and the same code again"),
            (Cause::Mute, "connects at once, then nothing"),
            (Cause::SlowService, "a short time to connect, a long one to the first byte"),
            (Cause::SlowPath, "both times are long"),
            (Cause::ContentReset, "reset; another name or path works"),
        ],
    ));
    if trouble.service().transport != 6 {
        out.push(check(
            "the service's own log and status at that time".to_owned(),
            SERVER,
            &[
                (Cause::ApplicationError, "the log names the error at that time"),
                (Cause::SlowService, "the log shows the same times"),
                (Cause::TimeService, "it is not synchronised, or limits this client"),
            ],
        ));
        return;
    }
    out.push(check(
        format!("ss -tn state established '( sport = :{port} )'; ss -ltn 'sport = :{port}'; the service's log"),
        SERVER,
        &[
            (Cause::Mute, "Recv-Q holds the request: the program does not read; 0 and 0: it waits for something behind it"),
            (Cause::ApplicationError, "the log names the error at that time"),
            (Cause::SlowService, "the log shows the same times"),
        ],
    ));
}

fn tls(scene: &Scene<'_, '_>, trouble: &Trouble, server: &str, port: u16, out: &mut Vec<Check>) {
    let again = probe(scene, trouble, server, port);
    let number = trouble.outcomes(scene.facts.attempts).iter().find_map(|(outcome, _)| match outcome {
        Outcome::Alert { number, .. } => Some(*number),
        _ => None,
    });
    let of_client = trouble.outcomes(scene.facts.attempts).iter().any(|(outcome, _)| {
        matches!(
            outcome,
            Outcome::Alert { number: 40 | 42..=46 | 48 | 49 | 51 | 116, by_client: false }
                | Outcome::Left { by_client: false }
        )
    });
    // The client's own certificate is what the server looks at.
    let again = if of_client {
        out.push(check(
            "openssl x509 -in CLIENT.crt -noout -subject -issuer -dates".to_owned(),
            CLIENT,
            &[(Cause::TlsRefused, "notAfter lies in the past, or an issuer that the server does not trust")],
        ));
        again.replace(" </dev/null", " -cert CLIENT.crt -key CLIENT.key </dev/null")
    } else {
        again
    };
    let again = if !of_client && number.is_some_and(|number| matches!(number, 42..=46 | 48)) {
        again.replace(" </dev/null", " -showcerts </dev/null")
    } else {
        again
    };
    out.push(check(
        again,
        CLIENT,
        &[(
            Cause::TlsRefused,
            if of_client {
                "the same alert again with the client's certificate; without -cert and -key alert 116 or 40 where one is demanded"
            } else {
                "the same alert again; -showcerts: one certificate only is an incomplete chain, an issuer its owner does not know is interception"
            },
        )],
    ));
    if number == Some(112) {
        let bracketed = if scene.server.is_v6() { format!("[{server}]") } else { server.to_owned() };
        out.push(check(
            format!(
                "openssl s_client -connect {bracketed}:{port} -servername NAME-KNOWN-TO-BE-HOSTED </dev/null"
            ),
            CLIENT,
            &[(Cause::TlsRefused, "connects: the name is missing there; the same alert: another server")],
        ));
    }
}

fn large(scene: &Scene<'_, '_>, trouble: &Trouble, server: &str, out: &mut Vec<Check>) {
    let (most, less) = if scene.server.is_v6() { (1_452, 1_180) } else { (1_472, 1_200) };
    out.push(check(
        format!("ping -M do -s {most} -c 3 {server}; ping -M do -s {less} -c 3 {server}"),
        CLIENT,
        &[
            (Cause::SizeBlackHole, "only the small ones are answered, and nothing says why"),
            (Cause::LossyPath, "both sizes lose some"),
            (Cause::Mute, "both are answered"),
        ],
    ));
    let again = probe(scene, trouble, server, trouble.service().port);
    out.push(check(
        format!("ip route replace {server} via GATEWAY advmss 1200; {again}"),
        CLIENT,
        &[(Cause::SizeBlackHole, "works with small segments"), (Cause::Mute, "still no answer")],
    ));
}

fn lease(out: &mut Vec<Check>) {
    out.push(check(
        "nmap --script broadcast-dhcp-discover, from the same VLAN".to_owned(),
        PATH,
        &[
            (Cause::NoLease, "no offer: server, relay or pool; an offer: the client's own port"),
            (Cause::SecondDhcp, "two server identifiers"),
        ],
    ));
    out.push(check(
        "the DHCP server's log and the free addresses of its pool".to_owned(),
        SERVER,
        &[
            (Cause::NoLease, "requests do not arrive, or no address is free"),
            (Cause::Policy, "it says why it refused"),
        ],
    ));
}

/// Checks where two DHCP servers give different settings.
pub fn rivals(out: &mut Vec<Check>) {
    out.push(check(
        "ask the network operator which DHCP servers are meant to be on this network, and where the other one's port is".to_owned(),
        PEOPLE,
        &[(Cause::SecondDhcp, "one of the two is unknown, or was plugged in lately")],
    ));
    lease(out);
}
