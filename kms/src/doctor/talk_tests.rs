//! The KMIP checks against a server that is right, but for one thing.

use std::sync::Arc;

use certs::{Authority, KeyKind, Profile, Subject};
use kmip::enumeration::{KeyFormatType, ResultReason};
use kmip::object::KeyBlock;
use kmip::{ResponseHeader, ResponseMessage, Secret};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use ttlv::Limits;

use super::*;
use crate::print::{Format, Sign};

/// What the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    NoVersion11,
    IdNotEchoed,
    NoState,
    ShortKey,
    MayNotCreate,
    MayNotDestroy,
    ClockAhead,
    HangsUp,
}

/// The server: one key, whose state it keeps.
struct Server {
    wrong: Wrong,
    state: State,
}

impl Server {
    fn answer(&mut self, request: &RequestMessage) -> ResponseMessage {
        let item = &request.items[0];
        let ahead = if self.wrong == Wrong::ClockAhead { 3600 } else { 0 };
        let header = ResponseHeader::new(request.header.protocol_version, time::now_s() + ahead, 1);
        let id = item.unique_batch_item_id.clone().filter(|_| self.wrong != Wrong::IdNotEchoed);
        let answer = match self.payload(&item.payload) {
            Some(payload) => ResponseItem::success(id, payload),
            None => {
                let reason = ResultReason::PermissionDenied;
                ResponseItem::failure(Some(item.operation), id, reason, "not for this client")
            }
        };
        ResponseMessage { header, items: vec![answer] }
    }

    fn payload(&mut self, asked: &RequestPayload) -> Option<ResponsePayload> {
        let unique_identifier = "1".to_owned();
        Some(match asked {
            RequestPayload::DiscoverVersions(_) => {
                let all = ProtocolVersion::ALL.iter().copied();
                let offered = all.filter(|version| self.wrong != Wrong::NoVersion11 || *version != VERSION);
                discover_versions::Response { protocol_versions: offered.collect() }.into()
            }
            RequestPayload::Query(_) => query::Response {
                operations: NEEDED.to_vec(),
                vendor_identification: Some("test".to_owned()),
                ..query::Response::default()
            }
            .into(),
            RequestPayload::Create(_) if self.wrong == Wrong::MayNotCreate => return None,
            RequestPayload::Create(_) => {
                let object_type = ObjectType::SymmetricKey;
                create::Response { object_type, unique_identifier, template_attribute: None }.into()
            }
            RequestPayload::Get(_) => {
                let bytes = if self.wrong == Wrong::ShortKey { 16 } else { 32 };
                let material = Secret::new(vec![7; bytes]);
                let block = KeyBlock::plain(KeyFormatType::Raw, material, None, None);
                let object = ManagedObject::SymmetricKey(block);
                get::Response { object_type: ObjectType::SymmetricKey, unique_identifier, object }.into()
            }
            RequestPayload::GetAttributes(_) => {
                let state = Attribute::new(StandardAttribute::State, Value::Enumeration(self.state.number()));
                let attributes = if self.wrong == Wrong::NoState { vec![] } else { vec![state] };
                get_attributes::Response { unique_identifier, attributes }.into()
            }
            RequestPayload::Activate(_) => {
                self.state = State::Active;
                activate::Response { unique_identifier }.into()
            }
            RequestPayload::AddAttribute(request) => {
                add_attribute::Response { unique_identifier, attribute: request.attribute.clone() }.into()
            }
            RequestPayload::Revoke(_) => revoke::Response { unique_identifier }.into(),
            RequestPayload::Destroy(_) if self.wrong == Wrong::MayNotDestroy => return None,
            RequestPayload::Destroy(_) => destroy::Response { unique_identifier }.into(),
            _ => return None,
        })
    }
}

