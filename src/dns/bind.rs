//! Binds the sockets of listen addresses, and says what to do where that can't be had.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use super::sys;

/// Room for bursts while a worker is busy, in octets; the kernel may allow less.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Room for answers while the device is busy, in octets: what does not fit is dropped, since no worker waits.
const SEND_BUFFER: usize = 1 << 20;
/// TCP connections that may wait to be accepted.
pub(super) const BACKLOG: i32 = 1024;
/// How often any port is asked for until one is free for both UDP and TCP.
const ANY_PORT_TRIES: usize = 32;

/// A listen address that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has it.
    #[error(
        "{transport} {address} is in use by another program; stop that program, or set `server.{key}` to another address or port"
    )]
    InUse {
        /// The key of `[server]` that names the address.
        key: &'static str,
        /// UDP or TCP.
        transport: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Ports under 1024 need a privilege.
    #[error(
        "no permission to listen on {transport} {address}; run with CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities) or set `server.{key}` to a port from 1024 up"
    )]
    NoPermission {
        /// The key of `[server]` that names the address.
        key: &'static str,
        /// UDP or TCP.
        transport: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// This machine doesn't have the address.
    #[error("this machine has no address {address}; set `server.{key}` to one of its own")]
    NotHere {
        /// The key of `[server]` that names the address.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Its kernel was built or started without IPv6.
    #[error(
        "this machine has no IPv6, so {address} can't be had; write `server.{key} = [\"0.0.0.0:{}\"]`", .address.port()
    )]
    NoIpv6 {
        /// The key of `[server]` that names the address.
        key: &'static str,
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
    fn new(
        key: &'static str,
        transport: &'static str,
        address: SocketAddr,
        source: io::Error,
    ) -> Self {
        // The standard library has no kind for it.
        if source.raw_os_error() == Some(libc::EAFNOSUPPORT) && address.is_ipv6() {
            return Self::NoIpv6 { key, address };
        }
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { key, transport, address },
            io::ErrorKind::PermissionDenied => Self::NoPermission { key, transport, address },
            io::ErrorKind::AddrNotAvailable => Self::NotHere { key, address },
            _ => Self::Other { transport, address, source },
        }
    }
}

/// Where to listen, by what is spoken there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// DNS as it is, over UDP and TCP.
    pub plain: Vec<SocketAddr>,
    /// DNS over TLS.
    pub tls: Vec<SocketAddr>,
    /// DNS over HTTPS: HTTP/2 over TCP, HTTP/3 over UDP.
    pub https: Vec<SocketAddr>,
    /// DNS over QUIC.
    pub quic: Vec<SocketAddr>,
}

/// What is spoken at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Plain,
    Tls,
    Https,
    Quic,
}

impl Service {
    fn key(self) -> &'static str {
        match self {
            Self::Plain => "listen",
            Self::Tls => "listen_tls",
            Self::Https => "listen_https",
            Self::Quic => "listen_quic",
        }
    }

    fn is_over_tcp(self) -> bool {
        self != Self::Quic
    }

    fn is_over_udp(self) -> bool {
        self != Self::Tls
    }

    fn shares_with(self, other: Self) -> bool {
        self.is_over_tcp() && other.is_over_tcp() || self.is_over_udp() && other.is_over_udp()
    }
}

/// The sockets of the listen addresses. Clones are the same sockets; one is closed when nobody has it any more.
#[derive(Clone)]
pub struct Sockets {
    listens: Vec<Arc<Listen>>,
    workers: usize,
}

/// One listen address.
struct Listen {
    service: Service,
    /// As it was asked for; with port 0, any port was taken.
    wanted: SocketAddr,
    address: SocketAddr,
    /// By worker where DNS is spoken as it is; else one, or none.
    udp: Vec<Arc<UdpSocket>>,
    tcp: Option<Arc<TcpListener>>,
}

impl Sockets {
    /// Binds every address for UDP, once per worker, and for TCP, or for what else is spoken there. Port 0 takes any port, the
    /// same for both.
    ///
    /// # Errors
    /// The first address that can't be had.
    pub fn bind(listen: &Addresses, workers: usize) -> Result<Self, BindError> {
        Self { listens: Vec::new(), workers }.rebind(listen)
    }

