//! A backup of what this node holds, made while it serves: all objects and clients as of one entry of the log.

use axum::body::Body;
use http_body_util::channel::Channel;
use tokio::runtime::Handle;
use tracing::{error, info};

use super::Node;
use crate::backup::{Backup, Made};
use crate::config::credentials_directory;
use crate::operator::Denied;
use crate::root_key::RootKey;

/// Pieces of a backup that may wait for a slow reader, about 64 KiB each.
const PIECES_WAITING_MAX: usize = 8;

impl Node {
    /// Streams a backup. It is as current as a read: a node that is cut off makes none, as it may lack what was
    /// acknowledged elsewhere.
    pub(super) async fn back_up(&self) -> Result<Body, Denied> {
        if !self.taker.is_current().await {
            let why = "this node cannot make sure that it holds everything, so it makes no backup; hint: ask another \
                       node, or see kms cluster status";
            return Err(Denied::Unavailable(why.to_owned()));
        }
        let failed = |error: &dyn std::fmt::Display| Denied::Failed(error.to_string());
        let root = RootKey::load(&self.shared.config.root_key, credentials_directory().as_deref())
            .map_err(|error| failed(&error))?;
        let (index, records) = {
            let held = self.state().held();
            (held.index, held.objects.records())
        };
        // After the records: no record is sealed under a data key that is not among these.
        let data_keys = self.state().vault.0.export().map_err(|error| failed(&error))?;
        let made = Made {
            at: self.state().clock.system_seconds(),
            node: self.shared.config.node.clone(),
            number: self.taker.me,
            index,
        };
        let backup = Backup::new(&root, made, data_keys, records).map_err(|error| failed(&error))?;
        let (mut pieces, body) = Channel::new(PIECES_WAITING_MAX);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            for piece in backup {
                match piece {
                    // An error is a reader that went away; its file is refused as cut short.
                    Ok(piece) => {
                        if runtime.block_on(pieces.send_data(piece.into())).is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        error!("the backup ends early, its reader is told: {error}");
                        pieces.abort(error);
                        return;
                    }
                }
            }
            info!(index, "a backup was made");
        });
        Ok(Body::new(body))
    }
}
