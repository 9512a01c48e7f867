//! A daemon's life, as those around it see it: what systemd is told, and when a parent is gone.

use std::future::pending;
use std::io;

pub use sd_notify::NotifyState;
use tokio::sync::oneshot;
use tracing::warn;

/// Tells systemd, where it asked to be told.
pub fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!("cannot tell systemd: {error}");
    }
}

/// Waits until whoever started the program with `--lifeline` is gone, however it went: the other end of its standard
/// input is then closed. Waits for ever unless `watched`.
pub async fn lifeline(watched: bool) {
    if !watched {
        return pending().await;
    }
    let (gone, wait) = oneshot::channel();
    // A thread of its own, as a read of standard input cannot be given up; it ends with the process.
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = gone.send(());
    });
    let _ = wait.await;
}
