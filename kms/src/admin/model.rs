//! What travels over the operator's socket. Times are RFC 3339 in UTC, fingerprints lower-case hex without colons.
//! Fields of later servers are passed over.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::http;

/// The body of an error.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: String,
    #[serde(default)]
    pub(super) hint: Option<String>,
}

/// GET /v1/status.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) node: String,
    pub(crate) version: String,
    pub(crate) started: String,
    pub(crate) objects: u64,
    pub(crate) clients: u64,
    pub(crate) log: LogStatus,
    pub(crate) tls: TlsStatus,
    pub(crate) kmip: String,
    pub(crate) admin: String,
    /// Its number in the cluster, from 1.
    #[serde(default)]
    pub(crate) number: Option<u64>,
    /// leader, follower, learner, or none.
    #[serde(default)]
    pub(crate) role: Option<String>,
    #[serde(default)]
    pub(crate) term: Option<u64>,
    /// The leader's number, where it knows one.
    #[serde(default)]
    pub(crate) leader: Option<u64>,
    /// Nodes of the cluster.
    #[serde(default)]
    pub(crate) members: Option<u64>,
    /// Whether changes can be made.
    #[serde(default)]
    pub(crate) quorum: Option<bool>,
}

/// GET /v1/cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cluster {
    /// The number of the node that says so.
    pub(crate) number: u64,
    pub(crate) term: u64,
    /// The leader's number, where it knows one.
    pub(crate) leader: Option<u64>,
    /// Whether changes can be made.
    pub(crate) quorum: bool,
    pub(crate) nodes: Vec<Member>,
}

/// A node as another sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) number: u64,
    pub(crate) name: String,
    /// Where the other nodes reach it: host and port.
    pub(crate) link: String,
    pub(crate) kmip: String,
    pub(crate) role: MemberRole,
    /// Nothing where it is not known.
    #[serde(default)]
    pub(crate) reachable: Option<bool>,
    /// Entries of the log that it carried out, where known.
    #[serde(default)]
    pub(crate) applied: Option<u64>,
    /// Entries that it has yet to carry out, where known.
    #[serde(default)]
    pub(crate) lag: Option<u64>,
}

/// What a node is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MemberRole {
    /// It decides, and has a vote.
    Leader,
    /// It has a vote.
    Voter,
    /// It has no vote: it is catching up, or is kept so.
    Learner,
}

impl MemberRole {
    /// Whether it counts for a quorum.
    pub(crate) fn votes(self) -> bool {
        match self {
            MemberRole::Leader | MemberRole::Voter => true,
            MemberRole::Learner => false,
        }
    }
}

impl fmt::Display for MemberRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MemberRole::Leader => "leader",
            MemberRole::Voter => "voter",
            MemberRole::Learner => "learner",
        })
    }
}

/// POST /v1/cluster/invitations.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct NewInvitation {
    pub(crate) valid_s: u64,
    /// Whether the node that joins stays without a vote.
    pub(crate) learner: bool,
}

/// Its answer. Whoever has the token can join and then holds every key.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Invitation {
    pub(crate) token: String,
    pub(crate) expires: String,
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("token", &"..").field("expires", &self.expires).finish()
    }
}

/// Where the log stands, as numbers of entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LogStatus {
    pub(crate) applied: u64,
    pub(crate) first: u64,
    pub(crate) snapshot: u64,
}

/// The server certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TlsStatus {
    pub(crate) subject: String,
    pub(crate) not_after: String,
    pub(crate) sha1: String,
    pub(crate) sha256: String,
}

/// What a client may do with its tenant's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Right {
    /// Get keys and find them
    Read,
    /// Make and register keys
    Create,
    /// Change attributes and state
    Change,
    /// Destroy keys: a VM whose key is destroyed is lost
    Destroy,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Right::Read => "read",
            Right::Create => "create",
            Right::Change => "change",
            Right::Destroy => "destroy",
        })
    }
}

/// By which of the four ways a client is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    /// Its own certificate.
    Pinned,
    /// Any certificate of a CA.
    Ca,
    /// A certificate and key that we made.
    Issued,
    /// A certificate that we signed.
    Csr,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Pinned => "pinned",
            Way::Ca => "ca",
            Way::Issued => "issued",
            Way::Csr => "csr",
        })
    }
}

/// A client as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) rights: Vec<Right>,
    pub(crate) trust: Trust,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<String>,
    pub(crate) created: String,
}

/// The certificate that a client is known by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trust {
    pub(crate) kind: Way,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) sha1: String,
    pub(crate) sha256: String,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
}

/// POST /v1/clients.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NewClient {
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) rights: Vec<Right>,
    pub(crate) trust: NewTrust,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<NewCredential>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<NewCredential>,
}

/// What it may say of itself.
#[derive(Clone, Serialize)]
pub(crate) struct NewCredential {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
}

/// Shows no password.
impl std::fmt::Debug for NewCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCredential").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for NewCredential {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// How it shall be known.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NewTrust {
    pub(crate) kind: Way,
    pub(crate) pem: String,
}

/// Which keys are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyQuery {
    pub(crate) tenant: Option<String>,
    pub(crate) state: Option<String>,
}

impl KeyQuery {
    /// The path and query of one page.
    pub(super) fn path(&self, limit: usize, after: Option<&str>) -> String {
        let mut path = format!("/v1/keys?limit={limit}");
        let parts = [("tenant", self.tenant.as_deref()), ("state", self.state.as_deref()), ("after", after)];
        for (name, value) in parts {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", http::escape(value)));
            }
        }
        path
    }
}

/// A page of keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct KeyPage {
    pub(crate) keys: Vec<Key>,
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// A key without its material.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) tenant: String,
    #[serde(rename = "type")]
    pub(crate) object_type: String,
    #[serde(default)]
    pub(crate) algorithm: Option<String>,
    #[serde(default)]
    pub(crate) length: Option<u32>,
    pub(crate) state: String,
    pub(crate) created: String,
    #[serde(default)]
    pub(crate) last_read: Option<String>,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// POST /v1/keys.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NewKey {
    pub(crate) tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

/// Its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CreatedKey {
    pub(crate) id: String,
}

/// A fingerprint as vCenter shows it: upper-case pairs with colons.
pub(crate) fn fingerprint(hex: &str) -> String {
    let pairs = hex.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase());
    pairs.collect::<Vec<_>>().join(":")
}
