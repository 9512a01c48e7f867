#![no_main]

#[path = "../checks.rs"]
mod checks;
#[path = "../../tests/common/small.rs"]
mod small;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::decode(bytes, &small::Small));
