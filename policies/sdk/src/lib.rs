//! The guest side of the contract: what a policy written in Rust builds on.
