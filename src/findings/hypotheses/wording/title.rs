//! What an incident beside failed lookups is called in a report's title.

use crate::findings::facts::Meaning;
use crate::findings::facts::runs::Wanted;
use crate::findings::hypotheses::matrix::answers;
use crate::findings::hypotheses::scene::{Incident, Scene};
use crate::findings::hypotheses::{Assessment, Cause};
use crate::findings::rules::{clients, plain_name};

/// The title, without its final stop; `None` for failed lookups whose own words say it.
pub(in super::super) fn of(scene: &Scene<'_, '_>, assessment: &Assessment) -> Option<String> {
    let server = scene.server;
    let port = |transport: u8| {
        let protocol = if transport == 6 { "TCP" } else { "UDP" };
        format!("{server} ({protocol} port {})", scene.service.0)
    };
    let leads = |cause: Cause| assessment.leading().iter().any(|own| own.cause == cause);
    let Some(incident) = scene.incident else {
        let ignored = assessment.of(Cause::LateAnswer).is_some_and(|own| {
            own.ledger
                .iter()
                .any(|row| row.id == answers::ANSWER_IGNORED.id() && row.weight_db > Some(0) && !row.off)
        });
        let blocked = scene.blocked();
        return match () {
            () if blocked.is_some() => {
                Some(format!("Queries to {} are blocked by {}", port(scene.service.1), blocked?))
            }
            () if leads(Cause::Portal) => led(scene),
            () if leads(Cause::LameAnswer) && scene.misaddressed().2 => {
                let from: Vec<String> = scene.misaddressed().1.iter().map(ToString::to_string).collect();
                Some(format!("Queries to DNS server {server} are answered from {}", from.join(", ")))
            }
            () if leads(Cause::Overload) && scene.facts.load.random_zone(server).is_some() => {
                Some(flood(scene))
            }
            () if leads(Cause::LateAnswer) && ignored => Some(format!(
                "Answers of DNS server {server} reach {} and are not taken there",
                clients(&scene.clients)
            )),
            () => None,
        };
    };
    Some(match incident {
        Incident::Silence => {
            format!("Queries to {} repeated without an answer until the capture ends", port(scene.service.1))
        }
        Incident::Uncaptured => {
            let says = scene.errors.first().map_or("an ICMP error", |error| error.words());
            let itself = scene.errors.first().is_some_and(|error| error.source == error.destination);
            let by = if itself { ", told by the asking host itself" } else { "" };
            format!("Queries to {} failed: {says}{by}", port(17))
        }
        Incident::Fragments => format!("Large DNS answers of {server} do not arrive whole"),
        Incident::NoTcp => format!("DNS connections to {} fail", port(6)),
        Incident::Vanished
            if scene.facts.runs.iter().all(|run| run.target != server || run.last_sign.is_none()) =>
        {
            format!("DNS server {server} does not answer on its network")
        }
        Incident::Vanished => format!("DNS server {server} no longer answers on its network"),
        Incident::NoNextHop
            if scene.facts.runs.iter().any(|run| run.target == server && run.wanted == Wanted::Supposed) =>
        {
            format!(
                "Nobody answers for {server}, by its number the gateway, on the local network for {}",
                clients(&scene.clients)
            )
        }
        Incident::NoNextHop => {
            format!("Gateway {server} no longer answers on the local network for {}", clients(&scene.clients))
        }
        Incident::TwoOwners(_) => format!("Two devices use the address {server}"),
        Incident::Lame => format!("DNS server {server} does not serve the zone it is asked for"),
        Incident::Denied => format!("DNS server {server} denies nearly every name it is asked for"),
        Incident::UnknownZone(own) if own.same_zone.is_some() => {
            format!("DNS server {server} denies names in {} that {} gives", plain_name(&own.zone), own.knows)
        }
        Incident::UnknownZone(own) => format!(
            "DNS server {server} does not know names in {}, which {} knows",
            plain_name(&own.zone),
            own.knows
        ),
        Incident::Outdated(own) if own.serials.is_none() => {
            format!("DNS servers {} and {} of {} disagree", own.outdated, own.current, plain_name(&own.zone))
        }
        Incident::Outdated(own) => {
            format!("DNS server {server} answers for {} from outdated data", plain_name(&own.zone))
        }
        Incident::Contested(_) => format!("Two devices answer in the name of DNS server {server}"),
        Incident::SecondDhcp(rivals) => {
            let servers: Vec<String> = rivals.givers.iter().map(|giver| giver.server.to_string()).collect();
            format!("Two DHCP servers ({}) give clients different settings", servers.join(", "))
        }
        Incident::Service(trouble) if leads(Cause::DuplicateAddress) => format!(
            "Two devices use the address {server}; {}",
            crate::findings::service_words::title(scene.facts, trouble)
        ),
        Incident::Service(trouble) => crate::findings::service_words::title(scene.facts, trouble),
        Incident::Flood => flood(scene),
        Incident::Portal(_) => led(scene)?,
        Incident::Slow => format!("DNS answers of {server} are slow"),
        Incident::Victim => format!("{server} is sent DNS answers it did not ask for"),
        Incident::Conflict if scene.errors.iter().all(|error| error.meaning == Meaning::PortUnreachable) => {
            format!("Port unreachable messages about DNS server {server} contradict its answers")
        }
        Incident::Conflict => format!("ICMP errors about DNS server {server} contradict its answers"),
    })
}

/// Too many queries, by what they ask for.
fn flood(scene: &Scene<'_, '_>) -> String {
    let server = scene.server;
    match scene.facts.load.random_zone(server) {
        None if scene.facts.load.reflected(server).is_some() => {
            format!("Queries in the name of {} make DNS server {server} amplify", clients(&scene.clients))
        }
        Some((zone, _)) => {
            format!("Flood of made-up names under {} at DNS server {server}", plain_name(zone))
        }
        None => format!("Flood of queries at DNS server {server}"),
    }
}

/// All names lead to one address.
fn led(scene: &Scene<'_, '_>) -> Option<String> {
    let led = scene.facts.one_address.iter().find(|led| led.servers.contains(&scene.server))?;
    let mut all: Vec<_> = scene
        .facts
        .one_address
        .iter()
        .filter(|other| other.address == led.address && other.servers.contains(&scene.server))
        .map(|other| other.client)
        .collect();
    all.sort_unstable();
    all.dedup();
    let gateway = if led.is_next_hop { ", the gateway itself" } else { "" };
    Some(format!("All names lead {} to {}{gateway}", clients(&all), led.address))
}
