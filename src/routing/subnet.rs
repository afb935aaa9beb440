//! The endpoint with the narrowest network around the client serves; those without networks serve everyone else.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::chooser::{Order, Rank};
use super::group::Group;
use super::pool::Pool;
use super::trace::{Relation, Trace};
use super::{Client, Member};
use crate::model::{Adjacent, Overlapping, Profile, Ranges, RangesBuilder, Subnet};

/// The networks that candidates serve.
#[derive(Debug)]
pub(super) struct Subnets {
    ranges: Ranges<u32>,
    layers: Box<[Layer]>,
    groups: Box<[Group]>,
    /// Those who serve everyone else.
    others: Option<Group>,
}

/// Who serves a network, and whoever's network is around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Layer {
    group: u32,
    /// The layer of the next wider network.
    wider: Option<u32>,
}

/// Notes each candidate's networks. One may lie in another; apart from that no two overlap.
pub(super) fn order(pool: &Pool, members: &[Member], profile: &Profile) -> Option<Order> {
    let keyed = profile.affinity.is_some();
    let (mut networks, mut groups, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for member in pool.candidates() {
        let subnets = profile.endpoints.get(member).map(|it| &*it.subnets).unwrap_or_default();
        if subnets.is_empty() {
            others.push(member);
            continue;
        }
        let group = u32::try_from(groups.len()).ok()?;
        networks.extend(subnets.iter().map(|it| (*it, group)));
        groups.push(Group::new(&[member], members, keyed)?);
    }
    let (ranges, layers) = layered(networks)?;
    let others = Group::new(&others, members, keyed);
    (!groups.is_empty() || others.is_some()).then(|| {
        Order::Subnets(Box::new(Subnets { ranges, layers, groups: groups.into(), others }))
    })
}

/// The layer of every address. Networks that have the same layers are one value, so that scopes are as wide as can be.
fn layered(mut networks: Vec<(Subnet, u32)>) -> Option<(Ranges<u32>, Box<[Layer]>)> {
    // A network comes after all that it lies in.
    networks.sort_unstable_by_key(|(it, _)| (it.first(), Reverse(it.last())));
    let (mut ranges, mut layers) = (RangesBuilder::new(), Vec::new());
    let mut known = HashMap::new();
    let mut around: Vec<(Subnet, u32)> = Vec::new();
    for (network, group) in networks {
        while around.pop_if(|it| it.0.last() < network.first()).is_some() {}
        let wider = around.last().map(|it| it.1);
        let same =
            wider.filter(|it| layers.get(*it as usize).is_some_and(|it: &Layer| it.group == group));
        let layer = Layer { group, wider };
        let at = same.unwrap_or_else(|| {
            *known.entry(layer).or_insert_with(|| {
                layers.push(layer);
                layers.len() as u32 - 1
            })
        });
        ranges.add(network.first(), network.last(), at).ok()?;
        around.push((network, at));
    }
    let ranges = ranges.build(Overlapping::NarrowestWins, Adjacent::Joined).ok()?;
    Some((ranges, layers.into()))
}

impl Subnets {
    /// Offers the groups of the networks around the client, the narrowest first, and then that of everyone else, until one is
    /// taken. Gives the length of the prefix that this holds for.
    pub(super) fn visit<'s>(
        &'s self,
        client: &Client<'_>,
        take: &mut impl FnMut(&'s Group, Rank) -> bool,
    ) -> u8 {
        let (own, scope) = self.own(client);
        let _ = own.chain(&self.others).any(|it| take(it, Rank::Sure));
        scope
    }

    pub(super) fn tells_clients_apart(&self) -> bool {
        !self.ranges.is_empty()
    }

    /// The same for people: who comes before whom.
    pub(super) fn trace(&self, client: &Client<'_>) -> Trace {
        let own = self.own(client).0.map(|it| (it, Relation::Network));
        let others = self.others.as_ref().map(|it| (it, Relation::EveryoneElse));
        let mut trace = Trace::default();
        for (group, relation) in own.chain(others) {
            // It may have a narrower network around the client too.
            if !group.members().any(|it| trace.tier(it).is_some()) {
                trace.add(group, Some(relation));
            }
        }
        trace
    }

    /// The groups of the networks around the client, the narrowest first, and the length of the prefix that this holds for.
    fn own(&self, client: &Client<'_>) -> (impl Iterator<Item = &Group>, u8) {
        let (layer, scope) = match self.ranges.is_empty() {
            true => (None, 0),
            false => self.ranges.find(client.network()),
        };
        let mut next = layer.copied();
        let groups = std::iter::from_fn(move || {
            let layer = self.layers.get(next? as usize)?;
            next = layer.wider;
            self.groups.get(layer.group as usize)
        });
        (groups, scope)
    }
}
