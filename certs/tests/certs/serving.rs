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
    Authority, AuthorityOptions, CertificateFolder, CommonName, Existing, Expected, FileError, Objection, Pair,
    PemError, Reload, Reloader, ServerNames, ServingCertificate, ServingError, Validity, ValidityWarning,
    server_config,
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
    assert_eq!(reloader.reload_if_changed(Timestamp::now()).unwrap(), Reload::Unchanged);
}

#[test]
fn a_swapped_link_of_a_mounted_secret_is_seen() {
    let ((scratch, folder), (_two, other)) = (created(), created());
    let mount = Mount::of(scratch.path(), &folder);
    let reloader = mount.open();
    mount.swap("..two", &other);
    assert_eq!(reloader.reload_if_changed(Timestamp::now()).unwrap(), Reload::Replaced);
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
    assert_eq!(reloader.reload_if_changed(Timestamp::now()).unwrap(), Reload::Replaced);
}

#[test]
fn new_handshakes_get_the_new_pair_without_a_new_configuration() {
    let (_scratch, folder) = created();
    let reloader = Arc::new(Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap());
    let config = server_config(reloader.clone(), None).unwrap();
    let renewed = start().checked_add(61 * DAY).unwrap();
    folder.renew(renewed, &policy()).unwrap();
    reloader.reload_if_changed(Timestamp::now()).unwrap();
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
        assert!(matches!(reloader.reload_if_changed(Timestamp::now()), Err(ServingError::KeyMismatch { .. })));
    }
    let client = Client::trusting_file(&folder.bundle(), BOTH[1], start());
    assert!(client.connect(&config, NAME).is_ok());
}

#[test]
fn a_mended_pair_is_taken_up() {
    let ((_one, folder), (_two, other)) = (created(), created());
    let reloader = Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap();
    fs::copy(other.leaf_certificate(), folder.leaf_certificate()).unwrap();
    assert!(reloader.reload_if_changed(Timestamp::now()).is_err());
    fs::copy(other.leaf_key(), folder.leaf_key()).unwrap();
    assert_eq!(reloader.reload_if_changed(Timestamp::now()).unwrap(), Reload::Replaced);
}

#[test]
fn another_pair_waits_for_as_long_as_it_was_told_to() {
    let ((_one, folder), (_two, other)) = (created(), created());
    let opened = || Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap();
    let (hasty, patient) = (opened(), opened().patient(Duration::from_secs(3600)));
    let before = patient.current().leaf().serial().to_owned();
    exchange(&other, &folder);
    assert_eq!(hasty.reload_if_changed(Timestamp::now()).unwrap(), Reload::Replaced);
    assert_eq!(patient.reload_if_changed(Timestamp::now()).unwrap(), Reload::Awaited);
    assert_eq!(patient.reload_if_changed(Timestamp::now()).unwrap(), Reload::Awaited);
    assert_eq!(patient.current().leaf().serial(), before);
}

#[test]
fn nobody_waits_with_a_certificate_that_has_ended() {
    let ((_one, folder), (_two, other)) = (created_at(at("2020-01-01T00:00:00Z")), created());
    let patient = Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap().patient(Duration::MAX);
    assert!(patient.current().validity_warning(Timestamp::now()).is_some());
    exchange(&other, &folder);
    assert_eq!(patient.reload_if_changed(Timestamp::now()).unwrap(), Reload::Replaced);
}

/// A pair that holds for a day from `now`, with this name, from a CA of its own.
fn pair(now: Timestamp, name: &str) -> Pair {
    let validity = Validity::starting(now, DAY).unwrap();
    let name_of_ca = CommonName::parse("Another CA").unwrap();
    let ca = Authority::create(&AuthorityOptions { common_name: name_of_ca, validity }).unwrap();
    ca.issue_server(&ServerNames::parse([name]).unwrap(), validity).unwrap()
}

fn put(pair: &Pair, into: &CertificateFolder) {
    fs::write(into.leaf_certificate(), pair.certificate().to_pem()).unwrap();
    write_key(&into.leaf_key(), pair.key().expose().as_bytes());
}

fn opened(folder: &CertificateFolder) -> Reloader {
    Reloader::open(folder.leaf_certificate(), folder.leaf_key()).unwrap()
}

/// Why a changed pair was refused; the old one is served then.
fn refused(reloader: &Reloader, now: Timestamp) -> Objection {
    let served = reloader.current();
    let Err(ServingError::Worse { source, .. }) = reloader.reload_if_changed(now) else { panic!("it was taken up") };
    assert_eq!(reloader.current().leaf(), served.leaf());
    source
}

#[test]
fn one_that_has_ended_or_not_begun_does_not_take_the_place_of_one_that_holds() {
    let (_scratch, folder) = created();
    let reloader = opened(&folder);
    put(&pair(at("2020-01-01T00:00:00Z"), NAME), &folder);
    let why = refused(&reloader, start());
    assert!(matches!(why, Objection::Dates(ValidityWarning::Expired { .. })), "{why}");
    let tomorrow = start().checked_add(DAY).unwrap();
    put(&pair(tomorrow, NAME), &folder);
    let why = refused(&reloader, start());
    assert!(matches!(why, Objection::Dates(ValidityWarning::NotYetValid { .. })), "{why}");
    assert_eq!(reloader.reload_if_changed(tomorrow).unwrap(), Reload::Replaced);
}

#[test]
fn a_certificate_of_a_client_is_never_served() {
    let (_scratch, folder) = created();
    let reloader = opened(&folder);
    put(&folder.issue_client(&CommonName::parse("client").unwrap(), start(), DAY).unwrap(), &folder);
    assert!(matches!(reloader.reload_if_changed(start()), Err(ServingError::NotForServers { .. })));
    assert!(matches!(load(&folder), Err(ServingError::NotForServers { .. })));
}

#[test]
fn one_for_other_names_does_not_take_the_place_of_one_for_ours() {
    let (_scratch, folder) = created();
    let names = ServerNames::parse(["elsewhere.example", NAME]).unwrap();
    let reloader = opened(&folder).expecting(Expected { names: Some(names), authorities: None });
    put(&pair(start(), "other.example"), &folder);
    let why = refused(&reloader, start()).to_string();
    assert!(why.contains("other.example") && why.contains(NAME), "{why}");
    put(&pair(start(), NAME), &folder);
    assert_eq!(reloader.reload_if_changed(start()).unwrap(), Reload::Replaced);
}

#[test]
fn one_of_a_ca_that_nobody_trusts_does_not_take_the_place_of_one_that_clients_trust() {
    let ((_one, folder), (_two, other)) = (created(), created());
    let reloader = opened(&folder).expecting(Expected { names: None, authorities: Some(folder.bundle()) });
    exchange(&other, &folder);
    assert!(matches!(refused(&reloader, start()), Objection::Authority { .. }));
    fs::copy(other.bundle(), folder.bundle()).unwrap();
    assert_eq!(reloader.reload_if_changed(start()).unwrap(), Reload::Replaced);
}

#[test]
fn what_clients_object_to_in_the_old_one_too_is_no_reason() {
    let ((_one, folder), (_two, other)) = (created(), created());
    let names = ServerNames::parse(["elsewhere.example"]).unwrap();
    let reloader = opened(&folder).expecting(Expected { names: Some(names), authorities: None });
    exchange(&other, &folder);
    assert_eq!(reloader.reload_if_changed(start()).unwrap(), Reload::Replaced);
}
