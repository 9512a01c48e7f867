//! The running lab's control socket, DIR/lab.sock: another terminal asks for one thing a connection, as a line of JSON,
//! and gets one line back. Mode 0600: it is for whoever runs the lab.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::nodes::Nodes;
use super::place::Who;

/// The socket's name in the lab's directory.
const SOCKET: &str = "lab.sock";

/// Connections at once; further ones wait.
const CONNECTIONS_MAX: usize = 16;

/// Most bytes of a line, either way.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Longest wait for a question, once connected.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait for the answer: more than a node is given to serve, or to end.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// What another terminal asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ask {
    /// How every node is.
    Status,
    /// To do something to nodes or fronts, to all at once.
    Do {
        /// What.
        action: Action,
        /// To whom.
        to: Vec<Who>,
    },
}

/// What can be done to a node, and to one of two fronts; the first four to any server of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// SIGKILL.
    Kill,
    /// Started again.
    Start,
    /// SIGSTOP.
    Stop,
    /// SIGCONT.
    Cont,
    /// Cut off: a node from the other nodes, a front from everything.
    Cut,
    /// Links slowed.
    Slow {
        /// By how much each way, in milliseconds.
        ms: u64,
    },
    /// Links as they were.
    Heal,
}

/// The lab's answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// How every node is, and the fronts where there are any.
    States {
        /// By number.
        nodes: Vec<NodeState>,
        fronts: Vec<FrontState>,
        /// What two fronts have besides.
        pair: Option<PairState>,
    },
    /// What was done, in words, and what failed.
    Done {
        /// A line for each node.
        done: Vec<String>,
        /// What went wrong first, with a hint.
        failed: Option<String>,
    },
}

/// A node as the lab's process knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NodeState {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) kmip: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) link: String,
    /// Its server, while it runs.
    pub(super) pid: Option<u32>,
    pub(super) dir: PathBuf,
    pub(super) state: State,
    pub(super) cut: bool,
    pub(super) slow_ms: u64,
}

/// A front as the lab's process knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FrontState {
    pub(super) name: String,
    /// Where it is reached: the only one by clients, one of two at its host's own address.
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
    /// Where it takes orders.
    pub(super) socket: PathBuf,
    /// Its process, while it runs.
    pub(super) pid: Option<u32>,
    pub(super) dir: PathBuf,
    pub(super) state: State,
    /// Whether its host has the address that clients use. Of two that may be both, when one of them was frozen.
    pub(super) holds: bool,
    pub(super) cut: bool,
    pub(super) slow_ms: u64,
}

/// What two fronts have besides, as the lab's process knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PairState {
    /// Their one address, where clients connect.
    pub(super) address: SocketAddr,
    /// By front.
    pub(super) keepaliveds: Vec<KeepalivedState>,
    pub(super) client: ClientState,
}

/// A keepalived.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeepalivedState {
    pub(super) name: String,
    /// Its process, while it runs.
    pub(super) pid: Option<u32>,
    pub(super) state: State,
}

/// The client that asks all the time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ClientState {
    pub(super) address: Ipv4Addr,
    pub(super) namespace: String,
    /// Requests.
    pub(super) answered: u64,
    /// Since the last answer.
    pub(super) silent_ms: Option<u64>,
    /// The longest time between two answers, of the last minute.
    pub(super) gap_ms_max: Option<u64>,
}

/// The word for it. What is the matter with the server comes before what is with its links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It runs.
    Serving,
    /// We killed it.
    Killed,
    /// It ended by itself.
    Ended,
    /// It stands still.
    Stopped,
    /// It runs, cut off from the others.
    Cut,
    /// It runs, with slow links.
    Slow,
}

/// Opens the socket. One that a killed lab left is replaced: the lab's lock is ours.
pub(super) fn bind(dir: &Path) -> anyhow::Result<UnixListener> {
    let path = dir.join(SOCKET);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).with_context(|| {
        format!("opening the control socket {}. hint: its path may have 107 bytes at most", path.display())
    })?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("making {} private", path.display()))?;
    Ok(listener)
}

/// Takes the socket away.
pub(super) fn remove(dir: &Path) {
    let _ = std::fs::remove_file(dir.join(SOCKET));
}

