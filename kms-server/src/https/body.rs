//! A request's body, whole and within its bound.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::header;
use tokio::time::timeout;
use ttlv::HEADER_BYTES;
use zeroize::Zeroizing;

/// Bytes of a body over its bound that are read and dropped before the answer, so that TCP does not take the answer
/// back from a client that is still sending. Past them, or [`DROPPED_WITHIN`], the connection is cut.
const DROPPED_BYTES_MAX: usize = 4 << 20;
const DROPPED_WITHIN: Duration = Duration::from_secs(1);

/// Room that is made before a byte has come; what a length announces costs nothing.
const FIRST_BYTES: usize = 4096;

/// Why there is no body.
pub(super) enum Unread {
    /// It has more bytes than are taken.
    Oversized {
        /// Its first bytes.
        header: [u8; HEADER_BYTES],
        /// What it announces, or what came at least.
        bytes: usize,
    },
    /// The connection or HTTP.
    Broken(hyper::Error),
}

/// Reads a body of at most `bytes_max` bytes. Wiped when it is dropped; what hyper itself read into is not.
pub(super) async fn read(request: Request<Incoming>, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let waits = request.headers().contains_key(header::EXPECT);
    let mut incoming = request.into_body();
    let announced = usize::try_from(incoming.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bytes_max && waits {
        // It asked before it sent.
        return Err(Unread::Oversized { header: [0; HEADER_BYTES], bytes: announced });
    }
    let mut body = Zeroizing::new(Vec::with_capacity(announced.min(FIRST_BYTES)));
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(Unread::Broken)?.into_data() else { continue };
        if body.len() + data.len() <= bytes_max && announced <= bytes_max {
            body.extend_from_slice(&data);
            continue;
        }
        let first: Vec<u8> = body.iter().chain(data.iter()).copied().take(HEADER_BYTES).collect();
        let header = first.try_into().unwrap_or([0; HEADER_BYTES]);
        let bytes = announced.max(body.len() + data.len());
        let dropped = async {
            let mut left = DROPPED_BYTES_MAX;
            while let Some(Ok(frame)) = incoming.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
                if left == 0 {
                    return;
                }
            }
        };
        let _ = timeout(DROPPED_WITHIN, dropped).await;
        return Err(Unread::Oversized { header, bytes });
    }
    Ok(body)
}
