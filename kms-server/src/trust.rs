//! Whom the server knows: the trust of the registered clients, and who a certificate makes its sender.
//!
//! A pinned leaf is trusted by its fingerprint: no EKU, SAN or chain is demanded, a self-signed CA:TRUE leaf and
//! an X.509 v1 leaf are as good; its dates count. Issued and signed leaves are pinned in the same way. Leaves under
//! a registered CA are trusted by their chain; their EKU is not asked either, because vCenter's machine certificates
//! from enterprise CAs carry serverAuth alone, by VMware's own rules.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use kms_core::{Client, RegisteredClient, TrustKind};
use openssl::sha::sha256;
use openssl::x509::X509;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::certificate::{self, Certificate, UnixSeconds};

/// Certificates that a client may present, its own included; more are refused before they are looked at.
pub const PRESENTED_CERTIFICATES_MAX: usize = 8;

/// Leaves under CAs whose verified chains are remembered; when full, all are forgotten and verified anew.
pub const VERIFIED_LEAVES_MAX: usize = 4096;

/// By which of the four ways a client became known, in the words of the operator's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// A leaf that the client brought; trusted by fingerprint.
    Pinned,
    /// A CA; every leaf under it is this client.
    Ca,
    /// A leaf with a private key that our CA made; trusted by fingerprint.
    Issued,
    /// A leaf that our CA signed for the client's request; trusted by fingerprint.
    Csr,
}

impl From<Way> for TrustKind {
    fn from(way: Way) -> Self {
        match way {
            Way::Pinned => Self::Pinned,
            Way::Ca => Self::Authority,
            Way::Issued => Self::Issued,
            Way::Csr => Self::SignedRequest,
        }
    }
}

impl From<TrustKind> for Way {
    fn from(kind: TrustKind) -> Self {
        match kind {
            TrustKind::Pinned => Self::Pinned,
            TrustKind::Authority => Self::Ca,
            TrustKind::Issued => Self::Issued,
            TrustKind::SignedRequest => Self::Csr,
        }
    }
}

/// One registration: a client and the certificate it is known by.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The client.
    pub client: Arc<Client>,
    /// The way of its trust.
    pub way: Way,
    /// Its certificate, or its CA's, as DER.
    pub certificate: CertificateDer<'static>,
}

impl Registration {
    /// Of a client as it stands in the log.
    pub fn of(registered: &RegisteredClient) -> Self {
        Self {
            client: Arc::new(registered.client.clone()),
            way: registered.trust.kind.into(),
            certificate: CertificateDer::from(registered.trust.certificate.clone()),
        }
    }

    /// Takes the first certificate of `pem`. Gives it in words too, for listings.
    ///
    /// Fails when there is none, or when it cannot be read.
    pub fn from_pem(client: Client, way: Way, pem: &str) -> Result<(Self, Certificate), certificate::Error> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| certificate::Error::NotACertificate)?;
        let words = Certificate::from_der(&der)?;
        Ok((Self { client: Arc::new(client), way, certificate: der }, words))
    }
}

/// The trust of all registered clients at one moment. Immutable while connections read it.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    leaves: HashMap<[u8; 32], Leaf>,
    authorities: Vec<Arc<Authority>>,
    verified: Arc<Mutex<HashMap<[u8; 32], Leaf>>>,
}

/// A leaf that is known by its fingerprint.
#[derive(Clone, Debug)]
struct Leaf {
    client: Arc<Client>,
    not_before: UnixSeconds,
    not_after: UnixSeconds,
}

struct Authority {
    client: Arc<Client>,
    sha256: [u8; 32],
    certificate: CertificateDer<'static>,
    /// DER of its name, as it stands as issuer in what it signed.
    subject: Vec<u8>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("client", &self.client.name)
            .field("sha256", &hex::encode(self.sha256))
            .finish_non_exhaustive()
    }
}

