//! DNS queries and answers in words.

use super::{Explanation, Subject, later, role};
use crate::correlate::Outcome;
use crate::decode::answers::Resource;
use crate::decode::dns;
use crate::protocols::dns as names;
use crate::text::escape;

/// Answer records shown.
const RECORDS_SHOWN: usize = 4;
/// Messages of one segment shown behind the first.
const MESSAGES_SHOWN: usize = 4;

/// Header, question and length of a message, whether from bytes or from print.
struct Message {
    header: dns::Header,
    name: Option<String>,
    qtype: Option<u16>,
    length: Option<u32>,
    start: u32,
    binary: bool,
}

fn read(subject: &Subject<'_>) -> Option<Message> {
    if let Some(printed) = subject.printed.and_then(|line| line.dns) {
        return Some(Message {
            header: printed.header,
            name: printed.name.map(escape),
            qtype: printed.qtype,
            length: printed.length_bytes,
            start: printed.start,
            binary: false,
        });
    }
    let row = subject.packet.dns()?;
    let name = subject.packet.segment.names.get(row.name).map(dns::presentation);
    Some(Message {
        header: row.header,
        name,
        qtype: row.asked_type(),
        length: Some(u32::from(row.length)),
        start: row.start,
        binary: !row.is_assembled(),
    })
}

pub(super) fn explain(subject: &Subject<'_>, explanation: &mut Explanation) {
    let Some(message) = read(subject) else { return };
    if message.header.is_response() {
        answer(subject, &message, explanation);
    } else {
        query(subject, &message, explanation);
    }
    further(subject, explanation);
}

/// The messages behind the first of one segment, each by its own number and name.
fn further(subject: &Subject<'_>, explanation: &mut Explanation) {
    let rows = subject.packet.dns_rows();
    let Some((_, further)) = rows.split_first().filter(|(_, further)| !further.is_empty()) else { return };
    let shown: Vec<String> = further
        .iter()
        .take(MESSAGES_SHOWN)
        .map(|row| format!("{} {}", row.header.id, subject.packet.summary_of(row)))
        .collect();
    for text in &shown {
        let words = "another message in the same segment, with a number and a name of its own";
        explanation.push(text.clone(), words, "RFC 7766 §6.2.1.1");
    }
    let more = further.len().saturating_sub(MESSAGES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let sentence = explanation.sentence.trim_end_matches('.');
    explanation.sentence =
        format!("{sentence}. It carries {} DNS messages, also {}{more}", rows.len(), shown.join("; "));
}

/// What a record type asks for.
fn type_words(qtype: u16) -> String {
    match qtype {
        1 => "the IPv4 address".to_owned(),
        28 => "the IPv6 address".to_owned(),
        15 => "the mail servers".to_owned(),
        2 => "the name servers".to_owned(),
        12 => "the name that belongs to this address".to_owned(),
        16 => "text records".to_owned(),
        6 => "the zone's start of authority".to_owned(),
        33 => "the host and port of a service".to_owned(),
        65 => "how to reach the web server (HTTPS record)".to_owned(),
        255 => "any records".to_owned(),
        other => format!("records of type {}", names::type_name(other)),
    }
}

fn query(subject: &Subject<'_>, message: &Message, explanation: &mut Explanation) {
    let header = message.header;
    let at = |token: super::Pushed<'_>, offset: u32, length: u32| {
        if message.binary {
            token.at(message.start + offset, length);
        }
    };
    let marks = format!(
        "{}{}",
        if header.recursion_desired() { "+" } else { "" },
        if header.flags & 0x10 != 0 { "%" } else { "" }
    );
    let mut words = "the query's number, chosen by the client; the answer must repeat it".to_owned();
    if header.recursion_desired() {
        words.push_str(". `+`: please do the whole search for me (recursion desired); normal");
    }
    if header.flags & 0x10 != 0 {
        words.push_str(". `%`: do not check DNSSEC for me");
    }
    at(explanation.push(format!("{}{marks}", header.id), words, "RFC 1035 §4.1.1"), 0, 4);
    let additional = header.counts[3];
    if additional > 0 {
        let words = "an extra record follows, usually EDNS (sizes and options)";
        at(explanation.push(format!("[{additional}au]"), words, "RFC 6891"), 10, 2);
    }
    let name = message.name.clone().unwrap_or_else(|| "(no readable name)".to_owned());
    let asked = message.qtype.map_or_else(|| "something".to_owned(), type_words);
    if let Some(qtype) = message.qtype {
        let kind = names::type_name(qtype);
        let words = format!("what is {asked} of …; `?` marks a question, not an error");
        let after_name = 12 + name.trim_end_matches('.').len() as u32 + 2;
        at(explanation.push(format!("{kind}?"), words, "RFC 1035 §3.2.2"), after_name, 2);
    }
    let words = "the name asked for; the final dot is the top of the name tree";
    at(
        explanation.push(name.clone(), words, "RFC 1034 §3.1"),
        12,
        name.trim_end_matches('.').len() as u32 + 2,
    );
    length(message, &name, explanation);
    let (client, server) =
        (role(subject, subject.decoded.source), role(subject, subject.decoded.destination));
    explanation.sentence = format!("{client} asked {server} for {asked} of {name}");
    explanation.so_what =
        format!("{client} asks {server}; nothing is wrong in this packet.{}", ending(subject));
    let mut not_so = String::from("`A?` and the like are record types, not errors.");
    if header.recursion_desired() {
        not_so = format!("`+` is not a warning. {not_so} UDP has no flags: they belong to DNS.");
    }
    explanation.not_so = not_so;
    explanation.quiz = vec![
        ("Who asks whom?".to_owned(), format!("{client} asks {server}.")),
        ("What is asked for?".to_owned(), format!("{asked} of {name}")),
        (
            "What does `+` ask?".to_owned(),
            "That the server does the whole search (recursion desired).".to_owned(),
        ),
    ];
}

