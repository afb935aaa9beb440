//! What a reload changes outside control: where queries are answered and the API is served, how many probes may be under way,
//! and what systemd is told.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::sync::watch;

use super::certificate::{Audience, Shown};
use super::gauges::Certificates;
use super::systemd;
use crate::api::{self, BACKLOG, Serving};
use crate::control::Surroundings;
use crate::dns::{
    self, Addresses, CookieSecrets, Encryption, Identity, Policy, RateLimits, Server, Sockets,
    Steering, TcpLimits, TlsKeys,
};
use crate::metrics::DnsCounters;
use crate::model::TlsIdentity;
use crate::settings::{self, AdminTls, CookieSecret, Settings};
use crate::snapshot::Live;

/// The socket of the API.
#[derive(Clone)]
struct AdminSocket {
    /// As it was asked for; with port 0, any port was taken.
    wanted: SocketAddr,
    address: SocketAddr,
    listener: Arc<TcpListener>,
}

impl AdminSocket {
    /// Binds an address that nobody else has.
    fn bind(wanted: SocketAddr) -> anyhow::Result<Self> {
        let listener = listen(wanted, false).with_context(|| match wanted.port() {
            0 => format!("could not listen on {wanted} for the API"),
            _ => format!(
                "could not listen on TCP {wanted} for the API; stop what uses it, or set `admin.listen` to another address or port"
            ),
        })?;
        let address = listener.local_addr().context("the API's address is not known")?;
        Ok(Self { wanted, address, listener: Arc::new(listener) })
    }

    /// Binds the address that takes this one's place.
    fn move_to(&self, wanted: SocketAddr) -> anyhow::Result<Self> {
        let is_in_the_way = self.address.port() == wanted.port()
            && (self.address.ip().is_unspecified() || wanted.ip().is_unspecified());
        if !is_in_the_way {
            return Self::bind(wanted);
        }
        // Both listen for a moment, of which one takes the port on all addresses. They share it only while the second is bound,
        // and only with sockets of this user that share it too. No other Farol's does: one that starts never shares, and one
        // that has the port at another address is in the way.
        let own = SockRef::from(&*self.listener);
        own.set_reuse_port(true).context("the API's port can't be shared")?;
        let listener = listen(wanted, true);
        own.set_reuse_port(false).context("the API's port can't be kept from others")?;
        let listener = listener.with_context(|| format!("could not listen on TCP {wanted} for the API beside {}; stop what uses it, or set `admin.listen` to another port", self.address))?;
        Ok(Self { wanted, address: wanted, listener: Arc::new(listener) })
    }
}

