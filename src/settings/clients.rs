//! Which clients an endpoint is for: `geo` and `subnets`, and what holds of them between the endpoints of a profile.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use super::problem::{Log, Place, Problem, twice};
use super::reader::{Section, text};
use super::tree::Node;
use crate::model::{GeoCode, Subnet};

/// All countries, with as many subdivisions as anybody tells apart.
const MAX_GEO: usize = 1024;
const MAX_SUBNETS: usize = 10_000;

/// What one endpoint says of its clients, but for what is wrong.
pub(super) struct Clients<'s, 'a> {
    section: &'s Section<'a>,
    geo: Vec<(GeoCode, &'a Node)>,
    subnets: Vec<(Subnet, &'a Node)>,
}

impl<'s, 'a> Clients<'s, 'a> {
    pub(super) fn read(section: &'s Section<'a>) -> Self {
        Self {
            section,
            geo: section.right("geo", MAX_GEO, parse),
            subnets: section.right("subnets", MAX_SUBNETS, parse),
        }
    }

    pub(super) fn geo(&self) -> Box<[GeoCode]> {
        self.geo.iter().map(|it| it.0).collect()
    }

    pub(super) fn subnets(&self) -> Box<[Subnet]> {
        self.subnets.iter().map(|it| it.0).collect()
    }

    fn complain(&self, key: &str, node: &Node, message: String, log: &Log) {
        log.error(Problem::at(&node.place, self.section.key(key), message).found(node.shown()));
    }
}

/// A text that is one, with the node that says where it stands.
fn parse<T>(node: &Node) -> Result<(T, &Node), String>
where
    T: FromStr<Err: Display>,
{
    let text = text(node).ok_or_else(String::new)?;
    text.parse().map(|it| (it, node)).map_err(|it: T::Err| it.to_string())
}

/// Complains about every region that is given to two endpoints, or to one twice.
pub(super) fn check_regions(endpoints: &[Clients<'_, '_>], log: &Log) {
    let mut owners: HashMap<GeoCode, (usize, &Place)> = HashMap::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        for (code, node) in &endpoint.geo {
            let Some((owner, first)) = owners.get(code) else {
                owners.insert(*code, (index, &node.place));
                continue;
            };
            let message = match endpoints.get(*owner) {
                Some(other) if *owner != index => format!(
                    "is given to {} already, at {first}; a region has one endpoint, so keep one of them",
                    other.section.path
                ),
                _ => twice(first),
            };
            endpoint.complain("geo", node, message, log);
        }
    }
}

/// Complains about every range in `subnets` that overlaps another one, of the same endpoint or another.
pub(super) fn check_overlaps(endpoints: &[Clients<'_, '_>], log: &Log) {
    let of = |(index, endpoint)| Range::of(index, endpoint);
    let mut ranges: Vec<Range<'_>> = endpoints.iter().enumerate().flat_map(of).collect();
    // Equal ranges stay in the order of writing.
    ranges.sort_by_key(|it| it.subnet);
    let mut widest: Option<Range<'_>> = None;
    for range in ranges {
        let Some(before) = widest.replace(range) else { continue };
        if before.subnet.overlaps(range.subnet) {
            let (first, second) =
                if before.written < range.written { (before, range) } else { (range, before) };
            let Some(endpoint) = endpoints.get(second.written.0) else { continue };
            let owner = match endpoints.get(first.written.0) {
                Some(other) if first.written.0 != second.written.0 => {
                    format!(" of {}", other.section.path)
                }
                _ => String::new(),
            };
            let (other, place) = (first.subnet, &first.node.place);
            let message = format!(
                "overlaps \"{other}\"{owner}, at {place}; an address has one endpoint, so change one of them"
            );
            endpoint.complain("subnets", second.node, message, log);
        }
        if before.subnet.last() > range.subnet.last() {
            widest = Some(before);
        }
    }
}

/// One item of `subnets`.
#[derive(Clone, Copy)]
struct Range<'a> {
    subnet: Subnet,
    /// Numbers of the endpoint and of the item.
    written: (usize, usize),
    node: &'a Node,
}

impl<'a> Range<'a> {
    fn of<'c>(
        index: usize,
        endpoint: &'c Clients<'_, 'a>,
    ) -> impl Iterator<Item = Self> + use<'a, 'c> {
        let range = move |(item, (subnet, node)): (usize, &(Subnet, &'a Node))| Self {
            subnet: *subnet,
            written: (index, item),
            node,
        };
        endpoint.subnets.iter().enumerate().map(range)
    }
}
