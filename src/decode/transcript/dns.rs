//! Reads a DNS message in the wording of tcpdump's `print-domain.c`.

use crate::capture::transcript::{Word, Words};
use crate::decode::dns;

/// The type of an alias.
const CNAME: u16 = 5;
/// Words of one message that are looked at.
const WORDS_MAX: usize = super::WORDS_MAX;

/// A DNS message as printed (tcpdump's `print-domain.c`).
#[derive(Clone, Copy, Debug)]
pub struct Dns<'a> {
    /// The header as far as it is printed: id, QR, opcode, AA, TC, RD (`+`), CD (`%`), RA (absence of `-`), AD (`$`), RCODE, counts.
    /// RD of a response is not printed and stays 0.
    pub header: dns::Header,
    /// The name in the question, as printed; `None` where it is not printed (responses without `-vv`).
    pub name: Option<&'a str>,
    /// QTYPE, where a question is printed.
    pub qtype: Option<u16>,
    /// QCLASS, where a question is printed (IN is not printed and implied).
    pub qclass: Option<u16>,
    /// Whether the text tells if recursion was desired: of a query tcpdump does (`+`), of a response and in lists nothing does.
    pub tells_recursion: bool,
    /// Whether the text tells the id: snoop does not.
    pub tells_id: bool,
    /// Type of the first answer that is no alias, as printed: what was asked, where the question is not.
    pub answer_type: Option<u16>,
    /// The message's length in bytes as printed: `(24)`.
    pub length_bytes: Option<u32>,
    /// Where the message's text stands.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// Where the name stands; empty without one.
    pub name_range: (u32, u32),
    /// Where the printed length stands; empty without one.
    pub length_range: (u32, u32),
}

/// A record type by name in capital letters, as `TYPE65` or as tcpdump's `Type65`.
fn record_type(text: &str) -> Option<u16> {
    if let Some(number) = text.strip_prefix("Type") {
        return number.parse().ok();
    }
    // In small letters it is a word of the text around.
    dns::names::type_number(text).filter(|_| !text.bytes().any(|byte| byte.is_ascii_lowercase()))
}

fn class(text: &str) -> Option<u16> {
    match text {
        "IN" => Some(1),
        "CHAOS" | "CH" => Some(3),
        "HS" => Some(4),
        "ANY" => Some(255),
        _ => text.strip_prefix("CLASS").or_else(|| text.strip_prefix("Class"))?.parse().ok(),
    }
}

const OPCODES: &[(&str, u16)] = &[("inv_q", 1), ("stat", 2), ("op3", 3), ("notify", 4), ("update", 5)];

/// RCODEs as tcpdump prints them; `Resp12` and the like carry their number.
fn response_code(text: &str) -> Option<u16> {
    let known = match text {
        "FormErr" => 1,
        "ServFail" => 2,
        "NXDomain" => 3,
        "NotImp" => 4,
        "Refused" => 5,
        "YXDomain" => 6,
        "YXRRSet" => 7,
        "NXRRSet" => 8,
        "NotAuth" => 9,
        "NotZone" => 10,
        _ => return text.strip_prefix("Resp")?.parse().ok().filter(|code| *code < 16),
    };
    Some(known)
}

