//! The lowest priority number that has a candidate serves; equals share by weight. The place comes first: whether it has an
//! address of the type asked for is not looked at, so that A and AAAA lead to the same place.

use super::pool::Pool;
use super::{Choice, Member, Standing, weighted};

pub(super) fn choose(pool: &mut Pool, members: &[Member]) -> Vec<Choice> {
    let best = pool.candidates().filter_map(|it| members.get(it)).map(|it| it.priority).min();
    let is_best = |member: usize| members.get(member).map(|it| it.priority) == best;
    pool.retain(is_best, Standing::LowerPriority);
    weighted::by_weight(pool, members)
}
