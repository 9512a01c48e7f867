//! `kms init`: the directory of a real node.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use certs::{AltName, KeyKind};

use crate::node::{self, NewNode, Node};
use crate::print::{self, Format};
use crate::{Outcome, node::public_address};

/// Make the directory of a new node: its authority, server certificate, root key and configuration
///
/// Nothing that is there is overwritten, and nothing is started.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms init /etc/kms-server --address 192.0.2.7
  kms init /etc/kms-server --address 192.0.2.7,kms.example.test --name node1
  kms init ./try --address 127.0.0.1 --listen 127.0.0.1:15696 --admin 127.0.0.1:15698

Give every address and name that a vCenter may be told, that of a virtual IP too: they go
into the certificate, and one that vCenter has pinned is costly to change.")]
pub(crate) struct Arguments {
    /// The directory to make, such as /etc/kms-server
    dir: PathBuf,

    /// An address or host name that clients connect to; several with commas, or given again
    #[arg(long, required = true, value_delimiter = ',', value_name = "IP|NAME", value_parser = parse_address)]
    address: Vec<AltName>,

    /// Where to listen for KMIP
    #[arg(long, default_value_t = node::kmip_listen(), value_name = "IP:PORT")]
    listen: SocketAddr,

    /// Where to listen for health checks and metrics
    #[arg(long, default_value_t = node::admin_listen(), value_name = "IP:PORT")]
    admin: SocketAddr,

    /// The node's name in logs and metrics
    #[arg(long, default_value = "node1", value_parser = crate::client::parse_name)]
    name: String,

    /// The kind of the certificates' keys
    #[arg(long, value_enum, default_value_t)]
    key_kind: KeyKindArgument,
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

/// An address or host name for a certificate.
pub(crate) fn parse_address(text: &str) -> Result<AltName, String> {
    let name: AltName = text.parse().map_err(|error: certs::Error| error.to_string())?;
    match name {
        AltName::Ip(IpAddr::V4(address)) if address.is_unspecified() => {
            Err("0.0.0.0 is no address that a client can connect to".to_owned())
        }
        name => Ok(name),
    }
}

pub(crate) fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    let new = NewNode {
        name: arguments.name,
        addresses: arguments.address,
        kmip: arguments.listen,
        admin: arguments.admin,
        key_kind: arguments.key_kind.into(),
    };
    let node = Node::create(&arguments.dir, &new)?;
    let dir = std::fs::canonicalize(&node.dir)?;
    let server_pem = node.server_pem()?;
    let certificate = certs::inspect(server_pem.as_bytes())?;
    let address = public_address(&server_pem, new.kmip.port())?;
    match format {
        Format::Json => print::json(&serde_json::json!({
            "dir": dir,
            "config": dir.join("kms-server.toml"),
            "address": address,
            "sha1": certificate.sha1,
            "sha256": certificate.sha256,
        }))?,
        Format::Table => explain(&dir, &address, &certificate),
    }
    Ok(Outcome::Done)
}

fn explain(dir: &Path, address: &str, certificate: &certs::Inspected) {
    let shown = dir.display();
    let names: Vec<_> = certificate.alt_names.iter().map(AltName::to_string).collect();
    print::heading(format!("A node is in {shown}. Nothing runs yet."));
    print::facts(&[
        ("Clients connect to", address.to_owned()),
        ("Certificate for", names.join(", ")),
        ("Valid to", certs::utc_text(certificate.not_after)),
        ("SHA-1", format!("{}  (vCenter shows this one)", certificate.sha1)),
        ("SHA-256", certificate.sha256.clone()),
    ]);
    print::line("");
    print::heading("Next");
    print::line(format!(
        "  1. Copy {shown}/root.key to a safe place that is not this machine: without it no stored key can be read."
    ));
    print::line(format!("  2. kms-server --config {shown}/kms-server.toml --check-config"));
    print::line(format!(
        "  3. systemctl enable --now kms-server      (as an installed service; {shown} belongs to its user)"
    ));
    print::line(format!("     or kms-server --config {shown}/kms-server.toml"));
    print::line(format!("  4. kms doctor {address}"));
    print::line(format!("  5. kms client add vc01 --issue --node {shown}"));
    print::line("");
    print::line("Keep the node off every datastore that its keys unlock.");
}
