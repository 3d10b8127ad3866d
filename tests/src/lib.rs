//! What is proved across crates: platforms, conformance, hostile guests, the wire. This library has what these tests
//! share: where data is found, a gate without a socket, reviews made of manifests. The tests are in `portreeve/`.

pub mod archive;
pub mod gate;
pub mod places;
pub mod review;
pub mod server;
