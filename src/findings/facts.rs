//! What rules and hypotheses need to know of a capture beyond links and episodes, gathered once.

pub mod advertisements;
pub mod asked;
pub mod astray;
pub mod blocks;
pub mod connections;
pub mod contested;
pub mod delegations;
pub mod denials;
pub mod disagreement;
pub mod errors;
pub mod forwarded;
pub mod fragments;
pub mod hidden;
pub mod hosts;
pub mod leases;
pub mod limits;
pub mod load;
pub mod neighbours;
pub mod one_address;
pub mod owners;
pub mod records;
pub mod rival_leases;
pub mod runs;
pub mod servers;
pub mod slow;
pub mod starved;
pub mod suffixes;
pub mod sweeps;
pub mod tries;
pub mod troubles;
pub mod uncaptured;
pub mod unknown_zones;
pub mod unsent;
pub mod virtual_routers;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use super::Input;
use crate::attempts::Attempts;
use crate::connections::Connection as Tracked;
use crate::correlate::{Evidence, Problem, Transaction};
use crate::decode::Address;
use crate::index::{Index, PacketId};
use crate::time::Nanos;
pub use connections::{Connection, Ending};
pub use delegations::Lame;
pub use denials::Denial;
pub use errors::{ErrorFact, Meaning};
pub use fragments::Pieces;
pub use hidden::Hidden;
pub use hosts::{Host, Sort};
pub use load::Load;
pub use neighbours::Conflict;
pub use servers::{Answered, Served, Server, ServerKey};

/// Problems looked at in detail; the gravest come first.
pub const PROBLEMS_MAX: usize = 64;

/// A resolver that gets no whole answer asks otherwise within this time.
const ASKED_OTHERWISE_NS: Nanos = 5_000_000_000;

/// Everything gathered.
pub struct Facts<'i> {
    /// The packets.
    pub index: &'i Index,
    /// What correlation found.
    pub evidence: &'i Evidence,
    /// First and last time of the capture.
    span_ns: (Nanos, Nanos),
    /// Every ICMP error, read, up to a limit.
    pub errors: Vec<ErrorFact>,
    /// What was seen of the hosts that matter.
    pub hosts: BTreeMap<Address, Host>,
    /// Addresses whose link address was asked for, and whether they were ever heard of by ARP or neighbour discovery.
    pub neighbours: BTreeMap<Address, bool>,
    /// Addresses whose link address was asked for and of which nothing was ever heard, with the requests.
    pub unheard: BTreeMap<Address, Vec<PacketId>>,
    /// Addresses that went to another device and stayed there, with the first packet of each device that says so.
    pub moved: BTreeMap<Address, Vec<PacketId>>,
    /// Routers that share addresses.
    pub virtual_routers: Vec<virtual_routers::Group>,
    /// Addresses that two devices use at one time.
    pub conflicts: Vec<Conflict>,
    /// DHCP replies, the first of them.
    pub leases: Vec<PacketId>,
    /// What they give to whom.
    pub given: leases::Given,
    /// Routers that announce DNS servers.
    pub routers: Vec<advertisements::Router>,
    /// The TCP connections that carried data both ways, by the address and port that serves.
    used: HashMap<(Address, u16), Vec<Tracked>>,
    /// TCP connection attempts.
    pub connections: Vec<Connection>,
    /// DNS by server asked.
    pub servers: BTreeMap<ServerKey, Server>,
    /// The first answer of each server to each client.
    pub served: Served,
    /// Answers to questions that failed at some server, by client and question.
    pub answered: Answered,
    /// Servers that limit how often they answer.
    pub limits: Vec<limits::Limited>,
    /// Packets that came in pieces.
    pub pieces: Vec<Pieces>,
    /// Load by server and zone.
    pub load: Load,
    /// Which servers referrals name for which zones.
    pub delegated: delegations::Delegations,
    /// Answers of servers that do not serve the zone they were asked for.
    pub lame: Vec<Lame<'i>>,
    /// Servers that deny nearly every name asked of them.
    pub denials: Vec<Denial<'i>>,
    /// Questions that two devices answered.
    pub contested: Vec<contested::Contested>,
    /// Servers with older data than others of their zone.
    pub disagreements: Vec<disagreement::Disagreement>,
    /// Zones that one resolver does not know and another does.
    pub unknown_zones: Vec<unknown_zones::UnknownZone<'i>>,
    /// Clients that are led to one address whatever they ask.
    pub one_address: Vec<one_address::OneAddress>,
    /// Requests for link addresses that nobody answered any more.
    pub runs: Vec<runs::Run>,
    /// Lookups that were answered, but slowly.
    pub slow: Vec<slow::Slow>,
    /// What clients wanted of services beside DNS.
    pub attempts: &'i Attempts,
    /// DHCP servers that give the same clients different settings.
    pub rivals: Option<rival_leases::Rivals>,
    /// What failed of it.
    pub troubles: troubles::Troubles,
    /// Rows of addresses that were pinged to see which are in use.
    pub sweeps: Vec<sweeps::Sweep>,
    /// Names that led elsewhere at another time, or at another server, than to what failed.
    pub astray: Vec<astray::Astray>,
    /// Secondaries that are refused a zone and then fail its names.
    pub starved: Vec<starved::Starved>,
    /// Clients with a search domain that none of their names exists in.
    pub suffixes: Vec<suffixes::Suffix>,
    /// ICMP errors about queries nobody sent.
    pub unsent: Vec<PacketId>,
    /// Why the capture would not show ICMP errors, where it would not.
    pub hidden: Option<Hidden>,
    /// Queries that are not in the capture and failed.
    pub uncaptured: Vec<uncaptured::Uncaptured>,
    /// Limits that were reached.
    pub notes: Vec<String>,
}

