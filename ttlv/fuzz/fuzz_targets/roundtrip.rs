#![no_main]
//! What was read and written again reads as the same.

#[path = "../checks.rs"]
mod checks;
#[path = "../../tests/common/small.rs"]
mod small;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::roundtrip(bytes, &small::Small));
