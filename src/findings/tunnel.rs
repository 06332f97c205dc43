//! Rule `dns-tunnel`: one client asks for very many long names under one zone, and is answered.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, asked};
use super::{Count, Finding, Rule, Severity, rules, zones};
use crate::correlate::Outcome;
use crate::decode::Address;
use crate::index::PacketId;
use crate::protocols::dns::type_name;
use crate::time::{Nanos, span};

/// The rule.
pub static RULE: Rule = Rule {
    id: "dns-tunnel",
    title: "Long names that carry data",
    doc: "One client asks for at least 50 different names of 48 bytes and more under one zone, at least four in five of them different and \
          at least half answered: names and answers carry data, as tunnels over DNS do (ATT&CK T1071.004), and some services of antivirus \
          and content networks as well. Medium: DNS works, and somebody should know of it.",
    run,
};

/// Bytes of a name in wire form from which it is long.
const LONG: usize = 48;
/// Different long names from which it is no chance.
const NAMES_MIN: usize = 50;
/// Share of different names, in percent.
const DIFFERENT_PERCENT: usize = 80;
/// Share of answered ones, in percent.
const ANSWERED_PERCENT: usize = 50;
/// Pairs of client and zone followed.
const PAIRS_MAX: usize = 65_536;
/// Names told apart of each.
const NAMES_MAX: usize = 65_536;

/// The long names of one client in one zone.
#[derive(Default)]
struct Talk {
    queries: Vec<PacketId>,
    questions: BTreeSet<u64>,
    answered: usize,
    bytes: usize,
    types: BTreeMap<u16, usize>,
    span_ns: Option<(Nanos, Nanos)>,
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut pairs: BTreeMap<(Address, Vec<u8>), Talk> = BTreeMap::new();
    for asked in asked::all(&facts.input()) {
        let Some(wire) = asked.segment.names.get(asked.row.name).filter(|wire| wire.len() >= LONG) else {
            continue;
        };
        let Some(zone) = zones::of_wire(wire) else { continue };
        let key = (asked.client, zone.to_vec());
        if pairs.len() >= PAIRS_MAX && !pairs.contains_key(&key) {
            continue;
        }
        let talk = pairs.entry(key).or_default();
        talk.queries.push(asked.transaction.first);
        if talk.questions.len() < NAMES_MAX {
            talk.questions.insert(asked.row.question);
        }
        let useful = asked.transaction.outcome == Outcome::Answered && asked.transaction.response_code == 0;
        talk.answered += usize::from(useful);
        talk.bytes += wire.len();
        *talk.types.entry(asked.row.qtype).or_default() += 1;
        let (from, to) = talk.span_ns.unwrap_or((asked.time_ns, asked.time_ns));
        talk.span_ns = Some((from.min(asked.time_ns), to.max(asked.time_ns)));
    }
    pairs.into_iter().filter_map(|((client, _), talk)| finding(facts, client, &talk)).collect()
}

fn finding(facts: &Facts<'_>, client: Address, talk: &Talk) -> Option<Finding> {
    let count = talk.queries.len();
    let different = talk.questions.len();
    if different < NAMES_MIN
        || different * 100 < count * DIFFERENT_PERCENT
        || talk.answered * 100 < count * ANSWERED_PERCENT
    {
        return None;
    }
    let (from, to) = talk.span_ns?;
    let zone = talk.queries.first().and_then(|query| facts.name_of(*query)).map(|name| zones::of(&name))?;
    let most = talk.types.iter().max_by_key(|(_, count)| **count).map(|(qtype, _)| type_name(*qtype))?;
    Some(Finding {
        id: RULE.id,
        severity: Severity::Medium,
        statement: format!(
            "{client} asked for {} different long names (type {most}, {} bytes on average) under {} within {}, and was answered: as \
             tunnels over DNS do, and some services of antivirus and content networks",
            crate::text::thousands(different as u64),
            talk.bytes / count.max(1),
            rules::plain_name(&zone),
            span(to - from)
        ),
        counts: vec![Count {
            label: "long names".into(),
            value: count as u64,
            filter: rules::frames_counted(facts, &talk.queries),
        }],
        filter: rules::frames_filter(facts, &talk.queries),
        frames: rules::tidy(talk.queries.clone()),
        code: None,
    })
}
