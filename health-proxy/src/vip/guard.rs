//! The guard: a small process beside the front that writes the file for keepalived. While the front says every moment that
//! it holds, the file says so; when it falls silent, because it stands still or was killed, the file gives the address up.
//!
//! It is this program, started with [`ARGUMENT`] and the file. A byte a moment comes on its standard input, whose end is
//! its own; it says on its standard output what became of the file. No runtime and no configuration: what must work when
//! the front does not is small.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::SigSet;

use super::Weight;

/// What makes this program the guard; the file comes after it.
pub const ARGUMENT: &str = "--guard-of-track-file";

/// Longest silence of a front that holds the address. A machine that is busy for less is no reason to move it; with what
/// keepalived needs after it, an address is back within a second.
pub const SILENCE_MAX: Duration = Duration::from_millis(500);

/// What is said of a file that was written; anything else is why it was not.
pub(crate) const WRITTEN: &str = "written";

/// The file, where the command line says that this process is a guard.
pub fn file_of(mut words: impl Iterator<Item = OsString>) -> Option<OsString> {
    words.next().filter(|word| word == OsStr::new(ARGUMENT))?;
    words.next()
}

/// Guards until standard input ends.
pub fn run(path: &Path) -> ExitCode {
    // It outlives the front by a moment, whoever is told to end: a service's processes are told all at once.
    let _ = SigSet::all().thread_block();
    let (words, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 64];
        // All but the newest of what came at once is old.
        while let Ok(count @ 1..) = io::stdin().read(&mut bytes) {
            if words.send(Weight::of(bytes[count - 1])).is_err() {
                return;
            }
        }
    });
    match guard(path, &heard) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Ends with who speaks; the file then gives the address up. The error is that of the last file.
fn guard(path: &Path, heard: &Receiver<Weight>) -> io::Result<()> {
    let mut written = None;
    loop {
        let (wanted, ends) = match heard.recv_timeout(SILENCE_MAX) {
            Ok(weight) => (weight, false),
            Err(RecvTimeoutError::Timeout) => (Weight::GivesUp, false),
            Err(RecvTimeoutError::Disconnected) => (Weight::GivesUp, true),
        };
        let result = match written == Some(wanted) {
            true => Ok(()),
            false => {
                let result = write(path, wanted);
                say(&result);
                // One that was not written is tried again with the next word.
                written = result.is_ok().then_some(wanted);
                result
            }
        };
        if ends {
            return result;
        }
    }
}

/// A front that is gone does not listen.
fn say(result: &io::Result<()>) {
    let words = result.as_ref().map_or_else(ToString::to_string, |()| WRITTEN.to_owned());
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{words}").and_then(|()| out.flush());
}

/// By a new file that takes the old one's place, so that keepalived never reads half a number.
fn write(path: &Path, weight: Weight) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    fs::write(&name, format!("{}\n", weight.number()))?;
    fs::rename(&name, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    /// A guard that runs, and what tells it.
    fn guarded(path: &Path) -> (mpsc::Sender<Weight>, thread::JoinHandle<io::Result<()>>) {
        let (words, heard) = mpsc::channel();
        let path = path.to_owned();
        (words, thread::spawn(move || guard(&path, &heard)))
    }

    #[test]
    fn a_front_that_is_gone_gives_the_address_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vip");
        let (words, guard) = guarded(&path);
        words.send(Weight::Holds).unwrap();
        drop(words);
        guard.join().unwrap().unwrap();
        assert_eq!(number(&path).as_deref(), Some("-254\n"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_front_that_falls_silent_gives_the_address_up_until_it_speaks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vip");
        let (words, guard) = guarded(&path);
        for expected in ["0\n", "-254\n", "0\n"] {
            if expected == "0\n" {
                words.send(Weight::Holds).unwrap();
            }
            let began = std::time::Instant::now();
            while number(&path).as_deref() != Some(expected) {
                assert!(began.elapsed() < 20 * SILENCE_MAX, "not {expected:?}");
                thread::yield_now();
            }
        }
        drop(words);
        guard.join().unwrap().unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_written_is_tried_again_with_the_next_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/vip");
        let (words, heard) = mpsc::channel();
        words.send(Weight::Holds).unwrap();
        drop(words);
        assert_eq!(guard(&path, &heard).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::create_dir(dir.path().join("run")).unwrap();
        guard(&path, &heard).unwrap();
        assert_eq!(number(&path).as_deref(), Some("-254\n"));
    }

    #[test]
    fn only_the_argument_makes_a_guard() {
        let of = |words: &[&str]| file_of(words.iter().map(OsString::from));
        assert_eq!(of(&[ARGUMENT, "/run/vip"]), Some("/run/vip".into()));
        assert_eq!((of(&[]), of(&["--config", "x"]), of(&[ARGUMENT])), (None, None, None));
    }
}
