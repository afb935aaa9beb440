//! Binds the sockets, and starts and stops the threads that answer.

use std::io::{self, PipeReader, PipeWriter};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use socket2::{Domain, Protocol, Socket, Type};
use tokio_util::sync::CancellationToken;

use super::responder::{Identity, Responder};
use super::supervise::supervised;
use super::tcp::{self, TcpLimits};
use super::{sys, udp};
use crate::metrics::DnsCounters;
use crate::snapshot::{Live, Reader, Worker};

/// Room for bursts while a worker is busy, in octets; the kernel may allow less.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Room for answers while the device is busy, in octets: what does not fit is dropped, since no worker waits.
const SEND_BUFFER: usize = 1 << 20;
/// TCP connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A listen address that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has it.
    #[error(
        "{transport} {address} is in use by another program; stop that program, or set `server.listen` to another address or port"
    )]
    InUse {
        /// UDP or TCP.
        transport: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Ports under 1024 need a privilege.
    #[error(
        "no permission to listen on {transport} {address}; run with CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities) or set `server.listen` to a port from 1024 up"
    )]
    NoPermission {
        /// UDP or TCP.
        transport: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// This machine doesn't have the address.
    #[error("this machine has no address {address}; set `server.listen` to one of its own")]
    NotHere {
        /// The address.
        address: SocketAddr,
    },
    /// Its kernel was built or started without IPv6.
    #[error(
        "this machine has no IPv6, so {address} can't be had; write `server.listen = [\"0.0.0.0:{}\"]`", .address.port()
    )]
    NoIpv6 {
        /// The address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("could not listen on {transport} {address}")]
    Other {
        /// UDP or TCP.
        transport: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BindError {
    fn new(transport: &'static str, address: SocketAddr, source: io::Error) -> Self {
        // The standard library has no kind for it.
        if source.raw_os_error() == Some(libc::EAFNOSUPPORT) && address.is_ipv6() {
            return Self::NoIpv6 { address };
        }
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { transport, address },
            io::ErrorKind::PermissionDenied => Self::NoPermission { transport, address },
            io::ErrorKind::AddrNotAvailable => Self::NotHere { address },
            _ => Self::Other { transport, address, source },
        }
    }
}

/// Sockets that are bound and not yet read from.
pub struct Sockets {
    /// By worker; each has one for every address.
    udp: Vec<Vec<UdpSocket>>,
    tcp: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Sockets {
    /// Binds every address for UDP, once per worker, and for TCP. Port 0 takes any port, the same for both.
    ///
    /// # Errors
    /// The first address that can't be had.
    pub fn bind(listen: &[SocketAddr], workers: usize) -> Result<Self, BindError> {
        let mut sockets = Self {
            udp: (0..workers).map(|_| Vec::new()).collect(),
            tcp: Vec::new(),
            addresses: Vec::new(),
        };
        for address in listen {
            let udp = |error| BindError::new("UDP", *address, error);
            // Sockets that share a port would also share it with another program of the same user, who would then get
            // a part of the queries: one that doesn't share goes first.
            let address = bind_udp(*address, false).and_then(|it| it.local_addr()).map_err(udp)?;
            for worker in &mut sockets.udp {
                worker.push(bind_udp(address, true).map_err(udp)?);
            }
            let tcp = bind_tcp(address).map_err(|error| BindError::new("TCP", address, error))?;
            sockets.tcp.push(tcp);
            sockets.addresses.push(address);
        }
        Ok(sockets)
    }

    /// The addresses that were bound, with their real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The threads that will answer: UDP workers, then one for TCP. Counters and [`Live`] are made for so many.
    pub fn workers(udp: usize) -> usize {
        udp + 1
    }
}

fn bind_udp(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(shared)?;
    if shared {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.set_send_buffer_size(SEND_BUFFER)?;
    }
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    sys::prepare(&socket)?;
    Ok(socket)
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a former process that are still closing must not keep a new one from starting.
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What the server answers by and counts with.
#[derive(Clone)]
pub struct Context {
    /// The snapshot in force; made for [`Sockets::workers`].
    pub live: Arc<Live>,
    /// What is counted; made for as many.
    pub counters: Arc<DnsCounters>,
    /// What CHAOS questions are told.
    pub identity: Arc<Identity>,
    /// What TCP clients may take.
    pub tcp: TcpLimits,
}

impl Context {
    fn responder(&self, worker: Worker) -> Responder {
        let reader = Reader::new(self.live.clone(), worker);
        Responder::new(reader, self.counters.clone(), self.identity.clone())
    }
}

/// The threads that answer.
pub struct Server {
    threads: Vec<JoinHandle<()>>,
    /// Closing it tells the UDP workers to stop.
    running: PipeWriter,
    stop_tcp: CancellationToken,
}

impl Server {
    /// Starts to answer.
    ///
    /// # Errors
    /// When the operating system gives no thread or pipe.
    pub fn start(sockets: Sockets, context: &Context) -> io::Result<Self> {
        let (stop, running) = io::pipe()?;
        let stop_tcp = CancellationToken::new();
        let mut server = Self { threads: Vec::new(), running, stop_tcp: stop_tcp.clone() };
        let udp_workers = sockets.udp.len();
        for (number, sockets) in sockets.udp.into_iter().enumerate() {
            let (context, stop) = (context.clone(), stop.try_clone()?);
            let run = move || serve_udp(&sockets, &context, Worker(number), &stop);
            server
                .threads
                .push(thread::Builder::new().name(format!("dns-udp-{number}")).spawn(run)?);
        }
        let context = context.clone();
        let run = move || serve_tcp(sockets.tcp, &context, Worker(udp_workers), &stop_tcp);
        server.threads.push(thread::Builder::new().name("dns-tcp".to_owned()).spawn(run)?);
        Ok(server)
    }

    /// Answers what has come in already, then ends. Blocks for at most about a second.
    pub fn stop(self) {
        drop(self.running);
        self.stop_tcp.cancel();
        for thread in self.threads {
            // A panic in a worker has been counted and logged where it happened.
            let _ = thread.join();
        }
    }
}

fn serve_udp(sockets: &[UdpSocket], context: &Context, worker: Worker, stop: &PipeReader) {
    let name = format!("udp-{}", worker.0);
    supervised(
        &name,
        || context.counters.panicked(worker),
        || udp::serve(sockets, &mut context.responder(worker), stop.as_fd()),
    );
}

fn serve_tcp(
    listeners: Vec<TcpListener>,
    context: &Context,
    worker: Worker,
    stop: &CancellationToken,
) {
    let panicked = || context.counters.panicked(worker);
    supervised("tcp", panicked, || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listeners: io::Result<Vec<TcpListener>> =
            listeners.iter().map(TcpListener::try_clone).collect();
        let listeners = listeners?;
        let responder = context.responder(worker);
        let serve = async {
            let listeners: io::Result<Vec<_>> =
                listeners.into_iter().map(tokio::net::TcpListener::from_std).collect();
            tcp::serve(listeners?, responder, context.tcp, stop.clone(), panicked).await;
            Ok(())
        };
        tokio::task::LocalSet::new().block_on(&runtime, serve)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_ipv6_is_told_what_to_write() {
        let refused = io::Error::from_raw_os_error(libc::EAFNOSUPPORT);
        let told = BindError::new("UDP", "[::]:53".parse().unwrap(), refused).to_string();
        assert!(told.contains("has no IPv6"), "{told}");
        assert!(told.ends_with(r#"write `server.listen = ["0.0.0.0:53"]`"#), "{told}");
    }
}
