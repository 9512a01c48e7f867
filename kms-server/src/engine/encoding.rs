//! What the engine writes to disk, as TTLV with private tags (0x5401xx): entries, the log's metadata, a snapshot's first
//! record. The same codec, with the same bounds, that reads the wire. Messages are in [`messages`](super::messages).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openraft::{EntryPayload, LeaderId};
use ttlv::{Budget, Error, ErrorKind, Item, Limits, Reader, Tag, Writer};

use super::Content;
use super::runtime::{Command, Entry, LogId, Membership, StoredMembership, Vote};
use super::types::Member;

#[rustfmt::skip]
pub(super) mod tag {
    use ttlv::Tag;

    pub(in crate::engine) const ENTRY:         Tag = Tag::new(0x54_0101);
    pub(in crate::engine) const TERM:          Tag = Tag::new(0x54_0102);
    pub(in crate::engine) const NODE:          Tag = Tag::new(0x54_0103);
    pub(in crate::engine) const INDEX:         Tag = Tag::new(0x54_0104);
    pub(in crate::engine) const DECIDED_IN:    Tag = Tag::new(0x54_0105);
    pub(in crate::engine) const COMMAND:       Tag = Tag::new(0x54_0106);
    pub(in crate::engine) const MEMBERSHIP:    Tag = Tag::new(0x54_0107);
    pub(in crate::engine) const VOTERS:        Tag = Tag::new(0x54_0108);
    pub(in crate::engine) const MEMBER:        Tag = Tag::new(0x54_0109);
    pub(in crate::engine) const NAME:          Tag = Tag::new(0x54_010a);
    pub(in crate::engine) const LINK:          Tag = Tag::new(0x54_010b);
    pub(in crate::engine) const KMIP:          Tag = Tag::new(0x54_010c);
    pub(in crate::engine) const METADATA:      Tag = Tag::new(0x54_010d);
    pub(in crate::engine) const VOTE:          Tag = Tag::new(0x54_010e);
    pub(in crate::engine) const VOTE_SETTLED:  Tag = Tag::new(0x54_010f);
    pub(in crate::engine) const PURGED:        Tag = Tag::new(0x54_0110);
    pub(in crate::engine) const DECIDED:       Tag = Tag::new(0x54_0111);
    pub(in crate::engine) const SNAPSHOT_HEAD: Tag = Tag::new(0x54_0112);
    pub(in crate::engine) const APPLIED:       Tag = Tag::new(0x54_0113);
    pub(in crate::engine) const MEMBERSHIP_AT: Tag = Tag::new(0x54_0114);
}

/// Checksums, the log's bound on an entry and the links' bound on a frame watch over the bytes; here only the stack is
/// guarded. An entry that was acknowledged must never be too large to be read back.
const STORED: Limits = Limits { message_bytes_max: usize::MAX, depth_max: 16, items_max: u32::MAX };

/// Reads one message, a structure of this tag, to its end.
pub(super) fn read_whole<T>(
    bytes: &[u8],
    tag: Tag,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let budget = Budget::new(STORED);
    let mut message = Reader::items(bytes, &budget);
    let mut reader = message.required(tag)?.structure()?;
    let value = read(&mut reader)?;
    reader.finish()?;
    message.finish()?;
    Ok(value)
}

pub(super) fn write_number(writer: &mut Writer<'_>, tag: Tag, number: u64) {
    writer.long_integer(tag, number.cast_signed());
}

pub(super) fn read_number(reader: &mut Reader<'_>, tag: Tag) -> Result<u64, Error> {
    Ok(reader.required(tag)?.long_integer()?.cast_unsigned())
}

pub(super) fn write_log_id(writer: &mut Writer<'_>, tag: Tag, id: Option<&LogId>) {
    if let Some(id) = id {
        writer.structure(tag, |writer| log_id_fields(writer, id));
    }
}

