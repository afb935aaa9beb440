//! Which clients an endpoint is for: `geo` and `subnets`, and what holds of them between the endpoints of a profile.

use std::cmp::Reverse;
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

/// Complains about every range in `subnets` that equals another one, or has a part in common with it and each a part of its
/// own, of the same endpoint or another.
pub(super) fn check_overlaps(endpoints: &[Clients<'_, '_>], log: &Log) {
    let of = |(index, endpoint)| Range::of(index, endpoint);
    let mut ranges: Vec<Range<'_>> = endpoints.iter().enumerate().flat_map(of).collect();
    // A range comes after all that it lies in, and equal ones stay in the order of writing.
    ranges.sort_by_key(|it| (it.subnet.first(), Reverse(it.subnet.last())));
    let mut around: Vec<Range<'_>> = Vec::new();
    for range in ranges {
        while around.pop_if(|it| it.subnet.last() < range.subnet.first()).is_some() {}
        if let Some(outer) = around.last().filter(|it| it.subnet.last() < range.subnet.last()) {
            complain_of_two(*outer, range, endpoints, log);
        }
        match around.last() {
            Some(outer) if outer.subnet == range.subnet => {
                complain_of_two(*outer, range, endpoints, log)
            }
            // One that crosses another may be crossed by a third.
            _ => around.push(range),
        }
    }
}

/// Complains about the one of two ranges that was written later.
fn complain_of_two(one: Range<'_>, other: Range<'_>, endpoints: &[Clients<'_, '_>], log: &Log) {
    let (first, second) = if one.written < other.written { (one, other) } else { (other, one) };
    let Some(endpoint) = endpoints.get(second.written.0) else { return };
    let owner = endpoints.get(first.written.0).filter(|_| first.written.0 != second.written.0);
    let (range, place) = (first.subnet, &first.node.place);
    let message = match owner.map(|it| &it.section.path) {
        Some(owner) if range == second.subnet => {
            format!(
                "is given to {owner} already, at {place}; a network has one endpoint, so keep one of them"
            )
        }
        None if range == second.subnet => twice(place),
        owner => {
            let of = owner.map(|it| format!(" of {it}")).unwrap_or_default();
            format!(
                "overlaps \"{range}\"{of}, at {place}, and neither lies in the other; change one of them, so that they are apart or one has all of the other"
            )
        }
    };
    endpoint.complain("subnets", second.node, message, log);
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
