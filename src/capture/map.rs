//! The bytes of a capture in one piece: a read-only memory map of a file, or bytes in memory.

use std::fs::File;
use std::io;
use std::path::Path;

/// A run of bytes that never moves while it lives.
pub struct Map(Kind);

enum Kind {
    Mapped(memmap2::Mmap),
    Fixed(&'static [u8]),
    Owned(Vec<u8>),
}

impl Map {
    /// Maps a whole file, read-only.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self(Kind::Fixed(&[])));
        }
        // SAFETY: the map is read-only and private. If another program shortens the file while it is
        // mapped, reading the lost part raises SIGBUS; capture files are appended to, not shortened.
        #[expect(unsafe_code, reason = "mapping a file is the only way to read it without copying")]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self(Kind::Mapped(map)))
    }

    /// Bytes embedded in the program.
    pub fn fixed(bytes: &'static [u8]) -> Self {
        Self(Kind::Fixed(bytes))
    }

    /// Bytes made by the program.
    pub fn owned(bytes: Vec<u8>) -> Self {
        Self(Kind::Owned(bytes))
    }

    /// All bytes that are there so far.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Kind::Mapped(map) => map,
            Kind::Fixed(bytes) => bytes,
            Kind::Owned(bytes) => bytes,
        }
    }

    /// Whether no more bytes will come.
    pub fn is_complete(&self) -> bool {
        true
    }
}
