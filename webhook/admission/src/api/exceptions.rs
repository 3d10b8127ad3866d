//! Which exceptions a ClusterPolicy lets count: none at all, or those of some namespaces, or those that some may write.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which exceptions to a policy count. What is left out is left to whoever may write exceptions at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExceptionRules {
    /// Whether any count.
    pub allowed: bool,
    /// Namespaces whose exceptions count, by name; a trailing `*` stands for any rest. By name and not by label, since
    /// labels of a namespace are written by more people than make namespaces. Empty: all namespaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Groups whose members may write them. Empty, and so is `users`: whoever may write exceptions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Users who may write them, as the API server names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
}

/// Why an exception to a policy does not count, or may not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The policy has none.
    #[error("spec.policy: the ClusterPolicy {policy:?} allows no exceptions (its spec.exceptions.allowed is false)")]
    AtAll {
        /// The policy.
        policy: String,
    },
    /// It has none there.
    #[error(
        "metadata.namespace: the ClusterPolicy {policy:?} allows exceptions in {} and not in {namespace:?} (its \
         spec.exceptions.namespaces)", .namespaces.join(", ")
    )]
    Here {
        /// The policy.
        policy: String,
        /// Where the exception is.
        namespace: String,
        /// Where it could be.
        namespaces: Vec<String>,
    },
    /// It has none of his.
    #[error(
        "spec.policy: exceptions to the ClusterPolicy {policy:?} may be written by {}, and {user:?} is not among them (its \
         spec.exceptions)",
        who(groups, users)
    )]
    ByYou {
        /// The policy.
        policy: String,
        /// Who wrote it.
        user: String,
        /// Whose members could.
        groups: Vec<String>,
        /// Who could.
        users: Vec<String>,
    },
}

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("exceptions.namespaces: {0:?} is no name of a namespace; a \"*\" may stand at its end alone")]
pub struct BadPattern(String);

impl Default for ExceptionRules {
    fn default() -> Self {
        Self { allowed: true, namespaces: Vec::new(), groups: Vec::new(), users: Vec::new() }
    }
}

impl ExceptionRules {
    /// Whether every namespace is named as one can be.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), BadPattern> {
        let is_one = |pattern: &String| {
            let name = pattern.strip_suffix('*').unwrap_or(pattern);
            let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
            !pattern.is_empty() && name.chars().all(fits)
        };
        match self.namespaces.iter().find(|pattern| !is_one(pattern)) {
            Some(pattern) => Err(BadPattern(pattern.clone())),
            None => Ok(()),
        }
    }

    /// Whether an exception of this namespace to the policy of this name counts.
    ///
    /// # Errors
    /// Why it does not.
    pub fn allow_in(&self, policy: &str, namespace: &str) -> Result<(), NotAllowed> {
        if !self.allowed {
            return Err(NotAllowed::AtAll { policy: policy.to_owned() });
        }
        let names = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => namespace.starts_with(prefix),
            None => pattern == namespace,
        };
        if self.namespaces.is_empty() || self.namespaces.iter().any(names) {
            return Ok(());
        }
        let namespaces = self.namespaces.clone();
        Err(NotAllowed::Here { policy: policy.to_owned(), namespace: namespace.to_owned(), namespaces })
    }

    /// Whether this user may write one.
    ///
    /// # Errors
    /// Who may.
    pub fn allow_by(&self, policy: &str, user: &str, his_groups: &[String]) -> Result<(), NotAllowed> {
        let Self { groups, users, .. } = self;
        let anybody = groups.is_empty() && users.is_empty();
        if anybody || users.iter().any(|one| one == user) || groups.iter().any(|group| his_groups.contains(group)) {
            return Ok(());
        }
        let (groups, users) = (groups.clone(), users.clone());
        Err(NotAllowed::ByYou { policy: policy.to_owned(), user: user.to_owned(), groups, users })
    }
}

fn who(groups: &[String], users: &[String]) -> String {
    let groups = groups.iter().map(|group| format!("members of {group:?}"));
    groups.chain(users.iter().map(|user| format!("{user:?}"))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rules(written: Value) -> ExceptionRules {
        serde_json::from_value(written).unwrap()
    }

    #[test]
    fn where_nothing_is_said_every_exception_counts_whoever_writes_it() {
        assert_eq!(rules(json!({})).allow_in("p", "shop"), Ok(()));
        assert_eq!(rules(json!({})).allow_by("p", "ada", &[]), Ok(()));
    }

    #[test]
    fn a_policy_may_have_no_exceptions_anywhere() {
        let refused = rules(json!({"allowed": false, "namespaces": ["shop"]})).allow_in("p", "shop").unwrap_err();
        assert!(refused.to_string().contains("allows no exceptions"), "{refused}");
    }

    #[test]
    fn namespaces_are_named_whole_or_by_how_they_begin() {
        let rules = rules(json!({"namespaces": ["shop", "team-*"]}));
        for (namespace, counts) in [("shop", true), ("team-a", true), ("shops", false), ("a-team-", false)] {
            assert_eq!(rules.allow_in("p", namespace).is_ok(), counts, "{namespace}");
        }
        let refused = rules.allow_in("p", "bank").unwrap_err().to_string();
        assert!(refused.contains("in shop, team-* and not in \"bank\""), "{refused}");
    }

    #[test]
    fn members_of_a_group_and_named_users_may_write_and_others_read_who_may() {
        let rules = rules(json!({"groups": ["owners"], "users": ["ada"]}));
        assert_eq!(rules.allow_by("p", "ada", &[]), Ok(()));
        assert_eq!(rules.allow_by("p", "bob", &["owners".into()]), Ok(()));
        let refused = rules.allow_by("p", "bob", &["devs".into()]).unwrap_err().to_string();
        assert!(refused.contains("members of \"owners\", \"ada\", and \"bob\" is not among them"), "{refused}");
    }

    #[test]
    fn a_star_stands_at_the_end_alone() {
        for pattern in ["a*b", "", "Shop", "a/b"] {
            assert!(rules(json!({"namespaces": [pattern]})).check().is_err(), "{pattern}");
        }
        assert_eq!(rules(json!({"namespaces": ["shop", "team-*", "*"]})).check(), Ok(()));
    }
}
