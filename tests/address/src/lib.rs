//! What the tests of the one address share: a [`Running`] `kms lab --fronts 2`, [`Callers`] that ask through its address
//! all the time, and a [`Watch`] on the machine itself.

// As in the laboratory: what cannot be set up ends the test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod callers;
mod running;
mod watch;

use std::io::Write;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub use callers::{Callers, PATIENCE, Pattern, configuration, creates};
pub use running::{Running, ip, namespaces};
pub use watch::Watch;

/// Longest wait for what will certainly come: the machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at a condition that nothing reports.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until it holds; panics with `what` when it does not.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < LIMIT, "not within {} s: {what}", LIMIT.as_secs());
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Prints a line although the harness captures what tests print.
pub fn say(line: &str) {
    // A closed standard output is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Whether this machine can run two fronts; else says in one line why the test is skipped.
pub fn can_run() -> bool {
    static MISSING: OnceLock<Option<&str>> = OnceLock::new();
    let missing = MISSING.get_or_init(missing);
    if let Some(missing) = missing {
        say(&format!("skipped: {missing}, and so no two fronts with one address"));
    }
    missing.is_none()
}

fn missing() -> Option<&'static str> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root");
    }
    if running::program("keepalived").is_none() {
        return Some("keepalived is not installed");
    }
    if running::program("ip").is_none() {
        return Some("iproute2 is not installed");
    }
    let probe = format!("kms-probe-{}", std::process::id());
    if ip(&format!("netns add {probe}")).is_err() {
        return Some("no network namespaces may be made");
    }
    ip(&format!("netns delete {probe}")).unwrap();
    None
}
