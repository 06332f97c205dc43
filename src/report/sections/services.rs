//! Failures of services beside DNS: what failed, from when to when, for whom, who was not affected, what that meant.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::words;
use super::super::{Block, Voice};
use super::problem::sentence;
use super::{Builder, table};
use crate::attempts::{Attempts, Face, Service};
use crate::decode::Address;
use crate::findings::facts::troubles::{Client, Property, Sort, Trouble, is_long};
use crate::findings::hypotheses::{Assessment, Sentence, Topic};
use crate::findings::{Severity, rules};
use crate::index::PacketId;
use crate::text::{escape, thousands};
use crate::time::{self, Nanos};

/// Windows told one by one.
const WINDOWS_TOLD: usize = 4;
/// Clients and values told one by one.
const LISTED: usize = 4;
/// Rows of the table of clients.
const ROWS_MAX: usize = 40;

/// The sentences of an assessment about one topic.
fn told(assessment: &Assessment, topic: Topic) -> impl Iterator<Item = &Sentence> {
    assessment.wording.iter().filter(move |sentence| sentence.topic == topic)
}

/// What failed, when, for whom, what it meant: the first sentences of the summary.
pub fn summary(b: &Builder<'_>, suffix: &str, assessment: &Assessment, trouble: &Trouble) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (number, seen) in told(assessment, Topic::Failure).enumerate() {
        let id = if number == 0 {
            format!("summary.seen{suffix}")
        } else {
            format!("summary.seen{suffix}.{}", number + 1)
        };
        blocks.push(b.claim(&id, Voice::Observed, sentence(&seen.text), &seen.frames));
    }
    let (text, frames) = when(b, trouble);
    blocks.push(b.claim(&format!("summary.when{suffix}"), Voice::Observed, text, &frames));
    let (text, frames) = who(b, trouble);
    blocks.push(b.claim(&format!("summary.then{suffix}"), Voice::Observed, text, &frames));
    for effect in told(assessment, Topic::Effect) {
        blocks.push(b.claim(
            &format!("summary.effect{suffix}"),
            Voice::Assessed,
            sentence(&effect.text),
            &effect.frames,
        ));
    }
    blocks
}

/// What failed in one sentence, where another failure leads the summary.
pub fn beside(b: &Builder<'_>, suffix: &str, assessment: &Assessment) -> Option<Block> {
    let seen = told(assessment, Topic::Failure).next()?;
    Some(b.claim(&format!("summary.beside{suffix}"), Voice::Observed, sentence(&seen.text), &seen.frames))
}

/// The same at length, with the table of clients, under Findings.
pub fn findings(b: &Builder<'_>, key: &str, assessment: &Assessment, trouble: &Trouble) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (number, seen) in told(assessment, Topic::Failure).enumerate() {
        let id = if number == 0 { format!("{key}.queries") } else { format!("{key}.detail.{number}") };
        blocks.push(b.claim(&id, Voice::Observed, sentence(&seen.text), &seen.frames));
    }
    let (text, frames) = when(b, trouble);
    blocks.push(b.claim(&format!("{key}.when"), Voice::Observed, text, &frames));
    if trouble.clients.len() > 1 {
        blocks.push(clients(key, trouble));
    }
    blocks
}

/// Milliseconds where the whole failure is short, else seconds.
fn moment(b: &Builder<'_>, at_ns: Nanos) -> String {
    b.clock.fine(at_ns)
}

