//! Shows nanosecond times as people read them; no clock is read here.

use chrono::{DateTime, Datelike, NaiveTime, Timelike, Utc};

/// What the times of a capture count from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// Nothing: no packet has a time.
    Nothing,
    /// A moment that is not told: logs print seconds since their first packet, or since the packet before.
    Start,
    /// A midnight nobody knows the date of.
    Midnight,
    /// A date and a time of day in a zone that is not told.
    Local,
    /// 1970 in UTC.
    #[default]
    Utc,
}

impl Basis {
    /// All digits, without the date: `13:24:32.192571`, `55.310007 s`.
    pub fn moment(self, time_ns: Nanos) -> String {
        match self {
            Self::Nothing => "–".to_owned(),
            Self::Start => format!("{} s", seconds(time_ns)),
            _ => time_of_day(time_ns),
        }
    }

    /// To the millisecond: `13:24:32.192`, `55.310 s`.
    pub fn fine(self, time_ns: Nanos) -> String {
        if self == Self::Nothing {
            return self.moment(time_ns);
        }
        if self == Self::Start {
            let text = seconds(time_ns);
            let end = text.find('.').map_or(text.len(), |point| (point + 4).min(text.len()));
            return format!("{} s", text.get(..end).unwrap_or(&text));
        }
        let text = time_of_day(time_ns);
        text.get(..12).map_or(text.clone(), str::to_owned)
    }

    /// To the second: `13:24:32`; to the millisecond where seconds are counted: `55.310 s`.
    pub fn clock(self, time_ns: Nanos) -> String {
        if matches!(self, Self::Start | Self::Nothing) { self.fine(time_ns) } else { clock(time_ns) }
    }
}

/// Nanoseconds since 1970-01-01 00:00:00 UTC (transcripts: since midnight).
pub type Nanos = i64;

/// The earliest time an index holds (August 1906). Together with [`LATEST_NS`] it keeps the difference of any two
/// times, and a rule's window added to one, inside 64 bits: only a damaged file states times beyond.
pub const EARLIEST_NS: Nanos = -2_000_000_000_000_000_000;
/// The latest time an index holds (August 2188).
pub const LATEST_NS: Nanos = 6_900_000_000_000_000_000;

/// The middle of sorted values; of an even number the mean of both in the middle.
pub fn median(sorted: &[Nanos]) -> Option<Nanos> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(lower + (upper - lower) / 2)
}

fn moment(time_ns: Nanos) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(time_ns)
}

/// `2024-05-14 13:24:32.192571`, UTC, microseconds (nanoseconds where they are not zero).
pub fn date_and_time(time_ns: Nanos) -> String {
    let at = moment(time_ns);
    format!("{:04}-{:02}-{:02} {}", at.year(), at.month(), at.day(), time_of_day(time_ns))
}

/// `13:24:32.192571`, UTC, microseconds (nanoseconds where they are not zero).
pub fn time_of_day(time_ns: Nanos) -> String {
    let at = moment(time_ns);
    let nanosecond = at.nanosecond() % 1_000_000_000;
    let clock = format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
    if nanosecond.is_multiple_of(1000) {
        format!("{clock}.{:06}", nanosecond / 1000)
    } else {
        format!("{clock}.{nanosecond:09}")
    }
}

/// The midnight (UTC) before a time.
pub fn midnight(time_ns: Nanos) -> Nanos {
    time_ns - time_ns.rem_euclid(24 * 3_600_000_000_000)
}

/// Nanoseconds after midnight that `13:24`, `13:24:32` or `13:24:32.5` name; `None` where it is no time of day.
pub fn read_time_of_day(text: &str) -> Option<Nanos> {
    let known = ["%H:%M:%S%.f", "%H:%M"];
    let at = known.iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok())?;
    at.signed_duration_since(NaiveTime::MIN).num_nanoseconds()
}

