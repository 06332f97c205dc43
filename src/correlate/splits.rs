//! What splits the failures of a service from its successes completely: a zone, a name, a type, EDNS or the client's port.

use std::collections::HashSet;

use super::Signature;
use super::attempts::{Attempt, State};

type Set<K> = HashSet<K, foldhash::fast::FixedState>;

/// Lookups on either side from which a property that splits them is no chance.
const SIDE_MIN: usize = 4;
/// Changes between failure and success in order of time from which the split is no matter of time.
const CHANGES_MIN: usize = 3;

/// TYPEs of zone transfers: IXFR (RFC 1995) and AXFR (RFC 5936).
const TRANSFERS: [u16; 2] = [251, 252];

/// The class of attempts that fails while others work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// Nothing splits: the service fails or works as a whole.
    #[default]
    Nothing,
    /// Names of the zones that failed.
    Zone,
    /// The names that failed.
    Name,
    /// These record types.
    Type(Vec<u16>),
    /// These record types, for names of the zones that failed.
    TypeInZone(Vec<u16>),
    /// Queries with EDNS, or those without.
    Edns(bool),
    /// Client ports from this one on.
    PortsFrom(u16),
    /// Client ports up to this one.
    PortsTo(u16),
}

impl Split {
    /// The record types that fail, where they part failure from success, by themselves or for some zones.
    pub fn types(&self) -> Option<&[u16]> {
        match self {
            Self::Type(types) | Self::TypeInZone(types) => Some(types),
            _ => None,
        }
    }
}

/// The properties that failures of a kind can depend on.
struct Looked {
    by_name: bool,
    by_message: bool,
    by_port: bool,
}

impl Looked {
    fn at(signature: &Signature) -> Self {
        match signature {
            // The server read the question before it failed, or may have.
            Signature::ResponseCode(_) | Signature::ResetMidway | Signature::Closed | Signature::Mute => {
                Self { by_name: true, by_message: true, by_port: false }
            }
            Signature::Truncated => Self { by_name: true, by_message: true, by_port: false },
            Signature::NoAnswer | Signature::NotReceived | Signature::Late => {
                Self { by_name: true, by_message: true, by_port: true }
            }
            // A refusal of the port precedes any reading of the question.
            Signature::Icmp { .. } | Signature::TcpReset => {
                Self { by_name: false, by_message: false, by_port: true }
            }
        }
    }
}

/// The attempts of both kinds, and what they have.
struct Sides<'a> {
    bad: Vec<&'a Attempt>,
    good: Vec<&'a Attempt>,
}

impl Sides<'_> {
    fn values<K: std::hash::Hash + Eq>(side: &[&Attempt], of: impl Fn(&Attempt) -> K) -> Set<K> {
        side.iter().map(|attempt| of(attempt)).collect()
    }

    /// The record types that failed, in order.
    fn failing_types(&self) -> Vec<u16> {
        let mut types: Vec<u16> = Self::values(&self.bad, |attempt| attempt.qtype).into_iter().collect();
        types.sort_unstable();
        types
    }

    /// Whether all that failed have EDNS and all that was served for the same names has not, or the reverse.
    fn are_parted_by_edns(&self) -> bool {
        let names = Self::values(&self.bad, |attempt| attempt.name);
        let mut served = self.good.iter().filter(|attempt| names.contains(&attempt.name)).peekable();
        let Some(with) = self.bad.first().map(|attempt| attempt.edns) else { return false };
        served.peek().is_some()
            && self.bad.iter().all(|attempt| attempt.edns == with)
            && served.all(|attempt| attempt.edns != with)
    }

    fn are_enough(&self) -> bool {
        let lookups = |side| Self::values(side, |attempt| attempt.lookup).len();
        lookups(&self.bad) >= SIDE_MIN && lookups(&self.good) >= SIDE_MIN
    }

    /// Whether no value is on both sides, and values repeat in other lookups. All tries and types of one lookup share its name,
    /// and mostly its socket and with it the way and the member behind the address: names asked once each split everything.
    fn differ<K: std::hash::Hash + Eq>(&self, of: impl Fn(&Attempt) -> K) -> bool {
        let (bad, good) = (Self::values(&self.bad, &of), Self::values(&self.good, &of));
        let repeat = |side: &[&Attempt], values: &Set<K>| {
            values.len() * 2 <= Self::values(side, |attempt| attempt.lookup).len()
        };
        repeat(&self.bad, &bad) && repeat(&self.good, &good) && bad.is_disjoint(&good)
    }

    /// Whether failures gather in a zone or two of many, and nothing of those was served: that what is served stands in a zone of
    /// its own each says nothing against it.
    fn gather(&self, of: impl Fn(&Attempt) -> u64) -> bool {
        let (bad, good) = (Self::values(&self.bad, &of), Self::values(&self.good, &of));
        let lookups = Self::values(&self.bad, |attempt| attempt.lookup).len();
        bad.len() * SIDE_MIN <= lookups && good.len() >= SIDE_MIN && bad.is_disjoint(&good)
    }
}

