//! Manifests and indexes, by the OCI image specification and by Docker's schema 2, which share their shape. Pure.

use serde::Deserialize;

use crate::reference::Digest;
use crate::settings::Platform;

/// What is asked for: indexes first, since a tag that names one is pinned to it.
pub(super) const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// What image configurations are called.
pub(super) const CONFIG_TYPES: &str =
    "application/vnd.oci.image.config.v1+json, application/vnd.docker.container.image.v1+json";

/// What a digest of a tag names.
#[derive(Debug)]
pub(super) enum Manifest {
    /// One image for several platforms.
    Index(Vec<PlatformManifest>),
    /// One image for one platform.
    Image(ConfigDescriptor),
}

/// One platform's entry of an index.
#[derive(Debug, Deserialize)]
pub(super) struct PlatformManifest {
    digest: Digest,
    platform: Option<PlatformNames>,
}

/// Where a manifest keeps its image's configuration.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigDescriptor {
    media_type: String,
    pub(super) digest: Digest,
}

#[derive(Debug, Deserialize)]
struct PlatformNames {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// The fields that tell an index from a manifest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u8,
    manifests: Option<Vec<PlatformManifest>>,
    config: Option<ConfigDescriptor>,
    layers: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// None for anything else. A document that could be read as both is refused, since two readers would then see two
    /// images under one digest (CVE-2021-41190).
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(body).ok()?;
        match document {
            Document { schema_version: 2, manifests: Some(manifests), config: None, layers: None } => {
                Some(Self::Index(manifests))
            }
            Document { schema_version: 2, manifests: None, config: Some(config), .. } => Some(Self::Image(config)),
            _ => None,
        }
    }
}

impl ConfigDescriptor {
    /// Whether it is the configuration of a container image, and not of a chart, a policy or a signature.
    pub(super) fn is_of_an_image(&self) -> bool {
        is_one_of(CONFIG_TYPES, &self.media_type)
    }
}

/// Whether `Content-Type` promises a manifest or an index.
pub(super) fn is_manifest_type(content_type: &str) -> bool {
    is_one_of(MANIFEST_TYPES, content_type.split(';').next().unwrap_or_default().trim())
}

/// The manifest for a platform, in the order of the index, as runtimes choose.
pub(super) fn manifest_for<'a>(index: &'a [PlatformManifest], platform: &Platform) -> Option<&'a Digest> {
    let fits = |entry: &&PlatformManifest| {
        let names = entry.platform.as_ref();
        names.is_some_and(|names| platform.takes(&names.os, &names.architecture, names.variant.as_deref()))
    };
    index.iter().find(fits).map(|entry| &entry.digest)
}

fn is_one_of(types: &str, media_type: &str) -> bool {
    types.split(',').any(|known| known.trim() == media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn descriptor(media_type: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{DIGEST}","size":1}}"#)
    }

    fn read(fields: &str) -> Option<Manifest> {
        Manifest::read(format!(r#"{{"schemaVersion":2,{fields}}}"#).as_bytes())
    }

    #[test]
    fn tells_an_index_from_a_manifest() {
        let config = descriptor("application/vnd.oci.image.config.v1+json");
        assert!(matches!(read(r#""manifests":[]"#), Some(Manifest::Index(_))));
        let image = read(&format!(r#""config":{config},"layers":[]"#));
        assert!(matches!(image, Some(Manifest::Image(config)) if config.is_of_an_image()));
    }

    #[test]
    fn refuses_what_could_be_read_as_both() {
        let config = descriptor("application/vnd.oci.image.config.v1+json");
        assert!(read(&format!(r#""manifests":[],"config":{config}"#)).is_none());
        assert!(read(r#""manifests":[],"layers":[]"#).is_none());
    }

    #[test]
    fn refuses_error_pages_and_older_schemas() {
        assert!(Manifest::read(b"<html>not found</html>").is_none());
        assert!(Manifest::read(br#"{"schemaVersion":1,"fsLayers":[]}"#).is_none());
        assert!(Manifest::read(br#"{"errors":[]}"#).is_none());
    }

    #[test]
    fn a_chart_is_no_image() {
        let config = descriptor("application/vnd.cncf.helm.config.v1+json");
        let chart = read(&format!(r#""config":{config}"#));
        assert!(matches!(chart, Some(Manifest::Image(config)) if !config.is_of_an_image()));
    }

    #[test]
    fn a_content_type_may_carry_parameters() {
        assert!(is_manifest_type("application/vnd.oci.image.index.v1+json; charset=utf-8"));
        assert!(!is_manifest_type("text/html"));
        assert!(!is_manifest_type(""));
    }

    #[test]
    fn attestations_in_an_index_are_passed_over() {
        let entry = |digit: &str, os: &str, architecture: &str| {
            let digest = format!("sha256:{}", digit.repeat(64));
            format!(r#"{{"digest":"{digest}","platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#)
        };
        let entries = [entry("a", "unknown", "unknown"), entry("b", "linux", "arm64"), entry("c", "linux", "amd64")];
        let Some(Manifest::Index(index)) = read(&format!(r#""manifests":[{}]"#, entries.join(","))) else {
            panic!("an index");
        };
        let chosen = manifest_for(&index, &Platform::default()).unwrap();
        assert_eq!(chosen.hex(), "c".repeat(64));
        assert!(manifest_for(&index, &"windows/amd64".parse().unwrap()).is_none());
    }
}