    /// The sockets of these addresses: those that are here already stay as they are, the others are bound.
    ///
    /// # Errors
    /// The first address that can't be had.
    pub fn rebind(&self, listen: &Addresses) -> Result<Self, BindError> {
        let mut here = self.listens.clone();
        let mut listens = Vec::new();
        let services = [
            (Service::Plain, &listen.plain),
            (Service::Tls, &listen.tls),
            (Service::Https, &listen.https),
            (Service::Quic, &listen.quic),
        ];
        let all = services.iter().flat_map(|(service, list)| list.iter().map(|it| (*service, *it)));
        for (service, wanted) in all {
            let known = here.iter().position(|it| (it.service, it.wanted) == (service, wanted));
            listens.push(match known {
                Some(known) => here.swap_remove(known),
                None => Arc::new(self.bind_one(service, wanted)?),
            });
        }
        Ok(Self { listens, workers: self.workers })
    }

    fn bind_one(&self, service: Service, wanted: SocketAddr) -> Result<Listen, BindError> {
        let mut bound = Listen::bind(service, wanted, self);
        // A port that is free for UDP may be taken for TCP; where any will do, there are others.
        for _ in 1..ANY_PORT_TRIES {
            if wanted.port() != 0 || !matches!(bound, Err(BindError::InUse { .. })) {
                break;
            }
            bound = Listen::bind(service, wanted, self);
        }
        bound
    }

    /// The addresses that were bound, with their real ports.
    pub fn addresses(&self) -> Addresses {
        let of = |service| self.of(service).map(|it| it.address).collect();
        Addresses {
            plain: of(Service::Plain),
            tls: of(Service::Tls),
            https: of(Service::Https),
            quic: of(Service::Quic),
        }
    }

    fn of(&self, service: Service) -> impl Iterator<Item = &Arc<Listen>> {
        self.listens.iter().filter(move |it| it.service == service)
    }

    /// The threads that will answer: UDP workers, then one for TCP, and one for all that is encrypted. Counters and
    /// [`Live`](crate::snapshot::Live) are made for so many.
    pub fn workers(udp: usize) -> usize {
        udp + 2
    }

    pub(super) fn udp_workers(&self) -> usize {
        self.workers
    }

    /// What one worker answers at.
    pub(super) fn udp(&self, worker: usize) -> Vec<Arc<UdpSocket>> {
        self.of(Service::Plain).filter_map(|it| it.udp.get(worker).cloned()).collect()
    }

    /// Where datagrams of QUIC come in for this.
    pub(super) fn quic(&self, service: Service) -> Vec<Arc<UdpSocket>> {
        self.of(service).filter_map(|it| it.udp.first().cloned()).collect()
    }

    /// Where connections are accepted for this.
    pub(super) fn tcp(&self, service: Service) -> Vec<Arc<TcpListener>> {
        self.of(service).filter_map(|it| it.tcp.clone()).collect()
    }
}