/// Listens for TCP, `shared` with another socket until this returns.
fn listen(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a former process that are still closing must not keep a new one from starting.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_reuse_port(false)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What these settings say of answers. `own` signs cookies where they name no secret.
fn policy(settings: &Settings, own: CookieSecret) -> Policy {
    let server = &settings.server;
    Policy {
        identity: Identity { version: server.version.clone(), id: server.id.clone() },
        ecs_trusted: settings.ecs.trusted.clone(),
        cookie_secrets: CookieSecrets::new(&server.cookie_secrets, own),
        require_server_cookie: server.require_server_cookie,
        udp_size: server.udp_size,
        rate_limit: settings.rate_limit.as_ref().map(RateLimits::new),
    }
}

type ShownToDns = Shown<TlsIdentity, TlsKeys>;
type ShownToApi = Shown<AdminTls, api::TlsKeys>;

/// What a reload has made ready.
struct Prepared {
    sockets: Sockets,
    admin: AdminSocket,
    shown: ShownToDns,
    admin_shown: ShownToApi,
}

/// The sockets in use, and whom to tell of others.
pub(super) struct Listening {
    sockets: Sockets,
    steering: Steering,
    policy: Arc<ArcSwap<Policy>>,
    /// Made up at the start.
    cookie_secret: CookieSecret,
    admin: AdminSocket,
    serve_at: watch::Sender<Serving>,
    /// Tells how many probes may be under way, and who gets in.
    allow: Box<dyn Fn(&Settings) + Send>,
    shown: ShownToDns,
    admin_shown: ShownToApi,
    certificates: Certificates,
    prepared: Option<Prepared>,
}

/// Where the settings have DNS answered.
fn listens(server: &settings::Server) -> Addresses {
    let encrypted = &server.encrypted;
    Addresses {
        plain: server.listen.clone(),
        tls: encrypted.tls.clone(),
        https: encrypted.https.clone(),
        quic: encrypted.quic.clone(),
    }
}

fn encryption(server: &settings::Server, shown: &ShownToDns) -> Encryption {
    let (keys, https_path) = (shown.keys.clone(), server.encrypted.https_path.clone());
    Encryption { keys, https_path }
}

/// Opens the sockets; `allow` is told of the settings that come into force later. From now on queries are answered by `live`, and clients of the API wait for it to be served.
pub(super) fn open(
    settings: &Settings,
    live: Arc<Live>,
    counters: Arc<DnsCounters>,
    certificates: Certificates,
    allow: Box<dyn Fn(&Settings) + Send>,
) -> anyhow::Result<(Server, Listening)> {
    let server = &settings.server;
    let sockets = Sockets::bind(&listens(server), server.workers)?;
    let admin = AdminSocket::bind(settings.admin.listen)?;
    let tcp = TcpLimits { connections: server.tcp_max_connections, idle: server.tcp_idle_timeout };
    let nothing = ShownToDns::nothing(&Audience::DNS);
    let shown = nothing.next(server.encrypted.identity.as_ref(), TlsKeys::new);
    let shown = shown.map_err(anyhow::Error::msg)?;
    shown.tell(&nothing, &certificates.dns);
    let nothing = ShownToApi::nothing(&Audience::API);
    let admin_shown = nothing.next(settings.admin.tls.as_ref(), api::TlsKeys::new);
    let admin_shown = admin_shown.map_err(anyhow::Error::msg)?;
    admin_shown.tell(&nothing, &certificates.api);
    let encryption = encryption(server, &shown);
    let encrypted_connections = server.encrypted.max_connections;
    let mut cookie_secret = CookieSecret([0; 16]);
    let mut limiter_key = [0; 16];
    getrandom::fill(&mut cookie_secret.0)
        .and_then(|()| getrandom::fill(&mut limiter_key))
        .context("the operating system gives no random numbers")?;
    let policy = Arc::new(ArcSwap::from_pointee(policy(settings, cookie_secret)));
    let context = dns::Context {
        live,
        counters,
        policy: policy.clone(),
        limiter_key,
        tcp,
        encrypted_connections,
    };
    let server =
        Server::start(&sockets, &context, encryption).context("could not start the DNS workers")?;
    let listening = Listening {
        sockets,
        steering: server.steering(),
        policy,
        cookie_secret,
        serve_at: watch::Sender::new(serving(&admin, &admin_shown)),
        admin,
        allow,
        shown,
        admin_shown,
        certificates,
        prepared: None,
    };
    Ok((server, listening))
}

fn serving(admin: &AdminSocket, shown: &ShownToApi) -> Serving {
    Serving { listener: admin.listener.clone(), tls: shown.keys.clone() }
}

impl Listening {
    /// Where the API is to be served, now and after each reload.
    pub(super) fn serve_at(&self) -> watch::Receiver<Serving> {
        self.serve_at.subscribe()
    }

    /// Where queries are answered and the API is served, with real ports.
    pub(super) fn addresses(&self) -> (Addresses, SocketAddr) {
        (self.sockets.addresses(), self.admin.address)
    }

    /// One line on where queries are answered.
    pub(super) fn status(&self) -> String {
        let at = self.sockets.addresses();
        let others = [("TLS", &at.tls), ("HTTPS", &at.https), ("QUIC", &at.quic)];
        let others = others.into_iter().filter(|(_, list)| !list.is_empty());
        let others: String =
            others.map(|(name, list)| format!(", over {name} at {}", joined(list))).collect();
        let (dns, admin) = (joined(&at.plain), self.admin.address);
        let scheme = if self.admin_shown.keys.is_some() { "https" } else { "http" };
        format!("answering DNS at {dns}{others}; API and metrics at {scheme}://{admin}")
    }
}

/// Addresses as one text.
pub(super) fn joined(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Surroundings for Listening {
    fn begin(&mut self) {
        systemd::reloading();
    }

    fn prepare(&mut self, settings: &Settings) -> Result<(), String> {
        self.prepared = None;
        let sockets =
            self.sockets.rebind(&listens(&settings.server)).map_err(|it| it.to_string())?;
        let admin = if settings.admin.listen == self.admin.wanted {
            self.admin.clone()
        } else {
            self.admin.move_to(settings.admin.listen).map_err(|it| format!("{it:#}"))?
        };
        let identity = settings.server.encrypted.identity.as_ref();
        let shown = self.shown.next(identity, TlsKeys::new)?;
        let tls = settings.admin.tls.as_ref();
        let admin_shown = self.admin_shown.next(tls, api::TlsKeys::new)?;
        self.prepared = Some(Prepared { sockets, admin, shown, admin_shown });
        Ok(())
    }

    fn commit(&mut self, settings: &Settings) {
        let Some(prepared) = self.prepared.take() else { return };
        let Prepared { sockets, admin, shown, admin_shown } = prepared;
        let before = (self.addresses(), self.status());
        self.policy.store(Arc::new(policy(settings, self.cookie_secret)));
        (self.allow)(settings);
        let (server, encryption) = (&settings.server, encryption(&settings.server, &shown));
        self.steering.answer_at(&sockets, server.tcp_idle_timeout, encryption);
        shown.tell(&self.shown, &self.certificates.dns);
        self.shown = shown;
        self.sockets = sockets;
        admin_shown.tell(&self.admin_shown, &self.certificates.api);
        (self.admin, self.admin_shown) = (admin, admin_shown);
        self.serve_at.send_replace(serving(&self.admin, &self.admin_shown));
        if before != (self.addresses(), self.status()) {
            let (at, admin, status) = (self.sockets.addresses(), self.admin.address, self.status());
            let [dns, tls, https, quic] =
                [&at.plain, &at.tls, &at.https, &at.quic].map(|it| joined(it));
            tracing::info!(event = "listening", dns, tls, https, quic, %admin, "{status}");
        }
    }

    fn end(&mut self, taken: bool) {
        let refused = if taken { "" } else { "; the last reload was refused, look at the log" };
        systemd::ready(&(self.status() + refused));
    }
}
