//! Salvage at its wall: damaged folders and backups in, one data directory out with all that any of them held.

use std::fs;
use std::path::PathBuf;

use kms_core::{Event, State};

use super::test_bed::*;
use super::*;
use crate::root_key::RootKey;
use crate::seal::Keyring;

/// Flips a bit in the names of these keys, wherever the folder or file has it.
fn damage(path: &std::path::Path, keys: impl IntoIterator<Item = u32>) {
    for key in keys {
        let found = flip_behind(path, format!("vm-{key}\0").as_bytes(), 1);
        assert!(found > 0, "key {key} is not in {}", path.display());
    }
}

fn db(folder: &std::path::Path) -> PathBuf {
    folder.join("log").join("db")
}

#[test]
fn two_folders_damaged_in_different_places_are_whole_together() {
    let bed = Bed::new();
    let mut events = bed.events(300);
    events.extend((1..=300).step_by(7).map(|key| Event::StateChanged {
        id: id(key),
        at: 5000,
        state: State::Deactivated,
    }));
    let one = bed.folder("one", &events[..101], &events[101..]);
    let two = bed.folder("two", &events[..151], &events[151..]);
    damage(&one.join("snapshot-00000000000000000101.kms"), [3, 50, 99]);
    damage(&db(&one), [201, 250, 299]);
    damage(&two.join("snapshot-00000000000000000151.kms"), [4, 51, 98, 120]);
    damage(&db(&two), [202, 251, 300]);
    let before = [fs::read(db(&one)).unwrap(), fs::read(db(&two)).unwrap()];

    for alone in [&one, &two] {
        let summary = salvage(std::slice::from_ref(alone), &root(), &bed.path("alone"), NOW).unwrap();
        assert!(summary.objects < 300 && summary.sources[0].damaged > 0, "{summary}");
        fs::remove_dir_all(bed.path("alone")).unwrap();
    }
    let data_dir = bed.path("data");
    let summary = salvage(&[one.clone(), two.clone()], &root(), &data_dir, NOW).unwrap();
    assert_eq!((summary.objects, summary.clients, summary.opened), (300, 1, 300), "{summary}");
    assert!(summary.is_whole() && summary.sources.iter().all(|source| source.damaged >= 6), "{summary}");
    assert_eq!(kept(&founded(&data_dir)), kept(&applied(&events)));
    assert_eq!([fs::read(db(&one)).unwrap(), fs::read(db(&two)).unwrap()], before);
}

#[test]
fn a_folder_and_a_damaged_backup_are_whole_together() {
    let bed = Bed::new();
    let events = bed.events(900);
    let folder = bed.folder("one", &events[..1], &events[1..]);
    let backup = bed.backup("a.backup", &events[..800]);
    // One chunk of the backup, its header and all data keys in front; in the folder keys that this chunk does not hold.
    let mut bytes = fs::read(&backup).unwrap();
    bytes[20] ^= 1;
    bytes[2000] ^= 1;
    fs::write(&backup, &bytes).unwrap();
    assert!(verify(&backup, &root()).is_err());
    let left = salvage(std::slice::from_ref(&backup), &root(), &bed.path("left"), NOW).unwrap();
    assert!(left.objects > 500 && left.objects < 799, "{left}");
    let have = founded(&bed.path("left"));
    let safe: Vec<u32> = (1..800).filter(|key| have.object(id(*key)).is_some()).step_by(20).collect();
    damage(&db(&folder), safe.iter().copied());
    fs::remove_file(folder.join("keyring")).unwrap();

    let summary = salvage(&[backup, folder], &root(), &bed.path("data"), NOW).unwrap();
    assert_eq!((summary.objects, summary.opened), (900, 900), "{summary}");
    assert_eq!(kept(&founded(&bed.path("data"))), kept(&applied(&events)));
}

#[test]
fn a_backup_that_was_cut_off_gives_what_is_before_the_cut() {
    let bed = Bed::new();
    let events = bed.events(600);
    let backup = bed.backup("a.backup", &events);
    let whole = fs::read(&backup).unwrap();
    fs::write(&backup, &whole[..140_000]).unwrap();
    let summary = salvage(&[backup], &root(), &bed.path("data"), NOW).unwrap();
    assert!(summary.objects > 300 && summary.objects < 450, "{summary}");
    assert!(summary.to_string().contains("its end is missing"), "{summary}");
    founded(&bed.path("data"));
}

