//! Filtering: the filter line, filters made from the selection, partners.

use std::ops::Range;
use std::sync::Arc;

use super::{Action, Context};
use crate::decode::Address;
use crate::filter::{Completion, Filter, build};
use crate::protocols::ProtocolId;
use crate::tui::dialogs::{Choice, Dialog, Join, Menu, MenuItem, Prompt, PromptKind};
use crate::tui::layout::Panel;
use crate::tui::line::Line;
use crate::tui::state::{FilterBar, FilterStatus, Rows, State, Tone};
use crate::tui::update::{Effect, Job};

/// Filters of earlier sessions and named ones offered at once.
const REMEMBERED_MAX: usize = 8;
/// Filters remembered from session to session.
pub const PAST_MAX: usize = 200;

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    row("filter", "type a filter", &["/"], open),
    row("filter-by", "filter by something of the selected packet", &["f"], menu),
    row("clear-filter", "let go of picked packets, then clear the filter", &["Esc"], clear),
    row("partners", "also show the partners the filter hides, and back", &["p"], |state| {
        state.filter.partners = !state.filter.partners;
        let words = if state.filter.partners { "shown" } else { "not shown" };
        state.say(format!("partners of matching packets are {words}"), Tone::Plain);
        again(state)
    }),
    row("name-filter", "give the filter a name; completion offers it", &["F"], |state| {
        if state.filter.line.text().trim().is_empty() {
            state.say("there is no filter to name: / types one", Tone::Plain);
            return Effect::None;
        }
        state.dialog = Some(Dialog::Prompt(Prompt {
            kind: PromptKind::NameFilter,
            title: "A name for this filter (kept in the case)".to_owned(),
            line: Line::new(""),
        }));
        Effect::None
    }),
    line("apply-filter", "apply the filter", &["Enter"], |state| {
        if let FilterStatus::Unfinished(error) | FilterStatus::Wrong(error) = &state.filter.status {
            let text = error.message.clone();
            state.say(text, Tone::Warning);
            return Effect::None;
        }
        state.filter.editing = false;
        if state.filter.status != FilterStatus::Running {
            state.filter.anchor = None;
        }
        let text = state.filter.line.text().trim().to_owned();
        if text.is_empty() {
            return Effect::None;
        }
        let past = &mut state.filter.past;
        past.retain(|earlier| *earlier != text);
        past.push(text);
        let surplus = past.len().saturating_sub(PAST_MAX);
        past.drain(..surplus);
        Effect::Remember(past.clone())
    }),
    line("take-completion", "take the completion shown", &["Tab"], |state| {
        let bar = &mut state.filter;
        let Some(completion) = bar.completions.get(bar.completion).cloned() else { return Effect::None };
        let mut text = bar.line.text().to_owned();
        if text.get(completion.range.clone()).is_none() {
            return Effect::None;
        }
        text.replace_range(completion.range.clone(), &completion.text);
        bar.line.set_with_cursor(&text, completion.range.start + completion.text.len());
        typed(state)
    }),
    line("next-completion", "next completion", &["Down", "Ctrl-n"], |state| {
        let last = state.filter.completions.len().saturating_sub(1);
        state.filter.completion = (state.filter.completion + 1).min(last);
        Effect::None
    }),
    line("previous-completion", "previous completion", &["Up", "Ctrl-p"], |state| {
        state.filter.completion = state.filter.completion.saturating_sub(1);
        Effect::None
    }),
    line("leave-filter", "back to the filter there was before", &["Esc", "Ctrl-c"], |state| {
        state.filter.editing = false;
        let before = std::mem::take(&mut state.filter.before);
        state.filter.line.set(&before);
        typed(state)
    }),
];

const fn row(
    name: &'static str,
    help: &'static str,
    keys: &'static [&'static str],
    run: fn(&mut State) -> Effect,
) -> Action {
    Action { name, help, keys, context: Context::Panels, run }
}

const fn line(
    name: &'static str,
    help: &'static str,
    keys: &'static [&'static str],
    run: fn(&mut State) -> Effect,
) -> Action {
    Action { name, help, keys, context: Context::FilterLine, run }
}

/// Opens the filter line.
pub fn open(state: &mut State) -> Effect {
    if !state.filter.editing {
        state.filter.before = state.filter.line.text().to_owned();
        state.filter.editing = true;
        complete(state);
    }
    Effect::None
}

