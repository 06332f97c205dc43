//! Draws the real program's screen as SVG: runs it in a terminal of its own, presses keys, and writes what it shows.
//!
//! `screenshot OUT.svg 160x45 STEP… -- PROGRAM ARGUMENT…`, where a STEP is `wait=TEXT`, `type=TEXT` or
//! `key=NAME` (`enter`, `esc`, `tab`, `up`, `down`, `pagedown`, `ctrl-x`, …). `scripts/screenshots.sh` makes all of them.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use termlens::{Color, Key, Screen, Style, Terminal};

const FONT_PX: f64 = 16.0;
/// `DejaVu Sans Mono`: advance and line height in parts of the size.
const CELL_WIDTH_PX: f64 = FONT_PX * 0.602_05;
const CELL_HEIGHT_PX: f64 = FONT_PX * 1.164;
const BASELINE_PX: f64 = FONT_PX * 0.928;
const MARGIN_PX: f64 = 10.0;

const FOREGROUND: &str = "#d5dae3";
const BACKGROUND: &str = "#12161d";
/// The sixteen named colours of a usual dark terminal.
const PALETTE: [&str; 16] = [
    "#1d232d", "#e5616b", "#8ec46d", "#dfb45f", "#62a6ee", "#c47fd9", "#56b8c2", "#b8c0cc", "#667085",
    "#f58b92", "#aee08f", "#f2cd83", "#8fc3ff", "#dda3ee", "#83d6de", "#eef1f5",
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let split = arguments.iter().position(|word| word == "--").context("no `--` before the program")?;
    let (ours, program) = arguments.split_at(split);
    let [out, size, steps @ ..] = ours else {
        bail!("usage: screenshot OUT.svg 160x45 STEP… -- PROGRAM …")
    };
    let [_, program, rest @ ..] = program else { bail!("no program after `--`") };
    let (columns, rows) = size.split_once('x').context("the size is written 160x45")?;
    let home = tempfile::tempdir()?;
    let mut terminal = Terminal::builder()
        .size(columns.parse()?, rows.parse()?)
        .timeout(Duration::from_secs(20))
        .env_clear()
        .env("HOME", home.path())
        .env("TERM", "xterm-256color")
        .env("COLORTERM", "truecolor")
        .env("LANG", "C.UTF-8")
        .background_rgb(0x12, 0x16, 0x1d)
        .foreground_rgb(0xd5, 0xda, 0xe3)
        .args(rest)
        .spawn(program)?;
    terminal.wait_stable(Duration::from_millis(300))?;
    for step in steps {
        perform(&mut terminal, step).with_context(|| format!("step {step}"))?;
    }
    let screen = terminal.wait_stable(Duration::from_millis(500))?;
    std::fs::write(out, svg(&screen)).with_context(|| format!("cannot write {out}"))?;
    Ok(())
}

fn perform(terminal: &mut Terminal, step: &str) -> Result<()> {
    match step.split_once('=').context("a step is NAME=VALUE")? {
        ("wait", text) => terminal.wait_until(|screen| screen.contains(text))?,
        ("type", text) => terminal.send_str(text)?,
        ("key", name) => send_key(terminal, name)?,
        (other, _) => bail!("no step {other}"),
    }
    terminal.wait_stable(Duration::from_millis(150))?;
    Ok(())
}

fn send_key(terminal: &mut Terminal, name: &str) -> Result<()> {
    if let Some(letter) = name.strip_prefix("ctrl-").and_then(|rest| rest.chars().next()) {
        return Ok(terminal.send(Key::Char(letter).ctrl())?);
    }
    let key = match name {
        "enter" => Key::Enter,
        "esc" => Key::Esc,
        "tab" => Key::Tab,
        "backtab" => Key::BackTab,
        "up" => Key::Up,
        "down" => Key::Down,
        "left" => Key::Left,
        "right" => Key::Right,
        "pagedown" => Key::PageDown,
        "pageup" => Key::PageUp,
        "home" => Key::Home,
        "end" => Key::End,
        _ => bail!("no key {name}"),
    };
    Ok(terminal.send(key)?)
}

