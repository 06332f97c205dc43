//! Analysis of cause, impact, and response: what is assessed, with its alternatives and checks.

use std::collections::BTreeMap;

use super::super::facts::Facts;
use super::super::words;
use super::super::{Block, Section, Shown};
use super::opening::{next_check, scale};
use super::problem::{sentence, sentence as capital};
use super::{Builder, limited, section, table};
use crate::correlate::Signature;
use crate::findings::hypotheses::checks::parting;
use crate::findings::hypotheses::matrix::{Row, answers, errors, services, surroundings};
use crate::findings::hypotheses::{Assessment, Author, Cause, Check, Hypothesis, LedgerRow, Topic, Verdict};
use crate::index::PacketId;
use crate::protocols::dns::extended_error_name;

pub fn cause(b: &Builder<'_>) -> Section {
    let mut blocks = Vec::new();
    let weighed = b.weighed_problems();
    for (key, assessment, facts) in &weighed {
        if weighed.len() > 1 {
            blocks.push(Block::Note(format!("{}:", heading(*facts, assessment))));
        }
        blocks.extend(problem(b, key, assessment, *facts));
    }
    if weighed.is_empty() {
        let seen = b.input.coverage.has_finding || b.input.coverage.open().next().is_some();
        let text = if seen {
            "No cause is weighed for what stands under Findings."
        } else {
            "No failure was found, so no cause is weighed."
        };
        blocks.push(Block::Note(text.to_owned()));
    }
    blocks.extend(analyst_rows(b));
    blocks.extend(b.notes("cause"));
    section("cause", "Analysis of cause", blocks)
}

/// Which failure a part of the section is about.
fn heading(facts: Option<&Facts<'_>>, assessment: &Assessment) -> String {
    match facts {
        Some(facts) => {
            format!("{} port {}, {}", facts.server, facts.port, facts.fate())
        }
        None => assessment.hypotheses.first().map_or("Beside DNS failures", |first| first.title).to_owned(),
    }
}

fn problem(b: &Builder<'_>, key: &str, assessment: &Assessment, facts: Option<&Facts<'_>>) -> Vec<Block> {
    let id = |what: &str| format!("{key}.cause.{what}");
    let mut blocks = Vec::new();
    let mut number = 0;
    let frames = frames_of(assessment, facts);
    // Delays and transports not tried are told under Findings; the alternatives tell the tie.
    for sentence in &assessment.wording {
        let what = match sentence.topic {
            // Delays and what failed are told under Findings and in the summary.
            Topic::Delays | Topic::Transport | Topic::Tie | Topic::Failure | Topic::Effect => continue,
            Topic::Load => id("attack"),
            Topic::Quality => id("quality"),
            Topic::Cause | Topic::Companion => {
                number += 1;
                id(&number.to_string())
            }
        };
        let cited = if sentence.frames.is_empty() { &frames } else { &sentence.frames };
        let rows = rows_behind(assessment, sentence.topic);
        blocks.push(b.weighed(&what, capital(&sentence.text), cited, rows));
    }
    let rows = rows_behind(assessment, Topic::Tie);
    if let Some(text) = alternatives(b, assessment, facts) {
        // The alternatives follow what was seen and what it shows.
        blocks.insert(number, b.weighed(&id("alternatives"), text, &frames, rows.clone()));
        if let Some(parting) = assessment.would_change.first().filter(|_| assessment.leading().len() > 1) {
            let text = format!("Check that separates {}", quoted(&parting.replacen(" or ", " from ", 1)));
            blocks.insert(number + 1, b.weighed(&id("parting"), text, &frames, rows));
        }
    }
    blocks.push(contending(key, assessment));
    blocks.extend(cannot_tell(assessment));
    blocks.extend(would_change(assessment));
    blocks
}