/// From when to when, with the successes that bound it.
pub fn when(b: &Builder<'_>, trouble: &Trouble) -> (String, Vec<PacketId>) {
    let mut frames: Vec<PacketId> = Vec::new();
    for (first, last) in &trouble.windows {
        frames.extend([first.packet, last.packet]);
    }
    frames.extend(trouble.last_good.map(|mark| mark.packet));
    frames.extend(trouble.first_good.map(|mark| mark.packet));
    frames.extend(&trouble.alongside);
    if !b.clock.has_times {
        return (
            "When it failed, and for how long, cannot be told: the log states no times.".to_owned(),
            frames,
        );
    }
    let span = |from: Nanos, to: Nanos| {
        if to > from { format!(" ({})", time::span(to - from)) } else { String::new() }
    };
    let mut text = match trouble.windows.as_slice() {
        [] => String::new(),
        [(first, last)] if trouble.is_intermittent => format!(
            "Failures and successes alternated {}{}: {} of {} failed.",
            b.clock.during(first.at_ns, last.at_ns),
            span(first.at_ns, last.at_ns),
            thousands(trouble.failed.len() as u64),
            thousands(trouble.asked)
        ),
        [(first, last)] => {
            format!(
                "Observed failing {}{}.",
                b.clock.during(first.at_ns, last.at_ns),
                span(first.at_ns, last.at_ns)
            )
        }
        several => {
            let each: Vec<String> = several
                .iter()
                .take(WINDOWS_TOLD)
                .map(|(first, last)| {
                    format!("{}{}", b.clock.during(first.at_ns, last.at_ns), span(first.at_ns, last.at_ns))
                })
                .collect();
            format!(
                "Observed failing {} times, with successes between: {}.",
                several.len(),
                words::list_of(&each, WINDOWS_TOLD, several.len())
            )
        }
    };
    if let Some((first, last)) = trouble.outage {
        let _ = write!(
            text,
            " It failed in other ways as well between the same two successes, together {}{}.",
            b.clock.during(first.at_ns, last.at_ns),
            span(first.at_ns, last.at_ns)
        );
        frames.extend([first.packet, last.packet]);
    }
    let several = |number: u64| if number > 1 { format!(" of {}", thousands(number)) } else { String::new() };
    let is_large = matches!(trouble.sort, Sort::Failed(Face::Large, _));
    let before = match trouble.last_good {
        _ if !trouble.alongside.is_empty() => {
            "other connections of the same clients to it carried data both ways before, meanwhile and after"
                .to_owned()
        }
        Some(mark) if trouble.around.0 > 1 => format!(
            "the last of {} successes before it ended at {}",
            thousands(trouble.around.0),
            moment(b, mark.at_ns)
        ),
        Some(mark) => format!("the last success before it ended at {}", moment(b, mark.at_ns)),
        None if is_large => "nothing as large of these clients was seen to pass before it".to_owned(),
        None if trouble.part.is_some() => {
            "nothing of what failed was served to these clients before".to_owned()
        }
        None => "no success of these clients was seen before it".to_owned(),
    };
    let after = match trouble.first_good {
        _ if trouble.is_resumed => "each of these transfers went on after it".to_owned(),
        Some(mark) => {
            let many = several(trouble.around.1);
            format!("the first one{many} after it at {}", moment(b, mark.at_ns))
        }
        None if !trouble.alongside.is_empty() => {
            format!("no new one was seen after it until the {} ends", b.record)
        }
        None if let Some((now, mark)) = &trouble.moved => {
            let now: Vec<String> = now.iter().map(ToString::to_string).collect();
            frames.push(mark.packet);
            format!(
                "the same hosts, by DHCP now {}, were served after it, first at {}",
                words::list(&now, LISTED),
                moment(b, mark.at_ns)
            )
        }
        None => format!("none was seen after it until the {} ends", b.record),
    };
    let _ = write!(text, " {}; {after}.", sentence(&before).trim_end_matches('.'));
    (text.trim().to_owned(), frames)
}

