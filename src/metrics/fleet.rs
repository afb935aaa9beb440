use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::text::{Head, Kind, Text};
use crate::model::Timestamp;

/// How the fleet's sites are, for whoever scrapes. Cheap to clone: all clones are one.
#[derive(Clone, Debug, Default)]
pub struct FleetMetrics(Arc<Mutex<Fleet>>);

#[derive(Debug, Default)]
struct Fleet {
    /// Whether what is described is in force; none where nothing is.
    is_in_force: Option<bool>,
    sites: BTreeMap<String, SiteSample>,
    skewed: Vec<String>,
}

/// How a site is.
#[derive(Clone, Debug, Default)]
pub struct SiteSample {
    /// Whether its cluster can be worked with.
    pub is_reachable: bool,
    /// The cluster's version, where it is known.
    pub version: Option<String>,
    /// How many of its nodes are ready, of how many; none where one may not look at them.
    pub nodes: Option<(usize, usize)>,
    /// Its apps, as far as it is known how they are.
    pub apps: Vec<AppSample>,
}

/// How an app is on a site.
#[derive(Clone, Debug)]
pub struct AppSample {
    /// Its name.
    pub app: String,
    /// Since when it isn't as it is wanted; none where it is.
    pub off_since: Option<Timestamp>,
    /// Whether what is wanted is what was applied last.
    pub is_applied: bool,
    /// When the companion last wrote something of it.
    pub applied_at: Option<Timestamp>,
    /// How often drift was put back.
    pub healed: u64,
}

impl FleetMetrics {
    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whether what is described is in force; none where nothing is.
    pub fn in_force(&self, is_in_force: Option<bool>) {
        self.fleet().is_in_force = is_in_force;
    }

    /// Notes how a site is.
    pub fn site(&self, site: &str, sample: SiteSample) {
        self.fleet().sites.insert(site.to_owned(), sample);
    }

    /// Notes which apps are not the same on all sites.
    pub fn skewed(&self, apps: Vec<String>) {
        self.fleet().skewed = apps;
    }

    /// Forgets all sites but these.
    pub fn keep(&self, is_kept: impl Fn(&str) -> bool) {
        self.fleet().sites.retain(|site, _| is_kept(site));
    }

    /// Writes every family, where there is a fleet. `now` is for ages.
    pub(super) fn write(&self, now: Timestamp, text: &mut Text) {
        let fleet = self.fleet();
        if let Some(is_in_force) = fleet.is_in_force {
            let (name, help) = (
                "farol_fleet_description_in_force",
                "Whether what is described of the fleet is in force (1), or what was before (0).",
            );
            let mut family = text.family(Head { name, kind: Kind::Gauge, help });
            family.add(&[], u8::from(is_in_force));
        }
        if fleet.sites.is_empty() {
            return;
        }
        for (name, help, sample) in OF_SITES {
            let mut family = text.family(Head { name, kind: Kind::Gauge, help });
            for (site, it) in &fleet.sites {
                if let Some(value) = sample(it) {
                    family.add(&[("site", site)], value);
                }
            }
        }
        let (name, help) = ("farol_fleet_cluster_info", "The version of a site's cluster.");
        let mut family = text.family(Head { name, kind: Kind::Gauge, help });
        for (site, it) in &fleet.sites {
            if let Some(version) = &it.version {
                family.add(&[("site", site), ("version", version)], 1);
            }
        }
        for (name, kind, help, sample) in OF_APPS {
            let mut family = text.family(Head { name, kind, help });
            for (site, it) in &fleet.sites {
                for it in &it.apps {
                    if let Some(value) = sample(it, now) {
                        family.add(&[("site", site), ("app", &it.app)], value);
                    }
                }
            }
        }
        let (name, help) =
            ("farol_fleet_skewed", "An app whose images are not the same on all sites (1).");
        let mut family = text.family(Head { name, kind: Kind::Gauge, help });
        fleet.skewed.iter().for_each(|app| family.add(&[("app", app)], 1));
    }
}

