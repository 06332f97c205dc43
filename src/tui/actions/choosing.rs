//! Keys inside dialogs: accepting, leaving, moving among choices, saving what was written.

use super::{Action, Context};
use crate::case::{Annotation, Event};
use crate::report::render::TEMPLATES;
use crate::tui::dialogs::{
    Annotate, Choice, Confirm, Dialog, Edit, EditTarget, Form, FormTarget, Join, Prompt, PromptKind,
    SEVERITIES, text_of,
};
use crate::tui::export_form::{self, ExportForm};
use crate::tui::state::{State, Tone};
use crate::tui::update::{Effect, Export, Job};
use crate::tui::work::frame_of;

/// The group's actions.
pub static ACTIONS: &[Action] = &[
    row("accept-line", "take the text", &["Enter"], Context::Line, take_line),
    row("leave-line", "leave without taking it", &["Esc", "Ctrl-c"], Context::Line, leave),
    row("save-text", "save", &["Ctrl-s", "Alt-Enter"], Context::Editor, save),
    row("leave-text", "leave without saving", &["Esc", "Ctrl-c"], Context::Editor, leave),
    row("next-field", "next field", &["Tab"], Context::Editor, |state| field(state, 1)),
    row("previous-field", "previous field", &["Shift-Tab"], Context::Editor, |state| field(state, 2)),
    row("own-editor", "write in $EDITOR", &["Ctrl-e"], Context::Editor, own_editor),
    row("write-export", "write it", &["Enter", "Ctrl-s"], Context::Export, write_export),
    row("export-down", "next line", &["Down", "Tab", "Ctrl-n"], Context::Export, |state| {
        export_line(state, 1)
    }),
    row("export-up", "previous line", &["Up", "Shift-Tab", "Ctrl-p"], Context::Export, |state| {
        export_line(state, export_form::FIELDS - 1)
    }),
    row("leave-export", "leave without writing", &["Esc", "Ctrl-c"], Context::Export, leave),
    row("choice-down", "next choice", &["Down", "Ctrl-n"], Context::Choices, |state| choice(state, 1)),
    row("choice-up", "previous choice", &["Up", "Ctrl-p"], Context::Choices, |state| choice(state, -1)),
    row("take-choice", "take the choice (or press its letter)", &["Enter"], Context::Choices, take_choice),
    row("next-join", "filters: replace, and, or, and not", &["Tab"], Context::Choices, |state| {
        if let Some(Dialog::Menu(menu)) = &mut state.dialog {
            menu.join = menu.join.map(Join::next);
        }
        Effect::None
    }),
    row("leave-menu", "leave", &["Esc", "Ctrl-c"], Context::Choices, leave),
    row("command-down", "next command", &["Down", "Ctrl-n"], Context::Palette, |state| choice(state, 1)),
    row("command-up", "previous command", &["Up", "Ctrl-p"], Context::Palette, |state| choice(state, -1)),
    row("run-command", "run it", &["Enter"], Context::Palette, run_command),
    row("yes", "yes", &["y"], Context::Question, |state| match state.dialog.take() {
        Some(Dialog::Confirm(Confirm { job: Job::Quit, .. })) => Effect::Quit,
        Some(Dialog::Confirm(confirm)) => Effect::Start(confirm.job),
        other => {
            state.dialog = other;
            Effect::None
        }
    }),
    row("no", "no", &["n", "Esc", "Ctrl-c"], Context::Question, leave),
    row("help-down", "next key", &["Down", "Ctrl-n"], Context::Help, |state| help(state, 1)),
    row("help-up", "previous key", &["Up", "Ctrl-p"], Context::Help, |state| help(state, -1)),
    row("help-page-down", "further down", &["PgDn"], Context::Help, |state| help(state, 10)),
    row("help-page-up", "further up", &["PgUp"], Context::Help, |state| help(state, -10)),
    row("do-it", "do what the key does", &["Enter"], Context::Help, |state| {
        let Some(Dialog::Help(help)) = state.dialog.take() else { return Effect::None };
        match crate::tui::views::help::selected(&help) {
            Some(action) => run(state, action),
            None => Effect::None,
        }
    }),
    row("leave-help", "close", &["Esc", "F1", "Ctrl-c"], Context::Help, leave),
    row("end-paste", "open what was pasted", &["Enter"], Context::Paste, |state| {
        let ends = match &mut state.dialog {
            Some(Dialog::Paste(pasting)) => pasting.enter(),
            _ => false,
        };
        if ends { super::leaving::open_pasted(state) } else { Effect::None }
    }),
    row("open-pasted", "open what was pasted", &["Ctrl-d"], Context::Paste, super::leaving::open_pasted),
    row(
        "leave-paste",
        "leave without opening it",
        &["Esc", "Ctrl-c"],
        Context::Paste,
        super::leaving::leave_paste,
    ),
];

const fn row(
    name: &'static str,
    help: &'static str,
    keys: &'static [&'static str],
    context: Context,
    run: fn(&mut State) -> Effect,
) -> Action {
    Action { name, help, keys, context, run }
}