/// Who was rescued, who was not affected, and what parts them.
fn who(b: &Builder<'_>, trouble: &Trouble) -> (String, Vec<PacketId>) {
    let mut said = Vec::new();
    let mut frames: Vec<PacketId> = Vec::new();
    let rescued: Vec<&Client> = trouble.hit().filter(|client| client.rescued > 0).collect();
    if let Some(first) = rescued.first() {
        let number: u32 = rescued.iter().map(|client| client.rescued).sum();
        let by = first.rescuer.map_or_else(String::new, |by| {
            let transport = if by.transport == 6 { "TCP" } else { "UDP" };
            format!(" by {} {transport} port {}", by.host, by.port)
        });
        let longest = rescued.iter().filter_map(|client| client.rescue_ns).max().unwrap_or(0);
        said.push(if matches!(trouble.sort, Sort::Failed(Face::Large, _)) {
            // What went through may have been smaller.
            format!(
                "After {} others were served{by}, within {}; whether they carried as much cannot be told.",
                rules::counted(number as usize, "of them", "of them"),
                time::span(longest)
            )
        } else {
            format!(
                "{} then served{by}, after up to {}.",
                rules::counted(number as usize, "attempt was", "attempts were"),
                time::span(longest)
            )
        });
        frames.extend(rescued.iter().filter_map(|client| client.rescue));
    }
    let spared: Vec<&Client> = trouble.spared().collect();
    let (fine, flawed): (Vec<&Client>, Vec<&Client>) = spared.iter().partition(|client| client.flawed == 0);
    let named = |clients: &[&Client]| {
        let names: Vec<String> = clients.iter().map(|client| client.address.to_string()).collect();
        words::list(&names, LISTED)
    };
    let served = |clients: &[&Client]| clients.iter().map(|client| client.served).sum::<u32>();
    if !fine.is_empty() {
        said.push(format!(
            "Served meanwhile: {} ({}).",
            named(&fine),
            match served(&fine) {
                1 => "once".to_owned(),
                many => format!("{} times", thousands(u64::from(many))),
            }
        ));
    }
    if !flawed.is_empty() {
        let other: u32 = flawed.iter().map(|client| client.flawed).sum();
        said.push(format!(
            "{} of {} to it {} served meanwhile; {} failed in another way, came late, or {} not seen to end.",
            rules::counted(served(&flawed) as usize, "attempt", "attempts"),
            named(&flawed),
            if served(&flawed) == 1 { "was" } else { "were" },
            rules::counted(other as usize, "other", "others"),
            if other == 1 { "was" } else { "were" }
        ));
    }
    said.extend(never(b, trouble));
    if let Some((text, seen)) = parted(b, trouble) {
        said.push(text);
        frames.extend(seen);
    }
    let between = trouble.hit().any(|client| client.served > 0);
    let beside = trouble.hit().any(|client| client.beside > 0);
    if !trouble.alongside.is_empty() {
        said.push(format!(
            "{} of the same clients to it went on.",
            sentence(&rules::counted(trouble.alongside.len(), "other connection", "other connections"))
                .trim_end_matches('.')
        ));
        frames.extend(&trouble.alongside);
    } else if spared.is_empty() && rescued.is_empty() && !between && !beside {
        let (tried, mut seen) = others(b, trouble);
        let (used, carried) = in_use(b, trouble);
        seen.extend(carried);
        said.push(match tried {
            Some(tried) => [Some(tried), used].into_iter().flatten().collect::<Vec<_>>().join(" "),
            None if let Some(used) = used => used,
            None if trouble.hit().count() == 1 => {
                format!("No other client in this {} asked for it meanwhile.", b.record)
            }
            None => "Nobody was served by it meanwhile.".to_owned(),
        });
        frames.extend(seen);
    } else if between && spared.is_empty() {
        said.push("The same clients were also served by it in that time.".to_owned());
    }
    frames.extend(trouble.windows.iter().flat_map(|(first, last)| [first.packet, last.packet]));
    (said.join(" "), frames)
}

