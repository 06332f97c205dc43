//! Numbers in operands: what they mean beside durations and bytes, and sums of them.

use super::expression::{Arithmetic, Operand, Written};
use super::{literal, matcher};

impl Operand {
    /// A number that means the same everywhere.
    pub fn number(value: i64) -> Self {
        Self::Number(Written { value, as_duration_ns: Some(value), as_bytes: Some(value) })
    }

    /// Reads every number as what stands beside it asks for: seconds, or bytes in hexadecimal.
    pub fn read_numbers(&mut self, duration: bool, bytes: bool) {
        match self {
            Self::Number(written) => {
                let other =
                    if duration { written.as_duration_ns } else { written.as_bytes.filter(|_| bytes) };
                *written = Written { value: other.unwrap_or(written.value), ..*written };
            }
            Self::Values(_) | Self::Access { .. } => {}
            Self::Negative(inner) => inner.read_numbers(duration, bytes),
            Self::Binary(_, left, right) => {
                left.read_numbers(duration, bytes);
                right.read_numbers(duration, bytes);
            }
            Self::Function(_, all) => all.iter_mut().for_each(|one| one.read_numbers(duration, bytes)),
        }
    }
}

/// The last colon outside brackets: what follows it is how many bytes are read.
pub fn last_colon(text: &str) -> Option<usize> {
    let (mut depth, mut found) = (0i32, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b':' if depth == 0 => found = Some(at),
            _ => {}
        }
    }
    found
}

/// A number as written, in all its readings.
pub fn written(word: &str) -> Option<Written> {
    let value = literal::constant(word);
    let as_duration_ns = matcher::duration(word);
    let hex = word.len().is_multiple_of(2) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let as_bytes = if hex { i64::from_str_radix(word, 16).ok() } else { None };
    let value = value.or(as_duration_ns.filter(|_| word.starts_with(|c: char| c.is_ascii_digit())))?;
    Some(Written { value, as_duration_ns, as_bytes })
}

/// How long the number is that a word such as `20+8` begins with.
pub fn number_before_sign(word: &str) -> Option<usize> {
    let at = word.find(['+', '-', '*', '/', '%']).filter(|at| *at > 0)?;
    matcher::whole(word.get(..at)?).is_some().then_some(at)
}

/// Joins two operands; numbers are calculated at once.
pub fn join(sign: Arithmetic, left: Operand, right: Operand) -> Operand {
    if let (Operand::Number(a), Operand::Number(b)) = (&left, &right)
        && let Some(value) = super::calculate::arithmetic(sign, a.value, b.value)
    {
        let ns = a.as_duration_ns.zip(b.as_duration_ns);
        let as_duration_ns = ns.and_then(|(a, b)| super::calculate::arithmetic(sign, a, b));
        let bytes = a.as_bytes.zip(b.as_bytes);
        let as_bytes = bytes.and_then(|(a, b)| super::calculate::arithmetic(sign, a, b));
        return Operand::Number(Written { value, as_duration_ns, as_bytes });
    }
    Operand::Binary(sign, Box::new(left), Box::new(right))
}
