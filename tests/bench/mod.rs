//! A screen without a terminal: opens a capture, types keys, does what effects ask at once, and draws into a buffer.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseEvent};
use portmortem::capture;
use portmortem::case::Case;
use portmortem::correlate::apart;
use portmortem::index::{Input, Plan, Progress};
use portmortem::tui::keys::{self, Stroke};
use portmortem::tui::overview::Overview;
use portmortem::tui::state::{Loading, State};
use portmortem::tui::theme::{Depth, Theme};
use portmortem::tui::update::{self, Effect, Job, Message, update};
use portmortem::tui::work::Work;
use portmortem::tui::{jobs, views};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub struct Bench {
    pub state: State,
    pub case: Case,
    pub copied: Vec<String>,
    pub quit: bool,
}

impl Bench {
    pub fn open(path: &str, width: u16, height: u16) -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Read into memory, so that neither path nor case file of this machine shows.
        let bytes: &'static [u8] = std::fs::read(&path).unwrap().leak();
        let (source, walk) = capture::open_bytes(&name, bytes).unwrap();
        Self::with(vec![Input { source, walk, offset_ns: 0 }], width, height)
    }

    pub fn sample(name: &str, width: u16, height: u16) -> Self {
        let sample = portmortem::samples::find(name).unwrap();
        let (source, walk) = capture::open_bytes(&format!("sample:{name}"), sample.bytes).unwrap();
        Self::with(vec![Input { source, walk, offset_ns: 0 }], width, height)
    }

    pub fn with(inputs: Vec<Input>, width: u16, height: u16) -> Self {
        let mut bench = Self {
            state: State::new(Rect::new(0, 0, width, height), true, Work::default()),
            case: Case::in_memory(),
            copied: Vec::new(),
            quit: false,
        };
        let captures = (inputs, Arc::default());
        let index = apart::build_with(captures, Plan::new(1), &Progress::default(), |_| {});
        let mut overview = Overview::default();
        overview.extend(&index);
        let loading = Loading::default();
        bench.send(Message::Progress(update::Progress { index, overview: Arc::new(overview), loading }));
        bench
    }

    pub fn send(&mut self, message: Message) {
        let mut waiting = VecDeque::from([update(&mut self.state, message)]);
        while let Some(effect) = waiting.pop_front() {
            match effect {
                Effect::None
                | Effect::OpenEditor(_)
                | Effect::OpenText(_)
                | Effect::Remember(_)
                | Effect::Theme(_)
                | Effect::Redraw
                | Effect::Suspend => {}
                Effect::Many(effects) => waiting.extend(effects),
                Effect::Copy(text) => self.copied.push(text),
                Effect::Quit => self.quit = true,
                Effect::Start(job @ (Job::Change(_) | Job::AcceptCapture { .. } | Job::Undo | Job::Redo)) => {
                    jobs::change_case(&mut self.case, job);
                    waiting.push_back(update(&mut self.state, Message::Done(jobs::case_reply(&self.case))));
                }
                Effect::Start(job) => {
                    let early = std::cell::RefCell::new(Vec::new());
                    let last =
                        jobs::run(job, &AtomicBool::new(false), &|reply| early.borrow_mut().push(reply));
                    for reply in early.into_inner().into_iter().chain(last) {
                        waiting.push_back(update(&mut self.state, Message::Done(reply)));
                    }
                }
            }
        }
    }

    /// Types keys by name, separated by spaces: `j j Enter Ctrl-d`.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        for name in keys.split_whitespace() {
            let stroke = Stroke::parse(name).unwrap_or_else(|| panic!("no key {name}"));
            self.press(stroke.code, stroke.modifiers);
        }
        self
    }

    /// Types text as it stands.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            let code = if character == '\n' { KeyCode::Enter } else { KeyCode::Char(character) };
            self.press(code, KeyModifiers::NONE);
        }
        self
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let event = Event::Key(KeyEvent::new(code, modifiers));
        if let Some(message) = keys::message(&self.state, &event) {
            self.send(message);
        }
    }

    pub fn mouse(&mut self, kind: crossterm::event::MouseEventKind, column: u16, row: u16) {
        self.send(Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        self.send(Message::Resize(width, height));
    }

    pub fn buffer(&self) -> Buffer {
        let mut buffer = Buffer::empty(self.state.size);
        let theme = Theme::suited(Depth::Monochrome, false);
        views::render(&self.state, &theme, self.state.size, &mut buffer);
        buffer
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        let buffer = self.buffer();
        let mut out = String::new();
        for y in 0..buffer.area.height {
            let line: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// The frame number of the selected packet.
    pub fn frame(&self) -> u64 {
        self.state.packet().map_or(0, |packet| packet.frame().0)
    }

    #[track_caller]
    pub fn shows(&self, text: &str) {
        let screen = self.screen();
        assert!(screen.contains(text), "`{text}` is not on the screen:\n{screen}");
    }

    #[track_caller]
    pub fn hides(&self, text: &str) {
        let screen = self.screen();
        assert!(!screen.contains(text), "`{text}` is on the screen:\n{screen}");
    }
}
