//! What the server does for each message around its decision: a request into types, an answer into bytes.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kmip::enumeration::{CryptographicAlgorithm, KeyFormatType, ObjectType, Operation};
use kmip::object::KeyBlock;
use kmip::operations::{add_attribute, create, get};
use kmip::{
    Attribute, AttributeName, ManagedObject, ProtocolVersion, RequestMessage, RequestPayload, ResponseHeader,
    ResponseItem, ResponseMessage, Secret, StandardAttribute, TemplateAttribute,
};
use ttlv::{Limits, Value};

/// vCenter's Create: three attributes, one item with an id.
fn create_request() -> Vec<u8> {
    encoded(vec![
        create::Request {
            object_type: ObjectType::SymmetricKey,
            template_attribute: TemplateAttribute {
                names: Vec::new(),
                attributes: vec![
                    Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(3)),
                    Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(12)),
                    Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
                ],
            },
        }
        .into(),
    ])
}

/// vCenter's batch of three Add Attributes.
fn add_request() -> Vec<u8> {
    let add = |name: &str, text: &str| {
        add_attribute::Request {
            unique_identifier: Some("8a9c5b6e-2f1d-4b7a-9f3e-0c1d2e3f4a5b".to_owned()),
            attribute: Attribute::new(AttributeName::new(name), Value::TextString(text.to_owned())),
        }
        .into()
    };
    encoded(vec![
        add("x-Product_Version", "7.0.3 build-19480866"),
        add("x-Vendor", "VMware, Inc."),
        add("x-Product", "VMware vSphere"),
    ])
}

fn encoded(payloads: Vec<RequestPayload>) -> Vec<u8> {
    let mut request = RequestMessage::new(ProtocolVersion::V1_1, payloads);
    for (item, count) in request.items.iter_mut().zip(1_u8..) {
        item.unique_batch_item_id = Some(vec![b'Q', b'L', b'K', b'C', count, 0, 0, 0]);
    }
    let mut out = Vec::new();
    request.encode(&mut out);
    out
}

fn get_response() -> ResponseMessage {
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
    let item = ResponseItem::success(Some(b"QLKC\x01\0\0\0".to_vec()), payload.into());
    assert_eq!(item.operation, Some(Operation::Get));
    ResponseMessage {
        header: ResponseHeader::new(ProtocolVersion::V1_1, 1_700_000_000, 1),
        items: vec![item],
    }
}

fn messages(criterion: &mut Criterion) {
    let request = create_request();
    criterion.bench_function("decode Create request", |bencher| {
        bencher.iter(|| RequestMessage::decode(black_box(&request), Limits::default()));
    });
    let request = add_request();
    criterion.bench_function("decode three Add Attribute requests", |bencher| {
        bencher.iter(|| RequestMessage::decode(black_box(&request), Limits::default()));
    });
    let response = get_response();
    let mut out = Vec::with_capacity(1024);
    criterion.bench_function("encode Get response", |bencher| {
        bencher.iter(|| {
            out.clear();
            black_box(&response).encode(&mut out);
            black_box(out.len())
        });
    });
    criterion.bench_function("decode Get response", |bencher| {
        bencher.iter(|| ResponseMessage::decode(black_box(&out), Limits::default()));
    });
}

criterion_group!(benches, messages);
criterion_main!(benches);