pub(super) fn read_log_id(reader: &mut Reader<'_>, tag: Tag) -> Result<Option<LogId>, Error> {
    let Some(item) = reader.optional(tag)? else { return Ok(None) };
    let mut reader = item.structure()?;
    let id = read_log_id_fields(&mut reader)?;
    reader.finish()?;
    Ok(Some(id))
}

fn log_id_fields(writer: &mut Writer<'_>, id: &LogId) {
    write_number(writer, tag::TERM, id.leader_id.term);
    write_number(writer, tag::NODE, id.leader_id.node_id);
    write_number(writer, tag::INDEX, id.index);
}

fn read_log_id_fields(reader: &mut Reader<'_>) -> Result<LogId, Error> {
    let leader = LeaderId::new(read_number(reader, tag::TERM)?, read_number(reader, tag::NODE)?);
    Ok(LogId::new(leader, read_number(reader, tag::INDEX)?))
}

pub(super) fn write_vote(writer: &mut Writer<'_>, vote: &Vote) {
    writer.structure(tag::VOTE, |writer| {
        write_number(writer, tag::TERM, vote.leader_id.term);
        write_number(writer, tag::NODE, vote.leader_id.node_id);
        writer.boolean(tag::VOTE_SETTLED, vote.committed);
    });
}

pub(super) fn read_vote(item: &Item<'_>) -> Result<Vote, Error> {
    let mut reader = item.structure()?;
    let leader_id = LeaderId::new(read_number(&mut reader, tag::TERM)?, read_number(&mut reader, tag::NODE)?);
    let committed = reader.required(tag::VOTE_SETTLED)?.boolean()?;
    reader.finish()?;
    Ok(Vote { leader_id, committed })
}

fn write_membership(writer: &mut Writer<'_>, membership: &Membership) {
    writer.structure(tag::MEMBERSHIP, |writer| {
        for voters in membership.get_joint_config() {
            writer.structure(tag::VOTERS, |writer| {
                voters.iter().for_each(|id| write_number(writer, tag::NODE, *id));
            });
        }
        for (id, member) in membership.nodes() {
            writer.structure(tag::MEMBER, |writer| {
                write_number(writer, tag::NODE, *id);
                writer.text_string(tag::NAME, &member.name);
                writer.text_string(tag::LINK, &member.link);
                writer.text_string(tag::KMIP, &member.kmip);
            });
        }
    });
}

fn read_membership(item: &Item<'_>) -> Result<Membership, Error> {
    let mut reader = item.structure()?;
    let mut joint = Vec::new();
    while let Some(item) = reader.optional(tag::VOTERS)? {
        let (mut inner, mut voters) = (item.structure()?, BTreeSet::new());
        while let Some(id) = inner.optional(tag::NODE)? {
            voters.insert(id.long_integer()?.cast_unsigned());
        }
        inner.finish()?;
        joint.push(voters);
    }
    let mut members = BTreeMap::new();
    while let Some(item) = reader.optional(tag::MEMBER)? {
        let mut inner = item.structure()?;
        let id = read_number(&mut inner, tag::NODE)?;
        let name = inner.required(tag::NAME)?.text_string()?.to_owned();
        let link = inner.required(tag::LINK)?.text_string()?.to_owned();
        let kmip = inner.required(tag::KMIP)?.text_string()?.to_owned();
        inner.finish()?;
        members.insert(id, Member { name, link, kmip });
    }
    reader.finish()?;
    if joint.iter().flatten().any(|id| !members.contains_key(id)) {
        return Err(item.error(ErrorKind::WrongValue("a voter that is no member")));
    }
    Ok(Membership::new(joint, members))
}

/// Appends an entry.
pub(super) fn write_entry(writer: &mut Writer<'_>, entry: &Entry) {
    writer.structure(tag::ENTRY, |writer| {
        log_id_fields(writer, &entry.log_id);
        match &entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Normal(command) => {
                write_number(writer, tag::DECIDED_IN, command.decided_in);
                writer.byte_string(tag::COMMAND, &command.bytes);
            }
            EntryPayload::Membership(membership) => write_membership(writer, membership),
        }
    });
}

