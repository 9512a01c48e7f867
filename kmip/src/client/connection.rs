//! One TLS connection: whole frames out, whole frames in.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use ttlv::{HEADER_BYTES, frame_len};
use zeroize::Zeroizing;

use super::{ClientConfig, ClientError, Failure, Phase};
use crate::enumeration::ResultStatus;
use crate::{RequestMessage, RequestPayload, ResponseMessage, ResponsePayload};

/// What the first read of an answer asks for; most answers are smaller.
const FIRST_READ_BYTES: usize = 4096;

/// Where connections come from.
#[derive(Clone, Copy, Debug)]
pub struct Client;

impl Client {
    /// Opens TCP and does the TLS handshake.
    ///
    /// With TLS 1.3 a server that refuses our certificate says so only at the first answer.
    pub async fn connect(config: &ClientConfig) -> Result<Connection, ClientError> {
        let address = &config.address;
        let tcp = within(config, Phase::Connecting, config.connect_timeout, TcpStream::connect(address))
            .await?
            .map_err(|source| ClientError::Connect { address: address.clone(), source })?;
        Self::over(tcp, config).await
    }

    /// Does the TLS handshake over TCP that stands already, for who connects in a way of their own.
    pub async fn over(tcp: TcpStream, config: &ClientConfig) -> Result<Connection, ClientError> {
        let address = &config.address;
        tcp.set_nodelay(true).map_err(|source| failed(address, Phase::Connecting, source))?;
        let connector = TlsConnector::from(config.tls.clone());
        let handshake = connector.connect(config.server_name.clone(), tcp);
        let stream = within(config, Phase::Handshaking, config.handshake_timeout, handshake)
            .await?
            .map_err(|source| failed(address, Phase::Handshaking, source))?;
        Ok(Connection { stream, config: config.clone(), buffer: Zeroizing::default(), spent: false })
    }
}

/// An open connection. After a failure it is spent: a late answer could be taken for that of a later question.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    config: ClientConfig,
    /// The message that goes out or came in; wiped, as it may hold keys and passwords.
    buffer: Zeroizing<Vec<u8>>,
    spent: bool,
}

impl Connection {
    /// Asks, and waits for the answer. A batch item that failed is no error here.
    pub async fn call(&mut self, request: &RequestMessage) -> Result<ResponseMessage, ClientError> {
        self.buffer.clear();
        request.encode(&mut self.buffer);
        let buffer = std::mem::take(&mut self.buffer);
        let answer = self.exchange(&buffer).await;
        self.buffer = answer?;
        ResponseMessage::decode(&self.buffer, self.config.limits).map_err(|source| {
            self.spent = true;
            ClientError::Malformed { address: self.config.address.clone(), source }
        })
    }

    /// Asks for one thing in the version of the configuration; [`ClientError::Failed`] where the server says no.
    pub async fn one(&mut self, payload: impl Into<RequestPayload>) -> Result<ResponsePayload, ClientError> {
        let payload = payload.into();
        let operation = payload.operation();
        let mut response = self.call(&RequestMessage::new(self.config.protocol_version, [payload])).await?;
        let mismatch = |got: String| ClientError::Mismatch {
            address: self.config.address.clone(),
            expected: format!("one answer to {operation}"),
            got,
        };
        let count = response.items.len();
        let item = match response.items.pop() {
            Some(item) if count == 1 => item,
            _ => return Err(mismatch(format!("{count} answers"))),
        };
        if item.result_status != ResultStatus::Success {
            return Err(ClientError::Failed(Failure {
                status: item.result_status,
                reason: item.result_reason,
                message: item.result_message,
            }));
        }
        match item.payload {
            Some(payload) if item.operation == Some(operation) => Ok(payload),
            Some(_) => Err(mismatch(format!("one to {:?}", item.operation))),
            None => Err(mismatch("a success without a payload".to_owned())),
        }
    }

    /// Sends these bytes, whatever they are, and waits for one whole answer. Whoever asks for a key has to wipe it.
    pub async fn call_raw(&mut self, request: &[u8]) -> Result<Vec<u8>, ClientError> {
        self.exchange(request).await.map(|mut answer| std::mem::take(&mut *answer))
    }

