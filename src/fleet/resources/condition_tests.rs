use std::path::Path;

use serde_json::json;

use super::*;
use crate::fleet::controller::{AppNow, HealingNow};
use crate::fleet::report::{ClusterReport, Trouble};
use crate::fleet::spec::{Described, Description, Drift};
use crate::fleet::status::AppStatus;
use crate::settings::Document;

const NOW: &str = "2026-01-02T00:00:00Z";
const LATER: &str = "2026-01-03T00:00:00Z";
const REACHABLE: &str = "True Reachable Kubernetes v1.36.1";
const NOT_YET: &str = "Unknown NotAskedYet no cluster has answered so far";

fn resource<T: serde::de::DeserializeOwned>(kind: &str, name: &str, generation: i64) -> T {
    serde_json::from_value(json!({
        "apiVersion": "farol.dev/v1alpha1", "kind": kind, "spec": {},
        "metadata": {"name": name, "namespace": "farol", "generation": generation},
    }))
    .unwrap()
}

/// An app on these sites, in force since a time and described in this generation.
fn seen(sites: &[&str], since: i64, generation: i64) -> Seen {
    let site = |it: &&str| format!("- {{ name: {it}, cluster: {{ kubeconfig: {it} }} }}\n");
    let sites: String = sites.iter().map(site).collect();
    let text = format!(
        "sites:\n{sites}apps:\n- {{ name: shop, namespace: shop, source: {{ manifests: shop }} }}\n"
    );
    let described = Description::parse(Path::new("fleet.yaml"), &text).unwrap();
    let Description::Whole(Described { fleet, .. }) = described else { panic!("{described:?}") };
    Seen {
        listed: Listed {
            sites: vec![resource("Site", "seattle", generation)],
            apps: vec![resource("FleetApp", "shop", generation)],
            rollouts: vec![resource("Rollout", "fleet", generation)],
        },
        refused: None,
        in_force: Some((Arc::new(fleet), Timestamp(since))),
    }
}

/// A site with the app in this state, as it was seen at a time.
fn site(name: &str, trouble: Option<&str>, app: Option<AppState>, at: i64) -> Arc<SiteNow> {
    let trouble = trouble.map(|it| {
        let message = "is another cluster".to_owned();
        (Trouble { kind: it.to_owned(), message }, Timestamp(0))
    });
    let app = app.map(|state| AppNow {
        status: AppStatus { app: "shop".to_owned(), ..AppStatus::default() },
        state,
        since: Timestamp(0),
        looked_at: Timestamp(at),
        healing: HealingNow::default(),
    });
    Arc::new(SiteNow {
        site: name.to_owned(),
        cluster: Some(ClusterReport { uid: "u".to_owned(), version: "v1.36.1".to_owned() }),
        trouble,
        answered_at: Some(Timestamp(at)),
        apps: app.into_iter().collect(),
        ..SiteNow::default()
    })
}

fn now(sites: Vec<Arc<SiteNow>>) -> FleetNow {
    FleetNow { drift: Drift::Report, sites, skewed: Vec::new() }
}

/// What has to be written: of which resource and generation which condition.
fn told(due: &[Due]) -> Vec<String> {
    let conditions =
        due.iter().flat_map(|it| it.status.conditions.iter().map(move |one| (it, one)));
    let told = conditions.map(|(due, it)| {
        let (name, generation) = (&due.of.1, it.observed_generation.unwrap_or_default());
        let (kind, holds, reason) = (&it.kind, it.status, &it.reason);
        format!("{name}/{generation} {kind} {holds:?} {reason} {}", it.message)
    });
    told.collect()
}

fn first(seen: &Seen, fleet: &FleetNow) -> Vec<String> {
    told(&due(seen, Some(fleet), &HashMap::new(), NOW))
}

