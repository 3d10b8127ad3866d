//! Images are named by digest: `repository:tag@sha256:…`, the tag kept for people. A tag that has no digest yet is
//! given the one that it names now; an unrelated update keeps the one that was there; a restart asks again for those
//! that were given here, since with mutable tags a restart is how people deploy. Who goes back to an earlier revision
//! gets the digests that it had, and what runs in a Pod is left as it is.
//!
//! Where images stand, and what stood there before, is told in `place`; which of them were pinned here, in `pinned`.

mod pinned;
mod place;

use portreeve_sdk::fact::{Fact, ImageDigest as DigestFact, Missing};
use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::Operation;
use portreeve_sdk::{Can, Case, FactNeed, Manifest, Policy, SettingsError, Stop, Verdict, pointer};
use serde::Deserialize;

use crate::images::{judge_unchosen, places};
use pinned::Pinned;
use place::{Before, Place};

/// What `kubectl rollout restart` sets on a template.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// What to do about an image that runs in a Pod already.
const WHEN_RECREATED: &str = "create the Pod anew: it is given the digest then";

/// Settings of image-digest.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Images that may be named by tag alone, such as those that are built on the node. They are never looked up.
    exempt_images: Vec<ImagePattern>,
    /// What it is that an image is named by a tag alone, and no digest can be had for it: because no registry may be
    /// asked, or none answers.
    unresolved: Unresolved,
}

/// What it is that no digest can be had for a tag.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(rename_all = "lowercase")]
enum Unresolved {
    /// A failure: the failure policy of the ClusterPolicy says what becomes of the request.
    #[default]
    Fail,
    /// A violation, by what is written: a tag is not enough.
    Deny,
}

/// The policy.
pub(crate) struct ImageDigest {
    settings: Settings,
}

impl Policy for ImageDigest {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Images by digest",
            description: "Every image is named by digest, so that what was reviewed is what runs. A tag is given the \
                          digest that it names now and stays readable beside it; a restart asks again.",
            can: Can::REWRITE_IMAGES,
            facts: &[FactNeed { kind: DigestFact::KIND, why: "it says what a tag names now", required: true }],
            schema: include_str!("schema.json"),
            controls: &["CC6.8", "CC7.1", "CC8.1"],
            ..Manifest::new("image-digest", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let Some(pod) = case.pod() else { return Ok(verdict) };
        let mut pinned = Pinned::read(pod);
        let before = Before::new(case, is_restart(case));
        judge_unchosen(case, &mut verdict);
        for field in places(case).filter(|field| !ImagePattern::any(&self.settings.exempt_images, field.written)) {
            match field.image {
                Ok(image) => self.judge(&before, &Place { field, image }, &mut pinned, &mut verdict)?,
                // There is nothing to look up: a digest that is none would be taken for one.
                Err(why) => field.judge_unreadable(why, &mut verdict),
            }
        }
        // The API server takes no change of annotations together with these.
        let is_pod = case.request().kind().kind == "Pod";
        if case.request().subresource().is_none() && !(is_pod && case.request().operation() == Operation::Update) {
            pinned.write(&mut verdict);
        }
        Ok(verdict)
    }
}

impl ImageDigest {
    fn judge(
        &self,
        before: &Before<'_>,
        place: &Place<'_>,
        pinned: &mut Pinned<'_>,
        verdict: &mut Verdict,
    ) -> Result<(), Stop> {
        match place.image.digest {
            // Any other text would end the container and start it anew, which nobody asked for.
            None if place.field.is_running(before.case) => unpinned(place, WHEN_RECREATED, verdict),
            Some(_) if place.field.is_running(before.case) => {}
            None => {
                if let Some(digest) = self.pin(before, place, verdict)? {
                    pinned.note(place, &digest);
                }
            }
            Some(digest) if pinned.has(place, digest) => {
                let again = before.restarted && before.had(place, digest);
                let moved = if again { pin_again(before, place, digest, verdict) } else { None };
                pinned.note(place, moved.as_deref().unwrap_or(digest));
            }
            // Somebody wrote it by hand.
            Some(_) => {}
        }
        Ok(())
    }

