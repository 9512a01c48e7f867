//! The bound: a server that does TLS as ours does, and nothing else. It reads whole frames and answers each with the
//! same bytes, those of a Get's answer. Client certificates are demanded and verified by webpki; nothing is resumed.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use ttlv::{HEADER_BYTES, Limits, frame_len};

/// Room for a request; those of the bench are smaller.
const READ_BYTES: usize = 4096;

/// Serves on a free port of 127.0.0.1, whose address is printed, until standard input closes.
///
/// Fails where a file cannot be read or used.
pub async fn serve(cert: &Path, key: &Path, ca: &Path, answer: &Path) -> anyhow::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(config(cert, key, ca)?));
    let answer: Arc<[u8]> = std::fs::read(answer).context("reading the answer")?.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.context("opening a port")?;
    say(&listener.local_addr()?.to_string());
    let accept = async {
        loop {
            let (tcp, _) = listener.accept().await?;
            let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
            // A client that goes away is no fault here.
            tokio::spawn(async move { drop(connection(tcp, &acceptor, &answer).await) });
        }
    };
    let (gone, lifeline) = tokio::sync::oneshot::channel();
    // A thread of its own, as a read of standard input cannot be given up; it ends with the process.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = gone.send(());
    });
    tokio::select! {
        ended = accept => ended,
        _ = lifeline => Ok(()),
    }
}

/// Whoever started us reads it.
#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}

fn config(cert: &Path, key: &Path, ca: &Path) -> anyhow::Result<ServerConfig> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca)?)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

async fn connection(tcp: TcpStream, acceptor: &TlsAcceptor, answer: &[u8]) -> anyhow::Result<()> {
    tcp.set_nodelay(true)?;
    let mut stream = acceptor.accept(tcp).await?;
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        while let Some(header) = buffer.first_chunk::<HEADER_BYTES>() {
            let bytes = frame_len(header, &Limits::default())?;
            if buffer.len() < bytes {
                break;
            }
            buffer.drain(..bytes);
            stream.write_all(answer).await?;
            stream.flush().await?;
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            if !buffer.is_empty() {
                bail!("the client closed in the middle of a message");
            }
            stream.shutdown().await?;
            return Ok(());
        }
    }
}
