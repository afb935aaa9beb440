//! Which resolvers are believed when they name a client's network.

use ipnet::IpNet;

use super::reader::{Section, text};
use super::tree::{Node, Value};
use crate::model::parse_network;

const MOST: usize = 10_000;

/// The resolvers that are believed (RFC 7871).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ecs {
    /// Their networks; none means all resolvers.
    pub trusted: Option<Box<[IpNet]>>,
}

impl Ecs {
    pub(super) fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.table("ecs")?;
        let network = |node: &Node| match text(node).map(parse_network) {
            Some(Ok(network)) => Ok(network),
            Some(Err(error)) => Err(format!("{error}")),
            None => Err(String::new()),
        };
        // Nobody is a list too.
        let trusted = match section.find("trusted").map(|it| &it.value) {
            Some(Value::List(items)) if items.is_empty() => Some(Vec::new()),
            Some(_) => section.list("trusted", MOST, network),
            None => None,
        };
        Some(Self { trusted: trusted.map(Vec::into_boxed_slice) })
    }
}
