//! The tests across crates, in one binary so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail by panic, and says when it is skipped"
)]

#[cfg(test)]
mod admission;
#[cfg(test)]
mod around;
#[cfg(test)]
mod at_once;
#[cfg(test)]
mod book;
#[cfg(test)]
mod break_glass;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod conflicts;
#[cfg(test)]
mod connecting;
#[cfg(test)]
mod embedded;
#[cfg(test)]
mod exceptions;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod images;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod large;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod matched;
mod meant;
#[cfg(test)]
mod mending;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod platforms;
#[cfg(test)]
mod policy_files;
#[cfg(test)]
mod proposals;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod registry_modules;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod settled;
#[cfg(test)]
mod spelling;
#[cfg(test)]
mod told;
#[cfg(test)]
mod updates;
#[cfg(test)]
mod whole;
#[cfg(test)]
mod wire;
