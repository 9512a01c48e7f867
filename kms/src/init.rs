//! `kms init`: the directory of a real node.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use certs::{AltName, KeyKind};

use crate::node::{self, LINK_PORT, NewLink, NewNode, Node, Shown};
use crate::print::{self, Format};
use crate::{Outcome, address, node::public_address};

/// Make the directory of a cluster's first node: authorities, certificates, root key and configuration
///
/// A node is a cluster of one until others join it. Nothing that is there is overwritten, and nothing is started.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms init /etc/kms-server --address 192.0.2.7
  kms init /etc/kms-server --address 192.0.2.7,n1.example.test --vip 192.0.2.10 --name node1
  kms init ./try --address 127.0.0.1 --listen 127.0.0.1:15696 --admin 127.0.0.1:15698

Give every address and name that a vCenter may be told, that of a virtual IP too: they go
into the certificate, which all nodes share, and one that vCenter has pinned is costly to
change. So name the addresses of nodes that are to come as well.")]
#[command(group = clap::ArgGroup::new("addresses").args(["address", "vip"]).required(true).multiple(true))]
pub(crate) struct Arguments {
    /// The directory to make, such as /etc/kms-server
    dir: PathBuf,

    /// An address or host name that clients connect to; several with commas, or given again
    #[arg(long, value_delimiter = ',', value_name = "IP|NAME", value_parser = address::parse_host)]
    address: Vec<AltName>,

    /// An address that moves from node to node, which clients are told; goes into the certificate too
    #[arg(long, value_delimiter = ',', value_name = "IP|NAME", value_parser = address::parse_host)]
    vip: Vec<AltName>,

    #[command(flatten)]
    ports: Ports,

    /// The node's name in logs and metrics
    #[arg(long, default_value = "node1", value_parser = crate::client::parse_name)]
    name: String,

    /// The kind of the keys of the certificates that clients see
    #[arg(long, value_enum, default_value_t)]
    key_kind: KeyKindArgument,
}

/// Where a new node listens, and where the others reach it.
#[derive(Debug, clap::Args)]
pub(crate) struct Ports {
    /// Where other nodes reach this one [default: the first --address, port 5697]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = address::parse_link)]
    link: Option<(AltName, u16)>,

    /// Where to listen for other nodes [default: 0.0.0.0 and the port of --link]
    #[arg(long, value_name = "IP:PORT")]
    link_listen: Option<SocketAddr>,

    /// Where to listen for KMIP
    #[arg(long, default_value_t = node::kmip_listen(), value_name = "IP:PORT")]
    listen: SocketAddr,

    /// Where to listen for health checks and metrics
    #[arg(long, default_value_t = node::admin_listen(), value_name = "IP:PORT")]
    admin: SocketAddr,
}

impl Ports {
    /// The new node that has these, at the first of these addresses where no other is given.
    pub(crate) fn of(self, name: String, addresses: &[AltName]) -> anyhow::Result<NewNode> {
        let is_one_machine = |name: &&AltName| !matches!(name, AltName::Dns(name) if name.starts_with("*."));
        let own = || addresses.iter().find(is_one_machine).map(|host| (host.clone(), LINK_PORT));
        let (host, port) = self.link.or_else(own).context(
            "at which address do the other nodes reach this one? hint: give it with --address or --link; a virtual IP will not do, as it moves",
        )?;
        let listen = self.link_listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
        let link = NewLink { listen, advertise: address::join(&host.to_string(), port), source: None };
        Ok(NewNode { name, kmip: self.listen, admin: self.admin, link })
    }
}

/// A kind of key pair, as it is written on the command line.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum KeyKindArgument {
    /// RSA with 2,048 bits: every client knows it
    #[default]
    Rsa2048,
    /// ECDSA on P-256: the cheaper handshake
    P256,
}

impl From<KeyKindArgument> for KeyKind {
    fn from(kind: KeyKindArgument) -> Self {
        match kind {
            KeyKindArgument::Rsa2048 => KeyKind::Rsa2048,
            KeyKindArgument::P256 => KeyKind::P256,
        }
    }
}

