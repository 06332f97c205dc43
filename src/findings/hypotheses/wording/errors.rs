//! Sentences about ICMP errors: who sent them, what they say, and what that leaves open.

use super::{Said, names, packets, refusals, row_of, word, wrong_address};
use crate::correlate::Outcome;
use crate::findings::facts::{ErrorFact, Meaning};
use crate::findings::hypotheses::Assessment;
use crate::findings::hypotheses::catalogue::Cause;
use crate::findings::hypotheses::matrix::errors as row;
use crate::findings::hypotheses::scene::Scene;
use crate::time::span;

pub(super) fn errors(scene: &Scene<'_, '_>, leading: &[Cause], assessment: &Assessment, out: &mut Vec<Said>) {
    let server = scene.server;
    let unreachable = [Meaning::HostUnreachable, Meaning::NetUnreachable];
    let (itself, unreachable): (Vec<&ErrorFact>, Vec<&ErrorFact>) =
        unreachable.iter().flat_map(|m| scene.errors_of(*m)).partition(|error| error.source == server);
    let (host, mut route): (Vec<&ErrorFact>, Vec<&ErrorFact>) =
        unreachable.into_iter().partition(|error| error.meaning == Meaning::HostUnreachable);
    route.extend(scene.errors_of(Meaning::HopsExceeded));
    if let Some(first) = itself.first() {
        out.push((by_itself(first, &itself), packets(&itself)));
    }
    let (own, other) = refusals(scene);
    if !own.is_empty() {
        refused(scene, &own, leading, assessment, out);
    }
    if let Some(first) = other.first() {
        let frames = packets(&other);
        let says = if first.meaning == Meaning::Prohibited {
            "is administratively prohibited"
        } else {
            "is refused (port unreachable)"
        };
        out.push((
            format!("{} – not the server {server} – reported that traffic to {server} {says}.", first.source),
            frames.clone(),
        ));
        let rule = if first.source == first.destination {
            format!("A rule of the packet filter on {} itself, which asked,", first.source)
        } else {
            format!("A filtering rule on or behind {}", first.source)
        };
        out.push((
            format!(
                "{rule} is {}. Whether it is intended cannot be told from packets.",
                word(assessment, Cause::PathFilter)
            ),
            frames,
        ));
    }
    if let Some(first) = host.first() {
        let frames = packets(&host);
        out.push((
            format!(
                "{} reported host {server} unreachable{}.",
                first.source,
                first
                    .about
                    .map_or_else(String::new, |_| format!(" {} after the query", span(first.delta_ns)))
            ),
            frames.clone(),
        ));
        let waited = |error: &&ErrorFact| error.delta_ns >= 2_500_000_000;
        let local = |error: &&ErrorFact| error.source == error.destination;
        let text = if host.iter().any(waited) {
            format!(
                "{server} was probably not present on its network at that time; the delay fits failed address resolution."
            )
        } else if host.iter().any(local) || host.iter().all(|error| error.about.is_none()) {
            format!("{server} was probably not present on its network at that time.")
        } else {
            format!(
                "A message sent at once comes from a reject route, a rule with this code, or an address that had just failed \
                 to resolve; it does not show that {server} was absent."
            )
        };
        out.push((text, frames.clone()));
        if leading.contains(&Cause::WrongAddress) {
            out.push((wrong_address(scene), frames));
        }
    }
    if let Some(first) = route.first() {
        out.push((
            if first.meaning == Meaning::HopsExceeded {
                format!("{} reported that packets to {server} had used up their hops on the way.", first.source)
            } else {
                format!(
                    "{} had no route to {server} at the time ({}). RFC 1122 treats such messages as a hint, since they also \
                     occur during routing changes.",
                    first.source,
                    first.words()
                )
            },
            packets(&route),
        ));
    }
}

/// Host or network unreachable in the name of the very host asked.
fn by_itself(first: &ErrorFact, errors: &[&ErrorFact]) -> String {
    let delay = match (first.about, errors.iter().map(|error| error.delta_ns).max()) {
        (Some(_), Some(longest)) => format!(", up to {} after the query", span(longest)),
        _ => String::new(),
    };
    format!(
        "{} in its own name that it is unreachable ({}{delay}). No host reports itself unreachable: a rule with this code, \
         or a device that answers in the server's name, sent this.",
        first.source.to_string() + if errors.len() == 1 { " reported once" } else { " reported" },
        first.code_words(),
    )
}

fn refused(
    scene: &Scene<'_, '_>,
    errors: &[&ErrorFact],
    leading: &[Cause],
    assessment: &Assessment,
    out: &mut Vec<Said>,
) {
    let server = scene.server;
    let frames = packets(errors);
    let answered = scene.ended(Outcome::Refused).len();
    let of_all = if answered == scene.transactions.len() {
        format!("each of the {answered} queries")
    } else {
        format!("{answered} of the {} queries", scene.transactions.len())
    };
    let meaning = errors.first().map_or("port unreachable", |error| error.words());
    let code = errors.first().map_or_else(String::new, |error| error.code_words());
    out.push((
        format!(
            "The address {server} answered {of_all} for {} with an ICMP {meaning} message ({code}).",
            names(scene)
        ),
        frames.clone(),
    ));
    let port = scene.service.0;
    out.push((
        format!("This shows that a device answering for {server} received the queries and refused UDP port {port}."),
        frames.clone(),
    ));
    if leading.contains(&Cause::ServerFilter) && !leading.contains(&Cause::NotRunning) {
        out.push((
            format!(
                "A packet filter on {server} is {}; whether it is intended cannot be told from packets.",
                word(assessment, Cause::ServerFilter)
            ),
            frames.clone(),
        ));
    }
    if leading.contains(&Cause::DeviceInFront)
        && let Some(row) = row_of(assessment, Cause::DeviceInFront, &[&row::HOPS_DIFFER, &row::DELAY_SHORT])
    {
        out.push((
            format!(
                "The messages carry the server's address, but their distance or timing differs from other packets of \
                 {server}; a device in front of the server may have sent them."
            ),
            row,
        ));
    }
}

pub(super) fn delayed(errors: &[&ErrorFact], out: &mut Vec<Said>) {
    let late: Vec<&ErrorFact> = errors.iter().filter(|error| error.delayed).copied().collect();
    if late.is_empty() {
        return;
    }
    out.push((
        format!(
            "{} of the errors came more than two seconds after the query; a host sends such an error at once, so these \
             delays are not a response time of the service and are left out of latency figures.",
            late.len()
        ),
        packets(&late),
    ));
}
