//! What travels over the operator's socket. Times are RFC 3339 in UTC, fingerprints lower-case hex without colons.

use std::collections::BTreeMap;

use kmip::enumeration::ResultReason;
use kms_core::{KnownCredential, Refusal, RegisteredClient, Rights};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::certificate::{Certificate, utc};
use crate::trust::Way;

/// Keys on a page when the request does not say.
pub const KEYS_PER_PAGE: usize = 100;

/// Keys on a page at most; more are not refused, but cut to this.
pub const KEYS_PER_PAGE_MAX: usize = 1000;

/// Characters of a client's or tenant's name.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// Characters of a user name or a device's serial number.
pub const CREDENTIAL_CHARACTERS_MAX: usize = 256;

/// Why the operator's request was not carried out. The text after "hint: " is sent as the hint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// 400: the request is wrong.
    #[error("{0}")]
    Invalid(String),
    /// 404: what it names is not there.
    #[error("{0}")]
    NotFound(String),
    /// 409: what it wants is taken.
    #[error("{0}")]
    Conflict(String),
    /// 503: not now.
    #[error("{0}")]
    Unavailable(String),
    /// 500: our fault.
    #[error("{0}")]
    Failed(String),
}

/// The body of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: String,
    /// What to do about it, where something can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Denied {
    /// The operator's view of a refusal.
    pub fn of(refusal: Refusal) -> Self {
        match refusal.reason {
            ResultReason::ItemNotFound => Self::NotFound(refusal.message),
            ResultReason::IllegalOperation => Self::Conflict(refusal.message),
            ResultReason::GeneralFailure => Self::Unavailable(refusal.message),
            _ => Self::Invalid(refusal.message),
        }
    }

    /// The same as the specification would say it, for the audit.
    pub fn reason(&self) -> ResultReason {
        match self {
            Self::Invalid(_) => ResultReason::InvalidField,
            Self::NotFound(_) => ResultReason::ItemNotFound,
            Self::Conflict(_) => ResultReason::IllegalOperation,
            Self::Unavailable(_) | Self::Failed(_) => ResultReason::GeneralFailure,
        }
    }

    pub(super) fn body(&self) -> ErrorBody {
        let text = self.to_string();
        match text.split_once("hint: ") {
            Some((error, hint)) => {
                let error = error.trim_end_matches(['.', ';', ' ']).to_owned();
                ErrorBody { error, hint: Some(hint.to_owned()) }
            }
            None => ErrorBody { error: text, hint: None },
        }
    }
}

/// Fails when a name is empty, longer than [`NAME_CHARACTERS_MAX`], or not of letters, digits, ".", "_" and "-": it
/// stands in paths, logs and audit lines.
pub fn check_name(what: &str, name: &str) -> Result<(), Denied> {
    let fits = (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !name.starts_with(['.', '-']);
    fits.then_some(()).ok_or_else(|| {
        Denied::Invalid(format!(
            "{what} {name:?} is no name; hint: 1 to {NAME_CHARACTERS_MAX} letters, digits, \".\", \"_\" or \"-\", \
             first a letter, digit or \"_\""
        ))
    })
}

/// GET /v1/status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The node's name.
    pub node: String,
    /// The node's number in its cluster.
    pub number: u64,
    /// What it is in its cluster; none where it is no member yet, or no longer.
    pub role: Option<NodeRole>,
    /// The term it knows.
    pub term: u64,
    /// The number of the node that leads, as far as it knows.
    pub leader: Option<u64>,
    /// Nodes in its cluster.
    pub members: u64,
    /// Whether it reaches a majority and knows a leader.
    pub quorum: bool,
    /// The server's version.
    pub version: String,
    /// When it started.
    pub started: String,
    /// Managed Objects it holds, destroyed ones included.
    pub objects: u64,
    /// Registered clients.
    pub clients: u64,
    /// Where its log stands.
    pub log: LogStatus,
    /// The certificate it shows.
    pub tls: TlsStatus,
    /// The address of its KMIP port.
    pub kmip: String,
    /// The address of its admin port.
    pub admin: String,
}

/// Where the log stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogStatus {
    /// The last entry that is applied.
    pub applied: u64,
    /// The first entry that is still in the log.
    pub first: u64,
    /// The last entry that the newest snapshot holds; 0 without one.
    pub snapshot: u64,
}

/// What a node is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// It decides.
    Leader,
    /// It has a vote.
    Voter,
    /// It is sent the log and has no vote.
    Learner,
}

/// GET /v1/cluster: the cluster as its leader sees it, or the node that was asked where no leader answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterView {
    /// The number of the node that was asked.
    pub number: u64,
    /// The term.
    pub term: u64,
    /// The number of the node that leads.
    pub leader: Option<u64>,
    /// Whether a majority is reached and a leader known.
    pub quorum: bool,
    /// The nodes, by number.
    pub nodes: Vec<NodeView>,
}

/// A node as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its number.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// Where other nodes reach it.
    pub link: String,
    /// Where it listens for KMIP.
    pub kmip: String,
    /// What it is.
    pub role: NodeRole,
    /// Whether a link to it is up.
    pub reachable: bool,
    /// The last entry that it is known to hold.
    pub applied: Option<u64>,
    /// Entries that it is behind the leader.
    pub lag: Option<u64>,
}

/// POST /v1/cluster/invitations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// Seconds for which the token works; an hour without this.
    #[serde(default = "hour")]
    pub valid_s: u32,
    /// Whether the node is to learn only, and gets its vote by hand.
    #[serde(default)]
    pub learner: bool,
}

fn hour() -> u32 {
    3600
}

