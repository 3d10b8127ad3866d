//! EmptyDirs for folders that a program writes to. Names are made from container and path alone, so that judging the
//! edited pod again asks for the same and changes nothing.

use portreeve_sdk::Verdict;
use portreeve_sdk::view::{Container, Volume};
use serde_json::json;

use super::READ_ONLY;
use super::writable::Writable;

/// The longest name that a volume may have: a DNS label.
const LONGEST: usize = 63;

/// The volumes of a pod, to which emptyDirs are added.
pub(super) struct Mounts<'a> {
    volumes: &'a [Volume],
}

impl<'a> Mounts<'a> {
    /// To a pod with these volumes.
    pub(super) fn new(volumes: &'a [Volume]) -> Self {
        Self { volumes }
    }

    /// Mounts an emptyDir at each folder that no volume holds yet. What is mounted stays as it is, and so does what
    /// lies within it: whether that can be written to is for whoever mounted it.
    pub(super) fn make(&self, container: &Container, writable: Vec<Writable<'_>>, verdict: &mut Verdict) {
        let mut held: Vec<&str> = container.mounts.iter().map(|mount| mount.mount_path.as_str()).collect();
        for Writable { path, size_limit } in writable {
            if held.iter().any(|mount| holds(mount, path)) {
                continue;
            }
            held.push(path);
            let name = self.name(&container.name, path);
            let volume = json!({"name": name, "emptyDir": {"sizeLimit": size_limit}});
            verdict.append_unique(READ_ONLY, "/spec/volumes", volume, &["name"]);
            let mount = json!({"name": name, "mountPath": path});
            verdict.append_unique(READ_ONLY, container.field("/volumeMounts"), mount, &["mountPath"]);
        }
    }

    /// A readable name; one with a digest where that is too long, ambiguous, or taken by something else.
    fn name(&self, container: &str, path: &str) -> String {
        let readable = readable(container, path);
        match readable.filter(|name| !self.is_taken(name)) {
            Some(name) => name,
            None => format!("writable-{:016x}", fnv1a(&[container, path].join(":"))),
        }
    }

    fn is_taken(&self, name: &str) -> bool {
        self.volumes.iter().any(|volume| volume.name == name && volume.source != "emptyDir")
    }
}

/// Whether a mount at `mount` holds `path`.
fn holds(mount: &str, path: &str) -> bool {
    let mount = mount.trim_end_matches('/');
    path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `writable-app--var-cache` for `/var/cache` in `app`; none if another pair could have the same name. The last
/// double dash divides the two, since a path with a dash of its own has no readable name.
fn readable(container: &str, path: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'/';
    let name = ["writable-", container, "--", &path.trim_matches('/').replace('/', "-")].concat();
    (path.bytes().all(plain) && name.len() <= LONGEST).then_some(name)
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
    fn a_mount_holds_itself_and_what_lies_within() {
        assert!(holds("/var", "/var"));
        assert!(holds("/var/", "/var/run"));
        assert!(!holds("/var/run", "/var"));
        assert!(!holds("/var/ru", "/var/run"));
    }

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
            let mounts = Mounts::new(&[]);
            let (first, second) = (mounts.name(&one.0, &one.1), mounts.name(&two.0, &two.1));
            let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            prop_assert!(first.len() <= LONGEST && first.bytes().all(label));
            prop_assert_eq!(first == second, one == two);
        }
    }
}
