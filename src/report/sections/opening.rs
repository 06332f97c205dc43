//! Summary, case data, detection, and scope: what a reader sees first.

use super::super::facts::Facts;
use super::super::words;
use super::super::{Block, Place, Section, Shown, Subject, Voice, cite};
use super::cause::{frames_of, quoted, rows_behind};
use super::problem::{clients, ends, met, names, sentence};
use super::{Builder, Need, annex, behind, clocks, coverage, limited, outage, section, services, table};
use crate::attempts::Kind;
use crate::correlate::{Signature, Vantage};
use crate::findings::facts::forwarded;
use crate::findings::flood;
use crate::findings::hypotheses::matrix::{answers, errors};
use crate::findings::hypotheses::{Assessment, Cause, Check, Group, LedgerRow, Topic, Verdict};
use crate::index::PacketId;
use crate::text::thousands;
use crate::time;

pub fn summary(b: &Builder<'_>) -> Section {
    let mut blocks = Vec::new();
    if b.leads_beside_dns() && !b.incidents().is_empty() {
        blocks.extend(beside_dns(b));
        if !b.facts.is_empty() {
            let mut second = vec![seen(b), span(b)];
            second.extend(affected(b));
            second.extend(cause(b));
            // What leads has the plain ids: a ticket takes its lines by them.
            for block in &mut second {
                if let Block::Claim(claim) = block {
                    claim.id.push_str(BESIDE);
                }
            }
            blocks.append(&mut second);
            blocks.extend(others(b));
        }
        blocks.extend(coverage::beside_failures(b));
    } else if !b.facts.is_empty() {
        blocks.extend(led(b));
        blocks.push(seen(b));
        blocks.push(span(b));
        blocks.extend(behind::block(b));
        blocks.extend(affected(b));
        blocks.extend(cause(b));
        blocks.extend(others(b));
        blocks.extend(their_causes(b));
        for (number, assessment) in b.incidents().into_iter().enumerate() {
            blocks.extend(services::beside(b, &suffix(number), assessment));
        }
        blocks.extend(behind::found_beside(b));
        blocks.push(unknown(b));
        blocks.extend(coverage::beside_failures(b));
    } else {
        blocks.extend(coverage::summary(b));
    }
    blocks.extend(next(b));
    if blocks.len() > SUMMARY_MAX {
        // What worked meanwhile stands under Findings as well.
        blocks.retain(|block| !matches!(block, Block::Claim(claim) if claim.id == "summary.worked"));
    }
    if blocks.len() > SUMMARY_MAX {
        // What is not known stands among the limits, each with what would tell it.
        blocks.retain(|block| !matches!(block, Block::Claim(claim) if claim.id == "summary.unknown"));
    }
    blocks.extend(b.notes("summary"));
    section("summary", "Summary", blocks)
}

/// What was found where no lookup failed in the packets: silence that cannot be judged, errors about queries that are not
/// in the capture, a site that fails although DNS works.
fn beside_dns(b: &Builder<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let told_at_length = b.incidents().first().is_some_and(|own| own.trouble.is_some());
    if b.inventory.questions > 0 && b.facts.is_empty() && !told_at_length {
        let whole = b.inventory.whole();
        blocks.push(b.claim("summary.checked", Voice::Observed, coverage::questions(b), &whole));
    }
    for (number, assessment) in b.incidents().into_iter().enumerate() {
        let frames = frames_of(assessment, None);
        let suffix = suffix(number);
        if let Some(trouble) = &assessment.trouble {
            blocks.extend(services::summary(b, &suffix, assessment, trouble));
        }
        let told = assessment.wording.iter().filter(|sentence| sentence.topic == Topic::Cause);
        let text: Vec<String> = told.take(TOLD_MAX).map(|sentence| sentence.text.clone()).collect();
        if !text.is_empty() {
            let text = text.join(" ");
            let id = if assessment.trouble.is_some() { "summary.shows" } else { "summary.seen" };
            blocks.push(b.claim(&format!("{id}{suffix}"), Voice::Assessed, text, &frames));
        }
        if let Some(text) = unseparated(b, assessment, None) {
            let rows = rows_behind(assessment, Topic::Cause);
            blocks.push(b.weighed(&format!("summary.cause{suffix}"), text, &frames, rows));
        }
    }
    blocks.extend(behind::found_beside(b).into_iter().filter(|_| b.facts.is_empty()));
    // Further failures are told in a sentence each.
    let beside = b.input.assessments.iter().filter(|own| own.problem.is_none() && own.trouble.is_some());
    for (number, assessment) in
        beside.enumerate().filter(|(_, own)| !b.incidents().iter().any(|told| std::ptr::eq(*told, *own)))
    {
        blocks.extend(services::beside(b, &suffix(number), assessment));
    }
    blocks
}

