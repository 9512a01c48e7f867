//! The text of a new node's configuration: every key that an operator may want, each with what it does.

use crate::node::{NewLink, NewNode};

/// The configuration of a node that lies in one directory; its paths start there.
pub(crate) fn text(new: &NewNode) -> String {
    let NewNode { name, kmip, admin, link } = new;
    let NewLink { listen, advertise, .. } = link;
    let source = match link.source {
        Some(address) => format!("source = \"{address}\""),
        None => "# source = \"192.0.2.7\"".to_owned(),
    };
    format!(
        r#"# Configuration of kms-server. Paths start at this file's directory.
# After a change: kms-server --config THIS_FILE --check-config, then restart the server.
# Every key with its default: kms-server --config-reference

[node]
# The name of this node in its logs and metrics.
name = "{name}"
# Log, snapshots and the operator's socket. Put it on a disk of this machine, never on a datastore that these keys
# unlock: after a power cut neither would come back.
data_dir = "data"

[kmip]
# Address and port for KMIP clients; vCenter's default port is 5696. "[::]:5696" takes IPv4 and IPv6.
listen = "{kmip}"
# The certificate that clients see, leaf first, and its key. vCenter pins it: behind one address every node shows the
# same. Read again on SIGHUP.
certificate = "tls/server.pem"
key = "tls/server.key"
# The authority that made it, handed to clients with their trust pack.
ca = "tls/ca.pem"

[cluster]
# Where the other nodes connect: TLS 1.3, and only certificates of the cluster's own CA. No client comes here.
listen = "{listen}"
# What the other nodes are told: host and port at which each of them reaches this node.
advertise = "{advertise}"
# This node's certificate among the nodes, its key, and the cluster's CA.
certificate = "tls/node.pem"
key = "tls/node.key"
ca = "tls/cluster-ca.pem"
# The CA's key, with which this node makes certificates for nodes that join.
ca_key = "tls/cluster-ca.key"
# The address of this machine that its own links start from; without it the system chooses.
{source}
# For a LAN; more where the way between nodes takes longer, the same on every node. Milliseconds.
# heartbeat_ms = 50
# election_min_ms = 150
# election_max_ms = 300
# How long a request waits for a leader before it fails.
# leader_wait_ms = 10000
# Whether keys that this node holds are still given while too few nodes are there to agree on changes.
# reads_without_quorum = true

[admin]
# /livez, /readyz and /metrics over plain HTTP. They hold no secret, but keep them off client networks.
listen = "{admin}"

[root_key]
# The key that all stored keys are sealed under: 64 hex characters, mode 0600. Keep a copy away from this machine:
# without it the data directory cannot be read, by anyone.
file = "root.key"
# Or a systemd credential of this name (LoadCredentialEncrypted= in the unit), instead of the file:
# credential = "kms-root-key"

[limits]
# KMIP connections at once; further ones are closed.
# connections_max = 4096
# Longest wait, in milliseconds, for a TLS handshake, and for a silent connection to say something.
# handshake_timeout_ms = 10000
# idle_timeout_ms = 300000
# Keys of one tenant; further ones are refused. vCenter never deletes a key, so leave room.
# objects_per_tenant_max = 1000000
# How long requests may still finish, in milliseconds, when the server is told to stop.
# drain_timeout_ms = 10000

[log]
# "text" for people, "json" for machines; on standard error.
format = "text"
# error, warn, info, debug or trace.
level = "info"

[audit]
# A file of JSON lines, one an operation, never with key bytes. Without it they go to the log.
# file = "audit.log"

[snapshot]
# Log entries between snapshots, and how many snapshots are kept.
# every_entries = 10000
# keep = 2
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{Settings, admin_listen, kmip_listen, link_listen};

    fn new() -> NewNode {
        NewNode {
            name: "node1".into(),
            kmip: kmip_listen(),
            admin: admin_listen(),
            link: NewLink { listen: link_listen(), advertise: "192.0.2.7:5697".into(), source: None },
        }
    }

    #[test]
    fn the_configuration_says_what_it_was_made_from() {
        let settings: Settings = toml::from_str(&text(&new())).unwrap();
        assert_eq!(settings.kmip.listen, kmip_listen());
        assert_eq!(settings.admin.listen, admin_listen());
        assert_eq!(settings.node.data_dir.to_str(), Some("data"));
        let cluster = settings.cluster.unwrap();
        assert_eq!((cluster.listen, cluster.advertise.as_str()), (link_listen(), "192.0.2.7:5697"));
    }

    #[test]
    fn links_start_where_they_are_told_to() {
        let mut new = new();
        new.link.source = Some([127, 0, 1, 2].into());
        let table: toml::Table = toml::from_str(&text(&new)).unwrap();
        assert_eq!(table["cluster"]["source"].as_str(), Some("127.0.1.2"));
    }

    #[test]
    fn every_key_that_is_commented_out_is_still_toml() {
        let uncommented: String = text(&new())
            .lines()
            .map(|line| match line.strip_prefix("# ").filter(|rest| rest.contains(" = ")) {
                Some(key) => format!("{key}\n"),
                None => format!("{line}\n"),
            })
            .collect();
        let table: toml::Table = toml::from_str(&uncommented).unwrap();
        assert_eq!(table["limits"]["drain_timeout_ms"].as_integer(), Some(10_000));
        assert_eq!(table["audit"]["file"].as_str(), Some("audit.log"));
        assert_eq!(table["cluster"]["election_max_ms"].as_integer(), Some(300));
    }

    #[test]
    fn each_key_stands_below_a_comment() {
        let text = text(&new());
        let mut before = "";
        for line in text.lines() {
            let is_key = line.contains(" = ") && !line.starts_with('#');
            assert!(
                !is_key || before.starts_with('#') || before.contains(" = "),
                "no comment above {line:?}"
            );
            before = line;
        }
    }
}