/// Finds what splits the attempts of the failing clients, in order of time, while the problem lasted.
pub(super) fn find(attempts: &[Attempt], signature: &Signature) -> Split {
    let side = |state: State| attempts.iter().filter(|a| a.state == state).collect::<Vec<_>>();
    let sides = Sides { bad: side(State::Bad), good: side(State::Good) };
    let looked = Looked::at(signature);
    if *signature == Signature::Truncated && sides.are_parted_by_edns() {
        return Split::Edns(sides.bad.iter().any(|attempt| attempt.edns));
    }
    if matches!(signature, Signature::ResponseCode(_) | Signature::Truncated) {
        // Server and path work: only a success of what failed says that it works again.
        let good = Sides::values(&sides.good, |attempt| attempt.zone);
        let mixed = Sides::values(&sides.bad, |attempt| attempt.zone).iter().any(|zone| good.contains(zone));
        return if mixed { Split::Name } else { Split::Zone };
    }
    // Zone transfers are another service than lookups: what is looked up says nothing about them.
    let transfers =
        |side: &[&Attempt]| side.iter().filter(|attempt| TRANSFERS.contains(&attempt.qtype)).count();
    let of_transfers = looked.by_message && !sides.bad.is_empty() && transfers(&sides.bad) == sides.bad.len();
    let names = |side: &[&Attempt]| Sides::values(side, |attempt| attempt.name);
    if of_transfers && names(&sides.bad).is_disjoint(&names(&sides.good)) {
        return Split::Name;
    }
    if of_transfers && transfers(&sides.good) == 0 {
        return Split::Type(sides.failing_types());
    }
    if !sides.are_enough() || changes(attempts) < CHANGES_MIN {
        return Split::Nothing;
    }
    // What was cut differs from nothing.
    let read = sides.bad.iter().chain(&sides.good).all(|attempt| attempt.question != 0);
    let zone = |attempt: &Attempt| attempt.zone;
    if read && looked.by_name && (sides.differ(zone) || sides.gather(zone)) {
        return Split::Zone;
    }
    if read && looked.by_name && sides.differ(|attempt| attempt.name) {
        return Split::Name;
    }
    // What is asked for says more than how: stubs ask for some types in another way.
    if read && looked.by_message && sides.differ(|attempt| attempt.qtype) {
        return Split::Type(sides.failing_types());
    }
    if read && looked.by_name && looked.by_message && sides.differ(|attempt| (attempt.zone, attempt.qtype)) {
        return Split::TypeInZone(sides.failing_types());
    }
    if looked.by_message && sides.differ(|attempt| attempt.edns) {
        return Split::Edns(sides.bad.iter().any(|attempt| attempt.edns));
    }
    if looked.by_port { by_port(&sides) } else { Split::Nothing }
}

