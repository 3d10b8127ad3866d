//! What has to hold of an image's tree. Each check is a function from what lies there to what is wrong with it; running
//! the program is another matter (`alone.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use elf::ElfBytes;
use elf::abi::{DT_NEEDED, ET_DYN, PT_INTERP};
use elf::endian::AnyEndian;

use super::bill::Bill;
use super::build::Built;
use super::closure::{self, Crate, Part};
use super::error::ImageError;
use super::packages::{Packages, checksums};
use super::tree::{self, BILL, Entry, Kind, PROGRAM};

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding(pub(super) String);

/// All that is wrong with the files of the tree and with the program, as far as can be seen without running it.
pub(super) fn files(tree: &Path) -> Result<Vec<Finding>, ImageError> {
    let mut findings: Vec<_> = tree::entries(tree)?.iter().flat_map(permissions).collect();
    findings.extend(linked(&tree::read(&tree.join(PROGRAM))?));
    Ok(findings)
}

/// Everybody may read all of it and nobody change it, and the program alone can be run: no shell, no loader, no other
/// tool.
fn permissions(entry: &Entry) -> Vec<Finding> {
    let is_program = entry.path == Path::new(PROGRAM);
    let may_run = is_program || entry.kind == Kind::Folder;
    let wanted = if may_run { 0o755 } else { 0o644 };
    let wrong = match entry.mode {
        mode if mode & 0o7000 != 0 => "changes who runs it, or who may delete it",
        mode if mode & 0o022 != 0 => "can be written by others than root",
        mode if mode & 0o111 != 0 && !may_run => "can be run, and only the program should",
        mode if mode != wanted => "can't be read or run by the image's user",
        _ => return Vec::new(),
    };
    vec![Finding(format!("/{} (mode {:o}) {wrong}", entry.path.display(), entry.mode))]
}

/// It asks for no loader and no library, and can be put at any address.
fn linked(program: &[u8]) -> Vec<Finding> {
    let Ok(elf) = ElfBytes::<AnyEndian>::minimal_parse(program) else {
        return vec![Finding(format!("/{PROGRAM} is no ELF file"))];
    };
    let interpreted = elf.segments().is_some_and(|segments| segments.iter().any(|segment| segment.p_type == PT_INTERP));
    let dynamic = elf.dynamic().ok().flatten();
    let libraries = dynamic.map_or(0, |table| table.iter().filter(|entry| entry.d_tag == DT_NEEDED).count());
    let mut findings = Vec::new();
    if interpreted {
        findings.push(Finding(format!("/{PROGRAM} asks for a loader, which is not in the image")));
    }
    if libraries > 0 {
        findings.push(Finding(format!("/{PROGRAM} needs {libraries} shared libraries, which are not in the image")));
    }
    if elf.ehdr.e_type != ET_DYN {
        findings.push(Finding(format!("/{PROGRAM} has a fixed address: build it position-independent")));
    }
    findings
}

/// The bill of materials as it lies in the tree names what cargo compiled into the program, and nothing else as that;
/// with the versions and checksums of `Cargo.lock`, and a licence for each.
pub(super) fn bill(tree: &Path, built: &Built, packages: &Packages) -> Result<Vec<Finding>, ImageError> {
    let bill: Bill = serde_json::from_slice(&tree::read(&tree.join(BILL))?)?;
    let compiled = packages.iter().filter(|(_, package)| built.compiled.contains(&package.id));
    let mut findings = complete(&bill, &compiled.map(|(named, _)| named.clone()).collect());
    findings.extend(locked(&bill, &checksums()?));
    Ok(findings)
}

/// Every crate is in `Cargo.lock` with its checksum; everything has a licence.
fn locked(bill: &Bill, locked: &BTreeMap<Crate, Option<String>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for component in bill.all() {
        let checksum = |named: &Crate| locked.get(named).map(Option::as_deref);
        let wrong = match component.as_crate() {
            _ if !component.has_licence() => "has no licence",
            Some(named) if checksum(&named).is_none() => "is not in Cargo.lock",
            // The program's own is that of its file.
            Some(named) if named.name != closure::PROGRAM && checksum(&named) != Some(component.checksum()) => {
                "has another checksum in Cargo.lock"
            }
            _ => continue,
        };
        findings.push(Finding(format!("the bill of materials: {} {wrong}", component.reference)));
    }
    findings
}

