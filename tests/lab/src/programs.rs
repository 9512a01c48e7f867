//! The programs under test. Run by cargo they are built first, once a test process, so that a test never meets an
//! older server than the tree it was compiled from.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `kms-server`.
    pub server: PathBuf,
    /// `kms`.
    pub kms: PathBuf,
    /// `health-proxy`.
    pub front: PathBuf,
}

/// The programs beside the test executable; under cargo (`CARGO` is set) they are built with the same profile into the
/// same target directory. Panics when they are not there.
pub fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let this = std::env::current_exe().unwrap();
        let profile_dir = profile_dir(&this);
        if let Some(cargo) = std::env::var_os("CARGO") {
            build(Path::new(&cargo), profile_dir);
        }
        let programs = Programs {
            server: profile_dir.join("kms-server"),
            kms: profile_dir.join("kms"),
            front: profile_dir.join("health-proxy"),
        };
        for program in [&programs.server, &programs.kms, &programs.front] {
            assert!(
                program.is_file(),
                "{} is not there; hint: cargo build -p kms-server -p kms -p health-proxy, with the profile of the tests",
                program.display()
            );
        }
        programs
    })
}

/// `target/PROFILE`: tests and benches lie in its `deps`, examples in its `examples`, programs in itself.
fn profile_dir(this: &Path) -> &Path {
    let parent = this.parent().unwrap();
    match parent.file_name().and_then(|name| name.to_str()) {
        Some("deps" | "examples") => parent.parent().unwrap(),
        _ => parent,
    }
}

fn build(cargo: &Path, profile_dir: &Path) {
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(other) => other,
        None => panic!("{} is no directory of a cargo profile", profile_dir.display()),
    };
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "-p",
        "kms-server",
        "-p",
        "kms",
        "-p",
        "health-proxy",
        "--profile",
        profile,
    ]);
    command.arg("--target-dir").arg(profile_dir.parent().unwrap());
    // The working directory of a test is its package's, and so within the workspace.
    let status = command.status().unwrap();
    assert!(
        status.success(),
        "kms-server, kms and health-proxy could not be built ({status}); the compiler's words are above"
    );
}
