//! When an app in which something has happened is looked at: soon; and later and later where look after look shows nothing new, since
//! somebody writes something there all the time that doesn't count. Pure.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::Ident;

/// How long after a change an app is looked at: changes seldom come alone.
const SETTLE: Duration = Duration::from_millis(200);
/// The least time between two looks at an app, and from any look at a site's apps until others are due.
const REST: Duration = Duration::from_millis(500);
/// The most time between two looks of an app in which something happens, however often they show nothing new.
const LONGEST: Duration = Duration::from_secs(30);
/// Where nothing has happened for so long after its rest, what happens next is looked at as soon as ever.
const QUIET: Duration = Duration::from_secs(10);

/// The pace at which a site's apps are looked at.
#[derive(Debug)]
pub(super) struct Pace {
    apps: HashMap<Ident, App>,
    /// When the last look at any of them was over.
    looked: Option<Instant>,
}

#[derive(Debug)]
struct App {
    /// How long it is left alone after a look.
    rest: Duration,
    looked: Option<Instant>,
    due: Option<Instant>,
    /// Whether it is due though it has not rested.
    is_hurried: bool,
    /// Whether a look is wanted or under way: the next is for when it is over.
    is_taken: bool,
}

impl Pace {
    /// The pace of these apps, which are all to be looked at now.
    pub(super) fn of<'a>(apps: impl Iterator<Item = &'a Ident>) -> Self {
        let app = || App { rest: REST, looked: None, due: None, is_hurried: false, is_taken: true };
        Self { apps: apps.map(|it| (it.clone(), app())).collect(), looked: None }
    }

    /// Whether every app was looked at.
    pub(super) fn has_seen_all(&self) -> bool {
        self.apps.values().all(|it| it.looked.is_some())
    }

    /// Notes that something has happened in an app.
    pub(super) fn happened(&mut self, name: &Ident, now: Instant) {
        let Some(app) = self.apps.get_mut(name) else { return };
        let is_over = |it: Instant| now >= it + app.rest + QUIET;
        if !app.is_taken && app.looked.is_some_and(is_over) {
            app.rest = REST;
        }
        let rested = app.looked.map_or(now, |it| it + app.rest);
        app.due.get_or_insert((now + SETTLE).max(rested));
    }

    /// Notes that an app has to be looked at, whether something happens there or not.
    pub(super) fn hurry(&mut self, name: &Ident, now: Instant) {
        let Some(app) = self.apps.get_mut(name) else { return };
        let soon = now + SETTLE;
        app.due = Some(app.due.map_or(soon, |it| it.min(soon)));
        app.is_hurried = true;
    }

    /// Notes that an app has to be looked at, unless it is already.
    pub(super) fn remind(&mut self, name: &Ident, now: Instant) {
        if self.apps.get(name).is_some_and(|it| !it.is_taken) {
            self.hurry(name, now);
        }
    }

    /// Notes that something may have happened in every app that is being looked at, which the look may have missed.
    pub(super) fn may_have_missed(&mut self, now: Instant) {
        let taken = self.apps.iter().filter(|it| it.1.is_taken).map(|it| it.0.clone());
        taken.collect::<Vec<_>>().iter().for_each(|it| self.happened(it, now));
    }

    /// Whether an app has to be looked at again whatever the look that is under way shows.
    pub(super) fn is_hurried(&self, name: &Ident) -> bool {
        self.apps.get(name).is_some_and(|it| it.is_hurried)
    }

    /// Whether no app is being looked at.
    pub(super) fn is_at_rest(&self) -> bool {
        self.apps.values().all(|it| !it.is_taken)
    }

    /// When the next look is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let free = self.apps.values().filter(|it| !it.is_taken);
        let first = free.filter_map(|it| it.due).min()?;
        Some(self.looked.map_or(first, |it| first.max(it + REST)))
    }

    /// The apps that are to be looked at now. Each is then left out until it was.
    pub(super) fn take(&mut self, now: Instant) -> BTreeSet<Ident> {
        let is_due = |it: &App| !it.is_taken && it.due.is_some_and(|due| due <= now);
        let due = self.apps.iter_mut().filter(|it| is_due(it.1));
        due.map(|(name, app)| {
            (app.due, app.is_hurried, app.is_taken) = (None, false, true);
            name.clone()
        })
        .collect()
    }

    /// Notes that an app was looked at, and whether that showed anything new.
    pub(super) fn looked(&mut self, name: &Ident, is_news: bool, now: Instant) {
        self.looked = Some(now);
        let Some(app) = self.apps.get_mut(name) else { return };
        // The first look is no look again.
        let again = if app.looked.is_some() { app.rest * 2 } else { REST };
        app.rest = if is_news { REST } else { again.min(LONGEST) };
        (app.looked, app.is_taken) = (Some(now), false);
        if !app.is_hurried {
            let rested = now + app.rest;
            app.due = app.due.map(|it| it.max(rested));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(text: &str) -> Ident {
        text.parse().unwrap()
    }

    /// Has an app written at these times, in milliseconds after its first look, and looked at when it is due. Gives when that was.
    fn looks(writes: impl Iterator<Item = u64>, is_news: impl Fn(u64) -> bool) -> Vec<u64> {
        let start = Instant::now();
        let after = |it: Instant| u64::try_from((it - start).as_millis()).unwrap();
        let (app, mut looks) = (ident("a"), Vec::new());
        let mut pace = Pace::of([app.clone()].iter());
        pace.looked(&app, true, start);
        let mut catch_up = |pace: &mut Pace, until: u64| {
            while let Some(due) = pace.due().filter(|it| after(*it) <= until) {
                assert_eq!(pace.take(due), [ident("a")].into());
                pace.looked(&ident("a"), is_news(after(due)), due);
                looks.push(after(due));
            }
        };
        for write in writes {
            catch_up(&mut pace, write);
            pace.happened(&app, start + Duration::from_millis(write));
        }
        catch_up(&mut pace, u64::MAX);
        looks
    }

    #[test]
    fn a_change_on_a_quiet_app_is_looked_at_soon() {
        assert_eq!(looks([60_000].into_iter(), |_| false), [60_200]);
        assert_eq!(looks([60_000, 60_100, 60_300].into_iter(), |_| true), [60_200, 60_700]);
        assert_eq!(looks([100].into_iter(), |_| true), [500], "it rests between two looks");
        let twice = looks([60_000, 61_000, 62_300].into_iter(), |_| false);
        assert_eq!(twice, [60_200, 61_200, 63_200], "nothing new, a little later each time");
    }

    #[test]
    fn what_is_written_all_the_time_and_says_nothing_new_is_looked_at_seldom() {
        let writes = || (1..=600).map(|it| it * 1000);
        let told = looks(writes(), |_| false);
        assert!(told.len() < 30, "{}", told.len());
        assert!(told.windows(2).all(|it| it[1] - it[0] <= 31_200), "{told:?}");
        let told = looks(writes(), |_| true);
        assert_eq!(told.len(), 600, "each look shows something new");
        // News come at 300 s: after the longest rest at most, and what follows is looked at soon.
        let told = looks(writes(), |it| it > 300_000);
        let news: Vec<u64> = told.into_iter().filter(|it| *it > 300_000).collect();
        assert!(news[0] <= 331_200 && news[1] - news[0] <= 2000, "{:?}", &news[..2]);
    }

    #[test]
    fn silence_makes_it_quick_again() {
        let noise = (1..=100).map(|it| it * 1000);
        let told = looks(noise.chain([200_000]), |_| false);
        assert_eq!(told.last(), Some(&200_200));
    }

    #[test]
    fn one_that_is_looked_at_seldom_holds_up_no_other_and_can_be_hurried() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut pace = Pace::of(["noisy", "quiet"].map(ident).iter());
        for (name, times) in [("noisy", 10), ("quiet", 1)] {
            (0..times).for_each(|_| pace.looked(&ident(name), false, start));
        }
        pace.happened(&ident("noisy"), at(1000));
        pace.happened(&ident("quiet"), at(1000));
        assert_eq!(pace.due(), Some(at(1200)));
        assert_eq!(pace.take(at(1200)), [ident("quiet")].into());
        assert_eq!(pace.due(), Some(at(30_000)));
        pace.hurry(&ident("noisy"), at(2000));
        assert_eq!(pace.due(), Some(at(2200)));
    }

    #[test]
    fn what_happens_during_a_look_is_looked_at_when_it_has_rested() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let (app, mut pace) = (ident("slow"), Pace::of([ident("slow")].iter()));
        assert!(!pace.has_seen_all());
        let mut now = 0;
        for rest in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            // A look of 40 s, with something written each second.
            (1..40).for_each(|it| pace.happened(&app, at(now + it * 1000)));
            assert_eq!((pace.due(), pace.take(at(now + 40_000))), (None, [].into()));
            pace.looked(&app, false, at(now + 40_000));
            assert!(pace.has_seen_all());
            now += 40_000 + rest;
            assert_eq!(pace.due(), Some(at(now)));
            assert_eq!(pace.take(at(now)), [app.clone()].into());
        }
        pace.remind(&app, at(now));
        pace.looked(&app, false, at(now + 1));
        assert_eq!(pace.due(), None, "the look that was under way will do");
        pace.remind(&app, at(now + 2));
        assert_eq!(pace.take(at(now + 1000)), [app.clone()].into());
        pace.hurry(&app, at(now + 1000));
        assert!(pace.is_hurried(&app) && !pace.is_at_rest());
        pace.looked(&app, false, at(now + 2000));
        assert_eq!(pace.due(), Some(at(now + 2500)), "it is looked at again at once");
        assert!(pace.is_at_rest());
        pace.may_have_missed(at(now + 2000));
        assert_eq!(pace.take(at(now + 2500)), [app.clone()].into());
        pace.looked(&app, true, at(now + 3000));
        pace.may_have_missed(at(now + 3000));
        assert_eq!(pace.due(), None, "nobody was looking");
        pace.hurry(&ident("foreign"), at(now + 3000));
        assert_eq!(pace.due(), None);
    }
}
