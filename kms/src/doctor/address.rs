//! Whether the address leads anywhere: its name, and TCP.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::report::Report;

/// Longest wait for a name.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for TCP, an address.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Nobody answers at the address; the findings say why.
#[derive(Debug, thiserror::Error)]
#[error("nobody answers at {address}. hint: see the findings above")]
pub(crate) struct Unreachable {
    address: String,
}

/// Resolves and connects; gives the first address that answers.
pub(super) async fn check(report: &mut Report, host: &str, port: u16) -> Result<SocketAddr, Unreachable> {
    let unreachable = || Unreachable { address: format!("{host} port {port}") };
    let found = match timeout(RESOLVE_TIMEOUT, lookup_host((host, port))).await {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(error)) => {
            report.bad(
                "address",
                format!("{host} does not resolve: {error}"),
                "check the name, or give the IP address",
            );
            return Err(unreachable());
        }
        Err(_) => {
            let words = format!("{host} does not resolve within {} s", RESOLVE_TIMEOUT.as_secs());
            report.bad("address", words, "check the name servers of this machine, or give the IP address");
            return Err(unreachable());
        }
    };
    let addresses = found.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    report.good("address", if addresses == host { addresses } else { format!("{host} is {addresses}") });
    let mut answers = None;
    for address in found {
        let started = Instant::now();
        let error = match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                let ms = started.elapsed().as_millis();
                report.good("TCP", format!("{address} accepts connections ({ms} ms)"));
                answers = answers.or(Some(address));
                continue;
            }
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        report.bad("TCP", format!("{address}: {error}"), fix(&error, port));
    }
    answers.ok_or_else(unreachable)
}

fn fix(error: &io::Error, port: u16) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!(
            "nothing listens on port {port} there: start the server, or check its [kmip] listen and the port"
        ),
        io::ErrorKind::TimedOut => {
            format!(
                "packets are dropped on the way: open TCP port {port} in the firewalls, or check the address"
            )
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no way to that address from here: check routes and the address".to_owned()
        }
        _ => "check the address, the network and the server's log".to_owned(),
    }
}
