//! The table of keys: every key of the configuration once, with its kind, bounds and default. Parsing, defaults and
//! the printed reference all come from here.

use std::time::Duration;

use daemon::settings::Absent::{Is, OneAtLeast, Says, Stands, Unset};
use daemon::settings::Kind::{Choice, Name, Number, Path, Switch};
use daemon::settings::{ANY_NAME, Absent, Key, Kind, Table, key};

use crate::health;

/// What `health-proxy` can be told.
pub static TABLE: Table = Table { program: "health-proxy", keys: KEYS, check_name };

/// The section whose keys are nodes.
pub const NODES: &str = "nodes";

/// Characters of a name: it is a label of metrics and part of URLs.
const NAME_CHARS_MAX: usize = 64;

const ADDRESS: Kind = Kind::Address(["192.0.2.11:5696", "[2001:db8::1]:5696"]);
const ONE_NODE: Absent = OneAtLeast { what: "node", example: "kms1 = \"192.0.2.11:5696\"" };
const HOUR_MS: i64 = 3_600_000;

const fn ms(time: Duration) -> Absent {
    Is(time.as_millis() as i64)
}

/// Every key, in the reference's order.
#[rustfmt::skip]
const KEYS: &[Key] = &[
    key("front", "listen", ADDRESS, Says("0.0.0.0:5696"), "Where clients connect; \"[::]:5696\" takes IPv4 and IPv6."),
    key("front", "mode", Choice(&["passthrough", "replay"]), Says("passthrough"), "What is done with connections: TLS goes through to a node untouched, or ends here and each request is sent to another node when one does not answer; replay is for our own nodes, and for reads before others ([third_party])."),
    key("front", "proxy_protocol", Switch, Stands(false), "Whether nodes are told each client's address by PROXY protocol v2; only for nodes that expect it, and for passthrough."),
    key("front", "track_file", Path, Unset, "For keepalived's track_file: 0 while a node can be read, else -254, also after the end."),

    key(NODES, ANY_NAME, ADDRESS, ONE_NODE, "One line a node, by a name of your own. An IP address, so that no name server can take all nodes away. For replay before our own with the port of its links, 5697."),

    key("replay", "certificate", Path, Unset, "PEM chain that clients see, that of all nodes, leaf first; replay needs this and the next four, or with [third_party] this and the next."),
    key("replay", "key", Path, Unset, "Its PEM private key; 0600, or 0640 for the front's group."),
    key("replay", "link_certificate", Path, Unset, "PEM certificate of this front under the cluster's CA; see kms front certificate."),
    key("replay", "link_key", Path, Unset, "Its PEM private key; 0600, or 0640 for the front's group."),
    key("replay", "link_ca", Path, Unset, "PEM certificate of the cluster's CA."),
    key("replay", "answer_wait_ms", Number(100, HOUR_MS), Is(10_000), "How long a request is tried; then its client reads General Failure, and whether it may have been carried out."),
    key("replay", "resend_after_ms", Number(20, HOUR_MS), Is(500), "A request unanswered for so long is sent to another node as well."),
    key("replay", "request_bytes_max", Number(1024, 1 << 30), Is(1 << 20), "Bytes of one request, as [limits] of the nodes; a larger one is refused by its header and the connection closed."),
    key("replay", "requests_bytes_max", Number(1024, 2 << 30), Is(64 << 20), "Bytes of requests that are kept at once, of all clients together; the next waits for room, and its client with it."),
    key("replay", "message_timeout_ms", Number(100, HOUR_MS), Is(10_000), "A request that takes longer to arrive, or an answer longer to be taken, ends its connection."),

    key("third_party", "certificate", Path, Unset, "PEM chain that nodes of another make know as a client's, leaf first; for replay before them, in place of link_certificate, link_key and link_ca, and [nodes] with their KMIP ports. Only reads are replayed then, a change is sent once, and to the nodes all clients are one. Needs key, ca and clients."),
    key("third_party", "key", Path, Unset, "Its PEM private key; 0600, or 0640 for the front's group."),
    key("third_party", "ca", Path, Unset, "PEM certificates of the CA of the nodes' certificates."),
    key("third_party", "server_name", Name, Unset, "Name that the nodes' certificates must carry; without it none is looked for."),
    key("third_party", "clients", Path, Unset, "PEM certificates of those who may connect, each client's own one and no CA; nobody else gets beyond the TLS handshake. One that a reload takes out is refused at its next request."),
    key("third_party", "connections_max", Number(1, 1024), Is(32), "Connections to one node at once, one request at a time on each and probes aside; the next request goes to another node, or waits."),

    key("probe", "kind", Choice(&["kmip", "tls", "tcp"]), Unset, "How deep a node is asked; without it kmip where there is a certificate, else tls. With replay our nodes are asked over their links, and [probe] is not used; others with the certificate of [third_party] where [probe] is left out."),
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

    key("admin", "listen", ADDRESS, Says("127.0.0.1:5699"), "The page, its JSON under /api/v1/, /livez, /readyz and /metrics, without login."),
    key("admin", "socket", Path, Unset, "Unix socket, made 0600, on which nodes are drained and taken back."),
    key("admin", "token_file", Path, Unset, "File with the token, 16 characters or more, of who may drain nodes and take them back on the page; 0600, or 0640 for the front's group. Without it the page only shows."),

    key("log", "format", Choice(&["text", "json"]), Says("text"), "Lines for people or for machines, on standard error."),
    key("log", "level", Choice(&["error", "warn", "info", "debug", "trace"]), Says("info"), "The least that is logged."),
];

fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    match (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(fits) {
        true => Ok(()),
        false => {
            Err(format!("has 1 to {NAME_CHARS_MAX} letters, digits, \".\", \"_\" and \"-\", got \"{name}\""))
        }
    }
}
