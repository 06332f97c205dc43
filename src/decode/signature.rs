//! Transaction signatures of DNS messages (TSIG, RFC 8945): the error that an answer tells of.

use super::answers::Resource;
use super::dns;

/// The record's type.
const TSIG: u16 = 250;
/// Records passed on the way to the last one.
const RECORDS_MAX: usize = 1_024;

/// The error of a message's signature; `None` where it has none, or is fine. It is the last record (RFC 8945 §5.1).
pub fn error(message: &[u8]) -> Option<u16> {
    let head = dns::read(message)?;
    let [_, answers, authorities, additional] = head.header.counts;
    let number = usize::from(answers) + usize::from(authorities) + usize::from(additional);
    let mut at = head.question_end;
    let mut last = None;
    for _ in 0..number.min(RECORDS_MAX) {
        let record = Resource::read(message, at)?;
        at = record.end();
        last = Some(record);
    }
    let record = last.filter(|record| record.rtype == TSIG)?;
    // Algorithm, time of six bytes, two of leeway, size and bytes of the code, number of the message, error (RFC 8945 §4.2).
    let (_, fixed) = dns::read_name(message, record.start).ok()?;
    let size = message.get(fixed + 8..fixed + 10)?.first_chunk::<2>()?;
    let at = fixed + 10 + usize::from(u16::from_be_bytes(*size)) + 2;
    let error = message.get(at..at + 2)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*error)).filter(|error| *error != 0)
}

/// What it means (RFC 8945 §5.2).
pub fn words(error: u16) -> &'static str {
    match error {
        16 => "BADSIG (16): the signature does not fit, another secret or algorithm",
        17 => "BADKEY (17): the server does not know the key by that name",
        18 => "BADTIME (18): the clocks of the two differ",
        22 => "BADTRUNC (22): the signature is cut shorter than allowed",
        _ => "an error of the signature",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_signature_stands_behind_its_code() {
        // A question for the root, and a signature by a key called k without a code.
        let mut message = vec![0, 1, 0x80, 9, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 6, 0, 1];
        message.extend([1, b'k', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 19]);
        message.extend([1, b'a', 0, 0, 0, 0, 0, 0, 0, 1, 44, 0, 0, 0, 1, 0, 18, 0, 0]);
        assert_eq!(error(&message), Some(18));
        message.truncate(message.len() - 4);
        message.extend([0, 0, 0, 0]);
        assert_eq!(error(&message), None);
    }
}
