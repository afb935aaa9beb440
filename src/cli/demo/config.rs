//! The demo's configuration: the sample file, with the ports that are free here.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;

use anyhow::Context;

use crate::settings::load_text;

const SAMPLE: &str = include_str!("../../../config/demo.toml");
const DNS_PORT: u16 = 5353;
const API_PORT: u16 = 8053;
/// Where the sites listen, if they can.
pub(super) const SITE_PORT: u16 = 8443;
/// The authority's certificate, beside the configuration.
pub(super) const CA_FILE: &str = "ca.pem";

/// What must run on this machine for the sample to make sense.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Each site's address.
    pub(super) sites: BTreeMap<String, IpAddr>,
    /// The names that clients, and probes, ask the sites for.
    pub(super) hosts: Vec<String>,
}

impl Plan {
    pub(super) fn read() -> anyhow::Result<Self> {
        let settings = load_text(Path::new("demo.toml"), SAMPLE)
            .map_err(|problems| anyhow::anyhow!("{problems}"))?;
        let profiles = &settings.model.profiles;
        let endpoints = profiles.iter().flat_map(|it| it.endpoints.iter());
        let sites = endpoints
            .filter_map(|it| Some((it.site.as_ref()?.to_string(), it.addresses().iter().next()?)))
            .collect();
        let host = |name: String| name.trim_end_matches('.').to_owned();
        Ok(Self { sites, hosts: profiles.iter().map(|it| host(it.name.to_string())).collect() })
    }
}

/// The sample with other ports (0: the system chooses), and with the authority that signed the sites' certificates. The
/// state's directory stands beside the file, since relative paths do.
pub(super) fn adapt(site: u16, dns: u16, api: u16) -> anyhow::Result<String> {
    let text = replace(SAMPLE, &format!("127.0.0.1:{DNS_PORT}"), &format!("127.0.0.1:{dns}"))?;
    let text = replace(&text, &format!("127.0.0.1:{API_PORT}"), &format!("127.0.0.1:{api}"))?;
    let monitor = format!("port = {site}\ntls = {{ ca_file = \"{CA_FILE}\" }}\n");
    replace(&text, &format!("port = {SITE_PORT}\n"), &monitor)
}

/// Replaces what is there exactly once: anything else means that the sample was changed, and this file was not.
fn replace(text: &str, from: &str, to: &str) -> anyhow::Result<String> {
    let (before, after) = text
        .split_once(from)
        .filter(|(_, after)| !after.contains(from))
        .with_context(|| format!("the demo's sample must have `{}` once", from.trim_end()))?;
    Ok([before, to, after].concat())
}

/// The usual port for DNS, or 0 when something has it. The daemon's own sockets could share it with another daemon of
/// the same user (SO_REUSEPORT), and then each would get half of the queries; these can't.
pub(super) fn free_dns_port() -> u16 {
    let address = (Ipv4Addr::LOCALHOST, DNS_PORT);
    let is_free = UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok();
    if is_free { DNS_PORT } else { 0 }
}

/// The usual port for the API, or 0 when something has it.
pub(super) fn free_api_port() -> u16 {
    let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, API_PORT)).is_ok();
    if is_free { API_PORT } else { 0 }
}

/// A line for every port that is not the usual one.
pub(super) fn ports_that_changed(dns: u16, api: u16, site: u16) -> Vec<String> {
    let ports =
        [("DNS", DNS_PORT, dns), ("the API", API_PORT, api), ("the sites", SITE_PORT, site)];
    let changed = ports.into_iter().filter(|(_, usual, used)| usual != used);
    changed
        .map(|(what, usual, used)| {
            format!("Port {usual} for {what} is taken; the demo uses {used} instead.")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_what_the_sample_says() {
        let plan = Plan::read().unwrap();
        let sites: Vec<String> = plan.sites.iter().map(|(it, ip)| format!("{it} {ip}")).collect();
        assert_eq!(sites, ["dublin 127.0.0.13", "orlando 127.0.0.12", "seattle 127.0.0.11"]);
        assert_eq!(plan.hosts, ["app.gtm.example", "www.gtm.example"]);
    }

    #[test]
    fn the_adapted_sample_is_right_and_without_warnings() {
        let directory = tempfile::tempdir().unwrap();
        let key = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        std::fs::write(directory.path().join(CA_FILE), key.cert.pem()).unwrap();
        let text = adapt(1443, 1053, 0).unwrap();
        let settings = load_text(&directory.path().join("demo.toml"), &text).unwrap();
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
        assert_eq!(settings.server.listen, ["127.0.0.1:1053".parse().unwrap()]);
        assert_eq!(settings.admin.listen.port(), 0);
        assert_eq!(settings.state.dir.parent(), Some(directory.path()));
        let probe = &settings.model.profiles[0].endpoints[0].probe;
        assert_eq!(probe.addresses[0].to_string(), "127.0.0.11:1443");
    }

    #[test]
    fn what_is_replaced_is_there_once() {
        assert_eq!(replace("a b c", "b", "d").unwrap(), "a d c");
        assert!(replace("a c", "b", "d").is_err() && replace("b b", "b", "d").is_err());
    }
}
