//! A disk of its own for a test: ext4 in a file, mounted through a loop device, whose power can be cut.
//!
//! The cut is ext4's shutdown without flushing its log (`EXT4_IOC_SHUTDOWN`, `NOLOGFLUSH`): from that moment nothing
//! more reaches the disk, and every system call on it fails. What was on the disk is then taken as a copy of the image
//! *before* it is unmounted, as unmounting writes out what the kernel still held, which a power cut would not have.
//! Such a file system stays frozen, so each cut goes on with the copy, mounted elsewhere; a symbolic link leads to it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// Makes the system call, which has no safe wrapper, at the word on standard input: the interpreter has started by
/// then, so that no time passes between the word and the cut.
const CUTTER: &str = "
import fcntl, os, struct, sys
at = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
if sys.stdin.readline() != 'cut\\n':
    sys.exit()
fcntl.ioctl(at, 0x8004587d, struct.pack('I', 2))
print('cut', flush=True)
";

/// A mounted disk.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    mount: PathBuf,
    copies: usize,
    dir: TempDir,
}

/// The hand on the plug.
#[derive(Debug)]
pub struct Cutter {
    child: Child,
    word: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Disk {
    /// Makes and mounts a disk of so many megabytes. Fails, with the reason, where this machine cannot: no root, no loop
    /// devices, no mkfs.ext4.
    pub fn new(megabytes: u64) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let image = dir.path().join("0.img");
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(megabytes << 20).map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let mut disk = Self { mount: dir.path().join("0.mount"), image, copies: 0, dir };
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted, also after a cut.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn mount(&mut self) -> Result<(), String> {
        std::fs::create_dir(&self.mount).map_err(|error| error.to_string())?;
        run(Command::new("mount").args(["-o", "loop"]).args([&self.image, &self.mount]))?;
        let link = self.path();
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&self.mount, &link).map_err(|error| error.to_string())
    }

    /// Gets ready to cut the power. Fails, with the reason, where there is no python3.
    pub fn cutter(&self) -> Result<Cutter, String> {
        let mut command = Command::new("python3");
        command.args(["-c", CUTTER]).arg(&self.mount).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("python3: {error}"))?;
        let word = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        match expect(&mut answers, "ready") {
            Ok(()) => Ok(Cutter { child, word, answers }),
            Err(error) => {
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Goes on with what was on the disk when the power was cut. Nobody may use it any more.
    pub fn power_on(&mut self) {
        self.copies += 1;
        let copy = self.dir.path().join(format!("{}.img", self.copies));
        run(Command::new("cp").arg("--sparse=always").args([&self.image, &copy])).unwrap();
        unmount(&self.mount);
        std::fs::remove_file(&self.image).unwrap();
        self.image = copy;
        self.mount = self.dir.path().join(format!("{}.mount", self.copies));
        self.mount().unwrap();
    }

    /// Writes a file until the disk is full, and gives its path.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            let block = vec![0xaa; size];
            while file.write_all(&block).is_ok() {}
        }
        let _ = file.sync_all();
        path
    }
}

impl Cutter {
    /// Cuts the power; it is off when this returns.
    pub fn cut(mut self) {
        self.word.as_mut().unwrap().write_all(b"cut\n").unwrap();
        expect(&mut self.answers, "cut").unwrap();
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        // It ends without a cut when nobody can give the word any more.
        self.word = None;
        let _ = self.child.wait();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.mount);
    }
}

fn unmount(mount: &Path) {
    // A loop device of a cut disk may be busy for a moment; detached, it goes when it is free.
    if run(Command::new("umount").arg(mount)).is_err() {
        let _ = run(Command::new("umount").arg("-l").arg(mount));
    }
}

fn expect(answers: &mut BufReader<ChildStdout>, word: &str) -> Result<(), String> {
    let mut line = String::new();
    answers.read_line(&mut line).map_err(|error| error.to_string())?;
    match line.trim() == word {
        true => Ok(()),
        false => Err(format!("python3 said {line:?}, expected {word:?}")),
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
