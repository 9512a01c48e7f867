//! Salvage: one new cluster out of whatever damaged data folders and backups still hold.
//!
//! Keys never change and identifiers are never used again, so the union of all copies is safe; see [`merge`]. No source is
//! changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kms_core::{Id, Object, Record, RegisteredClient};

use super::folder::Folder;
use super::format::Item;
use super::merge::{merge, merge_client};
use super::report::{SourceReport, Summary};
use super::target::{RestoreError, Target, io, refuse_running};
use super::verify::opens;
use super::{backup_left, folder};
use crate::root_key::RootKey;
use crate::seal::{Added, Opener};

/// Merges data folders (a node's data directory, or the directory that has it as `data`) and backup files, and makes a data
/// directory of all that they hold together.
///
/// Where `data_dir` holds a node's data it must be among the sources, and is moved aside when all is read. `now` is seconds
/// since 1970. What is damaged is passed over and counted in the [`Summary`].
///
/// # Errors
/// [`RestoreError`]; what was in `data_dir` is then as it was.
pub fn salvage(
    paths: &[PathBuf],
    root: &RootKey,
    data_dir: &Path,
    now: i64,
) -> Result<Summary, RestoreError> {
    let target = Target::examine(data_dir)?;
    let same = |path: &Path| path.canonicalize().ok() == data_dir.canonicalize().ok();
    let sources: Vec<PathBuf> = paths.iter().map(|path| folder::data_dir_of(path)).collect();
    if target.holds_data && !sources.iter().any(|path| same(path)) {
        let what = format!(
            "It is not among the sources of this salvage; name it too: {}, and it is moved aside once it was read.",
            data_dir.display()
        );
        return Err(RestoreError::WouldLose { path: data_dir.to_owned(), what });
    }
    let mut union = Union::default();
    let (mut folders, mut newest) = (Vec::new(), BTreeMap::new());
    for path in &sources {
        if !path.is_dir() {
            union.take_backup(path, root)?;
            continue;
        }
        if !same(path) {
            refuse_running(path)?;
        }
        let folder = folder::open(path).map_err(io(path, "reading it"))?;
        for (index, written) in &folder.written {
            let high = newest.entry(*index).or_insert(*written);
            *high = (*high).max(*written);
        }
        folders.push((path, folder));
    }
    for (path, folder) in folders {
        union.take_folder(path, folder.read(&newest), root)?;
    }
    union.finish(root, target, data_dir, now)
}

/// All that was read so far.
#[derive(Default)]
struct Union {
    objects: BTreeMap<Id, Arc<Object>>,
    /// Material that differs from what `objects` holds of the same object.
    others: BTreeMap<Id, Vec<Vec<u8>>>,
    clients: BTreeMap<String, Arc<RegisteredClient>>,
    /// In how many sources each client is.
    known_by: BTreeMap<String, usize>,
    with_clients: usize,
    opener: Opener,
    data_keys: BTreeMap<u32, Vec<u8>>,
    /// Data keys that stand in logs and snapshots alone: they count where no keyring or backup has the version.
    logged_keys: Vec<(PathBuf, u32, Vec<u8>)>,
    unmade: BTreeSet<Id>,
    reports: Vec<SourceReport>,
}

impl Union {
    fn take_folder(&mut self, path: &Path, mut folder: Folder, root: &RootKey) -> Result<(), RestoreError> {
        for (version, wrapped) in &folder.keyring {
            if self.take_data_key(path, root, *version, wrapped)? == Added::Refused {
                folder.report.note(format!(
                    "data key {version} in its keyring does not unwrap: damaged, or of another root key"
                ));
                folder.report.damaged += 1;
            }
        }
        let logged = folder.objects.data_keys();
        self.logged_keys
            .extend(logged.map(|(version, wrapped)| (path.to_owned(), version, wrapped.to_vec())));
        folder.objects.iter().for_each(|object| self.take_object(Arc::clone(object)));
        self.take_clients(folder.objects.clients().cloned().collect());
        self.unmade.append(&mut folder.unmade);
        self.reports.push(folder.report);
        Ok(())
    }

