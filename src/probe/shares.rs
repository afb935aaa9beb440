//! Who gets the sockets while they are short: whoever's site holds fewest. A site that hangs holds its sockets until its
//! probes time out, so it may not take those that the others will need.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::agenda::Id;
use crate::model::{Ident, Moment};

/// The sockets of probes, and the probes that wait for one, in a line for each site.
///
/// The site that holds fewest goes first, equals in turn. Within its share, which is an equal part of all sockets, a site
/// gets any that is free; beyond it, only while it holds fewer than are free. So one site alone can use nearly everything,
/// and still leaves as much as it has to the others together.
#[derive(Debug)]
pub(super) struct SocketShares {
    most: usize,
    used: usize,
    /// Lent for other things than probes, until a probe waits.
    lent: usize,
    names: HashMap<Option<Ident>, SiteId>,
    sites: Vec<Site>,
    /// The sites where somebody waits, by the sockets that they hold and when they last had their turn.
    order: BTreeSet<(usize, u64, usize)>,
    turns: u64,
    waiting: usize,
}

/// Names a site until the next [`SocketShares::clear`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SiteId(usize);

#[derive(Debug, Default)]
struct Site {
    held: usize,
    turn: u64,
    line: VecDeque<Due>,
}

/// A probe that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) id: Id,
    /// When it should have started.
    pub(super) at: Moment,
    /// When it asked for a socket.
    pub(super) asked: Moment,
}

