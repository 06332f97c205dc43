//! The causes of a problem weighed against each other: one line each, and the ledger that a sum comes from on demand.
//!
//! ```text
//!  ▾ H1 DNS service not running            ▇▇▇▇▇ tied
//!       best supported · tied with H2 · sum +25 dB
//!   [x] +10 dB: The port answered with an ICMP error …
//!       what the error says: only a host that is up … [F2]
//!  ▸ H2 packet filter on the server        ▇▇▇▇▇ tied
//!  ▸ 7 more with nothing for or against
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::View;
use super::report::ReportLine;
use crate::findings::hypotheses::{Assessment, Author, Group, Hypothesis, LedgerRow, Verdict, catalogue};
use crate::index::PacketId;
use crate::tui::fit::{clip, pad, width, wrap};
use crate::tui::layout::Panel;
use crate::tui::settle::top_of;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};
use crate::tui::update::Effect;

/// What can be selected.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    /// A cause.
    Cause(&'a Hypothesis),
    /// A row of its ledger.
    Row(&'a Hypothesis, &'a LedgerRow),
    /// So many causes that nothing speaks for or against.
    Rest(usize),
}

impl<'a> Item<'a> {
    /// The cause it is or belongs to; `None` where it stands for several.
    pub fn cause(self) -> Option<&'a Hypothesis> {
        match self {
            Self::Cause(cause) | Self::Row(cause, _) => Some(cause),
            Self::Rest(_) => None,
        }
    }

    /// Under which id it is folded and unfolded.
    pub fn fold_id(self) -> &'static str {
        self.cause().map_or(REST, Hypothesis::id)
    }
}

/// The id under which causes without evidence are unfolded.
const REST: &str = "rest";
/// Blocks of the longest bar.
const BLOCKS: i32 = 5;
/// Decibans a block of the bar stands for.
const BLOCK_DB: i32 = 5;

/// The assessment shown.
pub fn assessment(state: &State) -> Option<&Assessment> {
    state.assessments.get(state.causes.problem)
}

/// Whether a cause's ledger is shown, or the causes without evidence are: when the analyst asks.
pub fn is_open(state: &State, fold_id: &str) -> bool {
    state.causes.unfolded.contains(fold_id)
}

/// Everything that can be selected, from above.
pub fn items(state: &State) -> Vec<Item<'_>> {
    let causes = assessment(state).map(|shown| shown.hypotheses.as_slice()).unwrap_or_default();
    let (telling, rest): (Vec<&Hypothesis>, Vec<&Hypothesis>) =
        causes.iter().partition(|cause| !cause.ledger.is_empty());
    let mut out = Vec::new();
    for cause in telling {
        out.push(Item::Cause(cause));
        if is_open(state, cause.id()) {
            out.extend(cause.ledger.iter().map(|row| Item::Row(cause, row)));
        }
    }
    if !rest.is_empty() {
        out.push(Item::Rest(rest.len()));
        if is_open(state, REST) {
            out.extend(rest.into_iter().map(Item::Cause));
        }
    }
    out
}

/// The selected one.
pub fn selected(state: &State) -> Option<Item<'_>> {
    items(state).get(state.causes.list.row).copied()
}

/// The panel.
pub struct Causes;

impl View for Causes {
    fn panel(&self) -> Panel {
        Panel::Causes
    }

    fn render(&self, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
        render(state, theme, area, buffer);
    }

    /// `problem 1 of 3 `
    fn counts(&self, state: &State, _room: usize) -> String {
        match state.assessments.len() {
            0 => String::new(),
            count => format!("problem {} of {count} ", state.causes.problem + 1),
        }
    }

    fn step(&self, state: &mut State, by: isize) {
        let last = items(state).len().saturating_sub(1);
        state.causes.list.row = state.causes.list.row.saturating_add_signed(by).min(last);
        state.causes.citation = 0;
    }

    /// It moves by rows of several lines.
    fn half_page(&self, height: usize) -> usize {
        (height / 8).max(1)
    }

    fn activate(&self, state: &mut State) -> Effect {
        crate::tui::actions::causes::follow(state)
    }

    fn press(&self, state: &mut State, row: usize, _column: u16) {
        if let Some(item) = item_at(state, row) {
            state.causes.list.row = item;
            state.causes.citation = 0;
        }
    }

