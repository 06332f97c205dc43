//! Checks for incidents of their own kind: two owners, a portal, servers that disagree, the next hop, and those beside DNS.

use super::{
    CLIENT, PATH, PEOPLE, SERVER, check, filtered_host, host, kind, largest_echo, name, neighbour, route,
    shell_word,
};
use crate::decode::Address;
use crate::findings::duplicate_address::link_words;
use crate::findings::facts::Conflict;
use crate::findings::facts::disagreement::Disagreement;
use crate::findings::facts::unknown_zones::UnknownZone;
use crate::findings::hypotheses::Check;
use crate::findings::hypotheses::catalogue::Cause;
use crate::findings::hypotheses::scene::{Incident, Scene};

/// Checks where all names lead to one address.
pub(super) fn portal(scene: &Scene<'_, '_>, address: Address) -> Vec<Check> {
    let (server, name, kind) = (host(scene.server), name(scene), kind(scene));
    vec![
        check(
            "ask the owner of the network whether it has a sign-in page".to_owned(),
            PEOPLE,
            &[(Cause::Portal, "it has one: sign in, then names resolve; or nobody knows of one")],
        ),
        check(
            format!("dig @{server} {name} {kind}; curl -sI http://{}/", name.trim_start_matches("-q ")),
            CLIENT,
            &[
                (Cause::Portal, "the same private address, and a redirect to another page"),
                (Cause::Interception, "the same private address from any server asked, and no sign-in page"),
            ],
        ),
        check(
            format!("{}; {}", neighbour(address), route(scene.server)),
            CLIENT,
            &[(Cause::Portal, "the address is the gateway's")],
        ),
    ]
}

/// Checks where servers of one zone disagree.
pub(super) fn serials(own: &Disagreement) -> [Check; 2] {
    let (zone, outdated, current) = (shell_word(&own.zone), host(own.outdated), host(own.current));
    let expected = match own.serials {
        Some(_) => "different serial numbers: the first is older",
        None => {
            "different serial numbers: the lower one is older; equal ones: a copy was changed without a new number"
        }
    };
    [
        check(
            format!(
                "dig +short +norecurse @{outdated} {zone} SOA; dig +short +norecurse @{current} {zone} SOA"
            ),
            CLIENT,
            &[
                (Cause::LameAnswer, expected),
                (Cause::NameMissing, "equal serial numbers, and both deny the name"),
                (Cause::SplitDns, "SOA records of different zones, as views of inside and outside have"),
            ],
        ),
        check(
            format!(
                "the zone's transfers in the log of {outdated}; `rndc retransfer {zone}`, then the first check again"
            ),
            SERVER,
            &[(Cause::LameAnswer, "transfers that fail or were never begun; equal numbers afterwards")],
        ),
    ]
}

/// Checks where two resolvers know different zones.
pub(super) fn split(scene: &Scene<'_, '_>, own: &UnknownZone<'_>) -> Vec<Check> {
    let (lacks, knows, name, kind) = (host(scene.server), host(own.knows), name(scene), kind(scene));
    let zone = shell_word(own.looked_in.as_ref().unwrap_or(&own.zone));
    let mut checks = vec![check(
        format!("dig @{knows} {zone} SOA; dig @{lacks} {zone} SOA"),
        CLIENT,
        &[
            (Cause::LameAnswer, "the same SOA record with different serial numbers, or equal ones"),
            (Cause::SplitDns, "SOA records that name different servers (MNAME), or only the first gives one"),
        ],
    )];
    checks.retain(|_| own.same_zone.is_some());
    checks.extend([
        check(
            format!("dig @{knows} {name} {kind}; dig @{lacks} {name} {kind}"),
            CLIENT,
            &[
                (Cause::SplitDns, "NOERROR from the first, NXDOMAIN from the second"),
                (Cause::NameMissing, "NXDOMAIN from both"),
            ],
        ),
        check(
            "`resolvectl status`, on macOS `scutil --dns`, on Windows `Get-DnsClientNrptPolicy`".to_owned(),
            CLIENT,
            &[(Cause::SplitDns, "no resolver is set for the zone (`~zone` is missing), or the wrong one")],
        ),
    ]);
    checks
}

