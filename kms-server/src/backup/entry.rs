//! The events of a log entry, for salvage: what a node would have carried out.

use kms_core::Event;

use crate::engine::{Content, NodeId, read_entry};

/// Bytes of a command in front of its events; they say who decided it.
pub(crate) const COMMAND_HEAD_BYTES: usize = 16;

/// What a node reads in an entry of its log.
#[derive(Debug)]
pub(super) struct Decided {
    /// The term that it was written in, and the node that led then; in this order entries overtake each other.
    pub(super) written: (u64, NodeId),
    /// What nodes carry out; nothing where it is the engine's own affair, or was passed over.
    pub(super) events: Vec<Event>,
}

/// Reads an entry. One from before logs were replicated is its events alone, of no term.
pub(super) fn read(entry: &[u8]) -> Result<Decided, String> {
    let (written, command) = match read_entry(entry) {
        Ok(Content::Command { written, decided_in, command }) => {
            (written, (decided_in == written.0).then_some(command))
        }
        Ok(Content::Other { written }) => (written, None),
        Err(error) => {
            let events = Event::decode_all(entry).map_err(|_| error)?;
            return Ok(Decided { written: (0, 0), events });
        }
    };
    let Some(command) = command else { return Ok(Decided { written, events: Vec::new() }) };
    let Some((_, events)) = command.split_first_chunk::<COMMAND_HEAD_BYTES>() else {
        return Err(format!(
            "expected a command of at least {COMMAND_HEAD_BYTES} bytes, got {}",
            command.len()
        ));
    };
    let events = Event::decode_all(events).map_err(|error| error.to_string())?;
    Ok(Decided { written, events })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(name: &str) -> Vec<Event> {
        vec![Event::ClientRemoved { name: name.to_owned() }]
    }

    fn encoded(head: usize, events: &[Event]) -> Vec<u8> {
        let mut bytes = vec![7; head];
        Event::encode_all(events, &mut bytes);
        bytes
    }

    #[test]
    fn an_entry_gives_its_events_where_nodes_carried_it_out() {
        let events = removed("vcenter01");
        let command = || encoded(COMMAND_HEAD_BYTES, &events);
        let of = |entry: Vec<u8>| read(&entry).map(|decided| (decided.written, decided.events)).unwrap();
        assert_eq!(
            of(crate::engine::entry_for_tests((3, 1), Some((3, command())))),
            ((3, 1), events.clone())
        );
        assert_eq!(
            of(crate::engine::entry_for_tests((4, 2), Some((3, command())))),
            ((4, 2), vec![]),
            "passed over"
        );
        assert_eq!(of(crate::engine::entry_for_tests((5, 1), None)), ((5, 1), vec![]));
        assert_eq!(of(encoded(0, &events)), ((0, 0), events), "from before logs were replicated");
        assert!(read(b"neither").is_err());
    }
}
