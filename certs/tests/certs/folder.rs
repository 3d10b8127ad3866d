//! The folder: permissions, what is never overwritten, what is damaged, what it says of itself.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::wire::{DAY, NAME, policy, start};
use portreeve_certs::{CertificateFolder, Existing, FileError, FolderError, IssueError, PathTokens, TokenError};

fn created() -> (tempfile::TempDir, CertificateFolder) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(scratch.path().join("tls"));
    folder.create(start(), &policy(), Existing::Keep).unwrap();
    (scratch, folder)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn open_up(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn only_its_owner_can_enter_it() {
    let (_scratch, folder) = created();
    assert_eq!(mode(folder.path()), 0o700);
}

#[test]
fn keys_and_tokens_are_0600() {
    let (_scratch, folder) = created();
    for name in ["ca.key", "tls.key", "token", "tokens"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn nothing_half_done_is_left_after_creating() {
    let (_scratch, folder) = created();
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        [".lock", "ca-bundle.crt", "ca.crt", "ca.key", "issued.crt", "tls.crt", "tls.key", "token", "tokens"]
    );
}

#[test]
fn creating_twice_is_refused_and_changes_nothing() {
    let (_scratch, folder) = created();
    let before = fs::read(folder.leaf_key()).unwrap();
    let refused = folder.create(start(), &policy(), Existing::Keep);
    assert!(matches!(refused, Err(FolderError::AlreadyThere { .. })));
    assert_eq!(fs::read(folder.leaf_key()).unwrap(), before);
}

#[test]
fn a_key_from_elsewhere_is_not_overwritten_by_creating() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(scratch.path());
    open_up(folder.path(), 0o700);
    fs::write(folder.leaf_key(), "someone's").unwrap();
    let refused = folder.create(start(), &policy(), Existing::Keep);
    assert!(matches!(refused, Err(FolderError::AlreadyThere { path }) if path == folder.leaf_key()));
}

#[test]
fn creating_replaces_everything_when_asked_to() {
    let (_scratch, folder) = created();
    let before = fs::read(folder.bundle()).unwrap();
    folder.create(start(), &policy(), Existing::Replace).unwrap();
    assert_ne!(fs::read(folder.bundle()).unwrap(), before);
    assert_eq!(folder.describe(start(), &policy()).unwrap().bundle.len(), 1);
}

#[test]
fn a_serving_pair_from_elsewhere_is_not_overwritten_by_renewing() {
    let ((_one, folder), (_two, other)) = (created(), created());
    fs::copy(other.leaf_key(), folder.leaf_key()).unwrap();
    fs::copy(other.leaf_certificate(), folder.leaf_certificate()).unwrap();
    let late = start().checked_add(61 * DAY).unwrap();
    assert!(matches!(folder.renew(late, &policy()), Err(FolderError::ForeignKey { .. })));
    assert_eq!(fs::read(folder.leaf_key()).unwrap(), fs::read(other.leaf_key()).unwrap());
}

#[test]
fn a_serving_key_that_was_exchanged_is_not_overwritten_by_renewing() {
    let ((_one, folder), (_two, other)) = (created(), created());
    fs::copy(other.leaf_key(), folder.leaf_key()).unwrap();
    assert!(matches!(folder.renew(start(), &policy()), Err(FolderError::ForeignKey { .. })));
}

#[test]
fn a_ca_key_that_was_exchanged_is_not_used() {
    let ((_one, folder), (_two, other)) = (created(), created());
    fs::copy(other.path().join("ca.key"), folder.path().join("ca.key")).unwrap();
    let refused = folder.renew(start(), &policy());
    assert!(matches!(refused, Err(FolderError::AuthorityKey { source: IssueError::KeyMismatch { .. }, .. })));
}

#[test]
fn a_ca_key_that_others_can_read_is_not_used() {
    let (_scratch, folder) = created();
    let key = folder.path().join("ca.key");
    open_up(&key, 0o644);
    let refused = folder.renew(start(), &policy()).unwrap_err();
    assert!(matches!(&refused, FolderError::File(FileError::ReadableByOthers { path, mode: 0o644 }) if *path == key));
}

#[test]
fn a_folder_that_others_can_enter_is_not_used() {
    let (_scratch, folder) = created();
    open_up(folder.path(), 0o750);
    let refused = folder.renew(start(), &policy()).unwrap_err();
    assert!(refused.to_string().contains(&format!("chmod 700 {}", folder.path().display())));
}

#[test]
fn tokens_that_others_can_read_are_not_used() {
    let (_scratch, folder) = created();
    open_up(&folder.tokens(), 0o644);
    let refused = PathTokens::load(&folder, start());
    assert!(matches!(refused, Err(TokenError::File(FileError::ReadableByOthers { .. }))));
}

#[test]
fn renewing_where_there_is_no_ca_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    open_up(scratch.path(), 0o700);
    let refused = CertificateFolder::new(scratch.path()).renew(start(), &policy());
    assert!(matches!(refused, Err(FolderError::NoAuthority { .. })));
}

