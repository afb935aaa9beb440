use super::geographic::Regions;
use super::group::{Chance, Group};
use super::performance::{Nearest, weighing};
use super::subnet::Subnets;
use super::trace::Trace;
use super::{Client, Draw, MAX_RETURN};
use crate::model::{Affinity, Geography, Method, Profile};

/// How many picks a measured share is made of.
const SAMPLES: u64 = 10_000;

/// Picks from the members that may serve, for one query after the other.
#[derive(Debug)]
pub struct Chooser {
    order: Order,
    affinity: Option<Affinity>,
    /// How many one pick names.
    most: usize,
}

/// Which group of members comes before which.
#[derive(Debug)]
pub(super) enum Order {
    /// The same for every client.
    Ranked(Box<[Group]>),
    /// By what is near.
    Nearest(Box<Nearest>),
    /// By the client's region.
    Regions(Regions),
    /// By the client's network.
    Subnets(Box<Subnets>),
}

impl Order {
    /// Offers the groups in this order until one is taken. Gives the length of the widest prefix around the client for which
    /// the order is the same; 0 where it is for all.
    fn visit<'s>(
        &'s self,
        client: &Client<'_>,
        chance: Chance,
        take: &mut impl FnMut(&'s Group, Rank) -> bool,
    ) -> u8 {
        match self {
            Self::Ranked(groups) => {
                let _ = groups.iter().any(|it| take(it, Rank::Sure));
                0
            }
            Self::Nearest(nearest) => nearest.visit(client, chance, take),
            Self::Regions(regions) => regions.visit(client, take),
            Self::Subnets(subnets) => subnets.visit(client, take),
        }
    }

    /// Tells the groups that a client may be left to: those that come first, and the next ones as long as all before may
    /// decline. Gives the same as [`visit`](Self::visit).
    fn reach<'s>(&'s self, client: &Client<'_>, tell: &mut impl FnMut(&'s Group)) -> u8 {
        let mut take = |group: &'s Group, _: Rank| {
            tell(group);
            !group.may_decline()
        };
        match self {
            Self::Ranked(groups) => {
                let _ = groups.iter().any(|it| take(it, Rank::Sure));
                0
            }
            Self::Nearest(nearest) => nearest.reach(client, tell),
            Self::Regions(regions) => regions.visit(client, &mut take),
            Self::Subnets(subnets) => subnets.visit(client, &mut take),
        }
    }

    /// The groups that come first, which share by weight.
    fn lead(&self, client: &Client<'_>) -> Vec<&Group> {
        let mut first = None;
        let mut take = |it, _: Rank| first.replace(it).is_none();
        match self {
            Self::Ranked(groups) => return groups.first().into_iter().collect(),
            Self::Nearest(nearest) => return nearest.lead(client),
            Self::Regions(regions) => regions.visit(client, &mut take),
            Self::Subnets(subnets) => subnets.visit(client, &mut take),
        };
        first.into_iter().collect()
    }
}

/// What a group owes its place in the order to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// To what it is, and where the client is.
    Sure,
    /// To chance, among others that are equally preferred.
    Drawn,
}

/// What a query's choice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    members: [u32; MAX_RETURN],
    count: u8,
    /// The length of the widest prefix around the client in which every client has the same choice, but for the draw; 0 when
    /// the client doesn't matter.
    pub scope: u8,
}

impl Pick {
    /// Of nobody.
    pub const NONE: Self = Self { members: [0; MAX_RETURN], count: 0, scope: 0 };

    /// The members, in the order of the answer.
    #[inline]
    pub fn members(&self) -> impl Iterator<Item = usize> {
        let members = self.members.get(..self.count.into()).unwrap_or_default();
        members.iter().map(|it| *it as usize)
    }
}

impl Chooser {
    pub(super) fn new(order: Order, profile: &Profile) -> Self {
        let most = match profile.method {
            Method::Multivalue => usize::from(profile.max_return).clamp(1, MAX_RETURN),
            _ => 1,
        };
        Self { order, affinity: profile.affinity, most }
    }

    /// Picks for a client. One member is picked in constant time, as far as the method's own lookup is, without
    /// [`Affinity`].
    #[inline]
    pub fn pick(&self, client: &Client<'_>, draw: Draw) -> Pick {
        let chance = match self.affinity {
            Some(affinity) => Chance::Client(client.key(affinity)),
            None => Chance::Draw(draw),
        };
        self.pick_by(client, chance)
    }

