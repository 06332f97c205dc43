//! Names that led to another address at another time, or at another server, than to the one where connections fail.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::troubles::{Mark, Sort, Trouble, Troubles};
use super::{Facts, asked};
use crate::attempts::Face;
use crate::decode::{Address, answers};
use crate::findings::rules::{counted, named, plain_name};
use crate::index::PacketId;
use crate::time::{Nanos, clock};

/// Answers read.
const ANSWERS_MAX: usize = 100_000;
/// Changes of what one server answers from which on it hands its addresses out by turns.
const CHANGES_MAX: usize = 2;
/// Names told of one trouble.
const NAMES_MAX: usize = 8;
/// Frames kept of each side.
const CITED_MAX: usize = 8;

/// How the answers differ.
#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// They changed, and perhaps back: the last answer before, the first and the last with the failing addresses, the first after.
    Changed {
        /// The last one with the other addresses before.
        before: Option<Mark>,
        /// First and last one with the failing addresses.
        failing: (Mark, Mark),
        /// The first one with the other addresses after.
        after: Option<Mark>,
    },
    /// Some servers still gave the failing addresses after others had given the other ones.
    Disagree {
        /// Who gave the failing ones last, and when.
        failing: (BTreeSet<Address>, Mark),
        /// Who gave the others, and when first.
        working: (BTreeSet<Address>, Mark),
    },
    /// The same host name in another domain leads to where the port serves: which name that is, the answers for either, and the names
    /// below the failing domain of which each gave the failing address.
    OtherDomain {
        /// The name that leads to what serves, presentation form, not escaped.
        name: String,
        /// An answer with the failing address, and one with the other.
        answers: (PacketId, PacketId),
        /// Different names asked for below the failing domain, each given the failing address alone; 0 where others were given too.
        alike: usize,
    },
}

/// One name.
#[derive(Clone, Debug, PartialEq)]
pub struct Astray {
    /// What failed: its host and port.
    pub service: (Address, u16),
    /// The name, presentation form, not escaped.
    pub name: String,
    /// The addresses of the answers that led to it.
    pub failing: BTreeSet<Address>,
    /// The addresses of the other answers.
    pub working: BTreeSet<Address>,
    /// How they differ.
    pub how: How,
    /// Attempts at those that were served, and the first of them.
    pub served: (usize, Option<PacketId>),
}

impl Astray {
    /// The frames that show it.
    pub fn frames(&self) -> Vec<PacketId> {
        let marks: Vec<Option<Mark>> = match &self.how {
            How::Changed { before, failing, after } => {
                vec![*before, Some(failing.0), Some(failing.1), *after]
            }
            How::Disagree { failing, working } => vec![Some(failing.1), Some(working.1)],
            How::OtherDomain { .. } => Vec::new(),
        };
        let mut frames: Vec<PacketId> = marks.into_iter().flatten().map(|mark| mark.packet).collect();
        if let How::OtherDomain { answers, .. } = &self.how {
            frames.extend([answers.0, answers.1]);
        }
        frames.extend(self.served.1);
        frames.sort_unstable();
        frames.dedup();
        frames
    }

