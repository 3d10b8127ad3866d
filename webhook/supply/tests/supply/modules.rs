//! Policy modules: named by digest, had once, checked, and kept.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use portreeve_supply::loopback::{Fault, LoopbackRegistry};
use portreeve_supply::reference::Digest;
use portreeve_supply::registry::BadAnswer;
use portreeve_supply::settings::RegistriesConfig;
use portreeve_supply::{ModuleError, Modules, ResolveError};

use crate::{config, items, registry};

const COMPONENT: &[u8] = b"a component, as far as a registry cares";

async fn published() -> (LoopbackRegistry, Digest) {
    let registry = registry().await;
    let digest = registry.module("policies/labels", "v1", COMPONENT.to_vec());
    (registry, digest)
}

fn modules(registry: &LoopbackRegistry, folder: Option<&Path>) -> Modules {
    Modules::open(&config([registry.listed()]), folder.map(Path::to_owned)).unwrap()
}

fn named(registry: &LoopbackRegistry, name: &str) -> String {
    format!("{}/{name}", registry.host())
}

fn answer(error: ModuleError) -> BadAnswer {
    match error {
        ModuleError::Unresolved { why: ResolveError::BadAnswer { answer, .. }, .. } => answer,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_module_is_had_by_its_manifest_and_that_by_its_digest() {
    let (registry, digest) = published().await;
    let name = named(&registry, &format!("policies/labels:v1@{digest}"));
    assert_eq!(modules(&registry, None).get(&name).await.unwrap(), COMPONENT);
    let paths: Vec<String> = items(&registry).into_iter().map(|asked| asked.path).collect();
    let layer = Digest::sha256_of(COMPONENT);
    assert_eq!(
        paths,
        [format!("/v2/policies/labels/manifests/{digest}"), format!("/v2/policies/labels/blobs/{layer}")]
    );
}

#[tokio::test]
async fn what_is_kept_is_not_asked_for_again() {
    let (registry, digest) = published().await;
    let folder = tempfile::tempdir().unwrap();
    let name = named(&registry, &format!("policies/labels@{digest}"));
    modules(&registry, Some(folder.path())).get(&name).await.unwrap();
    let asked = items(&registry).len();
    assert_eq!(modules(&registry, Some(folder.path())).get(&name).await.unwrap(), COMPONENT);
    assert_eq!(items(&registry).len(), asked);
}

#[tokio::test]
async fn a_module_that_is_of_use_again_is_no_longer_the_oldest() {
    let (registry, digest) = published().await;
    let folder = tempfile::tempdir().unwrap();
    let name = named(&registry, &format!("policies/labels@{digest}"));
    modules(&registry, Some(folder.path())).get(&name).await.unwrap();
    let files = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    for file in files() {
        fs::File::options().append(true).open(file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    modules(&registry, Some(folder.path())).get(&name).await.unwrap();
    assert!(files().all(|file| fs::metadata(file).unwrap().modified().unwrap() > SystemTime::UNIX_EPOCH));
}

#[tokio::test]
async fn what_is_kept_and_damaged_is_asked_for_again() {
    let (registry, digest) = published().await;
    let folder = tempfile::tempdir().unwrap();
    let name = named(&registry, &format!("policies/labels@{digest}"));
    modules(&registry, Some(folder.path())).get(&name).await.unwrap();
    let kept = folder.path().join(Digest::sha256_of(COMPONENT).to_string().replace(':', "-"));
    fs::write(&kept, "something else").unwrap();
    assert_eq!(modules(&registry, Some(folder.path())).get(&name).await.unwrap(), COMPONENT);
    assert_eq!(fs::read(&kept).unwrap(), COMPONENT, "and put right");
}

#[tokio::test]
async fn where_a_lock_file_is_configured_there_is_what_is_kept_and_nobody_is_asked() {
    let (registry, digest) = published().await;
    let folder = tempfile::tempdir().unwrap();
    let name = named(&registry, &format!("policies/labels@{digest}"));
    let locked = RegistriesConfig { lock_file: Some("images.lock".into()), ..config([registry.listed()]) };
    let offline = || Modules::open(&locked, Some(folder.path().to_owned())).unwrap();
    assert!(matches!(offline().get(&name).await, Err(ModuleError::NotKept(it)) if it == name));
    assert!(items(&registry).is_empty());
    modules(&registry, Some(folder.path())).get(&name).await.unwrap();
    assert_eq!(offline().get(&name).await.unwrap(), COMPONENT);
}

#[tokio::test]
async fn a_tag_alone_names_no_module() {
    let (registry, _) = published().await;
    let error = modules(&registry, None).get(&named(&registry, "policies/labels:v1")).await.unwrap_err();
    assert!(matches!(&error, ModuleError::NoDigest(_)) && !error.is_passing(), "{error}");
    assert!(items(&registry).is_empty());
}

#[tokio::test]
async fn an_image_is_refused_as_none() {
    let (registry, _) = published().await;
    let image = registry.digest("team/app", "v1").unwrap();
    let error = modules(&registry, None).get(&named(&registry, &format!("team/app@{image}"))).await.unwrap_err();
    assert!(!error.is_passing(), "the same digest is the same image later");
    assert!(matches!(answer(error), BadAnswer::NotAModule));
}

#[tokio::test]
async fn other_bytes_than_the_digest_says_are_refused_and_not_kept() {
    let (registry, digest) = published().await;
    let folder = tempfile::tempdir().unwrap();
    registry.fault([Fault::WrongBytes]);
    let name = named(&registry, &format!("policies/labels@{digest}"));
    let error = modules(&registry, Some(folder.path())).get(&name).await.unwrap_err();
    assert!(matches!(answer(error), BadAnswer::DigestMismatch { .. }));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_module_may_take_longer_than_a_question_about_an_image() {
    let (registry, digest) = published().await;
    registry.fault([Fault::Slow(Duration::from_millis(300))]);
    let mut settings = config([registry.listed()]);
    settings.timeouts.request_milliseconds = 100.try_into().unwrap();
    let modules = Modules::open(&settings, None).unwrap();
    let name = named(&registry, &format!("policies/labels@{digest}"));
    assert_eq!(modules.get(&name).await.unwrap(), COMPONENT);
}

#[tokio::test]
async fn a_module_takes_no_longer_than_it_may() {
    let (registry, digest) = published().await;
    registry.fault([Fault::Hang]);
    let mut settings = config([registry.listed()]);
    settings.timeouts.module_seconds = 1.try_into().unwrap();
    let modules = Modules::open(&settings, None).unwrap();
    let error = modules.get(&named(&registry, &format!("policies/labels@{digest}"))).await.unwrap_err();
    assert!(matches!(&error, ModuleError::Unresolved { why: ResolveError::Timeout { .. }, .. }), "{error}");
    assert!(error.is_passing());
}

#[tokio::test]
async fn a_registry_that_fails_may_answer_later_and_one_that_has_nothing_will_not() {
    let (registry, digest) = published().await;
    let modules = modules(&registry, None);
    let none = named(&registry, &format!("policies/none@{digest}"));
    assert!(!modules.get(&none).await.unwrap_err().is_passing());
    registry.fault([Fault::Status(503)]);
    let name = named(&registry, &format!("policies/labels@{digest}"));
    assert!(modules.get(&name).await.unwrap_err().is_passing());
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_hangs_holds_up_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let digest = Digest::sha256_of(b"{}");
    let pipe = folder.path().join(digest.to_string().replace(':', "-"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let locked = RegistriesConfig { lock_file: Some("images.lock".into()), ..RegistriesConfig::default() };
    let modules = Modules::open(&locked, Some(folder.path().to_owned())).unwrap();
    let (tell, told) = mpsc::channel();
    let disk = thread::spawn(move || {
        let went_on = told.recv_timeout(Duration::from_secs(30)).is_ok();
        fs::write(pipe, "{}").unwrap();
        went_on
    });
    let name = format!("registry.example/policies/labels@{digest}");
    let (found, told) = tokio::join!(biased; modules.get(&name), async { tell.send(()) });
    assert!(matches!(found, Err(ModuleError::NotKept(_))));
    assert!(told.is_ok() && disk.join().unwrap());
}
