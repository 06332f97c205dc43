//! What failed and why, in one line for each failure, the one that leads the report first: what a screen shows always.

use super::super::Verdict;
use super::super::words::Clock;
use super::{Builder, outage};
use crate::findings::hypotheses::Assessment;
use crate::report::facts::Facts;
use crate::text::thousands;

/// Explanations named in one line.
const NAMED_MAX: usize = 2;

/// The lines, each with its assessment.
pub fn all(b: &Builder<'_>) -> Vec<Verdict> {
    let all = b.input.assessments.iter().enumerate().filter(|(_, own)| !own.hypotheses.is_empty());
    let (dns, mut beside): (Vec<_>, Vec<_>) = all.partition(|(_, own)| own.problem.is_some());
    let dns = dns.into_iter().filter(|(_, own)| own.problem.is_some_and(|at| at < b.facts.len()));
    let leads = b.leads_beside_dns();
    let mut ordered: Vec<_> = dns.collect();
    if leads {
        beside.append(&mut ordered);
        ordered = beside;
    } else {
        ordered.append(&mut beside);
    }
    let line = |(at, own): (usize, &Assessment)| Verdict { assessment: at, text: text(b, own) };
    ordered.into_iter().map(line).collect()
}

fn text(b: &Builder<'_>, assessment: &Assessment) -> String {
    let facts = assessment.problem.and_then(|at| b.facts.get(at));
    let mut parts = vec![what(b, assessment, facts)];
    parts.extend(when(b, assessment, facts));
    let leading = assessment.leading();
    let mut named: Vec<&str> = leading.iter().map(|cause| cause.title).take(NAMED_MAX).collect();
    let more = leading.len() - named.len();
    let others = format!("{more} more");
    if more > 0 {
        named.push(&others);
    }
    match named.as_slice() {
        [] => {}
        [one] => parts.push((*one).to_owned()),
        several => parts.push(format!("{} (tie)", several.join(" or "))),
    }
    parts.join(" · ")
}

fn what(b: &Builder<'_>, assessment: &Assessment, facts: Option<&Facts<'_>>) -> String {
    let Some(facts) = facts else {
        let unknown = || format!("A failure that this {} cannot assess", b.record);
        return assessment.title.clone().unwrap_or_else(unknown);
    };
    let (asked, failed) = outage::asked_and_failed(facts);
    let counted = format!(" · {} of {} lookups", thousands(failed), thousands(asked));
    let what = assessment.title.clone().unwrap_or_else(|| {
        format!("DNS at {} {}{}", facts.server.with_port(facts.port), facts.fate(), outage::rescued(facts))
    });
    format!("{what}{counted}")
}

fn when(b: &Builder<'_>, assessment: &Assessment, facts: Option<&Facts<'_>>) -> Option<String> {
    let time = |packet| b.input.index.packet(packet).map(|packet| packet.time_ns());
    let (from, to) = match (facts, &assessment.trouble) {
        (Some(facts), _) => {
            let times = || facts.transactions.iter().filter_map(|own| time(own.first));
            (times().min()?, times().max()?)
        }
        (None, Some(trouble)) => trouble.span_ns(),
        (None, None) => return None,
    };
    let Clock { has_times, counted, .. } = b.clock;
    let (from, to) = (counted.clock(from), counted.clock(to));
    has_times.then(|| if from == to { from } else { format!("{from}–{to}") })
}