    /// `the answers for app.example gave 198.51.100.80 until 17:40:11, 198.51.100.180 from 17:40:12 to 17:40:45, and …`.
    pub fn statement(&self, facts: &Facts<'_>) -> String {
        let list = |all: &BTreeSet<Address>| named(&all.iter().copied().collect::<Vec<_>>());
        let at = |mark: &Mark| {
            if facts.index.has_times() { clock(mark.at_ns) } else { facts.index.label(mark.packet) }
        };
        let name = plain_name(&self.name);
        let (failing, working) = (addresses(&self.failing), addresses(&self.working));
        let how = match &self.how {
            How::Changed { before, failing: (first, last), after } => {
                let before =
                    before.map_or_else(String::new, |mark| format!("{working} until {}, ", at(&mark)));
                let again = if before.is_empty() { "" } else { " again" };
                let after = after
                    .map_or_else(String::new, |mark| format!(", and {working}{again} from {} on", at(&mark)));
                format!(
                    "the answers for {name} gave {before}{failing} from {} to {}{after}",
                    at(first),
                    at(last)
                )
            }
            How::Disagree { failing: (old, last), working: (new, first) } => format!(
                "the answers for {name} gave {failing} at {}, the last time at {}, and {working} at {}, the first time at {}",
                list(old),
                at(last),
                list(new),
                at(first)
            ),
            How::OtherDomain { name: other, alike, .. } => {
                let alike = match alike {
                    0 | 1 => String::new(),
                    some => format!(" (as did each of the {some} names asked for in that domain)"),
                };
                format!(
                    "the answers for {name} gave {failing}{alike}, those for the same host name in another domain, {}, {working}",
                    plain_name(other)
                )
            }
        };
        let served = match self.served.0 {
            0 => format!("; no attempt at {working} is in the capture"),
            some => format!(
                "; {} at {working} {} served",
                counted(some, "attempt", "attempts"),
                if some == 1 { "was" } else { "were" }
            ),
        };
        format!("{how}{served}")
    }
}

fn addresses(all: &BTreeSet<Address>) -> String {
    let shown: Vec<String> = all.iter().take(CITED_MAX).map(ToString::to_string).collect();
    shown.join(", ")
}

/// One answer about a name.
struct Said {
    mark: Mark,
    server: Address,
    given: BTreeSet<Address>,
}

/// The names of which other answers led elsewhere than to what failed, where what they led to did not fail as well.
pub(super) fn find(facts: &Facts<'_>, troubles: &Troubles) -> Vec<Astray> {
    let unreached =
        |own: &&Trouble| matches!(own.sort, Sort::Failed(Face::Unreached, _)) && own.resolved.is_some();
    let mut wanted: BTreeMap<(Address, u16), BTreeSet<String>> = BTreeMap::new();
    for own in troubles.all.iter().filter(unreached) {
        for (service, _) in &own.services {
            let hit: BTreeSet<Address> = own.hit().map(|client| client.address).collect();
            let names = troubles.names.led(service.host, &hit);
            wanted.entry((service.host, service.port)).or_default().extend(names);
        }
    }
    wanted.retain(|(host, _), names| {
        // What a server with older data gives is told with that.
        let known = facts.disagreements.iter().any(|own| own.outdated_addresses().contains(host));
        !known && !names.is_empty()
    });
    if wanted.is_empty() {
        return Vec::new();
    }
    let said = answers(facts, &wanted.values().flatten().cloned().collect());
    let mut found = Vec::new();
    for (service, names) in &wanted {
        let own = names
            .iter()
            .filter_map(|name| astray(facts, *service, name, said.get(&(name.clone(), service.0.is_v6()))?));
        let before = found.len();
        found.extend(own.take(NAMES_MAX));
        if found.len() == before {
            found.extend(
                names.iter().filter_map(|name| other_domain(facts, troubles, *service, name)).take(1),
            );
        }
    }
    found
}

/// Host names that stand in most domains: that one of them serves in another domain says nothing.
const COMMON: [&str; 12] =
    ["www", "mail", "smtp", "imap", "pop", "ftp", "api", "cdn", "ns", "ns1", "ns2", "autodiscover"];

