//! Lets the standard library find the randomness that mad-turmoil puts in place of the C library's.

fn main() {
    println!("cargo:rustc-check-cfg=cfg(tokio_unstable)");
    println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic-symbol=getrandom");
    println!("cargo:rerun-if-changed=build.rs");
}
