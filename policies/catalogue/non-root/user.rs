//! Who a container runs as: what is written, else what its image says, else what the settings or `images.json` know.

use portreeve_sdk::fact::ImageConfig;
use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::{Container, Mount, Pod};
use portreeve_sdk::{Case, SettingsError};
use serde::Deserialize;

use crate::selector::Selector;
use crate::storage::{Contents, Storage};

/// The number of a user or a group other than root, as Kubernetes takes it: 1 to 2147483647.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(serde::Serialize))]
#[serde(try_from = "u32")]
pub(super) struct Id(u32);

impl TryFrom<u32> for Id {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if number == 0 || i32::try_from(number).is_err() {
            Err("not a number from 1 to 2147483647")
        } else {
            Ok(Self(number))
        }
    }
}

impl PartialEq<i64> for Id {
    fn eq(&self, number: &i64) -> bool {
        i64::from(self.0) == *number
    }
}

impl From<Id> for serde_json::Value {
    fn from(id: Id) -> Self {
        id.0.into()
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for Id {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "minimum": 1, "maximum": i32::MAX})
    }
}

/// Who some containers run as.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct UserRule {
    /// The containers.
    select: Selector,
    /// The user.
    uid: Id,
    /// The group; the image's own, unless given.
    #[serde(default)]
    gid: Option<Id>,
    /// The group of volumes that have one; the group, or else the number of the user, unless given.
    #[serde(default)]
    fs_group: Option<Id>,
}

/// An entry of `images.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Known {
    images: Vec<ImagePattern>,
    uid: Id,
    #[serde(default)]
    gid: Option<Id>,
    #[serde(default)]
    fs_group: Option<Id>,
    /// Ports that it listens on unless it is told otherwise.
    #[serde(default)]
    ports: Vec<i64>,
}

/// A user to run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    /// `runAsUser`.
    pub(super) uid: Id,
    /// `runAsGroup`.
    pub(super) gid: Option<Id>,
    /// `fsGroup`, if there are volumes that are given to a group.
    pub(super) fs_group: Id,
}

impl User {
    fn new(uid: Id, gid: Option<Id>, fs_group: Option<Id>) -> Self {
        Self { uid, gid, fs_group: fs_group.or(gid).unwrap_or(uid) }
    }
}

/// What a container runs as when it must not be root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Runs {
    /// Whatever it says: it is not ours to change.
    LeftAlone,
    /// As the number that is written, or that the image has.
    ByNumber,
    /// As this user, if that is set.
    As(User),
    /// As this user, who stands there already: whoever applies a manifest without one gets what was given before.
    AsBefore(User),
    /// Not at all: the kubelet refuses this user of the image, and no other is known.
    Refused(ImageUser),
    /// As the image says, which is not known here.
    Unknown,
    /// The same, beside data that outlives the pod: its files belong to somebody already, and if that is root, whoever
    /// is set instead could not open them.
    UnknownOwner,
}

impl Runs {
    /// Whether it starts, or may, when it must not be root.
    pub(super) fn starts(&self) -> bool {
        !matches!(self, Self::LeftAlone | Self::Refused(_) | Self::UnknownOwner)
    }
}

/// `USER` of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ImageUser {
    /// None, `root` or 0.
    Root,
    /// A name, which the kubelet can't check.
    Named(String),
    /// Another number.
    Number,
}

impl From<&str> for ImageUser {
    fn from(user: &str) -> Self {
        let user = user.split_once(':').map_or(user, |(user, _)| user);
        match user.parse::<u64>() {
            Ok(0) => Self::Root,
            Ok(_) => Self::Number,
            Err(_) if user.is_empty() || user == "root" => Self::Root,
            Err(_) => Self::Named(user.into()),
        }
    }
}

impl std::fmt::Display for ImageUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root => f.write_str("runs as root"),
            Self::Named(name) => write!(f, "runs as {name:?}, a name which can't be checked"),
            Self::Number => f.write_str("runs as another user"),
        }
    }
}

/// All that is known about users.
pub(super) struct Users {
    rules: Vec<UserRule>,
    known: Vec<Known>,
    default: Option<Id>,
}

