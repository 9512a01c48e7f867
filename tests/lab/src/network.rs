//! A network of a test's own, in which packets between nodes can be dropped in one direction.

use std::io::Write;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};

use crate::NodeHandle;

/// Names what is dropped, and nothing of what the machine itself may have: the namespace is new.
const TABLE: &str = "inet lab";

/// Runs `test` on a thread with a network namespace of its own, in which there is a loopback device and nothing else.
/// Threads and processes that it starts are in it too, and it goes with the last of them. Fails, with the reason,
/// where this machine cannot: no root, no `ip`, no `nft`.
pub fn in_own_network<T, F>(test: impl FnOnce() -> F + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network of its own: {error}"))?;
        run(Command::new("ip").args(["link", "set", "lo", "up"]), "")?;
        rules("")?;
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        Ok(runtime.block_on(test()))
    });
    match thread.join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Drops every packet from the first of each pair to the second, and no others: what was cut before is healed.
/// Panics where the calling thread is in no network of its own.
pub fn cut(directions: &[(&NodeHandle, &NodeHandle)]) {
    let drops: String = directions
        .iter()
        .map(|(from, to)| {
            let (from, to) = (from.link_host(), to.link_host());
            format!("add rule {TABLE} cut ip saddr {from} ip daddr {to} drop\n")
        })
        .collect();
    rules(&drops).unwrap();
}

/// Drops every packet to and from these nodes, at their KMIP port and on their links, and no others; their admin port goes
/// on, so that they can be asked how they are. Panics as [`cut`] does.
pub fn cut_off(nodes: &[&NodeHandle]) {
    let drops: String = nodes
        .iter()
        .flat_map(|node| {
            let (link, kmip) = (node.link_host(), node.kmip_address.port());
            [
                format!("ip saddr {link}"),
                format!("ip daddr {link}"),
                format!("tcp sport {kmip}"),
                format!("tcp dport {kmip}"),
            ]
        })
        .map(|what| format!("add rule {TABLE} cut {what} drop\n"))
        .collect();
    rules(&drops).unwrap();
}

/// All rules anew, in one step.
fn rules(drops: &str) -> Result<(), String> {
    let script = format!(
        "add table {TABLE}\nadd chain {TABLE} cut {{ type filter hook input priority 0; }}\nflush chain {TABLE} cut\n{drops}"
    );
    run(Command::new("nft").args(["-f", "-"]), &script)
}

fn run(command: &mut Command, input: &str) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| format!("{name}: {error}");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    // Closed at the end of the statement, so that the program sees the end.
    child.stdin.take().unwrap().write_all(input.as_bytes()).map_err(failed)?;
    let output = child.wait_with_output().map_err(failed)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
