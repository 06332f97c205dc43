//! Rule `arp-unanswered`: nobody answers for an address on the local network.

use std::collections::BTreeMap;

use super::facts::leases::GivenAs;
use super::facts::runs::{Run, Wanted};
use super::facts::{Facts, errors};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::clock;

/// The rule.
pub static RULE: Rule = Rule {
    id: "arp-unanswered",
    title: "Link address requests without reply",
    doc: "Three or more ARP requests (or neighbour solicitations) of one host for one address in a row without a reply, counted from the \
          last sign of life of that address on, where replies would be visible. Ordinary for addresses that are not in use: all of them \
          in one finding (info). For the next hop to other networks or a server that had answered before: high from six requests or two \
          attempts on, else medium; the same for a name server or router that DHCP gave to the host that asks, whether it ever answered \
          or not; medium for another server that never answered, and from six requests or two attempts on for the one address that a host \
          asks for which has the number of a router (1 or 254) while nothing it sends leaves its network; low for an address asked for nine times in three attempts \
          by a host that sends nothing else.",
    run,
};

/// Requests of a host that does nothing but ask, from which they are told.
const ASKED_REQUESTS: usize = 9;
/// The same in attempts.
const ASKED_BURSTS: usize = 3;

/// The runs for one address, of all who ask for it.
struct Sought<'f> {
    target: Address,
    wanted: Wanted,
    runs: Vec<&'f Run>,
}

impl Sought<'_> {
    fn requests(&self) -> usize {
        self.runs.iter().map(|run| run.requests.len()).sum()
    }

    /// The last sign of life before the requests, whoever saw it.
    fn last_sign(&self) -> Option<PacketId> {
        self.runs.iter().filter_map(|run| run.last_sign).max()
    }

    /// What DHCP gave it out as, and the acknowledgment.
    fn given(&self) -> Option<(GivenAs, PacketId)> {
        self.runs.iter().find_map(|run| run.given)
    }

    fn severity(&self) -> Severity {
        let lasting = self.runs.iter().any(|run| run.is_lasting());
        let only =
            |run: &&Run| run.asks_only && run.requests.len() >= ASKED_REQUESTS && run.bursts >= ASKED_BURSTS;
        match self.wanted {
            Wanted::NextHop | Wanted::Server
                if (self.last_sign().is_some() || self.given().is_some()) && lasting =>
            {
                Severity::High
            }
            Wanted::NextHop | Wanted::Server | Wanted::Supposed => Severity::Medium,
            Wanted::Unknown if self.runs.iter().copied().any(|run| only(&run)) => Severity::Low,
            Wanted::Unknown => Severity::Info,
        }
    }
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut targets: BTreeMap<Address, Sought<'_>> = BTreeMap::new();
    // Addresses that somebody tries on purpose are not missed.
    let swept = |run: &&Run| facts.sweeps.iter().any(|sweep| sweep.targets.contains(&run.target));
    for run in facts.runs.iter().filter(|run| !swept(run)) {
        let sought = targets.entry(run.target).or_insert_with(|| Sought {
            target: run.target,
            wanted: run.wanted,
            runs: Vec::new(),
        });
        sought.wanted = sought.wanted.min(run.wanted);
        sought.runs.push(run);
    }
    let (ordinary, grave): (Vec<_>, Vec<_>) =
        targets.into_values().partition(|sought| sought.severity() == Severity::Info);
    let mut found: Vec<Finding> = grave.iter().map(|sought| missing(facts, sought)).collect();
    found.extend(unused(facts, ordinary));
    found
}

/// A filter for the requests for one address.
fn requests_for(target: Address) -> String {
    match target {
        // The protocol first: it is a column, and leaves few packets to be read.
        target if target.is_v6() => {
            format!("icmpv6 && icmpv6.nd.ns.target_address == {}{}", target.literal(), target.site_term())
        }
        _ => format!(
            "arp && arp.opcode == 1 && arp.dst.proto_ipv4 == {}{}",
            target.literal(),
            target.site_term()
        ),
    }
}