    /// Sends these bytes, whatever they are, and waits for nothing.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.usable()?;
        let limit = self.config.request_timeout;
        match timeout(limit, self.write(bytes)).await {
            Ok(done) => done,
            Err(_) => Err(self.timed_out(Phase::Sending)),
        }
    }

    /// Waits for one whole answer, up to the request timeout.
    pub async fn receive_raw(&mut self) -> Result<Vec<u8>, ClientError> {
        self.usable()?;
        let limit = self.config.request_timeout;
        match timeout(limit, self.read()).await {
            Ok(done) => done.map(|mut answer| std::mem::take(&mut *answer)),
            Err(_) => Err(self.timed_out(Phase::Receiving)),
        }
    }

    /// What it stands on, for who speaks something else over it, such as HTTP.
    pub fn into_stream(self) -> TlsStream<TcpStream> {
        self.stream
    }

    /// Whether nothing has come since the last answer, the connection's end included, as far as the system knows now. One
    /// that is not quiet is to be dropped: what came may have been read.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut waits_for_nobody = Context::from_waker(Waker::noop());
        let read = Pin::new(&mut self.stream).poll_read(&mut waits_for_nobody, &mut ReadBuf::new(&mut byte));
        !self.spent && matches!(read, Poll::Pending)
    }

    /// The certificates that the server showed, its own first.
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        self.stream.get_ref().1.peer_certificates().unwrap_or_default()
    }

    /// The TLS version and cipher suite that were agreed on, for people: `TLSv1_2 TLS_ECDHE_…`.
    pub fn tls(&self) -> String {
        let session = self.stream.get_ref().1;
        let version = session.protocol_version().map(|version| format!("{version:?}"));
        let suite = session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
        [version, suite].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Host and port of the server.
    pub fn address(&self) -> &str {
        &self.config.address
    }

    /// Ends TLS with a close-notify, then TCP. Dropping the connection ends TCP only.
    ///
    /// Waits no longer than the request timeout, and fails where the server is gone already.
    pub async fn close(mut self) -> Result<(), ClientError> {
        let limit = self.config.request_timeout;
        within(&self.config, Phase::Closing, limit, self.stream.shutdown())
            .await?
            .map_err(|source| failed(&self.config.address, Phase::Closing, source))
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        self.usable()?;
        let limit = self.config.request_timeout;
        let both = async {
            match self.write(request).await {
                // A server that refuses us may have closed its side already, and why is there to read.
                Err(ClientError::Io { .. }) => self.read().await,
                Err(error) => Err(error),
                Ok(()) => self.read().await,
            }
        };
        match timeout(limit, both).await {
            Ok(answer) => answer,
            Err(_) => Err(self.timed_out(Phase::Receiving)),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        // Until it is done, so that a caller who gives up half-way leaves no half message to be continued.
        self.spent = true;
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        write.await.map_err(|source| failed(&self.config.address, Phase::Sending, source))?;
        self.spent = false;
        Ok(())
    }

    async fn read(&mut self) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        self.spent = true;
        let mut header = [0; HEADER_BYTES];
        let mut got = 0;
        while got < HEADER_BYTES {
            match self.stream.read(&mut header[got..]).await {
                Ok(0) => return Err(self.closed(got)),
                Ok(count) => got += count,
                Err(source) => return Err(self.read_failed(got, source)),
            }
        }
        let length = frame_len(&header, &self.config.limits)
            .map_err(|source| ClientError::Malformed { address: self.config.address.clone(), source })?;
        // Grows as bytes come, so that a length alone costs nothing.
        let mut message = Zeroizing::new(Vec::with_capacity(length.min(FIRST_READ_BYTES)));
        message.extend_from_slice(&header);
        let mut rest = (&mut self.stream).take((length - HEADER_BYTES) as u64);
        while message.len() < length {
            match rest.read_buf(&mut *message).await {
                Ok(0) => return Err(self.closed(message.len())),
                Ok(_) => {}
                Err(source) => return Err(self.read_failed(message.len(), source)),
            }
        }
        self.spent = false;
        Ok(message)
    }

    fn usable(&self) -> Result<(), ClientError> {
        if self.spent {
            return Err(ClientError::Spent { address: self.config.address.clone() });
        }
        Ok(())
    }

    fn closed(&self, bytes_received: usize) -> ClientError {
        ClientError::Closed { address: self.config.address.clone(), bytes_received }
    }

    fn read_failed(&self, bytes_received: usize, source: io::Error) -> ClientError {
        match source.kind() {
            // A server that goes without a close-notify, or with a reset.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => self.closed(bytes_received),
            _ => failed(&self.config.address, Phase::Receiving, source),
        }
    }

    fn timed_out(&mut self, phase: Phase) -> ClientError {
        self.spent = true;
        let after = self.config.request_timeout;
        ClientError::Timeout { address: self.config.address.clone(), phase, after }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}, {})", self.config.address, self.tls())
    }
}

async fn within<T>(
    config: &ClientConfig,
    phase: Phase,
    after: Duration,
    work: impl Future<Output = T>,
) -> Result<T, ClientError> {
    timeout(after, work).await.map_err(|_| ClientError::Timeout {
        address: config.address.clone(),
        phase,
        after,
    })
}

/// TLS' own errors come wrapped into those of I/O.
fn failed(address: &str, phase: Phase, source: io::Error) -> ClientError {
    let address = address.to_owned();
    match source.downcast::<rustls::Error>() {
        Ok(source) => ClientError::Tls { address, phase, source },
        Err(source)
            if phase == Phase::Handshaking
                && matches!(
                    source.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
                ) =>
        {
            ClientError::Closed { address, bytes_received: 0 }
        }
        Err(source) => ClientError::Io { address, phase, source },
    }
}
