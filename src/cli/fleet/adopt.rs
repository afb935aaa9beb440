use std::process::ExitCode;

use clap::Args;

use super::{Chosen, Which, plain};
use crate::cli::{complain, say};
use crate::fleet::cluster::ClusterError;
use crate::fleet::plan::MANAGER;
use crate::fleet::site::{adoptions, reach};
use crate::fleet::spec::Site;

/// Take over objects that `kubectl apply` made: its fields become the companion's
///
/// Without it they would be in conflict, and what leaves the source would stay in the cluster. Only the record of who has which field changes.
#[derive(Args, Debug)]
pub(super) struct Adopt {
    #[command(flatten)]
    which: Which,
    /// Take over from this field manager too, as a conflict names it; may come again
    #[arg(long, value_name = "MANAGER")]
    manager: Vec<String>,
    /// Only say what would be taken over
    #[arg(long)]
    dry_run: bool,
}

impl Adopt {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let chosen = self.which.read()?;
        let (mut found, mut troubled) = (0, 0);
        for site in &chosen.sites {
            match self.adopt(site, &chosen).await {
                Ok(count) => found += count,
                Err(error) => {
                    complain(&plain(&format!("{}: {error:#}", site.name)));
                    troubled += 1;
                }
            }
        }
        say(&match (found, self.dry_run) {
            (0, _) => "nothing to take over".to_owned(),
            (found, true) => format!("{found} objects would be taken over"),
            (found, false) => format!("{found} objects taken over"),
        })?;
        Ok(if troubled > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Takes over what there is on a site. Gives how many objects that were.
    async fn adopt(&self, site: &Site, chosen: &Chosen) -> anyhow::Result<usize> {
        let wrong = |error: &ClusterError| anyhow::anyhow!("the cluster {error}");
        let reached = reach(site).await.map_err(|it| wrong(&it))?;
        let does = if self.dry_run { "would be taken over" } else { "taken over" };
        let mut found = 0;
        for part in chosen.parts.iter().filter(|it| it.app.runs_on(&site.name)) {
            let app = format!("{} {}", site.name, part.app.name);
            for (resource, key, adoption) in
                adoptions(&reached, part, &chosen.tools, &self.manager).await?
            {
                let adoption = match adoption {
                    Ok(adoption) => adoption,
                    Err(whose) => {
                        say(&plain(&format!("{app}: {key} left alone: {whose}")))?;
                        continue;
                    }
                };
                found += 1;
                if !self.dry_run {
                    let namespace = key.namespace.as_deref();
                    let patch = &adoption.patch;
                    let patched =
                        reached.cluster.patch(&resource, namespace, &key.name, patch, MANAGER);
                    patched.await.map_err(|it| wrong(&it).context(key.to_string()))?;
                }
                let from = adoption.managers.join(", ");
                say(&plain(&format!("{app}: {key} {does} from {from}")))?;
            }
        }
        Ok(found)
    }
}
