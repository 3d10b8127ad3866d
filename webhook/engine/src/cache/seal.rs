//! The seal of an entry: HMAC-SHA256 over its header and its machine code, under a key that never leaves the folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a seal.
pub(super) const SEAL: usize = 32;
/// Bytes of code that are read at a time.
const PIECE: usize = 64 << 10;

/// The key that entries are sealed with.
pub(super) struct SealingKey([u8; 32]);

impl SealingKey {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The seal for this header and the code in this file.
    pub(super) fn seal(&self, header: &[u8], code: &Path) -> io::Result<[u8; SEAL]> {
        Ok(self.mac(header, code)?.finalize().into_bytes().into())
    }

    /// Whether this is the seal for this header and the code in this file. Takes the same time wherever they differ.
    pub(super) fn fits(&self, seal: &[u8; SEAL], header: &[u8], code: &Path) -> io::Result<bool> {
        Ok(self.mac(header, code)?.verify(seal.into()).is_ok())
    }

    fn mac(&self, header: &[u8], code: &Path) -> io::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(io::Error::other)?;
        mac.update(&header.len().to_le_bytes());
        mac.update(header);
        let mut file = File::open(code)?;
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(mac),
                read => mac.update(piece.get(..read).unwrap_or_default()),
            }
        }
    }
}
