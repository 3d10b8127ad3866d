//! A registration as the API server's own objects, with where we are to be reached. What the API server is told by them
//! is worked out before; here nothing is left to choose.

use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference,
    ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use portreeve_admission::api::FailurePolicy;
use portreeve_admission::break_glass::{REASON, UNTIL};
use portreeve_certs::FolderContents;

use super::{Call, Condition, Entry, Registration, Whose};
use crate::crd::{GROUP, Kind, VERSION};
use crate::metadata_of_ours;

/// Where the API server reaches us, and by what it knows us and we it.
#[derive(Clone, PartialEq, Eq)]
pub struct Site {
    /// What both configurations are called: the release's name.
    pub name: String,
    /// Where we listen.
    pub endpoint: Endpoint,
    /// The certificates that ours may be signed by, as PEM.
    pub ca_bundle: Vec<u8>,
    /// The token in the path; none where client certificates tell who may call.
    pub token: Option<String>,
}

/// Where we listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Behind a Service.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: i32,
    },
    /// At an address that the API server reaches by itself, as in `https://127.0.0.1:8443`.
    Url(String),
}

/// Both objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Configurations {
    /// With the entries for defaults.
    pub mutating: MutatingWebhookConfiguration,
    /// With the entries for decisions.
    pub validating: ValidatingWebhookConfiguration,
}

impl fmt::Debug for Site {
    /// Without the token: whoever knows it may call.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_some() { "a token" } else { "no token" };
        write!(f, "Site({} at {:?}, {token})", self.name, self.endpoint)
    }
}

impl Configurations {
    /// What is registered under a name, where something is.
    pub(crate) fn found(
        mutating: Option<MutatingWebhookConfiguration>,
        validating: Option<ValidatingWebhookConfiguration>,
    ) -> Option<Self> {
        let found = mutating.is_some() || validating.is_some();
        let of_mutating = |found: MutatingWebhookConfiguration| found.webhooks;
        let of_validating = |found: ValidatingWebhookConfiguration| found.webhooks;
        found.then(|| Self {
            mutating: MutatingWebhookConfiguration {
                webhooks: mutating.and_then(of_mutating),
                ..MutatingWebhookConfiguration::default()
            },
            validating: ValidatingWebhookConfiguration {
                webhooks: validating.and_then(of_validating),
                ..ValidatingWebhookConfiguration::default()
            },
        })
    }

    /// What policies asked for stays as it is, and is reached at this site.
    #[must_use]
    pub fn at(&self, site: &Site) -> Self {
        let is_of = |call: Call, name: &str| Whose::ALL.iter().any(|whose| call.entry(*whose) == name);
        let mutating = self.mutating.webhooks.iter().flatten().filter(|entry| is_of(Call::Mutate, &entry.name));
        let validating = self.validating.webhooks.iter().flatten().filter(|entry| is_of(Call::Validate, &entry.name));
        let mutating = mutating
            .map(|entry| MutatingWebhook { client_config: site.client(Call::Mutate.name()), ..entry.clone() })
            .collect();
        let validating = validating
            .map(|entry| ValidatingWebhook { client_config: site.client(Call::Validate.name()), ..entry.clone() })
            .collect();
        site.configurations(mutating, validating)
    }
}

impl Registration {
    /// The objects that say so to an API server.
    #[must_use]
    pub fn at(&self, site: &Site) -> Configurations {
        let mutating = self.of_call(Call::Mutate).map(|entry| entry.mutating(site));
        let validating = self.of_call(Call::Validate).map(|entry| entry.validating(site));
        site.configurations(mutating.collect(), validating.collect())
    }
}

impl Site {
    /// With the certificates and the token that replicas serve with; none before there are any.
    #[must_use]
    pub fn serving(name: &str, endpoint: Endpoint, contents: &FolderContents) -> Option<Self> {
        let ca_bundle = contents.bundle()?.to_vec();
        let token = Some(contents.token()?.to_owned());
        Some(Self { name: name.to_owned(), endpoint, ca_bundle, token })
    }

    /// Both objects with these entries, and those that no policy asks for.
    fn configurations(&self, mutating: Vec<MutatingWebhook>, mut validating: Vec<ValidatingWebhook>) -> Configurations {
        validating.extend([resources(self), exceptions(self), break_glass(self)]);
        Configurations {
            mutating: MutatingWebhookConfiguration { metadata: metadata_of_ours(&self.name), webhooks: Some(mutating) },
            validating: ValidatingWebhookConfiguration {
                metadata: metadata_of_ours(&self.name),
                webhooks: Some(validating),
            },
        }
    }

    fn client(&self, call: &str) -> WebhookClientConfig {
        let token = self.token.as_ref().map(|token| format!("/{token}")).unwrap_or_default();
        let path = format!("/{call}{token}");
        let ca_bundle = Some(ByteString(self.ca_bundle.clone()));
        match &self.endpoint {
            Endpoint::Url(origin) => {
                WebhookClientConfig { url: Some(format!("{origin}{path}")), ca_bundle, service: None }
            }
            Endpoint::Service { namespace, name, port } => {
                let (namespace, name) = (namespace.clone(), name.clone());
                let service = ServiceReference { namespace, name, path: Some(path), port: Some(*port) };
                WebhookClientConfig { service: Some(service), ca_bundle, url: None }
            }
        }
    }
}

