//! What the tests of backups stand on: a keyring, objects as kms-core makes them, and data folders as nodes leave them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kmip::Attribute;
use kmip::enumeration::ObjectType;
use kms_core::{
    Client, Event, Id, Objects, Record, RegisteredClient, Rights, State, Tenant, Trust, TrustKind,
};
use ttlv::{Value, Writer};

use super::entry::COMMAND_HEAD_BYTES;
use super::*;
use crate::disk::{Entry, Log, SledLog, Snapshots};
use crate::root_key::RootKey;
use crate::seal::{Keyring, SealContext};

/// When all of this happens.
pub(super) const NOW: i64 = 1_800_000_000;

pub(super) fn root() -> RootKey {
    RootKey::new(&[0x11; 32])
}

/// A directory with a keyring, and what is to be stored.
pub(super) struct Bed {
    pub(super) dir: tempfile::TempDir,
    pub(super) keyring: Keyring,
}

impl Bed {
    pub(super) fn new() -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(root(), &dir.path().join("keyring")).unwrap();
        Bed { dir, keyring }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The plain material of key `number`.
    pub(super) fn material(number: u32) -> Vec<u8> {
        number.to_be_bytes().repeat(8)
    }

    /// Key `number` comes to be, at second `number`.
    pub(super) fn created(&self, number: u32) -> Event {
        let id = id(number);
        let about = SealContext { id: &id.to_string(), object_type: 2, tenant: "vc01" };
        let name = kmip::attribute::Name::text(format!("vm-{number}"));
        Event::Created {
            id,
            tenant: Tenant::new("vc01"),
            object_type: ObjectType::SymmetricKey,
            state: State::Active,
            at: i64::from(number),
            attributes: vec![
                Attribute::new(kmip::StandardAttribute::Name, name.to_value()),
                Attribute::new(kmip::StandardAttribute::CryptographicLength, Value::Integer(256)),
            ],
            material: Some(self.keyring.seal(&about, &Bed::material(number)).unwrap()),
        }
    }

    /// Keys 1 to `keys` and one client.
    pub(super) fn events(&self, keys: u32) -> Vec<Event> {
        let mut events = vec![Event::ClientRegistered { client: client("vc01-a", 7) }];
        events.extend((1..=keys).map(|number| self.created(number)));
        events
    }

    /// Writes a backup of what these events make.
    pub(super) fn backup(&self, name: &str, events: &[Event]) -> PathBuf {
        let path = self.path(name);
        let backup = Backup::new(
            &root(),
            Made { at: NOW, node: "node1".to_owned(), number: 1, index: 99 },
            self.keyring.export().unwrap(),
            applied(events).records(),
        );
        let pieces: Vec<Vec<u8>> = backup.unwrap().map(Result::unwrap).collect();
        fs::write(&path, pieces.concat()).unwrap();
        path
    }

    /// Makes a data folder as a node leaves it: `snapshot` events in a snapshot, the others one an entry behind it.
    pub(super) fn folder(&self, name: &str, snapshot: &[Event], entries: &[Event]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(path.join("node.json"), "{}").unwrap();
        fs::copy(self.path("keyring"), path.join("keyring")).unwrap();
        let mut id = [0xa7; 16];
        id[..name.len().min(16)].copy_from_slice(&name.as_bytes()[..name.len().min(16)]);
        let mut log = SledLog::open(&path.join("log"), Some(id)).unwrap();
        let index = snapshot.len() as u64;
        if index > 0 {
            log.purge_to(index).unwrap();
            let records = applied(snapshot).records();
            let mut writer = Snapshots::new(&path, 2).create(index, records.len() as u64 + 1).unwrap();
            let mut head = Vec::new();
            Writer::new(&mut head).structure(ttlv::Tag::new(0x54_0112), |_| {});
            writer.write(&head).unwrap();
            for record in records {
                writer.write(&encoded(&record)).unwrap();
            }
            writer.finish().unwrap();
        }
        for (place, event) in (index + 1..).zip(entries) {
            log.append(&[Entry { index: place, bytes: entry(3, 3, std::slice::from_ref(event)) }]).unwrap();
        }
        log.sync().unwrap();
        drop(log);
        path
    }
}

