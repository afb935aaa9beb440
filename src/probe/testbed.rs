//! Servers on this machine for the tests of probes, good and bad.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use h2::RecvStream;
use h2::server::SendResponse;
use hyper::body::Bytes;
use prometheus::Registry;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::attempt::Network;
use super::line::End;
use super::scheduler::{Scheduler, World};
use super::{ProbeHandle, VerdictChange};
use crate::clock::Clock;
use crate::health::{Outcome, Phase, PhaseTimes, ProbeResult};
use crate::metrics::ProbeMetrics;
use crate::model::{
    BodyCheck, ExpectedBody, Flap, HttpCheck, HttpMethod, Monitor, ProbeTarget, Protocol, Sources,
    TlsCheck, TlsIdentity, TrustAnchors,
};

/// So long that no machine is too slow for it; tests that want it to run out move the clock.
pub(super) const TIMEOUT: Duration = Duration::from_secs(4000);

/// A server on a free port, until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    _accepting: JoinSet<()>,
}

impl Server {
    /// Does the same with every connection.
    pub(super) async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream));
            }
        });
        Self { address, _accepting: accepting }
    }
}

/// Answers every request of an HTTP/2 connection with `answer`.
pub(super) async fn serve_http2<S, F>(
    stream: S,
    answer: impl Fn(hyper::Request<RecvStream>, SendResponse<Bytes>) -> F,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()> + Send + 'static,
{
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut answers = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        answers.spawn(answer(request, respond));
    }
}

/// What is expected in so many octets of a body.
pub(super) fn body(expected: &str, limit: usize) -> Option<BodyCheck> {
    Some(BodyCheck { expected: ExpectedBody::parse(expected).unwrap(), limit })
}

/// A network without packets: the function plays every probe of an address.
struct Played<F>(F);

impl<F, P> World for Played<F>
where
    F: Fn(SocketAddr) -> P + Send + Sync + 'static,
    P: Future<Output = Outcome> + Send,
{
    async fn hold(&self, _: &ProbeTarget) -> End {
        std::future::pending().await
    }

    async fn probe(&self, target: &ProbeTarget, _: Duration) -> ProbeResult {
        let outcome = self.0(target.addresses[0]).await;
        ProbeResult {
            at: Clock::time_of_day(),
            outcome,
            phase: Phase::Connect,
            elapsed: Duration::ZERO,
            phases: PhaseTimes::default(),
            reason: (outcome != Outcome::Passed).then(|| "connect: played".into()),
            refused: false,
            certificate_expires: None,
        }
    }
}

/// Runs the scheduler itself over probes that a function plays.
pub(crate) fn play<P: Future<Output = Outcome> + Send>(
    probe: impl Fn(SocketAddr) -> P + Send + Sync + 'static,
    changes: mpsc::Sender<VerdictChange>,
    stop: CancellationToken,
) -> (impl Future<Output = ()>, ProbeHandle) {
    let metrics = ProbeMetrics::register(&Registry::new()).unwrap();
    let (clock, handle) = (Clock::start(), ProbeHandle::default());
    let most = watch::channel(usize::MAX).1;
    let scheduler = Scheduler::new(Played(probe), clock, metrics, changes, most, handle.clone());
    (scheduler.run(stop), handle)
}

/// Reads up to the end of the request's head; as far as the client lets it.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => head.push(char::from(octet)),
            Err(_) => break,
        }
    }
    head
}

pub(super) fn http_check(host: &str) -> HttpCheck {
    HttpCheck {
        method: HttpMethod::Get,
        host: host.into(),
        path: "/healthz".into(),
        headers: Vec::new(),
        expected_status: vec![200..=200],
        body: None,
    }
}

pub(super) fn monitor(protocol: Protocol) -> Monitor {
    Monitor {
        protocol,
        source: Sources::default(),
        interval: Duration::from_secs(10),
        timeout: TIMEOUT,
        fast_interval: Duration::from_secs(3),
        tolerated_failures: 3,
        required_successes: 2,
        watch_connection: false,
        flap: Flap { count: 0, window: TIMEOUT, hold_down: TIMEOUT, max: TIMEOUT },
    }
}

pub(super) fn target(addresses: &[SocketAddr], protocol: Protocol) -> ProbeTarget {
    ProbeTarget { addresses: addresses.into(), host: None, monitor: Arc::new(monitor(protocol)) }
}

/// Probes once; the reason says how it went.
pub(super) async fn probe(addresses: &[SocketAddr], protocol: Protocol) -> ProbeResult {
    Network::default().probe(&target(addresses, protocol), Duration::ZERO).await
}

#[track_caller]
pub(super) fn assert_told(result: &ProbeResult, outcome: Outcome, reason: Option<&str>) {
    assert_eq!((result.outcome, result.reason.as_deref()), (outcome, reason), "{result:?}");
}

/// An authority that signs servers' certificates.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Authorities of different names: with equal ones, a stranger's signature would be called bad instead of unknown.
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A check that trusts this authority alone.
    pub(super) fn trusted(&self) -> TlsCheck {
        let certificates = Arc::new([Box::from(self.0.der().as_ref())]);
        TlsCheck {
            verify: true,
            anchors: Some(TrustAnchors { file: "/etc/farol/ca.pem".into(), certificates }),
            identity: None,
            min_days_left: 0,
        }
    }

    /// A server's TLS with a certificate for `names`, valid from one New Year's Day to another.
    pub(super) fn server(&self, names: &[&str], years: (i32, i32)) -> Arc<ServerConfig> {
        self.server_for(names, years, None)
    }

    /// The same, for clients alone whose certificate is from an authority.
    pub(super) fn server_for(
        &self,
        names: &[&str],
        years: (i32, i32),
        clients: Option<&Self>,
    ) -> Arc<ServerConfig> {
        let (certificate, key) = self.signed(names, years);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    /// What a client shows of itself.
    pub(super) fn identity(&self) -> TlsIdentity {
        let (certificate, key) = self.signed(&["probe.example"], (2020, 2999));
        TlsIdentity {
            file: "/etc/farol/probe.pem".into(),
            certificates: Arc::new([Box::from(certificate.der().as_ref())]),
            key: key.serialize_der().into(),
        }
    }

    fn signed(&self, names: &[&str], years: (i32, i32)) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<_> = names.iter().map(|&it| it.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}