/// Answers until it is dropped. `changed` is called when servers may be others than before.
pub(super) async fn serve(
    listener: UnixListener,
    nodes: Arc<Nodes>,
    changed: impl Fn() + Clone + Send + 'static,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut served = JoinSet::new();
    loop {
        while served.try_join_next().is_some() {}
        let Ok(seat) = Arc::clone(&room).acquire_owned().await else { return };
        // The system has no room now: another will ask.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (nodes, changed) = (Arc::clone(&nodes), changed.clone());
        served.spawn(async move {
            // Who asked and went away needs no answer.
            let _ = answer(stream, nodes, changed).await;
            drop(seat);
        });
    }
}

async fn answer(stream: UnixStream, nodes: Arc<Nodes>, changed: impl Fn()) -> anyhow::Result<()> {
    let (from, mut to) = stream.into_split();
    let line = tokio::time::timeout(ASK_TIMEOUT, line(from)).await??;
    let answer = match serde_json::from_str(&line) {
        Ok(Ask::Status) => {
            Answer::States { nodes: nodes.states(), fronts: nodes.front_states(), pair: nodes.pair_state() }
        }
        Ok(Ask::Do { action, to }) => {
            let answer = act(&nodes, action, to).await;
            changed();
            answer
        }
        Err(error) => Answer::Done {
            done: Vec::new(),
            failed: Some(format!(
                "the lab does not understand what it is asked: {error}. hint: it runs another version of kms"
            )),
        },
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    Ok(to.write_all(&line).await?)
}

/// Does it to all at once: three nodes that are killed are killed together.
async fn act(nodes: &Arc<Nodes>, action: Action, to: Vec<Who>) -> Answer {
    let mut acts = JoinSet::new();
    for who in to {
        let nodes = Arc::clone(nodes);
        acts.spawn(async move { (who, nodes.act(action, who).await) });
    }
    let mut results = acts.join_all().await;
    results.sort_by_key(|(who, _)| *who);
    let (mut done, mut failed) = (Vec::new(), None);
    for (_, result) in results {
        match result {
            Ok(words) => done.push(words),
            Err(error) => failed = failed.or(Some(format!("{error:#}"))),
        }
    }
    Answer::Done { done, failed }
}

/// Asks the lab that runs in this directory.
pub(super) async fn ask(dir: &Path, ask: &Ask) -> anyhow::Result<Answer> {
    let stream = match UnixStream::connect(dir.join(SOCKET)).await {
        Ok(stream) => stream,
        Err(error) => bail!(
            "no lab serves in {} ({error}). hint: kms lab starts one; another is named with --dir",
            dir.display()
        ),
    };
    let (from, mut to) = stream.into_split();
    let mut question = serde_json::to_vec(ask)?;
    question.push(b'\n');
    let exchange = async {
        to.write_all(&question).await?;
        line(from).await
    };
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, exchange).await;
    let answer = answer
        .with_context(|| format!("the lab does not answer within {} s", ANSWER_TIMEOUT.as_secs()))?
        .context("the lab broke off")?;
    serde_json::from_str(&answer)
        .context("the lab's answer is not understood. hint: it runs another version of kms")
}

