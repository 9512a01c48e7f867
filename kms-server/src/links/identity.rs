//! What a node shows on its links and whom it takes there: the cluster's CA, the node's certificate and its key, read
//! from three files, and read again on SIGHUP.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use openssl::sha::sha256;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::verify::{Anchor, CallerVerifier, NodeVerifier};
use super::wire::is_of_another_ca;
use super::{Caller, dial};
use crate::certificate::{self, Certificate, UnixSeconds, utc};
use crate::engine::NodeId;
use crate::identity::{FileError, IdentityError, Loaded, read_file};

/// Why a node cannot show itself on its links.
#[derive(Debug, thiserror::Error)]
pub enum LinkIdentityError {
    /// The CA's file.
    #[error(transparent)]
    Ca(FileError),
    /// The node's certificate or its key.
    #[error(transparent)]
    Node(IdentityError),
    /// The node's certificate has ended, or not begun.
    #[error("{}: {error}; hint: renew this node's certificate; is the clock right?", path.display())]
    Dates {
        /// The certificate file.
        path: PathBuf,
        /// On which side it is out.
        error: certificate::Error,
    },
    /// The node's certificate hangs on another CA, or is not made for both ends of a link.
    #[error(
        "the certificate in {} cannot be used under the cluster CA in {}: {why}; hint: kms init and kms join write \
         both together", certificate.display(), ca.display()
    )]
    NotUnderTheCa {
        /// The certificate file.
        certificate: PathBuf,
        /// The CA's file.
        ca: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The certificate is not a node's.
    #[error(
        "the certificate in {} is no node's: expected the common name node-<number>, its subject is \"{subject}\"",
        path.display()
    )]
    NotANode {
        /// The certificate file.
        path: PathBuf,
        /// Whose it is.
        subject: String,
    },
    /// The certificate that was read again is that of another node.
    #[error("the certificate in {} is that of node {got}, but this is node {expected}", path.display())]
    OtherNode {
        /// The certificate file.
        path: PathBuf,
        /// This node.
        expected: NodeId,
        /// Whose certificate it is.
        got: NodeId,
    },
}

/// A node's certificate, its key and the CA of its cluster. Clones share what is in force.
#[derive(Clone, Debug)]
pub struct LinkIdentity {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<Material>,
}

struct Material {
    node: NodeId,
    leaf: Certificate,
    ca_sha256: [u8; 32],
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("node", &self.node).field("leaf", &self.leaf).finish_non_exhaustive()
    }
}

impl LinkIdentity {
    /// Reads and checks three PEM files: the cluster's CA (several while it is exchanged), the node's certificate and
    /// its key. The CA that signed the certificate is presented after it, for those who join, whether or not it stands
    /// in the certificate's file.
    ///
    /// Every mistake is reported, not only the first.
    pub fn read(
        ca: &Path,
        certificate: &Path,
        key: &Path,
        now: UnixSeconds,
    ) -> Result<Self, Vec<LinkIdentityError>> {
        let current = ArcSwap::from_pointee(Material::read(ca, certificate, key, now)?);
        let [ca, certificate, key] = [ca, certificate, key].map(Path::to_owned);
        Ok(Self { shared: Arc::new(Shared { ca, certificate, key, current }) })
    }

    /// Reads the files again and says what changed. On any mistake what is in force stays. Connections that are open
    /// stay as they were made; new ones show and take what was read.
    pub fn reload(&self, now: UnixSeconds) -> Result<String, Vec<LinkIdentityError>> {
        let Shared { ca, certificate, key, current } = &*self.shared;
        let read = Material::read(ca, certificate, key, now)?;
        let before = current.load();
        if before.node != read.node {
            let (path, expected, got) = (certificate.clone(), before.node, read.node);
            return Err(vec![LinkIdentityError::OtherNode { path, expected, got }]);
        }
        let unchanged = before.leaf.sha256 == read.leaf.sha256;
        let until = utc(read.leaf.not_after);
        current.store(Arc::new(read));
        Ok(match unchanged {
            true => format!("the node certificate is unchanged, valid to {until}"),
            false => format!("the node certificate changed, the new one is valid to {until}"),
        })
    }

    /// The number that the node's certificate gives it.
    pub fn node(&self) -> NodeId {
        self.shared.current.load().node
    }

    /// The node's certificate in words.
    pub fn leaf(&self) -> Certificate {
        self.shared.current.load().leaf.clone()
    }

    /// SHA-256 of the CA that signed the node's certificate: what a joining node is told to expect.
    pub fn ca_fingerprint(&self) -> [u8; 32] {
        self.shared.current.load().ca_sha256
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.shared.current.load().server)
    }

    pub(super) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.shared.current.load().client)
    }
}

