//! What can lie over the panels: editors, prompts, menus, the palette, questions and help.

use crossterm::event::KeyEvent;
use ratatui_textarea::{TextArea, WrapMode};

use super::actions::{self, Action, Context};
use super::export_form::ExportForm;
use super::line::Line;
use super::update::Job;
use crate::index::PacketId;

/// Words offered for an annotation's tag; the analyst may type any other.
pub const TAGS: [&str; 5] = ["finding", "cause", "impact", "timeline", "question"];
/// Severities of an annotation, the first being none.
pub const SEVERITIES: [&str; 5] = ["none", "info", "low", "medium", "high"];

/// Something over the panels.
pub enum Dialog {
    /// A note on packets.
    Annotate(Box<Annotate>),
    /// A claim's or a field's text.
    Edit(Box<Edit>),
    /// Several lines of text with their names.
    Form(Form),
    /// Format, form, redaction and file of an export.
    Export(Box<ExportForm>),
    /// One line of text.
    Prompt(Prompt),
    /// Choices, each with a key.
    Menu(Menu),
    /// Every action by name.
    Palette(Palette),
    /// A yes-or-no question.
    Confirm(Confirm),
    /// A log that is pasted to be opened.
    Paste(Pasting),
    /// Marks and keys, and what is looked for among them.
    Help(Help),
}

/// Marks and keys, searched by typing.
pub struct Help {
    /// The panel whose keys come first.
    pub context: Context,
    /// What is typed.
    pub line: Line,
    /// The selected key, counted among those that fit.
    pub row: usize,
}

/// A note being written.
pub struct Annotate {
    /// The packets it is on.
    pub packets: Vec<PacketId>,
    /// The annotation being changed; `None` for a new one.
    pub id: Option<u64>,
    /// Note text.
    pub note: TextArea<'static>,
    /// Tag.
    pub tag: Line,
    /// Position in [`SEVERITIES`].
    pub severity: usize,
    /// 0 note, 1 tag, 2 severity.
    pub field: usize,
}

/// A text of the report being changed.
pub struct Edit {
    /// What is changed.
    pub target: EditTarget,
    /// Heading.
    pub title: String,
    /// The text.
    pub area: TextArea<'static>,
}

/// What an editor changes.
#[derive(Clone, Debug, PartialEq)]
pub enum EditTarget {
    /// A claim's wording.
    Claim(Box<crate::report::Claim>),
    /// An open field.
    Field(String),
}

/// Several named lines of text.
pub struct Form {
    /// What they are for.
    pub target: FormTarget,
    /// Heading.
    pub title: String,
    /// Names and texts.
    pub fields: Vec<(&'static str, Line)>,
    /// The one being typed.
    pub field: usize,
    /// Said below.
    pub hint: &'static str,
}

/// What a form makes or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormTarget {
    /// A timeline row made by hand; `None` for a new one.
    ManualRow(Option<u64>),
    /// A ledger row of the analyst's own.
    LedgerRow {
        /// The cause it speaks for or against.
        hypothesis: String,
        /// The change it is; `None` for a new one.
        id: Option<u64>,
    },
}

impl Form {
    /// The text of a field, trimmed.
    pub fn text(&self, at: usize) -> String {
        self.fields.get(at).map_or_else(String::new, |(_, line)| line.text().trim().to_owned())
    }
}

/// What a prompt's text is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// File that keeps a capture which came through a pipe.
    KeepCapture,
    /// File for a case that cannot be saved where it belongs.
    SaveCase,
    /// Text to look for.
    Search,
    /// A name for the filter there is.
    NameFilter,
}

/// One line of text.
pub struct Prompt {
    /// What it is for.
    pub kind: PromptKind,
    /// Heading.
    pub title: String,
    /// The text.
    pub line: Line,
}

/// A choice.
pub struct MenuItem {
    /// The key that takes it at once.
    pub key: char,
    /// What it says.
    pub label: String,
    /// What it does.
    pub choice: Choice,
}

/// What choosing does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Take another theme.
    Theme(&'static str),
    /// Joins an expression to the filter.
    Filter(String),
    /// Copies text.
    Copy(String),
    /// Asks where to keep a capture that came through a pipe.
    KeepCapture,
    /// Asks where to save a case that cannot be saved where it belongs.
    SaveCase,
    /// Leaves the program.
    Quit,
    /// Copies the report as a ticket.
    Ticket,
    /// Changes a timeline row made by hand.
    ManualRow(u64),
}

/// Choices, each with a key.
pub struct Menu {
    /// Heading.
    pub title: String,
    /// The choices.
    pub items: Vec<MenuItem>,
    /// The selected one.
    pub row: usize,
    /// How a filter is joined: replaces, `and`, `or`, `and not`. Only for filter menus.
    pub join: Option<Join>,
}