/// An entry as the engine writes it.
pub(super) fn entry(term: u64, decided_in: u64, events: &[Event]) -> Vec<u8> {
    let mut command = vec![0; COMMAND_HEAD_BYTES];
    Event::encode_all(events, &mut command);
    crate::engine::entry_for_tests((term, 1), Some((decided_in, command)))
}

/// A new leader's first entry.
pub(super) fn blank(term: u64, leader: u64) -> Vec<u8> {
    crate::engine::entry_for_tests((term, leader), None)
}

pub(super) fn id(number: u32) -> Id {
    let mut bytes = [0x42; 16];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    Id::from_slice(&bytes).unwrap()
}

pub(super) fn client(name: &str, registered_at: i64) -> RegisteredClient {
    RegisteredClient {
        client: Client { name: name.into(), tenant: Tenant::new("vc01"), rights: Rights::default() },
        trust: Trust { kind: TrustKind::Pinned, certificate: b"certificate".to_vec() },
        credentials: kms_core::KnownCredentials::default(),
        registered_at,
    }
}

pub(super) fn applied(events: &[Event]) -> Objects {
    let mut objects = Objects::default();
    events.iter().for_each(|event| objects.apply(event));
    objects
}

pub(super) fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

/// What a node makes of a data directory at its first start: proposes what is pending, and can open every key.
pub(super) fn founded(data_dir: &Path) -> Objects {
    assert_eq!(
        fs::read_to_string(data_dir.join("birth.json")).unwrap().trim(),
        r#"{"number":1,"founds":true}"#
    );
    let keyring = Keyring::open(root(), &data_dir.join("keyring")).unwrap();
    let file = pending(data_dir).unwrap().unwrap();
    let mut objects = Objects::default();
    let (mut records, mut stored) = (0, Vec::new());
    for batch in file.batches().unwrap() {
        let batch = batch.unwrap();
        assert!(batch.len() <= BATCH_RECORDS_MAX);
        records += batch.len() as u64;
        stored.clear();
        Event::encode_all(&batch, &mut stored);
        Event::decode_all(&stored).unwrap().iter().for_each(|event| objects.apply(event));
    }
    assert_eq!(records, file.count());
    file.done().unwrap();
    assert!(pending(data_dir).unwrap().is_none());
    for (version, wrapped) in objects.data_keys() {
        keyring.adopt(version, wrapped).unwrap();
    }
    for object in objects.iter() {
        open(&keyring, object);
    }
    objects
}

fn open(keyring: &Keyring, object: &Arc<kms_core::Object>) {
    let Some(sealed) = &object.material else { return };
    let id = object.id.to_string();
    let about =
        SealContext { id: &id, object_type: object.object_type.number(), tenant: object.tenant.as_str() };
    let number = u32::try_from(object.initial_date).unwrap();
    assert_eq!(&**keyring.open_sealed(&about, sealed).unwrap(), Bed::material(number));
}

/// Objects and clients, without what a cluster keeps of its own affairs.
pub(super) fn kept(objects: &Objects) -> Vec<Vec<u8>> {
    let records = objects.records();
    let kept = records.iter().filter(|record| matches!(record, Record::Object(_) | Record::Client(_)));
    kept.map(encoded).collect()
}

/// Flips a bit in every place of a file where `needle` stands, `behind` bytes behind its begin; how many there were.
pub(super) fn flip_behind(path: &Path, needle: &[u8], behind: usize) -> usize {
    let mut bytes = fs::read(path).unwrap();
    let places: Vec<usize> =
        (0..bytes.len().saturating_sub(needle.len())).filter(|at| bytes[*at..].starts_with(needle)).collect();
    places.iter().for_each(|at| bytes[at + behind] ^= 1);
    fs::write(path, bytes).unwrap();
    places.len()
}
