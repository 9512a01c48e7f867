//! How a new node is taken in: the token that an operator carries, what the new node asks, and the bundle it gets.
//!
//! The token holds a secret that works once and for a time, the fingerprint of the cluster's CA, so that the new node
//! knows whom it talks to, and addresses to ask. The bundle holds all that a node must have before it may speak to the
//! others; beside the TLS it travels in, it is sealed under the token's secret.

mod bundle;
mod newcomer;
mod token;

pub use bundle::{Bundle, BundleError};
pub use newcomer::{JoinError, join};
pub(crate) use token::{Secret, digest};
pub use token::{Token, TokenError};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What a new node asks over a link, as JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The token's secret, hex. Sent to whoever shows the CA of the token's fingerprint, and to nobody else.
    pub secret: String,
    /// Its name.
    pub name: String,
    /// Where the others reach it, `host:port`.
    pub link: String,
    /// Where clients reach it, `host:port`.
    pub kmip: String,
}

/// Shows no secret.
impl std::fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinRequest")
            .field("name", &self.name)
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
