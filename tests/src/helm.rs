//! helm, as its users run it, on the charts of this checkout with the values that ship.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use portreeve_server::manifest::{Manifest, read_stream};
use serde_json::Value;

use crate::control_plane::beside;
use crate::gate::Fault;
use crate::places::checkout;

/// The environments that each platform has values for.
const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

/// The digest that the server's image is given.
pub const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// helm, with a kubeconfig where a cluster is asked for.
#[derive(Debug, Clone)]
pub struct Helm {
    program: PathBuf,
    kubeconfig: Option<PathBuf>,
}

/// A chart with values: what one release is made of.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The release's name.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    chart: PathBuf,
    values: Vec<PathBuf>,
    settings: Vec<String>,
}

/// What a user reads after a command.
#[derive(Debug, thiserror::Error)]
#[error("helm {command} {release} failed: {complaint}")]
pub struct HelmFailed {
    /// Such as `install`.
    pub command: String,
    /// The release.
    pub release: String,
    /// What was printed of it, or why it did not start.
    pub complaint: String,
}

impl Installation {
    /// A platform in an environment.
    #[must_use]
    pub fn of_platform(platform: &str, environment: &str) -> Self {
        let chart = checkout().join("charts/platforms");
        let file = |name: &str| chart.join("values").join(platform).join(format!("{name}.yaml"));
        Self {
            release: platform.to_owned(),
            namespace: "default".to_owned(),
            values: vec![file("platform"), file(environment)],
            chart,
            settings: Vec::new(),
        }
    }

    /// The server with one of its values files, or with the chart's own values alone. Its image has a digest, as
    /// production's must.
    #[must_use]
    pub fn of_server(environment: Option<&str>) -> Self {
        let chart = checkout().join("charts/portreeve");
        Self {
            release: "portreeve".to_owned(),
            namespace: "portreeve".to_owned(),
            values: environment.map(|name| chart.join(format!("values-{name}.yaml"))).into_iter().collect(),
            chart,
            settings: vec![format!("image.digest={DIGEST}")],
        }
    }

    /// Every values file of every chart.
    ///
    /// # Errors
    /// If the folder of the platforms' values can't be read.
    pub fn all() -> Result<Vec<Self>, Fault> {
        let of_server = std::iter::once(None).chain(ENVIRONMENTS.map(Some)).map(Self::of_server);
        let mut all: Vec<Self> = of_server.collect();
        for platform in std::fs::read_dir(checkout().join("charts/platforms/values"))? {
            let platform = platform?.file_name().to_string_lossy().into_owned();
            all.extend(ENVIRONMENTS.map(|environment| Self::of_platform(&platform, environment)));
        }
        Ok(all)
    }

    /// With a value set beside the files, such as `gpu.enabled=false`.
    #[must_use]
    pub fn with(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }

    fn values(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        for file in &self.values {
            arguments.extend(["--values".into(), file.into()]);
        }
        for setting in &self.settings {
            arguments.extend(["--set".into(), setting.into()]);
        }
        arguments
    }
}

impl Helm {
    /// The one beside the programs of the control plane, else the one on the path; none where there is neither.
    ///
    /// # Errors
    /// If the files that say where those are can't be read.
    pub fn find() -> Result<Option<Self>, Fault> {
        let program = beside("helm")?.unwrap_or_else(|| PathBuf::from("helm"));
        let found = Command::new(&program).arg("version").output().is_ok_and(|output| output.status.success());
        Ok(found.then_some(Self { program, kubeconfig: None }))
    }

    /// The same for the cluster of this kubeconfig.
    #[must_use]
    pub fn at(self, kubeconfig: &Path) -> Self {
        Self { kubeconfig: Some(kubeconfig.to_owned()), ..self }
    }

    /// Looks for mistakes; warnings count.
    ///
    /// # Errors
    /// What is wrong.
    pub fn lint(&self, installation: &Installation) -> Result<(), HelmFailed> {
        let chart = installation.chart.clone().into();
        self.run("lint", installation, vec!["--strict".into(), chart], installation.values()).map(drop)
    }

    /// What it is made of, hooks and tests too.
    ///
    /// # Errors
    /// If it can't be rendered, or what is rendered can't be read.
    pub fn render(&self, installation: &Installation) -> Result<Vec<Value>, Fault> {
        Ok(self.manifests(installation)?.into_iter().map(Manifest::into_value).collect())
    }

    /// The same with the places where it stands.
    ///
    /// # Errors
    /// If it can't be rendered, or what is rendered can't be read.
    pub fn manifests(&self, installation: &Installation) -> Result<Vec<Manifest>, Fault> {
        Ok(read_stream(&installation.release, &self.template(installation)?)?)
    }

    /// The same as helm prints it.
    ///
    /// # Errors
    /// If it can't be rendered.
    pub fn template(&self, installation: &Installation) -> Result<String, HelmFailed> {
        self.run("template", installation, placed(installation), installation.values())
    }

    /// Installs it, its hooks left out: there is no node that would run them.
    ///
    /// # Errors
    /// What helm says.
    pub fn install(&self, installation: &Installation) -> Result<(), HelmFailed> {
        self.put("install", installation)
    }

    /// The same where some of it is there already: it becomes the release's.
    ///
    /// # Errors
    /// What helm says.
    pub fn install_over(&self, installation: &Installation) -> Result<(), HelmFailed> {
        let mut arguments = placed(installation);
        arguments.extend(["--no-hooks".into(), "--take-ownership".into()]);
        self.run("install", installation, arguments, installation.values()).map(drop)
    }

    /// Upgrades it, hooks left out again.
    ///
    /// # Errors
    /// What helm says.
    pub fn upgrade(&self, installation: &Installation) -> Result<(), HelmFailed> {
        self.put("upgrade", installation)
    }

    /// Takes it away, if it is there, and waits until it is gone; hooks left out as well.
    ///
    /// # Errors
    /// What helm says.
    pub fn uninstall(&self, installation: &Installation) -> Result<(), HelmFailed> {
        let Installation { release, namespace, .. } = installation;
        let mut arguments: Vec<OsString> = vec![release.into(), "--namespace".into(), namespace.into()];
        arguments.extend(["--wait".into(), "--ignore-not-found".into(), "--no-hooks".into()]);
        self.run("uninstall", installation, arguments, Vec::new()).map(drop)
    }

    fn put(&self, command: &str, installation: &Installation) -> Result<(), HelmFailed> {
        let mut arguments = placed(installation);
        arguments.push("--no-hooks".into());
        self.run(command, installation, arguments, installation.values()).map(drop)
    }

    fn run(
        &self,
        command: &str,
        installation: &Installation,
        arguments: Vec<OsString>,
        values: Vec<OsString>,
    ) -> Result<String, HelmFailed> {
        let failed = |complaint: String| HelmFailed {
            command: command.to_owned(),
            release: installation.release.clone(),
            complaint,
        };
        let mut helm = Command::new(&self.program);
        helm.arg(command).args(arguments).args(values);
        if let Some(kubeconfig) = &self.kubeconfig {
            helm.arg("--kubeconfig").arg(kubeconfig);
        }
        let output = helm.output().map_err(|error| failed(error.to_string()))?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            // `lint` tells on stdout what is wrong.
            Err(failed(format!("{}\n{}", said(&output.stdout), said(&output.stderr))))
        }
    }
}

/// Release, chart and namespace.
fn placed(installation: &Installation) -> Vec<OsString> {
    let Installation { release, chart, namespace, .. } = installation;
    vec![release.into(), chart.into(), "--namespace".into(), namespace.into()]
}
