//! `farol fleet`: the companion's commands.

mod adopt;
mod alone;
mod apply;
mod plan;
mod show;
mod status;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use futures_util::future::join_all;

use super::client::Output;
use super::{complain, say};
use crate::fleet::cluster::ClusterError;
use crate::fleet::part::Part;
use crate::fleet::plan::{Forced, Mask};
use crate::fleet::render::Tools;
use crate::fleet::report::FleetPlan;
use crate::fleet::resources;
use crate::fleet::site::{PlanError, Planned, Reached, plan_app, reach, refuse_shared};
use crate::fleet::spec::{Described, Description, Site};
use crate::model::{Ident, is_hidden};
use crate::settings::nearest;

/// Keep the sites' clusters, their monitoring and their applications in step
///
/// Asks the sites' Kubernetes API servers, not the daemon. Exit codes of plan, diff and status: 0 nothing to do, 2 changes, 1 an error.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol fleet plan --fleet fleet.yaml
  farol fleet plan --site seattle --app ratings --out plan.json
  farol fleet apply plan.json
  farol fleet diff -o json
  farol fleet apply --yes
  farol fleet status
  farol fleet verify --site seattle
  farol fleet adopt --app ratings")]
pub(super) struct Fleet {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Plan(plan::Plan),
    Diff(plan::Diff),
    Apply(apply::Apply),
    Status(status::Status),
    Verify(verify::Verify),
    Adopt(adopt::Adopt),
}

/// Which fleet, and what of it.
#[derive(Args, Debug)]
struct Which {
    /// The fleet's description
    #[arg(long, env = "FAROL_FLEET", value_name = "FILE", default_value = "fleet.yaml")]
    fleet: PathBuf,
    /// Only this site; may come again
    #[arg(long, value_name = "SITE")]
    site: Vec<Ident>,
    /// Only this app; may come again
    #[arg(long, value_name = "APP")]
    app: Vec<Ident>,
}

#[derive(Args, Debug)]
struct Shown {
    /// How it is shown
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

impl Shown {
    fn is_for_people(&self) -> bool {
        self.output.is_for_people()
    }

    /// Tells people what happens, wherever that isn't in the way of a document.
    fn tell(&self, text: &str) -> anyhow::Result<()> {
        if self.is_for_people() {
            return say(text);
        }
        complain(text);
        Ok(())
    }
}

/// What of a fleet a command is about.
struct Chosen {
    sites: Vec<Site>,
    parts: Vec<Part>,
}

/// A cluster that can be worked with, and what came of planning each of the site's apps.
type Looked = (Reached, Vec<(Ident, Result<Planned, PlanError>)>);
/// A site, and what came of looking at it.
type Surveyed = (Site, Result<Looked, ClusterError>);

impl Fleet {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("could not start the runtime")?;
        let done = runtime.block_on(async {
            match self.verb {
                Verb::Plan(verb) => verb.run().await,
                Verb::Diff(verb) => verb.run().await,
                Verb::Apply(verb) => verb.run().await,
                Verb::Status(verb) => verb.run().await,
                Verb::Verify(verb) => verb.run().await,
                Verb::Adopt(verb) => verb.run().await,
            }
        });
        // What servers say is in errors too.
        done.map_err(|error| anyhow::anyhow!(plain(&format!("{error:#}"))))
    }
}

impl Which {
    /// Reads the description, and takes what is asked for of it.
    async fn read(&self) -> anyhow::Result<Chosen> {
        let none = || format!("{} describes no fleet; nothing was done", self.fleet.display());
        let Described { fleet, .. } = match Description::read(&self.fleet).with_context(none)? {
            Description::Whole(described) => described,
            Description::InCluster(base) => resources::read(&base).await.with_context(none)?,
        };
        let known = |wanted: &[Ident], names: Vec<&str>, what: &str| match wanted
            .iter()
            .find(|it| !names.contains(&it.as_str()))
        {
            None => Ok(()),
            Some(name) => match nearest(name.as_str(), names) {
                Some(near) => bail!("the fleet has no {what} {name}; is it {near}?"),
                None => bail!("the fleet has no {what} {name}"),
            },
        };
        known(&self.site, fleet.sites.iter().map(|it| it.name.as_str()).collect(), "site")?;
        let parts = Part::all(&fleet);
        known(&self.app, parts.iter().map(|it| it.app.name.as_str()).collect(), "app")?;
        let takes = |wanted: &[Ident], name: &Ident| wanted.is_empty() || wanted.contains(name);
        Ok(Chosen {
            sites: fleet.sites.into_iter().filter(|it| takes(&self.site, &it.name)).collect(),
            parts: parts.into_iter().filter(|it| takes(&self.app, &it.app.name)).collect(),
        })
    }
}

impl Chosen {
    /// Plans every app on every site, all sites at the same time: none waits for another.
    async fn survey(&self, forced: &Forced) -> Vec<Surveyed> {
        // Charts that were pulled go away with this: who is interrupted later leaves none behind.
        let tools = Tools::from_environment();
        let look = async |site: &Site| (site.clone(), self.look(site, forced, &tools).await);
        let mut surveyed = join_all(self.sites.iter().map(look)).await;
        let mut first: HashMap<String, String> = HashMap::new();
        for (site, looked) in &mut surveyed {
            let Ok((reached, _)) = looked else { continue };
            match first.get(&reached.uid) {
                Some(other) => *looked = Err(ClusterError::Shared(other.clone())),
                None => drop(first.insert(reached.uid.clone(), site.name.to_string())),
            }
        }
        surveyed
    }

    /// Only what a plan is about.
    fn within(self, plan: &FleetPlan) -> Self {
        let sites: HashSet<&str> = plan.sites.iter().map(|it| it.site.as_str()).collect();
        let apps = plan.sites.iter().flat_map(|it| &it.apps).map(|it| it.app.as_str());
        let apps: HashSet<&str> = apps.collect();
        Self {
            sites: self.sites.into_iter().filter(|it| sites.contains(it.name.as_str())).collect(),
            parts: self
                .parts
                .into_iter()
                .filter(|it| apps.contains(it.app.name.as_str()))
                .collect(),
        }
    }

    async fn look(
        &self,
        site: &Site,
        forced: &Forced,
        tools: &Tools,
    ) -> Result<Looked, ClusterError> {
        let reached = reach(site).await?;
        let mut planned = Vec::new();
        for part in self.parts.iter().filter(|it| it.app.runs_on(&site.name)) {
            let plan = plan_app(&reached, part, tools, forced).await;
            match plan {
                // The others would run into the same.
                Err(PlanError::Cluster(error)) if error.is_about_the_cluster() => {
                    return Err(error);
                }
                plan => planned.push((part.app.name.clone(), plan)),
            }
        }
        refuse_shared(&mut planned);
        Ok((reached, planned))
    }
}

/// Text of servers and sources as a terminal may have it: it is shown, and gives no orders.
fn plain(text: &str) -> String {
    let plain =
        |it: char| if is_hidden(it) && it != '\n' { char::REPLACEMENT_CHARACTER } else { it };
    text.chars().map(plain).collect()
}

/// What secrets are masked by, in this run.
pub(super) fn mask() -> anyhow::Result<Mask> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).context("the operating system gives no random numbers")?;
    Ok(Mask::new(&key))
}