fn complete(bill: &Bill, compiled: &BTreeSet<Crate>) -> Vec<Finding> {
    let named: BTreeSet<_> =
        bill.all().filter(|part| part.is(Part::Program)).filter_map(|part| part.as_crate()).collect();
    let missing =
        compiled.difference(&named).map(|missing| format!("does not name {missing}, which is in the program"));
    let extra = named.difference(compiled).map(|extra| format!("names {extra}, which is not in the program"));
    let components: BTreeSet<_> = bill.all().map(|part| part.reference.as_str()).collect();
    let needs = bill.dependencies.iter().flat_map(|dependency| &dependency.depends_on);
    let loose = needs.filter(|need| !components.contains(need.as_str()));
    let loose = loose.map(|need| format!("has no component {need}, which something needs"));
    missing.chain(extra).chain(loose).map(|wrong| Finding(format!("the bill of materials {wrong}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::bill::tests::{named, small};
    use super::*;

    fn entry(path: &str, kind: Kind, mode: u32) -> Entry {
        Entry { path: path.into(), kind, mode }
    }

    fn file(path: &str, mode: u32) -> Entry {
        entry(path, Kind::File { size: 1 }, mode)
    }

    #[test]
    fn files_that_everybody_may_read_and_nobody_change_are_right() {
        let entries = [file(PROGRAM, 0o755), file("etc/nsswitch.conf", 0o644), entry("etc", Kind::Folder, 0o755)];
        assert_eq!(entries.iter().flat_map(permissions).collect::<Vec<_>>(), []);
    }

    #[test]
    fn refuses_every_other_mode() {
        for (entry, wrong) in [
            (file("bin/sh", 0o755), "can be run"),
            (file(PROGRAM, 0o4755), "changes who runs it"),
            (file(PROGRAM, 0o700), "can't be read or run"),
            (file("etc/ssl/key", 0o600), "can't be read"),
            (file("etc/hosts", 0o666), "can be written"),
            (entry("tmp", Kind::Folder, 0o1777), "who may delete it"),
            (entry("var", Kind::Folder, 0o775), "can be written"),
        ] {
            let findings = permissions(&entry);
            assert!(matches!(findings.as_slice(), [Finding(text)] if text.contains(wrong)), "{entry:?}: {findings:?}");
        }
    }

    #[test]
    fn this_very_test_is_linked_dynamically_and_refused() {
        let findings = linked(&std::fs::read(std::env::current_exe().unwrap()).unwrap());
        assert!(findings.iter().any(|Finding(text)| text.contains("asks for a loader")), "{findings:?}");
        assert!(findings.iter().any(|Finding(text)| text.contains("shared libraries")), "{findings:?}");
    }

    #[test]
    fn a_program_without_segments_asks_for_nothing() {
        assert_eq!(linked(&header(ET_DYN)), []);
    }

    #[test]
    fn a_program_at_a_fixed_address_is_refused() {
        assert!(
            matches!(linked(&header(elf::abi::ET_EXEC)).as_slice(), [Finding(text)] if text.contains("fixed address"))
        );
    }

    #[test]
    fn a_script_is_no_program() {
        assert!(matches!(linked(b"#!/bin/sh\n").as_slice(), [Finding(text)] if text.contains("no ELF file")));
    }

    #[test]
    fn the_bill_names_what_was_compiled_and_nothing_else() {
        let compiled = BTreeSet::from([named("portreeve"), named("portreeve-builtin")]);
        assert_eq!(complete(&small(), &compiled), []);
    }

    #[test]
    fn a_crate_that_the_bill_leaves_out_or_makes_up_is_found() {
        let compiled = BTreeSet::from([named("portreeve"), named("forgotten")]);
        let findings = complete(&small(), &compiled);
        let [Finding(missing), Finding(extra)] = findings.as_slice() else { panic!("{findings:?}") };
        assert!(missing.contains("does not name forgotten 1.0.0+a"), "{missing}");
        assert!(extra.contains("names portreeve-builtin 1.0.0+a, which is not in the program"), "{extra}");
    }

    #[test]
    fn a_crate_that_is_locked_otherwise_is_found() {
        let ours = ["portreeve", "portreeve-builtin", "portreeve-catalogue"].map(|name| (named(name), None));
        let with =
            |checksum: &str| ours.clone().into_iter().chain([(named("built"), Some(checksum.to_owned()))]).collect();
        assert_eq!(locked(&small(), &with("ab")), []);
        let findings = locked(&small(), &with("cd"));
        assert!(matches!(findings.as_slice(), [Finding(text)] if text.contains("another checksum")), "{findings:?}");
        let findings = locked(&small(), &ours.clone().into());
        assert!(matches!(findings.as_slice(), [Finding(text)] if text.contains("not in Cargo.lock")), "{findings:?}");
    }

    #[test]
    fn a_need_without_a_component_is_found() {
        let mut bill = small();
        bill.components.retain(|part| part.name != "built");
        let findings = complete(&bill, &BTreeSet::from([named("portreeve"), named("portreeve-builtin")]));
        assert!(matches!(findings.as_slice(), [Finding(text)] if text.contains("no component built@")), "{findings:?}");
    }

    /// The 64 bytes that every ELF file of 64 bits begins with, little-endian, with no tables after them.
    fn header(kind: u16) -> Vec<u8> {
        let mut header = b"\x7fELF\x02\x01\x01".to_vec();
        header.resize(64, 0);
        header[16..18].copy_from_slice(&kind.to_le_bytes());
        header[20..24].copy_from_slice(&1u32.to_le_bytes());
        header[52..54].copy_from_slice(&64u16.to_le_bytes());
        header
    }
}
