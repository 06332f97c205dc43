//! Rule `zone-unknown`: a resolver denies names of a zone that another one knows.

use super::facts::Facts;
use super::facts::unknown_zones::UnknownZone;
use super::{Count, Finding, Rule, Severity, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "zone-unknown",
    title: "A zone that one resolver does not know and another does",
    doc: "One resolver denies (NXDOMAIN) names for which another one gave data, at least two lookups, and never gave any itself (split \
          DNS). Not where it lacks more than three such zones, as block lists do, where either asks the other, and where the other \
          denies the same names as well. Medium; info where the other one answered the same client each time within ten seconds.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts.unknown_zones.iter().map(|own| finding(facts, own)).collect()
}

/// `198.51.100.54 denied (NXDOMAIN) 12 questions of 192.0.2.10 for names in corp.example, for which 198.51.100.53 gave data`.
pub fn statement(facts: &Facts<'_>, own: &UnknownZone<'_>) -> String {
    let mut clients: Vec<_> = own
        .denied
        .iter()
        .filter_map(|t| facts.index.packet(t.first))
        .map(|packet| packet.source_address())
        .collect();
    clients.sort_unstable();
    clients.dedup();
    let looked = own.looked_in.as_ref().filter(|zone| **zone != own.zone).map_or_else(String::new, |zone| {
        format!("; its denials come from {} (SOA)", rules::plain_name(zone))
    });
    format!(
        "{} denied (NXDOMAIN) {} of {} for names in {}, for which {} gave data{}{looked}{}",
        own.lacks.0,
        rules::counted(own.denied.len(), "question", "questions"),
        rules::named(&clients),
        rules::plain_name(&own.zone),
        own.knows,
        if own.moved { " before" } else { "" },
        if own.same_zone.is_some() { "; it gave data for other names there" } else { "" }
    )
}

fn finding(facts: &Facts<'_>, own: &UnknownZone<'_>) -> Finding {
    let frames = rules::tidy(own.frames());
    let denials = rules::tidy(own.denied.iter().filter_map(|transaction| transaction.answer).collect());
    Finding {
        id: RULE.id,
        severity: if own.is_harmless() { Severity::Info } else { Severity::Medium },
        statement: statement(facts, own),
        counts: vec![Count {
            label: "denied questions".into(),
            value: denials.len() as u64,
            filter: rules::frames_counted(facts, &denials),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}
