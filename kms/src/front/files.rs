//! What `kms front init` writes: the front's configuration, keepalived's, and how both are run.

use std::net::{IpAddr, SocketAddr};

/// What fronts do with connections: `[front] mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// Requests are kept until they are answered, and given to another node when one does not; for our own nodes
    Replay,
    /// TLS goes through, unread, to nodes of any make
    Passthrough,
}

impl Mode {
    /// Certificates and keys that the front's configuration names, beside it.
    fn pems(self) -> &'static [&'static str] {
        match self {
            Mode::Replay => &["server.pem", "server-key.pem", "link.pem", "link-key.pem", "cluster-ca.pem"],
            Mode::Passthrough => &["probe.pem", "probe.key", "ca.pem"],
        }
    }
}

/// Two hosts that hold one address.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) vip: IpAddr,
    pub(crate) interface: String,
    /// Their own addresses.
    pub(crate) hosts: [IpAddr; 2],
    pub(crate) mode: Mode,
    /// In replay by the address of their links.
    pub(crate) nodes: Vec<(String, SocketAddr)>,
    /// VRRP's number for the two.
    pub(crate) router_id: u8,
}

/// VRRP's number where none is given.
pub(crate) const ROUTER_ID: u8 = 96;

/// The file in which an installed front tells keepalived whether this host may have the address.
const TRACK_FILE: &str = "/run/health-proxy/vip";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    First,
    Second,
}

impl Host {
    /// Its directory's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Host::First => "front1",
            Host::Second => "front2",
        }
    }

    /// Who takes the address when both start at once. They differ so that there is one, and by less than a broken front
    /// loses (254).
    fn priority(self) -> u8 {
        match self {
            Host::First => 110,
            Host::Second => 100,
        }
    }
}

/// The same as in deploy/systemd, so that one text is right.
const UNIT: &str = include_str!("../../../deploy/systemd/health-proxy.service");
const SYSUSERS: &str = include_str!("../../../deploy/systemd/health-proxy.sysusers");
const TMPFILES: &str = include_str!("../../../deploy/systemd/health-proxy.tmpfiles");
const KEEPALIVED_UNIT: &str = include_str!("../../../deploy/systemd/keepalived-health-proxy.conf");

