//! What is known of the fleet: written by the tasks of its sites, read by whoever asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::fleet::report::{ClusterReport, Trouble};
use crate::fleet::spec::Drift;
use crate::fleet::status::{AppStatus, Nodes, Skew, skewed};
use crate::model::{Ident, Timestamp};

/// What is known of the fleet. Never waits for a cluster.
#[derive(Debug, Default)]
pub struct Board {
    known: Mutex<Option<Known>>,
    refused: Mutex<Option<(Trouble, Timestamp)>>,
}

#[derive(Debug)]
struct Known {
    drift: Drift,
    sites: Vec<Ident>,
    now: HashMap<Ident, Arc<SiteNow>>,
}

/// How the fleet is.
#[derive(Clone, Debug)]
pub struct FleetNow {
    /// What is done about drift.
    pub drift: Drift,
    /// Its sites, in the order of the description.
    pub sites: Vec<Arc<SiteNow>>,
    /// The apps whose images are not the same on all sites, of those that can be worked with: what was seen of others is old news.
    pub skewed: Vec<Skew>,
}

/// How a site is.
#[derive(Clone, Debug, Default)]
pub struct SiteNow {
    /// The site's name.
    pub site: String,
    /// Its cluster, as it was seen last.
    pub cluster: Option<ClusterReport>,
    /// Why it can't be worked with, and since when.
    pub trouble: Option<(Trouble, Timestamp)>,
    /// When it was last seen to answer.
    pub answered_at: Option<Timestamp>,
    /// How many of its nodes are ready; none where one may not look at them.
    pub nodes: Option<Nodes>,
    /// Why some changes show only at the next look at everything.
    pub unwatched: Option<String>,
    /// The apps that were looked at so far, in the order of the description.
    pub apps: Vec<AppNow>,
    /// The apps that were not looked at yet, likewise.
    pub unseen: Vec<String>,
}

/// How an app is on a site.
#[derive(Clone, Debug)]
pub struct AppNow {
    /// What was seen last.
    pub status: AppStatus,
    /// In short.
    pub state: AppState,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// When it was looked at.
    pub looked_at: Timestamp,
    /// What was done about drift.
    pub healing: HealingNow,
}

/// What was done about an app's drift.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealingNow {
    /// How often it was put back since the start.
    pub times: u64,
    /// When it was last put back.
    pub last: Option<Timestamp>,
    /// When it will be tried next.
    pub next: Option<Timestamp>,
    /// What stood in the way last.
    pub trouble: Option<String>,
}

/// How an app is, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppState {
    /// As it is wanted.
    InSync,
    /// As it was applied no more: others changed it.
    Drifted,
    /// What is wanted wasn't applied, or not to its end.
    Outdated,
    /// Nobody can say.
    Unknown,
}

impl SiteNow {
    /// Whether what is known of it is how it is: its cluster has answered, and can be worked with.
    pub fn is_known(&self) -> bool {
        self.trouble.is_none() && self.answered_at.is_some()
    }
}

impl AppState {
    /// By this status.
    pub fn of(status: &AppStatus) -> Self {
        match status {
            AppStatus { error: Some(_), .. } => Self::Unknown,
            AppStatus { in_sync: true, .. } => Self::InSync,
            AppStatus { applied: true, .. } => Self::Drifted,
            _ => Self::Outdated,
        }
    }

    /// The word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::InSync => "in_sync",
            Self::Drifted => "drifted",
            Self::Outdated => "outdated",
            Self::Unknown => "unknown",
        }
    }
}

impl Board {
    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusal(&self) -> MutexGuard<'_, Option<(Trouble, Timestamp)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why what is described isn't in force, and since when; what was in force before is still.
    pub fn refused(&self) -> Option<(Trouble, Timestamp)> {
        self.refusal().clone()
    }

    /// Takes in why what is described isn't in force, if it isn't. Gives whether that is new.
    pub fn refuse(&self, why: Option<Trouble>) -> bool {
        let mut known = self.refusal();
        let is_new = known.as_ref().map(|it| &it.0) != why.as_ref();
        let since = known.as_ref().map_or_else(Clock::time_of_day, |it| it.1);
        *known = why.map(|it| (it, since));
        is_new
    }

