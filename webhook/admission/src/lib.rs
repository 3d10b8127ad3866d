//! Admission, pure: reviews in and out, the subject of a request, matching, edits and the patch made of them,
//! decisions and their words.
//!
//! Nothing here does I/O, waits, or knows how a policy is run: policies are run by `portreeve-engine`, facts come
//! from `portreeve-supply`, and the order of it all is in `portreeve-server`.

pub mod api;
pub mod break_glass;
pub mod case;
pub mod decision;
pub mod defaults;
pub mod document;
pub mod edit;
pub mod exception;
pub mod kinds;
pub mod matching;
pub mod message;
pub mod meta;
pub mod patch;
pub mod plan;
pub mod pointer;
pub mod policy;
pub mod recovery;
pub mod response;
pub mod review;
pub mod settle;
pub mod shape;
pub mod subject;
pub mod template;
pub mod verdict;
