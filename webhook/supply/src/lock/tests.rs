//! What is written is read again, what is wrong is named, and images are found however they are written.

use super::*;

const FIRST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn image(written: &str) -> ImageReference {
    written.parse().unwrap()
}

fn locked(content: &str) -> LockedImage {
    let config = Some(ImageConfig { user: Some("101".into()), ..ImageConfig::default() });
    LockedImage { digest: Digest::sha256_of(content.as_bytes()), config }
}

/// Writes `text` to a file and reads it as a lock.
fn read(text: &str) -> Result<ImageLock, LockError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.lock");
    std::fs::write(&path, text).unwrap();
    ImageLock::read(&path)
}

fn document(entries: &str) -> String {
    format!("apiVersion: portreeve.dev/v1alpha1\nkind: ImageLock\nimages:\n{entries}")
}

#[test]
fn what_was_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.lock");
    let mut lock = ImageLock::default();
    lock.insert(&image("nginx:1.27"), locked("nginx"));
    lock.insert(&image("ghcr.io/team/app:v1"), locked("app"));
    lock.write(&path).unwrap();
    assert_eq!(ImageLock::read(&path).unwrap(), lock);
}

#[test]
fn the_file_is_the_same_in_whatever_order_images_came() {
    let folder = tempfile::tempdir().unwrap();
    let written = |names: [&str; 2], file: &str| {
        let mut lock = ImageLock::default();
        for name in names {
            lock.insert(&image(name), locked(name));
        }
        lock.write(&folder.path().join(file)).unwrap();
        std::fs::read_to_string(folder.path().join(file)).unwrap()
    };
    assert_eq!(written(["b:1", "a:1"], "first"), written(["a:1", "b:1"], "second"));
}

#[test]
fn a_lock_in_the_way_is_replaced_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.lock");
    for content in ["old", "new"] {
        let mut lock = ImageLock::default();
        lock.insert(&image("nginx:1"), locked(content));
        lock.write(&path).unwrap();
    }
    assert_eq!(ImageLock::read(&path).unwrap().lookup(&image("nginx:1")), Some(&locked("new")));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_lock_that_cannot_be_written_says_where() {
    let missing = Path::new("/nonexistent/folder/images.lock");
    let error = ImageLock::default().write(missing).unwrap_err();
    assert!(matches!(error, LockError::Unwritable { path, .. } if path == missing));
}

#[test]
fn an_image_is_found_by_any_spelling_of_its_tag() {
    let lock = read(&document(&format!("- {{image: 'nginx:latest', digest: '{FIRST}'}}"))).unwrap();
    for spelling in ["nginx", "docker.io/library/nginx:latest", "index.docker.io/nginx"] {
        assert!(lock.lookup(&image(spelling)).is_some(), "{spelling}");
    }
    assert!(lock.lookup(&image("nginx:1.27")).is_none());
}

#[test]
fn a_configuration_is_found_by_digest_in_its_repository_alone() {
    let mut lock = ImageLock::default();
    lock.insert(&image("team/app:v1"), locked("app"));
    let by_digest = |name: &str| image(name).with_digest(locked("app").digest);
    assert!(lock.config(&by_digest("team/app:v2")).is_ok());
    assert!(matches!(lock.config(&by_digest("team/other:v1")), Err(FactError::NotLocked { .. })));
}

#[test]
fn an_image_without_a_tag_is_locked_by_its_digest() {
    let mut lock = ImageLock::default();
    let pinned = image(&format!("team/app@{}", locked("app").digest));
    lock.insert_digest(&pinned, locked("app"));
    let read = read(&lock.to_yaml().unwrap()).unwrap();
    assert_eq!(read, lock);
    assert!(read.config(&pinned).is_ok() && read.lookup(&pinned).is_some());
    assert!(read.lookup(&image("team/app")).is_none(), "nobody said what the tag names");
}

#[test]
fn json_is_read_too() {
    let json = format!(
        r#"{{"apiVersion":"portreeve.dev/v1alpha1","kind":"ImageLock","images":[{{"image":"a:1","digest":"{FIRST}"}}]}}"#
    );
    assert!(read(&json).is_ok());
}

#[test]
fn refuses_another_kind_version_or_field() {
    for text in [
        "apiVersion: v1\nkind: ImageLock\nimages: []",
        "apiVersion: portreeve.dev/v1alpha1\nkind: Pod\nimages: []",
        &document("- {image: 'a:1', digest: 'sha256:00'}"),
        &document(&format!("- {{image: 'a:1', digest: '{FIRST}', tag: x}}")),
        "- a\n- b",
    ] {
        let error = read(text).unwrap_err();
        assert!(matches!(error, LockError::Malformed { .. }), "{text}");
        assert!(!error.to_string().contains("<input>"), "{error}");
    }
}

#[test]
fn says_which_entry_is_wrong() {
    let entry = |image: &str| format!("- {{image: '{image}', digest: '{FIRST}'}}\n");
    let fault = |second: &str| match read(&document(&(entry("nginx") + &entry(second)))).unwrap_err() {
        LockError::Entry { entry: 1, fault, .. } => fault,
        other => panic!("{other}"),
    };
    assert_eq!(fault("docker.io/nginx:latest"), LockedImageFault::Twice("docker.io/library/nginx:latest".into()));
    assert!(matches!(fault("Nginx"), LockedImageFault::Reference(_)));
    assert!(matches!(fault(&format!("nginx:1@{FIRST}")), LockedImageFault::WithDigest(_)));
    let other = Digest::sha256_of(b"other");
    assert!(matches!(fault(&format!("nginx@{other}")), LockedImageFault::OtherDigest(_)));
}

#[test]
fn a_missing_file_says_which() {
    let missing = Path::new("/nonexistent/images.lock");
    assert!(matches!(ImageLock::read(missing), Err(LockError::Unreadable { path, .. }) if path == missing));
}

#[test]
fn locks_that_agree_are_taken_together() {
    let (mut first, mut second) = (ImageLock::default(), ImageLock::default());
    first.insert(&image("nginx:1.27"), locked("nginx"));
    second.insert(&image("docker.io/library/nginx:1.27"), locked("nginx"));
    second.insert(&image("redis:7"), locked("redis"));
    first.merge(second).unwrap();
    assert_eq!(first.iter().count(), 2);
}

#[test]
fn locks_that_contradict_one_another_are_refused_by_image() {
    let (mut first, mut second) = (ImageLock::default(), ImageLock::default());
    first.insert(&image("nginx:1.27"), locked("one"));
    second.insert(&image("nginx:1.27"), locked("another"));
    assert!(first.merge(second).unwrap_err().to_string().contains("docker.io/library/nginx:1.27"));
}
