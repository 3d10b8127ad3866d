//! What is proved across crates: platforms, conformance, hostile guests, the wire. This library has what these tests
//! share: where data is found, a gate without a socket, a control plane of a cluster, helm, reviews made of manifests. The tests
//! are in `portreeve/`, in `charts/` those of the charts, and in `cluster/` those that need a control plane.

pub mod api_server;
pub mod archive;
pub mod control_plane;
pub mod gate;
pub mod helm;
pub mod kubectl;
pub mod places;
pub mod review;
pub mod server;
pub mod whole;
