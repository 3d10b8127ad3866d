//! The bindings that wit-bindgen makes of the contract. Nothing is written here by hand; `view`, `verdict`, `case`
//! and `export` are what policies see of it.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, clippy::restriction)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "policy",
    pub_export_macro: true,
    default_bindings_module: "portreeve_sdk::generated",
    generate_all,
    additional_derives: [PartialEq],
});
