//! What is proved across crates: platforms, conformance, hostile guests, the wire.
