//! What goes into the image and is no crate: the C library and the compiler's own, Rust's standard library, and the
//! certificate authorities. They are those of the machine that builds; Debian's packages tell their versions.

use std::path::{Path, PathBuf};

use super::error::ImageError;
use crate::cargo::{output, program};
use crate::error::XtaskError;

/// Where Debian and its kin keep the certificate authorities that they trust, in one file.
pub(super) const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The archives that a static program is linked with, and their licences.
const ARCHIVES: [(&str, &str); 2] =
    [("libc.a", "LGPL-2.1-or-later"), ("libgcc_eh.a", "GPL-3.0-or-later WITH GCC-exception-3.1")];

/// Something that is in the image.
#[derive(Debug)]
pub(super) struct SystemPart {
    /// The file that goes in, or is linked in. None for what cargo links by itself.
    pub(super) file: Option<PathBuf>,
    /// The package that it is of; the file's name where nobody knows.
    pub(super) name: String,
    /// The package's version.
    pub(super) version: Option<String>,
    /// A package URL.
    pub(super) url: Option<String>,
    /// An SPDX expression.
    pub(super) licence: &'static str,
}

/// A package of Debian, or of a system that is made of it.
struct Debian {
    /// The system, as `ID` of os-release(5) names it.
    system: String,
    name: String,
    version: String,
    architecture: String,
}

/// All of them.
pub(super) fn parts() -> Result<Vec<SystemPart>, ImageError> {
    let mut parts = vec![standard_library()?];
    for (archive, licence) in ARCHIVES {
        let file = output(program(&"cc".into()).arg(format!("-print-file-name={archive}")))?;
        let file = PathBuf::from(file.trim());
        let file = file.canonicalize().map_err(|error| XtaskError::Read { path: file, error })?;
        parts.push(of_file(archive, licence, owner(&file), file));
    }
    let authorities = PathBuf::from(AUTHORITIES);
    parts.push(of_file("ca-certificates", "MPL-2.0", installed("ca-certificates"), authorities));
    Ok(parts)
}

fn standard_library() -> Result<SystemPart, ImageError> {
    let printed = output(program(&std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version"))?;
    let version = printed.split(' ').nth(1).map(ToOwned::to_owned);
    let version = version.ok_or(ImageError::Unreadable { program: "rustc", printed })?;
    Ok(SystemPart {
        file: None,
        name: "std".to_owned(),
        url: Some(format!("pkg:github/rust-lang/rust@{version}")),
        version: Some(version),
        licence: "MIT OR Apache-2.0",
    })
}

fn of_file(name: &str, licence: &'static str, package: Option<Debian>, file: PathBuf) -> SystemPart {
    SystemPart {
        file: Some(file),
        name: package.as_ref().map_or(name, |package| &package.name).to_owned(),
        url: package.as_ref().map(Debian::url),
        version: package.map(|package| package.version),
        licence,
    }
}

/// The package that installed a file, where this is a machine that knows.
fn owner(file: &Path) -> Option<Debian> {
    let said = output(program(&"dpkg-query".into()).arg("--search").arg(file)).ok()?;
    installed(said.split_once(": ")?.0)
}

fn installed(package: &str) -> Option<Debian> {
    let format = "--showformat=${Package} ${Version} ${Architecture}";
    let release = std::fs::read_to_string("/etc/os-release").ok()?;
    let system = release.lines().find_map(|line| line.strip_prefix("ID="))?;
    read(system, &output(program(&"dpkg-query".into()).args(["--show", format, package])).ok()?)
}

fn read(system: &str, shown: &str) -> Option<Debian> {
    let system = system.to_owned();
    let mut words = shown.split(' ').map(ToOwned::to_owned);
    Some(Debian { system, name: words.next()?, version: words.next()?, architecture: words.next()? })
}

impl Debian {
    /// By the type `deb` of the package URL specification.
    fn url(&self) -> String {
        let Self { system, name, version, architecture } = self;
        format!("pkg:deb/{system}/{name}@{}?arch={architecture}", encoded(version))
    }
}

/// A version as a package URL writes it: with the number of a plus sign in its place.
pub(super) fn encoded(version: &str) -> String {
    version.replace('+', "%2B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_of_debian_has_a_url() {
        let url = read("debian", "libc6-dev 2.36-9+deb12u10 amd64").map(|package| package.url());
        assert_eq!(url.as_deref(), Some("pkg:deb/debian/libc6-dev@2.36-9%2Bdeb12u10?arch=amd64"));
    }

    #[test]
    fn what_no_package_owns_goes_by_its_own_name() {
        let part = of_file("libc.a", "MIT", None, PathBuf::from("/usr/lib/libc.a"));
        assert_eq!((part.name.as_str(), part.version, part.url), ("libc.a", None, None));
    }
}
