//! The events of a log entry, for salvage: what a node would have carried out.

use kms_core::Event;
use ttlv::{Budget, Limits, Reader, Tag};

/// Bytes of a command in front of its events; they say who decided it.
pub(super) const COMMAND_HEAD_BYTES: usize = 16;

// The engine's tags for an entry.
pub(super) const ENTRY: Tag = Tag::new(0x54_0101);
pub(super) const TERM: Tag = Tag::new(0x54_0102);
pub(super) const NODE: Tag = Tag::new(0x54_0103);
pub(super) const INDEX: Tag = Tag::new(0x54_0104);
pub(super) const DECIDED_IN: Tag = Tag::new(0x54_0105);
pub(super) const COMMAND: Tag = Tag::new(0x54_0106);

/// Checksums have watched over the bytes; only the stack is guarded.
const STORED: Limits = Limits { message_bytes_max: usize::MAX, depth_max: 16, items_max: u32::MAX };

/// What a node reads in an entry of its log.
#[derive(Debug)]
pub(super) struct Decided {
    /// The term that it was written in.
    pub(super) term: u64,
    /// What nodes carry out; nothing where it is the engine's own affair, or was passed over.
    pub(super) events: Vec<Event>,
}

/// Reads an entry.
pub(super) fn read(entry: &[u8]) -> Result<Decided, String> {
    let (term, command) = command_of(entry)?;
    let Some(command) = command else { return Ok(Decided { term, events: Vec::new() }) };
    let Some((_, events)) = command.split_first_chunk::<COMMAND_HEAD_BYTES>() else {
        return Err(format!(
            "expected a command of at least {COMMAND_HEAD_BYTES} bytes, got {}",
            command.len()
        ));
    };
    let events = Event::decode_all(events).map_err(|error| error.to_string())?;
    Ok(Decided { term, events })
}

/// The term of an entry of the log, and the command in it, if it is one that nodes carry out: decided in the entry's own
/// term.
fn command_of(entry: &[u8]) -> Result<(u64, Option<Vec<u8>>), String> {
    let read = || {
        let budget = Budget::new(STORED);
        let mut reader = Reader::items(entry, &budget).required(ENTRY)?.structure()?;
        let term = reader.required(TERM)?.long_integer()?.cast_unsigned();
        reader.required(NODE)?;
        reader.required(INDEX)?;
        let Some(decided_in) = reader.optional(DECIDED_IN)? else { return Ok((term, None)) };
        let same_term = decided_in.long_integer()?.cast_unsigned() == term;
        let command = reader.required(COMMAND)?.byte_string()?.to_vec();
        Ok::<_, ttlv::Error>((term, same_term.then_some(command)))
    };
    read().map_err(|error| error.to_string())
}
