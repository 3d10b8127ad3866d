//! What goes to stdout. Whoever reads it may stop reading (`portreeve check … | head`): that ends the printing, and is
//! no error.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::outcome::Failure;

/// Prints by this function.
///
/// # Errors
/// When stdout can't be written to, but for a reader that went away.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(Unwritable(error))),
        _ => Ok(()),
    }
}

/// Prints a text as it is.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_text(text: &str) -> Result<(), Failure> {
    print(|out| out.write_all(text.as_bytes()))
}

/// Prints JSON, a line break at its end.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// Tells something on stderr that is no failure of the command.
pub(crate) fn tell(text: &str) {
    // Nobody is left to tell if stderr is closed.
    let _ = writeln!(io::stderr(), "{text}");
}

#[derive(Debug, thiserror::Error)]
#[error("stdout can't be written to")]
struct Unwritable(#[source] io::Error);