/// Ends the ids of claims about failed lookups where something else leads.
const BESIDE: &str = ".dns";
/// Sentences of the summary at most (services §7).
const SUMMARY_MAX: usize = 8;

/// What tells the claims of several incidents apart.
fn suffix(number: usize) -> String {
    if number == 0 { String::new() } else { format!(".{}", number + 1) }
}

/// Sentences of an incident told in the summary.
const TOLD_MAX: usize = 3;

/// The leading explanations by their titles.
fn unseparated(b: &Builder<'_>, assessment: &Assessment, facts: Option<&Facts<'_>>) -> Option<String> {
    let mut leading = assessment.leading();
    if leading.is_empty() {
        // Nothing is supported: what is first looked at, though it cannot be assessed.
        leading = assessment.hypotheses.iter().take(1).collect();
    }
    let first = leading.first()?;
    let titles: Vec<String> = leading.iter().map(|h| super::cause::phrase(h, facts)).collect();
    let text = if leading.len() > 1 {
        format!(
            "These explanations fit the same packets and cannot be separated from this {}: {} ({}).",
            b.record,
            titles.join("; "),
            first.verdict.words()
        )
    } else if first.verdict == Verdict::NotAssessable && assessment.beside().next().is_some() {
        let alike: Vec<String> = assessment.beside().map(|h| super::cause::phrase(h, None)).collect();
        format!(
            "Whether there was a {}: {}. {} looks alike.",
            titles.join("; "),
            first.verdict.words(),
            sentence(&alike.join("; ")).trim_end_matches('.')
        )
    } else {
        format!("{}: {}.", scale(first.verdict), titles.join("; "))
    };
    Some(sentence(&text))
}

/// What explains how questions failed comes before it: every name leads to one address, or a flood takes the server's time.
fn led(b: &Builder<'_>) -> Option<Block> {
    let assessment = b.assessment(0)?;
    if assessment.leading().iter().any(|own| own.cause == Cause::Overload) {
        let server = b.facts.first()?.server;
        let sent = |packet: &PacketId| {
            b.input.index.packet(*packet).is_some_and(|packet| packet.destination_address() == server)
        };
        let mut floods = b.input.findings.iter().filter(|own| own.id == flood::RULE.id);
        let flood = floods.find(|own| own.frames.first().is_some_and(sent))?;
        return Some(b.claim("summary.led", Voice::Observed, format!("{}.", flood.statement), &flood.frames));
    }
    let portal = assessment.leading().into_iter().find(|own| own.cause == Cause::Portal)?;
    let kinds = [&errors::LED_TO_NEXT_HOP, &errors::LED_TO_ONE_ADDRESS];
    let row = portal.ledger.iter().find(|row| !row.off && kinds.iter().any(|kind| kind.id() == row.id))?;
    Some(b.claim("summary.led", Voice::Observed, row.observation.clone(), &row.frames))
}