/// What parts the failures from what was begun and served in the same time, counted; nothing where nothing was, or what has not their
/// property failed as well.
fn parted(b: &Builder<'_>, trouble: &Trouble) -> Option<(String, Vec<PacketId>)> {
    let part = trouble.part.as_ref().filter(|part| part.property != Property::Client)?;
    let (from, to) = trouble.span_ns();
    let own_failures: BTreeSet<u32> = trouble.failed.iter().copied().collect();
    let attempts = Attempts::of(b.input.evidence);
    let (mut served, mut seen) = (0_usize, Vec::new());
    for (at, own) in attempts.all.iter().enumerate() {
        let is_pending = own.first.time_ns <= to && own.ended_ns() >= from;
        if !is_pending || own_failures.contains(&(at as u32)) || !trouble.asks_of(own) {
            continue;
        }
        // Others have ways of their own, which may carry fragments.
        if part.property == Property::Size && !trouble.hit().any(|hit| hit.address == own.client.0) {
            continue;
        }
        if own.outcome.face().is_some() {
            return None;
        }
        if own.outcome.is_served() && own.is_within(from, to) && !is_long(own) {
            served += 1;
            if seen.len() < LISTED {
                seen.push(own.first.packet);
            }
        }
    }
    let values = |values: &[String]| -> String {
        let shown: Vec<String> = values.iter().map(|value| escape(value)).collect();
        words::list(&shown, LISTED)
    };
    let which = match part.property {
        Property::Account => "was asked in the name of",
        Property::Size => "was sent",
        _ => "asked for",
    };
    let others = match part.property {
        Property::Account => "in the name of",
        Property::Size => "sent",
        _ => "for",
    };
    let text = format!(
        "Only what {which} {} failed; meanwhile {} {others} {} {} served.",
        values(&part.failing),
        rules::counted(served, "attempt", "attempts"),
        values(&part.served),
        if served == 1 { "was" } else { "were" }
    );
    (served > 0).then_some((text, seen))
}

/// What other clients wanted of the service in that time: attempts that were begun or pending then, however they ended.
fn others(b: &Builder<'_>, trouble: &Trouble) -> (Option<String>, Vec<PacketId>) {
    let (from, to) = trouble.outage_ns();
    let hit: BTreeSet<Address> = trouble.hit().map(|client| client.address).collect();
    let services: BTreeSet<Service> = trouble.services.iter().map(|(service, _)| *service).collect();
    let attempts = Attempts::of(b.input.evidence);
    let all = attempts.all.iter().filter(|own| {
        let is_pending = own.first.time_ns <= to && own.ended_ns() >= from;
        is_pending && services.contains(&own.service) && !hit.contains(&own.client.0)
    });
    // What came late is told as that.
    let late: BTreeSet<PacketId> = trouble.late(attempts).map(|own| own.asks).collect();
    let all = all.filter(|own| !late.contains(&own.asks));
    let (mut number, mut served, mut clients, mut seen) = (0_usize, 0_u64, BTreeSet::new(), Vec::new());
    for own in all {
        number += 1;
        served += u64::from(own.outcome.is_served() && own.ended_ns() <= to);
        clients.insert(own.client.0);
        if seen.len() < LISTED {
            seen.push(own.first.packet);
        }
    }
    if number == 0 {
        return (None, seen);
    }
    let text = format!(
        "{} of {} to it {} begun or open in that time; {} served before its end.",
        rules::counted(number, "attempt", "attempts"),
        rules::counted(clients.len(), "other client", "other clients"),
        if number == 1 { "was" } else { "were" },
        match served {
            0 => "none of them was".to_owned(),
            1 => "1 of them was".to_owned(),
            some => format!("{} of them were", thousands(some)),
        }
    );
    (Some(text), seen)
}

/// Packets looked at for data of the server on a connection.
const LOOKED_AT: usize = 65_536;

