//! Rule `contested-answers`: two devices answer in one server's name, and contradict each other.

use super::duplicate_address::link_words;
use super::facts::Facts;
use super::facts::contested::{Contested, Marks};
use super::{Count, Finding, Rule, Severity, rules};
use crate::decode::Address;
use crate::index::PacketId;

/// The rule.
pub static RULE: Rule = Rule {
    id: "contested-answers",
    title: "DNS answers of two senders that contradict each other",
    doc: "A question answered twice with addresses that have nothing in common, where link address or TTL tell that two devices \
          sent the answers in the server's name: clients take the first (RFC 5452 §3). Medium; high where the client then connected to \
          an address that only the first answer gave, and that answer looks unlike the other answers of the server.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts.contested.iter().map(|contested| finding(facts, contested)).collect()
}

fn shown(marks: Marks, (least, most): (u8, u8)) -> String {
    let ttl = if least == most { format!("TTL {least}") } else { format!("TTL {least} to {most}") };
    match marks.link {
        Some(link) => format!("{ttl} from link address {}", link_words(link)),
        None => ttl,
    }
}

fn listed<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> String {
    addresses.into_iter().take(rules::TOP_MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn finding(facts: &Facts<'_>, contested: &Contested) -> Finding {
    let seconds: Vec<PacketId> = contested.pairs.iter().map(|pair| pair.second).collect();
    let mut frames: Vec<PacketId> =
        contested.pairs.iter().flat_map(|pair| [pair.query, pair.first, pair.second]).collect();
    frames.extend(contested.followed);
    let odd = if contested.first_is_odd {
        format!("; the other answers of {} look like the later one", contested.server)
    } else {
        String::new()
    };
    let followed = contested.followed.map(|syn| {
        format!(
            "; {} connected to the address of the first answer in {}",
            contested.client,
            facts.index.label(syn)
        )
    });
    Finding {
        id: RULE.id,
        severity: if contested.first_is_odd && contested.followed.is_some() {
            Severity::High
        } else {
            Severity::Medium
        },
        statement: format!(
            "{} of {} to {} for {} {} answered twice: first with {} ({}), then with {} ({}){odd}{}{}",
            rules::counted(contested.pairs.len(), "question", "questions"),
            contested.client,
            contested.server,
            rules::plain_name(&contested.name),
            if contested.pairs.len() == 1 { "was" } else { "were" },
            listed(&contested.addresses.0),
            shown(contested.marks.0, contested.ttls.0),
            listed(&contested.addresses.1),
            shown(contested.marks.1, contested.ttls.1),
            followed.unwrap_or_default(),
            contested.met()
        ),
        counts: vec![Count {
            label: "later answers".into(),
            value: seconds.len() as u64,
            filter: rules::frames_counted(facts, &seconds),
        }],
        filter: rules::frames_filter(facts, &rules::tidy(frames.clone())),
        frames: rules::tidy(frames),
        code: None,
    }
}
