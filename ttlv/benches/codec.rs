//! What the codec costs on vCenter's messages: `cargo bench -p ttlv`.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ttlv::{Budget, Error, Limits, NoVocabulary, Node, Reader, Tag, Writer, text};

/// The Create request of vCenter 7.0.3, 312 bytes.
const CREATE: &str = "42007801000001304200770100000038420069010000002042006a0200000004000000010000000042006b02000000040000000100\
    00000042000d0200000004000000010000000042000f01000000e842005c050000000400000001000000004200930800000008514c4b4301\
    00000042007901000000c04200570500000004000000020000000042009101000000a8420008010000003042000a07000000174372797074\
    6f6772617068696320416c676f726974686d0042000b05000000040000000300000000420008010000003042000a07000000184372797074\
    6f67726170686963205573616765204d61736b42000b02000000040000000c00000000420008010000003042000a07000000144372797074\
    6f67726170686963204c656e6774680000000042000b02000000040000010000000000";

mod tag {
    use ttlv::Tag;

    pub(crate) const ATTRIBUTE: Tag = Tag::new(0x420008);
    pub(crate) const ATTRIBUTE_NAME: Tag = Tag::new(0x42000a);
    pub(crate) const ATTRIBUTE_VALUE: Tag = Tag::new(0x42000b);
    pub(crate) const BATCH_COUNT: Tag = Tag::new(0x42000d);
    pub(crate) const BATCH_ITEM: Tag = Tag::new(0x42000f);
    pub(crate) const CRYPTOGRAPHIC_ALGORITHM: Tag = Tag::new(0x420028);
    pub(crate) const CRYPTOGRAPHIC_LENGTH: Tag = Tag::new(0x42002a);
    pub(crate) const KEY_BLOCK: Tag = Tag::new(0x420040);
    pub(crate) const KEY_FORMAT_TYPE: Tag = Tag::new(0x420042);
    pub(crate) const KEY_MATERIAL: Tag = Tag::new(0x420043);
    pub(crate) const KEY_VALUE: Tag = Tag::new(0x420045);
    pub(crate) const OBJECT_TYPE: Tag = Tag::new(0x420057);
    pub(crate) const OPERATION: Tag = Tag::new(0x42005c);
    pub(crate) const PROTOCOL_VERSION: Tag = Tag::new(0x420069);
    pub(crate) const PROTOCOL_VERSION_MAJOR: Tag = Tag::new(0x42006a);
    pub(crate) const PROTOCOL_VERSION_MINOR: Tag = Tag::new(0x42006b);
    pub(crate) const REQUEST_HEADER: Tag = Tag::new(0x420077);
    pub(crate) const REQUEST_PAYLOAD: Tag = Tag::new(0x420079);
    pub(crate) const RESPONSE_HEADER: Tag = Tag::new(0x42007a);
    pub(crate) const RESPONSE_MESSAGE: Tag = Tag::new(0x42007b);
    pub(crate) const RESPONSE_PAYLOAD: Tag = Tag::new(0x42007c);
    pub(crate) const RESULT_STATUS: Tag = Tag::new(0x42007f);
    pub(crate) const SYMMETRIC_KEY: Tag = Tag::new(0x42008f);
    pub(crate) const TEMPLATE_ATTRIBUTE: Tag = Tag::new(0x420091);
    pub(crate) const TIME_STAMP: Tag = Tag::new(0x420092);
    pub(crate) const UNIQUE_BATCH_ITEM_ID: Tag = Tag::new(0x420093);
    pub(crate) const UNIQUE_IDENTIFIER: Tag = Tag::new(0x420094);
}

