//! Sentences about certificates that were refused: whose they are, and whether their time was over.

use super::Said;
use crate::attempts::{Outcome, certificate};
use crate::findings::facts::troubles::Trouble;
use crate::findings::hypotheses::scene::Scene;
use crate::text::{escape, thousands};
use crate::time::{date_and_time, span};

/// Handshakes whose certificates are read.
const HANDSHAKES_MAX: usize = 16;

/// The certificates that were refused, where the handshakes show them: whose, until when, and whether their time is over.
pub(super) fn certificates(scene: &Scene<'_, '_>, trouble: &Trouble) -> Vec<Said> {
    let mut out: Vec<Said> = Vec::new();
    let refused = trouble.attempts(scene.facts.attempts).filter_map(|own| match own.outcome {
        Outcome::Alert { number: 40 | 42..=46 | 48 | 49 | 116, by_client } => Some((own, by_client)),
        _ => None,
    });
    let mut told = Vec::new();
    for (own, by_client) in refused.take(HANDSHAKES_MAX) {
        // Who refuses looks at what the other side presents.
        let Some(shown) = certificate::presented(scene.facts.index, scene.facts.attempts, own, !by_client)
        else {
            continue;
        };
        let side = if by_client { own.service.host } else { own.client.0 };
        // The same one is told once, with the first refusal.
        let over_ns = shown.out_of_time(scene.facts.time(shown.packet));
        let known = (side, shown.name.clone(), shown.valid_ns, over_ns.is_some());
        if told.contains(&known) {
            continue;
        }
        told.push(known);
        let Some((_, until_ns)) = shown.valid_ns else {
            if shown.number == 0 {
                out.push((
                    format!("{side} was asked for a certificate and presented none."),
                    vec![shown.packet],
                ));
            }
            continue;
        };
        let whose =
            if shown.name.is_empty() { String::new() } else { format!(" “{}”", escape(&shown.name)) };
        let time = match over_ns {
            Some(over_ns) if over_ns > 0 => format!(
                "was valid until {} UTC: it had expired {} before",
                date_and_time(until_ns),
                long(over_ns)
            ),
            Some(early_ns) => format!("is valid only {} later, by the clock of the capture", long(-early_ns)),
            None => format!("is valid until {} UTC", date_and_time(until_ns)),
        };
        let many = if shown.number == 1 {
            "no other with it".to_owned()
        } else {
            format!("{} in all", shown.number)
        };
        let text = format!("The certificate{whose} that {side} presented ({many}) {time}.");
        out.push((text, vec![shown.packet]));
    }
    out
}

/// A long time in days.
fn long(lasted_ns: i64) -> String {
    const DAY_NS: i64 = 86_400_000_000_000;
    if lasted_ns < 2 * DAY_NS {
        span(lasted_ns)
    } else {
        format!("{} days", thousands((lasted_ns / DAY_NS) as u64))
    }
}

/// Whether the certificates that one side presented were out of their time each time they were refused.
pub fn is_out_of_time(scene: &Scene<'_, '_>, trouble: &Trouble, of_client: bool) -> bool {
    let facts = scene.facts;
    // TLS 1.3 shows none.
    let shown = trouble
        .attempts(facts.attempts)
        .take(HANDSHAKES_MAX)
        .filter_map(|own| certificate::presented(facts.index, facts.attempts, own, of_client));
    let mut all = shown.map(|shown| shown.out_of_time(facts.time(shown.packet)).is_some()).peekable();
    all.peek().is_some() && all.all(|is_out| is_out)
}
