//! The table of keys: every key of the configuration once, with its kind, bounds and default. Parsing, defaults and
//! the printed reference all come from here.

use daemon::settings::Absent::{Is, Required, Says, Stands, Unset};
use daemon::settings::Kind::{Choice, Ip, Name, Number, Path, Switch};
use daemon::settings::{ANY_NAME, Key, Kind, Table, key};

use crate::operator::check_name;
use crate::tls::Profile;

/// What `kms-server` can be told.
pub static TABLE: Table = Table {
    program: "kms-server",
    keys: KEYS,
    check_name: |name| check_name("the value", name).map_err(|error| error.to_string()),
};

const ADDRESS: Kind = Kind::Address(["0.0.0.0:5696", "[::]:5696"]);
const HOST_PORT: Kind = Kind::HostPort(["kms1.example.test:5697", "192.0.2.7:5697"]);
const HOUR_MS: i64 = 3_600_000;
const GIB: i64 = 1 << 30;

/// Every key, section by section.
#[rustfmt::skip]
const KEYS: &[Key] = &[
    key("node", "name", Name, Says("node1"), "This node's name in logs and metrics."),
    key("node", "data_dir", Path, Required, "Log, snapshots and the operator's socket; 0700, made when absent."),

    key("kmip", "listen", ADDRESS, Says("0.0.0.0:5696"), "The KMIP port; \"[::]:5696\" takes IPv4 and IPv6."),
    key("kmip", "certificate", Path, Required, "PEM chain shown to clients, leaf first; the same on every node."),
    key("kmip", "key", Path, Required, "Its PEM private key; 0600, or 0640 for the server's group."),
    key("kmip", "ca", Path, Unset, "PEM certificate of the CA that is given to clients."),
    key("kmip", "tls", Choice(Profile::NAMES), Says("default"), "default is TLS 1.2 and 1.3; suite-b-128 and suite-b-192 are TLS 1.2 with ECDHE-ECDSA and AES-GCM, and certificates on P-256 or P-384, or on P-384 alone. For [https] too."),

    key("https", "listen", Kind::Address(["0.0.0.0:5695", "[::]:5695"]), Unset, "The port of KMIP over HTTPS, POST /kmip with TTLV, XML or JSON; it shows [kmip] certificate. Without it there is none."),

    key("old_clients", "listen", Kind::Address(["0.0.0.0:5694", "[::]:5694"]), Unset, "A port of its own for clients that cannot do what port 5696 asks for, on OpenSSL: TLS 1.2 with ECDHE and AES-GCM, and what is switched on here. Without it there is none."),
    key("old_clients", "tls_1_0", Switch, Stands(false), "TLS 1.0 too; needs cbc. Broken: only for who has nothing else."),
    key("old_clients", "tls_1_1", Switch, Stands(false), "TLS 1.1 too; needs cbc. Signs with MD5 and SHA-1."),
    key("old_clients", "static_rsa", Switch, Stands(false), "Suites without forward secrecy too: who gets the server's key reads all that was recorded. For a server certificate with an RSA key."),
    key("old_clients", "cbc", Switch, Stands(false), "AES-CBC with HMAC too."),

    key("listeners", ANY_NAME, HOST_PORT, Unset, "One line a tenant that is told of its objects, by the tenant's name: where it listens for Notify and Put. The same on every node."),

    key("notify", "ca", Path, Unset, "PEM certificates of the CAs of the listeners' certificates, which must be for the address in [listeners]; needed with it."),
    key("notify", "put", Switch, Stands(false), "Whether listeners are sent each new object with its key (Put), beside what changes of objects (Notify)."),
    key("notify", "version", Choice(&["1.0", "1.1", "1.2", "1.3", "1.4"]), Says("1.4"), "The version of KMIP that listeners are spoken to in."),
    key("notify", "attempts_max", Number(1, 1000), Is(10), "Tries to tell a listener something, with growing pauses to a minute; then it is dropped."),

    key("admin", "listen", ADDRESS, Says("127.0.0.1:5698"), "/livez, /readyz and /metrics, plain HTTP."),

    key("cluster", "advertise", HOST_PORT, Unset, "Where the other nodes reach this one's links. With it this node is one of a cluster; without it, it stands alone."),
    key("cluster", "listen", ADDRESS, Says("0.0.0.0:5697"), "The port of the links between nodes: mutual TLS under the cluster's own CA."),
    key("cluster", "certificate", Path, Unset, "PEM chain of this node for the links, leaf first, the cluster's CA behind it."),
    key("cluster", "key", Path, Unset, "Its PEM private key; 0600, or 0640 for the server's group."),
    key("cluster", "ca", Path, Unset, "PEM certificate of the cluster's own CA. Who it signs is a node: never the CA of clients."),
    key("cluster", "ca_key", Path, Unset, "Its PEM private key, to take new nodes in; 0600."),
    key("cluster", "source", Ip, Unset, "Local address that links to other nodes go out from; without it the system's choice."),
    key("cluster", "heartbeat_ms", Number(10, 10_000), Is(50), "Between two signs of life of a leader."),
    key("cluster", "election_min_ms", Number(30, 60_000), Is(150), "How long votes are waited for. Nodes begin an election at moments spread over election_max_ms less this; at least twice heartbeat_ms."),
    key("cluster", "election_max_ms", Number(60, 120_000), Is(300), "A leader that was silent for so long may be replaced; more than election_min_ms."),
    key("cluster", "leader_wait_ms", Number(100, HOUR_MS), Is(10_000), "How long a request waits for a leader; then it fails."),
    key("cluster", "reads_without_quorum", Switch, Stands(true), "Whether a node that reaches no majority still gives out the keys it holds."),

    key("root_key", "file", Path, Unset, "File with the root key, 0600. Exactly one of file and credential."),
    key("root_key", "credential", Name, Unset, "systemd credential with the root key (LoadCredential=)."),

    key("limits", "request_bytes_max", Number(1024, GIB), Is(1 << 20), "Bytes of one request; a larger one is refused by its header and the connection closed."),
    key("limits", "response_bytes_max", Number(1024, GIB), Is(4 << 20), "Bytes of one response; a larger one becomes Response Too Large."),
    key("limits", "batch_items_max", Number(1, 65_536), Is(1024), "Batch items of one request; more are refused."),
    key("limits", "nesting_max", Number(8, 255), Is(32), "Structures within structures; deeper messages are refused."),
    key("limits", "items_max", Number(64, 1 << 24), Is(65_536), "TTLV items of one request; more are refused."),
    key("limits", "connections_max", Number(1, 65_536), Is(4096), "KMIP connections at once; one more is closed at once."),
    key("limits", "handshake_timeout_ms", Number(100, HOUR_MS), Is(10_000), "A TLS handshake that takes longer is closed."),
    key("limits", "idle_timeout_ms", Number(1000, 24 * HOUR_MS), Is(300_000), "A connection that sends nothing for so long is closed."),
    key("limits", "request_timeout_ms", Number(100, HOUR_MS), Is(30_000), "A request that takes longer to arrive, or to be answered, ends its connection."),
    key("limits", "write_timeout_ms", Number(100, HOUR_MS), Is(30_000), "A client that takes longer to accept an answer is closed."),
    key("limits", "pipelined_requests_max", Number(1, 4096), Is(64), "Answers that may be due on one connection before they are written together."),
    key("limits", "drain_timeout_ms", Number(0, HOUR_MS), Is(10_000), "How long requests may finish after SIGTERM before they are cut."),
    key("limits", "objects_per_tenant_max", Number(1, 1 << 32), Is(1_000_000), "Objects of one tenant; further ones are refused."),
    key("limits", "attributes_per_object_max", Number(16, 65_536), Is(1024), "Attributes of one object; further ones are refused."),
    key("limits", "locate_items_max", Number(1, 1 << 20), Is(10_000), "Identifiers in one answer to Locate; the rest is cut."),
    key("limits", "clock_skew_s_max", Number(0, 86_400), Is(300), "Difference between a request's Time Stamp and our clock; beyond it a debug line says so. Nothing is refused for it."),

    key("log", "format", Choice(&["text", "json"]), Says("text"), "Lines for people or for machines, on standard error."),
    key("log", "level", Choice(&["error", "warn", "info", "debug", "trace"]), Says("info"), "The least that is logged."),

    key("audit", "file", Path, Unset, "Appended to, 0600, JSON lines; without it audit lines go to the log."),

    key("snapshot", "every_entries", Number(1, 1 << 32), Is(10_000), "Log entries between snapshots."),
    key("snapshot", "keep", Number(1, 100), Is(2), "Snapshots that are kept."),
];
