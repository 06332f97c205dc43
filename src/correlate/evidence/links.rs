//! The links of packets: those of errors are stored, those between queries, retries, answers and copies worked out.

use std::ops::Range;

use super::{Evidence, Role};
use crate::correlate::duplicates::{Copy, CopyKind};
use crate::correlate::{Level, Link, LinkKind, Reason, TransactionId};
use crate::decode::Quote;
use crate::index::PacketId;
use crate::time::Nanos;

/// Links shown as ending at one packet; a packet with more is the target of a flood.
const LINKS_TO_MAX: usize = 1000;

impl Evidence {
    /// Links that begin at a packet. A copy has the links of its original besides the one to it.
    pub fn links_from(&self, packet: PacketId) -> Vec<Link> {
        let copy = self.copy_link(packet);
        let speaker = copy.as_ref().and_then(|link| link.to).unwrap_or(packet);
        let start = self.stored.partition_point(|link| link.from < speaker);
        let stored = self.stored.iter().skip(start).take_while(|link| link.from == speaker).cloned();
        let mut links: Vec<Link> = copy.into_iter().chain(stored).collect();
        for (id, role) in self.roles_of(speaker) {
            links.extend(self.member_link(speaker, id, role));
        }
        let at = self.loose.partition_point(|(from, _)| *from < speaker);
        links.extend(
            self.loose.get(at).filter(|(from, _)| *from == speaker).map(|loose| self.loose_link(*loose)),
        );
        for link in &mut links {
            link.from = packet;
        }
        links.sort_by_key(|link| (link.kind, link.to));
        links
    }

    /// The same, and for errors and answers also the link to the copy of the query that was captured on their own side
    /// of a router or NAT.
    pub fn all_links_from(&self, packet: PacketId) -> Vec<Link> {
        let mut links = self.links_from(packet);
        let nearer: Vec<Link> = links.iter().filter_map(|link| self.nearer(packet, link)).collect();
        links.extend(nearer);
        links.sort_by_key(|link| (link.kind, link.to));
        links
    }

    /// The link of an error or answer to the copy of its query that was captured on its own side of a router or NAT:
    /// the copy whose addresses and TTL it quotes, or whose flow it answers.
    fn nearer(&self, packet: PacketId, link: &Link) -> Option<Link> {
        let target = link.to.filter(|_| matches!(link.kind, LinkKind::ErrorAbout | LinkKind::AnswerTo))?;
        let mut copies = self.made_of(target).filter(|copy| copy.kind != CopyKind::Mirror).peekable();
        copies.peek()?;
        let speaker = self.index.packet(packet)?;
        let decoded = speaker.decode();
        let quoted = Quote::read(&decoded).map(|quote| {
            let ends =
                quote.inner.ports().map(|ports| (quote.inner.source, ports.0, quote.inner.destination));
            (ends, quote.inner.ttl)
        });
        let fits = |copy: &&Copy| {
            let Some(query) = self.index.packet(copy.copy) else { return false };
            let (source, port) = (query.source_address(), query.source_port());
            match quoted {
                Some((ends, ttl)) => {
                    ends == Some((source, port, query.destination_address())) && query.ttl() >= ttl
                }
                None => {
                    copy.kind == CopyKind::Nat
                        && (decoded.destination, decoded.source) == (source, query.destination_address())
                        && decoded.ports().is_some_and(|ports| ports.1 == port)
                }
            }
        };
        let copy = copies.filter(|copy| copy.copy < packet).filter(fits).last()?;
        // 0 where it cannot be told, as everywhere in links.
        let delta_ns = self.between_ns(copy.copy, speaker.id).unwrap_or(0);
        Some(Link { to: Some(copy.copy), delta_ns, ..link.clone() })
    }

