//! A profile's keys that say how it chooses.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::keys::AFFINITY;
use super::problem::{Log, Place, Problem};
use super::reader::{Section, text};
use super::tree::Value;
use crate::model::{Affinity, Endpoint, Failback, Geography, Method, Misfit, Profile};

const MAX_RETURN: u8 = 2;
const PREFIX4: u8 = 24;
const PREFIX6: u8 = 56;
/// The keys that mean something to one method only.
const OF_METHOD: [(&str, Method); 3] = [
    ("max_return", Method::Multivalue),
    ("failback", Method::Priority),
    ("geo_failover", Method::Geographic),
];

/// What a profile's keys say.
pub(super) struct Routing {
    pub(super) method: Option<Method>,
    pub(super) max_return: u8,
    pub(super) affinity: Option<Affinity>,
    pub(super) failback: Failback,
    pub(super) geo_failover: bool,
}

impl Routing {
    /// Reads them, and complains about those that the method has no use for, and those that it lacks.
    pub(super) fn read(section: &Section<'_>) -> Self {
        let methods = Method::ALL.map(|it| (it.label(), it));
        let failbacks = [Failback::Automatic, Failback::Manual].map(|it| (it.label(), it));
        let method = section.choose("method", &methods);
        for (key, of) in OF_METHOD {
            if let Some(method) = method.filter(|it| *it != of && section.find(key).is_some()) {
                let (own, of) = (method.label(), of.label());
                let message = format!(
                    "is of no use with method = \"{own}\", only with \"{of}\"; remove it, or write the other method"
                );
                section.wrong(key, message);
            }
        }
        if method == Some(Method::Geographic) {
            section.tables("endpoint").iter().for_each(|it| it.require("geo"));
        }
        if method == Some(Method::Multivalue) {
            check_addresses(&section.tables("endpoint"));
        }
        Self {
            method,
            max_return: section.integer("max_return").unwrap_or(MAX_RETURN),
            affinity: section.table_of("affinity", &AFFINITY).map(|it| Affinity {
                prefix4: it.integer("prefix4").unwrap_or(PREFIX4),
                prefix6: it.integer("prefix6").unwrap_or(PREFIX6),
            }),
            failback: section.choose("failback", &failbacks).unwrap_or(Failback::Automatic),
            geo_failover: section.boolean("geo_failover").unwrap_or(true),
        }
    }
}

/// Complains about addresses that two endpoints have, of which one answer may name several: no record is there twice (RFC 2181 5).
fn check_addresses(endpoints: &[Section<'_>]) {
    let mut owners: HashMap<IpAddr, &Place> = HashMap::new();
    for endpoint in endpoints {
        let Some(target) = endpoint.find("target") else { continue };
        let texts = match &target.value {
            Value::List(items) => items.iter().filter_map(text).collect(),
            _ => Vec::from_iter(text(target)),
        };
        let own: BTreeSet<IpAddr> = texts.iter().filter_map(|it| it.parse().ok()).collect();
        for address in own {
            if let Some(first) = owners.insert(address, &target.place) {
                endpoint.wrong("target", Misfit::Shared(address, format!("at {first}")));
            }
        }
    }
}

/// Seconds that answers may be kept, and the least of them while an endpoint is in doubt.
pub(super) fn ttls(section: &Section<'_>, default: u32) -> (u32, Option<u32>) {
    let ttl = section.integer("ttl").unwrap_or(default);
    let least = section.integer("ttl_min");
    if let Some(least) = least.filter(|it| *it > ttl) {
        let message = format!("`ttl_min` ({least}) must be at most `ttl` ({ttl})");
        section.wrong("ttl_min", message);
    }
    (ttl, least)
}

/// Warns of a method that can't tell any client from another, for want of what it goes by.
pub(super) fn warn_of_nothing_to_go_by(
    section: &Section<'_>,
    profile: &Profile,
    geography: &Geography,
    log: &Log,
) {
    let columns = geography.latencies.iter().next().map(|(_, _, row)| row.sites());
    let is_placed = |it: &Endpoint| {
        let site = it.site.as_ref();
        let has_column = || columns.zip(site).is_some_and(|(all, site)| all.contains(site));
        it.location.is_some()
            || site.is_some_and(|it| geography.sites.contains_key(it))
            || has_column()
    };
    let missing = match profile.method {
        Method::Performance if !profile.endpoints.iter().any(is_placed) => {
            "no endpoint has a location, nor a site with one or with a column of `geo.latency_table`; add `[site.location]`"
        }
        Method::Subnet if profile.endpoints.iter().all(|it| it.subnets.is_empty()) => {
            "no endpoint has `subnets`; add them"
        }
        _ => return,
    };
    let message = format!(
        "can't tell clients apart, and all endpoints share by weight: {missing}, or take method = \"weighted\""
    );
    log.warning(Problem::at(section.place_of("method"), section.key("method"), message));
}
