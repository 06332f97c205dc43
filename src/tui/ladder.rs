//! What a ladder shows: the messages of an episode, of an attempt, of a connection or of any two hosts, and between whom they went.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::attempts::{Entry, Table, place};
use super::conversation::Conversation;
use crate::attempts::{Attempt, Kind, Told};
use crate::correlate::{EpisodeId, Evidence};
use crate::decode::Address;
use crate::index::segment::flags;
use crate::index::{Index, PacketId};
use crate::time::Nanos;

/// Messages shown; of more those around the chosen one.
const MESSAGES_MAX: usize = 2_000;
/// Hosts that have a column.
const HOSTS_MAX: usize = 4;
/// What comes this long after an attempt still belongs to it.
const AFTER_NS: Nanos = 1_000_000_000;
/// ICMP errors looked at for one ladder.
const TOLD_MAX: usize = 100_000;
/// Ports a client of DHCP is spoken to at (RFC 2131 §4.1, RFC 8415 §7.2).
const LEASE_CLIENT_PORTS: [u16; 2] = [68, 546];

/// What a ladder is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A packet, and whatever it belongs to.
    Packet(PacketId),
    /// The same once more, now that more is known: the place in it is kept.
    Again(PacketId),
    /// An attempt, with a packet of it.
    Entry(Entry, PacketId),
    /// An episode of failed lookups.
    Episode(EpisodeId),
}

/// A host's column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// What it is here.
    pub word: &'static str,
    /// Its address.
    pub host: Address,
}

/// A message and between which columns it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The packet.
    pub packet: PacketId,
    /// From this column.
    pub from: usize,
    /// To this one.
    pub to: usize,
}

/// A ladder, ready to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    /// What it is about, escaped.
    pub title: String,
    /// The hosts.
    pub columns: Vec<Column>,
    /// The messages.
    pub messages: Vec<Message>,
    /// All messages there are.
    pub total: usize,
    /// The episode, where it is one's.
    pub episode: Option<EpisodeId>,
    /// The attempt, where it is one's.
    pub entry: Option<Entry>,
    /// The message it is drawn for.
    pub chosen: Option<PacketId>,
}

/// Draws the ladder of something; `None` where there is nothing to draw.
pub fn draw(index: &Index, table: &Table, about: About, cancel: &AtomicBool) -> Option<Ladder> {
    let evidence = table.evidence.as_ref()?;
    let maker = Maker { index, table, evidence, cancel };
    match about {
        About::Episode(id) => maker.episode(id, None),
        About::Again(packet) => {
            let drawn = draw(index, table, About::Packet(packet), cancel)?;
            Some(Ladder { chosen: None, ..drawn })
        }
        About::Packet(packet) => {
            let id = evidence.episodes_of(packet).next();
            if let Some(id) = id.and_then(|at| u32::try_from(at).ok()) {
                return maker.episode(EpisodeId(id), Some(packet));
            }
            maker.of_packet(packet)
        }
        About::Entry(entry, packet) => {
            let id = evidence.episodes_of(packet).next().filter(|_| matches!(entry, Entry::Lookup(_)));
            if let Some(id) = id.and_then(|at| u32::try_from(at).ok()) {
                return maker.episode(EpisodeId(id), Some(packet));
            }
            maker.entry(entry, packet)
        }
    }
}

struct Maker<'m> {
    index: &'m Index,
    table: &'m Table,
    evidence: &'m Arc<Evidence>,
    cancel: &'m AtomicBool,
}

