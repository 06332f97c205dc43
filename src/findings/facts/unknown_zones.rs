//! Zones that one resolver does not know and another does: split DNS, where the wrong one of the two is asked.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};

use super::denials::Denied;
use super::{Facts, ServerKey, asked, records};
use crate::correlate::Transaction;
use crate::decode::Address;
use crate::findings::zones;
use crate::index::PacketId;
use crate::time::Nanos;

/// Denied lookups from which it is no slip.
const DENIED_MIN: usize = 2;
/// Zones that a server lacks from which on it hides names on purpose, as block lists do.
const ZONES_MAX: usize = 3;
/// Denied lookups kept of one zone.
const KEPT_MAX: usize = 4_096;
/// Denied questions followed.
const QUESTIONS_MAX: usize = 65_536;

/// A zone that a resolver denies although another one gives data for the same questions.
#[derive(Clone, Debug)]
pub struct UnknownZone<'i> {
    /// What the denied names share.
    pub zone: String,
    /// Who denies them.
    pub lacks: ServerKey,
    /// Who knows them.
    pub knows: Address,
    /// The zone of the start of authority that the denials carry: where the one that lacks the zone looked.
    pub looked_in: Option<String>,
    /// The denied lookups.
    pub denied: Vec<&'i Transaction>,
    /// Answers of the other one to the same questions.
    pub known: Vec<PacketId>,
    /// A client was denied what it had been given by the other one before.
    pub moved: bool,
    /// An answer with data of the one that lacks the zone, for another name.
    pub other_name: Option<PacketId>,
    /// An answer with data of the one that lacks the names, for another name of the same zone.
    pub same_zone: Option<PacketId>,
    /// Denied lookups that the other one answered for the same client right after.
    pub rescued: usize,
}

impl UnknownZone<'_> {
    /// The frames that show it.
    pub fn frames(&self) -> Vec<PacketId> {
        let denied = self.denied.iter().flat_map(|own| [Some(own.first), own.answer]).flatten();
        denied.chain(self.known.iter().copied()).collect()
    }

    /// Whether every denied lookup was answered by the other one at once: clients ask both.
    pub fn is_harmless(&self) -> bool {
        self.rescued == self.denied.len()
    }
}

/// Who lacks a zone, who knows it, and the zone as guessed from a name.
type Pair = (ServerKey, Address, String);

/// What is known of one denied question at another server.
struct Known {
    server: Address,
    client: Address,
    at_ns: Nanos,
    answer: PacketId,
}

/// The zones that one resolver lacks; `denied` are all denied lookups.
pub(super) fn find<'i>(facts: &Facts<'i>, denied: &Denied<'i>) -> Vec<UnknownZone<'i>> {
    let hosts: BTreeSet<Address> = facts.servers.keys().map(|key| key.0).collect();
    if hosts.len() < 2 || denied.is_empty() {
        return Vec::new();
    }
    let question = |own: &Transaction| own.question(facts.index).map(|row| row.question);
    let wanted: HashSet<u64> = denied
        .values()
        .flatten()
        .filter_map(|own| question(own))
        .filter(|question| *question != 0)
        .take(QUESTIONS_MAX)
        .collect();
    let known = known(facts, &wanted);
    // What a server asks others for and hands on says nothing about what it knows itself.
    let asks = |one: Address, other: Address| {
        facts.servers.iter().any(|(key, server)| key.0 == other && server.clients.contains(&one))
    };
    let mut groups: BTreeMap<Pair, UnknownZone<'i>> = BTreeMap::new();
    for (lacks, transaction) in denied.iter().flat_map(|(key, all)| all.iter().map(move |own| (*key, *own))) {
        if transaction.name_lost || transaction.extended_error.is_some() {
            continue;
        }
        let Some(others) = question(transaction).and_then(|question| known.get(&question)) else { continue };
        // Who gave it as well, or was told by the other one, has another reason to deny it now.
        let Some(other) = others.iter().find(|own| own.server != lacks.0) else { continue };
        if others.iter().any(|own| own.server == lacks.0)
            || asks(lacks.0, other.server)
            || asks(other.server, lacks.0)
            || denied.iter().any(|(key, all)| key.0 == other.server && denies(facts, all, transaction))
        {
            continue;
        }
        let Some(name) = facts.name_of(transaction.first) else { continue };
        let key = (lacks, other.server, zones::of(&name));
        let group = groups.entry(key).or_insert_with(|| UnknownZone {
            zone: zones::of(&name),
            lacks,
            knows: other.server,
            looked_in: transaction
                .answer
                .and_then(|answer| records::start_of(facts.index, answer))
                .map(|start| start.zone),
            denied: Vec::new(),
            known: Vec::new(),
            moved: false,
            other_name: None,
            same_zone: None,
            rescued: 0,
        });
        if group.denied.len() < KEPT_MAX {
            group.denied.push(transaction);
            group.known.extend(others.iter().map(|own| own.answer).take(DENIED_MIN));
            group.rescued += usize::from(facts.answered_elsewhere(transaction).is_some());
        }
        let client = facts.index.packet(transaction.first).map(|packet| packet.source_address());
        let before = facts.time(transaction.first);
        group.moved |= others.iter().any(|own| Some(own.client) == client && own.at_ns <= before);
    }
    settle(facts, groups.into_values().collect())
}

