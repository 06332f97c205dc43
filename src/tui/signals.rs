//! What ends or stops the program from outside: signals, a closed terminal, a panic in any thread.
//!
//! The event loop is asked to leave, saves, and gives the terminal back; where it does not come to that in time, the
//! terminal is given back here, and the program ends with the usual code. Every change is on disk before it is shown as
//! saved, so nothing is lost by that either.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Incoming, terminal};

/// How long the event loop gets to save and leave.
const GRACE: Duration = Duration::from_secs(10);
/// The exit code of a program that panicked.
pub const PANICKED: u8 = 101;
/// What shells add to the number of a signal.
const SIGNALLED: i32 = 128;

static LEAVING: AtomicI32 = AtomicI32::new(0);
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The exit code something from outside asks for; `None` while nothing does.
pub fn leaving() -> Option<u8> {
    if HAS_PANICKED.load(Ordering::SeqCst) {
        return Some(PANICKED);
    }
    match LEAVING.load(Ordering::SeqCst) {
        0 => None,
        signal => u8::try_from(SIGNALLED + signal).ok(),
    }
}

/// The terminal is gone, which counts as SIGHUP whether the signal comes or not.
pub fn hung_up() {
    let _ = LEAVING.compare_exchange(0, SIGHUP, Ordering::SeqCst, Ordering::SeqCst);
}

/// Listens from now on.
pub(super) fn listen(sender: SyncSender<Incoming>) -> Result<()> {
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            terminal::give_back();
            HAS_PANICKED.store(true, Ordering::SeqCst);
            let at =
                info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
            let what = info.payload_as_str().unwrap_or("no reason given");
            super::tell(&format!("this is a mistake in the program{at}: {what}"));
        }));
    });
    let mut signals =
        Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGCONT]).context("cannot listen for signals")?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in &mut signals {
            if signal == SIGCONT {
                let _ = sender.try_send(Incoming::Continued);
                continue;
            }
            // Ctrl-C in the analyst's own editor is the editor's.
            if matches!(signal, SIGINT | SIGQUIT) && terminal::is_lent() {
                continue;
            }
            let _ = LEAVING.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
            // A full queue means that the loop is awake and looks at `leaving` anyway.
            let _ = sender.try_send(Incoming::Leave);
            std::thread::sleep(GRACE);
            terminal::give_back();
            std::process::exit(i32::from(leaving().unwrap_or(PANICKED)));
        }
    })?;
    Ok(())
}
