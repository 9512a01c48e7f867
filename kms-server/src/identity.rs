//! The server's own certificate and key: read, checked, shown in handshakes, exchanged on SIGHUP.
//!
//! vCenter pins what it sees here, so every node behind one address shows the same certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use arc_swap::ArcSwap;
use daemon::file::{self, FILE_BYTES_MAX, Openness};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::SslRef;
use openssl::x509::X509;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::certificate::{Certificate, UnixSeconds, utc};
use crate::tls::{NotAllowed, Profile};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system will not read it.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// It is larger than [`FILE_BYTES_MAX`].
    #[error("{} has {bytes} bytes or more, {max} is the most", path.display(), max = FILE_BYTES_MAX)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Others than its owner can use it.
    #[error(
        "{} is open to others than its owner (mode {mode:04o}); hint: chmod 600 {}", path.display(), path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold what it should.
    #[error("{} holds no {wanted}: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl FileError {
    /// The file it is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Read { path, .. }
            | Self::TooLarge { path, .. }
            | Self::OpenToOthers { path, .. }
            | Self::Content { path, .. } => path,
        }
    }
}

/// Reads a file, at most [`FILE_BYTES_MAX`].
pub fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let failed = |error| FileError::Read { path: path.to_owned(), error };
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(FileError::TooLarge { path: path.to_owned(), bytes: metadata.len() });
    }
    file::read(path)
        .map_err(failed)?
        .ok_or_else(|| FileError::TooLarge { path: path.to_owned(), bytes: FILE_BYTES_MAX + 1 })
}

/// Fails when others may use a secret file more than `openness` allows, or when it is not there.
fn check_openness(path: &Path, openness: Openness) -> Result<(), FileError> {
    match file::too_open(path, openness) {
        Ok(None) => Ok(()),
        Ok(Some(mode)) => Err(FileError::OpenToOthers { path: path.to_owned(), mode }),
        Err(error) => Err(FileError::Read { path: path.to_owned(), error }),
    }
}

/// A certificate chain with its private key, checked against each other.
#[derive(Clone)]
pub struct Loaded {
    /// The leaf in words.
    pub leaf: Certificate,
    key: Arc<CertifiedKey>,
    /// The same for OpenSSL.
    chain: Vec<X509>,
    private: PKey<Private>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("leaf", &self.leaf).finish_non_exhaustive()
    }
}

/// Why the server cannot show a certificate.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// One of its files.
    #[error(transparent)]
    File(#[from] FileError),
    /// The certificate and the key are not of one pair.
    #[error(
        "the key in {} does not belong to the certificate in {}; hint: both come from the same kms init or request",
        key.display(), certificate.display()
    )]
    Mismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// The certificate is not as `[kmip] tls` wants it.
    #[error("{}: {error}", path.display())]
    Profile {
        /// The certificate file.
        path: PathBuf,
        /// Why.
        error: NotAllowed,
    },
    /// The certificate's dates.
    #[error("{}: {error}; hint: renew it, every node behind one address must show the same", path.display())]
    Dates {
        /// The certificate file.
        path: PathBuf,
        /// On which side it is out.
        error: crate::certificate::Error,
    },
}

impl Loaded {
    /// Chain and key as TLS uses them.
    pub(crate) fn certified_key(&self) -> &CertifiedKey {
        &self.key
    }

    /// Whether the leaf, which came from `path`, may be shown under `profile`.
    pub(crate) fn check_profile(&self, path: &Path, profile: Profile) -> Result<(), IdentityError> {
        let leaf = self.key.cert.first().map_or(&[][..], |leaf| leaf.as_ref());
        profile.check(leaf).map_err(|error| IdentityError::Profile { path: path.to_owned(), error })
    }

