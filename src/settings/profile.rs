//! Profiles and their endpoints.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::anchors::AnchorFiles;
use super::clients::{Clients, check_overlaps, check_regions};
use super::keys::MONITOR;
use super::location::location;
use super::monitor::{Draft, ProbeAddress};
use super::nesting::child;
use super::problem::{Log, Place, nearest, twice};
use super::reader::{Section, ident, text};
use super::resolve::{Resolved, Resolver};
use super::routing::{Routing, ttls};
use super::secret::Secrets;
use super::targets::{self, Written, addresses, target};
use super::tree::{Node, Value};
use crate::model::{
    Discovered, Endpoint, FamilyRule, Guardrails, Ident, Name, ProbeHost, ProbeTarget, Profile,
    Target, WhenNoneHealthy,
};

const TTL: u32 = 30;
const WEIGHT: u16 = 1;
const CAPACITY: u32 = 1;

/// The table `guardrails` of a profile, or of all of them.
pub(super) fn guardrails(section: &Section<'_>) -> Guardrails {
    let Some(section) = section.table("guardrails") else { return Guardrails::default() };
    Guardrails {
        min_healthy_endpoints: section.integer("min_healthy_endpoints"),
        min_sites: section.integer("min_sites"),
        min_capacity: section.integer("min_capacity"),
        max_weight_step: section.integer("max_weight_step"),
    }
}

/// What profiles refer to.
pub(super) struct World<'a> {
    pub(super) log: &'a Log,
    pub(super) anchors: AnchorFiles<'a>,
    pub(super) secrets: Secrets<'a>,
    pub(super) resolver: Resolver<'a>,
    pub(super) sites: HashMap<Ident, Place>,
    /// For profiles that don't say otherwise.
    pub(super) guardrails: Guardrails,
    pub(super) monitors: HashMap<&'a str, Draft>,
    /// Whether all sites and monitors are known; a file that can't be parsed may have more.
    pub(super) complete: bool,
}

impl<'a> World<'a> {
    /// Reads one `[[profile]]`, which is in the zone of this name. None if anything in it is wrong.
    pub(super) fn profile(&self, section: &Section<'a>, zone: Option<&Name>) -> Option<Profile> {
        let errors = self.log.errors();
        section.require("name");
        section.require("method");
        let name: Option<Name> = section.parse("name", str::parse);
        let families = [FamilyRule::ByMethod, FamilyRule::Any].map(|it| (it.label(), it));
        let enabled = section.boolean("enabled").unwrap_or(true);
        let routing = Routing::read(section);
        let (ttl, ttl_min) = ttls(section, TTL);
        let family = section.choose("family", &families).unwrap_or(FamilyRule::ByMethod);
        let panic_threshold = section.integer("panic_threshold").unwrap_or(0);
        let when_none_healthy = self.when_none_healthy(section);
        let guardrails = guardrails(section).or(self.guardrails);
        let monitor = self.monitor(section);
        // Without a name there is no default host, but the endpoints can be looked at all the same.
        let host = name.clone().unwrap_or_else(Name::root);
        let endpoints = self.endpoints(
            section,
            &host,
            &Draft { broken: monitor.broken || name.is_none(), ..monitor },
            name.is_some() && name.as_ref() == zone,
        );
        if self.log.errors() > errors {
            return None;
        }
        Some(Profile {
            name: name?,
            enabled,
            method: routing.method?,
            ttl,
            ttl_min,
            family,
            max_return: routing.max_return,
            affinity: routing.affinity,
            failback: routing.failback,
            geo_failover: routing.geo_failover,
            when_none_healthy: when_none_healthy?,
            panic_threshold,
            guardrails,
            endpoints,
        })
    }

    fn when_none_healthy(&self, section: &Section<'a>) -> Option<WhenNoneHealthy> {
        let plain = [
            WhenNoneHealthy::ServeAll,
            WhenNoneHealthy::LastHealthy,
            WhenNoneHealthy::NoData,
            WhenNoneHealthy::ServFail,
        ];
        let fallback = addresses(section, "fallback");
        let word = section.find("when_none_healthy").and_then(text);
        if word == Some("fallback") {
            section.require("fallback");
            return fallback.map(WhenNoneHealthy::Fallback);
        }
        if section.find("fallback").is_some() {
            section.wrong(
                "fallback",
                "goes with when_none_healthy = \"fallback\"; write that too, or remove this",
            );
        }
        let find = |text: &str| plain.into_iter().find(|it| it.label() == text).ok_or("");
        match section.find("when_none_healthy") {
            Some(_) => section.parse("when_none_healthy", find),
            None => Some(WhenNoneHealthy::ServeAll),
        }
    }

