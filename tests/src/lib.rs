//! What is proved across crates: platforms, conformance, hostile guests, the wire. This library has what these tests
//! share: where data is found, a gate without a socket, a port that takes traces, helm, reviews made of manifests; a
//! control plane is a crate of its own. The tests are in `portreeve/`, in `charts/` those of the charts, and in
//! `cluster/` those that need a control plane.

pub mod archive;
pub mod backstop;
pub mod collector;
pub mod gate;
pub mod helm;
pub mod injected;
pub mod places;
pub mod platform;
pub mod review;
pub mod server;
pub mod whole;

pub use portreeve_control_plane::{api_server, cluster, control_plane, kubectl};
