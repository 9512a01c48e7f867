//! What clients ask for, in replay: requests by operation since the start.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use kmip::RequestMessage;
use serde::Serialize;

/// What a message that cannot be read counts as.
const UNREADABLE: &str = "unreadable message";

/// What an operation counts as that no version of KMIP names.
const UNKNOWN: &str = "unknown operation";

/// Requests of one operation. A message of several items counts by its first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// A node answered, with success or not.
    pub answered: u64,
    /// No node did in time.
    pub given_up: u64,
    /// Were given to more than one node.
    pub resent: u64,
}

/// Counters by operation; as many as KMIP has operations at most.
#[derive(Debug, Default)]
pub(crate) struct Operations(Mutex<BTreeMap<&'static str, Tally>>);

impl Operations {
    /// A request is over, after so many sendings. Gives what it counts as.
    pub(crate) fn carried(
        &self,
        request: Option<&RequestMessage>,
        sendings: u32,
        answered: bool,
    ) -> &'static str {
        let name = match request {
            Some(request) => {
                let first = request.items.first();
                first.and_then(|item| item.operation.name()).unwrap_or(UNKNOWN)
            }
            None => UNREADABLE,
        };
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry(name).or_default();
        match answered {
            true => tally.answered += 1,
            false => tally.given_up += 1,
        }
        tally.resent += u64::from(sendings > 1);
        name
    }

    /// All that were asked for.
    pub(crate) fn all(&self) -> BTreeMap<&'static str, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use kmip::ProtocolVersion;
    use kmip::operations::{destroy, get};

    use super::*;

    #[test]
    fn requests_are_counted_by_their_first_operation() {
        let operations = Operations::default();
        let payloads = [get::Request::default().into(), destroy::Request::default().into()];
        let message = RequestMessage::new(ProtocolVersion::V1_2, payloads);
        assert_eq!(operations.carried(Some(&message), 1, true), "Get");
        operations.carried(Some(&message), 2, true);
        operations.carried(Some(&message), 3, false);
        operations.carried(None, 1, true);
        let of = |answered, given_up, resent| Tally { answered, given_up, resent };
        assert_eq!(operations.all(), [("Get", of(2, 1, 2)), (UNREADABLE, of(1, 0, 0))].into());
    }
}
