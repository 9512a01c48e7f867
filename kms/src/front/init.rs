//! `kms front init`: all files of two hosts that hold one address with keepalived, each with a front.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use certs::Existing;

use super::certificate::Folder;
use super::files::{self, Host, Mode, Pair};
use crate::node::{KMIP_PORT, LINK_PORT, Which};
use crate::print::{self, Format};
use crate::{Outcome, address, file, time};

/// The longest name of an interface, as Linux has it.
const INTERFACE_BYTES_MAX: usize = 15;

/// Where nothing listens (RFC 863, discard): asked only which address of ours would be used; nothing is sent.
const NO_PORT: u16 = 9;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The one address that clients are told; no host has it for itself
    #[arg(long, value_name = "ADDRESS", value_parser = parse_ip)]
    vip: IpAddr,

    /// The interface that holds it, on both hosts
    #[arg(long, value_name = "IF", value_parser = parse_interface)]
    interface: String,

    /// The other host's own address
    #[arg(long, value_name = "ADDRESS", value_parser = parse_ip)]
    peer: IpAddr,

    /// This host's own address [default: the one from which it reaches the other host]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_ip)]
    address: Option<IpAddr>,

    /// What the fronts do with connections [default: replay on a node; passthrough with --nodes]
    #[arg(long, value_enum)]
    mode: Option<Mode>,

    /// The nodes of a passthrough: ADDRESS, ADDRESS:PORT or NAME=ADDRESS:PORT, with commas [default: those of the cluster
    /// of the node here]
    #[arg(long, value_name = "NODE,...", value_delimiter = ',', value_parser = parse_node)]
    nodes: Vec<(Option<String>, SocketAddr)>,

    /// The pair's number among those of VRRP in this network, on both hosts
    #[arg(long, value_name = "N", default_value_t = files::ROUTER_ID, value_parser = clap::value_parser!(u8).range(1..))]
    router_id: u8,

    /// Where to write; a directory for each host is made in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    #[command(flatten)]
    which: Which,
}

pub(super) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    let out = arguments.out.clone();
    if out.exists() {
        bail!("{} is there already and is kept. hint: choose another with --out DIR", out.display());
    }
    let own = match arguments.address {
        Some(own) => own,
        None => own_address(arguments.peer)?,
    };
    let is_here = arguments.nodes.is_empty();
    let mode = arguments.mode.unwrap_or(if is_here { Mode::Replay } else { Mode::Passthrough });
    let nodes = match (is_here, mode) {
        (true, mode) => of_cluster(&arguments.which, mode).await?,
        (false, Mode::Passthrough) => named(arguments.nodes),
        (false, Mode::Replay) => bail!(
            "replay takes its nodes and its certificates from the cluster of the node here. hint: run it on a node without --nodes, or with --mode passthrough"
        ),
    };
    let folders = match mode {
        Mode::Replay => {
            let node = arguments.which.find()?;
            let issue = |name| Folder::issue(&node, name, time::now_s());
            Some([issue("1")?, issue("2")?])
        }
        Mode::Passthrough => None,
    };
    let pair = Pair {
        vip: arguments.vip,
        interface: arguments.interface,
        hosts: [own, arguments.peer],
        mode,
        nodes,
        router_id: arguments.router_id,
    };
    check(&pair)?;
    let dirs = write(&pair, folders.as_ref(), &out)?;
    match format {
        Format::Json => print::json(&serde_json::json!({ "fronts": dirs }))?,
        Format::Table => report(&pair, &dirs),
    }
    Ok(Outcome::Done)
}

