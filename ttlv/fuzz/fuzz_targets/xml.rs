#![no_main]
//! Any text: KMIP's XML form answers or refuses, and never more.

#[path = "../checks.rs"]
mod checks;
#[path = "../../tests/common/small.rs"]
mod small;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::xml(bytes, &small::Small));