/// What would change the ranking: the numbers of the checks that part the leading explanations, and what else would.
fn would_change(assessment: &Assessment) -> Option<Block> {
    let leading = assessment.leading();
    let mut by_check: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (at, one) in leading.iter().enumerate() {
        for other in leading.iter().skip(at + 1) {
            if let Some((check, ..)) = parting(&assessment.checks, one.cause, other.cause) {
                by_check.entry(check + 1).or_default().push(format!("{} from {}", one.cause, other.cause));
            }
        }
    }
    let mut said: Vec<String> = by_check
        .iter()
        .map(|(check, pairs)| format!("Check {check} separates {}.", words::list(pairs, usize::MAX)))
        .collect();
    let pair = |text: &&String| {
        leading.len() > 1 && leading.iter().any(|h| text.starts_with(&format!("{} or ", h.cause)))
    };
    said.extend(
        assessment.would_change.iter().filter(|text| !pair(text)).map(|text| quoted(&sentence(text))),
    );
    (!said.is_empty()).then(|| Block::Aside(format!("What would change the ranking: {}", said.join(" "))))
}

/// The frames a failure is about.
pub fn frames_of(assessment: &Assessment, facts: Option<&Facts<'_>>) -> Vec<PacketId> {
    if let Some(facts) = facts {
        return facts.frames.clone();
    }
    let mut frames: Vec<PacketId> =
        assessment.wording.iter().flat_map(|sentence| sentence.frames.iter().copied()).collect();
    if frames.is_empty() {
        let leading = assessment.hypotheses.iter().take(1);
        frames = leading.flat_map(|h| h.ledger.iter().flat_map(|row| row.frames.iter().copied())).collect();
    }
    frames.sort_unstable();
    frames.dedup();
    frames
}

/// The ids of the ledger rows a sentence about this rests on.
pub fn rows_behind(assessment: &Assessment, topic: Topic) -> Vec<String> {
    let behind: Vec<&Hypothesis> = match topic {
        Topic::Load => assessment.of(Cause::Overload).into_iter().collect(),
        Topic::Quality => assessment.of(Cause::Record).into_iter().collect(),
        Topic::Companion => [Cause::ErrorLimit, Cause::OneTransport, Cause::Failover]
            .iter()
            .filter_map(|cause| assessment.of(*cause))
            .collect(),
        _ => {
            let leading = assessment.leading();
            if leading.is_empty() { assessment.hypotheses.iter().take(1).collect() } else { leading }
        }
    };
    let own = |hypothesis: &Hypothesis, zero: bool| -> Vec<String> {
        let counts = |row: &&LedgerRow| !row.off && (zero || row.weight_db != Some(0));
        hypothesis.ledger.iter().filter(counts).map(|row| row.id.clone()).collect()
    };
    let sets: Vec<Vec<String>> = behind.iter().map(|hypothesis| own(hypothesis, false)).collect();
    // What speaks for one member of a tie only is not what the sentence rests on.
    let shared = |id: &String| topic == Topic::Companion || sets.iter().all(|set| set.contains(id));
    let mut rows: Vec<String> = sets.iter().flatten().filter(|id| shared(id)).cloned().collect();
    if rows.is_empty() {
        rows = sets.concat();
    }
    if rows.is_empty() {
        rows = behind.iter().flat_map(|hypothesis| own(hypothesis, true)).collect();
    }
    rows.sort_by_key(|id| (id.len(), id.clone()));
    rows.dedup();
    rows
}

/// The leading explanations side by side; a single one with the next behind it.
fn alternatives(b: &Builder<'_>, assessment: &Assessment, facts: Option<&Facts<'_>>) -> Option<String> {
    let leading = assessment.leading();
    let say = |hypothesis: &Hypothesis| format!("{} ({})", phrase(hypothesis, facts), hypothesis.cause);
    match leading.as_slice() {
        [] => facts.map(|facts| unsupported(b, assessment, Some(facts))),
        [only] => {
            let next = assessment.hypotheses.iter().find(|h| {
                h.cause != only.cause
                    && h.cause.competes()
                    && h.verdict < Verdict::Unlikely
                    && h.score_db > Some(0)
            });
            let behind = next.map_or_else(
                || "; no other explanation is supported".to_owned(),
                |next| format!("; the next explanation, {}, is {}", say(next), next.verdict.words()),
            );
            Some(format!("Likely cause: {}, {}{behind}.", say(only), scale(only.verdict)))
        }
        several => {
            let letters = ('a'..='z').zip(several);
            let listed: Vec<String> =
                letters.map(|(letter, hypothesis)| format!("({letter}) {}", say(hypothesis))).collect();
            Some(format!(
                "Possible causes, in no order: {}. They fit the same packets ({}); the {} does not rank them, and they cannot be told apart without evidence from outside it.",
                listed.join("; "),
                several.first().map_or("", |first| first.verdict.words()),
                b.record
            ))
        }
    }
}

