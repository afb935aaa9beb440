use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::{Chosen, Shown, Which, plain};
use crate::cli::complain;
use crate::fleet::cluster::ClusterError;
use crate::fleet::outcome::{Adopted, SiteAdopted, TakenOver};
use crate::fleet::plan::MANAGER;
use crate::fleet::report::Told;
use crate::fleet::site::{adoptions, reach};
use crate::fleet::spec::Site;

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

    /// Takes over what there is on a site, and notes it.
    async fn adopt(
        &self,
        site: &Site,
        chosen: &Chosen,
        told: &mut SiteAdopted,
    ) -> anyhow::Result<()> {
        let wrong = |error: &ClusterError| anyhow::anyhow!("the cluster {error}");
        let reached = reach(site).await.map_err(|it| wrong(&it))?;
        let does = if self.dry_run { "would be taken over" } else { "taken over" };
        for part in chosen.parts.iter().filter(|it| it.app.runs_on(&site.name)) {
            let app = format!("{} {}", site.name, part.app.name);
            let told = told.app(&part.app.name);
            for (resource, key, adoption) in
                adoptions(&reached, part, &chosen.tools, &self.manager).await?
            {
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
