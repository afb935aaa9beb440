use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::show::{Detail, plan_text};
use super::{Shown, Surveyed, Which, mask};
use crate::cli::say;
use crate::fleet::plan::{Forced, Mask};
use crate::fleet::report::{AppPlan, FleetPlan, SitePlan};

/// Say what has to be done for the sites to be as the fleet's description says
///
/// Nothing is changed. Each cluster is asked by a dry run what would come of it. Exit codes: 0 nothing to do, 2 changes, 1 an error.
#[derive(Args, Debug)]
pub(super) struct Plan {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shown: Shown,
    /// Write the plan into this file too, for `farol fleet apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
}

/// The same as plan, with all of what is new or goes
#[derive(Args, Debug)]
pub(super) struct Diff {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    force: Force,
}

#[derive(Args, Debug)]
pub(super) struct Force {
    /// Take this field over from whoever has it, as a conflict names it: .spec.replicas, or Deployment/shop/web:.spec.replicas for that
    /// of one object; may come again
    #[arg(long, value_name = "FIELD")]
    force_conflicts: Vec<String>,
}

impl Plan {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let plan = planned(&self.which, &self.force.taken()).await?;
        if let Some(file) = &self.out {
            write(&plan, file)
                .with_context(|| format!("could not write the plan to {}", file.display()))?;
        }
        show(&plan, self.shown, Detail::Folded)
    }
}

impl Diff {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let plan = planned(&self.which, &self.force.taken()).await?;
        show(&plan, self.shown, Detail::Whole)
    }
}

impl Force {
    pub(super) fn taken(&self) -> Forced {
        Forced::of(&self.force_conflicts)
    }
}

async fn planned(which: &Which, forced: &Forced) -> anyhow::Result<FleetPlan> {
    let surveyed = which.read().await?.survey(forced).await;
    Ok(report(&surveyed, &mask()?, forced))
}

/// Writes a plan file, whole or not at all, and for nobody else to read: what is in a cluster is nobody's business.
fn write(plan: &FleetPlan, file: &Path) -> anyhow::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut options = fs::OpenOptions::new();
    let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    out.write_all(&serde_json::to_vec_pretty(plan)?)?;
    out.sync_all()?;
    Ok(fs::rename(&new, file)?)
}

/// What came of planning, as it is told.
pub(super) fn report(surveyed: &[Surveyed], mask: &Mask, forced: &Forced) -> FleetPlan {
    let site = |(site, looked): &Surveyed| match looked {
        Err(error) => SitePlan::troubled(&site.name, error),
        Ok((reached, apps)) => {
            let apps = apps.iter().map(|(app, planned)| AppPlan::of(app, planned, mask));
            SitePlan::of(reached, apps.collect())
        }
    };
    FleetPlan { sites: surveyed.iter().map(site).collect(), forced: forced.fields.clone() }
}

fn show(plan: &FleetPlan, shown: Shown, detail: Detail) -> anyhow::Result<ExitCode> {
    if shown.is_for_people() {
        say(plan_text(plan, detail).trim_end())?;
    } else {
        let json = serde_json::to_string(plan).context("the plan is no JSON")?;
        shown.output.show(&json, String::new)?;
    }
    Ok(match (plan.has_trouble(), plan.steps()) {
        (true, _) => ExitCode::FAILURE,
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::from(2),
    })
}
