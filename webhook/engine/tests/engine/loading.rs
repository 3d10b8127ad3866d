//! What is loaded, and what is refused with which words.

use std::time::Duration;

use portreeve_admission::case::{FactKind, Operation};
use portreeve_admission::pointer::Pointer;
use portreeve_admission::verdict::{Failure, Limit, Outcome};
use portreeve_engine::{Capabilities, Limits, LoadError, Start, Step};
use serde_json::json;

use crate::cases::{does, engine, engine_within, good, instance, outcome, program, soon, verdict};
use crate::guests;

fn refused(module: &[u8]) -> LoadError {
    engine().load(module, &[]).unwrap_err()
}

fn refused_settings(deed: &str) -> LoadError {
    engine().load(guests::hostile(), &[good(), does(deed)]).unwrap_err()
}

/// An engine whose steps of loading may take no longer than a moment.
fn impatient() -> portreeve_engine::Engine {
    engine_within(Limits { setup: Duration::from_millis(200), evaluations: 1, ..Limits::default() })
}

#[test]
fn refuses_an_empty_module() {
    assert!(matches!(refused(b""), LoadError::Empty));
}

#[test]
fn refuses_what_is_not_webassembly() {
    assert!(matches!(refused(b"#!/bin/sh"), LoadError::NotWebAssembly));
}

#[test]
fn refuses_a_core_module() {
    assert!(matches!(refused(&wat::parse_str("(module)").unwrap()), LoadError::CoreModule));
}

#[test]
fn refuses_a_component_that_is_cut_short() {
    let module = guests::hostile();
    assert!(matches!(refused(&module[..module.len() / 2]), LoadError::Invalid(_)));
}

#[test]
fn refuses_a_module_that_is_too_large() {
    let engine = engine_within(Limits { module_bytes: 1_000, evaluations: 1, ..Limits::default() });
    let error = engine.load(guests::hostile(), &[]).unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { limit: 1_000, bytes } if bytes > 1_000));
}

#[test]
fn refuses_a_component_that_is_no_policy() {
    let component = wat::parse_str("(component)").unwrap();
    assert!(matches!(refused(&component), LoadError::MissingExport { export: "describe" }));
}

#[test]
fn refuses_an_export_of_another_type() {
    let component = wat::parse_str(
        r#"(component
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (export "describe" (func $f)) (export "configure" (func $f)) (export "evaluate" (func $f)))"#,
    );
    assert!(matches!(refused(&component.unwrap()), LoadError::WrongTypes(_)));
}

#[test]
fn refuses_wasi_and_names_it() {
    let error = refused(&guests::asks_for_randomness());
    assert!(matches!(error, LoadError::ImportNotGranted { import } if import == "wasi:random/insecure@0.2.0"));
}

#[test]
fn refuses_a_function_that_the_contract_does_not_have_and_names_it() {
    let error = refused(&guests::under(&guests::contract_with_a_clock(), "asks-the-time"));
    assert!(
        matches!(error, LoadError::ImportNotGranted { import } if import == "portreeve:policy/request@1.0.0#clock")
    );
}

#[test]
fn refuses_another_major_version_and_names_both() {
    let error = refused(&guests::under(&guests::contract_of_version("2.0.0"), "plain"));
    let LoadError::UnknownContract { found, supported } = error else { panic!("{error}") };
    assert_eq!((found.as_str(), supported), ("portreeve:policy@2.0.0", portreeve_engine::CONTRACT));
}

#[test]
fn serves_a_later_minor_version_that_asks_for_nothing_new() {
    let module = guests::under(&guests::contract_of_version("1.7.0"), "plain");
    let program = engine().load(&module, &[instance("a", "plain", json!({}))]).unwrap();
    verdict(outcome(&program, "a", soon()));
}

#[test]
fn a_start_function_that_never_ends_is_stopped() {
    let error = impatient().load(&guests::plain("endless-start"), &[]).unwrap_err();
    assert!(matches!(error, LoadError::Deadline { step: Step::Starting }));
}

#[test]
fn a_start_function_that_wants_too_much_memory_is_stopped() {
    let error = refused(&guests::plain("hungry-start"));
    assert!(matches!(error, LoadError::Stopped { step: Step::Starting, failure: Failure::Limit(Limit::Memory) }));
}

#[test]
fn a_configure_that_never_ends_is_stopped() {
    let error = impatient().load(guests::hostile(), &[does("never-configure")]).unwrap_err();
    assert!(matches!(error, LoadError::Deadline { step: Step::Configuring }));
}

#[test]
fn a_configure_that_traps_is_told_as_a_trap() {
    let error = refused_settings("trap-configuring");
    assert!(matches!(error, LoadError::Stopped { step: Step::Configuring, failure: Failure::Trap(_) }));
}

#[test]
fn a_configure_that_wants_too_much_memory_is_stopped() {
    let error = refused_settings("hoard-configuring");
    assert!(matches!(error, LoadError::Stopped { step: Step::Configuring, failure: Failure::Limit(Limit::Memory) }));
}

