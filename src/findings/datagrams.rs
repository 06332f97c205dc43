//! Rule `datagrams-refused`: requests over UDP beside DNS, and pings, that are refused or meet silence.

use super::facts::Facts;
use super::facts::troubles::{Sort, Trouble};
use super::{Finding, Rule, services};
use crate::attempts::Face;

/// The rule.
pub static RULE: Rule = Rule {
    id: "datagrams-refused",
    title: "UDP services refused or silent",
    doc: "Requests over UDP beside DNS, and pings, that ICMP errors refuse or that get no reply (services §1.9, §2): of protocols that \
          answer each request (QUIC, NTP, SNMP, SIP, RADIUS, LDAP, TFTP), two tries or a watch of that protocol's own length; of others \
          only errors count. A traceroute ends with such errors, and many ports of one host are a scan: neither counts. Info for \
          pings to a host that serves otherwise, and where each was served at once in another way.",
    run,
};

const TCP: u8 = 6;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let own = |trouble: &&Trouble| {
        matches!(trouble.sort, Sort::Failed(Face::Unreached, _))
            && trouble.resolved.is_none()
            && trouble.service().transport != TCP
    };
    facts.troubles.all.iter().filter(own).map(|trouble| services::finding(facts, RULE.id, trouble)).collect()
}
