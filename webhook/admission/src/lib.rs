//! Admission, pure: reviews in and out, the subject of a request, matching, edits and the patch made of them,
//! decisions and their words.
//!
//! Nothing here does I/O, waits, or knows how a policy is run: policies are run by `portreeve-engine`, facts come
//! from `portreeve-supply`, and the order of it all is in `portreeve-server`.

pub mod case;
pub mod document;
pub mod edit;
pub mod meta;
pub mod plan;
pub mod pointer;
pub mod review;
pub mod subject;
pub mod template;
pub mod verdict;