pub(crate) fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    let new = arguments.ports.of(arguments.name, &arguments.address)?;
    // What clients are told comes first.
    let mut addresses = arguments.vip;
    addresses.extend(arguments.address);
    let node = Node::create(&arguments.dir, &new, &Shown { addresses, key_kind: arguments.key_kind.into() })?;
    let dir = std::fs::canonicalize(&node.dir)?;
    let server_pem = node.server_pem()?;
    let certificate = certs::inspect(server_pem.as_bytes())?;
    let address = public_address(&server_pem, new.kmip.port())?;
    match format {
        Format::Json => print::json(&serde_json::json!({
            "dir": dir,
            "config": dir.join("kms-server.toml"),
            "address": address,
            "link": new.link.advertise,
            "sha1": certificate.sha1,
            "sha256": certificate.sha256,
        }))?,
        Format::Table => explain(&dir, &address, &new.link.advertise, &certificate),
    }
    Ok(Outcome::Done)
}

fn explain(dir: &Path, address: &str, link: &str, certificate: &certs::Inspected) {
    let shown = dir.display();
    let names: Vec<_> = certificate.alt_names.iter().map(AltName::to_string).collect();
    print::heading(format!("A node is in {shown}. Nothing runs yet."));
    print::facts(&[
        ("Clients connect to", address.to_owned()),
        ("Other nodes connect to", link.to_owned()),
        ("Certificate for", names.join(", ")),
        ("Valid to", certs::utc_text(certificate.not_after)),
        ("SHA-1", format!("{}  (vCenter shows this one)", certificate.sha1)),
        ("SHA-256", certificate.sha256.clone()),
    ]);
    print::line("");
    print::heading("Next");
    print::line(format!(
        "  1. Copy {shown}/root.key to a safe place that is not this machine: without it no stored key and no backup can be read."
    ));
    print::line(format!("  2. kms-server --config {shown}/kms-server.toml --check-config"));
    print::line(format!(
        "  3. systemctl enable --now kms-server      (as an installed service; {shown} belongs to its user)"
    ));
    print::line(format!("     or kms-server --config {shown}/kms-server.toml"));
    print::line(format!("  4. kms doctor {address}"));
    print::line(format!("  5. kms client add vc01 --issue --node {shown}"));
    print::line(format!(
        "  6. kms cluster invite --node {shown}      (for each further node, which then runs kms join)"
    ));
    print::line("");
    print::line("Keep the node off every datastore that its keys unlock.");
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn made(words: &str) -> Result<NewNode, String> {
        let line = Line::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())?;
        let Arguments { ports, name, address, .. } = line.arguments;
        ports.of(name, &address).map_err(|error| error.to_string())
    }

    #[test]
    fn other_nodes_come_to_the_first_address_unless_told_otherwise() {
        let link = |words| made(words).map(|new| (new.link.advertise, new.link.listen.to_string()));
        let is = |advertise: &str, listen: &str| Ok((advertise.to_owned(), listen.to_owned()));
        assert_eq!(link("init d --address *.example.test,192.0.2.7"), is("192.0.2.7:5697", "0.0.0.0:5697"));
        assert_eq!(
            link("init d --vip 192.0.2.10 --link n1.example.test:7"),
            is("n1.example.test:7", "0.0.0.0:7")
        );
        assert_eq!(
            link("init d --address 2001:db8::7 --link-listen [::]:7"),
            is("[2001:db8::7]:5697", "[::]:7")
        );
    }

    #[test]
    fn an_address_that_moves_is_not_where_other_nodes_come_to() {
        let error = made("init d --vip 192.0.2.10").unwrap_err();
        assert!(error.contains("--link"), "{error}");
    }

    #[test]
    fn a_node_without_any_address_is_refused() {
        let error = made("init d").unwrap_err();
        assert!(error.contains("--address") && error.contains("--vip"), "{error}");
    }
}
