//! Every directory of `tests/data/fleet/plans` is a scenario: what was applied, what others wrote since, and what is wanted now; beside it
//! what `farol fleet plan` makes of it, for people and for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::server::Server;
use crate::cli::fleet::show::{Detail, plan_text};
use crate::fleet::cluster::Apis;
use crate::fleet::object::{Manifest, Object, Origin};
use crate::fleet::plan::{
    ApplySet, Forced, Mask, Observation, Observed, Proposed, Pruning, Scope, Wanted, fingerprint,
    plan, prepare,
};
use crate::fleet::report::{AppPlan, ClusterReport, FleetPlan, SitePlan};
use crate::fleet::site::Planned;

const PLANS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fleet/plans");
const SERVED: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fleet/apis/v1.36.json"));

/// A scenario. Where nothing was applied and nobody wrote anything, the namespace isn't there either.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What it shows.
    #[serde(rename = "about")]
    _about: String,
    /// What the source rendered to when it was applied last.
    #[serde(default)]
    applied: Vec<Value>,
    /// What others wrote since, in this order.
    #[serde(default)]
    others: Vec<Others>,
    /// What the source renders to now.
    #[serde(default)]
    wanted: Vec<Value>,
    /// The fields that are taken over.
    #[serde(default)]
    force: Vec<String>,
    /// The kinds that are removed too.
    #[serde(default)]
    prune_also: BTreeSet<String>,
    /// Why the server couldn't tell all that it serves.
    incomplete: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Others {
    /// These fields are written, or removed where they are null.
    Write { by: String, object: Value },
    /// An object is deleted.
    Delete(Value),
}

#[test]
fn plans_are_what_they_were() {
    let mut wrong = String::new();
    let mut scenarios: Vec<PathBuf> =
        fs::read_dir(PLANS).unwrap().map(|it| it.unwrap().path()).collect();
    scenarios.sort();
    assert!(scenarios.len() >= 10, "{scenarios:?}");
    for directory in scenarios {
        let text = fs::read_to_string(directory.join("scenario.yaml")).unwrap();
        let scenario = serde_saphyr::from_str(&text);
        let scenario = scenario.unwrap_or_else(|it| panic!("{}: {it}", directory.display()));
        let plan = planned(&scenario);
        let json = serde_json::to_string_pretty(&plan).unwrap() + "\n";
        for (file, made) in [("plan.txt", plan_text(&plan, Detail::Folded)), ("plan.json", json)] {
            hold(&directory.join(file), &made, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{wrong}if it should be so: UPDATE_GOLDEN=1 cargo test --lib golden");
}

/// Compares a text with that of a file; tells how they differ.
fn hold(file: &Path, made: &str, wrong: &mut String) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return fs::write(file, made).unwrap();
    }
    let golden = fs::read_to_string(file).unwrap_or_default();
    if golden == made {
        return;
    }
    let (old, new): (Vec<_>, Vec<_>) = (golden.lines().collect(), made.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - head;
    let tail =
        old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    writeln!(wrong, "{}, from line {}:", file.display(), head + 1).unwrap();
    let lines = |sign: char, lines: &[&str]| -> String {
        lines.iter().map(|it| format!("  {sign} {it}\n")).collect()
    };
    wrong.push_str(&lines(' ', &old[head.saturating_sub(3)..head]));
    wrong.push_str(&lines('-', &old[head..old.len() - tail]));
    wrong.push_str(&lines('+', &new[head..new.len() - tail]));
}

fn planned(scenario: &Scenario) -> FleetPlan {
    let mut apis = Apis::default();
    apis.aggregated(&serde_json::from_str(SERVED).unwrap());
    let set = ApplySet { app: "ratings".to_owned(), namespace: "shop".to_owned() };
    let forced = Forced::of(&scenario.force);
    let pruning = Pruning { enabled: true, also: scenario.prune_also.clone() };
    let observed = observed(scenario, &apis, &set);
    let planned = Planned {
        site: "seattle".parse().unwrap(),
        app: "ratings".parse().unwrap(),
        plan: plan(&observed, &pruning, &forced),
        ready: Vec::new(),
        skipped: Vec::new(),
        images: BTreeSet::new(),
        wanted: Vec::new(),
        secrets: Vec::new(),
        seen: BTreeMap::new(),
        applied_at: None,
    };
    let app = AppPlan::of(&"ratings".parse().unwrap(), &Ok(planned), &Mask::new(&[7; 32]));
    let cluster = ClusterReport { uid: observed.cluster, version: "v1.36.0".to_owned() };
    let site = "seattle".to_owned();
    let site = SitePlan { site, cluster: Some(cluster), error: None, apps: vec![app] };
    FleetPlan { sites: vec![site], forced: forced.fields }
}

fn observed(scenario: &Scenario, apis: &Apis, set: &ApplySet) -> Observed {
    let prepared = |objects: &[Value]| {
        let manifest = |it: &Value| Manifest {
            object: Object::new(it.clone()).unwrap(),
            origin: Origin { from: Arc::new(PathBuf::from("ratings.yaml")), line: None },
        };
        prepare(objects.iter().map(manifest).collect(), apis, set).unwrap()
    };
    let object = |it: &Value| {
        let mut object = Object::new(it.clone()).unwrap();
        object.set_namespace(&set.namespace);
        object
    };
    let mut server = Server::default();
    let applied = prepared(&scenario.applied);
    applied.iter().for_each(|it| server.apply(&it.manifest.object));
    for it in &scenario.others {
        match it {
            Others::Write { by, object: it } => server.write(by, &object(it)),
            Others::Delete(it) => server.delete(&object(it).key()),
        }
    }
    let objects = applied.iter().map(|it| &it.manifest.object);
    let scope = Scope::of(objects.clone()).without(&set.namespace);
    let parent = (!applied.is_empty()).then(|| set.parent(&scope, Some(&fingerprint(objects))));
    let is_missing = server.is_empty();
    let observe = |wanted: Wanted| {
        let object = &wanted.manifest.object;
        let is_later = apis.of(object).is_err() || (is_missing && object.namespace().is_some());
        let proposed = if is_later { Proposed::Later } else { server.propose(object) };
        Observation { live: server.get(&object.key()), proposed, wanted }
    };
    let members = server.all().into_iter().filter(|it| set.has(it));
    let resource = |kind: &str| apis.find("", "v1", kind).unwrap().clone();
    Observed {
        cluster: "6f1c2c0e-8a55-4c7e-9d20-0f8f6b7f2a11".to_owned(),
        set: set.clone(),
        parent: (resource("ConfigMap"), parent),
        missing_namespace: is_missing.then(|| resource("Namespace")),
        objects: prepared(&scenario.wanted).into_iter().map(observe).collect(),
        members: members.map(|it| (apis.of(&it).unwrap().clone(), it)).collect(),
        incomplete: scenario.incomplete.clone(),
    }
}