/// What must hold for a pair to work.
fn check(pair: &Pair) -> anyhow::Result<()> {
    let Pair { vip, hosts: [own, peer], nodes, .. } = pair;
    if own == peer {
        bail!(
            "both hosts have the address {own}. hint: name this host's with --address, the other's with --peer"
        );
    }
    if vip == own || vip == peer {
        bail!(
            "{vip} is a host's own address, and the one for clients must be able to move. hint: give a free address of the same network with --vip"
        );
    }
    if [own, peer].iter().any(|host| host.is_ipv4() != vip.is_ipv4()) {
        bail!("{vip}, {own} and {peer} are of two kinds. hint: all of IPv4, or all of IPv6");
    }
    if let Some((name, node)) = nodes.iter().find(|(_, node)| node.ip() == *vip) {
        bail!(
            "the node {name} is at {node}, the address of the front itself. hint: name the node's own with --nodes"
        );
    }
    for (place, (name, node)) in nodes.iter().enumerate() {
        let mut before = nodes[..place].iter();
        if before.any(|(other, address)| other == name || address == node) {
            bail!("the node {name} at {node} is named twice. hint: one name and one address a node");
        }
    }
    Ok(())
}

/// Both hosts' files; nothing is left when one cannot be written.
fn write(pair: &Pair, folders: Option<&[Folder; 2]>, out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let write_all = || {
        let mut dirs = Vec::new();
        for (place, host) in [Host::First, Host::Second].into_iter().enumerate() {
            let dir = out.join(host.name());
            file::private_directory(&dir)?;
            for (name, content) in files::all(pair, host) {
                file::write(&dir.join(name), content.as_bytes(), file::PUBLIC, Existing::Refuse)?;
            }
            if let Some(folders) = folders {
                folders[place].write_over(&dir)?;
            }
            dirs.push(dir);
        }
        Ok(dirs)
    };
    let written = write_all();
    if written.is_err() {
        // The error says more than one of clearing up could.
        let _ = std::fs::remove_dir_all(out);
    }
    written
}

fn report(pair: &Pair, dirs: &[PathBuf]) {
    print::heading(format!("Two fronts hold {} before {} nodes.", pair.vip, pair.nodes.len()));
    let rows =
        dirs.iter().zip(pair.hosts).map(|(dir, host)| vec![dir.display().to_string(), host.to_string()]);
    print::table(&["FILES", "FOR THE HOST"], rows);
    print::line("");
    print::heading("Next");
    match pair.mode {
        Mode::Replay => print::line(
            "  copy each directory to its host, in secret: with its keys one passes for the server, and speaks to the nodes for any client",
        ),
        Mode::Passthrough => {
            print::line("  kms client add front --issue --tenant front --rights read --out probe");
            let dir = dirs[0].display();
            print::line(format!("  copy probe/cert.pem, key.pem and ca.pem into {dir}/ as probe.pem,"));
            print::line("  probe.key and ca.pem, and into the other directory too");
        }
    }
    print::line("  then, as root on each host, in its directory: sh install.sh");
}

/// The address from which this host reaches the other.
fn own_address(peer: IpAddr) -> anyhow::Result<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let ask = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((peer, NO_PORT))?;
        socket.local_addr()
    };
    let own = ask().with_context(|| {
        format!("finding the address from which this host reaches {peer}. hint: name it with --address")
    })?;
    Ok(own.ip())
}

/// Nodes that were given no name are kms1 and so on, by their place.
fn named(nodes: Vec<(Option<String>, SocketAddr)>) -> Vec<(String, SocketAddr)> {
    let name = |(place, (name, node)): (usize, (Option<String>, SocketAddr))| {
        (name.unwrap_or_else(|| format!("kms{place}")), node)
    };
    (1..).zip(nodes).map(name).collect()
}

