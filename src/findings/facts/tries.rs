//! The tries of a question that waited: which were lost, which was served, and what was sent together with the first.

use super::Facts;
use super::slow::Wait;
use crate::correlate::evidence::Role;
use crate::correlate::{Transaction, Vantage};
use crate::index::segment::DnsRow;
use crate::index::{Index, PacketId};
use crate::time::Nanos;

/// Two first queries of one pair of ports this close together were sent at once, as A and AAAA are.
const PAIR_NS: Nanos = 5_000_000;
/// Packets around a query among which the other one of a pair is looked for.
const AROUND: u32 = 64;

/// What became of the tries of one question.
#[derive(Clone, Debug)]
pub struct Tries {
    /// Sent and not answered before the next.
    pub lost: Vec<PacketId>,
    /// The one that was answered.
    pub served: PacketId,
    /// From that to its answer.
    pub trip_ns: Nanos,
}

/// The tries of a question that was answered only after it had been sent again; `None` for others, and where none can have been
/// lost on the way: each try was answered, or the capture shows that the server had them all.
pub fn of(facts: &Facts<'_>, wait: &Wait) -> Option<Tries> {
    if !wait.repeated {
        return None;
    }
    let evidence = facts.evidence;
    let own = evidence.transaction_of(wait.first)?;
    let answering = evidence.transaction_of(wait.answer)?;
    if evidence.is_each_try_answered(own) || is_at_server(facts) {
        return None;
    }
    let answer_ns = facts.time(wait.answer);
    let before = |try_: &PacketId| facts.time(*try_) <= answer_ns;
    let served = evidence.tries(answering).into_iter().rev().find(before)?;
    let mut lost = evidence.tries(own);
    if own != answering {
        lost.extend(evidence.tries(answering));
    }
    lost.retain(|try_| *try_ != served && before(try_));
    let trip_ns = evidence.between_ns(served, wait.answer)?;
    Some(Tries { lost, served, trip_ns })
}

/// Whether the capture was taken at the servers: what is asked there has arrived, so that waiting is theirs.
pub fn is_at_server(facts: &Facts<'_>) -> bool {
    facts.evidence.surroundings().vantage == Vantage::Server
}

/// The DNS row of a query.
pub fn row(index: &Index, query: PacketId) -> Option<&DnsRow> {
    index.packet(query)?.dns()
}

/// The query sent at once with another one from the same port, with its transaction.
pub fn sibling<'i>(facts: &Facts<'i>, first: PacketId) -> Option<(PacketId, &'i Transaction)> {
    let own = row(facts.index, first)?;
    let (flow, question) = (own.flow, own.question);
    let time_ns = facts.time(first);
    let range = PacketId(first.0.saturating_sub(AROUND))..PacketId(first.0.saturating_add(AROUND));
    facts.evidence.members_in(range).find_map(|(packet, id, role)| {
        let other = row(facts.index, packet).filter(|_| role == Role::First && packet != first)?;
        let close = (facts.time(packet) - time_ns).abs() <= PAIR_NS;
        let fits = close && other.flow == flow && other.question != question;
        fits.then(|| facts.evidence.transaction(id)).flatten().map(|transaction| (packet, transaction))
    })
}