fn seen(b: &Builder<'_>) -> Block {
    let Some(facts) = b.facts.first() else { return Block::Note(String::new()) };
    let (asked, failed) = outage::asked_and_failed(facts);
    let phases = b.phases(0);
    let own = facts.transactions.len() as u64;
    let (one, many) = match facts.called {
        Some(called) => called,
        None if facts.queries.len() as u64 == own => ("DNS query", "DNS queries"),
        None => ("DNS question", "DNS questions"),
    };
    let sent = if facts.queries.len() as u64 == own || !phases.is_empty() {
        String::new()
    } else {
        format!(" (sent as {})", words::count(facts.queries.len(), "query", "queries"))
    };
    // One outage may show itself in several ways: silence, then refusals.
    let what = if phases.is_empty() {
        met(facts, asked)
    } else {
        let faces = std::iter::once(facts).chain(phases.iter().copied());
        let told: Vec<String> = faces
            .map(|face| {
                format!(
                    "{} {}",
                    thousands(face.transactions.len() as u64),
                    met(face, face.transactions.len() as u64)
                )
            })
            .collect();
        format!("failed: {}", words::list(&told, told.len()))
    };
    let at_least = if facts.impact.is_some_and(|impact| impact.capped) { "At least " } else { "" };
    // Where others of the questions were answered, the names are those of the failed ones.
    let all = failed == asked;
    let text = format!(
        "{at_least}{} of {}{}{sent} from {} to {} ({} port {}){} {what}{}.",
        thousands(failed),
        words::count(asked as usize, one, many),
        outage::class(facts),
        clients(facts),
        facts.server,
        words::transport(facts.problem.transport),
        facts.port,
        if all { format!(" for {}", names(facts)) } else { String::new() },
        if all { String::new() } else { format!("; what failed asked for {}", names(facts)) },
    );
    let mut frames = facts.frames.clone();
    frames.extend(phases.iter().flat_map(|phase| phase.frames.iter().copied()));
    b.claim("summary.seen", Voice::Observed, text, &frames)
}

fn span(b: &Builder<'_>) -> Block {
    let Some(facts) = b.facts.first() else { return Block::Note(String::new()) };
    let (text, frames) = outage::when(b, facts);
    b.claim("summary.when", Voice::Observed, text, &frames)
}

/// Who was rescued and who was not, and what that meant.
fn affected(b: &Builder<'_>) -> Vec<Block> {
    let Some(facts) = b.facts.first() else { return Vec::new() };
    let mut blocks = Vec::new();
    if let Some((text, frames)) = outage::who(b, facts) {
        blocks.push(b.claim("summary.then", Voice::Observed, text, &frames));
    }
    if let Some(text) = outage::effect(facts) {
        blocks.push(b.claim("summary.effect", Voice::Assessed, text, &ends(facts)));
    }
    blocks
}

/// The explanation in one sentence, in words a manager reads.
pub fn explanation(b: &Builder<'_>, problem: usize) -> Option<(String, Vec<PacketId>)> {
    let assessment = b.assessment(problem)?;
    let facts = b.facts.get(problem)?;
    let leading = assessment.leading();
    let Some(first) = leading.first() else {
        let text = super::cause::unsupported(b, assessment, Some(facts));
        return Some((text, facts.frames.clone()));
    };
    let transport = words::transport(facts.problem.transport);
    let text = if facts.is_port_unreachable()
        && facts.is_from_server_itself()
        && [Cause::NotRunning, Cause::ServerFilter]
            .iter()
            .all(|cause| leading.iter().any(|h| h.cause == *cause))
    {
        format!(
            "The address {} answers but refuses {transport} port {}: either no DNS service is listening there or a packet filter (firewall) refuses the port. The {} does not separate the two.",
            facts.server, facts.port, b.record
        )
    } else if leading.len() > 1 {
        unseparated(b, assessment, Some(facts))?
    } else {
        let phrase = super::cause::phrase(first, Some(facts));
        format!("{}: {phrase}", scale(first.verdict))
    };
    Some((sentence(&text), facts.frames.clone()))
}

