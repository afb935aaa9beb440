//! The TCP probe, and the first phase of all others: a fresh connection.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::reason::{self, Failure};

/// Opens a connection, as a new client would.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    open(address).await.map_err(|error| reason::of_io(&error))
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
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
