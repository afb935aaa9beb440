//! A site's ingress, played by a thread.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

use super::loopback;

/// Answers HTTP requests with status 200, for as long as it stands.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    answered: Arc<AtomicUsize>,
    silent: Arc<AtomicBool>,
    standing: Option<(TcpListener, JoinHandle<()>)>,
}

impl Site {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((loopback(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let mut site =
            Self { address, answered: Arc::default(), silent: Arc::default(), standing: None };
        site.serve(listener);
        site
    }

    fn serve(&mut self, listener: TcpListener) {
        let (answered, silent) = (self.answered.clone(), self.silent.clone());
        let accepting = listener.try_clone().unwrap();
        let thread = std::thread::spawn(move || {
            let mut waiting = Vec::new();
            while let Ok((stream, _)) = accepting.accept() {
                if silent.load(Ordering::SeqCst) {
                    waiting.push(stream);
                } else if answer(stream).is_some() {
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        self.standing = Some((listener, thread));
    }

    /// Connections are refused from now on.
    pub(crate) fn kill(&mut self) {
        if let Some((listener, thread)) = self.standing.take() {
            SockRef::from(&listener).shutdown(std::net::Shutdown::Both).unwrap();
            drop(listener);
            thread.join().unwrap();
        }
    }

    /// Connections are accepted from now on, but nothing is said.
    pub(crate) fn hang(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// Stands and answers again.
    pub(crate) fn revive(&mut self) {
        self.kill();
        self.silent.store(false, Ordering::SeqCst);
        self.answered.store(0, Ordering::SeqCst);
        self.serve(TcpListener::bind(self.address).unwrap());
    }

    /// The requests that it answered since it stands.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

fn answer(mut stream: TcpStream) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).ok()?;
        head.push(octet[0]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()
}
