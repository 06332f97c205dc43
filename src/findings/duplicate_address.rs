//! Rule `duplicate-address`: two devices speak for one address on the local network.

use super::facts::Facts;
use super::facts::neighbours::{Conflict, Owner};
use super::facts::troubles::Trouble;
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "duplicate-address",
    title: "Two devices use one address",
    doc: "Two link addresses claim one address in ARP or neighbour discovery, and the first is heard again within 60 s after the second, \
          or one of them refuses what the other serves meanwhile: one of them was given an address that is in use, or claims it falsely \
          (RFC 5227; RFC 826). Routers that share an address (VRRP, HSRP, GLBP, CARP) and addresses that move for good are none. High \
          where what is asked of, or by, that address fails meanwhile; else medium.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts.conflicts.iter().map(|conflict| finding(facts, conflict)).collect()
}

/// A link address as people write it.
pub fn link_words([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// The devices by their link addresses.
fn devices(conflict: &Conflict) -> String {
    let links: Vec<String> = conflict.owners.iter().map(|owner: &Owner| link_words(owner.link)).collect();
    links.join(" and ")
}

/// What is seen of it, as a sentence without its end.
pub fn words(conflict: &Conflict) -> String {
    let (number, address, devices) = (conflict.owners.len(), conflict.address, devices(conflict));
    let Some(parting) = &conflict.parting else {
        return format!(
            "{number} devices speak for {address} by turns: {devices}; what is sent to it reaches one of them, whichever spoke last"
        );
    };
    let (serves, served) = parting.serves;
    let fails = link_words(parting.fails);
    let failed = match parting.failed {
        (refused, 0) => format!("{refused} refused by {fails}"),
        (0, silent) => format!("{silent} sent in vain to {fails}"),
        (refused, silent) => format!("{refused} refused by {fails} and {silent} sent to it in vain"),
    };
    format!(
        "{number} devices use {address}: {devices}; {} by {}, and {failed}",
        rules::counted(served as usize, "attempt was served", "attempts were served"),
        link_words(serves)
    )
}

/// Whether failures go with it: what was asked of, or by, that address and failed after the second device appeared.
fn suffers(facts: &Facts<'_>, conflict: &Conflict) -> bool {
    let fails = |trouble: &Trouble| {
        trouble.severity > Severity::Low
            && trouble.service().host == conflict.address
            && trouble.span_ns().1 >= conflict.since_ns
    };
    facts.troubles.all.iter().any(fails)
        || facts.problems().any(|(_, problem)| {
            problem.last_ns >= conflict.since_ns
                && (problem.server.0 == conflict.address || problem.clients.contains(&conflict.address))
        })
}

fn finding(facts: &Facts<'_>, conflict: &Conflict) -> Finding {
    let frames = conflict.frames();
    let address = conflict.address;
    let counts = conflict.owners.iter().map(|owner| Count {
        label: format!("claims of {}", link_words(owner.link)),
        value: owner.claims.len() as u64,
        filter: rules::frames_counted(facts, &owner.claims),
    });
    Finding {
        id: RULE.id,
        severity: if suffers(facts, conflict) { Severity::High } else { Severity::Medium },
        statement: words(conflict),
        counts: counts.collect(),
        filter: filter(address, &frames, facts),
        frames: rules::tidy(frames),
        code: None,
    }
}

fn filter(address: Address, frames: &[PacketId], facts: &Facts<'_>) -> String {
    if address.is_v4() {
        format!("arp && arp.src.proto_ipv4 == {}", address.literal())
    } else {
        rules::frames_filter(facts, frames)
    }
}