/// Why a registration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The bytes are no certificate.
    #[error(transparent)]
    Certificate(#[from] certificate::Error),
    /// The same certificate already stands for a client: the two could not be told apart.
    #[error(
        "certificate {sha256} is already registered for client \"{client}\"; hint: one client may have many \
         addresses, remove \"{client}\" first or use another certificate"
    )]
    AlreadyRegistered {
        /// The client that has it.
        client: String,
        /// The certificate's SHA-256, hex.
        sha256: String,
    },
    /// A leaf was given where a CA is needed.
    #[error(
        "\"{0}\" is no CA certificate (basicConstraints CA:TRUE); hint: give the CA's own certificate, or pin this \
         one with --cert"
    )]
    NotACa(String),
}

/// Why a certificate was refused in a handshake, in words for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} ({})", certificate.as_ref().map_or("no readable certificate".to_owned(), ToString::to_string))]
pub struct Refused {
    /// What is wrong with it.
    pub reason: RefusedReason,
    /// The certificate, where it could be read.
    pub certificate: Option<Box<Certificate>>,
}

/// What is wrong with a presented certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedReason {
    /// Its dates, or its bytes.
    #[error(transparent)]
    Certificate(#[from] certificate::Error),
    /// Nobody is registered with it.
    #[error(
        "no registered client has this certificate, and it is under no registered CA; hint: kms client add NAME \
         --cert FILE"
    )]
    Unknown,
    /// A registered CA's name is in it, but the chain does not hold.
    #[error("its chain to the CA of client \"{client}\" does not hold: {why}")]
    Chain {
        /// The client whose CA it names.
        client: String,
        /// OpenSSL's word for it.
        why: String,
    },
    /// More certificates than [`PRESENTED_CERTIFICATES_MAX`].
    #[error("{0} certificates were presented, {max} is the most", max = PRESENTED_CERTIFICATES_MAX)]
    TooMany(usize),
}

impl Trust {
    /// The trust of these clients.
    ///
    /// Fails as [`add`](Self::add) does; clients that were registered one by one never do.
    pub fn of<'a>(
        clients: impl Iterator<Item = &'a Arc<RegisteredClient>>,
    ) -> Result<Self, RegistrationError> {
        let mut trust = Self::default();
        for registered in clients {
            trust.add(&Registration::of(registered))?;
        }
        Ok(trust)
    }

    /// Adds a registration.
    ///
    /// Fails when the certificate cannot be read, already stands for a client, or is no CA where one is needed.
    pub fn add(&mut self, registration: &Registration) -> Result<(), RegistrationError> {
        let certificate = Certificate::from_der(&registration.certificate)?;
        let taken = match registration.way {
            Way::Ca => self.authorities.iter().find(|a| a.sha256 == certificate.sha256).map(|a| &a.client),
            Way::Pinned | Way::Issued | Way::Csr => {
                self.leaves.get(&certificate.sha256).map(|leaf| &leaf.client)
            }
        };
        if let Some(client) = taken {
            return Err(RegistrationError::AlreadyRegistered {
                client: client.name.to_string(),
                sha256: hex::encode(certificate.sha256),
            });
        }
        match registration.way {
            Way::Ca => {
                let authority = Authority::new(registration, &certificate)?;
                self.authorities.push(Arc::new(authority));
            }
            Way::Pinned | Way::Issued | Way::Csr => {
                let leaf = Leaf {
                    client: Arc::clone(&registration.client),
                    not_before: certificate.not_before,
                    not_after: certificate.not_after,
                };
                self.leaves.insert(certificate.sha256, leaf);
            }
        }
        // What was verified under the old set may belong to somebody else now.
        self.verified = Arc::default();
        Ok(())
    }

    /// Forgets every certificate of the client with this name. Says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.leaves.len() + self.authorities.len();
        self.leaves.retain(|_, leaf| *leaf.client.name != *name);
        self.authorities.retain(|authority| *authority.client.name != *name);
        self.verified = Arc::default();
        before != self.leaves.len() + self.authorities.len()
    }

    /// Who presents `chain`, the leaf first. A pinned leaf goes before a CA, a near CA before a far one.
    ///
    /// Does not prove that the sender holds the private key: the handshake's signature does.
    pub fn who(&self, chain: &[CertificateDer<'_>], now: UnixSeconds) -> Result<Arc<Client>, Refused> {
        let refused = |reason| Refused {
            reason,
            certificate: chain.first().and_then(|leaf| Certificate::from_der(leaf).ok()).map(Box::new),
        };
        let Some(leaf) = chain.first() else {
            return Err(refused(certificate::Error::NotACertificate.into()));
        };
        if chain.len() > PRESENTED_CERTIFICATES_MAX {
            return Err(refused(RefusedReason::TooMany(chain.len())));
        }
        let fingerprint = sha256(leaf);
        if let Some(known) = self.leaves.get(&fingerprint) {
            return known.check(now).map_err(|error| refused(error.into()));
        }
        if self.authorities.is_empty() {
            return Err(refused(RefusedReason::Unknown));
        }
        let remembered =
            self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(&fingerprint).cloned();
        if let Some(client) = remembered.and_then(|leaf| leaf.check(now).ok()) {
            return Ok(client);
        }
        let found = self.under_an_authority(chain, now).map_err(refused)?;
        let client = Arc::clone(&found.client);
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= VERIFIED_LEAVES_MAX {
            verified.clear();
        }
        verified.insert(fingerprint, found);
        Ok(client)
    }

    fn under_an_authority(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixSeconds,
    ) -> Result<Leaf, RefusedReason> {
        let mut issuers = Vec::with_capacity(chain.len());
        for der in chain {
            let issuer = X509::from_der(der).and_then(|x509| x509.issuer_name().to_der());
            issuers.push(issuer.map_err(|_| certificate::Error::NotACertificate)?);
        }
        let mut best: Option<(usize, Leaf)> = None;
        let mut why = RefusedReason::Unknown;
        for authority in self.authorities.iter().filter(|authority| issuers.contains(&authority.subject)) {
            match authority.verify(chain, now) {
                Ok((depth, leaf)) => {
                    if best.as_ref().is_none_or(|(nearest, _)| depth < *nearest) {
                        best = Some((depth, leaf));
                    }
                }
                Err(reason) => why = reason,
            }
        }
        best.map(|(_, leaf)| leaf).ok_or(why)
    }
}

