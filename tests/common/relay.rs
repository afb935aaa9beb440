//! A relay between a prober and a site that delays what it carries, and stalls.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::{PATIENCE, loopback};

/// Takes connections until it is dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    passed: Arc<AtomicUsize>,
    listener: TcpListener,
}

impl Relay {
    /// After each connection that it carries to the site, with a delay, it takes so many and says nothing. One that stalls
    /// without end does so from the start.
    pub(crate) fn start(site: SocketAddr, delay: Duration, stalls: usize) -> Self {
        let listener = TcpListener::bind((loopback(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let passed = Arc::new(AtomicUsize::new(0));
        let (accepting, count) = (listener.try_clone().unwrap(), passed.clone());
        thread::spawn(move || {
            let mut stalled = Vec::new();
            let mut left = if stalls == usize::MAX { stalls } else { 0 };
            while let Ok((stream, _)) = accepting.accept() {
                if left > 0 {
                    stalled.push(stream);
                    left -= 1;
                    continue;
                }
                left = stalls;
                let count = count.clone();
                thread::spawn(move || {
                    if carry(stream, site, delay).is_ok() {
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { address, passed, listener }
    }

    /// The connections whose answer it carried back.
    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = SockRef::from(&self.listener).shutdown(std::net::Shutdown::Both);
    }
}

/// Carries a request to the site at once, and its answer back when the delay is over.
fn carry(mut client: TcpStream, site: SocketAddr, delay: Duration) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut server = TcpStream::connect(site)?;
    let mut request = vec![0; 4096];
    let length = client.read(&mut request)?;
    server.write_all(&request[..length])?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    thread::sleep(delay);
    client.write_all(&answer)
}
