//! A network of the lab's own for two fronts that hold one address: two hosts and a client, each a network namespace, on
//! one switch, which is a namespace too, and this machine on it by an interface of the lab's.
//!
//! Nothing of it stays. Its names carry the number of the lab's network, `kmslab0` and on, whose addresses are a part of
//! 198.51.100.0/24 (RFC 5737: for documentation, so in use nowhere). A lock on the switch says that its lab lives, so what
//! a killed lab left is known by anyone, and is removed when the next lab of this kind starts.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

use crate::program;

/// Labs with such a network at once: as many as have addresses.
const SEGMENTS_MAX: u8 = 8;

/// Addresses of each, its prefix in bits.
const PREFIX: u8 = 27;

/// Where `ip netns` keeps namespaces.
const NAMESPACES: &str = "/run/netns";

/// The interface in a host's or the client's namespace.
pub(super) const INTERFACE: &str = "eth0";

/// Those on the switch besides this machine.
const MEMBERS: [&str; 3] = ["front1", "front2", "client"];

/// The network, for as long as this lives.
#[derive(Debug)]
pub(super) struct Segment {
    ip: Ip,
    number: u8,
    /// By front, less one.
    cut: [AtomicBool; 2],
    /// That our lab lives. Gone when all is removed.
    lock: Mutex<Option<Flock<File>>>,
}

