//! Entries that are part of the binary: the length of the header (8 bytes, little-endian), the header as JSON, the
//! machine code. They need no seal, for what could change them could change the rest of the binary too; and they go by
//! their content alone, since the machine that compiled them is not the one that runs them.

use super::{EntryKey, Header};
use crate::load::{Built, Loaded};
use crate::machine_code::Compiled;
use crate::runtime::Runtime;

/// What [`Engine::precompile`](crate::Engine::precompile) answered when this binary was built. It is used when it
/// fits the module, the settings and the machine, and passed over otherwise.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedEntry {
    /// The bytes, as they were answered.
    pub bytes: &'static [u8],
}

/// The bytes of an entry.
pub(crate) fn embed(key: EntryKey, built: &Built) -> serde_json::Result<Vec<u8>> {
    let header = Header::new(key, built.label.clone()).to_bytes()?;
    let length = u64::try_from(header.len()).unwrap_or(u64::MAX);
    Ok([&length.to_le_bytes()[..], &header, &built.code].concat())
}

/// The first entry of that key that loads.
pub(super) fn find(entries: &[EmbeddedEntry], runtime: &Runtime, key: &EntryKey) -> Option<Loaded> {
    entries.iter().find_map(|entry| load(entry, runtime, key))
}

fn load(entry: &EmbeddedEntry, runtime: &Runtime, key: &EntryKey) -> Option<Loaded> {
    let (length, rest) = entry.bytes.split_first_chunk::<8>()?;
    let (header, code) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let label = Header::from_bytes(header).ok()?.label_for(key)?;
    match Compiled::embedded(code).load(&label.placement.machine(runtime).engine) {
        Ok(component) => Some(Loaded { label, component }),
        Err(error) => {
            tracing::warn!(%key, %error, "an embedded policy can't be used on this machine and is compiled here");
            None
        }
    }
}
