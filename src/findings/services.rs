//! Rule `service-failures`: services beside DNS that were reached and then failed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::facts::Facts;
use super::facts::troubles::{Sort, Trouble, are_probes, is_left_for_plain, ping_span};
use super::{Count, Finding, Rule, rules, service_words as words};
use crate::attempts::{Face, Kind};
use crate::decode::Address;

/// The rule.
pub static RULE: Rule = Rule {
    id: "service-failures",
    title: "Services that are reached and then fail",
    doc: "Attempts at a service beside DNS that were accepted and then failed (services §1.4 to §1.9): acknowledged and never answered, \
          closed or reset without an answer, large packets lost while small ones pass, a receiver that took nothing for a second and \
          more, a connection that went silent, TLS handshakes refused or left, errors of the service's own (HTTP 5xx, 408, 421, 429, \
          SMTP 4yz, SIP 5xx, NTP kiss-o'-death or a time that other clocks do not have), what its answers deny in the codes of its protocol \
          (databases, directories, file sharing, mail, SIP, BGP, MQTT, RTSP, RADIUS, SNMP, IKE), requests over UDP answered \
          from another address than was asked, answers after two seconds and ten times the usual, or five. Severity by services §4.6: high \
          where nine of ten fail in their windows and a client is neither served nor rescued.",
    run,
};

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let own = |trouble: &&Trouble| !matches!(trouble.sort, Sort::Failed(Face::Unreached | Face::Lease, _));
    facts.troubles.all.iter().filter(own).map(|trouble| finding(facts, RULE.id, trouble)).collect()
}

/// The finding that tells a trouble.
pub(super) fn finding(facts: &Facts<'_>, id: &'static str, trouble: &Trouble) -> Finding {
    let mut frames = trouble.frames(facts.attempts);
    frames.extend(trouble.resolved.as_ref().map(|(_, packet)| *packet));
    frames.extend(trouble.hit().filter_map(|client| client.rescue));
    let frames = rules::tidy(frames);
    let firsts: Vec<_> = trouble.attempts(facts.attempts).map(|own| own.first.packet).collect();
    let mut statement = words::statement(facts, trouble);
    let elsewhere = words::elsewhere(facts, trouble);
    if !elsewhere.is_empty() {
        let _ = write!(statement, ": {}", words::list(&elsewhere));
    }
    let rescued: u32 = trouble.hit().map(|client| client.rescued).sum();
    if is_left_for_plain(facts, trouble) {
        let servers: BTreeSet<Address> =
            trouble.hit().filter_map(|client| client.rescuer).map(|other| other.host).collect();
        let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
        let _ = write!(
            statement,
            "; after each the same host asked in plain DNS and was answered ({}): its lookups went on, unencrypted",
            words::list(&servers)
        );
    } else if rescued > 0 {
        let _ = write!(
            statement,
            "; {} then served in another way",
            rules::counted(rescued as usize, "of them was", "of them were")
        );
    }
    if !trouble.earlier.is_empty() {
        let _ = write!(
            statement,
            "; {} the same before it, about requests that are not in the capture",
            rules::counted(trouble.earlier.len(), "more error said", "more errors said")
        );
    }
    let spared = trouble.spared().count();
    if spared > 0 {
        let _ = write!(
            statement,
            "; meanwhile {} served",
            rules::counted(spared, "other client was", "other clients were")
        );
    }
    if trouble.in_use {
        statement.push_str("; another connection carried data both ways meanwhile: the service works");
    }
    if are_probes(facts, trouble) {
        let _ = write!(
            statement,
            "; {} also traces paths or tries many addresses: single datagrams of such a host are probes",
            words::hit(trouble)
        );
    }
    if trouble.severity == super::Severity::Info && trouble.sort == Sort::Slow {
        statement.push_str(
            "; what waits for an event or takes its time on purpose (long poll, report) looks like this",
        );
    }
    if trouble.is_resumed {
        statement.push_str("; it took the rest later: a client that reads slowly does so");
    }
    if trouble.kind() == Kind::Echo && trouble.severity == super::Severity::Info {
        let host = trouble.service().host;
        let (from, to) = ping_span(facts, trouble);
        let serves = |own: &crate::attempts::Attempt| {
            own.service.host == host
                && own.kind != Kind::Echo
                && own.decided.is_some_and(|seen| (from..=to).contains(&{ seen.time_ns }))
        };
        let mut asked = facts.servers.iter().filter(|(key, _)| key.0 == host);
        let is_heard = facts.attempts.all.iter().any(serves)
            || asked.any(|(_, server)| server.answers_in(from, to).next().is_some());
        statement.push_str(if is_heard {
            "; the host served otherwise at that time, and hosts may ignore pings"
        } else {
            "; no answer of that host is in the capture, and hosts may ignore pings"
        });
    }
    Finding {
        id,
        severity: trouble.severity,
        statement,
        counts: vec![Count {
            label: "failed attempts".into(),
            value: trouble.failed.len() as u64,
            filter: rules::frames_counted(facts, &firsts),
        }],
        filter: rules::frames_filter(facts, &frames),
        frames,
        code: None,
    }
}
