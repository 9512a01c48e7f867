//! A key server of a hundred lines, with faults to order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use kmip::enumeration::{CryptographicAlgorithm, KeyFormatType, ObjectType, ResultReason, State};
use kmip::object::KeyBlock;
use kmip::operations::{activate, add_attribute, create, discover_versions, get, get_attributes, query};
use kmip::{
    Attribute, AttributeName, ManagedObject, ProtocolVersion, RequestMessage, RequestPayload, ResponseHeader,
    ResponseItem, ResponseMessage, ResponsePayload, Secret, StandardAttribute, tag,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use ttlv::{Limits, Node, Value};

use super::authority::Pair;

/// What the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Answers in its own newest version.
    NewestVersion,
    /// Adds an attribute of 1.4 to every Get Attributes.
    LaterAttribute,
    /// Does not know State.
    NoState,
    /// Item Not Found for an attribute that has no value.
    AbsentIsFailure,
    /// Makes up ids.
    AddsIds,
    /// Gives another key's id.
    OtherId,
    /// Keys of half the length.
    ShortKey,
    /// Never answers.
    Silent,
    /// Closes instead of answering.
    Closes,
    /// Closes half-way through the answer.
    ClosesHalfWay,
    /// Answers with something else.
    Http,
    /// Claims a huge answer.
    Huge,
}

pub(crate) struct Kms {
    pub(crate) address: String,
    /// Every request's bytes, a list a connection.
    pub(crate) seen: Arc<Mutex<Vec<Vec<Vec<u8>>>>>,
    /// How many were open at one time, at most.
    pub(crate) open_max: Arc<Mutex<(usize, usize)>>,
}

#[derive(Default)]
struct Key {
    active: bool,
    attributes: Vec<Attribute>,
}

type Keys = Arc<Mutex<HashMap<String, Key>>>;

pub(crate) const MATERIAL: [u8; 32] = *b"not a secret, only a test's key.";

/// Starts a server that asks for client certificates of `clients`, or of nobody.
pub(crate) async fn start(server: &Pair, clients: Option<&Pair>, fault: Fault) -> Kms {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(&authority.pem()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(&server.pem()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(&server.key_pem()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
    let kms = Kms { address, seen: Arc::default(), open_max: Arc::default() };
    let (seen, open_max, keys) = (kms.seen.clone(), kms.open_max.clone(), Keys::default());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, seen, open_max, keys) =
                (acceptor.clone(), seen.clone(), open_max.clone(), keys.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                let nth = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(Vec::new());
                    seen.len() - 1
                };
                {
                    let mut open = open_max.lock().unwrap();
                    open.0 += 1;
                    open.1 = open.1.max(open.0);
                }
                while let Some(request) = receive(&mut stream).await {
                    seen.lock().unwrap()[nth].push(request.clone());
                    let answer = match fault {
                        Fault::Silent => continue,
                        Fault::Closes => break,
                        Fault::Http => b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
                        Fault::Huge => vec![0x42, 0x00, 0x7b, 0x01, 0x7f, 0xff, 0xff, 0xf8],
                        _ => answer(&request, &keys, fault),
                    };
                    let half = fault == Fault::ClosesHalfWay;
                    let sent = if half { &answer[..answer.len() / 2] } else { &answer[..] };
                    if stream.write_all(sent).await.is_err() || stream.flush().await.is_err() || half {
                        break;
                    }
                }
                open_max.lock().unwrap().0 -= 1;
                let _ = stream.shutdown().await;
            });
        }
    });
    kms
}

async fn receive(stream: &mut tokio_rustls::server::TlsStream<tokio::net::TcpStream>) -> Option<Vec<u8>> {
    let mut header = [0; 8];
    stream.read_exact(&mut header).await.ok()?;
    let length = ttlv::frame_len(&header, &Limits::default()).ok()?;
    let mut message = header.to_vec();
    message.resize(length, 0);
    stream.read_exact(&mut message[8..]).await.ok()?;
    Some(message)
}