fn leave(state: &mut State) -> Effect {
    match state.dialog.take() {
        Some(Dialog::Prompt(Prompt { kind: PromptKind::Search, .. })) => super::searching::leave(state),
        _ => Effect::None,
    }
}

fn help(state: &mut State, by: isize) -> Effect {
    if let Some(Dialog::Help(help)) = &mut state.dialog {
        help.row = help.row.saturating_add_signed(by);
    }
    Effect::None
}

fn field(state: &mut State, by: usize) -> Effect {
    match &mut state.dialog {
        Some(Dialog::Annotate(annotate)) => annotate.field = (annotate.field + by) % 3,
        Some(Dialog::Form(form)) => {
            let count = form.fields.len().max(1);
            // Two steps of three back is one step back among three; a form may have another number.
            let by = if by == 1 { 1 } else { count - 1 };
            form.field = (form.field + by) % count;
        }
        _ => {}
    }
    Effect::None
}

fn choice(state: &mut State, by: isize) -> Effect {
    let (row, count) = match &mut state.dialog {
        Some(Dialog::Menu(menu)) => (&mut menu.row, menu.items.len()),
        Some(Dialog::Palette(palette)) => (&mut palette.row, palette.found.len()),
        _ => return Effect::None,
    };
    *row = row.saturating_add_signed(by).min(count.saturating_sub(1));
    Effect::None
}

fn take_choice(state: &mut State) -> Effect {
    let chosen = match &state.dialog {
        Some(Dialog::Menu(menu)) => menu.items.get(menu.row).map(|item| item.choice.clone()),
        _ => None,
    };
    chosen.map_or(Effect::None, |chosen| choose(state, chosen))
}

/// Does what a choice says and closes the menu.
pub fn choose(state: &mut State, choice: Choice) -> Effect {
    let join = match state.dialog.take() {
        Some(Dialog::Menu(menu)) => menu.join,
        _ => None,
    };
    match choice {
        Choice::Filter(expression) => {
            super::filtering::join(state, &expression, join.unwrap_or(Join::Replace))
        }
        Choice::Copy(text) => {
            let shown = crate::tui::fit::clip(&text.replace('\n', " "), 60);
            state.say(format!("copied: {shown}"), Tone::Good);
            Effect::Copy(text)
        }
        Choice::KeepCapture => super::leaving::ask_where(state),
        Choice::SaveCase => super::leaving::ask_where_case(state),
        Choice::Quit => Effect::Quit,
        Choice::Theme(name) => {
            state.say(format!("theme {name}; config.toml or --theme keeps one"), Tone::Good);
            Effect::Theme(name)
        }
        Choice::ManualRow(id) => super::manual::open(state, Some(id)),
        Choice::Ticket => {
            let Some(evidence) = state.evidence.clone() else { return Effect::None };
            let case = std::sync::Arc::clone(&state.work.case);
            Effect::Start(Job::Ticket { index: state.correlated.clone(), evidence, case })
        }
    }
}

/// Opens the export dialog. An export goes beside the capture unless the analyst says otherwise.
pub fn open_export(state: &mut State) {
    let source = state.index.sources.first();
    let base = match source.and_then(|source| source.path.as_ref()) {
        Some(path) => path.with_extension("").display().to_string(),
        None => "incident".to_owned(),
    };
    state.dialog = Some(Dialog::Export(Box::new(ExportForm::new(&base, state.exported))));
}

fn export_line(state: &mut State, by: usize) -> Effect {
    if let Some(Dialog::Export(form)) = &mut state.dialog {
        form.field = (form.field + by) % export_form::FIELDS;
    }
    Effect::None
}

fn write_export(state: &mut State) -> Effect {
    let Some(Dialog::Export(form)) = state.dialog.take() else { return Effect::None };
    let template = TEMPLATES.get(form.choices.template).or(TEMPLATES.first());
    let (Some(evidence), Some(template)) = (state.evidence.clone(), template) else { return Effect::None };
    let path = form.path.text().trim().to_owned();
    if path.is_empty() {
        state.dialog = Some(Dialog::Export(form));
        state.say("where to? Give the file a name", Tone::Warning);
        return Effect::None;
    }
    state.exported = form.choices;
    state.say(format!("writing {}…", crate::text::escape(&path)), Tone::Plain);
    Effect::Start(Job::Export(Export {
        path: path.into(),
        template: template.name.to_owned(),
        format: form.format().0,
        redact: form.choices.redact,
        overwrite: false,
        index: state.correlated.clone(),
        evidence,
        case: std::sync::Arc::clone(&state.work.case),
        hashes: state.hashes.clone(),
        before: state.draft.made_with.clone(),
    }))
}

