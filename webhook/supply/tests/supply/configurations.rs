//! What an image's configuration says, and which answers about it are not believed.

use portreeve_supply::loopback::{Fault, FixtureImage, LoopbackRegistry, Shape};
use portreeve_supply::reference::Digest;
use portreeve_supply::registry::BadAnswer;
use portreeve_supply::{ImageConfig, Registries, ResolveError};

use crate::{client, config, image, registry, soon};

fn nginx(shape: Shape) -> FixtureImage {
    FixtureImage {
        user: Some("101".into()),
        exposed_ports: vec!["80/tcp".parse().unwrap()],
        volumes: vec!["/var/cache".into()],
        base_image: Some("debian:12".into()),
        shape,
        ..FixtureImage::default()
    }
}

async fn ask(client: &Registries, registry: &LoopbackRegistry, digest: &Digest) -> Result<ImageConfig, ResolveError> {
    client.config(&image(registry, "team/app"), digest, soon()).await
}

async fn with_fault(fault: Fault) -> ResolveError {
    let registry = registry().await;
    let digest = registry.digest("team/app", "v1").unwrap();
    registry.fault([fault]);
    ask(&client([registry.listed()]), &registry, &digest).await.unwrap_err()
}

#[tokio::test]
async fn a_manifest_leads_to_the_configuration() {
    let registry = registry().await;
    let digest = registry.retag("team/app", "v2", &nginx(Shape::Manifest));
    let found = ask(&client([registry.listed()]), &registry, &digest).await.unwrap();
    let expected = ImageConfig {
        user: Some("101".into()),
        exposed_ports: ["80/tcp".parse().unwrap()].into(),
        volumes: ["/var/cache".to_owned()].into(),
        base_image: Some("debian:12".into()),
    };
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_index_leads_to_the_configuration_of_the_platform() {
    let registry = registry().await;
    let digest = registry.retag("team/app", "v2", &nginx(Shape::Index));
    let mut settings = config([registry.listed()]);
    settings.platform = "linux/arm64".parse().unwrap();
    let found = ask(&Registries::new(&settings).unwrap(), &registry, &digest).await.unwrap();
    assert_eq!(found.user.as_deref(), Some("101"));
    assert_eq!(registry.asked().len(), 3);
}

#[tokio::test]
async fn an_index_without_the_platform_says_so() {
    let registry = registry().await;
    let digest = registry.retag("team/app", "v2", &nginx(Shape::Index));
    let mut settings = config([registry.listed()]);
    settings.platform = "windows/amd64".parse().unwrap();
    let error = ask(&Registries::new(&settings).unwrap(), &registry, &digest).await.unwrap_err();
    let missing = BadAnswer::NoSuchPlatform("windows/amd64".into());
    assert!(matches!(error, ResolveError::BadAnswer { answer, .. } if answer == missing));
}

#[tokio::test]
async fn bytes_that_are_not_what_the_digest_names_are_refused() {
    let error = with_fault(Fault::WrongBytes).await;
    assert!(matches!(error, ResolveError::BadAnswer { answer: BadAnswer::DigestMismatch { .. }, .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_unreachable() {
    let error = with_fault(Fault::CutBody).await;
    assert!(matches!(error, ResolveError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_digest_that_the_registry_does_not_have_is_not_found() {
    let registry = registry().await;
    let error = ask(&client([registry.listed()]), &registry, &Digest::sha256_of(b"")).await.unwrap_err();
    assert!(matches!(error, ResolveError::NotFound { .. }));
}
