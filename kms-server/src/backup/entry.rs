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

/// The events of an entry; none where it is the engine's own affair, or was passed over.
pub(super) fn events_of(entry: &[u8]) -> Result<Vec<Event>, String> {
    let Some(command) = command_of(entry)? else { return Ok(Vec::new()) };
    let Some((_, events)) = command.split_first_chunk::<COMMAND_HEAD_BYTES>() else {
        return Err(format!(
            "expected a command of at least {COMMAND_HEAD_BYTES} bytes, got {}",
            command.len()
        ));
    };
    Event::decode_all(events).map_err(|error| error.to_string())
}

/// The command in an entry of the log, if it is one that nodes carry out: decided in the entry's own term.
fn command_of(entry: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let read = || {
        let budget = Budget::new(STORED);
        let mut reader = Reader::items(entry, &budget).required(ENTRY)?.structure()?;
        let term = reader.required(TERM)?.long_integer()?;
        reader.required(NODE)?;
        reader.required(INDEX)?;
        let Some(decided_in) = reader.optional(DECIDED_IN)? else { return Ok(None) };
        let same_term = decided_in.long_integer()? == term;
        let command = reader.required(COMMAND)?.byte_string()?.to_vec();
        Ok::<_, ttlv::Error>(same_term.then_some(command))
    };
    read().map_err(|error| error.to_string())
}
