//! Opens a connection to another node: TCP, TLS, hello.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Caller;
use super::wire::{self, BODY_BYTES_MAX, Broken, LINK_VERSION, Reader};

/// A connection whose both ends have said hello.
pub(super) struct Dialled {
    pub(super) reader: Reader<ReadHalf<TlsStream<TcpStream>>>,
    pub(super) writer: WriteHalf<TlsStream<TcpStream>>,
    /// Whose certificate was presented there.
    pub(super) who: Caller,
}

/// What TLS is told as the server's name. It is not sent, and the verifier does not look at it.
pub(super) fn server_name() -> ServerName<'static> {
    ServerName::IpAddress(IpAddr::from([0, 0, 0, 0]).into())
}

/// Connects to `address` (host:port), from `source` where one is given. Not bounded in time as a whole: the caller is.
pub(super) async fn dial(
    address: &str,
    source: Option<IpAddr>,
    config: Arc<ClientConfig>,
    silence_max: Duration,
) -> Result<Dialled, Broken> {
    let tcp = connect(address, source).await?;
    tcp.set_nodelay(true)?;
    let tls = TlsConnector::from(config).connect(server_name(), tcp).await?;
    let leaf = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let who = leaf.and_then(|leaf| Caller::of(leaf).ok()).unwrap_or(Caller::Stranger);
    let (reader, mut writer) = tokio::io::split(tls);
    let mut reader = Reader::new(reader, BODY_BYTES_MAX);
    writer.write_all(&wire::hello()).await?;
    writer.flush().await?;
    match wire::version_of(&reader.next(silence_max).await?)? {
        LINK_VERSION => Ok(Dialled { reader, writer, who }),
        other => Err(Broken::Version(other)),
    }
}

async fn connect(address: &str, source: Option<IpAddr>) -> Result<TcpStream, Broken> {
    let found = lookup_host(address).await.map_err(|error| Broken::Resolve(address.to_owned(), error))?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "it has no address of the source's family");
    for to in found.filter(|to| source.is_none_or(|source| source.is_ipv4() == to.is_ipv4())) {
        match connect_to(to, source).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(Broken::Connect(last))
}

async fn connect_to(to: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    socket.connect(to).await
}
