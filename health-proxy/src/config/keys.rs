//! The table of keys: every key of the configuration once, with its kind, bounds and default. Parsing, defaults and
//! the printed reference all come from here.

use std::time::Duration;

use self::Absent::{Is, Required, Says, Stands, Unset};
use self::Kind::{Address, Choice, Name, Number, Path, Switch};
use crate::health;

/// What a key's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text of 1 to 64 letters, digits, ".", "_" and "-".
    Name,
    /// A path; relative ones start at the configuration file's directory.
    Path,
    /// An IP address and port, `0.0.0.0:5696` or `[::]:5696`.
    Address,
    /// An integer within these bounds, both included.
    Number(i64, i64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
}

/// What holds when a key is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// A mistake.
    Required,
    /// Nothing: the key has no default.
    Unset,
    /// This text.
    Says(&'static str),
    /// This number.
    Is(i64),
    /// `true` or `false`.
    Stands(bool),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The table it stands in.
    pub section: &'static str,
    /// Its name, units and bounds last; [`ANY_NAME`] where the operator gives it.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// What holds without it.
    pub absent: Absent,
    /// What it means, and what happens at its limit.
    pub about: &'static str,
}

/// Stands for names that the operator gives: those of nodes.
pub const ANY_NAME: &str = "NAME";

/// The section whose keys are nodes.
pub const NODES: &str = "nodes";

const HOUR_MS: i64 = 3_600_000;

const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    absent: Absent,
    about: &'static str,
) -> Key {
    Key { section, name, kind, absent, about }
}

const fn ms(time: Duration) -> Absent {
    Is(time.as_millis() as i64)
}

