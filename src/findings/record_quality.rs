//! Rule `record-quality`: details that a faithful capture or transcript cannot have (D1–D9).

use crate::settings::Settings;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::facts::{ErrorFact, Facts, Meaning};
use super::{Count, Finding, Rule, Severity, rules};
use crate::capture::Format;
use crate::correlate::{AnomalyKind, Transaction};
use crate::decode::{Address, transcript};
use crate::index::PacketId;
use crate::time::{Nanos, seconds, span};

/// The rule.
pub static RULE: Rule = Rule {
    id: "record-quality",
    title: "The record is not a faithful one",
    doc: "Printed DNS and ICMP lengths that are impossible for the packets they describe (D1, D2), delays no host produces \
          (D3), an id and port used again long after (D4), queries a whole number of seconds apart to the microsecond (D5), \
          service names beside numeric ports and a missing comma that one tcpdump run does not print (D6, D7), documentation \
          addresses mixed with others (D8), no AAAA question and no immediate retry (D9), no date or zone (D0). They limit \
          every conclusion and explain nothing. Low for impossible lengths, otherwise info.",
    run,
};

/// A DNS message is this much longer than its name on the wire: header 12, type and class 4 (RFC 1035 §4.1).
const QUERY_FIXED_BYTES: u32 = 16;
/// An OPT record without options (RFC 6891 §6.1.2).
const OPT_BYTES: u32 = 11;
/// ICMP header, IPv4 header and the 8 bytes RFC 792 asks for.
const ICMP_MIN_BYTES: u32 = 36;
/// ICMP header and quote padded to 128 bytes with the smallest extension (RFC 4884 §5, §7).
const ICMP_EXTENDED_MIN_BYTES: u32 = 8 + 128 + 8;
/// Points on times and ids that together make a record doubtful even without its text.
const DOUBTFUL_POINTS: usize = 2;

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut points = Points { facts, found: Vec::new() };
    points.printed();
    points.delays();
    points.reuse();
    points.spacing();
    // These say something only of a record that is already in doubt.
    if points.codes() >= DOUBTFUL_POINTS {
        points.addresses();
        points.lone_question();
        points.date();
        points.found
    } else {
        points.found.retain(|finding| matches!(finding.code, Some("D1" | "D2" | "D3")));
        points.found
    }
}

/// Whether the points found say that the record is no faithful one.
pub fn is_unfaithful(findings: &[Finding]) -> bool {
    let has =
        |codes: &[&str]| findings.iter().filter(|f| f.code.is_some_and(|code| codes.contains(&code))).count();
    has(&["D1", "D2", "D6"]) > 0 || has(&["D3", "D4", "D5"]) >= DOUBTFUL_POINTS
}

struct Points<'f, 'i> {
    facts: &'f Facts<'i>,
    found: Vec<Finding>,
}

impl Points<'_, '_> {
    fn codes(&self) -> usize {
        self.found.iter().filter(|finding| finding.code != Some("D8")).count()
    }

    fn add(&mut self, code: &'static str, statement: String, frames: Vec<PacketId>) {
        let frames = rules::tidy(frames);
        let filter = rules::frames_filter(self.facts, &frames);
        self.found.push(Finding {
            id: RULE.id,
            severity: if matches!(code, "D1" | "D2") { Severity::Low } else { Severity::Info },
            statement,
            counts: vec![Count {
                label: "packets".into(),
                value: frames.len() as u64,
                filter: rules::frames_counted(self.facts, &frames),
            }],
            frames,
            filter,
            code: Some(code),
        });
    }

    /// What the printed text states: lengths, names beside numbers, commas.
    fn printed(&mut self) {
        let mut text = Printed::default();
        for source in self.facts.index.sources.iter().filter(|s| s.metadata.format == Format::Transcript) {
            for id in source.ids().take(super::FRAMES_MAX) {
                let Some(packet) = self.facts.index.packet(id) else { continue };
                if let Some(line) = packet.printed() {
                    text.look(id, &line, &self.facts.index.settings);
                }
            }
        }
        if let Some((_, printed, expected)) = text.short_dns.first() {
            let statement = format!(
                "The printed DNS length ({printed}) is impossible for this name: {expected} bytes, or {} with EDNS",
                expected + OPT_BYTES
            );
            self.add("D1", statement, text.short_dns.iter().map(|(id, ..)| *id).collect());
        }
        // A line that names no port may be about a packet of any length: what it is tied to tells.
        text.icmp.retain(|(id, _)| self.is_about_query(*id));
        text.icmp.sort_unstable_by_key(|(_, length)| *length);
        let low = text.icmp.first().map_or(0, |(_, length)| *length);
        let high = text.icmp.last().map_or(0, |(_, length)| *length);
        let longest = ICMP_MIN_BYTES + text.longest_dns;
        let impossible = |length: u32| {
            length < ICMP_MIN_BYTES
                || (length > longest && (length < ICMP_EXTENDED_MIN_BYTES || !length.is_multiple_of(4)))
        };
        // Queries of several lengths make errors of several lengths.
        let differ = low != high && text.lengths.len() <= 1;
        if text.alike && (differ || text.icmp.iter().any(|(_, length)| impossible(*length))) {
            let mut lengths: Vec<(PacketId, u32)> = text.icmp.clone();
            lengths.sort_unstable();
            let shown: Vec<String> = lengths.iter().take(6).map(|(_, length)| length.to_string()).collect();
            let statement = format!(
                "The printed ICMP lengths {} differ for identical queries or lie outside the {ICMP_MIN_BYTES}–{longest} bytes \
                 an error about them can have",
                shown.join(", ")
            );
            self.add("D2", statement, lengths.into_iter().map(|(id, _)| id).collect());
        }
        if !text.named.is_empty() && !text.numeric.is_empty() {
            let frames = text.named.iter().chain(&text.numeric).copied().collect();
            self.add(
                "D6",
                "Addresses end in `.domain` while errors print `port 53`; one tcpdump run prints both alike"
                    .to_owned(),
                frames,
            );
        }
        if !text.no_comma.is_empty() {
            let frames = text.no_comma.clone();
            self.add("D7", "No comma before `length`; tcpdump has printed one since 2004".to_owned(), frames);
        }
    }

