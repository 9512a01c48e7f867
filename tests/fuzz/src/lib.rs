//! The loop that feeds readers of strangers' bytes with what is nearly right: inputs that are known, changed at random, for a
//! time. Each room's tests give it a reader of theirs and messages to begin with.
//!
//! Why a loop of our own: LLVM's fuzzer wants instrumented code, so a second build of everything on two cores, or a nightly
//! toolchain; and it reaches only what is public, where most readers here are not. What guides this one is what a reader
//! says: an input with an answer that was not heard before is kept, and changed further. It runs where all tests run, with
//! overflow checks on. What it costs: a branch that no answer tells of is found by luck alone.
//!
//! | variable | what | default |
//! |---|---|---|
//! | `FUZZ_SECONDS` | how long each reader is fed | 1 |
//! | `FUZZ_SEED` | the generator's seed; the same one makes the same inputs | 1 |
//! | `FUZZ_INPUT` | a file that is the only input: that of a failure, again | none |
//!
//! A failure leaves its input in a file of the temporary directory, and tells that file, the seed and the round. What was
//! found once is kept in `corpus/READER/` of the room's tests, and fed first.

mod mutate;
mod numbers;

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use numbers::Numbers;

/// Inputs that are kept; one over it takes the place of another.
const POOL_MAX: usize = 4096;
/// Bytes of an input; longer ones are cut.
const INPUT_BYTES_MAX: usize = 16 << 10;
/// The longest that one input may take: as long as a client waits for an answer would be a way to stop the server.
const INPUT_TIME_MAX: Duration = Duration::from_secs(5);

/// What a reader says to an input: a number of its own for each thing that it can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer(u64);

impl Answer {
    /// Of anything that can be told apart.
    pub fn of(said: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        said.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Of a text, such as an error: digits do not count, nor what stands within quotation marks, or every place of every
    /// mistake and every word of the input would be new.
    pub fn of_text(said: &str) -> Self {
        let own = said.split('"').step_by(2).flat_map(str::bytes);
        Self::of(own.filter(|byte| !byte.is_ascii_digit()).collect::<Vec<u8>>())
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug)]
pub struct Fed {
    /// Inputs.
    pub inputs: u64,
    /// Different answers.
    pub answers: usize,
}

/// Feeds `reader`: the files of `corpus/NAME` below the package's `tests`, the seeds, and what comes of changing both, until
/// the time is over. Ends the test where the reader panics or takes too long.
pub fn feed(package: &str, name: &str, seeds: Vec<Vec<u8>>, mut reader: impl FnMut(&[u8]) -> Answer) -> Fed {
    let mut run =
        Run { name, seed: number("FUZZ_SEED", 1), round: 0, answers: HashSet::new(), pool: Vec::new() };
    if let Some(file) = std::env::var_os("FUZZ_INPUT") {
        let bytes = read(Path::new(&file));
        run.one(&bytes, &mut reader);
        return run.fed();
    }
    let corpus = Path::new(package).join("tests/corpus").join(name);
    for seed in files(&corpus).iter().map(|file| read(file)).chain(seeds) {
        run.one(&seed, &mut reader);
        run.pool.push(seed);
    }
    if run.pool.is_empty() {
        run.pool.push(Vec::new());
    }
    let mut numbers = Numbers::new(run.seed);
    let end = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS", 1));
    while Instant::now() < end {
        let mut bytes = numbers.pick(&run.pool).clone();
        mutate::mutate(&mut bytes, &run.pool, &mut numbers);
        bytes.truncate(INPUT_BYTES_MAX);
        if run.one(&bytes, &mut reader) {
            match run.pool.len() < POOL_MAX {
                true => run.pool.push(bytes),
                false => *numbers.pick_mut(&mut run.pool) = bytes,
            }
        }
    }
    let fed = run.fed();
    say(&format!("fuzz {name}: {} inputs, {} answers, seed {}", fed.inputs, fed.answers, run.seed));
    fed
}

struct Run<'a> {
    name: &'a str,
    seed: u64,
    round: u64,
    answers: HashSet<u64>,
    pool: Vec<Vec<u8>>,
}

impl Run<'_> {
    /// Whether the answer is new.
    fn one(&mut self, bytes: &[u8], reader: &mut impl FnMut(&[u8]) -> Answer) -> bool {
        self.round += 1;
        let began = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| reader(bytes))) {
            Ok(answer) => {
                let took = began.elapsed();
                assert!(took < INPUT_TIME_MAX, "{took:?} {}", self.found(bytes));
                self.answers.insert(answer.0)
            }
            Err(panic) => {
                say(&self.found(bytes));
                resume_unwind(panic);
            }
        }
    }

    fn found(&self, bytes: &[u8]) -> String {
        let file = std::env::temp_dir().join(format!("fuzz-{}-{:016x}.bin", self.name, Answer::of(bytes).0));
        let kept = match std::fs::write(&file, bytes) {
            Ok(()) => format!("hint: FUZZ_INPUT={} tries it alone", file.display()),
            Err(error) => format!("{} cannot be written: {error}", file.display()),
        };
        let mut hex = String::new();
        for byte in bytes {
            let _ = write!(hex, "{byte:02x}");
        }
        format!("fuzz {}: seed {}, round {}, input {hex}\n{kept}", self.name, self.seed, self.round)
    }

    fn fed(&self) -> Fed {
        Fed { inputs: self.round, answers: self.answers.len() }
    }
}

/// Past the test harness, which would keep it to itself.
fn say(line: &str) {
    // Nothing is left to tell it to where standard error is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn number(variable: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(variable) else { return default };
    text.parse().unwrap_or_else(|_| fault(&format!("{variable} is no number: {text:?}")))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|error| fault(&format!("{}: {error}", file.display())))
}

/// The caller's mistake ends the test.
#[allow(clippy::panic, reason = "a test that cannot begin fails")]
fn fault(what: &str) -> ! {
    panic!("{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says which of nested conditions were reached, and panics behind the last.
    fn lock(bytes: &[u8]) -> Answer {
        let open = bytes.iter().zip(b"KEY").take_while(|(got, wanted)| got == wanted).count();
        assert!(open < 3, "opened");
        Answer::of(open)
    }

    #[test]
    fn what_panics_behind_answers_is_found_through_them() {
        let fed = catch_unwind(|| feed(env!("CARGO_MANIFEST_DIR"), "lock", vec![vec![0; 3]], lock));
        let why = fed.unwrap_err();
        let why = why.downcast_ref::<&str>().copied().or(why.downcast_ref::<String>().map(String::as_str));
        assert!(why.unwrap().contains("opened"));
    }

    #[test]
    fn the_digits_and_quotations_of_an_error_do_not_make_it_another() {
        assert_eq!(Answer::of_text("at byte 112: too long"), Answer::of_text("at byte 8: too long"));
        assert_eq!(Answer::of_text("no \"a\" here"), Answer::of_text("no \"b\" here"));
        assert_ne!(Answer::of_text("too long"), Answer::of_text("too short"));
    }
}
