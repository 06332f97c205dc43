//! Rule `service-failures`: connections to services other than DNS that were accepted and then failed, as their packets tell.

use super::coverage::{self, OpenItem, OpenKind};
use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};
use crate::time::{Nanos, span};

/// The rule.
pub static RULE: Rule = Rule {
    id: "service-failures",
    title: "Services that accept and then fail",
    doc: "Connections over TCP that were accepted and then failed, two at least at one port unless said otherwise: requests acknowledged \
          and never answered (services §1.4 mute; with data of the server that were never acknowledged, a black hole by size), the same \
          data sent again and again without acknowledgement (one is enough), resets before any answer, fatal TLS alerts (§1.5), HTTP 5xx \
          (§1.6), receivers that took nothing for a second and more (one is enough). High where none of the clients' connections to that \
          port was served meanwhile; medium otherwise; low for a receiver that stalled for less than five seconds.",
    run,
};

/// Failures at one port from which they are no chance.
const SERIES_MIN: u64 = 2;
/// Statuses from this one on say that the server failed (RFC 9110 §15.6).
const SERVER_ERROR: u16 = 500;
/// A receiver that takes nothing for this long keeps people waiting.
const STALLED_NS: Nanos = 5_000_000_000;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let items = coverage::unassessed(facts);
    items.iter().filter(|item| !is_told(facts, item)).filter_map(|item| finding(facts, item)).collect()
}

/// Whether another rule tells of it: DNS has its own, and so have sites that fail after their name was resolved.
fn is_told(facts: &Facts<'_>, item: &OpenItem) -> bool {
    let site = (item.ends.server, item.ends.port);
    facts.is_dns_port(item.ends.port)
        || facts.sites.iter().any(|own| own.site == site && own.in_use.is_none())
}

fn finding(facts: &Facts<'_>, item: &OpenItem) -> Option<Finding> {
    let many = item.count >= SERIES_MIN;
    let fails = match item.kind {
        OpenKind::Mute | OpenKind::ResetEarly | OpenKind::Alert(_) => many,
        OpenKind::Status(status) => many && status >= SERVER_ERROR,
        OpenKind::Repeated | OpenKind::Stalled => true,
        _ => false,
    };
    if !fails {
        return None;
    }
    let own = facts.connections.iter().filter(|own| own.server == (item.ends.server, item.ends.port));
    let served = own.clone().any(|own| {
        own.served && !item.frames.contains(&own.syn) && (item.first_ns..=item.last_ns).contains(&own.time_ns)
    });
    let lost = own.map(|own| own.unacknowledged).max().filter(|_| item.kind == OpenKind::Mute).unwrap_or(0);
    let severity = match item.kind {
        OpenKind::Stalled if item.last_ns - item.first_ns < STALLED_NS => Severity::Low,
        OpenKind::Stalled | OpenKind::Repeated | OpenKind::Status(_) => Severity::Medium,
        OpenKind::Alert(_) => Severity::High,
        _ if served => Severity::Medium,
        _ => Severity::High,
    };
    let lost = match lost {
        0 => String::new(),
        bytes => format!(
            "; up to {bytes} bytes of the server were never acknowledged, as where large packets do not arrive"
        ),
    };
    let lasted = item.last_ns - item.first_ns;
    let within = if lasted > 0 { format!(" within {}", span(lasted)) } else { String::new() };
    Some(Finding {
        id: RULE.id,
        severity,
        statement: format!("{}{within}{lost}", item.what()),
        counts: vec![Count { label: "failures".into(), value: item.count, filter: String::new() }],
        filter: rules::frames_filter(facts, &item.frames),
        frames: rules::tidy(item.frames.clone()),
        code: None,
    })
}
