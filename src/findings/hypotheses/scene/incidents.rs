//! Incidents that are no DNS problem of their own: silence the capture's end cuts short, errors about queries that were
//! not captured, lost fragments, sites that fail although DNS works, floods, and errors that a genuine answer contradicts.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use crate::correlate::{AnomalyKind, Level, Outcome, Signature, Transaction};
use crate::decode::Address;
use crate::findings::facts::contested::Contested;
use crate::findings::facts::delegations::How;
use crate::findings::facts::disagreement::Disagreement;
use crate::findings::facts::leases::GivenAs;
use crate::findings::facts::one_address::OneAddress;
use crate::findings::facts::rival_leases::Rivals;
use crate::findings::facts::runs::{Run, Wanted};
use crate::findings::facts::slow::Told;
use crate::findings::facts::troubles::Trouble;
use crate::findings::facts::uncaptured::Uncaptured;
use crate::findings::facts::unknown_zones::UnknownZone;
use crate::findings::facts::{Conflict, Connection, Ending, ErrorFact, Facts, Meaning, servers};
use crate::findings::hypotheses::thresholds::{
    ATTEMPTS_MIN, INCIDENTS_MAX, LAME_MIN, LARGE_MIN, NEIGHBOUR_AROUND_NS, SYN_WATCH_NS,
};
use crate::findings::surge;
use crate::findings::{FRAMES_MAX, Finding, Severity};
use crate::time::Nanos;

/// What TCP connections that never open have in common.
static TCP_RESET: Signature = Signature::TcpReset;
/// What denied names have in common (NXDOMAIN, RFC 1035 §4.1.1).
static NAME_ERROR: Signature = Signature::ResponseCode(3);

