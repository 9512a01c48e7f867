//! A place of the lab where a server runs, now and again: a node's, a front's, or that of a front's keepalived. What can
//! be done to any of them.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::control::State;
use super::server::{self, Launch, READY_TIMEOUT, Server};
use super::setup::name_of;

/// Longest wait for a server to serve that is started again on demand; one without a quorum may never.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Whose place it is. Nodes come before fronts, and these before what holds their address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Who {
    /// A node's, by its number in the lab, from 1.
    Node(usize),
    /// A front's: 0 for the only one, else 1 or 2.
    Front(usize),
    /// That of the keepalived beside front 1 or 2.
    Keepalived(usize),
}

impl Who {
    /// As a command line names it.
    pub(super) fn argument(self) -> String {
        match self {
            Who::Node(number) => number.to_string(),
            Who::Front(_) | Who::Keepalived(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Node(number) => f.write_str(&name_of(*number)),
            Who::Front(0) => f.write_str("front"),
            Who::Front(number) => write!(f, "front{number}"),
            Who::Keepalived(number) => write!(f, "keepalived{number}"),
        }
    }
}

/// What became of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    Frozen,
    /// Never started, or ended by us.
    Killed,
    /// It ended by itself.
    Ended,
}

impl From<Life> for State {
    fn from(life: Life) -> State {
        match life {
            Life::Running => State::Serving,
            Life::Frozen => State::Stopped,
            Life::Killed => State::Killed,
            Life::Ended => State::Ended,
        }
    }
}

/// How a server shows that it serves.
#[derive(Clone, Debug)]
pub(super) enum Shows {
    /// By /readyz at this address.
    Ready(SocketAddr),
    /// By a file that it writes.
    File(PathBuf),
}

impl Shows {
    async fn wait(&self, within: Duration) -> Result<(), String> {
        match self {
            Shows::Ready(admin) => server::ready(*admin, within).await,
            Shows::File(path) => server::written(path, within).await,
        }
    }
}

/// Its methods may be used at once.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) who: Who,
    launch: Launch,
    shows: Shows,
    /// The last one that was started.
    server: Mutex<Option<Arc<Server>>>,
    /// Is told when the server ends by itself.
    ends: mpsc::UnboundedSender<Who>,
    /// What names this lab on a command line: nothing where it is found without.
    at: String,
}

impl Place {
    /// Nothing is started.
    pub(super) fn new(
        who: Who,
        launch: Launch,
        shows: Shows,
        ends: mpsc::UnboundedSender<Who>,
        at: String,
    ) -> Self {
        Place { who, launch, shows, server: Mutex::default(), ends, at }
    }

    /// Starts the server, and waits until it serves. Fails with its last lines when it ends or does not.
    pub(super) async fn start_and_wait(&self) -> anyhow::Result<()> {
        let server = self.spawn()?;
        tokio::select! {
            ready = self.shows.wait(READY_TIMEOUT) => match ready {
                Ok(()) => Ok(()),
                Err(reason) => bail!(
                    "{} did not serve within {} s: {reason}; its last lines:\n{}\nhint: the whole log is {}",
                    self.who, READY_TIMEOUT.as_secs(), server.last_lines(), self.launch.log.display()
                ),
            },
            _ = server.end() => Err(server.died().context(self.who.to_string())),
        }
    }

    /// The same on demand: one that runs and does not serve yet is no failure. Says in words what came of it.
    pub(super) async fn start_again(&self) -> anyhow::Result<String> {
        let server = self.spawn()?;
        let who = self.who;
        tokio::select! {
            ready = self.shows.wait(START_TIMEOUT) => Ok(match ready {
                Ok(()) => format!("{who} serves, process {}.", server.pid()),
                Err(reason) => format!("{who} runs, process {}, and does not serve yet: {reason}", server.pid()),
            }),
            _ = server.end() => Err(server.died().context(who.to_string())),
        }
    }

    fn spawn(&self) -> anyhow::Result<Arc<Server>> {
        let mut last = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = last.as_ref().filter(|server| server.is_running()) {
            let hint = if server.is_frozen() { self.command("cont") } else { "kms lab status".to_owned() };
            bail!("{} runs already, process {}. hint: {hint}", self.who, server.pid());
        }
        let server = Arc::new(Server::start(&self.launch)?);
        *last = Some(Arc::clone(&server));
        let (end, watched, ends, who) = (server.end(), Arc::downgrade(&server), self.ends.clone(), self.who);
        tokio::spawn(async move {
            end.await;
            if watched.upgrade().is_some_and(|server| server.ended_by_itself()) {
                // A lab that no longer listens is ending.
                let _ = ends.send(who);
            }
        });
        Ok(server)
    }

    /// SIGKILL. Says in words what came of it, as the next two.
    pub(super) async fn kill(&self) -> anyhow::Result<String> {
        self.running()?.kill().await?;
        Ok(format!("{} is killed. It comes back with: {}", self.who, self.command("start")))
    }

    /// SIGSTOP.
    pub(super) async fn freeze(&self) -> anyhow::Result<String> {
        self.running()?.freeze().await?;
        Ok(format!("{} stands still. It goes on with: {}", self.who, self.command("cont")))
    }

    /// SIGCONT.
    pub(super) fn thaw(&self) -> anyhow::Result<String> {
        self.running()?.thaw();
        Ok(format!("{} goes on.", self.who))
    }

    /// What to type for it.
    pub(super) fn command(&self, what: &str) -> String {
        format!("kms lab {what} {}{}", self.who.argument(), self.at)
    }

    fn running(&self) -> anyhow::Result<Arc<Server>> {
        let server = self.server().filter(|server| server.is_running());
        server.with_context(|| format!("{} does not run. hint: {}", self.who, self.command("start")))
    }

    /// The last server.
    pub(super) fn server(&self) -> Option<Arc<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last server, if it ended by itself.
    pub(super) fn dead(&self) -> Option<Arc<Server>> {
        self.server().filter(|server| server.ended_by_itself())
    }

    /// What became of the last server.
    pub(super) fn life(&self) -> Life {
        match self.server() {
            Some(server) if server.is_frozen() => Life::Frozen,
            Some(server) if server.is_running() => Life::Running,
            Some(server) if server.ended_by_itself() => Life::Ended,
            Some(_) | None => Life::Killed,
        }
    }

    /// Its process, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.server().filter(|server| server.is_running()).map(|server| server.pid())
    }
}