impl Maker<'_> {
    fn time(&self, id: PacketId) -> Nanos {
        self.index.packet(id).map_or(0, |packet| packet.time_ns())
    }

    fn episode(&self, id: EpisodeId, chosen: Option<PacketId>) -> Option<Ladder> {
        let episode = self.evidence.episodes.get(id.0 as usize)?;
        let mut frames = episode.frames.clone();
        frames.extend(episode.recovery);
        let name = if episode.name.is_empty() { "a name that is cut" } else { episode.name.as_str() };
        let title = format!("{} → {} port {} · {name}", episode.client, episode.server.0, episode.server.1);
        let ends = ((episode.client, "client"), (episode.server.0, "resolver"));
        let ladder = self.between(title, ends, frames, chosen);
        Some(Ladder { episode: Some(id), ..ladder })
    }

    fn entry(&self, entry: Entry, packet: PacketId) -> Option<Ladder> {
        let shown = self.table.shown(self.index, entry)?;
        let name = if shown.name.is_empty() { String::new() } else { format!(" · {}", shown.name) };
        let server = place(shown.server);
        let title = format!("{} {} → {server}{name} · {}", shown.service, shown.client, shown.outcome);
        let ladder = match entry {
            Entry::Lookup(_) => {
                let ends = ((shown.client, "client"), (shown.server.0, "resolver"));
                self.between(title, ends, self.table.frames(entry), Some(packet))
            }
            Entry::Service(at) => {
                let own = self.table.attempts.all.get(at as usize)?;
                let frames = self.of_attempt(own);
                if own.kind == Kind::Dhcp {
                    self.lease(title, own, frames, packet)
                } else {
                    let ends = ((own.client.0, "client"), (own.service.host, "server"));
                    self.between(title, ends, frames, Some(packet))
                }
            }
        };
        Some(Ladder { entry: Some(entry), ..ladder })
    }

    /// What runs between the ends of an attempt, of a connection all of it, and the errors about it.
    fn of_attempt(&self, own: &Attempt) -> Vec<PacketId> {
        let during = match self.table.attempts.connection(own) {
            Some(connection) => connection.first.time_ns..=connection.last.time_ns,
            None => own.first.time_ns..=own.ended_ns().saturating_add(AFTER_NS),
        };
        // Answers of TFTP come from another port (RFC 1350 §4).
        let port = if own.kind == Kind::Tftp { 0 } else { own.service.port };
        let is_echo = own.service.transport == 1;
        // Its identifier is no port.
        let client = if is_echo { (own.client.0, 0) } else { own.client };
        let transports: &[u8] = if is_echo { &[1, 58] } else { &[own.service.transport] };
        let mut frames = own.frames();
        if own.kind == Kind::Dhcp {
            frames.extend(self.lease_frames(own));
        }
        for transport in transports {
            let ends = [client, (own.service.host, port)];
            frames.extend(Conversation { ends, transport: *transport }.packets(
                self.index,
                &during,
                self.cancel,
            ));
        }
        let ends = (client, (own.service.host, own.service.port));
        let about = |told: &&Told| {
            let fits = |one: (Address, u16), other: (Address, u16)| {
                one.0 == other.0 && (one.1 == 0 || other.1 == 0 || one.1 == other.1)
            };
            let (from, to, _) = told.flow;
            let late = *during.start()..=during.end().saturating_add(AFTER_NS);
            late.contains(&{ told.seen.time_ns })
                && (fits(from, ends.0) && fits(to, ends.1) || fits(from, ends.1) && fits(to, ends.0))
        };
        let told = self.table.attempts.told.iter().take(TOLD_MAX).filter(about);
        frames.extend(told.map(|told| told.seen.packet));
        frames
    }

    /// The messages of one client's wish for an address.
    fn lease_frames(&self, own: &Attempt) -> Vec<PacketId> {
        let of_client = self.table.attempts.leases.iter().filter(|lease| lease.client == own.client.0);
        let mut frames = Vec::new();
        for lease in of_client {
            let asked = [lease.discover.first, lease.discover.last, lease.request.first, lease.request.last];
            let said = [lease.ack, lease.nak.map(|(seen, _)| seen), lease.decline, lease.exhausted];
            frames.extend(asked.into_iter().chain(said).flatten().map(|seen| seen.packet));
            frames.extend(lease.offers.iter().map(|offer| offer.seen.packet));
        }
        frames
    }

    /// DHCP goes to everybody before there is an address: who speaks tells the columns.
    fn lease(&self, title: String, own: &Attempt, frames: Vec<PacketId>, chosen: PacketId) -> Ladder {
        let (frames, total) = self.window(frames, Some(chosen));
        let mut columns = vec![Column { word: "client", host: own.client.0 }];
        let mut messages = Vec::new();
        for packet in frames.iter().filter_map(|id| self.index.packet(*id)) {
            let is_client = LEASE_CLIENT_PORTS.contains(&packet.source_port());
            let other = if is_client { packet.destination_address() } else { packet.source_address() };
            let known = columns.iter().position(|column| column.host == other);
            let at = known.unwrap_or_else(|| {
                if columns.len() < HOSTS_MAX {
                    let word = if crate::attempts::is_host(other) { "server" } else { "everybody" };
                    columns.push(Column { word, host: other });
                }
                columns.len() - 1
            });
            let (from, to) = if is_client { (0, at) } else { (at, 0) };
            messages.push(Message { packet: packet.id, from, to });
        }
        Ladder { title, columns, messages, total, chosen: Some(chosen), ..Ladder::default() }
    }

    /// The attempt of a packet that runs between its ends, else its conversation.
    fn of_packet(&self, packet: PacketId) -> Option<Ladder> {
        let own = self.table.near(self.index, packet).and_then(|at| self.table.entries.get(at).copied());
        if let Some(entry) = own {
            let ladder = self.entry(entry, packet);
            let holds = |ladder: &Ladder| ladder.messages.iter().any(|message| message.packet == packet);
            if let Some(ladder) = ladder.filter(holds) {
                return Some(ladder);
            }
        }
        let conversation = Conversation::of(self.index, packet)?;
        let [from, to] = conversation.ends;
        let whole = Nanos::MIN..=Nanos::MAX;
        let mut frames = conversation.packets(self.index, &whole, self.cancel);
        if frames.is_empty() {
            frames.push(packet);
        }
        let label = self.index.packet(packet)?.protocol().protocol().label;
        let (client, server) = self.sides(conversation, &frames).unwrap_or((from, to));
        let title = format!("{label} {} ↔ {}", place(client), place(server));
        Some(self.between(title, ((client.0, "client"), (server.0, "server")), frames, Some(packet)))
    }

    /// Which end of a connection is the client.
    fn sides(
        &self,
        conversation: Conversation,
        frames: &[PacketId],
    ) -> Option<((Address, u16), (Address, u16))> {
        let [a, b] = conversation.ends;
        let first = *frames.first()?;
        let known = self.table.attempts.connections.iter().find(|own| own.first.packet == first);
        if let Some(own) = known {
            return Some((own.client, own.server));
        }
        // The lower port is a service's.
        Some(if a.1 != 0 && a.1 < b.1 { (b, a) } else { (a, b) })
    }

    /// The messages around the chosen one, in order of time, without copies.
    fn window(&self, mut frames: Vec<PacketId>, chosen: Option<PacketId>) -> (Vec<PacketId>, usize) {
        frames.retain(|id| !self.evidence.is_duplicate(*id) || Some(*id) == chosen);
        frames.sort_unstable();
        frames.dedup();
        frames.sort_by_key(|id| self.time(*id));
        let total = frames.len();
        let at = chosen.and_then(|id| frames.iter().position(|frame| *frame == id)).unwrap_or(0);
        let from = at.saturating_sub(MESSAGES_MAX / 2).min(total.saturating_sub(MESSAGES_MAX));
        (frames.into_iter().skip(from).take(MESSAGES_MAX).collect(), total)
    }

    fn between(
        &self,
        title: String,
        (client, server): ((Address, &'static str), (Address, &'static str)),
        frames: Vec<PacketId>,
        chosen: Option<PacketId>,
    ) -> Ladder {
        let (frames, total) = self.window(frames, chosen);
        let mut columns = vec![Column { word: client.1, host: client.0 }];
        if server.0 != client.0 {
            columns.push(Column { word: server.1, host: server.0 });
        }
        let mut messages = Vec::new();
        for packet in frames.iter().filter_map(|id| self.index.packet(*id)) {
            let is_error = packet.flags() & flags::ICMP_ERROR != 0;
            let mut column = |host: Address| {
                let known = columns.iter().position(|column| column.host == host);
                known.or_else(|| {
                    let word = if is_error { "ICMP sender" } else { "other host" };
                    (columns.len() < HOSTS_MAX).then(|| columns.push(Column { word, host }))?;
                    Some(columns.len() - 1)
                })
            };
            let ends = (column(packet.source_address()), column(packet.destination_address()));
            let (from, to) = (ends.0.unwrap_or(0), ends.1.unwrap_or(0));
            messages.push(Message { packet: packet.id, from, to });
        }
        Ladder { title, columns, messages, total, chosen, ..Ladder::default() }
    }
}