    /// An image without a digest is at fault, and is given the one that is answered, if one can be had.
    fn pin(&self, before: &Before<'_>, place: &Place<'_>, verdict: &mut Verdict) -> Result<Option<String>, Stop> {
        let digest = match before.digest_for(place, verdict) {
            Err(missing) if self.settings.unresolved == Unresolved::Deny => {
                unpinned(place, &by_hand(place, &missing.reason), verdict);
                return Ok(None);
            }
            digest => digest?,
        };
        let named = place.pinned(&digest);
        unpinned(place, &format!("name it by digest: {named}"), verdict);
        verdict.set("unpinned", place.field.pointer.as_str(), named);
        Ok(Some(digest))
    }
}

fn unpinned(place: &Place<'_>, remedy: &str, verdict: &mut Verdict) {
    let (field, who, written) = (&place.field, place.field.who(), place.field.written);
    field
        .at_fault(verdict.violation("unpinned"))
        .at(field.pointer.as_str())
        .says(format!("{who} names its image {written:?} by a tag, which can name another one tomorrow"))
        .mend(remedy);
}

fn by_hand(place: &Place<'_>, reason: &str) -> String {
    let named = place.pinned("sha256:…");
    format!("name it by digest, {named}: which that is could not be looked up here: {reason}")
}

/// A restart moves an image that was pinned here, and ran so until now, to what its tag names now; answers that if it
/// is another one.
fn pin_again(before: &Before<'_>, place: &Place<'_>, digest: &str, verdict: &mut Verdict) -> Option<String> {
    match before.case.fact::<DigestFact>(&place.by_tag()?) {
        Ok(fact) if fact.digest == digest => None,
        Ok(fact) => {
            verdict.set("restart", place.field.pointer.as_str(), place.pinned(&fact.digest));
            Some(fact.digest)
        }
        Err(missing) => {
            unresolved(place, &missing.reason, verdict);
            None
        }
    }
}

impl Before<'_> {
    /// What an image without a digest is given: what its tag had before the request, or, if there is no such thing or
    /// this is a restart, what it names now.
    fn digest_for(&self, place: &Place<'_>, verdict: &mut Verdict) -> Result<String, Missing> {
        let kept = self.digest(place);
        if let (Some(digest), false) = (&kept, self.restarted) {
            return Ok(digest.clone());
        }
        match (self.case.fact::<DigestFact>(place.field.written), kept) {
            (Ok(fact), _) => Ok(fact.digest),
            (Err(missing), Some(digest)) => {
                unresolved(place, &missing.reason, verdict);
                Ok(digest)
            }
            (Err(missing), None) => Err(missing),
        }
    }
}

/// A restart is not held up by a registry that can't be reached: what ran goes on running, and that is told.
fn unresolved(place: &Place<'_>, reason: &str, verdict: &mut Verdict) {
    let field = &place.field;
    field
        .at_fault(verdict.advisory("restart"))
        .at(field.pointer.as_str())
        .says(format!("{} keeps the image that it had: its tag could not be looked up: {reason}", field.who()))
        .mend("restart once more when the registry answers, or name the wanted digest");
}

/// Whether this update may be a restart: somebody set the time of one. So does who goes back to a revision that a
/// restart made, but that one brings digests of its own.
fn is_restart(case: &Case<'_>) -> bool {
    let set = case.pod().and_then(|pod| pod.annotation(RESTARTED_AT));
    let Some(now) = set.filter(|_| case.request().operation() == Operation::Update) else { return false };
    let before = case.read_old(&pointer::child("/metadata/annotations", RESTARTED_AT));
    before.as_ref().and_then(|before| before.as_str()) != Some(now)
}
