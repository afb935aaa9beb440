//! What is written into the resources' status: as conditions, whether each was accepted, and how what it describes is. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use kube::ResourceExt;

use super::store::Listed;
use crate::fleet::controller::{AppState, FleetNow, SiteNow};
use crate::fleet::spec::Fleet;
use crate::fleet::spec::resources::{Condition, Holds, Status, origin};
use crate::model::Timestamp;
use crate::settings::Problems;

const ACCEPTED: &str = "Accepted";
const READY: &str = "Ready";
const SYNCED: &str = "Synced";
/// The names that are told of each state, and the problems of a resource.
const MOST: usize = 5;

/// Messages are never empty: old servers take an empty text for none, and refuse that.
const UNASKED: &str = "no cluster has answered so far";

/// The characters of a message; Kubernetes' own conditions end at 32,768.
const LONGEST: usize = 4096;

/// What was seen of the resources last.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) listed: Listed,
    /// What is wrong with the description that they are.
    pub(super) refused: Option<Problems>,
    /// The fleet that is in force, and since when.
    pub(super) in_force: Option<(Arc<Fleet>, Timestamp)>,
}

/// What a resource's status should be, where it isn't.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The resource.
    pub(super) of: Name,
    /// The status.
    pub(super) status: Status,
}

/// A resource: its kind, and its name.
pub(super) type Name = (&'static str, String);

/// A condition before it is known of which generation it is, and since when it holds.
struct Draft {
    kind: &'static str,
    holds: Holds,
    reason: String,
    message: String,
    /// Whether it is about the resource as it is now, for what of it is looked at.
    is_new: bool,
}

/// How an app is on a site, and when that was seen; none where it wasn't looked at yet.
type OnSite<'a> = (&'a str, Option<(AppState, Timestamp)>);

/// The statuses that have to be written at this time (RFC 3339), over those that were written last.
pub(super) fn due(
    seen: &Seen,
    fleet: Option<&FleetNow>,
    written: &HashMap<Name, Status>,
    now: &str,
) -> Vec<Due> {
    let Seen { listed, refused, in_force } = seen;
    let since = in_force.as_ref().map_or(Timestamp(i64::MAX), |it| it.1);
    let (sites, apps) = index(in_force.as_ref().map(|it| &*it.0), fleet);
    let settle = |kind: &'static str, it: &dyn Resource, status, drafts: Vec<Draft>| {
        let of = (kind, it.name());
        let former = written.get(&of).or(status);
        let is_refused = refused.is_some();
        let status = settle(it.generation(), former, drafts, is_refused, now);
        status.map(|status| Due { of, status })
    };
    let refused = refused.as_ref();
    let mut all = Vec::new();
    for it in &listed.sites {
        let now = sites.get(it.name().as_str()).copied();
        let drafts = vec![accepted(&origin("Site", it), refused), ready(now, since)];
        all.extend(settle("Site", it, it.status.as_ref(), drafts));
    }
    for it in &listed.apps {
        let on = apps.get(it.name().as_str()).map(Vec::as_slice).unwrap_or_default();
        let drafts = vec![accepted(&origin("FleetApp", it), refused), synced(on, since)];
        all.extend(settle("FleetApp", it, it.status.as_ref(), drafts));
    }
    for it in &listed.rollouts {
        let drafts = vec![accepted(&origin("Rollout", it), refused)];
        all.extend(settle("Rollout", it, it.status.as_ref(), drafts));
    }
    all
}

/// What is asked of a resource of any kind.
trait Resource {
    fn name(&self) -> String;
    fn generation(&self) -> Option<i64>;
}

impl<K: ResourceExt> Resource for K {
    fn name(&self) -> String {
        self.name_any()
    }

    fn generation(&self) -> Option<i64> {
        self.meta().generation
    }
}

/// The sites, and where each app of the fleet that is in force should be, with how it is there.
fn index<'a>(
    in_force: Option<&'a Fleet>,
    fleet: Option<&'a FleetNow>,
) -> (HashMap<&'a str, &'a SiteNow>, HashMap<&'a str, Vec<OnSite<'a>>>) {
    let sites = fleet.into_iter().flat_map(|it| &it.sites);
    let sites: HashMap<&str, &SiteNow> = sites.map(|it| (it.site.as_str(), &**it)).collect();
    let mut apps: HashMap<&str, Vec<OnSite<'a>>> = HashMap::new();
    for site in in_force.into_iter().flat_map(|it| &it.sites) {
        let now = sites.get(site.name.as_str());
        let looked: HashMap<&str, (AppState, Timestamp)> = now
            .into_iter()
            .flat_map(|site| site.apps.iter().map(|it| (it, site.trouble.is_some())))
            // What was seen last of a site that is away says nothing of now.
            .map(|(it, is_away)| (it, if is_away { AppState::Unknown } else { it.state }))
            .map(|(it, state)| (it.status.app.as_str(), (state, it.looked_at)))
            .collect();
        for app in in_force.into_iter().flat_map(|it| &it.apps) {
            if app.runs_on(&site.name) {
                let now = looked.get(app.name.as_str()).copied();
                apps.entry(app.name.as_str()).or_default().push((site.name.as_str(), now));
            }
        }
    }
    (sites, apps)
}

