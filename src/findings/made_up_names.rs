//! Rule `made-up-names`: one client asks for many names in unrelated zones, and hardly any of them exists.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::facts::{Facts, asked};
use super::{Count, Finding, Rule, Severity, rules, zones};
use crate::decode::Address;
use crate::index::PacketId;
use crate::time::{Nanos, span};

/// The rule.
pub static RULE: Rule = Rule {
    id: "made-up-names",
    title: "Many names that do not exist, in unrelated zones",
    doc: "One client is told NXDOMAIN for names in at least 30 different zones, and nine in ten of the zones for which it was told so were \
          never answered to anybody. Programs that make up names to find their master (domain generation, ATT&CK T1568.002) do so; so do \
          mail filters and crawlers that check dead domains. NXDOMAIN is an answer: DNS works. Medium.",
    run,
};

/// Zones without an answer from which it is no slip of the keyboard.
const ZONES_MIN: usize = 30;
/// Share of a client's denied zones, in percent, that nobody ever got an answer about.
const DEAD_PERCENT: usize = 90;
/// Zones remembered of one client.
const ZONES_MAX: usize = 4_096;
/// Clients followed.
const CLIENTS_MAX: usize = 65_536;
/// NXDOMAIN (RFC 1035 §4.1.1).
const NAME_ERROR: u16 = 3;

/// What one client was told not to exist.
#[derive(Default)]
struct Denied {
    zones: BTreeSet<Vec<u8>>,
    queries: Vec<PacketId>,
    span_ns: Option<(Nanos, Nanos)>,
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut clients: BTreeMap<Address, Denied> = BTreeMap::new();
    // A resolver that passes its clients' questions on is none of them.
    let resolvers: BTreeSet<Address> = facts.servers.keys().map(|key| key.0).collect();
    for asked in asked::all(&facts.input()).filter(|own| own.transaction.response_code == NAME_ERROR) {
        let full = clients.len() >= CLIENTS_MAX && !clients.contains_key(&asked.client);
        if full || asked.transaction.answer.is_none() || resolvers.contains(&asked.client) {
            continue;
        }
        let Some(zone) = zone_of(&asked) else { continue };
        let denied = clients.entry(asked.client).or_default();
        if denied.zones.len() < ZONES_MAX && !denied.zones.contains(zone) {
            denied.zones.insert(zone.to_vec());
        }
        denied.queries.push(asked.transaction.first);
        let (from, to) = denied.span_ns.unwrap_or((asked.time_ns, asked.time_ns));
        denied.span_ns = Some((from.min(asked.time_ns), to.max(asked.time_ns)));
    }
    clients.retain(|_, denied| denied.zones.len() >= ZONES_MIN);
    if clients.is_empty() {
        return Vec::new();
    }
    // Which of those zones anybody got an answer about.
    let mut unheard: HashSet<&[u8]> =
        clients.values().flat_map(|denied| &denied.zones).map(Vec::as_slice).collect();
    for asked in asked::all(&facts.input()) {
        let useful = asked.transaction.answer.is_some() && asked.transaction.response_code == 0;
        if let Some(zone) = zone_of(&asked).filter(|_| useful) {
            unheard.remove(zone);
        }
    }
    let found = clients.iter().filter_map(|(client, denied)| finding(facts, *client, denied, &unheard));
    found.collect()
}

/// The zone of a question's name, as a key.
fn zone_of<'i>(asked: &asked::Asked<'i>) -> Option<&'i [u8]> {
    zones::of_wire(asked.segment.names.get(asked.row.name)?)
}

fn finding(facts: &Facts<'_>, client: Address, denied: &Denied, unheard: &HashSet<&[u8]>) -> Option<Finding> {
    let dead = denied.zones.iter().filter(|zone| unheard.contains(zone.as_slice())).count();
    if dead < ZONES_MIN || dead * 100 < denied.zones.len() * DEAD_PERCENT {
        return None;
    }
    let (from, to) = denied.span_ns?;
    let sample = denied.queries.iter().take(SAMPLE).filter_map(|query| facts.name_of(*query));
    let sample: Vec<String> = sample.map(|name| rules::plain_name(&name)).collect();
    let frames = rules::tidy(denied.queries.clone());
    Some(Finding {
        id: RULE.id,
        severity: Severity::Medium,
        statement: format!(
            "{client} asked for names in {dead} zones of which none exists, within {} ({}, …); DNS answered each (NXDOMAIN): a program \
             that makes up names, or one that checks dead domains",
            span(to - from),
            sample.join(", ")
        ),
        counts: vec![Count {
            label: "denied questions".into(),
            value: denied.queries.len() as u64,
            filter: rules::frames_counted(facts, &denied.queries),
        }],
        filter: format!("dns.flags.rcode == 3 && {}", rules::to(client)),
        frames,
        code: None,
    })
}

/// Names shown as examples.
const SAMPLE: usize = 3;