#[test]
fn a_backup_whose_very_end_is_damaged_gives_all_of_it() {
    let bed = Bed::new();
    let backup = bed.backup("a.backup", &bed.events(300));
    let whole = fs::read(&backup).unwrap();
    for length in [whole.len() - 1, whole.len() - 60, whole.len() - 112] {
        fs::write(&backup, &whole[..length]).unwrap();
        let data_dir = bed.path(&format!("data-{length}"));
        let summary = salvage(std::slice::from_ref(&backup), &root(), &data_dir, NOW).unwrap();
        assert_eq!((summary.objects, summary.sources[0].damaged), (300, 0), "{summary}");
    }
}

#[test]
fn two_clusters_restored_from_one_backup_can_be_brought_together_again() {
    let bed = Bed::new();
    let backup = bed.backup("a.backup", &bed.events(10));
    let mut folders = vec![backup.clone()];
    for (name, key) in [("one", 11), ("two", 12)] {
        let data_dir = bed.path(name);
        restore(&backup, &root(), &data_dir, false, NOW).unwrap();
        // A key of its own, which only this cluster knows.
        let keyring = Keyring::open(root(), &data_dir.join("keyring")).unwrap();
        let own = Bed { dir: tempfile::tempdir().unwrap(), keyring };
        let mut log = crate::disk::SledLog::open(&data_dir.join("log"), Some([key as u8; 16])).unwrap();
        let bytes = entry(1, 1, &[own.created(key)]);
        crate::disk::Log::append(&mut log, &[crate::disk::Entry { index: 1, bytes }]).unwrap();
        crate::disk::Log::sync(&mut log).unwrap();
        folders.push(data_dir);
    }
    let summary = salvage(&folders, &root(), &bed.path("data"), NOW).unwrap();
    assert_eq!((summary.objects, summary.opened), (12, 12), "{summary}");
    assert_eq!(founded(&bed.path("data")).data_keys().count(), 4);
}

#[test]
fn a_log_without_its_store_or_snapshot_still_gives_its_keys() {
    let bed = Bed::new();
    let events = bed.events(200);
    let folder = bed.folder("one", &events[..101], &events[101..]);
    for name in ["conf", "identity"] {
        fs::remove_file(folder.join("log").join(name)).unwrap();
    }
    fs::write(folder.join("snapshot-00000000000000000101.kms"), b"").unwrap();
    let summary = salvage(&[folder], &root(), &bed.path("data"), NOW).unwrap();
    assert_eq!(summary.objects, 100, "{summary}");
    founded(&bed.path("data"));
}

#[test]
fn a_key_whose_creation_is_damaged_everywhere_is_reported_by_its_identifier() {
    let bed = Bed::new();
    let mut events = bed.events(20);
    events.push(Event::Served { id: id(13) });
    let folder = bed.folder("one", &events[..1], &events[1..]);
    damage(&db(&folder), [13]);
    let summary = salvage(&[folder], &root(), &bed.path("data"), NOW).unwrap();
    assert_eq!((summary.objects, summary.lost.as_slice()), (19, &[id(13)][..]), "{summary}");
    assert!(!summary.is_whole());
    let text = summary.to_string();
    assert!(text.contains(&format!("LOST: 1 objects that nothing readable makes: {}", id(13))), "{text}");
    assert!(text.contains("1 log entries cannot be read"), "{text}");
    founded(&bed.path("data"));
}

#[test]
fn what_was_destroyed_stays_so_and_what_was_passed_over_never_happened() {
    let bed = Bed::new();
    let mut events = bed.events(5);
    let backup = bed.backup("a.backup", &events);
    events.push(Event::Destroyed { id: id(2), at: 9000, state: State::Destroyed });
    let folder = bed.folder("one", &[], &events);
    // A command that was decided in another term than it was written in: no node carried it out.
    let mut log = crate::disk::SledLog::open(&folder.join("log"), None).unwrap();
    let stale = Event::Destroyed { id: id(3), at: 9000, state: State::Destroyed };
    crate::disk::Log::append(&mut log, &[crate::disk::Entry { index: 8, bytes: entry(4, 3, &[stale]) }])
        .unwrap();
    crate::disk::Log::sync(&mut log).unwrap();
    drop(log);
    let summary = salvage(&[backup, folder], &root(), &bed.path("data"), NOW).unwrap();
    assert_eq!((summary.objects, summary.opened), (5, 4), "{summary}");
    assert_eq!(kept(&founded(&bed.path("data"))), kept(&applied(&events)));
}

