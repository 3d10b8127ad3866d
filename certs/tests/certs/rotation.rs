//! Rotation, driven by a clock that the tests hold: who is trusted by whom at each step, and what each step says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::wire::{BOTH, Client, DAY, HOUR, NAME, at, policy, start};
use jiff::Timestamp;
use portreeve_certs::{
    CertificateFolder, CommonName, Existing, LeafReason, PathTokens, Reloader, Renewal, RotationPolicy, ServerNames,
    server_config,
};
use rustls::ServerConfig;

pub(crate) struct Scene {
    _scratch: tempfile::TempDir,
    folder: CertificateFolder,
    pub(crate) policy: RotationPolicy,
}

impl Scene {
    fn empty() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let folder = CertificateFolder::new(scratch.path().join("tls"));
        Self { _scratch: scratch, folder, policy: policy() }
    }

    pub(crate) fn created() -> Self {
        let scene = Self::empty();
        scene.folder.create(start(), &scene.policy, Existing::Keep).unwrap();
        scene
    }

    pub(crate) fn renew(&self, now: Timestamp) -> Vec<Renewal> {
        self.folder.renew(now, &self.policy).unwrap().done
    }

    fn next(&self, now: Timestamp) -> (Timestamp, Renewal) {
        let next = self.folder.renew(now, &self.policy).unwrap().next;
        (next.at, next.what)
    }

    fn bundle(&self) -> Vec<u8> {
        fs::read(self.folder.bundle()).unwrap()
    }

    pub(crate) fn bundle_size(&self, now: Timestamp) -> usize {
        self.folder.describe(now, &self.policy).unwrap().bundle.len()
    }

    fn server(&self) -> Arc<ServerConfig> {
        let reloader = Reloader::open(self.folder.leaf_certificate(), self.folder.leaf_key()).unwrap();
        server_config(Arc::new(reloader), None).unwrap()
    }

    fn tokens(&self, now: Timestamp) -> PathTokens {
        PathTokens::load(&self.folder, now).unwrap()
    }

    /// Every file but the lock, by name.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
    }
}

pub(crate) fn after(duration: Duration) -> Timestamp {
    start().checked_add(duration).unwrap()
}

/// Two thirds of 365 days and five minutes, less those five minutes, and a little.
const AUTHORITY_DUE: Duration = Duration::from_secs(244 * 86_400);

#[test]
fn creating_makes_a_ca_a_leaf_and_a_token() {
    let scene = Scene::empty();
    let made = scene.folder.create(start(), &scene.policy, Existing::Keep).unwrap();
    assert_eq!(made.done, [Renewal::LeafIssued(LeafReason::Missing), Renewal::TokenAnnounced, Renewal::TokenPromoted]);
    assert_eq!(made.next.what, Renewal::LeafIssued(LeafReason::TwoThirdsOver));
}

#[test]
fn a_leaf_is_due_at_two_thirds_of_its_life() {
    let (due, _) = Scene::created().next(start());
    // Two thirds of 90 days and five minutes, from five minutes before the start.
    assert_eq!(due, at("2030-03-01T23:58:20Z"));
}

#[test]
fn a_leaf_is_renewed_when_it_is_due_and_not_a_second_before() {
    let scene = Scene::created();
    let (due, _) = scene.next(start());
    let before = due.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap();
    assert_eq!(scene.renew(before), []);
    assert_eq!(scene.renew(due)[0], Renewal::LeafIssued(LeafReason::TwoThirdsOver));
}

#[test]
fn renewing_twice_at_one_time_changes_no_byte() {
    let scene = Scene::created();
    for days in [61, 62, 244, 245, 246, 400, 5_000] {
        scene.renew(after(days * DAY));
        let before = scene.files();
        assert_eq!(scene.renew(after(days * DAY)), [], "day {days}");
        assert_eq!(scene.files(), before, "day {days}");
    }
}

#[test]
fn a_new_ca_is_announced_before_it_signs() {
    let scene = Scene::created();
    scene.renew(after(200 * DAY));
    let old = scene.folder.describe(after(200 * DAY), &scene.policy).unwrap().authority;
    assert!(scene.renew(after(AUTHORITY_DUE)).contains(&Renewal::AuthorityAnnounced));
    let status = scene.folder.describe(after(AUTHORITY_DUE), &scene.policy).unwrap();
    assert_eq!(status.authority.fingerprint, old.fingerprint);
    assert_eq!(status.leaf.unwrap().issuer, old.subject);
    assert_eq!(status.bundle.len(), 2);
}

