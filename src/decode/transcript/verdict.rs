//! Reads what a packet filter printed of its decision before a packet: `rule 80/0(match): block in on vtnet0:` (pflog), or the prefix
//! that a rule of a router writes in front of what it logs: `drop-smtp forward: in:bridge out:ether1, …`.

use super::Line;

/// What a packet filter did with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict<'a> {
    /// The rule's number, as printed: `80`, `3.anchor.12`; or its prefix.
    pub rule: &'a str,
    /// `block`, `pass`, `match`.
    pub action: &'a str,
    /// `in` or `out`.
    pub direction: &'a str,
    /// The interface.
    pub interface: &'a str,
}

impl Verdict<'_> {
    /// Whether the packet went no further.
    pub fn is_block(&self) -> bool {
        matches!(self.action, "block" | "drop" | "synproxy drop")
    }
}

impl<'a> Line<'a> {
    /// What a packet filter did with it, where the line says so.
    pub fn verdict(&self) -> Option<Verdict<'a>> {
        if !self.column.is_empty() {
            return self.logged();
        }
        let before = self.text.get(..self.source?.start as usize)?;
        let told = before.get(before.find("rule ")? + "rule ".len()..)?;
        // OpenBSD writes no colon behind the bracket.
        let (rule, told) = told.split_once(')')?;
        let told = told.strip_prefix(':').unwrap_or(told);
        // `80/0(match`: the number, and behind it that of a rule inside and why it was logged.
        let rule =
            rule.split(['/', '(']).next().filter(|rule| rule.starts_with(|c: char| c.is_ascii_digit()))?;
        let mut words = told.split_ascii_whitespace();
        let (action, direction) = (words.next()?, words.next()?);
        let interface = words.nth(1)?.trim_end_matches(':');
        matches!(direction, "in" | "out").then_some(Verdict { rule, action, direction, interface })
    }
    /// The prefix of a rule stands between the topics of the log and the chain. Only its own words say what the rule does.
    fn logged(&self) -> Option<Verdict<'a>> {
        let before = self.text.get(..self.source?.start as usize)?;
        let (told, rest) = before.split_once(" in:")?;
        rest.contains(" out:").then_some(())?;
        let (prefix, chain) = told.rsplit_once(' ')?;
        chain.ends_with(':').then_some(())?;
        let topics = prefix.split(' ').find(|word| word.contains("firewall,"))?;
        let rule = prefix.get(prefix.find(topics)? + topics.len()..)?.trim();
        let small = rule.to_ascii_lowercase();
        let is_block = BLOCKS.iter().any(|word| small.contains(word));
        let interface = rest.split([' ', ',']).next().unwrap_or("");
        let action = if is_block { "block" } else { "log" };
        (!rule.is_empty()).then_some(Verdict { rule, action, direction: "in", interface })
    }
}

/// Words in prefixes of rules that let nothing through.
const BLOCKS: [&str; 4] = ["drop", "block", "deny", "reject"];
