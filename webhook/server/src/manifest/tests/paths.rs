//! Files, folders and the standard input.

use std::fs;
use std::path::{Path, PathBuf};

use crate::manifest::{Foreign, Found, Manifest, ReadError, ReadErrors, files_named, find_manifests, read_paths};

fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n")
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn read(paths: &[&Path]) -> Result<Vec<Manifest>, ReadErrors> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    read_paths(&paths, &mut std::io::empty())
}

fn names(manifests: &[Manifest]) -> Vec<&str> {
    manifests.iter().map(Manifest::name).collect()
}

#[test]
fn reads_a_folder_in_the_order_of_its_names() {
    let (a, b, c) = (object("a"), object("b"), object("c"));
    let folder = folder(&[("b.yml", &b), ("a/z.yaml", &a), ("c.json", "{}"), ("c.yaml", &c), ("notes.txt", "no")]);
    fs::write(folder.path().join("c.json"), r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"j"}}"#).unwrap();
    assert_eq!(names(&read(&[folder.path()]).unwrap()), ["a", "b", "j", "c"]);
}

#[test]
fn skips_what_is_hidden_unless_it_is_named() {
    let a = object("a");
    let folder = folder(&[(".hidden.yaml", &a), (".git/x.yaml", &a)]);
    assert!(read(&[folder.path()]).unwrap().is_empty());
    assert_eq!(read(&[&folder.path().join(".hidden.yaml")]).unwrap().len(), 1);
    assert_eq!(read(&[&folder.path().join(".git")]).unwrap().len(), 1);
}

#[test]
fn a_file_that_is_named_is_read_whatever_its_name() {
    let a = object("a");
    let folder = folder(&[("template.txt", &a)]);
    assert_eq!(read(&[&folder.path().join("template.txt")]).unwrap().len(), 1);
}

#[test]
fn an_empty_file_in_a_folder_is_refused_and_one_with_a_comment_is_not() {
    let folder = folder(&[("a.yaml", &object("a")), ("b.yaml", " \n"), ("c.yaml", "# nothing yet\n")]);
    let errors = read(&[folder.path()]).unwrap_err();
    let [error] = errors.errors() else { panic!("{errors:?}") };
    let told =
        format!("{}: the file is empty; delete it, or leave a comment in it", folder.path().join("b.yaml").display());
    assert_eq!(error.to_string(), told);
}

#[cfg(unix)]
#[test]
fn follows_links_but_not_in_circles() {
    let a = object("a");
    // A ConfigMap's volume looks like this.
    let folder = folder(&[("..2024/policy.yaml", &a)]);
    std::os::unix::fs::symlink("..2024", folder.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/policy.yaml", folder.path().join("policy.yaml")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("again")).unwrap();
    assert_eq!(names(&read(&[folder.path()]).unwrap()), ["a"]);
}

#[cfg(unix)]
#[test]
fn passes_by_a_pipe_in_a_folder_and_reads_one_that_is_named() {
    let folder = folder(&[("a.yaml", &object("a"))]);
    let pipe = folder.path().join("b.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(names(&read(&[folder.path()]).unwrap()), ["a"]);
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, object("b")).unwrap()
    });
    assert_eq!(names(&read(&[&pipe]).unwrap()), ["b"]);
    writer.join().unwrap();
}

#[test]
fn a_dash_is_the_standard_input() {
    let manifests = read_paths(&["-".into()], &mut object("a").as_bytes()).unwrap();
    assert_eq!((manifests[0].name(), manifests[0].source()), ("a", "stdin"));
}

#[test]
fn tells_of_every_file_that_is_wrong() {
    let folder = folder(&[("a.yaml", "a: [\n"), ("b.yaml", "kind: Pod\n"), ("c.yaml", &object("c"))]);
    let missing = folder.path().join("missing.yaml");
    let errors = read(&[folder.path(), &missing]).unwrap_err();
    assert_eq!(errors.errors().len(), 3);
    assert!(errors.errors().iter().any(|error| matches!(error, ReadError::Io { path, .. } if *path == missing)));
    assert_eq!(errors.to_string().lines().count(), 3);
}

#[test]
fn says_on_which_line_a_file_stops_being_text() {
    let folder = folder(&[]);
    let path = folder.path().join("a.yaml");
    fs::write(&path, b"a: b\nc: \xff\n").unwrap();
    let errors = read(&[&path]).unwrap_err();
    assert!(matches!(errors.errors(), [ReadError::NotUtf8 { line: 2, .. }]), "{errors}");
}

fn found(path: &Path) -> Result<Found, ReadErrors> {
    find_manifests(&[path.to_owned()], &mut std::io::empty())
}

#[test]
fn texts_are_kept_for_printing_them_again() {
    let a = object("a");
    let folder = folder(&[("a.yaml", &a)]);
    let texts = found(folder.path()).unwrap().texts;
    assert_eq!(texts[0].0.text, a);
    assert_eq!(&*texts[0].0.name, folder.path().join("a.yaml").to_str().unwrap());
}