    fn take_backup(&mut self, path: &Path, root: &RootKey) -> Result<(), RestoreError> {
        let (mut keys, mut records) = (Vec::new(), Vec::new());
        let (mut unknown, mut clients) = (0, Vec::new());
        let mut report = backup_left::read(path, root, |item| match item {
            Item::DataKey { version, wrapped } => keys.push((version, wrapped)),
            Item::Record(bytes) => match Record::decode(&bytes) {
                Ok(Record::Object(object)) => records.push(object),
                Ok(Record::Client(client)) => clients.push(client),
                Ok(Record::Event(_) | Record::Answer { .. } | Record::AnswersSeen { .. }) => {}
                Err(_) => unknown += 1,
            },
        })?;
        for (version, wrapped) in keys {
            self.take_data_key(path, root, version, &wrapped)?;
        }
        report.damaged += unknown;
        report.objects = records.len() as u64;
        report.clients = clients.len() as u64;
        records.into_iter().for_each(|object| self.take_object(object));
        self.take_clients(clients);
        self.reports.push(report);
        Ok(())
    }

    fn take_data_key(
        &mut self,
        path: &Path,
        root: &RootKey,
        version: u32,
        wrapped: &[u8],
    ) -> Result<Added, RestoreError> {
        let added = self.opener.add(root, version, wrapped)?;
        match added {
            Added::New => {
                self.data_keys.insert(version, wrapped.to_vec());
            }
            Added::Known | Added::Refused => {}
            Added::Other => return Err(RestoreError::OtherCluster { path: path.to_owned(), version }),
        }
        Ok(added)
    }

    fn take_object(&mut self, object: Arc<Object>) {
        let Some(known) = self.objects.get_mut(&object.id) else {
            self.objects.insert(object.id, object);
            return;
        };
        if let (Some(one), Some(other)) = (&known.material, &object.material)
            && one != other
        {
            let others = self.others.entry(object.id).or_default();
            others.extend([one.clone(), other.clone()]);
        }
        *known = merge(known, &object);
    }

    fn take_clients(&mut self, clients: Vec<Arc<RegisteredClient>>) {
        self.with_clients += usize::from(!clients.is_empty());
        for client in clients {
            let name = client.client.name.to_string();
            *self.known_by.entry(name.clone()).or_default() += 1;
            let kept = self.clients.entry(name).or_insert_with(|| Arc::clone(&client));
            *kept = Arc::clone(merge_client(kept, &client));
        }
    }

    fn finish(
        mut self,
        root: &RootKey,
        target: Target,
        data_dir: &Path,
        now: i64,
    ) -> Result<Summary, RestoreError> {
        for (path, version, wrapped) in std::mem::take(&mut self.logged_keys) {
            // A key that was decided but never adopted may differ from the one that was.
            if !self.data_keys.contains_key(&version) {
                self.take_data_key(&path, root, version, &wrapped)?;
            }
        }
        if self.data_keys.is_empty() || (self.objects.is_empty() && self.clients.is_empty()) {
            let found: Vec<String> = self.reports.iter().map(ToString::to_string).collect();
            return Err(RestoreError::Nothing { found: found.join("\n") });
        }
        let mut summary = Summary::new(data_dir);
        for object in self.objects.values_mut() {
            match opens(&self.opener, object) {
                Ok(had_material) => summary.opened += u64::from(had_material),
                Err(_) => match other_material(&self.opener, object, self.others.get(&object.id)) {
                    Some(better) => {
                        *object = Arc::new(better);
                        summary.opened += 1;
                    }
                    None => summary.unopened.push(object.id),
                },
            }
        }
        summary.objects = self.objects.len() as u64;
        summary.clients = self.clients.len() as u64;
        summary.lost = self.unmade.iter().filter(|id| !self.objects.contains_key(id)).copied().collect();
        let doubtful = self.known_by.iter().filter(|(_, sources)| **sources < self.with_clients);
        summary.doubtful_clients = doubtful.map(|(name, _)| name.clone()).collect();
        summary.sources = self.reports;

        let data_keys: Vec<(u32, Vec<u8>)> = self.data_keys.into_iter().collect();
        let records = summary.objects + summary.clients;
        let clients = self.clients.into_values().map(Record::Client);
        let mut all = self.objects.into_values().map(Record::Object).chain(clients);
        summary.moved_aside = target.fill(root, now, &data_keys, records, || {
            Ok(all.next().map(|record| {
                let mut bytes = Vec::new();
                record.encode(&mut bytes);
                bytes
            }))
        })?;
        Ok(summary)
    }
}

/// The object with the first of the other materials that opens.
fn other_material(opener: &Opener, object: &Object, others: Option<&Vec<Vec<u8>>>) -> Option<Object> {
    others?.iter().find_map(|material| {
        let object = Object { material: Some(material.clone()), ..object.clone() };
        opens(opener, &object).is_ok().then_some(object)
    })
}
