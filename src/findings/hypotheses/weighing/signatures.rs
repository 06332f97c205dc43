//! Signatures (RRSIG) that did not hold when they were sent: a validating resolver takes no such answer (RFC 4035 §5.3.1).

use crate::decode::Address;
use crate::findings::facts::records::{self, Data, Place, Record, Signature, is_before};
use crate::findings::hypotheses::ledger::Ledger;
use crate::findings::hypotheses::matrix::surroundings as row;
use crate::findings::hypotheses::scene::Scene;
use crate::findings::hypotheses::thresholds::UPSTREAM_CITED;
use crate::findings::rules::{counted, plain_name};
use crate::index::{Packet, PacketId};
use crate::time::{Nanos, clock, date_and_time};

/// A second in nanoseconds.
const NANOS_A_SECOND: Nanos = 1_000_000_000;
/// A day in seconds: times further away are told with their date.
const DAY: u32 = 86_400;

/// How a signature stands to the time of the packet that holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Early,
    Holds,
    Over,
}

/// What the signatures of the answers about one failure show.
#[derive(Default)]
pub(super) struct Signatures {
    /// Answers with records whose signatures were over, and with ones that did not hold yet.
    over: Vec<PacketId>,
    early: Vec<PacketId>,
    /// Who sent those.
    senders: Vec<Address>,
    /// The zone that signed, and the time that decides: the newest expiration, the oldest inception.
    signer: String,
    decides: Option<u32>,
    /// The first answer of who sent those before whose records of that zone are all signed by signatures that hold.
    renewed: Option<(PacketId, Nanos, u32)>,
}

impl Signatures {
    /// Looks at the signed records of an answer. What has one signature that holds is signed (RFC 4035 §5.3.3).
    pub fn read(&mut self, packet: &Packet<'_>, sender: Address) {
        let Some(row) = packet.dns() else { return };
        let now = u32::try_from(packet.time_ns() / NANOS_A_SECOND).unwrap_or(0);
        let all = records::of(packet, row);
        let signed = all.iter().filter(|record| record.place != Place::Additional).filter_map(signature);
        let mut best: Vec<((&str, u16), Standing, &Signature)> = Vec::new();
        for (owner, own) in signed {
            let standing = match () {
                () if is_before(own.expiration, now) => Standing::Over,
                () if is_before(now, own.inception) => Standing::Early,
                () => Standing::Holds,
            };
            match best.iter_mut().find(|(known, ..)| *known == (owner, own.covers)) {
                Some(known) if standing == Standing::Holds => *known = (known.0, standing, own),
                Some(_) => {}
                None => best.push(((owner, own.covers), standing, own)),
            }
        }
        let Some((_, standing, own)) =
            best.iter().find(|(_, standing, _)| *standing != Standing::Holds).or(best.first())
        else {
            return;
        };
        let later = |one: u32, other: u32| if is_before(one, other) { other } else { one };
        match standing {
            Standing::Over => {
                self.over.push(packet.id);
                self.decides =
                    Some(self.decides.map_or(own.expiration, |known| later(known, own.expiration)));
            }
            Standing::Early => {
                self.early.push(packet.id);
                self.decides = Some(self.decides.map_or(own.inception, |known| later(known, own.inception)));
            }
            Standing::Holds => {
                let again = self.senders.contains(&sender) && self.signer == own.signer;
                if again && self.renewed.is_none() {
                    self.renewed = Some((packet.id, packet.time_ns(), own.expiration));
                }
                return;
            }
        }
        self.renewed = None;
        self.signer.clone_from(&own.signer);
        if !self.senders.contains(&sender) {
            self.senders.push(sender);
        }
    }

    /// Writes the row, where any did not hold.
    pub fn weigh(self, scene: &Scene<'_, '_>, ledger: &mut Ledger) {
        let Some(decides) = self.decides else { return };
        let is_over = self.over.len() >= self.early.len();
        let mut frames = if is_over { self.over } else { self.early };
        let now = u32::try_from(scene.period_ns.0 / NANOS_A_SECOND).unwrap_or(0);
        let told = |seconds: u32| {
            let at_ns = Nanos::from(seconds) * NANOS_A_SECOND;
            if seconds.abs_diff(now) < DAY {
                return clock(at_ns);
            }
            let text = date_and_time(at_ns);
            text.split_once('.').map_or(text.clone(), |(whole, _)| whole.to_owned())
        };
        let senders: Vec<String> =
            self.senders.iter().take(UPSTREAM_CITED).map(ToString::to_string).collect();
        let renewed = self.renewed.filter(|_| is_over).map_or_else(String::new, |(packet, at_ns, until)| {
            frames.push(packet);
            format!("; answers from {} on hold new ones, good until {}", clock(at_ns), told(until))
        });
        let text = format!(
            "{} of {} {} signatures (RRSIG) of {} that {} at {}, by the clock of the capture; the first of these failures came at {}{renewed}.",
            counted(frames.len() - usize::from(!renewed.is_empty()), "answer", "answers"),
            senders.join(", "),
            if frames.len() == 1 { "holds" } else { "hold" },
            plain_name(&self.signer),
            if is_over { "had expired" } else { "begin to hold only" },
            told(decides),
            clock(scene.period_ns.0),
        );
        ledger.see(if is_over { &row::SIGNATURES_EXPIRED } else { &row::SIGNATURES_EARLY }, text, frames);
    }
}

/// The owner of a signature, and what it says.
fn signature(record: &Record) -> Option<(&str, &Signature)> {
    match &record.data {
        Data::Signature(own) => Some((record.owner.as_str(), own)),
        _ => None,
    }
}
