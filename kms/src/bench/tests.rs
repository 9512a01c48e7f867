//! Loads against a server that answers, refuses, or hangs up.

use std::sync::Arc;
use std::time::Duration;

use certs::{Authority, KeyKind, Profile, Subject};
use kmip::client::{ClientConfig, ServerTrust};
use kmip::enumeration::{KeyFormatType, ObjectType, ResultReason};
use kmip::object::KeyBlock;
use kmip::operations::{create, get, get_attributes, locate, query};
use kmip::{
    ManagedObject, RequestMessage, RequestPayload, ResponseHeader, ResponseItem, ResponseMessage,
    ResponsePayload, Secret,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use ttlv::Limits;

use super::load::{Length, Load, Progress, Tally};
use super::question::{KEY_BYTES, Question};
use crate::print::Format;
use crate::time;

/// How the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    Rightly,
    WithShortKeys,
    WithPermissionDenied,
    ByHangingUp,
}

fn answer(how: Answers, request: &RequestMessage) -> ResponseMessage {
    let item = &request.items[0];
    let answer = match payload(how, &item.payload) {
        Some(payload) => ResponseItem::success(None, payload),
        None => {
            let reason = ResultReason::PermissionDenied;
            ResponseItem::failure(Some(item.operation), None, reason, "not for this client")
        }
    };
    let header = ResponseHeader::new(request.header.protocol_version, time::now_s(), 1);
    ResponseMessage { header, items: vec![answer] }
}

fn payload(how: Answers, asked: &RequestPayload) -> Option<ResponsePayload> {
    let unique_identifier = "1".to_owned();
    let object_type = ObjectType::SymmetricKey;
    Some(match asked {
        _ if how == Answers::WithPermissionDenied => return None,
        RequestPayload::Create(_) => {
            create::Response { object_type, unique_identifier, template_attribute: None }.into()
        }
        RequestPayload::Get(_) => {
            let material = Secret::new(vec![7; if how == Answers::WithShortKeys { 16 } else { KEY_BYTES }]);
            let block = KeyBlock::plain(KeyFormatType::Raw, material, None, None);
            get::Response { object_type, unique_identifier, object: ManagedObject::SymmetricKey(block) }
                .into()
        }
        RequestPayload::GetAttributes(_) => {
            get_attributes::Response { unique_identifier, attributes: vec![] }.into()
        }
        RequestPayload::Locate(_) => locate::Response::default().into(),
        RequestPayload::Query(_) => query::Response::default().into(),
        _ => return None,
    })
}

/// A server, and a client's settings for it.
async fn server(how: Answers) -> ClientConfig {
    let authority = Authority::create("KMS CA", KeyKind::P256, time::now_s(), 365).unwrap();
    let subject = Subject { common_name: "kms".into(), alt_names: vec!["127.0.0.1".parse().unwrap()] };
    let made = authority.issue(Profile::Server, &subject, KeyKind::P256, time::now_s()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(made.cert_pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(made.key_pem.danger_expose().as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut header = [0; ttlv::HEADER_BYTES];
                while how != Answers::ByHangingUp && stream.read_exact(&mut header).await.is_ok() {
                    let length = ttlv::frame_len(&header, &Limits::default()).unwrap();
                    let mut message = header.to_vec();
                    message.resize(length, 0);
                    stream.read_exact(&mut message[ttlv::HEADER_BYTES..]).await.unwrap();
                    let request = RequestMessage::decode(&message, Limits::default()).unwrap();
                    let mut bytes = Vec::new();
                    answer(how, &request).encode(&mut bytes);
                    stream.write_all(&bytes).await.unwrap();
                    stream.flush().await.unwrap();
                }
            });
        }
    });
    let ca = ServerTrust::Ca { pem: authority.cert_pem().unwrap().into_bytes(), verify_name: true };
    ClientConfig::builder(address.to_string(), ca).build().unwrap()
}

async fn load(config: &ClientConfig, questions: Vec<Question>, new_connection: bool) -> Tally {
    let load = Load {
        config: config.clone(),
        connections: 3,
        new_connection,
        warmup: Duration::ZERO,
        length: Length::Requests(20),
    };
    load.ask(questions, &Progress::new(Format::Json)).await.unwrap()
}

fn get() -> Question {
    Question::get("1", Some(KEY_BYTES))
}

#[tokio::test]
async fn as_many_requests_are_measured_as_were_asked_for() {
    let config = server(Answers::Rightly).await;
    let all = vec![get(), Question::state("1"), Question::create(), Question::locate(), Question::query()];
    for new_connection in [false, true] {
        let tally = load(&config, all.clone(), new_connection).await;
        assert_eq!((tally.latency_us.len(), tally.errors.len()), (20, 0), "{:?}", tally.errors);
        assert!(tally.elapsed > Duration::ZERO);
    }
}

#[tokio::test]
async fn a_load_of_some_time_ends_after_it() {
    let config = server(Answers::Rightly).await;
    let time = Duration::from_millis(100);
    let load = Load {
        config,
        connections: 2,
        new_connection: false,
        warmup: Duration::from_millis(10),
        length: Length::Time(time),
    };
    let tally = load.ask(vec![get()], &Progress::new(Format::Json)).await.unwrap();
    assert!(!tally.latency_us.is_empty());
    assert!(tally.elapsed >= time / 2 && tally.elapsed < time * 20, "{:?}", tally.elapsed);
}

#[tokio::test]
async fn refusals_are_counted_by_their_reason_and_are_no_latency() {
    let config = server(Answers::WithPermissionDenied).await;
    let tally = load(&config, vec![get(), Question::create()], false).await;
    assert_eq!(tally.latency_us.len(), 0);
    let (count, example) = &tally.errors["refused: PermissionDenied"];
    assert_eq!(*count, 20);
    assert!(example.ends_with("not for this client"), "{example}");
}

#[tokio::test]
async fn a_key_of_another_length_is_no_success() {
    let config = server(Answers::WithShortKeys).await;
    let tally = load(&config, vec![get()], false).await;
    assert_eq!(tally.errors["not the key that was asked for"].1, "expected a key of 32 bytes, got 16 bytes");
    let of_any_length = Question::get("1", None);
    assert_eq!(load(&config, vec![of_any_length], false).await.latency_us.len(), 20);
}

#[tokio::test]
async fn a_server_that_hangs_up_is_tried_again_until_the_load_is_over() {
    let config = server(Answers::ByHangingUp).await;
    let tally = load(&config, vec![get()], false).await;
    assert_eq!(tally.latency_us.len(), 0);
    assert_eq!(tally.errors.values().map(|(count, _)| count).sum::<u64>(), 20);
}

#[test]
fn in_a_mix_every_key_is_read_and_each_operation_has_its_share() {
    let ids: Vec<_> = (0..10).map(|number| number.to_string()).collect();
    let all = super::prepare::mix(&ids, None);
    let count = |question: &Question| all.iter().filter(|one| one.bytes == question.bytes).count();
    assert_eq!(all.len(), 200);
    assert_eq!(count(&Question::create()), 10);
    assert_eq!(count(&Question::locate()), 10);
    assert_eq!(count(&Question::query()), 10);
    assert_eq!(ids.iter().map(|id| count(&Question::state(id))).sum::<usize>(), 30);
    assert!(ids.iter().all(|id| count(&Question::get(id, None)) > 0));
}
