//! Images are signed by whom the platform trusts to build them. Which signatures hold comes as a fact; who is wanted,
//! for which images, is in `requirement`.
//!
//! A fact that is missing ends the judgement: an image of which nothing is known is not one that nobody signed.

mod requirement;

use std::fmt::Write;

use portreeve_sdk::fact::{Fact, ImageSignatures as SignaturesFact, Signer};
use portreeve_sdk::image::Reference;
use portreeve_sdk::{Can, Case, FactNeed, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;

use self::requirement::{Requirement, Wanted};
use crate::images::{Place, judge_unchosen, places};
use crate::repository::RepositoryPattern;

/// Signers that are told by name; an image can have any number.
const TOLD: usize = 5;

/// Settings of image-signatures.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Who has to have signed which images.
    requirements: Vec<Requirement>,
    /// What is made of an image that no requirement is for.
    unmatched: Unmatched,
    /// Images that need no signature. Nothing is looked up for them.
    exempt_images: Vec<RepositoryPattern>,
}

/// What is made of an image that no requirement is for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(rename_all = "lowercase")]
enum Unmatched {
    /// Nothing.
    #[default]
    Allow,
    /// A violation.
    Deny,
}

/// The policy.
pub(crate) struct ImageSignatures {
    settings: Settings,
}

impl Policy for ImageSignatures {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Signed images",
            description: "Images carry a signature of somebody whom the platform trusts to build them. Who that is, is \
                          said by registry and repository, as keys or as identities.",
            can: Can::VALIDATE,
            facts: &[FactNeed { kind: SignaturesFact::KIND, why: "it says whose signatures hold", required: true }],
            schema: include_str!("schema.json"),
            controls: &["CC6.8", "CC7.1", "CC8.1"],
            ..Manifest::new("image-signatures", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        for (index, requirement) in settings.requirements.iter().enumerate() {
            requirement.check(&format!("/requirements/{index}"))?;
        }
        if settings.unmatched == Unmatched::Deny && settings.requirements.is_empty() {
            return Err(SettingsError::new("/unmatched", "without requirements nothing could run: give at least one"));
        }
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        if self.settings.requirements.is_empty() {
            return Ok(verdict);
        }
        judge_unchosen(case, &mut verdict);
        for place in places(case) {
            match place.image {
                Ok(image) => self.judge(case, &place, &image, &mut verdict)?,
                // Nobody signs it, whatever pattern its letters fit.
                Err(why) => place.judge_unreadable(why, &mut verdict),
            }
        }
        Ok(verdict)
    }
}

impl ImageSignatures {
    fn judge(
        &self,
        case: &Case<'_>,
        place: &Place<'_>,
        image: &Reference<'_>,
        verdict: &mut Verdict,
    ) -> Result<(), Stop> {
        if RepositoryPattern::any(&self.settings.exempt_images, image) {
            return Ok(());
        }
        let wanted: Vec<_> = self.settings.requirements.iter().filter(|wanted| wanted.takes(image)).collect();
        if wanted.is_empty() {
            self.judge_unmatched(place, verdict);
            return Ok(());
        }
        let SignaturesFact(signers) = case.fact(place.written)?;
        for requirement in wanted.into_iter().filter(|requirement| !requirement.is_met(&signers)) {
            unsigned(place, &requirement.any_of, &signers, verdict);
        }
        Ok(())
    }

    fn judge_unmatched(&self, place: &Place<'_>, verdict: &mut Verdict) {
        if self.settings.unmatched == Unmatched::Allow {
            return;
        }
        place
            .at_fault(verdict.violation("unmatched"))
            .at(place.pointer.as_str())
            .says(format!("{} uses the image {:?}, for which nobody is trusted to sign", place.who(), place.written))
            .mend("use an image whose builder is known, or have the builder added to the requirements");
    }
}

fn unsigned(place: &Place<'_>, wanted: &[Wanted], signers: &[Signer], verdict: &mut Verdict) {
    let wanted = listed(" or ", wanted.iter().map(Wanted::to_string));
    let signed = match signers {
        [] => "which nobody signed".to_owned(),
        _ => format!("signed by {}", listed(" and ", signers.iter().map(named))),
    };
    place
        .at_fault(verdict.violation("unsigned"))
        .at(place.pointer.as_str())
        .says(format!("{} uses the image {:?}, {signed}; wanted is {wanted}", place.who(), place.written))
        .mend(format!("use an image that was built and signed by {wanted}"));
}

fn named(signer: &Signer) -> String {
    match signer {
        Signer::Key { key } => format!("the key {key:?}"),
        Signer::Identity { issuer, subject } => format!("{subject:?} of {issuer:?}"),
    }
}

/// `a`, `a or b`, `a, b or 3 more`.
fn listed(joint: &str, names: impl ExactSizeIterator<Item = String>) -> String {
    let count = names.len();
    let others = count.saturating_sub(TOLD);
    let last = if others == 0 { count } else { TOLD + 1 };
    let mut list = String::new();
    for (number, name) in names.take(TOLD).enumerate() {
        list.push_str(if number == 0 {
            ""
        } else if number + 1 == last {
            joint
        } else {
            ", "
        });
        list.push_str(&name);
    }
    if others > 0 {
        // Writing to a String never fails.
        let _ = write!(list, "{joint}{others} more");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: &str) -> String {
        let registration = portreeve_sdk::export::Registration::of::<ImageSignatures>();
        let error = registration.configure(settings).err().unwrap();
        format!("{}: {}", error.at, error.reason)
    }

    #[test]
    fn requirements_that_nobody_could_meet_are_refused() {
        let one = |requirement: &str| refused(&format!(r#"{{"requirements": [{requirement}]}}"#));
        assert!(one(r#"{"images": ["a/b"], "anyOf": []}"#).starts_with("/requirements/0/anyOf: nobody could sign"));
        assert!(one(r#"{"images": [], "anyOf": [{"key": "a"}]}"#).starts_with("/requirements/0/images: "));
        assert!(one(r#"{"images": ["a/b"], "anyOf": [{"key": ""}]}"#).starts_with("/requirements/0/anyOf/0: an empty"));
    }

    #[test]
    fn a_signer_is_a_key_or_an_identity() {
        for signer in [r#"{"issuer": "x"}"#, r#"{"key": "a", "subject": "b"}"#, "{}"] {
            let error = refused(&format!(r#"{{"requirements": [{{"images": ["a/b"], "anyOf": [{signer}]}}]}}"#));
            assert!(error.contains("give either key, or issuer and subject"), "{error}");
        }
    }

    #[test]
    fn unmatched_images_are_not_denied_where_no_image_could_match() {
        assert!(refused(r#"{"unmatched": "deny"}"#).starts_with("/unmatched: without requirements"));
    }

    #[test]
    fn long_lists_of_signers_are_cut() {
        let list =
            |count: u8| listed(" or ", (0..count).map(|number| number.to_string()).collect::<Vec<_>>().into_iter());
        assert_eq!(list(1), "0");
        assert_eq!(list(2), "0 or 1");
        assert_eq!(list(5), "0, 1, 2, 3 or 4");
        assert_eq!(list(8), "0, 1, 2, 3, 4 or 3 more");
    }
}
