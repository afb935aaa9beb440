//! An idle connection to each address of an endpoint, beside its probes. It says nothing of the endpoint's health: its end
//! only tells that now is the time to probe.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::tcp;
use crate::model::{Moment, Sources};

/// A connection that lasts for so long is idle as it should be, however it ends.
const STEADY: Duration = Duration::from_secs(30);
/// The longest time without a connection to a server that keeps ending them.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// What a server may say to a client that says nothing, a greeting say.
const MOST_OCTETS: usize = 64 * 1024;

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It could not be made, or the server talks without end.
    NotHeld,
    /// The other side ended it, or the network did.
    Lost,
}

/// The connection of a target.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The task that holds it.
    pub(super) held: Option<AbortHandle>,
    /// Where it leads, or led when it was last held.
    pub(super) addresses: Arc<[SocketAddr]>,
    /// Whether the next probe is to follow the one under way at once.
    pub(super) is_urgent: bool,
    /// Whether the last one was lost, and no probe has passed since.
    pub(super) is_lost: bool,
    since: Moment,
    not_before: Moment,
    wait: Duration,
}

impl Line {
    /// Whether a connection may be made now that a probe has passed.
    pub(super) fn is_wanted(&self, now: Moment) -> bool {
        self.held.is_none() && now >= self.not_before
    }

    pub(super) fn begin(&mut self, task: AbortHandle, addresses: Arc<[SocketAddr]>, now: Moment) {
        (self.held, self.addresses, self.since) = (Some(task), addresses, now);
    }

    /// A probe has failed after its loss: that told the truth, and the next connection need not wait.
    pub(super) fn was_right(&mut self) {
        (self.wait, self.not_before) = (Duration::ZERO, Moment::default());
    }

    /// It has ended. Servers that end idle connections early are connected to less and less often.
    pub(super) fn end(&mut self, end: End, interval: Duration, now: Moment) {
        let is_steady = end == End::Lost && now.since(self.since) >= STEADY;
        self.wait = if is_steady { Duration::ZERO } else { self.wait * 2 };
        self.wait = self.wait.clamp(interval, LONGEST_WAIT.max(interval));
        (self.held, self.not_before) = (None, now + self.wait);
        self.is_lost = end == End::Lost;
    }
}

/// Connects to all addresses and waits until one of the connections is no more.
pub(super) async fn hold(addresses: &[SocketAddr], sources: Sources, patience: Duration) -> End {
    let mut streams = Vec::with_capacity(addresses.len());
    for address in addresses {
        match timeout(patience, tcp::connect(*address, sources.of(address.ip()))).await {
            Ok(Ok(stream)) => streams.push(stream),
            Ok(Err(_)) | Err(_) => return End::NotHeld,
        }
    }
    let mut lines: JoinSet<End> = streams.into_iter().map(listen).collect();
    match lines.join_next().await {
        Some(Ok(end)) => end,
        Some(Err(_)) | None => End::NotHeld,
    }
}

/// Listens to a connection until its end.
async fn listen(mut stream: TcpStream) -> End {
    let (mut piece, mut heard) = ([0; 512], 0);
    while heard < MOST_OCTETS {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return End::Lost,
            Ok(count) => heard += count,
        }
    }
    End::NotHeld
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::testbed::Server;
    use tokio::io::AsyncWriteExt;
    use tokio::time::sleep;

    const SECOND: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_secs(4000);

    #[test]
    fn servers_that_end_connections_early_are_left_alone_longer_and_longer() {
        let (mut line, mut now) = (Line::default(), Moment::default());
        let mut lived = |lived: u32, end| {
            line.since = now;
            now = now + SECOND * lived;
            line.end(end, SECOND, now);
            line.not_before.since(now).as_secs()
        };
        let waits: Vec<u64> = (0..10).map(|_| lived(1, End::Lost)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        // A server that ends idle connections after a minute is connected to again at once.
        assert_eq!([lived(60, End::Lost), lived(60, End::Lost)], [1, 1]);
        assert_eq!([lived(1, End::NotHeld), lived(60, End::NotHeld)], [2, 4]);
        assert!(!line.is_lost);
        line.was_right();
        assert!(line.is_wanted(now));
        line.end(End::Lost, 600 * SECOND, now);
        assert_eq!(line.not_before.since(now), 600 * SECOND, "never faster than probes");
    }

    #[tokio::test]
    async fn a_connection_is_lost_when_the_server_ends_it() {
        let polite = Server::start(|mut stream| async move {
            stream.write_all(b"220 welcome\r\n").await.unwrap();
        });
        let polite = polite.await;
        let address = polite.address;
        assert_eq!(hold(&[address], Sources::default(), LONG).await, End::Lost);
        let reset = Server::start(|stream| async move { stream.set_zero_linger().unwrap() });
        let reset = reset.await;
        assert_eq!(hold(&[reset.address], Sources::default(), LONG).await, End::Lost);
        let silent = Server::start(|stream| async move {
            sleep(LONG).await;
            drop(stream);
        });
        let silent = silent.await;
        assert_eq!(
            hold(&[silent.address, address], Sources::default(), LONG).await,
            End::Lost,
            "one of two"
        );
    }

    #[tokio::test]
    async fn what_is_no_idle_connection_is_not_held() {
        let loud = Server::start(|mut stream| async move {
            while stream.write_all(&[b'a'; 4096]).await.is_ok() {}
        });
        let loud = loud.await;
        assert_eq!(hold(&[loud.address], Sources::default(), LONG).await, End::NotHeld);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(hold(&[free], Sources::default(), LONG).await, End::NotHeld);
    }
}
