//! What was read and written reads as the same. From 1.4 on, as older versions leave things out by intent.
#![no_main]

use kmip::{ProtocolVersion, RequestMessage, RequestPayload, ResponseMessage};
use libfuzzer_sys::fuzz_target;
use ttlv::Limits;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(read) = RequestMessage::decode(bytes, limits)
        && read.header.protocol_version >= ProtocolVersion::V1_4
        && !read.items.iter().any(|item| matches!(item.payload, RequestPayload::Malformed { .. }))
    {
        let mut out = Vec::new();
        read.encode(&mut out);
        assert_eq!(RequestMessage::decode(&out, limits).as_ref(), Ok(&read));
    }
    if let Ok(read) = ResponseMessage::decode(bytes, limits)
        && read.header.protocol_version >= ProtocolVersion::V1_4
    {
        let mut out = Vec::new();
        read.encode(&mut out);
        assert_eq!(ResponseMessage::decode(&out, limits).as_ref(), Ok(&read));
    }
});
