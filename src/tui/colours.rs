//! Colour rules: filters that give rows a role; the theme says how a role looks.

use std::sync::atomic::AtomicBool;

use super::state::State;
use super::theme::Role;
use super::work::Work;
use crate::filter::named::{Named, ONLY_SHIPPED};
use crate::filter::{Context, Filter};
use crate::index::{Index, Packet, PacketId};

/// Rules of one file that are read; more could not be told apart on a screen.
const RULES_MAX: usize = 64;

/// Rules that never ask anybody to stop: they look at one packet.
static GOES_ON: AtomicBool = AtomicBool::new(false);

/// One rule: what fits the filter has the role.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it is called in messages.
    pub name: String,
    /// Which packets it is about.
    pub filter: Filter,
    /// What they mean.
    pub role: Role,
}

/// Rules in the order they are tried.
#[derive(Clone, Debug)]
pub struct Colours {
    rules: Vec<Rule>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Row>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    filter: String,
    role: String,
}

impl Default for Colours {
    /// The rules that come with the program.
    fn default() -> Self {
        Self { rules: read(include_str!("../../assets/colours.toml"), &ONLY_SHIPPED).unwrap_or_default() }
    }
}

impl Colours {
    /// The rules of a file and, after them, those that come with the program; what is wrong with the file.
    pub fn with(text: &str, named: &Named) -> Result<Self, String> {
        let mut rules = read(text, named)?;
        rules.extend(Self::default().rules);
        Ok(Self { rules })
    }

    /// What a packet is to the investigation: the role of the first rule that fits.
    pub fn role(&self, state: &State, packet: &Packet<'_>) -> Role {
        let notes = Notes { work: &state.work, index: &state.index };
        let context = Context {
            index: &state.index,
            evidence: state.evidence.as_deref(),
            notes: Some(&notes),
            cancel: &GOES_ON,
        };
        let rule = self.rules.iter().find(|rule| rule.filter.matches(&context, packet.id));
        rule.map_or(Role::Text, |rule| rule.role)
    }
}

fn read(text: &str, named: &Named) -> Result<Vec<Rule>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    file.rule.iter().take(RULES_MAX).map(|row| rule(row, named)).collect()
}

fn rule(row: &Row, named: &Named) -> Result<Rule, String> {
    let wrong = |what: String| format!("rule `{}`: {what}", crate::text::escape(&row.name));
    let filter = Filter::parse_with(&row.filter, &|_| None, named).map_err(|error| wrong(error.message))?;
    if !filter.is_local() {
        return Err(wrong(
            "its filter needs all packets of a connection; rows are coloured one by one".to_owned(),
        ));
    }
    let Some((role, _)) = Role::ALL.iter().find(|(_, name)| *name == row.role) else {
        let names: Vec<&str> = Role::ALL.iter().map(|(_, name)| *name).collect();
        return Err(wrong(format!("the role is none of {}", names.join(", "))));
    };
    Ok(Rule { name: row.name.clone(), filter, role: *role })
}

/// The analyst's notes as rules ask for them, without copying anything.
struct Notes<'s> {
    work: &'s Work,
    index: &'s Index,
}

impl crate::filter::Notes for Notes<'_> {
    fn notes(&self, packet: PacketId) -> Vec<String> {
        let found = self.work.annotations(self.index, packet);
        found.map(|(_, annotation)| annotation.note.clone()).collect()
    }

    fn tags(&self, packet: PacketId) -> Vec<String> {
        let found = self.work.annotations(self.index, packet);
        found.map(|(_, annotation)| annotation.tag.clone()).collect()
    }

    fn is_marked(&self, packet: PacketId) -> bool {
        self.work.mark(self.index, packet).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_are_read_and_the_last_fits_everything() {
        let colours = Colours::default();
        assert!(colours.rules.len() >= 7);
        assert_eq!(colours.rules.last().map(|rule| rule.filter.text()), Some("frame"));
    }

    #[test]
    fn own_rules_go_first_and_wrong_ones_say_what_is_wrong() {
        let own = "[[rule]]\nname = \"mine\"\nfilter = \"udp port 53\"\nrole = \"warning\"\n";
        let colours = Colours::with(own, &ONLY_SHIPPED).unwrap();
        assert_eq!(colours.rules[0].role, Role::Warning);
        let wrong = |filter: &str, role: &str| {
            let text = format!("[[rule]]\nname = \"x\"\nfilter = \"{filter}\"\nrole = \"{role}\"\n");
            Colours::with(&text, &ONLY_SHIPPED).unwrap_err()
        };
        assert!(wrong("no.field == 1", "error").starts_with("rule `x`: no field"));
        assert!(wrong("dns", "purple").contains("none of text, muted"));
        assert!(wrong("tcp.stream == 1", "error").contains("one by one"));
    }
}