    fn is_about_query(&self, error: PacketId) -> bool {
        let printed = self.facts.index.packet(error).and_then(|packet| packet.printed()?.icmp);
        let about = || {
            let target = self.facts.index.packet(self.facts.error(error)?.about?)?;
            target.dns()
        };
        printed.is_some_and(|icmp| icmp.quoted_port.is_some() || icmp.quote.is_some()) || about().is_some()
    }

    fn delays(&mut self) {
        let late: Vec<&ErrorFact> = self
            .facts
            .errors
            .iter()
            .filter(|error| {
                error.delayed && error.meaning == Meaning::PortUnreachable && !error.is_about_response()
            })
            .collect();
        let low = late.iter().map(|error| error.delta_ns).min().unwrap_or(0);
        let high = late.iter().map(|error| error.delta_ns).max().unwrap_or(0);
        if !late.is_empty() {
            let delays = if low == high { span(low) } else { format!("{} to {}", span(low), span(high)) };
            let statement =
                format!("Port unreachable came {delays} after the query; hosts send it within milliseconds");
            let frames = late.iter().flat_map(|e| [e.about, Some(e.packet)]).flatten().collect();
            self.add("D3", statement, frames);
        }
    }

    fn reuse(&mut self) {
        let again =
            self.facts.evidence.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::IdPortReuse);
        let frames: Vec<PacketId> =
            again.flat_map(|anomaly| [anomaly.against, Some(anomaly.packet)]).flatten().collect();
        if !frames.is_empty() {
            let statement =
                "The same DNS id and source port are used again for a new lookup (RFC 5452 §9.2 asks for \
                             unpredictable ones); this is no retransmission"
                    .to_owned();
            self.add("D4", statement, frames);
        }
    }

    /// The same question at intervals of whole seconds, exact to the microsecond.
    fn spacing(&mut self) {
        let mut by_question: BTreeMap<(Address, Address, u64), Vec<(Nanos, PacketId)>> = BTreeMap::new();
        let transactions: &[Transaction] = &self.facts.evidence.transactions;
        // A record of teaching size: in a long capture a repeated interval is a timer, not a copy.
        if transactions.len() > SPACING_QUERIES_MAX {
            return;
        }
        for transaction in transactions {
            let Some(packet) = self.facts.index.packet(transaction.first) else { continue };
            let Some(question) = packet.dns().map(|row| row.question) else { continue };
            let key = (packet.source_address(), packet.destination_address(), question);
            by_question.entry(key).or_default().push((packet.time_ns(), packet.id));
        }
        for times in by_question.into_values().filter(|times| times.len() >= 3) {
            let gaps: Vec<Nanos> =
                times.windows(2).filter_map(|w| Some(w.get(1)?.0 - w.first()?.0)).collect();
            let first = gaps.first().copied().unwrap_or(0);
            if first > 0 && first % 1_000_000_000 == 0 && gaps.iter().all(|gap| *gap == first) {
                let statement = format!(
                    "The same query is sent exactly {} s apart, identical to the microsecond",
                    seconds(first)
                );
                self.add("D5", statement, times.into_iter().map(|(_, id)| id).collect());
                return;
            }
        }
    }

    fn addresses(&mut self) {
        let mut documented: Option<(Address, PacketId)> = None;
        let mut public: Option<(Address, PacketId)> = None;
        for transaction in self.facts.evidence.transactions.iter().take(SPACING_QUERIES_MAX) {
            let Some(packet) = self.facts.index.packet(transaction.first) else { continue };
            for address in [packet.source_address(), packet.destination_address()] {
                match kind(address) {
                    Some(true) => documented = documented.or(Some((address, packet.id))),
                    Some(false) => public = public.or(Some((address, packet.id))),
                    None => {}
                }
            }
        }
        if let (Some((documented, one)), Some((public, other))) = (documented, public) {
            let statement = format!(
                "{documented} is a documentation address (RFC 5737, RFC 3849), {public} is not; neither is to be looked up as a suspect"
            );
            self.add("D8", statement, vec![one, other]);
        }
    }

    /// A question for A alone, and no retry at once after a refusal: real stubs ask A and AAAA and repeat in microseconds.
    fn lone_question(&mut self) {
        let mut frames = Vec::new();
        for row in self.facts.index.dns_rows().filter(|row| !row.is_response()) {
            match row.qtype {
                1 => frames.push(row.packet),
                _ => return,
            }
        }
        let prompt = frames.windows(2).any(|pair| match pair {
            [a, b] => self.facts.time(*b) - self.facts.time(*a) < 1_000_000_000,
            _ => false,
        });
        let refused = self.facts.errors.iter().any(|error| error.meaning == Meaning::PortUnreachable);
        if refused && !prompt && !frames.is_empty() {
            let statement =
                "Only A is asked, never AAAA, and no retry follows a refusal at once, as stubs do".to_owned();
            self.add("D9", statement, frames);
        }
    }

    fn date(&mut self) {
        if !self.facts.index.has_date() {
            let frames = (!self.facts.index.is_empty()).then_some(PacketId(0)).into_iter().collect();
            self.add("D0", "Times have neither date nor time zone".to_owned(), frames);
        }
    }
}