/// Names and contents of all files of one host.
pub(super) fn all(pair: &Pair, host: Host) -> [(&'static str, String); 7] {
    [
        ("front.toml", front(pair)),
        ("keepalived.conf", keepalived(pair, host, TRACK_FILE)),
        ("health-proxy.service", UNIT.to_owned()),
        ("health-proxy.sysusers", SYSUSERS.to_owned()),
        ("health-proxy.tmpfiles", TMPFILES.to_owned()),
        ("keepalived-health-proxy.conf", keepalived_unit(pair)),
        ("install.sh", install(pair.mode)),
    ]
}

fn front(pair: &Pair) -> String {
    let any = if pair.vip.is_ipv4() { "0.0.0.0:5696" } else { "[::]:5696" };
    let nodes: String = pair.nodes.iter().map(|(name, at)| format!("{} = \"{at}\"\n", key(name))).collect();
    let (mode, section) = match pair.mode {
        Mode::Replay => ("replay", REPLAY),
        Mode::Passthrough => ("passthrough", PROBE),
    };
    format!(
        r#"# /etc/health-proxy/front.toml, the same on both hosts.
# After a change: systemctl reload health-proxy. Every key with its default: health-proxy --config-reference

[front]
# Any address of this host: {vip} comes and goes.
listen = "{any}"
mode = "{mode}"
# keepalived reads here whether this host may have {vip}.
track_file = "/run/health-proxy/vip"

[nodes]
{nodes}
{section}
[admin]
# For Prometheus and load balancers; it holds no secret, and takes no orders.
listen = "127.0.0.1:5699"
# For kms front status, drain and ready, as root.
socket = "/run/health-proxy/admin.sock"
"#,
        vip = pair.vip
    )
}

const REPLAY: &str = r#"[replay]
# From kms front certificate, on a node; each front has a link.pem of its own.
certificate = "server.pem"
key = "server-key.pem"
link_certificate = "link.pem"
link_key = "link-key.pem"
link_ca = "cluster-ca.pem"
"#;

const PROBE: &str = r#"[probe]
# A client of the nodes without keys: kms client add front --issue --tenant front --rights read
certificate = "probe.pem"
key = "probe.key"
ca = "ca.pem"
"#;

/// A name as a key of TOML, which a dot would part in two.
pub(super) fn key(name: &str) -> String {
    match name.contains('.') {
        true => format!("\"{name}\""),
        false => name.to_owned(),
    }
}

/// keepalived's configuration on one of the hosts, by whose front this file is written.
pub(crate) fn keepalived(pair: &Pair, host: Host, track_file: &str) -> String {
    let [first, second] = pair.hosts;
    let (own, other) = match host {
        Host::First => (first, second),
        Host::Second => (second, first),
    };
    let Pair { vip, interface, router_id, .. } = pair;
    let (name, priority) = (host.name(), host.priority());
    format!(
        r#"# /etc/keepalived/keepalived.conf of {name}, {own}. The other host's differs in name, priority, and whose address is
# whose.

global_defs {{
    router_id {name}
    vrrp_version 3
    # No scripts are run; should one be added, then not as root and not from where others can write.
    script_user nobody
    enable_script_security
}}

# The front writes 0 while a node can be read, else -254, which takes this host out of the choice. Without the file,
# as before the first start, the same.
track_file health_proxy {{
    file "{track_file}"
    weight 1
    init_file -254
}}

vrrp_instance kms {{
    # Both begin so: nopreempt holds only then, and a host that comes back takes the address from nobody.
    state BACKUP
    nopreempt
    interface {interface}
    virtual_router_id {router_id}
    priority {priority}
    # Seconds. The other takes over after three that are not heard, and at once when this one ends in order.
    advert_int 0.1
    # Switches and neighbours may miss one: five at once, five a second later, and one every ten seconds.
    garp_master_repeat 5
    garp_master_delay 1
    garp_master_refresh 10
    garp_master_refresh_repeat 1
    # No multicast: it is filtered in many networks.
    unicast_src_ip {own}
    unicast_peer {{
        {other}
    }}
    track_file {{
        health_proxy
    }}
    virtual_ipaddress {{
        {vip} dev {interface}
    }}
}}
"#
    )
}

/// What keepalived's service has besides Debian's: a killed one leaves the address on the interface.
fn keepalived_unit(pair: &Pair) -> String {
    let Pair { vip, interface, .. } = pair;
    format!(
        "{KEEPALIVED_UNIT}# Also when no new one comes: of two hosts with one address, clients may ask the one that should not have it.\n\
         ExecStopPost=-/bin/sh -c 'ip address delete {vip} dev {interface} 2>/dev/null'\n"
    )
}

/// Puts the files where they belong; run again, it puts changed ones there.
fn install(mode: Mode) -> String {
    INSTALL.replace("PEMS", &mode.pems().join(" "))
}

const INSTALL: &str = r#"#!/bin/sh
# As root, in this directory, with all certificates and keys in it. The programs are in /usr/bin by then.
set -eu
cd "$(dirname "$0")"
for file in PEMS; do
    [ -f "$file" ] || { echo "error: $file is not here; hint: docs/front.md, step 3" >&2; exit 1; }
done
install -D -m 644 health-proxy.sysusers /usr/lib/sysusers.d/health-proxy.conf
systemd-sysusers
install -D -m 644 health-proxy.tmpfiles /usr/lib/tmpfiles.d/health-proxy.conf
systemd-tmpfiles --create /usr/lib/tmpfiles.d/health-proxy.conf
install -d -m 750 -o root -g health-proxy /etc/health-proxy
install -m 640 -o root -g health-proxy front.toml PEMS /etc/health-proxy/
health-proxy --config /etc/health-proxy/front.toml --check-config
install -m 644 health-proxy.service /etc/systemd/system/
install -D -m 644 keepalived-health-proxy.conf /etc/systemd/system/keepalived.service.d/health-proxy.conf
install -D -m 644 keepalived.conf /etc/keepalived/keepalived.conf
systemctl daemon-reload
systemctl enable health-proxy keepalived
systemctl restart health-proxy keepalived
"#;

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;

    pub(in crate::front) fn pair() -> Pair {
        let node = |number: u8| (format!("kms{number}"), SocketAddr::from(([192, 0, 2, 10 + number], 5696)));
        Pair {
            vip: [192, 0, 2, 10].into(),
            interface: "eth0".to_owned(),
            hosts: [[192, 0, 2, 21].into(), [192, 0, 2, 22].into()],
            mode: Mode::Passthrough,
            nodes: (1..=3).map(node).collect(),
            router_id: 96,
        }
    }

    /// Compares with what is kept beside this file. UPDATE_GOLDEN=1 writes it anew: read the difference then.
    fn golden(name: &str, text: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/front/golden").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text,
            kept,
            "{} differs; after a change: UPDATE_GOLDEN=1 cargo test -p kms",
            path.display()
        );
    }

    #[test]
    fn what_is_written_for_each_host_is_what_is_kept() {
        for host in [Host::First, Host::Second] {
            golden(&format!("{}.conf", host.name()), &keepalived(&pair(), host, TRACK_FILE));
        }
        golden("keepalived-health-proxy.conf", &keepalived_unit(&pair()));
        golden("front.toml", &front(&pair()));
        golden("front-replay.toml", &front(&Pair { mode: Mode::Replay, ..pair() }));
        golden("install.sh", &install(Mode::Passthrough));
        golden("install-replay.sh", &install(Mode::Replay));
    }

    #[test]
    fn every_part_names_the_same_files() {
        let text = front(&pair());
        let table: toml::Table = toml::from_str(&text).unwrap();
        let track_file = table["front"]["track_file"].as_str().unwrap();
        for part in [&keepalived(&pair(), Host::First, TRACK_FILE), UNIT, TMPFILES] {
            assert!(part.contains(track_file), "{part}");
        }
        assert_eq!(table["admin"]["socket"].as_str(), Some(crate::front::INSTALLED));
        assert_eq!(table["nodes"].as_table().unwrap().len(), 3);
    }

    #[test]
    fn in_both_modes_what_is_installed_is_what_the_configuration_names() {
        for mode in [Mode::Replay, Mode::Passthrough] {
            let mut pair = Pair { mode, ..pair() };
            pair.nodes[0].0 = "kms1.example.test".to_owned();
            let table: toml::Table = toml::from_str(&front(&pair)).unwrap();
            assert!(table["nodes"]["kms1.example.test"].is_str());
            let section = if mode == Mode::Replay { "replay" } else { "probe" };
            let mut named: Vec<_> =
                table[section].as_table().unwrap().values().map(|value| value.as_str().unwrap()).collect();
            let mut installed = mode.pems().to_vec();
            named.sort_unstable();
            installed.sort_unstable();
            assert_eq!(named, installed);
        }
    }

    #[test]
    fn of_ipv6_every_address_is() {
        let mut pair = pair();
        pair.vip = "2001:db8::10".parse().unwrap();
        assert!(front(&pair).contains("listen = \"[::]:5696\""));
    }
}
