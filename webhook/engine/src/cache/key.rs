//! What decides what an entry holds, as one digest.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bindings::Instance;
use crate::digest::ModuleDigest;
use crate::runtime::Runtime;

/// SHA-256 over the module, the instances with their settings, and everything about the engines that compile it:
/// wasmtime's version, compiler settings and processor features, and our own version. Prints as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct EntryKey([u8; 32]);

impl EntryKey {
    pub(crate) fn new(runtime: &Runtime, module: ModuleDigest, instances: &[Instance]) -> Self {
        let mut hash = Sha256::new_with_prefix(concat!("portreeve-engine ", env!("CARGO_PKG_VERSION")));
        hash.update(module.as_bytes());
        hash.update(length(instances.len()));
        for Instance { id, policy, settings } in instances {
            for text in [id, policy, settings] {
                hash.update(length(text.len()));
                hash.update(text);
            }
        }
        let mut engines = Feed(&mut hash);
        runtime.pooled.engine.precompile_compatibility_hash().hash(&mut engines);
        runtime.on_demand.engine.precompile_compatibility_hash().hash(&mut engines);
        Self(hash.finalize().into())
    }
}

/// Lengths go before what they measure, so that no two lists of texts read alike.
fn length(bytes: usize) -> [u8; size_of::<usize>()] {
    bytes.to_le_bytes()
}

/// Takes what hashes itself for a hash map and hashes it for good.
struct Feed<'a>(&'a mut Sha256);

impl Hasher for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0 // Nobody asks: the digest is taken from what was fed.
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