/// What is said where no cause is supported: what holds all the same, or that nothing does.
pub fn unsupported(b: &Builder<'_>, assessment: &Assessment, facts: Option<&Facts<'_>>) -> String {
    let holds = [Cause::OneTransport, Cause::Failover].iter().filter_map(|cause| assessment.of(*cause));
    let holds: Vec<&Hypothesis> = holds.filter(|h| h.verdict == Verdict::BestSupported).collect();
    match holds.as_slice() {
        [] => format!("No explanation is supported by this {}.", b.record),
        [first, ..] => {
            let said: Vec<String> =
                holds.iter().map(|h| format!("{} ({})", phrase(h, facts), h.cause)).collect();
            capital(&format!(
                "{}: {}; why, this {} does not show.",
                scale(first.verdict),
                said.join(" and "),
                b.record
            ))
        }
    }
}

/// An explanation as a clause about the addresses at hand.
pub fn phrase(hypothesis: &Hypothesis, facts: Option<&Facts<'_>>) -> String {
    let title = || {
        let mut letters = hypothesis.title.chars();
        let first = letters.next().unwrap_or_default();
        let acronym = letters.clone().next().is_some_and(char::is_uppercase);
        if acronym { hypothesis.title.to_owned() } else { first.to_lowercase().chain(letters).collect() }
    };
    let has = |kind: &Row| {
        let own = |row: &&LedgerRow| row.id == kind.id() && !row.off && row.weight_db > Some(0);
        hypothesis.ledger.iter().any(|row| own(&row))
    };
    match hypothesis.cause {
        Cause::PathFilter if has(&errors::BLOCKED_BY_RULE) => {
            return "a rule of the packet filter that wrote the log blocks it".to_owned();
        }
        Cause::Upstream if has(&surroundings::TRANSFER_FAILED) => {
            return "the server gets no copy of the zone from its primary any more, and the one it had ran out".to_owned();
        }
        Cause::WrongAddress if has(&services::LED_BY_DOMAIN) => {
            return "another domain was meant: the search domain of the client, or the name it was given, is wrong".to_owned();
        }
        Cause::WrongAddress if has(&services::LED_ASTRAY) => {
            return "the name led to a wrong or outdated address".to_owned();
        }
        Cause::Upstream if has(&surroundings::SIGNATURES_EXPIRED) => {
            return "validation (DNSSEC) fails: the signatures in the zone's answers have expired".to_owned();
        }
        Cause::Upstream if has(&surroundings::SIGNATURES_EARLY) => {
            return "validation (DNSSEC) fails: the signatures in the zone's answers do not hold yet"
                .to_owned();
        }
        Cause::Upstream if has(&answers::CHECKING_DISABLED_WORKS) => {
            return "validation (DNSSEC) fails: the resolver has the data and does not hand them out unless asked not to check"
                .to_owned();
        }
        Cause::Upstream if has(&answers::UPSTREAM_SLOW) => {
            return "the time passes behind the resolver: the servers it asks answer late".to_owned();
        }
        Cause::Upstream if has(&surroundings::UPSTREAM_WITHOUT_TCP) => {
            return "the failure lies behind the resolver: what the servers it asks send over UDP is cut or incomplete, and their TCP \
                    port gives it no answer (dropped on the way, or on them)"
                .to_owned();
        }
        Cause::Upstream if has(&surroundings::UPSTREAM_FAILS) => {
            return "the failure lies behind the resolver: the servers it asks fail it".to_owned();
        }
        Cause::Upstream => {
            let named = facts.and_then(|facts| facts.transactions.iter().find_map(|own| own.extended_error));
            return match named {
                Some(code) if has(&answers::EXTENDED_ZONE) => format!(
                    "the failure lies behind the resolver: its answers say {}",
                    extended_error_name(code)
                ),
                _ => "the failure lies behind the resolver: its upstream or the zone's own servers do not answer, or validation fails".to_owned(),
            };
        }
        Cause::LargePacketsLost if has(&answers::TOO_BIG) && has(&answers::LARGE_UNACKNOWLEDGED) => {
            return "the server's large packets do not fit the way; a router told it so (packet too big), and it went on sending them"
                .to_owned();
        }
        Cause::PropertyFilter if has(&answers::EDNS_UNKNOWN) => {
            return "the server does not know EDNS, and who asks does not ask again without it (RFC 6891 §7)"
                .to_owned();
        }
        Cause::PropertyFilter
            if has(&answers::FORMAT_ERROR)
                && facts.is_some_and(|own| {
                    matches!(own.problem.signature, Signature::ResponseCode(1 | 4 | 16))
                }) =>
        {
            return "the server cannot read what is asked of it (the form of the query)".to_owned();
        }
        Cause::LameAnswer if has(&surroundings::SERVERS_DISAGREE) || has(&surroundings::OUTDATED) => {
            return "the servers of one zone disagree: one of them answers from other data (a zone transfer that does not happen, or \
                    a server that was left out)"
                .to_owned();
        }
        Cause::LameAnswer if has(&answers::OTHER_ADDRESS) => {
            let from = facts.map(Facts::answered_by).filter(|from| !from.is_empty());
            let from = from.map(|from| format!(" ({from})")).unwrap_or_default();
            return format!(
                "the server answers from another address{from} than was asked, and who asked must not take that (RFC 2181 §4.1)"
            );
        }
        Cause::LameAnswer if has(&answers::DENIED_IN_ZONE) => {
            return "the two servers, or those behind them, hold different data of one zone (an old copy, a stale cache)"
                .to_owned();
        }
        Cause::NameMissing if has(&answers::ZONE_CHANGED) => {
            return "the names were removed from the zone, which was changed meanwhile".to_owned();
        }
        Cause::NameMissing if has(&answers::EXISTED_BEFORE) => {
            return "the names were removed from the zone, or the server answers from different data at different times or to different \
                    clients (views, an old copy of the zone, a stale cache); the packets are the same"
                .to_owned();
        }
        Cause::LimitReached if has(&answers::REFUSED_AMID_SERVED) || has(&answers::REFUSED_WHILE_WAITING) => {
            return "the server refuses what exceeds a limit of its own (questions that wait at once, or their rate)"
                .to_owned();
        }
        Cause::Policy if has(&answers::RESPONSES_LIMITED) => {
            return "the server limits how often it answers (response rate limiting)".to_owned();
        }
        Cause::LateAnswer if has(&answers::ANSWER_IGNORED) => {
            return "the asking host itself does not take the answers (its own packet filter, or a socket closed too soon)"
                .to_owned();
        }
        Cause::LossyPath if has(&answers::ANSWER_DAMAGED) => {
            return "answers are damaged on the way (wrong checksums), and thrown away by who gets them"
                .to_owned();
        }
        Cause::NoRoute if has(&surroundings::LOOPED) || has(&services::WENT_ROUND) => {
            return "a routing loop: packets to the server circle until their hops are used up".to_owned();
        }
        Cause::NoRoute if has(&services::NO_WAY_BACK) => {
            return "a router on the way had no route back to the client".to_owned();
        }
        Cause::NoRoute if has(&errors::LOCAL_NO_ROUTE) => {
            return "the asking host itself had no route to the server's network".to_owned();
        }
        Cause::PathFilter if has(&errors::LOCAL_REJECTION) => {
            return "the asking host's own packet filter rejects its queries".to_owned();
        }
        Cause::Record => {
            return "a record that does not show what is needed (one direction only, or edited)".to_owned();
        }
        _ => {}
    }
    let Some(facts) = facts else { return title() };
    let (server, port) = (facts.server, facts.port);
    // Truncated answers came over UDP; what failed is TCP.
    let truncated = facts.problem.signature == Signature::Truncated;
    let transport = if truncated { "TCP".to_owned() } else { words::transport(facts.problem.transport) };
    let is_way_back = facts.problem.signature == Signature::NotReceived;
    // Hops that are used up may be a loop; who has no route says so.
    let says_no_route = matches!(
        facts.problem.signature,
        Signature::Icmp { v6: false, kind: 3, code: 0 } | Signature::Icmp { v6: true, kind: 1, code: 0 }
    );
    match hypothesis.cause {
        Cause::NotRunning if truncated => {
            format!("the DNS service on {server} does not listen on TCP port {port}")
        }
        Cause::OneTransport if truncated => {
            format!("only UDP port {port} of {server} answers, while TCP port {port} brings no answer")
        }
        Cause::OneTransport => format!("UDP and TCP port {port} of {server} fare differently"),
        Cause::NotRunning => {
            format!("the DNS service on {server} is stopped, crashed or bound to another address")
        }
        Cause::ServerFilter => {
            format!("a packet filter (firewall) on {server} rejects {transport} port {port}")
        }
        Cause::DeviceInFront => format!("a device in front of {server} answers in its name"),
        Cause::WrongAddress => {
            format!("{server} was never meant to be a DNS server (wrong resolver address)")
        }
        // Queries arrived and were answered: only the way back is left.
        Cause::PathFilter if is_way_back => {
            format!("a device on the way back from {server} rejects its answers")
        }
        Cause::PathFilter if truncated => {
            format!("a device on the path rejects what is sent to TCP port {port} of {server}")
        }
        Cause::PathFilter => format!("a device on the path rejects the traffic to {server}"),
        Cause::FewHops => format!("the client's packets start with too few hops (TTL) to reach {server}"),
        Cause::NextHopGone => "the way to other networks does not answer on the local network (the gateway, or the client's own port)".to_owned(),
        Cause::TableFull => format!("a translator or firewall on the way to {server} has no free entry for new flows"),
        Cause::HostDown if has(&surroundings::HOST_HOLDS_ANOTHER) => {
            format!("nobody on its network held the address {server} any more, although its host is there")
        }
        Cause::HostDown => format!("the host {server} was not present on its network"),
        Cause::NoRoute if says_no_route => format!("there was no route to {server}"),
        Cause::NoRoute => format!("there was no route to {server}, or a routing loop"),
        Cause::SilentDrop if is_way_back => {
            format!("answers of {server} are dropped silently on the way back to who asked (filter or loss)")
        }
        // A host that is heard of meanwhile is not dead.
        Cause::SilentDrop if has(&answers::ECHO_WORKS) => {
            format!("queries to {server} are dropped silently (filter or loss)")
        }
        Cause::SilentDrop if truncated => {
            format!("what is sent to TCP port {port} of {server} is dropped silently (filter or loss), while UDP answers")
        }
        Cause::SilentDrop => {
            format!("queries to {server} are dropped silently (filter, loss, or a dead host behind a filter)")
        }
        Cause::DeadMember => {
            format!("one of several members behind {server} does not serve, or the service comes and goes")
        }
        Cause::PropertyFilter => {
            format!("a device on the path or {server} itself ignores queries with one property")
        }
        _ => title(),
    }
}

