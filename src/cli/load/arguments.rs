//! Reads sizes and clock offsets as people write them on the command line.

use crate::time::Nanos;

/// A correction of one file's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// The file's label (`B`).
    pub label: String,
    /// Added to every time of the file.
    pub offset_ns: Nanos,
}

/// Reads `B=+1.5s`: a label, and a span in s, ms, us (or µs) or ns; seconds without a unit.
pub(super) fn clock_offset(text: &str) -> Result<ClockOffset, String> {
    let (label, span) = text.split_once('=').ok_or("expected LABEL=SPAN, such as B=+1.5s")?;
    let label = label.trim().to_ascii_uppercase();
    if label.is_empty() {
        return Err("the label before = is missing".to_owned());
    }
    Ok(ClockOffset { label, offset_ns: span_ns(span.trim())? })
}

fn span_ns(text: &str) -> Result<Nanos, String> {
    let wrong = || format!("{text:?} is no span of time; write +1.5s or -200ms");
    let digits_end = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits_end);
    let unit_ns: i128 = match unit {
        "" | "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "µs" => 1_000,
        "ns" => 1,
        "min" | "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(wrong()),
    };
    let number = number.trim();
    let negative = number.starts_with('-');
    let number = number.trim_start_matches(['+', '-']);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 18;
    if !is_number(whole) || !is_number(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(wrong());
    }
    let parse = |text: &str| if text.is_empty() { Ok(0) } else { text.parse::<i128>().map_err(|_| wrong()) };
    let scale = 10i128.pow(fraction.len() as u32);
    let ns = (parse(whole)? * scale + parse(fraction)?) * unit_ns / scale;
    Nanos::try_from(if negative { -ns } else { ns }).map_err(|_| wrong())
}

/// Reads a number of bytes: `500000000`, `500M`, `64G`, `64GiB` (powers of 1,024).
pub(in crate::cli) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; write bytes, or a number with K, M, G or T");
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits_end);
    let shift = match unit.trim().trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_sizes_are_read_exactly() {
        let offset = |text: &str| clock_offset(text).map(|found| found.offset_ns);
        assert_eq!(offset("B=+1.5s"), Ok(1_500_000_000));
        assert_eq!(offset("b=-200ms"), Ok(-200_000_000));
        assert_eq!(offset("A=0.000000001"), Ok(1));
        assert!(offset("A=soon").is_err() && offset("1.5s").is_err() && offset("A=").is_err());
        assert_eq!(size("64GiB"), Ok(64 << 30));
        assert_eq!(size("1000"), Ok(1000));
        assert!(size("many").is_err() && size("99999999T").is_err() && size("0").is_err());
    }
}
