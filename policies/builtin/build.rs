//! Compiles the catalogue to a component, for `src/lib.rs` to embed.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    for source in ["../catalogue", "../sdk", "../../wit", "../../Cargo.lock", "../../Cargo.toml"] {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let component = portreeve_component::build("../catalogue".as_ref(), &out.join("target"))?;
    std::fs::write(out.join("catalogue.wasm"), component)?;
    Ok(())
}