type OfSite = (&'static str, &'static str, fn(&SiteSample) -> Option<usize>);
type OfApp = (&'static str, Kind, &'static str, fn(&AppSample, Timestamp) -> Option<f64>);

const OF_SITES: [OfSite; 3] = [
    (
        "farol_fleet_reachable",
        "Whether a site's cluster can be worked with (1), or not (0).",
        |it| Some(it.is_reachable.into()),
    ),
    ("farol_fleet_nodes", "How many nodes a site's cluster has.", |it| it.nodes.map(|it| it.1)),
    ("farol_fleet_nodes_ready", "How many nodes of a site's cluster are ready.", |it| {
        it.nodes.map(|it| it.0)
    }),
];

const OF_APPS: [OfApp; 5] = [
    (
        "farol_fleet_in_sync",
        Kind::Gauge,
        "Whether an app is as it is wanted on a site (1), or not (0).",
        |it, _| Some(f64::from(u8::from(it.off_since.is_none()))),
    ),
    (
        "farol_fleet_applied",
        Kind::Gauge,
        "Whether what is wanted of an app is what was applied last on a site (1), or the description has moved since (0).",
        |it, _| Some(f64::from(u8::from(it.is_applied))),
    ),
    (
        "farol_fleet_drift_seconds",
        Kind::Gauge,
        "For how long an app has not been as it is wanted on a site; 0 where it is.",
        |it, now| Some(it.off_since.map_or(0.0, |since| seconds(now.0.saturating_sub(since.0)))),
    ),
    (
        "farol_fleet_last_apply_timestamp_seconds",
        Kind::Gauge,
        "When the companion last wrote something of an app on a site.",
        |it, _| it.applied_at.map(|it| seconds(it.0)),
    ),
    (
        "farol_fleet_healed_total",
        Kind::Counter,
        "How often drift of an app was put back on a site.",
        |it, _| Some(it.healed as f64),
    ),
];

fn seconds(milliseconds: i64) -> f64 {
    milliseconds.max(0) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_told() {
        let metrics = FleetMetrics::default();
        let told = |metrics: &FleetMetrics| {
            let mut text = Text::default();
            metrics.write(Timestamp(90_500), &mut text);
            let text = text.into_string();
            text.lines().filter(|it| !it.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(told(&metrics), Vec::<String>::new());
        metrics.site("lost", SiteSample::default());
        let app = AppSample {
            app: "shop".to_owned(),
            off_since: Some(Timestamp(80_000)),
            is_applied: true,
            applied_at: Some(Timestamp(1_500)),
            healed: 2,
        };
        let apps = vec![app];
        let version = Some("v1.36.0".to_owned());
        metrics.site("sea", SiteSample { is_reachable: true, version, nodes: Some((2, 3)), apps });
        metrics.skewed(vec!["shop".to_owned()]);
        assert_eq!(
            told(&metrics),
            [
                r#"farol_fleet_reachable{site="lost"} 0"#,
                r#"farol_fleet_reachable{site="sea"} 1"#,
                r#"farol_fleet_nodes{site="sea"} 3"#,
                r#"farol_fleet_nodes_ready{site="sea"} 2"#,
                r#"farol_fleet_cluster_info{site="sea",version="v1.36.0"} 1"#,
                r#"farol_fleet_in_sync{site="sea",app="shop"} 0"#,
                r#"farol_fleet_applied{site="sea",app="shop"} 1"#,
                r#"farol_fleet_drift_seconds{site="sea",app="shop"} 10.5"#,
                r#"farol_fleet_last_apply_timestamp_seconds{site="sea",app="shop"} 1.5"#,
                r#"farol_fleet_healed_total{site="sea",app="shop"} 2"#,
                r#"farol_fleet_skewed{app="shop"} 1"#,
            ]
        );
        metrics.keep(|it| it == "lost");
        metrics.skewed(Vec::new());
        assert_eq!(told(&metrics), [r#"farol_fleet_reachable{site="lost"} 0"#]);
    }
}