impl Listen {
    fn bind(service: Service, wanted: SocketAddr, beside: &Sockets) -> Result<Self, BindError> {
        let udp = |error| BindError::new(service.key(), "UDP", wanted, error);
        let tcp = |error| BindError::new(service.key(), "TCP", wanted, error);
        // Sockets that share a port would also share it with another program of the same user, who would then get a part of
        // the queries: one that doesn't share goes first. It can't where we have the port ourselves, on all addresses or on one.
        let is_all = |it: SocketAddr| it.ip().is_unspecified();
        let same_kind = beside.listens.iter().filter(|it| it.service.shares_with(service));
        let ours = same_kind.map(|it| it.address).any(|it| {
            let same_port = it.port() == wanted.port() && it.is_ipv4() == wanted.is_ipv4();
            same_port && (is_all(it) || is_all(wanted))
        });
        let address = if ours {
            wanted
        } else {
            let mut address = wanted;
            if service.is_over_udp() {
                address = bind_udp(address, false).and_then(|it| it.local_addr()).map_err(udp)?;
            }
            if service.is_over_tcp() {
                address = bind_tcp(address, false).and_then(|it| it.local_addr()).map_err(tcp)?;
            }
            address
        };
        let sockets = match service {
            Service::Plain => beside.workers,
            Service::Tls => 0,
            Service::Https | Service::Quic => 1,
        };
        let sockets: io::Result<Vec<_>> =
            (0..sockets).map(|_| bind_udp(address, true).map(Arc::new)).collect();
        let listener = service.is_over_tcp().then(|| bind_tcp(address, true).map(Arc::new));
        let (udp, tcp) = (sockets.map_err(udp)?, listener.transpose().map_err(tcp)?);
        Ok(Self { service, wanted, address, udp, tcp })
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

fn bind_tcp(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a former process that are still closing must not keep a new one from starting.
    socket.set_reuse_address(true)?;
    // All addresses may take over from one of them, or the other way round, while both listen.
    socket.set_reuse_port(shared)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn plain(addresses: &[SocketAddr]) -> Addresses {
        Addresses { plain: addresses.to_vec(), ..Addresses::default() }
    }

    #[test]
    fn a_machine_without_ipv6_is_told_what_to_write() {
        let refused = io::Error::from_raw_os_error(libc::EAFNOSUPPORT);
        let told = BindError::new("listen", "UDP", "[::]:53".parse().unwrap(), refused).to_string();
        assert!(told.contains("has no IPv6"), "{told}");
        assert!(told.ends_with(r#"write `server.listen = ["0.0.0.0:53"]`"#), "{told}");
    }

    #[test]
    fn an_address_that_stays_keeps_its_sockets() {
        let before = Sockets::bind(&plain(&[ANY_PORT]), 2).unwrap();
        let after = before.rebind(&plain(&[ANY_PORT, ANY_PORT])).unwrap();
        assert!(Arc::ptr_eq(&before.listens[0], &after.listens[0]));
        assert_ne!(after.listens[0].address, after.listens[1].address);
        assert_eq!((after.udp(1).len(), after.tcp(Service::Plain).len()), (2, 2));
        assert!(after.rebind(&plain(&[])).unwrap().addresses().plain.is_empty());
    }

    #[test]
    fn all_addresses_take_over_from_one_and_give_it_back() {
        // Other programs may have the same port at another address of this machine.
        let taken_over = (0..100).find_map(|_| {
            let one = Sockets::bind(&plain(&[ANY_PORT]), 2).unwrap();
            let [address] = one.addresses().plain[..] else { panic!("one address") };
            let all = plain(&[(Ipv4Addr::UNSPECIFIED, address.port()).into()]);
            Some((address, one.rebind(&all).ok()?))
        });
        let (address, all) = taken_over.unwrap();
        assert_eq!(all.rebind(&plain(&[address])).unwrap().addresses().plain, [address]);
    }

    #[test]
    fn a_port_of_another_program_is_refused_even_if_it_would_share() {
        let udp = bind_udp(ANY_PORT, true).unwrap();
        let refused = Sockets::bind(&plain(&[udp.local_addr().unwrap()]), 1).err().unwrap();
        assert!(matches!(refused, BindError::InUse { transport: "UDP", .. }), "{refused}");
        let tcp = bind_tcp(ANY_PORT, true).unwrap();
        let refused = Sockets::bind(&plain(&[tcp.local_addr().unwrap()]), 1).err().unwrap();
        assert!(matches!(refused, BindError::InUse { transport: "TCP", .. }), "{refused}");
    }

    #[test]
    fn what_is_over_tcp_alone_shares_a_port_with_what_is_over_udp_alone() {
        let of = |tls: &[SocketAddr], quic: &[SocketAddr]| Addresses {
            tls: tls.to_vec(),
            quic: quic.to_vec(),
            ..Addresses::default()
        };
        let [address] = Sockets::bind(&of(&[ANY_PORT], &[]), 1).unwrap().addresses().tls[..] else {
            panic!("one address");
        };
        let both = Sockets::bind(&of(&[address], &[address]), 1).unwrap();
        assert_eq!((both.addresses().tls, both.addresses().quic), (vec![address], vec![address]));
        let (tcp, udp) = (both.tcp(Service::Tls).len(), both.tcp(Service::Quic).len());
        assert_eq!((tcp, udp, both.udp(0).len()), (1, 0, 0));
        let refused = Sockets::bind(&of(&[address], &[]), 1).err().unwrap().to_string();
        assert!(refused.contains("set `server.listen_tls` to another"), "{refused}");
    }
}