/// The bytes that the log holds of an entry.
pub(super) fn encode_entry(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entry_bytes(entry));
    write_entry(&mut Writer::new(&mut bytes), entry);
    bytes
}

/// About how many bytes an entry takes, in memory and encoded.
pub(super) fn entry_bytes(entry: &Entry) -> usize {
    /// Numbers and headers around a command; a membership is rare and small.
    const AROUND: usize = 128;
    match &entry.payload {
        EntryPayload::Normal(command) => AROUND + command.bytes.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => AROUND,
    }
}

/// Reads one entry inside a message.
pub(super) fn read_entry_fields(reader: &mut Reader<'_>) -> Result<Entry, Error> {
    let log_id = read_log_id_fields(reader)?;
    let payload = if reader.peek() == Some(tag::DECIDED_IN) {
        let decided_in = read_number(reader, tag::DECIDED_IN)?;
        let bytes = Arc::new(reader.required(tag::COMMAND)?.byte_string()?.to_vec());
        EntryPayload::Normal(Command { decided_in, bytes })
    } else if let Some(item) = reader.optional(tag::MEMBERSHIP)? {
        EntryPayload::Membership(read_membership(&item)?)
    } else {
        EntryPayload::Blank
    };
    Ok(Entry { log_id, payload })
}

/// Reads what [`encode_entry`] made, which must stand at `place` in the log.
pub(super) fn decode_entry(place: u64, bytes: &[u8]) -> Result<Entry, String> {
    let entry = read_whole(bytes, tag::ENTRY, read_entry_fields)
        .map_err(|error| format!("entry {place} of the log is not one of this version: {error}"))?;
    if entry.log_id.index.checked_add(1) != Some(place) {
        return Err(format!(
            "entry {place} of the log says that it is entry {}",
            entry.log_id.index.wrapping_add(1)
        ));
    }
    Ok(entry)
}

/// See [`super::read_entry`].
pub(super) fn content(bytes: &[u8]) -> Result<Content, String> {
    let entry = read_whole(bytes, tag::ENTRY, read_entry_fields).map_err(|error| error.to_string())?;
    let written = (entry.log_id.leader_id.term, entry.log_id.leader_id.node_id);
    Ok(match entry.payload {
        EntryPayload::Normal(command) => Content::Command {
            written,
            decided_in: command.decided_in,
            command: Arc::unwrap_or_clone(command.bytes),
        },
        EntryPayload::Blank | EntryPayload::Membership(_) => Content::Other { written },
    })
}

/// See [`super::entry_for_tests`].
#[cfg(test)]
pub(super) fn entry_for_tests(written: (u64, super::NodeId), command: Option<(u64, Vec<u8>)>) -> Vec<u8> {
    let payload = match command {
        Some((decided_in, bytes)) => EntryPayload::Normal(Command { decided_in, bytes: Arc::new(bytes) }),
        None => EntryPayload::Blank,
    };
    let log_id = LogId::new(openraft::CommittedLeaderId::new(written.0, written.1), 0);
    encode_entry(&Entry { log_id, payload })
}

/// What the log keeps beside its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) vote: Option<Vote>,
    /// The last entry that is gone from the front.
    pub(super) purged: Option<LogId>,
    /// An entry that is known to be decided, not necessarily the last one.
    pub(super) decided: Option<LogId>,
}

impl Metadata {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).structure(tag::METADATA, |writer| {
            if let Some(vote) = &self.vote {
                write_vote(writer, vote);
            }
            write_log_id(writer, tag::PURGED, self.purged.as_ref());
            write_log_id(writer, tag::DECIDED, self.decided.as_ref());
        });
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        read_whole(bytes, tag::METADATA, |reader| {
            let vote = reader.optional(tag::VOTE)?.map(|item| read_vote(&item)).transpose()?;
            let purged = read_log_id(reader, tag::PURGED)?;
            Ok(Self { vote, purged, decided: read_log_id(reader, tag::DECIDED)? })
        })
    }
}

