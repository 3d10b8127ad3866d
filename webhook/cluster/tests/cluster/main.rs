//! What this crate does at a real API server, in one binary so that it is linked once. Where there is no control plane
//! to start, each test says that it is skipped and how to get one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail by panic, and says when it is skipped"
)]

#[cfg(test)]
mod events;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod line;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod scene;