/// Whether few names failed, none of them was ever served, and others of their zones were, sooner or later: it is these names that
/// fail, and what was served for others says neither when that began nor when it ended.
pub(super) fn are_single_names(own: &[Attempt]) -> bool {
    let side = |state: State| own.iter().filter(move |attempt| attempt.state == state);
    let bad: Set<u64> = side(State::Bad).map(|attempt| attempt.name).collect();
    let zones: Set<u64> = side(State::Bad).map(|attempt| attempt.zone).collect();
    (1..SIDE_MIN).contains(&bad.len())
        && side(State::Good).all(|attempt| !bad.contains(&attempt.name))
        && side(State::Good).any(|attempt| zones.contains(&attempt.zone))
}

/// Whether few names failed, nobody was ever served any of them, and one failed again, in whatever way, in another lookup after other
/// names were served: what those were served says nothing about an end. `all` are the attempts of all clients at the service.
pub(super) fn are_names_that_fail_on(
    own: &[Attempt],
    all: &[Attempt],
    has_failed: impl Fn(u32) -> bool,
) -> bool {
    let bad = || own.iter().filter(|attempt| attempt.state == State::Bad);
    let names: Set<u64> = bad().map(|attempt| attempt.name).collect();
    let served = || all.iter().filter(|attempt| attempt.state == State::Good);
    let few = (1..SIDE_MIN).contains(&names.len()) && bad().all(|attempt| attempt.question != 0);
    few && served().all(|attempt| !names.contains(&attempt.name))
        && bad().any(|first| {
            let mut again = all.iter().filter(|other| {
                other.name == first.name && other.lookup != first.lookup && other.began > first.ended
            });
            again.any(|other| {
                has_failed(other.id) && served().any(|good| (first.ended..other.began).contains(&good.began))
            })
        })
}

/// Whether EDNS parts what failed from what anyone was served meanwhile: the failing clients may have asked for little else.
pub(super) fn by_edns(own: &[Attempt], served: &[&Attempt]) -> Split {
    let bad: Vec<&Attempt> = own.iter().filter(|attempt| attempt.state == State::Bad).collect();
    let sides = Sides { bad, good: served.to_vec() };
    if sides.are_enough() && sides.differ(|attempt| attempt.edns) {
        return Split::Edns(sides.bad.iter().any(|attempt| attempt.edns));
    }
    Split::Nothing
}

fn by_port(sides: &Sides<'_>) -> Split {
    let span = |side: &[&Attempt]| {
        let ports = side.iter().map(|attempt| attempt.port);
        Some((ports.clone().min()?, ports.max()?))
    };
    let varied = |side: &[&Attempt]| Sides::values(side, |attempt| attempt.port).len() >= SIDE_MIN;
    match span(&sides.bad).zip(span(&sides.good)) {
        Some((bad, good)) if varied(&sides.bad) && varied(&sides.good) => {
            if bad.0 > good.1 {
                Split::PortsFrom(bad.0)
            } else if bad.1 < good.0 {
                Split::PortsTo(bad.1)
            } else {
                Split::Nothing
            }
        }
        _ => Split::Nothing,
    }
}

/// How often failure and success follow each other.
fn changes(attempts: &[Attempt]) -> usize {
    let mut before = None;
    let told = attempts.iter().map(|attempt| attempt.state).filter(|state| *state != State::Other);
    told.filter(|state| before.replace(*state).is_some_and(|before| before != *state)).count()
}

