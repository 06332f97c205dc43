//! Rule `led-astray`: a name led to another address at another time or server than to the one where connections fail.

use super::facts::Facts;
use super::facts::astray::{self, Astray};
use super::facts::troubles::Trouble;
use super::{Count, Finding, Rule, Severity, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "led-astray",
    title: "A name that leads to a wrong or outdated address",
    doc: "Connections to an address fail that a name led to, while other answers for that name, at another time or of another server, gave \
          other addresses, where attempts were served or none was made: the record was wrong for a while, or a server answers from an old \
          copy. Answers that change by turns are how load is shared and do not count. Or the same host name in another domain leads to where the \
          port serves, and the domains begin alike or all names of the failing one lead to one address: another search domain was meant. As grave as the failure, medium at most: that has a \
          finding of its own.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let all = facts
        .troubles
        .all
        .iter()
        .flat_map(|trouble| astray::of(facts, trouble).map(move |own| (trouble, own)));
    all.map(|(trouble, own)| finding(facts, trouble, own)).collect()
}

fn finding(facts: &Facts<'_>, trouble: &Trouble, own: &Astray) -> Finding {
    let frames = own.frames();
    Finding {
        id: RULE.id,
        severity: trouble.severity.min(Severity::Medium),
        statement: format!("{}; attempts at {} failed", own.statement(facts), own.service.0),
        counts: vec![Count {
            label: "answers and attempts that show it".into(),
            value: frames.len() as u64,
            filter: rules::frames_counted(facts, &frames),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}
