//! EmptyDirs for folders that a program writes to. Names are made from container and path alone, so that judging the
//! edited pod again asks for the same and changes nothing.

use std::collections::BTreeSet;

use portreeve_sdk::view::{Container, Mount};
use portreeve_sdk::{Case, Verdict};
use serde_json::json;

use super::READ_ONLY;
use super::folder::Folder;
use super::writable::{Source, Writable};
use crate::storage::{Contents, Storage};

/// The longest name that a volume may have: a DNS label.
const LONGEST: usize = 63;

/// The volumes of a pod, to which emptyDirs are added.
pub(super) struct Mounts<'a> {
    /// Names of volumes that are no emptyDirs.
    taken: BTreeSet<&'a str>,
    storage: Storage<'a>,
}

/// A folder of a container that something is mounted at.
struct Held<'a> {
    at: Folder<'a>,
    contents: Contents,
}

impl<'a> Mounts<'a> {
    /// To the pod of this case.
    pub(super) fn new(case: &'a Case<'a>) -> Self {
        let taken = case.volumes().iter().filter(|volume| volume.source != "emptyDir");
        Self { taken: taken.map(|volume| volume.name.as_str()).collect(), storage: Storage::of(case) }
    }

    /// Mounts an emptyDir at each folder that no volume holds yet.
    pub(super) fn make(&self, container: &Container, writable: &[Writable<'_>], verdict: &mut Verdict) {
        let mut held = self.held(container);
        for wanted in writable {
            let at = Folder::new(wanted.path);
            // What is mounted stays as it is, and so does what lies within it: whether that can be written to is for
            // whoever mounted it.
            if held.iter().any(|mount| mount.at.holds(&at)) {
                continue;
            }
            if wanted.source == Source::Known && held.iter().any(|mount| mount.is_a_place_to_write_in(&at)) {
                continue;
            }
            self.append(container, wanted, verdict);
            held.push(Held { at, contents: Contents::Scratch });
        }
    }

    /// The first of these folders that nothing is mounted at.
    pub(super) fn first_unheld<'p>(&self, container: &Container, folders: &[&'p str]) -> Option<&'p str> {
        let held = self.held(container);
        folders.iter().copied().find(|path| !held.iter().any(|mount| mount.at.holds(&Folder::new(path))))
    }

    /// Whether the container has a mount that was made here, so that it was here that its root became read-only.
    pub(super) fn were_made_for(&self, container: &Container) -> bool {
        let made = |name: &str, path| {
            readable(&container.name, path).as_deref() == Some(name) || digested(&container.name, path) == name
        };
        container.mounts.iter().any(|mount| made(&mount.name, &mount.mount_path))
    }

    fn append(&self, container: &Container, wanted: &Writable<'_>, verdict: &mut Verdict) {
        let Writable { path, size_limit, .. } = wanted;
        let name = self.name(&container.name, path);
        let volume = json!({"name": name, "emptyDir": {"sizeLimit": size_limit}});
        verdict.append_unique(READ_ONLY, "/spec/volumes", volume, &["name"]);
        let mount = json!({"name": name, "mountPath": path});
        verdict.append_unique(READ_ONLY, container.field("/volumeMounts"), mount, &["mountPath"]);
    }

    fn held<'c>(&self, container: &'c Container) -> Vec<Held<'c>> {
        let mount =
            |mount: &'c Mount| Held { at: Folder::new(&mount.mount_path), contents: self.storage.behind(mount) };
        let device = |path: &'c String| Held { at: Folder::new(path), contents: Contents::Kept };
        container.mounts.iter().map(mount).chain(container.device_paths.iter().map(device)).collect()
    }

    /// A readable name; one with a digest where that is too long, ambiguous, or taken by something else.
    fn name(&self, container: &str, path: &str) -> String {
        let readable = readable(container, path).filter(|name| !self.is_taken(name));
        readable.unwrap_or_else(|| digested(container, path))
    }

    fn is_taken(&self, name: &str) -> bool {
        self.taken.contains(name) || self.storage.is_claimed(name)
    }
}

impl Held<'_> {
    /// Whether it lies within the folder and is there to be written to: then its author knows where the program writes,
    /// and what is known of the image is no longer needed. Files to be read, such as the token of every Pod, say
    /// nothing about the folder around them. Neither would be hidden: runtimes mount outer folders first.
    fn is_a_place_to_write_in(&self, folder: &Folder<'_>) -> bool {
        folder.holds(&self.at) && self.contents != Contents::ToRead
    }
}

/// `writable-app--var-cache` for `/var/cache` in `app`; none if another pair could have the same name. The last
/// double dash divides the two, since a path with a dash of its own has no readable name.
fn readable(container: &str, path: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'/';
    let name = ["writable-", container, "--", &path.trim_matches('/').replace('/', "-")].concat();
    (path.bytes().all(plain) && name.len() <= LONGEST).then_some(name)
}

fn digested(container: &str, path: &str) -> String {
    format!("writable-{:016x}", fnv1a(&[container, path].join(":")))
}

/// FNV-1a, 64 bits: names need to differ, not to withstand anyone; a pod has a few dozen at most.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_readable_name_says_container_and_path() {
        assert_eq!(readable("app", "/var/cache").as_deref(), Some("writable-app--var-cache"));
        assert_eq!(readable("app", "/root/.cache"), None);
    }

    proptest! {
        #[test]
        fn names_are_dns_labels_and_differ(
            one in ("[a-z]([a-z-]{0,60}[a-z])?", "(/[a-zA-Z.-]{1,12}){1,3}"),
            two in ("[a-z]([a-z-]{0,60}[a-z])?", "(/[a-zA-Z.-]{1,12}){1,3}"),
        ) {
            let name = |(container, path): &(String, String)| {
                readable(container, path).unwrap_or_else(|| digested(container, path))
            };
            let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            prop_assert!(name(&one).len() <= LONGEST && name(&one).bytes().all(label));
            prop_assert_eq!(name(&one) == name(&two), one == two);
        }
    }
}
