//! What nodes say to each other, as TTLV. Each kind of message has a request and an answer.

use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use ttlv::{Error, ErrorKind, Tag, Writer};

use super::encoding::{
    SnapshotHead, read_entry_fields, read_log_id, read_number, read_vote, read_whole, tag, write_entry,
    write_log_id, write_number, write_vote,
};
use super::runtime::{Types, Vote};
use super::types::NodeId;

type Append = AppendEntriesRequest<Types>;
type Appended = AppendEntriesResponse<NodeId>;

const APPEND: Tag = Tag::new(0x54_0120);
const PREVIOUS: Tag = Tag::new(0x54_0121);
const APPENDED: Tag = Tag::new(0x54_0122);
const OUTCOME: Tag = Tag::new(0x54_0123);
const MATCHED: Tag = Tag::new(0x54_0124);
const ASK: Tag = Tag::new(0x54_0125);
const LAST: Tag = Tag::new(0x54_0126);
const ASKED: Tag = Tag::new(0x54_0127);
const GRANTED: Tag = Tag::new(0x54_0128);
const PIECE: Tag = Tag::new(0x54_0129);
const HEAD: Tag = Tag::new(0x54_012a);
const OFFSET: Tag = Tag::new(0x54_012b);
const LENGTH: Tag = Tag::new(0x54_012c);
const CHECKSUM: Tag = Tag::new(0x54_012d);
const BYTES: Tag = Tag::new(0x54_012e);
const TAKEN: Tag = Tag::new(0x54_012f);
const PRE_ASK: Tag = Tag::new(0x54_0130);
const PRE_ASKED: Tag = Tag::new(0x54_0131);

const SUCCESS: u32 = 1;
const PARTIAL_SUCCESS: u32 = 2;
const CONFLICT: u32 = 3;
const HIGHER_VOTE: u32 = 4;

pub(super) fn encode_append(request: &Append) -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).structure(APPEND, |writer| {
        write_vote(writer, &request.vote);
        write_log_id(writer, PREVIOUS, request.prev_log_id.as_ref());
        write_log_id(writer, tag::DECIDED, request.leader_commit.as_ref());
        request.entries.iter().for_each(|entry| write_entry(writer, entry));
    });
    bytes
}

pub(super) fn decode_append(bytes: &[u8]) -> Result<Append, Error> {
    read_whole(bytes, APPEND, |reader| {
        let vote = read_vote(&reader.required(tag::VOTE)?)?;
        let prev_log_id = read_log_id(reader, PREVIOUS)?;
        let leader_commit = read_log_id(reader, tag::DECIDED)?;
        let mut entries = Vec::new();
        let mut next = prev_log_id.map_or(0, |id| id.index.saturating_add(1));
        while let Some(item) = reader.optional(tag::ENTRY)? {
            let mut inner = item.structure()?;
            let entry = read_entry_fields(&mut inner)?;
            inner.finish()?;
            // openraft takes this for granted.
            if entry.log_id.index != next {
                return Err(item.error(ErrorKind::WrongValue("entries do not follow each other")));
            }
            next += 1;
            entries.push(entry);
        }
        Ok(Append { vote, prev_log_id, entries, leader_commit })
    })
}

pub(super) fn encode_appended(answer: &Appended) -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).structure(APPENDED, |writer| match answer {
        Appended::Success => writer.enumeration(OUTCOME, SUCCESS),
        Appended::PartialSuccess(matched) => {
            writer.enumeration(OUTCOME, PARTIAL_SUCCESS);
            write_log_id(writer, MATCHED, matched.as_ref());
        }
        Appended::Conflict => writer.enumeration(OUTCOME, CONFLICT),
        Appended::HigherVote(vote) => {
            writer.enumeration(OUTCOME, HIGHER_VOTE);
            write_vote(writer, vote);
        }
    });
    bytes
}

pub(super) fn decode_appended(bytes: &[u8]) -> Result<Appended, Error> {
    read_whole(bytes, APPENDED, |reader| {
        let outcome = reader.required(OUTCOME)?;
        match outcome.enumeration()? {
            SUCCESS => Ok(Appended::Success),
            PARTIAL_SUCCESS => Ok(Appended::PartialSuccess(read_log_id(reader, MATCHED)?)),
            CONFLICT => Ok(Appended::Conflict),
            HIGHER_VOTE => Ok(Appended::HigherVote(read_vote(&reader.required(tag::VOTE)?)?)),
            _ => Err(outcome.error(ErrorKind::WrongValue("an outcome that this version does not know"))),
        }
    })
}