/// A verdict as the report's scale says it.
pub fn scale(verdict: Verdict) -> String {
    match verdict {
        Verdict::BestSupported => "best supported explanation".to_owned(),
        other => other.words().to_owned(),
    }
}

fn cause(b: &Builder<'_>) -> Option<Block> {
    let (text, mut frames) = explanation(b, 0)?;
    let mut rows = rows_behind(b.assessment(0)?, Topic::Cause);
    // Where errors were left out by the capture, silence may be a refusal.
    let hidden = || {
        let record = b.assessment(0)?.of(Cause::Record)?;
        record.ledger.iter().find(|row| row.id == answers::PORT_ONLY.id() && !row.off)
    };
    let mut text = text;
    for row in why(b).into_iter().chain(hidden()) {
        frames.extend(&row.frames);
        rows.push(row.id.clone());
        text = format!("{text} {}", row.observation);
    }
    Some(b.weighed("summary.cause", text, &frames, rows))
}

/// What parts the leading explanation from the others: its heaviest observation beyond what the failures themselves say.
fn why<'a>(b: &'a Builder<'_>) -> Option<&'a LedgerRow> {
    let leading = b.assessment(0)?.leading();
    let [only] = leading.as_slice() else { return None };
    let tells = |row: &&LedgerRow| {
        !row.off
            && row.group != Group::ErrorSemantics
            && row.weight_db.is_some_and(|weight| weight >= TELLING_DB)
    };
    only.ledger.iter().filter(tells).max_by_key(|row| row.weight_db)
}

/// A weight from which on an observation is worth a sentence of the summary.
const TELLING_DB: i32 = 10;

/// The failures that are neither the first one, nor a face of it, nor what lies behind it, by position.
fn further(b: &Builder<'_>) -> Vec<usize> {
    let impact = b.facts.first().and_then(|facts| facts.impact);
    let told = impact.map(|impact| impact.phases.as_slice()).unwrap_or_default();
    let behind: Vec<usize> = behind::of(b).into_iter().map(|(at, _)| at).collect();
    let other = |at: &usize| *at > 0 && !told.contains(at) && !behind.contains(at);
    (0..b.input.evidence.problems.len()).filter(other).collect()
}

/// What explains the further failures, where one explanation is best supported and another one than that of the first.
fn their_causes(b: &Builder<'_>) -> Option<Block> {
    let first = b.assessment(0).map(|own| own.leading().iter().map(|h| h.cause).collect::<Vec<_>>());
    let mut frames = Vec::new();
    let mut rows = Vec::new();
    let told = further(b).into_iter().take(TOLD_MAX).filter_map(|at| {
        let (facts, assessment) = b.detailed().get(at).zip(b.assessment(at))?;
        let leading = assessment.leading();
        let [only] = leading.as_slice() else { return None };
        if only.verdict != Verdict::BestSupported
            || first.as_ref().is_some_and(|own| own.contains(&only.cause))
        {
            return None;
        }
        frames.extend(ends(facts));
        rows.extend(rows_behind(assessment, Topic::Cause));
        let phrase = super::cause::phrase(only, Some(facts));
        Some(format!("for {}, {}: {phrase}", facts.server, facts.fate()))
    });
    let told: Vec<String> = told.collect();
    let text = format!("Best supported explanation {}.", told.join("; "));
    (!told.is_empty()).then(|| b.weighed("summary.others.cause", text, &frames, rows))
}

