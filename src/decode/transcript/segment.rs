//! Reads TCP segments in the wordings of tcpdump's versions and of firewalls' sniffers.

use super::WORDS_MAX;
use super::dns::{self, Dns};
use crate::capture::transcript::{Word, Words};
use crate::decode::Transport;

/// Letters or words of flags, as they stand in the header.
const LETTERS: &[(char, u8)] =
    &[('F', 1), ('S', 2), ('R', 4), ('P', 8), ('.', 16), ('U', 32), ('E', 64), ('W', 128)];

/// Whether the words are those of a segment.
pub(super) fn begins(words: Words<'_>) -> bool {
    let first = words.peek().map_or("", |word| word.text);
    matches!(first, "Flags" | "tcp") || is_old(words) || is_plain(words)
}

/// `S 100:100(0) win 16384`, `. ack 1 win 17520`: how tcpdump printed TCP up to 3.9.
pub(super) fn is_old(mut words: Words<'_>) -> bool {
    let flags = words.next().map_or("", |word| word.text);
    let next = words.next().map_or("", |word| word.text);
    let is_range = next.ends_with(')') && next.contains(':');
    flags.bytes().all(|byte| b"SFPRUEW.".contains(&byte)) && (is_range || matches!(next, "ack" | "win"))
}

/// `syn 3145839112`, `psh 5 ack 9`, `rst 0 ack 3145839113`, `ack 9`: how a firewall's sniffer prints it.
pub(super) fn is_plain(mut words: Words<'_>) -> bool {
    let flag = words.next().map_or("", |word| word.text);
    let next = words.next().map_or("", |word| word.text);
    plain_flag(flag).is_some() && !next.is_empty() && next.bytes().all(|byte| byte.is_ascii_digit())
}

fn plain_flag(word: &str) -> Option<u8> {
    Some(match word {
        "fin" => 1,
        "syn" => 2,
        "rst" => 4,
        "psh" => 8,
        "ack" => 16,
        "urg" => 32,
        _ => return None,
    })
}

/// Reads `Flags [S.], seq 1:5, ack 1, win 64240, …`; numbers that are not printed stay 0.
pub(super) fn read(words: Words<'_>, source_port: u16, destination_port: u16) -> Transport {
    // A window of 0 means that nothing may be sent: one that is not printed is no such window.
    let (mut flags, mut sequence, mut acknowledgment, mut window) = (0, 0, 0, u16::MAX);
    let (is_old, is_plain) = (is_old(words), is_plain(words));
    let mut words = words.take(WORDS_MAX);
    if is_old {
        flags = words.next().map_or(0, |word| letters(word.text));
        let range = words.next().map_or("", |word| word.text);
        sequence = range.split(':').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        if range == "ack" {
            acknowledgment = words.next().and_then(|word| word.text.parse().ok()).unwrap_or(0);
        }
    }
    while let Some(word) = words.next() {
        let number = |word: Option<Word<'_>>| {
            let text = word.map_or("", |word| word.text);
            text.split([':', ',']).next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0)
        };
        match word.text {
            "Flags" => flags = words.next().map_or(0, |word| letters(word.text)),
            "seq" => sequence = number(words.next()),
            "ack" => {
                acknowledgment = number(words.next());
                // In old versions only the number says that it is one.
                flags |= 16;
            }
            "win" => window = number(words.next()).min(u32::from(u16::MAX)) as u16,
            "length" => break,
            flag if is_plain && plain_flag(flag).is_some() => {
                flags |= plain_flag(flag).unwrap_or(0);
                sequence = number(words.next());
            }
            _ => {}
        }
    }
    Transport::Tcp { source_port, destination_port, sequence, acknowledgment, flags, window }
}

fn letters(word: &str) -> u8 {
    let bit = |letter| LETTERS.iter().find(|(known, _)| *known == letter).map_or(0, |(_, bit)| *bit);
    word.chars().fold(0, |flags, letter| flags | bit(letter))
}

/// The DNS message behind `length 45`, to which versions before 4.9.3 glue its id: `length 4531547+` of `seq 1:46`.
pub(super) fn message<'a>(text: &'a str, mut words: Words<'a>) -> Option<Dns<'a>> {
    let mut carried = None;
    while let Some(word) = words.next() {
        if word.text == "seq" {
            let range = words.peek().map_or("", |word| word.text).trim_end_matches(',');
            let (from, to) = range.split_once(':').unwrap_or((range, range));
            let ends = from.parse::<u32>().ok().zip(to.parse::<u32>().ok());
            carried = ends.map(|(from, to)| to.wrapping_sub(from));
        }
        if word.text != "length" {
            continue;
        }
        let length = words.next()?;
        let glued = || {
            let bytes = carried.filter(|bytes| *bytes > 0)?.to_string();
            let id = length.text.strip_prefix(bytes.as_str())?;
            let at = length.start + bytes.len();
            id.starts_with(|c: char| c.is_ascii_digit()).then(|| Words::new(text.as_bytes(), at))
        };
        return glued().and_then(dns::read).or_else(|| dns::read(words));
    }
    None
}
