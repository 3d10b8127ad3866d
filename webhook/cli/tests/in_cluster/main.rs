//! The released program in a cluster, as its users have it: replicas as processes, tied to a real API server, behind
//! one address. What the parts do each by itself is tested where they are.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail by panic, and says when it is skipped"
)]

mod availability;
mod backstop;
mod break_glass;
mod chart;
mod commands;
mod evidence;
mod front;
mod given;
mod modules;
mod own;
mod platforms;
mod pod_security;
mod policies;
mod registration;
mod replica;
mod replicas;
mod rights;
mod rotation;
mod scan;
mod scene;
mod several_faults;
mod statuses;
mod swept;
mod told;
mod traces;
mod users;