    /// The profile's own monitor: one with a name, an inline one, or one of defaults alone.
    fn monitor(&self, section: &Section<'a>) -> Draft {
        let broken = || Draft { broken: true, ..Draft::default() };
        match section.find("monitor").map(|it| &it.value) {
            None => Draft::default(),
            Some(Value::Text(name)) => match self.monitors.get(name.as_str()) {
                Some(draft) => draft.clone(),
                None => {
                    if self.complete {
                        let names = self.monitors.keys().copied();
                        let how = format!("add a `[monitor.{}]`", name.escape_debug());
                        section.wrong("monitor", no_such("monitor", name, names, &how));
                    }
                    broken()
                }
            },
            Some(Value::Table(_)) => match section.table_of("monitor", &MONITOR) {
                Some(inline) => Draft::read(&inline, 0, &self.anchors, &self.secrets, self.log),
                None => broken(),
            },
            Some(_) => {
                section.read("monitor", |_, _| Err::<(), _>(""));
                broken()
            }
        }
    }

    fn endpoints(
        &self,
        profile: &Section<'a>,
        name: &Name,
        monitor: &Draft,
        is_apex: bool,
    ) -> Vec<Endpoint> {
        let sections = profile.tables("endpoint");
        if sections.is_empty()
            && !matches!(profile.find("endpoint"), Some(it) if !is_empty_list(it))
        {
            profile
                .wrong("endpoint", "write at least one `[[profile.endpoint]]` below the profile");
        }
        let mut names: HashMap<&str, &Place> = HashMap::new();
        for section in &sections {
            let Some(name) = section.find("name") else { continue };
            if let Some(first) = text(name).and_then(|it| names.insert(it, &name.place)) {
                section.wrong("name", twice(first));
            }
        }
        let clients: Vec<Clients<'_, 'a>> = sections.iter().map(Clients::read).collect();
        check_regions(&clients, self.log);
        check_overlaps(&clients, self.log);
        let flattens = profile.boolean("flatten").unwrap_or(false);
        targets::check(profile, &sections, name, is_apex);
        let shared = Shared { profile, name, monitor, flattens, resolved: OnceCell::new() };
        let endpoint =
            |(index, (section, clients))| self.endpoint(index, section, clients, &shared);
        sections.iter().zip(&clients).enumerate().filter_map(endpoint).collect()
    }

    fn endpoint(
        &self,
        index: usize,
        section: &Section<'a>,
        clients: &Clients<'_, 'a>,
        shared: &Shared<'_, 'a>,
    ) -> Option<Endpoint> {
        section.require("name");
        let is_discovered = section.boolean("discovered").unwrap_or(false);
        if section.find("profile").is_none() && !is_discovered {
            section.require("target");
        }
        let name = section.parse("name", ident);
        let site = section.parse("site", ident);
        if let Some(site) = site.as_ref().filter(|it| self.complete && !self.sites.contains_key(it))
        {
            let sites = self.sites.keys().map(Ident::as_str);
            section.wrong(
                "site",
                no_such("site", site.as_str(), sites, "add a `[[site]]` with this name"),
            );
        }
        let stands_for = self.stands_for(section, shared);
        let enabled = section.boolean("enabled").unwrap_or(true);
        let weight = section.integer("weight").unwrap_or(WEIGHT);
        let in_order = u16::try_from(index + 1).unwrap_or(u16::MAX);
        let priority = section.integer("priority").unwrap_or(in_order);
        let location = section.table("location").and_then(|it| location(&it));
        let capacity = section.integer("capacity").unwrap_or(CAPACITY);
        let slow_start = section.duration("slow_start").unwrap_or_default();
        let (target, probe) = stands_for?;
        Some(Endpoint {
            name: name?,
            site,
            target,
            enabled,
            weight,
            priority,
            geo: clients.geo(),
            subnets: clients.subnets(),
            location,
            capacity,
            slow_start,
            probe,
        })
    }

