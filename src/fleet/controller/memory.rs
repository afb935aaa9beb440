//! What is remembered of a site's apps from one look to the next: in which state they are since when, and what was done about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::board::{AppNow, AppState, HealingNow};
use super::healing::Healing;
use crate::clock::Clock;
use crate::fleet::cluster::Apis;
use crate::fleet::part::Part;
use crate::fleet::plan::needs_restoration;
use crate::fleet::site::{PlanError, Planned};
use crate::fleet::status::AppStatus;
use crate::model::{Ident, Timestamp};

/// Healings without peace between them that are a fight.
const FIGHT: u32 = 3;
/// The longest pause, in milliseconds, after which it is looked again at an app that nobody could tell of: a look may take long.
const LONGEST_PAUSE: i64 = 600_000;

/// What is remembered of a site's apps.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<Ident, App>);

#[derive(Debug)]
struct App {
    now: AppNow,
    healing: Healing,
    /// Whether it wants kinds that the cluster doesn't serve, as far as was known.
    waits_for_apis: bool,
}

impl Memory {
    /// Forgets all apps but these.
    pub(super) fn keep(&mut self, names: &[&Ident]) {
        self.0.retain(|name, _| names.contains(&name));
    }

    /// The apps, in the order of the description.
    pub(super) fn apps(&self, parts: &[Arc<Part>]) -> Vec<AppNow> {
        parts.iter().filter_map(|it| Some(self.0.get(&it.app.name)?.now.clone())).collect()
    }

    /// The apps that were not looked at yet, likewise.
    pub(super) fn unseen(&self, parts: &[Arc<Part>]) -> Vec<String> {
        let names = parts.iter().map(|it| &it.app.name);
        names.filter(|it| !self.0.contains_key(it)).map(Ident::to_string).collect()
    }

    /// Whether an app wants kinds that weren't served when that was asked.
    pub(super) fn waits_for_apis(&self) -> bool {
        self.0.values().any(|it| it.waits_for_apis)
    }

    /// The apps of which nobody could say how they are, to be looked at again: later and later.
    pub(super) fn unknown(&self, now: Timestamp) -> Vec<Ident> {
        let is_due = |AppNow { state, since, looked_at, .. }: &AppNow| {
            let pause = looked_at.0.saturating_sub(since.0).min(LONGEST_PAUSE);
            *state == AppState::Unknown && now.0.saturating_sub(looked_at.0) >= pause
        };
        self.0.iter().filter(|it| is_due(&it.1.now)).map(|it| it.0.clone()).collect()
    }

    /// The app that is to be put back first, and when.
    pub(super) fn next_healing(&self) -> Option<(Ident, Instant)> {
        let due = self.0.iter().filter_map(|(name, it)| Some((name, it.healing.due()?)));
        due.min_by_key(|it| it.1).map(|(name, due)| (name.clone(), due))
    }

    /// Takes in how an app is. Gives whether that is news.
    pub(super) fn note(
        &mut self,
        site: &str,
        name: &Ident,
        status: AppStatus,
        planned: &Result<Planned, PlanError>,
        apis: &Apis,
    ) -> bool {
        let (time, state) = (Clock::time_of_day(), AppState::of(&status));
        let former = self.0.remove(name);
        let was = former.as_ref().map(|it| it.now.state);
        let since = former.as_ref().filter(|it| it.now.state == state).map(|it| it.now.since);
        let told = former.as_ref().map(|it| what(&it.now.status));
        // A value that counts up is no news each time.
        let is_told = was != Some(state) || told.as_ref() != Some(&what(&status));
        let is_news =
            is_told || former.as_ref().is_none_or(|it| it.now.status.images != status.images);
        if is_told {
            tell(site, name, was, state, &status);
        }
        let (mut healing, healed) =
            former.map(|it| (it.healing, it.now.healing)).unwrap_or_default();
        let is_needed = planned.as_ref().is_ok_and(|it| needs_restoration(&it.plan));
        let due = healing.need(is_needed, Instant::now());
        let healed = HealingNow { next: due.map(|it| moment(it, time)), ..healed };
        let waits_for_apis = match planned {
            Ok(it) => it.wanted.iter().any(|it| apis.preferred(&it.kind).is_none()),
            // Another app may bring its kinds.
            Err(PlanError::Manifests(complaints)) => complaints.iter().any(|it| it.is_unserved),
            Err(_) => false,
        };
        let since = since.unwrap_or(time);
        let now = AppNow { status, state, since, looked_at: time, healing: healed };
        self.0.insert(name.clone(), App { now, healing, waits_for_apis });
        is_news
    }