#[test]
fn a_damaged_ca_names_its_file() {
    let (_scratch, folder) = created();
    fs::write(folder.path().join("ca.crt"), "garbage").unwrap();
    let refused = folder.renew(start(), &policy()).unwrap_err();
    assert!(matches!(refused, FolderError::Certificates { path, .. } if path.ends_with("ca.crt")));
}

#[test]
fn damaged_tokens_name_their_line() {
    let (_scratch, folder) = created();
    fs::write(folder.tokens(), "garbage\n").unwrap();
    open_up(&folder.tokens(), 0o600);
    let refused = folder.renew(start(), &policy());
    assert!(matches!(refused, Err(FolderError::Token(TokenError::Malformed { line: 1, .. }))));
}

#[test]
fn ensuring_creates_once_and_renews_then() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(scratch.path().join("a/b"));
    assert!(!folder.ensure(start(), &policy()).unwrap().done.is_empty());
    assert!(folder.ensure(start(), &policy()).unwrap().done.is_empty());
}

#[test]
fn of_many_that_ensure_at_once_one_creates() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(scratch.path().join("tls"));
    let made = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| folder.ensure(start(), &policy()).unwrap())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).filter(|made| !made.done.is_empty()).count()
    });
    assert_eq!(made, 1);
}

#[test]
fn a_creation_cut_off_before_its_keys_were_in_force_is_begun_again() {
    let (_scratch, folder) = created();
    for (from, to) in [("ca.key", "ca-next.key"), ("ca.crt", "ca-next.crt")] {
        fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    }
    for name in ["tls.key", "tls.crt", "issued.crt", "token", "tokens"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    folder.ensure(start(), &policy()).unwrap();
    assert_eq!(folder.describe(start(), &policy()).unwrap().bundle.len(), 1);
    assert!(!folder.path().join("ca-next.crt").exists());
}

#[test]
fn it_says_what_it_holds() {
    let (_scratch, folder) = created();
    let status = folder.describe(start(), &policy()).unwrap();
    let leaf = status.leaf.as_ref().unwrap();
    assert_eq!(leaf.names, [NAME, "127.0.0.1"]);
    assert_eq!(leaf.issuer, status.authority.subject);
    assert_eq!((leaf.days_left, status.authority.days_left), (90, 365));
    assert_eq!(status.bundle, std::slice::from_ref(&status.authority));
    assert_eq!(status.announced, None);
}

#[test]
fn its_fingerprint_is_the_sha_256_of_the_der_bytes() {
    use rustls_pki_types::pem::PemObject;
    use sha2::Digest;
    let (_scratch, folder) = created();
    let der = rustls_pki_types::CertificateDer::from_pem_file(folder.leaf_certificate()).unwrap();
    let status = folder.describe(start(), &policy()).unwrap();
    assert_eq!(status.leaf.unwrap().fingerprint.to_string(), hex::encode(sha2::Sha256::digest(&der)));
}

#[test]
fn days_left_are_negative_once_it_has_ended() {
    let (_scratch, folder) = created();
    let late = start().checked_add(90 * DAY + std::time::Duration::from_secs(1)).unwrap();
    assert_eq!(folder.describe(late, &policy()).unwrap().leaf.unwrap().days_left, -1);
}

#[test]
fn describing_needs_no_key_of_the_ca() {
    let (_scratch, folder) = created();
    fs::remove_file(folder.path().join("ca.key")).unwrap();
    assert!(folder.describe(start(), &policy()).is_ok());
}
