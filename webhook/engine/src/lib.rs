//! Runs policies: the only crate that names wasmtime.
