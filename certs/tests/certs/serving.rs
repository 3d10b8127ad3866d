//! Loading and reloading what is served: every way in which two files can be wrong, and that a bad change changes
//! nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::wire::{BOTH, Client, DAY, NAME, at, policy, start};
use portreeve_certs::{
    CertificateFolder, Existing, FileError, PemError, Reload, Reloader, ServingCertificate, ServingError,
    ValidityWarning, server_config,
};

fn created() -> (tempfile::TempDir, CertificateFolder) {
    created_at(start())
}

fn created_at(now: Timestamp) -> (tempfile::TempDir, CertificateFolder) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(scratch.path().join("tls"));
    folder.create(now, &policy(), Existing::Keep).unwrap();
    (scratch, folder)
}

/// Puts one folder's pair into another.
fn exchange(from: &CertificateFolder, into: &CertificateFolder) {
    fs::copy(from.leaf_certificate(), into.leaf_certificate()).unwrap();
    fs::copy(from.leaf_key(), into.leaf_key()).unwrap();
}

fn load(folder: &CertificateFolder) -> Result<ServingCertificate, ServingError> {
    ServingCertificate::load(&folder.leaf_certificate(), &folder.leaf_key())
}

fn write_key(path: &Path, text: &[u8]) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_missing_certificate_is_named() {
    let (_scratch, folder) = created();
    fs::remove_file(folder.leaf_certificate()).unwrap();
    let refused = load(&folder).unwrap_err();
    assert!(matches!(refused, ServingError::File(FileError::Missing { path }) if path == folder.leaf_certificate()));
}

#[test]
fn a_missing_key_is_named() {
    let (_scratch, folder) = created();
    fs::remove_file(folder.leaf_key()).unwrap();
    let refused = load(&folder).unwrap_err();
    assert!(matches!(refused, ServingError::File(FileError::Missing { path }) if path == folder.leaf_key()));
}

#[test]
fn a_folder_in_place_of_a_file_is_unreadable() {
    let (scratch, folder) = created();
    let refused = ServingCertificate::load(scratch.path(), &folder.leaf_key()).unwrap_err();
    assert!(matches!(refused, ServingError::File(FileError::Unreadable { .. })));
}

#[test]
fn a_key_that_the_world_can_read_is_refused() {
    let (_scratch, folder) = created();
    fs::set_permissions(folder.leaf_key(), Permissions::from_mode(0o604)).unwrap();
    let refused = load(&folder).unwrap_err();
    assert!(matches!(refused, ServingError::File(FileError::ReadableByOthers { mode: 0o604, .. })));
}

#[test]
fn garbage_is_not_pem() {
    let (_scratch, folder) = created();
    fs::write(folder.leaf_certificate(), [0x30, 0x82, 0xff, 0]).unwrap();
    assert!(matches!(load(&folder), Err(ServingError::Certificate { source: PemError::NotPem, .. })));
    let (_scratch, folder) = created();
    write_key(&folder.leaf_key(), b"");
    assert!(matches!(load(&folder), Err(ServingError::Key { source: PemError::NotPem, .. })));
}

#[test]
fn certificate_and_key_exchanged_are_told_apart() {
    let (_scratch, folder) = created();
    let certificate = fs::read(folder.leaf_certificate()).unwrap();
    let refused = ServingCertificate::load(&folder.leaf_key(), &folder.leaf_key());
    assert!(matches!(refused, Err(ServingError::Certificate { source: PemError::NoCertificate, .. })));
    write_key(&folder.leaf_key(), &certificate);
    assert!(matches!(load(&folder), Err(ServingError::NoKey { .. })));
}

#[test]
fn a_damaged_section_is_malformed() {
    let (_scratch, folder) = created();
    let text = fs::read_to_string(folder.leaf_certificate()).unwrap();
    fs::write(folder.leaf_certificate(), &text[..text.len() / 2]).unwrap();
    assert!(matches!(load(&folder), Err(ServingError::Certificate { source: PemError::Malformed(_), .. })));
}

#[test]
fn several_keys_are_counted() {
    let (_scratch, folder) = created();
    let one = fs::read(folder.leaf_key()).unwrap();
    write_key(&folder.leaf_key(), &[one.clone(), one].concat());
    assert!(matches!(load(&folder), Err(ServingError::SeveralKeys { found: 2, .. })));
}

#[test]
fn a_key_of_another_certificate_is_a_mismatch() {
    let ((_one, folder), (_two, other)) = (created(), created());
    let refused = ServingCertificate::load(&folder.leaf_certificate(), &other.leaf_key());
    assert!(matches!(refused, Err(ServingError::KeyMismatch { .. })));
}

