//! Manifests of policy modules, by the OCI image specification: an artifact whose one layer is a WebAssembly component.
//! Pure.

use serde::Deserialize;

use crate::reference::Digest;

/// What is asked for: a module is one manifest, for every platform.
pub(super) const ARTIFACT_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// What layers of WebAssembly are called: the type that is registered, and the one that tools wrote before it was.
pub(super) const MODULE_TYPES: &str = "application/wasm, application/vnd.wasm.content.layer.v1+wasm";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    schema_version: u8,
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: Digest,
}

/// The digest of the module that the manifest is about; none if it has no layer of WebAssembly, or several.
pub(crate) fn module_of(manifest: &[u8]) -> Option<Digest> {
    let artifact: Artifact = serde_json::from_slice(manifest).ok().filter(|it: &Artifact| it.schema_version == 2)?;
    let is_module = |layer: &Layer| MODULE_TYPES.split(", ").any(|known| known == layer.media_type);
    let mut modules = artifact.layers.into_iter().filter(is_module);
    modules.next().filter(|_| modules.next().is_none()).map(|layer| layer.digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(media_type: &str, digit: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{}","size":1}}"#, digit.repeat(64))
    }

    fn module(layers: &[String]) -> Option<String> {
        let manifest = format!(r#"{{"schemaVersion":2,"layers":[{}]}}"#, layers.join(","));
        module_of(manifest.as_bytes()).map(|digest| digest.to_string())
    }

    #[test]
    fn the_one_layer_of_web_assembly_is_the_module() {
        for media_type in MODULE_TYPES.split(", ") {
            let layers = [layer("text/markdown", "b"), layer(media_type, "a")];
            assert_eq!(module(&layers), Some(format!("sha256:{}", "a".repeat(64))), "{media_type}");
        }
    }

    #[test]
    fn of_two_modules_neither_is_meant() {
        assert_eq!(module(&[layer("application/wasm", "a"), layer("application/wasm", "b")]), None);
    }

    #[test]
    fn an_image_is_no_module() {
        assert_eq!(module(&[layer("application/vnd.oci.image.layer.v1.tar+gzip", "a")]), None);
        assert_eq!(module_of(br#"{"schemaVersion":2,"manifests":[]}"#), None);
    }
}