    /// Reads and checks the chain (leaf first) and its key, both PEM. Every mistake is reported, not only the first.
    pub fn read(certificate: &Path, key: &Path, now: UnixSeconds) -> Result<Self, Vec<IdentityError>> {
        let mut mistakes = Vec::new();
        let chain = read_chain(certificate).map_err(|error| mistakes.push(error.into())).ok();
        let private = read_key(key).map_err(|error| mistakes.push(error.into())).ok();
        if let Err(error @ FileError::OpenToOthers { .. }) = check_openness(key, Openness::GroupMayRead) {
            mistakes.push(error.into());
        }
        let leaf = chain.as_ref().map(|(_, leaf)| leaf);
        if let Some(Err(error)) = leaf.map(|leaf| leaf.check_dates(now)) {
            mistakes.push(IdentityError::Dates { path: certificate.to_owned(), error });
        }
        let (Some((chain, leaf)), Some(private)) = (chain, private) else { return Err(mistakes) };
        if !is_pair(&chain, &private) {
            let (certificate, key) = (certificate.to_owned(), key.to_owned());
            mistakes.push(IdentityError::Mismatch { certificate, key });
        }
        match aws_lc_rs::sign::any_supported_type(&private) {
            Ok(signing) if mistakes.is_empty() => {
                let for_openssl = || {
                    let chain = chain.iter().map(|der| X509::from_der(der)).collect::<Result<_, _>>()?;
                    Ok::<_, ErrorStack>((chain, PKey::private_key_from_der(private.secret_der())?))
                };
                match for_openssl() {
                    Ok((x509, private)) => Ok(Self {
                        leaf,
                        key: Arc::new(CertifiedKey::new(chain, signing)),
                        chain: x509,
                        private,
                    }),
                    Err(error) => {
                        let (path, wanted) = (certificate.to_owned(), "chain of certificates");
                        Err(vec![FileError::Content { path, wanted, why: error.to_string() }.into()])
                    }
                }
            }
            Ok(_) => Err(mistakes),
            Err(error) => {
                let (path, wanted) = (key.to_owned(), "RSA or elliptic-curve key that TLS can use");
                mistakes.push(FileError::Content { path, wanted, why: error.to_string() }.into());
                Err(mistakes)
            }
        }
    }
}

fn read_chain(path: &Path) -> Result<(Vec<CertificateDer<'static>>, Certificate), FileError> {
    let content = |why: String| FileError::Content { path: path.to_owned(), wanted: "PEM certificate", why };
    let pem = read_file(path)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| content(error.to_string()))?;
    let leaf = chain.first().ok_or_else(|| content("no BEGIN CERTIFICATE line".to_owned()))?;
    let leaf = Certificate::from_der(leaf).map_err(|error| content(error.to_string()))?;
    Ok((chain, leaf))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let pem = read_file(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| FileError::Content {
        path: path.to_owned(),
        wanted: "unencrypted PEM private key",
        why: error.to_string(),
    })
}

fn is_pair(chain: &[CertificateDer<'_>], private: &PrivateKeyDer<'_>) -> bool {
    let Some(Ok(leaf)) = chain.first().map(|leaf| X509::from_der(leaf)) else { return false };
    match (leaf.public_key(), PKey::private_key_from_der(private.secret_der())) {
        (Ok(public), Ok(private)) => public.public_eq(&private),
        _ => false,
    }
}

/// The certificate in force, and the files it is read from again.
#[derive(Debug)]
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    profile: Profile,
    current: ArcSwap<Loaded>,
}

impl Identity {
    /// Takes what was read from `certificate` and `key`.
    pub fn new(certificate: PathBuf, key: PathBuf, loaded: Loaded) -> Self {
        Self { certificate, key, profile: Profile::Default, current: ArcSwap::from_pointee(loaded) }
    }

    /// Holds what is read later to a profile of TLS.
    pub fn held_to(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }

    /// The leaf in force.
    pub fn leaf(&self) -> Certificate {
        self.current.load().leaf.clone()
    }

    /// Has a handshake of OpenSSL's show the certificate in force.
    pub(crate) fn show(&self, ssl: &mut SslRef) -> Result<(), ErrorStack> {
        let loaded = self.current.load();
        let mut chain = loaded.chain.iter();
        if let Some(leaf) = chain.next() {
            ssl.set_certificate(leaf)?;
        }
        ssl.set_private_key(&loaded.private)?;
        chain.try_for_each(|other| ssl.add_chain_cert(other.clone()))
    }

    /// Reads the files again and says what changed. On any mistake the certificate in force stays.
    pub fn reload(&self, now: UnixSeconds) -> Result<String, Vec<IdentityError>> {
        let loaded = Loaded::read(&self.certificate, &self.key, now)?;
        loaded.check_profile(&self.certificate, self.profile).map_err(|error| vec![error])?;
        let before = self.leaf();
        let after = loaded.leaf.clone();
        if before.sha256 == after.sha256 {
            return Ok(format!("the server certificate is unchanged, valid to {}", utc(after.not_after)));
        }
        self.current.store(Arc::new(loaded));
        Ok(format!(
            "the server certificate changed from SHA-1 {} (valid to {}) to SHA-1 {} (valid to {}, subject \"{}\"); \
             clients that pinned the old one must trust the new one",
            hex::encode(before.sha1),
            utc(before.not_after),
            hex::encode(after.sha1),
            utc(after.not_after),
            after.subject
        ))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}