pub(super) fn encode_ask(request: &VoteRequest<NodeId>) -> Vec<u8> {
    encode_asking(ASK, request)
}

pub(super) fn decode_ask(bytes: &[u8]) -> Result<VoteRequest<NodeId>, Error> {
    decode_asking(ASK, bytes)
}

fn encode_asking(tag: Tag, request: &VoteRequest<NodeId>) -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).structure(tag, |writer| {
        write_vote(writer, &request.vote);
        write_log_id(writer, LAST, request.last_log_id.as_ref());
    });
    bytes
}

fn decode_asking(tag: Tag, bytes: &[u8]) -> Result<VoteRequest<NodeId>, Error> {
    read_whole(bytes, tag, |reader| {
        let vote = read_vote(&reader.required(tag::VOTE)?)?;
        Ok(VoteRequest { vote, last_log_id: read_log_id(reader, LAST)? })
    })
}

pub(super) fn encode_asked(answer: &VoteResponse<NodeId>) -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).structure(ASKED, |writer| {
        write_vote(writer, &answer.vote);
        writer.boolean(GRANTED, answer.vote_granted);
        write_log_id(writer, LAST, answer.last_log_id.as_ref());
    });
    bytes
}

pub(super) fn decode_asked(bytes: &[u8]) -> Result<VoteResponse<NodeId>, Error> {
    read_whole(bytes, ASKED, |reader| {
        let vote = read_vote(&reader.required(tag::VOTE)?)?;
        let vote_granted = reader.required(GRANTED)?.boolean()?;
        Ok(VoteResponse { vote, vote_granted, last_log_id: read_log_id(reader, LAST)? })
    })
}

/// The question before an election: the vote that a node would ask for, and its last entry.
pub(super) fn encode_pre_ask(request: &VoteRequest<NodeId>) -> Vec<u8> {
    encode_asking(PRE_ASK, request)
}

pub(super) fn decode_pre_ask(bytes: &[u8]) -> Result<VoteRequest<NodeId>, Error> {
    decode_asking(PRE_ASK, bytes)
}

pub(super) fn encode_pre_asked(would: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).structure(PRE_ASKED, |writer| writer.boolean(GRANTED, would));
    bytes
}

pub(super) fn decode_pre_asked(bytes: &[u8]) -> Result<bool, Error> {
    read_whole(bytes, PRE_ASKED, |reader| reader.required(GRANTED)?.boolean())
}

/// Part of a snapshot's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The leader's.
    pub(super) vote: Vote,
    /// Which snapshot.
    pub(super) head: SnapshotHead,
    /// Where in the file the bytes belong.
    pub(super) offset: u64,
    /// Bytes of the whole file; with the piece that ends there the file is complete.
    pub(super) length: u64,
    pub(super) bytes: Vec<u8>,
}

/// What came of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The receiver's; a higher one than the sender's ends the sending.
    pub(super) vote: Vote,
    /// Where the next piece is to begin; the file's length when the snapshot is in place.
    pub(super) next: u64,
}

pub(super) fn encode_piece(piece: &Piece) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(piece.bytes.len() + 1024);
    Writer::new(&mut bytes).structure(PIECE, |writer| {
        write_vote(writer, &piece.vote);
        writer.byte_string(HEAD, &piece.head.encode());
        write_number(writer, OFFSET, piece.offset);
        write_number(writer, LENGTH, piece.length);
        writer.integer(CHECKSUM, crc32c::crc32c(&piece.bytes).cast_signed());
        writer.byte_string(BYTES, &piece.bytes);
    });
    bytes
}

pub(super) fn decode_piece(bytes: &[u8]) -> Result<Piece, Error> {
    read_whole(bytes, PIECE, |reader| {
        let vote = read_vote(&reader.required(tag::VOTE)?)?;
        let head = SnapshotHead::decode(reader.required(HEAD)?.byte_string()?)?;
        let (offset, length) = (read_number(reader, OFFSET)?, read_number(reader, LENGTH)?);
        let checksum = reader.required(CHECKSUM)?;
        let bytes = reader.required(BYTES)?.byte_string()?.to_vec();
        if crc32c::crc32c(&bytes).cast_signed() != checksum.integer()? {
            return Err(checksum.error(ErrorKind::WrongValue("the piece was changed on its way")));
        }
        Ok(Piece { vote, head, offset, length, bytes })
    })
}