impl Leaf {
    fn check(&self, now: UnixSeconds) -> Result<Arc<Client>, certificate::Error> {
        certificate::check_dates(self.not_before, self.not_after, now)?;
        Ok(Arc::clone(&self.client))
    }
}

impl Authority {
    fn new(registration: &Registration, certificate: &Certificate) -> Result<Self, RegistrationError> {
        let found =
            certs::inspect(&registration.certificate).map_err(|_| certificate::Error::NotACertificate)?;
        // Version 1 has no way to say CA:TRUE; what signed itself then stands for a root.
        if !(found.is_ca || found.version == 1 && found.self_signed) {
            return Err(RegistrationError::NotACa(certificate.subject.clone()));
        }
        let subject = X509::from_der(&registration.certificate)
            .and_then(|x509| x509.subject_name().to_der())
            .map_err(|_| certificate::Error::NotACertificate)?;
        Ok(Self {
            client: Arc::clone(&registration.client),
            sha256: certificate.sha256,
            certificate: registration.certificate.clone(),
            subject,
        })
    }

    /// Verifies the chain from the first certificate to this one, which need not be self-signed.
    /// Gives its length, and the dates that hold for all of it.
    fn verify(&self, chain: &[CertificateDer<'_>], now: UnixSeconds) -> Result<(usize, Leaf), RefusedReason> {
        let (leaf, rest) = chain.split_first().ok_or(RefusedReason::Unknown)?;
        match certs::verify_chain_of_any_purpose(leaf, rest, &self.certificate, now) {
            Ok(certs::VerifiedChain { certificates, not_before, not_after }) => {
                Ok((certificates, Leaf { client: Arc::clone(&self.client), not_before, not_after }))
            }
            Err(error) => {
                Err(RefusedReason::Chain { client: self.client.name.to_string(), why: error.to_string() })
            }
        }
    }
}

/// The trust that is in force, swapped whole when a client is added or removed.
#[derive(Debug, Default)]
pub struct LiveTrust {
    current: ArcSwap<Trust>,
}

impl LiveTrust {
    /// Puts `trust` in force: new handshakes and the next request of every open connection are held against it.
    pub fn replace(&self, trust: Trust) {
        self.current.store(Arc::new(trust));
    }

    /// What is in force now.
    pub fn current(&self) -> Guard<Arc<Trust>> {
        self.current.load()
    }
}
