//! The service: configuration, the set of policies in force, the way of a request, TLS endpoints, health, metrics.
//!
//! The order of it all is one page, in [`way`]. What a request is allowed is decided in `portreeve-admission`; how a
//! policy runs is `portreeve-engine`'s; this crate brings them together with facts, the book and HTTP.

pub mod app;
pub mod around;
pub mod callers;
pub mod check;
pub mod config;
mod creation;
pub mod deadline;
mod digest;
pub mod door;
pub mod health;
mod incoming;
pub mod lock;
pub mod manifest;
pub mod metrics;
pub mod proposal;
pub mod serve;
pub mod set;
pub mod settled;
pub mod state;
pub mod traces;
pub mod trial;
pub mod way;
pub mod witness;