async fn line(from: impl tokio::io::AsyncRead + Unpin) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(from.take(LINE_BYTES_MAX)).read_line(&mut line).await?;
    match line.ends_with('\n') {
        true => Ok(line),
        false => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::nodes::Programs;
    use super::super::setup;
    use super::*;

    /// A lab of one node that is always ready, and listens to another terminal. Its server does nothing.
    fn lab(script: &str) -> (tempfile::TempDir, Arc<Nodes>, tokio::sync::mpsc::UnboundedReceiver<Who>) {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("server");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let prepared = setup::prepare(dir.path(), Some(1), Some(0), None).unwrap();
        let health = std::net::TcpListener::bind(prepared.nodes[0].new.admin).unwrap();
        std::thread::spawn(move || {
            use std::io::{Read, Write};
            while let Ok((mut stream, _)) = health.accept() {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            }
        });
        let programs = Programs { server: program, front: None };
        let (nodes, ended) = Nodes::new(programs, prepared, dir.path()).unwrap();
        let listener = bind(dir.path()).unwrap();
        tokio::spawn(serve(listener, Arc::clone(&nodes), || {}));
        (dir, nodes, ended)
    }

    const LIVES: &str = "while :; do sleep 0.05; done";

    async fn act(dir: &Path, action: Action, nodes: &[usize]) -> Result<String, String> {
        match ask(dir, &Ask::Do { action, to: nodes.iter().map(|number| Who::Node(*number)).collect() })
            .await
            .unwrap()
        {
            Answer::Done { done, failed: None } => Ok(done.join(" ")),
            Answer::Done { failed: Some(failed), .. } => Err(failed),
            Answer::States { .. } => panic!("another answer"),
        }
    }

    async fn state(dir: &Path) -> (State, bool, u64, bool) {
        match ask(dir, &Ask::Status).await.unwrap() {
            Answer::States { nodes, .. } => {
                (nodes[0].state, nodes[0].cut, nodes[0].slow_ms, nodes[0].pid.is_some())
            }
            Answer::Done { .. } => panic!("another answer"),
        }
    }

    #[tokio::test]
    async fn another_terminal_does_to_a_node_what_it_likes() {
        let (dir, _nodes, _ended) = lab(LIVES);
        let dir = dir.path();
        assert_eq!(state(dir).await, (State::Killed, false, 0, false));
        assert!(act(dir, Action::Start, &[1]).await.unwrap().starts_with("node1 serves, process"));
        assert_eq!(state(dir).await, (State::Serving, false, 0, true));
        for (action, expected) in [
            (Action::Cut, (State::Cut, true, 0, true)),
            (Action::Slow { ms: 7 }, (State::Cut, true, 7, true)),
            (Action::Stop, (State::Stopped, true, 7, true)),
            (Action::Heal, (State::Stopped, false, 0, true)),
            (Action::Cont, (State::Serving, false, 0, true)),
            (Action::Slow { ms: 7 }, (State::Slow, false, 7, true)),
            (Action::Kill, (State::Killed, false, 7, false)),
            (Action::Heal, (State::Killed, false, 0, false)),
            (Action::Start, (State::Serving, false, 0, true)),
        ] {
            act(dir, action, &[1]).await.unwrap();
            assert_eq!(state(dir).await, expected, "after {action:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_done_is_said_with_a_way_out() {
        let (dir, nodes, _ended) = lab(LIVES);
        let dir = dir.path();
        for (action, words) in [(Action::Kill, "does not run"), (Action::Stop, "kms lab start 1 --dir")] {
            let error = act(dir, action, &[1]).await.unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        nodes.start_and_wait(Who::Node(1)).await.unwrap();
        assert!(act(dir, Action::Start, &[1]).await.unwrap_err().contains("runs already"));
        assert!(act(dir, Action::Cut, &[1, 2]).await.unwrap_err().contains("no node 2"));
        assert!(state(dir).await.1, "the other is done all the same");
        for (who, words) in [(Who::Front(0), "--fronts 0"), (Who::Keepalived(1), "--fronts 2")] {
            let to = vec![who];
            let Answer::Done { failed, .. } = ask(dir, &Ask::Do { action: Action::Kill, to }).await.unwrap()
            else {
                panic!("another answer")
            };
            assert!(failed.unwrap().contains(words));
        }
    }

    #[tokio::test]
    async fn only_a_server_that_ends_by_itself_is_reported() {
        let (dir, nodes, mut ended) = lab(LIVES);
        nodes.start_and_wait(Who::Node(1)).await.unwrap();
        act(dir.path(), Action::Kill, &[1]).await.unwrap();
        nodes.start_and_wait(Who::Node(1)).await.unwrap();
        let Answer::States { nodes: states, .. } = ask(dir.path(), &Ask::Status).await.unwrap() else {
            panic!()
        };
        let pid = i32::try_from(states[0].pid.unwrap()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        assert_eq!(ended.recv().await, Some(Who::Node(1)));
        assert!(ended.try_recv().is_err(), "the kill before was ours");
        assert_eq!((state(dir.path()).await.0, nodes.ended_by_themselves()), (State::Ended, 1));
        assert!(nodes.dead(Who::Node(1)).unwrap().died_line().contains("SIGKILL"));
    }

    #[tokio::test]
    async fn where_no_lab_serves_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let error = ask(dir.path(), &Ask::Status).await.unwrap_err().to_string();
        assert!(error.contains("no lab serves"), "{error}");
    }

    #[tokio::test]
    async fn the_control_socket_is_its_owners_alone() {
        let (dir, _nodes, _ended) = lab(LIVES);
        let mode = std::fs::metadata(dir.path().join(SOCKET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
