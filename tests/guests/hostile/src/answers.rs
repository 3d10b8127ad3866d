//! Verdicts and what they hold, in few words.

use crate::portreeve::policy::types::{Change, Edit, Root, Verdict, Violation};

pub fn empty() -> Verdict {
    Verdict { violations: vec![], advisories: vec![], edits: vec![], summary: None }
}

pub fn violation(rule: &str, pointer: &str, message: &str) -> Violation {
    Violation {
        rule: rule.into(),
        container: None,
        root: Root::Template,
        pointer: pointer.into(),
        message: message.into(),
        remedy: "do otherwise".into(),
        details: None,
    }
}

pub fn edit(rule: &str, pointer: &str, change: Change) -> Edit {
    Edit { rule: rule.into(), root: Root::Template, pointer: pointer.into(), change }
}