fn others(b: &Builder<'_>) -> Option<Block> {
    let all = further(b);
    let more = all.len();
    // Only the gravest are weighed, but all are counted and cited.
    let first = |at: &usize| {
        let episode = b.input.evidence.problems.get(*at)?.episodes.first()?;
        b.input.evidence.episodes.get(episode.0 as usize)?.frames.first().copied()
    };
    let frames: Vec<PacketId> = all.iter().filter_map(first).collect();
    let told: Vec<String> = all
        .iter()
        .take(TOLD_MAX)
        .filter_map(|at| {
            let Some(facts) = b.facts.get(*at) else { return slip(b, *at) };
            let (asked, failed) = outage::asked_and_failed(facts);
            let limited = outage::without_message(facts).min(failed);
            Some(format!(
                "{} port {}, {} of {}{} from {} {}{}",
                facts.server,
                facts.port,
                thousands(failed - limited),
                words::count(asked as usize, "question", "questions"),
                outage::class(facts),
                clients(facts),
                facts.fate(),
                outage::silent_beside(limited)
            ))
        })
        .collect();
    let text = format!(
        "{}: {}.",
        words::count(more, "further failure", "further failures"),
        words::list_of(&told, TOLD_MAX, more)
    );
    let frames = if frames.is_empty() { ends(b.facts.first()?) } else { frames };
    (more > 0).then(|| b.claim("summary.others", Voice::Observed, text, &frames))
}

/// A single question that failed among others: it is told in a few words and nowhere at length.
fn slip(b: &Builder<'_>, at: usize) -> Option<String> {
    let problem = b.input.evidence.problems.get(at)?;
    let episodes = problem.episodes.iter().filter_map(|id| b.input.evidence.episodes.get(id.0 as usize));
    let failed: usize = episodes.map(|episode| episode.transactions.len()).sum();
    Some(format!(
        "{} port {}, {} from {} for {} {}",
        problem.server.0,
        problem.server.1,
        words::count(failed, "question", "questions"),
        crate::findings::rules::clients(&problem.clients),
        crate::findings::rules::names_of(problem),
        words::signature(&problem.signature)
    ))
}

fn unknown(b: &Builder<'_>) -> Block {
    let Some(facts) = b.facts.first() else { return Block::Note(String::new()) };
    let mut open = Vec::new();
    match outage::bounds(b, facts) {
        (None, None) => open.push("when the fault began and ended".to_owned()),
        (None, Some(_)) => open.push("when the fault began".to_owned()),
        (Some(_), None) => open.push("when the fault ended".to_owned()),
        (Some(_), Some(_)) => {}
    }
    match b.clock.counted {
        time::Basis::Nothing => open.push("the date and the time".to_owned()),
        time::Basis::Start => open.push("the date and the time of day".to_owned()),
        time::Basis::Midnight => open.push("the date with its year and the time zone".to_owned()),
        time::Basis::Local => open.push("the time zone".to_owned()),
        time::Basis::Utc => {}
    }
    open.push(match outage::addresses(facts).len() {
        1 if !outage::has_unaffected(facts) => "whether anyone besides this client is affected".to_owned(),
        _ => "whether clients that are not in it are affected".to_owned(),
    });
    if facts.problem.transport == 17 && !b.inventory.tcp_dns_servers.contains(&facts.server) {
        open.push(format!("whether TCP port {} works", facts.port));
    }
    if b.inventory.dns_servers.len() == 1 {
        open.push("whether another resolver would have answered".to_owned());
    }
    if b.inventory.web == 0 {
        open.push("whether the web site works".to_owned());
    }
    if facts.any_recursive && !b.inventory.answering.contains(&facts.server) {
        open.push(format!("whether {} is meant to be a resolver", facts.server));
    }
    let text = format!("Not known from this {}: {}.", b.record, words::list(&open, open.len()));
    b.claim("summary.unknown", Voice::Assessed, text, &ends(facts))
}

fn next(b: &Builder<'_>) -> Option<Block> {
    let (_, assessment, facts) = b.weighed_problems().into_iter().next()?;
    let check = next_check(assessment)?;
    let action = quoted(check.action.trim_end_matches('.'));
    // A person first, then what to run.
    let text = match (check.place, facts) {
        ("people", _) => format!("Next step: {action}."),
        ("server", Some(facts)) => {
            format!("Next step: ask whoever runs {} to run there: {action}.", facts.server)
        }
        // Where nothing failed, something is odd about the answers.
        ("client", None) if assessment.trouble.is_none() => {
            format!("Next step: with the user of a client that asked, on that client: {action}.")
        }
        ("client", _) => {
            format!("Next step: with the user of a client that failed, on that client: {action}.")
        }
        (place, _) => format!("Next step: {action} (on the {place})."),
    };
    Some(b.claim("summary.next", Voice::Assessed, text, &frames_of(assessment, facts)))
}

