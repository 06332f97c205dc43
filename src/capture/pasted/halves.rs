//! Puts the two lines together in which a firewall shows a packet in detail: time and link addresses stand on the first, the packet
//! itself on the second (`show capture NAME detail` of Cisco's ASA).

use std::borrow::Cow;

/// What stands between the type and the length.
const LENGTH: &str = " Length: ";

/// Makes one line as tcpdump `-e` has it of each two; the second is left empty.
pub(super) fn join(lines: &mut [Cow<'_, str>]) {
    for at in 1..lines.len() {
        let Some([first, second]) = lines.get(at - 1..=at) else { continue };
        if !first.contains(LENGTH) {
            continue;
        }
        let Some(whole) = whole(first, second) else { continue };
        if let Some([first, second]) = lines.get_mut(at - 1..=at) {
            (*first, *second) = (Cow::Owned(whole), Cow::Borrowed(""));
        }
    }
}

/// `1: 03:02:17.692300 0242.c000.020a 5254.00aa.0001 0x0800 Length: 74` and `192.0.2.10.45570 > 198.51.100.22.22: S …`.
fn whole(first: &str, second: &str) -> Option<String> {
    let (head, length) = first.trim_end().split_once(LENGTH)?;
    length.parse::<u32>().ok()?;
    let mut words = head.split_whitespace().rev();
    let kind = words.next()?.strip_prefix("0x").filter(|digits| digits.len() == 4)?;
    let (destination, source) = (link(words.next()?)?, link(words.next()?)?);
    let time = words.next()?;
    if !time.contains(':') || !second.contains(" > ") {
        return None;
    }
    let mut told = second.trim();
    let mut tag = String::new();
    let kind_word = |kind: &str| if kind == "86dd" { "IPv6 (0x86dd)" } else { "IPv4 (0x0800)" };
    if let Some(tagged) = told.strip_prefix("802.1Q vlan#") {
        let (number, rest) = tagged.split_once(' ')?;
        // The priority follows.
        told = rest
            .split_once(' ')
            .filter(|(priority, _)| priority.starts_with('P'))
            .map_or(rest, |(_, rest)| rest);
        let inner = if told.contains("::") { "86dd" } else { "0800" };
        tag = format!("vlan {number}, p 0, ethertype {}, ", kind_word(inner));
    }
    let named = if kind == "8100" { "802.1Q (0x8100)".to_owned() } else { kind_word(kind).to_owned() };
    Some(format!("{time} {source} > {destination}, ethertype {named}, length {length}: {tag}{told}"))
}

/// `0242.c000.020a` as six pairs.
fn link(text: &str) -> Option<String> {
    let digits: Vec<char> = text.chars().filter(|c| *c != '.').collect();
    let is_link = text.len() == 14 && digits.len() == 12 && digits.iter().all(char::is_ascii_hexdigit);
    is_link.then(|| digits.chunks(2).map(String::from_iter).collect::<Vec<_>>().join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_of_a_packet_in_detail_are_one() {
        let second = "      192.0.2.10.45570 > 198.51.100.22.22: S 27541:27541(0) win 64240";
        let mut lines: Vec<Cow<'_, str>> = [
            "asa# show capture CAP detail",
            "   1: 03:02:17.692300 0242.c000.020a 5254.00aa.0001 0x0800 Length: 74",
            second,
            "   2: 03:02:18.692300 0242.c000.020a 5254.00aa.0001 0x8100 Length: 78",
            "      802.1Q vlan#20 P0 192.0.2.10.45570 > 198.51.100.22.22: S 27541:27541(0) win 64240",
            "Total Length: 74",
            second,
        ]
        .map(Cow::Borrowed)
        .to_vec();
        join(&mut lines);
        let ends = "02:42:c0:00:02:0a > 52:54:00:aa:00:01";
        let told = second.trim();
        assert_eq!(lines[1], format!("03:02:17.692300 {ends}, ethertype IPv4 (0x0800), length 74: {told}"));
        assert_eq!(
            lines[3],
            format!(
                "03:02:18.692300 {ends}, ethertype 802.1Q (0x8100), length 78: vlan 20, p 0, ethertype IPv4 (0x0800), {told}"
            )
        );
        assert_eq!((lines[2].as_ref(), lines[4].as_ref(), lines[6].as_ref()), ("", "", second));
    }
}