/// The members of the cluster of the node on this machine: each is known to the others by an address that it does not
/// change. In replay by their links, else by where clients reach them.
async fn of_cluster(which: &Which, mode: Mode) -> anyhow::Result<Vec<(String, SocketAddr)>> {
    let ask = async { anyhow::Ok(which.admin()?.cluster().await?) };
    let cluster =
        ask.await.context("asking the node here for the cluster's nodes. hint: name them with --nodes")?;
    let nodes = cluster.nodes.iter().map(|node| {
        let (host, link) = address::split(&node.link, LINK_PORT)?;
        let (_, kmip) = address::split(&node.kmip, KMIP_PORT).unwrap_or((String::new(), KMIP_PORT));
        let port = match mode {
            Mode::Replay => link,
            Mode::Passthrough => kmip,
        };
        let host: IpAddr = host.parse().with_context(|| {
            format!("{} is known as {host}, and the front takes IP addresses only. hint: --nodes", node.name)
        })?;
        Ok((node.name.clone(), SocketAddr::new(host, port)))
    });
    nodes.collect()
}

fn parse_ip(text: &str) -> Result<IpAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_loopback() || address.is_multicast() => {
            Err(format!("{address} is no address of one machine in a network"))
        }
        Ok(address) => Ok(address),
        Err(_) => Err("an IP address, such as 192.0.2.10".to_owned()),
    }
}

fn parse_interface(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match (1..=INTERFACE_BYTES_MAX).contains(&text.len()) && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("an interface, such as eth0; ip link shows them".to_owned()),
    }
}

fn parse_node(text: &str) -> Result<(Option<String>, SocketAddr), String> {
    let (name, at) = text.split_once('=').map_or((None, text), |(name, at)| (Some(name), at));
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if name.is_some_and(|name| !(1..=64).contains(&name.len()) || !name.chars().all(fits)) {
        return Err("a name has 1 to 64 letters, digits, \".\", \"_\" and \"-\"".to_owned());
    }
    let (host, port) = address::split(at, KMIP_PORT).map_err(|error| format!("{error:#}"))?;
    let host = parse_ip(&host).map_err(|_| {
        format!("{host} is no IP address of a node; a name server would be one more thing that can fail")
    })?;
    Ok((name.map(str::to_owned), SocketAddr::new(host, port)))
}

#[cfg(test)]
mod tests {
    use super::super::files::tests::pair;
    use super::*;

    #[test]
    fn a_node_is_an_address_with_or_without_a_name_and_a_port() {
        let parsed = |text| parse_node(text).map(|(name, at)| (name, at.to_string()));
        assert_eq!(parsed("192.0.2.7"), Ok((None, "192.0.2.7:5696".into())));
        assert_eq!(parsed("a=[2001:db8::7]:1"), Ok((Some("a".into()), "[2001:db8::7]:1".into())));
        for bad in ["", "=192.0.2.7", "a b=192.0.2.7", "kms.example.test", "127.0.0.1", "192.0.2.7:0"] {
            assert!(parse_node(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_a_way_out() {
        let check = |change: fn(&mut Pair)| {
            let mut pair = pair();
            change(&mut pair);
            check(&pair).map_err(|error| error.to_string())
        };
        check(|_| {}).unwrap();
        type Change = fn(&mut Pair);
        let wrong: [(Change, &str); 5] = [
            (|pair| pair.hosts[1] = pair.hosts[0], "--peer"),
            (|pair| pair.vip = pair.hosts[0], "able to move"),
            (|pair| pair.vip = "2001:db8::10".parse().unwrap(), "two kinds"),
            (|pair| pair.nodes[0].1.set_ip(pair.vip), "the front itself"),
            (|pair| pair.nodes[1].1 = pair.nodes[0].1, "named twice"),
        ];
        for (change, words) in wrong {
            let error = check(change).unwrap_err();
            assert!(error.contains(words) && error.contains("hint:"), "{error}");
        }
    }

    #[test]
    fn both_hosts_files_are_written_and_what_is_there_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("fronts");
        let dirs = write(&pair(), None, &out).unwrap();
        assert_eq!(dirs, [out.join("front1"), out.join("front2")]);
        for name in ["front.toml", "keepalived.conf", "health-proxy.service", "install.sh"] {
            assert!(dirs.iter().all(|dir| dir.join(name).is_file()), "{name}");
        }
    }
}
