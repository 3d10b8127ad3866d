//! Damage and meddling: whatever is changed in a closed book, verification says so and where.

use std::fs;
use std::path::{Path, PathBuf};

use portreeve_ledger::{Fault, VerifyError, verify};

use crate::{book_of, epoch, segments};

fn faults(folder: &Path) -> Vec<Fault> {
    match verify(folder) {
        Err(VerifyError::NotWhole { faults, .. }) => faults,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("nobody saw it"),
    }
}

/// Changes each byte of a file in turn and gives what verification says.
fn flip_each_byte(
    folder: &Path,
    file: &Path,
    mut look: impl FnMut(usize, Result<portreeve_ledger::Report, VerifyError>),
) {
    let pristine = fs::read(file).unwrap();
    for at in 0..pristine.len() {
        let mut changed = pristine.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(file, &changed).unwrap();
        look(at, verify(folder));
    }
    fs::write(file, pristine).unwrap();
    verify(folder).unwrap();
}

#[test]
fn a_change_of_any_byte_of_a_segment_is_found_in_its_line() {
    let folder = book_of(&["one", "two", "three", "four", "five"]);
    let segments = segments(folder.path(), "leaves");
    assert_eq!(segments.len(), 3);
    for segment in segments {
        let text = fs::read_to_string(&segment).unwrap();
        flip_each_byte(folder.path(), &segment, |at, outcome| {
            let Err(VerifyError::NotWhole { faults, .. }) = outcome else {
                panic!("byte {at} was changed, nobody saw")
            };
            let place = faults[0].place().unwrap_or_else(|| panic!("no place for byte {at}: {}", faults[0]));
            let line = text[..at].matches('\n').count();
            let offset = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let found = (&place.file, place.line, place.offset);
            assert_eq!(found, (&segment, u64::try_from(line).unwrap() + 1, u64::try_from(offset).unwrap()));
        });
    }
}

#[test]
fn records_that_are_gone_are_told_to_whoever_reads_the_others() {
    for gone in [0, 1, 2] {
        let folder = book_of(&["one", "two", "three", "four", "five"]);
        fs::remove_file(&segments(folder.path(), "leaves")[gone]).unwrap();
        let read: Vec<_> = portreeve_ledger::read(folder.path()).unwrap().collect();
        let missing: Vec<String> = read.iter().filter_map(|record| Some(record.as_ref().err()?.to_string())).collect();
        let told =
            ["records 0 to 1 are not there", "records 2 to 3 are not there", "records 4 to 4 are not there"][gone];
        assert!(missing.len() == 1 && missing[0].contains(told), "{missing:?}");
        assert_eq!(read.iter().flatten().count(), [3, 3, 4][gone]);
    }
}

#[test]
fn a_change_of_any_byte_of_what_is_signed_is_found() {
    let folder = book_of(&["one", "two", "three"]);
    let mut files = segments(folder.path(), "seal");
    files.push(epoch(folder.path(), "0000000001").join("checkpoint"));
    files.push(folder.path().join("verifier-keys"));
    for file in files {
        flip_each_byte(folder.path(), &file, |at, outcome| {
            let error = outcome.err().unwrap_or_else(|| panic!("byte {at} of {} was changed", file.display()));
            let text = format!("{error}: {:?}", std::error::Error::source(&error));
            assert!(text.contains(file.file_name().unwrap().to_str().unwrap()), "byte {at}: {text}");
        });
    }
}

#[test]
fn a_record_that_was_replaced_with_its_check_is_found_by_the_root() {
    let folder = book_of(&["one", "two", "three"]);
    let segment = &segments(folder.path(), "leaves")[0];
    let forged: String =
        fs::read_to_string(segment).unwrap().lines().map(|line| checked(&line[9..].replace("one", "eno"))).collect();
    fs::write(segment, forged).unwrap();
    let faults = faults(folder.path());
    let Fault::RootDiffers { file, from: 0, size: 2, .. } = &faults[0] else { panic!("{}", faults[0]) };
    assert_eq!(*file, segments(folder.path(), "seal")[0]);
}

