//! Who a node is, at the wall of its data directory: what it is born as, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::identity::{DataDir, IdentityError, Newborn};
use super::{Entry, Log, LogError, SledLog};

/// sled's threads may hold its file a moment longer than its handle lives.
fn reopen(dir: &Path) -> Result<(DataDir, SledLog), IdentityError> {
    loop {
        match DataDir::open(dir, [0xee; 16], 5, Newborn::Founds) {
            Err(IdentityError::Log(LogError::Locked { .. })) => std::thread::yield_now(),
            other => return other,
        }
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_node_keeps_the_identity_it_was_born_with() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    let (born, log) = DataDir::open(&dir, [0xab; 16], 1_700_000_000, Newborn::Founds).unwrap();
    assert_eq!(born.identity().id, "ab".repeat(16));
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    let identity = born.identity().clone();
    drop((born, log));
    assert_eq!(reopen(&dir).unwrap().0.identity(), &identity);
}

#[test]
fn two_servers_cannot_have_one_data_directory() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    let (first, log) = DataDir::open(&dir, [1; 16], 1, Newborn::Founds).unwrap();
    let error = DataDir::open(&dir, [2; 16], 2, Newborn::Founds).unwrap_err();
    assert!(error.to_string().contains("another server is running on it"), "{error}");
    drop((first, log));
    reopen(&dir).unwrap();
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let root = tempfile::tempdir().unwrap();
    for mode in [0o770, 0o702, 0o720] {
        chmod(root.path(), mode);
        let error = DataDir::open(root.path(), [1; 16], 1, Newborn::Founds).unwrap_err();
        assert!(matches!(error, IdentityError::Writable { mode: found, .. } if found == mode), "{error}");
    }
    chmod(root.path(), 0o700);
    DataDir::open(root.path(), [1; 16], 1, Newborn::Founds).unwrap();
}

#[test]
fn data_without_an_identity_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("snapshot-00000000000000000007.kms"), b"").unwrap();
    assert!(matches!(reopen(root.path()), Err(IdentityError::Lost { .. })));

    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    let (_, mut log) = DataDir::open(&dir, [1; 16], 1, Newborn::Founds).unwrap();
    log.append(&[Entry { index: 1, bytes: vec![1] }]).unwrap();
    log.sync().unwrap();
    drop(log);
    fs::remove_file(dir.join("node.json")).unwrap();
    let error = reopen(&dir).unwrap_err();
    assert!(matches!(&error, IdentityError::Lost { found, .. } if found == "a log"), "{error}");
}

#[test]
fn a_known_node_whose_log_is_gone_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    drop(DataDir::open(&dir, [1; 16], 1, Newborn::Founds).unwrap());
    fs::remove_dir_all(dir.join("log")).unwrap();
    let error = reopen(&dir).unwrap_err();
    assert!(error.to_string().contains("there is no log, and this node is not new"), "{error}");
}

#[test]
fn an_identity_of_another_format_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let id = "0".repeat(32);
    let json = format!(r#"{{"id":"{id}","created":1,"format":2}}"#);
    fs::write(root.path().join("node.json"), json).unwrap();
    let error = DataDir::open(root.path(), [1; 16], 1, Newborn::Founds).unwrap_err();
    assert!(error.to_string().contains("expected format 1, got 2"), "{error}");
}

fn born(dir: &Path, newborn: Newborn) -> Result<(DataDir, SledLog), IdentityError> {
    DataDir::open(dir, [1; 16], 1, newborn)
}

fn who(dir: &DataDir) -> (u64, bool) {
    (dir.identity().number, dir.identity().founds)
}

#[test]
fn a_node_without_a_word_about_its_birth_founds_as_number_one() {
    let root = tempfile::tempdir().unwrap();
    let (dir, _log) = born(root.path(), Newborn::Founds).unwrap();
    assert_eq!(who(&dir), (1, true));
}

#[test]
fn an_identity_from_before_clusters_is_that_of_a_founder() {
    let root = tempfile::tempdir().unwrap();
    drop(born(root.path(), Newborn::Founds).unwrap());
    let json = format!(r#"{{"id":"{}","created":1,"format":1}}"#, "01".repeat(16));
    fs::write(root.path().join("node.json"), json).unwrap();
    assert_eq!(who(&reopen(root.path()).unwrap().0), (1, true));
}

#[test]
fn a_node_is_born_under_the_number_it_was_given_and_only_once() {
    for newborn in [Newborn::Founds, Newborn::Refused] {
        let root = tempfile::tempdir().unwrap();
        let birth = root.path().join("birth.json");
        fs::write(&birth, r#"{"number": 7, "founds": false}"#).unwrap();
        let (dir, log) = born(root.path(), newborn).unwrap();
        assert_eq!(who(&dir), (7, false));
        assert!(!birth.exists());
        drop((dir, log));
        assert_eq!(who(&reopen(root.path()).unwrap().0), (7, false));
    }
}

#[test]
fn a_birth_that_was_cut_short_is_finished_and_the_identity_holds() {
    let root = tempfile::tempdir().unwrap();
    let birth = root.path().join("birth.json");
    fs::write(&birth, r#"{"number": 7, "founds": false}"#).unwrap();
    let (dir, log) = born(root.path(), Newborn::Refused).unwrap();
    let identity = dir.identity().clone();
    drop((dir, log));
    // The process ended before it removed the file; or somebody put another there.
    fs::write(&birth, r#"{"number": 8, "founds": true}"#).unwrap();
    let (dir, log) = reopen(root.path()).unwrap();
    assert_eq!(dir.identity(), &identity);
    assert!(!birth.exists());
    drop((dir, log));
    // The process ended before it wrote who it is: born again from the same word.
    fs::write(&birth, r#"{"number": 7, "founds": false}"#).unwrap();
    fs::remove_file(root.path().join("node.json")).unwrap();
    assert_eq!(who(&reopen(root.path()).unwrap().0), (7, false));
}

#[test]
fn an_empty_directory_of_a_node_of_a_cluster_is_refused_with_the_way_out() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    for _ in 0..2 {
        let error = born(&dir, Newborn::Refused).unwrap_err();
        assert!(matches!(error, IdentityError::Empty { .. }));
        let text = error.to_string();
        assert!(text.contains("the data directory is empty, but this node belongs to a cluster"), "{text}");
        assert!(
            text.contains(
                "hint: if its disk was lost: run kms cluster remove N, with its number, on another node, then kms \
                 join here under a new number"
            ),
            "{text}"
        );
    }
    let error = fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(error, ["lock"], "nothing was made up");
}

#[test]
fn a_directory_that_lost_its_identity_alone_is_not_taken_for_an_empty_one() {
    let root = tempfile::tempdir().unwrap();
    drop(born(root.path(), Newborn::Founds).unwrap());
    fs::remove_file(root.path().join("node.json")).unwrap();
    let error = born(root.path(), Newborn::Refused).unwrap_err();
    assert!(matches!(&error, IdentityError::Lost { found, .. } if found == "a log"), "{error}");
}

#[test]
fn a_birth_that_cannot_be_read_is_refused_and_left_where_it_is() {
    for (json, words) in [
        (r#"{"number": 0, "founds": false}"#, "expected a node number from 1, got 0"),
        (r#"{"number": 2}"#, "missing field `founds`"),
        (r#"{"number": 2, "founds": false, "name": "x"}"#, "unknown field `name`"),
        ("", "EOF"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let birth = root.path().join("birth.json");
        fs::write(&birth, json).unwrap();
        let error = born(root.path(), Newborn::Founds).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(birth.exists() && !root.path().join("node.json").exists());
    }
}
