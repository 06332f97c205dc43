//! Rule `slow-dns`: everything was answered, but people had to wait for it (truth T22).

use std::collections::BTreeMap;

use super::facts::slow::{self, Slow};
use super::facts::{Facts, ServerKey};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;
use crate::protocols::dns::type_name;
use crate::time::{Nanos, span};

/// The rule.
pub static RULE: Rule = Rule {
    id: "slow-dns",
    title: "DNS answers that kept people waiting",
    doc: "Lookups whose answer came more than one second after the first query, three at least of one client at one server and \
          five percent of what it asked there from the first of them to the last; two, of two seconds each, where none came sooner. Medium where half of them waited two seconds \
          or longer, or twelve at least were four of five meanwhile, otherwise low.",
    run,
};

/// From this median wait on people call it broken.
const LONG_NS: Nanos = 2_000_000_000;
/// This many slow lookups, and this share of all while it lasted, in percent, are no exception but the rule.
const RULE_MIN: usize = 12;
/// See [`RULE_MIN`].
const RULE_PERCENT: usize = 80;
/// With this many waits the slowest twentieth says more than the longest alone.
const PERCENTILE_MIN: usize = 20;
/// Types named.
const TYPES_MAX: usize = 3;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut servers: BTreeMap<ServerKey, Vec<&Slow>> = BTreeMap::new();
    for slow in &facts.slow {
        servers.entry(slow.server).or_default().push(slow);
    }
    servers.into_iter().map(|(server, slow)| finding(facts, server, &slow)).collect()
}

fn finding(facts: &Facts<'_>, server: ServerKey, parts: &[&Slow]) -> Finding {
    let all = Slow {
        server,
        client: Address::None,
        questions: parts.iter().flat_map(|slow| slow.questions.iter().copied()).collect(),
        waits_ns: sorted(parts.iter().flat_map(|slow| slow.waits_ns.iter().copied()).collect()),
        asked: parts.iter().map(|slow| slow.asked).sum(),
    };
    let clients: Vec<Address> = parts.iter().map(|slow| slow.client).collect();
    let repeated: usize = parts.iter().map(|slow| slow.repeated()).sum();
    let firsts: Vec<PacketId> = all.questions.iter().map(|wait| wait.first).collect();
    let frames = rules::tidy(all.questions.iter().flat_map(|wait| [wait.first, wait.answer]).collect());
    // Nearly nothing was quick while it lasted.
    let is_rule = all.waits_ns.len() >= RULE_MIN && all.waits_ns.len() * 100 >= all.asked * RULE_PERCENT;
    let (when, again) = slow::during(facts, server, &all.questions).unzip();
    Finding {
        id: RULE.id,
        severity: if all.median_ns() >= LONG_NS || is_rule { Severity::Medium } else { Severity::Low },
        statement: format!(
            "{} of {} lookups of {} at {} waited more than 1 s for their answer ({}){}: {}{}{}",
            all.waits_ns.len(),
            all.asked,
            rules::clients(&clients),
            server.0,
            types(&all),
            when.map(|when| format!(" {when}")).unwrap_or_default(),
            figures(&all),
            match repeated {
                0 => String::new(),
                all_of if all_of == all.waits_ns.len() =>
                    "; each was answered only after it was asked again".to_owned(),
                some => format!("; {some} of them were answered only after they were asked again"),
            },
            again.flatten().map(|again| format!("; {again}")).unwrap_or_default()
        ),
        counts: vec![Count {
            label: "questions that waited".into(),
            value: firsts.len() as u64,
            filter: rules::frames_counted(facts, &firsts),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}

fn sorted(mut waits_ns: Vec<Nanos>) -> Vec<Nanos> {
    waits_ns.sort_unstable();
    waits_ns
}

/// `median 3.201 s, longest 3.204 s`.
fn figures(all: &Slow) -> String {
    let (median, longest) = (span(all.median_ns()), span(all.percentile_ns(100)));
    if all.waits_ns.len() < PERCENTILE_MIN {
        return format!("median {median}, longest {longest}");
    }
    format!("median {median}, 95 % within {}, longest {longest}", span(all.percentile_ns(95)))
}

/// The types asked for, most frequent first: `A, AAAA`.
fn types(all: &Slow) -> String {
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for wait in &all.questions {
        *counts.entry(wait.qtype).or_default() += 1;
    }
    let mut counts: Vec<(u16, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(qtype, count)| (std::cmp::Reverse(*count), *qtype));
    let name = |qtype: u16| if qtype == 0 { "a type that is cut".to_owned() } else { type_name(qtype) };
    let shown: Vec<String> = counts.iter().take(TYPES_MAX).map(|(qtype, _)| name(*qtype)).collect();
    shown.join(", ")
}
