//! What is put in force before it is frozen: at once, with every check and limit, and with the answers that it has
//! frozen.

use std::time::{Duration, Instant};

use portreeve_admission::verdict::{Failure, Limit, Outcome};
use portreeve_engine::{Cache, CacheFolder, EmbeddedEntry, Engine, Instance, Limits, LoadError, Options, Start, Step};
use serde_json::json;

use crate::cases::{does, engine, engine_within, good, instance, outcome, soon, verdict};
use crate::guests;

fn says(words: &str) -> Instance {
    instance("good", "good", json!({"says": words}))
}

/// An engine that keeps what it compiles, and the folder.
fn keeping() -> (tempfile::TempDir, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::Folder(CacheFolder::open(&folder.path().join("cache")).unwrap());
    let limits = Limits { evaluations: 1, ..Limits::default() };
    (folder, Engine::new(Options { cache, limits, ..Options::default() }).unwrap())
}

#[test]
fn settings_that_nobody_has_seen_are_in_force_without_the_compiler() {
    let (_folder, engine) = keeping();
    engine.load_at_once(guests::hostile(), &[good()]).unwrap();
    let before = engine.stats().compiling;
    let program = engine.load_at_once(guests::hostile(), &[says("new words")]).unwrap();
    assert_eq!((program.start(), engine.stats().compiling), (&Start::Meanwhile, before));
    assert_eq!(verdict(outcome(&program, "good", soon())).violations[0].message, "new words");
}

#[test]
fn a_module_is_compiled_once_where_nothing_is_kept_on_disk() {
    let engine = engine();
    engine.load_at_once(guests::hostile(), &[good()]).unwrap();
    let before = engine.stats().compiling;
    engine.load_at_once(guests::hostile(), &[says("new words")]).unwrap();
    engine.rehearse(guests::hostile()).unwrap().configure(&says("newer words")).unwrap();
    assert_eq!(engine.stats().compiling, before);
}

#[test]
fn what_is_frozen_later_answers_alike() {
    let engine = engine();
    let instances = [says("one"), does("count"), instance("two", "good", json!({"says": "two"}))];
    let at_once = engine.load_at_once(guests::hostile(), &instances).unwrap();
    let frozen = engine.load(guests::hostile(), &instances).unwrap();
    assert_eq!((at_once.start(), frozen.start()), (&Start::Meanwhile, &Start::Frozen));
    assert_eq!((at_once.digest(), at_once.manifests()), (frozen.digest(), frozen.manifests()));
    for id in ["good", "count", "two"] {
        assert_eq!(outcome(&at_once, id, soon()), outcome(&frozen, id, soon()), "{id}");
    }
}

#[test]
fn what_a_cache_has_frozen_starts_frozen_at_once() {
    let (_folder, engine) = keeping();
    engine.load(guests::hostile(), &[good()]).unwrap();
    assert_eq!(engine.load_at_once(guests::hostile(), &[good()]).unwrap().start(), &Start::Frozen);
}

#[test]
fn an_embedded_module_needs_no_compiler_for_any_settings() {
    let bytes = engine().precompile_as_it_came(guests::hostile()).unwrap();
    let embedded: &[EmbeddedEntry] = vec![EmbeddedEntry { bytes: bytes.leak() }].leak();
    let limits = Limits { evaluations: 1, ..Limits::default() };
    let engine = Engine::new(Options { embedded, limits, ..Options::default() }).unwrap();
    let program = engine.load_at_once(guests::hostile(), &[says("new words")]).unwrap();
    verdict(outcome(&program, "good", soon()));
    assert!(engine.stats().compiling.is_zero());
}

#[test]
fn a_module_that_does_not_fit_the_pool_is_in_force_at_once_all_the_same() {
    let module = guests::remembers_and("many-tables");
    let program = engine().load_at_once(&module, &[instance("a", "plain", json!({"b": 1}))]).unwrap();
    assert_eq!(outcome(&program, "a", soon()), Outcome::Failed(Failure::Reported(r#"{"b":1}"#.into())));
}

#[test]
fn refused_settings_name_the_instance_and_the_place_at_once() {
    let error = engine().load_at_once(guests::hostile(), &[good(), does("refuse")]).unwrap_err();
    let LoadError::Settings { instance, pointer, .. } = error else { panic!("{error}") };
    assert_eq!((instance.as_str(), pointer.to_string().as_str()), ("refuse", "/do"));
}

#[test]
fn a_configure_that_never_ends_is_never_in_force() {
    let engine = engine_within(Limits { setup: Duration::from_millis(200), evaluations: 1, ..Limits::default() });
    let error = engine.load_at_once(guests::hostile(), &[does("never-configure")]).unwrap_err();
    assert!(matches!(error, LoadError::Deadline { step: Step::Configuring }), "{error}");
}

#[test]
fn what_takes_too_long_to_be_configured_is_in_force_when_it_starts_configured() {
    let limits = Limits { configuring: Duration::ZERO, evaluations: 1, ..Limits::default() };
    let program = engine_within(limits).load_at_once(guests::hostile(), &[good()]).unwrap();
    assert_eq!(program.start(), &Start::Frozen);
}

#[test]
fn hostile_policies_meet_their_limits_in_force_at_once() {
    let deeds = [("hoard", Failure::Limit(Limit::Memory)), ("flood", Failure::Limit(Limit::HostCalls))];
    let engine = engine();
    for (deed, failure) in deeds {
        let program = engine.load_at_once(guests::hostile(), &[does(deed)]).unwrap();
        assert_eq!(outcome(&program, deed, soon()), Outcome::Failed(failure), "{deed}");
    }
    let program = engine.load_at_once(guests::hostile(), &[does("loop")]).unwrap();
    let deadline = Instant::now() + Duration::from_millis(300);
    assert_eq!(outcome(&program, "loop", deadline), Outcome::Failed(Failure::Deadline));
}
