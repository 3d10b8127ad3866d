//! Images come from where the platform takes images from: other places are denied, and what a mirror holds is taken
//! from the mirror. Which name that is, is told in `mirror`; what somebody may have meant, in `nearest`.

mod mirror;
mod nearest;

use portreeve_sdk::image::Reference;
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;

use self::mirror::Mirror;
use self::nearest::nearest;
use crate::images::{Place, judge_unchosen, places};
use crate::repository::{Repository, RepositoryPattern};

/// So many allowed places are named to whoever wrote another.
const MOST_TOLD: usize = 3;

/// Settings of image-registries.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Where images may come from. Everywhere, unless given.
    allowed: Option<Vec<RepositoryPattern>>,
    /// What is taken from a mirror instead. Each has to lead to an allowed place.
    mirrors: Vec<Mirror>,
}

/// The policy.
pub(crate) struct ImageRegistries {
    settings: Settings,
}

impl Policy for ImageRegistries {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Allowed registries",
            description: "Images come from registries and repositories that the platform trusts. What a mirror holds \
                          is taken from the mirror, with the tag and the digest that were written.",
            can: Can::REWRITE_IMAGES,
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.8", "CC8.1"],
            ..Manifest::new("image-registries", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        if settings.allowed.as_ref().is_some_and(Vec::is_empty) {
            return Err(SettingsError::new("/allowed", "nothing could run: name a registry, or leave this out"));
        }
        Mirror::check(&settings.mirrors, settings.allowed.as_deref())?;
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        judge_unchosen(case, &mut verdict);
        for place in places(case) {
            match place.image {
                Ok(image) => self.judge(case, &place, &image, &mut verdict),
                // Where everything may come from everywhere, names are not judged.
                Err(_) if self.settings.allowed.is_none() => {}
                // It is in no registry, whatever pattern its letters fit.
                Err(why) => place.judge_unreadable(why, &mut verdict),
            }
        }
        Ok(verdict)
    }
}

impl ImageRegistries {
    fn judge(&self, case: &Case<'_>, place: &Place<'_>, image: &Reference<'_>, verdict: &mut Verdict) {
        let mirrored = Mirror::rewrite(&self.settings.mirrors, image);
        self.judge_repository(place, image, mirrored.as_deref(), verdict);
        if let Some(name) = mirrored.filter(|_| !place.is_running(case)) {
            verdict.set("mirror", place.pointer.as_str(), name);
        }
    }

    fn judge_repository(
        &self,
        place: &Place<'_>,
        image: &Reference<'_>,
        mirrored: Option<&str>,
        verdict: &mut Verdict,
    ) {
        let Some(allowed) = &self.settings.allowed else { return };
        if RepositoryPattern::any(allowed, image) {
            return;
        }
        let remedy = match (mirrored, nearest(allowed, &Repository::of(image))) {
            (Some(name), _) => format!("name it {name}, where it is mirrored"),
            (None, Some(near)) => {
                format!("use an image from an allowed place, of which {:?} is the nearest", near.as_str())
            }
            (None, None) => format!("use an image from an allowed place: {}", some_of(allowed)),
        };
        place
            .at_fault(verdict.violation("registry"))
            .at(place.pointer.as_str())
            .says(format!("{} uses the image {:?}: nothing may come from there", place.who(), place.written))
            .mend(remedy);
    }
}

/// The first places, and how many more there are.
fn some_of(allowed: &[RepositoryPattern]) -> String {
    let (first, others) = allowed.split_at_checked(MOST_TOLD).unwrap_or((allowed, &[]));
    let named: Vec<String> = first.iter().map(|pattern| format!("{:?}", pattern.as_str())).collect();
    let more = if others.is_empty() { String::new() } else { format!(" or {} more", others.len()) };
    [named.join(", "), more].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: &str) -> String {
        let registration = portreeve_sdk::export::Registration::of::<ImageRegistries>();
        let error = registration.configure(settings).err().unwrap();
        format!("{}: {}", error.at, error.reason)
    }

    #[test]
    fn an_empty_list_is_refused() {
        assert!(refused(r#"{"allowed": []}"#).starts_with("/allowed: nothing could run"));
    }

    #[test]
    fn a_mirror_has_to_lead_to_an_allowed_place() {
        let error = |to: &str| {
            let mirrors = format!(r#"[{{"from": "docker.io/**", "to": "{to}"}}]"#);
            refused(&format!(r#"{{"allowed": ["registry.example/hub/**", "ghcr.io/*/x"], "mirrors": {mirrors}}}"#))
        };
        for to in ["registry.example/**", "registry.example/hub2/**", "ghcr.io/team/**"] {
            assert_eq!(error(to), "/mirrors/0/to: no entry of allowed takes what lies there: add it", "{to}");
        }
    }

    #[test]
    fn a_mirror_that_leads_on_to_another_is_refused() {
        let itself = r#"{"mirrors": [{"from": "docker.io/**", "to": "docker.io/mirror/**"}]}"#;
        assert_eq!(refused(itself), "/mirrors/0/to: what lies there is rewritten itself, from docker.io/**");
        let chain = r#"{"mirrors": [{"from": "docker.io/**", "to": "a.example/**"},
                                    {"from": "a.example/x/**", "to": "b.example/**"}]}"#;
        assert_eq!(refused(chain), "/mirrors/0/to: what lies there is rewritten itself, from a.example/x/**");
    }

    #[test]
    fn two_mirrors_of_one_place_and_half_open_ones_are_refused() {
        let twice = r#"{"mirrors": [{"from": "docker.io", "to": "a.example"}, {"from": "docker.io/**"}]}"#;
        assert!(refused(twice).starts_with("/mirrors/1/from: another mirror is for the same"));
        let half = r#"{"mirrors": [{"from": "docker.io/**", "to": "a.example/hub"}]}"#;
        assert!(refused(half).starts_with("/mirrors/0/to: write /** at the end of both docker.io/** and this"));
    }

    #[test]
    fn a_tag_in_a_pattern_is_pointed_at() {
        let error = refused(r#"{"allowed": ["ghcr.io/**", "nginx:1"]}"#);
        assert!(error.starts_with("/allowed/1: tags and digests have no say here"), "{error}");
    }
}
