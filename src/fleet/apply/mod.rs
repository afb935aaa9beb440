//! Carrying out a plan: step by step, dull. What can be decided was decided by the planner.

mod ready;

use std::fmt;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

pub use self::ready::{Readiness, readiness};
use super::cluster::{AT_ONCE, Apply, Cluster, ClusterError, Deletion, Resource};
use super::object::{Object, ObjectKey};
use super::plan::{Action, HANDOVER, MANAGER, Phase, Plan, Refusal, Step, bare};

/// From one look at what is waited for to the next.
const LOOK: Duration = Duration::from_secs(1);
/// How long the last look may take, which begins when the time is over.
const LAST_LOOK: Duration = Duration::from_secs(5);
/// How often something is tried on an object that changes in the very moment.
const TRIES: usize = 10;
/// The pauses between tries while a server is away; the last one again and again.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For everything to be ready.
    pub ready: Duration,
    /// For a server that is away to come back.
    pub server: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { ready: Duration::from_secs(600), server: Duration::from_secs(60) }
    }
}

/// What happens while a plan is carried out.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A step is done.
    Done(&'a Step),
    /// A step didn't go well, and is tried again.
    Again {
        /// Which one.
        step: &'a Step,
        /// Why.
        why: &'a ClusterError,
    },
    /// These are not ready yet, with what is waited for.
    Waiting {
        /// Which, and for what.
        what: &'a [(ObjectKey, String)],
        /// Since when.
        since: Instant,
    },
}

/// Why a plan wasn't carried out whole. Nothing is lost: what was done stays, and applying again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Nothing was done.
    #[error("nothing was done: {}", refusals(.0))]
    Refused(Vec<Refusal>),
    /// A step didn't go well.
    #[error("{} {}: the cluster {error}; {done} done, {} not done{}; mend it and apply again, which goes on from here", .step.action, .step.key, .left.len() + 1, names(.left))]
    Step {
        /// How many steps were done before.
        done: usize,
        /// Which one.
        step: Box<Step>,
        /// Why.
        error: ClusterError,
        /// What was to be done after it.
        left: Vec<ObjectKey>,
    },
    /// What was applied doesn't get ready.
    #[error("{error}; {done} done, {} not done{}; apply again, which goes on from here", .left.len(), names(.left))]
    Waiting {
        /// How many steps were done.
        done: usize,
        /// What goes wrong.
        error: WaitError,
        /// What was to be done when everything is ready.
        left: Vec<ObjectKey>,
    },
}

/// Why waiting ended before everything was ready.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// An object has failed.
    #[error("{key} {why}")]
    Failed {
        /// Which.
        key: ObjectKey,
        /// Why.
        why: String,
    },
    /// Objects aren't ready in time.
    #[error("not ready after {} s: {}", .after.as_secs(), waiting(.what))]
    NotReady {
        /// Which, and what is waited for.
        what: Vec<(ObjectKey, String)>,
        /// How long was waited.
        after: Duration,
    },
    /// It can't be told whether objects are ready.
    #[error("can't tell whether everything is ready: the cluster {0}")]
    Blind(ClusterError),
}