#[test]
fn a_record_after_the_checkpoint_has_to_be_the_next_one() {
    let folder = book_of(&["one"]);
    let segment = &segments(folder.path(), "leaves")[0];
    let line = fs::read_to_string(segment).unwrap();
    fs::write(segment, line.repeat(2)).unwrap();
    let faults = faults(folder.path());
    assert!(matches!(&faults[0], Fault::Leaf { place, .. } if place.line == 2 && place.sequence == 1), "{}", faults[0]);
    assert!(faults[0].to_string().ends_with(r#"its "sequence" is "0", expected 1"#), "{}", faults[0]);
}

#[test]
fn a_segment_that_was_taken_away_is_found() {
    for (index, expected) in [(0, 0), (1, 2)] {
        let folder = book_of(&["one", "two", "three", "four", "five"]);
        fs::remove_file(&segments(folder.path(), "leaves")[index]).unwrap();
        let faults = faults(folder.path());
        assert!(matches!(faults[0], Fault::SegmentMissing { expected: e, .. } if e == expected), "{}", faults[0]);
    }
}

#[test]
fn records_taken_from_the_end_are_found() {
    let folder = book_of(&["one", "two", "three"]);
    fs::remove_file(segments(folder.path(), "leaves").pop().unwrap()).unwrap();
    let faults = faults(folder.path());
    assert!(matches!(faults[0], Fault::CheckpointAhead { covered: 3, held: 2, .. }), "{}", faults[0]);
}

#[test]
fn a_seal_that_was_taken_away_or_put_elsewhere_is_found() {
    let folder = book_of(&["one", "two", "three", "four", "five"]);
    let seals = segments(folder.path(), "seal");
    let first = fs::read(&seals[0]).unwrap();
    fs::write(&seals[1], &first).unwrap();
    assert!(matches!(&faults(folder.path())[0], Fault::Seal { file, .. } if *file == seals[1]));
    fs::remove_file(&seals[1]).unwrap();
    assert!(matches!(&faults(folder.path())[0], Fault::SealMissing { file } if *file == seals[1]));
}

#[test]
fn an_old_checkpoint_that_was_put_back_is_found_where_a_seal_knows_better() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint: PathBuf = epoch(folder.path(), "0000000001").join("checkpoint");
    let ledger =
        portreeve_ledger::Ledger::open(folder.path(), crate::options().segment_bytes(1).group_bytes(1)).unwrap();
    let old = fs::read(&checkpoint).unwrap();
    ["one", "two", "three"].iter().for_each(|text| drop(crate::append(&ledger, text)));
    ledger.close().unwrap();
    fs::write(&checkpoint, old).unwrap();
    assert!(matches!(faults(folder.path())[0], Fault::CheckpointBehind { covered: 0, sealed: 1, .. }));
}

#[test]
fn a_checkpoint_that_was_taken_away_is_found() {
    let folder = book_of(&["one"]);
    let checkpoint = epoch(folder.path(), "0000000001").join("checkpoint");
    fs::remove_file(&checkpoint).unwrap();
    assert!(matches!(&faults(folder.path())[0], Fault::File(error) if error.path() == checkpoint));
}

#[test]
fn what_is_good_in_a_damaged_book_can_still_be_read() {
    let folder = book_of(&["one", "two", "three"]);
    let segment = &segments(folder.path(), "leaves")[0];
    let text = fs::read_to_string(segment).unwrap();
    fs::write(segment, text.replacen("one", "eno", 1)).unwrap();
    let (good, bad): (Vec<_>, Vec<_>) = portreeve_ledger::read(folder.path()).unwrap().partition(Result::is_ok);
    let sequences: Vec<_> = good.into_iter().map(|record| record.unwrap().id.sequence).collect();
    assert_eq!((sequences, bad.len()), (vec![1, 2], 1));
}

/// A line around a leaf, with the right check.
fn checked(leaf: &str) -> String {
    format!("{:08x} {leaf}\n", crc32fast::hash(leaf.as_bytes()))
}
