//! Rule `site-down`: the name resolves, the connection fails.

use super::facts::Facts;
use super::{Count, Finding, Rule, Severity, rules};

/// The rule.
pub static RULE: Rule = Rule {
    id: "site-down",
    title: "DNS works, the site's connection fails",
    doc: "A client resolved a name and its connections to that address met resets, silence or ICMP errors, and none \
          succeeded from then on. DNS is not the cause of this failure. High from two attempts on; low for one, and where \
          another connection to the same address and port carried data both ways meanwhile: the service works.",
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
                severity: if tries > 1 && site.in_use.is_none() { Severity::High } else { Severity::Low },
                statement: format!(
                    "{} resolved to {address}; {} to port {port} met {}{}",
                    rules::plain_name(&site.name),
                    rules::counted(site.attempts.len(), "connection", "connections"),
                    site.words(),
                    if site.in_use.is_some() {
                        ", while another one carried data both ways: the service works"
                    } else {
                        ""
                    }
                ),
                frames: rules::tidy(site.frames()),
                counts: vec![Count { label: "SYNs".into(), value: u64::from(tries), filter: String::new() }],
                filter,
                code: None,
            }
        })
        .collect()
}
