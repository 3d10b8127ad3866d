//! A policy module as it comes: bytes that look like a component, and their digest.

use crate::digest::ModuleDigest;
use crate::{Limits, LoadError};

/// The preamble: magic, then version and layer (1 and 0 for core modules, 13 and 1 for components).
const MAGIC: &[u8] = b"\0asm";
const COMPONENT: &[u8] = b"\x0d\0\x01\0";

/// Bytes that begin as a component does.
pub(crate) struct Module<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) digest: ModuleDigest,
}

impl<'a> Module<'a> {
    pub(crate) fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, LoadError> {
        if bytes.is_empty() {
            return Err(LoadError::Empty);
        }
        if bytes.len() > limits.module_bytes {
            return Err(LoadError::TooLarge { bytes: bytes.len(), limit: limits.module_bytes });
        }
        let kind = bytes.strip_prefix(MAGIC).ok_or(LoadError::NotWebAssembly)?;
        if !kind.starts_with(COMPONENT) {
            return Err(LoadError::CoreModule);
        }
        Ok(Self { bytes, digest: ModuleDigest::of(bytes) })
    }
}