/// All explanations with their sums, for the ledger.
pub fn weighed_table(key: &str, assessment: &Assessment) -> Block {
    let rows = assessment.hypotheses.iter().filter(|h| is_weighed(h)).map(|h| {
        let cells = vec![
            format!("{} {}", h.cause, h.title),
            if h.cause.competes() {
                h.verdict.words().to_owned()
            } else {
                format!("{}; holds beside a cause", h.verdict.words())
            },
            h.score_db.map_or_else(|| "–".to_owned(), |score| format!("{score:+}")),
            side(h, |row| row.weight_db.is_some_and(|weight| weight > 0)),
            side(h, |row| row.weight_db.is_none_or(|weight| weight < 0)),
        ];
        (cells, Vec::new())
    });
    let head = ["Explanation", "Verdict", "Sum, dB", "For (ledger row, dB)", "Against"];
    table(&format!("{key}.hypotheses"), "Explanations weighed", &head, rows.collect())
}

/// The explanations that contend and the next behind them, each with what speaks most for and against it.
fn contending(key: &str, assessment: &Assessment) -> Block {
    let contends = |h: &Hypothesis| matches!(h.verdict, Verdict::BestSupported | Verdict::Consistent);
    let most = |h: &Hypothesis, sign: i32| {
        let weight = |row: &LedgerRow| row.weight_db.map_or(i32::MAX, |weight| weight * sign);
        let on_side = |row: &&LedgerRow| {
            !row.off && (row.weight_db.is_none() && sign < 0 || row.weight_db.is_some() && weight(row) > 0)
        };
        // Of equal weights the first is what the others rest on.
        let row = h.ledger.iter().filter(on_side).rev().max_by_key(|row| weight(row));
        row.map_or_else(|| "–".to_owned(), |row| sentence(&quoted(&row.observation)))
    };
    let weighed: Vec<&Hypothesis> =
        assessment.hypotheses.iter().filter(|h| is_weighed(h) && h.cause.competes()).collect();
    let shown = weighed.iter().filter(|h| contends(h)).count() + 1;
    let rows = weighed.iter().take(shown).map(|h| {
        let cells =
            vec![format!("{} {}", h.cause, h.title), h.verdict.words().to_owned(), most(h, 1), most(h, -1)];
        (cells, Vec::new())
    });
    let head = ["Explanation", "Verdict", "Speaks most for it", "Speaks most against it"];
    let caption = format!("Explanations that contend ({} weighed in all)", weighed.len());
    let rows: Vec<(Vec<String>, Vec<PacketId>)> = rows.collect();
    // Where the same speaks for all and nothing parts them, the sentence that lists them has said it.
    let standing = rows.get(..shown - 1).unwrap_or_default();
    let reasons = |(cells, _): &(Vec<String>, Vec<PacketId>)| cells.get(1..).map(<[String]>::to_vec);
    let first = standing.first().and_then(reasons);
    let is_said = standing.len() > 1 && standing.iter().all(|row| reasons(row) == first);
    let whole = table(&format!("{key}.contending"), &caption, &head, rows);
    if is_said { limited(whole, Shown::Nothing) } else { whole }
}