/// Version of the reviews that we read.
const REVIEWS: &str = "v1";
/// Where changes of our own resources are looked at.
const RESOURCES: &str = "resources";
/// A dry run leaves no record, a real request one.
const SIDE_EFFECTS: &str = "NoneOnDryRun";
/// A kind is asked for in one version, whatever version it is sent in.
const MATCH_POLICY: &str = "Equivalent";
/// Others who edit after us are seen too: our defaults settle on what they leave.
const REINVOCATION: &str = "IfNeeded";

/// Asks us of changes of all that makes a set but exceptions, so that a mistake is told to whoever makes it. It never
/// stands in the way: without us they are stored, and their status says later what is wrong.
fn resources(site: &Site) -> ValidatingWebhook {
    ValidatingWebhook {
        admission_review_versions: vec![REVIEWS.to_owned()],
        client_config: site.client(RESOURCES),
        failure_policy: Some("Ignore".to_owned()),
        match_policy: Some(MATCH_POLICY.to_owned()),
        name: format!("{RESOURCES}.portreeve.dev"),
        rules: Some(vec![changes(&[Kind::ClusterPolicy, Kind::PolicySet, Kind::Policy])]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(10),
        ..ValidatingWebhook::default()
    }
}

/// Changes of our own resources of these kinds.
fn changes(kinds: &[Kind]) -> RuleWithOperations {
    RuleWithOperations {
        api_groups: Some(vec![GROUP.to_owned()]),
        api_versions: Some(vec![VERSION.to_owned()]),
        operations: Some(["CREATE", "UPDATE"].map(str::to_owned).into()),
        resources: Some(kinds.iter().map(|kind| kind.plural().to_owned()).collect()),
        scope: None,
    }
}

/// Asks us of exceptions, and refuses them where we don't answer: who may write them, only we know, and nobody asks
/// again. Nothing heals by one while we are away, for it is we who let pass what it covers. Whoever labels one, deletes
/// it or takes a finalizer off waits for nobody.
fn exceptions(site: &Site) -> ValidatingWebhook {
    let says_otherwise = MatchCondition {
        name: "says-otherwise".to_owned(),
        expression: "oldObject == null || object.?spec != oldObject.?spec".to_owned(),
    };
    ValidatingWebhook {
        failure_policy: Some("Fail".to_owned()),
        match_conditions: Some(vec![says_otherwise]),
        name: "exceptions.portreeve.dev".to_owned(),
        rules: Some(vec![changes(&[Kind::PolicyException])]),
        ..resources(site)
    }
}

/// Asks us of the switch that drops denials and of its reason, which every record of that time has, and refuses both
/// where we don't answer: who may set them, only we know.
fn break_glass(site: &Site) -> ValidatingWebhook {
    let annotation = |object: &str, key: &str| {
        format!(
            "(has({object}.metadata.annotations) && '{key}' in {object}.metadata.annotations ? \
                 {object}.metadata.annotations['{key}'] : '')"
        )
    };
    let differs = |key: &str| format!("{} != {}", annotation("object", key), annotation("oldObject", key));
    let is_set = MatchCondition {
        name: "is-set".to_owned(),
        expression: format!(
            "{until} != '' && (oldObject == null || {other_end} || {other_reason})",
            until = annotation("object", UNTIL),
            other_end = differs(UNTIL),
            other_reason = differs(REASON),
        ),
    };
    ValidatingWebhook {
        failure_policy: Some("Fail".to_owned()),
        match_conditions: Some(vec![is_set]),
        name: "break-glass.portreeve.dev".to_owned(),
        rules: Some(vec![changes(&[Kind::PolicySet])]),
        ..resources(site)
    }
}

impl Entry {
    /// Its name, which stands before our words in what a user is told.
    #[must_use]
    pub fn name(&self) -> String {
        self.call.entry(self.whose)
    }

    /// The other entry's words, and what defaults alone need.
    fn mutating(&self, site: &Site) -> MutatingWebhook {
        let ValidatingWebhook {
            admission_review_versions,
            client_config,
            failure_policy,
            match_conditions,
            match_policy,
            name,
            namespace_selector,
            object_selector,
            rules,
            side_effects,
            timeout_seconds,
        } = self.validating(site);
        MutatingWebhook {
            admission_review_versions,
            client_config,
            failure_policy,
            match_conditions,
            match_policy,
            name,
            namespace_selector,
            object_selector,
            reinvocation_policy: Some(REINVOCATION.to_owned()),
            rules,
            side_effects,
            timeout_seconds,
        }
    }

    fn validating(&self, site: &Site) -> ValidatingWebhook {
        ValidatingWebhook {
            admission_review_versions: vec![REVIEWS.to_owned()],
            client_config: site.client(self.call.name()),
            failure_policy: Some(self.failure_policy().to_owned()),
            match_conditions: Some(self.match_conditions()),
            match_policy: Some(MATCH_POLICY.to_owned()),
            name: self.name(),
            namespace_selector: Some(self.namespaces.clone()),
            object_selector: Some(self.objects.clone()),
            rules: Some(self.rules.clone()),
            side_effects: SIDE_EFFECTS.to_owned(),
            timeout_seconds: Some(self.timeout_seconds),
        }
    }

    fn match_conditions(&self) -> Vec<MatchCondition> {
        self.conditions.iter().map(Condition::written).collect()
    }

    fn failure_policy(&self) -> &'static str {
        match self.failure_policy {
            FailurePolicy::Fail => "Fail",
            FailurePolicy::Ignore => "Ignore",
        }
    }
}