#[test]
fn a_file_of_something_else_in_a_folder_is_passed_over() {
    let a = object("a");
    let others =
        [("values.yaml", "replicas: 2\n"), ("list.yaml", "- a\n- b\n"), ("x.json", "[1]"), ("y.yml", "word\n")];
    let folder = folder(&[&others[..], &[("a.yaml", a.as_str()), ("empty.yaml", "---\n")]].concat());
    let found = found(folder.path()).unwrap();
    assert_eq!(names(&found.manifests()), ["a"]);
    let passed_over: Vec<_> = found.passed_over.iter().map(|name| name.rsplit('/').next().unwrap()).collect();
    assert_eq!(passed_over, ["list.yaml", "values.yaml", "x.json", "y.yml"]);
}

#[test]
fn a_file_that_is_named_must_hold_objects() {
    let folder = folder(&[("values.yaml", "replicas: 2\n")]);
    let errors = found(&folder.path().join("values.yaml")).unwrap_err();
    assert!(errors.to_string().contains("the object has no apiVersion"), "{errors}");
}

#[test]
fn half_an_object_is_an_error_in_a_folder_too() {
    let whole = object("a");
    for half in ["apiVersion: v1\n", "kind: Pod\n", &format!("{whole}---\nreplicas: 2\n"), "replicas: [\n"] {
        let folder = folder(&[("half.yaml", half)]);
        assert!(found(folder.path()).is_err(), "{half}");
    }
}

#[test]
fn a_file_of_a_tool_in_a_folder_is_passed_over_and_everything_else_is_read() {
    let kustomize = "kustomize.config.k8s.io";
    let files = [
        ("kustomization.yaml", format!("apiVersion: {kustomize}/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n")),
        ("component.yaml", format!("apiVersion: {kustomize}/v1alpha1\nkind: Component\n")),
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n".to_owned()),
        ("config.yaml", "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n".to_owned()),
        ("kind.yaml", "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\n---\na: b\n".to_owned()),
        ("a.yaml", object("a")),
    ];
    let folder = folder(&files.each_ref().map(|(name, text)| (*name, text.as_str())));
    let found = found(folder.path()).unwrap();
    assert_eq!(names(&found.manifests()), ["a"]);
    let foreign = [Foreign::Chart, Foreign::Kustomization, Foreign::Kubeconfig, Foreign::Configuration];
    let told: Vec<_> = found.foreign.iter().map(|(_, foreign)| *foreign).collect();
    assert_eq!(told, [foreign[0], foreign[1], foreign[2], foreign[3], foreign[1]]);
}

#[test]
fn a_file_of_a_tool_that_is_named_is_told_of_as_that() {
    let folder = folder(&[("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n")]);
    let errors = found(&folder.path().join("Chart.yaml")).unwrap_err();
    assert!(errors.to_string().contains("run `helm template`"), "{errors}");
}

#[test]
fn what_only_resembles_a_file_of_a_tool_is_half_an_object() {
    let half = [
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n",
        "apiVersion: v2\nname: web\n",
        "apiVersion: v1\nkind: Config\nclusters: []\n",
        "apiVersion: apps/v1\nkind: Deployment\nname: web\nversion: 1\n",
    ];
    for half in half {
        let folder = folder(&[("half.yaml", half)]);
        assert!(found(folder.path()).is_err(), "{half}");
    }
}

#[test]
fn a_template_that_is_not_rendered_is_told_of_as_that() {
    let whole = object("a");
    for text in [
        whole.replace("name: a", "name: {{ .Values.name }}"),
        format!("{{{{- if .Values.on }}}}\n{whole}{{{{ end }}}}\n"),
    ] {
        let folder = folder(&[("web.yaml", &text)]);
        let errors = found(folder.path()).unwrap_err().to_string();
        assert!(errors.contains("render it first, as in `helm template … | portreeve check -`"), "{errors}");
        assert!(errors.contains("`{{`"), "{errors}");
    }
    let folder = folder(&[("web.yaml", &whole.replace("name: a", "name: \"{{ .Values.name }}\""))]);
    assert!(found(folder.path()).is_ok(), "it is YAML");
}

#[test]
fn a_policy_folder_holds_objects_alone() {
    let folder = folder(&[("values.yaml", "replicas: 2\n")]);
    assert!(read(&[folder.path()]).is_err());
}

#[test]
fn finds_files_of_a_name_in_folders_and_below() {
    let files = [("b/images.lock", ""), ("a/images.lock", ""), (".c/images.lock", ""), ("images.lock/a.yaml", "")];
    let folder = folder(&files);
    let found = files_named("images.lock", &[folder.path().to_owned(), folder.path().join("a/images.lock")]);
    assert_eq!(found, ["a/images.lock", "b/images.lock"].map(|path| folder.path().join(path)));
}
