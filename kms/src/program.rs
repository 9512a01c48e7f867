//! Our other programs, for commands that start them: the one beside this program, else the one on PATH. Run by cargo, it
//! is built first, so that `cargo run -- lab` works on a fresh clone.
//!
//! Only the server opens a store: what a command wants of one that is not served, it has the server do.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::{Outcome, print};

/// A program of ours that a command may start.
#[derive(Clone, Copy, Debug)]
struct Ours {
    /// Its name, and that of its package.
    name: &'static str,
    /// How a command line names another.
    option: &'static str,
}

const SERVER: Ours = Ours { name: "kms-server", option: "--server FILE" };

const FRONT: Ours = Ours { name: "health-proxy", option: "--front FILE, or leave it out with --fronts 0" };

/// Which kms-server a command starts.
#[derive(Debug, clap::Args)]
pub(crate) struct Chosen {
    /// The kms-server program [default: the one beside this program, else the one on PATH]
    #[arg(long = "server", env = "KMS_SERVER", value_name = "FILE", hide_env_values = true)]
    program: Option<PathBuf>,
}

impl Chosen {
    /// Finds it.
    pub(crate) async fn find(self) -> anyhow::Result<PathBuf> {
        find(SERVER, self.program).await
    }
}

/// Which health-proxy a lab starts, and how many of it.
#[derive(Debug, clap::Args)]
pub(crate) struct ChosenFront {
    /// The health-proxy program [default: the one beside this program, else the one on PATH]
    #[arg(long = "front", env = "KMS_FRONT", value_name = "FILE", hide_env_values = true)]
    front_program: Option<PathBuf>,

    /// Fronts before the nodes: 0, 1, or 2 that hold one address with keepalived, in network
    /// namespaces, for which the lab must be root
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=FRONTS_MAX))]
    fronts: u8,
}

/// One that serves and one that takes over.
const FRONTS_MAX: i64 = 2;

impl ChosenFront {
    /// How many are wanted: 0 to 2.
    pub(crate) fn count(&self) -> u8 {
        self.fronts
    }

    /// Finds it, unless none is wanted.
    pub(crate) async fn find(self) -> anyhow::Result<Option<PathBuf>> {
        match self.fronts {
            0 => Ok(None),
            _ => find(FRONT, self.front_program).await.map(Some),
        }
    }
}

/// Runs the server for one task; its words are ours, and the way it ended is how this command ends.
pub(crate) async fn run_through(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> anyhow::Result<Outcome> {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    let status = command.status().await.with_context(|| format!("running {}", program.display()))?;
    match status.code().map(u8::try_from) {
        Some(Ok(0)) => Ok(Outcome::Done),
        Some(Ok(code)) => Ok(Outcome::Ended(code)),
        Some(Err(_)) | None => bail!("{} was ended before it was done ({status})", SERVER.name),
    }
}

/// Where programs are that PATH may not have, as they are for root.
const SYSTEM_DIRECTORIES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// A program of the system, which is in this package of Debian's.
pub(crate) fn system(name: &str, package: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&path).chain(SYSTEM_DIRECTORIES.map(PathBuf::from));
    all.map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("the program {name} is not there. hint: apt-get install {package}"))
}

async fn find(ours: Ours, given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(program) = given {
        // Absolute, as a lab's server is started in its node's directory.
        return std::fs::canonicalize(&program).with_context(|| format!("finding {}", program.display()));
    }
    let this = std::env::current_exe().context("finding this program's own directory")?;
    let beside = this.with_file_name(ours.name);
    if let Some(cargo) = CargoRun::detect(&this) {
        cargo.build(ours.name).await?;
    }
    if beside.is_file() {
        return Ok(beside);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join(ours.name)).find(|file| file.is_file());
    on_path.with_context(|| {
        format!(
            "no {name}: neither {} nor on PATH. hint: cargo build -p {name}, or name it with {option}",
            beside.display(),
            name = ours.name,
            option = ours.option
        )
    })
}

/// That cargo runs this program, and how it was built.
#[derive(Debug, PartialEq, Eq)]
struct CargoRun {
    cargo: PathBuf,
    /// The manifest of this package, whose workspace has the server.
    manifest: PathBuf,
    profile: String,
    target: PathBuf,
}

impl CargoRun {
    fn detect(this: &Path) -> Option<Self> {
        let cargo = std::env::var_os("CARGO")?;
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")?;
        Self::from(cargo.into(), Path::new(&manifest_dir), this)
    }

    /// Cargo puts programs into `target/PROFILE/`, where profile `dev` is called `debug`.
    fn from(cargo: PathBuf, manifest_dir: &Path, this: &Path) -> Option<Self> {
        let directory = this.parent()?;
        let profile = match directory.file_name()?.to_str()? {
            "debug" => "dev",
            other => other,
        };
        let target = directory.parent()?;
        let manifest = manifest_dir.join("Cargo.toml");
        // Cargo marks the directories that it builds into.
        let is_target = target.join("CACHEDIR.TAG").is_file() && directory.join("deps").is_dir();
        (is_target && manifest.is_file()).then(|| CargoRun {
            cargo,
            manifest,
            profile: profile.to_owned(),
            target: target.to_owned(),
        })
    }

    async fn build(&self, package: &str) -> anyhow::Result<()> {
        print::note(format!("Building {package} (cargo build -p {package} --profile {}) …", self.profile));
        let status = Command::new(&self.cargo)
            .args(["build", "--quiet", "-p", package, "--profile", &self.profile, "--manifest-path"])
            .arg(&self.manifest)
            .arg("--target-dir")
            .arg(&self.target)
            .kill_on_drop(true)
            .status()
            .await
            .with_context(|| format!("running {}", self.cargo.display()))?;
        match status.success() {
            true => Ok(()),
            false => bail!("{package} could not be built ({status}). hint: the compiler's words are above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(profile: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::create_dir_all(target.join(profile).join("deps")).unwrap();
        std::fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        std::fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        let this = target.join(profile).join("kms");
        (dir, this)
    }

    #[test]
    fn the_server_is_built_with_the_profile_of_this_program() {
        for (directory, profile) in [("debug", "dev"), ("release", "release")] {
            let (dir, this) = layout(directory);
            let run = CargoRun::from("cargo".into(), dir.path(), &this).unwrap();
            assert_eq!((run.profile.as_str(), run.target), (profile, dir.path().join("target")));
        }
    }

    #[test]
    fn an_installed_program_builds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(CargoRun::from("cargo".into(), dir.path(), &dir.path().join("bin/kms")), None);
    }
}