#[test]
fn a_key_that_is_none_inside_its_pem_is_unusable() {
    let (_scratch, folder) = created();
    write_key(&folder.leaf_key(), b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert!(matches!(load(&folder), Err(ServingError::UnusableKey { .. })));
}

#[test]
fn dates_are_warned_of_and_the_certificate_is_served_all_the_same() {
    let (_scratch, folder) = created();
    let serving = load(&folder).unwrap();
    assert_eq!(serving.validity_warning(start()), None);
    let late = start().checked_add(91 * DAY).unwrap();
    assert!(matches!(serving.validity_warning(late), Some(ValidityWarning::Expired { .. })));
    let early = at("2029-01-01T00:00:00Z");
    assert!(matches!(serving.validity_warning(early), Some(ValidityWarning::NotYetValid { .. })));
}

/// A mounted Secret: `tls.crt` links to `..data/tls.crt`, and `..data` to a dated folder.
struct Mount {
    root: PathBuf,
}

impl Mount {
    fn of(root: &Path, folder: &CertificateFolder) -> Self {
        let mount = Self { root: root.join("mount") };
        fs::create_dir(&mount.root).unwrap();
        mount.swap("..one", folder);
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), mount.root.join(name)).unwrap();
        }
        mount
    }

    fn swap(&self, dated: &str, folder: &CertificateFolder) {
        let target = self.root.join(dated);
        fs::create_dir(&target).unwrap();
        fs::copy(folder.leaf_certificate(), target.join("tls.crt")).unwrap();
        fs::copy(folder.leaf_key(), target.join("tls.key")).unwrap();
        symlink(dated, self.root.join("..new")).unwrap();
        fs::rename(self.root.join("..new"), self.root.join("..data")).unwrap();
    }

    fn open(&self) -> Reloader {
        Reloader::open(self.root.join("tls.crt"), self.root.join("tls.key")).unwrap()
    }
}

#[test]
fn unchanged_files_are_left_alone() {
    let (_scratch, folder) = created();
    let reloader = Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap();
    assert_eq!(reloader.reload_if_changed().unwrap(), Reload::Unchanged);
}

#[test]
fn a_swapped_link_of_a_mounted_secret_is_seen() {
    let ((scratch, folder), (_two, other)) = (created(), created());
    let mount = Mount::of(scratch.path(), &folder);
    let reloader = mount.open();
    mount.swap("..two", &other);
    assert_eq!(reloader.reload_if_changed().unwrap(), Reload::Replaced);
    assert_eq!(reloader.current().leaf(), load(&other).unwrap().leaf());
}

#[test]
fn a_change_with_equal_time_and_length_is_seen() {
    let ((_one, folder), (_two, other)) = (created(), created());
    let reloader = Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap();
    for (from, to) in [(other.leaf_certificate(), folder.leaf_certificate()), (other.leaf_key(), folder.leaf_key())] {
        let time = fs::metadata(&to).unwrap().modified().unwrap();
        fs::copy(from, &to).unwrap();
        fs::File::options().write(true).open(&to).unwrap().set_modified(time).unwrap();
    }
    assert_eq!(reloader.reload_if_changed().unwrap(), Reload::Replaced);
}

#[test]
fn new_handshakes_get_the_new_pair_without_a_new_configuration() {
    let (_scratch, folder) = created();
    let reloader = Arc::new(Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap());
    let config = server_config(reloader.clone(), None).unwrap();
    let renewed = start().checked_add(61 * DAY).unwrap();
    folder.renew(renewed, &policy()).unwrap();
    reloader.reload_if_changed().unwrap();
    let client = Client::trusting_file(&folder.bundle(), BOTH[1], renewed);
    let served = client.connect(&config, NAME).unwrap().served;
    assert_eq!(served, load(&folder).unwrap().leaf().der().to_vec());
}

#[test]
fn a_bad_pair_is_refused_each_time_and_the_old_one_is_served() {
    let ((_one, folder), (_two, other)) = (created(), created());
    let reloader = Arc::new(Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap());
    let config = server_config(reloader.clone(), None).unwrap();
    fs::copy(other.leaf_certificate(), folder.leaf_certificate()).unwrap();
    for _ in 0..2 {
        assert!(matches!(reloader.reload_if_changed(), Err(ServingError::KeyMismatch { .. })));
    }
    let client = Client::trusting_file(&folder.bundle(), BOTH[1], start());
    assert!(client.connect(&config, NAME).is_ok());
}

#[test]
fn a_mended_pair_is_taken_up() {
    let ((_one, folder), (_two, other)) = (created(), created());
    let reloader = Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap();
    fs::copy(other.leaf_certificate(), folder.leaf_certificate()).unwrap();
    assert!(reloader.reload_if_changed().is_err());
    fs::copy(other.leaf_key(), folder.leaf_key()).unwrap();
    assert_eq!(reloader.reload_if_changed().unwrap(), Reload::Replaced);
}

#[test]
fn another_pair_waits_for_as_long_as_it_was_told_to() {
    let ((_one, folder), (_two, other)) = (created(), created());
    let opened = || Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap();
    let (hasty, patient) = (opened(), opened().patient(Duration::from_secs(3600)));
    let before = patient.current().leaf().serial().to_owned();
    exchange(&other, &folder);
    assert_eq!(hasty.reload_if_changed().unwrap(), Reload::Replaced);
    assert_eq!(patient.reload_if_changed().unwrap(), Reload::Awaited);
    assert_eq!(patient.reload_if_changed().unwrap(), Reload::Awaited);
    assert_eq!(patient.current().leaf().serial(), before);
}

#[test]
fn nobody_waits_with_a_certificate_that_has_ended() {
    let ((_one, folder), (_two, other)) = (created_at(at("2020-01-01T00:00:00Z")), created());
    let patient = Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap().patient(Duration::MAX);
    assert!(patient.current().validity_warning(Timestamp::now()).is_some());
    exchange(&other, &folder);
    assert_eq!(patient.reload_if_changed().unwrap(), Reload::Replaced);
}
