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
use super::{Chosen, Looked, Shown, Which, mask, plain};
use crate::cli::complain;
use crate::fleet::apply::{Patience, Progress, apply};
use crate::fleet::outcome::{Outcome, SiteOutcome};
use crate::fleet::plan::Forced;
use crate::fleet::report::{FleetPlan, SitePlan};
use crate::settings::parse_duration;

/// Bring the sites to what the fleet's description says
///
/// One site after the other, in the order of the description; where one fails, those after it are left alone. Applies server-side as field
/// manager `farol`, waits until everything is ready, then removes what nobody wants any more. What is as it is wanted is not written.
/// For programs (`-o json`) one document comes at the end, with what was done and what was not; what happens meanwhile goes to standard error.
#[derive(Args, Debug)]
pub(super) struct Apply {
    /// Only what this plan says, as `farol fleet plan --out` wrote it; refused where the world has moved since
    #[arg(value_name = "PLAN")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shown: Shown,
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
        let mut outcome = Outcome::default();
        let ended = self.bring(&mut outcome).await;
        if !self.shown.is_for_people() {
            outcome.error = ended.as_ref().err().map(|it| format!("{it:#}"));
            let json = serde_json::to_string(&outcome).context("the outcome is no JSON")?;
            self.shown.output.show(&json, String::new)?;
        }
        ended
    }

    /// Brings the sites there, and notes what was done.
    async fn bring(&self, outcome: &mut Outcome) -> anyhow::Result<ExitCode> {
        let given = self.plan.as_deref().map(read_plan).transpose()?;
        let (chosen, forced) = match &given {
            Some(plan) => {
                (self.which.read().await?.within(plan), Forced::fields(plan.forced.clone()))
            }
            None => (self.which.read().await?, self.force.taken()),
        };
        let mask = mask()?;
        let mut surveyed = chosen.survey(&forced).await;
        let mut plan = report(&surveyed, &mask, &forced);
        *outcome = Outcome::before(&plan);
        if let Some(given) = &given {
            still_holds(given, &plan)?;
        } else {
            self.shown.tell(plan_text(&plan, Detail::Folded).trim_end())?;
            if plan.steps() > 0 && !self.yes {
                if !self.is_agreed()? {
                    self.shown.tell("nothing was done")?;
                    return Ok(ExitCode::FAILURE);
                }
                // It may have taken hours to answer.
                surveyed = chosen.survey(&forced).await;
                let shown = std::mem::replace(&mut plan, report(&surveyed, &mask, &forced));
                *outcome = Outcome::before(&plan);
                still_holds(&shown, &plan)?;
            }
        }
        let refused = plan.sites.iter().flat_map(|it| &it.apps);
        let refused = refused.filter(|it| it.error.is_some() || !it.refused.is_empty()).count();
        if refused > 0 {
            bail!("nothing was done, as {refused} apps can't be applied; see `farol fleet plan`");
        }
        let mut troubled = 0;
        for ((site, looked), outcome) in surveyed.iter().zip(&mut outcome.sites) {
            match looked {
                Err(error) => {
                    complain(&plain(&format!("{}: the cluster {error}; left alone", site.name)));
                    troubled += 1;
                }
                Ok(looked) if is_done(looked) => {}
                Ok(looked) => self.apply_alone(&chosen, looked, &forced, outcome).await?,
            }
        }
        self.shown.tell(&format!("done: {} steps", outcome.done()))?;
        Ok(if troubled > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Applies what is planned on a site, while no other companion changes it.
    async fn apply_alone(
        &self,
        chosen: &Chosen,
        looked: &Looked,
        forced: &Forced,
        outcome: &mut SiteOutcome,
    ) -> anyhow::Result<()> {
        let mut tell = |text: &str| complain(&plain(text));
        let work = |has_waited| async move {
            if has_waited && !chosen.still_plans(looked, forced).await {
                bail!("{} was changed meanwhile; plan again", looked.0.site.name);
            }
            self.apply_site(looked, outcome).await
        };
        alone_on(&looked.0, &mut tell, work).await?
    }

    /// Applies what is planned on a site.
    async fn apply_site(
        &self,
        (reached, apps): &Looked,
        outcome: &mut SiteOutcome,
    ) -> anyhow::Result<()> {
        let patience = Patience { ready: self.timeout, ..Patience::default() };
        for ((app, planned), outcome) in apps.iter().zip(&mut outcome.apps) {
            let Ok(planned) = planned else { continue };
            let name = format!("{} {app}", reached.site.name);
            let mut tell = |progress: Progress<'_>| {
                if matches!(progress, Progress::Done(_)) {
                    outcome.advance();
                }
                // Who reads along may have gone away: the work goes on.
                let _ = self.shown.tell(&plain(&format!("{name}: {progress}")));
            };
            let (cluster, plan) = (&reached.cluster, &planned.plan);
            let applied = apply(cluster, plan, &planned.ready, patience, &mut tell).await;
            if let Err(error) = &applied {
                outcome.error = Some(error.to_string());
            }
            applied.with_context(|| {
                format!("{name} failed; sites after {} were left alone", reached.site.name)
            })?;
        }
        Ok(())
    }

    fn is_agreed(&self) -> anyhow::Result<bool> {
        if !io::stdin().is_terminal() || !self.shown.is_for_people() {
            bail!("nothing was done: nobody can be asked here; give a plan file, or --yes");
        }
        let mut out = io::stdout().lock();
        write!(out, "Apply this? [y/N] ").and_then(|()| out.flush()).context("could not ask")?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).context("could not read the answer")?;
        Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
    }
}

/// Whether nothing is to be done on a site.
fn is_done((_, apps): &Looked) -> bool {
    apps.iter().all(|(_, planned)| planned.as_ref().is_ok_and(|it| it.plan.is_empty()))
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