/// `13:24:32`, UTC, cut to whole seconds.
pub fn clock(time_ns: Nanos) -> String {
    let at = moment(time_ns);
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// `2024-05-14T13:24:32.192571Z` (RFC 3339).
pub fn rfc3339(time_ns: Nanos) -> String {
    format!("{}Z", date_and_time(time_ns).replacen(' ', "T", 1))
}

/// Nanoseconds since 1970 of a time as [`rfc3339`] writes it, in any zone.
pub fn parse_rfc3339(text: &str) -> Option<Nanos> {
    DateTime::parse_from_rfc3339(text).ok()?.timestamp_nanos_opt()
}

/// Seconds with six decimals, exact: `3.905993`, `-0.000001`; nanoseconds where they are not zero.
pub fn seconds(span_ns: Nanos) -> String {
    let sign = if span_ns < 0 { "-" } else { "" };
    let magnitude = span_ns.unsigned_abs();
    let (whole, rest) = (magnitude / 1_000_000_000, magnitude % 1_000_000_000);
    if rest.is_multiple_of(1000) {
        format!("{sign}{whole}.{:06}", rest / 1000)
    } else {
        format!("{sign}{whole}.{rest:09}")
    }
}

/// A span in the unit a person would choose: `812 ns`, `57 µs`, `3.6 ms`, `3.906 s`, `4 min 18 s`, `2 h 5 min`, `3 d 4 h`.
/// What would be negative comes from a clock that was set back, and nobody knows how long it was (truth T34).
pub fn span(span_ns: Nanos) -> String {
    let Ok(ns) = u64::try_from(span_ns) else { return "an unknown time".to_owned() };
    // Each unit ends where rounding would carry into the next one: 999.96 ms is `1.000 s`.
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..999_500 => format!("{} µs", rounded(ns, 1_000)),
        999_500..999_950_000 => {
            let tenths = rounded(ns, 100_000);
            format!("{}.{} ms", tenths / 10, tenths % 10)
        }
        999_950_000..119_999_500_000 => {
            let ms = rounded(ns, 1_000_000);
            format!("{}.{:03} s", ms / 1_000, ms % 1_000)
        }
        119_999_500_000..3_599_500_000_000 => {
            let s = rounded(ns, 1_000_000_000);
            format!("{} min {} s", s / 60, s % 60)
        }
        3_599_500_000_000..86_370_000_000_000 => {
            let minutes = rounded(ns, 60_000_000_000);
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
        _ => {
            let hours = rounded(ns, 3_600_000_000_000);
            format!("{} d {} h", hours / 24, hours % 24)
        }
    }
}

/// Whole units nearest to a number of nanoseconds; halves go up.
fn rounded(ns: u64, unit_ns: u64) -> u64 {
    (ns + unit_ns / 2) / unit_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact() {
        assert_eq!(date_and_time(946_733_072_192_571_000), "2000-01-01 13:24:32.192571");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(seconds(3_905_993_000), "3.905993");
        assert_eq!(seconds(-1_000), "-0.000001");
    }

    #[test]
    fn a_time_of_day_is_read_as_it_is_shown() {
        assert_eq!(read_time_of_day("13:24"), Some(48_240_000_000_000));
        let shown = time_of_day(946_733_072_192_571_000);
        assert_eq!(
            read_time_of_day(&shown).map(|ns| midnight(946_733_072_192_571_000) + ns),
            Some(946_733_072_192_571_000)
        );
        assert_eq!(read_time_of_day("24:00"), None);
        assert_eq!(midnight(-1), -86_400_000_000_000);
    }

    #[test]
    fn spans_choose_their_unit() {
        assert_eq!(span(57_400), "57 µs");
        assert_eq!(span(3_640_000), "3.6 ms");
        assert_eq!(span(3_905_993_000), "3.906 s");
        assert_eq!(span(257_830_396_000), "4 min 18 s");
        assert_eq!(span(7_530_000_000_000), "2 h 6 min");
    }

    #[test]
    fn spans_are_rounded_and_carry_into_the_next_unit() {
        assert_eq!(span(57_500), "58 µs");
        assert_eq!(span(999_499), "999 µs");
        assert_eq!(span(999_500), "1.0 ms");
        assert_eq!(span(999_949_999), "999.9 ms");
        assert_eq!(span(999_950_000), "1.000 s");
        assert_eq!(span(119_999_499_999), "119.999 s");
        assert_eq!(span(119_999_500_000), "2 min 0 s");
        assert_eq!(span(3_599_500_000_000), "1 h 0 min");
        assert_eq!(span(86_370_000_000_000), "1 d 0 h");
        assert_eq!(span(-3_905_993_000), "an unknown time");
    }
}
