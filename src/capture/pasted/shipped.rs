//! Takes the date of a packet from what a log shipper put before it, where that tells the same time of day.

use super::fields::MONTHS;
use crate::capture::transcript::{Stamp, moment};
use crate::time::Nanos;

const DAY_NS: Nanos = 86_400_000_000_000;
/// A shipper writes down a line this long after tcpdump stamped it, at most.
const DELAY_NS: Nanos = 5_000_000_000;
/// The longest prefix that is looked at.
const PREFIX_MAX_BYTES: usize = 512;

/// The time with the date that stands in the prefix; the time as it is where there is none, or one of another zone.
pub(super) fn dated(prefix: &str, stamp: Stamp) -> Stamp {
    let Stamp::Clock(clock_ns) = stamp else { return stamp };
    let Some(told) = moment_in(prefix) else { return stamp };
    let (Stamp::Date(told_ns) | Stamp::Local(told_ns)) = told else { return stamp };
    let day_ns = told_ns.div_euclid(DAY_NS) * DAY_NS;
    let near = [day_ns - DAY_NS, day_ns, day_ns + DAY_NS]
        .map(|day_ns| day_ns.saturating_add(clock_ns))
        .into_iter()
        .find(|at_ns| (at_ns - told_ns).abs() <= DELAY_NS);
    match (near, told) {
        (Some(at_ns), Stamp::Date(_)) => Stamp::Date(at_ns),
        (Some(at_ns), _) => Stamp::Local(at_ns),
        (None, _) => stamp,
    }
}

fn moment_in(prefix: &str) -> Option<Stamp> {
    let prefix = prefix.get(..PREFIX_MAX_BYTES).unwrap_or(prefix);
    let begins = |at: &usize| {
        let before = at.checked_sub(1).and_then(|at| prefix.as_bytes().get(at)).copied();
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'-')
    };
    let digits = prefix.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at);
    digits
        .filter(begins)
        .find_map(|at| {
            let text = prefix.get(at..)?;
            // What closes behind it is no part of it: `[2024-05-14T13:24:32Z]`.
            let end = text.find([']', ')', '"', '|']).unwrap_or(text.len());
            moment(text.get(..end)?)
        })
        .or_else(|| with_year_behind(prefix))
}

/// `Tue Mar  3 10:15:22 2026`, as C's `ctime` and a router's log have it: in the zone of whoever wrote it.
fn with_year_behind(prefix: &str) -> Option<Stamp> {
    let mut words = prefix.split_whitespace().skip_while(|word| !MONTHS.contains(word));
    let month = MONTHS.iter().position(|month| Some(*month) == words.clone().next())? + 1;
    let day: u8 = words.nth(1)?.parse().ok()?;
    let clock = words.next()?;
    let year =
        words.next().filter(|year| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()))?;
    moment(&format!("{year}-{month:02}-{day:02} {clock} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_the_same_clock_is_the_packets_and_one_of_another_zone_is_not() {
        let clock = Stamp::Clock(48_272_192_571_000);
        let at_ns = 1_715_693_072_192_571_000;
        assert_eq!(dated("[pod/x] 2024-05-14T13:24:32.192600012Z ", clock), Stamp::Date(at_ns));
        assert_eq!(dated("2024-05-14 13:24:33 host: ", clock), Stamp::Local(at_ns));
        assert_eq!(dated("2024-05-14T11:24:32.192600012Z ", clock), clock);
        assert_eq!(dated("Tue May 14 13:24:32 2024 daemon.info tcpdump[9]: ", clock), Stamp::Local(at_ns));
        assert_eq!(dated("May 14 13:24:32 host tcpdump[9]: ", clock), clock);
        let late = Stamp::Clock(86_399_900_000_000);
        assert_eq!(dated("2024-05-15T00:00:00.1Z ", late), Stamp::Date(1_715_731_199_900_000_000));
    }
}