/// Runs all checks against a server that does this wrong.
async fn examine(wrong: Wrong) -> Report {
    let authority = Authority::create("KMS CA", KeyKind::P256, time::now_s(), 365).unwrap();
    let issue =
        |profile, subject: &Subject| authority.issue(profile, subject, KeyKind::P256, time::now_s()).unwrap();
    let alt_names = vec!["127.0.0.1".parse().unwrap()];
    let made = issue(Profile::Server, &Subject { common_name: "kms".into(), alt_names });
    let chain = vec![CertificateDer::from_pem_slice(made.cert_pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(made.key_pem.danger_expose().as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
        let mut server = Server { wrong, state: State::PreActive };
        let mut header = [0; ttlv::HEADER_BYTES];
        while wrong != Wrong::HangsUp && stream.read_exact(&mut header).await.is_ok() {
            let length = ttlv::frame_len(&header, &Limits::default()).unwrap();
            let mut message = header.to_vec();
            message.resize(length, 0);
            stream.read_exact(&mut message[ttlv::HEADER_BYTES..]).await.unwrap();
            let request = RequestMessage::decode(&message, Limits::default()).unwrap();
            let mut answer = Vec::new();
            server.answer(&request).encode(&mut answer);
            stream.write_all(&answer).await.unwrap();
            stream.flush().await.unwrap();
        }
    });
    let client = issue(Profile::Client, &Subject::named("vc01"));
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    certs::write_certificate(&cert, &client.cert_pem, certs::Existing::Refuse).unwrap();
    certs::write_private_key(&key, &client.key_pem, certs::Existing::Refuse).unwrap();
    let pair = Pair::read(&cert, &key).unwrap();
    let mut report = Report::new("test", Format::Json);
    check(&mut report, address, &chain, &pair, true).await;
    server.abort();
    report
}

/// The names of what is bad with a server that does this wrong.
async fn bad(wrong: Wrong) -> Vec<&'static str> {
    let report = examine(wrong).await;
    report.findings.iter().filter(|finding| finding.sign == Sign::Bad).map(|finding| finding.name).collect()
}

#[tokio::test]
async fn a_server_that_does_all_that_vcenter_needs_is_well() {
    let report = examine(Wrong::Nothing).await;
    assert!(report.findings.iter().all(|finding| finding.sign == Sign::Good), "{report:?}");
    assert_eq!(report.sign_of("clean up"), Some(Sign::Good));
}

#[tokio::test]
async fn each_thing_that_breaks_vcenter_is_found_out() {
    assert_eq!(bad(Wrong::NoVersion11).await, ["KMIP versions"]);
    assert_eq!(bad(Wrong::IdNotEchoed).await, ["batch item ids"]);
    assert_eq!(bad(Wrong::NoState).await, ["State before", "State after"]);
    assert_eq!(bad(Wrong::ShortKey).await, ["Get"]);
    assert_eq!(bad(Wrong::MayNotCreate).await, ["Create"]);
    assert_eq!(bad(Wrong::ClockAhead).await, ["clock"]);
}

#[tokio::test]
async fn a_client_that_is_not_let_in_is_said_to_be_so() {
    assert_eq!(bad(Wrong::HangsUp).await, ["client"]);
}

#[tokio::test]
async fn a_key_that_may_not_be_destroyed_is_named_and_no_fault() {
    let report = examine(Wrong::MayNotDestroy).await;
    assert!(report.is_good() && report.sign_of("clean up") == Some(Sign::Skipped), "{report:?}");
}

#[test]
fn a_clock_that_is_off_is_said_to_be_so() {
    let sign = |theirs| {
        let mut report = Report::new("test", Format::Json);
        check_clock(&mut report, theirs, 1_000_000);
        report.sign_of("clock")
    };
    assert_eq!(sign(1_000_005), Some(Sign::Good));
    assert_eq!(sign(1_000_006), Some(Sign::Warning));
    assert_eq!(sign(999_700), Some(Sign::Warning));
    assert_eq!(sign(999_699), Some(Sign::Bad));
}
