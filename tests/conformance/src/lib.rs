//! The public KMIP test cases against our servers and against the decision alone; `kms conform` and its crate judge.
//!
//! The cases are not part of the project: `KMIP_VECTORS` says where they are, else they are looked for in
//! `../shared/vectors` beside the project.

pub mod alone;
pub mod known;
pub mod page;

use std::path::{Path, PathBuf};

/// Where the cases are; says so in one line where they are not there.
#[allow(clippy::print_stdout, reason = "a test that skips says so")]
pub fn vectors() -> Option<PathBuf> {
    let folder = std::env::var_os("KMIP_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no published test cases here; set KMIP_VECTORS to their folder");
    None
}
