//! The contract in `wit/policy.wit` as wasmtime sees it. Private: callers see the types of `portreeve-admission`.

// Generated code is not held to the house's rules.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::restriction)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "policy",
    // A host function that refuses stops the guest: an error is no value that a policy could look at.
    imports: { default: trappable },
});