    /// Links that end at a packet, the most telling first.
    pub fn links_to(&self, packet: PacketId) -> Vec<Link> {
        let mut links: Vec<Link> = self.errors_to(packet).take(LINKS_TO_MAX).cloned().collect();
        for (id, role) in self.roles_of(packet) {
            let mut left = LINKS_TO_MAX;
            self.each_link_to_member(packet, id, role, &mut |link| {
                links.push(link);
                left -= 1;
                left == 0
            });
        }
        let loose = self.loose.iter().filter(|(_, to)| *to == packet).take(LINKS_TO_MAX);
        links.extend(loose.map(|loose| self.loose_link(*loose)));
        let copies = self.copies_of(packet).take(LINKS_TO_MAX);
        links.extend(copies.filter_map(|copy| self.copy_link(copy)));
        links.sort_by_key(|link| (link.kind, link.from));
        links
    }

    /// Calls `visit` with the link of a member of a transaction to another member, and with those that end at it,
    /// until it says true. Links of errors and copies are not among them.
    pub fn each_member_link(
        &self,
        (packet, id, role): (PacketId, TransactionId, Role),
        visit: &mut dyn FnMut(Link) -> bool,
    ) {
        if self.member_link(packet, id, role).is_none_or(|link| !visit(link)) {
            self.each_link_to_member(packet, id, role, visit);
        }
    }

    fn each_link_to_member(
        &self,
        packet: PacketId,
        id: TransactionId,
        role: Role,
        visit: &mut dyn FnMut(Link) -> bool,
    ) {
        if !matches!(role, Role::First | Role::Retry) {
            return;
        }
        let Some(transaction) = self.transaction(id) else { return };
        // Links end at the first try (from retries) and at the last (from answers) only.
        if packet != transaction.first && packet != transaction.last {
            return;
        }
        if let Some(answer) = transaction.answer.filter(|_| packet == transaction.last) {
            let role = self.roles_of(answer).find(|(of, _)| *of == id);
            if role.and_then(|(_, role)| self.member_link(answer, id, role)).is_some_and(&mut *visit) {
                return;
            }
        }
        for extra in self.extras_of(id) {
            let link = self.member_link(extra.packet, id, extra.role);
            if link.filter(|link| link.to == Some(packet)).is_some_and(&mut *visit) {
                return;
            }
        }
    }

    /// The link a member of a transaction has to another of it.
    fn member_link(&self, packet: PacketId, id: TransactionId, role: Role) -> Option<Link> {
        let transaction = self.transaction(id)?;
        let extra = || self.extra(id, packet).map_or(0, |extra| extra.delta_ns);
        let (to, kind, level, delta_ns, reason) = match role {
            Role::First => return None,
            Role::Retry => (transaction.first, LinkKind::RetryOf, Level::Exact, extra(), Reason::SameKey),
            Role::Answer => (
                transaction.last,
                LinkKind::AnswerTo,
                Level::Exact,
                self.rtt_ns(transaction),
                Reason::SameKey,
            ),
            Role::ProbableAnswer => (
                transaction.last,
                LinkKind::AnswerTo,
                Level::Probable,
                self.rtt_ns(transaction),
                Reason::NoQuestion,
            ),
            Role::FurtherAnswer => {
                (transaction.last, LinkKind::AnswerTo, Level::Exact, extra(), Reason::FurtherResponse)
            }
        };
        let late = delta_ns > self.parameters.late_after_ns && kind == LinkKind::AnswerTo;
        Some(Link { from: packet, to: Some(to), kind, level, delta_ns, reason, delayed: late })
    }

    /// The packet at the other end that matters most: an error's query, a query's error, else its answer or first try.
    pub fn partner(&self, packet: PacketId) -> Option<PacketId> {
        let rank = |kind: LinkKind| match kind {
            LinkKind::ErrorAbout => 0,
            LinkKind::AnswerTo => 1,
            LinkKind::RetryOf => 2,
            LinkKind::DuplicateOf => 3,
        };
        let out = self.links_from(packet);
        let back = self.links_to(packet);
        let out = out.iter().filter_map(|link| Some((rank(link.kind), link.to?)));
        let back = back.iter().map(|link| (rank(link.kind), link.from));
        out.chain(back).min().map(|(_, partner)| partner)
    }

    /// The links of ICMP errors in packet order; copies of errors are not among them.
    pub fn error_links(&self) -> &[Link] {
        &self.stored
    }

