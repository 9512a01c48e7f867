//! Restoring: a data directory from which a new cluster is founded, out of one backup.

use std::collections::BTreeMap;
use std::path::Path;

use kms_core::{Objects, Record};

use super::folder;
use super::merge::is_newer;
use super::read::Reader;
use super::report::{Summary, listed};
use super::target::{RestoreError, Target, io};
use super::verify::check;
use crate::certificate::utc;
use crate::root_key::RootKey;

/// Makes a data directory out of a backup, which is first read to its end and proven.
///
/// Where a node's data is in the directory already it is refused, in words that say what would be lost; with `lose_newer`
/// that directory is moved aside. `now` is seconds since 1970.
///
/// # Errors
/// [`RestoreError`]; what was in the directory is then as it was.
pub fn restore(
    path: &Path,
    root: &RootKey,
    data_dir: &Path,
    lose_newer: bool,
    now: i64,
) -> Result<Summary, RestoreError> {
    let target = Target::examine(data_dir)?;
    let there = match target.holds_data && !lose_newer {
        true => Some(held(data_dir)?),
        false => None,
    };
    let mut compared = there.as_ref().map(Compared::new);
    let mut summary = Summary::new(data_dir);
    let manifest = check(path, root, |record| {
        match record {
            Record::Object(object) => {
                summary.objects += 1;
                summary.opened += u64::from(object.material.is_some());
            }
            Record::Client(_) => summary.clients += 1,
            Record::Event(_) | Record::Answer { .. } | Record::AnswersSeen { .. } => {}
        }
        if let Some(compared) = &mut compared {
            compared.look(record);
        }
    })?;
    if let Some(compared) = compared {
        let made = utc(manifest.made_at);
        return Err(RestoreError::WouldLose { path: data_dir.to_owned(), what: compared.words(&made) });
    }
    let mut reader = Reader::open(path, root)?;
    let data_keys = reader.data_keys().to_vec();
    let records = manifest.objects + manifest.clients;
    summary.moved_aside = target.fill(root, now, &data_keys, records, || Ok(reader.next_record()?))?;
    summary.manifest = Some(manifest);
    Ok(summary)
}

/// What a data directory holds, as far as it can be read.
fn held(data_dir: &Path) -> Result<Objects, RestoreError> {
    let opened = folder::open(data_dir).map_err(io(data_dir, "reading it"))?;
    Ok(opened.read(&BTreeMap::new()).objects)
}

/// What is in a data directory and not in a backup.
struct Compared<'a> {
    objects: BTreeMap<kms_core::Id, &'a kms_core::Object>,
    clients: BTreeMap<&'a str, i64>,
    newer: Vec<kms_core::Id>,
}

impl<'a> Compared<'a> {
    fn new(there: &'a Objects) -> Compared<'a> {
        Compared {
            objects: there.iter().map(|object| (object.id, &**object)).collect(),
            clients: there.clients().map(|known| (&*known.client.name, known.registered_at)).collect(),
            newer: Vec::new(),
        }
    }

    /// What the backup has is not lost.
    fn look(&mut self, record: &Record) {
        match record {
            Record::Object(object) => {
                if let Some(known) = self.objects.remove(&object.id)
                    && is_newer(known, object)
                {
                    self.newer.push(object.id);
                }
            }
            Record::Client(client) => {
                let name = &*client.client.name;
                if self.clients.get(name).is_some_and(|registered_at| *registered_at <= client.registered_at)
                {
                    self.clients.remove(name);
                }
            }
            Record::Event(_) | Record::Answer { .. } | Record::AnswersSeen { .. } => {}
        }
    }

    fn words(&self, made: &str) -> String {
        let mut words = Vec::new();
        if !self.objects.is_empty() {
            let ids = listed(self.objects.keys());
            words.push(format!(
                "{} objects that the backup does not have would be lost: {ids}.",
                self.objects.len()
            ));
        }
        if !self.newer.is_empty() {
            let ids = listed(self.newer.iter());
            words.push(format!(
                "{} objects would go back to what they were at {made}: {ids}.",
                self.newer.len()
            ));
        }
        if !self.clients.is_empty() {
            let names = listed(self.clients.keys());
            words.push(format!("{} clients would be lost or older: {names}.", self.clients.len()));
        }
        if words.is_empty() {
            words.push(
                "As far as it can be read, the backup has all of it; other nodes may know more.".to_owned(),
            );
        }
        words.join(" ")
    }
}
