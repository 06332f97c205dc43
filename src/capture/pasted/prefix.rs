//! Takes from the lines of a packet what a log shipper, a pager or an editor put before each of them.

/// Marks before a line that belong to no text: quotation, bullets, comments, tables.
const MARKS: &str = "> |#*;/+•·◦▪!";

/// A prefix with its numbers as one zero each and without the blanks that set them to the right, by which two of the same kind
/// are equal.
pub(super) fn shape(prefix: &str) -> String {
    let mut shape = String::new();
    for c in prefix.chars() {
        if !c.is_ascii_digit() {
            shape.push(c);
        } else if !shape.ends_with('0') {
            shape.truncate(shape.trim_end_matches(' ').len());
            shape.push('0');
        }
    }
    shape
}

/// Whether a line begins with a citation of a report: `F12`, `L3`, `B:F1`. What it quotes is no capture.
pub(super) fn is_citation(line: &str) -> bool {
    let word = line.split(' ').next().unwrap_or("");
    let label = word.split_once(':').filter(|(file, _)| file.len() == 1).map_or(word, |(_, label)| label);
    let number = label.strip_prefix(['F', 'L']).unwrap_or("");
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a line is of another container than the prefix, where names stand before a bar: `sniff-1  | `.
pub(super) fn is_of_another(line: &str, prefix: &str) -> bool {
    let name = |text: &str| -> Option<(usize, usize)> {
        let bar = text.find("| ").or_else(|| text.ends_with('|').then(|| text.len() - 1))?;
        let name = text.get(..bar)?.trim_end();
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && name.bytes().any(|byte| byte.is_ascii_alphabetic());
        is_name.then_some((name.len(), bar))
    };
    let (Some(own), Some(other)) = (name(prefix), name(line)) else { return false };
    own.1 == other.1 && prefix.get(..own.0) != line.get(..other.0)
}

/// The line without the prefix that stands before its packet's first line, or one of the same kind.
pub(super) fn without<'a>(line: &'a str, prefix: &str) -> &'a str {
    if prefix.is_empty() {
        return line;
    }
    if let Some(rest) = line.strip_prefix(prefix) {
        return rest;
    }
    alike(line, prefix).or_else(|| without_marks(line, prefix)).unwrap_or(line)
}

/// The text of a line without the end of the table it stands in, and the cells behind it.
pub(super) fn without_frame<'a>(text: &'a str, prefix: &str) -> &'a str {
    let is_table = prefix.trim_start().starts_with('|');
    let cell = if is_table { text.find(" | ").and_then(|end| text.get(..end)) } else { None };
    cell.unwrap_or(text).trim_end_matches([' ', '\t', '|', '\\'])
}

/// Passes what differs from the prefix by its numbers, their width, and `-` for `:` (grep writes it before lines of context).
fn alike<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    let mut rest = line;
    let mut expected = prefix.chars().peekable();
    let mut is_first = true;
    while let Some(c) = expected.next() {
        if c.is_ascii_digit() {
            while expected.next_if(char::is_ascii_digit).is_some() {}
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest = rest.get(digits..).filter(|_| digits > 0)?;
        } else if c == ' ' && (is_first || expected.peek().is_some_and(char::is_ascii_digit)) {
            // Numbers are set to the right.
            while expected.next_if_eq(&' ').is_some() {}
            rest = rest.trim_start_matches(' ');
        } else {
            let after = rest.strip_prefix(c);
            let context = || {
                (c == ':')
                    .then(|| rest.strip_prefix('-'))?
                    .or_else(|| (c == '-').then(|| rest.strip_prefix(':'))?)
            };
            rest = match after.or_else(context) {
                Some(after) => after,
                // A blank line has lost the blank at its end.
                None if c == ' ' && rest.is_empty() => rest,
                None => return None,
            };
        }
        is_first = false;
    }
    Some(rest)
}

/// Passes marks where the prefix is made of them.
fn without_marks<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    let marks = |text: &str| text.len() - text.trim_start_matches(|c: char| MARKS.contains(c)).len();
    let is_marks = marks(prefix) == prefix.len() && !prefix.trim().is_empty();
    let end = marks(line);
    (is_marks && end > 0 && line.starts_with(|c: char| c != ' ')).then(|| line.get(end..))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_a_kind_are_passed_and_indentation_is_kept() {
        for (line, prefix, rest) in [
            ("tcpdump_1 |     a > b", "tcpdump_1 | ", "    a > b"),
            (" 10     a", "  9 ", "    a"),
            ("log.txt-118-    a", "log.txt:117:", "    a"),
            ("Nov 29 10:00:01 h tcpdump[99]:     a", "Nov 29 10:00:00 h tcpdump[99]: ", "    a"),
            ("#     a", "# ", "    a"),
            (">>> a", ">> ", "a"),
            ("prose", "> ", "prose"),
            ("    a", "", "    a"),
        ] {
            assert_eq!(without(line, prefix), rest, "{line}");
        }
        assert!(
            is_citation("F12 13:24:32.1 IP")
                && is_citation("B:L3 x")
                && !is_citation("FL 1")
                && !is_citation("13:24:32.1")
        );
        assert!(
            is_of_another("app-1    | level=warn", "sniff-1  | ")
                && !is_of_another("sniff-1  |     a > b", "sniff-1  | 10:00:00 ")
                && is_of_another("a | b", "x | ")
                && !is_of_another("level=warn", "sniff-1  | ")
        );
        for (one, other) in [("[pod-12/x] 3 ", "[pod-7/x] 44 "), ("    9  ", "   10  ")] {
            assert_eq!(shape(one), shape(other));
        }
    }
}
