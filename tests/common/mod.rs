//! What the end-to-end tests share: the daemon as a process, sites that it probes, clients, and other people's programs.
//! Everything has addresses and directories of its own, so that tests run side by side, and ends with its test.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "every test crate uses a part, and what tests share may panic like tests"
)]

pub(crate) mod answering;
pub(crate) mod authority;
pub(crate) mod charts;
pub(crate) mod cli;
pub(crate) mod daemon;
pub(crate) mod dns;
pub(crate) mod fleet;
pub(crate) mod http;
pub(crate) mod kubernetes;
pub(crate) mod mmdb;
pub(crate) mod naive;
pub(crate) mod namespace;
pub(crate) mod program;
pub(crate) mod quic;
pub(crate) mod random;
pub(crate) mod relay;
pub(crate) mod servers;
pub(crate) mod site;
pub(crate) mod tls;
pub(crate) mod zones;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take that has no promise of its own: long enough for the most loaded of machines.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A loopback address that nobody else uses: not this process's other tests, nor other test processes.
pub(crate) fn loopback() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(next != u8::MAX, "a process has 254 loopback addresses");
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 16 + high % 224, low, next).into()
}

/// A TCP port on a loopback address of its own, for a program that can't choose its port by itself.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((loopback(), 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// Asks again and again until there is something. What other processes do can only be seen by looking.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "in {PATIENCE:?} there was no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks again and again until something holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// Asks again and again until a look shows what is expected; tells what it showed last.
#[track_caller]
pub(crate) fn wait_to_see<T: PartialEq + std::fmt::Debug>(
    expected: &T,
    mut look: impl FnMut() -> T,
) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look();
        if seen == *expected {
            return;
        }
        assert!(Instant::now() < deadline, "after {PATIENCE:?} still {seen:?}, not {expected:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
