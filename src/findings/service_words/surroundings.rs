//! Words about what stands beside the failures of a service: behind a gateway, at its queue, held open, in a loop.

use super::{counted, how, kind, list};
use crate::attempts::reply::Limit;
use crate::attempts::{Kind, Outcome};
use crate::findings::facts::Facts;
use crate::findings::facts::troubles::{Behind, Crossed, Held, Queue, Trouble};
use crate::text::thousands;
use crate::time::{Nanos, span};

/// What failed behind a gateway.
pub fn behind(behind: &Behind) -> String {
    if let Some(failed) = behind.meanwhile {
        return format!(
            "At the same time {} of {} itself to {} of {} {} {}; {} of these failures {} into that time.",
            counted(failed, "request", "requests"),
            behind.client,
            kind(behind.service, behind.kind),
            behind.service.host,
            if failed == 1 { "was" } else { "were" },
            how(behind.outcome, behind.kind),
            thousands(behind.number as u64),
            if behind.number == 1 { "falls" } else { "fall" },
        );
    }
    if behind.outcome == Outcome::Answered {
        return format!(
            "{} waited for one behind it that was late itself: a request of {} to {} of {}.",
            answers(behind),
            behind.client,
            kind(behind.service, behind.kind),
            behind.service.host
        );
    }
    format!(
        "{} followed a failure behind it: {} of {} to {} of {} was {}.",
        answers(behind),
        if behind.kind == Kind::Http { "a request" } else { "a connection" },
        behind.client,
        kind(behind.service, behind.kind),
        behind.service.host,
        match behind.outcome {
            Outcome::Mute => "accepted and acknowledged, and not answered until then".to_owned(),
            outcome => how(outcome, behind.kind),
        }
    )
}

/// `Each of 4 answers`, `4 of 5 answers`.
fn answers(behind: &Behind) -> String {
    match behind.of {
        all if all == behind.number => format!("Each of {}", counted(all, "answer", "answers")),
        all => format!("{} of {}", thousands(behind.number as u64), counted(all, "answer", "answers")),
    }
}

/// Requests that crossed a close.
pub fn crossed(crossed: &Crossed) -> String {
    let (least, most) = crossed.idle_ns;
    let idle = if most - least <= (most / 10).max(ALIKE_NS) {
        format!("{} each time", span(most))
    } else {
        format!("{} to {}", span(least), span(most))
    };
    format!(
        "{} on connections that had served before crossed the server's close of the same connection, which had been idle for {idle}: its \
         FIN acknowledges none of them.",
        counted(crossed.number, "request", "requests")
    )
}

/// Times this close to each other are the same.
const ALIKE_NS: Nanos = 100_000_000;

/// Connections that nobody takes.
pub fn queue(queue: &Queue) -> String {
    format!(
        "{} accepted by the host and not served, and {} got no answer to their SYNs.",
        counted(queue.waiting.len(), "connection was", "connections were"),
        counted(queue.silent.len(), "other", "others")
    )
}

/// Who holds what a service has no more of.
pub fn held(facts: &Facts<'_>, held: &Held) -> String {
    let basis = facts.index.basis();
    let by: Vec<String> = held
        .clients
        .iter()
        .map(|(client, number, since)| match held.limit {
            Limit::Rate => format!("{client} {}", thousands(*number)),
            _ => format!("{client} {} (the oldest since {})", thousands(*number), basis.clock(*since)),
        })
        .collect();
    let number = held.number as usize;
    if held.limit == Limit::Rate {
        return format!(
            "In the minute before the first refusal it was asked {}: {}.",
            times(number),
            list(&by)
        );
    }
    let (least, most) = held.range;
    let always = if least == most { "When it refused" } else { "When it refused the first" };
    format!(
        "{always}, {} to it {} held open: by {}{}.",
        counted(number, "other connection", "other connections"),
        if number == 1 { "was" } else { "were" },
        list(&by),
        if held.is_older { "; some of them were open when the capture began" } else { "" }
    )
}

fn times(number: usize) -> String {
    counted(number, "time", "times")
}

/// Packets that went round between routers.
pub fn looped(trouble: &Trouble) -> Option<String> {
    let (number, routers) = trouble.looped.as_ref()?;
    let routers: Vec<String> = routers.iter().map(ToString::to_string).collect();
    Some(format!(
        "{} left with more hops than any way has and used them up at {}: they went round between routers (a routing loop).",
        counted(*number, "packet", "packets"),
        list(&routers)
    ))
}
