//! The guests of `tests/guests`, built once for each run of the tests.

use std::path::Path;
use std::sync::OnceLock;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/guests");
const CONTRACT: &str = include_str!("../../../../wit/policy.wit");
const FRAME: &str = include_str!("../../../../tests/guests/frame.wat");

/// The component with the policies `good`, `mirror`, `curious` and `hostile`.
pub(crate) fn hostile() -> &'static [u8] {
    static HOSTILE: OnceLock<Vec<u8>> = OnceLock::new();
    HOSTILE.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
        portreeve_component::build(&Path::new(GUESTS).join("hostile"), &target).unwrap()
    })
}

/// A component of one of the `.wat` guests.
pub(crate) fn plain(guest: &str) -> Vec<u8> {
    under(CONTRACT, guest)
}

/// The same under another contract.
pub(crate) fn under(contract: &str, guest: &str) -> Vec<u8> {
    with_packages(&[contract], &file(guest))
}

/// The guest `remembers.wat` with what another one has beside its hooks.
pub(crate) fn remembers_and(other: &str) -> Vec<u8> {
    with_packages(&[CONTRACT], &format!("{}{}", file(other), file("remembers")))
}

/// A guest that imports WASI beside the contract.
pub(crate) fn asks_for_randomness() -> Vec<u8> {
    let wasi = "package wasi:random@0.2.0; interface insecure { number: func() -> u64; }";
    let contract = CONTRACT.replace("import log;", "import log;\n import wasi:random/insecure@0.2.0;");
    with_packages(&[wasi, &contract], &file("asks-for-randomness"))
}

/// The contract as it could be in another version.
pub(crate) fn contract_of_version(version: &str) -> String {
    CONTRACT.replace("package portreeve:policy@1.0.0", &format!("package portreeve:policy@{version}"))
}

/// The contract with one more function to ask for the time.
pub(crate) fn contract_with_a_clock() -> String {
    CONTRACT.replace("operation: func()", "clock: func() -> u64;\n operation: func()")
}

fn file(guest: &str) -> String {
    std::fs::read_to_string(format!("{GUESTS}/{guest}.wat")).unwrap()
}

/// The last package holds the world.
fn with_packages(packages: &[&str], body: &str) -> Vec<u8> {
    let mut wit = Resolve::new();
    let last = packages.iter().map(|text| wit.push_str("contract.wit", text).unwrap()).last().unwrap();
    let world = wit.select_world(&[last], Some("policy")).unwrap();
    let mut module = wat::parse_str(format!("(module {body} {FRAME})")).unwrap();
    embed_component_metadata(&mut module, &wit, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}
