//! Compiled code on its way into the process. The only `unsafe` of the house: what is mapped here is executed.
//!
//! wasmtime checks that code was compiled by this version with these settings, but it can't check that it was
//! compiled at all. So this file asks for a proof of where the bytes come from, and there are three: we compiled them
//! just now, they are part of this binary, or they stood in our cache folder and bore its seal.
#![allow(unsafe_code)]

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code that this process, or the build of this binary, compiled.
pub(crate) struct Compiled<'a>(&'a [u8]);

impl Compiled<'static> {
    /// # Safety of what follows
    /// Bytes of this binary are as trustworthy as the rest of it.
    pub(crate) fn embedded(code: &'static [u8]) -> Self {
        Self(code)
    }
}

impl<'a> Compiled<'a> {
    /// What `Engine::precompile_component` has just answered.
    pub(crate) fn just_now(code: &'a [u8]) -> Self {
        Self(code)
    }

    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: by its constructors, the bytes are the unaltered output of wasmtime's compiler.
        unsafe { Component::deserialize(engine, self.0) }
    }
}

/// A file whose seal was checked, in a folder that only this user can write to.
pub(crate) struct Sealed<'a>(pub(crate) &'a Path);

impl Sealed<'_> {
    /// Maps the file. Files are only ever replaced by renaming another one over them, so that a mapping keeps the
    /// bytes that it was made from.
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: the caller checked the seal, which only a holder of the folder's key can make. Between that check
        // and this call nobody but this user can have changed the file; a process of the same user could as well
        // change this process.
        unsafe { Component::deserialize_file(engine, self.0) }
    }
}