    /// The ICMP errors linked to a packet, in packet order.
    pub fn errors_about(&self, packet: PacketId) -> impl Iterator<Item = PacketId> + '_ {
        self.errors_to(packet).take(LINKS_TO_MAX).map(|link| link.from)
    }

    /// The links of errors about a packet, in packet order and however many they are.
    pub fn errors_to(&self, packet: PacketId) -> impl Iterator<Item = &Link> {
        self.targets(packet..PacketId(packet.0.saturating_add(1)))
    }

    /// The links of errors about packets of a range, by the packet they are about.
    pub fn targets(&self, range: Range<PacketId>) -> impl Iterator<Item = &Link> {
        let start = self.by_target.partition_point(|(target, _)| *target < range.start);
        let links = self.by_target.iter().skip(start).take_while(move |(target, _)| *target < range.end);
        links.filter_map(|(_, at)| self.stored.get(*at as usize))
    }

    /// The links of errors among the packets of a range.
    pub fn errors_in(&self, range: &Range<PacketId>) -> &[Link] {
        let start = self.stored.partition_point(|link| link.from < range.start);
        let end = self.stored.partition_point(|link| link.from < range.end);
        self.stored.get(start..end).unwrap_or_default()
    }

    /// The copies among the packets of a range.
    pub fn copies_in(&self, range: &Range<PacketId>) -> impl Iterator<Item = PacketId> + use<'_> {
        let start = self.copies.partition_point(|copy| copy.copy < range.start);
        let end = self.copies.partition_point(|copy| copy.copy < range.end);
        self.copies.get(start..end).unwrap_or_default().iter().map(|copy| copy.copy)
    }

    /// The packets of a range that were captured again, once for each copy.
    pub fn originals_in(&self, range: Range<PacketId>) -> impl Iterator<Item = PacketId> {
        self.by_original(range).map(|copy| copy.original)
    }

    /// The packet that a copy is one of; a packet that is none itself.
    pub fn original_of(&self, packet: PacketId) -> PacketId {
        self.copy(packet).map_or(packet, |copy| copy.original)
    }

    /// The copies of a packet.
    pub fn copies_of(&self, packet: PacketId) -> impl Iterator<Item = PacketId> {
        self.made_of(packet).map(|copy| copy.copy)
    }

    pub(super) fn made_of(&self, packet: PacketId) -> impl Iterator<Item = &Copy> {
        self.by_original(packet..PacketId(packet.0.saturating_add(1)))
    }

    fn by_original(&self, range: Range<PacketId>) -> impl Iterator<Item = &Copy> {
        let copy = |at: &u32| self.copies.get(*at as usize);
        let original = move |at: &u32| copy(at).map(|copy| copy.original);
        let start = self.copies_by_original.partition_point(|at| original(at) < Some(range.start));
        let copies = self.copies_by_original.iter().skip(start).filter_map(copy);
        copies.take_while(move |copy| copy.original < range.end)
    }

    pub(super) fn copy(&self, packet: PacketId) -> Option<&Copy> {
        let at = self.copies.partition_point(|copy| copy.copy < packet);
        self.copies.get(at).filter(|copy| copy.copy == packet)
    }

    /// A response to a message that is no query.
    fn loose_link(&self, (from, to): (PacketId, PacketId)) -> Link {
        let time_ns = |packet| self.index.packet(packet).map_or(0, |packet| packet.time_ns());
        let delta_ns = (time_ns(from) - time_ns(to)).max(0);
        let (kind, level, reason) = (LinkKind::AnswerTo, Level::Probable, Reason::NoQuestion);
        Link { from, to: Some(to), kind, level, delta_ns, reason, delayed: false }
    }

    fn copy_link(&self, packet: PacketId) -> Option<Link> {
        let copy = self.copy(packet)?;
        Some(Link {
            from: packet,
            to: Some(copy.original),
            kind: LinkKind::DuplicateOf,
            level: Level::Exact,
            // How far apart: where the original is the one nearer the client, the copy may be the earlier one.
            delta_ns: Nanos::from(copy.delta_ns).abs(),
            reason: Reason::Copy(copy.kind),
            delayed: false,
        })
    }
}