#[test]
fn there_is_no_request_to_ask_about_while_configuring() {
    let error = refused_settings("ask-configuring");
    assert!(matches!(error, LoadError::Stopped { step: Step::Configuring, failure: Failure::Contract(_) }));
}

#[test]
fn refused_settings_name_the_instance_and_the_place() {
    let error = refused_settings("refuse");
    let LoadError::Settings { instance, pointer, reason } = error else { panic!("{error}") };
    assert_eq!((instance.as_str(), pointer.to_string().as_str()), ("refuse", "/do"));
    assert_eq!(reason, "it can't be done");
}

#[test]
fn a_settings_error_at_no_pointer_is_shown_at_the_whole() {
    let error = refused_settings("refuse-nowhere");
    assert!(matches!(error, LoadError::Settings { pointer, .. } if pointer == Pointer::root()));
}

#[test]
fn refuses_an_instance_of_a_policy_that_the_module_does_not_carry() {
    let error = engine().load(guests::hostile(), &[instance("a", "absent", json!({}))]).unwrap_err();
    let LoadError::NoSuchPolicy { instance, policy, known } = error else { panic!("{error}") };
    assert_eq!((instance.as_str(), policy.as_str()), ("a", "absent"));
    assert_eq!(known, ["good", "mirror", "curious", "hostile", "watchful"]);
}

#[test]
fn refuses_two_instances_of_one_id() {
    let error = engine().load(guests::hostile(), &[good(), does("nothing"), good()]).unwrap_err();
    assert!(matches!(error, LoadError::DuplicateInstance { id } if id == "good"));
}

#[test]
fn an_inspection_shows_what_the_module_says_about_itself() {
    let module = guests::hostile();
    let inspection = engine().inspect(module).unwrap();
    assert_eq!(inspection.digest, portreeve_engine::ModuleDigest::of(module));
    assert_eq!(inspection.bytes, module.len());
    assert!(inspection.imports.contains(&"portreeve:policy/request@1.0.0".to_owned()), "{:?}", inspection.imports);
    assert_eq!(inspection.not_frozen_because, None);
    let [_, _, curious, ..] = inspection.manifests.as_slice() else { panic!("{inspection:?}") };
    assert_eq!(curious.name, "curious");
    assert_eq!(curious.version.to_string(), "1.2.3");
    assert_eq!(curious.can, Capabilities { validate: true, mutate: false, rewrite_images: false });
    assert_eq!(curious.resources[0].operations, [Operation::Create, Operation::Update]);
    assert_eq!(
        curious.facts.iter().map(|need| need.kind).collect::<Vec<_>>(),
        [FactKind::Namespace, FactKind::ImageDigest]
    );
    assert_eq!(curious.controls, ["CC6.1"]);
}

#[test]
fn an_inspection_says_why_a_module_can_not_be_frozen() {
    let reason = engine().inspect(&guests::remembers_and("sets-table")).unwrap().not_frozen_because;
    assert!(reason.is_some_and(|reason| reason.contains("table.set")));
}

/// How this module starts, when it is seen to remember its settings.
fn start_of_what_remembers(module: &[u8]) -> Start {
    let program = engine().load(module, &[instance("a", "plain", json!({"b": 1}))]).unwrap();
    assert_eq!(outcome(&program, "a", soon()), Outcome::Failed(Failure::Reported(r#"{"b":1}"#.into())));
    program.start().clone()
}

#[test]
fn a_frozen_module_starts_with_its_settings() {
    assert_eq!(start_of_what_remembers(&guests::plain("remembers")), Start::Frozen);
}

#[test]
fn a_module_that_sets_tables_answers_alike_unfrozen() {
    let start = start_of_what_remembers(&guests::remembers_and("sets-table"));
    assert!(matches!(start, Start::ConfiguredEachTime { .. }));
}

#[test]
fn a_module_that_keeps_a_reference_answers_alike_unfrozen() {
    let start = start_of_what_remembers(&guests::remembers_and("keeps-reference"));
    assert!(matches!(start, Start::ConfiguredEachTime { .. }));
}

#[test]
fn a_module_that_does_not_fit_the_pool_answers_alike() {
    assert_eq!(start_of_what_remembers(&guests::remembers_and("many-tables")), Start::Frozen);
}

#[test]
fn a_module_that_initializes_once_is_frozen_initialized() {
    assert_eq!(start_of_what_remembers(&guests::remembers_and("initializes-once")), Start::Frozen);
}

#[test]
fn one_policy_is_in_force_twice_with_other_settings() {
    let says = |id: &str, words: &str| instance(id, "good", json!({"says": words}));
    let program = program(&[says("a", "one"), says("b", "two")]);
    let message = |id| verdict(outcome(&program, id, soon())).violations[0].message.clone();
    assert_eq!((message("a"), message("b")), ("one".into(), "two".into()));
}