    fn settle(&self, state: &mut State, area: Rect) {
        let count = items(state).len();
        state.causes.problem = state.causes.problem.min(state.assessments.len().saturating_sub(1));
        state.causes.list.row = state.causes.list.row.min(count.saturating_sub(1));
        if area.is_empty() || state.panels.side != Panel::Causes {
            return;
        }
        let lines = lines(state, area.width);
        let list = state.causes.list;
        state.causes.list.top = top_of(&lines, list.row, list.top, usize::from(area.height));
    }

    fn selected(&self, state: &State) -> Option<PacketId> {
        match selected(state)? {
            Item::Row(_, row) => row.frames.first().copied(),
            Item::Cause(_) | Item::Rest(_) => None,
        }
    }

    fn hints(&self, _state: &State) -> &'static [(&'static str, &'static str)] {
        &[
            ("⏎", "its frames"),
            ("Space", "on, off, fold"),
            ("+ -", "weight"),
            ("a", "add what you know"),
            ("← →", "problems"),
        ]
    }
}

/// The item at a line of the panel.
fn item_at(state: &State, line: usize) -> Option<usize> {
    let area = state.layout().inner(crate::tui::layout::Panel::Causes);
    lines(state, area.width).get(state.causes.list.top + line)?.item
}

/// Every line, wrapped to the panel's width.
pub fn lines(state: &State, columns: u16) -> Vec<ReportLine> {
    let room = usize::from(columns).saturating_sub(2).max(12);
    let mut out = Vec::new();
    let Some(shown) = assessment(state) else { return out };
    heading(state, shown, room, &mut out);
    for (at, item) in items(state).into_iter().enumerate() {
        match item {
            Item::Cause(cause) => cause_lines(state, cause, at, room, &mut out),
            Item::Row(_, row) => row_lines(state, row, at, room, &mut out),
            Item::Rest(count) => {
                let mark = fold_mark(state.unicode, is_open(state, REST));
                let text = format!("{mark} {count} more with nothing for or against");
                push_wrapped(&mut out, Some(at), "", &text, Role::Muted, room);
            }
        }
    }
    if !shown.would_change.is_empty() {
        out.push(plain(None, String::new(), Role::Text));
        out.push(plain(None, "What would change the ranking".to_owned(), Role::Title));
        for sentence in &shown.would_change {
            push_wrapped(&mut out, None, "  ", sentence, Role::Muted, room);
        }
    }
    out
}

fn heading(state: &State, shown: &Assessment, room: usize, out: &mut Vec<ReportLine>) {
    let problem = shown.problem.and_then(|at| state.evidence.as_ref()?.problems.get(at));
    let text = match problem {
        Some(problem) => {
            let clients = match problem.clients.as_slice() {
                [one] => one.to_string(),
                many => format!("{} clients", many.len()),
            };
            let arrow = if state.unicode { "→" } else { ">" };
            format!("{clients} {arrow} {} port {}", problem.server.0, problem.server.1)
        }
        None => shown.title.clone().unwrap_or_else(|| "an incident outside DNS failures".to_owned()),
    };
    push_wrapped(out, None, "", &text, Role::Title, room);
}

fn plain(item: Option<usize>, text: String, role: Role) -> ReportLine {
    ReportLine { item, pieces: vec![(text, role)], right: None }
}

fn push_wrapped(
    out: &mut Vec<ReportLine>,
    item: Option<usize>,
    lead: &str,
    text: &str,
    role: Role,
    room: usize,
) {
    for line in wrap(text, room.saturating_sub(lead.len()).max(8)) {
        out.push(plain(item, format!("{lead}{line}"), role));
    }
}

/// `+10 dB`, `-5 dB`, `0 dB`, or that it excludes.
pub fn weight(weight_db: Option<i32>) -> String {
    match weight_db {
        None => "excluded".to_owned(),
        Some(0) => "0 dB".to_owned(),
        Some(db) => format!("{db:+} dB"),
    }
}

fn fold_mark(unicode: bool, open: bool) -> &'static str {
    match (unicode, open) {
        (true, true) => "▾",
        (true, false) => "▸",
        (false, true) => "v",
        (false, false) => ">",
    }
}

/// How strongly a cause is supported, as blocks.
fn bar(score_db: Option<i32>, unicode: bool) -> String {
    let blocks = (score_db.unwrap_or(0).max(0) + BLOCK_DB - 1) / BLOCK_DB;
    let block = if unicode { "▇" } else { "#" };
    block.repeat(blocks.min(BLOCKS) as usize)
}

