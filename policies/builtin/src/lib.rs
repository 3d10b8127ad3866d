//! The catalogue as a built component, embedded: the policies that a server has without being given any, and the
//! profile that puts them in force. How they are built is in `portreeve-component`, what they say in
//! `policies/catalogue`.

/// The component that carries all built-in policies, a component of `portreeve:policy`.
pub static CATALOGUE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/catalogue.wasm"));

/// The platform profile: ClusterPolicies of `portreeve.dev/v1alpha1`, as YAML documents.
pub static PROFILE: &str = include_str!("../profile.yaml");

/// [`CATALOGUE`] compiled with the settings of [`PROFILE`], as `portreeve_engine::Engine::precompile` answered. Empty
/// if it was built on another kind of machine.
pub static PROFILE_CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/profile.code"));

/// [`CATALOGUE`] compiled without settings, as `portreeve_engine::Engine::precompile_as_it_came` answered: other
/// settings are in force with it before the compiler has seen them. Empty if it was built on another kind of machine.
pub static CATALOGUE_CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/catalogue.code"));

/// Every policy of [`CATALOGUE`] with the names of its rules, both in the order of their names.
pub static RULES: &[(&str, &[&str])] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogue_is_a_component() {
        // The preamble of a component: magic, version 13, layer 1.
        assert_eq!(super::CATALOGUE.get(..8), Some(b"\0asm\x0d\0\x01\0".as_slice()));
    }

    #[test]
    fn the_rules_of_each_policy_are_known_those_that_only_change_something_too() {
        let of = |policy: &str| super::RULES.iter().find(|(name, _)| *name == policy).map(|(_, rules)| *rules);
        assert_eq!(of("non-root"), Some(["image-user", "low-port", "non-root", "root-user"].as_slice()));
    }
}