/// How many answer records a message holds, where that is fewer than its header counts.
fn missing(bytes: &[u8], counted: u16) -> Option<u16> {
    let mut at = dns::read(bytes)?.question_end;
    for present in 0..counted {
        match Resource::read(bytes, at) {
            Some(record) => at = record.end(),
            None => return Some(present),
        }
    }
    None
}

/// The printed length, with the arithmetic where it adds up or cannot.
fn length(message: &Message, name: &str, explanation: &mut Explanation) {
    let Some(length) = message.length else { return };
    let wire = if name == "." { 1 } else { name.trim_end_matches('.').len() as u32 + 2 };
    let least = 12 + wire + 4;
    let words = if message.name.is_none() || message.header.is_response() {
        format!("the DNS message is {length} bytes")
    } else if length == least {
        format!("the DNS message is {length} bytes: 12 header + {wire} name + 4 type and class")
    } else if length < least {
        format!(
            "printed as {length} bytes, but this name needs {least} (12 header + {wire} name + 4): not a faithful print"
        )
    } else {
        format!(
            "the DNS message is {length} bytes: 12 header + {wire} name + 4 type and class + {} more",
            length - least
        )
    };
    explanation.push(format!("({length})"), words, "RFC 1035 §4.1");
}

/// How the query's transaction ended, as a sentence with a leading blank.
fn ending(subject: &Subject<'_>) -> String {
    let evidence = subject.evidence;
    let transaction = evidence.transaction_of(subject.packet.id).and_then(|id| evidence.transaction(id));
    let Some(transaction) = transaction else { return String::new() };
    let label = |id: Option<crate::index::PacketId>| id.map(|id| subject.index.label(id)).unwrap_or_default();
    match transaction.outcome {
        Outcome::Answered | Outcome::Late | Outcome::Truncated => {
            format!(" It was answered by {}, {}.", label(transaction.answer), later(transaction.waited_ns))
        }
        Outcome::NotReceived => format!(
            " It was answered by {}, {}, but that answer did not reach who asked.",
            label(transaction.answer),
            later(transaction.waited_ns)
        ),
        Outcome::Refused => format!(" It was refused: see {}.", label(transaction.error)),
        Outcome::CoveredByRateLimit => {
            " No error came for it, but errors about its neighbours did: senders limit their rate.".to_owned()
        }
        Outcome::Unreadable => {
            " A response to it is in this capture, but not whole: what it says cannot be read.".to_owned()
        }
        Outcome::NoAnswer => " No answer is in this capture.".to_owned(),
        Outcome::TcpReset => " The connection was reset before an answer.".to_owned(),
        Outcome::RefusedByReset => " The connection was refused with a reset.".to_owned(),
        Outcome::ResetMidway => {
            " The server reset the connection after it had sent something; this was not answered.".to_owned()
        }
        Outcome::Closed => " The server closed the connection without an answer to it.".to_owned(),
        Outcome::Mute => " The server acknowledged it and sent no answer.".to_owned(),
        Outcome::Undetermined => {
            let because = evidence.undetermined_because(subject.index, transaction).unwrap_or_default();
            format!(" Whether it was answered cannot be told: {because}.")
        }
    }
}

/// What a response code means, and for whom.
fn code_words(code: u16) -> (&'static str, &'static str) {
    match code {
        0 => ("no error", "DNS worked."),
        1 => ("the server could not read the query", "The two disagree about the format, often about EDNS."),
        2 => {
            ("the server tried and failed", "The trouble is behind this server, not in it being unreachable.")
        }
        3 => ("this name does not exist", "The server works; the name is wrong or was removed."),
        4 => ("the server does not do this kind of query", "The server works but does not offer this."),
        5 => ("the server will not answer this client", "A policy of the server, not a fault of the path."),
        _ => ("an uncommon response code", "See the code's registration."),
    }
}