    #[inline]
    fn pick_by<'s>(&'s self, client: &Client<'_>, chance: Chance) -> Pick {
        let mut pick = Pick::NONE;
        let own_network = self.affinity.map_or(0, |it| client.affinity_scope(it));
        let mut first = None;
        let mut take = |group: &'s Group, rank: Rank| {
            if rank == Rank::Drawn || group.len() > 1 || group.is_ramping() {
                pick.scope = own_network;
            }
            first = first.or(Some(group));
            if self.most > 1 {
                let room = pick.members.get_mut(..self.most).unwrap_or_default();
                pick.count = group.pick_several(chance, room) as u8;
            } else if let Some(member) = group.pick(chance) {
                (pick.members[0], pick.count) = (member as u32, 1);
            }
            pick.count > 0
        };
        let looked_up = self.order.visit(client, chance, &mut take);
        pick.scope = pick.scope.max(looked_up);
        if pick.count == 0
            && let Some(member) = first.and_then(|it| it.pick_anyway(chance))
        {
            (pick.members[0], pick.count) = (member as u32, 1);
        }
        pick
    }

    /// Tells every member that chance may leave this client to. Gives the length of the prefix around the client in which they
    /// are the same for every client.
    pub fn reach(&self, client: &Client<'_>, mut tell: impl FnMut(usize)) -> u8 {
        if self.affinity.is_some() {
            // The client is left to the same one always.
            let pick = self.pick(client, Draw { seed: 0, sequence: 0 });
            pick.members().for_each(tell);
            return pick.scope;
        }
        self.order.reach(client, &mut |group| group.members().for_each(&mut tell))
    }

    /// Whether it may matter who the client is.
    pub fn tells_clients_apart(&self) -> bool {
        self.affinity.is_some()
            || match &self.order {
                Order::Ranked(_) => false,
                Order::Nearest(nearest) => nearest.tells_clients_apart(),
                Order::Regions(regions) => regions.tells_clients_apart(),
                Order::Subnets(subnets) => subnets.tells_clients_apart(),
            }
    }

    /// The part of the picks, from 0 to 1, that names each of `members`: for this client, or over all clients; none where it
    /// depends on who they are. Exact, but where several are picked or some start slowly: then it is measured, to about a
    /// percent.
    pub fn shares(&self, client: Option<&Client<'_>>, members: usize) -> Option<Vec<f64>> {
        match (client, &self.order) {
            (Some(client), _) if self.affinity.is_some() => {
                let pick = self.pick(client, Draw { seed: 0, sequence: 0 });
                Some(measure(members, [pick]))
            }
            (Some(client), _) => Some(self.shares_around(client, members)),
            (None, Order::Ranked(_)) => {
                Some(self.shares_around(&Client::unknown(&Geography::default()), members))
            }
            (None, _) => None,
        }
    }

    /// The same over all clients that are where this one is, each of which [`Affinity`] keeps at an endpoint of its own.
    pub fn shares_around(&self, client: &Client<'_>, members: usize) -> Vec<f64> {
        let lead = self.order.lead(client);
        if self.most == 1 && !lead.iter().any(|it| it.is_ramping()) {
            let weight = weighing(lead.iter().copied());
            let total: f64 = lead.iter().map(|it| weight(it)).sum();
            let part = |it: usize| {
                let parts = lead.iter().map(|group| group.share(it) * weight(group) / total);
                // The sum of no numbers would be -0.
                parts.fold(0.0, |sum, it| sum + it)
            };
            return (0..members).map(part).collect();
        }
        let draws = (0..SAMPLES).map(|sequence| Chance::Draw(Draw { seed: 0, sequence }));
        measure(members, draws.map(|it| self.pick_by(client, it)))
    }

    /// Who comes before whom for this client, and why.
    pub fn trace(&self, client: &Client<'_>) -> Trace {
        match &self.order {
            Order::Ranked(groups) => {
                let mut trace = Trace::default();
                groups.iter().for_each(|it| trace.add(it, None));
                trace
            }
            Order::Nearest(nearest) => nearest.trace(client),
            Order::Regions(regions) => regions.trace(client),
            Order::Subnets(subnets) => subnets.trace(client),
        }
    }
}

/// The part of the picks that names each of `members`.
fn measure(members: usize, picks: impl IntoIterator<Item = Pick>) -> Vec<f64> {
    let (mut counts, mut all) = (vec![0_u32; members], 0_u32);
    for pick in picks {
        all += 1;
        for member in pick.members() {
            counts.get_mut(member).into_iter().for_each(|it| *it += 1);
        }
    }
    counts.into_iter().map(|it| f64::from(it) / f64::from(all.max(1))).collect()
}