/// The host name that fails in one domain, in another one where it leads to the same service: where the rest of the two domains begins
/// alike, or all names of the failing one lead to one address.
fn other_domain(
    facts: &Facts<'_>,
    troubles: &Troubles,
    service: (Address, u16),
    name: &str,
) -> Option<Astray> {
    let (short, domain) = name.split_once('.')?;
    if COMMON.contains(&short.to_ascii_lowercase().as_str()) {
        return None;
    }
    let alike = alike_below(facts, domain, service.0);
    let begins_alike = |other: &str| {
        let second = |name: &str| name.split('.').nth(1).map(str::to_ascii_lowercase);
        // Two labels of a name with three or more.
        name.trim_end_matches('.').matches('.').count() >= 2 && second(name) == second(other)
    };
    let tried = |host: Address| {
        facts.attempts.all.iter().filter(move |own| {
            (own.service.host, own.service.port) == (host, service.1) && own.outcome.is_served()
        })
    };
    let others = troubles.names.elsewhere(name).into_iter();
    let (other, host, packet) = others
        .filter(|(other, host, _)| *host != service.0 && (begins_alike(other) || alike > 1))
        .find(|(_, host, _)| tried(*host).next().is_some())?;
    let (_, given) = troubles.names.first_given(service.0, name)?;
    Some(Astray {
        service,
        name: name.to_owned(),
        failing: [service.0].into(),
        working: [host].into(),
        how: How::OtherDomain { name: other.to_owned(), answers: (given, packet), alike },
        served: (tried(host).count(), tried(host).next().map(|own| own.first.packet)),
    })
}

/// Different names below a domain that were each given one address alone; 0 where any was given another.
fn alike_below(facts: &Facts<'_>, domain: &str, address: Address) -> usize {
    let mut names: BTreeSet<String> = BTreeSet::new();
    let input = facts.input();
    let answered = asked::all(&input)
        .filter(|own| own.transaction.answer.is_some() && own.transaction.response_code == 0);
    for own in answered.take(ANSWERS_MAX) {
        let Some(name) = facts.name_of(own.transaction.first) else { continue };
        if name.split_once('.').is_none_or(|(_, its)| its != domain) {
            continue;
        }
        let Some(packet) = own.transaction.answer.and_then(|answer| facts.index.packet(answer)) else {
            continue;
        };
        let Some(row) = packet.dns() else { continue };
        let given = if packet.is_text() {
            packet.answer_addresses()
        } else {
            answers::addresses(packet.message(row))
        };
        let mut given = given.into_iter().map(|ip| Address::from(ip).at(packet.source.site)).peekable();
        if given.peek().is_none() {
            continue;
        }
        if given.any(|own| own != address) {
            return 0;
        }
        names.insert(name);
    }
    names.len()
}

/// The answers about some names, by name and family, in order of time.
fn answers(facts: &Facts<'_>, names: &BTreeSet<String>) -> HashMap<(String, bool), Vec<Said>> {
    let mut said: HashMap<(String, bool), Vec<Said>> = HashMap::new();
    let input = facts.input();
    let answered = asked::all(&input)
        .filter(|own| own.transaction.answer.is_some() && own.transaction.response_code == 0);
    for own in answered.take(ANSWERS_MAX) {
        let Some(packet) = own.transaction.answer.and_then(|answer| facts.index.packet(answer)) else {
            continue;
        };
        let Some(name) = facts.name_of(own.transaction.first).filter(|name| names.contains(name)) else {
            continue;
        };
        let Some(row) = packet.dns() else { continue };
        let given = if packet.is_text() {
            packet.answer_addresses()
        } else {
            answers::addresses(packet.message(row))
        };
        let given: BTreeSet<Address> =
            given.into_iter().map(|ip| Address::from(ip).at(packet.source.site)).collect();
        if let Some(first) = given.first().copied() {
            let mark = Mark { at_ns: packet.time_ns(), packet: packet.id };
            said.entry((name, first.is_v6())).or_default().push(Said { mark, server: own.server.0, given });
        }
    }
    for own in said.values_mut() {
        own.sort_by_key(|said| said.mark);
    }
    said
}

