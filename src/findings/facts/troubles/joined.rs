//! Failures of several services that are one: of one host at one time, or of one service at several hosts.

use hashbrown::HashMap;

use super::{ALTERNATE_NS, Face, Mark, Sort, Trouble};
use crate::decode::Address;
use crate::findings::facts::Facts;

/// Failures of several services of one host at one time that show alike are one (services §4.7); so are those of one service at
/// several hosts for the same clients.
pub(super) fn join(facts: &Facts<'_>, all: Vec<Trouble>) -> Vec<Trouble> {
    let host = |own: &Trouble| (own.service().host, own.service().transport, 0);
    let kind = |own: &Trouble| (Address::None, own.service().transport, own.service().port);
    // Nothing of them was served while they failed.
    let dark = |own: &Trouble| own.asked_inside == own.failed.len() as u64;
    let outcome = |own: &Trouble| own.outcomes(facts.attempts).first().map(|(outcome, _)| outcome.plain());
    let joined = join_by(all, &host, &|_, _| true);
    join_by(joined, &kind, &|known, own| dark(known) && dark(own) && outcome(known) == outcome(own))
}

/// Troubles with the same key whose windows overlap.
fn join_by(
    all: Vec<Trouble>,
    key: &dyn Fn(&Trouble) -> (Address, u8, u16),
    alike: &dyn Fn(&Trouble, &Trouble) -> bool,
) -> Vec<Trouble> {
    let mut joined: Vec<Trouble> = Vec::new();
    let mut newest: HashMap<(Address, u8, u16), usize> = HashMap::new();
    for own in all {
        let fits = matches!(own.sort, Sort::Failed(Face::Unreached, _))
            && own.service().transport != 1
            && own.part.is_none();
        let known = newest.get(&key(&own)).and_then(|at| joined.get_mut(*at)).filter(|known| {
            let (from, to) = own.span_ns();
            let (known_from, known_to) = known.span_ns();
            from <= known_to + ALTERNATE_NS && known_from <= to + ALTERNATE_NS && alike(known, &own)
        });
        match known {
            Some(known) if fits => known.absorb(own),
            _ => {
                if fits {
                    newest.insert(key(&own), joined.len());
                }
                joined.push(own);
            }
        }
    }
    joined
}

impl Trouble {
    fn absorb(&mut self, other: Self) {
        let lead = other.failed.len() > self.failed.len();
        let mut services = other.services;
        if !lead {
            std::mem::swap(&mut services, &mut self.services);
        }
        services.append(&mut self.services);
        self.services = services;
        self.failed.extend(other.failed);
        self.failed.sort_unstable();
        self.served.extend(other.served);
        self.served.sort_unstable();
        self.asked += other.asked;
        self.asked_inside += other.asked_inside;
        self.around = (self.around.0 + other.around.0, self.around.1 + other.around.1);
        let mut all: Vec<(Mark, Mark)> = self.windows.drain(..).chain(other.windows).collect();
        all.sort_unstable();
        for (first, last) in all {
            match self.windows.last_mut() {
                Some((_, open)) if first.at_ns <= open.at_ns + ALTERNATE_NS => *open = (*open).max(last),
                _ => self.windows.push((first, last)),
            }
        }
        self.last_good = self.last_good.max(other.last_good);
        self.first_good = match (self.first_good, other.first_good) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
    }
}
