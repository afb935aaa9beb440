//! Carrying out a plan: step by step, dull. What can be decided was decided by the planner.

mod ready;

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub use self::ready::{Readiness, readiness};
use super::cluster::{Apply, Cluster, ClusterError, Resource};
use super::object::ObjectKey;
use super::plan::{Action, HANDOVER, MANAGER, Phase, Plan, Refusal, Step};

/// From one look at what is waited for to the next.
const LOOK: Duration = Duration::from_secs(1);
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
    /// An object has failed.
    #[error("{key} {why}; everything was applied, nothing was pruned; mend it and apply again")]
    Failed {
        /// Which.
        key: ObjectKey,
        /// Why.
        why: String,
    },
    /// Objects aren't ready in time.
    #[error("not ready after {} s: {}; everything was applied, nothing was pruned; apply again to go on waiting", .after.as_secs(), waiting(.what))]
    NotReady {
        /// Which, and what is waited for.
        what: Vec<(ObjectKey, String)>,
        /// How long was waited.
        after: Duration,
    },
    /// It can't be told whether objects are ready.
    #[error(
        "can't tell whether everything is ready: the cluster {0}; everything was applied, nothing was pruned; apply again"
    )]
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
            wait(cluster, &defined, patience, tell).await?;
            defined.clear();
        }
        take(cluster, plan, done, patience, tell).await?;
        if step.phase == Phase::Definitions && !matches!(step.action, Action::Record { .. }) {
            defined.push((step.resource.clone(), step.key.clone()));
        }
    }
    wait(cluster, ready, patience, tell).await?;
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
        let is_new = matches!(&step.action, Action::Create { after: None, .. })
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

async fn once(cluster: &Cluster, step: &Step) -> Result<(), ClusterError> {
    let apply = |manager, force| Apply { manager, force, dry_run: false };
    let (wanted, how) = match &step.action {
        Action::Delete { before, which } => {
            return cluster.delete(&step.resource, before.namespace(), before.name(), which).await;
        }
        Action::HandOver { wanted } => (wanted.clone(), apply(HANDOVER, true)),
        Action::Create { wanted, .. } | Action::Record { wanted } => {
            (wanted.clone(), apply(MANAGER, false))
        }
        Action::Change { wanted, before, taken, .. } => {
            let mut wanted = wanted.clone();
            // What is forced is forced on the very object that was looked at.
            if let Some(version) =
                before.at("/metadata/resourceVersion").filter(|_| !taken.is_empty())
            {
                wanted.set(&["metadata", "resourceVersion"], version.clone());
            }
            (wanted, apply(MANAGER, !taken.is_empty()))
        }
    };
    cluster.apply(&step.resource, &wanted, how).await.map(drop)
}

/// Waits until objects are ready.
async fn wait(
    cluster: &Cluster,
    objects: &[(Resource, ObjectKey)],
    patience: Patience,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<(), ApplyError> {
    let since = Instant::now();
    let mut waiting: Vec<&(Resource, ObjectKey)> = objects.iter().collect();
    let mut told: Vec<(ObjectKey, String)> = Vec::new();
    loop {
        let mut what = Vec::new();
        let mut still = Vec::new();
        for it in waiting {
            let (resource, key) = it;
            let found = match cluster.get(resource, key.namespace.as_deref(), &key.name).await {
                Ok(found) => found,
                Err(error) if error.is_passing() => {
                    what.push((key.clone(), error.to_string()));
                    still.push(it);
                    continue;
                }
                Err(error) => return Err(ApplyError::Blind(error)),
            };
            match found.as_ref().map(readiness) {
                Some(Readiness::Ready) => {}
                Some(Readiness::Failed(why)) => {
                    return Err(ApplyError::Failed { key: key.clone(), why });
                }
                Some(Readiness::Waiting(why)) => {
                    what.push((key.clone(), why));
                    still.push(it);
                }
                None => {
                    what.push((key.clone(), "is not there".to_owned()));
                    still.push(it);
                }
            }
        }
        if what.is_empty() {
            return Ok(());
        }
        if since.elapsed() >= patience.ready {
            return Err(ApplyError::NotReady { what, after: patience.ready });
        }
        if what != told {
            tell(Progress::Waiting { what: &what, since });
            told = what;
        }
        waiting = still;
        sleep(LOOK).await;
    }
}

impl Progress<'_> {
    /// Whether it is worth a line of its own on paper, not only on a screen.
    pub const fn is_news(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Again { .. })
    }
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