/// What POST /v1/cluster/invitations answers. The token is a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// What kms join is given.
    pub token: String,
    /// The last second at which it works.
    pub expires: String,
}

/// Shows no token.
impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// The server certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsStatus {
    /// Subject.
    pub subject: String,
    /// Last second at which it is valid.
    pub not_after: String,
    /// SHA-1: what vCenter shows.
    pub sha1: String,
    /// SHA-256.
    pub sha256: String,
}

impl From<&Certificate> for TlsStatus {
    fn from(leaf: &Certificate) -> Self {
        Self {
            subject: leaf.subject.clone(),
            not_after: utc(leaf.not_after),
            sha1: hex::encode(leaf.sha1),
            sha256: hex::encode(leaf.sha256),
        }
    }
}

/// One right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// To read objects and find them.
    Read,
    /// To make and register them.
    Create,
    /// To change their attributes and state.
    Change,
    /// To destroy them.
    Destroy,
}

impl Right {
    /// The rights as a list, in the order of [`Right`].
    pub fn list(rights: Rights) -> Vec<Self> {
        let all = [
            (rights.read, Self::Read),
            (rights.create, Self::Create),
            (rights.change, Self::Change),
            (rights.destroy, Self::Destroy),
        ];
        all.into_iter().filter(|(has, _)| *has).map(|(_, right)| right).collect()
    }

    /// Exactly the rights of a list.
    pub fn only(list: &[Self]) -> Rights {
        let has = |right| list.contains(&right);
        Rights {
            read: has(Right::Read),
            create: has(Right::Create),
            change: has(Right::Change),
            destroy: has(Right::Destroy),
        }
    }
}

/// A client as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientView {
    /// Its name.
    pub name: String,
    /// Its tenant.
    pub tenant: String,
    /// What it may do.
    pub rights: Vec<Right>,
    /// How it is known.
    pub trust: TrustView,
    /// The user name that it may send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The serial number of the device that it may say it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// When it was registered.
    pub created: String,
}

/// How a client is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustView {
    /// The way.
    pub kind: Way,
    /// Subject of its certificate, or of its CA's.
    pub subject: String,
    /// Issuer of that certificate.
    pub issuer: String,
    /// SHA-1.
    pub sha1: String,
    /// SHA-256.
    pub sha256: String,
    /// First second at which it is valid.
    pub not_before: String,
    /// Last second at which it is valid.
    pub not_after: String,
}

impl ClientView {
    /// Shows a client that is known by `certificate`.
    pub fn new(registered: &RegisteredClient, certificate: &Certificate) -> Self {
        let RegisteredClient { client, trust, credentials, registered_at } = registered;
        let name = |known: &Option<KnownCredential>| known.as_ref().map(|known| known.name.clone());
        Self {
            name: client.name.to_string(),
            tenant: client.tenant.to_string(),
            rights: Right::list(client.rights),
            trust: TrustView {
                kind: trust.kind.into(),
                subject: certificate.subject.clone(),
                issuer: certificate.issuer.clone(),
                sha1: hex::encode(certificate.sha1),
                sha256: hex::encode(certificate.sha256),
                not_before: utc(certificate.not_before),
                not_after: utc(certificate.not_after),
            },
            user: name(&credentials.user),
            device: name(&credentials.device),
            created: utc(*registered_at),
        }
    }
}

/// POST /v1/clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    /// Its name, unique.
    pub name: String,
    /// Its tenant, which need not exist.
    pub tenant: String,
    /// What it may do; read, create and change without this.
    #[serde(default)]
    pub rights: Option<Vec<Right>>,
    /// How it shall be known.
    pub trust: NewTrust,
    /// The user name that it may send with its requests.
    #[serde(default)]
    pub user: Option<NewCredential>,
    /// The serial number of the device that it may say it is.
    #[serde(default)]
    pub device: Option<NewCredential>,
}

/// What a new client may say of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    /// Unique among those of its kind; 1 to [`CREDENTIAL_CHARACTERS_MAX`] characters.
    pub name: String,
    /// What proves it; a user has one, a device need not.
    #[serde(default)]
    pub password: Option<Password>,
}

/// A password on its way to being hashed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Its bytes.
    pub fn danger_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Shows nothing of it.
impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// How a new client shall be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTrust {
    /// The way.
    pub kind: Way,
    /// Its certificate, or its CA's, as PEM; the first certificate counts.
    pub pem: String,
}

/// The query of GET /v1/keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyQuery {
    /// Only this tenant's.
    pub tenant: Option<String>,
    /// Only those in this state.
    pub state: Option<String>,
    /// Keys on the page; always set, and within [`KEYS_PER_PAGE_MAX`], when an [`super::Operator`] sees it.
    pub limit: Option<usize>,
    /// The last identifier of the page before.
    pub after: Option<String>,
}

/// A page of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPage {
    /// The keys, by identifier.
    pub keys: Vec<KeyView>,
    /// What to send as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// A key as it is shown: all but its material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Unique Identifier.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// Object Type.
    #[serde(rename = "type")]
    pub object_type: String,
    /// Cryptographic Algorithm.
    pub algorithm: Option<String>,
    /// Cryptographic Length, in bits.
    pub length: Option<u32>,
    /// State.
    pub state: String,
    /// When it was made.
    pub created: String,
    /// When it was last read, as far as this node knows.
    pub last_read: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Attributes as text: the custom ones on a page, all for one key.
    pub attributes: BTreeMap<String, String>,
}

/// POST /v1/keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Whose it shall be.
    pub tenant: String,
    /// Its Name.
    #[serde(default)]
    pub name: Option<String>,
}

/// What POST /v1/keys answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedKey {
    /// Unique Identifier.
    pub id: String,
}
