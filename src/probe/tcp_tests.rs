use std::net::Ipv4Addr;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{advance, pause};

use super::super::testbed::{Server, TIMEOUT, assert_told, probe};
use crate::health::{Outcome, Phase};
use crate::model::Protocol;

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
