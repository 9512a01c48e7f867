//! Whole clusters in one thread, from one seed: the real node, the real openraft and kms-core on a simulated network,
//! clock and disk.
//!
//! `sim SEED` runs the cluster of one seed and says in one line what came of it; the same seed gives the same line. With
//! `SIM_LOG=1` it tells every event on standard error. A fault is planted with `KMS_PLANTED`. `tests/simulation.rs`
//! runs many seeds, each in a process of its own: what a seed finds is then found by that seed alone.

#[cfg(tokio_unstable)]
mod client;
#[cfg(tokio_unstable)]
mod disk;
#[cfg(tokio_unstable)]
mod faults;
#[cfg(tokio_unstable)]
mod invariants;
#[cfg(tokio_unstable)]
mod judge;
#[cfg(tokio_unstable)]
mod network;
#[cfg(tokio_unstable)]
mod node;
#[cfg(tokio_unstable)]
mod oracle;
#[cfg(tokio_unstable)]
mod plan;
#[cfg(tokio_unstable)]
mod request;
#[cfg(tokio_unstable)]
mod run;
#[cfg(tokio_unstable)]
mod trace;
#[cfg(tokio_unstable)]
mod votes;
#[cfg(tokio_unstable)]
mod watch;
#[cfg(tokio_unstable)]
mod world;

#[cfg(tokio_unstable)]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(tokio_unstable))]
#[allow(clippy::print_stdout, reason = "its only word")]
fn main() {
    println!("skipped: the simulation is built with RUSTFLAGS=\"--cfg tokio_unstable\"");
}
