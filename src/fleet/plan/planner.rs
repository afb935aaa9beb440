//! From what is wanted and what is there to the steps between them.

use std::collections::BTreeSet;

use super::digest::is_secret;
use super::prune::{other_tool, stays};
use super::{
    Action, ApplySet, Forced, HANDOVER, Phase, Pruning, Scope, Step, Wanted, bare, changes, digest,
    fingerprint, has_field, own_fields, place,
};
use crate::fleet::cluster::{Conflict, Deletion, Resource};
use crate::fleet::object::{Object, ObjectKey};

/// What the server says would come of applying an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposed {
    /// This.
    Would(Object),
    /// It can't say before its namespace or its kind is there, which is to come with the same plan.
    Later,
    /// It belongs to others, in part; and this would come of forcing it.
    Conflicts(Vec<Conflict>, Box<Object>),
    /// It refuses it.
    Refused(String),
}

/// A wanted object, and what was seen of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// What is wanted.
    pub wanted: Wanted,
    /// What is there.
    pub live: Option<Object>,
    /// What would come of applying it.
    pub proposed: Proposed,
}

/// Everything that was seen in a cluster of one app.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The cluster's UID.
    pub cluster: String,
    /// The app's set.
    pub set: ApplySet,
    /// The set's parent, and how the cluster serves it.
    pub parent: (Resource, Option<Object>),
    /// The namespace's resource, if the set's namespace isn't there yet.
    pub missing_namespace: Option<Resource>,
    /// The objects that are wanted.
    pub objects: Vec<Observation>,
    /// The members that were found, wanted or not.
    pub members: Vec<(Resource, Object)>,
    /// Why there may be more of them: what the server couldn't say of itself. Nothing is removed then.
    pub incomplete: Option<String>,
}

/// Why a plan can't be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// On account of what.
    pub key: ObjectKey,
    /// Why, and what to do.
    pub why: String,
    /// What it is and what it should be, where others have changed what was the companion's.
    pub drifted: Option<Box<(Object, Object)>>,
}

/// An object of the set that nobody wants any more and that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    /// Which one.
    pub key: ObjectKey,
    /// Why.
    pub why: String,
}

/// What has to be done in one cluster for one app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// How many objects are as they are wanted.
    pub unchanged: usize,
    /// What nobody wants any more, and stays.
    pub stays: Vec<Stays>,
    /// Why nothing of it can be done.
    pub refusals: Vec<Refusal>,
    /// What it saw and what it would do, in short. Another one means that the world, or the source, has moved.
    pub digest: String,
    /// Whether what is wanted is what was applied last: what differs from it then was changed by others.
    pub is_applied: bool,
}

/// Plans.
pub fn plan(observed: &Observed, pruning: &Pruning, forced: &Forced) -> Plan {
    let mut plan = Plan::default();
    if let Some(resource) = &observed.missing_namespace {
        let wanted = Object::named("v1", "Namespace", None, &observed.set.namespace);
        plan.push(resource, wanted.key(), Action::CreateNamespace { wanted });
    }
    for observation in &observed.objects {
        plan.consider(observation, &observed.set, forced);
    }
    let gone = plan.prune(observed, pruning);
    plan.record(observed, &gone);
    plan.order();
    plan.digest = digest(&observed.cluster, &plan.steps);
    plan
}

