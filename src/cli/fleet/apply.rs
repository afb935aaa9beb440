use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::alone::alone_on;
use super::plan::{Force, report};
use super::show::{Detail, plan_text};
use super::{Chosen, Looked, Which, mask, plain};
use crate::cli::{complain, say};
use crate::fleet::apply::{Patience, Progress, apply};
use crate::fleet::plan::Forced;
use crate::fleet::report::{FleetPlan, SitePlan};
use crate::settings::parse_duration;

/// Bring the sites to what the fleet's description says
///
/// One site after the other, in the order of the description; where one fails, those after it are left alone. Applies server-side as field
/// manager `farol`, waits until everything is ready, then removes what nobody wants any more. What is as it is wanted is not written.
#[derive(Args, Debug)]
pub(super) struct Apply {
    /// Only what this plan says, as `farol fleet plan --out` wrote it; refused where the world has moved since
    #[arg(value_name = "PLAN")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    force: Force,
    /// How long everything may take to get ready, for each app on each site
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    timeout: Duration,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a time like 10m".to_owned())
}

impl Apply {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let given = self.plan.as_deref().map(read_plan).transpose()?;
        let (chosen, forced) = match &given {
            Some(plan) => (
                self.which.read()?.within(plan),
                Forced { fields: plan.forced.clone(), all: false },
            ),
            None => (self.which.read()?, self.force.taken()),
        };
        let mask = mask()?;
        let mut surveyed = chosen.survey(&forced).await;
        let mut plan = report(&surveyed, &mask, &forced);
        if let Some(given) = &given {
            still_holds(given, &plan)?;
        } else {
            say(plan_text(&plan, Detail::Folded).trim_end())?;
            if plan.steps() > 0 && !self.yes {
                if !agreed()? {
                    say("nothing was done")?;
                    return Ok(ExitCode::FAILURE);
                }
                // It may have taken hours to answer.
                surveyed = chosen.survey(&forced).await;
                let shown = std::mem::replace(&mut plan, report(&surveyed, &mask, &forced));
                still_holds(&shown, &plan)?;
            }
        }
        let refused = plan.sites.iter().flat_map(|it| &it.apps);
        let refused = refused.filter(|it| it.error.is_some() || !it.refused.is_empty()).count();
        if refused > 0 {
            bail!("nothing was done, as {refused} apps can't be applied; see `farol fleet plan`");
        }
        let patience = Patience { ready: self.timeout, ..Patience::default() };
        let (mut troubled, mut done) = (0, 0);
        for (site, looked) in &surveyed {
            match looked {
                Err(error) => {
                    complain(&plain(&format!("{}: the cluster {error}; left alone", site.name)));
                    troubled += 1;
                }
                Ok(looked) if is_done(looked) => {}
                Ok(looked) => {
                    done += apply_alone(&chosen, looked, &forced, patience).await?;
                }
            }
        }
        say(&format!("done: {done} steps"))?;
        Ok(if troubled > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// Whether nothing is to be done on a site.
fn is_done((_, apps): &Looked) -> bool {
    apps.iter().all(|(_, planned)| planned.as_ref().is_ok_and(|it| it.plan.is_empty()))
}

/// Applies what is planned on a site, while no other companion changes it.
async fn apply_alone(
    chosen: &Chosen,
    looked: &Looked,
    forced: &Forced,
    patience: Patience,
) -> anyhow::Result<usize> {
    let mut tell = |text: &str| complain(&plain(text));
    let work = |has_waited| async move {
        if has_waited && !chosen.still_plans(looked, forced).await {
            bail!("{} was changed meanwhile; plan again", looked.0.site.name);
        }
        apply_site(looked, patience).await
    };
    alone_on(&looked.0, &mut tell, work).await?
}

/// Applies what is planned on a site. Gives how many steps were done.
async fn apply_site((reached, apps): &Looked, patience: Patience) -> anyhow::Result<usize> {
    let mut done = 0;
    for (app, planned) in apps {
        let Ok(planned) = planned else { continue };
        let name = format!("{} {app}", reached.site.name);
        let mut tell = |progress: Progress<'_>| {
            done += usize::from(matches!(progress, Progress::Done(_)));
            // Who reads along may have gone away: the work goes on.
            let _ = say(&plain(&format!("{name}: {progress}")));
        };
        apply(&reached.cluster, &planned.plan, &planned.ready, patience, &mut tell)
            .await
            .with_context(|| {
                format!("{name} failed; sites after {} were left alone", reached.site.name)
            })?;
    }
    Ok(done)
}

fn read_plan(file: &Path) -> anyhow::Result<FleetPlan> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("could not read the plan {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!("{} is no plan; write one with `farol fleet plan --out`", file.display())
    })
}

/// Makes sure that what was planned is what would be planned now.
fn still_holds(old: &FleetPlan, new: &FleetPlan) -> anyhow::Result<()> {
    let digests = |plan: &FleetPlan| {
        let apps = plan.sites.iter().flat_map(|site| site.apps.iter().map(move |it| (site, it)));
        let uid = |site: &SitePlan| site.cluster.as_ref().map(|it| it.uid.clone());
        apps.map(|(site, app)| {
            let name = format!("{} on {}", app.app, site.site);
            (name, (uid(site), app.digest.clone(), app.refused.clone()))
        })
        .collect::<BTreeMap<_, _>>()
    };
    let (old, new) = (digests(old), digests(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let moved: Vec<&str> =
        names.into_iter().filter(|it| old.get(*it) != new.get(*it)).map(String::as_str).collect();
    if moved.is_empty() {
        return Ok(());
    }
    bail!(
        "nothing was done: the world or the source has moved since the plan was made: {}; plan again",
        moved.join(", ")
    )
}

fn agreed() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nothing was done: nobody can be asked here; give a plan file, or --yes");
    }
    let mut out = io::stdout().lock();
    write!(out, "Apply this? [y/N] ").and_then(|()| out.flush()).context("could not ask")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("could not read the answer")?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
