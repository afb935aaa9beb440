//! A profile's keys that say how it chooses.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::keys::AFFINITY;
use super::problem::Place;
use super::reader::{Section, text};
use super::tree::Value;
use crate::model::{Affinity, Failback, Method, Misfit};

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
