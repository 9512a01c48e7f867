//! What a serving lab says of itself: lab.json for programs, a screen for people.

use std::path::{Path, PathBuf};

use anyhow::Context;
use certs::Existing;
use serde::{Deserialize, Serialize};

use super::control::{FrontState, NodeState, PairState};
use super::server;
use super::setup::ClientFiles;
use super::view::{self, FrontView, View};
use crate::admin::{Status, fingerprint};
use crate::print::{self, Format};
use crate::{file, node};

/// lab.json. All paths are absolute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    /// The address that clients use: the front's, or without one the first node's.
    pub(crate) vip: String,
    /// The only one.
    #[serde(default)]
    front: Option<FrontDescription>,
    #[serde(default)]
    pair: Option<PairDescription>,
    nodes: Vec<NodeDescription>,
    /// The lab's client.
    pub(crate) client: ClientDescription,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct NodeDescription {
    name: String,
    /// In the lab, from 1: what `kms lab kill` and the like are told.
    #[serde(default)]
    number: usize,
    kmip: String,
    admin: String,
    /// Where the other nodes reach it: a port of the lab itself.
    #[serde(default)]
    link: String,
    /// Nothing while it does not run.
    pid: Option<u32>,
    dir: PathBuf,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct FrontDescription {
    kmip: String,
    admin: String,
    /// Where it takes orders.
    socket: PathBuf,
    /// Nothing while it does not run.
    pid: Option<u32>,
    dir: PathBuf,
}

/// Two fronts that hold one address.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PairDescription {
    fronts: Vec<FrontDescription>,
    keepaliveds: Vec<KeepalivedDescription>,
    /// The network namespace in which another client can be run: `ip netns exec NAME`.
    client_namespace: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeepalivedDescription {
    /// Nothing while it does not run.
    pid: Option<u32>,
    /// That of its front.
    dir: PathBuf,
}

impl PairDescription {
    fn new(pair: PairState, fronts: Vec<FrontState>) -> Self {
        let dirs = fronts.iter().map(|front| front.dir.clone());
        let keepaliveds = pair.keepaliveds.iter().zip(dirs);
        PairDescription {
            keepaliveds: keepaliveds
                .map(|(known, dir)| KeepalivedDescription { pid: known.pid, dir })
                .collect(),
            fronts: fronts.into_iter().map(FrontDescription::from).collect(),
            client_namespace: pair.client.namespace,
        }
    }
}

impl PairDescription {
    fn pages(&self) -> String {
        let pages: Vec<_> = self.fronts.iter().map(|front| format!("http://{}/", front.admin)).collect();
        pages.join(", ")
    }

    fn tokens(&self) -> String {
        let tokens: Vec<_> =
            self.fronts.iter().map(|front| shown(&front.dir.join(super::front::TOKEN))).collect();
        tokens.join(", ")
    }
}

impl From<FrontState> for FrontDescription {
    fn from(front: FrontState) -> Self {
        FrontDescription {
            kmip: front.address.to_string(),
            admin: front.admin.to_string(),
            socket: front.socket,
            pid: front.pid,
            dir: front.dir,
        }
    }
}

impl From<NodeState> for NodeDescription {
    fn from(node: NodeState) -> Self {
        NodeDescription {
            name: node.name,
            number: node.number,
            kmip: node.kmip.to_string(),
            admin: node.admin.to_string(),
            link: node.link,
            pid: node.pid,
            dir: node.dir,
        }
    }
}

/// Where a client's files are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClientDescription {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: PathBuf,
}

/// The servers of a lab as they are.
#[derive(Debug)]
pub(super) struct States {
    pub(super) nodes: Vec<NodeState>,
    pub(super) fronts: Vec<FrontState>,
    pub(super) pair: Option<PairState>,
}

impl Description {
    /// A lab with these servers, whose clients go to `vip`.
    pub(super) fn new(vip: String, states: States, client: &ClientFiles) -> Self {
        let client = ClientDescription { cert: client.cert(), key: client.key(), ca: client.ca() };
        Description { vip, front: None, pair: None, nodes: Vec::new(), client }.with(states)
    }

