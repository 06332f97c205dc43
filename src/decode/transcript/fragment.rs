//! Reads which piece of a fragmented packet a line is: `frag (0x00001a2b:0|1232) 53 > 40001: …`, `(frag 56205:1480@0+)`.

use super::Line;
use super::services::port;
use crate::capture::transcript::{Words, is_arrow};
use crate::decode::Fragment;

/// Takes the fragment header that stands before what the packet carries, with the ports of a first piece; `words` follow both.
pub(super) fn read<'a>(line: &mut Line<'a>, words: &mut Words<'a>) {
    let mut ahead = *words;
    if ahead.peek().is_some_and(|word| word.text == "frag") {
        ahead.next();
        let Some(group) = crate::capture::transcript::group(&mut ahead) else { return };
        *words = ahead;
        let (piece, length) = group.text.split_once('|').unwrap_or((group.text, ""));
        let (id, offset) = piece.split_once(':').map_or((None, piece), |(id, offset)| (Some(id), offset));
        let id = id.and_then(|id| u32::from_str_radix(id.trim_start_matches("0x"), 16).ok());
        if let Some(((id, offset_bytes), bytes)) = id.zip(offset.parse().ok()).zip(length.parse().ok()) {
            // Whether more follows is not printed; of a packet in pieces it does behind the first.
            let more = offset_bytes == 0;
            line.ip.piece = Some((Fragment { id, offset_bytes, more }, bytes));
        }
        ports(line, words);
    } else if line.ip.piece.is_none() {
        line.ip.piece = old(line);
    }
}

/// `53 > 40001:`, where the hosts before are printed without ports.
fn ports<'a>(line: &mut Line<'a>, words: &mut Words<'a>) {
    let mut ahead = *words;
    let from = ahead.next().and_then(|word| port(word.text));
    let is_arrow = ahead.arrow().is_some_and(|word| is_arrow(word.text));
    let to = ahead.next().and_then(|word| port(word.text.strip_suffix(':')?));
    let (Some(from), Some(to), true) = (from, to, is_arrow) else { return };
    if let (Some(source), Some(destination)) = (&mut line.source, &mut line.destination) {
        (source.port, destination.port) = (Some(from), Some(to));
        *words = ahead;
    }
}

/// `(frag 56205:1480@0+)` at the end of a line: how OpenBSD and tcpdump up to 3.9 print it.
fn old(line: &Line<'_>) -> Option<(Fragment, u32)> {
    // Nearly no line has one, and searching each for the words takes longer.
    memchr::memchr(b'@', line.body().as_bytes())?;
    let (_, told) = line.body().rsplit_once("(frag ")?;
    let told = told.split(')').next()?;
    let (id, piece) = told.split_once(':')?;
    let (bytes, offset) = piece.split_once('@')?;
    let more = offset.ends_with('+');
    let offset_bytes = offset.trim_end_matches('+').parse().ok()?;
    Some((Fragment { id: id.parse().ok()?, offset_bytes, more }, bytes.parse().ok()?))
}
