//! The engine from outside: well-behaved and hostile guests through its public face.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that can't go on has failed")]

mod at_once;
mod cache;
#[path = "../support/cases.rs"]
mod cases;
mod circuit;
mod containment;
mod evaluation;
#[path = "../support/guests.rs"]
mod guests;
mod limits;
mod loading;
mod logging;
