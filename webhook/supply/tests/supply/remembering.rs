//! What the server asks: one question for many waiters, answers that are remembered, and lock files.

use std::sync::Arc;
use std::time::Duration;

use portreeve_supply::loopback::{Fault, FixtureImage, LoopbackRegistry};
use portreeve_supply::reference::{Digest, ImageReference};
use portreeve_supply::{FactError, Freshness, ImageConfig, ImageLock, Images, LockedImage, ResolveError, Unresolved};
use tokio::time::Instant;

use crate::{config, items, registry, soon};

fn images(registry: &LoopbackRegistry) -> Images {
    Images::from_registries(&config([registry.listed()])).unwrap()
}

fn app(registry: &LoopbackRegistry) -> String {
    format!("{}/team/app:v1", registry.addr())
}

async fn digest(images: &Images, image: &str) -> Result<Digest, FactError> {
    images.digest(image, Freshness::Remembered, soon()).await
}

fn next_build() -> FixtureImage {
    FixtureImage { build: 2, ..FixtureImage::default() }
}

#[tokio::test]
async fn a_hundred_waiters_make_one_request() {
    let registry = registry().await;
    registry.fault([Fault::Slow(Duration::from_millis(50))]);
    let (images, image) = (Arc::new(images(&registry)), app(&registry));
    let ask = || {
        let (images, image) = (Arc::clone(&images), image.clone());
        tokio::spawn(async move { digest(&images, &image).await })
    };
    let waiters: Vec<_> = std::iter::repeat_with(ask).take(100).collect();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().ok(), registry.digest("team/app", "v1"));
    }
    assert_eq!(registry.asked().len(), 1);
}

#[tokio::test]
async fn an_answer_is_remembered_for_every_spelling() {
    let mirror = registry().await;
    let settings = config([mirror.in_place_of("docker.io".parse().unwrap()), mirror.listed()]);
    let images = Images::from_registries(&settings).unwrap();
    for spelling in ["nginx:v1", "docker.io/nginx:v1", "docker.io/library/nginx:v1"] {
        digest(&images, spelling).await.unwrap();
    }
    assert_eq!(mirror.asked().len(), 1);
}

#[tokio::test]
async fn a_tag_that_moved_is_seen_when_asked_again_and_from_then_on() {
    let registry = registry().await;
    let (images, image) = (images(&registry), app(&registry));
    let old = digest(&images, &image).await.unwrap();
    let new = registry.retag("team/app", "v1", &next_build());
    assert_eq!(digest(&images, &image).await.unwrap(), old);
    assert_eq!(images.digest(&image, Freshness::Since(Instant::now()), soon()).await.unwrap(), new);
    assert_eq!(digest(&images, &image).await.unwrap(), new);
}

#[tokio::test]
async fn asking_again_goes_by_the_tag_of_a_pinned_image() {
    let registry = registry().await;
    let (images, image) = (images(&registry), app(&registry));
    let old = digest(&images, &image).await.unwrap();
    let new = registry.retag("team/app", "v1", &next_build());
    let pinned = format!("{image}@{old}");
    assert_eq!(digest(&images, &pinned).await.unwrap(), old);
    assert_eq!(images.digest(&pinned, Freshness::Since(Instant::now()), soon()).await.unwrap(), new);
}

#[tokio::test]
async fn a_failure_is_remembered() {
    let registry = registry().await;
    let (images, image) = (images(&registry), format!("{}/team/missing:v1", registry.addr()));
    for _ in 0..3 {
        let error = digest(&images, &image).await.unwrap_err();
        assert!(matches!(error, FactError::Unresolved(Unresolved { why: ResolveError::NotFound { .. }, .. })));
    }
    assert_eq!(registry.asked().len(), 1);
}

#[tokio::test]
async fn an_outage_while_asking_again_leaves_the_known_answer() {
    let registry = registry().await;
    let (images, image) = (images(&registry), app(&registry));
    let known = digest(&images, &image).await.unwrap();
    registry.fault([Fault::Status(503)]);
    assert!(images.digest(&image, Freshness::Since(Instant::now()), soon()).await.is_err());
    assert_eq!(digest(&images, &image).await.unwrap(), known);
}

#[tokio::test]
async fn a_waiter_gives_up_at_its_deadline_when_the_registry_hangs() {
    let registry = registry().await;
    registry.fault([Fault::Hang]);
    let (images, begun) = (images(&registry), Instant::now());
    let short = begun + Duration::from_millis(50);
    let answer = images.digest(&app(&registry), Freshness::Remembered, short).await;
    assert!(matches!(answer, Err(FactError::Unresolved(Unresolved { why: ResolveError::Timeout { .. }, .. }))));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_registry_that_is_not_listed_is_a_missing_fact() {
    let (listed_one, other) = (registry().await, registry().await);
    let error = digest(&images(&listed_one), &app(&other)).await.unwrap_err();
    assert!(matches!(error, FactError::Unresolved(Unresolved { why: ResolveError::NotListed { .. }, .. })));
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn what_is_no_reference_says_where() {
    let registry = registry().await;
    let error = digest(&images(&registry), "team/App").await.unwrap_err();
    assert!(matches!(error, FactError::Reference(fault) if fault.at() == 5));
}

#[tokio::test]
async fn a_configuration_is_fetched_once_per_digest() {
    let registry = registry().await;
    let image = FixtureImage { user: Some("1000".into()), ..FixtureImage::default() };
    registry.retag("team/app", "v1", &image);
    let images = images(&registry);
    for _ in 0..2 {
        let found = images.config(&app(&registry), soon()).await.unwrap();
        assert_eq!(found.user.as_deref(), Some("1000"));
    }
    // The tag, the manifest, the configuration.
    assert_eq!(items(&registry).len(), 3);
}

#[tokio::test]
async fn with_a_lock_file_nobody_is_contacted() {
    let (registry, folder) = (registry().await, tempfile::tempdir().unwrap());
    let (known, missing) = (app(&registry), format!("{}/team/app:v2", registry.addr()));
    let locked = LockedImage { digest: Digest::sha256_of(b"locked"), config: Some(ImageConfig::default()) };
    let mut lock = ImageLock::default();
    lock.insert(&known.parse::<ImageReference>().unwrap(), locked.clone());
    let mut settings = config([registry.listed()]);
    settings.lock_file = Some(folder.path().join("images.lock"));
    lock.write(&folder.path().join("images.lock")).unwrap();
    let images = Images::open(&settings).unwrap();
    for freshness in [Freshness::Remembered, Freshness::Since(Instant::now())] {
        assert_eq!(images.digest(&known, freshness, soon()).await.unwrap(), locked.digest);
    }
    assert_eq!(images.config(&known, soon()).await.unwrap(), ImageConfig::default());
    assert!(matches!(digest(&images, &missing).await, Err(FactError::NotLocked { .. })));
    assert!(registry.asked().is_empty());
}

#[tokio::test]
async fn a_locked_image_without_its_configuration_says_so() {
    let mut lock = ImageLock::default();
    let locked = LockedImage { digest: Digest::sha256_of(b"locked"), config: None };
    lock.insert(&"nginx:1".parse().unwrap(), locked);
    let answer = Images::from_lock(lock).config("nginx:1", soon()).await;
    assert!(matches!(answer, Err(FactError::ConfigNotLocked { image }) if image == "docker.io/library/nginx:1"));
}

#[tokio::test]
async fn without_a_lock_file_the_registries_are_asked() {
    let registry = registry().await;
    let images = Images::open(&config([registry.listed()])).unwrap();
    assert_eq!(digest(&images, &app(&registry)).await.ok(), registry.digest("team/app", "v1"));
}