#[test]
fn the_new_ca_signs_after_one_overlap_and_not_a_second_before() {
    let scene = Scene::created();
    scene.renew(after(AUTHORITY_DUE));
    assert!(!scene.renew(after(AUTHORITY_DUE + DAY - Duration::from_secs(1))).contains(&Renewal::AuthorityPromoted));
    let done = scene.renew(after(AUTHORITY_DUE + DAY));
    assert_eq!(done[..2], [Renewal::AuthorityPromoted, Renewal::LeafIssued(LeafReason::AuthorityChanged)]);
}

#[test]
fn the_old_ca_leaves_the_bundle_when_its_last_leaf_has_ended_and_not_a_second_before() {
    let scene = Scene::created();
    scene.renew(after(AUTHORITY_DUE));
    let old_leaf = scene.folder.describe(start(), &scene.policy).unwrap().leaf.unwrap();
    scene.renew(after(AUTHORITY_DUE + DAY));
    scene.renew(old_leaf.not_after);
    assert_eq!(scene.bundle_size(old_leaf.not_after), 2);
    let over = old_leaf.not_after.checked_add(Duration::from_secs(1)).unwrap();
    assert!(matches!(scene.renew(over)[..], [.., Renewal::AuthorityRetired(_)]));
    assert_eq!(scene.bundle_size(over), 1);
}

#[test]
fn the_old_ca_stays_in_the_bundle_as_long_as_a_client_certificate_of_it_holds() {
    let scene = Scene::created();
    let name = CommonName::parse("kube-apiserver").unwrap();
    let client = scene.folder.issue_client(&name, start(), 360 * DAY).unwrap();
    for days in (1..=359).step_by(5) {
        scene.renew(after(days * DAY));
    }
    assert_eq!(scene.bundle_size(after(359 * DAY)), 2);
    let over = client.certificate().validity().not_after().checked_add(Duration::from_secs(1)).unwrap();
    scene.renew(over);
    assert_eq!(scene.bundle_size(over), 1);
}

#[test]
fn with_the_list_of_leaves_lost_the_old_ca_stays_until_its_own_end() {
    let scene = Scene::created();
    scene.renew(after(AUTHORITY_DUE));
    fs::remove_file(scene.folder.path().join("issued.crt")).unwrap();
    for days in (245..=365).step_by(5) {
        scene.renew(after(days * DAY));
        assert_eq!(scene.bundle_size(after(days * DAY)), 2, "day {days}");
    }
    scene.renew(after(366 * DAY));
    assert_eq!(scene.bundle_size(after(366 * DAY)), 1);
}

/// The promise: whoever took up the bundle at one step trusts the server of that step, of the next, and a replica that
/// still serves what it had one step before.
#[test]
fn a_client_one_step_behind_or_ahead_is_never_turned_away() {
    let scene = Scene::created();
    let mut before = (scene.bundle(), scene.server());
    let mut steps = 0;
    let mut now = start();
    while now < after(800 * DAY) {
        now = scene.next(now).0;
        let done = scene.renew(now);
        assert!(!done.is_empty(), "nothing done when due at {now}");
        let current = (scene.bundle(), scene.server());
        for version in BOTH {
            let behind = Client::trusting(&before.0, version, now);
            let ahead = Client::trusting(&current.0, version, now);
            assert!(behind.connect(&current.1, NAME).is_ok(), "old bundle, new server: {done:?} at {now}");
            assert!(ahead.connect(&current.1, NAME).is_ok(), "new bundle, new server: {done:?} at {now}");
            assert!(ahead.connect(&before.1, NAME).is_ok(), "new bundle, old server: {done:?} at {now}");
        }
        before = current;
        steps += 1;
    }
    assert!(steps > 25, "three CAs and a dozen leaves come in that time, but only {steps} steps did");
}

