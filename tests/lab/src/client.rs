//! Clients of the laboratory's nodes: their certificates, and how a node comes to know them.

use certs::{Authority, KeyKind, Profile, Subject};
use kmip::client::{ClientConfig, ClientConfigBuilder, ServerTrust};

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Get, Get Attributes, Locate, …
    Read,
    /// Create, Register, …
    Create,
    /// Activate, Add Attribute, Revoke, …
    Change,
    /// Destroy.
    Destroy,
}

impl Right {
    /// All of them.
    pub const ALL: [Right; 4] = [Right::Read, Right::Create, Right::Change, Right::Destroy];

    fn as_str(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Create => "create",
            Right::Change => "change",
            Right::Destroy => "destroy",
        }
    }
}

/// How a node knows a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a certificate that the node's authority issued.
    Issued,
    /// By exactly the certificate that the client made for itself.
    Pinned,
    /// By the client's own authority, which signed its certificate.
    Ca,
}

impl Way {
    fn as_str(self) -> &'static str {
        match self {
            Way::Issued => "issued",
            Way::Pinned => "pinned",
            Way::Ca => "ca",
        }
    }
}

/// A client to be made and registered. Default: its own tenant, every right, issued.
#[derive(Clone, Debug)]
pub struct NewClient {
    name: String,
    tenant: String,
    rights: Vec<Right>,
    way: Way,
    user: Option<(String, String)>,
    device: Option<(String, String)>,
}

impl NewClient {
    /// A client of this name, in the tenant of the same name.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        let (user, device) = (None, None);
        Self { tenant: name.clone(), name, rights: Right::ALL.to_vec(), way: Way::Issued, user, device }
    }

    /// Whose objects it uses.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// What it may do.
    pub fn rights(mut self, rights: impl Into<Vec<Right>>) -> Self {
        self.rights = rights.into();
        self
    }

    /// The user name and password that it may send.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// The serial number and password of the device that it may say it is.
    pub fn device(mut self, serial_number: &str, password: &str) -> Self {
        self.device = Some((serial_number.to_owned(), password.to_owned()));
        self
    }

    /// How the node knows it.
    pub fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Makes key and certificate, and the certificate that the node is to trust.
    pub(crate) fn make(&self, authority: &Authority, ca_pem: &str) -> (LabClient, String) {
        let now = crate::now_s();
        let subject = Subject::named(&self.name);
        let issue =
            |authority: &Authority| authority.issue(Profile::Client, &subject, KeyKind::P256, now).unwrap();
        let (issued, trusted) = match self.way {
            Way::Issued => {
                let issued = issue(authority);
                let trusted = issued.cert_pem.clone();
                (issued, trusted)
            }
            Way::Pinned => {
                // Of an authority that nobody knows, which is as good as self-signed to the node.
                let issued = issue(&other_authority(&self.name));
                let trusted = issued.cert_pem.clone();
                (issued, trusted)
            }
            Way::Ca => {
                let own = other_authority(&self.name);
                (issue(&own), own.cert_pem().unwrap())
            }
        };
        let client = LabClient {
            name: self.name.clone(),
            tenant: self.tenant.clone(),
            cert_pem: issued.cert_pem,
            key_pem: issued.key_pem.danger_expose().to_owned(),
            ca_pem: ca_pem.to_owned(),
        };
        (client, trusted)
    }

    /// The body of POST /v1/clients.
    pub(crate) fn body(&self, trusted_pem: &str) -> String {
        let rights: Vec<_> = self.rights.iter().map(|right| right.as_str()).collect();
        let trust = serde_json::json!({ "kind": self.way.as_str(), "pem": trusted_pem });
        let credential = |known: &Option<(String, String)>| {
            known.as_ref().map(|(name, password)| serde_json::json!({ "name": name, "password": password }))
        };
        serde_json::json!({
            "name": self.name,
            "tenant": self.tenant,
            "rights": rights,
            "trust": trust,
            "user": credential(&self.user),
            "device": credential(&self.device),
        })
        .to_string()
    }
}

fn other_authority(name: &str) -> Authority {
    let subject = format!("CA of {name}");
    Authority::create(&subject, KeyKind::P256, crate::now_s(), Profile::Authority.days()).unwrap()
}

/// A client with its files' contents. The key is a test's, and secret to nobody.
#[derive(Clone, Debug)]
pub struct LabClient {
    /// Its name.
    pub name: String,
    /// Whose objects it uses.
    pub tenant: String,
    /// Its certificate, PEM.
    pub cert_pem: String,
    /// Its private key, PEM.
    pub key_pem: String,
    /// The authority of the server's certificate, PEM.
    pub ca_pem: String,
}

impl LabClient {
    /// Its configuration for the node at `address`, to be changed further.
    pub fn builder(&self, address: impl Into<String>) -> ClientConfigBuilder {
        let trust = ServerTrust::Ca { pem: self.ca_pem.clone().into_bytes(), verify_name: true };
        ClientConfig::builder(address, trust).identity_pem(self.cert_pem.clone(), self.key_pem.clone())
    }

    /// Its configuration for the node at `address`.
    pub fn config(&self, address: impl Into<String>) -> ClientConfig {
        self.builder(address).build().unwrap()
    }
}
