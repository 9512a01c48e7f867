//! The page in a real browser: Debian's Chromium, played by `browser.py` with playwright.
//!
//! Skipped with a line where there is no Chromium, no Python, or no package index. `PAGE_PICTURES=DIR` keeps pictures.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::fcntl::{Flock, FlockArg};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::bed::{LIMIT, PATIENT, ask};
use crate::node::Node;
use crate::page::{TOKEN, with_token};

const PLAYWRIGHT: &str = "playwright==1.65.2";

/// What Debian and others call it.
const BROWSERS: [&str; 2] = ["chromium", "chromium-browser"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_at_the_page_sees_a_node_die_and_drains_another() {
    let (python, browser) = match ready() {
        Ok(found) => found,
        Err(missing) => return println!("skipped: the page in a browser: {missing}"),
    };
    let (a, b, c) = (Node::start("a"), Node::start("b"), Node::start("c"));
    // Patient with nodes that are slow; one that is gone is known to be at once.
    let front = with_token(&[&a, &b, &c], &format!("{PATIENT}probe_interval_ms = 100\n")).await;
    let mut client = front.client_of("b").await;
    let mut person = Person::start(&python, &browser, &format!("http://{}/", front.admin));
    person.says("loaded").await;
    let killed = Instant::now();
    a.kill(true).await;
    person.go().await;
    let seen = person.says("seen").await;
    println!("a killed node is Down on the page {} ms after the kill ({seen})", killed.elapsed().as_millis());
    person.says("drained").await;
    // Draining ended no session by accident.
    assert_eq!(ask(&mut client).await.unwrap(), "b");
    person.go().await;
    person.says("polls").await;
    a.restart();
    person.go().await;
    person.says("done").await;
}

/// The process that plays.
struct Person {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Person {
    fn start(python: &Path, browser: &str, page: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/front/browser.py");
        let pictures = std::env::var("PAGE_PICTURES").unwrap_or_default();
        let mut child = tokio::process::Command::new(python)
            .arg(script)
            .args([page, TOKEN, browser, &pictures])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, lines: BufReader::new(output).lines() }
    }

    /// Waits for a line that begins so.
    async fn says(&mut self, expected: &str) -> String {
        let line = timeout(LIMIT, self.lines.next_line()).await;
        match line.unwrap_or_else(|_| panic!("the browser does not get to {expected:?}")).unwrap() {
            Some(line) => {
                assert!(line.starts_with(expected), "expected {expected:?}, got {line:?}");
                line
            }
            // Why is on standard error.
            None => panic!("before {expected:?} it ended: {:?}", self.child.wait().await),
        }
    }

    async fn go(&mut self) {
        self.input.write_all(b"go\n").await.unwrap();
    }
}

/// The Python that has playwright, made where it is not there yet, and the browser's program.
fn ready() -> Result<(PathBuf, String), String> {
    let found = BROWSERS.iter().find(|name| output(Command::new(name).arg("--version")).is_ok());
    let browser = found.ok_or("there is no Chromium; hint: apt-get install chromium")?;
    let path = output(Command::new("sh").args(["-c", &format!("command -v {browser}")]))?;
    let target =
        Path::new(env!("CARGO_BIN_EXE_health-proxy")).ancestors().nth(2).ok_or("no target directory")?;
    let room = target.join("front-page");
    let disk = |error: std::io::Error| format!("{}: {error}", room.display());
    fs::create_dir_all(&room).map_err(disk)?;
    // Whoever else wants it waits until it is whole.
    let lock = File::create(room.join("lock")).map_err(disk)?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| disk(errno.into()))?;
    let environment = room.join(PLAYWRIGHT);
    let python = environment.join("bin/python");
    if output(Command::new(&python).args(["-c", "import playwright.sync_api"])).is_err() {
        // What was interrupted is made again.
        output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
        let soon = ["--timeout", "15", "--retries", "1", PLAYWRIGHT];
        output(Command::new(&python).args(quiet).args(soon))?;
    }
    Ok((python, path.trim().to_owned()))
}

/// What a program prints, or the last line of why it failed.
fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("{program} failed ({}): {last}", output.status))
}