/// Distinct lengths of queries remembered.
const LENGTHS_MAX: usize = 8;
/// Transactions up to which intervals and addresses are compared.
const SPACING_QUERIES_MAX: usize = 1_000;

/// `Some(true)` for documentation addresses, `Some(false)` for ordinary public ones, `None` for all others.
fn kind(address: Address) -> Option<bool> {
    match address.ip()? {
        IpAddr::V4(ip) if ip.is_documentation() => Some(true),
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let special = ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.is_unspecified()
                || (first == 100 && second & 0xc0 == 64)
                || (first == 198 && second & 0xfe == 18);
            (!special).then_some(false)
        }
        IpAddr::V6(ip) => match ip.segments() {
            [0x2001, 0xdb8, ..] => Some(true),
            [first, ..] if first & 0xe000 == 0x2000 => Some(false),
            _ => None,
        },
    }
}

/// What the lines of a transcript print.
#[derive(Default)]
struct Printed {
    short_dns: Vec<(PacketId, u32, u32)>,
    longest_dns: u32,
    /// Distinct printed lengths of queries, up to a limit.
    lengths: Vec<u32>,
    icmp: Vec<(PacketId, u32)>,
    questions: Vec<String>,
    alike: bool,
    named: Vec<PacketId>,
    numeric: Vec<PacketId>,
    no_comma: Vec<PacketId>,
}

impl Printed {
    fn look(&mut self, id: PacketId, line: &transcript::Line<'_>, settings: &Settings) {
        if let Some(dns) = line.dns.as_ref().filter(|dns| !dns.header.is_response()) {
            // What stands for letters in a name that was masked has another length.
            let is_plain = |name: &&str| {
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-\\".contains(&byte))
            };
            if let Some(name) = dns.name.filter(is_plain) {
                let expected = transcript::wire_name(name).wire().len() as u32 + QUERY_FIXED_BYTES;
                // An OPT record may carry options, such as a cookie: the printed length says how long the query is.
                let printed = dns.length_bytes.unwrap_or(0);
                self.longest_dns = self.longest_dns.max(expected + OPT_BYTES).max(printed);
                if self.lengths.len() < LENGTHS_MAX && !self.lengths.contains(&printed) {
                    self.lengths.push(printed);
                }
                if let Some(printed) = dns.length_bytes
                    && (printed < expected || (expected + 1..expected + OPT_BYTES).contains(&printed))
                {
                    self.short_dns.push((id, printed, expected));
                }
                if !self.questions.iter().any(|known| known == name) && self.questions.len() < 64 {
                    self.questions.push(name.to_owned());
                }
            }
            if line.text.contains(".domain") || line.text.contains(". domain") {
                self.named.push(id);
            }
        }
        // Errors about answers, to a client's port, quote something else.
        let about_query = |port: Option<u16>| port.is_none_or(|port| settings.is_dns_port(port));
        if let Some(icmp) = line.icmp.as_ref().filter(|icmp| icmp.kind == 3 && about_query(icmp.quoted_port))
        {
            self.icmp.extend(icmp.length_bytes.map(|length| (id, length)));
            if line.text.contains(" port 53 ") {
                self.numeric.push(id);
            }
            let printed = line.text.split_whitespace().collect::<Vec<_>>();
            if printed.windows(2).any(|words| matches!(words, ["unreachable", "length"])) {
                self.no_comma.push(id);
            }
        }
        // Lengths compare only when all errors are about the same question.
        self.alike = self.questions.len() == 1;
    }
}
