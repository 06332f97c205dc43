//! SHA-256 of a capture as it is stored, computed in pieces so that it can be watched and stopped.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

const PIECE_BYTES: usize = 1 << 20;

/// Hashes a capture: the file where there is one (as stored, before any unpacking), otherwise the bytes.
/// `progress` grows by the bytes hashed. `None` when `cancel` was set.
pub fn hash_source(
    path: Option<&Path>,
    bytes: &[u8],
    cancel: &AtomicBool,
    progress: &AtomicU64,
) -> io::Result<Option<String>> {
    let mut hasher = Sha256::new();
    if let Some(path) = path {
        let mut file = File::open(path)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hasher.update(piece.get(..read).unwrap_or_default());
            progress.fetch_add(read as u64, Ordering::Relaxed);
        }
    } else {
        for piece in bytes.chunks(PIECE_BYTES) {
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            hasher.update(piece);
            progress.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    }
    Ok(Some(hex(&hasher.finalize())))
}

/// SHA-256 of a text, in hexadecimal.
pub fn hash_text(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// SHA-256 of bytes, in hexadecimal.
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}
