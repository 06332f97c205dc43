//! Reads what correlation found about a packet as filter values.

use super::fields::EvidenceField;
use super::matcher::Scalar;
use super::values::Visit;
use crate::attempts::ties;
use crate::correlate::{EpisodeId, Evidence, Link, LinkKind, Transaction, TransactionId, lookups};
use crate::index::{Index, PacketId};

/// Calls `visit` with each value of a field for one packet.
pub fn each(field: EvidenceField, packet: PacketId, index: &Index, evidence: &Evidence, visit: Visit<'_>) {
    let link_values = |of: &mut dyn FnMut(&Link) -> bool| {
        let _ = ties::links_from(evidence, packet).iter().any(&mut *of)
            || ties::links_to(evidence, packet).iter().any(of);
    };
    let frame = |id: PacketId| index.packet(id).map_or(0, |packet| packet.frame().0 as i64);
    match field {
        EvidenceField::LinkLevel => link_values(&mut |link| visit(Scalar::Text(link.level.name()))),
        EvidenceField::LinkKind => link_values(&mut |link| visit(Scalar::Text(link.kind.name()))),
        EvidenceField::LinkDelta => {
            link_values(&mut |link| link.to.is_some() && visit(Scalar::Number(link.delta_ns)));
        }
        EvidenceField::LinkDelayed => {
            let delayed = evidence.links_from(packet).iter().any(|link| link.delayed);
            visit(Scalar::Bool(delayed));
        }
        EvidenceField::LinkFrame => link_values(&mut |link| {
            let other = if link.from == packet { link.to } else { Some(link.from) };
            other.is_some_and(|id| visit(Scalar::Number(frame(id))))
        }),
        EvidenceField::Duplicate => {
            visit(Scalar::Bool(evidence.is_duplicate(packet)));
        }
        // A copy is not the answer.
        EvidenceField::ResponseTo | EvidenceField::ResponseTime if evidence.is_duplicate(packet) => {}
        EvidenceField::ResponseTo => {
            let links = evidence.links_from(packet);
            let mut answers = links.iter().filter(|link| link.kind == LinkKind::AnswerTo);
            let _ = answers.any(|link| link.to.is_some_and(|to| visit(Scalar::Number(frame(to)))));
        }
        EvidenceField::ResponseTime => {
            let links = evidence.links_from(packet);
            let mut answers = links.iter().filter(|link| link.kind == LinkKind::AnswerTo);
            let _ = answers.any(|link| link.to.is_some() && visit(Scalar::Number(link.delta_ns)));
        }
        EvidenceField::ResponseIn => {
            let links = evidence.links_to(packet);
            let mut answers = links.iter().filter(|link| link.kind == LinkKind::AnswerTo);
            let _ = answers.any(|link| visit(Scalar::Number(frame(link.from))));
        }
        EvidenceField::Episode | EvidenceField::Problem => membership(field, packet, evidence, visit),
        EvidenceField::Anomaly => {
            let start = evidence.anomalies.partition_point(|anomaly| anomaly.packet < packet);
            let rest = evidence.anomalies.get(start..).unwrap_or_default();
            let _ = rest
                .iter()
                .take_while(|anomaly| anomaly.packet == packet)
                .any(|anomaly| visit(Scalar::Text(anomaly.kind.name())));
        }
        _ => {
            if let Some(transaction) =
                transaction_id(packet, evidence).and_then(|id| evidence.transaction(id))
            {
                of_transaction(field, packet, transaction, (index, evidence), visit);
            }
        }
    }
}

/// The transaction of a query or response, or the one an ICMP error is about.
pub fn transaction_id(packet: PacketId, evidence: &Evidence) -> Option<TransactionId> {
    let about = || {
        let links = evidence.error_links();
        let start = links.partition_point(|link| link.from < packet);
        let link = links.get(start).filter(|link| link.from == packet)?;
        evidence.transaction_of(link.to?)
    };
    evidence.transaction_of(packet).or_else(about)
}

fn of_transaction(
    field: EvidenceField,
    packet: PacketId,
    transaction: &Transaction,
    (index, evidence): (&Index, &Evidence),
    visit: Visit<'_>,
) {
    let value = match field {
        EvidenceField::Outcome => {
            visit(Scalar::Text(transaction.outcome.name()));
            return;
        }
        EvidenceField::Attempt => lookups::place(index, evidence, packet).map(|(number, _)| number as i64),
        _ => number_of(field, evidence, transaction),
    };
    if let Some(value) = value {
        visit(Scalar::Number(value));
    }
}

/// A number known of a transaction as a whole.
pub fn number_of(field: EvidenceField, evidence: &Evidence, transaction: &Transaction) -> Option<i64> {
    match field {
        EvidenceField::Waited => evidence.waited_ns(transaction),
        EvidenceField::Rtt => evidence.round_trip_ns(transaction),
        EvidenceField::Tries => Some(i64::from(transaction.tries)),
        EvidenceField::ExtendedError => transaction.extended_error.map(i64::from),
        _ => None,
    }
}

fn membership(field: EvidenceField, packet: PacketId, evidence: &Evidence, visit: Visit<'_>) {
    for at in evidence.episodes_of(packet) {
        if field == EvidenceField::Episode {
            if visit(Scalar::Number(at as i64 + 1)) {
                return;
            }
            continue;
        }
        for (number, problem) in evidence.problems.iter().enumerate() {
            let belongs = problem.episodes.binary_search(&EpisodeId(at as u32)).is_ok();
            if belongs && visit(Scalar::Number(number as i64 + 1)) {
                return;
            }
        }
    }
}
