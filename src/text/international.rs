//! Names of other scripts: what an A-label (`xn--…`) stands for (RFC 5890, RFC 3492).

/// Letters of a label (RFC 1035 §2.3.4); what is decoded of one has no more.
const LABEL_MAX: usize = 63;
/// Parameters of Punycode (RFC 3492 §5).
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const BIAS: u32 = 72;
const FIRST: u32 = 0x80;

/// The name in the letters of its script; `None` where it has no A-label, or one that stands for anything but letters, marks
/// and digits beyond ASCII.
pub fn unicode(name: &str) -> Option<String> {
    let mut found = false;
    let labels: Option<Vec<String>> = name
        .split('.')
        .map(|label| match label.get(..4) {
            Some(prefix) if prefix.eq_ignore_ascii_case("xn--") => {
                found = true;
                decoded(label.get(4..)?).filter(|decoded| decoded.chars().all(is_plain))
            }
            _ => Some(label.to_owned()),
        })
        .collect();
    labels
        .filter(|labels| found && labels.iter().all(|label| !label.is_empty()))
        .map(|labels| labels.join("."))
}

/// A name as shown, and behind it what its A-labels stand for: `xn--e1afmkfd.example (пример.example)`.
pub fn beside(shown: String, name: &str) -> String {
    match unicode(name.strip_suffix('.').unwrap_or(name)) {
        Some(unicode) => format!("{shown} ({unicode})"),
        None => shown,
    }
}

fn is_plain(character: char) -> bool {
    (character.is_alphanumeric() || character == '-' || is_mark(character)) && !super::is_unsafe(character)
}

/// Combining marks of the scripts that need them to be read: Latin to Cyrillic, Hebrew, Arabic, the Indic scripts, Thai, Lao,
/// Tibetan, Myanmar, Khmer, Japanese.
fn is_mark(character: char) -> bool {
    matches!(u32::from(character), 0x300..=0x36f | 0x483..=0x487 | 0x591..=0x5c7 | 0x610..=0x61a | 0x64b..=0x65f | 0x900..=0x1dff | 0x3099..=0x309a)
}

fn decoded(label: &str) -> Option<String> {
    let (basic, digits) = label.rsplit_once('-').unwrap_or(("", label));
    let mut out: Vec<char> = basic.chars().collect();
    let (mut code, mut at, mut bias) = (FIRST, 0_u32, BIAS);
    let mut digits = digits.bytes().peekable();
    while digits.peek().is_some() {
        let (before, mut weight, mut step) = (at, 1_u32, BASE);
        loop {
            let digit = match digits.next()? {
                letter @ b'a'..=b'z' => letter - b'a',
                letter @ b'A'..=b'Z' => letter - b'A',
                number @ b'0'..=b'9' => number - b'0' + 26,
                _ => return None,
            };
            at = at.checked_add(u32::from(digit).checked_mul(weight)?)?;
            let threshold = step.saturating_sub(bias).clamp(T_MIN, T_MAX);
            if u32::from(digit) < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            step += BASE;
        }
        let length = u32::try_from(out.len()).ok()? + 1;
        bias = adapted(at - before, length, before == 0);
        code = code.checked_add(at / length)?;
        at %= length;
        out.insert(at as usize, char::from_u32(code)?);
        if out.len() > LABEL_MAX {
            return None;
        }
        at += 1;
    }
    Some(out.into_iter().collect())
}

fn adapted(delta: u32, length: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / DAMP } else { delta / 2 };
    delta += delta / length;
    let mut steps = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        steps += BASE;
    }
    steps + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_labels_are_read_as_their_scripts_write_them() {
        for (name, wanted) in [
            ("xn--fsqu00a.xn--0zwm56d", "例子.测试"),
            ("xn--e1afmkfd.example", "пример.example"),
            ("xn--mgbh0fb.xn--kgbechtv", "مثال.إختبار"),
            ("xn--nxasmq6b", "βόλοσ"),
            ("XN--mnchen-3ya.example", "münchen.example"),
            ("xn--r8jz45g.xn--zckzah", "例え.テスト"),
            ("xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g", "उदाहरण.परीक्षा"),
        ] {
            assert_eq!(unicode(name).as_deref(), Some(wanted), "{name}");
        }
        assert_eq!(beside("xn--e1afmkfd".to_owned(), "xn--e1afmkfd."), "xn--e1afmkfd (пример)");
    }

    #[test]
    fn what_is_no_name_of_another_script_stays_as_it_is() {
        // No A-label, broken ones, a mark that turns the text around (U+202E), a snowman.
        for name in ["www.example", "xn--", "xn--0", "xn--a\u{e9}", "xn--999999b", "xn--ab-g4t", "xn--a-1xp"]
        {
            let made = unicode(name);
            assert_eq!(made, None, "{name}");
        }
        assert_eq!(beside("www.example".to_owned(), "www.example."), "www.example");
    }
}
