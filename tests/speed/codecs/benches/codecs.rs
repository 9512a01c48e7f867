//! The same messages through our codec and through kmip-protocol's types over kmip-ttlv, in one run. Requests are only
//! written there and responses only read, as it is a client's crate.
#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros make public items; a bench ends where it is wrong")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kmip::enumeration::{CryptographicAlgorithm, KeyFormatType, ObjectType};
use kmip::object::KeyBlock;
use kmip::operations::get;
use kmip::{ManagedObject, ProtocolVersion, RequestMessage, ResponseHeader, ResponseItem, ResponseMessage, Secret};
use kmip_protocol::types::common as theirs;
use kmip_protocol::types::{request, response};
use ttlv::Limits;

/// Create of an AES-256 key, with a name.
fn create() -> request::RequestMessage {
    let attributes = vec![
        request::Attribute::CryptographicAlgorithm(theirs::CryptographicAlgorithm::AES),
        request::Attribute::CryptographicLength(256),
        request::Attribute::CryptographicUsageMask(
            theirs::CryptographicUsageMask::Encrypt | theirs::CryptographicUsageMask::Decrypt,
        ),
        request::Attribute::Name("volume-1".into()),
    ];
    let payload = request::RequestPayload::Create(
        theirs::ObjectType::SymmetricKey,
        request::TemplateAttribute::unnamed(attributes),
    );
    request::RequestMessage(
        request::RequestHeader(
            request::ProtocolVersion(request::ProtocolVersionMajor(1), request::ProtocolVersionMinor(0)),
            None,
            None,
            request::BatchCount(1),
        ),
        vec![request::BatchItem(theirs::Operation::Create, None, payload)],
    )
}

/// The answer to Get of an AES-256 key.
fn got() -> ResponseMessage {
    let key = KeyBlock::plain(
        KeyFormatType::Raw,
        Secret::new(vec![7; 32]),
        Some(CryptographicAlgorithm::Aes),
        Some(256),
    );
    let payload = get::Response {
        object_type: ObjectType::SymmetricKey,
        unique_identifier: "8a9c5b6e-2f1d-4b7a-9f3e-0c1d2e3f4a5b".to_owned(),
        object: ManagedObject::SymmetricKey(key),
    };
    ResponseMessage {
        header: ResponseHeader::new(ProtocolVersion::V1_0, 1_700_000_000, 1),
        items: vec![ResponseItem::success(None, payload.into())],
    }
}

fn codecs(criterion: &mut Criterion) {
    let theirs = create();
    let bytes = kmip_ttlv::ser::to_vec(&theirs).unwrap();
    let ours = RequestMessage::decode(&bytes, Limits::default()).unwrap();
    let mut out = Vec::new();
    ours.encode(&mut out);
    assert_eq!(out, bytes, "both write the same");
    let mut group = criterion.benchmark_group(format!("encode a Create request of {} bytes", bytes.len()));
    group.bench_function("kmip", |bencher| {
        bencher.iter(|| {
            // A buffer of its own each time, as theirs has.
            let mut out = Vec::new();
            black_box(&ours).encode(&mut out);
            out
        });
    });
    group.bench_function("kmip-protocol", |bencher| {
        bencher.iter(|| kmip_ttlv::ser::to_vec(black_box(&theirs)).unwrap());
    });
    group.finish();

    let mut bytes = Vec::new();
    got().encode(&mut bytes);
    let read: response::ResponseMessage = kmip_ttlv::de::from_slice(&bytes).unwrap();
    assert_eq!(read.batch_items.len(), 1, "both read the same");
    let mut group = criterion.benchmark_group(format!("decode a Get response of {} bytes", bytes.len()));
    group.bench_function("kmip", |bencher| {
        bencher.iter(|| ResponseMessage::decode(black_box(&bytes), Limits::default()).unwrap());
    });
    group.bench_function("kmip-protocol", |bencher| {
        bencher.iter(|| kmip_ttlv::de::from_slice::<response::ResponseMessage>(black_box(&bytes)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, codecs);
criterion_main!(benches);