/// The check to begin with: the one that separates the leading explanations, else the first.
pub fn next_check(assessment: &Assessment) -> Option<&Check> {
    let parting = assessment.would_change.first().filter(|_| assessment.leading().len() > 1);
    let named = |check: &&Check| parting.is_some_and(|text| text.contains(check.action.as_str()));
    assessment.checks.iter().find(named).or_else(|| assessment.checks.first())
}

/// What only people can say, in one place.
pub fn to_complete(b: &Builder<'_>) -> Section {
    const REQUIRED: Need = Need::Required;
    const OPTIONAL: Need = Need::Optional;
    const FIELDS: [(&str, &str, &str, Need); 16] = [
        ("case.id", "Case", "case number", OPTIONAL),
        ("case.status", "Status", "status: new, in progress, handed over or resolved", REQUIRED),
        ("case.analyst", "Analyst", "analyst, organisation, contact", REQUIRED),
        ("case.recipient", "Recipient", "who receives this report", OPTIONAL),
        ("case.tlp", "TLP 2.0 label", "Traffic Light Protocol 2.0 label (AMBER for real names)", OPTIONAL),
        ("case.severity", "Severity", "severity by your own scheme, with the reason", REQUIRED),
        ("reported.who", "Noticed by", "who noticed the fault first, and in which words", REQUIRED),
        ("reported.when", "Reported at", "when was it reported (date, time, time zone)", REQUIRED),
        ("reported.how", "Noticed how", "how did the IT team become aware", REQUIRED),
        ("impact.business", "Effect", "effect on users and business, as reported by whom", REQUIRED),
        ("case.impact", "Impact", "functional, information and recoverability impact", OPTIONAL),
        ("response.taken", "Actions", "actions taken so far, by whom, with what result", REQUIRED),
        ("response.containment", "Containment", "containment or mitigation decided, if any", OPTIONAL),
        ("scope.capture", "Captured", "capture point, captured by, command line, reason", OPTIONAL),
        (
            "evidence.custody",
            "Custody",
            "chain of custody: when, who, collected / received / copied, from where to where, hash checked",
            OPTIONAL,
        ),
        (
            "lessons.learned",
            "Lessons",
            "what went well, what did not, what will be changed, by whom and when",
            OPTIONAL,
        ),
    ];
    let fields = FIELDS.iter().map(|(id, label, prompt, need)| b.field(id, label, prompt, *need));
    let mut blocks: Vec<Block> = fields.collect();
    blocks.extend(b.notes("case"));
    section("case", "To be completed", blocks)
}

/// First and last packet in file order.
pub fn edge(b: &Builder<'_>) -> Vec<PacketId> {
    match u32::try_from(b.inventory.packets).unwrap_or(u32::MAX) {
        0 => Vec::new(),
        1 => vec![PacketId(0)],
        many => vec![PacketId(0), PacketId(many - 1)],
    }
}

