//! Fits text into cells: clipping with an ellipsis, wrapping at words, and writing that never leaves the buffer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// Cells a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts a text to `cells`, ending in `…` where something is missing.
pub fn clip(text: &str, cells: usize) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for cluster in text.graphemes(true) {
        if used + cluster.width() + 1 > cells {
            break;
        }
        used += cluster.width();
        out.push_str(cluster);
    }
    if cells > 0 {
        out.push('…');
    }
    out
}

/// Cuts a text to `cells` in its middle: both ends of an address or a path say more than its beginning.
pub fn clip_middle(text: &str, cells: usize) -> String {
    if text.width() <= cells || cells < 5 {
        return clip(text, cells);
    }
    let tail_cells = (cells - 1) / 2;
    let head_cells = cells - 1 - tail_cells;
    let mut head = String::new();
    let mut used = 0;
    for cluster in text.graphemes(true) {
        if used + cluster.width() > head_cells {
            break;
        }
        used += cluster.width();
        head.push_str(cluster);
    }
    let mut tail = Vec::new();
    used = 0;
    for cluster in text.graphemes(true).rev() {
        if used + cluster.width() > tail_cells {
            break;
        }
        used += cluster.width();
        tail.push(cluster);
    }
    tail.reverse();
    format!("{head}…{}", tail.concat())
}

/// Clips and pads with spaces to exactly `cells`.
pub fn pad(text: &str, cells: usize) -> String {
    let mut out = clip(text, cells);
    let missing = cells.saturating_sub(out.width());
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// Clips and pads on the left to exactly `cells`.
pub fn pad_left(text: &str, cells: usize) -> String {
    let clipped = clip(text, cells);
    let missing = cells.saturating_sub(clipped.width());
    format!("{}{clipped}", " ".repeat(missing))
}

/// Breaks a text into lines of at most `cells`, at spaces where there are any; line breaks are kept.
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split_word_bounds() {
            let word_cells = word.width();
            if used + word_cells <= cells {
                line.push_str(word);
                used += word_cells;
                continue;
            }
            if word.trim().is_empty() {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
                used = 0;
                continue;
            }
            if word_cells <= cells && !line.trim().is_empty() {
                let carried = split_last_word(&mut line, word);
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
                line = carried;
                line.push_str(word);
                used = line.width();
                if used <= cells {
                    continue;
                }
                line.truncate(line.len() - word.len());
            }
            used = line.width();
            for cluster in word.graphemes(true) {
                if used + cluster.width() > cells && used > 0 {
                    lines.push(std::mem::take(&mut line).trim_end().to_owned());
                    used = 0;
                }
                line.push_str(cluster);
                used += cluster.width();
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// Takes back what stands after the line's last space, so that `203.0.113.2,` or `port/code` is not torn
/// apart between its pieces.
fn split_last_word(line: &mut String, next: &str) -> String {
    if next.starts_with(char::is_whitespace) || line.ends_with(char::is_whitespace) {
        return String::new();
    }
    match line.rfind(' ') {
        Some(at) if !line.get(..at).unwrap_or_default().trim().is_empty() => {
            let carried = line.get(at + 1..).unwrap_or_default().to_owned();
            line.truncate(at);
            carried
        }
        _ => String::new(),
    }
}

/// Writes text at a place, at most `cells` wide; returns the column after it. Outside the buffer nothing happens.
pub fn put(buffer: &mut Buffer, at: (u16, u16), cells: u16, text: &str, style: Style) -> u16 {
    let area = *buffer.area();
    let (x, y) = at;
    if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() || cells == 0 {
        return x;
    }
    let room = cells.min(area.right() - x);
    buffer.set_stringn(x, y, clip(text, usize::from(room)), usize::from(room), style).0
}

/// Writes a line of styled pieces into one row of `area`; the piece that does not fit ends in `…`.
pub fn put_line(buffer: &mut Buffer, area: Rect, row: u16, line: &Line<'_>) {
    let y = area.y.saturating_add(row);
    if row >= area.height {
        return;
    }
    let mut x = area.x;
    for span in &line.spans {
        let left = area.right().saturating_sub(x);
        if left == 0 {
            return;
        }
        x = put(buffer, (x, y), left, &span.content, line.style.patch(span.style));
    }
}

/// Cells a line takes.
pub fn line_width(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|span| span.content.width()).sum()
}

/// The first visible row so that `selected` of `count` rows is among `height`, moving as little as possible.
pub fn scroll_to(top: usize, selected: usize, count: usize, height: usize) -> usize {
    if height == 0 {
        return 0;
    }
    let last_top = count.saturating_sub(height);
    let top = top.min(last_top);
    if selected < top {
        selected
    } else if selected >= top + height {
        selected + 1 - height
    } else {
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_cut_without_an_ellipsis() {
        assert_eq!(clip("yummyrecipesforme.com", 8), "yummyre…");
        assert_eq!(clip("日本語", 4), "日…");
        assert_eq!(clip("abc", 0), "");
        assert_eq!(clip_middle("2001:db8:1:2:3:4:5:53", 11), "2001:…:5:53");
    }

    #[test]
    fn words_wrap_and_long_words_break() {
        assert_eq!(wrap("port 53 of 203.0.113.2, twice", 12), ["port 53 of", "203.0.113.2,", "twice"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("a\n\nb", 3), ["a", "", "b"]);
        assert_eq!(wrap("日本語", 1), ["日", "本", "語"]);
        assert_eq!(wrap("the fault lasted", 9), ["the fault", "lasted"]);
    }

    #[test]
    fn every_character_survives_wrapping() {
        let text = "The ICMP echo reply returned: 203.0.113.2/udp (port 53) «to be completed» e\u{301}";
        for cells in 1..40 {
            let joined: String = wrap(text, cells).concat().chars().filter(|c| *c != ' ').collect();
            assert_eq!(joined, text.chars().filter(|c| *c != ' ').collect::<String>());
        }
    }

    #[test]
    fn scrolling_keeps_the_selection_in_sight() {
        assert_eq!(scroll_to(0, 30, 100, 10), 21);
        assert_eq!(scroll_to(50, 30, 100, 10), 30);
        assert_eq!(scroll_to(95, 97, 100, 10), 90);
    }
}
