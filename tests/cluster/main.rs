//! The tests against a real API server, in one binary so that it is linked once. Where there is neither a folder with
//! the programs of a control plane nor a cluster, each says that it is skipped and how to get them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail by panic, and says when it is skipped"
)]

#[cfg(test)]
mod backstop;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod charts;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod controllers;
#[cfg(test)]
mod defaults;
#[cfg(test)]
mod definitions;
#[cfg(test)]
mod election;
#[cfg(test)]
mod namespaces;
#[cfg(test)]
mod platforms;
#[cfg(test)]
mod registrar;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod unanswered;
