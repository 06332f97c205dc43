//! Rule `second-dhcp`: two DHCP servers give the same clients different settings.

use super::facts::Facts;
use super::facts::rival_leases::{Giver, Rivals};
use super::{Count, Finding, Rule, Severity, rules, service_words};

/// The rule.
pub static RULE: Rule = Rule {
    id: "second-dhcp",
    title: "Two DHCP servers with different settings",
    doc: "Two servers, told apart by their identifier (option 54), answered the same client with another router or other name servers \
          (options 3 and 6; RFC 2132 §3.5, §3.8). A pair that gives the same is no finding. High where clients that took an address of one \
          of them then failed, and those of the other did not; medium otherwise. Neither intent nor which of the two is meant to be there shows.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    facts.rivals.iter().map(|rivals| finding(facts, rivals)).collect()
}

/// How grave it is.
pub(super) fn severity(rivals: &Rivals) -> Severity {
    if rivals.is_suffered() { Severity::High } else { Severity::Medium }
}

/// What a server gives, in words.
pub(super) fn settings(giver: &Giver) -> String {
    let router = giver.router.map_or_else(|| "no router".to_owned(), |router| format!("router {router}"));
    let servers: Vec<String> = giver.name_servers.iter().map(ToString::to_string).collect();
    let servers = if servers.is_empty() {
        "no name server".to_owned()
    } else {
        format!("name servers {}", servers.join(", "))
    };
    format!("{} gives {router} and {servers}", giver.server)
}

/// The servers with what they give.
pub(super) fn statement(rivals: &Rivals) -> String {
    let each: Vec<String> = rivals.givers.iter().map(settings).collect();
    format!(
        "{} DHCP servers answer the same clients with different settings: {}",
        rivals.givers.len(),
        service_words::list(&each)
    )
}

fn finding(facts: &Facts<'_>, rivals: &Rivals) -> Finding {
    let frames = rules::tidy(rivals.frames());
    let taken = rivals.taken().len();
    let took = match taken {
        0 => String::new(),
        some => format!(
            "; {} an address of {}{}",
            rules::counted(some, "client took", "clients took"),
            rivals.suspect().map(|giver| giver.server).unwrap_or_default(),
            if rivals.is_suffered() {
                ", and what they asked for then failed"
            } else {
                ", the one seen later"
            }
        ),
    };
    Finding {
        id: RULE.id,
        severity: severity(rivals),
        statement: format!("{}{took}", statement(rivals)),
        counts: vec![Count {
            label: "servers".into(),
            value: rivals.givers.len() as u64,
            filter: String::new(),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}