/// Finds what can stand at the cursor.
fn complete(state: &mut State) {
    let bar = &mut state.filter;
    let vocabulary = bar.vocabulary.as_deref();
    bar.completions = crate::filter::complete(bar.line.text(), bar.line.cursor(), vocabulary, &state.named);
    bar.completion = 0;
    // What has a name is meant when its name is typed; what was used before comes first on an empty line only.
    let (named, past) = remembered(state);
    let bar = &mut state.filter;
    let empty = bar.line.text().trim().is_empty();
    let at = if empty { 0 } else { bar.completions.len() };
    bar.completions.splice(at..at, past);
    bar.completions.splice(0..0, named);
}

/// The filter's text has changed: parses it and asks for its rows.
pub fn typed(state: &mut State) -> Effect {
    complete(state);
    let text = state.filter.line.text().trim();
    if text.is_empty() {
        state.generations.filter += 1;
        state.filter.applied = None;
        state.filter.status = FilterStatus::Empty;
        state.filter.warnings.clear();
        set_rows(state, Rows::All);
        if !state.filter.editing {
            state.filter.anchor = None;
        }
        return Effect::None;
    }
    let named = Arc::clone(&state.work.case);
    let own = |name: &str| named.filters.get(name).cloned();
    match Filter::parse_with(state.filter.line.text(), &own, &state.named) {
        Ok(filter) => match filter.host_without_number(&state.index) {
            None => run(state, filter),
            Some(error) => {
                state.filter.status = FilterStatus::Wrong(error);
                Effect::None
            }
        },
        Err(error) if error.unfinished => {
            state.filter.status = FilterStatus::Unfinished(error);
            Effect::None
        }
        Err(error) => {
            state.filter.status = FilterStatus::Wrong(error);
            Effect::None
        }
    }
}

/// Runs the applied filter again, because packets, evidence or notes have changed.
pub fn again(state: &mut State) -> Effect {
    match state.filter.applied.clone() {
        Some(filter) => run(state, filter),
        None => Effect::None,
    }
}

/// The same when packets were added and nothing else has changed: only those are looked at, where the filter
/// allows it.
pub fn go_on(state: &mut State) -> Effect {
    let Some(filter) = state.filter.applied.clone() else { return Effect::None };
    let bar = &state.filter;
    let settled = bar.status == FilterStatus::Valid && bar.shown == filter.text() && !bar.partners;
    let known = match &state.timeline.rows {
        Rows::Some(rows) if settled && filter.is_stepwise() && state.index.order.is_none() => {
            Some((bar.seen, Arc::clone(rows)))
        }
        _ => None,
    };
    start(state, filter, known)
}

fn run(state: &mut State, filter: Filter) -> Effect {
    start(state, filter, None)
}

fn start(state: &mut State, filter: Filter, known: Option<(u32, Arc<[u32]>)>) -> Effect {
    state.generations.filter += 1;
    if !is_left_behind(&state.filter, &filter) {
        state.filter.status = FilterStatus::Running;
    }
    state.filter.applied = Some(filter.clone());
    Effect::Start(Job::Filter {
        generation: state.generations.filter,
        filter,
        partners: state.filter.partners,
        known,
        index: state.index.clone(),
        evidence: state.evidence.clone(),
        case: Arc::clone(&state.work.case),
    })
}

/// Whether the text has become another, which is not finished or wrong: the filter before it keeps the list, its count is
/// no answer to what is written.
fn is_left_behind(bar: &FilterBar, filter: &Filter) -> bool {
    matches!(bar.status, FilterStatus::Unfinished(_) | FilterStatus::Wrong(_))
        && bar.line.text() != filter.text()
}

/// Shows the first rows of a filter that is still looking. Rows of the same filter, shown already, never become fewer.
pub fn show_first(state: &mut State, filter: &Filter, rows: Arc<[u32]>, done: u32) {
    let bar = &mut state.filter;
    bar.done = done;
    let same = bar.shown == filter.text() && matches!(state.timeline.rows, Rows::Some(_));
    if same && rows.len() <= state.timeline.rows.len(&state.index) {
        return;
    }
    filter.text().clone_into(&mut bar.shown);
    bar.matching = rows.len();
    set_rows(state, Rows::Some(rows));
}

