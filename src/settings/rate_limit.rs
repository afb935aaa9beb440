//! How many answers over UDP a network of clients may have.

use std::time::Duration;

use ipnet::IpNet;

use super::reader::{Section, text};
use super::tree::Node;
use crate::model::parse_network;

const MOST: usize = 10_000;
const WINDOW: Duration = Duration::from_secs(15);
const SLIP: u8 = 2;
/// What mostly belongs to one network: who forges an address can forge those around it.
const IPV4_PREFIX: u8 = 24;
const IPV6_PREFIX: u8 = 56;

/// How many answers over UDP a network of clients gets from each worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Answers by names that exist, referrals, and what wildcards and DNAMEs stand for, 1–1,000,000.
    pub responses_per_second: u32,
    /// Answers that names don't exist, 1–1,000,000.
    pub nxdomains_per_second: u32,
    /// Errors, and whatever else no zone answers, 1–1,000,000.
    pub errors_per_second: u32,
    /// How long a network that asks for too much gets nothing more after it has stopped, 1 s–1 h.
    pub window: Duration,
    /// One in so many limited answers is truncated rather than dropped; 0 is none; at most 10.
    pub slip: u8,
    /// The length of IPv4 networks, 1–32.
    pub ipv4_prefix: u8,
    /// The length of IPv6 networks, 1–128.
    pub ipv6_prefix: u8,
    /// Clients that are never limited.
    pub exempt: Box<[IpNet]>,
}

impl RateLimit {
    /// The table `rate_limit`; none where there is none.
    pub(super) fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.table("rate_limit")?;
        section.require("responses_per_second");
        let network = |node: &Node| match text(node).map(parse_network) {
            Some(Ok(network)) => Ok(network),
            Some(Err(error)) => Err(format!("{error}")),
            None => Err(String::new()),
        };
        let responses = section.integer("responses_per_second");
        let like_responses = |key| section.integer(key).or(responses);
        let (nxdomains, errors) =
            (like_responses("nxdomains_per_second"), like_responses("errors_per_second"));
        let exempt = section.list("exempt", MOST, network).unwrap_or_default();
        Some(Self {
            window: section.duration("window").unwrap_or(WINDOW),
            slip: section.integer("slip").unwrap_or(SLIP),
            ipv4_prefix: section.integer("ipv4_prefix").unwrap_or(IPV4_PREFIX),
            ipv6_prefix: section.integer("ipv6_prefix").unwrap_or(IPV6_PREFIX),
            exempt: exempt.into(),
            responses_per_second: responses?,
            nxdomains_per_second: nxdomains?,
            errors_per_second: errors?,
        })
    }
}