fn answer(request: &[u8], keys: &Keys, fault: Fault) -> Vec<u8> {
    let request = RequestMessage::decode(request, Limits::default()).unwrap();
    let mut version = request.header.protocol_version;
    if fault == Fault::NewestVersion {
        version = ProtocolVersion::V1_4;
    }
    let items = request.items.iter().map(|item| {
        let mut id = item.unique_batch_item_id.clone();
        if fault == Fault::AddsIds {
            id = Some(vec![1]);
        }
        match answered(&item.payload, &mut keys.lock().unwrap(), fault) {
            Ok(payload) => {
                let mut answer = ResponseItem::success(id, payload);
                if fault == Fault::LaterAttribute && matches!(item.payload, RequestPayload::GetAttributes(_))
                {
                    answer.unrecognised = vec![Node::new(
                        tag::ATTRIBUTE,
                        Value::Structure(vec![
                            Node::new(tag::ATTRIBUTE_NAME, Value::TextString("Sensitive".into())),
                            Node::new(tag::ATTRIBUTE_VALUE, Value::Boolean(true)),
                        ]),
                    )];
                }
                answer
            }
            Err(reason) => ResponseItem::failure(Some(item.operation), id, reason, "no"),
        }
    });
    let items: Vec<_> = items.collect();
    let header = ResponseHeader::new(version, 1_700_000_000, items.len() as i32);
    let mut out = Vec::new();
    ResponseMessage { header, items }.encode(&mut out);
    out
}

fn answered(
    payload: &RequestPayload,
    keys: &mut HashMap<String, Key>,
    fault: Fault,
) -> Result<ResponsePayload, ResultReason> {
    let echo = |id: &Option<String>| {
        if fault == Fault::OtherId { "other".to_owned() } else { id.clone().unwrap_or_default() }
    };
    let missing = ResultReason::ItemNotFound;
    Ok(match payload {
        RequestPayload::DiscoverVersions(_) => {
            discover_versions::Response { protocol_versions: ProtocolVersion::ALL.to_vec() }.into()
        }
        RequestPayload::Query(_) => {
            query::Response { vendor_identification: Some("a test".to_owned()), ..Default::default() }.into()
        }
        RequestPayload::Create(request) => {
            let id = format!("key-{}", keys.len() + 1);
            keys.insert(id.clone(), Key::default());
            create::Response {
                object_type: request.object_type,
                unique_identifier: id,
                template_attribute: None,
            }
            .into()
        }
        RequestPayload::Get(request) => {
            keys.get(&echo(&request.unique_identifier)).filter(|_| fault != Fault::OtherId).ok_or(missing)?;
            let bytes = if fault == Fault::ShortKey { &MATERIAL[..16] } else { &MATERIAL[..] };
            let block = KeyBlock::plain(
                KeyFormatType::Raw,
                Secret::from(bytes),
                Some(CryptographicAlgorithm::Aes),
                Some(256),
            );
            get::Response {
                object_type: ObjectType::SymmetricKey,
                unique_identifier: echo(&request.unique_identifier),
                object: ManagedObject::SymmetricKey(block),
            }
            .into()
        }
        RequestPayload::GetAttributes(request) => {
            let id = request.unique_identifier.clone().unwrap_or_default();
            let key = keys.get(&id).ok_or(missing)?;
            let attributes: Vec<_> = request
                .attribute_names
                .iter()
                .filter_map(|name| match name {
                    AttributeName::Standard(StandardAttribute::State) => {
                        let state = if key.active { State::Active } else { State::PreActive };
                        let value = Value::Enumeration(state.number());
                        (fault != Fault::NoState).then(|| Attribute::new(StandardAttribute::State, value))
                    }
                    name => key.attributes.iter().find(|attribute| attribute.name == *name).cloned(),
                })
                .collect();
            if fault == Fault::AbsentIsFailure && attributes.is_empty() {
                return Err(missing);
            }
            get_attributes::Response { unique_identifier: echo(&request.unique_identifier), attributes }
                .into()
        }
        RequestPayload::AddAttribute(request) => {
            let id = request.unique_identifier.clone().unwrap_or_default();
            let mut attribute = request.attribute.clone();
            attribute.index = Some(0);
            keys.get_mut(&id).ok_or(missing)?.attributes.push(attribute.clone());
            add_attribute::Response { unique_identifier: id, attribute }.into()
        }
        RequestPayload::Activate(request) => {
            let id = request.unique_identifier.clone().unwrap_or_default();
            keys.get_mut(&id).ok_or(missing)?.active = true;
            activate::Response { unique_identifier: id }.into()
        }
        _ => return Err(ResultReason::OperationNotSupported),
    })
}