/// Carries out a plan, and waits until these objects are ready before anything is removed.
///
/// # Errors
/// When a step doesn't go well or something doesn't get ready; with what was done and what wasn't.
pub async fn apply(
    cluster: &Cluster,
    plan: &Plan,
    ready: &[(Resource, ObjectKey)],
    patience: Patience,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<(), ApplyError> {
    if !plan.refusals.is_empty() {
        return Err(ApplyError::Refused(plan.refusals.clone()));
    }
    let is_cleaning_up = |it: &Step| {
        matches!(it.action, Action::Delete { .. })
            || (matches!(it.action, Action::Record { .. }) && it.phase == Phase::Others)
    };
    let first_removal = plan.steps.iter().position(is_cleaning_up).unwrap_or(plan.steps.len());
    let mut defined = Vec::new();
    for (done, step) in plan.steps.iter().enumerate().take(first_removal) {
        if step.phase > Phase::Definitions && !defined.is_empty() {
            let waited = wait(cluster, &defined, patience, tell).await;
            waited.map_err(|error| stopped(plan, done, error))?;
            defined.clear();
        }
        take(cluster, plan, done, patience, tell).await?;
        if step.phase == Phase::Definitions && !matches!(step.action, Action::Record { .. }) {
            defined.push((step.resource.clone(), step.key.clone()));
        }
    }
    let waited = wait(cluster, ready, patience, tell).await;
    waited.map_err(|error| stopped(plan, first_removal, error))?;
    for done in first_removal..plan.steps.len() {
        take(cluster, plan, done, patience, tell).await?;
    }
    Ok(())
}

/// Takes one step, again and again while the server is away.
async fn take(
    cluster: &Cluster,
    plan: &Plan,
    index: usize,
    patience: Patience,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<(), ApplyError> {
    let step = &plan.steps[index];
    let since = Instant::now();
    let mut pauses = PAUSES.iter().chain(std::iter::repeat(&PAUSES[PAUSES.len() - 1]));
    loop {
        let Err(error) = once(cluster, step).await else {
            tell(Progress::Done(step));
            return Ok(());
        };
        // A kind that was established a moment ago isn't served everywhere yet.
        let is_new = matches!(step.action, Action::Create { after: None, .. })
            && matches!(error, ClusterError::NotFound(_));
        if (error.is_passing() || is_new) && since.elapsed() < patience.server {
            tell(Progress::Again { step, why: &error });
            sleep(pauses.next().copied().unwrap_or(LOOK)).await;
            continue;
        }
        let left = plan.steps.iter().skip(index + 1).map(|it| it.key.clone()).collect();
        return Err(ApplyError::Step { done: index, step: Box::new(step.clone()), error, left });
    }
}

/// What is told when waiting ends it after so many steps.
fn stopped(plan: &Plan, done: usize, error: WaitError) -> ApplyError {
    let left = plan.steps.iter().skip(done).map(|it| it.key.clone()).collect();
    ApplyError::Waiting { done, error, left }
}

async fn once(cluster: &Cluster, step: &Step) -> Result<(), ClusterError> {
    let apply = |manager, force| Apply { manager, force, dry_run: false };
    let resource = &step.resource;
    match &step.action {
        Action::CreateNamespace { wanted } => cluster.create(resource, wanted).await,
        Action::Create { wanted, .. } | Action::Record { wanted } => {
            cluster.apply(resource, wanted, apply(MANAGER, false)).await.map(drop)
        }
        Action::Change { wanted, taken, .. } if taken.is_empty() => {
            cluster.apply(resource, wanted, apply(MANAGER, false)).await.map(drop)
        }
        // What is forced is forced on what was looked at, and on nothing else.
        Action::Change { wanted, before, .. } => {
            let is_planned = |live: &Object| bare(live) == bare(before);
            on_newest(cluster, step, is_planned, async |live| {
                let wanted = at_version_of(wanted, &live);
                cluster.apply(resource, &wanted, apply(MANAGER, true)).await.map(drop)
            })
            .await
        }
        Action::HandOver { wanted } => {
            on_newest(
                cluster,
                step,
                |_| true,
                async |live| {
                    let Some(replicas) = live.at("/spec/replicas") else { return Ok(()) };
                    let mut wanted = at_version_of(wanted, &live);
                    wanted.set(&["spec", "replicas"], replicas.clone());
                    cluster.apply(resource, &wanted, apply(HANDOVER, true)).await.map(drop)
                },
            )
            .await
        }
        Action::Delete { which, .. } => {
            let is_planned = |live: &Object| {
                let found = Deletion::of(live);
                (found.uid, found.set) == (which.uid.clone(), which.set.clone())
            };
            on_newest(cluster, step, is_planned, async |live| {
                let found = Deletion::of(&live);
                cluster.delete(resource, live.namespace(), live.name(), &found).await
            })
            .await
        }
    }
}

/// Does something to an object as it is now, if it still is what was planned for; again where it changes in that moment. One that is
/// gone needs nothing.
async fn on_newest(
    cluster: &Cluster,
    step: &Step,
    is_planned: impl Fn(&Object) -> bool,
    act: impl AsyncFn(Object) -> Result<(), ClusterError>,
) -> Result<(), ClusterError> {
    let mut tries = 0;
    loop {
        let (namespace, name) = (step.key.namespace.as_deref(), &step.key.name);
        let Some(live) = cluster.get(&step.resource, namespace, name).await? else { return Ok(()) };
        if !is_planned(&live) {
            return Err(ClusterError::Changed("plan again".to_owned()));
        }
        match act(live).await {
            // Its status is written every moment, perhaps.
            Err(ClusterError::Changed(_)) if tries < TRIES => tries += 1,
            done => return done,
        }
    }
}

/// An object that is only applied to this version of what is there.
fn at_version_of(wanted: &Object, live: &Object) -> Object {
    let mut wanted = wanted.clone();
    if let Some(version) = live.at("/metadata/resourceVersion") {
        wanted.set(&["metadata", "resourceVersion"], version.clone());
    }
    wanted
}

/// Waits until objects are ready.
async fn wait(
    cluster: &Cluster,
    objects: &[(Resource, ObjectKey)],
    patience: Patience,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<(), WaitError> {
    let since = Instant::now();
    let end = since + patience.ready;
    let mut waiting: Vec<&(Resource, ObjectKey)> = objects.iter().collect();
    let mut told: Vec<(ObjectKey, String)> = Vec::new();
    loop {
        let until = end.max(Instant::now() + LAST_LOOK);
        let Ok(looked) = timeout_at(until, look(cluster, &waiting)).await else {
            let unseen = |it: &&(Resource, ObjectKey)| (it.1.clone(), "did not answer".to_owned());
            let what = if told.is_empty() { waiting.iter().map(unseen).collect() } else { told };
            return Err(WaitError::NotReady { what, after: patience.ready });
        };
        let (still, what): (Vec<_>, Vec<_>) = looked?.into_iter().unzip();
        if what.is_empty() {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(WaitError::NotReady { what, after: patience.ready });
        }
        if what != told {
            tell(Progress::Waiting { what: &what, since });
            told = what;
        }
        waiting = still;
        // The last look is at the end, not before it.
        sleep_until((Instant::now() + LOOK).min(end)).await;
    }
}

/// Those of these objects that aren't ready, each with what is waited for.
async fn look<'a>(
    cluster: &Cluster,
    objects: &[&'a (Resource, ObjectKey)],
) -> Result<Vec<(&'a (Resource, ObjectKey), (ObjectKey, String))>, WaitError> {
    let ask = async |it: &'a (Resource, ObjectKey)| {
        let (resource, key) = it;
        let why = match cluster.get(resource, key.namespace.as_deref(), &key.name).await {
            Err(error) if error.is_passing() => error.to_string(),
            Err(error) => return Err(WaitError::Blind(error)),
            // A Job that has ended may be cleaned away at once.
            Ok(None) if key.kind.is("batch", "Job") => return Ok(None),
            Ok(None) => "is not there".to_owned(),
            Ok(Some(found)) => match readiness(&found) {
                Readiness::Ready => return Ok(None),
                Readiness::Failed(why) => return Err(WaitError::Failed { key: key.clone(), why }),
                Readiness::Waiting(why) => why,
            },
        };
        Ok(Some((it, (key.clone(), why))))
    };
    let looked = stream::iter(objects.iter().copied()).map(ask).buffered(AT_ONCE);
    looked.try_filter_map(async |it| Ok(it)).try_collect().await
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(step) => write!(f, "{} {}", step.action, step.key),
            Self::Again { step, why } => {
                write!(f, "{} {}: the cluster {why}; trying again", step.action, step.key)
            }
            Self::Waiting { what, since } => {
                write!(f, "waiting for {} since {} s", waiting(what), since.elapsed().as_secs())
            }
        }
    }
}

fn waiting(what: &[(ObjectKey, String)]) -> String {
    some(what.iter().map(|(key, why)| format!("{key} ({why})")))
}

fn names(left: &[ObjectKey]) -> String {
    match left.is_empty() {
        true => String::new(),
        false => format!(" ({})", some(left.iter().map(ToString::to_string))),
    }
}

fn refusals(refusals: &[Refusal]) -> String {
    some(refusals.iter().map(|it| format!("{} {}", it.key, it.why)))
}

/// The first of some things, and how many more there are.
fn some(things: impl Iterator<Item = String>) -> String {
    const MOST: usize = 5;
    let things: Vec<String> = things.collect();
    let first = things.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    match things.len().saturating_sub(MOST) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
