//! Shares by weight among the candidates that have an address of the type asked for.

use super::pool::Pool;
use super::{Choice, Member, Standing};
use crate::model::Family;

pub(super) fn choose(pool: &mut Pool, members: &[Member], family: Family) -> Vec<Choice> {
    pool.keep_family(members, family);
    by_weight(pool, members)
}

/// The candidates with their weights. Weight 0 serves only when every candidate has 0, and then all are equal.
pub(super) fn by_weight(pool: &mut Pool, members: &[Member]) -> Vec<Choice> {
    let weight = |member: usize| members.get(member).map_or(0, |it| it.weight);
    let all_zero = pool.candidates().all(|it| weight(it) == 0);
    pool.retain(|it| all_zero || weight(it) > 0, Standing::ZeroWeight);
    pool.candidates().map(|it| (it, weight(it).max(1))).collect()
}
