//! Takes from a line what terminals, web pages, mail programs and log shippers put into it.

use std::borrow::Cow;

use crate::capture::transcript::{list, moment};

/// An escape of an escape of an escape is as deep as quotation goes.
const ENTITY_ROUNDS_MAX: usize = 4;
/// The longest character reference that is looked for, with `&` and `;`.
const ENTITY_MAX_BYTES: usize = 12;
/// The longest tag that is looked for.
const TAG_MAX_BYTES: usize = 512;

/// Tags that stand for nothing, and those that end a line.
const INLINE_TAGS: &[&str] = &[
    "a", "b", "i", "u", "s", "em", "strong", "code", "span", "font", "tt", "small", "big", "kbd", "samp",
    "td", "th", "html", "body", "mark", "wbr", "sup", "sub", "ins", "del",
];
const BLOCK_TAGS: &[&str] = &[
    "br",
    "p",
    "div",
    "li",
    "ul",
    "ol",
    "tr",
    "pre",
    "blockquote",
    "table",
    "tbody",
    "thead",
    "h1",
    "h2",
    "h3",
    "h4",
    "hr",
    "details",
    "summary",
    "section",
];
/// Marks of forums, between square brackets.
const FORUM_MARKS: &[&str] = &[
    "b", "i", "u", "s", "code", "quote", "color", "size", "font", "url", "pre", "mono", "list", "spoiler",
    "noparse", "icode", "plain",
];

/// Appends the line to `lines`, cleaned; more than one where line ends were written as marks.
pub(super) fn clean<'t>(line: &'t str, lines: &mut Vec<Cow<'t, str>>) {
    let is_plain = line.bytes().fold(true, |plain, byte| plain & !is_special(byte));
    // Brackets are common in packets, and of those only links and marks of forums are taken apart.
    if is_plain && !has_links(line.as_bytes()) {
        lines.push(Cow::Borrowed(line));
        return;
    }
    let line = without_escapes(line);
    match strings(&line) {
        Some(strings) => strings.iter().flat_map(|text| text.split('\n')).for_each(|part| marks(part, lines)),
        None => marks(&line, lines),
    }
}

/// Whether `](` or `[/` stands in a line.
fn has_links(line: &[u8]) -> bool {
    let before =
        |mark: u8, next: u8| memchr::memchr_iter(mark, line).any(|at| line.get(at + 1) == Some(&next));
    before(b']', b'(') || before(b'[', b'/')
}

/// Whether a byte can begin something that is no part of the text itself.
fn is_special(byte: u8) -> bool {
    !matches!(byte, b'\t' | 0x20..=0x7e) || matches!(byte, b'&' | b'<' | b'\\' | b'`' | b'^' | b'{')
}

fn marks(line: &str, lines: &mut Vec<Cow<'_, str>>) {
    let mut text = Cow::Borrowed(line);
    if text.contains('<') {
        text = Cow::Owned(without_tags(&text));
    }
    for _ in 0..ENTITY_ROUNDS_MAX {
        let Some(plain) =
            Some(&text).filter(|text| text.contains('&')).and_then(|text| without_entities(text))
        else {
            break;
        };
        text = Cow::Owned(plain);
    }
    if !text.is_ascii() {
        text = Cow::Owned(in_plain_characters(&text));
    }
    if text.contains('[') {
        text = Cow::Owned(without_links(&text));
    }
    if text.contains(['`', '\\']) {
        text = Cow::Owned(without_markdown(&text));
    }
    lines.extend(text.split('\n').map(|line| Cow::Owned(line.to_owned())));
}

