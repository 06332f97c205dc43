//! Every text of a view that may quote the capture or a person, so that redaction misses none: new fields do not compile here.

use super::{BlockView, CaptureView, ClaimView, FieldView, RowView, SectionView, TableView, View};
use crate::report::Subject;
use crate::report::lint::{Issue, Lint};

/// Changes a text.
type Change<'c> = &'c mut dyn FnMut(&mut String);

impl View {
    /// Changes every text; ids, numbers, citations and labels stay.
    pub fn each_text(&mut self, change: Change<'_>) {
        let Self {
            title,
            status: _,
            still_open: _,
            generated: _,
            tool: _,
            record: _,
            sections,
            further,
            section,
            claims,
            lead,
            lead_tables,
            tables,
            fields,
            subject,
            port_use,
            lint,
            log,
            log_left_out: _,
            walkthrough,
            citation_example: _,
            captures,
            options: _,
        } = self;
        change(title);
        let sections = sections.iter_mut().chain(further).chain(section.values_mut());
        sections.for_each(|section| of_section(section, change));
        claims.values_mut().chain(lead.values_mut()).for_each(|claim| of_claim(claim, change));
        tables.values_mut().chain(lead_tables.values_mut()).for_each(|table| of_table(table, change));
        for field in fields.values_mut() {
            of_field(field, change);
        }
        if let Some(subject) = subject {
            of_subject(subject, change);
        }
        change(port_use);
        of_lint(lint, change);
        log.iter_mut().chain(walkthrough).for_each(&mut *change);
        for CaptureView { label: _, name, sha256: _ } in captures {
            change(name);
        }
    }
}

fn of_section(section: &mut SectionView, change: Change<'_>) {
    let SectionView { id: _, title, number: _, blocks } = section;
    change(title);
    for block in blocks {
        match block {
            BlockView::Claim { claim } => of_claim(claim, change),
            BlockView::Field { field } => of_field(field, change),
            BlockView::Table { table } => of_table(table, change),
            BlockView::Lines { caption, lines } => {
                change(caption);
                lines.iter_mut().for_each(&mut *change);
            }
            BlockView::Note { text } => change(text),
        }
    }
}

fn of_claim(claim: &mut ClaimView, change: Change<'_>) {
    let ClaimView {
        id: _,
        voice: _,
        mark: _,
        text,
        citation: _,
        list: _,
        brief: _,
        rows: _,
        frames: _,
        frame_count: _,
        state: _,
    } = claim;
    change(text);
}

fn of_field(field: &mut FieldView, change: Change<'_>) {
    let FieldView { id: _, prompt, label: _, value, required: _ } = field;
    change(prompt);
    value.iter_mut().for_each(change);
}

fn of_table(table: &mut TableView, change: Change<'_>) {
    let TableView { id: _, caption, head, rows } = table;
    change(caption);
    head.iter_mut().for_each(&mut *change);
    for RowView { cells, code: _, citation: _, list: _ } in rows {
        cells.iter_mut().for_each(&mut *change);
    }
}

fn of_subject(subject: &mut Subject, change: Change<'_>) {
    let Subject {
        clients,
        server,
        port: _,
        transport: _,
        names,
        failed: _,
        asked: _,
        what,
        icmp,
        range,
        citation: _,
        then,
        checks,
    } = subject;
    [clients, server, names, what, icmp, range, then].into_iter().for_each(&mut *change);
    checks.iter_mut().for_each(change);
}

fn of_lint(lint: &mut Lint, change: Change<'_>) {
    let Lint { claims: _, cited: _, open: _, unaccepted: _, issues } = lint;
    for Issue { id: _, check: _, message } in issues {
        change(message);
    }
}
