//! What stands beside a policy's code: its page, and its cases, which say of a request how it has to end. They are read
//! here, and a case is played from the request to its end against any judge: a policy run natively, or its component.
//!
//! A case tries one policy by itself. What a cluster asks besides (modes, exceptions, other policies, what may be
//! edited on an update) is not asked here, and no policy is run here.

mod difference;
mod file;
mod page;
mod play;
mod question;
mod read;

pub use difference::{Difference, Remark, Weight};
pub use file::{Expected, FactName, Named, Operation, Standing, WrittenCase, WrittenFact};
pub use page::{Page, Risk};
pub use play::{Played, edited, play};
pub use question::questions;
pub use read::{CaseFile, CaseFileShape, ReadError, ReadErrors, read_paths, read_text};
