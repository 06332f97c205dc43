//! Sentences about addresses that nobody on the local network answers for.

use super::Said;
use crate::findings::facts::runs::Wanted;
use crate::findings::hypotheses::scene::Scene;
use crate::findings::rules::{clients, counted};

/// A server on this network that no longer answers for its address.
pub(super) fn vanished(scene: &Scene<'_, '_>, out: &mut Vec<Said>) {
    let mut runs = scene.facts.runs.iter().filter(|run| run.target == scene.server);
    let given = runs.any(|run| run.given.is_some());
    out.push((
        format!(
            "{} requests of {} for the link address of {} were not answered{}, and no query reached it{}.",
            scene.queries.len(),
            crate::findings::rules::named(&scene.clients),
            scene.server,
            when(scene),
            if given { "; DHCP had given it to them as name server" } else { "" }
        ),
        scene.queries.clone(),
    ));
    out.push((
        format!("{} was probably not present on its network at that time.", scene.server),
        scene.queries.clone(),
    ));
}

/// From when to when, and whether it came back: ` between 13:24:32 and 13:25:02; it answered again at 13:25:10`.
fn when(scene: &Scene<'_, '_>) -> String {
    if !scene.facts.index.has_times() {
        return String::new();
    }
    let (from, to) = scene.period_ns;
    let again = scene
        .facts
        .runs
        .iter()
        .filter(|run| run.target == scene.server)
        .filter_map(|run| run.next_sign)
        .max();
    let again = again.map_or_else(
        || " and it gave no sign of life after that".to_owned(),
        |packet| format!("; it answered again at {}", crate::time::clock(scene.facts.time(packet))),
    );
    format!(" between {} and {}{again}", crate::time::clock(from), crate::time::clock(to))
}

/// A way to other networks that no longer answers for its address.
pub(super) fn no_next_hop(scene: &Scene<'_, '_>, out: &mut Vec<Said>) {
    let left: usize =
        scene.facts.runs.iter().filter(|run| run.target == scene.server).map(|run| run.sent_beyond).sum();
    let own = scene.facts.runs.iter().find(|run| run.target == scene.server);
    let role = own.map_or("", |run| run.wanted.role());
    let then = match left {
        0 => "nothing was sent to other networks any more".to_owned(),
        _ if own.is_some_and(|run| run.wanted == Wanted::Supposed) => {
            "nothing left the own network".to_owned()
        }
        some => format!("{} went to other networks", counted(some, "packet", "packets")),
    };
    out.push((
        format!(
            "{} requests of {} for the link address of {}{role} were not answered{}; meanwhile {then}.",
            scene.queries.len(),
            clients(&scene.clients),
            scene.server,
            when(scene)
        ),
        scene.queries.clone(),
    ));
    out.push((
        "Everything beyond the local network was out of reach; what lies there was not asked, so nothing is said about it."
            .to_owned(),
        scene.queries.clone(),
    ));
}
