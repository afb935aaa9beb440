//! The endpoint whose networks the client's is in serves; those without networks serve everyone else.

use super::chooser::{Order, Rank};
use super::group::Group;
use super::pool::Pool;
use super::trace::{Relation, Trace};
use super::{Client, Member};
use crate::model::{Adjacent, Overlapping, Profile, Ranges, RangesBuilder};

/// The networks that candidates serve.
#[derive(Debug)]
pub(super) struct Subnets {
    ranges: Ranges<u16>,
    groups: Box<[Group]>,
    /// Those who serve everyone else.
    others: Option<Group>,
}

/// Notes each candidate's networks. No two overlap.
pub(super) fn order(pool: &Pool, members: &[Member], profile: &Profile) -> Option<Order> {
    let keyed = profile.affinity.is_some();
    let (mut ranges, mut groups, mut others) = (RangesBuilder::new(), Vec::new(), Vec::new());
    for member in pool.candidates() {
        let subnets = profile.endpoints.get(member).map(|it| &*it.subnets).unwrap_or_default();
        if subnets.is_empty() {
            others.push(member);
            continue;
        }
        let at = u16::try_from(groups.len()).ok()?;
        for subnet in subnets {
            ranges.add(subnet.first(), subnet.last(), at).ok()?;
        }
        groups.push(Group::new(&[member], members, keyed)?);
    }
    let ranges = ranges.build(Overlapping::Refused, Adjacent::Joined).ok()?;
    let others = Group::new(&others, members, keyed);
    (!groups.is_empty() || others.is_some())
        .then(|| Order::Subnets(Box::new(Subnets { ranges, groups: groups.into(), others })))
}

impl Subnets {
    /// Offers the group of the client's network, and then that of everyone else, until one is taken. Gives the length of the
    /// prefix that this holds for.
    pub(super) fn visit<'s>(
        &'s self,
        client: &Client<'_>,
        take: &mut impl FnMut(&'s Group, Rank) -> bool,
    ) -> u8 {
        let (own, scope) = self.own(client);
        let _ = own.into_iter().chain(&self.others).any(|it| take(it, Rank::Sure));
        scope
    }

    pub(super) fn tells_clients_apart(&self) -> bool {
        !self.ranges.is_empty()
    }

    /// The same for people: who comes before whom.
    pub(super) fn trace(&self, client: &Client<'_>) -> Trace {
        let mut trace = Trace::default();
        let own = self.own(client).0.map(|it| (it, Relation::Network));
        let others = self.others.as_ref().map(|it| (it, Relation::EveryoneElse));
        own.into_iter().chain(others).for_each(|(group, it)| trace.add(group, Some(it)));
        trace
    }

    /// The group of the client's network, and the length of the prefix that this holds for.
    fn own(&self, client: &Client<'_>) -> (Option<&Group>, u8) {
        if self.ranges.is_empty() {
            return (None, 0);
        }
        let (group, scope) = self.ranges.find(client.network());
        (group.and_then(|it| self.groups.get(usize::from(*it))), scope)
    }
}
