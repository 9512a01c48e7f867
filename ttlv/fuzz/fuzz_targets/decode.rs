#![no_main]
//! Any bytes: the decoder answers or refuses, and never more.

#[path = "../checks.rs"]
mod checks;
#[path = "../../tests/common/small.rs"]
mod small;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::decode(bytes, &small::Small));
