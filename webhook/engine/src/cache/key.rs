//! What decides what an entry holds, as one digest. An entry of a folder was compiled by this machine for itself; an
//! embedded one was compiled elsewhere, and wasmtime checks when it loads whether this machine can run it.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bindings::Instance;
use crate::digest::ModuleDigest;
use crate::runtime::Runtime;

/// SHA-256, printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct EntryKey([u8; 32]);

/// Stands where the number of instances stands in the key of what is configured: no list has so many.
const AS_IT_CAME: [u8; size_of::<usize>()] = [u8::MAX; size_of::<usize>()];

/// Our own version, for it decides how modules are set up.
const VERSION: &str = concat!("portreeve-engine ", env!("CARGO_PKG_VERSION"));

impl EntryKey {
    /// Over our version, the module, and the instances with their settings: what an embedded entry goes by.
    pub(crate) fn of_content(module: ModuleDigest, instances: &[Instance]) -> Self {
        let mut hash = Sha256::new_with_prefix(VERSION);
        hash.update(module.as_bytes());
        hash.update(length(instances.len()));
        for Instance { id, policy, settings } in instances {
            for text in [id, policy, settings] {
                hash.update(length(text.len()));
                hash.update(text);
            }
        }
        Self(hash.finalize().into())
    }

    /// Over our version and the module alone, for a component that was not configured.
    pub(crate) fn as_it_came(module: ModuleDigest) -> Self {
        let mut hash = Sha256::new_with_prefix(VERSION);
        hash.update(module.as_bytes());
        hash.update(AS_IT_CAME);
        Self(hash.finalize().into())
    }

    /// Over the content and everything about the engines that compile it here: wasmtime's version, compiler settings
    /// and processor features.
    pub(crate) fn on_this_machine(self, runtime: &Runtime) -> Self {
        let mut hash = Sha256::new_with_prefix(self.0);
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
