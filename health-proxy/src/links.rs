//! The front's calls to our own nodes over their link port: mutual TLS 1.3 under the cluster's CA, many calls at once on
//! one connection a node.
//!
//! [`ask`] is what is said, [`identity`] who may say it, [`link`] the connection. What the other side does with it stands
//! in the node's `node/front.rs`; the two share the bytes and nothing else.

mod ask;
mod identity;
mod link;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

pub(crate) use self::ask::{CERTIFICATES_MAX, Handed, Manner, Reply, Token};
pub(crate) use self::identity::{IdentityError, LinkFiles, certificates, client_config, one_key};
use self::link::Link;
pub(crate) use self::link::Unheard;
use crate::health::Report;

/// What a connection to a node may take, with TLS and hello. Requests that wait for it go to another node long before.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The links to all nodes, made as they are needed. Clones share them.
#[derive(Clone)]
pub(crate) struct Links {
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<ClientConfig>,
    /// What this front shows of itself.
    leaf: CertificateDer<'static>,
    by_address: Mutex<BTreeMap<SocketAddr, Arc<Link>>>,
    /// The most answers that any node said were ever remembered.
    seen: AtomicU64,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("seen", &self.seen()).finish_non_exhaustive()
    }
}

impl Links {
    /// Reads the front's certificate for links, its key, and the cluster's CA.
    ///
    /// # Errors
    /// What is wrong, by key of `[replay]`.
    pub(crate) fn read(files: &LinkFiles<'_>) -> Result<Self, Vec<IdentityError>> {
        let (config, leaf) = client_config(files)?;
        let shared = Shared { config, leaf, by_address: Mutex::default(), seen: AtomicU64::new(0) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The front's own certificate.
    pub(crate) fn leaf(&self) -> &CertificateDer<'static> {
        &self.shared.leaf
    }

    /// How many answers the nodes remembered, as far as was heard: what a request that comes now has to be sent with.
    pub(crate) fn seen(&self) -> u64 {
        self.shared.seen.load(Ordering::Acquire)
    }

    /// Hands a request over to the node at `address`.
    ///
    /// # Errors
    /// [`Unheard`] says whether the request may have got there.
    pub(crate) async fn hand_over(
        &self,
        address: SocketAddr,
        handed: &Handed,
        manner: Manner,
    ) -> Result<Reply, Unheard> {
        let answer = self.link(address).call(ask::REQUEST, handed.write(manner)).await?;
        Reply::read(answer).ok_or_else(|| {
            let why =
                "its answer is not one that this front knows; hint: are front and nodes of one version?";
            Unheard::Refused(why.to_owned())
        })
    }

    /// Asks the node at `address` what it can do.
    ///
    /// # Errors
    /// Why it does not say, in words; with whether a connection stood.
    pub(crate) async fn status(&self, address: SocketAddr) -> Result<Report, (bool, String)> {
        let answer = self.link(address).call(ask::STATUS, Zeroizing::default()).await;
        let answer = answer.map_err(|unheard| (!unheard.is_unsent(), unheard.to_string()))?;
        let status = ask::Status::read(&answer).map_err(|why| (true, why))?;
        self.shared.seen.fetch_max(status.answers_seen, Ordering::AcqRel);
        status.report().map_err(|why| (true, why))
    }

    /// The end of the certificate that the node at `address` last showed.
    pub(crate) fn not_after(&self, address: SocketAddr) -> Option<i64> {
        let links = self.shared.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        links.get(&address).and_then(|link| link.not_after())
    }

    fn link(&self, address: SocketAddr) -> Arc<Link> {
        let mut links = self.shared.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let link = links.entry(address).or_insert_with(|| {
            Arc::new(Link::new(address, Arc::clone(&self.shared.config), CONNECT_TIMEOUT))
        });
        Arc::clone(link)
    }
}