impl SocketShares {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            used: 0,
            lent: 0,
            names: HashMap::new(),
            sites: Vec::new(),
            order: BTreeSet::new(),
            turns: 0,
            waiting: 0,
        }
    }

    /// How many there are.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// There are so many from now on. Where more are in use, they are given back one by one.
    pub(super) fn limit(&mut self, most: usize) {
        self.most = most;
    }

    /// How many probes wait for one.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Forgets all sites and who holds what. Gives who waited.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Due> + use<> {
        let cleared = Self { lent: self.lent, ..Self::new(self.most) };
        let former = std::mem::replace(self, cleared);
        former.sites.into_iter().flat_map(|it| it.line)
    }

    /// The site of this name; no name is a site too.
    pub(super) fn site(&mut self, name: Option<&Ident>) -> SiteId {
        let next = SiteId(self.sites.len());
        let site = *self.names.entry(name.cloned()).or_insert(next);
        if site == next {
            self.sites.push(Site::default());
        }
        site
    }

    /// Puts a probe into its site's line.
    pub(super) fn ask(&mut self, site: SiteId, due: Due) {
        self.waiting += 1;
        self.edit(site, |it| it.line.push_back(due));
    }

    /// The next probe that may start.
    pub(super) fn next(&mut self) -> Option<(SiteId, Due)> {
        let &(held, _, at) = self.order.first()?;
        let free = self.most.saturating_sub(self.used + self.lent);
        let share = self.most / self.sites.len().max(1);
        // One probe may always be under way, so that none waits for ever.
        if self.used > 0 && (free == 0 || held >= share.max(free)) {
            return None;
        }
        self.turns += 1;
        self.waiting -= 1;
        let turn = self.turns;
        let due = self.edit(SiteId(at), |it| {
            it.turn = turn;
            it.line.pop_front()
        })?;
        Some((SiteId(at), due))
    }

    /// Lends so many for something that can be given up at any time; half of all stay for probes. Tells whether it did.
    pub(super) fn lend(&mut self, count: usize) -> bool {
        let lends = self.waiting == 0 && self.used + self.lent + count <= self.most / 2;
        self.lent += if lends { count } else { 0 };
        lends
    }

    /// What was lent is back.
    pub(super) fn reclaim(&mut self, count: usize) {
        self.lent -= count;
    }

    /// A probe of this site starts, with so many sockets.
    pub(super) fn take(&mut self, site: SiteId, count: usize) {
        self.used += count;
        self.edit(site, |it| it.held += count);
    }

    /// It has ended.
    pub(super) fn give_back(&mut self, site: SiteId, count: usize) {
        self.used -= count;
        self.edit(site, |it| it.held -= count);
    }

    /// Changes a site and keeps the order.
    fn edit<T>(&mut self, SiteId(at): SiteId, change: impl FnOnce(&mut Site) -> T) -> T {
        let site = &mut self.sites[at];
        self.order.remove(&(site.held, site.turn, at));
        let result = change(site);
        if !site.line.is_empty() {
            self.order.insert((site.held, site.turn, at));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many sockets and sites, at each of which so many probes wait.
    fn sockets(most: usize, lines: &[u64]) -> SocketShares {
        let mut sockets = SocketShares::new(most);
        for (number, length) in lines.iter().enumerate() {
            let site = sockets.site(Some(&format!("s{number}").parse().unwrap()));
            ask(&mut sockets, site, *length);
        }
        sockets
    }

    fn ask(sockets: &mut SocketShares, site: SiteId, count: u64) {
        let due = |it| Due { id: Id(it), at: Moment::default(), asked: Moment::default() };
        (0..count).for_each(|it| sockets.ask(site, due(it)));
    }

    /// Starts whoever may start, with a socket each. The sites in the order of their turns.
    fn start(sockets: &mut SocketShares) -> Vec<usize> {
        let next = || {
            let (site, _) = sockets.next()?;
            sockets.take(site, 1);
            Some(site.0)
        };
        std::iter::from_fn(next).collect()
    }

    fn held(sockets: &SocketShares) -> Vec<usize> {
        sockets.sites.iter().map(|it| it.held).collect()
    }

    #[test]
    fn sites_take_turns_and_everyone_waits_in_line() {
        let mut sockets = sockets(6, &[9, 9, 1]);
        assert_eq!(start(&mut sockets), [0, 1, 2, 0, 1]);
        assert_eq!((held(&sockets), sockets.waiting()), (vec![2, 2, 1], 14));
        sockets.give_back(SiteId(0), 1);
        sockets.give_back(SiteId(1), 2);
        let turns = start(&mut sockets);
        assert_eq!(turns, [1, 0, 1], "who holds fewest, then whose turn is longest ago");
        let left: Vec<u64> = sockets.clear().map(|it| it.id.0).collect();
        assert_eq!(left, [3, 4, 5, 6, 7, 8, 4, 5, 6, 7, 8]);
        assert_eq!((sockets.waiting(), sockets.next()), (0, None));
    }

    #[test]
    fn equals_take_turns() {
        let mut sockets = sockets(1, &[9, 9, 9]);
        let mut turns = Vec::new();
        for _ in 0..6 {
            turns.extend(start(&mut sockets));
            sockets.give_back(SiteId(turns[turns.len() - 1]), 1);
        }
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_site_that_hangs_leaves_as_much_as_it_takes() {
        for (lines, expected) in [
            (&[99][..], &[60][..]),
            (&[99, 0], &[30, 0]),
            (&[99, 0, 0, 0, 0, 0], &[30, 0, 0, 0, 0, 0]),
            (&[99, 99, 0, 0, 0, 0], &[20, 20, 0, 0, 0, 0]),
            (&[99, 99, 99, 99, 99, 99], &[10; 6]),
        ] {
            let mut sockets = sockets(60, lines);
            start(&mut sockets);
            assert_eq!(held(&sockets), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_site_gets_its_share_however_the_others_hang() {
        let mut sockets = sockets(60, &[99, 0]);
        start(&mut sockets);
        ask(&mut sockets, SiteId(1), 99);
        start(&mut sockets);
        assert_eq!(held(&sockets), [30, 30]);
    }

    #[test]
    fn one_probe_may_always_be_under_way() {
        let mut sockets = sockets(0, &[1, 1]);
        assert_eq!(start(&mut sockets), [0]);
        sockets.give_back(SiteId(0), 1);
        assert_eq!(start(&mut sockets), [1]);
    }
}
