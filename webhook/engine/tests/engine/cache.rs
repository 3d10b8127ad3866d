//! Compiled policies in a folder: found again, made again when anything about them is wrong, and never trusted.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use portreeve_engine::{
    Cache, CacheError, CacheFolder, EmbeddedEntry, Engine, Instance, Limits, Options, Processor, Stats,
};
use serde_json::json;
use tempfile::TempDir;

use crate::cases::{good, instance, outcome, soon, verdict};
use crate::guests;

fn options() -> Options {
    Options { limits: Limits { evaluations: 1, ..Limits::default() }, ..Options::default() }
}

fn engine_with(folder: &Path) -> Engine {
    let cache = Cache::Folder(CacheFolder::open(folder).unwrap());
    Engine::new(Options { cache, ..options() }).unwrap()
}

/// Loads with a new engine, sees that it works, and tells what the engine had to do.
fn load(folder: &Path, instances: &[Instance]) -> Stats {
    let engine = engine_with(folder);
    let program = engine.load(guests::hostile(), instances).unwrap();
    verdict(outcome(&program, &instances[0].id, soon()));
    engine.stats()
}

fn hits_misses_rebuilt(stats: &Stats) -> (u64, u64, u64) {
    (stats.cache_hits, stats.cache_misses, stats.cache_rebuilt)
}

/// A folder with one entry.
fn filled() -> (TempDir, PathBuf) {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("cache");
    assert_eq!(hits_misses_rebuilt(&load(&folder, &[good()])), (0, 1, 0));
    (above, folder)
}

fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == kind)).collect()
}

fn only_file(folder: &Path, kind: &str) -> PathBuf {
    let [file] = files(folder, kind).try_into().unwrap();
    file
}

#[test]
fn a_second_start_compiles_nothing() {
    let (_above, folder) = filled();
    let begun = Instant::now();
    let stats = load(&folder, &[good()]);
    println!("a warm load and one evaluation took {:?}", begun.elapsed());
    assert_eq!(hits_misses_rebuilt(&stats), (1, 0, 0));
    assert!(stats.compiling.is_zero());
}

#[test]
fn a_program_from_the_cache_is_the_same() {
    let (_above, folder) = filled();
    let module = guests::hostile();
    let (fresh, cached) = (Engine::new(options()).unwrap(), engine_with(&folder));
    let (fresh, cached) = (fresh.load(module, &[good()]).unwrap(), cached.load(module, &[good()]).unwrap());
    assert_eq!(fresh.manifests(), cached.manifests());
    assert_eq!(fresh.start(), cached.start());
    assert_eq!(outcome(&fresh, "good", soon()), outcome(&cached, "good", soon()));
}

#[test]
fn the_order_of_instances_and_settings_does_not_matter() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("cache");
    let (a, b) = (instance("a", "good", json!({"x": 1, "y": 2})), instance("b", "good", json!({})));
    load(&folder, &[a, b.clone()]);
    let a = instance("a", "good", json!({"y": 2, "x": 1}));
    assert_eq!(hits_misses_rebuilt(&load(&folder, &[b, a])), (1, 0, 0));
}

#[test]
fn other_settings_are_another_entry() {
    let (_above, folder) = filled();
    let stats = load(&folder, &[instance("good", "good", json!({"says": "no"}))]);
    assert_eq!(hits_misses_rebuilt(&stats), (0, 1, 0));
    assert_eq!(files(&folder, "code").len(), 2);
}

#[test]
fn a_damaged_byte_anywhere_is_found_and_mended() {
    let (_above, folder) = filled();
    for kind in ["code", "seal"] {
        let path = only_file(&folder, kind);
        let whole = fs::read(&path).unwrap();
        for at in [0, 1, 31, 32, 40, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert_eq!(hits_misses_rebuilt(&load(&folder, &[good()])), (0, 0, 1), "byte {at} of the {kind}");
        }
        assert_eq!(hits_misses_rebuilt(&load(&folder, &[good()])), (1, 0, 0));
    }
}

#[test]
fn an_entry_cut_short_is_made_again() {
    let (_above, folder) = filled();
    for kind in ["code", "seal"] {
        let path = only_file(&folder, kind);
        let whole = fs::read(&path).unwrap();
        for length in [0, 16, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(hits_misses_rebuilt(&load(&folder, &[good()])), (0, 0, 1), "{length} bytes of the {kind}");
        }
    }
}

#[test]
fn an_entry_without_its_code_is_made_again() {
    let (_above, folder) = filled();
    fs::remove_file(only_file(&folder, "code")).unwrap();
    assert_eq!(hits_misses_rebuilt(&load(&folder, &[good()])), (0, 0, 1));
}

#[test]
fn what_a_killed_process_left_goes_and_what_one_is_at_work_on_stays() {
    let (_above, folder) = filled();
    let left = |name: &str, hours: u64| {
        let file = fs::File::create(folder.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600 * hours)).unwrap();
    };
    for (name, hours) in [(".tmpOld", 2), (".tmpNew", 0), ("old.code", 2), ("new.code", 0)] {
        left(name, hours);
    }
    load(&folder, &[instance("good", "good", json!({"says": "no"}))]);
    let stays = |name: &str| folder.join(name).exists();
    assert!(!stays(".tmpOld") && !stays("old.code"));
    assert!(stays(".tmpNew") && stays("new.code") && stays("key"));
    assert_eq!((files(&folder, "seal").len(), files(&folder, "code").len()), (2, 3));
}

