//! What stands around an object that is judged: its namespace, and other objects. Policy files tell of them, or a
//! cluster that can be asked; how it is asked is not known here.

mod kept;
mod seen;

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use portreeve_admission::case::Fact;

pub use kept::KeptNamespaces;
pub use seen::{Ask, Seen, Sight, Watched};

use crate::set::{Listed, Namespace, PolicySet};

/// Who tells what stands around an object.
#[derive(Clone, Default)]
pub enum Around {
    /// The policy files, of which the set in force was made.
    #[default]
    PolicyFiles,
    /// A cluster.
    Cluster(Arc<dyn Cluster>),
}

/// A cluster that can be asked.
pub trait Cluster: Send + Sync {
    /// What a namespace says of itself: as it was last seen, or as it is found before the deadline if it was never
    /// seen. A Namespace and its workloads are often made together.
    ///
    /// # Errors
    /// Why nothing is known of it.
    fn namespace<'a>(&'a self, name: &'a str, deadline: Instant) -> BoxFuture<'a, Result<Namespace, String>>;

    /// What is known of the objects of this kind in a namespace, as [`Objects::fact`](crate::set::Objects::fact).
    ///
    /// # Errors
    /// Why nothing is known.
    fn fact(&self, kind: Listed, namespace: &str) -> Fact;
}

impl Around {
    /// What is known of a namespace; of none, for cluster-scoped objects, nothing.
    ///
    /// # Errors
    /// Why nothing is known of it.
    pub(crate) async fn namespace(
        &self,
        set: &PolicySet,
        name: Option<&str>,
        deadline: Instant,
    ) -> Result<Namespace, String> {
        match (self, name) {
            (_, None) => Ok(Namespace::default()),
            (Self::PolicyFiles, Some(name)) => Ok(set.namespace(name)),
            (Self::Cluster(cluster), Some(name)) => {
                let told = tokio::time::timeout_at(deadline.into(), cluster.namespace(name, deadline)).await;
                told.unwrap_or_else(|_| Err("the cluster did not tell in time".to_owned()))
            }
        }
    }

    /// What is known of the objects of this kind.
    ///
    /// # Errors
    /// Why nothing is known.
    pub(crate) fn fact(&self, set: &PolicySet, kind: Listed, namespace: &str) -> Fact {
        match self {
            Self::PolicyFiles => set.objects().fact(kind, namespace),
            Self::Cluster(cluster) => cluster.fact(kind, namespace),
        }
    }
}