/// What kind of incident a scene without a DNS problem is.
#[derive(Clone, Copy, Debug)]
pub enum Incident<'f> {
    /// Queries repeated without an answer until the capture ends.
    Silence,
    /// Errors about queries that are not in the capture.
    Uncaptured,
    /// DNS answers too large for the path: later fragments did not arrive, or devices on the path said so.
    Fragments,
    /// TCP connections to the DNS port that all failed, and nothing was asked over UDP.
    NoTcp,
    /// Link address requests for a DNS server that nobody answers any more.
    Vanished,
    /// The same for the way to other networks.
    NoNextHop,
    /// A server that does not serve what a referral hands it.
    Lame,
    /// A server that denies nearly every name asked of it.
    Denied,
    /// A resolver that denies names of a zone which another one knows.
    UnknownZone(&'f UnknownZone<'f>),
    /// Two devices use one address, and no lookup fails for it.
    TwoOwners(&'f Conflict),
    /// Two devices answered in one server's name, with different addresses.
    Contested(&'f Contested),
    /// Two DHCP servers that give the same clients different settings.
    SecondDhcp(&'f Rivals),
    /// A server of a zone gives other addresses than the others, from older data.
    Outdated(&'f Disagreement),
    /// A service beside DNS that failed.
    Service(&'f Trouble),
    /// Far more queries than usual, or random labels, or amplifying questions.
    Flood,
    /// One address whatever is asked.
    Portal(&'f OneAddress),
    /// Everything was answered, but people had to wait for it.
    Slow,
    /// A host receives answers it did not ask for.
    Victim,
    /// An error and a genuine answer to the same query.
    Conflict,
}

/// All incidents, gravest kind first.
pub(super) fn all<'f, 'i>(facts: &'f Facts<'i>, findings: &'f [Finding]) -> Vec<Scene<'f, 'i>> {
    let maker = Maker { facts, findings };
    let mut scenes = Vec::new();
    scenes.extend(maker.second_dhcp());
    scenes.extend(maker.victims());
    scenes.extend(maker.floods());
    scenes.extend(maker.contested());
    scenes.extend(maker.uncaptured());
    scenes.extend(maker.silences());
    scenes.extend(maker.without_tcp());
    scenes.extend(maker.vanished());
    scenes.extend(maker.two_owners());
    scenes.extend(maker.fragments());
    scenes.extend(maker.outdated());
    scenes.extend(maker.services());
    scenes.extend(maker.conflicts());
    scenes.extend(maker.portals());
    scenes.extend(maker.slow(&scenes));
    scenes.extend(maker.unknown_zones());
    scenes.extend(maker.lame());
    scenes.extend(maker.denied());
    scenes.truncate(INCIDENTS_MAX);
    scenes
}

struct Maker<'f, 'i> {
    facts: &'f Facts<'i>,
    findings: &'f [Finding],
}

impl<'f, 'i> Maker<'f, 'i> {
    fn empty(&self, incident: Incident<'f>, server: Address, service: (u16, u8)) -> Scene<'f, 'i> {
        Scene {
            facts: self.facts,
            findings: self.findings,
            problem: None,
            incident: Some(incident),
            server,
            service,
            signature: None,
            clients: Vec::new(),
            names: Vec::new(),
            transactions: Vec::new(),
            queries: Vec::new(),
            errors: Vec::new(),
            period_ns: self.facts.span(),
        }
    }

    fn has_problem(&self, server: Address) -> bool {
        self.facts.problems().any(|(_, problem)| problem.server.0 == server)
    }

    /// Fills clients, names, queries and period from the transactions.
    fn with_transactions(
        &self,
        mut scene: Scene<'f, 'i>,
        transactions: Vec<&'i Transaction>,
    ) -> Scene<'f, 'i> {
        let (mut from, mut to) = (Nanos::MAX, Nanos::MIN);
        for transaction in &transactions {
            from = from.min(self.facts.time(transaction.first));
            let last = transaction.answer.unwrap_or(transaction.last);
            to = to.max(self.facts.time(last));
            scene.queries.extend([transaction.first, transaction.last]);
            if let Some((client, _)) = servers::key_of(self.facts, transaction)
                && !scene.clients.contains(&client)
                && scene.clients.len() < FRAMES_MAX
            {
                scene.clients.push(client);
            }
            if let Some(name) = self.facts.name_of(transaction.first)
                && scene.names.len() < FRAMES_MAX
                && !scene.names.contains(&name)
            {
                scene.names.push(name);
            }
        }
        scene.queries.sort_unstable();
        scene.queries.dedup();
        if from <= to {
            scene.period_ns = (from, to);
        }
        scene.transactions = transactions;
        scene
    }

    /// Answers of two devices in one server's name.
    fn contested(&self) -> Vec<Scene<'f, 'i>> {
        let scene = |contested: &'f Contested| {
            let port = self.facts.dns_port_of(contested.server);
            let scene = self.empty(Incident::Contested(contested), contested.server, (port, 17));
            let of = |query| self.facts.evidence.transaction(self.facts.evidence.transaction_of(query)?);
            let asked = contested.pairs.iter().filter_map(|pair| of(pair.query)).collect();
            self.with_transactions(scene, asked)
        };
        self.facts.contested.iter().map(scene).collect()
    }

    /// Servers whose data are older than that of others, where names lead elsewhere for it.
    fn outdated(&self) -> Vec<Scene<'f, 'i>> {
        // Some servers give each its own addresses on purpose.
        let differ = self.facts.disagreements.iter().filter(|own| {
            own.serials.is_some() && !own.names.is_empty()
                || own.lacks()
                || !own.connections.failed.is_empty()
        });
        differ
            .map(|own| {
                let port = self.facts.dns_port_of(own.outdated);
                let mut scene = self.empty(Incident::Outdated(own), own.outdated, (port, 17));
                scene.names = own.names.iter().map(|name| name.name.clone()).collect();
                let met = &own.connections.clients;
                scene.clients = if met.is_empty() { &own.clients } else { met }.iter().copied().collect();
                scene
            })
            .collect()
    }

    /// Servers that left repeated queries unanswered until the capture ended, and answered nothing since.
    fn silences(&self) -> Vec<Scene<'f, 'i>> {
        let mut by_server: BTreeMap<servers::ServerKey, Vec<&'i Transaction>> = BTreeMap::new();
        let (_, end_ns) = self.facts.span();
        let watch_ns = self.facts.evidence.parameters.watch_ns;
        for transaction in &self.facts.evidence.transactions {
            let repeated = transaction.tries > 1 && transaction.outcome == Outcome::Undetermined;
            if repeated
                && self.facts.evidence.unserved(transaction.last).is_none()
                && end_ns - self.facts.time(transaction.first) >= watch_ns
                && let Some((_, key)) = servers::key_of(self.facts, transaction)
            {
                by_server.entry(key).or_default().push(transaction);
            }
        }
        by_server
            .into_iter()
            .filter(|(key, silent)| {
                let since = silent.first().map_or(0, |transaction| self.facts.time(transaction.first));
                let answered =
                    self.facts.servers.get(key).is_some_and(|s| s.answers_in(since, end_ns).next().is_some());
                !answered && !self.has_problem(key.0)
            })
            .map(|(key, silent)| {
                let scene = self.empty(Incident::Silence, key.0, (key.1, key.2));
                self.with_transactions(scene, silent)
            })
            .collect()
    }

    /// Errors about DNS queries that the capture does not hold.
    fn uncaptured(&self) -> Vec<Scene<'f, 'i>> {
        let scene = |uncaptured: &'f Uncaptured| {
            let (server, port) = uncaptured.server;
            let mut scene = self.empty(Incident::Uncaptured, server, (port, 17));
            scene.clients.clone_from(&uncaptured.clients);
            scene.names.clone_from(&uncaptured.names);
            scene.period_ns = uncaptured.span_ns;
            scene.errors = uncaptured.errors.iter().filter_map(|packet| self.facts.error(*packet)).collect();
            scene
        };
        self.facts.uncaptured.iter().map(scene).collect()
    }

    /// Servers whose large answers do not arrive: in pieces, as the receiver complains, or as routers report.
    fn fragments(&self) -> Vec<Scene<'f, 'i>> {
        let mut lost: BTreeMap<Address, (usize, BTreeSet<(Address, u16)>)> = BTreeMap::new();
        for pieces in self.facts.pieces.iter().filter(|pieces| {
            self.facts.misses_fragments() && pieces.lacks_the_rest() && pieces.is_dns_answer()
        }) {
            if let Some((_, port)) = pieces.ports {
                let (signs, ends) = lost.entry(pieces.source).or_default();
                *signs += 1;
                ends.insert((pieces.destination, port));
            }
        }
        for error in &self.facts.errors {
            let Some(quoted) = error.quoted.filter(|_| error.is_about_response()) else { continue };
            if matches!(error.meaning, Meaning::ReassemblyExpired | Meaning::TooBig) {
                let (signs, ends) = lost.entry(quoted.source.0).or_default();
                *signs += 1;
                ends.insert(quoted.destination);
            }
        }
        lost.into_iter()
            // One may be a link that told its size and was heard.
            .filter(|(server, (signs, _))| *signs >= LARGE_MIN && !self.has_problem(*server))
            .map(|(server, (_, ends))| {
                let hit = |transaction: &&Transaction| {
                    self.facts.index.packet(transaction.first).is_some_and(|packet| {
                        packet.destination_address() == server
                            && ends.contains(&(packet.source_address(), packet.source_port()))
                    })
                };
                let transactions = self.facts.evidence.transactions.iter().filter(hit).collect();
                let scene = self.empty(Incident::Fragments, server, (self.facts.dns_port_of(server), 17));
                self.with_transactions(scene, transactions)
            })
            .collect()
    }

    /// Servers whose DNS port refuses or ignores every TCP connection, before any question could be sent.
    fn without_tcp(&self) -> Vec<Scene<'f, 'i>> {
        let (_, end_ns) = self.facts.span();
        let mut by_server: BTreeMap<(Address, u16), Vec<&'f Connection>> = BTreeMap::new();
        let to_dns = |connection: &&Connection| self.facts.is_dns_port(connection.server.1);
        for connection in self.facts.connections.iter().filter(to_dns) {
            by_server.entry(connection.server).or_default().push(connection);
        }
        let failed = |c: &&Connection| match c.ending {
            Ending::Refused | Ending::Rejected => true,
            Ending::Silent => c.is_unanswered(end_ns, SYN_WATCH_NS),
            Ending::Accepted | Ending::ResetLater => false,
        };
        // One host that tries very many is a scan, and its rule tells so.
        by_server
            .into_iter()
            .filter(|(server, list)| {
                list.len() >= ATTEMPTS_MIN && list.iter().all(failed) && !self.has_problem(server.0)
            })
            .filter(|(server, _)| self.facts.servers.keys().all(|key| key.0 != server.0))
            .take(INCIDENTS_MAX)
            .map(|(server, list)| {
                let mut scene = self.empty(Incident::NoTcp, server.0, (server.1, 6));
                scene.signature = Some(&TCP_RESET);
                scene.queries = list.iter().flat_map(|c| [c.syn, c.last_syn]).collect();
                scene.queries.sort_unstable();
                scene.queries.dedup();
                for connection in &list {
                    if !scene.clients.contains(&connection.client.0) && scene.clients.len() < FRAMES_MAX {
                        scene.clients.push(connection.client.0);
                    }
                }
                let times = |pick: fn(&Connection) -> Nanos| list.iter().map(move |c| pick(c));
                scene.period_ns =
                    (times(|c| c.time_ns).min().unwrap_or(0), times(|c| c.last_syn_ns).max().unwrap_or(0));
                scene
            })
            .collect()
    }

    /// Servers on this network, and ways to other networks, that stopped answering for their address.
    fn vanished(&self) -> Vec<Scene<'f, 'i>> {
        let mut sought: BTreeMap<Address, Vec<&'f Run>> = BTreeMap::new();
        for run in &self.facts.runs {
            sought.entry(run.target).or_default().push(run);
        }
        let scene = |(target, runs): (Address, Vec<&'f Run>)| {
            let asked = self.facts.servers.keys().find(|key| key.0 == target);
            let hop = runs.iter().any(|run| run.wanted == Wanted::NextHop);
            let supposed = runs.iter().any(|run| run.wanted == Wanted::Supposed);
            let gone = runs.iter().any(|run| run.last_sign.is_some());
            let given = runs.iter().any(|run| run.given.is_some());
            let named = runs.iter().any(|run| run.given.is_some_and(|(role, _)| role == GivenAs::NameServer));
            let mut scene = match asked {
                Some(key) => self.empty(Incident::Vanished, key.0, (key.1, key.2)),
                None if named => {
                    let port = self.facts.index.settings.supposed_dns_port();
                    self.empty(Incident::Vanished, target, (port, 17))
                }
                None if hop && (gone || given) || supposed => self.empty(Incident::NoNextHop, target, (0, 0)),
                None => return None,
            };
            scene.queries = runs.iter().flat_map(|run| run.requests.iter().copied()).collect();
            scene.queries.sort_unstable();
            scene.clients = runs.iter().map(|run| run.asker).collect();
            let span = |pick: fn(&Run) -> Nanos| runs.iter().map(move |run| pick(run));
            scene.period_ns = (span(|run| run.span_ns.0).min()?, span(|run| run.span_ns.1).max()?);
            // Lookups that failed for want of it are told with it.
            let told = self.facts.problems().any(|(_, problem)| {
                let near = problem.first_ns <= scene.period_ns.1 + NEIGHBOUR_AROUND_NS
                    && scene.period_ns.0 - NEIGHBOUR_AROUND_NS <= problem.last_ns;
                near && scene.clients.iter().any(|client| problem.clients.contains(client))
            });
            (!told && !self.has_problem(target)).then_some(scene)
        };
        sought.into_iter().filter_map(scene).collect()
    }

    /// Addresses that two devices use, where no failure is told of them already.
    fn two_owners(&self) -> Vec<Scene<'f, 'i>> {
        let told = |address: Address| {
            self.facts
                .troubles
                .all
                .iter()
                .any(|own| own.service().host == address && own.severity > Severity::Low)
                || self
                    .facts
                    .problems()
                    .any(|(_, problem)| problem.server.0 == address || problem.clients.contains(&address))
        };
        let free = self.facts.conflicts.iter().filter(|conflict| !told(conflict.address));
        free.map(|conflict| {
            let mut scene = self.empty(Incident::TwoOwners(conflict), conflict.address, (0, 0));
            scene.queries = conflict.frames();
            scene
        })
        .collect()
    }

    /// Clients that are led to one address whatever they ask.
    fn portals(&self) -> Vec<Scene<'f, 'i>> {
        let mut scenes = Vec::new();
        for led in &self.facts.one_address {
            let Some(server) = led.servers.first().filter(|server| !self.has_problem(**server)) else {
                continue;
            };
            let own = led.answers.iter().filter_map(|answer| self.facts.evidence.transaction_of(*answer));
            let own = own.filter_map(|id| self.facts.evidence.transaction(id)).collect();
            let scene = self.empty(Incident::Portal(led), *server, (self.facts.dns_port_of(*server), 17));
            scenes.push(self.with_transactions(scene, own));
        }
        scenes
    }

    /// Servers whose answers kept people waiting, for no reason that is told already.
    fn slow(&self, scenes: &[Scene<'f, 'i>]) -> Vec<Scene<'f, 'i>> {
        let mut by_server: BTreeMap<servers::ServerKey, Vec<&'i Transaction>> = BTreeMap::new();
        for slow in self.facts.slow.iter().filter(|slow| !self.has_problem(slow.server.0)) {
            let firsts =
                slow.questions.iter().filter_map(|wait| self.facts.evidence.transaction_of(wait.first));
            let own = firsts.filter_map(|id| self.facts.evidence.transaction(id));
            by_server.entry(slow.server).or_default().extend(own);
        }
        if by_server.is_empty() {
            return Vec::new();
        }
        let index = self.facts.index;
        let mut told = Told::default();
        told.note(index, scenes.iter().flat_map(|scene| scene.queries.iter().copied()));
        let problems = self.facts.problems().flat_map(|(_, problem)| self.facts.transactions(problem));
        told.note(index, problems.map(|own| own.first));
        told.note_behind(index, by_server.values().flatten().map(|own| own.first));
        by_server
            .into_iter()
            .filter(|(_, own)| !told.covers(index, &own.iter().map(|own| own.first).collect::<Vec<_>>()))
            .map(|(server, transactions)| {
                let scene = self.empty(Incident::Slow, server.0, (server.1, server.2));
                self.with_transactions(scene, transactions)
            })
            .collect()
    }

    /// Servers that refer back or are not authoritative for what a referral hands them.
    fn lame(&self) -> Vec<Scene<'f, 'i>> {
        let mut by_server: BTreeMap<Address, Vec<&'i Transaction>> = BTreeMap::new();
        for lame in self.facts.lame.iter().filter(|lame| !matches!(lame.how, How::Code(_))) {
            by_server.entry(lame.server).or_default().push(lame.transaction);
        }
        by_server
            .into_iter()
            .filter(|(server, list)| list.len() >= LAME_MIN && !self.has_problem(*server))
            .map(|(server, transactions)| {
                let scene = self.empty(Incident::Lame, server, (self.facts.dns_port_of(server), 17));
                self.with_transactions(scene, transactions)
            })
            .collect()
    }

    /// Servers that deny nearly every name.
    fn denied(&self) -> Vec<Scene<'f, 'i>> {
        let own = self.facts.denials.iter().filter(|denial| !self.has_problem(denial.server.0));
        own.map(|denial| {
            let mut scene = self.empty(Incident::Denied, denial.server.0, (denial.server.1, denial.server.2));
            scene.signature = Some(&NAME_ERROR);
            self.with_transactions(scene, denial.transactions.clone())
        })
        .collect()
    }

    /// Resolvers that do not know a zone which another one knows.
    fn unknown_zones(&self) -> Vec<Scene<'f, 'i>> {
        let own = self.facts.unknown_zones.iter().filter(|own| !own.is_harmless());
        own.map(|own| {
            let mut scene = self.empty(Incident::UnknownZone(own), own.lacks.0, (own.lacks.1, own.lacks.2));
            scene.signature = Some(&NAME_ERROR);
            self.with_transactions(scene, own.denied.clone())
        })
        .collect()
    }

    /// DHCP servers with different settings.
    fn second_dhcp(&self) -> Option<Scene<'f, 'i>> {
        let rivals = self.facts.rivals.as_ref()?;
        let server = rivals.suspect().map(|giver| giver.server).unwrap_or_default();
        let mut scene = self.empty(Incident::SecondDhcp(rivals), server, (67, 17));
        scene.clients = rivals.taken().iter().map(|(_, address)| *address).collect();
        scene.queries = rivals.frames();
        scene.period_ns.0 = rivals.since_ns();
        Some(scene)
    }

    /// Failures of services beside DNS, gravest first.
    fn services(&self) -> Vec<Scene<'f, 'i>> {
        // Where the address itself is contested, the connection to it says nothing about the service.
        let mut contested: BTreeSet<Address> =
            self.facts.contested.iter().flat_map(|contested| contested.addresses.0.iter().copied()).collect();
        // What only outdated data name is told with those.
        contested.extend(self.facts.disagreements.iter().flat_map(Disagreement::outdated_addresses));
        let told = self.facts.troubles.all.iter().filter(|trouble| {
            trouble.severity > Severity::Info
                && !trouble.in_use
                && !contested.contains(&trouble.service().host)
        });
        told.map(|trouble| {
            let service = trouble.service();
            let incident = Incident::Service(trouble);
            let mut scene = self.empty(incident, service.host, (service.port, service.transport));
            scene.names.clone_from(&trouble.names);
            scene.clients = trouble.hit().map(|client| client.address).collect();
            scene.period_ns = trouble.span_ns();
            scene
        })
        .collect()
    }

    fn floods(&self) -> Vec<Scene<'f, 'i>> {
        let load = &self.facts.load;
        let mut servers: Vec<Address> = load
            .zones
            .iter()
            .filter(|(_, zone)| zone.is_random_flood())
            .map(|((server, _), _)| *server)
            .chain(load.amplifying.iter().filter(|(_, a)| a.is_reflection()).map(|((server, _), _)| *server))
            .chain(self.facts.servers.keys().map(|key| key.0).filter(|s| surge::of(self.facts, *s).is_some()))
            .collect();
        servers.sort_unstable();
        servers.dedup();
        servers
            .into_iter()
            .filter(|server| !self.has_problem(*server))
            .map(|server| {
                let mut scene = self.empty(Incident::Flood, server, (self.facts.dns_port_of(server), 17));
                if let Some((zone, of)) = load.random_zone(server) {
                    scene.names.push(zone.to_owned());
                    scene.queries.clone_from(&of.samples);
                    scene.clients = of.flooders();
                } else if let Some((source, of)) = load.reflected(server) {
                    scene.queries.clone_from(&of.samples);
                    scene.clients.push(source);
                } else if let Some(surge) = surge::of(self.facts, server) {
                    scene.queries = surge::sample(self.facts, server, surge);
                    let asked = self.facts.servers.iter().filter(|(key, _)| key.0 == server);
                    scene
                        .clients
                        .extend(asked.flat_map(|(_, asked)| asked.clients.iter().copied()).take(FRAMES_MAX));
                }
                scene
            })
            .collect()
    }

    fn victims(&self) -> Vec<Scene<'f, 'i>> {
        if self.facts.evidence.one_sided {
            return Vec::new();
        }
        let victims =
            self.facts.load.unsolicited.iter().filter(|(_, unsolicited)| unsolicited.is_reflection());
        victims
            .map(|(victim, unsolicited)| {
                let mut scene = self.empty(
                    Incident::Victim,
                    *victim,
                    (self.facts.index.settings.supposed_dns_port(), 17),
                );
                scene.queries.clone_from(&unsolicited.samples);
                scene
            })
            .collect()
    }

    fn conflicts(&self) -> Vec<Scene<'f, 'i>> {
        let mut by_server: BTreeMap<Address, Vec<&'f ErrorFact>> = BTreeMap::new();
        for anomaly in
            self.facts.evidence.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::IcmpAndAnswer)
        {
            let Some(error) = self.facts.error(anomaly.packet) else { continue };
            let Some(server) = error.refused_destination().filter(|server| !self.has_problem(*server)) else {
                continue;
            };
            by_server.entry(server).or_default().push(error);
        }
        for error in self.facts.unsent.iter().filter_map(|packet| self.facts.error(*packet)) {
            let server = error.refused_destination().filter(|server| !self.has_problem(*server));
            if let Some(server) = server {
                by_server.entry(server).or_default().push(error);
            }
        }
        // An error that disagrees with every packet sent to that server speaks of something nobody sent.
        for error in self.facts.errors.iter().filter(|error| error.level == Some(Level::Contradicted)) {
            let Some(quoted) = error.quoted.filter(|quoted| self.facts.is_dns_port(quoted.destination.1))
            else {
                continue;
            };
            let known = self.facts.servers.keys().any(|key| key.0 == quoted.destination.0);
            if known && !self.has_problem(quoted.destination.0) {
                by_server.entry(quoted.destination.0).or_default().push(error);
            }
        }
        for errors in by_server.values_mut() {
            errors.sort_by_key(|error| error.packet);
            errors.dedup_by_key(|error| error.packet);
        }
        by_server
            .into_iter()
            .map(|(server, errors)| {
                let mut scene = self.empty(Incident::Conflict, server, (self.facts.dns_port_of(server), 17));
                scene.errors = errors;
                scene
            })
            .collect()
    }
}
