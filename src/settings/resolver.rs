//! `[resolver]`: who is asked for the addresses of targets that are names.

use std::net::SocketAddr;
use std::time::Duration;

use super::monitor::ProbeAddress;
use super::reader::{Section, text};
use super::tree::Node;

const PORT: u16 = 53;
const MAX_SERVERS: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(2);

/// Who is asked for the addresses of targets that are names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// Recursive resolvers, each once; empty for the system's.
    pub servers: Vec<SocketAddr>,
    /// How long one question may take, 100 ms–30 s.
    pub timeout: Duration,
}

impl Resolver {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let server = |node: &Node| match text(node).map(ProbeAddress::parse) {
            Some(Ok(ProbeAddress { ip, port })) => Ok(SocketAddr::new(ip, port.unwrap_or(PORT))),
            Some(Err(why)) => Err(why),
            None => Err(""),
        };
        let mut servers: Vec<SocketAddr> = Vec::new();
        for server in section.list("servers", MAX_SERVERS, server).into_iter().flatten() {
            if servers.contains(&server) {
                section.wrong("servers", format!("{server} is in the list twice; remove one"));
            }
            servers.push(server);
        }
        Self { servers, timeout: section.duration("timeout").unwrap_or(TIMEOUT) }
    }
}