/// Every glyph is put at the place of its cell, so that no font can shift the columns.
fn svg(screen: &Screen) -> String {
    let width = f64::from(screen.cols()) * CELL_WIDTH_PX + 2.0 * MARGIN_PX;
    let height = f64::from(screen.rows()) * CELL_HEIGHT_PX + 2.0 * MARGIN_PX;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.1}\" height=\"{height:.1}\" \
         font-family=\"DejaVu Sans Mono\" font-size=\"{FONT_PX}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..screen.rows() {
        background(&mut out, screen, row);
    }
    for row in 0..screen.rows() {
        foreground(&mut out, screen, row);
    }
    out.push_str("</svg>\n");
    out
}

fn background(out: &mut String, screen: &Screen, row: u16) {
    let mut column = 0;
    while column < screen.cols() {
        let colour = screen.cell(row, column).map_or(BACKGROUND.to_owned(), |cell| painted(cell.style()).1);
        let from = column;
        while column < screen.cols()
            && screen.cell(row, column).is_some_and(|cell| painted(cell.style()).1 == colour)
        {
            column += 1;
        }
        column = column.max(from + 1);
        if colour != BACKGROUND {
            let _ = writeln!(
                out,
                "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{colour}\"/>",
                MARGIN_PX + f64::from(from) * CELL_WIDTH_PX,
                MARGIN_PX + f64::from(row) * CELL_HEIGHT_PX,
                // A hair wider, so that neighbours of one colour show no seam.
                f64::from(column - from) * CELL_WIDTH_PX + 0.3,
                CELL_HEIGHT_PX + 0.3
            );
        }
    }
}

fn foreground(out: &mut String, screen: &Screen, row: u16) {
    let mut column = 0;
    while column < screen.cols() {
        let Some(cell) = screen.cell(row, column) else { break };
        let style = *cell.style();
        let (mut places, mut text) = (String::new(), String::new());
        while let Some(cell) = screen.cell(row, column).filter(|cell| *cell.style() == style) {
            if !cell.is_wide_continuation() {
                let contents = if cell.contents().is_empty() { " " } else { cell.contents() };
                let _ = write!(places, "{:.2} ", MARGIN_PX + f64::from(column) * CELL_WIDTH_PX);
                // A place for each further character of the cell would move it; they combine with the first.
                text.push_str(contents);
            }
            column += 1;
        }
        if style.conceal || (text.trim().is_empty() && !style.underline) {
            continue;
        }
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{:.2}\" fill=\"{}\"{} xml:space=\"preserve\">{}</text>",
            places.trim_end(),
            MARGIN_PX + f64::from(row) * CELL_HEIGHT_PX + BASELINE_PX,
            painted(&style).0,
            attributes(&style),
            escaped(&text)
        );
    }
}

fn attributes(style: &Style) -> String {
    let mut out = String::new();
    for (on, attribute) in [
        (style.bold, " font-weight=\"bold\""),
        (style.italic, " font-style=\"italic\""),
        (style.dim, " opacity=\"0.6\""),
        (style.underline, " text-decoration=\"underline\""),
    ] {
        if on {
            out.push_str(attribute);
        }
    }
    out
}

/// Foreground and background as they are seen.
fn painted(style: &Style) -> (String, String) {
    let (front, back) = (colour(style.fg, FOREGROUND), colour(style.bg, BACKGROUND));
    if style.reverse { (back, front) } else { (front, back) }
}

fn colour(colour: Color, default: &str) -> String {
    match colour {
        Color::Default => default.to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Indexed(index) => match index {
            0..=15 => PALETTE.get(usize::from(index)).copied().unwrap_or(default).to_owned(),
            16..=231 => {
                let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
                let cube = index - 16;
                format!("#{:02x}{:02x}{:02x}", level(cube / 36), level(cube / 6 % 6), level(cube % 6))
            }
            232..=255 => {
                let grey = 8 + 10 * (index - 232);
                format!("#{grey:02x}{grey:02x}{grey:02x}")
            }
        },
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
