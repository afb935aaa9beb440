use std::process::ExitCode;

use clap::Args;

use super::Which;
use crate::cli::say;
use crate::fleet::plan::MANAGER;
use crate::fleet::site::{adoptions, reach};

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
        let mut found = 0;
        for site in &chosen.sites {
            let reached = reach(site)
                .await
                .map_err(|it| anyhow::anyhow!("{}: the cluster {it}", site.name))?;
            for part in chosen.parts.iter().filter(|it| it.app.runs_on(&site.name)) {
                let wrong = |error: &dyn std::fmt::Display| {
                    anyhow::anyhow!("{} {}: {error}", site.name, part.app.name)
                };
                let adoptions = adoptions(&reached, part, &chosen.tools, &self.manager).await;
                for (resource, key, adoption) in adoptions.map_err(|it| wrong(&it))? {
                    found += 1;
                    if !self.dry_run {
                        let namespace = key.namespace.as_deref();
                        let patched = reached.cluster.patch(
                            &resource,
                            namespace,
                            &key.name,
                            &adoption.patch,
                            MANAGER,
                        );
                        patched.await.map_err(|it| wrong(&format!("{key}: the cluster {it}")))?;
                    }
                    say(&format!(
                        "{} {}: {key} taken over from {}",
                        site.name,
                        part.app.name,
                        adoption.managers.join(", ")
                    ))?;
                }
            }
        }
        say(&match (found, self.dry_run) {
            (0, _) => "nothing to take over".to_owned(),
            (found, true) => format!("{found} objects would be taken over"),
            (found, false) => format!("{found} objects taken over"),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
