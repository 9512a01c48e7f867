//! What the lab needs before and after its server starts: a node's directory, ports that are free, a client.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use certs::{AltName, Existing, KeyKind, Profile, Subject};

use super::node_in;
use crate::admin::{Admin, Client, NewClient, NewTrust, Right, Way};
use crate::client::pack::Pack;
use crate::node::{ADMIN_PORT, KMIP_PORT, NewNode, Node};
use crate::{config, file, time};

/// The lab's client and its tenant.
const CLIENT: &str = "vcenter-lab";
const TENANT: &str = "lab";

/// A node that can be started.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) node: Node,
    pub(super) kmip: SocketAddr,
    pub(super) admin: SocketAddr,
}

/// Makes the node's directory, or takes the one that is there, and sees that its ports are free.
pub(super) fn prepare(dir: &Path, port: Option<u16>) -> anyhow::Result<Prepared> {
    let node = node_in(dir);
    let exists = node.config().is_file();
    let before = if exists { Some(node.settings()?) } else { None };
    let port = port.or(before.as_ref().map(|settings| settings.kmip.listen.port())).unwrap_or(KMIP_PORT);
    let kmip = free(port).with_context(|| {
        format!(
            "port {port} on 127.0.0.1 is taken. hint: another lab or key server runs here; stop it, or choose another port: kms lab --port 15696 (0 for any)"
        )
    })?;
    // Its own port is of no interest to anyone but us: any will do when the usual one is taken.
    let usual = match &before {
        Some(settings) => settings.admin.listen.port(),
        None if port == KMIP_PORT => ADMIN_PORT,
        None => 0,
    };
    let admin = free(usual).or_else(|_| free(0)).context("finding a free port")?;
    let new = new_node(kmip, admin);
    match before {
        None => {
            Node::create(&node.dir, &new)?;
        }
        Some(settings) if settings.kmip.listen != kmip || settings.admin.listen != admin => {
            let text = config::text(&new);
            file::write(&node.config(), text.as_bytes(), file::PUBLIC, Existing::Replace)?;
        }
        Some(_) => {}
    }
    Ok(Prepared { node, kmip, admin })
}

fn new_node(kmip: SocketAddr, admin: SocketAddr) -> NewNode {
    NewNode {
        name: "node1".to_owned(),
        addresses: vec![AltName::Ip(Ipv4Addr::LOCALHOST.into()), AltName::Dns("localhost".to_owned())],
        kmip,
        admin,
        key_kind: KeyKind::P256,
    }
}

/// The address of this port on 127.0.0.1, which is free now; any free port for 0.
fn free(port: u16) -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr()
}

/// The lab's client: where its files are.
#[derive(Debug)]
pub(super) struct ClientFiles {
    dir: PathBuf,
}

impl ClientFiles {
    pub(super) fn cert(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.dir.join("key.pem")
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }
}

/// Makes the lab's client known, or sees that it is. Its files are there before the node knows it, so that a lab that
/// is killed between never knows a client whose key is lost.
pub(super) async fn client(admin: &Admin, prepared: &Prepared, dir: &Path) -> anyhow::Result<ClientFiles> {
    let files = ClientFiles { dir: dir.join("client") };
    let has_files = [files.cert(), files.key(), files.ca()].iter().all(|path| path.is_file());
    let known = match admin.client(CLIENT).await {
        Ok(client) => Some(client),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(known) = known {
        if has_files && is_pinned(&known, &file::read_text(&files.cert())?) {
            return Ok(files);
        }
        admin.remove_client(CLIENT).await?;
    }
    let node = &prepared.node;
    if !has_files {
        issue(node, &files)?;
    }
    let client_pem = file::read_text(&files.cert())?;
    let new = NewClient {
        name: CLIENT.to_owned(),
        tenant: TENANT.to_owned(),
        rights: vec![Right::Read, Right::Create, Right::Change, Right::Destroy],
        trust: NewTrust { kind: Way::Issued, pem: client_pem.clone() },
    };
    let client = match admin.add_client(&new).await {
        Ok(client) => client,
        Err(error) => bail!("making the client {CLIENT} known: {error}"),
    };
    let address = prepared.kmip.to_string();
    Pack::new(&client, &address, &node.server_pem()?, &node.ca_pem()?, &client_pem, None)?
        .write(&files.dir)?;
    Ok(files)
}

fn issue(node: &Node, files: &ClientFiles) -> anyhow::Result<()> {
    file::private_directory(&files.dir)?;
    let authority = node.authority()?;
    let issued = authority.issue(Profile::Client, &Subject::named(CLIENT), KeyKind::P256, time::now_s())?;
    certs::write_private_key(&files.key(), &issued.key_pem, Existing::Replace)?;
    certs::write_certificate(&files.cert(), &issued.cert_pem, Existing::Replace)?;
    Ok(certs::write_certificate(&files.ca(), &authority.cert_pem()?, Existing::Replace)?)
}

/// Whether the node knows the client by this certificate.
fn is_pinned(client: &Client, pem: &str) -> bool {
    let plain = |text: &str| text.replace(':', "").to_ascii_lowercase();
    certs::inspect(pem.as_bytes())
        .is_ok_and(|certificate| plain(&certificate.sha256) == plain(&client.trust.sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_that_is_there_keeps_its_keys_certificates_and_port() {
        let dir = tempfile::tempdir().unwrap();
        let first = prepare(dir.path(), Some(0)).unwrap();
        let kept = |prepared: &Prepared| {
            let node = &prepared.node;
            [node.root_key(), node.tls("ca.key"), node.tls("server.pem"), node.config()]
                .map(|path| std::fs::read(path).unwrap())
        };
        let before = kept(&first);
        let second = prepare(dir.path(), None).unwrap();
        assert_eq!(kept(&second), before);
        assert_eq!((second.kmip, second.admin), (first.kmip, first.admin));
    }

    #[test]
    fn another_port_is_written_to_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let first = prepare(dir.path(), Some(0)).unwrap();
        let held = TcpListener::bind(first.admin).unwrap();
        let second = prepare(dir.path(), Some(0)).unwrap();
        drop(held);
        let settings = second.node.settings().unwrap();
        assert_eq!((settings.kmip.listen, settings.admin.listen), (second.kmip, second.admin));
        assert_ne!(second.admin, first.admin);
    }

    #[test]
    fn a_port_that_is_taken_is_named_with_a_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let error = prepare(dir.path(), Some(port)).unwrap_err().to_string();
        assert!(error.contains(&format!("port {port}")) && error.contains("--port"), "{error}");
        assert!(!dir.path().join("node1").exists(), "nothing is made");
    }
}