/// Reads a DNS message from its id on; `None` where the text is none.
pub(super) fn read(mut words: Words<'_>) -> Option<Dns<'_>> {
    // `[udp sum ok]`, `[bad udp cksum 0x6686 -> 0x18c5!]`, `[no cksum]` stand before the message.
    while words.peek().is_some_and(|word| word.text.starts_with('[')) {
        while !words.next()?.text.ends_with(']') {}
    }
    let first = words.next()?;
    let digits = first.text.bytes().take_while(u8::is_ascii_digit).count();
    let (id, marks) = first.text.split_at_checked(digits)?;
    // `37247+[|domain]`: cut before the question. Of a response the counts would be printed.
    let is_apart = words.peek().is_some_and(|word| word.text.starts_with("[|"));
    let (marks, is_cut) = marks.split_once("[|").map_or((marks, is_apart), |(marks, _)| (marks, true));
    let mut dns = Dns {
        header: dns::Header { id: id.parse().ok()?, ..dns::Header::default() },
        name: None,
        qtype: None,
        qclass: None,
        tells_recursion: true,
        tells_id: true,
        answer_type: None,
        length_bytes: None,
        start: first.start as u32,
        end: first.end as u32,
        name_range: (0, 0),
        length_range: (0, 0),
    };
    let mut seen = Marks::default();
    seen.read(marks, &mut dns.header)?;
    let mut answered = false;
    let mut limit = if is_cut { 0 } else { WORDS_MAX };
    while let Some(word) = words.next().filter(|_| limit > 0) {
        limit -= 1;
        if let Some(length) = printed_length(word.text) {
            dns.length_bytes = Some(length);
            dns.length_range = (word.start as u32, word.end as u32);
            dns.end = word.end as u32;
            break;
        }
        dns.end = word.end as u32;
        if let Some((answers, authorities, additional)) = counts(word.text) {
            let questions = dns.header.counts.first().copied().unwrap_or(0);
            dns.header.counts = [questions, answers, authorities, additional];
            answered = true;
        } else if outcome(word.text, &mut dns.header, &mut seen) {
            // Opcode and response code stand between the id and the counts.
        } else if let Some((what, count)) = bracketed_count(word.text) {
            if let Some(slot) = dns.header.counts.get_mut(what) {
                *slot = count;
            }
        } else if answered
            && dns.answer_type.is_none()
            && dns.header.counts.get(1).is_some_and(|answers| *answers > 0)
        {
            dns.answer_type = record_type(word.text).filter(|kind| *kind != CNAME);
        } else if dns.name.is_none() {
            question(word, &mut words, &mut dns);
        }
    }
    finish(&mut dns, answered, seen);
    dns.tells_recursion = !dns.header.is_response();
    if is_cut {
        // Whatever was asked, it was a question.
        dns.header.counts = [1, 0, 0, 0];
    }
    (is_cut || answered || dns.name.is_some() || dns.length_bytes.is_some()).then_some(dns)
}

/// Reads an opcode or response code with the marks behind it: `NXDomain*-`.
fn outcome(word: &str, header: &mut dns::Header, seen: &mut Marks) -> bool {
    let bare = word.trim_end_matches(['+', '-', '%', '*', '|', '$']);
    let flags = if let Some((_, opcode)) = OPCODES.iter().find(|(name, _)| *name == bare) {
        opcode << 11
    } else if let Some(code) = response_code(bare) {
        0x8000 | code
    } else {
        return false;
    };
    header.flags |= flags;
    seen.read(word.get(bare.len()..).unwrap_or(""), header).is_some()
}

/// Reads `A?` or `TXT CHAOS?` and the name after it.
fn question<'a>(word: Word<'a>, words: &mut Words<'a>, dns: &mut Dns<'a>) {
    let (kind, class_text) = if let Some(kind) = word.text.strip_suffix('?') {
        (record_type(kind), None)
    } else {
        let next = words
            .peek()
            .and_then(|next| next.text.strip_suffix('?'))
            .filter(|_| record_type(word.text).is_some());
        let Some(next) = next else { return };
        words.next();
        (record_type(word.text), Some(next))
    };
    let Some(kind) = kind else { return };
    // `A (QM)? name.`: multicast DNS says whether the answer may be multicast (RFC 6762 §5.4).
    let Some(name) = words.next() else { return };
    dns.qtype = Some(kind);
    dns.qclass = Some(class_text.map_or(1, |text| class(text).unwrap_or(1)));
    // OpenBSD leaves no blank before the length: `A? www.example.com.(33)`.
    let glued = name.text.rfind('(').filter(|at| *at > 0);
    let glued = glued.and_then(|at| Some((at, printed_length(name.text.get(at..)?)?)));
    let length = glued.map_or(name.text.len(), |(at, _)| at);
    dns.name = name.text.get(..length);
    dns.name_range = (name.start as u32, (name.start + length) as u32);
    if let Some((at, bytes)) = glued {
        dns.length_bytes = Some(bytes);
        dns.length_range = ((name.start + at) as u32, name.end as u32);
    }
    dns.end = name.end as u32;
}

/// Completes what the print implies: one question unless it says otherwise, QR by the kind of line.
fn finish(dns: &mut Dns<'_>, answered: bool, marks: Marks) {
    if answered {
        dns.header.flags |= 0x8000;
        if !marks.minus {
            dns.header.flags |= 0x0080;
        }
    }
    // tcpdump prints the number of questions only where it is not one.
    if let Some(questions) = dns.header.counts.first_mut()
        && *questions == 0
        && (dns.name.is_some() || answered)
    {
        *questions = 1;
    }
}

#[derive(Clone, Copy, Default)]
struct Marks {
    minus: bool,
}

impl Marks {
    fn read(&mut self, marks: &str, header: &mut dns::Header) -> Option<()> {
        for mark in marks.chars() {
            header.flags |= match mark {
                '+' => 0x0100,
                '%' => 0x0010,
                '*' => 0x0400,
                '|' => 0x0200,
                '$' => 0x0020,
                '-' => {
                    self.minus = true;
                    0
                }
                _ => return None,
            };
        }
        Some(())
    }
}

/// `1/0/2`: answers, authority records, additional records.
fn counts(text: &str) -> Option<(u16, u16, u16)> {
    let mut parts = text.trim_end_matches(',').splitn(3, '/').map(|part| part.parse::<u16>().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// `[2q]`, `[1a]`, `[1n]`, `[1au]`: which count, and its value.
fn bracketed_count(text: &str) -> Option<(usize, u16)> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    let (number, letters) = inner.split_at_checked(digits)?;
    let which = match letters {
        "q" => 0,
        "a" => 1,
        "n" => 2,
        "au" => 3,
        _ => return None,
    };
    Some((which, number.parse().ok()?))
}

/// `(24)`.
fn printed_length(text: &str) -> Option<u32> {
    text.strip_prefix('(')?.trim_end_matches([',', '.', '*']).strip_suffix(')')?.parse().ok()
}
