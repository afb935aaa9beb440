//! The lowest priority number that has a candidate serves; equals share by weight. The place comes first: whether it has an
//! address of the type asked for is not looked at, so that A and AAAA lead to the same place.

use super::chooser::Order;
use super::group::Group;
use super::pool::Pool;
use super::{Member, Standing, weighted};

/// Puts the candidates into tiers. `keep` is the priority that stays in force although a lower number has recovered, as long
/// as it has a candidate itself.
pub(super) fn order(
    pool: &mut Pool,
    members: &[Member],
    keyed: bool,
    keep: Option<u16>,
) -> Option<Order> {
    let priority = |member: usize| members.get(member).map_or(u16::MAX, |it| it.priority);
    let has_candidate = |tier: u16| pool.candidates().any(|it| priority(it) == tier);
    if let Some(keep) = keep.filter(|it| has_candidate(*it)) {
        pool.retain(|it| priority(it) >= keep, Standing::AwaitsFailback);
    }
    let mut later: Vec<usize> = pool.candidates().collect();
    later.sort_by_key(|it| priority(*it));
    let first = later.first().map(|it| priority(*it))?;
    pool.retain(|it| priority(it) == first, Standing::LowerPriority);
    weighted::drop_zeroes(pool, members);
    let mut groups = Vec::new();
    for tier in later.chunk_by(|a, b| priority(*a) == priority(*b)) {
        groups.extend(Group::new(tier, members, keyed));
        // A tier is left only for one that ramps.
        if !groups.last().is_some_and(Group::is_ramping) {
            break;
        }
    }
    Some(Order::Ranked(groups.into()))
}