/// No attempts, before they are followed.
static NOT_FOLLOWED: LazyLock<Attempts> = LazyLock::new(Attempts::default);

impl<'i> Facts<'i> {
    /// Whether a port is one of DNS in this run.
    pub fn is_dns_port(&self, port: u16) -> bool {
        self.index.settings.is_dns_port(port)
    }

    /// The port a server is asked at; the usual one where it is not asked.
    pub fn dns_port_of(&self, server: Address) -> u16 {
        let asked = self.servers.range((server, 0, 0)..=(server, u16::MAX, u8::MAX)).next();
        asked.map_or_else(|| self.index.settings.supposed_dns_port(), |(key, _)| key.1)
    }

    /// Looks at everything once: load and denied names on another thread.
    pub fn gather(input: &Input<'i>) -> Self {
        // Looked at here, before threads ask for it.
        input.evidence.look_again();
        let mut facts = Self::nothing(input);
        let (tally, load, denied) = std::thread::scope(|scope| {
            let other = scope.spawn(|| (load::measure(input), denials::collect(input)));
            facts.errors = errors::read(&mut facts);
            hosts::watch(&mut facts);
            facts.attempts = Attempts::of(facts.evidence);
            connections::follow(&mut facts);
            connections::reject(&mut facts.connections, &facts.errors);
            facts.pieces = fragments::collect(&mut facts);
            facts.answered = servers::answered(input);
            let tally = servers::tally(input);
            let (load, denied) = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (tally, load, denied)
        });
        facts.servers = tally.servers;
        facts.served = tally.served;
        facts.notes.extend(tally.notes);
        facts.load = load;
        load::victims(&mut facts);
        (facts.delegated, facts.lame) = delegations::find(&facts);
        facts.slow = slow::find(&facts);
        facts.limits = limits::find(&facts);
        let heard = neighbours::listen(&facts);
        facts.neighbours = heard.asked();
        facts.unheard = heard.unheard();
        facts.virtual_routers = virtual_routers::find(&facts);
        facts.conflicts = owners::conflicts(&facts, &heard);
        facts.moved = owners::moved(&facts, &heard);
        facts.given = leases::Given::read(&facts);
        facts.runs = runs::find(&facts, heard);
        facts.contested = contested::find(&facts);
        facts.disagreements = disagreement::find(&facts);
        facts.unknown_zones = unknown_zones::find(&facts, &denied);
        facts.denials = denials::find(&facts, denied);
        facts.one_address = one_address::find(&facts);
        facts.routers = advertisements::find(&facts);
        facts.unsent = unsent::find(&facts);
        facts.sweeps = sweeps::find(&facts);
        facts.troubles = troubles::find(&facts);
        facts.astray = astray::find(&facts, &facts.troubles);
        facts.starved = starved::find(&facts);
        facts.suffixes = suffixes::find(&facts);
        facts.rivals = rival_leases::find(&facts);
        facts.uncaptured = uncaptured::find(&facts);
        facts
    }

