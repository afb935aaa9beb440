//! The TCP probe, and the first phase of all others: a fresh connection.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use nix::sys::socket::SetSockOpt;
use nix::sys::socket::sockopt::SetBool;
use tokio::net::{TcpSocket, TcpStream};

use super::reason::{self, Failure};

/// Leaves the choice of a bound socket's port to its connection: then a port that is in use toward one endpoint is free
/// toward another, and probes from one address don't run out of ports (`IP_BIND_ADDRESS_NO_PORT`, for IPv6 too).
#[derive(Clone, Copy, Debug)]
struct BindAddressNoPort;

nix::setsockopt_impl!(
    BindAddressNoPort,
    libc::IPPROTO_IP,
    libc::IP_BIND_ADDRESS_NO_PORT,
    bool,
    SetBool
);

/// Opens a connection, as a new client would, from an address of this machine if one is given.
pub(super) async fn connect(
    address: SocketAddr,
    source: Option<IpAddr>,
) -> Result<TcpStream, Failure> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .map_err(|error| reason::of_io(&error))?;
    if let Some(source) = source {
        bind(&socket, source).map_err(|error| unbound(source, &error))?;
    }
    open(socket, address).await.map_err(|error| unopened(source, address, &error))
}

/// Why a connection doesn't stand. That there is no way from its source to where it goes is this machine's fault.
fn unopened(source: Option<IpAddr>, address: SocketAddr, error: &io::Error) -> Failure {
    match (source, error.raw_os_error()) {
        (Some(source), Some(libc::EINVAL)) => {
            let to = address.ip();
            Failure::Machine(format!("{to} can't be reached from {source}; change `source`"))
        }
        _ => reason::of_io(error),
    }
}

fn bind(socket: &TcpSocket, source: IpAddr) -> io::Result<()> {
    BindAddressNoPort.set(socket, &true)?;
    socket.bind(SocketAddr::new(source, 0))
}

/// A source that can't be bound is this machine's fault, whatever is wrong with it.
fn unbound(source: IpAddr, error: &io::Error) -> Failure {
    Failure::Machine(match error.raw_os_error() {
        Some(libc::EADDRNOTAVAIL) => {
            format!("this machine has no address {source}; give it one, or change `source`")
        }
        _ => format!("can't probe from {source} ({error}); change `source`"),
    })
}

async fn open(socket: TcpSocket, address: SocketAddr) -> io::Result<TcpStream> {
    let stream = socket.connect(address).await?;
    if stream.local_addr()? == address {
        // The kernel drew the very port that is probed on this machine, and the socket connected to itself.
        return Err(ErrorKind::ConnectionRefused.into());
    }
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
