use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use tempfile::TempDir;

use super::overrides::tests::any_overrides;
use super::*;
use crate::model::{Stamp, Timestamp};

const FILE: &str = "overrides.json";

fn drained(site: &str) -> Overrides {
    let stamp =
        Stamp { by: "ann".into(), reason: Some("repair".into()), at: Timestamp(1), expires: None };
    let mut overrides = Overrides::default();
    overrides.drained_sites.insert(site.parse().unwrap(), stamp);
    overrides
}

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// The names in the directory, in order.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_directory_is_made_and_private() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("lib/farol");
    let _store = Store::open(&deep).unwrap();
    assert_eq!(fs::metadata(&deep).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn one_instance_at_a_time() {
    let (dir, store) = store();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }));
    let told = format!("is in use by process {}: stop it", std::process::id());
    assert!(error.to_string().contains(&told), "{error}");
    drop(store);
    assert!(Store::open(dir.path()).is_ok());
}

#[test]
fn no_file_is_no_override() {
    let (_dir, store) = store();
    let loaded = store.load().unwrap();
    assert_eq!((loaded.stored, loaded.set_aside), (None, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_is_saved_survives_a_restart(first in any_overrides(), second in any_overrides()) {
        let (dir, store) = store();
        store.save(&first, &[]).unwrap();
        store.save(&second, &[]).unwrap();
        drop(store);
        let loaded = Store::open(dir.path()).unwrap().load().unwrap();
        prop_assert_eq!(loaded.set_aside, None);
        prop_assert_eq!(loaded.stored, Some(second));
    }
}

/// What happens to a file that `spoil` makes of a good one.
#[track_caller]
fn check(spoil: impl Fn(&mut Vec<u8>), why: &str) {
    let (dir, store) = store();
    store.save(&drained("seattle"), &[]).unwrap();
    let path = dir.path().join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    spoil(&mut bytes);
    fs::write(&path, &bytes).unwrap();

    let loaded = store.load().unwrap();
    assert_eq!(loaded.stored, None);
    let aside = loaded.set_aside.unwrap();
    assert!(aside.why.contains(why), "{}", aside.why);
    assert_eq!(fs::read(&aside.file).unwrap(), bytes, "it is kept as it was");
    assert!(!path.exists() && aside.file.to_str().unwrap().contains(".damaged-"));

    store.save(&drained("orlando"), &[]).unwrap();
    assert_eq!(store.load().unwrap().stored, Some(drained("orlando")), "work goes on");
}

#[test]
fn damaged_and_newer_files_are_put_aside() {
    check(|bytes| bytes.clear(), "not the JSON");
    check(|bytes| bytes.truncate(bytes.len() / 2), "not the JSON");
    check(|bytes| bytes.fill(0), "not the JSON");
    check(|bytes| bytes[0] ^= 1, "not the JSON");
    let replace = |bytes: &mut Vec<u8>, old: &str, new: &str| {
        *bytes = String::from_utf8(bytes.clone()).unwrap().replace(old, new).into_bytes();
    };
    check(|bytes| replace(bytes, "seattle", "orlando"), "its checksum does not fit");
    check(|bytes| replace(bytes, "\"version\":1", "\"version\":2"), "of version 2");
    let nonsense = || envelope::seal(Ok(r#"{"endpoints":[]}"#.to_owned())).unwrap();
    check(|bytes| *bytes = nonsense(), "drained_sites");
}

#[test]
fn what_a_crash_left_is_cleared() {
    let (dir, store) = store();
    store.save(&drained("seattle"), &[]).unwrap();
    drop(store);
    fs::write(dir.path().join("overrides.json.new"), "{\"vers").unwrap();
    fs::write(dir.path().join("admin.token.new"), "").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(names(dir.path()), [LOCK, FILE]);
    assert_eq!(store.load().unwrap().stored, Some(drained("seattle")));
}

#[test]
fn a_failed_save_keeps_the_old_overrides() {
    let (dir, store) = store();
    store.save(&drained("seattle"), &[]).unwrap();
    // What is in the way of the new file here is a directory; a full disk fails in the same place.
    let in_the_way = dir.path().join("overrides.json.new");
    fs::create_dir(&in_the_way).unwrap();
    let error = store.save(&drained("orlando"), &[]).unwrap_err();
    let told = format!("could not write `{}`", dir.path().join(FILE).display());
    assert!(error.to_string().starts_with(&told), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(store.load().unwrap().stored, Some(drained("seattle")));
    fs::remove_dir(in_the_way).unwrap();
    store.save(&drained("orlando"), &[]).unwrap();
}

#[test]
fn errors_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let below = Store::open(&file.join("farol")).unwrap_err().to_string();
    assert!(below.contains("no directory, set another `state.dir`"), "{below}");

    let (dir, store) = store();
    fs::remove_dir_all(dir.path()).unwrap();
    let gone = store.save(&drained("seattle"), &[]).unwrap_err().to_string();
    assert!(gone.contains("the state directory is gone"), "{gone}");

    for (code, help) in [
        (libc::ENOSPC, "make room"),
        (libc::EDQUOT, "make room"),
        (libc::EROFS, "mount it writable"),
        (libc::EACCES, "give the directory"),
    ] {
        let problem = Problem::of(&io::Error::from_raw_os_error(code));
        assert!(problem.to_string().contains(help));
    }
}