    fn nothing(input: &Input<'i>) -> Self {
        Facts {
            index: input.index,
            evidence: input.evidence,
            span_ns: span(input.index),
            errors: Vec::new(),
            hosts: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            unheard: BTreeMap::new(),
            moved: BTreeMap::new(),
            virtual_routers: Vec::new(),
            conflicts: Vec::new(),
            leases: Vec::new(),
            given: leases::Given::default(),
            routers: Vec::new(),
            used: HashMap::new(),
            connections: Vec::new(),
            servers: BTreeMap::new(),
            served: Served::default(),
            answered: Answered::default(),
            limits: Vec::new(),
            pieces: Vec::new(),
            load: Load::default(),
            delegated: delegations::Delegations::new(),
            lame: Vec::new(),
            denials: Vec::new(),
            contested: Vec::new(),
            disagreements: Vec::new(),
            unknown_zones: Vec::new(),
            one_address: Vec::new(),
            runs: Vec::new(),
            slow: Vec::new(),
            attempts: &NOT_FOLLOWED,
            rivals: None,
            troubles: troubles::Troubles::default(),
            sweeps: Vec::new(),
            astray: Vec::new(),
            starved: Vec::new(),
            suffixes: Vec::new(),
            unsent: Vec::new(),
            uncaptured: Vec::new(),
            hidden: Hidden::of(input.index),
            notes: Vec::new(),
        }
    }

