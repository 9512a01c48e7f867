//! The demonstration client of the crate kmip-protocol, installed from the crate registry beside our own workspace, whose
//! dependencies it shares nothing with.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use nix::fcntl::{Flock, FlockArg};

use crate::Skip;
use crate::python::{output, target_dir};

/// The crate's version; what it stands on is pinned by the lock file that is published with it.
const VERSION: &str = "0.4.3";

/// The program, built where it is not there yet: that takes a minute, the crate registry, and OpenSSL's headers. Other
/// processes that want it wait meanwhile.
///
/// Fails where one of these is missing.
pub fn kmip_protocol_demo() -> Result<PathBuf, Skip> {
    let room = target_dir()?.join("interop");
    let disk = |error: std::io::Error| Skip::new(format_args!("{}: {error}", room.display()));
    fs::create_dir_all(&room).map_err(disk)?;
    let lock = File::create(room.join("kmip-protocol.lock")).map_err(disk)?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive)
        .map_err(|(_, errno)| Skip::new(format_args!("the lock of {}: {errno}", room.display())))?;
    let root = room.join(format!("kmip-protocol-{VERSION}"));
    let program = root.join("bin/demo");
    // Put there last by Cargo, whole or not at all.
    if program.is_file() {
        return Ok(program);
    }
    output(
        "pkg-config --exists openssl",
        Command::new("pkg-config").args(["--exists", "--print-errors", "openssl"]),
    )?;
    let mut cargo = Command::new("cargo");
    cargo.args(["install", "kmip-protocol", "--version", VERSION, "--locked", "--debug", "--quiet"]);
    cargo.args(["--no-default-features", "--features", "tls-with-openssl", "--example", "demo"]);
    cargo.arg("--root").arg(&root).env("CARGO_TARGET_DIR", room.join("kmip-protocol-build"));
    // What the tests' own build was told is not for other people's crates.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    output("cargo install kmip-protocol", &mut cargo)?;
    // Some hundred megabytes that nothing needs again.
    fs::remove_dir_all(room.join("kmip-protocol-build")).map_err(disk)?;
    Ok(program)
}