#[test]
fn an_entry_sealed_with_another_key_is_made_again() {
    let (_above, folder) = filled();
    fs::write(folder.join("key"), [7; 32]).unwrap();
    assert_eq!(hits_misses_rebuilt(&load(&folder, &[good()])), (0, 0, 1));
}

#[test]
fn an_entry_of_another_module_does_not_pass_for_this_one() {
    let (_above, folder) = filled();
    let engine = engine_with(&folder);
    engine.load(&guests::plain("plain"), &[instance("good", "plain", json!({}))]).unwrap();
    let (seals, mut entries) = (files(&folder, "seal"), Vec::new());
    for seal in &seals {
        entries.push((fs::read(seal).unwrap(), fs::read(seal.with_extension("code")).unwrap()));
    }
    entries.reverse();
    for (seal, (sealed, code)) in seals.iter().zip(entries) {
        fs::write(seal, sealed).unwrap();
        fs::write(seal.with_extension("code"), code).unwrap();
    }
    assert_eq!(hits_misses_rebuilt(&load(&folder, &[good()])), (0, 0, 1));
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let above = tempfile::tempdir().unwrap();
    for mode in [0o770, 0o702] {
        let folder = above.path().join(mode.to_string());
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(CacheFolder::open(&folder), Err(CacheError::Unsafe { mode: found, .. }) if found == mode));
    }
}

#[test]
fn a_folder_that_others_can_replace_is_refused() {
    let above = tempfile::tempdir().unwrap();
    fs::set_permissions(above.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = CacheFolder::open(&above.path().join("cache")).unwrap_err();
    assert!(matches!(error, CacheError::Unsafe { path, .. } if path == above.path().canonicalize().unwrap()));
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let (_above, folder) = filled();
    fs::set_permissions(folder.join("key"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(CacheFolder::open(&folder), Err(CacheError::Unsafe { .. })));
}

#[test]
fn a_key_that_is_none_is_refused() {
    let (_above, folder) = filled();
    fs::write(folder.join("key"), "short").unwrap();
    assert!(matches!(CacheFolder::open(&folder), Err(CacheError::BadKey { .. })));
}

#[test]
fn a_file_is_no_folder() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(CacheFolder::open(file.path()), Err(CacheError::NotAFolder { .. })));
}

#[test]
fn nobody_else_can_read_what_is_cached() {
    let (_above, folder) = filled();
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    for file in fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[test]
fn a_folder_that_can_not_be_written_to_is_no_reason_to_refuse_a_policy() {
    let (_above, folder) = filled();
    let engine = engine_with(&folder);
    fs::remove_dir_all(&folder).unwrap();
    let program = engine.load(guests::hostile(), &[good()]).unwrap();
    verdict(outcome(&program, "good", soon()));
}

#[test]
fn an_embedded_entry_is_used_when_it_fits() {
    let bytes = Engine::new(options()).unwrap().precompile(guests::hostile(), &[good()]).unwrap();
    let embedded: &[EmbeddedEntry] = vec![EmbeddedEntry { bytes: bytes.leak() }].leak();
    let engine = Engine::new(Options { embedded, ..options() }).unwrap();
    let program = engine.load(guests::hostile(), &[good()]).unwrap();
    verdict(outcome(&program, "good", soon()));
    assert_eq!(hits_misses_rebuilt(&engine.stats()), (1, 0, 0));
    engine.load(guests::hostile(), &[instance("other", "good", json!({}))]).unwrap();
    assert_eq!(hits_misses_rebuilt(&engine.stats()), (1, 1, 0));
}

#[test]
fn an_entry_for_any_processor_runs_on_this_one() {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let elsewhere = Engine::new(Options { processor: Processor::Any { triple }, ..options() }).unwrap();
    let bytes = elsewhere.precompile(guests::hostile(), &[good()]).unwrap();
    let embedded: &[EmbeddedEntry] = vec![EmbeddedEntry { bytes: bytes.leak() }].leak();
    let engine = Engine::new(Options { embedded, ..options() }).unwrap();
    let program = engine.load(guests::hostile(), &[good()]).unwrap();
    verdict(outcome(&program, "good", soon()));
    assert_eq!(hits_misses_rebuilt(&engine.stats()), (1, 0, 0));
}

#[test]
fn an_embedded_entry_that_is_none_is_passed_over() {
    const NONE: &[EmbeddedEntry] = &[EmbeddedEntry { bytes: b"" }, EmbeddedEntry { bytes: &[255; 64] }];
    let engine = Engine::new(Options { embedded: NONE, ..options() }).unwrap();
    engine.load(guests::hostile(), &[good()]).unwrap();
    assert_eq!(hits_misses_rebuilt(&engine.stats()), (0, 1, 0));
}
