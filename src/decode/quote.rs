//! The packet quoted inside an ICMP error (RFC 792; RFC 4443 §2.4; RFC 4884).

use super::{Decoded, network};

/// A quoted packet, read as far as the quote goes.
#[derive(Clone, Debug)]
pub struct Quote<'a> {
    /// The quoted headers; offsets count from the first byte of the *frame* that carries the error.
    pub inner: Decoded<'a>,
    /// Bytes of the quote that are captured, from the quoted IP header on.
    pub length_bytes: u32,
}

impl<'a> Quote<'a> {
    /// Reads the quote of an ICMP error; `None` when the frame is no ICMP error or quotes nothing.
    pub fn read(error: &Decoded<'a>) -> Option<Self> {
        if !error.is_icmp_error() {
            return None;
        }
        let start = error.payload_start as usize;
        let end = error.payload_end as usize;
        if end <= start {
            return None;
        }
        let bytes = error.bytes.get(..end)?;
        let mut inner = Decoded::empty(bytes);
        network::ip(&mut inner, start);
        if inner.layers().is_empty() {
            return None;
        }
        Some(Self { inner, length_bytes: (end - start) as u32 })
    }

    /// What the quoted UDP or TCP header carried, as far as quoted.
    pub fn payload(&self) -> &'a [u8] {
        self.inner.payload()
    }
}
