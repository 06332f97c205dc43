//! Rule `capture-quality`: what the capture cannot show because of how it was taken.

use super::facts::hidden::leaves_out;
use super::facts::{Facts, Hidden};
use super::{Count, Finding, Rule, Severity, rules};
use crate::correlate::Signature;
use crate::index::PacketId;
use crate::index::segment::flags;

/// The rule.
pub static RULE: Rule = Rule {
    id: "capture-quality",
    title: "Limits of the capture",
    doc: "One direction only, packets dropped while capturing, packets of a text that were not read, damage in the file, packets cut by the snap length, times that \
          run backwards, copies from a mirror port, a capture filter that hides ICMP errors (`port 53` drops them, they have \
          no ports), recorded or, where queries stay unanswered, to be guessed because no packet has another port. Each limits what absence means. Low for \
          one-sided, dropped and unread packets, and for a recorded filter where something failed, otherwise info.",
    run,
};

/// Whether the ports that a filter names are such ones.
fn names_only(filter: &str, is_one: impl Fn(u16) -> bool) -> bool {
    let words = filter.split(|c: char| !c.is_ascii_alphanumeric());
    let mut ports = words.filter_map(|word| word.parse::<u16>().ok()).peekable();
    if ports.peek().is_none() { filter.contains("domain") } else { ports.all(is_one) }
}

fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |severity, statement: String, frames: Vec<PacketId>, value: u64, filter: &str| {
        let frames = rules::tidy(frames);
        let shown = if filter.is_empty() { rules::frames_filter(facts, &frames) } else { filter.to_owned() };
        found.push(Finding {
            id: RULE.id,
            severity,
            statement,
            frames,
            counts: vec![Count { label: "packets".into(), value, filter: filter.to_owned() }],
            filter: shown,
            code: None,
        });
    };
    if facts.evidence.one_sided {
        let first = (!facts.index.is_empty()).then_some(PacketId(0)).into_iter().collect();
        add(
            Severity::Low,
            "Only one direction was captured: silence means nothing here".to_owned(),
            first,
            u64::from(facts.index.len()),
            "",
        );
    }
    let silent = facts.problems().any(|(_, problem)| problem.signature == Signature::NoAnswer);
    for source in &facts.index.sources {
        let (dropped, unread) = (source.metadata.dropped(), source.metadata.unread);
        if unread > 0 {
            let text = format!(
                "{} in the text and not read: what is said not to be seen may stand there",
                rules::counted(unread as usize, "packet is", "packets are")
            );
            add(Severity::Low, text, source.packet(0).into_iter().collect(), unread, "");
        }
        if dropped > 0 {
            add(
                Severity::Low,
                format!(
                    "{} dropped while capturing",
                    rules::counted(dropped as usize, "packet was", "packets were")
                ),
                source.packet(0).into_iter().collect(),
                dropped,
                "",
            );
        }
        let hidden = source
            .metadata
            .interfaces
            .iter()
            .filter_map(|i| i.filter.as_deref())
            .find(|filter| leaves_out(filter) && (silent || filter.contains("port")));
        if let Some(filter) = hidden {
            // What shows errors besides must still show what the filter was for.
            let is_of_dns = names_only(filter, |port| facts.index.settings.is_dns_port(port));
            let own = crate::text::escape(filter);
            let better = if is_of_dns {
                facts.index.settings.capture_filter()
            } else {
                format!("({own}) or icmp or icmp6")
            };
            let text = format!(
                "The capture filter `{own}` hides ICMP errors, which have no ports; `{better}` shows them"
            );
            // Where nothing failed, nothing was missed for want of an error.
            let has_failed = silent || facts.troubles.all.iter().any(|own| own.severity > Severity::Info);
            let severity = if has_failed { Severity::Low } else { Severity::Info };
            add(severity, text, source.packet(0).into_iter().collect(), u64::from(source.packets), "");
        }
    }
    // It matters only where silence is told; a recorded filter is told above.
    let guessed = facts.hidden.as_ref().filter(|hidden| silent && !matches!(hidden, Hidden::Filter(_)));
    if let Some(hidden) = guessed {
        let text = hidden.words(&facts.index.settings, "capture");
        add(
            Severity::Info,
            format!("{text} `{}` keeps them", facts.index.settings.capture_filter()),
            vec![PacketId(0)],
            u64::from(facts.index.len()),
            "",
        );
    }
    let (cut, cut_count) = flagged(facts, flags::CUT);
    if cut_count > 0 {
        add(
            Severity::Info,
            format!(
                "{} cut by the snap length",
                rules::counted(cut_count as usize, "packet is", "packets are")
            ),
            cut,
            cut_count,
            "",
        );
    }
    let (backward, backward_count) = flagged(facts, flags::BACKWARD);
    if backward_count > 0 {
        let steps = &facts.evidence.backward;
        let largest_ns = steps.iter().map(|source| source.largest_ns).max().unwrap_or(0);
        let mut text = format!(
            "The time runs backwards at {}, by {} at most",
            rules::counted(backward_count as usize, "packet", "packets"),
            crate::time::span(largest_ns)
        );
        if facts.index.sources.len() > 1 {
            let each = steps.iter().map(|s| format!("{}: {}", crate::index::source_label(s.source), s.steps));
            text = format!("{text} ({})", each.collect::<Vec<_>>().join(", "));
        }
        add(Severity::Info, text, backward, backward_count, "");
    }
    let copies: Vec<PacketId> = facts.evidence.duplicates().map(|(copy, ..)| copy).collect();
    if !copies.is_empty() {
        let count = copies.len() as u64;
        add(
            Severity::Info,
            format!(
                "{} not counted",
                rules::counted(
                    copies.len(),
                    "packet is a copy of another and is",
                    "packets are copies of others and are"
                )
            ),
            copies,
            count,
            "duplicate",
        );
    }
    found
}

fn flagged(facts: &Facts<'_>, bit: u16) -> (Vec<PacketId>, u64) {
    let mut packets = Vec::new();
    let mut count = 0;
    for segment in facts.index.segments() {
        for (row, bits) in segment.flags.iter().enumerate() {
            if bits & bit != 0 {
                count += 1;
                if packets.len() < super::FRAMES_MAX {
                    packets.push(PacketId(segment.base.0 + row as u32));
                }
            }
        }
    }
    (packets, count)
}