impl Users {
    /// These rules, what is known of common images, and who is left.
    pub(super) fn new(rules: Vec<UserRule>, default: Option<Id>) -> Result<Self, SettingsError> {
        for (index, rule) in rules.iter().enumerate() {
            rule.select.check(|| format!("/users/{index}/select"))?;
        }
        let known = serde_json::from_str(include_str!("images.json"))
            .map_err(|error| SettingsError::new("", format!("the policy's own images.json: {error}")))?;
        Ok(Self { rules, known, default })
    }

    /// What this container runs as when it must not be root.
    pub(super) fn of(&self, case: &Case<'_>, storage: &Storage<'_>, pod: &Pod, container: &Container) -> Runs {
        let own = container.security.as_ref().and_then(|security| security.run_as_user);
        match (own, pod.security.as_ref().and_then(|security| security.run_as_user)) {
            (None, None) => self.given(case, storage, pod, container),
            (None, Some(_)) => Runs::ByNumber,
            (Some(number), _) => match self.given(case, storage, pod, container) {
                Runs::As(user) if user.uid == number => Runs::AsBefore(user),
                _ => Runs::ByNumber,
            },
        }
    }

    /// The same where nothing is written.
    fn given(&self, case: &Case<'_>, storage: &Storage<'_>, pod: &Pod, container: &Container) -> Runs {
        let image = case.fact::<ImageConfig>(&container.image).ok().map(|config| ImageUser::from(config.user.as_str()));
        if image == Some(ImageUser::Number) {
            return Runs::ByNumber;
        }
        let keeps_data = keeps_data(storage, container);
        match (self.known(pod, container), image, self.default) {
            (Some(user), _, _) => Runs::As(user),
            (None, _, Some(id)) if !keeps_data => Runs::As(User::new(id, Some(id), None)),
            (None, Some(user), _) => Runs::Refused(user),
            (None, None, _) if keeps_data => Runs::UnknownOwner,
            (None, None, _) => Runs::Unknown,
        }
    }

    fn known(&self, pod: &Pod, container: &Container) -> Option<User> {
        let ruled = self.rules.iter().find(|rule| rule.select.takes(pod, container));
        ruled
            .map(|rule| User::new(rule.uid, rule.gid, rule.fs_group))
            .or_else(|| self.known_image(container).map(|known| User::new(known.uid, known.gid, known.fs_group)))
    }

    /// The ports that its image listens on, as far as that is known without asking a registry.
    pub(super) fn known_ports(&self, container: &Container) -> &[i64] {
        self.known_image(container).map_or(&[], |known| &known.ports)
    }

    fn known_image(&self, container: &Container) -> Option<&Known> {
        self.known.iter().find(|known| ImagePattern::any(&known.images, &container.image))
    }
}

/// Whether the container can write to what outlives the pod.
fn keeps_data(storage: &Storage<'_>, container: &Container) -> bool {
    let kept = |contents| matches!(contents, Contents::Kept | Contents::Shared);
    container.mounts.iter().any(|mount| kept(storage.behind(mount)))
}

/// Where it writes to volumes that belong to root until the kubelet gives them to a group. The kubelet leaves alone
/// what others have as well.
pub(super) fn for_a_group<'a>(storage: &Storage<'_>, container: &'a Container) -> impl Iterator<Item = &'a Mount> {
    container.mounts.iter().filter(|mount| matches!(storage.behind(mount), Contents::Kept | Contents::OfPod))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_of_an_image_is_root_a_number_or_a_name() {
        for root in ["", "root", "0", "0:0", "root:root", "00"] {
            assert_eq!(ImageUser::from(root), ImageUser::Root, "{root:?}");
        }
        assert_eq!(ImageUser::from("1000:1000"), ImageUser::Number);
        assert_eq!(ImageUser::from("app:staff"), ImageUser::Named("app".into()));
    }

    #[test]
    fn every_entry_about_common_images_can_be_read() {
        assert!(Users::new(Vec::new(), None).unwrap().known.iter().all(|known| !known.images.is_empty()));
    }

    #[test]
    fn root_and_numbers_past_those_of_kubernetes_are_no_users_to_run_as() {
        assert!(Id::try_from(0).is_err());
        assert!(Id::try_from(2_147_483_648).is_err());
        assert!(Id::try_from(2_147_483_647).is_ok());
    }
}