#[test]
fn what_was_destroyed_in_an_entry_that_another_log_overtook_does_not_count() {
    // The entries were written in term 3 under node 1: another term came after it, or another leader of the same one.
    for (term, leader) in [(4, 1), (3, 2)] {
        let bed = Bed::new();
        let events = bed.events(4);
        let mut stale = events.clone();
        stale.push(Event::Destroyed { id: id(2), at: 9000, state: State::Destroyed });
        stale.push(bed.created(9));
        let deposed = bed.folder("one", &[], &stale);
        let other = bed.folder("two", &[], &events);
        // The next leader's first entry, which is no command.
        let mut log = crate::disk::SledLog::open(&other.join("log"), None).unwrap();
        let first = crate::disk::Entry { index: 6, bytes: blank(term, leader) };
        crate::disk::Log::append(&mut log, &[first]).unwrap();
        crate::disk::Log::sync(&mut log).unwrap();
        drop(log);
        let summary = salvage(&[deposed, other], &root(), &bed.path("data"), NOW).unwrap();
        assert_eq!((summary.objects, summary.opened), (5, 5), "{summary}");
        assert!(summary.to_string().contains(&format!("entry 6 would destroy {}", id(2))), "{summary}");
    }
}

#[test]
fn clients_that_not_every_source_knows_are_named() {
    let bed = Bed::new();
    let mut events = bed.events(2);
    events.push(Event::ClientRegistered { client: client("vc-old", 8) });
    let backup = bed.backup("a.backup", &events);
    events.push(Event::ClientRemoved { name: "vc-old".to_owned() });
    let folder = bed.folder("one", &events, &[]);
    let summary = salvage(&[folder, backup], &root(), &bed.path("data"), NOW).unwrap();
    assert_eq!(summary.doubtful_clients, ["vc-old"]);
    assert!(summary.to_string().contains("remove those again that you had removed: vc-old"), "{summary}");
}

#[test]
fn data_keys_that_differ_under_one_version_are_refused() {
    let (bed, other) = (Bed::new(), Bed::new());
    let mine = bed.backup("a.backup", &bed.events(2));
    let theirs = other.backup("b.backup", &other.events(2));
    let error = salvage(&[mine, theirs], &root(), &bed.path("data"), NOW).unwrap_err();
    assert!(matches!(error, RestoreError::OtherCluster { version: 1, .. }), "{error}");
    assert!(error.to_string().contains("hint: these are not of one cluster"), "{error}");
    assert!(!bed.path("data").exists());
}

#[test]
fn data_keys_are_found_in_the_log_where_the_keyring_is_damaged() {
    let bed = Bed::new();
    let (version, wrapped) = bed.keyring.new_data_key().unwrap();
    bed.keyring.adopt(version, &wrapped).unwrap();
    let mut events = vec![Event::DataKey { version, wrapped }];
    events.extend(bed.events(4));
    let folder = bed.folder("one", &[], &events);
    // Both rows and the whole form: only what each row says of itself is left.
    let keyring = folder.join("keyring");
    let mut bytes = fs::read(&keyring).unwrap();
    bytes.truncate(12 + 72 + 40);
    bytes[8] ^= 0x55;
    fs::write(&keyring, bytes).unwrap();
    assert!(Keyring::open(root(), &keyring).is_err());
    let summary = salvage(&[folder], &root(), &bed.path("data"), NOW).unwrap();
    assert_eq!(summary.opened, 4, "{summary}");
    founded(&bed.path("data"));
}

#[test]
fn a_data_directory_that_is_a_source_is_moved_aside_and_any_other_is_refused() {
    let bed = Bed::new();
    let events = bed.events(20);
    let data_dir = bed.folder("data", &events[..5], &events[5..]);
    let backup = bed.backup("a.backup", &events[..10]);
    let error = salvage(std::slice::from_ref(&backup), &root(), &data_dir, NOW).unwrap_err();
    assert!(error.to_string().contains("It is not among the sources"), "{error}");
    let summary = salvage(&[backup, data_dir.clone()], &root(), &data_dir, NOW).unwrap();
    assert_eq!(summary.moved_aside, Some(bed.path("data.before-restore-2027-01-15T08-00-00Z")));
    assert_eq!(kept(&founded(&data_dir)), kept(&applied(&events)));
}

#[test]
fn a_wrong_root_key_is_said_and_nothing_is_made() {
    let bed = Bed::new();
    let folder = bed.folder("one", &[], &bed.events(2));
    let backup = bed.backup("a.backup", &bed.events(2));
    let error =
        salvage(&[folder, backup], &RootKey::new(&[9; 32]), &bed.path("data"), NOW).unwrap_err().to_string();
    assert!(error.contains("hint: is it the root key of that cluster?"), "{error}");
    assert!(error.contains("data key 1 in its keyring does not unwrap"), "{error}");
    assert!(error.contains("made under another root key"), "{error}");
    assert!(!bed.path("data").exists());
}