#[test]
fn sites_and_apps_tell_how_they_are() {
    use AppState::{Drifted, InSync, Outdated, Unknown};
    let seattle = |app| site("seattle", None, Some(app), 5);
    let orlando = |app| site("orlando", None, app, 5);
    for (sites, ready, synced) in [
        (vec![], NOT_YET, NOT_YET),
        (
            vec![seattle(InSync), orlando(Some(InSync))],
            REACHABLE,
            "True InSync in_sync on seattle, orlando",
        ),
        (
            vec![seattle(InSync), orlando(Some(Drifted))],
            REACHABLE,
            "False Drifted drifted on orlando; in_sync on seattle",
        ),
        (
            vec![seattle(Outdated), orlando(Some(Unknown))],
            REACHABLE,
            "False Outdated outdated on seattle; unknown on orlando",
        ),
        // Sites that should have it count, whether or not anybody has looked there.
        (vec![seattle(InSync), orlando(None)], REACHABLE, NOT_YET),
        (vec![seattle(InSync)], REACHABLE, NOT_YET),
        (
            vec![site("seattle", Some("wrong cluster"), Some(InSync), 5), orlando(Some(InSync))],
            "False WrongCluster the cluster is another cluster",
            "Unknown Unknown unknown on seattle; in_sync on orlando",
        ),
    ] {
        let expected = [
            "seattle/3 Accepted True Accepted it is in force".to_owned(),
            format!("seattle/3 Ready {ready}"),
            "shop/3 Accepted True Accepted it is in force".to_owned(),
            format!("shop/3 Synced {synced}"),
            "fleet/3 Accepted True Accepted it is in force".to_owned(),
        ];
        assert_eq!(first(&seen(&["seattle", "orlando"], 5, 3), &now(sites)), expected);
    }
    let names: Vec<String> = (0..7).map(|it| format!("s{it}")).collect();
    let sites = names.iter().map(|it| site(it, None, Some(InSync), 5)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let told = first(&seen(&names, 5, 3), &now(sites));
    assert!(told[3].ends_with("in_sync on s0, s1, s2, s3, s4 and 2 more"), "{told:?}");
}

#[test]
fn what_is_refused_knows_why_and_the_others_too() {
    let problem = |key: String| Document::empty("FleetApp farol/shop").root().lacks(&key, "is bad");
    let refused = |count: usize| {
        let problems = (0..count).map(|it| problem(format!("k{it}"))).collect();
        Seen { refused: Some(Problems::of(problems)), ..seen(&["seattle"], 5, 3) }
    };
    let told = told(&due(&refused(1), None, &HashMap::new(), NOW));
    let others = "Accepted False OthersInvalid what was accepted last stays in force, as something else is wrong: FleetApp farol/shop: k0: is bad";
    let [site, _, app, _, rollout] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(*site, format!("seattle/3 {others}"));
    assert_eq!(app, "shop/3 Accepted False Invalid k0: is bad");
    assert_eq!(*rollout, format!("fleet/3 {others}"));
    let many = due(&refused(1000), None, &HashMap::new(), NOW);
    let message = &many[1].status.conditions[0].message;
    assert!(message.ends_with("k4: is bad and 995 more"), "{message}");
}

#[test]
fn a_status_is_written_when_it_changes_and_knows_since_when_it_holds() {
    let seen = seen(&["seattle"], 5, 3);
    let fleet = |state| now(vec![site("seattle", None, Some(state), 5)]);
    let before = due(&seen, Some(&fleet(AppState::InSync)), &HashMap::new(), NOW);
    assert_eq!((before.len(), before[0].status.observed_generation), (3, Some(3)));
    let written: HashMap<Name, Status> = before.into_iter().map(|it| (it.of, it.status)).collect();
    assert_eq!(due(&seen, Some(&fleet(AppState::InSync)), &written, LATER), []);
    let after = due(&seen, Some(&fleet(AppState::Drifted)), &written, LATER);
    let [Due { of, status }] = after.as_slice() else { panic!("{after:?}") };
    let since: Vec<&str> =
        status.conditions.iter().map(|it| it.last_transition_time.as_str()).collect();
    assert_eq!((of.1.as_str(), since), ("shop", vec![NOW, LATER]));
}

#[test]
fn how_things_are_is_told_of_the_generation_that_was_looked_at() {
    let written = |seen: &Seen, fleet: &FleetNow| -> HashMap<Name, Status> {
        due(seen, Some(fleet), &HashMap::new(), NOW)
            .into_iter()
            .map(|it| (it.of, it.status))
            .collect()
    };
    let before = now(vec![site("seattle", None, Some(AppState::InSync), 5)]);
    let written = written(&seen(&["seattle"], 5, 3), &before);
    // The next generation is in force, and nobody has looked since.
    let next = seen(&["seattle"], 9, 4);
    let waiting = told(&due(&next, Some(&before), &written, LATER));
    assert_eq!(waiting[1], format!("seattle/4 Ready {NOT_YET}"));
    assert_eq!(waiting[3], format!("shop/4 Synced {NOT_YET}"));
    let after = now(vec![site("seattle", None, Some(AppState::InSync), 9)]);
    let done = told(&due(&next, Some(&after), &written, LATER));
    assert_eq!(done[3], "shop/4 Synced True InSync in_sync on seattle");
    // It is refused: what is told is about the one before.
    let problem = Document::empty("Rollout farol/fleet").root().problem("is bad");
    let refused = Seen { refused: Some(Problems::of(vec![problem])), ..seen(&["seattle"], 5, 4) };
    let told = told(&due(&refused, Some(&before), &written, LATER));
    assert_eq!(told[3], "shop/3 Synced True InSync in_sync on seattle");
}
