//! Rule `site-down`: the name resolves, the connection fails.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "site-down",
    title: "DNS works, the site's connection fails",
    doc: "A client resolved a name and its connections to that address met resets, silence or ICMP errors, and none \
          succeeded from then on. DNS is not the cause of this failure. High from two attempts on, otherwise low.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .sites
        .iter()
        .map(|site| {
            let tries: u32 = site.attempts.iter().map(|attempt| attempt.tries).sum();
            let (address, port) = site.site;
            let filter = format!(
                "tcp.flags.syn == 1 && tcp.flags.ack == 0 && {} && tcp.dstport == {port}",
                rules::to(address)
            );
            Finding {
                id: RULE.id,
                severity: if tries > 1 { Severity::High } else { Severity::Low },
                statement: format!(
                    "{} resolved to {address}; {} connections to port {port} met {}",
                    rules::plain_name(&site.name),
                    site.attempts.len(),
                    site.words()
                ),
                frames: rules::tidy(site.frames()),
                counts: vec![Count { label: "SYNs".into(), value: u64::from(tries), filter: String::new() }],
                filter,
                code: None,
            }
        })
        .collect()
}
