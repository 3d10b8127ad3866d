//! Locking images: which ones manifests name, and what their registries say of them now. The file that is made of it is
//! `portreeve-supply`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use portreeve_admission::case::GroupVersionKind;
use portreeve_admission::document::Document;
use portreeve_admission::subject::{SubjectError, TemplatePaths};
use portreeve_supply::reference::ImageReference;
use portreeve_supply::{FactError, Freshness, ImageLock, Images, LockedImage};
use tokio::time::Instant;

use crate::manifest::Manifest;

/// How long all that is asked about one image may take.
const LONGEST: Duration = Duration::from_secs(60);

/// The images of manifests, each with the first place that names it, as `file:line`.
pub type NamedImages = BTreeMap<String, String>;

/// An object whose images can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{place}: the images of {object} can't be read")]
pub struct UnreadableImages {
    /// `file:line`.
    pub place: String,
    /// Kind and name of the object.
    pub object: String,
    /// Why.
    pub source: Box<SubjectError>,
}

/// An image that was not locked.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {image}")]
pub struct NotLocked {
    /// As it is written.
    pub image: String,
    /// The first place that names it.
    pub place: String,
    /// Why.
    pub source: FactError,
}

/// The images that the pod templates of these manifests name.
///
/// # Errors
/// The first template that can't be read.
pub fn named_images(manifests: &[Manifest], paths: &TemplatePaths) -> Result<NamedImages, UnreadableImages> {
    let mut images = NamedImages::new();
    for manifest in manifests {
        let (group, version, kind) = (manifest.group(), manifest.version(), manifest.kind());
        let kind = GroupVersionKind { group: group.into(), version: version.into(), kind: kind.into() };
        let place = |line: usize| format!("{}:{line}", manifest.source());
        let subjects = paths.subjects(&kind, &Document::from_value(manifest.value().clone()));
        let subjects = subjects.map_err(|source| UnreadableImages {
            place: place(manifest.line()),
            object: format!("{} {}", manifest.kind(), manifest.name()),
            source: Box::new(source),
        })?;
        for subject in subjects {
            for (image, pointer) in subject.template.images() {
                let at = subject.at.place_of(&pointer);
                let line = manifest.line_of(at.as_ref().unwrap_or_else(|| subject.at.pointer()));
                images.entry(image.to_owned()).or_insert_with(|| place(line));
            }
        }
    }
    Ok(images)
}

/// Asks for the digest and the configuration of every image. One that is written with a digest is locked to that.
pub async fn lock(images: &Images, named: &NamedImages) -> (ImageLock, Vec<NotLocked>) {
    let asked = named.iter().map(|(image, place)| async move {
        resolve(images, image).await.map_err(|source| NotLocked { image: image.clone(), place: place.clone(), source })
    });
    let (mut lock, mut failed) = (ImageLock::default(), Vec::new());
    let mut answers: Vec<_> = join_all(asked).await;
    // What is written with its digest first: a tag that is written without one counts more.
    answers.sort_by_key(|answer| answer.as_ref().is_ok_and(|(image, _)| image.digest().is_none()));
    let mut pinned = Vec::new();
    for answer in answers {
        match answer {
            Ok((image, locked)) => {
                if image.tag().is_some() {
                    lock.insert(&image, locked.clone());
                }
                pinned.extend(image.digest().is_some().then_some((image, locked)));
            }
            Err(error) => failed.push(error),
        }
    }
    // At last, since most are what some tag is locked to.
    pinned.into_iter().for_each(|(image, locked)| lock.insert_digest(&image, locked));
    (lock, failed)
}

async fn resolve(images: &Images, image: &str) -> Result<(ImageReference, LockedImage), FactError> {
    let deadline = Instant::now() + LONGEST;
    let reference: ImageReference = image.parse()?;
    let digest = images.digest(image, Freshness::Remembered, deadline).await?;
    let config = images.config(&reference.with_digest(digest.clone()).to_string(), deadline).await?;
    Ok((reference, LockedImage { digest, config: Some(config) }))
}