/// Every key, in the reference's order.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("front", "listen", Address, Says("0.0.0.0:5696"), "Where clients connect; \"[::]:5696\" takes IPv4 and IPv6."),
    key("front", "mode", Choice(&["passthrough"]), Says("passthrough"), "What is done with connections: TLS goes through to a node untouched."),
    key("front", "proxy_protocol", Switch, Stands(false), "Whether nodes are told each client's address by PROXY protocol v2; only for nodes that expect it."),
    key("front", "track_file", Path, Unset, "For keepalived's track_file: 0 while a node can be read, else -254, also after the end."),

    key("nodes", ANY_NAME, Address, Required, "One line a node, by a name of your own. An IP address, so that no name server can take all nodes away."),

    key("probe", "kind", Choice(&["kmip", "tls", "tcp"]), Unset, "How deep a node is asked; without it kmip where there is a certificate, else tls."),
    key("probe", "certificate", Path, Unset, "PEM chain that the nodes know as a client's, leaf first; kmip needs it."),
    key("probe", "key", Path, Unset, "Its PEM private key; 0600, or 0640 for the front's group."),
    key("probe", "ca", Path, Unset, "PEM certificates of the CA of the nodes' certificates; without it any is taken."),
    key("probe", "server_name", Name, Unset, "Name that the nodes' certificates must carry; without it none is looked for. Needs ca."),

    key("health", "rise", Number(1, 100), Is(health::RISE as i64), "Probes in a row that succeed before a node that is Down is Up."),
    key("health", "fall", Number(1, 100), Is(health::FALL as i64), "Probes in a row that fail before a node is Down and its sessions are reset."),
    key("health", "probe_interval_ms", Number(50, HOUR_MS), ms(health::PROBE_INTERVAL), "From the start of one probe to the start of the next."),
    key("health", "probe_timeout_ms", Number(10, 60_000), ms(health::PROBE_TIMEOUT), "What a probe may take; then it has failed."),
    key("health", "probe_gap_min_ms", Number(10, 60_000), ms(health::PROBE_GAP_MIN), "Least time between the starts of two probes of one node, whatever asks for one."),
    key("health", "request_age_max_ms", Number(10, HOUR_MS), ms(health::REQUEST_AGE_MAX), "A client's bytes unanswered for so long ask for a probe."),
    key("health", "slow_start_ms", Number(0, HOUR_MS), ms(health::SLOW_START), "How long the share of a node that came back rises to its full."),
    key("health", "drain_time_max_ms", Number(0, 24 * HOUR_MS), ms(health::DRAIN_TIME_MAX), "How long sessions of a Draining node may go on; then they are reset."),

    key("limits", "connections_max", Number(1, 1 << 20), Is(16_384), "Clients' connections at once; one more is reset at once. Each takes two descriptors."),
    key("limits", "connections_per_address_max", Number(1, 1 << 20), Is(1024), "Connections of one client's address (IPv6: its /64) at once; one more is reset at once."),
    key("limits", "handshake_timeout_ms", Number(100, HOUR_MS), Is(10_000), "A connection whose first byte takes longer is closed."),
    key("limits", "idle_timeout_ms", Number(1000, 24 * HOUR_MS), Is(360_000), "A connection on which nothing moves for so long is closed; more than the nodes' own, so that they say goodbye."),
    key("limits", "half_closed_timeout_ms", Number(100, 24 * HOUR_MS), Is(30_000), "The same once one side has ended its half."),
    key("limits", "connect_timeout_ms", Number(10, 60_000), Is(300), "A connect to a node that takes longer has failed; the next node is tried."),
    key("limits", "node_wait_ms", Number(0, HOUR_MS), Is(5_000), "How long a client waits for a node that can be connected to; then it is reset."),
    key("limits", "unacknowledged_ms", Number(500, HOUR_MS), Is(10_000), "A peer that takes none of the bytes sent to it for so long is gone (TCP_USER_TIMEOUT)."),
    key("limits", "keepalive_ms", Number(1000, HOUR_MS), Is(30_000), "A silent peer is asked by TCP whether it lives after so long."),
    key("limits", "held_bytes_max", Number(1 << 16, 1 << 32), Is(32 << 20), "Bytes held for peers that are slow to take them; beyond it they stay in the kernel's buffers, and slow sessions get slower."),
    key("limits", "drain_timeout_ms", Number(0, HOUR_MS), Is(10_000), "How long sessions may go on after SIGTERM before they are reset."),

    key("admin", "listen", Address, Says("127.0.0.1:5699"), "The page, its JSON under /api/v1/, /livez, /readyz and /metrics, without login."),
    key("admin", "socket", Path, Unset, "Unix socket, made 0600, on which nodes are drained and taken back."),
    key("admin", "token_file", Path, Unset, "File with the token, 16 characters or more, of who may drain nodes and take them back on the page; 0600, or 0640 for the front's group. Without it the page only shows."),

    key("log", "format", Choice(&["text", "json"]), Says("text"), "Lines for people or for machines, on standard error."),
    key("log", "level", Choice(&["error", "warn", "info", "debug", "trace"]), Says("info"), "The least that is logged."),
];

/// The reference: a configuration file with every key, its default and what it means.
pub fn reference() -> String {
    let mut text = String::from("# Every key of health-proxy's configuration, with its default.\n");
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            text.push_str(&format!("\n[{section}]\n"));
        }
        let bounds = match key.kind {
            Number(min, max) => format!(" {min} to {max}."),
            Choice(words) if words.len() > 1 => format!(" One of {}.", words.join(", ")),
            Choice(_) | Name | Path | Address | Switch => String::new(),
        };
        let line = match key.absent {
            Required if key.name == ANY_NAME => "# kms1 = \"192.0.2.11:5696\" # one at least".to_owned(),
            Required => format!("{} = \"\" # required", key.name),
            Unset => format!("# {} = \"\"", key.name),
            Says(value) => format!("{} = \"{value}\"", key.name),
            Is(value) => format!("{} = {value}", key.name),
            Stands(value) => format!("{} = {value}", key.name),
        };
        text.push_str(&format!("# {}{bounds}\n{line}\n", key.about));
    }
    text
}
