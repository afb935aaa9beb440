//! The way of one probe of one address: which phases it goes through, by protocol.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio_rustls::client::TlsStream;

use super::exec::Programs;
use super::reason::Failure;
use super::trail::Trail;
use super::wire::Wire;
use super::{exec, grpc, http, http1, http2, tcp, tls};
use crate::health::Phase;
use crate::model::{HttpCheck, Monitor, Protocol};

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Goes through the phases of a probe, leaving a trail. `tls` is there for protocols that speak it.
pub(super) async fn walk(
    address: SocketAddr,
    monitor: &Monitor,
    tls: Option<Arc<ClientConfig>>,
    programs: &Arc<Programs>,
    trail: &mut Trail,
) -> Result<(), Failure> {
    if let Protocol::Exec(check) = &monitor.protocol {
        trail.phase = Phase::Exec;
        exec::run(check, address, programs, trail).await?;
        trail.complete();
        return Ok(());
    }
    let source = monitor.source.of(address.ip());
    let stream = tcp::connect(address, source).await?;
    let wire = |body: usize| Wire::new(stream, body);
    let body = |check: &HttpCheck| check.body.as_ref().map_or(0, |it| it.limit);
    match &monitor.protocol {
        Protocol::Http(check) => {
            trail.enter(Phase::FirstByte);
            let request = http::request(check, address, HTTP_PORT)?;
            http1::ask(wire(body(check)), request, check, trail).await?;
        }
        Protocol::Https(check, _) => {
            let stream = shake(wire(body(check)), &check.host, tls, trail).await?;
            trail.enter(Phase::FirstByte);
            let request = http::request(check, address, HTTPS_PORT)?;
            if speaks_http2(&stream) {
                http2::ask(stream, request, check, trail).await?;
            } else {
                http1::ask(stream, request, check, trail).await?;
            }
        }
        Protocol::Tls(host, _) => {
            shake(wire(0), host, tls, trail).await?;
        }
        Protocol::Grpc(check) if check.tls.is_some() => {
            let stream = shake(wire(grpc::MOST_OCTETS), &check.host, tls, trail).await?;
            if !speaks_http2(&stream) {
                return Err(Failure::endpoint("server doesn't offer HTTP/2 (ALPN)"));
            }
            trail.enter(Phase::FirstByte);
            grpc::ask(stream, address, check, trail).await?;
        }
        Protocol::Grpc(check) => {
            trail.enter(Phase::FirstByte);
            grpc::ask(wire(grpc::MOST_OCTETS), address, check, trail).await?;
        }
        Protocol::Tcp | Protocol::Exec(_) | Protocol::Push(_) | Protocol::None => {}
    }
    trail.complete();
    Ok(())
}

async fn shake(
    stream: Wire,
    host: &str,
    config: Option<Arc<ClientConfig>>,
    trail: &mut Trail,
) -> Result<TlsStream<Wire>, Failure> {
    let missing = || Failure::Machine("TLS is not set up".to_owned());
    trail.enter(Phase::Tls);
    tls::handshake(stream, host, config.ok_or_else(missing)?, trail).await
}

fn speaks_http2(stream: &TlsStream<Wire>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}