/// Shows the rows of a filter.
pub fn show(
    state: &mut State,
    filter: Filter,
    rows: Rows,
    matching: usize,
    seen: u32,
    warnings: Vec<(Range<usize>, String)>,
) {
    let bar = &mut state.filter;
    filter.text().clone_into(&mut bar.shown);
    if !is_left_behind(bar, &filter) {
        bar.status = FilterStatus::Valid;
    }
    bar.applied = Some(filter);
    (bar.matching, bar.seen, bar.warnings) = (matching, seen, warnings);
    set_rows(state, rows);
    if !state.filter.editing {
        state.filter.anchor = None;
    }
}

/// Shows other rows and keeps the selection, or the nearest row to it. While a filter is typed or still looking,
/// what was selected before is selected again as soon as it is shown.
fn set_rows(state: &mut State, rows: Rows) {
    let selected = state.timeline.selected;
    let keep = match state.filter.anchor {
        Some((anchor, placed)) if placed == selected => Some(anchor),
        _ => selected,
    };
    // The selection stays where the eye is.
    let offset = state.timeline.row.saturating_sub(state.timeline.top);
    state.timeline.rows = rows;
    let row = keep.map_or(0, |id| state.timeline.rows.nearest(&state.index, id));
    state.select_row(row);
    state.timeline.top = state.timeline.row.saturating_sub(offset);
    state.filter.anchor = keep.map(|id| (id, state.timeline.selected));
}

fn clear(state: &mut State) -> Effect {
    if state.timeline.range_from.take().is_some() || !state.timeline.picked.is_empty() {
        state.timeline.picked.clear();
        state.say("nothing is picked any more", Tone::Plain);
        return Effect::None;
    }
    // What a search lit goes out first, and the search stops.
    let is_lit = state.search.needle.take().is_some();
    if is_lit || state.search.running {
        state.search.matches = None;
        return super::searching::stop(state);
    }
    if state.filter.line.text().is_empty() {
        return Effect::None;
    }
    state.filter.before = state.filter.line.text().to_owned();
    state.filter.line.set("");
    typed(state)
}

/// Joins an expression to the filter.
pub fn join(state: &mut State, expression: &str, join: Join) -> Effect {
    let text = join.apply(state.filter.line.text(), expression);
    state.filter.line.set(&text);
    typed(state)
}

fn item(key: char, label: &str, expression: String) -> MenuItem {
    let label = format!("{label:<13} {expression}");
    MenuItem { key, label, choice: Choice::Filter(expression) }
}

/// What the focused panel's row is a filter for by itself, then what its packet has.
fn menu(state: &mut State) -> Effect {
    let mut items = Vec::new();
    if let Some(finding) = state.findings.get(state.finding_list.row)
        && state.panels.focus == Panel::Findings
        && !finding.filter.is_empty()
    {
        items.push(item('f', "this finding", finding.filter.clone()));
    }
    if let Some(range) = state.range().filter(|_| state.panels.focus == Panel::Timeline) {
        let time = |row: usize| {
            let id = state.timeline.rows.get(&state.index, row)?;
            state.index.packet(id).map(|packet| packet.time_ns())
        };
        let ends = time(*range.start()).zip(time(*range.end()));
        items.extend(ends.map(|(from, to)| item('r', "this range", build::for_times(from, to))));
    }
    if let Some(packet) = state.packet() {
        items.extend(of_packet(&packet));
        items.extend(of_evidence(state, &packet));
        let row = crate::tui::views::packet::tree(state).into_iter().nth(state.packet.tree.row);
        if let Some(filter) = row.and_then(|row| build::for_node(&row.node)) {
            let field = item('i', "this field", filter);
            // In the tree the field is what is pointed at.
            items.insert(if state.panels.focus == Panel::Packet { 0 } else { items.len() }, field);
        }
    }
    items.push(item('e', "all errors", "icmp.error".to_owned()));
    items.push(item('a', "the subject", "dns or icmp.error".to_owned()));
    let join = if state.filter.line.text().is_empty() { Join::Replace } else { Join::And };
    state.dialog =
        Some(Dialog::Menu(Menu { title: "Filter by".to_owned(), items, row: 0, join: Some(join) }));
    Effect::None
}