/// The same from the clients' side: whoever refreshes within the overlap is always served.
#[test]
fn a_client_that_refreshes_within_the_overlap_is_never_turned_away() {
    let scene = Scene::created();
    let mut bundles = vec![scene.bundle()];
    for quarter in 1..(4 * 800_u32) {
        let now = after(quarter * 6 * HOUR);
        scene.renew(now);
        bundles.push(scene.bundle());
        let day_old = &bundles[bundles.len().saturating_sub(4)];
        let client = Client::trusting(day_old, BOTH[1], now);
        assert!(client.connect(&scene.server(), NAME).is_ok(), "at {now}");
    }
}

#[test]
fn the_shortest_lifetimes_rotate_without_a_gap() {
    let mut scene = Scene::empty();
    scene.policy = policy().with_lifetimes(HOUR, HOUR, Duration::from_secs(60)).unwrap();
    scene.folder.create(start(), &scene.policy, Existing::Keep).unwrap();
    for minutes in 1..300 {
        let now = after(minutes * Duration::from_secs(60));
        let bundle = scene.bundle();
        scene.renew(now);
        assert!(Client::trusting(&bundle, BOTH[1], now).connect(&scene.server(), NAME).is_ok(), "at {now}");
    }
}

#[test]
fn a_renewal_at_any_odd_time_settles() {
    let scene = Scene::created();
    // A walk over forty years, forth and back, by steps that share no factor with any lifetime.
    for step in 0_u32..200 {
        let days = (step * 7_919) % 14_600;
        scene.renew(after(days * DAY + step * Duration::from_secs(7_001)));
    }
}

#[test]
fn a_leaf_that_ends_with_its_ca_in_two_minutes_is_made_once() {
    let scene = Scene::created();
    let late = after(365 * DAY - Duration::from_secs(120));
    let leaves = scene.renew(late).into_iter().filter(|step| matches!(step, Renewal::LeafIssued(_)));
    assert_eq!(leaves.count(), 1);
}

#[test]
fn after_years_unattended_everything_is_made_new_at_once() {
    let scene = Scene::created();
    let now = after(4_000 * DAY);
    let done = scene.renew(now);
    assert_eq!(done[..2], [Renewal::AuthorityAnnounced, Renewal::AuthorityPromoted]);
    assert_eq!(scene.bundle_size(now), 1);
    let client = Client::trusting(&scene.bundle(), BOTH[1], now);
    assert!(client.connect(&scene.server(), NAME).is_ok());
}

#[test]
fn a_clock_set_back_by_years_is_survived() {
    let scene = Scene::created();
    let now = at("2025-01-01T00:00:00Z");
    scene.renew(now);
    assert_eq!(scene.renew(now), []);
    let client = Client::trusting(&scene.bundle(), BOTH[1], now);
    assert!(client.connect(&scene.server(), NAME).is_ok());
    assert!(scene.tokens(now).accepts(scene.tokens(now).current()));
}

#[test]
fn other_names_in_the_policy_bring_a_new_leaf() {
    let scene = Scene::created();
    let other = RotationPolicy::new(ServerNames::parse(["other.example"]).unwrap());
    let done = scene.folder.renew(start(), &other).unwrap().done;
    assert_eq!(done, [Renewal::LeafIssued(LeafReason::NamesChanged)]);
    assert_eq!(scene.folder.names().unwrap(), ServerNames::parse(["other.example"]).unwrap());
}

#[test]
fn the_same_names_in_another_order_bring_none() {
    let scene = Scene::created();
    let same = RotationPolicy::new(ServerNames::parse(["127.0.0.1", NAME]).unwrap());
    assert_eq!(scene.folder.renew(start(), &same).unwrap().done, []);
}

#[test]
fn a_lost_bundle_is_repaired() {
    let scene = Scene::created();
    let before = scene.bundle();
    fs::remove_file(scene.folder.bundle()).unwrap();
    assert_eq!(scene.renew(start()), [Renewal::BundleRepaired]);
    assert_eq!(scene.bundle(), before);
}

#[test]
fn a_ca_that_never_reached_the_bundle_is_announced_anew() {
    let scene = Scene::created();
    let before = scene.bundle();
    scene.renew(after(AUTHORITY_DUE));
    // As if the renewal had been cut off between the staged pair and the bundle.
    fs::write(scene.folder.bundle(), before).unwrap();
    let late = after(AUTHORITY_DUE + 10 * DAY);
    let done = scene.renew(late);
    assert_eq!(done[0], Renewal::AuthorityAnnounced);
    assert!(!done.contains(&Renewal::AuthorityPromoted));
}

