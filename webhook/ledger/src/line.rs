//! The lines of a segment: an 8-digit check (CRC-32, IEEE), a space, a leaf, a newline. A leaf holds no newline, so
//! what stands after the last newline of a file is a line that was never finished. What a leaf says is not known here.

use std::io::{self, BufRead, Read as _};

use crate::leaf::LARGEST_LEAF;

/// The bytes of a line that are not the leaf: check, space, newline.
pub(crate) const FRAMING: usize = 10;

/// Puts a leaf into its line, at the end of `out`.
pub(crate) fn frame(leaf: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(check_of(leaf.as_bytes()).as_bytes());
    out.push(b' ');
    out.extend_from_slice(leaf.as_bytes());
    out.push(b'\n');
}

/// A line that does not hold what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineFault {
    /// It is not a check and a text.
    Form,
    /// The text is not the one that the check was made of.
    Check { expected: String, found: String },
}

/// Takes the leaf out of a line (without its newline).
pub(crate) fn unframe(line: &[u8]) -> Result<&str, LineFault> {
    let (check, rest) = line.split_first_chunk::<8>().ok_or(LineFault::Form)?;
    let check = std::str::from_utf8(check).map_err(|_| LineFault::Form)?;
    let leaf = rest.strip_prefix(b" ").ok_or(LineFault::Form)?;
    let expected = check_of(leaf);
    if expected != check {
        return Err(LineFault::Check { expected, found: check.escape_default().to_string() });
    }
    std::str::from_utf8(leaf).map_err(|_| LineFault::Form)
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// With a newline, as it should.
    Newline,
    /// With the file: it was cut off while it was written, or the file was cut later.
    EndOfFile,
    /// It is longer than any line can be, and no newline came.
    TooLong,
}

/// A line, without its newline, and where it stands.
#[derive(Debug)]
pub(crate) struct Line<'r> {
    /// Counted from 1.
    pub(crate) number: u64,
    /// Bytes before it in the file.
    pub(crate) offset: u64,
    pub(crate) bytes: &'r [u8],
    pub(crate) end: LineEnd,
}

/// Reads the lines of a segment one after another, never more than one line at a time.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    number: u64,
    offset: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn of(source: R) -> Self {
        Self { source, buffer: Vec::new(), number: 0, offset: 0 }
    }

    /// The bytes that were read so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line; none at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let longest = u64::try_from(LARGEST_LEAF + FRAMING).unwrap_or(u64::MAX);
        self.buffer.clear();
        let read = self.source.by_ref().take(longest).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        let offset = self.offset;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        self.offset += read;
        self.number += 1;
        let (bytes, end) = match self.buffer.strip_suffix(b"\n") {
            Some(bytes) => (bytes, LineEnd::Newline),
            None if read == longest => (self.buffer.as_slice(), LineEnd::TooLong),
            None => (self.buffer.as_slice(), LineEnd::EndOfFile),
        };
        Ok(Some(Line { number: self.number, offset, bytes, end }))
    }
}

fn check_of(leaf: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(leaf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_the_crc_32_that_everybody_has() {
        let mut line = Vec::new();
        frame("123456789", &mut line);
        // The check value of CRC-32/ISO-HDLC, which zlib, gzip and PNG use.
        assert_eq!(line, b"cbf43926 123456789\n");
        assert_eq!(unframe(b"cbf43926 123456789"), Ok("123456789"));
    }

    #[test]
    fn no_byte_of_a_line_can_be_changed() {
        let mut line = Vec::new();
        frame(r#"{"a":1}"#, &mut line);
        line.pop();
        for at in 0..line.len() {
            for flip in 1..=255 {
                let mut changed = line.clone();
                changed[at] ^= flip;
                assert!(unframe(&changed).is_err(), "byte {at} was changed by {flip} and nobody saw");
            }
        }
    }

    #[test]
    fn lines_know_where_they_stand_and_how_they_end() {
        let mut lines = Lines::of(&b"one\ntwo\nthr"[..]);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            seen.push((line.number, line.offset, line.bytes.to_vec(), line.end));
        }
        let expected = [
            (1, 0, b"one".to_vec(), LineEnd::Newline),
            (2, 4, b"two".to_vec(), LineEnd::Newline),
            (3, 8, b"thr".to_vec(), LineEnd::EndOfFile),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_line_without_an_end_is_not_read_into_memory() {
        let endless = io::BufReader::new(io::repeat(b'x'));
        let mut lines = Lines::of(endless);
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.end, line.bytes.len()), (LineEnd::TooLong, LARGEST_LEAF + FRAMING));
    }
}