    /// The same lab with its servers as they are now.
    pub(super) fn with(&self, states: States) -> Self {
        let States { nodes, mut fronts, pair } = states;
        let (front, pair) = match pair {
            Some(pair) => (None, Some(PairDescription::new(pair, fronts))),
            None => (fronts.pop().map(FrontDescription::from), None),
        };
        let nodes = nodes.into_iter().map(NodeDescription::from).collect();
        Description { nodes, front, pair, ..self.clone() }
    }

    /// Reads what the lab in this directory wrote.
    pub(crate) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("lab.json");
        let text = file::read_text(&path)
            .with_context(|| format!("no lab serves in {}. hint: kms lab starts one", dir.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not understood", path.display()))
    }

    /// Waits until the servers of a lab that was killed have ended.
    pub(super) async fn servers_gone(&self) -> anyhow::Result<()> {
        let nodes = self.nodes.iter().map(|node| (node.pid, &node.dir));
        let of_pair = self.pair.iter().flat_map(|pair| &pair.fronts);
        let fronts = self.front.iter().chain(of_pair).map(|front| (front.pid, &front.dir));
        let keepaliveds = self.pair.iter().flat_map(|pair| &pair.keepaliveds);
        let keepaliveds = keepaliveds.map(|keepalived| (keepalived.pid, &keepalived.dir));
        for (pid, dir) in nodes.chain(fronts).chain(keepaliveds) {
            if let Some(pid) = pid {
                server::gone(pid, dir).await?;
            }
        }
        Ok(())
    }

    /// Writes lab.json in one step: who sees it sees all of it.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        file::write(path, text.as_bytes(), file::PUBLIC, Existing::Replace)
    }

    /// Says that the lab serves, and what to try.
    pub(super) fn print(
        &self,
        status: &Status,
        nodes: &[View],
        (fronts, pair): (&[FrontView], Option<&PairState>),
        format: Format,
    ) -> anyhow::Result<()> {
        if format == Format::Json {
            return print::json(self);
        }
        let Some(node) = self.nodes.first() else { return Ok(()) };
        let lab = node.dir.parent().unwrap_or(&node.dir);
        let client = &self.client;
        print::heading(match self.nodes.len() {
            1 => "The lab serves: one node.".to_owned(),
            count => format!("The lab serves: {count} nodes, and any of them answers for all."),
        });
        let address = match (&self.front, &self.pair) {
            (Some(front), _) => vec![
                ("KMIP address", format!("{}  (the front; the one for vCenter)", self.vip)),
                (
                    "Front's page",
                    format!("http://{}/  (also /api/v1/status, /readyz, /metrics)", front.admin),
                ),
                ("  token to drain", shown(&front.dir.join(super::front::TOKEN))),
            ],
            (None, Some(pair)) => vec![
                ("KMIP address", format!("{}  (of the front that has it; the one for vCenter)", self.vip)),
                ("Fronts' pages", pair.pages()),
                ("  tokens to drain", pair.tokens()),
                ("Client's network", format!("ip netns exec {} COMMAND", pair.client_namespace)),
            ],
            (None, None) => vec![("KMIP address", self.vip.clone())],
        };
        print::facts(
            &[
                address.as_slice(),
                &[
                    ("Server SHA-1", format!("{}  (vCenter shows this one)", fingerprint(&status.tls.sha1))),
                    ("Server SHA-256", fingerprint(&status.tls.sha256)),
                    ("Client", "vcenter-lab, tenant lab, every right".to_owned()),
                    ("  certificate", shown(&client.cert)),
                    ("  private key", shown(&client.key)),
                    ("  CA", shown(&client.ca)),
                    ("First node", shown(&node.dir)),
                    ("Log", shown(&node.dir.join("server.log"))),
                    ("Keys", status.objects.to_string()),
                ],
            ]
            .concat(),
        );
        print::line("");
        view::print(nodes, fronts, pair, Format::Table)?;
        let kms = this_command();
        // What the other commands find by themselves need not be typed.
        let is_found = is_here(lab);
        let of_lab = if is_found { String::new() } else { format!(" {}", shown(lab)) };
        let at_lab = at_lab(lab);
        let of_node = if is_found { String::new() } else { format!(" --node {}", shown(&node.dir)) };
        print::line("");
        print::heading("Next, in another terminal");
        print::line(format!("  {kms} doctor --write --lab{of_lab}"));
        print::line(format!("  {kms} key create --tenant lab --name test01{of_node}"));
        print::line(format!("  {kms} key list{of_node}"));
        if self.nodes.len() > 1 {
            print::line(format!(
                "  {kms} lab kill 1{at_lab}     the others go on; also start, stop, cont, cut, slow, heal"
            ));
            print::line(format!("  {kms} lab status{at_lab}"));
        }
        if self.pair.is_some() {
            print::line(format!(
                "  {kms} lab stop front1{at_lab}     front2 gets the address; also keepalived1, and cut front1"
            ));
        }
        let first = self.front.iter().chain(self.pair.iter().flat_map(|pair| &pair.fronts)).next();
        if let Some(front) = first {
            let of_front =
                if is_found { String::new() } else { format!(" --socket {}", shown(&front.socket)) };
            print::line(format!("  {kms} front status{of_front}"));
        }
        let clicks = client.cert.with_file_name("CLICKS.md");
        print::line(format!("  less {}     how a vCenter is told of it", shown(&clicks)));
        print::line("");
        print::line("Ctrl-C stops it; started again, it keeps its keys.");
        Ok(())
    }
}