/// What even the leading explanations leave open; members of a class leave the same open.
fn cannot_tell(assessment: &Assessment) -> Option<Block> {
    let leading = assessment.leading();
    let beside =
        assessment.hypotheses.iter().filter(|h| !h.cause.competes() && h.verdict == Verdict::BestSupported);
    let mut open: Vec<(&str, Vec<&str>)> = Vec::new();
    for hypothesis in leading.iter().copied().chain(beside) {
        match open.iter_mut().find(|(text, _)| *text == hypothesis.cannot_tell) {
            Some((_, ids)) => ids.push(hypothesis.id()),
            None => open.push((&hypothesis.cannot_tell, vec![hypothesis.id()])),
        }
    }
    let said: Vec<String> =
        open.into_iter().map(|(text, ids)| format!("{}: {}", ids.join(", "), sentence(text))).collect();
    (!said.is_empty())
        .then(|| Block::Aside(format!("Left open by the leading explanations – {}", said.join(" "))))
}

/// Commands between backticks stand between quotation marks: the text enters formats without code.
pub fn quoted(text: &str) -> String {
    let mut open = false;
    text.chars()
        .map(|character| match character {
            '`' => {
                open = !open;
                if open { '“' } else { '”' }
            }
            other => other,
        })
        .collect()
}

