//! Any bytes as a response: reading ends with a message or an error, and what was read can be shown and written.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(response) = kmip::ResponseMessage::decode(bytes, ttlv::Limits::default()) {
        std::hint::black_box(format!("{response:?}"));
        let mut out = Vec::new();
        response.encode(&mut out);
    }
});