/// Which attempts belong to the class, by what the failed ones have.
pub(super) fn class(split: &Split, attempts: &[Attempt]) -> impl Fn(&Attempt) -> bool + use<> {
    let of = |key: fn(&Attempt) -> u64| -> Set<u64> {
        attempts.iter().filter(|attempt| attempt.state == State::Bad).map(key).collect()
    };
    let keys = match split {
        Split::Zone => of(|attempt| attempt.zone),
        Split::Name => of(|attempt| attempt.name),
        _ => Set::default(),
    };
    let pairs: Set<(u64, u16)> = match split {
        Split::TypeInZone(_) => {
            let bad = attempts.iter().filter(|attempt| attempt.state == State::Bad);
            bad.map(|attempt| (attempt.zone, attempt.qtype)).collect()
        }
        _ => Set::default(),
    };
    let split = split.clone();
    move |attempt| match &split {
        Split::Nothing => true,
        Split::Zone => keys.contains(&attempt.zone),
        Split::Name => keys.contains(&attempt.name),
        Split::Type(types) => types.contains(&attempt.qtype),
        Split::TypeInZone(_) => pairs.contains(&(attempt.zone, attempt.qtype)),
        Split::Edns(with) => attempt.edns == *with,
        Split::PortsFrom(port) => attempt.port >= *port,
        Split::PortsTo(port) => attempt.port <= *port,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::windows::Mark;
    use crate::index::PacketId;

    /// Forty attempts of which every second failed.
    fn every_second(mut change: impl FnMut(usize, &mut Attempt)) -> Vec<Attempt> {
        let one = |at: usize| {
            let state = if at.is_multiple_of(2) { State::Bad } else { State::Good };
            let mut attempt = Attempt {
                state,
                lookup: at as u32,
                name: at as u64,
                zone: 1,
                qtype: 1,
                port: 9,
                question: 1,
                ..Attempt::default()
            };
            change(at, &mut attempt);
            attempt
        };
        (0..40).map(one).collect()
    }

    #[test]
    fn a_zone_that_fails_while_others_are_answered_splits() {
        let attempts = every_second(|at, attempt| attempt.zone = (at % 2) as u64);
        assert_eq!(find(&attempts, &Signature::NoAnswer), Split::Zone);
        // A port that refuses has not read the name.
        let refused = Signature::Icmp { v6: false, kind: 3, code: 3 };
        assert_eq!(find(&attempts, &refused), Split::Nothing);
    }

    #[test]
    fn names_that_were_asked_once_each_split_nothing() {
        assert_eq!(find(&every_second(|_, _| ()), &Signature::NoAnswer), Split::Nothing);
    }

    #[test]
    fn a_name_that_fails_again_after_others_were_served_fails_by_itself() {
        use State::{Bad, Good, Other};
        let mark = |at: i64| Mark { at_ns: at, packet: PacketId(at as u32) };
        let list = |rows: &[(u64, State)]| -> Vec<Attempt> {
            let one = |(at, (name, state)): (usize, &(u64, State))| Attempt {
                id: at as u32,
                lookup: at as u32,
                state: *state,
                name: *name,
                question: 1,
                began: mark(at as i64 * 10),
                ended: mark(at as i64 * 10 + 1),
                ..Attempt::default()
            };
            rows.iter().enumerate().map(one).collect()
        };
        let fails_on = |rows: &[(u64, State)]| {
            let all = list(rows);
            are_names_that_fail_on(&all, &all, |id| {
                all.iter().any(|own| own.id == id && own.state != State::Good)
            })
        };
        assert!(fails_on(&[(1, Bad), (2, Good), (1, Other)]));
        assert!(!fails_on(&[(1, Bad), (1, Other), (2, Good)]), "nothing was served between");
        assert!(!fails_on(&[(1, Bad), (2, Good), (1, Good)]), "the name came back");
        assert!(!fails_on(&[(1, Bad), (2, Good), (3, Bad)]), "another name failed");
        assert!(!fails_on(&[(1, Bad), (2, Bad), (3, Bad), (4, Bad), (9, Good), (1, Bad)]), "many names");
    }

    #[test]
    fn types_and_tries_of_one_lookup_are_one_sample_of_its_name() {
        // Five names of either kind, each of four attempts.
        let each = |again: usize| {
            every_second(|at, attempt| {
                attempt.name = (at % 2 + at / 8 * 2) as u64;
                attempt.lookup = (attempt.name as usize + 100 * again * at) as u32;
            })
        };
        assert_eq!(find(&each(0), &Signature::NoAnswer), Split::Nothing);
        assert_eq!(find(&each(1), &Signature::NoAnswer), Split::Name);
    }

    #[test]
    fn high_client_ports_split_where_both_sides_have_several() {
        let attempts =
            every_second(|at, attempt| attempt.port = if at % 2 == 0 { 40_000 } else { 1_000 } + at as u16);
        assert_eq!(find(&attempts, &Signature::NoAnswer), Split::PortsFrom(40_000));
        let one_each = every_second(|at, attempt| attempt.port = if at % 2 == 0 { 40_000 } else { 1_000 });
        assert_eq!(find(&one_each, &Signature::NoAnswer), Split::Nothing);
    }

    #[test]
    fn transfers_that_fail_beside_lookups_split_however_few() {
        let few = |qtype: u16| -> Vec<Attempt> {
            let mut attempts =
                every_second(|at, attempt| attempt.qtype = if at % 2 == 0 { qtype } else { 6 });
            attempts.truncate(4);
            attempts
        };
        let same = |qtype: u16| {
            let mut attempts = few(qtype);
            for attempt in &mut attempts {
                attempt.name = 1;
            }
            attempts
        };
        assert_eq!(find(&few(252), &Signature::NotReceived), Split::Name);
        assert_eq!(find(&same(252), &Signature::NotReceived), Split::Type(vec![252]));
        assert_eq!(find(&same(1), &Signature::NotReceived), Split::Nothing);
        assert_eq!(find(&few(1), &Signature::NotReceived), Split::Nothing);
    }

    #[test]
    fn failures_that_gather_in_one_zone_split_from_single_names_of_others() {
        let gathered = |zones: usize| {
            every_second(|at, attempt| attempt.zone = if at % 2 == 0 { at % zones } else { 100 + at } as u64)
        };
        assert_eq!(find(&gathered(2), &Signature::NoAnswer), Split::Zone);
        assert_eq!(find(&gathered(40), &Signature::NoAnswer), Split::Nothing);
    }

    #[test]
    fn of_type_and_edns_that_coincide_the_type_is_named() {
        let attempts = every_second(|at, attempt| {
            attempt.edns = at % 2 == 0;
            attempt.qtype = if at % 2 == 0 { 65 } else { 1 };
        });
        assert_eq!(find(&attempts, &Signature::NoAnswer), Split::Type(vec![65]));
    }

    #[test]
    fn a_type_that_fails_in_one_zone_only_splits_by_both() {
        // Four groups in turn: only type 28 in zone 1 fails.
        let attempts = every_second(|at, attempt| {
            attempt.qtype = if at % 2 == 0 { 28 } else { 1 };
            attempt.zone = 1 + (at / 2 % 2) as u64;
            attempt.state = if at % 4 == 0 { State::Bad } else { State::Good };
        });
        let split = find(&attempts, &Signature::NoAnswer);
        assert_eq!(split, Split::TypeInZone(vec![28]));
        let member = class(&split, &attempts);
        assert_eq!(attempts.iter().filter(|attempt| member(attempt)).count(), 10);
    }

    #[test]
    fn queries_with_edns_split() {
        let attempts = every_second(|at, attempt| attempt.edns = at % 2 == 0);
        assert_eq!(find(&attempts, &Signature::NoAnswer), Split::Edns(true));
    }

    #[test]
    fn the_class_of_a_failing_zone_leaves_out_other_zones() {
        let attempts = every_second(|at, attempt| attempt.zone = (at % 2) as u64);
        let split = find(&attempts, &Signature::ResponseCode(2));
        assert_eq!(split, Split::Zone);
        let member = class(&split, &attempts);
        assert_eq!(attempts.iter().filter(|attempt| member(attempt)).count(), 20);
    }
}
