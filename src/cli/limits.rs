//! What the operating system lets the daemon open, and how it is divided.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::api::CONNECTIONS;
use crate::settings::{Probe, Server};

/// Descriptors for everything but probes and DNS: logs, state, the API.
const RESERVED_FILES: u64 = 128 + CONNECTIONS as u64;
/// Sockets that probes have in any case.
const FEWEST_PROBES: u64 = 64;

/// How many sockets probes may have open: what the process may open at all, less what the rest needs.
pub(super) fn probe_connections(server: &Server) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }).is_err()
    {
        tracing::warn!(event = "file_limit", "the limit of open files could not be raised");
    }
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let reserved =
        RESERVED_FILES + server.tcp_max_connections as u64 + encrypted(server) + sockets(server);
    let needed = reserved + FEWEST_PROBES;
    if now < needed {
        tracing::warn!(
            event = "file_limit",
            limit = now,
            needed,
            "the limit of open files is {now}, and TCP clients, probes and the rest may need {needed}; raise it (LimitNOFILE=), or lower server.tcp_max_connections"
        );
    }
    let left = now.saturating_sub(reserved).max(FEWEST_PROBES);
    usize::try_from(left).unwrap_or(usize::MAX).min(tokio::sync::Semaphore::MAX_PERMITS)
}

/// How many of these sockets probes may have by the settings; says so when the settings allow more.
pub(super) fn probes_allowed(probe: &Probe, connections: usize) -> usize {
    let wanted = probe.max_concurrent.unwrap_or(connections);
    if wanted > connections {
        tracing::warn!(
            event = "probe_limit_lowered",
            wanted,
            most = connections,
            "probe.max_concurrent_probes is {wanted}, but the limit of open files leaves {connections} for probes, and that is in force; raise it (LimitNOFILE=)"
        );
    }
    wanted.min(connections)
}

/// The descriptors of DNS itself, while a reload has both old and new ones open: a socket for each worker and address, two for
/// TCP at each address, each worker's pipe, and the sockets of what is encrypted.
fn sockets(server: &Server) -> u64 {
    let (addresses, workers) = (server.listen.len() as u64, server.workers as u64);
    let encrypted = &server.encrypted;
    let encrypted = encrypted.tls.len() + encrypted.https.len() + encrypted.quic.len();
    // Of the latter, those for HTTPS have two sockets, each open twice.
    2 * addresses * (workers + 2) + 2 * workers + 2 * 4 * encrypted as u64
}

/// The connections over TLS, HTTPS and QUIC, where there are any.
fn encrypted(server: &Server) -> u64 {
    if server.encrypted.is_on() { server.encrypted.max_connections as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_lower_the_limit_and_never_raise_it() {
        for (max_concurrent, allowed) in [(None, 64), (Some(7), 7), (Some(64), 64), (Some(65), 64)]
        {
            assert_eq!(probes_allowed(&Probe { max_concurrent }, 64), allowed);
        }
    }
}