/// A status of these conditions, unless that is what is there.
fn settle(
    generation: Option<i64>,
    former: Option<&Status>,
    drafts: Vec<Draft>,
    is_refused: bool,
    now: &str,
) -> Option<Status> {
    let known = |kind: &str| former?.conditions.iter().find(|it| it.kind == kind);
    let condition = |it: Draft| {
        let known = known(it.kind);
        let observed = known.and_then(|it| it.observed_generation);
        let is_accepted = it.kind == ACCEPTED;
        // What is refused changes nothing: how things are is about what was in force before.
        let observed = if is_refused && !is_accepted { observed } else { generation };
        let is_stale = !is_accepted
            && !is_refused
            && !it.is_new
            && known.is_none_or(|it| it.observed_generation != generation);
        let it = if is_stale { unasked(it.kind) } else { it };
        Condition {
            kind: it.kind.to_owned(),
            status: it.holds,
            reason: it.reason,
            message: it.message,
            last_transition_time: match known {
                Some(known) if known.status == it.holds => known.last_transition_time.clone(),
                _ => now.to_owned(),
            },
            observed_generation: observed,
        }
    };
    let conditions: Vec<Condition> = drafts.into_iter().map(condition).collect();
    let is_there = conditions.iter().all(|it| known(&it.kind) == Some(it));
    (!is_there).then_some(Status { observed_generation: generation, conditions })
}

/// Of what nobody has looked at yet.
fn unasked(kind: &'static str) -> Draft {
    let (holds, reason) = (Holds::Unknown, "NotAskedYet".to_owned());
    Draft { kind, holds, reason, message: UNASKED.to_owned(), is_new: false }
}

/// Whether a resource is taken; the fleet is taken as a whole or not at all.
fn accepted(origin: &str, refused: Option<&Problems>) -> Draft {
    let (holds, reason, message) = match refused {
        None => (Holds::True, "Accepted", "it is in force".to_owned()),
        Some(problems) => {
            let own = problems.iter().filter(|it| it.file.as_os_str() == origin);
            let own: Vec<String> = own
                .map(|it| match it.key.is_empty() {
                    true => it.message.clone(),
                    false => format!("{}: {}", it.key, it.message),
                })
                .collect();
            match own.is_empty() {
                false => (Holds::False, "Invalid", some(&own, "\n")),
                true => {
                    let others = format!(
                        "what was accepted last stays in force, as something else is wrong: {}",
                        problems.iter().next().map(ToString::to_string).unwrap_or_default()
                    );
                    (Holds::False, "OthersInvalid", others)
                }
            }
        }
    };
    let message = message.chars().take(LONGEST).collect();
    Draft { kind: ACCEPTED, holds, reason: reason.to_owned(), message, is_new: true }
}

/// Whether a site's cluster can be worked with.
fn ready(site: Option<&SiteNow>, since: Timestamp) -> Draft {
    let (holds, reason, message) = match site.map(|it| (&it.trouble, &it.cluster)) {
        Some((Some((trouble, _)), _)) => {
            (Holds::False, words(&trouble.kind), format!("the cluster {}", trouble.message))
        }
        Some((None, Some(cluster))) => {
            (Holds::True, "Reachable".to_owned(), format!("Kubernetes {}", cluster.version))
        }
        _ => return unasked(READY),
    };
    let is_new = site.is_some_and(|it| it.trouble.is_some() || it.answered_at >= Some(since));
    let message = message.chars().take(LONGEST).collect();
    Draft { kind: READY, holds, reason, message, is_new }
}

/// Whether an app is as it is wanted, on each of these sites.
fn synced(on: &[OnSite<'_>], since: Timestamp) -> Draft {
    let mut worst = None;
    let mut told = Vec::new();
    for (kind, holds, reason) in [
        (AppState::Drifted, Holds::False, "Drifted"),
        (AppState::Outdated, Holds::False, "Outdated"),
        (AppState::Unknown, Holds::Unknown, "Unknown"),
        (AppState::InSync, Holds::True, "InSync"),
    ] {
        let state = |it: &OnSite<'_>| it.1.map_or(AppState::Unknown, |it| it.0);
        let names = on.iter().filter(|it| state(it) == kind).map(|it| it.0);
        let names: Vec<&str> = names.collect();
        if !names.is_empty() {
            worst.get_or_insert((holds, reason));
            told.push(format!("{} on {}", kind.label(), some(&names, ", ")));
        }
    }
    let Some((holds, reason)) = worst else { return unasked(SYNCED) };
    let is_new = on.iter().all(|it| it.1.is_some_and(|it| it.1 >= since));
    Draft { kind: SYNCED, holds, reason: reason.to_owned(), message: told.join("; "), is_new }
}

/// The first of these texts, and how many more there are.
fn some<T: AsRef<str>>(texts: &[T], between: &str) -> String {
    let first: Vec<&str> = texts.iter().take(MOST).map(AsRef::as_ref).collect();
    match texts.len().saturating_sub(MOST) {
        0 => first.join(between),
        more => format!("{} and {more} more", first.join(between)),
    }
}

/// Some words as the one that reasons are: `wrong cluster` is `WrongCluster`.
fn words(text: &str) -> String {
    let word = |it: &str| {
        let mut letters = it.chars();
        let first = letters.next().map(|it| it.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    text.split(' ').map(word).collect()
}

#[cfg(test)]
#[path = "condition_tests.rs"]
mod tests;
