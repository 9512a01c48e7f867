//! Tells keepalived whether this front may hold the address: one number in the file that its `track_file` watches.
//!
//! The front does not elect and does not move addresses. Disks can be slow, so a task of its own writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info};

/// What is added to keepalived's priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A node can be read.
    Holds,
    /// None can, or the front ends: the other one is better.
    GivesUp,
}

impl Weight {
    /// The number in the file. -254 takes any priority below that of a front that works.
    pub fn number(self) -> i32 {
        match self {
            Self::Holds => 0,
            Self::GivesUp => -254,
        }
    }
}

/// Between two tries to write a file that could not be written.
const RETRY: Duration = Duration::from_secs(1);

/// Writes what holds now and each change to the file; ends with the sender, once its last word is written.
pub async fn follow(path: PathBuf, mut weight: watch::Receiver<Weight>) {
    let mut failing = false;
    loop {
        let now = *weight.borrow_and_update();
        let written = write(&path, now).await;
        match (&written, failing) {
            (Err(error), false) => error!(
                "cannot write [front] track_file {}: {error}; hint: keepalived goes by what stood there before, look at \
                 the directory's rights and space",
                path.display()
            ),
            (Ok(()), true) => info!("[front] track_file {} can be written again", path.display()),
            (Ok(()), false) | (Err(_), true) => {}
        }
        failing = written.is_err();
        let goes_on = tokio::select! {
            changed = weight.changed() => changed.is_ok(),
            () = tokio::time::sleep(RETRY), if failing => true,
        };
        if !goes_on {
            return;
        }
    }
}

/// By a new file that takes the old one's place, so that keepalived never reads half a number.
async fn write(path: &Path, weight: Weight) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    tokio::fs::write(&name, format!("{}\n", weight.number())).await?;
    tokio::fs::rename(&name, path).await
}
