//! What did not arrive: acceptances, data of either side, and receivers that took nothing.

use super::{
    ERROR_NS, HOLE_MIN_BYTES, HOLE_NS, Judge, LARGE_REPEATS_MIN, REPEATS_MIN, SECOND, SOON_NS, STALL_NS,
    SYN_WATCH_NS, WINDOW_NS, order,
};
use crate::attempts::stream::{LARGE_BYTES, Talk, Way};
use crate::attempts::{Attempt, Outcome};
use crate::connections::{Connection, Seen};

impl Judge<'_> {
    /// A connection whose client never learned that it was accepted. Who refuses the first acceptance wanted nothing, or never asked.
    pub(super) fn undelivered(&self, own: &Connection, attempt: Attempt) -> Option<Attempt> {
        let spoke = own.from_client.first.or(own.from_server.first).is_some();
        let accepted = own.accepted.filter(|_| own.is_opened_here() && !own.confirmed && !spoke)?;
        let back = (own.server, own.client, 6);
        let told = self.error(back, accepted.time_ns, own.last.time_ns + ERROR_NS);
        let again = own.accepts > 1 && self.watched_ns(accepted.time_ns) >= SYN_WATCH_NS;
        let decided = told.map(|told| told.seen).or(again.then_some(accepted))?;
        let outcome = Outcome::Undelivered(told.map(|told| told.icmp));
        Some(Attempt { decided: Some(decided), outcome, handshake_ns: 0, ..attempt })
    }

    /// Until when what is missing was waited for: one side ended the connection, or the capture ended.
    fn waits(&self, own: &Connection, since: Seen) -> Seen {
        let ends = [own.from_client.finished, own.from_server.finished, own.reset()];
        let end = ends.into_iter().flatten().filter(|seen| order(seen) > order(&since)).min_by_key(order);
        end.unwrap_or_else(|| self.until_end(since))
    }

    /// Large segments lost while small ones pass.
    pub(super) fn large(&self, own: &Connection, talk: &Talk) -> Option<(Outcome, Seen)> {
        let small_pass =
            |other: &Way| other.is_acknowledged() || talk.answer.sent > 0 || own.accepted.is_some();
        if let Some(hole) = talk.answer.hole
            && hole.bytes() >= HOLE_MIN_BYTES
            && (own.is_over() || self.watched_ns(hole.seen.time_ns) >= HOLE_NS)
            && small_pass(&talk.request)
        {
            return Some((
                Outcome::LargeLost { bytes: hole.bytes(), of_client: false },
                self.waits(own, hole.seen),
            ));
        }
        // The receiver asked for what is missing, and it never came, whatever is written in it.
        let ended = [own.from_client.finished, own.from_server.finished, own.reset()];
        let ended_ns = ended.into_iter().flatten().map(|seen| seen.time_ns).min();
        for (way, of_client) in [(&talk.answer, false), (&talk.request, true)] {
            if let Some(hole) = way.hole.filter(|hole| hole.is_reported)
                && hole.bytes() >= HOLE_MIN_BYTES
                && ended_ns.map_or_else(|| self.watched_ns(hole.seen.time_ns), |end| end - hole.seen.time_ns)
                    >= STALL_NS
            {
                return Some((
                    Outcome::LargeLost { bytes: hole.bytes(), of_client },
                    self.waits(own, hole.seen),
                ));
            }
        }
        for (way, of_client) in [(&talk.answer, false), (&talk.request, true)] {
            if let Some(stall) = way.stall.filter(|stall| !stall.is_over)
                && stall.size >= LARGE_BYTES
                && stall.repeats >= LARGE_REPEATS_MIN
                && way.largest < LARGE_BYTES
                && stall.quiet_ns < SECOND
            {
                return Some((Outcome::LargeLost { bytes: 0, of_client }, stall.last));
            }
        }
        None
    }

    /// Data that did not get through after the connection had worked.
    pub(super) fn halted(&self, own: &Connection, talk: &Talk) -> Option<(Outcome, Seen)> {
        for (way, by_client) in [(&talk.answer, true), (&talk.request, false)] {
            let mut lasted_ns = way.window.lasted_ns;
            if way.is_closed()
                && let Some(since) = way.window.since
            {
                let end = own.last.time_ns + self.watched_ns(own.last.time_ns);
                if own.reset().is_none() {
                    lasted_ns = lasted_ns.max(end - since.time_ns);
                }
            }
            if lasted_ns >= WINDOW_NS
                && let Some(last) = way.window.last
            {
                return Some((Outcome::Stalled { by_client, lasted_ns }, last));
            }
        }
        if let Some(lost) = self.large(own, talk) {
            return Some(lost);
        }
        for (way, of_client) in [(&talk.request, true), (&talk.answer, false)] {
            if let Some(stall) = way.stall.filter(|stall| !stall.is_over)
                && stall.repeats >= REPEATS_MIN
                && stall.lasted_ns() >= STALL_NS
            {
                return Some((Outcome::Silenced { of_client, quiet_ns: stall.quiet_ns }, stall.last));
            }
        }
        let reset = own.from_server.reset?;
        let asked = talk.request.last?;
        let answered = talk.answer.last?;
        // A reset after a complete answer and a close is ordinary.
        if own.from_server.finished.is_some_and(|finished| order(&finished) <= order(&reset)) {
            return None;
        }
        let open = order(&asked) > order(&answered)
            || own.from_server.finished.is_none()
                && own.from_client.finished.is_none()
                && reset.time_ns - answered.time_ns <= SOON_NS;
        (open && order(&reset) > order(&asked) && own.from_client.reset.is_none()).then(|| {
            let outcome = match Self::reset(talk) {
                Outcome::ResetByDevice => Outcome::ResetByDevice,
                _ => Outcome::ResetMidway,
            };
            (outcome, reset)
        })
    }
}
