//! The catalogue as a built component, embedded.
