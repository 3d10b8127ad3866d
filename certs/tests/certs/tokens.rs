//! Tokens where the certificate is somebody else's: made, renewed by themselves, and by nothing else in the folder.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use portreeve_certs::{Asked, CertificateFolder, Existing, PathTokens, Renewal, Rotation, RotationPolicy};

use crate::rotation::after;
use crate::wire::{DAY, HOUR, policy, start};

/// When a token that was registered at the start is renewed.
const DUE: Duration = Duration::from_secs(60 * 86_400);

struct Scene {
    scratch: tempfile::TempDir,
    policy: RotationPolicy,
}

impl Scene {
    fn created() -> Self {
        let scene = Self { scratch: tempfile::tempdir().unwrap(), policy: RotationPolicy::of_tokens() };
        let made = scene.ensure(start());
        assert_eq!(made.done, [Renewal::TokenAnnounced, Renewal::TokenPromoted]);
        assert_eq!((made.next.at, made.next.what), (after(DUE), Renewal::TokenAnnounced));
        scene
    }

    fn folder(&self) -> CertificateFolder {
        CertificateFolder::new(self.scratch.path().join("tokens"))
    }

    fn ensure(&self, now: Timestamp) -> Rotation {
        self.folder().ensure(now, &self.policy).unwrap()
    }

    fn renew(&self, now: Timestamp) -> Vec<Renewal> {
        self.ensure(now).done
    }

    fn tokens(&self, now: Timestamp) -> PathTokens {
        PathTokens::load(&self.folder(), now).unwrap()
    }

    fn registered(&self) -> String {
        fs::read_to_string(self.folder().token()).unwrap()
    }
}

#[test]
fn nothing_but_tokens_is_made() {
    let scene = Scene::created();
    let contents = scene.folder().contents().unwrap();
    assert_eq!(contents.files().map(|(name, _)| name).collect::<Vec<_>>(), ["token", "tokens"]);
}

#[test]
fn a_token_is_renewed_at_two_thirds_of_a_leafs_life_with_the_overlap_that_keeps_everybody_served() {
    let scene = Scene::created();
    let first = scene.registered();
    assert_eq!(scene.renew(after(DUE - Duration::from_secs(1))), []);
    assert_eq!(scene.renew(after(DUE)), [Renewal::TokenAnnounced]);
    let announced = scene.tokens(after(DUE));
    assert_eq!(scene.registered(), first);

    assert_eq!(scene.renew(after(DUE + DAY - Duration::from_secs(1))), []);
    assert_eq!(scene.renew(after(DUE + DAY)), [Renewal::TokenPromoted]);
    let second = scene.registered();
    assert!(second != first && announced.accepts(&second) && scene.tokens(after(DUE + DAY)).accepts(&first));

    assert_eq!(scene.renew(after(DUE + 2 * DAY)), [Renewal::TokenRetired]);
    assert!(!scene.tokens(after(DUE + 2 * DAY)).accepts(&first));
    assert_eq!(scene.ensure(after(DUE + 2 * DAY)).next.at, after(2 * DUE + DAY));
}

#[test]
fn a_token_is_renewed_once_when_somebody_asks_for_a_certificate_or_a_ca() {
    for asked in [
        Asked { leaf: Some(after(HOUR)), ..Asked::default() },
        Asked { authority: Some(after(HOUR)), ..Asked::default() },
    ] {
        let mut scene = Scene::created();
        scene.policy = RotationPolicy::of_tokens().asked(asked);
        assert_eq!(scene.renew(after(HOUR - Duration::from_secs(1))), []);
        assert_eq!(scene.renew(after(HOUR)), [Renewal::TokenAnnounced]);
        assert_eq!(scene.renew(after(2 * HOUR)), []);
        assert_eq!(scene.renew(after(HOUR + 2 * DAY)), [Renewal::TokenPromoted, Renewal::TokenRetired]);
        assert_eq!(scene.renew(after(HOUR + 3 * DAY)), []);
    }
}

#[test]
fn who_looked_up_to_an_overlap_ago_is_served_for_years() {
    let scene = Scene::created();
    let mut looks = vec![(scene.registered(), scene.tokens(start()))];
    for quarter in 1..(4 * 400_u32) {
        let now = after(quarter * 6 * HOUR);
        scene.renew(now);
        looks.push((scene.registered(), scene.tokens(now)));
        let (registered, known) = &looks[looks.len().saturating_sub(4)];
        assert!(scene.tokens(now).accepts(registered), "an old registration at {now}");
        assert!(known.accepts(&scene.registered()), "a replica that looked a day ago at {now}");
    }
}

#[test]
fn a_renewal_at_any_odd_time_settles() {
    let scene = Scene::created();
    // A walk over forty years, forth and back, by steps that share no factor with any lifetime.
    for step in 0_u32..200 {
        let now = after(((step * 7_919) % 14_600) * DAY + step * Duration::from_secs(7_001));
        scene.renew(now);
        assert_eq!(scene.renew(now), []);
        assert!(scene.tokens(now).accepts(&scene.registered()));
    }
}

#[test]
fn the_tokens_of_a_folder_with_certificates_go_on_without_those() {
    let scene = Scene { scratch: tempfile::tempdir().unwrap(), policy: RotationPolicy::of_tokens() };
    scene.folder().create(start(), &policy(), Existing::Keep).unwrap();
    let (first, certificate) = (scene.registered(), fs::read(scene.folder().leaf_certificate()).unwrap());
    assert_eq!(scene.renew(after(DAY)), []);
    assert_eq!(scene.renew(after(DUE)), [Renewal::TokenAnnounced]);
    assert!(scene.registered() == first && fs::read(scene.folder().leaf_certificate()).unwrap() == certificate);
}
