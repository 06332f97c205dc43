//! The terminal: taken with a guard, given back whatever happens; draws frames, copies, lends itself to an editor.

use std::io::{self, IsTerminal as _, Write as _};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
    KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::own_editor;
use super::state::State;
use super::theme::{Depth, Theme};

/// Text longer than this is not put on the clipboard: terminals refuse it.
const COPY_MAX_BYTES: usize = 100_000;
/// How long a signal to stop may take to arrive.
const STOP_WAIT: Duration = Duration::from_millis(50);

static TAKEN: AtomicBool = AtomicBool::new(false);
static KEYBOARD: AtomicBool = AtomicBool::new(false);
static LENT: Mutex<bool> = Mutex::new(false);
static BACK: Condvar = Condvar::new();

/// The terminal in our hands.
pub struct Screen {
    /// Never dropped: that would print to a terminal which may be gone. [`give_back`] shows the cursor again.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<io::Stdout>>>,
    theme: Theme,
    /// Starts the analyst's editor where the program itself may not.
    editor: Option<own_editor::Helper>,
}

impl Screen {
    /// Takes the terminal: raw mode, alternate screen, mouse, bracketed paste, distinguishable keys. Without a theme the
    /// terminal's background decides.
    pub fn open(theme: Option<&str>, editor: Option<own_editor::Helper>) -> Result<Self> {
        if !io::stdout().is_terminal() {
            bail!(
                "the full screen needs a terminal; for pipes there are `portmortem packets FILE` and `portmortem report FILE`"
            );
        }
        // Asked before the terminal is ours: the answer comes through it.
        let depth = depth();
        let theme = match theme {
            Some(name) => Theme::chosen(name, depth),
            None => Theme::suited(depth, has_light_background(depth)),
        };
        take().context("cannot take the terminal")?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        if terminal.is_err() {
            give_back();
        }
        Ok(Self { terminal: ManuallyDrop::new(terminal?), theme, editor })
    }

    /// Columns and rows.
    pub fn size(&self) -> Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Takes another theme.
    pub fn paint(&mut self, theme: &str) {
        self.theme = Theme::chosen(theme, depth());
    }

    /// Draws a state as one synchronized update.
    pub fn draw(&mut self, state: &State) -> Result<()> {
        queue!(io::stdout(), BeginSynchronizedUpdate)?;
        let theme = &self.theme;
        self.terminal.draw(|frame| {
            let area = frame.area();
            super::views::render(state, theme, area, frame.buffer_mut());
        })?;
        execute!(io::stdout(), EndSynchronizedUpdate)?;
        Ok(())
    }

    /// Puts text on the clipboard of the terminal (OSC 52), which works over SSH too.
    pub fn copy(&mut self, text: &str) -> Result<()> {
        let mut end = text.len().min(COPY_MAX_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text.get(..end).unwrap_or_default()))?;
        Ok(())
    }

    /// Lends the terminal to the analyst's editor and gives back what was written.
    pub fn edit(&mut self, text: &str) -> Result<String> {
        let mut file = tempfile::Builder::new().prefix(own_editor::PREFIX).suffix(".md").tempfile()?;
        file.write_all(text.as_bytes())?;
        file.flush()?;
        lend(true);
        give_back();
        let edited = match &mut self.editor {
            Some(helper) => helper.edit(file.path()),
            None => own_editor::edit(file.path()),
        };
        self.take_back()?;
        edited?;
        Ok(std::fs::read_to_string(file.path())?)
    }

    /// Stops the program until the shell lets it go on.
    pub fn suspend(&mut self) -> Result<()> {
        lend(true);
        give_back();
        // Whoever feeds a pipe stops as well, as with any other program. Where no shell could let it go on, nothing happens.
        let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
        // The signal may reach another thread first; the program must not take the terminal before it stops.
        std::thread::sleep(STOP_WAIT);
        self.take_back()
    }

    /// Takes the terminal again after somebody else had it.
    pub fn take_back(&mut self) -> Result<()> {
        take()?;
        lend(false);
        self.redraw()
    }

    /// Empties the screen, so that all of it is drawn next.
    pub fn redraw(&mut self) -> Result<()> {
        execute!(io::stdout(), Clear(ClearType::All))?;
        // Everything is drawn anew. (`Terminal::clear` asks where the cursor is, and the answer goes to who reads the keys.)
        self.terminal.swap_buffers();
        self.terminal.swap_buffers();
        Ok(())
    }

    /// Gives the terminal back.
    pub fn close(&mut self) {
        give_back();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = io::stdout();
    execute!(
        out,
        EnterAlternateScreen,
        EnableMouseCapture,
        EnableBracketedPaste,
        cursor::Hide,
        SetTitle("portmortem")
    )?;
    // Terminals that cannot do this ignore it.
    if execute!(out, PushKeyboardEnhancementFlags(KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES))
        .is_ok()
    {
        KEYBOARD.store(true, Ordering::SeqCst);
    }
    Ok(())
}

/// Gives the terminal back as it was; safe to call twice, and from a panic.
pub(super) fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    if KEYBOARD.swap(false, Ordering::SeqCst) {
        let _ = execute!(out, PopKeyboardEnhancementFlags);
    }
    let _ = execute!(out, DisableBracketedPaste, DisableMouseCapture, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

/// Whether somebody else has the terminal.
pub fn is_lent() -> bool {
    LENT.lock().is_ok_and(|lent| *lent)
}

fn lend(lent: bool) {
    if let Ok(mut state) = LENT.lock() {
        *state = lent;
    }
    BACK.notify_all();
}

/// Blocks while an editor has the terminal.
pub fn wait_while_lent() {
    let Ok(mut lent) = LENT.lock() else { return };
    while *lent {
        match BACK.wait(lent) {
            Ok(state) => lent = state,
            Err(_) => return,
        }
    }
}

/// Whether the terminal shows more than ASCII, by the locale.
pub fn shows_unicode() -> bool {
    let first = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    first.is_some_and(|value| {
        let value = value.to_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

fn depth() -> Depth {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let terminal = variable("TERM");
    if !variable("NO_COLOR").is_empty() || terminal == "dumb" || terminal.starts_with("vt") {
        return Depth::Monochrome;
    }
    let colours = variable("COLORTERM");
    if colours.contains("truecolor") || colours.contains("24bit") || terminal.contains("direct") {
        Depth::True
    } else if terminal.contains("256") || terminal.contains("kitty") || terminal.contains("alacritty") {
        Depth::Indexed
    } else {
        Depth::Sixteen
    }
}

fn has_light_background(depth: Depth) -> bool {
    use terminal_colorsaurus::{QueryOptions, ThemeMode, theme_mode};
    if !matches!(depth, Depth::True | Depth::Indexed) {
        return false;
    }
    match std::env::var("PORTMORTEM_THEME").as_deref() {
        Ok("light") => return true,
        Ok("dark") => return false,
        _ => {}
    }
    let mut options = QueryOptions::default();
    options.timeout = Duration::from_millis(200);
    theme_mode(options).is_ok_and(|mode| mode == ThemeMode::Light)
}
