//! PyKMIP's server on a port of its own, for comparisons.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::{Python, Skip};

/// Longest wait for the server to listen.
const START_MAX: Duration = Duration::from_secs(30);
/// Between two looks whether it listens; it tells nobody.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A running PyKMIP server, ended when this is dropped. It speaks TLS 1.2 only, lets in every client whose certificate
/// its authority signed for clients, names its objects 1, 2, 3, …, and keeps each client's from the others by the
/// Common Name.
#[derive(Debug)]
pub struct PykmipServer {
    address: SocketAddr,
    process: Child,
}

impl PykmipServer {
    /// Starts it on a free port of 127.0.0.1 and waits until it listens. `ca`, `certificate` and `key` are PEM files; the
    /// key must be of an elliptic curve, because with RSA the server offers CBC suites alone. Its database, log and
    /// configuration go to `dir`, an absolute path, which is made.
    ///
    /// Fails where PyKMIP cannot be installed, or its server does not start on this Python.
    pub fn start(dir: &Path, ca: &Path, certificate: &Path, key: &Path) -> Result<Self, Skip> {
        let python = Python::ready()?;
        let disk = |error: io::Error| Skip::new(format_args!("{}: {error}", dir.display()));
        fs::create_dir_all(dir.join("policy")).map_err(disk)?;
        let address = free_address().map_err(disk)?;
        let configuration = dir.join("server.conf");
        fs::write(&configuration, configuration_text(dir, ca, certificate, key, address)).map_err(disk)?;
        let said = dir.join("output.txt");
        let output = File::create(&said).map_err(disk)?;
        let process = python
            .command()
            .args(["-c", "from kmip.services.server.server import main; main()", "--config_path"])
            .arg(&configuration)
            .arg("--log_path")
            .arg(dir.join("server.log"))
            .stdout(output.try_clone().map_err(disk)?)
            .stderr(output)
            // It has children of its own, which are to end with it.
            .process_group(0)
            .spawn()
            .map_err(|error| Skip::new(format_args!("PyKMIP's server cannot be started: {error}")))?;
        let mut server = Self { address, process };
        server.wait_until_it_listens(&said)?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self, said: &Path) -> Result<(), Skip> {
        let started = Instant::now();
        let last_line = || {
            let text = fs::read_to_string(said).unwrap_or_default();
            text.lines().last().unwrap_or("it said nothing").to_owned()
        };
        loop {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(Skip::new(format_args!("PyKMIP's server ended ({status}): {}", last_line())));
            }
            if started.elapsed() > START_MAX {
                let seconds = START_MAX.as_secs();
                return Err(Skip::new(format_args!(
                    "PyKMIP's server does not listen after {seconds} s: {}",
                    last_line()
                )));
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    /// Where it serves KMIP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for PykmipServer {
    fn drop(&mut self) {
        // Asked in order, it waits for its threads; nothing of it is to be kept.
        if let Ok(pid) = i32::try_from(self.process.id()) {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.process.wait();
    }
}

/// A port that was free a moment ago; the server takes no socket that is bound already.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn configuration_text(dir: &Path, ca: &Path, certificate: &Path, key: &Path, address: SocketAddr) -> String {
    format!(
        "[server]\n\
         hostname={}\n\
         port={}\n\
         certificate_path={}\n\
         key_path={}\n\
         ca_path={}\n\
         auth_suite=TLS1.2\n\
         enable_tls_client_auth=True\n\
         policy_path={}\n\
         database_path={}\n\
         logging_level=WARNING\n",
        address.ip(),
        address.port(),
        certificate.display(),
        key.display(),
        ca.display(),
        dir.join("policy").display(),
        dir.join("objects.sqlite").display(),
    )
}