impl Segment {
    /// Makes it: the one of the last time, if it can be, as clients know its address. Fails, and leaves nothing, where
    /// this machine cannot.
    pub(super) fn make(last: Option<Ipv4Addr>) -> anyhow::Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            bail!(
                "two fronts are run in network namespaces, which only root may make. hint: start the lab as root, or with one front: kms lab"
            );
        }
        let ip = Ip { program: program::system("ip", "iproute2")? };
        sweep(&ip);
        let routes = ip.run("-j -4 route show")?;
        let routes: Vec<Route> = serde_json::from_str(&routes).context("reading what ip route says")?;
        let first = last.and_then(number_of).into_iter();
        for number in first.chain(0..SEGMENTS_MAX) {
            if routes.iter().any(|route| route.meets(number)) {
                continue;
            }
            let Some(lock) = claim(&ip, number)? else { continue };
            let lock = Mutex::new(Some(lock));
            let segment = Segment { ip, number, cut: Default::default(), lock };
            // When it fails, what was made is removed as the segment is dropped.
            segment.connect()?;
            return Ok(segment);
        }
        bail!(
            "no network is free for the lab: {SEGMENTS_MAX} others run, or 198.51.100.0/24 is in use here. hint: ip route; or one front: kms lab"
        )
    }

    fn connect(&self) -> anyhow::Result<()> {
        let (switch, uplink) = (self.namespace("switch"), name_of(self.number));
        self.ip.run(&format!("link add {uplink} type veth peer name uplink netns {switch}"))?;
        self.ip.run(&format!("-n {switch} link add br0 type bridge stp_state 0 forward_delay 0"))?;
        for (member, last) in MEMBERS.iter().zip([FRONTS[0], FRONTS[1], CLIENT]) {
            let (namespace, address) = (self.namespace(member), self.address(last));
            self.ip.run(&format!("netns add {namespace}"))?;
            self.ip.run(&format!(
                "-n {switch} link add {member} type veth peer name {INTERFACE} netns {namespace}"
            ))?;
            self.ip.run(&format!("-n {switch} link set {member} master br0 up"))?;
            self.ip.run(&format!("-n {namespace} link set lo up"))?;
            self.ip.run(&format!("-n {namespace} address add {address}/{PREFIX} dev {INTERFACE}"))?;
            self.ip.run(&format!("-n {namespace} link set {INTERFACE} up"))?;
        }
        self.ip.run(&format!("-n {switch} link set uplink master br0 up"))?;
        self.ip.run(&format!("-n {switch} link set br0 up"))?;
        self.ip.run(&format!("address add {}/{PREFIX} dev {uplink}", self.machine()))?;
        self.ip.run(&format!("link set {uplink} up"))?;
        Ok(())
    }

    /// This machine's address in it.
    pub(super) fn machine(&self) -> Ipv4Addr {
        self.address(MACHINE)
    }

    /// The one address of the two fronts.
    pub(super) fn vip(&self) -> Ipv4Addr {
        self.address(VIP)
    }

    /// A front's own address; they are 1 and 2.
    pub(super) fn front(&self, number: usize) -> Ipv4Addr {
        self.address(FRONTS[usize::from(number == 2)])
    }

    /// The address of the client.
    pub(super) fn client(&self) -> Ipv4Addr {
        self.address(CLIENT)
    }

    /// The name of a member's namespace: of `front1`, `front2`, `client` or `switch`.
    pub(super) fn namespace(&self, member: &str) -> String {
        format!("{}-{member}", name_of(self.number))
    }

    /// The file that is a member's namespace.
    pub(super) fn namespace_file(&self, member: &str) -> PathBuf {
        Path::new(NAMESPACES).join(self.namespace(member))
    }

    /// What stands before a program and its arguments for it to run there.
    pub(super) fn within(&self, member: &str) -> Vec<String> {
        let program = self.ip.program.display().to_string();
        let namespace = self.namespace(member);
        vec![program, "netns".to_owned(), "exec".to_owned(), namespace]
    }

    /// Takes a front's port off the switch, or puts it there again. Its host's link stays up, as when something fails
    /// further on: it has to find out by itself that nobody hears it.
    pub(super) fn cut(&self, front: usize, cut: bool) -> anyhow::Result<()> {
        let port = if cut { "nomaster" } else { "master br0" };
        self.ip.run(&format!("-n {} link set front{front} {port}", self.namespace("switch")))?;
        if let Some(is_cut) = self.cut.get(front.wrapping_sub(1)) {
            is_cut.store(cut, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether a front's port is off the switch.
    pub(super) fn is_cut(&self, front: usize) -> bool {
        self.cut.get(front.wrapping_sub(1)).is_some_and(|cut| cut.load(Ordering::Relaxed))
    }

    /// Whether a front's host has the one address now.
    pub(super) fn holds(&self, front: usize) -> bool {
        let namespace = self.namespace(&format!("front{front}"));
        let shown = self.ip.run(&format!("-n {namespace} -4 -o address show dev {INTERFACE}"));
        let vip = self.vip().to_string();
        shown.is_ok_and(|shown| shown.split(['/', ' ']).any(|word| word == vip))
    }

    /// Takes all of it away; what runs in it is killed. Done again, it does nothing.
    pub(super) fn remove(&self) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() {
            remove(&self.ip, self.number);
            *lock = None;
        }
    }

    fn address(&self, last: u8) -> Ipv4Addr {
        address(self.number, last)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Last numbers of addresses within a network.
const MACHINE: u8 = 1;
const VIP: u8 = 10;
const FRONTS: [u8; 2] = [21, 22];
const CLIENT: u8 = 30;

fn address(number: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, (number << (32 - PREFIX)) | last)
}

/// The network that an address is of.
fn number_of(address: Ipv4Addr) -> Option<u8> {
    match address.octets() {
        [198, 51, 100, last] => Some(last >> (32 - PREFIX)),
        _ => None,
    }
}

fn name_of(number: u8) -> String {
    format!("kmslab{number}")
}

/// What `ip -j route` says of one.
#[derive(Debug, Deserialize)]
struct Route {
    dst: String,
}

impl Route {
    /// Whether addresses of this network are reached by it already. The default route is no claim on them.
    fn meets(&self, number: u8) -> bool {
        let (to, bits) = self.dst.split_once('/').unwrap_or((&self.dst, "32"));
        let (Ok(to), Ok(bits)) = (to.parse::<Ipv4Addr>(), bits.parse::<u8>()) else { return false };
        let shared = bits.min(PREFIX);
        let mask = u32::MAX.checked_shl(u32::from(32 - shared)).unwrap_or(0);
        shared > 0 && (to.to_bits() & mask) == (address(number, 0).to_bits() & mask)
    }
}

/// Takes a number: nothing where another lab has it.
fn claim(ip: &Ip, number: u8) -> anyhow::Result<Option<Flock<File>>> {
    let switch = format!("{}-switch", name_of(number));
    if Path::new(NAMESPACES).join(&switch).exists() {
        return Ok(None);
    }
    match ip.run(&format!("netns add {switch}")) {
        // One that sweeps at this very moment may have it: then it is no longer ours.
        Ok(_) => Ok(lock(number).ok().flatten()),
        Err(_) if Path::new(NAMESPACES).join(&switch).exists() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lock of a network that is there: nothing where its lab lives.
fn lock(number: u8) -> io::Result<Option<Flock<File>>> {
    let path = Path::new(NAMESPACES).join(format!("{}-switch", name_of(number)));
    Ok(Flock::lock(File::open(path)?, FlockArg::LockExclusiveNonblock).ok())
}

/// Removes what killed labs left.
fn sweep(ip: &Ip) {
    for number in 0..SEGMENTS_MAX {
        if let Ok(Some(_lock)) = lock(number) {
            remove(ip, number);
        }
    }
}

/// The switch goes last: while it is there, the rest is found.
fn remove(ip: &Ip, number: u8) {
    let name = name_of(number);
    for member in MEMBERS {
        let namespace = format!("{name}-{member}");
        for pid in ip.run(&format!("netns pids {namespace}")).unwrap_or_default().split_whitespace() {
            if let Ok(pid) = pid.parse() {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        // What is not there need not be removed.
        let _ = ip.run(&format!("netns delete {namespace}"));
    }
    let _ = ip.run(&format!("link delete {name}"));
    let _ = ip.run(&format!("netns delete {name}-switch"));
}

/// The program that makes networks.
#[derive(Debug)]
struct Ip {
    program: PathBuf,
}

impl Ip {
    /// Runs it with these words, none of which has a space, and gives what it says.
    fn run(&self, words: &str) -> anyhow::Result<String> {
        let output = Command::new(&self.program).args(words.split(' ').map(OsStr::new)).output();
        let output = output.with_context(|| format!("running {}", self.program.display()))?;
        if !output.status.success() {
            bail!(
                "ip {words}: {}. hint: a container may not make networks unless it is told so (--privileged); with one front the lab needs none: kms lab",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_do_not_meet_and_all_their_addresses_are_for_documentation() {
        for number in 0..SEGMENTS_MAX {
            for last in [MACHINE, VIP, FRONTS[0], FRONTS[1], CLIENT] {
                assert_eq!(number_of(address(number, last)), Some(number));
            }
        }
        assert_eq!(address(1, VIP), Ipv4Addr::new(198, 51, 100, 42));
        assert_eq!(number_of(Ipv4Addr::LOCALHOST), None);
        assert!(name_of(SEGMENTS_MAX).len() <= 15, "an interface's name has no more");
    }

    #[test]
    fn a_network_that_is_routed_already_is_not_taken() {
        let meets = |dst: &str, number| Route { dst: dst.to_owned() }.meets(number);
        for free in ["default", "192.0.2.0/24", "198.51.100.32/27", "198.51.100.64", "0.0.0.0/0"] {
            assert!(!meets(free, 0), "{free}");
        }
        for taken in ["198.51.100.0/24", "198.51.100.8/29", "198.51.100.5", "198.0.0.0/8"] {
            assert!(meets(taken, 0), "{taken}");
        }
        assert!(meets("198.51.100.32/27", 1));
    }
}