#[test]
fn a_swap_of_the_leaf_that_was_cut_off_is_finished() {
    let scene = Scene::created();
    let whole = scene.files();
    scene.renew(after(61 * DAY));
    // The key had been renamed, the certificate not yet.
    let path = |name: &str| scene.folder.path().join(name);
    fs::rename(path("tls.crt"), path("tls-next.crt")).unwrap();
    fs::write(path("tls.crt"), &whole["tls.crt"]).unwrap();
    assert_eq!(scene.renew(after(61 * DAY)), []);
    assert!(!path("tls-next.crt").exists());
    let client = Client::trusting(&scene.bundle(), BOTH[1], after(61 * DAY));
    assert!(client.connect(&scene.server(), NAME).is_ok());
}

#[test]
fn a_swap_of_the_ca_that_was_cut_off_is_finished() {
    let scene = Scene::created();
    scene.renew(after(AUTHORITY_DUE));
    let path = |name: &str| scene.folder.path().join(name);
    fs::rename(path("ca-next.key"), path("ca.key")).unwrap();
    let done = scene.renew(after(AUTHORITY_DUE + DAY));
    assert_eq!(done[0], Renewal::LeafIssued(LeafReason::AuthorityChanged));
    assert_eq!(scene.bundle_size(after(AUTHORITY_DUE + DAY)), 2);
}

#[test]
fn a_staged_key_without_a_certificate_is_cleared_away() {
    let scene = Scene::created();
    let left = scene.folder.path().join("tls-next.key");
    fs::copy(scene.folder.leaf_key(), &left).unwrap();
    assert_eq!(scene.renew(start()), []);
    assert!(!left.exists());
}

#[test]
fn with_each_leaf_comes_a_token_that_is_taken_before_it_is_registered() {
    let scene = Scene::created();
    let first = scene.tokens(start()).current().to_owned();
    let renewed = after(61 * DAY);
    assert!(scene.renew(renewed).contains(&Renewal::TokenAnnounced));
    let announced = scene.tokens(renewed);
    assert_eq!(announced.current(), first);
    assert_eq!(fs::read_to_string(scene.folder.token()).unwrap(), first);

    let promoted = after(62 * DAY);
    assert_eq!(scene.renew(promoted), [Renewal::TokenPromoted]);
    let second = scene.tokens(promoted).current().to_owned();
    assert_ne!(second, first);
    assert_eq!(fs::read_to_string(scene.folder.token()).unwrap(), second);
    assert!(announced.accepts(&second), "a replica that looked a day ago knows it");
    assert!(scene.tokens(promoted).accepts(&first));

    let retired = after(63 * DAY);
    assert_eq!(scene.renew(retired), [Renewal::TokenRetired]);
    assert!(!scene.tokens(retired).accepts(&first));
    assert!(scene.tokens(retired).accepts(&second));
}

#[test]
fn an_old_token_ends_in_time_even_if_nobody_renews() {
    let scene = Scene::created();
    let first = scene.tokens(start()).current().to_owned();
    scene.renew(after(61 * DAY));
    assert!(scene.tokens(after(62 * DAY)).accepts(&first));
    assert!(!scene.tokens(after(63 * DAY)).accepts(&first));
}

#[test]
fn the_next_step_is_told_before_it_is_taken() {
    let scene = Scene::created();
    scene.renew(after(AUTHORITY_DUE));
    let told = scene.folder.describe(after(AUTHORITY_DUE), &scene.policy).unwrap().next;
    assert_eq!((told.at, told.what), (after(AUTHORITY_DUE + DAY), Renewal::AuthorityPromoted));
}

#[test]
fn where_the_list_of_tokens_is_lost_the_registered_one_is_taken_again() {
    for lose in [|path: &Path| fs::remove_file(path).unwrap(), |path: &Path| fs::write(path, "").unwrap()] {
        let scene = Scene::created();
        let first = scene.tokens(start()).current().to_owned();
        lose(&scene.folder.tokens());
        assert!(PathTokens::load(&scene.folder, start()).is_err());
        scene.renew(after(DAY));
        assert_eq!(scene.tokens(after(DAY)).current(), first);
    }
}
