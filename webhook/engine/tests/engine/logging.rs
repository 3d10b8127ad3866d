//! What a policy writes to the log, and what becomes of it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::cases::{does, outcome, program, soon, verdict};

/// Where the lines of one test go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged_by(deed: &str) -> String {
    let program = program(&[does(deed)]);
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time().with_writer({
        let lines = lines.clone();
        move || lines.clone()
    });
    tracing::subscriber::with_default(subscriber.finish(), || verdict(outcome(&program, deed, soon())));
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_line_comes_with_its_level_and_its_module() {
    let logged = logged_by("warn");
    assert!(logged.contains("WARN portreeve::policy: module=sha256:"), "{logged}");
    assert!(logged.contains(r#"message="be warned""#) || logged.contains(r#""be warned""#), "{logged}");
}

#[test]
fn lines_are_cut_and_counted_and_can_not_forge_others() {
    let logged = logged_by("log");
    // Each message is line after line; each becomes one line, of no more than 1,024 bytes before it is quoted.
    assert_eq!(logged.lines().count(), 100);
    assert!(logged.lines().all(|line| line.contains(r"line😀\nline😀\n") && line.len() < 1_500), "{logged}");
}