fn bytes_of(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Reads what Create asks for, item by item, into locals: what decoding into types costs at least.
fn walk(bytes: &[u8]) -> Result<i64, Error> {
    let budget = Budget::new(Limits::default());
    let mut message = Reader::message(bytes, &budget)?.structure()?;
    let mut header = message.required(tag::REQUEST_HEADER)?.structure()?;
    let mut version = header.required(tag::PROTOCOL_VERSION)?.structure()?;
    let mut sum = i64::from(version.required(tag::PROTOCOL_VERSION_MAJOR)?.integer()?);
    sum += i64::from(version.required(tag::PROTOCOL_VERSION_MINOR)?.integer()?);
    version.finish()?;
    sum += i64::from(header.required(tag::BATCH_COUNT)?.integer()?);
    header.finish()?;
    while let Some(item) = message.optional(tag::BATCH_ITEM)? {
        let mut item = item.structure()?;
        sum += i64::from(item.required(tag::OPERATION)?.enumeration()?);
        if let Some(id) = item.optional(tag::UNIQUE_BATCH_ITEM_ID)? {
            sum += id.byte_string()?.len() as i64;
        }
        let mut payload = item.required(tag::REQUEST_PAYLOAD)?.structure()?;
        sum += i64::from(payload.required(tag::OBJECT_TYPE)?.enumeration()?);
        let mut template = payload.required(tag::TEMPLATE_ATTRIBUTE)?.structure()?;
        while let Some(attribute) = template.optional(tag::ATTRIBUTE)? {
            let mut attribute = attribute.structure()?;
            let name = attribute.required(tag::ATTRIBUTE_NAME)?.text_string()?;
            let value = attribute.required(tag::ATTRIBUTE_VALUE)?;
            sum += match name {
                "Cryptographic Algorithm" => i64::from(value.enumeration()?),
                _ => i64::from(value.integer()?),
            };
            attribute.finish()?;
        }
        template.finish()?;
        payload.finish()?;
        item.finish()?;
    }
    message.finish()?;
    Ok(sum)
}

/// Writes the answer to a Get of an AES-256 key.
fn get_response(out: &mut Vec<u8>, identifier: &str, key: &[u8]) {
    Writer::new(out).structure(tag::RESPONSE_MESSAGE, |message| {
        message.structure(tag::RESPONSE_HEADER, |header| {
            header.structure(tag::PROTOCOL_VERSION, |version| {
                version.integer(tag::PROTOCOL_VERSION_MAJOR, 1);
                version.integer(tag::PROTOCOL_VERSION_MINOR, 1);
            });
            header.date_time(tag::TIME_STAMP, 1_743_675_719);
            header.integer(tag::BATCH_COUNT, 1);
        });
        message.structure(tag::BATCH_ITEM, |item| {
            item.enumeration(tag::OPERATION, 10);
            item.byte_string(tag::UNIQUE_BATCH_ITEM_ID, b"QLKC\x01\0\0\0");
            item.enumeration(tag::RESULT_STATUS, 0);
            item.structure(tag::RESPONSE_PAYLOAD, |payload| {
                payload.enumeration(tag::OBJECT_TYPE, 2);
                payload.text_string(tag::UNIQUE_IDENTIFIER, identifier);
                payload.structure(tag::SYMMETRIC_KEY, |object| {
                    object.structure(tag::KEY_BLOCK, |block| {
                        block.enumeration(tag::KEY_FORMAT_TYPE, 1);
                        block.structure(tag::KEY_VALUE, |value| value.byte_string(tag::KEY_MATERIAL, key));
                        block.enumeration(tag::CRYPTOGRAPHIC_ALGORITHM, 3);
                        block.integer(tag::CRYPTOGRAPHIC_LENGTH, 256);
                    });
                });
            });
        });
    });
}

fn codec(criterion: &mut Criterion) {
    let create = bytes_of(CREATE);
    assert_eq!((create.len(), walk(&create)), (312, Ok(1 + 1 + 1 + 1 + 8 + 2 + 3 + 12 + 256)));
    criterion.bench_function("walk a Create request", |bencher| bencher.iter(|| walk(black_box(&create))));
    criterion.bench_function("decode a Create request into a tree", |bencher| {
        bencher.iter(|| Node::decode(black_box(&create), Limits::default()));
    });
    let identifier = "fc8315a0-dfb8-4baa-b87c-0e60c6394d3e";
    let mut out = Vec::new();
    criterion.bench_function("write a Get response", |bencher| {
        bencher.iter(|| {
            out.clear();
            get_response(&mut out, black_box(identifier), black_box(&[0x5a; 32]));
            out.len()
        });
    });
    let mut out = Vec::new();
    get_response(&mut out, identifier, &[0x5a; 32]);
    assert_eq!(Node::decode(&out, Limits::default()).map(|node| node.tag), Ok(Tag::new(0x42007b)));
    criterion.bench_function("a Create request as text", |bencher| {
        bencher.iter(|| text::message(black_box(&create), Limits::default(), &NoVocabulary).to_string());
    });
}

criterion_group!(benches, codec);
criterion_main!(benches);