/// Leaves out single slips and block lists, and names each zone by what its names share.
fn settle<'i>(facts: &Facts<'i>, mut all: Vec<UnknownZone<'i>>) -> Vec<UnknownZone<'i>> {
    let lacks = |server: Address| all.iter().filter(|own| own.lacks.0 == server).count();
    let hidden: BTreeSet<Address> =
        all.iter().map(|own| own.lacks.0).filter(|server| lacks(*server) > ZONES_MAX).collect();
    let outdated = |own: &UnknownZone<'_>| {
        facts
            .disagreements
            .iter()
            .any(|known| known.outdated == own.lacks.0 && zones::is_below(&own.zone, &known.zone))
    };
    all.retain(|own| own.denied.len() >= DENIED_MIN && !hidden.contains(&own.lacks.0) && !outdated(own));
    for own in &mut all {
        let names: BTreeSet<String> =
            own.denied.iter().filter_map(|transaction| facts.name_of(transaction.first)).collect();
        let names: Vec<String> = names.into_iter().collect();
        if let Some(zone) = zones::common(&names).into_iter().next() {
            own.zone = zone;
        }
        own.known.sort_unstable();
        own.known.dedup();
        let answers = facts.servers.get(&own.lacks).map(|server| server.answers.as_slice());
        let fine = || answers.unwrap_or_default().iter().filter(|answer| answer.response_code == 0);
        let given = |packet: &PacketId, inside: bool| {
            let row = facts.index.packet(*packet).and_then(|packet| packet.dns().copied());
            row.is_some_and(|row| row.header.counts[1] > 0)
                && facts.name_of(*packet).is_some_and(|name| zones::is_below(&name, &own.zone) == inside)
        };
        let find = |inside: bool| {
            fine().map(|answer| answer.packet).take(KEPT_MAX).find(|packet| given(packet, inside))
        };
        (own.other_name, own.same_zone) = (find(false), find(true));
    }
    all
}

/// Answers with data to the wanted questions.
fn known(facts: &Facts<'_>, wanted: &HashSet<u64>) -> HashMap<u64, Vec<Known>> {
    let mut known: HashMap<u64, Vec<Known>> = HashMap::new();
    for own in asked::all(&facts.input()) {
        let Some(answer) = own.transaction.answer.filter(|_| own.transaction.response_code == 0) else {
            continue;
        };
        if !wanted.contains(&own.row.question) {
            continue;
        }
        let data =
            facts.index.packet(answer).and_then(|packet| packet.dns().map(|row| row.header.counts[1] > 0));
        let all = known.entry(own.row.question).or_default();
        if data == Some(true) && all.len() < KEPT_MAX {
            all.push(Known { server: own.server.0, client: own.client, at_ns: own.ended_ns(), answer });
        }
    }
    known
}

/// Whether the same question is among denied ones, at that time or later.
fn denies(facts: &Facts<'_>, all: &[&Transaction], transaction: &Transaction) -> bool {
    let question = |own: &Transaction| own.question(facts.index).map(|row| row.question);
    let wanted = question(transaction);
    all.iter().take(KEPT_MAX).any(|own| question(own) == wanted)
}