pub fn scope(b: &Builder<'_>) -> Section {
    let i = &b.inventory;
    let mut blocks = Vec::new();
    if i.packets > 0 {
        blocks.push(b.claim("scope.inventory", Voice::Observed, inventory(b), &i.whole()));
    }
    let vantage = match b.input.evidence.surroundings().vantage {
        Vantage::Client => "taken on or next to the asking host",
        Vantage::Server => "taken on or next to the answering host",
        Vantage::Middle => "taken between the asking and the answering host",
        Vantage::Unknown => "taken at a point that the packets do not reveal",
    };
    let mut reasons = b.input.evidence.surroundings().reasons.join("; ");
    if i.queries.is_empty() {
        reasons.clear();
    }
    if !reasons.is_empty() {
        reasons = format!(" ({reasons})");
    }
    if i.packets > 0 {
        let text = format!("The {} was most likely {vantage}{reasons}.", b.record);
        let passed = forwarded::all(b.input.index, b.input.evidence);
        let text = if let Some(first) = passed.first() {
            format!(
                "The {} was taken on a device that passes packets on: {} shown coming in on one interface and going out on another ({} to \
                 {} first).",
                b.record,
                words::count(passed.len(), "packet is", "packets are"),
                first.from,
                first.to
            )
        } else if b.input.evidence.surroundings().vantage == Vantage::Unknown {
            format!("Where the {} was taken cannot be told from its packets{reasons}.", b.record)
        } else {
            text
        };
        blocks.push(b.claim("scope.vantage", Voice::Assessed, text, &i.whole()));
    }
    let corrections = clocks::corrections(b);
    if !corrections.is_empty() {
        blocks.push(b.claim("scope.clocks", Voice::Assessed, corrections.join(" "), &i.whole()));
    }
    if i.packets > 0 {
        let text = format!(
            "The first packet of the {} is from {} and the last from {} ({}).",
            b.record,
            b.clock.prose(i.first_ns),
            b.clock.prose(i.last_ns),
            b.clock.basis()
        );
        blocks.push(b.claim("detection.span", Voice::Observed, text, &edge(b)));
    }
    blocks.push(limited(parties(b), Shown::Nothing));
    blocks.extend(b.notes("scope"));
    annex(Place::Appendix, "scope", "Scope and vantage", blocks)
}

fn inventory(b: &Builder<'_>) -> String {
    let i = &b.inventory;
    let servers: Vec<String> = i.dns_servers.iter().map(ToString::to_string).collect();
    let asked = match servers.len() {
        0 => String::new(),
        1 => format!(" One DNS server was asked: {}.", words::list(&servers, 1)),
        n => format!(" {} DNS servers were asked: {}.", thousands(n as u64), words::list(&servers, 4)),
    };
    let the = if b.input.index.has_unread() { "What was read of the" } else { "The" };
    format!(
        "{the} {} holds {}{}: {}, {}, {}, {} TCP and {} ARP.{asked}",
        b.record,
        words::count(i.packets as usize, "packet", "packets"),
        duration(b),
        words::count(i.queries.len(), "DNS query", "DNS queries"),
        words::count(i.responses.len(), "DNS response", "DNS responses"),
        words::count(i.icmp_errors.len(), "ICMP error", "ICMP errors"),
        thousands(i.tcp),
        thousands(i.arp),
    )
}

/// How long the capture lasted, behind the number of its packets.
fn duration(b: &Builder<'_>) -> String {
    const MINUTES_NS: time::Nanos = 120_000_000_000;
    let lasted_ns = b.inventory.last_ns - b.inventory.first_ns;
    if !b.input.index.has_times() {
        return " without times".to_owned();
    }
    // A clock that was set back and packets written out of order look alike.
    if b.input.evidence.was_set_back() {
        return " (its times step backward, so that how long it took cannot be told)".to_owned();
    }
    // Seconds need no second form until they are minutes.
    let minutes =
        if lasted_ns < MINUTES_NS { String::new() } else { format!(" ({})", time::span(lasted_ns)) };
    format!(" in {} s{minutes}", time::seconds(lasted_ns))
}

fn parties(b: &Builder<'_>) -> Block {
    let mut rows = Vec::new();
    for facts in b.detailed() {
        for client in facts.problem.clients.iter().take(8) {
            let own: Vec<PacketId> = facts
                .queries
                .iter()
                .copied()
                .filter(|id| b.input.index.packet(*id).is_some_and(|p| p.source_address() == *client))
                .collect();
            rows.push((vec![client.to_string(), "client that asked".to_owned()], own));
        }
        let role =
            format!("address asked, {} port {}", words::transport(facts.problem.transport), facts.port);
        rows.push((vec![facts.server.to_string(), role], facts.queries.clone()));
        for sender in facts.senders.iter().filter(|sender| **sender != facts.server).take(8) {
            rows.push((vec![sender.to_string(), "sent the ICMP errors".to_owned()], facts.errors.clone()));
        }
    }
    rows.dedup_by(|a, b| a.0 == b.0);
    table("scope.hosts", "Hosts in the failures", &["Address", "Role in the packets"], rows)
}

