//! A guest's log lines on their way to the host's tracing: so many, so long, and told from ours by their target.

use crate::Limits;
use crate::bindings::portreeve::policy::log::Level;
use crate::digest::ModuleDigest;

/// The target of every line that a policy wrote.
const TARGET: &str = "portreeve::policy";

/// The log of one instance of a component.
pub(crate) struct Journal {
    module: ModuleDigest,
    lines_left: u32,
    line_bytes: usize,
    dropped: u64,
}

impl Journal {
    pub(crate) fn new(module: ModuleDigest, limits: &Limits) -> Self {
        Self { module, lines_left: limits.log_lines, line_bytes: limits.log_line_bytes, dropped: 0 }
    }

    pub(crate) fn write(&mut self, level: Level, message: &str) {
        let Some(left) = self.lines_left.checked_sub(1) else {
            self.dropped += 1;
            return;
        };
        self.lines_left = left;
        let (module, message) = (&self.module, beginning(message, self.line_bytes));
        // `?message` quotes it: a line feed in it can't make a second line.
        match level {
            Level::Debug => tracing::debug!(target: TARGET, %module, ?message),
            Level::Info => tracing::info!(target: TARGET, %module, ?message),
            Level::Warn => tracing::warn!(target: TARGET, %module, ?message),
            Level::Error => tracing::error!(target: TARGET, %module, ?message),
        }
    }

    /// Lines that were over the limit.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// At most `bytes` of `text`, whole characters only.
fn beginning(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_between_characters() {
        assert_eq!(beginning("aäa", 2), "a");
        assert_eq!(beginning("aäa", 3), "aä");
        assert_eq!(beginning("aäa", 9), "aäa");
    }
}
