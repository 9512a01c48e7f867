//! TCP ports: one for many clients, and those that were open before the program began.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use anyhow::{Context, ensure};
use listenfd::ListenFd;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Opens a port. An unspecified IPv6 address takes IPv4 too. The kernel may complete `backlog` connections before they
/// are accepted.
///
/// # Errors
/// What the system says, such as that another program listens there.
pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}

/// The ports that whoever started the program had opened for it, which is systemd where a `.socket` unit names it
/// (sd_listen_fds(3)). `meant` says in words what each is for, in the unit's order; the first may come alone. None where
/// nothing was handed over.
///
/// Must be called before there is a second thread, as it takes the two variables out of the environment.
///
/// # Errors
/// When there are more than are meant, or one is no TCP port.
pub fn handed_over(meant: &[&str]) -> anyhow::Result<Vec<std::net::TcpListener>> {
    let mut sockets = ListenFd::from_env();
    ensure!(
        sockets.len() <= meant.len(),
        "{} sockets were handed over, and there is use for {}: {}. hint: have as many ListenStream= in the .socket unit",
        sockets.len(),
        meant.len(),
        meant.join(", ")
    );
    let take = |(at, what): (usize, &&str)| {
        let taken = sockets.take_tcp_listener(at).and_then(|port| {
            // Without this the runtime would stand still on a port of its own.
            port.iter().try_for_each(|port| port.set_nonblocking(true))?;
            Ok(port)
        });
        let wrong = || {
            format!(
                "the socket handed over for {what} is no TCP port. hint: ListenStream= in the .socket unit is an \
                 address or port, {} in this order",
                meant.join(", ")
            )
        };
        taken.with_context(wrong).transpose()
    };
    meant.iter().enumerate().filter_map(take).collect()
}