/// How a new expression meets the filter there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Join {
    Replace,
    And,
    Or,
    AndNot,
}

impl Join {
    /// The next one round.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Replace => Self::And,
            Self::And => Self::Or,
            Self::Or => Self::AndNot,
            Self::AndNot => Self::Replace,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Replace => "replace the filter",
            Self::And => "and … (narrow)",
            Self::Or => "or … (widen)",
            Self::AndNot => "and not … (exclude)",
        }
    }

    /// Joins `new` to `old`.
    pub fn apply(self, old: &str, new: &str) -> String {
        use crate::filter::build;
        let how = match self {
            Self::Replace => build::Join::Replace,
            Self::And => build::Join::And,
            Self::Or => build::Join::Or,
            Self::AndNot => build::Join::AndNot,
        };
        build::join(old, how, new)
    }
}

/// Actions found by name.
pub struct Palette {
    /// What is typed.
    pub line: Line,
    /// What fits, best first.
    pub found: Vec<&'static Action>,
    /// The selected one.
    pub row: usize,
}

/// A yes-or-no question.
pub struct Confirm {
    /// The question.
    pub question: String,
    /// What yes does.
    pub job: Job,
}

/// A log that is pasted.
#[derive(Default)]
pub struct Pasting {
    /// What came so far.
    pub text: String,
    /// Whether the terminal gave the last of it in one piece, so that Enter is no line's end.
    is_whole: bool,
}

impl Pasting {
    /// Adds what the terminal gave in one piece; it sends line ends as the key does.
    pub fn add(&mut self, text: &str) {
        self.text.push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
        self.is_whole = true;
    }

    /// Takes Enter: whether it ends the paste, and is not the end of a line that is typed.
    pub fn enter(&mut self) -> bool {
        let ends = self.is_whole || self.text.is_empty();
        if !ends {
            self.text.push('\n');
        }
        ends
    }

    fn key(&mut self, key: KeyEvent) {
        use crossterm::event::KeyCode;
        self.is_whole = false;
        match key.code {
            KeyCode::Char(character) => self.text.push(character),
            KeyCode::Tab => self.text.push('\t'),
            KeyCode::Backspace => drop(self.text.pop()),
            _ => {}
        }
    }
}

impl Dialog {
    /// The contexts keys are looked up in.
    pub fn contexts(&self) -> Vec<Context> {
        match self {
            Self::Annotate(annotate) if annotate.field == 0 => vec![Context::Editor],
            Self::Annotate(_) => vec![Context::Editor, Context::Line],
            Self::Edit(_) => vec![Context::Editor],
            Self::Form(_) => vec![Context::Editor, Context::Line],
            Self::Export(_) => vec![Context::Export],
            Self::Prompt(_) => vec![Context::Line],
            Self::Menu(_) => vec![Context::Choices],
            Self::Palette(_) => vec![Context::Palette, Context::Line],
            Self::Confirm(_) => vec![Context::Question],
            Self::Paste(_) => vec![Context::Paste],
            Self::Help(_) => vec![Context::Help, Context::Line],
        }
    }

    /// Gives a key to whatever takes text. Returns the choice a menu's key made.
    pub fn key(&mut self, key: KeyEvent) -> Option<Choice> {
        match self {
            Self::Annotate(annotate) => annotate.key(key),
            Self::Edit(edit) => {
                edit.area.input(key);
            }
            Self::Form(form) => {
                if let Some((_, line)) = form.fields.get_mut(form.field) {
                    line.key(key);
                }
            }
            Self::Export(form) => form.key(key),
            Self::Prompt(prompt) => {
                prompt.line.key(key);
            }
            Self::Palette(palette) => {
                palette.line.key(key);
                palette.search();
            }
            Self::Menu(menu) => {
                if let crossterm::event::KeyCode::Char(character) = key.code {
                    let found = menu.items.iter().find(|item| item.key == character);
                    return found.map(|item| item.choice.clone());
                }
            }
            Self::Paste(pasting) => pasting.key(key),
            Self::Help(help) => {
                help.line.key(key);
                help.row = 0;
            }
            Self::Confirm(_) => {}
        }
        None
    }

    /// Gives pasted text to whatever takes text.
    pub fn paste(&mut self, text: &str) {
        match self {
            Self::Annotate(annotate) if annotate.field == 0 => {
                annotate.note.insert_str(clean(text));
            }
            Self::Annotate(annotate) if annotate.field == 1 => annotate.tag.insert(text),
            Self::Edit(edit) => {
                edit.area.insert_str(clean(text));
            }
            Self::Form(form) => {
                if let Some((_, line)) = form.fields.get_mut(form.field) {
                    line.insert(text);
                }
            }
            Self::Export(form) => form.paste(text),
            Self::Prompt(prompt) => prompt.line.insert(text),
            Self::Palette(palette) => {
                palette.line.insert(text);
                palette.search();
            }
            Self::Paste(pasting) => pasting.add(text),
            _ => {}
        }
    }
}