/// An address that matters.
fn missing(facts: &Facts<'_>, sought: &Sought<'_>) -> Finding {
    let (target, number) = (sought.target, sought.requests());
    let about = |quoted: &errors::Quoted| quoted.destination.0 == target;
    let error = facts.errors.iter().find(|error| error.quoted.as_ref().is_some_and(about));
    let requests: Vec<PacketId> = sought.runs.iter().flat_map(|run| run.requests.iter().copied()).collect();
    let mut frames = requests.clone();
    frames.extend(error.map(|error| error.packet));
    frames.extend(sought.last_sign());
    let since = sought.last_sign().map(|sign| format!(" after {}", facts.index.label(sign)));
    let asked = format!(
        "{number} requests of {} for the link address of {target} got no reply{}",
        askers_of(sought),
        since.clone().unwrap_or_default()
    );
    let left: usize = sought.runs.iter().map(|run| run.sent_beyond).sum();
    let given = sought.given().map(|(role, packet)| {
        let role = if role == GivenAs::Router { "the way to other networks" } else { "a name server" };
        frames.push(packet);
        format!(
            "; DHCP gave it out as {role} ({}){}",
            facts.index.label(packet),
            instead(facts, sought, &mut frames)
        )
    });
    let asked = format!("{asked}{}{}", during(facts, sought), given.unwrap_or_default());
    let statement = match sought.wanted {
        Wanted::NextHop if left == 0 => {
            format!("{asked}; it was the way to other networks, and nothing was sent beyond it any more")
        }
        Wanted::NextHop => format!("{asked}; it was the way to other networks"),
        Wanted::Server if since.is_some() => format!("{asked}; it had been reached before"),
        Wanted::Server if sought.given().is_some() => asked,
        Wanted::Server => format!("{asked}; packets were meant for it"),
        Wanted::Supposed => {
            format!(
                "{asked}; by its number it is the way to other networks, and nothing was sent beyond the own one"
            )
        }
        Wanted::Unknown => format!("{asked}, and nothing else was sent by the host that asked"),
    };
    Finding {
        id: RULE.id,
        severity: sought.severity(),
        statement,
        counts: vec![Count {
            label: "requests".into(),
            value: requests.len() as u64,
            filter: rules::frames_counted(facts, &requests),
        }],
        filter: requests_for(target),
        frames: rules::tidy(frames),
        code: None,
    }
}

/// Askers named one by one.
const ASKERS_MAX: usize = 4;

/// `10.0.0.27 (27) and 10.0.0.28 (33)`, or `7 clients`.
fn askers_of(sought: &Sought<'_>) -> String {
    let mut askers: BTreeMap<Address, usize> = BTreeMap::new();
    for run in &sought.runs {
        *askers.entry(run.asker).or_default() += run.requests.len();
    }
    if askers.len() == 1 || askers.len() > ASKERS_MAX {
        return rules::clients(&askers.into_keys().collect::<Vec<_>>());
    }
    let shown: Vec<String> = askers.iter().map(|(asker, requests)| format!("{asker} ({requests})")).collect();
    match shown.split_last() {
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

/// `, from 02:00:05 to 02:00:50`; empty without times.
fn during(facts: &Facts<'_>, sought: &Sought<'_>) -> String {
    let from = sought.runs.iter().map(|run| run.span_ns.0).min().unwrap_or(0);
    let to = sought.runs.iter().map(|run| run.span_ns.1).max().unwrap_or(0);
    if !facts.index.has_times() {
        return String::new();
    }
    match (clock(from), clock(to)) {
        (from, to) if from == to => format!(", at {from}"),
        (from, to) => format!(", from {from} to {to}"),
    }
}

/// What other clients were given in place of a name server.
fn instead(facts: &Facts<'_>, sought: &Sought<'_>, frames: &mut Vec<PacketId>) -> String {
    if sought.given().is_none_or(|(role, _)| role == GivenAs::Router) {
        return String::new();
    }
    let others = facts.given.instead_of(sought.target);
    if others.is_empty() {
        return String::new();
    }
    frames.extend(others.values());
    let shown: Vec<String> = others.keys().take(ASKERS_MAX).map(ToString::to_string).collect();
    format!(", and {} to others", shown.join(", "))
}

/// All other addresses, most asked for first.
fn unused(facts: &Facts<'_>, mut targets: Vec<Sought<'_>>) -> Option<Finding> {
    targets.sort_by_key(|sought| (std::cmp::Reverse(sought.requests()), sought.target));
    let of = |sought: &Sought<'_>| -> Vec<PacketId> {
        sought.runs.iter().flat_map(|run| run.requests.iter().copied()).collect()
    };
    let all: Vec<PacketId> = targets.iter().flat_map(of).collect();
    let mut counts = vec![Count {
        label: "requests without reply".into(),
        value: all.len() as u64,
        filter: rules::frames_counted(facts, &all),
    }];
    counts.extend(targets.iter().take(rules::TOP_MAX).map(|sought| Count {
        label: format!("requests for {}", sought.target),
        value: sought.requests() as u64,
        filter: rules::frames_counted(facts, &of(sought)),
    }));
    let first = targets.first()?.target;
    let one = targets.len() == 1;
    let addresses: Vec<Address> = targets.iter().map(|sought| sought.target).collect();
    Some(Finding {
        id: RULE.id,
        severity: Severity::Info,
        statement: if one {
            format!("{} requests for the link address of {first} got no reply", all.len())
        } else {
            let most = targets.first().map_or(0, Sought::requests);
            format!(
                "{} requests for the link addresses of {} got no reply, {} for {first}",
                crate::text::thousands(all.len() as u64),
                rules::counted(targets.len(), "address", "addresses"),
                if most * 2 > all.len() { "most of them".to_owned() } else { format!("{most} of them") }
            )
        },
        filter: Some(rules::any_of(&addresses, requests_for))
            .filter(|filter| !filter.is_empty())
            .unwrap_or_else(|| requests_for(first)),
        frames: rules::tidy(all),
        counts: if one { counts.into_iter().take(1).collect() } else { counts },
        code: None,
    })
}
