//! Any bytes behind any packing are unpacked within their limits, or refused with a reason; in pieces as at once.

#![no_main]

use std::io::{Cursor, Read};

use libfuzzer_sys::fuzz_target;
use portmortem::capture::{Damage, Limits, Options, Place, open_reader};
use portmortem::index::{Input, PacketId, Progress, build};

/// Hands out its bytes a few at a time.
struct Pieces(Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.1.min(buffer.len());
        self.0.read(&mut buffer[..count])
    }
}

/// What is unpacked from the bytes, and what is said of bytes behind it. How records look may be judged otherwise by less of
/// them, so packets are not compared.
fn read(bytes: &[u8], piece: usize) -> Option<(Vec<u8>, Vec<Damage>)> {
    let limits = Limits { spool_bytes: 16 << 20, unpacked_bytes: 16 << 20, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let (source, walk) = open_reader("fuzz", Pieces(Cursor::new(bytes.to_vec()), piece), options).ok()?;
    let unpacked = source.bytes.clone();
    let index = build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
    assert!((0..index.len()).all(|id| index.packet(PacketId(id)).is_some()));
    let mut damage = index.sources[0].metadata.damage.clone();
    damage.retain(|damage| damage.place == Place::Packed);
    for damage in &mut damage {
        // How many packets were read before.
        damage.after_frame = 0;
    }
    let unpacked = unpacked.bytes().to_vec();
    Some((unpacked, damage))
}

fuzz_target!(|bytes: &[u8]| {
    if let (Some(whole), Some(pieces)) = (read(bytes, usize::MAX), read(bytes, 1 + bytes.len() % 61)) {
        assert!(
            whole == pieces,
            "{} and {} bytes, {:?} and {:?}",
            whole.0.len(),
            pieces.0.len(),
            whole.1,
            pieces.1
        );
    }
});
