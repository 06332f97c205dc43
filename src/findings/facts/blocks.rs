//! Packets of which the text itself says that a packet filter blocked them, and by which rule.

use std::collections::BTreeSet;

use crate::decode::transcript::Verdict;
use crate::index::{Index, PacketId};
use crate::text::escape;

/// Packets that are read to tell whether all of them were blocked.
const LOOKED_AT_MAX: usize = 200;
/// Rules named one by one.
const RULES_MAX: usize = 3;

/// What a rule is called: by its number, or by what it writes in front of what it logs.
pub fn named(verdict: &Verdict<'_>) -> String {
    let rule = escape(verdict.rule);
    if verdict.rule.starts_with(|c: char| c.is_ascii_digit()) {
        format!("rule {rule} of a packet filter")
    } else {
        format!("the rule of a packet filter that logs “{rule}”")
    }
}

/// Which rules blocked all of these packets, in words; nothing where the text does not say it of each.
pub fn by(index: &Index, packets: &[PacketId]) -> Option<String> {
    let mut rules = BTreeSet::new();
    for packet in packets.iter().take(LOOKED_AT_MAX) {
        let packet = index.packet(*packet)?;
        let verdict = packet.printed()?.verdict().filter(Verdict::is_block)?;
        rules.insert(named(&verdict));
    }
    let mut told: Vec<String> = rules.iter().take(RULES_MAX).cloned().collect();
    let last = told.pop()?;
    let beyond = rules.len().saturating_sub(RULES_MAX);
    let more = if beyond > 0 { format!(" and {beyond} more") } else { String::new() };
    Some(if told.is_empty() {
        format!("{last}{more}")
    } else {
        format!("{} and {last}{more}", told.join(", "))
    })
}