/// Drops colours and other orders to a terminal, and control characters; a backspace takes back what stands before it.
fn without_escapes(line: &str) -> Cow<'_, str> {
    let is_control = |c: char| c.is_control() && c != '\t';
    if !line.contains("^[[") && !line.contains(is_control) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest
            .strip_prefix('\u{1b}')
            .or_else(|| rest.strip_prefix("^[").filter(|after| after.starts_with('[')))
        {
            rest = after_escape(after);
            continue;
        }
        rest = rest.get(c.len_utf8()..).unwrap_or("");
        match c {
            '\u{8}' => {
                out.pop();
            }
            _ if is_control(c) => {}
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Passes what follows ESC (ECMA-48 §5.4): parameters and a final letter; titles of windows up to BEL.
fn after_escape(text: &str) -> &str {
    if let Some(order) = text.strip_prefix('[') {
        let end = order.find(|c: char| matches!(c, '@'..='~')).map_or(order.len(), |at| at + 1);
        return order.get(end..).unwrap_or("");
    }
    if let Some(title) = text.strip_prefix(']') {
        let end = title.find(['\u{7}', '\u{1b}']).map_or(0, |at| at + 1);
        return title.get(end..).unwrap_or("");
    }
    let end = text.chars().next().map_or(0, |c| if matches!(c, '(' | ')') { 2 } else { c.len_utf8() });
    text.get(end..).unwrap_or("")
}

/// The strings of a line of JSON that can be lines of a log, or the line with its escapes undone; `None` where it has none.
fn strings(line: &str) -> Option<Vec<String>> {
    let start = line.trim_start();
    let is_json = start.starts_with("{\"")
        || start.starts_with("[\"")
        || start.starts_with('"')
        || start.starts_with("[{");
    let has_escapes = ["\\n", "\\u00", "\\t", "\\\"", "\\x3e"].iter().any(|escape| line.contains(escape));
    // A row of a table in quotation marks is one line.
    if !is_json && !has_escapes || start.starts_with('"') && list::row(line).is_some() {
        return None;
    }
    if !is_json || !line.contains("\":") && !line.contains("\",") {
        return has_escapes.then(|| vec![unescaped(line)]);
    }
    let mut found = Vec::new();
    let mut written = None;
    let mut rest = line;
    while let Some(open) = rest.find('"') {
        let inner = rest.get(open + 1..).unwrap_or("");
        let mut escaped = false;
        let close = inner.find(|c| {
            let is_end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end
        });
        let text = inner.get(..close.unwrap_or(inner.len())).unwrap_or("");
        // Times, names and keys have no blanks.
        if text.contains(' ') {
            // The end of the line in the log is that of this line.
            let own = unescaped(text);
            found.push(own.strip_suffix('\n').unwrap_or(&own).to_owned());
        } else if text.ends_with('Z') && moment(text).is_some() {
            written = Some(text);
        }
        rest = close.and_then(|close| inner.get(close + 1..)).unwrap_or("");
    }
    // When the line was written tells the date of its packet.
    if let (Some(written), [only]) = (written, found.as_mut_slice()) {
        only.insert(0, ' ');
        only.insert_str(0, written);
    }
    (!found.is_empty()).then_some(found)
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let escape = rest.get(at + 1..).unwrap_or("");
        let code = |from: usize, digits: usize| {
            let text = escape.get(from..from + digits)?;
            char::from_u32(u32::from_str_radix(text, 16).ok()?)
        };
        let (c, length) = match escape.chars().next() {
            Some('n') => (Some('\n'), 1),
            Some('r') => (None, 1),
            Some('t') => (Some('\t'), 1),
            Some(c @ ('"' | '\\' | '/' | '\'')) => (Some(c), 1),
            Some('u') if code(1, 4).is_some() => (code(1, 4), 5),
            Some('x') if code(1, 2).is_some() => (code(1, 2), 3),
            _ => (Some('\\'), 0),
        };
        out.extend(c);
        rest = escape.get(length..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

/// Drops the tags of a web page, and addresses that a mail program put behind a name: `www.example.com<http://www.example.com/>`.
fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let inside = rest.get(at + 1..).unwrap_or("");
        let end = inside.bytes().take(TAG_MAX_BYTES).position(|byte| byte == b'>');
        let inner = end.and_then(|end| inside.get(..end)).unwrap_or("");
        let name =
            inner.trim_start_matches('/').split([' ', '/', '\t']).next().unwrap_or("").to_ascii_lowercase();
        let is_link =
            ["http:", "https:", "mailto:", "ftp:", "!--"].iter().any(|scheme| inner.starts_with(scheme));
        if end.is_some() && (is_link || INLINE_TAGS.contains(&name.as_str())) {
            rest = inside.get(inner.len() + 1..).unwrap_or("");
        } else if end.is_some() && BLOCK_TAGS.contains(&name.as_str()) {
            out.push('\n');
            rest = inside.get(inner.len() + 1..).unwrap_or("");
        } else {
            out.push('<');
            rest = inside;
        }
    }
    out.push_str(rest);
    out
}

/// The text with its character references replaced; `None` where it has none.
fn without_entities(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut found) = (text, false);
    while let Some(at) = rest.find('&') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let inside = rest.get(at + 1..).unwrap_or("");
        let end = inside.bytes().take(ENTITY_MAX_BYTES).position(|byte| byte == b';');
        if let Some((c, end)) = end.and_then(|end| Some((entity(inside.get(..end)?)?, end))) {
            found = true;
            out.push(c);
            rest = inside.get(end + 1..).unwrap_or("");
        } else {
            out.push('&');
            rest = inside;
        }
    }
    out.push_str(rest);
    found.then_some(out)
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let hexadecimal = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
        return char::from_u32(hexadecimal.unwrap_or_else(|| number.parse()).ok()?);
    }
    Some(match name {
        "gt" | "GT" | "rsaquo" | "raquo" | "rarr" | "RightArrow" => '>',
        "lt" | "LT" | "lsaquo" | "laquo" => '<',
        "amp" | "AMP" => '&',
        "quot" | "ldquo" | "rdquo" => '"',
        "apos" | "lsquo" | "rsquo" => '\'',
        "nbsp" | "ensp" | "emsp" | "thinsp" => ' ',
        "Tab" => '\t',
        "NewLine" => '\n',
        "lbrack" | "lsqb" => '[',
        "rbrack" | "rsqb" => ']',
        "lpar" => '(',
        "rpar" => ')',
        "colon" => ':',
        "period" => '.',
        "plus" => '+',
        "num" => '#',
        "ast" => '*',
        "vert" | "verbar" => '|',
        "hyphen" | "ndash" | "mdash" | "minus" => '-',
        "shy" | "zwnj" | "zwj" | "ZeroWidthSpace" => '\u{200b}',
        _ => return None,
    })
}