/// Checks where two devices use one address.
pub(super) fn owners(conflict: &Conflict) -> Vec<Check> {
    let address = conflict.address;
    let links: Vec<String> = conflict.owners.iter().map(|owner| link_words(owner.link)).collect();
    let links = links.join(" and ");
    let probe = if address.is_v6() {
        let (host, neighbour) = (host(address), neighbour(address));
        format!("on its network: ndisc6 -r 3 {host} INTERFACE; {neighbour}")
    } else {
        format!("on its network, from a third host: arping -c 3 -I INTERFACE {}", host(address))
    };
    vec![
        check(
            format!(
                "ask the network operator which devices have the link addresses {links}, and which of them owns {address}"
            ),
            PEOPLE,
            &[(
                Cause::DuplicateAddress,
                "two devices, one of them configured wrongly or not known to anyone",
            )],
        ),
        check(
            probe,
            PATH,
            &[(Cause::DuplicateAddress, "replies from two link addresses; from one: it is over")],
        ),
    ]
}

/// Checks where the way to other networks does not answer for its address.
pub(super) fn next_hop(server: Address) -> Vec<Check> {
    vec![
        check(
            format!(
                "ask the network operator whether {server} was up and its port and VLAN unchanged at that time"
            ),
            PEOPLE,
            &[(
                Cause::NextHopGone,
                "it was down or moved; or it was up, and the client's own port or VLAN is at fault",
            )],
        ),
        check(
            format!("{}; ip neigh show", neighbour(server)),
            CLIENT,
            &[(
                Cause::NextHopGone,
                "FAILED for the gateway alone: the gateway; FAILED for all: the client's own link",
            )],
        ),
    ]
}

/// Checks for incidents that are no failed lookups.
pub(super) fn beside_dns(scene: &Scene<'_, '_>, checks: &mut Vec<Check>) {
    let server = host(scene.server);
    match scene.incident {
        Some(Incident::Fragments) => checks.push(check(
            format!("dig +bufsize=512 @{server}; dig +bufsize=1232 @{server}; dig +bufsize=4096 @{server}; ping -M do -s {} {server}", largest_echo(scene.server)),
            CLIENT,
            &[(Cause::LargePacketsLost, "small sizes answer, large ones time out"), (Cause::SilentDrop, "all sizes time out")],
        )),
        Some(Incident::Outdated(own)) => checks.extend(serials(own)),
        Some(Incident::Contested(_)) => {
            let (name, kind) = (name(scene), kind(scene));
            checks.push(check(
                format!("dig @{server} {name} {kind}; dig +tcp @{server} {name} {kind}"),
                CLIENT,
                &[
                    (Cause::Interception, "the two give different addresses, or two answers to one question"),
                    (Cause::Portal, "the same private address as for every other name"),
                ],
            ));
            checks.push(check(
                "ask the owner of the network whether a sign-in page or a DNS filter is in use; repeat after signing in".to_owned(),
                PEOPLE,
                &[(Cause::Portal, "a portal is in use, and names lead to their own addresses after signing in")],
            ));
        }
        Some(Incident::Conflict) => checks.push(check(
            format!("tcpdump -ni any -s0 -w again.pcapng 'host {} and ({})', at client and server at once", filtered_host(scene.server), scene.facts.index.settings.capture_filter()),
            "client and server",
            &[(Cause::ForgedError, "the error appears at the client and never leaves the server")],
        )),
        _ => checks.push(check(
            "query log or dnstap, `rndc stats`, interface counters and upstream flow records for the time in question".to_owned(),
            SERVER,
            &[(Cause::Overload, "a rate far above its usual level, from the same sources and for the same names")],
        )),
    }
}