    /// Takes in what came of putting an app back.
    pub(super) fn mended(&mut self, site: &str, name: &Ident, mended: Result<usize, String>) {
        let Some(app) = self.0.get_mut(name) else { return };
        let (known, now) = (&mut app.now.healing, Instant::now());
        known.next = None;
        match mended {
            Ok(0) => {
                app.healing.tried(now);
                known.trouble = None;
            }
            Ok(steps) => {
                let in_a_row = app.healing.healed(now);
                known.trouble = None;
                known.times += 1;
                known.last = Some(Clock::time_of_day());
                tracing::info!(event = "fleet_healed", site, app = %name, steps, "{name} on {site} was put back: {steps} objects");
                if in_a_row >= FIGHT {
                    let who = managers(&app.now.status);
                    tracing::warn!(event = "fleet_fight", site, app = %name, in_a_row, who, "{name} on {site} was put back {in_a_row} times in a row, and {who} changes it again each time; it waits longer and longer now: let one of both go");
                }
            }
            Err(why) => {
                app.healing.tried(now);
                tracing::warn!(event = "fleet_heal_failed", site, app = %name, why, "{name} on {site} could not be put back: {why}");
                known.trouble = Some(why);
            }
        }
    }
}

/// What is told of a status: when that changes, it is told anew.
fn what(status: &AppStatus) -> BTreeSet<String> {
    let differences = status.differences.iter().map(|it| match it.fields() {
        fields if fields.is_empty() => format!("{} {}", it.object, it.state),
        fields => format!("{} {} ({fields})", it.object, it.state),
    });
    differences.chain(status.error.clone()).collect()
}

fn tell(site: &str, app: &Ident, was: Option<AppState>, is: AppState, status: &AppStatus) {
    const MOST: usize = 5;
    let all = what(status);
    let mut first = all.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > MOST {
        first.push_str(&format!(" and {} more", all.len() - MOST));
    }
    match (was, is) {
        (None, AppState::InSync) => {
            tracing::debug!(event = "fleet_in_sync", site, %app, "{app} on {site} is as it is wanted");
        }
        (_, AppState::InSync) => {
            tracing::info!(event = "fleet_in_sync", site, %app, "{app} on {site} is as it is wanted");
        }
        (_, AppState::Drifted) => {
            tracing::warn!(event = "fleet_drifted", site, %app, "{app} on {site} is not as it was applied: {first}");
        }
        (_, AppState::Outdated) => {
            tracing::info!(event = "fleet_outdated", site, %app, "{app} on {site} is not what is described now; `farol fleet plan` shows what is to be applied: {first}");
        }
        (_, AppState::Unknown) => {
            tracing::warn!(event = "fleet_unknown", site, %app, "nobody can say how {app} on {site} is: {first}");
        }
    }
}

/// Who has changed what drifted.
fn managers(status: &AppStatus) -> String {
    let changes = status.differences.iter().flat_map(|it| &it.changes);
    let managers: BTreeSet<&str> = changes.filter_map(|it| it.manager.as_deref()).collect();
    match managers.is_empty() {
        true => "somebody".to_owned(),
        false => managers.into_iter().collect::<Vec<_>>().join(", "),
    }
}

/// The time of day of a moment that is to come.
fn moment(due: Instant, now: Timestamp) -> Timestamp {
    let left = due.saturating_duration_since(Instant::now());
    let left = left + Duration::from_millis(1);
    Timestamp(now.0.saturating_add(i64::try_from(left.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_looked_at_later_and_later() {
        let app: Ident = "shop".parse().unwrap();
        let mut looks = vec![0_i64];
        for now in (0..40).map(|it| it * 30_000) {
            let looked_at = Timestamp(looks.last().copied().unwrap_or_default());
            let (state, since, healing) = (AppState::Unknown, Timestamp(0), HealingNow::default());
            let status = AppStatus::default();
            let known = AppNow { status, state, since, looked_at, healing };
            let known = App { now: known, healing: Healing::default(), waits_for_apis: false };
            let memory = Memory([(app.clone(), known)].into());
            if now > 0 && !memory.unknown(Timestamp(now)).is_empty() {
                looks.push(now);
            }
        }
        let minutes: Vec<f64> = looks.iter().map(|it| *it as f64 / 60_000.0).collect();
        assert_eq!(minutes, [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]);
    }
}
