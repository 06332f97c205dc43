//! What a redacted text may keep: words of the program's own sentences, numbers, labels of its own making, public suffixes.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Every word of the program's own texts, collected from its sources when it is built.
static VOCABULARY: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!(concat!(env!("OUT_DIR"), "/vocabulary.txt")).lines().collect());

/// Zones that nobody owns (RFC 6761, RFC 6762, RFC 7686, RFC 9476).
const SPECIAL: [&str; 8] = ["alt", "example", "internal", "invalid", "local", "localhost", "onion", "test"];

/// What may stand right behind a number.
const UNITS: [&str; 24] = [
    "s", "ms", "us", "µs", "ns", "min", "h", "d", "x", "th", "st", "nd", "rd", "db", "k", "b", "kb", "mb",
    "gb", "kib", "mib", "gib", "z", "bit",
];

/// What joins the parts of one word: a name, an address of mail, a token.
const JOINS: [char; 7] = ['-', '_', '.', '@', '+', '=', '\\'];

/// How many labels at the end of a name are public: its suffix as registries give it out, or a zone that nobody owns.
pub fn public_labels(name: &str) -> usize {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    if SPECIAL.iter().any(|zone| zone.eq_ignore_ascii_case(last)) {
        return 1;
    }
    let lower = name.to_ascii_lowercase();
    let mut rest = lower.as_str();
    // A suffix that a company lets others register under names that company.
    while let Some(suffix) = psl::suffix(rest.as_bytes()) {
        let labels = suffix.as_bytes().split(|byte| *byte == b'.').count();
        match suffix.typ() {
            Some(psl::Type::Icann) => return labels,
            Some(psl::Type::Private) => {
                let end = std::str::from_utf8(suffix.as_bytes()).unwrap_or_default().split_once('.');
                let Some((_, shorter)) = end else { return 0 };
                let Some(at) = rest.len().checked_sub(shorter.len()) else { return 0 };
                rest = rest.get(at..).unwrap_or_default();
            }
            None => return 0,
        }
    }
    0
}

/// A text in which every word that is not the program's own is changed by `mask`, and digits joined to such a word with it.
pub fn masked(text: &str, own: &dyn Fn(&str) -> bool, mask: &mut dyn FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let is_part = |c: char| c.is_alphanumeric() || JOINS.contains(&c);
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if end == 0 {
            let next = rest.chars().next().map_or(rest.len(), char::len_utf8);
            out.push_str(rest.get(..next).unwrap_or_default());
            rest = rest.get(next..).unwrap_or_default();
            continue;
        }
        let (word, after) = rest.split_at(end);
        compound(word, own, mask, &mut out);
        rest = after;
    }
    out
}

fn compound(word: &str, own: &dyn Fn(&str) -> bool, mask: &mut dyn FnMut(&str) -> String, out: &mut String) {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = word.split(|c| !is_letter(c)).filter(|token| !token.is_empty());
    let is_foreign = tokens.any(|token| !is_kept(token) && !own(token)) || escapes(word);
    if !is_foreign {
        out.push_str(word);
        return;
    }
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_letter(c)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        let is_word = VOCABULARY.contains(token.to_lowercase().as_str()) || own(token);
        out.push_str(&if token.is_empty() || is_word { token.to_owned() } else { mask(token) });
        let next = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(after.get(..next).unwrap_or_default());
        rest = after.get(next..).unwrap_or_default();
    }
}

/// Whether a word holds a byte written as a number: `\208`, `\xd0`.
fn escapes(word: &str) -> bool {
    word.split('\\')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) || rest.starts_with('x'))
}

/// Numbers, times, labels of frames and rows, and words of the program.
fn is_kept(token: &str) -> bool {
    if token.len() <= 2 && token.is_ascii() || token.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    let lower = token.to_lowercase();
    // Keys are put together with a line: `frames_file`.
    let is_said = |part: &str| part.is_empty() || VOCABULARY.contains(part);
    if VOCABULARY.contains(lower.as_str()) || lower.contains('_') && lower.split('_').all(is_said) {
        return true;
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (number, unit) = lower.split_at(lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(0));
    let labelled = token.get(1..).is_some_and(digits) && token.starts_with(|c: char| c.is_ascii_uppercase());
    let measured = !number.is_empty() && UNITS.contains(&unit);
    // A date with its time, and a number in hexadecimal of at most 32 bits.
    let dated =
        lower.split_once('t').is_some_and(|(day, hour)| digits(day) && digits(hour) && hour.len() == 2);
    let hexadecimal = lower.strip_prefix("0x").is_some_and(|number| {
        (1..=8).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    labelled || measured || dated || hexadecimal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_public_and_zones_of_one_owner_are_not() {
        let known = [
            ("www.shop.example", 1),
            ("www.shop.co.uk", 2),
            ("files.meier.github.io", 1),
            ("db.firma.corp", 0),
            ("4.3.2.1.in-addr.arpa", 2),
            ("printer", 0),
        ];
        for (name, labels) in known {
            assert_eq!(public_labels(name), labels, "{name}");
        }
    }

    #[test]
    fn words_of_the_program_and_numbers_stay_and_others_do_not() {
        let mut hide = |token: &str| "#".repeat(token.chars().count());
        let mut say = |text: &str| masked(text, &|_| false, &mut hide);
        let kept = "7 of 9 queries were refused by ICMP port unreachable at 2000-01-01T13:24:32.192571Z [F2, F4] in 12ms (0x00ff)";
        assert_eq!(say(kept), kept);
        assert_eq!(say("queries of Zwetschge refused"), "queries of ######### refused");
        assert_eq!(say("user=hzwetschge-4711 x"), "user=##########-#### x");
        assert_eq!(say("a\\208\\191 refused"), "#\\###\\### refused");
        assert_eq!(say("frames_file zwetschge_file"), "frames_file ##############");
        assert_eq!(say("deadbeefcafe1234"), "################");
    }
}