fn take_line(state: &mut State) -> Effect {
    match state.dialog.take() {
        Some(Dialog::Prompt(Prompt { kind: PromptKind::Search, line, .. })) => {
            super::searching::take(state, line.text())
        }
        Some(Dialog::Prompt(Prompt { kind: PromptKind::KeepCapture, line, .. })) => {
            super::leaving::keep(state, line.text().trim())
        }
        Some(Dialog::Prompt(Prompt { kind: PromptKind::SaveCase, line, .. })) => {
            super::leaving::save_case(state, line.text().trim())
        }
        Some(Dialog::Prompt(Prompt { kind: PromptKind::NameFilter, line, .. })) => {
            super::filtering::name(state, line.text().trim())
        }
        Some(Dialog::Annotate(annotate)) => save_note(state, &annotate),
        // Enter goes on to the next line; on the last one it saves.
        Some(Dialog::Form(mut form)) if form.field + 1 < form.fields.len() => {
            form.field += 1;
            state.dialog = Some(Dialog::Form(form));
            Effect::None
        }
        Some(Dialog::Form(form)) => save_form(state, &form),
        other => {
            state.dialog = other;
            Effect::None
        }
    }
}

fn save_form(state: &mut State, form: &Form) -> Effect {
    match &form.target {
        FormTarget::ManualRow(id) => super::manual::save(state, *id, form),
        FormTarget::LedgerRow { hypothesis, id } => super::causes::save(state, hypothesis, *id, form),
    }
}

fn save(state: &mut State) -> Effect {
    match state.dialog.take() {
        Some(Dialog::Annotate(annotate)) => save_note(state, &annotate),
        Some(Dialog::Edit(edit)) => save_edit(state, &edit),
        Some(Dialog::Form(form)) => save_form(state, &form),
        other => {
            state.dialog = other;
            Effect::None
        }
    }
}

fn save_note(state: &mut State, annotate: &Annotate) -> Effect {
    let note = text_of(&annotate.note);
    if note.trim().is_empty() {
        state.say("an empty note was not saved", Tone::Warning);
        return Effect::None;
    }
    let severity = SEVERITIES.get(annotate.severity).filter(|_| annotate.severity > 0);
    let id = annotate.id.unwrap_or_else(|| state.work.next_annotation());
    let annotation = Annotation {
        id,
        frames: annotate.packets.iter().filter_map(|id| frame_of(&state.index, *id)).collect(),
        note,
        tag: annotate.tag.text().trim().to_owned(),
        severity: severity.map(|word| (*word).to_owned()),
    };
    state.jotting.saved();
    state.timeline.picked.clear();
    state.reading.reveal = Some(id);
    state.say("note saved; it stands in the report with its citation", Tone::Good);
    Effect::Start(Job::Change(Event::Annotate { annotation }))
}

fn save_edit(state: &mut State, edit: &Edit) -> Effect {
    state.jotting.saved();
    let text = text_of(&edit.area);
    let text = (!text.trim().is_empty()).then_some(text);
    let event = match &edit.target {
        EditTarget::Claim(claim) => text.map_or_else(|| claim.reset(), |text| claim.edit(text)),
        EditTarget::Field(id) => Event::Fill { field: id.clone(), value: text },
    };
    Effect::Start(Job::Change(event))
}

fn own_editor(state: &mut State) -> Effect {
    match &state.dialog {
        Some(Dialog::Annotate(annotate)) => Effect::OpenEditor(text_of(&annotate.note)),
        Some(Dialog::Edit(edit)) => Effect::OpenEditor(text_of(&edit.area)),
        _ => Effect::None,
    }
}

/// Takes what the analyst's own editor gave back.
pub fn take_edited(state: &mut State, text: &str) {
    let text = text.trim_end();
    match &mut state.dialog {
        Some(Dialog::Annotate(annotate)) => annotate.note = crate::tui::dialogs::editor(text),
        Some(Dialog::Edit(edit)) => edit.area = crate::tui::dialogs::editor(text),
        _ => {}
    }
}

fn run_command(state: &mut State) -> Effect {
    let Some(Dialog::Palette(palette)) = state.dialog.take() else { return Effect::None };
    if let Some(target) = palette.target() {
        return super::moving::go_to_target(state, &target);
    }
    let Some(action) = palette.found.get(palette.row) else {
        state.say("there is no such command", Tone::Warning);
        return Effect::None;
    };
    run(state, action)
}

/// Does an action chosen by name, in the panel it belongs to.
fn run(state: &mut State, action: &Action) -> Effect {
    let panel =
        crate::tui::layout::Panel::ALL.iter().find(|(panel, _, _)| Context::of(*panel) == action.context);
    if let Some((panel, _, _)) = panel {
        state.focus(*panel);
    }
    (action.run)(state)
}

/// Asks before a file is written over.
pub fn ask_overwrite(state: &mut State, export: Export) {
    let name = crate::text::escape(&export.path.display().to_string());
    let job = Job::Export(Export { overwrite: true, ..export });
    state.dialog =
        Some(Dialog::Confirm(Confirm { question: format!("{name} is there already. Write over it?"), job }));
}