    /// What it was gathered from.
    pub fn input(&self) -> Input<'i> {
        Input { index: self.index, evidence: self.evidence }
    }

    /// The problems looked at, with their position.
    pub fn problems(&self) -> impl Iterator<Item = (usize, &'i Problem)> + use<'i> {
        self.evidence.problems.iter().enumerate().take(PROBLEMS_MAX)
    }

    /// The transactions of a problem, in order.
    pub fn transactions(&self, problem: &'i Problem) -> impl Iterator<Item = &'i Transaction> + use<'i> {
        let evidence = self.evidence;
        problem
            .episodes
            .iter()
            .filter_map(move |id| evidence.episodes.get(id.0 as usize))
            .flat_map(|episode| episode.transactions.iter())
            .filter_map(move |id| evidence.transaction(*id))
    }

    /// Time of a packet; 0 for one that is not there.
    pub fn time(&self, packet: PacketId) -> Nanos {
        self.index.packet(packet).map_or(0, |packet| packet.time_ns())
    }

    /// The error read from a packet.
    pub fn error(&self, packet: PacketId) -> Option<&ErrorFact> {
        let at = self.errors.partition_point(|error| error.packet < packet);
        self.errors.get(at).filter(|error| error.packet == packet)
    }

    /// The answer another server gave to the same client's same question within [`servers::FAILOVER_NS`] of a failed try.
    pub fn answered_elsewhere(&self, transaction: &Transaction) -> Option<PacketId> {
        let (client, key) = servers::key_of(self, transaction)?;
        let question = transaction.question(self.index)?.question;
        let (from, to) = (self.time(transaction.first), self.time(transaction.last) + servers::FAILOVER_NS);
        self.answered
            .get(&(client, question))?
            .iter()
            .find(|other| other.server != key.0 && (from..=to).contains(&other.time_ns))
            .map(|other| other.packet)
    }

    /// A connection that carried data both ways to an address and port while others to it failed: the service works.
    pub fn in_use(&self, service: (Address, u16), (from_ns, to_ns): (Nanos, Nanos)) -> Option<&Tracked> {
        self.used.get(&service)?.iter().find(|own| own.is_in_use_during(from_ns, to_ns))
    }

    /// The connections to a service that carried data both ways.
    pub fn used(&self, service: (Address, u16)) -> &[Tracked] {
        self.used.get(&service).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether missing fragments say anything: later ones of some packet were captured, or a receiver missed them. A capture
    /// filter by port cannot match later fragments, which have none (pcap-filter(7)).
    pub fn misses_fragments(&self) -> bool {
        self.pieces.iter().any(Pieces::has_later)
            || self.errors.iter().any(|error| error.meaning == Meaning::ReassemblyExpired)
            || self.pieces.iter().any(|pieces| pieces.is_dns_answer() && self.is_asked_again(pieces))
    }

    /// Whether the receiver of a first fragment asked again after it came.
    fn is_asked_again(&self, pieces: &Pieces) -> bool {
        let ours = |problem: &&Problem| {
            problem.server.0 == pieces.source && problem.clients.contains(&pieces.destination)
        };
        let silent = self.problems().map(|(_, problem)| problem).filter(ours);
        let repeated = silent.flat_map(|problem| self.transactions(problem)).any(|transaction| {
            transaction.tries > 1
                && self.time(transaction.first) <= pieces.time_ns
                && pieces.time_ns < self.time(transaction.last)
        });
        repeated || self.is_asked_otherwise(pieces)
    }

    /// Whether the receiver of a first fragment asked the same by another query soon after: with a smaller size or over TCP, as
    /// resolvers do.
    fn is_asked_otherwise(&self, pieces: &Pieces) -> bool {
        let Some((server_port, port)) = pieces.ports else { return false };
        let soon = pieces.time_ns..=pieces.time_ns + ASKED_OTHERWISE_NS;
        let (client, server) = (pieces.destination, pieces.source);
        let tried = |own: &Connection| {
            own.client.0 == client && own.server == (server, server_port) && soon.contains(&own.time_ns)
        };
        if self.connections.iter().any(tried) {
            return true;
        }
        let input = self.input();
        let between = |own: &asked::Asked<'_>| own.client == client && own.server.0 == server;
        let mut question = None;
        asked::all(&input).filter(between).take_while(|own| own.time_ns <= *soon.end()).any(|own| {
            let from = self.index.packet(own.transaction.first).map(|packet| packet.source_port());
            if from == Some(port) && own.time_ns <= pieces.time_ns {
                question = Some(own.row.question);
                return false;
            }
            own.time_ns > pieces.time_ns && question == Some(own.row.question)
        })
    }

    /// Whether a packet is a copy of another one.
    pub fn is_copy(&self, packet: PacketId) -> bool {
        self.evidence.is_duplicate(packet)
    }

    /// The name a DNS packet asks about, in presentation form, lower case, not escaped.
    pub fn name_of(&self, packet: PacketId) -> Option<String> {
        let packet = self.index.packet(packet)?;
        let wire = packet.segment.names.get(packet.dns()?.name)?;
        Some(crate::decode::dns::presentation(wire))
    }

    /// First and last time of the capture.
    pub fn span(&self) -> (Nanos, Nanos) {
        self.span_ns
    }
}

fn span(index: &Index) -> (Nanos, Nanos) {
    let mut span = (Nanos::MAX, Nanos::MIN);
    for time in index.segments().iter().flat_map(|segment| &segment.time_ns) {
        span = (span.0.min(*time), span.1.max(*time));
    }
    if span.0 > span.1 { (0, 0) } else { span }
}
