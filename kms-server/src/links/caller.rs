//! Who is at the other end, by the common name of its certificate.

use std::fmt;

use super::{FRONT_KINDS, JOIN};
use crate::engine::NodeId;

/// Who is at the other end of a link. That a caller has a certificate of the cluster's CA does not make it a member:
/// it may have been removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A node: its certificate's common name is `node-<number>`.
    Node(NodeId),
    /// A front that replays requests; this is its whole common name, `front-…`.
    Front(String),
    /// Someone without a certificate.
    Stranger,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(number) => write!(f, "node {number}"),
            Self::Front(name) => write!(f, "{}", name.escape_debug()),
            Self::Stranger => f.write_str("a stranger"),
        }
    }
}

/// A certificate that is the cluster CA's, but neither a node's nor a front's.
#[derive(Debug, thiserror::Error)]
#[error(
    "the certificate's common name {} is neither node-<number> nor front-<name>; hint: links are for nodes, not for \
     clients", .0.as_deref().map_or("is missing or doubled, so it".to_owned(), |name| format!("{name:?}"))
)]
pub(super) struct NoName(Option<String>);

impl Caller {
    /// Whom this certificate, which is already known to be the cluster CA's, names.
    pub(super) fn of(leaf_der: &[u8]) -> Result<Self, NoName> {
        match certs::common_name(leaf_der).ok().flatten() {
            Some(name) => match certs::node_number(&name) {
                Some(number) => Ok(Self::Node(number)),
                None if certs::front_name(&name).is_some() => Ok(Self::Front(name)),
                None => Err(NoName(Some(name))),
            },
            None => Err(NoName(None)),
        }
    }

    /// Whether this caller may send calls of `kind` at all. A node may not speak for a client, as a front does, nor a
    /// front for a node.
    pub(super) fn may_send(&self, kind: u8) -> bool {
        match self {
            Self::Node(_) => !FRONT_KINDS.contains(&kind),
            Self::Front(_) => FRONT_KINDS.contains(&kind),
            Self::Stranger => kind == JOIN,
        }
    }
}
