//! The text of a new node's configuration: every key that an operator may want, each with what it does.

use crate::node::NewNode;

/// The configuration of a node that lies in one directory; its paths start there.
pub(crate) fn text(new: &NewNode) -> String {
    let NewNode { name, kmip, admin, .. } = new;
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
    use certs::KeyKind;

    use super::*;
    use crate::node::{Settings, admin_listen, kmip_listen};

    fn new() -> NewNode {
        NewNode {
            name: "node1".into(),
            addresses: Vec::new(),
            kmip: kmip_listen(),
            admin: admin_listen(),
            key_kind: KeyKind::P256,
        }
    }

    #[test]
    fn the_configuration_says_what_it_was_made_from() {
        let settings: Settings = toml::from_str(&text(&new())).unwrap();
        assert_eq!(settings.kmip.listen, kmip_listen());
        assert_eq!(settings.admin.listen, admin_listen());
        assert_eq!(settings.node.data_dir.to_str(), Some("data"));
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