    /// What an endpoint is answered with, and what is probed for it.
    fn stands_for(
        &self,
        section: &Section<'a>,
        shared: &Shared<'_, 'a>,
    ) -> Option<(Target, ProbeTarget)> {
        let (child, written) = (child(section), target(section));
        if section.find("profile").is_some() {
            return Some((Target::Profile(child?), self.resolver.unprobed()));
        }
        let address = section.parse("address", ProbeAddress::parse);
        let resolved = self.endpoint_monitor(section, shared)?;
        if !resolved.kind.has_address() && address.is_some() {
            let kind = resolved.kind.label();
            let message = format!("is of no use with protocol = \"{kind}\"; remove it");
            section.wrong("address", message);
        }
        let written = match section.boolean("discovered") {
            Some(true) => Written::Discovered,
            _ => written?,
        };
        let probe = self.probe(section, &resolved, address, &written)?;
        let target = match written {
            Written::Addresses(addresses) => Target::Addresses(addresses),
            Written::Discovered => {
                let is_elsewhere = address.or(resolved.address).is_some();
                let port = port(&resolved).filter(|_| !is_elsewhere);
                Target::Discovered(Discovered { port })
            }
            Written::Name(name) if shared.flattens => Target::Resolved(name),
            Written::Name(name) => Target::Name(name),
        };
        Some((target, probe))
    }

    /// The profile's monitor, which is worked out once, or one of this endpoint's own.
    fn endpoint_monitor(&self, section: &Section<'a>, shared: &Shared<'_, 'a>) -> Option<Resolved> {
        match section.find("monitor").map(|it| &it.value) {
            None => {
                let resolve = || self.resolver.resolve(shared.monitor, shared.profile, shared.name);
                shared.resolved.get_or_init(resolve).clone()
            }
            Some(Value::Table(_)) => {
                let inline = section.table_of("monitor", &MONITOR)?;
                let draft = Draft::read(&inline, 1, &self.anchors, &self.secrets, self.log);
                let draft = draft.over(shared.monitor);
                self.resolver.resolve(&draft, section, shared.name)
            }
            Some(_) => section.read("monitor", |_, _| Err("")),
        }
    }

    fn probe(
        &self,
        section: &Section<'a>,
        resolved: &Resolved,
        address: Option<ProbeAddress>,
        target: &Written,
    ) -> Option<ProbeTarget> {
        let port = port(resolved);
        let socket = |it: ProbeAddress| Some(SocketAddr::new(it.ip, it.port.or(port)?));
        let mut host = None;
        let addresses: Option<Arc<[SocketAddr]>> = match (address.or(resolved.address), target) {
            (Some(elsewhere), _) => socket(elsewhere).map(|it| [it].into()),
            (None, Written::Addresses(target)) => {
                let addresses = target.iter().map(|ip| socket(ProbeAddress { ip, port: None }));
                addresses.collect::<Option<Vec<_>>>().map(in_order)
            }
            (None, Written::Discovered) => port.map(|_| [].into()),
            (None, Written::Name(name)) => port.map(|port| {
                host = Some(Arc::new(ProbeHost { name: name.clone(), port }));
                [].into()
            }),
        };
        if addresses.is_none() {
            section.wrong(
                "monitor.port",
                format!(
                    "is missing; write the port to probe, {} has no usual one",
                    resolved.kind.label()
                ),
            );
        }
        let source = resolved.monitor.source;
        if let Some(address) =
            addresses.iter().flat_map(|it| it.iter()).find(|it| !source.suit(it.ip()))
        {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            section.wrong(
                "monitor.source",
                format!(
                    "has no {family} address to probe {address} from; add one of this machine's"
                ),
            );
            return None;
        }
        Some(ProbeTarget { addresses: addresses?, host, monitor: resolved.monitor.clone() })
    }
}

/// The port that is probed. Where none is needed, none is port 0.
fn port(resolved: &Resolved) -> Option<u16> {
    resolved.port.or((!resolved.kind.needs_port()).then_some(0))
}

/// Addresses in an order of their own, so that endpoints share their probes in whatever order theirs are written.
fn in_order(mut addresses: Vec<SocketAddr>) -> Arc<[SocketAddr]> {
    addresses.sort_unstable();
    addresses.into()
}

/// What the endpoints of one profile have in common.
struct Shared<'s, 'a> {
    profile: &'s Section<'a>,
    name: &'s Name,
    monitor: &'s Draft,
    /// Whether names are answered with their addresses.
    flattens: bool,
    resolved: OnceCell<Option<Resolved>>,
}

fn is_empty_list(node: &Node) -> bool {
    matches!(&node.value, Value::List(items) if items.is_empty())
}

pub(super) fn no_such<'n>(
    what: &str,
    name: &str,
    names: impl Iterator<Item = &'n str>,
    how: &str,
) -> String {
    match nearest(name, names) {
        Some(near) => format!("no such {what}; did you mean \"{near}\"?"),
        None => format!("no such {what}; {how}, or name another"),
    }
}