/// Whether a Secret would get other values than we gave it: its description has moved. What somebody else has written is no more ours.
fn is_rotation(before: &Object, after: &Object) -> bool {
    let ours = own_fields(before).filter(|_| is_secret(before));
    let is_ours = |path: &str| ours.is_some_and(|it| has_field(it, path));
    ours.is_some() && changes(&bare(before), &bare(after)).iter().any(|it| is_ours(&it.path))
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.refusals.is_empty()
    }

    fn push(&mut self, resource: &Resource, key: ObjectKey, action: Action) {
        let phase = place(&key.kind).0;
        self.steps.push(Step { phase, key, resource: resource.clone(), action });
    }

    fn refuse(&mut self, key: ObjectKey, why: String) {
        self.refusals.push(Refusal { key, why, drifted: None });
    }

    fn consider(&mut self, observation: &Observation, set: &ApplySet, forced: &Forced) {
        let Observation { wanted: Wanted { manifest, resource, .. }, live, proposed } = observation;
        let (wanted, key) = (&manifest.object, manifest.object.key());
        if let Some(why) = live.as_ref().and_then(|it| belongs_elsewhere(it, set)) {
            let why =
                format!("{why}; take it out of the source ({}), or of theirs", manifest.origin);
            return self.refuse(key, why);
        }
        if live.as_ref().is_some_and(|it| it.at("/metadata/deletionTimestamp").is_some()) {
            let why = "is being deleted; wait until it is gone, or see which finalizer holds it"
                .to_owned();
            return self.refuse(key, why);
        }
        match (live, proposed) {
            (_, Proposed::Refused(why)) => self.refuse(key, format!("{why} ({})", manifest.origin)),
            (None, Proposed::Would(after)) => {
                let (wanted, after) = (wanted.clone(), Some(after.clone()));
                self.push(resource, key, Action::Create { wanted, after });
            }
            (_, Proposed::Later) => {
                self.push(resource, key, Action::Create { wanted: wanted.clone(), after: None });
            }
            (Some(live), Proposed::Would(after)) => {
                self.change(observation, live, after, Vec::new());
            }
            (live, Proposed::Conflicts(conflicts, after)) => {
                // What was handed over, and comes back into the source, is ours to take.
                let was_ours = |it: &Conflict| it.manager.starts_with(&format!("\"{HANDOVER}\""));
                let is_forced = |it: &&Conflict| was_ours(it) || forced.takes(&key, &it.field);
                let left: Vec<String> =
                    conflicts.iter().filter(|it| !is_forced(it)).map(ToString::to_string).collect();
                match live {
                    Some(live) if left.is_empty() => {
                        self.change(observation, live, after, conflicts.clone());
                    }
                    live => {
                        let why = format!(
                            "{}; take it out of the source ({}), or force it: --force-conflicts {}:FIELD",
                            left.join(", "),
                            manifest.origin,
                            slashed(&key),
                        );
                        let drifted =
                            live.as_ref().map(|it| Box::new((it.clone(), (**after).clone())));
                        self.refusals.push(Refusal { key, why, drifted });
                    }
                }
            }
        }
    }

    fn change(
        &mut self,
        observation: &Observation,
        live: &Object,
        after: &Object,
        taken: Vec<Conflict>,
    ) {
        let Wanted { manifest, resource, scaled, .. } = &observation.wanted;
        let wanted = &manifest.object;
        let is_same = bare(live) == bare(after) && own_fields(live) == own_fields(after);
        if is_same && taken.is_empty() {
            self.unchanged += 1;
            return;
        }
        if let Some(handover) = handover(wanted, live).filter(|_| *scaled) {
            self.push(resource, wanted.key(), Action::HandOver { wanted: handover });
        }
        let (wanted, before, after) = (wanted.clone(), live.clone(), after.clone());
        self.push(resource, wanted.key(), Action::Change { wanted, before, after, taken });
    }

    /// Plans the removal of what nobody wants any more. Gives what is gone then.
    fn prune(&mut self, observed: &Observed, pruning: &Pruning) -> BTreeSet<ObjectKey> {
        let mut gone = BTreeSet::new();
        let wanted: BTreeSet<ObjectKey> =
            observed.objects.iter().map(|it| it.wanted.manifest.object.key()).collect();
        for (resource, live) in &observed.members {
            // The same object may be served under two groups' names.
            let uid = live.at("/metadata/uid");
            let is_wanted = wanted.contains(&live.key())
                || observed.objects.iter().any(|it| {
                    uid.is_some() && it.live.as_ref().and_then(|it| it.at("/metadata/uid")) == uid
                });
            if is_wanted || live.at("/metadata/deletionTimestamp").is_some() {
                continue;
            }
            let key = live.key();
            let why = match (&observed.incomplete, wanted.is_empty()) {
                (Some(why), _) => {
                    Some(format!("the cluster does not tell all that it serves: {why}"))
                }
                (None, true) => Some("the source renders nothing, which prunes nothing".to_owned()),
                (None, false) => stays(live, pruning),
            };
            if let Some(why) = why {
                self.stays.push(Stays { key, why });
                continue;
            }
            gone.insert(key.clone());
            let (before, which) = (live.clone(), Deletion::of(live));
            self.push(resource, key, Action::Delete { before, which });
        }
        gone
    }

    /// Has the parent know of every kind before there are members of it, forget it only when there are none, and know at the end what was
    /// applied.
    fn record(&mut self, observed: &Observed, gone: &BTreeSet<ObjectKey>) {
        let wanted = observed.objects.iter().map(|it| &it.wanted.manifest.object);
        let described: Vec<_> = observed.objects.iter().map(|it| it.wanted.described()).collect();
        let is_now = fingerprint(described.iter().map(|it| &**it));
        let members = observed.members.iter().map(|it| &it.1);
        let staying = members.clone().filter(|it| !gone.contains(&it.key()));
        let (resource, parent) = &observed.parent;
        let noted = match parent.as_ref().map(|it| observed.set.scope(it)) {
            Some(Err(why)) => {
                let parent = observed.set.parent(&Scope::default(), None);
                return self.refuse(parent.key(), why.to_string());
            }
            Some(Ok(scope)) => Some(scope),
            None => None,
        };
        let during = Scope::of(wanted.clone().chain(members)).without(&observed.set.namespace);
        let after = Scope::of(wanted.chain(staying)).without(&observed.set.namespace);
        let during = noted.iter().fold(during, |all, it| all.joined(it));
        // Where members may be that nobody sees now, is not forgotten.
        let after = if observed.incomplete.is_some() { during.clone() } else { after };
        let was = parent.as_ref().and_then(ApplySet::applied);
        // What renders to nothing was hardly meant.
        let is_nothing = observed.objects.is_empty() && observed.missing_namespace.is_none();
        let is_noted = was == Some(is_now.as_str());
        let change = |it: &Step| match &it.action {
            Action::Change { before, after, .. } => is_rotation(before, after),
            _ => false,
        };
        let refused = self.refusals.iter().filter_map(|it| it.drifted.as_deref());
        let is_rotated = self.steps.iter().any(change)
            || refused.into_iter().any(|it| is_rotation(&it.0, &it.1));
        self.is_applied = is_nothing || (is_noted && !is_rotated);
        let key = observed.set.parent(&after, None).key();
        let mut record = |phase: Phase, scope: &Scope, applied: Option<&str>| {
            let action = Action::Record { wanted: observed.set.parent(scope, applied) };
            self.steps.push(Step { phase, key: key.clone(), resource: resource.clone(), action });
        };
        let nothing = after.kinds.is_empty() && noted.is_none();
        if !nothing && noted.as_ref() != Some(&during) {
            record(Phase::Definitions, &during, was);
        }
        if !nothing && (during != after || !(is_nothing || is_noted)) {
            record(Phase::Others, &after, Some(&is_now));
        }
    }

    /// Namespaces, the parent, everything else by its place, removals in the other direction, and the parent once more.
    fn order(&mut self) {
        let rank = |step: &Step| match &step.action {
            Action::Record { .. } if step.phase == Phase::Definitions => (1, (step.phase, 0), 0),
            Action::Record { .. } => (4, (step.phase, 0), 0),
            Action::Delete { .. } => (3, (step.phase, 0), 0),
            _ if step.phase == Phase::Namespaces => (0, (step.phase, 0), 0),
            Action::HandOver { .. } => (2, place(&step.key.kind), 0),
            _ => (2, place(&step.key.kind), 1),
        };
        self.steps.sort_by(|a, b| {
            let (one, other) = (rank(a), rank(b));
            let is_removal = one.0 == 3 && other.0 == 3;
            let reverse = || place(&b.key.kind).cmp(&place(&a.key.kind));
            let order =
                if is_removal { reverse() } else { (one.0, one.1).cmp(&(other.0, other.1)) };
            order.then_with(|| a.key.cmp(&b.key)).then_with(|| one.2.cmp(&other.2))
        });
    }
}

/// Whose an object is, if not this set's or anybody's.
pub fn belongs_elsewhere(live: &Object, set: &ApplySet) -> Option<String> {
    if set.has(live) {
        return None;
    }
    let other = live.label(super::PART_OF).filter(|it| *it != set.id());
    let other = other.map(|it| format!("another set has it ({it})"));
    other.or_else(|| other_tool(live))
}

/// An object as one names it on a command line: `Deployment/shop/web`.
fn slashed(key: &ObjectKey) -> String {
    let parts = [Some(&key.kind.kind), key.namespace.as_ref(), Some(&key.name)];
    parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("/")
}

/// What keeps a workload's replicas where the source had them until now and leaves them to an autoscaler from now on.
fn handover(wanted: &Object, live: &Object) -> Option<Object> {
    let had = own_fields(live)?.pointer("/f:spec/f:replicas").is_some();
    let has = wanted.at("/spec/replicas").is_some();
    let replicas = live.at("/spec/replicas").filter(|_| had && !has)?;
    let mut keep =
        Object::named(wanted.api_version(), wanted.kind(), wanted.namespace(), wanted.name());
    keep.set(&["spec", "replicas"], replicas.clone());
    Some(keep)
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
