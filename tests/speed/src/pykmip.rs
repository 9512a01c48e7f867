//! PyKMIP's server, by the same client and with certificates of the same authority.

use interop::{PykmipServer, Skip};
use kmip::ProtocolVersion;

use crate::bench::Bench;
use crate::stand::{Stand, make_keys, words_for};

/// Keys that are read in turn.
const KEYS_READ: usize = 10;

/// A running server with keys in it.
pub(crate) struct Pykmip {
    server: PykmipServer,
    ids: Vec<String>,
}

impl Pykmip {
    /// Starts it, with our server's certificate; says why not where PyKMIP is not to be had.
    pub(crate) async fn start(stand: &Stand) -> anyhow::Result<Result<Self, Skip>> {
        let tls = stand.lab.node(0).dir.join("tls");
        let dir = stand.lab.dir().join("pykmip");
        let start = move || {
            PykmipServer::start(&dir, &tls.join("ca.pem"), &tls.join("server.pem"), &tls.join("server.key"))
        };
        let server = match tokio::task::spawn_blocking(start).await? {
            Ok(server) => server,
            Err(skip) => return Ok(Err(skip)),
        };
        let config = stand.lab.client().config(server.address().to_string());
        let config = config.with_protocol_version(ProtocolVersion::V1_1);
        let ids = make_keys(&config, KEYS_READ).await?;
        Ok(Ok(Self { server, ids }))
    }

    /// Get, as our own server is asked.
    pub(crate) fn bench<'a>(&self, stand: &'a Stand, connections: usize) -> Bench<'a> {
        let bench = stand.bench("get", connections, &words_for(&self.ids));
        Bench { server: self.server.address().to_string(), ..bench }
    }
}
