//! The lowest priority number that has a candidate serves; equals share by weight. The place comes first: whether it has an
//! address of the type asked for is not looked at, so that A and AAAA lead to the same place.

use super::chooser::Order;
use super::group::Group;
use super::pool::Pool;
use super::{Member, Standing, weighted};

/// Puts the candidates into tiers. The lowest priority of those of `kept` that are candidates stays in force although a lower
/// number has recovered.
pub(super) fn order(
    pool: &mut Pool,
    members: &[Member],
    keyed: bool,
    kept: &[usize],
) -> Option<Order> {
    let priority = |member: usize| members.get(member).map_or(u16::MAX, |it| it.priority);
    let in_force = pool.candidates().filter(|it| kept.contains(it)).map(priority).min();
    if let Some(in_force) = in_force {
        pool.retain(|it| priority(it) >= in_force, Standing::AwaitsFailback);
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
