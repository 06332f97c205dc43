//! Rows of addresses that one host pings one after another, to see which are in use.

use std::collections::{BTreeMap, BTreeSet};

use super::Facts;
use super::troubles::TARGETS_MIN;
use crate::attempts::{Attempt, Face, Kind, Outcome};
use crate::decode::Address;
use crate::time::Nanos;

/// Pings of one sweep follow each other within this time, and new addresses as fast on average.
const STEP_NS: Nanos = 1_000_000_000;
/// Neighbouring addresses lie no further apart, most of them.
const STEP_MAX: u128 = 2;
/// Share of them that do, in percent.
const STEPS_PERCENT: usize = 75;

/// What one host swept.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Who.
    pub client: Address,
    /// The addresses of which nothing came, in order.
    pub targets: Vec<Address>,
    /// The pings to those: positions of attempts.
    pub failed: Vec<u32>,
    /// Addresses of the row that answered.
    pub answered: usize,
    /// Who reported that addresses cannot be reached.
    pub reported_by: Vec<Address>,
}

/// The sweeps: pings to a dense row of addresses, one after another and quickly, of which those that fail were never heard of. A
/// monitor pings what is there, wherever it lies.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Sweep> {
    let all = &facts.attempts.all;
    let mut by_client: BTreeMap<Address, Vec<(u32, &Attempt)>> = BTreeMap::new();
    for (at, own) in all.iter().enumerate().filter(|(_, own)| own.kind == Kind::Echo) {
        by_client.entry(own.client.0).or_default().push((at as u32, own));
    }
    by_client.retain(|_, own| own.len() >= TARGETS_MIN);
    if by_client.is_empty() {
        return Vec::new();
    }
    let heard: BTreeSet<Address> =
        all.iter().filter(|own| own.outcome.is_served()).map(|own| own.service.host).collect();
    let sweep = |(client, own): (Address, Vec<(u32, &Attempt)>)| {
        let runs = own.chunk_by(|(_, one), (_, other)| other.first.time_ns - one.first.time_ns <= STEP_NS);
        let swept: BTreeSet<Address> = runs.filter_map(targets).flatten().collect();
        let unheard = |own: &Attempt| {
            let ended = own.outcome.face() == Some(Face::Unreached) || own.outcome == Outcome::Undetermined;
            ended && swept.contains(&own.service.host) && !heard.contains(&own.service.host)
        };
        let failed: Vec<(u32, &Attempt)> = own.iter().filter(|(_, own)| unheard(own)).copied().collect();
        let targets: BTreeSet<Address> = failed.iter().map(|(_, own)| own.service.host).collect();
        let decided = failed.iter().filter_map(|(_, own)| own.decided);
        let reported_by: BTreeSet<Address> =
            decided.filter_map(|seen| facts.error(seen.packet)).map(|error| error.source).collect();
        (!targets.is_empty()).then(|| Sweep {
            client,
            answered: swept.len() - targets.len(),
            targets: targets.into_iter().collect(),
            failed: failed.iter().map(|(at, _)| *at).collect(),
            reported_by: reported_by.into_iter().collect(),
        })
    };
    by_client.into_iter().filter_map(sweep).collect()
}

/// The addresses of a run of pings, where it is a sweep.
fn targets(run: &[(u32, &Attempt)]) -> Option<BTreeSet<Address>> {
    let mut seen: BTreeSet<Address> = BTreeSet::new();
    let mut newest_ns = Nanos::MIN;
    for (_, own) in run {
        if seen.insert(own.service.host) {
            newest_ns = own.first.time_ns;
        }
    }
    let lasted_ns = newest_ns - run.first()?.1.first.time_ns;
    let is_quick = lasted_ns <= STEP_NS * seen.len() as Nanos;
    (seen.len() >= TARGETS_MIN && is_quick && is_dense(&seen)).then_some(seen)
}

/// Whether addresses follow each other closely.
fn is_dense(addresses: &BTreeSet<Address>) -> bool {
    let numbers: Vec<u128> = addresses
        .iter()
        .filter_map(|address| address.ip())
        .map(|ip| match ip {
            std::net::IpAddr::V4(ip) => u128::from(ip.to_bits()),
            std::net::IpAddr::V6(ip) => ip.to_bits(),
        })
        .collect();
    let near = numbers.windows(2).filter(|pair| match pair {
        [one, other] => other.abs_diff(*one) <= STEP_MAX,
        _ => false,
    });
    numbers.len() >= TARGETS_MIN && near.count() * 100 >= (numbers.len() - 1) * STEPS_PERCENT
}
