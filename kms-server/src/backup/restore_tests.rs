//! Restoring at its wall: a backup in, a data directory out from which a node founds a cluster; or a refusal in words.

use std::fs;
use std::path::{Path, PathBuf};

use kms_core::{Event, State};
use nix::fcntl::{Flock, FlockArg};

use super::test_bed::*;
use super::*;

fn restored(path: &Path, data_dir: &Path) -> Result<Summary, RestoreError> {
    restore(path, &root(), data_dir, false, NOW)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_cluster_has_every_key_byte_for_byte() {
    let bed = Bed::new();
    let mut events = bed.events(1000);
    events.push(Event::Destroyed { id: id(7), at: 2000, state: State::Destroyed });
    let path = bed.backup("a.backup", &events);
    let data_dir = bed.path("data");
    let summary = restored(&path, &data_dir).unwrap();
    assert_eq!((summary.objects, summary.clients, summary.opened), (1000, 1, 999));
    assert!(summary.moved_aside.is_none() && summary.is_whole());
    let objects = founded(&data_dir);
    assert_eq!(kept(&objects), kept(&applied(&events)));
    let versions: Vec<u32> = objects.data_keys().map(|(version, _)| version).collect();
    assert!(versions.len() == 2 && versions[0] == 1, "the old data key and one of its own: {versions:?}");
}

#[test]
fn an_empty_directory_that_init_made_is_filled_where_it_is() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(3));
    let data_dir = bed.path("data");
    fs::create_dir(&data_dir).unwrap();
    fs::write(data_dir.join("birth.json"), r#"{"number":1,"founds":true}"#).unwrap();
    let summary = restored(&path, &data_dir).unwrap();
    assert_eq!(summary.moved_aside, None);
    assert_eq!(names(bed.dir.path()), ["a.backup", "data", "keyring"]);
    assert_eq!(founded(&data_dir).len(), 3);
}

#[test]
fn a_directory_with_data_is_refused_with_what_it_would_lose() {
    let bed = Bed::new();
    let events = bed.events(30);
    let path = bed.backup("a.backup", &events[..11]);
    let mut later = events[11..].to_vec();
    later.push(Event::StateChanged { id: id(4), at: NOW, state: State::Deactivated });
    later.push(Event::ClientRegistered { client: client("vc02", 9) });
    let data_dir = bed.folder("data", &events[..15], &[&events[15..], &later[19..]].concat());
    let before = names(&data_dir);
    let error = restored(&path, &data_dir).unwrap_err();
    assert!(matches!(error, RestoreError::WouldLose { .. }), "{error}");
    let text = error.to_string();
    for words in [
        "20 objects that the backup does not have would be lost: ".to_owned(),
        " and 10 more.".to_owned(),
        format!("1 objects would go back to what they were at 2027-01-15T08:00:00Z: {}.", id(4)),
        "1 clients would be lost or older: vc02.".to_owned(),
        "hint: with --lose-newer".to_owned(),
    ] {
        assert!(text.contains(&words), "{words}: {text}");
    }
    // But for the lock, nothing is there that was not.
    assert_eq!(names(&data_dir).into_iter().filter(|name| name != "lock").collect::<Vec<_>>(), before);
    assert_eq!(names(bed.dir.path()), ["a.backup", "data", "keyring"]);
}

#[test]
fn with_the_flag_the_old_directory_is_moved_aside_and_not_deleted() {
    let bed = Bed::new();
    let events = bed.events(30);
    let path = bed.backup("a.backup", &events[..11]);
    let data_dir = bed.folder("data", &events[..15], &events[15..]);
    let mut asides = Vec::new();
    for _ in 0..2 {
        let summary = restore(&path, &root(), &data_dir, true, NOW).unwrap();
        assert_eq!(kept(&founded(&data_dir)), kept(&applied(&events[..11])));
        asides.push(summary.moved_aside.unwrap());
    }
    let aside = bed.path("data.before-restore-2027-01-15T08-00-00Z");
    assert_eq!(asides, [aside.clone(), PathBuf::from(format!("{}-2", aside.display()))]);
    // It is the folder it was.
    let union = salvage(&[aside], &root(), &bed.path("again"), NOW).unwrap();
    assert_eq!((union.objects, union.lost.len()), (30, 0));
    assert!(!bed.path("data.restoring").exists());
}

#[test]
fn a_directory_that_a_server_has_locked_is_refused() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(3));
    let data_dir = bed.folder("data", &[], &bed.events(3));
    let file = fs::File::create(data_dir.join("lock")).unwrap();
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
    let error = restore(&path, &root(), &data_dir, true, NOW).unwrap_err();
    assert!(matches!(error, RestoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("hint: stop it first"), "{error}");
    let error = salvage(std::slice::from_ref(&data_dir), &root(), &bed.path("other"), NOW).unwrap_err();
    assert!(matches!(error, RestoreError::Locked { .. }), "{error}");
    drop(lock);
    restore(&path, &root(), &data_dir, true, NOW).unwrap();
}

#[test]
fn a_backup_that_is_not_whole_touches_nothing() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(600));
    let mut bytes = fs::read(&path).unwrap();
    bytes[150_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let data_dir = bed.folder("data", &[], &bed.events(3));
    for target in [data_dir.clone(), bed.path("new")] {
        let error = restore(&path, &root(), &target, true, NOW).unwrap_err();
        assert!(matches!(error, RestoreError::Backup(BackupError::Damaged { .. })), "{error}");
    }
    assert_eq!(names(bed.dir.path()), ["a.backup", "data", "keyring"]);
}

#[test]
fn what_an_interrupted_restore_left_does_not_stand_in_the_way() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(3));
    fs::create_dir(bed.path("data.restoring")).unwrap();
    fs::write(bed.path("data.restoring").join("keyring"), b"half").unwrap();
    restored(&path, &bed.path("data")).unwrap();
    assert_eq!(founded(&bed.path("data")).len(), 3);
    assert!(!bed.path("data.restoring").exists());
}

#[test]
fn a_damaged_file_of_pending_records_is_refused_before_any_is_proposed() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(300));
    let data_dir = bed.path("data");
    restored(&path, &data_dir).unwrap();
    let file = data_dir.join("restore.kms");
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(pending(&data_dir).is_err());
}

#[test]
fn large_restores_come_in_bounded_batches() {
    let bed = Bed::new();
    let path = bed.backup("a.backup", &bed.events(2500));
    restored(&path, &bed.path("data")).unwrap();
    let file = pending(&bed.path("data")).unwrap().unwrap();
    let batches: Vec<usize> = file.batches().unwrap().map(|batch| batch.unwrap().len()).collect();
    assert_eq!(batches, [1000, 1000, 503]);
}