/// How the answers about one name differ, where some lead to what failed and others elsewhere.
fn astray(facts: &Facts<'_>, service: (Address, u16), name: &str, said: &[Said]) -> Option<Astray> {
    let leads = |own: &Said| own.given.contains(&service.0);
    let all = |wanted: bool| -> BTreeSet<Address> {
        said.iter().filter(|own| leads(own) == wanted).flat_map(|own| own.given.iter().copied()).collect()
    };
    let (failing, working) = (all(true), all(false));
    if failing.is_empty() || working.is_empty() || !failing.is_disjoint(&working) {
        return None;
    }
    let mut by_server: BTreeMap<Address, Vec<&Said>> = BTreeMap::new();
    for own in said {
        by_server.entry(own.server).or_default().push(own);
    }
    let changes = |own: &[&Said]| {
        own.windows(2).filter(|pair| matches!(pair, [one, other] if leads(one) != leads(other))).count()
    };
    if by_server.values().any(|own| changes(own) > CHANGES_MAX) {
        return None;
    }
    let tried: Vec<_> = facts
        .attempts
        .all
        .iter()
        .filter(|own| working.contains(&own.service.host) && own.service.port == service.1)
        .collect();
    let served: Vec<_> = tried.iter().filter(|own| own.outcome.is_served()).collect();
    let has_failed = tried.iter().any(|own| own.outcome.face().is_some());
    if served.is_empty() && has_failed {
        return None;
    }
    Some(Astray {
        service,
        name: name.to_owned(),
        how: how(said, &by_server, &leads)?,
        failing,
        working,
        served: (served.len(), served.first().map(|own| own.first.packet)),
    })
}

fn how(
    said: &[Said],
    by_server: &BTreeMap<Address, Vec<&Said>>,
    leads: &dyn Fn(&Said) -> bool,
) -> Option<How> {
    // Servers by what they answered last.
    let last_of = |wanted: bool| {
        by_server.iter().filter(move |(_, own)| own.last().is_some_and(|last| leads(last) == wanted))
    };
    let first_good = last_of(false)
        .filter_map(|(_, own)| own.iter().find(|said| !leads(said)))
        .map(|said| said.mark)
        .min();
    let last_bad = last_of(true).filter_map(|(_, own)| own.last()).map(|said| said.mark).max();
    if let (Some(first), Some(last)) = (first_good, last_bad) {
        let still = last_of(true).filter(|(_, own)| own.last().is_some_and(|said| said.mark > first));
        let mut old: BTreeSet<Address> = still.map(|(server, _)| *server).collect();
        if old.is_empty() {
            old = last_of(true).map(|(server, _)| *server).collect();
        }
        let new = last_of(false).map(|(server, _)| *server).collect();
        return Some(How::Disagree { failing: (old, last), working: (new, first) });
    }
    let first = said.iter().find(|own| leads(own))?.mark;
    let last = said.iter().rfind(|own| leads(own))?.mark;
    let before = said.iter().take_while(|own| own.mark < first).last().map(|own| own.mark);
    let after = said.iter().find(|own| own.mark > last).map(|own| own.mark);
    Some(How::Changed { before, failing: (first, last), after })
}

/// The names of which a failure is about addresses that others do not lead to.
pub fn of<'f>(facts: &'f Facts<'_>, trouble: &'f Trouble) -> impl Iterator<Item = &'f Astray> + Clone {
    facts.astray.iter().filter(|own| {
        trouble.services.iter().any(|(service, _)| (service.host, service.port) == own.service)
            && matches!(trouble.sort, Sort::Failed(Face::Unreached, _))
            && is_within(trouble, own)
    })
}

/// Whether a trouble lies in the time in which the name led to it.
fn is_within(trouble: &Trouble, own: &Astray) -> bool {
    let (from, to): (Nanos, Nanos) = trouble.span_ns();
    match &own.how {
        How::Changed { failing: (first, _), after, .. } => {
            to >= first.at_ns && after.is_none_or(|after| from <= after.at_ns)
        }
        How::Disagree { .. } | How::OtherDomain { .. } => true,
    }
}