/// Whether any observation speaks for or against it.
fn is_weighed(hypothesis: &Hypothesis) -> bool {
    hypothesis.verdict != Verdict::Neither
        || hypothesis.ledger.iter().any(|row| !row.off && row.weight_db != Some(0))
}

/// The explanations nothing in this capture speaks for or against, in one line.
pub fn silent(assessment: &Assessment) -> Option<Block> {
    let names: Vec<String> = assessment
        .hypotheses
        .iter()
        .filter(|h| !is_weighed(h))
        .map(|h| format!("{} {}", h.cause, h.title))
        .collect();
    let text = format!(
        "Neither supported nor excluded, as nothing here speaks for or against them: {}.",
        names.join("; ")
    );
    (!names.is_empty()).then_some(Block::Note(text))
}

/// The rows on one side with their weights; the ledger tells what they are.
fn side(hypothesis: &Hypothesis, wanted: impl Fn(&LedgerRow) -> bool) -> String {
    let rows: Vec<String> = hypothesis
        .ledger
        .iter()
        .filter(|row| !row.off && wanted(row))
        .map(|row| match row.weight_db {
            Some(weight) => format!("{} {weight:+}", row.id),
            None => format!("{} excludes it", row.id),
        })
        .collect();
    if rows.is_empty() { "–".to_owned() } else { rows.join(", ") }
}

