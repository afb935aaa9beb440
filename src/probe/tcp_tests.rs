use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{advance, pause};

use super::super::attempt::Network;
use super::super::reason::Failure;
use super::super::scheduler::World;
use super::super::testbed::{Server, TIMEOUT, assert_told, monitor, probe};
use super::{bind, unopened};
use crate::health::{Outcome, Phase, ProbeResult};
use crate::model::{Monitor, ProbeTarget, Protocol, Sources};

/// A port that is taken, so that no other test gets it, but where nobody listens.
fn closed_port() -> (TcpSocket, std::net::SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn an_open_port_passes() {
    let server = Server::start(|_| async {}).await;
    let result = probe(&[server.address], Protocol::Tcp).await;
    assert_told(&result, Outcome::Passed, None);
    assert_eq!(result.phase, Phase::Connect);
    assert!(result.phases.connect.is_some() && result.phases.tls.is_none());
}

#[tokio::test]
async fn a_probe_closes_its_connection() {
    let (closed, mut seen) = mpsc::channel(1);
    let server = Server::start(move |mut stream| {
        let closed = closed.clone();
        async move {
            let read = stream.read(&mut [0]).await;
            closed.send(read.map_err(|error| error.kind())).await.unwrap();
        }
    })
    .await;
    probe(&[server.address], Protocol::Tcp).await;
    assert_eq!(seen.recv().await, Some(Ok(0)), "in the normal way, without a reset");
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let (_socket, closed) = closed_port();
    let result = probe(&[closed], Protocol::Tcp).await;
    assert_told(&result, Outcome::Failed, Some("connect: refused"));
    assert_eq!(result.phases.connect, None, "a phase that failed has no time");
}

#[tokio::test]
async fn of_several_addresses_the_failing_one_is_named() {
    let server = Server::start(|_| async {}).await;
    let (_socket, closed) = closed_port();
    let both = probe(&[server.address, server.address], Protocol::Tcp).await;
    assert_told(&both, Outcome::Passed, None);
    let one = probe(&[server.address, closed], Protocol::Tcp).await;
    assert_told(&one, Outcome::Failed, Some(&format!("{closed}: connect: refused")));
}

/// A listener whose queue is full, so that the kernel drops further attempts; with what fills it.
async fn deaf_port() -> (TcpListener, Vec<TcpStream>) {
    let (socket, address) = closed_port();
    let listener = socket.listen(0).unwrap();
    let first = TcpStream::connect(address).await.unwrap();
    (listener, vec![first])
}

#[tokio::test]
async fn a_connection_that_nobody_takes_times_out() {
    let (listener, _queued) = deaf_port().await;
    let address = listener.local_addr().unwrap();
    pause();
    let addresses = [address];
    let (result, ()) = tokio::join!(probe(&addresses, Protocol::Tcp), advance(TIMEOUT));
    assert_told(&result, Outcome::Failed, Some("connect: timed out after 4000 s"));
    assert!(result.elapsed >= TIMEOUT);
}

async fn probe_from(source: Ipv4Addr, address: std::net::SocketAddr) -> ProbeResult {
    let source = Sources { v4: Some(source), v6: None };
    let monitor = Arc::new(Monitor { source, ..monitor(Protocol::Tcp) });
    let target = ProbeTarget { addresses: [address].into(), host: None, monitor };
    Network::default().probe(&target, Duration::ZERO).await
}

#[tokio::test]
async fn probes_come_from_their_source() {
    let (peers, mut seen) = mpsc::channel(1);
    let server = Server::start(move |stream| {
        let peers = peers.clone();
        async move { peers.send(stream.peer_addr().unwrap().ip()).await.unwrap() }
    })
    .await;
    // All of 127.0.0.0/8 is this machine's.
    let source = Ipv4Addr::new(127, 0, 0, 77);
    assert_told(&probe_from(source, server.address).await, Outcome::Passed, None);
    assert_eq!(seen.recv().await, Some(IpAddr::V4(source)));
}

#[tokio::test]
async fn a_source_that_this_machine_lacks_is_our_fault() {
    let server = Server::start(|_| async {}).await;
    let result = probe_from(Ipv4Addr::new(192, 0, 2, 1), server.address).await;
    let told = "connect: this machine has no address 192.0.2.1; give it one, or change `source`";
    assert_told(&result, Outcome::Void, Some(told));
}

#[test]
fn a_source_that_leads_nowhere_is_our_fault() {
    let (source, address) =
        (Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), "192.0.2.1:80".parse().unwrap());
    let error = |code| io::Error::from_raw_os_error(code);
    let told = "192.0.2.1 can't be reached from 127.0.0.1; change `source`";
    assert_eq!(unopened(source, address, &error(libc::EINVAL)), Failure::Machine(told.to_owned()));
    let refused = Failure::endpoint("refused");
    assert_eq!(unopened(source, address, &error(libc::ECONNREFUSED)), refused);
    let invalid = unopened(None, address, &error(libc::EINVAL));
    assert!(matches!(invalid, Failure::Endpoint(_)), "{invalid:?}");
}

#[tokio::test]
async fn a_bound_socket_takes_no_port_before_its_connection() {
    for (socket, source) in [
        (TcpSocket::new_v4().unwrap(), IpAddr::V4(Ipv4Addr::LOCALHOST)),
        (TcpSocket::new_v6().unwrap(), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)),
    ] {
        bind(&socket, source).unwrap();
        assert_eq!(socket.local_addr().unwrap().port(), 0, "{source}");
    }
}
