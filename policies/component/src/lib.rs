//! Turns a policy crate into a WebAssembly component.
