//! The one-line summary of a DNS message.

use std::fmt::Write as _;

use super::{
    Frame, RECORDS_SHOWN_MAX, Record, extended_error_name, message, name_text, opcode_name, records,
    response_code_name, short_data, type_name,
};
use crate::decode::dns::{self, Message, Name};

/// Records named in a summary before the rest is counted.
const SHOWN_MAX: usize = 4;

/// Writes `A? name`, `A name → 203.0.113.5`, `NXDOMAIN name`, …
pub(super) fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let Some(message) = message(frame) else {
        out.push_str("DNS message cut before its header ends");
        return;
    };
    let header = message.header;
    if header.opcode() != 0 {
        let _ = write!(out, "{} ", opcode_name(header.opcode()));
    }
    let name = name_text(&message.name);
    let has_question = message.question_end > 12;
    if header.is_response() {
        response(&message, &name, has_question, out);
    } else if has_question {
        let _ = write!(out, "{}? {name}", type_name(message.qtype));
    } else if !message.name.wire().is_empty() {
        let _ = write!(out, "query for {name}");
    } else {
        let _ = write!(out, "query without a readable question");
    }
    if header.is_truncated() {
        out.push_str(" · truncated");
    }
    if let Some(problem) = message.problem {
        let _ = write!(out, " · {problem}");
    }
}

fn response(message: &Message<'_>, name: &str, has_question: bool, out: &mut String) {
    let extension = message.extension();
    let code = message.response_code();
    let kind = if has_question { type_name(message.qtype) } else { String::new() };
    if code == 0 {
        answers(message, name, &kind, out);
    } else {
        let _ = write!(out, "{}", response_code_name(code));
        if has_question {
            let _ = write!(out, " {name} ({kind})");
        }
    }
    if let Some((error, range)) = extension.and_then(|extension| extension.extended_error(message.bytes)) {
        let _ = write!(out, " · EDE {error} {}", extended_error_name(error));
        let text = message.bytes.get(range).unwrap_or_default();
        if !text.is_empty() {
            let _ = write!(out, ": {}", crate::text::escape_bytes(text));
        }
    }
}

fn answers(message: &Message<'_>, name: &str, kind: &str, out: &mut String) {
    let (all, _) = records(message);
    let in_answer = all.iter().filter(|record| record.section == "Answer");
    // mDNS answers carry no question; the first record's owner then says what it is about.
    let owner = || dns::read_name(message.bytes, all.first()?.start).ok();
    let _ = match owner().filter(|_| kind.is_empty()) {
        Some((owner, _)) => write!(out, "{} →", name_text(&owner)),
        None if message.name.wire().is_empty() => write!(out, "response without a readable question →"),
        None if kind.is_empty() => write!(out, "{name} →"),
        None => write!(out, "{kind} {name} →"),
    };
    let expected = chain(message, &all);
    let begin = out.len();
    for (position, record) in in_answer.clone().take(SHOWN_MAX).enumerate() {
        if position > 0 {
            out.push(',');
        }
        // A record belongs to its owner (RFC 1035 §4.1.3): behind a CNAME to the name that gives, else it is named.
        let own = dns::read_name(message.bytes, record.start).ok().map(|(own, _)| own);
        if let Some(own) =
            own.filter(|own| expected.as_ref().is_some_and(|all| !all.iter().any(|name| own.equals(name))))
        {
            let _ = write!(out, " {} of {}", type_name(record.kind), name_text(&own));
        } else if record.kind != message.qtype {
            let _ = write!(out, " {}", type_name(record.kind));
        }
        // Signatures and keys are long and say nothing at a glance.
        if !matches!(record.kind, 43 | 46 | 48 | 50) {
            let _ = write!(out, " {}", short_data(message.bytes, record));
        }
    }
    let stated = usize::from(message.header.counts.get(1).copied().unwrap_or(0));
    let present = in_answer.count();
    let shown = present.min(SHOWN_MAX);
    if present > shown {
        let _ = write!(out, ", and {} more", present - shown);
    }
    // What the header counts is a claim, and more records than are read at all are not missing.
    if present < stated && present > 0 && present < RECORDS_SHOWN_MAX {
        let _ = write!(out, " · {present} of {stated} records present");
    }
    if out.len() == begin {
        out.push_str(if stated == 0 { " no records" } else { " records that are cut" });
    }
}

/// The names the answer's records may belong to without saying: the one asked for, and those a chain of aliases leads to;
/// `None` where nothing is asked.
fn chain(message: &Message<'_>, all: &[Record]) -> Option<Vec<Name>> {
    let mut names = vec![Some(message.name).filter(|_| message.question_end > 12)?];
    let is_among = |names: &[Name], name: &Name| names.iter().any(|known| known.equals(name));
    let aliases = || all.iter().filter(|record| record.section == "Answer" && record.kind == CNAME);
    for _ in 0..ALIASES_MAX {
        let next = aliases().find_map(|record| {
            let (from, _) = dns::read_name(message.bytes, record.start).ok()?;
            let (to, _) = dns::read_name(message.bytes, record.data).ok()?;
            (is_among(&names, &from) && !is_among(&names, &to)).then_some(to)
        });
        names.push(match next {
            Some(next) => next,
            None => break,
        });
    }
    Some(names)
}

/// Aliases followed in one answer.
const ALIASES_MAX: usize = 16;
const CNAME: u16 = 5;
