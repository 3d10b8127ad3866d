//! The platform profile comes compiled: a server without a folder for compiled policies starts as quickly.

use std::collections::BTreeMap;

use portreeve_engine::{Engine, Options};
use portreeve_server::set::{COMPILED, Loader, Sources, platform};

#[test]
fn the_platform_profile_is_in_force_without_compiling_anything() {
    let engine = Engine::new(Options { embedded: &COMPILED, ..Options::default() }).unwrap();
    let loader = Loader::new(engine, portreeve_builtin::CATALOGUE, BTreeMap::new(), None);
    let set = loader.load(&Sources::of_builtin(platform())).unwrap();
    assert_eq!(set.policies().len(), platform().len());
    let stats = loader.engine().stats();
    assert_eq!((stats.cache_hits, stats.cache_misses), (1, 0));
    assert!(stats.compiling.is_zero());
}
