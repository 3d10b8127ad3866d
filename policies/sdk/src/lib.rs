//! What a policy written in Rust builds on: the contract of `wit/policy.wit` with Rust's types around it.
//!
//! A policy is a type that implements [`Policy`]: settings come in once, cases come in after that, a [`Verdict`] goes
//! out. [`catalogue!`] makes a component of one policy or of many.
//!
//! ```
//! use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};
//!
//! /// Every pod says which team owns it.
//! struct TeamLabel {
//!     label: String,
//! }
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     label: Option<String>,
//! }
//!
//! impl Policy for TeamLabel {
//!     type Settings = Settings;
//!
//!     fn manifest() -> Manifest {
//!         let schema = r#"{"type": "object", "properties": {"label": {"type": "string"}}}"#;
//!         Manifest { title: "Team label", can: Can::VALIDATE, schema, ..Manifest::new("team-label", "1.0.0") }
//!     }
//!
//!     fn configure(settings: Settings) -> Result<Self, SettingsError> {
//!         Ok(Self { label: settings.label.unwrap_or_else(|| "team".into()) })
//!     }
//!
//!     fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
//!         let mut verdict = Verdict::default();
//!         let Some(pod) = case.pod() else { return Ok(verdict) };
//!         if pod.label(&self.label).is_none() {
//!             verdict
//!                 .violation("team")
//!                 .at("/metadata/labels")
//!                 .says(format!("no label says which team owns the pod"))
//!                 .mend(format!("add the label {:?} to the pod template", self.label));
//!         }
//!         Ok(verdict)
//!     }
//! }
//!
//! portreeve_sdk::catalogue!(TeamLabel);
//! # fn main() {}
//! ```
//!
//! Nothing here runs a policy against a cluster: that is the host's part. For tests without WebAssembly see `native`
//! (feature `native`).

mod case;
pub mod export;
pub mod fact;
#[doc(hidden)]
pub mod generated;
pub mod glob;
#[cfg(target_arch = "wasm32")]
mod host;
pub mod image;
#[cfg(all(feature = "native", not(target_arch = "wasm32")))]
pub mod native;
pub mod pointer;
mod policy;
pub mod quantity;
mod verdict;
pub mod view;

pub use case::{Case, Controller, Request, Views};
pub use policy::{Can, FactNeed, Manifest, Policy, ResourceRule, SettingsError, Stop};
pub use verdict::{Finding, Verdict};

/// Makes a component of policies: types that implement [`Policy`], separated by commas.
///
/// The crate must be a `cdylib`. Called once in it, at its root. Besides the exports it makes a function
/// `policies()`, the list of what the component carries.
#[macro_export]
macro_rules! catalogue {
    ($($policy:ty),+ $(,)?) => {
        /// The policies that this component carries.
        #[must_use]
        pub fn policies() -> ::std::vec::Vec<$crate::export::Registration> {
            ::std::vec![$($crate::export::Registration::of::<$policy>()),+]
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::generated::Guest for Component {
                fn describe() -> ::std::vec::Vec<$crate::generated::Manifest> {
                    $crate::export::describe(&policies())
                }

                fn configure(
                    instances: ::std::vec::Vec<$crate::generated::Instance>,
                ) -> ::std::vec::Vec<::std::result::Result<(), $crate::generated::SettingsError>> {
                    $crate::export::configure(&policies(), instances)
                }

                fn evaluate(
                    ids: ::std::vec::Vec<::std::string::String>,
                ) -> ::std::vec::Vec<$crate::generated::Evaluated> {
                    $crate::export::evaluate(ids)
                }
            }

            $crate::generated::export!(Component with_types_in $crate::generated);
        };
    };
}
