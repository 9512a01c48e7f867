//! Python virtual environments with other people's clients: each made once, kept under Cargo's target directory, made again
//! when Python or a pinned version changes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};

use crate::Skip;

/// PyKMIP's version; the same as in requirements.txt.
const PYKMIP: &str = "pykmip==0.11.0";
/// Seconds that pip waits for a package index that does not answer, and how often it asks again: a machine without
/// network is to skip soon.
const PIP_TIMEOUT_S: &str = "15";
const PIP_RETRIES: &str = "1";

/// What an environment holds. Each has one of its own, so that what one of them cannot get does not skip the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packages {
    /// PyKMIP, and its integration suite.
    Pykmip,
    /// libmongocrypt as MongoDB's drivers for Python use it.
    Mongocrypt,
    /// OpenStack Barbican, whose KMIP plugin stands on PyKMIP.
    Barbican,
}

impl Packages {
    fn name(self) -> &'static str {
        match self {
            Self::Pykmip => "pykmip-0.11.0",
            Self::Mongocrypt => "mongocrypt",
            Self::Barbican => "barbican",
        }
    }

    /// The file that pins all versions, and what is in it.
    fn requirements(self) -> (&'static str, &'static str) {
        match self {
            Self::Pykmip => ("requirements.txt", include_str!("../python/requirements.txt")),
            Self::Mongocrypt => ("mongocrypt.txt", include_str!("../python/mongocrypt.txt")),
            Self::Barbican => ("barbican.txt", include_str!("../python/barbican.txt")),
        }
    }
}

/// A Python with packages.
#[derive(Clone, Debug)]
pub struct Python {
    environment: PathBuf,
}

impl Python {
    /// The environment with PyKMIP and its suite; see [`Python::with`].
    pub fn ready() -> Result<Self, Skip> {
        Self::with(Packages::Pykmip)
    }

    /// The environment, made where it is not there yet: that takes half a minute and the package index. Other processes
    /// that want it wait meanwhile.
    ///
    /// Fails where python3, its venv module, pip or the package index is missing.
    pub fn with(packages: Packages) -> Result<Self, Skip> {
        let version =
            output("python3", Command::new("python3").args(["-c", "import sys; print(sys.version)"]))?;
        let room = target_dir()?.join("interop");
        let disk = |error: std::io::Error| Skip::new(format_args!("{}: {error}", room.display()));
        fs::create_dir_all(&room).map_err(disk)?;
        let lock = File::create(room.join(format!("{}.lock", packages.name()))).map_err(disk)?;
        let _lock = Flock::lock(lock, FlockArg::LockExclusive)
            .map_err(|(_, errno)| Skip::new(format_args!("the lock of {}: {errno}", room.display())))?;

        let python = Self { environment: room.join(packages.name()) };
        let stamp = python.environment.join("made-of.txt");
        let made_of = format!("{version}\n{}", packages.requirements().1);
        if fs::read_to_string(&stamp).is_ok_and(|known| known == made_of) {
            return Ok(python);
        }
        if python.environment.exists() {
            fs::remove_dir_all(&python.environment).map_err(disk)?;
        }
        python.make(packages)?;
        // Last, so that what was interrupted is made again.
        fs::write(&stamp, made_of).map_err(disk)?;
        Ok(python)
    }

    fn make(&self, packages: Packages) -> Result<(), Skip> {
        output("python3 -m venv", Command::new("python3").args(["-m", "venv"]).arg(&self.environment))?;
        let requirements = source_dir().join(packages.requirements().0);
        output("pip install", self.pip("install").arg("--requirement").arg(requirements))?;
        if packages != Packages::Pykmip {
            return Ok(());
        }
        // The wheel leaves the tests out.
        let downloads = self.environment.join("sdist");
        output(
            "pip download",
            self.pip("download")
                .args(["--no-deps", "--no-binary", ":all:", PYKMIP, "--dest"])
                .arg(&downloads),
        )?;
        let sdist = fs::read_dir(&downloads).ok().and_then(|mut files| files.next()?.ok());
        let sdist = sdist.ok_or_else(|| Skip::new("pip download left no file"))?.path();
        let unpack = source_dir().join("unpack_suite.py");
        output("unpacking PyKMIP", self.command().arg(unpack).arg(sdist).arg(self.suite()))?;
        Ok(())
    }

    fn pip(&self, verb: &str) -> Command {
        let mut command = self.command();
        command.args(["-m", "pip", verb, "--quiet", "--disable-pip-version-check", "--no-input"]);
        command.args(["--timeout", PIP_TIMEOUT_S, "--retries", PIP_RETRIES]);
        command
    }

    /// The interpreter, not started, with nothing on standard input and no module path of the caller's.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.environment.join("bin/python"));
        command.args(["-W", "ignore"]).env_remove("PYTHONPATH").env_remove("PYTHONHOME").stdin(Stdio::null());
        command
    }

    /// The directory that holds PyKMIP's integration suite, `integration/`.
    pub fn suite(&self) -> PathBuf {
        self.environment.join("suite")
    }
}

/// The directory of this package's Python files.
fn source_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// Cargo's target directory, which is above the running program.
pub(crate) fn target_dir() -> Result<PathBuf, Skip> {
    let program =
        std::env::current_exe().map_err(|error| Skip::new(format_args!("this program: {error}")))?;
    let found = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    found.map(Path::to_owned).ok_or_else(|| {
        Skip::new(format_args!("no Cargo target directory is above this program, {}", program.display()))
    })
}

/// Runs a program to its end, and returns what it prints.
///
/// Fails with the last line that it writes to standard error.
pub(crate) fn output(what: &str, command: &mut Command) -> Result<String, Skip> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Skip::new(format_args!("{what} cannot be started: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    // venv tells standard output what is missing.
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(Skip::new(format_args!("{what} failed ({}): {last}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_one_line_that_says_so() {
        let skip = output("python3", &mut Command::new("./no-such-python3")).unwrap_err();
        let line = skip.to_string();
        assert!(line.starts_with("skipped: python3 cannot be started: "), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }

    #[test]
    fn a_program_that_fails_is_told_by_its_last_words() {
        let program = "echo before >&2; echo no index >&2; exit 3";
        let skip = output("pip install", Command::new("sh").args(["-c", program])).unwrap_err();
        assert_eq!(skip.to_string(), "skipped: pip install failed (exit status: 3): no index");
    }
}