/// What the gravest problem is about, in short phrases.
/// What the failing port is used for.
pub fn port_use(b: &Builder<'_>) -> String {
    const DNS: &str = "DNS, the service that turns names into addresses";
    let beside =
        b.incidents().first().and_then(|own| own.trouble.as_deref()).filter(|_| b.leads_beside_dns());
    if let Some(trouble) = beside {
        let service = trouble.service();
        let transport = words::transport(service.transport);
        return match service.port {
            0 => "No port: ping has none.".to_owned(),
            port => match trouble.kind() {
                Kind::Tcp | Kind::Udp => {
                    format!("{transport} port {port}: which service uses it here, the packets do not say.")
                }
                kind => format!("{transport} port {port} is used for {}.", kind.name(port)),
            },
        };
    }
    match b.facts.first() {
        Some(facts) if facts.port != crate::settings::DNS_PORT => {
            format!("Port {} is used here for {DNS}.", facts.port)
        }
        _ => format!("Port {} is used for {DNS}.", crate::settings::DNS_PORT),
    }
}

pub fn subject(b: &Builder<'_>) -> Option<Subject> {
    let facts = b.facts.first().filter(|_| !b.leads_beside_dns())?;
    let addresses: Vec<String> = facts.problem.clients.iter().map(ToString::to_string).collect();
    let next =
        facts.problem.episodes.iter().find_map(|id| b.input.evidence.consequences(id.0 as usize).last());
    let assessment = b.assessment(0);
    let first = assessment.and_then(next_check);
    let rest = assessment.map(|assessment| assessment.checks.as_slice()).unwrap_or_default();
    let checks = first.into_iter().chain(rest.iter().filter(|check| Some(*check) != first));
    Some(Subject {
        clients: words::list(&addresses, 3),
        server: facts.server.to_string(),
        port: facts.port,
        transport: words::transport(facts.problem.transport),
        names: names(facts),
        failed: outage::asked_and_failed(facts).1 as usize,
        asked: outage::asked_and_failed(facts).0 as usize,
        what: facts.fate(),
        icmp: match facts.problem.signature {
            Signature::Icmp { v6, kind, code } => {
                format!("{} type {kind} code {code}", if v6 { "ICMPv6" } else { "ICMP" })
            }
            _ => String::new(),
        },
        range: range(b, facts),
        citation: cite::frames(b.input.index, &facts.frames),
        then: match (facts.recovery, next) {
            (Some(recovery), _) => format!("answered again from {}.", b.clock.prose(b.time(recovery))),
            (None, None) => "nothing further seen.".to_owned(),
            (None, Some(next)) if next.code == "C10" => {
                format!("undetermined, the {} ends too soon to show it.", b.record)
            }
            (None, Some(next)) => sentence(&next.text),
        },
        checks: checks.take(2).map(|check| quoted(&check.action)).collect(),
    })
}

/// The windows in a few words.
fn range(b: &Builder<'_>, facts: &Facts<'_>) -> String {
    match facts.impact.map(|impact| impact.windows.as_slice()).unwrap_or_default() {
        [] => b.clock.range(facts.problem.first_ns, facts.problem.last_ns),
        [only] => b.clock.range(only.first_bad.at_ns, only.last_bad.at_ns),
        [first, .., last] => {
            let all = facts.impact.map_or(0, |impact| impact.windows.len());
            let range = b.clock.range(first.first_bad.at_ns, last.last_bad.at_ns);
            format!("{all} times between {range}")
        }
    }
}