/// Pasted text without control characters other than line breaks.
fn clean(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\r' { '\n' } else { c })
        .filter(|c| *c == '\n' || !c.is_control())
        .collect()
}

impl Annotate {
    /// A dialog for packets with what is written already.
    pub fn new(packets: Vec<PacketId>, id: Option<u64>, note: &str, tag: &str, severity: usize) -> Self {
        Self { packets, id, note: editor(note), tag: Line::new(tag), severity, field: 0 }
    }

    fn key(&mut self, key: KeyEvent) {
        use crossterm::event::KeyCode;
        match self.field {
            0 => {
                self.note.input(key);
            }
            1 => match key.code {
                KeyCode::Up => self.step_tag(TAGS.len() - 1),
                KeyCode::Down => self.step_tag(1),
                _ => {
                    self.tag.key(key);
                }
            },
            _ => match key.code {
                KeyCode::Left | KeyCode::Up => self.severity = self.severity.saturating_sub(1),
                KeyCode::Right | KeyCode::Down | KeyCode::Char(' ') => {
                    self.severity = (self.severity + 1).min(SEVERITIES.len() - 1);
                }
                KeyCode::Char(letter) => {
                    let found = SEVERITIES.iter().position(|word| word.starts_with(letter));
                    self.severity = found.unwrap_or(self.severity);
                }
                _ => {}
            },
        }
    }

    fn step_tag(&mut self, by: usize) {
        let at = TAGS.iter().position(|tag| *tag == self.tag.text());
        let next = at.map_or(0, |at| (at + by) % TAGS.len());
        self.tag.set(TAGS.get(next).copied().unwrap_or_default());
    }
}

/// A place in the capture, as it is typed after `:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `1234`, `#1234`, `F1234`: a frame of the file of the selected packet; `B:100`, `A:F17`: of the named file.
    Frame(Option<String>, u64),
    /// `13:26`, `13:26:05.5`: nanoseconds after midnight, on the day of the selected packet.
    Time(crate::time::Nanos),
}

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Frame(None, frame) => write!(out, "frame {frame}"),
            Self::Frame(Some(label), frame) => write!(out, "frame {frame} of file {label}"),
            Self::Time(of_day_ns) => write!(out, "{}", crate::time::time_of_day(*of_day_ns)),
        }
    }
}

impl Target {
    /// Reads it; `None` where it is no place.
    fn read(text: &str) -> Option<Self> {
        let number = |text: &str| text.trim_start_matches(['#', 'F', 'f']).parse().ok();
        if let Some(frame) = number(text) {
            return Some(Self::Frame(None, frame));
        }
        let (first, rest) = text.split_once(':')?;
        if !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Some(Self::Frame(Some(first.to_ascii_uppercase()), number(rest)?));
        }
        crate::time::read_time_of_day(text).map(Self::Time)
    }
}

impl Palette {
    /// All actions that make sense without a dialog.
    pub fn new() -> Self {
        let mut palette = Self { line: Line::default(), found: Vec::new(), row: 0 };
        palette.search();
        palette
    }

    /// A number or a time typed is a place to go to.
    pub fn target(&self) -> Option<Target> {
        Target::read(self.line.text().trim())
    }

    fn search(&mut self) {
        use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
        use nucleo_matcher::{Config, Matcher, Utf32Str};
        self.row = 0;
        let everything = actions::all().filter(|action| action.context.is_panel());
        let text = self.line.text().trim();
        if text.is_empty() {
            self.found = everything.collect();
            return;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, &'static Action)> = everything
            .filter_map(|action| {
                let name = pattern.score(Utf32Str::new(action.name, &mut buffer), &mut matcher);
                let help = pattern.score(Utf32Str::new(action.help, &mut buffer), &mut matcher);
                Some((name.map(|score| score * 2).max(help)?, action))
            })
            .collect();
        scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.name.cmp(b.1.name)));
        self.found = scored.into_iter().map(|(_, action)| action).collect();
    }
}

impl Default for Palette {
    fn default() -> Self {
        Self::new()
    }
}

/// A text editor that wraps what is too long.
pub fn editor(text: &str) -> TextArea<'static> {
    let mut area = TextArea::new(text.split('\n').map(str::to_owned).collect());
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_cursor_line_style(ratatui::style::Style::default());
    area.move_cursor(ratatui_textarea::CursorMove::Bottom);
    area.move_cursor(ratatui_textarea::CursorMove::End);
    area
}

/// The text of an editor without empty lines at its end.
pub fn text_of(area: &TextArea<'_>) -> String {
    area.lines().join("\n").trim_end().to_owned()
}