/// Whether this is the lab that commands find without being told.
fn is_here(lab: &Path) -> bool {
    std::env::current_dir().and_then(std::fs::canonicalize).is_ok_and(|here| here.join(node::LAB) == lab)
}

/// What names this lab on a command line of `kms lab`: nothing where it is found without.
pub(super) fn at_lab(lab: &Path) -> String {
    if is_here(lab) { String::new() } else { format!(" --dir {}", shown(lab)) }
}

/// A path as one would type it here: relative where it lies below, quoted where it must be.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().and_then(std::fs::canonicalize).ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    let text = short.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// This program as one would type it: its name where PATH has it, else its path.
fn this_command() -> String {
    let Ok(this) = std::env::current_exe() else { return "kms".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).any(|dir| this.parent() == Some(&dir));
    if on_path { "kms".to_owned() } else { shown(&this) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_json_has_the_fields_that_scripts_read() {
        let description = Description {
            vip: "127.0.0.1:5796".into(),
            front: Some(FrontDescription {
                kmip: "127.0.0.1:5796".into(),
                admin: "127.0.0.1:5799".into(),
                socket: "/lab/front/admin.sock".into(),
                pid: Some(8),
                dir: "/lab/front".into(),
            }),
            pair: None,
            nodes: vec![NodeDescription {
                name: "node1".into(),
                number: 1,
                kmip: "127.0.0.1:5696".into(),
                admin: "127.0.0.1:5698".into(),
                link: "127.0.0.1:5697".into(),
                pid: Some(7),
                dir: "/lab/node1".into(),
            }],
            client: ClientDescription {
                cert: "/lab/client/cert.pem".into(),
                key: "/lab/client/key.pem".into(),
                ca: "/lab/client/ca.pem".into(),
            },
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lab.json");
        description.write(&path).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            read,
            serde_json::json!({
                "vip": "127.0.0.1:5796",
                "front": {"kmip": "127.0.0.1:5796", "admin": "127.0.0.1:5799", "socket": "/lab/front/admin.sock",
                    "pid": 8, "dir": "/lab/front"},
                "pair": null,
                "nodes": [{"name": "node1", "number": 1, "kmip": "127.0.0.1:5696", "admin": "127.0.0.1:5698",
                    "link": "127.0.0.1:5697", "pid": 7, "dir": "/lab/node1"}],
                "client": {"cert": "/lab/client/cert.pem", "key": "/lab/client/key.pem",
                    "ca": "/lab/client/ca.pem"},
            })
        );
    }

    #[test]
    fn a_path_is_quoted_where_a_shell_would_split_it() {
        assert_eq!(shown(Path::new("/a/b-c.d")), "/a/b-c.d");
        assert_eq!(shown(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
