//! Starts and stops the threads that answer, and tells them where to.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::bind::Sockets;
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
    stop_tcp: CancellationToken,
}

/// Changes where and how a running server answers. Cheap to clone.
#[derive(Clone)]
pub struct Steering {
    posts: Arc<[Post]>,
    tcp: watch::Sender<Orders>,
}

impl Steering {
    /// Has the server answer at these sockets, which were bound for as many workers, and give TCP clients so long. Sockets
    /// that were there before are not touched. What has come in at the others is still answered, then they are closed.
    pub fn answer_at(&self, sockets: &Sockets, tcp_idle: Duration) {
        for (worker, post) in self.posts.iter().enumerate() {
            post.answer_at(sockets.udp(worker));
        }
        self.tcp.send_replace(Orders { listeners: sockets.tcp(), idle: tcp_idle });
    }
}

impl Server {
    /// Starts to answer.
    ///
    /// # Errors
    /// When the operating system gives no thread or pipe.
    pub fn start(sockets: &Sockets, context: &Context) -> io::Result<Self> {
        let workers = sockets.udp_workers();
        let posts: io::Result<Arc<[Post]>> =
            (0..workers).map(|worker| Post::new(sockets.udp(worker))).collect();
        let orders = Orders { listeners: sockets.tcp(), idle: context.tcp.idle };
        let steering = Steering { posts: posts?, tcp: watch::Sender::new(orders) };
        let stop_tcp = CancellationToken::new();
        let mut server = Self { threads: Vec::new(), steering, stop_tcp: stop_tcp.clone() };
        for number in 0..workers {
            let (context, posts) = (context.clone(), server.steering.posts.clone());
            let run = move || serve_udp(&posts, &context, number);
            server
                .threads
                .push(thread::Builder::new().name(format!("dns-udp-{number}")).spawn(run)?);
        }
        let (context, orders) = (context.clone(), server.steering.tcp.subscribe());
        let run = move || serve_tcp(&orders, &context, Worker(workers), &stop_tcp);
        server.threads.push(thread::Builder::new().name("dns-tcp".to_owned()).spawn(run)?);
        Ok(server)
    }

    /// What changes where it answers.
    pub fn steering(&self) -> Steering {
        self.steering.clone()
    }

    /// Answers what has come in already, then ends. Blocks for at most about a second.
    pub fn stop(self) {
        self.steering.posts.iter().for_each(Post::stop);
        self.stop_tcp.cancel();
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
