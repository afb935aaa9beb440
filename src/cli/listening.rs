//! What a reload changes outside control: where queries are answered and the API is served, how many probes may be under way,
//! and what systemd is told.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::systemd;
use crate::control::Surroundings;
use crate::dns::{self, Identity, Server, Sockets, Steering, TcpLimits};
use crate::metrics::DnsCounters;
use crate::settings::{self, Settings};
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
    /// Whether both can't listen at the same time, of which one takes the port on all addresses.
    fn is_in_the_way_of(&self, wanted: SocketAddr) -> bool {
        self.address.port() == wanted.port()
            && (self.address.ip().is_unspecified() || wanted.ip().is_unspecified())
    }

    fn bind(wanted: SocketAddr) -> anyhow::Result<Self> {
        let failed = || match wanted.port() {
            0 => format!("could not listen on {wanted} for the API"),
            _ => format!(
                "could not listen on TCP {wanted} for the API; stop what uses it, or set `admin.listen` to another address or port"
            ),
        };
        let listener = TcpListener::bind(wanted).with_context(failed)?;
        listener.set_nonblocking(true).with_context(failed)?;
        let address = listener.local_addr().with_context(failed)?;
        Ok(Self { wanted, address, listener: Arc::new(listener) })
    }
}

/// What CHAOS questions are told by these settings.
fn identity(server: &settings::Server) -> Identity {
    Identity { version: server.version.clone(), id: server.id.clone() }
}

/// The sockets in use, and whom to tell of others.
pub(super) struct Listening {
    sockets: Sockets,
    steering: Steering,
    identity: Arc<ArcSwap<Identity>>,
    admin: AdminSocket,
    serve_at: watch::Sender<Arc<TcpListener>>,
    /// Tells how many probes may be under way.
    allow: Box<dyn Fn(&Settings) + Send>,
    prepared: Option<(Sockets, AdminSocket)>,
}

/// Opens the sockets; `allow` is told of the settings that come into force later. From now on queries are answered by `live`, and clients of the API wait for it to be served.
pub(super) fn open(
    settings: &Settings,
    live: Arc<Live>,
    counters: Arc<DnsCounters>,
    allow: Box<dyn Fn(&Settings) + Send>,
) -> anyhow::Result<(Server, Listening)> {
    let server = &settings.server;
    let sockets = Sockets::bind(&server.listen, server.workers)?;
    let admin = AdminSocket::bind(settings.admin.listen)?;
    let tcp = TcpLimits { connections: server.tcp_max_connections, idle: server.tcp_idle_timeout };
    let identity = Arc::new(ArcSwap::from_pointee(identity(server)));
    let context = dns::Context { live, counters, identity: identity.clone(), tcp };
    let server = Server::start(&sockets, &context).context("could not start the DNS workers")?;
    let listening = Listening {
        sockets,
        steering: server.steering(),
        identity,
        serve_at: watch::Sender::new(admin.listener.clone()),
        admin,
        allow,
        prepared: None,
    };
    Ok((server, listening))
}

impl Listening {
    /// Where the API is to be served, now and after each reload.
    pub(super) fn serve_at(&self) -> watch::Receiver<Arc<TcpListener>> {
        self.serve_at.subscribe()
    }

    /// Where queries are answered and the API is served, with real ports.
    pub(super) fn addresses(&self) -> (Vec<SocketAddr>, SocketAddr) {
        (self.sockets.addresses(), self.admin.address)
    }

    /// One line on where queries are answered.
    pub(super) fn status(&self) -> String {
        format!("answering DNS at {}; API and metrics at http://{}", self.dns(), self.admin.address)
    }

    /// Where queries are answered, with real ports.
    pub(super) fn dns(&self) -> String {
        let dns: Vec<String> = self.sockets.addresses().iter().map(ToString::to_string).collect();
        dns.join(", ")
    }
}

impl Surroundings for Listening {
    fn begin(&mut self) {
        systemd::reloading();
    }

    fn prepare(&mut self, settings: &Settings) -> Result<(), String> {
        self.prepared = None;
        let sockets = self.sockets.rebind(&settings.server.listen).map_err(|it| it.to_string())?;
        let admin = if settings.admin.listen == self.admin.wanted {
            self.admin.clone()
        } else {
            let wanted = settings.admin.listen;
            AdminSocket::bind(wanted).map_err(|it| match self.admin.is_in_the_way_of(wanted) {
                true => format!("{it:#}: Farol itself has this port; restart to move"),
                false => format!("{it:#}"),
            })?
        };
        self.prepared = Some((sockets, admin));
        Ok(())
    }

    fn commit(&mut self, settings: &Settings) {
        let Some((sockets, admin)) = self.prepared.take() else { return };
        let before = self.addresses();
        self.identity.store(Arc::new(identity(&settings.server)));
        (self.allow)(settings);
        self.steering.answer_at(&sockets, settings.server.tcp_idle_timeout);
        self.sockets = sockets;
        if admin.wanted != self.admin.wanted {
            self.serve_at.send_replace(admin.listener.clone());
            self.admin = admin;
        }
        if before != self.addresses() {
            let (dns, admin, status) = (self.dns(), self.admin.address, self.status());
            tracing::info!(event = "listening", dns, %admin, "{status}");
        }
    }

    fn end(&mut self, taken: bool) {
        let refused = if taken { "" } else { "; the last reload was refused, look at the log" };
        systemd::ready(&(self.status() + refused));
    }
}