pub(super) fn encode_taken(taken: &Taken) -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).structure(TAKEN, |writer| {
        write_vote(writer, &taken.vote);
        write_number(writer, OFFSET, taken.next);
    });
    bytes
}

pub(super) fn decode_taken(bytes: &[u8]) -> Result<Taken, Error> {
    read_whole(bytes, TAKEN, |reader| {
        let vote = read_vote(&reader.required(tag::VOTE)?)?;
        Ok(Taken { vote, next: read_number(reader, OFFSET)? })
    })
}

#[cfg(test)]
mod tests {
    use openraft::LeaderId;

    use super::*;
    use crate::engine::runtime::{Entry, LogId};

    fn id(term: u64, index: u64) -> LogId {
        LogId::new(LeaderId::new(term, 2), index)
    }

    #[test]
    fn messages_are_read_as_they_were_written() {
        let entry = |index| Entry { log_id: id(3, index), ..Entry::default() };
        let append = Append {
            vote: Vote::new_committed(3, 2),
            prev_log_id: Some(id(2, 4)),
            entries: vec![entry(5), entry(6)],
            leader_commit: Some(id(2, 3)),
        };
        let read = decode_append(&encode_append(&append)).unwrap();
        assert_eq!(
            (read.vote, read.prev_log_id, read.leader_commit),
            (append.vote, Some(id(2, 4)), Some(id(2, 3)))
        );
        assert_eq!(read.entries, append.entries);
        let gap = Append { entries: vec![entry(6)], ..append };
        assert!(decode_append(&encode_append(&gap)).is_err());

        let answers = [
            Appended::Success,
            Appended::PartialSuccess(None),
            Appended::PartialSuccess(Some(id(1, 1))),
            Appended::Conflict,
            Appended::HigherVote(Vote::new(9, 1)),
        ];
        for answer in answers {
            assert_eq!(decode_appended(&encode_appended(&answer)).unwrap(), answer);
        }
        let ask = VoteRequest::new(Vote::new(4, 1), None);
        assert_eq!(decode_ask(&encode_ask(&ask)).unwrap(), ask);
        let asked = VoteResponse { vote: Vote::new(4, 1), vote_granted: true, last_log_id: Some(id(3, 3)) };
        assert_eq!(decode_asked(&encode_asked(&asked)).unwrap(), asked);
        assert_eq!(decode_pre_ask(&encode_pre_ask(&ask)).unwrap(), ask);
        let pre_ask = VoteRequest::new(Vote::new(4, 1), Some(id(3, 3)));
        assert_eq!(decode_pre_ask(&encode_pre_ask(&pre_ask)).unwrap(), pre_ask);
        assert!([true, false].iter().all(|would| decode_pre_asked(&encode_pre_asked(*would)) == Ok(*would)));
        let taken = Taken { vote: Vote::new(4, 1), next: 512 };
        assert_eq!(decode_taken(&encode_taken(&taken)).unwrap(), taken);
    }

    #[test]
    fn a_question_before_an_election_is_read_whole_or_not_at_all() {
        let ask = encode_pre_ask(&VoteRequest::new(Vote::new(4, 1), Some(id(3, 3))));
        assert!((0..ask.len()).all(|end| decode_pre_ask(&ask[..end]).is_err()));
        let asked = encode_pre_asked(true);
        assert!((0..asked.len()).all(|end| decode_pre_asked(&asked[..end]).is_err()));
        assert!(decode_ask(&ask).is_err(), "no vote is given by mistake");
    }

    #[test]
    fn a_piece_that_was_changed_on_its_way_is_refused() {
        let piece = Piece {
            vote: Vote::new_committed(1, 1),
            head: SnapshotHead::default(),
            offset: 0,
            length: 16,
            bytes: vec![7; 16],
        };
        let mut bytes = encode_piece(&piece);
        assert_eq!(decode_piece(&bytes).unwrap(), piece);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert!(decode_piece(&bytes).unwrap_err().to_string().contains("changed on its way"));
    }
}
