//! What `build` says about crates that are no policies. That it builds those which are is shown by every test of
//! the catalogue as a component.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use portreeve_component::{BuildError, build};

/// A crate without dependencies, outside every workspace.
fn package(manifest: &str, source: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let head = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::create_dir(folder.path().join("src")).unwrap();
    std::fs::write(folder.path().join("Cargo.toml"), format!("{head}{manifest}")).unwrap();
    std::fs::write(folder.path().join("src/lib.rs"), source).unwrap();
    folder
}

fn error(manifest: &str, source: &str) -> BuildError {
    let package = package(manifest, source);
    build(package.path(), &package.path().join("target")).unwrap_err()
}

const GUEST: &str = "[profile.guest]\ninherits = \"dev\"\n";
const CDYLIB: &str = "[lib]\ncrate-type = [\"cdylib\"]\n";

#[test]
fn a_crate_that_does_not_compile_is_reported_with_the_compilers_words() {
    let error = error(&format!("{CDYLIB}{GUEST}"), "fn broken() -> u8 { \"text\" }");
    assert!(matches!(&error, BuildError::Compile { stderr, .. } if stderr.contains("mismatched types")), "{error}");
}

#[test]
fn a_crate_that_is_no_cdylib_is_told_to_be_one() {
    let error = error(GUEST, "");
    assert!(matches!(error, BuildError::NoModule { .. }), "{error}");
}

#[test]
fn a_module_that_implements_nothing_of_its_contract_is_refused() {
    let contract = r#"
        #[unsafe(no_mangle)]
        pub extern "C" fn stray() {}
        #[link(wasm_import_module = "nowhere")]
        unsafe extern "C" { fn wanted(); }
        #[unsafe(no_mangle)]
        pub extern "C" fn asks() { unsafe { wanted() } }
    "#;
    let error = error(&format!("{CDYLIB}{GUEST}"), contract);
    assert!(matches!(error, BuildError::NotAPolicy { .. }), "{error}");
}

#[test]
fn a_missing_crate_is_named() {
    let error = build(Path::new("no/such/crate"), Path::new("no/such/target")).unwrap_err();
    assert!(error.to_string().contains("no/such/crate"), "{error}");
}