impl Material {
    fn read(
        ca: &Path,
        certificate: &Path,
        key: &Path,
        now: UnixSeconds,
    ) -> Result<Self, Vec<LinkIdentityError>> {
        let mut mistakes = Vec::new();
        let authorities = read_authorities(ca).map_err(|error| mistakes.push(LinkIdentityError::Ca(error)));
        let loaded = Loaded::read(certificate, key, now).map_err(|found| {
            mistakes.extend(found.into_iter().map(|error| match error {
                IdentityError::Dates { path, error } => LinkIdentityError::Dates { path, error },
                other @ (IdentityError::File(_)
                | IdentityError::Mismatch { .. }
                | IdentityError::Profile { .. }) => LinkIdentityError::Node(other),
            }));
        });
        let (Ok(authorities), Ok(loaded)) = (authorities, loaded) else { return Err(mistakes) };
        let path = certificate.to_owned();
        let Some(Ok(Caller::Node(node))) = loaded.certified_key().cert.first().map(|leaf| Caller::of(leaf))
        else {
            return Err(vec![LinkIdentityError::NotANode { path, subject: loaded.leaf.subject }]);
        };
        Self::of(node, &authorities, loaded, now).map_err(|why| {
            let (ca, why) = (ca.to_owned(), why.to_string());
            vec![LinkIdentityError::NotUnderTheCa { certificate: path, ca, why }]
        })
    }

    fn of(
        node: NodeId,
        authorities: &[CertificateDer<'static>],
        loaded: Loaded,
        now: UnixSeconds,
    ) -> Result<Self, Unusable> {
        let certified = loaded.certified_key();
        let ca = signer(&certified.cert, authorities, now)?;
        let mut chain = certified.cert.clone();
        if !chain.contains(ca) {
            chain.push(ca.clone());
        }
        let shown = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, Arc::clone(&certified.key))));

        let provider = Arc::new(aws_lc_rs::default_provider());
        let (callers, nodes) = verifiers(authorities, &provider)?;
        let versions = &[&rustls::version::TLS13];
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(Arc::new(callers))
            .with_cert_resolver(Arc::clone(&shown) as _);
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        server.max_early_data_size = 0;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(nodes))
            .with_client_cert_resolver(shown);
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        let ca_sha256 = sha256(ca);
        Ok(Self { node, leaf: loaded.leaf, ca_sha256, server: Arc::new(server), client: Arc::new(client) })
    }
}

/// What rustls says of a certificate that it cannot use.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it was not issued by it")]
    OtherCa,
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Verifier(#[from] VerifierBuilderError),
}

/// The authority under which the other nodes will take this chain, as that of a caller and of one who is called.
fn signer<'a>(
    chain: &[CertificateDer<'_>],
    authorities: &'a [CertificateDer<'static>],
    now: UnixSeconds,
) -> Result<&'a CertificateDer<'static>, Unusable> {
    let Some((leaf, between)) = chain.split_first() else { return Err(Unusable::OtherCa) };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.unsigned_abs()));
    let mut why = Unusable::OtherCa;
    for authority in authorities {
        let (callers, nodes) = verifiers(std::slice::from_ref(authority), &provider)?;
        let verified = callers
            .verify_client_cert(leaf, between, now)
            .and_then(|_| nodes.verify_server_cert(leaf, between, &dial::server_name(), &[], now));
        match verified {
            Ok(_) => return Ok(authority),
            Err(rustls::Error::InvalidCertificate(why)) if is_of_another_ca(&why) => {}
            Err(error) => why = error.into(),
        }
    }
    Err(why)
}

fn verifiers(
    authorities: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<(CallerVerifier, NodeVerifier), Unusable> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone())?;
    }
    let roots = Arc::new(roots);
    let callers = CallerVerifier::new(Arc::clone(&roots), Arc::clone(provider))?;
    Ok((callers, NodeVerifier::new(Anchor::Roots(roots), provider)))
}

fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let content =
        |why: String| FileError::Content { path: path.to_owned(), wanted: "PEM certificate of a CA", why };
    let pem = read_file(path)?;
    let authorities: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| content(error.to_string()))?;
    if authorities.is_empty() {
        return Err(content("no BEGIN CERTIFICATE line".to_owned()));
    }
    for authority in &authorities {
        let found = certs::inspect(authority).map_err(|error| content(error.to_string()))?;
        if !found.is_ca {
            return Err(content(format!("the certificate of \"{}\" is not a CA's", found.subject)));
        }
    }
    Ok(authorities)
}
