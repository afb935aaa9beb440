//! The requests that drained sites still get, as Prometheus has measured them. DNS can't see connections: clients that hold
//! one, or keep an answer for longer than its TTL, show only here.

mod prometheus;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use self::prometheus::{AskError, Prometheus};
use crate::clock::Clock;
use crate::model::{Ident, RequestsQuery, Timestamp};
use crate::snapshot::{Live, Snapshot};

/// From one measurement to the next.
const EVERY: Duration = Duration::from_secs(5);

/// The last measurement of each drained site that has a query. Shared by who measures and those who look.
#[derive(Debug, Default)]
pub struct Traffic {
    by_site: Mutex<HashMap<Ident, Measured>>,
}

/// What came of measuring a site's requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// When.
    pub at: Timestamp,
    /// The value, in the query's own unit, or why there is none.
    pub value: Result<f64, String>,
}

impl Traffic {
    /// What was measured of a site last.
    pub fn of(&self, site: &Ident) -> Option<Measured> {
        self.by_site.lock().unwrap_or_else(PoisonError::into_inner).get(site).cloned()
    }

    /// Measures the requests of drained sites until `stop` is cancelled. While none is drained nobody is asked.
    pub async fn measure(self: Arc<Self>, live: Arc<Live>, stop: CancellationToken) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asking: Option<Prometheus> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => {}
            }
            let wanted = wanted(&live.load());
            let measured = match wanted.is_empty() {
                true => HashMap::new(),
                false => {
                    let prometheus = asking.get_or_insert_with(Prometheus::new).clone();
                    tokio::select! {
                        () = stop.cancelled() => return,
                        measured = measure_all(prometheus, wanted) => measured,
                    }
                }
            };
            *self.by_site.lock().unwrap_or_else(PoisonError::into_inner) = measured;
        }
    }
}

fn wanted(snapshot: &Snapshot) -> Vec<(Ident, RequestsQuery)> {
    let drained = snapshot.sites.iter().filter(|it| it.drained.is_some());
    drained.filter_map(|it| Some((it.site.name.clone(), it.site.requests.clone()?))).collect()
}

/// Measures all at the same time, so that none waits for another's slowness.
async fn measure_all(
    prometheus: Prometheus,
    wanted: Vec<(Ident, RequestsQuery)>,
) -> HashMap<Ident, Measured> {
    let mut asked = JoinSet::new();
    for (site, query) in wanted {
        let prometheus = prometheus.clone();
        asked.spawn(async move {
            let asked = prometheus.ask(&query.prometheus, &query.query).await;
            let value = asked.map_err(|it| it.to_string());
            (site, Measured { at: Clock::time_of_day(), value })
        });
    }
    let mut measured = HashMap::new();
    while let Some(asked) = asked.join_next().await {
        measured.extend(asked);
    }
    measured
}
