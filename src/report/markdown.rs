//! Text made safe for Markdown: nothing a packet or a person wrote becomes markup, a link or HTML.

/// Escapes text so that a Markdown reader shows it as it is, on one line (line breaks become spaces).
pub fn escape(text: &str) -> String {
    let line = text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    let joined = line.collect::<Vec<_>>().join(" ");
    escape_line(&joined)
}

/// The same for text of several lines: line breaks stay, as hard breaks.
pub fn escape_lines(text: &str) -> String {
    text.lines().map(|line| escape_line(line.trim_end())).collect::<Vec<_>>().join("\\\n")
}

/// The same for a table cell, which never begins a line.
pub fn escape_cell(text: &str) -> String {
    let line = text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    escape_from(&line.collect::<Vec<_>>().join(" "), Position::Inside)
}

/// Text as a code span: nothing in it is markup, and it can be copied as it is.
pub fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    if text.trim().is_empty() {
        return String::new();
    }
    let fence = "`".repeat(run_of_backticks(&text) + 1);
    let pad = if text.contains('`') { " " } else { "" };
    // In a table even a code span needs its bars escaped (GFM §4.10).
    format!("{fence}{pad}{}{pad}{fence}", text.replace('|', "\\|"))
}

/// Where the text will stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    LineStart,
    Inside,
}

fn escape_line(line: &str) -> String {
    escape_from(line, Position::LineStart)
}

fn escape_from(line: &str, position: Position) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut previous = ' ';
    let mut at_start = position == Position::LineStart;
    for (at, character) in line.char_indices() {
        let rest = line.get(at..).unwrap_or_default();
        let dangerous = match character {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '&' | '~' | '$' => true,
            // Inside a word an underscore is no emphasis; in tables of names it would only hurt the eye.
            '_' => !(previous.is_alphanumeric() && rest.chars().nth(1).is_some_and(char::is_alphanumeric)),
            '!' => rest.starts_with("!["),
            '#' | '+' | '-' | '=' => at_start,
            // A list or an autolink would begin here.
            '.' | ')' if begins_list(position, line, at) => true,
            '.' => ends_with_www(line.get(..at).unwrap_or_default()),
            ':' => rest.starts_with("://"),
            '@' => previous.is_alphanumeric(),
            _ => false,
        };
        if dangerous {
            out.push('\\');
        }
        if crate::text::is_unsafe(character) {
            out.push_str(&crate::text::escape(&character.to_string()).replace('\\', "\\\\"));
        } else {
            out.push(character);
        }
        at_start = at_start && character.is_whitespace();
        previous = character;
    }
    out
}

/// `1.` or `1)` before a blank at the beginning of a line.
fn begins_list(position: Position, line: &str, at: usize) -> bool {
    let after = line.get(at + 1..).unwrap_or_default();
    position == Position::LineStart
        && (after.is_empty() || after.starts_with(char::is_whitespace))
        && line.get(..at).is_some_and(is_digits)
}

fn is_digits(text: &str) -> bool {
    let text = text.trim_start();
    !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn ends_with_www(text: &str) -> bool {
    text.get(text.len().saturating_sub(3)..).is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

/// A fenced block that no line of the text can end.
pub fn fence(lines: &[String]) -> String {
    let longest = lines.iter().map(|line| run_of_backticks(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let body: Vec<String> = lines.iter().map(|line| line.replace(['\n', '\r'], " ")).collect();
    format!("{fence}text\n{}\n{fence}", body.join("\n"))
}

fn run_of_backticks(line: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for character in line.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulldown_cmark::{Event, Options, Parser};

    /// What a Markdown reader shows of a text, and whether it saw anything but plain text.
    fn read(markdown: &str) -> (String, bool) {
        let mut shown = String::new();
        let mut plain = true;
        for event in Parser::new_ext(markdown, Options::all()) {
            match event {
                Event::Text(text) => shown.push_str(&text),
                Event::Start(pulldown_cmark::Tag::Paragraph)
                | Event::End(pulldown_cmark::TagEnd::Paragraph) => {}
                _ => plain = false,
            }
        }
        (shown, plain)
    }

    #[test]
    fn hostile_names_stay_literal() {
        for name in [
            "*x*|[a](b)<script>alert(1)</script>",
            "`code` ``more`` ~~gone~~ $math$",
            "![image](http://192.0.2.1/x.png)",
            "# heading",
            "- list",
            "1. list",
            "1) list",
            "+ list",
            "_a_ __b__ a_b_c",
            "&lt;b&gt; &amp;",
            "[ref]: http://192.0.2.1",
            "[^1] footnote",
            "==== ----",
            "=====",
            "> quote",
            "a\\*b\\",
            "---",
        ] {
            let (shown, plain) = read(&escape(name));
            assert!(plain, "{name} became {:?}", escape(name));
            // The reader may replace dots and dashes by typographic ones, nothing else.
            assert_eq!(shown.replace('–', "--").replace('—', "---"), name, "from {:?}", escape(name));
        }
    }

    #[test]
    fn addresses_in_text_do_not_become_links() {
        assert_eq!(escape("www.example.com http://a"), "www\\.example.com http\\://a");
        assert_eq!(escape("type 3, code 3 (192.0.2.1:53)"), "type 3, code 3 (192.0.2.1:53)");
    }

    #[test]
    fn control_characters_are_shown_and_lines_joined() {
        assert_eq!(escape("a\u{1b}[31m\nb"), "a\\\\x1b\\[31m b");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        let text = fence(&["````".to_owned()]);
        assert!(text.starts_with("`````text\n"));
    }
}