fn answer(subject: &Subject<'_>, message: &Message, explanation: &mut Explanation) {
    let header = message.header;
    let flag = |bit: u16, mark: &'static str| if header.flags & bit != 0 { mark } else { "" };
    let evidence = subject.evidence;
    let transaction = evidence.transaction_of(subject.packet.id).and_then(|id| evidence.transaction(id));
    let code = transaction
        .filter(|transaction| transaction.answer == Some(subject.packet.id))
        .map_or(u16::from(header.response_code()), |transaction| transaction.response_code);
    let recursion = if header.flags & 0x80 == 0 { "-" } else { "" };
    let text = format!("{}{}{}{}", header.id, flag(0x400, "*"), recursion, flag(0x200, "|"));
    let mut words = format!("reply to the query with number {}", header.id);
    for (bit, more) in [
        (0x400, "; `*`: from the zone's own server"),
        (0x200, "; `|`: cut off, the client should ask again by TCP"),
    ] {
        if header.flags & bit != 0 {
            words.push_str(more);
        }
    }
    if !recursion.is_empty() {
        words.push_str("; `-`: this server does not offer to search for the client");
    }
    let token = explanation.push(text, words, "RFC 1035 §4.1.1");
    if message.binary {
        token.at(message.start, 4);
    }
    let (meaning, so_what) = code_words(code);
    if code != 0 {
        let name = names::response_code_name(code);
        explanation.push(name, meaning, "RFC 1035 §4.1.1, RFC 6895");
    }
    let [_, answers, authority, additional] = header.counts;
    let words = format!("{answers} answers, {authority} authority records, {additional} additional records");
    let token = explanation.push(format!("{answers}/{authority}/{additional}"), words, "RFC 1035 §4.1.1");
    if message.binary {
        token.at(message.start + 6, 6);
    }
    let bytes = subject.decoded.bytes.get(message.start as usize..subject.decoded.payload_end as usize);
    let records = if message.binary { records(bytes.unwrap_or_default()) } else { Vec::new() };
    for (text, words) in &records {
        explanation.push(text.clone(), words.clone(), "RFC 1035 §4.1.3");
    }
    if let Some(present) = missing(bytes.filter(|_| message.binary).unwrap_or_default(), answers) {
        let text = format!("{present} of {answers} records");
        let words = "the header counts more answers than the message holds: it is malformed or was cut";
        explanation.push(text, words, "RFC 1035 §4.1.1");
    }
    length(message, message.name.as_deref().unwrap_or_default(), explanation);
    let (server, client) =
        (role(subject, subject.decoded.source), role(subject, subject.decoded.destination));
    let about = message.name.as_deref().unwrap_or("the name asked for");
    let nodata = code == 0 && answers == 0 && header.flags & 0x200 == 0;
    let meaning = if nodata { "the name exists, but has nothing of this type" } else { meaning };
    explanation.sentence = format!("{server} answered {client} about {about}: {meaning}");
    let extended = transaction.and_then(|transaction| transaction.extended_error);
    explanation.so_what = match extended {
        Some(code) => format!("{so_what} The server adds: {}.", names::extended_error_name(code)),
        None if header.flags & 0x200 != 0 => {
            "The answer was cut off; look for TCP to the same server.".to_owned()
        }
        None if nodata => "Not an error: the server works.".to_owned(),
        None => so_what.to_owned(),
    };
    explanation.not_so = match code {
        0 => "An answer proves that name resolution worked, not that the address can be reached.".to_owned(),
        3 => "A name that does not exist is an answer, not an outage of the server.".to_owned(),
        _ => "An error code is an answer: the server and the path to it work.".to_owned(),
    };
    explanation.quiz = vec![
        ("Does the server work?".to_owned(), "It answered, so it runs and can be reached.".to_owned()),
        ("What did it say?".to_owned(), format!("{meaning}.")),
    ];
}

/// The first answer records as tcpdump prints them, with words.
fn records(message: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Some(first) = dns::read(message) else { return found };
    let mut at = first.question_end;
    for _ in 0..usize::from(first.header.counts[1]).min(RECORDS_SHOWN) {
        let Ok((_, fixed)) = dns::read_name(message, at) else { break };
        let Some([a, b, _, _, _, _, _, _, high, low]) =
            message.get(fixed..fixed + 10).and_then(|bytes| bytes.first_chunk::<10>())
        else {
            break;
        };
        let (kind, data) = (u16::from_be_bytes([*a, *b]), fixed + 10);
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(bytes) = message.get(data..data + length) else { break };
        let name = names::type_name(kind);
        let value = match kind {
            1 => bytes.first_chunk::<4>().map(|octets| std::net::Ipv4Addr::from(*octets).to_string()),
            28 => bytes.first_chunk::<16>().map(|octets| std::net::Ipv6Addr::from(*octets).to_string()),
            2 | 5 | 12 => dns::read_name(message, data).ok().map(|(name, _)| dns::presentation(name.wire())),
            _ => None,
        };
        let words = match (kind, &value) {
            (1, Some(value)) => format!("its IPv4 address is {value}"),
            (28, Some(value)) => format!("its IPv6 address is {value}"),
            (5, Some(value)) => format!("it is another name for {value}"),
            _ => format!("a record of type {name}"),
        };
        found.push((value.map_or_else(|| name.clone(), |value| format!("{name} {value}")), words));
        at = data + length;
    }
    found
}
