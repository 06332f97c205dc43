//! The OPT record of a DNS message: size, DO, extended response code, extended error (RFC 6891; RFC 8914).

use crate::decode::dns;

/// Records passed on the way to OPT; a message with more is not read further.
const RECORDS_MAX: usize = 512;
/// Options of one OPT record.
const OPTIONS_MAX: usize = 64;
const OPT: u16 = 41;
const EXTENDED_ERROR: u16 = 15;
const COOKIE: u16 = 10;

/// What an OPT record says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// UDP payload size the sender can take, in bytes.
    pub size: u16,
    /// DO: DNSSEC records are wanted.
    pub dnssec_ok: bool,
    /// The upper 8 bits of the response code.
    pub extended_code: u8,
    /// INFO-CODE of the first extended error.
    pub extended_error: Option<u16>,
    /// A COOKIE option is there (RFC 7873).
    pub cookie: bool,
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.first_chunk::<2>().map(|pair| u16::from_be_bytes(*pair))
}

/// Finds and reads the OPT record; `None` when there is none or the message is cut before it.
pub fn read(message: &[u8]) -> Option<Options> {
    let first = dns::read(message)?;
    let [questions, answers, authorities, additional] = first.header.counts;
    let mut at = first.question_end;
    for _ in 1..questions.min(RECORDS_MAX as u16) {
        at = dns::read_name(message, at).ok()?.1 + 4;
    }
    let records = usize::from(answers) + usize::from(authorities) + usize::from(additional);
    for _ in 0..records.min(RECORDS_MAX) {
        let (_, fixed) = dns::read_name(message, at).ok()?;
        let data = fixed + 10;
        let length = usize::from(word(message, fixed + 8)?);
        if word(message, fixed)? == OPT {
            let mut options = Options {
                size: word(message, fixed + 2)?,
                extended_code: *message.get(fixed + 4)?,
                dnssec_ok: message.get(fixed + 6)? & 0x80 != 0,
                ..Options::default()
            };
            read_options(message.get(data..(data + length).min(message.len()))?, &mut options);
            return Some(options);
        }
        at = data + length;
    }
    None
}

fn read_options(mut rest: &[u8], options: &mut Options) {
    for _ in 0..OPTIONS_MAX {
        let (Some(code), Some(length)) = (word(rest, 0), word(rest, 2)) else { return };
        if code == EXTENDED_ERROR && options.extended_error.is_none() {
            options.extended_error = word(rest, 4);
        }
        options.cookie |= code == COOKIE;
        let Some(next) = rest.get(4 + usize::from(length)..) else { return };
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extended_error_of_a_failure_is_read() {
        let mut message = vec![0, 7, 0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 1, 1, b'a', 0, 0, 1, 0, 1];
        message.extend([0, 0, 41, 4, 208, 1, 0, 0x80, 0, 0, 6, 0, 15, 0, 2, 0, 22]);
        let options = read(&message).unwrap();
        assert_eq!((options.size, options.dnssec_ok, options.extended_code), (1232, true, 1));
        assert_eq!(options.extended_error, Some(22));
        for cut in 0..message.len() {
            read(message.get(..cut).unwrap());
        }
    }
}
