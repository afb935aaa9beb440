//! Who hears of places, the nearest first: whoever picks, tells or writes down.

use super::super::chooser::Rank;
use super::super::group::{Chance, Group};
use super::Nearest;

/// Hears of places that are equally near.
pub(super) trait Listener<'s> {
    /// Whether it is enough. The places are given by their numbers.
    fn hear(&mut self, nearest: &'s Nearest, places: impl Places) -> bool;
}

/// The numbers of places, which may be gone through several times.
pub(super) trait Places: Iterator<Item = usize> + Clone {}

impl<T: Iterator<Item = usize> + Clone> Places for T {}

/// Offers the groups of places until one is taken.
pub(super) struct Offer<'t, T> {
    pub(super) chance: Chance,
    pub(super) take: &'t mut T,
}

impl<'s, T: FnMut(&'s Group, Rank) -> bool> Listener<'s> for Offer<'_, T> {
    fn hear(&mut self, nearest: &'s Nearest, places: impl Places) -> bool {
        nearest.offer(self.chance, places, self.take)
    }
}

/// Tells the groups at the nearest places, and those that are left to whom they may decline.
pub(super) struct Reach<'t, T>(pub(super) &'t mut T);

impl<'s, T: FnMut(&'s Group)> Listener<'s> for Reach<'_, T> {
    fn hear(&mut self, nearest: &'s Nearest, places: impl Places) -> bool {
        let mut is_taken = false;
        for group in nearest.at(places) {
            (self.0)(group);
            is_taken |= !group.may_decline();
        }
        is_taken
    }
}

/// Writes the nearest down.
pub(super) struct Lead<'s>(pub(super) Vec<&'s Group>);

impl<'s> Listener<'s> for Lead<'s> {
    fn hear(&mut self, nearest: &'s Nearest, places: impl Places) -> bool {
        self.0.extend(places.filter_map(|it| nearest.places.get(it)).map(|it| &it.group));
        !self.0.is_empty()
    }
}

/// Writes all of them down.
pub(super) struct Tiers(pub(super) Vec<Vec<usize>>);

impl<'s> Listener<'s> for Tiers {
    fn hear(&mut self, _: &'s Nearest, places: impl Places) -> bool {
        let mut places: Vec<usize> = places.collect();
        places.sort_unstable();
        self.0.extend(Some(places).filter(|it| !it.is_empty()));
        false
    }
}
