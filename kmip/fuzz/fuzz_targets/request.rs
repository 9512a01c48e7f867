//! Any bytes as a request: reading ends with a message or an error, and what was read can be shown and written.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = kmip::RequestMessage::decode(bytes, ttlv::Limits::default()) {
        std::hint::black_box(format!("{request:?}"));
        let mut out = Vec::new();
        request.encode(&mut out);
    }
});
