//! `portreeve lock`, with a registry on loopback.

use portreeve_supply::loopback::{FixtureImage, LoopbackRegistry};
use portreeve_supply::{ImageLock, RegistriesConfig};
use tokio::runtime::Runtime;

use super::{POD, folder, judging, text};

/// A registry that has the Pod's image, a file that lists it, and the runtime that it lives in.
struct Place {
    runtime: Runtime,
    registry: LoopbackRegistry,
    files: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let image = FixtureImage { user: Some("101".into()), ..FixtureImage::default() };
        let images = [("registry.example/web".to_owned(), "1".to_owned(), image)];
        let registry = runtime.block_on(LoopbackRegistry::start(images)).unwrap();
        let registries = vec![registry.listed(), registry.in_place_of("registry.example".parse().unwrap())];
        let config = RegistriesConfig { registries, ..RegistriesConfig::default() };
        let files = folder(&[("registries.yaml", &serde_saphyr::to_string(&config).unwrap()), ("pod.yaml", POD)]);
        Self { runtime, registry, files }
    }

    fn file(&self, name: &str) -> String {
        text(self.files.path().join(name))
    }
}

#[test]
fn every_image_is_locked_with_digest_and_configuration() {
    let place = Place::new();
    let lock = place.file("images.lock");
    let registries = place.file("registries.yaml");
    judging("", &["lock", &place.file("pod.yaml"), "--registries", &registries, "-o", &lock]).with_code(0);
    let locked = ImageLock::read(lock.as_ref()).unwrap();
    let locked = locked.lookup(&"registry.example/web:1".parse().unwrap()).unwrap();
    assert_eq!(Some(&locked.digest), place.registry.digest("registry.example/web", "1").as_ref());
    assert_eq!(locked.config.as_ref().unwrap().user.as_deref(), Some("101"));
}

#[test]
fn images_that_are_written_by_digest_are_locked_too() {
    let place = Place::new();
    let digest = place.registry.digest("registry.example/web", "1").unwrap();
    let moved = place.registry.retag("registry.example/web", "1", &FixtureImage::default());
    let pod = |name: &str, image: &str| POD.replace("web:1", image).replace("name: web", &format!("name: {name}"));
    let pods = [pod("a", &format!("web@{digest}")), pod("b", &format!("web:1@{digest}")), pod("c", "web:1")];
    let (lock, registries) = (place.file("images.lock"), place.file("registries.yaml"));
    judging(&pods.join("\n---\n"), &["lock", "-", "--registries", &registries, "-o", &lock]).with_code(0);
    let locked = ImageLock::read(lock.as_ref()).unwrap();
    let by = |image: &str| locked.lookup(&format!("registry.example/{image}").parse().unwrap()).unwrap();
    assert_eq!(by("web:1").digest, moved);
    assert_eq!(by(&format!("web@{digest}")).config.as_ref().unwrap().user.as_deref(), Some("101"));
}

#[test]
fn without_a_file_the_lock_goes_to_stdout() {
    let place = Place::new();
    let registries = place.file("registries.yaml");
    let ended = judging(POD, &["lock", "-", "--registries", &registries]).with_code(0);
    assert!(
        ended.stdout.contains("kind: ImageLock") && ended.stdout.contains("registry.example/web:1"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_check_with_a_lock_names_digests_and_contacts_nobody() {
    let place = Place::new();
    let (lock, registries) = (place.file("images.lock"), place.file("registries.yaml"));
    judging("", &["lock", &place.file("pod.yaml"), "--registries", &registries, "-o", &lock]).with_code(0);
    let digest = place.registry.digest("registry.example/web", "1").unwrap();
    place.runtime.shutdown_background();
    let report = judging(POD, &["check", "-", "--lock", &lock, "-o", "json"]).with_code(0).json();
    let injected = report["objects"][0]["injected"].as_array().unwrap();
    let pinned = injected.iter().find(|one| one["pointer"] == "/spec/containers/0/image").unwrap();
    assert_eq!(pinned["value"], format!("registry.example/web:1@{digest}"));
}

#[test]
fn a_check_with_registries_asks_them() {
    let place = Place::new();
    let report =
        judging(POD, &["check", "-", "--registries", &place.file("registries.yaml"), "-o", "json"]).with_code(0);
    assert!(report.stdout.contains(&place.registry.digest("registry.example/web", "1").unwrap().to_string()));
}

#[test]
fn an_image_that_cant_be_had_is_told_with_its_place_and_nothing_is_written() {
    let place = Place::new();
    let (lock, registries) = (place.file("images.lock"), place.file("registries.yaml"));
    let missing = POD.replace("web:1", "web:2");
    let ended = judging(&missing, &["lock", "-", "--registries", &registries, "-o", &lock]).with_code(1);
    assert!(ended.stderr.contains("stdin:8: registry.example/web:2"), "{}", ended.stderr);
    assert!(!place.files.path().join("images.lock").exists());
}

#[test]
fn a_file_of_registries_that_cant_be_read_is_named() {
    let files = folder(&[("registries.yaml", "registires: []\n")]);
    let registries = text(files.path().join("registries.yaml"));
    let ended = judging(POD, &["lock", "-", "--registries", &registries]).with_code(2);
    assert!(ended.stderr.contains("registries.yaml") && ended.stderr.contains("registires"), "{}", ended.stderr);
}
