//! Containers can't write to their image: `readOnlyRootFilesystem: true`, and an emptyDir wherever the program is
//! known to write. Which places those are is in `writable`; the mounts are made in `mounts`.

mod mounts;
mod writable;

use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::{Container, ContainerKind};
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;

use self::mounts::Mounts;
use self::writable::{Rule, WritablePaths};
use crate::injected::Judgement;
use crate::selector::any_image;

const READ_ONLY: &str = "read-only";
const FLAG: &str = "/securityContext/readOnlyRootFilesystem";
const REMEDY: &str =
    "set securityContext.readOnlyRootFilesystem to true and mount an emptyDir wherever the program writes";

/// Settings of read-only-rootfs.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// What is made of a container that says `readOnlyRootFilesystem: false` itself. The value is left standing.
    explicit_false: Judgement,
    /// Where programs write, besides `/tmp` and what is known of common images.
    writable: Vec<Rule>,
    /// The size limit of an emptyDir for which nothing else is said. A pod that goes over it is evicted.
    size_limit: String,
    /// Images that are left alone.
    exempt_images: Vec<ImagePattern>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            explicit_false: Judgement::Warn,
            writable: Vec::new(),
            size_limit: "1Gi".into(),
            exempt_images: Vec::new(),
        }
    }
}

/// The policy.
pub(crate) struct ReadOnlyRootfs {
    explicit_false: Judgement,
    writable: WritablePaths,
    exempt_images: Vec<ImagePattern>,
}

impl Policy for ReadOnlyRootfs {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Read-only root file system",
            description: "Containers can't change what their image holds. Where a program is known to write, it is \
                          given an emptyDir, so that it runs as before.",
            can: Can::MUTATE,
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.8", "CC7.1"],
            ..Manifest::new("read-only-rootfs", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            explicit_false: settings.explicit_false,
            writable: WritablePaths::new(settings.writable, &settings.size_limit)?,
            exempt_images: settings.exempt_images,
        })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        // Windows has no such flag: the API server refuses it there.
        let Some(pod) = case.pod().filter(|pod| !pod.is_windows()) else { return Ok(verdict) };
        let mounts = Mounts::new(case.volumes());
        for container in case.containers() {
            if any_image(&self.exempt_images, &container.image) {
                continue;
            }
            match container.security.as_ref().and_then(|security| security.read_only_root_filesystem) {
                Some(true) => {}
                Some(false) => self.says_false(container, &mut verdict),
                None => {
                    unset(container, &mut verdict);
                    // A debugging container comes to a pod whose volumes are fixed.
                    if container.kind != ContainerKind::Ephemeral {
                        mounts.make(container, self.writable.of(pod, container), &mut verdict);
                    }
                }
            }
        }
        Ok(verdict)
    }
}

impl ReadOnlyRootfs {
    fn says_false(&self, container: &Container, verdict: &mut Verdict) {
        let Some(finding) = self.explicit_false.finding(verdict, "writable-root") else { return };
        finding
            .container(container)
            .at(container.field(FLAG))
            .says(format!("container {:?} sets readOnlyRootFilesystem: false", container.name))
            .mend(REMEDY);
    }
}

fn unset(container: &Container, verdict: &mut Verdict) {
    verdict.set_default(READ_ONLY, container.field(FLAG), true);
    verdict
        .violation(READ_ONLY)
        .container(container)
        .at(container.field(FLAG))
        .says(format!("container {:?} can write to its image: readOnlyRootFilesystem is not set", container.name))
        .mend(REMEDY);
}