/// Filters for what a packet's headers and its question have.
fn of_packet(packet: &crate::index::Packet<'_>) -> Vec<MenuItem> {
    let mut items = Vec::new();
    let protocol = packet.protocol();
    if protocol != ProtocolId::UNKNOWN {
        items.push(item('p', "protocol", protocol.protocol().name.to_owned()));
    }
    let host = |address| match address {
        Address::None => None,
        Address::Ether(_) => Some(format!("ether host {address}")),
        _ => Some(format!("host {}{}", address.literal(), address.site_term())),
    };
    let (source, destination) = (host(packet.source_address()), host(packet.destination_address()));
    items.extend(source.clone().map(|source| item('s', "source", source)));
    items.extend(destination.clone().map(|destination| item('d', "destination", destination)));
    if let Some((source, destination)) = source.zip(destination) {
        let between = format!("{source} and {destination}");
        let word = if packet.transport() == 6 { "tcp" } else { "udp" };
        items.push(item('c', "between them", between.clone()));
        if packet.decode().ports().is_some() {
            let (from, to) = (packet.source_port(), packet.destination_port());
            items.push(item('o', "port", format!("port {}", from.min(to))));
            let whole = format!("{word} and {between} and port {from} and port {to}");
            items.push(item('v', "conversation", whole));
        }
    }
    let row = packet.dns().and_then(|row| packet.segment.names.get(row.name));
    items.extend(row.map(|wire| item('n', "name", build::for_name(&crate::decode::dns::presentation(wire)))));
    items
}

/// Filters for what correlation found about a packet.
fn of_evidence(state: &State, packet: &crate::index::Packet<'_>) -> Vec<MenuItem> {
    let Some(evidence) = state.evidence.as_deref() else { return Vec::new() };
    let mut items = Vec::new();
    let own = || evidence.transaction_of(evidence.partner(packet.id)?);
    let id = evidence.transaction_of(packet.id).or_else(own);
    if let Some(transaction) = id.and_then(|id| evidence.transaction(id)) {
        items.push(item('u', "outcome", format!("dns.outcome == \"{}\"", transaction.outcome.name())));
    }
    let goes_on = std::sync::atomic::AtomicBool::new(false);
    let context = crate::filter::Context {
        index: &state.index,
        evidence: Some(evidence),
        notes: None,
        cancel: &goes_on,
    };
    let transaction = build::for_packet(build::Selection::Transaction, packet, &context);
    items.extend(transaction.map(|filter| item('t', "transaction", filter)));
    let episode = evidence.episodes_of(packet.id).next();
    items.extend(episode.map(|at| item('k', "its episode", format!("episode == {}", at + 1))));
    items
}

/// Keeps the filter there is under a name.
pub fn name(state: &mut State, name: &str) -> Effect {
    if name.is_empty() {
        return Effect::None;
    }
    let filter = state.filter.line.text().trim().to_owned();
    state.say(
        format!("kept as “{}”: / and its first letters bring it back", crate::text::escape(name)),
        Tone::Good,
    );
    let event = crate::case::Event::NameFilter { name: name.to_owned(), filter: Some(filter) };
    Effect::Start(Job::Change(event))
}

/// Filters with a name in the case and those used before that fit what is typed.
fn remembered(state: &State) -> (Vec<Completion>, Vec<Completion>) {
    let text = state.filter.line.text();
    let typed = text.trim().to_lowercase();
    let offer = |filter: &str, help: String| Completion {
        range: 0..text.len(),
        text: filter.to_owned(),
        help: crate::text::escape(&help),
        count: None,
    };
    let named = state.work.case.filters.iter();
    let named: Vec<Completion> = named
        .filter(|(name, filter)| *filter != text && name.to_lowercase().starts_with(&typed))
        .take(REMEMBERED_MAX)
        .map(|(name, filter)| offer(filter, format!("named “{name}”")))
        .collect();
    let past = state.filter.past.iter().rev();
    let past = past
        .filter(|filter| *filter != text && filter.to_lowercase().starts_with(&typed))
        .filter(|filter| named.iter().all(|known| known.text != **filter))
        .take(REMEMBERED_MAX)
        .map(|filter| offer(filter, "used before".to_owned()))
        .collect();
    (named, past)
}
