//! To whom requests are handed over: nodes of ours, which are told for whom and remember what they did, or nodes of another
//! make, whose client the front is.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use rustls_pki_types::CertificateDer;

use crate::choose::Need;
use crate::links::{Handed, Links, Manner, Reply, Unheard};
use crate::probe::Prober;
use crate::third_party::ThirdParty;

/// The nodes' make. Clones share connections.
#[derive(Clone, Debug)]
pub(crate) enum Upstream {
    Ours(Links),
    ThirdParty(ThirdParty),
}

impl Upstream {
    /// How many answers the nodes remembered; none where they remember nothing.
    pub(super) fn seen(&self) -> u64 {
        match self {
            Self::Ours(links) => links.seen(),
            Self::ThirdParty(_) => 0,
        }
    }

    /// Hands a request over to the node at `address`.
    ///
    /// # Errors
    /// [`Unheard`] says whether the request may have got there.
    pub(super) async fn hand_over(
        &self,
        address: SocketAddr,
        handed: &Handed,
        need: Need,
        manner: Manner,
    ) -> Result<Reply, Unheard> {
        match self {
            Self::Ours(links) => {
                // A call that waits for its link is not taken back when the request is given up.
                handed.on_its_way.store(true, Ordering::Release);
                links.hand_over(address, handed, manner).await
            }
            Self::ThirdParty(nodes) => nodes.hand_over(address, handed, need).await,
        }
    }

    /// Whether a client that was let in before `now` held may go on. Our own nodes look at each request themselves.
    pub(super) fn still_admits(&self, now: Option<&Self>, leaf: Option<&CertificateDer<'_>>) -> bool {
        match (self, now, leaf) {
            (Self::Ours(_), ..) => true,
            (Self::ThirdParty(_), Some(Self::ThirdParty(nodes)), Some(leaf)) => nodes.admitted().holds(leaf),
            (Self::ThirdParty(_), _, _) => false,
        }
    }

    /// How nodes are asked whether they answer, where the configuration does not say.
    pub(crate) fn prober(&self) -> Prober {
        match self {
            Self::Ours(links) => Prober::over(links),
            Self::ThirdParty(nodes) => nodes.prober().clone(),
        }
    }

    /// What clients cannot count on, in words for the log and the page; none where they can count on all.
    pub(crate) fn caveat(&self) -> Option<&'static str> {
        match self {
            Self::Ours(_) => None,
            Self::ThirdParty(_) => Some(
                "the nodes are third-party servers: only reads are given to another node when one does not answer, a \
                 change is sent once, and to the nodes all clients are one; hint: [third_party] clients says who may \
                 connect",
            ),
        }
    }
}
