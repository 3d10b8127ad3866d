//! Admission, pure: reviews, subjects, matching, edits, patches, decisions and their words.