/// Blanks of every width become blanks, marks without width nothing, arrows `>`, dashes and quotation marks those of ASCII.
fn in_plain_characters(text: &str) -> String {
    // UTF-8 that was read as Windows-1252 or Mac Roman and saved again.
    let mut text = Cow::Borrowed(text);
    for (twice, once) in
        [("â€º", ">"), ("‚Ä∫", ">"), ("â†’", ">"), ("â€“", "-"), ("Â\u{a0}", " "), ("Â ", " ")]
    {
        if text.contains(twice) {
            text = Cow::Owned(text.replace(twice, once));
        }
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{1680}' => {
                out.push(' ');
            }
            '\u{2028}' | '\u{2029}' | '\u{85}' => out.push('\n'),
            '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2060}'..='\u{2064}'
            | '\u{feff}'
            | '\u{202a}'..='\u{202e}'
            | '\u{fe0e}'
            | '\u{fe0f}' => {}
            '›' | '»' | '→' | '⟶' | '➜' | '➔' | '⇒' | '❯' | '≻' | '＞' => out.push('>'),
            '‹' | '«' => out.push('<'),
            '‘' | '’' | '‚' | '‛' | '′' => out.push('\''),
            '“' | '”' | '„' | '‟' | '″' => out.push('"'),
            '‐' | '‑' | '‒' | '–' | '—' | '−' => out.push('-'),
            '…' => out.push_str("..."),
            '│' | '┃' | '║' | '┆' | '¦' => out.push('|'),
            '\u{ff01}'..='\u{ff5e}' => out.extend(char::from_u32(u32::from(c) - 0xfee0)),
            _ => out.push(c),
        }
    }
    out
}

