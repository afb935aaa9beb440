use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::alone::alone_on;
use super::{Chosen, Shown, Which, plain};
use crate::cli::complain;
use crate::fleet::cluster::{ClusterError, Resource};
use crate::fleet::object::ObjectKey;
use crate::fleet::outcome::{Adopted, SiteAdopted, TakenOver};
use crate::fleet::plan::{Adoption, MANAGER};
use crate::fleet::render::Tools;
use crate::fleet::report::Told;
use crate::fleet::site::{Reached, adoptions, reach};
use crate::fleet::spec::Site;
use crate::model::Ident;

/// The objects of an app that others have in part: what of each is taken over, or whose it is that stays.
type Found = Vec<(Resource, ObjectKey, Result<Adoption, String>)>;

/// Take over objects that `kubectl apply` made: its fields become the companion's
///
/// Without it they would be in conflict, and what leaves the source would stay in the cluster. Only the record of who has which field changes.
#[derive(Args, Debug)]
pub(super) struct Adopt {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shown: Shown,
    /// Take over from this field manager too, as a conflict names it; may come again
    #[arg(long, value_name = "MANAGER")]
    manager: Vec<String>,
    /// Only say what would be taken over
    #[arg(long)]
    dry_run: bool,
}

impl Adopt {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let chosen = self.which.read().await?;
        let mut adopted = Adopted { dry_run: self.dry_run, sites: Vec::new() };
        for site in &chosen.sites {
            let mut told = SiteAdopted::new(&site.name);
            if let Err(error) = self.adopt(site, &chosen, &mut told).await {
                let error = plain(&format!("{error:#}"));
                complain(&format!("{}: {error}", site.name));
                told.error = Some(error);
            }
            adopted.sites.push(told);
        }
        self.shown.tell(&match (adopted.count(), self.dry_run) {
            (0, _) => "nothing to take over".to_owned(),
            (found, true) => format!("{found} objects would be taken over"),
            (found, false) => format!("{found} objects taken over"),
        })?;
        if !self.shown.is_for_people() {
            let json = serde_json::to_string(&adopted).context("the outcome is no JSON")?;
            self.shown.output.show(&json, String::new)?;
        }
        let is_troubled = adopted.sites.iter().any(|it| it.error.is_some());
        Ok(if is_troubled { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Takes over what there is on a site, while no other companion changes it, and notes it.
    async fn adopt(
        &self,
        site: &Site,
        chosen: &Chosen,
        told: &mut SiteAdopted,
    ) -> anyhow::Result<()> {
        let reached = &reach(site).await.map_err(|it| wrong(&it))?;
        let found = self.find(reached, chosen).await?;
        let is_some = found.iter().flat_map(|it| &it.1).any(|it| it.2.is_ok());
        if self.dry_run || !is_some {
            return self.take_over(reached, found, told).await;
        }
        let mut tell = |text: &str| complain(&plain(text));
        let work = |has_waited| async move {
            // Who was waited for may have taken it over.
            let found = if has_waited { self.find(reached, chosen).await? } else { found };
            self.take_over(reached, found, told).await
        };
        alone_on(reached, &mut tell, work).await?
    }

    /// What there is to take over on a site, by app.
    async fn find(
        &self,
        reached: &Reached,
        chosen: &Chosen,
    ) -> anyhow::Result<Vec<(Ident, Found)>> {
        let (mut found, tools) = (Vec::new(), Tools::from_environment());
        for part in chosen.parts.iter().filter(|it| it.app.runs_on(&reached.site.name)) {
            let adoptions = adoptions(reached, part, &tools, &self.manager).await?;
            found.push((part.app.name.clone(), adoptions));
        }
        Ok(found)
    }

    /// Takes over what was found on a site, and notes it.
    async fn take_over(
        &self,
        reached: &Reached,
        found: Vec<(Ident, Found)>,
        told: &mut SiteAdopted,
    ) -> anyhow::Result<()> {
        let does = if self.dry_run { "would be taken over" } else { "taken over" };
        for (name, adoptions) in found {
            let app = format!("{} {name}", reached.site.name);
            let told = told.app(&name);
            for (resource, key, adoption) in adoptions {
                let adoption = match adoption {
                    Ok(adoption) => adoption,
                    Err(whose) => {
                        self.shown.tell(&plain(&format!("{app}: {key} left alone: {whose}")))?;
                        told.left_alone.push(Told { object: (&key).into(), why: whose });
                        continue;
                    }
                };
                if !self.dry_run {
                    let namespace = key.namespace.as_deref();
                    let patch = &adoption.patch;
                    let patched =
                        reached.cluster.patch(&resource, namespace, &key.name, patch, MANAGER);
                    patched.await.map_err(|it| wrong(&it).context(key.to_string()))?;
                }
                let from = adoption.managers.join(", ");
                told.taken_over
                    .push(TakenOver { object: (&key).into(), managers: adoption.managers });
                self.shown.tell(&plain(&format!("{app}: {key} {does} from {from}")))?;
            }
        }
        Ok(())
    }
}

fn wrong(error: &ClusterError) -> anyhow::Error {
    anyhow::anyhow!("the cluster {error}")
}
