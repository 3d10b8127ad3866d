//! The ServiceAccounts among manifests that keep their token from Pods. An account that is not among them is taken for
//! one that does not say, as every account is at first.

use std::collections::BTreeSet;

use portreeve_admission::defaults::Automount;
use serde_json::Value;

use crate::manifest::Manifest;

/// The account of Pods that name none.
const DEFAULT: &str = "default";

/// Accounts by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Accounts(BTreeSet<(String, String)>);

impl Accounts {
    /// Those among the manifests; `namespace` is that of objects that name none.
    pub(super) fn among(manifests: &[Manifest], namespace: &str) -> Self {
        let keeps = |manifest: &&Manifest| {
            (manifest.group(), manifest.kind()) == ("", "ServiceAccount")
                && manifest.value().get("automountServiceAccountToken") == Some(&Value::Bool(false))
        };
        let named =
            |manifest: &Manifest| (manifest.namespace().unwrap_or(namespace).to_owned(), manifest.name().to_owned());
        Self(manifests.iter().filter(keeps).map(named).collect())
    }

    /// What the account of a Pod in this namespace says.
    pub(super) fn automount(&self, namespace: &str, pod: &Value) -> Automount {
        let named = |field: &str| pod.get("spec")?.get(field)?.as_str().filter(|name| !name.is_empty());
        // The second is the field's old name, which the API server still fills the first from.
        let name = named("serviceAccountName").or_else(|| named("serviceAccount")).unwrap_or(DEFAULT);
        match self.0.contains(&(namespace.to_owned(), name.to_owned())) {
            true => Automount::Leave,
            false => Automount::Mount,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::read_stream;

    const FILES: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\nautomountServiceAccountToken: false\n\
        ---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: shop}\nautomountServiceAccountToken: false\n\
        ---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: operator}\nautomountServiceAccountToken: true\n";

    fn says(namespace: &str, spec: Value) -> Automount {
        Accounts::among(&read_stream("files.yaml", FILES).unwrap(), "bank").automount(namespace, &json!({"spec": spec}))
    }

    #[test]
    fn an_account_that_says_false_is_heard_in_its_namespace() {
        assert_eq!(says("bank", json!({"serviceAccountName": "web"})), Automount::Leave);
        assert_eq!(says("bank", json!({"serviceAccount": "web"})), Automount::Leave);
        assert_eq!(says("shop", json!({"serviceAccountName": "web"})), Automount::Mount);
    }

    #[test]
    fn a_pod_that_names_none_has_the_account_of_that_name() {
        assert_eq!(says("shop", json!({})), Automount::Leave);
        assert_eq!(says("bank", json!({"serviceAccountName": ""})), Automount::Mount);
    }

    #[test]
    fn an_account_that_says_true_or_is_not_there_gives_its_token() {
        assert_eq!(says("bank", json!({"serviceAccountName": "operator"})), Automount::Mount);
        assert_eq!(says("bank", json!({"serviceAccountName": "unknown"})), Automount::Mount);
    }
}