    /// How the fleet is; none where none is described.
    pub fn now(&self) -> Option<FleetNow> {
        let (drift, sites) = {
            let known = self.known();
            let known = known.as_ref()?;
            let now = |it: &Ident| {
                let unseen = || SiteNow { site: it.to_string(), ..SiteNow::default() };
                known.now.get(it).cloned().unwrap_or_else(|| Arc::new(unseen()))
            };
            (known.drift, known.sites.iter().map(now).collect::<Vec<_>>())
        };
        let apps = sites
            .iter()
            .filter(|it| it.is_known())
            .flat_map(|site| site.apps.iter().map(|it| (site.site.as_str(), &it.status)));
        let skewed = skewed(apps);
        Some(FleetNow { drift, sites, skewed })
    }

    /// Takes in which sites there are, or that no fleet is described any more. What is known of those that stay, stays.
    pub(super) fn describe(&self, described: Option<(Drift, Vec<Ident>)>) {
        let mut known = self.known();
        let now = known.take().map(|it| it.now).unwrap_or_default();
        *known = described.map(|(drift, sites)| {
            let now = now.into_iter().filter(|it| sites.contains(&it.0)).collect();
            Known { drift, sites, now }
        });
    }

    /// Takes in how a site is.
    pub(super) fn note(&self, site: &Ident, now: SiteNow) {
        if let Some(known) = self.known().as_mut().filter(|it| it.sites.contains(site)) {
            known.now.insert(site.clone(), Arc::new(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_sites_that_stay_stays() {
        let board = Board::default();
        assert!(board.now().is_none());
        let idents =
            |all: &[&str]| all.iter().map(|it| it.parse().unwrap()).collect::<Vec<Ident>>();
        board.describe(Some((Drift::Report, idents(&["b", "a"]))));
        let nodes = Some(Nodes { ready: 1, total: 2 });
        for site in ["a", "gone"] {
            let now = SiteNow { site: site.to_owned(), nodes, ..SiteNow::default() };
            board.note(&site.parse().unwrap(), now);
        }
        let told = |board: &Board| {
            let sites = board.now().unwrap().sites;
            sites.iter().map(|it| (it.site.clone(), it.nodes)).collect::<Vec<_>>()
        };
        assert_eq!(told(&board), [("b".to_owned(), None), ("a".to_owned(), nodes)]);
        board.describe(Some((Drift::Heal, idents(&["a", "gone"]))));
        assert_eq!(told(&board), [("a".to_owned(), nodes), ("gone".to_owned(), None)]);
        board.describe(None);
        assert!(board.now().is_none());
    }

    #[test]
    fn what_was_seen_of_a_site_that_is_away_is_no_skew() {
        let board = Board::default();
        let names: Vec<Ident> = ["a", "b", "c"].map(|it| it.parse().unwrap()).to_vec();
        board.describe(Some((Drift::Report, names.clone())));
        let note = |site: usize, image: &str, trouble: Option<Trouble>| {
            let images = [image.to_owned()].into();
            let status = AppStatus { app: "web".to_owned(), images, ..AppStatus::default() };
            let time = Timestamp(1);
            let app = AppNow {
                state: AppState::of(&status),
                status,
                since: time,
                looked_at: time,
                healing: HealingNow::default(),
            };
            let now = SiteNow {
                site: names[site].to_string(),
                answered_at: Some(time),
                trouble: trouble.map(|it| (it, time)),
                apps: vec![app],
                ..SiteNow::default()
            };
            board.note(&names[site], now);
        };
        let skewed = || board.now().unwrap().skewed.iter().map(|it| it.images.len()).sum::<usize>();
        note(0, "web:2", None);
        note(1, "web:2", None);
        note(2, "web:1", None);
        assert_eq!(skewed(), 3);
        let kind = "unreachable".to_owned();
        note(2, "web:1", Some(Trouble { kind, message: String::new() }));
        assert_eq!(skewed(), 0);
    }

    #[test]
    fn a_state_is_what_has_to_be_done() {
        let status = |in_sync, applied| AppStatus { in_sync, applied, ..AppStatus::default() };
        assert_eq!(AppState::of(&status(true, true)), AppState::InSync);
        assert_eq!(AppState::of(&status(false, true)), AppState::Drifted);
        assert_eq!(AppState::of(&status(false, false)), AppState::Outdated);
        let error = Some("forbidden".to_owned());
        let unknown = AppStatus { error, ..status(true, true) };
        assert_eq!(AppState::of(&unknown), AppState::Unknown);
    }
}
