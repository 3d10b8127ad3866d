//! Where the programs of a control plane are kept once they are built: outside the clone, by the digest of the files
//! that pin them, so that other pins mean other programs. How they are built is told in `cargo xtask assets`, which
//! reads this file too; nothing is built here.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The release of Kubernetes that is tested against unless another is asked for: the newest.
pub const NEWEST: &str = "v1.37";

/// helm, as `go install` takes it.
pub const HELM: &str = "helm.sh/helm/v4/cmd/helm@v4.3.1";

/// The store behind the API server.
pub const ETCD: Packaged = Packaged { package: "etcd-server", path: "usr/bin/etcd" };

/// What plays the alerts.
pub const PROMTOOL: Packaged = Packaged { package: "prometheus", path: "usr/bin/promtool" };

/// The folder with definitions that others publish, beside the programs.
pub const DEFINITIONS: &str = "definitions";

/// Definitions of the kinds that our charts make objects of and that an API server learns from an operator.
pub const OF_OPERATORS: [Defined; 3] = [
    Defined {
        module: "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        folder: "example/prometheus-operator-crd",
        files: &["monitoring.coreos.com_prometheusrules.yaml", "monitoring.coreos.com_servicemonitors.yaml"],
    },
    Defined {
        module: "sigs.k8s.io/secrets-store-csi-driver@v1.4.8",
        folder: "deploy",
        files: &["secrets-store.csi.x-k8s.io_secretproviderclasses.yaml"],
    },
    Defined {
        module: "github.com/cert-manager/cert-manager@v1.21.2",
        folder: "deploy/crds",
        files: &["cert-manager.io_certificates.yaml"],
    },
];

/// Definitions of the reports that a scan writes, as those who set the standards publish them, or have them installed.
pub const OF_REPORTS: [Defined; 2] = [
    Defined {
        module: "github.com/openreports/reports-api@v0.2.1",
        folder: "config/crd",
        files: &["openreports.io_reports.yaml", "openreports.io_clusterreports.yaml"],
    },
    Defined {
        module: "github.com/kyverno/kyverno@v1.19.1",
        folder: "config/crds/policyreport",
        files: &["wgpolicyk8s.io_policyreports.yaml", "wgpolicyk8s.io_clusterpolicyreports.yaml"],
    },
];

/// All definitions that are in the folder.
pub fn defined() -> impl Iterator<Item = Defined> {
    OF_OPERATORS.into_iter().chain(OF_REPORTS)
}

/// The files of a pin, in its folder.
const PINS: [&str; 3] = ["go.mod", "go.sum", "tools.go"];

/// A program in a package of Debian's, which says the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packaged {
    /// The package.
    pub package: &'static str,
    /// The program's place in it.
    pub path: &'static str,
}

/// Definitions in a module of Go's, which is where their operator keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defined {
    /// The module, with its version.
    pub module: &'static str,
    /// The folder in it.
    pub folder: &'static str,
    /// Its files that are taken, which begin with their group.
    pub files: &'static [&'static str],
}

/// The folder in the checkout that pins a release, such as `v1.37`.
#[must_use]
pub fn pin(checkout: &Path, release: &str) -> PathBuf {
    checkout.join("tests/cluster/assets").join(release)
}

/// The folder that the programs of this pin are kept in: `$XDG_CACHE_HOME` or `~/.cache`, then `portreeve/assets`, the
/// release and 16 digits of the digest of all pins, those beside Kubernetes too. None where neither variable says where
/// caches are.
///
/// # Errors
/// If the release is not pinned, or its files can't be read.
pub fn cache_folder(checkout: &Path, release: &str) -> io::Result<Option<PathBuf>> {
    let pin = pin(checkout, release);
    let mut digest = Sha256::new();
    for file in PINS {
        digest.update(std::fs::read(pin.join(file))?);
    }
    for pinned in [HELM, ETCD.package, ETCD.path, PROMTOOL.package, PROMTOOL.path] {
        digest.update(pinned);
    }
    for Defined { module, files, .. } in defined() {
        digest.update(module);
        files.iter().for_each(|file| digest.update(file));
    }
    let digest = hex::encode(digest.finalize());
    let name = format!("{release}-{}", digest.get(..16).unwrap_or(&digest));
    Ok(caches().map(|caches| caches.join("portreeve/assets").join(name)))
}

fn caches() -> Option<PathBuf> {
    let named = |variable| std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))
}