/// Takes links and the marks of forums apart: `[www.example.com](http://www.example.com/)`, `[b]IP[/b]`.
fn without_links(text: &str) -> String {
    let is_closed = |name: &&str| text.contains(&format!("[/{name}]"));
    let names = if text.contains("[/") { FORUM_MARKS } else { &[] };
    let closed: Vec<&str> = names.iter().copied().filter(is_closed).collect();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('[') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let inside = rest.get(at + 1..).unwrap_or("");
        let end = inside.bytes().take(TAG_MAX_BYTES).position(|byte| byte == b']');
        let Some((inner, after)) = end.and_then(|end| Some((inside.get(..end)?, inside.get(end + 1..)?)))
        else {
            out.push('[');
            rest = inside;
            continue;
        };
        let name = inner.trim_start_matches('/').split(['=', ' ']).next().unwrap_or("");
        let target = after
            .strip_prefix('(')
            .filter(|target| target.starts_with("http") || target.starts_with("mailto:"));
        if let Some(target) = target {
            out.push_str(inner);
            rest = target.find(')').and_then(|end| target.get(end + 1..)).unwrap_or("");
        } else if closed.contains(&name) {
            rest = after;
        } else {
            out.push('[');
            rest = inside;
        }
    }
    out.push_str(rest);
    out
}

/// Drops back quotes, and the backslash before a mark that Markdown would read.
fn without_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escapes = c == '\\' && chars.peek().is_some_and(|next| ">_[]*#.()|`~<-+!$".contains(*next));
        if c != '`' && !escapes {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(line: &str) -> Vec<Cow<'_, str>> {
        let mut lines = Vec::new();
        clean(line, &mut lines);
        lines
    }

    #[test]
    fn what_is_not_of_the_text_goes_and_what_is_stays() {
        for (from, to) in [
            ("\u{1b}[36mtcpdump-1 | \u{1b}[0m14:00", "tcpdump-1 | 14:00"),
            ("^[[36mx^[[0m", "x"),
            ("ab\u{8}c\u{3}", "ac"),
            ("a &gt; b", "a > b"),
            ("a &amp;amp;gt; b &#62; c &#x3e; d", "a > b > c > d"),
            (
                "<b>IP</b> <client>.1 > [redacted].2: Flags [S], win 1",
                "IP <client>.1 > [redacted].2: Flags [S], win 1",
            ),
            ("A? www.example.com.<http://www.example.com/> (33)", "A? www.example.com. (33)"),
            ("[www.example.com](http://www.example.com/). (33)", "www.example.com. (33)"),
            ("[b]IP[/b] a > b: Flags [S.]", "IP a > b: Flags [S.]"),
            ("a → b\u{200b}c\u{a0}d", "a > bc d"),
            ("`a \\> b\\_c`", "a > b_c"),
            ("msg=\"a \\u003e b\\tc\"", "msg=\"a > b\tc\""),
            ("a & b; c < d", "a & b; c < d"),
        ] {
            assert_eq!(cleaned(from), [to], "{from}");
        }
    }

    #[test]
    fn strings_of_json_become_lines() {
        let line =
            r#"{"time":"2024-01-01T10:00:00Z","log":"IP a \u003e b: \"x\"\n    c d\n","stream":"stdout"}"#;
        // When the line was written goes before it, as log shippers put it there.
        assert_eq!(cleaned(line), ["2024-01-01T10:00:00Z IP a > b: \"x\"", "    c d"]);
        assert_eq!(cleaned("a<br>b"), ["a", "b"]);
    }
}
