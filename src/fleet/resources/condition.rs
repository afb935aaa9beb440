//! What is written into the resources' status: as conditions, whether each was accepted, and how what it describes is. Pure.

use kube::ResourceExt;

use super::store::Listed;
use crate::fleet::controller::{AppState, FleetNow, SiteNow};
use crate::fleet::spec::resources::{Condition, Holds, Status, origin};
use crate::settings::Problems;

/// The names that are told of each state.
const MOST: usize = 5;

/// Messages are never empty: old servers take an empty text for none, and refuse that.
const UNASKED: &str = "no cluster has answered so far";

/// What a resource's status should be, where it isn't.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The resource's kind.
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) name: String,
    /// The status.
    pub(super) status: Status,
}

/// A condition before it is known since when it holds.
struct Draft {
    kind: &'static str,
    holds: Holds,
    reason: String,
    message: String,
}

/// The statuses that have to be written at this time (RFC 3339). `refused` is what is wrong with the description, if something is.
pub(super) fn due(
    listed: &Listed,
    refused: Option<&Problems>,
    fleet: Option<&FleetNow>,
    now: &str,
) -> Vec<Due> {
    let sites = listed.sites.iter().map(|it| {
        let drafts = vec![accepted(&origin("Site", it), refused), ready(&it.name_any(), fleet)];
        settle("Site", it, it.status.as_ref(), drafts, now)
    });
    let apps = listed.apps.iter().map(|it| {
        let drafts =
            vec![accepted(&origin("FleetApp", it), refused), synced(&it.name_any(), fleet)];
        settle("FleetApp", it, it.status.as_ref(), drafts, now)
    });
    let rollouts = listed.rollouts.iter().map(|it| {
        let drafts = vec![accepted(&origin("Rollout", it), refused)];
        settle("Rollout", it, it.status.as_ref(), drafts, now)
    });
    sites.chain(apps).chain(rollouts).flatten().collect()
}

/// A status of these conditions, unless that is what is there.
fn settle(
    kind: &'static str,
    resource: &impl ResourceExt,
    former: Option<&Status>,
    drafts: Vec<Draft>,
    now: &str,
) -> Option<Due> {
    let generation = resource.meta().generation;
    let known = |kind: &str| former?.conditions.iter().find(|it| it.kind == kind);
    let condition = |it: &Draft| Condition {
        kind: it.kind.to_owned(),
        status: it.holds,
        reason: it.reason.clone(),
        message: it.message.clone(),
        last_transition_time: match known(it.kind) {
            Some(known) if known.status == it.holds => known.last_transition_time.clone(),
            _ => now.to_owned(),
        },
        observed_generation: generation,
    };
    let conditions: Vec<Condition> = drafts.iter().map(condition).collect();
    let is_there = conditions.iter().all(|it| known(&it.kind) == Some(it));
    let status = Status { observed_generation: generation, conditions };
    (!is_there).then(|| Due { kind, name: resource.name_any(), status })
}

