//! Shares by weight among the candidates that have an address of the type asked for; with `multivalue`, several of them.

use super::chooser::Order;
use super::group::Group;
use super::pool::Pool;
use super::{Member, Standing};
use crate::model::{Method, Profile};

/// One group of all.
pub(super) fn order(pool: &mut Pool, members: &[Member], profile: &Profile) -> Option<Order> {
    drop_zeroes(pool, members);
    let chosen: Vec<usize> = pool.candidates().collect();
    let keyed = profile.affinity.is_some() || profile.method == Method::Multivalue;
    Some(Order::Ranked([Group::new(&chosen, members, keyed)?].into()))
}

/// Weight 0 serves only when every candidate has 0, and then all are equal.
pub(super) fn drop_zeroes(pool: &mut Pool, members: &[Member]) {
    let weight = |member: usize| members.get(member).map_or(0, |it| it.weight);
    let all_zero = pool.candidates().all(|it| weight(it) == 0);
    pool.retain(|it| all_zero || weight(it) > 0, Standing::ZeroWeight);
}
