//! Rule `responses-limited`: a server that limits how often it answers.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "responses-limited",
    title: "A server that limits how often it answers",
    doc: "A server cut answers over UDP (TC) that fit the size their queries offer: the same question was answered whole over UDP, three \
          times or more, or over TCP in as many bytes, or denials of other names of the zone came whole in as many; or it asked for a cookie (BADCOOKIE) instead of answering questions that it \
          answered without one. Response rate limiting cuts some of the excess, so that real clients turn to TCP, \
          and drops the rest. Low where all that was cut or dropped was served otherwise; where lookups failed, their own finding \
          tells how grave that is, and this one is info.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let told = |limited: &super::facts::limits::Limited| {
        let frames = rules::tidy(limited.frames());
        let failed = facts.problems().any(|(_, problem)| limited.explains(problem));
        Finding {
            id: RULE.id,
            severity: if failed { Severity::Info } else { Severity::Low },
            statement: limited.statement(),
            counts: vec![Count {
                label: "answers cut or held back".into(),
                value: (limited.cut.len() + limited.cookies.len()) as u64,
                filter: rules::frames_counted(facts, &frames),
            }],
            filter: rules::frames_filter(facts, &frames),
            frames,
            code: None,
        }
    };
    facts.limits.iter().map(told).collect()
}