/// A snapshot's first record: where in the log it stands, and who the members were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SnapshotHead {
    pub(super) applied: Option<LogId>,
    pub(super) membership: StoredMembership,
}

impl SnapshotHead {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).structure(tag::SNAPSHOT_HEAD, |writer| {
            write_log_id(writer, tag::APPLIED, self.applied.as_ref());
            write_log_id(writer, tag::MEMBERSHIP_AT, self.membership.log_id().as_ref());
            write_membership(writer, self.membership.membership());
        });
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        read_whole(bytes, tag::SNAPSHOT_HEAD, |reader| {
            let applied = read_log_id(reader, tag::APPLIED)?;
            let at = read_log_id(reader, tag::MEMBERSHIP_AT)?;
            let members = read_membership(&reader.required(tag::MEMBERSHIP)?)?;
            Ok(Self { applied, membership: StoredMembership::new(at, members) })
        })
    }

    /// Whether a record is one of these, by its first bytes.
    pub(super) fn is(record: &[u8]) -> bool {
        let budget = Budget::new(STORED);
        Reader::items(record, &budget).peek() == Some(tag::SNAPSHOT_HEAD)
    }

    /// A name for exactly this snapshot.
    pub(super) fn id(&self) -> String {
        self.applied.as_ref().map_or_else(String::new, LogId::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(term: u64, index: u64) -> LogId {
        LogId::new(LeaderId::new(term, 2), index)
    }

    fn membership() -> Membership {
        let member = |name: &str| Member { name: name.into(), link: "a:1".into(), kmip: "b:2".into() };
        let joint = vec![BTreeSet::from([1, 2]), BTreeSet::from([2])];
        Membership::new(joint, BTreeMap::from([(1, member("one")), (2, member("two")), (9, member("nine"))]))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let command = Command { decided_in: 7, bytes: Arc::new(vec![1, 2, 3]) };
        let payloads =
            [EntryPayload::Blank, EntryPayload::Normal(command), EntryPayload::Membership(membership())];
        for payload in payloads {
            let entry = Entry { log_id: id(8, 41), payload };
            let bytes = encode_entry(&entry);
            assert_eq!(decode_entry(42, &bytes).unwrap(), entry);
            assert!(decode_entry(41, &bytes).unwrap_err().contains("says that it is entry 42"));
            assert!(decode_entry(42, &bytes[..bytes.len() - 1]).is_err());
        }
        let metadata =
            Metadata { vote: Some(Vote::new_committed(u64::MAX, 3)), purged: None, decided: Some(id(1, 0)) };
        assert_eq!(Metadata::decode(&metadata.encode()).unwrap(), metadata);
        let head = SnapshotHead {
            applied: Some(id(2, 9)),
            membership: StoredMembership::new(Some(id(1, 0)), membership()),
        };
        assert_eq!(SnapshotHead::decode(&head.encode()).unwrap(), head);
        assert!(SnapshotHead::is(&head.encode()) && !SnapshotHead::is(&metadata.encode()));
    }

    #[test]
    fn a_foreign_entry_is_told_from_a_command() {
        let command = Command { decided_in: 7, bytes: Arc::new(vec![1]) };
        let bytes = encode_entry(&Entry { log_id: id(8, 0), payload: EntryPayload::Normal(command) });
        let expected = Content::Command { written: (8, 2), decided_in: 7, command: vec![1] };
        assert_eq!(content(&bytes), Ok(expected));
        assert_eq!(content(&encode_entry(&Entry::default())), Ok(Content::Other { written: (0, 0) }));
        assert!(content(b"something else").is_err());
    }
}