/// A verdict in one word.
fn brief(cause: &Hypothesis) -> &'static str {
    match cause.verdict {
        _ if !cause.tied_with.is_empty() => "tied",
        Verdict::BestSupported => "best",
        Verdict::Consistent => "fits",
        Verdict::Neither => "open",
        Verdict::Unlikely => "unlikely",
        Verdict::Excluded => "excluded",
        Verdict::NotAssessable => "unseen",
    }
}

fn cause_lines(state: &State, cause: &Hypothesis, item: usize, room: usize, out: &mut Vec<ReportLine>) {
    let open = is_open(state, cause.id());
    let mark = if cause.ledger.is_empty() { " " } else { fold_mark(state.unicode, open) };
    let role = match cause.verdict {
        Verdict::BestSupported => Role::Assessed,
        Verdict::Consistent => Role::Text,
        _ => Role::Muted,
    };
    let tail = format!("{} {:<8}", pad(&bar(cause.score_db, state.unicode), BLOCKS as usize), brief(cause));
    let name = format!("{} {}", cause.id(), cause.title);
    let cells = room.saturating_sub(width(&tail) + 3).max(8);
    let shown = open || state.causes.list.row == item;
    let names = if shown { wrap(&name, cells) } else { vec![clip(&name, cells)] };
    for (at, line) in names.into_iter().enumerate() {
        let lead = if at == 0 { format!("{mark} ") } else { "     ".to_owned() };
        let pieces = vec![(lead, Role::Muted), (line, role)];
        let right = (at == 0).then(|| (tail.clone(), role));
        out.push(ReportLine { item: Some(item), pieces, right });
    }
    if !shown {
        return;
    }
    let mut words = cause.verdict.words().to_owned();
    if !cause.tied_with.is_empty() {
        words = format!("{words} · tied with {}", catalogue::list(&cause.tied_with));
    }
    if open {
        words = format!("{words} · sum {}", weight(cause.score_db));
    }
    push_wrapped(out, Some(item), "     ", &words, role, room);
}

/// A group of evidence in words.
pub fn group(group: Group) -> &'static str {
    match group {
        Group::ErrorSemantics => "what the error says",
        Group::Generator => "who sent it",
        Group::Timing => "when it came",
        Group::Load => "how much traffic",
        Group::OtherTraffic => "what else the capture shows",
        Group::Integrity => "whether the record holds",
        Group::Analyst => "what you know",
    }
}

fn row_lines(state: &State, row: &LedgerRow, item: usize, room: usize, out: &mut Vec<ReportLine>) {
    let counted = if row.off { "[ ]" } else { "[x]" };
    let (text_role, weight_role) = match (row.off, row.weight_db) {
        (true, _) => (Role::Muted, Role::Muted),
        (_, None | Some(i32::MIN..=-1)) => (Role::Text, Role::Warning),
        (_, Some(0)) => (Role::Text, Role::Muted),
        _ => (Role::Text, Role::Accepted),
    };
    let indent = " ".repeat(6);
    let lead = format!("  {counted} {}: ", weight(row.weight_db));
    let lines = wrap(&format!("{lead}{}", row.observation), room.saturating_sub(indent.len()).max(8));
    for (at, line) in lines.into_iter().enumerate() {
        let pieces = match line.strip_prefix(&lead).filter(|_| at == 0) {
            Some(rest) => vec![(lead.clone(), weight_role), (rest.to_owned(), text_role)],
            None => vec![(indent.clone(), text_role), (line, text_role)],
        };
        out.push(ReportLine { item: Some(item), pieces, right: None });
    }
    let mut why = format!("{}: {}", group(row.group), row.reason);
    let citation = super::report::citation(state, &row.frames);
    if !citation.is_empty() {
        why = format!("{why} {citation}");
    }
    push_wrapped(out, Some(item), &indent, &why, Role::Muted, room);
    if row.author == Author::Analyst {
        let word = if row.off { "switched off by you" } else { "yours" };
        push_wrapped(out, Some(item), &indent, word, Role::Note, room);
    }
}

/// Draws it.
fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if assessment(state).is_none_or(|shown| shown.hypotheses.is_empty()) {
        let text = if state.evidence.is_none() || state.draft.made_with.is_none() {
            "Causes are weighed when the capture has been read."
        } else {
            "There is no failure in this capture whose causes could be weighed."
        };
        super::empty(buffer, area, text, theme.style(Role::Muted));
        return;
    }
    let all = lines(state, area.width);
    let focused = state.panels.focus == crate::tui::layout::Panel::Causes;
    let selected = focused.then_some(state.causes.list.row);
    super::report::draw(&all, state.causes.list.top, selected, theme, area, buffer);
}
