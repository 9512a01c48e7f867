//! The page in a real browser: Debian's Chromium, played by `page.py` with playwright, before the real programs.
//!
//! Skipped with a line where there is no Chromium, no Python, or no package index. `PAGE_PICTURES=DIR` keeps pictures.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use lab::programs;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::crowd::ask;
use crate::running::{LIMIT, Running};

const PLAYWRIGHT: &str = "playwright==1.65.2";

/// What Debian and others call it.
const BROWSERS: [&str; 2] = ["chromium", "chromium-browser"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_at_the_page_sees_the_leader_die_and_drains_another_node() {
    let (python, browser) = match ready() {
        Ok(found) => found,
        Err(missing) => return println!("skipped: the page in a browser: {missing}"),
    };
    let lab = Running::start(&[]).await;
    let config = lab.client();
    ask(&config, &mut None).await.unwrap();
    let leader = lab.node(true).await;
    let others: Vec<_> = ["node1", "node2", "node3"].into_iter().filter(|name| *name != leader).collect();
    let front = &lab.description()["front"];
    let token = fs::read_to_string(Path::new(front["dir"].as_str().unwrap()).join("token")).unwrap();
    let page = format!("http://{}/", front["admin"].as_str().unwrap());
    let mut person =
        Person::start(&python, &[browser.as_str(), &page, token.trim(), &leader, others[0], others[1]]);
    person.says("loaded").await;
    let killed = Instant::now();
    assert!(lab.lab(&["kill", &leader]).await.status.success());
    person.go().await;
    let seen = person.says("seen").await;
    println!(
        "a killed leader is Down on the page {} ms after the kill ({seen})",
        killed.elapsed().as_millis()
    );
    person.says("drained").await;
    // A client notices neither.
    ask(&config, &mut None).await.unwrap();
    person.go().await;
    person.says("polls").await;
    assert!(lab.lab(&["start", &leader]).await.status.success());
    person.go().await;
    person.says("done").await;
    lab.end(Signal::SIGTERM).await;
}

/// The process that plays.
struct Person {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Person {
    fn start(python: &Path, words: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/front/page.py");
        let pictures = std::env::var("PAGE_PICTURES").unwrap_or_default();
        let mut child = tokio::process::Command::new(python)
            .arg(script)
            .args(words)
            .arg(pictures)
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
    let target = programs().front.ancestors().nth(2).ok_or("no target directory")?;
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