/// Older connections of other clients to the service on which it sent data in that time.
fn in_use(b: &Builder<'_>, trouble: &Trouble) -> (Option<String>, Vec<PacketId>) {
    let (from, to) = trouble.outage_ns();
    let index = b.input.index;
    let mut looked_at = 0;
    let attempts = Attempts::of(b.input.evidence);
    // What came late is told as that.
    let late: BTreeSet<Address> = trouble.late(attempts).map(|own| own.client.0).collect();
    let all = attempts.connections.iter().filter(|own| {
        own.first.time_ns < from
            && own.is_in_use_during(from, to)
            && trouble
                .services
                .iter()
                .any(|(service, _)| service.transport == 6 && (service.host, service.port) == own.server)
            && trouble.hit().all(|hit| hit.address != own.client.0)
            && !late.contains(&own.client.0)
    });
    let mut clients: BTreeSet<Address> = BTreeSet::new();
    let (mut number, mut seen) = (0_usize, Vec::new());
    for own in all {
        let mut packets =
            (own.first.packet.0..=own.last.packet.0).filter_map(|id| index.packet(PacketId(id)));
        let data = packets.by_ref().take(LOOKED_AT.saturating_sub(looked_at)).find(|packet| {
            looked_at += 1;
            (packet.source_address(), packet.source_port()) == own.server
                && (packet.destination_address(), packet.destination_port()) == own.client
                && (from..=to).contains(&packet.time_ns())
                && !packet.decode().payload().is_empty()
        });
        if let Some(data) = data {
            number += 1;
            clients.insert(own.client.0);
            seen.push(data.id);
        }
    }
    seen.truncate(LISTED);
    let names: Vec<String> = clients.iter().map(ToString::to_string).collect();
    let text = format!(
        "On {} of {} to it that {} opened before, it sent data in that time.",
        rules::counted(number, "connection", "connections"),
        words::list(&names, LISTED),
        if number == 1 { "was" } else { "were" }
    );
    ((number > 0).then_some(text), seen)
}

/// Clients that were hit and never served by it in the whole capture, where it served others.
fn never(b: &Builder<'_>, trouble: &Trouble) -> Option<String> {
    let attempts = Attempts::of(b.input.evidence);
    let served: BTreeSet<Address> = attempts
        .all
        .iter()
        .filter(|own| own.outcome.is_served() && trouble.asks_of(own))
        .map(|own| own.client.0)
        .collect();
    let all: Vec<Address> =
        trouble.hit().map(|hit| hit.address).filter(|own| !served.contains(own)).collect();
    let serves = trouble.hit().count() > all.len() || trouble.spared().next().is_some();
    let by_client = trouble.part.as_ref().is_none_or(|part| part.property == Property::Client);
    // What had worked and then broke off was served.
    let never = match trouble.sort {
        Sort::Failed(Face::Silenced | Face::Stalled | Face::Large | Face::Displaced, _) | Sort::Slow => false,
        Sort::Failed(..) => trouble.attempts(attempts).all(|own| own.failing.time_ns <= own.first.time_ns),
    };
    let tells = never && serves && by_client && !all.is_empty();
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    tells.then(|| format!("Never served by it in this {}: {}.", b.record, words::list(&names, LISTED)))
}

/// The clients, those that were hit first.
fn clients(key: &str, trouble: &Trouble) -> Block {
    let rows = trouble.clients.iter().take(ROWS_MAX).map(|client| {
        let cells = vec![
            client.address.to_string(),
            thousands(u64::from(client.failed)),
            thousands(u64::from(client.served) + u64::from(client.beside)),
            thousands(u64::from(client.rescued)),
        ];
        (cells, client.rescue.into_iter().collect())
    });
    let shown = trouble.clients.len().min(ROWS_MAX);
    let caption = if shown < trouble.clients.len() {
        format!("Clients ({shown} of {} shown)", trouble.clients.len())
    } else {
        "Clients".to_owned()
    };
    let head = ["Client", "Failed", "Served meanwhile", "Served in another way"];
    table(&format!("{key}.clients"), &caption, &head, rows.collect())
}

/// The title of a failure with its time.
pub fn title(b: &Builder<'_>, title: &str, trouble: &Trouble) -> String {
    let graver = |own: &&Assessment| own.severity > Some(Severity::Low);
    let more = b.input.assessments.iter().filter(graver).count().saturating_sub(1);
    let title = if more > 0 { format!("{title}, + {more} more") } else { title.to_owned() };
    if !b.clock.has_times {
        return title;
    }
    let (from, to) = trouble.outage_ns();
    let (from, to) = (b.clock.counted.clock(from), b.clock.counted.clock(to));
    if from == to { format!("{from} {title}") } else { format!("{from}–{to} {title}") }
}
