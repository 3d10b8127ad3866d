//! The policies that ship, one WebAssembly component.
