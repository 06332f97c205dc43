//! Rule `address-sweep`: one host pings a row of addresses to see which are in use.

use super::facts::Facts;
use super::facts::sweeps::Sweep;
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "address-sweep",
    title: "A row of addresses is pinged",
    doc: "One host pings ten addresses or more that follow each other, one after another and quickly, and some were never heard of: it \
          looks which are in use, and those that are not are nobody's failure. Info; low where none of the row answered, since a \
          network that is gone looks alike.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts.sweeps.iter().map(|sweep| finding(facts, sweep)).collect()
}

fn finding(facts: &Facts<'_>, sweep: &Sweep) -> Finding {
    let failed = sweep.failed.iter().filter_map(|at| facts.attempts.all.get(*at as usize));
    let firsts: Vec<PacketId> = failed.clone().map(|own| own.first.packet).collect();
    let frames = rules::tidy(failed.flat_map(crate::attempts::Attempt::frames).collect());
    let ends = |all: &[Address]| match all {
        [first, .., last] => format!("{first} to {last}"),
        all => rules::named(all),
    };
    let reported = if sweep.reported_by.is_empty() {
        String::new()
    } else {
        format!(" ({} reported so)", rules::named(&sweep.reported_by))
    };
    Finding {
        id: RULE.id,
        severity: if sweep.answered > 0 { Severity::Info } else { Severity::Low },
        statement: format!(
            "{} pinged {} one after another; {} ({}) did not answer{reported}: it looks which addresses are in use",
            sweep.client,
            rules::counted(sweep.targets.len() + sweep.answered, "address", "addresses"),
            rules::counted(sweep.targets.len(), "of them", "of them"),
            ends(&sweep.targets),
        ),
        counts: vec![Count {
            label: "runs of pings without answer".into(),
            value: sweep.failed.len() as u64,
            filter: rules::frames_counted(facts, &firsts),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}
