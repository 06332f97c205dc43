//! Rule `reflection`: DNS answers sent to someone who did not ask.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "reflection",
    title: "DNS reflection or amplification",
    doc: "Either one host receives at least 20 responses from at least five resolvers that answer none of its queries (it \
          is the target; high), or one source sends a server at least 50 questions of types with large answers whose answers \
          are more than five times larger (the server is used as an amplifier): high where the source refuses the answers, low \
          where it asks at least 50 a second and nothing else is heard of it. A source that goes on over TCP, asks for other \
          things as well or stands at the capture point asks for itself.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let victims =
        facts.load.unsolicited.iter().filter(|(_, u)| u.is_reflection() && !facts.evidence.one_sided);
    for (victim, unsolicited) in victims {
        let filter = format!("dns.flags.response == 1 && {}", rules::to(*victim));
        found.push(Finding {
            id: RULE.id,
            severity: Severity::High,
            statement: format!(
                "{victim} received {} DNS responses from {} resolvers to queries it did not send",
                unsolicited.responses,
                unsolicited.resolvers.len()
            ),
            frames: rules::tidy(unsolicited.samples.clone()),
            counts: vec![Count {
                label: "unsolicited responses".into(),
                value: unsolicited.responses,
                filter: String::new(),
            }],
            filter,
            code: None,
        });
    }
    for ((server, source), amplifying) in facts.load.amplifying.iter().filter(|(_, a)| a.is_reflection()) {
        let filter = format!(
            "dns.qry.type in {{255, 16, 48, 46}} && {} && {}",
            rules::from(*source),
            rules::to(*server)
        );
        let frames = amplifying.samples.iter().chain(&amplifying.refused).copied().collect();
        let refused = match amplifying.refused.len() {
            0 => String::new(),
            some => format!("; {source} refused {some} of them"),
        };
        found.push(Finding {
            id: RULE.id,
            severity: if amplifying.refused.is_empty() { Severity::Low } else { Severity::High },
            statement: format!(
                "{source} sent {server} {} questions of types with large answers; the answers are {} times the size of \
                 the queries{refused}",
                amplifying.queries,
                amplifying.answer_bytes / amplifying.query_bytes.max(1)
            ),
            frames: rules::tidy(frames),
            counts: vec![Count { label: "queries".into(), value: amplifying.queries, filter: filter.clone() }],
            filter,
            code: None,
        });
    }
    found
}
