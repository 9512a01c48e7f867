//! Tells keepalived whether this front may hold the address: one number in the file that its `track_file` watches.
//!
//! The front does not elect and does not move addresses. The file is written by a process of its own, the [`guard`], which
//! the front feeds: keepalived sees what stands in a file, not that nobody writes it any more, and a front that stands
//! still or was killed could not take its word back.

pub mod guard;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::{interval, sleep, timeout};
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

    /// How the guard is told.
    fn byte(self) -> u8 {
        match self {
            Self::Holds => b'+',
            Self::GivesUp => b'-',
        }
    }

    fn of(byte: u8) -> Self {
        match byte {
            b'+' => Self::Holds,
            _ => Self::GivesUp,
        }
    }
}

/// Between two words to the guard when nothing changes. Several fit into [`guard::SILENCE_MAX`].
const BEAT: Duration = Duration::from_millis(100);

/// Between the end of a guard and the start of the next, and between two tries to start one.
const RETRY: Duration = Duration::from_secs(1);

/// Longest wait for the guard to take a word, or to end; it only writes a small file.
const GUARD_TIMEOUT: Duration = Duration::from_secs(2);

/// Has what holds now and each change written to the file; ends with the sender, once its last word is written. `program`
/// is this one.
pub async fn follow(program: PathBuf, path: PathBuf, mut weight: watch::Receiver<Weight>) {
    loop {
        match Guard::start(&program, &path) {
            Ok(guard) => match guard.feed(&path, &mut weight).await {
                Ended::ByUs => return,
                Ended::ByItself => error!(
                    "the process that writes [front] track_file {} has ended and is started again; hint: was it killed?",
                    path.display()
                ),
            },
            Err(error) => error!(
                "cannot start the process that writes [front] track_file {}: {error}; hint: keepalived goes by what \
                 stands there, so this host may hold an address that it does not serve; may the front start programs?",
                path.display()
            ),
        }
        sleep(RETRY).await;
    }
}

/// Why a guard is no more.
enum Ended {
    ByUs,
    ByItself,
}

/// The guard as the front sees it. It ends when its standard input is closed, which the kernel does for a front that is
/// killed.
struct Guard {
    child: Child,
    to: ChildStdin,
    /// A line for each file written, or not.
    said: Lines<BufReader<ChildStdout>>,
}

impl Guard {
    fn start(program: &Path, path: &Path) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            .arg0("health-proxy")
            .arg(guard::ARGUMENT)
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(to), Some(said)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        };
        Ok(Self { child, to, said: BufReader::new(said).lines() })
    }

    async fn feed(mut self, path: &Path, weight: &mut watch::Receiver<Weight>) -> Ended {
        let (mut beats, mut failing) = (interval(BEAT), false);
        loop {
            tokio::select! {
                changed = weight.changed() => if changed.is_err() {
                    let last = *weight.borrow();
                    return self.end(last).await;
                },
                _ = beats.tick() => {}
                line = self.said.next_line() => match line {
                    Ok(Some(line)) => report(path, &line, &mut failing),
                    Ok(None) | Err(_) => {
                        self.dismiss().await;
                        return Ended::ByItself;
                    }
                }
            }
            let now = *weight.borrow_and_update();
            if !matches!(timeout(GUARD_TIMEOUT, self.to.write_all(&[now.byte()])).await, Ok(Ok(()))) {
                self.dismiss().await;
                return Ended::ByItself;
            }
        }
    }

    /// The last word, and the end of it.
    async fn end(mut self, last: Weight) -> Ended {
        let _ = timeout(GUARD_TIMEOUT, self.to.write_all(&[last.byte()])).await;
        drop(self.to);
        let _ = timeout(GUARD_TIMEOUT, self.child.wait()).await;
        Ended::ByUs
    }

    /// Of one that does not listen, so that no two write.
    async fn dismiss(&mut self) {
        let _ = self.child.start_kill();
        let _ = timeout(GUARD_TIMEOUT, self.child.wait()).await;
    }
}

/// Says once that the file cannot be written, and once that it can again.
fn report(path: &Path, line: &str, failing: &mut bool) {
    let is_failure = line != guard::WRITTEN;
    match (is_failure, *failing) {
        (true, false) => error!(
            "cannot write [front] track_file {}: {line}; hint: keepalived goes by what stood there before, look at \
             the directory's rights and space",
            path.display()
        ),
        (false, true) => info!("[front] track_file {} can be written again", path.display()),
        (false, false) | (true, true) => {}
    }
    *failing = is_failure;
}
