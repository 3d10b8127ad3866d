//! Which tests can't run here, because a program that they start can't be had: told at the end of `cargo xtask test`,
//! where it is read. The programs that can be had are put into their folder before.

use crate::assets::{self, Lacking};
use crate::error::XtaskError;

/// Tests that need programs.
struct Group {
    name: &'static str,
    programs: &'static [&'static str],
    /// Whether one on the path does as well.
    by_path: bool,
}

const GROUPS: [Group; 5] = [
    Group {
        name: "the tests against a real API server (targets `cluster` and `in_cluster`)",
        programs: &["etcd", "kube-apiserver", "kubectl"],
        by_path: false,
    },
    Group {
        name: "those against a real API server with controllers (in targets `cluster` and `in_cluster`)",
        programs: &["kube-controller-manager"],
        by_path: false,
    },
    Group { name: "the tests of the charts (target `charts`)", programs: &["helm"], by_path: true },
    Group {
        name: "reports of scans, and what the charts make of operators' kinds (targets `cluster` and `in_cluster`)",
        programs: &["definitions"],
        by_path: false,
    },
    Group { name: "the tests of the alerts (target `charts`, `monitoring`)", programs: &["promtool"], by_path: true },
];

/// A line for each group that will be skipped. A program that can be had and fails to be built is an error.
pub(crate) fn tests() -> Result<Vec<String>, XtaskError> {
    let made = assets::named_or_made(assets::NEWEST)?;
    println!("{}", made.folder.display());
    Ok(lines(&made.lacking, on_path))
}

fn lines(lacking: &[Lacking], on_path: impl Fn(&str) -> bool) -> Vec<String> {
    let skipped = GROUPS.iter().filter_map(|group| {
        let its = |lacking: &&Lacking| {
            group.programs.contains(&lacking.program) && !(group.by_path && on_path(lacking.program))
        };
        let its: Vec<&Lacking> = lacking.iter().filter(its).collect();
        let remedy = its.first()?.remedy;
        let programs = its.iter().map(|lacking| lacking.program).collect::<Vec<_>>().join(", no ");
        Some(format!("{}: there is no {programs}; {remedy}", group.name))
    });
    skipped.collect()
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(programs: &[&'static str]) -> Vec<Lacking> {
        programs.iter().map(|program| Lacking { program, remedy: "install Go" }).collect()
    }

    #[test]
    fn each_group_that_lacks_a_program_is_told_once_with_how_to_get_it() {
        let told = lines(&lacking(&["kube-apiserver", "kubectl", "helm"]), |_| false);
        let [servers, charts] = told.as_slice() else { unreachable!("{told:?}") };
        assert!(
            servers.contains("`in_cluster`") && servers.ends_with("there is no kube-apiserver, no kubectl; install Go")
        );
        assert!(charts.contains("`charts`") && charts.ends_with("there is no helm; install Go"));
    }

    #[test]
    fn a_helm_on_the_path_will_do_and_an_etcd_there_is_not_looked_for() {
        let told = lines(&lacking(&["etcd", "helm"]), |_| true);
        assert_eq!(told.len(), 1, "{told:?}");
    }

    #[test]
    fn nothing_is_told_where_nothing_is_lacking() {
        assert_eq!(lines(&[], |_| false), Vec::<String>::new());
    }
}
