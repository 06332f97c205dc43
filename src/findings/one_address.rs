//! Rule `one-address`: whatever a client asks, it is led to one private address.

use super::facts::{Facts, one_address::OneAddress};
use super::{Count, Finding, Rule, Severity, rules};
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "one-address",
    title: "Unrelated names that all lead to one address",
    doc: "Names in three or more zones whose answers gave one client the same private address, four fifths at least of all \
          addresses it was given meanwhile: a sign-in portal, a filter or another interception answers in the resolver's name. \
          Medium.",
    run,
};

/// Names told one by one.
const NAMES_TOLD: usize = 4;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts.one_address.iter().map(|led| finding(facts, led)).collect()
}

fn finding(facts: &Facts<'_>, led: &OneAddress) -> Finding {
    let told: Vec<String> = led.names.iter().take(NAMES_TOLD).map(|name| rules::plain_name(name)).collect();
    let more = led.names.len().saturating_sub(NAMES_TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let servers: Vec<String> = led.servers.iter().take(NAMES_TOLD).map(ToString::to_string).collect();
    let way = if led.is_next_hop { ", the client's own way to other networks" } else { "" };
    let otherwise = led.otherwise.as_ref().map(|(packet, name, address)| {
        let (name, label) = (rules::plain_name(name), facts.index.label(*packet));
        format!("; {name} was answered with {address} in {label}")
    });
    let statement = format!(
        "{} names in {} zones were all answered with {} for {} ({}{more}){way}; asked were {}{}",
        led.names.len(),
        led.zones,
        led.address,
        led.client,
        told.join(", "),
        servers.join(", "),
        otherwise.unwrap_or_default()
    );
    let mut frames: Vec<PacketId> = led.answers.clone();
    frames.extend(led.otherwise.as_ref().map(|(packet, ..)| *packet));
    Finding {
        id: RULE.id,
        severity: Severity::Medium,
        statement,
        counts: vec![Count {
            label: "answers with this address".into(),
            value: led.answers.len() as u64,
            filter: rules::frames_counted(facts, &led.answers),
        }],
        filter: rules::frames_filter(facts, &rules::tidy(frames.clone())),
        frames: rules::tidy(frames),
        code: None,
    }
}