/// Changes of the ledger, printed as the analyst's.
fn analyst_rows(b: &Builder<'_>) -> Vec<Block> {
    if b.input.case.ledger.is_empty() {
        return Vec::new();
    }
    let rows = b.input.case.ledger.iter().map(|change| {
        let what = match (change.row.is_empty(), change.off, change.weight_db) {
            (true, _, Some(weight)) => format!("row added, {weight:+} dB"),
            (true, ..) => "row added".to_owned(),
            (false, true, _) => format!("row {} switched off", change.row),
            (false, false, Some(weight)) => format!("row {} set to {weight:+} dB", change.row),
            (false, false, None) => format!("row {} noted", change.row),
        };
        (vec![change.hypothesis.clone(), what, change.note.clone()], Vec::new())
    });
    let head = ["Explanation", "Change by the analyst", "Reason given"];
    vec![table("cause.analyst", "Analyst input to the ledger", &head, rows.collect())]
}

/// Checks of a failure that the short form prints.
const CHECKS_SHOWN: usize = 4;

/// Checks listed for failures after the gravest.
const CHECKS_FURTHER: usize = 3;

/// The results that the leading explanations expect of a check, or else those not yet ruled out, or else all.
fn expected(assessment: &Assessment, check: &Check) -> Vec<String> {
    let leads: Vec<Cause> = assessment.leading().iter().map(|h| h.cause).collect();
    let open = |id: &Cause| {
        assessment.of(*id).is_none_or(|h| !matches!(h.verdict, Verdict::Unlikely | Verdict::Excluded))
    };
    let has = |wanted: &dyn Fn(&Cause) -> bool| check.expected.iter().any(|(id, _)| wanted(id));
    let shown = check.expected.iter().filter(|(id, _)| match () {
        () if has(&|id| leads.contains(id)) => leads.contains(id),
        () if has(&open) => open(id),
        () => true,
    });
    shown.map(|(id, result)| format!("{id}: {}", quoted(result))).collect()
}

pub fn response(b: &Builder<'_>) -> Section {
    let mut blocks = Vec::new();
    let weighed = b.weighed_problems();
    for (at, (key, assessment, facts)) in weighed.iter().enumerate() {
        if assessment.checks.is_empty() {
            continue;
        }
        let most = if at == 0 { usize::MAX } else { CHECKS_FURTHER };
        // The check to begin with comes first.
        let begin = next_check(assessment).map(std::ptr::from_ref);
        let mut checks: Vec<(usize, &Check)> = assessment.checks.iter().take(most).enumerate().collect();
        checks.sort_by_key(|(_, check)| Some(std::ptr::from_ref(*check)) != begin);
        let rows = checks.into_iter().map(|(number, check)| {
            let expected = expected(assessment, check);
            let cells = vec![
                (number + 1).to_string(),
                check.place.to_owned(),
                check.action.clone(),
                expected.join("; "),
                "–".to_owned(),
            ];
            (cells, Vec::new())
        });
        let head = ["No", "Where", "Check", "Expected result for each explanation", "Owner"];
        let caption = match (weighed.len(), at) {
            (1, _) => "Next checks; the first tells most, the others stand cheapest first".to_owned(),
            (_, 0) => format!("Next checks for {}", heading(*facts, assessment)),
            _ => format!("First checks for {}; the others as above", heading(*facts, assessment)),
        };
        let checks = table(&format!("{key}.checks"), &caption, &head, rows.collect());
        blocks.push(limited(checks, Shown::First(CHECKS_SHOWN)));
    }
    if !b.facts.is_empty() {
        let settings = &b.input.index.settings;
        blocks.push(Block::Aside(format!(
            "Longer term: a second resolver on another path; monitoring of port {} over UDP and TCP; ICMP errors not filtered; \
             captures with the filter “{}”.",
            settings.dns_ports_in_words(),
            settings.capture_filter()
        )));
    }
    blocks.extend(b.notes("response"));
    section("response", "Next checks", blocks)
}

/// Who put a ledger row in.
pub fn author(author: Author) -> &'static str {
    match author {
        Author::Program => "program",
        Author::Analyst => "analyst",
    }
}