/// Whether a resource is taken; the fleet is taken as a whole or not at all.
fn accepted(origin: &str, refused: Option<&Problems>) -> Draft {
    let (holds, reason, message) = match refused {
        None => (Holds::True, "Accepted", "it is in force".to_owned()),
        Some(problems) => {
            let own: Vec<String> = problems
                .iter()
                .filter(|it| it.file.as_os_str() == origin)
                .map(|it| match it.key.is_empty() {
                    true => it.message.clone(),
                    false => format!("{}: {}", it.key, it.message),
                })
                .collect();
            match own.is_empty() {
                false => (Holds::False, "Invalid", own.join("\n")),
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
    Draft { kind: "Accepted", holds, reason: reason.to_owned(), message }
}

/// Whether a site's cluster can be worked with.
fn ready(name: &str, fleet: Option<&FleetNow>) -> Draft {
    let site = fleet.and_then(|it| it.sites.iter().find(|it| it.site == name));
    let (holds, reason, message) = match site.map(|it| (&it.trouble, &it.cluster)) {
        Some((Some((trouble, _)), _)) => {
            (Holds::False, words(&trouble.kind), format!("the cluster {}", trouble.message))
        }
        Some((None, Some(cluster))) => {
            (Holds::True, "Reachable".to_owned(), format!("Kubernetes {}", cluster.version))
        }
        _ => (Holds::Unknown, "NotAskedYet".to_owned(), UNASKED.to_owned()),
    };
    Draft { kind: "Ready", holds, reason, message }
}

/// Whether an app is as it is wanted, wherever it is.
fn synced(name: &str, fleet: Option<&FleetNow>) -> Draft {
    let state = |site: &SiteNow| {
        let app = site.apps.iter().find(|it| it.status.app == name)?;
        // What was seen last of a site that is away says nothing of now.
        Some(if site.trouble.is_some() { AppState::Unknown } else { app.state })
    };
    let sites = fleet.map(|it| it.sites.as_slice()).unwrap_or_default();
    let states: Vec<(&str, AppState)> =
        sites.iter().filter_map(|it| Some((it.site.as_str(), state(it)?))).collect();
    let mut worst = None;
    let mut told = Vec::new();
    for (kind, holds, reason) in [
        (AppState::Drifted, Holds::False, "Drifted"),
        (AppState::Outdated, Holds::False, "Outdated"),
        (AppState::Unknown, Holds::Unknown, "Unknown"),
        (AppState::InSync, Holds::True, "InSync"),
    ] {
        let on: Vec<&str> = states.iter().filter(|it| it.1 == kind).map(|it| it.0).collect();
        if on.is_empty() {
            continue;
        }
        worst.get_or_insert((holds, reason));
        let more = on.len().saturating_sub(MOST);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let on = on.into_iter().take(MOST).collect::<Vec<_>>().join(", ");
        told.push(format!("{} on {on}{more}", kind.label()));
    }
    let (holds, reason) = worst.unwrap_or((Holds::Unknown, "NotAskedYet"));
    if told.is_empty() {
        told.push(UNASKED.to_owned());
    }
    Draft { kind: "Synced", holds, reason: reason.to_owned(), message: told.join("; ") }
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
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fleet::controller::{AppNow, HealingNow};
    use crate::fleet::report::{ClusterReport, Trouble};
    use crate::fleet::spec::Drift;
    use crate::fleet::status::AppStatus;
    use crate::model::Timestamp;
    use crate::settings::Document;

    const NOW: &str = "2026-01-02T00:00:00Z";

    fn resource<T: serde::de::DeserializeOwned>(kind: &str, name: &str) -> T {
        serde_json::from_value(json!({
            "apiVersion": "farol.dev/v1alpha1", "kind": kind, "spec": {},
            "metadata": {"name": name, "namespace": "farol", "generation": 3},
        }))
        .unwrap()
    }

    fn listed() -> Listed {
        Listed {
            sites: vec![resource("Site", "seattle")],
            apps: vec![resource("FleetApp", "shop")],
            rollouts: vec![resource("Rollout", "fleet")],
        }
    }

    fn site(name: &str, trouble: Option<&str>, app: Option<AppState>) -> SiteNow {
        let trouble = trouble.map(|it| {
            let message = "is another cluster".to_owned();
            (Trouble { kind: it.to_owned(), message }, Timestamp(0))
        });
        let app = app.map(|state| AppNow {
            status: AppStatus { app: "shop".to_owned(), ..AppStatus::default() },
            state,
            since: Timestamp(0),
            looked_at: Timestamp(0),
            healing: HealingNow::default(),
        });
        SiteNow {
            site: name.to_owned(),
            cluster: Some(ClusterReport { uid: "u".to_owned(), version: "v1.36.1".to_owned() }),
            trouble,
            apps: app.into_iter().collect(),
            ..SiteNow::default()
        }
    }

    fn told(due: &[Due]) -> Vec<String> {
        let condition = |it: &Condition| {
            let (kind, holds, reason) = (&it.kind, it.status, &it.reason);
            format!("{kind} {holds:?} {reason} {}", it.message).trim_end().to_owned()
        };
        let all = due.iter().flat_map(|due| {
            let conditions = due.status.conditions.iter();
            conditions.map(|it| format!("{} {}", due.name, condition(it)))
        });
        all.collect()
    }

    #[test]
    fn sites_and_apps_tell_how_they_are() {
        use AppState::{Drifted, InSync, Outdated, Unknown};
        let seattle = |app| site("seattle", None, app);
        for (sites, ready, synced) in [
            (
                vec![],
                "Unknown NotAskedYet no cluster has answered so far",
                "Unknown NotAskedYet no cluster has answered so far",
            ),
            (
                vec![seattle(Some(InSync))],
                "True Reachable Kubernetes v1.36.1",
                "True InSync in_sync on seattle",
            ),
            (
                vec![seattle(Some(InSync)), site("orlando", None, Some(Drifted))],
                "True Reachable Kubernetes v1.36.1",
                "False Drifted drifted on orlando; in_sync on seattle",
            ),
            (
                vec![seattle(Some(Outdated)), site("orlando", None, Some(Unknown))],
                "True Reachable Kubernetes v1.36.1",
                "False Outdated outdated on seattle; unknown on orlando",
            ),
            (
                vec![site("seattle", Some("wrong cluster"), Some(InSync))],
                "False WrongCluster the cluster is another cluster",
                "Unknown Unknown unknown on seattle",
            ),
        ] {
            let fleet = FleetNow {
                drift: Drift::Report,
                sites: sites.into_iter().map(Into::into).collect(),
                skewed: Vec::new(),
            };
            let expected = [
                "seattle Accepted True Accepted it is in force".to_owned(),
                format!("seattle Ready {ready}"),
                "shop Accepted True Accepted it is in force".to_owned(),
                format!("shop Synced {synced}"),
                "fleet Accepted True Accepted it is in force".to_owned(),
            ];
            assert_eq!(told(&due(&listed(), None, Some(&fleet), NOW)), expected);
        }
        let many = (0..7).map(|it| site(&format!("s{it}"), None, Some(InSync)).into()).collect();
        let fleet = FleetNow { drift: Drift::Report, sites: many, skewed: Vec::new() };
        let told = told(&due(&listed(), None, Some(&fleet), NOW));
        assert!(told[3].ends_with("in_sync on s0, s1, s2, s3, s4 and 2 more"), "{told:?}");
    }

    #[test]
    fn what_is_refused_knows_why_and_the_others_too() {
        let problem = Document::empty("FleetApp farol/shop").root().lacks("source", "is missing");
        let problems = Problems::of(vec![problem]);
        let told = told(&due(&listed(), Some(&problems), None, NOW));
        let others = "Accepted False OthersInvalid what was accepted last stays in force, as something else is wrong: FleetApp farol/shop: source: is missing";
        let [site, _, app, _, rollout] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(*site, format!("seattle {others}"));
        assert_eq!(app, "shop Accepted False Invalid source: is missing");
        assert_eq!(*rollout, format!("fleet {others}"));
    }

    #[test]
    fn a_status_is_written_when_it_changes_and_knows_since_when_it_holds() {
        let mut listed = listed();
        let first = due(&listed, None, None, NOW);
        assert_eq!((first.len(), first[0].status.observed_generation), (3, Some(3)));
        assert_eq!(first[0].status.conditions[1].last_transition_time, NOW);
        let [site, app, rollout] = <[Due; 3]>::try_from(first).unwrap().map(|it| it.status);
        listed.sites[0].status = Some(site);
        listed.apps[0].status = Some(app);
        listed.rollouts[0].status = Some(rollout);
        assert_eq!(due(&listed, None, None, "2026-01-03T00:00:00Z"), []);
        let fleet = FleetNow {
            drift: Drift::Report,
            sites: vec![site_in_sync().into()],
            skewed: Vec::new(),
        };
        let next = due(&listed, None, Some(&fleet), "2026-01-03T00:00:00Z");
        let since = |it: &Due| {
            it.status
                .conditions
                .iter()
                .map(|it| it.last_transition_time.clone())
                .collect::<Vec<_>>()
        };
        let changed = [NOW.to_owned(), "2026-01-03T00:00:00Z".to_owned()];
        assert_eq!(next.iter().map(since).collect::<Vec<_>>(), [changed.clone(), changed]);
    }

    fn site_in_sync() -> SiteNow {
        site("seattle", None, Some(AppState::InSync))
    }
}
