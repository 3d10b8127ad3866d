//! What a scan found, as reports that people and dashboards read: `openreports.io/v1alpha1`, or
//! `wgpolicyk8s.io/v1alpha2` for those who have that. One report for an object with something to tell, owned by it, so
//! that it goes with it. Which objects are judged, and how, is not known here.
//!
//! A report is written only where it says something else than the one that stands; of an object with nothing to tell
//! there is none.

mod inventory;
mod made;
mod shape;
mod standard;

use jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use portreeve_admission::case::GroupVersionKind;
use portreeve_admission::kinds::Scope;

pub use inventory::{Inventory, Noted};
pub use made::Limits;
pub(crate) use made::cut;
pub use shape::{OwnerReference, Reference, Report, ReportMeta, ResultSeverity, ResultStatus, Summary, Tested, When};
pub use standard::Standard;

use crate::pages::{PageError, page};
use crate::report::Written;
use crate::{FIELD_MANAGER, MANAGED_BY};

/// Reports that are read at one time.
const PAGE: u32 = 200;

/// Writes reports, and takes away those that nobody wants any more.
#[derive(Clone)]
pub struct Reports {
    client: Client,
    standard: Standard,
    limits: Limits,
}

/// Reports that can't be read, written or taken away.
#[derive(Debug, thiserror::Error)]
pub enum ReportsError {
    /// Nobody installed them.
    #[error(
        "the API server has no {standard}: nothing is reported until they are installed; the scan goes on, and looks again \
         each time that it begins"
    )]
    NotInstalled {
        /// Which.
        standard: Standard,
    },
    /// We may not list them.
    #[error("the {standard} that there are may not be listed by us: nothing is reported until a role grants it")]
    Closed {
        /// Which.
        standard: Standard,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Those there are can't be read now.
    #[error("the {standard} that there are can't be read")]
    Unread {
        /// Which.
        standard: Standard,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// One can't be written or taken away.
    #[error("the report {name:?} of {object} can't be {done}")]
    Refused {
        /// Its name.
        name: String,
        /// What it is about.
        object: String,
        /// `written` or `removed`.
        done: &'static str,
        /// Why.
        source: Box<kube::Error>,
    },
}

impl Reports {
    /// One that writes through this client.
    #[must_use]
    pub fn new(client: Client, standard: Standard, limits: Limits) -> Self {
        Self { client, standard, limits }
    }

    /// What there may be of them.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// All reports of ours that there are, read page by page: of each as much as tells whether it says something else.
    ///
    /// # Errors
    /// If they are not installed, or can't be read.
    pub async fn inventory(&self) -> Result<Inventory, ReportsError> {
        let mut inventory = Inventory::default();
        for scope in [Scope::Namespaced, Scope::Cluster] {
            self.read(scope, &mut inventory).await?;
        }
        Ok(inventory)
    }

    /// Writes a report. Results that stand already keep the time when they were found first. Where its object's
    /// namespace is gone meanwhile, nothing changed.
    ///
    /// # Errors
    /// If the API server does not take it.
    pub async fn write(&self, mut report: Report, noted: Noted, now: Timestamp) -> Result<Written, ReportsError> {
        let api = self.api(report.scope_of_itself(), report.namespace());
        let (name, object) = (report.name().to_owned(), report.about());
        let before = match noted {
            Noted::Changed => api.get_opt(&name).await,
            Noted::New | Noted::AsBefore | Noted::TooMany => Ok(None),
        };
        let written = async {
            report.set_times(before?.and_then(shape::read).as_ref(), now);
            let sent = self.standard.object(report);
            api.patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&sent)).await
        };
        match written.await {
            Ok(_) => Ok(Written::Changed),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Written::AsBefore),
            Err(source) => Err(ReportsError::Refused { name, object, done: "written", source: Box::new(source) }),
        }
    }

    /// Takes away the reports that nothing was said for: their object is gone, has nothing to tell any more or is no
    /// longer looked at. Those of kinds that could not be listed stay. Gives how many went, and what did not.
    pub async fn sweep(&self, inventory: &Inventory, unlisted: &[GroupVersionKind]) -> (u64, Vec<ReportsError>) {
        let (mut removed, mut failed) = (0_u64, Vec::new());
        for idle in inventory.idle(unlisted) {
            let scope = if idle.namespace.is_some() { Scope::Namespaced } else { Scope::Cluster };
            let preconditions = Some(Preconditions { uid: Some(idle.uid.to_owned()), resource_version: None });
            let parameters = DeleteParams { preconditions, ..DeleteParams::default() };
            match self.api(scope, idle.namespace).delete(idle.name, &parameters).await {
                Ok(_) => removed = removed.saturating_add(1),
                Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
                Err(source) => failed.push(ReportsError::Refused {
                    name: idle.name.to_owned(),
                    object: idle.object.to_owned(),
                    done: "removed",
                    source: Box::new(source),
                }),
            }
        }
        (removed, failed)
    }

    async fn read(&self, scope: Scope, inventory: &mut Inventory) -> Result<(), ReportsError> {
        let resource = self.standard.resource(scope);
        let (label, value) = MANAGED_BY;
        let mut asked = ListParams::default().labels(&format!("{label}={value}")).limit(PAGE);
        loop {
            let page = match page(&self.client, &resource, &asked).await {
                Ok(page) => page,
                Err(PageError::Expired { instead: Some(instead) }) => {
                    asked.continue_token = Some(instead);
                    continue;
                }
                Err(error) => return Err(self.unread(error)),
            };
            page.objects.iter().filter_map(|text| serde_json::from_str(text.get()).ok()).for_each(|report| {
                inventory.know(&report);
            });
            match page.next {
                Some(next) => asked.continue_token = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn unread(&self, error: PageError) -> ReportsError {
        let standard = self.standard;
        match error {
            PageError::Unlisted(source) if is_not_found(&source) => ReportsError::NotInstalled { standard },
            PageError::Unlisted(source) => ReportsError::Closed { standard, source },
            error => ReportsError::Unread { standard, source: Box::new(error) },
        }
    }

    fn api(&self, scope: Scope, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = self.standard.resource(scope);
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

/// By its code: for a group that is not served the API server gives no reason.
fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
