//! Containers can't write to their image: `readOnlyRootFilesystem: true`, and an emptyDir wherever the program is
//! known to write. Which places those are is in `writable`; the mounts are made in `mounts`.
//!
//! A program that changes files of its image at start would not start on an empty folder: then nothing is set, and its
//! author is told.

mod folder;
mod mounts;
mod writable;

use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::{Container, ContainerKind, Pod};
use portreeve_sdk::{Can, Case, FactNeed, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;

use self::mounts::Mounts;
use self::writable::{Needs, Rule, WritablePaths};
use crate::injected::Judgement;

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
    /// What a container is given that says `readOnlyRootFilesystem: true` itself.
    explicit_true: ExplicitTrue,
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
            explicit_true: ExplicitTrue::Leave,
            writable: Vec::new(),
            size_limit: "1Gi".into(),
            exempt_images: Vec::new(),
        }
    }
}

/// What is done for a container whose author made its root read-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(rename_all = "lowercase")]
enum ExplicitTrue {
    /// Nothing: whoever wrote it has seen to the folders that are written to, and an emptyDir more could hide what the
    /// image holds.
    Leave,
    /// It is given the folders to write to that it lacks, as the others are.
    Mount,
}

/// The policy.
pub(crate) struct ReadOnlyRootfs {
    explicit_false: Judgement,
    explicit_true: ExplicitTrue,
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
            facts: &[FactNeed {
                kind: "image-config",
                why: "to see which image another was built on, and so where its program writes",
                required: false,
            }],
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.8", "CC7.1"],
            ..Manifest::new("read-only-rootfs", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            explicit_false: settings.explicit_false,
            explicit_true: settings.explicit_true,
            writable: WritablePaths::new(settings.writable, &settings.size_limit)?,
            exempt_images: settings.exempt_images,
        })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        // Windows has no such flag: the API server refuses it there.
        let Some(pod) = case.pod().filter(|pod| !pod.is_windows()) else { return Ok(verdict) };
        let mounts = Mounts::new(case);
        for container in case.containers() {
            if ImagePattern::any(&self.exempt_images, &container.image) {
                continue;
            }
            match container.security.as_ref().and_then(|security| security.read_only_root_filesystem) {
                Some(true) => self.says_true(case, pod, container, &mounts, &mut verdict),
                Some(false) => self.says_false(container, &mut verdict),
                None => self.unset(case, pod, container, &mounts, &mut verdict),
            }
        }
        Ok(verdict)
    }
}

impl ReadOnlyRootfs {
    /// What was made read-only here goes on being given what it lacks.
    fn says_true(&self, case: &Case<'_>, pod: &Pod, container: &Container, mounts: &Mounts<'_>, verdict: &mut Verdict) {
        let is_given = self.explicit_true == ExplicitTrue::Mount || mounts.were_made_for(container);
        if is_given && takes_mounts(container) {
            mounts.make(container, &self.writable.of(case, pod, container).writable, verdict);
        }
    }

    fn says_false(&self, container: &Container, verdict: &mut Verdict) {
        let Some(finding) = self.explicit_false.finding(verdict, "writable-root") else { return };
        finding
            .container(container)
            .at(container.field(FLAG))
            .says(format!("container {:?} sets readOnlyRootFilesystem: false", container.name))
            .mend(REMEDY);
    }

    fn unset(&self, case: &Case<'_>, pod: &Pod, container: &Container, mounts: &Mounts<'_>, verdict: &mut Verdict) {
        let mut remedy = REMEDY.to_owned();
        let needs = if takes_mounts(container) { self.writable.of(case, pod, container) } else { Needs::default() };
        match mounts.first_unheld(container, &needs.prefilled) {
            Some(path) => {
                remedy = format!(
                    "its program changes files of the image in {path}: mount a volume there that an init container \
                     fills, or set securityContext.readOnlyRootFilesystem to false"
                );
            }
            None => {
                verdict.set_default(READ_ONLY, container.field(FLAG), true);
                mounts.make(container, &needs.writable, verdict);
            }
        }
        verdict
            .violation(READ_ONLY)
            .container(container)
            .at(container.field(FLAG))
            .says(format!("container {:?} can write to its image: readOnlyRootFilesystem is not set", container.name))
            .mend(remedy);
    }
}

/// A debugging container comes to a pod whose volumes are fixed.
fn takes_mounts(container: &Container) -> bool {
    container.kind != ContainerKind::Ephemeral
}
