//! Starts and stops the threads that answer, and tells them where to.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::bind::{Service, Sockets};
use super::encrypted::{self, Encryption};
use super::post::Post;
use super::responder::{Limiting, Policy, Responder};
use super::supervise::supervised;
use super::tcp::{self, Orders};
use super::{TcpLimits, udp};
use crate::metrics::DnsCounters;
use crate::snapshot::{Live, Reader, Worker};

/// What the server answers by and counts with.
#[derive(Clone)]
pub struct Context {
    /// The snapshot in force; made for [`Sockets::workers`].
    pub live: Arc<Live>,
    /// What is counted; made for as many.
    pub counters: Arc<DnsCounters>,
    /// What CHAOS questions are told; may be swapped at any time.
    pub policy: Arc<ArcSwap<Policy>>,
    /// Random and secret: nobody can foresee which networks share a place in the tables for rate limiting.
    pub limiter_key: [u8; 16],
    /// What TCP clients may take.
    pub tcp: TcpLimits,
    /// How many connections there may be over TLS, HTTPS and QUIC.
    pub encrypted_connections: usize,
}

impl Context {
    fn responder(&self, worker: Worker) -> Responder {
        let reader = Reader::new(self.live.clone(), worker);
        Responder::new(reader, self.counters.clone(), self.policy.clone())
    }
}

/// The threads that answer.
pub struct Server {
    threads: Vec<JoinHandle<()>>,
    steering: Steering,
    stop_streams: CancellationToken,
}

/// Changes where and how a running server answers. Cheap to clone.
#[derive(Clone)]
pub struct Steering {
    posts: Arc<[Post]>,
    tcp: watch::Sender<Orders>,
    encrypted: watch::Sender<encrypted::Orders>,
}

impl Steering {
    /// Has the server answer at these sockets, which were bound for as many workers, and give connections so long. Sockets
    /// that were there before are not touched. What has come in at the others is still answered, then they are closed.
    pub fn answer_at(&self, sockets: &Sockets, idle: Duration, encryption: Encryption) {
        for (worker, post) in self.posts.iter().enumerate() {
            post.answer_at(sockets.udp(worker));
        }
        self.tcp.send_replace(Orders { listeners: sockets.tcp(Service::Plain), idle });
        self.encrypted.send_replace(encrypted::Orders::new(sockets, encryption, idle));
    }
}

impl Server {
    /// Starts to answer.
    ///
    /// # Errors
    /// When the operating system gives no thread or pipe.
    pub fn start(sockets: &Sockets, context: &Context, encryption: Encryption) -> io::Result<Self> {
        let workers = sockets.udp_workers();
        let posts: io::Result<Arc<[Post]>> =
            (0..workers).map(|worker| Post::new(sockets.udp(worker))).collect();
        let idle = context.tcp.idle;
        let tcp = Orders { listeners: sockets.tcp(Service::Plain), idle };
        let encrypted = encrypted::Orders::new(sockets, encryption, idle);
        let (tcp, encrypted) = (watch::Sender::new(tcp), watch::Sender::new(encrypted));
        let steering = Steering { posts: posts?, tcp, encrypted };
        let stop = CancellationToken::new();
        let mut server = Self { threads: Vec::new(), steering, stop_streams: stop.clone() };
        for number in 0..workers {
            let (context, posts) = (context.clone(), server.steering.posts.clone());
            let run = move || serve_udp(&posts, &context, number);
            server
                .threads
                .push(thread::Builder::new().name(format!("dns-udp-{number}")).spawn(run)?);
        }
        let (of_tcp, orders) = (context.clone(), server.steering.tcp.subscribe());
        let until = stop.clone();
        let run = move || serve_tcp(&orders, &of_tcp, Worker(workers), &until);
        server.threads.push(thread::Builder::new().name("dns-tcp".to_owned()).spawn(run)?);
        let (context, orders) = (context.clone(), server.steering.encrypted.subscribe());
        let run = move || serve_encrypted(&orders, &context, Worker(workers + 1), &stop);
        server.threads.push(thread::Builder::new().name("dns-encrypted".to_owned()).spawn(run)?);
        Ok(server)
    }

    /// What changes where it answers.
    pub fn steering(&self) -> Steering {
        self.steering.clone()
    }

    /// Answers what has come in already, then ends. Blocks for at most about a second.
    pub fn stop(self) {
        self.steering.posts.iter().for_each(Post::stop);
        self.stop_streams.cancel();
        for thread in self.threads {
            // A panic in a worker has been counted and logged where it happened.
            let _ = thread.join();
        }
    }
}

fn serve_udp(posts: &[Post], context: &Context, number: usize) {
    let (Some(post), worker) = (posts.get(number), Worker(number)) else { return };
    let name = format!("udp-{number}");
    supervised(
        &name,
        || context.counters.panicked(worker),
        || {
            let limiting = Limiting::new(context.limiter_key);
            udp::serve(post, &mut context.responder(worker).limiting(limiting))
        },
    );
}

fn serve_tcp(
    orders: &watch::Receiver<Orders>,
    context: &Context,
    worker: Worker,
    stop: &CancellationToken,
) {
    let panicked = || context.counters.panicked(worker);
    supervised("tcp", panicked, || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (responder, orders) = (context.responder(worker), orders.clone());
        let serve = tcp::serve(orders, responder, context.tcp.connections, stop.clone(), panicked);
        tokio::task::LocalSet::new().block_on(&runtime, serve)
    });
}

fn serve_encrypted(
    orders: &watch::Receiver<encrypted::Orders>,
    context: &Context,
    worker: Worker,
    stop: &CancellationToken,
) {
    let panicked = || context.counters.panicked(worker);
    supervised("encrypted", panicked, || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (responder, orders) = (context.responder(worker), orders.clone());
        let most = context.encrypted_connections;
        let serve = encrypted::serve(orders, responder, most, stop.clone(), panicked);
        tokio::task::LocalSet::new().block_on(&runtime, serve)
    });
}
